/* VPCs: CreateVpc, DeleteVpc, DescribeVpcs and their attributes. Secondary blocks are in vpc_cidr.c. */
#include "base/rand.h"
#include "services/ec2/block_public_access.h"
#include "services/ec2/intent.h"

enum { VPCS_MAX = 5 }; /* "Amazon VPC quotas", the guide */

static const char *const filters[] = {"cidr=CidrBlock",
	"cidr-block-association.cidr-block=CidrBlockAssociationSet.CidrBlock",
	"cidr-block-association.association-id=CidrBlockAssociationSet.AssociationId",
	"cidr-block-association.state=CidrBlockAssociationSet.CidrBlockState.State", "dhcp-options-id",
	"ipv6-cidr-block-association.ipv6-cidr-block=Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
	"ipv6-cidr-block-association.ipv6-pool=Ipv6CidrBlockAssociationSet.Ipv6Pool",
	"ipv6-cidr-block-association.association-id=Ipv6CidrBlockAssociationSet.AssociationId",
	"ipv6-cidr-block-association.state=Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State", "is-default",
	"isDefault=IsDefault", "owner-id", "state", "vpc-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_vpc *out = to;
	out->owner_id = item->at.account;
	struct ec2_bpa bpa;
	TRY(ec2_bpa_load(item->at, &bpa));
	out->block_public_access_states = arena_new(c->arena, struct ec2_block_public_access_states);
	out->block_public_access_states->internet_gateway_block_mode = ec2_bpa_state(&bpa, item->id, STR_NONE);
	out->state = STR("available");
	for (size_t i = 0; i < out->cidr_block_association_set.n; i++) {
		struct ec2_vpc_cidr_block_state *s = arena_new(c->arena, struct ec2_vpc_cidr_block_state);
		s->state = STR("associated");
		out->cidr_block_association_set.v[i].cidr_block_state = s;
	}
	for (size_t i = 0; i < out->ipv6_cidr_block_association_set.n; i++) {
		struct ec2_vpc_cidr_block_state *s = arena_new(c->arena, struct ec2_vpc_cidr_block_state);
		s->state = STR("associated");
		out->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block_state = s;
		out->ipv6_cidr_block_association_set.v[i].ip_source = STR("amazon");
		out->ipv6_cidr_block_association_set.v[i].ipv6_address_attribute = STR("public");
	}
	return OK;
}

const struct ec2_type ec2_type_vpc = {
	.name = "vpc",
	.prefix = "vpc-",
	.absent = "The vpc ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPC_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_VPC_ID_MALFORMED,
	.record = EC2_REC_VPC,
	.shape = EC2_SHAPE_VPC,
	.filters = filters,
	.render = render,
};

status ec2_vpc_touch(struct ec2_place at, struct str vpc_id)
{
	TRY(ec2_guard(at, vpc_id, NULL));
	ec2_intent_mark(at, vpc_id);
	return OK;
}

status ec2_vpc_take(struct call *c, struct str vpc_id, struct ec2_rec_vpc *vpc)
{
	TRY(ec2_find(c, &ec2_type_vpc, vpc_id, vpc));
	return ec2_vpc_touch(ec2_here(c), vpc_id);
}

status ec2_cidr_given(struct call *c, struct str text, const char *parameter, struct cidr *out)
{
	if (!is_ok(cidr_parse(text, out)))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter %s is invalid. This is not a valid CIDR block.", STR_ARG(text),
			parameter);
	*out = cidr_network(*out);
	return OK;
}

struct cidr ec2_vpc_cidr6_random(void)
{
	struct cidr c = {.v6 = true, .length = 56};
	rand_bytes(c.addr + 2, 5);
	c.addr[0] = 0x26;
	c.addr[1] = 0x00;
	c.addr[2] = 0x1f;
	return c;
}

bool ec2_vpc_holds(const struct ec2_rec_vpc *vpc, struct cidr block)
{
	struct cidr own;
	for (size_t i = 0; i < vpc->cidr_block_association_set.n; i++)
		if (is_ok(cidr_parse(vpc->cidr_block_association_set.v[i].cidr_block, &own)) &&
			cidr_contains(own, block))
			return true;
	for (size_t i = 0; i < vpc->ipv6_cidr_block_association_set.n; i++)
		if (is_ok(cidr_parse(vpc->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block, &own)) &&
			cidr_contains(own, block))
			return true;
	return false;
}

/* A region's default options, which its first VPC brings: kept as the guard's neighbour under a name of its own. */
static status dhcp_of_region(struct call *c, struct str *id)
{
	struct ec2_place at = ec2_here(c);
	struct key k = key_for(at.a, STR("ec2"), STR("region"), at.account, at.region);
	struct ec2_rec_region r = {0};
	struct ec2_rec_dhcp_options options;
	struct str bytes;
	status s = store_get(at.tx, key_done(&k), &bytes);
	if (is_ok(s)) s = ec2_rec_region_decode(at.a, bytes, &r);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (str_has(r.dhcp)) {
		s = ec2_load(at, &ec2_type_dhcp_options, r.dhcp, &options);
		if (!status_is(s, STATUS_NOT_FOUND)) {
			*id = r.dhcp;
			return s;
		}
	}
	TRY(ec2_dhcp_make_default(c, id));
	r.dhcp = *id;
	store_put(at.tx, key_done(&k), ec2_rec_region_encode(at.a, &r));
	return OK;
}

status ec2_vpc_make(struct call *c, const struct ec2_vpc_make *m, struct ec2_rec_vpc *vpc)
{
	struct arena *a = c->arena;
	struct ec2_place at = ec2_here(c);
	struct cidr block;
	size_t n;
	TRY(ec2_cidr_given(c, m->cidr, "cidrBlock", &block));
	if (block.v6 || block.length < 16 || block.length > 28)
		return call_fail(c, EC2_ERR_INVALID_VPC_RANGE, "The CIDR '%.*s' is invalid.", STR_ARG(m->cidr));
	if (str_has(m->tenancy) && !str_is(m->tenancy, "default") && !str_is(m->tenancy, "dedicated"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter instanceTenancy is invalid.", STR_ARG(m->tenancy));
	TRY(ec2_guard(at, STR("vpcs"), NULL));
	TRY(ec2_count(at, &ec2_type_vpc, &n));
	if (n >= VPCS_MAX)
		return call_fail(c, EC2_ERR_VPC_LIMIT_EXCEEDED, "The maximum number of VPCs has been reached.");
	*vpc = (struct ec2_rec_vpc){.vpc_id = ec2_new_id(a, "vpc-"),
		.cidr_block = cidr_text(a, block),
		.instance_tenancy = str_or(m->tenancy, STR("default")),
		.is_default = SOME_BOOL(m->is_default),
		.dns_support = SOME_BOOL(true),
		.dns_hostnames = SOME_BOOL(m->is_default),
		.address_metrics = SOME_BOOL(false),
		.dhcp_options_id = STR("default"),
		.created = SOME_TIME(c->now_ms)};
	vpc->cidr_block_association_set.v = arena_new(a, struct ec2_rec_vpc_cidr);
	vpc->cidr_block_association_set.n = 1;
	vpc->cidr_block_association_set.v[0] =
		(struct ec2_rec_vpc_cidr){ec2_new_id(a, "vpc-cidr-assoc-"), vpc->cidr_block};
	if (m->ipv6) {
		vpc->ipv6_cidr_block_association_set.v = arena_new(a, struct ec2_rec_vpc_cidr6);
		vpc->ipv6_cidr_block_association_set.n = 1;
		vpc->ipv6_cidr_block_association_set.v[0] =
			(struct ec2_rec_vpc_cidr6){.association_id = ec2_new_id(a, "vpc-cidr-assoc-"),
				.ipv6_cidr_block = cidr_text(a, ec2_vpc_cidr6_random()),
				.network_border_group = c->region,
				.ipv6_pool = STR("Amazon")};
	}
	struct str dhcp;
	TRY(dhcp_of_region(c, &dhcp));
	vpc->dhcp_options_id = dhcp;
	ec2_put(at, &ec2_type_vpc, vpc->vpc_id, vpc);
	TRY(ec2_vpc_touch(at, vpc->vpc_id));
	struct ec2_rec_network_acl acl;
	struct ec2_rec_route_table table;
	struct ec2_rec_security_group group;
	TRY(ec2_acl_make(c, vpc, true, &acl));
	TRY(ec2_route_table_make(c, vpc, true, &table));
	TRY(ec2_group_make(c, vpc->vpc_id, STR("default"), STR("default VPC security group"), &group));
	return m->tags ? ec2_tags_specified(c, m->tags, &ec2_type_vpc, vpc->vpc_id) : OK;
}

status ec2_create_vpc(struct call *c, const struct ec2_create_vpc_input *in, struct ec2_create_vpc_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_vpc};
	struct ec2_rec_vpc vpc;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_has(in->ipv4_ipam_pool_id) || str_has(in->ipv6_ipam_pool_id) || str_has(in->ipv6_pool))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Address pools of IPAM or of your own are not implemented.");
	if (!str_has(in->cidr_block))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter cidrBlock or ipv4IpamPoolId");
	struct ec2_vpc_make m = {.cidr = in->cidr_block,
		.tenancy = in->instance_tenancy,
		.ipv6 = in->amazon_provided_ipv6_cidr_block.v,
		.tags = &in->tag_specifications};
	TRY(ec2_vpc_make(c, &m, &vpc));
	out->vpc = arena_new(c->arena, struct ec2_vpc);
	return ec2_describe_one(c, &ec2_type_vpc, vpc.vpc_id, out->vpc);
}

status ec2_describe_vpcs(struct call *c, const struct ec2_describe_vpcs_input *in, struct ec2_describe_vpcs_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_vpc, in, vpc_ids, out, vpcs);
}

/* What stands in the way of a VPC's deletion. */
static status has_dependents(struct ec2_place at, struct str vpc, bool *has)
{
	struct ec2_each e = ec2_each(at, &ec2_type_subnet);
	*has = false;
	while (ec2_next(&e)) *has = *has || str_eq(((struct ec2_rec_subnet *)e.item.record)->vpc_id, vpc);
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_internet_gateway);
	while (ec2_next(&e)) *has = *has || str_eq(((struct ec2_rec_internet_gateway *)e.item.record)->vpc, vpc);
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_egress_only_gateway);
	while (ec2_next(&e)) *has = *has || str_eq(((struct ec2_rec_egress_only_gateway *)e.item.record)->vpc, vpc);
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_vpn_gateway);
	while (ec2_next(&e)) *has = *has || str_eq(((struct ec2_rec_vpn_gateway *)e.item.record)->vpc, vpc);
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_security_group);
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		*has = *has || (str_eq(g->vpc_id, vpc) && !str_is(g->group_name, "default"));
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_network_acl);
	while (ec2_next(&e)) {
		const struct ec2_rec_network_acl *a = e.item.record;
		*has = *has || (str_eq(a->vpc_id, vpc) && !a->is_default.v);
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_route_table);
	while (ec2_next(&e)) {
		const struct ec2_rec_route_table *t = e.item.record;
		bool is_main = false;
		for (size_t i = 0; i < t->associations.n; i++) is_main = is_main || t->associations.v[i].main.v;
		*has = *has || (str_eq(t->vpc_id, vpc) && !is_main);
	}
	return ec2_each_end(&e);
}

/* "Deleting a VPC deletes its default security group, network ACL and main route table" (DeleteVpc, the reference). */
static status drop_own(struct ec2_place at, struct str vpc)
{
	struct ec2_each e = ec2_each(at, &ec2_type_security_group);
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		if (str_eq(g->vpc_id, vpc)) ec2_group_drop(at, g);
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_network_acl);
	while (ec2_next(&e))
		if (str_eq(((struct ec2_rec_network_acl *)e.item.record)->vpc_id, vpc))
			ec2_drop(at, &ec2_type_network_acl, e.item.id);
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_route_table);
	while (ec2_next(&e))
		if (str_eq(((struct ec2_rec_route_table *)e.item.record)->vpc_id, vpc))
			ec2_drop(at, &ec2_type_route_table, e.item.id);
	return ec2_each_end(&e);
}

status ec2_delete_vpc(struct call *c, const struct ec2_delete_vpc_input *in, struct ec2_delete_vpc_output *out)
{
	struct ec2_rec_vpc vpc;
	bool has;
	(void)out;
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	TRY(has_dependents(ec2_here(c), vpc.vpc_id, &has));
	if (has)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The vpc '%.*s' has dependencies and cannot be deleted.", STR_ARG(vpc.vpc_id));
	TRY(ec2_peerings_of_gone(c, vpc.vpc_id));
	TRY(drop_own(ec2_here(c), vpc.vpc_id));
	ec2_drop(ec2_here(c), &ec2_type_vpc, vpc.vpc_id);
	TRY(ec2_bpa_forget(ec2_here(c), vpc.vpc_id));
	return OK;
}

static struct ec2_attribute_boolean_value *boolean(struct call *c, bool value)
{
	struct ec2_attribute_boolean_value *v = arena_new(c->arena, struct ec2_attribute_boolean_value);
	v->value = SOME_BOOL(value);
	return v;
}

status ec2_describe_vpc_attribute(struct call *c, const struct ec2_describe_vpc_attribute_input *in,
	struct ec2_describe_vpc_attribute_output *out)
{
	struct ec2_rec_vpc vpc;
	TRY(ec2_find(c, &ec2_type_vpc, in->vpc_id, &vpc));
	out->vpc_id = vpc.vpc_id;
	if (str_is(in->attribute, "enableDnsSupport"))
		out->enable_dns_support = boolean(c, vpc.dns_support.v);
	else if (str_is(in->attribute, "enableDnsHostnames"))
		out->enable_dns_hostnames = boolean(c, vpc.dns_hostnames.v);
	else if (str_is(in->attribute, "enableNetworkAddressUsageMetrics"))
		out->enable_network_address_usage_metrics = boolean(c, vpc.address_metrics.v);
	else
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%.*s) for parameter attribute is invalid.",
			STR_ARG(in->attribute));
	return OK;
}

status ec2_modify_vpc_attribute(
	struct call *c, const struct ec2_modify_vpc_attribute_input *in, struct ec2_modify_vpc_attribute_output *out)
{
	(void)out;
	struct ec2_rec_vpc vpc;
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	int n = !!in->enable_dns_support + !!in->enable_dns_hostnames + !!in->enable_network_address_usage_metrics;
	if (n != 1)
		return call_fail(c, n ? EC2_ERR_INVALID_PARAMETER_COMBINATION : EC2_ERR_MISSING_PARAMETER, "%s",
			n ? "Fields for multiple attribute types specified"
			  : "The request must contain an attribute to modify");
	if (in->enable_dns_support) vpc.dns_support = SOME_BOOL(in->enable_dns_support->value.v);
	if (in->enable_dns_hostnames) vpc.dns_hostnames = SOME_BOOL(in->enable_dns_hostnames->value.v);
	if (in->enable_network_address_usage_metrics)
		vpc.address_metrics = SOME_BOOL(in->enable_network_address_usage_metrics->value.v);
	ec2_put(ec2_here(c), &ec2_type_vpc, vpc.vpc_id, &vpc);
	return OK;
}

/* "You can change the instance tenancy attribute of a VPC to default only" (ModifyVpcTenancy, the reference). */
status ec2_modify_vpc_tenancy(
	struct call *c, const struct ec2_modify_vpc_tenancy_input *in, struct ec2_modify_vpc_tenancy_output *out)
{
	struct ec2_rec_vpc vpc;
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	if (!str_is(in->instance_tenancy, "default"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "The tenancy value %.*s is not supported.",
			STR_ARG(in->instance_tenancy));
	vpc.instance_tenancy = in->instance_tenancy;
	ec2_put(ec2_here(c), &ec2_type_vpc, vpc.vpc_id, &vpc);
	out->return_value = SOME_BOOL(true);
	return OK;
}
