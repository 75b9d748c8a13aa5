/* Numbers read from text, strictly. The process never leaves the C locale, so strtod's decimal point is '.'. */
#include "base/str.h"
#include <math.h>
#include <stdlib.h>

enum { F64_TEXT_MAX = 1100 }; /* the longest exact decimal of a double has 1,077 characters */

status str_to_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;
	bool past = false;
	if (s.n == 0) return STATUS(INVALID);
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
		if (digit > 9) return STATUS(INVALID);
		past |= __builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)digit, &v);
	}
	if (past) return STATUS(LIMIT);
	*out = v;
	return OK;
}

status str_to_i64(struct str s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	uint64_t v;
	TRY(str_to_u64(negative ? str_from(s, 1) : s, &v));
	if (v > (uint64_t)INT64_MAX + negative) return STATUS(LIMIT);
	*out = (int64_t)(negative ? 0 - v : v);
	return OK;
}

static size_t digits(struct str s, size_t *at)
{
	size_t from = *at;
	while (*at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9') ++*at;
	return *at - from;
}

static bool is_decimal(struct str s)
{
	size_t i = s.n && s.p[0] == '-';
	size_t mantissa = digits(s, &i);
	if (i < s.n && s.p[i] == '.') {
		i++;
		mantissa += digits(s, &i);
	}
	if (mantissa == 0) return false;
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		i++;
		if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
		if (digits(s, &i) == 0) return false;
	}
	return i == s.n;
}

status str_to_f64(struct str s, double *out)
{
	if (str_is(s, "NaN")) {
		*out = NAN;
	} else if (str_is(s, "Infinity")) {
		*out = INFINITY;
	} else if (str_is(s, "-Infinity")) {
		*out = -INFINITY;
	} else {
		char text[F64_TEXT_MAX + 1];
		if (!is_decimal(s)) return STATUS(INVALID);
		if (s.n > F64_TEXT_MAX) return STATUS(LIMIT);
		memcpy(text, s.p, s.n);
		text[s.n] = 0;
		double v = strtod(text, NULL);
		if (isinf(v)) return STATUS(LIMIT);
		*out = v;
	}
	return OK;
}
