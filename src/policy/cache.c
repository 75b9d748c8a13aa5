/* The caches of bundles and of compiled documents: maps in shards,
	so that threads rarely wait for each other. A shard that
 * is full is emptied: what is used comes back at the cost of one gathering. */
#include "base/map.h"
#include "policy/internal.h"
#include "policy/provider.h"
#include <pthread.h>
#include <stdlib.h>

#define SHARDS 16

struct shard {
	pthread_mutex_t lock;
	struct map map;
};
struct sharded {
	struct shard shards[SHARDS];
	size_t max; /* of one shard */
	void (*drop)(void *);
};

static void sharded_init(struct sharded *c, size_t max, void (*drop)(void *))
{
	c->max = max / SHARDS + 1;
	c->drop = drop;
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&c->shards[i].lock, NULL);
		map_init(&c->shards[i].map);
	}
}

static void sharded_cleanup(struct sharded *c)
{
	for (size_t i = 0; i < SHARDS; i++) {
		map_cleanup(&c->shards[i].map, c->drop);
		pthread_mutex_destroy(&c->shards[i].lock);
	}
}

static struct shard *lock(struct sharded *c, struct str key)
{
	struct shard *s = &c->shards[key_hash(key) % SHARDS];
	pthread_mutex_lock(&s->lock);
	return s;
}

/* The shard is locked; takes over the caller's reference. */
static void put(struct sharded *c, struct shard *s, struct str key, void *object)
{
	if (s->map.count >= c->max && !map_get(&s->map, key)) {
		map_cleanup(&s->map, c->drop);
		map_init(&s->map);
	}
	void *old = map_set(&s->map, key, object);
	if (old) c->drop(old);
}

/* ── bundles ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct policy_cache {
	struct sharded entries;
};

static void drop_bundle(void *b) { policy_bundle_release(b); }

struct policy_cache *policy_cache_new(size_t max)
{
	struct policy_cache *c = mem_new(sizeof *c);
	sharded_init(&c->entries, max, drop_bundle);
	return c;
}

void policy_cache_free(struct policy_cache *c)
{
	if (!c) return;
	sharded_cleanup(&c->entries);
	free(c);
}

struct policy_bundle *policy_cache_get(struct policy_cache *c, struct str key, uint64_t version)
{
	struct shard *s = lock(&c->entries, key);
	struct policy_bundle *b = map_get(&s->map, key);
	b = b && policy_bundle_version(b) == version ? policy_bundle_retain(b) : NULL;
	pthread_mutex_unlock(&s->lock);
	return b;
}

void policy_cache_put(struct policy_cache *c, struct str key, struct policy_bundle *b)
{
	struct shard *s = lock(&c->entries, key);
	put(&c->entries, s, key, policy_bundle_retain(b));
	pthread_mutex_unlock(&s->lock);
}

void policy_cache_clear(struct policy_cache *c)
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *s = &c->entries.shards[i];
		pthread_mutex_lock(&s->lock);
		map_cleanup(&s->map, drop_bundle);
		map_init(&s->map);
		pthread_mutex_unlock(&s->lock);
	}
}

/* ── documents ────────────────────────────────────────────────────────────────────────────────────────────────── */

struct policy_library {
	struct sharded documents;
};

static void drop_policy(void *p) { policy_free(p); }

struct policy_library *policy_library_new(size_t max)
{
	struct policy_library *l = mem_new(sizeof *l);
	sharded_init(&l->documents, max, drop_policy);
	return l;
}

void policy_library_free(struct policy_library *l)
{
	if (!l) return;
	sharded_cleanup(&l->documents);
	free(l);
}

status policy_library_get(struct policy_library *l, struct str key, struct str text, const struct policy_source *source,
	struct policy **out, struct policy_error *why)
{
	struct shard *s = lock(&l->documents, key);
	struct policy *p = map_get(&s->map, key);
	if (p) policy_retain(p);
	pthread_mutex_unlock(&s->lock);
	if (!p) {
		/* Two threads may parse the same text at once; the later one's stays. */
		TRY(policy_parse(text, source, &p, why));
		s = lock(&l->documents, key);
		put(&l->documents, s, key, policy_retain(p));
		pthread_mutex_unlock(&s->lock);
	}
	*out = p;
	return OK;
}
