/* What a policy makes of a group's desired capacity ("Step and simple scaling policies", "Target tracking scaling
 * policies", the guide), and the alarms that ask for it. */
#include "base/log.h"
#include "services/autoscaling/policy.h"
#include "services/cloudwatch/metrics.h"
#include <math.h>

#define JOB_ALARM "autoscaling.alarm"

/* "Values greater than 1 are rounded down … between 0 and 1 to 1 … between 0 and -1 to -1 … less than -1 are rounded
 * up". */
static int32_t percent(int32_t of, int32_t by)
{
	double x = of * (by / 100.0);
	if (x > 0 && x < 1) return 1;
	if (x < 0 && x > -1) return -1;
	return (int32_t)(x > 0 ? floor(x) : ceil(x));
}

static int32_t adjusted(const struct autoscaling_scaling_policy *p, int32_t base, int32_t by)
{
	if (str_is(p->adjustment_type, "ExactCapacity")) return by;
	if (str_is(p->adjustment_type, "ChangeInCapacity")) return base + by;
	int32_t change = percent(base, by), least = p->min_adjustment_magnitude.v;
	if (!p->min_adjustment_magnitude.has) least = p->min_adjustment_step.v;
	if (change > 0 && change < least) change = least;
	if (change < 0 && -change < least) change = -least;
	return base + change;
}

/* Above the threshold the lower bound belongs to the step, below it the upper one does. */
static bool step_in(const struct autoscaling_scaling_policy *p, double delta, bool above, int32_t *by)
{
	for (size_t i = 0; i < p->step_adjustments.n; i++) {
		const struct autoscaling_step_adjustment *s = &p->step_adjustments.v[i];
		const struct opt_f64 *lo = &s->metric_interval_lower_bound, *hi = &s->metric_interval_upper_bound;
		if (lo->has && (above ? delta < lo->v : delta <= lo->v)) continue;
		if (hi->has && (above ? delta >= hi->v : delta > hi->v)) continue;
		*by = s->scaling_adjustment.v;
		return true;
	}
	return false;
}

static bool step_of(const struct autoscaling_scaling_policy *p, double delta, int32_t *by)
{
	if (delta >= 0 && step_in(p, delta, true, by)) return true;
	return delta <= 0 && step_in(p, delta, false, by);
}

/* What serves and is warm, and whether anything is on its way there. */
static status warm(struct as_group *g, int32_t warmup_s, int64_t now_ms, int32_t *weight, bool *warming)
{
	struct as_instances all;
	struct as_launches launches;
	*weight = 0;
	*warming = false;
	TRY(as_instances(g, &all));
	TRY(as_launches(g, &launches));
	for (size_t i = 0; i < all.n; i++) {
		if (as_is_warm(g, &all.v[i], warmup_s, now_ms))
			*weight += as_weight(&all.v[i]);
		else if (as_counts(&all.v[i]))
			*warming = true;
	}
	*warming = *warming || launches.n;
	return OK;
}

status as_policy_run(struct as_group *g, const struct autoscaling_scaling_policy *p, const struct as_trigger *t,
	int64_t now_ms, bool *cooling)
{
	int32_t base = g->g.desired_capacity.v, to = base, now = base, by, warm_weight;
	bool simple = str_is(p->policy_type, "SimpleScaling"), steps = str_is(p->policy_type, "StepScaling"), warming;
	int32_t warmup = p->estimated_instance_warmup.has ? p->estimated_instance_warmup.v : as_warmup_s(g);
	if (!p->estimated_instance_warmup.has && !g->g.default_instance_warmup.has) warmup = g->g.default_cooldown.v;
	*cooling = false;
	if (p->enabled.has && !p->enabled.v) return OK;
	if (g->r.deleting.v) return OK;
	TRY(warm(g, warmup, now_ms, &warm_weight, &warming));
	if (simple) {
		if (t->honor_cooldown && g->r.cooldown.has && g->r.cooldown.ms > now_ms) {
			*cooling = true;
			return OK;
		}
		to = adjusted(p, base, p->scaling_adjustment.v);
	} else if (steps) {
		if (!t->has_value || !step_of(p, t->value - t->threshold, &by)) return OK;
		/* "Instances that are warming up are not counted toward the aggregated metrics": a step that is
		 * breached again while they do adds to what was there before them, not to them. */
		bool grows = by > 0 && !str_is(p->adjustment_type, "ExactCapacity");
		to = adjusted(p, grows && warming ? warm_weight : base, by);
		if (grows && to < base) to = base;
	} else if (as_tracks(p)) {
		double target = p->target_tracking_configuration->target_value.v;
		if (!t->has_value || target <= 0) return OK;
		int32_t of = warm_weight ? warm_weight : base;
		to = (int32_t)fmin(ceil(of * t->value / target), 1e6);
		bool high = t->value > target;
		if (high && to < base) to = base;
		if (!high && (p->target_tracking_configuration->disable_scale_in.v || to > base)) to = base;
	} else {
		return OK;
	}
	/* "A scale-in activity cannot start while a scale-out activity is in progress" (instance warm-up). */
	if (!simple && to < base && warming) return OK;
	if (to < g->g.min_size.v) to = g->g.min_size.v;
	if (to > g->g.max_size.v) to = g->g.max_size.v;
	if (to == now) return OK;
	struct arena *a = g->at.a;
	struct str why = str_has(t->alarm) ? str_fmt(a, "a monitor alarm %.*s in state ALARM triggered policy %.*s",
						     STR_ARG(t->alarm), STR_ARG(p->policy_name))
					   : str_fmt(a, "a user request executed policy %.*s", STR_ARG(p->policy_name));
	as_desire(g, to, why, now_ms);
	if (simple)
		g->r.cooldown =
			SOME_TIME(now_ms + (p->cooldown.has ? p->cooldown.v : g->g.default_cooldown.v) * 1000ll);
	return OK;
}

/* ── alarms ── */

/* The group and the policy that an ARN names. */
static bool read_arn(struct str arn, struct str *group, struct str *policy)
{
	ptrdiff_t at = str_find(arn, STR(":policyName/")), of = str_find(arn, STR(":autoScalingGroupName/"));
	if (of < 0 || at < of) return false;
	*group = str_sub(arn, (size_t)of + 22, (size_t)(at - of) - 22);
	*policy = str_from(arn, (size_t)at + 12);
	return true;
}

static void on_alarm(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	const struct metrics_alarm_action *m = e->detail;
	struct cloud *cloud = ctx;
	struct str group, policy;
	struct as_policy p;
	struct arena a;
	(void)phase;
	if (!read_arn(m->action, &group, &policy)) return;
	arena_init(&a);
	struct as_place at = {tx, &a, e->account, e->region};
	*m->taken = true;
	if (!is_ok(as_policy_get(at, group, policy, &p)) || !str_eq(p.p.policy_arn, m->action)) {
		if (m->error) *m->error = STR("The scaling policy does not exist.");
	} else {
		struct autoscaling_rec_alarm r = {.policy = policy, .alarm = m->alarm_name};
		if (m->has_value) {
			r.value = SOME_F64(m->value);
			r.threshold = SOME_F64(m->threshold);
		}
		jobs_schedule(tx, &(struct job){.kind = STR(JOB_ALARM),
					  .id = as_job_id(at, group,
						  str_fmt(&a, "%.*s %.*s", STR_ARG(policy), STR_ARG(m->alarm_name))),
					  .due_ms = clock_now(cloud->clock),
					  .payload = autoscaling_rec_alarm_encode(&a, &r)});
	}
	arena_cleanup(&a);
}

static status alarm_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct as_place at;
	struct str group, name;
	struct autoscaling_rec_alarm r = {0};
	struct as_group g;
	struct as_policy p;
	bool cooling;
	(void)again_ms;
	TRY(as_job_read(tx, a, job, &at, &group, &name));
	TRY(autoscaling_rec_alarm_decode(a, str_dup(a, job->payload), &r));
	status s = as_group_load(at, group, &g);
	if (is_ok(s)) s = as_policy_get(at, group, r.policy, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (as_suspended(&g, "AlarmNotification")) return OK;
	struct as_trigger t = {.alarm = r.alarm,
		.has_value = r.value.has,
		.value = r.value.v,
		.threshold = r.threshold.v,
		.honor_cooldown = true};
	bool low = as_tracks(&p.p) && r.value.has && r.value.v < p.p.target_tracking_configuration->target_value.v;
	if (low && !as_tracking_agree(cloud, a, at, group, r.policy)) return OK;
	int32_t was = g.g.desired_capacity.v;
	TRY(as_policy_run(&g, &p.p, &t, clock_now(cloud->clock), &cooling));
	if (g.g.desired_capacity.v == was) return OK;
	log_info("autoscaling", "scaled", "group=%.*s policy=%.*s from=%d to=%d", STR_ARG(group), STR_ARG(r.policy),
		was, g.g.desired_capacity.v);
	as_group_put(&g);
	as_group_poke(&g, clock_now(cloud->clock));
	return OK;
}

void as_alarms_start(struct cloud *cloud)
{
	bus_subscribe(cloud->bus, BUS_COMMITTING, METRICS_ALARM_ACTION, on_alarm, cloud);
	jobs_register(cloud->jobs, JOB_ALARM, alarm_job, cloud);
}
