/* The door to metrics for virga's other services, and what PutMetricData itself stands on. */
#include "services/cloudwatch/metrics.h"
#include "services/cloudwatch/block.h"
#include "services/cloudwatch/room.h"

static struct cw_sum sum_of(struct arena *a, const struct metric_point *p)
{
	struct cw_sum s = {0};
	double times = p->times > 0 ? p->times : 1;
	if (p->statistics) {
		const struct metric_statistics *t = p->statistics;
		if (t->n > 0) cw_sum_add(&s, t->n, t->sum, t->min, t->max);
		s.pairs.lost = t->min != t->max;
		return s;
	}
	if (!p->n_values) {
		cw_sum_add(&s, times, p->value * times, p->value, p->value);
		return s;
	}
	for (size_t i = 0; i < p->n_values; i++) {
		times = p->counts ? p->counts[i] : 1;
		if (times <= 0) continue;
		cw_sum_add(&s, times, p->values[i] * times, p->values[i], p->values[i]);
		*VEC_PUSH(a, &s.pairs, &s.pairs.capacity) = (struct cw_pair){p->values[i], times};
	}
	return s;
}

static status touch(struct store_tx *tx, struct arena *a, const struct metric *m, struct cw_id id, int64_t now_ms,
	struct cw_seen *seen, uint64_t generation)
{
	int64_t updated;
	if (seen && cw_metric_fresh(cw_seen_get(seen, id), now_ms)) return OK;
	TRY(cw_metric_touch(tx, a, m, now_ms, &updated));
	/* What this transaction writes is known once it is committed: the next one reads it. */
	if (seen && cw_metric_fresh(updated, now_ms)) cw_seen_put(seen, generation, id, updated);
	return OK;
}

status metrics_put_in(struct store_tx *tx, struct arena *a, const struct metric_point *points, size_t n, int64_t now_ms)
{
	return cw_points_put(tx, a, points, n, now_ms, NULL);
}

status cw_points_put(struct store_tx *tx, struct arena *a, const struct metric_point *points, size_t n, int64_t now_ms,
	struct cw_seen *seen)
{
	uint64_t generation = seen ? cw_seen_generation(seen) : 0;
	for (size_t i = 0; i < n;) {
		const struct metric_point *p = &points[i];
		int64_t step = p->high_resolution ? 1 : 60, at = p->at_ms / 1000 / step * step;
		uint8_t unit = p->unit ? cw_unit(str_c(p->unit)) : CW_UNIT_NONE;
		struct cw_sum s = sum_of(a, p);
		size_t k = i + 1;
		INVARIANT(unit < CW_UNITS);
		/* Points of the same metric that follow each other within a minute are one in the store. */
		for (; k < n && points[k].metric == p->metric && points[k].high_resolution == p->high_resolution &&
			points[k].at_ms / 1000 / step * step == at &&
			(points[k].unit ? cw_unit(str_c(points[k].unit)) : CW_UNIT_NONE) == unit;
			k++) {
			struct cw_sum one = sum_of(a, &points[k]);
			if (one.n > 0) cw_sum_join(a, &s, one);
		}
		if (s.n > 0) {
			struct cw_id id = cw_id_of(a, p->metric);
			cw_fresh_put(tx, a, id, at, p->high_resolution, unit, &s);
			if (!i || points[i - 1].metric != p->metric)
				TRY(touch(tx, a, p->metric, id, now_ms, seen, generation));
		}
		i = k;
	}
	return OK;
}

status metrics_put(struct cloud *cloud, const struct metric_point *points, size_t n)
{
	struct arena a;
	status s = STATUS(CONFLICT);
	arena_init(&a);
	for (int i = 0; i < 20 && status_is(s, STATUS_CONFLICT); i++) {
		struct store_tx *tx = store_begin(cloud->store, &a, false);
		store_ticket ticket;
		s = metrics_put_in(tx, &a, points, n, clock_now(cloud->clock));
		if (is_ok(s)) s = store_commit(tx, &ticket);
		store_end(tx);
	}
	arena_cleanup(&a);
	return s;
}

status metrics_read(struct store_tx *tx, struct arena *a, const struct metric *m, int64_t from_ms, int32_t period_s,
	int64_t now_ms, struct metric_statistics *out, size_t n)
{
	struct cw_sum *sums = arena_new_n(a, struct cw_sum, n + 1);
	struct cw_query q = {.id = cw_id_of(a, m),
		.from = from_ms / 1000,
		.to = from_ms / 1000 + (int64_t)n * period_s,
		.period = period_s,
		.unit = CW_UNIT_ANY,
		.now = now_ms / 1000};
	if (!n) return OK;
	TRY(cw_points_read(tx, a, &q, sums));
	for (size_t i = 0; i < n; i++)
		out[i] = (struct metric_statistics){sums[i].n, sums[i].sum, sums[i].min, sums[i].max};
	return OK;
}

status metrics_latest(struct cloud *cloud, struct arena *a, const struct metric *m, int32_t period_s, unsigned back,
	struct metric_statistics *out)
{
	int64_t now = clock_now(cloud->clock), period_ms = period_s * 1000ll;
	struct metric_statistics *v = arena_new_n(a, struct metric_statistics, back + 1);
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status s = metrics_read(tx, a, m, now - now % period_ms - back * period_ms, period_s, now, v, back);
	store_end(tx);
	TRY(s);
	for (unsigned i = back; i-- > 0;)
		if (v[i].n > 0) {
			*out = v[i];
			return OK;
		}
	return STATUS(NOT_FOUND);
}
