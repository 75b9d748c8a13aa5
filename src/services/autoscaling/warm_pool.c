/* Warm pools ("Warm pools for Amazon EC2 Auto Scaling", the guide): instances that were started once and wait, stopped
 * or running, until the group grows. */
#include "services/autoscaling/room.h"

int32_t as_pool_size(const struct as_group *g)
{
	const struct autoscaling_warm_pool_configuration *p = g->g.warm_pool_configuration;
	if (!p || str_is(p->status, "PendingDelete")) return 0;
	/* "The size of the warm pool is the difference between the maximum prepared capacity (or the group's maximum)
	 * and the desired capacity, but not below the pool's minimum." */
	bool prepared = p->max_group_prepared_capacity.has && p->max_group_prepared_capacity.v >= 0;
	int32_t size = (prepared ? p->max_group_prepared_capacity.v : g->g.max_size.v) - g->g.desired_capacity.v;
	if (size < p->min_size.v) size = p->min_size.v;
	return size > 0 ? size : 0;
}

status as_pool_balance(struct as_work *w)
{
	static const char *const out[] = {"Warmed:Terminating", "Warmed:Terminating:Wait", "Warmed:Terminating:Proceed",
		"Warmed:Terminating:Retained", NULL};
	struct as_group *g = w->g;
	int32_t wanted = as_pool_size(g), there = 0;
	size_t all = 0;
	for (size_t i = 0; i < w->all->n; i++) {
		if (w->all->v[i].ended.v) continue;
		there += w->all->v[i].reuse.v; /* on its way back */
		if (!w->all->v[i].pool.v) continue;
		all++;
		there += !as_in(w->all->v[i].state, out);
	}
	for (size_t i = 0; i < w->launches->n; i++) {
		all += w->launches->v[i].pool.v;
		there += w->launches->v[i].pool.v;
	}
	while (there < wanted && !as_suspended(g, "Launch") && !(g->r.retry.has && g->r.retry.ms > w->now_ms)) {
		struct as_want want = {.pool = true,
			.why = STR(
				"an instance was launched into the warm pool in response to a difference between its "
				"desired and actual size.")};
		status s = as_launch_one(w, want);
		if (status_is(s, STATUS_BUSY)) break;
		TRY(s);
		there++;
	}
	for (size_t i = 0; i < w->all->n && there > wanted && !as_suspended(g, "Terminate"); i++) {
		struct autoscaling_rec_instance *r = &w->all->v[i];
		if (!r->pool.v || r->ended.v || as_in(r->state, out)) continue;
		TRY(as_instance_end(w, r,
			STR("an instance was taken out of the warm pool in response to a difference between its "
			    "desired and actual size.")));
		there--;
	}
	const struct autoscaling_warm_pool_configuration *p = g->g.warm_pool_configuration;
	if (p && str_is(p->status, "PendingDelete") && !all) {
		g->g.warm_pool_configuration = NULL;
		w->changed = true;
	}
	return OK;
}

/* ── the operations ── */

status autoscaling_put_warm_pool(
	struct call *c, const struct autoscaling_put_warm_pool_input *in, struct autoscaling_put_warm_pool_output *out)
{
	struct as_group g;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	if (str_is(in->pool_state, "Hibernated"))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Hibernated warm pools are not implemented: a machine's memory is not kept.");
	const struct autoscaling_mixed_instances_policy *m = g.g.mixed_instances_policy;
	const struct autoscaling_instances_distribution *d = m ? m->instances_distribution : NULL;
	if (d && d->on_demand_percentage_above_base_capacity.has && d->on_demand_percentage_above_base_capacity.v < 100)
		return AS_FAIL(c,
			"You can't add a warm pool to an Auto Scaling group that has a mixed instances policy or that "
			"launches Spot Instances.");
	if (in->max_group_prepared_capacity.has && in->max_group_prepared_capacity.v >= 0 &&
		in->max_group_prepared_capacity.v < g.g.min_size.v)
		return AS_FAIL(
			c, "MaxGroupPreparedCapacity must be greater than or equal to the minimum size of the group.");
	struct autoscaling_warm_pool_configuration *p = arena_new(c->arena, struct autoscaling_warm_pool_configuration);
	if (g.g.warm_pool_configuration) *p = *g.g.warm_pool_configuration;
	as_copy(c->arena, AUTOSCALING_SHAPE_PUT_WARM_POOL_TYPE, in, AUTOSCALING_SHAPE_WARM_POOL_CONFIGURATION, p);
	if (p->max_group_prepared_capacity.v == -1) p->max_group_prepared_capacity.has = false;
	if (!p->min_size.has) p->min_size = SOME_I32(0);
	p->pool_state = str_or(p->pool_state, STR("Stopped"));
	p->status = STR_NONE;
	g.g.warm_pool_configuration = p;
	as_group_change(c, &g);
	return OK;
}

status autoscaling_delete_warm_pool(struct call *c, const struct autoscaling_delete_warm_pool_input *in,
	struct autoscaling_delete_warm_pool_output *out)
{
	struct as_group g;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	if (!g.g.warm_pool_configuration)
		return AS_FAIL(c, "No warm pool found for Auto Scaling group %.*s.", STR_ARG(g.name));
	g.g.warm_pool_configuration->status = STR("PendingDelete");
	as_group_change(c, &g);
	return OK;
}

status autoscaling_describe_warm_pool(struct call *c, const struct autoscaling_describe_warm_pool_input *in,
	struct autoscaling_describe_warm_pool_output *out)
{
	struct as_group g;
	struct as_instances all;
	size_t capacity = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(as_instances(&g, &all));
	out->warm_pool_configuration = g.g.warm_pool_configuration;
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].pool.v)
			as_instance_show(c->arena, &all.v[i], VEC_PUSH(c->arena, &out->instances, &capacity));
	VEC_PRESENT(c->arena, &out->instances);
	return as_page(
		c, &out->instances, sizeof(*out->instances.v), in->max_records, 50, in->next_token, &out->next_token);
}
