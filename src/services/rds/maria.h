/* MariaDB behind RDS: what its files share. An instance's folder holds
 *
 *     data     the data, one volume for all nodes      binlog   the binary logs, for restores to a moment and replicas
 *     relay    a replica's logs of its source
 *     a/my.cnf, a/server.crt, a/server.key             a/socket  where virga connects     a/error  the logs
 *
 * A Multi-AZ instance has one server at a time: see maria_standby.c. */
#pragma once
#include "services/rds/driver.h"
#include "services/rds/measure.h"
#include "services/rds/my.h"

enum { RDS_MARIA_STATEMENT_MS = 20000, RDS_RELAY_PORT = 388 };

/* A script's lines: a copy of a running server's data, whose socket is there and whose folder is shared, into data/,
 * made ready to start from; with where in the binary log it ends (data/xtrabackup_binlog_info, and for virga position).
 * mariadb-backup looks for the data where the server says that it has them: a link leads from there. */
#define RDS_MARIA_BACKUP(socket)                                                                                       \
	"rm -rf data fresh\nln -s /srv/shared/data data\n"                                                             \
	"mariadb-backup --no-defaults --target-dir=/srv/engine/fresh --backup --user=engine --socket=" socket          \
	"/mysqld.sock >backup.log 2>&1 || { tail -n 3 backup.log; exit 1; }\n"                                         \
	"rm data\nmv fresh data\n"                                                                                     \
	"mariadb-backup --no-defaults --target-dir=/srv/engine/data --prepare --use-memory=32M >backup.log 2>&1 || "   \
	"{ tail -n 3 backup.log; exit 1; }\n"                                                                          \
	"if [ -e data/xtrabackup_binlog_info ]; then cp data/xtrabackup_binlog_info position; chmod 644 position; "    \
	"fi\n"

/* A session as root with the server of that node. */
status rds_maria_connect(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter,
	struct pg *out, struct str *why) MUST_USE;

/* ── maria_settings.c ── */
/* The group's parameters as lines of an option file; old: as for rds_settings_values. */
struct str rds_maria_values(
	struct arena *a, const struct rds_rec_instance *r, const struct rds_rec_parameter_group *g, struct str old);
struct str rds_maria_text(
	struct arena *a, const struct rds_rec_instance *r, const struct rds_rec_node *n, bool tls, struct str values);
/* What a server that runs has to be told so that it does as the new lines say: SET GLOBAL …, one a statement. */
struct rds_rec_strings rds_maria_changes(struct arena *a, struct str old, struct str values);

/* ── maria_make.c ── */
status rds_maria_template(struct cloud *cloud, struct arena *a, struct str *why) MUST_USE;
status rds_maria_node_make(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why) MUST_USE;
status rds_maria_node_settings(struct rds_work *w, struct rds_rec_node *n, bool starting) MUST_USE;
status rds_maria_furnish(struct rds_work *w, struct pg *p, struct str *why) MUST_USE;
/* Tells the server of what has changed. */
status rds_maria_reload(struct rds_work *w, struct rds_rec_node *n, struct pg *p) MUST_USE;

/* ── maria_standby.c ── */
status rds_maria_standby(struct rds_work *w, bool *moved) MUST_USE;
status rds_maria_failover(struct rds_work *w) MUST_USE;
bool rds_maria_standby_runs(struct rds_work *w);

/* ── maria_log.c ── */
status rds_maria_snapshot_take(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r,
	struct str folder, struct str *why) MUST_USE;
status rds_maria_source_archive(struct rds_work *w, bool *done) MUST_USE;
/* What has come to the source's log since the snapshot, until the moment asked for. */
status rds_maria_replay(struct rds_work *w, struct rds_rec_node *n, struct str *why) MUST_USE;
status rds_maria_prune(struct rds_work *w, struct str oldest, struct str *why) MUST_USE;

/* ── maria_replica.c ── */
/* The way from a replica's place to its source's socket. */
void rds_maria_relay(struct rds_work *w, const struct rds_rec_node *n);
/* The replica begins to follow. */
status rds_maria_follow(struct rds_work *w, struct rds_rec_node *n, struct pg *p, struct str *why) MUST_USE;
status rds_maria_promote(struct rds_work *w, bool *done) MUST_USE;

/* ── maria_measure.c ── */
status rds_maria_measure(struct rds_points *p, void *session) MUST_USE;
