/* See my.h: the connection. */
#include "services/rds/my.h"
#include "base/buf.h"
#include "base/vec.h"
#include "clock/clock.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum { OK_PACKET = 0, MORE_AUTH = 0xfe, END = 0xfe, FAULT = 0xff, QUERY = 3, QUIT = 1, VERSION = 10, DIGEST = 20 };
/* LONG_PASSWORD, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH; at most 16 MiB; utf8mb4. */
static const char hello[] = "\x01\xa2\x08\x00\xff\xff\xff\x00\x2d"
			    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			    "root\0\0mysql_native_password";

static status next(struct pg *p, unsigned char *seq, struct str *body, size_t *used, int64_t until_us)
{
	for (;;) {
		size_t at = *used;
		status s = my_packet(str_n(p->in, p->n), &at, seq, body);
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

static status put(struct pg *p, struct arena *a, unsigned char seq, struct str body, int64_t until_us)
{
	struct buf b = BUF_IN(a);
	buf_byte(&b, (char)body.n), buf_byte(&b, (char)(body.n >> 8)), buf_byte(&b, (char)(body.n >> 16));
	buf_byte(&b, (char)seq);
	buf_str(&b, body);
	return pg_send(p, buf_done(&b), until_us);
}

static void forget(struct pg *p, size_t used)
{
	memmove(p->in, p->in + used, p->n - used);
	p->n -= used;
}

static unsigned char first(struct str body)
{
	return body.n ? (unsigned char)body.p[0] : FAULT;
}

static status start(struct pg *p, struct arena *a, const char *folder, int64_t until_us, struct str *why)
{
	unsigned char seq;
	struct str body;
	size_t used = 0;
	TRY(pg_connect(p, folder, "mysqld.sock"));
	TRY(next(p, &seq, &body, &used, until_us));
	if (first(body) != VERSION) {
		*why = my_error_text(a, body);
		return STATUS(INVALID);
	}
	TRY(put(p, a, 1, str_n(hello, sizeof(hello)), until_us));
	for (;;) {
		TRY(next(p, &seq, &body, &used, until_us));
		if (first(body) == OK_PACKET) break;
		if (first(body) != MORE_AUTH) {
			*why = my_error_text(a, body);
			return STATUS(INVALID);
		}
		/* It asks for another proof: there is none but the process itself. */
		TRY(put(p, a, (unsigned char)(seq + 1), STR(""), until_us));
	}
	forget(p, used);
	return OK;
}

status my_open(struct pg *p, struct arena *a, const char *folder, int limit_ms, struct str *why)
{
	struct str text = STR_NONE;
	int64_t until_us = clock_monotonic_us() + limit_ms * 1000ll;
	*p = (struct pg){.fd = -1, .capacity = 4096};
	p->in = mem_new(p->capacity);
	status s = start(p, a, folder, until_us, &text);
	if (why) *why = text;
	if (is_ok(s))
		s = my_query(p, a, STR("SET SESSION wait_timeout = 31536000, sql_mode = '', sql_log_off = 1"), limit_ms,
			NULL, why);
	if (is_ok(s)) return OK;
	my_close(p);
	return status_is(s, STATUS_INVALID) ? s : STATUS(BUSY);
}

void my_close(struct pg *p)
{
	struct arena a;
	arena_init(&a);
	if (p->fd >= 0) {
		status s = put(p, &a, 0, STR("\x01"), clock_monotonic_us() + 100000);
		if (!is_ok(s)) p->n = 0; /* it is gone already */
		close(p->fd);
	}
	free(p->in);
	*p = (struct pg){.fd = -1};
	arena_cleanup(&a);
}

/* A result set: columns, their end, rows, their end. */
static status read_rows(struct pg *p, struct arena *a, struct str head, size_t *used, int64_t until_us,
	struct pg_rows *rows, struct str *why)
{
	uint64_t n;
	size_t at = 0, capacity = 0;
	unsigned char seq;
	struct str body;
	if (!is_ok(my_length(head, &at, &n)) || n > 4096) return STATUS(IO);
	/* One more: the packet that ends the columns. */
	for (uint64_t i = 0; i <= n; i++) TRY(next(p, &seq, &body, used, until_us));
	for (;;) {
		TRY(next(p, &seq, &body, used, until_us));
		if (first(body) == END && body.n < 9) return OK;
		if (first(body) == FAULT) {
			if (why) *why = my_error_text(a, body);
			return STATUS(INVALID);
		}
		struct pg_row row;
		if (!is_ok(my_row(a, body, (size_t)n, &row))) return STATUS(IO);
		if (rows) *VEC_PUSH(a, rows, &capacity) = row;
	}
}

status my_query(struct pg *p, struct arena *a, struct str sql, int limit_ms, struct pg_rows *rows, struct str *why)
{
	int64_t until_us = clock_monotonic_us() + limit_ms * 1000ll;
	unsigned char seq;
	struct str body;
	size_t used = 0;
	status s = OK;
	if (rows) *rows = (struct pg_rows){0};
	TRY(put(p, a, 0, str_cat(a, STR("\x03"), sql), until_us));
	TRY(next(p, &seq, &body, &used, until_us));
	if (first(body) == FAULT) {
		if (why) *why = my_error_text(a, body);
		s = STATUS(INVALID);
	} else if (first(body) != OK_PACKET) {
		s = read_rows(p, a, str_dup(a, body), &used, until_us, rows, why);
	}
	forget(p, used);
	return s;
}

static struct str quoted(struct arena *a, struct str text, char q, bool backslash)
{
	struct buf b = BUF_IN(a);
	buf_byte(&b, q);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == q || (backslash && text.p[i] == '\\')) buf_byte(&b, text.p[i]);
		if (text.p[i]) buf_byte(&b, text.p[i]);
	}
	buf_byte(&b, q);
	return buf_done(&b);
}

struct str my_literal(struct arena *a, struct str text)
{
	return quoted(a, text, '\'', true);
}

struct str my_name(struct arena *a, struct str name)
{
	return quoted(a, name, '`', false);
}

struct str my_password(struct arena *a, struct str password)
{
	unsigned char once[DIGEST], twice[DIGEST];
	unsigned n = DIGEST;
	INVARIANT(EVP_Digest(password.p, password.n, once, &n, EVP_sha1(), NULL) == 1);
	INVARIANT(EVP_Digest(once, DIGEST, twice, &n, EVP_sha1(), NULL) == 1);
	struct str hex = str_hex(a, str_n(twice, DIGEST));
	char *upper = arena_copy(a, hex.p, hex.n);
	for (size_t i = 0; i < hex.n; i++)
		if (upper[i] >= 'a') upper[i] = (char)(upper[i] - 'a' + 'A');
	return str_fmt(a, "*%.*s", (int)hex.n, upper);
}
