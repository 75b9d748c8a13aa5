/* StartQuery and what follows: a query is kept, run by a durable job, and its results kept for seven days. Without a
 * sort, the newest events come first. */
#include "base/rand.h"
#include "services/logs/insights.h"

static const char kind[] = "logs.query";
enum { GROUPS_MAX = 50, ROWS_DEFAULT = 10000, ROWS_MAX = 100000, EVENTS_MAX = 2000000, PAGE = 1000 };
#define TABLES (&wire_service_logs.tables)
#define KEEP_MS (7 * LOGS_DAY_MS)

static status find(struct call *c, struct str id, struct logs_rec_query *out)
{
	struct str bytes;
	*out = (struct logs_rec_query){0};
	status s = store_get(c->tx, logs_key_of(c->arena, "query", c->account, c->region, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified query does not exist.");
	TRY(s);
	return logs_rec_query_decode(c->arena, bytes, out);
}

static void put(struct store_tx *tx, struct arena *a, const struct logs_rec_query *q)
{
	store_put(tx, logs_key_of(a, "query", q->account, q->region, q->id), logs_rec_query_encode(a, q));
}

static struct job job_of(struct arena *a, const struct logs_rec_query *q, int64_t due_ms)
{
	return (struct job){.kind = str_c(kind),
		.id = str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(q->account), STR_ARG(q->region), STR_ARG(q->id)),
		.due_ms = due_ms,
		.payload = STR("")};
}

/* ── the run ── */

/* A row's place, for GetLogRecord: the group's and stream's names, and the position. */
static struct str pointer_of(struct arena *a, struct str group, const struct logs_event *e)
{
	struct buf b = BUF_IN(a);
	struct logs_position p = e->position;
	buf_str(&b, group);
	buf_byte(&b, '\n');
	buf_str(&b, e->stream);
	buf_byte(&b, '\n');
	buf_add(&b, &p, sizeof(p));
	return str_base64(a, buf_done(&b));
}

static status gather(struct logs *l, struct store_tx *tx, struct arena *a, struct logs_rec_query *q, struct str group,
	int64_t now, struct ins_rows *rows)
{
	struct str bytes;
	struct logs_rec_group g = {0};
	struct logs_streams streams = {0};
	status s = store_peek(tx, logs_key_of(a, "group", q->account, q->region, group), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* deleted meanwhile */
	TRY(s);
	TRY(logs_rec_group_decode(a, bytes, &g));
	TRY(logs_streams_of(tx, a, q->account, q->region, group, STR(""), &streams));
	int64_t kept = logs_kept_since(&g, now);
	struct logs_owner owner = {.cloud = l->cloud, .group = &g, .now_ms = now};
	struct logs_scan scan = {.tx = tx,
		.a = a,
		.owner = &owner,
		.streams = &streams,
		.from = kept > q->from.ms ? kept : q->from.ms,
		.to = q->to.ms + 1000, /* the end's second is in it */
		.backwards = true,
		.made = g.transformed.v,
		.limit = EVENTS_MAX,
		.bytes = SIZE_MAX};
	TRY(logs_scan(&scan));
	q->scanned = SOME_F64(q->scanned.v + (double)scan.scanned);
	q->bytes = SOME_F64(q->bytes.v + (double)scan.scanned_bytes);
	struct str log = str_fmt(a, "%.*s:%.*s", STR_ARG(q->account), STR_ARG(group));
	for (size_t i = 0; i < scan.out.n; i++) {
		struct ins_row *r = VEC_PUSH(a, rows, &rows->capacity);
		r->event = &scan.out.v[i];
		r->log = log;
		r->now_ms = now;
		r->ptr = pointer_of(a, group, r->event);
	}
	return OK;
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct logs *l = ctx;
	struct str id = job->id, account = str_cut(&id, '/'), region = str_cut(&id, '/'), bytes, why;
	struct logs_rec_query q = {0};
	struct ins_query *query;
	struct ins_rows rows = {0};
	struct logs_query_results results = {0};
	int64_t now = clock_now(l->cloud->clock), begun = clock_monotonic_us();
	double matched = 0;
	status s = store_get(tx, logs_key_of(a, "query", account, region, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(logs_rec_query_decode(a, bytes, &q));
	if (!str_is(q.status, "Scheduled")) { /* its time is over */
		store_delete(tx, logs_key_of(a, "query", account, region, id));
		return OK;
	}
	s = ins_parse(a, q.text, &query, &why);
	for (size_t i = 0; is_ok(s) && i < q.groups.n; i++) s = gather(l, tx, a, &q, q.groups.v[i], now, &rows);
	if (is_ok(s)) ins_run(a, query, &rows, q.limit.has ? (size_t)q.limit.v : ROWS_DEFAULT, &results, &matched);
	ins_end(query);
	if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
	q.status = is_ok(s) ? STR("Complete") : STR("Failed"); /* a group's key does not serve */
	q.matched = SOME_F64(matched);
	q.millis = SOME_I64((clock_monotonic_us() - begun) / 1000);
	struct logs_get_query_results_output kept = {.results = results};
	q.rows = wire_json_of(a, TABLES, LOGS_SHAPE_GET_QUERY_RESULTS_RESPONSE, &kept);
	put(tx, a, &q);
	*again_ms = q.created.ms + KEEP_MS > now ? q.created.ms + KEEP_MS : now + KEEP_MS;
	return OK;
}

void logs_query_start(struct logs *l)
{
	jobs_register(l->cloud->jobs, kind, run, l);
}

/* ── the operations ── */

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static status choose(struct call *c, const struct logs_start_query_input *in, struct logs_rec_names *out)
{
	size_t capacity = 0,
	       given = str_has(in->log_group_name) + (in->log_group_names.n > 0) + (in->log_group_identifiers.n > 0);
	struct str name;
	if (given != 1)
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.");
	if (str_has(in->log_group_name)) *VEC_PUSH(c->arena, out, &capacity) = in->log_group_name;
	for (size_t i = 0; i < in->log_group_names.n; i++)
		*VEC_PUSH(c->arena, out, &capacity) = in->log_group_names.v[i];
	for (size_t i = 0; i < in->log_group_identifiers.n; i++) {
		TRY(logs_group_name(c, STR_NONE, in->log_group_identifiers.v[i], &name));
		*VEC_PUSH(c->arena, out, &capacity) = name;
	}
	if (out->n > GROUPS_MAX) return LOGS_FAIL(c, INVALID_PARAMETER, "A query may ask 50 log groups at most.");
	for (size_t i = 0; i < out->n; i++) {
		struct logs_rec_group g;
		TRY(logs_group_load(c, out->v[i], &g));
	}
	return OK;
}

status logs_start_query(struct call *c, const struct logs_start_query_input *in, struct logs_start_query_output *out)
{
	struct ins_query *parsed;
	struct str why;
	struct logs_rec_query q = {.id = rand_uuid(c->arena),
		.text = in->query_string,
		.limit = in->limit,
		.status = STR("Scheduled"),
		.created = SOME_TIME(c->now_ms),
		.account = c->account,
		.region = c->region};
	if (str_has(in->query_language) && !str_is(in->query_language, "CWLI"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Queries in %.*s are not implemented yet.",
			STR_ARG(in->query_language));
	TRY(choose(c, in, &q.groups));
	/* "Specified as epoch time, the number of seconds"; consoles send milliseconds, and AWS takes both. */
	int64_t from = in->start_time.v, to = in->end_time.v;
	q.from = SOME_TIME(from < 100000000000 ? from * 1000 : from);
	q.to = SOME_TIME(to < 100000000000 ? to * 1000 : to);
	if (q.from.ms > q.to.ms)
		return LOGS_FAIL(c, INVALID_PARAMETER, "The end time must not be before the start time.");
	status s = ins_parse(c->arena, in->query_string, &parsed, &why);
	ins_end(parsed);
	if (!is_ok(s)) return LOGS_FAIL(c, MALFORMED_QUERY, "%.*s", STR_ARG(why));
	put(c->tx, c->arena, &q);
	struct job job = job_of(c->arena, &q, c->now_ms);
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
	out->query_id = q.id;
	return OK;
}

status logs_get_query_results(
	struct call *c, const struct logs_get_query_results_input *in, struct logs_get_query_results_output *out)
{
	struct logs_rec_query q;
	struct str after;
	uint64_t from = 0;
	TRY(logs_token(c, in->next_token, &after));
	TRY(find(c, in->query_id, &q));
	if (str_has(q.rows)) TRY(wire_json_to(c->arena, TABLES, LOGS_SHAPE_GET_QUERY_RESULTS_RESPONSE, q.rows, out));
	VEC_PRESENT(c->arena, &out->results);
	if (str_has(in->next_token) && (!is_ok(str_to_u64(after, &from)) || from > out->results.n))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	size_t most = in->max_items.v > 0 ? (size_t)in->max_items.v : SIZE_MAX;
	out->results.v += from;
	out->results.n -= (size_t)from;
	if (out->results.n > most) {
		out->results.n = most;
		out->next_token = str_base64(c->arena, str_fmt(c->arena, "%llu", (unsigned long long)from + most));
	}
	out->query_language = STR("CWLI");
	out->status = q.status;
	out->statistics = arena_new(c->arena, struct logs_query_statistics);
	*out->statistics = (struct logs_query_statistics){.records_matched = SOME_F64(q.matched.v),
		.records_scanned = SOME_F64(q.scanned.v),
		.estimated_records_skipped = SOME_F64(0),
		.bytes_scanned = SOME_F64(q.bytes.v),
		.estimated_bytes_skipped = SOME_F64(0),
		.log_groups_scanned = SOME_F64((double)q.groups.n)};
	return OK;
}

status logs_stop_query(struct call *c, const struct logs_stop_query_input *in, struct logs_stop_query_output *out)
{
	struct logs_rec_query q;
	TRY(find(c, in->query_id, &q));
	if (!str_is(q.status, "Scheduled"))
		return LOGS_FAIL(
			c, INVALID_PARAMETER, "Query with given query id is not running: %.*s", STR_ARG(q.status));
	q.status = STR("Cancelled");
	put(c->tx, c->arena, &q);
	struct job job = job_of(c->arena, &q, c->now_ms + KEEP_MS);
	jobs_schedule(c->tx, &job);
	out->success = SOME_BOOL(true);
	return OK;
}

status logs_describe_queries(
	struct call *c, const struct logs_describe_queries_input *in, struct logs_describe_queries_output *out)
{
	struct str space = logs_key(c->arena, "query", c->account, c->region), key, value, after;
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	status s = OK;
	TRY(logs_token(c, in->next_token, &after));
	VEC_PRESENT(c->arena, &out->queries);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct logs_rec_query q = {0};
		bool named = !str_has(in->log_group_name);
		s = logs_rec_query_decode(c->arena, str_dup(c->arena, value), &q);
		for (size_t i = 0; i < q.groups.n; i++) named = named || str_eq(q.groups.v[i], in->log_group_name);
		if (!is_ok(s) || !named || str_cmp(q.id, after) <= 0) continue;
		if (str_has(in->status) && !str_eq(in->status, q.status)) continue;
		if (out->queries.n == most) {
			out->next_token = str_base64(c->arena, out->queries.v[most - 1].query_id);
			break;
		}
		*VEC_PUSH(c->arena, &out->queries, &capacity) = (struct logs_query_info){.query_language = STR("CWLI"),
			.query_id = q.id,
			.query_string = q.text,
			.status = q.status,
			.create_time = SOME_I64(q.created.ms),
			.log_group_name = q.groups.n ? q.groups.v[0] : STR_NONE,
			.query_duration = SOME_I64(q.millis.v),
			.bytes_scanned = SOME_F64(q.bytes.v)};
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── one record ── */

status logs_get_log_record(
	struct call *c, const struct logs_get_log_record_input *in, struct logs_get_log_record_output *out)
{
	struct str bytes, rest;
	struct logs_position p;
	struct logs_rec_group g;
	struct logs_rec_stream r;
	size_t capacity = 0;
	if (!is_ok(str_unbase64(c->arena, in->log_record_pointer, &bytes)) || bytes.n < sizeof(p))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The log record pointer is invalid.");
	rest = str_sub(bytes, 0, bytes.n - sizeof(p));
	struct str group = str_cut(&rest, '\n'), stream = str_cut(&rest, '\n');
	if (!str_has(stream)) return LOGS_FAIL(c, INVALID_PARAMETER, "The log record pointer is invalid.");
	memcpy(&p, bytes.p + bytes.n - sizeof(p), sizeof(p));
	TRY(logs_group_load(c, group, &g));
	TRY(logs_stream_load(c, group, stream, &r));
	struct logs_streams one = {&r, 1, 1};
	struct logs_owner owner = {.cloud = c->cloud, .group = &g, .now_ms = c->now_ms};
	struct logs_scan s = {.tx = c->tx,
		.a = c->arena,
		.owner = &owner,
		.streams = &one,
		.from = p.at,
		.to = p.at + 1,
		.limit = SIZE_MAX,
		.bytes = SIZE_MAX};
	TRY(logs_sealed_failed(c, logs_scan(&s), &owner));
	for (size_t i = 0; i < s.out.n; i++) {
		if (logs_position_cmp(&s.out.v[i].position, &p)) continue;
		struct ins_row row = {.event = &s.out.v[i],
			.log = str_fmt(c->arena, "%.*s:%.*s", STR_ARG(c->account), STR_ARG(group)),
			.ptr = in->log_record_pointer};
		static const char *const fields[] = {
			"@timestamp", "@message", "@logStream", "@log", "@ingestionTime", "@ptr"};
		for (size_t k = 0; k < sizeof(fields) / sizeof(*fields); k++) {
			struct logs_log_record_entry *f = VEC_PUSH(c->arena, &out->log_record, &capacity);
			f->key = str_c(fields[k]);
			f->value = ins_field(c->arena, &row, f->key);
		}
		return OK;
	}
	return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The log record does not exist.");
}
