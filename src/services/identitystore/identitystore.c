/* Identity Store: what it does, operation by operation. Directories come and go with their Identity Center instance. */
#include "services/identitystore/room.h"

static const struct service_op operations[IDENTITYSTORE_OP_COUNT] = {
	[IDENTITYSTORE_OP_CREATE_GROUP] = OP(identitystore_create_group, 0),
	[IDENTITYSTORE_OP_CREATE_GROUP_MEMBERSHIP] = OP(identitystore_create_group_membership, 0),
	[IDENTITYSTORE_OP_CREATE_USER] = OP(identitystore_create_user, 0),
	[IDENTITYSTORE_OP_DELETE_GROUP] = OP(identitystore_delete_group, 0),
	[IDENTITYSTORE_OP_DELETE_GROUP_MEMBERSHIP] = OP(identitystore_delete_group_membership, 0),
	[IDENTITYSTORE_OP_DELETE_USER] = OP(identitystore_delete_user, 0),
	[IDENTITYSTORE_OP_DESCRIBE_GROUP] = OP(identitystore_describe_group, OP_READ),
	[IDENTITYSTORE_OP_DESCRIBE_GROUP_MEMBERSHIP] = OP(identitystore_describe_group_membership, OP_READ),
	[IDENTITYSTORE_OP_DESCRIBE_USER] = OP(identitystore_describe_user, OP_READ),
	[IDENTITYSTORE_OP_GET_GROUP_ID] = OP(identitystore_get_group_id, OP_READ),
	[IDENTITYSTORE_OP_GET_GROUP_MEMBERSHIP_ID] = OP(identitystore_get_group_membership_id, OP_READ),
	[IDENTITYSTORE_OP_GET_USER_ID] = OP(identitystore_get_user_id, OP_READ),
	[IDENTITYSTORE_OP_IS_MEMBER_IN_GROUPS] = OP(identitystore_is_member_in_groups, OP_READ),
	[IDENTITYSTORE_OP_LIST_GROUP_MEMBERSHIPS] = OP(identitystore_list_group_memberships, OP_READ),
	[IDENTITYSTORE_OP_LIST_GROUP_MEMBERSHIPS_FOR_MEMBER] =
		OP(identitystore_list_group_memberships_for_member, OP_READ),
	[IDENTITYSTORE_OP_LIST_GROUPS] = OP(identitystore_list_groups, OP_READ),
	[IDENTITYSTORE_OP_LIST_USERS] = OP(identitystore_list_users, OP_READ),
	[IDENTITYSTORE_OP_UPDATE_GROUP] = OP(identitystore_update_group, 0),
	[IDENTITYSTORE_OP_UPDATE_USER] = OP(identitystore_update_user, 0),
};

extern const struct service service_identitystore;
const struct service service_identitystore = {.model = &wire_service_identitystore, .ops = operations};
