/* An operation without HTTP around it: see inside.h. */
#include "call/inside.h"
#include "base/rand.h"
#include "call/exchange.h"
#include <stdlib.h>

struct inside_call {
	struct inside told; /* first: what the caller holds */
	struct exchange e;
	struct edge_request http;
	struct edge_header headers[1];
	sem_t waiter;
};

struct inside_caller inside_service(
	struct arena *a, struct str account, struct str region, struct str service_principal)
{
	return (struct inside_caller){
		.principal = {.kind = PRINCIPAL_SERVICE,
			.account = str_dup(a, account),
			.arn = str_dup(a, service_principal),
			.user_id = str_dup(a, service_principal),
			.name = str_dup(a, service_principal),
			.access_key = STR(""),
			.session = STR("")},
		.region = str_dup(a, region),
		.trusted = true,
		.agent = str_dup(a, service_principal),
	};
}

/* What a handler or a policy may ask of the request: a signed POST from this machine. */
static void describe(struct inside_call *i, const struct inside_caller *who, const struct str *body)
{
	struct exchange *e = &i->e;
	struct str agent = str_has(who->agent) ? str_dup(&e->arena, who->agent) : STR("virga");
	i->headers[0] = (struct edge_header){STR("User-Agent"), agent};
	i->http = (struct edge_request){
		.method = STR("POST"),
		.target = STR("/"),
		.path = STR("/"),
		.query = STR_NONE,
		.host = e->call.cloud->public_host,
		.headers = i->headers,
		.n_headers = 1,
		.content_length = body ? (int64_t)body->n : 0,
		.peer = STR("127.0.0.1:0"),
		.tls = true, /* aws:SecureTransport: no byte of it leaves the process */
	};
	e->call.http = &i->http;
	e->wire = (struct wire_request){.method = i->http.method,
		.path = i->http.path,
		.query = i->http.query,
		.host = i->http.host,
		.headers = (const struct wire_header *)i->headers,
		.n_headers = 1,
		.body = STR("")};
	e->sig.kind = SIG_HEADER;
}

static void match(struct exchange *e, const struct wire_service *model, uint32_t op)
{
	struct wire_match *m = &e->call.match;
	m->service = model;
	m->op = &model->tables.ops[op];
	m->op_index = op;
	m->protocol = (enum wire_protocol)model->protocol;
	m->op_name = wire_str(&model->tables, m->op->name);
	e->s3_dialect = strcmp(model->name, "s3") == 0;
}

static const struct wire_service *model_of(const char *service)
{
	for (size_t i = 0; i < wire_services_length; i++)
		if (strcmp(wire_services[i]->name, service) == 0) return wire_services[i];
	UNREACHABLE();
}

static status run(struct inside_call *i, const struct inside_caller *who, const void *in, const struct str *body)
{
	struct exchange *e = &i->e;
	struct call *c = &e->call;
	exchange_find_service(e);
	if (!e->op || c->match.op->flags & WIRE_O_EVENTS) return exchange_not_implemented(e);
	e->in = exchange_new_struct(e, c->match.op->in);
	if (c->match.op->in != WIRE_NO_SHAPE) {
		memcpy(e->in, in, c->match.service->tables.shapes[c->match.op->in].size);
		TRY(wire_validate(c->arena, &c->match, e->in, &c->failure));
		/* S3 keeps configurations as they were sent. */
		c->body = wire_xml_payload(c->arena, &c->match, e->in);
	}
	if (!who->trusted) TRY(exchange_permit(e));
	if (c->match.op->flags & WIRE_O_STREAM_IN) {
		INVARIANT(body);
		TRY(stage_begin(e));
		TRY(stage_feed(e, body->p, body->n));
		TRY(stage_end(e));
	}
	status s = exchange_commit(e);
	if (is_ok(s) || status_is(s, STATUS_FAILED)) return s;
	return call_fail(c, ERR_INTERNAL, "We encountered an internal error. Please try again.");
}

static unsigned code_of_success(const struct call *c)
{
	return c->response_code ? c->response_code : c->match.op->response_code;
}

static struct inside_call *begin(
	struct cloud *cloud, const struct inside_caller *who, const char *service, uint32_t op, const struct str *body)
{
	struct inside_call *i = mem_new(sizeof(*i));
	struct exchange *e = &i->e;
	struct call *c = &e->call;
	arena_init(&e->arena);
	sem_init(&i->waiter, 0, 0);
	e->waiter = &i->waiter;
	e->started_us = clock_monotonic_us();
	c->arena = &e->arena;
	c->cloud = cloud;
	c->now_ms = clock_now(cloud->clock);
	c->principal = who->principal;
	c->system_tags = who->system_tags;
	e->source_arn = who->source_arn;
	e->via = who->via;
	c->account = who->principal.account;
	c->region = who->region;
	c->partition = partition_of(who->region);
	c->request_id = rand_uuid(&e->arena);
	e->body = BUF_HEAP;
	describe(i, who, body);
	match(e, model_of(service), op);
	return i;
}

struct inside *inside_run(struct cloud *cloud, const struct inside_caller *who, const char *service, uint32_t op,
	const void *in, const struct str *body)
{
	struct inside_call *i = begin(cloud, who, service, op, body);
	struct exchange *e = &i->e;
	struct call *c = &e->call;
	status s = run(i, who, in, body);
	struct inside *t = &i->told;
	t->request_id = c->request_id;
	t->ok = is_ok(s);
	if (t->ok) {
		store_wait(cloud->store, e->ticket);
		t->out = e->out;
		t->http_status = code_of_success(c);
	} else {
		t->failure = c->failure;
		t->message = c->failure.message;
		t->code = wire_error_code(&c->match, c->failure.id, &t->http_status);
		if (str_has(c->failure.code)) {
			t->code = c->failure.code;
			t->http_status = c->failure.http_status;
		}
	}
	exchange_tell(e, t->http_status, 0);
	return t;
}

bool inside_may(struct cloud *cloud, const struct inside_caller *who, const char *service, uint32_t op, const void *in,
	struct str action, struct str arn, struct arena *a, struct str *why)
{
	struct inside_call *i = begin(cloud, who, service, op, NULL);
	const struct wire_match *m = &i->e.call.match;
	exchange_find_service(&i->e);
	i->e.in = exchange_new_struct(&i->e, m->op->in);
	if (in) memcpy(i->e.in, in, m->service->tables.shapes[m->op->in].size);
	bool may = who->trusted || is_ok(exchange_permit_action(&i->e, action, arn));
	if (!may) *why = str_dup(a, i->e.call.failure.message);
	inside_free(&i->told);
	return may;
}

status inside_body(struct inside *i, struct arena *a, const struct body *b, size_t max, struct str *bytes)
{
	(void)i;
	if (str_has(b->bytes)) {
		if (b->bytes.n > max) return STATUS(LIMIT);
		*bytes = str_dup(a, b->bytes);
		return OK;
	}
	if (b->size != UINT64_MAX && b->size > max) return STATUS(LIMIT);
	struct buf all = BUF_IN(a);
	for (uint64_t at = 0; at < b->size;) {
		char piece[16384];
		size_t want = b->size - at < sizeof(piece) ? (size_t)(b->size - at) : sizeof(piece), got = 0;
		if (b->read) {
			int64_t n = b->read(b->read_ctx, at, piece, want);
			if (n < 0) return STATUS(IO);
			got = (size_t)n;
		} else if (b->blob) {
			TRY(blob_read(b->blob, b->offset + at, piece, want, &got));
		}
		if (!got) break;
		if (all.n + got > max) return STATUS(LIMIT);
		buf_add(&all, piece, got);
		at += got;
	}
	*bytes = buf_done(&all);
	return OK;
}

void inside_free(struct inside *told)
{
	if (!told) return;
	struct inside_call *i = (struct inside_call *)told;
	if (told->ok) exchange_close_output(&i->e);
	exchange_end(&i->e);
	stage_cleanup(&i->e);
	buf_cleanup(&i->e.body);
	arena_cleanup(&i->e.arena);
	sem_destroy(&i->waiter);
	free(i);
}

struct call *call_for_job(struct arena *a, struct cloud *cloud, struct store_tx *tx, struct str account,
	struct str region, struct str service_principal)
{
	struct exchange *e = arena_new(a, struct exchange);
	struct call *c = &e->call;
	e->after_last = &e->after;
	c->arena = a;
	c->cloud = cloud;
	c->tx = tx;
	c->account = account;
	c->region = region;
	c->partition = partition_of(region);
	c->request_id = rand_uuid(a);
	c->principal = inside_service(a, account, region, service_principal).principal;
	c->now_ms = clock_now(cloud->clock);
	return c;
}
