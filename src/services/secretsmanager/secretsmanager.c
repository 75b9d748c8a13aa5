/* AWS Secrets Manager: what it does, operation by operation. CancelRotateSecret has no row: only what RDS manages is rotated,
 * and that does not stop. */
#include "services/secretsmanager/room.h"

static const struct service_op operations[SECRETSMANAGER_OP_COUNT] = {
	[SECRETSMANAGER_OP_BATCH_GET_SECRET_VALUE] = OP(secretsmanager_batch_get_secret_value, 0),
	[SECRETSMANAGER_OP_CREATE_SECRET] = OP(secretsmanager_create_secret, 0),
	[SECRETSMANAGER_OP_DELETE_RESOURCE_POLICY] = OP(secretsmanager_delete_resource_policy, 0),
	[SECRETSMANAGER_OP_DELETE_SECRET] = OP(secretsmanager_delete_secret, 0),
	[SECRETSMANAGER_OP_DESCRIBE_SECRET] = OP(secretsmanager_describe_secret, OP_READ),
	[SECRETSMANAGER_OP_GET_RANDOM_PASSWORD] = OP(secretsmanager_get_random_password, OP_READ),
	[SECRETSMANAGER_OP_GET_RESOURCE_POLICY] = OP(secretsmanager_get_resource_policy, OP_READ),
	[SECRETSMANAGER_OP_GET_SECRET_VALUE] = OP(secretsmanager_get_secret_value, 0),
	[SECRETSMANAGER_OP_LIST_SECRETS] = OP(secretsmanager_list_secrets, OP_READ | OP_BLOCKING),
	[SECRETSMANAGER_OP_LIST_SECRET_VERSION_IDS] = OP(secretsmanager_list_secret_version_ids, OP_READ),
	[SECRETSMANAGER_OP_PUT_RESOURCE_POLICY] = OP(secretsmanager_put_resource_policy, 0),
	[SECRETSMANAGER_OP_PUT_SECRET_VALUE] = OP(secretsmanager_put_secret_value, 0),
	[SECRETSMANAGER_OP_REMOVE_REGIONS_FROM_REPLICATION] = OP(secretsmanager_remove_regions_from_replication, 0),
	[SECRETSMANAGER_OP_REPLICATE_SECRET_TO_REGIONS] = OP(secretsmanager_replicate_secret_to_regions, 0),
	[SECRETSMANAGER_OP_RESTORE_SECRET] = OP(secretsmanager_restore_secret, 0),
	[SECRETSMANAGER_OP_ROTATE_SECRET] = OP(secretsmanager_rotate_secret, OP_NO_TX | OP_BLOCKING),
	[SECRETSMANAGER_OP_STOP_REPLICATION_TO_REPLICA] = OP(secretsmanager_stop_replication_to_replica, 0),
	[SECRETSMANAGER_OP_TAG_RESOURCE] = OP(secretsmanager_tag_resource, 0),
	[SECRETSMANAGER_OP_UNTAG_RESOURCE] = OP(secretsmanager_untag_resource, 0),
	[SECRETSMANAGER_OP_UPDATE_SECRET] = OP(secretsmanager_update_secret, 0),
	[SECRETSMANAGER_OP_UPDATE_SECRET_VERSION_STAGE] = OP(secretsmanager_update_secret_version_stage, 0),
	[SECRETSMANAGER_OP_VALIDATE_RESOURCE_POLICY] = OP(secretsmanager_validate_resource_policy, OP_READ),
};

static status start(struct cloud *cloud, void **state)
{
	jobs_register(cloud->jobs, SM_JOB_DELETE, sm_delete_job, cloud);
	*state = NULL;
	return OK;
}

extern const struct service service_secretsmanager;
const struct service service_secretsmanager = {
	.model = &wire_service_secretsmanager, .ops = operations, .start = start, .authorize = sm_authorize};
