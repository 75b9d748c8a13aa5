/* AWS Key Management Service: what it does, operation by operation. The rows of custom key stores (CloudHSM clusters
 * and external key managers) are left out. */
#include "policy/provider.h"
#include "services/kms/permit.h"
#include "services/kms/room.h"
#include <stdlib.h>

static const struct service_op operations[KMS_OP_COUNT] = {
	[KMS_OP_CANCEL_KEY_DELETION] = OP(kms_cancel_key_deletion, 0),
	[KMS_OP_CREATE_ALIAS] = OP(kms_create_alias, 0),
	[KMS_OP_CREATE_GRANT] = OP(kms_create_grant, 0),
	[KMS_OP_CREATE_KEY] = OP(kms_create_key, OP_BLOCKING),
	[KMS_OP_DECRYPT] = OP(kms_decrypt, OP_READ),
	[KMS_OP_DELETE_ALIAS] = OP(kms_delete_alias, 0),
	[KMS_OP_DELETE_IMPORTED_KEY_MATERIAL] = OP(kms_delete_imported_key_material, 0),
	[KMS_OP_DERIVE_SHARED_SECRET] = OP(kms_derive_shared_secret, OP_READ | OP_BLOCKING),
	[KMS_OP_DESCRIBE_KEY] = OP(kms_describe_key, 0),
	[KMS_OP_DISABLE_KEY] = OP(kms_disable_key, 0),
	[KMS_OP_DISABLE_KEY_ROTATION] = OP(kms_disable_key_rotation, 0),
	[KMS_OP_ENABLE_KEY] = OP(kms_enable_key, 0),
	[KMS_OP_ENABLE_KEY_ROTATION] = OP(kms_enable_key_rotation, 0),
	[KMS_OP_ENCRYPT] = OP(kms_encrypt, OP_READ),
	[KMS_OP_GENERATE_DATA_KEY] = OP(kms_generate_data_key, OP_READ),
	[KMS_OP_GENERATE_DATA_KEY_PAIR] = OP(kms_generate_data_key_pair, OP_READ | OP_BLOCKING),
	[KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT] =
		OP(kms_generate_data_key_pair_without_plaintext, OP_READ | OP_BLOCKING),
	[KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT] = OP(kms_generate_data_key_without_plaintext, OP_READ),
	[KMS_OP_GENERATE_MAC] = OP(kms_generate_mac, OP_READ),
	[KMS_OP_GENERATE_RANDOM] = OP(kms_generate_random, OP_READ),
	[KMS_OP_GET_KEY_LAST_USAGE] = OP(kms_get_key_last_usage, OP_READ),
	[KMS_OP_GET_KEY_POLICY] = OP(kms_get_key_policy, OP_READ),
	[KMS_OP_GET_KEY_ROTATION_STATUS] = OP(kms_get_key_rotation_status, OP_READ),
	[KMS_OP_GET_PARAMETERS_FOR_IMPORT] = OP(kms_get_parameters_for_import, OP_READ | OP_BLOCKING),
	[KMS_OP_GET_PUBLIC_KEY] = OP(kms_get_public_key, OP_READ),
	[KMS_OP_IMPORT_KEY_MATERIAL] = OP(kms_import_key_material, OP_BLOCKING),
	[KMS_OP_LIST_ALIASES] = OP(kms_list_aliases, OP_READ),
	[KMS_OP_LIST_GRANTS] = OP(kms_list_grants, OP_READ),
	[KMS_OP_LIST_KEYS] = OP(kms_list_keys, OP_READ),
	[KMS_OP_LIST_KEY_POLICIES] = OP(kms_list_key_policies, OP_READ),
	[KMS_OP_LIST_KEY_ROTATIONS] = OP(kms_list_key_rotations, OP_READ),
	[KMS_OP_LIST_RESOURCE_TAGS] = OP(kms_list_resource_tags, OP_READ),
	[KMS_OP_LIST_RETIRABLE_GRANTS] = OP(kms_list_retirable_grants, OP_READ),
	[KMS_OP_PUT_KEY_POLICY] = OP(kms_put_key_policy, 0),
	[KMS_OP_REPLICATE_KEY] = OP(kms_replicate_key, 0),
	[KMS_OP_RETIRE_GRANT] = OP(kms_retire_grant, 0),
	[KMS_OP_REVOKE_GRANT] = OP(kms_revoke_grant, 0),
	[KMS_OP_RE_ENCRYPT] = OP(kms_re_encrypt, OP_READ),
	[KMS_OP_ROTATE_KEY_ON_DEMAND] = OP(kms_rotate_key_on_demand, 0),
	[KMS_OP_SCHEDULE_KEY_DELETION] = OP(kms_schedule_key_deletion, 0),
	[KMS_OP_SIGN] = OP(kms_sign, OP_READ | OP_BLOCKING),
	[KMS_OP_TAG_RESOURCE] = OP(kms_tag_resource, 0),
	[KMS_OP_UNTAG_RESOURCE] = OP(kms_untag_resource, 0),
	[KMS_OP_UPDATE_ALIAS] = OP(kms_update_alias, 0),
	[KMS_OP_UPDATE_KEY_DESCRIPTION] = OP(kms_update_key_description, 0),
	[KMS_OP_UPDATE_PRIMARY_REGION] = OP(kms_update_primary_region, 0),
	[KMS_OP_VERIFY] = OP(kms_verify, OP_READ),
	[KMS_OP_VERIFY_MAC] = OP(kms_verify_mac, OP_READ),
};

static status start(struct cloud *cloud, void **state)
{
	struct kms *k = mem_new(sizeof(*k));
	k->cloud = cloud;
	k->cache = kms_cache_new();
	k->usage = kms_usage_new(cloud);
	k->policies = kms_policies_new();
	*state = k;
	TRY(kms_rotation_start(k));
	TRY(kms_deletion_start(k));
	return kms_import_start(k);
}

static void stop(void *state)
{
	struct kms *k = state;
	kms_usage_free(k->usage);
	kms_cache_free(k->cache);
	policy_library_free(k->policies);
	free(k);
}

/* What was noted must not come back for keys that are gone. */
static status reset(struct cloud *cloud, void *state, bool gone)
{
	(void)cloud;
	struct kms *k = state;
	if (gone) kms_usage_forget(k->usage);
	return OK;
}

extern const struct service service_kms;
const struct service service_kms = {.model = &wire_service_kms,
	.ops = operations,
	.start = start,
	.stop = stop,
	.authorize = kms_authorize,
	.reset = reset};
