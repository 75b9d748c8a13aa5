/* What a fleet may launch, and in which order: see fleet.h. */
#include "services/ec2/door.h"
#include "services/ec2/fleet.h"
#include "services/ec2/requirements.h"
#include "wire/shape.h"
#include <math.h>
#include <stdlib.h>

#define TABLES (&wire_service_ec2.tables)

/* "lowestPrice" and "lowest-price" are the same. */
static bool is_strategy(struct str s, const char *name)
{
	size_t k = 0;
	if (!str_has(s)) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
		if (c == '-') continue;
		if (name[k++] != c) return false;
	}
	return name[k] == 0;
}

/* Of the image, so that only types that it fits are chosen; STR_NONE where there is none (yet). */
static status architecture_of(struct call *c, struct str image, struct str *out)
{
	struct ec2_image_found found;
	*out = STR_NONE;
	if (str_empty(image)) return OK;
	TRY(ec2_image_resolve(c, &image));
	TRY(ec2_image_find(c, c->region, image, &found));
	*out = found.shape.architecture;
	return OK;
}

static status add_one(struct call *c, struct ec2_fleet *f, size_t *capacity, struct ec2_pool p)
{
	struct ec2_machine_type m;
	if (p.weight <= 0)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "WeightedCapacity has to be greater than 0.");
	p.number = f->pools.n;
	p.run.min_count = p.run.max_count = SOME_I32(1);
	p.price = HUGE_VAL;
	if (str_has(p.type) && ec2_machine_type_find(p.type, &m)) p.price = (double)ec2_spot_price(&m) / p.weight;
	*VEC_PUSH(c->arena, &f->pools, capacity) = p;
	return OK;
}

/* Attributes stand for all types that have them: each is a pool. */
static status add(struct call *c, struct ec2_fleet *f, size_t *capacity, struct ec2_pool p)
{
	if (!p.requirements) return add_one(c, f, capacity, p);
	const struct ec2_instance_requirements *r = p.requirements;
	size_t before = f->pools.n;
	TRY(ec2_requirements_check(c, r));
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_machine_type m = ec2_machine_type_at(i);
		bool fits = !str_has(p.architecture) ||
			    str_eq(p.architecture, m.family->arm ? STR("arm64") : STR("x86_64")) ||
			    (str_is(p.architecture, "i386") && !m.family->arm);
		if (!fits || !ec2_requirements_met(r, &m)) continue;
		p.run.instance_type = p.type = m.name;
		TRY(add_one(c, f, capacity, p));
	}
	if (f->pools.n > before) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "No instance type meets the InstanceRequirements.");
}

/* "subnet-a, subnet-b": a pool for each, as for zones. */
static status spread(
	struct call *c, struct ec2_fleet *f, size_t *capacity, struct ec2_pool p, struct str subnets, struct str zones)
{
	const struct ec2_placement *like = p.run.placement;
	if (str_empty(subnets) && str_empty(zones)) return add(c, f, capacity, p);
	bool by_subnet = !str_empty(subnets);
	for (struct str rest = by_subnet ? subnets : zones; str_has(rest);) {
		struct str one = str_trim(str_cut(&rest, ','));
		p.run.subnet_id = by_subnet ? one : STR_NONE;
		if (!by_subnet) {
			p.run.placement = arena_new(c->arena, struct ec2_placement);
			if (like) *p.run.placement = *like;
			p.run.placement->availability_zone = one;
		}
		TRY(add(c, f, capacity, p));
	}
	return OK;
}

static status of_template(struct call *c, const struct ec2_fleet_launch_template_specification *s, struct ec2_pool *p)
{
	struct ec2_template_named t;
	if (!s)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter LaunchTemplateSpecification");
	TRY(ec2_template_name(c, s->launch_template_id, s->launch_template_name, s->version, &t));
	struct ec2_launch_template_specification *spec = arena_new(c->arena, struct ec2_launch_template_specification);
	spec->launch_template_id = t.id;
	spec->version = t.version;
	p->run.launch_template = spec;
	p->type = t.data->instance_type;
	p->requirements = t.data->instance_requirements;
	p->architecture = STR_NONE;
	TRY(architecture_of(c, t.data->image_id, &p->architecture));
	p->weight = 1;
	p->priority = HUGE_VAL;
	p->shown.launch_template_specification = arena_new(c->arena, struct ec2_fleet_launch_template_specification);
	*p->shown.launch_template_specification =
		(struct ec2_fleet_launch_template_specification){.launch_template_id = t.id, .version = t.version};
	return OK;
}

static void common_override(
	struct ec2_pool *p, struct str type, struct str price, struct opt_f64 weight, struct opt_f64 priority)
{
	if (str_has(type)) {
		p->run.instance_type = p->type = type;
		p->requirements = NULL;
	}
	if (str_has(price)) p->max_price = price;
	if (weight.has) p->weight = weight.v;
	if (priority.has) p->priority = priority.v;
}

/* ── EC2 Fleet ── */

static status override_pool(struct call *c, struct ec2_fleet *f, size_t *capacity, const struct ec2_pool *base,
	const struct ec2_fleet_launch_template_overrides *o)
{
	struct ec2_pool p = *base;
	if (o->instance_requirements) p.requirements = o->instance_requirements;
	common_override(&p, o->instance_type, o->max_price, o->weighted_capacity, o->priority);
	if (str_has(o->image_id)) {
		p.run.image_id = o->image_id;
		TRY(architecture_of(c, o->image_id, &p.architecture));
	}
	p.shown.overrides = arena_new(c->arena, struct ec2_fleet_launch_template_overrides);
	*p.shown.overrides = *o;
	if (o->placement) {
		p.run.placement = arena_new(c->arena, struct ec2_placement);
		ec2_copy(c->arena, TABLES, EC2_SHAPE_PLACEMENT_RESPONSE, o->placement, TABLES, EC2_SHAPE_PLACEMENT,
			p.run.placement);
	}
	if (o->block_device_mappings.n) {
		struct ec2_fleet_launch_template_overrides only = {.block_device_mappings = o->block_device_mappings};
		ec2_copy(c->arena, TABLES, EC2_SHAPE_FLEET_LAUNCH_TEMPLATE_OVERRIDES, &only, TABLES,
			EC2_SHAPE_RUN_INSTANCES_REQUEST, &p.run);
	}
	struct str zone = o->availability_zone;
	if (str_has(o->availability_zone_id)) {
		struct ec2_zone z;
		TRY(ec2_zone_find(c, zone, o->availability_zone_id, &z));
		zone = z.name;
	}
	return spread(c, f, capacity, p, o->subnet_id, zone);
}

static status read_fleet(struct call *c, struct ec2_fleet *f)
{
	struct ec2_fleet_data d = {0};
	size_t capacity = 0;
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_FLEET_DATA, f->r.document, &d));
	for (size_t i = 0; i < d.launch_template_configs.n; i++) {
		const struct ec2_fleet_launch_template_config *l = &d.launch_template_configs.v[i];
		struct ec2_pool base = {0};
		TRY(of_template(c, l->launch_template_specification, &base));
		if (!l->overrides.n) TRY(add(c, f, &capacity, base));
		for (size_t k = 0; k < l->overrides.n; k++)
			TRY(override_pool(c, f, &capacity, &base, &l->overrides.v[k]));
	}
	const struct ec2_target_capacity_specification *t = d.target_capacity_specification;
	f->target = t->total_target_capacity.v;
	f->on_demand = t->on_demand_target_capacity.v;
	if (!str_is(t->default_target_capacity_type, "spot")) f->on_demand = f->target - t->spot_target_capacity.v;
	f->spot_strategy = d.spot_options ? d.spot_options->allocation_strategy : STR_NONE;
	f->on_demand_strategy = d.on_demand_options ? d.on_demand_options->allocation_strategy : STR_NONE;
	f->behavior = d.spot_options ? d.spot_options->instance_interruption_behavior : STR_NONE;
	f->pools_to_use = d.spot_options && d.spot_options->instance_pools_to_use_count.has
				  ? d.spot_options->instance_pools_to_use_count.v
				  : 1;
	f->keep_excess = str_is(d.excess_capacity_termination_policy, "no-termination");
	f->terminate_at_end = d.terminate_instances_with_expiration.v;
	f->from = d.valid_from;
	f->until = d.valid_until;
	return OK;
}

/* ── Spot Fleet ── */

static status specification_pool(struct call *c, struct ec2_fleet *f, size_t *capacity,
	const struct ec2_spot_fleet_launch_specification *given, struct str price)
{
	struct ec2_spot_fleet_launch_specification s = *given;
	struct ec2_pool p = {.weight = 1, .priority = HUGE_VAL};
	size_t groups = 0, tags = 0;
	p.requirements = s.instance_requirements;
	TRY(architecture_of(c, s.image_id, &p.architecture));
	s.security_groups.n = s.tag_specifications.n = 0;
	s.security_groups.v = NULL;
	s.tag_specifications.v = NULL;
	ec2_copy(c->arena, TABLES, EC2_SHAPE_SPOT_FLEET_LAUNCH_SPECIFICATION, &s, TABLES,
		EC2_SHAPE_RUN_INSTANCES_REQUEST, &p.run);
	for (size_t i = 0; i < given->security_groups.n; i++)
		*VEC_PUSH(c->arena, &p.run.security_group_ids, &groups) = given->security_groups.v[i].group_id;
	for (size_t i = 0; i < given->tag_specifications.n; i++)
		*VEC_PUSH(c->arena, &p.run.tag_specifications, &tags) = (struct ec2_tag_specification){
			given->tag_specifications.v[i].resource_type, given->tag_specifications.v[i].tags};
	common_override(&p, s.instance_type, str_or(s.spot_price, price), s.weighted_capacity, (struct opt_f64){0});
	struct str zones = s.placement ? s.placement->availability_zone : STR_NONE;
	if (p.run.placement) p.run.placement->availability_zone = STR_NONE;
	if (str_has(zones) && str_empty(p.run.placement->group_name) && str_empty(p.run.placement->tenancy))
		p.run.placement = NULL;
	return spread(c, f, capacity, p, s.subnet_id, zones);
}

static status read_spot_fleet(struct call *c, struct ec2_fleet *f)
{
	struct ec2_spot_fleet_request_config_data d = {0};
	size_t capacity = 0;
	TRY(wire_shape_read(c->arena, TABLES, EC2_SHAPE_SPOT_FLEET_REQUEST_CONFIG_DATA, f->r.document, &d));
	for (size_t i = 0; i < d.launch_specifications.n; i++)
		TRY(specification_pool(c, f, &capacity, &d.launch_specifications.v[i], d.spot_price));
	for (size_t i = 0; i < d.launch_template_configs.n; i++) {
		const struct ec2_launch_template_config *l = &d.launch_template_configs.v[i];
		struct ec2_pool base = {0};
		TRY(of_template(c, l->launch_template_specification, &base));
		base.max_price = d.spot_price;
		if (!l->overrides.n) TRY(add(c, f, &capacity, base));
		for (size_t k = 0; k < l->overrides.n; k++) {
			const struct ec2_launch_template_overrides *o = &l->overrides.v[k];
			struct ec2_pool p = base;
			if (o->instance_requirements) p.requirements = o->instance_requirements;
			common_override(&p, o->instance_type, o->spot_price, o->weighted_capacity, o->priority);
			TRY(spread(c, f, &capacity, p, o->subnet_id, o->availability_zone));
		}
	}
	f->target = d.target_capacity.v;
	f->on_demand = d.on_demand_target_capacity.v;
	f->spot_strategy = d.allocation_strategy;
	f->on_demand_strategy = d.on_demand_allocation_strategy;
	f->behavior = d.instance_interruption_behavior;
	f->pools_to_use = d.instance_pools_to_use_count.has ? d.instance_pools_to_use_count.v : 1;
	f->keep_excess = is_strategy(d.excess_capacity_termination_policy, "notermination");
	f->terminate_at_end = d.terminate_instances_with_expiration.v;
	f->from = d.valid_from;
	f->until = d.valid_until;
	return OK;
}

status ec2_fleet_read(struct call *c, const struct ec2_type *t, const struct ec2_rec_fleet *r, struct ec2_fleet *out)
{
	*out = (struct ec2_fleet){.type = t, .r = *r};
	TRY(t == &ec2_type_fleet ? read_fleet(c, out) : read_spot_fleet(c, out));
	if (out->on_demand > out->target || out->on_demand < 0)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The On-Demand and Spot target capacities have to fit into the total target capacity.");
	return OK;
}

/* ── order ── */

static int by_price(const void *x, const void *y)
{
	const struct ec2_pool *p = *(struct ec2_pool *const *)x, *q = *(struct ec2_pool *const *)y;
	if (p->price != q->price) return p->price < q->price ? -1 : 1;
	return (p->number > q->number) - (p->number < q->number);
}

static int by_priority(const void *x, const void *y)
{
	const struct ec2_pool *p = *(struct ec2_pool *const *)x, *q = *(struct ec2_pool *const *)y;
	if (p->priority != q->priority) return p->priority < q->priority ? -1 : 1;
	return (p->number > q->number) - (p->number < q->number);
}

/* No pool is deeper than another here, so "capacity optimized" leaves the order as it was given. */
size_t ec2_fleet_order(struct ec2_fleet *f, bool spot, struct ec2_pool **order)
{
	struct str s = spot ? f->spot_strategy : f->on_demand_strategy;
	for (size_t i = 0; i < f->pools.n; i++) order[i] = &f->pools.v[i];
	if (is_strategy(s, "prioritized") || is_strategy(s, "capacityoptimizedprioritized"))
		qsort(order, f->pools.n, sizeof(struct ec2_pool *), by_priority);
	else if (!is_strategy(s, "capacityoptimized") && !is_strategy(s, "diversified"))
		qsort(order, f->pools.n, sizeof(struct ec2_pool *), by_price);
	if (spot && is_strategy(s, "diversified")) return f->pools.n;
	bool lowest = !str_has(s) || is_strategy(s, "lowestprice");
	return spot && lowest && f->pools_to_use > 1 ? (size_t)f->pools_to_use : 1;
}
