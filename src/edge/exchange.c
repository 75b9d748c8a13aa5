/* An exchange's life between libmicrohttpd's callbacks and the handler's: begin, body, end, the answer from any thread,
 * gone. See internal.h for who may suspend and resume. */
#include "edge/internal.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

static struct edge_conn *conn_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i ? i->socket_context : NULL;
}

/* The raw request target, before libmicrohttpd decodes it in place. */
void *edge_on_target(void *side, const char *uri, struct MHD_Connection *c)
{
	struct edge_conn *k = conn_of(c);
	size_t n = uri ? strlen(uri) : 0;

	(void)side;
	if (!k) return NULL;
	if (n > k->target_capacity || (k->target_capacity > 1024 && n <= 1024)) {
		free(k->target);
		k->target_capacity = n < 256 ? 256 : n;
		k->target = mem_new(k->target_capacity);
	}
	memcpy(k->target, uri ? uri : "", n);
	k->target_n = n;
	return k;
}

struct header_collection {
	struct edge_header v[EDGE_MAX_HEADERS];
	size_t n, bytes;
	bool too_many;
};

static enum MHD_Result collect_header(
	void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value, size_t value_n)
{
	struct header_collection *h = ctx;

	(void)kind;
	if (h->n == EDGE_MAX_HEADERS) {
		h->too_many = true;
		return MHD_NO;
	}
	h->v[h->n++] = (struct edge_header){{name, name_n}, {value ? value : "", value_n}};
	h->bytes += name_n + value_n;
	return MHD_YES;
}

static struct str put(char **at, struct str s)
{
	struct str r = {*at, s.n};

	memcpy(*at, s.p, s.n);
	*at += s.n;
	return r;
}

static struct edge_exchange *exchange_new(
	struct edge_conn *k, struct MHD_Connection *c, const char *method, bool *too_many)
{
	struct header_collection h;
	size_t method_n = strlen(method);

	h.n = h.bytes = 0;
	h.too_many = false;
	MHD_get_connection_values_n(c, MHD_HEADER_KIND, collect_header, &h);
	*too_many = h.too_many;

	size_t head = sizeof(struct edge_exchange) + h.n * sizeof(struct edge_header);
	size_t bytes = head + h.bytes + method_n + k->target_n + k->peer_n + k->local_n;
	struct edge_exchange *x = malloc(bytes); /* lint:allow(raw-allocation): its tail is written at once */
	INVARIANT(x);
	memset(x, 0, sizeof(*x));
	char *at = (char *)x + head;
	x->magic = EDGE_EXCHANGE_MAGIC;
	x->edge = k->side->edge;
	x->conn = k;
	x->mhd = c;
	x->handler = x->edge->handler;
	pthread_mutex_init(&x->lock, NULL);
	struct edge_request *r = &x->request;
	r->method = put(&at, str_n(method, method_n));
	r->target = put(&at, str_n(k->target, k->target_n));
	r->peer = put(&at, str_n(k->peer, k->peer_n));
	x->local = put(&at, str_n(k->local, k->local_n));
	x->netns = k->netns;
	r->headers = x->headers;
	r->n_headers = h.n;
	r->tls = k->tls;
	for (size_t i = 0; i < h.n; i++)
		x->headers[i] = (struct edge_header){put(&at, h.v[i].name), put(&at, h.v[i].value)};
	return x;
}

static void exchange_free(struct edge_exchange *x)
{
	pthread_mutex_destroy(&x->lock);
	x->magic = 0;
	free(x);
}

static void exchange_finish(struct edge_exchange *x, bool completed)
{
	struct edge *e = x->edge;

	if (x->done) x->done(x->done_ctx);
	if (x->state) x->handler.gone(x->state, completed);
	exchange_free(x);
	atomic_fetch_sub(&e->in_flight, 1);
}

static enum MHD_Result refuse(struct edge_exchange *x, unsigned code)
{
	struct MHD_Response *m = edge_response_refusal();
	enum MHD_Result ok = MHD_queue_response(x->mhd, code, m);

	x->responded = x->queued = true;
	MHD_destroy_response(m);
	atomic_fetch_add_explicit(&x->edge->bad_requests, 1, memory_order_relaxed);
	return ok;
}

/* Under x->lock. */
static enum MHD_Result queue_answer(struct edge_exchange *x)
{
	x->queued = true;
	enum MHD_Result ok = MHD_queue_response(x->mhd, x->code, x->response);
	MHD_destroy_response(x->response);
	x->response = NULL;
	return ok;
}

static enum MHD_Result on_head(
	struct edge_conn *k, struct MHD_Connection *c, const char *method, const char *version, void **context)
{
	struct edge *e = k->side->edge;
	bool too_many;
	struct edge_exchange *x = exchange_new(k, c, method, &too_many);

	*context = x;
	atomic_fetch_add(&e->in_flight, 1);
	atomic_fetch_add_explicit(&e->requests, 1, memory_order_relaxed);
	atomic_store_explicit(&k->waiting_since_ms, 0, memory_order_relaxed);
	pthread_mutex_lock(&k->lock);
	k->exchange = x;
	pthread_mutex_unlock(&k->lock);

	unsigned code = too_many ? 431 : edge_head_check(&x->request, strcmp(version, "HTTP/1.1") == 0);
	if (code) return refuse(x, code);

	x->state = x->handler.begin(x->handler.ctx, x, &x->request);
	INVARIANT(x->state);
	/* An answer at once to a client that waits with its body (Expect: 100-continue) goes out now, and libmicrohttpd
	 * closes. Anyone else's body is read and dropped first: closing with unread bytes would reset the connection
	 * and could destroy the answer on its way. */
	enum MHD_Result ok = MHD_YES;
	pthread_mutex_lock(&x->lock);
	bool body = x->request.chunked || x->request.content_length > 0;
	if (x->responded && body &&
		str_ieq(str_or(edge_header_get(&x->request, STR("expect")), STR("")), STR("100-continue")))
		ok = queue_answer(x);
	pthread_mutex_unlock(&x->lock);
	return ok;
}

/* Under x->lock, in the event thread. */
static enum MHD_Result park(struct edge_exchange *x)
{
	if (x->abandoned || atomic_load(&x->edge->abandoning)) return MHD_NO;
	MHD_suspend_connection(x->mhd);
	x->park = EDGE_PARKED;
	return MHD_YES;
}

/* libmicrohttpd takes a short read for "nothing more now" and then misses an end of stream that came with it: its epoll
 * is edge-triggered. A body of known length that is not whole is therefore looked after here, at the cost of one look
 * at the socket for each piece of some ten KiB. */
static bool was_cut(struct edge_exchange *x, size_t n)
{
	char byte;

	x->received += n;
	if (x->request.content_length < 0 || x->received >= (uint64_t)x->request.content_length) return false;
	return recv(x->conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static enum MHD_Result on_body(struct edge_exchange *x, const char *p, size_t n)
{
	enum MHD_Result ok = MHD_YES;

	atomic_fetch_add_explicit(&x->edge->bytes_in, n, memory_order_relaxed);
	pthread_mutex_lock(&x->lock);
	bool drop = x->responded, abandoned = x->abandoned;
	pthread_mutex_unlock(&x->lock);
	if (abandoned && !drop) return MHD_NO;
	if (was_cut(x, n)) return MHD_NO;
	if (drop) return MHD_YES;
	if (x->handler.body(x->state, p, n) == EDGE_CONTINUE) return MHD_YES;
	pthread_mutex_lock(&x->lock);
	if (x->park == EDGE_CREDIT)
		x->park = EDGE_RUNNING;
	else if (!x->responded)
		ok = park(x);
	pthread_mutex_unlock(&x->lock);
	return ok;
}

static enum MHD_Result on_end(struct edge_exchange *x)
{
	enum MHD_Result ok = MHD_YES;

	pthread_mutex_lock(&x->lock);
	if (!x->responded && !x->ended && !x->abandoned) {
		x->ended = true;
		pthread_mutex_unlock(&x->lock);
		x->handler.end(x->state);
		pthread_mutex_lock(&x->lock);
	}
	if (!x->responded)
		ok = park(x);
	else if (!x->queued)
		ok = queue_answer(x);
	pthread_mutex_unlock(&x->lock);
	return ok;
}

enum MHD_Result edge_on_request(void *side, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_n, void **context)
{
	struct edge_exchange *x = *context;

	(void)side, (void)url;
	if (!x) return MHD_NO;
	if (x->magic == EDGE_CONN_MAGIC) return on_head(*context, c, method, version, context);
	INVARIANT(x->magic == EDGE_EXCHANGE_MAGIC);
	if (*upload_n == 0) return on_end(x);
	size_t n = *upload_n;
	*upload_n = 0;
	return on_body(x, upload, n);
}

void edge_on_completed(void *side, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode how)
{
	struct edge_side *s = side;
	struct edge_exchange *x = *context;

	(void)c;
	*context = NULL;
	if (!x) return;
	if (x->magic == EDGE_CONN_MAGIC) {
		/* libmicrohttpd refused the head by itself, or the client left within it. */
		atomic_fetch_add_explicit(&s->edge->bad_requests, 1, memory_order_relaxed);
		return;
	}
	INVARIANT(x->magic == EDGE_EXCHANGE_MAGIC);
	struct edge_conn *k = x->conn;
	pthread_mutex_lock(&k->lock);
	k->exchange = NULL;
	pthread_mutex_unlock(&k->lock);
	atomic_store_explicit(&k->waiting_since_ms, edge_now_ms(), memory_order_relaxed);

	pthread_mutex_lock(&x->lock);
	x->conn = NULL;
	x->mhd = NULL;
	bool completed = how == MHD_REQUEST_TERMINATED_COMPLETED_OK && x->queued;
	bool owed = x->state && !x->responded && (x->ended || x->park == EDGE_ABANDONED);
	if (owed) x->orphaned = true;
	struct MHD_Response *unsent = x->response;
	x->response = NULL;
	if (owed) atomic_fetch_add(&s->edge->references, 1);
	pthread_mutex_unlock(&x->lock);
	if (unsent) MHD_destroy_response(unsent);
	if (completed) atomic_fetch_add_explicit(&s->edge->bytes_out, x->bytes_out, memory_order_relaxed);
	if (!owed) exchange_finish(x, completed);
}

void edge_respond(struct edge_exchange *x, const struct edge_response *r, void (*done)(void *), void *done_ctx)
{
	struct MHD_Response *m = edge_response_make(x, r);
	uint64_t size = r->kind == EDGE_BYTES ? r->bytes.n : r->size == UINT64_MAX ? 0 : r->size;

	pthread_mutex_lock(&x->lock);
	INVARIANT(!x->responded);
	x->responded = true;
	x->done = done;
	x->done_ctx = done_ctx;
	if (x->orphaned) {
		struct edge *e = x->edge;
		pthread_mutex_unlock(&x->lock);
		MHD_destroy_response(m);
		exchange_finish(x, false);
		edge_release(e);
		return;
	}
	x->response = m;
	x->code = r->code;
	x->bytes_out = r->head_only || str_is(x->request.method, "HEAD") ? 0 : size;
	if (x->park == EDGE_PARKED) {
		x->park = EDGE_RUNNING;
		MHD_resume_connection(x->mhd);
	}
	pthread_mutex_unlock(&x->lock);
}

void edge_resume(struct edge_exchange *x)
{
	pthread_mutex_lock(&x->lock);
	if (x->orphaned) {
		struct edge *e = x->edge;
		bool last = !x->ended;
		pthread_mutex_unlock(&x->lock);
		if (!last) return;
		exchange_finish(x, false);
		edge_release(e);
		return;
	}
	if (x->park == EDGE_PARKED && !x->ended) {
		x->park = EDGE_RUNNING;
		MHD_resume_connection(x->mhd);
	} else if (x->park == EDGE_RUNNING && !x->ended) {
		x->park = EDGE_CREDIT;
	}
	pthread_mutex_unlock(&x->lock);
}

bool edge_rest(struct edge_exchange *x)
{
	pthread_mutex_lock(&x->lock);
	bool goes_on = !x->abandoned && !atomic_load(&x->edge->abandoning);
	if (goes_on && !x->more) {
		MHD_suspend_connection(x->mhd);
		x->park = EDGE_RESTING;
	}
	x->more = false;
	pthread_mutex_unlock(&x->lock);
	return goes_on;
}

void edge_more(struct edge_exchange *x)
{
	pthread_mutex_lock(&x->lock);
	if (x->park == EDGE_RESTING) {
		x->park = EDGE_RUNNING;
		MHD_resume_connection(x->mhd);
	} else {
		x->more = true;
	}
	pthread_mutex_unlock(&x->lock);
}

bool edge_client_present(struct edge_exchange *x)
{
	char byte;
	bool present = false;

	pthread_mutex_lock(&x->lock);
	if (!x->orphaned && x->conn) {
		ssize_t n = recv(x->conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		present = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
	}
	pthread_mutex_unlock(&x->lock);
	return present;
}

/* Under the connection's lock. */
static void abandon(struct edge_exchange *x)
{
	pthread_mutex_lock(&x->lock);
	x->abandoned = true;
	if (x->park == EDGE_PARKED) {
		x->park = EDGE_ABANDONED;
		MHD_resume_connection(x->mhd);
	} else if (x->park == EDGE_RESTING) {
		x->park = EDGE_RUNNING; /* its reader will be told that it ends */
		MHD_resume_connection(x->mhd);
	}
	pthread_mutex_unlock(&x->lock);
}

void edge_abandon_all(struct edge *e)
{
	pthread_mutex_lock(&e->lock);
	for (struct edge_conn *k = e->conns; k; k = k->next) {
		pthread_mutex_lock(&k->lock);
		if (k->exchange) abandon(k->exchange);
		pthread_mutex_unlock(&k->lock);
	}
	pthread_mutex_unlock(&e->lock);
}
