/* One VPC: from its model to what stands. Order: links that are no longer wanted go, then the rules change, then new
 * links come, then routes: so nothing ever passes a link that no rule knows. */
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "host/net/net.h"
#include "host/net/rules.h"
#include "host/netns.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A place that interfaces of the VPC are plugged into, while it is being converged. */
struct place {
	struct str name;
	struct space space;
	bool stands, changed;
	const struct model_interface *nat;
};
struct work {
	struct net *net;
	struct net_vpc *vpc;
	const struct model *m, *old;
	struct arena a;
	bool forced;
	struct rtnl_links links;
	struct {
		struct place *v;
		size_t n;
	} places;
	struct net_vpc **joined; /* VPCs that got a link to this one */
	size_t n_joined;
	struct net_effect *effect;
};

/* ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str alias_of(struct work *w, const struct model_interface *i)
{
	return str_fmt(&w->a, "%.*s in %.*s", STR_ARG(i->in->id), STR_ARG(i->in->place));
}

/* Does a link of that name stand, and is it the wanted one? */
static bool link_stands(const struct work *w, const char *name, struct str alias, uint32_t mtu)
{
	const struct rtnl_link *l = rtnl_find(&w->links, name);
	return l && str_eq(l->alias, alias) && l->mtu == mtu;
}

static struct str wanted_alias(struct work *w, const char *name, uint32_t *mtu)
{
	const struct model *m = w->m;
	*mtu = MTU_VPC;
	if (strcmp(name, "aws") == 0) return m->in->gateway_endpoints.n ? m->in->id : STR_NONE;
	*mtu = MTU_INTERNET;
	if (strcmp(name, "igw") == 0) return m->internet ? m->in->id : STR_NONE;
	for (size_t i = 0; i < m->n_interfaces; i++) {
		*mtu = m->interfaces[i].mtu;
		if (strcmp(name, m->interfaces[i].link) == 0) return alias_of(w, &m->interfaces[i]);
	}
	*mtu = MTU_VPC;
	for (size_t i = 0; i < m->n_peerings; i++)
		if (strcmp(name, m->peerings[i].link) == 0) return m->peerings[i].id;
	*mtu = MTU_TGW;
	for (size_t i = 0; i < m->n_attachments; i++)
		if (strcmp(name, m->attachments[i].link) == 0) return m->attachments[i].id;
	return STR_NONE;
}

/* Those that are not wanted, or not as they are. */
static void drop_links(struct work *w)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->links.n; i++) {
		struct rtnl_link *l = &w->links.v[i];
		uint32_t mtu = 0;
		struct str alias = STR_NONE;
		if (strcmp(l->name, "lo") != 0) {
			alias = wanted_alias(w, l->name, &mtu);
			if (!str_has(alias) || !str_eq(alias, l->alias) || mtu != l->mtu) {
				rtnl_link_delete(&w->vpc->router.rtnl, l->name);
				continue;
			}
			if (!l->up) rtnl_link_up(&w->vpc->router.rtnl, l->name, true);
		}
		w->links.v[kept++] = *l;
	}
	w->links.n = kept;
}

/* ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct place *find_place(struct work *w, struct str name)
{
	for (size_t i = 0; i < w->places.n; i++)
		if (str_eq(w->places.v[i].name, name)) return &w->places.v[i];
	return NULL;
}

static status open_place(struct work *w, const struct model_interface *i, struct place **out)
{
	struct place *p = find_place(w, i->in->place);
	*out = p;
	if (p && i->kind == MODEL_NAT) p->nat = i;
	if (p) return OK;
	*out = p = &w->places.v[w->places.n++];
	p->name = i->in->place;
	struct str prefix = net_prefix(w->net);
	if (i->kind == MODEL_MACHINE) {
		status s = space_open(prefix, p->name, &p->space);
		p->stands = is_ok(s);
		w->vpc->incomplete = w->vpc->incomplete || !p->stands;
		return status_is(s, STATUS_NOT_FOUND) ? OK : s;
	}
	if (i->kind == MODEL_NAT) p->nat = i;
	TRY(space_make(prefix, p->name, i->kind == MODEL_NAT ? SPACE_ROUTER : SPACE_HOST, &p->space));
	p->stands = true;
	return OK;
}

static void plug(struct work *w, const struct model_interface *i, struct place *p)
{
	static const uint8_t router[6] = PLAN_MAC_ROUTER;
	char device[LINK_NAME];
	plan_device(i, device);
	struct rtnl_end here = {.name = i->link}, there = {.name = device, .netns = p->space.netns};
	memcpy(here.mac, router, 6);
	memcpy(there.mac, i->mac, 6);
	rtnl_veth(&w->vpc->router.rtnl, &here, &there, i->mtu);
	rtnl_alias(&w->vpc->router.rtnl, i->link, alias_of(w, i));
	p->changed = true;
}

static const struct model_interface *old_interface(const struct work *w, const struct model_interface *i)
{
	return w->old ? model_interface_of(w->old, i->in->id) : NULL;
}

/* Would the inside of its place look different? */
static bool inside_differs(const struct work *w, const struct model_interface *i)
{
	const struct model_interface *o = old_interface(w, i);
	return !o || o->addresses.n != i->addresses.n || !net_same(&o->subnet->cidr, &i->subnet->cidr) ||
	       memcmp(o->addresses.v, i->addresses.v, i->addresses.n * sizeof(*i->addresses.v)) != 0;
}

static bool is_plugged(struct work *w, const struct model_interface *i)
{
	return link_stands(w, i->link, alias_of(w, i), i->mtu) && !w->forced && !inside_differs(w, i);
}

/* Those that are not there are made together, where they are several. */
static void make_places(struct work *w)
{
	struct space_wish *wishes = arena_new_n(&w->a, struct space_wish, w->m->n_interfaces);
	struct map known;
	size_t n = 0;
	map_init(&known);
	for (size_t k = 0; k < w->m->n_interfaces; k++) {
		const struct model_interface *i = &w->m->interfaces[k];
		if (i->kind == MODEL_MACHINE || map_get(&known, i->in->place) || is_plugged(w, i)) continue;
		map_set(&known, i->in->place, &wishes[n]);
		wishes[n++] = (struct space_wish){
			.place = i->in->place, .kind = i->kind == MODEL_NAT ? SPACE_ROUTER : SPACE_HOST};
	}
	map_cleanup(&known, NULL);
	if (n < 2) return;
	space_make_all(net_prefix(w->net), wishes, n);
	for (size_t k = 0; k < n; k++)
		if (is_ok(wishes[k].result))
			w->places.v[w->places.n++] =
				(struct place){.name = wishes[k].place, .space = wishes[k].space, .stands = true};
}

static status plug_interfaces(struct work *w)
{
	w->places.v = arena_new_n(&w->a, struct place, w->m->n_interfaces);
	make_places(w);
	for (size_t k = 0; k < w->m->n_interfaces; k++) {
		const struct model_interface *i = &w->m->interfaces[k];
		bool stands = link_stands(w, i->link, alias_of(w, i), i->mtu);
		if (stands && !w->forced && !inside_differs(w, i)) continue;
		struct place *p;
		TRY(open_place(w, i, &p));
		if (!p->stands) continue;
		if (!stands)
			plug(w, i, p);
		else
			p->changed = true;
	}
	return rtnl_flush(&w->vpc->router.rtnl);
}

/* come: those that were not there before. */
static status settle_links(struct work *w, struct rtnl_links *come)
{
	struct rtnl_links now;
	struct rtnl *r = &w->vpc->router.rtnl;
	size_t capacity = 0;
	*come = (struct rtnl_links){0};
	TRY(rtnl_links(r, &w->a, &now));
	for (size_t i = 0; i < now.n; i++) {
		if (now.v[i].name[0] != 'e' || rtnl_find(&w->links, now.v[i].name)) continue;
		rtnl_proxy_at_once(r, now.v[i].index);
		*VEC_PUSH(&w->a, come, &capacity) = now.v[i];
	}
	w->links = now;
	return rtnl_flush(r);
}

/* fresh: what is plugged in has just come, and was not known before. */
static status furnish_places(struct work *w, bool fresh)
{
	for (size_t k = 0; k < w->places.n; k++) {
		struct place *p = &w->places.v[k];
		if (!p->stands || !p->changed) continue;
		struct rtnl_links links;
		struct rtnl_things things = {0};
		plan_place(&w->a, w->m, p->name, &things);
		TRY(rtnl_links(&p->space.rtnl, &w->a, &links));
		for (size_t i = 0; i < links.n; i++)
			if (!links.v[i].up && strncmp(links.v[i].name, "eth", 3) == 0)
				rtnl_link_up(&p->space.rtnl, links.v[i].name, true);
		TRY(space_converge(&p->space, &w->a, &links, fresh || p->space.made, &things));
		w->effect->changes += p->space.rtnl.changes;
		if (!p->nat) continue;
		struct ruleset *rules = space_ruleset();
		rules_of_nat(p->nat, rules);
		TRY(space_rules(&p->space, rules, &w->effect->changes));
	}
	return OK;
}

/* ── places that nobody is in any more ── their names are kept in a file, for an agent that knows no old model */

static const char *places_file(struct work *w)
{
	return str_fmt(&w->a, "%s%.*s.places", agent_folder(w->net->agent), STR_ARG(w->m->in->id)).p;
}

static bool made_here(const struct model_interface *i)
{
	return i->kind != MODEL_MACHINE;
}

static struct str places_text(struct arena *a, const struct model *m)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (made_here(&m->interfaces[i])) buf_fmt(&b, "%.*s\n", STR_ARG(m->interfaces[i].in->place));
	if (m->in->gateway_endpoints.n) buf_fmt(&b, "%.*s.aws\n", STR_ARG(m->in->id));
	return buf_done(&b);
}

static struct str read_file(struct arena *a, const char *path)
{
	struct buf b = BUF_IN(a);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	for (ssize_t n = 1; fd >= 0 && n > 0;) {
		n = read(fd, buf_reserve(&b, 4096), 4096);
		if (n > 0) b.n += (size_t)n;
	}
	if (fd >= 0) close(fd);
	return buf_done(&b);
}

static void write_file(const char *path, struct str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
		log_warn("host", "places_file", "why=\"%s\"", strerror(errno));
	if (fd >= 0) close(fd);
}

static bool among_lines(struct str text, struct str line)
{
	while (str_has(text))
		if (str_eq(str_cut(&text, '\n'), line)) return true;
	return false;
}

static void drop_places(struct work *w)
{
	const char *file = places_file(w);
	struct str was = w->old ? places_text(&w->a, w->old) : read_file(&w->a, file), is = places_text(&w->a, w->m);
	if (!str_eq(was, is)) write_file(file, is);
	for (struct str rest = was; str_has(rest);) {
		struct str place = str_cut(&rest, '\n');
		if (!model_id_valid(place) || among_lines(is, place)) continue;
		netns_remove(netns_name(&w->a, net_prefix(w->net), place));
		w->effect->changes++;
	}
}

void net_places_remove(struct net *n, struct str vpc)
{
	struct arena a;
	arena_init(&a);
	DIR *d = opendir(agent_folder(n->agent));
	for (struct dirent *e; d && (e = readdir(d));) {
		struct str name = str_c(e->d_name), id = str_sub(name, 0, name.n - strlen(".places"));
		if (!str_ends(name, STR(".places")) || (str_has(vpc) && !str_eq(id, vpc))) continue;
		const char *path = str_fmt(&a, "%s%s", agent_folder(n->agent), e->d_name).p;
		for (struct str rest = str_has(vpc) ? read_file(&a, path) : STR_NONE; str_has(rest);) {
			struct str place = str_cut(&rest, '\n');
			if (model_id_valid(place)) netns_remove(netns_name(&a, net_prefix(n), place));
		}
		unlink(path);
	}
	if (d) closedir(d);
	arena_cleanup(&a);
}

/* ── gateways ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status join_internet(struct work *w)
{
	if (!w->m->internet) return OK;
	TRY(net_internet(w->net));
	if (link_stands(w, "igw", w->m->in->id, MTU_INTERNET)) return OK;
	char there[LINK_NAME];
	net_internet_link(w->m->in->id, there);
	net_join(&w->vpc->router, "igw", &w->net->internet, there, MTU_INTERNET, w->m->in->id, true);
	TRY(rtnl_flush(&w->vpc->router.rtnl));
	return rtnl_flush(&w->net->internet.rtnl);
}

/* The far end of gateway endpoints: every address that a route leads there is its own. */
static status join_aws(struct work *w)
{
	static const uint8_t router[6] = PLAN_MAC_A;
	if (!w->m->in->gateway_endpoints.n) return OK;
	struct space aws;
	TRY(space_make(net_prefix(w->net), str_cat(&w->a, w->m->in->id, STR(".aws")), SPACE_HOST, &aws));
	if (!link_stands(w, "aws", w->m->in->id, MTU_VPC))
		net_join(&w->vpc->router, "aws", &aws, "vpc", MTU_VPC, w->m->in->id, true);
	struct rtnl_things things = {0};
	struct rtnl_links links;
	plan_hops(&w->a, "vpc", router, &things);
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		struct net_cidr all = {.family = family};
		plan_via_link(&w->a, &all, 254, "vpc", &things);
	}
	for (size_t i = 0; i < w->m->n_tables; i++)
		for (size_t k = 0; k < w->m->tables[i].n; k++)
			if (str_starts(w->m->tables[i].v[k].target, STR("vpce-")))
				plan_local(&w->a, &w->m->tables[i].v[k].to, &things);
	status s = rtnl_flush(&w->vpc->router.rtnl);
	if (is_ok(s)) s = rtnl_flush(&aws.rtnl);
	if (is_ok(s)) s = rtnl_links(&aws.rtnl, &w->a, &links);
	if (is_ok(s)) s = space_converge(&aws, &w->a, &links, false, &things);
	w->effect->changes += aws.rtnl.changes;
	space_close(&aws);
	return s;
}

static const struct model_link *find_link(const struct model_link *v, size_t n, struct str id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].id, id)) return &v[i];
	return NULL;
}

/* A peering stands where both VPCs name it. */
static status join_peers(struct work *w)
{
	const struct model *m = w->m;
	w->joined = arena_new_n(&w->a, struct net_vpc *, m->n_peerings);
	for (size_t i = 0; i < m->n_peerings; i++) {
		const struct model_link *l = &m->peerings[i];
		struct net_vpc *other = net_vpc_find(w->net, l->other);
		if (link_stands(w, l->link, l->id, MTU_VPC)) continue;
		if (!other || other == w->vpc || !find_link(other->model->peerings, other->model->n_peerings, l->id)) {
			w->vpc->incomplete = true;
			continue;
		}
		bool first = str_cmp(m->in->id, l->other) < 0;
		net_join(&w->vpc->router, l->link, &other->router, l->link, MTU_VPC, l->id, first);
		TRY(rtnl_flush(&w->vpc->router.rtnl));
		TRY(rtnl_flush(&other->router.rtnl));
		w->joined[w->n_joined++] = other;
	}
	return OK;
}

static status join_transit_gateways(struct work *w)
{
	for (size_t i = 0; i < w->m->n_attachments; i++) {
		const struct model_link *l = &w->m->attachments[i];
		struct net_tgw *t = net_tgw_find(w->net, l->other);
		if (link_stands(w, l->link, l->id, MTU_TGW)) continue;
		w->vpc->incomplete = true;
		if (!t) continue;
		bool named = false;
		for (size_t k = 0; k < t->intent->attachments.n; k++)
			named = named || str_eq(t->intent->attachments.v[k].id, l->id);
		if (!named) continue;
		net_join(&w->vpc->router, l->link, &t->space, l->link, MTU_TGW, l->id, true);
		TRY(rtnl_flush(&w->vpc->router.rtnl));
		TRY(rtnl_flush(&t->space.rtnl));
		TRY(net_tgw_converge(w->net, t, w->effect));
	}
	return OK;
}

/* ── all of it ───────────────────────────────────────────────────────────────────────────────────────────────────── */

status net_vpc_routes(struct net *n, struct net_vpc *v, struct net_effect *e)
{
	(void)n;
	struct arena a;
	arena_init(&a);
	struct rtnl_links links;
	struct rtnl_things things = {0};
	plan_router(&a, v->model, &things);
	unsigned before = v->router.rtnl.changes;
	status s = rtnl_links(&v->router.rtnl, &a, &links);
	if (is_ok(s)) s = space_converge(&v->router, &a, &links, false, &things);
	e->changes += v->router.rtnl.changes - before;
	arena_cleanup(&a);
	return s;
}

static status converge(struct work *w)
{
	struct net_vpc *v = w->vpc;
	struct rtnl_links come;
	v->incomplete = v->awaited = false;
	if (!str_has(v->router.place)) TRY(space_make(net_prefix(w->net), w->m->in->id, SPACE_ROUTER, &v->router));
	unsigned before = v->router.rtnl.changes;
	TRY(rtnl_links(&v->router.rtnl, &w->a, &w->links));
	drop_links(w);
	TRY(rtnl_flush(&v->router.rtnl));
	struct ruleset *rules = space_ruleset();
	rules_of_vpc(w->m, rules);
	TRY(space_rules(&v->router, rules, &w->effect->changes));
	TRY(plug_interfaces(w));
	TRY(settle_links(w, &come));
	TRY(join_internet(w));
	TRY(join_aws(w));
	TRY(join_peers(w));
	TRY(join_transit_gateways(w));
	w->effect->changes += v->router.rtnl.changes - before;
	TRY(net_vpc_routes(w->net, v, w->effect));
	TRY(furnish_places(w, false));
	for (size_t i = 0; i < w->n_joined; i++) TRY(net_vpc_routes(w->net, w->joined[i], w->effect));
	if (str_has(w->net->internet.place)) TRY(net_internet_routes(w->net, w->m, w->m->in->id, w->effect));
	net_flows_forget(&v->router, w->old, w->m);
	drop_places(w);
	return OK;
}

static bool all_stand(struct work *w)
{
	const struct model *m = w->m;
	bool all = true;
	for (size_t i = 0; i < m->n_interfaces && all; i++)
		all = link_stands(w, m->interfaces[i].link, alias_of(w, &m->interfaces[i]), m->interfaces[i].mtu);
	for (size_t i = 0; i < m->n_peerings && all; i++)
		all = link_stands(w, m->peerings[i].link, m->peerings[i].id, MTU_VPC);
	for (size_t i = 0; i < m->n_attachments && all; i++)
		all = link_stands(w, m->attachments[i].link, m->attachments[i].id, MTU_TGW);
	return all;
}

/* Machines have come, all else is as it was left: their links, and what lies on these. Which of fifty that start side by
 * side are plugged in costs what is new, not what stands. */
static status plug_awaited(struct work *w)
{
	struct net_vpc *v = w->vpc;
	struct rtnl *r = &v->router.rtnl;
	struct rtnl_links come;
	struct rtnl_things things = {0};
	v->awaited = false;
	TRY(rtnl_links(r, &w->a, &w->links));
	TRY(plug_interfaces(w));
	TRY(settle_links(w, &come));
	plan_router(&w->a, w->m, &things);
	rtnl_furnish(r, &come, &things);
	TRY(rtnl_flush(r));
	TRY(furnish_places(w, true));
	v->incomplete = !all_stand(w);
	return OK;
}

static bool same_interfaces(const struct model *x, const struct model *y)
{
	if (x->n_interfaces != y->n_interfaces) return false;
	for (size_t i = 0; i < x->n_interfaces; i++) {
		const struct model_interface *p = &x->interfaces[i], *q = &y->interfaces[i];
		if (!str_eq(p->in->id, q->in->id) || !str_eq(p->in->place, q->in->place) || p->kind != q->kind ||
			p->mtu != q->mtu || p->in->device.v != q->in->device.v ||
			memcmp(p->mac, q->mac, sizeof(p->mac)) != 0 || p->addresses.n != q->addresses.n ||
			!net_same(&p->subnet->cidr, &q->subnet->cidr))
			return false;
		size_t size = p->addresses.n * sizeof(*p->addresses.v);
		if (memcmp(p->addresses.v, q->addresses.v, size) != 0 || memcmp(p->publics, q->publics, size) != 0)
			return false;
	}
	return true;
}

/* Do only the rules differ? */
static bool same_shape(const struct model *x, const struct model *y)
{
	struct arena a;
	struct rtnl_things p = {0}, q = {0};
	if (x->internet != y->internet || x->n_subnets != y->n_subnets || !same_interfaces(x, y)) return false;
	for (size_t i = 0; i < x->n_subnets; i++)
		if (!net_same(&x->subnets[i].ipv6, &y->subnets[i].ipv6)) return false;
	arena_init(&a);
	plan_router(&a, x, &p);
	plan_router(&a, y, &q);
	bool same = p.n == q.n && memcmp(p.v, q.v, p.n * sizeof(*p.v)) == 0;
	arena_cleanup(&a);
	return same;
}

status net_vpc_change(struct net *n, struct net_vpc *v, const struct model *old, struct net_effect *e)
{
	if (!old || v->incomplete || !str_has(v->router.place) || !same_shape(old, v->model))
		return net_vpc_converge(n, v, old, false, e);
	struct ruleset *rules = space_ruleset();
	rules_of_vpc(v->model, rules);
	return space_rules(&v->router, rules, &e->changes);
}

static status run(struct work *w, status (*fn)(struct work *w))
{
	arena_init(&w->a);
	status s = fn(w);
	if (!is_ok(s)) w->vpc->incomplete = true;
	for (size_t i = 0; i < w->places.n; i++) space_close(&w->places.v[i].space);
	arena_cleanup(&w->a);
	return s;
}

status net_vpc_converge(struct net *n, struct net_vpc *v, const struct model *old, bool forced, struct net_effect *e)
{
	struct work w = {.net = n, .vpc = v, .m = v->model, .old = old, .forced = forced || !old, .effect = e};
	return run(&w, converge);
}

status net_vpc_plug(struct net *n, struct net_vpc *v, struct net_effect *e)
{
	struct work w = {.net = n, .vpc = v, .m = v->model, .old = v->model, .effect = e};
	status s = str_has(v->router.place) ? run(&w, plug_awaited) : STATUS(IO);
	return is_ok(s) ? OK : net_vpc_converge(n, v, v->model, true, e);
}
