/* Amazon CloudWatch Logs: what it does, operation by operation. Deliveries of vended logs, anomaly detection,
 * data protection and field indexes have no rows. */
#include "services/logs/room.h"
#include <stdlib.h>

static const struct service_op operations[LOGS_OP_COUNT] = {
	[LOGS_OP_ASSOCIATE_KMS_KEY] = OP(logs_associate_kms_key, OP_BLOCKING),
	[LOGS_OP_CANCEL_EXPORT_TASK] = OP(logs_cancel_export_task, 0),
	[LOGS_OP_CREATE_EXPORT_TASK] = OP(logs_create_export_task, 0),
	[LOGS_OP_CREATE_LOG_GROUP] = OP(logs_create_log_group, OP_BLOCKING),
	[LOGS_OP_CREATE_LOG_STREAM] = OP(logs_create_log_stream, 0),
	[LOGS_OP_DELETE_ACCOUNT_POLICY] = OP(logs_delete_account_policy, 0),
	[LOGS_OP_DELETE_DESTINATION] = OP(logs_delete_destination, 0),
	[LOGS_OP_DELETE_LOG_GROUP] = OP(logs_delete_log_group, OP_BLOCKING),
	[LOGS_OP_DELETE_LOG_STREAM] = OP(logs_delete_log_stream, OP_BLOCKING),
	[LOGS_OP_DELETE_METRIC_FILTER] = OP(logs_delete_metric_filter, 0),
	[LOGS_OP_DELETE_QUERY_DEFINITION] = OP(logs_delete_query_definition, 0),
	[LOGS_OP_DELETE_RESOURCE_POLICY] = OP(logs_delete_resource_policy, 0),
	[LOGS_OP_DELETE_RETENTION_POLICY] = OP(logs_delete_retention_policy, 0),
	[LOGS_OP_DELETE_SUBSCRIPTION_FILTER] = OP(logs_delete_subscription_filter, 0),
	[LOGS_OP_DELETE_TRANSFORMER] = OP(logs_delete_transformer, 0),
	[LOGS_OP_DESCRIBE_ACCOUNT_POLICIES] = OP(logs_describe_account_policies, OP_READ),
	[LOGS_OP_DESCRIBE_DESTINATIONS] = OP(logs_describe_destinations, OP_READ),
	[LOGS_OP_DESCRIBE_EXPORT_TASKS] = OP(logs_describe_export_tasks, OP_READ),
	[LOGS_OP_DESCRIBE_LOG_GROUPS] = OP(logs_describe_log_groups, OP_READ | OP_BLOCKING),
	[LOGS_OP_DESCRIBE_LOG_STREAMS] = OP(logs_describe_log_streams, OP_READ | OP_BLOCKING),
	[LOGS_OP_DESCRIBE_METRIC_FILTERS] = OP(logs_describe_metric_filters, OP_READ),
	[LOGS_OP_DESCRIBE_QUERIES] = OP(logs_describe_queries, OP_READ),
	[LOGS_OP_DESCRIBE_QUERY_DEFINITIONS] = OP(logs_describe_query_definitions, OP_READ),
	[LOGS_OP_DESCRIBE_RESOURCE_POLICIES] = OP(logs_describe_resource_policies, OP_READ),
	[LOGS_OP_DESCRIBE_SUBSCRIPTION_FILTERS] = OP(logs_describe_subscription_filters, OP_READ),
	[LOGS_OP_DISASSOCIATE_KMS_KEY] = OP(logs_disassociate_kms_key, 0),
	[LOGS_OP_FILTER_LOG_EVENTS] = OP(logs_filter_log_events, OP_READ | OP_BLOCKING),
	[LOGS_OP_GET_LOG_EVENTS] = OP(logs_get_log_events, OP_READ | OP_BLOCKING),
	[LOGS_OP_GET_LOG_GROUP_FIELDS] = OP(logs_get_log_group_fields, OP_READ | OP_BLOCKING),
	[LOGS_OP_GET_LOG_RECORD] = OP(logs_get_log_record, OP_READ | OP_BLOCKING),
	[LOGS_OP_GET_QUERY_RESULTS] = OP(logs_get_query_results, OP_READ),
	[LOGS_OP_GET_TRANSFORMER] = OP(logs_get_transformer, OP_READ),
	[LOGS_OP_LIST_LOG_GROUPS] = OP(logs_list_log_groups, OP_READ),
	[LOGS_OP_LIST_LOG_GROUPS_FOR_QUERY] = OP(logs_list_log_groups_for_query, OP_READ),
	[LOGS_OP_LIST_TAGS_FOR_RESOURCE] = OP(logs_list_tags_for_resource, OP_READ),
	[LOGS_OP_LIST_TAGS_LOG_GROUP] = OP(logs_list_tags_log_group, OP_READ),
	[LOGS_OP_PUT_ACCOUNT_POLICY] = OP(logs_put_account_policy, OP_BLOCKING),
	[LOGS_OP_PUT_DESTINATION] = OP(logs_put_destination, OP_BLOCKING),
	[LOGS_OP_PUT_DESTINATION_POLICY] = OP(logs_put_destination_policy, 0),
	[LOGS_OP_PUT_LOG_EVENTS] = OP(logs_put_log_events, 0),
	[LOGS_OP_PUT_LOG_GROUP_DELETION_PROTECTION] = OP(logs_put_log_group_deletion_protection, 0),
	[LOGS_OP_PUT_METRIC_FILTER] = OP(logs_put_metric_filter, 0),
	[LOGS_OP_PUT_QUERY_DEFINITION] = OP(logs_put_query_definition, 0),
	[LOGS_OP_PUT_RESOURCE_POLICY] = OP(logs_put_resource_policy, 0),
	[LOGS_OP_PUT_RETENTION_POLICY] = OP(logs_put_retention_policy, 0),
	[LOGS_OP_PUT_SUBSCRIPTION_FILTER] = OP(logs_put_subscription_filter, OP_BLOCKING),
	[LOGS_OP_PUT_TRANSFORMER] = OP(logs_put_transformer, 0),
	[LOGS_OP_START_LIVE_TAIL] = OP(logs_start_live_tail, OP_READ),
	[LOGS_OP_START_QUERY] = OP(logs_start_query, 0),
	[LOGS_OP_STOP_QUERY] = OP(logs_stop_query, 0),
	[LOGS_OP_TAG_LOG_GROUP] = OP(logs_tag_log_group, 0),
	[LOGS_OP_TAG_RESOURCE] = OP(logs_tag_resource, 0),
	[LOGS_OP_TEST_METRIC_FILTER] = OP(logs_test_metric_filter, OP_READ),
	[LOGS_OP_TEST_TRANSFORMER] = OP(logs_test_transformer, OP_READ),
	[LOGS_OP_UNTAG_LOG_GROUP] = OP(logs_untag_log_group, 0),
	[LOGS_OP_UNTAG_RESOURCE] = OP(logs_untag_resource, 0),
};

static status start(struct cloud *cloud, void **state)
{
	struct logs *l = mem_new(sizeof(*l));
	l->cloud = cloud;
	pthread_mutex_init(&l->lock, NULL);
	logs_retention_start(l);
	logs_export_start(l);
	logs_query_start(l);
	logs_delivery_start(l);
	*state = l;
	return OK;
}

static void ready(struct cloud *cloud, void *state)
{
	(void)cloud;
	logs_retention_ready(state);
}

static void drain(void *state)
{
	logs_tails_end(state);
}

static void stop(void *state)
{
	struct logs *l = state;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

extern const struct service service_logs;
const struct service service_logs = {.model = &wire_service_logs,
	.ops = operations,
	.start = start,
	.ready = ready,
	.drain = drain,
	.stop = stop,
	.authorize = logs_authorize};
