/* Numbers: reading, writing, adding, and the bytes that sort as they do. See number.h. */
#include "services/dynamodb/number.h"

enum { NEGATIVE = 0x40, ZERO = 0x80, POSITIVE = 0xc0, EXPONENT_MAX = 126, EXPONENT_MIN = -129 };

struct decimal { /* 0.d1d2… × 10^exponent; n == 0: zero */
	bool negative;
	int exponent;
	unsigned n;
	uint8_t d[NUMBER_DIGITS];
};

/* ── bytes ── */

static struct str encode(struct arena *a, const struct decimal *x)
{
	if (x->n == 0) {
		char *zero = arena_alloc_raw(a, 1);
		zero[0] = (char)ZERO;
		return str_n(zero, 1);
	}
	unsigned pairs = (x->n + 1) / 2;
	unsigned char *p = arena_alloc_raw(a, pairs + 3);
	unsigned e = (unsigned)(x->exponent - EXPONENT_MIN);
	p[0] = x->negative ? NEGATIVE : POSITIVE;
	p[1] = (unsigned char)(x->negative ? 255 - e : e);
	for (unsigned i = 0; i < pairs; i++) {
		unsigned pair = x->d[2 * i] * 10u + (2 * i + 1 < x->n ? x->d[2 * i + 1] : 0u);
		p[2 + i] = (unsigned char)(x->negative ? 101 - pair : 1 + pair);
	}
	p[2 + pairs] = x->negative ? 0xff : 0;
	return str_n(p, pairs + 3);
}

static bool decode(struct str s, struct decimal *x)
{
	const unsigned char *p = (const unsigned char *)s.p;
	*x = (struct decimal){0};
	if (s.n == 1 && p[0] == ZERO) return true;
	if (s.n < 4 || s.n > NUMBER_BYTES_MAX || (p[0] != NEGATIVE && p[0] != POSITIVE)) return false;
	x->negative = p[0] == NEGATIVE;
	x->exponent = (x->negative ? 255 - p[1] : p[1]) + EXPONENT_MIN;
	if (p[s.n - 1] != (x->negative ? 0xff : 0)) return false;
	for (size_t i = 2; i + 1 < s.n; i++) {
		int pair = x->negative ? 101 - p[i] : p[i] - 1;
		if (pair < 0 || pair > 99) return false;
		x->d[x->n++] = (uint8_t)(pair / 10);
		x->d[x->n++] = (uint8_t)(pair % 10);
	}
	if (x->n && x->d[x->n - 1] == 0) x->n--;
	return x->n > 0 && x->d[0] != 0 && x->d[x->n - 1] != 0;
}

bool ddb_number_valid(struct str number)
{
	struct decimal x;
	return decode(number, &x);
}

static enum number_result in_range(const struct decimal *x)
{
	if (x->n == 0) return NUMBER_OK;
	if (x->exponent > EXPONENT_MAX) return NUMBER_OVERFLOW;
	return x->exponent < EXPONENT_MIN ? NUMBER_UNDERFLOW : NUMBER_OK;
}

/* ── text ── */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [eE][+-]?digits, to the end of the text; saturates. */
static bool read_exponent(struct str s, long *out)
{
	bool negative = s.n && s.p[0] == '-';
	long v = 0;
	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_from(s, 1);
	if (s.n == 0) return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i])) return false;
		if (v < 1000000) v = v * 10 + (s.p[i] - '0');
	}
	*out = negative ? -v : v;
	return true;
}

static enum number_result read_decimal(struct str s, struct decimal *x)
{
	*x = (struct decimal){0};
	size_t i = 0, zeros = 0;
	bool point = false, any = false, too_many = false;
	long before = 0,
	     exponent = 0; /* digits of the whole part from the first that is not zero; minus zeros behind the point */
	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) x->negative = s.p[i++] == '-';
	for (; i < s.n; i++) {
		char c = s.p[i];
		if (c == '.') {
			if (point) return NUMBER_SYNTAX;
			point = true;
			continue;
		}
		if (!is_digit(c)) break;
		any = true;
		if (c == '0' && x->n == 0) {
			if (point) before--;
			continue;
		}
		if (!point) before++;
		if (c == '0') {
			zeros++;
			continue;
		}
		if (too_many || x->n + zeros + 1 > NUMBER_DIGITS) {
			too_many = true;
			continue;
		}
		while (zeros) {
			x->d[x->n++] = 0;
			zeros--;
		}
		x->d[x->n++] = (uint8_t)(c - '0');
	}
	if (!any) return NUMBER_SYNTAX;
	if (i < s.n) {
		if (s.p[i] != 'e' && s.p[i] != 'E') return NUMBER_SYNTAX;
		if (!read_exponent(str_from(s, i + 1), &exponent)) return NUMBER_SYNTAX;
	}
	if (x->n == 0) {
		x->negative = false;
		return NUMBER_OK;
	}
	long e = before + exponent;
	x->exponent = (int)(e > 10000 ? 10000 : e < -10000 ? -10000 : e);
	enum number_result r = in_range(x);
	if (r != NUMBER_OK) return r;
	return too_many ? NUMBER_DIGITS_EXCEEDED : NUMBER_OK;
}

enum number_result ddb_number_read(struct arena *a, struct str text, struct str *out)
{
	struct decimal x;
	enum number_result r = read_decimal(text, &x);
	if (r == NUMBER_OK) *out = encode(a, &x);
	return r;
}

void ddb_number_write(struct buf *b, struct str number)
{
	struct decimal x;
	INVARIANT(decode(number, &x));
	if (x.n == 0) {
		buf_byte(b, '0');
		return;
	}
	if (x.negative) buf_byte(b, '-');
	if (x.exponent <= 0) {
		buf_lit(b, "0.");
		for (int i = x.exponent; i < 0; i++) buf_byte(b, '0');
	}
	for (int i = 0; i < (int)x.n || i < x.exponent; i++) {
		if (i == x.exponent && i > 0) buf_byte(b, '.');
		buf_byte(b, (char)('0' + (i < (int)x.n ? x.d[i] : 0)));
	}
}

struct str ddb_number_problem(struct arena *a, enum number_result r, struct str text)
{
	switch (r) {
	case NUMBER_OK:
		break;
	case NUMBER_SYNTAX:
		return str_fmt(a, "The parameter cannot be converted to a numeric value: %.*s", STR_ARG(text));
	case NUMBER_DIGITS_EXCEEDED:
		return STR("Attempting to store more than 38 significant digits in a Number");
	case NUMBER_OVERFLOW:
		return STR("Number overflow. Attempting to store a number with magnitude larger than supported range");
	case NUMBER_UNDERFLOW:
		return STR(
			"Number underflow. Attempting to store a number with magnitude smaller than supported range");
	}
	return STR_NONE;
}

/* ── arithmetic ── */

enum { PLACES = EXPONENT_MAX - EXPONENT_MIN + NUMBER_DIGITS + 2 };

/* Digits at their places: p[i] counts 10^(top - 1 - i). */
static void place(int *p, int top, const struct decimal *x, int sign)
{
	for (unsigned i = 0; i < x->n; i++) p[top - x->exponent + (int)i] += sign * x->d[i];
}

enum number_result ddb_number_add(struct arena *a, struct str xs, struct str ys, bool subtract, struct str *out)
{
	struct decimal x, y, z = {0};
	int p[PLACES] = {0};
	INVARIANT(decode(xs, &x) && decode(ys, &y));
	if (subtract) y.negative = !y.negative;
	if (x.n == 0 || y.n == 0) {
		const struct decimal *one = x.n ? &x : &y;
		*out = encode(a, one);
		return NUMBER_OK;
	}
	int top = (x.exponent > y.exponent ? x.exponent : y.exponent) + 1;
	int low_x = x.exponent - (int)x.n, low_y = y.exponent - (int)y.n;
	int places = top - (low_x < low_y ? low_x : low_y);
	INVARIANT(places <= PLACES);
	place(p, top, &x, x.negative ? -1 : 1);
	place(p, top, &y, y.negative ? -1 : 1);
	int first = 0;
	while (first < places && p[first] == 0) first++;
	if (first == places) {
		*out = encode(a, &z);
		return NUMBER_OK;
	}
	/* The leading place's sign is the sum's unless a borrow eats it, which flips no sign: |rest| < 10^k. */
	z.negative = p[first] < 0;
	if (z.negative)
		for (int i = first; i < places; i++) p[i] = -p[i];
	for (int i = places - 1; i > 0; i--) {
		int carry = p[i] < 0 ? -1 : p[i] > 9 ? 1 : 0;
		p[i] -= carry * 10;
		p[i - 1] += carry;
	}
	first = 0;
	while (first < places && p[first] == 0) first++;
	int last = places - 1;
	while (last > first && p[last] == 0) last--;
	if (first == places) {
		z.negative = false;
		*out = encode(a, &z);
		return NUMBER_OK;
	}
	INVARIANT(p[0] >= 0);
	z.exponent = top - first;
	if (last - first + 1 > NUMBER_DIGITS) return NUMBER_DIGITS_EXCEEDED;
	for (int i = first; i <= last && z.n < NUMBER_DIGITS; i++) z.d[z.n++] = (uint8_t)p[i];
	enum number_result r = in_range(&z);
	if (r == NUMBER_OK) *out = encode(a, &z);
	return r;
}

bool ddb_number_to_i64(struct str number, int64_t *out)
{
	struct decimal x;
	INVARIANT(decode(number, &x));
	int64_t v = 0;
	if (x.exponent > 19) return false;
	for (int i = 0; i < x.exponent; i++) {
		int d = i < (int)x.n ? x.d[i] : 0;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, d, &v)) return false;
	}
	if (!x.negative && __builtin_sub_overflow(0, v, &v)) return false;
	*out = v;
	return true;
}

struct str ddb_number_from_i64(struct arena *a, int64_t v)
{
	struct str out = STR_NONE;
	struct buf b = BUF_IN(a);
	buf_i64(&b, v);
	INVARIANT(ddb_number_read(a, buf_done(&b), &out) == NUMBER_OK);
	return out;
}

size_t ddb_number_size(struct str number)
{
	if (number.n <= 1) return 1;
	return number.n - 3 + 1 + ((unsigned char)number.p[0] == NEGATIVE);
}
