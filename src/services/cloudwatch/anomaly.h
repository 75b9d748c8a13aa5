/* Anomaly detection within CloudWatch. */
#pragma once
#include "services/cloudwatch/math.h"

/* A detector of this metric, where there is none: an alarm on a band makes its own. */
status cw_detector_ensure(struct call *c, const struct cloudwatch_metric_stat *s) MUST_USE;
