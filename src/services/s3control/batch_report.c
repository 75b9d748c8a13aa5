/* The completion report ("Examples: S3 Batch Operations completion reports"): CSV files of the tasks that succeeded and
 * of those that failed, and a manifest.json that names them, under PREFIX/job-ID/. Names follow from the job and the
 * file's number, so that a report which is written again after a crash is the same. */
#include "base/json.h"
#include "base/vec.h"
#include "identity/digest.h"
#include "services/s3control/batch.h"

enum { FILE_BYTES_MAX = 32 << 20 };

static void column(struct buf *b, struct str s, bool quoted)
{
	if (b->n && b->p[b->n - 1] != '\n') buf_byte(b, ',');
	if (quoted) buf_byte(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"') buf_byte(b, '"');
		buf_byte(b, s.p[i]);
	}
	if (quoted) buf_byte(b, '"');
}

/* The columns stand as in the guide's examples: the status before the code, whatever ReportSchema says. */
void batch_report_row(struct buf *b, const struct s3control_rec_job *job, const struct s3control_rec_row *row,
	const struct batch_outcome *o)
{
	struct arena a;
	arena_init(&a);
	column(b, job->bucket, false);
	column(b, str_uri_encode(&a, row->key, true), false);
	column(b, row->version_id, false);
	column(b, o->ok ? STR("succeeded") : STR("failed"), false);
	column(b, str_fmt(&a, "%u", o->http_status), false);
	column(b, o->code, false);
	column(b, o->message, true);
	buf_byte(b, '\n');
	arena_cleanup(&a);
}

struct file {
	bool ok;
	struct str key, md5;
};
struct report {
	struct batch *b;
	struct str bucket, base;
	struct buf rows[2]; /* failed, succeeded */
	struct file *v;
	size_t n, capacity;
};

static status put(struct report *r, struct str key, struct str text, struct str type)
{
	struct batch *b = r->b;
	struct s3_put_object_input in = {.bucket = r->bucket,
		.key = key,
		.content_type = type,
		.server_side_encryption = STR("AES256"), /* "always encrypted with Amazon S3 managed keys" */
		.expected_bucket_owner = b->in->report->expected_bucket_owner};
	struct inside *i = inside_run(b->cloud, &b->who, "s3", S3_OP_PUT_OBJECT, &in, &text);
	status s = OK;
	if (!i->ok)
		s = batch_fails(b, "ReportNotWritable", "Writing the completion report failed: %.*s (%.*s)",
			STR_ARG(str_sub(i->message, 0, 128)), STR_ARG(i->code));
	inside_free(i);
	return s;
}

static struct str md5_of(struct arena *a, struct str text)
{
	uint8_t md5[16];
	digest_md5(text, md5);
	return str_hex(a, str_n(md5, sizeof md5));
}

static status flush(struct report *r, bool ok)
{
	struct arena *a = r->b->a;
	struct str text = buf_done(&r->rows[ok]);
	uint8_t hash[32];
	if (!text.n) return OK;
	digest_sha256(str_fmt(a, "%.*s/%zu/%d", STR_ARG(r->b->job->id), r->n, ok), hash);
	struct file *f = VEC_PUSH(a, r, &r->capacity);
	*f = (struct file){.ok = ok,
		.key = str_fmt(a, "%.*sresults/%.*s.csv", STR_ARG(r->base), STR_ARG(str_hex(a, str_n(hash, 20)))),
		.md5 = md5_of(a, text)};
	TRY(put(r, f->key, text, STR("text/csv")));
	r->rows[ok].n = 0;
	return OK;
}

static status add(struct report *r, bool ok, struct str rows)
{
	buf_str(&r->rows[ok], rows);
	return r->rows[ok].n >= FILE_BYTES_MAX ? flush(r, ok) : OK;
}

static status collect(struct report *r, struct store_tx *tx)
{
	struct batch *b = r->b;
	bool all = str_is(b->in->report->report_scope, "AllTasks");
	struct str from = batch_piece_key(b->a, "job-result", b->job->id, -1), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(b->a, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct s3control_rec_results rows = {0};
		struct arena a;
		arena_init(&a);
		s = s3control_rec_results_decode(&a, str_dup(&a, value), &rows);
		if (is_ok(s) && all) s = add(r, true, str_or(rows.succeeded, STR("")));
		if (is_ok(s)) s = add(r, false, str_or(rows.failed, STR("")));
		arena_cleanup(&a);
	}
	status ended = store_scan_end(scan);
	TRY(s);
	TRY(ended);
	TRY(flush(r, true));
	return flush(r, false);
}

static struct str manifest(struct report *r)
{
	struct buf b = BUF_IN(r->b->a);
	buf_fmt(&b, "{\"Format\":\"Report_CSV_20180820\",\"ReportCreationDate\":\"%.*s\",\"Results\":[",
		STR_ARG(time_iso8601(r->b->a, clock_now(r->b->cloud->clock), true)));
	for (size_t i = 0; i < r->n; i++) {
		buf_fmt(&b, "%s{\"TaskExecutionStatus\":\"%s\",\"Bucket\":", i ? "," : "",
			r->v[i].ok ? "succeeded" : "failed");
		json_quote(&b, r->bucket);
		buf_fmt(&b, ",\"MD5Checksum\":\"%.*s\",\"Key\":", STR_ARG(r->v[i].md5));
		json_quote(&b, r->v[i].key);
		buf_byte(&b, '}');
	}
	buf_lit(&b,
		"],\"ReportSchema\":\"Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage\"}");
	return buf_done(&b);
}

static status write_all(struct report *r, struct store_tx *tx)
{
	struct arena *a = r->b->a;
	TRY(collect(r, tx));
	struct str text = manifest(r), key = str_cat(a, r->base, STR("manifest.json"));
	TRY(put(r, key, text, STR("application/json")));
	return put(r, str_cat(a, key, STR(".md5")), md5_of(a, text), STR("text/plain"));
}

status batch_report(struct batch *b)
{
	const struct s3control_job_report *asked = b->in->report;
	struct report r = {.b = b, .rows = {BUF_HEAP, BUF_HEAP}};
	/* "As long as at least one task has been invoked". */
	if (!asked->enabled.v || !b->job->results.v) return OK;
	if (!batch_arn_split(asked->bucket, &r.bucket, NULL)) return STATUS(CORRUPT);
	struct str prefix = str_or(asked->prefix, STR(""));
	r.base = str_fmt(b->a, "%.*s%sjob-%.*s/", STR_ARG(prefix),
		str_empty(prefix) || str_ends(prefix, STR("/")) ? "" : "/", STR_ARG(b->job->id));
	struct store_tx *tx = store_begin(b->cloud->store, b->a, true);
	status s = write_all(&r, tx);
	store_end(tx);
	buf_cleanup(&r.rows[0]);
	buf_cleanup(&r.rows[1]);
	return s;
}
