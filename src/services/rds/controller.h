/* What the files of the controller share. A job looks at an instance's record and at what runs, does what is next, and
 * comes again until both agree; killed anywhere, it goes on where it was: scripts leave a mark when they are done,
 * statements ask before they make. The job's transaction holds the record. */
#pragma once
#include "services/rds/node.h"
#include "services/rds/watch.h"

enum { RDS_SOON_MS = 20, RDS_LATER_MS = 500 };
struct rds_work {
	struct cloud *cloud;
	struct call *c;
	struct rds_place at;
	struct rds_rec_instance *r;
	int64_t now_ms, again_ms;
	bool real, gone; /* gone: the record is dropped */
};
/* Again after that time at the latest. */
void rds_again(struct rds_work *w, int64_t ms);
/* No more is listened or watched for on behalf of an instance. */
void rds_unattend(struct rds_work *w);

/* ── node_make.c ── from nothing to a server that serves; *ready: it does. FAILED: it never will (*why). */
bool rds_is_fresh(const struct rds_rec_instance *r);
status rds_node_make(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why) MUST_USE;
/* The end of that, the same for all engines: its server starts, and is ready when a session with it can be had. */
status rds_node_wait(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why) MUST_USE;
/* Of one that runs: without starting it. One that has ended a moment ago may be another's to replace. */
status rds_node_knock(struct rds_work *w, const struct rds_rec_node *n, bool *ready) MUST_USE;
/* Its interface goes, and its server and data where they are not kept. */
status rds_node_drop(struct rds_work *w, size_t index, bool keep_data) MUST_USE;
void rds_note_epoch(struct rds_work *w);
/* A standby leads, as the record says already: BUSY while it has not read all that there is. */
status rds_node_promote(struct rds_work *w, struct rds_rec_node *n) MUST_USE;
/* Files for the next start; and for a server that runs, which is told of changes (*changed). */
status rds_node_settings(struct rds_work *w, struct rds_rec_node *n, bool starting) MUST_USE;
status rds_node_reload(struct rds_work *w, struct rds_rec_node *n, struct pg *p) MUST_USE;
/* Roles, databases, the master's password. */
status rds_node_furnish(struct rds_work *w, struct pg *p, struct str *why) MUST_USE;

/* ── driver.h ── a new instance's server serves; and one of an available instance is looked after. */
status rds_node_begin(struct rds_work *w, struct rds_rec_node *n, bool *done, struct str *why) MUST_USE;
status rds_node_tend(struct rds_work *w, struct rds_rec_node *n, struct str *why) MUST_USE;
struct rds_sealed;
status rds_prune(struct rds_work *w, const struct rds_sealed *oldest, struct str *why) MUST_USE;

/* ── spare.c ── */
/* One of them becomes the node's folder, which is not there yet, with its data. False: there is none. */
bool rds_spare_take(struct cloud *cloud, struct arena *a, struct str folder, struct str letter);

/* ── cluster_settings.c ── of a cluster's node: what its class, its groups and its place in the cluster make of it. */
status rds_cluster_settings(struct rds_work *w, const struct rds_rec_node *n, struct rds_settings *s,
	struct rds_rec_parameter_group *g) MUST_USE;

/* ── tls.c ── a server's certificate and key beside its settings, where they are not there yet. */
status rds_node_certificate(struct rds_work *w, const struct rds_rec_node *n) MUST_USE;
status rds_certificate_write(
	struct cloud *cloud, struct arena *a, struct str folder, const struct str *names, size_t n_names) MUST_USE;

/* ── log_export.c ── what the server has written since the last look, to CloudWatch Logs. */
void rds_log_export(struct rds_work *w);

/* ── replica.c ── */
/* Before a restore to a moment begins: the source's log is archived up to now. *done. */
status rds_source_archive(struct rds_work *w, bool *done) MUST_USE;
/* A replica becomes an instance of its own; *done: it has. */
status rds_promote(struct rds_work *w, bool *done) MUST_USE;
/* The source forgets a replica. */
status rds_source_forget(struct rds_work *w) MUST_USE;
/* Replicas of an instance that goes are promoted; *free: nobody uses its folder any more. */
status rds_replicas_free(struct rds_work *w, bool *free) MUST_USE;

/* ── standby.c ── */
/* Looks after a Multi-AZ instance's standby; *moved: the standby has taken over. */
status rds_standby(struct rds_work *w, bool *moved) MUST_USE;
/* A fresh instance's standby, beside its primary. */
status rds_standby_beside(struct rds_work *w) MUST_USE;
/* The standby takes over, whatever the primary does. NOT_FOUND: there is none that may. */
status rds_failover(struct rds_work *w) MUST_USE;
bool rds_standby_ready(const struct rds_rec_instance *r);
/* An available instance has a standby that may take over now: it is "up", its server runs, its zone works. */
bool rds_standby_runs(struct rds_work *w);
/* What a primary of PostgreSQL says of a node that follows it: whether it streams, whether commits wait for it (in the
 * state of that name), whether it has all up to its mark; and how far the primary itself is. */
struct rds_sight {
	bool streams, waits, has_mark;
	struct str now;
};
status rds_look(struct rds_work *w, struct pg *p, const struct rds_rec_node *n, const char *waiting,
	struct rds_sight *out) MUST_USE;

/* ── secret.c ── the master user's secret in Secrets Manager. */
status rds_secret_make(struct rds_work *w) MUST_USE;
status rds_secret_rotate(struct rds_work *w) MUST_USE;
void rds_secret_drop(struct rds_work *w);

/* ── snapshot_take.c ── */
/* The instance's data into a folder that is not there yet. */
status rds_snapshot_take(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str folder,
	struct str *why) MUST_USE;
status rds_snapshot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
/* The daily snapshot when it is due, and those past their time. */
status rds_backups(struct rds_work *w) MUST_USE;
status rds_folder_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
