/* What the servers of a cluster are set to: the cluster's group, a member's own group over it, and who waits for whom.
 */
#include "services/rds/cluster.h"

/* A server that follows has to have room for as many sessions as the one that it follows, whatever their classes: where
 * no group says how many, all of a cluster's have room for so many. */
#define CONNECTIONS "1000"

static void add(struct arena *a, struct rds_rec_parameter_group *to, const struct rds_rec_value *v)
{
	size_t capacity = to->values.n;
	for (size_t i = 0; i < to->values.n; i++)
		if (str_eq(to->values.v[i].name, v->name)) {
			to->values.v[i] = *v;
			return;
		}
	*VEC_PUSH(a, &to->values, &capacity) = *v;
}

static status groups(struct rds_work *w, const struct rds_rec_node *n, struct rds_rec_parameter_group *g)
{
	struct rds_rec_instance m;
	struct rds_rec_parameter_group own;
	struct rds_rec_value connections = {.name = STR("max_connections"), .value = STR(CONNECTIONS)};
	bool said = false;
	TRY(rds_cluster_group_load(w->at, w->r->parameter_group, g));
	status s = rds_member_load(w->at, n, &m);
	if (is_ok(s)) {
		TRY(rds_parameter_group_load(w->at, m.parameter_group, &own));
		for (size_t i = 0; i < own.values.n; i++) add(w->at.a, g, &own.values.v[i]);
	} else if (!status_is(s, STATUS_NOT_FOUND)) {
		return s;
	}
	for (size_t i = 0; i < g->values.n; i++) said = said || str_eq(g->values.v[i].name, connections.name);
	if (!said) add(w->at.a, g, &connections);
	return OK;
}

/* "ANY 1 (node_b, node_c)": of those that have or are about to have all. */
static struct str synchronous(struct rds_work *w)
{
	struct buf b = BUF_IN(w->at.a);
	for (size_t i = 0; i < w->r->nodes.n; i++) {
		const struct rds_rec_node *o = &w->r->nodes.v[i];
		/* Of a fresh one from the start: no session has to be told of it. */
		if (str_eq(o->letter, w->r->primary) ||
			!(rds_is_fresh(w->r) || str_is(o->state, "up") || str_is(o->state, "catching")))
			continue;
		buf_fmt(&b, "%snode_%.*s", b.n ? ", " : "ANY 1 (", STR_ARG(o->letter));
	}
	if (b.n) buf_lit(&b, ")");
	return b.n ? buf_done(&b) : STR_NONE;
}

status rds_cluster_settings(
	struct rds_work *w, const struct rds_rec_node *n, struct rds_settings *s, struct rds_rec_parameter_group *g)
{
	struct rds_rec_instance *r = arena_new(w->at.a, struct rds_rec_instance);
	*r = *w->r;
	r->db_instance_class = str_or(n->db_instance_class, STR("db.t3.medium"));
	s->r = r;
	if (!rds_is_aurora(r) && str_eq(n->letter, r->primary) && !r->origin) s->synchronous = synchronous(w);
	return groups(w, n, g);
}
