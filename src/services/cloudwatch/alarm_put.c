/* PutMetricAlarm: what an alarm may be. A new alarm has not been evaluated yet: INSUFFICIENT_DATA; one that is changed
 * keeps its state. */
#include "base/json.h"
#include "services/cloudwatch/alarm.h"
#include "services/cloudwatch/anomaly.h"
#include <stdarg.h>

enum { TAGS_MAX = 50 };

status cw_invalid(struct call *c, const char *fmt, ...)
{
	struct buf b = BUF_IN(c->arena);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	struct str text = buf_done(&b);
	return cw_math_error(c, &(struct cw_math){.why = text}, STATUS(INVALID));
}

static bool is_arn(struct str s)
{
	struct str rest = s;
	size_t n = 0;
	while (n < 5 && str_has(rest)) {
		(void)str_cut(&rest, ':');
		n++;
	}
	return str_starts(s, STR("arn:")) && n == 5 && str_has(rest) && rest.n;
}

/* arn:aws:automate:REGION:ec2:stop */
static bool is_instance_action(struct str arn)
{
	static const char *const known[] = {":ec2:stop", ":ec2:terminate", ":ec2:reboot", ":ec2:recover"};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_ends(arn, str_c(known[i]))) return true;
	return false;
}

static status check_action(struct call *c, struct str arn, bool instance)
{
	struct str rest = arn;
	if (!is_arn(arn) && str_find(arn, STR(":automate:")) < 0)
		return cw_invalid(c, "Invalid arn syntax: %.*s", STR_ARG(arn));
	(void)str_cut(&rest, ':');
	(void)str_cut(&rest, ':');
	struct str service = str_cut(&rest, ':');
	if (str_is(service, "sns") || str_is(service, "autoscaling")) return OK;
	if (!str_is(service, "automate"))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Alarm actions of %.*s are not implemented yet; topics, Auto Scaling policies and "
			"arn:aws:automate:REGION:ec2:… are.",
			STR_ARG(service));
	if (!is_instance_action(arn)) return cw_invalid(c, "Invalid arn syntax: %.*s", STR_ARG(arn));
	if (!instance)
		return cw_invalid(
			c, "EC2 actions need an alarm on one metric with the dimension InstanceId: %.*s", STR_ARG(arn));
	return OK;
}

status cw_actions_check(struct call *c, const struct cloudwatch_resource_list *l, bool instance)
{
	for (size_t i = 0; i < l->n; i++) TRY(check_action(c, l->v[i], instance));
	return OK;
}

status cw_tags_read(struct call *c, const struct cloudwatch_tag_list *in, struct cloudwatch_rec_tags *out)
{
	size_t capacity = out->n;
	if (out->n) {
		struct cloudwatch_rec_tag *v = arena_copy(c->arena, out->v, out->n * sizeof(*v));
		out->v = v;
	}
	for (size_t i = 0; i < in->n; i++) {
		struct cloudwatch_rec_tag tag = {in->v[i].key, in->v[i].value};
		size_t k = 0;
		if (str_istarts(tag.key, STR("aws:")) && !c->system_tags)
			return CW_VALUE(c, "Tag keys that begin with aws: are reserved for system use.");
		while (k < out->n && !str_eq(out->v[k].key, tag.key)) k++;
		if (k < out->n)
			out->v[k] = tag;
		else
			*VEC_PUSH(c->arena, out, &capacity) = tag;
	}
	return out->n > TAGS_MAX ? CW_VALUE(c, "A resource may have 50 tags at most.") : OK;
}

/* ── what is watched ── */

/* "If the alarm is based on an anomaly detection model, ThresholdMetricId is the id of the ANOMALY_DETECTION_BAND
 * function". The metric gets a detector, where it has none. */
static status check_band(struct call *c, const struct cloudwatch_put_metric_alarm_input *in, struct cw_math *m)
{
	size_t band = cw_math_find(m, in->threshold_metric_id);
	if (band == in->metrics.n)
		return cw_invalid(
			c, "The ThresholdMetricId %.*s is not among the metrics.", STR_ARG(in->threshold_metric_id));
	const struct cw_node *n = m->trees[band];
	if (!n || n->kind != CW_N_CALL || !str_is(n->text, "ANOMALY_DETECTION_BAND") || !n->first)
		return cw_invalid(c, "The ThresholdMetricId must name an expression with ANOMALY_DETECTION_BAND.");
	size_t of = n->first->kind == CW_N_NAME ? cw_math_find(m, n->first->text) : in->metrics.n;
	if (of < in->metrics.n && in->metrics.v[of].metric_stat)
		return cw_detector_ensure(c, in->metrics.v[of].metric_stat);
	return OK;
}

static status check_math(struct call *c, const struct cloudwatch_put_metric_alarm_input *in, int64_t *period)
{
	struct cw_math m = {.a = c->arena, .account = c->account, .region = c->region, .queries = &in->metrics};
	size_t returned = 0, which = 0;
	if (str_has(in->metric_name) || str_has(in->namespace) || str_has(in->statistic) ||
		str_has(in->extended_statistic) || in->dimensions.v || in->period.has || str_has(in->unit))
		return cw_invalid(c, "If Metrics is given, MetricName, Namespace, Dimensions, Period, Unit, Statistic "
				     "and ExtendedStatistic cannot be.");
	status s = cw_math_prepare(&m);
	if (!is_ok(s)) return cw_math_error(c, &m, s);
	for (size_t i = 0; i < in->metrics.n; i++) {
		const struct cloudwatch_metric_data_query *q = &in->metrics.v[i];
		if (q->return_data.has && !q->return_data.v) continue;
		if (str_has(in->threshold_metric_id) && str_eq(q->id, in->threshold_metric_id)) continue;
		returned++;
		which = i;
	}
	if (str_has(in->threshold_metric_id)) TRY(check_band(c, in, &m));
	if (returned != 1) return cw_invalid(c, "Exactly one element of the metrics list should return data.");
	const struct cw_node *tree = m.trees[which];
	if (tree && tree->kind == CW_N_SELECT && cw_select_groups(tree->select))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Alarms over each time series of a Metrics Insights query with GROUP BY are not implemented "
			"yet.");
	*period = cw_math_period(&m, which);
	return OK;
}

static status check_metric(struct call *c, const struct cloudwatch_put_metric_alarm_input *in)
{
	struct cw_stat stat;
	struct metric m;
	if (!str_has(in->metric_name) || !str_has(in->namespace))
		return cw_invalid(c, "The parameters MetricName and Namespace, or Metrics, must be specified.");
	if (str_has(in->statistic) == str_has(in->extended_statistic))
		return cw_invalid(
			c, "Exactly one of the parameters Statistic and ExtendedStatistic must be specified.");
	if (str_has(in->extended_statistic) &&
		(!cw_stat_read(in->extended_statistic, &stat) || !cw_stat_needs_pairs(&stat)))
		return cw_invalid(c, "The value %.*s for parameter ExtendedStatistic is not supported.",
			STR_ARG(in->extended_statistic));
	if (!in->period.has) return cw_invalid(c, "The parameter Period must be specified.");
	if (!cw_period_legal(in->period.v) || in->period.v == 1 || in->period.v == 5)
		return cw_invalid(c, "The parameter Period must be 10, 20, 30 or a multiple of 60.");
	return cw_metric_of(c, in->namespace, in->metric_name, &in->dimensions, "", &m);
}

static status check_way(struct call *c, const struct cloudwatch_put_metric_alarm_input *in, int64_t period)
{
	if (!in->evaluation_periods.has || !str_has(in->comparison_operator))
		return cw_invalid(c, "The parameters EvaluationPeriods and ComparisonOperator must be specified.");
	bool band = str_find(in->comparison_operator, STR("Upper")) >= 0 ||
		    str_find(in->comparison_operator, STR("Lower")) >= 0;
	if (band != str_has(in->threshold_metric_id))
		return cw_invalid(c,
			"ThresholdMetricId and the comparison operators of anomaly detection bands must be "
			"used together.");
	if (band && in->threshold.has)
		return cw_invalid(c, "Threshold and ThresholdMetricId cannot both be specified.");
	if (band && !in->metrics.n) return cw_invalid(c, "ThresholdMetricId needs Metrics.");
	if (!band && !in->threshold.has) return cw_invalid(c, "The parameter Threshold must be specified.");
	if (in->datapoints_to_alarm.has && in->datapoints_to_alarm.v > in->evaluation_periods.v)
		return cw_invalid(c, "DatapointsToAlarm must not be greater than EvaluationPeriods.");
	int64_t most = period >= 3600 ? 7 * 86400 : 86400;
	if (in->evaluation_periods.v * period > most)
		return cw_invalid(c,
			"Metrics cannot be checked across more than %s (EvaluationPeriods * Period must be <= %lld).",
			most > 86400 ? "a week" : "a day", (long long)most);
	if (str_has(in->treat_missing_data)) {
		struct str t = in->treat_missing_data;
		if (!str_is(t, "breaching") && !str_is(t, "notBreaching") && !str_is(t, "ignore") &&
			!str_is(t, "missing"))
			return cw_invalid(c,
				"The value %.*s for parameter TreatMissingData is invalid: it must be breaching, "
				"notBreaching, ignore or "
				"missing.",
				STR_ARG(t));
	}
	if (str_has(in->evaluate_low_sample_count_percentile)) {
		struct str t = in->evaluate_low_sample_count_percentile;
		if (!str_is(t, "evaluate") && !str_is(t, "ignore"))
			return cw_invalid(c,
				"The value %.*s for parameter EvaluateLowSampleCountPercentile is invalid.",
				STR_ARG(t));
		if (!str_has(in->extended_statistic) || in->extended_statistic.p[0] != 'p')
			return cw_invalid(c, "EvaluateLowSampleCountPercentile is for alarms on percentiles only.");
	}
	return OK;
}

static status check(struct call *c, const struct cloudwatch_put_metric_alarm_input *in)
{
	int64_t period = in->period.v;
	bool instance = false;
	if (in->evaluation_criteria || in->evaluation_interval.has)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Alarms on PromQL queries are not implemented yet.");
	if (in->metrics.n)
		TRY(check_math(c, in, &period));
	else
		TRY(check_metric(c, in));
	TRY(check_way(c, in, period));
	for (size_t i = 0; i < in->dimensions.n; i++)
		instance = instance || str_is(in->dimensions.v[i].name, "InstanceId");
	TRY(cw_actions_check(c, &in->ok_actions, instance));
	TRY(cw_actions_check(c, &in->alarm_actions, instance));
	return cw_actions_check(c, &in->insufficient_data_actions, instance);
}

/* ── the operation ── */

static void fill(const struct cloudwatch_put_metric_alarm_input *in, struct cloudwatch_metric_alarm *m)
{
	m->alarm_name = in->alarm_name;
	m->alarm_description = in->alarm_description;
	m->actions_enabled = SOME_BOOL(!in->actions_enabled.has || in->actions_enabled.v);
	m->ok_actions = in->ok_actions;
	m->alarm_actions = in->alarm_actions;
	m->insufficient_data_actions = in->insufficient_data_actions;
	m->metric_name = in->metric_name;
	m->namespace = in->namespace;
	m->statistic = in->statistic;
	m->extended_statistic = in->extended_statistic;
	m->dimensions = in->dimensions;
	m->period = in->period;
	m->unit = in->unit;
	m->evaluation_periods = in->evaluation_periods;
	m->datapoints_to_alarm = in->datapoints_to_alarm;
	m->threshold = in->threshold;
	m->comparison_operator = in->comparison_operator;
	m->treat_missing_data = in->treat_missing_data;
	m->evaluate_low_sample_count_percentile = in->evaluate_low_sample_count_percentile;
	m->metrics = in->metrics;
	m->threshold_metric_id = in->threshold_metric_id;
}

status cloudwatch_put_metric_alarm(struct call *c, const struct cloudwatch_put_metric_alarm_input *in,
	struct cloudwatch_put_metric_alarm_output *out)
{
	struct cw_alarm alarm;
	(void)out;
	TRY(check(c, in));
	status s = cw_alarm_get(c->tx, c->arena, c->account, c->region, in->alarm_name, &alarm);
	bool there = is_ok(s);
	if (!there && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (there && alarm.composite)
		return cw_invalid(c, "A composite alarm of the name %.*s exists already.", STR_ARG(in->alarm_name));
	if (!there) {
		alarm = (struct cw_alarm){.account = c->account, .region = c->region};
		alarm.metric = (struct cloudwatch_metric_alarm){
			.alarm_arn = cw_alarm_arn(c->arena, c->account, c->region, in->alarm_name),
			.state_value = STR("INSUFFICIENT_DATA"),
			.state_reason = STR("Unchecked: Initial alarm creation"),
			.state_updated_timestamp = SOME_TIME(c->now_ms),
			.state_transitioned_timestamp = SOME_TIME(c->now_ms)};
		TRY(cw_tags_read(c, &in->tags, &alarm.r.tags));
	}
	fill(in, &alarm.metric);
	alarm.metric.alarm_configuration_updated_timestamp = SOME_TIME(c->now_ms);
	cw_alarm_put(c->tx, c->arena, &alarm);
	cw_history_add(c->tx, c->arena, &alarm, c->now_ms, "ConfigurationUpdate",
		str_fmt(c->arena, "Alarm \"%.*s\" %s", STR_ARG(in->alarm_name), there ? "updated" : "created"),
		str_fmt(c->arena, "{\"version\":\"1.0\",\"type\":\"%s\",\"%s\":%.*s}", there ? "Update" : "Create",
			there ? "updatedAlarm" : "createdAlarm", STR_ARG(alarm.r.alarm)));
	cw_alarm_schedule(c->tx, c->arena, &alarm, c->now_ms);
	return OK;
}
