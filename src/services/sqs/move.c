/* Dead-letter queues: who sends here, and moving messages back ("StartMessageMoveTask"). A task is a durable job that
 * moves some messages a second until the queue is empty. */
#include "base/json.h"
#include "base/rand.h"
#include "services/sqs/sqs_internal.h"

#define MOVE_JOB "sqs.move"
enum { RATE_MAX = 500, TASKS_SHOWN = 10 };

/* ── sources ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static int by_name(const void *x, const void *y)
{
	const struct str *a = x, *b = y;
	return str_cmp(*a, *b);
}

/* Names of the queues of this account and region whose dead letters go to `arn`. */
static size_t sources_of(struct call *c, struct str arn, struct str **names)
{
	struct sqs *s = sqs_of(c);
	struct {
		struct str *v;
		size_t n;
	} list = {0};
	size_t capacity = 0;
	pthread_rwlock_rdlock(&s->lock);
	for (struct map_entry *e = NULL; (e = map_next(&s->queues, e));) {
		struct queue *q = e->value;
		pthread_mutex_lock(&q->lock);
		if (q->max_receives && str_eq(q->dlq_arn, arn) && str_eq(q->account, c->account) &&
			str_eq(q->region, c->region))
			*VEC_PUSH(c->arena, &list, &capacity) = str_dup(c->arena, q->name);
		pthread_mutex_unlock(&q->lock);
	}
	pthread_rwlock_unlock(&s->lock);
	if (list.n) qsort(list.v, list.n, sizeof(*list.v), by_name);
	*names = list.v;
	return list.n;
}

status sqs_list_dead_letter_source_queues(struct call *c, const struct sqs_list_dead_letter_source_queues_input *in,
	struct sqs_list_dead_letter_source_queues_output *out)
{
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	struct str *names;
	size_t n = sources_of(c, sqs_queue_arn(c->arena, q), &names), capacity = 0;
	sqs_queue_release(q);
	if (in->max_results.has && (in->max_results.v < 1 || in->max_results.v > 1000))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %d for parameter MaxResults is invalid. Reason: Must be an integer from 1 to 1000.",
			in->max_results.v);
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : 1000;
	struct str after = STR_NONE;
	if (str_has(in->next_token) && in->next_token.n && !is_ok(str_unbase64(c->arena, in->next_token, &after)))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE, "Invalid or expired next token.");
	VEC_PRESENT(c->arena, &out->queue_urls);
	for (size_t i = 0; i < n; i++) {
		if (str_has(after) && str_cmp(names[i], after) <= 0) continue;
		if (out->queue_urls.n == limit) {
			out->next_token = str_base64(c->arena, names[i - 1]);
			break;
		}
		struct queue named = {.account = c->account, .region = c->region, .name = names[i]};
		*VEC_PUSH(c->arena, &out->queue_urls, &capacity) = sqs_queue_url(c, &named);
	}
	return OK;
}

/* ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str task_key(struct arena *a, struct str handle)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("move"));
	key_str(&k, handle);
	return key_done(&k);
}

static status get_task(struct store_tx *tx, struct arena *a, struct str handle, struct sqs_rec_move_task *t)
{
	struct str bytes;
	TRY(store_get(tx, task_key(a, handle), &bytes));
	return sqs_rec_move_task_decode(a, bytes, t);
}

static void put_task(struct store_tx *tx, struct arena *a, const struct sqs_rec_move_task *t)
{
	store_put(tx, task_key(a, t->handle), sqs_rec_move_task_encode(a, t));
}

static bool running(const struct sqs_rec_move_task *t)
{
	return str_is(t->status, "RUNNING");
}

/* Moves one batch of ready messages in a transaction of its own. *n: how many. */
static status move_some(struct sqs *s, struct arena *a, struct queue *from, struct str destination, size_t most,
	size_t *n, const char **why)
{
	*n = 0;
	int64_t now = clock_now(s->cloud->clock);
	for (; *n < most; (*n)++) {
		/* The destination is known only from the message; it is loaded before its number is drawn. */
		pthread_mutex_lock(&from->lock);
		status st = from->deleted ? STATUS(NOT_FOUND) : sqs_queue_load(from);
		if (is_ok(st)) sqs_ripen(from, now);
		struct message *m = is_ok(st) ? index_next(&from->index, NULL) : NULL;
		struct sqs_rec_body body = {0};
		struct store_tx *tx = store_begin(s->cloud->store, a, false);
		struct kms_refusal refused;
		if (m) st = sqs_get_body(tx, a, from, m->seq, &body, &refused);
		if (status_is(st, STATUS_FAILED)) *why = "KMS.AccessDeniedException";
		uint64_t seq = m ? m->seq : 0;
		pthread_mutex_unlock(&from->lock);
		if (!is_ok(st) || !m) {
			store_end(tx);
			return st;
		}
		struct str target = str_empty(destination) ? str_or(body.source_arn, STR("")) : destination;
		struct queue *to = sqs_queue_by_arn(s, a, target);
		if (!to) {
			store_end(tx);
			*why = str_empty(target) ? "CouldNotDetermineMessageSource"
						 : "AWS.SimpleQueueService.NonExistentQueue";
			return STATUS(FAILED);
		}
		pthread_mutex_lock(&to->lock);
		st = to->deleted ? STATUS(NOT_FOUND) : sqs_queue_load(to);
		pthread_mutex_unlock(&to->lock);
		pthread_mutex_lock(&from->lock);
		m = is_ok(st) && !from->deleted && from->loaded ? index_find(&from->index, seq) : NULL;
		bool mine = m && m->state == MESSAGE_READY;
		struct sqs_new_message moved = {.body = body, .sent_ms = now, .group = STR_NONE};
		if (mine) {
			if (m->group) moved.group = str_dup(a, m->group->id);
			moved.body.source_arn = STR_NONE;
			st = sqs_put_message(tx, a, to, &moved, &refused);
			if (status_is(st, STATUS_FAILED)) *why = "KMS.AccessDeniedException";
			sqs_drop_message(tx, a, from, seq);
			store_ticket t;
			if (is_ok(st)) st = store_commit(tx, &t);
			if (is_ok(st)) index_remove(&from->index, m);
		}
		store_end(tx);
		pthread_mutex_unlock(&from->lock);
		if (mine && is_ok(st)) {
			pthread_mutex_lock(&to->lock);
			if (!to->deleted) sqs_index_message(to, &moved);
			sqs_wake(to, now);
			pthread_mutex_unlock(&to->lock);
		}
		sqs_queue_release(to);
		TRY(st);
	}
	return OK;
}

static status run_task(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct sqs *s = ctx;
	struct sqs_rec_move_task t = {0};
	status st = get_task(tx, a, job->id, &t);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (str_is(t.status, "CANCELLING")) t.status = STR("CANCELLED");
	if (!running(&t)) {
		put_task(tx, a, &t);
		return OK;
	}
	size_t n = 0, most = t.rate.has ? (size_t)t.rate.v : RATE_MAX;
	const char *why = NULL;
	struct queue *from = sqs_queue_by_arn(s, a, t.source_arn);
	if (!from) {
		t.status = STR("FAILED");
		t.failure = STR("AWS.SimpleQueueService.NonExistentQueue");
		put_task(tx, a, &t);
		return OK;
	}
	st = move_some(s, a, from, str_or(t.destination_arn, STR("")), most, &n, &why);
	sqs_queue_release(from);
	t.moved.v += (int64_t)n;
	t.moved.has = true;
	if (status_is(st, STATUS_FAILED)) {
		t.status = STR("FAILED");
		t.failure = str_c(why);
	} else if (is_ok(st) && n < most) {
		t.status = STR("COMPLETED");
	} else if (is_ok(st)) {
		*again_ms = clock_now(s->cloud->clock) + 1000;
	} else {
		return st;
	}
	put_task(tx, a, &t);
	return OK;
}

status sqs_moves_start(struct sqs *s)
{
	jobs_register(s->cloud->jobs, MOVE_JOB, run_task, s);
	return OK;
}

static status no_such_resource(struct call *c)
{
	return call_fail(c, SQS_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
		"The resource that you specified for the SourceArn parameter doesn't exist.");
}

/* The newest first. */
static int newer_first(const void *x, const void *y)
{
	const struct sqs_rec_move_task *a = x, *b = y;
	return a->started.v < b->started.v ? 1 : a->started.v > b->started.v ? -1 : 0;
}

struct tasks {
	struct sqs_rec_move_task *v;
	size_t n;
};

static status tasks_of(struct call *c, struct store_tx *tx, struct str source_arn, struct tasks *out)
{
	struct key k = key_begin(c->arena);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("move"));
	struct str from = key_done(&k), key, value;
	size_t capacity = 0;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct sqs_rec_move_task t = {0};
		if (is_ok(sqs_rec_move_task_decode(c->arena, str_dup(c->arena, value), &t)) &&
			str_eq(t.source_arn, source_arn))
			*VEC_PUSH(c->arena, out, &capacity) = t;
	}
	if (out->n) qsort(out->v, out->n, sizeof(*out->v), newer_first);
	return store_scan_end(scan);
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

status sqs_start_message_move_task(struct call *c, const struct sqs_start_message_move_task_input *in,
	struct sqs_start_message_move_task_output *out)
{
	if (in->max_number_of_messages_per_second.has &&
		(in->max_number_of_messages_per_second.v < 1 || in->max_number_of_messages_per_second.v > RATE_MAX))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %d for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and "
			"500, if provided.",
			in->max_number_of_messages_per_second.v);
	struct queue *q = sqs_queue_by_arn(sqs_of(c), c->arena, in->source_arn);
	if (!q) return no_such_resource(c);
	pthread_mutex_lock(&q->lock);
	int64_t waiting = is_ok(sqs_queue_load(q)) ? q->index.n_ready : 0;
	pthread_mutex_unlock(&q->lock);
	sqs_queue_release(q);
	if (str_has(in->destination_arn)) {
		struct queue *d = sqs_queue_by_arn(sqs_of(c), c->arena, in->destination_arn);
		if (!d)
			return call_fail(c, SQS_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
				"The resource that you specified for the DestinationArn parameter doesn't exist.");
		sqs_queue_release(d);
	}
	struct str *names;
	if (!sources_of(c, in->source_arn, &names))
		return call_fail(
			c, SQS_ERR_INVALID_PARAMETER_VALUE, "Source queue must be configured as a Dead Letter Queue.");
	struct tasks all = {0};
	TRY(tasks_of(c, c->tx, in->source_arn, &all));
	if (all.n && (running(&all.v[0]) || str_is(all.v[0].status, "CANCELLING")))
		return call_fail(c, SQS_ERR_UNSUPPORTED_OPERATION,
			"There is already a task running. Only one active task is allowed for a source queue arn at a "
			"given time.");
	/* What is past the ten that are shown goes. */
	for (size_t i = TASKS_SHOWN - 1; i < all.n; i++) store_delete(c->tx, task_key(c->arena, all.v[i].handle));
	struct sqs_rec_move_task t = {
		.handle = str_base64(c->arena, str_fmt(c->arena, "{\"taskId\":\"%.*s\",\"sourceArn\":\"%.*s\"}",
						       STR_ARG(rand_uuid(c->arena)), STR_ARG(in->source_arn))),
		.source_arn = in->source_arn,
		.destination_arn = in->destination_arn,
		.status = STR("RUNNING"),
		.started = SOME_I64(c->now_ms),
		.moved = SOME_I64(0),
		.to_move = SOME_I64(waiting),
	};
	t.rate = in->max_number_of_messages_per_second;
	put_task(c->tx, c->arena, &t);
	struct job job = {.kind = STR(MOVE_JOB), .id = t.handle, .due_ms = c->now_ms, .payload = STR("")};
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
	out->task_handle = t.handle;
	return OK;
}

status sqs_cancel_message_move_task(struct call *c, const struct sqs_cancel_message_move_task_input *in,
	struct sqs_cancel_message_move_task_output *out)
{
	struct sqs_rec_move_task t = {0};
	status st = get_task(c->tx, c->arena, in->task_handle, &t);
	if (status_is(st, STATUS_NOT_FOUND))
		return call_fail(c, SQS_ERR_RESOURCE_NOT_FOUND_EXCEPTION, "Task does not exist.");
	TRY(st);
	if (!running(&t)) return call_fail(c, SQS_ERR_UNSUPPORTED_OPERATION, "Only active tasks can be cancelled.");
	t.status = STR("CANCELLING");
	put_task(c->tx, c->arena, &t);
	call_after_commit(c, poke, c->cloud->jobs);
	out->approximate_number_of_messages_moved = SOME_I64(t.moved.v);
	return OK;
}

status sqs_list_message_move_tasks(struct call *c, const struct sqs_list_message_move_tasks_input *in,
	struct sqs_list_message_move_tasks_output *out)
{
	if (in->max_results.has && (in->max_results.v < 1 || in->max_results.v > TASKS_SHOWN))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided.",
			in->max_results.v);
	struct queue *q = sqs_queue_by_arn(sqs_of(c), c->arena, in->source_arn);
	if (!q) return no_such_resource(c);
	sqs_queue_release(q);
	struct tasks all = {0};
	TRY(tasks_of(c, c->tx, in->source_arn, &all));
	size_t most = in->max_results.has ? (size_t)in->max_results.v : 1, capacity = 0;
	VEC_PRESENT(c->arena, &out->results);
	for (size_t i = 0; i < all.n && i < most; i++) {
		const struct sqs_rec_move_task *t = &all.v[i];
		struct sqs_list_message_move_tasks_result_entry *e = VEC_PUSH(c->arena, &out->results, &capacity);
		if (running(t)) e->task_handle = t->handle;
		e->status = t->status;
		e->source_arn = t->source_arn;
		e->destination_arn = t->destination_arn;
		e->max_number_of_messages_per_second = t->rate;
		e->approximate_number_of_messages_moved = SOME_I64(t->moved.v);
		e->approximate_number_of_messages_to_move = SOME_I64(t->to_move.v);
		e->started_timestamp = SOME_I64(t->started.v);
		e->failure_reason = t->failure;
	}
	return OK;
}
