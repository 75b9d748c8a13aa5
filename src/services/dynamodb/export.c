/* ExportTableToPointInTime: a table's items as of an instant, or what changed in a period, written to a bucket by a
 * durable job ("DynamoDB data export to Amazon S3: how it works"). The request itself tries, with the caller's rights,
 * whether the bucket can be written; the job then writes the same objects again when it has to begin anew. */
#include "base/rand.h"
#include "call/inside.h"
#include "s3.h"
#include "services/dynamodb/history.h"
#include "services/dynamodb/value_text.h"
#include <stdio.h>
#include <zlib.h>

static const char export_kind[] = "dynamodb.export";
enum { FILE_BYTES = 16 << 20, LATE_MS = 5000 };
#define IN_PROGRESS "IN_PROGRESS"

static struct str record_key(struct arena *a, struct str account, struct str region, struct str table, struct str id)
{
	struct key k = ddb_key(a, "export");
	key_str(&k, account);
	key_str(&k, region);
	if (str_has(table)) key_str(&k, table);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static struct str key_of(struct arena *a, const struct dynamodb_rec_export *e)
{
	return record_key(a, e->table->account, e->table->region, e->table->name, e->id);
}

static struct str arn_of(struct arena *a, const struct dynamodb_rec_export *e)
{
	return str_fmt(a, "%.*s/export/%.*s", STR_ARG(ddb_table_arn(a, e->table)), STR_ARG(e->id));
}

static bool incremental(const struct dynamodb_rec_export *e)
{
	return e->from.has;
}

/* PREFIX/AWSDynamoDB/ID/…; a period's data are beside the exports, in PREFIX/AWSDynamoDB/data/. */
static struct str object_key(struct arena *a, const struct dynamodb_rec_export *e, bool data, const char *name)
{
	struct str p = e->prefix;
	while (str_ends(p, STR("/"))) p = str_sub(p, 0, p.n - 1);
	struct str folder = str_fmt(a, "%.*s%sAWSDynamoDB/", STR_ARG(p), p.n ? "/" : "");
	if (data && incremental(e)) return str_fmt(a, "%.*sdata/%s", STR_ARG(folder), name);
	return str_fmt(a, "%.*s%.*s/%s%s", STR_ARG(folder), STR_ARG(e->id), data ? "data/" : "", name);
}

/* ── writing to the bucket ── */

struct put {
	struct str code, message; /* of a refusal */
	struct str etag;
};

static status put_object(struct cloud *cloud, struct arena *a, const struct inside_caller *who,
	const struct dynamodb_rec_export *e, struct str key, struct str bytes, struct put *out)
{
	struct s3_put_object_input in = {
		.bucket = e->bucket,
		.key = key,
		.expected_bucket_owner = e->bucket_owner,
		.server_side_encryption = str_is(e->sse, "KMS") ? STR("aws:kms") : e->sse,
		.ssekms_key_id = e->sse_key,
	};
	struct inside *i = inside_run(cloud, who, "s3", S3_OP_PUT_OBJECT, &in, &bytes);
	bool ok = i->ok;
	if (ok) {
		out->etag = str_dup(a, ((const struct s3_put_object_output *)i->out)->e_tag);
	} else {
		out->code = str_dup(a, i->code);
		out->message = str_dup(a, i->message);
	}
	inside_free(i);
	return ok ? OK : STATUS(FAILED);
}

static struct str gzip(struct arena *a, struct str s)
{
	z_stream z = {0};
	INVARIANT(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	uLong bound = deflateBound(&z, s.n);
	char *out = arena_alloc_raw(a, bound);
	union {
		const char *in;
		Bytef *out;
	} from = {s.p};
	z.next_in = from.out;
	z.avail_in = (uInt)s.n;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)bound;
	INVARIANT(deflate(&z, Z_FINISH) == Z_STREAM_END);
	size_t n = bound - z.avail_out;
	deflateEnd(&z);
	return str_n(out, n);
}

static struct str md5_base64(struct arena *a, struct str bytes)
{
	uint8_t hash[16];
	digest_md5(bytes, hash);
	return str_base64(a, str_n(hash, sizeof(hash)));
}

/* ── the job ── */

struct writer {
	struct cloud *cloud;
	struct dynamodb_rec_export *e;
	const struct table *t;
	struct inside_caller who;
	struct arena *keep, scratch; /* scratch: of one file */
	struct buf lines;            /* the file's, on the heap */
	struct buf manifest;         /* manifest-files.json */
	unsigned files;
	int64_t in_file, items, bytes;
	struct put refused;
};

static status end_file(struct writer *w)
{
	struct put done = {0};
	char name[80];
	bool ion = str_is(w->e->format, "ION");
	arena_reset(&w->scratch);
	snprintf(name, sizeof(name), "%.*s%03u.%s.gz", (int)(w->e->id.n < 40 ? w->e->id.n : 40), w->e->id.p, w->files++,
		ion ? "ion" : "json");
	struct str key = object_key(&w->scratch, w->e, true, name), packed = gzip(&w->scratch, buf_done(&w->lines));
	status s = put_object(w->cloud, w->keep, &w->who, w->e, key, packed, &done);
	if (!is_ok(s)) {
		w->refused = done;
		return s;
	}
	buf_fmt(&w->manifest, "{\"itemCount\":%lld,\"md5Checksum\":\"%.*s\",\"etag\":", (long long)w->in_file,
		STR_ARG(md5_base64(&w->scratch, packed)));
	struct str etag = done.etag;
	if (str_starts(etag, STR("\""))) etag = str_sub(etag, 1, etag.n - 2);
	json_quote(&w->manifest, etag);
	buf_lit(&w->manifest, ",\"dataFileS3Key\":");
	json_quote(&w->manifest, key);
	buf_lit(&w->manifest, "}\n");
	w->lines.n = 0;
	w->in_file = 0;
	return OK;
}

static void put_item(struct writer *w, const struct value *item)
{
	if (str_is(w->e->format, "ION"))
		ddb_ion_item(&w->lines, item);
	else
		ddb_json_item(&w->lines, item);
}

static void name_of(struct writer *w, const char *name)
{
	if (str_is(w->e->format, "ION"))
		buf_fmt(&w->lines, "%s:", name);
	else
		buf_fmt(&w->lines, "\"%s\":", name);
}

static status full_item(struct writer *w, struct arena *a, const struct past *p)
{
	struct value item;
	if (!p->to.n) return OK;
	TRY(ddb_item_load(a, p->to, &item));
	w->bytes += (int64_t)ddb_item_size(&item);
	w->items++;
	w->in_file++;
	if (str_is(w->e->format, "ION")) buf_lit(&w->lines, "$ion_1_0 ");
	buf_byte(&w->lines, '{');
	name_of(w, "Item");
	put_item(w, &item);
	buf_lit(&w->lines, "}\n");
	return OK;
}

/* "Inserted and deleted within the period" leaves nothing but its key, which is not told. */
static status changed_item(struct writer *w, struct arena *a, const struct past *p)
{
	struct value from = ddb_map(), to = ddb_map();
	if (!p->changed_s || (!p->from.n && !p->to.n)) return OK;
	if (p->from.n) TRY(ddb_item_load(a, p->from, &from));
	if (p->to.n) TRY(ddb_item_load(a, p->to, &to));
	w->bytes += (int64_t)(ddb_item_size(&from) + ddb_item_size(&to));
	w->items++;
	w->in_file++;
	struct value keys = ddb_key_of(a, w->t, p->to.n ? &to : &from);
	if (str_is(w->e->format, "ION"))
		buf_fmt(&w->lines, "$ion_1_0 {Record:{Metadata:{WriteTimestampMicros:%lld000000.},",
			(long long)p->changed_s);
	else
		buf_fmt(&w->lines, "{\"Metadata\":{\"WriteTimestampMicros\":{\"N\":\"%lld000000\"}},",
			(long long)p->changed_s);
	name_of(w, "Keys");
	put_item(w, &keys);
	if (p->from.n && !str_is(w->e->view, "NEW_IMAGE")) {
		buf_byte(&w->lines, ',');
		name_of(w, "OldImage");
		put_item(w, &from);
	}
	if (p->to.n) {
		buf_byte(&w->lines, ',');
		name_of(w, "NewImage");
		put_item(w, &to);
	}
	buf_str(&w->lines, str_is(w->e->format, "ION") ? STR("}}\n") : STR("}\n"));
	return OK;
}

static status take(void *ctx, const struct past *p)
{
	struct writer *w = ctx;
	arena_reset(&w->scratch);
	TRY(incremental(w->e) ? changed_item(w, &w->scratch, p) : full_item(w, &w->scratch, p));
	return w->lines.n < FILE_BYTES ? OK : end_file(w);
}

static void member(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
	if (str_has(value))
		json_quote(b, value);
	else
		buf_lit(b, "null");
}

static struct str summary(struct writer *w)
{
	struct dynamodb_rec_export *e = w->e;
	struct arena *a = w->keep;
	struct buf b = BUF_IN(a);
	buf_byte(&b, '{');
	member(&b, "version", incremental(e) ? STR("2023-08-01") : STR("2020-06-30"));
	member(&b, "exportArn", arn_of(a, e));
	member(&b, "startTime", time_iso8601(a, e->started.v, true));
	member(&b, "endTime", time_iso8601(a, e->ended.v, true));
	member(&b, "tableArn", ddb_table_arn(a, e->table));
	member(&b, "tableId", e->table->uuid);
	if (incremental(e)) {
		member(&b, "exportFromTime", time_iso8601(a, e->from.v * 1000, true));
		member(&b, "exportToTime", time_iso8601(a, e->at.v * 1000, true));
	} else {
		member(&b, "exportTime", time_iso8601(a, e->at.v * 1000, true));
	}
	member(&b, "s3Bucket", e->bucket);
	member(&b, "s3Prefix", e->prefix);
	member(&b, "s3SseAlgorithm", str_has(e->sse) ? e->sse : STR("AES256"));
	member(&b, "s3SseKmsKeyId", e->sse_key);
	member(&b, "manifestFilesS3Key", object_key(a, e, false, "manifest-files.json"));
	buf_fmt(&b, ",\"billedSizeBytes\":%lld,\"itemCount\":%lld", (long long)w->bytes, (long long)w->items);
	member(&b, "outputFormat", e->format);
	if (incremental(e)) member(&b, "outputView", e->view);
	member(&b, "exportType", incremental(e) ? STR("INCREMENTAL_EXPORT") : STR("FULL_EXPORT"));
	buf_lit(&b, "}\n");
	return buf_done(&b);
}

static status put_named(struct writer *w, const char *name, struct str bytes)
{
	struct arena *a = w->keep;
	return put_object(w->cloud, a, &w->who, w->e, object_key(a, w->e, false, name), bytes, &w->refused);
}

static status write_all(struct writer *w, struct work *work)
{
	int64_t to = w->e->at.v, from = incremental(w->e) ? w->e->from.v : to;
	TRY(ddb_history_read(work, w->t, from, to, take, w));
	TRY(end_file(w));
	struct str files = buf_done(&w->manifest);
	TRY(put_named(w, "manifest-files.json", files));
	TRY(put_named(w, "manifest-files.checksum", md5_base64(w->keep, files)));
	w->e->ended = SOME_I64(clock_now(w->cloud->clock));
	struct str told = summary(w);
	TRY(put_named(w, "manifest-summary.json", told));
	return put_named(w, "manifest-summary.checksum", md5_base64(w->keep, told));
}

static void fail(struct dynamodb_rec_export *e, struct str code, struct str message, int64_t now_ms)
{
	e->status = STR("FAILED");
	e->failure = code;
	e->failure_message = message;
	e->ended = SOME_I64(now_ms);
}

static status write_export(struct ddb *d, struct store_tx *tx, struct arena *a, struct dynamodb_rec_export *e)
{
	struct work work = {.a = a, .d = d, .tx = tx};
	struct writer w = {.cloud = d->cloud, .e = e, .keep = a, .lines = BUF_HEAP, .manifest = BUF_HEAP};
	struct table *t = NULL;
	status s = ddb_find(&work, e->table->account, e->table->region, e->table->name, &t);
	if (is_ok(s) && t->id != (uint64_t)e->table->id.v) s = STATUS(NOT_FOUND);
	w.t = t;
	w.who = inside_service(a, e->table->account, e->table->region, STR("dynamodb.amazonaws.com"));
	arena_init(&w.scratch);
	if (is_ok(s)) s = write_all(&w, &work);
	arena_cleanup(&w.scratch);
	buf_cleanup(&w.lines);
	buf_cleanup(&w.manifest);
	int64_t now = clock_now(d->cloud->clock);
	if (is_ok(s)) {
		e->status = STR("COMPLETED");
		e->items = SOME_I64(w.items);
		e->bytes = SOME_I64(w.bytes);
	} else if (status_is(s, STATUS_FAILED)) {
		fail(e, str_cat(a, STR("S3"), w.refused.code), w.refused.message, now);
		s = OK;
	} else if (status_is(s, STATUS_NOT_FOUND)) {
		fail(e, STR("TableNotFound"), STR("The table was deleted while it was exported"), now);
		s = OK;
	}
	return work_end(&work, s);
}

static status job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *j, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct str bytes;
	struct dynamodb_rec_export e = {0};
	(void)again_ms;
	status s = store_get(tx, j->payload, &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(dynamodb_rec_export_decode(a, bytes, &e));
	if (!str_is(e.status, IN_PROGRESS)) return OK;
	/* Reads go on for long: a snapshot of their own, so that this transaction has nothing to lose. */
	struct store_tx *snapshot = store_begin(d->cloud->store, a, true);
	s = write_export(d, snapshot, a, &e);
	store_end(snapshot);
	TRY(s);
	store_put(tx, j->payload, dynamodb_rec_export_encode(a, &e));
	return OK;
}

void ddb_export_jobs(struct ddb *d)
{
	jobs_register(d->cloud->jobs, export_kind, job, d);
}

/* ── operations ── */

static struct dynamodb_export_description *describe(struct work *w, const struct dynamodb_rec_export *e)
{
	struct dynamodb_export_description *d = arena_new(w->a, struct dynamodb_export_description);
	struct str manifest = object_key(w->a, e, false, "manifest-summary.json");
	d->export_arn = arn_of(w->a, e);
	d->export_status = e->status;
	d->start_time = SOME_TIME(e->started.v);
	if (e->ended.has) d->end_time = SOME_TIME(e->ended.v);
	if (str_is(e->status, "COMPLETED")) d->export_manifest = manifest;
	d->table_arn = ddb_table_arn(w->a, e->table);
	d->table_id = e->table->uuid;
	d->client_token = e->token;
	d->s3_bucket = e->bucket;
	d->s3_bucket_owner = e->bucket_owner;
	d->s3_prefix = e->prefix;
	d->s3_sse_algorithm = str_has(e->sse) ? e->sse : STR("AES256");
	d->s3_sse_kms_key_id = e->sse_key;
	d->failure_code = e->failure;
	d->failure_message = e->failure_message;
	d->export_format = e->format;
	if (e->items.has) {
		d->item_count = SOME_I64(e->items.v);
		d->billed_size_bytes = SOME_I64(e->bytes.v);
	}
	d->export_type = incremental(e) ? STR("INCREMENTAL_EXPORT") : STR("FULL_EXPORT");
	if (incremental(e)) {
		struct dynamodb_incremental_export_specification *i = d->incremental_export_specification =
			arena_new(w->a, struct dynamodb_incremental_export_specification);
		i->export_from_time = SOME_TIME(e->from.v * 1000);
		i->export_to_time = SOME_TIME(e->at.v * 1000);
		i->export_view_type = e->view;
	} else {
		d->export_time = SOME_TIME(e->at.v * 1000);
	}
	return d;
}

static status bad_time(struct work *w, const char *text)
{
	return call_fail(w->c, DYNAMODB_ERR_INVALID_EXPORT_TIME_EXCEPTION, "%s", text);
}

/* "The time period must be between 15 minutes and 24 hours". */
static status choose_period(struct work *w, const struct dynamodb_export_table_to_point_in_time_input *in,
	int64_t first, int64_t last, struct dynamodb_rec_export *e)
{
	const struct dynamodb_incremental_export_specification *i = in->incremental_export_specification;
	if (!i || !i->export_from_time.has)
		return VALIDATION(w, "One or more parameter values were invalid: IncrementalExportSpecification with "
				     "ExportFromTime is required for an incremental export");
	int64_t from = i->export_from_time.ms / 1000, to = i->export_to_time.has ? i->export_to_time.ms / 1000 : last;
	if (from < first || to > last + LATE_MS / 1000 || from >= to)
		return bad_time(w, "The specified export period is invalid: it must lie within the restorable period");
	if (to - from < 15 * 60 || to - from > 24 * 3600)
		return VALIDATION(w,
			"One or more parameter values were invalid: The difference between ExportFromTime and "
			"ExportToTime must be between 15 minutes and 24 hours");
	e->from = SOME_I64(from);
	e->at = SOME_I64(to);
	e->view = str_has(i->export_view_type) ? i->export_view_type : STR("NEW_AND_OLD_IMAGES");
	return OK;
}

static status choose_time(struct work *w, const struct dynamodb_export_table_to_point_in_time_input *in,
	const struct table *t, struct dynamodb_rec_export *e)
{
	int64_t first, last;
	if (!ddb_history_range(&t->record, w->c->now_ms, &first, &last))
		return call_fail(w->c, DYNAMODB_ERR_POINT_IN_TIME_RECOVERY_UNAVAILABLE_EXCEPTION,
			"Point in time recovery is not enabled for table '%.*s'", STR_ARG(t->name));
	if (str_is(in->export_type, "INCREMENTAL_EXPORT")) return choose_period(w, in, first, last, e);
	if (in->incremental_export_specification)
		return VALIDATION(w,
			"One or more parameter values were invalid: IncrementalExportSpecification can only be "
			"specified for an incremental export");
	/* Without a time: what is there now, this second's changes too. */
	int64_t at = in->export_time.has ? (in->export_time.ms + 999) / 1000 : last + 1;
	if (in->export_time.has && (at < first || in->export_time.ms > w->c->now_ms + LATE_MS))
		return bad_time(w, "The specified ExportTime is outside of the point in time recovery window.");
	e->at = SOME_I64(at);
	return OK;
}

static status commit(struct work *w, const struct dynamodb_rec_export *e)
{
	store_ticket ticket = 0;
	struct store_tx *tx = store_begin(w->d->cloud->store, w->a, false);
	struct str key = key_of(w->a, e);
	store_put(tx, key, dynamodb_rec_export_encode(w->a, e));
	if (str_is(e->status, IN_PROGRESS))
		jobs_schedule(tx, &(struct job){.kind = str_c(export_kind),
					  .id = str_cat(w->a, ddb_table_arn(w->a, e->table), e->id),
					  .due_ms = w->c->now_ms,
					  .payload = key});
	status s = store_commit(tx, &ticket);
	store_end(tx);
	TRY(s);
	call_ticket(w->c, ticket);
	jobs_poke(w->d->cloud->jobs);
	return OK;
}

/* The export that was asked for with this token before; NOT_FOUND where there is none. */
static status find_token(struct work *w, const struct table *t, struct str token, struct dynamodb_rec_export *out)
{
	struct str prefix = record_key(w->a, w->c->account, w->c->region, t->name, STR_NONE), key, bytes;
	struct store_scan *scan = store_scan_begin(w->tx, prefix, key_after(w->a, prefix), true);
	bool found = false;
	while (!found && store_scan_next(scan, &key, &bytes)) {
		*out = (struct dynamodb_rec_export){0};
		found = is_ok(dynamodb_rec_export_decode(w->a, str_dup(w->a, bytes), out)) &&
			str_eq(out->token, token) && out->started.v > w->c->now_ms - INT64_C(8) * 3600 * 1000;
	}
	TRY(store_scan_end(scan));
	return found ? OK : STATUS(NOT_FOUND);
}

static bool same(const struct dynamodb_rec_export *e, const struct dynamodb_export_table_to_point_in_time_input *in)
{
	return str_eq(e->bucket, in->s3_bucket) && str_eq(str_or(e->prefix, STR("")), str_or(in->s3_prefix, STR(""))) &&
	       incremental(e) == str_is(in->export_type, "INCREMENTAL_EXPORT");
}

static status export_table(struct work *w, const struct dynamodb_export_table_to_point_in_time_input *in,
	struct dynamodb_export_table_to_point_in_time_output *out)
{
	struct table *t;
	struct str name = STR_NONE;
	struct dynamodb_rec_export e = {0};
	TRY(ddb_table_name(w, in->table_arn, &name));
	status s = ddb_find(w, w->c->account, w->c->region, name, &t);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(w->c, DYNAMODB_ERR_TABLE_NOT_FOUND_EXCEPTION, "Table not found: %.*s", STR_ARG(name));
	TRY(s);
	if (str_has(in->client_token) && is_ok(find_token(w, t, in->client_token, &e))) {
		if (!same(&e, in))
			return call_fail(w->c, DYNAMODB_ERR_EXPORT_CONFLICT_EXCEPTION,
				"There was a conflict when writing to the specified S3 bucket: the client token was "
				"used "
				"for another export");
		out->export_description = describe(w, &e);
		return OK;
	}
	e = (struct dynamodb_rec_export){
		.id = str_fmt(w->a, "%014lld-%08llx", (long long)w->c->now_ms,
			(unsigned long long)(rand_u64() & 0xffffffffu)),
		.table = &t->record,
		.status = STR(IN_PROGRESS),
		.started = SOME_I64(w->c->now_ms),
		.token = str_has(in->client_token) ? in->client_token : rand_uuid(w->a),
		.bucket = in->s3_bucket,
		.bucket_owner = in->s3_bucket_owner,
		.prefix = in->s3_prefix,
		.sse = in->s3_sse_algorithm,
		.sse_key = in->s3_sse_kms_key_id,
		.format = str_has(in->export_format) ? in->export_format : STR("DYNAMODB_JSON"),
	};
	TRY(choose_time(w, in, t, &e));
	struct inside_caller who = {.principal = w->c->principal, .region = w->c->region};
	struct put refused = {0};
	s = put_object(w->d->cloud, w->a, &who, &e, object_key(w->a, &e, false, "_started"), STR(""), &refused);
	if (!is_ok(s)) fail(&e, str_cat(w->a, STR("S3"), refused.code), refused.message, w->c->now_ms);
	TRY(commit(w, &e));
	out->export_description = describe(w, &e);
	return OK;
}

status dynamodb_export_table_to_point_in_time(struct call *c,
	const struct dynamodb_export_table_to_point_in_time_input *in,
	struct dynamodb_export_table_to_point_in_time_output *out)
{
	struct work w;
	work_begin(&w, c);
	w.tx = store_begin(c->cloud->store, c->arena, true);
	status s = export_table(&w, in, out);
	store_end(w.tx);
	return work_end(&w, s);
}

static status describe_export(
	struct work *w, const struct dynamodb_describe_export_input *in, struct dynamodb_describe_export_output *out)
{
	struct str account, region, table, bytes;
	struct dynamodb_rec_export e = {0};
	ptrdiff_t at = str_find(in->export_arn, STR("/export/"));
	bool own = at > 0 && ddb_read_arn(in->export_arn, &account, &region, &table) &&
		   str_eq(account, w->c->account) && str_eq(region, w->c->region);
	status s = own ? store_get(w->tx,
				 record_key(w->a, account, region, table, str_from(in->export_arn, (size_t)at + 8)),
				 &bytes)
		       : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(w->c, DYNAMODB_ERR_EXPORT_NOT_FOUND_EXCEPTION, "Export not found: %.*s",
			STR_ARG(in->export_arn));
	TRY(s);
	TRY(dynamodb_rec_export_decode(w->a, bytes, &e));
	out->export_description = describe(w, &e);
	return OK;
}

status dynamodb_describe_export(
	struct call *c, const struct dynamodb_describe_export_input *in, struct dynamodb_describe_export_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe_export(&w, in, out));
}

static status list_exports(
	struct work *w, const struct dynamodb_list_exports_input *in, struct dynamodb_list_exports_output *out)
{
	struct str table = STR_NONE, key, bytes;
	size_t most = in->max_results.has ? (size_t)in->max_results.v : 25, capacity = 0;
	if (str_has(in->table_arn)) TRY(ddb_table_name(w, in->table_arn, &table));
	struct str prefix = record_key(w->a, w->c->account, w->c->region, table, STR_NONE), from = prefix;
	if (str_has(in->next_token)) {
		struct str after;
		if (!is_ok(str_unbase64(w->a, in->next_token, &after)) || !str_starts(after, prefix))
			return VALIDATION(w, "One or more parameter values were invalid: NextToken is invalid");
		from = key_next(w->a, after);
	}
	VEC_PRESENT(w->a, &out->export_summaries);
	status s = OK;
	struct str last = STR_NONE;
	struct store_scan *scan = store_scan_begin(w->tx, from, key_after(w->a, prefix), false);
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct dynamodb_rec_export e = {0};
		if (out->export_summaries.n == most) {
			out->next_token = str_base64(w->a, last);
			break;
		}
		last = str_dup(w->a, key);
		s = dynamodb_rec_export_decode(w->a, str_dup(w->a, bytes), &e);
		if (!is_ok(s)) break;
		*VEC_PUSH(w->a, &out->export_summaries, &capacity) = (struct dynamodb_export_summary){
			.export_arn = arn_of(w->a, &e),
			.export_status = e.status,
			.export_type = incremental(&e) ? STR("INCREMENTAL_EXPORT") : STR("FULL_EXPORT"),
		};
	}
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status dynamodb_list_exports(
	struct call *c, const struct dynamodb_list_exports_input *in, struct dynamodb_list_exports_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, list_exports(&w, in, out));
}
