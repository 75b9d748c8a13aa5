/* UpdateObjectEncryption: another key for an object that is there. Its bytes stay as they are; the keys that they are
 * sealed with are wrapped anew, so that it costs the same for any size. */
#include "services/s3/config.h"
#include "services/s3/object.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

/* The parts of a multipart object lie beside it: they are written anew, and their bodies stay. */
static status rewrap_parts(struct call *c, const struct s3_rec_bucket *b, struct s3_rec_object *o,
	const struct s3_rec_parts *parts, const struct s3_wrap *was, const struct s3_wrap *is)
{
	struct s3_rec_extents x;
	struct s3_rec_object old = *o;
	TRY(s3_object_extents(c, b, &old, &x));
	TRY(s3_extents_retain(c->tx, &x));
	TRY(s3_object_give_up(c, b, &old));
	for (size_t i = 0; i < parts->n; i++) TRY(s3_sse_rewrap(c, was, is, &parts->v[i].extents));
	s3_object_put_parts(c, b, o, parts);
	return OK;
}

status s3_update_object_encryption(struct call *c, const struct s3_update_object_encryption_input *in,
	struct s3_update_object_encryption_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_rec_parts parts = {0};
	struct s3_place place;
	struct s3_wrap was, is;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_key_check(c, in->key));
	TRY(s3_config_check_digest(c));
	const struct s3_ssekms_encryption *to = in->object_encryption ? in->object_encryption->ssekms : NULL;
	if (!to) return s3_malformed_xml(c);
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, &place));
	if (!o.sse || s3_sse_is_customer(o.sse) || str_is(o.sse->algorithm, "aws:kms:dsse"))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The encryption of objects can be updated where they are encrypted with SSE-S3 or SSE-KMS");
	struct s3_sse_wish wish = {.algorithm = STR("aws:kms"),
		.kms_key = to->kms_key_arn,
		.bucket_key = to->bucket_key_enabled,
		.context = STR_NONE};
	TRY(s3_sse_open(c, &o, NULL, &was));
	if (o.manifest.has) TRY(s3_object_parts(c, &b, &o, &parts));
	struct s3_rec_sse *sse;
	TRY(s3_sse_choose(c, &b, &wish, &sse));
	struct s3_rec_object fresh = o;
	fresh.sse = sse;
	TRY(s3_sse_make(c, &b, in->key, &fresh, NULL, &is));
	if (o.manifest.has)
		TRY(rewrap_parts(c, &b, &fresh, &parts, &was, &is));
	else
		TRY(s3_sse_rewrap(c, &was, &is, &fresh.extents));
	s3_version_rewrite(c, &b, in->key, &place, &fresh);
	return OK;
}
