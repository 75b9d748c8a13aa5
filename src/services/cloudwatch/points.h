/* Data points as they lie in the store: fresh ones, each a key of its own that is only ever written, never read before;
 * and joined ones, in blocks of four resolutions. A reader adds both up, so that nobody sees when points are joined.
 *
 *     ("cloudwatch", "in", id, second, random)        fresh: what came in one request for one second or minute
 *     ("cloudwatch", "b", id, resolution, second)     joined: statistics of the seconds (minutes, …) of one span
 *     ("cloudwatch", "d", id, resolution, second)     the values that they were made of, where more than one:
 * percentiles
 *
 * id: 16 bytes of SHA-256 over account, region, namespace, name and sorted dimensions, as two numbers. A second's
 * points of different units lie apart. "Metrics concepts", "Metrics retention": one second is kept for 3 hours, one
 * minute for 15 days, five minutes for 63 days, an hour for 455 days. */
#pragma once
#include "services/cloudwatch/metrics.h"

enum { CW_UNITS = 27, CW_UNIT_NONE = 26, CW_UNIT_ANY = 255, CW_RESOLUTIONS = 4 };
extern const char *const cw_units[CW_UNITS];
extern const int32_t cw_resolutions[CW_RESOLUTIONS]; /* 1, 60, 300, 3600 */
extern const int64_t cw_retention_s[CW_RESOLUTIONS];
/* CW_UNITS where there is no such unit. */
uint8_t cw_unit(struct str name);

struct cw_id {
	uint64_t high, low;
};
/* Sorts dimensions by name. */
struct cw_id cw_id_of(struct arena *a, const struct metric *m);

/* Values and how often each was seen. */
struct cw_pair {
	double value, times;
};
struct cw_pairs {
	struct cw_pair *v;
	size_t n, capacity;
	bool lost; /* statistics without their values are among them: no percentiles */
};
/* What is known of one span of time. n 0: nothing. */
struct cw_sum {
	double n, sum, min, max;
	uint8_t unit; /* of the first point in it */
	struct cw_pairs pairs;
};
void cw_sum_add(struct cw_sum *s, double n, double sum, double min, double max);

/* Writes fresh points of one metric and unit: at second `at`. */
void cw_fresh_put(struct store_tx *tx, struct arena *a, struct cw_id id, int64_t at, bool high, uint8_t unit,
	const struct cw_sum *s);

struct cw_query {
	struct cw_id id;
	int64_t from, to; /* seconds; from < to */
	int32_t period;   /* seconds */
	uint8_t unit;     /* CW_UNIT_ANY */
	bool pairs;       /* the values too, for percentiles */
	int64_t now;      /* seconds: what is past its retention is not there */
};
/* out: (to - from + period - 1) / period sums, zeroed. */
status cw_points_read(struct store_tx *tx, struct arena *a, const struct cw_query *q, struct cw_sum *out) MUST_USE;
/* Adds to *units a bit for each unit that the metric has points of in [from, to). */
status cw_points_units(struct store_tx *tx, struct arena *a, const struct cw_query *q, uint32_t *units) MUST_USE;

/* The job that joins fresh points and drops what is past its retention; once an hour. */
void cw_fold_start(struct cloud *cloud);
void cw_fold_ready(struct cloud *cloud);
