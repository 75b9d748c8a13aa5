/* Statistics by their names: SampleCount, Average, Sum, Minimum, Maximum; p99.9, tm90, tc90, ts90, wm90, IQM;
 * TM(10%:90%), TC(…), TS(…), WM(…) with percentiles or values as bounds; PR(:300). "CloudWatch statistics definitions".
 */
#pragma once
#include "services/cloudwatch/points.h"

enum cw_stat_kind {
	CW_SAMPLE_COUNT,
	CW_AVERAGE,
	CW_SUM,
	CW_MINIMUM,
	CW_MAXIMUM,
	CW_PERCENTILE,
	CW_TRIMMED_MEAN,
	CW_TRIMMED_COUNT,
	CW_TRIMMED_SUM,
	CW_WINSORIZED_MEAN,
	CW_PERCENTILE_RANK,
};
struct cw_stat {
	enum cw_stat_kind kind;
	bool values;      /* the bounds are values, not percentiles */
	double low, high; /* percentile: low; -INFINITY, INFINITY where a bound of values is open */
};
/* False where it is no statistic. */
bool cw_stat_read(struct str name, struct cw_stat *out);
static inline bool cw_stat_needs_pairs(const struct cw_stat *s)
{
	return s->kind >= CW_PERCENTILE;
}
/* False where there is no data, or not what it needs. Sorts s->pairs. */
bool cw_stat_of(const struct cw_stat *stat, struct cw_sum *s, double *out);
