/* A client of PostgreSQL's protocol for virga's own statements ("Frontend/Backend Protocol", the PostgreSQL
 * documentation): simple queries over a server's Unix socket, which only virga and the server can reach, as rdsadmin.
 * Blocking, with a limit for each step; one thread at a time. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include <stdint.h>

struct pg {
	int fd;
	char *in;
	size_t n, capacity;
};
struct pg_rows {
	struct pg_row {
		struct str *v; /* STR_NONE: NULL */
		size_t n;
	} * v;
	size_t n;
};

/* folder: where ".s.PGSQL.PORT" lies. BUSY: it does not serve yet (or any more); INVALID: it refuses, *why in `a`. */
status pg_open(struct pg *p, struct arena *a, const char *folder, unsigned port, struct str database, int limit_ms,
	struct str *why) MUST_USE;
void pg_close(struct pg *p);
/* One or several statements; the rows of the last one that has some, in `a`. INVALID: the server's error is *why; IO:
 * the connection is gone. rows and why may be NULL. */
status pg_query(
	struct pg *p, struct arena *a, struct str sql, int limit_ms, struct pg_rows *rows, struct str *why) MUST_USE;
/* 'text' and "name" with what is special in them escaped. */
struct str pg_literal(struct arena *a, struct str text);
struct str pg_name(struct arena *a, struct str name);

/* ── what other protocols over such a socket use (my.c) ── p->capacity and p->in are there. BUSY: nobody listens. */
status pg_connect(struct pg *p, const char *folder, const char *name) MUST_USE;
status pg_send(struct pg *p, struct str bytes, int64_t until_us) MUST_USE;
/* Some more bytes behind p->in's end. */
status pg_more(struct pg *p, int64_t until_us) MUST_USE;

/* ── pg_message.c ── reading, without a connection. */
enum { PG_MESSAGE_MAX = 16 << 20 };
/* The next message: *at moves behind it. NOT_FOUND: not yet whole; INVALID: none can begin so. */
status pg_message(struct str bytes, size_t *at, char *type, struct str *body) MUST_USE;
status pg_row(struct arena *a, struct str body, struct pg_row *out) MUST_USE;
/* An error's text, with its code: "42601: syntax error". */
struct str pg_error_text(struct arena *a, struct str body);
