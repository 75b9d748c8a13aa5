/* AWS::SQS::* ("Amazon SQS resource type reference"). */
#include "services/cloudformation/handlers.h"

static const char *const attributes[] = {"ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue",
	"FifoThroughputLimit", "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize",
	"MessageRetentionPeriod", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout"};

static struct str text_of(struct cfn_work *w, const struct json_value *v)
{
	return str_or(json_scalar(v), cfn_json(w->a, v));
}

static struct json_value *queue_attributes(struct cfn_work *w, bool create)
{
	struct json_value *o = cfn_object(w->a);
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		const struct json_value *v = cfn_value(w, attributes[i]);
		bool fifo = strcmp(attributes[i], "FifoQueue") == 0;
		if (fifo && (!create || !str_is(str_or(json_scalar(v), STR("")), "true"))) continue;
		if (v)
			cfn_put(o, w->a, attributes[i], text_of(w, v));
		else if (!create && json_member(w->before, str_c(attributes[i])) && !fifo)
			cfn_put(o, w->a, attributes[i], STR(""));
	}
	cfn_put(o, w->a, "ReceiveMessageWaitTimeSeconds", cfn_prop(w, "ReceiveMessageWaitTimeSeconds"));
	return o;
}

static status describe(struct cfn_work *w)
{
	struct json_value *in = cfn_one(w->a, "QueueUrl", w->physical_id), *names = cfn_list(w->a);
	const struct json_value *out;
	cfn_append(names, STR_NONE, cfn_text(w->a, STR("All")));
	cfn_append(in, STR("AttributeNames"), names);
	TRY(cfn_do(w, "sqs", "GetQueueAttributes", in, &out));
	struct str arn = str_or(cfn_at(out, "Attributes.QueueArn"), STR(""));
	cfn_attribute(w, "Arn", arn);
	cfn_attribute(w, "QueueName", str_from(arn, (size_t)(str_rchr(arn, ':') + 1)));
	cfn_attribute(w, "QueueUrl", w->physical_id);
	w->live = cfn_object(w->a);
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		cfn_put(w->live, w->a, attributes[i],
			json_scalar(json_member(cfn_in(out, "Attributes"), str_c(attributes[i]))));
	return OK;
}

static status create_queue(struct cfn_work *w)
{
	struct json_value *in = cfn_object(w->a);
	const struct json_value *out;
	bool fifo = str_is(str_or(cfn_prop(w, "FifoQueue"), STR("")), "true"),
	     named = str_has(cfn_prop(w, "QueueName"));
	struct str name = cfn_name(w, "QueueName", fifo ? 75 : 80, false);
	if (fifo && !named) name = str_cat(w->a, name, STR(".fifo"));
	cfn_put(in, w->a, "QueueName", name);
	cfn_append(in, STR("Attributes"), queue_attributes(w, true));
	cfn_put_value(in, w->a, "tags", cfn_tags_map(w, cfn_tags(w)));
	TRY(cfn_do(w, "sqs", "CreateQueue", in, &out));
	w->physical_id = cfn_at(out, "QueueUrl");
	return describe(w);
}

static status retag(struct cfn_work *w)
{
	const struct json_value *add, *gone;
	if (!cfn_tags_changed(w, &add, &gone)) return OK;
	struct json_value *in = cfn_one(w->a, "QueueUrl", w->physical_id);
	if (gone->length) {
		struct json_value *keys = cfn_one(w->a, "QueueUrl", w->physical_id);
		cfn_put_value(keys, w->a, "TagKeys", gone);
		TRY(cfn_do(w, "sqs", "UntagQueue", keys, NULL));
	}
	cfn_put_value(in, w->a, "Tags", cfn_tags_map(w, add));
	return add->length ? cfn_do(w, "sqs", "TagQueue", in, NULL) : OK;
}

static status update_queue(struct cfn_work *w)
{
	struct json_value *in = cfn_one(w->a, "QueueUrl", w->physical_id), *all = queue_attributes(w, false);
	cfn_append(in, STR("Attributes"), all);
	if (all->length && !w->only_tags) TRY(cfn_do(w, "sqs", "SetQueueAttributes", in, NULL));
	TRY(retag(w));
	return describe(w);
}

static status remove_queue(struct cfn_work *w)
{
	return cfn_do_unless(w, "sqs", "DeleteQueue", cfn_one(w->a, "QueueUrl", w->physical_id),
		"QueueDoesNotExist,AWS.SimpleQueueService.NonExistentQueue");
}

/* One policy on each of several queues. */
static status set_policy(struct cfn_work *w, const struct json_value *queues, struct str policy)
{
	for (const struct json_value *q = queues ? queues->first : NULL; q; q = q->next) {
		struct json_value *in = cfn_one(w->a, "QueueUrl", json_scalar(q));
		cfn_append(in, STR("Attributes"), cfn_one(w->a, "Policy", policy));
		if (policy.n)
			TRY(cfn_do(w, "sqs", "SetQueueAttributes", in, NULL));
		else
			TRY(cfn_do_unless(w, "sqs", "SetQueueAttributes", in,
				"QueueDoesNotExist,AWS.SimpleQueueService.NonExistentQueue"));
	}
	return OK;
}

static status create_policy(struct cfn_work *w)
{
	if (!str_has(w->physical_id)) w->physical_id = cfn_name(w, "Id", 128, false);
	cfn_attribute(w, "Id", w->physical_id);
	return set_policy(w, cfn_value(w, "Queues"), text_of(w, cfn_value(w, "PolicyDocument")));
}

static status update_policy(struct cfn_work *w)
{
	struct json_value *gone = cfn_list(w->a);
	const struct json_value *before = json_member(w->before, STR("Queues")), *now = cfn_value(w, "Queues");
	for (const struct json_value *q = before ? before->first : NULL; q; q = q->next) {
		bool kept = false;
		for (const struct json_value *k = now ? now->first : NULL; k; k = k->next) kept |= cfn_equal(q, k);
		if (!kept) cfn_append(gone, STR_NONE, cfn_copy(w->a, q));
	}
	TRY(set_policy(w, gone, STR("")));
	return create_policy(w);
}

static status remove_policy(struct cfn_work *w)
{
	return set_policy(w, cfn_value(w, "Queues"), STR(""));
}

const struct cfn_handler cfn_sqs[] = {
	{"AWS::SQS::Queue", create_queue, NULL, update_queue, remove_queue, describe},
	{"AWS::SQS::QueuePolicy", create_policy, NULL, update_policy, remove_policy, NULL},
	{0},
};
