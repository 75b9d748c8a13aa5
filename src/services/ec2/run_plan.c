/* What RunInstances is to make: the request with its launch template, checked against image, type, key, profile. */
#include "services/ec2/dedicated_host.h"
#include "services/ec2/instance_options.h"
#include "services/iam/door.h"

#define TABLES (&wire_service_ec2.tables)
enum { USER_DATA_MAX = 16 << 10 };

/* "If you specify a parameter, it overrides the parameter in the launch template" (RunInstances). */
static status with_template(
	struct call *c, const struct ec2_run_instances_request *in, struct ec2_run_instances_request *out)
{
	const struct ec2_launch_template_specification *spec = in->launch_template;
	*out = (struct ec2_run_instances_request){0};
	if (spec) {
		struct ec2_rec_launch_template t;
		struct ec2_launch_template_version v;
		TRY(ec2_template_find(c, spec->launch_template_id, spec->launch_template_name, &t));
		TRY(ec2_template_version(c, &t, spec->version, &v));
		ec2_copy(c->arena, TABLES, EC2_SHAPE_RESPONSE_LAUNCH_TEMPLATE_DATA, v.launch_template_data, TABLES,
			EC2_SHAPE_RUN_INSTANCES_REQUEST, out);
		out->ramdisk_id = v.launch_template_data->ram_disk_id;
		if (v.launch_template_data->instance_requirements && !str_has(in->instance_type))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"You can't use a launch template with InstanceRequirements to launch instances with "
				"RunInstances.");
	}
	if (in->security_group_ids.n || in->security_groups.n) {
		out->security_group_ids.n = out->security_groups.n = 0;
		out->security_group_ids.v = out->security_groups.v = NULL;
		/* A template's primary interface takes the groups that are asked for. */
		for (size_t i = 0; i < out->network_interfaces.n; i++)
			if (out->network_interfaces.v[i].device_index.v == 0 && in->security_group_ids.n)
				out->network_interfaces.v[i].groups = in->security_group_ids;
		if (out->network_interfaces.n && in->security_group_ids.n) {
			ec2_replace(TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, in, out);
			out->security_group_ids.n = 0;
			out->security_group_ids.v = NULL;
			return OK;
		}
	}
	if (str_has(in->subnet_id) && out->network_interfaces.n && !in->network_interfaces.n) {
		out->network_interfaces.v[0].subnet_id = in->subnet_id;
		ec2_replace(TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, in, out);
		out->subnet_id = STR_NONE;
		return OK;
	}
	ec2_replace(TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, in, out);
	return OK;
}

static status check_type(struct call *c, struct ec2_run_plan *p)
{
	struct str name = str_or(p->in.instance_type, STR("m1.small"));
	if (!ec2_machine_type_find(name, &p->type))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for InstanceType.", STR_ARG(name));
	struct str arch = p->type.family->arm ? STR("arm64") : STR("x86_64");
	if (!str_eq(arch, p->image.shape.architecture) && !str_is(p->image.shape.architecture, "i386"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The architecture '%.*s' of the specified instance type does not match the architecture '%.*s' "
			"of the "
			"specified AMI. Specify an instance type and an AMI that have matching architectures, and try "
			"again. You can "
			"use 'describe-instance-types' or 'describe-images' to discover the architecture of the "
			"instance type or AMI.",
			STR_ARG(arch), STR_ARG(p->image.shape.architecture));
	const struct ec2_credit_specification_request *credits = p->in.credit_specification;
	if (credits && str_has(credits->cpu_credits) && !p->type.family->burstable)
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
			"The instance type %.*s does not support CPU credit specification.", STR_ARG(name));
	if (credits && str_has(credits->cpu_credits) && !str_is(credits->cpu_credits, "standard") &&
		!str_is(credits->cpu_credits, "unlimited"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for CpuCredits.",
			STR_ARG(credits->cpu_credits));
	return OK;
}

static status check_image(struct call *c, struct ec2_run_plan *p)
{
	if (str_empty(p->in.image_id))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter ImageId");
	TRY(ec2_image_resolve(c, &p->in.image_id));
	TRY(ec2_image_find(c, c->region, p->in.image_id, &p->image));
	if (!str_is(p->image.shape.state, "available"))
		return call_fail(c, EC2_ERR_INVALID_AMIID_UNAVAILABLE, "The image id '[%.*s]' is not available",
			STR_ARG(p->in.image_id));
	bool enforced, allowed;
	TRY(ec2_image_allowed(c, &p->image.shape, &enforced, &allowed));
	if (!enforced || allowed) return OK;
	return call_fail(c, EC2_ERR_INVALID_AMIID_NOT_FOUND,
		"The AMI '%.*s' is not allowed by the Allowed AMIs settings of this account.", STR_ARG(p->in.image_id));
}

static status check_user_data(struct call *c, struct ec2_run_plan *p)
{
	if (str_empty(p->in.user_data)) return OK;
	if (!is_ok(str_unbase64(c->arena, p->in.user_data, &p->user_data)))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid BASE64 encoding of user data.");
	if (p->user_data.n > USER_DATA_MAX)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "User data is limited to %d bytes", USER_DATA_MAX);
	return OK;
}

status ec2_profile_resolve(
	struct call *c, const struct ec2_iam_instance_profile_specification *spec, struct str *arn, struct str *id)
{
	struct iam_rec_profile p;
	struct str name = spec->name;
	if (str_has(spec->arn) && str_has(spec->name))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameter 'iamInstanceProfile.name' may not be used in combination with "
			"'iamInstanceProfile.arn'");
	if (str_has(spec->arn)) {
		struct str head = str_fmt(
			c->arena, "arn:%.*s:iam::%.*s:instance-profile/", STR_ARG(c->partition), STR_ARG(c->account));
		if (!str_starts(spec->arn, head))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Value (%.*s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance "
				"Profile ARN",
				STR_ARG(spec->arn));
		name = str_from(spec->arn, (size_t)(str_rchr(spec->arn, '/') + 1));
	}
	status s = iam_profile_peek(c->tx, c->arena, c->account, name, &p);
	if (is_ok(s)) {
		*arn = str_fmt(c->arena, "arn:%.*s:iam::%.*s:instance-profile%.*s%.*s", STR_ARG(c->partition),
			STR_ARG(c->account), STR_ARG(p.path), STR_ARG(p.name));
		*id = p.id;
		if (!str_has(spec->arn) || str_eq(*arn, spec->arn)) return OK;
		s = STATUS(NOT_FOUND);
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"Value (%.*s) for parameter iamInstanceProfile.%s is invalid. Invalid IAM Instance Profile %s",
		STR_ARG(str_has(spec->arn) ? spec->arn : name), str_has(spec->arn) ? "arn" : "name",
		str_has(spec->arn) ? "ARN" : "name");
}

static status check_counts(struct call *c, struct ec2_run_plan *p)
{
	int32_t min = p->in.min_count.v, max = p->in.max_count.v;
	if (!p->in.min_count.has || !p->in.max_count.has)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter %s",
			p->in.min_count.has ? "MaxCount" : "MinCount");
	if (min < 1)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%d) for parameter minCount is invalid. Expected a positive integer.", min);
	if (max < min)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%d) for parameter maxCount is invalid. Maximum count must not be less than minimum "
			"count (%d).",
			max, min);
	p->count = max;
	return OK;
}

static status check_behavior(struct call *c, const struct ec2_run_instances_request *in)
{
	struct str b = in->instance_initiated_shutdown_behavior;
	if (str_has(b) && !str_is(b, "stop") && !str_is(b, "terminate"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter instanceInitiatedShutdownBehavior is invalid.", STR_ARG(b));
	const struct ec2_placement *p = in->placement;
	if (!p) return OK;
	if (str_has(p->group_name) || str_has(p->group_id))
		TRY(ec2_placement_group_check(c, p->group_name, p->group_id));
	if (str_has(p->tenancy) && !str_is(p->tenancy, "default") && !str_is(p->tenancy, "dedicated") &&
		!str_is(p->tenancy, "host"))
		return call_fail(c, EC2_ERR_INVALID_TENANCY, "Invalid tenancy: %.*s", STR_ARG(p->tenancy));
	return OK;
}

/* "Prerequisites for EC2 instance hibernation", the guide. */
static status check_hibernation(struct call *c, const struct ec2_run_plan *p)
{
	const struct ec2_volume_plan *root = NULL;
	if (!p->in.hibernation_options || !p->in.hibernation_options->configured.v) return OK;
	if (!p->type.family->hibernates)
		return call_fail(c, EC2_ERR_UNSUPPORTED_HIBERNATION_CONFIGURATION,
			"The instance type '%.*s' does not support hibernation.", STR_ARG(p->type.name));
	for (size_t k = 0; k < p->n_devices; k++)
		if (p->devices[k].root) root = &p->devices[k].plan;
	if (!root || !root->encrypted.v)
		return call_fail(c, EC2_ERR_UNSUPPORTED_HIBERNATION_CONFIGURATION,
			"The root volume has to be encrypted for hibernation.");
	if ((int64_t)root->size.v * 1024 < p->type.memory_mib)
		return call_fail(c, EC2_ERR_UNSUPPORTED_HIBERNATION_CONFIGURATION,
			"The root volume is too small to store the memory of the instance type '%.*s'.",
			STR_ARG(p->type.name));
	return OK;
}

status ec2_run_plan(struct call *c, const struct ec2_run_instances_request *in, struct ec2_run_plan *out)
{
	static const struct ec2_type *const taggable[] = {
		&ec2_type_instance, &ec2_type_volume, &ec2_type_eni, &ec2_type_spot_request};
	*out = (struct ec2_run_plan){0};
	TRY(with_template(c, in, &out->in));
	TRY(ec2_specified_only(c, &out->in.tag_specifications, taggable, 4));
	TRY(check_counts(c, out));
	TRY(check_image(c, out));
	TRY(check_type(c, out));
	TRY(check_user_data(c, out));
	TRY(check_behavior(c, &out->in));
	if (str_has(out->in.key_name) && !str_empty(out->in.key_name)) {
		struct ec2_rec_key_pair k;
		TRY(ec2_key_find(c, out->in.key_name, &k));
		out->public_key = k.public_key;
	}
	if (out->in.iam_instance_profile)
		TRY(ec2_profile_resolve(c, out->in.iam_instance_profile, &out->profile_arn, &out->profile_id));
	TRY(ec2_run_network(c, out));
	TRY(ec2_host_placement_check(c, out->in.placement, out->type.name, out->subnet.availability_zone));
	TRY(ec2_run_devices(c, out));
	return check_hibernation(c, out);
}
