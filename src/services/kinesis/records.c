/* Stored records of streams, and finding them by what clients call them. */
#include "services/kinesis/room.h"

#define SERVICE STR("kinesis")

struct str kinesis_stream_prefix(struct arena *a, struct str account, struct str region)
{
	struct key k = key_for(a, SERVICE, STR("stream"), account, region);
	return key_done(&k);
}

static struct str stream_key(struct arena *a, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, SERVICE, STR("stream"), account, region);
	key_str(&k, name);
	return key_done(&k);
}

struct str kinesis_arn(struct arena *a, const struct kinesis_rec_stream *s)
{
	return str_fmt(a, "arn:%.*s:kinesis:%.*s:%.*s:stream/%.*s", STR_ARG(s->partition), STR_ARG(s->region),
		STR_ARG(s->account), STR_ARG(s->name));
}

status kinesis_stream_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct kinesis_rec_stream *out)
{
	struct str bytes;
	*out = (struct kinesis_rec_stream){0};
	TRY(store_get(tx, stream_key(a, account, region, name), &bytes));
	return kinesis_rec_stream_decode(a, bytes, out);
}

void kinesis_stream_put(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s)
{
	store_put(tx, stream_key(a, s->account, s->region, s->name), kinesis_rec_stream_encode(a, s));
}

void kinesis_stream_drop(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s)
{
	store_delete(tx, stream_key(a, s->account, s->region, s->name));
}

bool kinesis_arn_read(struct str arn, struct kinesis_arn *out)
{
	struct str rest = arn, part[5];
	*out = (struct kinesis_arn){0};
	for (int i = 0; i < 5; i++) part[i] = str_has(rest) ? str_cut(&rest, ':') : STR("");
	if (!str_is(part[0], "arn") || !str_is(part[2], "kinesis") || !str_has(rest) ||
		!str_starts(rest, STR("stream/")))
		return false;
	out->region = part[3];
	out->account = part[4];
	rest = str_from(rest, 7);
	out->stream = str_cut(&rest, '/');
	if (!str_has(rest)) return !str_empty(out->stream);
	if (!str_starts(rest, STR("consumer/"))) return false;
	rest = str_from(rest, 9);
	out->consumer = str_cut(&rest, ':');
	out->seconds = rest;
	return str_has(rest) && !str_empty(out->consumer);
}

status kinesis_find(struct call *c, struct str name, struct str arn, struct kinesis_rec_stream *out)
{
	struct kinesis_arn parts = {.account = c->account, .region = c->region, .stream = name};
	if (str_has(arn)) {
		if (!kinesis_arn_read(arn, &parts) || str_has(parts.consumer))
			return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid StreamARN: %.*s", STR_ARG(arn));
		if (str_has(name) && !str_eq(name, parts.stream))
			return KINESIS_FAIL(c, INVALID_ARGUMENT, "StreamName %.*s does not match StreamARN %.*s.",
				STR_ARG(name), STR_ARG(arn));
	} else if (!str_has(name)) {
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Either StreamName or StreamARN must be provided.");
	}
	status s = STATUS(NOT_FOUND);
	if (str_eq(parts.region, c->region))
		s = kinesis_stream_get(c->tx, c->arena, parts.account, parts.region, parts.stream, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return KINESIS_FAIL(c, RESOURCE_NOT_FOUND, "Stream %.*s under account %.*s not found.", STR_ARG(parts.stream),
		STR_ARG(parts.account));
}

static struct key key_of(struct arena *a, const char *kind, uint64_t stream)
{
	struct key k = key_begin(a);
	key_str(&k, SERVICE);
	key_str(&k, str_c(kind));
	key_u64(&k, stream);
	return k;
}

struct str kinesis_prefix(struct arena *a, const char *kind, uint64_t stream)
{
	struct key k = key_of(a, kind, stream);
	return key_done(&k);
}

struct str kinesis_shard_key(struct arena *a, const char *kind, uint64_t stream, uint64_t shard)
{
	struct key k = key_of(a, kind, stream);
	key_u64(&k, shard);
	return key_done(&k);
}

struct str kinesis_entry_key(struct arena *a, uint64_t stream, uint64_t shard, uint64_t counter)
{
	struct key k = key_of(a, "entry", stream);
	key_u64(&k, shard);
	key_u64(&k, counter);
	return key_done(&k);
}

bool kinesis_often(struct call *c, struct kinesis_rec_times *times, size_t most)
{
	struct kinesis_rec_times kept = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < times->n; i++)
		if (times->v[i].v > c->now_ms - KINESIS_DAY_MS) *VEC_PUSH(c->arena, &kept, &capacity) = times->v[i];
	if (kept.n >= most) return true;
	*VEC_PUSH(c->arena, &kept, &capacity) = SOME_I64(c->now_ms);
	*times = kept;
	return false;
}
