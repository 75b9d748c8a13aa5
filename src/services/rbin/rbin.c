/* Recycle Bin: what it does, operation by operation. What the rules keep is EC2's (services/ec2/recycle.c). */
#include "rbin.h"
#include "call/call.h"

static const struct service_op operations[RBIN_OP_COUNT] = {
	[RBIN_OP_CREATE_RULE] = OP(rbin_create_rule, 0),
	[RBIN_OP_DELETE_RULE] = OP(rbin_delete_rule, 0),
	[RBIN_OP_GET_RULE] = OP(rbin_get_rule, OP_READ),
	[RBIN_OP_LIST_RULES] = OP(rbin_list_rules, OP_READ),
	[RBIN_OP_LIST_TAGS_FOR_RESOURCE] = OP(rbin_list_tags_for_resource, OP_READ),
	[RBIN_OP_LOCK_RULE] = OP(rbin_lock_rule, 0),
	[RBIN_OP_TAG_RESOURCE] = OP(rbin_tag_resource, 0),
	[RBIN_OP_UNLOCK_RULE] = OP(rbin_unlock_rule, 0),
	[RBIN_OP_UNTAG_RESOURCE] = OP(rbin_untag_resource, 0),
	[RBIN_OP_UPDATE_RULE] = OP(rbin_update_rule, 0),
};

extern const struct service service_rbin;
const struct service service_rbin = {.model = &wire_service_rbin, .ops = operations};
