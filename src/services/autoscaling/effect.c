/* What a group's instances want of EC2 and of load balancers: looked up in the records, done by calls from inside as
 * Auto Scaling, and written down. Each may be done twice. */
#include "base/log.h"
#include "call/inside.h"
#include "ec2.h"
#include "elbv2.h"
#include "services/autoscaling/room.h"
#include "services/ec2/door.h"

enum { HEALTH_POLL_MS = 2000, DRAIN_POLL_MS = 500 };

struct effects {
	struct cloud *cloud;
	struct arena *a;
	struct as_place at;
	struct str group;
	struct as_group g; /* as it was looked at; its transaction has ended */
	struct inside_caller who;
	bool progress;
	int64_t next_ms;
};

static void again(struct effects *e, int64_t in_ms)
{
	int64_t at = clock_now(e->cloud->clock) + in_ms;
	if (at < e->next_ms) e->next_ms = at;
}

/* Changes an instance's record as fn does, if it is still there. */
static status change(struct effects *e, struct str instance,
	bool (*fn)(struct autoscaling_rec_instance *i, const void *ctx), const void *ctx)
{
	store_ticket ticket = 0;
	status s;
	do {
		struct as_group g;
		struct as_place at = e->at;
		struct autoscaling_rec_instance i = {0};
		struct str bytes;
		at.tx = store_begin(e->cloud->store, e->a, false);
		s = as_group_load(at, e->group, &g);
		if (is_ok(s)) s = store_get(at.tx, as_key(at, "instance", e->group, instance), &bytes);
		if (is_ok(s)) s = autoscaling_rec_instance_decode(e->a, bytes, &i);
		if (is_ok(s) && fn(&i, ctx)) {
			as_instance_put(&g, &i);
			as_group_put(&g);
			s = store_commit(at.tx, &ticket);
			if (is_ok(s)) e->progress = true;
		}
		store_end(at.tx);
	} while (status_is(s, STATUS_CONFLICT));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

/* ── EC2 ── */

static bool ask(struct effects *e, uint32_t op, const void *in, struct str instance)
{
	struct inside *i = inside_run(e->cloud, &e->who, "ec2", op, in, NULL);
	bool ok = i->ok;
	if (!ok)
		log_warn("autoscaling", "refused", "group=%.*s instance=%.*s code=%.*s why=\"%.*s\"", STR_ARG(e->group),
			STR_ARG(instance), STR_ARG(i->code), STR_ARG(i->message));
	inside_free(i);
	return ok;
}

static void terminate(struct effects *e, struct str instance, bool protected)
{
	struct ec2_instance_id_string_list ids = {&instance, 1};
	struct ec2_attribute_boolean_value off = {.value = SOME_BOOL(false)};
	struct ec2_modify_instance_attribute_input lift = {.instance_id = instance, .disable_api_termination = &off};
	struct ec2_terminate_instances_input in = {.instance_ids = ids};
	/* "Termination protection does not prevent Amazon EC2 Auto Scaling from terminating an instance", EC2's guide.
	 */
	if (protected) (void)ask(e, EC2_OP_MODIFY_INSTANCE_ATTRIBUTE, &lift, instance);
	if (ask(e, EC2_OP_TERMINATE_INSTANCES, &in, instance))
		e->progress = true;
	else
		again(e, 5000);
}

static status on_instance(
	struct effects *e, const struct autoscaling_rec_instance *i, const struct ec2_instance_facts *f)
{
	struct str id = i->id;
	struct ec2_instance_id_string_list ids = {&id, 1};
	bool out = str_is(i->state, "Terminating:Proceed") || str_is(i->state, "Warmed:Terminating:Proceed");
	if (out && !i->reuse.v) {
		terminate(e, id, f->protected);
	} else if (str_is(i->state, "Warmed:Pending:Proceed") && str_is(f->state, "running")) {
		const struct autoscaling_warm_pool_configuration *p = e->g.g.warm_pool_configuration;
		struct ec2_stop_instances_input in = {.instance_ids = ids};
		if (p && str_is(p->pool_state, "Running")) return OK;
		if (ask(e, EC2_OP_STOP_INSTANCES, &in, id)) e->progress = true;
	} else if (str_is(i->state, "Pending") && str_is(f->state, "stopped")) {
		struct ec2_start_instances_input in = {.instance_ids = ids};
		if (ask(e, EC2_OP_START_INSTANCES, &in, id))
			e->progress = true;
		else
			again(e, 5000);
	}
	return OK;
}

/* ── load balancers ── */

struct target {
	struct arena *a;
	struct str arn;
	bool there;
};

static bool set_registered(struct autoscaling_rec_instance *i, const void *ctx)
{
	const struct target *t = ctx;
	struct autoscaling_rec_strings now = {0};
	size_t capacity = 0;
	if (as_has(i->registered.v, i->registered.n, t->arn) == t->there) return false;
	for (size_t k = 0; k < i->registered.n; k++)
		if (!str_eq(i->registered.v[k], t->arn)) *VEC_PUSH(t->a, &now, &capacity) = i->registered.v[k];
	if (t->there) *VEC_PUSH(t->a, &now, &capacity) = t->arn;
	i->registered = now;
	return true;
}

/* What a target group says of one instance. */
static struct str health_in(const struct elbv2_describe_target_health_output *h, struct str instance)
{
	for (size_t i = 0; i < h->target_health_descriptions.n; i++) {
		const struct elbv2_target_health_description *d = &h->target_health_descriptions.v[i];
		if (d->target && d->target_health && str_eq(d->target->id, instance)) return d->target_health->state;
	}
	return STR_NONE;
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

/* "Amazon EC2 Auto Scaling deregisters instances … and waits for connection draining": every registration that should
 * be is made, every other is undone, and an instance that leaves waits until its balancer knows it no more. */
static status on_targets(struct effects *e, struct str arn, bool attached, const struct as_instances *all)
{
	struct elbv2_target_description one = {0};
	struct elbv2_target_descriptions list = {&one, 1};
	struct elbv2_describe_target_health_input ask_health = {.target_group_arn = arn};
	struct inside *health = NULL;
	bool elb = str_find(e->g.g.health_check_type, STR("ELB")) >= 0;
	status s = OK;
	for (size_t i = 0; i < all->n && is_ok(s); i++) {
		const struct autoscaling_rec_instance *r = &all->v[i];
		bool serves = attached && str_is(r->state, "InService");
		bool there = as_has(r->registered.v, r->registered.n, arn);
		struct target t = {e->a, arn, serves};
		one = (struct elbv2_target_description){.id = r->id};
		if (!serves && !there) continue;
		if (!health)
			health = inside_run(
				e->cloud, &e->who, "elbv2", ELBV2_OP_DESCRIBE_TARGET_HEALTH, &ask_health, NULL);
		struct str state = health->ok ? health_in(health->out, r->id) : STR_NONE;
		bool known = str_has(state) && !str_is(state, "draining");
		if (serves && !known && !as_suspended(&e->g, "AddToLoadBalancer")) {
			struct elbv2_register_targets_input in = {arn, list};
			struct inside *done =
				inside_run(e->cloud, &e->who, "elbv2", ELBV2_OP_REGISTER_TARGETS, &in, NULL);
			bool ok = done->ok;
			inside_free(done);
			if (ok)
				s = change(e, r->id, set_registered, &t);
			else
				again(e, 5000);
		} else if (serves) {
			if (known && !there) s = change(e, r->id, set_registered, &t);
			if (!elb) continue;
			again(e, HEALTH_POLL_MS);
			int64_t before_ms = clock_now(e->cloud->clock) - e->g.g.health_check_grace_period.v * 1000ll;
			if (is_ok(s) && str_is(state, "unhealthy")) s = change(e, r->id, set_unhealthy, &before_ms);
		} else if (!str_has(state)) {
			s = change(e, r->id, set_registered, &t);
		} else {
			struct elbv2_deregister_targets_input in = {arn, list};
			if (known)
				inside_free(
					inside_run(e->cloud, &e->who, "elbv2", ELBV2_OP_DEREGISTER_TARGETS, &in, NULL));
			again(e, DRAIN_POLL_MS);
		}
	}
	inside_free(health);
	return s;
}

static status balancers(struct effects *e, const struct as_instances *all)
{
	const struct autoscaling_target_group_ar_ns *arns = &e->g.g.target_group_ar_ns;
	struct autoscaling_rec_strings left = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < arns->n; i++) TRY(on_targets(e, arns->v[i], true, all));
	/* Those that were detached from the group. */
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->v[i].registered.n; k++) {
			struct str arn = all->v[i].registered.v[k];
			if (as_has(arns->v, arns->n, arn) || as_has(left.v, left.n, arn)) continue;
			*VEC_PUSH(e->a, &left, &capacity) = arn;
		}
	for (size_t i = 0; i < left.n; i++) TRY(on_targets(e, left.v[i], false, all));
	return OK;
}

status as_effects_run(
	struct cloud *cloud, struct arena *a, struct as_place at, struct str group, bool *progress, int64_t *next_ms)
{
	struct effects e = {.cloud = cloud, .a = a, .at = at, .group = group, .next_ms = *next_ms};
	struct as_instances all = {0};
	e.who = inside_service(a, at.account, at.region, AS_PRINCIPAL);
	e.at.tx = store_begin(cloud->store, a, true);
	status s = as_group_load(e.at, group, &e.g);
	if (is_ok(s)) s = as_instances(&e.g, &all);
	struct ec2_instance_facts *facts = arena_new_n(a, struct ec2_instance_facts, all.n + 1);
	for (size_t i = 0; i < all.n && is_ok(s); i++) {
		s = ec2_instance_facts(e.at.tx, a, at.account, at.region, all.v[i].id, &facts[i]);
		if (status_is(s, STATUS_NOT_FOUND)) s = OK;
	}
	store_end(e.at.tx);
	e.at.tx = e.g.at.tx = NULL;
	for (size_t i = 0; i < all.n && is_ok(s); i++) {
		struct str state = facts[i].state;
		if (!str_has(state) || str_is(state, "terminated") || str_is(state, "shutting-down")) continue;
		s = on_instance(&e, &all.v[i], &facts[i]);
	}
	if (is_ok(s)) s = balancers(&e, &all);
	*progress = *progress || e.progress;
	*next_ms = e.next_ms;
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}
