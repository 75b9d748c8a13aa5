/* What a node shall be: a balancer's records, as its node in one zone needs them. */
#include "base/log.h"
#include "services/acm/door.h"
#include "services/elbv2/node.h"
#include "vault/vault.h"

static bool crosses_zones(const struct elbv2_rec_balancer *b, const struct elbv2_rec_group *g)
{
	struct str own = elbv2_group_attribute(g, "load_balancing.cross_zone.enabled");
	if (str_is(own, "use_load_balancer_configuration"))
		own = elbv2_balancer_attribute(b, "load_balancing.cross_zone.enabled");
	return str_is(own, "true");
}

static bool zone_enabled(const struct elbv2_rec_balancer *b, struct str zone)
{
	for (size_t i = 0; i < b->zones.n; i++)
		if (str_eq(b->zones.v[i].zone, zone)) return true;
	return str_is(zone, "all");
}

/* An Application Load Balancer has an address in each of its zones. A node without cross-zone balancing takes that of
 * its own zone; where there is none, all of them. */
static status plan_alb(
	struct elbv2_plan *p, struct elbv2_plan_group *g, const struct elbv2_rec_target *t, size_t *capacity)
{
	struct elbv2_rec_balancer b;
	status s = elbv2_target_balancer(p->at, t->id, &b);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	bool all = crosses_zones(p->b, &g->g), mine = false;
	for (size_t i = 0; i < b.zones.n; i++) mine = mine || str_eq(b.zones.v[i].zone, p->zone->zone);
	for (size_t i = 0; i < b.zones.n; i++) {
		const struct elbv2_rec_zone *z = &b.zones.v[i];
		if (!all && mine && !str_eq(z->zone, p->zone->zone)) continue;
		*VEC_PUSH(p->at.a, g, capacity) = (struct elbv2_plan_server){
			.name = str_fmt(p->at.a, "%.*s:%.*s", STR_ARG(elbv2_server_name(p->at.a, t)), STR_ARG(z->zone)),
			.address = z->address,
			.port = t->port.v,
			.check_port = elbv2_number(g->g.health_check_port, t->port.v),
			.draining = t->draining.has};
	}
	return OK;
}

static status plan_servers(struct elbv2_plan *p, struct elbv2_plan_group *g)
{
	struct elbv2_all_targets targets;
	size_t capacity = 0;
	TRY(elbv2_targets(p->at, g->g.id, &targets));
	for (size_t i = 0; i < targets.n; i++) {
		struct elbv2_spot spot;
		if (str_is(g->g.target_type, "alb")) {
			TRY(plan_alb(p, g, &targets.v[i], &capacity));
			continue;
		}
		status s = elbv2_target_spot(p->at, &g->g, &targets.v[i], &spot);
		/* Its instance has ended or stands still. */
		if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY)) continue;
		TRY(s);
		if (!zone_enabled(p->b, spot.zone)) continue;
		if (!crosses_zones(p->b, &g->g) && !str_eq(spot.zone, p->zone->zone) && !str_is(spot.zone, "all"))
			continue;
		*VEC_PUSH(p->at.a, g, &capacity) =
			(struct elbv2_plan_server){.name = elbv2_server_name(p->at.a, &targets.v[i]),
				.address = spot.address,
				.port = spot.port,
				.check_port = spot.check_port,
				.draining = targets.v[i].draining.has};
	}
	return OK;
}

static status plan_groups(struct elbv2_plan *p)
{
	size_t capacity = 0;
	for (size_t i = 0; i < p->b->groups.n; i++) {
		struct elbv2_rec_group g;
		status s = elbv2_group_get(p->at, p->b->groups.v[i], &g);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		struct elbv2_plan_group *pg = VEC_PUSH(p->at.a, &p->groups, &capacity);
		pg->g = g;
		TRY(plan_servers(p, pg));
	}
	return OK;
}

static status plan_certificates(struct cloud *cloud, struct elbv2_plan *p, struct elbv2_plan_listener *l)
{
	l->files = arena_new_n(p->at.a, struct str, l->l.certificates.n + 1);
	for (size_t i = 0; i < l->l.certificates.n; i++) {
		struct acm_material m;
		struct buf b = BUF_IN(p->at.a);
		status s = acm_load(cloud, p->at.tx, p->at.a, p->at.account, p->at.region, l->l.certificates.v[i], &m);
		if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY)) {
			log_warn("elbv2", "certificate", "arn=%.*s", STR_ARG(l->l.certificates.v[i]));
			continue;
		}
		TRY(s);
		buf_str(&b, m.key);
		buf_str(&b, m.certificate);
		buf_str(&b, m.chain);
		struct str name = str_fmt(p->at.a, "cert-%.*s-%zu.pem", STR_ARG(l->l.id), i);
		l->files[l->n_files++] = name;
		*VEC_PUSH(p->at.a, &p->files, &p->files.capacity) =
			(struct elbv2_plan_file){.name = name, .bytes = buf_done(&b), .secret = true};
	}
	return OK;
}

static void add_file(struct elbv2_plan *p, struct str name, struct str bytes)
{
	*VEC_PUSH(p->at.a, &p->files, &p->files.capacity) = (struct elbv2_plan_file){.name = name, .bytes = bytes};
}

/* Whom the listener believes, and whom no more. */
static status plan_trust(struct elbv2_plan *p, struct elbv2_plan_listener *l)
{
	struct elbv2_rec_trust_store t;
	if (!str_is(l->l.mutual, "verify")) return OK;
	status s = elbv2_trust_by_arn(p->at, l->l.trust_store, &t);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct buf lists = BUF_IN(p->at.a);
	for (size_t i = 0; i < t.revocations.n; i++) buf_str(&lists, t.revocations.v[i].content);
	l->trust = str_fmt(p->at.a, "trust-%.*s.pem", STR_ARG(l->l.id));
	add_file(p, l->trust, t.bundle);
	if (!t.revocations.n) return OK;
	l->revoked = str_fmt(p->at.a, "revoked-%.*s.pem", STR_ARG(l->l.id));
	add_file(p, l->revoked, buf_done(&lists));
	return OK;
}

status elbv2_plan(struct cloud *cloud, struct ec2_place at, const struct elbv2_rec_balancer *b,
	const struct elbv2_rec_zone *zone, struct elbv2_plan *out)
{
	struct elbv2_all_listeners listeners;
	size_t capacity = 0;
	*out = (struct elbv2_plan){.at = at, .b = b, .zone = zone};
	TRY(elbv2_listeners(at, b->id, &listeners));
	for (size_t i = 0; i < listeners.n; i++) {
		struct elbv2_plan_listener *l = VEC_PUSH(at.a, &out->listeners, &capacity);
		l->l = listeners.v[i];
		TRY(elbv2_rules(at, l->l.id, &l->rules));
		TRY(plan_certificates(cloud, out, l));
		TRY(plan_trust(out, l));
	}
	return plan_groups(out);
}

const struct elbv2_plan_group *elbv2_plan_group_of(const struct elbv2_plan *p, struct str arn)
{
	for (size_t i = 0; i < p->groups.n; i++)
		if (str_ends(arn, str_fmt(p->at.a, "/%.*s", STR_ARG(p->groups.v[i].g.id)))) return &p->groups.v[i];
	return NULL;
}
