/* Every call leaves its events here. Those of a call that changes something are written with its transaction, so that
 * no change is without its record, whatever happens; all others (reads, refusals) wait in memory for at most a moment.
 * A thread of its own files both: into the history with its indexes, and for the trails that select them. So a call
 * pays for making the record, and data events that no trail selects pay for nothing. */
#include "base/log.h"
#include "base/rand.h"
#include "services/cloudtrail/room.h"
#include <pthread.h>
#include <stdlib.h>

enum { FILE_AT_ONCE = 200, WAIT_MS = 200 };
#define MEMORY_MAX (256u << 20) /* of events that wait; past it the machine has lost the race, and the log says so */

struct waiting {
	struct waiting *next;
	size_t n;
	char bytes[]; /* an encoded event */
};
struct ct_recorder {
	struct ct *ct;
	pthread_mutex_t lock;
	pthread_cond_t wake, hurry, settled; /* there is something; now; it is done */
	pthread_t thread;
	struct waiting *first, **last;
	size_t bytes;
	uint64_t added, filed; /* what was told to the thread, and what it has done: settle waits for them */
	bool stopping, inbox, urgent, idle;
};

/* ── taking ── */

static struct str inbox_space(struct arena *a)
{
	struct key k = key_begin(a);
	key_str(&k, STR("cloudtrail"));
	key_str(&k, STR("inbox"));
	return key_done(&k);
}

static void put_inbox(struct store_tx *tx, struct arena *a, const struct cloudtrail_rec_event *e)
{
	struct key k = key_begin(a);
	key_append(&k, inbox_space(a));
	key_i64(&k, e->time.ms);
	key_u64(&k, rand_u64());
	store_put(tx, key_done(&k), cloudtrail_rec_event_encode(a, e));
}

/* Under the lock. The thread is woken once, and then waits for company on its own. */
static void added(struct ct_recorder *r)
{
	r->added++;
	if (!r->idle) return;
	r->idle = false;
	pthread_cond_signal(&r->wake);
}

static void keep(struct ct_recorder *r, struct arena *a, const struct cloudtrail_rec_event *e)
{
	struct str bytes = cloudtrail_rec_event_encode(a, e);
	struct waiting *w = mem_new(sizeof(*w) + bytes.n);
	w->n = bytes.n;
	memcpy(w->bytes, bytes.p, bytes.n);
	pthread_mutex_lock(&r->lock);
	bool room = r->bytes < MEMORY_MAX;
	if (room) {
		*r->last = w;
		r->last = &w->next;
		r->bytes += bytes.n;
		added(r);
	}
	pthread_mutex_unlock(&r->lock);
	if (room) return;
	log_error("cloudtrail", "event-lost", "name=%.*s id=%.*s", STR_ARG(e->name), STR_ARG(e->id));
	free(w);
}

static void note_inbox(void *ctx)
{
	struct ct_recorder *r = ctx;
	pthread_mutex_lock(&r->lock);
	r->inbox = true;
	added(r);
	pthread_mutex_unlock(&r->lock);
}

static struct call *call_in(const struct bus_event *e)
{
	struct call *c;
	memcpy(&c, &e->detail, sizeof(struct call *));
	return c;
}

static void on_committing(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct ct_recorder *r = ctx;
	struct call *c = call_in(e);
	(void)phase;
	const struct ct_class *k = ct_class_of(r->ct->classes, &c->match);
	if (!k || k->data != CT_MANAGEMENT) return;
	struct cloudtrail_rec_event events[CT_EVENTS_PER_CALL];
	struct cloudtrail_rec_resources resources;
	ct_resources(c, &resources);
	size_t n = ct_events(c, k, &resources, false, events);
	for (size_t i = 0; i < n; i++) put_inbox(tx, c->arena, &events[i]);
	c->recorded = n > 0;
}

static void on_done(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct ct_recorder *r = ctx;
	struct call *c = call_in(e);
	(void)phase;
	(void)tx;
	const struct ct_class *k = ct_class_of(r->ct->classes, &c->match);
	if (!k || (k->data != CT_MANAGEMENT && !ct_trails_want(r->ct->trails, (enum ct_data)k->data))) return;
	if (c->recorded) {
		note_inbox(r);
		return;
	}
	struct cloudtrail_rec_event events[CT_EVENTS_PER_CALL];
	struct cloudtrail_rec_resources resources;
	ct_resources(c, &resources);
	if (k->data != CT_MANAGEMENT &&
		!ct_trails_select_any(r->ct->trails, (enum ct_data)k->data, k->read_only, &resources))
		return;
	size_t n = ct_events(c, k, &resources, true, events);
	for (size_t i = 0; i < n; i++) keep(r, c->arena, &events[i]);
}

/* ── filing ── */

struct filing {
	struct store_tx *tx;
	struct arena *a;
	const struct cloudtrail_rec_event *e;
};

static void file_under(const struct filing *f, struct str space)
{
	struct key k = key_begin(f->a);
	key_append(&k, space);
	key_str(&k, f->e->account);
	key_str(&k, f->e->region);
	key_i64(&k, f->e->time.ms);
	key_u64(&k, rand_u64());
	store_put(f->tx, key_done(&k), cloudtrail_rec_event_encode(f->a, f->e));
}

static void file_for_trail(void *ctx, const struct cloudtrail_rec_trail *t)
{
	const struct filing *f = ctx;
	file_under(f, ct_pending_space(f->a, t));
	if (str_has(t->log_group)) file_under(f, ct_logs_space(f->a, t));
}

static void file(struct ct_recorder *r, struct store_tx *tx, struct arena *a, struct str bytes)
{
	struct cloudtrail_rec_event e = {0};
	struct filing f = {tx, a, &e};
	if (!is_ok(cloudtrail_rec_event_decode(a, bytes, &e))) {
		log_warn("cloudtrail", "event-unreadable", "bytes=%zu", bytes.n);
		return;
	}
	if (!str_has(e.data_type)) ct_history_put(tx, a, &e);
	ct_trails_select(r->ct->trails, &e, tx, a, file_for_trail, &f);
}

/* One transaction's worth. *more: the inbox has others. */
static status file_inbox(struct ct_recorder *r, struct arena *a, bool *more)
{
	struct store_tx *tx = store_begin(r->ct->cloud->store, a, false);
	struct str from = inbox_space(a), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	size_t n = 0;
	while (n < FILE_AT_ONCE && store_scan_next(scan, &key, &value)) {
		file(r, tx, a, str_dup(a, value));
		store_delete(tx, str_dup(a, key));
		n++;
	}
	status s = store_scan_end(scan);
	store_ticket ticket;
	if (is_ok(s) && n) s = store_commit(tx, &ticket);
	store_end(tx);
	*more = n == FILE_AT_ONCE;
	return s;
}

static status file_memory(struct ct_recorder *r, struct arena *a, const struct waiting *from, const struct waiting **to)
{
	struct store_tx *tx = store_begin(r->ct->cloud->store, a, false);
	size_t n = 0;
	for (; from && n < FILE_AT_ONCE; from = from->next, n++) file(r, tx, a, str_n(from->bytes, from->n));
	store_ticket ticket;
	status s = store_commit(tx, &ticket);
	store_end(tx);
	*to = from;
	return s;
}

static bool tried_enough(status s, unsigned *tries)
{
	if (is_ok(s)) return false;
	if (!status_is(s, STATUS_CONFLICT)) log_warn("cloudtrail", "events-not-filed", "status=%s", status_name(s));
	return ++*tries > 100;
}

static void file_all(struct ct_recorder *r, const struct waiting *list, bool inbox)
{
	struct arena a;
	arena_init(&a);
	unsigned tries = 0;
	while (list) {
		const struct waiting *to;
		status s = file_memory(r, &a, list, &to);
		arena_reset(&a);
		if (is_ok(s)) list = to;
		if (tried_enough(s, &tries)) break;
	}
	for (bool more = inbox; more;) {
		status s = file_inbox(r, &a, &more);
		arena_reset(&a);
		if (tried_enough(s, &tries)) break;
		if (!is_ok(s)) more = true;
	}
	arena_cleanup(&a);
}

static void free_list(struct waiting *w)
{
	while (w) {
		struct waiting *next = w->next;
		free(w);
		w = next;
	}
}

/* Under the lock, which is given up while it works. */
static void take_and_file(struct ct_recorder *r)
{
	struct waiting *list = r->first;
	bool inbox = r->inbox;
	uint64_t upto = r->added;
	r->first = NULL;
	r->last = &r->first;
	r->inbox = false;
	pthread_mutex_unlock(&r->lock);
	file_all(r, list, inbox);
	size_t bytes = 0;
	for (struct waiting *w = list; w; w = w->next) bytes += w->n;
	free_list(list);
	pthread_mutex_lock(&r->lock);
	r->bytes -= bytes < r->bytes ? bytes : r->bytes;
	r->filed = upto;
	pthread_cond_broadcast(&r->settled);
}

static void wait_a_moment(struct ct_recorder *r)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_MS * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000l;
	}
	while (!r->stopping && !r->urgent && pthread_cond_timedwait(&r->hurry, &r->lock, &until) == 0) continue;
}

static void *run(void *arg)
{
	struct ct_recorder *r = arg;
	pthread_mutex_lock(&r->lock);
	while (!r->stopping) {
		while (!r->stopping && r->filed == r->added) {
			r->idle = true;
			pthread_cond_wait(&r->wake, &r->lock);
		}
		r->idle = false;
		wait_a_moment(r); /* others come, and share the commit */
		r->urgent = false;
		take_and_file(r);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* ── beginning and end ── */

struct ct_recorder *ct_recorder_new(struct ct *ct)
{
	struct ct_recorder *r = mem_new(sizeof(*r));
	r->ct = ct;
	r->last = &r->first;
	r->inbox = true; /* what the last run left */
	r->added = 1;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_t by_monotonic;
	pthread_condattr_init(&by_monotonic);
	pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, NULL);
	pthread_cond_init(&r->hurry, &by_monotonic);
	pthread_condattr_destroy(&by_monotonic);
	pthread_cond_init(&r->settled, NULL);
	bus_subscribe(ct->cloud->bus, BUS_COMMITTING, "call", on_committing, r);
	bus_subscribe(ct->cloud->bus, BUS_DONE, "call", on_done, r);
	INVARIANT(pthread_create(&r->thread, NULL, run, r) == 0);
	return r;
}

void ct_recorder_free(struct ct_recorder *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_signal(&r->wake);
	pthread_cond_signal(&r->hurry);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	pthread_mutex_lock(&r->lock);
	r->inbox = true;
	take_and_file(r);
	pthread_mutex_unlock(&r->lock);
	pthread_cond_destroy(&r->wake);
	pthread_cond_destroy(&r->hurry);
	pthread_cond_destroy(&r->settled);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void ct_recorder_settle(struct ct_recorder *r)
{
	pthread_mutex_lock(&r->lock);
	uint64_t upto = r->added;
	while (r->filed < upto) {
		r->urgent = true;
		pthread_cond_signal(&r->hurry);
		pthread_cond_wait(&r->settled, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
}

void ct_recorder_forget(struct ct_recorder *r)
{
	ct_recorder_settle(r);
}
