/* Objects that S3 itself writes into buckets: logs, inventories. */
#pragma once
#include "services/s3/records.h"

struct s3_own {
	struct str key, bytes, content_type;
	struct str content_encoding; /* or STR_NONE */
	struct s3_rec_metadata metadata;
	struct str kms_key;     /* SSE-KMS under this key; STR_NONE: as the bucket's default says */
	bool sse_s3;            /* SSE-S3, whatever the bucket's default is */
	struct str kms_context; /* base64 of the JSON of its encryption context; or STR_NONE */
};
/* Puts an object as PutObject would: encrypted as the bucket's default says, versioned, with its notifications and
 * replication. c may be a job's own. FAILED where the bucket's KMS key cannot serve. */
status s3_own_put(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str bytes,
	struct str content_type) MUST_USE;
/* The same, with more to say of it. */
status s3_own_put_as(struct call *c, const struct s3_rec_bucket *b, const struct s3_own *o) MUST_USE;
