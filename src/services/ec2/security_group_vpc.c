/* Which security groups interfaces of a VPC may have: its own, and those that are associated with it. */
#include "services/ec2/compute.h"
#include "services/ec2/network.h"

static const char *const filters[] = {"description", "group-id", "group-name", "owner-id", "primary-vpc-id", NULL};

status ec2_get_security_groups_for_vpc(struct call *c, const struct ec2_get_security_groups_for_vpc_input *in,
	struct ec2_get_security_groups_for_vpc_output *out)
{
	struct ec2_rec_vpc v;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, filters, &in->filters));
	TRY(ec2_find(c, &ec2_type_vpc, in->vpc_id, &v));
	VEC_PRESENT(c->arena, &out->security_group_for_vpcs);
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_security_group);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		struct ec2_security_group_for_vpc one = {.description = g->description,
			.group_name = g->group_name,
			.owner_id = c->account,
			.group_id = g->group_id,
			.primary_vpc_id = g->vpc_id};
		if (!str_eq(g->vpc_id, v.vpc_id) && !ec2_is_among(g->vpcs.v, g->vpcs.n, v.vpc_id)) continue;
		s = ec2_tags_get(ec2_here(c), g->group_id, &one.tags);
		if (is_ok(s) &&
			ec2_filters_match(c->arena, EC2_SHAPE_SECURITY_GROUP_FOR_VPC, filters, &in->filters, &one))
			*VEC_PUSH(c->arena, &out->security_group_for_vpcs, &capacity) = one;
	}
	status end = ec2_each_end(&e);
	TRY(s);
	TRY(end);
	return ec2_page(c, &out->security_group_for_vpcs, sizeof(*out->security_group_for_vpcs.v), in->max_results,
		in->next_token, &out->next_token);
}

status ec2_group_touch(struct call *c, const struct ec2_rec_security_group *g)
{
	TRY(ec2_vpc_touch(ec2_here(c), g->vpc_id));
	for (size_t i = 0; i < g->vpcs.n; i++) TRY(ec2_vpc_touch(ec2_here(c), g->vpcs.v[i]));
	return OK;
}

/* ── AssociateSecurityGroupVpc ── "Associate security groups with multiple VPCs", the guide: a group may be given to
 * interfaces of further VPCs of its Region. Its rules hold there too. ── */

static const char *const association_filters[] = {
	"group-id", "group-owner-id", "state", "vpc-id", "vpc-owner-id", NULL};

status ec2_associate_security_group_vpc(struct call *c, const struct ec2_associate_security_group_vpc_input *in,
	struct ec2_associate_security_group_vpc_output *out)
{
	struct ec2_rec_security_group g;
	struct ec2_rec_vpc v;
	TRY(ec2_find(c, &ec2_type_security_group, in->group_id, &g));
	TRY(ec2_find(c, &ec2_type_vpc, in->vpc_id, &v));
	if (str_is(g.group_name, "default"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The default security group '%.*s' cannot be associated with other VPCs.", STR_ARG(g.group_id));
	if (str_eq(g.vpc_id, v.vpc_id) || ec2_is_among(g.vpcs.v, g.vpcs.n, v.vpc_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The security group '%.*s' is associated with the VPC '%.*s' already.", STR_ARG(g.group_id),
			STR_ARG(v.vpc_id));
	size_t capacity = g.vpcs.n;
	*VEC_PUSH(c->arena, &g.vpcs, &capacity) = v.vpc_id;
	ec2_put(ec2_here(c), &ec2_type_security_group, g.group_id, &g);
	out->state = STR("associating");
	return ec2_vpc_touch(ec2_here(c), v.vpc_id);
}

status ec2_disassociate_security_group_vpc(struct call *c, const struct ec2_disassociate_security_group_vpc_input *in,
	struct ec2_disassociate_security_group_vpc_output *out)
{
	struct ec2_rec_security_group g;
	bool used = false;
	size_t kept = 0;
	TRY(ec2_find(c, &ec2_type_security_group, in->group_id, &g));
	if (!ec2_is_among(g.vpcs.v, g.vpcs.n, in->vpc_id))
		return call_fail(c, EC2_ERR_INVALID_SECURITY_GROUP_VPC_ASSOCIATION_NOT_FOUND,
			"The security group '%.*s' is not associated with the VPC '%.*s'.", STR_ARG(g.group_id),
			STR_ARG(in->vpc_id));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_eni);
	while (ec2_next(&e)) {
		const struct ec2_rec_eni *n = e.item.record;
		used = used || (str_eq(n->vpc_id, in->vpc_id) && ec2_is_among(n->groups.v, n->groups.n, g.group_id));
	}
	TRY(ec2_each_end(&e));
	if (used)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION, "resource %.*s has a dependent object in %.*s",
			STR_ARG(g.group_id), STR_ARG(in->vpc_id));
	for (size_t i = 0; i < g.vpcs.n; i++)
		if (!str_eq(g.vpcs.v[i], in->vpc_id)) g.vpcs.v[kept++] = g.vpcs.v[i];
	g.vpcs.n = kept;
	ec2_put(ec2_here(c), &ec2_type_security_group, g.group_id, &g);
	out->state = STR("disassociating");
	return ec2_vpc_touch(ec2_here(c), in->vpc_id);
}

status ec2_describe_security_group_vpc_associations(struct call *c,
	const struct ec2_describe_security_group_vpc_associations_input *in,
	struct ec2_describe_security_group_vpc_associations_output *out)
{
	size_t capacity = 0;
	TRY(ec2_filters_check(c, association_filters, &in->filters));
	VEC_PRESENT(c->arena, &out->security_group_vpc_associations);
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_security_group);
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		for (size_t i = 0; i < g->vpcs.n; i++) {
			struct ec2_security_group_vpc_association one = {.group_id = g->group_id,
				.vpc_id = g->vpcs.v[i],
				.vpc_owner_id = c->account,
				.state = STR("associated"),
				.group_owner_id = c->account};
			if (ec2_filters_match(c->arena, EC2_SHAPE_SECURITY_GROUP_VPC_ASSOCIATION, association_filters,
				    &in->filters, &one))
				*VEC_PUSH(c->arena, &out->security_group_vpc_associations, &capacity) = one;
		}
	}
	TRY(ec2_each_end(&e));
	return ec2_page(c, &out->security_group_vpc_associations, sizeof(*out->security_group_vpc_associations.v),
		in->max_results, in->next_token, &out->next_token);
}
