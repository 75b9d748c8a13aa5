/* Routes: CreateRoute, ReplaceRoute, DeleteRoute and where they lead. */
#include "services/ec2/gateways.h"

enum { ROUTES_MAX = 500 }; /* "Amazon VPC quotas", the guide */

static struct str destination_of(const struct ec2_rec_route *r)
{
	return str_or(r->destination_cidr_block, str_or(r->destination_ipv6_cidr_block, r->destination_prefix_list_id));
}

static ptrdiff_t route_at(const struct ec2_rec_route_table *t, struct str destination)
{
	for (size_t i = 0; i < t->routes.n; i++)
		if (str_eq(destination_of(&t->routes.v[i]), destination)) return (ptrdiff_t)i;
	return -1;
}

void ec2_route_set(struct arena *a, struct ec2_rec_route_table *t, const struct ec2_rec_route *r)
{
	ptrdiff_t i = route_at(t, destination_of(r));
	size_t capacity = t->routes.n;
	if (i < 0)
		*VEC_PUSH(a, &t->routes, &capacity) = *r;
	else
		t->routes.v[i] = *r;
}

bool ec2_route_drop(struct ec2_rec_route_table *t, struct str target, struct str prefix_list)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->routes.n; i++) {
		const struct ec2_rec_route *r = &t->routes.v[i];
		if (!str_eq(ec2_route_target(r), target) ||
			(str_has(prefix_list) && !str_eq(r->destination_prefix_list_id, prefix_list)))
			t->routes.v[kept++] = *r;
	}
	bool any = kept < t->routes.n;
	t->routes.n = kept;
	return any;
}

struct route_given {
	struct str cidr, cidr6, prefix_list;
	struct str gateway, nat, eni, instance, peering, transit, egress_only, endpoint;
	bool elsewhere; /* something that does not exist here */
	bool local;
};

static status read_destination(struct call *c, const struct route_given *g, struct ec2_rec_route *r)
{
	struct cidr block;
	int n = str_has(g->cidr) + str_has(g->cidr6) + str_has(g->prefix_list);
	if (n != 1)
		return call_fail(c, n ? EC2_ERR_INVALID_PARAMETER_COMBINATION : EC2_ERR_MISSING_PARAMETER,
			"The request must contain exactly one of the parameters destinationCidrBlock, "
			"destinationIpv6CidrBlock and "
			"destinationPrefixListId");
	if (str_has(g->prefix_list)) {
		struct ec2_rec_prefix_list list;
		TRY(ec2_prefix_list_find(c, g->prefix_list, &list));
		r->destination_prefix_list_id = g->prefix_list;
		return OK;
	}
	TRY(ec2_cidr_given(c, str_or(g->cidr, g->cidr6),
		str_has(g->cidr) ? "destinationCidrBlock" : "destinationIpv6CidrBlock", &block));
	if (block.v6 != str_has(g->cidr6))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%.*s) for parameter %s is invalid.",
			STR_ARG(str_or(g->cidr, g->cidr6)),
			block.v6 ? "destinationCidrBlock" : "destinationIpv6CidrBlock");
	if (block.v6)
		r->destination_ipv6_cidr_block = cidr_text(c->arena, block);
	else
		r->destination_cidr_block = cidr_text(c->arena, block);
	return OK;
}

static status other_network(struct call *c, const struct ec2_rec_route_table *t, const char *what, struct str id)
{
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"route table %.*s and %s %.*s belong to different networks", STR_ARG(t->route_table_id), what,
		STR_ARG(id));
}

static status read_gateway(struct call *c, const struct ec2_rec_route_table *t, struct str id, struct ec2_rec_route *r)
{
	struct ec2_rec_internet_gateway g;
	if (str_starts(id, STR("vgw-"))) {
		struct ec2_rec_vpn_gateway v;
		TRY(ec2_find(c, &ec2_type_vpn_gateway, id, &v));
		if (!str_eq(v.vpc, t->vpc_id)) return other_network(c, t, "network gateway", id);
	} else {
		if (!str_starts(id, STR("igw-")))
			return call_fail(c, EC2_ERR_INVALID_GATEWAY_ID_NOT_FOUND,
				"The gateway ID '%.*s' does not exist", STR_ARG(id));
		TRY(ec2_find(c, &ec2_type_internet_gateway, id, &g));
		if (!str_eq(g.vpc, t->vpc_id)) return other_network(c, t, "network gateway", id);
	}
	r->gateway_id = id;
	return OK;
}

static status read_instance(struct call *c, struct str id, struct str *eni)
{
	struct ec2_enis all;
	TRY(ec2_eni_of_instance(ec2_here(c), id, &all));
	if (!all.n)
		return call_fail(
			c, EC2_ERR_INVALID_INSTANCE_ID_NOT_FOUND, "The instance ID '%.*s' does not exist", STR_ARG(id));
	if (all.n > 1)
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_ID,
			"There are multiple interfaces attached to instance '%.*s'. Please specify an interface ID for "
			"the operation "
			"instead.",
			STR_ARG(id));
	*eni = all.v[0].network_interface_id;
	return OK;
}

static status read_target(
	struct call *c, const struct ec2_rec_route_table *t, const struct route_given *g, struct ec2_rec_route *r)
{
	int n = str_has(g->gateway) + str_has(g->nat) + str_has(g->eni) + str_has(g->instance) + str_has(g->peering) +
		str_has(g->transit) + str_has(g->egress_only) + str_has(g->endpoint) + g->elsewhere + g->local;
	if (n != 1)
		return call_fail(c, n ? EC2_ERR_INVALID_PARAMETER_COMBINATION : EC2_ERR_MISSING_PARAMETER,
			"The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, "
			"vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, "
			"carrierGatewayId, "
			"coreNetworkArn, vpcEndpointId or instanceId");
	if (g->elsewhere || str_has(g->endpoint))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Routes to this kind of target are not implemented.");
	struct str eni = g->eni;
	if (g->local) r->gateway_id = STR("local");
	if (str_has(g->gateway)) return read_gateway(c, t, g->gateway, r);
	if (str_has(g->nat)) {
		struct ec2_rec_nat_gateway nat;
		TRY(ec2_find(c, &ec2_type_nat_gateway, g->nat, &nat));
		if (!str_eq(nat.vpc_id, t->vpc_id)) return other_network(c, t, "network gateway", g->nat);
		r->nat_gateway_id = g->nat;
	}
	if (str_has(g->instance)) TRY(read_instance(c, g->instance, &eni));
	if (str_has(eni)) {
		struct ec2_rec_eni e;
		TRY(ec2_find(c, &ec2_type_eni, eni, &e));
		if (!str_eq(e.vpc_id, t->vpc_id)) return other_network(c, t, "interface", eni);
		r->network_interface_id = eni;
	}
	if (str_has(g->peering)) {
		struct ec2_rec_peering p;
		TRY(ec2_find(c, &ec2_type_peering, g->peering, &p));
		if (!ec2_peering_joins(&p, t->vpc_id)) return other_network(c, t, "vpc peering connection", g->peering);
		r->vpc_peering_connection_id = g->peering;
	}
	if (str_has(g->egress_only)) {
		struct ec2_rec_egress_only_gateway e;
		TRY(ec2_find(c, &ec2_type_egress_only_gateway, g->egress_only, &e));
		if (!str_eq(e.vpc, t->vpc_id))
			return other_network(c, t, "egress only internet gateway", g->egress_only);
		r->egress_only_internet_gateway_id = g->egress_only;
	}
	if (str_has(g->transit)) {
		TRY(ec2_tgw_check_attached(c, g->transit, t->vpc_id));
		r->transit_gateway_id = g->transit;
	}
	return OK;
}

static status take_table(struct call *c, struct str id, struct ec2_rec_route_table *t)
{
	TRY(ec2_find(c, &ec2_type_route_table, id, t));
	return ec2_vpc_touch(ec2_here(c), t->vpc_id);
}

static status no_route(struct call *c, const struct ec2_rec_route_table *t, struct str destination)
{
	return call_fail(c, EC2_ERR_INVALID_ROUTE_NOT_FOUND,
		"no route with destination-cidr-block %.*s in route table %.*s", STR_ARG(destination),
		STR_ARG(t->route_table_id));
}

status ec2_create_route(struct call *c, const struct ec2_create_route_input *in, struct ec2_create_route_output *out)
{
	struct ec2_rec_route_table t;
	struct ec2_rec_route r = {.origin = STR("CreateRoute")};
	struct route_given g = {.cidr = in->destination_cidr_block,
		.cidr6 = in->destination_ipv6_cidr_block,
		.prefix_list = in->destination_prefix_list_id,
		.gateway = in->gateway_id,
		.nat = in->nat_gateway_id,
		.eni = in->network_interface_id,
		.instance = in->instance_id,
		.peering = in->vpc_peering_connection_id,
		.transit = in->transit_gateway_id,
		.egress_only = in->egress_only_internet_gateway_id,
		.endpoint = in->vpc_endpoint_id,
		.elsewhere = str_has(in->local_gateway_id) || str_has(in->carrier_gateway_id) ||
			     str_has(in->core_network_arn) || str_has(in->odb_network_arn)};
	TRY(take_table(c, in->route_table_id, &t));
	TRY(read_destination(c, &g, &r));
	TRY(read_target(c, &t, &g, &r));
	ptrdiff_t i = route_at(&t, destination_of(&r));
	if (i >= 0 && !str_eq(ec2_route_target(&t.routes.v[i]), ec2_route_target(&r)))
		return call_fail(c, EC2_ERR_ROUTE_ALREADY_EXISTS, "The route identified by %.*s already exists.",
			STR_ARG(destination_of(&r)));
	if (i < 0 && t.routes.n >= ROUTES_MAX)
		return call_fail(c, EC2_ERR_ROUTE_LIMIT_EXCEEDED, "The maximum number of routes has been reached.");
	ec2_route_set(c->arena, &t, &r);
	ec2_put(ec2_here(c), &ec2_type_route_table, t.route_table_id, &t);
	out->return_ = SOME_BOOL(true);
	return OK;
}

status ec2_replace_route(struct call *c, const struct ec2_replace_route_input *in, struct ec2_replace_route_output *out)
{
	(void)out;
	struct ec2_rec_route_table t;
	struct ec2_rec_route r = {.origin = STR("CreateRoute")};
	struct route_given g = {.cidr = in->destination_cidr_block,
		.cidr6 = in->destination_ipv6_cidr_block,
		.prefix_list = in->destination_prefix_list_id,
		.gateway = in->gateway_id,
		.nat = in->nat_gateway_id,
		.eni = in->network_interface_id,
		.instance = in->instance_id,
		.peering = in->vpc_peering_connection_id,
		.transit = in->transit_gateway_id,
		.egress_only = in->egress_only_internet_gateway_id,
		.endpoint = in->vpc_endpoint_id,
		.local = in->local_target.v,
		.elsewhere = str_has(in->local_gateway_id) || str_has(in->carrier_gateway_id) ||
			     str_has(in->core_network_arn) || str_has(in->odb_network_arn)};
	TRY(take_table(c, in->route_table_id, &t));
	TRY(read_destination(c, &g, &r));
	ptrdiff_t i = route_at(&t, destination_of(&r));
	if (i < 0) return no_route(c, &t, destination_of(&r));
	TRY(read_target(c, &t, &g, &r));
	r.origin = t.routes.v[i].origin;
	t.routes.v[i] = r;
	ec2_put(ec2_here(c), &ec2_type_route_table, t.route_table_id, &t);
	return OK;
}

status ec2_delete_route(struct call *c, const struct ec2_delete_route_input *in, struct ec2_delete_route_output *out)
{
	(void)out;
	struct ec2_rec_route_table t;
	struct ec2_rec_route r = {0};
	struct route_given g = {.cidr = in->destination_cidr_block,
		.cidr6 = in->destination_ipv6_cidr_block,
		.prefix_list = in->destination_prefix_list_id};
	TRY(take_table(c, in->route_table_id, &t));
	TRY(read_destination(c, &g, &r));
	ptrdiff_t i = route_at(&t, destination_of(&r));
	if (i < 0) return no_route(c, &t, destination_of(&r));
	if (str_is(t.routes.v[i].origin, "CreateRouteTable"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"cannot remove local route %.*s in route table %.*s", STR_ARG(destination_of(&r)),
			STR_ARG(t.route_table_id));
	if (str_starts(t.routes.v[i].gateway_id, STR("vpce-")))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"cannot remove VPC endpoint route %.*s in route table %.*s", STR_ARG(destination_of(&r)),
			STR_ARG(t.route_table_id));
	for (size_t k = (size_t)i; k + 1 < t.routes.n; k++) t.routes.v[k] = t.routes.v[k + 1];
	t.routes.n--;
	ec2_put(ec2_here(c), &ec2_type_route_table, t.route_table_id, &t);
	return OK;
}
