/* See rules.h. */
#include "host/net/rules.h"
#include "base/map.h"

#define RULES_IN_A_CHAIN 32u
#define PREFIX_ADDRESSES 16u /* of a delegated IPv4 prefix, a /28 */

static const char *ip(const struct net_cidr *c)
{
	return c->family == 4 ? "ip" : "ip6";
}

struct writing {
	const struct model *m;
	struct ruleset *out;
	struct arena *a;
	bool logs, balances;
};
#define TEXT(w, ...) str_fmt((w)->a, __VA_ARGS__)
#define LINE(w, p, ...) ruleset_line((w)->out, (p), __VA_ARGS__)

/* ── matches ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void match_protocol(struct buf *b, const struct model_rule *rule)
{
	bool any = rule->from < 0 && rule->to < 0;
	if (rule->protocol == 6 || rule->protocol == 17) {
		const char *name = rule->protocol == 6 ? "tcp" : "udp";
		if (any || (rule->from <= 0 && rule->to == 65535))
			buf_fmt(b, "meta l4proto %s ", name);
		else if (rule->from == rule->to)
			buf_fmt(b, "%s dport %d ", name, rule->from);
		else
			buf_fmt(b, "%s dport %d-%d ", name, rule->from, rule->to);
	} else if (rule->protocol == 1 || rule->protocol == 58) {
		const char *name = rule->protocol == 1 ? "icmp" : "icmpv6";
		buf_fmt(b, "meta l4proto %s ", rule->protocol == 1 ? "icmp" : "ipv6-icmp");
		if (rule->from >= 0) buf_fmt(b, "%s type %d ", name, rule->from);
		if (rule->from >= 0 && rule->to >= 0) buf_fmt(b, "%s code %d ", name, rule->to);
	} else if (rule->protocol >= 0)
		buf_fmt(b, "meta l4proto %d ", rule->protocol);
}

/* A set for each version of a list: what it holds never changes. */
static struct str list_name(struct writing *w, const struct model_list *l, unsigned family)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < l->cidrs.n; i++)
		hash = hash * 31 + str_hash(str_n(&l->cidrs.v[i], sizeof(l->cidrs.v[i])));
	return TEXT(w, "%.*s.%u.%08x", STR_ARG(l->id), family, (unsigned)(hash ^ hash >> 32));
}

/* "ip saddr 10.0.0.0/8 " for each family that the peer has; verdict behind it. */
static void write_rule(
	struct writing *w, struct ruleset_part *chain, const struct model_rule *rule, const char *verdict)
{
	const char *side = rule->egress ? "daddr" : "saddr";
	for (unsigned family = 4; family <= 6; family += 2) {
		const char *word = family == 4 ? "ip" : "ip6";
		if ((rule->protocol == 1 && family == 6) || (rule->protocol == 58 && family == 4)) continue;
		struct buf b = BUF_IN(w->a);
		if (rule->peer.family) {
			if (rule->peer.family != family) continue;
			if (rule->peer.length == 0)
				buf_fmt(&b, "meta nfproto ipv%u ", family);
			else
				buf_fmt(&b, "%s %s %.*s ", word, side, STR_ARG(net_cidr_text(w->a, &rule->peer)));
		} else if (rule->group)
			buf_fmt(&b, "%s %s @%.*s.%u ", word, side, STR_ARG(rule->group->id), family);
		else if (rule->list)
			buf_fmt(&b, "%s %s @%.*s ", word, side, STR_ARG(list_name(w, rule->list, family)));
		else
			return; /* its group is gone: stale */
		match_protocol(&b, rule);
		LINE(w, chain, "%.*s%s", STR_ARG(buf_done(&b)), verdict);
	}
	/* "Update your target security groups": a rule that names the load balancer's group takes what the load
	 * balancer sends under its clients' addresses. */
	if (!rule->group || !rule->group->balances || rule->egress) return;
	struct buf b = BUF_IN(w->a);
	buf_fmt(&b, "iifname @%.*s.via ", STR_ARG(rule->group->id));
	match_protocol(&b, rule);
	LINE(w, chain, "%.*s%s", STR_ARG(buf_done(&b)), verdict);
}

/* ── security groups ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void write_members(struct writing *w, const struct model_group *g)
{
	struct ruleset_part *sets[2] = {
		ruleset_set(w->out, TEXT(w, "%.*s.4", STR_ARG(g->id)), "{ type ipv4_addr; }"),
		ruleset_set(w->out, TEXT(w, "%.*s.6", STR_ARG(g->id)), "{ type ipv6_addr; }"),
	};
	for (size_t i = 0; i < g->members.n; i++) {
		const struct net_cidr *c = &g->members.v[i];
		unsigned n = c->length == net_bits(c) ? 1 : c->family == 4 && c->length == 28 ? PREFIX_ADDRESSES : 0;
		for (unsigned k = 0; k < n; k++) {
			struct net_cidr one = net_nth(c, (uint8_t)k);
			LINE(w, sets[c->family == 6], "%.*s", STR_ARG(net_address_text(w->a, &one)));
		}
	}
}

/* A big group's rules lie in several chains, each rule always in the same one, so that taking one out rewrites few.
 * Their order is of no matter: groups only allow. */
static uint32_t chain_of(const struct model_rule *r, uint32_t n)
{
	uint64_t hash = str_hash(r->id) + str_hash(str_n(&r->peer, sizeof(r->peer)));
	hash += (uint64_t)(unsigned)r->from * 31 + (uint64_t)(unsigned)r->to * 131 + (uint64_t)(unsigned)r->protocol;
	return (uint32_t)(hash ^ hash >> 17) & (n - 1);
}

static void write_group(struct writing *w, const struct model_group *g)
{
	uint32_t parts = 1;
	while (g->rules.n / parts > RULES_IN_A_CHAIN) parts *= 2;
	for (int egress = 0; egress < 2; egress++) {
		struct str name = TEXT(w, "%.*s.%s", STR_ARG(g->id), egress ? "out" : "in");
		struct ruleset_part *chain = ruleset_chain(w->out, name, "");
		struct ruleset_part **part = arena_new_n(w->a, struct ruleset_part *, parts);
		part[0] = chain;
		for (uint32_t i = 0; parts > 1 && i < parts; i++) {
			struct str of = TEXT(w, "%.*s.%u", STR_ARG(name), i);
			part[i] = ruleset_chain(w->out, of, "");
			LINE(w, chain, "jump %.*s", STR_ARG(of));
		}
		for (size_t k = 0; k < g->rules.n; k++)
			if (g->rules.v[k].egress == (egress == 1))
				write_rule(w, part[chain_of(&g->rules.v[k], parts)], &g->rules.v[k], "accept");
	}
}

/* The links of load balancers that are in a group. */
static void write_balancers_of(struct writing *w, const struct model_group *g)
{
	if (!g->balances) return;
	struct ruleset_part *via = ruleset_set(w->out, TEXT(w, "%.*s.via", STR_ARG(g->id)), "{ type ifname; }");
	for (size_t i = 0; i < w->m->n_interfaces; i++)
		for (size_t k = 0; w->m->interfaces[i].balancer && k < w->m->interfaces[i].n_groups; k++)
			if (w->m->interfaces[i].groups[k] == g) LINE(w, via, "\"%s\"", w->m->interfaces[i].link);
}

static void write_groups(struct writing *w)
{
	for (size_t i = 0; i < w->m->n_lists; i++) {
		const struct model_list *l = &w->m->lists[i];
		struct ruleset_part *sets[2] = {
			ruleset_set(w->out, list_name(w, l, 4), "{ type ipv4_addr; flags interval; auto-merge; }"),
			ruleset_set(w->out, list_name(w, l, 6), "{ type ipv6_addr; flags interval; auto-merge; }"),
		};
		for (size_t k = 0; k < l->cidrs.n; k++)
			LINE(w, sets[l->cidrs.v[k].family == 6], "%.*s", STR_ARG(net_cidr_text(w->a, &l->cidrs.v[k])));
	}
	for (size_t i = 0; i < w->m->n_groups; i++) {
		const struct model_group *g = &w->m->groups[i];
		write_members(w, g);
		write_balancers_of(w, g);
		write_group(w, g);
	}
}

/* One pair of chains for each combination of groups that some interface has. */
static void write_gate(struct writing *w, const struct model_interface *i)
{
	for (int egress = 0; egress < 2; egress++) {
		const char *side = egress ? "out" : "in";
		struct str name = TEXT(w, "%.*s.%s", STR_ARG(i->gate), side);
		if (ruleset_find(w->out, name, false)) return;
		struct ruleset_part *chain = ruleset_chain(w->out, name, "");
		for (size_t k = 0; k < i->n_groups; k++)
			LINE(w, chain, "jump %.*s.%s", STR_ARG(i->groups[k]->id), side);
		LINE(w, chain, "goto refused.%s", side);
	}
}

static void write_gates(struct writing *w)
{
	struct ruleset_part *out = ruleset_set(w->out, STR("senders"), "{ type ifname : verdict; }");
	struct ruleset_part *in = ruleset_set(w->out, STR("receivers"), "{ type ifname : verdict; }");
	for (size_t i = 0; i < w->m->n_interfaces; i++) {
		const struct model_interface *x = &w->m->interfaces[i];
		if (x->kind == MODEL_NAT || x->in->open.v) continue;
		write_gate(w, x);
		LINE(w, out, "\"%s\" : goto %.*s.out", x->link, STR_ARG(x->gate));
		LINE(w, in, "\"%s\" : goto %.*s.in", x->link, STR_ARG(x->gate));
	}
	for (int egress = 0; egress < 2; egress++) {
		const char *side = egress ? "out" : "in";
		struct ruleset_part *refused = ruleset_chain(w->out, TEXT(w, "refused.%s", side), "");
		if (w->logs) LINE(w, refused, "log prefix \"sg %s\" group %d", side, RULES_LOG_GROUP);
		LINE(w, refused, "drop");
	}
	struct ruleset_part *gates = ruleset_chain(w->out, STR("gates"), "");
	LINE(w, gates, "ct state established,related accept");
	LINE(w, gates, "iifname vmap @senders");
	LINE(w, gates, "accept");
	/* The receiver's gate hangs on a hook of its own, behind: what the sender's accepts comes here. Were it reached
	 * by a jump from each rule of the senders, kernels that follow all jumps at each change would take these times
	 * those. */
	struct ruleset_part *ingress = ruleset_chain(
		w->out, STR("ingress"), "{ type filter hook forward priority filter + 10; policy accept; }");
	LINE(w, ingress, "ct state established,related accept");
	LINE(w, ingress, "oifname vmap @receivers");
}

/* ── network ACLs ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void write_acl(struct writing *w, const struct model_acl *acl)
{
	for (int egress = 0; egress < 2; egress++) {
		const char *side = egress ? "out" : "in";
		struct ruleset_part *chain = ruleset_chain(w->out, TEXT(w, "%.*s.%s", STR_ARG(acl->id), side), "");
		struct str denied = TEXT(w, "%.*s.no-%s", STR_ARG(acl->id), side),
			   deny = TEXT(w, "goto %.*s", STR_ARG(denied));
		for (size_t i = 0; i < acl->rules.n; i++)
			if (acl->rules.v[i].egress == (egress == 1))
				write_rule(w, chain, &acl->rules.v[i], acl->rules.v[i].allow ? "return" : deny.p);
		LINE(w, chain, "%.*s", STR_ARG(deny));
		struct ruleset_part *no = ruleset_chain(w->out, denied, "");
		if (w->logs) LINE(w, no, "log prefix \"%.*s %s\" group %d", STR_ARG(acl->id), side, RULES_LOG_GROUP);
		LINE(w, no, "drop");
	}
}

static void write_acls(struct writing *w)
{
	struct ruleset_part *same = ruleset_set(w->out, STR("same-subnet"), "{ type mark . ifname; }");
	struct ruleset_part *leave = ruleset_set(w->out, STR("leave-subnet"), "{ type mark : verdict; }");
	struct ruleset_part *enter = ruleset_set(w->out, STR("enter-subnet"), "{ type ifname : verdict; }");
	for (size_t i = 0; i < w->m->n_acls; i++) write_acl(w, &w->m->acls[i]);
	for (size_t i = 0; i < w->m->n_subnets; i++) {
		const struct model_subnet *s = &w->m->subnets[i];
		if (!s->acl->open[1]) LINE(w, leave, "0x%08x : jump %.*s.out", s->mark, STR_ARG(s->acl->id));
	}
	for (size_t i = 0; i < w->m->n_interfaces; i++) {
		const struct model_interface *x = &w->m->interfaces[i];
		const struct model_acl *acl = x->subnet->acl;
		if (!acl->open[0]) LINE(w, enter, "\"%s\" : jump %.*s.in", x->link, STR_ARG(acl->id));
		if (!acl->open[0] || !acl->open[1]) LINE(w, same, "0x%08x . \"%s\"", x->subnet->mark, x->link);
	}
}

static bool any_closed_acl(const struct model *m)
{
	for (size_t i = 0; i < m->n_subnets; i++)
		if (!m->subnets[i].acl->open[0] || !m->subnets[i].acl->open[1]) return true;
	return false;
}

/* ── the internet ── "Block public access to VPCs and subnets", the VPC guide: whatever routes, groups and ACLs say. */

static bool any_not_open(const struct model *m)
{
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (m->interfaces[i].internet != MODEL_INTERNET_OPEN) return true;
	return false;
}

static void write_internet(struct writing *w)
{
	struct ruleset_part *shut[2] = {ruleset_set(w->out, STR("shut.4"), "{ type ifname; }"),
		ruleset_set(w->out, STR("shut.6"), "{ type ifname; }")};
	struct ruleset_part *outward = ruleset_set(w->out, STR("outward"), "{ type ifname; }");
	for (size_t i = 0; i < w->m->n_interfaces; i++) {
		const struct model_interface *x = &w->m->interfaces[i];
		for (unsigned k = 0; k < 2; k++)
			if (model_internet_shut(x, k ? 6 : 4)) LINE(w, shut[k], "\"%s\"", x->link);
		if (x->internet == MODEL_INTERNET_OUTWARD) LINE(w, outward, "\"%s\"", x->link);
	}
	for (unsigned egress = 0; egress < 2; egress++) {
		const char *side = egress ? "out" : "in";
		struct ruleset_part *no = ruleset_chain(w->out, TEXT(w, "shut.%s", side), "");
		if (w->logs) LINE(w, no, "log prefix \"bpa %s\" group %d", side, RULES_LOG_GROUP);
		LINE(w, no, "drop");
	}
}

/* ── arrival and crossing ────────────────────────────────────────────────────────────────────────────────────────── */

static void write_interfaces(struct writing *w)
{
	struct ruleset_part *marks = ruleset_set(w->out, STR("marks"), "{ type ifname : mark; }");
	struct ruleset_part *checked = ruleset_set(w->out, STR("checked"), "{ type ifname; }");
	struct ruleset_part *own4 = ruleset_set(w->out, STR("addresses.4"), "{ type ifname . ipv4_addr; }");
	struct ruleset_part *own6 = ruleset_set(w->out, STR("addresses.6"), "{ type ifname . ipv6_addr; }");
	struct ruleset_part *down = ruleset_set(w->out, STR("down"), "{ type ifname; }");
	struct ruleset_part *all = ruleset_set(w->out, STR("interfaces"), "{ type ifname; }");
	struct ruleset_part *balancers = ruleset_set(w->out, STR("balancers"), "{ type ifname : mark; }");
	struct ruleset_part *inward = ruleset_set(w->out, STR("egress-only"), "{ type ifname; }");
	for (size_t i = 0; i < w->m->n_interfaces; i++) {
		const struct model_interface *x = &w->m->interfaces[i];
		LINE(w, marks, "\"%s\" : 0x%08x", x->link, x->subnet->mark);
		LINE(w, all, "\"%s\"", x->link);
		if (x->subnet->down || x->in->down.v) LINE(w, down, "\"%s\"", x->link);
		if (x->balancer) LINE(w, balancers, "\"%s\" : 0x%08x", x->link, MARK_BALANCER(x->balancer));
		if (model_egress_only(x)) LINE(w, inward, "\"%s\"", x->link);
		if (!x->check) continue;
		LINE(w, checked, "\"%s\"", x->link);
		for (size_t k = 0; k < x->addresses.n; k++) {
			const struct net_cidr *c = &x->addresses.v[k];
			unsigned n = c->length == net_bits(c)            ? 1
				     : c->family == 4 && c->length == 28 ? PREFIX_ADDRESSES
									 : 0;
			for (unsigned j = 0; j < n; j++) {
				struct net_cidr one = net_nth(c, (uint8_t)j);
				LINE(w, c->family == 4 ? own4 : own6, "\"%s\" . %.*s", x->link,
					STR_ARG(net_address_text(w->a, &one)));
			}
		}
	}
	for (size_t i = 0; i < w->m->n_attachments; i++)
		if (w->m->attachments[i].mark)
			LINE(w, marks, "\"%s\" : 0x%08x", w->m->attachments[i].link, w->m->attachments[i].mark);
	if (w->m->internet && w->m->edge) LINE(w, marks, "\"igw\" : 0x%08x", w->m->edge->number << MARK_TABLE_SHIFT);
}

static void write_arrival(struct writing *w)
{
	struct ruleset_part *arrive =
		ruleset_chain(w->out, STR("arrive"), "{ type filter hook prerouting priority mangle; policy accept; }");
	LINE(w, arrive, "meta mark set iifname map @marks");
	/* The way of what answers to a load balancer's flow; its subnet is looked up again behind the routing. */
	if (w->balances) LINE(w, arrive, "ct direction reply ct mark != 0 meta mark set ct mark");
	LINE(w, arrive, "ip6 saddr { ::, fe80::/10 } accept");
	LINE(w, arrive, "iifname @checked iifname . ip saddr != @addresses.4 drop");
	LINE(w, arrive, "iifname @checked iifname . ip6 saddr != @addresses.6 drop");
}

static void write_crossing(struct writing *w)
{
	struct ruleset_part *cross =
		ruleset_chain(w->out, STR("cross"), "{ type filter hook forward priority filter; policy drop; }");
	if (w->balances) {
		LINE(w, cross, "ct state new ct mark set iifname map @balancers");
		LINE(w, cross, "ct direction reply ct mark != 0 meta mark set iifname map @marks");
	}
	LINE(w, cross, "iifname @down drop");
	/* A kept connection into a zone that has gone would hang until its client gives up: it is told, once it speaks.
	 * Who connects anew hears nothing, as of a host that is not there. */
	LINE(w, cross, "oifname @down meta l4proto tcp ct state established reject with tcp reset");
	LINE(w, cross, "oifname @down drop");
	LINE(w, cross, "oifname @checked oifname . ip daddr != @addresses.4 drop");
	LINE(w, cross, "oifname @checked oifname . ip6 daddr != @addresses.6 drop");
	/* An internet gateway has nothing to send from an address that has no public one. */
	if (any_not_open(w->m)) {
		for (unsigned family = 4; family <= 6; family += 2) {
			LINE(w, cross, "oifname \"igw\" meta nfproto ipv%u iifname @shut.%u goto shut.out", family,
				family);
			LINE(w, cross, "iifname \"igw\" meta nfproto ipv%u oifname @shut.%u goto shut.in", family,
				family);
		}
		LINE(w, cross, "iifname \"igw\" oifname @outward ct state new goto shut.in");
	}
	LINE(w, cross, "oifname \"igw\" meta nfproto ipv4 ip saddr != @has-public drop");
	LINE(w, cross, "iifname \"igw\" meta nfproto ipv6 oifname @egress-only ct state new drop");
	if (any_closed_acl(w->m)) {
		LINE(w, cross, "meta mark . oifname @same-subnet goto gates");
		LINE(w, cross, "meta mark vmap @leave-subnet");
		LINE(w, cross, "oifname vmap @enter-subnet");
	}
	LINE(w, cross, "goto gates");
}

static void write_public(struct writing *w)
{
	struct ruleset_part *in = ruleset_set(w->out, STR("public-to-private"), "{ type ipv4_addr : ipv4_addr; }");
	struct ruleset_part *out = ruleset_set(w->out, STR("private-to-public"), "{ type ipv4_addr : ipv4_addr; }");
	struct ruleset_part *has = ruleset_set(w->out, STR("has-public"), "{ type ipv4_addr; }");
	for (size_t i = 0; i < w->m->n_interfaces; i++) {
		const struct model_interface *x = &w->m->interfaces[i];
		for (size_t k = 0; k < x->addresses.n; k++) {
			if (!x->publics[k].family) continue;
			struct str private = net_address_text(w->a, &x->addresses.v[k]),
				   public = net_address_text(w->a, &x->publics[k]);
			LINE(w, in, "%.*s : %.*s", STR_ARG(public), STR_ARG(private));
			LINE(w, out, "%.*s : %.*s", STR_ARG(private), STR_ARG(public));
			LINE(w, has, "%.*s", STR_ARG(private));
		}
	}
	struct ruleset_part *to =
		ruleset_chain(w->out, STR("to-public"), "{ type nat hook prerouting priority dstnat; policy accept; }");
	LINE(w, to, "iifname \"igw\" dnat ip to ip daddr map @public-to-private");
	struct ruleset_part *from = ruleset_chain(
		w->out, STR("from-public"), "{ type nat hook postrouting priority srcnat; policy accept; }");
	LINE(w, from, "oifname \"igw\" snat ip to ip saddr map @private-to-public");
}

/* AWS, "Control traffic to subnets using network ACLs" and "… security groups": neither filters traffic to the
 * resolver, DHCP, instance metadata, time. */
static void write_self(struct writing *w)
{
	struct ruleset_part *own4 = ruleset_set(w->out, STR("own.4"), "{ type ipv4_addr; }");
	struct ruleset_part *own6 = ruleset_set(w->out, STR("own.6"), "{ type ipv6_addr; }");
	for (size_t i = 0; i < w->m->own.n; i++)
		LINE(w, w->m->own.v[i].family == 4 ? own4 : own6, "%.*s",
			STR_ARG(net_address_text(w->a, &w->m->own.v[i])));
	struct ruleset_part *self =
		ruleset_chain(w->out, STR("self"), "{ type filter hook input priority filter; policy drop; }");
	LINE(w, self, "iifname \"lo\" accept");
	LINE(w, self, "iifname @down drop");
	LINE(w, self, "ct state established,related accept");
	LINE(w, self, "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept");
	LINE(w, self, "iifname != @interfaces drop");
	for (int udp = 0; udp < 2; udp++)
		for (int six = 0; six < 2; six++)
			LINE(w, self, "%s daddr @own.%d %s dport { %s } accept", six ? "ip6" : "ip", six ? 6 : 4,
				udp ? "udp" : "tcp", udp ? "53, 123" : "53, 80");
}

void rules_of_vpc(const struct model *m, struct ruleset *out)
{
	struct writing w = {.m = m, .out = out, .a = out->arena};
	for (size_t i = 0; i < m->n_interfaces; i++) {
		w.logs = w.logs || m->interfaces[i].logs_rejected;
		w.balances = w.balances || m->interfaces[i].balancer;
	}
	write_interfaces(&w);
	write_groups(&w);
	write_gates(&w);
	write_acls(&w);
	if (any_not_open(m)) write_internet(&w);
	write_arrival(&w);
	write_public(&w);
	write_crossing(&w);
	write_self(&w);
}

void rules_of_nat(const struct model_interface *i, struct ruleset *out)
{
	struct arena *a = out->arena;
	struct str own = net_address_text(a, &i->addresses.v[0]);
	struct ruleset_part *post =
		ruleset_chain(out, STR("translate"), "{ type nat hook postrouting priority srcnat; policy accept; }");
	ruleset_line(out, post, "%s saddr != %.*s snat ip to %.*s", ip(&i->addresses.v[0]), STR_ARG(own), STR_ARG(own));
	struct ruleset_part *self =
		ruleset_chain(out, STR("self"), "{ type filter hook input priority filter; policy drop; }");
	ruleset_line(out, self, "ct state established,related accept");
	struct ruleset_part *cross =
		ruleset_chain(out, STR("cross"), "{ type filter hook forward priority filter; policy drop; }");
	ruleset_line(out, cross, "ct state established,related accept");
	/* "NAT gateways": they carry TCP, UDP and ICMP. */
	ruleset_line(out, cross, "meta l4proto { tcp, udp, icmp } accept");
}
