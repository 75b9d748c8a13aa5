/* Addresses, neighbours, routes and rules: what stands, what is wanted, and the difference. See rtnl.h. */
#include "base/vec.h"
#include "host/net/mnl.h"
#include "host/net/rtnl_internal.h"
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#define KEY_SIZE offsetof(struct rtnl_thing, mark)

struct rtnl_thing *rtnl_add(struct arena *a, struct rtnl_things *t)
{
	return VEC_PUSH(a, t, &t->capacity);
}

static uint8_t family_of(const struct net_cidr *c)
{
	return c->family == 4 ? AF_INET : AF_INET6;
}
static size_t size_of(const struct net_cidr *c)
{
	return c->family == 4 ? 4 : 16;
}

/* ── what stands ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct gather {
	struct arena *a;
	const struct rtnl_links *links;
	struct rtnl_things *out;
};

static void link_name(const struct gather *g, unsigned index, char out[LINK_NAME])
{
	for (size_t i = 0; i < g->links->n; i++)
		if (g->links->v[i].index == index) memcpy(out, g->links->v[i].name, LINK_NAME);
}

static void read_bytes(const struct nlattr *attr, uint8_t family, struct net_cidr *out)
{
	size_t n = mnl_attr_get_payload_len(attr);
	out->family = family == AF_INET ? 4 : 6;
	memcpy(out->bytes, mnl_attr_get_payload(attr), n < 16 ? n : 16);
}

static int gather_address(const struct nlmsghdr *h, void *ctx)
{
	struct gather *g = ctx;
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct rtnl_thing t = {.kind = RTNL_ADDRESS};
	bool local = false, ours = false;
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(*m))
	{
		unsigned type = mnl_attr_get_type(attr);
		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !local)) read_bytes(attr, m->ifa_family, &t.to);
		if (type == IFA_LOCAL) local = true;
		if (type == IFA_PROTO && mnl_attr_get_u8(attr) == RTNL_OURS) ours = true;
	}
	t.to.length = m->ifa_prefixlen;
	link_name(g, m->ifa_index, t.key_link);
	if (ours) *rtnl_add(g->a, g->out) = t;
	return MNL_CB_OK;
}

static int gather_neighbour(const struct nlmsghdr *h, void *ctx)
{
	struct gather *g = ctx;
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct rtnl_thing t = {.kind = RTNL_NEIGHBOUR};
	if (!(m->ndm_state & NUD_PERMANENT) || (m->ndm_family != AF_INET && m->ndm_family != AF_INET6))
		return MNL_CB_OK;
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(*m))
	{
		if (mnl_attr_get_type(attr) == NDA_DST) read_bytes(attr, m->ndm_family, &t.to);
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			memcpy(t.mac, mnl_attr_get_payload(attr), 6);
	}
	t.to.length = net_bits(&t.to);
	link_name(g, (unsigned)m->ndm_ifindex, t.key_link);
	*rtnl_add(g->a, g->out) = t;
	return MNL_CB_OK;
}

static int gather_route(const struct nlmsghdr *h, void *ctx)
{
	struct gather *g = ctx;
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	if (m->rtm_protocol != RTNL_OURS || (m->rtm_family != AF_INET && m->rtm_family != AF_INET6)) return MNL_CB_OK;
	struct rtnl_thing t = {.kind = RTNL_ROUTE, .table = m->rtm_table, .type = m->rtm_type};
	t.to.family = m->rtm_family == AF_INET ? 4 : 6;
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_TABLE:
			t.table = mnl_attr_get_u32(attr);
			break;
		case RTA_DST:
			read_bytes(attr, m->rtm_family, &t.to);
			break;
		case RTA_GATEWAY:
			read_bytes(attr, m->rtm_family, &t.via);
			t.via.length = net_bits(&t.via);
			break;
		case RTA_OIF:
			if (m->rtm_type != RTN_BLACKHOLE) link_name(g, mnl_attr_get_u32(attr), t.link);
			break;
		default:
			break;
		}
	}
	t.to.length = m->rtm_dst_len;
	*rtnl_add(g->a, g->out) = t;
	return MNL_CB_OK;
}

static int gather_rule(const struct nlmsghdr *h, void *ctx)
{
	struct gather *g = ctx;
	const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);
	struct rtnl_thing t = {.kind = RTNL_RULE, .lookup = m->table, .to.family = m->family == AF_INET ? 4 : 6};
	bool ours = false;
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case FRA_TABLE:
			t.lookup = mnl_attr_get_u32(attr);
			break;
		case FRA_PRIORITY:
			t.preference = mnl_attr_get_u32(attr);
			break;
		case FRA_FWMARK:
			t.mark = mnl_attr_get_u32(attr);
			break;
		case FRA_FWMASK:
			t.mask = mnl_attr_get_u32(attr);
			break;
		case FRA_SRC:
			read_bytes(attr, m->family, &t.via);
			t.via.length = m->src_len;
			break;
		case FRA_PROTOCOL:
			ours = mnl_attr_get_u8(attr) == RTNL_OURS;
			break;
		default:
			break;
		}
	}
	if (ours && (m->family == AF_INET || m->family == AF_INET6)) *rtnl_add(g->a, g->out) = t;
	return MNL_CB_OK;
}

status rtnl_standing(struct rtnl *r, struct arena *a, const struct rtnl_links *links, struct rtnl_things *out)
{
	struct gather g = {a, links, out};
	*out = (struct rtnl_things){0};
	TRY(rtnl_dump(r, RTM_GETADDR, AF_UNSPEC, gather_address, &g));
	TRY(rtnl_dump(r, RTM_GETNEIGH, AF_UNSPEC, gather_neighbour, &g));
	TRY(rtnl_dump(r, RTM_GETROUTE, AF_INET, gather_route, &g));
	TRY(rtnl_dump(r, RTM_GETROUTE, AF_INET6, gather_route, &g));
	TRY(rtnl_dump(r, RTM_GETRULE, AF_INET, gather_rule, &g));
	return rtnl_dump(r, RTM_GETRULE, AF_INET6, gather_rule, &g);
}

/* ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static unsigned link_index(const struct rtnl_links *links, const char *name)
{
	const struct rtnl_link *l = rtnl_find(links, name);
	return l ? l->index : 0;
}

static void put_address(struct rtnl *r, const struct rtnl_thing *t, bool add, unsigned index)
{
	struct nlmsghdr *h = rtnl_message(r, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = family_of(&t->to);
	m->ifa_prefixlen = t->to.length;
	m->ifa_index = index;
	bool link_local = t->to.family == 6 && t->to.bytes[0] == 0xfe && (t->to.bytes[1] & 0xc0) == 0x80;
	m->ifa_scope = link_local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	mnl_attr_put(h, IFA_LOCAL, size_of(&t->to), t->to.bytes);
	mnl_attr_put(h, IFA_ADDRESS, size_of(&t->to), t->to.bytes);
	if (add) mnl_attr_put_u32(h, IFA_FLAGS, t->to.family == 6 ? IFA_F_PERMANENT | IFA_F_NODAD : IFA_F_PERMANENT);
	if (add) mnl_attr_put_u8(h, IFA_PROTO, RTNL_OURS);
	rtnl_done(r, h);
}

static void put_neighbour(struct rtnl *r, const struct rtnl_thing *t, bool add, unsigned index)
{
	struct nlmsghdr *h = rtnl_message(r, add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct ndmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ndm_family = family_of(&t->to);
	m->ndm_ifindex = (int)index;
	m->ndm_state = NUD_PERMANENT;
	mnl_attr_put(h, NDA_DST, size_of(&t->to), t->to.bytes);
	if (add) mnl_attr_put(h, NDA_LLADDR, 6, t->mac);
	rtnl_done(r, h);
}

static void put_route(struct rtnl *r, const struct rtnl_thing *t, bool add, unsigned index)
{
	struct nlmsghdr *h = rtnl_message(r, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = family_of(&t->to);
	m->rtm_dst_len = t->to.length;
	m->rtm_table = RT_TABLE_UNSPEC;
	m->rtm_protocol = RTNL_OURS;
	m->rtm_type = t->type;
	m->rtm_scope = t->type == RTN_LOCAL         ? RT_SCOPE_HOST
		       : t->via.family || !*t->link ? RT_SCOPE_UNIVERSE
						    : RT_SCOPE_LINK;
	if (!add) m->rtm_scope = RT_SCOPE_NOWHERE;
	if (t->via.family) m->rtm_flags = RTNH_F_ONLINK;
	mnl_attr_put_u32(h, RTA_TABLE, t->table);
	if (t->to.length) mnl_attr_put(h, RTA_DST, size_of(&t->to), t->to.bytes);
	if (t->via.family) mnl_attr_put(h, RTA_GATEWAY, size_of(&t->via), t->via.bytes);
	if (index) mnl_attr_put_u32(h, RTA_OIF, index);
	rtnl_done(r, h);
}

static void put_rule(struct rtnl *r, const struct rtnl_thing *t, bool add)
{
	struct nlmsghdr *h = rtnl_message(r, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->family = family_of(&t->to);
	m->action = FR_ACT_TO_TBL;
	m->table = RT_TABLE_UNSPEC;
	mnl_attr_put_u32(h, FRA_TABLE, t->lookup);
	mnl_attr_put_u32(h, FRA_PRIORITY, t->preference);
	if (t->via.family) {
		m->src_len = t->via.length;
		mnl_attr_put(h, FRA_SRC, size_of(&t->via), t->via.bytes);
	}
	if (t->mask) mnl_attr_put_u32(h, FRA_FWMARK, t->mark), mnl_attr_put_u32(h, FRA_FWMASK, t->mask);
	mnl_attr_put_u8(h, FRA_PROTOCOL, RTNL_OURS);
	rtnl_done(r, h);
}

static const char *link_of(const struct rtnl_thing *t)
{
	return t->kind == RTNL_ROUTE ? t->link : t->key_link;
}

static void put(struct rtnl *r, const struct rtnl_thing *t, bool add, const struct rtnl_links *links)
{
	const char *name = link_of(t);
	unsigned index = *name ? link_index(links, name) : 0;
	if (*name && !index) return; /* gone with its link, or not there yet */
	switch ((enum rtnl_kind)t->kind) {
	case RTNL_ADDRESS:
		put_address(r, t, add, index);
		return;
	case RTNL_NEIGHBOUR:
		put_neighbour(r, t, add, index);
		return;
	case RTNL_ROUTE:
		put_route(r, t, add, index);
		return;
	case RTNL_RULE:
		put_rule(r, t, add);
		return;
	}
	UNREACHABLE();
}

static int by_key(const void *x, const void *y)
{
	return memcmp(x, y, KEY_SIZE);
}

/* By key; of several with one key the first in memcmp's order stays, so that it is always the same. */
static int by_all(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct rtnl_thing));
}

static void sort(struct rtnl_things *t)
{
	if (t->n < 2) return;
	qsort(t->v, t->n, sizeof(*t->v), by_all);
	size_t kept = 1;
	for (size_t i = 1; i < t->n; i++)
		if (by_key(&t->v[kept - 1], &t->v[i]) != 0) t->v[kept++] = t->v[i];
	t->n = kept;
}

void rtnl_converge(
	struct rtnl *r, const struct rtnl_links *links, struct rtnl_things *standing, struct rtnl_things *wanted)
{
	sort(standing);
	sort(wanted);
	size_t s = 0, w = 0;
	while (s < standing->n || w < wanted->n) {
		const struct rtnl_thing *have = s < standing->n ? &standing->v[s] : NULL;
		const struct rtnl_thing *want = w < wanted->n ? &wanted->v[w] : NULL;
		int order = !have ? 1 : !want ? -1 : by_key(have, want);
		if (order == 0 && memcmp(have, want, sizeof(*have)) != 0) {
			/* Rules cannot be replaced, all else is. */
			if (have->kind == RTNL_RULE) put(r, have, false, links);
			put(r, want, true, links);
		} else if (order < 0)
			put(r, have, false, links);
		else if (order > 0)
			put(r, want, true, links);
		s += order <= 0;
		w += order >= 0;
	}
}

void rtnl_furnish(struct rtnl *r, const struct rtnl_links *come, struct rtnl_things *wanted)
{
	sort(wanted);
	for (size_t i = 0; i < wanted->n; i++)
		if (*link_of(&wanted->v[i])) put(r, &wanted->v[i], true, come);
}
