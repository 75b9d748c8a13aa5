/* What brings traffic to a group's instances, as effects (effect.h): target groups, called by their ARN, and Classic
 * Load Balancers, called by their name, which holds no colon. */
#include "elb.h"
#include "elbv2.h"
#include "services/autoscaling/effect.h"

enum { HEALTH_POLL_MS = 2000, DRAIN_POLL_MS = 500, RETRY_MS = 5000 };

struct source {
	struct as_effects *e;
	struct str name;
	bool classic;
	struct inside *health; /* what it says of its targets; NULL: not asked yet */
};

/* What a source says of an instance. */
enum standing { ABSENT, DRAINING, REGISTERED, HEALTHY, UNHEALTHY };

/* ── target groups ── */

static enum standing target_standing(struct source *s, struct str instance)
{
	if (!s->health) {
		struct elbv2_describe_target_health_input in = {.target_group_arn = s->name};
		s->health = inside_run(s->e->cloud, &s->e->who, "elbv2", ELBV2_OP_DESCRIBE_TARGET_HEALTH, &in, NULL);
	}
	const struct elbv2_describe_target_health_output *h = s->health->out;
	for (size_t i = 0; s->health->ok && i < h->target_health_descriptions.n; i++) {
		const struct elbv2_target_health_description *d = &h->target_health_descriptions.v[i];
		if (!d->target || !d->target_health || !str_eq(d->target->id, instance)) continue;
		struct str state = d->target_health->state;
		return str_is(state, "draining")    ? DRAINING
		       : str_is(state, "healthy")   ? HEALTHY
		       : str_is(state, "unhealthy") ? UNHEALTHY
						    : REGISTERED;
	}
	return ABSENT;
}

static bool target_set(struct source *s, struct str instance, bool in)
{
	struct elbv2_target_description one = {.id = instance};
	struct elbv2_register_targets_input add = {s->name, {&one, 1}};
	struct elbv2_deregister_targets_input remove = {s->name, {&one, 1}};
	struct inside *i = inside_run(s->e->cloud, &s->e->who, "elbv2",
		in ? ELBV2_OP_REGISTER_TARGETS : ELBV2_OP_DEREGISTER_TARGETS,
		in ? (const void *)&add : (const void *)&remove, NULL);
	bool ok = i->ok;
	inside_free(i);
	return ok;
}

/* ── Classic Load Balancers ── */

static enum standing classic_state(const struct elb_instance_state *s)
{
	/* "While in-flight requests are being served, the load balancer reports … InService: Instance deregistration
	 * currently in progress": the User Guide for Classic Load Balancers, "Configure connection draining". */
	if (str_is(s->state, "InService"))
		return str_find(s->description, STR("deregistration")) >= 0 ? DRAINING : HEALTHY;
	if (str_find(s->description, STR("not currently registered")) >= 0) return ABSENT;
	/* "Instance": it is the instance's fault. "ELB": its registration is in progress. */
	return str_is(s->state, "OutOfService") && str_is(s->reason_code, "Instance") ? UNHEALTHY : REGISTERED;
}

static struct inside *classic_ask(struct source *s, struct elb_instance *only)
{
	struct elb_describe_instance_health_input in = {
		.load_balancer_name = s->name, .instances = {only, only ? 1 : 0}};
	return inside_run(s->e->cloud, &s->e->who, "elb", ELB_OP_DESCRIBE_INSTANCE_HEALTH, &in, NULL);
}

static enum standing classic_standing(struct source *s, struct str instance)
{
	enum standing found = ABSENT;
	if (!s->health) s->health = classic_ask(s, NULL);
	const struct elb_describe_instance_health_output *h = s->health->out;
	for (size_t i = 0; s->health->ok && i < h->instance_states.n; i++)
		if (str_eq(h->instance_states.v[i].instance_id, instance))
			return classic_state(&h->instance_states.v[i]);
	if (!s->health->ok) return ABSENT;
	/* A list without instances leaves out those that drain. */
	struct elb_instance one = {instance};
	struct inside *i = classic_ask(s, &one);
	h = i->out;
	if (i->ok && h->instance_states.n) found = classic_state(&h->instance_states.v[0]);
	inside_free(i);
	return found;
}

static bool classic_set(struct source *s, struct str instance, bool in)
{
	struct elb_instance one = {instance};
	struct elb_register_instances_with_load_balancer_input add = {s->name, {&one, 1}};
	struct elb_deregister_instances_from_load_balancer_input remove = {s->name, {&one, 1}};
	struct inside *i = inside_run(s->e->cloud, &s->e->who, "elb",
		in ? ELB_OP_REGISTER_INSTANCES_WITH_LOAD_BALANCER : ELB_OP_DEREGISTER_INSTANCES_FROM_LOAD_BALANCER,
		in ? (const void *)&add : (const void *)&remove, NULL);
	bool ok = i->ok;
	inside_free(i);
	return ok;
}

/* ── both ── */

static enum standing standing(struct source *s, struct str instance)
{
	return s->classic ? classic_standing(s, instance) : target_standing(s, instance);
}

static bool set(struct source *s, struct str instance, bool in)
{
	return s->classic ? classic_set(s, instance, in) : target_set(s, instance, in);
}

struct mark {
	struct arena *a;
	struct str source;
	bool there;
};

static bool mark_in(struct autoscaling_rec_strings *list, const struct mark *m)
{
	struct autoscaling_rec_strings now = {0};
	size_t capacity = 0;
	if (as_has(list->v, list->n, m->source) == m->there) return false;
	for (size_t k = 0; k < list->n; k++)
		if (!str_eq(list->v[k], m->source)) *VEC_PUSH(m->a, &now, &capacity) = list->v[k];
	if (m->there) *VEC_PUSH(m->a, &now, &capacity) = m->source;
	*list = now;
	return true;
}

static bool set_registered(struct autoscaling_rec_instance *i, const void *ctx)
{
	const struct mark *m = ctx, not = {m->a, m->source, false};
	bool passed = !m->there && mark_in(&i->passed, &not );
	return mark_in(&i->registered, m) || passed;
}

static bool set_passed(struct autoscaling_rec_instance *i, const void *ctx)
{
	return mark_in(&i->passed, ctx);
}

/* ctx: until when an instance has to have come into service for its grace to be over. "Health check grace period: …
 * Amazon EC2 Auto Scaling doesn't act on failed Elastic Load Balancing checks" before; what was ill then may be well
 * after. */
static bool set_unhealthy(struct autoscaling_rec_instance *i, const void *ctx)
{
	const int64_t *before_ms = ctx;
	if (!i->healthy.v || !str_is(i->state, "InService") || i->grace_from.ms > *before_ms) return false;
	i->healthy = SOME_BOOL(false);
	i->why = STR("elb");
	return true;
}

/* Of an instance that serves and is registered. */
static status look(struct source *s, const struct autoscaling_rec_instance *r, enum standing state)
{
	struct as_effects *e = s->e;
	struct mark here = {e->a, s->name, true};
	if (!as_has(r->registered.v, r->registered.n, s->name)) TRY(as_effect_change(e, r->id, set_registered, &here));
	if (str_find(e->g.g.health_check_type, STR("ELB")) < 0) return OK;
	as_effect_again(e, HEALTH_POLL_MS);
	if (state == HEALTHY && !as_has(r->passed.v, r->passed.n, s->name))
		return as_effect_change(e, r->id, set_passed, &here);
	int64_t before_ms = clock_now(e->cloud->clock) - e->g.g.health_check_grace_period.v * 1000ll;
	return state == UNHEALTHY ? as_effect_change(e, r->id, set_unhealthy, &before_ms) : OK;
}

/* "Amazon EC2 Auto Scaling deregisters instances … and waits for connection draining": every registration that should
 * be is made, every other is undone, and an instance that leaves waits until its balancer knows it no more. */
static status on_instance(struct source *s, const struct autoscaling_rec_instance *r, bool attached)
{
	struct as_effects *e = s->e;
	bool serves = attached && str_is(r->state, "InService");
	struct mark m = {e->a, s->name, serves};
	if (!serves && !as_has(r->registered.v, r->registered.n, s->name)) return OK;
	enum standing state = standing(s, r->id);
	if (serves && state <= DRAINING && !as_suspended(&e->g, "AddToLoadBalancer")) {
		if (set(s, r->id, true)) return as_effect_change(e, r->id, set_registered, &m);
		as_effect_again(e, RETRY_MS);
	} else if (serves) {
		return state <= DRAINING ? OK : look(s, r, state);
	} else if (state == ABSENT) {
		return as_effect_change(e, r->id, set_registered, &m);
	} else {
		if (state != DRAINING) (void)set(s, r->id, false);
		as_effect_again(e, DRAIN_POLL_MS);
	}
	return OK;
}

static status on_source(struct as_effects *e, struct str name, bool attached, const struct as_instances *all)
{
	struct source s = {.e = e, .name = name, .classic = as_is_classic(name)};
	status result = OK;
	for (size_t i = 0; i < all->n && is_ok(result); i++) result = on_instance(&s, &all->v[i], attached);
	inside_free(s.health);
	return result;
}

status as_effect_balancers(struct as_effects *e, const struct as_instances *all)
{
	struct as_sources now = as_sources_of(&e->g, e->a), left = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < now.n; i++) TRY(on_source(e, now.v[i], true, all));
	/* Those that were detached from the group. */
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->v[i].registered.n; k++) {
			struct str name = all->v[i].registered.v[k];
			if (as_has(now.v, now.n, name) || as_has(left.v, left.n, name)) continue;
			*VEC_PUSH(e->a, &left, &capacity) = name;
		}
	for (size_t i = 0; i < left.n; i++) TRY(on_source(e, left.v[i], false, all));
	return OK;
}
