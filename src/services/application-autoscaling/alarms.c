/* The two alarms of a target tracking policy, as Application Auto Scaling makes them in CloudWatch: what is consumed of
 * the provisioned capacity, above the target for two minutes, or well below it for fifteen. */
#include "base/log.h"
#include "call/inside.h"
#include "cloudwatch.h"
#include "services/application-autoscaling/room.h"

enum { PERIOD_S = 60, HIGH_PERIODS = 2, LOW_PERIODS = 15 };

void aas_alarms_name(struct call *c, struct application_autoscaling_scaling_policy *p, struct str id)
{
	static const char *const kinds[] = {"AlarmHigh", "AlarmLow"};
	size_t capacity = 0, n = p->target_tracking_scaling_policy_configuration->disable_scale_in.v ? 1 : 2;
	p->alarms = (struct application_autoscaling_alarms){0};
	for (size_t i = 0; i < n; i++) {
		struct str name = str_fmt(
			c->arena, "TargetTracking-%.*s-%s-%.*s", STR_ARG(p->resource_id), kinds[i], STR_ARG(id));
		*VEC_PUSH(c->arena, &p->alarms, &capacity) = (struct application_autoscaling_alarm){
			name, str_fmt(c->arena, "arn:%.*s:cloudwatch:%.*s:%.*s:alarm:%.*s", STR_ARG(c->partition),
				      STR_ARG(c->region), STR_ARG(c->account), STR_ARG(name))};
	}
}

static void dimension(struct arena *a, struct cloudwatch_put_metric_alarm_input *in, size_t *capacity, struct str name,
	struct str value)
{
	*VEC_PUSH(a, &in->dimensions, capacity) = (struct cloudwatch_dimension){name, value};
}

/* Consumed units by the minute, against a share of what is provisioned for one. */
static void watch_units(struct arena *a, const struct application_autoscaling_scaling_policy *p, int64_t units,
	double share, struct cloudwatch_put_metric_alarm_input *in)
{
	size_t capacity = 0;
	struct str rest = str_from(p->resource_id, 6), table = rest;
	ptrdiff_t index = str_find(rest, STR("/index/"));
	in->namespace = STR("AWS/DynamoDB");
	in->metric_name = str_ends(p->scalable_dimension, STR("ReadCapacityUnits")) ? STR("ConsumedReadCapacityUnits")
										    : STR("ConsumedWriteCapacityUnits");
	in->statistic = STR("Sum");
	in->period = SOME_I32(PERIOD_S);
	if (index > 0) table = str_sub(rest, 0, (size_t)index);
	dimension(a, in, &capacity, STR("TableName"), table);
	if (index > 0) dimension(a, in, &capacity, STR("GlobalSecondaryIndexName"), str_from(rest, (size_t)index + 7));
	in->threshold = SOME_F64((double)units * PERIOD_S * share);
}

static void watch_own(struct arena *a, const struct application_autoscaling_customized_metric_specification *m,
	struct cloudwatch_put_metric_alarm_input *in)
{
	size_t capacity = 0;
	for (size_t i = 0; i < m->metrics.n; i++) {
		struct cloudwatch_metric_data_query *q = VEC_PUSH(a, &in->metrics, &capacity);
		wire_shape_copy(a, AAS_TABLES, APPLICATION_AUTOSCALING_SHAPE_TARGET_TRACKING_METRIC_DATA_QUERY,
			&m->metrics.v[i], &wire_service_cloudwatch.tables, CLOUDWATCH_SHAPE_METRIC_DATA_QUERY, q);
		if (q->metric_stat && !q->metric_stat->period.has) q->metric_stat->period = SOME_I32(PERIOD_S);
		if (!q->return_data.has) q->return_data = SOME_BOOL(true);
	}
	if (m->metrics.n) return;
	in->namespace = m->namespace;
	in->metric_name = m->metric_name;
	in->statistic = m->statistic;
	in->unit = m->unit;
	in->period = SOME_I32(PERIOD_S);
	for (size_t i = 0; i < m->dimensions.n; i++)
		dimension(a, in, &capacity, m->dimensions.v[i].name, m->dimensions.v[i].value);
}

status aas_alarms_put(struct cloud *cloud, struct arena *a, struct aas_place at,
	const struct application_autoscaling_scaling_policy *p, int64_t capacity, struct str *why)
{
	const struct application_autoscaling_target_tracking_scaling_policy_configuration *t =
		p->target_tracking_scaling_policy_configuration;
	struct inside_caller who = inside_service(a, at.account, at.region, AAS_PRINCIPAL);
	for (size_t i = 0; i < p->alarms.n; i++) {
		struct str action = p->policy_arn;
		bool high = i == 0;
		struct cloudwatch_put_metric_alarm_input in = {.alarm_name = p->alarms.v[i].alarm_name,
			.alarm_description = str_fmt(a, "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy %.*s.",
				STR_ARG(p->policy_arn)),
			.actions_enabled = SOME_BOOL(true),
			.alarm_actions = {&action, 1},
			.evaluation_periods = SOME_I32(high ? HIGH_PERIODS : LOW_PERIODS),
			.comparison_operator = high ? STR("GreaterThanThreshold") : STR("LessThanThreshold")};
		if (t->predefined_metric_specification) {
			watch_units(a, p, capacity, (high ? t->target_value.v : t->target_value.v - 20) / 100, &in);
		} else {
			watch_own(a, t->customized_metric_specification, &in);
			in.threshold = SOME_F64(high ? t->target_value.v : t->target_value.v * 0.9);
		}
		struct inside *done = inside_run(cloud, &who, "cloudwatch", CLOUDWATCH_OP_PUT_METRIC_ALARM, &in, NULL);
		bool ok = done->ok;
		if (!ok) *why = str_dup(a, done->message);
		inside_free(done);
		if (!ok) return STATUS(FAILED);
	}
	return OK;
}

void aas_alarms_drop(struct cloud *cloud, struct arena *a, struct aas_place at,
	const struct application_autoscaling_scaling_policy *p)
{
	struct inside_caller who = inside_service(a, at.account, at.region, AAS_PRINCIPAL);
	struct cloudwatch_delete_alarms_input in = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < p->alarms.n; i++) *VEC_PUSH(a, &in.alarm_names, &capacity) = p->alarms.v[i].alarm_name;
	struct inside *done = inside_run(cloud, &who, "cloudwatch", CLOUDWATCH_OP_DELETE_ALARMS, &in, NULL);
	if (!done->ok)
		log_warn("application-autoscaling", "alarms_stay", "policy=%.*s why=\"%.*s\"", STR_ARG(p->policy_name),
			STR_ARG(done->message));
	inside_free(done);
}
