/* Backups on demand: a table's items as one snapshot of the store shows them, copied in small transactions, and a table
 * made of them again. What an interrupted copy leaves is removed by a job that only a whole copy cancels. */
#include "base/rand.h"
#include "services/dynamodb/service.h"

enum { COPY_AT_ONCE = 500 };

struct str ddb_backup_prefix(struct arena *a, uint64_t backup_id)
{
	struct key k = ddb_key(a, "backup-item");
	key_u64(&k, backup_id);
	return key_done(&k);
}

static struct str record_key(struct work *w, struct str table, struct str suffix)
{
	struct key k = ddb_key(w->a, "backup");
	key_str(&k, w->c->account);
	key_str(&k, w->c->region);
	if (str_has(table)) key_str(&k, table);
	if (str_has(suffix)) key_str(&k, suffix);
	return key_done(&k);
}

static struct str arn_of(struct arena *a, const struct dynamodb_rec_backup *b)
{
	return str_fmt(a, "%.*s/backup/%.*s", STR_ARG(ddb_table_arn(a, b->table)), STR_ARG(b->suffix));
}

/* arn:…:table/NAME/backup/SUFFIX */
static status find(struct work *w, struct str arn, struct dynamodb_rec_backup *out, struct str *key)
{
	struct str rest = arn, parts[5], bytes;
	for (int i = 0; i < 5; i++) parts[i] = str_cut(&rest, ':');
	ptrdiff_t at = str_has(rest) ? str_find(rest, STR("/backup/")) : -1;
	if (!str_starts(arn, STR("arn:")) || at < 0 || !str_starts(rest, STR("table/")))
		return VALIDATION(w, "Invalid BackupArn: %.*s", STR_ARG(arn));
	*key = record_key(w, str_sub(rest, 6, (size_t)at - 6), str_from(rest, (size_t)at + 8));
	bool own = str_eq(parts[4], w->c->account) && str_eq(parts[3], w->c->region);
	status s = own ? store_get(w->tx, *key, &bytes) : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(w->c, DYNAMODB_ERR_BACKUP_NOT_FOUND_EXCEPTION, "Backup not found: %.*s", STR_ARG(arn));
	TRY(s);
	return dynamodb_rec_backup_decode(w->a, bytes, out);
}

/* ── as answers tell it ── */

static struct dynamodb_backup_details *details(struct work *w, const struct dynamodb_rec_backup *b, struct str word)
{
	struct dynamodb_backup_details *d = arena_new(w->a, struct dynamodb_backup_details);
	d->backup_arn = arn_of(w->a, b);
	d->backup_name = b->name;
	d->backup_size_bytes = SOME_I64(b->bytes.v);
	d->backup_status = word;
	d->backup_type = STR("USER");
	d->backup_creation_date_time = SOME_TIME(b->created.v);
	return d;
}

static struct dynamodb_backup_description *description(
	struct work *w, const struct dynamodb_rec_backup *b, struct str word)
{
	struct dynamodb_backup_description *d = arena_new(w->a, struct dynamodb_backup_description);
	struct dynamodb_table_description *t = ddb_describe(w, b->table, STR("ACTIVE"));
	size_t globals = 0, locals = 0;
	d->backup_details = details(w, b, word);
	struct dynamodb_source_table_details *s = d->source_table_details =
		arena_new(w->a, struct dynamodb_source_table_details);
	s->table_name = t->table_name;
	s->table_id = t->table_id;
	s->table_arn = t->table_arn;
	s->table_size_bytes = SOME_I64(b->bytes.v);
	s->item_count = SOME_I64(b->items.v);
	s->key_schema = t->key_schema;
	s->table_creation_date_time = t->creation_date_time;
	s->billing_mode = b->table->on_demand.v ? STR("PAY_PER_REQUEST") : STR("PROVISIONED");
	s->provisioned_throughput = arena_new(w->a, struct dynamodb_provisioned_throughput);
	s->provisioned_throughput->read_capacity_units = t->provisioned_throughput->read_capacity_units;
	s->provisioned_throughput->write_capacity_units = t->provisioned_throughput->write_capacity_units;
	struct dynamodb_source_table_feature_details *f = d->source_table_feature_details =
		arena_new(w->a, struct dynamodb_source_table_feature_details);
	for (size_t i = 0; i < t->global_secondary_indexes.n; i++) {
		const struct dynamodb_global_secondary_index_description *x = &t->global_secondary_indexes.v[i];
		struct dynamodb_global_secondary_index_info *g = VEC_PUSH(w->a, &f->global_secondary_indexes, &globals);
		g->index_name = x->index_name;
		g->key_schema = x->key_schema;
		g->projection = x->projection;
	}
	for (size_t i = 0; i < t->local_secondary_indexes.n; i++) {
		const struct dynamodb_local_secondary_index_description *x = &t->local_secondary_indexes.v[i];
		*VEC_PUSH(w->a, &f->local_secondary_indexes, &locals) =
			(struct dynamodb_local_secondary_index_info){x->index_name, x->key_schema, x->projection};
	}
	f->stream_description = t->stream_specification;
	f->sse_description = t->sse_description;
	return d;
}

/* ── copying ── */

/* Transactions of the copy's own; each has an arena of its own. */
struct copy {
	struct work w;
	struct arena a;
	store_ticket last;
};

static void copy_begin(struct copy *x, const struct work *w)
{
	arena_reset(&x->a);
	x->w = (struct work){.c = w->c, .a = &x->a, .d = w->d, .tx = store_begin(w->d->cloud->store, &x->a, false)};
}

static status copy_commit(struct copy *x, status s)
{
	if (is_ok(s)) s = store_commit(x->w.tx, &x->last);
	store_end(x->w.tx);
	return work_end(&x->w, s);
}

/* What to do with each item. */
typedef void (*copy_fn)(struct copy *x, void *ctx, struct str rest, struct str bytes);

/* Every record of [prefix…) that w's transaction sees. */
static status copy_range(struct work *w, struct copy *x, struct str prefix, copy_fn fn, void *ctx)
{
	struct str key, bytes;
	size_t n = 0;
	status s = OK;
	struct store_scan *scan = store_scan_begin(w->tx, prefix, key_after(w->a, prefix), false);
	copy_begin(x, w);
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		fn(x, ctx, str_from(key, prefix.n), bytes);
		if (++n % COPY_AT_ONCE) continue;
		s = copy_commit(x, OK);
		copy_begin(x, w);
	}
	s = copy_commit(x, s);
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

/* One small transaction: fn's writes. */
static status commit_one(struct work *w, struct copy *x, status (*fn)(struct work *, void *), void *ctx)
{
	status s;
	do {
		copy_begin(x, w);
		s = copy_commit(x, fn(&x->w, ctx));
	} while (status_is(s, STATUS_CONFLICT));
	return s;
}

/* ── CreateBackup ── */

static void copy_out(struct copy *x, void *ctx, struct str rest, struct str bytes)
{
	struct dynamodb_rec_backup *b = ctx;
	struct value item;
	struct key k = key_begin(&x->a);
	key_append(&k, ddb_backup_prefix(&x->a, (uint64_t)b->id.v));
	key_append(&k, rest);
	store_put(x->w.tx, key_done(&k), bytes);
	b->items.v++;
	if (is_ok(ddb_item_load(&x->a, bytes, &item))) b->bytes.v += (int64_t)ddb_item_size(&item);
}

static status announce_backup(struct work *w, void *ctx)
{
	ddb_purge_unless(w, (uint64_t)((struct dynamodb_rec_backup *)ctx)->id.v, true);
	return OK;
}

static status finish_backup(struct work *w, void *ctx)
{
	struct dynamodb_rec_backup *b = ctx;
	ddb_purge_not(w, (uint64_t)b->id.v);
	store_put(w->tx, record_key(w, b->table->name, b->suffix), dynamodb_rec_backup_encode(w->a, b));
	return OK;
}

static status create_backup(struct work *w, struct copy *x, const struct dynamodb_create_backup_input *in,
	struct dynamodb_create_backup_output *out)
{
	struct table *t;
	struct str name = STR_NONE;
	TRY(ddb_table_name(w, in->table_name, &name));
	status s = ddb_find(w, w->c->account, w->c->region, name, &t);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(w->c, DYNAMODB_ERR_TABLE_NOT_FOUND_EXCEPTION, "Table not found: %.*s", STR_ARG(name));
	TRY(s);
	uint64_t id = rand_u64() >> 1;
	struct dynamodb_rec_backup b = {
		.id = SOME_I64((int64_t)id),
		.name = in->backup_name,
		.suffix = str_fmt(
			w->a, "%014lld-%08llx", (long long)w->c->now_ms, (unsigned long long)(id & 0xffffffffu)),
		.created = SOME_I64(w->c->now_ms),
		.items = SOME_I64(0),
		.bytes = SOME_I64(0),
		.table = &t->record,
	};
	TRY(commit_one(w, x, announce_backup, &b));
	TRY(copy_range(w, x, t->item_prefix, copy_out, &b));
	TRY(commit_one(w, x, finish_backup, &b));
	out->backup_details = details(w, &b, STR("CREATING"));
	return OK;
}

status dynamodb_create_backup(
	struct call *c, const struct dynamodb_create_backup_input *in, struct dynamodb_create_backup_output *out)
{
	struct work w;
	struct copy x = {0};
	work_begin(&w, c);
	w.tx = store_begin(c->cloud->store, c->arena, true);
	arena_init(&x.a);
	status s = create_backup(&w, &x, in, out);
	arena_cleanup(&x.a);
	store_end(w.tx);
	if (is_ok(s)) call_ticket(c, x.last);
	return work_end(&w, s);
}

/* ── DescribeBackup, DeleteBackup, ListBackups ── */

static status describe_backup(
	struct work *w, const struct dynamodb_describe_backup_input *in, struct dynamodb_describe_backup_output *out)
{
	struct dynamodb_rec_backup b = {0};
	struct str key;
	TRY(find(w, in->backup_arn, &b, &key));
	out->backup_description = description(w, &b, STR("AVAILABLE"));
	return OK;
}

status dynamodb_describe_backup(
	struct call *c, const struct dynamodb_describe_backup_input *in, struct dynamodb_describe_backup_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe_backup(&w, in, out));
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static status delete_backup(
	struct work *w, const struct dynamodb_delete_backup_input *in, struct dynamodb_delete_backup_output *out)
{
	struct dynamodb_rec_backup b = {0};
	struct str key;
	TRY(find(w, in->backup_arn, &b, &key));
	store_delete(w->tx, key);
	ddb_purge_backup(w, (uint64_t)b.id.v);
	call_after_commit(w->c, poke, w->c->cloud->jobs);
	out->backup_description = description(w, &b, STR("DELETED"));
	return OK;
}

status dynamodb_delete_backup(
	struct call *c, const struct dynamodb_delete_backup_input *in, struct dynamodb_delete_backup_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, delete_backup(&w, in, out));
}

static status list_backups(
	struct work *w, const struct dynamodb_list_backups_input *in, struct dynamodb_list_backups_output *out)
{
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, capacity = 0;
	struct str name = STR_NONE, key, bytes;
	if (str_has(in->table_name)) TRY(ddb_table_name(w, in->table_name, &name));
	struct str prefix = record_key(w, name, STR_NONE), from = prefix;
	if (str_has(in->exclusive_start_backup_arn)) {
		struct dynamodb_rec_backup start = {0};
		TRY(find(w, in->exclusive_start_backup_arn, &start, &key));
		from = key_next(w->a, key);
	}
	VEC_PRESENT(w->a, &out->backup_summaries);
	if (str_is(in->backup_type, "SYSTEM") || str_is(in->backup_type, "AWS_BACKUP")) return OK;
	status s = OK;
	struct store_scan *scan = store_scan_begin(w->tx, from, key_after(w->a, prefix), false);
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct dynamodb_rec_backup b = {0};
		s = dynamodb_rec_backup_decode(w->a, str_dup(w->a, bytes), &b);
		if (!is_ok(s)) break;
		if (in->time_range_lower_bound.has && b.created.v < in->time_range_lower_bound.ms) continue;
		if (in->time_range_upper_bound.has && b.created.v >= in->time_range_upper_bound.ms) continue;
		if (out->backup_summaries.n == limit) {
			out->last_evaluated_backup_arn = out->backup_summaries.v[limit - 1].backup_arn;
			break;
		}
		*VEC_PUSH(w->a, &out->backup_summaries, &capacity) = (struct dynamodb_backup_summary){
			.table_name = b.table->name,
			.table_id = b.table->uuid,
			.table_arn = ddb_table_arn(w->a, b.table),
			.backup_arn = arn_of(w->a, &b),
			.backup_name = b.name,
			.backup_creation_date_time = SOME_TIME(b.created.v),
			.backup_status = STR("AVAILABLE"),
			.backup_type = STR("USER"),
			.backup_size_bytes = SOME_I64(b.bytes.v),
		};
	}
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status dynamodb_list_backups(
	struct call *c, const struct dynamodb_list_backups_input *in, struct dynamodb_list_backups_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, list_backups(&w, in, out));
}

/* ── RestoreTableFromBackup ── */

static void copy_in(struct copy *x, void *ctx, struct str rest, struct str bytes)
{
	const struct table *t = ctx;
	struct value item;
	(void)rest;
	struct str own = str_dup(&x->a, bytes);
	if (!is_ok(ddb_item_load(&x->a, own, &item))) return;
	ddb_write_item(&x->w, t, ddb_item_key(&x->a, t, &item), NULL, &item, false, NULL);
}

static status announce_table(struct work *w, void *ctx)
{
	ddb_purge_unless(w, (uint64_t)((struct dynamodb_rec_table *)ctx)->id.v, false);
	return OK;
}

static status free_name(struct work *w, struct str name)
{
	struct table *t;
	status s = ddb_find(w, w->c->account, w->c->region, name, &t);
	if (is_ok(s))
		return call_fail(
			w->c, DYNAMODB_ERR_TABLE_ALREADY_EXISTS_EXCEPTION, "Table already exists: %.*s", STR_ARG(name));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

static status finish_table(struct work *w, void *ctx)
{
	struct dynamodb_rec_table r = *(struct dynamodb_rec_table *)ctx;
	TRY(free_name(w, r.name));
	ddb_purge_not(w, (uint64_t)r.id.v);
	ddb_put_table(w, &r);
	return OK;
}

/* Overrides name those of the backup's indexes that come back. */
static status choose_indexes(
	struct work *w, const struct dynamodb_restore_table_from_backup_input *in, struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_indexes kept = {0};
	size_t capacity = 0, found = 0;
	const struct dynamodb_global_secondary_index_list *g = &in->global_secondary_index_override;
	const struct dynamodb_local_secondary_index_list *l = &in->local_secondary_index_override;
	for (size_t i = 0; i < r->indexes.n; i++) {
		struct dynamodb_rec_index x = r->indexes.v[i];
		bool stays = x.global.v ? !g->v : !l->v;
		for (size_t j = 0; x.global.v && j < g->n; j++) {
			if (!str_eq(g->v[j].index_name, x.name)) continue;
			stays = true;
			found++;
			if (g->v[j].provisioned_throughput)
				TRY(ddb_check_throughput(
					w, g->v[j].provisioned_throughput, r->on_demand.v, x.name, &x.throughput));
		}
		for (size_t j = 0; !x.global.v && j < l->n; j++) {
			if (!str_eq(l->v[j].index_name, x.name)) continue;
			stays = true;
			found++;
		}
		x.status = STR("ACTIVE");
		if (r->on_demand.v) x.throughput = NULL;
		if (stays) *VEC_PUSH(w->a, &kept, &capacity) = x;
	}
	if (found != g->n + l->n)
		return VALIDATION(w, "One or more parameter values were invalid: an index override must name an index "
				     "of the backup");
	r->indexes = kept;
	return OK;
}

static status restore(struct work *w, struct copy *x, const struct dynamodb_restore_table_from_backup_input *in,
	struct dynamodb_restore_table_from_backup_output *out)
{
	struct dynamodb_rec_backup b = {0};
	struct str key;
	TRY(find(w, in->backup_arn, &b, &key));
	if (!ddb_name_valid(in->target_table_name)) {
		struct str name;
		return ddb_table_name(w, in->target_table_name, &name);
	}
	TRY(free_name(w, in->target_table_name));
	struct dynamodb_rec_table r = *b.table;
	r.id = SOME_I64((int64_t)(rand_u64() >> 1));
	r.name = in->target_table_name;
	r.created = r.restored = SOME_I64(w->c->now_ms);
	r.uuid = rand_uuid(w->a);
	r.restored_backup = in->backup_arn;
	r.restored_table = ddb_table_arn(w->a, b.table);
	/* "You must manually set up … on the restored table": streams, tags, TTL, protection. */
	r.stream_view = r.stream_label = r.ttl_attribute = STR_NONE;
	r.tags = (struct dynamodb_rec_tags){0};
	r.deletion_protection = SOME_BOOL(false);
	if (str_has(in->billing_mode_override)) {
		r.on_demand = SOME_BOOL(str_is(in->billing_mode_override, "PAY_PER_REQUEST"));
		if (r.on_demand.v) r.throughput = NULL;
		r.billing_told = SOME_BOOL(true);
	}
	if (in->provisioned_throughput_override || (!r.on_demand.v && !r.throughput))
		TRY(ddb_check_throughput(
			w, in->provisioned_throughput_override, r.on_demand.v, STR_NONE, &r.throughput));
	TRY(choose_indexes(w, in, &r));
	struct table *t = ddb_table_of(w, &r);
	TRY(commit_one(w, x, announce_table, &r));
	TRY(copy_range(w, x, ddb_backup_prefix(w->a, (uint64_t)b.id.v), copy_in, t));
	TRY(commit_one(w, x, finish_table, &r));
	out->table_description = ddb_describe(w, &r, STR("CREATING"));
	return OK;
}

status dynamodb_restore_table_from_backup(struct call *c, const struct dynamodb_restore_table_from_backup_input *in,
	struct dynamodb_restore_table_from_backup_output *out)
{
	struct work w;
	struct copy x = {0};
	work_begin(&w, c);
	w.tx = store_begin(c->cloud->store, c->arena, true);
	arena_init(&x.a);
	status s = restore(&w, &x, in, out);
	arena_cleanup(&x.a);
	store_end(w.tx);
	if (is_ok(s)) call_ticket(c, x.last);
	return work_end(&w, s);
}
