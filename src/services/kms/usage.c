/* When a key was last used, and for what (GetKeyLastUsage). A use is noted in memory, because a write would cost each
 * Encrypt an fsync; what was noted is written once a minute and at the end. A crash may so lose the last minute's
 * notes. */
#include "base/log.h"
#include "base/map.h"
#include "call/workers.h"
#include "services/kms/room.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLUSH_EVERY_US = 60 * 1000 * 1000 };

struct note {
	const char *operation;
	int64_t at_ms;
	char request_id[40];
};
struct kms_usage {
	struct cloud *cloud;
	pthread_mutex_t lock;
	struct map notes; /* the record's key -> struct note *; those that are not written yet */
	int64_t flushed_us;
	bool flushing;
	unsigned workers; /* flushes under way */
	pthread_cond_t idle;
};

struct kms_usage *kms_usage_new(struct cloud *cloud)
{
	struct kms_usage *u = mem_new(sizeof(*u));
	u->cloud = cloud;
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->idle, NULL);
	map_init(&u->notes);
	u->flushed_us = clock_monotonic_us();
	return u;
}

static struct str usage_key(struct arena *a, const struct kms_key *k)
{
	struct key key = key_for(a, STR("kms"), STR("usage"), k->account, k->region);
	key_str(&key, k->id);
	return key_done(&key);
}

static status write_notes(struct kms_usage *u, struct map *notes)
{
	struct arena a;
	arena_init(&a);
	struct store_tx *tx = store_begin(u->cloud->store, &a, false);
	for (struct map_entry *e = NULL; (e = map_next(notes, e));) {
		const struct note *n = e->value;
		struct kms_rec_usage r = {.operation = str_c(n->operation),
			.at = SOME_TIME(n->at_ms),
			.request_id = str_c(n->request_id)};
		store_put(tx, e->key, kms_rec_usage_encode(&a, &r));
	}
	store_ticket t;
	status s = store_has_writes(tx) ? store_commit(tx, &t) : OK;
	store_end(tx);
	arena_cleanup(&a);
	return s;
}

static void flush(struct kms_usage *u)
{
	pthread_mutex_lock(&u->lock);
	struct map notes = u->notes;
	map_init(&u->notes);
	u->flushed_us = clock_monotonic_us();
	pthread_mutex_unlock(&u->lock);
	status s = STATUS(CONFLICT);
	for (int tries = 0; tries < 10 && status_is(s, STATUS_CONFLICT); tries++) s = write_notes(u, &notes);
	if (!is_ok(s)) log_warn("kms", "usage_not_written", "status=%s", status_name(s));
	map_cleanup(&notes, free);
}

static void flush_in_worker(void *ctx)
{
	struct kms_usage *u = ctx;
	flush(u);
	pthread_mutex_lock(&u->lock);
	u->flushing = false;
	pthread_cond_broadcast(&u->idle);
	pthread_mutex_unlock(&u->lock);
}

void kms_usage_free(struct kms_usage *u)
{
	if (!u) return;
	pthread_mutex_lock(&u->lock);
	while (u->flushing) pthread_cond_wait(&u->idle, &u->lock);
	pthread_mutex_unlock(&u->lock);
	flush(u);
	map_cleanup(&u->notes, free);
	pthread_cond_destroy(&u->idle);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

void kms_usage_forget(struct kms_usage *u)
{
	pthread_mutex_lock(&u->lock);
	map_cleanup(&u->notes, free);
	map_init(&u->notes);
	pthread_mutex_unlock(&u->lock);
}

void kms_used(struct kms_scope *s, const struct kms_key *k, const char *operation)
{
	struct kms_usage *u = s->kms ? s->kms->usage : NULL;
	if (!u) return;
	struct str key = usage_key(s->arena, k);
	pthread_mutex_lock(&u->lock);
	struct note *n = map_get(&u->notes, key);
	if (!n) {
		n = mem_new(sizeof(*n));
		map_set(&u->notes, key, n);
	}
	n->operation = operation;
	n->at_ms = s->now_ms;
	snprintf(n->request_id, sizeof(n->request_id), "%.*s", STR_ARG(s->call ? s->call->request_id : STR("")));
	bool due = !u->flushing && clock_monotonic_us() - u->flushed_us > FLUSH_EVERY_US;
	if (due) u->flushing = true;
	pthread_mutex_unlock(&u->lock);
	if (due) workers_run(u->cloud->workers, flush_in_worker, u);
}

static bool noted(struct kms_scope *s, struct str key, struct kms_rec_usage *out)
{
	struct kms_usage *u = s->kms->usage;
	pthread_mutex_lock(&u->lock);
	const struct note *n = map_get(&u->notes, key);
	if (n)
		*out = (struct kms_rec_usage){.operation = str_c(n->operation),
			.at = SOME_TIME(n->at_ms),
			.request_id = str_dup(s->arena, str_c(n->request_id))};
	pthread_mutex_unlock(&u->lock);
	return n != NULL;
}

status kms_get_key_last_usage(
	struct call *c, const struct kms_get_key_last_usage_input *in, struct kms_get_key_last_usage_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct kms_rec_usage r = {0};
	TRY(kms_find(&s, in->key_id, KMS_FIND_FOREIGN, &k));
	struct str key = usage_key(c->arena, &k), bytes;
	bool known = noted(&s, key, &r);
	if (!known) {
		status st = store_get(c->tx, key, &bytes);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		known = is_ok(st);
		if (known) TRY(kms_rec_usage_decode(c->arena, bytes, &r));
	}
	out->key_id = k.arn;
	out->key_creation_date = k.r.created;
	out->tracking_start_date = k.r.created;
	if (!known) return OK;
	out->key_last_usage = arena_new(c->arena, struct kms_key_last_usage_data);
	out->key_last_usage->operation = r.operation;
	out->key_last_usage->timestamp = r.at;
	if (!str_empty(r.request_id)) out->key_last_usage->kms_request_id = r.request_id;
	return OK;
}
