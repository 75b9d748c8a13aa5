/* The internet: one namespace that all VPCs with a gateway have a link to. It knows their public addresses and AWS's
 * own ones; anything else does not exist there. */
#include "clock/clock.h"
#include "host/net/net.h"
#include <linux/rtnetlink.h>
#include <stdlib.h>

/* TEST-NET-2 and the documentation prefix (RFC 5737, RFC 3849): who speaks from the internet itself has these. */
#define SELF4 "198.51.100.1"
#define SELF6 "2001:db8::1"
/* Routes of each VPC are in the main table, told apart by their link. */

void net_internet_link(struct str vpc, char out[LINK_NAME])
{
	model_link_name('v', vpc, out);
}

static status own_things(struct net *n, struct arena *a, struct rtnl_things *out)
{
	const char *self[] = {SELF4, SELF6};
	for (size_t i = 0; i < 2; i++) {
		struct net_cidr c;
		TRY(net_address_read(str_c(self[i]), &c));
		plan_own_address(a, &c, out);
	}
	for (size_t i = 0; i < n->services.n; i++) plan_local(a, &n->services.v[i], out);
	return OK;
}

/* What stands, of one link or of none. */
static void only_of(struct rtnl_things *t, const char *link)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->n; i++) {
		const char *of = t->v[i].kind == RTNL_ROUTE ? t->v[i].link : t->v[i].key_link;
		if (strcmp(of, link) == 0) t->v[kept++] = t->v[i];
	}
	t->n = kept;
}

static status converge(
	struct net *n, struct arena *a, const char *link, struct rtnl_things *wanted, struct net_effect *e)
{
	struct rtnl_links links;
	struct rtnl_things standing;
	unsigned before = n->internet.rtnl.changes;
	TRY(rtnl_links(&n->internet.rtnl, a, &links));
	TRY(rtnl_standing(&n->internet.rtnl, a, &links, &standing));
	only_of(&standing, link);
	rtnl_converge(&n->internet.rtnl, &links, &standing, wanted);
	e->changes += n->internet.rtnl.changes - before;
	return rtnl_flush(&n->internet.rtnl);
}

static status own(struct net *n, struct net_effect *e)
{
	struct arena a;
	struct rtnl_things things = {0};
	arena_init(&a);
	status s = own_things(n, &a, &things);
	if (is_ok(s)) s = converge(n, &a, "lo", &things, e);
	arena_cleanup(&a);
	return s;
}

status net_internet(struct net *n)
{
	struct net_effect e = {0};
	if (str_has(n->internet.place)) return OK;
	TRY(space_make(net_prefix(n), PLACE_INTERNET, SPACE_ROUTER, &n->internet));
	return own(n, &e);
}

status net_internet_routes(struct net *n, const struct model *m, struct str vpc, struct net_effect *e)
{
	static const uint8_t router[6] = PLAN_MAC_A;
	struct arena a;
	struct rtnl_things things = {0};
	char link[LINK_NAME];
	arena_init(&a);
	net_internet_link(vpc, link);
	if (m && m->internet) plan_hops(&a, link, router, &things);
	for (size_t i = 0; m && m->internet && i < m->n_interfaces; i++)
		for (size_t k = 0; k < m->interfaces[i].addresses.n; k++)
			if (m->interfaces[i].publics[k].family)
				plan_via_link(&a, &m->interfaces[i].publics[k], RT_TABLE_MAIN, link, &things);
	for (size_t i = 0; m && m->internet && i < m->n_subnets; i++)
		if (m->subnets[i].ipv6.family) plan_via_link(&a, &m->subnets[i].ipv6, RT_TABLE_MAIN, link, &things);
	status s = converge(n, &a, link, &things, e);
	arena_cleanup(&a);
	return s;
}

static status apply(struct net *n, struct agent_request *r, struct net_effect *e)
{
	struct host_rec_internet intent = {0};
	if (!is_ok(host_rec_internet_decode(r->arena, r->body, &intent))) return STATUS(INVALID);
	struct arena *a = mem_new(sizeof(*a));
	arena_init(a);
	struct model_cidrs services = {arena_new_n(a, struct net_cidr, intent.service_addresses.n), 0};
	status s = OK;
	for (size_t i = 0; i < intent.service_addresses.n && is_ok(s); i++)
		s = net_cidr_read(intent.service_addresses.v[i], &services.v[services.n++]);
	if (!is_ok(s)) {
		arena_cleanup(a);
		free(a);
		e->why = STR("a service's address is none");
		return s;
	}
	if (n->internet_arena) arena_cleanup(n->internet_arena), free(n->internet_arena);
	n->internet_arena = a;
	n->services = services;
	TRY(net_internet(n));
	return own(n, e);
}

void net_on_internet(struct agent *g, struct agent_request *r)
{
	struct net_effect e = {0};
	int64_t begun = clock_monotonic_us();
	status s = apply(agent_net(g), r, &e);
	net_answer(g, r, s, true, &e, begun);
}
