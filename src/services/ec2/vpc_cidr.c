/* A VPC's further blocks. "VPC CIDR blocks", the guide: five of IPv4 (the first included) and five of IPv6, none
 * overlaps another; the first cannot be taken away. */
#include "services/ec2/network.h"

enum { BLOCKS_MAX = 5 };

static struct ec2_vpc_cidr_block_state *state(struct call *c, const char *word)
{
	struct ec2_vpc_cidr_block_state *s = arena_new(c->arena, struct ec2_vpc_cidr_block_state);
	s->state = str_c(word);
	return s;
}

static status associate4(
	struct call *c, struct ec2_rec_vpc *vpc, struct str text, struct ec2_associate_vpc_cidr_block_output *out)
{
	struct cidr block, own;
	size_t capacity = vpc->cidr_block_association_set.n;
	TRY(ec2_cidr_given(c, text, "cidrBlock", &block));
	if (block.v6 || block.length < 16 || block.length > 28)
		return call_fail(c, EC2_ERR_INVALID_VPC_RANGE, "The CIDR '%.*s' is invalid.", STR_ARG(text));
	for (size_t i = 0; i < vpc->cidr_block_association_set.n; i++)
		if (is_ok(cidr_parse(vpc->cidr_block_association_set.v[i].cidr_block, &own)) &&
			cidr_overlaps(own, block))
			return call_fail(c, EC2_ERR_VPC_CIDR_CONFLICT,
				"The CIDR '%.*s' conflicts with another CIDR of the VPC.", STR_ARG(text));
	if (vpc->cidr_block_association_set.n >= BLOCKS_MAX)
		return call_fail(c, EC2_ERR_RESOURCE_COUNT_LIMIT_EXCEEDED,
			"This network '%.*s' has met its maximum number of allowed CIDRs: %d", STR_ARG(vpc->vpc_id),
			BLOCKS_MAX);
	struct ec2_rec_vpc_cidr a = {ec2_new_id(c->arena, "vpc-cidr-assoc-"), cidr_text(c->arena, block)};
	*VEC_PUSH(c->arena, &vpc->cidr_block_association_set, &capacity) = a;
	out->cidr_block_association = arena_new(c->arena, struct ec2_vpc_cidr_block_association);
	*out->cidr_block_association = (struct ec2_vpc_cidr_block_association){.association_id = a.association_id,
		.cidr_block = a.cidr_block,
		.cidr_block_state = state(c, "associating")};
	return OK;
}

static status associate6(struct call *c, struct ec2_rec_vpc *vpc, struct ec2_associate_vpc_cidr_block_output *out)
{
	size_t capacity = vpc->ipv6_cidr_block_association_set.n;
	if (capacity >= BLOCKS_MAX)
		return call_fail(c, EC2_ERR_RESOURCE_COUNT_LIMIT_EXCEEDED,
			"This network '%.*s' has met its maximum number of allowed CIDRs: %d", STR_ARG(vpc->vpc_id),
			BLOCKS_MAX);
	struct ec2_rec_vpc_cidr6 a = {.association_id = ec2_new_id(c->arena, "vpc-cidr-assoc-"),
		.ipv6_cidr_block = cidr_text(c->arena, ec2_vpc_cidr6_random()),
		.network_border_group = c->region,
		.ipv6_pool = STR("Amazon")};
	*VEC_PUSH(c->arena, &vpc->ipv6_cidr_block_association_set, &capacity) = a;
	TRY(ec2_acl_ipv6_added(c, vpc->vpc_id));
	out->ipv6_cidr_block_association = arena_new(c->arena, struct ec2_vpc_ipv6_cidr_block_association);
	*out->ipv6_cidr_block_association =
		(struct ec2_vpc_ipv6_cidr_block_association){.association_id = a.association_id,
			.ipv6_cidr_block_state = state(c, "associating"),
			.network_border_group = a.network_border_group,
			.ipv6_pool = a.ipv6_pool,
			.ipv6_cidr_block = a.ipv6_cidr_block};
	return OK;
}

status ec2_associate_vpc_cidr_block(struct call *c, const struct ec2_associate_vpc_cidr_block_input *in,
	struct ec2_associate_vpc_cidr_block_output *out)
{
	struct ec2_rec_vpc vpc;
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	if (str_has(in->ipv4_ipam_pool_id) || str_has(in->ipv6_ipam_pool_id) || str_has(in->ipv6_pool) ||
		str_has(in->ipv6_cidr_block))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Address pools of IPAM or of your own are not implemented.");
	if (str_has(in->cidr_block) == in->amazon_provided_ipv6_cidr_block.v)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain exactly one of the parameters cidrBlock and "
			"amazonProvidedIpv6CidrBlock");
	if (str_has(in->cidr_block))
		TRY(associate4(c, &vpc, in->cidr_block, out));
	else
		TRY(associate6(c, &vpc, out));
	ec2_put(ec2_here(c), &ec2_type_vpc, vpc.vpc_id, &vpc);
	out->vpc_id = vpc.vpc_id;
	return ec2_routes_local(c, &vpc);
}

/* Does a subnet use the block? */
static status check_unused(struct call *c, struct str vpc, struct str text)
{
	struct cidr block, own;
	bool used = false;
	if (!is_ok(cidr_parse(text, &block))) return STATUS(CORRUPT);
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
	while (ec2_next(&e)) {
		const struct ec2_rec_subnet *s = e.item.record;
		if (!str_eq(s->vpc_id, vpc)) continue;
		used = used || (is_ok(cidr_parse(s->cidr_block, &own)) && cidr_contains(block, own));
		for (size_t i = 0; i < s->ipv6_cidr_block_association_set.n; i++)
			used = used ||
			       (is_ok(cidr_parse(s->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block, &own)) &&
				       cidr_contains(block, own));
	}
	TRY(ec2_each_end(&e));
	if (!used) return OK;
	return call_fail(
		c, EC2_ERR_INVALID_CIDR_IN_USE, "The vpc CIDR block '%.*s' is in use by a subnet", STR_ARG(text));
}

static status drop4(
	struct call *c, struct ec2_rec_vpc *vpc, size_t i, struct ec2_disassociate_vpc_cidr_block_output *out)
{
	struct ec2_rec_vpc_cidr a = vpc->cidr_block_association_set.v[i];
	if (i == 0)
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"The vpc CIDR block with association ID %.*s may not be disassociated. It is the primary IPv4 "
			"CIDR block of "
			"the VPC",
			STR_ARG(a.association_id));
	TRY(check_unused(c, vpc->vpc_id, a.cidr_block));
	for (; i + 1 < vpc->cidr_block_association_set.n; i++)
		vpc->cidr_block_association_set.v[i] = vpc->cidr_block_association_set.v[i + 1];
	vpc->cidr_block_association_set.n--;
	out->cidr_block_association = arena_new(c->arena, struct ec2_vpc_cidr_block_association);
	*out->cidr_block_association = (struct ec2_vpc_cidr_block_association){.association_id = a.association_id,
		.cidr_block = a.cidr_block,
		.cidr_block_state = state(c, "disassociating")};
	return OK;
}

static status drop6(
	struct call *c, struct ec2_rec_vpc *vpc, size_t i, struct ec2_disassociate_vpc_cidr_block_output *out)
{
	struct ec2_rec_vpc_cidr6 a = vpc->ipv6_cidr_block_association_set.v[i];
	TRY(check_unused(c, vpc->vpc_id, a.ipv6_cidr_block));
	for (; i + 1 < vpc->ipv6_cidr_block_association_set.n; i++)
		vpc->ipv6_cidr_block_association_set.v[i] = vpc->ipv6_cidr_block_association_set.v[i + 1];
	vpc->ipv6_cidr_block_association_set.n--;
	out->ipv6_cidr_block_association = arena_new(c->arena, struct ec2_vpc_ipv6_cidr_block_association);
	*out->ipv6_cidr_block_association =
		(struct ec2_vpc_ipv6_cidr_block_association){.association_id = a.association_id,
			.ipv6_cidr_block = a.ipv6_cidr_block,
			.ipv6_cidr_block_state = state(c, "disassociating")};
	return OK;
}

status ec2_disassociate_vpc_cidr_block(struct call *c, const struct ec2_disassociate_vpc_cidr_block_input *in,
	struct ec2_disassociate_vpc_cidr_block_output *out)
{
	struct ec2_rec_vpc *vpc = NULL;
	bool v6 = false;
	size_t at = 0;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_vpc);
	while (!vpc && ec2_next(&e)) {
		struct ec2_rec_vpc *v = e.item.record;
		for (size_t i = 0; i < v->cidr_block_association_set.n; i++)
			if (str_eq(v->cidr_block_association_set.v[i].association_id, in->association_id)) {
				vpc = v;
				at = i;
			}
		for (size_t i = 0; i < v->ipv6_cidr_block_association_set.n; i++)
			if (str_eq(v->ipv6_cidr_block_association_set.v[i].association_id, in->association_id)) {
				vpc = v;
				at = i;
				v6 = true;
			}
	}
	TRY(ec2_each_end(&e));
	if (!vpc)
		return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND,
			"The vpc CIDR block association ID '%.*s' does not exist", STR_ARG(in->association_id));
	TRY(ec2_vpc_touch(ec2_here(c), vpc->vpc_id));
	TRY(v6 ? drop6(c, vpc, at, out) : drop4(c, vpc, at, out));
	ec2_put(ec2_here(c), &ec2_type_vpc, vpc->vpc_id, vpc);
	out->vpc_id = vpc->vpc_id;
	return ec2_routes_local(c, vpc);
}
