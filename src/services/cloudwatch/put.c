/* PutMetricData. "Timestamps … up to two weeks before the current date and up to two hours after"; "The value … must be
 * in the range of -2^360 to 2^360 … special values (NaN, +Infinity, -Infinity) are not supported" (MetricDatum). */
#include "services/cloudwatch/room.h"
#include <math.h>

enum { DATA_MAX = 1000, VALUES_MAX = 150 };

static status check_number(struct call *c, double v, size_t i, const char *name)
{
	if (isfinite(v) && fabs(v) <= 0x1p360) return OK;
	return CW_VALUE(c, "The value %g for parameter MetricData.member.%zu.%s is invalid.", v, i + 1, name);
}

static status read_values(struct call *c, const struct cloudwatch_metric_datum *d, size_t i, struct metric_point *p)
{
	if (d->values.n > VALUES_MAX)
		return CW_VALUE(
			c, "The collection MetricData.member.%zu.Values must not have a size greater than 150.", i + 1);
	if (d->counts.v && d->counts.n != d->values.n)
		return CW_VALUE(c,
			"The parameters MetricData.member.%zu.Values and MetricData.member.%zu.Counts must be of the "
			"same size.",
			i + 1, i + 1);
	double *values = arena_array(c->arena, d->values.n + 1, sizeof(*values)), *counts = NULL;
	if (d->counts.v) counts = arena_array(c->arena, d->values.n + 1, sizeof(*counts));
	for (size_t k = 0; k < d->values.n; k++) {
		TRY(check_number(c, values[k] = d->values.v[k].v, i, "Values"));
		if (!counts) continue;
		TRY(check_number(c, counts[k] = d->counts.v[k].v, i, "Counts"));
		if (counts[k] < 0)
			return CW_VALUE(c, "The value %g for parameter MetricData.member.%zu.Counts is invalid.",
				counts[k], i + 1);
	}
	p->values = values;
	p->counts = counts;
	p->n_values = d->values.n;
	return OK;
}

static status read_statistics(
	struct call *c, const struct cloudwatch_statistic_set *in, size_t i, struct metric_point *p)
{
	struct metric_statistics *s = arena_new(c->arena, struct metric_statistics);
	*s = (struct metric_statistics){in->sample_count.v, in->sum.v, in->minimum.v, in->maximum.v};
	TRY(check_number(c, s->n, i, "StatisticValues.SampleCount"));
	TRY(check_number(c, s->sum, i, "StatisticValues.Sum"));
	TRY(check_number(c, s->min, i, "StatisticValues.Minimum"));
	TRY(check_number(c, s->max, i, "StatisticValues.Maximum"));
	if (s->n < 0)
		return CW_VALUE(c,
			"The value %g for parameter MetricData.member.%zu.StatisticValues.SampleCount is invalid.",
			s->n, i + 1);
	if (s->min > s->max)
		return CW_COMBINATION(c,
			"The parameter MetricData.member.%zu.StatisticValues.Maximum must be greater than "
			"MetricData.member.%zu.StatisticValues.Minimum.",
			i + 1, i + 1);
	p->statistics = s;
	return OK;
}

static status read_datum(struct call *c, const struct cloudwatch_put_metric_data_input *in,
	const struct cloudwatch_metric_data *list, size_t i, const struct metric *before, struct metric_point *p)
{
	const struct cloudwatch_metric_datum *d = &list->v[i];
	struct metric m;
	TRY(cw_metric_of(c, in->namespace, d->metric_name, &d->dimensions,
		d->dimensions.n ? str_z(c->arena, str_fmt(c->arena, "MetricData.member.%zu.", i + 1)) : "", &m));
	bool same = before && str_eq(before->name, m.name) && before->n_dimensions == m.n_dimensions;
	for (size_t k = 0; same && k < m.n_dimensions; k++)
		same = str_eq(before->dimensions[k].name, m.dimensions[k].name) &&
		       str_eq(before->dimensions[k].value, m.dimensions[k].value);
	*p = (struct metric_point){.metric = same ? before : arena_copy(c->arena, &m, sizeof(m)),
		.at_ms = d->timestamp.has ? d->timestamp.ms : c->now_ms,
		.unit = str_has(d->unit) ? str_z(c->arena, d->unit) : NULL,
		.high_resolution = d->storage_resolution.has && d->storage_resolution.v == 1};
	if (d->storage_resolution.has && d->storage_resolution.v != 1 && d->storage_resolution.v != 60)
		return CW_VALUE(c, "The value %d for parameter MetricData.member.%zu.StorageResolution is invalid.",
			d->storage_resolution.v, i + 1);
	if (p->at_ms < c->now_ms - 14 * CW_DAY_MS || p->at_ms > c->now_ms + 2 * 3600000)
		return CW_VALUE(c,
			"The value %.*s for parameter MetricData.member.%zu.Timestamp is invalid: it must be within "
			"the last "
			"two weeks and the next two hours.",
			STR_ARG(time_iso8601(c->arena, p->at_ms, false)), i + 1);
	int given = d->value.has + (d->statistic_values != NULL) + (d->values.v != NULL);
	if (!given)
		return CW_COMBINATION(c,
			"At least one of the parameters MetricData.member.%zu.Value, "
			"MetricData.member.%zu.StatisticValues or "
			"MetricData.member.%zu.Values must be specified.",
			i + 1, i + 1, i + 1);
	if (given > 1)
		return CW_COMBINATION(c,
			"The parameters MetricData.member.%zu.Value, MetricData.member.%zu.StatisticValues and "
			"MetricData.member.%zu.Values are mutually exclusive and you have specified more than one.",
			i + 1, i + 1, i + 1);
	if (d->counts.v && !d->values.v)
		return CW_COMBINATION(c,
			"The parameter MetricData.member.%zu.Counts needs MetricData.member.%zu.Values.", i + 1, i + 1);
	if (d->values.v) return read_values(c, d, i, p);
	if (d->statistic_values) return read_statistics(c, d->statistic_values, i, p);
	p->value = d->value.v;
	return check_number(c, p->value, i, "Value");
}

static status put_list(
	struct call *c, const struct cloudwatch_put_metric_data_input *in, const struct cloudwatch_metric_data *list)
{
	struct metric_point *points = arena_new_n(c->arena, struct metric_point, list->n + 1);
	for (size_t i = 0; i < list->n; i++)
		TRY(read_datum(c, in, list, i, i ? points[i - 1].metric : NULL, &points[i]));
	return cw_points_put(c->tx, c->arena, points, list->n, c->now_ms, cw_collect_seen(c->state));
}

status cloudwatch_put_metric_data(struct call *c, const struct cloudwatch_put_metric_data_input *in,
	struct cloudwatch_put_metric_data_output *out)
{
	size_t n = in->metric_data.n;
	(void)out;
	/* "The namespace … do not begin with AWS/": those are the services'. */
	if (str_starts(in->namespace, STR("AWS/")))
		return CW_VALUE(c, "The value AWS/ for parameter Namespace is invalid.");
	for (size_t i = 0; i < in->entity_metric_data.n; i++) n += in->entity_metric_data.v[i].metric_data.n;
	if (!n) return CW_FAIL(c, MISSING_REQUIRED_PARAMETER_EXCEPTION, "The parameter MetricData is required.");
	if (n > DATA_MAX) return CW_VALUE(c, "The collection MetricData must not have a size greater than 1000.");
	TRY(put_list(c, in, &in->metric_data));
	/* The entities themselves are the Application Signals' to show; the data count as any. */
	for (size_t i = 0; i < in->entity_metric_data.n; i++)
		TRY(put_list(c, in, &in->entity_metric_data.v[i].metric_data));
	return OK;
}
