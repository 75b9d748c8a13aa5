/* The edge's handler: from a request's head and body to a running call. See dispatch.h for the order of things. */
#include "admin/admin.h"
#include "base/gzip.h"
#include "base/rand.h"
#include "call/exchange.h"
#include <stddef.h>
#include <stdlib.h>

_Static_assert(sizeof(struct wire_header) == sizeof(struct edge_header) &&
		       offsetof(struct wire_header, value) == offsetof(struct edge_header, value),
	"a request's headers are handed from edge to wire as they are");

/* ── the head ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Which dialect of signing and of errors: told by the credential scope, else by what unsigned clients of S3 look like.
 */
static bool looks_like_s3(const struct exchange *e)
{
	const struct edge_request *r = e->call.http;
	struct str auth = edge_header_get(r, STR("Authorization"));
	if (str_has(auth)) {
		if (str_starts(auth, STR("AWS "))) return true; /* signature version 2, which only S3 still speaks */
		ptrdiff_t end = str_find(auth, STR("/aws4_request"));
		struct str before = str_sub(auth, 0, end < 0 ? 0 : (size_t)end);
		return str_ends(before, STR("/s3")) || str_ends(before, STR("/s3express")) ||
		       str_ends(before, STR("/s3-object-lambda"));
	}
	if (str_has(r->query) && str_find(r->query, STR("X-Amz-Credential=")) >= 0)
		return str_find(r->query, STR("%2Fs3%2F")) >= 0 || str_find(r->query, STR("/s3/")) >= 0;
	if (str_has(edge_header_get(r, STR("X-Amz-Target"))) || str_has(edge_header_get(r, STR("smithy-protocol"))))
		return false;
	if (str_has(r->query) && str_find(r->query, STR("Action=")) >= 0) return false;
	struct str type = edge_header_get(r, STR("Content-Type"));
	if (str_is(r->method, "POST") && str_istarts(type, STR("application/x-www-form-urlencoded"))) return false;
	return !str_has(e->host.service) || str_is(e->host.service, "s3");
}

static void new_request_id(struct exchange *e)
{
	if (!e->s3_dialect) {
		e->call.request_id = rand_uuid(&e->arena);
		return;
	}
	e->call.request_id = rand_text(&e->arena, STR("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 16);
}

bool origin_is_local(struct str origin)
{
	ptrdiff_t at = str_find(origin, STR("://"));
	if (at < 0) return false;
	struct str host = str_from(origin, (size_t)at + 3);
	if (str_starts(host, STR("["))) return str_starts(host, STR("[::1]"));
	host = str_cut(&host, ':');
	return str_is(host, "localhost") || str_is(host, "127.0.0.1") || str_ends(host, STR(".localhost")) ||
	       str_is(host, "localhost.localstack.cloud") || str_ends(host, STR(".localhost.localstack.cloud"));
}

static void answer_code(struct exchange *e, unsigned code)
{
	struct wire_response *r = arena_new(&e->arena, struct wire_response);
	r->code = code;
	r->body = STR("");
	exchange_answer(e, r);
}

static void answer_preflight(struct exchange *e)
{
	struct call *c = &e->call;
	struct str wanted = edge_header_get(c->http, STR("Access-Control-Request-Headers"));
	call_header(c, STR("Access-Control-Allow-Methods"), STR("GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS"));
	call_header(c, STR("Access-Control-Allow-Headers"), str_has(wanted) ? wanted : STR("*"));
	call_header(c, STR("Access-Control-Max-Age"), STR("600"));
	answer_code(e, 204);
}

/* ── routing and running ──────────────────────────────────────────────────────────────────────────────────────── */

void exchange_find_service(struct exchange *e)
{
	struct call *c = &e->call;
	const struct cloud *cloud = c->cloud;
	for (size_t i = 0; i < cloud->n_services; i++) {
		if (cloud->services[i]->model != c->match.service) continue;
		e->service = cloud->services[i];
		c->state = cloud->service_state ? cloud->service_state[i] : NULL;
		if (c->match.op && e->service->ops[c->match.op_index].handler)
			e->op = &e->service->ops[c->match.op_index];
		return;
	}
}

static void route(struct exchange *e)
{
	struct call *c = &e->call;
	e->routed = true;
	e->route_failed = !is_ok(wire_route(&e->arena, &e->wire, &c->match, &c->failure));
	if (c->match.service) exchange_find_service(e);
}

/* A service may take requests that its model does not describe (forms, websites, preflights). */
static bool try_raw(struct exchange *e)
{
	struct call *c = &e->call;
	const struct service *s = e->service;
	if (!s && e->s3_dialect) s = cloud_service(c->cloud, STR("s3"));
	if (!s || !s->raw) return false;
	struct wire_response *r = arena_new(&e->arena, struct wire_response);
	if (!s->raw(c, &e->wire, r)) return false;
	exchange_answer(e, r);
	return true;
}

static void run_raw(void *ctx)
{
	struct exchange *e = ctx;
	if (!try_raw(e)) exchange_answer_failure(e);
}

status exchange_not_implemented(struct exchange *e)
{
	struct call *c = &e->call;
	const char *name = c->match.service->name;
	if (!cloud_service_enabled(c->cloud, str_c(name)))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Service '%s' is not enabled. Please check your 'SERVICES' configuration variable.", name);
	struct str op = c->match.op ? wire_str(&c->match.service->tables, c->match.op->name) : c->match.op_name;
	return call_fail(c, ERR_NOT_IMPLEMENTED, "virga does not implement %s of %s yet.", str_z(&e->arena, op),
		c->match.service->title);
}

static status decode(struct exchange *e)
{
	struct call *c = &e->call;
	e->in = exchange_new_struct(e, c->match.op->in);
	if (c->match.op->in == WIRE_NO_SHAPE) return OK;
	TRY(wire_decode(&e->arena, &c->match, &e->wire, e->in, &c->failure));
	return wire_validate(&e->arena, &c->match, e->in, &c->failure);
}

static void run_in_worker(void *ctx)
{
	exchange_run(ctx);
}

static status begin_call(struct exchange *e)
{
	uint8_t hash[32];
	digest_sha256(e->call.body, hash);
	TRY(exchange_authenticate(e, hash));
	TRY(exchange_authorize(e));
	if (!e->op) return exchange_not_implemented(e);
	TRY(decode(e));
	return exchange_permit(e);
}

/* Smithy's requestCompression: SDKs pack the bodies of operations such as PutMetricData; what is signed is the packed
 * body. S3 keeps what it is given. */
static bool unpack(struct exchange *e)
{
	struct str encoding = edge_header_get(e->call.http, STR("Content-Encoding"));
	if (e->s3_dialect || !e->wire.body.n || !str_has(encoding) || !str_ieq(str_trim(encoding), STR("gzip")))
		return true;
	return is_ok(gzip_unpack(&e->arena, e->call.body, BUFFERED_BODY_MAX, &e->wire.body));
}

static void run_buffered(struct exchange *e)
{
	/* A website's address has no operations. */
	if (e->host.website && try_raw(e)) return;
	bool unpacked = unpack(e);
	if (!e->routed) route(e);
	if (!unpacked) {
		(void)!is_ok(call_fail(&e->call, ERR_SERIALIZATION,
			"The request's body is not the gzip data that its Content-Encoding says."));
		exchange_answer_failure(e);
		return;
	}
	if (e->route_failed || !e->op) {
		/* A form's file is hashed and written: that is a worker's. */
		if (e->sig.kind == SIG_POST_FORM) {
			workers_run(e->call.cloud->workers, run_raw, e);
			return;
		}
		if (try_raw(e)) return;
	}
	if (e->route_failed || !is_ok(begin_call(e))) {
		exchange_answer_failure(e);
		return;
	}
	if (e->op->flags & OP_BLOCKING)
		workers_run(e->call.cloud->workers, run_in_worker, e);
	else
		exchange_run(e);
}

static status begin_stream(struct exchange *e)
{
	TRY(exchange_authenticate(e, NULL));
	TRY(exchange_authorize(e));
	if (!e->op) return exchange_not_implemented(e);
	TRY(decode(e));
	TRY(exchange_permit(e));
	return stage_begin(e);
}

/* The answer is known before the body: small bodies are read to their end first, else the connection is cut after it.
 */
static void refuse(struct exchange *e)
{
	const struct edge_request *r = e->call.http;
	e->mode = MODE_DISCARD;
	bool waits = str_has(edge_header_get(r, STR("Expect")));
	if (!waits && r->content_length <= (int64_t)DRAIN_MAX && !r->chunked) return;
	e->mode = MODE_ANSWERED;
	exchange_answer_failure(e);
}

/* A foreign page must not drive somebody's cloud: an origin that is not on this machine needs a bucket's rule. Without
 * one it may still read what it could not see (no header lets it). Returns true where the answer is given. */
static bool judge_origin(struct exchange *e)
{
	struct call *c = &e->call;
	const struct edge_request *r = c->http;
	struct str origin = edge_header_get(r, STR("Origin"));
	bool asks = str_is(r->method, "OPTIONS"), reads = str_is(r->method, "GET") || str_is(r->method, "HEAD");
	if (!str_has(origin) && !(asks && e->s3_dialect)) return false;
	bool local = str_has(origin) && origin_is_local(origin);
	const struct service *s = e->s3_dialect ? cloud_service(c->cloud, STR("s3")) : NULL;
	if (s && s->cors) s->cors(c, &e->wire, asks, &e->cors);
	if (asks && e->cors.verdict == CORS_ALLOWED) {
		answer_code(e, 200);
		return true;
	}
	if (asks && (!local || e->cors.verdict == CORS_REFUSED) && str_has(c->failure.message)) {
		c->match.service = s->model;
		c->match.protocol = WIRE_REST_XML;
		exchange_answer_failure(e);
		return true;
	}
	c->failure = (struct wire_failure){0};
	if (asks && local) {
		answer_preflight(e);
		return true;
	}
	if (local || e->cors.verdict == CORS_ALLOWED || (reads && s)) return false;
	answer_code(e, 403);
	return true;
}

static void *on_begin(void *ctx, struct edge_exchange *x, const struct edge_request *r)
{
	struct cloud *cloud = ctx;
	struct exchange *e = mem_new(sizeof(*e));
	struct call *c = &e->call;
	arena_init(&e->arena);
	e->x = x;
	e->started_us = clock_monotonic_us();
	c->arena = &e->arena;
	c->cloud = cloud;
	c->http = r;
	c->now_ms = clock_now(cloud->clock);
	c->region = cloud->default_region;
	c->partition = STR("aws");
	c->account = STR("");
	e->body = BUF_HEAP;
	if (admin_owns(r->path) || admin_is_authorize(r)) {
		e->mode = MODE_ADMIN;
		c->request_id = STR("admin");
		return e;
	}
	e->host = wire_read_host(r->host);
	e->wire = (struct wire_request){
		.method = r->method,
		.path = r->path,
		.query = r->query,
		.host = r->host,
		.headers = (const struct wire_header *)r->headers,
		.n_headers = r->n_headers,
		.body = STR(""),
	};
	e->s3_dialect = looks_like_s3(e);
	if (e->s3_dialect && str_has(e->host.bucket)) {
		struct buf b = BUF_IN(&e->arena);
		buf_byte(&b, '/');
		if (e->host.access_point) buf_lit(&b, "accesspoint:"); /* services/s3/point.h */
		buf_str(&b, e->host.bucket);
		buf_str(&b, r->path);
		e->wire.path = buf_done(&b);
	}
	new_request_id(e);
	bool form = str_is(r->method, "POST") &&
		    str_istarts(edge_header_get(r, STR("Content-Type")), STR("application/x-www-form-urlencoded"));

	if (judge_origin(e)) {
		e->mode = MODE_ANSWERED;
		return e;
	}
	if (!is_ok(sigv4_read(&e->arena, &e->wire, e->s3_dialect, &e->sig, &c->failure))) {
		/* The error's dialect is the service's, so it has to be found although nothing will run. */
		struct wire_failure kept = c->failure;
		if (!form) route(e);
		c->failure = kept;
		e->route_failed = true;
		e->routed = true;
		refuse(e);
		return e;
	}
	e->wire.signing_name = e->sig.kind == SIG_NONE ? STR_NONE : e->sig.service;
	if (!form && !e->host.website) route(e);
	if (e->routed && !e->route_failed && c->match.op->flags & WIRE_O_STREAM_IN) {
		e->mode = MODE_STREAM;
		if (!is_ok(begin_stream(e))) refuse(e);
		return e;
	}
	e->mode = MODE_BUFFER;
	if (r->content_length > (int64_t)BUFFERED_BODY_MAX) {
		(void)!is_ok(call_fail(c, ERR_TOO_LARGE, "Request body is larger than %u bytes", BUFFERED_BODY_MAX));
		refuse(e);
	}
	return e;
}

/* ── the body and the end ─────────────────────────────────────────────────────────────────────────────────────── */

/* A body whose length is known and not large is read into one piece of the call's memory, which stays mapped from call
 * to call (base/blocks.h). */
static void begin_body(struct exchange *e)
{
	int64_t n = e->call.http->content_length;
	if (n <= 0 || n > BODY_AT_ONCE || e->mode != MODE_BUFFER) return;
	e->body = (struct buf)BUF_IN(&e->arena);
	buf_reserve(&e->body, (size_t)n);
}

static enum edge_next on_body(void *state, const void *p, size_t n)
{
	struct exchange *e = state;
	e->received += n;
	switch (e->mode) {
	case MODE_STREAM:
		if (!is_ok(stage_feed(e, p, n))) e->mode = MODE_DISCARD;
		break;
	case MODE_BUFFER:
	case MODE_ADMIN:
		if (e->received > (e->mode == MODE_ADMIN ? ADMIN_BODY_MAX : BUFFERED_BODY_MAX)) {
			(void)!is_ok(call_fail(&e->call, ERR_TOO_LARGE, "Request body is too large"));
			e->mode = MODE_DISCARD;
			buf_cleanup(&e->body);
			break;
		}
		if (!e->body.p) begin_body(e);
		buf_add(&e->body, p, n);
		break;
	case MODE_DISCARD:
	case MODE_ANSWERED:
		break;
	}
	return EDGE_CONTINUE;
}

static void end_stream_call(void *ctx)
{
	struct exchange *e = ctx;
	if (is_ok(stage_end(e)))
		exchange_run(e);
	else
		exchange_answer_failure(e);
}

static void answer_admin(void *ctx)
{
	struct exchange *e = ctx;
	struct wire_response *r = arena_new(&e->arena, struct wire_response);
	admin_answer(e->call.cloud, &e->arena, e->call.http, buf_done(&e->body), r);
	exchange_answer(e, r);
}

static void on_end(void *state)
{
	struct exchange *e = state;
	switch (e->mode) {
	case MODE_ADMIN:
		workers_run(e->call.cloud->workers, answer_admin, e);
		break;
	case MODE_BUFFER:
		e->wire.body = e->call.body = buf_done(&e->body);
		run_buffered(e);
		break;
	case MODE_STREAM:
		if (blob_writer_is_file(e->stage.writer) || e->op->flags & OP_BLOCKING)
			workers_run(e->call.cloud->workers, end_stream_call, e);
		else
			end_stream_call(e);
		break;
	case MODE_DISCARD:
		exchange_answer_failure(e);
		break;
	case MODE_ANSWERED:
		break;
	}
}

static void on_gone(void *state, bool completed)
{
	struct exchange *e = state;
	(void)completed;
	exchange_end(e);
	stage_cleanup(e);
	buf_cleanup(&e->body);
	arena_cleanup(&e->arena);
	free(e);
}

struct edge_handler dispatch_handler(struct cloud *cloud)
{
	return (struct edge_handler){.ctx = cloud, .begin = on_begin, .body = on_body, .end = on_end, .gone = on_gone};
}
