/* The handler with its transaction: run, commit, run again after a conflict, park a long poll. */
#include "call/exchange.h"
#include "base/log.h"
#include <sched.h>
#include <semaphore.h>

enum { MOST_CONFLICTS = 1000 }; /* an optimistic transaction that loses this often has found a bug, not a crowd */

void *exchange_new_struct(struct exchange *e, uint16_t shape)
{
	size_t size = shape == WIRE_NO_SHAPE ? sizeof(struct wire_nothing)
					     : e->call.match.service->tables.shapes[shape].size;
	return arena_alloc(&e->arena, size);
}

void exchange_close_output(struct exchange *e)
{
	const struct wire_op *op = e->call.match.op;
	if (!(op->flags & WIRE_O_STREAM_OUT) || !e->out) return;
	const struct wire_tables *t = &e->call.match.service->tables;
	const struct wire_shape *shape = &t->shapes[op->out];
	struct body *b;
	memcpy(&b, (char *)e->out + t->members[shape->first + shape->payload - 1].offset, sizeof(b));
	if (!b) return;
	blob_close(b->blob);
	if (b->close) b->close(b->read_ctx);
}

/* One attempt. CONFLICT: nothing happened. */
static status attempt(struct exchange *e)
{
	struct call *c = &e->call;
	e->after = NULL;
	e->after_last = &e->after;
	c->n_extra_headers = 0;
	c->extra_headers = NULL;
	c->response_code = 0;
	c->noted = NULL;
	c->recorded = false;
	c->failure = (struct wire_failure){0};
	e->ticket = 0;
	e->out = exchange_new_struct(e, c->match.op->out);
	if (e->service->before) TRY(e->service->before(c, e->in));
	c->tx = e->op->flags & OP_NO_TX ? NULL : store_begin(c->cloud->store, c->arena, e->op->flags & OP_READ);
	status s = e->op->handler(c, e->in, e->out);
	if (is_ok(s) && c->tx && store_has_writes(c->tx)) {
		if (bus_wants(c->cloud->bus, BUS_COMMITTING, "call")) {
			struct bus_event ev = {.kind = "call", .account = c->account, .region = c->region, .detail = c};
			bus_publish(c->cloud->bus, BUS_COMMITTING, c->tx, &ev);
		}
		s = store_commit(c->tx, &e->ticket);
	}
	if (c->tx) store_end(c->tx);
	c->tx = NULL;
	if (!is_ok(s)) exchange_close_output(e);
	return s;
}

status exchange_commit(struct exchange *e)
{
	for (unsigned conflicts = 0;;) {
		status s = attempt(e);
		if (status_is(s, STATUS_CONFLICT)) {
			INVARIANT(conflicts++ < MOST_CONFLICTS);
			if (conflicts > 3) sched_yield();
			exchange_end(e);
			continue;
		}
		if (status_is(s, STATUS_PENDING) && e->waiter) {
			while (sem_wait(e->waiter) != 0) continue;
			exchange_end(e);
			continue;
		}
		TRY(s);
		for (struct after_commit *a = e->after; a; a = a->next) a->fn(a->ctx);
		return OK;
	}
}

static void run_again(void *ctx)
{
	struct exchange *e = ctx;
	exchange_run(e);
}

void exchange_run(struct exchange *e)
{
	struct call *c = &e->call;
	struct arena_mark mark = arena_mark(&e->arena);
	for (unsigned conflicts = 0;;) {
		atomic_store(&e->park, PARK_RUNNING);
		status s = attempt(e);
		if (status_is(s, STATUS_CONFLICT)) {
			INVARIANT(conflicts++ < MOST_CONFLICTS);
			if (conflicts > 3) sched_yield();
			exchange_end(e);
			arena_release(&e->arena, mark);
			continue;
		}
		if (status_is(s, STATUS_PENDING)) {
			int expected = PARK_RUNNING;
			if (atomic_compare_exchange_strong(&e->park, &expected, PARK_PARKED)) return;
			continue; /* it was woken while it fell asleep */
		}
		if (is_ok(s)) {
			for (struct after_commit *a = e->after; a; a = a->next) a->fn(a->ctx);
			exchange_answer_output(e);
			return;
		}
		if (!status_is(s, STATUS_FAILED)) {
			struct str op = wire_str(&c->match.service->tables, c->match.op->name);
			log_error("call", "handler-failed", "service=%s operation=%.*s status=%s request=%.*s",
				c->match.service->name, STR_ARG(op), status_name(s), STR_ARG(c->request_id));
			(void)!is_ok(call_fail(c, ERR_INTERNAL, "We encountered an internal error. Please try again."));
		}
		exchange_answer_failure(e);
		return;
	}
}

status call_stream(struct call *c, struct str bytes, const void **out)
{
	struct exchange *e = (struct exchange *)c;
	e->op = &e->service->ops[c->match.op_index];
	TRY(stage_begin(e));
	TRY(stage_feed(e, bytes.p, bytes.n));
	TRY(stage_end(e));
	TRY(exchange_commit(e));
	*out = e->out;
	return OK;
}

void call_again(struct call *c)
{
	struct exchange *e = (struct exchange *)c;
	if (e->waiter) /* call/inside.h: a thread of ours waits for it */
		sem_post(e->waiter);
	else if (atomic_exchange(&e->park, PARK_AGAIN) == PARK_PARKED)
		workers_run(c->cloud->workers, run_again, e);
}
