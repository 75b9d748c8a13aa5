/* Network interfaces of new instances: where the primary one goes, and the making of all of them by the network half.
 */
#include "services/ec2/instance.h"

/* The default VPC's subnet in the zone asked for, or in any that works. */
static status default_subnet(struct call *c, struct ec2_run_plan *p)
{
	struct str vpc, zone = STR_NONE;
	if (p->in.placement) {
		struct ec2_zone z;
		TRY(ec2_zone_find(c, p->in.placement->availability_zone, p->in.placement->availability_zone_id, &z));
		zone = z.name;
	}
	TRY(ec2_default_vpc(ec2_here(c), &vpc));
	if (!str_has(vpc)) return call_fail(c, EC2_ERR_VPC_ID_NOT_SPECIFIED, "No default VPC for this user");
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
	bool found = false;
	while (!found && ec2_next(&e)) {
		const struct ec2_rec_subnet *s = e.item.record;
		if (!s->default_for_az.v || !str_eq(s->vpc_id, vpc)) continue;
		if (str_has(zone) ? !str_eq(zone, s->availability_zone)
				  : ec2_zone_is_down(c->tx, c->arena, s->availability_zone))
			continue;
		p->subnet = *s;
		found = true;
	}
	TRY(ec2_each_end(&e));
	if (!found)
		return call_fail(c, EC2_ERR_MISSING_INPUT,
			"No subnets found for the default VPC '%.*s'. Please specify a subnet.", STR_ARG(vpc));
	return OK;
}

/* "You can't specify both a security group ID and a security name in the same request": names are those of the VPC. */
static status group_ids(struct call *c, struct ec2_run_plan *p, const struct ec2_security_group_id_string_list *ids,
	const struct ec2_security_group_string_list *names)
{
	p->groups = ids->v;
	p->n_groups = ids->n;
	if (!names->n) return OK;
	if (ids->n)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameter groupName cannot be used with the parameter groupId");
	p->groups = arena_new_n(c->arena, struct str, names->n);
	p->n_groups = names->n;
	for (size_t i = 0; i < names->n; i++) {
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_security_group);
		while (ec2_next(&e)) {
			const struct ec2_rec_security_group *g = e.item.record;
			if (str_eq(g->group_name, names->v[i]) && str_eq(g->vpc_id, p->subnet.vpc_id))
				p->groups[i] = g->group_id;
		}
		TRY(ec2_each_end(&e));
		if (!str_has(p->groups[i]))
			return call_fail(c, EC2_ERR_INVALID_GROUP_NOT_FOUND,
				"The security group '%.*s' does not exist in VPC '%.*s'", STR_ARG(names->v[i]),
				STR_ARG(p->subnet.vpc_id));
	}
	return OK;
}

static const struct ec2_instance_network_interface_specification *primary(const struct ec2_run_plan *p)
{
	for (size_t i = 0; i < p->in.network_interfaces.n; i++)
		if (p->in.network_interfaces.v[i].device_index.v == 0) return &p->in.network_interfaces.v[i];
	return NULL;
}

static status check_interfaces(struct call *c, const struct ec2_run_plan *p)
{
	const struct ec2_instance_network_interface_specification_list *l = &p->in.network_interfaces;
	if (l->n > p->type.interfaces)
		return call_fail(c, EC2_ERR_ATTACHMENT_LIMIT_EXCEEDED, "Interface count %zu exceeds the limit for %.*s",
			l->n, STR_ARG(p->type.name));
	if (!primary(p))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "A primary network interface (device index 0) is needed.");
	if (str_has(p->in.subnet_id) || p->in.security_group_ids.n || p->in.security_groups.n ||
		str_has(p->in.private_ip_address))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"Network interfaces and an instance-level %s may not be specified on the same request",
			str_has(p->in.subnet_id)            ? "subnet ID"
			: str_has(p->in.private_ip_address) ? "private address"
							    : "security groups");
	for (size_t i = 0; i < l->n; i++) {
		const struct ec2_instance_network_interface_specification *s = &l->v[i];
		for (size_t k = 0; k < i; k++)
			if (l->v[k].device_index.v == s->device_index.v)
				return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
					"Each network interface requires a unique device index.");
		if (str_has(s->network_interface_id) && p->count > 1)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"An existing network interface can be attached to one instance only.");
		if (s->associate_public_ip_address.v && l->n > 1)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"The associatePublicIPAddress parameter cannot be specified when launching with "
				"multiple network "
				"interfaces.");
	}
	return OK;
}

status ec2_run_network(struct call *c, struct ec2_run_plan *p)
{
	const struct ec2_security_group_string_list none = {0};
	if (!p->in.network_interfaces.n) {
		if (str_has(p->in.subnet_id))
			TRY(ec2_find(c, &ec2_type_subnet, p->in.subnet_id, &p->subnet));
		else
			TRY(default_subnet(c, p));
		if (str_has(p->in.private_ip_address) && p->count > 1)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"A private address can be given to one instance only.");
		TRY(group_ids(c, p, &p->in.security_group_ids, &p->in.security_groups));
	} else {
		TRY(check_interfaces(c, p));
		const struct ec2_instance_network_interface_specification *s = primary(p);
		if (str_has(s->network_interface_id)) {
			struct ec2_rec_eni e;
			TRY(ec2_find(c, &ec2_type_eni, s->network_interface_id, &e));
			if (e.attachment)
				return call_fail(c, EC2_ERR_INVALID_NETWORK_INTERFACE_IN_USE,
					"Interface: [%.*s] in use.", STR_ARG(s->network_interface_id));
			TRY(ec2_find(c, &ec2_type_subnet, e.subnet_id, &p->subnet));
		} else if (str_has(s->subnet_id)) {
			TRY(ec2_find(c, &ec2_type_subnet, s->subnet_id, &p->subnet));
		} else {
			TRY(default_subnet(c, p));
		}
		TRY(group_ids(c, p, &s->groups, &none));
	}
	if (ec2_zone_is_down(c->tx, c->arena, p->subnet.availability_zone))
		return call_fail(c, EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY,
			"We currently do not have sufficient %.*s capacity in the Availability Zone you requested "
			"(%.*s). Our system "
			"will be working on provisioning additional capacity.",
			STR_ARG(p->type.name), STR_ARG(p->subnet.availability_zone));
	return OK;
}

static status plug(struct call *c, struct str eni, struct str instance, int32_t device, bool delete_with)
{
	struct str attachment;
	return ec2_eni_attach(c,
		&(struct ec2_eni_attach){.eni = eni,
			.instance = instance,
			.place = instance,
			.kind = STR("machine"),
			.device = device,
			.delete_with = delete_with},
		&attachment);
}

static struct ec2_tag_specification_list tags_for_interfaces(const struct ec2_run_plan *p)
{
	return p->in.tag_specifications;
}

/* One by the request's NetworkInterface.N. */
static status specified(struct call *c, const struct ec2_run_plan *p,
	const struct ec2_instance_network_interface_specification *s, struct str instance)
{
	struct ec2_rec_eni e;
	struct ec2_rec_subnet subnet = p->subnet;
	struct ec2_tag_specification_list tags = tags_for_interfaces(p);
	if (str_has(s->network_interface_id))
		return plug(c, s->network_interface_id, instance, s->device_index.v, s->delete_on_termination.v);
	if (str_has(s->subnet_id)) TRY(ec2_find(c, &ec2_type_subnet, s->subnet_id, &subnet));
	if (!str_eq(subnet.availability_zone, p->subnet.availability_zone))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"All network interfaces have to be in one Availability Zone.");
	struct str address = s->private_ip_address;
	struct str *more = arena_new_n(c->arena, struct str, s->private_ip_addresses.n);
	size_t n = 0;
	for (size_t i = 0; i < s->private_ip_addresses.n; i++) {
		if (s->private_ip_addresses.v[i].primary.v)
			address = s->private_ip_addresses.v[i].private_ip_address;
		else
			more[n++] = s->private_ip_addresses.v[i].private_ip_address;
	}
	struct str *ipv6 = arena_new_n(c->arena, struct str, s->ipv6_addresses.n);
	for (size_t i = 0; i < s->ipv6_addresses.n; i++) ipv6[i] = s->ipv6_addresses.v[i].ipv6_address;
	TRY(ec2_eni_make(c,
		&(struct ec2_eni_make){.subnet = subnet.subnet_id,
			.description = str_or(s->description, STR("")),
			.address = address,
			.groups = s->groups.v,
			.n_groups = s->groups.n,
			.addresses = more,
			.n_addresses = n,
			.more = s->secondary_private_ip_address_count.has
					? (size_t)s->secondary_private_ip_address_count.v
					: 0,
			.ipv6 = ipv6,
			.n_ipv6 = s->ipv6_addresses.n,
			.more_ipv6 = s->ipv6_address_count.has ? (size_t)s->ipv6_address_count.v : 0,
			.tags = &tags},
		&e));
	bool keep = s->delete_on_termination.has && !s->delete_on_termination.v;
	TRY(plug(c, e.network_interface_id, instance, s->device_index.v, !keep));
	bool public = s->associate_public_ip_address.has
			      ? s->associate_public_ip_address.v
			      : subnet.map_public_ip_on_launch.v && p->in.network_interfaces.n == 1;
	return public && s->device_index.v == 0 ? ec2_eni_public_give(c, e.network_interface_id) : OK;
}

status ec2_run_interfaces(struct call *c, const struct ec2_run_plan *p, struct str instance)
{
	struct ec2_rec_eni e;
	struct ec2_tag_specification_list tags = tags_for_interfaces(p);
	for (size_t i = 0; i < p->in.network_interfaces.n; i++)
		TRY(specified(c, p, &p->in.network_interfaces.v[i], instance));
	if (p->in.network_interfaces.n) return OK;
	struct str *ipv6 = arena_new_n(c->arena, struct str, p->in.ipv6_addresses.n);
	for (size_t i = 0; i < p->in.ipv6_addresses.n; i++) ipv6[i] = p->in.ipv6_addresses.v[i].ipv6_address;
	size_t more6 = p->in.ipv6_address_count.has ? (size_t)p->in.ipv6_address_count.v : 0;
	if (!more6 && !p->in.ipv6_addresses.n && p->subnet.assign_ipv6_address_on_creation.v) more6 = 1;
	TRY(ec2_eni_make(c,
		&(struct ec2_eni_make){.subnet = p->subnet.subnet_id,
			.description = STR(""),
			.address = p->in.private_ip_address,
			.groups = p->groups,
			.n_groups = p->n_groups,
			.ipv6 = ipv6,
			.n_ipv6 = p->in.ipv6_addresses.n,
			.more_ipv6 = more6,
			.tags = &tags},
		&e));
	TRY(plug(c, e.network_interface_id, instance, 0, true));
	return p->subnet.map_public_ip_on_launch.v ? ec2_eni_public_give(c, e.network_interface_id) : OK;
}
