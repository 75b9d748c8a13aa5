/* Shards: ranges of hash keys, which are split and merged and keep their records until these are too old ("Reshard a
 * stream", the guide). A closed shard stays as long as its records may. */
#include "services/kinesis/room.h"

struct str kinesis_shard_id(struct arena *a, int64_t number)
{
	return str_fmt(a, "shardId-%012lld", (long long)number);
}

static status decode(struct arena *a, struct str bytes, struct kinesis_rec_shard *out)
{
	*out = (struct kinesis_rec_shard){0};
	TRY(kinesis_rec_shard_decode(a, bytes, out));
	return out->number.has && out->from.n == 16 && out->to.n == 16 && out->created.has ? OK : STATUS(CORRUPT);
}

status kinesis_shard_get(
	struct store_tx *tx, struct arena *a, uint64_t stream, uint64_t number, struct kinesis_rec_shard *out)
{
	struct str bytes;
	TRY(store_get(tx, kinesis_shard_key(a, "shard", stream, number), &bytes));
	return decode(a, bytes, out);
}

status kinesis_shard_find(
	struct call *c, const struct kinesis_rec_stream *s, struct str id, struct kinesis_rec_shard *out)
{
	uint64_t number;
	status st = STATUS(NOT_FOUND);
	if (str_starts(id, STR("shardId-")) && is_ok(str_to_u64(str_from(id, 8), &number)) && number < INT64_MAX &&
		str_eq(id, kinesis_shard_id(c->arena, (int64_t)number)))
		st = kinesis_shard_get(c->tx, c->arena, (uint64_t)s->id.v, number, out);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	return KINESIS_FAIL(c, RESOURCE_NOT_FOUND, "Shard %.*s in stream %.*s under account %.*s does not exist",
		STR_ARG(id), STR_ARG(s->name), STR_ARG(s->account));
}

static struct str open_key(struct arena *a, uint64_t stream, struct str to)
{
	struct key k = key_begin(a);
	key_append(&k, kinesis_prefix(a, "open", stream));
	key_str(&k, to);
	return key_done(&k);
}

static status open_at(
	struct store_tx *tx, struct arena *a, uint64_t stream, struct str value, struct kinesis_rec_shard *out)
{
	uint64_t number;
	if (value.n != 8) return STATUS(CORRUPT);
	memcpy(&number, value.p, 8);
	return kinesis_shard_get(tx, a, stream, number, out);
}

status kinesis_shard_of(
	struct store_tx *tx, struct arena *a, uint64_t stream, kinesis_u128 hash, struct kinesis_rec_shard *out)
{
	struct str key, value, prefix = kinesis_prefix(a, "open", stream);
	struct store_scan *scan =
		store_scan_begin(tx, open_key(a, stream, kinesis_hash_bytes(a, hash)), key_after(a, prefix), false);
	status s = store_scan_next(scan, &key, &value) ? open_at(tx, a, stream, value, out) : STATUS(CONFLICT);
	status ended = store_scan_end(scan);
	TRY(s);
	/* The scan is not validated, the shard's record is: one that was closed meanwhile is looked for again. */
	if (out->closed.has) return STATUS(CONFLICT);
	return ended;
}

status kinesis_shards_of(struct store_tx *tx, struct arena *a, uint64_t stream, struct kinesis_shards *out)
{
	size_t capacity = 0;
	struct str key, value, prefix = kinesis_prefix(a, "shard", stream);
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	status s = OK;
	*out = (struct kinesis_shards){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = decode(a, str_dup(a, value), VEC_PUSH(a, out, &capacity));
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status kinesis_open_shards(struct store_tx *tx, struct arena *a, uint64_t stream, struct kinesis_shards *out)
{
	size_t capacity = 0;
	struct str key, value, prefix = kinesis_prefix(a, "open", stream);
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	status s = OK;
	*out = (struct kinesis_shards){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = open_at(tx, a, stream, value, VEC_PUSH(a, out, &capacity));
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status kinesis_head_get(
	struct store_tx *tx, struct arena *a, uint64_t stream, uint64_t shard, struct kinesis_rec_head *out)
{
	struct str bytes;
	*out = (struct kinesis_rec_head){0};
	TRY(store_get(tx, kinesis_shard_key(a, "head", stream, shard), &bytes));
	return kinesis_rec_head_decode(a, bytes, out);
}

static void put_shard(struct store_tx *tx, struct arena *a, uint64_t stream, const struct kinesis_rec_shard *r)
{
	store_put(tx, kinesis_shard_key(a, "shard", stream, (uint64_t)r->number.v), kinesis_rec_shard_encode(a, r));
}

void kinesis_shard_open(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s, int64_t parent,
	int64_t adjacent, kinesis_u128 from, kinesis_u128 to, int64_t now_ms)
{
	uint64_t stream = (uint64_t)s->id.v, number = (uint64_t)s->next_shard.v++;
	struct kinesis_rec_shard r = {.number = SOME_I64((int64_t)number),
		.from = kinesis_hash_bytes(a, from),
		.to = kinesis_hash_bytes(a, to),
		.created = SOME_TIME(now_ms)};
	if (parent >= 0) r.parent = SOME_I64(parent);
	if (adjacent >= 0) r.adjacent = SOME_I64(adjacent);
	struct kinesis_rec_head h = {.counter = SOME_I64(0), .at = SOME_TIME(now_ms)};
	put_shard(tx, a, stream, &r);
	store_put(tx, open_key(a, stream, r.to), str_n(arena_copy(a, &number, 8), 8));
	store_put(tx, kinesis_shard_key(a, "head", stream, number), kinesis_rec_head_encode(a, &h));
	s->open_shards = SOME_I32(s->open_shards.v + 1);
}

static status close_shard(
	struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s, struct kinesis_rec_shard *r, int64_t now_ms)
{
	uint64_t stream = (uint64_t)s->id.v;
	struct kinesis_rec_head h;
	TRY(kinesis_head_get(tx, a, stream, (uint64_t)r->number.v, &h));
	r->closed = SOME_TIME(now_ms);
	r->last = SOME_I64(h.counter.v);
	put_shard(tx, a, stream, r);
	store_delete(tx, open_key(a, stream, r->to));
	store_delete(tx, kinesis_shard_key(a, "head", stream, (uint64_t)r->number.v));
	s->open_shards = SOME_I32(s->open_shards.v - 1);
	return OK;
}

/* A child's sequence numbers are greater than its parent's: it is younger, by a millisecond at least. */
static int64_t younger(const struct kinesis_rec_shard *parent, int64_t now_ms)
{
	return now_ms > parent->created.ms ? now_ms : parent->created.ms + 1;
}

status kinesis_shard_split(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s,
	struct kinesis_rec_shard *shard, kinesis_u128 at, int64_t now_ms)
{
	int64_t when = younger(shard, now_ms);
	TRY(close_shard(tx, a, s, shard, now_ms));
	kinesis_shard_open(tx, a, s, shard->number.v, -1, kinesis_hash_from(shard->from), at - 1, when);
	kinesis_shard_open(tx, a, s, shard->number.v, -1, at, kinesis_hash_from(shard->to), when);
	return OK;
}

status kinesis_shard_merge(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s,
	struct kinesis_rec_shard *one, struct kinesis_rec_shard *two, int64_t now_ms)
{
	int64_t when = younger(one, younger(two, now_ms));
	const struct kinesis_rec_shard *low = str_cmp(one->from, two->from) < 0 ? one : two,
				       *high = low == one ? two : one;
	kinesis_u128 from = kinesis_hash_from(low->from), to = kinesis_hash_from(high->to);
	TRY(close_shard(tx, a, s, one, now_ms));
	TRY(close_shard(tx, a, s, two, now_ms));
	kinesis_shard_open(tx, a, s, one->number.v, two->number.v, from, to, when);
	return OK;
}

void kinesis_shards_even(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s, int n, int64_t now_ms)
{
	kinesis_u128 width = KINESIS_HASH_MAX / (unsigned)n;
	for (int i = 0; i < n; i++)
		kinesis_shard_open(tx, a, s, -1, -1, i ? width * (unsigned)i + 1 : 0,
			i + 1 < n ? width * (unsigned)(i + 1) : KINESIS_HASH_MAX, now_ms);
}

void kinesis_shard_out(struct arena *a, const struct kinesis_rec_shard *r, struct kinesis_shard *out)
{
	struct kinesis_sequence at = {.created_ms = r->created.ms, .shard = (uint64_t)r->number.v};
	*out = (struct kinesis_shard){.shard_id = kinesis_shard_id(a, r->number.v)};
	if (r->parent.has) out->parent_shard_id = kinesis_shard_id(a, r->parent.v);
	if (r->adjacent.has) out->adjacent_parent_shard_id = kinesis_shard_id(a, r->adjacent.v);
	out->hash_key_range = arena_new(a, struct kinesis_hash_key_range);
	out->hash_key_range->starting_hash_key = kinesis_hash_text(a, kinesis_hash_from(r->from));
	out->hash_key_range->ending_hash_key = kinesis_hash_text(a, kinesis_hash_from(r->to));
	out->sequence_number_range = arena_new(a, struct kinesis_sequence_number_range);
	out->sequence_number_range->starting_sequence_number = kinesis_sequence_text(a, &at);
	at.counter = (uint64_t)r->last.v;
	if (r->closed.has) out->sequence_number_range->ending_sequence_number = kinesis_sequence_text(a, &at);
}

/* ── the account's ── */

int kinesis_shards_max(struct str region)
{
	return str_is(region, "us-east-1") || str_is(region, "us-west-2") || str_is(region, "eu-west-1")
		       ? KINESIS_SHARDS_MAX
		       : KINESIS_SHARDS_MAX_ELSEWHERE;
}

status kinesis_usage(struct call *c, struct kinesis_usage *out)
{
	struct str key, value, prefix = kinesis_stream_prefix(c->arena, c->account, c->region);
	struct store_scan *scan = store_scan_begin(c->tx, prefix, key_after(c->arena, prefix), false);
	status s = OK;
	*out = (struct kinesis_usage){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct kinesis_rec_stream r = {0};
		s = kinesis_rec_stream_decode(c->arena, str_dup(c->arena, value), &r);
		if (r.on_demand.v)
			out->on_demand++;
		else
			out->shards += r.open_shards.v;
	}
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status kinesis_limit_shards(struct call *c, int more)
{
	struct kinesis_usage u;
	TRY(kinesis_usage(c, &u));
	if (u.shards + more <= kinesis_shards_max(c->region)) return OK;
	return KINESIS_FAIL(c, LIMIT_EXCEEDED,
		"This request would exceed the shard limit for the account %.*s in %.*s. Current shard count for the "
		"account: %lld. "
		"Limit: %d. Number of additional shards that would have resulted from this request: %d. Refer to the "
		"AWS Service "
		"Limits page (https://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current "
		"limits and how to "
		"request higher limits.",
		STR_ARG(c->account), STR_ARG(c->region), (long long)u.shards, kinesis_shards_max(c->region), more);
}

/* ── where in a shard ── */

status kinesis_last(
	struct store_tx *tx, struct arena *a, uint64_t stream, const struct kinesis_rec_shard *shard, uint64_t *out)
{
	struct kinesis_rec_head h;
	if (shard->closed.has) {
		*out = (uint64_t)shard->last.v;
		return OK;
	}
	TRY(kinesis_head_get(tx, a, stream, (uint64_t)shard->number.v, &h));
	*out = (uint64_t)h.counter.v;
	return OK;
}

/* Counters have no gaps and times do not fall, so that halving finds it; what is trimmed is gone from the front. */
status kinesis_entry_at(struct store_tx *tx, struct arena *a, uint64_t stream, uint64_t shard, uint64_t last,
	int64_t from_ms, uint64_t *out)
{
	uint64_t low = 1, high = last + 1;
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		struct kinesis_rec_entry e = {0};
		struct str bytes;
		status s = store_peek(tx, kinesis_entry_key(a, stream, shard, mid), &bytes);
		bool before = status_is(s, STATUS_NOT_FOUND);
		if (is_ok(s)) {
			TRY(kinesis_rec_entry_decode(a, bytes, &e));
			before = e.at.ms < from_ms;
		} else if (!before) {
			return s;
		}
		if (before)
			low = mid + 1;
		else
			high = mid;
	}
	*out = low;
	return OK;
}
