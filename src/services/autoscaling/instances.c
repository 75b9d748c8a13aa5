/* What a user does with a group's instances: attached and detached, put on standby, protected, called unhealthy, ended.
 */
#include "services/autoscaling/room.h"
#include "services/ec2/door.h"

/* ── DescribeAutoScalingInstances ── */

status autoscaling_describe_auto_scaling_instances(struct call *c,
	const struct autoscaling_describe_auto_scaling_instances_input *in,
	struct autoscaling_describe_auto_scaling_instances_output *out)
{
	size_t capacity = 0;
	struct as_each e = as_each(as_here(c), "instance", STR_NONE);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		struct autoscaling_rec_instance i = {0};
		struct autoscaling_instance shape;
		if (in->instance_ids.n && !as_has(in->instance_ids.v, in->instance_ids.n, e.name)) continue;
		s = autoscaling_rec_instance_decode(c->arena, e.value, &i);
		if (!is_ok(s)) continue;
		as_instance_show(c->arena, &i, &shape);
		struct autoscaling_auto_scaling_instance_details *d =
			VEC_PUSH(c->arena, &out->auto_scaling_instances, &capacity);
		as_copy(c->arena, AUTOSCALING_SHAPE_INSTANCE, &shape, AUTOSCALING_SHAPE_AUTO_SCALING_INSTANCE_DETAILS,
			d);
		d->auto_scaling_group_name = e.group;
		d->health_status = i.healthy.v ? STR("HEALTHY") : STR("UNHEALTHY");
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->auto_scaling_instances);
	return as_page(c, &out->auto_scaling_instances, sizeof(*out->auto_scaling_instances.v), in->max_records, 50,
		in->next_token, &out->next_token);
}

/* ── what several have in common ── */

static int32_t serving(const struct as_instances *all)
{
	int32_t n = 0;
	for (size_t i = 0; i < all->n; i++)
		if (as_counts(&all->v[i])) n += as_weight(&all->v[i]);
	return n;
}

/* The named instances of the group, all there and in one of these states. */
static status select_in(struct call *c, struct as_group *g, const struct autoscaling_instance_ids *ids,
	const char *const *states, struct as_instances *out)
{
	size_t capacity = 0;
	*out = (struct as_instances){0};
	if (!ids->n) return AS_FAIL(c, "You must specify at least one instance.");
	if (ids->n > AS_BATCH_MAX) return AS_FAIL(c, "The number of instances must not be more than %d.", AS_BATCH_MAX);
	for (size_t i = 0; i < ids->n; i++) {
		struct as_group found;
		struct autoscaling_rec_instance *r = VEC_PUSH(c->arena, out, &capacity);
		TRY(as_instance_find(c, g->name, ids->v[i], &found, r));
		if (!as_in(r->state, states))
			return AS_FAIL(c, "The instance %.*s is not in %s.", STR_ARG(r->id), states[0]);
	}
	return OK;
}

static status activity_out(
	struct as_group *g, struct as_activity act, struct autoscaling_activities *out, size_t *capacity)
{
	return as_activity_get(g, act, VEC_PUSH(g->at.a, out, capacity));
}

static status shrink_desired(struct call *c, struct as_group *g, int32_t by)
{
	int32_t to = g->g.desired_capacity.v - by;
	if (to < g->g.min_size.v)
		return AS_FAIL(c,
			"AutoScalingGroup %.*s has min-size=%d, max-size=%d, and desired-size=%d. To place into "
			"standby "
			"or detach %d more instance(s), please update the AutoScalingGroup sizes appropriately.",
			STR_ARG(g->name), g->g.min_size.v, g->g.max_size.v, g->g.desired_capacity.v, by);
	g->g.desired_capacity = SOME_I32(to);
	return OK;
}

static status grow_desired(struct call *c, struct as_group *g, int32_t by, const char *what)
{
	int32_t to = g->g.desired_capacity.v + by;
	if (to > g->g.max_size.v)
		return AS_FAIL(c,
			"AutoScalingGroup %.*s has min-size=%d, max-size=%d, and desired-size=%d. To %s %d more "
			"instance(s), please update the AutoScalingGroup sizes appropriately.",
			STR_ARG(g->name), g->g.min_size.v, g->g.max_size.v, g->g.desired_capacity.v, what, by);
	g->g.desired_capacity = SOME_I32(to);
	return OK;
}

/* ── AttachInstances ── */

static status attachable(struct call *c, struct as_group *g, struct str id, struct ec2_instance_facts *f)
{
	struct str other;
	status s = ec2_instance_facts(c->tx, c->arena, c->account, c->region, id, f);
	if (status_is(s, STATUS_NOT_FOUND)) return AS_FAIL(c, "Invalid Instance ID(s): [%.*s]", STR_ARG(id));
	TRY(s);
	if (!str_is(f->state, "running"))
		return AS_FAIL(c, "Invalid Instance ID(s): [%.*s] specified. Instances must be in the running state.",
			STR_ARG(id));
	s = as_instance_group(as_here(c), id, &other);
	if (is_ok(s))
		return AS_FAIL(
			c, "Instance %.*s is already attached to AutoScalingGroup %.*s.", STR_ARG(id), STR_ARG(other));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (!as_has(g->g.availability_zones.v, g->g.availability_zones.n, f->zone))
		return AS_FAIL(c,
			"The instance %.*s is in Availability Zone %.*s, which the Auto Scaling group does not use.",
			STR_ARG(id), STR_ARG(f->zone));
	return OK;
}

status autoscaling_attach_instances(
	struct call *c, const struct autoscaling_attach_instances_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct as_instances all;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	if (!in->instance_ids.n) return AS_FAIL(c, "You must specify at least one instance.");
	if (in->instance_ids.n > AS_BATCH_MAX)
		return AS_FAIL(c, "The number of instances must not be more than %d.", AS_BATCH_MAX);
	TRY(as_instances(&g, &all));
	int32_t from = serving(&all), n = (int32_t)in->instance_ids.n;
	TRY(grow_desired(c, &g, n, "attach"));
	struct str when = as_when(c->arena, c->now_ms);
	for (size_t k = 0; k < in->instance_ids.n; k++) {
		struct ec2_instance_facts f;
		struct str id = in->instance_ids.v[k];
		TRY(attachable(c, &g, id, &f));
		struct as_activity act = as_activity_begin(&g,
			str_fmt(c->arena, "Attaching an existing EC2 instance: %.*s", STR_ARG(id)),
			str_fmt(c->arena,
				"At %.*s an instance was attached in response to a user request, increasing the "
				"capacity from "
				"%d to %d.",
				STR_ARG(when), from, from + n),
			as_details(c->arena, f.subnet, f.zone), c->now_ms);
		struct autoscaling_rec_instance i = {.id = id,
			.zone = f.zone,
			.zone_id = f.zone_id,
			.subnet = f.subnet,
			.type = f.type,
			.image = f.image,
			.state = STR("Pending"),
			.healthy = SOME_BOOL(true),
			.attached = SOME_BOOL(true),
			.protected = SOME_BOOL(g.g.new_instances_protected_from_scale_in.v),
			.spot = SOME_BOOL(f.spot),
			.since = SOME_TIME(c->now_ms),
			.launched = SOME_TIME(f.launched_ms),
			.activity = act.id,
			.activity_at = SOME_TIME(act.at_ms)};
		as_instance_put(&g, &i);
	}
	as_group_change(c, &g);
	return OK;
}

/* ── DetachInstances ── */

status autoscaling_detach_instances(struct call *c, const struct autoscaling_detach_instances_input *in,
	struct autoscaling_detach_instances_output *out)
{
	static const char *const states[] = {
		"InService", "Pending", "Standby", "Warmed:Stopped", "Warmed:Running", NULL};
	struct as_group g;
	struct as_instances list, all;
	size_t capacity = 0;
	int32_t counted = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(select_in(c, &g, &in->instance_ids, states, &list));
	TRY(as_instances(&g, &all));
	for (size_t i = 0; i < list.n; i++)
		if (as_counts(&list.v[i])) counted += as_weight(&list.v[i]);
	int32_t from = serving(&all);
	if (in->should_decrement_desired_capacity.v) TRY(shrink_desired(c, &g, counted));
	struct str when = as_when(c->arena, c->now_ms);
	for (size_t i = 0; i < list.n; i++) {
		struct autoscaling_rec_instance *r = &list.v[i];
		struct str cause = str_fmt(c->arena, "At %.*s instance %.*s was detached in response to a user request",
			STR_ARG(when), STR_ARG(r->id));
		if (in->should_decrement_desired_capacity.v)
			cause = str_fmt(c->arena, "%.*s, shrinking the capacity from %d to %d.", STR_ARG(cause), from,
				from - counted);
		else
			cause = str_fmt(c->arena, "%.*s.", STR_ARG(cause));
		struct as_activity act =
			as_activity_begin(&g, str_fmt(c->arena, "Detaching EC2 instance: %.*s", STR_ARG(r->id)), cause,
				as_details(c->arena, r->subnet, r->zone), c->now_ms);
		r->activity = act.id;
		r->activity_at = SOME_TIME(act.at_ms);
		r->pool.has = r->pool.v = false;
		as_state(r, STR("Detaching"), c->now_ms);
		as_instance_put(&g, r);
		TRY(activity_out(&g, act, &out->activities, &capacity));
	}
	as_group_change(c, &g);
	return OK;
}

/* ── EnterStandby, ExitStandby ── */

status autoscaling_enter_standby(
	struct call *c, const struct autoscaling_enter_standby_input *in, struct autoscaling_enter_standby_output *out)
{
	static const char *const states[] = {"InService", NULL};
	struct as_group g;
	struct as_instances list, all;
	size_t capacity = 0;
	int32_t weight = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(select_in(c, &g, &in->instance_ids, states, &list));
	TRY(as_instances(&g, &all));
	for (size_t i = 0; i < list.n; i++) weight += as_weight(&list.v[i]);
	int32_t from = serving(&all);
	if (in->should_decrement_desired_capacity.v) TRY(shrink_desired(c, &g, weight));
	struct str when = as_when(c->arena, c->now_ms);
	for (size_t i = 0; i < list.n; i++) {
		struct autoscaling_rec_instance *r = &list.v[i];
		struct str cause =
			str_fmt(c->arena, "At %.*s instance %.*s was moved to standby in response to a user request",
				STR_ARG(when), STR_ARG(r->id));
		if (in->should_decrement_desired_capacity.v)
			cause = str_fmt(c->arena, "%.*s, shrinking the capacity from %d to %d.", STR_ARG(cause), from,
				from - weight);
		else
			cause = str_fmt(c->arena, "%.*s.", STR_ARG(cause));
		struct as_activity act =
			as_activity_begin(&g, str_fmt(c->arena, "Moving EC2 instance to Standby: %.*s", STR_ARG(r->id)),
				cause, as_details(c->arena, r->subnet, r->zone), c->now_ms);
		r->activity = act.id;
		r->activity_at = SOME_TIME(act.at_ms);
		as_state(r, STR("EnteringStandby"), c->now_ms);
		as_instance_put(&g, r);
		TRY(activity_out(&g, act, &out->activities, &capacity));
	}
	as_group_change(c, &g);
	return OK;
}

status autoscaling_exit_standby(
	struct call *c, const struct autoscaling_exit_standby_input *in, struct autoscaling_exit_standby_output *out)
{
	static const char *const states[] = {"Standby", NULL};
	struct as_group g;
	struct as_instances list, all;
	size_t capacity = 0;
	int32_t weight = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(select_in(c, &g, &in->instance_ids, states, &list));
	TRY(as_instances(&g, &all));
	for (size_t i = 0; i < list.n; i++) weight += as_weight(&list.v[i]);
	int32_t from = serving(&all);
	TRY(grow_desired(c, &g, weight, "remove from standby"));
	struct str when = as_when(c->arena, c->now_ms);
	for (size_t i = 0; i < list.n; i++) {
		struct autoscaling_rec_instance *r = &list.v[i];
		struct as_activity act = as_activity_begin(&g,
			str_fmt(c->arena, "Moving EC2 instance out of Standby: %.*s", STR_ARG(r->id)),
			str_fmt(c->arena,
				"At %.*s instance %.*s was moved out of standby in response to a user request, "
				"increasing "
				"the capacity from %d to %d.",
				STR_ARG(when), STR_ARG(r->id), from, from + weight),
			as_details(c->arena, r->subnet, r->zone), c->now_ms);
		r->activity = act.id;
		r->activity_at = SOME_TIME(act.at_ms);
		r->healthy = SOME_BOOL(true);
		as_state(r, STR("Pending"), c->now_ms);
		as_instance_put(&g, r);
		TRY(activity_out(&g, act, &out->activities, &capacity));
	}
	as_group_change(c, &g);
	return OK;
}

/* ── SetInstanceProtection, SetInstanceHealth ── */

status autoscaling_set_instance_protection(struct call *c, const struct autoscaling_set_instance_protection_input *in,
	struct autoscaling_set_instance_protection_output *out)
{
	struct as_group g, found;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	if (in->instance_ids.n > 50)
		return call_fail(
			c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT, "The number of instances must not be more than 50.");
	for (size_t i = 0; i < in->instance_ids.n; i++) {
		struct autoscaling_rec_instance r;
		TRY(as_instance_find(c, g.name, in->instance_ids.v[i], &found, &r));
		r.protected = SOME_BOOL(in->protected_from_scale_in.v);
		as_instance_put(&g, &r);
	}
	as_group_change(c, &g);
	return OK;
}

status autoscaling_set_instance_health(
	struct call *c, const struct autoscaling_set_instance_health_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct autoscaling_rec_instance i;
	(void)out;
	bool well = str_is(in->health_status, "Healthy");
	if (!well && !str_is(in->health_status, "Unhealthy"))
		return AS_FAIL(c, "Invalid health status: %.*s. It has to be Healthy or Unhealthy.",
			STR_ARG(in->health_status));
	TRY(as_instance_find(c, STR_NONE, in->instance_id, &g, &i));
	bool respects = !in->should_respect_grace_period.has || in->should_respect_grace_period.v;
	int64_t grace = i.grace_from.ms + g.g.health_check_grace_period.v * 1000ll;
	/* "If the Auto Scaling group … has a HealthCheckGracePeriod … by default, this call respects the grace period"
	 * (the reference): it has no effect within it. */
	if (!well && respects && i.in_service.has && c->now_ms < grace) return OK;
	i.healthy = SOME_BOOL(well);
	i.why = well ? STR_NONE : STR("user");
	as_instance_put(&g, &i);
	as_group_change(c, &g);
	return OK;
}

/* ── TerminateInstanceInAutoScalingGroup ── */

status autoscaling_terminate_instance_in_auto_scaling_group(struct call *c,
	const struct autoscaling_terminate_instance_in_auto_scaling_group_input *in,
	struct autoscaling_terminate_instance_in_auto_scaling_group_output *out)
{
	struct as_group g;
	struct autoscaling_rec_instance i;
	struct as_instances all;
	TRY(as_instance_find(c, STR_NONE, in->instance_id, &g, &i));
	TRY(as_instances(&g, &all));
	if (str_find(i.state, STR("Terminating")) >= 0 && !str_ends(i.state, STR("Retained")))
		return AS_FAIL(c, "Instance %.*s is already terminating.", STR_ARG(i.id));
	int32_t from = serving(&all), weight = as_counts(&i) ? as_weight(&i) : 0;
	struct str why = str_fmt(
		c->arena, "instance %.*s was taken out of service in response to a user request", STR_ARG(i.id));
	if (in->should_decrement_desired_capacity.v) {
		if (g.g.desired_capacity.v - weight < g.g.min_size.v)
			return AS_FAIL(c,
				"Currently, desiredSize equals minSize (%d). Terminating instance without replacement "
				"will violate "
				"group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false "
				"or lower "
				"group's min size.",
				g.g.min_size.v);
		g.g.desired_capacity = SOME_I32(g.g.desired_capacity.v - weight);
		why = str_fmt(
			c->arena, "%.*s, shrinking the capacity from %d to %d.", STR_ARG(why), from, from - weight);
	} else {
		why = str_fmt(c->arena, "%.*s.", STR_ARG(why));
	}
	struct as_work w = {.cloud = c->cloud, .c = c, .g = &g, .all = &all, .now_ms = c->now_ms, .next_ms = INT64_MAX};
	TRY(as_instance_end(&w, &i, why));
	as_group_change(c, &g);
	out->activity = arena_new(c->arena, struct autoscaling_activity);
	return as_activity_get(&g, (struct as_activity){i.activity, i.activity_at.ms}, out->activity);
}
