/* PutObject: everything that the headers tell is checked before the body is read; what the body has to be is checked
 * after. */
#include "services/s3/changed.h"
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/express.h"
#include "services/s3/headers.h"
#include "services/s3/lifecycle.h"
#include "services/s3/names.h"
#include "services/s3/object.h"
#include "services/s3/put.h"
#include "services/s3/sealer.h"
#include "services/s3/sse.h"
#include "services/s3/version.h"

status s3_key_check(struct call *c, struct str key)
{
	if (key.n > S3_KEY_MAX) {
		status s = call_fail(c, S3_ERR_KEY_TOO_LONG_ERROR, "Your key is too long");
		call_fail_detail(c, STR("Size"), str_fmt(c->arena, "%zu", key.n));
		call_fail_detail(c, STR("MaxSizeAllowed"), str_fmt(c->arena, "%d", S3_KEY_MAX));
		return s;
	}
	if (str_utf8_valid(key)) return OK;
	status s = call_fail(c, S3_ERR_INVALID_URI, "Couldn't parse the specified URI.");
	call_fail_detail(c, STR("URI"), c->http->path);
	return s;
}

status s3_length_check(struct call *c)
{
	if (c->http->content_length >= 0 || str_has(call_request_header(c, STR("x-amz-decoded-content-length"))))
		return OK;
	return call_fail(c, S3_ERR_MISSING_CONTENT_LENGTH, "You must provide the Content-Length HTTP header.");
}

/* Half of what names a part would put an object: S3 refuses it. */
static status check_query(struct call *c)
{
	struct str rest = c->http->query;
	while (str_has(rest)) {
		struct str value = str_cut(&rest, '&'), name = str_cut(&value, '=');
		if (str_is(name, "partNumber"))
			return s3_invalid_argument(
				c, name, value, "This operation does not accept partNumber without uploadId");
		if (str_is(name, "uploadId"))
			return s3_invalid_argument(
				c, name, value, "This operation does not accept uploadId without partNumber");
	}
	return OK;
}

/* The object that the headers describe, and what its body is claimed to be. */
static status read_request(struct call *c, const struct s3_put_object_input *in, struct s3_rec_bucket *b,
	struct s3_rec_object *o, struct s3_claim *claim)
{
	struct s3_headers h = S3_HEADERS(in);
	struct s3_checksums sums = S3_CHECKSUMS(in);
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, b));
	TRY(s3_key_check(c, in->key));
	if (in->write_offset_bytes.has && !s3_is_directory(b))
		return s3_header_not_implemented(c, STR("x-amz-write-offset-bytes"));
	TRY(s3_headers_read(c, b, &h, o));
	return s3_claim_read(c, &sums, in->content_md5, in->checksum_algorithm, claim);
}

/* S3 keeps a checksum of every object: CRC-64/NVME where the client chose none ("Checking object integrity"). */
static const struct s3_algorithm *kept_algorithm(const struct s3_claim *claim)
{
	return claim->algorithm ? claim->algorithm : s3_algorithm(STR("CRC64NVME"));
}

status s3_put_object_prepare(struct call *c, const struct s3_put_object_input *in, struct body_plan *plan)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o = {0};
	struct s3_claim claim;
	TRY(read_request(c, in, &b, &o, &claim));
	TRY(check_query(c));
	TRY(s3_length_check(c));
	plan->max_size = S3_BODY_MAX;
	s3_sealer_plan(c, plan);
	plan->digests = DIGEST_MD5 | s3_claim_digests(&claim) | kept_algorithm(&claim)->digest;
	return OK;
}

status s3_put_object(struct call *c, const struct s3_put_object_input *in, struct s3_put_object_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o = {0}, existing;
	struct s3_claim claim;
	struct s3_customer customer;
	struct s3_wrap wrap;
	const struct body *body = in->body;
	TRY(read_request(c, in, &b, &o, &claim));
	TRY(S3_CUSTOMER(c, in, &customer));
	TRY(s3_claim_check(c, &claim, &body->digests, body->trailers, body->n_trailers));
	status found = s3_object_load(c, &b, in->key, &existing);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	const struct s3_rec_object *replaced = is_ok(found) ? &existing : NULL;
	TRY(s3_write_condition(c, in->if_match, in->if_none_match, in->key, replaced));

	const struct s3_algorithm *kept = kept_algorithm(&claim);
	if (in->write_offset_bytes.has) {
		if (replaced) return s3_express_append(c, in, &b, replaced, kept, out);
		if (in->write_offset_bytes.v) return s3_no_such_key(c, in->key);
	}
	TRY(s3_sse_make(c, &b, in->key, &o, &customer, &wrap));
	o.size = SOME_I64((int64_t)body->size);
	o.e_tag = s3_is_directory(&b) ? s3_express_tag(c->arena)
				      : str_hex(c->arena, s3_sse_tag(c, o.sse, body->digests.md5));
	o.modified = SOME_TIME(c->now_ms / 1000 * 1000);
	o.checksum_algorithm = kept->name;
	o.checksum_type = STR("FULL_OBJECT");
	o.checksum = str_base64(c->arena, s3_checksum_bytes(c->arena, kept, &body->digests));
	s3_sse_adopt(c, body, &wrap, &o.extents);
	TRY(s3_object_save(c, &b, in->key, &o, NULL, replaced));
	TRY(s3_changed(c, &b, in->key, str_is(c->http->method, "POST") ? S3_CREATED_POST : S3_CREATED_PUT, &o));

	out->e_tag = s3_quoted(c->arena, o.e_tag);
	out->version_id = s3_version_shown(&b, &o);
	S3_SET_CHECKSUM(out, o.checksum_algorithm, o.checksum);
	out->checksum_type = o.checksum_type;
	S3_SSE_SHOW(out, o.sse, &customer);
	TRY(s3_lifecycle_header(c, &b, in->key, &o, &out->expiration));
	out->ssekms_encryption_context = o.sse->given_context;
	return OK;
}
