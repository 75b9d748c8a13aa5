/* Server access logging ("Logging requests with server access logging", Amazon S3 User Guide). */
#pragma once
#include "services/s3/config.h"

/* Subscribes to answered calls and registers the job that delivers. */
void s3_logs_register(struct cloud *cloud);
/* Of a bucket that was loaded for this call: remembers it where its requests are logged. */
void s3_logs_note(struct call *c, const struct s3_rec_bucket *b);
