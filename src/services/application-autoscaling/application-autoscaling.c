/* Application Auto Scaling: what it does, operation by operation. */
#include "services/application-autoscaling/room.h"

static const struct service_op operations[APPLICATION_AUTOSCALING_OP_COUNT] = {
	[APPLICATION_AUTOSCALING_OP_DELETE_SCALING_POLICY] =
		OP(application_autoscaling_delete_scaling_policy, OP_BLOCKING),
	[APPLICATION_AUTOSCALING_OP_DELETE_SCHEDULED_ACTION] = OP(application_autoscaling_delete_scheduled_action, 0),
	[APPLICATION_AUTOSCALING_OP_DEREGISTER_SCALABLE_TARGET] =
		OP(application_autoscaling_deregister_scalable_target, OP_BLOCKING),
	[APPLICATION_AUTOSCALING_OP_DESCRIBE_SCALABLE_TARGETS] =
		OP(application_autoscaling_describe_scalable_targets, OP_READ),
	[APPLICATION_AUTOSCALING_OP_DESCRIBE_SCALING_ACTIVITIES] =
		OP(application_autoscaling_describe_scaling_activities, OP_READ),
	[APPLICATION_AUTOSCALING_OP_DESCRIBE_SCALING_POLICIES] =
		OP(application_autoscaling_describe_scaling_policies, OP_READ),
	[APPLICATION_AUTOSCALING_OP_DESCRIBE_SCHEDULED_ACTIONS] =
		OP(application_autoscaling_describe_scheduled_actions, OP_READ),
	[APPLICATION_AUTOSCALING_OP_LIST_TAGS_FOR_RESOURCE] =
		OP(application_autoscaling_list_tags_for_resource, OP_READ),
	[APPLICATION_AUTOSCALING_OP_PUT_SCALING_POLICY] =
		OP(application_autoscaling_put_scaling_policy, OP_BLOCKING | OP_NO_TX),
	[APPLICATION_AUTOSCALING_OP_PUT_SCHEDULED_ACTION] = OP(application_autoscaling_put_scheduled_action, 0),
	[APPLICATION_AUTOSCALING_OP_REGISTER_SCALABLE_TARGET] =
		OP(application_autoscaling_register_scalable_target, OP_BLOCKING),
	[APPLICATION_AUTOSCALING_OP_TAG_RESOURCE] = OP(application_autoscaling_tag_resource, 0),
	[APPLICATION_AUTOSCALING_OP_UNTAG_RESOURCE] = OP(application_autoscaling_untag_resource, 0),
};

static status start(struct cloud *cloud, void **state)
{
	*state = NULL;
	aas_scale_start(cloud);
	return OK;
}

extern const struct service service_application_autoscaling;
const struct service service_application_autoscaling = {
	.model = &wire_service_application_autoscaling, .ops = operations, .start = start};
