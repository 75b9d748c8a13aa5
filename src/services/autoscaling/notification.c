/* Who is told by Amazon SNS of what a group does ("Amazon SNS notification options", the guide). */
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "services/autoscaling/room.h"
#include "services/sns/door.h"

static const char *const types[] = {"autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
	"autoscaling:EC2_INSTANCE_TERMINATE", "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
	"autoscaling:TEST_NOTIFICATION", NULL};

static void member(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
	json_quote(b, str_or(value, STR("")));
}

static struct str message(struct as_group *g, struct str event, const struct autoscaling_activity *act,
	struct str instance, int64_t now_ms)
{
	struct arena *a = g->at.a;
	struct buf b = BUF_IN(a);
	buf_lit(&b, "{");
	member(&b, "Service", STR("AWS Auto Scaling"));
	member(&b, "Time", time_iso8601(a, now_ms, true));
	member(&b, "RequestId", act ? act->activity_id : rand_uuid(a));
	member(&b, "Event", event);
	member(&b, "AccountId", g->at.account);
	member(&b, "AutoScalingGroupName", g->name);
	member(&b, "AutoScalingGroupARN", g->g.auto_scaling_group_arn);
	if (act) {
		buf_fmt(&b, ",\"Progress\":%d,\"Details\":%.*s", act->progress.v,
			STR_ARG(str_or(act->details, STR("{}"))));
		member(&b, "ActivityId", act->activity_id);
		member(&b, "Description", act->description);
		member(&b, "Cause", act->cause);
		member(&b, "StartTime", time_iso8601(a, act->start_time.ms, true));
		member(&b, "EndTime", time_iso8601(a, act->end_time.has ? act->end_time.ms : now_ms, true));
		member(&b, "StatusCode", act->status_code);
		member(&b, "StatusMessage", act->status_message);
		member(&b, "EC2InstanceId", instance);
	}
	buf_lit(&b, "}");
	return buf_done(&b);
}

static struct str subject(struct as_group *g, struct str event)
{
	const char *what = "test notification";
	if (str_is(event, "autoscaling:EC2_INSTANCE_LAUNCH")) what = "launch";
	if (str_is(event, "autoscaling:EC2_INSTANCE_LAUNCH_ERROR")) what = "failed launch";
	if (str_is(event, "autoscaling:EC2_INSTANCE_TERMINATE")) what = "termination";
	if (str_is(event, "autoscaling:EC2_INSTANCE_TERMINATE_ERROR")) what = "failed termination";
	return str_sub(str_fmt(g->at.a, "Auto Scaling: %s for group \"%.*s\"", what, STR_ARG(g->name)), 0, 100);
}

static struct sns_publication publication(struct as_group *g, struct str topic, struct str event, struct str text)
{
	return (struct sns_publication){.topic_arn = topic,
		.message = text,
		.subject = subject(g, event),
		.service = AS_PRINCIPAL,
		.source_arn = g->g.auto_scaling_group_arn,
		.source_account = g->at.account,
		.by_role = true};
}

status as_notify(struct cloud *cloud, struct as_group *g, struct str event, const struct autoscaling_activity *activity,
	struct str instance, int64_t now_ms)
{
	struct as_each e = as_each(g->at, "notification", g->name);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		struct autoscaling_rec_notification n = {0};
		s = autoscaling_rec_notification_decode(g->at.a, e.value, &n);
		if (!is_ok(s) || !as_has(n.types.v, n.types.n, event)) continue;
		struct sns_publication p =
			publication(g, n.topic, event, message(g, event, activity, instance, now_ms));
		status told = sns_publish_in(cloud, g->at.tx, g->at.a, &p);
		if (status_is(told, STATUS_CONFLICT)) s = told;
		/* A topic that went, or lets nobody in any more: nothing holds the group up. */
		if (!is_ok(told))
			log_warn("autoscaling", "not_told", "group=%.*s topic=%.*s why=%s", STR_ARG(g->name),
				STR_ARG(n.topic), status_name(told));
	}
	status end = as_each_end(&e);
	return is_ok(s) ? end : s;
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

status autoscaling_put_notification_configuration(
	struct call *c, const struct autoscaling_put_notification_configuration_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct str test = STR("autoscaling:TEST_NOTIFICATION"), bytes;
	size_t n;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	if (!in->notification_types.n) return AS_FAIL(c, "At least one notification type must be specified.");
	for (size_t i = 0; i < in->notification_types.n; i++)
		if (!as_in(in->notification_types.v[i], types))
			return AS_FAIL(
				c, "%.*s is not a valid notification type.", STR_ARG(in->notification_types.v[i]));
	struct str key = as_key(g.at, "notification", g.name, in->topic_arn);
	TRY(as_count(g.at, "notification", g.name, &n));
	status s = store_get(c->tx, key, &bytes);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!is_ok(s) && n >= AS_TOPICS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"You may only have %d topics for an Auto Scaling group.", AS_TOPICS_MAX);
	struct sns_publication p = publication(&g, in->topic_arn, test, message(&g, test, NULL, STR_NONE, c->now_ms));
	s = sns_publish_in(c->cloud, c->tx, c->arena, &p);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_INVALID) || status_is(s, STATUS_LIMIT))
		return AS_FAIL(c,
			"Unable to publish a test notification to topic %.*s: it does not exist, or does not let "
			"Auto Scaling publish.",
			STR_ARG(in->topic_arn));
	TRY(s);
	struct autoscaling_rec_notification r = {
		.topic = in->topic_arn, .types = {in->notification_types.v, in->notification_types.n}};
	store_put(c->tx, key, autoscaling_rec_notification_encode(c->arena, &r));
	as_group_put(&g);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

status autoscaling_delete_notification_configuration(
	struct call *c, const struct autoscaling_delete_notification_configuration_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct str bytes;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	struct str key = as_key(g.at, "notification", g.name, in->topic_arn);
	status s = store_get(c->tx, key, &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return AS_FAIL(c, "Notification config for AutoScalingGroup '%.*s' and topic ARN '%.*s' not found",
			STR_ARG(g.name), STR_ARG(in->topic_arn));
	TRY(s);
	store_delete(c->tx, key);
	as_group_put(&g);
	return OK;
}

status autoscaling_describe_notification_configurations(struct call *c,
	const struct autoscaling_describe_notification_configurations_input *in,
	struct autoscaling_describe_notification_configurations_output *out)
{
	size_t capacity = 0;
	struct as_each e = as_each(as_here(c), "notification", STR_NONE);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		const struct autoscaling_auto_scaling_group_names *names = &in->auto_scaling_group_names;
		struct autoscaling_rec_notification n = {0};
		if (names->n && !as_has(names->v, names->n, e.group)) continue;
		s = autoscaling_rec_notification_decode(c->arena, e.value, &n);
		for (size_t i = 0; is_ok(s) && i < n.types.n; i++)
			*VEC_PUSH(c->arena, &out->notification_configurations, &capacity) =
				(struct autoscaling_notification_configuration){e.group, n.topic, n.types.v[i]};
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->notification_configurations);
	return as_page(c, &out->notification_configurations, sizeof(*out->notification_configurations.v),
		in->max_records, 100, in->next_token, &out->next_token);
}

status autoscaling_describe_auto_scaling_notification_types(struct call *c, const struct wire_nothing *in,
	struct autoscaling_describe_auto_scaling_notification_types_output *out)
{
	size_t capacity = 0;
	(void)in;
	for (const char *const *t = types; *t; t++)
		*VEC_PUSH(c->arena, &out->auto_scaling_notification_types, &capacity) = str_c(*t);
	return OK;
}
