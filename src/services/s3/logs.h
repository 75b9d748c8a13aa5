/* Server access logging ("Logging requests with server access logging", Amazon S3 User Guide). */
#pragma once
#include "services/s3/config.h"

/* Subscribes to answered calls and registers the job that delivers. */
void s3_logs_register(struct cloud *cloud);
