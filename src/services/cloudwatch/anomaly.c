/* Anomaly detectors, and ANOMALY_DETECTION_BAND(metric, width) of metric math: the range in which a metric is expected,
 * by the model in season.h. The model is made anew whenever it is asked for: nothing is trained ahead, and a detector
 * only keeps which times are not to be learned from, and in which time zone. Detectors on metric math are not built,
 * and refused; the function takes expressions all the same. */
#include "services/cloudwatch/anomaly.h"
#include "clock/zone.h"
#include "services/cloudwatch/season.h"
#include <math.h>

enum { PAGE = 100, WIDTH = 2 };
#define TABLES (&wire_service_cloudwatch.tables)

static struct str key_of(
	struct arena *a, struct str account, struct str region, const struct metric *m, struct str stat)
{
	struct cw_id id = cw_id_of(a, m);
	struct key k = key_begin(a);
	key_append(&k, cw_key(a, "detector", account, region));
	if (m->space.n) {
		key_str(&k, m->space);
		key_str(&k, m->name);
		key_u64(&k, id.high);
		key_u64(&k, id.low);
		key_str(&k, stat);
	}
	return key_done(&k);
}

static status decode(struct arena *a, struct str bytes, struct cloudwatch_anomaly_detector *out)
{
	struct cloudwatch_rec_detector r = {0};
	*out = (struct cloudwatch_anomaly_detector){0};
	TRY(cloudwatch_rec_detector_decode(a, bytes, &r));
	return wire_json_to(a, TABLES, CLOUDWATCH_SHAPE_ANOMALY_DETECTOR, r.detector, out);
}

static struct metric metric_of(struct arena *a, struct str account, struct str region,
	const struct cloudwatch_single_metric_anomaly_detector *s)
{
	struct metric_dimension *d = arena_new_n(a, struct metric_dimension, s->dimensions.n + 1);
	for (size_t i = 0; i < s->dimensions.n; i++)
		d[i] = (struct metric_dimension){s->dimensions.v[i].name, s->dimensions.v[i].value};
	return (struct metric){account, region, s->namespace, s->metric_name, d, s->dimensions.n};
}

/* ── the band ── */

/* What the metric's detector says, where it has one. */
static status configure(struct cw_math *m, const struct cloudwatch_metric_stat *source, struct cw_season *s)
{
	struct cloudwatch_anomaly_detector d;
	struct str bytes;
	struct zone *z;
	if (!source) return OK;
	struct cloudwatch_single_metric_anomaly_detector single = {.namespace = source->metric->namespace,
		.metric_name = source->metric->metric_name,
		.dimensions = source->metric->dimensions};
	struct metric metric = metric_of(m->a, m->account, m->region, &single);
	status st = store_peek(m->tx, key_of(m->a, m->account, m->region, &metric, source->stat), &bytes);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	TRY(decode(m->a, bytes, &d));
	if (!d.configuration) return OK;
	const struct cloudwatch_anomaly_detector_excluded_time_ranges *ranges = &d.configuration->excluded_time_ranges;
	int64_t(*v)[2] = arena_array(m->a, ranges->n + 1, sizeof(*v));
	for (size_t i = 0; i < ranges->n; i++) {
		v[i][0] = ranges->v[i].start_time.ms / 1000;
		v[i][1] = ranges->v[i].end_time.ms / 1000;
	}
	s->excluded = (const int64_t(*)[2])v;
	s->n_excluded = ranges->n;
	if (str_has(d.configuration->metric_timezone) && is_ok(zone_find(m->a, d.configuration->metric_timezone, &z)))
		s->zone_s = zone_offset_s(z, m->axis.from * 1000);
	return OK;
}

status cw_math_band(struct cw_math *m, const struct cw_node *n, struct cw_value *out)
{
	struct cw_value x = {0}, width = {.scalar = WIDTH};
	struct cw_axis axis = m->axis;
	if (n->n < 1 || n->n > 2)
		return cw_math_fail(m, "Function ANOMALY_DETECTION_BAND takes 1 to 2 arguments, not %zu", n->n);
	if (n->n == 2) TRY(cw_math_eval(m, n->first->next, &width));
	if (width.kind != CW_SCALAR || !(width.scalar > 0))
		return cw_math_fail(m, "The width of ANOMALY_DETECTION_BAND must be a number greater than 0");
	/* The same again, two weeks longer. */
	size_t before = (size_t)(CW_SEASON_S / axis.period);
	m->axis.from -= (int64_t)before * axis.period;
	m->axis.n += before;
	status s = cw_math_eval(m, n->first, &x);
	m->axis = axis;
	TRY(s);
	if (x.kind != CW_SERIES && !(x.kind == CW_MANY && x.n == 1))
		return cw_math_fail(m, "Function ANOMALY_DETECTION_BAND takes one time series");
	struct cw_season season = {.from = axis.from - (int64_t)before * axis.period,
		.period = axis.period,
		.v = x.v[0].v,
		.n = axis.n + before};
	TRY(configure(m, x.v[0].source, &season));
	double *mean = arena_array(m->a, axis.n + 1, sizeof(*mean)),
	       *deviation = arena_array(m->a, axis.n + 1, sizeof(*mean));
	cw_season_predict(&season, before, mean, deviation);
	out->kind = CW_MANY;
	for (int side = 1; side >= -1; side -= 2) {
		struct cw_series *r = cw_math_add(m, out);
		r->label = x.v[0].label;
		for (size_t i = 0; i < axis.n; i++) r->v[i] = mean[i] + side * width.scalar * deviation[i];
	}
	return OK;
}

/* ── detectors ── */

struct asked {
	struct cloudwatch_single_metric_anomaly_detector s;
	struct metric m;
	struct str key;
};

/* The same in two forms: members of the request, or of SingleMetricAnomalyDetector. */
static status read(struct call *c, struct str space, struct str name, const struct cloudwatch_dimensions *d,
	struct str stat, const struct cloudwatch_single_metric_anomaly_detector *single,
	const struct cloudwatch_metric_math_anomaly_detector *math, struct asked *out)
{
	struct cw_stat known;
	if (math) return call_fail(c, ERR_NOT_IMPLEMENTED, "Anomaly detectors on metric math are not implemented yet.");
	if (single && (str_has(space) || str_has(name) || str_has(stat)))
		return CW_COMBINATION(c, "SingleMetricAnomalyDetector cannot be combined with Namespace, MetricName, "
					 "Dimensions and Stat.");
	out->s = single ? *single
			: (struct cloudwatch_single_metric_anomaly_detector){
				  .namespace = space, .metric_name = name, .dimensions = *d, .stat = stat};
	if (str_has(out->s.account_id) && !str_eq(out->s.account_id, c->account))
		return CW_VALUE(c, "Account %.*s is not linked to this one.", STR_ARG(out->s.account_id));
	if (!str_has(out->s.namespace) || !str_has(out->s.metric_name) || !str_has(out->s.stat))
		return CW_FAIL(
			c, MISSING_REQUIRED_PARAMETER_EXCEPTION, "Namespace, MetricName and Stat must be given.");
	if (!cw_stat_read(out->s.stat, &known))
		return CW_VALUE(c, "The value %.*s for parameter Stat is not supported.", STR_ARG(out->s.stat));
	TRY(cw_metric_of(c, out->s.namespace, out->s.metric_name, &out->s.dimensions, "", &out->m));
	out->key = key_of(c->arena, c->account, c->region, &out->m, out->s.stat);
	return OK;
}

static void put(struct call *c, const struct asked *x, struct cloudwatch_anomaly_detector *d)
{
	d->namespace = x->s.namespace;
	d->metric_name = x->s.metric_name;
	d->dimensions = x->s.dimensions;
	d->stat = x->s.stat;
	d->single_metric_anomaly_detector = arena_new(c->arena, struct cloudwatch_single_metric_anomaly_detector);
	*d->single_metric_anomaly_detector = x->s;
	struct cloudwatch_rec_detector r = {
		.detector = wire_json_of(c->arena, TABLES, CLOUDWATCH_SHAPE_ANOMALY_DETECTOR, d)};
	store_put(c->tx, x->key, cloudwatch_rec_detector_encode(c->arena, &r));
}

status cloudwatch_put_anomaly_detector(struct call *c, const struct cloudwatch_put_anomaly_detector_input *in,
	struct cloudwatch_put_anomaly_detector_output *out)
{
	struct asked x;
	struct zone *z;
	(void)out;
	TRY(read(c, in->namespace, in->metric_name, &in->dimensions, in->stat, in->single_metric_anomaly_detector,
		in->metric_math_anomaly_detector, &x));
	if (in->metric_characteristics)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "MetricCharacteristics are not implemented yet.");
	const struct cloudwatch_anomaly_detector_configuration *k = in->configuration;
	if (k && str_has(k->metric_timezone) && !is_ok(zone_find(c->arena, k->metric_timezone, &z)))
		return CW_VALUE(c, "The value %.*s for parameter MetricTimezone is not supported.",
			STR_ARG(k->metric_timezone));
	for (size_t i = 0; k && i < k->excluded_time_ranges.n; i++)
		if (k->excluded_time_ranges.v[i].start_time.ms >= k->excluded_time_ranges.v[i].end_time.ms)
			return CW_VALUE(c, "The start of an excluded time range must be before its end.");
	struct cloudwatch_anomaly_detector d = {.configuration = in->configuration};
	put(c, &x, &d);
	return OK;
}

status cw_detector_ensure(struct call *c, const struct cloudwatch_metric_stat *s)
{
	struct asked x = {.s = {.namespace = s->metric->namespace,
				  .metric_name = s->metric->metric_name,
				  .dimensions = s->metric->dimensions,
				  .stat = s->stat}};
	struct cloudwatch_anomaly_detector d = {0};
	struct str bytes;
	x.m = metric_of(c->arena, c->account, c->region, &x.s);
	x.key = key_of(c->arena, c->account, c->region, &x.m, s->stat);
	status known = store_get(c->tx, x.key, &bytes);
	if (!status_is(known, STATUS_NOT_FOUND)) return known;
	put(c, &x, &d);
	return OK;
}

status cloudwatch_delete_anomaly_detector(struct call *c, const struct cloudwatch_delete_anomaly_detector_input *in,
	struct cloudwatch_delete_anomaly_detector_output *out)
{
	struct asked x;
	struct str bytes;
	(void)out;
	TRY(read(c, in->namespace, in->metric_name, &in->dimensions, in->stat, in->single_metric_anomaly_detector,
		in->metric_math_anomaly_detector, &x));
	status s = store_get(c->tx, x.key, &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return CW_FAIL(c, RESOURCE_NOT_FOUND_EXCEPTION, "The anomaly detector does not exist.");
	TRY(s);
	store_delete(c->tx, x.key);
	return OK;
}

/* Enough to tell what is expected, of the last two weeks. */
static status state_of(struct call *c, struct cloudwatch_anomaly_detector *d)
{
	enum { HOURS = 14 * 24, LEAST = 3 };
	struct metric m = metric_of(c->arena, c->account, c->region, d->single_metric_anomaly_detector);
	int64_t now = c->now_ms / 1000 / 3600 * 3600;
	struct cw_query q = {.id = cw_id_of(c->arena, &m),
		.from = now - (HOURS - 1) * 3600ll,
		.to = now + 3600,
		.period = 3600,
		.unit = CW_UNIT_ANY,
		.now = now};
	struct cw_sum *sums = arena_new_n(c->arena, struct cw_sum, HOURS + 1);
	double points = 0;
	TRY(cw_points_read(c->tx, c->arena, &q, sums));
	for (size_t i = 0; i < HOURS; i++) points += sums[i].n;
	d->state_value = points >= LEAST ? STR("TRAINED") : STR("TRAINED_INSUFFICIENT_DATA");
	return OK;
}

static bool concerns(
	const struct cloudwatch_describe_anomaly_detectors_input *in, const struct cloudwatch_anomaly_detector *d)
{
	if (str_has(in->namespace) && !str_eq(in->namespace, d->namespace)) return false;
	if (str_has(in->metric_name) && !str_eq(in->metric_name, d->metric_name)) return false;
	for (size_t i = 0; i < in->dimensions.n; i++) {
		bool has = false;
		for (size_t k = 0; k < d->dimensions.n; k++)
			has = has || (str_eq(in->dimensions.v[i].name, d->dimensions.v[k].name) &&
					     str_eq(in->dimensions.v[i].value, d->dimensions.v[k].value));
		if (!has) return false;
	}
	return true;
}

status cloudwatch_describe_anomaly_detectors(struct call *c,
	const struct cloudwatch_describe_anomaly_detectors_input *in,
	struct cloudwatch_describe_anomaly_detectors_output *out)
{
	struct metric none = {0};
	struct str space = key_of(c->arena, c->account, c->region, &none, STR("")), key, value;
	size_t capacity = 0, at = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	uint64_t skip = 0;
	status s = OK;
	bool wanted = !in->anomaly_detector_types.n;
	for (size_t i = 0; i < in->anomaly_detector_types.n; i++)
		wanted = wanted || str_is(in->anomaly_detector_types.v[i], "SINGLE_METRIC");
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &skip)))
		return CW_FAIL(c, INVALID_NEXT_TOKEN, "The value %.*s for parameter NextToken is invalid.",
			STR_ARG(in->next_token));
	VEC_PRESENT(c->arena, &out->anomaly_detectors);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (is_ok(s) && wanted && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_anomaly_detector d;
		s = decode(c->arena, str_dup(c->arena, value), &d);
		if (!is_ok(s) || !concerns(in, &d) || at++ < skip) continue;
		if (out->anomaly_detectors.n == most) {
			out->next_token = str_fmt(c->arena, "%zu", at - 1);
			break;
		}
		s = state_of(c, &d);
		*VEC_PUSH(c->arena, &out->anomaly_detectors, &capacity) = d;
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}
