/* Amazon CloudWatch: what it does, operation by operation. Anomaly detectors, insight rules, metric streams, mute rules
 * and OpenTelemetry have no rows. */
#include "services/cloudwatch/room.h"

static const struct service_op operations[CLOUDWATCH_OP_COUNT] = {
	[CLOUDWATCH_OP_GET_METRIC_STATISTICS] = OP(cloudwatch_get_metric_statistics, OP_READ | OP_BLOCKING),
	[CLOUDWATCH_OP_LIST_METRICS] = OP(cloudwatch_list_metrics, OP_READ | OP_BLOCKING),
	[CLOUDWATCH_OP_PUT_METRIC_DATA] = OP(cloudwatch_put_metric_data, 0),
};

static status start(struct cloud *cloud, void **state)
{
	cw_fold_start(cloud);
	*state = NULL;
	return OK;
}

static void ready(struct cloud *cloud, void *state)
{
	(void)state;
	cw_fold_ready(cloud);
}

extern const struct service service_cloudwatch;
const struct service service_cloudwatch = {
	.model = &wire_service_cloudwatch, .ops = operations, .start = start, .ready = ready};
