/* Export tasks: a group's events of a span of time, as gzipped text in a bucket, one object or more for each stream,
 * below PREFIX/TASK/STREAM/ ("Export log data to Amazon S3"). One task at a time is pending or running in an account
 * and region. The objects are written by a job, in CloudWatch Logs' own name: bucket policies are not asked. */
#include "base/gzip.h"
#include "base/rand.h"
#include "call/inside.h"
#include "s3.h"
#include "services/logs/chunk.h"

static const char kind[] = "logs.export";
enum { PAGE = 50, OBJECT_BYTES = 16 << 20 };
#define TABLES (&wire_service_logs.tables)

struct exported {
	struct logs_rec_export r;
	struct logs_export_task task;
};

static status decode(struct arena *a, struct str bytes, struct exported *out)
{
	*out = (struct exported){0};
	TRY(logs_rec_export_decode(a, bytes, &out->r));
	return wire_json_to(a, TABLES, LOGS_SHAPE_EXPORT_TASK, out->r.task, &out->task);
}

static void put(struct store_tx *tx, struct arena *a, struct exported *e)
{
	e->r.task = wire_json_of(a, TABLES, LOGS_SHAPE_EXPORT_TASK, &e->task);
	store_put(tx, logs_key_of(a, "export", e->r.account, e->r.region, e->r.id), logs_rec_export_encode(a, &e->r));
}

struct tasks {
	struct exported *v;
	size_t n, capacity;
};

static status tasks_of(struct call *c, struct tasks *out)
{
	struct str space = logs_key(c->arena, "export", c->account, c->region), key, value;
	status s = OK;
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = decode(c->arena, str_dup(c->arena, value), VEC_PUSH(c->arena, out, &out->capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static bool is_open(const struct exported *e)
{
	return str_is(e->task.status->code, "PENDING") || str_is(e->task.status->code, "RUNNING");
}

/* ── the run ── */

static bool write_object(
	struct logs *l, struct arena *a, const struct exported *e, struct str name, struct str bytes, struct str *why)
{
	struct str key = str_fmt(
		a, "%.*s/%.*s", STR_ARG(str_or(e->task.destination_prefix, STR("exportedlogs"))), STR_ARG(name));
	struct s3_put_object_request in = {.bucket = e->task.destination, .key = key};
	struct inside_caller who = inside_service(
		a, e->r.account, e->r.region, str_fmt(a, "logs.%.*s.amazonaws.com", STR_ARG(e->r.region)));
	struct inside *i = inside_run(l->cloud, &who, "s3", S3_OP_PUT_OBJECT, &in, &bytes);
	bool ok = i->ok;
	if (!ok) *why = str_fmt(a, "%.*s: %.*s", STR_ARG(i->code), STR_ARG(i->message));
	inside_free(i);
	return ok;
}

/* A / in a stream's name would make folders: AWS writes - there. */
static struct str folder_of(struct arena *a, struct str stream)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < stream.n; i++) buf_byte(&b, stream.p[i] == '/' ? '-' : stream.p[i]);
	return buf_done(&b);
}

static status export_stream(struct logs *l, struct store_tx *tx, struct arena *a, const struct exported *e,
	const struct logs_rec_group *g, const struct logs_rec_stream *r, struct str *why)
{
	struct logs_streams one = {(struct logs_rec_stream *)arena_copy(a, r, sizeof(*r)), 1, 1};
	struct logs_owner owner = {.cloud = l->cloud, .group = g, .now_ms = clock_now(l->cloud->clock)};
	struct logs_position at;
	bool more = true;
	for (unsigned part = 0; more; part++) {
		struct logs_scan s = {.tx = tx,
			.a = a,
			.owner = &owner,
			.streams = &one,
			.from = e->task.from.v,
			.to = e->task.to.v,
			.after = part ? &at : NULL,
			.limit = SIZE_MAX,
			.bytes = OBJECT_BYTES};
		struct buf text = BUF_IN(a);
		status st = logs_scan(&s);
		if (status_is(st, STATUS_FAILED)) {
			*why = str_dup(a, owner.why.message);
			return OK;
		}
		TRY(st);
		if (!s.out.n) return OK;
		for (size_t i = 0; i < s.out.n; i++) {
			buf_str(&text, time_iso8601(a, s.out.v[i].position.at, true));
			buf_byte(&text, ' ');
			buf_str(&text, s.out.v[i].message);
			buf_byte(&text, '\n');
		}
		struct str name =
			str_fmt(a, "%.*s/%.*s/%06u.gz", STR_ARG(e->r.id), STR_ARG(folder_of(a, r->name)), part);
		if (!write_object(l, a, e, name, gzip_pack(a, buf_done(&text)), why)) return OK;
		at = s.out.v[s.out.n - 1].position;
		more = s.more;
	}
	return OK;
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct logs *l = ctx;
	struct str id = job->id, account = str_cut(&id, '/'), region = str_cut(&id, '/'), bytes, why = STR_NONE;
	struct exported e;
	struct logs_rec_group g = {0};
	struct logs_streams streams = {0};
	(void)again_ms;
	status s = store_get(tx, logs_key_of(a, "export", account, region, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(decode(a, bytes, &e));
	if (!is_open(&e)) return OK;
	TRY(logs_streams_of(
		tx, a, account, region, e.task.log_group_name, str_or(e.r.stream_prefix, STR("")), &streams));
	s = store_peek(tx, logs_key_of(a, "group", account, region, e.task.log_group_name), &bytes);
	if (is_ok(s)) s = logs_rec_group_decode(a, bytes, &g);
	if (status_is(s, STATUS_NOT_FOUND)) why = STR("The specified log group does not exist.");
	if (!is_ok(s) && !str_has(why)) return s;
	if (!str_has(why))
		(void)write_object(l, a, &e, STR("aws-logs-write-test"), STR("Permission Check Successful"), &why);
	for (size_t i = 0; i < streams.n && !str_has(why); i++)
		TRY(export_stream(l, tx, a, &e, &g, &streams.v[i], &why));
	e.task.status->code = str_has(why) ? STR("FAILED") : STR("COMPLETED");
	e.task.status->message = str_or(why, STR("Completed successfully"));
	e.task.execution_info->completion_time = SOME_I64(clock_now(l->cloud->clock));
	put(tx, a, &e);
	return OK;
}

void logs_export_start(struct logs *l)
{
	jobs_register(l->cloud->jobs, kind, run, l);
}

/* ── the operations ── */

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static struct str job_id(struct arena *a, const struct exported *e)
{
	return str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(e->r.account), STR_ARG(e->r.region), STR_ARG(e->r.id));
}

status logs_create_export_task(
	struct call *c, const struct logs_create_export_task_input *in, struct logs_create_export_task_output *out)
{
	struct logs_rec_group g;
	struct logs_streams streams = {0};
	struct tasks list = {0};
	TRY(logs_group_load(c, in->log_group_name, &g));
	if (in->from.v >= in->to.v)
		return LOGS_FAIL(c, INVALID_PARAMETER, "The time range is not valid: from must be before to.");
	TRY(logs_streams_of(
		c->tx, c->arena, c->account, c->region, g.name, str_or(in->log_stream_name_prefix, STR("")), &streams));
	if (str_has(in->log_stream_name_prefix) && !streams.n)
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "No log stream's name begins with the prefix.");
	TRY(tasks_of(c, &list));
	for (size_t i = 0; i < list.n; i++)
		if (is_open(&list.v[i])) return LOGS_FAIL(c, LIMIT_EXCEEDED, "Resource limit exceeded.");
	struct logs_export_task_status *status_now = arena_new(c->arena, struct logs_export_task_status);
	struct logs_export_task_execution_info *info = arena_new(c->arena, struct logs_export_task_execution_info);
	*status_now = (struct logs_export_task_status){STR("PENDING"), STR("Task is pending")};
	info->creation_time = SOME_I64(c->now_ms);
	struct exported e = {.r = {.id = rand_uuid(c->arena),
				     .account = c->account,
				     .region = c->region,
				     .stream_prefix = in->log_stream_name_prefix,
				     .created = SOME_TIME(c->now_ms)},
		.task = {.task_name = in->task_name,
			.log_group_name = g.name,
			.from = in->from,
			.to = in->to,
			.destination = in->destination,
			.destination_prefix = in->destination_prefix,
			.status = status_now,
			.execution_info = info}};
	e.task.task_id = e.r.id;
	put(c->tx, c->arena, &e);
	struct job job = {.kind = str_c(kind), .id = job_id(c->arena, &e), .due_ms = c->now_ms, .payload = STR("")};
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
	out->task_id = e.r.id;
	return OK;
}

status logs_describe_export_tasks(struct call *c, const struct logs_describe_export_tasks_input *in,
	struct logs_describe_export_tasks_output *out)
{
	struct tasks list = {0};
	size_t capacity = 0, most = in->limit.has ? (size_t)in->limit.v : PAGE;
	uint64_t from = 0;
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &from)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	TRY(tasks_of(c, &list));
	VEC_PRESENT(c->arena, &out->export_tasks);
	for (size_t i = (size_t)from; i < list.n; i++) {
		const struct logs_export_task *t = &list.v[i].task;
		if (str_has(in->task_id) && !str_eq(in->task_id, t->task_id)) continue;
		if (str_has(in->status_code) && !str_eq(in->status_code, t->status->code)) continue;
		if (out->export_tasks.n == most) {
			out->next_token = str_fmt(c->arena, "%zu", i);
			break;
		}
		*VEC_PUSH(c->arena, &out->export_tasks, &capacity) = *t;
	}
	return OK;
}

status logs_cancel_export_task(
	struct call *c, const struct logs_cancel_export_task_input *in, struct logs_cancel_export_task_output *out)
{
	struct str bytes;
	struct exported e;
	(void)out;
	status s = store_get(c->tx, logs_key_of(c->arena, "export", c->account, c->region, in->task_id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified export task does not exist.");
	TRY(s);
	TRY(decode(c->arena, bytes, &e));
	if (!is_open(&e)) return LOGS_FAIL(c, INVALID_OPERATION, "The specified export task has already finished");
	e.task.status->code = STR("CANCELLED");
	e.task.status->message = STR("Cancelled by user");
	e.task.execution_info->completion_time = SOME_I64(c->now_ms);
	put(c->tx, c->arena, &e);
	jobs_cancel(c->tx, str_c(kind), job_id(c->arena, &e));
	return OK;
}
