/* Metric math: expressions over time series ("Using math expressions with CloudWatch metrics"), read into a tree and
 * evaluated over one axis of time. A missing data point is NaN. */
#pragma once
#include "services/cloudwatch/room.h"
#include "services/cloudwatch/stat.h"

struct cw_select;
enum cw_node_kind {
	CW_N_NUMBER,
	CW_N_STRING,
	CW_N_NAME,
	CW_N_CALL,
	CW_N_LIST,
	CW_N_BINARY,
	CW_N_NEGATE,
	CW_N_SELECT,
};
struct cw_node {
	enum cw_node_kind kind;
	char op;         /* of BINARY: + - * / ^ < > & | and = (==), ! (!=), l (<=), g (>=) */
	struct str text; /* of STRING, NAME, CALL */
	double number;
	const struct cw_select *select; /* of SELECT */
	struct cw_node *first, *next;   /* operands; siblings */
	size_t n;
};
/* INVALID, LIMIT (too deep): *why tells, in `a` or static. */
status cw_math_parse(struct arena *a, struct str text, struct cw_node **out, struct str *why) MUST_USE;

struct cw_series {
	struct str id, label;
	double *v;                                   /* axis.n of them */
	const struct cloudwatch_metric_stat *source; /* of what it was made; NULL where of many */
};
struct cw_value {
	enum { CW_SCALAR, CW_SERIES, CW_MANY, CW_TEXT } kind;
	double scalar;
	struct str text;
	struct cw_series *v; /* SERIES: one; MANY: n */
	size_t n, capacity;
};
struct cw_axis {
	int64_t from; /* seconds */
	int32_t period;
	size_t n;
};
struct cw_math {
	struct arena *a;
	struct store_tx *tx;
	struct str account, region;
	int64_t now, from, to; /* seconds; the axis begins at from, rounded */
	bool exact;            /* from is rounded already */
	const struct cloudwatch_metric_data_queries *queries;
	struct cw_node **trees;   /* by query; NULL of metrics */
	struct cw_axis axis;      /* of what is evaluated now */
	struct cw_memory *memory; /* by query: what was found before, so that chains of expressions cost no more than
				     their length */
	struct cw_sum *sums;      /* room for one metric's, used again for the next */
	size_t n_sums;
	struct str why; /* of a failure */
	unsigned depth;
};
/* Checks ids, that each query is a metric or an expression, statistics, periods, that expressions name what there is
 * and do not go in circles; parses. INVALID: m->why. NotImplemented things are LIMIT. */
status cw_math_prepare(struct cw_math *m) MUST_USE;
/* Evaluates a query over its own axis (m->axis afterwards). INVALID: m->why. */
status cw_math_run(struct cw_math *m, size_t query, struct cw_value *out) MUST_USE;
/* The period, in seconds, that a prepared query has. */
int64_t cw_math_period(const struct cw_math *m, size_t query);
/* The index of a query; queries->n where there is none. */
size_t cw_math_find(const struct cw_math *m, struct str id);

/* ── between the files ── */
status cw_math_eval(struct cw_math *m, const struct cw_node *n, struct cw_value *out) MUST_USE;
status cw_math_call(struct cw_math *m, const struct cw_node *n, struct cw_value *out) MUST_USE;
status cw_math_fail(struct cw_math *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct cw_series *cw_math_add(struct cw_math *m, struct cw_value *to); /* with v allocated, NaN */
status cw_math_fetch(struct cw_math *m, const struct cloudwatch_metric_stat *s, struct cw_series *out) MUST_USE;
/* SEARCH('{NS,D} terms', 'Stat', period) */
status cw_math_search(struct cw_math *m, const struct cw_node *n, struct cw_value *out) MUST_USE;
/* ANOMALY_DETECTION_BAND(S, width): anomaly.c. The upper edge, and the lower one. */
status cw_math_band(struct cw_math *m, const struct cw_node *n, struct cw_value *out) MUST_USE;
double cw_reduce(const double *v, size_t n, char how); /* a s < > n d: average, sum, least, most, count, deviation */

/* ── search.c ── a search expression by itself. INVALID. */
struct cw_search;
status cw_search_parse(struct arena *a, struct str text, struct cw_search **out) MUST_USE;
struct str cw_search_space(const struct cw_search *s); /* STR_NONE: any */
bool cw_search_passes(struct arena *a, const struct cw_search *s, const struct cloudwatch_rec_metric *m);

/* ── select.c ── Metrics Insights. */
bool cw_select_is(struct str text);
/* INVALID: *why. */
status cw_select_parse(struct arena *a, struct str text, struct cw_select **out, struct str *why) MUST_USE;
bool cw_select_groups(const struct cw_select *s); /* GROUP BY: any number of time series */
status cw_math_select(struct cw_math *m, const struct cw_node *n, struct cw_value *out) MUST_USE;

/* ── label.c ── ${LAST}, ${PROP('Dim.InstanceId')}, … ("Using dynamic labels") */
struct str cw_label(struct arena *a, struct str label, const struct cw_series *s, const struct cw_axis *axis,
	struct str account, struct str region);
