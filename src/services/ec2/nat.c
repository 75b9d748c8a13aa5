/* NAT gateways. "NAT gateways", the guide: a public one has an Elastic IP address on its interface's primary address, a
 * private one none; secondary addresses give it more ports. They are available at once; a deleted one is shown for an
 * hour. */
#include "services/ec2/network.h"

enum { SHOWN_AFTER_MS = 60 * 60 * 1000, PER_ZONE_MAX = 5, SECONDARY_MAX = 7 };

static const char *const filters[] = {"nat-gateway-id", "state", "subnet-id", "vpc-id", NULL};

static bool visible(struct call *c, const struct ec2_item *item)
{
	const struct ec2_rec_nat_gateway *n = item->record;
	return !n->delete_time.has || c->now_ms - n->delete_time.ms < SHOWN_AFTER_MS;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	(void)item;
	struct ec2_nat_gateway *out = to;
	VEC_PRESENT(c->arena, &out->nat_gateway_addresses);
	return OK;
}

const struct ec2_type ec2_type_nat_gateway = {
	.name = "natgateway",
	.prefix = "nat-",
	.absent = "NAT gateway @ was not found",
	.not_found = EC2_ERR_NAT_GATEWAY_NOT_FOUND,
	.malformed = EC2_ERR_NAT_GATEWAY_MALFORMED,
	.record = EC2_REC_NAT_GATEWAY,
	.shape = EC2_SHAPE_NAT_GATEWAY,
	.filters = filters,
	.render = render,
	.visible = visible,
};

static bool is_gone(const struct ec2_rec_nat_gateway *n)
{
	return n->delete_time.has;
}

static status find_live(struct call *c, struct str id, struct ec2_rec_nat_gateway *n)
{
	TRY(ec2_find(c, &ec2_type_nat_gateway, id, n));
	return is_gone(n) ? ec2_absent(c, &ec2_type_nat_gateway, id) : OK;
}

/* The interface's addresses as the gateway shows them. */
static status show_addresses(struct call *c, struct str eni, struct ec2_rec_nat_gateway *n)
{
	struct ec2_rec_eni e;
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_eni, eni, &e));
	n->nat_gateway_addresses = (struct ec2_rec_nat_addresses){0};
	for (size_t i = 0; i < e.addresses.n; i++) {
		const struct ec2_rec_eni_address *a = &e.addresses.v[i];
		*VEC_PUSH(c->arena, &n->nat_gateway_addresses, &capacity) =
			(struct ec2_rec_nat_address){.allocation_id = a->allocation,
				.association_id = a->association,
				.network_interface_id = eni,
				.private_ip = a->private_ip_address,
				.public_ip = a->public,
				.is_primary = SOME_BOOL(i == 0),
				.status = STR("succeeded")};
	}
	return OK;
}

static void save(struct call *c, const struct ec2_rec_nat_gateway *n)
{
	ec2_put(ec2_here(c), &ec2_type_nat_gateway, n->nat_gateway_id, n);
}

static status check_allocation(struct call *c, struct str allocation)
{
	struct ec2_rec_address r;
	TRY(ec2_find(c, &ec2_type_address, allocation, &r));
	if (str_has(r.association_id))
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED,
			"resource %.*s is already associated with associate-id %.*s", STR_ARG(allocation),
			STR_ARG(r.association_id));
	return OK;
}

/* The same token again is the same gateway; and how many there are in the zone. */
static status look_around(struct call *c, struct str token, struct str zone, struct str *same, size_t *n)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_nat_gateway);
	*same = STR_NONE;
	*n = 0;
	while (ec2_next(&e)) {
		const struct ec2_rec_nat_gateway *g = e.item.record;
		struct ec2_rec_subnet s;
		if (str_has(token) && str_eq(g->token, token)) *same = g->nat_gateway_id;
		if (!is_gone(g) && is_ok(ec2_load(e.item.at, &ec2_type_subnet, g->subnet_id, &s)) &&
			str_eq(s.availability_zone, zone))
			++*n;
	}
	return ec2_each_end(&e);
}

status ec2_create_nat_gateway(
	struct call *c, const struct ec2_create_nat_gateway_input *in, struct ec2_create_nat_gateway_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_nat_gateway};
	struct ec2_rec_subnet s;
	struct ec2_rec_eni e;
	struct str association, same;
	bool private = str_is(in->connectivity_type, "private");
	size_t n;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_has(in->availability_mode) && !str_is(in->availability_mode, "zonal"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Regional NAT gateways are not implemented.");
	TRY(ec2_find(c, &ec2_type_subnet, in->subnet_id, &s));
	TRY(look_around(c, in->client_token, s.availability_zone, &same, &n));
	out->client_token = in->client_token;
	out->nat_gateway = arena_new(c->arena, struct ec2_nat_gateway);
	if (str_has(same)) return ec2_describe_one(c, &ec2_type_nat_gateway, same, out->nat_gateway);
	if (n >= PER_ZONE_MAX)
		return call_fail(
			c, EC2_ERR_NAT_GATEWAY_LIMIT_EXCEEDED, "The maximum number of NAT Gateways has been reached.");
	if (!private && !str_has(in->allocation_id))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter AllocationId");
	if (private && (str_has(in->allocation_id) || in->secondary_allocation_ids.n))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"AllocationId cannot be specified for a private NAT gateway");
	if (!private) TRY(check_allocation(c, in->allocation_id));
	struct ec2_rec_nat_gateway g = {.nat_gateway_id = ec2_new_id(c->arena, "nat-"),
		.subnet_id = s.subnet_id,
		.vpc_id = s.vpc_id,
		.state = STR("available"),
		.create_time = SOME_TIME(c->now_ms),
		.connectivity_type = private ? STR("private") : STR("public"),
		.token = in->client_token};
	struct ec2_eni_make m = {.subnet = s.subnet_id,
		.description = str_fmt(c->arena, "Interface for NAT Gateway %.*s", STR_ARG(g.nat_gateway_id)),
		.address = in->private_ip_address,
		.addresses = in->secondary_private_ip_addresses.v,
		.n_addresses = in->secondary_private_ip_addresses.n,
		.more = in->secondary_private_ip_address_count.v > 0 ? (size_t)in->secondary_private_ip_address_count.v
			: in->secondary_private_ip_addresses.n       ? 0
								     : in->secondary_allocation_ids.n,
		.type = STR("nat_gateway"),
		.requester_id = STR("amazon-nat-gateway"),
		.place = g.nat_gateway_id,
		.kind = STR("nat")};
	if (m.n_addresses + m.more > SECONDARY_MAX)
		return call_fail(c, EC2_ERR_PRIVATE_IP_ADDRESS_LIMIT_EXCEEDED,
			"A NAT gateway has at most %d secondary addresses.", SECONDARY_MAX);
	TRY(ec2_eni_make(c, &m, &e));
	struct ec2_eni_attach how = {
		.eni = e.network_interface_id, .place = g.nat_gateway_id, .kind = STR("nat"), .device = 1};
	TRY(ec2_eni_attach(c, &how, NULL));
	if (!private) {
		TRY(ec2_address_associate(c, in->allocation_id, e.network_interface_id,
			e.addresses.v[0].private_ip_address, false, &association));
		for (size_t i = 0; i < in->secondary_allocation_ids.n && i + 1 < e.addresses.n; i++) {
			TRY(check_allocation(c, in->secondary_allocation_ids.v[i]));
			TRY(ec2_address_associate(c, in->secondary_allocation_ids.v[i], e.network_interface_id,
				e.addresses.v[i + 1].private_ip_address, false, &association));
		}
	}
	TRY(show_addresses(c, e.network_interface_id, &g));
	save(c, &g);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_nat_gateway, g.nat_gateway_id));
	TRY(ec2_describe_one(c, &ec2_type_nat_gateway, g.nat_gateway_id, out->nat_gateway));
	out->nat_gateway->state = STR("pending");
	return OK;
}

status ec2_describe_nat_gateways(
	struct call *c, const struct ec2_describe_nat_gateways_input *in, struct ec2_describe_nat_gateways_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_nat_gateway,
		.ids = &in->nat_gateway_ids,
		.filters = &in->filter,
		.max_results = in->max_results,
		.next_token = in->next_token,
		.out = &out->nat_gateways,
		.next_out = &out->next_token};
	return ec2_describe(c, &d);
}

status ec2_delete_nat_gateway(
	struct call *c, const struct ec2_delete_nat_gateway_input *in, struct ec2_delete_nat_gateway_output *out)
{
	struct ec2_rec_nat_gateway g;
	TRY(ec2_find(c, &ec2_type_nat_gateway, in->nat_gateway_id, &g));
	out->nat_gateway_id = g.nat_gateway_id;
	if (is_gone(&g)) return OK;
	TRY(ec2_eni_drop(c, g.nat_gateway_addresses.v[0].network_interface_id));
	g.state = STR("deleted");
	g.delete_time = SOME_TIME(c->now_ms);
	save(c, &g);
	return OK;
}

/* Secondary addresses: what changed is answered with its state on the way. */
static status answer_addresses(struct call *c, const struct ec2_rec_nat_gateway *g, size_t from, struct str state,
	struct ec2_nat_gateway_address_list *out)
{
	size_t capacity = 0;
	for (size_t i = from; i < g->nat_gateway_addresses.n; i++) {
		struct ec2_nat_gateway_address *a = VEC_PUSH(c->arena, out, &capacity);
		ec2_show(c->arena, EC2_REC_NAT_ADDRESS, &g->nat_gateway_addresses.v[i], EC2_SHAPE_NAT_GATEWAY_ADDRESS,
			a);
		a->status = state;
	}
	return OK;
}

static status add_addresses(
	struct call *c, struct ec2_rec_nat_gateway *g, const struct str *given, size_t n, size_t more)
{
	struct ec2_rec_eni e;
	struct ec2_rec_subnet s;
	struct str eni = g->nat_gateway_addresses.v[0].network_interface_id;
	TRY(ec2_find(c, &ec2_type_eni, eni, &e));
	TRY(ec2_find(c, &ec2_type_subnet, g->subnet_id, &s));
	if (e.addresses.n + n + more > SECONDARY_MAX + 1)
		return call_fail(c, EC2_ERR_PRIVATE_IP_ADDRESS_LIMIT_EXCEEDED,
			"A NAT gateway has at most %d secondary addresses.", SECONDARY_MAX);
	for (size_t i = 0; i < n + more; i++) TRY(ec2_eni_add_address(c, &s, &e, i < n ? given[i] : STR_NONE));
	TRY(ec2_eni_save(c, &e));
	return show_addresses(c, eni, g);
}

status ec2_associate_nat_gateway_address(struct call *c, const struct ec2_associate_nat_gateway_address_input *in,
	struct ec2_associate_nat_gateway_address_output *out)
{
	struct ec2_rec_nat_gateway g;
	struct str association;
	TRY(find_live(c, in->nat_gateway_id, &g));
	if (str_is(g.connectivity_type, "private"))
		return call_fail(
			c, EC2_ERR_UNSUPPORTED_OPERATION, "A private NAT gateway has no Elastic IP addresses.");
	size_t before = g.nat_gateway_addresses.n, n = in->private_ip_addresses.n, all = in->allocation_ids.n;
	if (n > all)
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_COMBINATION, "There are more private addresses than allocations.");
	for (size_t i = 0; i < all; i++) TRY(check_allocation(c, in->allocation_ids.v[i]));
	TRY(add_addresses(c, &g, in->private_ip_addresses.v, n, all - n));
	struct str eni = g.nat_gateway_addresses.v[0].network_interface_id;
	for (size_t i = 0; i < all; i++)
		TRY(ec2_address_associate(c, in->allocation_ids.v[i], eni,
			g.nat_gateway_addresses.v[before + i].private_ip, false, &association));
	TRY(show_addresses(c, eni, &g));
	save(c, &g);
	out->nat_gateway_id = g.nat_gateway_id;
	return answer_addresses(c, &g, before, STR("associating"), &out->nat_gateway_addresses);
}

status ec2_assign_private_nat_gateway_address(struct call *c,
	const struct ec2_assign_private_nat_gateway_address_input *in,
	struct ec2_assign_private_nat_gateway_address_output *out)
{
	struct ec2_rec_nat_gateway g;
	TRY(find_live(c, in->nat_gateway_id, &g));
	if (!str_is(g.connectivity_type, "private"))
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION,
			"Only a private NAT gateway can be assigned private addresses.");
	size_t before = g.nat_gateway_addresses.n;
	size_t more = in->private_ip_address_count.v > 0 ? (size_t)in->private_ip_address_count.v : 0;
	TRY(add_addresses(c, &g, in->private_ip_addresses.v, in->private_ip_addresses.n, more));
	save(c, &g);
	out->nat_gateway_id = g.nat_gateway_id;
	return answer_addresses(c, &g, before, STR("assigning"), &out->nat_gateway_addresses);
}

status ec2_unassign_private_nat_gateway_address(struct call *c,
	const struct ec2_unassign_private_nat_gateway_address_input *in,
	struct ec2_unassign_private_nat_gateway_address_output *out)
{
	struct ec2_rec_nat_gateway g;
	TRY(find_live(c, in->nat_gateway_id, &g));
	struct str eni = g.nat_gateway_addresses.v[0].network_interface_id;
	TRY(ec2_eni_unassign(c, eni, in->private_ip_addresses.v, in->private_ip_addresses.n));
	TRY(show_addresses(c, eni, &g));
	save(c, &g);
	out->nat_gateway_id = g.nat_gateway_id;
	return answer_addresses(c, &g, 0, STR("succeeded"), &out->nat_gateway_addresses);
}

status ec2_disassociate_nat_gateway_address(struct call *c, const struct ec2_disassociate_nat_gateway_address_input *in,
	struct ec2_disassociate_nat_gateway_address_output *out)
{
	struct ec2_rec_nat_gateway g;
	TRY(find_live(c, in->nat_gateway_id, &g));
	struct str eni = g.nat_gateway_addresses.v[0].network_interface_id;
	for (size_t i = 0; i < in->association_ids.n; i++) {
		const struct ec2_rec_nat_address *found = NULL;
		for (size_t k = 1; k < g.nat_gateway_addresses.n; k++)
			if (str_eq(g.nat_gateway_addresses.v[k].association_id, in->association_ids.v[i]))
				found = &g.nat_gateway_addresses.v[k];
		if (!found)
			return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND,
				"The association ID '%.*s' is not a secondary address of the NAT gateway",
				STR_ARG(in->association_ids.v[i]));
		TRY(ec2_eni_unassign(c, eni, &found->private_ip, 1));
	}
	TRY(show_addresses(c, eni, &g));
	save(c, &g);
	out->nat_gateway_id = g.nat_gateway_id;
	return answer_addresses(c, &g, 0, STR("succeeded"), &out->nat_gateway_addresses);
}
