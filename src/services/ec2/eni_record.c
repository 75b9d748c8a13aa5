/* Network interfaces as records: made, plugged in, taken out, dropped, for EC2 itself and for what other services put
 * into a VPC. */
#include "base/rand.h"
#include "services/ec2/network.h"

enum { ADDRESSES_MAX = 50 }; /* of one interface; instance types have less */

/* Another service's call fails with EC2's code and status: ids of errors are each service's own. */
static status told(struct call *c, status s)
{
	if (!status_is(s, STATUS_FAILED) || c->match.service == &wire_service_ec2 || c->failure.id < WIRE_ERR_SERVICE)
		return s;
	const struct wire_tables *t = &wire_service_ec2.tables;
	const struct wire_error *e = &t->errors[c->failure.id - WIRE_ERR_SERVICE];
	c->failure.code = wire_str(t, e->code);
	c->failure.http_status = e->status;
	c->failure.id = ERR_VALIDATION;
	return s;
}

struct str ec2_private_dns_name(struct arena *a, struct str region, struct str address)
{
	struct cidr c;
	if (!is_ok(cidr_parse_address(address, &c)) || c.v6) return STR_NONE;
	const uint8_t *p = c.addr + 12;
	struct str domain = str_is(region, "us-east-1") ? STR("ec2.internal")
							: str_fmt(a, "%.*s.compute.internal", STR_ARG(region));
	return str_fmt(a, "ip-%u-%u-%u-%u.%.*s", p[0], p[1], p[2], p[3], STR_ARG(domain));
}

struct str ec2_public_dns_name(struct arena *a, struct str region, struct str address)
{
	struct cidr c;
	if (!is_ok(cidr_parse_address(address, &c)) || c.v6) return STR_NONE;
	const uint8_t *p = c.addr + 12;
	struct str domain = str_is(region, "us-east-1") ? STR("compute-1.amazonaws.com")
							: str_fmt(a, "%.*s.compute.amazonaws.com", STR_ARG(region));
	return str_fmt(a, "ec2-%u-%u-%u-%u.%.*s", p[0], p[1], p[2], p[3], STR_ARG(domain));
}

status ec2_eni_save(struct call *c, const struct ec2_rec_eni *e)
{
	ec2_put(ec2_here(c), &ec2_type_eni, e->network_interface_id, e);
	return ec2_vpc_touch(ec2_here(c), e->vpc_id);
}

status ec2_eni_any(
	struct ec2_place at, bool (*wanted)(const struct ec2_rec_eni *e, struct str with), struct str with, bool *yes)
{
	struct ec2_each e = ec2_each(at, &ec2_type_eni);
	*yes = false;
	while (!*yes && ec2_next(&e)) *yes = wanted(e.item.record, with);
	return ec2_each_end(&e);
}

status ec2_eni_of_instance(struct ec2_place at, struct str instance, struct ec2_enis *out)
{
	struct ec2_each e = ec2_each(at, &ec2_type_eni);
	size_t capacity = 0;
	*out = (struct ec2_enis){0};
	while (ec2_next(&e)) {
		const struct ec2_rec_eni *r = e.item.record;
		if (r->attachment && str_eq(r->attachment->instance_id, instance)) *VEC_PUSH(at.a, out, &capacity) = *r;
	}
	for (size_t i = 1; i < out->n; i++)
		for (size_t k = i;
			k > 0 && out->v[k].attachment->device_index.v < out->v[k - 1].attachment->device_index.v; k--) {
			struct ec2_rec_eni swap = out->v[k];
			out->v[k] = out->v[k - 1];
			out->v[k - 1] = swap;
		}
	return ec2_each_end(&e);
}

/* A given address of the subnet that is free. */
static status take_given(
	struct call *c, const struct ec2_rec_subnet *s, struct cidr block, struct str text, struct cidr *out)
{
	struct str who;
	if (!is_ok(cidr_parse_address(text, out)) || out->v6)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter privateIpAddress is invalid. This is "
			"not a valid IP address.",
			STR_ARG(text));
	if (!cidr_contains(block, *out))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Address %.*s does not fall within the subnet's address range", STR_ARG(text));
	if (ec2_ip_is_reserved(block, *out))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Address %.*s is in subnet's reserved address range", STR_ARG(text));
	status st = ec2_ip_owner(ec2_here(c), s->subnet_id, *out, &who);
	if (is_ok(st)) return call_fail(c, EC2_ERR_INVALID_IP_ADDRESS_IN_USE, "Address %.*s is in use.", STR_ARG(text));
	return status_is(st, STATUS_NOT_FOUND) ? OK : st;
}

status ec2_eni_add_address(struct call *c, const struct ec2_rec_subnet *s, struct ec2_rec_eni *e, struct str given)
{
	struct cidr block, address;
	size_t capacity = e->addresses.n;
	if (e->addresses.n >= ADDRESSES_MAX)
		return call_fail(c, EC2_ERR_PRIVATE_IP_ADDRESS_LIMIT_EXCEEDED,
			"Number of private addresses will exceed limit of %d for the interface.", ADDRESSES_MAX);
	if (!is_ok(cidr_parse(s->cidr_block, &block))) return STATUS(CORRUPT);
	if (str_has(given)) {
		TRY(take_given(c, s, block, given, &address));
	} else {
		status st = ec2_ip_choose(ec2_here(c), s->subnet_id, block, &address);
		if (status_is(st, STATUS_NOT_FOUND))
			return call_fail(c, EC2_ERR_INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET,
				"The specified subnet does not have enough free addresses to satisfy the request.");
		TRY(st);
	}
	ec2_ip_set(ec2_here(c), s->subnet_id, address, e->network_interface_id);
	*VEC_PUSH(c->arena, &e->addresses, &capacity) =
		(struct ec2_rec_eni_address){.private_ip_address = cidr_address_text(c->arena, address),
			.primary = SOME_BOOL(capacity == 0 || e->addresses.n == 1)};
	return OK;
}

status ec2_eni_add_ipv6(struct call *c, const struct ec2_rec_subnet *s, struct ec2_rec_eni *e, struct str given)
{
	struct cidr block, address;
	struct str who;
	size_t capacity = e->ipv6_addresses.n;
	if (!s->ipv6_cidr_block_association_set.n ||
		!is_ok(cidr_parse(s->ipv6_cidr_block_association_set.v[0].ipv6_cidr_block, &block)))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The subnet '%.*s' does not have an IPv6 CIDR block.", STR_ARG(s->subnet_id));
	if (str_has(given)) {
		if (!is_ok(cidr_parse_address(given, &address)) || !address.v6 || !cidr_contains(block, address))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Address %.*s does not fall within the subnet's address range", STR_ARG(given));
	} else {
		address = cidr_nth(block, 16 + rand_u64() % (UINT64_MAX >> 2));
	}
	status st = ec2_ip_owner(ec2_here(c), s->subnet_id, address, &who);
	if (is_ok(st))
		return call_fail(c, EC2_ERR_INVALID_IP_ADDRESS_IN_USE, "Address %.*s is in use.", STR_ARG(given));
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	ec2_ip_set(ec2_here(c), s->subnet_id, address, e->network_interface_id);
	*VEC_PUSH(c->arena, &e->ipv6_addresses, &capacity) =
		(struct ec2_rec_eni_address6){.ipv6_address = cidr_address_text(c->arena, address)};
	return OK;
}

static struct str mac_new(struct arena *a)
{
	uint8_t b[5];
	rand_bytes(b, sizeof(b));
	return str_fmt(a, "02:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4]);
}

bool ec2_eni_is_open(const struct ec2_rec_eni *e)
{
	return str_is(e->interface_type, "network_load_balancer") && !e->groups.n;
}

static status make(struct call *c, const struct ec2_eni_make *m, struct ec2_rec_eni *out)
{
	struct ec2_rec_subnet s;
	TRY(ec2_find(c, &ec2_type_subnet, m->subnet, &s));
	TRY(ec2_vpc_touch(ec2_here(c), s.vpc_id));
	*out = (struct ec2_rec_eni){.network_interface_id = ec2_new_id(c->arena, "eni-"),
		.subnet_id = s.subnet_id,
		.vpc_id = s.vpc_id,
		.availability_zone = s.availability_zone,
		.description = str_or(m->description, STR("")),
		.interface_type = str_or(m->type, STR("interface")),
		.mac_address = mac_new(c->arena),
		.source_dest_check = SOME_BOOL(true),
		.requester_id = m->requester_id,
		.requester_managed = SOME_BOOL(str_has(m->requester_id)),
		.place = m->place,
		.kind = m->kind,
		.token = m->token,
		.mesh = m->mesh,
		.created = SOME_TIME(c->now_ms)};
	bool open = str_is(out->interface_type, "network_load_balancer") && !m->n_groups;
	if (!str_is(out->interface_type, "nat_gateway") && !open)
		TRY(ec2_groups_for(c, s.vpc_id, m->groups, m->n_groups, &out->groups));
	TRY(ec2_eni_add_address(c, &s, out, m->address));
	for (size_t i = 0; i < m->n_addresses + m->more; i++)
		TRY(ec2_eni_add_address(c, &s, out, i < m->n_addresses ? m->addresses[i] : STR_NONE));
	size_t ipv6 = m->n_ipv6 + m->more_ipv6;
	if (!ipv6 && s.assign_ipv6_address_on_creation.v) ipv6 = 1;
	for (size_t i = 0; i < ipv6; i++) TRY(ec2_eni_add_ipv6(c, &s, out, i < m->n_ipv6 ? m->ipv6[i] : STR_NONE));
	ec2_put(ec2_here(c), &ec2_type_eni, out->network_interface_id, out);
	return m->tags ? ec2_tags_specified(c, m->tags, &ec2_type_eni, out->network_interface_id) : OK;
}

status ec2_eni_make(struct call *c, const struct ec2_eni_make *m, struct ec2_rec_eni *out)
{
	return told(c, make(c, m, out));
}

static status drop(struct call *c, struct str id)
{
	struct ec2_rec_eni e;
	struct cidr address;
	TRY(ec2_find(c, &ec2_type_eni, id, &e));
	for (size_t i = 0; i < e.addresses.n; i++) {
		const struct ec2_rec_eni_address *a = &e.addresses.v[i];
		if (str_has(a->allocation))
			TRY(ec2_address_disassociate(c, a->allocation));
		else if (str_has(a->public))
			ec2_public_give_back(ec2_here(c), a->public);
		if (is_ok(cidr_parse_address(a->private_ip_address, &address)))
			ec2_ip_clear(ec2_here(c), e.subnet_id, address);
	}
	for (size_t i = 0; i < e.ipv6_addresses.n; i++)
		if (is_ok(cidr_parse_address(e.ipv6_addresses.v[i].ipv6_address, &address)))
			ec2_ip_clear(ec2_here(c), e.subnet_id, address);
	TRY(ec2_vpc_touch(ec2_here(c), e.vpc_id));
	ec2_drop(ec2_here(c), &ec2_type_eni, id);
	return OK;
}

status ec2_eni_drop(struct call *c, struct str id)
{
	return told(c, drop(c, id));
}

static status attach(struct call *c, const struct ec2_eni_attach *how, struct str *attachment)
{
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, how->eni, &e));
	if (e.attachment)
		return call_fail(
			c, EC2_ERR_INVALID_NETWORK_INTERFACE_IN_USE, "Interface: [%.*s] in use.", STR_ARG(how->eni));
	e.attachment = arena_new(c->arena, struct ec2_rec_eni_attachment);
	*e.attachment = (struct ec2_rec_eni_attachment){.attachment_id = ec2_new_id(c->arena, "eni-attach-"),
		.instance_id = how->instance,
		.instance_owner_id = str_has(how->instance) ? c->account : str_or(e.requester_id, STR("amazon-aws")),
		.device_index = SOME_I32(how->device),
		.network_card_index = SOME_I32(0),
		.delete_on_termination = SOME_BOOL(how->delete_with),
		.attach_time = SOME_TIME(c->now_ms),
		.status = STR("attached")};
	e.place = how->place;
	e.kind = how->kind;
	if (attachment) *attachment = e.attachment->attachment_id;
	for (size_t i = 0; i < e.addresses.n; i++)
		if (str_has(e.addresses.v[i].allocation))
			TRY(ec2_address_instance(c, e.addresses.v[i].allocation, how->instance));
	return ec2_eni_save(c, &e);
}

status ec2_eni_attach(struct call *c, const struct ec2_eni_attach *how, struct str *attachment)
{
	return told(c, attach(c, how, attachment));
}

static status detach(struct call *c, struct str id)
{
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, id, &e));
	TRY(ec2_eni_public_take(c, id));
	TRY(ec2_find(c, &ec2_type_eni, id, &e));
	e.attachment = NULL;
	e.place = e.kind = STR_NONE;
	for (size_t i = 0; i < e.addresses.n; i++)
		if (str_has(e.addresses.v[i].allocation))
			TRY(ec2_address_instance(c, e.addresses.v[i].allocation, STR_NONE));
	return ec2_eni_save(c, &e);
}

status ec2_eni_detach(struct call *c, struct str id)
{
	return told(c, detach(c, id));
}

status ec2_eni_public_give(struct call *c, struct str id)
{
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, id, &e));
	if (str_has(e.addresses.v[0].public)) return OK;
	TRY(ec2_public_take(ec2_here(c), id, &e.addresses.v[0].public));
	return ec2_eni_save(c, &e);
}

status ec2_eni_public_take(struct call *c, struct str id)
{
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, id, &e));
	struct ec2_rec_eni_address *a = &e.addresses.v[0];
	if (!str_has(a->public) || str_has(a->allocation)) return OK;
	ec2_public_give_back(ec2_here(c), a->public);
	a->public = STR_NONE;
	return ec2_eni_save(c, &e);
}
