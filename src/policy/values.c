/* The typed values of conditions: numbers, dates and addresses,
	as "IAM JSON policy elements: Condition operators" allows
 * them to be written. */
#include "base/date.h"
#include "policy/internal.h"
#include <arpa/inet.h>
#include <math.h>

bool value_number(struct str s, double *out)
{
	if (s.n == 0 || s.n > 64) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789+-.eE", s.p[i]) || s.p[i] == 0) return false;
	if (s.p[0] == '+') s = str_from(s, 1);
	return is_ok(str_to_f64(s, out)) && isfinite(*out);
}

/* n digits. */
static bool take(struct str *s, size_t n, int *out)
{
	if (s->n < n) return false;
	int v = 0;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9') return false;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = str_from(*s, n);
	*out = v;
	return true;
}

static bool take_char(struct str *s, char c)
{
	if (s->n == 0 || *s->p != c) return false;
	*s = str_from(*s, 1);
	return true;
}

static bool month_has(int y, int m, int d)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (m < 1 || m > 12 || d < 1) return false;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	return d <= days[m - 1] + (m == 2 && leap);
}

/* W3C's profile of ISO 8601 (YYYY, YYYY-MM, YYYY-MM-DD, with Thh:mm[:ss[.s]] and Z or an offset) or epoch seconds. */
bool value_date(struct str s, int64_t *ms)
{
	int y, mo = 1, d = 1, h = 0, mi = 0, sec = 0;
	int64_t fraction = 0, epoch;
	if (s.n != 4 && s.n <= 15 && is_ok(str_to_i64(s, &epoch))) {
		*ms = epoch * 1000;
		return true;
	}
	double f;
	if (s.n > 5 && str_chr(s, '-') < 0 && str_chr(s, ':') < 0 && value_number(s, &f) && fabs(f) < 9e14) {
		*ms = (int64_t)(f * 1000);
		return true;
	}
	if (!take(&s, 4, &y)) return false;
	bool day = false;
	if (take_char(&s, '-')) {
		if (!take(&s, 2, &mo)) return false;
		if (take_char(&s, '-')) {
			if (!take(&s, 2, &d)) return false;
			day = true;
		}
	}
	if (!month_has(y, mo, d)) return false;
	int64_t offset = 0;
	if (s.n) {
		if (!day || !take_char(&s, 'T') || !take(&s, 2, &h) || !take_char(&s, ':') || !take(&s, 2, &mi))
			return false;
		if (take_char(&s, ':')) {
			if (!take(&s, 2, &sec)) return false;
			if (take_char(&s, '.')) {
				int64_t scale = 100;
				size_t n = 0;
				for (; s.n && *s.p >= '0' && *s.p <= '9'; s = str_from(s, 1), n++) {
					fraction += (*s.p - '0') * scale;
					scale /= 10;
				}
				if (n == 0) return false;
			}
		}
		if (h > 23 || mi > 59 || sec > 60) return false;
		if (!take_char(&s, 'Z')) {
			int oh, om;
			int sign = take_char(&s, '+') ? 1 : take_char(&s, '-') ? -1 : 0;
			if (!sign || !take(&s, 2, &oh) || !take_char(&s, ':') || !take(&s, 2, &om)) return false;
			if (oh > 23 || om > 59) return false;
			offset = sign * (oh * 60 + om);
		}
		if (s.n) return false;
	}
	int64_t seconds = ((date_days(y, mo, d) * 24 + h) * 60 + mi - offset) * 60 + sec;
	*ms = seconds * 1000 + fraction;
	return true;
}

/* An address, or (prefix) one with an optional /bits; without them the address alone (/32, /128). */
bool value_ip(struct str s, bool prefix, struct ip_range *out)
{
	char z[64];
	struct str address = str_cut(&s, '/');
	if (str_has(s) && !prefix) return false;
	if (address.n >= sizeof z || memchr(address.p, 0, address.n)) return false;
	memcpy(z, address.p, address.n);
	z[address.n] = 0;
	memset(out, 0, sizeof *out);
	out->v6 = memchr(z, ':', address.n) != NULL;
	if (inet_pton(out->v6 ? AF_INET6 : AF_INET, z, out->bytes) != 1) return false;
	int64_t bits = out->v6 ? 128 : 32;
	if (str_has(s)) {
		int64_t max = bits;
		if (s.n == 0 || s.n > 3 || !is_ok(str_to_i64(s, &bits)) || bits < 0 || bits > max) return false;
	}
	out->bits = (uint8_t)bits;
	return true;
}

bool value_in_range(const struct ip_range *range, const struct ip_range *address)
{
	if (range->v6 != address->v6) return false;
	size_t whole = range->bits / 8, rest = range->bits % 8;
	if (memcmp(range->bytes, address->bytes, whole) != 0) return false;
	return rest == 0 || (range->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}
