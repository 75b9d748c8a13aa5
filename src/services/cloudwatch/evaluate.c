/* The evaluation of metric alarms: a job for each, every minute, or every ten seconds where the period is shorter. "At
 * the end of minute 6, the alarm is evaluated based on the data from minutes 2 to 6": windows slide by the minute. */
#include "base/json.h"
#include "services/cloudwatch/alarm.h"
#include <math.h>
#include <stdlib.h>

enum { EXTRA = 2 /* periods beyond those asked for, where points are missing */ };

struct evaluation {
	struct arena *a;
	struct cw_alarm *alarm;
	int64_t now_ms, from; /* seconds */
	int32_t period;
	struct cw_judgement j;
	double *samples; /* of alarms on one metric */
	uint8_t *used;
	size_t filled;
};

/* ── points ── */

static status read_metric(struct evaluation *e, struct store_tx *tx)
{
	const struct cloudwatch_metric_alarm *m = &e->alarm->metric;
	struct cw_stat stat;
	struct metric_dimension *d = arena_new_n(e->a, struct metric_dimension, m->dimensions.n + 1);
	for (size_t i = 0; i < m->dimensions.n; i++)
		d[i] = (struct metric_dimension){m->dimensions.v[i].name, m->dimensions.v[i].value};
	struct metric metric = {e->alarm->account, e->alarm->region, m->namespace, m->metric_name, d, m->dimensions.n};
	if (!cw_stat_read(str_or(m->statistic, m->extended_statistic), &stat)) return STATUS(CORRUPT);
	struct cw_query q = {.id = cw_id_of(e->a, &metric),
		.from = e->from,
		.to = e->from + (int64_t)e->j.n * e->period,
		.period = e->period,
		.unit = str_has(m->unit) ? cw_unit(m->unit) : CW_UNIT_ANY,
		.pairs = cw_stat_needs_pairs(&stat),
		.now = e->now_ms / 1000};
	struct cw_sum *sums = arena_new_n(e->a, struct cw_sum, e->j.n);
	double *v = arena_array(e->a, e->j.n, sizeof(*v));
	e->samples = arena_array(e->a, e->j.n, sizeof(*v));
	TRY(cw_points_read(tx, e->a, &q, sums));
	bool ignores = str_is(str_or(m->evaluate_low_sample_count_percentile, STR("")), "ignore");
	for (size_t i = 0; i < e->j.n; i++) {
		e->samples[i] = sums[i].n;
		/* "… too few data points to be statistically significant": fewer than 10/(1-p) of the upper half, 10/p
		 * of the lower. */
		double p = stat.low / 100, enough = stat.kind != CW_PERCENTILE ? 0 : p >= 0.5 ? 10 / (1 - p) : 10 / p;
		if (!cw_stat_of(&stat, &sums[i], &v[i]) || (ignores && sums[i].n < enough)) v[i] = NAN;
	}
	e->j.v = v;
	return OK;
}

/* INVALID: the expression cannot be evaluated now. */
static status read_math(struct evaluation *e, struct store_tx *tx, struct cw_math *m, size_t which)
{
	struct cw_value v;
	m->tx = tx;
	m->now = e->now_ms / 1000;
	m->from = e->from;
	m->to = e->from + (int64_t)e->j.n * e->period;
	m->exact = true;
	TRY(cw_math_run(m, which, &v));
	if (v.n != 1) return cw_math_fail(m, "The expression returned %zu time series, not one", v.n);
	e->j.v = v.v[0].v;
	if (!str_has(e->alarm->metric.threshold_metric_id)) return OK;
	TRY(cw_math_run(m, cw_math_find(m, e->alarm->metric.threshold_metric_id), &v));
	if (v.n != 2) return cw_math_fail(m, "The band returned %zu time series, not two", v.n);
	e->j.upper = v.v[0].v;
	e->j.lower = v.v[1].v;
	return OK;
}

static status read_points(struct evaluation *e, struct store_tx *tx, bool *impossible)
{
	const struct cloudwatch_metric_alarm *m = &e->alarm->metric;
	struct cw_math math = {
		.a = e->a, .account = e->alarm->account, .region = e->alarm->region, .queries = &m->metrics};
	size_t which = 0;
	status s;
	e->period = m->period.v;
	if (m->metrics.n) {
		s = cw_math_prepare(&math);
		if (!is_ok(s)) return status_is(s, STATUS_INVALID) ? STATUS(CORRUPT) : s;
		while ((m->metrics.v[which].return_data.has && !m->metrics.v[which].return_data.v) ||
			str_eq(m->metrics.v[which].id, m->threshold_metric_id))
			which++;
		e->period = (int32_t)cw_math_period(&math, which);
	}
	int64_t step = e->period < 60 ? e->period : 60, end = e->now_ms / 1000 / step * step;
	e->j.periods = (size_t)m->evaluation_periods.v;
	e->j.n = e->j.periods + EXTRA;
	e->from = end - (int64_t)e->j.n * e->period;
	e->used = arena_alloc(e->a, e->j.n);
	if (!m->metrics.n) return read_metric(e, tx);
	s = read_math(e, tx, &math, which);
	*impossible = status_is(s, STATUS_INVALID);
	return *impossible ? OK : s;
}

/* ── words ── */

static const char *words_of(char op)
{
	return op == '>'   ? "greater than"
	       : op == '<' ? "less than"
	       : op == 'g' ? "greater than or equal to"
			   : "less than or equal to";
}

/* 29/11/26 12:05:00 */
static struct str when(struct arena *a, int64_t at)
{
	struct str t = time_iso8601(a, at * 1000, false);
	return str_fmt(a, "%.2s/%.2s/%.2s %.8s", t.p + 8, t.p + 5, t.p + 2, t.p + 11);
}

static void number(struct buf *b, double v)
{
	size_t from = b->n;
	buf_f64(b, v);
	struct str text = str_n(b->p + from, b->n - from);
	if (str_chr(text, '.') < 0 && str_chr(text, 'e') < 0) buf_lit(b, ".0");
}

/* "less than the lower thresholds [3.1, 3.2]", of the points that are told. */
static void edges(struct buf *b, const struct evaluation *e, bool alarm, const double *edge, const char *words)
{
	bool first = true;
	buf_fmt(b, "%s [", words);
	for (size_t i = e->j.n; i-- > 0;) {
		if (!e->used[i] || cw_breaches(&e->j, i) != alarm) continue;
		if (!first) buf_lit(b, ", ");
		first = false;
		number(b, edge[i]);
	}
	buf_byte(b, ']');
}

/* ,"NAME":[…]: of the points that were judged */
static void recent(struct buf *b, const struct evaluation *e, const char *name, const double *v)
{
	buf_fmt(b, ",\"%s\":[", name);
	for (size_t i = 0, n = 0; i < e->j.n; i++) {
		if (!e->used[i]) continue;
		if (n++) buf_byte(b, ',');
		number(b, v[i]);
	}
	buf_byte(b, ']');
}

static struct str reason_of(struct evaluation *e, enum cw_outcome found)
{
	struct buf b = BUF_IN(e->a);
	size_t used = 0, bad = 0;
	bool alarm = found == CW_ALARM;
	for (size_t i = 0; i < e->j.n; i++) {
		used += e->used[i];
		bad += e->used[i] && cw_breaches(&e->j, i);
	}
	if (found == CW_INSUFFICIENT) {
		buf_fmt(&b, "Insufficient Data: %zu datapoint%s unknown.", e->filled,
			e->filled == 1 ? " was" : "s were");
		return buf_done(&b);
	}
	if (!used) {
		buf_fmt(&b,
			"Threshold Crossed: no datapoints were received for %zu period%s and %zu missing datapoint%s "
			"treated as [%s].",
			e->j.periods, e->j.periods == 1 ? "" : "s", e->filled, e->filled == 1 ? " was" : "s were",
			e->j.missing == CW_BREACHING ? "Breaching" : "NonBreaching");
		return buf_done(&b);
	}
	size_t told = alarm ? bad : used - bad;
	buf_fmt(&b, "Threshold%s Crossed: %zu out of the last %zu datapoints [", e->j.upper ? "s" : "", told, used);
	bool first = true;
	for (size_t i = e->j.n; i-- > 0;) {
		if (!e->used[i] || cw_breaches(&e->j, i) != alarm) continue;
		if (!first) buf_lit(&b, ", ");
		first = false;
		number(&b, e->j.v[i]);
		buf_fmt(&b, " (%.*s)", STR_ARG(when(e->a, e->from + (int64_t)i * e->period)));
	}
	buf_fmt(&b, "] %s %s", told == 1 ? "was" : "were", alarm ? "" : "not ");
	if (e->j.upper) {
		if (e->j.op != 'u') edges(&b, e, alarm, e->j.lower, "less than the lower thresholds");
		if (e->j.op == 'b') buf_lit(&b, " or ");
		if (e->j.op != 'd') edges(&b, e, alarm, e->j.upper, "greater than the upper thresholds");
		buf_lit(&b, " (");
	} else {
		buf_fmt(&b, "%s the threshold (", words_of(e->j.op));
		number(&b, e->j.threshold);
		buf_lit(&b, ") (");
	}
	size_t least = alarm ? e->j.needed : e->j.periods - e->j.needed + 1;
	buf_fmt(&b, "minimum %zu datapoint%s for %s transition).", least, least == 1 ? "" : "s",
		alarm ? "OK -> ALARM" : "ALARM -> OK");
	return buf_done(&b);
}

static struct str data_of(struct evaluation *e)
{
	const struct cloudwatch_metric_alarm *m = &e->alarm->metric;
	struct buf b = BUF_IN(e->a);
	size_t first = e->j.n;
	for (size_t i = e->j.n; i-- > 0;)
		if (e->used[i]) first = i;
	buf_fmt(&b, "{\"version\":\"1.0\",\"queryDate\":\"%.*s\"", STR_ARG(cw_time_text(e->a, e->now_ms)));
	if (first < e->j.n)
		buf_fmt(&b, ",\"startDate\":\"%.*s\"",
			STR_ARG(cw_time_text(e->a, (e->from + (int64_t)first * e->period) * 1000)));
	if (str_has(m->statistic)) buf_fmt(&b, ",\"statistic\":\"%.*s\"", STR_ARG(m->statistic));
	if (str_has(m->extended_statistic))
		buf_fmt(&b, ",\"extendedStatistic\":\"%.*s\"", STR_ARG(m->extended_statistic));
	buf_fmt(&b, ",\"period\":%d", e->period);
	recent(&b, e, "recentDatapoints", e->j.v);
	if (e->j.upper) {
		recent(&b, e, "recentLowerThresholds", e->j.lower);
		recent(&b, e, "recentUpperThresholds", e->j.upper);
	} else {
		buf_lit(&b, ",\"threshold\":");
		number(&b, e->j.threshold);
	}
	buf_lit(&b, ",\"evaluatedDatapoints\":[");
	for (size_t i = e->j.n, n = 0; i-- > 0;) {
		if (!e->used[i]) continue;
		buf_fmt(&b, "%s{\"timestamp\":\"%.*s\"", n++ ? "," : "",
			STR_ARG(cw_time_text(e->a, (e->from + (int64_t)i * e->period) * 1000)));
		if (e->samples) {
			buf_lit(&b, ",\"sampleCount\":");
			number(&b, e->samples[i]);
		}
		buf_lit(&b, ",\"value\":");
		number(&b, e->j.v[i]);
		buf_byte(&b, '}');
	}
	buf_lit(&b, "]}");
	return b.n <= 4000 ? buf_done(&b) : STR_NONE;
}

/* ── the job ── */

static status evaluate_metric(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct cw_alarm *alarm,
	int64_t now_ms, int32_t *period)
{
	const struct cloudwatch_metric_alarm *m = &alarm->metric;
	struct evaluation e = {.a = a, .alarm = alarm, .now_ms = now_ms};
	struct str missing = str_or(m->treat_missing_data, STR("missing")), op = m->comparison_operator;
	struct cw_verdict v = {0};
	bool impossible = false;
	TRY(read_points(&e, tx, &impossible));
	*period = e.period;
	if (impossible) {
		alarm->metric.evaluation_state = STR("EVALUATION_ERROR");
		cw_alarm_put(tx, a, alarm);
		return OK;
	}
	e.j.needed = (size_t)(m->datapoints_to_alarm.has ? m->datapoints_to_alarm.v : m->evaluation_periods.v);
	e.j.threshold = m->threshold.v;
	e.j.op = str_is(op, "LessThanLowerOrGreaterThanUpperThreshold") ? 'b'
		 : str_is(op, "LessThanLowerThreshold")                 ? 'd'
		 : str_is(op, "GreaterThanUpperThreshold")              ? 'u'
		 : str_is(op, "GreaterThanThreshold")                   ? '>'
		 : str_is(op, "LessThanThreshold")                      ? '<'
		 : str_is(op, "LessThanOrEqualToThreshold")             ? 'l'
									: 'g';
	e.j.missing = str_is(missing, "breaching")      ? CW_BREACHING
		      : str_is(missing, "notBreaching") ? CW_NOT_BREACHING
		      : str_is(missing, "ignore")       ? CW_IGNORE
							: CW_MISSING;
	enum cw_outcome found = cw_judge(&e.j, e.used, &e.filled);
	v.state = found == CW_ALARM          ? STR("ALARM")
		  : found == CW_OK           ? STR("OK")
		  : found == CW_INSUFFICIENT ? STR("INSUFFICIENT_DATA")
					     : m->state_value;
	for (size_t i = e.j.n; i-- > 0 && !v.has_value;) {
		if (isnan(e.j.v[i])) continue;
		v.has_value = true;
		v.value = e.j.v[i];
	}
	if (!str_eq(v.state, m->state_value)) {
		v.reason = reason_of(&e, found);
		v.data = data_of(&e);
	}
	alarm->metric.evaluation_state = STR_NONE;
	return cw_alarm_settle(cloud, tx, a, alarm, &v, now_ms);
}

static status evaluate(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct str name = job->id, account = str_cut(&name, '/'), region = str_cut(&name, '/');
	struct cw_alarm alarm;
	int32_t period = 60;
	int64_t now = clock_now(cloud->clock);
	status s = cw_alarm_get(tx, a, account, region, name, &alarm);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (alarm.composite) return cw_composite_evaluate(cloud, tx, a, &alarm, again_ms);
	TRY(evaluate_metric(cloud, tx, a, &alarm, now, &period));
	int64_t step = period < 60 ? 10000 : 60000;
	*again_ms = now - now % step + step;
	return OK;
}

void cw_alarms_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, "cloudwatch.alarm", evaluate, cloud);
	cw_actions_start(cloud);
}
