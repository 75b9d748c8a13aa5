/* Network interfaces: what clients do with them. Attaching to instances is in the instances' files. */
#include "services/ec2/network.h"

static const char *const filters[] = {"addresses.private-ip-address=PrivateIpAddresses.PrivateIpAddress",
	"addresses.primary=PrivateIpAddresses.Primary",
	"addresses.association.public-ip=PrivateIpAddresses.Association.PublicIp",
	"addresses.association.owner-id=PrivateIpAddresses.Association.IpOwnerId", "association.allocation-id",
	"association.association-id", "association.ip-owner-id", "association.public-dns-name", "association.public-ip",
	"attachment.attach-time", "attachment.attachment-id", "attachment.delete-on-termination",
	"attachment.device-index", "attachment.instance-id", "attachment.instance-owner-id", "attachment.status",
	"availability-zone", "availability-zone-id", "description", "group-id=Groups.GroupId",
	"group-name=Groups.GroupName", "interface-type", "ipv6-addresses.ipv6-address=Ipv6Addresses.Ipv6Address",
	"mac-address", "network-interface-id", "owner-id", "private-dns-name", "private-ip-address", "requester-id",
	"requester-managed", "source-dest-check", "status", "subnet-id", "vpc-id", NULL};

struct ec2_network_interface_association *ec2_eni_association(
	struct call *c, const struct ec2_item *item, const struct ec2_rec_eni_address *address)
{
	struct ec2_rec_vpc vpc;
	const struct ec2_rec_eni *e = item->record;
	if (!str_has(address->public)) return NULL;
	struct ec2_network_interface_association *a = arena_new(c->arena, struct ec2_network_interface_association);
	a->public_ip = address->public;
	a->allocation_id = address->allocation;
	a->association_id = address->association;
	a->ip_owner_id = str_has(address->allocation) ? item->at.account : STR("amazon");
	if (is_ok(ec2_load(item->at, &ec2_type_vpc, e->vpc_id, &vpc)) && vpc.dns_hostnames.v)
		a->public_dns_name = ec2_public_dns_name(c->arena, item->at.region, address->public);
	else
		a->public_dns_name = STR("");
	return a;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_eni *e = item->record;
	struct ec2_network_interface *out = to;
	struct ec2_rec_vpc vpc;
	size_t capacity = 0;
	bool hostnames = is_ok(ec2_load(item->at, &ec2_type_vpc, e->vpc_id, &vpc)) && vpc.dns_hostnames.v;
	out->owner_id = item->at.account;
	out->status = e->attachment ? STR("in-use") : STR("available");
	out->private_ip_address = e->addresses.v[0].private_ip_address;
	out->private_dns_name =
		hostnames ? ec2_private_dns_name(c->arena, item->at.region, out->private_ip_address) : STR_NONE;
	out->association = ec2_eni_association(c, item, &e->addresses.v[0]);
	if (out->association && out->association->public_dns_name.n)
		out->public_dns_name = out->association->public_dns_name;
	VEC_PRESENT(c->arena, &out->groups);
	VEC_PRESENT(c->arena, &out->ipv6_addresses);
	for (size_t i = 0; i < e->addresses.n; i++) {
		const struct ec2_rec_eni_address *a = &e->addresses.v[i];
		*VEC_PUSH(c->arena, &out->private_ip_addresses, &capacity) =
			(struct ec2_network_interface_private_ip_address){.private_ip_address = a->private_ip_address,
				.primary = SOME_BOOL(i == 0),
				.private_dns_name = hostnames ? ec2_private_dns_name(c->arena, item->at.region,
									a->private_ip_address)
							      : STR_NONE,
				.association = ec2_eni_association(c, item, a)};
	}
	capacity = 0;
	for (size_t i = 0; i < e->groups.n; i++) {
		struct ec2_rec_security_group g;
		status s = ec2_load(item->at, &ec2_type_security_group, e->groups.v[i], &g);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		*VEC_PUSH(c->arena, &out->groups, &capacity) =
			(struct ec2_group_identifier){.group_id = e->groups.v[i], .group_name = g.group_name};
	}
	return OK;
}

const struct ec2_type ec2_type_eni = {
	.name = "network-interface",
	.prefix = "eni-",
	.absent = "The networkInterface ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_NETWORK_INTERFACE_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_NETWORK_INTERFACE_ID_MALFORMED,
	.record = EC2_REC_ENI,
	.shape = EC2_SHAPE_NETWORK_INTERFACE,
	.filters = filters,
	.render = render,
};

/* privateIpAddresses names the primary one, or privateIpAddress does. */
static status read_addresses(
	struct call *c, const struct ec2_create_network_interface_input *in, struct ec2_eni_make *m)
{
	struct str *v = arena_new_n(c->arena, struct str, in->private_ip_addresses.n + 1);
	for (size_t i = 0; i < in->private_ip_addresses.n; i++) {
		const struct ec2_private_ip_address_specification *p = &in->private_ip_addresses.v[i];
		if (!p->primary.v) {
			v[m->n_addresses++] = p->private_ip_address;
			continue;
		}
		if (str_has(m->address))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"Only one primary private IP address can be specified.");
		m->address = p->private_ip_address;
	}
	m->addresses = v;
	return OK;
}

status ec2_create_network_interface(struct call *c, const struct ec2_create_network_interface_input *in,
	struct ec2_create_network_interface_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_eni};
	struct ec2_rec_eni e;
	struct ec2_eni_make m = {.subnet = in->subnet_id,
		.description = in->description,
		.address = in->private_ip_address,
		.groups = in->groups.v,
		.n_groups = in->groups.n,
		.more = in->secondary_private_ip_address_count.v > 0 ? (size_t)in->secondary_private_ip_address_count.v
								     : 0,
		.more_ipv6 = in->ipv6_address_count.v > 0 ? (size_t)in->ipv6_address_count.v : 0,
		.tags = &in->tag_specifications};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (in->ipv4_prefixes.n || in->ipv4_prefix_count.v || in->ipv6_prefixes.n || in->ipv6_prefix_count.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Prefixes delegated to interfaces are not implemented.");
	if (str_has(in->interface_type) && !str_is(in->interface_type, "interface"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Interfaces of this type are not implemented.");
	if (m.more > 50 || m.more_ipv6 > 50)
		return call_fail(c, EC2_ERR_PRIVATE_IP_ADDRESS_LIMIT_EXCEEDED,
			"Number of addresses exceeds the interface's limit.");
	TRY(read_addresses(c, in, &m));
	struct str *v6 = arena_new_n(c->arena, struct str, in->ipv6_addresses.n);
	for (size_t i = 0; i < in->ipv6_addresses.n; i++) v6[i] = in->ipv6_addresses.v[i].ipv6_address;
	m.ipv6 = v6;
	m.n_ipv6 = in->ipv6_addresses.n;
	TRY(ec2_eni_make(c, &m, &e));
	out->client_token = in->client_token;
	out->network_interface = arena_new(c->arena, struct ec2_network_interface);
	TRY(ec2_describe_one(c, &ec2_type_eni, e.network_interface_id, out->network_interface));
	out->network_interface->status = STR("pending");
	return OK;
}

status ec2_describe_network_interfaces(struct call *c, const struct ec2_describe_network_interfaces_input *in,
	struct ec2_describe_network_interfaces_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_eni, in, network_interface_ids, out, network_interfaces);
}

static status refuse_managed(struct call *c, const struct ec2_rec_eni *e)
{
	if (!e->requester_managed.v) return OK;
	return call_fail(
		c, EC2_ERR_OPERATION_NOT_PERMITTED, "You are not allowed to manage '%s' attachments.", "ela-attach");
}

status ec2_delete_network_interface(struct call *c, const struct ec2_delete_network_interface_input *in,
	struct ec2_delete_network_interface_output *out)
{
	(void)out;
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	if (e.attachment)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Network interface '%.*s' is currently in use.",
			STR_ARG(e.network_interface_id));
	TRY(refuse_managed(c, &e));
	return ec2_eni_drop(c, e.network_interface_id);
}

status ec2_modify_network_interface_attribute(struct call *c,
	const struct ec2_modify_network_interface_attribute_input *in,
	struct ec2_modify_network_interface_attribute_output *out)
{
	(void)out;
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	if (in->ena_srd_specification || in->connection_tracking_specification || in->associated_subnet_ids.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"ENA Express, tracking timeouts and associated subnets are not implemented.");
	if (in->description) e.description = str_or(in->description->value, STR(""));
	if (in->source_dest_check) {
		if (e.requester_managed.v) TRY(refuse_managed(c, &e));
		e.source_dest_check = SOME_BOOL(in->source_dest_check->value.v);
	}
	if (in->groups.n) {
		TRY(refuse_managed(c, &e));
		TRY(ec2_groups_for(c, e.vpc_id, in->groups.v, in->groups.n, &e.groups));
	}
	if (in->attachment) {
		if (!e.attachment || !str_eq(e.attachment->attachment_id, in->attachment->attachment_id))
			return call_fail(c, EC2_ERR_INVALID_ATTACHMENT_ID_NOT_FOUND,
				"The networkInterfaceAttachment ID '%.*s' does not exist",
				STR_ARG(in->attachment->attachment_id));
		if (in->attachment->delete_on_termination.has)
			e.attachment->delete_on_termination = in->attachment->delete_on_termination;
	}
	return ec2_eni_save(c, &e);
}

status ec2_reset_network_interface_attribute(struct call *c,
	const struct ec2_reset_network_interface_attribute_input *in,
	struct ec2_reset_network_interface_attribute_output *out)
{
	(void)out;
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	e.source_dest_check = SOME_BOOL(true);
	return ec2_eni_save(c, &e);
}

status ec2_describe_network_interface_attribute(struct call *c,
	const struct ec2_describe_network_interface_attribute_input *in,
	struct ec2_describe_network_interface_attribute_output *out)
{
	struct ec2_rec_eni e;
	struct ec2_network_interface shown = {0};
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	TRY(ec2_describe_one(c, &ec2_type_eni, e.network_interface_id, &shown));
	out->network_interface_id = e.network_interface_id;
	if (str_is(in->attribute, "description")) {
		out->description = arena_new(c->arena, struct ec2_attribute_value);
		out->description->value = e.description;
	} else if (str_is(in->attribute, "groupSet")) {
		out->groups = shown.groups;
	} else if (str_is(in->attribute, "sourceDestCheck")) {
		out->source_dest_check = arena_new(c->arena, struct ec2_attribute_boolean_value);
		out->source_dest_check->value = e.source_dest_check;
	} else if (str_is(in->attribute, "attachment")) {
		out->attachment = shown.attachment;
	} else {
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%.*s) for parameter attribute is invalid.",
			STR_ARG(in->attribute));
	}
	return OK;
}

status ec2_assign_private_ip_addresses(struct call *c, const struct ec2_assign_private_ip_addresses_input *in,
	struct ec2_assign_private_ip_addresses_output *out)
{
	struct ec2_rec_eni e;
	struct ec2_rec_subnet s;
	size_t capacity = 0, n = in->private_ip_addresses.n + (size_t)in->secondary_private_ip_address_count.v;
	if (in->ipv4_prefixes.n || in->ipv4_prefix_count.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Prefixes delegated to interfaces are not implemented.");
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	TRY(ec2_find(c, &ec2_type_subnet, e.subnet_id, &s));
	if (in->secondary_private_ip_address_count.v < 0 || n > 50)
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid number of secondary private IP addresses.");
	for (size_t i = 0; i < n; i++) {
		struct str given = i < in->private_ip_addresses.n ? in->private_ip_addresses.v[i] : STR_NONE, who;
		struct cidr address;
		/* AllowReassignment: it moves from the interface that has it. */
		if (in->allow_reassignment.v && str_has(given) && is_ok(cidr_parse_address(given, &address)) &&
			is_ok(ec2_ip_owner(ec2_here(c), s.subnet_id, address, &who)) &&
			!str_eq(who, e.network_interface_id))
			TRY(ec2_eni_unassign(c, who, &given, 1));
		TRY(ec2_eni_add_address(c, &s, &e, given));
		VEC_PUSH(c->arena, &out->assigned_private_ip_addresses, &capacity)->private_ip_address =
			e.addresses.v[e.addresses.n - 1].private_ip_address;
	}
	out->network_interface_id = e.network_interface_id;
	return ec2_eni_save(c, &e);
}

status ec2_eni_unassign(struct call *c, struct str eni, const struct str *addresses, size_t n)
{
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, eni, &e));
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		struct cidr address;
		while (at < e.addresses.n && !str_eq(e.addresses.v[at].private_ip_address, addresses[i])) at++;
		if (at == e.addresses.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Some of the specified addresses are not assigned to interface %.*s", STR_ARG(eni));
		if (at == 0)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Address %.*s is the primary address of the interface and cannot be unassigned.",
				STR_ARG(addresses[i]));
		if (str_has(e.addresses.v[at].allocation)) {
			TRY(ec2_address_disassociate(c, e.addresses.v[at].allocation));
			TRY(ec2_find(c, &ec2_type_eni, eni, &e));
		}
		if (is_ok(cidr_parse_address(addresses[i], &address))) ec2_ip_clear(ec2_here(c), e.subnet_id, address);
		for (; at + 1 < e.addresses.n; at++) e.addresses.v[at] = e.addresses.v[at + 1];
		e.addresses.n--;
	}
	return ec2_eni_save(c, &e);
}

status ec2_unassign_private_ip_addresses(struct call *c, const struct ec2_unassign_private_ip_addresses_input *in,
	struct ec2_unassign_private_ip_addresses_output *out)
{
	(void)out;
	return ec2_eni_unassign(c, in->network_interface_id, in->private_ip_addresses.v, in->private_ip_addresses.n);
}

status ec2_assign_ipv6_addresses(
	struct call *c, const struct ec2_assign_ipv6_addresses_input *in, struct ec2_assign_ipv6_addresses_output *out)
{
	struct ec2_rec_eni e;
	struct ec2_rec_subnet s;
	size_t capacity = 0, n = in->ipv6_addresses.n + (size_t)in->ipv6_address_count.v;
	if (in->ipv6_prefixes.n || in->ipv6_prefix_count.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Prefixes delegated to interfaces are not implemented.");
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	TRY(ec2_find(c, &ec2_type_subnet, e.subnet_id, &s));
	if (in->ipv6_address_count.v < 0 || n > 50)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid number of IPv6 addresses.");
	for (size_t i = 0; i < n; i++) {
		TRY(ec2_eni_add_ipv6(c, &s, &e, i < in->ipv6_addresses.n ? in->ipv6_addresses.v[i] : STR_NONE));
		*VEC_PUSH(c->arena, &out->assigned_ipv6_addresses, &capacity) =
			e.ipv6_addresses.v[e.ipv6_addresses.n - 1].ipv6_address;
	}
	out->network_interface_id = e.network_interface_id;
	return ec2_eni_save(c, &e);
}

status ec2_unassign_ipv6_addresses(struct call *c, const struct ec2_unassign_ipv6_addresses_input *in,
	struct ec2_unassign_ipv6_addresses_output *out)
{
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	for (size_t i = 0; i < in->ipv6_addresses.n; i++) {
		size_t at = 0;
		struct cidr address;
		while (at < e.ipv6_addresses.n && !str_eq(e.ipv6_addresses.v[at].ipv6_address, in->ipv6_addresses.v[i]))
			at++;
		if (at == e.ipv6_addresses.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Some of the specified addresses are not assigned to interface %.*s",
				STR_ARG(e.network_interface_id));
		if (is_ok(cidr_parse_address(in->ipv6_addresses.v[i], &address)))
			ec2_ip_clear(ec2_here(c), e.subnet_id, address);
		for (; at + 1 < e.ipv6_addresses.n; at++) e.ipv6_addresses.v[at] = e.ipv6_addresses.v[at + 1];
		e.ipv6_addresses.n--;
	}
	out->network_interface_id = e.network_interface_id;
	out->unassigned_ipv6_addresses.v = in->ipv6_addresses.v;
	out->unassigned_ipv6_addresses.n = in->ipv6_addresses.n;
	return ec2_eni_save(c, &e);
}
