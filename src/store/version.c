/* Who may commit, and what a snapshot is: optimistic concurrency control over commit numbers. (RocksDB's own optimistic
 * transactions allocate 2^20 mutexes, 57 MiB and 40 ms at open, and its C API has no way to ask for fewer.) */
#include "base/arena.h"
#include "base/map.h"
#include "store/engine.h"
#include <stdlib.h>

void versions_init(struct versions *v)
{
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->moved, NULL);
	v->next = 1;
	v->slots = mem_new(VERSION_SLOTS * sizeof *v->slots); /* large: mapped, and resident only where touched */
	v->flight = mem_new(VERSION_FLIGHT);
}

static void snapshot_free(struct store *s, struct snapshot *n)
{
	struct versions *v = &s->versions;
	*(n->older ? &n->older->newer : &v->oldest) = n->newer;
	*(n->newer ? &n->newer->older : &v->newest) = n->older;
	rocksdb_readoptions_destroy(n->read);
	rocksdb_release_snapshot(s->db, n->snapshot);
	free(n);
}

void versions_cleanup(struct store *s)
{
	struct versions *v = &s->versions;
	if (v->current) {
		INVARIANT(v->current->refs == 0);
		snapshot_free(s, v->current);
	}
	INVARIANT(v->oldest == NULL); /* else a transaction outlives its store */
	free(v->slots);
	free(v->flight);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->moved);
}

uint32_t version_slot(struct str key)
{
	uint64_t h = str_hash(key) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 47); /* 17 bits */
}
_Static_assert(VERSION_SLOTS == 1u << (64 - 47), "version_slot yields an index");

/* A snapshot is shared until something is committed. `seen` is read before the engine's snapshot is taken: what arrives
 * between the two is visible but counts as unseen, which can only cause a needless retry. */
struct snapshot *snapshot_take(struct store *s)
{
	struct versions *v = &s->versions;
	pthread_mutex_lock(&v->lock);
	struct snapshot *n = v->current;
	if (!n) {
		n = mem_new(sizeof *n);
		n->seen = atomic_load_explicit(&v->done, memory_order_acquire);
		n->finished = v->finished;
		n->snapshot = rocksdb_create_snapshot(s->db);
		n->read = rocksdb_readoptions_create();
		rocksdb_readoptions_set_snapshot(n->read, n->snapshot);
		n->older = v->newest;
		*(v->newest ? &v->newest->newer : &v->oldest) = n;
		v->newest = v->current = n;
	}
	n->refs++;
	pthread_mutex_unlock(&v->lock);
	return n;
}

void snapshot_drop(struct store *s, struct snapshot *n)
{
	struct versions *v = &s->versions;
	pthread_mutex_lock(&v->lock);
	if (--n->refs == 0 && n != v->current) snapshot_free(s, n);
	pthread_mutex_unlock(&v->lock);
}

uint64_t version_oldest_seen(struct store *s)
{
	struct versions *v = &s->versions;
	pthread_mutex_lock(&v->lock);
	const struct snapshot *n = v->oldest;
	while (n && n->refs == 0) n = n->newer;
	uint64_t seen = n ? n->seen : atomic_load_explicit(&v->done, memory_order_relaxed);
	pthread_mutex_unlock(&v->lock);
	return seen;
}

static void wait_done(struct versions *v, uint64_t version)
{
	v->waiters++;
	while (atomic_load_explicit(&v->done, memory_order_relaxed) < version) pthread_cond_wait(&v->moved, &v->lock);
	v->waiters--;
}

static uint64_t newest_of(const struct versions *v, const uint32_t *slots, size_t n)
{
	uint64_t newest = 0;
	for (size_t i = 0; i < n; i++)
		if (v->slots[slots[i]] > newest) newest = v->slots[slots[i]];
	return newest;
}

/* Has anybody else written one of these since? Then waits for the winner, who may be on his way still: a retry before
 * he arrives would lose again. Under the lock. */
static bool lost_to(struct versions *v, uint64_t seen, uint64_t newest)
{
	if (newest <= seen && seen >= v->floor) return false;
	wait_done(v, newest);
	return true;
}

status version_check(struct versions *v, uint64_t seen, const uint32_t *reads, size_t n_reads)
{
	pthread_mutex_lock(&v->lock);
	bool lost = lost_to(v, seen, newest_of(v, reads, n_reads));
	pthread_mutex_unlock(&v->lock);
	return lost ? STATUS(CONFLICT) : OK;
}

status version_claim(struct versions *v, uint64_t seen, const uint32_t *reads, size_t n_reads, const uint32_t *writes,
	size_t n_writes, uint64_t *version)
{
	pthread_mutex_lock(&v->lock);
	while (v->next - atomic_load_explicit(&v->done, memory_order_relaxed) >= VERSION_FLIGHT)
		wait_done(v, v->next - VERSION_FLIGHT + 1);
	uint64_t newest = newest_of(v, reads, n_reads), newest_write = newest_of(v, writes, n_writes);
	if (newest_write > newest) newest = newest_write;
	if (lost_to(v, seen, newest)) {
		pthread_mutex_unlock(&v->lock);
		return STATUS(CONFLICT);
	}
	*version = v->next++;
	for (size_t i = 0; i < n_writes; i++) v->slots[writes[i]] = *version;
	pthread_mutex_unlock(&v->lock);
	return OK;
}

void version_finish(struct store *s, uint64_t version)
{
	struct versions *v = &s->versions;
	pthread_mutex_lock(&v->lock);
	v->flight[version % VERSION_FLIGHT] = 1;
	uint64_t done = atomic_load_explicit(&v->done, memory_order_relaxed);
	while (v->flight[(done + 1) % VERSION_FLIGHT]) v->flight[++done % VERSION_FLIGHT] = 0;
	atomic_store_explicit(&v->done, done, memory_order_release);
	v->finished++;
	struct snapshot *stale = v->current;
	v->current = NULL;
	if (stale && stale->refs == 0) snapshot_free(s, stale);
	if (v->waiters > 0) pthread_cond_broadcast(&v->moved);
	pthread_mutex_unlock(&v->lock);
}
