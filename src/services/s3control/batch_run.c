/* A job's life ("Job statuses"): New, Preparing, Suspended where it has to be confirmed, Ready, Active, Paused while
 * another has a higher priority, Completing, Complete; Failing, Failed; Cancelling, Cancelled.
 *
 * The clock's job looks at the record, does what its status asks for, and commits what came of it in a transaction of
 * its own: tasks are requests, with commits of their own, so they cannot be part of it. A run is short (a third of a second
 * of tasks) and the next one goes on from the record. Two runs of one job never overlap: the clock's job can be
 * scheduled anew (a status that changed) while it runs, and then waits. */
#include "base/log.h"
#include "base/map.h"
#include "identity/identity.h"
#include "services/s3control/batch.h"
#include "services/sts/inside.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char batch_kind[] = "s3control.batch";
static const int64_t turn_ms = 300, step_ms = 200, wait_ms = 300, kept_ms = 90ll * 86400000;
/* "When a job has run at least 1,000 tasks … if the failure rate … exceeds 50 percent, the job fails." */
enum { THRESHOLD_TASKS = 1000 };
#define SERVICE "batchoperations.s3.amazonaws.com"

struct runs {
	struct cloud *cloud;
	pthread_mutex_t lock;
	struct map running; /* ids of jobs that a worker is at */
};

status batch_fails(struct batch *b, const char *code, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	b->failure_code = str_c(code);
	b->failure_reason = str_dup(b->a, str_n(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1));
	return STATUS(FAILED);
}

/* ── the record ── */

static struct str clock_id(struct arena *a, const struct s3control_rec_job *job)
{
	return str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(job->account), STR_ARG(job->region), STR_ARG(job->id));
}

void batch_schedule(struct store_tx *tx, struct arena *a, const struct s3control_rec_job *job, int64_t due_ms)
{
	struct job j = {.kind = str_c(batch_kind), .id = clock_id(a, job), .due_ms = due_ms, .payload = STR("")};
	jobs_schedule(tx, &j);
}

/* What a step has come to; anything else in the record (status, priority, tags) is as it stands now, as a request may
 * have changed it meanwhile. to: the next status, unless the job is being cancelled by now; STR_NONE: as it is. */
struct step {
	struct str to;
	const struct s3control_rec_results *results; /* or NULL */
	status (*more)(struct batch *b, struct store_tx *tx);
};

static bool is_cancelling(const struct s3control_rec_job *job)
{
	return str_is(job->status, "Cancelling");
}

static void set_status(struct batch *b, struct s3control_rec_job *now, struct str to)
{
	int64_t at = clock_now(b->cloud->clock);
	if (is_cancelling(now) && !str_is(to, "Cancelled")) return;
	now->status = to;
	if (str_is(to, "Suspended")) now->suspended = SOME_TIME(at);
	if (batch_is_over(to)) now->terminated = SOME_TIME(at);
}

static status save_once(struct batch *b, const struct step *step)
{
	struct arena *a = b->a;
	struct s3control_rec_job was, *mine = b->job;
	store_ticket ticket;
	struct store_tx *tx = store_begin(b->cloud->store, a, false);
	status s = batch_load(tx, a, mine->account, mine->region, mine->id, &was);
	struct s3control_rec_job now = was;
	if (is_ok(s) && step->more) s = step->more(b, tx);
	if (is_ok(s)) {
		now.failure_code = mine->failure_code;
		now.failure_reason = mine->failure_reason;
		now.bucket = mine->bucket;
		now.total = mine->total;
		now.succeeded = mine->succeeded;
		now.failed = mine->failed;
		now.blocks = mine->blocks;
		now.block = mine->block;
		now.row = mine->row;
		now.results = mine->results;
		now.active_ms = mine->active_ms;
		now.manifest_arn = mine->manifest_arn;
		now.manifest_e_tag = mine->manifest_e_tag;
		if (step->results)
			store_put(tx, batch_piece_key(a, "job-result", now.id, mine->results.v - 1),
				s3control_rec_results_encode(a, step->results));
		if (str_has(step->to)) set_status(b, &now, step->to);
		batch_save(tx, a, &was, &now);
		s = store_commit(tx, &ticket);
	}
	/* The record's strings go with the transaction. */
	struct str bytes = is_ok(s) ? s3control_rec_job_encode(a, &now) : STR_NONE;
	store_end(tx);
	if (!is_ok(s)) return s;
	*mine = (struct s3control_rec_job){0};
	return s3control_rec_job_decode(a, bytes, mine);
}

static status save(struct batch *b, const struct step *step)
{
	status s;
	do s = save_once(b, step);
	while (status_is(s, STATUS_CONFLICT));
	return s;
}

static status go(struct batch *b, const char *to)
{
	return save(b, &(struct step){.to = str_c(to)});
}

static status fail(struct batch *b)
{
	log_warn("s3control", "batch-job-failed", "id=%.*s code=%.*s", STR_ARG(b->job->id), STR_ARG(b->failure_code));
	b->job->failure_code = b->failure_code;
	b->job->failure_reason = b->failure_reason;
	return go(b, "Failing");
}

/* ── the role ── */

/* A session of the role: its trust policy decides whether Batch Operations may have one. */
static status assume(struct batch *b)
{
	struct str why = STR("");
	status s = sts_assume_inside(b->cloud, b->a, b->job->account, b->job->region, STR(SERVICE), b->in->role_arn,
		str_fmt(b->a, "s3-batch-operations_%.*s", STR_ARG(b->job->id)), &b->who, &why);
	if (!status_is(s, STATUS_FAILED)) return s;
	return batch_fails(b, "RoleNotAssumable", "S3 Batch Operations cannot assume the role: %.*s",
		STR_ARG(str_sub(why, 0, 160)));
}

/* ── tasks ── */

static status load_block(struct batch *b, struct s3control_rec_block *out)
{
	struct str bytes;
	struct store_tx *tx = store_begin(b->cloud->store, b->a, true);
	*out = (struct s3control_rec_block){0};
	status s = store_get(tx, batch_piece_key(b->a, "job-block", b->job->id, b->job->block.v), &bytes);
	if (is_ok(s)) s = s3control_rec_block_decode(b->a, str_dup(b->a, bytes), out);
	store_end(tx);
	return s;
}

/* So many rows as fit into a step, or the rest of the block; then one commit. */
static status do_rows(struct batch *b, const struct s3control_rec_block *block)
{
	struct s3control_rec_job *job = b->job;
	struct buf rows[2] = {BUF_HEAP, BUF_HEAP};
	int64_t began = clock_monotonic_us() / 1000, now = began;
	size_t at = (size_t)job->row.v;
	for (; at < block->rows.n && now - began < step_ms; at++) {
		struct batch_outcome out;
		batch_task(b, &block->rows.v[at], &out);
		batch_report_row(&rows[out.ok], job, &block->rows.v[at], &out);
		struct opt_i64 *count = out.ok ? &job->succeeded : &job->failed;
		*count = SOME_I64(count->v + 1);
		now = clock_monotonic_us() / 1000;
	}
	job->active_ms = SOME_I64(job->active_ms.v + now - began);
	job->row = SOME_I32((int32_t)at);
	if (at == block->rows.n) {
		job->row = SOME_I32(0);
		job->block = SOME_I64(job->block.v + 1);
	}
	job->results = SOME_I64(job->results.v + 1);
	struct s3control_rec_results results = {buf_done(&rows[1]), buf_done(&rows[0])};
	status s = save(b, &(struct step){.to = STR_NONE, .results = &results});
	buf_cleanup(&rows[0]);
	buf_cleanup(&rows[1]);
	return s;
}

static bool too_many_failures(const struct s3control_rec_job *job)
{
	int64_t run = job->succeeded.v + job->failed.v;
	return run >= THRESHOLD_TASKS && job->failed.v * 2 > run;
}

static bool outranked(struct batch *b)
{
	struct store_tx *tx = store_begin(b->cloud->store, b->a, true);
	bool is = batch_outranked(tx, b->a, b->job);
	store_end(tx);
	return is;
}

static status work(struct batch *b)
{
	int64_t began = clock_monotonic_us() / 1000;
	while (str_is(b->job->status, "Active") && clock_monotonic_us() / 1000 - began < turn_ms) {
		struct s3control_rec_block block;
		if (b->job->block.v >= b->job->blocks.v) return go(b, "Completing");
		if (outranked(b)) return go(b, "Paused");
		TRY(load_block(b, &block));
		TRY(do_rows(b, &block));
		if (too_many_failures(b->job)) {
			(void)!is_ok(batch_fails(b, "FailureThresholdExceeded",
				"The job failed because more than 50 percent of its tasks failed"));
			return fail(b);
		}
	}
	return OK;
}

/* ── the life ── */

static status prepare(struct batch *b)
{
	status s = save(b, &(struct step){.to = b->in->confirmation_required.v ? STR("Suspended") : STR("Ready"),
				   .more = batch_prepare});
	return status_is(s, STATUS_FAILED) ? fail(b) : s;
}

/* A report that cannot be written fails the job. */
static status end(struct batch *b, const char *as)
{
	status s = batch_report(b);
	if (!status_is(s, STATUS_FAILED)) {
		TRY(s);
		return go(b, as);
	}
	if (!str_has(b->job->failure_code)) {
		b->job->failure_code = b->failure_code;
		b->job->failure_reason = b->failure_reason;
	}
	return go(b, str_is(str_c(as), "Cancelled") ? as : "Failed");
}

static status step(struct batch *b)
{
	struct str is = b->job->status;
	if (str_is(is, "New")) return go(b, "Preparing");
	if (str_is(is, "Cancelling") && !b->job->results.v) return go(b, "Cancelled");
	if (str_is(is, "Failing") && !b->job->results.v) return go(b, "Failed");
	status s = str_has(b->who.principal.arn) ? OK : assume(b);
	if (status_is(s, STATUS_FAILED)) {
		if (str_is(is, "Cancelling")) return go(b, "Cancelled");
		if (!str_is(is, "Failing")) return fail(b);
		return go(b, "Failed");
	}
	TRY(s);
	if (str_is(is, "Preparing")) return prepare(b);
	if (str_is(is, "Ready") || str_is(is, "Paused")) return outranked(b) ? OK : go(b, "Active");
	if (str_is(is, "Active")) return work(b);
	if (str_is(is, "Completing")) return end(b, "Complete");
	if (str_is(is, "Failing")) return end(b, "Failed");
	return end(b, "Cancelled");
}

/* Until it waits for something, or its turn is over. */
static status drive(struct batch *b, int64_t *again_ms)
{
	int64_t began = clock_monotonic_us() / 1000;
	for (;;) {
		struct str was = b->job->status;
		int64_t done = b->job->results.v;
		if (batch_is_over(was)) {
			*again_ms = b->job->terminated.ms + kept_ms;
			return OK;
		}
		if (str_is(was, "Suspended")) return OK;
		TRY(step(b));
		bool stands = str_eq(was, b->job->status) && done == b->job->results.v;
		if (!stands && clock_monotonic_us() / 1000 - began < turn_ms) continue;
		if (batch_is_over(b->job->status) || str_is(b->job->status, "Suspended")) continue;
		*again_ms = clock_now(b->cloud->clock) + (stands ? wait_ms : 0);
		return OK;
	}
}

static status peek(struct cloud *cloud, struct arena *a, struct str account, struct str region, struct str id,
	struct s3control_rec_job *out)
{
	struct str bytes;
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status s = store_get(tx, batch_key(a, account, region, id), &bytes);
	if (is_ok(s)) bytes = str_dup(a, bytes);
	store_end(tx);
	*out = (struct s3control_rec_job){0};
	return is_ok(s) ? s3control_rec_job_decode(a, bytes, out) : s;
}

static status run_job(struct runs *r, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct s3control_rec_job record;
	struct s3control_create_job_input in;
	struct str id = job->id, account = str_cut(&id, '/'), region = str_cut(&id, '/');
	/* Not in tx: it would lose to what this run itself commits. */
	status s = peek(r->cloud, a, account, region, id, &record);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (batch_is_over(record.status) && clock_now(r->cloud->clock) >= record.terminated.ms + kept_ms)
		return batch_drop(tx, a, &record);
	TRY(batch_document(a, &record, &in));
	struct batch b = {.cloud = r->cloud, .a = a, .job = &record, .in = &in};
	return drive(&b, again_ms);
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct runs *r = ctx;
	pthread_mutex_lock(&r->lock);
	bool free_ = !map_get(&r->running, job->id);
	if (free_) map_set(&r->running, job->id, r);
	pthread_mutex_unlock(&r->lock);
	if (!free_) {
		*again_ms = clock_now(r->cloud->clock) + wait_ms;
		return OK;
	}
	status s = run_job(r, tx, a, job, again_ms);
	pthread_mutex_lock(&r->lock);
	map_remove(&r->running, job->id);
	pthread_mutex_unlock(&r->lock);
	return s;
}

void *batch_start(struct cloud *cloud)
{
	struct runs *r = mem_new(sizeof *r);
	r->cloud = cloud;
	pthread_mutex_init(&r->lock, NULL);
	map_init(&r->running);
	jobs_register(cloud->jobs, batch_kind, run, r);
	return r;
}

void batch_stop(void *runs)
{
	struct runs *r = runs;
	if (!r) return;
	map_cleanup(&r->running, NULL);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
