/* Log streams: made, listed, deleted. */
#include "base/rand.h"
#include "services/logs/chunk.h"
#include <stdlib.h>

enum { PAGE = 50 };

status logs_create_log_stream(
	struct call *c, const struct logs_create_log_stream_input *in, struct logs_create_log_stream_output *out)
{
	struct logs_rec_group g;
	struct str key = logs_key_in(
			   c->arena, "stream", c->account, c->region, in->log_group_name, in->log_stream_name),
		   bytes;
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	status s = store_get(c->tx, key, &bytes);
	if (is_ok(s)) return LOGS_FAIL(c, RESOURCE_ALREADY_EXISTS, "The specified log stream already exists");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct logs_rec_stream r = {in->log_stream_name, SOME_TIME(c->now_ms), SOME_I64((int64_t)(rand_u64() >> 1))};
	store_put(c->tx, key, logs_rec_stream_encode(c->arena, &r));
	return OK;
}

status logs_delete_log_stream(
	struct call *c, const struct logs_delete_log_stream_input *in, struct logs_delete_log_stream_output *out)
{
	struct logs_rec_group g;
	struct logs_rec_stream r;
	size_t n;
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	TRY(logs_stream_load(c, g.name, in->log_stream_name, &r));
	TRY(logs_chunks_drop(c->tx, c->arena, (uint64_t)r.id.v, INT64_MAX, SIZE_MAX, &n));
	store_delete(c->tx, logs_key_in(c->arena, "stream", c->account, c->region, g.name, r.name));
	return OK;
}

struct listed {
	struct logs_rec_stream r;
	struct logs_extent e;
};

static int by_last_event(const void *x, const void *y)
{
	const struct listed *a = x, *b = y;
	if (a->e.last != b->e.last) return a->e.last < b->e.last ? -1 : 1;
	return str_cmp(a->r.name, b->r.name);
}

status logs_describe_log_streams(
	struct call *c, const struct logs_describe_log_streams_input *in, struct logs_describe_log_streams_output *out)
{
	struct logs_rec_group g;
	struct logs_streams streams = {0};
	struct str name;
	uint64_t from = 0;
	size_t capacity = 0, most = in->limit.has ? (size_t)in->limit.v : PAGE;
	bool by_time = str_is(str_or(in->order_by, STR("")), "LastEventTime");
	TRY(logs_group_name(c, in->log_group_name, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	if (by_time && str_has(in->log_stream_name_prefix))
		return LOGS_FAIL(c, INVALID_PARAMETER, "Cannot order by LastEventTime with a logStreamNamePrefix.");
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &from)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	TRY(logs_streams_of(
		c->tx, c->arena, c->account, c->region, g.name, str_or(in->log_stream_name_prefix, STR("")), &streams));
	struct listed *v = arena_new_n(c->arena, struct listed, streams.n + 1);
	for (size_t i = 0; i < streams.n; i++) {
		v[i].r = streams.v[i];
		if (by_time) TRY(logs_extent(c->tx, c->arena, (uint64_t)v[i].r.id.v, false, &v[i].e));
	}
	if (by_time && streams.n) qsort(v, streams.n, sizeof(*v), by_last_event);
	VEC_PRESENT(c->arena, &out->log_streams);
	for (size_t i = (size_t)from; i < streams.n; i++) {
		struct listed *one = &v[in->descending.v ? streams.n - 1 - i : i];
		if (out->log_streams.n == most) {
			out->next_token = str_fmt(c->arena, "%zu", i);
			break;
		}
		TRY(logs_extent(c->tx, c->arena, (uint64_t)one->r.id.v, false, &one->e));
		struct logs_log_stream *s = VEC_PUSH(c->arena, &out->log_streams, &capacity);
		s->log_stream_name = one->r.name;
		s->creation_time = SOME_I64(one->r.created.ms);
		s->arn = str_fmt(c->arena, "%.*s:log-stream:%.*s",
			STR_ARG(logs_group_arn(c->arena, c->account, c->region, g.name)), STR_ARG(one->r.name));
		s->stored_bytes = SOME_I64(0); /* "Starting on June 17, 2019, this parameter … is always zero" */
		if (!one->e.n) continue;
		s->first_event_timestamp = SOME_I64(one->e.first);
		s->last_event_timestamp = SOME_I64(one->e.last);
		s->last_ingestion_time = SOME_I64(one->e.ingested);
	}
	return OK;
}
