/* ImportTable: a new table of the objects under a bucket's prefix ("DynamoDB data import from Amazon S3: how it
 * works"). The request tries, with the caller's rights, whether the bucket can be listed; a durable job then reads. The
 * table is there once it is whole. What is no item of the table is counted, and left out; of items with the same key
 * the last one read stays. */
#include "base/rand.h"
#include "call/inside.h"
#include "s3.h"
#include "services/dynamodb/copy.h"
#include "services/dynamodb/import_file.h"

static const char import_kind[] = "dynamodb.import";
#define OBJECT_BYTES_MAX ((size_t)256 << 20)
#define IN_PROGRESS "IN_PROGRESS"

static struct str record_key(struct arena *a, struct str account, struct str region, struct str id)
{
	struct key k = ddb_key(a, "import");
	key_str(&k, account);
	key_str(&k, region);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static struct str arn_of(struct arena *a, const struct dynamodb_rec_import *m)
{
	return str_fmt(a, "%.*s/import/%.*s", STR_ARG(ddb_table_arn(a, m->table)), STR_ARG(m->id));
}

/* ── the job ── */

struct reader {
	struct ddb *d;
	struct dynamodb_rec_import *m;
	struct work *w;
	struct copy *x;
	const struct table *t;
	struct inside_caller who;
	struct str failure, failure_message; /* in w's arena */
	int64_t processed, imported, errors, bytes;
};

static status refused(struct reader *r, const struct inside *i)
{
	r->failure = str_cat(r->w->a, STR("S3"), i->code);
	r->failure_message = str_dup(r->w->a, i->message);
	return STATUS(FAILED);
}

/* Index keys of a wrong type are errors too, as a put would say. */
static bool fits(struct reader *r, const struct value *item)
{
	struct call nobody = {.arena = &r->x->a, .cloud = r->d->cloud};
	struct work w = {.c = &nobody, .a = &r->x->a, .d = r->d, .tx = r->x->w.tx};
	return ddb_item_size(item) <= ITEM_BYTES_MAX && is_ok(ddb_check_item(&w, r->t, item));
}

static status take(void *ctx, const struct value *item)
{
	struct reader *r = ctx;
	struct value old;
	r->processed++;
	if (!item || !fits(r, item)) {
		r->errors++;
		return OK;
	}
	struct arena *a = &r->x->a;
	struct str key = ddb_item_key(a, r->t, item);
	status s = ddb_read_item(&r->x->w, key, true, &old);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(ddb_write_item(&r->x->w, r->t, key, is_ok(s) ? &old : NULL, item, false, NULL));
	if (status_is(s, STATUS_NOT_FOUND)) r->imported++;
	return copy_step(r->x, r->w);
}

static status read_object(struct reader *r, struct str key)
{
	struct s3_get_object_input in = {
		.bucket = r->m->bucket, .key = key, .expected_bucket_owner = r->m->bucket_owner};
	struct inside *i = inside_run(r->d->cloud, &r->who, "s3", S3_OP_GET_OBJECT, &in, NULL);
	struct arena a;
	struct str bytes = STR("");
	arena_init(&a);
	status s = i->ok ? OK : refused(r, i);
	const struct s3_get_object_output *got = i->out;
	if (is_ok(s) && got->body) s = inside_body(i, &a, got->body, OBJECT_BYTES_MAX, &bytes);
	if (is_ok(s)) {
		struct import_file f = {.format = r->m->format,
			.compression = r->m->compression,
			.delimiter = str_has(r->m->delimiter) ? r->m->delimiter.p[0] : ',',
			.headers = r->m->headers.v,
			.n_headers = r->m->headers.n,
			.table = r->t,
			.item = take,
			.ctx = r};
		r->bytes += (int64_t)bytes.n;
		copy_begin(r->x, r->w);
		s = copy_commit(r->x, import_file_read(&f, &a, bytes));
	}
	inside_free(i);
	arena_cleanup(&a);
	if (status_is(s, STATUS_LIMIT) || status_is(s, STATUS_INVALID)) {
		r->failure = STR("InvalidInput");
		r->failure_message = str_fmt(r->w->a, "The object %.*s %s", STR_ARG(key),
			status_is(s, STATUS_LIMIT) ? "is too large to be read at once"
						   : "cannot be read in the given format");
		return STATUS(FAILED);
	}
	return s;
}

static status read_all(struct reader *r)
{
	struct str token = STR_NONE;
	bool more = true;
	while (more) {
		struct s3_list_objects_v2_input in = {.bucket = r->m->bucket,
			.prefix = r->m->prefix,
			.continuation_token = token,
			.expected_bucket_owner = r->m->bucket_owner};
		struct inside *i = inside_run(r->d->cloud, &r->who, "s3", S3_OP_LIST_OBJECTS_V2, &in, NULL);
		status s = i->ok ? OK : refused(r, i);
		const struct s3_list_objects_v2_output *l = i->out;
		for (size_t n = 0; is_ok(s) && n < l->contents.n; n++)
			if (l->contents.v[n].size.v > 0) s = read_object(r, l->contents.v[n].key);
		more = is_ok(s) && l->is_truncated.v;
		if (more) token = str_dup(r->w->a, l->next_continuation_token);
		inside_free(i);
		TRY(s);
	}
	return OK;
}

/* ddb_restore_finish without a caller to tell. */
static status finish(struct work *w, void *record)
{
	struct dynamodb_rec_table r = *(struct dynamodb_rec_table *)record;
	struct table *t;
	status s = ddb_find(w, r.account, r.region, r.name, &t);
	if (is_ok(s)) return STATUS(BUSY);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	ddb_purge_not(w, (uint64_t)r.id.v);
	ddb_put_table(w, &r);
	return OK;
}

static status run(struct ddb *d, struct store_tx *tx, struct arena *a, struct dynamodb_rec_import *m)
{
	struct call nobody = {.arena = a, .cloud = d->cloud, .now_ms = clock_now(d->cloud->clock)};
	struct work w = {.c = &nobody, .a = a, .d = d, .tx = tx};
	struct copy x;
	struct table *t = ddb_table_of(&w, m->table);
	struct reader r = {.d = d, .m = m, .w = &w, .x = &x, .t = t};
	r.who = inside_service(a, m->table->account, m->table->region, STR("dynamodb.amazonaws.com"));
	copy_init(&x);
	status s = copy_one(&w, &x, ddb_restore_announce, m->table);
	if (is_ok(s)) s = read_all(&r);
	if (is_ok(s)) s = copy_one(&w, &x, finish, m->table);
	if (status_is(s, STATUS_BUSY)) {
		r.failure = STR("ResourceInUse");
		r.failure_message = str_fmt(a, "Table already exists: %.*s", STR_ARG(m->table->name));
		s = STATUS(FAILED);
	}
	copy_cleanup(&x);
	if (is_ok(s) || status_is(s, STATUS_FAILED)) {
		m->status = is_ok(s) ? STR("COMPLETED") : STR("FAILED");
		m->failure = r.failure;
		m->failure_message = r.failure_message;
		m->processed = SOME_I64(r.processed);
		m->imported = SOME_I64(r.imported);
		m->errors = SOME_I64(r.errors);
		m->bytes = SOME_I64(r.bytes);
		m->ended = SOME_I64(clock_now(d->cloud->clock));
		s = OK;
	}
	nobody.arena = NULL; /* no call: the table goes now */
	return work_end(&w, s);
}

static status job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *j, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct str bytes;
	struct dynamodb_rec_import m = {0};
	(void)again_ms;
	status s = store_get(tx, j->payload, &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(dynamodb_rec_import_decode(a, bytes, &m));
	if (!str_is(m.status, IN_PROGRESS)) return OK;
	struct store_tx *snapshot = store_begin(d->cloud->store, a, true);
	s = run(d, snapshot, a, &m);
	store_end(snapshot);
	TRY(s);
	store_put(tx, j->payload, dynamodb_rec_import_encode(a, &m));
	return OK;
}

void ddb_import_jobs(struct ddb *d)
{
	jobs_register(d->cloud->jobs, import_kind, job, d);
}

/* ── operations ── */

static struct dynamodb_s3_bucket_source *source(struct work *w, const struct dynamodb_rec_import *m)
{
	struct dynamodb_s3_bucket_source *s = arena_new(w->a, struct dynamodb_s3_bucket_source);
	s->s3_bucket = m->bucket;
	s->s3_bucket_owner = m->bucket_owner;
	s->s3_key_prefix = m->prefix;
	return s;
}

static struct dynamodb_table_creation_parameters *parameters(struct work *w, const struct dynamodb_rec_table *r)
{
	struct dynamodb_table_creation_parameters *p = arena_new(w->a, struct dynamodb_table_creation_parameters);
	struct dynamodb_table_description *d = ddb_describe(w, r, STR("CREATING"));
	size_t capacity = 0;
	p->table_name = d->table_name;
	p->attribute_definitions = d->attribute_definitions;
	p->key_schema = d->key_schema;
	p->billing_mode = r->on_demand.v ? STR("PAY_PER_REQUEST") : STR("PROVISIONED");
	if (!r->on_demand.v) {
		p->provisioned_throughput = arena_new(w->a, struct dynamodb_provisioned_throughput);
		p->provisioned_throughput->read_capacity_units = d->provisioned_throughput->read_capacity_units;
		p->provisioned_throughput->write_capacity_units = d->provisioned_throughput->write_capacity_units;
	}
	for (size_t i = 0; i < d->global_secondary_indexes.n; i++) {
		const struct dynamodb_global_secondary_index_description *x = &d->global_secondary_indexes.v[i];
		struct dynamodb_global_secondary_index *g = VEC_PUSH(w->a, &p->global_secondary_indexes, &capacity);
		g->index_name = x->index_name;
		g->key_schema = x->key_schema;
		g->projection = x->projection;
	}
	return p;
}

static struct dynamodb_import_table_description *describe(struct work *w, const struct dynamodb_rec_import *m)
{
	struct dynamodb_import_table_description *d = arena_new(w->a, struct dynamodb_import_table_description);
	d->import_arn = arn_of(w->a, m);
	d->import_status = m->status;
	d->table_arn = ddb_table_arn(w->a, m->table);
	d->table_id = m->table->uuid;
	d->client_token = m->token;
	d->s3_bucket_source = source(w, m);
	d->error_count = SOME_I64(m->errors.v);
	d->input_format = m->format;
	if (str_is(m->format, "CSV")) {
		d->input_format_options = arena_new(w->a, struct dynamodb_input_format_options);
		d->input_format_options->csv = arena_new(w->a, struct dynamodb_csv_options);
		d->input_format_options->csv->delimiter = str_has(m->delimiter) ? m->delimiter : STR(",");
		if (m->headers.n) {
			d->input_format_options->csv->header_list.v = m->headers.v;
			d->input_format_options->csv->header_list.n = m->headers.n;
		}
	}
	d->input_compression_type = m->compression;
	d->table_creation_parameters = parameters(w, m->table);
	d->start_time = SOME_TIME(m->started.v);
	if (m->ended.has) {
		d->end_time = SOME_TIME(m->ended.v);
		d->processed_item_count = SOME_I64(m->processed.v);
		d->imported_item_count = SOME_I64(m->imported.v);
		d->processed_size_bytes = SOME_I64(m->bytes.v);
	}
	d->failure_code = m->failure;
	d->failure_message = m->failure_message;
	return d;
}

/* The import that was asked for with this token within eight hours; NOT_FOUND where there is none. */
static status find_token(struct work *w, struct str token, struct dynamodb_rec_import *out)
{
	struct str prefix = record_key(w->a, w->c->account, w->c->region, STR_NONE), key, bytes;
	struct store_scan *scan = store_scan_begin(w->tx, prefix, key_after(w->a, prefix), true);
	bool found = false;
	while (!found && store_scan_next(scan, &key, &bytes)) {
		*out = (struct dynamodb_rec_import){0};
		found = is_ok(dynamodb_rec_import_decode(w->a, str_dup(w->a, bytes), out)) &&
			str_eq(out->token, token) && out->started.v > w->c->now_ms - INT64_C(8) * 3600 * 1000;
	}
	TRY(store_scan_end(scan));
	return found ? OK : STATUS(NOT_FOUND);
}

static status try_bucket(struct work *w, struct dynamodb_rec_import *m)
{
	struct inside_caller who = {.principal = w->c->principal, .region = w->c->region};
	struct s3_list_objects_v2_input in = {.bucket = m->bucket,
		.prefix = m->prefix,
		.max_keys = SOME_I32(1),
		.expected_bucket_owner = m->bucket_owner};
	struct inside *i = inside_run(w->d->cloud, &who, "s3", S3_OP_LIST_OBJECTS_V2, &in, NULL);
	if (!i->ok) {
		m->status = STR("FAILED");
		m->failure = str_cat(w->a, STR("S3"), i->code);
		m->failure_message = str_dup(w->a, i->message);
		m->ended = SOME_I64(w->c->now_ms);
	}
	inside_free(i);
	return OK;
}

static status commit(struct work *w, const struct dynamodb_rec_import *m)
{
	store_ticket ticket = 0;
	struct store_tx *tx = store_begin(w->d->cloud->store, w->a, false);
	struct str key = record_key(w->a, m->table->account, m->table->region, m->id);
	store_put(tx, key, dynamodb_rec_import_encode(w->a, m));
	if (str_is(m->status, IN_PROGRESS))
		jobs_schedule(tx, &(struct job){.kind = str_c(import_kind),
					  .id = str_cat(w->a, ddb_table_arn(w->a, m->table), m->id),
					  .due_ms = w->c->now_ms,
					  .payload = key});
	status s = store_commit(tx, &ticket);
	store_end(tx);
	TRY(s);
	call_ticket(w->c, ticket);
	jobs_poke(w->d->cloud->jobs);
	return OK;
}

static status check_format(struct work *w, const struct dynamodb_import_table_input *in)
{
	if (in->input_format_options && in->input_format_options->csv && !str_is(in->input_format, "CSV"))
		return VALIDATION(w,
			"One or more parameter values were invalid: InputFormatOptions can only be specified "
			"when InputFormat is CSV");
	return OK;
}

static status import_table(
	struct work *w, const struct dynamodb_import_table_input *in, struct dynamodb_import_table_output *out)
{
	const struct dynamodb_table_creation_parameters *p = in->table_creation_parameters;
	const struct dynamodb_csv_options *csv = in->input_format_options ? in->input_format_options->csv : NULL;
	struct dynamodb_rec_import m = {0};
	struct dynamodb_rec_table r;
	if (str_has(in->client_token) && is_ok(find_token(w, in->client_token, &m))) {
		if (!str_eq(m.table->name, p->table_name) || !str_eq(m.bucket, in->s3_bucket_source->s3_bucket))
			return call_fail(w->c, DYNAMODB_ERR_IMPORT_CONFLICT_EXCEPTION,
				"There was a conflict when importing from the specified S3 source: the client token "
				"was "
				"used for another import");
		out->import_table_description = describe(w, &m);
		return OK;
	}
	TRY(check_format(w, in));
	struct dynamodb_create_table_input create = {
		.table_name = p->table_name,
		.attribute_definitions = p->attribute_definitions,
		.key_schema = p->key_schema,
		.billing_mode = p->billing_mode,
		.provisioned_throughput = p->provisioned_throughput,
		.on_demand_throughput = p->on_demand_throughput,
		.sse_specification = p->sse_specification,
		.global_secondary_indexes = p->global_secondary_indexes,
	};
	TRY(ddb_create_record(w, &create, &r));
	m = (struct dynamodb_rec_import){
		.id = str_fmt(w->a, "%014lld-%08llx", (long long)w->c->now_ms,
			(unsigned long long)(rand_u64() & 0xffffffffu)),
		.table = &r,
		.status = STR(IN_PROGRESS),
		.started = SOME_I64(w->c->now_ms),
		.token = str_has(in->client_token) ? in->client_token : rand_uuid(w->a),
		.bucket = in->s3_bucket_source->s3_bucket,
		.bucket_owner = in->s3_bucket_source->s3_bucket_owner,
		.prefix = in->s3_bucket_source->s3_key_prefix,
		.format = in->input_format,
		.compression = str_has(in->input_compression_type) ? in->input_compression_type : STR("NONE"),
		.delimiter = csv ? csv->delimiter : STR_NONE,
	};
	if (csv) {
		m.headers.v = csv->header_list.v;
		m.headers.n = csv->header_list.n;
	}
	TRY(try_bucket(w, &m));
	TRY(commit(w, &m));
	out->import_table_description = describe(w, &m);
	return OK;
}

status dynamodb_import_table(
	struct call *c, const struct dynamodb_import_table_input *in, struct dynamodb_import_table_output *out)
{
	struct work w;
	work_begin(&w, c);
	w.tx = store_begin(c->cloud->store, c->arena, true);
	status s = import_table(&w, in, out);
	store_end(w.tx);
	return work_end(&w, s);
}

static status describe_import(
	struct work *w, const struct dynamodb_describe_import_input *in, struct dynamodb_describe_import_output *out)
{
	struct str account, region, table, bytes;
	struct dynamodb_rec_import m = {0};
	ptrdiff_t at = str_find(in->import_arn, STR("/import/"));
	bool own = at > 0 && ddb_read_arn(in->import_arn, &account, &region, &table) &&
		   str_eq(account, w->c->account) && str_eq(region, w->c->region);
	status s = own ? store_get(w->tx, record_key(w->a, account, region, str_from(in->import_arn, (size_t)at + 8)),
				 &bytes)
		       : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(w->c, DYNAMODB_ERR_IMPORT_NOT_FOUND_EXCEPTION, "Import not found: %.*s",
			STR_ARG(in->import_arn));
	TRY(s);
	TRY(dynamodb_rec_import_decode(w->a, bytes, &m));
	out->import_table_description = describe(w, &m);
	return OK;
}

status dynamodb_describe_import(
	struct call *c, const struct dynamodb_describe_import_input *in, struct dynamodb_describe_import_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe_import(&w, in, out));
}

static status list_imports(
	struct work *w, const struct dynamodb_list_imports_input *in, struct dynamodb_list_imports_output *out)
{
	struct str prefix = record_key(w->a, w->c->account, w->c->region, STR_NONE), from = prefix, key, bytes,
		   last = STR_NONE;
	size_t most = in->page_size.has ? (size_t)in->page_size.v : 25, capacity = 0;
	if (str_has(in->next_token)) {
		struct str after;
		if (!is_ok(str_unbase64(w->a, in->next_token, &after)) || !str_starts(after, prefix))
			return VALIDATION(w, "One or more parameter values were invalid: NextToken is invalid");
		from = key_next(w->a, after);
	}
	VEC_PRESENT(w->a, &out->import_summary_list);
	status s = OK;
	struct store_scan *scan = store_scan_begin(w->tx, from, key_after(w->a, prefix), false);
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct dynamodb_rec_import m = {0};
		s = dynamodb_rec_import_decode(w->a, str_dup(w->a, bytes), &m);
		if (!is_ok(s)) break;
		struct str arn = ddb_table_arn(w->a, m.table);
		if (str_has(in->table_arn) && !str_eq(arn, in->table_arn)) continue;
		if (out->import_summary_list.n == most) {
			out->next_token = str_base64(w->a, last);
			break;
		}
		last = str_dup(w->a, key);
		struct dynamodb_import_summary *i = VEC_PUSH(w->a, &out->import_summary_list, &capacity);
		*i = (struct dynamodb_import_summary){.import_arn = arn_of(w->a, &m),
			.import_status = m.status,
			.table_arn = arn,
			.s3_bucket_source = source(w, &m),
			.input_format = m.format,
			.start_time = SOME_TIME(m.started.v)};
		if (m.ended.has) i->end_time = SOME_TIME(m.ended.v);
	}
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status dynamodb_list_imports(
	struct call *c, const struct dynamodb_list_imports_input *in, struct dynamodb_list_imports_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, list_imports(&w, in, out));
}
