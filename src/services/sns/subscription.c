/* Subscriptions. Queues and HTTP servers are the endpoints that are built; a queue of the caller's account needs no
 * confirmation
 * ("Subscribe", API reference). Other protocols say that they are not there. */
#include "base/json.h"
#include "base/rand.h"
#include "edge/loopback.h"
#include "services/sns/room.h"
#include "services/sqs/send.h"

static status invalid(struct call *c, const char *name, const char *why)
{
	return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: %s Reason: %s", name, why);
}

static bool body_scope(const struct sns_rec_subscription *s)
{
	return str_is(str_or(sns_get(&s->attributes, STR("FilterPolicyScope")), STR("")), "MessageBody");
}

/* {"deadLetterTargetArn":"arn:aws:sqs:…"}, a queue of the topic's kind. */
static status check_redrive(struct call *c, const struct sns_rec_topic *t, struct str text)
{
	struct json_value *json;
	if (!is_ok(json_read(c->arena, text, &json))) return invalid(c, "RedrivePolicy", "failed to parse JSON.");
	struct str arn = json_string(json_member(json, STR("deadLetterTargetArn")));
	if (!str_starts(str_or(arn, STR("")), STR("arn:")) || str_find(arn, STR(":sqs:")) < 0)
		return invalid(c, "RedrivePolicy", "deadLetterTargetArn is an invalid arn");
	if (t->fifo.v != str_ends(arn, STR(".fifo")))
		return invalid(c, "RedrivePolicy",
			t->fifo.v ? "must use a FIFO queue as DLQ for a FIFO topic"
				  : "must use a standard queue as DLQ for a standard topic");
	return OK;
}

status sns_subscription_attribute(struct call *c, const struct sns_rec_topic *t, struct sns_rec_subscription *s,
	struct str name, struct str value)
{
	value = str_or(value, STR(""));
	if (str_is(name, "RawMessageDelivery")) {
		if (!str_is(value, "true") && !str_is(value, "false"))
			return SNS_FAIL(c, INVALID_PARAMETER,
				"Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [%.*s]. Must "
				"be true or false.",
				STR_ARG(value));
	} else if (str_is(name, "FilterPolicyScope")) {
		if (!str_is(value, "MessageAttributes") && !str_is(value, "MessageBody"))
			return SNS_FAIL(c, INVALID_PARAMETER,
				"Invalid parameter: Attributes Reason: FilterPolicyScope: Invalid value [%.*s]. Please "
				"use either MessageBody or MessageAttributes",
				STR_ARG(value));
		struct str policy = sns_get(&s->attributes, STR("FilterPolicy"));
		if (str_has(policy)) TRY(sns_filter_check(c, policy, str_is(value, "MessageBody")));
	} else if (str_is(name, "FilterPolicy")) {
		if (value.n) TRY(sns_filter_check(c, value, body_scope(s)));
		if (str_is(value, "{}")) value = STR("");
	} else if (str_is(name, "RedrivePolicy")) {
		if (value.n) TRY(check_redrive(c, t, value));
	} else if (str_is(name, "DeliveryPolicy")) {
		if (value.n && !sns_is_http(s))
			return invalid(c, "DeliveryPolicy", "is only supported for HTTP/S subscriptions");
		if (value.n) TRY(sns_delivery_policy_check(c, value, false));
	} else if (str_is(name, "SubscriptionRoleArn")) {
		return invalid(c, "SubscriptionRoleArn", "is only supported for Firehose subscriptions");
	} else {
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: AttributeName");
	}
	sns_set(c->arena, &s->attributes, name, value.n ? value : STR_NONE);
	return OK;
}

static status check_protocol(struct call *c, struct str protocol)
{
	static const char *const known[] = {"https", "email", "email-json", "sms", "application", "lambda", "firehose"};
	if (str_is(protocol, "sqs") || str_is(protocol, "http")) return OK;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_eq(protocol, str_c(known[i])))
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Subscriptions of protocol %.*s are not implemented yet; queues (sqs) and HTTP servers "
				"(http) are.",
				STR_ARG(protocol));
	return SNS_FAIL(c, INVALID_PARAMETER,
		"Invalid parameter: Amazon SNS does not support this protocol string: %.*s", STR_ARG(protocol));
}

static status check_url(struct call *c, const struct sns_rec_topic *t, struct str endpoint)
{
	struct loopback_url u;
	if (t->fifo.v)
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: Invalid parameter: Endpoint Reason: Please use an SQS queue: FIFO topics "
			"do not deliver to HTTP/S "
			"endpoints");
	if (!str_starts(str_or(endpoint, STR("")), STR("http://")))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Endpoint must match the specified protocol");
	if (!is_ok(loopback_url(endpoint, &u)))
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: Endpoint Reason: virga delivers to this machine alone: "
			"http://localhost:PORT/PATH");
	return OK;
}

static status check_endpoint(struct call *c, const struct sns_rec_topic *t, struct str protocol, struct str endpoint)
{
	if (str_is(protocol, "http")) return check_url(c, t, endpoint);
	if (!str_starts(str_or(endpoint, STR("")), STR("arn:")) || str_find(endpoint, STR(":sqs:")) < 0)
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: SQS endpoint ARN");
	if (!t->fifo.v && str_ends(endpoint, STR(".fifo")))
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed "
			"to standard SNS topics");
	return OK;
}

static bool same_attributes(const struct sns_rec_subscription *s, const struct sns_subscribe_input *in)
{
	for (size_t i = 0; i < in->attributes.n; i++)
		if (!str_eq(str_or(sns_get(&s->attributes, in->attributes.v[i].key), STR("")),
			    in->attributes.v[i].value))
			return false;
	return true;
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

/* "If the subscription is pending …, the response returns pending confirmation", unless the ARN is asked for. */
static struct str told_arn(
	struct call *c, const struct sns_rec_topic *t, const struct sns_rec_subscription *s, bool always)
{
	return s->pending.v && !always ? STR("pending confirmation") : sns_subscription_arn(c->arena, t, s->id);
}

/* Of two accounts the queue's owner would have to confirm; here the topic's account vouches for its own queues, and
 * others' policies decide at each delivery. */
status sns_subscribe(struct call *c, const struct sns_subscribe_input *in, struct sns_subscribe_output *out)
{
	struct sns_rec_topic t;
	struct sns_subscriptions list;
	TRY(check_protocol(c, in->protocol));
	TRY(sns_topic_load(c, in->topic_arn, &t));
	TRY(check_endpoint(c, &t, in->protocol, in->endpoint));
	TRY(sns_subscriptions_of(c->tx, c->arena, &t, &list));
	for (size_t i = 0; i < list.n; i++) {
		if (!str_eq(list.v[i].endpoint, in->endpoint) || !str_eq(list.v[i].protocol, in->protocol)) continue;
		if (!same_attributes(&list.v[i], in))
			return SNS_FAIL(c, INVALID_PARAMETER,
				"Invalid parameter: Attributes Reason: Subscription already exists with different "
				"attributes");
		if (list.v[i].pending.v) { /* asked again: confirmed anew */
			TRY(sns_http_subscribe(c, &t, &list.v[i]));
			sns_subscription_put(c, &t, &list.v[i]);
			call_after_commit(c, poke, c->cloud->jobs);
		}
		out->subscription_arn = told_arn(c, &t, &list.v[i], in->return_subscription_arn.v);
		return OK;
	}
	struct sns_rec_subscription s = {.id = rand_uuid(c->arena),
		.owner = c->account,
		.protocol = in->protocol,
		.endpoint = in->endpoint,
		.created = SOME_TIME(c->now_ms)};
	/* The scope first: it says how the policy is read. */
	for (size_t i = 0; i < in->attributes.n; i++)
		if (str_is(in->attributes.v[i].key, "FilterPolicyScope"))
			TRY(sns_subscription_attribute(c, &t, &s, in->attributes.v[i].key, in->attributes.v[i].value));
	for (size_t i = 0; i < in->attributes.n; i++)
		TRY(sns_subscription_attribute(c, &t, &s, in->attributes.v[i].key, in->attributes.v[i].value));
	if (sns_is_http(&s)) {
		TRY(sns_http_subscribe(c, &t, &s));
		call_after_commit(c, poke, c->cloud->jobs);
	}
	sns_subscription_put(c, &t, &s);
	out->subscription_arn = told_arn(c, &t, &s, in->return_subscription_arn.v);
	return OK;
}

status sns_unsubscribe(struct call *c, const struct sns_unsubscribe_input *in, struct sns_unsubscribe_output *out)
{
	struct sns_rec_topic t;
	struct sns_rec_subscription s;
	(void)out;
	status st = sns_subscription_load(c, in->subscription_arn, &t, &s);
	if (status_is(st, STATUS_FAILED) && c->failure.id == SNS_ERR_NOT_FOUND_EXCEPTION) {
		c->failure = (struct wire_failure){0};
		return OK; /* it is gone already */
	}
	TRY(st);
	if (s.pending.v)
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: This operation is not permitted for subscriptions pending confirmation");
	/* By its UnsubscribeURL anybody who was sent one may, unless it was confirmed with AuthenticateOnUnsubscribe.
	 */
	bool by_url = c->principal.kind == PRINCIPAL_ANONYMOUS && sns_is_http(&s) && !s.unsubscribe_authenticated.v;
	if (!by_url && !str_eq(s.owner, c->account) && !str_eq(t.account, c->account))
		return SNS_FAIL(c, AUTHORIZATION_ERROR, "User: %.*s is not authorized to unsubscribe",
			STR_ARG(c->principal.arn));
	sns_subscription_drop(c, &t, &s);
	t.deleted_subscriptions = SOME_I32(t.deleted_subscriptions.v + 1);
	sns_topic_put(c->tx, c->arena, &t);
	return OK;
}

status sns_set_subscription_attributes(struct call *c, const struct sns_set_subscription_attributes_input *in,
	struct sns_set_subscription_attributes_output *out)
{
	struct sns_rec_topic t;
	struct sns_rec_subscription s;
	(void)out;
	TRY(sns_subscription_load(c, in->subscription_arn, &t, &s));
	TRY(sns_subscription_attribute(c, &t, &s, in->attribute_name, in->attribute_value));
	sns_subscription_put(c, &t, &s);
	return OK;
}

status sns_get_subscription_attributes(struct call *c, const struct sns_get_subscription_attributes_input *in,
	struct sns_get_subscription_attributes_output *out)
{
	struct sns_rec_topic t;
	struct sns_rec_subscription s;
	size_t capacity = 0;
	TRY(sns_subscription_load(c, in->subscription_arn, &t, &s));
	const struct sns_subscription_attributes_map_entry told[] = {
		{STR("SubscriptionArn"), in->subscription_arn},
		{STR("TopicArn"), sns_topic_arn(c->arena, &t)},
		{STR("Owner"), s.owner},
		{STR("Protocol"), s.protocol},
		{STR("Endpoint"), s.endpoint},
		{STR("PendingConfirmation"), s.pending.v ? STR("true") : STR("false")},
		{STR("ConfirmationWasAuthenticated"),
			sns_is_http(&s) && !s.authenticated.v ? STR("false") : STR("true")},
		{STR("RawMessageDelivery"), str_or(sns_get(&s.attributes, STR("RawMessageDelivery")), STR("false"))},
		{STR("SubscriptionPrincipal"),
			str_fmt(c->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(c->partition), STR_ARG(s.owner))},
	};
	for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
		*VEC_PUSH(c->arena, &out->attributes, &capacity) = told[i];
	for (size_t i = 0; i < s.attributes.n; i++)
		if (!str_is(s.attributes.v[i].key, "RawMessageDelivery"))
			*VEC_PUSH(c->arena, &out->attributes, &capacity) =
				(struct sns_subscription_attributes_map_entry){
					s.attributes.v[i].key, s.attributes.v[i].value};
	if (str_has(sns_get(&s.attributes, STR("FilterPolicy"))) &&
		!str_has(sns_get(&s.attributes, STR("FilterPolicyScope"))))
		*VEC_PUSH(c->arena, &out->attributes, &capacity) = (struct sns_subscription_attributes_map_entry){
			STR("FilterPolicyScope"), STR("MessageAttributes")};
	return OK;
}

/* ── lists ── */

static void tell(struct call *c, const struct sns_rec_topic *t, const struct sns_rec_subscription *s,
	struct sns_subscription *out)
{
	*out = (struct sns_subscription){.subscription_arn = s->pending.v ? STR("PendingConfirmation")
									  : sns_subscription_arn(c->arena, t, s->id),
		.owner = s->owner,
		.protocol = s->protocol,
		.endpoint = s->endpoint,
		.topic_arn = sns_topic_arn(c->arena, t)};
}

status sns_list_subscriptions_by_topic(struct call *c, const struct sns_list_subscriptions_by_topic_input *in,
	struct sns_list_subscriptions_by_topic_output *out)
{
	struct sns_rec_topic t;
	struct sns_subscriptions list;
	size_t capacity = 0, from;
	TRY(sns_topic_load(c, in->topic_arn, &t));
	TRY(sns_token(c, in->next_token, &from));
	TRY(sns_subscriptions_of(c->tx, c->arena, &t, &list));
	VEC_PRESENT(c->arena, &out->subscriptions);
	for (size_t i = from; i < list.n && out->subscriptions.n < SNS_PAGE; i++)
		tell(c, &t, &list.v[i], VEC_PUSH(c->arena, &out->subscriptions, &capacity));
	if (from + SNS_PAGE < list.n) out->next_token = sns_next(c, from + SNS_PAGE);
	return OK;
}

status sns_list_subscriptions(
	struct call *c, const struct sns_list_subscriptions_input *in, struct sns_list_subscriptions_output *out)
{
	struct str from = sns_key(c->arena, "owned", c->account, c->region, STR_NONE), key, value;
	size_t capacity = 0, skip, at = 0;
	TRY(sns_token(c, in->next_token, &skip));
	VEC_PRESENT(c->arena, &out->subscriptions);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(str_dup(c->arena, key), from.n), account, name, id;
		struct sns_rec_topic t;
		struct sns_rec_subscription s;
		if (at++ < skip) continue;
		if (out->subscriptions.n == SNS_PAGE) {
			out->next_token = sns_next(c, at - 1);
			break;
		}
		TRY(key_read_str(c->arena, &rest, &account));
		TRY(key_read_str(c->arena, &rest, &name));
		TRY(key_read_str(c->arena, &rest, &id));
		struct sns_rec_topic place = {.name = name, .account = account, .region = c->region};
		TRY(sns_subscription_load(c, sns_subscription_arn(c->arena, &place, id), &t, &s));
		tell(c, &t, &s, VEC_PUSH(c->arena, &out->subscriptions, &capacity));
	}
	return store_scan_end(scan);
}
