/* CreateTable, DeleteTable, ListTables. A table is there, or gone, as soon as the call is answered; its answer says
 * CREATING or DELETING, as AWS's does. */
#include "base/rand.h"
#include "services/dynamodb/service.h"

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static void set_tags(struct work *w, struct dynamodb_rec_table *r, const struct dynamodb_tag_list *tags)
{
	r->tags.v = arena_new_n(w->a, struct dynamodb_rec_tags_entry, tags->n);
	r->tags.n = tags->n;
	for (size_t i = 0; i < tags->n; i++)
		r->tags.v[i] = (struct dynamodb_rec_tags_entry){tags->v[i].key, tags->v[i].value};
}

status ddb_create_record(struct work *w, const struct dynamodb_create_table_input *in, struct dynamodb_rec_table *out)
{
	struct table *existing;
	struct str name = STR_NONE;
	TRY(ddb_table_name(w, in->table_name, &name));
	struct dynamodb_rec_table r = {
		.id = SOME_I64((int64_t)(rand_u64() >> 1)),
		.name = name,
		.account = w->c->account,
		.region = w->c->region,
		.partition = w->c->partition,
		.created = SOME_I64(w->c->now_ms),
		.uuid = rand_uuid(w->a),
		.table_class = in->table_class,
		.deletion_protection = SOME_BOOL(in->deletion_protection_enabled.v),
		.next_index = SOME_I64(0),
	};
	TRY(ddb_check_create(w, in, &r));
	status s = ddb_find(w, w->c->account, w->c->region, name, &existing);
	if (is_ok(s))
		return call_fail(
			w->c, DYNAMODB_ERR_RESOURCE_IN_USE_EXCEPTION, "Table already exists: %.*s", STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (r.on_demand.v) {
		r.on_demand_since = SOME_I64(w->c->now_ms);
		if (in->on_demand_throughput) {
			r.throughput = arena_new(w->a, struct dynamodb_rec_throughput);
			r.throughput->max_read = in->on_demand_throughput->max_read_request_units;
			r.throughput->max_write = in->on_demand_throughput->max_write_request_units;
		}
	}
	if (in->sse_specification && in->sse_specification->enabled.v) {
		r.sse_type = STR("KMS");
		r.sse_key = str_has(in->sse_specification->kms_master_key_id)
				    ? in->sse_specification->kms_master_key_id
				    : call_arn(w->c, STR("kms"), "alias/aws/dynamodb");
	}
	set_tags(w, &r, &in->tags);
	*out = r;
	return OK;
}

static status create_table(
	struct work *w, const struct dynamodb_create_table_input *in, struct dynamodb_create_table_output *out)
{
	struct dynamodb_rec_table r;
	if (str_has(in->global_table_source_arn))
		return call_fail(
			w->c, ERR_NOT_IMPLEMENTED, "virga does not implement GlobalTableSourceArn of CreateTable yet.");
	TRY(ddb_create_record(w, in, &r));
	if (str_has(in->resource_policy)) TRY(ddb_policy_set(w, &r, in->resource_policy));
	if (in->stream_specification && in->stream_specification->stream_enabled.v)
		ddb_stream_open(w, &r, in->stream_specification->stream_view_type);
	ddb_put_table(w, &r);
	out->table_description = ddb_describe(w, &r, STR("CREATING"));
	return OK;
}

status dynamodb_create_table(
	struct call *c, const struct dynamodb_create_table_input *in, struct dynamodb_create_table_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, create_table(&w, in, out));
}

static status delete_table(
	struct work *w, const struct dynamodb_delete_table_input *in, struct dynamodb_delete_table_output *out)
{
	struct table *t;
	TRY(ddb_open_named(w, in->table_name, &t));
	if (t->record.deletion_protection.v)
		return VALIDATION(w, "Resource cannot be deleted as it is currently protected against deletion. "
				     "Disable deletion protection "
				     "first.");
	struct dynamodb_rec_table r = ddb_edit(t);
	TRY(ddb_replica_leave(w, &r));
	ddb_stream_close(w, &r);
	ddb_destination_drop(w, &r);
	ddb_delete_table_record(w, &r);
	if (t->history)
		ddb_backup_deleted(w, t);
	else
		ddb_purge_table(w, t->id);
	ddb_cache(w, &r, true);
	call_after_commit(w->c, poke, w->c->cloud->jobs);
	out->table_description = ddb_describe(w, &t->record, STR("DELETING"));
	return OK;
}

status dynamodb_delete_table(
	struct call *c, const struct dynamodb_delete_table_input *in, struct dynamodb_delete_table_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, delete_table(&w, in, out));
}

static status list_tables(
	struct work *w, const struct dynamodb_list_tables_input *in, struct dynamodb_list_tables_output *out)
{
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, capacity = 0;
	struct key k = ddb_key(w->a, "version");
	key_str(&k, w->c->account);
	key_str(&k, w->c->region);
	struct str prefix = key_done(&k), from = prefix, to = key_after(w->a, prefix), key, value;
	if (str_has(in->exclusive_start_table_name)) {
		struct key start = key_begin(w->a);
		key_append(&start, prefix);
		key_str(&start, in->exclusive_start_table_name);
		from = key_next(w->a, key_done(&start));
	}
	VEC_PRESENT(w->a, &out->table_names);
	struct store_scan *scan = store_scan_begin(w->tx, from, to, false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		if (out->table_names.n == limit) {
			out->last_evaluated_table_name = out->table_names.v[limit - 1];
			break;
		}
		struct str rest = str_dup(w->a, str_from(key, prefix.n));
		s = key_read_str(w->a, &rest, VEC_PUSH(w->a, &out->table_names, &capacity));
	}
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status dynamodb_list_tables(
	struct call *c, const struct dynamodb_list_tables_input *in, struct dynamodb_list_tables_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, list_tables(&w, in, out));
}
