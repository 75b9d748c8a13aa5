/* CopyObject: the copy shares its source's bytes. Only what the source does not know of itself as one piece (the MD5 of
 * what was uploaded in parts, a checksum that is asked for anew) is read for. */
#include "services/s3/archive.h"
#include "services/s3/changed.h"
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/express.h"
#include "services/s3/headers.h"
#include "services/s3/lifecycle.h"
#include "services/s3/lock.h"
#include "services/s3/names.h"
#include "services/s3/object.h"
#include "services/s3/point.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

/* ── the source ── */

static status bad_source(struct call *c, struct str text)
{
	return s3_invalid_argument(c, STR("x-amz-copy-source"), text,
		"Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
}

status s3_copy_source_split(
	struct call *c, struct str text, struct str *bucket, struct str *key, struct str *version_id)
{
	struct str rest = text;
	*version_id = STR_NONE;
	ptrdiff_t version = str_find(text, STR("?versionId="));
	if (version >= 0) {
		rest = str_sub(text, 0, (size_t)version);
		*version_id = str_from(text, (size_t)version + strlen("?versionId="));
	}
	if (!is_ok(str_uri_decode(c->arena, rest, false, &rest))) return bad_source(c, text);
	if (str_starts(rest, STR("/"))) rest = str_from(rest, 1);
	if (str_starts(rest, STR("arn:")))
		return s3_point_of_arn(c->arena, rest, bucket, key) ? OK : bad_source(c, text);
	*bucket = str_cut(&rest, '/');
	*key = rest;
	return str_empty(*bucket) || str_empty(rest) ? bad_source(c, text) : OK;
}

status s3_copy_source_load(struct call *c, struct str copy_source, struct str expected_owner,
	const struct s3_conditions *conditions, struct s3_copy_source *out)
{
	struct str bucket, version_id, header = STR_NONE;
	TRY(s3_copy_source_split(c, copy_source, &bucket, &out->key, &version_id));
	out->version_named = str_has(version_id);
	/* The bytes come from wherever the bucket is: the request was sent to the destination's region. */
	TRY(s3_bucket_load_anywhere(c, bucket, expected_owner, &out->bucket));
	TRY(s3_key_check(c, out->key));
	TRY(s3_version_find(c, &out->bucket, out->key, version_id, &out->object, NULL));
	if (s3_conditions_judge(conditions, out->object.e_tag, out->object.modified.ms, &header) != S3_PROCEED)
		return s3_precondition_failed(c, str_fmt(c->arena, "x-amz-copy-source-%.*s", STR_ARG(header)));
	struct s3_archive archive;
	TRY(s3_archive_of(c, &out->bucket, out->key, &out->object, &archive));
	if (archive.readable) return OK;
	return call_fail(c, S3_ERR_OBJECT_NOT_IN_ACTIVE_TIER_ERROR,
		"The source object of the COPY operation is not in the active tier and is only stored in Amazon S3 "
		"Glacier.");
}

/* ── the copy ── */

static status read_directive(struct call *c, struct str name, struct str value, bool *replace)
{
	*replace = str_is(value, "REPLACE");
	if (!str_has(value) || *replace || str_is(value, "COPY")) return OK;
	return s3_invalid_argument(c, name, value,
		str_is(name, "x-amz-metadata-directive") ? "Unknown metadata directive."
							 : "Unknown tagging directive.");
}

static status describe(struct call *c, const struct s3_rec_bucket *b, const struct s3_copy_object_input *in,
	const struct s3_copy_source *source, struct s3_rec_object *o)
{
	struct s3_headers h = S3_HEADERS(in);
	struct s3_rec_object own = {0};
	bool replace, replace_tags;
	TRY(read_directive(c, STR("x-amz-metadata-directive"), in->metadata_directive, &replace));
	TRY(read_directive(c, STR("x-amz-tagging-directive"), in->tagging_directive, &replace_tags));
	TRY(s3_headers_read(c, b, &h, &own));
	bool same = str_eq(b->name, source->bucket.name) && str_eq(in->key, source->key) && !source->version_named;
	bool changes = replace || str_has(in->storage_class) || str_has(in->website_redirect_location) ||
		       str_has(in->server_side_encryption) || str_has(in->sse_customer_algorithm);
	if (same && !changes)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"This copy request is illegal because it is trying to copy an object to itself without "
			"changing the "
			"object's metadata, storage class, website redirect location or encryption attributes.");
	*o = replace ? own : source->object;
	o->acl = own.acl;
	o->grants = own.grants;
	o->owner = own.owner;
	s3_lock_move(&own, o);
	o->storage_class = own.storage_class;
	/* Encryption is the request's or the bucket's, never the source's. */
	o->sse = own.sse;
	o->transitioned = o->accessed = (struct opt_time){0};
	o->restore = NULL;
	o->website_redirect = own.website_redirect;
	o->tags = replace_tags ? own.tags : source->object.tags;
	return OK;
}

/* The copy is an object in one piece: its entity tag and checksum are of the whole. */
static status summarise(struct call *c, const struct s3_copy_object_input *in, const struct s3_copy_source *source,
	const struct s3_rec_extents *x, struct s3_rec_object *o)
{
	const struct s3_rec_object *from = &source->object;
	struct str name = str_has(in->checksum_algorithm) ? in->checksum_algorithm : from->checksum_algorithm;
	const struct s3_algorithm *g = s3_algorithm(name);
	if (str_has(in->checksum_algorithm) && (!g || !g->digest))
		return g ? s3_header_not_implemented(c, STR("x-amz-checksum-algorithm"))
			 : call_fail(c, S3_ERR_INVALID_REQUEST,
				   "Checksum algorithm provided is unsupported. Please try again with any of the valid "
				   "types: "
				   "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
	if (!g) g = s3_algorithm(STR("CRC64NVME"));
	bool whole_sum = str_eq(g->name, from->checksum_algorithm) && str_is(from->checksum_type, "FULL_OBJECT");
	bool same_tag = !from->parts_count.has && s3_sse_has_md5_tag(from->sse) && s3_sse_has_md5_tag(o->sse);
	uint32_t wanted = (same_tag || !s3_sse_has_md5_tag(o->sse) ? 0 : DIGEST_MD5) | (whole_sum ? 0 : g->digest);
	struct digests d = {0};
	if (wanted) TRY(s3_body_digest(c, x, wanted, &d));
	o->e_tag = same_tag ? from->e_tag : str_hex(c->arena, s3_sse_tag(c, o->sse, d.md5));
	o->checksum_algorithm = g->name;
	o->checksum_type = STR("FULL_OBJECT");
	o->checksum = whole_sum ? from->checksum : str_base64(c->arena, s3_checksum_bytes(c->arena, g, &d));
	return OK;
}

status s3_copy_object(struct call *c, const struct s3_copy_object_input *in, struct s3_copy_object_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o = {0}, existing;
	struct s3_copy_source source = {0};
	struct s3_conditions conditions = {in->copy_source_if_match, in->copy_source_if_none_match,
		s3_condition_date(in->copy_source_if_modified_since),
		s3_condition_date(in->copy_source_if_unmodified_since)};
	struct s3_customer customer, of_source;
	struct s3_wrap wrap;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_key_check(c, in->key));
	TRY(S3_CUSTOMER(c, in, &customer));
	TRY(S3_CUSTOMER_OF_SOURCE(c, in, &of_source));
	TRY(s3_copy_source_load(c, in->copy_source, in->expected_source_bucket_owner, &conditions, &source));
	TRY(describe(c, &b, in, &source, &o));
	if (source.object.size.v > (int64_t)S3_BODY_MAX)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The specified copy source is larger than the maximum allowable size for a copy source: %llu",
			S3_BODY_MAX);
	status found = s3_object_load(c, &b, in->key, &existing);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	const struct s3_rec_object *replaced = is_ok(found) ? &existing : NULL;
	TRY(s3_write_condition(c, in->if_match, in->if_none_match, in->key, replaced));

	struct s3_rec_extents x;
	TRY(s3_sse_extents(c, &source.bucket, &source.object, &of_source, &x));
	TRY(summarise(c, in, &source, &x, &o));
	if (s3_is_directory(&b)) {
		if (o.tags.n) return s3_header_not_implemented(c, STR("x-amz-tagging-directive"));
		o.e_tag = s3_express_tag(c->arena);
	}
	TRY(s3_sse_make(c, &b, in->key, &o, &customer, &wrap));
	s3_sse_lock(c, &wrap, &x);
	o.size = source.object.size;
	o.modified = SOME_TIME(c->now_ms / 1000 * 1000);
	o.manifest = (struct opt_i64){0};
	o.parts_count = (struct opt_i32){0};
	o.upload_id = STR_NONE;
	/* Few pieces stay with the record; many go beside it, as the one part that the copy is. */
	struct s3_rec_part whole = {.number = SOME_I32(1), .size = o.size, .modified = o.modified, .extents = x};
	struct s3_rec_parts parts = {&whole, 1};
	bool beside = x.n > S3_EXTENTS_WITH_RECORD;
	o.extents = beside ? (struct s3_rec_extents){0} : x;
	TRY(s3_extents_retain(c->tx, &x));
	TRY(s3_object_save(c, &b, in->key, &o, beside ? &parts : NULL, replaced));
	TRY(s3_changed(c, &b, in->key, S3_CREATED_COPY, &o));

	struct s3_copy_object_result *r = out->copy_object_result = arena_new(c->arena, struct s3_copy_object_result);
	r->e_tag = s3_quoted(c->arena, o.e_tag);
	out->version_id = s3_version_shown(&b, &o);
	TRY(s3_lifecycle_header(c, &b, in->key, &o, &out->expiration));
	out->copy_source_version_id = s3_version_shown(&source.bucket, &source.object);
	r->last_modified = o.modified;
	S3_SSE_SHOW(out, o.sse, &customer);
	out->ssekms_encryption_context = o.sse->given_context;
	r->checksum_type = o.checksum_type;
	S3_SET_CHECKSUM(r, o.checksum_algorithm, o.checksum);
	return OK;
}
