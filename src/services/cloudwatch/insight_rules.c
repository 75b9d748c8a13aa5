/* See insights.h. Of a minute, the thousand that contributed most are kept for 15 days, with the sum and the number of
 * all. In memory a rule has room for 20,000 contributors a minute; those that come later are in the sum only
 * ("approximate"). */
#include "services/cloudwatch/insight_rules.h"
#include "base/log.h"
#include "base/map.h"
#include <pthread.h>
#include <stdlib.h>

enum {
	MINUTE_MS = 60000,
	CONTRIBUTORS_MAX = 20000,
	KEPT_MAX = 1000,
	COUNTERS_MAX = 2000,
	KEEP_DAYS = 15,
	PURGE_MAX = 2000,
};

struct contributor {
	struct str keys; /* encoded as a key's elements; behind it */
	double value;
};
/* One rule's minute. */
struct counter {
	struct str prefix; /* the encoded key of its minutes */
	int64_t at_ms;
	struct map contributors;
	double sum, least, most;
	uint64_t samples;
};
struct cw_insights {
	struct cloud *cloud;
	pthread_mutex_t lock;
	struct map counters;
	int64_t purged_hour;
	uint64_t sequence;
};

static struct str rule_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name)
{
	struct key k = key_begin(a);
	key_append(&k, cw_key(a, kind, account, region));
	key_str(&k, name);
	return key_done(&k);
}

struct str cw_insight_rule_key(struct arena *a, struct str account, struct str region, struct str name)
{
	return rule_key(a, "insight-rule", account, region, name);
}

struct str cw_insight_minutes_key(struct arena *a, struct str account, struct str region, struct str name)
{
	return rule_key(a, "insight", account, region, name);
}

void insights_rule_put(struct store_tx *tx, struct arena *a, const struct insight_rule *r, int64_t now_ms)
{
	struct cloudwatch_rec_insight_rule rec = {
		.name = r->name, .definition = r->definition, .created = SOME_TIME(now_ms)};
	size_t capacity = 0;
	for (size_t i = 0; i < r->n_labels; i++) *VEC_PUSH(a, &rec.labels, &capacity) = r->labels[i];
	store_put(tx, cw_insight_rule_key(a, r->account, r->region, r->name),
		cloudwatch_rec_insight_rule_encode(a, &rec));
}

void insights_rule_drop(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name)
{
	store_delete(tx, cw_insight_rule_key(a, account, region, name));
}

/* ── counting ── */

static void counter_free(void *p)
{
	struct counter *n = p;
	map_cleanup(&n->contributors, free);
	free(n);
}

static struct counter *new_counter(struct str prefix, int64_t at_ms, double value)
{
	struct counter *n = mem_new(sizeof(*n) + prefix.n);
	char *p = (char *)(n + 1);
	memcpy(p, prefix.p, prefix.n);
	n->prefix = str_n(p, prefix.n);
	n->at_ms = at_ms;
	n->least = n->most = value;
	map_init(&n->contributors);
	return n;
}

static void count(struct counter *n, struct str keys, double value)
{
	n->sum += value;
	n->samples++;
	if (value < n->least) n->least = value;
	if (value > n->most) n->most = value;
	struct contributor *k = map_get(&n->contributors, keys);
	if (!k && n->contributors.count < CONTRIBUTORS_MAX) {
		k = mem_new(sizeof(*k) + keys.n);
		char *p = (char *)(k + 1);
		memcpy(p, keys.p, keys.n);
		k->keys = str_n(p, keys.n);
		map_set(&n->contributors, k->keys, k);
	}
	if (k) k->value += value;
}

void insights_note(struct cloud *cloud, struct str account, struct str region, struct str rule, const struct str *keys,
	size_t n_keys, double value, int64_t at_ms)
{
	struct cw_insights *x = cw_insights_of(cloud);
	if (!x || value <= 0 || !n_keys) return;
	struct arena a;
	arena_init(&a);
	struct str prefix = cw_insight_minutes_key(&a, account, region, rule);
	struct key contributor = key_begin(&a), minute = key_begin(&a);
	for (size_t i = 0; i < n_keys; i++) key_str(&contributor, keys[i]);
	at_ms -= at_ms % MINUTE_MS;
	key_i64(&minute, at_ms);
	key_append(&minute, prefix);
	struct str of = key_done(&minute);
	pthread_mutex_lock(&x->lock);
	struct counter *n = map_get(&x->counters, of);
	if (!n && x->counters.count < COUNTERS_MAX) {
		n = new_counter(prefix, at_ms, value);
		map_set(&x->counters, of, n);
	}
	if (n) count(n, key_done(&contributor), value);
	pthread_mutex_unlock(&x->lock);
	arena_cleanup(&a);
}

/* ── writing ── */

static int by_value(const void *p, const void *q)
{
	const struct contributor *const *x = p, *const *y = q;
	if ((*x)->value != (*y)->value) return (*x)->value > (*y)->value ? -1 : 1;
	return str_cmp((*x)->keys, (*y)->keys);
}

static struct str minute_of(struct arena *a, const struct counter *n)
{
	struct cloudwatch_rec_insight_minute r = {.sum = SOME_F64(n->sum),
		.samples = SOME_I64((int64_t)n->samples),
		.unique = SOME_I64((int64_t)n->contributors.count),
		.least = SOME_F64(n->least),
		.most = SOME_F64(n->most)};
	const struct contributor **v = arena_new_n(a, const struct contributor *, n->contributors.count + 1);
	size_t count = 0, capacity = 0;
	for (struct map_entry *e = NULL; (e = map_next(&n->contributors, e));) v[count++] = e->value;
	qsort(v, count, sizeof(*v), by_value);
	for (size_t i = 0; i < count && i < KEPT_MAX; i++)
		*VEC_PUSH(a, &r.contributors, &capacity) =
			(struct cloudwatch_rec_contribution){v[i]->keys, SOME_F64(v[i]->value)};
	return cloudwatch_rec_insight_minute_encode(a, &r);
}

/* Blind writes under keys of their own: a minute may be written in several parts. */
static void write_counters(struct cw_insights *x)
{
	struct map counters, empty;
	map_init(&empty);
	pthread_mutex_lock(&x->lock);
	counters = x->counters;
	x->counters = empty;
	pthread_mutex_unlock(&x->lock);
	if (counters.count) {
		struct arena a;
		store_ticket ticket;
		arena_init(&a);
		struct store_tx *tx = store_begin(x->cloud->store, &a, false);
		for (struct map_entry *e = NULL; (e = map_next(&counters, e));) {
			const struct counter *n = e->value;
			struct key k = key_begin(&a);
			key_append(&k, n->prefix);
			key_i64(&k, n->at_ms);
			key_u64(&k, (uint64_t)clock_monotonic_us());
			key_u64(&k, x->sequence++);
			store_put(tx, key_done(&k), minute_of(&a, n));
		}
		status s = store_commit(tx, &ticket);
		if (!is_ok(s))
			log_warn("cloudwatch", "insights_lost", "n=%zu status=%s", counters.count, status_name(s));
		store_end(tx);
		arena_cleanup(&a);
	}
	map_cleanup(&counters, counter_free);
}

/* What is older than it is kept, and what rules have left that are gone. True while there is more. */
static bool purge(struct cw_insights *x, int64_t now_ms)
{
	struct arena a;
	arena_init(&a);
	struct store_tx *tx = store_begin(x->cloud->store, &a, false);
	struct key all = key_begin(&a);
	key_str(&all, STR("cloudwatch"));
	key_str(&all, STR("insight"));
	struct str from = key_done(&all), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(&a, from), false);
	size_t n = 0;
	while (n < PURGE_MAX && store_scan_next(scan, &key, &value)) {
		struct str whole = str_dup(&a, key), rest = str_from(whole, from.n), account, region, name, rule;
		int64_t at_ms;
		if (!is_ok(key_read_str(&a, &rest, &account)) || !is_ok(key_read_str(&a, &rest, &region)) ||
			!is_ok(key_read_str(&a, &rest, &name)) || !is_ok(key_read_i64(&rest, &at_ms)))
			break;
		bool there = is_ok(store_peek(tx, cw_insight_rule_key(&a, account, region, name), &rule));
		if (!there || at_ms < now_ms - KEEP_DAYS * CW_DAY_MS) {
			store_delete(tx, whole);
			n++;
			continue;
		}
		store_scan_seek(scan, key_after(&a, cw_insight_minutes_key(&a, account, region, name)));
	}
	status s = store_scan_end(scan);
	store_ticket ticket;
	if (is_ok(s) && n) s = store_commit(tx, &ticket);
	store_end(tx);
	arena_cleanup(&a);
	return is_ok(s) && n == PURGE_MAX;
}

void cw_insights_flush(struct cw_insights *x, int64_t now_ms)
{
	write_counters(x);
	if (now_ms / 3600000 == x->purged_hour) return;
	x->purged_hour = now_ms / 3600000;
	while (purge(x, now_ms)) {
	}
}

/* ── life ── */

struct cw_insights *cw_insights_new(struct cloud *cloud)
{
	struct cw_insights *x = mem_new(sizeof(*x));
	x->cloud = cloud;
	pthread_mutex_init(&x->lock, NULL);
	map_init(&x->counters);
	return x;
}

void cw_insights_reset(struct cw_insights *x)
{
	pthread_mutex_lock(&x->lock);
	map_cleanup(&x->counters, counter_free);
	map_init(&x->counters);
	pthread_mutex_unlock(&x->lock);
}

void cw_insights_free(struct cw_insights *x)
{
	write_counters(x);
	map_cleanup(&x->counters, counter_free);
	pthread_mutex_destroy(&x->lock);
	free(x);
}
