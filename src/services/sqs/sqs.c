/* Amazon Simple Queue Service: what it does, operation by operation. Messages are durable in the store; the order and
 * visibility of each queue's messages is kept in memory too (index.h), under the queue's own lock, which is why the handlers
 * of messages begin their own transactions: what a transaction writes is decided and applied under that lock. */
#include "services/sqs/sqs_internal.h"

static const struct service_op operations[SQS_OP_COUNT] = {
	[SQS_OP_ADD_PERMISSION] = OP(sqs_add_permission, OP_NO_TX),
	[SQS_OP_CANCEL_MESSAGE_MOVE_TASK] = OP(sqs_cancel_message_move_task, 0),
	[SQS_OP_CHANGE_MESSAGE_VISIBILITY] = OP(sqs_change_message_visibility, OP_NO_TX),
	[SQS_OP_CHANGE_MESSAGE_VISIBILITY_BATCH] = OP(sqs_change_message_visibility_batch, OP_NO_TX),
	[SQS_OP_CREATE_QUEUE] = OP(sqs_create_queue, OP_NO_TX),
	[SQS_OP_DELETE_MESSAGE] = OP(sqs_delete_message, OP_NO_TX),
	[SQS_OP_DELETE_MESSAGE_BATCH] = OP(sqs_delete_message_batch, OP_NO_TX),
	[SQS_OP_DELETE_QUEUE] = OP(sqs_delete_queue, OP_NO_TX | OP_BLOCKING),
	[SQS_OP_GET_QUEUE_ATTRIBUTES] = OP(sqs_get_queue_attributes, OP_NO_TX),
	[SQS_OP_GET_QUEUE_URL] = OP(sqs_get_queue_url, OP_NO_TX),
	[SQS_OP_LIST_DEAD_LETTER_SOURCE_QUEUES] = OP(sqs_list_dead_letter_source_queues, OP_NO_TX),
	[SQS_OP_LIST_MESSAGE_MOVE_TASKS] = OP(sqs_list_message_move_tasks, OP_READ),
	[SQS_OP_LIST_QUEUES] = OP(sqs_list_queues, OP_READ),
	[SQS_OP_LIST_QUEUE_TAGS] = OP(sqs_list_queue_tags, OP_NO_TX),
	[SQS_OP_PURGE_QUEUE] = OP(sqs_purge_queue, OP_NO_TX | OP_BLOCKING),
	[SQS_OP_RECEIVE_MESSAGE] = OP(sqs_receive_message, OP_NO_TX),
	[SQS_OP_REMOVE_PERMISSION] = OP(sqs_remove_permission, OP_NO_TX),
	[SQS_OP_SEND_MESSAGE] = OP(sqs_send_message, OP_NO_TX),
	[SQS_OP_SEND_MESSAGE_BATCH] = OP(sqs_send_message_batch, OP_NO_TX),
	[SQS_OP_SET_QUEUE_ATTRIBUTES] = OP(sqs_set_queue_attributes, OP_NO_TX),
	[SQS_OP_START_MESSAGE_MOVE_TASK] = OP(sqs_start_message_move_task, 0),
	[SQS_OP_TAG_QUEUE] = OP(sqs_tag_queue, OP_NO_TX),
	[SQS_OP_UNTAG_QUEUE] = OP(sqs_untag_queue, OP_NO_TX),
};

extern const struct service service_sqs;
const struct service service_sqs = {
	.model = &wire_service_sqs,
	.ops = operations,
	.start = sqs_start,
	.drain = sqs_drain,
	.stop = sqs_stop,
	.reset = sqs_reset,
	.authorize = sqs_authorize,
};
