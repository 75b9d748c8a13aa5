/* Route tables and what they are associated with. Their routes are in route.c. */
#include "services/ec2/gateways.h"

enum { TABLES_MAX = 200 }; /* per VPC: "Amazon VPC quotas", the guide */

static const char *const filters[] = {"association.gateway-id=Associations.GatewayId",
	"association.route-table-association-id=Associations.RouteTableAssociationId",
	"association.route-table-id=Associations.RouteTableId", "association.subnet-id=Associations.SubnetId",
	"association.main=Associations.Main", "owner-id", "route-table-id",
	"route.destination-cidr-block=Routes.DestinationCidrBlock",
	"route.destination-ipv6-cidr-block=Routes.DestinationIpv6CidrBlock",
	"route.destination-prefix-list-id=Routes.DestinationPrefixListId",
	"route.egress-only-internet-gateway-id=Routes.EgressOnlyInternetGatewayId", "route.gateway-id=Routes.GatewayId",
	"route.instance-id=Routes.InstanceId", "route.nat-gateway-id=Routes.NatGatewayId",
	"route.transit-gateway-id=Routes.TransitGatewayId", "route.origin=Routes.Origin", "route.state=Routes.State",
	"route.vpc-peering-connection-id=Routes.VpcPeeringConnectionId", "vpc-id", NULL};

struct str ec2_route_target(const struct ec2_rec_route *r)
{
	struct str t = str_or(r->gateway_id, str_or(r->nat_gateway_id, r->network_interface_id));
	t = str_or(t, str_or(r->vpc_peering_connection_id, r->transit_gateway_id));
	return str_or(t, r->egress_only_internet_gateway_id);
}

/* "Blackhole: the target isn't available" (Route, the reference). */
static status is_blackhole(const struct ec2_item *item, const struct ec2_rec_route *r, bool *is)
{
	struct str target = ec2_route_target(r);
	const struct ec2_type *t = ec2_type_of(target);
	*is = false;
	if (str_is(target, "local") || !t) return OK;
	void *record = arena_alloc(item->at.a, ec2_state_tables.shapes[t->record].size);
	status s = ec2_load(item->at, t, target, record);
	*is = status_is(s, STATUS_NOT_FOUND);
	if (*is) return OK;
	TRY(s);
	const struct ec2_rec_route_table *table = item->record;
	if (t == &ec2_type_internet_gateway)
		*is = !str_eq(((struct ec2_rec_internet_gateway *)record)->vpc, table->vpc_id);
	else if (t == &ec2_type_nat_gateway)
		*is = str_starts(((struct ec2_rec_nat_gateway *)record)->state, STR("delet")) ||
		      str_is(((struct ec2_rec_nat_gateway *)record)->state, "failed");
	else if (t == &ec2_type_eni)
		*is = !((struct ec2_rec_eni *)record)->attachment;
	else if (t == &ec2_type_peering)
		*is = !str_is(((struct ec2_rec_peering *)record)->code, "active");
	else if (t == &ec2_type_transit_gateway)
		*is = !str_is(((struct ec2_rec_transit_gateway *)record)->state, "available");
	return OK;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_route_table *t = item->record;
	struct ec2_route_table *out = to;
	size_t capacity = 0;
	out->owner_id = item->at.account;
	VEC_PRESENT(c->arena, &out->associations);
	VEC_PRESENT(c->arena, &out->propagating_vgws);
	for (size_t i = 0; i < t->propagating.n; i++)
		VEC_PUSH(c->arena, &out->propagating_vgws, &capacity)->gateway_id = t->propagating.v[i];
	for (size_t i = 0; i < out->associations.n; i++) {
		struct ec2_route_table_association *a = &out->associations.v[i];
		a->route_table_id = item->id;
		a->association_state = arena_new(c->arena, struct ec2_route_table_association_state);
		a->association_state->state = STR("associated");
		if (!a->main.has) a->main = SOME_BOOL(false);
	}
	for (size_t i = 0; i < out->routes.n; i++) {
		bool blackhole;
		TRY(is_blackhole(item, &t->routes.v[i], &blackhole));
		out->routes.v[i].state = blackhole ? STR("blackhole") : STR("active");
		if (!str_has(t->routes.v[i].network_interface_id)) continue;
		struct ec2_rec_eni e;
		status s = ec2_load(item->at, &ec2_type_eni, t->routes.v[i].network_interface_id, &e);
		if (is_ok(s) && e.attachment && str_has(e.attachment->instance_id)) {
			out->routes.v[i].instance_id = e.attachment->instance_id;
			out->routes.v[i].instance_owner_id = item->at.account;
		}
	}
	return OK;
}

const struct ec2_type ec2_type_route_table = {
	.name = "route-table",
	.prefix = "rtb-",
	.absent = "The routeTable ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_ROUTE_TABLE_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_ROUTE_TABLE_ID_MALFORMED,
	.record = EC2_REC_ROUTE_TABLE,
	.shape = EC2_SHAPE_ROUTE_TABLE,
	.filters = filters,
	.render = render,
};

static void save(struct call *c, const struct ec2_rec_route_table *t)
{
	ec2_put(ec2_here(c), &ec2_type_route_table, t->route_table_id, t);
}

static void associate(struct call *c, struct ec2_rec_route_table *t, struct ec2_rec_route_association a, struct str *id)
{
	size_t capacity = t->associations.n;
	a.route_table_association_id = ec2_new_id(c->arena, "rtbassoc-");
	if (id) *id = a.route_table_association_id;
	*VEC_PUSH(c->arena, &t->associations, &capacity) = a;
	save(c, t);
}

static void set_local(struct arena *a, struct ec2_rec_route_table *t, const struct ec2_rec_vpc *vpc)
{
	for (size_t i = 0; i < vpc->cidr_block_association_set.n; i++) {
		struct ec2_rec_route r = {.destination_cidr_block = vpc->cidr_block_association_set.v[i].cidr_block,
			.gateway_id = STR("local"),
			.origin = STR("CreateRouteTable")};
		ec2_route_set(a, t, &r);
	}
	for (size_t i = 0; i < vpc->ipv6_cidr_block_association_set.n; i++) {
		struct ec2_rec_route r = {
			.destination_ipv6_cidr_block = vpc->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block,
			.gateway_id = STR("local"),
			.origin = STR("CreateRouteTable")};
		ec2_route_set(a, t, &r);
	}
}

static bool is_vpcs(const struct ec2_rec_vpc *vpc, const struct ec2_rec_route *r)
{
	for (size_t i = 0; i < vpc->cidr_block_association_set.n; i++)
		if (str_eq(vpc->cidr_block_association_set.v[i].cidr_block, r->destination_cidr_block)) return true;
	for (size_t i = 0; i < vpc->ipv6_cidr_block_association_set.n; i++)
		if (str_eq(vpc->ipv6_cidr_block_association_set.v[i].ipv6_cidr_block, r->destination_ipv6_cidr_block))
			return true;
	return false;
}

status ec2_routes_local(struct call *c, const struct ec2_rec_vpc *vpc)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_route_table);
	while (ec2_next(&e)) {
		struct ec2_rec_route_table *t = e.item.record;
		size_t kept = 0;
		if (!str_eq(t->vpc_id, vpc->vpc_id)) continue;
		for (size_t i = 0; i < t->routes.n; i++)
			if (!str_is(t->routes.v[i].gateway_id, "local") || is_vpcs(vpc, &t->routes.v[i]))
				t->routes.v[kept++] = t->routes.v[i];
		t->routes.n = kept;
		set_local(c->arena, t, vpc);
		save(c, t);
	}
	return ec2_each_end(&e);
}

status ec2_route_table_make(struct call *c, const struct ec2_rec_vpc *vpc, bool main_, struct ec2_rec_route_table *out)
{
	*out = (struct ec2_rec_route_table){.route_table_id = ec2_new_id(c->arena, "rtb-"), .vpc_id = vpc->vpc_id};
	set_local(c->arena, out, vpc);
	if (main_) associate(c, out, (struct ec2_rec_route_association){.main = SOME_BOOL(true)}, NULL);
	save(c, out);
	return OK;
}

static bool has_association(const struct ec2_rec_route_table *t, struct str with)
{
	for (size_t i = 0; i < t->associations.n; i++) {
		const struct ec2_rec_route_association *a = &t->associations.v[i];
		if (str_eq(a->route_table_association_id, with) ||
			(str_has(a->subnet_id) && str_eq(a->subnet_id, with)) ||
			(str_has(a->gateway_id) && str_eq(a->gateway_id, with)))
			return true;
	}
	return false;
}

static bool is_main_of(const struct ec2_rec_route_table *t, struct str vpc)
{
	bool is = false;
	for (size_t i = 0; i < t->associations.n; i++) is = is || t->associations.v[i].main.v;
	return is && str_eq(t->vpc_id, vpc);
}

static status find_table(struct ec2_place at, bool (*pick)(const struct ec2_rec_route_table *t, struct str with),
	struct str with, struct ec2_rec_route_table *out)
{
	struct ec2_each e = ec2_each(at, &ec2_type_route_table);
	bool found = false;
	while (!found && ec2_next(&e)) {
		if (!pick(e.item.record, with)) continue;
		*out = *(struct ec2_rec_route_table *)e.item.record;
		found = true;
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

status ec2_route_table_main(struct ec2_place at, struct str vpc, struct ec2_rec_route_table *out)
{
	return find_table(at, is_main_of, vpc, out);
}

status ec2_route_table_of(struct ec2_place at, struct str vpc, struct str subnet, struct ec2_rec_route_table *out)
{
	status s = find_table(at, has_association, subnet, out);
	return status_is(s, STATUS_NOT_FOUND) ? ec2_route_table_main(at, vpc, out) : s;
}

static void dissociate(struct call *c, struct ec2_rec_route_table *t, struct str with)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->associations.n; i++) {
		const struct ec2_rec_route_association *a = &t->associations.v[i];
		if (!str_eq(a->route_table_association_id, with) &&
			!(str_has(a->subnet_id) && str_eq(a->subnet_id, with)))
			t->associations.v[kept++] = *a;
	}
	t->associations.n = kept;
	save(c, t);
}

status ec2_route_table_subnet_gone(struct call *c, struct str subnet)
{
	struct ec2_rec_route_table t;
	status s = find_table(ec2_here(c), has_association, subnet, &t);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	dissociate(c, &t, subnet);
	return OK;
}

static status take_table(struct call *c, struct str id, struct ec2_rec_route_table *t)
{
	TRY(ec2_find(c, &ec2_type_route_table, id, t));
	return ec2_vpc_touch(ec2_here(c), t->vpc_id);
}

status ec2_create_route_table(
	struct call *c, const struct ec2_create_route_table_input *in, struct ec2_create_route_table_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_route_table};
	struct ec2_rec_vpc vpc;
	struct ec2_rec_route_table t;
	size_t n = 0;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_route_table);
	while (ec2_next(&e)) n += str_eq(((struct ec2_rec_route_table *)e.item.record)->vpc_id, vpc.vpc_id);
	TRY(ec2_each_end(&e));
	if (n >= TABLES_MAX)
		return call_fail(
			c, EC2_ERR_ROUTE_TABLE_LIMIT_EXCEEDED, "The maximum number of route tables has been reached.");
	TRY(ec2_route_table_make(c, &vpc, false, &t));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_route_table, t.route_table_id));
	out->client_token = in->client_token;
	out->route_table = arena_new(c->arena, struct ec2_route_table);
	return ec2_describe_one(c, &ec2_type_route_table, t.route_table_id, out->route_table);
}

status ec2_describe_route_tables(
	struct call *c, const struct ec2_describe_route_tables_input *in, struct ec2_describe_route_tables_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_route_table, in, route_table_ids, out, route_tables);
}

status ec2_delete_route_table(
	struct call *c, const struct ec2_delete_route_table_input *in, struct ec2_delete_route_table_output *out)
{
	(void)out;
	struct ec2_rec_route_table t;
	TRY(take_table(c, in->route_table_id, &t));
	if (t.associations.n)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The routeTable '%.*s' has dependencies and cannot be deleted.", STR_ARG(t.route_table_id));
	ec2_drop(ec2_here(c), &ec2_type_route_table, t.route_table_id);
	return OK;
}

status ec2_associate_route_table(
	struct call *c, const struct ec2_associate_route_table_input *in, struct ec2_associate_route_table_output *out)
{
	struct ec2_rec_route_table t, other;
	struct ec2_rec_subnet subnet;
	struct ec2_rec_internet_gateway gateway;
	struct ec2_rec_route_association a = {
		.main = SOME_BOOL(false), .subnet_id = in->subnet_id, .gateway_id = in->gateway_id};
	struct str with = str_or(in->subnet_id, in->gateway_id), vpc;
	TRY(take_table(c, in->route_table_id, &t));
	if (str_has(in->subnet_id) == str_has(in->gateway_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The request must contain exactly one of the parameters subnetId and gatewayId");
	if (str_has(in->subnet_id)) {
		TRY(ec2_find(c, &ec2_type_subnet, in->subnet_id, &subnet));
		vpc = subnet.vpc_id;
	} else if (str_starts(in->gateway_id, STR("igw-"))) {
		TRY(ec2_find(c, &ec2_type_internet_gateway, in->gateway_id, &gateway));
		vpc = gateway.vpc;
	} else {
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Edge associations of virtual private gateways are not implemented.");
	}
	if (!str_eq(vpc, t.vpc_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"route table %.*s and %s %.*s belong to different networks", STR_ARG(t.route_table_id),
			str_has(in->subnet_id) ? "subnet" : "gateway", STR_ARG(with));
	status s = find_table(ec2_here(c), has_association, with, &other);
	if (is_ok(s) && str_eq(other.route_table_id, t.route_table_id)) {
		for (size_t i = 0; i < t.associations.n; i++)
			if (str_eq(t.associations.v[i].subnet_id, with) || str_eq(t.associations.v[i].gateway_id, with))
				out->association_id = t.associations.v[i].route_table_association_id;
	} else if (is_ok(s)) {
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED,
			"the specified association for route table %.*s conflicts with an existing association",
			STR_ARG(t.route_table_id));
	} else if (status_is(s, STATUS_NOT_FOUND)) {
		associate(c, &t, a, &out->association_id);
	} else {
		return s;
	}
	out->association_state = arena_new(c->arena, struct ec2_route_table_association_state);
	out->association_state->state = STR("associated");
	return OK;
}

static status find_association(
	struct call *c, struct str id, struct ec2_rec_route_table *t, struct ec2_rec_route_association *a)
{
	status s = find_table(ec2_here(c), has_association, id, t);
	if (status_is(s, STATUS_NOT_FOUND) || !str_starts(id, STR("rtbassoc-")))
		return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND,
			"The association ID '%.*s' does not exist", STR_ARG(id));
	TRY(s);
	for (size_t i = 0; i < t->associations.n; i++)
		if (str_eq(t->associations.v[i].route_table_association_id, id)) *a = t->associations.v[i];
	return OK;
}

status ec2_disassociate_route_table(struct call *c, const struct ec2_disassociate_route_table_input *in,
	struct ec2_disassociate_route_table_output *out)
{
	(void)out;
	struct ec2_rec_route_table t;
	struct ec2_rec_route_association a = {0};
	TRY(find_association(c, in->association_id, &t, &a));
	TRY(ec2_vpc_touch(ec2_here(c), t.vpc_id));
	if (a.main.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"cannot disassociate the main route table association %.*s", STR_ARG(in->association_id));
	dissociate(c, &t, in->association_id);
	return OK;
}

status ec2_replace_route_table_association(struct call *c, const struct ec2_replace_route_table_association_input *in,
	struct ec2_replace_route_table_association_output *out)
{
	struct ec2_rec_route_table from, to;
	struct ec2_rec_route_association a = {0};
	TRY(find_association(c, in->association_id, &from, &a));
	TRY(take_table(c, in->route_table_id, &to));
	if (!str_eq(from.vpc_id, to.vpc_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"route table %.*s and association %.*s belong to different networks",
			STR_ARG(to.route_table_id), STR_ARG(in->association_id));
	dissociate(c, &from, in->association_id);
	associate(c, str_eq(from.route_table_id, to.route_table_id) ? &from : &to, a, &out->new_association_id);
	out->association_state = arena_new(c->arena, struct ec2_route_table_association_state);
	out->association_state->state = STR("associated");
	return OK;
}
