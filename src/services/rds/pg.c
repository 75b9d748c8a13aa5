/* See pg.h: the connection. */
#include "services/rds/pg.h"
#include "base/buf.h"
#include "base/vec.h"
#include "clock/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static status wait_for(int fd, short events, int64_t until_us)
{
	struct pollfd p = {fd, events, 0};
	int64_t left = (until_us - clock_monotonic_us()) / 1000;
	if (left <= 0) return STATUS(BUSY);
	int n = poll(&p, 1, (int)left + 1);
	return n > 0 ? OK : STATUS(BUSY);
}

status pg_send(struct pg *p, struct str bytes, int64_t until_us)
{
	while (bytes.n) {
		ssize_t n = send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			TRY(wait_for(p->fd, POLLOUT, until_us));
			continue;
		}
		if (n <= 0) return STATUS(IO);
		bytes = str_from(bytes, (size_t)n);
	}
	return OK;
}

status pg_more(struct pg *p, int64_t until_us)
{
	if (p->n == p->capacity) p->in = mem_grow(p->in, p->capacity *= 2);
	for (;;) {
		ssize_t n = recv(p->fd, p->in + p->n, p->capacity - p->n, 0);
		if (n < 0 && errno == EAGAIN) {
			TRY(wait_for(p->fd, POLLIN, until_us));
			continue;
		}
		if (n <= 0) return STATUS(IO);
		p->n += (size_t)n;
		return OK;
	}
}

/* The next message; its body is valid until the next call. */
static status next(struct pg *p, char *type, struct str *body, size_t *used, int64_t until_us)
{
	for (;;) {
		size_t at = *used;
		status s = pg_message(str_n(p->in, p->n), &at, type, body);
		if (is_ok(s)) {
			*used = at;
			return OK;
		}
		if (!status_is(s, STATUS_NOT_FOUND)) return STATUS(IO);
		memmove(p->in, p->in + *used, p->n - *used);
		p->n -= *used, *used = 0;
		TRY(pg_more(p, until_us));
	}
}

/* Until the server is ready for the next query. */
static status answer(
	struct pg *p, struct arena *a, int64_t until_us, struct pg_rows *rows, struct str *why, bool starting)
{
	size_t used = 0, capacity = 0;
	bool failed = false;
	for (;;) {
		char type;
		struct str body;
		status s = next(p, &type, &body, &used, until_us);
		if (!is_ok(s)) return s;
		if (type == 'Z') break;
		if (type == 'E') {
			failed = true;
			if (why) *why = pg_error_text(a, body);
			if (starting) return STATUS(INVALID);
		}
		if (type == 'R' && (body.n < 4 || memcmp(body.p, "\0\0\0\0", 4) != 0)) return STATUS(INVALID);
		if (type == 'T' && rows) rows->n = 0;
		if (type == 'D' && rows) s = pg_row(a, body, VEC_PUSH(a, rows, &capacity));
		if (!is_ok(s)) return STATUS(IO);
	}
	memmove(p->in, p->in + used, p->n - used);
	p->n -= used;
	return failed ? STATUS(INVALID) : OK;
}

status pg_connect(struct pg *p, const char *folder, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* By the folder's descriptor: the path of a data folder may be longer than an address can hold. */
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%s", dir, name);
	bool good = p->fd >= 0 && dir >= 0 && connect(p->fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	if (dir >= 0) close(dir);
	return good ? OK : STATUS(BUSY);
}

static status start(struct pg *p, struct arena *a, const char *folder, unsigned port, struct str database,
	int64_t until_us, struct str *why)
{
	struct buf b = BUF_IN(a);
	TRY(pg_connect(p, folder, str_fmt(a, ".s.PGSQL.%u", port).p));
	buf_add(&b, "\0\0\0\0\0\3\0\0user\0rdsadmin\0database\0", 31);
	buf_str(&b, database);
	buf_add(&b, "\0application_name\0rdsadmin\0\0", 28);
	b.p[3] = (char)b.n, b.p[2] = (char)(b.n >> 8);
	TRY(pg_send(p, buf_done(&b), until_us));
	return answer(p, a, until_us, NULL, why, true);
}

status pg_open(struct pg *p, struct arena *a, const char *folder, unsigned port, struct str database, int limit_ms,
	struct str *why)
{
	struct str text = STR_NONE;
	*p = (struct pg){.capacity = 4096};
	p->in = mem_new(p->capacity);
	p->fd = -1;
	status s = start(p, a, folder, port, database, clock_monotonic_us() + limit_ms * 1000ll, &text);
	if (why) *why = text;
	if (is_ok(s)) return OK;
	pg_close(p);
	/* 57P03: it starts, recovers or shuts down. */
	return status_is(s, STATUS_INVALID) && str_starts(text, STR("57P0")) ? STATUS(BUSY)
	       : status_is(s, STATUS_INVALID)                                ? s
									     : STATUS(BUSY);
}

void pg_close(struct pg *p)
{
	if (p->fd >= 0) {
		if (send(p->fd, "X\0\0\0\4", 5, MSG_NOSIGNAL) < 0) p->n = 0; /* it is gone already */
		close(p->fd);
	}
	free(p->in);
	*p = (struct pg){.fd = -1};
}

status pg_query(struct pg *p, struct arena *a, struct str sql, int limit_ms, struct pg_rows *rows, struct str *why)
{
	int64_t until_us = clock_monotonic_us() + limit_ms * 1000ll;
	struct buf b = BUF_IN(a);
	size_t n = sql.n + 5;
	if (rows) *rows = (struct pg_rows){0};
	buf_byte(&b, 'Q');
	for (int shift = 24; shift >= 0; shift -= 8) buf_byte(&b, (char)(n >> shift));
	buf_str(&b, sql), buf_byte(&b, 0);
	TRY(pg_send(p, buf_done(&b), until_us));
	return answer(p, a, until_us, rows, why, false);
}

static struct str quoted(struct arena *a, struct str text, char q)
{
	struct buf b = BUF_IN(a);
	buf_byte(&b, q);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == q) buf_byte(&b, q);
		if (text.p[i]) buf_byte(&b, text.p[i]);
	}
	buf_byte(&b, q);
	return buf_done(&b);
}

/* standard_conforming_strings is what rdsadmin's sessions have: a backslash is itself. */
struct str pg_literal(struct arena *a, struct str text)
{
	return quoted(a, text, '\'');
}

struct str pg_name(struct arena *a, struct str name)
{
	return quoted(a, name, '"');
}
