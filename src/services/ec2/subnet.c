/* Subnets. "Subnet CIDR blocks", the guide: /16 to /28, five addresses are AWS's, none may overlap. */
#include "services/ec2/block_public_access.h"
#include "services/ec2/network.h"
#include "services/ec2/subnet_reservation.h"

enum { SUBNETS_MAX = 200 }; /* per VPC: "Amazon VPC quotas", the guide */

static const char *const filters[] = {"availability-zone", "availabilityZone=AvailabilityZone", "availability-zone-id",
	"availabilityZoneId=AvailabilityZoneId", "available-ip-address-count", "cidr-block", "cidr=CidrBlock",
	"cidrBlock=CidrBlock", "default-for-az", "defaultForAz=DefaultForAz", "enable-dns64",
	"ipv6-cidr-block-association.ipv6-cidr-block=Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
	"ipv6-cidr-block-association.association-id=Ipv6CidrBlockAssociationSet.AssociationId",
	"ipv6-cidr-block-association.state=Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State", "ipv6-native",
	"map-public-ip-on-launch", "owner-id", "private-dns-name-options-on-launch.hostname-type", "state",
	"subnet-arn", "subnet-id", "vpc-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_subnet *out = to;
	struct cidr block;
	uint32_t taken;
	out->owner_id = item->at.account;
	out->state = STR("available");
	out->subnet_arn = ec2_arn(c, item->at.account, item->at.region, "subnet", item->id);
	out->map_customer_owned_ip_on_launch = SOME_BOOL(false);
	out->available_ip_address_count = SOME_I32(0);
	if (is_ok(cidr_parse(out->cidr_block, &block))) {
		TRY(ec2_ip_count(item->at, item->id, &taken));
		out->available_ip_address_count = SOME_I32((int32_t)((1u << (32 - block.length)) - 5 - taken));
	}
	struct ec2_bpa bpa;
	TRY(ec2_bpa_load(item->at, &bpa));
	out->block_public_access_states = arena_new(c->arena, struct ec2_block_public_access_states);
	out->block_public_access_states->internet_gateway_block_mode = ec2_bpa_state(&bpa, out->vpc_id, item->id);
	VEC_PRESENT(c->arena, &out->ipv6_cidr_block_association_set);
	for (size_t i = 0; i < out->ipv6_cidr_block_association_set.n; i++) {
		struct ec2_subnet_cidr_block_state *s = arena_new(c->arena, struct ec2_subnet_cidr_block_state);
		s->state = STR("associated");
		out->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block_state = s;
	}
	return OK;
}

const struct ec2_type ec2_type_subnet = {
	.name = "subnet",
	.prefix = "subnet-",
	.absent = "The subnet ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_SUBNET_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_SUBNET_ID_MALFORMED,
	.record = EC2_REC_SUBNET,
	.shape = EC2_SHAPE_SUBNET,
	.filters = filters,
	.render = render,
};

/* Overlaps with the VPC's other subnets, and how many these are. */
static status check_overlap(struct call *c, struct str vpc, struct cidr block, bool v6, size_t *n)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
	bool conflict = false;
	*n = 0;
	while (ec2_next(&e)) {
		const struct ec2_rec_subnet *s = e.item.record;
		struct cidr other;
		if (!str_eq(s->vpc_id, vpc)) continue;
		++*n;
		if (!v6)
			conflict =
				conflict || (is_ok(cidr_parse(s->cidr_block, &other)) && cidr_overlaps(other, block));
		for (size_t i = 0; v6 && i < s->ipv6_cidr_block_association_set.n; i++) {
			struct str text = s->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block;
			conflict = conflict || (is_ok(cidr_parse(text, &other)) && cidr_overlaps(other, block));
		}
	}
	TRY(ec2_each_end(&e));
	if (conflict)
		return call_fail(c, EC2_ERR_INVALID_SUBNET_CONFLICT, "The CIDR '%.*s' conflicts with another subnet",
			STR_ARG(cidr_text(c->arena, block)));
	return OK;
}

static status check_ipv6(struct call *c, const struct ec2_rec_vpc *vpc, struct str text, struct cidr *block)
{
	size_t n;
	TRY(ec2_cidr_given(c, text, "ipv6CidrBlock", block));
	if (!block->v6 || block->length < 44 || block->length > 64 || block->length % 4)
		return call_fail(c, EC2_ERR_INVALID_SUBNET_RANGE, "The CIDR '%.*s' is invalid.", STR_ARG(text));
	if (!ec2_vpc_holds(vpc, *block))
		return call_fail(c, EC2_ERR_INVALID_SUBNET_RANGE, "The CIDR '%.*s' is invalid.", STR_ARG(text));
	return check_overlap(c, vpc->vpc_id, *block, true, &n);
}

static status add_ipv6(struct call *c, const struct ec2_rec_vpc *vpc, struct ec2_rec_subnet *s, struct str text)
{
	struct cidr block;
	if (s->ipv6_cidr_block_association_set.n)
		return call_fail(c, EC2_ERR_RESOURCE_COUNT_LIMIT_EXCEEDED,
			"The subnet '%.*s' already has an IPv6 CIDR block", STR_ARG(s->subnet_id));
	TRY(check_ipv6(c, vpc, text, &block));
	size_t capacity = 0;
	*VEC_PUSH(c->arena, &s->ipv6_cidr_block_association_set, &capacity) =
		(struct ec2_rec_vpc_cidr6){.association_id = ec2_new_id(c->arena, "subnet-cidr-assoc-"),
			.ipv6_cidr_block = cidr_text(c->arena, block)};
	return OK;
}

status ec2_subnet_make(struct call *c, const struct ec2_subnet_make *m, struct ec2_rec_subnet *out)
{
	struct ec2_place at = ec2_here(c);
	struct ec2_rec_vpc vpc;
	struct ec2_zone zone;
	struct cidr block;
	size_t n;
	TRY(ec2_vpc_take(c, m->vpc, &vpc));
	TRY(ec2_zone_find(c, m->zone, m->zone_id, &zone));
	if (!str_has(zone.name)) {
		struct ec2_zones zones;
		TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
		zone = zones.v[0];
	}
	TRY(ec2_cidr_given(c, m->cidr, "cidrBlock", &block));
	if (block.v6 || block.length < 16 || block.length > 28 || !ec2_vpc_holds(&vpc, block))
		return call_fail(c, EC2_ERR_INVALID_SUBNET_RANGE, "The CIDR '%.*s' is invalid.", STR_ARG(m->cidr));
	TRY(check_overlap(c, vpc.vpc_id, block, false, &n));
	if (n >= SUBNETS_MAX)
		return call_fail(c, EC2_ERR_SUBNET_LIMIT_EXCEEDED, "The maximum number of subnets has been reached.");
	*out = (struct ec2_rec_subnet){.subnet_id = ec2_new_id(c->arena, "subnet-"),
		.vpc_id = vpc.vpc_id,
		.cidr_block = cidr_text(c->arena, block),
		.availability_zone = zone.name,
		.availability_zone_id = zone.id,
		.default_for_az = SOME_BOOL(m->default_for_az),
		.map_public_ip_on_launch = SOME_BOOL(m->default_for_az),
		.assign_ipv6_address_on_creation = SOME_BOOL(false),
		.enable_dns64 = SOME_BOOL(false),
		.ipv6_native = SOME_BOOL(false)};
	out->private_dns_name_options_on_launch = arena_new(c->arena, struct ec2_rec_subnet_names);
	*out->private_dns_name_options_on_launch =
		(struct ec2_rec_subnet_names){STR("ip-name"), SOME_BOOL(false), SOME_BOOL(false)};
	if (str_has(m->ipv6_cidr)) TRY(add_ipv6(c, &vpc, out, m->ipv6_cidr));
	ec2_put(at, &ec2_type_subnet, out->subnet_id, out);
	TRY(ec2_acl_subnet_added(c, vpc.vpc_id, out->subnet_id));
	return m->tags ? ec2_tags_specified(c, m->tags, &ec2_type_subnet, out->subnet_id) : OK;
}

status ec2_create_subnet(struct call *c, const struct ec2_create_subnet_input *in, struct ec2_create_subnet_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_subnet};
	struct ec2_rec_subnet s;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_has(in->ipv4_ipam_pool_id) || str_has(in->ipv6_ipam_pool_id) || str_has(in->outpost_arn))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Address pools of IPAM and Outposts are not implemented.");
	if (in->ipv6_native.v) return call_fail(c, ERR_NOT_IMPLEMENTED, "Subnets with IPv6 alone are not implemented.");
	if (!str_has(in->cidr_block))
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "Either 'cidrBlock' or 'ipv6CidrBlock' should be provided.");
	struct ec2_subnet_make m = {.vpc = in->vpc_id,
		.cidr = in->cidr_block,
		.ipv6_cidr = in->ipv6_cidr_block,
		.zone = in->availability_zone,
		.zone_id = in->availability_zone_id,
		.tags = &in->tag_specifications};
	TRY(ec2_subnet_make(c, &m, &s));
	out->subnet = arena_new(c->arena, struct ec2_subnet);
	return ec2_describe_one(c, &ec2_type_subnet, s.subnet_id, out->subnet);
}

status ec2_describe_subnets(
	struct call *c, const struct ec2_describe_subnets_input *in, struct ec2_describe_subnets_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_subnet, in, subnet_ids, out, subnets);
}

static bool in_subnet(const struct ec2_rec_eni *e, struct str subnet)
{
	return str_eq(e->subnet_id, subnet);
}

status ec2_delete_subnet(struct call *c, const struct ec2_delete_subnet_input *in, struct ec2_delete_subnet_output *out)
{
	(void)out;
	struct ec2_rec_subnet s;
	bool used;
	TRY(ec2_find(c, &ec2_type_subnet, in->subnet_id, &s));
	TRY(ec2_vpc_touch(ec2_here(c), s.vpc_id));
	TRY(ec2_eni_any(ec2_here(c), in_subnet, s.subnet_id, &used));
	if (used)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The subnet '%.*s' has dependencies and cannot be deleted.", STR_ARG(s.subnet_id));
	TRY(ec2_acl_subnet_gone(c, s.subnet_id));
	TRY(ec2_route_table_subnet_gone(c, s.subnet_id));
	TRY(ec2_reserved_drop(ec2_here(c), s.subnet_id));
	TRY(ec2_bpa_forget(ec2_here(c), s.subnet_id));
	ec2_drop(ec2_here(c), &ec2_type_subnet, s.subnet_id);
	return OK;
}

status ec2_modify_subnet_attribute(struct call *c, const struct ec2_modify_subnet_attribute_input *in,
	struct ec2_modify_subnet_attribute_output *out)
{
	(void)out;
	struct ec2_rec_subnet s;
	TRY(ec2_find(c, &ec2_type_subnet, in->subnet_id, &s));
	int given = !!in->assign_ipv6_address_on_creation + !!in->map_public_ip_on_launch + !!in->enable_dns64 +
		    !!str_has(in->private_dns_hostname_type_on_launch) +
		    !!in->enable_resource_name_dns_a_record_on_launch +
		    !!in->enable_resource_name_dns_aaaa_record_on_launch;
	if (in->map_customer_owned_ip_on_launch || str_has(in->customer_owned_ipv4_pool) ||
		in->enable_lni_at_device_index.has || in->disable_lni_at_device_index)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Attributes of Outposts' subnets are not implemented.");
	if (given != 1)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION, "%s",
			given ? "Only one attribute can be modified at a time" : "No attributes specified.");
	if (in->assign_ipv6_address_on_creation) {
		if (in->assign_ipv6_address_on_creation->value.v && !s.ipv6_cidr_block_association_set.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Invalid value for parameter 'assignIpv6AddressOnCreation'. The subnet '%.*s' does not "
				"have an "
				"IPv6 CIDR block.",
				STR_ARG(s.subnet_id));
		s.assign_ipv6_address_on_creation = SOME_BOOL(in->assign_ipv6_address_on_creation->value.v);
	}
	if (in->map_public_ip_on_launch) s.map_public_ip_on_launch = SOME_BOOL(in->map_public_ip_on_launch->value.v);
	if (in->enable_dns64) s.enable_dns64 = SOME_BOOL(in->enable_dns64->value.v);
	struct ec2_rec_subnet_names *names = s.private_dns_name_options_on_launch;
	if (str_has(in->private_dns_hostname_type_on_launch))
		names->hostname_type = in->private_dns_hostname_type_on_launch;
	if (in->enable_resource_name_dns_a_record_on_launch)
		names->enable_resource_name_dns_a_record =
			SOME_BOOL(in->enable_resource_name_dns_a_record_on_launch->value.v);
	if (in->enable_resource_name_dns_aaaa_record_on_launch)
		names->enable_resource_name_dns_aaaa_record =
			SOME_BOOL(in->enable_resource_name_dns_aaaa_record_on_launch->value.v);
	ec2_put(ec2_here(c), &ec2_type_subnet, s.subnet_id, &s);
	return OK;
}

static void show_ipv6(struct call *c, const struct ec2_rec_vpc_cidr6 *from, const char *state,
	struct ec2_subnet_ipv6_cidr_block_association **out)
{
	*out = arena_new(c->arena, struct ec2_subnet_ipv6_cidr_block_association);
	(*out)->association_id = from->association_id;
	(*out)->ipv6_cidr_block = from->ipv6_cidr_block;
	(*out)->ipv6_cidr_block_state = arena_new(c->arena, struct ec2_subnet_cidr_block_state);
	(*out)->ipv6_cidr_block_state->state = str_c(state);
}

status ec2_associate_subnet_cidr_block(struct call *c, const struct ec2_associate_subnet_cidr_block_input *in,
	struct ec2_associate_subnet_cidr_block_output *out)
{
	struct ec2_rec_subnet s;
	struct ec2_rec_vpc vpc;
	TRY(ec2_find(c, &ec2_type_subnet, in->subnet_id, &s));
	TRY(ec2_vpc_take(c, s.vpc_id, &vpc));
	if (!str_has(in->ipv6_cidr_block))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter ipv6CidrBlock");
	TRY(add_ipv6(c, &vpc, &s, in->ipv6_cidr_block));
	ec2_put(ec2_here(c), &ec2_type_subnet, s.subnet_id, &s);
	out->subnet_id = s.subnet_id;
	show_ipv6(c, &s.ipv6_cidr_block_association_set.v[0], "associating", &out->ipv6_cidr_block_association);
	return OK;
}

static bool has_ipv6_in(const struct ec2_rec_eni *e, struct str subnet)
{
	return e->ipv6_addresses.n && str_eq(e->subnet_id, subnet);
}

status ec2_disassociate_subnet_cidr_block(struct call *c, const struct ec2_disassociate_subnet_cidr_block_input *in,
	struct ec2_disassociate_subnet_cidr_block_output *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
	struct ec2_rec_subnet *found = NULL;
	while (!found && ec2_next(&e)) {
		struct ec2_rec_subnet *s = e.item.record;
		if (s->ipv6_cidr_block_association_set.n &&
			str_eq(s->ipv6_cidr_block_association_set.v[0].association_id, in->association_id))
			found = s;
	}
	TRY(ec2_each_end(&e));
	if (!found)
		return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND,
			"The subnet CIDR block association ID '%.*s' does not exist", STR_ARG(in->association_id));
	bool used;
	TRY(ec2_vpc_touch(ec2_here(c), found->vpc_id));
	TRY(ec2_eni_any(ec2_here(c), has_ipv6_in, found->subnet_id, &used));
	if (used)
		return call_fail(c, EC2_ERR_INVALID_CIDR_IN_USE, "The subnet CIDR block '%.*s' is in use",
			STR_ARG(found->ipv6_cidr_block_association_set.v[0].ipv6_cidr_block));
	show_ipv6(c, &found->ipv6_cidr_block_association_set.v[0], "disassociating", &out->ipv6_cidr_block_association);
	out->subnet_id = found->subnet_id;
	found->ipv6_cidr_block_association_set.n = 0;
	found->assign_ipv6_address_on_creation = SOME_BOOL(false);
	ec2_put(ec2_here(c), &ec2_type_subnet, found->subnet_id, found);
	return OK;
}
