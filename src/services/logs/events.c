/* PutLogEvents, GetLogEvents, FilterLogEvents. */
#include "services/logs/chunk.h"
#include "services/logs/pattern.h"

enum { BATCH_MAX = 1048576, EVENT_EXTRA = 26, ANSWER_MAX = 1048576, EVENTS_MAX = 10000 };

/* ── in ── */

static status check_batch(struct call *c, const struct logs_input_log_events *l)
{
	size_t bytes = 0;
	for (size_t i = 0; i < l->n; i++) {
		bytes += EVENT_EXTRA + l->v[i].message.n;
		if (i && l->v[i].timestamp.v < l->v[i - 1].timestamp.v)
			return LOGS_FAIL(c, INVALID_PARAMETER,
				"Log events in a single PutLogEvents request must be in chronological order.");
	}
	if (bytes > BATCH_MAX)
		return LOGS_FAIL(
			c, INVALID_PARAMETER, "Upload too large: %zu bytes exceeds limit of %d", bytes, BATCH_MAX);
	if (l->v[l->n - 1].timestamp.v - l->v[0].timestamp.v > LOGS_DAY_MS)
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
	return OK;
}

status logs_put_log_events(
	struct call *c, const struct logs_put_log_events_input *in, struct logs_put_log_events_output *out)
{
	struct logs *l = c->state;
	struct logs_rec_group g;
	struct logs_rec_stream s;
	const struct logs_input_log_events *list = &in->log_events;
	TRY(logs_group_load(c, in->log_group_name, &g));
	TRY(logs_stream_load(c, g.name, in->log_stream_name, &s));
	TRY(check_batch(c, list));
	/* "None of the log events … can be more than 2 hours in the future … or older than 14 days or older than the
	 * retention period of the log group": these are left out, and named. */
	size_t first = 0, expired = 0, end = list->n;
	int64_t kept = logs_kept_since(&g, c->now_ms);
	while (first < list->n && list->v[first].timestamp.v < c->now_ms - 14 * LOGS_DAY_MS) first++;
	while (expired < list->n && list->v[expired].timestamp.v < kept) expired++;
	while (end > 0 && list->v[end - 1].timestamp.v > c->now_ms + 2 * 3600000) end--;
	if (first || expired || end < list->n) {
		out->rejected_log_events_info = arena_new(c->arena, struct logs_rejected_log_events_info);
		if (first) out->rejected_log_events_info->too_old_log_event_end_index = SOME_I32((int32_t)first);
		if (expired) out->rejected_log_events_info->expired_log_event_end_index = SOME_I32((int32_t)expired);
		if (end < list->n)
			out->rejected_log_events_info->too_new_log_event_start_index = SOME_I32((int32_t)end);
	}
	first = first > expired ? first : expired;
	/* "The sequence token is now ignored"; one is still told. */
	out->next_sequence_token = str_fmt(c->arena, "49%054llu", (unsigned long long)(c->now_ms + 1));
	if (first >= end) return OK;
	uint64_t number = ((uint64_t)c->now_ms << 20) | (atomic_fetch_add(&l->chunks, 1) & 0xfffff);
	struct logs_owner owner = {.cloud = c->cloud, .group = &g, .now_ms = c->now_ms};
	const struct logs_input_log_event *made;
	TRY(logs_transform_batch(c, &g, s.name, list->v + first, end - first, &made));
	TRY(logs_sealed_failed(c,
		logs_chunk_put(c->tx, c->arena, &owner, (uint64_t)s.id.v, number, list->v + first, end - first),
		&owner));
	if (made)
		TRY(logs_sealed_failed(c,
			logs_chunk_put_made(c->tx, c->arena, &owner, (uint64_t)s.id.v, number, made, end - first),
			&owner));
	logs_tails_offer(c, g.name, s.name, list->v + first, end - first);
	TRY(logs_subscriptions_run(c, &g, &s, number, list->v + first, made, end - first));
	return logs_filters_run(c, g.name, list->v + first, made, end - first);
}

/* ── out ── */

/* A position as a token: f or b, and its numbers. */
static struct str token_of(struct arena *a, char direction, const struct logs_position *p)
{
	struct buf b = BUF_IN(a);
	struct logs_position copy = *p;
	buf_fmt(&b, "%c/", direction);
	buf_base64(&b, str_n(&copy, sizeof(copy)));
	return buf_done(&b);
}

static bool read_token(struct arena *a, struct str token, char *direction, struct logs_position *p)
{
	struct str bytes;
	if (token.n < 3 || token.p[1] != '/' || (token.p[0] != 'f' && token.p[0] != 'b')) return false;
	*direction = token.p[0];
	if (!is_ok(str_unbase64(a, str_from(token, 2), &bytes)) || bytes.n != sizeof(*p)) return false;
	memcpy(p, bytes.p, sizeof(*p));
	return true;
}

static int64_t range_from(const struct logs_rec_group *g, struct opt_i64 from, int64_t now)
{
	int64_t kept = logs_kept_since(g, now), start = from.has ? from.v : 0;
	return kept > start ? kept : start;
}

static void show(struct call *c, const struct logs_event *e, struct logs_output_log_events *out, size_t *capacity)
{
	*VEC_PUSH(c->arena, out, capacity) =
		(struct logs_output_log_event){SOME_I64(e->position.at), e->message, SOME_I64(e->ingested)};
}

status logs_get_log_events(
	struct call *c, const struct logs_get_log_events_input *in, struct logs_get_log_events_output *out)
{
	struct logs_rec_group g;
	struct logs_rec_stream r;
	struct logs_position at;
	struct str name;
	char direction = 0;
	size_t capacity = 0;
	TRY(logs_group_name(c, in->log_group_name, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	TRY(logs_stream_load(c, g.name, in->log_stream_name, &r));
	if (str_has(in->next_token) && !read_token(c->arena, in->next_token, &direction, &at))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	struct logs_streams one = {&r, 1, 1};
	struct logs_owner owner = {.cloud = c->cloud, .group = &g, .now_ms = c->now_ms};
	struct logs_scan s = {.tx = c->tx,
		.a = c->arena,
		.owner = &owner,
		.streams = &one,
		.from = range_from(&g, in->start_time, c->now_ms),
		.to = in->end_time.has ? in->end_time.v : INT64_MAX,
		.backwards = direction ? direction == 'b' : !in->start_from_head.v,
		.after = direction ? &at : NULL,
		.limit = in->limit.has ? (size_t)in->limit.v : EVENTS_MAX,
		.bytes = ANSWER_MAX};
	TRY(logs_sealed_failed(c, logs_scan(&s), &owner));
	VEC_PRESENT(c->arena, &out->events);
	for (size_t i = 0; i < s.out.n; i++)
		show(c, &s.out.v[s.backwards ? s.out.n - 1 - i : i], &out->events, &capacity);
	/* "If you have reached the end of the stream, it returns the same token you passed in." */
	if (!s.out.n && direction) {
		out->next_forward_token = direction == 'f' ? in->next_token : token_of(c->arena, 'f', &at);
		out->next_backward_token = direction == 'b' ? in->next_token : token_of(c->arena, 'b', &at);
		return OK;
	}
	struct logs_position none = {.at = s.backwards ? INT64_MAX : s.from - 1};
	const struct logs_position *low = s.out.n ? &s.out.v[s.backwards ? s.out.n - 1 : 0].position : &none;
	const struct logs_position *high = s.out.n ? &s.out.v[s.backwards ? 0 : s.out.n - 1].position : &none;
	if (!s.out.n) none.at = s.from - 1;
	out->next_backward_token = token_of(c->arena, 'b', low);
	out->next_forward_token = token_of(c->arena, 'f', high);
	return OK;
}

/* ── filtered ── */

static bool passes(void *ctx, struct arena *scratch, int64_t at, struct str message)
{
	(void)at;
	return logs_pattern_passes(ctx, scratch, message);
}

static status choose_streams(
	struct call *c, const struct logs_filter_log_events_input *in, struct str group, struct logs_streams *out)
{
	if (in->log_stream_names.n && str_has(in->log_stream_name_prefix))
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
	if (!in->log_stream_names.n)
		return logs_streams_of(c->tx, c->arena, c->account, c->region, group,
			str_or(in->log_stream_name_prefix, STR("")), out);
	for (size_t i = 0; i < in->log_stream_names.n; i++)
		TRY(logs_stream_load(c, group, in->log_stream_names.v[i], VEC_PUSH(c->arena, out, &out->capacity)));
	return OK;
}

struct str logs_event_id(struct arena *a, const struct logs_position *p)
{
	return str_fmt(a, "%016lld%020llu%020llu", (long long)p->at, (unsigned long long)p->number,
		(unsigned long long)((p->stream & 0xffffffffffull) << 20 | p->place));
}

status logs_filter_log_events(
	struct call *c, const struct logs_filter_log_events_input *in, struct logs_filter_log_events_output *out)
{
	struct logs_rec_group g;
	struct logs_streams streams = {0};
	struct logs_pattern *pattern;
	struct logs_position at;
	struct str name, why;
	char direction = 0;
	size_t capacity = 0;
	TRY(logs_group_name(c, in->log_group_name, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	TRY(choose_streams(c, in, g.name, &streams));
	if (str_has(in->next_token) && !read_token(c->arena, in->next_token, &direction, &at))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	if (!is_ok(logs_pattern_read(c->arena, str_or(in->filter_pattern, STR("")), &pattern, &why)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why));
	struct logs_owner owner = {.cloud = c->cloud, .group = &g, .now_ms = c->now_ms};
	struct logs_scan s = {.tx = c->tx,
		.a = c->arena,
		.owner = &owner,
		.streams = &streams,
		.from = range_from(&g, in->start_time, c->now_ms),
		/* endTime is inclusive here: "events with a timestamp later than this time are not returned". */
		.to = in->end_time.has && in->end_time.v < INT64_MAX ? in->end_time.v + 1 : INT64_MAX,
		.after = direction ? &at : NULL,
		.limit = in->limit.has ? (size_t)in->limit.v : EVENTS_MAX,
		.bytes = ANSWER_MAX,
		.passes = logs_pattern_all(pattern) ? NULL : passes,
		.ctx = pattern,
		.literal = logs_pattern_literal(pattern)};
	status st = logs_scan(&s);
	logs_pattern_end(pattern);
	TRY(logs_sealed_failed(c, st, &owner));
	VEC_PRESENT(c->arena, &out->events);
	VEC_PRESENT(c->arena, &out->searched_log_streams); /* "always an empty list" by now */
	for (size_t i = 0; i < s.out.n; i++) {
		const struct logs_event *e = &s.out.v[i];
		*VEC_PUSH(c->arena, &out->events, &capacity) =
			(struct logs_filtered_log_event){e->stream, SOME_I64(e->position.at), e->message,
				SOME_I64(e->ingested), logs_event_id(c->arena, &e->position)};
	}
	if (s.more && s.out.n) out->next_token = token_of(c->arena, 'f', &s.out.v[s.out.n - 1].position);
	return OK;
}
