/* What was used when: each call of an issued key is noted, for access keys, roles and the access advisor. Notes are
 * kept in memory and written once a second (and at the end), so that a read costs no commit: a crash loses the last
 * second of them. "Refine permissions using last accessed information": attempts count, also those that were refused.
 */
#include "services/iam/usage.h"
#include "base/log.h"
#include "base/map.h"
#include "services/iam/internal.h"
#include "services/iam/subject.h"
#include <pthread.h>
#include <stdlib.h>

#define FLUSH_EVERY_S 1
#define NOTES_PER_COMMIT 1000

struct note {
	int64_t at_ms;
	char region[32];
};
struct usage {
	struct cloud *cloud;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool stopping;
	struct map fresh;   /* encoded store key to note */
	struct map leaving; /* being written: readers see them until the commit is visible */
};

static struct str usage_key(struct arena *a, struct str account, struct str arn, struct str service, struct str action)
{
	struct key k = key_for(a, STR("iam"), STR("usage"), account, STR(""));
	key_str(&k, arn);
	if (str_has(service)) key_str(&k, service);
	if (str_has(action)) key_str(&k, action);
	return key_done(&k);
}

static struct str used_key(struct arena *a, struct str id, struct str service)
{
	struct key k = key_begin(a);
	key_str(&k, STR("iam"));
	key_str(&k, STR("used"));
	key_str(&k, id);
	if (str_has(service)) key_str(&k, service);
	return key_done(&k);
}

static void note(struct usage *u, struct str key, int64_t at_ms, struct str region)
{
	struct note *n = map_get(&u->fresh, key);
	if (!n) {
		n = mem_new(sizeof(*n));
		map_set(&u->fresh, key, n);
	}
	if (at_ms >= n->at_ms) n->at_ms = at_ms;
	size_t length = region.n < sizeof(n->region) - 1 ? region.n : sizeof(n->region) - 1;
	if (length) memcpy(n->region, region.p, length);
	n->region[length] = 0;
}

static void on_call(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	(void)phase;
	(void)tx;
	struct usage *u = ctx;
	const struct call *c = e->detail;
	const struct principal *p = &c->principal;
	if (!p->verified || p->kind == PRINCIPAL_ROOT || p->kind == PRINCIPAL_ANONYMOUS) return;
	struct arena *a = c->arena;
	struct str action = wire_str(&c->match.service->tables, c->match.op->name);
	struct str service = str_c(c->match.service->signing_name);
	struct str arn = iam_issuer_arn(a, p);
	struct str by_entity = usage_key(a, p->account, arn, service, action),
		   by_key = used_key(a, p->access_key, service);
	pthread_mutex_lock(&u->lock);
	note(u, by_entity, c->now_ms, c->region);
	if (str_starts(p->access_key, STR("AKIA"))) note(u, by_key, c->now_ms, c->region);
	pthread_mutex_unlock(&u->lock);
}

static status write_notes(struct usage *u, struct arena *a, struct map_entry **from)
{
	struct store_tx *tx = store_begin(u->cloud->store, a, false);
	struct map_entry *e = *from;
	for (size_t n = 0; n < NOTES_PER_COMMIT && (e = map_next(&u->leaving, e)); n++) {
		const struct note *note = e->value;
		struct iam_rec_usage r = {.at = SOME_TIME(note->at_ms), .region = str_c(note->region)};
		store_put(tx, e->key, iam_rec_usage_encode(a, &r));
	}
	store_ticket ticket;
	status s = store_commit(tx, &ticket);
	store_end(tx);
	if (is_ok(s)) *from = e;
	return s;
}

/* Only this thread changes what is leaving. */
static void flush(struct usage *u)
{
	pthread_mutex_lock(&u->lock);
	struct map none;
	map_init(&none);
	u->leaving = u->fresh;
	u->fresh = none;
	pthread_mutex_unlock(&u->lock);
	struct arena a;
	arena_init(&a);
	struct map_entry *from = NULL;
	for (unsigned failures = 0; u->leaving.count && failures < 10;) {
		status s = write_notes(u, &a, &from);
		arena_reset(&a);
		if (is_ok(s) && !from) break;
		if (!is_ok(s)) {
			failures++;
			if (!status_is(s, STATUS_CONFLICT))
				log_warn("iam", "usage-not-written", "status=%s", status_name(s));
		}
	}
	arena_cleanup(&a);
	pthread_mutex_lock(&u->lock);
	map_cleanup(&u->leaving, free);
	map_init(&u->leaving);
	pthread_mutex_unlock(&u->lock);
}

static void *run(void *arg)
{
	struct usage *u = arg;
	pthread_mutex_lock(&u->lock);
	while (!u->stopping) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += FLUSH_EVERY_S;
		pthread_cond_timedwait(&u->wake, &u->lock, &until);
		if (!u->fresh.count) continue;
		pthread_mutex_unlock(&u->lock);
		flush(u);
		pthread_mutex_lock(&u->lock);
	}
	pthread_mutex_unlock(&u->lock);
	return NULL;
}

struct usage *iam_usage_new(struct cloud *cloud)
{
	struct usage *u = mem_new(sizeof(*u));
	u->cloud = cloud;
	pthread_mutex_init(&u->lock, NULL);
	pthread_condattr_t by_monotonic;
	pthread_condattr_init(&by_monotonic);
	pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&u->wake, &by_monotonic);
	pthread_condattr_destroy(&by_monotonic);
	map_init(&u->fresh);
	map_init(&u->leaving);
	bus_subscribe(cloud->bus, BUS_DONE, "call", on_call, u);
	INVARIANT(pthread_create(&u->thread, NULL, run, u) == 0);
	return u;
}

void iam_usage_free(struct usage *u)
{
	if (!u) return;
	pthread_mutex_lock(&u->lock);
	u->stopping = true;
	pthread_cond_signal(&u->wake);
	pthread_mutex_unlock(&u->lock);
	pthread_join(u->thread, NULL);
	flush(u);
	map_cleanup(&u->fresh, free);
	map_cleanup(&u->leaving, free);
	pthread_cond_destroy(&u->wake);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

void iam_usage_forget(struct usage *u)
{
	pthread_mutex_lock(&u->lock);
	map_cleanup(&u->fresh, free);
	map_init(&u->fresh);
	pthread_mutex_unlock(&u->lock);
}

/* ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static status read_key(struct call *c, struct str key, bool of_key, struct iam_use *out)
{
	struct str word, rest = key;
	*out = (struct iam_use){0};
	for (int i = of_key ? 3 : 5; i > 0; i--) TRY(key_read_str(c->arena, &rest, &word));
	TRY(key_read_str(c->arena, &rest, &out->service));
	if (!of_key) TRY(key_read_str(c->arena, &rest, &out->action));
	out->service = str_dup(c->arena, out->service);
	out->action = str_dup(c->arena, out->action);
	return OK;
}

static void merge(struct call *c, struct iam_uses *out, size_t *capacity, const struct iam_use *use)
{
	for (size_t i = 0; i < out->n; i++) {
		struct iam_use *o = &out->v[i];
		if (!str_eq(o->service, use->service) ||
			!str_eq(str_or(o->action, STR("")), str_or(use->action, STR(""))))
			continue;
		if (use->at_ms >= o->at_ms) *o = *use;
		return;
	}
	*VEC_PUSH(c->arena, out, capacity) = *use;
}

static void from_memory(
	struct call *c, const struct map *m, struct str prefix, bool of_key, struct iam_uses *out, size_t *capacity)
{
	for (struct map_entry *e = NULL; (e = map_next(m, e));) {
		const struct note *n = e->value;
		struct iam_use use;
		if (!str_starts(e->key, prefix) || !is_ok(read_key(c, e->key, of_key, &use))) continue;
		use.at_ms = n->at_ms;
		use.region = str_dup(c->arena, str_c(n->region));
		merge(c, out, capacity, &use);
	}
}

static void collect(struct call *c, struct str prefix, bool of_key, struct iam_uses *out)
{
	struct usage *u = ((struct iam_state *)c->state)->usage;
	size_t capacity = 0;
	struct store_scan *scan = store_scan_begin(c->tx, prefix, key_after(c->arena, prefix), false);
	struct str key, value;
	while (store_scan_next(scan, &key, &value)) {
		struct iam_rec_usage r = {0};
		struct iam_use use;
		if (!is_ok(iam_rec_usage_decode(c->arena, str_dup(c->arena, value), &r)) ||
			!is_ok(read_key(c, key, of_key, &use)))
			continue;
		use.at_ms = r.at.ms;
		use.region = r.region;
		merge(c, out, &capacity, &use);
	}
	if (!is_ok(store_scan_end(scan))) log_warn("iam", "usage-unreadable", "request=%.*s", STR_ARG(c->request_id));
	pthread_mutex_lock(&u->lock);
	from_memory(c, &u->leaving, prefix, of_key, out, &capacity);
	from_memory(c, &u->fresh, prefix, of_key, out, &capacity);
	pthread_mutex_unlock(&u->lock);
}

void iam_uses_of(struct call *c, struct str arn, struct iam_uses *out)
{
	*out = (struct iam_uses){0};
	collect(c, usage_key(c->arena, c->account, arn, STR_NONE, STR_NONE), false, out);
}

static const struct iam_use *latest(const struct iam_uses *uses)
{
	const struct iam_use *best = NULL;
	for (size_t i = 0; i < uses->n; i++)
		if (!best || uses->v[i].at_ms > best->at_ms) best = &uses->v[i];
	return best;
}

void iam_last_used(struct call *c, struct str arn, struct opt_time *at, struct str *region)
{
	struct iam_uses uses;
	iam_uses_of(c, arn, &uses);
	const struct iam_use *best = latest(&uses);
	if (!best) return;
	*at = SOME_TIME(best->at_ms);
	*region = best->region;
}

void iam_key_last_used(struct call *c, struct str id, struct iam_access_key_last_used *out)
{
	struct iam_uses uses = {0};
	collect(c, used_key(c->arena, id, STR_NONE), true, &uses);
	const struct iam_use *best = latest(&uses);
	out->service_name = best ? best->service : STR("N/A");
	out->region = best ? best->region : STR("N/A");
	if (best) out->last_used_date = SOME_TIME(best->at_ms);
}
