/* Which service, operation and protocol a request means. In this order: smithy-protocol (CBOR), X-Amz-Target (JSON),
 * Action (query, ec2), and the rest protocols' URI templates, within the services that share the credential scope's
 * name or the host's; S3 where nothing tells. Services are few and templates are rejected in a few nanoseconds: plain
 * scans. */
#include "wire/internal.h"

struct str wire_header_get(const struct wire_request *r, struct str name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (r->headers[i].name.n == name.n && (r->headers[i].name.p[0] | 0x20) == (name.p[0] | 0x20) &&
			str_ieq(r->headers[i].name, name))
			return r->headers[i].value;
	return STR_NONE;
}

static bool is_c(const char *z, struct str s)
{
	return z && strlen(z) == s.n && memcmp(z, s.p, s.n) == 0;
}

static const struct wire_service *service_named(const char *name)
{
	size_t low = 0, high = wire_services_length;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(wire_services[mid]->name, name);
		if (c == 0) return wire_services[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ── what the request says of itself ── */
struct hints {
	struct str target, content_type;
	bool cbor;
	bool express; /* S3's directory buckets */
	bool portal;  /* carries the token of the AWS access portal */
	struct str signing, host_service;
};

static struct hints read_hints(const struct wire_request *r)
{
	struct hints h = {.signing = r->signing_name};
	for (size_t i = 0; i < r->n_headers; i++) {
		struct str n = r->headers[i].name;
		if (n.n == 12 && str_ieq(n, STR("X-Amz-Target")))
			h.target = r->headers[i].value;
		else if (n.n == 12 && str_ieq(n, STR("Content-Type")))
			h.content_type = r->headers[i].value;
		else if (n.n == 15 && str_ieq(n, STR("smithy-protocol")))
			h.cbor = str_is(r->headers[i].value, "rpc-v2-cbor");
		else if (n.n == 22 && str_ieq(n, STR("x-amz-sso_bearer_token")))
			h.portal = true;
	}
	h.express = str_is(h.signing, "s3express");
	/* Variants of S3 sign under names of their own. */
	if (str_is(h.signing, "s3express") || str_is(h.signing, "s3-outposts") || str_is(h.signing, "s3-object-lambda"))
		h.signing = STR("s3");
	return h;
}

static void host_hint(const struct wire_request *r, struct hints *h)
{
	if (!str_has(h->host_service)) h->host_service = str_or(wire_read_host(r->host).service, STR(""));
}

/* Could the request be for this service, as far as its signature or its host tells? */
static bool fits(const struct wire_service *s, const struct hints *h)
{
	if (str_has(h->signing)) return is_c(s->signing_name, h->signing);
	return h->host_service.n == 0 || is_c(s->endpoint_prefix, h->host_service);
}

static status unknown_service(struct arena *a, struct wire_failure *why, struct str name)
{
	return wire_fail(why, ERR_UNKNOWN_SERVICE, str_fmt(a, "virga has no service called %.*s", STR_ARG(name)));
}

static bool set_op(struct wire_match *out, const struct wire_service *s, struct str name)
{
	out->service = s;
	out->op_name = name;
	out->op = wire_op_find(&s->tables, name);
	if (out->op) out->op_index = (uint32_t)(out->op - s->tables.ops);
	return out->op != NULL;
}

/* ── rpc-v2-cbor: /service/NAME/operation/OPERATION (Smithy RPC v2 CBOR) ── */
static status route_cbor(
	struct arena *a, const struct wire_request *r, struct wire_match *out, struct wire_failure *why)
{
	ptrdiff_t at = str_find(r->path, STR("/service/"));
	struct str rest = at < 0 ? STR_NONE : str_from(r->path, (size_t)at + 9);
	struct str name = str_has(rest) ? str_cut(&rest, '/') : STR("");
	out->protocol = WIRE_CBOR;
	if (!str_has(rest) || !str_starts(rest, STR("operation/")))
		return wire_fail(why, ERR_UNKNOWN_OPERATION, STR("The path does not name a service and an operation"));
	rest = str_from(rest, 10);
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_service *s = wire_services[i];
		if (!(s->protocols & WIRE_CBOR) || !is_c(s->target_prefix, name)) continue;
		if (set_op(out, s, rest)) return OK;
		return wire_fail(why, ERR_UNKNOWN_OPERATION, str_fmt(a, "Unknown operation %.*s", STR_ARG(rest)));
	}
	return unknown_service(a, why, name);
}

/* ── json: X-Amz-Target: PREFIX.OPERATION. AWS's SDKs of Java and C++ ask Kinesis so in CBOR
 * (application/x-amz-cbor-1.1) ── */
static status route_target(struct arena *a, const struct hints *h, struct wire_match *out, struct wire_failure *why)
{
	ptrdiff_t dot = str_rchr(h->target, '.');
	struct str prefix = str_sub(h->target, 0, dot < 0 ? 0 : (size_t)dot);
	struct str name = str_from(h->target, (size_t)(dot + 1));
	bool one = str_find(h->content_type, STR("json-1.1")) >= 0,
	     cbor = str_find(h->content_type, STR("x-amz-cbor")) >= 0;
	out->protocol = cbor ? WIRE_AWS_CBOR : one ? WIRE_JSON11 : WIRE_JSON10;
	out->op_name = name;
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_service *s = wire_services[i];
		if (!(s->protocols & (WIRE_JSON10 | WIRE_JSON11)) || !is_c(s->target_prefix, prefix)) continue;
		if (!cbor && !(s->protocols & out->protocol))
			out->protocol = s->protocols & WIRE_JSON10 ? WIRE_JSON10 : WIRE_JSON11;
		if (set_op(out, s, name)) return OK;
		return wire_fail(why, ERR_UNKNOWN_OPERATION, str_fmt(a, "Unknown operation %.*s", STR_ARG(name)));
	}
	return unknown_service(a, why, prefix);
}

/* ── query and ec2: Action and Version ── */
static bool find_action(const struct wire_request *r, const struct hints *h, struct str *action, struct str *version)
{
	*action = wire_query_raw(r->query, STR("Action"));
	*version = wire_query_raw(r->query, STR("Version"));
	if (str_has(*action) && str_has(*version)) return true;
	bool form = str_istarts(h->content_type, STR("application/x-www-form-urlencoded")) || !str_has(h->content_type);
	if (form && r->body.n && str_is(r->method, "POST")) {
		if (!str_has(*action)) *action = wire_query_raw(r->body, STR("Action"));
		if (!str_has(*version)) *version = wire_query_raw(r->body, STR("Version"));
	}
	return str_has(*action);
}

static status route_action(struct arena *a, const struct hints *h, struct str action, struct str version,
	struct wire_match *out, struct wire_failure *why)
{
	const struct wire_service *nearest = NULL;
	if (!is_ok(str_uri_decode(a, action, true, &action))) action = STR("");
	out->protocol = WIRE_QUERY;
	out->op_name = action;
	/* Version first (elb and elbv2 share one name), then whoever has the action. */
	for (int any = 0; any < 2; any++)
		for (size_t i = 0; i < wire_services_length; i++) {
			const struct wire_service *s = wire_services[i];
			if (!(s->protocols & (WIRE_QUERY | WIRE_EC2)) || !fits(s, h)) continue;
			if (!nearest || is_c(s->api_version, version)) nearest = s;
			if (!any && !is_c(s->api_version, version)) continue;
			if (!wire_op_find(&s->tables, action)) continue;
			out->protocol = s->protocols & WIRE_EC2 ? WIRE_EC2 : WIRE_QUERY;
			(void)set_op(out, s, action);
			return OK;
		}
	if (nearest) {
		out->service = nearest;
		out->protocol = nearest->protocols & WIRE_EC2 ? WIRE_EC2 : WIRE_QUERY;
	}
	return wire_fail(why, ERR_UNKNOWN_OPERATION,
		str_fmt(a,
			out->protocol == WIRE_EC2 ? "The action %.*s is not valid for this web service."
						  : "Could not find operation %.*s for version %.*s",
			STR_ARG(action), STR_ARG(str_has(version) ? version : STR("NO_VERSION_SPECIFIED"))));
}

/* ── rest ── */
static int method_of(struct str m)
{
	static const char names[][8] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"};
	for (int i = 0; i < 7; i++)
		if (is_c(names[i], m)) return i;
	return WIRE_METHOD_OTHER;
}

/* Operations with one template are told apart by what they require: UploadPart its partNumber and uploadId, CopyObject
 * its x-amz-copy-source. A missing required one speaks against the operation, but leaves it as a last resort. */
static int required_score(const struct wire_tables *t, const struct wire_op *op, const struct wire_request *r)
{
	int score = op->flags & WIRE_O_DEPRECATED ? 0 : 1;
	if (op->in == WIRE_NO_SHAPE) return score;
	const struct wire_shape *s = &t->shapes[op->in];
	const struct wire_member *m = t->members + s->first;
	for (uint32_t i = 0; i < s->count; i++, m++) {
		if (!(m->bits & WIRE_M_REQUIRED)) continue;
		enum wire_location at = WIRE_LOCATION(m);
		if (at == WIRE_IN_QUERY)
			score += str_has(wire_query_raw(r->query, wire_str(t, m->wire_name))) ? 4 : -32;
		else if (at == WIRE_IN_HEADER)
			score += str_has(wire_header_get(r, wire_str(t, m->wire_name))) ? 4 : -16;
	}
	return score;
}

static int best_of(
	const struct wire_service *s, int method, const struct wire_request *r, int best, struct wire_match *out)
{
	const struct wire_tables *t = &s->tables;
	struct wire_match trial;
	uint64_t keys = wire_query_keys(r->query);
	for (uint32_t i = 0; i < t->n_ops; i++) {
		if (t->ops[i].method != method) continue;
		int score = wire_uri_match(wire_str(t, t->ops[i].uri), r->path, r->query, keys, &trial);
		if (score < 0) continue;
		score += required_score(t, &t->ops[i], r) + 64;
		if (score <= best) continue;
		best = score;
		out->service = s;
		out->op = &t->ops[i];
		out->op_index = i;
		out->op_name = wire_str(t, t->ops[i].name);
		out->protocol = s->protocols & WIRE_REST_XML ? WIRE_REST_XML : WIRE_REST_JSON;
		out->n_labels = trial.n_labels;
		memcpy(out->labels, trial.labels, trial.n_labels * sizeof trial.labels[0]);
	}
	return best;
}

bool wire_route_rest(const struct wire_service *s, const struct wire_request *r, struct wire_match *out)
{
	return best_of(s, method_of(r->method), r, -1, out) >= 0;
}

/* In path style AWS's SDK of JavaScript puts a directory bucket before a path that has its own slash:
 * /BUCKET--x-s3//KEY. */
static struct str single_slash(struct arena *a, struct str path)
{
	ptrdiff_t at = str_find(path, STR("--x-s3//"));
	if (at < 1 || str_find(str_sub(path, 1, (size_t)at - 1), STR("/")) >= 0) return path;
	return str_cat(a, str_sub(path, 0, (size_t)at + 7), str_from(path, (size_t)at + 8));
}

static status route_s3(struct arena *a, const struct wire_request *r, const struct hints *h, struct wire_match *out,
	struct wire_failure *why)
{
	const struct wire_service *s3 = service_named("s3"), *control = service_named("s3control");
	bool controls = str_starts(r->path, STR("/v20180820/")) &&
			(str_is(h->host_service, "s3-control") || str_has(wire_header_get(r, STR("x-amz-account-id"))));
	if (controls && control && wire_route_rest(control, r, out)) return OK;
	out->service = s3;
	out->protocol = WIRE_REST_XML;
	out->op_name = r->method;
	if (!s3) return wire_fail(why, ERR_UNKNOWN_SERVICE, STR("virga has no service called s3"));
	struct wire_request single = *r;
	if (str_starts(wire_header_get(r, STR("user-agent")), STR("aws-sdk-js/"))) {
		single.path = single_slash(a, r->path);
		r = &single;
	}
	/* A browser's form upload (POST object) has no operation in the model: the service reads it raw. */
	bool form = str_is(r->method, "POST") && str_istarts(h->content_type, STR("multipart/form-data"));
	if (!form && wire_route_rest(s3, r, out)) {
		/* Both are GET /: the endpoint and the signature's name tell. */
		if (h->express && str_is(out->op_name, "ListBuckets"))
			(void)set_op(out, s3, STR("ListDirectoryBuckets"));
		return OK;
	}
	return wire_fail(
		why, ERR_METHOD_NOT_ALLOWED, STR("The specified method is not allowed against this resource."));
}

static status route_rest(struct arena *a, const struct wire_request *r, const struct hints *h, struct wire_match *out,
	struct wire_failure *why)
{
	int method = method_of(r->method), best = -1;
	const struct wire_service *nearest = NULL;
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_service *s = wire_services[i];
		if (!fits(s, h)) continue;
		if (!nearest) nearest = s;
		if (s->protocols & (WIRE_REST_JSON | WIRE_REST_XML)) best = best_of(s, method, r, best, out);
	}
	if (best >= 0) return OK;
	out->op_name = r->method;
	if (!nearest) return unknown_service(a, why, str_has(h->signing) ? h->signing : h->host_service);
	out->service = nearest;
	out->protocol = (enum wire_protocol)nearest->protocol;
	return wire_fail(why, ERR_UNKNOWN_OPERATION,
		str_fmt(a, "Unable to determine service/operation name to be authorized: %.*s %.*s", STR_ARG(r->method),
			STR_ARG(r->path)));
}

/* Unsigned and no template of S3's: an operation that needs no signature (CreateToken, GetOpenIdToken, …). */
static bool route_anonymous(const struct wire_request *r, struct wire_match *out)
{
	int method = method_of(r->method);
	for (size_t i = 0; i < wire_services_length; i++) {
		struct wire_match trial = {0};
		const struct wire_service *s = wire_services[i];
		if (!(s->protocols & (WIRE_REST_JSON | WIRE_REST_XML)) || is_c(s->name, STR("s3"))) continue;
		if (best_of(s, method, r, -1, &trial) < 0 || !(trial.op->flags & WIRE_O_ANONYMOUS)) continue;
		*out = trial;
		return true;
	}
	return false;
}

status wire_route(struct arena *a, const struct wire_request *r, struct wire_match *out, struct wire_failure *why)
{
	struct hints h = read_hints(r);
	struct str action, version;
	*out = (struct wire_match){0};
	if (h.cbor) return route_cbor(a, r, out, why);
	if (h.target.n) return route_target(a, &h, out, why);
	/* The portal's requests are not signed: their paths could be S3's as well. */
	const struct wire_service *sso = h.portal && !str_has(h.signing) ? service_named("sso") : NULL;
	if (sso && wire_route_rest(sso, r, out)) return OK;
	bool s3 = str_is(h.signing, "s3");
	if (!s3) {
		if (!str_has(h.signing)) host_hint(r, &h);
		if (!str_is(h.host_service, "s3") && find_action(r, &h, &action, &version))
			return route_action(a, &h, action, version, out, why);
	} else if (str_starts(r->path, STR("/v20180820/"))) {
		host_hint(r, &h);
	}
	/* S3 takes no JSON by POST: /client/register is no object's key then. */
	bool json = str_is(r->method, "POST") && str_istarts(h.content_type, STR("application/json"));
	if (json && !str_has(h.signing) && h.host_service.n == 0 && route_anonymous(r, out)) return OK;
	if (s3 || (!str_has(h.signing) && (h.host_service.n == 0 || str_is(h.host_service, "s3") ||
						  str_is(h.host_service, "s3-control")))) {
		status st = route_s3(a, r, &h, out, why);
		if (is_ok(st) || s3 || h.host_service.n || !route_anonymous(r, out)) return st;
		*why = (struct wire_failure){0};
		return OK;
	}
	return route_rest(a, r, &h, out, why);
}
