/* The payload of a streaming operation on its way to a blob: decoded from aws-chunked where it is, digested, counted,
 * filtered, written; nothing of it is visible before the handler's transaction adopts it. */
#include "call/exchange.h"

enum { MAX_OBJECT = 5 }; /* GiB in one request ("Uploading objects", Amazon S3 User Guide) */

static status too_large(struct exchange *e)
{
	status s = call_fail(&e->call, ERR_TOO_LARGE, "Your proposed upload exceeds the maximum allowed size");
	call_fail_detail(&e->call, STR("ProposedSize"), str_fmt(e->call.arena, "%lu", (unsigned long)e->stage.size));
	call_fail_detail(&e->call, STR("MaxSizeAllowed"),
		str_fmt(e->call.arena, "%lu", (unsigned long)e->stage.plan.max_size));
	return s;
}

static bool is_chunked(enum sig_payload p)
{
	return p == SIG_PAYLOAD_CHUNKED || p == SIG_PAYLOAD_CHUNKED_TRAILER || p == SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER;
}

status stage_begin(struct exchange *e)
{
	struct stage *g = &e->stage;
	struct call *c = &e->call;
	const struct wire_tables *t = &c->match.service->tables;
	const struct wire_shape *shape = &t->shapes[c->match.op->in];
	INVARIANT(shape->payload > 0);
	const struct wire_member *m = &t->members[shape->first + shape->payload - 1];
	g->body = arena_new(c->arena, struct body);
	memcpy((char *)e->in + m->offset, &g->body, sizeof(g->body));

	if (e->op->prepare) {
		c->tx = store_begin(c->cloud->store, c->arena, true);
		status s = e->op->prepare(c, e->in, &g->plan);
		store_end(c->tx);
		c->tx = NULL;
		TRY(s);
	}
	g->body->filter_ctx = g->plan.filter_ctx;
	if (!g->plan.max_size) g->plan.max_size = (uint64_t)MAX_OBJECT << 30;
	uint64_t expected = UINT64_MAX;
	if (is_chunked(e->sig.payload)) {
		bool check = str_has(c->principal.secret);
		g->chunked = chunked_new(c->arena, &e->sig, check ? e->signing_key : NULL);
		expected = e->sig.decoded_length;
	} else if (c->http->content_length >= 0) {
		expected = (uint64_t)c->http->content_length;
	}
	if (expected != UINT64_MAX && expected > g->plan.max_size) {
		g->size = expected;
		return too_large(e);
	}
	uint32_t wanted = g->plan.digests;
	if (e->sig.kind != SIG_NONE && e->sig.payload == SIG_PAYLOAD_HASH && str_has(e->sig.payload_hash))
		wanted |= DIGEST_SHA256;
	g->digester = digester_new(wanted);
	if (g->plan.filter && expected != UINT64_MAX) expected = g->plan.filter_size(expected);
	g->writer = blob_writer_new(c->cloud->store, expected);
	return OK;
}

static status sink(void *ctx, const void *p, size_t n)
{
	struct exchange *e = ctx;
	struct stage *g = &e->stage;
	g->size += n;
	if (g->size > g->plan.max_size) return too_large(e);
	digester_update(g->digester, p, n);
	status s = g->plan.filter ? g->plan.filter(g->plan.filter_ctx, g->writer, p, n) : blob_write(g->writer, p, n);
	if (is_ok(s) || status_is(s, STATUS_FAILED)) return s;
	return call_fail(&e->call, ERR_INTERNAL, "We encountered an internal error. Please try again.");
}

status stage_feed(struct exchange *e, const void *p, size_t n)
{
	if (e->stage.chunked) return chunked_feed(e->stage.chunked, p, n, sink, e, &e->call.failure);
	return sink(e, p, n);
}

status stage_end(struct exchange *e)
{
	struct stage *g = &e->stage;
	struct call *c = &e->call;
	if (g->chunked) {
		TRY(chunked_end(g->chunked, &c->failure));
		TRY(chunked_match_announced(g->chunked, edge_header_get(c->http, STR("x-amz-trailer")), &c->failure));
		g->body->trailers = chunked_trailers(g->chunked, &g->body->n_trailers);
	}
	g->body->size = g->size;
	digester_final(g->digester, &g->body->digests);
	if (g->body->digests.have & DIGEST_SHA256)
		TRY(sigv4_check_payload(c->arena, &e->sig, e->s3_dialect, g->body->digests.sha256, &c->failure));
	status s = g->plan.filter_end ? g->plan.filter_end(g->plan.filter_ctx, g->writer) : OK;
	if (is_ok(s)) s = blob_seal(g->writer, &g->body->ref);
	if (is_ok(s) || status_is(s, STATUS_FAILED)) {
		g->body->writer = g->writer;
		return s;
	}
	return call_fail(c, ERR_INTERNAL, "We encountered an internal error. Please try again.");
}

void stage_cleanup(struct exchange *e)
{
	digester_free(e->stage.digester);
	chunked_free(e->stage.chunked);
	blob_writer_free(e->stage.writer);
	if (e->stage.plan.filter_free) e->stage.plan.filter_free(e->stage.plan.filter_ctx);
}
