/* Metrics of one look at an instance; measure.c. */
#pragma once
#include "services/cloudwatch/metrics.h"
#include "services/rds/controller.h"

enum { RDS_METRICS_MAX = 48, RDS_SETS_MAX = 3 };
struct rds_points {
	struct rds_work *w;
	struct rds_rec_instance *of; /* whose: of a cluster, a member's record */
	struct str letter;           /* of its node */
	/* What each is told by: of a member also the cluster, and its role there. */
	struct metric_dimension dimensions[RDS_SETS_MAX][2];
	size_t n_dimensions[RDS_SETS_MAX], n_sets;
	struct metric_point v[RDS_METRICS_MAX];
	size_t n;
};
void rds_point(struct rds_points *p, const char *name, const char *unit, double value);
/* When they are due: what the machine tells of the server, and what `server` adds, which asks it through its session.
 */
status rds_measure(struct rds_work *w, status (*server)(struct rds_points *p, void *session), void *session) MUST_USE;
