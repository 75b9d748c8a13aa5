/* Times as text. The calendar is computed, not asked of the C library: no time zones, no locks, and quick enough to be in
 * every answer. Civil date from day number: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
#include "base/arena.h"
#include "clock/clock.h"

#define DAY_MS INT64_C(86400000)
#define FIRST_MS (-INT64_C(62167219200000)) /* 0000-01-01 */
#define LAST_MS INT64_C(253402300799999)

struct civil {
	int year, month, day; /* 1 to 12, 1 to 31 */
	int hour, minute, second, ms;
	int weekday; /* 0 is Sunday */
};

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static struct civil civil_from(int64_t ms)
{
	if (ms < FIRST_MS) ms = FIRST_MS;
	if (ms > LAST_MS) ms = LAST_MS;
	int64_t day = ms / DAY_MS, rest = ms % DAY_MS;
	if (rest < 0) {
		rest += DAY_MS;
		day--;
	}
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int month = (int)(mp < 10 ? mp + 3 : mp - 9), in_day = (int)rest;
	return (struct civil){
		.year = (int)(yoe + era * 400 + (month <= 2)), .month = month, .day = (int)(doy - (153 * mp + 2) / 5 + 1),
		.hour = in_day / 3600000, .minute = in_day / 60000 % 60, .second = in_day / 1000 % 60, .ms = in_day % 1000,
		.weekday = (int)((day % 7 + 11) % 7), /* 1970-01-01 was a Thursday */
	};
}

static bool leap(int y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); }

static status civil_to(const struct civil *c, int64_t *ms)
{
	static const char length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (c->month < 1 || c->month > 12 || c->day < 1) return STATUS(INVALID);
	if (c->day > length[c->month - 1] + (c->month == 2 && leap(c->year))) return STATUS(INVALID);
	if (c->hour > 23 || c->minute > 59 || c->second > 60) return STATUS(INVALID); /* 60: a leap second */
	int64_t y = c->year - (c->month <= 2), era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
	int64_t doy = (153 * (c->month > 2 ? c->month - 3 : c->month + 9) + 2) / 5 + c->day - 1;
	int64_t day = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
	*ms = day * DAY_MS + c->hour * INT64_C(3600000) + c->minute * INT64_C(60000) + c->second * INT64_C(1000) + c->ms;
	return OK;
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static char *put2(char *p, int v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

static char *put4(char *p, int v) { return put2(put2(p, v / 100), v % 100); }

static char *put(char *p, const char *z, size_t n)
{
	memcpy(p, z, n);
	return p + n;
}

static struct str done(struct arena *a, const char *start, const char *end)
{
	return str_dup(a, str_n(start, (size_t)(end - start)));
}

struct str time_iso8601(struct arena *a, int64_t ms, bool fraction)
{
	struct civil c = civil_from(ms);
	char text[32], *p = put4(text, c.year);
	*p++ = '-';
	p = put2(p, c.month);
	*p++ = '-';
	p = put2(p, c.day);
	*p++ = 'T';
	p = put2(p, c.hour);
	*p++ = ':';
	p = put2(p, c.minute);
	*p++ = ':';
	p = put2(p, c.second);
	if (fraction) {
		*p++ = '.';
		*p++ = (char)('0' + c.ms / 100);
		p = put2(p, c.ms % 100);
	}
	*p++ = 'Z';
	return done(a, text, p);
}

struct str time_rfc822(struct arena *a, int64_t ms)
{
	struct civil c = civil_from(ms);
	char text[40], *p = put(text, days[c.weekday], 3);
	p = put(p, ", ", 2);
	p = put2(p, c.day);
	*p++ = ' ';
	p = put(p, months[c.month - 1], 3);
	*p++ = ' ';
	p = put4(p, c.year);
	*p++ = ' ';
	p = put2(p, c.hour);
	*p++ = ':';
	p = put2(p, c.minute);
	*p++ = ':';
	p = put2(p, c.second);
	p = put(p, " GMT", 4);
	return done(a, text, p);
}

struct str time_basic(struct arena *a, int64_t ms)
{
	struct civil c = civil_from(ms);
	char text[24], *p = put4(text, c.year);
	p = put2(put2(p, c.month), c.day);
	*p++ = 'T';
	p = put2(put2(put2(p, c.hour), c.minute), c.second);
	*p++ = 'Z';
	return done(a, text, p);
}

/* ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* Exactly n digits. */
static bool take(struct str *s, size_t n, int *out)
{
	int v = 0;
	if (s->n < n) return false;
	for (size_t i = 0; i < n; i++) {
		if (!digit(s->p[i])) return false;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = str_from(*s, n);
	*out = v;
	return true;
}

static bool skip(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c) return false;
	*s = str_from(*s, 1);
	return true;
}

/* Z, GMT, UTC, UT, ±hh:mm, ±hhmm. */
static bool take_zone(struct str *s, int *minutes)
{
	static const char *const zero[] = {"Z", "z", "GMT", "UTC", "UT"};
	*minutes = 0;
	for (size_t i = 0; i < sizeof zero / sizeof *zero; i++) {
		if (!str_eq(*s, str_c(zero[i]))) continue;
		*s = str_from(*s, s->n);
		return true;
	}
	int hour = 0, minute = 0, sign = skip(s, '-') ? -1 : skip(s, '+') ? 1 : 0;
	if (sign == 0 || !take(s, 2, &hour)) return false;
	skip(s, ':');
	if (!take(s, 2, &minute) || hour > 23 || minute > 59) return false;
	*minutes = sign * (hour * 60 + minute);
	return true;
}

static bool take_clock(struct str *s, struct civil *c, bool seconds_required)
{
	if (!take(s, 2, &c->hour) || !skip(s, ':') || !take(s, 2, &c->minute)) return false;
	if (!skip(s, ':')) return !seconds_required;
	return take(s, 2, &c->second);
}

static bool take_fraction(struct str *s, struct civil *c)
{
	if (!skip(s, '.') && !skip(s, ',')) return true;
	int scale = 100;
	size_t n = 0;
	for (; n < s->n && digit(s->p[n]); n++, scale /= 10) c->ms += (s->p[n] - '0') * scale;
	if (n == 0 || n > 9) return false;
	*s = str_from(*s, n);
	return true;
}

status time_read_iso8601(struct str s, int64_t *ms)
{
	struct civil c = {0};
	int zone = 0;
	if (!take(&s, 4, &c.year) || !skip(&s, '-') || !take(&s, 2, &c.month) || !skip(&s, '-') || !take(&s, 2, &c.day))
		return STATUS(INVALID);
	if (s.n > 0) {
		if (!skip(&s, 'T') && !skip(&s, 't') && !skip(&s, ' ')) return STATUS(INVALID);
		if (!take_clock(&s, &c, false) || !take_fraction(&s, &c)) return STATUS(INVALID);
		if (s.n > 0 && !take_zone(&s, &zone)) return STATUS(INVALID);
		if (s.n > 0) return STATUS(INVALID);
	}
	TRY(civil_to(&c, ms));
	*ms -= zone * INT64_C(60000);
	return OK;
}

status time_read_basic(struct str s, int64_t *ms)
{
	struct civil c = {0};
	if (!take(&s, 4, &c.year) || !take(&s, 2, &c.month) || !take(&s, 2, &c.day) || !skip(&s, 'T') ||
		!take(&s, 2, &c.hour) || !take(&s, 2, &c.minute) || !take(&s, 2, &c.second) || !str_is(s, "Z"))
		return STATUS(INVALID);
	return civil_to(&c, ms);
}

static bool take_month(struct str *s, int *month)
{
	for (int i = 0; i < 12; i++) {
		if (!str_istarts(*s, str_n(months[i], 3))) continue;
		*s = str_from(*s, 3);
		*month = i + 1;
		return true;
	}
	return false;
}

/* One digit (after a space, in asctime) or two. */
static bool take_day(struct str *s, int *day)
{
	skip(s, ' ');
	return take(s, s->n > 1 && digit(s->p[1]) ? 2 : 1, day);
}

/* "Nov 21 07:33:00 2026", behind "Sat ". */
static bool read_asctime(struct str s, struct civil *c)
{
	return take_month(&s, &c->month) && skip(&s, ' ') && take_day(&s, &c->day) && skip(&s, ' ') &&
		take_clock(&s, c, true) && skip(&s, ' ') && take(&s, 4, &c->year) && s.n == 0;
}

/* "21 Nov 2026 07:33:00 GMT" or "21-Nov-26 07:33:00 GMT". RFC 9110 section 5.6.7: two digits that seem more than 50 years
 * ahead are in the past; without a "now" the usual pivot stands for it: 70 to 99 are 19xx. */
static bool read_dated(struct str s, struct civil *c, int *zone)
{
	if (!take_day(&s, &c->day)) return false;
	char separator = s.n > 0 ? s.p[0] : 0;
	if ((separator != ' ' && separator != '-') || !skip(&s, separator) || !take_month(&s, &c->month) ||
		!skip(&s, separator))
		return false;
	if (separator == '-' && !(s.n > 2 && digit(s.p[2]))) {
		if (!take(&s, 2, &c->year)) return false;
		c->year += c->year < 70 ? 2000 : 1900;
	} else if (!take(&s, 4, &c->year))
		return false;
	return skip(&s, ' ') && take_clock(&s, c, false) && skip(&s, ' ') && take_zone(&s, zone) && s.n == 0;
}

status time_read_http(struct str s, int64_t *ms)
{
	struct civil c = {0};
	int zone = 0;
	ptrdiff_t comma = str_chr(s, ',');
	bool ok;
	if (comma >= 0)
		ok = read_dated(str_trim(str_from(s, (size_t)comma + 1)), &c, &zone);
	else if (s.n > 4 && s.p[3] == ' ')
		ok = read_asctime(str_from(s, 4), &c);
	else
		ok = read_dated(s, &c, &zone);
	if (!ok) return STATUS(INVALID);
	TRY(civil_to(&c, ms));
	*ms -= zone * INT64_C(60000);
	return OK;
}

status time_read_duration(struct str s, int64_t *ms)
{
	static const struct { const char *name; int64_t ms; } units[] = {
		{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", DAY_MS}, {"w", 7 * DAY_MS}, {"y", 365 * DAY_MS}};
	int64_t total = 0;
	if (s.n == 0) return STATUS(INVALID);
	while (s.n > 0) {
		size_t digits = 0, letters = 0;
		while (digits < s.n && digit(s.p[digits])) digits++;
		while (digits + letters < s.n && s.p[digits + letters] >= 'a' && s.p[digits + letters] <= 'z') letters++;
		struct str unit = str_sub(s, digits, letters);
		int64_t v = 0, part = 0, scale = 0;
		if (digits == 0) return STATUS(INVALID);
		TRY(str_to_i64(str_sub(s, 0, digits), &v));
		for (size_t i = 0; i < sizeof units / sizeof *units; i++)
			if (str_eq(unit, str_c(units[i].name))) scale = units[i].ms;
		if (scale == 0) return STATUS(INVALID);
		if (__builtin_mul_overflow(v, scale, &part) || __builtin_add_overflow(total, part, &total)) return STATUS(LIMIT);
		s = str_from(s, digits + letters);
	}
	*ms = total;
	return OK;
}
