/* AWS Cloud Control API: what it does, operation by operation. */
#include "services/cloudcontrol/room.h"

static const struct service_op operations[CLOUDCONTROL_OP_COUNT] = {
	[CLOUDCONTROL_OP_CANCEL_RESOURCE_REQUEST] = OP(cloudcontrol_cancel_resource_request, 0),
	[CLOUDCONTROL_OP_CREATE_RESOURCE] = OP(cloudcontrol_create_resource, OP_BLOCKING),
	[CLOUDCONTROL_OP_DELETE_RESOURCE] = OP(cloudcontrol_delete_resource, OP_BLOCKING),
	[CLOUDCONTROL_OP_GET_RESOURCE] = OP(cloudcontrol_get_resource, OP_READ | OP_BLOCKING),
	[CLOUDCONTROL_OP_GET_RESOURCE_REQUEST_STATUS] = OP(cloudcontrol_get_resource_request_status, OP_READ),
	[CLOUDCONTROL_OP_LIST_RESOURCE_REQUESTS] = OP(cloudcontrol_list_resource_requests, OP_READ),
	[CLOUDCONTROL_OP_LIST_RESOURCES] = OP(cloudcontrol_list_resources, OP_READ | OP_BLOCKING),
	[CLOUDCONTROL_OP_UPDATE_RESOURCE] = OP(cloudcontrol_update_resource, OP_BLOCKING),
};

static status start(struct cloud *cloud, void **state)
{
	(void)state;
	cloudcontrol_run_start(cloud);
	return OK;
}

extern const struct service service_cloudcontrol;
const struct service service_cloudcontrol = {.model = &wire_service_cloudcontrol, .ops = operations, .start = start};
