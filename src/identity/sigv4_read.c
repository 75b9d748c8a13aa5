/* Reads who signed what, when: from the Authorization header or from a presigned URL's query. Messages are worded as
 * AWS words them, S3 in its own dialect ("Authenticating Requests (AWS Signature Version 4)" in the S3 API Reference,
 * "Troubleshoot Signature Version 4 signing" in the IAM User Guide). */
#include "clock/clock.h"
#include "identity/sigv4_internal.h"

/* The headers that matter here, found in one pass. */
struct found {
	struct str authorization, amz_date, date, content_sha256, token, decoded_length, content_type;
	bool two_authorizations;
};

static void take(struct str *to, struct str value)
{
	if (!str_has(*to)) *to = str_trim(value);
}

static struct found find_headers(const struct wire_request *r)
{
	struct found f = {0};
	for (size_t i = 0; i < r->n_headers; i++) {
		struct str name = r->headers[i].name, value = r->headers[i].value;
		switch (name.n) {
		case 4:
			if (str_ieq(name, STR("date"))) take(&f.date, value);
			break;
		case 10:
			if (str_ieq(name, STR("x-amz-date"))) take(&f.amz_date, value);
			break;
		case 12:
			if (str_ieq(name, STR("content-type"))) take(&f.content_type, value);
			break;
		case 13:
			if (str_ieq(name, STR("authorization"))) {
				f.two_authorizations = str_has(f.authorization);
				take(&f.authorization, value);
			}
			break;
		case 20:
			if (str_ieq(name, STR("x-amz-content-sha256"))) take(&f.content_sha256, value);
			if (str_ieq(name, STR("x-amz-security-token"))) take(&f.token, value);
			break;
		case 21: /* of a session with a directory bucket ("CreateSession") */
			if (str_ieq(name, STR("x-amz-s3session-token"))) take(&f.token, value);
			break;
		case 28:
			if (str_ieq(name, STR("x-amz-decoded-content-length"))) take(&f.decoded_length, value);
			break;
		default:
			break;
		}
	}
	return f;
}

/* The authentication parameters of a query, still encoded. */
struct presigned {
	struct str algorithm, credential, date, expires, signed_headers, signature, token, content_sha256;
	struct str v2_key, v2_signature;
};

static struct presigned find_parameters(struct str query)
{
	struct presigned p = {0};
	if (str_find(query, STR("X-Amz-")) < 0 && str_find(query, STR("AWSAccessKeyId=")) < 0) return p;
	while (str_has(query)) {
		struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');
		value = str_or(value, STR(""));
		struct str *to = str_is(name, "X-Amz-Algorithm")        ? &p.algorithm
				 : str_is(name, "X-Amz-Credential")     ? &p.credential
				 : str_is(name, "X-Amz-Date")           ? &p.date
				 : str_is(name, "X-Amz-Expires")        ? &p.expires
				 : str_is(name, "X-Amz-SignedHeaders")  ? &p.signed_headers
				 : str_is(name, "X-Amz-Signature")      ? &p.signature
				 : str_is(name, "X-Amz-Security-Token") ? &p.token
				 : str_is(name, "X-Amz-S3session-Token") ? &p.token
				 : str_is(name, "X-Amz-Content-Sha256") ? &p.content_sha256
				 : str_is(name, "AWSAccessKeyId")       ? &p.v2_key
				 : str_is(name, "Signature")            ? &p.v2_signature
									: NULL;
		if (to && !str_has(*to)) *to = value;
	}
	return p;
}

static status header_malformed(
	struct arena *a, bool s3, struct wire_failure *why, const char *s3_message, struct str other)
{
	if (!s3) return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, NULL, 0, other);
	return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, "AuthorizationHeaderMalformed", 400,
		str_fmt(a, "The authorization header is malformed; %s", s3_message));
}

static status query_malformed(bool s3, struct wire_failure *why, struct str message)
{
	return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, s3 ? "AuthorizationQueryParametersError" : NULL, 400, message);
}

static status old_version(bool s3, struct wire_failure *why)
{
	return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, s3 ? "InvalidRequest" : NULL, 400,
		STR("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."));
}

static status v4a(struct wire_failure *why)
{
	return sig_fail(why, ERR_NOT_IMPLEMENTED, NULL, 0,
		STR("Signature Version 4A (AWS4-ECDSA-P256-SHA256, multi-Region signatures) is not implemented; sign "
		    "with "
		    "AWS4-HMAC-SHA256."));
}

static bool is_date(struct str s)
{
	if (s.n != 8) return false;
	for (size_t i = 0; i < 8; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return true;
}

/* keyid/date/region/service/aws4_request. */
static status read_credential(
	struct arena *a, struct str credential, bool s3, bool in_query, struct sigv4 *out, struct wire_failure *why)
{
	struct str rest = credential, part[5];
	size_t n = 0;
	while (str_has(rest) && n < 5) part[n++] = str_cut(&rest, '/');
	bool five = n == 5 && !str_has(rest) && part[0].n && part[1].n && part[2].n && part[3].n;
	for (size_t i = 0; i < credential.n; i++) five &= credential.p[i] > ' ' && credential.p[i] < 0x7f;
	if (!five || (s3 && (!is_date(part[1]) || !str_is(part[4], "aws4_request")))) {
		static const char expected[] =
			"the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
		if (s3 && in_query)
			return query_malformed(
				true, why, str_fmt(a, "Error parsing the X-Amz-Credential parameter; %s", expected));
		return header_malformed(a, s3, why, expected,
			str_fmt(a,
				"Credential must have exactly 5 slash-delimited elements, e.g. "
				"keyid/date/region/service/term, got "
				"'%.*s'",
				STR_ARG(credential)));
	}
	if (!str_is(part[4], "aws4_request"))
		return sig_fail(why, ERR_SIGNATURE, NULL, 0,
			str_fmt(a, "Credential should be scoped with a valid terminator: 'aws4_request', not '%.*s'.",
				STR_ARG(part[4])));
	out->access_key = part[0];
	out->date = part[1];
	out->region = part[2];
	out->service = part[3];
	return OK;
}

/* The scope's date and the time must be of the same day. */
static status check_date(struct arena *a, bool s3, const struct sigv4 *s, struct wire_failure *why)
{
	struct sig_time_text t = sig_time_write(s->time_ms);
	struct str day = str_n(t.p, 8);
	if (str_eq(s->date, day)) return OK;
	if (s3) {
		struct str message = str_fmt(a,
			"Invalid credential date \"%.*s\". This date is not the same as X-Amz-Date: \"%.*s\".",
			STR_ARG(s->date), STR_ARG(day));
		if (s->kind == SIG_QUERY) return query_malformed(true, why, message);
		return header_malformed(a, true, why, str_z(a, message), STR_NONE);
	}
	return sig_fail(why, ERR_SIGNATURE, NULL, 0,
		str_fmt(a,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
			"'%.*s' != '%.*s', "
			"from '%.16s'.",
			STR_ARG(s->date), STR_ARG(day), t.p));
}

static bool is_hex64(struct str s)
{
	if (s.n != 64) return false;
	for (size_t i = 0; i < 64; i++) {
		char c = s.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
	}
	return true;
}

/* What x-amz-content-sha256 says about the body. */
static status read_payload(struct str value, bool s3, struct sigv4 *out, struct wire_failure *why)
{
	static const struct {
		struct str value;
		enum sig_payload payload;
	} kinds[] = {
		{{"UNSIGNED-PAYLOAD", 16}, SIG_PAYLOAD_UNSIGNED},
		{{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 34}, SIG_PAYLOAD_CHUNKED},
		{{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", 42}, SIG_PAYLOAD_CHUNKED_TRAILER},
		{{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", 34}, SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER},
	};
	out->payload = SIG_PAYLOAD_HASH;
	if (is_hex64(value)) {
		out->payload_hash = value;
		return OK;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!str_eq(value, kinds[i].value)) continue;
		out->payload = kinds[i].payload;
		out->payload_hash = value;
		if (s3 && i > 0 && out->decoded_length == UINT64_MAX)
			return sig_fail(why, ERR_VALIDATION, "MissingContentLength", 411,
				STR("You must provide the Content-Length HTTP header."));
		return OK;
	}
	if (str_starts(value, STR("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"))) return v4a(why);
	if (!s3) return OK; /* not a claim that others know: the body's own hash has to be what was signed */
	status failed = sig_fail(why, ERR_INCOMPLETE_SIGNATURE, "InvalidArgument", 400,
		STR("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
		    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
		    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a "
		    "valid sha256 "
		    "value."));
	sig_fail_detail(why, STR("ArgumentName"), STR("x-amz-content-sha256"));
	sig_fail_detail(why, STR("ArgumentValue"), value);
	return failed;
}

static status read_header_time(
	struct arena *a, const struct found *f, bool s3, struct sigv4 *out, struct wire_failure *why)
{
	struct str text = str_or(f->amz_date, f->date);
	if (str_has(text)) {
		if (sig_time_read(text, &out->time_ms)) return OK;
		if (!str_has(f->amz_date) && is_ok(time_read_http(text, &out->time_ms)) && out->time_ms >= 0) return OK;
	}
	if (s3)
		return sig_fail(why, ERR_ACCESS_DENIED, NULL, 0,
			STR("AWS authentication requires a valid Date or x-amz-date header"));
	if (!str_has(text))
		return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, NULL, 0,
			STR("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."));
	return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, NULL, 0,
		str_fmt(a,
			"Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
			"http://en.wikipedia.org/wiki/ISO_8601",
			STR_ARG(text)));
}

static status read_decoded_length(struct str text, bool s3, struct sigv4 *out, struct wire_failure *why)
{
	out->decoded_length = UINT64_MAX;
	if (!str_has(text)) return OK;
	if (is_ok(str_to_u64(text, &out->decoded_length)) && out->decoded_length != UINT64_MAX) return OK;
	return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, s3 ? "InvalidArgument" : NULL, 400,
		STR("x-amz-decoded-content-length must be a non-negative integer"));
}

/* The three components behind the algorithm's name, in any order. */
static status read_components(struct arena *a, struct str components, bool s3, struct str *credential,
	struct sigv4 *out, struct wire_failure *why)
{
	struct str rest = components;
	while (str_has(rest)) {
		struct str value = str_trim(str_cut(&rest, ','));
		if (value.n == 0) continue;
		struct str whole = value, name = str_cut(&value, '=');
		if (!str_has(value))
			return header_malformed(a, s3, why,
				str_z(a, str_fmt(a, "the authorization component \"%.*s\" is malformed.",
						 STR_ARG(whole))),
				str_fmt(a,
					"'%.*s' not a valid key=value pair (missing equal-sign) in Authorization "
					"header: '%.*s'.",
					STR_ARG(whole), STR_ARG(components)));
		struct str *to = str_is(name, "Credential")      ? credential
				 : str_is(name, "SignedHeaders") ? &out->signed_headers
				 : str_is(name, "Signature")     ? &out->signature
								 : NULL;
		if (!to) continue;
		if (str_has(*to))
			return header_malformed(a, s3, why,
				str_z(a, str_fmt(a, "the authorization component \"%.*s\" is malformed.",
						 STR_ARG(whole))),
				str_fmt(a, "'%.*s' is repeated in Authorization header.", STR_ARG(name)));
		*to = value;
	}
	return OK;
}

static bool empty_or_absent(struct str s)
{
	return s.n == 0;
}

static status read_header(struct arena *a, const struct found *f, bool s3, struct sigv4 *out, struct wire_failure *why)
{
	struct str components = f->authorization, algorithm = str_cut(&components, ' ');
	out->kind = SIG_HEADER;
	out->expires_s = -1;
	if (str_is(algorithm, "AWS4-ECDSA-P256-SHA256")) {
		out->kind = SIG_V4A;
		return v4a(why);
	}
	if (s3 && str_is(algorithm, "AWS"))
		return sigv2_read_header(components, f->date, f->amz_date, f->token, out, why);
	if (str_is(algorithm, "AWS") || str_is(algorithm, "AWS3") || str_is(algorithm, "AWS3-HTTPS")) {
		out->kind = SIG_V2;
		return old_version(s3, why);
	}
	if (!str_is(algorithm, "AWS4-HMAC-SHA256")) {
		if (s3) {
			status failed = sig_fail(why, ERR_INCOMPLETE_SIGNATURE, "InvalidArgument", 400,
				STR("Unsupported Authorization Type"));
			sig_fail_detail(why, STR("ArgumentName"), STR("Authorization"));
			sig_fail_detail(why, STR("ArgumentValue"), f->authorization);
			return failed;
		}
		if (str_starts(algorithm, STR("AWS4-")))
			return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, NULL, 0,
				str_fmt(a, "Unsupported AWS 'algorithm': '%.*s'.", STR_ARG(algorithm)));
		components = STR(""); /* of another scheme: none of the components is there */
	}
	struct str credential = STR_NONE;
	TRY(read_components(a, str_or(components, STR("")), s3, &credential, out, why));
	bool no_credential = empty_or_absent(credential), no_headers = empty_or_absent(out->signed_headers),
	     no_signature = empty_or_absent(out->signature), no_date = !str_has(f->amz_date) && !str_has(f->date);
	if (no_credential || no_headers || no_signature)
		return header_malformed(a, s3, why,
			"the authorization header requires three components: Credential, SignedHeaders, and Signature.",
			str_fmt(a, "%s%s%s%sAuthorization=%.*s",
				no_credential ? "Authorization header requires 'Credential' parameter. " : "",
				no_signature ? "Authorization header requires 'Signature' parameter. " : "",
				no_headers ? "Authorization header requires 'SignedHeaders' parameter. " : "",
				no_date ? "Authorization header requires existence of either a 'X-Amz-Date' or a "
					  "'Date' header. "
					: "",
				STR_ARG(algorithm)));
	TRY(read_credential(a, credential, s3, false, out, why));
	TRY(read_header_time(a, f, s3, out, why));
	out->session_token = f->token;
	if (s3 && !str_has(f->content_sha256))
		return sig_fail(why, ERR_INCOMPLETE_SIGNATURE, "InvalidRequest", 400,
			STR("Missing required header for this request: x-amz-content-sha256"));
	if (str_has(f->content_sha256)) TRY(read_payload(f->content_sha256, s3, out, why));
	return check_date(a, s3, out, why);
}

static status decode(struct arena *a, struct str encoded, bool s3, struct wire_failure *why, struct str *out)
{
	if (is_ok(str_uri_decode(a, encoded, false, out))) return OK;
	return query_malformed(s3, why, str_fmt(a, "Malformed percent-encoding in '%.*s'", STR_ARG(encoded)));
}

static status read_expires(struct str text, bool s3, struct sigv4 *out, struct wire_failure *why)
{
	out->expires_s = 900;
	if (!str_has(text)) return OK; /* required in S3's dialect, see read_query */
	status s = str_to_i64(text, &out->expires_s);
	if (status_is(s, STATUS_LIMIT)) out->expires_s = text.p[0] == '-' ? -1 : INT64_MAX;
	if (!is_ok(s) && !status_is(s, STATUS_LIMIT))
		return query_malformed(s3, why, STR("X-Amz-Expires should be a number"));
	if (out->expires_s < 0) return query_malformed(s3, why, STR("X-Amz-Expires must be non-negative"));
	if (out->expires_s == 0) return query_malformed(s3, why, STR("X-Amz-Expires must be greater than zero"));
	if (out->expires_s > SIG_MAX_EXPIRES_S)
		return query_malformed(s3, why,
			STR("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
			    "must be less than "
			    "604800 seconds"));
	return OK;
}

static status read_query(struct arena *a, const struct presigned *p, const struct found *f, bool s3, struct sigv4 *out,
	struct wire_failure *why)
{
	out->kind = SIG_QUERY;
	if (str_is(p->algorithm, "AWS4-ECDSA-P256-SHA256")) {
		out->kind = SIG_V4A;
		return v4a(why);
	}
	if (str_has(p->algorithm) && !str_is(p->algorithm, "AWS4-HMAC-SHA256"))
		return query_malformed(
			s3, why, STR("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\""));
	if (!str_has(p->algorithm) || empty_or_absent(p->credential) || empty_or_absent(p->signature) ||
		empty_or_absent(p->date) || empty_or_absent(p->signed_headers) || (s3 && !str_has(p->expires)))
		return query_malformed(s3, why,
			s3 ? STR("Query-string authentication version 4 requires the X-Amz-Algorithm, "
				 "X-Amz-Credential, "
				 "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
			   : str_fmt(a, "%s%s%s%s%sRe-examine the query-string parameters.",
				     str_has(p->algorithm)
					     ? ""
					     : "AWS query-string parameters must include 'X-Amz-Algorithm'. ",
				     p->credential.n ? ""
						     : "AWS query-string parameters must include 'X-Amz-Credential'. ",
				     p->signature.n ? ""
						    : "AWS query-string parameters must include 'X-Amz-Signature'. ",
				     p->signed_headers.n
					     ? ""
					     : "AWS query-string parameters must include 'X-Amz-SignedHeaders'. ",
				     p->date.n ? "" : "AWS query-string parameters must include 'X-Amz-Date'. "));
	struct str credential, date, expires = STR_NONE, content_sha256 = f->content_sha256;
	TRY(decode(a, p->credential, s3, why, &credential));
	TRY(decode(a, p->date, s3, why, &date));
	TRY(decode(a, p->signed_headers, s3, why, &out->signed_headers));
	if (str_has(p->expires)) TRY(decode(a, p->expires, s3, why, &expires));
	if (str_has(p->content_sha256)) TRY(decode(a, p->content_sha256, s3, why, &content_sha256));
	out->session_token = f->token;
	if (str_has(p->token)) TRY(decode(a, p->token, s3, why, &out->session_token));
	out->signature = p->signature;
	TRY(read_credential(a, credential, s3, true, out, why));
	if (!sig_time_read(date, &out->time_ms))
		return query_malformed(s3, why,
			s3 ? STR("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
			   : str_fmt(a,
				     "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
				     "http://en.wikipedia.org/wiki/ISO_8601",
				     STR_ARG(date)));
	TRY(read_expires(expires, s3, out, why));
	if (str_has(content_sha256)) {
		TRY(read_payload(content_sha256, s3, out, why));
	} else if (s3) { /* "Authenticating Requests: Using Query Parameters": the payload is not part of the signature
			  */
		out->payload = SIG_PAYLOAD_UNSIGNED;
		out->payload_hash = STR("UNSIGNED-PAYLOAD");
	}
	return check_date(a, s3, out, why);
}

static status read_any(
	struct arena *a, const struct wire_request *r, bool s3, struct sigv4 *out, struct wire_failure *why)
{
	*out = (struct sigv4){.expires_s = -1};
	struct found f = find_headers(r);
	struct presigned p = find_parameters(r->query);
	TRY(read_decoded_length(f.decoded_length, s3, out, why));
	bool in_query = str_has(p.algorithm) || str_has(p.signature) || str_has(p.credential);
	bool v2 = str_has(p.v2_key) && str_has(p.v2_signature);
	if (f.two_authorizations || (s3 && str_has(f.authorization) && (in_query || v2))) {
		status failed = sig_fail(why, ERR_INCOMPLETE_SIGNATURE, s3 ? "InvalidArgument" : NULL, 400,
			STR("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
			    "query string "
			    "parameter or the Authorization header should be specified"));
		if (s3) sig_fail_detail(why, STR("ArgumentName"), STR("Authorization"));
		if (s3) sig_fail_detail(why, STR("ArgumentValue"), f.authorization);
		return failed;
	}
	if (str_has(f.authorization)) return read_header(a, &f, s3, out, why);
	if (in_query) return read_query(a, &p, &f, s3, out, why);
	if (v2 && s3) return sigv2_read_query(a, r, out, why);
	if (v2) {
		out->kind = SIG_V2;
		return old_version(s3, why);
	}
	/* A browser's upload carries its signature in the form's fields. */
	if (s3 && str_is(r->method, "POST") && str_istarts(f.content_type, STR("multipart/form-data")))
		out->kind = SIG_POST_FORM;
	/* An anonymous body may be in chunks, too. */
	if (str_has(f.content_sha256)) TRY(read_payload(f.content_sha256, s3, out, why));
	return OK;
}

status sigv4_read(struct arena *a, const struct wire_request *r, bool s3, struct sigv4 *out, struct wire_failure *why)
{
	return sig_fail_as_text(a, read_any(a, r, s3, out, why), why);
}
