/* What a group may be: sizes, zones and subnets, what it launches, how it ends instances. */
#include "services/autoscaling/requirements.h"
#include "services/ec2/door.h"

bool as_has(const struct str *v, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], s)) return true;
	return false;
}

struct str as_subnet_zone(struct as_place at, struct str subnet)
{
	struct ec2_subnet_place p;
	return is_ok(ec2_subnet_place(at.tx, at.a, at.account, at.region, subnet, &p)) ? p.zone : STR_NONE;
}

status as_sizes_check(struct call *c, const struct autoscaling_auto_scaling_group *g)
{
	int32_t min = g->min_size.v, max = g->max_size.v, desired = g->desired_capacity.v;
	if (min < 0) return AS_FAIL(c, "Min bound, %d, must be greater than or equal to 0", min);
	if (max < 0) return AS_FAIL(c, "Max bound, %d, must be greater than or equal to 0", max);
	if (max < min) return AS_FAIL(c, "Max bound, %d, must be greater than or equal to min bound, %d", max, min);
	if (desired < min || desired > max)
		return AS_FAIL(c, "Desired capacity:%d must be between the specified min size:%d and max size:%d",
			desired, min, max);
	return OK;
}

/* Zones follow from subnets, where there are some: one has to have at least one of both. */
static status check_zones(struct call *c, struct as_group *g)
{
	struct str rest = g->g.vpc_zone_identifier, vpc = STR_NONE;
	struct autoscaling_availability_zones of_subnets = {0};
	size_t capacity = 0;
	while (str_has(rest) && !str_empty(rest)) {
		struct str subnet = str_trim(str_cut(&rest, ','));
		struct ec2_subnet_place p;
		status s = ec2_subnet_place(c->tx, c->arena, c->account, c->region, subnet, &p);
		if (status_is(s, STATUS_NOT_FOUND))
			return AS_FAIL(c, "The subnet ID '%.*s' does not exist", STR_ARG(subnet));
		TRY(s);
		if (str_has(vpc) && !str_eq(vpc, p.vpc))
			return AS_FAIL(c, "The subnets '%.*s' are not all in the same VPC.",
				STR_ARG(g->g.vpc_zone_identifier));
		vpc = p.vpc;
		if (!as_has(of_subnets.v, of_subnets.n, p.zone)) *VEC_PUSH(c->arena, &of_subnets, &capacity) = p.zone;
	}
	for (size_t i = 0; i < g->g.availability_zones.n; i++) {
		struct str zone = g->g.availability_zones.v[i];
		if (!ec2_zone_known(c->tx, c->arena, c->region, zone))
			return AS_FAIL(c, "Invalid Availability Zone: [%.*s]", STR_ARG(zone));
		if (of_subnets.n && !as_has(of_subnets.v, of_subnets.n, zone))
			return AS_FAIL(c, "The availability zones of the specified subnets and the AutoScalingGroup do "
					  "not match");
	}
	if (!of_subnets.n && !g->g.availability_zones.n)
		return AS_FAIL(c, "At least one Availability Zone or VPC Subnet is required.");
	if (of_subnets.n) g->g.availability_zones = of_subnets;
	return OK;
}

static status check_source(struct call *c, struct as_group *g)
{
	int sources = str_has(g->g.launch_configuration_name) + (g->g.launch_template != NULL) +
		      (g->g.mixed_instances_policy != NULL);
	if (!sources)
		return AS_FAIL(c,
			"Valid requests must contain either launchTemplate, LaunchConfigurationName, InstanceId or "
			"MixedInstancesPolicy parameter.");
	if (sources > 1)
		return AS_FAIL(c, "Valid requests must contain only one of launchTemplate, LaunchConfigurationName, "
				  "InstanceId or MixedInstancesPolicy parameter.");
	struct autoscaling_mixed_instances_policy *m = g->g.mixed_instances_policy;
	if (m && (!m->launch_template || !m->launch_template->launch_template_specification))
		return AS_FAIL(c, "Launch template specification must be provided in the MixedInstancesPolicy.");
	for (size_t i = 0; m && i < m->launch_template->overrides.n; i++) {
		const struct autoscaling_launch_template_overrides *o = &m->launch_template->overrides.v[i];
		int64_t weight;
		if (o->instance_requirements && str_has(o->instance_type))
			return AS_FAIL(c, "Only one of InstanceType and InstanceRequirements may be specified in an "
					  "override.");
		if (o->instance_requirements) TRY(as_requirements_check(c, o->instance_requirements));
		if (str_has(o->weighted_capacity) &&
			(!is_ok(str_to_i64(o->weighted_capacity, &weight)) || weight < 1 || weight > 999))
			return AS_FAIL(c, "Invalid WeightedCapacity '%.*s'. It has to be from 1 to 999.",
				STR_ARG(o->weighted_capacity));
	}
	const struct autoscaling_instances_distribution *d = m ? m->instances_distribution : NULL;
	for (size_t i = 0; m && i < m->launch_template->overrides.n; i++)
		if (m->launch_template->overrides.v[i].instance_requirements && d &&
			str_has(d->on_demand_allocation_strategy) &&
			!str_is(d->on_demand_allocation_strategy, "lowest-price"))
			return AS_FAIL(c,
				"OnDemandAllocationStrategy must be lowest-price when InstanceRequirements are "
				"specified.");
	if (d && d->on_demand_percentage_above_base_capacity.has &&
		(d->on_demand_percentage_above_base_capacity.v < 0 ||
			d->on_demand_percentage_above_base_capacity.v > 100))
		return AS_FAIL(c, "OnDemandPercentageAboveBaseCapacity must be between 0 and 100.");
	if (d && d->on_demand_base_capacity.has && d->on_demand_base_capacity.v < 0)
		return AS_FAIL(c, "OnDemandBaseCapacity must be greater than or equal to 0.");
	return as_launch_check(c, g);
}

static status check_policies(struct call *c, struct as_group *g)
{
	static const char *const known[] = {"Default", "AllocationStrategy", "OldestInstance", "NewestInstance",
		"OldestLaunchConfiguration", "OldestLaunchTemplate", "ClosestToNextInstanceHour", NULL};
	size_t capacity = 0;
	for (size_t i = 0; i < g->g.termination_policies.n; i++) {
		struct str p = g->g.termination_policies.v[i];
		if (str_starts(p, STR("arn:")))
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Termination policies by Lambda functions are not "
				"implemented.");
		if (!as_in(p, known)) return AS_FAIL(c, "Invalid termination policy: %.*s", STR_ARG(p));
	}
	if (!g->g.termination_policies.n) *VEC_PUSH(c->arena, &g->g.termination_policies, &capacity) = STR("Default");
	return OK;
}

static status check_health(struct call *c, struct as_group *g)
{
	static const char *const known[] = {"EC2", "ELB", "VPC_LATTICE", "EBS", NULL};
	struct str rest = g->g.health_check_type;
	while (str_has(rest)) {
		struct str t = str_cut(&rest, ',');
		if (!as_in(t, known)) return AS_FAIL(c, "Invalid health check type '%.*s'", STR_ARG(t));
		if (str_is(t, "VPC_LATTICE"))
			return call_fail(c, ERR_NOT_IMPLEMENTED, "Health checks of VPC Lattice are not implemented.");
	}
	if (g->g.health_check_grace_period.v < 0)
		return AS_FAIL(c, "HealthCheckGracePeriod must be greater than or equal to 0.");
	if (g->g.default_cooldown.v < 0) return AS_FAIL(c, "DefaultCooldown must be greater than or equal to 0.");
	if (g->g.max_instance_lifetime.has && g->g.max_instance_lifetime.v != 0 &&
		(g->g.max_instance_lifetime.v < 86400 || g->g.max_instance_lifetime.v > 31536000))
		return AS_FAIL(c, "MaxInstanceLifetime must be 0 or between 86400 and 31536000 seconds.");
	return OK;
}

/* What is kept and would have no effect is refused by its name. */
static status check_unbuilt(struct call *c, const struct autoscaling_auto_scaling_group *g)
{
	const char *what = NULL;
	if (g->capacity_reservation_specification &&
		str_has(g->capacity_reservation_specification->capacity_reservation_preference) &&
		!str_is(g->capacity_reservation_specification->capacity_reservation_preference, "default"))
		what = "Capacity Reservations of groups";
	if (g->availability_zone_impairment_policy && g->availability_zone_impairment_policy->zonal_shift_enabled.v)
		what = "Zonal shifts";
	if (str_has(g->desired_capacity_type) && !str_is(g->desired_capacity_type, "units"))
		what = "Desired capacity types other than units";
	if (what) return call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what);
	return OK;
}

status as_group_check(struct call *c, struct as_group *g, const struct as_group *before)
{
	TRY(check_unbuilt(c, &g->g));
	TRY(as_sizes_check(c, &g->g));
	TRY(check_zones(c, g));
	TRY(check_policies(c, g));
	TRY(check_health(c, g));
	const struct autoscaling_instance_maintenance_policy *m = g->g.instance_maintenance_policy;
	if (m && m->min_healthy_percentage.v == -1 && m->max_healthy_percentage.v == -1)
		g->g.instance_maintenance_policy = NULL; /* "To remove a policy, specify -1 for both" */
	else if (m && (!m->min_healthy_percentage.has || !m->max_healthy_percentage.has ||
			      m->min_healthy_percentage.v < 0 || m->max_healthy_percentage.v < 100 ||
			      m->max_healthy_percentage.v - m->min_healthy_percentage.v > 100))
		return AS_FAIL(c,
			"Both MinHealthyPercentage and MaxHealthyPercentage must be specified, with a difference "
			"of at most 100.");
	bool same = before && g->g.launch_template == before->g.launch_template &&
		    g->g.mixed_instances_policy == before->g.mixed_instances_policy &&
		    str_eq(g->g.launch_configuration_name, before->g.launch_configuration_name);
	return same ? OK : check_source(c, g);
}
