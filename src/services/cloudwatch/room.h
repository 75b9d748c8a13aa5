/* Inside the room of CloudWatch. Keys, beside those of points (points.h):
 *
 *     ("cloudwatch", "metric", account, region, namespace, name, dimensions)    which metrics there are */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "cloudwatch.h"
#include "cloudwatch_state.h"
#include "services/cloudwatch/metrics.h"
#include "services/cloudwatch/points.h"
#include "store/key.h"

#define CW_FAIL(c, NAME, ...) call_fail((c), CLOUDWATCH_ERR_##NAME, __VA_ARGS__)
#define CW_VALUE(c, ...) CW_FAIL(c, INVALID_PARAMETER_VALUE_EXCEPTION, __VA_ARGS__)
#define CW_COMBINATION(c, ...) CW_FAIL(c, INVALID_PARAMETER_COMBINATION_EXCEPTION, __VA_ARGS__)
#define CW_DAY_MS 86400000ll

/* ── names.c ── */
struct str cw_key(struct arena *a, const char *kind, struct str account, struct str region);
/* Dimensions of the caller's (cloudwatch_dimensions), checked: 30 at most, no name twice. where: for messages. */
status cw_metric_of(struct call *c, struct str space, struct str name, const struct cloudwatch_dimensions *d,
	const char *where, struct metric *out) MUST_USE;
/* Makes the metric known to ListMetrics, where it is not, or was not lately. *updated_ms: when it was before this
 * transaction; 0: never. */
status cw_metric_touch(
	struct store_tx *tx, struct arena *a, const struct metric *m, int64_t now_ms, int64_t *updated_ms) MUST_USE;
/* Is a metric that was made known at that time so still? */
bool cw_metric_fresh(int64_t updated_ms, int64_t now_ms);
/* Walks the metrics of an account and region: narrowed by namespace and name, where they are given (name only with a
 * namespace). after: the key to begin behind, or STR_NONE. */
struct cw_metrics {
	struct store_scan *scan;
	struct arena *a;
	struct str key; /* of what was last returned; valid until the next */
};
void cw_metrics_begin(struct cw_metrics *w, struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str space, struct str name, struct str after);
bool cw_metrics_next(struct cw_metrics *w, struct cloudwatch_rec_metric *m, status *s);

/* ── seen.c ── From any thread. */
struct cw_seen;
struct cw_seen *cw_seen_new(void);
void cw_seen_free(struct cw_seen *s);
/* To be asked before the transaction begins: what it read is not remembered if a reset came between. */
uint64_t cw_seen_generation(struct cw_seen *s);
void cw_seen_reset(struct cw_seen *s);
/* When the metric was made known, as far as it is remembered; 0. */
int64_t cw_seen_get(struct cw_seen *s, struct cw_id id);
void cw_seen_put(struct cw_seen *s, uint64_t generation, struct cw_id id, int64_t updated_ms);
/* metrics_put_in, with that memory. */
status cw_points_put(struct store_tx *tx, struct arena *a, const struct metric_point *points, size_t n, int64_t now_ms,
	struct cw_seen *seen) MUST_USE;

/* ── statistics.c ── */
int64_t cw_round_start(int64_t start_s, int32_t period, int64_t now_s);
bool cw_period_legal(int64_t period);

/* ── data.c ── INVALID and LIMIT of metric math as the client's errors; others as they are. */
struct cw_math;
status cw_math_error(struct call *c, const struct cw_math *m, status s) MUST_USE;

/* ── collect.c ── metrics of other services' calls, and what was noted */
struct cw_collector *cw_collect_start(struct cloud *cloud);
struct job cw_collect_job(int64_t now_ms);
void cw_collect_reset(struct cw_collector *k);
void cw_collect_stop(struct cw_collector *k);
struct cw_seen *cw_collect_seen(struct cw_collector *k);
