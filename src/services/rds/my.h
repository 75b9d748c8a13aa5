/* A client of MariaDB's protocol for virga's own statements ("Client/Server Protocol", the MariaDB documentation): text
 * queries over a server's Unix socket as root, whom the server knows by its process' user (unix_socket). The connection
 * is kept as PostgreSQL's is. Blocking, with a limit for each step; one thread at a time. */
#pragma once
#include "services/rds/pg.h"

/* folder: where "mysqld.sock" lies. BUSY: it does not serve yet (or any more); INVALID: it refuses, *why in `a`. */
status my_open(struct pg *p, struct arena *a, const char *folder, int limit_ms, struct str *why) MUST_USE;
void my_close(struct pg *p);
/* One statement. INVALID: the server's error is *why ("1045: Access denied …"); IO: the connection is gone. rows and
 * why may be NULL. */
status my_query(
	struct pg *p, struct arena *a, struct str sql, int limit_ms, struct pg_rows *rows, struct str *why) MUST_USE;
/* 'text' and `name` with what is special in them escaped. */
struct str my_literal(struct arena *a, struct str text);
struct str my_name(struct arena *a, struct str name);
/* What the server keeps of a password: '*' and SHA1(SHA1(password)) in hexadecimal. */
struct str my_password(struct arena *a, struct str password);

/* ── my_packet.c ── reading, without a connection. */
/* The next packet: *at moves behind it. NOT_FOUND: not yet whole; LIMIT: one of those that go on in the next one. */
status my_packet(struct str bytes, size_t *at, unsigned char *number, struct str *body) MUST_USE;
/* A length-encoded integer; *at moves behind it. */
status my_length(struct str body, size_t *at, uint64_t *out) MUST_USE;
/* A row of n columns as text. */
status my_row(struct arena *a, struct str body, size_t n, struct pg_row *out) MUST_USE;
struct str my_error_text(struct arena *a, struct str body);
