/* What differs between engines: one table of functions for each, and the functions of the same names that the
 * controller calls, which look the instance's engine up. PostgreSQL's are in the files that bear the functions' names
 * (node_make.c, standby.c, …), MariaDB's in maria_*.c. What a function has to do is told where the controller's is
 * declared (controller.h, node.h). */
#pragma once
#include "services/rds/controller.h"

struct compute_rec_engine;
struct rds_driver {
	const char *engine;
	/* Its log begins or ends with a restart only: "an outage occurs" where backups are turned on or off. */
	bool restarts_for_log;
	/* What new instances begin with; what makes a node of it, and writes its settings. */
	status (*template)(struct cloud *cloud, struct arena *a, struct str *why);
	status (*node_make)(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why);
	/* A session with its server can be had. BUSY: not yet. */
	status (*knock)(struct rds_work *w, const struct rds_rec_node *n, struct str *why);
	status (*node_settings)(struct rds_work *w, struct rds_rec_node *n, bool starting);
	/* What is run: program and arguments, signals, what it sees beside its folder. */
	void (*command)(struct arena *a, const struct rds_rec_instance *r, const struct rds_rec_node *n,
		struct compute_rec_engine *e);
	/* A new instance's server serves: *done: it has all that it shall have. Otherwise the controller comes again.
	 */
	status (*begin)(struct rds_work *w, struct rds_rec_node *n, bool *done, struct str *why);
	/* An available instance's server: passwords and settings that changed, metrics. BUSY: it does not answer. */
	status (*tend)(struct rds_work *w, struct rds_rec_node *n, struct str *why);
	status (*standby)(struct rds_work *w, bool *moved);
	status (*failover)(struct rds_work *w);
	bool (*standby_runs)(struct rds_work *w);
	status (*source_archive)(struct rds_work *w, bool *done);
	status (*promote)(struct rds_work *w, bool *done);
	status (*snapshot_take)(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r,
		struct str folder, struct str *why);
	/* The log from before that snapshot is of no use any more. */
	status (*prune)(struct rds_work *w, struct str oldest, struct str *why);
	/* A session whose end is the server's: its descriptor, yours to close. BUSY: it does not serve. */
	status (*watch)(struct arena *a, const char *folder, uint16_t port, int *fd);
	/* What the server keeps of a password. */
	struct str (*verifier)(struct arena *a, struct str password);
};
extern const struct rds_driver rds_driver_postgres, rds_driver_mariadb;
const struct rds_driver *rds_driver_of(struct str engine);
