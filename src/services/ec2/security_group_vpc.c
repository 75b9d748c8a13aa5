/* Which security groups interfaces of a VPC may have. */
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
		if (!str_eq(g->vpc_id, v.vpc_id)) continue;
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
