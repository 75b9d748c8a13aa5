/* Instance refreshes: started, shown, cancelled, turned back ("Use an instance refresh to update instances", the
 * guide). How one goes on is refresh_step.c's. */
#include "services/autoscaling/refresh.h"
#include "base/rand.h"

#define SHAPE AUTOSCALING_SHAPE_INSTANCE_REFRESH
#define NO_ACTIVE AUTOSCALING_ERR_ACTIVE_INSTANCE_REFRESH_NOT_FOUND_FAULT

static struct str key_of(struct as_group *g, const struct as_refresh *f)
{
	struct key k = key_begin(g->at.a);
	key_append(&k, as_prefix(g->at, "refresh", g->name));
	key_i64(&k, f->s.start_time.ms);
	key_str(&k, f->s.instance_refresh_id);
	return key_done(&k);
}

void as_refresh_put(struct as_group *g, struct as_refresh *f)
{
	f->r.document = wire_shape_write(g->at.a, AS_TABLES, SHAPE, &f->s);
	store_put(g->at.tx, key_of(g, f), autoscaling_rec_refresh_encode(g->at.a, &f->r));
}

static status read(struct as_place at, struct str bytes, struct as_refresh *out)
{
	*out = (struct as_refresh){0};
	TRY(autoscaling_rec_refresh_decode(at.a, bytes, &out->r));
	return as_document(at, out->r.document, SHAPE, &out->s);
}

status as_refresh_newest(struct as_group *g, struct as_refresh *out)
{
	struct as_each e = as_each_back(g->at, "refresh", g->name);
	status s = as_next(&e) ? read(g->at, e.value, out) : STATUS(NOT_FOUND);
	status end = as_each_end(&e);
	return is_ok(s) ? end : s;
}

bool as_refresh_active(const struct as_refresh *f)
{
	static const char *const active[] = {
		"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress", NULL};
	return as_in(f->s.status, active);
}

struct str as_refresh_mark(struct arena *a, const struct as_refresh *f)
{
	if (!f->r.rolling_back.v) return f->s.instance_refresh_id;
	return str_fmt(a, "back:%.*s", STR_ARG(f->s.instance_refresh_id));
}

status as_refresh_mark_of(struct as_group *g, struct str *mark)
{
	struct as_refresh f;
	*mark = STR_NONE;
	status s = as_refresh_newest(g, &f);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (as_refresh_active(&f)) *mark = as_refresh_mark(g->at.a, &f);
	return OK;
}

static status restore(struct as_group *g, struct as_refresh *f)
{
	struct autoscaling_auto_scaling_group before = {0};
	if (!str_has(f->r.before)) return OK;
	TRY(as_document(g->at, f->r.before, AUTOSCALING_SHAPE_AUTO_SCALING_GROUP, &before));
	g->g.launch_configuration_name = before.launch_configuration_name;
	g->g.launch_template = before.launch_template;
	g->g.mixed_instances_policy = before.mixed_instances_policy;
	return OK;
}

status as_refresh_end(struct as_group *g, struct as_refresh *f, struct str state, struct str reason, int64_t now_ms)
{
	struct as_instances all;
	if (!str_is(state, "Successful")) TRY(restore(g, f));
	f->s.status = state;
	f->s.end_time = SOME_TIME(now_ms);
	if (str_has(reason)) f->s.status_reason = reason;
	TRY(as_instances(g, &all));
	for (size_t i = 0; i < all.n; i++) {
		if (!all.v[i].extra.v || !str_has(all.v[i].refresh)) continue;
		all.v[i].extra = SOME_BOOL(false);
		as_instance_put(g, &all.v[i]);
	}
	as_refresh_put(g, f);
	return OK;
}

status as_refresh_turn(struct as_group *g, struct as_refresh *f, struct str reason, int64_t now_ms)
{
	TRY(restore(g, f));
	f->s.rollback_details = arena_new(g->at.a, struct autoscaling_rollback_details);
	f->s.rollback_details->rollback_reason = reason;
	f->s.rollback_details->rollback_start_time = SOME_TIME(now_ms);
	f->s.rollback_details->percentage_complete_on_rollback = f->s.percentage_complete;
	f->s.rollback_details->instances_to_update_on_rollback = f->s.instances_to_update;
	f->s.status = STR("RollbackInProgress");
	f->s.status_reason = reason;
	f->r.rolling_back = SOME_BOOL(true);
	f->r.total.has = false;
	f->r.until.has = false;
	f->r.moved = SOME_TIME(now_ms);
	as_refresh_put(g, f);
	return OK;
}

/* ── StartInstanceRefresh ── */

static status preferences(struct call *c, struct as_group *g, struct as_refresh *f)
{
	struct autoscaling_refresh_preferences *p = f->s.preferences;
	const struct autoscaling_instance_maintenance_policy *m = g->g.instance_maintenance_policy;
	if (!p) p = f->s.preferences = arena_new(c->arena, struct autoscaling_refresh_preferences);
	if (!p->min_healthy_percentage.has) p->min_healthy_percentage = m ? m->min_healthy_percentage : SOME_I32(90);
	if (!p->max_healthy_percentage.has) p->max_healthy_percentage = m ? m->max_healthy_percentage : SOME_I32(100);
	if (p->max_healthy_percentage.v - p->min_healthy_percentage.v > 100)
		return AS_FAIL(c, "The difference between MaxHealthyPercentage and MinHealthyPercentage must not be "
				  "more than 100.");
	if (!p->instance_warmup.has) p->instance_warmup = SOME_I32(as_warmup_s(g));
	p->scale_in_protected_instances = str_or(p->scale_in_protected_instances, STR("Wait"));
	p->standby_instances = str_or(p->standby_instances, STR("Wait"));
	p->skip_matching = SOME_BOOL(p->skip_matching.v);
	p->auto_rollback = SOME_BOOL(p->auto_rollback.v);
	for (size_t i = 1; i < p->checkpoint_percentages.n; i++)
		if (p->checkpoint_percentages.v[i].v <= p->checkpoint_percentages.v[i - 1].v)
			return AS_FAIL(c, "CheckpointPercentages must be in ascending order and unique.");
	if (p->checkpoint_percentages.n && !p->checkpoint_delay.has) p->checkpoint_delay = SOME_I32(3600);
	if (p->checkpoint_delay.has && !p->checkpoint_percentages.n)
		return AS_FAIL(c, "CheckpointDelay requires CheckpointPercentages.");
	return OK;
}

/* "$Latest" and "$Default" may be another version by the time there is something to go back to. */
static bool returns(const struct autoscaling_launch_template_specification *t)
{
	return t && str_has(t->version) && !str_is(t->version, "$Latest") && !str_is(t->version, "$Default");
}

static bool can_turn(const struct as_group *g)
{
	const struct autoscaling_mixed_instances_policy *m = g->g.mixed_instances_policy;
	if (str_has(g->g.launch_configuration_name)) return true;
	return returns(m ? m->launch_template->launch_template_specification : g->g.launch_template);
}

static status configure(struct call *c, struct as_group *g, struct as_refresh *f)
{
	struct autoscaling_desired_configuration *d = f->s.desired_configuration;
	struct as_group before = *g;
	if (!d && f->s.preferences->auto_rollback.v) return AS_FAIL(c, "AutoRollback requires a DesiredConfiguration.");
	if (!d) return OK;
	if (!d->launch_template == !d->mixed_instances_policy)
		return AS_FAIL(
			c, "The desired configuration must have either a LaunchTemplate or a MixedInstancesPolicy.");
	if (f->s.preferences->auto_rollback.v && !can_turn(&before))
		return AS_FAIL(c,
			"AutoRollback needs a numbered version of the launch template in the group's configuration.");
	f->r.before = wire_shape_write(c->arena, AS_TABLES, AUTOSCALING_SHAPE_AUTO_SCALING_GROUP, &before.g);
	g->g.launch_configuration_name = STR_NONE;
	g->g.launch_template = d->launch_template;
	g->g.mixed_instances_policy = d->mixed_instances_policy;
	return as_group_check(c, g, &before);
}

status autoscaling_start_instance_refresh(struct call *c, const struct autoscaling_start_instance_refresh_input *in,
	struct autoscaling_start_instance_refresh_output *out)
{
	struct as_group g;
	struct as_refresh f;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	status s = as_refresh_newest(&g, &f);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s) && as_refresh_active(&f))
		return call_fail(c, AUTOSCALING_ERR_INSTANCE_REFRESH_IN_PROGRESS_FAULT,
			"An Instance Refresh is already in progress and blocks the execution of this Instance "
			"Refresh.");
	if (str_is(in->strategy, "ReplaceRootVolume"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "The strategy ReplaceRootVolume is not implemented.");
	f = (struct as_refresh){.s = {.instance_refresh_id = rand_uuid(c->arena),
					.auto_scaling_group_name = g.name,
					.status = STR("Pending"),
					.strategy = STR("Rolling"),
					.start_time = SOME_TIME(c->now_ms),
					.percentage_complete = SOME_I32(0),
					.preferences = in->preferences,
					.desired_configuration = in->desired_configuration}};
	TRY(preferences(c, &g, &f));
	TRY(configure(c, &g, &f));
	f.r.moved = SOME_TIME(c->now_ms);
	as_refresh_put(&g, &f);
	as_group_change(c, &g);
	out->instance_refresh_id = f.s.instance_refresh_id;
	return OK;
}

/* ── CancelInstanceRefresh, RollbackInstanceRefresh ── */

static status active(struct call *c, struct str group, struct as_group *g, struct as_refresh *f)
{
	TRY(as_group_find(c, group, g));
	status s = as_refresh_newest(g, f);
	if (is_ok(s) && as_refresh_active(f)) return OK;
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(c, NO_ACTIVE, "No in progress or pending Instance Refresh found for Auto Scaling group %.*s",
		STR_ARG(group));
}

status autoscaling_cancel_instance_refresh(struct call *c, const struct autoscaling_cancel_instance_refresh_input *in,
	struct autoscaling_cancel_instance_refresh_output *out)
{
	struct as_group g;
	struct as_refresh f;
	TRY(active(c, in->auto_scaling_group_name, &g, &f));
	f.s.status = STR("Cancelling");
	f.s.status_reason = STR("Cancelled due to user request.");
	as_refresh_put(&g, &f);
	as_group_change(c, &g);
	out->instance_refresh_id = f.s.instance_refresh_id;
	return OK;
}

status autoscaling_rollback_instance_refresh(struct call *c,
	const struct autoscaling_rollback_instance_refresh_input *in,
	struct autoscaling_rollback_instance_refresh_output *out)
{
	struct as_group g, before;
	struct as_refresh f;
	TRY(active(c, in->auto_scaling_group_name, &g, &f));
	before = g;
	if (f.r.rolling_back.v || str_is(f.s.status, "Cancelling"))
		return call_fail(c, NO_ACTIVE,
			"The Instance Refresh of Auto Scaling group %.*s is being cancelled or rolled back.",
			STR_ARG(g.name));
	if (str_has(f.r.before)) TRY(as_document(g.at, f.r.before, AUTOSCALING_SHAPE_AUTO_SCALING_GROUP, &before.g));
	if (!str_has(f.r.before) || !can_turn(&before))
		return call_fail(c, AUTOSCALING_ERR_IRREVERSIBLE_INSTANCE_REFRESH_FAULT,
			"The Instance Refresh cannot be rolled back: it has no desired configuration, or the group's "
			"former one has "
			"no numbered version of its launch template.");
	TRY(as_refresh_turn(&g, &f, STR("Rolled back due to user request."), c->now_ms));
	as_group_change(c, &g);
	out->instance_refresh_id = f.s.instance_refresh_id;
	return OK;
}

status autoscaling_describe_instance_refreshes(struct call *c,
	const struct autoscaling_describe_instance_refreshes_input *in,
	struct autoscaling_describe_instance_refreshes_output *out)
{
	struct as_group g;
	size_t capacity = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	struct as_each e = as_each_back(g.at, "refresh", g.name);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		struct as_refresh f;
		s = read(g.at, e.value, &f);
		const struct autoscaling_instance_refresh_ids *ids = &in->instance_refresh_ids;
		if (!is_ok(s) || (ids->n && !as_has(ids->v, ids->n, f.s.instance_refresh_id))) continue;
		*VEC_PUSH(c->arena, &out->instance_refreshes, &capacity) = f.s;
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->instance_refreshes);
	return as_page(c, &out->instance_refreshes, sizeof(*out->instance_refreshes.v), in->max_records, 100,
		in->next_token, &out->next_token);
}
