/* Putting records into a stream, for other services of virga (DynamoDB's changes). Public. */
#pragma once
#include "call/call.h"

struct kinesis_put {
	struct str data, partition_key;
	struct str explicit_hash_key; /* STR_NONE: the MD5 of the partition key */
	/* Filled. */
	bool done, throttled; /* neither: see why */
	int64_t shard;
	struct str shard_id, sequence;
	struct str why; /* a sentence, where it is neither done nor throttled */
};
/* Within tx, whose commit makes them readable, in their order: records behind one that was throttled may be done, but
 * not in its shard. NOT_FOUND: there is no such stream. */
status kinesis_put_in(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct str stream_arn,
	struct kinesis_put *v, size_t n, int64_t now_ms) MUST_USE;
/* Is there such a stream? Validated at commit. */
status kinesis_stream_exists(struct store_tx *tx, struct arena *a, struct str stream_arn, bool *there) MUST_USE;
