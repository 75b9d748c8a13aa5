/* What became of a delivery: CloudWatch's metrics of topics, and the log of delivery status ("Amazon SNS message
 * delivery status"), which is a job of its own, written with the delivery. The role that the topic names for the
 * protocol and for success or failure has to let it into CloudWatch Logs, and to trust sns.amazonaws.com. */
#include "services/sns/feedback.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "logs.h"
#include "services/cloudwatch/metrics.h"
#include "services/sts/inside.h"

static const char kind[] = "sns.feedback";

static const struct {
	const char *protocol, *word;
} protocols[] = {{"http", "HTTP"}, {"https", "HTTP"}, {"sqs", "SQS"}, {"lambda", "Lambda"}, {"firehose", "Firehose"},
	{"application", "Application"}};

bool sns_feedback_attribute(struct str name)
{
	static const char *const ends[] = {
		"SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate"};
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		for (size_t j = 0; j < 3; j++) {
			struct str word = str_c(protocols[i].word), end = str_c(ends[j]);
			if (name.n == word.n + end.n && str_starts(name, word) && str_ends(name, end)) return true;
		}
	return false;
}

static void metric(struct sns *s, const struct sns_rec_topic *t, const char *name)
{
	struct metric_note n = {.account = t->account,
		.region = t->region,
		.space = STR("AWS/SNS"),
		.name = str_c(name),
		.dimensions = {{STR("TopicName"), t->name}},
		.n_dimensions = 1,
		.unit = "Count",
		.value = 1,
		.at_ms = clock_now(s->cloud->clock)};
	metrics_note(s->cloud, &n);
}

static struct str attribute(
	struct arena *a, const struct sns_rec_topic *t, const struct sns_rec_subscription *to, const char *end)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (str_eq(to->protocol, str_c(protocols[i].protocol)))
			return sns_get(&t->attributes, str_fmt(a, "%s%s", protocols[i].word, end));
	return STR_NONE;
}

/* 2016-05-10 18:50:55.182 */
static struct str told_time(struct arena *a, int64_t ms)
{
	struct str s = time_iso8601(a, ms, true);
	return str_fmt(a, "%.*s %.*s", 10, s.p, (int)(s.n - 12), s.p + 11);
}

static struct str text_of(struct arena *a, const struct sns_rec_topic *t, const struct sns_rec_subscription *to,
	const struct sns_outcome *o, int64_t now_ms)
{
	uint8_t md5[16];
	struct buf b = BUF_IN(a);
	digest_md5(o->message->body, md5);
	buf_lit(&b, "{\"notification\":{\"messageMD5Sum\":");
	json_quote(&b, str_hex(a, str_n(md5, sizeof(md5))));
	buf_lit(&b, ",\"messageId\":");
	json_quote(&b, o->message->id);
	buf_lit(&b, ",\"topicArn\":");
	json_quote(&b, sns_topic_arn(a, t));
	buf_lit(&b, ",\"timestamp\":");
	json_quote(&b, told_time(a, o->message->published.ms));
	buf_lit(&b, "},\"delivery\":{\"deliveryId\":");
	json_quote(&b, rand_uuid(a));
	buf_lit(&b, ",\"destination\":");
	json_quote(&b, to->endpoint);
	buf_lit(&b, ",\"providerResponse\":");
	json_quote(&b, o->response);
	buf_fmt(&b, ",\"dwellTimeMs\":%lld,\"attempts\":%d,\"statusCode\":%u},\"status\":\"%s\"}",
		(long long)(now_ms > o->message->published.ms ? now_ms - o->message->published.ms : 0), o->attempts,
		o->status_code, o->good ? "SUCCESS" : "FAILURE");
	return buf_done(&b);
}

void sns_outcome(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, const struct sns_outcome *o)
{
	int64_t now_ms = clock_now(s->cloud->clock), rate = 0;
	metric(s, t, o->good ? "NumberOfNotificationsDelivered" : "NumberOfNotificationsFailed");
	struct str role = attribute(a, t, to, o->good ? "SuccessFeedbackRoleArn" : "FailureFeedbackRoleArn");
	struct str sample = attribute(a, t, to, "SuccessFeedbackSampleRate");
	if (!str_has(role)) return;
	/* All failures are told; of successes that share which the topic asks for. */
	if (o->good && (!str_has(sample) || !is_ok(str_to_i64(sample, &rate)) || (int64_t)(rand_u64() % 100) >= rate))
		return;
	struct sns_rec_feedback f = {.account = t->account,
		.region = t->region,
		.topic = t->name,
		.role = role,
		.failure = SOME_BOOL(!o->good),
		.text = text_of(a, t, to, o, now_ms),
		.at = SOME_TIME(now_ms)};
	jobs_schedule(tx, &(struct job){.kind = str_c(kind),
				  .id = rand_uuid(a),
				  .due_ms = now_ms,
				  .payload = sns_rec_feedback_encode(a, &f)});
}

/* ── into CloudWatch Logs ── */

struct writing {
	struct sns *s;
	struct arena *a;
	struct inside_caller who;
	struct str group, stream, why;
};

static bool ask(struct writing *w, uint32_t op, const void *in, struct str *code)
{
	struct inside *done = inside_run(w->s->cloud, &w->who, "logs", op, in, NULL);
	bool ok = done->ok;
	*code = ok ? STR("") : str_dup(w->a, done->code);
	if (!ok) w->why = str_dup(w->a, done->message);
	inside_free(done);
	return ok || str_is(*code, "ResourceAlreadyExistsException");
}

static bool put(struct writing *w, const struct sns_rec_feedback *f)
{
	struct logs_input_log_event event = {.timestamp = SOME_I64(f->at.ms), .message = f->text};
	struct logs_put_log_events_input in = {
		.log_group_name = w->group, .log_stream_name = w->stream, .log_events = {&event, 1}};
	struct logs_create_log_stream_input stream = {.log_group_name = w->group, .log_stream_name = w->stream};
	struct logs_create_log_group_input group = {.log_group_name = w->group};
	struct str code;
	if (ask(w, LOGS_OP_PUT_LOG_EVENTS, &in, &code)) return true;
	if (!str_is(code, "ResourceNotFoundException")) return false;
	if (!ask(w, LOGS_OP_CREATE_LOG_STREAM, &stream, &code)) {
		if (!str_is(code, "ResourceNotFoundException") || !ask(w, LOGS_OP_CREATE_LOG_GROUP, &group, &code) ||
			!ask(w, LOGS_OP_CREATE_LOG_STREAM, &stream, &code))
			return false;
	}
	return ask(w, LOGS_OP_PUT_LOG_EVENTS, &in, &code);
}

/* One attempt: what the role may not do, it will not be able to do later either. */
static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct sns_rec_feedback f = {0};
	struct writing w = {.s = ctx, .a = a, .why = STR("")};
	(void)tx;
	(void)again_ms;
	TRY(sns_rec_feedback_decode(a, job->payload, &f));
	struct sns_rec_topic t = {.name = f.topic, .account = f.account, .region = f.region};
	w.group = str_fmt(a, "sns/%.*s/%.*s/%.*s%s", STR_ARG(f.region), STR_ARG(f.account), STR_ARG(f.topic),
		f.failure.v ? "/Failure" : "");
	/* A stream for each day, named as the service names its own: by an id. */
	uint8_t md5[16];
	digest_md5(str_fmt(a, "%.*s/%lld", STR_ARG(w.group), (long long)(f.at.ms / 86400000)), md5);
	w.stream = str_hex(a, str_n(md5, sizeof(md5)));
	bool good = is_ok(sts_assume_for(w.s->cloud, a, f.account, f.region, STR("sns.amazonaws.com"),
			    sns_topic_arn(a, &t), f.role, STR("sns-delivery-status"), &w.who, &w.why)) &&
		    put(&w, &f);
	if (!good) log_warn("sns", "status-not-logged", "topic=%.*s why=\"%.*s\"", STR_ARG(f.topic), STR_ARG(w.why));
	return OK;
}

void sns_feedback_start(struct sns *s)
{
	jobs_register(s->cloud->jobs, kind, run, s);
}
