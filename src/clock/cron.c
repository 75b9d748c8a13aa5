/* Cron expressions: see cron.h. */
#include "clock/cron.h"

enum { MINUTE_MS = 60000, YEAR_MIN = 1970, YEAR_MAX = 2199 };
static const int64_t day_ms = 86400000;

/* ── reading ── */

struct field {
	int min, max;
	const char *names; /* three letters each, from the first value on; or NULL */
	int first_name;
	uint64_t bits;
	bool any;
};

static status number(const struct field *f, struct str s, int *out)
{
	int64_t v;
	if (is_ok(str_to_i64(s, &v)) && s.p[0] != '-') {
		if (v < f->min || v > f->max) return STATUS(INVALID);
		*out = (int)v;
		return OK;
	}
	for (const char *n = f->names; n && *n && s.n == 3; n += 3)
		if (str_ieq(s, str_n(n, 3))) {
			*out = f->first_name + (int)((n - f->names) / 3);
			return OK;
		}
	return STATUS(INVALID);
}

/* One of a list: '*', 'a', 'a-b', each with '/step'. */
static status part(struct field *f, struct str s)
{
	struct str range = str_cut(&s, '/');
	int from = f->min, to = f->max;
	int64_t step = 1;
	if (str_has(s) && (!is_ok(str_to_i64(s, &step)) || step < 1 || step > f->max)) return STATUS(INVALID);
	if (!str_is(range, "*")) {
		struct str low = str_cut(&range, '-');
		TRY(number(f, low, &from));
		to = str_has(s) ? f->max : from;
		if (str_has(range)) TRY(number(f, range, &to));
		if (to < from) return STATUS(INVALID);
	} else if (!str_has(s)) {
		f->any = true;
	}
	for (int v = from; v <= to; v += (int)step) f->bits |= 1ull << v;
	return OK;
}

static status list(struct field *f, struct str s)
{
	if (str_empty(s)) return STATUS(INVALID);
	while (str_has(s)) TRY(part(f, str_cut(&s, ',')));
	return OK;
}

/* Exactly n words. */
static status words(struct str text, struct str *out, size_t n)
{
	size_t k = 0;
	while (str_has(text)) {
		struct str w = str_cut(&text, ' ');
		if (str_empty(w)) continue;
		if (k == n) return STATUS(INVALID);
		out[k++] = w;
	}
	return k == n ? OK : STATUS(INVALID);
}

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec", weekdays[] = "sunmontuewedthufrisat";

status cron_read(struct str text, struct cron *out)
{
	struct str w[5];
	struct field minute = {.max = 59}, hour = {.max = 23}, day = {.min = 1, .max = 31};
	struct field month = {.min = 1, .max = 12, .names = months, .first_name = 1};
	struct field weekday = {.max = 7, .names = weekdays};
	TRY(words(text, w, 5));
	TRY(list(&minute, w[0]));
	TRY(list(&hour, w[1]));
	TRY(list(&day, w[2]));
	TRY(list(&month, w[3]));
	TRY(list(&weekday, w[4]));
	if (weekday.bits >> 7 & 1) weekday.bits |= 1;
	*out = (struct cron){.minutes = minute.bits,
		.hours = (uint32_t)hour.bits,
		.days = (uint32_t)day.bits,
		.months = (uint32_t)month.bits,
		.weekdays = (uint32_t)weekday.bits & 0x7f,
		.any_day = day.any,
		.any_weekday = weekday.any,
		.year_from = YEAR_MIN,
		.year_to = YEAR_MAX,
		.year_step = 1};
	return OK;
}

static status years(struct str s, struct cron *out)
{
	struct str range = str_cut(&s, '/');
	int64_t from = YEAR_MIN, to = YEAR_MAX, step = 1;
	if (str_has(s) && (!is_ok(str_to_i64(s, &step)) || step < 1 || step > 199)) return STATUS(INVALID);
	if (!str_is(range, "*")) {
		if (!is_ok(str_to_i64(str_cut(&range, '-'), &from))) return STATUS(INVALID);
		to = str_has(s) ? YEAR_MAX : from;
		if (str_has(range) && !is_ok(str_to_i64(range, &to))) return STATUS(INVALID);
	}
	if (from < YEAR_MIN || to > YEAR_MAX || to < from) return STATUS(INVALID);
	out->year_from = (int)from;
	out->year_to = (int)to;
	out->year_step = (int)step;
	return OK;
}

status cron_read_aws(struct str text, struct cron *out)
{
	struct str w[6];
	struct field minute = {.max = 59}, hour = {.max = 23}, day = {.min = 1, .max = 31};
	struct field month = {.min = 1, .max = 12, .names = months, .first_name = 1};
	struct field weekday = {.min = 1, .max = 7, .names = weekdays, .first_name = 1};
	TRY(words(text, w, 6));
	bool no_day = str_is(w[2], "?"), no_weekday = str_is(w[4], "?"), last = str_is(w[2], "L");
	if (no_day == no_weekday) return STATUS(INVALID);
	TRY(list(&minute, w[0]));
	TRY(list(&hour, w[1]));
	if (!no_day && !last) TRY(list(&day, w[2]));
	TRY(list(&month, w[3]));
	if (!no_weekday) TRY(list(&weekday, w[4]));
	*out = (struct cron){.minutes = minute.bits,
		.hours = (uint32_t)hour.bits,
		.days = (uint32_t)day.bits,
		.months = (uint32_t)month.bits,
		.weekdays = (uint32_t)(weekday.bits >> 1),
		.last_day = last,
		.any_day = no_day,
		.any_weekday = no_weekday};
	return years(w[5], out);
}

/* ── the next time ── */

static bool leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int month_length(int y, int m)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return m == 2 && leap(y) ? 29 : lengths[m - 1];
}

/* Days since 1970 of a year's first day. */
static int64_t year_start(int y)
{
	int64_t p = y - 1;
	return 365 * (p - 1969) + (p / 4 - 492) - (p / 100 - 19) + (p / 400 - 4);
}

static bool day_matches(const struct cron *c, int y, int m, int d, int64_t days_since)
{
	bool day = c->last_day ? d == month_length(y, m) : c->days >> d & 1;
	bool weekday = c->weekdays >> ((days_since + 4) % 7) & 1; /* 1970-01-01 was a Thursday */
	if (c->any_day) return c->any_weekday || weekday;
	return c->any_weekday ? day : day || weekday;
}

/* The first matching minute of a day at or after `from` (a minute of the day); -1. */
static int minute_from(const struct cron *c, int from)
{
	for (int h = from / 60; h < 24; h++) {
		if (!(c->hours >> h & 1)) continue;
		for (int m = h == from / 60 ? from % 60 : 0; m < 60; m++)
			if (c->minutes >> m & 1) return h * 60 + m;
	}
	return -1;
}

int64_t cron_next(const struct cron *c, int64_t after_ms)
{
	int64_t start = after_ms < 0 ? 0 : after_ms / MINUTE_MS * MINUTE_MS + MINUTE_MS;
	int64_t first_day = start / day_ms;
	for (int y = YEAR_MIN + (int)(first_day / 366); y <= c->year_to; y++) {
		if (y < c->year_from || (y - c->year_from) % c->year_step) continue;
		int64_t days = year_start(y);
		for (int m = 1; m <= 12; days += month_length(y, m), m++) {
			if (!(c->months >> m & 1)) continue;
			for (int d = 1; d <= month_length(y, m); d++) {
				int64_t day = days + d - 1;
				if (day < first_day || !day_matches(c, y, m, d, day)) continue;
				int at = minute_from(c, day == first_day ? (int)(start % day_ms / MINUTE_MS) : 0);
				if (at >= 0) return day * day_ms + at * (int64_t)MINUTE_MS;
			}
		}
	}
	return INT64_MAX;
}
