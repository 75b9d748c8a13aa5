/* S3 Batch Operations ("Performing object operations in bulk with Batch Operations", Amazon S3 User Guide): a job reads
 * a list of objects, the manifest, and does one operation on each, as the role that it was given. Its record holds all
 * that it has come to; one durable job of the clock drives it on from whatever it finds (batch_run.c), so that it can
 * be killed anywhere: at most the tasks since the last commit are done again. Keys:
 *
 *     ("s3control", "job", account, region, id)               the job
 *     ("s3control", "job-time", account, region, created, id) for lists, newest last
 *     ("s3control", "job-queue", account, region, priority, id) those that may run, highest priority last
 *     ("s3control", "job-token", account, region, token)      the id that a request with this token got
 *     ("s3control", "job-block", id, number)                  rows of the manifest
 *     ("s3control", "job-result", id, number)                 rows of the report */
#pragma once
#include "call/inside.h"
#include "s3.h"
#include "s3control.h"
#include "s3control_state.h"
#include "store/key.h"

/* A job at work: the session of its role, and what its document says. */
struct batch {
	struct cloud *cloud;
	struct arena *a;
	struct s3control_rec_job *job;
	const struct s3control_create_job_input *in;
	struct inside_caller who; /* the role */
	/* Set with FAILED: why the job fails. */
	struct str failure_code, failure_reason;
};

/* ── batch_job.c ── */

struct str batch_key(struct arena *a, struct str account, struct str region, struct str id /* or STR_NONE: all */);
struct str batch_piece_key(struct arena *a, const char *kind, struct str id, int64_t number /* -1: all */);
struct str batch_token_key(struct arena *a, struct str account, struct str region, struct str token);
/* NOT_FOUND. *out is zeroed first. */
status batch_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str id,
	struct s3control_rec_job *out) MUST_USE;
/* Writes it; the queue follows its status and priority. */
void batch_save(
	struct store_tx *tx, struct arena *a, const struct s3control_rec_job *was, const struct s3control_rec_job *job);
/* All that there is of it. */
status batch_drop(struct store_tx *tx, struct arena *a, const struct s3control_rec_job *job) MUST_USE;
/* The document read again. */
status batch_document(
	struct arena *a, const struct s3control_rec_job *job, struct s3control_create_job_input *in) MUST_USE;
/* Is another job waiting or running that is to be preferred? */
bool batch_outranked(struct store_tx *tx, struct arena *a, const struct s3control_rec_job *job);
bool batch_is_over(struct str s);
/* S3PutObjectCopy, …; STR_NONE unless there is exactly one. */
struct str batch_operation(const struct s3control_job_operation *o);

/* The tags of a request, checked: InvalidRequest, TooManyTagsException. */
status batch_tags_read(
	struct call *c, const struct s3control_s3_tag_set *from, struct s3control_rec_tags *out) MUST_USE;

/* ── batch_run.c ── */

/* At the service's start and stop. */
void *batch_start(struct cloud *cloud);
void batch_stop(void *runs);
/* The clock's job, due at due_ms. */
void batch_schedule(struct store_tx *tx, struct arena *a, const struct s3control_rec_job *job, int64_t due_ms);
/* FAILED with the job's reason. */
status batch_fails(struct batch *b, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ── batch_manifest.c, batch_generate.c: rows into blocks ── */

enum { BATCH_BLOCK_ROWS = 100 };
struct batch_rows {
	struct batch *b;
	struct store_tx *tx;
	struct s3control_rec_block block;
	size_t capacity;
	int64_t n, blocks;
};
/* The strings are copied. */
void batch_rows_add(struct batch_rows *r, struct str key, struct str version_id);
void batch_rows_end(struct batch_rows *r);
/* Reads the manifest, or makes it: job->bucket, total and blocks are set, the blocks written in tx. FAILED: the job
 * does. */
status batch_prepare(struct batch *b, struct store_tx *tx) MUST_USE;
status batch_generate(struct batch *b, struct batch_rows *r) MUST_USE;
/* arn:aws:s3:::bucket[/key] in its parts; false where it is none. key may be NULL: then there must not be one. */
bool batch_arn_split(struct str arn, struct str *bucket, struct str *key);

/* ── batch_task.c ── */

struct batch_outcome {
	bool ok;
	unsigned http_status;
	struct str code, message; /* in b->a */
};
void batch_task(struct batch *b, const struct s3control_rec_row *row, struct batch_outcome *out);

/* ── batch_checksum.c ── */

void batch_checksum(struct batch *b, const struct s3control_s3_compute_object_checksum_operation *o,
	const struct s3control_rec_row *row, struct batch_outcome *out);

/* ── batch_report.c ── */

void batch_report_row(struct buf *b, const struct s3control_rec_job *job, const struct s3control_rec_row *row,
	const struct batch_outcome *o);
/* Writes the completion report as the role; FAILED where it may not. */
status batch_report(struct batch *b) MUST_USE;
