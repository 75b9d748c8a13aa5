/* Amazon DynamoDB: what it does, operation by operation. */
#include "services/dynamodb/service.h"

static const struct service_op operations[DYNAMODB_OP_COUNT] = {
	[DYNAMODB_OP_BATCH_EXECUTE_STATEMENT] = OP(dynamodb_batch_execute_statement, 0),
	[DYNAMODB_OP_BATCH_GET_ITEM] = OP(dynamodb_batch_get_item, OP_READ),
	[DYNAMODB_OP_BATCH_WRITE_ITEM] = OP(dynamodb_batch_write_item, 0),
	[DYNAMODB_OP_CREATE_BACKUP] = OP(dynamodb_create_backup, OP_NO_TX | OP_BLOCKING),
	[DYNAMODB_OP_CREATE_TABLE] = OP(dynamodb_create_table, 0),
	[DYNAMODB_OP_DELETE_BACKUP] = OP(dynamodb_delete_backup, 0),
	[DYNAMODB_OP_DELETE_ITEM] = OP(dynamodb_delete_item, 0),
	[DYNAMODB_OP_DELETE_RESOURCE_POLICY] = OP(dynamodb_delete_resource_policy, 0),
	[DYNAMODB_OP_DELETE_TABLE] = OP(dynamodb_delete_table, 0),
	[DYNAMODB_OP_DESCRIBE_BACKUP] = OP(dynamodb_describe_backup, OP_READ | OP_BLOCKING),
	[DYNAMODB_OP_DESCRIBE_CONTINUOUS_BACKUPS] = OP(dynamodb_describe_continuous_backups, OP_READ),
	[DYNAMODB_OP_DESCRIBE_ENDPOINTS] = OP(dynamodb_describe_endpoints, OP_READ),
	[DYNAMODB_OP_DESCRIBE_EXPORT] = OP(dynamodb_describe_export, OP_READ),
	[DYNAMODB_OP_DESCRIBE_IMPORT] = OP(dynamodb_describe_import, OP_READ),
	[DYNAMODB_OP_DESCRIBE_LIMITS] = OP(dynamodb_describe_limits, OP_READ),
	[DYNAMODB_OP_DESCRIBE_TABLE] = OP(dynamodb_describe_table, OP_READ | OP_BLOCKING),
	[DYNAMODB_OP_DESCRIBE_TIME_TO_LIVE] = OP(dynamodb_describe_time_to_live, OP_READ),
	[DYNAMODB_OP_EXECUTE_STATEMENT] = OP(dynamodb_execute_statement, 0),
	[DYNAMODB_OP_EXECUTE_TRANSACTION] = OP(dynamodb_execute_transaction, 0),
	[DYNAMODB_OP_EXPORT_TABLE_TO_POINT_IN_TIME] =
		OP(dynamodb_export_table_to_point_in_time, OP_NO_TX | OP_BLOCKING),
	[DYNAMODB_OP_GET_ITEM] = OP(dynamodb_get_item, OP_READ),
	[DYNAMODB_OP_GET_RESOURCE_POLICY] = OP(dynamodb_get_resource_policy, OP_READ),
	[DYNAMODB_OP_IMPORT_TABLE] = OP(dynamodb_import_table, OP_NO_TX | OP_BLOCKING),
	[DYNAMODB_OP_LIST_BACKUPS] = OP(dynamodb_list_backups, OP_READ),
	[DYNAMODB_OP_LIST_EXPORTS] = OP(dynamodb_list_exports, OP_READ),
	[DYNAMODB_OP_LIST_IMPORTS] = OP(dynamodb_list_imports, OP_READ),
	[DYNAMODB_OP_LIST_TABLES] = OP(dynamodb_list_tables, OP_READ),
	[DYNAMODB_OP_LIST_TAGS_OF_RESOURCE] = OP(dynamodb_list_tags_of_resource, OP_READ),
	[DYNAMODB_OP_PUT_ITEM] = OP(dynamodb_put_item, 0),
	[DYNAMODB_OP_PUT_RESOURCE_POLICY] = OP(dynamodb_put_resource_policy, 0),
	[DYNAMODB_OP_QUERY] = OP(dynamodb_query, OP_READ),
	[DYNAMODB_OP_RESTORE_TABLE_FROM_BACKUP] = OP(dynamodb_restore_table_from_backup, OP_NO_TX | OP_BLOCKING),
	[DYNAMODB_OP_RESTORE_TABLE_TO_POINT_IN_TIME] =
		OP(dynamodb_restore_table_to_point_in_time, OP_NO_TX | OP_BLOCKING),
	[DYNAMODB_OP_SCAN] = OP(dynamodb_scan, OP_READ | OP_BLOCKING),
	[DYNAMODB_OP_TAG_RESOURCE] = OP(dynamodb_tag_resource, 0),
	[DYNAMODB_OP_TRANSACT_GET_ITEMS] = OP(dynamodb_transact_get_items, OP_READ),
	[DYNAMODB_OP_TRANSACT_WRITE_ITEMS] = OP(dynamodb_transact_write_items, 0),
	[DYNAMODB_OP_UNTAG_RESOURCE] = OP(dynamodb_untag_resource, 0),
	[DYNAMODB_OP_UPDATE_CONTINUOUS_BACKUPS] = OP(dynamodb_update_continuous_backups, 0),
	[DYNAMODB_OP_UPDATE_ITEM] = OP(dynamodb_update_item, 0),
	[DYNAMODB_OP_UPDATE_TABLE] = OP(dynamodb_update_table, 0),
	[DYNAMODB_OP_UPDATE_TIME_TO_LIVE] = OP(dynamodb_update_time_to_live, 0),
};

extern const struct service service_dynamodb;
const struct service service_dynamodb = {
	.model = &wire_service_dynamodb,
	.ops = operations,
	.start = ddb_start,
	.stop = ddb_stop,
	.authorize = ddb_authorize,
	.reset = ddb_reset,
};
