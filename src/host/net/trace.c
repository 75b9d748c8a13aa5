/* See trace.h. The order of the steps is the order of the chains of rules.c and of the tables of plan.c. */
#include "host/net/trace.h"
#include "base/vec.h"

#define HOPS_MAX 32u
/* What an asker's own port is taken to be, where the question does not tell: an ephemeral one. */
#define EPHEMERAL 49152

struct packet {
	struct net_cidr source, destination;
	int protocol, source_port, port; /* of ICMP: -1, and the type */
};
/* An ACL that the packet crossed: the answer has to cross it the other way, since ACLs keep no state. */
struct crossing {
	const struct model_acl *acl;
	bool egress;
	struct packet packet;
};
struct walk {
	struct arena *a;
	const struct trace_world *world;
	struct host_rec_traced *out;
	size_t capacity;
	struct packet p;
	const struct model *vpc;
	const struct model_interface *from; /* the interface it came by; NULL: a link */
	const struct model_table *table;    /* that decides; NULL: only interfaces are looked for */
	struct {
		struct crossing *v;
		size_t n;
	} crossings;
	size_t crossings_capacity;
	bool ended;
};

static struct host_rec_hop *hop(struct walk *w, struct str component, struct str by, bool passed, struct str text)
{
	struct host_rec_hop *h = VEC_PUSH(w->a, &w->out->hops, &w->capacity);
	*h = (struct host_rec_hop){.component = component,
		.by = by,
		.passed = SOME_BOOL(passed),
		.text = text,
		.source = net_address_text(w->a, &w->p.source),
		.destination = net_address_text(w->a, &w->p.destination)};
	if (!passed) w->ended = true;
	return h;
}

static void arrive(struct walk *w, struct str component, struct str text)
{
	hop(w, component, STR_NONE, true, text);
	w->out->reachable = SOME_BOOL(true);
	w->ended = true;
}

/* ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_member(const struct model_cidrs *c, const struct net_cidr *address)
{
	for (size_t i = 0; i < c->n; i++)
		if (net_contains(&c->v[i], address)) return true;
	return false;
}

static bool matches(const struct model_rule *r, const struct packet *p)
{
	const struct net_cidr *peer = r->egress ? &p->destination : &p->source;
	if (r->peer.family ? !net_contains(&r->peer, peer)
		: r->group ? !is_member(&r->group->members, peer)
			   : !r->list || !is_member(&r->list->cidrs, peer))
		return false;
	if (r->protocol == -1) return true;
	if (r->protocol != p->protocol) return false;
	if (r->protocol == 6 || r->protocol == 17)
		return (r->from < 0 || p->port >= r->from) && (r->to < 0 || p->port <= r->to);
	if (r->protocol == 1 || r->protocol == 58) return r->from < 0 || r->from == p->port;
	return true;
}

static const struct model_rule *find_rule(const struct model_rules *rules, bool egress, const struct packet *p)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rules->v[i].egress == egress && matches(&rules->v[i], p)) return &rules->v[i];
	return NULL;
}

static void pass_groups(struct walk *w, const struct model_interface *i, bool egress)
{
	if (i->kind == MODEL_NAT || i->in->open.v || w->ended) return;
	const char *way = egress ? "outbound" : "inbound";
	for (size_t k = 0; k < i->n_groups; k++) {
		const struct model_rule *r = find_rule(&i->groups[k]->rules, egress, &w->p);
		if (!r) continue;
		hop(w, i->groups[k]->id, r->id, true, str_fmt(w->a, "an %s rule allows it", way));
		return;
	}
	struct str id = i->n_groups ? i->groups[0]->id : i->in->id;
	hop(w, id, STR_NONE, false,
		str_fmt(w->a, "no %s rule of the security groups of %.*s allows it", way, STR_ARG(i->in->id)));
}

static void pass_acl(struct walk *w, const struct model_subnet *s, bool egress)
{
	if (w->ended) return;
	const struct model_rule *r = find_rule(&s->acl->rules, egress, &w->p);
	bool passed = r && r->allow;
	const char *way = egress ? "leaving" : "entering";
	hop(w, s->acl->id, r ? r->id : STR("*"), passed,
		str_fmt(w->a, "%s %.*s: %s", way, STR_ARG(s->id), passed ? "allowed" : "denied"));
	struct crossing *c = VEC_PUSH(w->a, &w->crossings, &w->crossings_capacity);
	*c = (struct crossing){s->acl, egress, w->p};
}

/* "Network ACLs": they are stateless, so the answer needs rules of its own. */
static void check_answers(struct walk *w)
{
	for (size_t i = 0; i < w->crossings.n; i++) {
		const struct crossing *c = &w->crossings.v[i];
		struct packet back = {c->packet.destination, c->packet.source, c->packet.protocol, c->packet.port,
			c->packet.source_port};
		const struct model_rule *r = find_rule(&c->acl->rules, !c->egress, &back);
		if (r && r->allow) continue;
		w->p = back;
		hop(w, c->acl->id, r ? r->id : STR("*"), false,
			STR("the answer is denied: network ACLs keep no state"));
		w->out->reachable = SOME_BOOL(false);
		return;
	}
}

/* ── routes ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool in_vpc(const struct model *m, const struct net_cidr *to)
{
	return is_member(&m->cidrs, to);
}

static bool is_inside(const struct model *m, const struct net_cidr *cidr)
{
	for (size_t i = 0; i < m->cidrs.n; i++)
		if (net_contains(&m->cidrs.v[i], cidr)) return true;
	return false;
}

static const struct model_route *longest(const struct walk *w, bool inside)
{
	const struct model_route *best = NULL;
	for (size_t i = 0; w->table && i < w->table->n; i++) {
		const struct model_route *r = &w->table->v[i];
		if (str_is(r->target, "local") || is_inside(w->vpc, &r->to) != inside) continue;
		if (net_contains(&r->to, &w->p.destination) && (!best || r->to.length > best->to.length)) best = r;
	}
	return best;
}

static const struct model_interface *at_address(const struct model *m, const struct net_cidr *address)
{
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (is_member(&m->interfaces[i].addresses, address)) return &m->interfaces[i];
	return NULL;
}

static const struct model *find_vpc(const struct walk *w, struct str id)
{
	for (size_t i = 0; i < w->world->n_vpcs; i++)
		if (str_eq(w->world->vpcs[i]->in->id, id)) return w->world->vpcs[i];
	return NULL;
}

static const struct model_link *find_link(const struct model_link *v, size_t n, struct str id, bool by_other)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(by_other ? v[i].other : v[i].id, id)) return &v[i];
	return NULL;
}

/* ── gateways ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void leave_subnet(struct walk *w)
{
	if (!w->from) return;
	pass_acl(w, w->from->subnet, true);
	if (!w->ended) pass_groups(w, w->from, true);
}

/* On the internet: the public address's VPC, or AWS, or nobody. */
static void on_internet(struct walk *w)
{
	for (size_t v = 0; v < w->world->n_vpcs; v++) {
		const struct model *m = w->world->vpcs[v];
		for (size_t i = 0; m->internet && i < m->n_interfaces; i++)
			for (size_t k = 0; k < m->interfaces[i].addresses.n; k++) {
				bool mapped = net_same(&m->interfaces[i].publics[k], &w->p.destination);
				bool six = w->p.destination.family == 6 &&
					   net_same(&m->interfaces[i].addresses.v[k], &w->p.destination);
				if (!mapped && !six) continue;
				if (model_internet_shut(&m->interfaces[i], w->p.destination.family) ||
					m->interfaces[i].internet == MODEL_INTERNET_OUTWARD) {
					hop(w, str_or(m->in->internet_gateway, m->in->id), STR("bpa"), false,
						STR("VPC Block Public Access lets nothing in"));
					return;
				}
				if (mapped) w->p.destination = m->interfaces[i].addresses.v[k];
				hop(w, str_or(m->in->internet_gateway, m->in->id), STR_NONE, true,
					mapped ? STR("the public address becomes the private one") : STR("enters"));
				w->vpc = m;
				w->from = NULL;
				w->table = m->edge;
				return;
			}
	}
	for (size_t i = 0; i < w->world->n_services; i++)
		if (net_contains(&w->world->services[i], &w->p.destination)) {
			arrive(w, STR("aws"), STR("a service of AWS"));
			return;
		}
	arrive(w, STR("internet"), STR("it is on the internet"));
}

static void by_internet_gateway(struct walk *w, struct str id)
{
	const struct net_cidr *public = w->p.source.family == 6 ? &w->p.source : NULL;
	leave_subnet(w);
	if (w->ended) return;
	const struct model_interface *i = at_address(w->vpc, &w->p.source);
	for (size_t k = 0; i && !public && k < i->addresses.n; k++)
		if (net_same(&i->addresses.v[k], &w->p.source) && i->publics[k].family) public = &i->publics[k];
	if (i && model_internet_shut(i, w->p.source.family)) {
		hop(w, id, STR("bpa"), false, STR("VPC Block Public Access lets nothing out"));
		return;
	}
	if (!public) {
		hop(w, id, STR_NONE, false, STR("the sender has no public address"));
		return;
	}
	if (w->p.source.family == 4) w->p.source = *public;
	hop(w, id, STR_NONE, true,
		w->p.source.family == 4 ? STR("the private address becomes the public one") : STR("leaves"));
	on_internet(w);
}

static void by_peering(struct walk *w, const struct model_link *l)
{
	const struct model *other = find_vpc(w, l->other);
	leave_subnet(w);
	if (w->ended) return;
	if (!other || !find_link(other->peerings, other->n_peerings, l->id, false)) {
		hop(w, l->id, STR_NONE, false, STR("the other VPC has no such peering"));
		return;
	}
	hop(w, l->id, other->in->id, true, STR("crosses the peering"));
	w->vpc = other;
	w->from = NULL;
	w->table = NULL; /* not transitive: only what is in the VPC itself */
}

static const struct host_rec_tgw_attachment *tgw_attachment(const struct host_rec_transit_gateway *t, struct str id)
{
	for (size_t i = 0; i < t->attachments.n; i++)
		if (str_eq(t->attachments.v[i].id, id)) return &t->attachments.v[i];
	return NULL;
}

static const struct host_rec_tgw_route *tgw_route(
	struct walk *w, const struct host_rec_transit_gateway *t, struct str table)
{
	const struct host_rec_tgw_route *best = NULL;
	uint8_t length = 0;
	for (size_t i = 0; i < t->tables.n; i++)
		for (size_t k = 0; str_eq(t->tables.v[i].id, table) && k < t->tables.v[i].routes.n; k++) {
			struct net_cidr to;
			const struct host_rec_tgw_route *r = &t->tables.v[i].routes.v[k];
			if (!is_ok(net_cidr_read(r->destination, &to)) || !net_contains(&to, &w->p.destination))
				continue;
			if (best && to.length <= length) continue;
			best = r;
			length = to.length;
		}
	return best;
}

static const struct model_table *table_of_mark(const struct model *m, uint32_t mark)
{
	for (size_t i = 0; i < m->n_tables; i++)
		if (m->tables[i].number == mark >> MARK_TABLE_SHIFT) return &m->tables[i];
	return NULL;
}

static void by_transit_gateway(struct walk *w, const struct model_link *l)
{
	const struct host_rec_transit_gateway *t = NULL;
	for (size_t i = 0; i < w->world->n_tgws; i++)
		if (str_eq(w->world->tgws[i]->id, l->other)) t = w->world->tgws[i];
	leave_subnet(w);
	if (w->ended) return;
	const struct host_rec_tgw_attachment *in = t ? tgw_attachment(t, l->id) : NULL;
	for (unsigned turn = 0; turn < 4 && in; turn++) { /* peered transit gateways */
		const struct host_rec_tgw_route *r = tgw_route(w, t, in->table);
		const struct host_rec_tgw_attachment *out =
			r && str_has(r->attachment) ? tgw_attachment(t, r->attachment) : NULL;
		if (!out) {
			hop(w, t->id, r ? r->destination : STR_NONE, false,
				r ? STR("a blackhole") : STR("no route of its table fits"));
			return;
		}
		hop(w, t->id, r->destination, true,
			str_fmt(w->a, "by %.*s to %.*s", STR_ARG(out->id), STR_ARG(out->other)));
		const struct model *vpc = find_vpc(w, out->other);
		const struct model_link *back =
			vpc ? find_link(vpc->attachments, vpc->n_attachments, out->id, false) : NULL;
		if (back) {
			w->vpc = vpc;
			w->from = NULL;
			w->table = table_of_mark(vpc, back->mark);
			return;
		}
		const struct host_rec_transit_gateway *next = NULL;
		for (size_t i = 0; i < w->world->n_tgws; i++)
			if (str_eq(w->world->tgws[i]->id, out->other)) next = w->world->tgws[i];
		in = next ? tgw_attachment(next, out->id) : NULL;
		t = next;
	}
	hop(w, l->other, STR_NONE, false, STR("it has no such attachment"));
}

/* ── interfaces ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void to_interface(struct walk *w, const struct model_interface *i)
{
	bool own = is_member(&i->addresses, &w->p.destination);
	if (i->subnet->down || (w->from && w->from->subnet->down)) {
		hop(w, i->subnet->down ? i->subnet->id : w->from->subnet->id, STR_NONE, false, STR("its zone is down"));
		return;
	}
	if (i->in->down.v || (w->from && w->from->in->down.v)) {
		hop(w, i->in->down.v ? i->in->id : w->from->in->id, STR_NONE, false, STR("its instance is hibernated"));
		return;
	}
	if (i->check && !own) {
		hop(w, i->in->id, STR_NONE, false,
			STR("it is not its address, and its source/destination check is on"));
		return;
	}
	if (!w->from || w->from->subnet != i->subnet) {
		if (w->from) pass_acl(w, w->from->subnet, true);
		if (!w->ended) pass_acl(w, i->subnet, false);
	}
	if (!w->ended && w->from) pass_groups(w, w->from, true);
	if (!w->ended) pass_groups(w, i, false);
	if (w->ended) return;
	if (i->kind == MODEL_NAT && !own) {
		w->p.source = i->addresses.v[0];
		hop(w, i->in->place, i->in->id, true, STR("the NAT gateway's address takes the sender's place"));
		w->from = i;
		w->table = i->subnet->table;
		return;
	}
	if (i->kind == MODEL_NAT) {
		hop(w, i->in->place, i->in->id, false, STR("a NAT gateway takes no connections"));
		return;
	}
	arrive(w, i->in->id, own ? STR("arrives") : STR("arrives; what the appliance does with it is its own affair"));
}

static void step(struct walk *w)
{
	const struct model_route *r = longest(w, true);
	const struct model_interface *i = r ? NULL : at_address(w->vpc, &w->p.destination);
	if (i) {
		to_interface(w, i);
		return;
	}
	if (!r && in_vpc(w->vpc, &w->p.destination)) {
		hop(w, w->vpc->in->id, STR("local"), false, STR("no interface has this address"));
		return;
	}
	if (!r) r = longest(w, false);
	struct str table = w->table ? w->table->id : w->vpc->in->id;
	if (!r) {
		hop(w, table, STR_NONE, false, w->table ? STR("no route fits") : STR("nothing leads on from here"));
		return;
	}
	struct str by = net_cidr_text(w->a, &r->to);
	hop(w, table, by, true, str_fmt(w->a, "the route leads to %.*s", STR_ARG(r->target)));
	const struct model_interface *nat = model_nat(w->vpc, r->target), *eni = model_interface_of(w->vpc, r->target);
	const struct model_link *peering = find_link(w->vpc->peerings, w->vpc->n_peerings, r->target, false);
	const struct model_link *attachment = find_link(w->vpc->attachments, w->vpc->n_attachments, r->target, true);
	if (nat || eni)
		to_interface(w, nat ? nat : eni);
	else if (peering)
		by_peering(w, peering);
	else if (attachment)
		by_transit_gateway(w, attachment);
	else if (str_starts(r->target, STR("vpce-")) && w->vpc->in->gateway_endpoints.n) {
		leave_subnet(w);
		if (!w->ended) arrive(w, r->target, STR("a service of AWS, by its endpoint"));
	} else if ((str_starts(r->target, STR("igw-")) && str_has(w->vpc->in->internet_gateway)) ||
		   (str_starts(r->target, STR("eigw-")) && w->vpc->in->egress_only_gateways.n))
		by_internet_gateway(w, r->target);
	else
		hop(w, r->target, by, false, STR("a blackhole"));
}

static status begin(struct walk *w, const struct host_rec_trace *q, struct str *why)
{
	*why = STR("the destination is no address");
	TRY(net_address_read(q->destination, &w->p.destination));
	*why = STR("the source's address is none");
	if (str_has(q->source_address)) TRY(net_address_read(q->source_address, &w->p.source));
	if (str_is(q->source, "internet") || str_starts(q->source, STR("igw-"))) {
		if (!str_has(q->source_address)) TRY(net_address_read(STR("198.51.100.1"), &w->p.source));
		hop(w, STR("internet"), STR_NONE, true, STR("comes from the internet"));
		on_internet(w);
		return OK;
	}
	for (size_t v = 0; v < w->world->n_vpcs && !w->from; v++) {
		w->from = model_interface_of(w->world->vpcs[v], q->source);
		w->vpc = w->world->vpcs[v];
	}
	*why = STR("no such interface is attached");
	if (!w->from) return STATUS(INVALID);
	for (size_t i = 0; !str_has(q->source_address) && i < w->from->addresses.n && !w->p.source.family; i++)
		if (w->from->addresses.v[i].family == w->p.destination.family) w->p.source = w->from->addresses.v[i];
	*why = STR("the interface has no address of the destination's family");
	if (!w->p.source.family) return STATUS(INVALID);
	w->table = w->from->subnet->table;
	bool own = is_member(&w->from->addresses, &w->p.source);
	hop(w, w->from->in->id, STR_NONE, own || !w->from->check,
		own || !w->from->check ? STR("leaves")
				       : STR("it is not its address, and its source/destination check is on"));
	return OK;
}

status trace_packet(struct arena *a, const struct trace_world *world, const struct host_rec_trace *q,
	struct host_rec_traced *out, struct str *why)
{
	struct walk w = {.a = a, .world = world, .out = out};
	*out = (struct host_rec_traced){.reachable = SOME_BOOL(false)};
	w.p.protocol = q->protocol.has ? q->protocol.v : 6;
	w.p.port = q->port.has ? q->port.v : -1;
	w.p.source_port = q->source_port.has ? q->source_port.v : EPHEMERAL;
	TRY(begin(&w, q, why));
	*why = STR_NONE;
	while (!w.ended && out->hops.n < HOPS_MAX) step(&w);
	if (!w.ended) hop(&w, w.vpc->in->id, STR_NONE, false, STR("it goes round in circles"));
	if (out->reachable.v) check_answers(&w);
	return OK;
}
