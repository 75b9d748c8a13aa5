/* Events as they lie in the store: what one PutLogEvents brought to a stream is a chunk, compressed by LZ4 and never
 * changed.
 *
 *     ("logs", "head", stream, earliest, number)      when its events are of, how many, when they came
 *     ("logs", "data", stream, earliest, number)      the events
 *     ("logs", "made", stream, earliest, number)      what a transformer made of them, where there was one
 *
 * stream: its id, random, so that a stream that was deleted and made again finds nothing of the old one. number: the
 * time of ingestion, and a count. Events are ordered by their time, then number, then place in the chunk: that is a
 * position. */
#pragma once
#include "services/kms/envelope.h"
#include "services/logs/room.h"

struct logs_position {
	int64_t at;
	uint64_t number;
	uint32_t place;
	uint64_t stream; /* the last to compare: in several streams at once */
};
int logs_position_cmp(const struct logs_position *x, const struct logs_position *y);
/* As clients see it: 56 digits (events.c). */
struct str logs_event_id(struct arena *a, const struct logs_position *p);
struct logs_event {
	struct logs_position position;
	int64_t ingested;
	struct str stream, message;
};
struct logs_events {
	struct logs_event *v;
	size_t n, capacity;
};

/* Whose events they are, for those of a group under a KMS key: each chunk is sealed under a data key of its own, with
 * the encryption context aws:logs:arn = the group's ARN ("Encrypt log data in CloudWatch Logs using AWS KMS"). A chunk
 * tells by itself whether it is sealed: a group may get its key late, get another, or lose it. */
struct logs_owner {
	struct cloud *cloud;
	const struct logs_rec_group *group;
	int64_t now_ms;
	struct kms_refusal why; /* filled with FAILED */
};
/* Events in order of time, not none. FAILED: the group's key does not serve. */
status logs_chunk_put(struct store_tx *tx, struct arena *a, struct logs_owner *owner, uint64_t stream, uint64_t number,
	const struct logs_input_log_event *v, size_t n) MUST_USE;
/* The same events as a transformer made them: as many, in the same order. */
status logs_chunk_put_made(struct store_tx *tx, struct arena *a, struct logs_owner *owner, uint64_t stream,
	uint64_t number, const struct logs_input_log_event *v, size_t n) MUST_USE;

struct logs_scan {
	struct store_tx *tx;
	struct arena *a;
	struct logs_owner *owner;
	const struct logs_streams *streams;
	int64_t from, to; /* from <= time < to */
	bool backwards;
	bool made;                         /* what a transformer made, where there is such */
	const struct logs_position *after; /* only events behind it (before it, backwards); NULL: all */
	size_t limit, bytes;               /* stop at so many events, or so many bytes of messages */
	/* NULL: all pass. literal: what every event that passes holds; STR_NONE where there is no such text. */
	bool (*passes)(void *ctx, struct arena *scratch, int64_t at, struct str message);
	void *ctx;
	struct str literal;
	/* results */
	struct logs_events out; /* in the order of the scan */
	bool more;              /* it stopped before the end */
	uint64_t scanned, scanned_bytes;
};
/* FAILED: what is sealed cannot be read: owner->why. */
status logs_scan(struct logs_scan *s) MUST_USE;
/* For handlers: FAILED as the client's error; what is not FAILED passes. */
status logs_sealed_failed(struct call *c, status s, const struct logs_owner *owner);

/* What heads tell of a stream. n 0: nothing. */
struct logs_extent {
	uint64_t n, bytes;
	int64_t first, last, ingested;
};
/* whole: also n and bytes, which reads all heads. */
status logs_extent(struct store_tx *tx, struct arena *a, uint64_t stream, bool whole, struct logs_extent *out) MUST_USE;
/* Deletes chunks whose events are all before that time (INT64_MAX: all), at most so many; *n: how many. */
status logs_chunks_drop(
	struct store_tx *tx, struct arena *a, uint64_t stream, int64_t before, size_t most, size_t *n) MUST_USE;
