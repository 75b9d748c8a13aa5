/* Lists, heaps and a hash table over the messages of one queue. */
#include "services/sqs/index.h"
#include "base/arena.h"
#include <stdlib.h>

/* ── heaps ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t key_visible(const struct message *m) { return m->visible_ms; }
static int64_t key_sent(const struct message *m) { return m->sent_ms; }

static uint32_t *place(const struct heap *h, struct message *m) { return (uint32_t *)(void *)((char *)m + h->place_offset); }

static void put_at(struct heap *h, uint32_t i, struct message *m)
{
	h->v[i] = m;
	*place(h, m) = i + 1;
}

static bool before(const struct heap *h, const struct message *a, const struct message *b)
{
	int64_t x = h->key(a), y = h->key(b);
	return x != y ? x < y : a->seq < b->seq;
}

static void up(struct heap *h, uint32_t i)
{
	struct message *m = h->v[i];
	while (i > 0 && before(h, m, h->v[(i - 1) / 2])) {
		put_at(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put_at(h, i, m);
}

static void down(struct heap *h, uint32_t i)
{
	struct message *m = h->v[i];
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child >= h->n) break;
		if (child + 1 < h->n && before(h, h->v[child + 1], h->v[child])) child++;
		if (!before(h, h->v[child], m)) break;
		put_at(h, i, h->v[child]);
		i = child;
	}
	put_at(h, i, m);
}

static void heap_add(struct heap *h, struct message *m)
{
	if (h->n == h->capacity) {
		h->capacity = h->capacity ? 2 * h->capacity : 64;
		h->v = mem_grow(h->v, h->capacity * sizeof(struct message *));
	}
	put_at(h, h->n, m);
	up(h, h->n++);
}

static void heap_remove(struct heap *h, struct message *m)
{
	uint32_t at = *place(h, m);
	if (!at) return;
	*place(h, m) = 0;
	struct message *last = h->v[--h->n];
	if (last == m) return;
	put_at(h, at - 1, last);
	up(h, at - 1);
	down(h, *place(h, last) - 1);
}

/* ── the hash of all messages ─────────────────────────────────────────────────────────────────────────────────── */

static uint32_t bucket_of(const struct index *x, uint64_t seq)
{
	return (uint32_t)((seq * 0x9e3779b97f4a7c15u) >> 32) & (x->n_buckets - 1);
}

static void hash_grow(struct index *x)
{
	struct message **old = x->buckets;
	uint32_t n = x->n_buckets;
	x->n_buckets = n ? 2 * n : 64;
	x->buckets = mem_new(x->n_buckets * sizeof(struct message *));
	for (uint32_t i = 0; i < n; i++) {
		for (struct message *m = old[i], *next; m; m = next) {
			next = m->chain;
			uint32_t b = bucket_of(x, m->seq);
			m->chain = x->buckets[b];
			x->buckets[b] = m;
		}
	}
	free(old);
}

struct message *index_find(const struct index *x, uint64_t seq)
{
	if (!x->n_buckets) return NULL;
	struct message *m = x->buckets[bucket_of(x, seq)];
	while (m && m->seq != seq) m = m->chain;
	return m;
}

/* ── what may be handed out ───────────────────────────────────────────────────────────────────────────────────── */

static void ready_append(struct index *x, struct message *m)
{
	m->previous = x->ready_last;
	m->next = NULL;
	*(x->ready_last ? &x->ready_last->next : &x->ready_first) = m;
	x->ready_last = m;
}

static void ready_unlink(struct index *x, struct message *m)
{
	*(m->previous ? &m->previous->next : &x->ready_first) = m->next;
	*(m->next ? &m->next->previous : &x->ready_last) = m->previous;
}

/* A group can be read from when nothing of it is in flight and its first message is ready: so order is never broken. */
static void group_refresh(struct index *x, struct group *g)
{
	bool open = g->first && g->in_flight == 0 && g->first->state == MESSAGE_READY;
	if (open == g->listed) return;
	if (open) {
		g->previous = x->group_last;
		g->next = NULL;
		*(x->group_last ? &x->group_last->next : &x->group_first) = g;
		x->group_last = g;
	} else {
		*(g->previous ? &g->previous->next : &x->group_first) = g->next;
		*(g->next ? &g->next->previous : &x->group_last) = g->previous;
	}
	g->listed = open;
}

static struct group *group_for(struct index *x, struct str id)
{
	struct group *g = map_get(&x->groups, id);
	if (g) return g;
	g = mem_new(sizeof(*g) + id.n + 1);
	char *copy = (char *)(g + 1);
	memcpy(copy, id.p, id.n);
	g->id = (struct str){copy, id.n};
	map_set(&x->groups, id, g);
	return g;
}

static void group_insert(struct group *g, struct message *m)
{
	struct message *after = g->last;
	while (after && after->seq > m->seq) after = after->previous;
	m->previous = after;
	m->next = after ? after->next : g->first;
	*(after ? &after->next : &g->first) = m;
	*(m->next ? &m->next->previous : &g->last) = m;
	g->length++;
}

static void count(struct index *x, struct message *m, int by)
{
	uint32_t *n = m->state == MESSAGE_READY ? &x->n_ready : m->state == MESSAGE_DELAYED ? &x->n_delayed : &x->n_in_flight;
	*n += (uint32_t)by;
	if (m->group && m->state == MESSAGE_IN_FLIGHT) m->group->in_flight += (uint32_t)by;
}

static void enter(struct index *x, struct message *m)
{
	count(x, m, 1);
	if (m->state != MESSAGE_READY)
		heap_add(&x->waiting, m);
	else if (!m->group)
		ready_append(x, m);
	if (m->group) group_refresh(x, m->group);
}

static void leave(struct index *x, struct message *m)
{
	count(x, m, -1);
	if (m->state != MESSAGE_READY)
		heap_remove(&x->waiting, m);
	else if (!m->group)
		ready_unlink(x, m);
}

void index_init(struct index *x, bool fifo)
{
	*x = (struct index){.fifo = fifo};
	map_init(&x->groups);
	x->waiting = (struct heap){.place_offset = offsetof(struct message, wait_at), .key = key_visible};
	x->expiry = (struct heap){.place_offset = offsetof(struct message, expiry_at), .key = key_sent};
}

void index_cleanup(struct index *x)
{
	for (uint32_t i = 0; i < x->n_buckets; i++) {
		for (struct message *m = x->buckets[i], *next; m; m = next) {
			next = m->chain;
			free(m);
		}
	}
	map_cleanup(&x->groups, free);
	free(x->buckets);
	free(x->waiting.v);
	free(x->expiry.v);
}

struct message *index_add(struct index *x, const struct message *m, struct str group)
{
	if (x->count >= x->n_buckets) hash_grow(x);
	struct message *n = mem_new(sizeof(*n));
	*n = *m;
	n->wait_at = n->expiry_at = 0;
	n->previous = n->next = NULL;
	uint32_t b = bucket_of(x, n->seq);
	n->chain = x->buckets[b];
	x->buckets[b] = n;
	x->count++;
	heap_add(&x->expiry, n);
	n->group = x->fifo ? group_for(x, group) : NULL;
	if (n->group) group_insert(n->group, n);
	enter(x, n);
	return n;
}

void index_remove(struct index *x, struct message *m)
{
	leave(x, m);
	heap_remove(&x->expiry, m);
	struct message **at = &x->buckets[bucket_of(x, m->seq)];
	while (*at != m) at = &(*at)->chain;
	*at = m->chain;
	x->count--;
	struct group *g = m->group;
	if (g) {
		*(m->previous ? &m->previous->next : &g->first) = m->next;
		*(m->next ? &m->next->previous : &g->last) = m->previous;
		g->length--;
		group_refresh(x, g);
		if (!g->length) {
			map_remove(&x->groups, g->id);
			free(g);
		}
	}
	free(m);
}

void index_set(struct index *x, struct message *m, enum message_state state, int64_t visible_ms)
{
	leave(x, m);
	m->state = state;
	m->visible_ms = visible_ms;
	enter(x, m);
}

struct message *index_next(struct index *x, const struct message *within)
{
	if (!x->fifo) return x->ready_first;
	if (within && within->next && within->next->state == MESSAGE_READY) return within->next;
	return x->group_first ? x->group_first->first : NULL;
}

struct message *index_first_waiting(const struct index *x) { return x->waiting.n ? x->waiting.v[0] : NULL; }
struct message *index_oldest(const struct index *x) { return x->expiry.n ? x->expiry.v[0] : NULL; }
