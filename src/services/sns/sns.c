/* Amazon Simple Notification Service: what it does, operation by operation. Topics deliver to queues and to HTTP
 * servers of this machine; mobile push, text messages and data protection have no rows. */
#include "services/sns/feedback.h"
#include <stdlib.h>

static const struct service_op operations[SNS_OP_COUNT] = {
	[SNS_OP_ADD_PERMISSION] = OP(sns_add_permission, 0),
	[SNS_OP_CONFIRM_SUBSCRIPTION] = OP(sns_confirm_subscription, 0),
	[SNS_OP_CREATE_TOPIC] = OP(sns_create_topic, 0),
	[SNS_OP_DELETE_TOPIC] = OP(sns_delete_topic, 0),
	[SNS_OP_GET_SUBSCRIPTION_ATTRIBUTES] = OP(sns_get_subscription_attributes, OP_READ),
	[SNS_OP_GET_TOPIC_ATTRIBUTES] = OP(sns_get_topic_attributes, OP_READ),
	[SNS_OP_LIST_SUBSCRIPTIONS] = OP(sns_list_subscriptions, OP_READ),
	[SNS_OP_LIST_SUBSCRIPTIONS_BY_TOPIC] = OP(sns_list_subscriptions_by_topic, OP_READ),
	[SNS_OP_LIST_TAGS_FOR_RESOURCE] = OP(sns_list_tags_for_resource, OP_READ),
	[SNS_OP_LIST_TOPICS] = OP(sns_list_topics, OP_READ),
	[SNS_OP_PUBLISH] = OP(sns_publish, 0),
	[SNS_OP_PUBLISH_BATCH] = OP(sns_publish_batch, 0),
	[SNS_OP_REMOVE_PERMISSION] = OP(sns_remove_permission, 0),
	[SNS_OP_SET_SUBSCRIPTION_ATTRIBUTES] = OP(sns_set_subscription_attributes, 0),
	[SNS_OP_SET_TOPIC_ATTRIBUTES] = OP(sns_set_topic_attributes, 0),
	[SNS_OP_SUBSCRIBE] = OP(sns_subscribe, 0),
	[SNS_OP_TAG_RESOURCE] = OP(sns_tag_resource, 0),
	[SNS_OP_UNSUBSCRIBE] = OP(sns_unsubscribe, 0),
	[SNS_OP_UNTAG_RESOURCE] = OP(sns_untag_resource, 0),
};

static status start(struct cloud *cloud, void **state)
{
	struct sns *s = mem_new(sizeof(*s));
	s->cloud = cloud;
	sns_deliver_start(s);
	sns_feedback_start(s);
	sns_http_start(s);
	*state = s;
	return OK;
}

static void stop(void *state)
{
	free(state);
}

extern const struct service service_sns;
const struct service service_sns = {
	.model = &wire_service_sns, .ops = operations, .start = start, .stop = stop, .authorize = sns_authorize};
