/* Default VPCs. "Default VPCs", the guide: 172.31.0.0/16, a /20 subnet in each zone that gives public addresses, an
 * internet gateway with a route, the default group, ACL and DHCP options. */
#include "services/ec2/network.h"

status ec2_default_vpc(struct ec2_place at, struct str *id)
{
	struct ec2_each e = ec2_each(at, &ec2_type_vpc);
	*id = STR_NONE;
	while (!str_has(*id) && ec2_next(&e)) {
		const struct ec2_rec_vpc *v = e.item.record;
		if (v->is_default.v) *id = v->vpc_id;
	}
	return ec2_each_end(&e);
}

/* The first /20 that no subnet of the VPC overlaps. */
static status free_block(struct call *c, const struct ec2_rec_vpc *vpc, struct cidr *out)
{
	struct cidr all, other;
	if (!is_ok(cidr_parse(vpc->cidr_block, &all))) return STATUS(CORRUPT);
	for (uint32_t i = 0; i < 16; i++) {
		bool taken = false;
		*out = cidr_of_v4(cidr_v4(all) + (i << 12), 20);
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
		while (ec2_next(&e)) {
			const struct ec2_rec_subnet *s = e.item.record;
			taken = taken || (str_eq(s->vpc_id, vpc->vpc_id) && is_ok(cidr_parse(s->cidr_block, &other)) &&
						 cidr_overlaps(other, *out));
		}
		TRY(ec2_each_end(&e));
		if (!taken) return OK;
	}
	return call_fail(c, EC2_ERR_INVALID_SUBNET_CONFLICT, "The default VPC has no room for another default subnet.");
}

static status make_subnet(struct call *c, const struct ec2_rec_vpc *vpc, struct str zone, struct ec2_rec_subnet *out)
{
	struct cidr block;
	TRY(free_block(c, vpc, &block));
	struct ec2_subnet_make m = {
		.vpc = vpc->vpc_id, .cidr = cidr_text(c->arena, block), .zone = zone, .default_for_az = true};
	return ec2_subnet_make(c, &m, out);
}

status ec2_default_vpc_make(struct call *c, struct ec2_rec_vpc *vpc)
{
	struct ec2_place at = ec2_here(c);
	struct ec2_vpc_make m = {.cidr = STR("172.31.0.0/16"), .is_default = true};
	struct ec2_rec_route_table table;
	struct ec2_zones zones;
	TRY(ec2_vpc_make(c, &m, vpc));
	struct ec2_rec_internet_gateway gateway = {
		.internet_gateway_id = ec2_new_id(c->arena, "igw-"), .vpc = vpc->vpc_id};
	ec2_put(at, &ec2_type_internet_gateway, gateway.internet_gateway_id, &gateway);
	TRY(ec2_route_table_main(at, vpc->vpc_id, &table));
	struct ec2_rec_route all = {.destination_cidr_block = STR("0.0.0.0/0"),
		.gateway_id = gateway.internet_gateway_id,
		.origin = STR("CreateRoute")};
	ec2_route_set(c->arena, &table, &all);
	ec2_put(at, &ec2_type_route_table, table.route_table_id, &table);
	TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
	for (size_t i = 0; i < zones.n; i++) {
		struct ec2_rec_subnet s;
		TRY(make_subnet(c, vpc, zones.v[i].name, &s));
	}
	return OK;
}

status ec2_create_default_vpc(
	struct call *c, const struct ec2_create_default_vpc_input *in, struct ec2_create_default_vpc_output *out)
{
	(void)in;
	struct ec2_rec_vpc vpc;
	struct str id;
	TRY(ec2_guard(ec2_here(c), STR("vpcs"), NULL));
	TRY(ec2_default_vpc(ec2_here(c), &id));
	if (str_has(id))
		return call_fail(c, EC2_ERR_DEFAULT_VPC_ALREADY_EXISTS,
			"A Default VPC already exists for this account in this region.");
	TRY(ec2_default_vpc_make(c, &vpc));
	out->vpc = arena_new(c->arena, struct ec2_vpc);
	return ec2_describe_one(c, &ec2_type_vpc, vpc.vpc_id, out->vpc);
}

status ec2_create_default_subnet(
	struct call *c, const struct ec2_create_default_subnet_input *in, struct ec2_create_default_subnet_output *out)
{
	struct ec2_rec_vpc vpc;
	struct ec2_rec_subnet s;
	struct ec2_zone zone;
	struct str id;
	bool there = false;
	if (in->ipv6_native.v) return call_fail(c, ERR_NOT_IMPLEMENTED, "Subnets with IPv6 alone are not implemented.");
	TRY(ec2_zone_find(c, in->availability_zone, in->availability_zone_id, &zone));
	if (!str_has(zone.name))
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter availabilityZone");
	TRY(ec2_default_vpc(ec2_here(c), &id));
	if (!str_has(id))
		return call_fail(c, EC2_ERR_DEFAULT_VPC_DOES_NOT_EXIST,
			"No default VPC exists for this account in this region.");
	TRY(ec2_vpc_take(c, id, &vpc));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
	while (ec2_next(&e)) {
		const struct ec2_rec_subnet *other = e.item.record;
		there = there || (other->default_for_az.v && str_eq(other->availability_zone, zone.name));
	}
	TRY(ec2_each_end(&e));
	if (there)
		return call_fail(c, EC2_ERR_DEFAULT_SUBNET_ALREADY_EXISTS_IN_AVAILABILITY_ZONE,
			"A default subnet already exists in the availability zone '%.*s'.", STR_ARG(zone.name));
	TRY(make_subnet(c, &vpc, zone.name, &s));
	out->subnet = arena_new(c->arena, struct ec2_subnet);
	return ec2_describe_one(c, &ec2_type_subnet, s.subnet_id, out->subnet);
}
