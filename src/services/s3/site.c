/* A bucket as a website: what bucket.s3-website-REGION.… answers ("Hosting a static website using Amazon S3": website
 * endpoints, index and error documents, redirects). Objects are read by GetObject's own handler, after it was asked
 * whether somebody without credentials may; errors are pages. */
#include "services/s3/raw.h"
#include "services/s3/version.h"

struct site {
	struct call *c;
	const struct wire_request *r;
	struct wire_response *response;
	struct s3_rec_bucket bucket;
	struct s3_put_bucket_website_input conf;
	struct str key; /* as asked for, decoded */
	bool head;
};

/* ── answers without an object ── */

static void header(struct wire_response *r, struct str name, struct str value)
{
	r->headers[r->n_headers++] = (struct wire_header){name, value};
}

static const char *reason(unsigned code)
{
	switch (code) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 412:
		return "Precondition Failed";
	case 416:
		return "Requested Range Not Satisfiable";
	case 500:
		return "Internal Server Error";
	default:
		return "Error";
	}
}

static void escape(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '<':
			buf_lit(b, "&lt;");
			break;
		case '>':
			buf_lit(b, "&gt;");
			break;
		case '&':
			buf_lit(b, "&amp;");
			break;
		case '"':
			buf_lit(b, "&quot;");
			break;
		default:
			buf_byte(b, s.p[i]);
		}
	}
}

static void item(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "<li>%s: ", name);
	escape(b, value);
	buf_lit(b, "</li>\n");
}

/* The page that stands for c->failure. custom: why the error document could not be shown; NULL where there is none. */
static void error_page(struct site *s, const struct wire_failure *custom)
{
	struct call *c = s->c;
	unsigned code;
	struct str name = wire_error_code(&c->match, c->failure.id, &code);
	if (str_has(c->failure.code)) {
		name = c->failure.code;
		code = c->failure.http_status;
	}
	struct buf b = BUF_IN(c->arena);
	buf_fmt(&b, "<html>\n<head><title>%u %s</title></head>\n<body>\n<h1>%u %s</h1>\n<ul>\n", code, reason(code),
		code, reason(code));
	item(&b, "Code", name);
	item(&b, "Message", c->failure.message);
	for (size_t i = 0; i < c->failure.n_details; i++)
		item(&b, str_z(c->arena, c->failure.details[i].name), c->failure.details[i].value);
	item(&b, "RequestId", c->request_id);
	item(&b, "HostId", str_base64(c->arena, c->request_id));
	buf_lit(&b, "</ul>\n");
	if (custom) {
		unsigned ignored;
		buf_lit(&b, "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n");
		item(&b, "Code", wire_error_code(&c->match, custom->id, &ignored));
		item(&b, "Message", custom->message);
		buf_lit(&b, "</ul>\n");
	}
	buf_lit(&b, "<hr/>\n</body>\n</html>\n");
	s->response->code = code;
	s->response->body = buf_done(&b);
	header(s->response, STR("Content-Type"), STR("text/html; charset=utf-8"));
	header(s->response, STR("x-amz-error-code"), name);
	header(s->response, STR("x-amz-error-message"), c->failure.message);
}

static void redirect(struct site *s, unsigned code, struct str location)
{
	s->response->code = code;
	s->response->body = STR("");
	header(s->response, STR("Location"), location);
}

/* ── redirects by configuration ── */

static bool to_all(struct site *s)
{
	const struct s3_redirect_all_requests_to *all = s->conf.website_configuration->redirect_all_requests_to;
	if (!all) return false;
	struct str protocol = str_has(all->protocol) ? all->protocol : s->c->http->tls ? STR("https") : STR("http");
	struct str query = s->r->query;
	redirect(s, 301,
		str_fmt(s->c->arena, "%.*s://%.*s/%.*s%s%.*s", STR_ARG(protocol), STR_ARG(all->host_name),
			STR_ARG(str_uri_encode(s->c->arena, s->key, true)), str_empty(query) ? "" : "?",
			STR_ARG(query)));
	return true;
}

/* code 0: before anything was looked for, so only rules without an error code. */
static bool by_rule(struct site *s, unsigned code)
{
	struct call *c = s->c;
	const struct s3_routing_rules *rules = &s->conf.website_configuration->routing_rules;
	for (size_t i = 0; i < rules->n; i++) {
		const struct s3_condition *when = rules->v[i].condition;
		const struct s3_redirect *to = rules->v[i].redirect;
		struct str prefix = when ? str_or(when->key_prefix_equals, STR("")) : STR("");
		int64_t wanted = 0;
		if (when && str_has(when->http_error_code_returned_equals))
			(void)is_ok(str_to_i64(when->http_error_code_returned_equals, &wanted));
		if (wanted != (int64_t)code || !str_starts(s->key, prefix)) continue;
		struct str key = s->key;
		if (str_has(to->replace_key_with)) key = to->replace_key_with;
		if (str_has(to->replace_key_prefix_with))
			key = str_cat(c->arena, to->replace_key_prefix_with, str_from(key, prefix.n));
		struct str protocol = str_has(to->protocol) ? to->protocol : c->http->tls ? STR("https") : STR("http");
		struct str host = str_has(to->host_name) ? to->host_name : c->http->host;
		int64_t answer = 301;
		if (str_has(to->http_redirect_code)) (void)is_ok(str_to_i64(to->http_redirect_code, &answer));
		redirect(s, (unsigned)answer,
			str_fmt(c->arena, "%.*s://%.*s/%.*s", STR_ARG(protocol), STR_ARG(host),
				STR_ARG(str_uri_encode(c->arena, key, true))));
		return true;
	}
	return false;
}

/* ── objects ── */

static status no_such_key(struct site *s, struct str key)
{
	/* Who may not list is not told what is there. */
	struct s3_list_objects_v2_input list = {.bucket = s->bucket.name};
	TRY(call_permit(s->c, &wire_service_s3, S3_OP_LIST_OBJECTS_V2, &list));
	return s3_no_such_key(s->c, key);
}

/* Decided as an anonymous GetObject; then read as the owner. conditional: the request's own range and conditions count.
 */
static status get(struct site *s, struct str key, bool conditional, struct s3_get_object_output *out)
{
	struct call *c = s->c;
	struct s3_get_object_input in = {.bucket = s->bucket.name, .key = key};
	struct s3_rec_object o;
	if (conditional) {
		in.range = wire_header_get(s->r, STR("Range"));
		in.if_match = wire_header_get(s->r, STR("If-Match"));
		in.if_none_match = wire_header_get(s->r, STR("If-None-Match"));
		in.if_modified_since = wire_header_get(s->r, STR("If-Modified-Since"));
		in.if_unmodified_since = wire_header_get(s->r, STR("If-Unmodified-Since"));
	}
	status st = s3_object_load(c, &s->bucket, key, &o);
	if (status_is(st, STATUS_NOT_FOUND)) return no_such_key(s, key);
	TRY(st);
	TRY(call_permit(c, &wire_service_s3, S3_OP_GET_OBJECT, &in));
	struct str account = c->account;
	c->account = s->bucket.owner;
	st = s3_get_object(c, &in, out);
	c->account = account;
	return st;
}

static void show(struct site *s, const struct s3_get_object_output *out, unsigned code)
{
	struct call *c = s->c;
	wire_encode(c->arena, &c->match, out, c->request_id, s->response);
	if (code)
		s->response->code = code;
	else if (c->response_code)
		s->response->code = c->response_code;
}

static void fail(struct site *s)
{
	struct call *c = s->c;
	unsigned code;
	(void)wire_error_code(&c->match, c->failure.id, &code);
	if (by_rule(s, code)) return;
	const struct s3_error_document *document =
		s->conf.website_configuration ? s->conf.website_configuration->error_document : NULL;
	if (!document || code < 400 || code >= 500) {
		error_page(s, NULL);
		return;
	}
	struct wire_failure first = c->failure, second;
	struct s3_get_object_output out = {0};
	c->n_extra_headers = 0;
	if (is_ok(get(s, document->key, false, &out))) {
		show(s, &out, code);
		return;
	}
	second = c->failure;
	c->failure = first;
	error_page(s, &second);
}

static bool exists(struct site *s, struct str key)
{
	struct s3_rec_object o;
	return is_ok(s3_object_load(s->c, &s->bucket, key, &o));
}

static status serve(struct site *s)
{
	struct call *c = s->c;
	if (to_all(s) || by_rule(s, 0)) return OK;
	struct str suffix = s->conf.website_configuration->index_document->suffix, key = s->key;
	if (str_empty(key) || str_ends(key, STR("/")))
		key = str_cat(c->arena, key, suffix);
	else if (!exists(s, key)) {
		struct str folder = str_cat(c->arena, key, STR("/"));
		if (exists(s, str_cat(c->arena, folder, suffix))) {
			redirect(s, 302, str_cat(c->arena, STR("/"), str_uri_encode(c->arena, folder, true)));
			return OK;
		}
	}
	struct s3_get_object_output out = {0};
	TRY(get(s, key, true, &out));
	if (str_has(out.website_redirect_location)) {
		struct s3_get_object_output none = {0};
		if (out.body) {
			blob_close(out.body->blob);
			if (out.body->close) out.body->close(out.body->read_ctx);
		}
		out = none;
		struct s3_rec_object o;
		TRY(s3_object_load(c, &s->bucket, key, &o));
		redirect(s, 301, o.website_redirect);
		return OK;
	}
	show(s, &out, 0);
	return OK;
}

static status find(struct site *s)
{
	struct call *c = s->c;
	struct str name = wire_read_host(s->r->host).bucket;
	struct str path = str_from(c->http->path, 1);
	if (!str_is(s->r->method, "GET") && !str_is(s->r->method, "HEAD")) {
		status st = call_fail(
			c, S3_ERR_METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.");
		call_fail_detail(c, STR("Method"), s->r->method);
		call_fail_detail(c, STR("ResourceType"), STR("OBJECT"));
		return st;
	}
	if (!is_ok(str_uri_decode(c->arena, path, false, &s->key)) || !str_utf8_valid(s->key))
		return call_fail(c, S3_ERR_INVALID_URI, "Couldn't parse the specified URI.");
	status st = s3_bucket_by_name(c->tx, c->arena, str_or(name, STR("")), &s->bucket, &c->partition);
	if (status_is(st, STATUS_NOT_FOUND)) {
		st = call_fail(c, S3_ERR_NO_SUCH_BUCKET, "The specified bucket does not exist");
		call_fail_detail(c, STR("BucketName"), name);
		return st;
	}
	TRY(st);
	c->region = s->bucket.region;
	st = s3_config_get(c, &s->bucket, S3_CONFIG_WEBSITE, STR(""), &s->conf);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	st = call_fail(
		c, S3_ERR_NO_SUCH_WEBSITE_CONFIGURATION, "The specified bucket does not have a website configuration");
	call_fail_detail(c, STR("BucketName"), s->bucket.name);
	return st;
}

void s3_site_answer(struct call *c, const struct wire_request *r, struct wire_response *response)
{
	struct site s = {.c = c, .r = r, .response = response};
	c->principal = (struct principal){
		.kind = PRINCIPAL_ANONYMOUS, .account = STR(""), .arn = STR("*"), .user_id = STR("")};
	c->account = STR("");
	c->match.service = &wire_service_s3;
	c->match.protocol = WIRE_REST_XML;
	c->tx = store_begin(c->cloud->store, c->arena, true);
	status st = find(&s);
	bool found = is_ok(st);
	if (found) st = serve(&s);
	if (!is_ok(st)) {
		response->n_headers = 0;
		if (!status_is(st, STATUS_FAILED))
			st = call_fail(c, ERR_INTERNAL, "We encountered an internal error. Please try again.");
		if (found)
			fail(&s);
		else
			error_page(&s, NULL);
	}
	store_end(c->tx);
	c->tx = NULL;
}
