/* POST Object: a browser's form becomes a PutObject whose headers are the form's fields ("POST Object", "Browser-based
 * uploads using POST", Amazon S3 API reference). The form is held in memory: dispatch refuses more than 80 MiB. */
#include "services/s3/form_policy.h"
#include "services/s3/headers.h"
#include "services/s3/raw.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { FIELDS_SIZE_MAX = 20 * 1024 /* "the form fields … can be a maximum of 20 KB in size" */ };

struct post {
	struct call *c;
	struct s3_form form;
	struct str bucket, key;
	struct s3_put_object_input in;
	const struct s3_put_object_output *out;
};

static struct str field(const struct post *p, const char *name)
{
	return s3_form_get(&p->form, str_c(name));
}

/* ── who ── */

static status mismatch(struct call *c)
{
	return call_fail(c, S3_ERR_SIGNATURE_DOES_NOT_MATCH,
		"The request signature we calculated does not match the signature you provided. Check your key and "
		"signing method.");
}

static void set_caller(struct call *c, struct str region)
{
	c->account = c->principal.account;
	c->region = str_empty(region) ? c->cloud->default_region : region;
	c->partition = str_starts(c->region, STR("cn-"))       ? STR("aws-cn")
		       : str_starts(c->region, STR("us-gov-")) ? STR("aws-us-gov")
							       : STR("aws");
	if (c->principal.kind == PRINCIPAL_ROOT)
		c->principal.arn =
			str_fmt(c->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(c->partition), STR_ARG(c->account));
}

static status resolve(struct call *c, struct sigv4 *s)
{
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, true);
	status st = identity_resolve(tx, c->arena, s, c->cloud->strict, c->now_ms, &c->principal, &c->failure);
	store_end(tx);
	TRY(st);
	set_caller(c, s->region);
	return OK;
}

static status check_v4(struct post *p, struct str policy)
{
	struct call *c = p->c;
	struct str credential = str_or(field(p, "x-amz-credential"), STR("")), part[5];
	if (!str_is(str_or(field(p, "x-amz-algorithm"), STR("")), "AWS4-HMAC-SHA256"))
		return s3_invalid_argument(c, STR("x-amz-algorithm"), field(p, "x-amz-algorithm"),
			"X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"");
	struct str rest = credential;
	for (int i = 0; i < 5; i++) part[i] = str_cut(&rest, '/');
	if (!str_has(part[4]) || str_has(rest) || !str_is(part[4], "aws4_request") || !str_is(part[3], "s3"))
		return s3_invalid_argument(c, STR("x-amz-credential"), credential,
			"The X-Amz-Credential field has to be of the form ACCESS_KEY/DATE/REGION/s3/aws4_request");
	int64_t at;
	if (!is_ok(time_read_basic(str_or(field(p, "x-amz-date"), STR("")), &at)))
		return s3_invalid_argument(c, STR("x-amz-date"), field(p, "x-amz-date"),
			"X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
	struct sigv4 s = {.kind = SIG_HEADER,
		.access_key = part[0],
		.date = part[1],
		.region = part[2],
		.service = part[3],
		.session_token = field(p, "x-amz-security-token"),
		.time_ms = at,
		.expires_s = -1};
	TRY(resolve(c, &s));
	if (!str_has(c->principal.secret)) return OK;
	uint8_t key[32], mac[32];
	sigv4_signing_key(c->principal.secret, part[1], part[2], part[3], key);
	digest_hmac_sha256(str_n(key, sizeof key), policy, mac);
	if (!str_eq_secret(str_hex(c->arena, str_n(mac, sizeof mac)), str_or(field(p, "x-amz-signature"), STR(""))))
		return mismatch(c);
	c->principal.verified = true;
	return OK;
}

static status check_v2(struct post *p, struct str policy)
{
	struct call *c = p->c;
	struct sigv4 s = {.kind = SIG_HEADER,
		.access_key = field(p, "AWSAccessKeyId"),
		.region = STR(""),
		.service = STR("s3"),
		.session_token = field(p, "x-amz-security-token"),
		.expires_s = -1};
	struct s3_rec_bucket b;
	/* That signature tells no region: the bucket's is meant. */
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, true);
	if (is_ok(s3_bucket_by_name(tx, c->arena, p->bucket, &b, NULL))) s.region = b.region;
	store_end(tx);
	TRY(resolve(c, &s));
	struct str secret = c->principal.secret;
	if (!str_has(secret)) return OK;
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n;
	INVARIANT(HMAC(EVP_sha1(), secret.p, (int)secret.n, (const unsigned char *)policy.p, policy.n, mac, &n));
	if (!str_eq_secret(str_base64(c->arena, str_n(mac, n)), str_or(field(p, "signature"), STR(""))))
		return mismatch(c);
	c->principal.verified = true;
	return OK;
}

static status authenticate(struct post *p)
{
	struct call *c = p->c;
	struct str policy = field(p, "policy");
	bool v4 = str_has(field(p, "x-amz-signature")) || str_has(field(p, "x-amz-algorithm"));
	bool v2 = str_has(field(p, "signature")) || str_has(field(p, "AWSAccessKeyId"));
	if (!v4 && !v2) {
		struct s3_rec_bucket b;
		c->principal = (struct principal){
			.kind = PRINCIPAL_ANONYMOUS, .account = STR(""), .arn = STR("*"), .user_id = STR("")};
		struct store_tx *tx = store_begin(c->cloud->store, c->arena, true);
		bool found = is_ok(s3_bucket_by_name(tx, c->arena, p->bucket, &b, NULL));
		store_end(tx);
		set_caller(c, found ? b.region : STR_NONE);
	} else if (str_has(policy) && !v4 && !str_has(field(p, "signature"))) {
		return s3_invalid_argument(c, STR("signature"), STR(""),
			"Bucket POST must contain a field named 'signature'.  If it is specified, please check the "
			"order of the fields.");
	} else if (!str_has(policy)) {
		return s3_invalid_argument(c, STR("policy"), STR(""),
			"Bucket POST must contain a field named 'policy'.  If it is specified, please check the order "
			"of the fields.");
	} else {
		TRY(v4 ? check_v4(p, policy) : check_v2(p, policy));
	}
	return str_has(policy) ? s3_form_policy_check(c, policy, &p->form, p->bucket) : OK;
}

/* ── what ── */

/* "${filename} … is replaced with the name of the file": browsers may send a path. */
static struct str with_file_name(struct arena *a, struct str key, struct str name)
{
	static const char variable[] = "${filename}";
	ptrdiff_t at = str_find(key, str_c(variable));
	if (at < 0) return key;
	struct str base = str_or(name, STR(""));
	ptrdiff_t slash = str_rchr(base, '/'), back = str_rchr(base, '\\');
	if (back > slash) slash = back;
	base = str_from(base, (size_t)(slash + 1));
	return str_fmt(a, "%.*s%.*s%.*s", (int)at, key.p, STR_ARG(base),
		STR_ARG(str_from(key, (size_t)at + sizeof variable - 1)));
}

static status read_form(struct post *p, const struct wire_request *r)
{
	struct call *c = p->c;
	struct str boundary = s3_form_boundary(wire_header_get(r, STR("Content-Type")));
	if (!str_has(boundary) || !is_ok(s3_form_read(c->arena, r->body, boundary, &p->form)))
		return call_fail(c, S3_ERR_MALFORMED_POST_REQUEST,
			"The body of your POST request is not well-formed multipart/form-data.");
	if (p->form.fields_size > FIELDS_SIZE_MAX)
		return call_fail(c, S3_ERR_MAX_POST_PRE_DATA_LENGTH_EXCEEDED_ERROR,
			"Your POST request fields preceding the upload file were too large.");
	if (!str_has(p->form.file))
		return call_fail(c, S3_ERR_INCORRECT_NUMBER_OF_FILES_IN_POST_REQUEST,
			"POST requires exactly one file upload per request.");
	p->key = field(p, "key");
	if (str_empty(p->key))
		return s3_invalid_argument(c, STR("key"), STR(""),
			"Bucket POST must contain a field named 'key'.  If it is specified, please check the order of "
			"the fields.");
	/* The policy's conditions are on the key as it will be. */
	p->key = with_file_name(c->arena, p->key, p->form.file_name);
	for (size_t i = 0; i < p->form.n; i++)
		if (str_ieq(p->form.v[i].name, STR("key"))) p->form.v[i].value = p->key;
	return OK;
}

/* The form's tagging is XML; PutObject's is a query string. */
static status read_tagging(struct post *p, struct str xml, struct str *out)
{
	struct call *c = p->c;
	struct s3_put_object_tagging_input in = {0};
	struct wire_match m = {.service = &wire_service_s3,
		.op = &wire_service_s3.tables.ops[S3_OP_PUT_OBJECT_TAGGING],
		.op_index = S3_OP_PUT_OBJECT_TAGGING,
		.protocol = WIRE_REST_XML};
	struct wire_request r = {.method = STR("PUT"), .path = STR("/"), .host = STR(""), .body = xml};
	TRY(wire_decode(c->arena, &m, &r, &in, &c->failure));
	struct buf b = BUF_IN(c->arena);
	for (size_t i = 0; in.tagging && i < in.tagging->tag_set.n; i++) {
		if (i) buf_byte(&b, '&');
		buf_str(&b, str_uri_encode(c->arena, in.tagging->tag_set.v[i].key, false));
		buf_byte(&b, '=');
		buf_str(&b, str_uri_encode(c->arena, str_or(in.tagging->tag_set.v[i].value, STR("")), false));
	}
	*out = buf_done(&b);
	return OK;
}

static status read_input(struct post *p)
{
	struct call *c = p->c;
	struct wire_header *h = arena_new_n(c->arena, struct wire_header, p->form.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < p->form.n; i++) {
		struct str name = p->form.v[i].name;
		/* Of a request's head, not of an object's: these must not be taken from a form. */
		if (str_ieq(name, STR("Content-Length")) || str_ieq(name, STR("tagging"))) continue;
		h[n++] = (struct wire_header){str_ieq(name, STR("acl")) ? STR("x-amz-acl") : name, p->form.v[i].value};
	}
	struct wire_match m = {.service = &wire_service_s3,
		.op = &wire_service_s3.tables.ops[S3_OP_PUT_OBJECT],
		.op_index = S3_OP_PUT_OBJECT,
		.protocol = WIRE_REST_XML};
	struct wire_request r = {
		.method = STR("PUT"), .path = STR("/"), .host = STR(""), .headers = h, .n_headers = n, .body = STR("")};
	TRY(wire_decode(c->arena, &m, &r, &p->in, &c->failure));
	p->in.bucket = p->bucket;
	p->in.key = p->key;
	if (str_has(field(p, "tagging"))) TRY(read_tagging(p, field(p, "tagging"), &p->in.tagging));
	return OK;
}

/* ── the answer ── */

static void header(struct wire_response *r, struct str name, struct str value)
{
	if (str_has(value)) r->headers[r->n_headers++] = (struct wire_header){name, value};
}

static void xml(struct buf *b, const char *name, struct str s)
{
	buf_fmt(b, "<%s>", name);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '<')
			buf_lit(b, "&lt;");
		else if (s.p[i] == '>')
			buf_lit(b, "&gt;");
		else if (s.p[i] == '&')
			buf_lit(b, "&amp;");
		else if (s.p[i] == '"')
			buf_lit(b, "&quot;");
		else
			buf_byte(b, s.p[i]);
	}
	buf_fmt(b, "</%s>", name);
}

static bool is_url(struct str s)
{
	return str_istarts(s, STR("http://")) || str_istarts(s, STR("https://"));
}

static void answer(struct post *p, struct wire_response *r)
{
	struct call *c = p->c;
	struct str location = str_fmt(c->arena, "%s://%.*s%.*s%s%.*s", c->http->tls ? "https" : "http",
		STR_ARG(c->http->host), STR_ARG(c->http->path), str_ends(c->http->path, STR("/")) ? "" : "/",
		STR_ARG(str_uri_encode(c->arena, p->key, true)));
	struct str to = field(p, "success_action_redirect");
	if (!str_has(to)) to = field(p, "redirect");
	struct str wanted = str_or(field(p, "success_action_status"), STR(""));
	header(r, STR("ETag"), p->out->e_tag);
	header(r, STR("x-amz-version-id"), p->out->version_id);
	header(r, STR("x-amz-server-side-encryption"), p->out->server_side_encryption);
	r->body = STR("");
	/* A redirect that is no URL is as if it were not there. */
	if (str_has(to) && is_url(to)) {
		r->code = 303;
		header(r, STR("Location"),
			str_fmt(c->arena, "%.*s%sbucket=%.*s&key=%.*s&etag=%.*s", STR_ARG(to),
				str_chr(to, '?') >= 0 ? "&" : "?", STR_ARG(str_uri_encode(c->arena, p->bucket, false)),
				STR_ARG(str_uri_encode(c->arena, p->key, false)),
				STR_ARG(str_uri_encode(c->arena, p->out->e_tag, false))));
		return;
	}
	header(r, STR("Location"), location);
	r->code = str_is(wanted, "200") ? 200 : str_is(wanted, "201") ? 201 : 204;
	if (r->code != 201) return;
	struct buf b = BUF_IN(c->arena);
	buf_lit(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
	xml(&b, "Location", location);
	xml(&b, "Bucket", p->bucket);
	xml(&b, "Key", p->key);
	xml(&b, "ETag", p->out->e_tag);
	buf_lit(&b, "</PostResponse>");
	r->body = buf_done(&b);
	header(r, STR("Content-Type"), STR("application/xml"));
}

static status post(struct post *p, const struct wire_request *r)
{
	TRY(read_form(p, r));
	TRY(authenticate(p));
	TRY(read_input(p));
	TRY(call_permit(p->c, &wire_service_s3, S3_OP_PUT_OBJECT, &p->in));
	const void *out;
	TRY(call_stream(p->c, p->form.file, &out));
	p->out = out;
	return OK;
}

bool s3_form_answer(struct call *c, const struct wire_request *r, struct wire_response *response)
{
	struct post p = {.c = c};
	if (!str_is(r->method, "POST") ||
		!str_istarts(wire_header_get(r, STR("Content-Type")), STR("multipart/form-data")))
		return false;
	struct str path = str_from(r->path, 1), name = str_cut(&path, '/');
	if (!str_empty(path) || str_empty(name) || !is_ok(str_uri_decode(c->arena, name, false, &p.bucket)))
		return false;
	c->match.service = &wire_service_s3;
	c->match.protocol = WIRE_REST_XML;
	status s = post(&p, r);
	if (is_ok(s)) {
		answer(&p, response);
		return true;
	}
	if (!status_is(s, STATUS_FAILED))
		(void)!is_ok(call_fail(c, ERR_INTERNAL, "We encountered an internal error. Please try again."));
	wire_encode_error(c->arena, &c->match, &c->failure, c->request_id, response);
	return true;
}
