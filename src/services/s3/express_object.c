/* What only directory buckets can do with their objects: rename them, and append to them. */
#include "base/vec.h"
#include "services/s3/condition.h"
#include "services/s3/express.h"
#include "services/s3/object.h"

/* ── RenameObject ── */

/* BUCKET/KEY, URL-encoded, with or without a slash before it: the bucket is this one. */
static status source_key(struct call *c, const struct s3_rename_object_input *in, struct str *key)
{
	struct str text = in->rename_source, bucket;
	if (str_starts(text, STR("/"))) text = str_from(text, 1);
	if (!is_ok(str_uri_decode(c->arena, text, false, &text)) || !str_utf8_valid(text))
		return call_fail(c, S3_ERR_INVALID_REQUEST, "The rename source must be URL-encoded UTF-8");
	*key = text;
	bucket = str_cut(key, '/');
	if (!str_has(*key) || !str_eq(bucket, in->bucket))
		return call_fail(c, S3_ERR_INVALID_REQUEST, "The rename source must be an object of the same bucket");
	if (str_empty(*key) || str_ends(*key, STR("/")) || str_ends(in->key, STR("/")))
		return call_fail(c, S3_ERR_INVALID_REQUEST, "Keys that end with a slash cannot be renamed");
	if (str_eq(*key, in->key))
		return call_fail(c, S3_ERR_INVALID_REQUEST, "The source and the destination of a rename must differ");
	return OK;
}

/* Any condition that does not hold is 412 for a write. */
static status hold(struct call *c, const struct s3_conditions *cond, const struct s3_rec_object *o)
{
	struct str header;
	return s3_conditions_judge(cond, o->e_tag, o->modified.ms, &header) == S3_PROCEED
		       ? OK
		       : s3_precondition_failed(c, header);
}

status s3_rename_object(struct call *c, const struct s3_rename_object_input *in, struct s3_rename_object_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o, there;
	struct str from;
	struct s3_conditions of_source = {in->source_if_match, in->source_if_none_match, in->source_if_modified_since,
				     in->source_if_unmodified_since},
			     of_target = {in->destination_if_match, in->destination_if_none_match,
				     s3_condition_date(in->destination_if_modified_since),
				     s3_condition_date(in->destination_if_unmodified_since)};
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, STR_NONE, &b));
	if (!s3_is_directory(&b))
		return call_fail(
			c, S3_ERR_METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.");
	TRY(s3_key_check(c, in->key));
	TRY(source_key(c, in, &from));
	status s = s3_object_load(c, &b, from, &o);
	if (status_is(s, STATUS_NOT_FOUND)) return s3_no_such_key(c, from);
	TRY(s);
	TRY(hold(c, &of_source, &o));
	s = s3_object_load(c, &b, in->key, &there);
	if (is_ok(s)) {
		TRY(hold(c, &of_target, &there));
		TRY(s3_object_give_up(c, &b, &there));
	} else if (status_is(s, STATUS_NOT_FOUND)) {
		if (str_has(in->destination_if_match)) return s3_no_such_key(c, in->key);
	} else {
		return s;
	}
	/* The body and its manifest stay where they are: a rename costs the same for any size. */
	store_delete(c->tx, s3_key_object(c->arena, &b, from));
	s3_object_rewrite(c, &b, in->key, &o);
	return OK;
}

/* ── appending ── */

static status joined_checksum(struct call *c, const struct s3_rec_object *existing, const struct s3_algorithm *g,
	const struct body *body, struct str *text)
{
	struct s3_rec_part v[2] = {{.size = existing->size}, {.size = SOME_I64((int64_t)body->size)}};
	struct s3_rec_parts both = {v, 2};
	if (!str_eq(existing->checksum_algorithm, g->name) || !str_is(existing->checksum_type, "FULL_OBJECT") ||
		!g->full)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The checksum algorithm of appended data must be that of the object, and a CRC: the object has "
			"%.*s",
			STR_ARG(str_or(existing->checksum_algorithm, STR("none"))));
	TRY(str_unbase64(c->arena, existing->checksum, &v[0].checksum));
	v[1].checksum = s3_checksum_bytes(c->arena, g, &body->digests);
	return s3_checksum_of_parts(c->arena, g, true, &both, text);
}

status s3_express_append(struct call *c, const struct s3_put_object_input *in, const struct s3_rec_bucket *b,
	const struct s3_rec_object *existing, const struct s3_algorithm *kept, struct s3_put_object_output *out)
{
	const struct body *body = in->body;
	struct s3_rec_object o = *existing;
	struct s3_wrap wrap;
	struct s3_rec_extents x, more;
	if (in->write_offset_bytes.v != existing->size.v)
		return call_fail(c, S3_ERR_INVALID_WRITE_OFFSET,
			"The write offset value that you specified does not match the current object size.");
	TRY(s3_sse_open(c, existing, NULL, &wrap));
	TRY(s3_object_extents(c, b, existing, &x));
	if (x.n >= S3_PARTS_MAX)
		return call_fail(c, S3_ERR_TOO_MANY_PARTS,
			"You have attempted to add more parts than the maximum of 10000 that are allowed for this "
			"object. "
			"You can use the CopyObject operation to copy this object to another and then add more parts "
			"to the "
			"newly copied object.");
	TRY(joined_checksum(c, existing, kept, body, &o.checksum));
	TRY(s3_extents_retain(c->tx, &x)); /* what the record that goes releases */
	s3_sse_adopt(c, body, &wrap, &more);
	size_t n = x.n, capacity = x.n;
	x.v = n ? arena_copy(c->arena, x.v, n * sizeof *x.v) : NULL;
	for (size_t i = 0; i < more.n; i++) *VEC_PUSH(c->arena, &x, &capacity) = more.v[i];
	o.size = SOME_I64(existing->size.v + (int64_t)body->size);
	o.e_tag = s3_express_tag(c->arena);
	o.modified = SOME_TIME(c->now_ms / 1000 * 1000);
	o.manifest = (struct opt_i64){0};
	o.parts_count = (struct opt_i32){0};
	struct s3_rec_part whole = {.number = SOME_I32(1), .size = o.size, .modified = o.modified, .extents = x};
	struct s3_rec_parts parts = {&whole, 1};
	bool beside = x.n > S3_EXTENTS_WITH_RECORD;
	o.extents = beside ? (struct s3_rec_extents){0} : x;
	TRY(s3_object_save(c, b, in->key, &o, beside ? &parts : NULL, existing));
	out->e_tag = s3_quoted(c->arena, o.e_tag);
	S3_SET_CHECKSUM(out, o.checksum_algorithm, o.checksum);
	out->checksum_type = o.checksum_type;
	out->size = o.size;
	if (o.sse) {
		out->server_side_encryption = o.sse->algorithm;
		out->ssekms_key_id = o.sse->kms_key;
	}
	return OK;
}
