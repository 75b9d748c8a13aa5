/* Metrics of one look at an instance; measure.c. */
#pragma once
#include "services/cloudwatch/metrics.h"
#include "services/rds/controller.h"

enum { RDS_METRICS_MAX = 16 };
struct rds_points {
	struct rds_work *w;
	struct metric_point v[RDS_METRICS_MAX];
	struct metric_dimension dimension;
	size_t n;
};
void rds_point(struct rds_points *p, const char *name, const char *unit, double value);
/* When they are due: what the machine tells of the server, and what `server` adds, which asks it through its session.
 */
status rds_measure(struct rds_work *w, status (*server)(struct rds_points *p, void *session), void *session) MUST_USE;
