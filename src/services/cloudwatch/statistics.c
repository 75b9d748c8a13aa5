/* GetMetricStatistics: 1,440 data points at most, in no order; those of different units beside each other. */
#include "services/cloudwatch/room.h"
#include "services/cloudwatch/stat.h"

enum { POINTS_MAX = 1440 };

/* "Start time less than 15 days ago - Round down to the nearest whole minute; … 63 days … 5-minute …; greater …
 * 1-hour". */
int64_t cw_round_start(int64_t start_s, int32_t period, int64_t now_s)
{
	int64_t age = now_s - start_s, step = age < 15 * 86400 ? 60 : age < 63 * 86400 ? 300 : 3600;
	if (period < 60) step = period;
	return start_s - start_s % step;
}

bool cw_period_legal(int64_t period)
{
	return period == 1 || period == 5 || period == 10 || period == 20 || period == 30 ||
	       (period >= 60 && period % 60 == 0);
}

static status check(struct call *c, const struct cloudwatch_get_metric_statistics_input *in)
{
	struct cw_stat stat;
	if (!in->statistics.n && !in->extended_statistics.n)
		return CW_COMBINATION(
			c, "At least one of the parameters Statistics and ExtendedStatistics must be specified.");
	for (size_t i = 0; i < in->extended_statistics.n; i++)
		if (!cw_stat_read(in->extended_statistics.v[i], &stat) || !cw_stat_needs_pairs(&stat))
			return CW_VALUE(c,
				"The value %.*s for parameter ExtendedStatistics.member.%zu is not supported.",
				STR_ARG(in->extended_statistics.v[i]), i + 1);
	if (!cw_period_legal(in->period.v))
		return CW_VALUE(c, "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.");
	if (in->start_time.ms >= in->end_time.ms)
		return CW_COMBINATION(c, "The parameter StartTime must be less than the parameter EndTime.");
	if ((in->end_time.ms - in->start_time.ms) / 1000 / in->period.v > POINTS_MAX)
		return CW_COMBINATION(c,
			"You have requested up to %lld datapoints, which exceeds the limit of 1,440. You may reduce "
			"the datapoints "
			"requested by increasing Period, or decreasing the time range.",
			(long long)((in->end_time.ms - in->start_time.ms) / 1000 / in->period.v));
	return OK;
}

static void show(struct call *c, const struct cloudwatch_get_metric_statistics_input *in, int64_t at_s, uint8_t unit,
	struct cw_sum *s, struct cloudwatch_datapoint *out)
{
	size_t capacity = 0;
	out->timestamp = SOME_TIME(at_s * 1000);
	out->unit = str_c(cw_units[unit]);
	for (size_t i = 0; i < in->statistics.n; i++) {
		struct str n = in->statistics.v[i];
		if (str_is(n, "SampleCount")) out->sample_count = SOME_F64(s->n);
		if (str_is(n, "Average")) out->average = SOME_F64(s->sum / s->n);
		if (str_is(n, "Sum")) out->sum = SOME_F64(s->sum);
		if (str_is(n, "Minimum")) out->minimum = SOME_F64(s->min);
		if (str_is(n, "Maximum")) out->maximum = SOME_F64(s->max);
	}
	for (size_t i = 0; i < in->extended_statistics.n; i++) {
		struct cw_stat stat;
		double v;
		if (!cw_stat_read(in->extended_statistics.v[i], &stat) || !cw_stat_of(&stat, s, &v)) continue;
		struct cloudwatch_datapoint_value_map_entry *e =
			VEC_PUSH(c->arena, &out->extended_statistics, &capacity);
		e->key = in->extended_statistics.v[i];
		e->value = SOME_F64(v);
	}
}

status cloudwatch_get_metric_statistics(struct call *c, const struct cloudwatch_get_metric_statistics_input *in,
	struct cloudwatch_get_metric_statistics_output *out)
{
	struct metric m;
	uint32_t units = 0;
	size_t capacity = 0;
	TRY(check(c, in));
	TRY(cw_metric_of(c, in->namespace, in->metric_name, &in->dimensions, "", &m));
	struct cw_query q = {.id = cw_id_of(c->arena, &m),
		.from = cw_round_start(in->start_time.ms / 1000, in->period.v, c->now_ms / 1000),
		.to = (in->end_time.ms + 999) / 1000,
		.period = in->period.v,
		.pairs = in->extended_statistics.n > 0,
		.now = c->now_ms / 1000};
	size_t n = (size_t)((q.to - q.from + q.period - 1) / q.period);
	TRY(cw_points_units(c->tx, c->arena, &q, &units));
	out->label = in->metric_name;
	VEC_PRESENT(c->arena, &out->datapoints);
	for (q.unit = 0; q.unit < CW_UNITS; q.unit++) {
		if (!(units >> q.unit & 1) || (str_has(in->unit) && cw_unit(in->unit) != q.unit)) continue;
		struct cw_sum *sums = arena_new_n(c->arena, struct cw_sum, n);
		TRY(cw_points_read(c->tx, c->arena, &q, sums));
		for (size_t i = 0; i < n; i++)
			if (sums[i].n > 0)
				show(c, in, q.from + (int64_t)i * q.period, q.unit, &sums[i],
					VEC_PUSH(c->arena, &out->datapoints, &capacity));
	}
	return OK;
}
