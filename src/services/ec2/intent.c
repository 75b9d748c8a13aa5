/* The desired state of one VPC, computed whole from the store: see intent.h. What the host need not know is left out:
 * interfaces that are plugged into nothing, lists that nothing names. */
#include "services/ec2/intent.h"
#include "services/ec2/block_public_access.h"
#include "services/ec2/compute.h"
#include "services/ec2/endpoint.h"
#include "services/ec2/flow_log.h"

struct intent {
	struct ec2_place at;
	struct ec2_rec_vpc vpc;
	struct host_rec_vpc *out;
	struct ec2_flow_logs logs;
	struct ec2_bpa bpa;
	struct {
		size_t subnets, interfaces, groups, acls, tables, lists, peerings, attachments, eigws, endpoints, own;
	} capacity;
};

static int32_t protocol_number(struct str name)
{
	int64_t n;
	if (str_is(name, "tcp")) return 6;
	if (str_is(name, "udp")) return 17;
	if (str_is(name, "icmp")) return 1;
	if (str_is(name, "icmpv6")) return 58;
	return is_ok(str_to_i64(name, &n)) ? (int32_t)n : -1;
}

static void need_list(struct intent *i, struct str id)
{
	struct ec2_rec_prefix_list l;
	size_t capacity = 0;
	for (size_t k = 0; k < i->out->prefix_lists.n; k++)
		if (str_eq(i->out->prefix_lists.v[k].id, id)) return;
	struct host_rec_prefix_list *to = VEC_PUSH(i->at.a, &i->out->prefix_lists, &i->capacity.lists);
	to->id = id;
	if (!is_ok(ec2_prefix_list_load(i->at, id, &l))) return;
	struct ec2_rec_prefix_entries entries = ec2_prefix_list_entries(&l, 0);
	for (size_t k = 0; k < entries.n; k++) *VEC_PUSH(i->at.a, &to->cidrs, &capacity) = entries.v[k].cidr;
}

/* ── routes ── */

static void add_table(struct intent *i, const struct ec2_rec_route_table *t)
{
	struct host_rec_table *to = VEC_PUSH(i->at.a, &i->out->tables, &i->capacity.tables);
	size_t capacity = 0;
	to->id = t->route_table_id;
	for (size_t k = 0; k < t->routes.n; k++) {
		const struct ec2_rec_route *r = &t->routes.v[k];
		struct host_rec_route *h = VEC_PUSH(i->at.a, &to->routes, &capacity);
		h->destination = str_or(r->destination_cidr_block, r->destination_ipv6_cidr_block);
		h->prefix_list = r->destination_prefix_list_id;
		h->target = str_or(ec2_route_target(r), STR("blackhole"));
		if (str_has(h->prefix_list)) need_list(i, h->prefix_list);
	}
}

static status add_tables(struct intent *i)
{
	struct ec2_each e = ec2_each(i->at, &ec2_type_route_table);
	while (ec2_next(&e)) {
		const struct ec2_rec_route_table *t = e.item.record;
		if (!str_eq(t->vpc_id, i->vpc.vpc_id)) continue;
		add_table(i, t);
		for (size_t k = 0; k < t->associations.n; k++)
			if (str_has(t->associations.v[k].gateway_id))
				i->out->internet_gateway_table = t->route_table_id;
	}
	return ec2_each_end(&e);
}

static status add_gateways(struct intent *i)
{
	struct ec2_each e = ec2_each(i->at, &ec2_type_internet_gateway);
	while (ec2_next(&e))
		if (str_eq(((struct ec2_rec_internet_gateway *)e.item.record)->vpc, i->vpc.vpc_id))
			i->out->internet_gateway = e.item.id;
	TRY(ec2_each_end(&e));
	if (!str_has(i->out->internet_gateway)) i->out->internet_gateway_table = STR_NONE;
	e = ec2_each(i->at, &ec2_type_egress_only_gateway);
	while (ec2_next(&e))
		if (str_eq(((struct ec2_rec_egress_only_gateway *)e.item.record)->vpc, i->vpc.vpc_id))
			*VEC_PUSH(i->at.a, &i->out->egress_only_gateways, &i->capacity.eigws) = e.item.id;
	TRY(ec2_each_end(&e));
	e = ec2_each(i->at, &ec2_type_tgw_attachment);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *a = e.item.record;
		if (!str_eq(a->vpc_id, i->vpc.vpc_id)) continue;
		struct host_rec_attachment *h = VEC_PUSH(i->at.a, &i->out->attachments, &i->capacity.attachments);
		*h = (struct host_rec_attachment){.id = e.item.id, .transit_gateway = a->transit_gateway_id};
		h->subnets.v = a->subnet_ids.v;
		h->subnets.n = a->subnet_ids.n;
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(i->at, &ec2_type_endpoint);
	while (ec2_next(&e)) {
		const struct ec2_rec_endpoint *p = e.item.record;
		if (str_eq(p->vpc_id, i->vpc.vpc_id) && str_is(p->vpc_endpoint_type, "Gateway"))
			*VEC_PUSH(i->at.a, &i->out->gateway_endpoints, &i->capacity.endpoints) = e.item.id;
	}
	return ec2_each_end(&e);
}

/* ── subnets and what lets packets through ── */

static status add_subnets(struct intent *i)
{
	struct ec2_each e = ec2_each(i->at, &ec2_type_subnet);
	while (ec2_next(&e)) {
		const struct ec2_rec_subnet *s = e.item.record;
		struct ec2_rec_route_table t;
		if (!str_eq(s->vpc_id, i->vpc.vpc_id)) continue;
		TRY(ec2_route_table_of(i->at, s->vpc_id, s->subnet_id, &t));
		struct host_rec_subnet *h = VEC_PUSH(i->at.a, &i->out->subnets, &i->capacity.subnets);
		*h = (struct host_rec_subnet){.id = s->subnet_id,
			.cidr = s->cidr_block,
			.zone = s->availability_zone,
			.table = t.route_table_id,
			.down = SOME_BOOL(ec2_zone_is_down(i->at.tx, i->at.a, s->availability_zone))};
		if (s->ipv6_cidr_block_association_set.n)
			h->ipv6_cidr = s->ipv6_cidr_block_association_set.v[0].ipv6_cidr_block;
	}
	return ec2_each_end(&e);
}

static void add_acl(struct intent *i, const struct ec2_rec_network_acl *acl)
{
	struct host_rec_acl *to = VEC_PUSH(i->at.a, &i->out->acls, &i->capacity.acls);
	size_t capacity = 0;
	to->id = acl->network_acl_id;
	for (size_t k = 0; k < acl->entries.n; k++) {
		const struct ec2_rec_acl_entry *e = &acl->entries.v[k];
		struct host_rec_acl_entry *h = VEC_PUSH(i->at.a, &to->entries, &capacity);
		*h = (struct host_rec_acl_entry){.number = e->rule_number,
			.egress = e->egress,
			.allow = SOME_BOOL(str_is(e->rule_action, "allow")),
			.protocol = SOME_I32(protocol_number(e->protocol)),
			.cidr = str_or(e->cidr_block, e->ipv6_cidr_block)};
		if (e->port_range) {
			h->from = e->port_range->from;
			h->to = e->port_range->to;
		} else if (e->icmp_type_code) {
			h->from = e->icmp_type_code->type;
			h->to = e->icmp_type_code->code;
		}
	}
	for (size_t k = 0; k < acl->associations.n; k++)
		for (size_t n = 0; n < i->out->subnets.n; n++)
			if (str_eq(i->out->subnets.v[n].id, acl->associations.v[k].subnet_id))
				i->out->subnets.v[n].acl = to->id;
}

static status add_acls(struct intent *i)
{
	struct ec2_each e = ec2_each(i->at, &ec2_type_network_acl);
	while (ec2_next(&e)) {
		const struct ec2_rec_network_acl *acl = e.item.record;
		if (str_eq(acl->vpc_id, i->vpc.vpc_id) && acl->associations.n) add_acl(i, acl);
	}
	return ec2_each_end(&e);
}

static bool has_group(const struct intent *i, struct str id)
{
	for (size_t k = 0; k < i->out->groups.n; k++)
		if (str_eq(i->out->groups.v[k].id, id)) return true;
	return false;
}

/* A peered VPC's group: who is in it, while the peering is active. */
static status add_foreign_group(struct intent *i, const struct ec2_rec_security_rule *r)
{
	struct ec2_rec_peering p;
	size_t capacity = 0;
	if (has_group(i, r->group)) return OK;
	struct host_rec_group *to = VEC_PUSH(i->at.a, &i->out->groups, &i->capacity.groups);
	to->id = r->group;
	VEC_PRESENT(i->at.a, &to->members);
	status s = ec2_load(i->at, &ec2_type_peering, r->peering, &p);
	if (!is_ok(s)) return status_is(s, STATUS_NOT_FOUND) ? OK : s;
	if (!str_is(p.code, "active")) return OK;
	const struct ec2_rec_peering_end *other = ec2_peering_other(&p, i->vpc.vpc_id);
	struct ec2_each e =
		ec2_each((struct ec2_place){i->at.tx, i->at.a, other->account, other->region}, &ec2_type_eni);
	while (ec2_next(&e)) {
		const struct ec2_rec_eni *n = e.item.record;
		bool member = false;
		for (size_t k = 0; k < n->groups.n; k++) member = member || str_eq(n->groups.v[k], r->group);
		for (size_t k = 0; member && k < n->addresses.n; k++)
			*VEC_PUSH(i->at.a, &to->members, &capacity) = n->addresses.v[k].private_ip_address;
	}
	return ec2_each_end(&e);
}

static void add_group(struct intent *i, const struct ec2_rec_security_group *g)
{
	struct host_rec_group *to = VEC_PUSH(i->at.a, &i->out->groups, &i->capacity.groups);
	size_t capacity = 0;
	to->id = g->group_id;
	for (size_t k = 0; k < g->rules.n; k++) {
		const struct ec2_rec_security_rule *r = &g->rules.v[k];
		*VEC_PUSH(i->at.a, &to->rules, &capacity) = (struct host_rec_rule){.id = r->security_group_rule_id,
			.egress = r->is_egress,
			.protocol = SOME_I32(protocol_number(r->ip_protocol)),
			.from = r->from_port,
			.to = r->to_port,
			.cidr = str_or(r->cidr_ipv4, r->cidr_ipv6),
			.group = r->group,
			.prefix_list = r->prefix_list_id};
		if (str_has(r->prefix_list_id)) need_list(i, r->prefix_list_id);
	}
}

/* Of this VPC, or associated with it. */
static bool holds(const struct intent *i, const struct ec2_rec_security_group *g)
{
	return str_eq(g->vpc_id, i->vpc.vpc_id) || ec2_is_among(g->vpcs.v, g->vpcs.n, i->vpc.vpc_id);
}

/* Groups that an associated group's rules name and that do not hold here: nobody here is in them. Those of peerings
 * follow. */
static void name_absent(struct intent *i)
{
	size_t n = i->out->groups.n;
	for (size_t k = 0; k < n; k++)
		for (size_t r = 0; r < i->out->groups.v[k].rules.n; r++) {
			struct str id = i->out->groups.v[k].rules.v[r].group;
			if (!str_has(id) || has_group(i, id)) continue;
			struct host_rec_group *to = VEC_PUSH(i->at.a, &i->out->groups, &i->capacity.groups);
			to->id = id;
			VEC_PRESENT(i->at.a, &to->members);
		}
}

static status add_groups(struct intent *i)
{
	struct ec2_each e = ec2_each(i->at, &ec2_type_security_group);
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		if (holds(i, g)) add_group(i, g);
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(i->at, &ec2_type_security_group);
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		for (size_t k = 0; k < g->rules.n && str_eq(g->vpc_id, i->vpc.vpc_id); k++)
			if (str_has(g->rules.v[k].peering)) TRY(add_foreign_group(i, &g->rules.v[k]));
	}
	TRY(ec2_each_end(&e));
	name_absent(i);
	return OK;
}

/* ── interfaces ── */

/* A group that no customer sees, of the interfaces that a service keeps together. */
static void join_mesh(struct intent *i, const struct ec2_rec_eni *e, struct host_rec_interface *h)
{
	struct str id = str_cat(i->at.a, STR("mesh-"), e->mesh);
	struct str *groups = arena_new_n(i->at.a, struct str, e->groups.n + 1);
	for (size_t k = 0; k < e->groups.n; k++) groups[k] = e->groups.v[k];
	groups[e->groups.n] = id;
	h->groups.v = groups, h->groups.n = e->groups.n + 1;
	if (has_group(i, id)) return;
	struct host_rec_group *to = VEC_PUSH(i->at.a, &i->out->groups, &i->capacity.groups);
	size_t capacity = 0;
	to->id = id;
	for (unsigned egress = 0; egress < 2; egress++)
		*VEC_PUSH(i->at.a, &to->rules, &capacity) =
			(struct host_rec_rule){.id = str_fmt(i->at.a, "%s-%.*s", egress ? "to" : "from", STR_ARG(id)),
				.egress = SOME_BOOL(egress),
				.protocol = SOME_I32(-1),
				.group = id};
}

static void add_interface(struct intent *i, const struct ec2_rec_eni *e)
{
	struct host_rec_interface *h = VEC_PUSH(i->at.a, &i->out->interfaces, &i->capacity.interfaces);
	size_t addresses = 0, ipv6 = 0;
	*h = (struct host_rec_interface){.id = e->network_interface_id,
		.subnet = e->subnet_id,
		.mac = e->mac_address,
		.check = e->source_dest_check,
		.place = e->place,
		.kind = e->kind,
		.device = e->attachment ? e->attachment->device_index : SOME_I32(0),
		.flow_log = ec2_flow_logs_of(&i->logs, e)};
	if (str_is(e->kind, "nat")) h->device = SOME_I32(0);
	for (size_t k = 0; k < e->addresses.n; k++)
		*VEC_PUSH(i->at.a, &h->addresses, &addresses) =
			(struct host_rec_address){e->addresses.v[k].private_ip_address, e->addresses.v[k].public};
	for (size_t k = 0; k < e->ipv6_addresses.n; k++)
		*VEC_PUSH(i->at.a, &h->ipv6, &ipv6) = e->ipv6_addresses.v[k].ipv6_address;
	h->groups.v = e->groups.v;
	h->groups.n = e->groups.n;
	if (str_has(e->mesh)) join_mesh(i, e, h);
	if (e->held.v) h->down = SOME_BOOL(true);
	h->internet = ec2_bpa_internet(&i->bpa, i->vpc.vpc_id, e->subnet_id);
	if (ec2_eni_is_open(e)) h->open = SOME_BOOL(true);
	/* "Client IP preservation", the NLB guide. */
	if (str_is(e->interface_type, "network_load_balancer")) {
		h->balancer = SOME_BOOL(true);
		h->check = SOME_BOOL(false);
	}
	h->share = e->share;
	h->share_points.v = e->share_points.v;
	h->share_points.n = e->share_points.n;
}

static status add_interfaces(struct intent *i)
{
	struct ec2_each e = ec2_each(i->at, &ec2_type_eni);
	while (ec2_next(&e)) {
		const struct ec2_rec_eni *n = e.item.record;
		if (str_eq(n->vpc_id, i->vpc.vpc_id) && str_has(n->place)) add_interface(i, n);
	}
	return ec2_each_end(&e);
}

static status add_peerings(struct intent *i)
{
	struct ec2_each e = ec2_each(i->at, &ec2_type_peering);
	while (ec2_next(&e)) {
		const struct ec2_rec_peering *p = e.item.record;
		if (ec2_peering_joins(p, i->vpc.vpc_id) && str_is(p->code, "active"))
			*VEC_PUSH(i->at.a, &i->out->peerings, &i->capacity.peerings) =
				(struct host_rec_peering){e.item.id, ec2_peering_other(p, i->vpc.vpc_id)->vpc};
	}
	return ec2_each_end(&e);
}

/* "Amazon DNS server", the guide: at 169.254.169.253 and at the base of the VPC's range plus two. */
static void add_own(struct intent *i)
{
	struct cidr block;
	struct host_rec_strings *own = &i->out->own_addresses;
	size_t *capacity = &i->capacity.own;
	bool v6 = i->vpc.ipv6_cidr_block_association_set.n > 0;
	if (i->vpc.dns_support.v && is_ok(cidr_parse(i->vpc.cidr_block, &block))) {
		*VEC_PUSH(i->at.a, own, capacity) = cidr_address_text(i->at.a, cidr_nth(block, 2));
		*VEC_PUSH(i->at.a, own, capacity) = STR("169.254.169.253");
		if (v6) *VEC_PUSH(i->at.a, own, capacity) = STR("fd00:ec2::253");
	}
	*VEC_PUSH(i->at.a, own, capacity) = STR("169.254.169.254");
	*VEC_PUSH(i->at.a, own, capacity) = STR("169.254.169.123");
	if (v6) *VEC_PUSH(i->at.a, own, capacity) = STR("fd00:ec2::254");
}

status ec2_intent_vpc(struct ec2_place at, struct str vpc, struct host_rec_vpc *out)
{
	struct intent i = {.at = at, .out = out};
	size_t capacity = 0;
	*out = (struct host_rec_vpc){.id = vpc};
	TRY(ec2_load(at, &ec2_type_vpc, vpc, &i.vpc));
	for (size_t k = 0; k < i.vpc.cidr_block_association_set.n; k++)
		*VEC_PUSH(at.a, &out->cidrs, &capacity) = i.vpc.cidr_block_association_set.v[k].cidr_block;
	capacity = 0;
	for (size_t k = 0; k < i.vpc.ipv6_cidr_block_association_set.n; k++)
		*VEC_PUSH(at.a, &out->ipv6_cidrs, &capacity) =
			i.vpc.ipv6_cidr_block_association_set.v[k].ipv6_cidr_block;
	TRY(ec2_flow_logs_load(at, vpc, &i.logs));
	TRY(ec2_bpa_load(at, &i.bpa));
	TRY(add_subnets(&i));
	TRY(add_acls(&i));
	TRY(add_tables(&i));
	TRY(add_gateways(&i));
	TRY(add_groups(&i));
	TRY(add_interfaces(&i));
	TRY(add_peerings(&i));
	add_own(&i);
	return OK;
}

status ec2_intent_tgw(struct ec2_place at, struct str tgw, struct host_rec_transit_gateway *out)
{
	size_t attachments = 0, tables = 0;
	*out = (struct host_rec_transit_gateway){.id = tgw};
	struct ec2_each e = ec2_each(at, &ec2_type_tgw_attachment);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *a = e.item.record;
		if (!str_eq(a->transit_gateway_id, tgw) || !str_is(a->state, "available")) continue;
		*VEC_PUSH(at.a, &out->attachments, &attachments) = (struct host_rec_tgw_attachment){
			.id = e.item.id, .other = ec2_tgw_resource(a), .table = a->table};
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(at, &ec2_type_tgw_route_table);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_route_table *t = e.item.record;
		struct ec2_tgw_routes routes;
		size_t capacity = 0;
		if (!str_eq(t->transit_gateway_id, tgw)) continue;
		TRY(ec2_tgw_routes(at, t, &routes));
		struct host_rec_tgw_table *h = VEC_PUSH(at.a, &out->tables, &tables);
		h->id = e.item.id;
		for (size_t k = 0; k < routes.n; k++)
			*VEC_PUSH(at.a, &h->routes, &capacity) =
				(struct host_rec_tgw_route){routes.v[k].cidr, routes.v[k].attachment};
	}
	return ec2_each_end(&e);
}
