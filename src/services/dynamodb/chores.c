/* Durable jobs over a table: fill a new index, remove what a deleted table or index leaves. Each works in small
 * transactions of its own and begins anew after a crash; what it does twice comes to the same. */
#include "services/dynamodb/history.h"

static const char backfill_kind[] = "dynamodb.backfill", purge_kind[] = "dynamodb.purge";
enum {
	PURGE_AT_ONCE = 1000,
	CONFLICTS_MAX = 1000,
	/* stages: */ PURGE_BACKUP = 1,
	PURGE_BESIDE,
	PURGE_ITEMS
};
/* What a copy wrote before it came to its end goes when nobody can still be at it. */
static const int64_t ORPHAN_MS = INT64_C(24) * 3600 * 1000;

/* ── backfill ── */

static const struct index *index_by_id(const struct table *t, uint64_t id)
{
	for (size_t i = 0; i < t->n_indexes; i++)
		if (t->indexes[i].id == id) return &t->indexes[i];
	return NULL;
}

static status fill(struct work *w, const struct dynamodb_rec_chore *chore, struct str *from, bool *more)
{
	struct table *t;
	struct str key, bytes, keys[DDB_FILL_AT_ONCE];
	TRY(ddb_find(w, chore->account, chore->region, chore->table, &t));
	const struct index *x = t->id == (uint64_t)chore->id.v ? index_by_id(t, (uint64_t)chore->index.v) : NULL;
	if (!x) return STATUS(NOT_FOUND);
	struct store_scan *scan = store_scan_begin(
		w->tx, str_has(*from) ? *from : t->item_prefix, key_after(w->a, t->item_prefix), false);
	size_t n = 0;
	while (n < DDB_FILL_AT_ONCE && store_scan_next(scan, &key, &bytes)) keys[n++] = str_dup(w->a, key);
	TRY(store_scan_end(scan));
	for (size_t i = 0; i < n; i++) {
		struct value item;
		/* Validated: a writer that changes it meanwhile has written the entry already. */
		TRY(ddb_read_item(w, keys[i], true, &item));
		ddb_write_entry(w, t, x, NULL, &item, NULL);
	}
	*more = n == DDB_FILL_AT_ONCE;
	if (n) *from = key_next(w->a, keys[n - 1]);
	return OK;
}

status ddb_fill_all(struct ddb *d, struct arena *keep, const struct dynamodb_rec_chore *chore, ddb_fill *step)
{
	struct arena a;
	struct str from = STR_NONE;
	bool more = true;
	status s = OK;
	arena_init(&a);
	for (unsigned conflicts = 0; is_ok(s) && more;) {
		arena_reset(&a);
		struct work w = {.a = &a, .d = d, .tx = store_begin(d->cloud->store, &a, false)};
		struct str next = from;
		store_ticket ticket;
		s = step(&w, chore, &next, &more);
		if (is_ok(s)) s = store_commit(w.tx, &ticket);
		store_end(w.tx);
		s = work_end(&w, s);
		if (is_ok(s)) {
			from = str_dup(keep, next);
		} else if (status_is(s, STATUS_CONFLICT) && conflicts++ < CONFLICTS_MAX) {
			more = true;
			s = OK;
		}
	}
	arena_cleanup(&a);
	return s;
}

static status backfill(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct dynamodb_rec_chore chore = {0};
	(void)again_ms;
	TRY(dynamodb_rec_chore_decode(a, job->payload, &chore));
	status s = ddb_fill_all(d, a, &chore, fill);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* the table or the index went */
	TRY(s);
	struct work w = {.a = a, .d = d, .tx = tx};
	struct table *t;
	s = ddb_find(&w, chore.account, chore.region, chore.table, &t);
	if (is_ok(s) && t->id == (uint64_t)chore.id.v) {
		struct dynamodb_rec_table r = ddb_edit(t);
		r.indexes.v = arena_copy(a, r.indexes.v, r.indexes.n * sizeof(*r.indexes.v));
		for (size_t i = 0; i < r.indexes.n; i++)
			if (r.indexes.v[i].id.v == chore.index.v) r.indexes.v[i].status = STR("ACTIVE");
		ddb_put_table(&w, &r);
	}
	return work_end(&w, status_is(s, STATUS_NOT_FOUND) ? OK : s);
}

void ddb_backfill(struct work *w, const struct dynamodb_rec_table *r, uint64_t index_id)
{
	struct dynamodb_rec_chore chore = {.account = r->account,
		.region = r->region,
		.table = r->name,
		.id = r->id,
		.index = SOME_I64((int64_t)index_id)};
	jobs_schedule(w->tx,
		&(struct job){.kind = str_c(backfill_kind),
			.id = str_fmt(w->a, "%llx.%llx", (unsigned long long)r->id.v, (unsigned long long)index_id),
			.due_ms = w->c->now_ms,
			.payload = dynamodb_rec_chore_encode(w->a, &chore)});
}

/* ── purge ── */

static status purge_range(struct ddb *d, struct str prefix)
{
	struct arena a;
	bool more = true;
	status s = OK;
	arena_init(&a);
	while (is_ok(s) && more) {
		arena_reset(&a);
		struct store_tx *tx = store_begin(d->cloud->store, &a, false);
		struct store_scan *scan = store_scan_begin(tx, prefix, key_after(&a, prefix), false);
		struct str key, value;
		store_ticket ticket;
		size_t n = 0;
		while (n < PURGE_AT_ONCE && store_scan_next(scan, &key, &value)) {
			store_delete(tx, key);
			n++;
		}
		s = store_scan_end(scan);
		more = n == PURGE_AT_ONCE;
		if (is_ok(s)) s = store_commit(tx, &ticket);
		store_end(tx);
		if (status_is(s, STATUS_CONFLICT)) {
			more = true;
			s = OK;
		}
	}
	arena_cleanup(&a);
	return s;
}

static status purge(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct dynamodb_rec_chore chore = {0};
	(void)again_ms;
	TRY(dynamodb_rec_chore_decode(a, job->payload, &chore));
	if (chore.stage.v == PURGE_BACKUP) return purge_range(d, ddb_backup_prefix(a, (uint64_t)chore.id.v));
	if (chore.stage.v == PURGE_ITEMS)
		store_delete(tx, ddb_backup_key(a, chore.account, chore.region, chore.table, chore.at));
	struct key items = ddb_key(a, "item"), entries = ddb_key(a, "index");
	key_u64(&items, (uint64_t)chore.id.v);
	key_u64(&entries, (uint64_t)chore.id.v);
	if (chore.index.has) {
		key_u64(&entries, (uint64_t)chore.index.v);
		return purge_range(d, key_done(&entries));
	}
	if (chore.stage.v != PURGE_BESIDE) TRY(purge_range(d, key_done(&items)));
	TRY(purge_range(d, key_done(&entries)));
	TRY(purge_range(d, ddb_history_prefix(a, (uint64_t)chore.id.v)));
	return purge_range(d, ddb_ttl_prefix(a, (uint64_t)chore.id.v));
}

static struct str purge_id(struct work *w, const struct dynamodb_rec_chore *chore)
{
	const char *part = chore->stage.v == PURGE_BESIDE ? ".beside" : "";
	return str_fmt(w->a, "%llx.%llx%s", (unsigned long long)chore->id.v, (unsigned long long)chore->index.v, part);
}

static void schedule_purge(struct work *w, const struct dynamodb_rec_chore *chore, int64_t due_ms)
{
	jobs_schedule(w->tx, &(struct job){.kind = str_c(purge_kind),
				     .id = purge_id(w, chore),
				     .due_ms = due_ms,
				     .payload = dynamodb_rec_chore_encode(w->a, chore)});
}

void ddb_purge_table(struct work *w, uint64_t table_id)
{
	struct dynamodb_rec_chore chore = {.id = SOME_I64((int64_t)table_id)};
	schedule_purge(w, &chore, w->c->now_ms);
}

void ddb_purge_to_backup(struct work *w, const struct dynamodb_rec_backup *b)
{
	struct dynamodb_rec_chore chore = {.id = b->id,
		.account = b->table->account,
		.region = b->table->region,
		.table = b->table->name,
		.at = b->suffix,
		.stage = SOME_I64(PURGE_BESIDE)};
	schedule_purge(w, &chore, w->c->now_ms);
	chore.stage = SOME_I64(PURGE_ITEMS);
	schedule_purge(w, &chore, w->c->now_ms + BACKUP_KEEP_MS);
}

void ddb_purge_index(struct work *w, uint64_t table_id, uint64_t index_id)
{
	struct dynamodb_rec_chore chore = {.id = SOME_I64((int64_t)table_id), .index = SOME_I64((int64_t)index_id)};
	schedule_purge(w, &chore, w->c->now_ms);
}

void ddb_purge_backup(struct work *w, uint64_t backup_id)
{
	struct dynamodb_rec_chore chore = {.id = SOME_I64((int64_t)backup_id), .stage = SOME_I64(PURGE_BACKUP)};
	schedule_purge(w, &chore, w->c->now_ms);
}

void ddb_purge_unless(struct work *w, uint64_t id, bool backup)
{
	struct dynamodb_rec_chore chore = {.id = SOME_I64((int64_t)id)};
	if (backup) chore.stage = SOME_I64(PURGE_BACKUP);
	schedule_purge(w, &chore, w->c->now_ms + ORPHAN_MS);
}

void ddb_purge_not(struct work *w, uint64_t id)
{
	struct dynamodb_rec_chore chore = {.id = SOME_I64((int64_t)id)};
	jobs_cancel(w->tx, str_c(purge_kind), purge_id(w, &chore));
}

void ddb_chores(struct ddb *d)
{
	jobs_register(d->cloud->jobs, backfill_kind, backfill, d);
	jobs_register(d->cloud->jobs, purge_kind, purge, d);
}
