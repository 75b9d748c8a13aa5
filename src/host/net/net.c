/* The requests about networks. See net.h and host/host.h. */
#include "host/net/net.h"
#include "base/log.h"
#include "clock/clock.h"
#include "host/net/flow.h"
#include "host/net/repair.h"
#include "host/net/trace.h"
#include "host/netns.h"
#include <stdlib.h>

struct net *net_new(struct agent *g)
{
	struct net *n = mem_new(sizeof(*n));
	n->agent = g;
	return n;
}

static void free_arena(struct arena *a)
{
	if (!a) return;
	arena_cleanup(a);
	free(a);
}

static void free_vpc(struct net_vpc *v)
{
	repair_end(v);
	flow_end(v);
	space_close(&v->router);
	free_arena(v->arena);
	free(v);
}

static void free_tgw(struct net_tgw *t)
{
	space_close(&t->space);
	free_arena(t->arena);
	free(t);
}

static void forget_all(struct net *n)
{
	while (n->vpcs) {
		struct net_vpc *v = n->vpcs;
		n->vpcs = v->next;
		free_vpc(v);
	}
	while (n->tgws) {
		struct net_tgw *t = n->tgws;
		n->tgws = t->next;
		free_tgw(t);
	}
	space_close(&n->internet);
}

void net_free(struct net *n)
{
	if (!n) return;
	forget_all(n);
	free_arena(n->internet_arena);
	free(n);
}

struct str net_prefix(const struct net *n)
{
	return agent_prefix(n->agent);
}

struct net_vpc *net_vpc_find(const struct net *n, struct str id)
{
	for (struct net_vpc *v = n->vpcs; v; v = v->next)
		if (str_eq(v->model->in->id, id)) return v;
	return NULL;
}

struct net_tgw *net_tgw_find(const struct net *n, struct str id)
{
	for (struct net_tgw *t = n->tgws; t; t = t->next)
		if (str_eq(t->intent->id, id)) return t;
	return NULL;
}

void net_answer(
	struct agent *g, struct agent_request *r, status s, bool applied, const struct net_effect *e, int64_t begun_us)
{
	struct host_rec_applied out = {.applied = SOME_BOOL(applied),
		.micros = SOME_I64(clock_monotonic_us() - begun_us),
		.changes = SOME_I32((int32_t)e->changes)};
	struct str body = is_ok(s) ? host_rec_applied_encode(r->arena, &out) : STR_NONE;
	struct str why = str_has(e->why) || is_ok(s) ? e->why : STR("the kernel refused; the log tells more");
	agent_answer(g, r->id, s, why, body, NULL, 0);
}

/* ── VPCs ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status read_vpc(struct arena *a, struct str body, struct model **out, struct net_effect *e)
{
	struct host_rec_vpc *intent = arena_new(a, struct host_rec_vpc);
	*out = arena_new(a, struct model);
	if (!is_ok(host_rec_vpc_decode(a, str_dup(a, body), intent))) return STATUS(INVALID);
	return model_read(a, intent, *out, &e->why);
}

static void on_new_model(
	struct agent *g, struct agent_request *r, struct arena *a, struct model *m, struct net_effect *e, int64_t begun)
{
	struct net *n = agent_net(g);
	struct net_vpc *v = net_vpc_find(n, m->in->id);
	if (v && m->in->generation.v < v->model->in->generation.v) {
		net_answer(g, r, OK, false, e, begun);
		free_arena(a);
		return;
	}
	struct arena *old_arena = NULL;
	const struct model *old = NULL;
	if (!v) {
		v = mem_new(sizeof(*v));
		v->next = n->vpcs;
		n->vpcs = v;
	} else {
		old_arena = v->arena;
		old = v->model;
	}
	v->arena = a;
	v->model = m;
	status s = net_vpc_change(n, v, old, e);
	/* What stands half is made whole by the next one: with nothing remembered. */
	if (!is_ok(s) && old) s = net_vpc_converge(n, v, old, true, e);
	flow_settle(n, v);
	repair_settle(n, v);
	net_answer(g, r, s, true, e, begun);
	free_arena(old_arena);
}

void net_on_vpc(struct agent *g, struct agent_request *r)
{
	struct net_effect e = {0};
	int64_t begun = clock_monotonic_us();
	struct arena *a = mem_new(sizeof(*a));
	struct model *m = NULL;
	arena_init(a);
	status s = read_vpc(a, r->body, &m, &e);
	if (is_ok(s)) {
		on_new_model(g, r, a, m, &e, begun);
		return;
	}
	net_answer(g, r, s, false, &e, begun);
	free_arena(a);
}

/* The places that were made for it, told by its file; then itself. */
static void remove_places(struct net *n, struct arena *a, struct str id)
{
	size_t count = 0;
	struct str own = netns_name(a, net_prefix(n), id), *names = netns_list(a, own, &count);
	for (size_t i = 0; i < count; i++) {
		struct str rest = str_from(names[i], own.n);
		if (str_empty(rest) || str_is(rest, ".aws")) netns_remove(names[i]);
	}
}

void net_on_vpc_remove(struct agent *g, struct agent_request *r)
{
	struct net *n = agent_net(g);
	struct host_rec_remove q = {0};
	struct net_effect e = {0};
	if (!is_ok(host_rec_remove_decode(r->arena, r->body, &q)) || !model_id_valid(q.id)) {
		agent_answer(g, r->id, STATUS(INVALID), STR("no such id"), STR_NONE, NULL, 0);
		return;
	}
	for (struct net_vpc **at = &n->vpcs; *at; at = &(*at)->next) {
		struct net_vpc *v = *at;
		if (!str_eq(v->model->in->id, q.id)) continue;
		*at = v->next;
		repair_end(v);
		if (str_has(v->router.place)) space_unlink(&v->router);
		free_vpc(v);
		break;
	}
	net_places_remove(n, q.id);
	remove_places(n, r->arena, q.id);
	status s = str_has(n->internet.place) ? net_internet_routes(n, NULL, q.id, &e) : OK;
	agent_answer(g, r->id, s, STR_NONE, STR_NONE, NULL, 0);
}

void net_place_stands(struct net *n, struct str place)
{
	for (struct net_vpc *v = n->vpcs; v; v = v->next)
		for (size_t i = 0; i < v->model->n_interfaces && !v->awaited; i++)
			v->awaited = str_eq(v->model->interfaces[i].in->place, place);
}

void net_settle(struct net *n)
{
	for (struct net_vpc *v = n->vpcs; v; v = v->next) {
		struct net_effect e = {0};
		if (!v->awaited) continue;
		if (!is_ok(net_vpc_plug(n, v, &e)))
			log_warn("host", "plug", "vpc=%.*s", STR_ARG(v->model->in->id));
		repair_settle(n, v);
	}
}

void net_clear(struct net *n)
{
	struct arena a;
	size_t count = 0;
	arena_init(&a);
	forget_all(n);
	struct str *names = netns_list(&a, str_cat(&a, net_prefix(n), STR("-")), &count);
	for (size_t i = 0; i < count; i++) netns_remove(names[i]);
	net_places_remove(n, STR_NONE);
	arena_cleanup(&a);
}

/* ── where a packet would go ─────────────────────────────────────────────────────────────────────────────────────── */

void net_on_trace(struct agent *g, struct agent_request *r)
{
	struct net *n = agent_net(g);
	struct host_rec_trace question = {0};
	struct host_rec_traced out = {0};
	struct str why = STR("that is no question");
	size_t vpcs = 0, tgws = 0;
	for (struct net_vpc *v = n->vpcs; v; v = v->next) vpcs++;
	for (struct net_tgw *t = n->tgws; t; t = t->next) tgws++;
	const struct model **models = arena_new_n(r->arena, const struct model *, vpcs);
	const struct host_rec_transit_gateway **gateways =
		arena_new_n(r->arena, const struct host_rec_transit_gateway *, tgws);
	vpcs = tgws = 0;
	for (struct net_vpc *v = n->vpcs; v; v = v->next) models[vpcs++] = v->model;
	for (struct net_tgw *t = n->tgws; t; t = t->next) gateways[tgws++] = t->intent;
	struct trace_world world = {models, vpcs, gateways, tgws, n->services.v, n->services.n};
	status s = host_rec_trace_decode(r->arena, r->body, &question);
	if (!is_ok(s)) s = STATUS(INVALID);
	if (is_ok(s)) s = trace_packet(r->arena, &world, &question, &out, &why);
	agent_answer(g, r->id, s, why, is_ok(s) ? host_rec_traced_encode(r->arena, &out) : STR_NONE, NULL, 0);
}
