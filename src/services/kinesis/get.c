/* GetShardIterator and GetRecords. An iterator tells which shard of which stream, the counter that comes next, and when
 * it was made; it is good for five minutes. Whose it is, the policy step checks. */
#include "services/kinesis/room.h"

enum { ITERATOR_FIXED = 33 };

static void add_u64(struct buf *b, uint64_t v)
{
	for (int i = 7; i >= 0; i--) buf_byte(b, (char)(v >> 8 * i));
}

static uint64_t get_u64(const char *p)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++) v = v << 8 | (unsigned char)p[i];
	return v;
}

static struct str iterator(struct call *c, const struct kinesis_rec_stream *s, uint64_t shard, uint64_t next)
{
	struct buf b = BUF_IN(c->arena);
	buf_byte(&b, 1);
	add_u64(&b, (uint64_t)c->now_ms);
	add_u64(&b, (uint64_t)s->id.v);
	add_u64(&b, shard);
	add_u64(&b, next);
	buf_fmt(&b, "%.*s/%.*s/%.*s", STR_ARG(s->account), STR_ARG(s->region), STR_ARG(s->name));
	return str_base64(c->arena, buf_done(&b));
}

bool kinesis_iterator_read(struct arena *a, struct str text, struct kinesis_place *out)
{
	struct str bytes, rest;
	if (!is_ok(str_unbase64(a, text, &bytes)) || bytes.n < ITERATOR_FIXED + 3 || bytes.p[0] != 1) return false;
	*out = (struct kinesis_place){.made_ms = (int64_t)get_u64(bytes.p + 1),
		.id = get_u64(bytes.p + 9),
		.shard = get_u64(bytes.p + 17),
		.next = get_u64(bytes.p + 25)};
	rest = str_from(bytes, ITERATOR_FIXED);
	out->account = str_cut(&rest, '/');
	out->region = str_has(rest) ? str_cut(&rest, '/') : STR("");
	out->stream = str_or(rest, STR(""));
	return str_utf8_valid(str_from(bytes, ITERATOR_FIXED));
}

/* ── GetShardIterator ── */

static status at_sequence(struct call *c, const struct kinesis_start *in, const struct kinesis_rec_stream *s,
	const struct kinesis_rec_shard *r, uint64_t *next)
{
	struct kinesis_sequence q;
	struct str given = in->sequence;
	if (!str_has(given))
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"Must specify StartingSequenceNumber with ShardIteratorType %.*s", STR_ARG(in->type));
	if (!kinesis_sequence_read(given, &q) || q.shard != (uint64_t)r->number.v || q.created_ms != r->created.ms)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"StartingSequenceNumber %.*s used in GetShardIterator on shard %.*s in stream %.*s under "
			"account %.*s is invalid "
			"because it did not come from this stream.",
			STR_ARG(given), STR_ARG(in->shard_id), STR_ARG(s->name), STR_ARG(s->account));
	uint64_t last;
	TRY(kinesis_last(c->tx, c->arena, (uint64_t)s->id.v, r, &last));
	if (q.counter > last)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"StartingSequenceNumber %.*s used in GetShardIterator on shard %.*s in stream %.*s under "
			"account %.*s is invalid "
			"because it is larger than the shard's last sequence number.",
			STR_ARG(given), STR_ARG(in->shard_id), STR_ARG(s->name), STR_ARG(s->account));
	*next = q.counter + (str_is(in->type, "AFTER_SEQUENCE_NUMBER") ? 1 : 0);
	if (*next == 0) *next = 1; /* the shard's beginning */
	return OK;
}

status kinesis_start_at(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_rec_shard *r,
	const struct kinesis_start *in, uint64_t *next)
{
	uint64_t last;
	*next = 1;
	TRY(kinesis_last(c->tx, c->arena, (uint64_t)s->id.v, r, &last));
	if (str_is(in->type, "AT_SEQUENCE_NUMBER") || str_is(in->type, "AFTER_SEQUENCE_NUMBER"))
		return at_sequence(c, in, s, r, next);
	if (str_is(in->type, "LATEST")) *next = last + 1;
	if (!str_is(in->type, "AT_TIMESTAMP")) return OK;
	if (!in->at.has)
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Must specify timestampInMillis for AT_TIMESTAMP iterator.");
	if (in->at.ms > c->now_ms)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
			"timestampInMillis: %lld, currentTimestampInMillis: %lld",
			(long long)in->at.ms, (long long)c->now_ms);
	return kinesis_entry_at(c->tx, c->arena, (uint64_t)s->id.v, (uint64_t)r->number.v, last, in->at.ms, next);
}

status kinesis_get_shard_iterator(struct call *c, const struct kinesis_get_shard_iterator_input *in,
	struct kinesis_get_shard_iterator_output *out)
{
	struct kinesis_rec_stream s;
	struct kinesis_rec_shard r;
	uint64_t next;
	const struct kinesis_start start = {.type = in->shard_iterator_type,
		.sequence = in->starting_sequence_number,
		.shard_id = in->shard_id,
		.at = in->timestamp};
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(kinesis_shard_find(c, &s, in->shard_id, &r));
	TRY(kinesis_start_at(c, &s, &r, &start, &next));
	out->shard_iterator = iterator(c, &s, (uint64_t)r.number.v, next);
	return OK;
}

/* ── GetRecords ── */

static struct str told_time(struct arena *a, int64_t ms)
{
	return time_iso8601(a, ms, true);
}

static status find_place(struct call *c, const struct kinesis_get_records_input *in, struct kinesis_place *p,
	struct kinesis_rec_stream *s, struct kinesis_rec_shard *r)
{
	if (!kinesis_iterator_read(c->arena, in->shard_iterator, p))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid ShardIterator.");
	if (p->made_ms < c->now_ms - KINESIS_ITERATOR_MS)
		return KINESIS_FAIL(c, EXPIRED_ITERATOR,
			"Iterator expired. The iterator was created at time %.*s while right now it is %.*s which is "
			"further in the "
			"future than the tolerated delay of 300000 milliseconds.",
			STR_ARG(told_time(c->arena, p->made_ms)), STR_ARG(told_time(c->arena, c->now_ms)));
	status st = STATUS(NOT_FOUND);
	if (str_eq(p->region, c->region)) st = kinesis_stream_get(c->tx, c->arena, p->account, p->region, p->stream, s);
	if (is_ok(st) && (uint64_t)s->id.v != p->id) st = STATUS(NOT_FOUND);
	if (status_is(st, STATUS_NOT_FOUND))
		return KINESIS_FAIL(c, RESOURCE_NOT_FOUND, "Stream %.*s under account %.*s not found.",
			STR_ARG(p->stream), STR_ARG(p->account));
	TRY(st);
	if (str_has(in->stream_arn) && !str_eq(in->stream_arn, kinesis_arn(c->arena, s)))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "StreamARN %.*s does not match the ShardIterator's stream.",
			STR_ARG(in->stream_arn));
	st = kinesis_shard_get(c->tx, c->arena, p->id, p->shard, r);
	if (status_is(st, STATUS_NOT_FOUND))
		return KINESIS_FAIL(c, RESOURCE_NOT_FOUND,
			"Shard %.*s in stream %.*s under account %.*s does not exist",
			STR_ARG(kinesis_shard_id(c->arena, (int64_t)p->shard)), STR_ARG(s->name), STR_ARG(s->account));
	return st;
}

status kinesis_children_of(struct call *c, const struct kinesis_place *p, struct kinesis_child_shard_list *out)
{
	struct kinesis_shards all;
	size_t capacity = 0;
	int64_t number = (int64_t)p->shard;
	TRY(kinesis_shards_of(c->tx, c->arena, p->id, &all));
	for (size_t i = 0; i < all.n; i++) {
		const struct kinesis_rec_shard *r = &all.v[i];
		struct kinesis_shard told;
		size_t parents = 0;
		if (!(r->parent.has && r->parent.v == number) && !(r->adjacent.has && r->adjacent.v == number))
			continue;
		kinesis_shard_out(c->arena, r, &told);
		struct kinesis_child_shard *child = VEC_PUSH(c->arena, out, &capacity);
		child->shard_id = told.shard_id;
		child->hash_key_range = told.hash_key_range;
		*VEC_PUSH(c->arena, &child->parent_shards, &parents) = told.parent_shard_id;
		if (str_has(told.adjacent_parent_shard_id))
			*VEC_PUSH(c->arena, &child->parent_shards, &parents) = told.adjacent_parent_shard_id;
	}
	return OK;
}

static status read_entry(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_rec_shard *r,
	uint64_t counter, struct str bytes, struct kinesis_record *out)
{
	struct kinesis_rec_entry e = {0};
	struct kms_use u = {c->cloud, c->tx, c->arena, s->account, s->region, c->now_ms};
	struct kms_refusal why = {0};
	TRY(kinesis_rec_entry_decode(c->arena, str_dup(c->arena, bytes), &e));
	if (e.sealed.v) {
		TRY(kinesis_kms_failed(c, kinesis_open(&u, s, e.data, &e.data, &why), &why));
		out->encryption_type = STR("KMS");
	}
	out->sequence_number = kinesis_sequence_text(
		c->arena, &(struct kinesis_sequence){r->created.ms, counter, (uint64_t)r->number.v});
	out->approximate_arrival_timestamp = SOME_TIME(e.at.ms);
	out->data = str_or(e.data, STR(""));
	out->partition_key = e.partition_key;
	return OK;
}

status kinesis_read_entries(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_rec_shard *r,
	struct kinesis_place *p, uint64_t last, size_t limit, size_t *bytes, struct kinesis_record_list *out)
{
	size_t capacity = 0;
	struct str key, value, prefix = kinesis_shard_key(c->arena, "entry", p->id, p->shard);
	struct store_scan *scan = store_scan_begin(c->tx, kinesis_entry_key(c->arena, p->id, p->shard, p->next),
		kinesis_entry_key(c->arena, p->id, p->shard, last + 1), false);
	status st = OK;
	while (is_ok(st) && out->n < limit && *bytes < KINESIS_READ_BYTES_MAX && store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, prefix.n);
		struct kinesis_record one = {0};
		uint64_t counter;
		st = key_read_u64(&rest, &counter);
		if (is_ok(st)) st = read_entry(c, s, r, counter, value, &one);
		if (!is_ok(st)) break;
		size_t size = one.data.n + one.partition_key.n;
		if (out->n && *bytes + size > KINESIS_READ_BYTES_MAX) break;
		*VEC_PUSH(c->arena, out, &capacity) = one;
		*bytes += size;
		p->next = counter + 1;
	}
	status ended = store_scan_end(scan);
	TRY(st);
	return ended;
}

status kinesis_behind(struct call *c, const struct kinesis_place *p, uint64_t last,
	const struct kinesis_record_list *read, int64_t *ms)
{
	struct kinesis_rec_entry e = {0};
	struct str bytes;
	*ms = 0;
	if (p->next > last) return OK;
	if (read->n) {
		*ms = c->now_ms - read->v[read->n - 1].approximate_arrival_timestamp.ms;
	} else {
		TRY(store_peek(c->tx, kinesis_entry_key(c->arena, p->id, p->shard, p->next), &bytes));
		TRY(kinesis_rec_entry_decode(c->arena, bytes, &e));
		*ms = c->now_ms - e.at.ms;
	}
	if (*ms < 0) *ms = 0;
	return OK;
}

status kinesis_get_records(
	struct call *c, const struct kinesis_get_records_input *in, struct kinesis_get_records_output *out)
{
	struct kinesis_rec_stream s;
	struct kinesis_rec_shard r;
	struct kinesis_place p;
	uint64_t last, first;
	int64_t age;
	size_t bytes = 0, limit = in->limit.has ? (size_t)in->limit.v : KINESIS_READ_RECORDS_MAX;
	TRY(find_place(c, in, &p, &s, &r));
	if (!kinesis_read_admit(c->state, p.id, p.shard, c->now_ms)) {
		const struct kinesis_count one = {"ReadProvisionedThroughputExceeded", "Count", 1, (int64_t)p.shard};
		kinesis_meter_apart(c, &s, &one, 1);
		return KINESIS_FAIL(c, PROVISIONED_THROUGHPUT_EXCEEDED,
			"Rate exceeded for shard %.*s in stream %.*s under account %.*s.",
			STR_ARG(kinesis_shard_id(c->arena, (int64_t)p.shard)), STR_ARG(s.name), STR_ARG(s.account));
	}
	TRY(kinesis_last(c->tx, c->arena, p.id, &r, &last));
	TRY(kinesis_entry_at(c->tx, c->arena, p.id, p.shard, last, kinesis_horizon(&s, c->now_ms), &first));
	if (p.next < first) p.next = first;
	VEC_PRESENT(c->arena, &out->records);
	TRY(kinesis_read_entries(c, &s, &r, &p, last, limit, &bytes, &out->records));
	TRY(kinesis_behind(c, &p, last, &out->records, &age));
	out->millis_behind_latest = SOME_I64(age);
	if (r.closed.has && p.next > last)
		TRY(kinesis_children_of(c, &p, &out->child_shards));
	else
		out->next_shard_iterator = iterator(c, &s, p.shard, p.next);
	kinesis_read_charge(c->state, p.id, p.shard, bytes);
	if (!out->records.n) return OK;
	const struct kinesis_count counts[] = {{"OutgoingBytes", "Bytes", (double)bytes, (int64_t)p.shard},
		{"OutgoingRecords", "Count", (double)out->records.n, (int64_t)p.shard},
		{"IteratorAgeMilliseconds", "Milliseconds", (double)age, (int64_t)p.shard}};
	kinesis_meter_apart(c, &s, counts, 3);
	return OK;
}
