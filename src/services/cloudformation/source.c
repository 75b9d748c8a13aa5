/* Where templates come from: the request itself, or an S3 object ("TemplateURL"). */
#include "s3.h"
#include "services/cloudformation/internal.h"

status cfn_read_object(
	const struct cfn_object_read *r, struct str bucket, struct str key, struct str *bytes, struct str *message)
{
	struct s3_get_object_input in = {.bucket = bucket, .key = key};
	struct inside *i = inside_run(r->cloud, r->who, "s3", S3_OP_GET_OBJECT, &in, NULL);
	status s = OK;
	if (!i->ok) {
		*message = str_fmt(r->a, "S3 error: %.*s", STR_ARG(str_has(i->message) ? i->message : i->code));
		s = STATUS(FAILED);
	} else if (!is_ok(inside_body(
			   i, r->a, ((const struct s3_get_object_output *)i->out)->body, CFN_OBJECT_MAX, bytes))) {
		*message = STR("S3 error: the object is too large or cannot be read");
		s = STATUS(FAILED);
	}
	inside_free(i);
	return s;
}

/* https://bucket.s3.region.amazonaws.com/key, https://s3.region.amazonaws.com/bucket/key, and the same at virga's own
 * addresses (http://localhost:4566/bucket/key, bucket.s3.localhost…). */
static status split_url(struct arena *a, struct str url, struct str *bucket, struct str *key)
{
	ptrdiff_t at = str_find(url, STR("://"));
	if (at < 0) return STATUS(INVALID);
	struct str rest = str_from(url, (size_t)at + 3), host = str_cut(&rest, '/');
	if (!str_has(rest)) return STATUS(INVALID);
	rest = str_cut(&rest, '?');
	struct wire_host h = wire_read_host(host);
	*bucket = h.bucket;
	/* bucket.s3.amazonaws.com, bucket.s3.us-east-1.amazonaws.com, bucket.s3-us-west-2.amazonaws.com */
	ptrdiff_t s3 = str_find(host, STR(".s3")), aws = str_find(host, STR(".amazonaws.com"));
	if (!str_has(*bucket) && s3 > 0 && aws > 0) *bucket = str_sub(host, 0, (size_t)s3);
	if (!str_has(*bucket)) *bucket = str_cut(&rest, '/');
	return str_has(rest) ? str_uri_decode(a, rest, false, key) : STATUS(INVALID);
}

status cfn_template_text(
	const struct cfn_object_read *r, struct str body, struct str url, struct str *text, struct str *why)
{
	if (str_has(body) == str_has(url)) {
		*why = STR("Either Template URL or Template Body must be specified.");
		return STATUS(INVALID);
	}
	if (str_has(body)) {
		*text = body;
		if (body.n <= CFN_BODY_MAX) return OK;
		*why = str_fmt(r->a,
			"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member "
			"must have length less than or "
			"equal to %d",
			CFN_BODY_MAX);
		return STATUS(INVALID);
	}
	struct str bucket, key;
	if (!is_ok(split_url(r->a, url, &bucket, &key))) {
		*why = STR("TemplateURL must be a supported URL.");
		return STATUS(INVALID);
	}
	return is_ok(cfn_read_object(r, bucket, key, text, why)) ? OK : STATUS(INVALID);
}
