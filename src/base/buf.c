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

#if LDBL_MANT_DIG >= 64
/* What the loop below finds, without printf and strtod (a microsecond and more for each of a million data points), for
 * magnitudes that are written without an exponent. A long double holds ten's powers up to the 27th exactly, and the
 * product of a double and one of them to 64 bits: 15 digits with 14 bits to spare, 17 with seven. Where these do not
 * decide (close to the middle between two decimals, or to the end of what reads back as v), false. */
static bool quick_f64(struct buf *b, double v)
{
	static const long double powers[] = {1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L, 1e9L, 1e10L, 1e11L,
		1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L};
	double m = fabs(v);
	int exponent;
	if (!(m >= 1e-4 && m < 1e15) || frexp(m, &exponent) <= 0.5) return false;
	long double half = ldexpl(1.0L, exponent - DBL_MANT_DIG - 1); /* from v to the middle before the next double */
	int x = m >= 1 ? 0 : m >= 1e-1 ? -1 : m >= 1e-2 ? -2 : m >= 1e-3 ? -3 : -4;
	while (m >= 1 && (long double)m >= powers[x + 1]) x++;
	for (int digits = 15; digits <= 17; digits++) {
		int k = digits - 1 - x;
		long double scaled = m * powers[k], bound = half * powers[k];
		uint64_t n = (uint64_t)llrintl(scaled);
		long double off = fabsl(scaled - (long double)n), unsure = digits == 17 ? 0.02L : 0.004L;
		if (off > 0.5L - unsure) return false;
		if (digits == 15) { /* the quotient of two numbers that are exact is rounded once, as a reader would */
			if ((double)n / (double)powers[k] < m || (double)n / (double)powers[k] > m) continue;
		} else {
			if (off > bound + unsure) continue;
			if (off > bound - unsure) return false;
		}
		for (; k > 0 && n % 10 == 0; k--) n /= 10;
		if (v < 0) buf_byte(b, '-');
		uint64_t one = (uint64_t)powers[k], fraction = k < 20 ? n % one : n;
		buf_u64(b, k < 20 ? n / one : 0);
		char *p = buf_reserve(b, (size_t)k + 1);
		*p = '.';
		for (int i = k; i > 0; i--, fraction /= 10) p[i] = (char)('0' + fraction % 10);
		b->n += (size_t)k + 1;
		return true;
	}
	return false;
}
#else
static bool quick_f64(struct buf *b, double v)
{
	(void)b, (void)v;
	return false;
}
#endif

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
	if (quick_f64(b, v)) return;
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
