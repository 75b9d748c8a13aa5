/* What the files of Auto Scaling share. "The guide" in these files is the Amazon EC2 Auto Scaling User Guide, "the
 * reference" its API Reference.
 *
 * A group, its instances, and what hangs on it are records; the API's own shapes are kept in them as text
 * (wire/shape.h). What a group does without a request is the work of one durable job for each group, controller.c. All
 * that changes a group's instances reads and writes the group's record too, so that two who do lose against each other.
 * Keys begin with ("autoscaling", KIND, ACCOUNT, REGION, GROUP). */
#pragma once
#include "autoscaling.h"
#include "autoscaling_state.h"
#include "base/vec.h"
#include "call/call.h"
#include "store/key.h"
#include "wire/shape.h"

#define AS_TABLES (&wire_service_autoscaling.tables)
#define AS_PRINCIPAL STR("autoscaling.amazonaws.com")
#define AS_JOB_GROUP "autoscaling.group"
#define AS_JOB_LOOK "autoscaling.look"
#define AS_JOB_SCHEDULE "autoscaling.schedule"

/* "Quotas for Auto Scaling resources and groups", the guide. */
enum {
	AS_GROUPS_MAX = 500,
	AS_CONFIGURATIONS_MAX = 200,
	AS_HOOKS_MAX = 50,
	AS_POLICIES_MAX = 50,
	AS_SCHEDULES_MAX = 125,
	AS_TOPICS_MAX = 10,
	AS_TARGET_GROUPS_MAX = 50,
	AS_BALANCERS_MAX = 50,
	AS_TAGS_MAX = 50,
	AS_STEPS_MAX = 20,
	AS_BATCH_MAX = 20, /* instances of one AttachInstances, DetachInstances */
};
#define AS_ACTIVITIES_MS (42ll * 24 * 3600 * 1000) /* "for the previous six weeks" */

#define AS_FAIL(c, ...) call_fail((c), ERR_VALIDATION, __VA_ARGS__)
/* Where records are read and written. */
struct as_place {
	struct store_tx *tx;
	struct arena *a;
	struct str account, region;
};
static inline struct as_place as_here(const struct call *c)
{
	return (struct as_place){c->tx, c->arena, c->account, c->region};
}

struct as_group {
	struct as_place at;
	struct str name;
	struct autoscaling_rec_group r;
	struct autoscaling_auto_scaling_group g;
};

/* ── records.c ── */
struct str as_key(struct as_place at, const char *kind, struct str group, struct str name);
/* The beginning of all of a group's records of a kind. */
struct str as_prefix(struct as_place at, const char *kind, struct str group);
/* NOT_FOUND. */
status as_group_load(struct as_place at, struct str name, struct as_group *out) MUST_USE;
/* With the client's error; a group that is being deleted counts as one. */
status as_group_find(struct call *c, struct str name, struct as_group *out) MUST_USE;
void as_group_put(struct as_group *g);
/* Its job looks at it at once, after the commit. */
void as_group_poke(struct as_group *g, int64_t now_ms);
/* as_group_put and as_group_poke, and the job is woken when c has committed. */
void as_group_change(struct call *c, struct as_group *g);
/* Whose group's job, or schedule's: a job's id and payload. */
struct str as_job_id(struct as_place at, struct str group, struct str name);
status as_job_read(struct store_tx *tx, struct arena *a, const struct job *job, struct as_place *at, struct str *group,
	struct str *name) MUST_USE;
/* for (struct as_each e = as_each(at, kind, group); as_next(&e);) … e.key, e.value …; TRY(as_each_end(&e)). group
 * STR_NONE: those of all groups. e.value lives in at.a. */
struct as_each {
	struct as_place at;
	struct store_scan *scan;
	struct str group, name, value;
	struct str key;
};
struct as_each as_each(struct as_place at, const char *kind, struct str group);
bool as_next(struct as_each *e);
status as_each_end(struct as_each *e) MUST_USE;
/* As as_each, newest first, of what has a time in its key (activities, refreshes). */
struct as_each as_each_back(struct as_place at, const char *kind, struct str group);
/* Reads a record's document of the shape. */
status as_document(struct as_place at, struct str text, uint16_t shape, void *out) MUST_USE;
/* Copies members by name within the service. */
void as_copy(struct arena *a, uint16_t from_shape, const void *from, uint16_t to_shape, void *to);
/* Drops all records below the key. */
status as_drop_below(struct as_place at, struct str prefix) MUST_USE;
status as_count(struct as_place at, const char *kind, struct str group, size_t *n) MUST_USE;

struct as_instances {
	struct autoscaling_rec_instance *v;
	size_t n;
};
status as_instances(const struct as_group *g, struct as_instances *out) MUST_USE;
void as_instance_put(const struct as_group *g, const struct autoscaling_rec_instance *i);
void as_instance_drop(const struct as_group *g, const struct autoscaling_rec_instance *i);
/* The group's name by an instance's id; NOT_FOUND. */
status as_instance_group(struct as_place at, struct str instance, struct str *group) MUST_USE;
/* Its group and its record, with the client's error. group: STR_NONE, or whose it has to be. */
status as_instance_find(struct call *c, struct str group, struct str instance, struct as_group *g,
	struct autoscaling_rec_instance *out) MUST_USE;
void as_state(struct autoscaling_rec_instance *i, struct str state, int64_t now_ms);
bool as_in(struct str state, const char *const *list); /* NULL-ended */
static inline int32_t as_weight(const struct autoscaling_rec_instance *i)
{
	return i->weight.has ? i->weight.v : 1;
}
/* It counts towards the group's capacity: on its way there, or serving. */
bool as_counts(const struct autoscaling_rec_instance *i);
int32_t as_warmup_s(const struct as_group *g);
/* It serves, and its warm-up is over. */
bool as_is_warm(const struct as_group *g, const struct autoscaling_rec_instance *i, int32_t warmup_s, int64_t now_ms);

/* A page of a list that was filled whole: { T *v; size_t n; }. InvalidNextToken. */
status as_page(struct call *c, void *list, size_t element_size, struct opt_i32 max, int32_t most, struct str token,
	struct str *next) MUST_USE;

/* ── group_check.c ── what a group may be; with the client's error. `before`: its former self, or NULL. */
status as_group_check(struct call *c, struct as_group *g, const struct as_group *before) MUST_USE;
struct str as_subnet_zone(struct as_place at, struct str subnet); /* STR_NONE where it is not there */
/* Of UpdateAutoScalingGroup, policies and schedules: the sizes alone. */
status as_sizes_check(struct call *c, const struct autoscaling_auto_scaling_group *g) MUST_USE;

/* ── group.c ── */
/* As DescribeAutoScalingGroups shows it. */
status as_group_show(struct as_group *g, bool instances, struct autoscaling_auto_scaling_group *out) MUST_USE;
void as_instance_show(struct arena *a, const struct autoscaling_rec_instance *i, struct autoscaling_instance *out);
/* All of it, once nothing is in it; its activities stay. */
status as_group_drop(struct call *c, struct as_group *g) MUST_USE;
bool as_has(const struct str *v, size_t n, struct str s);

/* ── hook.c ── */
#define AS_LAUNCHING STR("autoscaling:EC2_INSTANCE_LAUNCHING")
#define AS_TERMINATING STR("autoscaling:EC2_INSTANCE_TERMINATING")
status as_hook_make(struct call *c, struct as_group *g, const struct autoscaling_put_lifecycle_hook_type *in) MUST_USE;
/* The hooks of a transition: what an instance waits for from now on, and whoever is to be told of it. *waits: some. */
status as_hooks_begin(struct cloud *cloud, struct as_group *g, struct autoscaling_rec_instance *i,
	struct str transition, int64_t now_ms, bool *waits) MUST_USE;
/* Timeouts are results. *over: nothing is waited for any more; *abandon: one ended so. *next_ms: the next timeout. */
void as_hooks_look(struct autoscaling_rec_instance *i, int64_t now_ms, bool *over, bool *abandon, int64_t *next_ms);

/* ── activity.c ── */
struct as_activity {
	struct str id;
	int64_t at_ms;
};
/* Begins one. description and cause as AWS words them; details is JSON. */
struct as_activity as_activity_begin(
	struct as_group *g, struct str description, struct str cause, struct str details, int64_t now_ms);
/* Changes it: description, message where not STR_NONE; code "Successful", "Failed", "Cancelled" end it. */
status as_activity_set(struct as_group *g, struct as_activity which, struct str code, int32_t progress,
	struct str description, struct str message, int64_t now_ms) MUST_USE;
status as_activity_get(struct as_group *g, struct as_activity which, struct autoscaling_activity *out) MUST_USE;
struct str as_details(struct arena *a, struct str subnet, struct str zone);
struct str as_when(struct arena *a, int64_t ms);
/* Drops what is older than six weeks. */
status as_activities_trim(struct as_group *g, int64_t now_ms) MUST_USE;

/* ── notification.c ── tells whoever wants to know of the event ("autoscaling:EC2_INSTANCE_LAUNCH", …) in g's
 * transaction. */
status as_notify(struct cloud *cloud, struct as_group *g, struct str event, const struct autoscaling_activity *activity,
	struct str instance, int64_t now_ms) MUST_USE;

/* ── process.c ── */
bool as_suspended(const struct as_group *g, const char *process);

/* ── traffic.c ── */
/* Target groups, called by their ARN, and Classic Load Balancers, called by their name. */
struct as_sources {
	struct str *v;
	size_t n;
};
bool as_is_classic(struct str source);
struct as_sources as_sources_of(const struct as_group *g, struct arena *a);
/* A new group's: all of them are there, and sorted by kind. */
status as_sources_check(struct call *c, struct as_group *g) MUST_USE;

/* ── policy.c ── */
status as_policies_drop(struct call *c, struct as_group *g) MUST_USE;

/* Sets the desired capacity for a reason: the first sentence of the next activities' cause. */
void as_desire(struct as_group *g, int32_t desired, struct str why, int64_t now_ms);

/* ── termination.c ── Which to take out first; -1: none may be. only: states; NULL: all that count. */
ptrdiff_t as_choose_victim(
	const struct as_group *g, const struct as_instances *all, const bool *excluded, int64_t now_ms);

/* ── launch.c ── */
/* What a group launches: a launch configuration, or a template with a version. */
struct as_source {
	struct autoscaling_launch_configuration *configuration;
	struct autoscaling_launch_template_specification *template; /* with id, name, version */
};
/* Where a launch is to go. */
struct as_want {
	struct str zone, subnet;
	bool extra, pool;
	struct str why; /* the cause's last sentence, without the time */
};
/* Writes a launch, with its activity. FAILED: *why, with the client's error in c. */
status as_launch_plan(struct call *c, struct as_group *g, const struct as_want *w, int64_t now_ms) MUST_USE;
/* What a launch is made of, checked without launching: ValidationError. */
status as_launch_check(struct call *c, struct as_group *g) MUST_USE;
status as_configuration_get(struct as_place at, struct str name, struct autoscaling_launch_configuration *out) MUST_USE;
struct as_launches {
	struct autoscaling_rec_launch *v;
	size_t n;
};
status as_launches(const struct as_group *g, struct as_launches *out) MUST_USE;
/* Does them: each in EC2, then as an instance of the group. Outside any transaction; blocks. *progress: look again. */
status as_launches_run(
	struct cloud *cloud, struct arena *a, struct as_place at, struct str group, bool *progress) MUST_USE;

/* ── effect.c ── What instances want of EC2 and of balancers, done outside any transaction. *progress: look again. */
status as_effects_run(struct cloud *cloud, struct arena *a, struct as_place at, struct str group, bool *progress,
	int64_t *next_ms) MUST_USE;

/* ── lifecycle.c ── One step of an instance. */
struct as_work {
	struct cloud *cloud;
	struct call *c; /* a job's: for helpers that take one */
	struct as_group *g;
	struct as_instances *all;
	struct as_launches *launches;
	int64_t now_ms, next_ms; /* when to look again; INT64_MAX */
	bool changed;
};
status as_instance_step(struct as_work *w, struct autoscaling_rec_instance *i) MUST_USE;
/* Takes it out of service: why is the cause, or its last sentence without the time. */
status as_instance_end(struct as_work *w, struct autoscaling_rec_instance *i, struct str why) MUST_USE;
static inline void as_again(struct as_work *w, int64_t at_ms)
{
	if (at_ms < w->next_ms) w->next_ms = at_ms;
}

/* ── warm_pool.c ── */
/* How many instances shall wait in it. */
int32_t as_pool_size(const struct as_group *g);
status as_pool_balance(struct as_work *w) MUST_USE;

/* ── refresh_step.c ── */
status as_refresh_step(struct as_work *w) MUST_USE;
/* ── refresh.c ── The mark that launches bear now; STR_NONE where no refresh goes on. */
status as_refresh_mark_of(struct as_group *g, struct str *mark) MUST_USE;

/* ── collect.c ── once a minute */
status as_collect(struct as_work *w) MUST_USE;

/* ── schedule.c ── */
status as_schedule_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* ── controller.c ── */
status as_group_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
status as_look_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
/* At start: listens to instances and zones. */
struct as_controller;
struct as_controller *as_controller_start(struct cloud *cloud);
void as_controller_stop(struct as_controller *k);
/* ── balance.c ── */
/* Plans one launch, in the emptiest zone where want names none. BUSY: not now. */
status as_launch_one(struct as_work *w, struct as_want want) MUST_USE;
/* Brings the number of instances to what is desired: launches planned, instances taken out. */
status as_balance(struct as_work *w) MUST_USE;
