/* Amazon ECR: what it does, operation by operation. Repositories with their policies, images by manifest, and layers as
 * they are uploaded. No registry is served to Docker yet: tokens and downloads answer NotImplemented. */
#include "services/ecr/room.h"

static const struct service_op operations[ECR_OP_COUNT] = {
	[ECR_OP_BATCH_CHECK_LAYER_AVAILABILITY] = OP(ecr_batch_check_layer_availability, OP_READ),
	[ECR_OP_BATCH_DELETE_IMAGE] = OP(ecr_batch_delete_image, 0),
	[ECR_OP_BATCH_GET_IMAGE] = OP(ecr_batch_get_image, OP_READ),
	[ECR_OP_COMPLETE_LAYER_UPLOAD] = OP(ecr_complete_layer_upload, OP_BLOCKING),
	[ECR_OP_CREATE_REPOSITORY] = OP(ecr_create_repository, 0),
	[ECR_OP_DELETE_LIFECYCLE_POLICY] = OP(ecr_delete_lifecycle_policy, 0),
	[ECR_OP_DELETE_REPOSITORY] = OP(ecr_delete_repository, 0),
	[ECR_OP_DELETE_REPOSITORY_POLICY] = OP(ecr_delete_repository_policy, 0),
	[ECR_OP_DESCRIBE_IMAGES] = OP(ecr_describe_images, OP_READ),
	[ECR_OP_DESCRIBE_REPOSITORIES] = OP(ecr_describe_repositories, OP_READ),
	[ECR_OP_GET_LIFECYCLE_POLICY] = OP(ecr_get_lifecycle_policy, OP_READ),
	[ECR_OP_GET_REPOSITORY_POLICY] = OP(ecr_get_repository_policy, OP_READ),
	[ECR_OP_INITIATE_LAYER_UPLOAD] = OP(ecr_initiate_layer_upload, 0),
	[ECR_OP_LIST_IMAGES] = OP(ecr_list_images, OP_READ),
	[ECR_OP_LIST_TAGS_FOR_RESOURCE] = OP(ecr_list_tags_for_resource, OP_READ),
	[ECR_OP_PUT_IMAGE] = OP(ecr_put_image, 0),
	[ECR_OP_PUT_IMAGE_SCANNING_CONFIGURATION] = OP(ecr_put_image_scanning_configuration, 0),
	[ECR_OP_PUT_IMAGE_TAG_MUTABILITY] = OP(ecr_put_image_tag_mutability, 0),
	[ECR_OP_PUT_LIFECYCLE_POLICY] = OP(ecr_put_lifecycle_policy, 0),
	[ECR_OP_SET_REPOSITORY_POLICY] = OP(ecr_set_repository_policy, 0),
	[ECR_OP_TAG_RESOURCE] = OP(ecr_tag_resource, 0),
	[ECR_OP_UNTAG_RESOURCE] = OP(ecr_untag_resource, 0),
	[ECR_OP_UPLOAD_LAYER_PART] = OP(ecr_upload_layer_part, OP_BLOCKING),
};

static status start(struct cloud *cloud, void **state)
{
	*state = cloud;
	ecr_lifecycle_start(cloud);
	return OK;
}

/* Before the records go: their repositories, in transactions, so that blobs are released. */
static status reset(struct cloud *cloud, void *state, bool gone)
{
	(void)state;
	for (bool more = !gone; more;) {
		struct arena a;
		arena_init(&a);
		struct key k = key_begin(&a);
		key_str(&k, STR("ecr"));
		key_str(&k, STR("repository"));
		struct str from = key_done(&k), key, value;
		store_ticket ticket;
		struct store_tx *tx = store_begin(cloud->store, &a, false);
		struct store_scan *scan = store_scan_begin(tx, from, key_after(&a, from), false);
		struct ecr_rec_repository r = {0};
		status s = OK;
		more = store_scan_next(scan, &key, &value);
		if (more) s = ecr_rec_repository_decode(&a, str_dup(&a, value), &r);
		if (more && is_ok(s)) s = ecr_drop_all(tx, &a, &r, "layer", true);
		if (more && is_ok(s)) s = ecr_drop_all(tx, &a, &r, "part", true);
		if (more && is_ok(s)) store_delete(tx, ecr_key(&a, "repository", &r, STR_NONE));
		if (more && is_ok(s)) s = store_commit(tx, &ticket);
		store_end(tx);
		arena_cleanup(&a);
		if (!is_ok(s) && !status_is(s, STATUS_CONFLICT)) return s;
	}
	return OK;
}

extern const struct service service_ecr;
const struct service service_ecr = {
	.model = &wire_service_ecr, .ops = operations, .start = start, .authorize = ecr_authorize, .reset = reset};
