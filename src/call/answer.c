/* From a handler's result to the edge: encode, add what every answer has, wait for durability, respond. */
#include "call/exchange.h"
#include <stdlib.h>

static struct edge_header *add(struct edge_header *h, size_t *n, struct str name, struct str value)
{
	h[(*n)++] = (struct edge_header){name, value};
	return h;
}

static bool has_header(const struct wire_response *r, struct str name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_ieq(r->headers[i].name, name)) return true;
	return false;
}

struct stream_end {
	struct blob *blob;
	void (*close)(void *);
	void *ctx;
};

static void end_stream(void *arg)
{
	struct stream_end *end = arg;
	blob_close(end->blob);
	if (end->close) end->close(end->ctx);
	free(end);
}

void exchange_tell(struct exchange *e, unsigned code, uint64_t bytes)
{
	struct call *c = &e->call;
	call_metrics_count(c->cloud->metrics, &c->match, code, clock_monotonic_us() - e->started_us);
	c->answered_code = code;
	c->answered_bytes = bytes;
	if (c->match.op && bus_wants(c->cloud->bus, BUS_DONE, "call")) {
		struct bus_event ev = {.kind = "call", .account = c->account, .region = c->region, .detail = c};
		bus_publish(c->cloud->bus, BUS_DONE, NULL, &ev);
	}
}

static void send(void *ctx)
{
	struct exchange *e = ctx;
	struct call *c = &e->call;
	struct wire_response *r = e->response;
	size_t n = 0;
	struct edge_header *h = arena_new_n(&e->arena, struct edge_header,
		r->n_headers + r->n_prefixed + c->n_extra_headers + CALL_CORS_HEADERS + 8);
	for (size_t i = 0; i < r->n_headers; i++) add(h, &n, r->headers[i].name, r->headers[i].value);
	for (size_t i = 0; i < r->n_prefixed; i++) add(h, &n, r->prefixed[i].name, r->prefixed[i].value);
	for (size_t i = 0; i < c->n_extra_headers; i++) add(h, &n, c->extra_headers[i].name, c->extra_headers[i].value);
	if (!has_header(r, STR("x-amzn-requestid")) && !has_header(r, STR("x-amz-request-id")))
		add(h, &n, e->s3_dialect ? STR("x-amz-request-id") : STR("x-amzn-RequestId"), c->request_id);
	struct str origin = edge_header_get(c->http, STR("Origin"));
	for (size_t i = 0; i < e->cors.n; i++) add(h, &n, e->cors.headers[i].name, e->cors.headers[i].value);
	if (str_has(origin) && e->cors.verdict == CORS_UNSAID && origin_is_local(origin)) {
		add(h, &n, STR("Access-Control-Allow-Origin"), origin);
		add(h, &n, STR("Access-Control-Expose-Headers"), STR("*, ETag, x-amz-request-id, x-amzn-RequestId"));
		add(h, &n, STR("Vary"), STR("Origin"));
	}
	struct edge_response out = {
		.code = r->code,
		.headers = h,
		.n_headers = n,
		.kind = EDGE_BYTES,
		.bytes = r->body,
		.head_only = str_is(c->http->method, "HEAD"),
	};
	void (*done)(void *) = NULL;
	struct stream_end *end = NULL;
	struct body *b = r->stream;
	if (!b && out.head_only && str_empty(r->body)) {
		/* The answer to HEAD tells the length that GET's would have (RFC 9110 section 9.3.2). */
		for (size_t i = 0; i < r->n_headers; i++)
			if (str_ieq(r->headers[i].name, STR("content-length")) &&
				is_ok(str_to_u64(r->headers[i].value, &out.size)))
				out.kind = EDGE_READER;
	}
	if (b) {
		end = mem_new(sizeof(*end));
		*end = (struct stream_end){b->blob, b->close, b->read_ctx};
		done = end_stream;
		out.size = b->size;
		if (str_has(b->bytes)) {
			out.bytes = b->bytes;
		} else if (b->read) {
			out.kind = EDGE_READER;
			out.read = b->read;
			out.read_ctx = b->read_ctx;
		} else if (b->blob && str_has(blob_bytes(b->blob))) {
			out.bytes = str_sub(blob_bytes(b->blob), b->offset, b->size);
		} else if (b->blob && blob_fd(b->blob) >= 0) {
			out.kind = EDGE_FILE;
			out.fd = blob_fd(b->blob);
			out.offset = b->offset;
		} else {
			out.bytes = STR("");
		}
	}
	/* A stream whose length nobody knows counts as nothing. */
	exchange_tell(e, r->code, !b ? r->body.n : b->size == UINT64_MAX ? 0 : b->size);
	edge_respond(e->x, &out, done, end);
}

void exchange_answer(struct exchange *e, struct wire_response *r)
{
	e->response = r;
	store_when_durable(e->call.cloud->store, e->ticket, send, e);
}

void exchange_answer_failure(struct exchange *e)
{
	struct call *c = &e->call;
	struct wire_response *r = arena_new(&e->arena, struct wire_response);
	wire_encode_error(&e->arena, &c->match, &c->failure, c->request_id, r);
	e->ticket = 0;
	exchange_answer(e, r);
}

void exchange_answer_output(struct exchange *e)
{
	struct call *c = &e->call;
	struct wire_response *r = arena_new(&e->arena, struct wire_response);
	wire_encode(&e->arena, &c->match, e->out, c->request_id, r);
	if (c->response_code) r->code = c->response_code;
	exchange_answer(e, r);
}
