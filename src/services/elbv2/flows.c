/* Flows that keep their clients' addresses ("Client IP preservation", the NLB guide): a Network Load Balancer's UDP and
 * TCP_UDP listeners, and TCP listeners whose groups preserve addresses. They are the kernel's (host/net/balance.c); the
 * node's HAProxy only checks the targets. All other listeners are HAProxy's. */
#include "base/log.h"
#include "services/elbv2/node.h"

enum { MAINT = 1, DOWN = 0, FAILED = 2 };

bool elbv2_preserves(const struct elbv2_rec_group *g)
{
	return str_is(elbv2_group_attribute(g, "preserve_client_ip.enabled"), "true");
}

static const struct elbv2_rec_forward *forward_of(const struct elbv2_plan_listener *l)
{
	const struct elbv2_rec_rule *r = l->rules.n ? &l->rules.v[l->rules.n - 1] : NULL;
	return r && r->actions.n ? r->actions.v[0].forward_config : NULL;
}

bool elbv2_is_flow(const struct elbv2_plan *p, const struct elbv2_plan_listener *l)
{
	if (elbv2_is_app(p->b)) return false;
	if (str_ends(l->l.protocol, STR("UDP"))) return true;
	const struct elbv2_rec_forward *f = forward_of(l);
	if (!str_is(l->l.protocol, "TCP") || !f) return false;
	for (size_t i = 0; i < f->target_groups.n; i++) {
		const struct elbv2_plan_group *g = elbv2_plan_group_of(p, f->target_groups.v[i].target_group_arn);
		if (g && (!elbv2_preserves(&g->g) ||
				 str_is(elbv2_group_attribute(&g->g, "proxy_protocol_v2.enabled"), "true")))
			return false;
	}
	return true;
}

/* ── targets ── */

static const struct elbv2_row *row_of(const struct elbv2_rows *rows, struct str backend, struct str server)
{
	for (size_t i = 0; i < rows->n; i++)
		if (str_eq(rows->v[i].backend, backend) && str_eq(rows->v[i].server, server)) return &rows->v[i];
	return NULL;
}

struct flows {
	struct arena *a;
	const struct elbv2_plan *p;
	struct elbv2_rows rows;
	struct host_rec_balance intent;
	size_t cut;
};

static void push(
	struct arena *a, struct host_rec_balance_targets *to, size_t *capacity, struct str address, int32_t port)
{
	*VEC_PUSH(a, to, capacity) = (struct host_rec_balance_target){address, SOME_I32(port)};
}

/* "If a target group contains only unhealthy registered targets, the load balancer routes requests to all those
 * targets". "Network Load Balancers close established connections when targets become unhealthy", unless told not to.
 */
static void add_targets(struct flows *f, const struct elbv2_plan_group *g, struct host_rec_balance_group *to)
{
	struct str backend = str_fmt(f->a, "g_%.*s", STR_ARG(g->g.id));
	bool cuts = str_is(
		elbv2_group_attribute(&g->g, "target_health_state.unhealthy.connection_termination.enabled"), "true");
	size_t capacity = 0;
	for (int all = 0; all < 2 && !to->targets.n; all++)
		for (size_t i = 0; i < g->n; i++) {
			const struct elbv2_plan_server *s = &g->v[i];
			const struct elbv2_row *r = row_of(&f->rows, backend, s->name);
			if (!s->draining && (all || (r && r->state != DOWN && !(r->admin & MAINT))))
				push(f->a, &to->targets, &capacity, s->address, s->port);
		}
	for (size_t i = 0; cuts && i < g->n; i++) {
		const struct elbv2_row *r = row_of(&f->rows, backend, g->v[i].name);
		bool chosen = false;
		for (size_t k = 0; k < to->targets.n; k++)
			chosen = chosen || (str_eq(to->targets.v[k].address, g->v[i].address) &&
						   to->targets.v[k].port.v == g->v[i].port);
		if (r && !chosen && r->state == DOWN && r->check_result == FAILED && !g->v[i].draining)
			push(f->a, &f->intent.cut, &f->cut, g->v[i].address, g->v[i].port);
	}
}

static void add_listener(struct flows *f, const struct elbv2_plan_listener *l, size_t *capacity)
{
	struct host_rec_balance_listener *to = VEC_PUSH(f->a, &f->intent.listeners, capacity);
	const struct elbv2_rec_forward *forward = forward_of(l);
	size_t groups = 0;
	bool both = str_is(l->l.protocol, "TCP_UDP");
	to->port = l->l.port;
	if (!both) to->protocol = SOME_I32(str_is(l->l.protocol, "UDP") ? 17 : 6);
	to->idle_seconds = SOME_I32(elbv2_number(elbv2_listener_attribute(&l->l, "tcp.idle_timeout.seconds"), 350));
	for (size_t i = 0; forward && i < forward->target_groups.n; i++) {
		const struct elbv2_plan_group *g =
			elbv2_plan_group_of(f->p, forward->target_groups.v[i].target_group_arn);
		struct host_rec_balance_group *tg = VEC_PUSH(f->a, &to->groups, &groups);
		tg->weight = forward->target_groups.v[i].weight;
		if (!g) continue;
		tg->sticky = SOME_BOOL(str_is(elbv2_group_attribute(&g->g, "stickiness.enabled"), "true"));
		add_targets(f, g, tg);
	}
}

status elbv2_flows_apply(struct cloud *cloud, const struct elbv2_plan *p, const struct elbv2_cuts *cuts)
{
	struct flows f = {.a = p->at.a, .p = p};
	struct elbv2_socket socket = {cloud, elbv2_folder(f.a, p->zone->eni)};
	struct str text = STR(""), why = STR_NONE;
	size_t capacity = 0;
	if (elbv2_is_app(p->b)) return OK;
	/* Without its word on the targets, what stands goes on. */
	TRY(elbv2_ask(f.a, &socket, STR("show servers state"), &text));
	elbv2_read_servers(f.a, text, &f.rows);
	f.intent.place = p->zone->eni;
	f.intent.address = p->zone->address;
	for (size_t i = 0; i < p->listeners.n; i++)
		if (elbv2_is_flow(p, &p->listeners.v[i])) add_listener(&f, &p->listeners.v[i], &capacity);
	for (size_t i = 0; cuts && i < cuts->n; i++)
		push(f.a, &f.intent.cut, &f.cut, cuts->v[i].address, cuts->v[i].port);
	status s = host_balance_apply(cloud->host, f.a, &f.intent, &why);
	if (!is_ok(s))
		log_warn("elbv2", "flows", "eni=%.*s status=%s why=\"%.*s\"", STR_ARG(p->zone->eni), status_name(s),
			STR_ARG(why));
	return status_is(s, STATUS_INVALID) ? OK : s;
}

struct str elbv2_flows_seen(struct arena *a, const struct elbv2_rows *rows)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < rows->n; i++)
		if (str_starts(rows->v[i].backend, STR("g_")))
			buf_fmt(&b, "%.*s/%.*s %d %d\n", STR_ARG(rows->v[i].backend), STR_ARG(rows->v[i].server),
				rows->v[i].state != DOWN && !(rows->v[i].admin & MAINT),
				rows->v[i].state == DOWN && rows->v[i].check_result == FAILED);
	return buf_done(&b);
}
