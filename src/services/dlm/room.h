/* What the files of Data Lifecycle Manager share. It reads EC2's records where it looks for what to do, and asks EC2's
 * operations, in the name of the policy's role, for what is done. "The guide" is "Amazon Data Lifecycle Manager" in the
 * Amazon EBS User Guide. */
#pragma once
#include "call/inside.h"
#include "dlm.h"
#include "dlm_state.h"
#include "services/ec2/instance.h"
#include "services/ec2/volume.h"

struct dlm_work;
struct dlm_made;

/* ── policy.c ── records */
/* NOT_FOUND. */
status dlm_policy_load(struct ec2_place at, struct str id, struct dlm_rec_policy *out) MUST_USE;
void dlm_policy_put(struct ec2_place at, const struct dlm_rec_policy *p);
status dlm_details(struct arena *a, const struct dlm_rec_policy *p, struct dlm_policy_details *out) MUST_USE;
bool dlm_of_images(const struct dlm_policy_details *d);
bool dlm_of_instances(const struct dlm_policy_details *d);

/* ── check.c ── */
/* What a policy says, made whole where it leaves something out. With the client's error. */
status dlm_check(struct call *c, struct dlm_policy_details *d) MUST_USE;
status dlm_invalid(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Of a rule by age; 0 where it has none. */
int64_t dlm_age_ms(struct opt_i32 interval, struct str unit);

/* ── default.c ── default policies */
bool dlm_is_default(const struct dlm_policy_details *d);
/* How many schedules run. */
size_t dlm_schedules(const struct dlm_policy_details *d);
/* Made whole, by its resource_type. With the client's error. */
status dlm_default_check(struct call *c, struct dlm_policy_details *d) MUST_USE;
/* Gives a default policy's details the schedule that it stands for; others are left alone. */
void dlm_default_schedule(struct arena *a, const struct dlm_rec_policy *p, struct dlm_policy_details *d);
/* Does it make something of this volume or instance in this turn? */
status dlm_default_wants(struct dlm_work *w, const struct ec2_item *item, const struct ec2_tag_list *tags,
	int64_t turn_ms, bool *yes) MUST_USE;
/* What was made is kept beyond its age: the last of a source that is gone. False of other policies. */
status dlm_default_keeps(
	struct dlm_work *w, const struct dlm_made *all, const struct dlm_rec_made *m, bool *yes) MUST_USE;

/* ── schedule.c ── */
/* The first time after `after_ms`. */
int64_t dlm_next(const struct dlm_create_rule *r, int64_t after_ms);
/* Its schedules begin, anew. */
void dlm_schedules_begin(struct ec2_place at, const struct dlm_rec_policy *p, size_t n, int64_t now_ms);
void dlm_schedules_stop(struct ec2_place at, const struct dlm_rec_policy *p, size_t n);
#define DLM_JOB "dlm.schedule"
status dlm_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* One schedule's turn: who acts, and what came of it. */
struct dlm_work {
	struct cloud *cloud;
	struct ec2_place at;   /* its own records */
	struct ec2_place look; /* EC2's, only read: what it asks for changes them, and must not undo the job */
	const struct dlm_rec_policy *policy;
	const struct dlm_policy_details *details;
	const struct dlm_schedule *schedule;
	uint64_t n; /* the schedule's place */
	struct inside_caller who;
	int64_t now_ms, again_ms; /* INT64_MAX: never */
	struct str problem;       /* the first one; STR_NONE */
};
void dlm_again(struct dlm_work *w, int64_t at_ms);
/* An operation of EC2; NULL where it failed: then *code is its error's, and the problem is noted unless it is among
 * `expected` (NULL-ended, or NULL). Free with inside_free. */
struct inside *dlm_ask(struct dlm_work *w, struct str region, uint32_t op, const void *in, const char *const *expected,
	struct str *code);
void dlm_made_put(struct dlm_work *w, const struct dlm_rec_made *m);
void dlm_made_drop(struct dlm_work *w, struct str id);
struct dlm_made {
	struct dlm_rec_made *v;
	size_t n;
};
status dlm_made_all(struct dlm_work *w, struct dlm_made *out) MUST_USE;

/* ── make.c ── Snapshots and images of all targets, for the turn of that time. */
status dlm_make(struct dlm_work *w, int64_t turn_ms) MUST_USE;
#define DLM_TAG_POLICY "aws:dlm:lifecycle-policy-id"
#define DLM_TAG_SCHEDULE "aws:dlm:lifecycle-schedule-name"
/* ── tend.c ── What was made: copied, shared, and in the end deleted. */
status dlm_tend(struct dlm_work *w) MUST_USE;
