/* Events of stacks that have NotificationARNs, published to their topics by durable jobs ("Monitor stack progress by
 * notifications"). */
#include "services/cloudformation/internal.h"

#define NOTIFY_JOB "cloudformation.notify"

static void line(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "%s='%.*s'\n", name, STR_ARG(str_or(value, STR(""))));
}

void cfn_notify(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_event *e)
{
	for (size_t i = 0; s->settings && i < s->settings->notification_arns.n; i++) {
		struct buf b = BUF_IN(a);
		line(&b, "StackId", s->id);
		line(&b, "Timestamp", time_iso8601(a, e->at.v, true));
		line(&b, "EventId", e->id);
		line(&b, "LogicalResourceId", e->logical_id);
		line(&b, "Namespace", s->account);
		line(&b, "PhysicalResourceId", e->physical_id);
		line(&b, "ResourceProperties", str_or(e->properties, STR("null")));
		line(&b, "ResourceStatus", e->status);
		line(&b, "ResourceStatusReason", e->reason);
		line(&b, "ResourceType", e->type);
		line(&b, "StackName", s->name);
		line(&b, "ClientRequestToken", str_or(s->client_token, STR("null")));
		struct cloudformation_rec_notice n = {.topic = s->settings->notification_arns.v[i],
			.account = s->account,
			.region = s->region,
			.message = buf_done(&b)};
		struct job job = {.kind = STR(NOTIFY_JOB),
			.id = str_fmt(a, "%.*s/%lld/%zu", STR_ARG(s->id), (long long)s->events.v, i),
			.due_ms = e->at.v,
			.payload = cloudformation_rec_notice_encode(a, &n)};
		jobs_schedule(tx, &job);
	}
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct cloudformation_rec_notice n = {0};
	struct cfn_api_answer answer;
	(void)tx;
	(void)again_ms;
	TRY(cloudformation_rec_notice_decode(a, job->payload, &n));
	struct inside_caller who = inside_service(a, n.account, n.region, STR("cloudformation.amazonaws.com"));
	struct json_value *in = cfn_one(a, "TopicArn", n.topic);
	cfn_put(in, a, "Subject", STR("AWS CloudFormation Notification"));
	cfn_put(in, a, "Message", n.message);
	cfn_api(cloud, &who, a, "sns", "Publish", in, &answer);
	/* A topic that is gone, or of another account, gets none; the stack does not depend on it. */
	return OK;
}

void cfn_notify_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, NOTIFY_JOB, run, cloud);
}
