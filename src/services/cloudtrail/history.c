/* The event history: management events of 90 days in each account and region, with an index for each attribute that
 * LookupEvents finds by ("Working with CloudTrail Event history"). A job for each day drops what is older. */
#include "services/cloudtrail/room.h"

enum { PURGE_AT_ONCE = 500 };
static const char purge_kind[] = "cloudtrail.purge";

struct str ct_history_space(struct arena *a, struct str account, struct str region)
{
	struct key k = key_for(a, STR("cloudtrail"), STR("event"), account, region);
	return key_done(&k);
}

struct str ct_history_event(struct arena *a, struct str account, struct str region, int64_t ms, struct str id)
{
	struct key k = key_for(a, STR("cloudtrail"), STR("event"), account, region);
	key_i64(&k, ms);
	key_str(&k, id);
	return key_done(&k);
}

struct str ct_history_by(struct arena *a, struct str account, struct str region, struct str attribute, struct str value)
{
	struct key k = key_for(a, STR("cloudtrail"), STR("by"), account, region);
	key_str(&k, attribute);
	key_str(&k, value);
	return key_done(&k);
}

struct indexing {
	struct store_tx *tx;
	struct arena *a;
	const struct cloudtrail_rec_event *e;
	bool drop;
};

static void index_one(const struct indexing *x, const char *attribute, struct str value)
{
	if (!str_has(value) || !value.n) return;
	struct key k = key_begin(x->a);
	key_append(&k, ct_history_by(x->a, x->e->account, x->e->region, str_c(attribute), value));
	key_i64(&k, x->e->time.ms);
	key_str(&k, x->e->id);
	if (x->drop)
		store_delete(x->tx, key_done(&k));
	else
		store_put(x->tx, key_done(&k), STR(""));
}

/* ReadOnly is no selective attribute: LookupEvents filters by it. */
static void index_all(const struct indexing *x)
{
	const struct cloudtrail_rec_event *e = x->e;
	index_one(x, "EventId", e->id);
	index_one(x, "EventName", e->name);
	index_one(x, "EventSource", e->source);
	index_one(x, "Username", e->username);
	index_one(x, "AccessKeyId", e->access_key);
	for (size_t i = 0; i < e->resources.n; i++) {
		index_one(x, "ResourceName", e->resources.v[i].name);
		index_one(x, "ResourceType", e->resources.v[i].type);
	}
}

static struct str day_key(struct arena *a, int64_t day, struct str account, struct str region)
{
	struct key k = key_for(a, STR("cloudtrail"), STR("day"), account, region);
	key_i64(&k, day);
	return key_done(&k);
}

/* The first event of a day schedules the day's end. */
static void note_day(struct store_tx *tx, struct arena *a, const struct cloudtrail_rec_event *e)
{
	int64_t day = e->time.ms / CT_DAY_MS;
	struct str key = day_key(a, day, e->account, e->region), there;
	if (is_ok(store_peek(tx, key, &there))) return;
	store_put(tx, key, STR(""));
	struct key payload = key_begin(a);
	key_i64(&payload, day);
	key_str(&payload, e->account);
	key_str(&payload, e->region);
	struct job job = {.kind = str_c(purge_kind),
		.id = str_fmt(a, "%.*s/%.*s/%lld", STR_ARG(e->account), STR_ARG(e->region), (long long)day),
		.due_ms = (day + CT_HISTORY_DAYS + 1) * CT_DAY_MS,
		.payload = key_done(&payload)};
	jobs_schedule(tx, &job);
}

void ct_history_put(struct store_tx *tx, struct arena *a, const struct cloudtrail_rec_event *e)
{
	struct indexing x = {tx, a, e, false};
	store_put(tx, ct_history_event(a, e->account, e->region, e->time.ms, e->id), cloudtrail_rec_event_encode(a, e));
	index_all(&x);
	note_day(tx, a, e);
}

/* ── the purge ── */

/* Drops events of one account and region from before `until`. *more: there are others. */
static status purge(
	struct store_tx *tx, struct arena *a, struct str account, struct str region, int64_t until, bool *more)
{
	struct str from = ct_history_space(a, account, region),
		   to = ct_history_event(a, account, region, until, STR("")), key, value;
	size_t n = 0;
	struct store_scan *scan = store_scan_begin(tx, from, to, false);
	while (n < PURGE_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct cloudtrail_rec_event e = {0};
		if (is_ok(cloudtrail_rec_event_decode(a, str_dup(a, value), &e))) {
			struct indexing x = {tx, a, &e, true};
			index_all(&x);
		}
		store_delete(tx, str_dup(a, key));
		n++;
	}
	*more = n == PURGE_AT_ONCE;
	return store_scan_end(scan);
}

static status run_purge(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct ct *ct = ctx;
	struct str rest = job->payload, account, region;
	int64_t day;
	bool more = false;
	TRY(key_read_i64(&rest, &day));
	TRY(key_read_str(a, &rest, &account));
	TRY(key_read_str(a, &rest, &region));
	TRY(purge(tx, a, account, region, (day + 1) * CT_DAY_MS, &more));
	if (more)
		*again_ms = clock_now(ct->cloud->clock);
	else
		store_delete(tx, day_key(a, day, account, region));
	return OK;
}

void ct_history_start(struct ct *ct)
{
	jobs_register(ct->cloud->jobs, purge_kind, run_purge, ct);
}
