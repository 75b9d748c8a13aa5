/* Launch configurations: what a group launches, as before there were launch templates. They never change. */
#include "base/rand.h"
#include "services/autoscaling/room.h"

#define SHAPE AUTOSCALING_SHAPE_LAUNCH_CONFIGURATION

status as_configuration_get(struct as_place at, struct str name, struct autoscaling_launch_configuration *out)
{
	struct autoscaling_rec_configuration r = {0};
	struct str bytes;
	*out = (struct autoscaling_launch_configuration){0};
	TRY(store_get(at.tx, as_prefix(at, "configuration", name), &bytes));
	TRY(autoscaling_rec_configuration_decode(at.a, bytes, &r));
	return as_document(at, r.document, SHAPE, out);
}

status autoscaling_create_launch_configuration(
	struct call *c, const struct autoscaling_create_launch_configuration_input *in, struct wire_nothing *out)
{
	struct autoscaling_launch_configuration l;
	struct str name = in->launch_configuration_name;
	size_t n;
	(void)out;
	status s = as_configuration_get(as_here(c), name, &l);
	if (is_ok(s))
		return call_fail(c, AUTOSCALING_ERR_ALREADY_EXISTS_FAULT,
			"Launch Configuration by this name already exists - A launch configuration already exists with "
			"the "
			"name %.*s",
			STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(as_count(as_here(c), "configuration", STR_NONE, &n));
	if (n >= AS_CONFIGURATIONS_MAX)
		return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
			"You have already reached the limit of %d launch configurations in this region.",
			AS_CONFIGURATIONS_MAX);
	if (str_has(in->instance_id))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Launch configurations from an instance are not implemented.");
	if (str_has(in->classic_link_vpc_id) || in->classic_link_vpc_security_groups.n)
		return AS_FAIL(c,
			"EC2-Classic is retired: ClassicLinkVPCId and ClassicLinkVPCSecurityGroups are not supported.");
	if (!str_has(in->image_id))
		return AS_FAIL(c, "Valid requests must contain either the InstanceID parameter or both the ImageId and "
				  "InstanceType parameters.");
	if (!str_has(in->instance_type))
		return AS_FAIL(c, "Valid requests must contain either the InstanceID parameter or both the ImageId and "
				  "InstanceType parameters.");
	l = (struct autoscaling_launch_configuration){0};
	as_copy(c->arena, AUTOSCALING_SHAPE_CREATE_LAUNCH_CONFIGURATION_TYPE, in, SHAPE, &l);
	l.created_time = SOME_TIME(c->now_ms);
	l.launch_configuration_arn = str_fmt(c->arena,
		"arn:%.*s:autoscaling:%.*s:%.*s:launchConfiguration:%.*s:launchConfigurationName/%.*s",
		STR_ARG(c->partition), STR_ARG(c->region), STR_ARG(c->account), STR_ARG(rand_uuid(c->arena)),
		STR_ARG(name));
	if (!l.ebs_optimized.has) l.ebs_optimized = SOME_BOOL(false);
	if (!l.instance_monitoring) {
		l.instance_monitoring = arena_new(c->arena, struct autoscaling_instance_monitoring);
		l.instance_monitoring->enabled = SOME_BOOL(true);
	}
	struct autoscaling_rec_configuration r = {.document = wire_shape_write(c->arena, AS_TABLES, SHAPE, &l)};
	store_put(c->tx, as_prefix(as_here(c), "configuration", name),
		autoscaling_rec_configuration_encode(c->arena, &r));
	return OK;
}

status autoscaling_delete_launch_configuration(
	struct call *c, const struct autoscaling_delete_launch_configuration_input *in, struct wire_nothing *out)
{
	struct autoscaling_launch_configuration l;
	struct str name = in->launch_configuration_name;
	(void)out;
	status s = as_configuration_get(as_here(c), name, &l);
	if (status_is(s, STATUS_NOT_FOUND))
		return AS_FAIL(
			c, "Launch configuration name not found - Launch configuration %.*s not found", STR_ARG(name));
	TRY(s);
	struct as_each e = as_each(as_here(c), "group", STR_NONE);
	bool used = false;
	while (is_ok(s) && as_next(&e)) {
		struct as_group g;
		s = as_group_load(as_here(c), e.group, &g);
		used = used || (is_ok(s) && str_eq(g.g.launch_configuration_name, name));
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	if (used)
		return call_fail(c, AUTOSCALING_ERR_RESOURCE_IN_USE_FAULT,
			"Cannot delete launch configuration %.*s because it is attached to an AutoScalingGroup",
			STR_ARG(name));
	store_delete(c->tx, as_prefix(as_here(c), "configuration", name));
	return OK;
}

status autoscaling_describe_launch_configurations(struct call *c,
	const struct autoscaling_describe_launch_configurations_input *in,
	struct autoscaling_describe_launch_configurations_output *out)
{
	size_t capacity = 0;
	struct as_each e = as_each(as_here(c), "configuration", STR_NONE);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		const struct autoscaling_launch_configuration_names *names = &in->launch_configuration_names;
		if (names->n && !as_has(names->v, names->n, e.group)) continue;
		struct autoscaling_launch_configuration *l = VEC_PUSH(c->arena, &out->launch_configurations, &capacity);
		s = as_configuration_get(as_here(c), e.group, l);
		VEC_PRESENT(c->arena, &l->security_groups);
		VEC_PRESENT(c->arena, &l->block_device_mappings);
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->launch_configurations);
	return as_page(c, &out->launch_configurations, sizeof(*out->launch_configurations.v), in->max_records, 100,
		in->next_token, &out->next_token);
}
