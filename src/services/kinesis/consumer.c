/* Consumers with enhanced fan-out: registered, described, listed, deregistered. subscribe.c pushes records to them. */
#include "services/kinesis/room.h"

static struct str key_of(struct arena *a, uint64_t stream, struct str name)
{
	struct key k = key_begin(a);
	key_append(&k, kinesis_prefix(a, "consumer", stream));
	key_str(&k, name);
	return key_done(&k);
}

struct str kinesis_consumer_arn(
	struct arena *a, const struct kinesis_rec_stream *s, const struct kinesis_rec_consumer *r)
{
	return str_fmt(a, "%.*s/consumer/%.*s:%lld", STR_ARG(kinesis_arn(a, s)), STR_ARG(r->name),
		(long long)(r->created.ms / 1000));
}

status kinesis_consumer_named(
	struct store_tx *tx, struct arena *a, uint64_t stream, struct str name, struct kinesis_rec_consumer *out)
{
	struct str bytes;
	*out = (struct kinesis_rec_consumer){0};
	TRY(store_get(tx, key_of(a, stream, name), &bytes));
	return kinesis_rec_consumer_decode(a, bytes, out);
}

status kinesis_consumer_get(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s,
	const struct kinesis_arn *arn, struct kinesis_rec_consumer *out)
{
	TRY(kinesis_consumer_named(tx, a, (uint64_t)s->id.v, arn->consumer, out));
	return str_eq(arn->seconds, str_fmt(a, "%lld", (long long)(out->created.ms / 1000))) ? OK : STATUS(NOT_FOUND);
}

void kinesis_consumer_put(
	struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s, const struct kinesis_rec_consumer *r)
{
	store_put(tx, key_of(a, (uint64_t)s->id.v, r->name), kinesis_rec_consumer_encode(a, r));
}

status kinesis_consumer_count(struct store_tx *tx, struct arena *a, uint64_t stream, int32_t *n)
{
	struct str key, value, prefix = kinesis_prefix(a, "consumer", stream);
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	*n = 0;
	while (store_scan_next(scan, &key, &value)) (*n)++;
	return store_scan_end(scan);
}

status kinesis_register_stream_consumer(struct call *c, const struct kinesis_register_stream_consumer_input *in,
	struct kinesis_register_stream_consumer_output *out)
{
	struct kinesis_rec_stream s;
	struct kinesis_rec_consumer r;
	int32_t n;
	TRY(kinesis_find(c, STR_NONE, in->stream_arn, &s));
	status st = kinesis_consumer_named(c->tx, c->arena, (uint64_t)s.id.v, in->consumer_name, &r);
	if (is_ok(st))
		return KINESIS_FAIL(c, RESOURCE_IN_USE,
			"Consumer %.*s under stream %.*s already exists for account %.*s.", STR_ARG(in->consumer_name),
			STR_ARG(in->stream_arn), STR_ARG(s.account));
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	TRY(kinesis_consumer_count(c->tx, c->arena, (uint64_t)s.id.v, &n));
	if (n >= KINESIS_CONSUMERS_MAX)
		return KINESIS_FAIL(c, LIMIT_EXCEEDED,
			"Consumer limit reached for stream %.*s under account %.*s. Limit: %d.", STR_ARG(s.name),
			STR_ARG(s.account), KINESIS_CONSUMERS_MAX);
	r = (struct kinesis_rec_consumer){.name = in->consumer_name, .created = SOME_TIME(c->now_ms / 1000 * 1000)};
	TRY(kinesis_tags_set(c, &r.tags, &in->tags));
	kinesis_consumer_put(c->tx, c->arena, &s, &r);
	out->consumer = arena_new(c->arena, struct kinesis_consumer);
	*out->consumer = (struct kinesis_consumer){
		r.name, kinesis_consumer_arn(c->arena, &s, &r), STR("CREATING"), SOME_TIME(r.created.ms)};
	return OK;
}

/* By its ARN, or by the stream's ARN and a name. */
status kinesis_consumer_find(struct call *c, struct str stream_arn, struct str name, struct str arn,
	struct kinesis_rec_stream *s, struct kinesis_rec_consumer *r)
{
	struct kinesis_arn parts;
	status st;
	if (str_has(arn)) {
		if (str_has(stream_arn) || str_has(name))
			return KINESIS_FAIL(c, INVALID_ARGUMENT,
				"Either ConsumerARN or both StreamARN and ConsumerName must be provided, not both.");
		if (!kinesis_arn_read(arn, &parts) || !str_has(parts.consumer))
			return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid ConsumerARN: %.*s", STR_ARG(arn));
		*s = (struct kinesis_rec_stream){0};
		st = str_eq(parts.region, c->region)
			     ? kinesis_stream_get(c->tx, c->arena, parts.account, parts.region, parts.stream, s)
			     : STATUS(NOT_FOUND);
		if (is_ok(st)) st = kinesis_consumer_get(c->tx, c->arena, s, &parts, r);
		name = parts.consumer;
	} else {
		if (!str_has(stream_arn) || !str_has(name))
			return KINESIS_FAIL(c, INVALID_ARGUMENT,
				"Either ConsumerARN or both StreamARN and ConsumerName must be provided.");
		TRY(kinesis_find(c, STR_NONE, stream_arn, s));
		st = kinesis_consumer_named(c->tx, c->arena, (uint64_t)s->id.v, name, r);
	}
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	return KINESIS_FAIL(c, RESOURCE_NOT_FOUND, "Consumer %.*s, account %.*s not found.", STR_ARG(str_or(arn, name)),
		STR_ARG(c->account));
}

status kinesis_describe_stream_consumer(struct call *c, const struct kinesis_describe_stream_consumer_input *in,
	struct kinesis_describe_stream_consumer_output *out)
{
	struct kinesis_rec_stream s;
	struct kinesis_rec_consumer r;
	TRY(kinesis_consumer_find(c, in->stream_arn, in->consumer_name, in->consumer_arn, &s, &r));
	out->consumer_description = arena_new(c->arena, struct kinesis_consumer_description);
	*out->consumer_description =
		(struct kinesis_consumer_description){r.name, kinesis_consumer_arn(c->arena, &s, &r), STR("ACTIVE"),
			SOME_TIME(r.created.ms), kinesis_arn(c->arena, &s)};
	return OK;
}

status kinesis_deregister_stream_consumer(
	struct call *c, const struct kinesis_deregister_stream_consumer_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	struct kinesis_rec_consumer r;
	TRY(kinesis_consumer_find(c, in->stream_arn, in->consumer_name, in->consumer_arn, &s, &r));
	store_delete(c->tx, key_of(c->arena, (uint64_t)s.id.v, r.name));
	return OK;
}

status kinesis_list_stream_consumers(struct call *c, const struct kinesis_list_stream_consumers_input *in,
	struct kinesis_list_stream_consumers_output *out)
{
	struct kinesis_rec_stream s;
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : 100, capacity = 0;
	TRY(kinesis_find(c, STR_NONE, in->stream_arn, &s));
	struct str prefix = kinesis_prefix(c->arena, "consumer", (uint64_t)s.id.v), from = prefix, key, value, after;
	if (str_has(in->next_token)) {
		if (!is_ok(str_unbase64(c->arena, in->next_token, &after)))
			return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid NextToken: %.*s", STR_ARG(in->next_token));
		from = key_next(c->arena, key_of(c->arena, (uint64_t)s.id.v, after));
	}
	VEC_PRESENT(c->arena, &out->consumers);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, prefix), false);
	status st = OK;
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct kinesis_rec_consumer r = {0};
		if (out->consumers.n == limit) {
			out->next_token = str_base64(c->arena, out->consumers.v[limit - 1].consumer_name);
			break;
		}
		st = kinesis_rec_consumer_decode(c->arena, str_dup(c->arena, value), &r);
		*VEC_PUSH(c->arena, &out->consumers, &capacity) = (struct kinesis_consumer){
			r.name, kinesis_consumer_arn(c->arena, &s, &r), STR("ACTIVE"), SOME_TIME(r.created.ms)};
	}
	status ended = store_scan_end(scan);
	TRY(st);
	return ended;
}
