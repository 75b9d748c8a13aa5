/* From a topic to its subscribers: by a durable job that is written with the message, so that nothing that was answered
 * is lost; a crash between delivery and the job's end delivers twice ("Amazon SNS message delivery … at least once"). A
 * FIFO topic has one job, which takes its messages in order. What an endpoint refuses (a queue that is gone, or whose
 * policy does not let the topic send) is a client-side error: not retried, and moved to the subscription's dead-letter
 * queue. */
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "services/sns/feedback.h"
#include "services/sqs/send.h"

static const char standard_kind[] = "sns.deliver", fifo_kind[] = "sns.fifo";
enum { FIFO_AT_ONCE = 100 };

static bool wants(struct arena *a, const struct sns_rec_subscription *s, const struct sns_rec_message *m)
{
	struct str policy = sns_get(&s->attributes, STR("FilterPolicy"));
	bool body = str_is(str_or(sns_get(&s->attributes, STR("FilterPolicyScope")), STR("")), "MessageBody");
	return !str_has(policy) || sns_filter_passes(a, policy, body, m);
}

status sns_enqueue(struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	struct sns_rec_message *m, int64_t now_ms, struct kms_refusal *why)
{
	struct sns_subscriptions list, servers = {0};
	size_t room = 0;
	m->receivers = (struct sns_rec_receivers){0};
	TRY(sns_subscriptions_of(tx, a, t, &list));
	for (size_t i = 0; i < list.n; i++) {
		if (list.v[i].pending.v || !wants(a, &list.v[i], m)) continue;
		if (sns_is_http(&list.v[i]))
			*VEC_PUSH(a, &servers, &servers.capacity) = list.v[i];
		else
			*VEC_PUSH(a, &m->receivers, &room) = list.v[i].id;
	}
	TRY(sns_message_seal(cloud, tx, a, t, m, why));
	for (size_t i = 0; i < servers.n; i++)
		TRY(sns_http_enqueue(
			tx, a, t, &servers.v[i], STR("Notification"), sns_rec_message_encode(a, m), now_ms));
	if (m->receivers.n == 0) return OK;
	struct str bytes = sns_rec_message_encode(a, m);
	struct job job = {.kind = str_c(t->fifo.v ? fifo_kind : standard_kind), .due_ms = now_ms, .payload = bytes};
	if (!t->fifo.v) {
		job.id = m->id;
		jobs_schedule(tx, &job);
		return OK;
	}
	struct key k = key_begin(a);
	key_append(&k, sns_key(a, "fifo", t->account, t->region, t->name));
	key_i64(&k, m->sequence.v);
	store_put(tx, key_done(&k), bytes);
	job.id = str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(t->account), STR_ARG(t->region), STR_ARG(t->name));
	job.payload = STR("");
	jobs_schedule(tx, &job);
	return OK;
}

/* ── one subscriber ── */

/* What could not be delivered: as it would have been, with what went wrong. */
static status to_dead_letters(struct sns *s, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, const struct sqs_delivery *d)
{
	struct json_value *json;
	struct str policy = sns_get(&to->attributes, STR("RedrivePolicy"));
	if (!str_has(policy) || !is_ok(json_read(a, policy, &json))) return OK;
	struct sqs_delivery dead = *d;
	dead.queue_arn = str_or(json_string(json_member(json, STR("deadLetterTargetArn"))), STR(""));
	status st = sqs_deliver(s->cloud, a, &dead);
	if (is_ok(st) ||
		(!status_is(st, STATUS_NOT_FOUND) && !status_is(st, STATUS_INVALID) && !status_is(st, STATUS_LIMIT)))
		return st;
	log_warn("sns", "dead-letter-dropped", "topic=%.*s queue=%.*s status=%s", STR_ARG(t->name),
		STR_ARG(dead.queue_arn), status_name(st));
	return OK;
}

status sns_dead_letter(struct sns *s, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, struct str body)
{
	struct sqs_delivery d = {.service = STR("sns.amazonaws.com"),
		.source_arn = sns_topic_arn(a, t),
		.source_account = t->account,
		.body = body};
	return to_dead_letters(s, a, t, to, &d);
}

static status deliver_to(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_message *m, const struct sns_rec_subscription *to)
{
	bool raw = str_is(str_or(sns_get(&to->attributes, STR("RawMessageDelivery")), STR("")), "true");
	struct sqs_delivery d = {
		.queue_arn = to->endpoint,
		.service = STR("sns.amazonaws.com"),
		.source_arn = sns_topic_arn(a, t),
		.source_account = t->account,
		.group = m->group,
		.dedup = m->dedup,
	};
	struct sqs_delivery_attribute *attributes = arena_new_n(a, struct sqs_delivery_attribute, m->attributes.n + 1);
	if (raw) {
		d.body = sns_body_for(a, m, to->protocol);
		for (size_t i = 0; i < m->attributes.n; i++)
			attributes[i] = (struct sqs_delivery_attribute){m->attributes.v[i].name,
				m->attributes.v[i].type, m->attributes.v[i].text, m->attributes.v[i].bytes};
		d.attributes = attributes;
		d.n_attributes = m->attributes.n;
		/* "Raw message delivery … a maximum of 10 message attributes": more are a client-side error. */
		if (m->attributes.n > 10) return to_dead_letters(s, a, t, to, &d);
	} else {
		TRY(sns_envelope(s, tx, a, t, m, to, &d.body));
	}
	status st = sqs_deliver(s->cloud, a, &d);
	bool refused = status_is(st, STATUS_NOT_FOUND) || status_is(st, STATUS_INVALID) || status_is(st, STATUS_LIMIT);
	if (!is_ok(st) && !refused) return st;
	const struct sns_outcome outcome = {m, !refused, refused ? (status_is(st, STATUS_INVALID) ? 403 : 400) : 200, 1,
		status_is(st, STATUS_NOT_FOUND)
			? STR("{\"ErrorCode\":\"AWS.SimpleQueueService.NonExistentQueue\",\"ErrorMessage\":\"The "
			      "specified queue does not exist or you do not have access to it.\"}")
		: status_is(st, STATUS_INVALID)
			? STR("{\"ErrorCode\":\"AccessDenied\",\"ErrorMessage\":\"Access to the resource is denied.\"}")
		: refused ? STR("{\"ErrorCode\":\"InvalidParameterValue\"}")
			  : STR("{}")};
	sns_outcome(s, tx, a, t, to, &outcome);
	if (is_ok(st)) return OK;
	log_info("sns", "not-delivered", "topic=%.*s queue=%.*s status=%s", STR_ARG(t->name), STR_ARG(to->endpoint),
		status_name(st));
	return to_dead_letters(s, a, t, to, &d);
}

static status deliver_all(struct sns *s, struct store_tx *tx, struct arena *a, struct sns_rec_message *m)
{
	struct sns_rec_topic t;
	status st = sns_topic_get(tx, a, m->account, m->region, m->topic, &t);
	if (status_is(st, STATUS_NOT_FOUND)) return OK; /* deleted meanwhile */
	TRY(st);
	TRY(sns_message_open(s, tx, a, &t, m));
	for (size_t i = 0; i < m->receivers.n; i++) {
		struct sns_rec_subscription to = {0};
		st = sns_subscription_get(tx, a, &t, m->receivers.v[i], &to);
		if (status_is(st, STATUS_NOT_FOUND)) continue; /* unsubscribed meanwhile */
		TRY(st);
		TRY(deliver_to(s, tx, a, &t, m, &to));
	}
	return OK;
}

/* ── jobs ── */

static status deliver_standard(
	void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct sns_rec_message m = {0};
	(void)again_ms;
	TRY(sns_rec_message_decode(a, job->payload, &m));
	return deliver_all(ctx, tx, a, &m);
}

static status deliver_fifo(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct sns *s = ctx;
	struct str name = job->id, account = str_cut(&name, '/'), region = str_cut(&name, '/');
	struct str from = sns_key(a, "fifo", account, region, name), key, value;
	size_t n = 0;
	status st = OK;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (is_ok(st) && n < FIFO_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct sns_rec_message m = {0};
		struct str at = str_dup(a, key);
		st = sns_rec_message_decode(a, str_dup(a, value), &m);
		if (is_ok(st)) st = deliver_all(s, tx, a, &m);
		if (is_ok(st)) store_delete(tx, at);
		n++;
	}
	status end = store_scan_end(scan);
	TRY(st);
	if (n == FIFO_AT_ONCE) *again_ms = clock_now(s->cloud->clock);
	return end;
}

void sns_deliver_start(struct sns *s)
{
	jobs_register(s->cloud->jobs, standard_kind, deliver_standard, s);
	jobs_register(s->cloud->jobs, fifo_kind, deliver_fifo, s);
}
