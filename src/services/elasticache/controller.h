/* What the files of the controller share. A job looks at a unit's record and at what runs, does what is next, and comes
 * again until both agree; killed anywhere, it goes on where it was. The job's transaction holds the record. */
#pragma once
#include "services/elasticache/node.h"

#define CACHE_JOB "elasticache.unit"
#define CACHE_JOB_SNAPSHOT "elasticache.snapshot"
enum { CACHE_SOON_MS = 15, CACHE_LATER_MS = 500 };

/* What is seen of a node in one run of the job; parallel to the record's nodes. */
struct cache_seen {
	bool runs, serves, zone_down;
	struct resp r;   /* while it serves, of Redis */
	struct str info; /* INFO replication */
	bool master, linked;
	int64_t offset;
};
struct cache_work {
	struct cloud *cloud;
	struct call *c;
	struct cache_place at;
	struct elasticache_rec_unit *u;
	struct elasticache_rec_parameter_group *g;
	struct cache_seen *seen;
	int64_t now_ms, again_ms;
	bool real, gone, moved; /* moved: a primary has changed: nothing starts in this run */
};
/* Again after that time at the latest. */
void cache_again(struct cache_work *w, int64_t ms);
/* The unit's job, due then; the snapshot's. */
void cache_mark(struct cache_place at, struct str unit, int64_t due_ms);
void cache_mark_snapshot(struct cache_place at, struct str name);
void cache_poke(struct call *c);
status cache_unit_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
status cache_snapshot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* ── replication.c ── who is whose replica. */
/* Reads what each serving node says of itself. */
status cache_look(struct cache_work *w) MUST_USE;
/* Brings roles about; *settled: all is as it should be. */
status cache_roles(struct cache_work *w, bool *settled) MUST_USE;
/* A shard's best replica takes over; NOT_FOUND: there is none. */
status cache_failover(struct cache_work *w, struct elasticache_rec_shard *s) MUST_USE;
/* That replica takes over in an orderly way. */
status cache_promote(struct cache_work *w, struct elasticache_rec_node *n) MUST_USE;

/* ── cluster.c ── slots and membership of cluster mode. */
status cache_cluster_form(struct cache_work *w, bool *settled) MUST_USE;

/* ── apply.c ── users and parameters into servers that run. */
status cache_apply(struct cache_work *w, size_t node) MUST_USE;

/* ── measure.c ── metrics. */
void cache_measure(struct cache_work *w);

/* ── remove.c ── */
status cache_nodes_remove(struct cache_work *w) MUST_USE;
status cache_take_down(struct cache_work *w) MUST_USE;
void cache_unit_drop(struct cache_place at, const struct elasticache_rec_unit *u);

/* ── controller.c, modify.c ── */
/* What waits for its window: pending changes, automatic snapshots. */
status cache_windows(struct cache_work *w) MUST_USE;
/* What was asked for takes effect. */
status cache_pending_apply(struct call *c, struct elasticache_rec_unit *u) MUST_USE;

/* ── snapshot_data.c ── */
/* A snapshot's part as what this node begins with. */
status cache_snapshot_lay(struct cache_work *w, const struct elasticache_rec_node *n) MUST_USE;
/* Automatic ones that are too many. */
status cache_snapshots_expire(struct cache_work *w) MUST_USE;
