/* The three spellings of a timestamp in AWS's protocols (Smithy's timestampFormat trait): ISO 8601, the HTTP date of
 * RFC 9110 section 5.6.7, and seconds since the epoch. Calendar arithmetic is proleptic Gregorian, without libc's
 * zones. */
#include "base/date.h"
#include "wire/internal.h"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};

static void civil_from_days(int64_t z, int64_t *y, int *m, int *d)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

/* Exactly n digits; -1 otherwise. */
static int digits(struct str *s, size_t n)
{
	if (s->n < n) return -1;
	int v = 0;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9') return -1;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = str_from(*s, n);
	return v;
}

static bool take(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c) return false;
	*s = str_from(*s, 1);
	return true;
}

/* ".123" to milliseconds; further digits are dropped. */
static int fraction(struct str *s)
{
	if (!take(s, '.')) return 0;
	int ms = 0, scale = 100;
	if (s->n == 0 || s->p[0] < '0' || s->p[0] > '9') return -1;
	while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
		ms += (s->p[0] - '0') * scale;
		scale /= 10;
		*s = str_from(*s, 1);
	}
	return ms;
}

static bool civil_ms(int y, int mon, int d, int h, int min, int sec, int frac, int64_t *ms)
{
	static const int longest[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (y < 0 || mon < 1 || mon > 12 || d < 1 || d > longest[mon - 1] || h < 0 || h > 23 || min < 0 || min > 59)
		return false;
	if (mon == 2 && d == 29 && (y % 4 != 0 || (y % 100 == 0 && y % 400 != 0))) return false;
	if (sec < 0 || sec > 60 || frac < 0) return false;
	*ms = ((date_days(y, mon, d) * 24 + h) * 60 + min) * 60000 + sec * 1000 + frac;
	return true;
}

static status read_iso(struct str s, int64_t *ms)
{
	int y = digits(&s, 4);
	if (!take(&s, '-')) return STATUS(INVALID);
	int mon = digits(&s, 2);
	if (!take(&s, '-')) return STATUS(INVALID);
	int d = digits(&s, 2), h = 0, min = 0, sec = 0, frac = 0;
	if (s.n == 0) return civil_ms(y, mon, d, 0, 0, 0, 0, ms) ? OK : STATUS(INVALID);
	if (!take(&s, 'T') && !take(&s, 't') && !take(&s, ' ')) return STATUS(INVALID);
	h = digits(&s, 2);
	if (!take(&s, ':')) return STATUS(INVALID);
	min = digits(&s, 2);
	if (take(&s, ':')) {
		sec = digits(&s, 2);
		frac = fraction(&s);
	}
	if (!civil_ms(y, mon, d, h, min, sec, frac, ms)) return STATUS(INVALID);
	if (s.n == 0) return OK;
	if (take(&s, 'Z') || take(&s, 'z')) return s.n == 0 ? OK : STATUS(INVALID);
	int sign = take(&s, '+') ? 1 : take(&s, '-') ? -1 : 0;
	if (!sign) return STATUS(INVALID);
	int oh = digits(&s, 2);
	(void)take(&s, ':');
	int om = digits(&s, 2);
	if (oh < 0 || oh > 23 || om < 0 || om > 59 || s.n) return STATUS(INVALID);
	*ms -= (int64_t)sign * (oh * 60 + om) * 60000;
	return OK;
}

static status read_http_date(struct str s, int64_t *ms)
{
	ptrdiff_t comma = str_chr(s, ',');
	if (comma != 3) return STATUS(INVALID);
	s = str_trim(str_from(s, 4));
	int d = s.n > 1 && s.p[1] == ' ' ? digits(&s, 1) : digits(&s, 2);
	if (!take(&s, ' ') || s.n < 4) return STATUS(INVALID);
	int mon = 0;
	for (int i = 0; i < 12; i++)
		if (str_ieq(str_sub(s, 0, 3), str_n(months[i], 3))) mon = i + 1;
	s = str_from(s, 3);
	if (!mon || !take(&s, ' ')) return STATUS(INVALID);
	int y = digits(&s, 4);
	if (!take(&s, ' ')) return STATUS(INVALID);
	int h = digits(&s, 2);
	if (!take(&s, ':')) return STATUS(INVALID);
	int min = digits(&s, 2);
	if (!take(&s, ':')) return STATUS(INVALID);
	int sec = digits(&s, 2), frac = fraction(&s);
	s = str_trim(s);
	if (!str_is(s, "GMT") && !str_is(s, "UTC") && !str_is(s, "+0000")) return STATUS(INVALID);
	return civil_ms(y, mon, d, h, min, sec, frac, ms) ? OK : STATUS(INVALID);
}

static status read_unix(struct str s, int64_t *ms)
{
	double v;
	TRY(str_to_f64(s, &v));
	/* Years 1 to 9999; also keeps NaN and infinities out. */
	if (!(v >= -62135596800.0 && v < 253402300800.0)) return STATUS(INVALID);
	double scaled = v * 1000.0;
	*ms = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
	return OK;
}

status wire_time_read(struct str text, int64_t *ms)
{
	text = wire_trim(text);
	if (text.n >= 10 && text.p[4] == '-' && text.p[0] != '-') return read_iso(text, ms);
	if (text.n && ((text.p[0] >= 'A' && text.p[0] <= 'Z') || (text.p[0] >= 'a' && text.p[0] <= 'z')))
		return read_http_date(text, ms);
	return read_unix(text, ms);
}

static char *two(char *p, int v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}
static char *three(char *p, int v)
{
	p[0] = (char)('0' + v / 100);
	return two(p + 1, v % 100);
}
static char *four(char *p, int64_t v)
{
	return two(two(p, (int)(v / 100 % 100)), (int)(v % 100));
}

void wire_time_write(struct buf *b, enum wire_time_format f, bool millis, int64_t ms)
{
	int64_t secs = ms / 1000;
	int frac = (int)(ms % 1000);
	if (frac < 0) {
		frac += 1000;
		secs--;
	}
	if (f == WIRE_TIME_UNIX) {
		if (ms < 0 && frac) { /* -1.5 s is secs -2 and 500 ms */
			buf_byte(b, '-');
			ms = -ms;
			secs = ms / 1000;
			frac = (int)(ms % 1000);
		}
		buf_i64(b, secs);
		if (frac) {
			char t[4] = {
				'.', (char)('0' + frac / 100), (char)('0' + frac / 10 % 10), (char)('0' + frac % 10)};
			buf_add(b, t, t[3] != '0' ? 4 : t[2] != '0' ? 3 : 2);
		}
		return;
	}
	int64_t days = secs / 86400, rest = secs % 86400, y;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	int m, d, s = (int)rest;
	civil_from_days(days, &y, &m, &d);
	char *p = buf_reserve(b, 40), *start = p;
	if (f == WIRE_TIME_RFC822) {
		int w = (int)(days % 7);
		memcpy(p, weekdays[w < 0 ? w + 7 : w], 3);
		memcpy(p + 3, ", ", 2);
		p = two(p + 5, d);
		*p++ = ' ';
		memcpy(p, months[m - 1], 3);
		p[3] = ' ';
		p = four(p + 4, y);
		*p++ = ' ';
	} else {
		p = four(p, y);
		*p++ = '-';
		p = two(p, m);
		*p++ = '-';
		p = two(p, d);
		*p++ = 'T';
	}
	p = two(p, s / 3600);
	*p++ = ':';
	p = two(p, s / 60 % 60);
	*p++ = ':';
	p = two(p, s % 60);
	if (f == WIRE_TIME_RFC822) {
		memcpy(p, " GMT", 4);
		p += 4;
	} else {
		if (frac || millis) {
			*p++ = '.';
			p = three(p, frac);
		}
		*p++ = 'Z';
	}
	b->n += (size_t)(p - start);
}
