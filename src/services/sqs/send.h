/* The door by which other services put messages into queues (S3's notifications, SNS's fan-out, …). */
#pragma once
#include "call/call.h"

struct sqs_delivery_attribute {
	struct str name, type, text, bytes; /* bytes: of Binary ones, else STR_NONE */
};
struct sqs_delivery {
	struct str queue_arn;
	struct str body;
	struct str service;        /* who sends: s3.amazonaws.com */
	struct str source_arn;     /* aws:SourceArn of the queue's policy: the bucket, the topic, … */
	struct str source_account; /* aws:SourceAccount */
	/* The service sends by a role of source_account (a service-linked one, or one that it was given): a queue of that
	 * account needs no policy for it. */
	bool by_role;
	/* Message attributes; and, for FIFO queues (standard ones take the group alone), STR_NONE elsewhere. */
	const struct sqs_delivery_attribute *attributes;
	size_t n_attributes;
	struct str group, dedup;
};
/* What a queue holds, for its metrics. oldest_ms: when the oldest was sent; 0: none. NOT_FOUND. */
struct sqs_counts {
	uint64_t visible, in_flight, delayed;
	int64_t oldest_ms;
};
status sqs_count(struct cloud *cloud, struct arena *a, struct str queue_arn, struct sqs_counts *out) MUST_USE;
/* OK: the queue takes it. NOT_FOUND: there is no such queue. LIMIT: it is a FIFO queue, which takes no messages
 * without a group and a deduplication id, or the message is too large for it. INVALID:
 * where policies are enforced, its policy does not let the service send. body is not looked at. */
status sqs_delivery_check(struct cloud *cloud, struct arena *a, const struct sqs_delivery *d) MUST_USE;
/* Checks, and puts the message into the queue in a transaction of its own: when this returns OK, receivers see it; it is durable
 * when what is committed afterwards is. Blocks for the queue's lock. */
status sqs_deliver(struct cloud *cloud, struct arena *a, const struct sqs_delivery *d) MUST_USE;
