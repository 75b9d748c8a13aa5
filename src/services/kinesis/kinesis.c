/* Amazon Kinesis Data Streams: what it does, operation by operation. Warm
 * throughput and the account settings of On-demand Advantage have no row. */
#include "services/kinesis/room.h"
#include <stdlib.h>

static const struct service_op operations[KINESIS_OP_COUNT] = {
	[KINESIS_OP_ADD_TAGS_TO_STREAM] = OP(kinesis_add_tags_to_stream, 0),
	[KINESIS_OP_CREATE_STREAM] = OP(kinesis_create_stream, 0),
	[KINESIS_OP_DECREASE_STREAM_RETENTION_PERIOD] = OP(kinesis_decrease_stream_retention_period, 0),
	[KINESIS_OP_DELETE_RESOURCE_POLICY] = OP(kinesis_delete_resource_policy, 0),
	[KINESIS_OP_DELETE_STREAM] = OP(kinesis_delete_stream, 0),
	[KINESIS_OP_DEREGISTER_STREAM_CONSUMER] = OP(kinesis_deregister_stream_consumer, 0),
	[KINESIS_OP_DESCRIBE_LIMITS] = OP(kinesis_describe_limits, OP_READ),
	[KINESIS_OP_DESCRIBE_STREAM] = OP(kinesis_describe_stream, OP_READ),
	[KINESIS_OP_DESCRIBE_STREAM_CONSUMER] = OP(kinesis_describe_stream_consumer, OP_READ),
	[KINESIS_OP_DESCRIBE_STREAM_SUMMARY] = OP(kinesis_describe_stream_summary, OP_READ),
	[KINESIS_OP_DISABLE_ENHANCED_MONITORING] = OP(kinesis_disable_enhanced_monitoring, 0),
	[KINESIS_OP_ENABLE_ENHANCED_MONITORING] = OP(kinesis_enable_enhanced_monitoring, 0),
	[KINESIS_OP_GET_RECORDS] = OP(kinesis_get_records, OP_READ),
	[KINESIS_OP_GET_RESOURCE_POLICY] = OP(kinesis_get_resource_policy, OP_READ),
	[KINESIS_OP_GET_SHARD_ITERATOR] = OP(kinesis_get_shard_iterator, OP_READ),
	[KINESIS_OP_INCREASE_STREAM_RETENTION_PERIOD] = OP(kinesis_increase_stream_retention_period, 0),
	[KINESIS_OP_LIST_SHARDS] = OP(kinesis_list_shards, OP_READ),
	[KINESIS_OP_LIST_STREAMS] = OP(kinesis_list_streams, OP_READ),
	[KINESIS_OP_LIST_STREAM_CONSUMERS] = OP(kinesis_list_stream_consumers, OP_READ),
	[KINESIS_OP_LIST_TAGS_FOR_RESOURCE] = OP(kinesis_list_tags_for_resource, OP_READ),
	[KINESIS_OP_LIST_TAGS_FOR_STREAM] = OP(kinesis_list_tags_for_stream, OP_READ),
	[KINESIS_OP_MERGE_SHARDS] = OP(kinesis_merge_shards, 0),
	[KINESIS_OP_PUT_RECORD] = OP(kinesis_put_record, 0),
	[KINESIS_OP_PUT_RECORDS] = OP(kinesis_put_records, 0),
	[KINESIS_OP_PUT_RESOURCE_POLICY] = OP(kinesis_put_resource_policy, 0),
	[KINESIS_OP_REGISTER_STREAM_CONSUMER] = OP(kinesis_register_stream_consumer, 0),
	[KINESIS_OP_REMOVE_TAGS_FROM_STREAM] = OP(kinesis_remove_tags_from_stream, 0),
	[KINESIS_OP_SPLIT_SHARD] = OP(kinesis_split_shard, 0),
	[KINESIS_OP_START_STREAM_ENCRYPTION] = OP(kinesis_start_stream_encryption, 0),
	[KINESIS_OP_STOP_STREAM_ENCRYPTION] = OP(kinesis_stop_stream_encryption, 0),
	[KINESIS_OP_SUBSCRIBE_TO_SHARD] = OP(kinesis_subscribe_to_shard, OP_READ),
	[KINESIS_OP_TAG_RESOURCE] = OP(kinesis_tag_resource, 0),
	[KINESIS_OP_UNTAG_RESOURCE] = OP(kinesis_untag_resource, 0),
	[KINESIS_OP_UPDATE_MAX_RECORD_SIZE] = OP(kinesis_update_max_record_size, 0),
	[KINESIS_OP_UPDATE_SHARD_COUNT] = OP(kinesis_update_shard_count, OP_BLOCKING),
	[KINESIS_OP_UPDATE_STREAM_MODE] = OP(kinesis_update_stream_mode, 0),
};

static status start(struct cloud *cloud, void **state)
{
	struct kinesis *k = mem_new(sizeof(*k));
	*k = (struct kinesis){.cloud = cloud};
	pthread_mutex_init(&k->lock, NULL);
	kinesis_trim_start(k);
	*state = k;
	return OK;
}

static void drain(void *state)
{
	kinesis_subscriptions_end(state);
}

static void stop(void *state)
{
	struct kinesis *k = state;
	kinesis_reads_free(k);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

extern const struct service service_kinesis;
const struct service service_kinesis = {.model = &wire_service_kinesis,
	.ops = operations,
	.start = start,
	.drain = drain,
	.stop = stop,
	.authorize = kinesis_authorize};
