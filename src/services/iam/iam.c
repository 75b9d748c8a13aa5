/* AWS Identity and Access Management: what it does, operation by operation. Everything is account-wide, in whatever region the
 * call is made; what decisions rest on takes effect with the commit of the call that changed it. */
#include "services/iam/internal.h"
#include "services/iam/subject.h"
#include "services/iam/usage.h"
#include <stdlib.h>

static const struct service_op operations[IAM_OP_COUNT] = {
	[IAM_OP_ADD_CLIENT_ID_TO_OPEN_ID_CONNECT_PROVIDER] = OP(iam_add_client_id_to_open_id_connect_provider, 0),
	[IAM_OP_ADD_ROLE_TO_INSTANCE_PROFILE] = OP(iam_add_role_to_instance_profile, 0),
	[IAM_OP_ADD_USER_TO_GROUP] = OP(iam_add_user_to_group, 0),
	[IAM_OP_ATTACH_GROUP_POLICY] = OP(iam_attach_group_policy, 0),
	[IAM_OP_ATTACH_ROLE_POLICY] = OP(iam_attach_role_policy, 0),
	[IAM_OP_ATTACH_USER_POLICY] = OP(iam_attach_user_policy, 0),
	[IAM_OP_CREATE_ACCESS_KEY] = OP(iam_create_access_key, 0),
	[IAM_OP_CREATE_ACCOUNT_ALIAS] = OP(iam_create_account_alias, 0),
	[IAM_OP_CREATE_GROUP] = OP(iam_create_group, 0),
	[IAM_OP_CREATE_INSTANCE_PROFILE] = OP(iam_create_instance_profile, 0),
	[IAM_OP_CREATE_OPEN_ID_CONNECT_PROVIDER] = OP(iam_create_open_id_connect_provider, 0),
	[IAM_OP_CREATE_POLICY] = OP(iam_create_policy, 0),
	[IAM_OP_CREATE_POLICY_VERSION] = OP(iam_create_policy_version, 0),
	[IAM_OP_CREATE_ROLE] = OP(iam_create_role, 0),
	[IAM_OP_CREATE_SAML_PROVIDER] = OP(iam_create_saml_provider, 0),
	[IAM_OP_CREATE_USER] = OP(iam_create_user, 0),
	[IAM_OP_CREATE_VIRTUAL_MFA_DEVICE] = OP(iam_create_virtual_mfa_device, 0),
	[IAM_OP_DEACTIVATE_MFA_DEVICE] = OP(iam_deactivate_mfa_device, 0),
	[IAM_OP_DELETE_ACCESS_KEY] = OP(iam_delete_access_key, 0),
	[IAM_OP_DELETE_ACCOUNT_ALIAS] = OP(iam_delete_account_alias, 0),
	[IAM_OP_DELETE_GROUP] = OP(iam_delete_group, 0),
	[IAM_OP_DELETE_GROUP_POLICY] = OP(iam_delete_group_policy, 0),
	[IAM_OP_DELETE_INSTANCE_PROFILE] = OP(iam_delete_instance_profile, 0),
	[IAM_OP_DELETE_OPEN_ID_CONNECT_PROVIDER] = OP(iam_delete_open_id_connect_provider, 0),
	[IAM_OP_DELETE_POLICY] = OP(iam_delete_policy, 0),
	[IAM_OP_DELETE_POLICY_VERSION] = OP(iam_delete_policy_version, 0),
	[IAM_OP_DELETE_ROLE] = OP(iam_delete_role, 0),
	[IAM_OP_DELETE_ROLE_PERMISSIONS_BOUNDARY] = OP(iam_delete_role_permissions_boundary, 0),
	[IAM_OP_DELETE_ROLE_POLICY] = OP(iam_delete_role_policy, 0),
	[IAM_OP_DELETE_SAML_PROVIDER] = OP(iam_delete_saml_provider, 0),
	[IAM_OP_DELETE_USER] = OP(iam_delete_user, 0),
	[IAM_OP_DELETE_USER_PERMISSIONS_BOUNDARY] = OP(iam_delete_user_permissions_boundary, 0),
	[IAM_OP_DELETE_USER_POLICY] = OP(iam_delete_user_policy, 0),
	[IAM_OP_DELETE_VIRTUAL_MFA_DEVICE] = OP(iam_delete_virtual_mfa_device, 0),
	[IAM_OP_DETACH_GROUP_POLICY] = OP(iam_detach_group_policy, 0),
	[IAM_OP_DETACH_ROLE_POLICY] = OP(iam_detach_role_policy, 0),
	[IAM_OP_DETACH_USER_POLICY] = OP(iam_detach_user_policy, 0),
	[IAM_OP_ENABLE_MFA_DEVICE] = OP(iam_enable_mfa_device, 0),
	[IAM_OP_GET_ACCESS_KEY_LAST_USED] = OP(iam_get_access_key_last_used, OP_READ),
	[IAM_OP_GET_ACCOUNT_SUMMARY] = OP(iam_get_account_summary, OP_READ),
	[IAM_OP_GET_GROUP] = OP(iam_get_group, OP_READ),
	[IAM_OP_GET_GROUP_POLICY] = OP(iam_get_group_policy, OP_READ),
	[IAM_OP_GET_INSTANCE_PROFILE] = OP(iam_get_instance_profile, OP_READ),
	[IAM_OP_GET_MFA_DEVICE] = OP(iam_get_mfa_device, OP_READ),
	[IAM_OP_GET_OPEN_ID_CONNECT_PROVIDER] = OP(iam_get_open_id_connect_provider, OP_READ),
	[IAM_OP_GET_POLICY] = OP(iam_get_policy, OP_READ),
	[IAM_OP_GET_POLICY_VERSION] = OP(iam_get_policy_version, OP_READ),
	[IAM_OP_GET_ROLE] = OP(iam_get_role, OP_READ),
	[IAM_OP_GET_ROLE_POLICY] = OP(iam_get_role_policy, OP_READ),
	[IAM_OP_GET_SAML_PROVIDER] = OP(iam_get_saml_provider, OP_READ),
	[IAM_OP_GET_USER] = OP(iam_get_user, OP_READ),
	[IAM_OP_GET_USER_POLICY] = OP(iam_get_user_policy, OP_READ),
	[IAM_OP_LIST_ACCESS_KEYS] = OP(iam_list_access_keys, OP_READ),
	[IAM_OP_LIST_ACCOUNT_ALIASES] = OP(iam_list_account_aliases, OP_READ),
	[IAM_OP_LIST_ATTACHED_GROUP_POLICIES] = OP(iam_list_attached_group_policies, OP_READ),
	[IAM_OP_LIST_ATTACHED_ROLE_POLICIES] = OP(iam_list_attached_role_policies, OP_READ),
	[IAM_OP_LIST_ATTACHED_USER_POLICIES] = OP(iam_list_attached_user_policies, OP_READ),
	[IAM_OP_LIST_ENTITIES_FOR_POLICY] = OP(iam_list_entities_for_policy, OP_READ),
	[IAM_OP_LIST_GROUP_POLICIES] = OP(iam_list_group_policies, OP_READ),
	[IAM_OP_LIST_GROUPS] = OP(iam_list_groups, OP_READ),
	[IAM_OP_LIST_GROUPS_FOR_USER] = OP(iam_list_groups_for_user, OP_READ),
	[IAM_OP_LIST_INSTANCE_PROFILE_TAGS] = OP(iam_list_instance_profile_tags, OP_READ),
	[IAM_OP_LIST_INSTANCE_PROFILES] = OP(iam_list_instance_profiles, OP_READ),
	[IAM_OP_LIST_INSTANCE_PROFILES_FOR_ROLE] = OP(iam_list_instance_profiles_for_role, OP_READ),
	[IAM_OP_LIST_MFA_DEVICE_TAGS] = OP(iam_list_mfa_device_tags, OP_READ),
	[IAM_OP_LIST_MFA_DEVICES] = OP(iam_list_mfa_devices, OP_READ),
	[IAM_OP_LIST_OPEN_ID_CONNECT_PROVIDER_TAGS] = OP(iam_list_open_id_connect_provider_tags, OP_READ),
	[IAM_OP_LIST_OPEN_ID_CONNECT_PROVIDERS] = OP(iam_list_open_id_connect_providers, OP_READ),
	[IAM_OP_LIST_POLICIES] = OP(iam_list_policies, OP_READ),
	[IAM_OP_LIST_POLICY_TAGS] = OP(iam_list_policy_tags, OP_READ),
	[IAM_OP_LIST_POLICY_VERSIONS] = OP(iam_list_policy_versions, OP_READ),
	[IAM_OP_LIST_ROLE_POLICIES] = OP(iam_list_role_policies, OP_READ),
	[IAM_OP_LIST_ROLE_TAGS] = OP(iam_list_role_tags, OP_READ),
	[IAM_OP_LIST_ROLES] = OP(iam_list_roles, OP_READ),
	[IAM_OP_LIST_SAML_PROVIDER_TAGS] = OP(iam_list_saml_provider_tags, OP_READ),
	[IAM_OP_LIST_SAML_PROVIDERS] = OP(iam_list_saml_providers, OP_READ),
	[IAM_OP_LIST_USER_POLICIES] = OP(iam_list_user_policies, OP_READ),
	[IAM_OP_LIST_USER_TAGS] = OP(iam_list_user_tags, OP_READ),
	[IAM_OP_LIST_USERS] = OP(iam_list_users, OP_READ),
	[IAM_OP_LIST_VIRTUAL_MFA_DEVICES] = OP(iam_list_virtual_mfa_devices, OP_READ),
	[IAM_OP_PUT_GROUP_POLICY] = OP(iam_put_group_policy, 0),
	[IAM_OP_PUT_ROLE_PERMISSIONS_BOUNDARY] = OP(iam_put_role_permissions_boundary, 0),
	[IAM_OP_PUT_ROLE_POLICY] = OP(iam_put_role_policy, 0),
	[IAM_OP_PUT_USER_PERMISSIONS_BOUNDARY] = OP(iam_put_user_permissions_boundary, 0),
	[IAM_OP_PUT_USER_POLICY] = OP(iam_put_user_policy, 0),
	[IAM_OP_REMOVE_CLIENT_ID_FROM_OPEN_ID_CONNECT_PROVIDER] = OP(iam_remove_client_id_from_open_id_connect_provider, 0),
	[IAM_OP_REMOVE_ROLE_FROM_INSTANCE_PROFILE] = OP(iam_remove_role_from_instance_profile, 0),
	[IAM_OP_REMOVE_USER_FROM_GROUP] = OP(iam_remove_user_from_group, 0),
	[IAM_OP_RESYNC_MFA_DEVICE] = OP(iam_resync_mfa_device, 0),
	[IAM_OP_SET_DEFAULT_POLICY_VERSION] = OP(iam_set_default_policy_version, 0),
	[IAM_OP_SET_SECURITY_TOKEN_SERVICE_PREFERENCES] = OP(iam_set_security_token_service_preferences, 0),
	[IAM_OP_TAG_INSTANCE_PROFILE] = OP(iam_tag_instance_profile, 0),
	[IAM_OP_TAG_MFA_DEVICE] = OP(iam_tag_mfa_device, 0),
	[IAM_OP_TAG_OPEN_ID_CONNECT_PROVIDER] = OP(iam_tag_open_id_connect_provider, 0),
	[IAM_OP_TAG_POLICY] = OP(iam_tag_policy, 0),
	[IAM_OP_TAG_ROLE] = OP(iam_tag_role, 0),
	[IAM_OP_TAG_SAML_PROVIDER] = OP(iam_tag_saml_provider, 0),
	[IAM_OP_TAG_USER] = OP(iam_tag_user, 0),
	[IAM_OP_UNTAG_INSTANCE_PROFILE] = OP(iam_untag_instance_profile, 0),
	[IAM_OP_UNTAG_MFA_DEVICE] = OP(iam_untag_mfa_device, 0),
	[IAM_OP_UNTAG_OPEN_ID_CONNECT_PROVIDER] = OP(iam_untag_open_id_connect_provider, 0),
	[IAM_OP_UNTAG_POLICY] = OP(iam_untag_policy, 0),
	[IAM_OP_UNTAG_ROLE] = OP(iam_untag_role, 0),
	[IAM_OP_UNTAG_SAML_PROVIDER] = OP(iam_untag_saml_provider, 0),
	[IAM_OP_UNTAG_USER] = OP(iam_untag_user, 0),
	[IAM_OP_UPDATE_ACCESS_KEY] = OP(iam_update_access_key, 0),
	[IAM_OP_UPDATE_ASSUME_ROLE_POLICY] = OP(iam_update_assume_role_policy, 0),
	[IAM_OP_UPDATE_GROUP] = OP(iam_update_group, 0),
	[IAM_OP_UPDATE_OPEN_ID_CONNECT_PROVIDER_THUMBPRINT] = OP(iam_update_open_id_connect_provider_thumbprint, 0),
	[IAM_OP_UPDATE_ROLE] = OP(iam_update_role, 0),
	[IAM_OP_UPDATE_ROLE_DESCRIPTION] = OP(iam_update_role_description, 0),
	[IAM_OP_UPDATE_SAML_PROVIDER] = OP(iam_update_saml_provider, 0),
	[IAM_OP_UPDATE_USER] = OP(iam_update_user, 0),
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
