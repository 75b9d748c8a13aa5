/* Cluster mode: the nodes know each other, each shard's primary has its slots, replicas follow. "Redis cluster
 * specification"; who leads after a primary's end is virga's to say (replication.c), not the nodes'. */
#include "services/elasticache/controller.h"

/* A node's id in the cluster. */
static status id_of(struct cache_work *w, size_t i, struct str *id)
{
	struct resp_value v;
	TRY(resp_do(&w->seen[i].r, w->at.a, &v, "CLUSTER MYID"));
	*id = v.text;
	return OK;
}

/* The line of CLUSTER NODES that begins with this id; STR_NONE. */
static struct str line_of(struct str nodes, struct str id)
{
	while (str_has(nodes)) {
		struct str line = str_cut(&nodes, '\n');
		if (str_starts(line, id)) return line;
	}
	return STR_NONE;
}

static bool says(struct str line, const char *what)
{
	return str_find(line, str_c(what)) >= 0;
}

static status own_slots(
	struct cache_work *w, size_t i, const struct elasticache_rec_shard *s, struct str nodes, struct str id)
{
	struct resp_value v;
	struct str line = line_of(nodes, id), range = str_fmt(w->at.a, " %d-%d", s->from.v, s->to.v);
	if (str_has(line) && str_find(line, range) >= 0) return OK;
	status st = resp_do(&w->seen[i].r, w->at.a, &v, "CLUSTER ADDSLOTSRANGE %d %d", s->from.v, s->to.v);
	/* Taken by one that has led before: it will hear of the takeover. */
	return status_is(st, STATUS_INVALID) ? OK : st;
}

status cache_cluster_form(struct cache_work *w, bool *settled)
{
	struct elasticache_rec_unit *u = w->u;
	struct str *ids = arena_new_n(w->at.a, struct str, u->nodes.n);
	struct resp_value v, all;
	size_t first = u->nodes.n;
	for (size_t i = 0; i < u->nodes.n; i++) {
		if (!w->seen[i].serves) continue;
		TRY(id_of(w, i, &ids[i]));
		if (first == u->nodes.n && cache_is_primary(u, &u->nodes.v[i])) first = i;
	}
	if (first == u->nodes.n) return OK;
	TRY(resp_do(&w->seen[first].r, w->at.a, &all, "CLUSTER NODES"));
	for (size_t i = 0; i < u->nodes.n; i++) {
		struct elasticache_rec_node *n = &u->nodes.v[i];
		struct str line = str_has(ids[i]) ? line_of(all.text, ids[i]) : STR_NONE;
		if (!w->seen[i].serves) continue;
		if (i != first && (!str_has(line) || says(line, "handshake") || says(line, "noaddr"))) {
			*settled = false;
			TRY(resp_do(&w->seen[first].r, w->at.a, &v, "CLUSTER MEET %.*s %d", STR_ARG(n->address),
				u->port.v));
			continue;
		}
		const struct elasticache_rec_shard *s = cache_shard(u, n->shard);
		if (cache_is_primary(u, n)) {
			TRY(own_slots(w, i, s, all.text, ids[i]));
			continue;
		}
		size_t p = 0;
		while (p < u->nodes.n && !str_eq(u->nodes.v[p].name, s->primary)) p++;
		if (p == u->nodes.n || !w->seen[p].serves || says(line, str_z(w->at.a, ids[p]))) continue;
		*settled = false;
		status st = resp_do(&w->seen[i].r, w->at.a, &v, "CLUSTER REPLICATE %.*s", STR_ARG(ids[p]));
		/* It does not know that node yet, or still has slots that another has taken over. */
		if (!is_ok(st) && !status_is(st, STATUS_INVALID)) return st;
	}
	for (size_t i = 0; i < u->nodes.n; i++) {
		if (!w->seen[i].serves) continue;
		TRY(resp_do(&w->seen[i].r, w->at.a, &v, "CLUSTER INFO"));
		int64_t known = 0;
		struct str k = resp_info(v.text, "cluster_known_nodes");
		if (!str_has(k) || !is_ok(str_to_i64(k, &known))) known = 0;
		if (!str_is(str_or(resp_info(v.text, "cluster_state"), STR("")), "ok") || known < (int64_t)u->nodes.n)
			*settled = false;
	}
	return OK;
}
