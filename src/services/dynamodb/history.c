/* See history.h. Records: (dynamodb, history, table id, hash, key [, sort key], second) -> the stored item, "" for
 * none. Of a hot item one copy is kept per second, whatever its rate ("Point-in-time recovery: to any second"). */
#include "services/dynamodb/history.h"

static const char trim_kind[] = "dynamodb.history";
enum { SECOND_BYTES = 9, TRIM_AT_ONCE = 1000, DAYS_MAX = 35 };
static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

struct str ddb_history_prefix(struct arena *a, uint64_t table_id)
{
	struct key k = ddb_key(a, "history");
	key_u64(&k, table_id);
	return key_done(&k);
}

status ddb_history_write(struct work *w, const struct table *t, struct str key, const struct value *old)
{
	/* One second for all that a transaction changes, so that no instant lies within it. Its first read is behind,
	 * and what it reads is validated: an earlier change of the same item has an earlier or the same second. */
	if (!w->second) w->second = clock_now(w->d->cloud->clock) / 1000;
	struct key k = key_begin(w->a);
	struct str there;
	key_append(&k, ddb_history_prefix(w->a, t->id));
	key_append(&k, str_from(key, t->item_prefix.n));
	key_i64(&k, w->second);
	status s = store_get(w->tx, key_done(&k), &there);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	store_put(w->tx, key_done(&k), old ? ddb_item_store(w->a, old) : STR(""));
	return OK;
}

/* ── reading ── */

struct side {
	struct store_scan *scan;
	struct str key, value, rest;
	int64_t second;
	bool there;
};

static void next_item(struct side *s, size_t prefix)
{
	s->there = store_scan_next(s->scan, &s->key, &s->value);
	if (s->there) s->rest = str_from(s->key, prefix);
}

static void next_record(struct side *s, size_t prefix)
{
	while ((s->there = store_scan_next(s->scan, &s->key, &s->value))) {
		if (s->key.n < prefix + SECOND_BYTES) continue;
		s->rest = str_sub(s->key, prefix, s->key.n - prefix - SECOND_BYTES);
		struct str second = str_from(s->key, s->key.n - SECOND_BYTES);
		if (is_ok(key_read_i64(&second, &s->second))) return;
	}
}

static status read_both(struct side *items, struct side *history, size_t items_prefix, size_t history_prefix,
	struct arena *a, int64_t from_s, int64_t to_s, past_fn fn, void *ctx)
{
	next_item(items, items_prefix);
	next_record(history, history_prefix);
	while (items->there || history->there) {
		arena_reset(a);
		int order = !history->there ? -1 : !items->there ? 1 : str_cmp(items->rest, history->rest);
		struct str rest = str_dup(a, order <= 0 ? items->rest : history->rest);
		struct str now = order <= 0 ? str_dup(a, items->value) : STR("");
		struct past p = {.from = now, .to = now};
		bool from_known = false, to_known = false;
		while (history->there && str_eq(history->rest, rest)) {
			bool at_from = !from_known && history->second >= from_s;
			bool at_to = !to_known && history->second >= to_s;
			struct str was = at_from || at_to ? str_dup(a, history->value) : STR("");
			if (at_from) p.from = was;
			if (at_to) p.to = was;
			from_known |= at_from;
			to_known |= at_to;
			if (history->second >= from_s && history->second < to_s) p.changed_s = history->second;
			next_record(history, history_prefix);
		}
		if (order <= 0) next_item(items, items_prefix);
		if (p.from.n || p.to.n || p.changed_s) TRY(fn(ctx, &p));
	}
	return OK;
}

status ddb_history_read(struct work *w, const struct table *t, int64_t from_s, int64_t to_s, past_fn fn, void *ctx)
{
	struct str records = ddb_history_prefix(w->a, t->id);
	struct side items = {.scan = store_scan_begin(w->tx, t->item_prefix, key_after(w->a, t->item_prefix), false)};
	struct side history = {.scan = store_scan_begin(w->tx, records, key_after(w->a, records), false)};
	struct arena a;
	arena_init(&a);
	status s = read_both(&items, &history, t->item_prefix.n, records.n, &a, from_s, to_s, fn, ctx);
	arena_cleanup(&a);
	status one = store_scan_end(items.scan), other = store_scan_end(history.scan);
	TRY(s);
	TRY(one);
	return other;
}

bool ddb_history_range(const struct dynamodb_rec_table *r, int64_t now_ms, int64_t *first_s, int64_t *last_s)
{
	if (!r->pitr_since.has) return false;
	int64_t days = r->pitr_days.has ? r->pitr_days.v : DAYS_MAX, horizon = now_ms - days * DAY_MS;
	/* Within the second of switching on, earlier changes may have gone unnoted. */
	int64_t since_s = r->pitr_since.v / 1000 + 1;
	*first_s = horizon / 1000 + 1 > since_s ? horizon / 1000 + 1 : since_s;
	*last_s = now_ms / 1000;
	if (*last_s < *first_s) *last_s = *first_s;
	return true;
}

/* ── forgetting ── */

static void schedule(struct work *w, const struct dynamodb_rec_chore *chore, const char *suffix, int64_t due_ms)
{
	jobs_schedule(w->tx, &(struct job){.kind = str_c(trim_kind),
				     .id = str_fmt(w->a, "%llx%s", (unsigned long long)chore->id.v, suffix),
				     .due_ms = due_ms,
				     .payload = dynamodb_rec_chore_encode(w->a, chore)});
}

void ddb_history_begin(struct work *w, const struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_chore chore = {.account = r->account, .region = r->region, .table = r->name, .id = r->id};
	schedule(w, &chore, "", w->c->now_ms + DAY_MS);
}

void ddb_history_drop(struct work *w, const struct dynamodb_rec_table *r)
{
	/* Up to this second: what is noted after it belongs to a recovery that is switched on again. */
	struct dynamodb_rec_chore chore = {.id = r->id, .stage = SOME_I64(w->c->now_ms / 1000 + 1)};
	schedule(w, &chore, ".all", w->c->now_ms);
}

/* Records before this second go, in transactions of their own. */
static status forget(struct ddb *d, uint64_t table_id, int64_t before_s)
{
	struct arena a;
	struct str from = STR_NONE;
	bool more = true;
	status s = OK;
	arena_init(&a);
	struct arena keep;
	arena_init(&keep);
	while (is_ok(s) && more) {
		arena_reset(&a);
		struct store_tx *tx = store_begin(d->cloud->store, &a, false);
		struct str prefix = ddb_history_prefix(&a, table_id);
		struct side h = {
			.scan = store_scan_begin(tx, str_has(from) ? from : prefix, key_after(&a, prefix), false)};
		size_t n = 0, looked = 0;
		store_ticket ticket;
		struct str last = STR_NONE;
		while (n < TRIM_AT_ONCE && looked < 64 * TRIM_AT_ONCE) {
			next_record(&h, prefix.n);
			if (!h.there) break;
			looked++;
			if (h.second >= before_s) continue;
			last = str_dup(&a, h.key);
			store_delete(tx, last);
			n++;
		}
		more = h.there;
		if (more) {
			struct str next = key_next(&a, h.key);
			arena_reset(&keep);
			from = str_dup(&keep, next);
		}
		s = store_scan_end(h.scan);
		if (is_ok(s) && n) s = store_commit(tx, &ticket);
		store_end(tx);
		if (status_is(s, STATUS_CONFLICT)) s = OK, more = true, from = STR_NONE;
	}
	arena_cleanup(&keep);
	arena_cleanup(&a);
	return s;
}

static status trim(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct dynamodb_rec_chore chore = {0};
	TRY(dynamodb_rec_chore_decode(a, job->payload, &chore));
	if (chore.stage.has) return forget(d, (uint64_t)chore.id.v, chore.stage.v);
	struct work w = {.a = a, .d = d, .tx = tx};
	struct table *t;
	int64_t now = clock_now(d->cloud->clock), first = 0, last = 0;
	status s = ddb_find(&w, chore.account, chore.region, chore.table, &t);
	bool kept = is_ok(s) && t->id == (uint64_t)chore.id.v && ddb_history_range(&t->record, now, &first, &last);
	s = work_end(&w, status_is(s, STATUS_NOT_FOUND) ? OK : s);
	if (!is_ok(s) || !kept) return s;
	TRY(forget(d, (uint64_t)chore.id.v, first));
	*again_ms = now + DAY_MS;
	return OK;
}

void ddb_history_jobs(struct ddb *d)
{
	jobs_register(d->cloud->jobs, trim_kind, trim, d);
}
