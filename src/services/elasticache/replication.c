/* Who is whose replica, and what happens when a primary ends. "Replication: Redis OSS", "Minimizing downtime in
 * ElastiCache with Multi-AZ", the guide.
 *
 * A replica is "synced" once its link to the primary is up. Only such a one takes over; of several the one that has got
 * furthest. The old primary is fenced (killed) first, and comes back empty, as a replica. */
#include "base/log.h"
#include "clock/clock.h"
#include "services/elasticache/controller.h"
#include <unistd.h>

enum { PROMOTE_MS = 5000, STEP_US = 5000 };

static int64_t number(struct str s)
{
	int64_t n = 0;
	return str_has(s) && is_ok(str_to_i64(s, &n)) ? n : 0;
}

static status look_at(struct cache_work *w, struct cache_seen *s)
{
	struct resp_value v;
	TRY(resp_do(&s->r, w->at.a, &v, "INFO replication"));
	s->info = v.text;
	s->master = str_is(str_or(resp_info(v.text, "role"), STR("")), "master");
	s->linked = !s->master && str_is(str_or(resp_info(v.text, "master_link_status"), STR("")), "up") &&
		    str_is(str_or(resp_info(v.text, "master_sync_in_progress"), STR("")), "0");
	s->offset = number(resp_info(v.text, s->master ? "master_repl_offset" : "slave_repl_offset"));
	return OK;
}

status cache_look(struct cache_work *w)
{
	for (size_t i = 0; i < w->u->nodes.n; i++) {
		struct cache_seen *s = &w->seen[i];
		if (s->serves && cache_is_redis(w->u) && !is_ok(look_at(w, s))) {
			resp_close(&s->r);
			s->serves = false;
			cache_again(w, CACHE_SOON_MS);
		}
	}
	return OK;
}

static size_t index_of(const struct cache_work *w, struct str name)
{
	size_t i = 0;
	while (i < w->u->nodes.n && !str_eq(w->u->nodes.v[i].name, name)) i++;
	return i;
}

/* Who may take over, and has the most; nodes.n where nobody may. */
static size_t best(const struct cache_work *w, const struct elasticache_rec_shard *s)
{
	size_t found = w->u->nodes.n;
	for (size_t i = 0; i < w->u->nodes.n; i++) {
		const struct elasticache_rec_node *n = &w->u->nodes.v[i];
		if (!str_eq(n->shard, s->id) || str_eq(n->name, s->primary) || !n->synced.v || !w->seen[i].serves ||
			w->seen[i].zone_down || str_is(n->state, "removing"))
			continue;
		if (found == w->u->nodes.n || w->seen[i].offset > w->seen[found].offset) found = i;
	}
	return found;
}

static status lead(struct cache_work *w, size_t i)
{
	struct resp_value v;
	status s = w->u->clustered.v ? resp_do(&w->seen[i].r, w->at.a, &v, "CLUSTER FAILOVER TAKEOVER")
				     : resp_do(&w->seen[i].r, w->at.a, &v, "REPLICAOF NO ONE");
	/* It leads already: an earlier run of this has got so far. */
	if (status_is(s, STATUS_INVALID) && w->seen[i].master) s = OK;
	if (is_ok(s)) w->seen[i].master = true;
	return s;
}

static void told(struct cache_work *w, struct str from, struct str to)
{
	log_info("elasticache", "failover", "unit=%.*s from=%.*s to=%.*s", STR_ARG(w->u->id), STR_ARG(from),
		STR_ARG(to));
	cache_unit_event(w->at, w->now_ms, w->u,
		str_fmt(w->at.a, "Failover from master node %.*s to replica node %.*s completed", STR_ARG(from),
			STR_ARG(to))
			.p);
}

status cache_failover(struct cache_work *w, struct elasticache_rec_shard *s)
{
	size_t i = best(w, s), old = index_of(w, s->primary);
	if (i == w->u->nodes.n) return STATUS(NOT_FOUND);
	struct elasticache_rec_node *n = &w->u->nodes.v[i];
	/* It must not go on, wherever it is. */
	if (old < w->u->nodes.n) {
		TRY(cache_node_stop(w->cloud, w->at.a, w->u, s->primary, true));
		w->u->nodes.v[old].synced = SOME_BOOL(false);
		w->seen[old].runs = false;
		if (w->seen[old].serves) resp_close(&w->seen[old].r);
		w->seen[old].serves = false;
	}
	TRY(lead(w, i));
	told(w, old < w->u->nodes.n ? w->u->nodes.v[old].cluster : STR("?"), n->cluster);
	s->primary = n->name;
	n->synced = SOME_BOOL(false);
	/* Were this run to begin again, the old one must not have come back as what the record then still says. */
	w->moved = true;
	cache_again(w, 1);
	return OK;
}

/* Without a lost write: the primary holds writes back until the replica has all ("FAILOVER", Redis' commands; CLUSTER
 * FAILOVER is its like in cluster mode). */
status cache_promote(struct cache_work *w, struct elasticache_rec_node *n)
{
	struct elasticache_rec_shard *s = cache_shard(w->u, n->shard);
	size_t i = index_of(w, n->name), old = s ? index_of(w, s->primary) : w->u->nodes.n;
	struct resp_value v;
	if (!s || old == w->u->nodes.n || i == old) return STATUS(NOT_FOUND);
	if (!w->seen[i].serves || !w->seen[old].serves || !n->synced.v) return STATUS(NOT_FOUND);
	if (!w->seen[i].master)
		TRY(w->u->clustered.v ? resp_do(&w->seen[i].r, w->at.a, &v, "CLUSTER FAILOVER")
				      : resp_do(&w->seen[old].r, w->at.a, &v, "FAILOVER TO %.*s %d TIMEOUT %d",
						STR_ARG(n->address), w->u->port.v, PROMOTE_MS));
	int64_t until_us = clock_monotonic_us() + PROMOTE_MS * 1000ll;
	while (!w->seen[i].master) {
		if (clock_monotonic_us() > until_us) return STATUS(BUSY);
		usleep(STEP_US);
		TRY(look_at(w, &w->seen[i]));
	}
	told(w, w->u->nodes.v[old].cluster, n->cluster);
	s->primary = n->name;
	n->synced = SOME_BOOL(false);
	return look_at(w, &w->seen[old]);
}

/* One that was told to follow does: it names that primary. */
static bool follows(const struct cache_work *w, const struct cache_seen *s, const struct elasticache_rec_node *primary)
{
	return !s->master && str_eq(str_or(resp_info(s->info, "master_host"), STR("")), primary->address) &&
	       number(resp_info(s->info, "master_port")) == w->u->port.v;
}

status cache_roles(struct cache_work *w, bool *settled)
{
	struct resp_value v;
	for (size_t i = 0; i < w->u->nodes.n; i++) {
		struct elasticache_rec_node *n = &w->u->nodes.v[i];
		const struct elasticache_rec_shard *shard = cache_shard(w->u, n->shard);
		struct cache_seen *s = &w->seen[i];
		if (!s->serves) n->synced = SOME_BOOL(false);
		if (!s->serves || !shard) continue;
		if (str_eq(shard->primary, n->name)) {
			n->synced = SOME_BOOL(false);
			if (!s->master && !w->u->clustered.v) TRY(lead(w, i));
			continue;
		}
		size_t p = index_of(w, shard->primary);
		const struct elasticache_rec_node *primary = p < w->u->nodes.n ? &w->u->nodes.v[p] : NULL;
		if (!primary) continue;
		bool right = follows(w, s, primary);
		/* Of cluster mode cluster.c tells whom it follows. */
		if (!right && !w->u->clustered.v)
			TRY(resp_do(&s->r, w->at.a, &v, "REPLICAOF %.*s %d", STR_ARG(primary->address), w->u->port.v));
		/* While its primary is away it keeps what it had: its link is down then, and it may take over. */
		bool primary_serves = w->seen[p].serves;
		if (right && s->linked)
			n->synced = SOME_BOOL(true);
		else if (primary_serves || !right)
			n->synced = SOME_BOOL(false);
		if (!n->synced.v) *settled = false;
	}
	return OK;
}
