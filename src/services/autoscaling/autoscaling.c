/* Amazon EC2 Auto Scaling: what it does, operation by operation. */
#include "services/autoscaling/room.h"

static const struct service_op operations[AUTOSCALING_OP_COUNT] = {
	[AUTOSCALING_OP_ATTACH_INSTANCES] = OP(autoscaling_attach_instances, 0),
	[AUTOSCALING_OP_ATTACH_LOAD_BALANCER_TARGET_GROUPS] =
		OP(autoscaling_attach_load_balancer_target_groups, OP_BLOCKING),
	[AUTOSCALING_OP_ATTACH_LOAD_BALANCERS] = OP(autoscaling_attach_load_balancers, OP_BLOCKING),
	[AUTOSCALING_OP_ATTACH_TRAFFIC_SOURCES] = OP(autoscaling_attach_traffic_sources, OP_BLOCKING),
	[AUTOSCALING_OP_BATCH_DELETE_SCHEDULED_ACTION] = OP(autoscaling_batch_delete_scheduled_action, 0),
	[AUTOSCALING_OP_BATCH_PUT_SCHEDULED_UPDATE_GROUP_ACTION] =
		OP(autoscaling_batch_put_scheduled_update_group_action, 0),
	[AUTOSCALING_OP_CANCEL_INSTANCE_REFRESH] = OP(autoscaling_cancel_instance_refresh, 0),
	[AUTOSCALING_OP_COMPLETE_LIFECYCLE_ACTION] = OP(autoscaling_complete_lifecycle_action, 0),
	[AUTOSCALING_OP_CREATE_AUTO_SCALING_GROUP] = OP(autoscaling_create_auto_scaling_group, OP_BLOCKING),
	[AUTOSCALING_OP_CREATE_LAUNCH_CONFIGURATION] = OP(autoscaling_create_launch_configuration, 0),
	[AUTOSCALING_OP_CREATE_OR_UPDATE_TAGS] = OP(autoscaling_create_or_update_tags, 0),
	[AUTOSCALING_OP_DELETE_AUTO_SCALING_GROUP] = OP(autoscaling_delete_auto_scaling_group, OP_BLOCKING),
	[AUTOSCALING_OP_DELETE_LAUNCH_CONFIGURATION] = OP(autoscaling_delete_launch_configuration, 0),
	[AUTOSCALING_OP_DELETE_LIFECYCLE_HOOK] = OP(autoscaling_delete_lifecycle_hook, 0),
	[AUTOSCALING_OP_DELETE_NOTIFICATION_CONFIGURATION] = OP(autoscaling_delete_notification_configuration, 0),
	[AUTOSCALING_OP_DELETE_POLICY] = OP(autoscaling_delete_policy, OP_BLOCKING | OP_NO_TX),
	[AUTOSCALING_OP_DELETE_SCHEDULED_ACTION] = OP(autoscaling_delete_scheduled_action, 0),
	[AUTOSCALING_OP_DELETE_TAGS] = OP(autoscaling_delete_tags, 0),
	[AUTOSCALING_OP_DELETE_WARM_POOL] = OP(autoscaling_delete_warm_pool, 0),
	[AUTOSCALING_OP_DESCRIBE_ACCOUNT_LIMITS] = OP(autoscaling_describe_account_limits, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_ADJUSTMENT_TYPES] = OP(autoscaling_describe_adjustment_types, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_AUTO_SCALING_GROUPS] = OP(autoscaling_describe_auto_scaling_groups, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_AUTO_SCALING_INSTANCES] = OP(autoscaling_describe_auto_scaling_instances, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_AUTO_SCALING_NOTIFICATION_TYPES] =
		OP(autoscaling_describe_auto_scaling_notification_types, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_INSTANCE_REFRESHES] = OP(autoscaling_describe_instance_refreshes, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_LAUNCH_CONFIGURATIONS] = OP(autoscaling_describe_launch_configurations, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_LIFECYCLE_HOOKS] = OP(autoscaling_describe_lifecycle_hooks, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_LIFECYCLE_HOOK_TYPES] = OP(autoscaling_describe_lifecycle_hook_types, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_LOAD_BALANCER_TARGET_GROUPS] =
		OP(autoscaling_describe_load_balancer_target_groups, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_LOAD_BALANCERS] = OP(autoscaling_describe_load_balancers, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_METRIC_COLLECTION_TYPES] = OP(autoscaling_describe_metric_collection_types, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_NOTIFICATION_CONFIGURATIONS] =
		OP(autoscaling_describe_notification_configurations, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_POLICIES] = OP(autoscaling_describe_policies, OP_READ | OP_BLOCKING),
	[AUTOSCALING_OP_DESCRIBE_SCALING_ACTIVITIES] = OP(autoscaling_describe_scaling_activities, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_SCALING_PROCESS_TYPES] = OP(autoscaling_describe_scaling_process_types, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_SCHEDULED_ACTIONS] = OP(autoscaling_describe_scheduled_actions, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_TAGS] = OP(autoscaling_describe_tags, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_TERMINATION_POLICY_TYPES] = OP(autoscaling_describe_termination_policy_types, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_TRAFFIC_SOURCES] = OP(autoscaling_describe_traffic_sources, OP_READ),
	[AUTOSCALING_OP_DESCRIBE_WARM_POOL] = OP(autoscaling_describe_warm_pool, OP_READ),
	[AUTOSCALING_OP_DETACH_INSTANCES] = OP(autoscaling_detach_instances, 0),
	[AUTOSCALING_OP_DETACH_LOAD_BALANCER_TARGET_GROUPS] = OP(autoscaling_detach_load_balancer_target_groups, 0),
	[AUTOSCALING_OP_DETACH_LOAD_BALANCERS] = OP(autoscaling_detach_load_balancers, 0),
	[AUTOSCALING_OP_DETACH_TRAFFIC_SOURCES] = OP(autoscaling_detach_traffic_sources, 0),
	[AUTOSCALING_OP_DISABLE_METRICS_COLLECTION] = OP(autoscaling_disable_metrics_collection, 0),
	[AUTOSCALING_OP_ENABLE_METRICS_COLLECTION] = OP(autoscaling_enable_metrics_collection, 0),
	[AUTOSCALING_OP_ENTER_STANDBY] = OP(autoscaling_enter_standby, 0),
	[AUTOSCALING_OP_EXECUTE_POLICY] = OP(autoscaling_execute_policy, 0),
	[AUTOSCALING_OP_EXIT_STANDBY] = OP(autoscaling_exit_standby, 0),
	[AUTOSCALING_OP_GET_PREDICTIVE_SCALING_FORECAST] =
		OP(autoscaling_get_predictive_scaling_forecast, OP_READ | OP_BLOCKING),
	[AUTOSCALING_OP_PUT_LIFECYCLE_HOOK] = OP(autoscaling_put_lifecycle_hook, OP_BLOCKING),
	[AUTOSCALING_OP_PUT_NOTIFICATION_CONFIGURATION] = OP(autoscaling_put_notification_configuration, 0),
	[AUTOSCALING_OP_PUT_SCALING_POLICY] = OP(autoscaling_put_scaling_policy, OP_BLOCKING | OP_NO_TX),
	[AUTOSCALING_OP_PUT_SCHEDULED_UPDATE_GROUP_ACTION] = OP(autoscaling_put_scheduled_update_group_action, 0),
	[AUTOSCALING_OP_PUT_WARM_POOL] = OP(autoscaling_put_warm_pool, 0),
	[AUTOSCALING_OP_RECORD_LIFECYCLE_ACTION_HEARTBEAT] = OP(autoscaling_record_lifecycle_action_heartbeat, 0),
	[AUTOSCALING_OP_RESUME_PROCESSES] = OP(autoscaling_resume_processes, 0),
	[AUTOSCALING_OP_ROLLBACK_INSTANCE_REFRESH] = OP(autoscaling_rollback_instance_refresh, 0),
	[AUTOSCALING_OP_SET_DESIRED_CAPACITY] = OP(autoscaling_set_desired_capacity, 0),
	[AUTOSCALING_OP_SET_INSTANCE_HEALTH] = OP(autoscaling_set_instance_health, 0),
	[AUTOSCALING_OP_SET_INSTANCE_PROTECTION] = OP(autoscaling_set_instance_protection, 0),
	[AUTOSCALING_OP_START_INSTANCE_REFRESH] = OP(autoscaling_start_instance_refresh, OP_BLOCKING),
	[AUTOSCALING_OP_SUSPEND_PROCESSES] = OP(autoscaling_suspend_processes, 0),
	[AUTOSCALING_OP_TERMINATE_INSTANCE_IN_AUTO_SCALING_GROUP] =
		OP(autoscaling_terminate_instance_in_auto_scaling_group, 0),
	[AUTOSCALING_OP_UPDATE_AUTO_SCALING_GROUP] = OP(autoscaling_update_auto_scaling_group, OP_BLOCKING),
};

static status start(struct cloud *cloud, void **state)
{
	*state = as_controller_start(cloud);
	return OK;
}

static void stop(void *state)
{
	as_controller_stop(state);
}

extern const struct service service_autoscaling;
const struct service service_autoscaling = {
	.model = &wire_service_autoscaling, .ops = operations, .start = start, .stop = stop};
