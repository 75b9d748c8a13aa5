/* See resp.h: the connection. */
#include "services/elasticache/resp.h"
#include "base/buf.h"
#include "base/vec.h"
#include "clock/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STEP_MS = 5000, SYNC_MS = 60000, ROOM = 4096 };

static status wait_for(int fd, short events, int64_t until_us)
{
	struct pollfd p = {fd, events, 0};
	int64_t left = (until_us - clock_monotonic_us()) / 1000;
	if (left <= 0) return STATUS(BUSY);
	return poll(&p, 1, (int)left + 1) > 0 ? OK : STATUS(BUSY);
}

static status send_all(struct resp *r, struct str bytes, int64_t until_us)
{
	while (bytes.n) {
		ssize_t n = send(r->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) {
			TRY(wait_for(r->fd, POLLOUT, until_us));
			continue;
		}
		if (n <= 0) return STATUS(IO);
		bytes = str_from(bytes, (size_t)n);
	}
	return OK;
}

static status more(struct resp *r, int64_t until_us)
{
	if (r->n == r->capacity) {
		if (r->capacity > RESP_MAX) return STATUS(IO);
		r->in = mem_grow(r->in, r->capacity *= 2);
	}
	for (;;) {
		ssize_t n = recv(r->fd, r->in + r->n, r->capacity - r->n, 0);
		if (n > 0) {
			r->n += (size_t)n;
			return OK;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) return STATUS(IO);
		if (errno == EAGAIN) TRY(wait_for(r->fd, POLLIN, until_us));
	}
}

static void used(struct resp *r, size_t n)
{
	memmove(r->in, r->in + n, r->n - n);
	r->n -= n;
}

void resp_over(struct resp *r, int fd)
{
	*r = (struct resp){.fd = fd, .in = mem_new(ROOM), .capacity = ROOM};
}

status resp_open(struct resp *r, const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const char *name = strrchr(path, '/');
	char folder[4096];
	*r = (struct resp){.fd = -1};
	snprintf(folder, sizeof(folder), "%.*s", (int)(name - path), path);
	/* By the folder's descriptor: the path of a data folder may be longer than an address can hold. */
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) return STATUS(BUSY);
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d%s", dir, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed = fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0;
	close(dir);
	if (failed && fd >= 0) close(fd);
	if (failed) return STATUS(BUSY);
	resp_over(r, fd);
	return OK;
}

void resp_close(struct resp *r)
{
	if (r->fd >= 0) close(r->fd);
	free(r->in);
	*r = (struct resp){.fd = -1};
}

status resp_ask(
	struct resp *r, struct arena *a, const struct str *words, size_t n, int limit_ms, struct resp_value *out)
{
	int64_t until_us = clock_monotonic_us() + limit_ms * 1000ll;
	struct buf b = BUF_IN(a);
	buf_fmt(&b, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++) {
		buf_fmt(&b, "$%zu\r\n", words[i].n);
		buf_str(&b, words[i]);
		buf_lit(&b, "\r\n");
	}
	TRY(send_all(r, buf_done(&b), until_us));
	for (;;) {
		size_t at = 0;
		status s = resp_parse(a, str_n(r->in, r->n), &at, out);
		if (is_ok(s)) used(r, at);
		if (is_ok(s)) return OK;
		if (!status_is(s, STATUS_NOT_FOUND)) return STATUS(IO);
		TRY(more(r, until_us));
	}
}

status resp_do(struct resp *r, struct arena *a, struct resp_value *out, const char *fmt, ...)
{
	struct {
		struct str *v;
		size_t n;
	} words = {0};
	struct buf b = BUF_IN(a);
	size_t capacity = 0;
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	struct str rest = buf_done(&b);
	while (str_has(rest)) {
		struct str word = str_cut(&rest, ' ');
		if (word.n) *VEC_PUSH(a, &words, &capacity) = word;
	}
	TRY(resp_ask(r, a, words.v, words.n, STEP_MS, out));
	return out->kind == RESP_ERROR ? STATUS(INVALID) : OK;
}

/* A line without its end; *at moves behind it. */
static status read_line(struct resp *r, size_t *at, struct str *out, int64_t until_us)
{
	for (;;) {
		struct str rest = str_n(r->in + *at, r->n - *at);
		ptrdiff_t end = str_chr(rest, '\n');
		if (end >= 0) {
			*out = str_sub(rest, 0, (size_t)end);
			if (out->n && out->p[out->n - 1] == '\r') out->n--;
			*at += (size_t)end + 1;
			return OK;
		}
		TRY(more(r, until_us));
	}
}

status resp_sync(struct resp *r, status (*take)(void *ctx, const char *p, size_t n), void *ctx, uint64_t *size)
{
	struct str line;
	uint64_t left;
	size_t at = 0;
	TRY(send_all(r, STR("*1\r\n$4\r\nSYNC\r\n"), clock_monotonic_us() + STEP_MS * 1000ll));
	do TRY(read_line(r, &at, &line, clock_monotonic_us() + SYNC_MS * 1000ll)); /* empty ones while it is made */
	while (!line.n);
	if (line.p[0] != '$' || !is_ok(str_to_u64(str_from(line, 1), &left))) return STATUS(INVALID);
	used(r, at);
	*size = left;
	while (left) {
		size_t n = r->n < left ? r->n : (size_t)left;
		if (n) TRY(take(ctx, r->in, n));
		used(r, n);
		left -= n;
		if (left) TRY(more(r, clock_monotonic_us() + SYNC_MS * 1000ll));
	}
	return OK;
}

status resp_line(struct resp *r, struct arena *a, struct str line, bool lines, struct str *out)
{
	int64_t until_us = clock_monotonic_us() + STEP_MS * 1000ll;
	struct str one;
	size_t at = 0;
	TRY(send_all(r, str_cat(a, line, STR("\r\n")), until_us));
	do TRY(read_line(r, &at, &one, until_us));
	while (lines && !str_is(one, "END") && !str_is(one, "ERROR"));
	*out = str_dup(a, str_n(r->in, at));
	used(r, at);
	return OK;
}
