/* Attributes of topics ("SetTopicAttributes", "GetTopicAttributes", API reference). */
#include "base/json.h"
#include "policy/policy.h"
#include "services/sns/feedback.h"

enum { POLICY_MAX = 30720 };

struct str sns_default_policy(struct arena *a, struct str arn, struct str account)
{
	return str_fmt(a,
		"{\"Version\":\"2008-10-17\",\"Id\":\"__default_policy_ID\",\"Statement\":[{\"Sid\":\"__default_"
		"statement_ID\","
		"\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"SNS:GetTopicAttributes\",\"SNS:"
		"SetTopicAttributes\","
		"\"SNS:AddPermission\",\"SNS:RemovePermission\",\"SNS:DeleteTopic\",\"SNS:Subscribe\",\"SNS:"
		"ListSubscriptionsByTopic\","
		"\"SNS:Publish\"],\"Resource\":\"%.*s\",\"Condition\":{\"StringEquals\":{\"AWS:SourceOwner\":\"%.*s\"}}"
		"}]}",
		STR_ARG(arn), STR_ARG(account));
}

static status invalid(struct call *c, struct str name, const char *why)
{
	return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: %.*s Reason: %s", STR_ARG(name), why);
}

static bool is_truth(struct str v)
{
	return str_is(v, "true") || str_is(v, "false");
}

static status check_policy(struct call *c, struct str text)
{
	struct policy_source source = {.type = POLICY_RESOURCE, .max_size = POLICY_MAX};
	struct policy_error why = {0};
	struct policy *p = NULL;
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Policy Error: %s", why.message);
	policy_free(p);
	return OK;
}

status sns_topic_attribute(struct call *c, struct sns_rec_topic *t, struct str name, struct str value)
{
	value = str_or(value, STR(""));
	if (str_is(name, "Policy")) {
		if (value.n) TRY(check_policy(c, value));
	} else if (str_is(name, "DisplayName")) {
		if (value.n > 100) return invalid(c, name, "must be at most 100 characters");
	} else if (str_is(name, "DeliveryPolicy")) {
		if (value.n) TRY(sns_delivery_policy_check(c, value, true));
	} else if (str_is(name, "KmsMasterKeyId")) {
		/* A key that is not there, or does not serve, shows when something is published, as on AWS. */
		if (value.n > 2048) return invalid(c, name, "is too long");
	} else if (str_is(name, "SignatureVersion")) {
		if (!str_is(value, "1") && !str_is(value, "2")) return invalid(c, name, "must be 1 or 2");
	} else if (str_is(name, "TracingConfig")) {
		if (!str_is(value, "PassThrough") && !str_is(value, "Active"))
			return invalid(c, name, "must be PassThrough or Active");
	} else if (str_is(name, "ContentBasedDeduplication")) {
		if (!t->fifo.v) return invalid(c, name, "Content-based deduplication can only be set for FIFO topics");
		if (!is_truth(value)) return invalid(c, name, "must be true or false");
	} else if (str_is(name, "FifoThroughputScope")) {
		if (!t->fifo.v) return invalid(c, name, "can only be set for FIFO topics");
		if (!str_is(value, "Topic") && !str_is(value, "MessageGroup"))
			return invalid(c, name, "must be Topic or MessageGroup");
	} else if (sns_feedback_attribute(name)) {
		int64_t rate;
		if (str_ends(name, STR("SampleRate"))) {
			if (!is_ok(str_to_i64(value, &rate)) || rate < 0 || rate > 100)
				return invalid(c, name, "must be between 0 and 100");
		} else if (value.n && (!str_starts(value, STR("arn:")) || str_find(value, STR(":role/")) < 0)) {
			return invalid(c, name, "must be the ARN of a role");
		}
	} else if (str_is(name, "ArchivePolicy") || str_is(name, "DataProtectionPolicy")) {
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "The topic attribute %.*s is not implemented yet.", STR_ARG(name));
	} else {
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: AttributeName");
	}
	sns_set(c->arena, &t->attributes, name, value.n ? value : STR_NONE);
	return OK;
}

status sns_set_topic_attributes(
	struct call *c, const struct sns_set_topic_attributes_input *in, struct sns_set_topic_attributes_output *out)
{
	struct sns_rec_topic t;
	(void)out;
	TRY(sns_topic_load(c, in->topic_arn, &t));
	if (str_is(in->attribute_name, "FifoTopic"))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: AttributeName");
	TRY(sns_topic_attribute(c, &t, in->attribute_name, in->attribute_value));
	sns_topic_put(c->tx, c->arena, &t);
	return OK;
}

/* "EffectiveDeliveryPolicy": the topic's, over the system's default. */
static const char effective[] =
	"{\"http\":{\"defaultHealthyRetryPolicy\":{\"minDelayTarget\":20,\"maxDelayTarget\":20,"
	"\"numRetries\":3,\"numMaxDelayRetries\":0,\"numNoDelayRetries\":0,\"numMinDelayRetries\":0,"
	"\"backoffFunction\":\"linear\"},\"disableSubscriptionOverrides\":false,\"defaultRequestPolicy\":{"
	"\"headerContentType\":\"text/plain; charset=UTF-8\"}}}";

status sns_get_topic_attributes(
	struct call *c, const struct sns_get_topic_attributes_input *in, struct sns_get_topic_attributes_output *out)
{
	struct sns_rec_topic t;
	struct sns_subscriptions list;
	size_t capacity = 0;
	TRY(sns_topic_load(c, in->topic_arn, &t));
	TRY(sns_subscriptions_of(c->tx, c->arena, &t, &list));
	size_t pending = 0;
	for (size_t i = 0; i < list.n; i++) pending += list.v[i].pending.v;
	struct str arn = sns_topic_arn(c->arena, &t), policy = sns_get(&t.attributes, STR("Policy"));
	const struct sns_topic_attributes_map_entry told[] = {
		{STR("TopicArn"), arn},
		{STR("Owner"), t.account},
		{STR("Policy"), str_has(policy) ? policy : sns_default_policy(c->arena, arn, t.account)},
		{STR("DisplayName"), str_or(sns_get(&t.attributes, STR("DisplayName")), STR(""))},
		{STR("SubscriptionsPending"), str_fmt(c->arena, "%zu", pending)},
		{STR("SubscriptionsConfirmed"), str_fmt(c->arena, "%zu", list.n - pending)},
		{STR("SubscriptionsDeleted"), str_fmt(c->arena, "%d", t.deleted_subscriptions.v)},
		{STR("EffectiveDeliveryPolicy"),
			str_or(sns_get(&t.attributes, STR("DeliveryPolicy")), str_c(effective))},
	};
	for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
		*VEC_PUSH(c->arena, &out->attributes, &capacity) = told[i];
	for (size_t i = 0; i < t.attributes.n; i++)
		if (!str_is(t.attributes.v[i].key, "Policy") && !str_is(t.attributes.v[i].key, "DisplayName"))
			*VEC_PUSH(c->arena, &out->attributes, &capacity) =
				(struct sns_topic_attributes_map_entry){t.attributes.v[i].key, t.attributes.v[i].value};
	if (!t.fifo.v) return OK;
	*VEC_PUSH(c->arena, &out->attributes, &capacity) =
		(struct sns_topic_attributes_map_entry){STR("FifoTopic"), STR("true")};
	if (!str_has(sns_get(&t.attributes, STR("ContentBasedDeduplication"))))
		*VEC_PUSH(c->arena, &out->attributes, &capacity) =
			(struct sns_topic_attributes_map_entry){STR("ContentBasedDeduplication"), STR("false")};
	return OK;
}
