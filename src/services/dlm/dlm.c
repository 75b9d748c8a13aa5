/* Amazon Data Lifecycle Manager: what it does, operation by operation. Policies on events, default policies, scripts
 * and archives are refused as not implemented. */
#include "services/dlm/room.h"

static const struct service_op operations[DLM_OP_COUNT] = {
	[DLM_OP_CREATE_LIFECYCLE_POLICY] = OP(dlm_create_lifecycle_policy, 0),
	[DLM_OP_DELETE_LIFECYCLE_POLICY] = OP(dlm_delete_lifecycle_policy, 0),
	[DLM_OP_GET_LIFECYCLE_POLICIES] = OP(dlm_get_lifecycle_policies, OP_READ),
	[DLM_OP_GET_LIFECYCLE_POLICY] = OP(dlm_get_lifecycle_policy, OP_READ),
	[DLM_OP_LIST_TAGS_FOR_RESOURCE] = OP(dlm_list_tags_for_resource, OP_READ),
	[DLM_OP_TAG_RESOURCE] = OP(dlm_tag_resource, 0),
	[DLM_OP_UNTAG_RESOURCE] = OP(dlm_untag_resource, 0),
	[DLM_OP_UPDATE_LIFECYCLE_POLICY] = OP(dlm_update_lifecycle_policy, 0),
};

static status start(struct cloud *cloud, void **state)
{
	*state = NULL;
	jobs_register(cloud->jobs, DLM_JOB, dlm_job, cloud);
	return OK;
}

extern const struct service service_dlm;
const struct service service_dlm = {.model = &wire_service_dlm, .ops = operations, .start = start};
