/* The door by which virga's other services put metrics and read them: EC2's CPUUtilization, a balancer's request
 * counts, what a scaling policy watches. And what they may hear: an alarm's action that is theirs to carry out. */
#pragma once
#include "call/call.h"

struct metric_dimension {
	struct str name, value;
};
struct metric {
	struct str account, region;
	struct str space; /* the namespace: "AWS/EC2" */
	struct str name;
	const struct metric_dimension *dimensions; /* in any order; at most 30 */
	size_t n_dimensions;
};
/* What was seen: `value`, `times` times (0 means once); or statistics of many values; or values with how often each. */
struct metric_point {
	const struct metric *metric;
	int64_t at_ms;
	const char *unit; /* as PutMetricData's Unit has it; NULL: "None" */
	double value, times;
	const struct metric_statistics *statistics; /* NULL: value counts */
	const double *values, *counts;              /* NULL unless there are several; counts NULL: once each */
	size_t n_values;
	bool high_resolution; /* kept by the second for three hours, as StorageResolution 1 */
};
struct metric_statistics {
	double n, sum, min, max;
};

/* With tx's commit. Points of a metric that is new make it known to ListMetrics. Conflicts at
 * most with another that makes the same metric known. Points of one metric in a row (the same `metric`) are cheapest.
 */
status metrics_put_in(
	struct store_tx *tx, struct arena *a, const struct metric_point *points, size_t n, int64_t now_ms) MUST_USE;
/* In a transaction of its own, not waiting until it is durable. From any thread that may read the store. */
status metrics_put(struct cloud *cloud, const struct metric_point *points, size_t n) MUST_USE;

/* Counts what happens often: kept in memory by metric and minute, and written once a minute and at the end, so that it
 * costs no transaction; a crash loses the last minute's. The strings are copied; unit and dimensions' names are static.
 */
enum { METRIC_NOTE_DIMENSIONS = 3 };
struct metric_note {
	struct str account, region, space, name;
	struct metric_dimension dimensions[METRIC_NOTE_DIMENSIONS];
	size_t n_dimensions;
	const char *unit;
	double value;
	int64_t at_ms;
};
void metrics_note(struct cloud *cloud, const struct metric_note *n);

/* Statistics over [from, from + period), [from + period, …): n of them; where n is 0 in one, there was no data. from is
 * a multiple of the period; the period one of 1, 5, 10, 30 or a multiple of 60 seconds. Points of any unit count. */
status metrics_read(struct store_tx *tx, struct arena *a, const struct metric *m, int64_t from_ms, int32_t period_s,
	int64_t now_ms, struct metric_statistics *out, size_t n) MUST_USE;
/* The newest whole period that holds data, at most `back` periods before now. NOT_FOUND where there is none. */
status metrics_latest(struct cloud *cloud, struct arena *a, const struct metric *m, int32_t period_s, unsigned back,
	struct metric_statistics *out) MUST_USE;

/* An alarm came into a state that has actions. Published on the bus as METRICS_ALARM_ACTION, phase BUS_COMMITTING, once
 * for each action's ARN that CloudWatch does not carry out by itself (it does SNS topics and arn:aws:automate:…): whose
 * ARN it is sets *taken, and schedules in tx the job that does it (scaling policies do). While the alarm stays in the
 * state, the actions of Auto Scaling are published again with each evaluation ("repeats"), as AWS does for them. */
#define METRICS_ALARM_ACTION "cloudwatch.alarm.action"
struct metrics_alarm_action {
	struct str action; /* arn:aws:autoscaling:…:scalingPolicy:… */
	struct str alarm_name, alarm_arn, account, region;
	struct str state, old_state; /* OK, ALARM, INSUFFICIENT_DATA */
	struct str reason;
	bool has_value; /* the newest data point that was judged, and what it was compared with */
	double value, threshold;
	int64_t at_ms;
	bool repeats;
	bool *taken;
	struct str *error; /* may be set where it was taken, and could not be done */
};
