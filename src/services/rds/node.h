/* A node: one PostgreSQL server of an instance, run by the host agent as an engine (host/engines/engine.h) in the place
 * of its network interface. All nodes of an instance share the folder rds/RESOURCE ID below the data folder, each with
 * a folder of its letter in it:
 *
 *     a/data   the cluster          a/socket  where virga connects       a/error   the log files that
 * DescribeDBLogFiles shows a/postgresql.conf, a/pg_hba.conf, a/server.crt, a/server.key       written by virga before
 * each start wal      the archive of the write-ahead log, for restores to a point in time
 *
 * Snapshots are folders rds/snap-… with a data folder in them. All servers of an installation run as one user id, each
 * in mount, process and network namespaces of its own, so that a copy of files from one to another needs no change of
 * owner. All functions block; from jobs and blocking operations. *why is for events and the log. */
#pragma once
#include "services/rds/parameters.h"
#include "services/rds/pg.h"

bool rds_real(const struct cloud *cloud);
/* rds/RESOURCE ID; within that, where it is sealed (crypt.h). */
struct str rds_folder(struct arena *a, const struct rds_rec_instance *r);
/* Below the data folder, as a path of this process. */
const char *rds_path(struct cloud *cloud, struct arena *a, struct str folder, const char *rest);
struct str rds_engine_id(struct arena *a, const struct rds_rec_instance *r, struct str letter);

/* A shell script beside the servers: in `folder`, with `shared` to read. INVALID with its last words in *why. */
struct rds_script {
	struct str folder, shared, text;
	const char *const *args; /* $1, $2, …; NULL-ended; may be NULL */
};
status rds_run(struct cloud *cloud, struct arena *a, const struct rds_script *s, struct str *why) MUST_USE;
/* The cluster that new instances begin with, made once; the user id of all servers comes with it. */
status rds_template(struct cloud *cloud, struct arena *a, struct str engine, struct str *why) MUST_USE;
/* The instance's folder, and a node's. */
status rds_instance_folder(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str *why) MUST_USE;
status rds_node_folders(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter,
	struct str *why) MUST_USE;
/* Removes a folder with all that is in it. */
void rds_remove_folder(struct cloud *cloud, struct arena *a, struct str folder);

/* ── settings.c ── */
struct rds_settings {
	const struct rds_rec_instance *r;
	const struct rds_rec_parameter_group *group;
	const struct rds_rec_node *node;
	struct str
		follow; /* of a standby or replica: the folder of whose socket it follows; STR_NONE: it is a primary */
	int32_t follow_port;    /* 0: its own */
	struct str synchronous; /* of a primary: synchronous_standby_names; STR_NONE: nobody has to confirm */
	struct str restore;     /* further lines: recovery's; STR("") for none */
	bool hidden;            /* nobody may connect from outside: a standby */
	bool tls;
};
/* The group's parameters as lines. old: those that the server started with; static parameters and those that wait for a
 * restart stay as they are there. STR_NONE: it is about to start. */
struct str rds_settings_values(struct arena *a, const struct rds_settings *s, struct str old);
/* What both engines' settings are made of: the class' memory and the like, the group's own value of a parameter, and
 * the line of that name among lines (STR("") where there is none). */
struct rds_formula_of rds_settings_formula(const struct rds_rec_instance *r);
const struct rds_rec_value *rds_settings_given(const struct rds_rec_parameter_group *g, struct str name);
struct str rds_settings_line(struct arena *a, struct str lines, struct str name);
/* postgresql.conf of these values, pg_hba.conf. */
struct str rds_settings_text(struct arena *a, const struct rds_settings *s, struct str values);
struct str rds_access_text(struct arena *a, const struct rds_settings *s);
status rds_write(struct cloud *cloud, struct arena *a, struct str folder, const char *name, struct str text,
	bool secret) MUST_USE;

/* ── log_file.c ── */
struct stat;
/* A log of the server's, which writes into that folder: nothing but a plain file is followed. -1. */
int rds_log_open(int folder, const char *name, struct stat *st);
/* Bytes that are no UTF-8 as question marks, one each. */
struct str rds_log_readable(struct arena *a, struct str text);

/* ── servers ── */
/* OK: it runs (not: it serves). NOT_FOUND: its place does not stand yet. */
status rds_node_start(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r,
	const struct rds_rec_node *n, struct str *why) MUST_USE;
/* quick: killed, for one that must not go on. */
status rds_node_stop(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter, bool quick) MUST_USE;
/* "running", "restarting", "ended"; "" where there is none. */
status rds_node_state(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter,
	struct str *state) MUST_USE;
/* It ended soon after each start. */
status rds_node_failing(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter,
	bool *failing) MUST_USE;
/* A node that counts ("up") was looked at, and follows or does not. True: it is not to be counted on any more. Only the
 * second look in a row says so: a server that is being killed may still answer when what it sent its log by is gone. */
bool rds_node_missed(struct rds_rec_node *n, bool follows);
status rds_connect(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter,
	struct str database, struct pg *out, struct str *why) MUST_USE;
