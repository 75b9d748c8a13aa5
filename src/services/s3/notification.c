/* PutBucketNotificationConfiguration and its reading: what AWS refuses is refused, each target is asked whether it
 * takes messages, and gets a test event. */
#include "services/s3/changed.h"
#include "services/s3/config.h"
#include "services/s3/notify.h"
#include "services/sns/door.h"
#include "services/sqs/send.h"

enum { CONFIGURATIONS_MAX = 100, ID_MAX = 255, FILTER_VALUE_MAX = 1024 };

/* What all kinds of targets have alike. */
struct target {
	struct str id, arn;
	const struct s3_event_list *events;
	struct str prefix, suffix;
};

static bool known_event(struct str e)
{
	static const char *const known[] = {"s3:ReducedRedundancyLostObject", "s3:ObjectCreated:*",
		"s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy",
		"s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete",
		"s3:ObjectRemoved:DeleteMarkerCreated", "s3:ObjectRestore:*", "s3:ObjectRestore:Post",
		"s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete", "s3:Replication:*",
		"s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked",
		"s3:Replication:OperationMissedThreshold", "s3:Replication:OperationReplicatedAfterThreshold",
		"s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ObjectAcl:Put", "s3:LifecycleExpiration:*",
		"s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:ObjectTagging:*",
		"s3:ObjectTagging:Put", "s3:ObjectTagging:Delete"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_eq(e, str_c(known[i]))) return true;
	return false;
}

static status bad(struct call *c, const char *message)
{
	return call_fail(c, S3_ERR_INVALID_ARGUMENT, "%s", message);
}

static status check_filter(struct call *c, const struct s3_notification_configuration_filter *f, struct target *t)
{
	size_t prefixes = 0, suffixes = 0;
	if (!s3_notify_filter(f, &t->prefix, &t->suffix))
		return bad(c, "filter rule name must be either prefix or suffix");
	for (size_t i = 0; f && f->key && i < f->key->filter_rules.n; i++) {
		const struct s3_filter_rule *r = &f->key->filter_rules.v[i];
		*(str_ieq(r->name, STR("prefix")) ? &prefixes : &suffixes) += 1;
		if (r->value.n > FILTER_VALUE_MAX)
			return bad(c, "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation");
	}
	if (prefixes > 1) return bad(c, "Cannot specify more than one prefix rule in a filter.");
	if (suffixes > 1) return bad(c, "Cannot specify more than one suffix rule in a filter.");
	return OK;
}

static bool one_begins_other(struct str x, struct str y)
{
	return str_starts(x, y) || str_starts(y, x);
}
static bool one_ends_other(struct str x, struct str y)
{
	return str_ends(x, y) || str_ends(y, x);
}

/* "You can't … two rules … overlapping": for one type of event, prefixes and suffixes must not both overlap. */
static bool overlap(const struct target *x, const struct target *y)
{
	if (!one_begins_other(x->prefix, y->prefix) || !one_ends_other(x->suffix, y->suffix)) return false;
	for (size_t i = 0; i < x->events->n; i++)
		for (size_t j = 0; j < y->events->n; j++)
			if (s3_notify_event_covers(x->events->v[i], y->events->v[j]) ||
				s3_notify_event_covers(y->events->v[j], x->events->v[i]))
				return true;
	return false;
}

static status check_targets(struct call *c, const struct target *v, size_t n)
{
	if (n > CONFIGURATIONS_MAX) return bad(c, "The number of notification configurations exceeds the limit of 100");
	for (size_t i = 0; i < n; i++) {
		if (v[i].id.n > ID_MAX)
			return bad(c, "The ID of a configuration must not be longer than 255 characters");
		if (!v[i].events->n) return s3_malformed_xml(c);
		for (size_t j = 0; j < v[i].events->n; j++)
			if (!known_event(v[i].events->v[j]))
				return bad(c, "A specified event is not supported for notifications.");
		for (size_t j = 0; j < i; j++) {
			if (!str_empty(v[i].id) && str_eq(v[i].id, v[j].id))
				return bad(c, "Same ID used for multiple configurations. IDs must be unique");
			if (overlap(&v[i], &v[j]))
				return bad(c, "Configuration is ambiguously defined. Cannot have overlapping suffixes "
					      "in two rules if the "
					      "prefixes are overlapping for the same event type.");
		}
	}
	return OK;
}

static status bad_destination(struct call *c, struct str arn, const char *why)
{
	status s = bad(c, "Unable to validate the following destination configurations");
	call_fail_detail(c, STR("ArgumentName1"), str_fmt(c->arena, "%.*s, null", STR_ARG(arn)));
	call_fail_detail(c, STR("ArgumentValue1"), str_c(why));
	return s;
}

static status check_queue(struct call *c, const struct s3_rec_bucket *b, struct str arn, bool skip)
{
	struct str part[6] = {{0}}, rest = arn;
	for (int i = 0; i < 5; i++) part[i] = str_cut(&rest, ':');
	if (!str_is(part[0], "arn") || !str_is(part[2], "sqs") || str_empty(rest) || str_empty(part[4]))
		return bad(c, "The ARN is not well formed");
	if (!str_eq(part[3], b->region))
		return bad(c,
			"The notification destination service region is not valid for the bucket location constraint");
	if (str_ends(rest, STR(".fifo")))
		return bad_destination(c, arn, "FIFO SQS queues are not supported as destinations");
	if (skip) return OK;
	struct sqs_delivery d = {.queue_arn = arn,
		.service = STR("s3.amazonaws.com"),
		.source_arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(b->name)),
		.source_account = b->owner};
	status s = sqs_delivery_check(c->cloud, c->arena, &d);
	if (status_is(s, STATUS_NOT_FOUND)) return bad_destination(c, arn, "The destination queue does not exist");
	if (status_is(s, STATUS_INVALID))
		return bad_destination(c, arn,
			"Permissions on the destination queue do not allow S3 to publish notifications from this "
			"bucket");
	return s;
}

static status check_topic(struct call *c, const struct s3_rec_bucket *b, struct str arn, bool skip)
{
	struct str part[6] = {{0}}, rest = arn;
	for (int i = 0; i < 5; i++) part[i] = str_cut(&rest, ':');
	if (!str_is(part[0], "arn") || !str_is(part[2], "sns") || str_empty(rest) || str_empty(part[4]))
		return bad(c, "The ARN is not well formed");
	if (!str_eq(part[3], b->region))
		return bad(c,
			"The notification destination service region is not valid for the bucket location constraint");
	if (str_ends(rest, STR(".fifo")))
		return bad_destination(c, arn, "FIFO SNS topics are not supported as destinations");
	if (skip) return OK;
	struct sns_publication p = {.topic_arn = arn,
		.service = STR("s3.amazonaws.com"),
		.source_arn = str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(c->partition), STR_ARG(b->name)),
		.source_account = b->owner};
	status s = sns_publication_check(c->cloud, c->tx, c->arena, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return bad_destination(c, arn, "The destination topic does not exist");
	if (status_is(s, STATUS_INVALID))
		return bad_destination(c, arn,
			"Permissions on the destination topic do not allow S3 to publish notifications from this "
			"bucket");
	return s;
}

static status refuse_unbuilt(struct call *c, const struct s3_notification_configuration *n)
{
	const char *what = n->lambda_function_configurations.n ? "Lambda functions"
			   : n->event_bridge_configuration     ? "EventBridge"
							       : NULL;
	if (!what) return OK;
	return call_fail(c, S3_ERR_NOT_IMPLEMENTED, "Event notifications of buckets to %s are not implemented", what);
}

status s3_put_bucket_notification_configuration(struct call *c,
	const struct s3_put_bucket_notification_configuration_input *in,
	struct s3_put_bucket_notification_configuration_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	const struct s3_notification_configuration *n = in->notification_configuration;
	if (!n) return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");
	TRY(refuse_unbuilt(c, n));
	const struct s3_queue_configuration_list *queues = &n->queue_configurations;
	const struct s3_topic_configuration_list *topics = &n->topic_configurations;
	size_t all = queues->n + topics->n;
	struct target *targets = arena_new_n(c->arena, struct target, all);
	for (size_t i = 0; i < queues->n; i++) {
		targets[i] = (struct target){
			.id = queues->v[i].id, .arn = queues->v[i].queue_arn, .events = &queues->v[i].events};
		TRY(check_filter(c, queues->v[i].filter, &targets[i]));
	}
	for (size_t i = 0; i < topics->n; i++) {
		targets[queues->n + i] = (struct target){
			.id = topics->v[i].id, .arn = topics->v[i].topic_arn, .events = &topics->v[i].events};
		TRY(check_filter(c, topics->v[i].filter, &targets[queues->n + i]));
	}
	TRY(check_targets(c, targets, all));
	for (size_t i = 0; i < queues->n; i++)
		TRY(check_queue(c, &b, targets[i].arn, in->skip_destination_validation.v));
	for (size_t i = 0; i < topics->n; i++)
		TRY(check_topic(c, &b, targets[queues->n + i].arn, in->skip_destination_validation.v));
	if (!all) return s3_config_drop(c, &b, S3_CONFIG_NOTIFICATION, STR(""), NULL);
	TRY(s3_config_put(c, &b, S3_CONFIG_NOTIFICATION, STR("")));
	for (size_t i = 0; i < all; i++) s3_notify_send(c, &b, targets[i].arn, s3_notify_test_event(c, &b));
	return OK;
}

status s3_get_bucket_notification_configuration(struct call *c,
	const struct s3_get_bucket_notification_configuration_input *in,
	struct s3_get_bucket_notification_configuration_output *out)
{
	struct s3_rec_bucket b;
	struct s3_put_bucket_notification_configuration_input conf;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = s3_config_get(c, &b, S3_CONFIG_NOTIFICATION, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	out->queue_configurations = conf.notification_configuration->queue_configurations;
	for (size_t i = 0; i < out->queue_configurations.n; i++) {
		struct s3_queue_configuration *q = &out->queue_configurations.v[i];
		q->id = s3_notify_id(c->arena, q->id, q->queue_arn, &q->events, q->filter);
	}
	out->topic_configurations = conf.notification_configuration->topic_configurations;
	for (size_t i = 0; i < out->topic_configurations.n; i++) {
		struct s3_topic_configuration *t = &out->topic_configurations.v[i];
		t->id = s3_notify_id(c->arena, t->id, t->topic_arn, &t->events, t->filter);
	}
	return OK;
}
