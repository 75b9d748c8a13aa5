/* See model.h. */
#include "host/net/model.h"
#include "base/map.h"
#include "base/vec.h"
#include <stdlib.h>

#define ID_MAX 64u
#define NUMBERS 32749u  /* a prime below 2^15: numbers of tables and subnets */
#define BALANCERS 5987u /* of load balancers: plan.c has as many places among its rules */
#define MTU_DEFAULT 9001

struct reading {
	struct arena *a;
	struct model *m;
	struct str *why;
	struct map ids; /* "g" + id ─▶ model_group, and so on */
};

#define FAIL(r, ...) (*(r)->why = str_fmt((r)->a, __VA_ARGS__), STATUS(INVALID))

bool model_id_valid(struct str id)
{
	if (!str_has(id) || id.n == 0 || id.n > ID_MAX || id.p[0] < 'a' || id.p[0] > 'z') return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) return false;
	}
	return true;
}

void model_link_name(char prefix, struct str id, char out[LINK_NAME])
{
	size_t most = LINK_NAME - 2, n = id.n > most ? most : id.n;
	memset(out, 0, LINK_NAME);
	out[0] = prefix;
	memcpy(out + 1, id.p + id.n - n, n);
}

static void *look_up(struct reading *r, char kind, struct str id)
{
	return str_has(id) ? map_get(&r->ids, str_fmt(r->a, "%c%.*s", kind, STR_ARG(id))) : NULL;
}

static status enter(struct reading *r, char kind, struct str id, void *value)
{
	if (!model_id_valid(id)) return FAIL(r, "'%.*s' is no id", STR_ARG(id));
	if (map_set(&r->ids, str_fmt(r->a, "%c%.*s", kind, STR_ARG(id)), value))
		return FAIL(r, "%.*s stands twice", STR_ARG(id));
	return OK;
}

static status read_cidrs(struct reading *r, const struct host_rec_strings *in, struct model_cidrs *out)
{
	out->v = arena_new_n(r->a, struct net_cidr, in->n);
	for (size_t i = 0; i < in->n; i++)
		if (!is_ok(net_cidr_read(in->v[i], &out->v[out->n++])))
			return FAIL(r, "'%.*s' is no CIDR", STR_ARG(in->v[i]));
	return OK;
}

/* The same number for the same id as long as no two collide; ids in the order of their text, so that it does not depend
 * on the intent's order. */
static uint32_t take_number(uint8_t *taken, uint32_t numbers, struct str id)
{
	uint32_t n = (uint32_t)(str_hash(id) % numbers);
	while (taken[n]) n = (n + 1) % numbers;
	taken[n] = 1;
	return n + 1;
}

/* ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int port_or_any(struct opt_i32 v)
{
	return v.has ? v.v : -1;
}

static status check_ports(struct reading *r, struct model_rule *rule)
{
	int most = rule->protocol == 1 || rule->protocol == 58 ? 255 : 65535;
	if (rule->protocol < -1 || rule->protocol > 255)
		return FAIL(r, "no protocol has the number %d", rule->protocol);
	if (rule->from < -1 || rule->from > most || rule->to < -1 || rule->to > most)
		return FAIL(r, "%d-%d is no range of ports", rule->from, rule->to);
	return OK;
}

static status read_group_rules(struct reading *r, const struct host_rec_group *in, struct model_group *g)
{
	g->rules.v = arena_new_n(r->a, struct model_rule, in->rules.n);
	for (size_t i = 0; i < in->rules.n; i++) {
		const struct host_rec_rule *x = &in->rules.v[i];
		struct model_rule *rule = &g->rules.v[g->rules.n++];
		*rule = (struct model_rule){.id = x->id,
			.egress = x->egress.v,
			.allow = true,
			.from = port_or_any(x->from),
			.to = port_or_any(x->to),
			.protocol = x->protocol.has ? x->protocol.v : -1};
		TRY(check_ports(r, rule));
		if (str_has(x->cidr)) {
			if (!is_ok(net_cidr_read(x->cidr, &rule->peer)))
				return FAIL(r, "'%.*s' is no CIDR", STR_ARG(x->cidr));
		} else if (str_has(x->group)) {
			/* A stale reference matches nobody. */
			rule->group = look_up(r, 'g', x->group);
		} else if (str_has(x->prefix_list))
			rule->list = look_up(r, 'p', x->prefix_list);
		else
			return FAIL(r, "a rule of %.*s names no peer", STR_ARG(in->id));
	}
	return OK;
}

static status read_groups(struct reading *r)
{
	const struct host_rec_vpc *in = r->m->in;
	r->m->lists = arena_new_n(r->a, struct model_list, in->prefix_lists.n);
	for (size_t i = 0; i < in->prefix_lists.n; i++) {
		struct model_list *l = &r->m->lists[r->m->n_lists++];
		l->id = in->prefix_lists.v[i].id;
		TRY(enter(r, 'p', l->id, l));
		TRY(read_cidrs(r, &in->prefix_lists.v[i].cidrs, &l->cidrs));
	}
	r->m->groups = arena_new_n(r->a, struct model_group, in->groups.n);
	for (size_t i = 0; i < in->groups.n; i++) {
		struct model_group *g = &r->m->groups[r->m->n_groups++];
		g->id = in->groups.v[i].id;
		TRY(enter(r, 'g', g->id, g));
		TRY(read_cidrs(r, &in->groups.v[i].members, &g->members));
		g->capacity = g->members.n;
	}
	for (size_t i = 0; i < in->groups.n; i++) TRY(read_group_rules(r, &in->groups.v[i], &r->m->groups[i]));
	return OK;
}

static int by_number(const void *x, const void *y)
{
	const struct model_rule *p = x, *q = y;
	return p->number < q->number ? -1 : p->number > q->number;
}

/* Does everything of that family pass, because the first rule that speaks of it says so? */
static bool is_open(const struct model_acl *acl, bool egress, uint8_t family)
{
	for (size_t i = 0; i < acl->rules.n; i++) {
		const struct model_rule *rule = &acl->rules.v[i];
		if (rule->egress != egress || rule->peer.family != family) continue;
		return rule->allow && rule->protocol == -1 && rule->peer.length == 0;
	}
	return false;
}

static status read_acls(struct reading *r)
{
	const struct host_rec_vpc *in = r->m->in;
	bool has_ipv6 = in->ipv6_cidrs.n > 0;
	r->m->acls = arena_new_n(r->a, struct model_acl, in->acls.n);
	for (size_t i = 0; i < in->acls.n; i++) {
		struct model_acl *acl = &r->m->acls[r->m->n_acls++];
		const struct host_rec_acl_entries *entries = &in->acls.v[i].entries;
		acl->id = in->acls.v[i].id;
		TRY(enter(r, 'a', acl->id, acl));
		acl->rules.v = arena_new_n(r->a, struct model_rule, entries->n);
		for (size_t k = 0; k < entries->n; k++) {
			const struct host_rec_acl_entry *e = &entries->v[k];
			struct model_rule *rule = &acl->rules.v[acl->rules.n++];
			*rule = (struct model_rule){.number = (uint32_t)e->number.v,
				.egress = e->egress.v,
				.allow = e->allow.v,
				.protocol = e->protocol.has ? e->protocol.v : -1,
				.from = port_or_any(e->from),
				.to = port_or_any(e->to)};
			rule->id = str_fmt(r->a, "%u", rule->number);
			TRY(check_ports(r, rule));
			if (!is_ok(net_cidr_read(e->cidr, &rule->peer)))
				return FAIL(r, "'%.*s' is no CIDR", STR_ARG(e->cidr));
		}
		if (acl->rules.n > 1) qsort(acl->rules.v, acl->rules.n, sizeof(*acl->rules.v), by_number);
		for (int egress = 0; egress < 2; egress++)
			acl->open[egress] = is_open(acl, egress, 4) && (!has_ipv6 || is_open(acl, egress, 6));
	}
	return OK;
}

/* ── routes, subnets ─────────────────────────────────────────────────────────────────────────────────────────────── */

static status add_route(struct reading *r, struct model_table *t, const struct net_cidr *to, struct str target)
{
	if (!model_id_valid(target)) return FAIL(r, "'%.*s' is no route's target", STR_ARG(target));
	struct model_route *route = vec_push(r->a, (void **)&t->v, &t->n, &t->capacity, sizeof(*t->v));
	*route = (struct model_route){*to, target};
	return OK;
}

/* A prefix list's entry gives way to a route that names the same destination. */
static bool has_route(const struct model_table *t, const struct net_cidr *to)
{
	for (size_t i = 0; i < t->n; i++)
		if (net_same(&t->v[i].to, to)) return true;
	return false;
}

static status read_routes(struct reading *r, const struct host_rec_routes *in, struct model_table *t)
{
	for (size_t i = 0; i < in->n; i++) {
		struct net_cidr to;
		if (!str_has(in->v[i].destination)) continue;
		if (!is_ok(net_cidr_read(in->v[i].destination, &to)))
			return FAIL(r, "'%.*s' is no CIDR", STR_ARG(in->v[i].destination));
		if (!has_route(t, &to)) TRY(add_route(r, t, &to, in->v[i].target));
	}
	for (size_t i = 0; i < in->n; i++) {
		const struct model_list *l = look_up(r, 'p', in->v[i].prefix_list);
		if (str_has(in->v[i].destination) || !l) continue;
		for (size_t k = 0; k < l->cidrs.n; k++)
			if (!has_route(t, &l->cidrs.v[k])) TRY(add_route(r, t, &l->cidrs.v[k], in->v[i].target));
	}
	return OK;
}

static int by_text(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static status read_tables(struct reading *r)
{
	const struct host_rec_vpc *in = r->m->in;
	struct str *ids = arena_new_n(r->a, struct str, in->tables.n);
	uint8_t *taken = arena_alloc(r->a, NUMBERS);
	r->m->tables = arena_new_n(r->a, struct model_table, in->tables.n);
	for (size_t i = 0; i < in->tables.n; i++) {
		struct model_table *t = &r->m->tables[r->m->n_tables++];
		t->id = ids[i] = in->tables.v[i].id;
		TRY(enter(r, 't', t->id, t));
		TRY(read_routes(r, &in->tables.v[i].routes, t));
	}
	if (in->tables.n > 1) qsort(ids, in->tables.n, sizeof(*ids), by_text);
	for (size_t i = 0; i < in->tables.n; i++)
		((struct model_table *)look_up(r, 't', ids[i]))->number = take_number(taken, NUMBERS, ids[i]);
	return OK;
}

static status read_subnets(struct reading *r)
{
	const struct host_rec_vpc *in = r->m->in;
	struct str *ids = arena_new_n(r->a, struct str, in->subnets.n);
	uint8_t *taken = arena_alloc(r->a, NUMBERS);
	r->m->subnets = arena_new_n(r->a, struct model_subnet, in->subnets.n);
	for (size_t i = 0; i < in->subnets.n; i++) {
		const struct host_rec_subnet *x = &in->subnets.v[i];
		struct model_subnet *s = &r->m->subnets[r->m->n_subnets++];
		*s = (struct model_subnet){.id = x->id,
			.table = look_up(r, 't', x->table),
			.acl = look_up(r, 'a', x->acl),
			.down = x->down.v};
		ids[i] = x->id;
		TRY(enter(r, 's', s->id, s));
		if (str_has(x->cidr) && !is_ok(net_cidr_read(x->cidr, &s->cidr)))
			return FAIL(r, "'%.*s' is no CIDR", STR_ARG(x->cidr));
		if (str_has(x->ipv6_cidr) && !is_ok(net_cidr_read(x->ipv6_cidr, &s->ipv6)))
			return FAIL(r, "'%.*s' is no CIDR", STR_ARG(x->ipv6_cidr));
		if (!s->table) return FAIL(r, "%.*s has no route table here", STR_ARG(x->id));
		if (!s->acl) return FAIL(r, "%.*s has no network ACL here", STR_ARG(x->id));
	}
	if (in->subnets.n > 1) qsort(ids, in->subnets.n, sizeof(*ids), by_text);
	for (size_t i = 0; i < in->subnets.n; i++) {
		struct model_subnet *s = look_up(r, 's', ids[i]);
		s->mark = s->table->number << MARK_TABLE_SHIFT | take_number(taken, NUMBERS, ids[i]);
	}
	return OK;
}

/* ── interfaces ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static status read_addresses(struct reading *r, const struct host_rec_interface *in, struct model_interface *i)
{
	size_t n = in->addresses.n + in->ipv6.n + in->prefixes.n;
	i->addresses.v = arena_new_n(r->a, struct net_cidr, n);
	i->publics = arena_new_n(r->a, struct net_cidr, n);
	for (size_t k = 0; k < in->addresses.n; k++) {
		struct str public = in->addresses.v[k].public;
		if (str_has(public) && !is_ok(net_address_read(public, &i->publics[i->addresses.n])))
			return FAIL(r, "'%.*s' is no address", STR_ARG(public));
		if (!is_ok(net_address_read(in->addresses.v[k].private, &i->addresses.v[i->addresses.n++])))
			return FAIL(r, "'%.*s' is no address", STR_ARG(in->addresses.v[k].private));
	}
	for (size_t k = 0; k < in->ipv6.n; k++)
		if (!is_ok(net_address_read(in->ipv6.v[k], &i->addresses.v[i->addresses.n++])))
			return FAIL(r, "'%.*s' is no address", STR_ARG(in->ipv6.v[k]));
	for (size_t k = 0; k < in->prefixes.n; k++)
		if (!is_ok(net_cidr_read(in->prefixes.v[k], &i->addresses.v[i->addresses.n++])))
			return FAIL(r, "'%.*s' is no CIDR", STR_ARG(in->prefixes.v[k]));
	return OK;
}

/* Groups in one order, so that the same groups have the same gate. */
static status read_membership(struct reading *r, const struct host_rec_interface *in, struct model_interface *i)
{
	struct str *ids = arena_copy(r->a, in->groups.v, in->groups.n * sizeof(*ids));
	if (in->groups.n > 1) qsort(ids, in->groups.n, sizeof(*ids), by_text);
	i->groups = arena_new_n(r->a, const struct model_group *, in->groups.n);
	struct buf name = BUF_IN(r->a);
	for (size_t k = 0; k < in->groups.n; k++) {
		struct model_group *g = look_up(r, 'g', ids[k]);
		if (!g) return FAIL(r, "%.*s is in %.*s, which is not here", STR_ARG(in->id), STR_ARG(ids[k]));
		i->groups[i->n_groups++] = g;
		g->balances = g->balances || in->balancer.v;
		buf_str(&name, ids[k]);
		buf_byte(&name, '+');
		for (size_t n = 0; n < i->addresses.n; n++) {
			struct net_cidr *at =
				vec_push(r->a, (void **)&g->members.v, &g->members.n, &g->capacity, sizeof(*at));
			*at = i->addresses.v[n];
		}
	}
	i->gate = str_fmt(r->a, "gate-%016llx", (unsigned long long)str_hash(buf_done(&name)));
	return OK;
}

static status read_interface(struct reading *r, const struct host_rec_interface *in)
{
	struct model_interface *i = &r->m->interfaces[r->m->n_interfaces++];
	*i = (struct model_interface){.in = in,
		.subnet = look_up(r, 's', in->subnet),
		.check = !in->check.has || in->check.v,
		.mtu = in->mtu.has ? (uint32_t)in->mtu.v : MTU_DEFAULT};
	TRY(enter(r, 'i', in->id, i));
	if (!model_id_valid(in->place)) return FAIL(r, "%.*s has no place that can be", STR_ARG(in->id));
	if (!i->subnet) return FAIL(r, "%.*s is in no subnet here", STR_ARG(in->id));
	if (!is_ok(net_mac_read(in->mac, i->mac))) return FAIL(r, "'%.*s' is no MAC address", STR_ARG(in->mac));
	if (i->mtu < 1280 || i->mtu > 65535) return FAIL(r, "%u is no MTU", i->mtu);
	if (in->device.v < 0 || in->device.v > 99) return FAIL(r, "%d is no device", in->device.v);
	if (str_is(in->kind, "nat"))
		i->kind = MODEL_NAT, i->check = false;
	else if (str_is(in->kind, "service"))
		i->kind = MODEL_SERVICE;
	else if (!str_is(in->kind, "machine"))
		return FAIL(r, "%.*s has no kind", STR_ARG(in->id));
	if (str_is(in->internet, "closed"))
		i->internet = MODEL_INTERNET_CLOSED;
	else if (str_is(in->internet, "outward"))
		i->internet = MODEL_INTERNET_OUTWARD;
	else if (str_is(in->internet, "gateways"))
		i->internet = MODEL_INTERNET_GATEWAYS;
	else if (str_has(in->internet))
		return FAIL(r, "%.*s has no such way to the internet", STR_ARG(in->id));
	i->logs_accepted = str_is(in->flow_log, "ALL") || str_is(in->flow_log, "ACCEPT");
	i->logs_rejected = str_is(in->flow_log, "ALL") || str_is(in->flow_log, "REJECT");
	model_link_name('e', in->id, i->link);
	TRY(enter(r, 'l', str_c(i->link), i));
	TRY(read_addresses(r, in, i));
	if (i->addresses.n == 0) return FAIL(r, "%.*s has no address", STR_ARG(in->id));
	return read_membership(r, in, i);
}

/* Numbers of load balancers, as those of tables: flows remember them. */
static status number_balancers(struct reading *r)
{
	struct str *ids = arena_new_n(r->a, struct str, r->m->n_interfaces);
	uint8_t *taken = arena_alloc(r->a, BALANCERS);
	size_t n = 0;
	for (size_t i = 0; i < r->m->n_interfaces; i++)
		if (r->m->interfaces[i].in->balancer.v) ids[n++] = r->m->interfaces[i].in->id;
	if (n > BALANCERS / 2) return FAIL(r, "there are too many load balancers");
	if (n > 1) qsort(ids, n, sizeof(*ids), by_text);
	for (size_t i = 0; i < n; i++)
		((struct model_interface *)look_up(r, 'i', ids[i]))->balancer = take_number(taken, BALANCERS, ids[i]);
	return OK;
}

static status read_interfaces(struct reading *r)
{
	const struct host_rec_vpc *in = r->m->in;
	r->m->interfaces = arena_new_n(r->a, struct model_interface, in->interfaces.n);
	for (size_t i = 0; i < in->interfaces.n; i++)
		if (str_has(in->interfaces.v[i].place)) TRY(read_interface(r, &in->interfaces.v[i]));
	return number_balancers(r);
}

/* ── the VPC ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status read_links(struct reading *r)
{
	const struct host_rec_vpc *in = r->m->in;
	r->m->peerings = arena_new_n(r->a, struct model_link, in->peerings.n);
	for (size_t i = 0; i < in->peerings.n; i++) {
		struct model_link *l = &r->m->peerings[r->m->n_peerings++];
		*l = (struct model_link){.id = in->peerings.v[i].id, .other = in->peerings.v[i].vpc};
		TRY(enter(r, 'x', l->id, l));
		if (!model_id_valid(l->other)) return FAIL(r, "'%.*s' is no id", STR_ARG(l->other));
		model_link_name('p', l->id, l->link);
	}
	r->m->attachments = arena_new_n(r->a, struct model_link, in->attachments.n);
	for (size_t i = 0; i < in->attachments.n; i++) {
		const struct host_rec_attachment *x = &in->attachments.v[i];
		struct model_link *l = &r->m->attachments[r->m->n_attachments++];
		const struct model_subnet *s = x->subnets.n ? look_up(r, 's', x->subnets.v[0]) : NULL;
		*l = (struct model_link){.id = x->id, .other = x->transit_gateway, .mark = s ? s->mark : 0};
		TRY(enter(r, 'x', l->id, l));
		if (!model_id_valid(l->other)) return FAIL(r, "'%.*s' is no id", STR_ARG(l->other));
		model_link_name('t', l->id, l->link);
	}
	return OK;
}

static status read_all(struct reading *r)
{
	const struct host_rec_vpc *in = r->m->in;
	if (!model_id_valid(in->id)) return FAIL(r, "'%.*s' is no id", STR_ARG(in->id));
	struct host_rec_strings all = {arena_new_n(r->a, struct str, in->cidrs.n + in->ipv6_cidrs.n), 0};
	for (size_t i = 0; i < in->cidrs.n; i++) all.v[all.n++] = in->cidrs.v[i];
	for (size_t i = 0; i < in->ipv6_cidrs.n; i++) all.v[all.n++] = in->ipv6_cidrs.v[i];
	TRY(read_cidrs(r, &all, &r->m->cidrs));
	TRY(read_cidrs(r, &in->own_addresses, &r->m->own));
	for (size_t i = 0; i < r->m->own.n; i++)
		if (r->m->own.v[i].length != net_bits(&r->m->own.v[i])) return FAIL(r, "own addresses are addresses");
	TRY(read_groups(r));
	TRY(read_acls(r));
	TRY(read_tables(r));
	TRY(read_subnets(r));
	TRY(read_interfaces(r));
	TRY(read_links(r));
	r->m->edge = look_up(r, 't', in->internet_gateway_table);
	r->m->internet = str_has(in->internet_gateway) || in->egress_only_gateways.n > 0;
	return OK;
}

status model_read(struct arena *a, const struct host_rec_vpc *intent, struct model *out, struct str *why)
{
	struct reading r = {.a = a, .m = out, .why = why};
	*out = (struct model){.in = intent};
	map_init(&r.ids);
	status s = read_all(&r);
	map_cleanup(&r.ids, NULL);
	return s;
}

bool model_egress_only(const struct model_interface *i)
{
	for (size_t k = 0; k < i->subnet->table->n; k++) {
		const struct model_route *route = &i->subnet->table->v[k];
		if (route->to.family == 6 && str_starts(route->target, STR("eigw-"))) return true;
	}
	return false;
}

bool model_internet_shut(const struct model_interface *i, unsigned family)
{
	if (i->internet == MODEL_INTERNET_CLOSED) return true;
	if (i->internet != MODEL_INTERNET_GATEWAYS) return false;
	return family == 4 ? i->kind != MODEL_NAT : !model_egress_only(i);
}

const struct model_interface *model_interface_of(const struct model *m, struct str id)
{
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (str_eq(m->interfaces[i].in->id, id)) return &m->interfaces[i];
	return NULL;
}

const struct model_interface *model_nat(const struct model *m, struct str id)
{
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (m->interfaces[i].kind == MODEL_NAT && str_eq(m->interfaces[i].in->place, id))
			return &m->interfaces[i];
	return NULL;
}
