/* AWS Systems Manager: Parameter Store, operation by operation, and the service setting that acts on it. Everything
 * else of Systems Manager has no row. */
#include "services/ssm/room.h"

static const struct service_op operations[SSM_OP_COUNT] = {
	[SSM_OP_ADD_TAGS_TO_RESOURCE] = OP(ssm_add_tags_to_resource, 0),
	[SSM_OP_DELETE_PARAMETER] = OP(ssm_delete_parameter, 0),
	[SSM_OP_DELETE_PARAMETERS] = OP(ssm_delete_parameters, 0),
	[SSM_OP_DESCRIBE_PARAMETERS] = OP(ssm_describe_parameters, OP_READ | OP_BLOCKING),
	[SSM_OP_GET_PARAMETER] = OP(ssm_get_parameter, OP_READ),
	[SSM_OP_GET_PARAMETERS] = OP(ssm_get_parameters, OP_READ),
	[SSM_OP_GET_PARAMETERS_BY_PATH] = OP(ssm_get_parameters_by_path, OP_READ),
	[SSM_OP_GET_PARAMETER_HISTORY] = OP(ssm_get_parameter_history, OP_READ),
	[SSM_OP_GET_SERVICE_SETTING] = OP(ssm_get_service_setting, OP_READ),
	[SSM_OP_LABEL_PARAMETER_VERSION] = OP(ssm_label_parameter_version, 0),
	[SSM_OP_LIST_TAGS_FOR_RESOURCE] = OP(ssm_list_tags_for_resource, OP_READ),
	[SSM_OP_PUT_PARAMETER] = OP(ssm_put_parameter, 0),
	[SSM_OP_REMOVE_TAGS_FROM_RESOURCE] = OP(ssm_remove_tags_from_resource, 0),
	[SSM_OP_RESET_SERVICE_SETTING] = OP(ssm_reset_service_setting, 0),
	[SSM_OP_UNLABEL_PARAMETER_VERSION] = OP(ssm_unlabel_parameter_version, 0),
	[SSM_OP_UPDATE_SERVICE_SETTING] = OP(ssm_update_service_setting, 0),
};

static status start(struct cloud *cloud, void **state)
{
	jobs_register(cloud->jobs, PS_JOB_POLICY, ps_policy_job, cloud);
	*state = NULL;
	return OK;
}

extern const struct service service_ssm;
const struct service service_ssm = {
	.model = &wire_service_ssm, .ops = operations, .start = start, .authorize = ps_authorize};
