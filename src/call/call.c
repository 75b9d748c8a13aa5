/* What a handler may say to its call: failures, details, headers, work for after the commit. */
#include "call/exchange.h"
#include "call/later.h"
#include <stdarg.h>

status call_fail(struct call *c, error_id id, const char *fmt, ...)
{
	struct buf b = BUF_IN(c->arena);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	c->failure = (struct wire_failure){.id = id, .message = buf_done(&b)};
	return STATUS(FAILED);
}

void call_fail_detail(struct call *c, struct str name, struct str value)
{
	struct wire_failure *f = &c->failure;
	INVARIANT(f->n_details < sizeof(f->details) / sizeof(f->details[0]));
	f->details[f->n_details++] = (struct wire_header){name, str_dup(c->arena, value)};
}

void call_fail_members(struct call *c, const void *members) { c->failure.members = members; }

const void *call_input(const struct call *c)
{
	return ((const struct exchange *)c)->in;
}

const void *call_output(const struct call *c)
{
	return ((const struct exchange *)c)->out;
}

void call_header(struct call *c, struct str name, struct str value)
{
	/* Grown by doubling: room exists while the count is not a power of two. */
	size_t n = c->n_extra_headers;
	if ((n & (n - 1)) == 0) {
		struct wire_header *more = arena_new_n(c->arena, struct wire_header, n ? 2 * n : 1);
		if (n) memcpy(more, c->extra_headers, n * sizeof(*more));
		c->extra_headers = more;
	}
	c->extra_headers[c->n_extra_headers++] = (struct wire_header){name, value};
}

struct str call_input_string(const struct call *c, const void *in, const char *name)
{
	const struct wire_tables *t = &c->match.service->tables;
	if (c->match.op->in == WIRE_NO_SHAPE || !in) return STR_NONE;
	const struct wire_shape *shape = &t->shapes[c->match.op->in];
	for (size_t i = 0; i < shape->count; i++) {
		const struct wire_member *m = &t->members[shape->first + i];
		if (t->shapes[m->shape].kind != WIRE_STRING || !str_eq(wire_str(t, m->name), str_c(name))) continue;
		struct str s;
		memcpy(&s, (const char *)in + m->offset, sizeof(s));
		return s;
	}
	return STR_NONE;
}

struct str call_request_header(const struct call *c, struct str name) { return edge_header_get(c->http, name); }

void call_at_end(struct call *c, void (*fn)(void *ctx), void *ctx)
{
	struct exchange *e = (struct exchange *)c;
	struct after_commit *a = arena_new(c->arena, struct after_commit);
	*a = (struct after_commit){fn, ctx, e->at_end};
	e->at_end = a;
}

void exchange_end(struct exchange *e)
{
	struct after_commit *a = e->at_end;
	e->at_end = NULL;
	for (; a; a = a->next) a->fn(a->ctx);
}

void call_after_commit(struct call *c, void (*fn)(void *ctx), void *ctx)
{
	struct exchange *e = (struct exchange *)c;
	struct after_commit *a = arena_new(c->arena, struct after_commit);
	a->fn = fn;
	a->ctx = ctx;
	*e->after_last = a;
	e->after_last = &a->next;
}

void call_ticket(struct call *c, store_ticket t)
{
	struct exchange *e = (struct exchange *)c;
	if (t > e->ticket) e->ticket = t;
}

struct edge_exchange *call_exchange(const struct call *c)
{
	return ((const struct exchange *)c)->x;
}

bool call_client_present(const struct call *c)
{
	const struct exchange *e = (const struct exchange *)c;
	return e->x && edge_client_present(e->x); /* call/inside.h: nobody waits */
}

struct str call_arn(const struct call *c, struct str service, const char *fmt, ...)
{
	struct buf b = BUF_IN(c->arena);
	buf_fmt(&b, "arn:%.*s:%.*s:%.*s:%.*s:", STR_ARG(c->partition), STR_ARG(service), STR_ARG(c->region),
		STR_ARG(c->account));
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	return buf_done(&b);
}
