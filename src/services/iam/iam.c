/* AWS Identity and Access Management: what it does, operation by operation. Everything is account-wide, in whatever
 * region the call is made; what decisions rest on takes effect with the commit of the call that changed it. */
#include "services/iam/internal.h"
#include "services/iam/subject.h"
#include "services/iam/usage.h"
#include <stdlib.h>

static const struct service_op operations[IAM_OP_COUNT] = {
	[IAM_OP_ADD_CLIENT_ID_TO_OPEN_ID_CONNECT_PROVIDER] = OP(iam_add_client_id_to_open_id_connect_provider, 0),
	
	[IAM_OP_ADD_USER_TO_GROUP] = OP(iam_add_user_to_group, 0),
	
	[IAM_OP_ATTACH_ROLE_POLICY] = OP(iam_attach_role_policy, 0),
	
	[IAM_OP_CHANGE_PASSWORD] = OP(iam_change_password, OP_BLOCKING),
	
	[IAM_OP_CREATE_ACCOUNT_ALIAS] = OP(iam_create_account_alias, 0),
	
	[IAM_OP_CREATE_INSTANCE_PROFILE] = OP(iam_create_instance_profile, 0),
	
	[IAM_OP_CREATE_OPEN_ID_CONNECT_PROVIDER] = OP(iam_create_open_id_connect_provider, 0),
	
	[IAM_OP_CREATE_POLICY_VERSION] = OP(iam_create_policy_version, 0),
	
	[IAM_OP_CREATE_SAML_PROVIDER] = OP(iam_create_saml_provider, 0),
	
	[IAM_OP_CREATE_SERVICE_SPECIFIC_CREDENTIAL] = OP(iam_create_service_specific_credential, 0),
	
	[IAM_OP_CREATE_VIRTUAL_MFA_DEVICE] = OP(iam_create_virtual_mfa_device, 0),
	
	[IAM_OP_DELETE_ACCESS_KEY] = OP(iam_delete_access_key, 0),
	
	[IAM_OP_DELETE_ACCOUNT_PASSWORD_POLICY] = OP(iam_delete_account_password_policy, 0),
	
	[IAM_OP_DELETE_GROUP_POLICY] = OP(iam_delete_group_policy, 0),
	
	[IAM_OP_DELETE_LOGIN_PROFILE] = OP(iam_delete_login_profile, 0),
	
	[IAM_OP_DELETE_POLICY] = OP(iam_delete_policy, 0),
	
	[IAM_OP_DELETE_ROLE] = OP(iam_delete_role, 0),
	
	[IAM_OP_DELETE_ROLE_POLICY] = OP(iam_delete_role_policy, 0),
	
	[IAM_OP_DELETE_SERVER_CERTIFICATE] = OP(iam_delete_server_certificate, 0),
	
	[IAM_OP_DELETE_SERVICE_SPECIFIC_CREDENTIAL] = OP(iam_delete_service_specific_credential, 0),
	
	[IAM_OP_DELETE_SSH_PUBLIC_KEY] = OP(iam_delete_ssh_public_key, 0),
	
	[IAM_OP_DELETE_USER_PERMISSIONS_BOUNDARY] = OP(iam_delete_user_permissions_boundary, 0),
	
	[IAM_OP_DELETE_VIRTUAL_MFA_DEVICE] = OP(iam_delete_virtual_mfa_device, 0),
	
	[IAM_OP_DETACH_ROLE_POLICY] = OP(iam_detach_role_policy, 0),
	
	[IAM_OP_DISABLE_ORGANIZATIONS_ROOT_CREDENTIALS_MANAGEMENT] = OP(iam_disable_organizations_root_credentials_management, 0),
	[IAM_OP_DISABLE_ORGANIZATIONS_ROOT_SESSIONS] = OP(iam_disable_organizations_root_sessions, 0),
	[IAM_OP_ENABLE_MFA_DEVICE] = OP(iam_enable_mfa_device, 0),
	
	[IAM_OP_ENABLE_ORGANIZATIONS_ROOT_CREDENTIALS_MANAGEMENT] = OP(iam_enable_organizations_root_credentials_management, 0),
	[IAM_OP_ENABLE_ORGANIZATIONS_ROOT_SESSIONS] = OP(iam_enable_organizations_root_sessions, 0),
	[IAM_OP_GENERATE_SERVICE_LAST_ACCESSED_DETAILS] = OP(iam_generate_service_last_accessed_details, 0),
	
	[IAM_OP_GET_ACCOUNT_AUTHORIZATION_DETAILS] = OP(iam_get_account_authorization_details, OP_READ | OP_BLOCKING),
	
	[IAM_OP_GET_ACCOUNT_SUMMARY] = OP(iam_get_account_summary, OP_READ),
	
	[IAM_OP_GET_CONTEXT_KEYS_FOR_PRINCIPAL_POLICY] = OP(iam_get_context_keys_for_principal_policy, OP_READ),
	
	[IAM_OP_GET_GROUP] = OP(iam_get_group, OP_READ),
	
	[IAM_OP_GET_INSTANCE_PROFILE] = OP(iam_get_instance_profile, OP_READ),
	
	[IAM_OP_GET_MFA_DEVICE] = OP(iam_get_mfa_device, OP_READ),
	
	[IAM_OP_GET_POLICY] = OP(iam_get_policy, OP_READ),
	
	[IAM_OP_GET_ROLE] = OP(iam_get_role, OP_READ),
	
	[IAM_OP_GET_SAML_PROVIDER] = OP(iam_get_saml_provider, OP_READ),
	
	[IAM_OP_GET_SERVICE_LAST_ACCESSED_DETAILS] = OP(iam_get_service_last_accessed_details, OP_READ),
	
	[IAM_OP_GET_SERVICE_LINKED_ROLE_DELETION_STATUS] = OP(iam_get_service_linked_role_deletion_status, OP_READ),
	
	[IAM_OP_GET_USER] = OP(iam_get_user, OP_READ),
	
	[IAM_OP_LIST_ACCESS_KEYS] = OP(iam_list_access_keys, OP_READ),
	
	[IAM_OP_LIST_ATTACHED_GROUP_POLICIES] = OP(iam_list_attached_group_policies, OP_READ),
	
	[IAM_OP_LIST_ATTACHED_USER_POLICIES] = OP(iam_list_attached_user_policies, OP_READ),
	
	[IAM_OP_LIST_GROUPS_FOR_USER] = OP(iam_list_groups_for_user, OP_READ),
	
	[IAM_OP_LIST_GROUP_POLICIES] = OP(iam_list_group_policies, OP_READ),
	
	[IAM_OP_LIST_INSTANCE_PROFILES] = OP(iam_list_instance_profiles, OP_READ),
	
	[IAM_OP_LIST_MFA_DEVICE_TAGS] = OP(iam_list_mfa_device_tags, OP_READ),
	
	[IAM_OP_LIST_OPEN_ID_CONNECT_PROVIDER_TAGS] = OP(iam_list_open_id_connect_provider_tags, OP_READ),
	
	[IAM_OP_LIST_ORGANIZATIONS_FEATURES] = OP(iam_list_organizations_features, OP_READ),
	[IAM_OP_LIST_POLICIES] = OP(iam_list_policies, OP_READ),
	
	[IAM_OP_LIST_POLICY_TAGS] = OP(iam_list_policy_tags, OP_READ),
	
	[IAM_OP_LIST_ROLES] = OP(iam_list_roles, OP_READ),
	
	[IAM_OP_LIST_ROLE_POLICIES] = OP(iam_list_role_policies, OP_READ),
	
	[IAM_OP_LIST_SAML_PROVIDERS] = OP(iam_list_saml_providers, OP_READ),
	
	[IAM_OP_LIST_SERVER_CERTIFICATES] = OP(iam_list_server_certificates, OP_READ),
	
	[IAM_OP_LIST_SIGNING_CERTIFICATES] = OP(iam_list_signing_certificates, OP_READ),
	
	[IAM_OP_LIST_USERS] = OP(iam_list_users, OP_READ),
	
	[IAM_OP_LIST_USER_POLICIES] = OP(iam_list_user_policies, OP_READ),
	
	[IAM_OP_PUT_GROUP_POLICY] = OP(iam_put_group_policy, 0),
	
	[IAM_OP_PUT_ROLE_POLICY] = OP(iam_put_role_policy, 0),
	
	[IAM_OP_PUT_USER_POLICY] = OP(iam_put_user_policy, 0),
	
	[IAM_OP_REMOVE_ROLE_FROM_INSTANCE_PROFILE] = OP(iam_remove_role_from_instance_profile, 0),
	
	[IAM_OP_RESET_SERVICE_SPECIFIC_CREDENTIAL] = OP(iam_reset_service_specific_credential, 0),
	
	[IAM_OP_SET_DEFAULT_POLICY_VERSION] = OP(iam_set_default_policy_version, 0),
	
	[IAM_OP_SIMULATE_CUSTOM_POLICY] = OP(iam_simulate_custom_policy, OP_READ),
	
	[IAM_OP_TAG_INSTANCE_PROFILE] = OP(iam_tag_instance_profile, 0),
	
	[IAM_OP_TAG_OPEN_ID_CONNECT_PROVIDER] = OP(iam_tag_open_id_connect_provider, 0),
	
	[IAM_OP_TAG_ROLE] = OP(iam_tag_role, 0),
	
	[IAM_OP_TAG_SERVER_CERTIFICATE] = OP(iam_tag_server_certificate, 0),
	
	[IAM_OP_UNTAG_INSTANCE_PROFILE] = OP(iam_untag_instance_profile, 0),
	
	[IAM_OP_UNTAG_OPEN_ID_CONNECT_PROVIDER] = OP(iam_untag_open_id_connect_provider, 0),
	
	[IAM_OP_UNTAG_ROLE] = OP(iam_untag_role, 0),
	
	[IAM_OP_UNTAG_SERVER_CERTIFICATE] = OP(iam_untag_server_certificate, 0),
	
	[IAM_OP_UPDATE_ACCESS_KEY] = OP(iam_update_access_key, 0),
	
	[IAM_OP_UPDATE_ASSUME_ROLE_POLICY] = OP(iam_update_assume_role_policy, 0),
	
	[IAM_OP_UPDATE_LOGIN_PROFILE] = OP(iam_update_login_profile, OP_BLOCKING),
	
	[IAM_OP_UPDATE_ROLE] = OP(iam_update_role, 0),
	
	[IAM_OP_UPDATE_SAML_PROVIDER] = OP(iam_update_saml_provider, 0),
	
	[IAM_OP_UPDATE_SERVICE_SPECIFIC_CREDENTIAL] = OP(iam_update_service_specific_credential, 0),
	
	[IAM_OP_UPDATE_SSH_PUBLIC_KEY] = OP(iam_update_ssh_public_key, 0),
	
	[IAM_OP_UPLOAD_SERVER_CERTIFICATE] = OP(iam_upload_server_certificate, OP_BLOCKING),
	
	[IAM_OP_UPLOAD_SSH_PUBLIC_KEY] = OP(iam_upload_ssh_public_key, 0),
};

static status start(struct cloud *cloud, void **state)
{
	struct iam_state *s = mem_new(sizeof(*s));
	s->cloud = cloud;
	s->subjects = iam_subjects_new(cloud);
	s->usage = iam_usage_new(cloud);
	*state = s;
	return OK;
}

static void stop(void *state)
{
	struct iam_state *s = state;
	iam_usage_free(s->usage);
	iam_subjects_free(s->subjects);
	free(s);
}

extern const struct service service_iam;
const struct service service_iam = {
	.model = &wire_service_iam,
	.ops = operations,
	.start = start,
	.stop = stop,
	.reset = iam_reset,
	.authorize = iam_authorize,
};
