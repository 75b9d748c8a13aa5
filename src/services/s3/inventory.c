/* Producing a report: a durable job at midnight lists the bucket as it stands in one snapshot into gzipped CSV files of
 * at most 100,000 rows, and writes the manifest and its checksum, all in one transaction ("Inventory lists": location,
 * manifest). */
#include "services/s3/inventory.h"
#include "base/gzip.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/vec.h"
#include "services/s3/acl.h"
#include "services/s3/archive.h"
#include "services/s3/each.h"
#include "services/s3/lifecycle.h"
#include "services/s3/own.h"
#include "services/s3/replicate.h"

static const char inventory_kind[] = "s3.inventory";
enum { ROWS_MAX = 100000 };
static const int64_t day_ms = 86400000;

static struct str encryption_of(const struct s3_rec_object *o)
{
	if (!o->sse) return STR("NOT-SSE");
	if (str_is(o->sse->algorithm, "aws:kms")) return STR("SSE-KMS");
	if (str_is(o->sse->algorithm, "aws:kms:dsse")) return STR("DSSE-KMS");
	return str_is(o->sse->algorithm, "customer") ? STR("SSE-C") : STR("SSE-S3");
}

/* The field's text; false for a field that there is not. a NULL: only asks. */
static bool field(struct arena *a, struct str name, const struct s3_rec_object *o, struct str *out)
{
	static const struct s3_rec_object none;
	if (!o) o = &none;
	*out = STR("");
	if (str_is(name, "Size")) {
		if (a && !o->marker.v) *out = str_fmt(a, "%ld", (long)o->size.v);
	} else if (str_is(name, "LastModifiedDate")) {
		if (a) *out = time_iso8601(a, o->modified.ms, true);
	} else if (str_is(name, "StorageClass")) {
		*out = o->storage_class;
	} else if (str_is(name, "ETag")) {
		*out = o->e_tag;
	} else if (str_is(name, "IsMultipartUploaded")) {
		*out = o->parts_count.has ? STR("true") : STR("false");
	} else if (str_is(name, "ReplicationStatus")) {
		*out = o->replication;
	} else if (str_is(name, "EncryptionStatus")) {
		if (!o->marker.v) *out = encryption_of(o);
	} else if (str_is(name, "BucketKeyStatus")) {
		*out = o->sse && o->sse->bucket_key.v ? STR("ENABLED") : STR("DISABLED");
	} else if (str_is(name, "ChecksumAlgorithm")) {
		*out = o->checksum_algorithm;
	} else if (str_is(name, "ObjectLockMode")) {
		*out = o->lock_mode;
	} else if (str_is(name, "ObjectLockRetainUntilDate")) {
		if (a && o->retain_until.has) *out = time_iso8601(a, o->retain_until.ms, true);
	} else if (str_is(name, "ObjectLockLegalHoldStatus")) {
		if (!o->marker.v) *out = o->legal_hold.v ? STR("ON") : STR("OFF");
	} else if (str_is(name, "ObjectOwner")) {
		if (a && str_has(o->owner)) *out = s3_canonical_id(a, o->owner);
	} else {
		return false;
	}
	*out = str_or(*out, STR(""));
	return true;
}

/* ── fields that more than the object tells ── */

/* {"version":"2022-11-10","status":"AVAILABLE","grants":[…]} in base64 ("Object access control list field" of
 * inventories). */
static struct str acl_field(struct call *c, const struct s3_rec_object *o)
{
	struct s3_grants grants = {0};
	struct buf b = BUF_IN(c->arena);
	buf_lit(&b, "{\"version\":\"2022-11-10\",\"status\":");
	if (o->marker.v) {
		buf_lit(&b, "\"UNAVAILABLE\",\"grants\":[]}");
		return str_base64(c->arena, buf_done(&b));
	}
	s3_acl_show(c, &o->grants, s3_acl_told(o->acl), o->owner, &grants);
	buf_lit(&b, "\"AVAILABLE\",\"grants\":[");
	for (size_t i = 0; i < grants.n; i++) {
		const struct s3_grant *g = &grants.v[i];
		bool user = str_has(g->grantee->id);
		buf_fmt(&b, "%s{\"%s\":\"%.*s\",\"type\":\"%.*s\",\"permission\":\"%.*s\"}", i ? "," : "",
			user ? "canonicalId" : "uri", STR_ARG(user ? g->grantee->id : g->grantee->uri),
			STR_ARG(g->grantee->type), STR_ARG(g->permission));
	}
	buf_lit(&b, "]}");
	return str_base64(c->arena, buf_done(&b));
}

static bool is_wide(struct str name)
{
	return str_is(name, "ObjectAccessControlList") || str_is(name, "IntelligentTieringAccessTier") ||
	       str_is(name, "LifecycleExpirationDate");
}

bool s3_inventory_field(struct str name)
{
	struct str ignored;
	return is_wide(name) || field(NULL, name, NULL, &ignored);
}

/* ── the schedule ── */

static int64_t next_due(int64_t now_ms, bool weekly)
{
	int64_t day = now_ms / day_ms + 1;
	/* "Weekly: on Sundays"; day 0 was a Thursday. */
	while (weekly && (day + 4) % 7 != 0) day++;
	return day * day_ms;
}

static struct str job_id(struct arena *a, const struct s3_rec_bucket *b, struct str id)
{
	return str_fmt(a, "%llx/%.*s", (unsigned long long)b->id.v, STR_ARG(id));
}

void s3_inventory_schedule(struct call *c, const struct s3_rec_bucket *b, const struct s3_inventory_configuration *conf)
{
	struct job job = {.kind = str_c(inventory_kind),
		.id = job_id(c->arena, b, conf->id),
		.due_ms = next_due(c->now_ms, false),
		.payload = s3_rec_bucket_encode(c->arena, b)};
	jobs_schedule(c->tx, &job);
}

/* ── a report ── */

struct file {
	struct str key, md5;
	size_t size;
};
struct report {
	struct call *c;
	const struct s3_rec_bucket *from, *to;
	const struct s3_inventory_configuration *conf;
	struct s3_lifecycle lifecycle;
	struct str base; /* prefix/source-bucket/configuration, with a slash at the end */
	struct buf rows;
	size_t n_rows;
	struct file *v;
	size_t n, capacity;
};

/* Under the encryption that the configuration asks for, else the destination bucket's default. */
static status write(struct report *r, struct str key, struct str bytes, struct str type)
{
	const struct s3_inventory_encryption *e = r->conf->destination->s3_bucket_destination->encryption;
	struct s3_own o = {.key = key,
		.bytes = bytes,
		.content_type = type,
		.content_encoding = STR_NONE,
		.kms_key = e && e->ssekms ? e->ssekms->key_id : STR_NONE,
		.sse_s3 = e && e->sses3,
		.kms_context = STR_NONE};
	return s3_own_put_as(r->c, r->to, &o);
}

static status flush(struct report *r)
{
	if (!r->n_rows) return OK;
	struct arena *a = r->c->arena;
	struct str bytes = gzip_pack(a, buf_done(&r->rows));
	uint8_t md5[16];
	digest_md5(bytes, md5);
	struct file *f = VEC_PUSH(a, r, &r->capacity);
	f->key = str_fmt(a, "%.*sdata/%.*s.csv.gz", STR_ARG(r->base), STR_ARG(rand_uuid(a)));
	f->size = bytes.n;
	f->md5 = str_hex(a, str_n(md5, sizeof md5));
	r->rows.n = 0;
	r->n_rows = 0;
	return write(r, f->key, bytes, STR("application/x-gzip"));
}

static void column(struct buf *b, struct str s)
{
	if (b->n && b->p[b->n - 1] != '\n') buf_byte(b, ',');
	buf_byte(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"') buf_byte(b, '"');
		buf_byte(b, s.p[i]);
	}
	buf_byte(b, '"');
}

static status wide_field(
	struct report *r, struct str name, struct str key, const struct s3_rec_object *o, bool latest, struct str *out)
{
	struct call *c = r->c;
	const struct s3_lifecycle_rule *rule;
	*out = STR_NONE;
	if (str_is(name, "ObjectAccessControlList")) {
		*out = acl_field(c, o);
	} else if (str_is(name, "IntelligentTieringAccessTier")) {
		TRY(s3_tiering_name(c, r->from, key, o, out));
	} else if (latest && !o->marker.v) {
		int64_t at_ms = s3_lifecycle_expires(&r->lifecycle, key, o, &rule);
		if (at_ms != INT64_MAX) *out = time_iso8601(c->arena, at_ms, true);
	}
	*out = str_or(*out, STR(""));
	return OK;
}

static bool all_versions(const struct report *r)
{
	return str_is(r->conf->included_object_versions, "All");
}

static status row(void *ctx, struct str key, const struct s3_rec_object *o, bool latest)
{
	struct report *r = ctx;
	struct arena *a = r->c->arena;
	struct buf *b = &r->rows;
	column(b, r->from->name);
	column(b, str_uri_encode(a, key, true));
	if (all_versions(r)) {
		column(b, str_is(str_or(o->version_id, STR("null")), "null") ? STR("") : o->version_id);
		column(b, latest ? STR("true") : STR("false"));
		column(b, o->marker.v ? STR("true") : STR("false"));
	}
	for (size_t i = 0; i < r->conf->optional_fields.n; i++) {
		struct str text, name = r->conf->optional_fields.v[i];
		if (is_wide(name))
			TRY(wide_field(r, name, key, o, latest, &text));
		else
			INVARIANT(field(a, name, o, &text));
		column(b, text);
	}
	buf_byte(b, '\n');
	return ++r->n_rows == ROWS_MAX ? flush(r) : OK;
}

static struct str manifest(struct report *r)
{
	struct buf b = BUF_IN(r->c->arena), schema = BUF_IN(r->c->arena);
	buf_lit(&schema, "Bucket, Key");
	if (all_versions(r)) buf_lit(&schema, ", VersionId, IsLatest, IsDeleteMarker");
	for (size_t i = 0; i < r->conf->optional_fields.n; i++)
		buf_fmt(&schema, ", %.*s", STR_ARG(r->conf->optional_fields.v[i]));
	buf_lit(&b, "{\"sourceBucket\":");
	json_quote(&b, r->from->name);
	buf_lit(&b, ",\"destinationBucket\":");
	json_quote(&b, r->conf->destination->s3_bucket_destination->bucket);
	buf_fmt(&b, ",\"version\":\"2016-11-30\",\"creationTimestamp\":\"%lld\",\"fileFormat\":\"CSV\",\"fileSchema\":",
		(long long)r->c->now_ms);
	json_quote(&b, buf_done(&schema));
	buf_lit(&b, ",\"files\":[");
	for (size_t i = 0; i < r->n; i++) {
		if (i) buf_byte(&b, ',');
		buf_lit(&b, "{\"key\":");
		json_quote(&b, r->v[i].key);
		buf_fmt(&b, ",\"size\":%zu,\"MD5checksum\":\"%.*s\"}", r->v[i].size, STR_ARG(r->v[i].md5));
	}
	buf_lit(&b, "]}");
	return buf_done(&b);
}

static status produce(struct call *c, const struct s3_rec_bucket *from, const struct s3_inventory_configuration *conf)
{
	struct s3_rec_bucket to;
	const struct s3_inventory_s3_bucket_destination *d = conf->destination->s3_bucket_destination;
	status s = s3_bucket_by_name(c->tx, c->arena, s3_replication_bucket(d->bucket), &to, NULL);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* nowhere to report to: on with the next one */
	TRY(s);
	struct report r = {.c = c, .from = from, .to = &to, .conf = conf, .rows = BUF_HEAP};
	r.base = str_fmt(c->arena, "%.*s%s%.*s/%.*s/", STR_ARG(str_or(d->prefix, STR(""))),
		str_empty(d->prefix) ? "" : "/", STR_ARG(from->name), STR_ARG(conf->id));
	s = s3_lifecycle_load(c, from, &r.lifecycle);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	struct str only = conf->filter ? str_or(conf->filter->prefix, STR("")) : STR("");
	s = s3_each_version(c, from, only, all_versions(&r), row, &r);
	if (is_ok(s)) s = flush(&r);
	buf_cleanup(&r.rows);
	TRY(s);
	/* 2026-11-22T00-00Z */
	struct str day = time_iso8601(c->arena, c->now_ms, false);
	struct str folder = str_fmt(c->arena, "%.*s%.*s-%.*sZ/", STR_ARG(r.base), STR_ARG(str_sub(day, 0, 13)),
		STR_ARG(str_sub(day, 14, 2)));
	struct str text = manifest(&r);
	uint8_t md5[16];
	digest_md5(text, md5);
	TRY(write(&r, str_cat(c->arena, folder, STR("manifest.json")), text, STR("application/json")));
	return write(&r, str_cat(c->arena, folder, STR("manifest.checksum")), str_hex(c->arena, str_n(md5, sizeof md5)),
		STR("text/plain"));
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct call c = {.arena = a,
		.cloud = cloud,
		.tx = tx,
		.now_ms = clock_now(cloud->clock),
		.partition = STR("aws"),
		.account = STR(""),
		.request_id = STR("INVENTORY")};
	struct s3_rec_bucket was = {0}, b;
	struct s3_put_bucket_inventory_configuration_input in;
	TRY(s3_rec_bucket_decode(a, job->payload, &was));
	struct str id = job->id;
	(void)str_cut(&id, '/');
	status s = s3_bucket_by_name(tx, a, was.name, &b, &c.partition);
	if (is_ok(s) && b.id.v != was.id.v) s = STATUS(NOT_FOUND);
	if (is_ok(s)) s = s3_config_get(&c, &b, S3_CONFIG_INVENTORY, id, &in);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	c.account = b.owner;
	c.region = b.region;
	const struct s3_inventory_configuration *conf = in.inventory_configuration;
	if (conf->is_enabled.v) TRY(produce(&c, &b, conf));
	*again_ms = next_due(c.now_ms, str_is(conf->schedule->frequency, "Weekly"));
	return OK;
}

void s3_inventory_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, inventory_kind, run, cloud);
}
