/* ReceiveMessage: what is ready is handed out and hidden for its visibility timeout; who finds nothing may wait.
 * Messages received too often go to the dead-letter queue instead. */
#include "base/rand.h"
#include "services/sqs/sqs_internal.h"

struct taken {
	struct message *m;
	struct sqs_rec_body body;
	/* to put back, should the store refuse */
	uint32_t receives;
	uint64_t nonce;
	int64_t first_receive_ms;
};

static bool wants(const struct str *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(names[i], "All") || str_eq(names[i], name)) return true;
	return false;
}

struct pair {
	const char *name;
	struct str value;
};

static void tell_system(struct call *c, const struct queue *q, const struct sqs_receive_message_input *in,
	const struct taken *t, struct sqs_message *out)
{
	struct pair all[9];
	size_t n = 0, capacity = 0;
	struct arena *a = c->arena;
	const struct message *m = t->m;
	all[n++] = (struct pair){"SenderId", t->body.sender};
	all[n++] = (struct pair){"SentTimestamp", str_fmt(a, "%ld", (long)m->sent_ms)};
	all[n++] = (struct pair){"ApproximateReceiveCount", str_fmt(a, "%u", m->receives)};
	all[n++] = (struct pair){"ApproximateFirstReceiveTimestamp", str_fmt(a, "%ld", (long)m->first_receive_ms)};
	if (q->fifo) {
		all[n++] = (struct pair){"SequenceNumber", sqs_sequence_number(a, m->seq)};
		all[n++] = (struct pair){"MessageDeduplicationId", t->body.dedup};
	}
	if (m->group) all[n++] = (struct pair){"MessageGroupId", m->group->id};
	for (size_t i = 0; i < t->body.system_attributes.n; i++)
		if (str_is(t->body.system_attributes.v[i].name, "AWSTraceHeader"))
			all[n++] = (struct pair){"AWSTraceHeader", t->body.system_attributes.v[i].text};
	if (str_has(t->body.source_arn)) all[n++] = (struct pair){"DeadLetterQueueSourceArn", t->body.source_arn};
	for (size_t i = 0; i < n; i++) {
		struct str name = str_c(all[i].name);
		if (!wants(in->attribute_names.v, in->attribute_names.n, name) &&
			!wants(in->message_system_attribute_names.v, in->message_system_attribute_names.n, name))
			continue;
		struct sqs_message_system_attribute_map_entry *e = VEC_PUSH(a, &out->attributes, &capacity);
		e->key = name;
		e->value = str_dup(a, all[i].value);
	}
}

static bool attribute_wanted(const struct sqs_receive_message_input *in, struct str name)
{
	for (size_t i = 0; i < in->message_attribute_names.n; i++) {
		struct str want = in->message_attribute_names.v[i];
		if (str_is(want, "All") || str_is(want, ".*") || str_eq(want, name)) return true;
		if (str_ends(want, STR(".*")) && str_starts(name, str_sub(want, 0, want.n - 2))) return true;
	}
	return false;
}

static void tell(struct call *c, const struct queue *q, const struct sqs_receive_message_input *in,
	const struct taken *t, struct sqs_message *out)
{
	out->message_id = t->body.message_id;
	out->body = t->body.body;
	out->md5_of_body = sqs_md5(c->arena, t->body.body);
	out->receipt_handle = sqs_handle(c->arena, q->sqs, q, t->m);
	tell_system(c, q, in, t, out);
	struct sqs_rec_attributes chosen = {0};
	size_t capacity = 0, chosen_capacity = 0;
	for (size_t i = 0; i < t->body.attributes.n; i++) {
		const struct sqs_rec_attribute *a = &t->body.attributes.v[i];
		if (!attribute_wanted(in, a->name)) continue;
		*VEC_PUSH(c->arena, &chosen, &chosen_capacity) = *a;
		struct sqs_message_body_attribute_map_entry *e =
			VEC_PUSH(c->arena, &out->message_attributes, &capacity);
		e->key = a->name;
		e->value.data_type = a->type;
		e->value.string_value = a->text;
		e->value.binary_value = a->bytes;
	}
	out->md5_of_message_attributes = sqs_md5_attributes(c->arena, &chosen);
}

/* ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* The dead-letter queue with its messages loaded, so that new ones get numbers above the old; NULL when there is none.
 */
static struct queue *dead_letter_queue(struct call *c, struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	struct str arn = q->max_receives ? str_dup(c->arena, q->dlq_arn) : STR("");
	pthread_mutex_unlock(&q->lock);
	if (str_empty(arn)) return NULL;
	struct queue *d = sqs_queue_by_arn(q->sqs, c->arena, arn);
	if (!d) return NULL;
	if (d == q) {
		sqs_queue_release(d);
		return NULL;
	}
	pthread_mutex_lock(&d->lock);
	bool usable = !d->deleted && is_ok(sqs_queue_load(d));
	pthread_mutex_unlock(&d->lock);
	if (usable) return d;
	sqs_queue_release(d);
	return NULL;
}

/* FAILED: the dead-letter queue's KMS key does not serve. */
static status bury(struct call *c, struct store_tx *tx, struct queue *q, struct queue *d, struct message *m,
	const struct sqs_rec_body *body, struct sqs_new_message *out)
{
	*out = (struct sqs_new_message){
		.group = m->group ? str_dup(c->arena, m->group->id) : STR_NONE,
		.body = *body,
		/* A standard queue keeps the time of sending, so that retention goes on; a FIFO queue begins anew. */
		.sent_ms = q->fifo ? c->now_ms : m->sent_ms,
	};
	out->body.source_arn = sqs_queue_arn(c->arena, q);
	struct kms_refusal why = {0};
	status st = sqs_put_message(tx, c->arena, d, out, &why);
	if (status_is(st, STATUS_FAILED)) return sqs_kms_failed(c, &why);
	TRY(st);
	sqs_drop_message(tx, c->arena, q, m->seq);
	return OK;
}

/* ── taking ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void give_back(struct queue *q, struct taken *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		v[i].m->receives = v[i].receives;
		v[i].m->nonce = v[i].nonce;
		v[i].m->first_receive_ms = v[i].first_receive_ms;
		index_set(&q->index, v[i].m, MESSAGE_READY, 0);
	}
}

static void note_attempt(
	struct call *c, struct store_tx *tx, struct queue *q, struct str attempt, const struct taken *v, size_t n)
{
	struct attempted kept[BATCH_MAX];
	if (!str_has(attempt) || !n) return;
	for (size_t i = 0; i < n; i++) kept[i] = (struct attempted){v[i].m->seq, v[i].m->nonce, v[i].m->visible_ms};
	sqs_put_attempt(tx, c->arena, q, attempt, kept, n, c->now_ms);
}

/* Takes up to `most` messages, under the lock. *n_dead are to be put into the dead-letter queue's index afterwards. */
static status take(struct call *c, struct queue *q, struct queue *dlq, size_t most, int64_t hide_ms, struct str attempt,
	struct taken *v, size_t *n, struct sqs_new_message *dead, size_t *n_dead)
{
	*n = *n_dead = 0;
	sqs_ripen(q, c->now_ms);
	sqs_expire(q, c->arena, c->now_ms);
	if (!index_next(&q->index, NULL)) return OK;
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
	struct message *m, *last = NULL;
	struct message *buried[BATCH_MAX];
	while (*n < most && *n_dead < BATCH_MAX && (m = index_next(&q->index, last))) {
		struct taken *t = &v[*n];
		*t = (struct taken){
			.m = m, .receives = m->receives, .nonce = m->nonce, .first_receive_ms = m->first_receive_ms};
		struct kms_refusal why;
		bool dies = dlq && m->receives >= q->max_receives;
		status st = sqs_get_body(tx, c->arena, q, m->seq, &t->body, &why);
		if (status_is(st, STATUS_FAILED)) st = sqs_kms_failed(c, &why);
		if (is_ok(st) && dies) st = bury(c, tx, q, dlq, m, &t->body, &dead[*n_dead]);
		if (!is_ok(st)) {
			give_back(q, v, *n);
			for (size_t i = 0; i < *n_dead; i++) index_set(&q->index, buried[i], MESSAGE_READY, 0);
			*n = *n_dead = 0;
			store_end(tx);
			return st;
		}
		if (dies) {
			buried[(*n_dead)++] = m;
			/* Out of the way while this goes on. */
			index_set(&q->index, m, MESSAGE_IN_FLIGHT, c->now_ms + 1000);
			last = NULL;
			continue;
		}
		m->receives++;
		if (!m->first_receive_ms) m->first_receive_ms = c->now_ms;
		m->nonce = rand_u64();
		/* Also with a timeout of 0: it is ready again at the next look, but not twice in this answer. */
		index_set(&q->index, m, MESSAGE_IN_FLIGHT, c->now_ms + hide_ms);
		sqs_put_entry(tx, c->arena, q, m, m->group ? m->group->id : STR_NONE);
		(*n)++;
		last = m;
	}
	note_attempt(c, tx, q, attempt, v, *n);
	status st = sqs_commit(c, tx);
	if (!is_ok(st)) {
		give_back(q, v, *n);
		for (size_t i = 0; i < *n_dead; i++) index_set(&q->index, buried[i], MESSAGE_READY, 0);
		*n = *n_dead = 0;
		return st;
	}
	for (size_t i = 0; i < *n_dead; i++) index_remove(&q->index, buried[i]);
	return OK;
}

/* The same messages again, for the same attempt; NOT_FOUND where there is none. Under the lock. */
static status take_again(
	struct call *c, struct queue *q, struct str attempt, int64_t hide_ms, struct taken *v, size_t *n)
{
	struct message *m[BATCH_MAX];
	int64_t visible[BATCH_MAX];
	struct kms_refusal why;
	size_t changed = 0;
	sqs_ripen(q, c->now_ms);
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
	status st = sqs_find_attempt(tx, c->arena, q, attempt, c->now_ms, m, n);
	for (size_t i = 0; is_ok(st) && i < *n; i++) {
		v[i] = (struct taken){.m = m[i]};
		st = sqs_get_body(tx, c->arena, q, m[i]->seq, &v[i].body, &why);
		if (status_is(st, STATUS_FAILED)) st = sqs_kms_failed(c, &why);
		if (!is_ok(st)) break;
		visible[changed++] = m[i]->visible_ms;
		index_set(&q->index, m[i], MESSAGE_IN_FLIGHT, c->now_ms + hide_ms);
		sqs_put_entry(tx, c->arena, q, m[i], m[i]->group ? m[i]->group->id : STR_NONE);
	}
	if (is_ok(st)) {
		note_attempt(c, tx, q, attempt, v, *n);
		st = sqs_commit(c, tx);
	} else {
		store_end(tx);
	}
	if (!is_ok(st)) {
		for (size_t i = 0; i < changed; i++) index_set(&q->index, m[i], MESSAGE_IN_FLIGHT, visible[i]);
		*n = 0;
	}
	return st;
}

static void deliver_dead(struct call *c, struct queue *dlq, const struct sqs_new_message *dead, size_t n)
{
	if (!n) return;
	pthread_mutex_lock(&dlq->lock);
	if (!dlq->deleted && dlq->loaded) {
		for (size_t i = 0; i < n; i++) sqs_index_message(dlq, &dead[i]);
		sqs_wake(dlq, c->now_ms);
	}
	pthread_mutex_unlock(&dlq->lock);
}

static status check(struct call *c, const struct sqs_receive_message_input *in, const struct queue *q)
{
	struct {
		const char *name;
		struct opt_i32 v;
		int32_t min, max;
	} const ranges[] = {
		{"VisibilityTimeout", in->visibility_timeout, 0, VISIBILITY_MAX_S},
	};
	if (in->max_number_of_messages.has &&
		(in->max_number_of_messages.v < 1 || in->max_number_of_messages.v > BATCH_MAX))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if "
			"provided.",
			in->max_number_of_messages.v);
	if (in->wait_time_seconds.has && (in->wait_time_seconds.v < 0 || in->wait_time_seconds.v > WAIT_MAX_S))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if "
			"provided.",
			in->wait_time_seconds.v);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (ranges[i].v.has && (ranges[i].v.v < ranges[i].min || ranges[i].v.v > ranges[i].max))
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"Value %d for parameter %s is invalid. Reason: Must be >= %d and <= %d, if provided.",
				ranges[i].v.v, ranges[i].name, ranges[i].min, ranges[i].max);
	if (str_has(in->receive_request_attempt_id) && !q->fifo)
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter ReceiveRequestAttemptId is invalid. Reason: The request include "
			"parameter that is not "
			"valid for this queue type",
			STR_ARG(in->receive_request_attempt_id));
	if (!q->fifo && q->index.n_in_flight >= IN_FLIGHT_MAX)
		return call_fail(c, SQS_ERR_OVER_LIMIT, "Too many messages in flight (%d).", IN_FLIGHT_MAX);
	return OK;
}

static status receive(struct call *c, struct queue *q, const struct sqs_receive_message_input *in,
	struct sqs_receive_message_output *out)
{
	struct taken taken[BATCH_MAX];
	struct sqs_new_message dead[BATCH_MAX];
	size_t n = 0, n_dead = 0, most = in->max_number_of_messages.has ? (size_t)in->max_number_of_messages.v : 1;
	struct waiter *w = c->parked;
	bool again = w != NULL;
	struct queue *dlq = dead_letter_queue(c, q);
	c->now_ms = clock_now(c->cloud->clock); /* a parked call comes back later than it arrived */
	status st = sqs_queue_lock(c, q);
	if (!is_ok(st)) {
		sqs_queue_release(dlq);
		return st;
	}
	st = check(c, in, q);
	/* A message must not be taken for somebody who has left. */
	bool left = again && !call_client_present(c);
	if (is_ok(st) && left) {
		sqs_wake(q, c->now_ms);
	} else if (is_ok(st)) {
		int64_t hide_s = in->visibility_timeout.has ? in->visibility_timeout.v : q->visibility_s;
		struct str attempt = q->fifo ? in->receive_request_attempt_id : STR_NONE;
		st = str_has(attempt) ? take_again(c, q, attempt, hide_s * 1000, taken, &n) : STATUS(NOT_FOUND);
		if (status_is(st, STATUS_NOT_FOUND))
			st = take(c, q, dlq, most, hide_s * 1000, attempt, taken, &n, dead, &n_dead);
		int64_t wait_s = in->wait_time_seconds.has ? in->wait_time_seconds.v : q->wait_s;
		if (is_ok(st) && !n && !w && wait_s) {
			w = arena_new(c->arena, struct waiter);
			*w = (struct waiter){.call = c, .deadline_ms = c->now_ms + wait_s * 1000};
			c->parked = w;
		}
		if (is_ok(st) && !n && w && c->now_ms < w->deadline_ms && !atomic_load(&q->sqs->draining)) {
			sqs_wait(q, w);
			sqs_wake(q, c->now_ms);
			st = STATUS(PENDING);
		}
		size_t capacity = 0;
		for (size_t i = 0; i < n; i++) tell(c, q, in, &taken[i], VEC_PUSH(c->arena, &out->messages, &capacity));
	}
	sqs_queue_unlock(q);
	if (dlq) deliver_dead(c, dlq, dead, n_dead);
	sqs_queue_release(dlq);
	return st;
}

status sqs_receive_message(
	struct call *c, const struct sqs_receive_message_input *in, struct sqs_receive_message_output *out)
{
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = receive(c, q, in, out);
	sqs_queue_release(q);
	return st;
}
