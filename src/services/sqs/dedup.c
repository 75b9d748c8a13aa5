/* The five minutes in which a FIFO queue accepts a message with a known deduplication id but does not deliver it again
 * ("Using the message deduplication ID in Amazon SQS"). */
#include "services/sqs/sqs_internal.h"
#include <stdlib.h>

enum { FORGET_AT_ONCE = 16 };

struct str sqs_dedup_key(struct arena *a, const struct queue *q, struct str group, struct str id)
{
	/* A zero byte is in neither: the two parts cannot run together. */
	struct buf b = BUF_IN(a);
	if (q->dedup_per_group) {
		buf_str(&b, group);
		buf_byte(&b, 0);
	}
	buf_str(&b, id);
	return buf_done(&b);
}

struct seen *sqs_seen(struct queue *q, struct str key, int64_t now_ms)
{
	struct seen *s = map_get(&q->dedup, key);
	return s && s->expires_ms > now_ms ? s : NULL;
}

static struct str store_key(struct arena *a, const struct queue *q, struct str key)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("dedup"));
	key_u64(&k, q->id);
	key_str(&k, key);
	return key_done(&k);
}

void sqs_put_dedup(struct store_tx *tx, struct arena *a, struct queue *q, struct str key, int64_t expires_ms, uint64_t seq,
	struct str message_id)
{
	struct sqs_rec_dedup r = {
		.expires = SOME_I64(expires_ms), .message_id = message_id, .seq = SOME_I64((int64_t)seq)};
	store_put(tx, store_key(a, q, key), sqs_rec_dedup_encode(a, &r));
}

void sqs_remember(struct queue *q, struct str key, int64_t expires_ms, uint64_t seq, struct str message_id)
{
	struct seen *s = mem_new(sizeof(*s) + key.n + 1);
	memcpy((char *)(s + 1), key.p, key.n);
	s->key = str_n(s + 1, key.n);
	s->expires_ms = expires_ms;
	s->seq = seq;
	memcpy(s->message_id, message_id.p, message_id.n < 36 ? message_id.n : 36);
	*q->seen_last = s;
	q->seen_last = &s->next;
	/* An older one of the same key stays in the list until its time; the map shows the newest. */
	map_set(&q->dedup, s->key, s);
}

void sqs_forget(struct store_tx *tx, struct arena *a, struct queue *q, int64_t now_ms)
{
	for (int i = 0; i < FORGET_AT_ONCE && q->seen_first && q->seen_first->expires_ms <= now_ms; i++) {
		struct seen *s = q->seen_first;
		q->seen_first = s->next;
		if (!q->seen_first) q->seen_last = &q->seen_first;
		if (map_get(&q->dedup, s->key) == s) {
			map_remove(&q->dedup, s->key);
			store_delete(tx, store_key(a, q, s->key));
		}
		free(s);
	}
}
