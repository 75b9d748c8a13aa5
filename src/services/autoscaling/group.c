/* Groups: made, changed, deleted, shown. */
#include "base/rand.h"
#include "services/autoscaling/room.h"
#include "services/iam/door.h"

/* ── CreateAutoScalingGroup ── */

static struct str role_arn(const struct call *c)
{
	return str_fmt(c->arena,
		"arn:%.*s:iam::%.*s:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
		STR_ARG(c->partition), STR_ARG(c->account));
}

static void set_tags(struct call *c, struct as_group *g, const struct autoscaling_tags *tags)
{
	size_t capacity = 0;
	for (size_t i = 0; i < tags->n; i++) {
		const struct autoscaling_tag *t = &tags->v[i];
		*VEC_PUSH(c->arena, &g->g.tags, &capacity) =
			(struct autoscaling_tag_description){.resource_id = g->name,
				.resource_type = STR("auto-scaling-group"),
				.key = t->key,
				.value = str_or(t->value, STR("")),
				.propagate_at_launch = SOME_BOOL(t->propagate_at_launch.v)};
	}
}

static status made_before(struct call *c, struct str name)
{
	struct as_group g;
	status s = as_group_load(as_here(c), name, &g);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return call_fail(c, AUTOSCALING_ERR_ALREADY_EXISTS_FAULT,
		"AutoScalingGroup by this name already exists - A group with the name %.*s already exists",
		STR_ARG(name));
}

status autoscaling_create_auto_scaling_group(
	struct call *c, const struct autoscaling_create_auto_scaling_group_input *in, struct wire_nothing *out)
{
	struct str name = in->auto_scaling_group_name;
	struct as_group g = {.at = as_here(c), .name = name};
	size_t n;
	(void)out;
	if (str_chr(name, ':') >= 0) return AS_FAIL(c, "AutoScalingGroup name must not contain a colon");
	TRY(made_before(c, name));
	TRY(as_count(as_here(c), "group", STR_NONE, &n));
	if (n >= AS_GROUPS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"You have already reached the limit of %d Auto Scaling groups in this region.", AS_GROUPS_MAX);
	if (str_has(in->instance_id))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Groups from an instance are not implemented: make a launch "
			"template.");
	as_copy(c->arena, AUTOSCALING_SHAPE_CREATE_AUTO_SCALING_GROUP_TYPE, in, AUTOSCALING_SHAPE_AUTO_SCALING_GROUP,
		&g.g);
	g.r.name = name;
	g.g.auto_scaling_group_arn = str_fmt(c->arena,
		"arn:%.*s:autoscaling:%.*s:%.*s:autoScalingGroup:%.*s:autoScalingGroupName/%.*s", STR_ARG(c->partition),
		STR_ARG(c->region), STR_ARG(c->account), STR_ARG(rand_uuid(c->arena)), STR_ARG(name));
	g.g.created_time = SOME_TIME(c->now_ms);
	if (!g.g.desired_capacity.has) g.g.desired_capacity = SOME_I32(in->min_size.v);
	if (!g.g.default_cooldown.has) g.g.default_cooldown = SOME_I32(300);
	if (!g.g.health_check_grace_period.has) g.g.health_check_grace_period = SOME_I32(0);
	g.g.health_check_type = str_or(g.g.health_check_type, STR("EC2"));
	g.g.new_instances_protected_from_scale_in = SOME_BOOL(in->new_instances_protected_from_scale_in.v);
	g.g.service_linked_role_arn = str_or(in->service_linked_role_arn, role_arn(c));
	g.g.tags = (struct autoscaling_tag_description_list){0};
	if (in->tags.n > AS_TAGS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"You may only have %d tags on an Auto Scaling group.", AS_TAGS_MAX);
	set_tags(c, &g, &in->tags);
	TRY(as_group_check(c, &g, NULL));
	TRY(as_sources_check(c, &g));
	status s = iam_service_role_ensure(c->tx, c->arena, c->account, AS_PRINCIPAL, c->now_ms);
	if (!is_ok(s)) return s;
	for (size_t i = 0; i < in->lifecycle_hook_specification_list.n; i++) {
		struct autoscaling_put_lifecycle_hook_type hook = {.auto_scaling_group_name = name};
		as_copy(c->arena, AUTOSCALING_SHAPE_LIFECYCLE_HOOK_SPECIFICATION,
			&in->lifecycle_hook_specification_list.v[i], AUTOSCALING_SHAPE_PUT_LIFECYCLE_HOOK_TYPE, &hook);
		TRY(as_hook_make(c, &g, &hook));
	}
	g.r.cause = str_fmt(c->arena,
		"At %.*s a user request created an AutoScalingGroup changing the desired capacity from 0 to %d.",
		STR_ARG(as_when(c->arena, c->now_ms)), g.g.desired_capacity.v);
	as_group_change(c, &g);
	return OK;
}

/* ── UpdateAutoScalingGroup ── */

static void take_source(const struct autoscaling_update_auto_scaling_group_input *in, struct as_group *g)
{
	if (!str_has(in->launch_configuration_name) && !in->launch_template && !in->mixed_instances_policy) return;
	g->g.launch_configuration_name = in->launch_configuration_name;
	g->g.launch_template = in->launch_template;
	g->g.mixed_instances_policy = in->mixed_instances_policy;
}

status autoscaling_update_auto_scaling_group(
	struct call *c, const struct autoscaling_update_auto_scaling_group_input *in, struct wire_nothing *out)
{
	struct as_group g, before;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	if (g.r.deleting.v)
		return call_fail(c, AUTOSCALING_ERR_SCALING_ACTIVITY_IN_PROGRESS_FAULT,
			"You cannot update an AutoScalingGroup that is being deleted.");
	before = g;
	int32_t was = g.g.desired_capacity.v;
	/* The document's parts are replaced, not merged into. */
	if (in->instance_maintenance_policy) g.g.instance_maintenance_policy = NULL;
	if (in->instance_lifecycle_policy) g.g.instance_lifecycle_policy = NULL;
	struct autoscaling_update_auto_scaling_group_input rest = *in;
	rest.launch_template = NULL;
	rest.mixed_instances_policy = NULL;
	rest.launch_configuration_name = STR_NONE;
	if (str_has(in->vpc_zone_identifier) && !in->availability_zones.n)
		g.g.availability_zones = (struct autoscaling_availability_zones){0};
	if (in->availability_zones.n && !str_has(in->vpc_zone_identifier)) g.g.vpc_zone_identifier = STR_NONE;
	as_copy(c->arena, AUTOSCALING_SHAPE_UPDATE_AUTO_SCALING_GROUP_TYPE, &rest, AUTOSCALING_SHAPE_AUTO_SCALING_GROUP,
		&g.g);
	take_source(in, &g);
	/* "If a new value for MinSize is specified without setting DesiredCapacity, and the new MinSize is larger than
	 * the current size of the group, this sets the group's desired capacity to the new MinSize" (the reference). */
	if (!in->desired_capacity.has && g.g.desired_capacity.v < g.g.min_size.v) g.g.desired_capacity = g.g.min_size;
	if (!in->desired_capacity.has && g.g.desired_capacity.v > g.g.max_size.v) g.g.desired_capacity = g.g.max_size;
	TRY(as_group_check(c, &g, &before));
	if (g.g.desired_capacity.v != was) {
		int32_t now = g.g.desired_capacity.v;
		g.g.desired_capacity.v = was;
		as_desire(&g, now,
			str_fmt(c->arena,
				"a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: "
				"%d",
				g.g.min_size.v, g.g.max_size.v, now),
			c->now_ms);
	}
	g.r.retry.has = false;
	g.r.failures.has = false;
	as_group_change(c, &g);
	return OK;
}

status autoscaling_set_desired_capacity(
	struct call *c, const struct autoscaling_set_desired_capacity_input *in, struct wire_nothing *out)
{
	struct as_group g;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	int32_t desired = in->desired_capacity.v;
	if (desired > g.g.max_size.v)
		return AS_FAIL(c, "New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.",
			desired, g.g.max_size.v);
	if (desired < g.g.min_size.v)
		return AS_FAIL(c, "New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.",
			desired, g.g.min_size.v);
	if (g.r.deleting.v || (in->honor_cooldown.v && g.r.cooldown.has && g.r.cooldown.ms > c->now_ms))
		return call_fail(c, AUTOSCALING_ERR_SCALING_ACTIVITY_IN_PROGRESS_FAULT,
			"Scaling activity initiated by previous request has not been completed: cooldown of group %.*s "
			"is in "
			"progress.",
			STR_ARG(g.name));
	as_desire(&g, desired, STR("a user request explicitly set group desired capacity"), c->now_ms);
	as_group_change(c, &g);
	return OK;
}

void as_desire(struct as_group *g, int32_t desired, struct str why, int64_t now_ms)
{
	int32_t was = g->g.desired_capacity.v;
	if (was == desired) return;
	g->g.desired_capacity = SOME_I32(desired);
	g->r.cause = str_fmt(g->at.a, "At %.*s %.*s changing the desired capacity from %d to %d.",
		STR_ARG(as_when(g->at.a, now_ms)), STR_ARG(why), was, desired);
	g->r.retry.has = false;
}

/* ── DeleteAutoScalingGroup ── */

status autoscaling_delete_auto_scaling_group(
	struct call *c, const struct autoscaling_delete_auto_scaling_group_input *in, struct wire_nothing *out)
{
	struct as_group g;
	struct as_instances all;
	struct as_launches launches;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(as_instances(&g, &all));
	TRY(as_launches(&g, &launches));
	bool none = str_is(g.g.deletion_protection, "prevent-all-deletion");
	if (none || (in->force_delete.v && str_is(g.g.deletion_protection, "prevent-force-deletion")))
		return call_fail(c, AUTOSCALING_ERR_RESOURCE_IN_USE_FAULT,
			"The Auto Scaling group %.*s is protected against deletion.", STR_ARG(g.name));
	if (!in->force_delete.v && (all.n || launches.n))
		return call_fail(c, AUTOSCALING_ERR_RESOURCE_IN_USE_FAULT,
			"You cannot delete an AutoScalingGroup while there are instances or pending Spot instance "
			"request(s) "
			"still in the group.");
	g.r.deleting = SOME_BOOL(true);
	g.g.status = STR("Delete in progress");
	g.g.min_size = g.g.desired_capacity = SOME_I32(0);
	if (!all.n && !launches.n) return as_group_drop(c, &g);
	as_group_change(c, &g);
	return OK;
}

status as_group_drop(struct call *c, struct as_group *g)
{
	static const char *const kinds[] = {
		"group", "hook", "policy", "schedule", "notification", "refresh", "launch", NULL};
	struct as_each e = as_each(g->at, "schedule", g->name);
	while (as_next(&e)) jobs_cancel(g->at.tx, STR(AS_JOB_SCHEDULE), as_job_id(g->at, g->name, e.name));
	TRY(as_each_end(&e));
	TRY(as_policies_drop(c, g));
	for (const char *const *k = kinds; *k; k++) TRY(as_drop_below(g->at, as_prefix(g->at, *k, g->name)));
	jobs_cancel(g->at.tx, STR(AS_JOB_GROUP), as_job_id(g->at, g->name, STR_NONE));
	return OK;
}

/* ── describing ── */

static struct autoscaling_launch_template_specification *template_of(
	struct arena *a, const struct autoscaling_rec_instance *i)
{
	if (!str_has(i->template_id)) return NULL;
	struct autoscaling_launch_template_specification *t =
		arena_new(a, struct autoscaling_launch_template_specification);
	*t = (struct autoscaling_launch_template_specification){i->template_id, i->template_name, i->template_version};
	return t;
}

void as_instance_show(struct arena *a, const struct autoscaling_rec_instance *i, struct autoscaling_instance *out)
{
	*out = (struct autoscaling_instance){.instance_id = i->id,
		.instance_type = i->type,
		.availability_zone = i->zone,
		.availability_zone_id = i->zone_id,
		.lifecycle_state = i->state,
		.health_status = i->healthy.v ? STR("Healthy") : STR("Unhealthy"),
		.launch_configuration_name = i->launch_configuration,
		.launch_template = template_of(a, i),
		.image_id = i->image,
		.protected_from_scale_in = SOME_BOOL(i->protected.v),
		.weighted_capacity = i->weight.has ? str_fmt(a, "%d", i->weight.v) : STR_NONE};
}

status as_group_show(struct as_group *g, bool instances, struct autoscaling_auto_scaling_group *out)
{
	struct as_instances all;
	size_t capacity = 0, sources = 0, pool = 0;
	struct arena *a = g->at.a;
	*out = g->g;
	TRY(as_instances(g, &all));
	for (size_t i = 0; i < all.n; i++) {
		pool += all.v[i].pool.v;
		if (instances && !all.v[i].pool.v)
			as_instance_show(a, &all.v[i], VEC_PUSH(a, &out->instances, &capacity));
	}
	struct as_sources names = as_sources_of(g, a);
	for (size_t i = 0; i < names.n; i++)
		*VEC_PUSH(a, &out->traffic_sources, &sources) = (struct autoscaling_traffic_source_identifier){
			names.v[i], as_is_classic(names.v[i]) ? STR("elb") : STR("elbv2")};
	if (g->g.warm_pool_configuration) out->warm_pool_size = SOME_I32((int32_t)pool);
	VEC_PRESENT(a, &out->instances);
	VEC_PRESENT(a, &out->suspended_processes);
	VEC_PRESENT(a, &out->enabled_metrics);
	VEC_PRESENT(a, &out->load_balancer_names);
	VEC_PRESENT(a, &out->target_group_ar_ns);
	VEC_PRESENT(a, &out->traffic_sources);
	VEC_PRESENT(a, &out->tags);
	return OK;
}

/* "tag:KEY", "tag-key", "tag-value". */
static bool matches(const struct as_group *g, const struct autoscaling_filters *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct autoscaling_filter *f = &filters->v[i];
		bool match = false;
		for (size_t k = 0; k < g->g.tags.n && !match; k++) {
			const struct autoscaling_tag_description *t = &g->g.tags.v[k];
			if (str_is(f->name, "tag-key"))
				match = as_has(f->values.v, f->values.n, t->key);
			else if (str_is(f->name, "tag-value"))
				match = as_has(f->values.v, f->values.n, t->value);
			else if (str_eq(str_from(f->name, 4), t->key))
				match = as_has(f->values.v, f->values.n, t->value);
		}
		if (!match) return false;
	}
	return true;
}

status autoscaling_describe_auto_scaling_groups(struct call *c,
	const struct autoscaling_describe_auto_scaling_groups_input *in,
	struct autoscaling_describe_auto_scaling_groups_output *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < in->filters.n; i++) {
		struct str n = in->filters.v[i].name;
		if (!str_is(n, "tag-key") && !str_is(n, "tag-value") && !str_starts(n, STR("tag:")))
			return AS_FAIL(c,
				"Filter type %.*s is not correct. Allowed Filter types are: tag-key, tag-value, "
				"tag:<key>",
				STR_ARG(n));
	}
	struct as_each e = as_each(as_here(c), "group", STR_NONE);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		const struct autoscaling_auto_scaling_group_names *names = &in->auto_scaling_group_names;
		struct as_group g;
		if (names->n && !as_has(names->v, names->n, e.group)) continue;
		s = as_group_load(as_here(c), e.group, &g);
		if (!is_ok(s) || !matches(&g, &in->filters)) continue;
		s = as_group_show(&g, !in->include_instances.has || in->include_instances.v,
			VEC_PUSH(c->arena, &out->auto_scaling_groups, &capacity));
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->auto_scaling_groups);
	return as_page(c, &out->auto_scaling_groups, sizeof(*out->auto_scaling_groups.v), in->max_records, 100,
		in->next_token, &out->next_token);
}
