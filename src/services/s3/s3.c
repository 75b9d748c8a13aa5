/* Amazon S3: what it does, on one screen. */
#include "services/s3/changed.h"
#include "policy/provider.h"
#include "services/s3/access.h"
#include "services/s3/analysis.h"
#include "services/s3/archive.h"
#include "services/s3/cross_origin.h"
#include "services/s3/express.h"
#include "services/s3/inventory.h"
#include "services/s3/lifecycle.h"
#include "services/s3/logs.h"
#include "services/s3/multipart.h"
#include "services/s3/noted.h"
#include "services/s3/object.h"
#include "services/s3/put.h"
#include "services/s3/raw.h"
#include "services/s3/replicate.h"
#include "services/s3/room.h"
#include "services/s3/scrub.h"
#include "services/s3/sse.h"
#include "services/s3/storage_metrics.h"
#include <stdlib.h>

enum { POLICIES_KEPT = 4096 /* compiled */ };

static const struct service_op ops[S3_OP_COUNT] = {
	[S3_OP_LIST_BUCKETS] = OP(s3_list_buckets, OP_READ),
	[S3_OP_CREATE_BUCKET] = OP(s3_create_bucket, 0),
	[S3_OP_HEAD_BUCKET] = OP(s3_head_bucket, OP_READ),
	[S3_OP_GET_BUCKET_LOCATION] = OP(s3_get_bucket_location, OP_READ),
	[S3_OP_DELETE_BUCKET] = OP(s3_delete_bucket, 0),

	[S3_OP_LIST_DIRECTORY_BUCKETS] = OP(s3_list_directory_buckets, OP_READ),
	[S3_OP_CREATE_SESSION] = OP(s3_create_session, 0),
	[S3_OP_RENAME_OBJECT] = OP(s3_rename_object, 0),

	[S3_OP_PUT_BUCKET_VERSIONING] = OP(s3_put_bucket_versioning, 0),
	[S3_OP_GET_BUCKET_VERSIONING] = OP(s3_get_bucket_versioning, OP_READ),
	[S3_OP_LIST_OBJECT_VERSIONS] = OP(s3_list_object_versions, OP_READ),

	[S3_OP_PUT_BUCKET_CORS] = OP(s3_put_bucket_cors, 0),
	[S3_OP_GET_BUCKET_CORS] = OP(s3_get_bucket_cors, OP_READ),
	[S3_OP_DELETE_BUCKET_CORS] = OP(s3_delete_bucket_cors, 0),
	[S3_OP_PUT_BUCKET_WEBSITE] = OP(s3_put_bucket_website, 0),
	[S3_OP_GET_BUCKET_WEBSITE] = OP(s3_get_bucket_website, OP_READ),
	[S3_OP_DELETE_BUCKET_WEBSITE] = OP(s3_delete_bucket_website, 0),
	[S3_OP_PUT_BUCKET_METRICS_CONFIGURATION] = OP(s3_put_bucket_metrics_configuration, 0),
	[S3_OP_GET_BUCKET_METRICS_CONFIGURATION] = OP(s3_get_bucket_metrics_configuration, OP_READ),
	[S3_OP_LIST_BUCKET_METRICS_CONFIGURATIONS] = OP(s3_list_bucket_metrics_configurations, OP_READ),
	[S3_OP_DELETE_BUCKET_METRICS_CONFIGURATION] = OP(s3_delete_bucket_metrics_configuration, 0),
	[S3_OP_PUT_BUCKET_ANALYTICS_CONFIGURATION] = OP(s3_put_bucket_analytics_configuration, 0),
	[S3_OP_GET_BUCKET_ANALYTICS_CONFIGURATION] = OP(s3_get_bucket_analytics_configuration, OP_READ),
	[S3_OP_LIST_BUCKET_ANALYTICS_CONFIGURATIONS] = OP(s3_list_bucket_analytics_configurations, OP_READ),
	[S3_OP_DELETE_BUCKET_ANALYTICS_CONFIGURATION] = OP(s3_delete_bucket_analytics_configuration, 0),
	[S3_OP_PUT_BUCKET_INVENTORY_CONFIGURATION] = OP(s3_put_bucket_inventory_configuration, 0),
	[S3_OP_GET_BUCKET_INVENTORY_CONFIGURATION] = OP(s3_get_bucket_inventory_configuration, OP_READ),
	[S3_OP_LIST_BUCKET_INVENTORY_CONFIGURATIONS] = OP(s3_list_bucket_inventory_configurations, OP_READ),
	[S3_OP_DELETE_BUCKET_INVENTORY_CONFIGURATION] = OP(s3_delete_bucket_inventory_configuration, 0),
	[S3_OP_PUT_BUCKET_REQUEST_PAYMENT] = OP(s3_put_bucket_request_payment, 0),
	[S3_OP_GET_BUCKET_REQUEST_PAYMENT] = OP(s3_get_bucket_request_payment, OP_READ),
	[S3_OP_PUT_BUCKET_ACCELERATE_CONFIGURATION] = OP(s3_put_bucket_accelerate_configuration, 0),
	[S3_OP_GET_BUCKET_ACCELERATE_CONFIGURATION] = OP(s3_get_bucket_accelerate_configuration, OP_READ),
	[S3_OP_PUT_BUCKET_LOGGING] = OP(s3_put_bucket_logging, 0),
	[S3_OP_GET_BUCKET_LOGGING] = OP(s3_get_bucket_logging, OP_READ),
	[S3_OP_PUT_BUCKET_REPLICATION] = OP(s3_put_bucket_replication, 0),
	[S3_OP_GET_BUCKET_REPLICATION] = OP(s3_get_bucket_replication, OP_READ),
	[S3_OP_DELETE_BUCKET_REPLICATION] = OP(s3_delete_bucket_replication, 0),
	[S3_OP_PUT_BUCKET_NOTIFICATION_CONFIGURATION] = OP(s3_put_bucket_notification_configuration, OP_BLOCKING),
	[S3_OP_GET_BUCKET_NOTIFICATION_CONFIGURATION] = OP(s3_get_bucket_notification_configuration, OP_READ),

	[S3_OP_PUT_BUCKET_TAGGING] = OP(s3_put_bucket_tagging, 0),
	[S3_OP_GET_BUCKET_TAGGING] = OP(s3_get_bucket_tagging, OP_READ),
	[S3_OP_DELETE_BUCKET_TAGGING] = OP(s3_delete_bucket_tagging, 0),
	[S3_OP_PUT_OBJECT_TAGGING] = OP(s3_put_object_tagging, 0),
	[S3_OP_GET_OBJECT_TAGGING] = OP(s3_get_object_tagging, OP_READ),
	[S3_OP_DELETE_OBJECT_TAGGING] = OP(s3_delete_object_tagging, 0),

	[S3_OP_PUT_OBJECT_LOCK_CONFIGURATION] = OP(s3_put_object_lock_configuration, 0),
	[S3_OP_GET_OBJECT_LOCK_CONFIGURATION] = OP(s3_get_object_lock_configuration, OP_READ),
	[S3_OP_PUT_OBJECT_RETENTION] = OP(s3_put_object_retention, 0),
	[S3_OP_GET_OBJECT_RETENTION] = OP(s3_get_object_retention, OP_READ),
	[S3_OP_PUT_OBJECT_LEGAL_HOLD] = OP(s3_put_object_legal_hold, 0),
	[S3_OP_GET_OBJECT_LEGAL_HOLD] = OP(s3_get_object_legal_hold, OP_READ),

	[S3_OP_PUT_BUCKET_LIFECYCLE_CONFIGURATION] = OP(s3_put_bucket_lifecycle_configuration, 0),
	[S3_OP_GET_BUCKET_LIFECYCLE_CONFIGURATION] = OP(s3_get_bucket_lifecycle_configuration, OP_READ),
	[S3_OP_DELETE_BUCKET_LIFECYCLE] = OP(s3_delete_bucket_lifecycle, 0),
	[S3_OP_PUT_BUCKET_INTELLIGENT_TIERING_CONFIGURATION] = OP(s3_put_bucket_intelligent_tiering_configuration, 0),
	[S3_OP_GET_BUCKET_INTELLIGENT_TIERING_CONFIGURATION] = OP(s3_get_bucket_intelligent_tiering_configuration, OP_READ),
	[S3_OP_DELETE_BUCKET_INTELLIGENT_TIERING_CONFIGURATION] = OP(s3_delete_bucket_intelligent_tiering_configuration, 0),
	[S3_OP_LIST_BUCKET_INTELLIGENT_TIERING_CONFIGURATIONS] = OP(s3_list_bucket_intelligent_tiering_configurations, OP_READ),
	[S3_OP_UPDATE_OBJECT_ENCRYPTION] = OP(s3_update_object_encryption, 0),
	[S3_OP_PUT_BUCKET_ENCRYPTION] = OP(s3_put_bucket_encryption, 0),
	[S3_OP_GET_BUCKET_ENCRYPTION] = OP(s3_get_bucket_encryption, OP_READ),
	[S3_OP_DELETE_BUCKET_ENCRYPTION] = OP(s3_delete_bucket_encryption, 0),

	[S3_OP_PUT_BUCKET_POLICY] = OP(s3_put_bucket_policy, 0),
	[S3_OP_GET_BUCKET_POLICY] = OP(s3_get_bucket_policy, OP_READ),
	[S3_OP_DELETE_BUCKET_POLICY] = OP(s3_delete_bucket_policy, 0),
	[S3_OP_GET_BUCKET_POLICY_STATUS] = OP(s3_get_bucket_policy_status, OP_READ),
	[S3_OP_PUT_BUCKET_ACL] = OP(s3_put_bucket_acl, 0),
	[S3_OP_GET_BUCKET_ACL] = OP(s3_get_bucket_acl, OP_READ),
	[S3_OP_PUT_OBJECT_ACL] = OP(s3_put_object_acl, 0),
	[S3_OP_GET_OBJECT_ACL] = OP(s3_get_object_acl, OP_READ),
	[S3_OP_PUT_BUCKET_OWNERSHIP_CONTROLS] = OP(s3_put_bucket_ownership_controls, 0),
	[S3_OP_GET_BUCKET_OWNERSHIP_CONTROLS] = OP(s3_get_bucket_ownership_controls, OP_READ),
	[S3_OP_DELETE_BUCKET_OWNERSHIP_CONTROLS] = OP(s3_delete_bucket_ownership_controls, 0),
	[S3_OP_PUT_PUBLIC_ACCESS_BLOCK] = OP(s3_put_public_access_block, 0),
	[S3_OP_GET_PUBLIC_ACCESS_BLOCK] = OP(s3_get_public_access_block, OP_READ),
	[S3_OP_DELETE_PUBLIC_ACCESS_BLOCK] = OP(s3_delete_public_access_block, 0),

	[S3_OP_PUT_OBJECT] = OP_STREAM(s3_put_object, 0, s3_put_object_prepare),
	[S3_OP_GET_OBJECT] = OP(s3_get_object, OP_READ),
	[S3_OP_HEAD_OBJECT] = OP(s3_head_object, OP_READ),
	[S3_OP_GET_OBJECT_ATTRIBUTES] = OP(s3_get_object_attributes, OP_READ),
	[S3_OP_DELETE_OBJECT] = OP(s3_delete_object, 0),
	[S3_OP_DELETE_OBJECTS] = OP(s3_delete_objects, OP_BLOCKING),
	[S3_OP_RESTORE_OBJECT] = OP(s3_restore_object, 0),
	[S3_OP_COPY_OBJECT] = OP(s3_copy_object, OP_BLOCKING),
	[S3_OP_SELECT_OBJECT_CONTENT] = OP(s3_select_object_content, OP_READ),
	[S3_OP_LIST_OBJECTS] = OP(s3_list_objects, OP_READ),
	[S3_OP_LIST_OBJECTS_V2] = OP(s3_list_objects_v2, OP_READ),

	[S3_OP_CREATE_MULTIPART_UPLOAD] = OP(s3_create_multipart_upload, 0),
	[S3_OP_UPLOAD_PART] = OP_STREAM(s3_upload_part, 0, s3_upload_part_prepare),
	[S3_OP_UPLOAD_PART_COPY] = OP(s3_upload_part_copy, OP_BLOCKING),
	[S3_OP_COMPLETE_MULTIPART_UPLOAD] = OP(s3_complete_multipart_upload, OP_BLOCKING),
	[S3_OP_ABORT_MULTIPART_UPLOAD] = OP(s3_abort_multipart_upload, OP_BLOCKING),
	[S3_OP_LIST_PARTS] = OP(s3_list_parts, OP_READ),
	[S3_OP_LIST_MULTIPART_UPLOADS] = OP(s3_list_multipart_uploads, OP_READ),
};

static status start(struct cloud *cloud, void **state)
{
	struct s3_state *st = mem_new(sizeof *st);
	st->policies = policy_library_new(POLICIES_KEPT);
	st->roles = s3_roles_new();
	*state = st;
	s3_purge_register(cloud);
	s3_lifecycle_register(cloud);
	s3_archive_register(cloud);
	TRY(s3_scrub_register(cloud));
	s3_notify_register(cloud);
	s3_replicate_register(cloud);
	s3_replication_metrics_register(cloud);
	s3_inventory_register(cloud);
	s3_logs_register(cloud);
	s3_express_register(cloud);
	st->analysis = s3_analysis_new(cloud);
	st->request_metrics = s3_request_metrics_new(cloud);
	s3_storage_metrics_register(cloud);
	return s3_keyring_open(cloud->store, cloud->vault, &st->keyring);
}

static void ready(struct cloud *cloud, void *state)
{
	(void)state;
	s3_storage_metrics_ready(cloud);
}

static void stop(void *state)
{
	struct s3_state *st = state;
	if (!st) return;
	s3_keyring_free(st->keyring);
	s3_request_metrics_free(st->request_metrics);
	s3_analysis_free(st->analysis);
	s3_roles_free(st->roles);
	policy_library_free(st->policies);
	free(st);
}

const struct service service_s3 = {
	.model = &wire_service_s3,
	.ops = ops,
	.start = start,
	.ready = ready,
	.stop = stop,
	.reset = s3_reset,
	.scrub = s3_scrub,
	.cors = s3_cross_origin,
	.raw = s3_raw,
	.authorize = s3_authorize,
	.always_authorizes = true,
};
