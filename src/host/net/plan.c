/* See plan.h. */
#include "host/net/plan.h"
#include <linux/rtnetlink.h>

/* Tables' numbers, below 2^15, are added. The kernel's own rules stand at 0 (local), 32766 and 32767 (main, default),
 * which hold nothing of a router's. */
enum {
	PREFERENCE_BEFORE = 1,
	PREFERENCE_BALANCERS = 33000,
	PREFERENCE_INTERFACES = 40000,
	PREFERENCE_ROUTES = 50000,
	PREFERENCE_END = 100000
};
/* Of a place: before the kernel's own; of its further interfaces. */
enum { PREFERENCE_TRANSPARENT = 900, PREFERENCE_SOURCE = 1000 };

static const struct net_cidr all[2] = {{.family = 4}, {.family = 6}};

static struct net_cidr address(const char *text)
{
	struct net_cidr c;
	INVARIANT(is_ok(net_address_read(str_c(text), &c)));
	return c;
}

static struct rtnl_thing *route(
	struct arena *a, const struct net_cidr *to, uint32_t table, uint8_t type, struct rtnl_things *out)
{
	struct rtnl_thing *t = rtnl_add(a, out);
	t->kind = RTNL_ROUTE;
	t->to = *to;
	t->table = table;
	t->type = type;
	return t;
}

static void name_link(char out[LINK_NAME], const char *link)
{
	memcpy(out, link, strnlen(link, LINK_NAME - 1));
}

void plan_rule(
	struct arena *a, uint8_t family, uint32_t preference, uint32_t mark, uint32_t lookup, struct rtnl_things *out)
{
	struct rtnl_thing *t = rtnl_add(a, out);
	t->kind = RTNL_RULE;
	t->to.family = family;
	t->preference = preference;
	t->mark = mark;
	t->mask = mark ? MARK_TABLE_MASK : 0;
	t->lookup = lookup;
}

static void neighbour(
	struct arena *a, const struct net_cidr *at, const char *link, const uint8_t mac[6], struct rtnl_things *out)
{
	struct rtnl_thing *t = rtnl_add(a, out);
	t->kind = RTNL_NEIGHBOUR;
	t->to = *at;
	name_link(t->key_link, link);
	memcpy(t->mac, mac, 6);
}

void plan_own_address(struct arena *a, const struct net_cidr *at, struct rtnl_things *out)
{
	struct rtnl_thing *t = rtnl_add(a, out);
	t->kind = RTNL_ADDRESS;
	t->to = *at;
	name_link(t->key_link, "lo");
}

void plan_local(struct arena *a, const struct net_cidr *to, struct rtnl_things *out)
{
	struct rtnl_thing *t = route(a, to, RT_TABLE_LOCAL, RTN_LOCAL, out);
	name_link(t->link, "lo");
}

void plan_hops(struct arena *a, const char *link, const uint8_t mac[6], struct rtnl_things *out)
{
	struct net_cidr hops[2] = {address(PLAN_HOP4), address(PLAN_HOP6)};
	for (int i = 0; i < 2; i++) neighbour(a, &hops[i], link, mac, out);
}

void plan_blackhole(struct arena *a, const struct net_cidr *to, uint32_t table, struct rtnl_things *out)
{
	route(a, to, table, RTN_BLACKHOLE, out);
}

void plan_via_link(
	struct arena *a, const struct net_cidr *to, uint32_t table, const char *link, struct rtnl_things *out)
{
	struct rtnl_thing *t = route(a, to, table, RTN_UNICAST, out);
	t->via = address(to->family == 4 ? PLAN_HOP4 : PLAN_HOP6);
	name_link(t->link, link);
}

/* ── the router ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void plan_interface(struct arena *a, const struct model_interface *i, struct rtnl_things *out)
{
	const struct net_cidr *primary[2] = {NULL, NULL};
	for (size_t k = 0; k < i->addresses.n; k++) {
		const struct net_cidr *c = &i->addresses.v[k];
		bool six = c->family == 6;
		struct rtnl_thing *t = route(a, c, PLAN_TABLE_INTERFACES, RTN_UNICAST, out);
		name_link(t->link, i->link);
		if (c->length == net_bits(c)) {
			neighbour(a, c, i->link, i->mac, out);
			if (!primary[six]) primary[six] = c;
		} else if (primary[six])
			t->via = *primary[six];
	}
	struct rtnl_thing *gateway = rtnl_add(a, out);
	gateway->kind = RTNL_ADDRESS;
	gateway->to = address("fe80::1");
	gateway->to.length = 64;
	name_link(gateway->key_link, i->link);
}

/* Through an interface: a NAT gateway's or an appliance's address is the next hop. */
static bool plan_via_interface(struct arena *a, const struct model_interface *i, const struct net_cidr *to,
	uint32_t table, struct rtnl_things *out)
{
	for (size_t k = 0; i && k < i->addresses.n; k++) {
		const struct net_cidr *c = &i->addresses.v[k];
		if (c->family != to->family || c->length != net_bits(c)) continue;
		struct rtnl_thing *t = route(a, to, table, RTN_UNICAST, out);
		t->via = *c;
		name_link(t->link, i->link);
		return true;
	}
	return false;
}

static const char *link_of(const struct model *m, struct str target)
{
	if (str_starts(target, STR("igw-"))) return str_has(m->in->internet_gateway) ? "igw" : NULL;
	if (str_starts(target, STR("eigw-"))) return m->in->egress_only_gateways.n ? "igw" : NULL;
	if (str_starts(target, STR("vpce-"))) return m->in->gateway_endpoints.n ? "aws" : NULL;
	for (size_t i = 0; i < m->n_peerings; i++)
		if (str_eq(m->peerings[i].id, target)) return m->peerings[i].link;
	for (size_t i = 0; i < m->n_attachments; i++)
		if (str_eq(m->attachments[i].other, target)) return m->attachments[i].link;
	return NULL;
}

static bool in_vpc(const struct model *m, const struct net_cidr *to)
{
	for (size_t i = 0; i < m->cidrs.n; i++)
		if (net_contains(&m->cidrs.v[i], to)) return true;
	return false;
}

static void plan_table(struct arena *a, const struct model *m, const struct model_table *t, struct rtnl_things *out)
{
	bool before[2] = {false, false};
	for (size_t i = 0; i < t->n; i++) {
		const struct model_route *r = &t->v[i];
		if (str_is(r->target, "local")) continue;
		uint32_t table = t->number + PLAN_TABLE_ROUTES;
		if (in_vpc(m, &r->to)) {
			table = t->number + PLAN_TABLE_BEFORE;
			before[r->to.family == 6] = true;
		}
		const char *link = link_of(m, r->target);
		if (link) {
			plan_via_link(a, &r->to, table, link, out);
			continue;
		}
		const struct model_interface *i_nat = model_nat(m, r->target),
					     *i_eni = model_interface_of(m, r->target);
		if (!plan_via_interface(a, i_nat ? i_nat : i_eni, &r->to, table, out))
			route(a, &r->to, table, RTN_BLACKHOLE, out);
	}
	for (int six = 0; six < 2; six++) {
		uint32_t mark = t->number << MARK_TABLE_SHIFT;
		uint8_t family = six ? 6 : 4;
		plan_rule(a, family, PREFERENCE_ROUTES + t->number, mark, t->number + PLAN_TABLE_ROUTES, out);
		if (before[six])
			plan_rule(a, family, PREFERENCE_BEFORE + t->number, mark, t->number + PLAN_TABLE_BEFORE, out);
	}
}

/* Answers to what a load balancer sent on under others' addresses go back to it. */
static void plan_balancer(struct arena *a, const struct model_interface *i, struct rtnl_things *out)
{
	uint32_t table = PLAN_TABLE_BALANCERS + i->balancer;
	if (!plan_via_interface(a, i, &all[0], table, out)) return;
	plan_rule(a, 4, PREFERENCE_BALANCERS + i->balancer, MARK_BALANCER(i->balancer), table, out);
}

void plan_router(struct arena *a, const struct model *m, struct rtnl_things *out)
{
	static const uint8_t mac_a[6] = PLAN_MAC_A, mac_b[6] = PLAN_MAC_B;
	for (int six = 0; six < 2; six++) {
		uint8_t family = six ? 6 : 4;
		plan_rule(a, family, PREFERENCE_INTERFACES, 0, PLAN_TABLE_INTERFACES, out);
		plan_rule(a, family, PREFERENCE_END, 0, PLAN_TABLE_END, out);
		route(a, &all[six], PLAN_TABLE_END, RTN_BLACKHOLE, out);
	}
	for (size_t i = 0; i < m->cidrs.n; i++) route(a, &m->cidrs.v[i], PLAN_TABLE_INTERFACES, RTN_BLACKHOLE, out);
	for (size_t i = 0; i < m->n_subnets; i++) {
		struct net_cidr gateway = net_nth(&m->subnets[i].cidr, 1);
		if (gateway.family) plan_own_address(a, &gateway, out);
	}
	for (size_t i = 0; i < m->own.n; i++) plan_own_address(a, &m->own.v[i], out);
	for (size_t i = 0; i < m->n_interfaces; i++) plan_interface(a, &m->interfaces[i], out);
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (m->interfaces[i].balancer) plan_balancer(a, &m->interfaces[i], out);
	for (size_t i = 0; i < m->n_tables; i++) plan_table(a, m, &m->tables[i], out);
	if (m->internet) plan_hops(a, "igw", mac_b, out);
	if (m->in->gateway_endpoints.n) plan_hops(a, "aws", mac_b, out);
	for (size_t i = 0; i < m->n_attachments; i++) plan_hops(a, m->attachments[i].link, mac_b, out);
	for (size_t i = 0; i < m->n_peerings; i++) {
		/* The VPC whose id comes first holds end A. */
		bool first = str_cmp(m->in->id, m->peerings[i].other) < 0;
		plan_hops(a, m->peerings[i].link, first ? mac_b : mac_a, out);
	}
}

/* ── a place ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

void plan_device(const struct model_interface *i, char out[LINK_NAME])
{
	memset(out, 0, LINK_NAME);
	int n = i->in->device.v;
	memcpy(out, "eth", 3);
	if (n > 9) out[3] = (char)('0' + n / 10);
	out[n > 9 ? 4 : 3] = (char)('0' + n % 10);
}

/* Answers from a second interface's addresses leave by that interface, as Amazon Linux sets it up. */
static void plan_own_table(struct arena *a, const struct model_interface *i, const char *device,
	const struct net_cidr *gateway, struct rtnl_things *out)
{
	uint32_t device_number = (uint32_t)i->in->device.v, table = PLAN_TABLE_ROUTES + device_number, n = 0;
	struct rtnl_thing *t = route(a, &all[gateway->family == 6], table, RTN_UNICAST, out);
	t->via = *gateway;
	name_link(t->link, device);
	for (size_t k = 0; k < i->addresses.n; k++) {
		if (i->addresses.v[k].family != gateway->family) continue;
		plan_rule(a, gateway->family, PREFERENCE_SOURCE + device_number * 256 + n++, 0, table, out);
		out->v[out->n - 1].via = i->addresses.v[k];
	}
}

/* What is marked as an answer to a connection made here under a client's address is for the socket here. */
static void plan_transparent(struct arena *a, struct rtnl_things *out)
{
	plan_rule(a, 4, PREFERENCE_TRANSPARENT, PLAN_MARK_OWN, PLAN_TABLE_BALANCERS, out);
	struct rtnl_thing *t = route(a, &all[0], PLAN_TABLE_BALANCERS, RTN_LOCAL, out);
	name_link(t->link, "lo");
}

void plan_place(struct arena *a, const struct model *m, struct str place, struct rtnl_things *out)
{
	static const uint8_t router[6] = PLAN_MAC_ROUTER;
	for (size_t k = 0; k < m->n_interfaces; k++) {
		const struct model_interface *i = &m->interfaces[k];
		if (!str_eq(i->in->place, place)) continue;
		char device[LINK_NAME];
		plan_device(i, device);
		struct net_cidr gateway4 = net_nth(&i->subnet->cidr, 1), gateway6 = address("fe80::1");
		bool has[2] = {false, false};
		if (i->balancer) plan_transparent(a, out);
		for (size_t n = 0; n < i->addresses.n; n++) {
			struct net_cidr c = i->addresses.v[n];
			if (c.length != net_bits(&c)) continue; /* a delegated prefix is the machine's own affair */
			if (c.family == 4) c.length = i->subnet->cidr.length;
			has[c.family == 6] = true;
			struct rtnl_thing *t = rtnl_add(a, out);
			t->kind = RTNL_ADDRESS;
			t->to = c;
			name_link(t->key_link, device);
		}
		for (int six = 0; six < 2; six++) {
			const struct net_cidr *gateway = six ? &gateway6 : &gateway4;
			if (!has[six] || !gateway->family) continue;
			neighbour(a, gateway, device, router, out);
			if (i->in->device.v > 0) {
				plan_own_table(a, i, device, gateway, out);
				continue;
			}
			struct rtnl_thing *t = route(a, &all[six], RT_TABLE_MAIN, RTN_UNICAST, out);
			t->via = *gateway;
			name_link(t->link, device);
		}
	}
}
