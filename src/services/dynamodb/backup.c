/* Backups: a table's items as one snapshot of the store shows them, copied in small transactions, and a table made of
 * them again. What an interrupted copy leaves is removed by a job that only a whole copy cancels. A system backup (of a
 * deleted table that had point-in-time recovery) copies nothing: the table's items themselves stay for 35 days. */
#include "base/rand.h"
#include "services/dynamodb/copy.h"
#include "services/dynamodb/history.h"

struct str ddb_backup_prefix(struct arena *a, uint64_t backup_id)
{
	struct key k = ddb_key(a, "backup-item");
	key_u64(&k, backup_id);
	return key_done(&k);
}

static struct str items_of(struct arena *a, const struct dynamodb_rec_backup *b)
{
	if (!b->system.v) return ddb_backup_prefix(a, (uint64_t)b->id.v);
	struct key k = ddb_key(a, "item");
	key_u64(&k, (uint64_t)b->id.v);
	return key_done(&k);
}

struct str ddb_backup_key(struct arena *a, struct str account, struct str region, struct str table, struct str suffix)
{
	struct key k = ddb_key(a, "backup");
	key_str(&k, account);
	key_str(&k, region);
	if (str_has(table)) key_str(&k, table);
	if (str_has(suffix)) key_str(&k, suffix);
	return key_done(&k);
}

static struct str record_key(struct work *w, struct str table, struct str suffix)
{
	return ddb_backup_key(w->a, w->c->account, w->c->region, table, suffix);
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
	d->backup_type = b->system.v ? STR("SYSTEM") : STR("USER");
	if (b->system.v) d->backup_expiry_date_time = SOME_TIME(b->created.v + BACKUP_KEEP_MS);
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

/* ── CreateBackup ── */

static status copy_out(struct copy *x, void *ctx, struct str rest, struct str bytes)
{
	struct dynamodb_rec_backup *b = ctx;
	struct value item;
	struct key k = key_begin(&x->a);
	key_append(&k, ddb_backup_prefix(&x->a, (uint64_t)b->id.v));
	key_append(&k, rest);
	store_put(x->w.tx, key_done(&k), bytes);
	b->items.v++;
	if (is_ok(ddb_item_load(&x->a, bytes, &item))) b->bytes.v += (int64_t)ddb_item_size(&item);
	return OK;
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
	TRY(copy_one(w, x, announce_backup, &b));
	TRY(copy_range(w, x, t->item_prefix, copy_out, &b));
	TRY(copy_one(w, x, finish_backup, &b));
	out->backup_details = details(w, &b, STR("CREATING"));
	return OK;
}

status dynamodb_create_backup(
	struct call *c, const struct dynamodb_create_backup_input *in, struct dynamodb_create_backup_output *out)
{
	struct work w;
	struct copy x;
	copy_open(&x, &w, c);
	return copy_close(&x, &w, create_backup(&w, &x, in, out));
}

/* "If you delete a table that has point-in-time recovery enabled, DynamoDB automatically creates a backup snapshot
 * called a system backup and retains it for 35 days (at no additional cost)." */
void ddb_backup_deleted(struct work *w, struct table *t)
{
	struct dynamodb_rec_backup b = {
		.id = t->record.id,
		.name = str_fmt(w->a, "%.*s$DeletedTableBackup", STR_ARG(t->name)),
		.suffix = str_fmt(w->a, "%014lld-%08llx", (long long)w->c->now_ms,
			(unsigned long long)(rand_u64() & 0xffffffffu)),
		.created = SOME_I64(w->c->now_ms),
		.table = &t->record,
		.system = SOME_BOOL(true),
	};
	store_put(w->tx, record_key(w, t->name, b.suffix), dynamodb_rec_backup_encode(w->a, &b));
	ddb_history_drop(w, &t->record);
	ddb_purge_to_backup(w, &b);
}

/* ── DescribeBackup, DeleteBackup, ListBackups ── */

/* Of a system backup only when somebody asks: deleting a table does not read it. */
static void count_items(struct work *w, struct dynamodb_rec_backup *b)
{
	struct tally n = ddb_tally(w, items_of(w->a, b));
	b->items = SOME_I64(n.items);
	b->bytes = SOME_I64(n.bytes);
}

static status describe_backup(
	struct work *w, const struct dynamodb_describe_backup_input *in, struct dynamodb_describe_backup_output *out)
{
	struct dynamodb_rec_backup b = {0};
	struct str key;
	TRY(find(w, in->backup_arn, &b, &key));
	if (b.system.v) count_items(w, &b);
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
	if (b.system.v)
		ddb_purge_table(w, (uint64_t)b.id.v);
	else
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
	if (str_is(in->backup_type, "AWS_BACKUP")) return OK;
	status s = OK;
	struct store_scan *scan = store_scan_begin(w->tx, from, key_after(w->a, prefix), false);
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct dynamodb_rec_backup b = {0};
		s = dynamodb_rec_backup_decode(w->a, str_dup(w->a, bytes), &b);
		if (!is_ok(s)) break;
		bool system = str_is(in->backup_type, "SYSTEM") || str_is(in->backup_type, "ALL");
		if (b.system.v ? !system : str_is(in->backup_type, "SYSTEM")) continue;
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
			.backup_type = b.system.v ? STR("SYSTEM") : STR("USER"),
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

static status copy_in(struct copy *x, void *ctx, struct str rest, struct str bytes)
{
	(void)rest;
	return ddb_restore_item(x, ctx, bytes);
}

static status restore(struct work *w, struct copy *x, const struct dynamodb_restore_table_from_backup_input *in,
	struct dynamodb_restore_table_from_backup_output *out)
{
	struct dynamodb_rec_backup b = {0};
	struct dynamodb_rec_table r;
	struct str key;
	struct overrides o = {
		.table = in->target_table_name,
		.billing = in->billing_mode_override,
		.throughput = in->provisioned_throughput_override,
		.global = &in->global_secondary_index_override,
		.local = &in->local_secondary_index_override,
		.sse = in->sse_specification_override,
	};
	TRY(find(w, in->backup_arn, &b, &key));
	TRY(ddb_restore_record(w, b.table, &o, &r));
	r.restored_backup = in->backup_arn;
	struct table *t = ddb_table_of(w, &r);
	TRY(copy_one(w, x, ddb_restore_announce, &r));
	TRY(copy_range(w, x, items_of(w->a, &b), copy_in, t));
	TRY(copy_one(w, x, ddb_restore_finish, &r));
	out->table_description = ddb_describe(w, &r, STR("CREATING"));
	return OK;
}

status dynamodb_restore_table_from_backup(struct call *c, const struct dynamodb_restore_table_from_backup_input *in,
	struct dynamodb_restore_table_from_backup_output *out)
{
	struct work w;
	struct copy x;
	copy_open(&x, &w, c);
	return copy_close(&x, &w, restore(&w, &x, in, out));
}
