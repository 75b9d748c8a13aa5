/* AWS Organizations: what it does, operation by operation. It is global: the region of a call does not matter.
 * Responsibility transfers, AWS GovCloud accounts and errors of effective policies have no row. */
#include "services/organizations/room.h"

static const struct service_op operations[ORGANIZATIONS_OP_COUNT] = {
	[ORGANIZATIONS_OP_ACCEPT_HANDSHAKE] = OP(organizations_accept_handshake, 0),
	[ORGANIZATIONS_OP_ATTACH_POLICY] = OP(organizations_attach_policy, 0),
	[ORGANIZATIONS_OP_CANCEL_HANDSHAKE] = OP(organizations_cancel_handshake, 0),
	[ORGANIZATIONS_OP_CLOSE_ACCOUNT] = OP(organizations_close_account, 0),
	[ORGANIZATIONS_OP_CREATE_ACCOUNT] = OP(organizations_create_account, 0),
	[ORGANIZATIONS_OP_CREATE_ORGANIZATION] = OP(organizations_create_organization, 0),
	[ORGANIZATIONS_OP_CREATE_ORGANIZATIONAL_UNIT] = OP(organizations_create_organizational_unit, 0),
	[ORGANIZATIONS_OP_CREATE_POLICY] = OP(organizations_create_policy, 0),
	[ORGANIZATIONS_OP_DECLINE_HANDSHAKE] = OP(organizations_decline_handshake, 0),
	[ORGANIZATIONS_OP_DELETE_ORGANIZATION] = OP(organizations_delete_organization, 0),
	[ORGANIZATIONS_OP_DELETE_ORGANIZATIONAL_UNIT] = OP(organizations_delete_organizational_unit, 0),
	[ORGANIZATIONS_OP_DELETE_POLICY] = OP(organizations_delete_policy, 0),
	[ORGANIZATIONS_OP_DELETE_RESOURCE_POLICY] = OP(organizations_delete_resource_policy, 0),
	[ORGANIZATIONS_OP_DEREGISTER_DELEGATED_ADMINISTRATOR] = OP(organizations_deregister_delegated_administrator, 0),
	[ORGANIZATIONS_OP_DESCRIBE_ACCOUNT] = OP(organizations_describe_account, OP_READ),
	[ORGANIZATIONS_OP_DESCRIBE_CREATE_ACCOUNT_STATUS] = OP(organizations_describe_create_account_status, OP_READ),
	[ORGANIZATIONS_OP_DESCRIBE_EFFECTIVE_POLICY] = OP(organizations_describe_effective_policy, OP_READ),
	[ORGANIZATIONS_OP_DESCRIBE_HANDSHAKE] = OP(organizations_describe_handshake, OP_READ),
	[ORGANIZATIONS_OP_DESCRIBE_ORGANIZATION] = OP(organizations_describe_organization, OP_READ),
	[ORGANIZATIONS_OP_DESCRIBE_ORGANIZATIONAL_UNIT] = OP(organizations_describe_organizational_unit, OP_READ),
	[ORGANIZATIONS_OP_DESCRIBE_POLICY] = OP(organizations_describe_policy, OP_READ),
	[ORGANIZATIONS_OP_DESCRIBE_RESOURCE_POLICY] = OP(organizations_describe_resource_policy, OP_READ),
	[ORGANIZATIONS_OP_DETACH_POLICY] = OP(organizations_detach_policy, 0),
	[ORGANIZATIONS_OP_DISABLE_AWS_SERVICE_ACCESS] = OP(organizations_disable_aws_service_access, 0),
	[ORGANIZATIONS_OP_DISABLE_POLICY_TYPE] = OP(organizations_disable_policy_type, 0),
	[ORGANIZATIONS_OP_ENABLE_AWS_SERVICE_ACCESS] = OP(organizations_enable_aws_service_access, 0),
	[ORGANIZATIONS_OP_ENABLE_ALL_FEATURES] = OP(organizations_enable_all_features, 0),
	[ORGANIZATIONS_OP_ENABLE_POLICY_TYPE] = OP(organizations_enable_policy_type, 0),
	[ORGANIZATIONS_OP_INVITE_ACCOUNT_TO_ORGANIZATION] = OP(organizations_invite_account_to_organization, 0),
	[ORGANIZATIONS_OP_LEAVE_ORGANIZATION] = OP(organizations_leave_organization, 0),
	[ORGANIZATIONS_OP_LIST_AWS_SERVICE_ACCESS_FOR_ORGANIZATION] =
		OP(organizations_list_aws_service_access_for_organization, OP_READ),
	[ORGANIZATIONS_OP_LIST_ACCOUNTS] = OP(organizations_list_accounts, OP_READ),
	[ORGANIZATIONS_OP_LIST_ACCOUNTS_FOR_PARENT] = OP(organizations_list_accounts_for_parent, OP_READ),
	[ORGANIZATIONS_OP_LIST_CHILDREN] = OP(organizations_list_children, OP_READ),
	[ORGANIZATIONS_OP_LIST_CREATE_ACCOUNT_STATUS] = OP(organizations_list_create_account_status, OP_READ),
	[ORGANIZATIONS_OP_LIST_DELEGATED_ADMINISTRATORS] = OP(organizations_list_delegated_administrators, OP_READ),
	[ORGANIZATIONS_OP_LIST_DELEGATED_SERVICES_FOR_ACCOUNT] =
		OP(organizations_list_delegated_services_for_account, OP_READ),
	[ORGANIZATIONS_OP_LIST_HANDSHAKES_FOR_ACCOUNT] = OP(organizations_list_handshakes_for_account, OP_READ),
	[ORGANIZATIONS_OP_LIST_HANDSHAKES_FOR_ORGANIZATION] =
		OP(organizations_list_handshakes_for_organization, OP_READ),
	[ORGANIZATIONS_OP_LIST_ORGANIZATIONAL_UNITS_FOR_PARENT] =
		OP(organizations_list_organizational_units_for_parent, OP_READ),
	[ORGANIZATIONS_OP_LIST_PARENTS] = OP(organizations_list_parents, OP_READ),
	[ORGANIZATIONS_OP_LIST_POLICIES] = OP(organizations_list_policies, OP_READ),
	[ORGANIZATIONS_OP_LIST_POLICIES_FOR_TARGET] = OP(organizations_list_policies_for_target, OP_READ),
	[ORGANIZATIONS_OP_LIST_ROOTS] = OP(organizations_list_roots, OP_READ),
	[ORGANIZATIONS_OP_LIST_TAGS_FOR_RESOURCE] = OP(organizations_list_tags_for_resource, OP_READ),
	[ORGANIZATIONS_OP_LIST_TARGETS_FOR_POLICY] = OP(organizations_list_targets_for_policy, OP_READ),
	[ORGANIZATIONS_OP_MOVE_ACCOUNT] = OP(organizations_move_account, 0),
	[ORGANIZATIONS_OP_PUT_RESOURCE_POLICY] = OP(organizations_put_resource_policy, 0),
	[ORGANIZATIONS_OP_REGISTER_DELEGATED_ADMINISTRATOR] = OP(organizations_register_delegated_administrator, 0),
	[ORGANIZATIONS_OP_REMOVE_ACCOUNT_FROM_ORGANIZATION] = OP(organizations_remove_account_from_organization, 0),
	[ORGANIZATIONS_OP_TAG_RESOURCE] = OP(organizations_tag_resource, 0),
	[ORGANIZATIONS_OP_UNTAG_RESOURCE] = OP(organizations_untag_resource, 0),
	[ORGANIZATIONS_OP_UPDATE_ORGANIZATIONAL_UNIT] = OP(organizations_update_organizational_unit, 0),
	[ORGANIZATIONS_OP_UPDATE_POLICY] = OP(organizations_update_policy, 0),
};

static status start(struct cloud *cloud, void **state)
{
	jobs_register(cloud->jobs, ORGS_JOB_CREATE, orgs_create_job, cloud);
	jobs_register(cloud->jobs, ORGS_JOB_EXPIRE, orgs_expire_job, cloud);
	jobs_register(cloud->jobs, ORGS_JOB_CLOSE, orgs_close_job, cloud);
	*state = NULL;
	return OK;
}

extern const struct service service_organizations;
const struct service service_organizations = {
	.model = &wire_service_organizations, .ops = operations, .start = start, .authorize = orgs_authorize};
