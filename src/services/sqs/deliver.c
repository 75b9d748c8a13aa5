/* Messages that other services send. They are judged by the queue's own policy ("Overview of managing access in Amazon
 * SQS"). */
#include "base/log.h"
#include "base/rand.h"
#include "policy/policy.h"
#include "services/sqs/send.h"
#include "services/sqs/sqs_internal.h"

static struct sqs *sqs_in(struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (strcmp(cloud->services[i]->model->name, "sqs") == 0) return cloud->service_state[i];
	return NULL;
}

/* Under the queue's lock. */
static status judge(struct cloud *cloud, struct arena *a, const struct queue *q, const struct sqs_delivery *d)
{
	size_t bytes = d->body.n;
	for (size_t i = 0; i < d->n_attributes; i++)
		bytes += d->attributes[i].name.n + d->attributes[i].type.n + d->attributes[i].text.n +
			 d->attributes[i].bytes.n;
	if ((q->fifo && (!d->group.n || !d->dedup.n)) || (int64_t)bytes > q->message_bytes_max) return STATUS(LIMIT);
	if (!cloud->policies || (d->by_role && str_eq(d->source_account, q->account))) return OK;
	struct str text = sqs_strings_get(&q->record.attributes, STR("Policy"));
	struct policy *p;
	struct policy_source source = {.type = POLICY_RESOURCE};
	if (str_empty(text) || !is_ok(policy_parse(text, &source, &p, NULL))) return STATUS(INVALID);
	struct policy_principal who = {.kind = POLICY_CALLER_SERVICE,
		.account = STR(""),
		.arn = d->service,
		.user_id = STR(""),
		.name = d->service};
	struct policy_context context = POLICY_CONTEXT_IN(a);
	policy_context_set_principal(&context, &who);
	policy_context_set_now(&context, clock_now(cloud->clock));
	policy_context_set(&context, STR("aws:SourceArn"), d->source_arn);
	policy_context_set(&context, STR("aws:SourceAccount"), d->source_account);
	const struct policy *const list[] = {p};
	struct policy_resource resource = {.arn = sqs_queue_arn(a, q), .account = q->account, .policies = {list, 1}};
	struct policy_request request = {.principal = &who,
		.action = STR("sqs:SendMessage"),
		.resources = &resource,
		.n_resources = 1,
		.context = &context};
	struct policy_subject subject = {0};
	struct policy_decision decision;
	bool allowed = policy_evaluate(a, &request, &subject, &decision);
	policy_free(p);
	return allowed ? OK : STATUS(INVALID);
}

static status lock(struct cloud *cloud, struct arena *a, const struct sqs_delivery *d, struct queue **out)
{
	struct sqs *s = sqs_in(cloud);
	struct queue *q = s ? sqs_queue_by_arn(s, a, d->queue_arn) : NULL;
	if (!q) return STATUS(NOT_FOUND);
	pthread_mutex_lock(&q->lock);
	status st = q->deleted ? STATUS(NOT_FOUND) : sqs_queue_load(q);
	if (is_ok(st)) st = judge(cloud, a, q, d);
	if (is_ok(st)) {
		*out = q;
		return OK;
	}
	pthread_mutex_unlock(&q->lock);
	sqs_queue_release(q);
	return st;
}

status sqs_delivery_check(struct cloud *cloud, struct arena *a, const struct sqs_delivery *d)
{
	struct queue *q;
	TRY(lock(cloud, a, d, &q));
	sqs_queue_unlock(q);
	sqs_queue_release(q);
	return OK;
}

status sqs_deliver(struct cloud *cloud, struct arena *a, const struct sqs_delivery *d)
{
	struct queue *q;
	TRY(lock(cloud, a, d, &q));
	int64_t now = clock_now(cloud->clock);
	struct sqs_new_message m = {
		.group = d->group.n ? d->group : STR_NONE,
		.body = {.body = d->body,
			.sender = d->service,
			.message_id = rand_uuid(a),
			.dedup = q->fifo ? d->dedup : STR_NONE},
		.sent_ms = now,
		.visible_ms = now + q->delay_s * 1000,
		.delayed = q->delay_s > 0,
	};
	struct str dedup_key = q->fifo ? sqs_dedup_key(a, q, d->group, d->dedup) : STR_NONE;
	size_t capacity = 0;
	for (size_t i = 0; i < d->n_attributes; i++)
		*VEC_PUSH(a, &m.body.attributes, &capacity) = (struct sqs_rec_attribute){
			d->attributes[i].name, d->attributes[i].type, d->attributes[i].text, d->attributes[i].bytes};
	if (q->fifo && sqs_seen(q, dedup_key, now)) {
		/* It came already. */
		sqs_queue_unlock(q);
		sqs_queue_release(q);
		return OK;
	}
	struct store_tx *tx = store_begin(cloud->store, a, false);
	store_ticket ticket;
	struct kms_refusal why = {0};
	status st = sqs_put_message(tx, a, q, &m, &why);
	if (status_is(st, STATUS_FAILED)) {
		log_warn("sqs", "not-delivered", "queue=%.*s why=\"%.*s\"", STR_ARG(q->name), STR_ARG(why.message));
		st = STATUS(INVALID);
	}
	if (is_ok(st) && q->fifo) sqs_put_dedup(tx, a, q, dedup_key, now + DEDUP_MS, m.seq, m.body.message_id);
	if (is_ok(st)) st = store_commit(tx, &ticket);
	store_end(tx);
	if (is_ok(st) && q->fifo) sqs_remember(q, dedup_key, now + DEDUP_MS, m.seq, m.body.message_id);
	if (is_ok(st)) {
		sqs_index_message(q, &m);
		sqs_wake(q, now);
	}
	sqs_queue_unlock(q);
	sqs_queue_release(q);
	return st;
}

status sqs_count(struct cloud *cloud, struct arena *a, struct str queue_arn, struct sqs_counts *out)
{
	struct sqs *s = sqs_in(cloud);
	struct queue *q = s ? sqs_queue_by_arn(s, a, queue_arn) : NULL;
	if (!q) return STATUS(NOT_FOUND);
	pthread_mutex_lock(&q->lock);
	status st = q->deleted ? STATUS(NOT_FOUND) : sqs_queue_load(q);
	if (is_ok(st)) {
		sqs_ripen(q, clock_now(cloud->clock));
		const struct message *oldest = index_oldest(&q->index);
		*out = (struct sqs_counts){
			q->index.n_ready, q->index.n_in_flight, q->index.n_delayed, oldest ? oldest->sent_ms : 0};
	}
	sqs_queue_unlock(q);
	sqs_queue_release(q);
	return st;
}
