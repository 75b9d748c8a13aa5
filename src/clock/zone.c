/* TZif files (RFC 8536) and the TZ strings at their end (POSIX, "8.3 Other Environment Variables"). */
#include "clock/zone.h"
#include "base/buf.h"
#include "base/date.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_MAX = 65536, HEAD = 44 };

/* When daylight time begins or ends: Mm.w.d, Jn or n, at so many seconds of the day. */
struct rule {
	enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } kind;
	int month, week, day;
	int32_t at_s;
};
struct zone {
	size_t n;                          /* transitions */
	const char *times, *kinds, *types; /* as in the file */
	size_t n_types;
	bool has_rule, has_daylight;
	int32_t standard_s, daylight_s; /* of the rule */
	struct rule begins, ends;
};

static int64_t big(const char *p, size_t n)
{
	uint64_t v = (uint8_t)p[0] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < n; i++) v = v << 8 | (uint8_t)p[i];
	return (int64_t)v;
}

/* ── the rule ── */

static bool digits(struct str *s, int most, int *out)
{
	int v = 0;
	size_t n = 0;
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9' && n < 4) v = v * 10 + (s->p[n++] - '0');
	if (!n || v > most) return false;
	*s = str_from(*s, n);
	*out = v;
	return true;
}

static bool take(struct str *s, char c)
{
	if (!s->n || s->p[0] != c) return false;
	*s = str_from(*s, 1);
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(struct str *s, int32_t *out)
{
	int h, m = 0, sec = 0, sign = take(s, '-') ? -1 : 1;
	if (sign > 0) (void)take(s, '+');
	if (!digits(s, 167, &h)) return false;
	if (take(s, ':') && (!digits(s, 59, &m) || (take(s, ':') && !digits(s, 59, &sec)))) return false;
	*out = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool skip_name(struct str *s)
{
	size_t n = 0;
	if (take(s, '<')) {
		while (n < s->n && s->p[n] != '>') n++;
		*s = str_from(*s, n);
		return take(s, '>');
	}
	while (n < s->n && ((s->p[n] | 32) >= 'a' && (s->p[n] | 32) <= 'z')) n++;
	*s = str_from(*s, n);
	return n >= 3;
}

static bool read_rule(struct str *s, struct rule *r)
{
	*r = (struct rule){.at_s = 7200};
	if (!take(s, ',')) return false;
	if (take(s, 'M')) {
		if (!digits(s, 12, &r->month) || !take(s, '.') || !digits(s, 5, &r->week) || !take(s, '.') ||
			!digits(s, 6, &r->day) || !r->month || !r->week)
			return false;
	} else {
		r->kind = take(s, 'J') ? RULE_JULIAN : RULE_DAY;
		if (!digits(s, 365, &r->day) || (r->kind == RULE_JULIAN && !r->day)) return false;
	}
	return !take(s, '/') || read_time(s, &r->at_s);
}

static bool read_footer(struct str s, struct zone *z)
{
	int32_t west;
	if (!skip_name(&s) || !read_time(&s, &west)) return false;
	z->standard_s = -west;
	z->has_rule = true;
	if (!s.n) return true;
	z->has_daylight = true;
	z->daylight_s = z->standard_s + 3600;
	if (!skip_name(&s)) return false;
	if (s.n && s.p[0] != ',') {
		if (!read_time(&s, &west)) return false;
		z->daylight_s = -west;
	}
	return read_rule(&s, &z->begins) && read_rule(&s, &z->ends) && !s.n;
}

static int64_t year_of(int64_t s)
{
	int64_t days = s >= 0 ? s / 86400 : (s - 86399) / 86400, y = 1970 + days / 366;
	while (date_days(y + 1, 1, 1) <= days) y++;
	while (date_days(y, 1, 1) > days) y--;
	return y;
}

static bool leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* The local second of a year at which the rule's change happens. */
static int64_t rule_at(const struct rule *r, int64_t year)
{
	int64_t day;
	if (r->kind == RULE_MONTH) {
		int64_t first = date_days(year, r->month, 1);
		int weekday = (int)((first + 4) % 7);
		day = first + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
		int64_t next = r->month == 12 ? date_days(year + 1, 1, 1) : date_days(year, r->month + 1, 1);
		while (day >= next) day -= 7;
	} else if (r->kind == RULE_JULIAN) {
		/* 29 February is never counted. */
		day = date_days(year, 1, 1) + r->day - 1 + (leap(year) && r->day >= 60);
	} else {
		day = date_days(year, 1, 1) + r->day;
	}
	return day * 86400 + r->at_s;
}

static int32_t by_rule(const struct zone *z, int64_t at_s)
{
	if (!z->has_daylight) return z->standard_s;
	int64_t year = year_of(at_s + z->standard_s);
	int64_t begins = rule_at(&z->begins, year) - z->standard_s, ends = rule_at(&z->ends, year) - z->daylight_s;
	bool daylight = begins < ends ? at_s >= begins && at_s < ends : at_s >= begins || at_s < ends;
	return daylight ? z->daylight_s : z->standard_s;
}

/* ── the file ── */

struct counts {
	size_t isut, isstd, leaps, times, types, chars;
};

static bool read_head(struct str s, struct counts *c)
{
	if (s.n < HEAD || memcmp(s.p, "TZif", 4) != 0) return false;
	size_t *const to[] = {&c->isut, &c->isstd, &c->leaps, &c->times, &c->types, &c->chars};
	for (size_t i = 0; i < 6; i++) {
		int64_t v = big(s.p + 20 + 4 * i, 4);
		if (v < 0 || v > FILE_MAX) return false;
		*to[i] = (size_t)v;
	}
	return c->types > 0;
}

static size_t body_size(const struct counts *c, size_t time_size)
{
	return c->times * (time_size + 1) + c->types * 6 + c->chars + c->leaps * (time_size + 4) + c->isstd + c->isut;
}

status zone_read(struct arena *a, struct str bytes, struct zone **out)
{
	struct counts c;
	struct zone *z = arena_new(a, struct zone);
	/* The first part is for readers of 32 bits: what counts follows it. */
	if (!read_head(bytes, &c) || bytes.p[4] < '2') return STATUS(CORRUPT);
	bytes = str_from(bytes, HEAD + body_size(&c, 4));
	if (!read_head(bytes, &c) || bytes.n < HEAD + body_size(&c, 8)) return STATUS(CORRUPT);
	z->n = c.times;
	z->n_types = c.types;
	z->times = bytes.p + HEAD;
	z->kinds = z->times + 8 * c.times;
	z->types = z->kinds + c.times;
	for (size_t i = 0; i < z->n; i++)
		if ((uint8_t)z->kinds[i] >= z->n_types) return STATUS(CORRUPT);
	struct str rest = str_from(bytes, HEAD + body_size(&c, 8));
	if (!take(&rest, '\n')) return STATUS(CORRUPT);
	struct str footer = str_cut(&rest, '\n');
	if (!str_has(rest) || (footer.n && !read_footer(footer, z))) return STATUS(CORRUPT);
	*out = z;
	return OK;
}

/* Nothing that leads out of the database. */
static bool well_named(struct str name)
{
	if (!name.n || name.n > 100 || name.p[0] == '/' || name.p[name.n - 1] == '/') return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c | 32) >= 'a' && (c | 32) <= 'z', digit = c >= '0' && c <= '9';
		if (!letter && !digit && c != '_' && c != '+' && c != '-' && c != '/') return false;
	}
	return true;
}

status zone_find(struct arena *a, struct str name, struct zone **out)
{
	char *bytes = arena_alloc_raw(a, FILE_MAX);
	if (!well_named(name)) return STATUS(NOT_FOUND);
	int fd = open(str_z(a, str_fmt(a, "/usr/share/zoneinfo/%.*s", STR_ARG(name))), O_RDONLY | O_CLOEXEC);
	if (fd < 0) return STATUS(NOT_FOUND);
	ssize_t n = read(fd, bytes, FILE_MAX);
	close(fd);
	if (n <= 0) return STATUS(NOT_FOUND); /* a folder */
	return zone_read(a, str_n(bytes, (size_t)n), out);
}

/* ── use ── */

int32_t zone_offset_s(const struct zone *z, int64_t at_ms)
{
	int64_t at = at_ms >= 0 ? at_ms / 1000 : (at_ms - 999) / 1000;
	size_t low = 0, high = z->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (big(z->times + 8 * mid, 8) <= at)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->n && z->has_rule) return by_rule(z, at);
	size_t type = low ? (uint8_t)z->kinds[low - 1] : 0;
	return (int32_t)big(z->types + 6 * type, 4);
}

int64_t zone_to_utc(const struct zone *z, int64_t local_ms)
{
	int64_t day = 86400000;
	int64_t before = zone_offset_s(z, local_ms - day) * 1000ll, after = zone_offset_s(z, local_ms + day) * 1000ll;
	if (zone_offset_s(z, local_ms - before) * 1000ll == before) return local_ms - before;
	if (zone_offset_s(z, local_ms - after) * 1000ll == after) return local_ms - after;
	return local_ms - before; /* left out: an hour later by the clock on the wall */
}

int64_t zone_cron_next(const struct zone *z, const struct cron *c, int64_t after_ms)
{
	int64_t local = after_ms + zone_offset_s(z, after_ms) * 1000ll;
	for (;;) {
		local = cron_next(c, local);
		if (local == INT64_MAX) return local;
		int64_t at = zone_to_utc(z, local);
		if (at > after_ms) return at;
	}
}
