/* Times that come again: the five fields of crontab(5) and the six of AWS's cron(…). Pure functions, UTC. */
#pragma once
#include "base/str.h"

struct cron {
	uint64_t minutes;                       /* bits 0 to 59 */
	uint32_t hours, days, months, weekdays; /* bits 0–23, 1–31, 1–12, 0–6 from Sunday */
	bool last_day;                          /* L: the month's last */
	bool any_day, any_weekday;              /* the field is '*' or '?': the other one decides alone */
	int year_from, year_to, year_step;      /* 1970 to 2199 */
};
/* "minute hour day-of-month month day-of-week": lists, ranges, steps, names of months and weekdays; 0 and 7 are Sunday.
 * Of day and weekday either may match where both are restricted. INVALID. */
status cron_read(struct str text, struct cron *out) MUST_USE;
/* What stands between the parentheses of cron(…): "minutes hours day-of-month month day-of-week year"; 1 is Sunday, one
 * of the days is '?', L is the month's last day. W and # are not known: INVALID. */
status cron_read_aws(struct str text, struct cron *out) MUST_USE;
/* The first minute after `after_ms` that matches; INT64_MAX where none does until the year 2200. */
int64_t cron_next(const struct cron *c, int64_t after_ms);
