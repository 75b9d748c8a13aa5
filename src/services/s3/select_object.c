/* SelectObjectContent: what the request says of the object's format, and the selection that runs while it is answered.
 * A statement or a format that is wrong is refused at once; what is wrong with the bytes is told in the stream. Parquet
 * is refused. */
#include "services/s3/archive.h"
#include "services/s3/object.h"
#include "services/s3/select/run.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

static status refuse(struct call *c, struct str code, struct str message)
{
	status s = call_fail(c, S3_ERR_INVALID_REQUEST, "%.*s", STR_ARG(message));
	c->failure.code = code;
	c->failure.http_status = 400;
	return s;
}

static status bad_parameter(struct call *c, const char *message)
{
	return refuse(c, STR("InvalidRequestParameter"), str_c(message));
}

/* One character, the default where it is absent; an empty text means that there is none. */
static status read_char(struct call *c, struct str text, char otherwise, char *out)
{
	*out = str_has(text) ? 0 : otherwise;
	if (text.n == 1) *out = text.p[0];
	return text.n <= 1 ? OK : bad_parameter(c, "A delimiter, quote, escape or comment is a single character.");
}

static status read_csv(struct call *c, const struct s3_csv_input *in, struct sel_plan *p)
{
	struct sel_csv *o = &p->csv;
	struct str header = str_or(in->file_header_info, STR("NONE"));
	p->header_use = str_is(header, "USE");
	p->header_skip = str_is(header, "IGNORE");
	if (!p->header_use && !p->header_skip && !str_is(header, "NONE"))
		return refuse(c, STR("InvalidFileHeaderInfo"),
			STR("The FileHeaderInfo is not valid. Only NONE, USE, and IGNORE are supported."));
	TRY(read_char(c, in->field_delimiter, ',', &o->field));
	TRY(read_char(c, in->quote_character, '"', &o->quote));
	TRY(read_char(c, in->quote_escape_character, o->quote, &o->escape));
	TRY(read_char(c, in->comments, '#', &o->comment));
	if (!str_has(in->comments)) o->comment = 0;
	if (!o->escape) o->escape = o->quote;
	o->record = str_has(in->record_delimiter) ? in->record_delimiter : STR("\n");
	o->quoted_records = in->allow_quoted_record_delimiter.v;
	if (o->record.n < 1 || o->record.n > 2 || !o->field || o->field == o->record.p[0])
		return bad_parameter(c, "The field and record delimiters must differ, and a record delimiter has at "
					"most two characters.");
	return OK;
}

static status read_input(struct call *c, const struct s3_input_serialization *in, struct sel_plan *p)
{
	struct str compression = str_or(in->compression_type, STR("NONE"));
	if (in->parquet)
		return call_fail(c, S3_ERR_NOT_IMPLEMENTED,
			"Parquet is not implemented by virga's S3 Select; CSV and JSON are.");
	if (!in->csv == !in->json)
		return refuse(c, STR("InvalidDataSource"),
			STR("Invalid data source type. Only CSV, JSON, and Parquet are supported."));
	p->gzip = str_is(compression, "GZIP");
	p->bzip2 = str_is(compression, "BZIP2");
	if (!p->gzip && !p->bzip2 && !str_is(compression, "NONE"))
		return refuse(c, STR("InvalidCompressionFormat"),
			STR("The file is not in a supported compression format. Only GZIP and BZIP2 are supported."));
	if (in->csv) return read_csv(c, in->csv, p);
	p->json_in = true;
	if (str_is(in->json->type, "DOCUMENT") || str_is(in->json->type, "LINES")) return OK;
	return refuse(
		c, STR("InvalidJsonType"), STR("The JsonType is not valid. Only DOCUMENT and LINES are supported."));
}

static status read_output(struct call *c, const struct s3_output_serialization *out, struct sel_output *o)
{
	if (!out->csv == !out->json) return bad_parameter(c, "OutputSerialization holds either CSV or JSON.");
	o->json = out->json;
	o->record = out->json ? out->json->record_delimiter : out->csv->record_delimiter;
	if (!str_has(o->record)) o->record = STR("\n");
	if (o->json) return OK;
	struct str quoting = str_or(out->csv->quote_fields, STR("ASNEEDED"));
	o->quote_always = str_is(quoting, "ALWAYS");
	if (!o->quote_always && !str_is(quoting, "ASNEEDED"))
		return refuse(c, STR("InvalidQuoteFields"),
			STR("The QuoteFields is not valid. Only ALWAYS and ASNEEDED are supported."));
	TRY(read_char(c, out->csv->quote_character, '"', &o->quote));
	TRY(read_char(c, out->csv->quote_escape_character, o->quote, &o->escape));
	if (!o->escape) o->escape = o->quote;
	o->field = str_has(out->csv->field_delimiter) ? out->csv->field_delimiter : STR(",");
	return OK;
}

/* "<start>50</start><end>100</end>: process only the records starting between the bytes 50 and 100 (inclusive)";
 * "<end>50</end>: process only the records within the last 50 bytes of the file". */
static status read_range(
	struct call *c, const struct s3_select_object_content_input *in, uint64_t size, struct sel_plan *p)
{
	const struct s3_scan_range *r = in->scan_range;
	if (!r || (!r->start.has && !r->end.has)) return OK;
	if (r->start.v < 0 || r->end.v < 0 || (r->start.has && r->end.has && r->start.v >= r->end.v))
		return refuse(
			c, STR("InvalidScanRange"), STR("The scan range is not valid: Start must be less than End."));
	if (r->start.has && (uint64_t)r->start.v >= size && size)
		return refuse(c, STR("InvalidScanRange"), STR("The scan range begins behind the object's end."));
	if (p->gzip || p->bzip2 || (p->json_in && !str_is(in->input_serialization->json->type, "LINES")) || p->csv.quoted_records)
		return refuse(c, STR("UnsupportedScanRangeInput"),
			STR("Scan range queries are not supported on this type of object. Supported: CSV and JSON "
			    "LINES, "
			    "uncompressed, without quoted record delimiters."));
	p->ranged = true;
	p->start = (uint64_t)r->start.v;
	p->end = r->end.has ? (uint64_t)r->end.v + 1 : UINT64_MAX;
	if (!r->start.has) {
		p->start = size > (uint64_t)r->end.v ? size - (uint64_t)r->end.v : 0;
		p->end = UINT64_MAX;
	}
	return OK;
}

/* ── the object's bytes ── */

static int64_t read_body(void *ctx, uint64_t at, char *p, size_t n)
{
	struct body *b = ctx;
	size_t got;
	if (at >= b->size) return 0;
	if (n > b->size - at) n = (size_t)(b->size - at);
	if (b->read) return b->read(b->read_ctx, at, p, n);
	if (!b->blob) {
		memcpy(p, b->bytes.p + at, n);
		return (int64_t)n;
	}
	return is_ok(blob_read(b->blob, b->offset + at, p, n, &got)) ? (int64_t)got : -1;
}

static void close_body(void *ctx)
{
	struct body *b = ctx;
	if (b->close) b->close(b->read_ctx);
	blob_close(b->blob);
}

status s3_select_object_content(
	struct call *c, const struct s3_select_object_content_input *in, struct s3_select_object_content_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_rec_extents x;
	struct s3_customer customer;
	struct sel_plan plan = {.now_ms = c->now_ms};
	struct sel_error why;
	struct body *bytes;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_key_check(c, in->key));
	TRY(S3_CUSTOMER(c, in, &customer));
	if (!str_ieq(in->expression_type, STR("SQL")))
		return refuse(c, STR("InvalidExpressionType"),
			STR("The ExpressionType is not valid. Only SQL expressions are supported."));
	TRY(read_input(c, in->input_serialization, &plan));
	TRY(read_output(c, in->output_serialization, &plan.out));
	if (!is_ok(sel_parse(c->arena, in->expression, &plan.statement, &why))) return refuse(c, why.code, why.message);
	TRY(s3_version_find(c, &b, in->key, STR_NONE, &o, NULL));
	TRY(s3_archive_check(c, &b, in->key, &o));
	TRY(read_range(c, in, (uint64_t)o.size.v, &plan));
	plan.progress = in->request_progress && in->request_progress->enabled.v;
	TRY(s3_sse_extents(c, &b, &o, &customer, &x));
	TRY(s3_body_open(c, &x, 0, (uint64_t)o.size.v, &bytes));
	struct body *answer = arena_new(c->arena, struct body);
	answer->size = UINT64_MAX; /* until the end */
	answer->read = sel_run_read;
	answer->close = sel_run_free;
	answer->read_ctx = sel_run_new(&plan, read_body, close_body, bytes);
	out->payload = answer;
	return OK;
}
