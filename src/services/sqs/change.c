/* DeleteMessage, ChangeMessageVisibility and their batches: what a receipt handle is good for. */
#include "services/sqs/sqs_internal.h"

/* ── delete ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Under the lock. *m is NULL where the request succeeds without effect: the message is gone, or was received again
 * since
 * ("you must provide the most recently received ReceiptHandle … otherwise, the request succeeds, but the message will
 * not be deleted", DeleteMessage). */
static status find_for_delete(struct call *c, struct queue *q, struct str handle, struct message **m)
{
	uint64_t seq, nonce;
	TRY(sqs_handle_read(c, q, handle, &seq, &nonce));
	*m = index_find(&q->index, seq);
	if (!*m) return OK;
	if (q->fifo && ((*m)->nonce != nonce || (*m)->state != MESSAGE_IN_FLIGHT))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
			STR_ARG(handle));
	if ((*m)->nonce != nonce) *m = NULL;
	return OK;
}

static status delete_all(struct call *c, struct queue *q, struct message **v, size_t n)
{
	if (!n) return OK;
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
	for (size_t i = 0; i < n; i++) sqs_drop_message(tx, c->arena, q, v[i]->seq);
	TRY(sqs_commit(c, tx));
	for (size_t i = 0; i < n; i++) index_remove(&q->index, v[i]);
	sqs_wake(q, c->now_ms); /* a FIFO group may be open again */
	return OK;
}

status sqs_delete_message(
	struct call *c, const struct sqs_delete_message_input *in, struct sqs_delete_message_output *out)
{
	(void)out;
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		struct message *m;
		sqs_ripen(q, c->now_ms);
		st = find_for_delete(c, q, in->receipt_handle, &m);
		if (is_ok(st)) st = delete_all(c, q, &m, m ? 1 : 0);
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

static status delete_batch(struct call *c, struct queue *q, const struct sqs_delete_message_batch_input *in,
	struct sqs_delete_message_batch_output *out)
{
	struct str ids[BATCH_MAX];
	struct message *found[BATCH_MAX];
	size_t n = 0, failed = 0, succeeded = 0;
	TRY(sqs_check_batch(c, in->entries.n, "DeleteMessageBatchRequestEntry"));
	for (size_t i = 0; i < in->entries.n; i++) ids[i] = in->entries.v[i].id;
	TRY(sqs_check_batch_ids(c, ids, in->entries.n));
	VEC_PRESENT(c->arena, &out->successful);
	VEC_PRESENT(c->arena, &out->failed);
	TRY(sqs_queue_lock(c, q));
	sqs_ripen(q, c->now_ms);
	for (size_t i = 0; i < in->entries.n; i++) {
		struct message *m;
		if (!is_ok(find_for_delete(c, q, in->entries.v[i].receipt_handle, &m))) {
			sqs_batch_failure(c, ids[i], &out->failed, &failed);
			continue;
		}
		bool twice = false;
		for (size_t k = 0; k < n; k++) twice |= found[k] == m;
		if (m && !twice) found[n++] = m;
		VEC_PUSH(c->arena, &out->successful, &succeeded)->id = ids[i];
	}
	status st = delete_all(c, q, found, n);
	sqs_queue_unlock(q);
	return st;
}

status sqs_delete_message_batch(
	struct call *c, const struct sqs_delete_message_batch_input *in, struct sqs_delete_message_batch_output *out)
{
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = delete_batch(c, q, in, out);
	sqs_queue_release(q);
	return st;
}

/* ── visibility ───────────────────────────────────────────────────────────────────────────────────────────────── */

static status check_timeout(struct call *c, struct opt_i32 s)
{
	if (!s.has)
		return call_fail(
			c, SQS_ERR_MISSING_PARAMETER, "The request must contain the parameter VisibilityTimeout.");
	if (s.v >= 0 && s.v <= VISIBILITY_MAX_S) return OK;
	return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
		"Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer "
		"between 0 and 43200",
		s.v);
}

/* Under the lock. */
static status change(struct call *c, struct queue *q, struct store_tx *tx, struct str handle, struct opt_i32 timeout_s,
	struct message **out)
{
	uint64_t seq, nonce;
	TRY(check_timeout(c, timeout_s));
	TRY(sqs_handle_read(c, q, handle, &seq, &nonce));
	struct message *m = index_find(&q->index, seq);
	if (!m || m->nonce != nonce || m->state != MESSAGE_IN_FLIGHT)
		return call_fail(c, m ? SQS_ERR_MESSAGE_NOT_INFLIGHT : SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
			"available for "
			"visibility timeout change.",
			STR_ARG(handle));
	struct message changed = *m;
	changed.visible_ms = c->now_ms + (int64_t)timeout_s.v * 1000;
	if (!timeout_s.v) changed.state = MESSAGE_READY;
	sqs_put_entry(tx, c->arena, q, &changed, m->group ? m->group->id : STR_NONE);
	*out = m;
	return OK;
}

static void apply(struct call *c, struct queue *q, struct message *m, int32_t timeout_s)
{
	index_set(&q->index, m, timeout_s ? MESSAGE_IN_FLIGHT : MESSAGE_READY, c->now_ms + (int64_t)timeout_s * 1000);
}

status sqs_change_message_visibility(struct call *c, const struct sqs_change_message_visibility_input *in,
	struct sqs_change_message_visibility_output *out)
{
	(void)out;
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		struct message *m;
		sqs_ripen(q, c->now_ms);
		struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
		st = change(c, q, tx, in->receipt_handle, in->visibility_timeout, &m);
		if (is_ok(st)) {
			st = sqs_commit(c, tx);
			if (is_ok(st)) apply(c, q, m, in->visibility_timeout.v);
			sqs_wake(q, c->now_ms);
		} else {
			store_end(tx);
		}
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

static status change_batch(struct call *c, struct queue *q, const struct sqs_change_message_visibility_batch_input *in,
	struct sqs_change_message_visibility_batch_output *out)
{
	struct str ids[BATCH_MAX];
	struct message *found[BATCH_MAX];
	int32_t timeouts[BATCH_MAX];
	size_t n = 0, failed = 0, succeeded = 0;
	TRY(sqs_check_batch(c, in->entries.n, "ChangeMessageVisibilityBatchRequestEntry"));
	for (size_t i = 0; i < in->entries.n; i++) ids[i] = in->entries.v[i].id;
	TRY(sqs_check_batch_ids(c, ids, in->entries.n));
	VEC_PRESENT(c->arena, &out->successful);
	VEC_PRESENT(c->arena, &out->failed);
	TRY(sqs_queue_lock(c, q));
	sqs_ripen(q, c->now_ms);
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
	for (size_t i = 0; i < in->entries.n; i++) {
		const struct sqs_change_message_visibility_batch_request_entry *e = &in->entries.v[i];
		if (!is_ok(change(c, q, tx, e->receipt_handle, e->visibility_timeout, &found[n]))) {
			sqs_batch_failure(c, ids[i], &out->failed, &failed);
			continue;
		}
		timeouts[n++] = e->visibility_timeout.v;
		VEC_PUSH(c->arena, &out->successful, &succeeded)->id = ids[i];
	}
	status st = OK;
	if (n)
		st = sqs_commit(c, tx);
	else
		store_end(tx);
	for (size_t i = 0; i < n && is_ok(st); i++) apply(c, q, found[i], timeouts[i]);
	sqs_wake(q, c->now_ms);
	sqs_queue_unlock(q);
	return st;
}

status sqs_change_message_visibility_batch(struct call *c, const struct sqs_change_message_visibility_batch_input *in,
	struct sqs_change_message_visibility_batch_output *out)
{
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = change_batch(c, q, in, out);
	sqs_queue_release(q);
	return st;
}
