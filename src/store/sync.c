/* What is durable: one thread syncs the log for all commits that are waiting (group commit), then calls who waits. While a
 * sync runs, further commits gather for the next one. It also unlinks files that have lost their last reference, and
 * gives memory back when the store falls idle. */
#include "base/log.h"
#include "store/engine.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { RELAXED_SYNC_MS = 500, UNLINK_RETRY_MS = 200, IDLE_MS = 10000 };

static uint64_t engine_done(struct store *s) { return atomic_load_explicit(&s->versions.done, memory_order_acquire); }
static uint64_t synced(struct store *s) { return atomic_load_explicit(&s->syncer.synced, memory_order_acquire); }

static void *grown(void *v, size_t n, size_t *capacity, size_t size)
{
	if (n < *capacity) return v;
	*capacity = *capacity ? *capacity * 2 : 64;
	return mem_grow(v, *capacity * size);
}

/* With the lock held, which is given up meanwhile. */
static void call_waiters(struct store *s)
{
	struct syncer *y = &s->syncer;
	uint64_t up_to = synced(s);
	size_t keep = 0, due = 0;
	struct sync_waiter *ready = NULL;
	for (size_t i = 0; i < y->n_waiters; i++) due += y->waiters[i].ticket <= up_to;
	if (due == 0) return;
	ready = mem_new(due * sizeof *ready);
	due = 0;
	for (size_t i = 0; i < y->n_waiters; i++) {
		if (y->waiters[i].ticket <= up_to)
			ready[due++] = y->waiters[i];
		else
			y->waiters[keep++] = y->waiters[i];
	}
	y->n_waiters = keep;
	pthread_mutex_unlock(&y->lock);
	for (size_t i = 0; i < due; i++) ready[i].fn(ready[i].ctx);
	free(ready);
	pthread_mutex_lock(&y->lock);
}

/* The same. */
static void unlink_ready(struct store *s)
{
	struct syncer *y = &s->syncer;
	if (y->n_unlinks == 0) return;
	uint64_t up_to = synced(s), oldest = version_oldest_seen(s);
	if (oldest < up_to) up_to = oldest;
	size_t n = 0, keep = 0;
	struct sync_unlink *ready = mem_new(y->n_unlinks * sizeof *ready);
	for (size_t i = 0; i < y->n_unlinks; i++) {
		if (y->unlinks[i].version <= up_to)
			ready[n++] = y->unlinks[i];
		else
			y->unlinks[keep++] = y->unlinks[i];
	}
	y->n_unlinks = keep;
	pthread_mutex_unlock(&y->lock);
	for (size_t i = 0; i < n; i++) {
		char name[BLOB_NAME_BYTES];
		blob_name(ready[i].id, name);
		if (unlinkat(s->dir_fd, name, 0) != 0 && errno != ENOENT)
			log_warn("store", "unlink_failed", "file=%s errno=%d", name, errno);
	}
	free(ready);
	pthread_mutex_lock(&y->lock);
}

static void sleep_ms(struct syncer *y, int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	pthread_cond_timedwait(&y->wake, &y->lock, &t);
}

/* Waits until there is something to do. */
static void rest(struct store *s, bool was_active)
{
	struct syncer *y = &s->syncer;
	uint64_t before = engine_done(s);
	y->asleep = true;
	if (y->n_unlinks > 0)
		sleep_ms(y, UNLINK_RETRY_MS);
	else if (was_active)
		sleep_ms(y, IDLE_MS);
	else
		pthread_cond_wait(&y->wake, &y->lock);
	y->asleep = false;
	if (was_active && y->n_unlinks == 0 && !y->stop && engine_done(s) == before) {
		pthread_mutex_unlock(&y->lock);
		engine_flush_idle(s);
		pthread_mutex_lock(&y->lock);
	}
}

static void *run(void *arg)
{
	struct store *s = arg;
	struct syncer *y = &s->syncer;
	bool active = false;
	pthread_mutex_lock(&y->lock);
	for (;;) {
		if (engine_done(s) == synced(s)) {
			unlink_ready(s);
			if (engine_done(s) != synced(s)) continue;
			if (y->stop) break;
			rest(s, active);
			active = false;
			continue;
		}
		active = true;
		if (s->durability != DURABILITY_STRICT && !y->stop) sleep_ms(y, RELAXED_SYNC_MS);
		uint64_t target = engine_done(s);
		pthread_mutex_unlock(&y->lock);
		if (s->durability != DURABILITY_NONE) {
			/* After a failed sync nobody knows what reached the disk, and a second try may wrongly succeed. The one
			 * honest answer is none: stop, and recover from what is there. */
			INVARIANT(is_ok(engine_sync(s)));
			atomic_fetch_add_explicit(&s->syncs, 1, memory_order_relaxed);
		}
		pthread_mutex_lock(&y->lock);
		atomic_store_explicit(&y->synced, target, memory_order_release);
		if (y->blocked > 0) pthread_cond_broadcast(&y->synced_more);
		call_waiters(s);
		unlink_ready(s);
	}
	pthread_mutex_unlock(&y->lock);
	return NULL;
}

status syncer_start(struct store *s)
{
	struct syncer *y = &s->syncer;
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&y->lock, NULL);
	pthread_cond_init(&y->wake, &monotonic);
	pthread_cond_init(&y->synced_more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&y->thread, NULL, run, s) != 0) return STATUS(IO);
	y->running = true;
	return OK;
}

void syncer_stop(struct store *s)
{
	struct syncer *y = &s->syncer;
	if (!y->running) return;
	pthread_mutex_lock(&y->lock);
	y->stop = true;
	pthread_cond_signal(&y->wake);
	pthread_mutex_unlock(&y->lock);
	pthread_join(y->thread, NULL);
	INVARIANT(y->n_waiters == 0);
	free(y->waiters);
	free(y->unlinks);
	pthread_mutex_destroy(&y->lock);
	pthread_cond_destroy(&y->wake);
	pthread_cond_destroy(&y->synced_more);
	y->running = false;
}

void syncer_committed(struct store *s)
{
	struct syncer *y = &s->syncer;
	pthread_mutex_lock(&y->lock);
	if (y->asleep) pthread_cond_signal(&y->wake);
	pthread_mutex_unlock(&y->lock);
}

void syncer_unlink_later(struct store *s, uint64_t version, uint64_t id)
{
	struct syncer *y = &s->syncer;
	pthread_mutex_lock(&y->lock);
	y->unlinks = grown(y->unlinks, y->n_unlinks, &y->unlinks_capacity, sizeof *y->unlinks);
	y->unlinks[y->n_unlinks++] = (struct sync_unlink){version, id};
	pthread_mutex_unlock(&y->lock);
}

bool store_is_durable(struct store *s, store_ticket t)
{
	return s->durability != DURABILITY_STRICT || t <= synced(s);
}

void store_wait(struct store *s, store_ticket t)
{
	struct syncer *y = &s->syncer;
	if (store_is_durable(s, t)) return;
	pthread_mutex_lock(&y->lock);
	y->blocked++;
	while (synced(s) < t) pthread_cond_wait(&y->synced_more, &y->lock);
	y->blocked--;
	pthread_mutex_unlock(&y->lock);
}

void store_when_durable(struct store *s, store_ticket t, void (*fn)(void *ctx), void *ctx)
{
	struct syncer *y = &s->syncer;
	if (!store_is_durable(s, t)) {
		pthread_mutex_lock(&y->lock);
		if (synced(s) < t) {
			y->waiters = grown(y->waiters, y->n_waiters, &y->waiters_capacity, sizeof *y->waiters);
			y->waiters[y->n_waiters++] = (struct sync_waiter){t, fn, ctx};
			pthread_mutex_unlock(&y->lock);
			return;
		}
		pthread_mutex_unlock(&y->lock);
	}
	fn(ctx);
}

store_ticket store_last_ticket(struct store *s)
{
	struct versions *v = &s->versions;
	pthread_mutex_lock(&v->lock);
	store_ticket t = v->next - 1;
	pthread_mutex_unlock(&v->lock);
	return t;
}
