/* Amazon DynamoDB: what it does, operation by operation. */
#include "services/dynamodb/service.h"

static const struct service_op operations[DYNAMODB_OP_COUNT] = {
	[DYNAMODB_OP_CREATE_TABLE] = OP(dynamodb_create_table, 0),
	[DYNAMODB_OP_DELETE_ITEM] = OP(dynamodb_delete_item, 0),
	[DYNAMODB_OP_DELETE_TABLE] = OP(dynamodb_delete_table, 0),
	[DYNAMODB_OP_DESCRIBE_TABLE] = OP(dynamodb_describe_table, OP_READ | OP_BLOCKING),
	[DYNAMODB_OP_GET_ITEM] = OP(dynamodb_get_item, OP_READ),
	[DYNAMODB_OP_LIST_TABLES] = OP(dynamodb_list_tables, OP_READ),
	[DYNAMODB_OP_PUT_ITEM] = OP(dynamodb_put_item, 0),
	[DYNAMODB_OP_QUERY] = OP(dynamodb_query, OP_READ),
	[DYNAMODB_OP_SCAN] = OP(dynamodb_scan, OP_READ | OP_BLOCKING),
	[DYNAMODB_OP_UPDATE_ITEM] = OP(dynamodb_update_item, 0),
};

extern const struct service service_dynamodb;
const struct service service_dynamodb = {
	.model = &wire_service_dynamodb,
	.ops = operations,
	.start = ddb_start,
	.stop = ddb_stop,
	.reset = ddb_reset,
};
