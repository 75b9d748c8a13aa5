/* A server whose paths do one thing each, and a client on a raw socket that sends exactly what a test says. */
#pragma once
#include "edge/edge.h"
#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct server {
	struct edge *edge;
	int file; /* 1 MiB, byte i is i % 251; unlinked */
	atomic_int begun, ended, completed, broken, done, waits;
	_Atomic uint64_t body_bytes, checksum;
	atomic_int threads;        /* answering from another thread now */
	_Atomic(struct edge_exchange *) held;
	struct edge_exchange *all_held[1024];
	atomic_uint n_held;
};
struct visit {
	struct server *server;
	struct edge_exchange *x;
	const struct edge_request *r;
	uint64_t received;
	bool ended;
};

__attribute__((unused)) static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

__attribute__((unused)) static bool wait_for(atomic_int *what, int n)
{
	for (int i = 0; i < 5000 && atomic_load(what) < n; i++) sleep_ms(1);
	return atomic_load(what) >= n;
}

static void count_done(void *ctx) { atomic_fetch_add(&((struct server *)ctx)->done, 1); }

static void answer_text(struct visit *v, unsigned code, struct str text)
{
	struct edge_header h[] = {{STR("Content-Type"), STR("text/plain")}};
	struct edge_response r = {.code = code, .headers = h, .n_headers = 1, .bytes = text};

	edge_respond(v->x, &r, count_done, v->server);
}

static int64_t read_pattern(void *ctx, uint64_t at, char *p, size_t n)
{
	(void)ctx;
	uint64_t end = 300000;
	if (at >= end) return 0;
	if (n > end - at) n = (size_t)(end - at);
	for (size_t i = 0; i < n; i++) p[i] = (char)((at + i) % 251);
	return (int64_t)n;
}

static int64_t read_broken(void *ctx, uint64_t at, char *p, size_t n)
{
	(void)ctx;
	if (at > 1000) return -1;
	memset(p, 'x', n < 600 ? n : 600);
	return n < 600 ? (int64_t)n : 600;
}

static void answer(struct visit *v)
{
	const struct edge_request *r = v->r;
	char text[512];
	struct edge_header h[] = {
		{STR("Set-Cookie"), STR("a=1")},
		{STR("Set-Cookie"), STR("b=2")},
		{STR("Content-Length"), STR("77")},
		{STR("X-Evil"), STR("one\r\nX-Forged: two")},
	};
	struct edge_response out = {.code = 200, .headers = h, .n_headers = 2};

	if (str_is(r->path, "/target")) {
		int n = snprintf(text, sizeof(text), "%.*s|%.*s|%.*s|%.*s|%s", STR_ARG(r->target), STR_ARG(r->path),
			STR_ARG(r->query), STR_ARG(r->host), str_has(r->query) ? "query" : "none");
		answer_text(v, 200, str_n(text, (size_t)n));
	} else if (str_is(r->path, "/size")) {
		int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v->received);
		answer_text(v, 200, str_n(text, (size_t)n));
	} else if (str_is(r->path, "/cookies")) {
		out.n_headers = 4;
		out.bytes = STR("crumbs");
		edge_respond(v->x, &out, count_done, v->server);
	} else if (str_is(r->path, "/told")) {
		out.n_headers = 4;
		edge_respond(v->x, &out, count_done, v->server);
	} else if (str_is(r->path, "/204") || str_is(r->path, "/304")) {
		out.code = str_is(r->path, "/204") ? 204 : 304;
		edge_respond(v->x, &out, count_done, v->server);
	} else if (str_is(r->path, "/file")) {
		out.kind = EDGE_FILE;
		out.fd = v->server->file;
		out.offset = 1000;
		out.size = 500000;
		edge_respond(v->x, &out, count_done, v->server);
	} else if (str_is(r->path, "/reader") || str_is(r->path, "/stream") || str_is(r->path, "/broken")) {
		out.kind = EDGE_READER;
		out.read = str_is(r->path, "/broken") ? read_broken : read_pattern;
		out.size = str_is(r->path, "/stream") ? UINT64_MAX : 300000;
		edge_respond(v->x, &out, count_done, v->server);
	} else if (str_is(r->path, "/close")) {
		out.bytes = STR("bye");
		out.close = true;
		edge_respond(v->x, &out, count_done, v->server);
	} else {
		answer_text(v, 200, STR("hello"));
	}
}

static void *answer_later(void *ctx)
{
	struct visit *v = ctx;
	struct server *s = v->server;

	sleep_ms(str_is(v->r->query, "slow") ? 300 : 2);
	answer_text(v, 200, STR("later"));
	atomic_fetch_sub(&s->threads, 1);
	return NULL;
}

static void *resume_later(void *ctx)
{
	struct visit *v = ctx;
	struct server *s = v->server;

	sleep_ms(1);
	edge_resume(v->x);
	atomic_fetch_sub(&s->threads, 1);
	return NULL;
}

static void in_thread(struct server *s, void *(*fn)(void *), void *ctx)
{
	pthread_t t;

	atomic_fetch_add(&s->threads, 1);
	if (pthread_create(&t, NULL, fn, ctx) != 0) abort();
	pthread_detach(t);
}

static void *on_begin(void *ctx, struct edge_exchange *x, const struct edge_request *r)
{
	struct visit *v = mem_new(sizeof(*v));

	*v = (struct visit){.server = ctx, .x = x, .r = r};
	atomic_fetch_add(&v->server->begun, 1);
	if (str_is(r->path, "/early")) answer_text(v, 403, STR("no"));
	return v;
}

static enum edge_next on_body(void *state, const void *p, size_t n)
{
	struct visit *v = state;

	INVARIANT(n > 0);
	v->received += n;
	atomic_fetch_add(&v->server->body_bytes, n);
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i += 97) sum += ((const unsigned char *)p)[i];
	atomic_fetch_add(&v->server->checksum, sum);
	if (str_is(v->r->path, "/pause")) {
		atomic_store(&v->server->held, v->x);
		if (str_is(v->r->query, "overtake"))
			edge_resume(v->x);
		else if (!str_is(v->r->query, "hold"))
			in_thread(v->server, resume_later, v);
		atomic_fetch_add(&v->server->waits, 1);
		return EDGE_WAIT;
	}
	return EDGE_CONTINUE;
}

static void hold(struct visit *v)
{
	unsigned i = atomic_fetch_add(&v->server->n_held, 1);

	if (i < 1024) v->server->all_held[i] = v->x;
	atomic_store(&v->server->held, v->x);
}

static void on_end(void *state)
{
	struct visit *v = state;

	INVARIANT(!v->ended);
	v->ended = true;
	struct server *sv = v->server;
	if (str_is(v->r->path, "/async"))
		in_thread(v->server, answer_later, v);
	else if (str_is(v->r->path, "/hold"))
		hold(v);
	else if (str_is(v->r->path, "/pause"))
		answer_text(v, 200, STR("resumed"));
	else
		answer(v);
	atomic_fetch_add(&sv->ended, 1);
}

static void on_gone(void *state, bool completed)
{
	struct visit *v = state;

	atomic_fetch_add(completed ? &v->server->completed : &v->server->broken, 1);
	free(v);
}

static void server_start(struct server *s, struct edge_options o)
{
	char name[] = "/tmp/edge_test_XXXXXX";
	struct str why = STR("");

	memset(s, 0, sizeof(*s));
	s->file = mkstemp(name);
	unlink(name);
	char *p = mem_new(1 << 20);
	for (int i = 0; i < 1 << 20; i++) p[i] = (char)(i % 251);
	CHECK(write(s->file, p, 1 << 20) == 1 << 20);
	free(p);
	if (!o.listen) o.listen = "127.0.0.1:0";
	o.handler = (struct edge_handler){s, on_begin, on_body, on_end, on_gone};
	status st = edge_start(&o, &s->edge, &why);
	if (!is_ok(st)) {
		fprintf(stderr, "edge_start: %.*s\n", STR_ARG(why));
		exit(1);
	}
}

/* Every exchange that began has ended, one way or the other. */
__attribute__((unused)) static void server_stop(struct server *s, unsigned grace_ms)
{
	edge_stop(s->edge, grace_ms);
	for (int i = 0; i < 3000 && atomic_load(&s->threads); i++) sleep_ms(1);
	CHECK(atomic_load(&s->begun) == atomic_load(&s->completed) + atomic_load(&s->broken));
	close(s->file);
}

/* ── the client ───────────────────────────────────────────────────────────────────────────────────────────────── */

struct client {
	int fd;
	char buf[1 << 16];
	size_t n;
};
struct reply {
	int code;
	char head[8192];
	char *body;
	size_t body_n;
	bool whole; /* head and body came as promised */
};

static int dial(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(edge_port(s->edge)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {10, 0};

	CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static bool say_n(struct client *c, const void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = send(c->fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
		if (k <= 0) return false;
		done += (size_t)k;
	}
	return true;
}
#define say(c, text) say_n((c), (text), strlen(text))

static bool fill(struct client *c)
{
	if (c->n == sizeof(c->buf)) return false;
	ssize_t k = recv(c->fd, c->buf + c->n, sizeof(c->buf) - c->n, 0);
	if (k <= 0) return false;
	c->n += (size_t)k;
	return true;
}

static void take(struct client *c, size_t n)
{
	memmove(c->buf, c->buf + n, c->n - n);
	c->n -= n;
}

static bool take_line(struct client *c, char *line, size_t size)
{
	for (;;) {
		char *end = memmem(c->buf, c->n, "\r\n", 2);
		if (end) {
			size_t n = (size_t)(end - c->buf);
			if (n >= size) return false;
			memcpy(line, c->buf, n);
			line[n] = 0;
			take(c, n + 2);
			return true;
		}
		if (!fill(c)) return false;
	}
}

static bool take_bytes(struct client *c, struct reply *r, size_t n)
{
	r->body = mem_grow(r->body, r->body_n + n + 1);
	while (n > 0) {
		if (c->n == 0 && !fill(c)) return false;
		size_t k = c->n < n ? c->n : n;
		memcpy(r->body + r->body_n, c->buf, k);
		r->body_n += k;
		take(c, k);
		n -= k;
	}
	r->body[r->body_n] = 0;
	return true;
}

static const char *header_of(const struct reply *r, const char *name)
{
	const char *p = strcasestr(r->head, name);
	return p ? p + strlen(name) : NULL;
}

/* Reads one response. */
static struct reply hear(struct client *c, bool head_only)
{
	struct reply r = {0};
	char line[4096];
	size_t at = 0;

	if (!take_line(c, line, sizeof(line)) || sscanf(line, "HTTP/1.1 %d", &r.code) != 1) return r;
	for (;;) {
		if (!take_line(c, line, sizeof(line))) return r;
		if (!*line) break;
		at += (size_t)snprintf(r.head + at, sizeof(r.head) - at, "%s\n", line);
	}
	r.body = mem_new(1);
	r.whole = true;
	if (head_only || r.code == 204 || r.code == 304 || r.code == 100) return r;
	const char *length = header_of(&r, "content-length: ");
	if (length) {
		r.whole = take_bytes(c, &r, strtoull(length, NULL, 10));
	} else if (header_of(&r, "transfer-encoding: chunked")) {
		for (;;) {
			r.whole = take_line(c, line, sizeof(line));
			size_t n = strtoull(line, NULL, 16);
			if (!r.whole) return r;
			if (n) r.whole = take_bytes(c, &r, n);
			if (!r.whole) return r;
			r.whole = take_line(c, line, sizeof(line)) && !*line;
			if (n == 0 || !r.whole) return r;
		}
	}
	return r;
}

/* True when the server has closed (and nothing more came). */
__attribute__((unused)) static bool closed(struct client *c)
{
	if (c->n) return false;
	ssize_t k = recv(c->fd, c->buf, 1, 0);
	return k == 0 || (k < 0 && errno != EAGAIN);
}

/* One request on a connection of its own; free the body. */
__attribute__((unused)) static struct reply ask(struct server *s, const char *text)
{
	struct client c = {.fd = dial(s)};
	say(&c, text);
	struct reply r = hear(&c, strncmp(text, "HEAD", 4) == 0);
	close(c.fd);
	return r;
}
