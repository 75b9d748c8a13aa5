/* Reading a manifest ("Specifying a manifest"): a CSV of buckets, keys and versions, or the manifest.json of an S3
 * Inventory report, whose gzipped CSV files it names. The role reads it; keys are URL-encoded; all objects lie in one
 * bucket. */
#include "base/gzip.h"
#include "base/json.h"
#include "base/vec.h"
#include "identity/digest.h"
#include "services/s3control/batch.h"
#include "services/s3control/batch_csv.h"

#define MANIFEST_BYTES_MAX ((size_t)512 << 20)

/* ── rows into blocks ── */

static void flush(struct batch_rows *r)
{
	if (!r->block.rows.n) return;
	store_put(r->tx, batch_piece_key(r->b->a, "job-block", r->b->job->id, r->blocks++),
		s3control_rec_block_encode(r->b->a, &r->block));
	r->block.rows.n = 0;
}

void batch_rows_add(struct batch_rows *r, struct str key, struct str version_id)
{
	*VEC_PUSH(r->b->a, &r->block.rows, &r->capacity) = (struct s3control_rec_row){
		str_dup(r->b->a, key), str_empty(version_id) ? STR_NONE : str_dup(r->b->a, version_id)};
	r->n++;
	if (r->block.rows.n == BATCH_BLOCK_ROWS) flush(r);
}

void batch_rows_end(struct batch_rows *r)
{
	flush(r);
	r->b->job->total = SOME_I64(r->n);
	r->b->job->blocks = SOME_I64(r->blocks);
}

/* ── the text ── */

struct columns {
	size_t n, bucket, key, version; /* version == n: there is none */
};

static status take_row(struct batch_rows *r, const struct columns *c, const struct str *fields, struct arena *scratch)
{
	struct batch *b = r->b;
	struct str bucket = fields[c->bucket], key, version = c->version < c->n ? fields[c->version] : STR_NONE;
	if (!is_ok(str_uri_decode(scratch, fields[c->key], true, &key)) || str_empty(key) || !str_utf8_valid(key))
		return batch_fails(
			b, "InvalidManifest", "Row %lld of the manifest has no valid key", (long long)r->n + 1);
	if (!str_has(b->job->bucket)) b->job->bucket = str_dup(b->a, bucket);
	if (!str_eq(b->job->bucket, bucket))
		return batch_fails(b, "InvalidManifest",
			"All objects in the manifest must be in one bucket: row %lld is not", (long long)r->n + 1);
	batch_rows_add(r, key, str_is(version, "null") ? STR("null") : version);
	return OK;
}

static status read_rows(struct batch_rows *r, const struct columns *c, struct str text)
{
	struct str fields[BATCH_COLUMNS_MAX];
	size_t n;
	status s = OK;
	while (is_ok(s)) {
		struct arena scratch;
		arena_init(&scratch);
		s = batch_csv_next(&scratch, &text, fields, &n);
		if (is_ok(s) && n != c->n) s = STATUS(INVALID);
		if (is_ok(s)) s = take_row(r, c, fields, &scratch);
		arena_cleanup(&scratch);
	}
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	if (status_is(s, STATUS_INVALID))
		return batch_fails(r->b, "InvalidManifest",
			"Row %lld of the manifest has not the columns that it should have", (long long)r->n + 1);
	return s;
}

/* ── objects, as the role ── */

static status fetch(
	struct batch *b, struct str bucket, struct str key, struct str version, struct str *bytes, struct str *e_tag)
{
	struct s3_get_object_input in = {.bucket = bucket, .key = key, .version_id = version};
	struct inside *i = inside_run(b->cloud, &b->who, "s3", S3_OP_GET_OBJECT, &in, NULL);
	const struct s3_get_object_output *got = i->out;
	status s = OK;
	*bytes = STR("");
	if (!i->ok)
		s = batch_fails(b, "ManifestNotReadable", "Reading the manifest object %.*s failed: %.*s (%.*s)",
			STR_ARG(str_sub(key, 0, 64)), STR_ARG(str_sub(i->message, 0, 96)), STR_ARG(i->code));
	else if (got->body)
		s = inside_body(i, b->a, got->body, MANIFEST_BYTES_MAX, bytes);
	if (i->ok && e_tag) *e_tag = str_dup(b->a, got->e_tag);
	inside_free(i);
	if (status_is(s, STATUS_LIMIT))
		return batch_fails(
			b, "ManifestTooLarge", "The manifest object %.*s is too large", STR_ARG(str_sub(key, 0, 128)));
	return s;
}

static struct str unquoted(struct str tag)
{
	return tag.n >= 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"' ? str_sub(tag, 1, tag.n - 2) : tag;
}

static status read_csv(struct batch *b, struct batch_rows *r, struct str text)
{
	const struct s3control_job_manifest_field_list *f = &b->in->manifest->spec->fields;
	struct columns c = {.n = f->n, .version = f->n};
	for (size_t i = 0; i < f->n; i++) {
		if (str_is(f->v[i], "Bucket")) c.bucket = i;
		if (str_is(f->v[i], "Key")) c.key = i;
		if (str_is(f->v[i], "VersionId")) c.version = i;
	}
	return read_rows(r, &c, text);
}

/* ── inventory ── */

static bool read_schema(struct str schema, struct columns *c)
{
	bool bucket = false, key = false;
	*c = (struct columns){.version = SIZE_MAX};
	while (str_has(schema)) {
		struct str name = str_trim(str_cut(&schema, ','));
		if (str_is(name, "Bucket")) {
			c->bucket = c->n;
			bucket = true;
		}
		if (str_is(name, "Key")) {
			c->key = c->n;
			key = true;
		}
		if (str_is(name, "VersionId")) c->version = c->n;
		c->n++;
	}
	if (c->version == SIZE_MAX) c->version = c->n;
	return bucket && key && c->n <= BATCH_COLUMNS_MAX;
}

static status read_inventory_file(struct batch *b, struct batch_rows *r, const struct columns *c, struct str bucket,
	const struct json_value *file)
{
	struct str key = json_string(json_member(file, STR("key"))),
		   md5 = json_string(json_member(file, STR("MD5checksum")));
	struct str packed, text;
	uint8_t hash[16];
	TRY(fetch(b, bucket, str_or(key, STR("")), STR_NONE, &packed, NULL));
	digest_md5(packed, hash);
	if (!str_eq(md5, str_hex(b->a, str_n(hash, sizeof hash))))
		return batch_fails(b, "InvalidManifest",
			"The checksum of the inventory file %.*s is not that of the manifest",
			STR_ARG(str_sub(key, 0, 128)));
	if (!is_ok(gzip_unpack(b->a, packed, MANIFEST_BYTES_MAX, &text)))
		return batch_fails(b, "InvalidManifest", "The inventory file %.*s cannot be unpacked",
			STR_ARG(str_sub(key, 0, 128)));
	return read_rows(r, c, text);
}

static status read_inventory(struct batch *b, struct batch_rows *r, struct str text)
{
	struct json_value *m = NULL;
	struct columns c;
	struct str bucket = STR_NONE;
	bool good = is_ok(json_read(b->a, text, &m)) && str_is(json_string(json_member(m, STR("fileFormat"))), "CSV") &&
		    read_schema(json_string(json_member(m, STR("fileSchema"))), &c) &&
		    batch_arn_split(
			    str_or(json_string(json_member(m, STR("destinationBucket"))), STR("")), &bucket, NULL) &&
		    json_is(json_member(m, STR("files")), JSON_IS_ARRAY);
	if (!good)
		return batch_fails(
			b, "InvalidManifest", "The manifest is not the manifest.json of an S3 Inventory report in CSV");
	for (const struct json_value *f = json_member(m, STR("files"))->first; f; f = f->next)
		TRY(read_inventory_file(b, r, &c, bucket, f));
	return OK;
}

static status read_manifest(struct batch *b, struct batch_rows *r)
{
	const struct s3control_job_manifest *m = b->in->manifest;
	struct str bucket, key, text, e_tag = STR_NONE;
	if (!batch_arn_split(m->location->object_arn, &bucket, &key)) return STATUS(CORRUPT);
	TRY(fetch(b, bucket, key, m->location->object_version_id, &text, &e_tag));
	if (!str_eq(unquoted(m->location->e_tag), unquoted(e_tag)))
		return batch_fails(
			b, "ManifestETagMismatch", "The ETag of the manifest object is not that of the request");
	if (str_is(m->spec->format, "S3InventoryReport_CSV_20161130")) return read_inventory(b, r, text);
	return read_csv(b, r, text);
}

status batch_prepare(struct batch *b, struct store_tx *tx)
{
	struct batch_rows r = {.b = b, .tx = tx};
	b->job->bucket = STR_NONE;
	TRY(b->in->manifest ? read_manifest(b, &r) : batch_generate(b, &r));
	batch_rows_end(&r);
	if (r.n) return OK;
	return batch_fails(
		b, "EmptyManifest", "The manifest has no objects, or no object matches the filter of its generator");
}
