/* PutRecord and PutRecords: which shard a record goes to, what a shard takes in a second ("Quotas and limits", the
 * guide: 1 MB and 1,000 records), and its place in the shard. */
#include "services/kinesis/put.h"
#include "services/kinesis/room.h"

/* A shard while one request writes to it. */
struct writing {
	struct kinesis_rec_shard shard;
	struct kinesis_rec_head head;
	kinesis_u128 from, to;
	double bytes, records, refused;
	bool full; /* a record was refused: the ones behind it must not pass it */
};
struct batch {
	struct store_tx *tx;
	struct arena *a;
	const struct kinesis_rec_stream *s;
	struct kms_use use;
	int64_t now_ms;
	struct {
		struct writing *v;
		size_t n;
	} shards;
	size_t capacity;
	struct kms_refusal why;
};

/* A second's worth is there at most; one record larger than that waits until all of it is, and then overdraws. */
static void refill(struct kinesis_rec_head *h, int64_t now_ms)
{
	double s = h->filled.has ? (double)(now_ms - h->filled.ms) / 1000.0 : 1;
	if (s < 0) s = 0;
	double bytes = h->bytes.v + s * KINESIS_WRITE_BYTES, records = h->records.v + s * KINESIS_WRITE_RECORDS;
	h->bytes = SOME_F64(!h->filled.has || bytes > KINESIS_WRITE_BYTES ? KINESIS_WRITE_BYTES : bytes);
	h->records = SOME_F64(!h->filled.has || records > KINESIS_WRITE_RECORDS ? KINESIS_WRITE_RECORDS : records);
	h->filled = SOME_TIME(now_ms);
}

static bool admit(struct kinesis_rec_head *h, size_t size)
{
	double bytes = (double)size, needed = bytes > KINESIS_WRITE_BYTES ? KINESIS_WRITE_BYTES : bytes;
	if (h->records.v < 1 || h->bytes.v < needed) return false;
	h->records.v -= 1;
	h->bytes.v -= bytes;
	return true;
}

static status shard_for(struct batch *b, kinesis_u128 hash, struct writing **out)
{
	uint64_t stream = (uint64_t)b->s->id.v;
	for (size_t i = 0; i < b->shards.n; i++)
		if (hash >= b->shards.v[i].from && hash <= b->shards.v[i].to) {
			*out = &b->shards.v[i];
			return OK;
		}
	struct writing w = {0};
	TRY(kinesis_shard_of(b->tx, b->a, stream, hash, &w.shard));
	TRY(kinesis_head_get(b->tx, b->a, stream, (uint64_t)w.shard.number.v, &w.head));
	w.from = kinesis_hash_from(w.shard.from);
	w.to = kinesis_hash_from(w.shard.to);
	refill(&w.head, b->now_ms);
	*VEC_PUSH(b->a, &b->shards, &b->capacity) = w;
	*out = &b->shards.v[b->shards.n - 1];
	return OK;
}

/* FAILED: KMS refuses. */
static status put_one(struct batch *b, struct kinesis_put *p)
{
	kinesis_u128 hash;
	struct writing *w;
	struct str data = p->data;
	size_t size = p->data.n + p->partition_key.n;
	if (!str_has(p->explicit_hash_key))
		hash = kinesis_hash_of(p->partition_key);
	else if (!kinesis_hash_read(p->explicit_hash_key, &hash)) {
		p->why = str_fmt(b->a,
			"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value "
			"was %.*s",
			STR_ARG(p->explicit_hash_key));
		return OK;
	}
	TRY(shard_for(b, hash, &w));
	p->shard = w->shard.number.v;
	p->shard_id = kinesis_shard_id(b->a, p->shard);
	if (w->full || !admit(&w->head, size)) {
		w->full = p->throttled = true;
		w->refused++;
		p->why = str_fmt(b->a, "Rate exceeded for shard %.*s in stream %.*s under account %.*s.",
			STR_ARG(p->shard_id), STR_ARG(b->s->name), STR_ARG(b->s->account));
		return OK;
	}
	if (str_has(b->s->key)) TRY(kinesis_seal(&b->use, b->s, p->data, &data, &b->why));
	if (b->now_ms > w->head.at.ms) w->head.at = SOME_TIME(b->now_ms);
	w->head.counter.v++;
	struct kinesis_rec_entry e = {.at = w->head.at,
		.partition_key = p->partition_key,
		.data = data,
		.sealed = SOME_BOOL(str_has(b->s->key))};
	uint64_t counter = (uint64_t)w->head.counter.v, shard = (uint64_t)w->shard.number.v;
	store_put(b->tx, kinesis_entry_key(b->a, (uint64_t)b->s->id.v, shard, counter),
		kinesis_rec_entry_encode(b->a, &e));
	p->sequence = kinesis_sequence_text(b->a,
		&(struct kinesis_sequence){.created_ms = w->shard.created.ms, .counter = counter, .shard = shard});
	p->done = true;
	w->bytes += (double)size;
	w->records += 1;
	return OK;
}

static status finish(struct batch *b)
{
	for (size_t i = 0; i < b->shards.n; i++) {
		const struct writing *w = &b->shards.v[i];
		int64_t shard = w->shard.number.v;
		store_put(b->tx, kinesis_shard_key(b->a, "head", (uint64_t)b->s->id.v, (uint64_t)shard),
			kinesis_rec_head_encode(b->a, &w->head));
		const struct kinesis_count counts[] = {{"IncomingBytes", "Bytes", w->bytes, shard},
			{"IncomingRecords", "Count", w->records, shard},
			{"WriteProvisionedThroughputExceeded", "Count", w->refused, shard}};
		TRY(kinesis_meter(b->tx, b->a, b->s, counts, 3, b->now_ms));
	}
	return OK;
}

static status put_all(struct batch *b, struct kinesis_put *v, size_t n)
{
	b->use.tx = b->tx;
	b->use.arena = b->a;
	b->use.account = b->s->account;
	b->use.region = b->s->region;
	b->use.now_ms = b->now_ms;
	for (size_t i = 0; i < n; i++) TRY(put_one(b, &v[i]));
	return finish(b);
}

status kinesis_put_in(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct str stream_arn,
	struct kinesis_put *v, size_t n, int64_t now_ms)
{
	struct kinesis_rec_stream s;
	struct kinesis_arn arn;
	if (!kinesis_arn_read(stream_arn, &arn)) return STATUS(NOT_FOUND);
	TRY(kinesis_stream_get(tx, a, arn.account, arn.region, arn.stream, &s));
	struct batch b = {.tx = tx, .a = a, .s = &s, .now_ms = now_ms, .use = {.cloud = cloud}};
	return put_all(&b, v, n);
}

status kinesis_stream_exists(struct store_tx *tx, struct arena *a, struct str stream_arn, bool *there)
{
	struct kinesis_rec_stream s;
	struct kinesis_arn arn;
	*there = false;
	if (!kinesis_arn_read(stream_arn, &arn) || str_has(arn.consumer)) return OK;
	status st = kinesis_stream_get(tx, a, arn.account, arn.region, arn.stream, &s);
	*there = is_ok(st);
	return status_is(st, STATUS_NOT_FOUND) ? OK : st;
}

/* ── the operations ── */

static status check_size(struct call *c, const struct kinesis_rec_stream *s, struct str data)
{
	size_t most = (size_t)s->max_record_kib.v * 1024;
	if (data.n <= most) return OK;
	return call_fail(c, ERR_VALIDATION,
		"1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length "
		"less than or "
		"equal to %zu",
		most);
}

struct woken {
	struct kinesis *k;
	uint64_t stream;
};

static void wake(void *ctx)
{
	const struct woken *w = ctx;
	kinesis_subscriptions_wake(w->k, w->stream);
}

static status put_call(struct call *c, const struct kinesis_rec_stream *s, struct kinesis_put *v, size_t n)
{
	struct batch b = {.tx = c->tx, .a = c->arena, .s = s, .now_ms = c->now_ms, .use = {.cloud = c->cloud}};
	struct woken *w = arena_new(c->arena, struct woken);
	*w = (struct woken){c->state, (uint64_t)s->id.v};
	call_after_commit(c, wake, w);
	return kinesis_kms_failed(c, put_all(&b, v, n), &b.why);
}

status kinesis_put_record(
	struct call *c, const struct kinesis_put_record_input *in, struct kinesis_put_record_output *out)
{
	struct kinesis_rec_stream s;
	struct kinesis_sequence after;
	struct kinesis_put p = {
		.data = in->data, .partition_key = in->partition_key, .explicit_hash_key = in->explicit_hash_key};
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(check_size(c, &s, in->data));
	/* "Guarantees strictly increasing sequence numbers, for puts from the same client and to the same partition
	 * key": they always are here. */
	if (str_has(in->sequence_number_for_ordering) &&
		!kinesis_sequence_read(in->sequence_number_for_ordering, &after))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid SequenceNumberForOrdering: %.*s",
			STR_ARG(in->sequence_number_for_ordering));
	TRY(put_call(c, &s, &p, 1));
	if (p.throttled) {
		const struct kinesis_count one = {"WriteProvisionedThroughputExceeded", "Count", 1, p.shard};
		kinesis_meter_apart(c, &s, &one, 1); /* this transaction does not commit */
		return KINESIS_FAIL(c, PROVISIONED_THROUGHPUT_EXCEEDED, "%.*s", STR_ARG(p.why));
	}
	if (!p.done) return KINESIS_FAIL(c, INVALID_ARGUMENT, "%.*s", STR_ARG(p.why));
	out->shard_id = p.shard_id;
	out->sequence_number = p.sequence;
	if (str_has(s.key)) out->encryption_type = STR("KMS");
	return OK;
}

status kinesis_put_records(
	struct call *c, const struct kinesis_put_records_input *in, struct kinesis_put_records_output *out)
{
	struct kinesis_rec_stream s;
	size_t capacity = 0, total = 0;
	struct kinesis_put *v = arena_new_n(c->arena, struct kinesis_put, in->records.n);
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	for (size_t i = 0; i < in->records.n; i++) {
		const struct kinesis_put_records_request_entry *e = &in->records.v[i];
		kinesis_u128 hash;
		TRY(check_size(c, &s, e->data));
		if (str_has(e->explicit_hash_key) && !kinesis_hash_read(e->explicit_hash_key, &hash))
			return KINESIS_FAIL(c, INVALID_ARGUMENT,
				"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
				"Specified value was %.*s",
				STR_ARG(e->explicit_hash_key));
		total += e->data.n + e->partition_key.n;
		v[i] = (struct kinesis_put){
			.data = e->data, .partition_key = e->partition_key, .explicit_hash_key = e->explicit_hash_key};
	}
	if (total > KINESIS_REQUEST_BYTES_MAX)
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Records size exceeds 10 MB limit");
	TRY(put_call(c, &s, v, in->records.n));
	out->failed_record_count = SOME_I32(0);
	for (size_t i = 0; i < in->records.n; i++) {
		struct kinesis_put_records_result_entry *r = VEC_PUSH(c->arena, &out->records, &capacity);
		if (v[i].done) {
			r->shard_id = v[i].shard_id;
			r->sequence_number = v[i].sequence;
			continue;
		}
		r->error_code = STR("ProvisionedThroughputExceededException");
		r->error_message = v[i].why;
		out->failed_record_count.v++;
	}
	if (str_has(s.key)) out->encryption_type = STR("KMS");
	return OK;
}
