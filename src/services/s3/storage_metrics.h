/* Daily storage metrics of every bucket in CloudWatch ("Metrics and dimensions", Amazon S3 User Guide). */
#pragma once
#include "services/s3/records.h"

void s3_storage_metrics_register(struct cloud *cloud);
/* Schedules its job, at once: it sees whether the day was measured. */
void s3_storage_metrics_ready(struct cloud *cloud);
