/* Jobs as records: where they lie, DescribeJob, ListJobs, UpdateJobPriority, UpdateJobStatus, and their tags ("Managing
 * S3 Batch Operations jobs", Amazon S3 User Guide). */
#include "base/vec.h"
#include "services/s3control/batch.h"
#include "services/s3control/control.h"

enum { LIST_MAX = 1000, TAGS_MAX = 50, TAG_KEY_MAX = 128, TAG_VALUE_MAX = 256 };

/* ── where they lie ── */

struct str batch_key(struct arena *a, struct str account, struct str region, struct str id)
{
	struct key k = key_for(a, STR("s3control"), STR("job"), account, region);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

struct str batch_piece_key(struct arena *a, const char *kind, struct str id, int64_t number)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3control"));
	key_str(&k, str_c(kind));
	key_str(&k, id);
	if (number >= 0) key_u64(&k, (uint64_t)number);
	return key_done(&k);
}

static struct str time_key(struct arena *a, struct str account, struct str region, const struct s3control_rec_job *job)
{
	struct key k = key_for(a, STR("s3control"), STR("job-time"), account, region);
	if (job) {
		key_i64(&k, job->created.ms);
		key_str(&k, job->id);
	}
	return key_done(&k);
}

static struct str queue_key(struct arena *a, const struct s3control_rec_job *job, bool all)
{
	struct key k = key_for(a, STR("s3control"), STR("job-queue"), job->account, job->region);
	if (!all) {
		key_u64(&k, (uint64_t)job->priority.v);
		key_str(&k, job->id);
	}
	return key_done(&k);
}

struct str batch_token_key(struct arena *a, struct str account, struct str region, struct str token)
{
	struct key k = key_for(a, STR("s3control"), STR("job-token"), account, region);
	key_str(&k, token);
	return key_done(&k);
}

status batch_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str id,
	struct s3control_rec_job *out)
{
	struct str bytes;
	*out = (struct s3control_rec_job){0};
	TRY(store_get(tx, batch_key(a, account, region, id), &bytes));
	return s3control_rec_job_decode(a, bytes, out);
}

static bool may_run(const struct s3control_rec_job *job)
{
	return str_is(job->status, "Ready") || str_is(job->status, "Active") || str_is(job->status, "Paused");
}

bool batch_is_over(struct str s)
{
	return str_is(s, "Complete") || str_is(s, "Failed") || str_is(s, "Cancelled");
}

void batch_save(
	struct store_tx *tx, struct arena *a, const struct s3control_rec_job *was, const struct s3control_rec_job *job)
{
	if (was && may_run(was)) store_delete(tx, queue_key(a, was, false));
	if (may_run(job)) store_put(tx, queue_key(a, job, false), STR(""));
	if (!was) {
		store_put(tx, time_key(a, job->account, job->region, job), STR(""));
		store_put(tx, batch_token_key(a, job->account, job->region, job->token), job->id);
	}
	store_put(tx, batch_key(a, job->account, job->region, job->id), s3control_rec_job_encode(a, job));
}

bool batch_outranked(struct store_tx *tx, struct arena *a, const struct s3control_rec_job *job)
{
	struct str from = queue_key(a, job, true), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), true);
	uint64_t highest = 0;
	if (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, from.n);
		if (!is_ok(key_read_u64(&rest, &highest))) highest = 0;
	}
	return is_ok(store_scan_end(scan)) && highest > (uint64_t)job->priority.v;
}

static status drop_pieces(struct store_tx *tx, struct arena *a, const char *kind, struct str id)
{
	struct str from = batch_piece_key(a, kind, id, -1), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(tx, str_dup(a, key));
	return store_scan_end(scan);
}

status batch_drop(struct store_tx *tx, struct arena *a, const struct s3control_rec_job *job)
{
	TRY(drop_pieces(tx, a, "job-block", job->id));
	TRY(drop_pieces(tx, a, "job-result", job->id));
	store_delete(tx, time_key(a, job->account, job->region, job));
	store_delete(tx, queue_key(a, job, false));
	store_delete(tx, batch_token_key(a, job->account, job->region, job->token));
	store_delete(tx, batch_key(a, job->account, job->region, job->id));
	return OK;
}

status batch_document(struct arena *a, const struct s3control_rec_job *job, struct s3control_create_job_input *in)
{
	struct wire_failure why = {0};
	struct wire_match m = {
		.service = &wire_service_s3control,
		.op = &wire_service_s3control.tables.ops[S3CONTROL_OP_CREATE_JOB],
		.op_index = S3CONTROL_OP_CREATE_JOB,
		.protocol = WIRE_REST_XML,
	};
	struct wire_request r = {
		.method = STR("POST"), .path = STR("/v20180820/jobs"), .host = STR(""), .body = job->document};
	*in = (struct s3control_create_job_input){0};
	return is_ok(wire_decode(a, &m, &r, in, &why)) ? OK : STATUS(CORRUPT);
}

struct str batch_operation(const struct s3control_job_operation *o)
{
	const struct {
		const void *there;
		const char *name;
	} all[] = {
		{o->lambda_invoke, "LambdaInvoke"},
		{o->s3_put_object_copy, "S3PutObjectCopy"},
		{o->s3_put_object_acl, "S3PutObjectAcl"},
		{o->s3_put_object_tagging, "S3PutObjectTagging"},
		{o->s3_delete_object_tagging, "S3DeleteObjectTagging"},
		{o->s3_initiate_restore_object, "S3InitiateRestoreObject"},
		{o->s3_put_object_legal_hold, "S3PutObjectLegalHold"},
		{o->s3_put_object_retention, "S3PutObjectRetention"},
		{o->s3_replicate_object, "S3ReplicateObject"},
		{o->s3_compute_object_checksum, "S3ComputeObjectChecksum"},
		{o->s3_update_object_encryption, "S3UpdateObjectEncryption"},
	};
	struct str found = STR_NONE;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (!all[i].there) continue;
		if (str_has(found)) return STR_NONE;
		found = str_c(all[i].name);
	}
	return found;
}

/* ── operations ── */

static status load(struct call *c, struct str account, struct str id, struct s3control_rec_job *out)
{
	TRY(s3control_check_account(c, account));
	status s = batch_load(c->tx, c->arena, c->account, c->region, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	/* "Troubleshooting S3 Batch Operations". */
	return call_fail(c, S3CONTROL_ERR_NO_SUCH_JOB_EXCEPTION, "The specified job does not exist");
}

static struct s3control_job_progress_summary *progress(struct call *c, const struct s3control_rec_job *job)
{
	struct s3control_job_progress_summary *p = arena_new(c->arena, struct s3control_job_progress_summary);
	p->total_number_of_tasks = SOME_I64(job->total.v);
	p->number_of_tasks_succeeded = SOME_I64(job->succeeded.v);
	p->number_of_tasks_failed = SOME_I64(job->failed.v);
	p->timers = arena_new(c->arena, struct s3control_job_timers);
	p->timers->elapsed_time_in_active_seconds = SOME_I64(job->active_ms.v / 1000);
	return p;
}

status s3control_describe_job(
	struct call *c, const struct s3control_describe_job_input *in, struct s3control_describe_job_output *out)
{
	struct s3control_rec_job job;
	struct s3control_create_job_input asked;
	TRY(load(c, in->account_id, in->job_id, &job));
	TRY(batch_document(c->arena, &job, &asked));
	struct s3control_job_descriptor *d = out->job = arena_new(c->arena, struct s3control_job_descriptor);
	*d = (struct s3control_job_descriptor){
		.job_id = job.id,
		.confirmation_required = SOME_BOOL(asked.confirmation_required.v),
		.description = asked.description,
		.job_arn = str_fmt(c->arena, "arn:%.*s:s3:%.*s:%.*s:job/%.*s", STR_ARG(job.partition),
			STR_ARG(job.region), STR_ARG(job.account), STR_ARG(job.id)),
		.status = job.status,
		.manifest = asked.manifest,
		.operation = asked.operation,
		.priority = job.priority,
		.progress_summary = progress(c, &job),
		.status_update_reason = job.reason,
		.report = asked.report,
		.creation_time = job.created,
		.termination_date = job.terminated,
		.role_arn = asked.role_arn,
		.suspended_date = job.suspended,
		.suspended_cause = job.suspended.has ? STR("Awaiting confirmation") : STR_NONE,
		.manifest_generator = asked.manifest_generator,
	};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &d->failure_reasons);
	if (str_has(job.failure_code))
		*VEC_PUSH(c->arena, &d->failure_reasons, &capacity) =
			(struct s3control_job_failure){job.failure_code, job.failure_reason};
	if (!str_has(job.manifest_arn)) return OK;
	d->generated_manifest_descriptor = arena_new(c->arena, struct s3control_s3_generated_manifest_descriptor);
	d->generated_manifest_descriptor->format = STR("S3InventoryReport_CSV_20211130");
	d->generated_manifest_descriptor->location = arena_new(c->arena, struct s3control_job_manifest_location);
	*d->generated_manifest_descriptor->location =
		(struct s3control_job_manifest_location){.object_arn = job.manifest_arn, .e_tag = job.manifest_e_tag};
	return OK;
}

static bool wanted(const struct s3control_job_status_list *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s)) return true;
	return l->n == 0;
}

/* Newest first; the token is the key to go on below. */
status s3control_list_jobs(
	struct call *c, const struct s3control_list_jobs_input *in, struct s3control_list_jobs_output *out)
{
	struct arena *a = c->arena;
	size_t capacity = 0, limit = in->max_results.has ? (size_t)in->max_results.v : LIST_MAX;
	TRY(s3control_check_account(c, in->account_id));
	struct str from = time_key(a, c->account, c->region, NULL), to = key_after(a, from), key, value,
		   last = STR_NONE;
	if (str_has(in->next_token) && (!is_ok(str_unbase64(a, in->next_token, &to)) || !str_starts(to, from)))
		return call_fail(c, S3CONTROL_ERR_INVALID_NEXT_TOKEN_EXCEPTION, "The next token is not valid.");
	VEC_PRESENT(a, &out->jobs);
	struct store_scan *scan = store_scan_begin(c->tx, from, to, true);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct s3control_rec_job job;
		struct s3control_create_job_input asked;
		struct str rest = str_from(key, from.n), id;
		int64_t created;
		s = key_read_i64(&rest, &created);
		if (is_ok(s)) s = key_read_str(a, &rest, &id);
		if (is_ok(s)) s = batch_load(c->tx, a, c->account, c->region, id, &job);
		if (is_ok(s)) s = batch_document(a, &job, &asked);
		if (!is_ok(s) || !wanted(&in->job_statuses, job.status)) continue;
		if (out->jobs.n == limit) {
			out->next_token = str_base64(a, last);
			break;
		}
		last = str_dup(a, key);
		*VEC_PUSH(a, &out->jobs, &capacity) = (struct s3control_job_list_descriptor){
			.job_id = job.id,
			.description = asked.description,
			.operation = batch_operation(asked.operation),
			.priority = job.priority,
			.status = job.status,
			.creation_time = job.created,
			.termination_date = job.terminated,
			.progress_summary = progress(c, &job),
		};
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

status s3control_update_job_priority(struct call *c, const struct s3control_update_job_priority_input *in,
	struct s3control_update_job_priority_output *out)
{
	struct s3control_rec_job job;
	TRY(load(c, in->account_id, in->job_id, &job));
	if (batch_is_over(job.status))
		return call_fail(c, S3CONTROL_ERR_BAD_REQUEST_EXCEPTION,
			"The priority of a job in the %.*s state cannot be changed", STR_ARG(job.status));
	struct s3control_rec_job fresh = job;
	fresh.priority = in->priority;
	batch_save(c->tx, c->arena, &job, &fresh);
	out->job_id = job.id;
	out->priority = fresh.priority;
	return OK;
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

/* "Updating job status": a suspended job can be confirmed, any that is not over can be cancelled. */
status s3control_update_job_status(struct call *c, const struct s3control_update_job_status_input *in,
	struct s3control_update_job_status_output *out)
{
	struct s3control_rec_job job;
	TRY(load(c, in->account_id, in->job_id, &job));
	bool cancel = str_is(in->requested_job_status, "Cancelled");
	bool over = batch_is_over(job.status) || str_is(job.status, "Cancelling") || str_is(job.status, "Failing") ||
		    str_is(job.status, "Completing");
	if (cancel ? over : !str_is(job.status, "Suspended"))
		return call_fail(c, S3CONTROL_ERR_JOB_STATUS_EXCEPTION,
			"The job is in the %.*s state, which does not allow the requested status %.*s",
			STR_ARG(job.status), STR_ARG(in->requested_job_status));
	struct s3control_rec_job fresh = job;
	fresh.status = cancel ? STR("Cancelling") : STR("Ready");
	fresh.reason = in->status_update_reason;
	batch_save(c->tx, c->arena, &job, &fresh);
	batch_schedule(c->tx, c->arena, &fresh, clock_now(c->cloud->clock));
	call_after_commit(c, poke, c->cloud->jobs);
	out->job_id = job.id;
	out->status = fresh.status;
	out->status_update_reason = fresh.reason;
	return OK;
}

/* ── tags ── */

status batch_tags_read(struct call *c, const struct s3control_s3_tag_set *from, struct s3control_rec_tags *out)
{
	size_t capacity = 0;
	*out = (struct s3control_rec_tags){0};
	if (from->n > TAGS_MAX)
		return call_fail(
			c, S3CONTROL_ERR_TOO_MANY_TAGS_EXCEPTION, "A job cannot have more than %d tags", TAGS_MAX);
	for (size_t i = 0; i < from->n; i++) {
		struct str key = str_or(from->v[i].key, STR("")), value = str_or(from->v[i].value, STR(""));
		size_t n = str_utf8_length(key);
		if (n < 1 || n > TAG_KEY_MAX || str_istarts(key, STR("aws:")))
			return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST, "The TagKey you have provided is invalid");
		if (str_utf8_length(value) > TAG_VALUE_MAX)
			return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST, "The TagValue you have provided is invalid");
		for (size_t j = 0; j < out->n; j++)
			if (str_eq(out->v[j].key, key))
				return call_fail(c, S3CONTROL_ERR_INVALID_REQUEST,
					"Cannot provide multiple Tags with the same key");
		*VEC_PUSH(c->arena, out, &capacity) = (struct s3control_rec_tag){key, value};
	}
	return OK;
}

status s3control_put_job_tagging(
	struct call *c, const struct s3control_put_job_tagging_input *in, struct s3control_put_job_tagging_output *out)
{
	struct s3control_rec_job job, fresh;
	(void)out;
	TRY(load(c, in->account_id, in->job_id, &job));
	fresh = job;
	TRY(batch_tags_read(c, &in->tags, &fresh.tags));
	batch_save(c->tx, c->arena, &job, &fresh);
	return OK;
}

status s3control_get_job_tagging(
	struct call *c, const struct s3control_get_job_tagging_input *in, struct s3control_get_job_tagging_output *out)
{
	struct s3control_rec_job job;
	size_t capacity = 0;
	TRY(load(c, in->account_id, in->job_id, &job));
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < job.tags.n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) =
			(struct s3control_s3_tag){job.tags.v[i].key, job.tags.v[i].value};
	return OK;
}

status s3control_delete_job_tagging(struct call *c, const struct s3control_delete_job_tagging_input *in,
	struct s3control_delete_job_tagging_output *out)
{
	struct s3control_rec_job job, fresh;
	(void)out;
	TRY(load(c, in->account_id, in->job_id, &job));
	fresh = job;
	fresh.tags = (struct s3control_rec_tags){0};
	batch_save(c->tx, c->arena, &job, &fresh);
	return OK;
}
