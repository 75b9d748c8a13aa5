/* SplitShard, MergeShards, UpdateShardCount, ListShards ("Reshard a stream", the guide). Only provisioned streams. */
#include "services/kinesis/room.h"

static status provisioned(struct call *c, const struct kinesis_rec_stream *s)
{
	if (!s->on_demand.v) return OK;
	return call_fail(c, ERR_VALIDATION, "Request is invalid. Stream %.*s under account %.*s is in On-Demand mode.",
		STR_ARG(s->name), STR_ARG(s->account));
}

static status still_open(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_rec_shard *r)
{
	if (!r->closed.has) return OK;
	return KINESIS_FAIL(c, INVALID_ARGUMENT,
		"Shard %.*s in stream %.*s under account %.*s has already been merged or split, and thus is not "
		"eligible for merging "
		"or splitting.",
		STR_ARG(kinesis_shard_id(c->arena, r->number.v)), STR_ARG(s->name), STR_ARG(s->account));
}

status kinesis_split_shard(struct call *c, const struct kinesis_split_shard_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	struct kinesis_rec_shard r;
	kinesis_u128 at;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(provisioned(c, &s));
	TRY(kinesis_shard_find(c, &s, in->shard_to_split, &r));
	TRY(still_open(c, &s, &r));
	kinesis_u128 from = kinesis_hash_from(r.from), to = kinesis_hash_from(r.to);
	if (!kinesis_hash_read(in->new_starting_hash_key, &at) || at <= from || at >= to || at - from < 2)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"NewStartingHashKey %.*s used in SplitShard() on shard %.*s in stream %.*s under account %.*s "
			"is not both "
			"greater than one plus the shard's StartingHashKey %.*s and less than the shard's "
			"EndingHashKey %.*s.",
			STR_ARG(in->new_starting_hash_key), STR_ARG(in->shard_to_split), STR_ARG(s.name),
			STR_ARG(s.account), STR_ARG(kinesis_hash_text(c->arena, from)),
			STR_ARG(kinesis_hash_text(c->arena, to)));
	TRY(kinesis_limit_shards(c, 1));
	TRY(kinesis_shard_split(c->tx, c->arena, &s, &r, at, c->now_ms));
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

static bool adjacent(const struct kinesis_rec_shard *a, const struct kinesis_rec_shard *b)
{
	kinesis_u128 end = kinesis_hash_from(a->to);
	return end != KINESIS_HASH_MAX && end + 1 == kinesis_hash_from(b->from);
}

status kinesis_merge_shards(struct call *c, const struct kinesis_merge_shards_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	struct kinesis_rec_shard one, two;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(provisioned(c, &s));
	TRY(kinesis_shard_find(c, &s, in->shard_to_merge, &one));
	TRY(kinesis_shard_find(c, &s, in->adjacent_shard_to_merge, &two));
	TRY(still_open(c, &s, &one));
	TRY(still_open(c, &s, &two));
	if (!adjacent(&one, &two) && !adjacent(&two, &one))
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"Shards %.*s and %.*s in stream %.*s under account %.*s are not an adjacent pair of shards "
			"eligible for merging",
			STR_ARG(in->shard_to_merge), STR_ARG(in->adjacent_shard_to_merge), STR_ARG(s.name),
			STR_ARG(s.account));
	TRY(kinesis_shard_merge(c->tx, c->arena, &s, &one, &two, c->now_ms));
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

/* ── UpdateShardCount: "Kinesis Data Streams performs splits or merges on individual shards. This can cause short-lived
 * shards to be created, in addition to the final shards." ── */

/* Every inner border between the n even ranges becomes one between shards. */
static status split_at_borders(struct call *c, struct kinesis_rec_stream *s, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		kinesis_u128 at = KINESIS_HASH_MAX / n * i + 1;
		struct kinesis_rec_shard r;
		TRY(kinesis_shard_of(c->tx, c->arena, (uint64_t)s->id.v, at, &r));
		if (kinesis_hash_from(r.from) == at) continue;
		TRY(kinesis_shard_split(c->tx, c->arena, s, &r, at, c->now_ms));
	}
	return OK;
}

/* Within each of them, what is left of older shards is merged. */
static status merge_within(struct call *c, struct kinesis_rec_stream *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		kinesis_u128 width = KINESIS_HASH_MAX / n, from = i ? width * i + 1 : 0,
			     to = i + 1 < n ? width * (i + 1) : KINESIS_HASH_MAX;
		for (;;) {
			struct kinesis_rec_shard first, next;
			TRY(kinesis_shard_of(c->tx, c->arena, (uint64_t)s->id.v, from, &first));
			kinesis_u128 end = kinesis_hash_from(first.to);
			if (end >= to) break;
			TRY(kinesis_shard_of(c->tx, c->arena, (uint64_t)s->id.v, end + 1, &next));
			TRY(kinesis_shard_merge(c->tx, c->arena, s, &first, &next, c->now_ms));
		}
	}
	return OK;
}

status kinesis_update_shard_count(struct call *c, const struct kinesis_update_shard_count_input *in,
	struct kinesis_update_shard_count_output *out)
{
	struct kinesis_rec_stream s;
	int32_t target = in->target_shard_count.v;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(provisioned(c, &s));
	int32_t current = s.open_shards.v;
	if (target > 2 * current)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"UpdateShardCount cannot scale up over double your current open shard count. Current open "
			"shard count: %d Target "
			"shard count: %d",
			current, target);
	if (2 * target < current)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"UpdateShardCount cannot scale down below half your current open shard count. Current open "
			"shard count: %d "
			"Target shard count: %d",
			current, target);
	if (target > 10000)
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "UpdateShardCount cannot scale to more than 10000 shards.");
	if (kinesis_often(c, &s.counts_changed, 10))
		return KINESIS_FAIL(c, LIMIT_EXCEEDED,
			"Stream %.*s under account %.*s has been scaled by UpdateShardCount 10 times in a rolling "
			"24-hour period.",
			STR_ARG(s.name), STR_ARG(s.account));
	if (target > current) TRY(kinesis_limit_shards(c, target - current));
	TRY(split_at_borders(c, &s, (unsigned)target));
	TRY(merge_within(c, &s, (unsigned)target));
	kinesis_stream_put(c->tx, c->arena, &s);
	out->stream_name = s.name;
	out->stream_arn = kinesis_arn(c->arena, &s);
	out->current_shard_count = SOME_I32(current);
	out->target_shard_count = SOME_I32(target);
	return OK;
}

/* ── ListShards ── */

struct listing {
	struct str type, after;
	int64_t at_ms, horizon_ms;
};

/* "Filter and process shards": which of them a filter lets through. */
static bool listed(struct arena *a, const struct listing *l, const struct kinesis_rec_shard *r)
{
	bool open_at = r->created.ms <= l->at_ms && (!r->closed.has || r->closed.ms > l->at_ms);
	if (str_has(l->after) && str_cmp(kinesis_shard_id(a, r->number.v), l->after) <= 0) return false;
	if (str_is(l->type, "AT_LATEST")) return !r->closed.has;
	if (str_is(l->type, "AT_TRIM_HORIZON"))
		return r->created.ms <= l->horizon_ms ? !r->closed.has || r->closed.ms > l->horizon_ms : !r->parent.has;
	if (str_is(l->type, "AT_TIMESTAMP")) return open_at;
	if (str_is(l->type, "FROM_TIMESTAMP")) return !r->closed.has || r->closed.ms > l->at_ms;
	return true;
}

static status read_filter(
	struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_shard_filter *f, struct listing *l)
{
	l->horizon_ms = kinesis_horizon(s, c->now_ms);
	if (!f) return OK;
	l->type = f->type;
	bool timed = str_is(f->type, "AT_TIMESTAMP") || str_is(f->type, "FROM_TIMESTAMP");
	if (timed != f->timestamp.has)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"ShardFilter's Timestamp must be provided with the types AT_TIMESTAMP and "
			"FROM_TIMESTAMP, and with no other.");
	if (str_is(f->type, "AFTER_SHARD_ID") != str_has(f->shard_id))
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"ShardFilter's ShardId must be provided with the type AFTER_SHARD_ID, and with no other.");
	if (timed && f->timestamp.ms > c->now_ms)
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "ShardFilter's Timestamp must not be in the future.");
	l->at_ms = f->timestamp.ms < s->created.ms ? s->created.ms : f->timestamp.ms;
	if (str_has(f->shard_id)) l->after = f->shard_id;
	return OK;
}

/* ARN|made|filter's type|at|shard: a page's token. */
static struct str token(struct call *c, const struct kinesis_rec_stream *s, const struct listing *l)
{
	return str_base64(
		c->arena, str_fmt(c->arena, "%.*s|%lld|%.*s|%lld|%.*s", STR_ARG(kinesis_arn(c->arena, s)),
				  (long long)c->now_ms, STR_ARG(l->type), (long long)l->at_ms, STR_ARG(l->after)));
}

static status token_read(struct call *c, struct str text, struct str *arn, struct listing *l)
{
	struct str rest, part[5];
	int64_t made = 0;
	bool good = is_ok(str_unbase64(c->arena, text, &rest));
	for (int i = 0; i < 5; i++) part[i] = good && str_has(rest) ? str_cut(&rest, '|') : STR("");
	if (!good || !is_ok(str_to_i64(part[1], &made)) || !is_ok(str_to_i64(part[3], &l->at_ms)))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid NextToken: %.*s", STR_ARG(text));
	if (made < c->now_ms - KINESIS_TOKEN_MS)
		return KINESIS_FAIL(c, EXPIRED_NEXT_TOKEN, "The NextToken has expired: it is valid for 300 seconds.");
	*arn = part[0];
	l->type = part[2];
	l->after = part[4];
	return OK;
}

status kinesis_list_shards(
	struct call *c, const struct kinesis_list_shards_input *in, struct kinesis_list_shards_output *out)
{
	struct kinesis_rec_stream s;
	struct kinesis_shards all;
	struct listing l = {.after = in->exclusive_start_shard_id, .type = STR("")};
	struct str arn = in->stream_arn;
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : 1000, capacity = 0;
	if (str_has(in->next_token)) {
		if (str_has(in->stream_name) || str_has(in->exclusive_start_shard_id) || in->shard_filter)
			return KINESIS_FAIL(
				c, INVALID_ARGUMENT, "NextToken and StreamName cannot be provided together.");
		TRY(token_read(c, in->next_token, &arn, &l));
	}
	TRY(kinesis_find(c, in->stream_name, arn, &s));
	if (!str_has(in->next_token)) TRY(read_filter(c, &s, in->shard_filter, &l));
	l.horizon_ms = kinesis_horizon(&s, c->now_ms);
	TRY(kinesis_shards_of(c->tx, c->arena, (uint64_t)s.id.v, &all));
	VEC_PRESENT(c->arena, &out->shards);
	for (size_t i = 0; i < all.n; i++) {
		if (!listed(c->arena, &l, &all.v[i])) continue;
		if (out->shards.n == limit) {
			l.after = out->shards.v[limit - 1].shard_id;
			out->next_token = token(c, &s, &l);
			break;
		}
		kinesis_shard_out(c->arena, &all.v[i], VEC_PUSH(c->arena, &out->shards, &capacity));
	}
	return OK;
}
