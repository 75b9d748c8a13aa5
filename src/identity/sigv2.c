/* Signature Version 2, which S3 still takes and which older tools make by default: the AWS CLI's and boto3's presigned URLs in
 * us-east-1 among them ("Signing and Authenticating REST Requests", Amazon S3 Developer Guide). S3 only. */
#include "clock/clock.h"
#include "identity/sigv4_internal.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

/* Query parameters that are part of the resource, besides response-…. Sorted. */
static const char *const subresources[] = {"accelerate", "acl", "analytics", "cors", "delete", "encryption",
	"intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metrics", "notification",
	"object-lock", "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock", "replication",
	"requestPayment", "restore", "retention", "select", "select-type", "tagging", "torrent", "uploadId", "uploads",
	"versionId", "versioning", "versions", "website"};

static bool is_subresource(struct str name)
{
	if (str_starts(name, STR("response-"))) return true;
	for (size_t i = 0; i < sizeof(subresources) / sizeof(subresources[0]); i++)
		if (str_eq(str_c(subresources[i]), name)) return true;
	return false;
}

static status invalid(struct wire_failure *why, const char *message)
{
	return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, "AccessDenied", 403, str_c(message));
}

status sigv2_read_query(struct arena *a, const struct wire_request *r, struct sigv4 *out, struct wire_failure *why)
{
	struct str rest = r->query, expires = STR_NONE;
	out->kind = SIG_V2;
	out->service = STR("s3");
	out->region = STR("");
	out->payload = SIG_PAYLOAD_UNSIGNED;
	while (str_has(rest)) {
		struct str value = str_cut(&rest, '&'), name = str_cut(&value, '='), plain;
		if (!is_ok(str_uri_decode(a, str_or(value, STR("")), true, &plain)))
			return invalid(why, "Query-string authentication requires well-formed parameters");
		if (str_is(name, "AWSAccessKeyId")) out->access_key = plain;
		if (str_is(name, "Signature")) out->signature = plain;
		if (str_is(name, "Expires")) expires = plain;
		if (str_ieq(name, STR("x-amz-security-token"))) out->session_token = plain;
	}
	int64_t at_s;
	if (!str_has(expires))
		return invalid(why, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters");
	if (!is_ok(str_to_i64(expires, &at_s)) || at_s < 0 || at_s > INT64_MAX / 1000)
		return invalid(why, "Invalid date (should be seconds since epoch): Expires");
	out->expires_s = at_s;
	out->date = expires;
	return OK;
}

status sigv2_read_header(struct str credential, struct str date, struct str amz_date, struct str token, struct sigv4 *out,
	struct wire_failure *why)
{
	ptrdiff_t colon = str_rchr(credential, ':');
	out->kind = SIG_V2;
	out->service = STR("s3");
	out->region = STR("");
	out->payload = SIG_PAYLOAD_UNSIGNED;
	out->expires_s = -1;
	if (colon <= 0)
		return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, "InvalidArgument", 400,
			STR("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"));
	out->access_key = str_trim(str_sub(credential, 0, (size_t)colon));
	out->signature = str_trim(str_from(credential, (size_t)colon + 1));
	out->session_token = token;
	struct str when = str_has(amz_date) ? amz_date : date;
	if (!str_has(when) || (!is_ok(time_read_http(when, &out->time_ms)) && !is_ok(time_read_basic(when, &out->time_ms))))
		return invalid(why, "AWS authentication requires a valid Date or x-amz-date header");
	out->date = str_has(amz_date) ? STR("") : date;
	return OK;
}

struct pair {
	struct str name, value;
};

static int by_name(const void *x, const void *y)
{
	const struct pair *p = x, *q = y;
	return str_cmp(p->name, q->name);
}

static void add_amz_headers(struct arena *a, const struct wire_request *r, struct str query_token, struct buf *b)
{
	struct pair *v = arena_new_n(a, struct pair, r->n_headers + 1);
	size_t n = 0;
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_istarts(r->headers[i].name, STR("x-amz-")))
			v[n++] = (struct pair){str_lower(a, r->headers[i].name), str_trim(r->headers[i].value)};
	if (str_has(query_token)) v[n++] = (struct pair){STR("x-amz-security-token"), query_token};
	qsort(v, n, sizeof(*v), by_name);
	for (size_t i = 0; i < n; i++) {
		bool more = i && str_eq(v[i - 1].name, v[i].name);
		if (more) {
			b->n--; /* the line's end */
			buf_byte(b, ',');
		} else {
			buf_str(b, v[i].name);
			buf_byte(b, ':');
		}
		buf_str(b, v[i].value);
		buf_byte(b, '\n');
	}
}

static void add_resource(struct arena *a, const struct wire_request *r, struct buf *b)
{
	struct str bucket = wire_read_host(r->host).bucket, rest = r->query;
	if (str_has(bucket)) {
		buf_byte(b, '/');
		buf_str(b, bucket);
	}
	buf_str(b, r->path);
	size_t n = 0, most = 1;
	for (size_t i = 0; i < rest.n; i++) most += rest.p[i] == '&';
	struct pair *v = arena_new_n(a, struct pair, most);
	while (str_has(rest)) {
		struct str value = str_cut(&rest, '&'), name = str_cut(&value, '='), plain = STR_NONE;
		if (!is_subresource(name)) continue;
		if (str_has(value) && !is_ok(str_uri_decode(a, value, true, &plain))) plain = value;
		v[n++] = (struct pair){name, plain};
	}
	qsort(v, n, sizeof(*v), by_name);
	for (size_t i = 0; i < n; i++) {
		buf_byte(b, i ? '&' : '?');
		buf_str(b, v[i].name);
		if (!str_has(v[i].value)) continue;
		buf_byte(b, '=');
		buf_str(b, v[i].value);
	}
}

static struct str header_or_empty(const struct wire_request *r, struct str name)
{
	return str_or(wire_header_get(r, name), STR(""));
}

static struct str string_to_sign(struct arena *a, const struct wire_request *r, const struct sigv4 *s)
{
	struct buf b = BUF_IN(a);
	buf_str(&b, r->method);
	buf_byte(&b, '\n');
	buf_str(&b, header_or_empty(r, STR("content-md5")));
	buf_byte(&b, '\n');
	buf_str(&b, header_or_empty(r, STR("content-type")));
	buf_byte(&b, '\n');
	buf_str(&b, s->date);
	buf_byte(&b, '\n');
	add_amz_headers(a, r, s->expires_s >= 0 ? s->session_token : STR_NONE, &b);
	add_resource(a, r, &b);
	return buf_done(&b);
}

status sigv2_verify(struct arena *a, const struct wire_request *r, const struct sigv4 *s, struct str secret, int64_t now_ms,
	struct wire_failure *why)
{
	if (s->expires_s >= 0 && now_ms >= s->expires_s * 1000) {
		status failed = sig_fail(why, ERR_REQUEST_EXPIRED, "AccessDenied", 403, STR("Request has expired"));
		sig_fail_detail(why, STR("Expires"), time_iso8601(a, s->expires_s * 1000, false));
		sig_fail_detail(why, STR("ServerTime"), time_iso8601(a, now_ms, false));
		return failed;
	}
	if (s->expires_s < 0 && llabs(now_ms - s->time_ms) > SIG_SKEW_MS)
		return sig_fail(why, ERR_TIME_SKEWED, "RequestTimeTooSkewed", 403,
			STR("The difference between the request time and the current time is too large."));
	if (!str_has(secret)) return OK;
	struct str text = string_to_sign(a, r, s);
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	INVARIANT(HMAC(EVP_sha1(), secret.p, (int)secret.n, (const unsigned char *)text.p, text.n, mac, &n));
	if (str_eq_secret(str_base64(a, str_n(mac, n)), s->signature)) return OK;
	status failed = sig_fail(why, ERR_SIGNATURE, "SignatureDoesNotMatch", 403,
		STR("The request signature we calculated does not match the signature you provided. Check your key and signing "
		    "method."));
	sig_fail_detail(why, STR("AWSAccessKeyId"), s->access_key);
	sig_fail_detail(why, STR("StringToSign"), text);
	return sig_fail_as_text(a, failed, why);
}
