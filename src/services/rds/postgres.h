/* PostgreSQL's own of what driver.h asks of an engine. */
#pragma once
#include "services/rds/controller.h"
#include "services/rds/measure.h"

status rds_pg_template(struct cloud *cloud, struct arena *a, struct str *why) MUST_USE;
status rds_pg_node_make(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why) MUST_USE;
status rds_pg_node_settings(struct rds_work *w, struct rds_rec_node *n, bool starting) MUST_USE;
status rds_pg_standby(struct rds_work *w, bool *moved) MUST_USE;
status rds_pg_failover(struct rds_work *w) MUST_USE;
bool rds_pg_standby_runs(struct rds_work *w);
status rds_pg_source_archive(struct rds_work *w, bool *done) MUST_USE;
status rds_pg_promote(struct rds_work *w, bool *done) MUST_USE;
status rds_pg_snapshot_take(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str folder,
	struct str *why) MUST_USE;
/* The server's own version is the truth. */
status rds_read_version(struct rds_work *w, struct pg *p) MUST_USE;
status rds_pg_measure(struct rds_points *p, void *session) MUST_USE;
