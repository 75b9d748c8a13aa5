/* AWS CloudTrail: what it does, operation by operation. CloudTrail Lake (event data stores, queries, channels,
 * dashboards, imports) and Insights have no rows. */
#include "services/cloudtrail/door.h"
#include "services/cloudtrail/room.h"
#include <stdlib.h>

static const struct service_op operations[CLOUDTRAIL_OP_COUNT] = {
	[CLOUDTRAIL_OP_ADD_TAGS] = OP(cloudtrail_add_tags, 0),
	[CLOUDTRAIL_OP_CREATE_TRAIL] = OP(cloudtrail_create_trail, 0),
	[CLOUDTRAIL_OP_DELETE_TRAIL] = OP(cloudtrail_delete_trail, 0),
	[CLOUDTRAIL_OP_DESCRIBE_TRAILS] = OP(cloudtrail_describe_trails, OP_READ),
	[CLOUDTRAIL_OP_GET_EVENT_SELECTORS] = OP(cloudtrail_get_event_selectors, OP_READ),
	[CLOUDTRAIL_OP_GET_TRAIL] = OP(cloudtrail_get_trail, OP_READ),
	[CLOUDTRAIL_OP_GET_TRAIL_STATUS] = OP(cloudtrail_get_trail_status, OP_READ),
	[CLOUDTRAIL_OP_LIST_PUBLIC_KEYS] = OP(cloudtrail_list_public_keys, OP_READ),
	[CLOUDTRAIL_OP_LIST_TAGS] = OP(cloudtrail_list_tags, OP_READ),
	[CLOUDTRAIL_OP_LIST_TRAILS] = OP(cloudtrail_list_trails, OP_READ),
	[CLOUDTRAIL_OP_LOOKUP_EVENTS] = OP(cloudtrail_lookup_events, OP_READ | OP_BLOCKING),
	[CLOUDTRAIL_OP_PUT_EVENT_SELECTORS] = OP(cloudtrail_put_event_selectors, 0),
	[CLOUDTRAIL_OP_REMOVE_TAGS] = OP(cloudtrail_remove_tags, 0),
	[CLOUDTRAIL_OP_START_LOGGING] = OP(cloudtrail_start_logging, 0),
	[CLOUDTRAIL_OP_STOP_LOGGING] = OP(cloudtrail_stop_logging, 0),
	[CLOUDTRAIL_OP_UPDATE_TRAIL] = OP(cloudtrail_update_trail, 0),
};

extern const struct service service_cloudtrail;

struct ct *ct_of(const struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i] == &service_cloudtrail) return cloud->service_state[i];
	return NULL;
}

void cloudtrail_settle(const struct cloud *cloud)
{
	struct ct *ct = ct_of(cloud);
	if (ct) ct_recorder_settle(ct->recorder);
}

static status start(struct cloud *cloud, void **state)
{
	struct ct *ct = mem_new(sizeof(*ct));
	ct->cloud = cloud;
	ct->classes = ct_classes_new(cloud);
	ct->limits = ct_limits_new();
	ct->trails = ct_trails_new(ct);
	ct_history_start(ct);
	ct_deliver_start(ct);
	ct->recorder = ct_recorder_new(ct);
	*state = ct;
	return OK;
}

static void stop(void *state)
{
	struct ct *ct = state;
	ct_recorder_free(ct->recorder);
	ct_trails_free(ct->trails);
	ct_limits_free(ct->limits);
	ct_classes_free(ct->classes);
	free(ct);
}

static status reset(struct cloud *cloud, void *state, bool gone)
{
	struct ct *ct = state;
	(void)cloud;
	if (gone)
		ct_trails_reload(ct);
	else
		ct_recorder_settle(ct->recorder);
	return OK;
}

const struct service service_cloudtrail = {
	.model = &wire_service_cloudtrail,
	.ops = operations,
	.start = start,
	.stop = stop,
	.reset = reset,
	.authorize = ct_authorize,
};
