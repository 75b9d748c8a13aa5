/* Virtual time and its timers: a binary heap and one thread, which sleeps until the first is due. */
#include "clock/clock.h"
#include "base/log.h"
#include "store/key.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define LONGEST_SLEEP_MS 30000           /* the machine's own clock may be set while we sleep */

struct timer {
	int64_t due_ms;
	uint64_t order; /* timers with the same due time run as they were set */
	void (*fn)(void *ctx);
	void *ctx;
	uint32_t generation;
	uint32_t at; /* in the heap; next free slot where it is free */
};
struct clock {
	struct store *store;
	_Atomic int64_t offset, moved_at;
	pthread_mutex_t lock, set_lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stop;
	struct timer *slots;
	uint32_t *heap, n, capacity, free; /* slots in the heap; free: 1 + first free slot */
	uint64_t order;
};

static int64_t machine_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_offset(const struct clock *c) { return atomic_load_explicit(&c->offset, memory_order_relaxed); }
int64_t clock_moved_at(const struct clock *c) { return atomic_load_explicit(&c->moved_at, memory_order_relaxed); }
int64_t clock_now(const struct clock *c) { return machine_ms() + clock_offset(c); }

/* ── heap ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool before(const struct clock *c, uint32_t a, uint32_t b)
{
	const struct timer *x = &c->slots[a], *y = &c->slots[b];
	return x->due_ms != y->due_ms ? x->due_ms < y->due_ms : x->order < y->order;
}

static void place(struct clock *c, uint32_t at, uint32_t slot)
{
	c->heap[at] = slot;
	c->slots[slot].at = at;
}

static void sift(struct clock *c, uint32_t at)
{
	uint32_t slot = c->heap[at];
	for (; at > 0 && before(c, slot, c->heap[(at - 1) / 2]); at = (at - 1) / 2) place(c, at, c->heap[(at - 1) / 2]);
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= c->n) break;
		if (child + 1 < c->n && before(c, c->heap[child + 1], c->heap[child])) child++;
		if (!before(c, c->heap[child], slot)) break;
		place(c, at, c->heap[child]);
		at = child;
	}
	place(c, at, slot);
}

static struct timer take(struct clock *c, uint32_t at)
{
	uint32_t slot = c->heap[at];
	struct timer t = c->slots[slot];
	if (at != --c->n) {
		place(c, at, c->heap[c->n]);
		sift(c, at);
	}
	c->slots[slot].generation++;
	c->slots[slot].at = c->free;
	c->free = slot + 1;
	return t;
}

static void *run(void *arg)
{
	struct clock *c = arg;
	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (c->n == 0) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		int64_t wait_ms = c->slots[c->heap[0]].due_ms - clock_now(c);
		if (wait_ms <= 0) {
			struct timer t = take(c, 0);
			pthread_mutex_unlock(&c->lock);
			t.fn(t.ctx);
			pthread_mutex_lock(&c->lock);
			continue;
		}
		if (wait_ms > LONGEST_SLEEP_MS) wait_ms = LONGEST_SLEEP_MS;
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		int64_t ns = until.tv_nsec + wait_ms % 1000 * 1000000;
		until.tv_sec += wait_ms / 1000 + ns / 1000000000;
		until.tv_nsec = ns % 1000000000;
		pthread_cond_timedwait(&c->changed, &c->lock, &until);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

uint64_t clock_at(struct clock *c, int64_t due_ms, void (*fn)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&c->lock);
	if (c->free == 0) {
		uint32_t old = c->capacity;
		c->capacity = old ? old * 2 : 64;
		c->slots = mem_grow(c->slots, c->capacity * sizeof *c->slots);
		c->heap = mem_grow(c->heap, c->capacity * sizeof *c->heap);
		for (uint32_t i = c->capacity; i > old; i--) {
			c->slots[i - 1] = (struct timer){.at = c->free};
			c->free = i;
		}
	}
	uint32_t slot = c->free - 1;
	struct timer *t = &c->slots[slot];
	c->free = t->at;
	*t = (struct timer){.due_ms = due_ms, .order = c->order++, .fn = fn, .ctx = ctx, .generation = t->generation};
	c->heap[c->n] = slot;
	t->at = c->n++;
	sift(c, t->at);
	uint64_t id = (uint64_t)t->generation << 32 | (slot + 1);
	if (t->at == 0) pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return id;
}

bool clock_cancel(struct clock *c, uint64_t id)
{
	uint32_t slot = (uint32_t)id - 1, generation = (uint32_t)(id >> 32);
	pthread_mutex_lock(&c->lock);
	/* A slot's generation moves on when its timer leaves the heap, so an old id finds nothing. */
	bool found = id != 0 && slot < c->capacity && c->slots[slot].generation == generation &&
		c->slots[slot].at < c->n && c->heap[c->slots[slot].at] == slot;
	if (found) take(c, c->slots[slot].at);
	pthread_mutex_unlock(&c->lock);
	return found;
}

/* ── the offset ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str offset_key(struct arena *a)
{
	struct key k = key_begin(a);
	key_str(&k, STR("virga"));
	key_str(&k, STR("clock"));
	return key_done(&k);
}

/* What is stored: the offset, and the machine's time when it was set. */
struct moved {
	int64_t offset, at;
};

static struct moved load_offset(struct store *s)
{
	struct arena a;
	arena_init(&a);
	struct store_tx *tx = store_begin(s, &a, true);
	struct str v;
	struct moved m = {0};
	/* Data folders from before the second number have the first alone. */
	if (is_ok(store_get(tx, offset_key(&a), &v)) && (v.n == sizeof m || v.n == sizeof m.offset)) memcpy(&m, v.p, v.n);
	store_end(tx);
	arena_cleanup(&a);
	return m;
}

static status store_offset(struct store *s, struct moved m)
{
	struct arena a;
	arena_init(&a);
	status r;
	store_ticket t = 0;
	do {
		struct store_tx *tx = store_begin(s, &a, false);
		store_put(tx, offset_key(&a), str_n(&m, sizeof m));
		r = store_commit(tx, &t);
	} while (status_is(r, STATUS_CONFLICT));
	if (is_ok(r)) store_wait(s, t);
	arena_cleanup(&a);
	return r;
}

/* With set_lock held. */
static status move(struct clock *c, int64_t offset)
{
	struct moved m = {offset, offset ? machine_ms() : 0};
	if (c->store) TRY(store_offset(c->store, m));
	pthread_mutex_lock(&c->lock);
	atomic_store_explicit(&c->offset, offset, memory_order_relaxed);
	atomic_store_explicit(&c->moved_at, m.at, memory_order_relaxed);
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return OK;
}

static status move_by(struct clock *c, int64_t now, int64_t by)
{
	if (by < 0) return STATUS(INVALID);
	if (by > MAX_MS - now) return STATUS(LIMIT);
	return move(c, clock_offset(c) + by);
}

status clock_advance(struct clock *c, int64_t advance_ms)
{
	pthread_mutex_lock(&c->set_lock);
	status r = move_by(c, clock_now(c), advance_ms);
	pthread_mutex_unlock(&c->set_lock);
	return r;
}

status clock_set(struct clock *c, int64_t to_ms)
{
	pthread_mutex_lock(&c->set_lock);
	int64_t now = clock_now(c);
	status r = to_ms < now ? STATUS(INVALID) : to_ms > MAX_MS ? STATUS(LIMIT) : move_by(c, now, to_ms - now);
	pthread_mutex_unlock(&c->set_lock);
	return r;
}

status clock_reset(struct clock *c)
{
	pthread_mutex_lock(&c->set_lock);
	status r = move(c, 0);
	pthread_mutex_unlock(&c->set_lock);
	return r;
}

struct clock *clock_new(struct store *s)
{
	struct clock *c = mem_new(sizeof *c);
	c->store = s;
	struct moved m = s ? load_offset(s) : (struct moved){0};
	atomic_init(&c->offset, m.offset);
	atomic_init(&c->moved_at, m.at);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->set_lock, NULL);
	pthread_cond_init(&c->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	INVARIANT(pthread_create(&c->thread, NULL, run, c) == 0);
	return c;
}

void clock_free(struct clock *c)
{
	if (!c) return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->set_lock);
	pthread_cond_destroy(&c->changed);
	free(c->slots);
	free(c->heap);
	free(c);
}
