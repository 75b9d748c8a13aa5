/* A client of Redis' protocol for virga's own commands ("Redis serialization protocol specification", RESP2): over a
 * server's Unix socket, which only virga and the server can reach. And the few lines of memcached's text protocol that
 * virga speaks. Blocking, with a limit for each step; one thread at a time. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include <stdint.h>

struct resp {
	int fd;
	char *in;
	size_t n, capacity;
};
enum { RESP_MAX = 8 << 20, RESP_DEPTH = 8 };
struct resp_value {
	enum { RESP_NULL, RESP_TEXT, RESP_ERROR, RESP_NUMBER, RESP_LIST } kind;
	struct str text;
	int64_t number;
	struct resp_value *v;
	size_t n;
};

/* path: the socket's. BUSY: it does not serve yet (or any more). */
status resp_open(struct resp *r, const char *path) MUST_USE;
/* A socket that is there already; it is the client's from now on. */
void resp_over(struct resp *r, int fd);
void resp_close(struct resp *r);
/* One command and its answer, in `a`. An error of the server's is an answer, too: RESP_ERROR. IO, BUSY: the connection
 * is of no use any more. */
status resp_ask(struct resp *r, struct arena *a, const struct str *words, size_t n, int limit_ms,
	struct resp_value *out) MUST_USE;
/* Words that are cut at spaces; %.*s of fmt must not hold one. INVALID with the server's words in *out for an error. */
status resp_do(struct resp *r, struct arena *a, struct resp_value *out, const char *fmt, ...)
	__attribute__((format(printf, 4, 5))) MUST_USE;
/* "name:value" of an INFO; STR_NONE where it is not there. */
struct str resp_info(struct str info, const char *name);
/* A snapshot as a replica would get it (SYNC): bytes are handed on as they come. */
status resp_sync(
	struct resp *r, status (*take)(void *ctx, const char *p, size_t n), void *ctx, uint64_t *size) MUST_USE;
/* memcached: a line, and what comes until "END" (or the one line where lines is false). */
status resp_line(struct resp *r, struct arena *a, struct str line, bool lines, struct str *out) MUST_USE;

/* ── resp_value.c ── reading, without a connection. */
/* The next value: *at moves behind it. NOT_FOUND: not yet whole; INVALID: none can begin so. */
status resp_parse(struct arena *a, struct str bytes, size_t *at, struct resp_value *out) MUST_USE;
