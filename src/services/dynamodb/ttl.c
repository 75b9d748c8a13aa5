/* Time to live: items whose attribute names a second that has passed are deleted in the background, on virtual time.
 * Expiries are kept in order beside the items, so that finding what is due is one short scan; a job looks every minute.
 * "Items with a time older than five years are not deleted." */
#include "base/log.h"
#include "services/dynamodb/service.h"

static const char ttl_kind[] = "dynamodb.ttl";
enum { LOOK_EVERY_MS = 60 * 1000, AT_ONCE = 64, FILL_AT_ONCE = 256 };

struct str ddb_ttl_prefix(struct arena *a, uint64_t table_id)
{
	struct key k = ddb_key(a, "ttl");
	key_u64(&k, table_id);
	return key_done(&k);
}

bool ddb_expiry(const struct table *t, const struct value *item, int64_t *seconds)
{
	const struct value *v =
		str_has(t->record.ttl_attribute) && item ? ddb_get(item, t->record.ttl_attribute) : NULL;
	return v && v->type == V_N && ddb_number_to_i64(value_str(v), seconds) && *seconds > 0;
}

static struct str entry_key(struct arena *a, const struct table *t, int64_t seconds, struct str key)
{
	struct key k = key_begin(a);
	key_append(&k, ddb_ttl_prefix(a, t->id));
	key_i64(&k, seconds);
	key_append(&k, key);
	return key_done(&k);
}

void ddb_ttl_write(
	struct work *w, const struct table *t, struct str key, const struct value *old, const struct value *new)
{
	int64_t was = 0, is = 0;
	if (!str_has(t->record.ttl_attribute)) return;
	bool had = ddb_expiry(t, old, &was), has = ddb_expiry(t, new, &is);
	if (had && has && was == is) return;
	if (had) store_delete(w->tx, entry_key(w->a, t, was, key));
	if (has) store_put(w->tx, entry_key(w->a, t, is, key), STR(""));
}

/* ── the job ── */

/* One transaction of its own; fn says how far it came. */
struct step {
	struct ddb *d;
	struct dynamodb_rec_chore *chore;
	int64_t now_s;
	struct str from; /* on the heap of the step's arena; where to go on */
	bool more;
};

static status fill(struct work *w, struct table *t, struct step *s)
{
	struct str from = str_has(s->from) ? s->from : t->item_prefix, key, bytes, keys[FILL_AT_ONCE];
	struct store_scan *scan = store_scan_begin(w->tx, from, key_after(w->a, t->item_prefix), false);
	size_t n = 0;
	while (n < FILL_AT_ONCE && store_scan_next(scan, &key, &bytes)) keys[n++] = str_dup(w->a, key);
	TRY(store_scan_end(scan));
	for (size_t i = 0; i < n; i++) {
		struct value item;
		TRY(ddb_read_item(w, keys[i], true, &item));
		ddb_ttl_write(w, t, keys[i], NULL, &item);
	}
	s->more = n == FILL_AT_ONCE;
	if (n) s->from = key_next(w->a, keys[n - 1]);
	return OK;
}

static status expire(struct work *w, struct table *t, struct step *s)
{
	struct str prefix = ddb_ttl_prefix(w->a, t->id), key, bytes, found[AT_ONCE];
	struct key last = key_begin(w->a);
	key_append(&last, prefix);
	key_i64(&last, s->now_s + 1);
	struct store_scan *scan = store_scan_begin(w->tx, prefix, key_done(&last), false);
	size_t n = 0;
	while (n < AT_ONCE && store_scan_next(scan, &key, &bytes)) found[n++] = str_dup(w->a, key);
	TRY(store_scan_end(scan));
	for (size_t i = 0; i < n; i++) {
		struct str rest = str_from(found[i], prefix.n), item_key;
		struct value item;
		int64_t told = 0, now = 0;
		TRY(key_read_i64(&rest, &told));
		item_key = rest;
		store_delete(w->tx, found[i]);
		status r = ddb_read_item(w, item_key, true, &item);
		if (status_is(r, STATUS_NOT_FOUND)) continue;
		TRY(r);
		bool due = ddb_expiry(t, &item, &now) && now == told && told > s->now_s - INT64_C(5) * 365 * 86400;
		if (!due) continue;
		TRY(ddb_write_item(w, t, item_key, &item, NULL, true, NULL));
		ddb_metric(w->d->cloud, &t->record, NULL, "TimeToLiveDeletedItemCount", 1, s->now_s * 1000);
	}
	s->more = n == AT_ONCE;
	return OK;
}

/* Steps until there is no more, each in a transaction of its own. NOT_FOUND: the table, or its time to live, is gone.
 */
static status run(struct step *s, struct arena *keep, status (*fn)(struct work *, struct table *, struct step *))
{
	struct arena a;
	arena_init(&a);
	status r = OK;
	do {
		arena_reset(&a);
		struct work w = {.a = &a, .d = s->d, .tx = store_begin(s->d->cloud->store, &a, false)};
		struct table *t;
		store_ticket ticket;
		r = ddb_find(&w, s->chore->account, s->chore->region, s->chore->table, &t);
		if (is_ok(r) && (t->id != (uint64_t)s->chore->id.v || !str_has(t->record.ttl_attribute)))
			r = STATUS(NOT_FOUND);
		struct step before = *s;
		if (is_ok(r)) r = fn(&w, t, s);
		if (is_ok(r)) r = store_commit(w.tx, &ticket);
		store_end(w.tx);
		r = work_end(&w, r);
		if (status_is(r, STATUS_CONFLICT)) {
			*s = before;
			s->more = true;
			r = OK;
		} else {
			s->from = str_dup(keep, s->from);
		}
	} while (is_ok(r) && s->more);
	arena_cleanup(&a);
	return r;
}

static status job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *j, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct dynamodb_rec_chore chore = {0};
	TRY(dynamodb_rec_chore_decode(a, j->payload, &chore));
	int64_t now = clock_now(d->cloud->clock);
	struct step s = {.d = d, .chore = &chore, .now_s = now / 1000, .more = true};
	if (!chore.stage.v) {
		status filled = run(&s, a, fill);
		if (status_is(filled, STATUS_NOT_FOUND)) return OK;
		TRY(filled);
	}
	s.more = true;
	status r = run(&s, a, expire);
	if (status_is(r, STATUS_NOT_FOUND)) return OK;
	TRY(r);
	if (!chore.stage.v) {
		chore.stage = SOME_I64(1);
		jobs_schedule(tx, &(struct job){.kind = j->kind,
					  .id = j->id,
					  .due_ms = now + LOOK_EVERY_MS,
					  .payload = dynamodb_rec_chore_encode(a, &chore)});
	}
	*again_ms = now + LOOK_EVERY_MS;
	return OK;
}

void ddb_ttl_begin(struct work *w, const struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_chore chore = {.account = r->account, .region = r->region, .table = r->name, .id = r->id};
	jobs_schedule(w->tx, &(struct job){.kind = str_c(ttl_kind),
				     .id = str_fmt(w->a, "%llx", (unsigned long long)r->id.v),
				     .due_ms = w->c->now_ms,
				     .payload = dynamodb_rec_chore_encode(w->a, &chore)});
}

void ddb_ttl_jobs(struct ddb *d)
{
	jobs_register(d->cloud->jobs, ttl_kind, job, d);
}
