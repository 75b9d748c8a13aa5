/* Nodes and units that go. */
#include "base/log.h"
#include "host/engines/folder.h"
#include "services/ec2/dns.h"
#include "services/elasticache/controller.h"

static status node_gone(struct cache_work *w, const struct elasticache_rec_node *n)
{
	if (w->real) {
		cache_watch(cache_watcher_of(w->cloud), w->at, w->u->id, n->name, NULL);
		TRY(cache_node_stop(w->cloud, w->at.a, w->u, n->name, true));
		engine_folder_remove(cache_path(w->cloud, w->at.a, cache_folder(w->at.a, w->u, n->name), ""));
	}
	ec2_dns_unpublish(w->at.tx, w->at.a, cache_node_endpoint(w->at.a, w->at, w->u, n));
	status s = ec2_eni_drop(w->c, n->eni);
	return status_is(s, STATUS_FAILED) ? OK : s; /* it is gone already */
}

/* The others of a cluster forget it, or they would wait for it. */
static void forget(struct cache_work *w, size_t gone)
{
	struct resp_value v, id;
	if (!w->u->clustered.v || !w->seen[gone].serves) return;
	if (!is_ok(resp_do(&w->seen[gone].r, w->at.a, &id, "CLUSTER MYID"))) return;
	for (size_t i = 0; i < w->u->nodes.n; i++)
		if (i != gone && w->seen[i].serves &&
			!is_ok(resp_do(&w->seen[i].r, w->at.a, &v, "CLUSTER FORGET %.*s", STR_ARG(id.text))))
			log_warn("elasticache", "not_forgotten", "unit=%.*s", STR_ARG(w->u->id));
}

status cache_nodes_remove(struct cache_work *w)
{
	struct elasticache_rec_unit *u = w->u;
	size_t kept = 0;
	for (size_t i = 0; i < u->nodes.n; i++) {
		if (!str_is(u->nodes.v[i].state, "removing")) {
			w->seen[kept] = w->seen[i];
			u->nodes.v[kept++] = u->nodes.v[i];
			continue;
		}
		forget(w, i);
		if (w->seen[i].serves) resp_close(&w->seen[i].r);
		TRY(node_gone(w, &u->nodes.v[i]));
		if (str_has(u->replication_group_id)) cache_drop(w->at, &cache_kind_cluster, u->nodes.v[i].cluster);
		cache_event(w->at, w->now_ms, "cache-cluster", u->nodes.v[i].cluster,
			str_fmt(w->at.a, "Removed cache node %.*s", STR_ARG(u->nodes.v[i].number)).p);
	}
	u->nodes.n = kept;
	return OK;
}

void cache_unit_drop(struct cache_place at, const struct elasticache_rec_unit *u)
{
	if (str_has(u->replication_group_id)) cache_drop(at, &cache_kind_group, u->replication_group_id);
	for (size_t i = 0; i < u->nodes.n; i++) cache_drop(at, &cache_kind_cluster, u->nodes.v[i].cluster);
	if (str_has(u->cache_cluster_id)) cache_drop(at, &cache_kind_cluster, u->cache_cluster_id);
	cache_drop(at, &cache_kind_unit, u->id);
}

/* Automatic snapshots go with what they are of. */
static status drop_snapshots(struct cache_work *w)
{
	struct cache_each e = cache_each(w->at, &cache_kind_snapshot);
	while (cache_next(&e)) {
		const struct elasticache_rec_snapshot *s = e.record;
		if (!str_eq(s->unit, w->u->id) || !str_is(s->snapshot_source, "automated")) continue;
		cache_folder_remove(w->cloud, w->at.a, s->folder);
		cache_drop(w->at, &cache_kind_snapshot, s->snapshot_name);
	}
	return cache_each_end(&e);
}

status cache_take_down(struct cache_work *w)
{
	struct elasticache_rec_unit *u = w->u;
	if (str_has(u->final_snapshot)) {
		struct elasticache_rec_snapshot s;
		status st = cache_load(w->at, &cache_kind_snapshot, u->final_snapshot, &s);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		/* The snapshot's job marks this one when it is done. */
		if (is_ok(st) && str_is(s.snapshot_status, "creating")) return OK;
		if (is_ok(st) && str_is(s.snapshot_status, "failed")) {
			cache_unit_event(w->at, w->now_ms, u, "The final snapshot failed: nothing is deleted");
			u->final_snapshot = STR_NONE;
			u->status = STR("available");
			cache_again(w, 1);
			return OK;
		}
	}
	for (size_t i = 0; i < u->nodes.n; i++) {
		if (w->seen[i].serves) resp_close(&w->seen[i].r);
		TRY(node_gone(w, &u->nodes.v[i]));
	}
	for (unsigned i = 0; i < 3; i++) ec2_dns_unpublish(w->at.tx, w->at.a, cache_endpoint(w->at.a, w->at, u, i));
	if (w->real && str_has(u->data_key)) cache_folder_remove(w->cloud, w->at.a, cache_unit_folder(w->at.a, u));
	TRY(drop_snapshots(w));
	cache_unit_event(w->at, w->now_ms, u,
		str_has(u->replication_group_id) ? "Replication group deleted" : "Cache cluster deleted");
	cache_unit_drop(w->at, u);
	w->gone = true;
	return OK;
}
