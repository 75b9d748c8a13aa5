/* Amazon CloudWatch: what it does, operation by operation. Insight rules over logs, metric streams and OpenTelemetry
 * have no rows. */
#include "services/cloudwatch/alarm.h"

static const struct service_op operations[CLOUDWATCH_OP_COUNT] = {
	[CLOUDWATCH_OP_DELETE_ALARM_MUTE_RULE] = OP(cloudwatch_delete_alarm_mute_rule, 0),
	[CLOUDWATCH_OP_DELETE_ALARMS] = OP(cloudwatch_delete_alarms, 0),
	[CLOUDWATCH_OP_DELETE_ANOMALY_DETECTOR] = OP(cloudwatch_delete_anomaly_detector, 0),
	[CLOUDWATCH_OP_DELETE_DASHBOARDS] = OP(cloudwatch_delete_dashboards, 0),
	[CLOUDWATCH_OP_DESCRIBE_ALARMS] = OP(cloudwatch_describe_alarms, OP_READ),
	[CLOUDWATCH_OP_DESCRIBE_ALARMS_FOR_METRIC] = OP(cloudwatch_describe_alarms_for_metric, OP_READ),
	[CLOUDWATCH_OP_DESCRIBE_ALARM_HISTORY] = OP(cloudwatch_describe_alarm_history, OP_READ),
	[CLOUDWATCH_OP_DESCRIBE_ANOMALY_DETECTORS] = OP(cloudwatch_describe_anomaly_detectors, OP_READ),
	[CLOUDWATCH_OP_DESCRIBE_INSIGHT_RULES] = OP(cloudwatch_describe_insight_rules, OP_READ),
	[CLOUDWATCH_OP_DISABLE_ALARM_ACTIONS] = OP(cloudwatch_disable_alarm_actions, 0),
	[CLOUDWATCH_OP_ENABLE_ALARM_ACTIONS] = OP(cloudwatch_enable_alarm_actions, 0),
	[CLOUDWATCH_OP_GET_ALARM_MUTE_RULE] = OP(cloudwatch_get_alarm_mute_rule, OP_READ),
	[CLOUDWATCH_OP_GET_DASHBOARD] = OP(cloudwatch_get_dashboard, OP_READ),
	[CLOUDWATCH_OP_GET_INSIGHT_RULE_REPORT] = OP(cloudwatch_get_insight_rule_report, OP_READ | OP_BLOCKING),
	[CLOUDWATCH_OP_GET_METRIC_DATA] = OP(cloudwatch_get_metric_data, OP_READ | OP_BLOCKING),
	[CLOUDWATCH_OP_GET_METRIC_STATISTICS] = OP(cloudwatch_get_metric_statistics, OP_READ | OP_BLOCKING),
	[CLOUDWATCH_OP_GET_METRIC_WIDGET_IMAGE] = OP(cloudwatch_get_metric_widget_image, OP_READ | OP_BLOCKING),
	[CLOUDWATCH_OP_LIST_ALARM_MUTE_RULES] = OP(cloudwatch_list_alarm_mute_rules, OP_READ),
	[CLOUDWATCH_OP_LIST_DASHBOARDS] = OP(cloudwatch_list_dashboards, OP_READ),
	[CLOUDWATCH_OP_LIST_METRICS] = OP(cloudwatch_list_metrics, OP_READ | OP_BLOCKING),
	[CLOUDWATCH_OP_LIST_TAGS_FOR_RESOURCE] = OP(cloudwatch_list_tags_for_resource, OP_READ),
	[CLOUDWATCH_OP_PUT_ALARM_MUTE_RULE] = OP(cloudwatch_put_alarm_mute_rule, 0),
	[CLOUDWATCH_OP_PUT_ANOMALY_DETECTOR] = OP(cloudwatch_put_anomaly_detector, 0),
	[CLOUDWATCH_OP_PUT_COMPOSITE_ALARM] = OP(cloudwatch_put_composite_alarm, 0),
	[CLOUDWATCH_OP_PUT_DASHBOARD] = OP(cloudwatch_put_dashboard, 0),
	[CLOUDWATCH_OP_PUT_METRIC_ALARM] = OP(cloudwatch_put_metric_alarm, 0),
	[CLOUDWATCH_OP_PUT_METRIC_DATA] = OP(cloudwatch_put_metric_data, 0),
	[CLOUDWATCH_OP_SET_ALARM_STATE] = OP(cloudwatch_set_alarm_state, 0),
	[CLOUDWATCH_OP_TAG_RESOURCE] = OP(cloudwatch_tag_resource, 0),
	[CLOUDWATCH_OP_UNTAG_RESOURCE] = OP(cloudwatch_untag_resource, 0),
};

static status start(struct cloud *cloud, void **state)
{
	cw_fold_start(cloud);
	cw_alarms_start(cloud);
	*state = cw_collect_start(cloud);
	return OK;
}

static void ready(struct cloud *cloud, void *state)
{
	(void)state;
	cw_fold_ready(cloud);
}

static void stop(void *state)
{
	cw_collect_stop(state);
}

static status reset(struct cloud *cloud, void *state, bool gone)
{
	(void)cloud;
	if (gone) cw_collect_reset(state);
	return OK;
}

extern const struct service service_cloudwatch;
const struct service service_cloudwatch = {.model = &wire_service_cloudwatch,
	.ops = operations,
	.start = start,
	.ready = ready,
	.stop = stop,
	.reset = reset};
