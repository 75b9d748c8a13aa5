/* One instance's way through a group: pending, in service, terminating, with what it waits for on the way ("Amazon EC2
 * Auto Scaling instance lifecycle", the guide). Each step looks at the record and at what EC2 says, and writes what is
 * then; what has to be asked of EC2 and of balancers is effect.c's. */
#include "services/autoscaling/room.h"
#include "services/ec2/door.h"

struct step {
	struct as_work *w;
	struct autoscaling_rec_instance *i;
	struct ec2_instance_facts f;
	bool gone; /* terminated, or about to be, or forgotten */
};

static struct as_activity activity_of(const struct autoscaling_rec_instance *i)
{
	return (struct as_activity){i->activity, i->activity_at.ms};
}

static void move(struct step *s, struct str state)
{
	as_state(s->i, state, s->w->now_ms);
	s->w->changed = true;
}

static status tell(struct step *s, struct str event)
{
	struct autoscaling_activity act;
	status found = as_activity_get(s->w->g, activity_of(s->i), &act);
	if (status_is(found, STATUS_NOT_FOUND)) return OK;
	TRY(found);
	return as_notify(s->w->cloud, s->w->g, event, &act, s->i->id, s->w->now_ms);
}

/* ── in ── */

/* It ended before it served. */
static status lost(struct step *s)
{
	struct as_group *g = s->w->g;
	struct str why = str_fmt(g->at.a,
		"Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
		"%.*s",
		STR_ARG(str_or(s->f.reason, STR("Client.UserInitiatedShutdown: User initiated shutdown"))));
	TRY(as_activity_set(g, activity_of(s->i), STR("Failed"), 100, STR_NONE, why, s->w->now_ms));
	TRY(tell(s, STR("autoscaling:EC2_INSTANCE_LAUNCH_ERROR")));
	as_instance_drop(g, s->i);
	s->i->ended = SOME_BOOL(true);
	s->w->changed = true;
	/* One that dies again and again is launched again and again, but not at once. */
	g->r.failures = SOME_I32(g->r.failures.v + 1);
	int64_t pause = 1000ll << (g->r.failures.v < 8 ? g->r.failures.v : 8);
	if (g->r.failures.v > 1) g->r.retry = SOME_TIME(s->w->now_ms + pause);
	return OK;
}

static status serve(struct step *s)
{
	struct as_group *g = s->w->g;
	move(s, STR("InService"));
	s->i->in_service = SOME_TIME(s->w->now_ms);
	s->i->grace_from = SOME_TIME(s->w->now_ms);
	/* One that a refresh has launched stays beyond what is desired until it takes another's place. */
	if (!str_has(s->i->refresh)) s->i->extra = SOME_BOOL(false);
	s->i->waits = (struct autoscaling_rec_waits){0};
	g->r.failures.has = false;
	TRY(as_activity_set(g, activity_of(s->i), STR("Successful"), 100, STR_NONE, STR_NONE, s->w->now_ms));
	return tell(s, STR("autoscaling:EC2_INSTANCE_LAUNCH"));
}

/* In a warm pool: it is stopped, or goes on running, and waits there. */
static status warmed(struct step *s)
{
	const struct autoscaling_warm_pool_configuration *p = s->w->g->g.warm_pool_configuration;
	bool runs = p && str_is(p->pool_state, "Running");
	s->i->waits = (struct autoscaling_rec_waits){0};
	if (runs) {
		move(s, STR("Warmed:Running"));
	} else {
		if (!str_is(s->f.state, "stopped")) return OK; /* effect.c stops it */
		move(s, STR("Warmed:Stopped"));
	}
	return as_activity_set(s->w->g, activity_of(s->i), STR("Successful"), 100, STR_NONE, STR_NONE, s->w->now_ms);
}

static status arrived(struct step *s)
{
	bool waits;
	TRY(as_hooks_begin(s->w->cloud, s->w->g, s->i, AS_LAUNCHING, s->w->now_ms, &waits));
	if (waits) {
		move(s, s->i->pool.v ? STR("Warmed:Pending:Wait") : STR("Pending:Wait"));
		return as_activity_set(
			s->w->g, activity_of(s->i), STR("MidLifecycleAction"), 50, STR_NONE, STR_NONE, s->w->now_ms);
	}
	move(s, s->i->pool.v ? STR("Warmed:Pending:Proceed") : STR("Pending:Proceed"));
	return OK;
}

static status pending(struct step *s)
{
	/* From a warm pool it may still be on its way to be started. */
	if (s->gone) return lost(s);
	if (str_is(s->f.state, "running")) return arrived(s);
	return OK;
}

static status wait_in(struct step *s)
{
	bool over, abandon;
	if (s->gone) return lost(s);
	as_hooks_look(s->i, s->w->now_ms, &over, &abandon, &s->w->next_ms);
	if (abandon) {
		struct str id = s->i->id;
		return as_instance_end(s->w, s->i,
			str_fmt(s->w->g->at.a,
				"instance %.*s was taken out of service in response to a lifecycle action's result of "
				"ABANDON.",
				STR_ARG(id)));
	}
	if (over) move(s, s->i->pool.v ? STR("Warmed:Pending:Proceed") : STR("Pending:Proceed"));
	return OK;
}

static status proceed_in(struct step *s)
{
	if (s->gone) return lost(s);
	return s->i->pool.v ? warmed(s) : serve(s);
}

/* ── health ── "Health checks for instances in an Auto Scaling group", the guide. */

static bool checks(const struct as_group *g, const char *type)
{
	struct str rest = g->g.health_check_type;
	while (str_has(rest))
		if (str_eq(str_cut(&rest, ','), str_c(type))) return true;
	return false;
}

/* "Launch before terminating", of an instance maintenance policy ("Instance maintenance policies", the guide): what
 * still runs is replaced only once as many others serve as are desired; beyond those come as many as the policy's
 * maximum allows. *now: it may go. */
static status make_room(struct as_work *w, const struct autoscaling_rec_instance *i, bool *now)
{
	const struct autoscaling_instance_maintenance_policy *m = w->g->g.instance_maintenance_policy;
	int32_t desired = w->g->g.desired_capacity.v, serving = 0, extra = 0, allowed;
	*now = true;
	if (!m || m->min_healthy_percentage.v < 100 || m->max_healthy_percentage.v <= 100 || w->g->r.deleting.v)
		return OK;
	for (size_t k = 0; k < w->all->n; k++) {
		const struct autoscaling_rec_instance *r = &w->all->v[k];
		if (r->ended.v || !as_counts(r) || str_eq(r->id, i->id)) continue;
		if (str_is(r->state, "InService") && r->healthy.v) serving += as_weight(r);
		if (r->extra.v) extra += as_weight(r);
	}
	for (size_t k = 0; k < w->launches->n; k++) extra += w->launches->v[k].extra.v;
	if (serving >= desired) return OK;
	*now = false;
	allowed = desired * (m->max_healthy_percentage.v - 100) / 100;
	if (extra >= (allowed > 1 ? allowed : 1) || as_suspended(w->g, "Launch")) return OK;
	struct as_want want = {.zone = i->zone,
		.extra = true,
		.why = STR("an instance was launched in response to an unhealthy instance needing to be replaced.")};
	status s = as_launch_one(w, want);
	return status_is(s, STATUS_BUSY) ? OK : s;
}

static status in_service(struct step *s)
{
	struct as_work *w = s->w;
	bool now = true;
	struct autoscaling_rec_instance *i = s->i;
	const char *why = NULL;
	bool runs = str_is(s->f.state, "running") || str_is(s->f.state, "pending");
	int64_t grace = i->grace_from.ms + w->g->g.health_check_grace_period.v * 1000ll;
	if (as_suspended(w->g, "HealthCheck")) return OK;
	if (s->gone || !runs)
		why = "an instance was taken out of service in response to an EC2 health check indicating it has been "
		      "terminated or stopped.";
	else if (!i->healthy.v && str_is(i->why, "user"))
		why = "an instance was taken out of service in response to a user health-check.";
	else if (w->now_ms < grace)
		as_again(w, grace);
	else if (s->f.impaired)
		why = "an instance was taken out of service in response to an EC2 instance status checks failure.";
	else if (!i->healthy.v && str_is(i->why, "elb") && checks(w->g, "ELB"))
		why = "an instance was taken out of service in response to an ELB system health check failure.";
	int64_t age = w->g->g.max_instance_lifetime.v * 1000ll;
	if (!why && age && i->launched.ms + age <= w->now_ms)
		why = "an instance was taken out of service in response to its maximum instance lifetime.";
	else if (!why && age)
		as_again(w, i->launched.ms + age);
	if (!why) return OK;
	if (i->healthy.v) {
		i->healthy = SOME_BOOL(false);
		w->changed = true;
		as_instance_put(w->g, i);
	}
	if (as_suspended(w->g, "ReplaceUnhealthy") || as_suspended(w->g, "Terminate")) return OK;
	if (!s->gone && runs) TRY(make_room(w, i, &now));
	return now ? as_instance_end(w, i, str_c(why)) : OK;
}

/* ── out ── */

status as_instance_end(struct as_work *w, struct autoscaling_rec_instance *i, struct str why)
{
	struct as_group *g = w->g;
	struct arena *a = g->at.a;
	struct str cause = why;
	if (!str_starts(why, STR("At ")))
		cause = str_fmt(a, "At %.*s %.*s", STR_ARG(as_when(a, w->now_ms)), STR_ARG(why));
	if (str_has(i->activity))
		TRY(as_activity_set(g, activity_of(i), STR("Cancelled"), 100, STR_NONE, STR_NONE, w->now_ms));
	struct as_activity act = as_activity_begin(g, str_fmt(a, "Terminating EC2 instance: %.*s", STR_ARG(i->id)),
		cause, as_details(a, i->subnet, i->zone), w->now_ms);
	i->activity = act.id;
	i->activity_at = SOME_TIME(act.at_ms);
	i->waits = (struct autoscaling_rec_waits){0};
	i->extra = SOME_BOOL(false);
	as_state(i, i->pool.v ? STR("Warmed:Terminating") : STR("Terminating"), w->now_ms);
	w->changed = true;
	as_instance_put(g, i);
	return OK;
}

static status leave(struct step *s)
{
	bool waits = false;
	/* Out of its balancers first: effect.c. */
	if (s->i->registered.n && !s->gone) return OK;
	TRY(as_hooks_begin(s->w->cloud, s->w->g, s->i, AS_TERMINATING, s->w->now_ms, &waits));
	if (waits) {
		move(s, s->i->pool.v ? STR("Warmed:Terminating:Wait") : STR("Terminating:Wait"));
		return as_activity_set(
			s->w->g, activity_of(s->i), STR("MidLifecycleAction"), 60, STR_NONE, STR_NONE, s->w->now_ms);
	}
	move(s, s->i->pool.v ? STR("Warmed:Terminating:Proceed") : STR("Terminating:Proceed"));
	return OK;
}

static bool retains(const struct as_group *g)
{
	const struct autoscaling_instance_lifecycle_policy *p = g->g.instance_lifecycle_policy;
	return p && p->retention_triggers && str_is(p->retention_triggers->terminate_hook_abandon, "retain");
}

static status wait_out(struct step *s)
{
	bool over, abandon;
	as_hooks_look(s->i, s->w->now_ms, &over, &abandon, &s->w->next_ms);
	if (!over) return OK;
	if (abandon && retains(s->w->g) && !s->gone)
		move(s, s->i->pool.v ? STR("Warmed:Terminating:Retained") : STR("Terminating:Retained"));
	else
		move(s, s->i->pool.v ? STR("Warmed:Terminating:Proceed") : STR("Terminating:Proceed"));
	return OK;
}

/* "Return instances to the warm pool on scale in", the guide. */
static status back_to_pool(struct step *s)
{
	s->i->reuse.has = false;
	s->i->pool = SOME_BOOL(true);
	TRY(as_activity_set(s->w->g, activity_of(s->i), STR("Successful"), 100, STR_NONE, STR_NONE, s->w->now_ms));
	s->i->activity = STR_NONE;
	move(s, STR("Warmed:Pending:Proceed"));
	return OK;
}

static status proceed_out(struct step *s)
{
	if (s->i->reuse.v && !s->gone) return back_to_pool(s);
	if (!s->gone) return OK; /* effect.c ends it */
	/* Its end is known once EC2 has ended it. */
	if (str_is(s->f.state, "shutting-down")) return OK;
	TRY(as_activity_set(s->w->g, activity_of(s->i), STR("Successful"), 100, STR_NONE, STR_NONE, s->w->now_ms));
	TRY(tell(s, STR("autoscaling:EC2_INSTANCE_TERMINATE")));
	as_instance_drop(s->w->g, s->i);
	s->i->ended = SOME_BOOL(true);
	s->w->changed = true;
	return OK;
}

static status gone_is_gone(struct step *s)
{
	if (!s->gone) return OK;
	return as_instance_end(s->w, s->i,
		STR("an instance was taken out of service in response to an EC2 health check "
		    "indicating it has been terminated or stopped."));
}

/* ── out of service, and alive ── */

static status enter_standby(struct step *s)
{
	if (s->gone) return gone_is_gone(s);
	if (s->i->registered.n) return OK; /* effect.c takes it out of its balancers */
	move(s, STR("Standby"));
	return as_activity_set(s->w->g, activity_of(s->i), STR("Successful"), 100, STR_NONE, STR_NONE, s->w->now_ms);
}

static status detach(struct step *s)
{
	if (s->i->registered.n && !s->gone) return OK;
	TRY(as_activity_set(s->w->g, activity_of(s->i), STR("Successful"), 100, STR_NONE, STR_NONE, s->w->now_ms));
	as_instance_drop(s->w->g, s->i);
	s->i->ended = SOME_BOOL(true);
	s->w->changed = true;
	return OK;
}

static status step(struct step *s)
{
	static const struct {
		const char *state;
		status (*fn)(struct step *s);
	} steps[] = {
		{"Pending", pending},
		{"Pending:Wait", wait_in},
		{"Pending:Proceed", proceed_in},
		{"InService", in_service},
		{"Terminating", leave},
		{"Terminating:Wait", wait_out},
		{"Terminating:Proceed", proceed_out},
		{"Terminating:Retained", gone_is_gone},
		{"Standby", gone_is_gone},
		{"EnteringStandby", enter_standby},
		{"Detaching", detach},
		{"Warmed:Pending", pending},
		{"Warmed:Pending:Wait", wait_in},
		{"Warmed:Pending:Proceed", proceed_in},
		{"Warmed:Stopped", gone_is_gone},
		{"Warmed:Running", gone_is_gone},
		{"Warmed:Terminating", leave},
		{"Warmed:Terminating:Wait", wait_out},
		{"Warmed:Terminating:Proceed", proceed_out},
		{"Warmed:Terminating:Retained", gone_is_gone},
	};
	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++)
		if (str_eq(s->i->state, str_c(steps[k].state))) return steps[k].fn(s);
	return OK;
}

status as_instance_step(struct as_work *w, struct autoscaling_rec_instance *i)
{
	struct as_place at = w->g->at;
	struct step s = {.w = w, .i = i};
	status found = ec2_instance_facts(at.tx, at.a, at.account, at.region, i->id, &s.f);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	s.gone = !is_ok(found) || str_is(s.f.state, "terminated") || str_is(s.f.state, "shutting-down");
	/* As far as it goes without anybody else. */
	for (;;) {
		struct str before = i->state;
		TRY(step(&s));
		if (i->ended.v) return OK;
		if (str_eq(before, i->state)) return OK;
		as_instance_put(w->g, i);
	}
}
