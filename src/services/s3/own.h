/* Objects that S3 itself writes into buckets: logs, inventories. */
#pragma once
#include "services/s3/records.h"

/* Puts an object as PutObject would: encrypted as the bucket's default says, versioned, with its notifications and
 * replication. c may be a job's own. FAILED where the bucket's KMS key cannot serve. */
status s3_own_put(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str bytes,
	struct str content_type) MUST_USE;
