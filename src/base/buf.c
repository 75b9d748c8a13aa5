/* Growing byte buffers, and numbers written as text. */
#include "base/buf.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void buf_cleanup(struct buf *b)
{
	if (!b->arena) free(b->p);
	*b = (struct buf){.arena = b->arena};
}

char *buf_reserve(struct buf *b, size_t more)
{
	if (b->capacity - b->n < more || !b->p) {
		size_t want, need;
		INVARIANT(!__builtin_add_overflow(b->n, more, &need) && need < SIZE_MAX / 4);
		want = b->capacity < 64 ? 64 : b->capacity * 2;
		if (want < need) want = need;
		if (!b->arena) {
			b->p = mem_grow(b->p, want);
		} else if (!b->p || !arena_extend(b->arena, b->p, b->capacity, want)) {
			char *p = arena_alloc_raw(b->arena, want);
			if (b->n) memcpy(p, b->p, b->n);
			b->p = p;
		}
		b->capacity = want;
	}
	return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0) return;
	memcpy(buf_reserve(b, n), p, n);
	b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_byte(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->n++;
}

void buf_u64(struct buf *b, uint64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	char text[20], *p = text + sizeof text;
	for (; v >= 100; v /= 100) memcpy(p -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		memcpy(p -= 2, pairs + v * 2, 2);
	else
		*--p = (char)('0' + v);
	buf_add(b, p, (size_t)(text + sizeof text - p));
}

void buf_i64(struct buf *b, int64_t v)
{
	if (v < 0) buf_byte(b, '-');
	buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_f64(struct buf *b, double v)
{
	if (isnan(v)) {
		buf_lit(b, "NaN");
		return;
	}
	if (isinf(v)) {
		buf_str(b, v < 0 ? STR("-Infinity") : STR("Infinity"));
		return;
	}
	double whole = trunc(v);
	if (!(whole < v) && !(whole > v) && fabs(v) < 1e17) {
		if (signbit(v)) buf_byte(b, '-');
		buf_u64(b, (uint64_t)fabs(v));
		return;
	}
	/* 15 digits always survive, 17 always suffice; %g drops zeros at the end. Subnormals hold fewer digits. */
	char text[40];
	int n = 0;
	for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		n = snprintf(text, sizeof text, "%.*g", digits, v);
		double back = strtod(text, NULL);
		if (memcmp(&back, &v, sizeof v) == 0) break;
	}
	buf_add(b, text, (size_t)n);
}

void buf_vfmt(struct buf *b, const char *fmt, va_list args)
{
	va_list again;
	va_copy(again, args);
	char *p = buf_reserve(b, 64);
	size_t room = b->capacity - b->n;
	int n = vsnprintf(p, room, fmt, args);
	INVARIANT(n >= 0);
	if ((size_t)n >= room) vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
	va_end(again);
	b->n += (size_t)n;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	buf_vfmt(b, fmt, args);
	va_end(args);
}
