/* Target tracking: its two alarms, made and deleted by Auto Scaling in CloudWatch ("How target tracking scaling …
 * works", the guide): three minutes above the target, fifteen a tenth below it. */
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "cloudwatch.h"
#include "services/autoscaling/policy.h"

enum { PERIOD_S = 60, HIGH_PERIODS = 3, LOW_PERIODS = 15 };

static struct inside_caller who(struct arena *a, struct as_place at)
{
	return inside_service(a, at.account, at.region, AS_PRINCIPAL);
}

status as_tracking_check(struct call *c, const struct autoscaling_target_tracking_configuration *t)
{
	if (!t)
		return AS_FAIL(
			c, "TargetTrackingConfiguration is required for policies of type TargetTrackingScaling.");
	if (!t->predefined_metric_specification == !t->customized_metric_specification)
		return AS_FAIL(c, "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must "
				  "be specified.");
	if (t->target_value.v <= 0) return AS_FAIL(c, "TargetValue must be greater than 0.");
	const struct autoscaling_predefined_metric_specification *p = t->predefined_metric_specification;
	bool alb = p && str_is(p->predefined_metric_type, "ALBRequestCountPerTarget");
	if (alb && str_find(p->resource_label, STR("/targetgroup/")) < 0)
		return AS_FAIL(c, "A ResourceLabel of the form app/<load-balancer-name>/<load-balancer-id>/targetgroup/"
				  "<target-group-name>/<target-group-id> is required for ALBRequestCountPerTarget.");
	if (p && !alb && str_has(p->resource_label))
		return AS_FAIL(c, "ResourceLabel is only valid for ALBRequestCountPerTarget.");
	const struct autoscaling_customized_metric_specification *m = t->customized_metric_specification;
	if (m && !m->metrics.n && (!str_has(m->metric_name) || !str_has(m->namespace) || !str_has(m->statistic)))
		return AS_FAIL(c,
			"MetricName, Namespace and Statistic are required in a CustomizedMetricSpecification without "
			"Metrics.");
	return OK;
}

void as_tracking_name(struct arena *a, struct as_place at, struct autoscaling_scaling_policy *p, struct str partition)
{
	static const char *const kinds[] = {"AlarmHigh", "AlarmLow"};
	size_t capacity = 0, n = p->target_tracking_configuration->disable_scale_in.v ? 1 : 2;
	p->alarms = (struct autoscaling_alarms){0};
	for (size_t i = 0; i < n; i++) {
		/* Always the same of one policy: putting it again changes its alarms. */
		ptrdiff_t of = str_find(p->policy_arn, STR(":scalingPolicy:"));
		struct str id = str_sub(p->policy_arn, (size_t)of + 15, 36);
		struct str name = str_fmt(
			a, "TargetTracking-%.*s-%s-%.*s", STR_ARG(p->auto_scaling_group_name), kinds[i], STR_ARG(id));
		*VEC_PUSH(a, &p->alarms, &capacity) = (struct autoscaling_alarm){
			name, str_fmt(a, "arn:%.*s:cloudwatch:%.*s:%.*s:alarm:%.*s", STR_ARG(partition),
				      STR_ARG(at.region), STR_ARG(at.account), STR_ARG(name))};
	}
}

static void dimension(struct arena *a, struct cloudwatch_put_metric_alarm_input *in, size_t *capacity, struct str name,
	struct str value)
{
	*VEC_PUSH(a, &in->dimensions, capacity) = (struct cloudwatch_dimension){name, value};
}

static void watch_predefined(struct arena *a, const struct autoscaling_scaling_policy *p,
	const struct autoscaling_predefined_metric_specification *m, struct cloudwatch_put_metric_alarm_input *in)
{
	size_t capacity = 0;
	in->period = SOME_I32(PERIOD_S);
	in->statistic = STR("Average");
	if (str_is(m->predefined_metric_type, "ALBRequestCountPerTarget")) {
		in->namespace = STR("AWS/ApplicationELB");
		in->metric_name = STR("RequestCountPerTarget");
		in->statistic = STR("Sum");
		ptrdiff_t at = str_find(m->resource_label, STR("targetgroup/"));
		dimension(a, in, &capacity, STR("TargetGroup"), str_from(m->resource_label, (size_t)at));
		return;
	}
	in->namespace = STR("AWS/EC2");
	in->metric_name = STR("CPUUtilization");
	if (str_is(m->predefined_metric_type, "ASGAverageNetworkIn")) in->metric_name = STR("NetworkIn");
	if (str_is(m->predefined_metric_type, "ASGAverageNetworkOut")) in->metric_name = STR("NetworkOut");
	dimension(a, in, &capacity, STR("AutoScalingGroupName"), p->auto_scaling_group_name);
}

static void watch_customized(struct arena *a, const struct autoscaling_customized_metric_specification *m,
	struct cloudwatch_put_metric_alarm_input *in)
{
	size_t capacity = 0;
	for (size_t i = 0; i < m->metrics.n; i++) {
		struct cloudwatch_metric_data_query *q = VEC_PUSH(a, &in->metrics, &capacity);
		wire_shape_copy(a, AS_TABLES, AUTOSCALING_SHAPE_TARGET_TRACKING_METRIC_DATA_QUERY, &m->metrics.v[i],
			&wire_service_cloudwatch.tables, CLOUDWATCH_SHAPE_METRIC_DATA_QUERY, q);
		if (q->metric_stat && !q->metric_stat->period.has) q->metric_stat->period = SOME_I32(PERIOD_S);
		if (!q->return_data.has) q->return_data = SOME_BOOL(true);
	}
	if (m->metrics.n) return;
	in->namespace = m->namespace;
	in->metric_name = m->metric_name;
	in->statistic = m->statistic;
	in->unit = m->unit;
	in->period = m->period.has ? m->period : SOME_I32(PERIOD_S);
	for (size_t i = 0; i < m->dimensions.n; i++)
		dimension(a, in, &capacity, m->dimensions.v[i].name, m->dimensions.v[i].value);
}

status as_tracking_put(struct cloud *cloud, struct arena *a, struct as_place at,
	const struct autoscaling_scaling_policy *p, struct str *why)
{
	const struct autoscaling_target_tracking_configuration *t = p->target_tracking_configuration;
	struct inside_caller caller = who(a, at);
	for (size_t i = 0; i < p->alarms.n; i++) {
		struct str action = p->policy_arn;
		struct cloudwatch_put_metric_alarm_input in = {.alarm_name = p->alarms.v[i].alarm_name,
			.alarm_description = str_fmt(a, "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy %.*s.",
				STR_ARG(p->policy_arn)),
			.actions_enabled = SOME_BOOL(true),
			.alarm_actions = {&action, 1},
			.evaluation_periods = SOME_I32(i == 0 ? HIGH_PERIODS : LOW_PERIODS),
			.threshold = SOME_F64(i == 0 ? t->target_value.v : t->target_value.v * 0.9),
			.comparison_operator = i == 0 ? STR("GreaterThanThreshold") : STR("LessThanThreshold")};
		if (t->predefined_metric_specification)
			watch_predefined(a, p, t->predefined_metric_specification, &in);
		else
			watch_customized(a, t->customized_metric_specification, &in);
		struct inside *done =
			inside_run(cloud, &caller, "cloudwatch", CLOUDWATCH_OP_PUT_METRIC_ALARM, &in, NULL);
		bool ok = done->ok;
		if (!ok) *why = str_dup(a, done->message);
		inside_free(done);
		if (!ok) return STATUS(FAILED);
	}
	return OK;
}

void as_tracking_drop(
	struct cloud *cloud, struct arena *a, struct as_place at, const struct autoscaling_scaling_policy *p)
{
	struct inside_caller caller = who(a, at);
	struct cloudwatch_delete_alarms_input in = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < p->alarms.n; i++) *VEC_PUSH(a, &in.alarm_names, &capacity) = p->alarms.v[i].alarm_name;
	struct inside *done = inside_run(cloud, &caller, "cloudwatch", CLOUDWATCH_OP_DELETE_ALARMS, &in, NULL);
	if (!done->ok)
		log_warn("autoscaling", "alarms_stay", "policy=%.*s why=\"%.*s\"", STR_ARG(p->policy_name),
			STR_ARG(done->message));
	inside_free(done);
}

bool as_tracking_agree(struct cloud *cloud, struct arena *a, struct as_place at, struct str group, struct str policy)
{
	struct cloudwatch_describe_alarms_input in = {0};
	size_t capacity = 0, alarms = 0;
	struct as_each e = as_each(at, "policy", group);
	while (as_next(&e)) {
		struct as_policy p;
		if (str_eq(e.name, policy) || !is_ok(as_policy_get(at, group, e.name, &p))) continue;
		bool counts = as_tracks(&p.p) && (!p.p.enabled.has || p.p.enabled.v) && p.p.alarms.n == 2;
		if (counts) *VEC_PUSH(a, &in.alarm_names, &capacity) = p.p.alarms.v[1].alarm_name;
	}
	if (!is_ok(as_each_end(&e))) return false;
	if (!in.alarm_names.n) return true;
	struct inside_caller caller = who(a, at);
	struct inside *done = inside_run(cloud, &caller, "cloudwatch", CLOUDWATCH_OP_DESCRIBE_ALARMS, &in, NULL);
	if (done->ok) {
		const struct cloudwatch_describe_alarms_output *out = done->out;
		for (size_t i = 0; i < out->metric_alarms.n; i++)
			alarms += str_is(out->metric_alarms.v[i].state_value, "ALARM");
	}
	inside_free(done);
	return alarms == in.alarm_names.n;
}

status as_alarms_of(
	struct cloud *cloud, struct arena *a, struct as_place at, struct str policy_arn, struct autoscaling_alarms *out)
{
	struct cloudwatch_describe_alarms_input in = {.action_prefix = policy_arn};
	struct inside_caller caller = who(a, at);
	struct inside *done = inside_run(cloud, &caller, "cloudwatch", CLOUDWATCH_OP_DESCRIBE_ALARMS, &in, NULL);
	size_t capacity = 0;
	*out = (struct autoscaling_alarms){0};
	if (done->ok) {
		const struct cloudwatch_describe_alarms_output *alarms = done->out;
		for (size_t i = 0; i < alarms->metric_alarms.n; i++)
			*VEC_PUSH(a, out, &capacity) =
				(struct autoscaling_alarm){str_dup(a, alarms->metric_alarms.v[i].alarm_name),
					str_dup(a, alarms->metric_alarms.v[i].alarm_arn)};
	}
	inside_free(done);
	return OK;
}
