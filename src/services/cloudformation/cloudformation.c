/* AWS CloudFormation: what it does, operation by operation. The engine that makes it true is engine.c; which resources
 * it can make, handlers.c. */
#include "services/cloudformation/stack_set.h"

static const struct service_op operations[CLOUDFORMATION_OP_COUNT] = {
	[CLOUDFORMATION_OP_CANCEL_UPDATE_STACK] = OP(cloudformation_cancel_update_stack, 0),
	[CLOUDFORMATION_OP_CONTINUE_UPDATE_ROLLBACK] = OP(cloudformation_continue_update_rollback, 0),
	[CLOUDFORMATION_OP_CREATE_CHANGE_SET] = OP(cloudformation_create_change_set, OP_BLOCKING),
	[CLOUDFORMATION_OP_CREATE_STACK] = OP(cloudformation_create_stack, OP_BLOCKING),
	[CLOUDFORMATION_OP_DELETE_CHANGE_SET] = OP(cloudformation_delete_change_set, 0),
	[CLOUDFORMATION_OP_DELETE_STACK] = OP(cloudformation_delete_stack, 0),
	[CLOUDFORMATION_OP_DESCRIBE_CHANGE_SET] = OP(cloudformation_describe_change_set, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_DRIFT_DETECTION_STATUS] =
		OP(cloudformation_describe_stack_drift_detection_status, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_EVENTS] = OP(cloudformation_describe_stack_events, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_RESOURCE] = OP(cloudformation_describe_stack_resource, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_RESOURCE_DRIFTS] = OP(cloudformation_describe_stack_resource_drifts, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_RESOURCES] = OP(cloudformation_describe_stack_resources, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACKS] = OP(cloudformation_describe_stacks, OP_READ),
	[CLOUDFORMATION_OP_DETECT_STACK_DRIFT] = OP(cloudformation_detect_stack_drift, OP_BLOCKING),
	[CLOUDFORMATION_OP_DETECT_STACK_RESOURCE_DRIFT] = OP(cloudformation_detect_stack_resource_drift, OP_BLOCKING),
	[CLOUDFORMATION_OP_EXECUTE_CHANGE_SET] = OP(cloudformation_execute_change_set, 0),
	[CLOUDFORMATION_OP_GET_STACK_POLICY] = OP(cloudformation_get_stack_policy, OP_READ),
	[CLOUDFORMATION_OP_GET_TEMPLATE] = OP(cloudformation_get_template, OP_READ | OP_BLOCKING),
	[CLOUDFORMATION_OP_GET_TEMPLATE_SUMMARY] = OP(cloudformation_get_template_summary, OP_READ | OP_BLOCKING),
	[CLOUDFORMATION_OP_LIST_CHANGE_SETS] = OP(cloudformation_list_change_sets, OP_READ),
	[CLOUDFORMATION_OP_LIST_EXPORTS] = OP(cloudformation_list_exports, OP_READ),
	[CLOUDFORMATION_OP_LIST_IMPORTS] = OP(cloudformation_list_imports, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACK_RESOURCES] = OP(cloudformation_list_stack_resources, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACKS] = OP(cloudformation_list_stacks, OP_READ),
	[CLOUDFORMATION_OP_ROLLBACK_STACK] = OP(cloudformation_rollback_stack, 0),
	[CLOUDFORMATION_OP_SET_STACK_POLICY] = OP(cloudformation_set_stack_policy, OP_BLOCKING),
	[CLOUDFORMATION_OP_SIGNAL_RESOURCE] = OP(cloudformation_signal_resource, 0),
	[CLOUDFORMATION_OP_UPDATE_STACK] = OP(cloudformation_update_stack, OP_BLOCKING),
	[CLOUDFORMATION_OP_UPDATE_TERMINATION_PROTECTION] = OP(cloudformation_update_termination_protection, 0),
	[CLOUDFORMATION_OP_ACTIVATE_ORGANIZATIONS_ACCESS] = OP(cloudformation_activate_organizations_access, 0),
	[CLOUDFORMATION_OP_CREATE_STACK_INSTANCES] = OP(cloudformation_create_stack_instances, OP_BLOCKING),
	[CLOUDFORMATION_OP_CREATE_STACK_SET] = OP(cloudformation_create_stack_set, OP_BLOCKING),
	[CLOUDFORMATION_OP_DELETE_STACK_INSTANCES] = OP(cloudformation_delete_stack_instances, 0),
	[CLOUDFORMATION_OP_DELETE_STACK_SET] = OP(cloudformation_delete_stack_set, 0),
	[CLOUDFORMATION_OP_DESCRIBE_ORGANIZATIONS_ACCESS] = OP(cloudformation_describe_organizations_access, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_INSTANCE] = OP(cloudformation_describe_stack_instance, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_SET] = OP(cloudformation_describe_stack_set, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_SET_OPERATION] = OP(cloudformation_describe_stack_set_operation, OP_READ),
	[CLOUDFORMATION_OP_DETECT_STACK_SET_DRIFT] = OP(cloudformation_detect_stack_set_drift, 0),
	[CLOUDFORMATION_OP_LIST_STACK_INSTANCE_RESOURCE_DRIFTS] =
		OP(cloudformation_list_stack_instance_resource_drifts, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACK_INSTANCES] = OP(cloudformation_list_stack_instances, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACK_SETS] = OP(cloudformation_list_stack_sets, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACK_SET_AUTO_DEPLOYMENT_TARGETS] =
		OP(cloudformation_list_stack_set_auto_deployment_targets, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACK_SET_OPERATIONS] = OP(cloudformation_list_stack_set_operations, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACK_SET_OPERATION_RESULTS] =
		OP(cloudformation_list_stack_set_operation_results, OP_READ),
	[CLOUDFORMATION_OP_STOP_STACK_SET_OPERATION] = OP(cloudformation_stop_stack_set_operation, 0),
	[CLOUDFORMATION_OP_UPDATE_STACK_INSTANCES] = OP(cloudformation_update_stack_instances, OP_BLOCKING),
	[CLOUDFORMATION_OP_UPDATE_STACK_SET] = OP(cloudformation_update_stack_set, OP_BLOCKING),
	[CLOUDFORMATION_OP_LIST_TYPES] = OP(cloudformation_list_types, OP_READ),
	[CLOUDFORMATION_OP_DESCRIBE_TYPE] = OP(cloudformation_describe_type, OP_READ),
	[CLOUDFORMATION_OP_CREATE_STACK_REFACTOR] = OP(cloudformation_create_stack_refactor, OP_BLOCKING),
	[CLOUDFORMATION_OP_DESCRIBE_STACK_REFACTOR] = OP(cloudformation_describe_stack_refactor, OP_READ),
	[CLOUDFORMATION_OP_EXECUTE_STACK_REFACTOR] = OP(cloudformation_execute_stack_refactor, OP_BLOCKING),
	[CLOUDFORMATION_OP_LIST_STACK_REFACTOR_ACTIONS] = OP(cloudformation_list_stack_refactor_actions, OP_READ),
	[CLOUDFORMATION_OP_LIST_STACK_REFACTORS] = OP(cloudformation_list_stack_refactors, OP_READ),
	[CLOUDFORMATION_OP_VALIDATE_TEMPLATE] = OP(cloudformation_validate_template, OP_READ | OP_BLOCKING),
};

static status start(struct cloud *cloud, void **state)
{
	*state = cfn_engine_new(cloud);
	cfn_notify_start(cloud);
	cfn_set_run_start(cloud);
	return OK;
}

static void ready(struct cloud *cloud, void *state)
{
	(void)cloud;
	cfn_engine_resume(state);
}

static void stop(void *state)
{
	cfn_engine_free(state);
}

extern const struct service service_cloudformation;
const struct service service_cloudformation = {.model = &wire_service_cloudformation,
	.ops = operations,
	.start = start,
	.ready = ready,
	.stop = stop,
	.page = cfn_page};
