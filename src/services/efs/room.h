/* What the files of EFS share. A file system is a folder of the data folder, efs/fs-…, which machines mount
 * (host/compute/shares.h); what they put there belongs to ids of theirs. "The guide" is the Amazon EFS User Guide. */
#pragma once
#include "efs.h"
#include "efs_state.h"
#include "services/ec2/network.h"
#include "services/ec2/volume.h"
#include "services/efs/door.h"

enum efs_kind { EFS_FILE_SYSTEM, EFS_MOUNT_TARGET, EFS_ACCESS_POINT };

/* ── records.c ── */
/* The client's error, with its code among the members as EFS has it. */
status efs_fail(struct call *c, error_id id, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#define EFS_BAD(c, ...) efs_fail((c), EFS_ERR_BAD_REQUEST, "BadRequest", __VA_ARGS__)
/* An id, or an ARN's. */
struct str efs_id(struct str id_or_arn);
status efs_file_system(struct call *c, struct str id, struct efs_rec_file_system *out) MUST_USE;
status efs_mount_target(struct call *c, struct str id, struct efs_rec_mount_target *out) MUST_USE;
status efs_access_point(struct call *c, struct str id, struct efs_rec_access_point *out) MUST_USE;
void efs_put(struct call *c, enum efs_kind kind, struct str id, const void *record);
void efs_drop(struct call *c, enum efs_kind kind, struct str id);
/* All of the account's in its region; of one file system where it is named. */
struct efs_all {
	void *v; /* struct efs_rec_… [n] */
	size_t n;
};
status efs_all(struct call *c, enum efs_kind kind, struct str file_system, struct efs_all *out) MUST_USE;
/* Cuts a list at its marker: *from is the first index of the page, *n how many. ids are sorted. */
struct efs_page {
	struct opt_i32 max;
	struct str marker;
	size_t from, n;
	struct str next;
};
void efs_page(const struct str *ids, size_t n, struct efs_page *p);
/* ── tags.c ── */
status efs_tags_take(struct call *c, const struct efs_tags *from, struct efs_rec_pairs *to) MUST_USE;
struct efs_tags efs_tags_out(struct arena *a, const struct efs_rec_pairs *t);
/* ── file_system.c ── */
/* What is mounted of it; the folder that it lies in. */
struct str efs_files(struct arena *a, const struct efs_rec_file_system *f);
struct str efs_folder(struct arena *a, struct str file_system);
status efs_folder_remove(struct cloud *cloud, struct arena *a, struct str folder) MUST_USE;
#define EFS_REMOVE_JOB "efs.remove"
status efs_remove_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
/* ── crypt.c ── file systems that are encrypted at rest: their data key, and the job that opens their folder */
status efs_crypt_new(struct call *c, struct str reference, struct efs_rec_file_system *f) MUST_USE;
/* Schedules it. */
void efs_open_soon(struct store_tx *tx, struct str account, struct str region, struct str id, int64_t now_ms);
#define EFS_OPEN_JOB "efs.open"
status efs_open_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
/* At start: all of them. */
void efs_open_all(struct cloud *cloud, void *state);
/* ── access_point.c ── */
/* The interfaces of the file system's mount targets learn of its access points. */
status efs_points_tell(struct call *c, struct str file_system) MUST_USE;
