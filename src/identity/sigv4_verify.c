/* Is the signature that a request carries the one that its secret makes, and is it made now? */
#include "identity/sigv4_internal.h"
#include <openssl/crypto.h>

static const char mismatch[] =
	"The request signature we calculated does not match the signature you provided. Check your ";

static struct str sig_text(struct arena *a, int64_t ms)
{
	struct sig_time_text t = sig_time_write(ms);
	return str_dup(a, str_n(t.p, sizeof(t.p)));
}

/* S3's errors carry times as 2015-08-30T12:36:00Z. */
static struct str iso_text(struct arena *a, int64_t ms)
{
	struct sig_time_text t = sig_time_write(ms);
	const char *p = t.p;
	return str_fmt(a, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", p, p + 4, p + 6, p + 9, p + 11, p + 13);
}

static status too_skewed(struct arena *a, const struct sigv4 *s, int64_t now_ms, struct wire_failure *why)
{
	status failed = sig_fail(why, ERR_TIME_SKEWED, "RequestTimeTooSkewed", 403,
		STR("The difference between the request time and the current time is too large."));
	sig_fail_detail(why, STR("RequestTime"), sig_text(a, s->time_ms));
	sig_fail_detail(why, STR("ServerTime"), iso_text(a, now_ms));
	sig_fail_detail(why, STR("MaxAllowedSkewMilliseconds"), STR("900000"));
	return failed;
}

static status check_time(struct arena *a, const struct sigv4 *s, bool s3, int64_t now_ms, struct wire_failure *why)
{
	bool presigned = s->kind == SIG_QUERY;
	int64_t life_ms = presigned ? s->expires_s * 1000 : SIG_SKEW_MS;
	if (s->time_ms > now_ms + SIG_SKEW_MS) {
		if (s3 && presigned) return sig_fail(why, ERR_ACCESS_DENIED, NULL, 0, STR("Request is not valid yet"));
		if (s3) return too_skewed(a, s, now_ms, why);
		return sig_fail(why, ERR_TIME_SKEWED, NULL, 0,
			str_fmt(a, "Signature not yet current: %.*s is still later than %.*s (%.*s + 15 min.)",
				STR_ARG(sig_text(a, s->time_ms)), STR_ARG(sig_text(a, now_ms + SIG_SKEW_MS)),
				STR_ARG(sig_text(a, now_ms))));
	}
	if (now_ms <= s->time_ms + life_ms) return OK;
	if (s3 && presigned) {
		status failed = sig_fail(why, ERR_REQUEST_EXPIRED, "AccessDenied", 403, STR("Request has expired"));
		sig_fail_detail(why, STR("X-Amz-Expires"), str_fmt(a, "%lld", (long long)s->expires_s));
		sig_fail_detail(why, STR("Expires"), iso_text(a, s->time_ms + life_ms));
		sig_fail_detail(why, STR("ServerTime"), iso_text(a, now_ms));
		return failed;
	}
	if (s3) return too_skewed(a, s, now_ms, why);
	return sig_fail(why, ERR_TIME_SKEWED, NULL, 0,
		str_fmt(a, "Signature expired: %.*s is now earlier than %.*s (%.*s - %lld min.)",
			STR_ARG(sig_text(a, s->time_ms)), STR_ARG(sig_text(a, now_ms - life_ms)),
			STR_ARG(sig_text(a, now_ms)), (long long)(life_ms / 60000)));
}

/* S3: the host and every x-amz-* header that is present have to be signed; only x-amz-content-sha256 need not, as its
 * value is the canonical request's last line. Elsewhere: the host. */
static status check_signed_headers(
	struct arena *a, const struct wire_request *r, const struct sigv4 *s, bool s3, struct wire_failure *why)
{
	struct sig_names names;
	if (!sig_names_split(s->signed_headers, &names)) {
		if (s3)
			return sig_fail(why, ERR_INCOMPLETE_SIGNATURE,
				s->kind == SIG_QUERY ? "AuthorizationQueryParametersError"
						     : "AuthorizationHeaderMalformed",
				400,
				STR("The authorization header is malformed; the SignedHeaders component is "
				    "malformed."));
		return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, NULL, 0,
			str_fmt(a, "SignedHeaders must be at most %d names, separated by semicolons.",
				SIG_MAX_SIGNED_HEADERS));
	}
	if (!s3) {
		if (sig_names_have(&names, STR("host")) || sig_names_have(&names, STR(":authority"))) return OK;
		return sig_fail(why, ERR_SIGNATURE, NULL, 0,
			STR("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
	}
	struct buf missing = BUF_IN(a);
	if (!sig_names_have(&names, STR("host"))) buf_lit(&missing, "host");
	for (size_t i = 0; i < r->n_headers; i++) {
		struct str name = r->headers[i].name;
		if (name.n < 6 || (name.p[0] | 0x20) != 'x' || !str_istarts(name, STR("x-amz-"))) continue;
		if (sig_names_have(&names, name) || str_ieq(name, STR("x-amz-content-sha256"))) continue;
		if (missing.n) buf_lit(&missing, ", ");
		buf_str(&missing, str_lower(a, name));
	}
	if (missing.n == 0) return OK;
	status failed = sig_fail(why, ERR_ACCESS_DENIED, NULL, 0,
		STR("There were headers present in the request which were not signed"));
	sig_fail_detail(why, STR("HeadersNotSigned"), buf_done(&missing));
	return failed;
}

static struct str payload_text(
	struct arena *a, const struct wire_request *r, const struct sigv4 *s, const uint8_t *payload_sha256)
{
	if (str_has(s->payload_hash)) return s->payload_hash;
	uint8_t hash[32];
	if (!payload_sha256) {
		sha256_once(str_or(r->body, STR("")), hash);
		payload_sha256 = hash;
	}
	char *hex = arena_alloc_raw(a, 64);
	sha256_hex(payload_sha256, hex);
	return str_n(hex, 64);
}

static bool matches(struct arena *a, const struct wire_request *r, const struct sigv4 *s, bool s3, struct str payload,
	const struct sha256_hmac_key *key, struct str *canonical, struct str *to_sign)
{
	uint8_t mac[32];
	char hex[64];
	*canonical = sigv4_canonical_request(a, r, s, s3, payload);
	*to_sign = sigv4_string_to_sign(a, s, *canonical);
	sha256_hmac(key, *to_sign, mac);
	sha256_hex(mac, hex);
	return s->signature.n == 64 && CRYPTO_memcmp(hex, s->signature.p, 64) == 0;
}

/* Requests that some clients sign in another way than most, each tried only after the usual way failed: the session
 * token added to the query after signing (AWS's test suite has both), '+' in a query meant as a space. */
static bool matches_variant(struct arena *a, const struct wire_request *r, const struct sigv4 *s, bool s3,
	struct str payload, const struct sha256_hmac_key *key)
{
	bool token = s->kind == SIG_QUERY && str_find(r->query, STR("X-Amz-Security-Token=")) >= 0;
	bool plus = str_chr(r->query, '+') >= 0;
	for (int v = 1; v < 4; v++) {
		if (((v & 1) && !token) || ((v & 2) && !plus)) continue;
		struct sigv4 other = *s;
		other.token_unsigned = v & 1;
		other.plus_is_space = (v & 2) != 0;
		struct str canonical, to_sign;
		if (matches(a, r, &other, s3, payload, key, &canonical, &to_sign)) return true;
	}
	return false;
}

static struct str bytes_text(struct arena *a, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc_raw(a, 3 * s.n + 1), *to = text;
	for (size_t i = 0; i < s.n; i++) {
		if (i) *to++ = ' ';
		*to++ = digits[(unsigned char)s.p[i] >> 4];
		*to++ = digits[s.p[i] & 15];
	}
	return str_n(text, (size_t)(to - text));
}

static status does_not_match(struct arena *a, const struct sigv4 *s, bool s3, struct str canonical, struct str to_sign,
	struct wire_failure *why)
{
	if (!s3)
		return sig_fail(why, ERR_SIGNATURE, NULL, 0,
			str_fmt(a,
				"%sAWS Secret Access Key and signing method. Consult the service documentation for "
				"details.",
				mismatch));
	status failed = sig_fail(why, ERR_SIGNATURE, NULL, 0, str_fmt(a, "%skey and signing method.", mismatch));
	sig_fail_detail(why, STR("AWSAccessKeyId"), s->access_key);
	sig_fail_detail(why, STR("StringToSign"), to_sign);
	sig_fail_detail(why, STR("SignatureProvided"), s->signature);
	sig_fail_detail(why, STR("StringToSignBytes"), bytes_text(a, to_sign));
	sig_fail_detail(why, STR("CanonicalRequest"), canonical);
	sig_fail_detail(why, STR("CanonicalRequestBytes"), bytes_text(a, canonical));
	return failed;
}

status sigv4_check_payload(
	struct arena *a, const struct sigv4 *s, bool s3, const uint8_t sha256[32], struct wire_failure *why)
{
	if (s->payload != SIG_PAYLOAD_HASH || !str_has(s->payload_hash)) return OK;
	char *hex = arena_alloc_raw(a, 64);
	sha256_hex(sha256, hex);
	if (str_eq_secret(str_n(hex, 64), s->payload_hash)) return OK;
	if (!s3)
		return sig_fail(why, ERR_SIGNATURE, NULL, 0,
			str_fmt(a,
				"%sAWS Secret Access Key and signing method. Consult the service documentation for "
				"details.",
				mismatch));
	status failed = sig_fail(why, ERR_SIGNATURE, "XAmzContentSHA256Mismatch", 400,
		STR("The provided 'x-amz-content-sha256' header does not match what was computed."));
	sig_fail_detail(why, STR("ClientComputedContentSHA256"), s->payload_hash);
	sig_fail_detail(why, STR("S3ComputedContentSHA256"), str_n(hex, 64));
	return failed;
}

status sigv4_verify(struct arena *a, const struct wire_request *r, const struct sigv4 *s, bool s3, struct str secret,
	const uint8_t *payload_sha256, int64_t now_ms, uint8_t signing_key[32], struct wire_failure *why)
{
	memset(signing_key, 0, 32);
	if (s->kind == SIG_V2) return sigv2_verify(a, r, s, secret, now_ms, why);
	if (s->kind != SIG_HEADER && s->kind != SIG_QUERY) return OK; /* anonymous: there is nothing to check */
	TRY(check_time(a, s, s3, now_ms, why));
	if (!str_has(secret)) return OK;
	TRY(sig_fail_as_text(a, check_signed_headers(a, r, s, s3, why), why));
	struct sha256_hmac_key key;
	sig_key_primed(secret, s->date, s->region, s->service, signing_key, &key);
	struct str payload = payload_text(a, r, s, payload_sha256), canonical, to_sign;
	bool right = matches(a, r, s, s3, payload, &key, &canonical, &to_sign) ||
		     matches_variant(a, r, s, s3, payload, &key);
	if (right) return payload_sha256 ? sigv4_check_payload(a, s, s3, payload_sha256, why) : OK;
	memset(signing_key, 0, 32);
	return sig_fail_as_text(a, does_not_match(a, s, s3, canonical, to_sign, why), why);
}

status sigv4_check_scope(struct arena *a, const struct sigv4 *s, bool s3, struct str service, struct str region,
	struct wire_failure *why)
{
	if (s->kind != SIG_HEADER && s->kind != SIG_QUERY) return OK;
	const char *code = !s3                    ? NULL
			   : s->kind == SIG_QUERY ? "AuthorizationQueryParametersError"
						  : "AuthorizationHeaderMalformed";
	const char *where = s->kind == SIG_QUERY ? "Error parsing the X-Amz-Credential parameter;"
						 : "The authorization header is malformed;";
	if (str_has(service) && !str_eq(service, s->service)) {
		if (!s3)
			return sig_fail(why, ERR_SIGNATURE, NULL, 0,
				str_fmt(a, "Credential should be scoped to correct service: '%.*s'.",
					STR_ARG(service)));
		return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, code, 400,
			str_fmt(a, "%s incorrect service \"%.*s\". This endpoint belongs to \"%.*s\".", where,
				STR_ARG(s->service), STR_ARG(service)));
	}
	if (str_has(region) && !str_eq(region, s->region)) {
		if (!s3)
			return sig_fail(why, ERR_SIGNATURE, NULL, 0,
				str_fmt(a, "Credential should be scoped to a valid region, not '%.*s'.",
					STR_ARG(s->region)));
		status failed = sig_fail(why, ERR_INCOMPLETE_SIGNATURE, code, 400,
			str_fmt(a, "%s the region '%.*s' is wrong; expecting '%.*s'", where, STR_ARG(s->region),
				STR_ARG(region)));
		sig_fail_detail(why, STR("Region"), region);
		return failed;
	}
	return OK;
}
