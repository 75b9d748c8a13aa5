/* The controller of units: see controller.h. One function for all states: what is not as it should be is brought about,
 * and when all is, the unit is available. */
#include "services/elasticache/controller.h"
#include "base/log.h"
#include "call/inside.h"
#include "host/engines/engine.h"
#include "services/ec2/dns.h"
#include "services/rds/room.h"

enum { FAILURES_MAX = 20, PROMOTE_TRIES = 300 };
#define MEASURE_MS 60000

void cache_again(struct cache_work *w, int64_t ms)
{
	if (ms < 1) ms = 1;
	if (!w->again_ms || w->now_ms + ms < w->again_ms) w->again_ms = w->now_ms + ms;
}

static void mark(struct cache_place at, const char *kind, struct str name, int64_t due_ms)
{
	struct elasticache_rec_task t = {.account = at.account, .region = at.region, .name = name};
	jobs_schedule(at.tx,
		&(struct job){.kind = str_c(kind),
			.id = str_fmt(at.a, "%.*s/%.*s/%.*s", STR_ARG(at.account), STR_ARG(at.region), STR_ARG(name)),
			.due_ms = due_ms,
			.payload = elasticache_rec_task_encode(at.a, &t)});
}

void cache_mark(struct cache_place at, struct str unit, int64_t due_ms)
{
	mark(at, CACHE_JOB, unit, due_ms);
}

void cache_mark_snapshot(struct cache_place at, struct str name)
{
	mark(at, CACHE_JOB_SNAPSHOT, name, 0);
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

void cache_poke(struct call *c)
{
	call_after_commit(c, poke, c->cloud->jobs);
}

static bool is(const struct cache_work *w, const char *status_name_)
{
	return str_eq(w->u->status, str_c(status_name_));
}

/* ── what is there ── */

static status see(struct cache_work *w)
{
	struct compute_rec_engine_statuses all = {0};
	struct elasticache_rec_unit *u = w->u;
	w->seen = arena_new_n(w->at.a, struct cache_seen, u->nodes.n + 1);
	for (size_t i = 0; i < u->nodes.n; i++) {
		w->seen[i].r.fd = -1;
		w->seen[i].zone_down = ec2_zone_is_down(w->at.tx, w->at.a, u->nodes.v[i].zone);
	}
	if (!w->real) return OK;
	TRY(host_engine_list(w->cloud->host, w->at.a, &all));
	for (size_t i = 0; i < u->nodes.n; i++) {
		struct str id = cache_engine_id(w->at.a, u, u->nodes.v[i].name);
		for (size_t k = 0; k < all.engines.n; k++)
			if (str_eq(all.engines.v[k].id, id))
				w->seen[i].runs = str_is(all.engines.v[k].state, "running");
		if (w->seen[i].runs)
			w->seen[i].serves = is_ok(cache_node_open(w->cloud, w->at.a, u, &u->nodes.v[i], &w->seen[i].r));
	}
	return cache_look(w);
}

static void unsee(struct cache_work *w)
{
	for (size_t i = 0; w->seen && i < w->u->nodes.n; i++)
		if (w->seen[i].serves) resp_close(&w->seen[i].r);
}

/* ── nodes ── */

static status failed(struct cache_work *w, struct str why)
{
	w->u->failures = SOME_I32(w->u->failures.v + 1);
	log_warn("elasticache", "step_failed", "unit=%.*s why=\"%.*s\"", STR_ARG(w->u->id), STR_ARG(why));
	cache_again(w, CACHE_LATER_MS);
	if (w->u->failures.v == FAILURES_MAX || (w->u->failures.v == 3 && is(w, "creating"))) {
		cache_unit_event(w->at, w->now_ms, w->u,
			str_fmt(w->at.a, "A cache node cannot be started: %.*s", STR_ARG(why)).p);
		if (is(w, "creating")) w->u->status = STR("create-failed");
	}
	return OK;
}

/* A snapshot's part as what the node begins with: see snapshot_data.c. */
static status start_node(struct cache_work *w, size_t i)
{
	struct elasticache_rec_node *n = &w->u->nodes.v[i];
	struct str why = STR_NONE;
	if (w->seen[i].zone_down || w->moved) return OK; /* nothing starts there, or now */
	if (str_has(n->users) || str_has(n->settings)) {
		/* Forgotten before it starts, not with its start: where that transaction has to be made again, the
		 * server runs already, and would be taken for one that was told. */
		n->users = n->settings = STR_NONE;
		n->started_with = cache_static_settings(w->at.a, w->g);
		cache_again(w, 1);
		return OK;
	}
	if (str_has(w->u->origin) && cache_is_primary(w->u, n) && str_is(n->state, "new"))
		TRY(cache_snapshot_lay(w, n));
	status s = cache_node_start(w->cloud, w->at, w->u, n, w->g, w->now_ms, &why);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY)) {
		cache_again(w, CACHE_SOON_MS);
		return OK;
	}
	if (!is_ok(s)) return failed(w, str_or(why, STR("the machine refused")));
	w->seen[i].runs = true;
	cache_again(w, CACHE_SOON_MS);
	return OK;
}

/* A primary that is lost gives way to a replica that has its data; without one it starts again, empty. So it is also
 * where automatic failover is off: there ElastiCache makes a new primary and fills it from a replica first, which comes
 * to the same but for who leads afterwards. */
static status primaries(struct cache_work *w)
{
	for (size_t k = 0; k < w->u->shards.n; k++) {
		struct elasticache_rec_shard *s = &w->u->shards.v[k];
		for (size_t i = 0; i < w->u->nodes.n; i++) {
			struct elasticache_rec_node *n = &w->u->nodes.v[i];
			if (!str_eq(n->name, s->primary) || str_is(n->state, "new") ||
				(w->seen[i].runs && !w->seen[i].zone_down && !str_is(n->state, "removing")))
				continue;
			status st = cache_failover(w, s);
			if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
			break;
		}
	}
	return OK;
}

static status nodes(struct cache_work *w, bool *settled)
{
	for (size_t i = 0; i < w->u->nodes.n; i++) {
		struct elasticache_rec_node *n = &w->u->nodes.v[i];
		struct cache_seen *s = &w->seen[i];
		if (str_is(n->wanted, "reboot")) {
			TRY(cache_node_stop(w->cloud, w->at.a, w->u, n->name, false));
			/* One effect to a transaction. */
			n->wanted = STR("rebooting");
			if (s->serves) resp_close(&s->r);
			s->serves = s->runs = false;
			*settled = false;
			cache_again(w, 1);
			continue;
		}
		if (s->runs && s->zone_down) {
			TRY(cache_node_stop(w->cloud, w->at.a, w->u, n->name, true));
			if (s->serves) resp_close(&s->r);
			s->serves = s->runs = false;
		}
		if (!s->runs) TRY(start_node(w, i));
		if (!s->serves) {
			if (!s->zone_down) {
				*settled = false;
				cache_again(w, CACHE_SOON_MS);
			}
			continue;
		}
		if (cache_is_redis(w->u))
			cache_watch(cache_watcher_of(w->cloud), w->at, w->u->id, n->name,
				cache_path(w->cloud, w->at.a, cache_folder(w->at.a, w->u, n->name), "redis.sock"));
		TRY(cache_apply(w, i));
	}
	return OK;
}

static void simulate(struct cache_work *w)
{
	for (size_t i = 0; i < w->u->nodes.n; i++) {
		struct elasticache_rec_node *n = &w->u->nodes.v[i];
		n->started_with = n->running_with = cache_static_settings(w->at.a, w->g);
		n->wanted = STR_NONE;
	}
}

/* ── names ── */

static void publish(struct cache_work *w, struct str name, const struct elasticache_rec_strings *addresses)
{
	struct ec2_rec_published_name old;
	status s = ec2_dns_published(w->at.tx, w->at.a, name, &old);
	bool same = is_ok(s) && old.addresses.n == addresses->n;
	for (size_t i = 0; same && i < addresses->n; i++) same = str_eq(old.addresses.v[i], addresses->v[i]);
	if (!same && addresses->n) ec2_dns_publish(w->at.tx, w->at.a, name, addresses->v, addresses->n);
}

static void announce(struct cache_work *w)
{
	struct elasticache_rec_unit *u = w->u;
	struct elasticache_rec_strings primary = {0}, readers = {0}, all = {0};
	size_t primaries_ = 0, readers_ = 0, all_ = 0;
	for (size_t i = 0; i < u->nodes.n; i++) {
		const struct elasticache_rec_node *n = &u->nodes.v[i];
		struct elasticache_rec_strings one = {(struct str[]){n->address}, 1};
		publish(w, cache_node_endpoint(w->at.a, w->at, u, n), &one);
		if (w->real && !w->seen[i].serves) continue;
		*VEC_PUSH(w->at.a, &all, &all_) = n->address;
		if (cache_is_primary(u, n))
			*VEC_PUSH(w->at.a, &primary, &primaries_) = n->address;
		else if (n->synced.v || !w->real)
			*VEC_PUSH(w->at.a, &readers, &readers_) = n->address;
	}
	if (u->clustered.v || !cache_is_redis(u)) {
		publish(w, cache_endpoint(w->at.a, w->at, u, CACHE_CONFIGURATION), &all);
	} else if (str_has(u->replication_group_id)) {
		publish(w, cache_endpoint(w->at.a, w->at, u, CACHE_PRIMARY), &primary);
		publish(w, cache_endpoint(w->at.a, w->at, u, CACHE_READER), readers.n ? &readers : &primary);
	}
}

/* ── the whole ── */

static void became_available(struct cache_work *w)
{
	struct elasticache_rec_unit *u = w->u;
	bool first = is(w, "creating");
	u->status = STR("available");
	u->failures = SOME_I32(0);
	u->origin = u->origin_key = STR_NONE;
	for (size_t i = 0; i < u->nodes.n; i++) {
		struct elasticache_rec_node *n = &u->nodes.v[i];
		if (str_is(n->state, "new"))
			cache_event(w->at, w->now_ms, "cache-cluster", n->cluster,
				str_fmt(w->at.a, "Added cache node %.*s in availability zone %.*s", STR_ARG(n->number),
					STR_ARG(n->zone))
					.p);
		if (str_is(n->wanted, "rebooting"))
			cache_event(w->at, w->now_ms, "cache-cluster", n->cluster,
				str_fmt(w->at.a, "Cache node %.*s restarted", STR_ARG(n->number)).p);
		n->state = STR("up"), n->wanted = STR_NONE;
	}
	if (!first) return;
	cache_unit_event(w->at, w->now_ms, u,
		str_has(u->replication_group_id) ? "Replication group created" : "Cache cluster created");
	if (!w->real)
		cache_unit_event(w->at, w->now_ms, u,
			"Compute is simulated: virga runs without root, so no server stands behind this cache.");
}

/* What was asked for once. A replica that is to lead and is not ready yet is asked again, for a while: "promote NODE
 * TRIES". */
static status wanted(struct cache_work *w, bool *settled)
{
	struct str rest = w->u->wanted, what = str_cut(&rest, ' ');
	int64_t tries = 0;
	if (!str_has(w->u->wanted)) return OK;
	status s = OK;
	if (str_is(what, "failover")) {
		struct elasticache_rec_shard *shard = cache_shard(w->u, rest);
		cache_unit_event(w->at, w->now_ms, w->u,
			str_fmt(w->at.a, "Test failover API called for node group %.*s", STR_ARG(rest)).p);
		if (shard && w->real) s = cache_failover(w, shard);
	} else if (str_is(what, "promote")) {
		struct str name = str_cut(&rest, ' ');
		struct elasticache_rec_node *n = cache_node(w->u, name);
		struct elasticache_rec_shard *shard = n ? cache_shard(w->u, n->shard) : NULL;
		if (n && w->real) s = cache_promote(w, n);
		if (shard && !w->real) shard->primary = n->name;
		bool not_yet =
			status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY) || status_is(s, STATUS_INVALID);
		if (!is_ok(str_to_i64(rest, &tries))) tries = 0;
		if (n && not_yet && tries < PROMOTE_TRIES) {
			w->u->wanted = str_fmt(w->at.a, "promote %.*s %lld", STR_ARG(name), (long long)tries + 1);
			*settled = false;
			return OK;
		}
	}
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY) || status_is(s, STATUS_INVALID)) {
		cache_unit_event(w->at, w->now_ms, w->u, "The failover was not carried out: no replica has all data.");
		s = OK;
	}
	w->u->wanted = STR_NONE;
	return s;
}

static status keep(struct cache_work *w)
{
	struct elasticache_rec_unit *u = w->u;
	bool settled = true;
	TRY(wanted(w, &settled));
	TRY(cache_nodes_remove(w));
	if (!w->real) simulate(w);
	if (w->real) {
		TRY(primaries(w));
		TRY(nodes(w, &settled));
		if (cache_is_redis(u) && u->clustered.v) TRY(cache_cluster_form(w, &settled));
		if (cache_is_redis(u)) TRY(cache_roles(w, &settled));
	}
	announce(w);
	if (settled && (is(w, "creating") || is(w, "modifying") || is(w, "rebooting cache cluster nodes") ||
			       is(w, "create-failed")))
		became_available(w);
	if (!settled) cache_again(w, is(w, "available") ? CACHE_SOON_MS * 10 : CACHE_SOON_MS);
	if (!is(w, "available")) return OK;
	if (w->real) cache_measure(w);
	return cache_windows(w);
}

status cache_windows(struct cache_work *w)
{
	struct elasticache_rec_unit *u = w->u;
	if (u->pending) {
		if (!u->next_window.has)
			u->next_window = SOME_TIME(rds_window_next(u->preferred_maintenance_window, w->now_ms));
		if (u->next_window.ms <= w->now_ms) {
			u->next_window = (struct opt_time){0};
			TRY(cache_pending_apply(w->c, u));
			cache_again(w, 1);
			return OK;
		}
		cache_again(w, u->next_window.ms - w->now_ms);
	}
	if (!cache_is_redis(u) || u->snapshot_retention_limit.v <= 0) return OK;
	if (!u->next_snapshot.has) u->next_snapshot = SOME_TIME(rds_window_next(u->snapshot_window, w->now_ms));
	if (u->next_snapshot.ms <= w->now_ms) {
		struct elasticache_rec_snapshot s;
		struct str day = time_iso8601(w->at.a, w->now_ms, false);
		struct str name = str_fmt(w->at.a, "automatic.%.*s-%.*s-%.*s-%.*s",
			STR_ARG(str_or(u->replication_group_id, u->cache_cluster_id)), 10, day.p, 2, day.p + 11, 2,
			day.p + 14);
		u->next_snapshot = SOME_TIME(rds_window_next(u->snapshot_window, w->now_ms));
		status st = cache_snapshot_begin(w->c, u, name, STR_NONE, "automated", NULL, &s);
		if (!is_ok(st) && !status_is(st, STATUS_FAILED)) return st;
		TRY(cache_snapshots_expire(w));
	}
	cache_again(w, u->next_snapshot.ms - w->now_ms);
	return OK;
}

status cache_unit_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct elasticache_rec_task t = {0};
	struct elasticache_rec_unit u;
	struct elasticache_rec_parameter_group g;
	TRY(elasticache_rec_task_decode(a, job->payload, &t));
	struct cache_work w = {.cloud = cloud,
		.c = call_for_job(a, cloud, tx, t.account, t.region, STR("elasticache.amazonaws.com")),
		.at = {tx, a, t.account, t.region},
		.u = &u,
		.g = &g,
		.now_ms = clock_now(cloud->clock),
		.real = cache_real(cloud)};
	status s = cache_load(w.at, &cache_kind_unit, t.name, &u);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(cache_parameter_group_load(w.at, u.parameter_group, &g));
	bool deleting = is(&w, "deleting");
	/* What its nodes have on disk is there once this is open. */
	s = w.real && !deleting ? cache_crypt_open(w.c, cache_unit_folder(a, &u), u.data_key) : OK;
	if (!is_ok(s)) {
		*again_ms = w.now_ms + CACHE_LATER_MS * 10;
		return status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT) ? s : OK;
	}
	s = see(&w);
	if (is_ok(s)) s = deleting ? cache_take_down(&w) : keep(&w);
	if (!w.gone) unsee(&w);
	/* A server that has just gone, or does not answer yet: what was done counts, and the rest is tried again. */
	if (status_is(s, STATUS_IO) || status_is(s, STATUS_BUSY) || status_is(s, STATUS_INVALID)) {
		log_info("elasticache", "again", "unit=%.*s status=%s", STR_ARG(u.id), status_name(s));
		cache_again(&w, status_is(s, STATUS_INVALID) ? CACHE_LATER_MS : CACHE_SOON_MS * 3);
		s = OK;
	}
	TRY(s);
	if (!w.gone) cache_unit_put(w.at, &u);
	*again_ms = w.gone ? 0 : w.again_ms;
	return OK;
}
