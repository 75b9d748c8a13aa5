/* What a metric is expected to be: the model behind anomaly detection bands and predictive scaling. It learns from up
 * to two weeks before each point: a level; with a day of data, what each hour of the day is like; with more than a
 * week, each hour of the week ("Using CloudWatch anomaly detection": "up to two weeks of metric data", "hourly, daily
 * and weekly patterns"). Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CW_SEASON_S (14ll * 86400)

struct cw_season {
	int64_t from; /* seconds: of v[0] */
	int32_t period;
	int32_t zone_s;  /* added to a time to find its hour */
	const double *v; /* n of them; NaN: missing */
	size_t n;
	/* Times that are not learned from, [from, to) each, in seconds. */
	const int64_t (*excluded)[2];
	size_t n_excluded;
};
/* For each point at or behind `first`, from those before it: what is expected, and how far points lie from that (a
 * standard deviation); NaN where too little is known. mean and deviation: n - first of them. */
void cw_season_predict(const struct cw_season *s, size_t first, double *mean, double *deviation);
