/* What the files of Application Auto Scaling share. "The guide" in these files is the Application Auto Scaling User
 * Guide, "the reference" its API Reference.
 *
 * A scalable target is one dimension of one resource; what hangs on it lies at keys that begin with
 * ("application-autoscaling", KIND, ACCOUNT, REGION, WHAT), where WHAT is its namespace, resource and dimension. The
 * resources are DynamoDB's tables and indexes: scale.c is the only file that speaks to them. */
#pragma once
#include "application-autoscaling.h"
#include "application-autoscaling_state.h"
#include "base/vec.h"
#include "call/call.h"
#include "store/key.h"
#include "wire/shape.h"

#define AAS_TABLES (&wire_service_application_autoscaling.tables)
#define AAS_PRINCIPAL STR("dynamodb.application-autoscaling.amazonaws.com")
#define AAS_FAIL(c, NAME, ...) call_fail((c), APPLICATION_AUTOSCALING_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
#define AAS_JOB_SCALE "application-autoscaling.scale"
#define AAS_JOB_ALARM "application-autoscaling.alarm"
#define AAS_JOB_ACTION "application-autoscaling.action"
/* "Quotas for Application Auto Scaling", the guide. */
enum { AAS_POLICIES_MAX = 50, AAS_ACTIONS_MAX = 200, AAS_STEPS_MAX = 20, AAS_TAGS_MAX = 50, AAS_PAGE = 50 };
#define AAS_ACTIVITIES_MS (42ll * 24 * 3600 * 1000)

struct aas_place {
	struct store_tx *tx;
	struct arena *a;
	struct str account, region;
};
static inline struct aas_place aas_here(const struct call *c)
{
	return (struct aas_place){c->tx, c->arena, c->account, c->region};
}
struct aas_target {
	struct aas_place at;
	struct str what;
	struct application_autoscaling_rec_target r;
	struct application_autoscaling_scalable_target s;
};

/* ── records.c ── */
struct str aas_what(struct arena *a, struct str space, struct str resource, struct str dimension);
struct str aas_prefix(struct aas_place at, const char *kind, struct str what);
struct str aas_key(struct aas_place at, const char *kind, struct str what, struct str name);
/* NOT_FOUND. */
status aas_target_load(struct aas_place at, struct str what, struct aas_target *out) MUST_USE;
/* ObjectNotFoundException; ValidationException of what can be no target. */
status aas_target_find(
	struct call *c, struct str space, struct str resource, struct str dimension, struct aas_target *out) MUST_USE;
void aas_target_put(struct aas_target *t);
/* FAILED unless the three name something that can scale; *what. */
status aas_check(struct call *c, struct str space, struct str resource, struct str dimension) MUST_USE;
struct str aas_job_id(struct aas_place at, struct str what, struct str name);
status aas_job_read(
	struct arena *a, const struct job *job, struct aas_place *at, struct str *what, struct str *name) MUST_USE;
void aas_schedule(
	struct aas_place at, const char *kind, struct str what, struct str name, struct str payload, int64_t due_ms);
/* Of a Describe: does what is at this key concern namespace, resource (or none) and dimension (or none)? */
bool aas_concerns(struct str what, struct str space, struct str resource, struct str dimension);
struct aas_each {
	struct aas_place at;
	struct store_scan *scan;
	struct str what, name, value;
};
/* what STR_NONE: of all targets. */
struct aas_each aas_each(struct aas_place at, const char *kind, struct str what);
bool aas_next(struct aas_each *e);
status aas_each_end(struct aas_each *e) MUST_USE;
status aas_document(struct aas_place at, struct str text, uint16_t shape, void *out) MUST_USE;
status aas_page(struct call *c, void *list, size_t element_size, struct opt_i32 max, struct str token,
	struct str *next) MUST_USE;

/* ── policy.c ── */
status aas_policy_get(struct aas_place at, struct str what, struct str name,
	struct application_autoscaling_scaling_policy *out) MUST_USE;
/* With the target; also its alarms. */
void aas_policies_drop(struct cloud *cloud, struct aas_target *t);

/* ── alarms.c ── the two alarms of a target tracking policy */
/* FAILED: *why. */
status aas_alarms_put(struct cloud *cloud, struct arena *a, struct aas_place at,
	const struct application_autoscaling_scaling_policy *p, int64_t capacity, struct str *why) MUST_USE;
void aas_alarms_drop(struct cloud *cloud, struct arena *a, struct aas_place at,
	const struct application_autoscaling_scaling_policy *p);
void aas_alarms_name(struct call *c, struct application_autoscaling_scaling_policy *p, struct str id);

/* ── activity.c ── */
/* Begins one and tells the target of it. */
void aas_activity_begin(struct aas_target *t, int32_t capacity, struct str cause, int64_t now_ms);
status aas_activity_end(struct aas_target *t, bool well, struct str message, int64_t now_ms) MUST_USE;

/* ── scale.c ── */
void aas_scale_start(struct cloud *cloud);
/* "read capacity units" */
struct str aas_unit(struct str dimension);
/* Blocks, outside transactions that write. NOT_FOUND: the resource is not there; LIMIT: it has no capacity to set (on
 * demand). *busy: it is being changed. */
status aas_capacity(struct cloud *cloud, struct arena *a, struct aas_place at, struct str resource,
	struct str dimension, int64_t *capacity, bool *busy) MUST_USE;
/* Lets the job set it; why as Cause has it. */
void aas_want(struct aas_target *t, int32_t capacity, struct str why, int64_t now_ms);
/* To within the target's bounds, if it is not. */
void aas_bound(struct aas_target *t, int64_t current, struct str why, int64_t now_ms);

/* ── action.c ── */
status aas_action_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
