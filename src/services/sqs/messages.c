/* Messages in the store: an entry (small, rewritten by every receive) and a body (written once) each. */
#include "services/sqs/sqs_internal.h"

struct str sqs_message_key(struct arena *a, const char *kind, uint64_t queue, uint64_t seq)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, str_c(kind));
	key_u64(&k, queue);
	key_u64(&k, seq);
	return key_done(&k);
}

void sqs_put_entry(
	struct store_tx *tx, struct arena *a, const struct queue *q, const struct message *m, struct str group)
{
	struct sqs_rec_entry r = {
		.sent = SOME_I64(m->sent_ms),
		.group = q->fifo ? group : STR_NONE,
	};
	if (m->state != MESSAGE_READY) r.visible = SOME_I64(m->visible_ms);
	if (m->state == MESSAGE_DELAYED) r.delayed = SOME_BOOL(true);
	if (m->receives) {
		r.receives = SOME_I64(m->receives);
		r.first_receive = SOME_I64(m->first_receive_ms);
		r.nonce = SOME_I64((int64_t)m->nonce);
	}
	store_put(tx, sqs_message_key(a, "entry", q->id, m->seq), sqs_rec_entry_encode(a, &r));
}

void sqs_drop_message(struct store_tx *tx, struct arena *a, const struct queue *q, uint64_t seq)
{
	store_delete(tx, sqs_message_key(a, "entry", q->id, seq));
	store_delete(tx, sqs_message_key(a, "body", q->id, seq));
}

status sqs_get_body(struct store_tx *tx, struct arena *a, struct queue *q, uint64_t seq, struct sqs_rec_body *out,
	struct kms_refusal *why)
{
	struct str bytes;
	TRY(store_peek(tx, sqs_message_key(a, "body", q->id, seq), &bytes));
	TRY(sqs_rec_body_decode(a, bytes, out));
	if (!str_has(out->sealed)) return OK;
	struct sqs_rec_body outer = *out;
	TRY(sqs_unseal(q, a, seq, &outer, &bytes, why));
	*out = (struct sqs_rec_body){0};
	return sqs_rec_body_decode(a, bytes, out);
}

status sqs_commit(struct call *c, struct store_tx *tx)
{
	store_ticket t = 0;
	status s = store_commit(tx, &t);
	store_end(tx);
	call_ticket(c, t);
	return s;
}

status sqs_put_message(
	struct store_tx *tx, struct arena *a, struct queue *q, struct sqs_new_message *m, struct kms_refusal *why)
{
	m->seq = atomic_fetch_add(&q->next_seq, 1);
	struct message entry = {
		.seq = m->seq,
		.sent_ms = m->sent_ms,
		.visible_ms = m->visible_ms,
		.state = m->delayed ? MESSAGE_DELAYED : MESSAGE_READY,
	};
	sqs_put_entry(tx, a, q, &entry, m->group);
	struct str body = sqs_rec_body_encode(a, &m->body);
	if (q->sealed) {
		struct sqs_rec_body outer;
		TRY(sqs_seal(q, a, m->seq, body, &outer, why));
		body = sqs_rec_body_encode(a, &outer);
	}
	store_put(tx, sqs_message_key(a, "body", q->id, m->seq), body);
	return OK;
}

void sqs_index_message(struct queue *q, const struct sqs_new_message *m)
{
	struct message entry = {
		.seq = m->seq,
		.sent_ms = m->sent_ms,
		.visible_ms = m->visible_ms,
		.state = m->delayed ? MESSAGE_DELAYED : MESSAGE_READY,
	};
	index_add(&q->index, &entry, m->group);
}

void sqs_expire(struct queue *q, struct arena *a, int64_t now_ms)
{
	int64_t horizon = now_ms - q->retention_s * 1000;
	struct message *m = index_oldest(&q->index);
	if (!m || m->sent_ms > horizon) return;
	struct store_tx *tx = store_begin(q->sqs->cloud->store, a, false);
	for (; m && m->sent_ms <= horizon; m = index_oldest(&q->index)) {
		sqs_drop_message(tx, a, q, m->seq);
		index_remove(&q->index, m);
	}
	/* Should this fail, the messages are found expired again when the queue is next loaded. */
	store_ticket t;
	(void)!is_ok(store_commit(tx, &t));
	store_end(tx);
}

void sqs_ripen(struct queue *q, int64_t now_ms)
{
	struct message *m;
	while ((m = index_first_waiting(&q->index)) && m->visible_ms <= now_ms)
		index_set(&q->index, m, MESSAGE_READY, 0);
}

static status load_entries(struct queue *q, struct store_tx *tx, struct arena *a, uint64_t *last)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("entry"));
	key_u64(&k, q->id);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct arena_mark mark = arena_mark(a);
		struct sqs_rec_entry r = {0};
		struct message m = {0};
		struct str rest = str_from(key, from.n);
		if (is_ok(key_read_u64(&rest, &m.seq)) && is_ok(sqs_rec_entry_decode(a, value, &r))) {
			m.sent_ms = r.sent.v;
			m.visible_ms = r.visible.v;
			m.state = !r.visible.has ? MESSAGE_READY : r.delayed.v ? MESSAGE_DELAYED : MESSAGE_IN_FLIGHT;
			m.receives = (uint32_t)r.receives.v;
			m.first_receive_ms = r.first_receive.v;
			m.nonce = (uint64_t)r.nonce.v;
			index_add(&q->index, &m, str_or(r.group, STR("")));
			*last = m.seq;
		}
		arena_release(a, mark);
	}
	return store_scan_end(scan);
}

static status load_dedup(struct queue *q, struct store_tx *tx, struct arena *a, int64_t now_ms)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("dedup"));
	key_u64(&k, q->id);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct arena_mark mark = arena_mark(a);
		struct sqs_rec_dedup r = {0};
		struct str rest = str_from(key, from.n), id;
		if (is_ok(key_read_str(a, &rest, &id)) && is_ok(sqs_rec_dedup_decode(a, value, &r)) &&
			r.expires.v > now_ms)
			sqs_remember(q, id, r.expires.v, (uint64_t)r.seq.v, r.message_id);
		arena_release(a, mark);
	}
	return store_scan_end(scan);
}

status sqs_queue_load(struct queue *q)
{
	if (q->loaded) return OK;
	struct arena a;
	arena_init(&a);
	int64_t now = clock_now(q->sqs->cloud->clock);
	struct store_tx *tx = store_begin(q->sqs->cloud->store, &a, true);
	uint64_t last = 0;
	index_init(&q->index, q->fifo);
	map_init(&q->dedup);
	q->seen_last = &q->seen_first;
	status s = load_entries(q, tx, &a, &last);
	if (is_ok(s)) s = load_dedup(q, tx, &a, now);
	store_end(tx);
	arena_cleanup(&a);
	/* Above all that was ever given out, also to messages that are gone: numbers follow the time in microseconds.
	 */
	uint64_t floor = (uint64_t)now * 1000;
	atomic_store(&q->next_seq, (last + 1 > floor ? last + 1 : floor));
	q->loaded = is_ok(s);
	if (!q->loaded) {
		index_cleanup(&q->index);
		map_cleanup(&q->dedup, NULL);
	}
	return s;
}
