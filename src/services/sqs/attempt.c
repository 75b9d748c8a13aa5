/* A receive of a FIFO queue that is tried again ("ReceiveRequestAttemptId", ReceiveMessage): within five minutes the
 * same attempt gets the same messages with the same receipt handles, and their visibility timeout begins anew, unless
 * one of them was deleted, came back or had its visibility changed since. */
#include "services/sqs/sqs_internal.h"

enum { ATTEMPT_MS = 5 * 60 * 1000, FORGET_AT_ONCE = 16 };
_Static_assert(sizeof(struct attempted) == 24, "an attempt's messages are stored as they are");

static struct str attempts_of(struct arena *a, const struct queue *q)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("attempt"));
	key_u64(&k, q->id);
	return key_done(&k);
}

static struct str key_of(struct arena *a, const struct queue *q, struct str id)
{
	struct key k = key_begin(a);
	key_append(&k, attempts_of(a, q));
	key_str(&k, id);
	return key_done(&k);
}

/* What is past its time goes, a few at once. */
static void forget(struct store_tx *tx, struct arena *a, const struct queue *q, int64_t now_ms)
{
	struct str from = attempts_of(a, q), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	for (int i = 0; i < FORGET_AT_ONCE && store_scan_next(scan, &key, &value); i++) {
		struct sqs_rec_attempt r = {0};
		if (is_ok(sqs_rec_attempt_decode(a, str_dup(a, value), &r)) && r.expires.v > now_ms) continue;
		store_delete(tx, str_dup(a, key));
	}
	(void)!is_ok(store_scan_end(scan));
}

void sqs_put_attempt(struct store_tx *tx, struct arena *a, const struct queue *q, struct str id,
	const struct attempted *v, size_t n, int64_t now_ms)
{
	forget(tx, a, q, now_ms);
	struct sqs_rec_attempt r = {.expires = SOME_I64(now_ms + ATTEMPT_MS), .messages = str_n(v, n * sizeof(*v))};
	store_put(tx, key_of(a, q, id), sqs_rec_attempt_encode(a, &r));
}

status sqs_find_attempt(struct store_tx *tx, struct arena *a, struct queue *q, struct str id, int64_t now_ms,
	struct message **v, size_t *n)
{
	struct str bytes;
	struct sqs_rec_attempt r = {0};
	TRY(store_peek(tx, key_of(a, q, id), &bytes));
	TRY(sqs_rec_attempt_decode(a, bytes, &r));
	if (r.expires.v <= now_ms || r.messages.n > BATCH_MAX * sizeof(struct attempted)) return STATUS(NOT_FOUND);
	*n = r.messages.n / sizeof(struct attempted);
	for (size_t i = 0; i < *n; i++) {
		struct attempted x;
		memcpy(&x, r.messages.p + i * sizeof(x), sizeof(x));
		struct message *m = index_find(&q->index, x.seq);
		if (!m || m->state != MESSAGE_IN_FLIGHT || m->nonce != x.nonce || m->visible_ms != x.visible_ms)
			return STATUS(NOT_FOUND);
		v[i] = m;
	}
	return OK;
}
