/* Placement groups. All machines are on one host: what the groups promise of distance does not hold here, what they
 * refuse does. */
#include "services/ec2/instance.h"

enum { SPREAD_MAX = 7 };

static const char *const filters[] = {"group-name", "group-arn", "spread-level", "state", "strategy", NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_placement_group = {.name = "placement-group",
	.prefix = "pg-",
	.absent = "The Placement Group '@' is unknown.",
	.not_found = EC2_ERR_INVALID_PLACEMENT_GROUP_UNKNOWN,
	.malformed = EC2_ERR_INVALID_PLACEMENT_GROUP_ID_MALFORMED,
	.record = EC2_REC_PLACEMENT_GROUP,
	.shape = EC2_SHAPE_PLACEMENT_GROUP,
	.filters = filters,
	.render = render};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_placement_group *g = item->record;
	struct ec2_placement_group *out = to;
	out->state = STR("available");
	out->group_arn = ec2_arn(c, c->account, c->region, "placement-group", g->group_name);
	return OK;
}

/* NOT_FOUND. */
static status lookup(struct call *c, struct str name, struct ec2_rec_placement_group *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_placement_group);
	bool found = false;
	while (!found && ec2_next(&e)) {
		*out = *(const struct ec2_rec_placement_group *)e.item.record;
		found = str_eq(out->group_name, name);
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

static status find(struct call *c, struct str name, struct ec2_rec_placement_group *out)
{
	status s = lookup(c, name, out);
	if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &ec2_type_placement_group, name);
	return s;
}

status ec2_placement_group_check(struct call *c, struct str name, struct str id)
{
	struct ec2_rec_placement_group g;
	if (str_has(id)) return ec2_find(c, &ec2_type_placement_group, id, &g);
	return str_empty(name) ? OK : find(c, name, &g);
}

/* ── instances of groups ── "Placement strategies for your placement groups", the guide ── */

static status of_placement(struct call *c, const struct ec2_placement *p, struct ec2_rec_placement_group *g, bool *any)
{
	*any = str_has(p->group_id) || !str_empty(p->group_name);
	if (!*any) return OK;
	return str_has(p->group_id) ? ec2_find(c, &ec2_type_placement_group, p->group_id, g)
				    : find(c, p->group_name, g);
}

/* How many of a group's instances run in a zone; and by partition, from 1 on. */
static status count(struct call *c, struct str group, struct str zone, int32_t *n, int32_t partitions[8])
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_instance);
	status s = OK;
	*n = 0;
	while (is_ok(s) && ec2_next(&e)) {
		const struct ec2_rec_instance *i = e.item.record;
		struct ec2_instance shape = {0};
		if (i->state.v != EC2_RUNNING && i->state.v != EC2_PENDING) continue;
		s = ec2_instance_document(c->arena, i, &shape);
		if (!is_ok(s) || !shape.placement || !str_eq(shape.placement->group_name, group)) continue;
		if (str_eq(i->zone, zone)) ++*n;
		int32_t at = shape.placement->partition_number.has ? shape.placement->partition_number.v : 0;
		if (partitions && at > 0 && at < 8) partitions[at]++;
	}
	TRY(ec2_each_end(&e));
	return s;
}

status ec2_placement_room(struct call *c, const struct ec2_placement *p, const struct ec2_machine_type *type,
	struct str zone, int32_t *left)
{
	struct ec2_rec_placement_group g;
	bool any;
	int32_t n;
	*left = INT32_MAX;
	TRY(of_placement(c, p, &g, &any));
	if (!any) return OK;
	if (str_is(g.strategy, "cluster") && type->family->burstable)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"Cluster placement groups are not supported by the '%.*s' instance type. Specify a supported "
			"instance "
			"type or change the placement group strategy, and try again.",
			STR_ARG(type->name));
	if (p->partition_number.has && !str_is(g.strategy, "partition"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"PartitionNumber is valid only if the placement group strategy is set to partition.");
	if (p->partition_number.has && (p->partition_number.v < 1 || p->partition_number.v > g.partition_count.v))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%d) for parameter PartitionNumber is invalid: the placement group has %d partitions.",
			p->partition_number.v, g.partition_count.v);
	/* "A maximum of seven running instances per Availability Zone per group"; all launches into the group take
	 * turns. */
	TRY(ec2_guard(ec2_here(c), str_cat(c->arena, STR("placement "), g.group_name), NULL));
	if (!str_is(g.strategy, "spread")) return OK;
	TRY(count(c, g.group_name, zone, &n, NULL));
	*left = SPREAD_MAX - n > 0 ? SPREAD_MAX - n : 0;
	return OK;
}

/* "Amazon EC2 tries to distribute the instances evenly across all partitions." */
status ec2_placement_seat(struct call *c, struct ec2_placement *p)
{
	struct ec2_rec_placement_group g;
	bool any;
	int32_t n, partitions[8] = {0}, best = 1;
	TRY(of_placement(c, p, &g, &any));
	if (!any) return OK;
	p->group_name = g.group_name;
	p->group_id = g.group_id;
	if (!str_is(g.strategy, "partition") || p->partition_number.has) return OK;
	TRY(count(c, g.group_name, p->availability_zone, &n, partitions));
	for (int32_t k = 2; k <= g.partition_count.v && k < 8; k++)
		if (partitions[k] < partitions[best]) best = k;
	p->partition_number = SOME_I32(best);
	return OK;
}

status ec2_create_placement_group(struct call *c, const struct ec2_create_placement_group_input *in,
	struct ec2_create_placement_group_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_placement_group};
	struct ec2_rec_placement_group g;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_empty(in->group_name))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter GroupName");
	if (!str_has(in->strategy) && !in->partition_count.has)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter Strategy");
	struct str strategy = str_or(in->strategy, STR("partition"));
	bool partition = str_is(strategy, "partition");
	if (in->partition_count.has && (!partition || in->partition_count.v < 1 || in->partition_count.v > 7))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%d) for parameter PartitionCount is invalid: from 1 to 7, with the partition strategy.",
			in->partition_count.v);
	TRY(ec2_guard(ec2_here(c), STR("placement-group"), NULL));
	status s = lookup(c, in->group_name, &g);
	if (is_ok(s))
		return call_fail(c, EC2_ERR_INVALID_PLACEMENT_GROUP_DUPLICATE,
			"The Placement Group '%.*s' already exists.", STR_ARG(in->group_name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	g = (struct ec2_rec_placement_group){.group_id = ec2_new_id(c->arena, ec2_type_placement_group.prefix),
		.group_name = in->group_name,
		.strategy = strategy,
		.partition_count =
			partition ? in->partition_count.has ? in->partition_count : SOME_I32(2) : (struct opt_i32){0},
		.spread_level = str_is(strategy, "spread") ? str_or(in->spread_level, STR("rack")) : STR_NONE};
	ec2_put(ec2_here(c), &ec2_type_placement_group, g.group_id, &g);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_placement_group, g.group_id));
	out->placement_group = arena_new(c->arena, struct ec2_placement_group);
	return ec2_describe_one(c, &ec2_type_placement_group, g.group_id, out->placement_group);
}

status ec2_delete_placement_group(
	struct call *c, const struct ec2_delete_placement_group_input *in, struct wire_nothing *out)
{
	struct ec2_rec_placement_group g;
	(void)out;
	TRY(find(c, in->group_name, &g));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_instance);
	while (ec2_next(&e)) {
		const struct ec2_rec_instance *i = e.item.record;
		struct ec2_instance shape = {0};
		TRY(ec2_instance_document(c->arena, i, &shape));
		if (i->state.v != EC2_TERMINATED && shape.placement &&
			str_eq(shape.placement->group_name, g.group_name))
			return call_fail(c, EC2_ERR_INVALID_PLACEMENT_GROUP_IN_USE,
				"The placement group '%.*s' is in use and may not be deleted.", STR_ARG(g.group_name));
	}
	TRY(ec2_each_end(&e));
	ec2_drop(ec2_here(c), &ec2_type_placement_group, g.group_id);
	return OK;
}

status ec2_describe_placement_groups(struct call *c, const struct ec2_describe_placement_groups_input *in,
	struct ec2_describe_placement_groups_output *out)
{
	struct ec2_value_string_list ids = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < in->group_ids.n; i++) *VEC_PUSH(c->arena, &ids, &capacity) = in->group_ids.v[i];
	for (size_t i = 0; i < in->group_names.n; i++) {
		struct ec2_rec_placement_group g;
		TRY(find(c, in->group_names.v[i], &g));
		*VEC_PUSH(c->arena, &ids, &capacity) = g.group_id;
	}
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_placement_group,
				       .ids = &ids,
				       .filters = &in->filters,
				       .out = &out->placement_groups});
}
