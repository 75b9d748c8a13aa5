/* Cross-origin resource sharing: the bucket's rules, and what they say to a browser ("Using cross-origin resource
 * sharing (CORS)", Amazon S3 User Guide). */
#include "services/s3/config.h"
#include "services/s3/cross_origin.h"

enum { RULES_MAX = 100, RULE_ID_MAX = 255 };

/* ── the configuration ── */

static bool has_method(struct str m)
{
	return str_is(m, "GET") || str_is(m, "PUT") || str_is(m, "HEAD") || str_is(m, "POST") || str_is(m, "DELETE");
}

static size_t wildcards(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += s.p[i] == '*';
	return n;
}

static status check_rule(struct call *c, const struct s3_cors_rule *r)
{
	if (!r->allowed_methods.n || !r->allowed_origins.n) return s3_malformed_xml(c);
	if (r->id.n > RULE_ID_MAX)
		return s3_invalid_argument(
			c, STR("ID"), r->id, "The ID of a rule must not be longer than 255 characters");
	for (size_t i = 0; i < r->allowed_methods.n; i++)
		if (!has_method(r->allowed_methods.v[i]))
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"Found unsupported HTTP method in CORS config. Unsupported method is %.*s",
				STR_ARG(r->allowed_methods.v[i]));
	for (size_t i = 0; i < r->allowed_origins.n; i++)
		if (wildcards(r->allowed_origins.v[i]) > 1)
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"AllowedOrigin \"%.*s\" can not have more than one wildcard.",
				STR_ARG(r->allowed_origins.v[i]));
	for (size_t i = 0; i < r->allowed_headers.n; i++)
		if (wildcards(r->allowed_headers.v[i]) > 1)
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"AllowedHeader \"%.*s\" can not have more than one wildcard.",
				STR_ARG(r->allowed_headers.v[i]));
	for (size_t i = 0; i < r->expose_headers.n; i++)
		if (wildcards(r->expose_headers.v[i]))
			return call_fail(c, S3_ERR_INVALID_REQUEST,
				"ExposeHeader \"%.*s\" contains wildcard. We currently do not support wildcard for "
				"ExposeHeader.",
				STR_ARG(r->expose_headers.v[i]));
	return OK;
}

status s3_put_bucket_cors(
	struct call *c, const struct s3_put_bucket_cors_input *in, struct s3_put_bucket_cors_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!in->cors_configuration) return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");
	const struct s3_cors_rules *rules = &in->cors_configuration->cors_rules;
	if (!rules->n) return s3_malformed_xml(c);
	if (rules->n > RULES_MAX)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"The number of CORS rules should not exceed allowed limit of %d rules.", RULES_MAX);
	for (size_t i = 0; i < rules->n; i++) TRY(check_rule(c, &rules->v[i]));
	return s3_config_put(c, &b, S3_CONFIG_CORS, STR(""));
}

status s3_get_bucket_cors(
	struct call *c, const struct s3_get_bucket_cors_input *in, struct s3_get_bucket_cors_output *out)
{
	struct s3_rec_bucket b;
	struct s3_put_bucket_cors_input conf;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = s3_config_get(c, &b, S3_CONFIG_CORS, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) {
		s = call_fail(c, S3_ERR_NO_SUCH_CORS_CONFIGURATION, "The CORS configuration does not exist");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	TRY(s);
	out->cors_rules = conf.cors_configuration->cors_rules;
	return OK;
}

status s3_delete_bucket_cors(
	struct call *c, const struct s3_delete_bucket_cors_input *in, struct s3_delete_bucket_cors_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	return s3_config_drop(c, &b, S3_CONFIG_CORS, STR(""), NULL);
}

/* ── a request of another origin ── */

static bool matches(struct str pattern, struct str s)
{
	ptrdiff_t star = str_chr(pattern, '*');
	if (star < 0) return str_eq(pattern, s);
	struct str before = str_sub(pattern, 0, (size_t)star), after = str_from(pattern, (size_t)star + 1);
	return s.n >= before.n + after.n && str_starts(s, before) && str_ends(s, after);
}

static bool headers_allowed(struct arena *a, const struct s3_cors_rule *r, struct str wanted)
{
	while (str_has(wanted)) {
		struct str name = str_lower(a, str_trim(str_cut(&wanted, ',')));
		bool found = str_empty(name);
		for (size_t i = 0; i < r->allowed_headers.n && !found; i++)
			found = matches(str_lower(a, r->allowed_headers.v[i]), name);
		if (!found) return false;
	}
	return true;
}

/* The first rule that allows it; *origin_shown is what Access-Control-Allow-Origin says. */
static const struct s3_cors_rule *find_rule(struct arena *a, const struct s3_cors_rules *rules, struct str origin,
	struct str method, struct str headers, struct str *origin_shown)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct s3_cors_rule *r = &rules->v[i];
		bool has = false;
		for (size_t j = 0; j < r->allowed_methods.n && !has; j++) has = str_eq(r->allowed_methods.v[j], method);
		if (!has || !headers_allowed(a, r, headers)) continue;
		for (size_t j = 0; j < r->allowed_origins.n; j++) {
			if (!matches(r->allowed_origins.v[j], origin)) continue;
			*origin_shown = str_is(r->allowed_origins.v[j], "*") ? STR("*") : origin;
			return r;
		}
	}
	return NULL;
}

static struct str joined(struct arena *a, const struct str *v, size_t n)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < n; i++) {
		if (i) buf_lit(&b, ", ");
		buf_str(&b, v[i]);
	}
	return buf_done(&b);
}

static void add(struct call_cors *out, struct str name, struct str value)
{
	INVARIANT(out->n < CALL_CORS_HEADERS);
	out->headers[out->n++] = (struct wire_header){name, value};
}

static void tell(
	struct call *c, const struct s3_cors_rule *r, struct str origin, struct str wanted, struct call_cors *out)
{
	struct arena *a = c->arena;
	out->verdict = CORS_ALLOWED;
	add(out, STR("Access-Control-Allow-Origin"), origin);
	add(out, STR("Access-Control-Allow-Methods"), joined(a, r->allowed_methods.v, r->allowed_methods.n));
	if (str_has(wanted)) add(out, STR("Access-Control-Allow-Headers"), str_lower(a, wanted));
	if (r->expose_headers.n)
		add(out, STR("Access-Control-Expose-Headers"), joined(a, r->expose_headers.v, r->expose_headers.n));
	if (r->max_age_seconds.has) add(out, STR("Access-Control-Max-Age"), str_fmt(a, "%d", r->max_age_seconds.v));
	if (!str_is(origin, "*")) add(out, STR("Access-Control-Allow-Credentials"), STR("true"));
	add(out, STR("Vary"), STR("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"));
}

static void refuse(struct call *c, struct str method, bool object, struct str code, const char *message)
{
	(void)!is_ok(call_fail(c, ERR_ACCESS_DENIED, "%s", message));
	c->failure.code = code;
	c->failure.http_status = str_is(code, "BadRequest") ? 400 : 403;
	if (str_is(code, "BadRequest")) return;
	call_fail_detail(c, STR("Method"), method);
	call_fail_detail(c, STR("ResourceType"), object ? STR("OBJECT") : STR("BUCKET"));
}

void s3_cross_origin(struct call *c, const struct wire_request *r, bool preflight, struct call_cors *out)
{
	struct str path = str_starts(r->path, STR("/")) ? str_from(r->path, 1) : r->path;
	struct str name = str_cut(&path, '/'), bucket;
	struct str origin = wire_header_get(r, STR("Origin")), method = r->method, wanted = STR_NONE;
	if (preflight) {
		method = wire_header_get(r, STR("Access-Control-Request-Method"));
		wanted = wire_header_get(r, STR("Access-Control-Request-Headers"));
	}
	if (preflight && !str_has(origin)) {
		out->verdict = CORS_REFUSED;
		refuse(c, method, false, STR("BadRequest"), "Insufficient information. Origin request header needed.");
		return;
	}
	if (preflight && !has_method(str_or(method, STR("")))) {
		out->verdict = CORS_REFUSED;
		struct str shown = str_or(method, STR("null"));
		refuse(c, method, false, STR("BadRequest"),
			str_z(c->arena,
				str_fmt(c->arena, "Invalid Access-Control-Request-Method: %.*s", STR_ARG(shown))));
		return;
	}
	struct s3_rec_bucket b;
	struct s3_put_bucket_cors_input conf = {0};
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, true);
	status s = STATUS(NOT_FOUND);
	if (!str_empty(name) && is_ok(str_uri_decode(c->arena, name, false, &bucket)))
		s = s3_bucket_by_name(tx, c->arena, bucket, &b, NULL);
	if (is_ok(s)) s = s3_config_read(tx, c->arena, &b, S3_CONFIG_CORS, STR(""), &conf, sizeof conf);
	store_end(tx);
	if (!is_ok(s)) {
		if (preflight)
			refuse(c, method, !str_empty(path), STR("AccessForbidden"),
				"CORSResponse: CORS is not enabled for this bucket.");
		return;
	}
	struct str shown = STR_NONE;
	const struct s3_cors_rule *rule =
		find_rule(c->arena, &conf.cors_configuration->cors_rules, origin, method, wanted, &shown);
	if (rule) {
		tell(c, rule, shown, wanted, out);
		return;
	}
	out->verdict = CORS_REFUSED;
	if (preflight)
		refuse(c, method, !str_empty(path), STR("AccessForbidden"),
			"CORSResponse: This CORS request is not allowed. This is usually because the evalution of "
			"Origin, request "
			"method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted "
			"by the "
			"resource's CORS spec.");
}
