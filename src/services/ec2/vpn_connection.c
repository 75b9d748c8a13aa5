/* Site-to-Site VPN connections, as records: addresses, keys and the device's configuration are made, but no tunnel
 * stands behind them, and their telemetry says so: DOWN. "How AWS Site-to-Site VPN works", its guide. Route propagation
 * of virtual private gateways is kept with the route table; with no tunnel up there is nothing to propagate. */
#include "base/rand.h"
#include "services/ec2/gateways.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)
enum { TUNNELS = 2, KEY_MIN = 8, KEY_MAX = 64 };

static const char *const filters[] = {"customer-gateway-configuration=CustomerGatewayConfiguration",
	"customer-gateway-id", "state", "option.static-routes-only=Options.StaticRoutesOnly",
	"route.destination-cidr-block=Routes.DestinationCidrBlock", "type", "vpn-connection-id", "vpn-gateway-id",
	"transit-gateway-id", NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_vpn_connection = {.name = "vpn-connection",
	.prefix = "vpn-",
	.absent = "The vpnConnection ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPN_CONNECTION_ID_NOT_FOUND,
	.record = EC2_REC_VPN_CONNECTION,
	.shape = EC2_SHAPE_VPN_CONNECTION,
	.filters = filters,
	.render = render};

static status read(struct call *c, const struct ec2_rec_vpn_connection *r, struct ec2_vpn_connection *out)
{
	return wire_shape_read(c->arena, TABLES, EC2_SHAPE_VPN_CONNECTION, r->document, out);
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_vpn_connection *r = item->record;
	struct ec2_vpn_connection *out = to;
	struct ec2_tag_list tags = out->tags;
	TRY(read(c, r, out));
	out->tags = tags;
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->routes);
	for (size_t i = 0; i < out->options->tunnel_options.n; i++)
		*VEC_PUSH(c->arena, &out->vgw_telemetry, &capacity) =
			(struct ec2_vgw_telemetry){.accepted_route_count = SOME_I32(0),
				.last_status_change = r->created,
				.outside_ip_address = out->options->tunnel_options.v[i].outside_ip_address,
				.status = STR("DOWN"),
				.status_message = STR("virga has no IPsec tunnels: this connection is a record.")};
	return OK;
}

static void save(struct call *c, const struct ec2_rec_vpn_connection *like, const struct ec2_vpn_connection *shape)
{
	struct ec2_rec_vpn_connection r = *like;
	struct ec2_vpn_connection kept = *shape;
	kept.tags.n = kept.vgw_telemetry.n = 0;
	kept.tags.v = NULL;
	kept.vgw_telemetry.v = NULL;
	r.document = wire_shape_write(c->arena, TABLES, EC2_SHAPE_VPN_CONNECTION, &kept);
	ec2_put(ec2_here(c), &ec2_type_vpn_connection, r.vpn_connection_id, &r);
}

/* ── making ── */

static status inside_block(struct call *c, struct str given, struct str *out)
{
	struct cidr block, all;
	if (!is_ok(cidr_parse(STR("169.254.0.0/16"), &all))) return STATUS(CORRUPT);
	if (!str_has(given)) {
		*out = str_fmt(
			c->arena, "169.254.%u.%u/30", 6 + (unsigned)rand_below(160), 4 * (unsigned)rand_below(64));
		return OK;
	}
	if (!is_ok(cidr_parse(given, &block)) || block.v6 || block.length != 30 || !cidr_contains(all, block))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter TunnelInsideCidr is invalid: it has to be a /30 of 169.254.0.0/16.",
			STR_ARG(given));
	*out = given;
	return OK;
}

static status make_tunnel(struct call *c, const struct ec2_vpn_tunnel_options_specification *given, struct str id,
	struct ec2_tunnel_option *out)
{
	*out = (struct ec2_tunnel_option){0};
	if (given)
		ec2_copy(c->arena, TABLES, EC2_SHAPE_VPN_TUNNEL_OPTIONS_SPECIFICATION, given, TABLES,
			EC2_SHAPE_TUNNEL_OPTION, out);
	TRY(inside_block(c, out->tunnel_inside_cidr, &out->tunnel_inside_cidr));
	if (!str_has(out->pre_shared_key))
		out->pre_shared_key = rand_text(
			c->arena, STR("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"), 32);
	if (out->pre_shared_key.n < KEY_MIN || out->pre_shared_key.n > KEY_MAX || out->pre_shared_key.p[0] == '0')
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"PreSharedKey has to have from %d to %d characters and must not begin with zero.", KEY_MIN,
			KEY_MAX);
	return ec2_public_take(ec2_here(c), id, &out->outside_ip_address);
}

static void write_end(
	struct buf *b, const char *name, struct str outside, struct cidr inside, unsigned nth, struct str asn)
{
	struct str address = cidr_address_text(b->arena, cidr_nth(inside, nth));
	buf_fmt(b,
		"    <%s>\n      <tunnel_outside_address>\n        <ip_address>%.*s</ip_address>\n"
		"      </tunnel_outside_address>\n      <tunnel_inside_address>\n        "
		"<ip_address>%.*s</ip_address>\n"
		"        <network_mask>255.255.255.252</network_mask>\n        <network_cidr>30</network_cidr>\n"
		"      </tunnel_inside_address>\n      <bgp>\n        <asn>%.*s</asn>\n        "
		"<hold_time>30</hold_time>\n"
		"      </bgp>\n    </%s>\n",
		name, STR_ARG(outside), STR_ARG(address), STR_ARG(asn), name);
}

/* What the customer's device is set up by. */
static struct str configuration(struct call *c, const struct ec2_vpn_connection *v,
	const struct ec2_rec_customer_gateway *g, const struct ec2_rec_vpn_gateway *w)
{
	struct buf b = BUF_IN(c->arena);
	buf_fmt(&b,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<vpn_connection id=\"%.*s\">\n"
		"  <customer_gateway_id>%.*s</customer_gateway_id>\n  <vpn_gateway_id>%.*s</vpn_gateway_id>\n"
		"  <vpn_connection_type>ipsec.1</vpn_connection_type>\n",
		STR_ARG(v->vpn_connection_id), STR_ARG(g->customer_gateway_id), STR_ARG(w->vpn_gateway_id));
	if (v->options->static_routes_only.v)
		buf_lit(&b, "  <vpn_connection_attributes>NoBGPVPNConnection</vpn_connection_attributes>\n");
	struct str asn = str_fmt(c->arena, "%lld", (long long)w->amazon_side_asn.v);
	for (size_t i = 0; i < v->options->tunnel_options.n; i++) {
		const struct ec2_tunnel_option *t = &v->options->tunnel_options.v[i];
		struct cidr inside;
		if (!is_ok(cidr_parse(t->tunnel_inside_cidr, &inside))) continue;
		buf_lit(&b, "  <ipsec_tunnel>\n");
		write_end(&b, "customer_gateway", str_or(g->ip_address, STR("")), inside, 2, g->bgp_asn);
		write_end(&b, "vpn_gateway", t->outside_ip_address, inside, 1, asn);
		buf_fmt(&b,
			"    <ike>\n      <authentication_protocol>sha1</authentication_protocol>\n"
			"      <encryption_protocol>aes-128-cbc</encryption_protocol>\n      "
			"<lifetime>28800</lifetime>\n"
			"      <perfect_forward_secrecy>group2</perfect_forward_secrecy>\n      <mode>main</mode>\n"
			"      <pre_shared_key>%.*s</pre_shared_key>\n    </ike>\n    <ipsec>\n      "
			"<protocol>esp</protocol>\n"
			"      <authentication_protocol>hmac-sha1-96</authentication_protocol>\n"
			"      <encryption_protocol>aes-128-cbc</encryption_protocol>\n      "
			"<lifetime>3600</lifetime>\n"
			"      <perfect_forward_secrecy>group2</perfect_forward_secrecy>\n      <mode>tunnel</mode>\n"
			"      <clear_df_bit>true</clear_df_bit>\n"
			"      <fragmentation_before_encryption>true</fragmentation_before_encryption>\n"
			"      <tcp_mss_adjustment>1379</tcp_mss_adjustment>\n      <dead_peer_detection>\n"
			"        <interval>10</interval>\n        <retries>3</retries>\n      </dead_peer_detection>\n"
			"    </ipsec>\n  </ipsec_tunnel>\n",
			STR_ARG(t->pre_shared_key));
	}
	buf_lit(&b, "</vpn_connection>");
	return buf_done(&b);
}

static status check(struct call *c, const struct ec2_create_vpn_connection_input *in)
{
	const struct ec2_vpn_connection_options_specification *o = in->options;
	if (!str_is(in->type, "ipsec.1"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Invalid value '%.*s' for Type: it has to be ipsec.1.", STR_ARG(in->type));
	if (str_has(in->transit_gateway_id) || str_has(in->vpn_concentrator_id))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"VPN connections to transit gateways and concentrators are not implemented.");
	if (!str_has(in->vpn_gateway_id))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter VpnGatewayId");
	if (o && (o->enable_acceleration.v || str_is(o->tunnel_inside_ip_version, "ipv6")))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"Acceleration and IPv6 inside tunnels need a transit gateway.");
	if (o && o->tunnel_options.n > TUNNELS)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "A VPN connection has %d tunnels.", TUNNELS);
	return OK;
}

status ec2_create_vpn_connection(
	struct call *c, const struct ec2_create_vpn_connection_input *in, struct ec2_create_vpn_connection_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_vpn_connection};
	const struct ec2_vpn_connection_options_specification *o = in->options;
	struct ec2_rec_customer_gateway g;
	struct ec2_rec_vpn_gateway w;
	struct ec2_tunnel_option tunnels[TUNNELS];
	struct str id = ec2_new_id(c->arena, ec2_type_vpn_connection.prefix);
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(check(c, in));
	TRY(ec2_find(c, &ec2_type_customer_gateway, in->customer_gateway_id, &g));
	TRY(ec2_find(c, &ec2_type_vpn_gateway, in->vpn_gateway_id, &w));
	for (size_t i = 0; i < TUNNELS; i++)
		TRY(make_tunnel(c, o && i < o->tunnel_options.n ? &o->tunnel_options.v[i] : NULL, id, &tunnels[i]));
	struct ec2_vpn_connection_options options = {.enable_acceleration = SOME_BOOL(false),
		.static_routes_only = SOME_BOOL(o && o->static_routes_only.v),
		.local_ipv4_network_cidr = str_or(o ? o->local_ipv4_network_cidr : STR_NONE, STR("0.0.0.0/0")),
		.remote_ipv4_network_cidr = str_or(o ? o->remote_ipv4_network_cidr : STR_NONE, STR("0.0.0.0/0")),
		.outside_ip_address_type = STR("PublicIpv4"),
		.tunnel_inside_ip_version = STR("ipv4"),
		.tunnel_options = {tunnels, TUNNELS}};
	struct ec2_vpn_connection v = {.category = STR("VPN"),
		.vpn_connection_id = id,
		.state = STR("available"),
		.type = in->type,
		.customer_gateway_id = g.customer_gateway_id,
		.vpn_gateway_id = w.vpn_gateway_id,
		.gateway_association_state = STR("associated"),
		.options = &options};
	v.customer_gateway_configuration = configuration(c, &v, &g, &w);
	struct ec2_rec_vpn_connection r = {.vpn_connection_id = id,
		.created = SOME_TIME(c->now_ms / 1000 * 1000),
		.customer_gateway = g.customer_gateway_id,
		.gateway = w.vpn_gateway_id};
	save(c, &r, &v);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_vpn_connection, id));
	out->vpn_connection = arena_new(c->arena, struct ec2_vpn_connection);
	return ec2_describe_one(c, &ec2_type_vpn_connection, id, out->vpn_connection);
}

status ec2_describe_vpn_connections(struct call *c, const struct ec2_describe_vpn_connections_input *in,
	struct ec2_describe_vpn_connections_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_vpn_connection,
		.ids = &in->vpn_connection_ids,
		.filters = &in->filters,
		.out = &out->vpn_connections};
	return ec2_describe(c, &d);
}

status ec2_delete_vpn_connection(
	struct call *c, const struct ec2_delete_vpn_connection_input *in, struct wire_nothing *out)
{
	struct ec2_rec_vpn_connection r;
	struct ec2_vpn_connection v = {0};
	(void)out;
	TRY(ec2_find(c, &ec2_type_vpn_connection, in->vpn_connection_id, &r));
	TRY(read(c, &r, &v));
	for (size_t i = 0; i < v.options->tunnel_options.n; i++)
		ec2_public_give_back(ec2_here(c), v.options->tunnel_options.v[i].outside_ip_address);
	ec2_drop(ec2_here(c), &ec2_type_vpn_connection, r.vpn_connection_id);
	return OK;
}

status ec2_vpn_gateway_unused(struct call *c, struct str gateway)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_vpn_connection);
	struct str by = STR_NONE;
	while (ec2_next(&e)) {
		const struct ec2_rec_vpn_connection *r = e.item.record;
		if (str_eq(r->gateway, gateway) || str_eq(r->customer_gateway, gateway)) by = e.item.id;
	}
	TRY(ec2_each_end(&e));
	if (!str_has(by)) return OK;
	return call_fail(c, EC2_ERR_INCORRECT_STATE, "The gateway '%.*s' is in use by the VPN connection '%.*s'.",
		STR_ARG(gateway), STR_ARG(by));
}

/* ── static routes ── */

static status find_static(struct call *c, struct str id, struct str block_text, struct ec2_rec_vpn_connection *r,
	struct ec2_vpn_connection *v, struct str *block)
{
	struct cidr b;
	TRY(ec2_find(c, &ec2_type_vpn_connection, id, r));
	TRY(read(c, r, v));
	if (!v->options->static_routes_only.v)
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
			"The VPN connection '%.*s' uses dynamic routing: it takes no static routes.", STR_ARG(id));
	TRY(ec2_cidr_given(c, block_text, "destinationCidrBlock", &b));
	*block = cidr_text(c->arena, b);
	return OK;
}

static ptrdiff_t route_at(const struct ec2_vpn_connection *v, struct str block)
{
	for (size_t i = 0; i < v->routes.n; i++)
		if (str_eq(v->routes.v[i].destination_cidr_block, block)) return (ptrdiff_t)i;
	return -1;
}

status ec2_create_vpn_connection_route(
	struct call *c, const struct ec2_create_vpn_connection_route_input *in, struct wire_nothing *out)
{
	struct ec2_rec_vpn_connection r;
	struct ec2_vpn_connection v = {0};
	struct str block = STR_NONE;
	(void)out;
	TRY(find_static(c, in->vpn_connection_id, in->destination_cidr_block, &r, &v, &block));
	size_t capacity = v.routes.n;
	if (route_at(&v, block) < 0)
		*VEC_PUSH(c->arena, &v.routes, &capacity) = (struct ec2_vpn_static_route){
			.destination_cidr_block = block, .source = STR("Static"), .state = STR("available")};
	save(c, &r, &v);
	return OK;
}

status ec2_delete_vpn_connection_route(
	struct call *c, const struct ec2_delete_vpn_connection_route_input *in, struct wire_nothing *out)
{
	struct ec2_rec_vpn_connection r;
	struct ec2_vpn_connection v = {0};
	struct str block = STR_NONE;
	(void)out;
	TRY(find_static(c, in->vpn_connection_id, in->destination_cidr_block, &r, &v, &block));
	ptrdiff_t at = route_at(&v, block);
	if (at < 0)
		return call_fail(c, EC2_ERR_INVALID_ROUTE_NOT_FOUND, "The VPN connection '%.*s' has no route to %.*s.",
			STR_ARG(r.vpn_connection_id), STR_ARG(block));
	v.routes.v[at] = v.routes.v[--v.routes.n];
	save(c, &r, &v);
	return OK;
}

/* ── propagation ── */

static status find_propagation(
	struct call *c, struct str gateway, struct str table, struct ec2_rec_route_table *t, ptrdiff_t *at)
{
	struct ec2_rec_vpn_gateway w;
	TRY(ec2_find(c, &ec2_type_vpn_gateway, gateway, &w));
	TRY(ec2_find(c, &ec2_type_route_table, table, t));
	if (!str_has(w.vpc) || !str_eq(w.vpc, t->vpc_id))
		return call_fail(c, EC2_ERR_GATEWAY_NOT_ATTACHED, "resource %.*s is not attached to the VPC of %.*s",
			STR_ARG(gateway), STR_ARG(table));
	*at = -1;
	for (size_t i = 0; i < t->propagating.n; i++)
		if (str_eq(t->propagating.v[i], gateway)) *at = (ptrdiff_t)i;
	return OK;
}

status ec2_enable_vgw_route_propagation(
	struct call *c, const struct ec2_enable_vgw_route_propagation_input *in, struct wire_nothing *out)
{
	struct ec2_rec_route_table t;
	ptrdiff_t at = -1;
	(void)out;
	TRY(find_propagation(c, in->gateway_id, in->route_table_id, &t, &at));
	size_t capacity = t.propagating.n;
	if (at < 0) *VEC_PUSH(c->arena, &t.propagating, &capacity) = in->gateway_id;
	ec2_put(ec2_here(c), &ec2_type_route_table, t.route_table_id, &t);
	return OK;
}

status ec2_disable_vgw_route_propagation(
	struct call *c, const struct ec2_disable_vgw_route_propagation_input *in, struct wire_nothing *out)
{
	struct ec2_rec_route_table t;
	ptrdiff_t at = -1;
	(void)out;
	TRY(find_propagation(c, in->gateway_id, in->route_table_id, &t, &at));
	if (at >= 0) t.propagating.v[at] = t.propagating.v[--t.propagating.n];
	ec2_put(ec2_here(c), &ec2_type_route_table, t.route_table_id, &t);
	return OK;
}
