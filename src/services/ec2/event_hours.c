/* The hours of a week in which scheduled events may take place: by ranges from hour to hour, or by a cron expression of
 * hours and days. "Each range has to be at least 2 hours, all together at least 4" ("Create custom event windows", the
 * guide). An end's hour is not in the range: 0-4 is from midnight to four. */
#include "services/ec2/event.h"

enum { HOURS = 7 * 24, RANGE_MIN = 2, WEEK_MIN = 4 };
#define HOUR_MS ((int64_t)3600 * 1000)

static const char *const days[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

static int day_of(struct str name)
{
	for (int i = 0; i < 7; i++)
		if (str_ieq(name, str_c(days[i])) || str_ieq(name, str_n(days[i], 3))) return i;
	return -1;
}

static void mark(struct ec2_week *w, unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned hour = (from + i) % HOURS;
		w->day[hour / 24] |= (uint32_t)1 << (hour % 24);
	}
}

static bool holds(const struct ec2_week *w, unsigned hour)
{
	return w->day[hour / 24] >> (hour % 24) & 1;
}

static unsigned hours_of(const struct ec2_week *w)
{
	unsigned n = 0;
	for (unsigned i = 0; i < HOURS; i++) n += holds(w, i);
	return n;
}

static status long_enough(struct call *c, const struct ec2_week *w)
{
	if (hours_of(w) >= WEEK_MIN) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"The combined time ranges of an event window must total at least %d hours.", WEEK_MIN);
}

status ec2_week_of_ranges(struct call *c, const struct ec2_rec_window_ranges *ranges, struct ec2_week *out)
{
	*out = (struct ec2_week){0};
	for (size_t i = 0; i < ranges->n; i++) {
		const struct ec2_rec_window_range *r = &ranges->v[i];
		int from_day = day_of(r->start_week_day), to_day = day_of(r->end_week_day);
		if (from_day < 0 || to_day < 0 || !r->start_hour.has || !r->end_hour.has)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"A time range needs StartWeekDay, StartHour, EndWeekDay and EndHour.");
		unsigned from = (unsigned)(from_day * 24 + r->start_hour.v);
		unsigned n = ((unsigned)(to_day * 24 + r->end_hour.v) + HOURS - from) % HOURS;
		if (n < RANGE_MIN)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Each time range of an event window must be at least %d hours.", RANGE_MIN);
		mark(out, from, n);
	}
	return long_enough(c, out);
}

/* "0-4,20-23" or "1,5", "MON-FRI", "*": numbers are below `limit`. each(lo, hi) for each part. */
static status parts(struct str field, bool names, int64_t limit, uint32_t *starts, uint32_t *ends, size_t *n)
{
	for (*n = 0; str_has(field); ++*n) {
		struct str to = str_cut(&field, ','), from = str_cut(&to, '-');
		bool single = !str_has(to);
		int64_t a, b;
		if (*n == 24) return STATUS(INVALID);
		if (single) to = from;
		if (names && day_of(from) >= 0)
			a = day_of(from);
		else if (!is_ok(str_to_i64(from, &a)))
			return STATUS(INVALID);
		if (names && day_of(to) >= 0)
			b = day_of(to);
		else if (!is_ok(str_to_i64(to, &b)))
			return STATUS(INVALID);
		if (a < 0 || b < 0 || a >= limit || b >= limit) return STATUS(INVALID);
		/* Of hours only ranges are told, and each of two hours at least. */
		if (!names && (single || (b - a + limit) % limit < RANGE_MIN)) return STATUS(INVALID);
		starts[*n] = (uint32_t)a;
		ends[*n] = (uint32_t)b;
	}
	return *n ? OK : STATUS(INVALID);
}

status ec2_week_read_cron(struct str expression, struct ec2_week *out)
{
	struct str field[5], rest = expression;
	uint32_t from[24], to[24], first[24], last[24];
	size_t n = 0, n_days = 1;
	*out = (struct ec2_week){0};
	while (str_has(rest)) {
		struct str word = str_cut(&rest, ' ');
		if (str_empty(word)) continue;
		if (n == 5) return STATUS(INVALID);
		field[n++] = word;
	}
	/* "The minute, month, and year must be specified by *." */
	if (n != 5 || !str_is(field[0], "*") || !str_is(field[2], "*") || !str_is(field[3], "*"))
		return STATUS(INVALID);
	bool all_day = str_is(field[1], "*");
	if (all_day)
		n = 0;
	else
		TRY(parts(field[1], false, 24, from, to, &n));
	if (str_is(field[4], "*"))
		first[0] = 0, last[0] = 6;
	else
		TRY(parts(field[4], true, 7, first, last, &n_days));
	for (size_t d = 0; d < n_days; d++)
		for (uint32_t day = first[d];; day = (day + 1) % 7) {
			if (all_day) mark(out, day * 24, 24);
			for (size_t h = 0; h < n; h++) mark(out, day * 24 + from[h], (to[h] + 24 - from[h]) % 24);
			if (day == last[d]) break;
		}
	return OK;
}

status ec2_week_of_cron(struct call *c, struct str expression, struct ec2_week *out)
{
	if (!is_ok(ec2_week_read_cron(expression, out)))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter CronExpression is invalid. Only hour ranges of at least 2 hours "
			"and days "
			"of the week are supported.",
			STR_ARG(expression));
	return long_enough(c, out);
}

int64_t ec2_week_next(const struct ec2_week *w, int64_t at_ms)
{
	/* 1970-01-01 was a Thursday. */
	int64_t hour = at_ms / HOUR_MS;
	for (int64_t i = 0; i < HOURS; i++)
		if (holds(w, (unsigned)((hour + i + 4 * 24) % HOURS))) return i ? (hour + i) * HOUR_MS : at_ms;
	return at_ms;
}
