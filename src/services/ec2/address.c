/* Elastic IP addresses, and which public addresses are whose. An allocation belongs to an account in a region; its
 * association is kept in its own record and beside the private address in the interface's. */
#include "base/rand.h"
#include "services/ec2/network.h"

enum { ADDRESSES_MAX = 5 }; /* per region: "Elastic IP addresses", Amazon EC2 User Guide */

/* Blocks that Amazon publishes for EC2; addresses are drawn from them ("AWS IP address ranges"). */
static const struct {
	uint8_t first, second;
} blocks[] = {{3, 80}, {18, 204}, {34, 192}, {44, 192}, {52, 0}, {54, 80}, {100, 24}, {107, 20}};

static const char *const filters[] = {"allocation-id", "association-id", "domain", "instance-id",
	"network-border-group", "network-interface-id", "network-interface-owner-id", "private-ip-address", "public-ip",
	NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	(void)c;
	(void)item;
	struct ec2_address *out = to;
	if (str_has(out->association_id) && !str_has(out->instance_id)) out->instance_id = STR("");
	return OK;
}

const struct ec2_type ec2_type_address = {
	.name = "elastic-ip",
	.prefix = "eipalloc-",
	.absent = "The allocation ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_ALLOCATION_ID_NOT_FOUND,
	.record = EC2_REC_ADDRESS,
	.shape = EC2_SHAPE_ADDRESS,
	.filters = filters,
	.render = render,
};

static struct str public_key(struct arena *a, struct str address)
{
	struct key k = key_for(a, STR("ec2"), STR("public"), STR(""), STR(""));
	key_str(&k, address);
	return key_done(&k);
}

status ec2_public_owner(struct ec2_place at, struct str address, struct ec2_rec_public_address *out)
{
	struct str bytes;
	*out = (struct ec2_rec_public_address){0};
	TRY(store_get(at.tx, public_key(at.a, address), &bytes));
	return ec2_rec_public_address_decode(at.a, bytes, out);
}

status ec2_public_take(struct ec2_place at, struct str holder, struct str *address)
{
	for (;;) {
		struct ec2_rec_public_address r;
		size_t b = rand_below(sizeof(blocks) / sizeof(*blocks));
		*address = str_fmt(at.a, "%u.%u.%u.%u", blocks[b].first, blocks[b].second + (unsigned)rand_below(16),
			(unsigned)rand_below(256), 1 + (unsigned)rand_below(254));
		status s = ec2_public_owner(at, *address, &r);
		if (is_ok(s)) continue;
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		r = (struct ec2_rec_public_address){.account = at.account, .region = at.region, .holder = holder};
		store_put(at.tx, public_key(at.a, *address), ec2_rec_public_address_encode(at.a, &r));
		return OK;
	}
}

void ec2_public_give_back(struct ec2_place at, struct str address)
{
	store_delete(at.tx, public_key(at.a, address));
}

status ec2_allocate_address(
	struct call *c, const struct ec2_allocate_address_input *in, struct ec2_allocate_address_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_address};
	struct ec2_rec_address r = {.allocation_id = ec2_new_id(c->arena, "eipalloc-"),
		.domain = STR("vpc"),
		.network_border_group = c->region,
		.public_ipv4_pool = STR("amazon")};
	size_t n;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_has(in->domain) && !str_is(in->domain, "vpc"))
		return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION, "EC2-Classic is retired.");
	if (str_has(in->customer_owned_ipv4_pool) || str_has(in->ipam_pool_id) ||
		(str_has(in->public_ipv4_pool) && !str_is(in->public_ipv4_pool, "amazon")) || str_has(in->address))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Addresses of your own pools, and recovering one, are not implemented.");
	TRY(ec2_guard(ec2_here(c), STR("addresses"), NULL));
	TRY(ec2_count(ec2_here(c), &ec2_type_address, &n));
	if (n >= ADDRESSES_MAX)
		return call_fail(
			c, EC2_ERR_ADDRESS_LIMIT_EXCEEDED, "The maximum number of addresses has been reached.");
	TRY(ec2_public_take(ec2_here(c), r.allocation_id, &r.public_ip));
	ec2_put(ec2_here(c), &ec2_type_address, r.allocation_id, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_address, r.allocation_id));
	*out = (struct ec2_allocate_address_output){.allocation_id = r.allocation_id,
		.public_ip = r.public_ip,
		.domain = r.domain,
		.network_border_group = r.network_border_group,
		.public_ipv4_pool = r.public_ipv4_pool};
	return OK;
}

/* By its public address. */
static status find_public(struct call *c, struct str address, struct ec2_rec_address *out)
{
	struct ec2_rec_public_address r;
	struct cidr block;
	if (!is_ok(cidr_parse_address(address, &block)))
		return call_fail(c, EC2_ERR_INVALID_ADDRESS_MALFORMED, "Invalid IPv4 address: %.*s", STR_ARG(address));
	status s = ec2_public_owner(ec2_here(c), address, &r);
	if (status_is(s, STATUS_NOT_FOUND) ||
		(is_ok(s) && (!str_eq(r.account, c->account) || !str_eq(r.region, c->region) ||
				     !str_starts(r.holder, STR("eipalloc-")))))
		return call_fail(c, EC2_ERR_INVALID_ADDRESS_NOT_FOUND, "Address '%.*s' not found.", STR_ARG(address));
	TRY(s);
	return ec2_find(c, &ec2_type_address, r.holder, out);
}

static bool wanted(const struct ec2_describe_addresses_input *in, const struct ec2_address *a)
{
	for (size_t i = 0; i < in->public_ips.n; i++)
		if (str_eq(in->public_ips.v[i], a->public_ip)) return true;
	return in->public_ips.n == 0;
}

status ec2_describe_addresses(
	struct call *c, const struct ec2_describe_addresses_input *in, struct ec2_describe_addresses_output *out)
{
	struct ec2_describe d = {
		.type = &ec2_type_address, .ids = &in->allocation_ids, .filters = &in->filters, .out = &out->addresses};
	size_t kept = 0;
	struct ec2_rec_address r;
	for (size_t i = 0; i < in->public_ips.n; i++) TRY(find_public(c, in->public_ips.v[i], &r));
	TRY(ec2_describe(c, &d));
	for (size_t i = 0; i < out->addresses.n; i++)
		if (wanted(in, &out->addresses.v[i])) out->addresses.v[kept++] = out->addresses.v[i];
	out->addresses.n = kept;
	return OK;
}

status ec2_address_instance(struct call *c, struct str allocation, struct str instance)
{
	struct ec2_rec_address r;
	TRY(ec2_find(c, &ec2_type_address, allocation, &r));
	r.instance_id = instance;
	ec2_put(ec2_here(c), &ec2_type_address, allocation, &r);
	return OK;
}

static struct ec2_rec_eni_address *address_of(struct ec2_rec_eni *e, struct str private_address)
{
	if (!str_has(private_address)) return &e->addresses.v[0];
	for (size_t i = 0; i < e->addresses.n; i++)
		if (str_eq(e->addresses.v[i].private_ip_address, private_address)) return &e->addresses.v[i];
	return NULL;
}

status ec2_address_disassociate(struct call *c, struct str allocation)
{
	struct ec2_rec_address r;
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_address, allocation, &r));
	if (!str_has(r.association_id)) return OK;
	status s = ec2_load(ec2_here(c), &ec2_type_eni, r.network_interface_id, &e);
	if (is_ok(s)) {
		for (size_t i = 0; i < e.addresses.n; i++)
			if (str_eq(e.addresses.v[i].allocation, allocation))
				e.addresses.v[i].public = e.addresses.v[i].allocation = e.addresses.v[i].association =
					STR_NONE;
		TRY(ec2_eni_save(c, &e));
	} else if (!status_is(s, STATUS_NOT_FOUND)) {
		return s;
	}
	r.association_id = r.network_interface_id = r.network_interface_owner_id = r.private_ip_address =
		r.instance_id = STR_NONE;
	r.service_managed = STR_NONE;
	ec2_put(ec2_here(c), &ec2_type_address, allocation, &r);
	return OK;
}

/* "The VPC must have an internet gateway attached" is Gateway.NotAttached (AssociateAddress, the reference). */
static status check_gateway(struct call *c, struct str vpc)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_internet_gateway);
	bool attached = false;
	while (!attached && ec2_next(&e))
		attached = str_eq(((struct ec2_rec_internet_gateway *)e.item.record)->vpc, vpc);
	TRY(ec2_each_end(&e));
	if (attached) return OK;
	return call_fail(
		c, EC2_ERR_GATEWAY_NOT_ATTACHED, "Network %.*s is not attached to any internet gateway", STR_ARG(vpc));
}

status ec2_address_associate(struct call *c, struct str allocation, struct str eni, struct str private_address,
	bool again, struct str *association)
{
	struct ec2_rec_address r;
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_address, allocation, &r));
	TRY(ec2_find(c, &ec2_type_eni, eni, &e));
	struct ec2_rec_eni_address *a = address_of(&e, private_address);
	if (!a)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Address %.*s is not assigned to interface %.*s",
			STR_ARG(private_address), STR_ARG(eni));
	if (str_eq(a->allocation, allocation)) {
		*association = a->association;
		return OK;
	}
	if (str_has(r.association_id) && !again)
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED,
			"resource %.*s is already associated with associate-id %.*s", STR_ARG(allocation),
			STR_ARG(r.association_id));
	if (str_has(a->allocation) && !again)
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED,
			"resource %.*s is already associated with associate-id %.*s", STR_ARG(eni),
			STR_ARG(a->association));
	TRY(check_gateway(c, e.vpc_id));
	TRY(ec2_address_disassociate(c, allocation));
	if (str_has(a->allocation))
		TRY(ec2_address_disassociate(c, a->allocation));
	else if (str_has(a->public))
		ec2_public_give_back(ec2_here(c), a->public);
	TRY(ec2_find(c, &ec2_type_eni, eni, &e));
	a = address_of(&e, private_address);
	*association = ec2_new_id(c->arena, "eipassoc-");
	a->public = r.public_ip;
	a->allocation = allocation;
	a->association = *association;
	TRY(ec2_eni_save(c, &e));
	r.association_id = *association;
	r.network_interface_id = eni;
	r.network_interface_owner_id = c->account;
	r.private_ip_address = a->private_ip_address;
	r.instance_id = e.attachment ? e.attachment->instance_id : STR_NONE;
	r.service_managed = str_is(e.interface_type, "nat_gateway") ? STR("nat-gateway") : STR_NONE;
	ec2_put(ec2_here(c), &ec2_type_address, allocation, &r);
	return OK;
}

status ec2_associate_address(
	struct call *c, const struct ec2_associate_address_input *in, struct ec2_associate_address_output *out)
{
	struct ec2_rec_address r;
	struct str eni = in->network_interface_id;
	if (str_has(in->allocation_id))
		TRY(ec2_find(c, &ec2_type_address, in->allocation_id, &r));
	else if (str_has(in->public_ip))
		TRY(find_public(c, in->public_ip, &r));
	else
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter allocationId or publicIp");
	if (str_has(in->network_interface_id) == str_has(in->instance_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The request must contain exactly one of the parameters instanceId and networkInterfaceId");
	if (str_has(in->instance_id)) {
		struct ec2_enis all;
		TRY(ec2_eni_of_instance(ec2_here(c), in->instance_id, &all));
		if (!all.n)
			return call_fail(c, EC2_ERR_INVALID_INSTANCE_ID_NOT_FOUND,
				"The instance ID '%.*s' does not exist", STR_ARG(in->instance_id));
		if (all.n > 1 && !str_has(in->private_ip_address))
			return call_fail(c, EC2_ERR_INVALID_INSTANCE_ID,
				"There are multiple interfaces attached to instance '%.*s'. Please specify an "
				"interface ID for the "
				"operation instead.",
				STR_ARG(in->instance_id));
		eni = all.v[0].network_interface_id;
	}
	return ec2_address_associate(c, r.allocation_id, eni, in->private_ip_address,
		!in->allow_reassociation.has || in->allow_reassociation.v, &out->association_id);
}

static status refuse_managed(struct call *c, const struct ec2_rec_address *r)
{
	if (!str_has(r->service_managed)) return OK;
	return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED, "You are not allowed to manage '%.*s' addresses.",
		STR_ARG(r->service_managed));
}

status ec2_disassociate_address(
	struct call *c, const struct ec2_disassociate_address_input *in, struct ec2_disassociate_address_output *out)
{
	(void)out;
	struct ec2_rec_address r = {0};
	if (str_has(in->association_id)) {
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_address);
		while (!str_has(r.allocation_id) && ec2_next(&e)) {
			const struct ec2_rec_address *a = e.item.record;
			if (str_eq(a->association_id, in->association_id)) r = *a;
		}
		TRY(ec2_each_end(&e));
		if (!str_has(r.allocation_id))
			return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND,
				"The association ID '%.*s' does not exist", STR_ARG(in->association_id));
	} else if (str_has(in->public_ip)) {
		TRY(find_public(c, in->public_ip, &r));
	} else {
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter associationId or publicIp");
	}
	TRY(refuse_managed(c, &r));
	return ec2_address_disassociate(c, r.allocation_id);
}

status ec2_release_address(
	struct call *c, const struct ec2_release_address_input *in, struct ec2_release_address_output *out)
{
	(void)out;
	struct ec2_rec_address r;
	if (str_has(in->allocation_id))
		TRY(ec2_find(c, &ec2_type_address, in->allocation_id, &r));
	else if (str_has(in->public_ip))
		TRY(find_public(c, in->public_ip, &r));
	else
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter allocationId or publicIp");
	if (str_has(r.association_id))
		return call_fail(c, EC2_ERR_INVALID_IP_ADDRESS_IN_USE, "Address %.*s is in use.", STR_ARG(r.public_ip));
	ec2_public_give_back(ec2_here(c), r.public_ip);
	ec2_drop(ec2_here(c), &ec2_type_address, r.allocation_id);
	return OK;
}
