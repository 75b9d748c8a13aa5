/* From data points to a state: M out of N, and what missing points mean. "Evaluating an alarm" and "Configuring how
 * CloudWatch alarms treat missing data", whose tables are in the test of this file. */
#include "services/cloudwatch/alarm.h"
#include <math.h>

bool cw_breaches(const struct cw_judgement *j, size_t i)
{
	double v = j->v[i], t = j->threshold;
	switch (j->op) {
	case '<':
		return v < t;
	case '>':
		return v > t;
	case 'l':
		return v <= t;
	case 'd':
		return v < j->lower[i];
	case 'u':
		return v > j->upper[i];
	case 'b':
		return v < j->lower[i] || v > j->upper[i];
	default:
		return v >= t;
	}
}

enum cw_outcome cw_judge(const struct cw_judgement *j, uint8_t *used, size_t *filled)
{
	size_t real = 0, bad = 0, oldest_bad = 0;
	*filled = 0;
	for (size_t i = j->n; i-- > 0 && real < j->periods;) {
		if (isnan(j->v[i]) || (j->upper && isnan(j->upper[i]))) continue;
		real++;
		used[i] = 1;
		if (!cw_breaches(j, i)) continue;
		bad++;
		oldest_bad = j->n - i; /* 1: the newest period */
	}
	if (real == j->periods || bad >= j->needed) return bad >= j->needed ? CW_ALARM : CW_OK;
	*filled = j->periods - real;
	switch (j->missing) {
	case CW_BREACHING:
		return bad + *filled >= j->needed ? CW_ALARM : CW_OK;
	case CW_NOT_BREACHING:
		return CW_OK;
	case CW_IGNORE:
		return real && bad < real ? CW_OK : CW_RETAIN;
	case CW_MISSING:
		break;
	}
	if (!real) return CW_INSUFFICIENT;
	if (bad < real) return CW_OK;
	/* "… the oldest available breaching data point … is at least as old as the value of Datapoints to Alarm, and
	 * all other more recent data points are breaching or missing. In this case, the alarm goes into ALARM state."
	 */
	return oldest_bad >= j->needed ? CW_ALARM : CW_RETAIN;
}
