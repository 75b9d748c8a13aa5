/* IAM Identity Center's administration: what it does, operation by operation. Applications, trusted token issuers and
 * further regions have no row. */
#include "services/sso-admin/room.h"

static const struct service_op operations[SSO_ADMIN_OP_COUNT] = {
	[SSO_ADMIN_OP_ATTACH_CUSTOMER_MANAGED_POLICY_REFERENCE_TO_PERMISSION_SET] =
		OP(sso_admin_attach_customer_managed_policy_reference_to_permission_set, 0),
	[SSO_ADMIN_OP_ATTACH_MANAGED_POLICY_TO_PERMISSION_SET] =
		OP(sso_admin_attach_managed_policy_to_permission_set, 0),
	[SSO_ADMIN_OP_CREATE_ACCOUNT_ASSIGNMENT] = OP(sso_admin_create_account_assignment, 0),
	[SSO_ADMIN_OP_CREATE_INSTANCE] = OP(sso_admin_create_instance, 0),
	[SSO_ADMIN_OP_CREATE_INSTANCE_ACCESS_CONTROL_ATTRIBUTE_CONFIGURATION] =
		OP(sso_admin_create_instance_access_control_attribute_configuration, 0),
	[SSO_ADMIN_OP_CREATE_PERMISSION_SET] = OP(sso_admin_create_permission_set, 0),
	[SSO_ADMIN_OP_DELETE_ACCOUNT_ASSIGNMENT] = OP(sso_admin_delete_account_assignment, 0),
	[SSO_ADMIN_OP_DELETE_INLINE_POLICY_FROM_PERMISSION_SET] =
		OP(sso_admin_delete_inline_policy_from_permission_set, 0),
	[SSO_ADMIN_OP_DELETE_INSTANCE] = OP(sso_admin_delete_instance, 0),
	[SSO_ADMIN_OP_DELETE_INSTANCE_ACCESS_CONTROL_ATTRIBUTE_CONFIGURATION] =
		OP(sso_admin_delete_instance_access_control_attribute_configuration, 0),
	[SSO_ADMIN_OP_DELETE_PERMISSION_SET] = OP(sso_admin_delete_permission_set, 0),
	[SSO_ADMIN_OP_DELETE_PERMISSIONS_BOUNDARY_FROM_PERMISSION_SET] =
		OP(sso_admin_delete_permissions_boundary_from_permission_set, 0),
	[SSO_ADMIN_OP_DESCRIBE_ACCOUNT_ASSIGNMENT_CREATION_STATUS] =
		OP(sso_admin_describe_account_assignment_creation_status, OP_READ),
	[SSO_ADMIN_OP_DESCRIBE_ACCOUNT_ASSIGNMENT_DELETION_STATUS] =
		OP(sso_admin_describe_account_assignment_deletion_status, OP_READ),
	[SSO_ADMIN_OP_DESCRIBE_INSTANCE] = OP(sso_admin_describe_instance, OP_READ),
	[SSO_ADMIN_OP_DESCRIBE_INSTANCE_ACCESS_CONTROL_ATTRIBUTE_CONFIGURATION] =
		OP(sso_admin_describe_instance_access_control_attribute_configuration, OP_READ),
	[SSO_ADMIN_OP_DESCRIBE_PERMISSION_SET] = OP(sso_admin_describe_permission_set, OP_READ),
	[SSO_ADMIN_OP_DESCRIBE_PERMISSION_SET_PROVISIONING_STATUS] =
		OP(sso_admin_describe_permission_set_provisioning_status, OP_READ),
	[SSO_ADMIN_OP_DETACH_CUSTOMER_MANAGED_POLICY_REFERENCE_FROM_PERMISSION_SET] =
		OP(sso_admin_detach_customer_managed_policy_reference_from_permission_set, 0),
	[SSO_ADMIN_OP_DETACH_MANAGED_POLICY_FROM_PERMISSION_SET] =
		OP(sso_admin_detach_managed_policy_from_permission_set, 0),
	[SSO_ADMIN_OP_GET_INLINE_POLICY_FOR_PERMISSION_SET] =
		OP(sso_admin_get_inline_policy_for_permission_set, OP_READ),
	[SSO_ADMIN_OP_GET_PERMISSIONS_BOUNDARY_FOR_PERMISSION_SET] =
		OP(sso_admin_get_permissions_boundary_for_permission_set, OP_READ),
	[SSO_ADMIN_OP_LIST_ACCOUNT_ASSIGNMENT_CREATION_STATUS] =
		OP(sso_admin_list_account_assignment_creation_status, OP_READ),
	[SSO_ADMIN_OP_LIST_ACCOUNT_ASSIGNMENT_DELETION_STATUS] =
		OP(sso_admin_list_account_assignment_deletion_status, OP_READ),
	[SSO_ADMIN_OP_LIST_ACCOUNT_ASSIGNMENTS] = OP(sso_admin_list_account_assignments, OP_READ),
	[SSO_ADMIN_OP_LIST_ACCOUNT_ASSIGNMENTS_FOR_PRINCIPAL] =
		OP(sso_admin_list_account_assignments_for_principal, OP_READ),
	[SSO_ADMIN_OP_LIST_ACCOUNTS_FOR_PROVISIONED_PERMISSION_SET] =
		OP(sso_admin_list_accounts_for_provisioned_permission_set, OP_READ),
	[SSO_ADMIN_OP_LIST_CUSTOMER_MANAGED_POLICY_REFERENCES_IN_PERMISSION_SET] =
		OP(sso_admin_list_customer_managed_policy_references_in_permission_set, OP_READ),
	[SSO_ADMIN_OP_LIST_INSTANCES] = OP(sso_admin_list_instances, OP_READ),
	[SSO_ADMIN_OP_LIST_MANAGED_POLICIES_IN_PERMISSION_SET] =
		OP(sso_admin_list_managed_policies_in_permission_set, OP_READ),
	[SSO_ADMIN_OP_LIST_PERMISSION_SET_PROVISIONING_STATUS] =
		OP(sso_admin_list_permission_set_provisioning_status, OP_READ),
	[SSO_ADMIN_OP_LIST_PERMISSION_SETS] = OP(sso_admin_list_permission_sets, OP_READ),
	[SSO_ADMIN_OP_LIST_PERMISSION_SETS_PROVISIONED_TO_ACCOUNT] =
		OP(sso_admin_list_permission_sets_provisioned_to_account, OP_READ),
	[SSO_ADMIN_OP_LIST_TAGS_FOR_RESOURCE] = OP(sso_admin_list_tags_for_resource, OP_READ),
	[SSO_ADMIN_OP_PROVISION_PERMISSION_SET] = OP(sso_admin_provision_permission_set, 0),
	[SSO_ADMIN_OP_PUT_INLINE_POLICY_TO_PERMISSION_SET] = OP(sso_admin_put_inline_policy_to_permission_set, 0),
	[SSO_ADMIN_OP_PUT_PERMISSIONS_BOUNDARY_TO_PERMISSION_SET] =
		OP(sso_admin_put_permissions_boundary_to_permission_set, 0),
	[SSO_ADMIN_OP_TAG_RESOURCE] = OP(sso_admin_tag_resource, 0),
	[SSO_ADMIN_OP_UNTAG_RESOURCE] = OP(sso_admin_untag_resource, 0),
	[SSO_ADMIN_OP_UPDATE_INSTANCE] = OP(sso_admin_update_instance, 0),
	[SSO_ADMIN_OP_UPDATE_INSTANCE_ACCESS_CONTROL_ATTRIBUTE_CONFIGURATION] =
		OP(sso_admin_update_instance_access_control_attribute_configuration, 0),
	[SSO_ADMIN_OP_UPDATE_PERMISSION_SET] = OP(sso_admin_update_permission_set, 0),
};

static status start(struct cloud *cloud, void **state)
{
	jobs_register(cloud->jobs, SSOA_JOB, ssoa_job, cloud);
	*state = NULL;
	return OK;
}

extern const struct service service_sso_admin;
const struct service service_sso_admin = {.model = &wire_service_sso_admin, .ops = operations, .start = start};
