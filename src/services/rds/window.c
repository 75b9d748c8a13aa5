/* Maintenance and backup windows. "The Amazon RDS maintenance window", "Backup window", the guide. */
#include "base/rand.h"
#include "services/rds/room.h"

#define MINUTE_MS 60000ll
enum { DAY = 24 * 60, WEEK = 7 * DAY, NIGHT_FROM = 3 * 60, NIGHT_LONG = 8 * 60 };
static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* "sun:05:00" or "05:00" as minutes of the week or day; -1 where it is neither. */
static int moment(struct str s, bool weekly)
{
	int day = 0;
	int64_t h, m;
	if (weekly) {
		for (day = 0; day < 7 && !str_ieq(str_sub(s, 0, 3), str_c(days[day])); day++) continue;
		if (day == 7 || s.n != 9 || s.p[3] != ':') return -1;
		s = str_from(s, 4);
	}
	if (s.n != 5 || s.p[2] != ':' || !is_ok(str_to_i64(str_sub(s, 0, 2), &h)) ||
		!is_ok(str_to_i64(str_from(s, 3), &m)) || h < 0 || h > 23 || m < 0 || m > 59)
		return -1;
	return day * DAY + (int)h * 60 + (int)m;
}

static bool parse(struct str window, bool weekly, int *from, int *length)
{
	struct str rest = window, first = str_cut(&rest, '-');
	int period = weekly ? WEEK : DAY, to = str_has(rest) ? moment(rest, weekly) : -1;
	*from = moment(first, weekly);
	if (*from < 0 || to < 0) return false;
	*length = (to - *from + period) % period;
	return *length >= 30 && (!weekly || *length <= DAY);
}

bool rds_window_length(struct str window, bool weekly, int64_t *minutes)
{
	int from, length;
	if (!parse(window, weekly, &from, &length)) return false;
	*minutes = length;
	return true;
}

static bool meet(struct str maintenance, struct str backup)
{
	int from, length, at, lasts;
	if (!str_has(maintenance) || !str_has(backup)) return false;
	if (!parse(maintenance, true, &from, &length) || !parse(backup, false, &at, &lasts)) return false;
	for (int day = -1; day < 8; day++)
		if (day * DAY + at < from + length && from < day * DAY + at + lasts) return true;
	return false;
}

status rds_window_check(struct call *c, struct str maintenance, struct str backup)
{
	int from = 0, length = 0, at = 0, lasts = 0;
	if (str_has(maintenance) && !parse(maintenance, true, &from, &length))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid maintenance window format: %.*s. Must be ddd:hh24:mi-ddd:hh24:mi, at least 30 minutes",
			STR_ARG(maintenance));
	if (str_has(backup) && !parse(backup, false, &at, &lasts))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid backup window format: %.*s. Must be hh24:mi-hh24:mi, at least 30 minutes",
			STR_ARG(backup));
	if (!meet(maintenance, backup)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "The backup window and maintenance window must not overlap.");
}

/* "A 30-minute window selected at random from an 8-hour block of time for each AWS Region": the maintenance windows
 * begin at full hours, the backup windows at half hours, so that they never meet. */
static struct str window_random(struct arena *a, bool weekly)
{
	int at = NIGHT_FROM + 60 * (int)rand_below(NIGHT_LONG / 60), day = (int)rand_below(7);
	if (!weekly) at += 30;
	struct str from = str_fmt(a, "%02d:%02d", at / 60, at % 60),
		   to = str_fmt(a, "%02d:%02d", (at + 30) / 60 % 24, (at + 30) % 60);
	if (!weekly) return str_fmt(a, "%.*s-%.*s", STR_ARG(from), STR_ARG(to));
	return str_fmt(a, "%s:%.*s-%s:%.*s", days[day], STR_ARG(from), days[day], STR_ARG(to));
}

status rds_window_choose(struct call *c, struct str *maintenance, struct str *backup)
{
	struct str m = *maintenance, b = *backup;
	TRY(rds_window_check(c, m, b));
	/* One that was given may meet one that was drawn. */
	for (int i = 0; i < 1000 && (i == 0 || meet(*maintenance, *backup)); i++) {
		*maintenance = str_has(m) ? m : window_random(c->arena, true);
		*backup = str_has(b) ? b : window_random(c->arena, false);
	}
	return rds_window_check(c, *maintenance, *backup);
}

int64_t rds_window_next(struct str window, int64_t now_ms)
{
	bool weekly = window.n > 11;
	int from, length;
	/* 1970-01-01 was a Thursday. */
	int64_t period = (weekly ? WEEK : DAY) * MINUTE_MS, shift = weekly ? 3 * DAY * MINUTE_MS : 0;
	if (!parse(window, weekly, &from, &length)) return now_ms + period;
	int64_t at = (now_ms + shift) / period * period + from * MINUTE_MS - shift;
	return at > now_ms ? at : at + period;
}
