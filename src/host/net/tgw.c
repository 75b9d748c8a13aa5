/* A transit gateway: a namespace with a link to each attached VPC. Which of its route tables decides on a packet is
 * told by the link that it came by. */
#include "clock/clock.h"
#include "host/net/net.h"
#include "host/netns.h"
#include <linux/rtnetlink.h>
#include <stdlib.h>

#define NUMBER_FIRST 1u

static uint32_t table_number(const struct host_rec_transit_gateway *t, struct str id)
{
	for (size_t i = 0; i < t->tables.n; i++)
		if (str_eq(t->tables.v[i].id, id)) return (uint32_t)i + NUMBER_FIRST;
	return 0;
}

static bool wants_link(const struct host_rec_transit_gateway *t, const char *name)
{
	char link[LINK_NAME];
	for (size_t i = 0; i < t->attachments.n; i++) {
		model_link_name('t', t->attachments.v[i].id, link);
		if (strcmp(link, name) == 0) return true;
	}
	return false;
}

static void plan(struct arena *a, const struct host_rec_transit_gateway *t, struct rtnl_things *out)
{
	static const uint8_t mac_a[6] = PLAN_MAC_A, mac_b[6] = PLAN_MAC_B;
	char link[LINK_NAME];
	for (size_t i = 0; i < t->attachments.n; i++) {
		struct str other = t->attachments.v[i].other;
		model_link_name('t', t->attachments.v[i].id, link);
		/* A VPC holds end A; of two gateways, the one whose id comes first. */
		bool first = str_starts(other, STR("tgw-")) && str_cmp(t->id, other) < 0;
		plan_hops(a, link, first ? mac_b : mac_a, out);
	}
	for (size_t i = 0; i < t->tables.n; i++) {
		uint32_t number = (uint32_t)i + NUMBER_FIRST;
		for (size_t k = 0; k < t->tables.v[i].routes.n; k++) {
			const struct host_rec_tgw_route *r = &t->tables.v[i].routes.v[k];
			struct net_cidr to;
			if (!is_ok(net_cidr_read(r->destination, &to))) continue; /* checked before */
			if (str_has(r->attachment)) {
				model_link_name('t', r->attachment, link);
				plan_via_link(a, &to, number + PLAN_TABLE_ROUTES, link, out);
			} else
				plan_blackhole(a, &to, number + PLAN_TABLE_ROUTES, out);
		}
		for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2))
			plan_rule(a, family, number, number << MARK_TABLE_SHIFT, number + PLAN_TABLE_ROUTES, out);
	}
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		struct net_cidr all = {.family = family};
		plan_blackhole(a, &all, PLAN_TABLE_END, out);
		plan_rule(a, family, 40000, 0, PLAN_TABLE_END, out);
	}
}

static void rules(const struct host_rec_transit_gateway *t, struct ruleset *out)
{
	char link[LINK_NAME];
	struct ruleset_part *marks = ruleset_set(out, STR("marks"), "{ type ifname : mark; }");
	struct ruleset_part *arrive =
		ruleset_chain(out, STR("arrive"), "{ type filter hook prerouting priority mangle; policy accept; }");
	struct ruleset_part *self =
		ruleset_chain(out, STR("self"), "{ type filter hook input priority filter; policy drop; }");
	ruleset_line(out, arrive, "meta mark set iifname map @marks");
	ruleset_line(out, self, "iifname \"lo\" accept");
	for (size_t i = 0; i < t->attachments.n; i++) {
		uint32_t number = table_number(t, t->attachments.v[i].table);
		model_link_name('t', t->attachments.v[i].id, link);
		if (number) ruleset_line(out, marks, "\"%s\" : 0x%08x", link, number << MARK_TABLE_SHIFT);
	}
}

status net_tgw_converge(struct net *n, struct net_tgw *t, struct net_effect *e)
{
	struct arena a;
	struct rtnl_links links;
	struct rtnl_things things = {0};
	(void)n;
	arena_init(&a);
	unsigned before = t->space.rtnl.changes;
	struct ruleset *wanted = space_ruleset();
	rules(t->intent, wanted);
	status s = space_rules(&t->space, wanted, &e->changes);
	if (is_ok(s)) s = rtnl_links(&t->space.rtnl, &a, &links);
	for (size_t i = 0; is_ok(s) && i < links.n; i++)
		if (links.v[i].name[0] == 't' && !wants_link(t->intent, links.v[i].name))
			rtnl_link_delete(&t->space.rtnl, links.v[i].name);
	plan(&a, t->intent, &things);
	if (is_ok(s)) s = space_converge(&t->space, &a, &links, false, &things);
	e->changes += t->space.rtnl.changes - before;
	arena_cleanup(&a);
	return s;
}

static status check(const struct host_rec_transit_gateway *t, struct net_effect *e)
{
	e->why = STR("an id or a CIDR of the transit gateway is none");
	if (!model_id_valid(t->id)) return STATUS(INVALID);
	for (size_t i = 0; i < t->attachments.n; i++)
		if (!model_id_valid(t->attachments.v[i].id)) return STATUS(INVALID);
	for (size_t i = 0; i < t->tables.n; i++)
		for (size_t k = 0; k < t->tables.v[i].routes.n; k++) {
			struct net_cidr to;
			struct str attachment = t->tables.v[i].routes.v[k].attachment;
			TRY(net_cidr_read(t->tables.v[i].routes.v[k].destination, &to));
			if (str_has(attachment) && !model_id_valid(attachment)) return STATUS(INVALID);
		}
	e->why = STR_NONE;
	return OK;
}

/* Transit gateways may be peered with each other: the one whose id comes first makes the link. */
static status join_others(struct net *n, struct net_tgw *t, struct net_effect *e)
{
	struct arena a;
	struct rtnl_links links;
	arena_init(&a);
	status s = rtnl_links(&t->space.rtnl, &a, &links);
	for (size_t i = 0; is_ok(s) && i < t->intent->attachments.n; i++) {
		const struct host_rec_tgw_attachment *x = &t->intent->attachments.v[i];
		struct net_tgw *other = net_tgw_find(n, x->other);
		char link[LINK_NAME];
		model_link_name('t', x->id, link);
		if (!other || other == t || rtnl_find(&links, link) || !wants_link(other->intent, link)) continue;
		net_join(&t->space, link, &other->space, link, MTU_TGW, x->id, str_cmp(t->intent->id, x->other) < 0);
		s = rtnl_flush(&t->space.rtnl);
		if (is_ok(s)) s = rtnl_flush(&other->space.rtnl);
		if (is_ok(s)) s = net_tgw_converge(n, other, e);
	}
	arena_cleanup(&a);
	return s;
}

static status apply(struct net *n, struct arena *a, struct str body, struct net_effect *e, bool *applied)
{
	struct host_rec_transit_gateway *intent = arena_new(a, struct host_rec_transit_gateway);
	if (!is_ok(host_rec_transit_gateway_decode(a, str_dup(a, body), intent))) return STATUS(INVALID);
	TRY(check(intent, e));
	struct net_tgw *t = net_tgw_find(n, intent->id);
	if (t && intent->generation.v < t->intent->generation.v) return OK;
	if (!t) {
		t = mem_new(sizeof(*t));
		status s = space_make(net_prefix(n), intent->id, SPACE_ROUTER, &t->space);
		if (!is_ok(s)) {
			free(t);
			return s;
		}
		t->next = n->tgws;
		n->tgws = t;
	} else {
		arena_cleanup(t->arena);
		free(t->arena);
	}
	t->arena = a;
	t->intent = intent;
	*applied = true;
	TRY(join_others(n, t, e));
	TRY(net_tgw_converge(n, t, e));
	/* VPCs that named it before it stood. */
	for (struct net_vpc *v = n->vpcs; v; v = v->next)
		for (size_t i = 0; i < v->model->n_attachments; i++)
			if (str_eq(v->model->attachments[i].other, intent->id))
				TRY(net_vpc_converge(n, v, v->model, false, e));
	return OK;
}

void net_on_tgw(struct agent *g, struct agent_request *r)
{
	struct net_effect e = {0};
	int64_t begun = clock_monotonic_us();
	struct arena *a = mem_new(sizeof(*a));
	bool applied = false;
	arena_init(a);
	status s = apply(agent_net(g), a, r->body, &e, &applied);
	net_answer(g, r, s, applied, &e, begun);
	if (applied) return;
	arena_cleanup(a);
	free(a);
}

void net_on_tgw_remove(struct agent *g, struct agent_request *r)
{
	struct net *n = agent_net(g);
	struct host_rec_remove q = {0};
	if (!is_ok(host_rec_remove_decode(r->arena, r->body, &q)) || !model_id_valid(q.id)) {
		agent_answer(g, r->id, STATUS(INVALID), STR("no such id"), STR_NONE, NULL, 0);
		return;
	}
	for (struct net_tgw **at = &n->tgws; *at; at = &(*at)->next) {
		struct net_tgw *t = *at;
		if (!str_eq(t->intent->id, q.id)) continue;
		*at = t->next;
		space_unlink(&t->space);
		space_close(&t->space);
		arena_cleanup(t->arena);
		free(t->arena);
		free(t);
		break;
	}
	netns_remove(netns_name(r->arena, net_prefix(n), q.id));
	agent_answer(g, r->id, OK, STR_NONE, STR_NONE, NULL, 0);
}
