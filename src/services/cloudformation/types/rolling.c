/* AWS::AutoScaling::AutoScalingGroup: its recipe, and the rolling update that an UpdatePolicy asks for ("UpdatePolicy
 * attribute", AutoScalingRollingUpdate): obsolete instances go in batches, others stay in service, and new ones are
 * waited for: until they are in service and a pause is over, or (WaitOnResourceSignals) until each has signalled.
 *
 * Where an update is stands with the resource's attributes, under a name that no template can ask for; what a batch is
 * going to end is written before it is ended, so that after a crash the same instances are meant. */
#include "base/vec.h"
#include "services/cloudformation/internal.h"
#include "services/cloudformation/recipe.h"

#define STATE "virga:Rolling"
enum { STABLE_MS = 15 * 60 * 1000, SIGNAL_PAUSE_MS = 5 * 60 * 1000 };

/* The policy, read. */
struct rolling {
	int64_t batch, in_service, successful, active, pause_ms;
	bool signals;
	struct str pause;
	const struct json_value *suspend;
};

/* How far it is. */
struct progress {
	struct cfn_names old;   /* obsolete instances that are still there */
	struct cfn_names batch; /* of these, those that are to be ended now */
	size_t old_capacity, batch_capacity;
	int64_t total;   /* obsolete ones at the beginning */
	int64_t desired; /* of the group in the end */
	int64_t min;
	int64_t fewer;  /* of the batch, so many are not replaced */
	int64_t added;  /* new ones that have been asked for */
	int64_t until;  /* when the pause ends; 0: it has not begun */
	int64_t stable; /* when new ones have to be in service */
	bool grown;
	struct str phase;
};

static int64_t number(const struct json_value *v, const char *path, int64_t other)
{
	int64_t n;
	return is_ok(str_to_i64(str_or(cfn_at(v, path), STR("")), &n)) ? n : other;
}

static status read_policy(struct cfn_work *w, struct rolling *r)
{
	const struct json_value *p = cfn_in(w->update_policy, "AutoScalingRollingUpdate");
	*r = (struct rolling){.batch = number(p, "MaxBatchSize", 1),
		.in_service = number(p, "MinInstancesInService", 0),
		.successful = number(p, "MinSuccessfulInstancesPercent", 100),
		.active = number(p, "MinActiveInstancesPercent", 100),
		.signals = str_is(str_or(cfn_at(p, "WaitOnResourceSignals"), STR("")), "true"),
		.pause = str_or(cfn_at(p, "PauseTime"), STR_NONE),
		.suspend = cfn_in(p, "SuspendProcesses")};
	r->pause_ms = r->signals ? SIGNAL_PAUSE_MS : 0;
	if (str_has(r->pause) && !is_ok(cfn_duration_ms(r->pause, &r->pause_ms)))
		return cfn_fail(w, "Invalid PauseTime in UpdatePolicy: %.*s", STR_ARG(r->pause));
	if (!str_has(r->pause)) r->pause = r->signals ? STR("PT5M") : STR("PT0S");
	if (r->batch < 1 || r->in_service < 0 || r->successful < 0 || r->successful > 100 || r->active < 0 ||
		r->active > 100)
		return cfn_fail(w, "Invalid AutoScalingRollingUpdate in UpdatePolicy: MaxBatchSize is at least 1, "
				   "percentages are from 0 to 100");
	return OK;
}

static void read_names(struct arena *a, const struct json_value *list, struct cfn_names *names, size_t *capacity)
{
	for (const struct json_value *c = list ? list->first : NULL; c; c = c->next)
		*VEC_PUSH(a, names, capacity) = json_scalar(c);
}

static void read_progress(struct cfn_work *w, const struct json_value *v, struct progress *p)
{
	*p = (struct progress){.total = number(v, "Total", 0),
		.desired = number(v, "Desired", 0),
		.min = number(v, "Min", 0),
		.fewer = number(v, "Fewer", 0),
		.added = number(v, "Added", 0),
		.until = number(v, "Until", 0),
		.stable = number(v, "Stable", 0),
		.grown = number(v, "Grown", 0) > 0,
		.phase = str_or(cfn_at(v, "Phase"), STR("choose"))};
	read_names(w->a, cfn_in(v, "Old"), &p->old, &p->old_capacity);
	read_names(w->a, cfn_in(v, "Batch"), &p->batch, &p->batch_capacity);
}

static void put_number(struct cfn_work *w, struct json_value *to, const char *name, int64_t n)
{
	cfn_put(to, w->a, name, str_fmt(w->a, "%lld", (long long)n));
}

static struct json_value *names_list(struct arena *a, const struct cfn_names *names)
{
	struct json_value *list = cfn_list(a);
	for (size_t i = 0; i < names->n; i++) cfn_append(list, STR_NONE, cfn_text(a, names->v[i]));
	return list;
}

static void write_progress(struct cfn_work *w, const struct progress *p)
{
	struct json_value *v = cfn_object(w->a);
	cfn_append(v, STR("Old"), names_list(w->a, &p->old));
	cfn_append(v, STR("Batch"), names_list(w->a, &p->batch));
	put_number(w, v, "Total", p->total);
	put_number(w, v, "Desired", p->desired);
	put_number(w, v, "Min", p->min);
	put_number(w, v, "Fewer", p->fewer);
	put_number(w, v, "Added", p->added);
	put_number(w, v, "Until", p->until);
	put_number(w, v, "Stable", p->stable);
	put_number(w, v, "Grown", p->grown);
	cfn_put(v, w->a, "Phase", p->phase);
	cfn_attribute_value(w, STATE, v);
}

static void forget_progress(struct cfn_work *w)
{
	struct json_value *kept = cfn_object(w->a);
	for (const struct json_value *c = w->attributes->first; c; c = c->next)
		if (!str_is(c->name, STATE)) cfn_append(kept, c->name, cfn_copy(w->a, c));
	w->attributes = kept;
}

static status group_now(struct cfn_work *w, const struct json_value **group)
{
	struct json_value *in = cfn_object(w->a), *names = cfn_list(w->a);
	const struct json_value *out;
	cfn_append(names, STR_NONE, cfn_text(w->a, w->physical_id));
	cfn_append(in, STR("AutoScalingGroupNames"), names);
	TRY(cfn_do(w, "autoscaling", "DescribeAutoScalingGroups", in, &out));
	*group = cfn_in(out, "AutoScalingGroups.0");
	return *group ? OK : cfn_fail(w, "The group %.*s is gone", STR_ARG(w->physical_id));
}

/* It runs what the group would launch now. */
static bool is_current(const struct cfn_work *w, const struct json_value *group, const struct json_value *instance)
{
	if (cfn_changed(w, "VPCZoneIdentifier") || cfn_changed(w, "MixedInstancesPolicy")) return false;
	if (cfn_in(group, "MixedInstancesPolicy")) return true;
	struct str configuration = cfn_at(group, "LaunchConfigurationName");
	if (str_has(configuration))
		return str_eq(configuration, str_or(cfn_at(instance, "LaunchConfigurationName"), STR("")));
	struct str id = str_or(cfn_at(group, "LaunchTemplate.LaunchTemplateId"), STR("")),
		   version = str_or(cfn_at(group, "LaunchTemplate.Version"), STR(""));
	/* A newer $Latest is no change of the group. */
	if (str_starts(version, STR("$"))) return !cfn_changed(w, "LaunchTemplate");
	return str_eq(id, str_or(cfn_at(instance, "LaunchTemplate.LaunchTemplateId"), STR("-"))) &&
	       str_eq(version, str_or(cfn_at(instance, "LaunchTemplate.Version"), STR("-")));
}

static bool is_leaving(const struct json_value *instance)
{
	return str_starts(str_or(cfn_at(instance, "LifecycleState"), STR("")), STR("Terminat"));
}

static status processes(struct cfn_work *w, const char *op, const struct json_value *list)
{
	if (!list || !list->length) return OK;
	struct json_value *in = cfn_one(w->a, "AutoScalingGroupName", w->physical_id);
	cfn_put_value(in, w->a, "ScalingProcesses", list);
	return cfn_do(w, "autoscaling", op, in, NULL);
}

static status resize(struct cfn_work *w, int64_t min, int64_t desired)
{
	struct json_value *in = cfn_one(w->a, "AutoScalingGroupName", w->physical_id);
	put_number(w, in, "MinSize", min);
	put_number(w, in, "DesiredCapacity", desired);
	return cfn_do(w, "autoscaling", "UpdateAutoScalingGroup", in, NULL);
}

static status begin_rolling(struct cfn_work *w)
{
	const struct json_value *group;
	struct rolling r;
	TRY(read_policy(w, &r));
	TRY(group_now(w, &group));
	struct progress p = {.phase = STR("choose"),
		.desired = number(group, "DesiredCapacity", 0),
		.min = number(group, "MinSize", 0)};
	const struct json_value *all = cfn_in(group, "Instances");
	for (const struct json_value *i = all ? all->first : NULL; i; i = i->next)
		if (!is_leaving(i) && !is_current(w, group, i))
			*VEC_PUSH(w->a, &p.old, &p.old_capacity) = cfn_at(i, "InstanceId");
	if (!p.old.n) return OK;
	if (r.in_service >= number(group, "MaxSize", 0))
		return cfn_fail(w, "MinInstancesInService must be less than the autoscaling group's MaxSize");
	p.total = (int64_t)p.old.n;
	p.stable = w->now_ms + STABLE_MS;
	TRY(processes(w, "SuspendProcesses", r.suspend));
	w->note = str_fmt(w->a,
		"Rolling update initiated. Terminating %lld obsolete instance(s) in batches of %lld, while keeping at "
		"least "
		"%lld instance(s) in service.",
		(long long)p.total, (long long)r.batch, (long long)r.in_service);
	if (r.signals)
		w->note = str_fmt(w->a,
			"%.*s Waiting on resource signals with a timeout of %.*s when new instances are added to the "
			"autoscaling group.",
			STR_ARG(w->note), STR_ARG(r.pause));
	write_progress(w, &p);
	return OK;
}

/* Sizes that the template has not changed are left to scheduled actions ("IgnoreUnmodifiedGroupSizeProperties"). */
static const struct json_value *without_sizes(const struct cfn_work *w, const struct json_value *from)
{
	struct json_value *kept = cfn_object(w->a);
	for (const struct json_value *c = from->first; c; c = c->next) {
		bool size =
			str_is(c->name, "MinSize") || str_is(c->name, "MaxSize") || str_is(c->name, "DesiredCapacity");
		if (!size || cfn_changed(w, str_z(w->a, c->name))) cfn_append(kept, c->name, cfn_copy(w->a, c));
	}
	return kept;
}

static status update(struct cfn_work *w)
{
	const struct json_value *properties = w->properties, *before = w->before;
	forget_progress(w);
	if (str_is(str_or(cfn_at(w->update_policy, "AutoScalingScheduledAction.IgnoreUnmodifiedGroupSizeProperties"),
			   STR("")),
		    "true")) {
		const struct json_value *now = without_sizes(w, properties);
		w->before = without_sizes(w, before);
		w->properties = now;
	}
	status s = cfn_recipe_update(w);
	w->properties = properties;
	w->before = before;
	TRY(s);
	return cfn_in(w->update_policy, "AutoScalingRollingUpdate") ? begin_rolling(w) : OK;
}

/* ── step by step ─────────────────────────────────────────────────────────────────────────────────────────────── */

struct counted {
	int64_t in_service, fresh, fresh_in_service;
	bool batch_there; /* one that the batch ends is still to be told so */
};

static struct counted count(const struct json_value *group, const struct progress *p)
{
	struct counted n = {0};
	const struct json_value *all = cfn_in(group, "Instances");
	for (const struct json_value *i = all ? all->first : NULL; i; i = i->next) {
		struct str id = str_or(cfn_at(i, "InstanceId"), STR(""));
		if (is_leaving(i)) continue;
		bool serves = str_is(str_or(cfn_at(i, "LifecycleState"), STR("")), "InService");
		bool old = cfn_names_have(&p->old, id);
		n.in_service += serves;
		n.fresh += !old;
		n.fresh_in_service += !old && serves;
		n.batch_there |= cfn_names_have(&p->batch, id);
	}
	return n;
}

/* Signals of this update: how many have come, and how many of them say that it went wrong. */
static int64_t signals_so_far(struct cfn_work *w, int64_t *bad)
{
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_resource r = {0};
	int64_t n = 0;
	*bad = 0;
	struct store_tx *tx = store_begin(w->cloud->store, w->a, true);
	if (is_ok(cfn_stack_find(tx, w->a, (struct cfn_place){w->account, w->region}, w->stack_id, &s)) &&
		is_ok(cfn_resource_get(tx, w->a, &s, w->logical_id, &r)))
		for (const struct json_value *c = cfn_signals(w->a, &r)->first; c; c = c->next, n++)
			*bad += !str_is(str_or(cfn_at(c, "Status"), STR("")), "SUCCESS");
	store_end(tx);
	return n;
}

static status ended(struct cfn_work *w, const struct rolling *r, const struct progress *p, status s)
{
	struct str why = w->why;
	forget_progress(w);
	status resized = p->grown ? resize(w, p->min, p->desired) : OK,
	       resumed = processes(w, "ResumeProcesses", r->suspend);
	if (!is_ok(s)) {
		w->why = why; /* not what came of tidying up */
		return s;
	}
	TRY(resized);
	return resumed;
}

/* The next batch, or room for it first. */
static status choose(struct cfn_work *w, const struct rolling *r, struct progress *p, const struct json_value *group)
{
	struct counted n = count(group, p);
	int64_t desired = number(group, "DesiredCapacity", 0), max = number(group, "MaxSize", 0);
	int64_t size = r->batch < (int64_t)p->old.n ? r->batch : (int64_t)p->old.n;
	if (n.in_service - size < r->in_service) {
		int64_t grow = r->in_service + size - desired;
		if (grow > max - desired) grow = max - desired;
		if (grow > 0) {
			TRY(resize(w, desired + grow, desired + grow));
			p->grown = true;
			p->added += grow;
			p->until = 0;
			p->stable = w->now_ms + STABLE_MS + r->pause_ms;
			p->phase = STR("wait");
			w->note = str_fmt(w->a,
				"Temporarily setting autoscaling group MinSize and DesiredCapacity to %lld.",
				(long long)(desired + grow));
			return OK;
		}
		/* Smaller batches where the group cannot grow by a whole one. */
		if (size > n.in_service - r->in_service) size = n.in_service - r->in_service;
		if (size < 1) size = desired > r->in_service ? 1 : 0;
		if (size < 1) { /* those that serve are too few just now */
			if (w->now_ms <= p->stable) return STATUS(PENDING);
			return cfn_fail(w, "Group did not stabilize: too few instances are in service.");
		}
	}
	int64_t extra = desired - p->desired;
	p->fewer = extra < 0 ? 0 : extra < size ? extra : size;
	p->batch = (struct cfn_names){0};
	p->batch_capacity = 0;
	struct buf names = BUF_IN(w->a);
	for (size_t i = 0; i < (size_t)size; i++) {
		*VEC_PUSH(w->a, &p->batch, &p->batch_capacity) = p->old.v[i];
		if (names.n) buf_lit(&names, ",");
		buf_str(&names, p->old.v[i]);
	}
	p->phase = STR("terminate");
	w->note = str_fmt(w->a, "Terminating instance(s) [%.*s]; replacing with %lld new instance(s).",
		STR_ARG(buf_done(&names)), (long long)(size - p->fewer));
	return OK;
}

static status terminate(struct cfn_work *w, const struct rolling *r, struct progress *p, const struct json_value *group)
{
	int64_t desired = number(group, "DesiredCapacity", 0);
	/* What goes without being replaced takes the capacity with it, which the smallest size has to allow. */
	if (p->fewer && number(group, "MinSize", 0) > p->desired) TRY(resize(w, p->min, desired));
	const struct json_value *all = cfn_in(group, "Instances");
	for (size_t k = 0; k < p->batch.n; k++)
		for (const struct json_value *i = all ? all->first : NULL; i; i = i->next) {
			if (!str_eq(str_or(cfn_at(i, "InstanceId"), STR("")), p->batch.v[k]) || is_leaving(i)) continue;
			struct json_value *in = cfn_one(w->a, "InstanceId", p->batch.v[k]);
			cfn_put(in, w->a, "ShouldDecrementDesiredCapacity",
				(int64_t)k < p->fewer ? STR("true") : STR("false"));
			TRY(cfn_do_unless(w, "autoscaling", "TerminateInstanceInAutoScalingGroup", in,
				"ValidationError,ScalingActivityInProgress"));
		}
	if (count(group, p).batch_there) return OK; /* looked at once more */
	struct cfn_names left = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < p->old.n; i++)
		if (!cfn_names_have(&p->batch, p->old.v[i])) *VEC_PUSH(w->a, &left, &capacity) = p->old.v[i];
	int64_t replaced = (int64_t)p->batch.n - p->fewer;
	p->old = left;
	p->batch = (struct cfn_names){0};
	p->added += replaced;
	p->until = 0;
	p->stable = w->now_ms + STABLE_MS + r->pause_ms;
	p->phase = replaced ? STR("wait") : STR("choose");
	w->note = str_fmt(w->a, "Successfully terminated instance(s) (Progress %lld%%).",
		(long long)((p->total - (int64_t)left.n) * 100 / p->total));
	return OK;
}

/* Percentages are rounded up: "if you update five instances with a minimum successful percentage of 50, three instances
 * must signal success". */
static int64_t share(int64_t n, int64_t percent)
{
	return (n * percent + 99) / 100;
}

static status wait_for_new(
	struct cfn_work *w, const struct rolling *r, struct progress *p, const struct json_value *group)
{
	struct counted n = count(group, p);
	int64_t bad = 0, come = r->signals ? signals_so_far(w, &bad) : 0;
	int64_t allowed = p->total - share(p->total, r->successful);
	bool there = r->signals ? n.fresh >= p->added : n.fresh_in_service >= p->added;
	if (bad > allowed)
		return cfn_fail(w,
			"Received %lld FAILURE signal(s) out of %lld.  Unable to satisfy %lld%% "
			"MinSuccessfulInstancesPercent requirement",
			(long long)bad, (long long)p->total, (long long)r->successful);
	if (!there) {
		if (w->now_ms <= p->stable) return STATUS(PENDING);
		return cfn_fail(w, "Group did not stabilize. {current/minSize/maxSize group size: %lld/%lld/%lld}.",
			(long long)n.in_service, (long long)number(group, "MinSize", 0),
			(long long)number(group, "MaxSize", 0));
	}
	if (!p->until) {
		p->until = w->now_ms + r->pause_ms;
		if (r->signals && come < p->added)
			w->note = str_fmt(w->a,
				"New instance(s) added to autoscaling group - Waiting on %lld resource signal(s) with "
				"a "
				"timeout of %.*s.",
				(long long)(p->added - come), STR_ARG(r->pause));
		return OK;
	}
	bool late = w->now_ms >= p->until;
	if (r->signals && come < p->added && !late) return STATUS(PENDING);
	if (!r->signals && !late) return STATUS(PENDING);
	if (r->signals && p->added - come + bad > allowed)
		return cfn_fail(w, "Failed to receive %lld resource signal(s) within the specified duration",
			(long long)(p->added - come));
	int64_t needed = share(number(group, "DesiredCapacity", 0), r->active);
	if (n.in_service < needed && w->now_ms <= p->stable && !(r->signals && late)) return STATUS(PENDING);
	p->phase = STR("choose");
	return OK;
}

static status step(struct cfn_work *w, const struct rolling *r, struct progress *p)
{
	const struct json_value *group;
	TRY(group_now(w, &group));
	if (str_is(p->phase, "terminate")) return terminate(w, r, p, group);
	if (str_is(p->phase, "wait")) return wait_for_new(w, r, p, group);
	return choose(w, r, p, group);
}

static status settle(struct cfn_work *w)
{
	struct rolling r;
	struct progress p;
	TRY(cfn_recipe_settle(w));
	const struct json_value *state = json_member(w->attributes, STR(STATE));
	if (!state) return OK;
	TRY(read_policy(w, &r));
	read_progress(w, state, &p);
	if (!p.old.n && str_is(p.phase, "choose")) return ended(w, &r, &p, OK);
	/* Told already that it begins: that is written down first. */
	if (str_has(w->note)) return STATUS(PENDING);
	status s = step(w, &r, &p);
	if (!is_ok(s) && !status_is(s, STATUS_PENDING)) return ended(w, &r, &p, s);
	write_progress(w, &p);
	return STATUS(PENDING);
}

bool cfn_group_replaced(
	const struct cfn_type *type, const struct json_value *update_policy, const struct cfn_names *changed)
{
	if (!str_is(type->name, "AWS::AutoScaling::AutoScalingGroup") ||
		!str_is(str_or(cfn_at(update_policy, "AutoScalingReplacingUpdate.WillReplace"), STR("")), "true"))
		return false;
	for (size_t i = 0; i < changed->n; i++)
		if (str_is(changed->v[i], "LaunchTemplate") || str_is(changed->v[i], "LaunchConfigurationName") ||
			str_is(changed->v[i], "MixedInstancesPolicy") || str_is(changed->v[i], "VPCZoneIdentifier"))
			return true;
	return false;
}

const struct cfn_handler cfn_rolling[] = {
	{"AWS::AutoScaling::AutoScalingGroup", cfn_recipe_create, settle, update, cfn_recipe_remove, cfn_recipe_read},
	{0},
};
