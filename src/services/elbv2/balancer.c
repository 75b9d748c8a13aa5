/* Load balancers: made, described, moved between subnets and security groups, deleted. A balancer has one network
 * interface in each of its subnets, "ELB app/NAME/ID", requester-managed, on which its node serves (controller.c). */
#include "base/rand.h"
#include "services/ec2/volume.h"
#include "services/elbv2/room.h"

/* ── what it is called ── */

static struct str zone_id(struct str region, bool app)
{
	static const struct {
		const char *region, *app, *net;
	} ids[] = {{"us-east-1", "Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"}, {"us-east-2", "Z3AADJGX6KTTL2", "ZLMOA37VPKANP"},
		{"us-west-1", "Z368ELLRRE2KJ0", "Z24FKFUX50B4VW"}, {"us-west-2", "Z1H1FL5HABSF5", "Z18D5FSROUN65G"},
		{"eu-west-1", "Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"},
		{"eu-central-1", "Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"}};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (str_eq(region, str_c(ids[i].region))) return str_c(app ? ids[i].app : ids[i].net);
	return str_c(app ? ids[0].app : ids[0].net);
}

static struct str dns_name(struct call *c, const struct elbv2_rec_balancer *b)
{
	if (elbv2_is_app(b)) return str_fmt(c->arena, "%.*s.%.*s.elb.localhost", STR_ARG(b->label), STR_ARG(c->region));
	return str_fmt(c->arena, "%.*s.elb.%.*s.localhost", STR_ARG(b->label), STR_ARG(c->region));
}

static void show_zones(struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_availability_zones *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < b->zones.n; i++) {
		const struct elbv2_rec_zone *z = &b->zones.v[i];
		struct elbv2_availability_zone *o = VEC_PUSH(c->arena, out, &capacity);
		size_t n = 0;
		o->zone_name = z->zone;
		o->subnet_id = z->subnet;
		VEC_PRESENT(c->arena, &o->load_balancer_addresses);
		if (!str_has(z->allocation) && !z->fixed.v) continue;
		struct elbv2_load_balancer_address *a = VEC_PUSH(c->arena, &o->load_balancer_addresses, &n);
		a->allocation_id = z->allocation;
		a->ip_address = str_has(z->allocation) ? z->public : STR_NONE;
		a->private_i_pv4_address = z->fixed.v ? z->address : STR_NONE;
	}
}

static void show(struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_load_balancer *out)
{
	size_t capacity = 0;
	out->load_balancer_arn = elbv2_balancer_arn(ec2_here(c), b);
	out->dns_name = dns_name(c, b);
	out->canonical_hosted_zone_id = zone_id(c->region, elbv2_is_app(b));
	out->created_time = b->created;
	out->load_balancer_name = b->name;
	out->scheme = b->scheme;
	out->vpc_id = b->vpc;
	out->state = arena_new(c->arena, struct elbv2_load_balancer_state);
	out->state->code = b->state;
	out->state->reason = b->reason;
	out->type = b->type;
	show_zones(c, b, &out->availability_zones);
	for (size_t i = 0; i < b->security_groups.n; i++)
		*VEC_PUSH(c->arena, &out->security_groups, &capacity) = b->security_groups.v[i];
	out->ip_address_type = b->ip_address_type;
	out->enforce_security_group_inbound_rules_on_private_link_traffic = b->enforce_private_link;
}

/* ── subnets ── */

struct place_asked {
	struct str subnet, allocation, address;
	struct ec2_rec_subnet s;
};
struct places {
	struct place_asked *v;
	size_t n;
};

static bool attached_to(const struct ec2_rec_internet_gateway *g, struct str vpc)
{
	return str_eq(g->vpc, vpc);
}

static status has_gateway(struct call *c, struct str vpc)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_internet_gateway);
	bool yes = false;
	while (!yes && ec2_next(&e)) yes = attached_to(e.item.record, vpc);
	TRY(ec2_each_end(&e));
	if (!yes) return ELBV2_FAIL(c, INVALID_SUBNET, "VPC %.*s has no internet gateway", STR_ARG(vpc));
	return OK;
}

/* Subnets or SubnetMappings, of one VPC, one to a zone. */
static status read_places(struct call *c, const struct elbv2_subnets *subnets,
	const struct elbv2_subnet_mappings *mappings, bool app, bool internal, struct places *out)
{
	size_t capacity = 0;
	*out = (struct places){0};
	if (subnets->n && mappings->n)
		return call_fail(c, ERR_VALIDATION, "Subnets and subnet mappings cannot be specified at the same time");
	for (size_t i = 0; i < subnets->n; i++) VEC_PUSH(c->arena, out, &capacity)->subnet = subnets->v[i];
	for (size_t i = 0; i < mappings->n; i++) {
		const struct elbv2_subnet_mapping *m = &mappings->v[i];
		struct place_asked *p = VEC_PUSH(c->arena, out, &capacity);
		*p = (struct place_asked){
			.subnet = m->subnet_id, .allocation = m->allocation_id, .address = m->private_i_pv4_address};
		if (str_has(m->i_pv6_address) || str_has(m->source_nat_ipv6_prefix))
			return call_fail(
				c, ERR_NOT_IMPLEMENTED, "IPv6 addresses of subnet mappings are not implemented.");
		if (!str_has(p->subnet)) return call_fail(c, ERR_VALIDATION, "A subnet ID must be specified");
		if (app && (str_has(p->allocation) || str_has(p->address)))
			return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"Addresses cannot be specified for load balancers of type 'application'");
		if (internal && str_has(p->allocation))
			return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"Allocation IDs cannot be specified for internal load balancers");
		if (!internal && str_has(p->address))
			return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"Private IPv4 addresses can only be specified for internal load balancers");
	}
	if (!out->n) return call_fail(c, ERR_VALIDATION, "At least one subnet must be specified");
	for (size_t i = 0; i < out->n; i++) {
		struct place_asked *p = &out->v[i];
		status s = ec2_load(ec2_here(c), &ec2_type_subnet, p->subnet, &p->s);
		if (status_is(s, STATUS_NOT_FOUND))
			return ELBV2_FAIL(
				c, SUBNET_NOT_FOUND, "The subnet ID '%.*s' does not exist", STR_ARG(p->subnet));
		TRY(s);
		if (!str_eq(p->s.vpc_id, out->v[0].s.vpc_id))
			return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"All subnets must belong to the same VPC: '%.*s'", STR_ARG(out->v[0].s.vpc_id));
		for (size_t k = 0; k < i; k++)
			if (str_eq(p->s.availability_zone, out->v[k].s.availability_zone))
				return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
					"A load balancer cannot be attached to multiple subnets in the same "
					"Availability Zone");
		if (str_has(p->allocation)) {
			struct ec2_rec_address a;
			s = ec2_load(ec2_here(c), &ec2_type_address, p->allocation, &a);
			if (status_is(s, STATUS_NOT_FOUND))
				return ELBV2_FAIL(c, ALLOCATION_ID_NOT_FOUND, "The allocation IDs '%.*s' do not exist",
					STR_ARG(p->allocation));
			TRY(s);
			if (str_has(a.association_id))
				return ELBV2_FAIL(c, RESOURCE_IN_USE,
					"The allocation IDs are not available for use: '%.*s'", STR_ARG(p->allocation));
		}
	}
	if (app && out->n < 2)
		return call_fail(c, ERR_VALIDATION,
			"At least two subnets in two different Availability Zones must be specified");
	return internal ? OK : has_gateway(c, out->v[0].s.vpc_id);
}

/* ── interfaces ── */

static status add_zone(struct call *c, struct elbv2_rec_balancer *b, const struct place_asked *p, size_t *capacity)
{
	struct ec2_rec_eni e;
	bool app = elbv2_is_app(b);
	struct ec2_eni_make m = {.subnet = p->subnet,
		.description = elbv2_is_classic(b) ? str_fmt(c->arena, "ELB %.*s", STR_ARG(str_from(b->name, 8)))
						   : str_fmt(c->arena, "ELB %s/%.*s/%.*s", app ? "app" : "net",
							     STR_ARG(b->name), STR_ARG(b->id)),
		.address = p->address,
		.groups = b->security_groups.v,
		.n_groups = b->security_groups.n,
		.type = app ? STR_NONE : STR("network_load_balancer"),
		.requester_id = STR("amazon-elb")};
	TRY(ec2_eni_make(c, &m, &e));
	struct ec2_eni_attach how = {
		.eni = e.network_interface_id, .place = e.network_interface_id, .kind = STR("service"), .device = 0};
	TRY(ec2_eni_attach(c, &how, NULL));
	if (str_has(p->allocation)) {
		struct str association;
		TRY(ec2_address_associate(c, p->allocation, e.network_interface_id, STR_NONE, false, &association));
	} else if (str_is(b->scheme, "internet-facing")) {
		TRY(ec2_eni_public_give(c, e.network_interface_id));
	}
	TRY(ec2_load(ec2_here(c), &ec2_type_eni, e.network_interface_id, &e));
	*VEC_PUSH(c->arena, &b->zones, capacity) = (struct elbv2_rec_zone){.zone = p->s.availability_zone,
		.subnet = p->subnet,
		.eni = e.network_interface_id,
		.address = e.addresses.v[0].private_ip_address,
		.allocation = p->allocation,
		.public = e.addresses.v[0].public,
		.ipv6 = e.ipv6_addresses.n ? e.ipv6_addresses.v[0].ipv6_address : STR_NONE,
		.fixed = SOME_BOOL(str_has(p->address))};
	return OK;
}

static status check_groups(
	struct call *c, struct str vpc, const struct elbv2_security_groups *given, struct elbv2_rec_strings *out)
{
	size_t capacity = 0;
	*out = (struct elbv2_rec_strings){0};
	for (size_t i = 0; i < given->n; i++) {
		struct ec2_rec_security_group g;
		status s = ec2_load(ec2_here(c), &ec2_type_security_group, given->v[i], &g);
		if (status_is(s, STATUS_NOT_FOUND))
			return ELBV2_FAIL(c, INVALID_SECURITY_GROUP, "One or more security groups are invalid");
		TRY(s);
		if (!str_eq(g.vpc_id, vpc))
			return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"One or more security groups do not belong to the VPC '%.*s'", STR_ARG(vpc));
		if (!elbv2_among(out, given->v[i])) *VEC_PUSH(c->arena, out, &capacity) = given->v[i];
	}
	if (out->n > 5)
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST, "The maximum number of security groups is 5");
	return OK;
}

/* ── CreateLoadBalancer ── */

static status check_create(struct call *c, const struct elbv2_create_load_balancer_input *in)
{
	if (str_is(in->type, "gateway"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Gateway Load Balancers are not implemented.");
	if (str_has(in->customer_owned_ipv4_pool) || in->ipam_pools ||
		str_is(in->enable_prefix_for_ipv6_source_nat, "on"))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Customer-owned address pools, IPAM pools and IPv6 source NAT are not implemented.");
	if (str_is(in->ip_address_type, "dualstack-without-public-ipv4"))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"The IP address type 'dualstack-without-public-ipv4' is not implemented.");
	TRY(elbv2_name_check(c, "load balancer", in->name));
	if (str_starts(in->name, STR("internal-")))
		return call_fail(c, ERR_VALIDATION, "The load balancer name '%.*s' cannot begin with 'internal-'",
			STR_ARG(in->name));
	return OK;
}

static bool same_subnets(const struct elbv2_rec_balancer *b, const struct places *p)
{
	if (b->zones.n != p->n) return false;
	for (size_t i = 0; i < p->n; i++) {
		bool there = false;
		for (size_t k = 0; k < b->zones.n; k++) there = there || str_eq(b->zones.v[k].subnet, p->v[i].subnet);
		if (!there) return false;
	}
	return true;
}

/* "This operation is idempotent, which means that it completes at most one time." */
static status there_already(struct call *c, const struct elbv2_rec_balancer *wanted, const struct places *p, bool *yes)
{
	struct elbv2_rec_balancer b;
	status s = elbv2_balancer_get(ec2_here(c), wanted->name, &b);
	*yes = false;
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	*yes = str_eq(b.type, wanted->type) && str_eq(b.scheme, wanted->scheme) && same_subnets(&b, p) &&
	       str_eq(b.ip_address_type, wanted->ip_address_type) && b.security_groups.n == wanted->security_groups.n;
	for (size_t i = 0; *yes && i < b.security_groups.n; i++)
		*yes = elbv2_among(&wanted->security_groups, b.security_groups.v[i]);
	if (*yes) return OK;
	return ELBV2_FAIL(c, DUPLICATE_LOAD_BALANCER_NAME,
		"A load balancer with the same name '%.*s' exists, but with different settings", STR_ARG(b.name));
}

static status count_balancers(struct call *c, struct str type)
{
	struct elbv2_all_balancers all;
	size_t n = 0;
	TRY(elbv2_balancers(ec2_here(c), &all));
	for (size_t i = 0; i < all.n; i++) n += str_eq(all.v[i].type, type);
	if (n >= ELBV2_BALANCERS_MAX)
		return ELBV2_FAIL(c, TOO_MANY_LOAD_BALANCERS, "The maximum number of load balancers has been reached");
	return OK;
}

static struct str new_label(struct call *c, const struct elbv2_rec_balancer *b)
{
	struct str digits = elbv2_is_app(b) ? rand_text(c->arena, STR("123456789"), 10) : b->id;
	const char *inside = str_is(b->scheme, "internal") && elbv2_is_app(b) ? "internal-" : "";
	return str_lower(c->arena, str_fmt(c->arena, "%s%.*s-%.*s", inside, STR_ARG(b->name), STR_ARG(digits)));
}

status elbv2_create_load_balancer(struct call *c, const struct elbv2_create_load_balancer_input *in,
	struct elbv2_create_load_balancer_output *out)
{
	struct elbv2_rec_balancer b = {.name = in->name,
		.type = str_or(in->type, STR("application")),
		.scheme = str_or(in->scheme, STR("internet-facing")),
		.ip_address_type = str_or(in->ip_address_type, STR("ipv4")),
		.created = SOME_TIME(c->now_ms),
		.state = STR("provisioning")};
	struct places places;
	size_t capacity = 0, zones = 0;
	bool same;
	TRY(check_create(c, in));
	TRY(read_places(
		c, &in->subnets, &in->subnet_mappings, elbv2_is_app(&b), str_is(b.scheme, "internal"), &places));
	b.vpc = places.v[0].s.vpc_id;
	TRY(check_groups(c, b.vpc, &in->security_groups, &b.security_groups));
	if (!b.security_groups.n && elbv2_is_app(&b)) {
		struct ec2_rec_strings usual;
		TRY(ec2_groups_for(c, b.vpc, NULL, 0, &usual));
		b.security_groups = (struct elbv2_rec_strings){usual.v, usual.n};
	}
	TRY(there_already(c, &b, &places, &same));
	if (same) {
		TRY(elbv2_balancer_get(ec2_here(c), in->name, &b));
		show(c, &b, VEC_PUSH(c->arena, &out->load_balancers, &capacity));
		return OK;
	}
	TRY(count_balancers(c, b.type));
	TRY(elbv2_tags_given(c, &b.tags, &in->tags));
	b.id = elbv2_new_id(c->arena);
	b.label = new_label(c, &b);
	for (size_t i = 0; i < places.n; i++) TRY(add_zone(c, &b, &places.v[i], &zones));
	elbv2_balancer_changed(c, &b);
	show(c, &b, VEC_PUSH(c->arena, &out->load_balancers, &capacity));
	return OK;
}

status elbv2_describe_load_balancers(struct call *c, const struct elbv2_describe_load_balancers_input *in,
	struct elbv2_describe_load_balancers_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_all_balancers all;
	size_t capacity = 0;
	if (in->load_balancer_arns.n && in->names.n)
		return call_fail(c, ERR_VALIDATION,
			"Load balancer names and load balancer ARNs cannot be specified at the same time");
	if (in->load_balancer_arns.n > 20 || in->names.n > 20)
		return call_fail(c, ERR_VALIDATION, "Up to 20 load balancers can be described at a time");
	for (size_t i = 0; i < in->load_balancer_arns.n; i++) {
		TRY(elbv2_balancer_find(c, in->load_balancer_arns.v[i], &b));
		show(c, &b, VEC_PUSH(c->arena, &out->load_balancers, &capacity));
	}
	for (size_t i = 0; i < in->names.n; i++) {
		status s = elbv2_balancer_get(ec2_here(c), in->names.v[i], &b);
		if (is_ok(s) && elbv2_is_classic(&b)) s = STATUS(NOT_FOUND);
		if (status_is(s, STATUS_NOT_FOUND))
			return ELBV2_FAIL(c, LOAD_BALANCER_NOT_FOUND, "Load balancers '[%.*s]' not found",
				STR_ARG(in->names.v[i]));
		TRY(s);
		show(c, &b, VEC_PUSH(c->arena, &out->load_balancers, &capacity));
	}
	if (!in->load_balancer_arns.n && !in->names.n) {
		TRY(elbv2_balancers(ec2_here(c), &all));
		for (size_t i = 0; i < all.n; i++)
			if (!elbv2_is_classic(&all.v[i]))
				show(c, &all.v[i], VEC_PUSH(c->arena, &out->load_balancers, &capacity));
	}
	return elbv2_page(
		c, &out->load_balancers, sizeof(*out->load_balancers.v), in->page_size, in->marker, &out->next_marker);
}

/* "You can't delete a load balancer if deletion protection is enabled. If the load balancer does not exist or has
 * already been deleted, the call succeeds." */
status elbv2_delete_load_balancer(struct call *c, const struct elbv2_delete_load_balancer_input *in,
	struct elbv2_delete_load_balancer_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_all_listeners listeners;
	struct elbv2_all_groups groups;
	(void)out;
	status s = elbv2_balancer_find(c, in->load_balancer_arn, &b);
	if (status_is(s, STATUS_FAILED) && c->failure.id == ELBV2_ERR_LOAD_BALANCER_NOT_FOUND_EXCEPTION) {
		c->failure = (struct wire_failure){0};
		return OK;
	}
	TRY(s);
	if (str_is(elbv2_balancer_attribute(&b, "deletion_protection.enabled"), "true"))
		return ELBV2_FAIL(c, OPERATION_NOT_PERMITTED,
			"Load balancer '%.*s' cannot be deleted because deletion protection is enabled",
			STR_ARG(in->load_balancer_arn));
	/* An Application Load Balancer that is a Network Load Balancer's target cannot go. */
	TRY(elbv2_groups(ec2_here(c), &groups));
	for (size_t i = 0; i < groups.n; i++) {
		struct elbv2_all_targets targets;
		if (!str_is(groups.v[i].target_type, "alb")) continue;
		TRY(elbv2_targets(ec2_here(c), groups.v[i].id, &targets));
		for (size_t k = 0; k < targets.n; k++)
			if (str_eq(targets.v[k].id, in->load_balancer_arn))
				return ELBV2_FAIL(c, RESOURCE_IN_USE,
					"Load balancer '%.*s' is registered as a target of a target group",
					STR_ARG(in->load_balancer_arn));
	}
	TRY(elbv2_listeners(ec2_here(c), b.id, &listeners));
	for (size_t i = 0; i < listeners.n; i++) TRY(elbv2_listener_delete(c, &b, &listeners.v[i]));
	elbv2_balancer_drop(ec2_here(c), &b);
	elbv2_mark_gone(ec2_here(c), &b);
	ec2_poke_jobs(c);
	return OK;
}

/* ── changes ── */

static status keep_zones(struct call *c, struct elbv2_rec_balancer *b, const struct places *places)
{
	struct elbv2_rec_zones old = b->zones;
	size_t capacity = 0;
	b->zones = (struct elbv2_rec_zones){0};
	for (size_t i = 0; i < places->n; i++) {
		const struct elbv2_rec_zone *had = NULL;
		for (size_t k = 0; k < old.n; k++)
			if (str_eq(old.v[k].subnet, places->v[i].subnet)) had = &old.v[k];
		if (had)
			*VEC_PUSH(c->arena, &b->zones, &capacity) = *had;
		else
			TRY(add_zone(c, b, &places->v[i], &capacity));
	}
	struct elbv2_rec_balancer leaving = {.id = b->id, .name = b->name};
	size_t n = 0;
	for (size_t k = 0; k < old.n; k++) {
		bool stays = false;
		for (size_t i = 0; i < places->n; i++) stays = stays || str_eq(old.v[k].subnet, places->v[i].subnet);
		if (!stays) *VEC_PUSH(c->arena, &leaving.zones, &n) = old.v[k];
	}
	if (leaving.zones.n) elbv2_mark_gone(ec2_here(c), &leaving);
	return OK;
}

static status set_groups(struct call *c, const struct elbv2_rec_balancer *b)
{
	for (size_t i = 0; i < b->zones.n; i++) {
		struct ec2_rec_eni e;
		TRY(ec2_load(ec2_here(c), &ec2_type_eni, b->zones.v[i].eni, &e));
		e.groups = (struct ec2_rec_strings){b->security_groups.v, b->security_groups.n};
		TRY(ec2_eni_save(c, &e));
	}
	return OK;
}

status elbv2_zones_set(struct call *c, struct elbv2_rec_balancer *b, const struct elbv2_rec_strings *subnets)
{
	struct places places = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < subnets->n; i++) {
		struct place_asked *p = VEC_PUSH(c->arena, &places, &capacity);
		*p = (struct place_asked){.subnet = subnets->v[i]};
		TRY(ec2_load(ec2_here(c), &ec2_type_subnet, p->subnet, &p->s));
	}
	TRY(keep_zones(c, b, &places));
	return set_groups(c, b);
}

status elbv2_set_subnets(struct call *c, const struct elbv2_set_subnets_input *in, struct elbv2_set_subnets_output *out)
{
	struct elbv2_rec_balancer b;
	struct places places;
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	if (str_is(in->ip_address_type, "dualstack-without-public-ipv4") ||
		str_is(in->enable_prefix_for_ipv6_source_nat, "on"))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "This IP address type and IPv6 source NAT are not implemented.");
	TRY(read_places(
		c, &in->subnets, &in->subnet_mappings, elbv2_is_app(&b), str_is(b.scheme, "internal"), &places));
	if (!str_eq(places.v[0].s.vpc_id, b.vpc))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST, "All subnets must belong to the same VPC: '%.*s'",
			STR_ARG(b.vpc));
	/* "You can't disable Availability Zones for a Network Load Balancer after you create it" was true until 2024.
	 */
	TRY(keep_zones(c, &b, &places));
	if (str_has(in->ip_address_type)) b.ip_address_type = in->ip_address_type;
	elbv2_balancer_changed(c, &b);
	show_zones(c, &b, &out->availability_zones);
	out->ip_address_type = b.ip_address_type;
	return OK;
}

status elbv2_set_security_groups(
	struct call *c, const struct elbv2_set_security_groups_input *in, struct elbv2_set_security_groups_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_strings now;
	size_t capacity = 0;
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	if (!in->security_groups.n)
		return call_fail(c, ERR_VALIDATION, "At least one security group must be specified");
	if (!elbv2_is_app(&b) && !b.security_groups.n)
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"You cannot set security groups on a load balancer of type 'network' that was created without "
			"them");
	TRY(check_groups(c, b.vpc, &in->security_groups, &now));
	b.security_groups = now;
	if (str_has(in->enforce_security_group_inbound_rules_on_private_link_traffic))
		b.enforce_private_link = in->enforce_security_group_inbound_rules_on_private_link_traffic;
	TRY(set_groups(c, &b));
	elbv2_balancer_changed(c, &b);
	for (size_t i = 0; i < now.n; i++) *VEC_PUSH(c->arena, &out->security_group_ids, &capacity) = now.v[i];
	out->enforce_security_group_inbound_rules_on_private_link_traffic = b.enforce_private_link;
	return OK;
}

status elbv2_set_ip_address_type(
	struct call *c, const struct elbv2_set_ip_address_type_input *in, struct elbv2_set_ip_address_type_output *out)
{
	struct elbv2_rec_balancer b;
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	if (str_is(in->ip_address_type, "dualstack-without-public-ipv4"))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"The IP address type 'dualstack-without-public-ipv4' is not implemented.");
	for (size_t i = 0; str_is(in->ip_address_type, "dualstack") && i < b.zones.n; i++) {
		struct elbv2_rec_zone *z = &b.zones.v[i];
		struct ec2_rec_subnet s;
		struct ec2_rec_eni e;
		TRY(ec2_load(ec2_here(c), &ec2_type_subnet, z->subnet, &s));
		if (!s.ipv6_cidr_block_association_set.n)
			return ELBV2_FAIL(c, INVALID_SUBNET,
				"You must specify subnets with an associated IPv6 CIDR block: '%.*s'",
				STR_ARG(z->subnet));
		TRY(ec2_load(ec2_here(c), &ec2_type_eni, z->eni, &e));
		if (!e.ipv6_addresses.n) {
			TRY(ec2_eni_add_ipv6(c, &s, &e, STR_NONE));
			TRY(ec2_eni_save(c, &e));
		}
		z->ipv6 = e.ipv6_addresses.v[0].ipv6_address;
	}
	b.ip_address_type = in->ip_address_type;
	elbv2_balancer_changed(c, &b);
	out->ip_address_type = b.ip_address_type;
	return OK;
}

/* ── reserved capacity: kept; a node here has the machine's capacity whatever is reserved. */

static void show_capacity(
	struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_describe_capacity_reservation_output *out)
{
	size_t capacity = 0;
	out->decrease_requests_remaining = SOME_I32(2);
	VEC_PRESENT(c->arena, &out->capacity_reservation_state);
	if (!b->capacity_units.v) return;
	out->last_modified_time = b->capacity_changed;
	out->minimum_load_balancer_capacity = arena_new(c->arena, struct elbv2_minimum_load_balancer_capacity);
	out->minimum_load_balancer_capacity->capacity_units = b->capacity_units;
	for (size_t i = 0; i < b->zones.n; i++) {
		struct elbv2_zonal_capacity_reservation_state *z =
			VEC_PUSH(c->arena, &out->capacity_reservation_state, &capacity);
		z->availability_zone = b->zones.v[i].zone;
		z->state = arena_new(c->arena, struct elbv2_capacity_reservation_status);
		z->state->code = STR("provisioned");
		z->effective_capacity_units = SOME_F64((double)b->capacity_units.v / (double)b->zones.n);
	}
}

status elbv2_describe_capacity_reservation(struct call *c, const struct elbv2_describe_capacity_reservation_input *in,
	struct elbv2_describe_capacity_reservation_output *out)
{
	struct elbv2_rec_balancer b;
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	show_capacity(c, &b, out);
	return OK;
}

status elbv2_modify_capacity_reservation(struct call *c, const struct elbv2_modify_capacity_reservation_input *in,
	struct elbv2_modify_capacity_reservation_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_describe_capacity_reservation_output shown = {0};
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	bool reset = in->reset_capacity_reservation.v;
	if (reset == (in->minimum_load_balancer_capacity != NULL))
		return call_fail(c, ERR_VALIDATION,
			"Either a minimum load balancer capacity or a reset must be specified, not both");
	int32_t units = reset ? 0 : in->minimum_load_balancer_capacity->capacity_units.v;
	if (!reset && (units < (elbv2_is_app(&b) ? 100 : 5500) || units > 1500 * (elbv2_is_app(&b) ? 1 : 60)))
		return call_fail(c, ELBV2_ERR_CAPACITY_UNITS_LIMIT_EXCEEDED_EXCEPTION,
			"The capacity of %d units is not within the load balancer's limits", units);
	b.capacity_units = reset ? (struct opt_i32){0} : SOME_I32(units);
	b.capacity_changed = SOME_TIME(c->now_ms);
	elbv2_balancer_put(ec2_here(c), &b);
	show_capacity(c, &b, &shown);
	out->last_modified_time = b.capacity_changed;
	out->decrease_requests_remaining = shown.decrease_requests_remaining;
	out->minimum_load_balancer_capacity = shown.minimum_load_balancer_capacity;
	out->capacity_reservation_state = shown.capacity_reservation_state;
	return OK;
}
