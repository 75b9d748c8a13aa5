/* What a group's instances want of EC2, and the round that fulfils all wishes: effect.h. */
#include "services/autoscaling/effect.h"
#include "base/log.h"
#include "ec2.h"
#include "services/ec2/door.h"

void as_effect_again(struct as_effects *e, int64_t in_ms)
{
	int64_t at = clock_now(e->cloud->clock) + in_ms;
	if (at < e->next_ms) e->next_ms = at;
}

status as_effect_change(struct as_effects *e, struct str instance,
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

static bool ask(struct as_effects *e, uint32_t op, const void *in, struct str instance)
{
	struct inside *i = inside_run(e->cloud, &e->who, "ec2", op, in, NULL);
	bool ok = i->ok;
	if (!ok)
		log_warn("autoscaling", "refused", "group=%.*s instance=%.*s code=%.*s why=\"%.*s\"", STR_ARG(e->group),
			STR_ARG(instance), STR_ARG(i->code), STR_ARG(i->message));
	inside_free(i);
	return ok;
}

static void terminate(struct as_effects *e, struct str instance, bool protected)
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
		as_effect_again(e, 5000);
}

static status on_instance(
	struct as_effects *e, const struct autoscaling_rec_instance *i, const struct ec2_instance_facts *f)
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
			as_effect_again(e, 5000);
	}
	return OK;
}

status as_effects_run(
	struct cloud *cloud, struct arena *a, struct as_place at, struct str group, bool *progress, int64_t *next_ms)
{
	struct as_effects e = {.cloud = cloud, .a = a, .at = at, .group = group, .next_ms = *next_ms};
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
	if (is_ok(s)) s = as_effect_balancers(&e, &all);
	*progress = *progress || e.progress;
	*next_ms = e.next_ms;
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}
