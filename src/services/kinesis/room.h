/* Inside the room of Kinesis Data Streams. "The guide" in these files is the Amazon Kinesis Data Streams Developer
 * Guide, "the reference" its API Reference. Keys:
 *
 *     (kinesis, stream, account, region, name)          record stream
 *     (kinesis, shard, stream id, shard number)         record shard, open or closed
 *     (kinesis, open, stream id, last hash key)         8 bytes: the open shard whose range ends there
 *     (kinesis, head, stream id, shard number)          record head
 *     (kinesis, entry, stream id, shard number, counter)  record entry: what was put, counted from 1 without gaps
 *     (kinesis, consumer, stream id, name)              record consumer
 *
 * Who writes to a shard reads and writes its head and reads its record and its stream's, all validated: so counters
 * have the order of commits, a reader can never pass one that is still to come, and nothing is put into a shard that
 * was closed. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "kinesis.h"
#include "kinesis_state.h"
#include "services/kinesis/number.h"
#include "services/kms/blob.h"
#include "services/kms/envelope.h"
#include "store/key.h"
#include <pthread.h>

#define KINESIS_FAIL(c, NAME, ...) call_fail((c), KINESIS_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
/* "Quotas and limits", the guide. */
enum {
	KINESIS_SHARDS_MAX = 20000, /* of an account in the largest regions */
	KINESIS_SHARDS_MAX_ELSEWHERE = 6000,
	KINESIS_ON_DEMAND_MAX = 50,
	KINESIS_ON_DEMAND_SHARDS = 4,
	KINESIS_CONSUMERS_MAX = 20,
	KINESIS_TAGS_MAX = 50,
	KINESIS_RETENTION_MIN = 24,
	KINESIS_RETENTION_MAX = 8760,
	KINESIS_RECORD_KIB = 1024,
	KINESIS_REQUEST_BYTES_MAX = 10 << 20,
	KINESIS_WRITE_BYTES = 1 << 20, /* a second, of one shard */
	KINESIS_WRITE_RECORDS = 1000,
	KINESIS_READ_BYTES = 2 << 20,
	KINESIS_READS = 5,
	KINESIS_READ_RECORDS_MAX = 10000,
	KINESIS_READ_BYTES_MAX = 10 << 20,
};
#define KINESIS_DAY_MS (24ll * 3600 * 1000)
#define KINESIS_ITERATOR_MS (5 * 60 * 1000ll)
#define KINESIS_TOKEN_MS (5 * 60 * 1000ll)

struct kinesis_read_bucket;
struct kinesis_subscription;
struct kinesis {
	struct cloud *cloud;
	pthread_mutex_t lock; /* guards the rest */
	struct kinesis_read_bucket *reads;
	struct kinesis_subscription *subscriptions;
	uint64_t tick; /* a timer's, while there are subscriptions */
	bool stopping;
};

/* ── records.c ── */
struct str kinesis_stream_prefix(struct arena *a, struct str account, struct str region);
struct str kinesis_arn(struct arena *a, const struct kinesis_rec_stream *s);
/* NOT_FOUND. */
status kinesis_stream_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct kinesis_rec_stream *out) MUST_USE;
void kinesis_stream_put(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s);
void kinesis_stream_drop(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s);
/* arn:…:kinesis:REGION:ACCOUNT:stream/NAME[/consumer/CONSUMER:SECONDS]; consumer STR_NONE without. False: it is none.
 */
struct kinesis_arn {
	struct str region, account, stream, consumer, seconds;
};
bool kinesis_arn_read(struct str arn, struct kinesis_arn *out);
/* The stream that a request names in one of two ways. FAILED: ResourceNotFoundException, InvalidArgumentException. */
status kinesis_find(struct call *c, struct str name, struct str arn, struct kinesis_rec_stream *out) MUST_USE;
/* (kinesis, KIND, stream id), and one of a shard. */
struct str kinesis_prefix(struct arena *a, const char *kind, uint64_t stream);
struct str kinesis_shard_key(struct arena *a, const char *kind, uint64_t stream, uint64_t shard);
struct str kinesis_entry_key(struct arena *a, uint64_t stream, uint64_t shard, uint64_t counter);

/* Did it happen so often within 24 hours? If not, it does now. */
bool kinesis_often(struct call *c, struct kinesis_rec_times *times, size_t most);

/* ── shard.c ── */
struct kinesis_shards {
	struct kinesis_rec_shard *v;
	size_t n;
};
struct str kinesis_shard_id(struct arena *a, int64_t number);
/* NOT_FOUND. */
status kinesis_shard_get(
	struct store_tx *tx, struct arena *a, uint64_t stream, uint64_t number, struct kinesis_rec_shard *out) MUST_USE;
/* By its id; ResourceNotFoundException. */
status kinesis_shard_find(
	struct call *c, const struct kinesis_rec_stream *s, struct str id, struct kinesis_rec_shard *out) MUST_USE;
/* The open shard of a hash key. */
status kinesis_shard_of(struct store_tx *tx, struct arena *a, uint64_t stream, kinesis_u128 hash,
	struct kinesis_rec_shard *out) MUST_USE;
/* All that are kept, in order of number. */
status kinesis_shards_of(struct store_tx *tx, struct arena *a, uint64_t stream, struct kinesis_shards *out) MUST_USE;
/* Open ones only, in order of their hash keys. */
status kinesis_open_shards(struct store_tx *tx, struct arena *a, uint64_t stream, struct kinesis_shards *out) MUST_USE;
/* These change s, which the caller stores, and need what they are given to be right. parent, adjacent: -1 for none. */
void kinesis_shard_open(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s, int64_t parent,
	int64_t adjacent, kinesis_u128 from, kinesis_u128 to, int64_t now_ms);
status kinesis_shard_split(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s,
	struct kinesis_rec_shard *shard, kinesis_u128 at, int64_t now_ms) MUST_USE;
status kinesis_shard_merge(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s,
	struct kinesis_rec_shard *one, struct kinesis_rec_shard *two, int64_t now_ms) MUST_USE;
void kinesis_shards_even(struct store_tx *tx, struct arena *a, struct kinesis_rec_stream *s, int n, int64_t now_ms);
/* The shard as clients see it. */
void kinesis_shard_out(struct arena *a, const struct kinesis_rec_shard *r, struct kinesis_shard *out);
status kinesis_head_get(
	struct store_tx *tx, struct arena *a, uint64_t stream, uint64_t shard, struct kinesis_rec_head *out) MUST_USE;
/* LimitExceededException where the account would have more than it may. */
status kinesis_limit_shards(struct call *c, int more) MUST_USE;
struct kinesis_usage {
	int64_t shards; /* open ones of provisioned streams */
	int32_t on_demand;
};
status kinesis_usage(struct call *c, struct kinesis_usage *out) MUST_USE;
int kinesis_shards_max(struct str region);

/* ── entries: where in a shard ── */
/* The counter of the first entry that came at or after this time, or the one behind the last. */
status kinesis_entry_at(struct store_tx *tx, struct arena *a, uint64_t stream, uint64_t shard, uint64_t last,
	int64_t from_ms, uint64_t *out) MUST_USE;
/* Of a closed shard its own, of an open one its head's. */
status kinesis_last(struct store_tx *tx, struct arena *a, uint64_t stream, const struct kinesis_rec_shard *shard,
	uint64_t *out) MUST_USE;
static inline int64_t kinesis_horizon(const struct kinesis_rec_stream *s, int64_t now_ms)
{
	return now_ms - s->retention_hours.v * 3600ll * 1000;
}

/* ── get.c ── */
struct kinesis_place {
	struct str account, region, stream;
	uint64_t id, shard, next;
	int64_t made_ms;
};
/* False where the text is no iterator. */
bool kinesis_iterator_read(struct arena *a, struct str text, struct kinesis_place *out);
/* Where reading begins. type: of the iterator, or starting position. */
struct kinesis_start {
	struct str type, sequence, shard_id;
	struct opt_time at;
};
status kinesis_start_at(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_rec_shard *r,
	const struct kinesis_start *start, uint64_t *next) MUST_USE;
/* From p->next on, which moves; last: the shard's. *bytes: of data and keys. FAILED: KMS refuses. */
status kinesis_read_entries(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_rec_shard *r,
	struct kinesis_place *p, uint64_t last, size_t limit, size_t *bytes, struct kinesis_record_list *out) MUST_USE;
/* How old what comes next is, after these records were read. */
status kinesis_behind(struct call *c, const struct kinesis_place *p, uint64_t last, const struct kinesis_record_list *read,
	int64_t *ms) MUST_USE;
status kinesis_children_of(struct call *c, const struct kinesis_place *p, struct kinesis_child_shard_list *out) MUST_USE;

/* ── subscribe.c ── */
void kinesis_subscriptions_wake(struct kinesis *k, uint64_t stream);
/* All of them, and no more begin. */
void kinesis_subscriptions_end(struct kinesis *k);

/* ── meter.c ── */
/* May a shard be read now? Counts the read. */
bool kinesis_read_admit(struct kinesis *k, uint64_t stream, uint64_t shard, int64_t now_ms);
void kinesis_read_charge(struct kinesis *k, uint64_t stream, uint64_t shard, size_t bytes);
void kinesis_reads_free(struct kinesis *k);
void kinesis_reads_forget(struct kinesis *k, uint64_t stream);
/* CloudWatch's AWS/Kinesis metrics of a stream, and of its shard where enhanced monitoring is on. shard -1: of none. */
struct kinesis_count {
	const char *name, *unit;
	double value;
	int64_t shard;
};
status kinesis_meter(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s,
	const struct kinesis_count *v, size_t n, int64_t now_ms) MUST_USE;
/* The same in a transaction of its own, for calls that read or fail. What cannot be put is left out. */
void kinesis_meter_apart(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_count *v, size_t n);

/* ── encryption.c ── */
status kinesis_seal(const struct kms_use *u, const struct kinesis_rec_stream *s, struct str plain, struct str *out,
	struct kms_refusal *why) MUST_USE;
status kinesis_open(const struct kms_use *u, const struct kinesis_rec_stream *s, struct str sealed, struct str *out,
	struct kms_refusal *why) MUST_USE;
/* The client's error of a refusal; what is not FAILED passes. */
status kinesis_kms_failed(struct call *c, status s, const struct kms_refusal *why);

/* ── consumer.c ── */
struct str kinesis_consumer_arn(
	struct arena *a, const struct kinesis_rec_stream *s, const struct kinesis_rec_consumer *r);
/* By an ARN of a consumer that was read; NOT_FOUND. */
status kinesis_consumer_get(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s,
	const struct kinesis_arn *arn, struct kinesis_rec_consumer *out) MUST_USE;
/* By its stream's ARN and its name, or by its own: InvalidArgumentException, ResourceNotFoundException. */
status kinesis_consumer_find(struct call *c, struct str stream_arn, struct str name, struct str arn,
	struct kinesis_rec_stream *s, struct kinesis_rec_consumer *r) MUST_USE;
/* NOT_FOUND. */
status kinesis_consumer_named(struct store_tx *tx, struct arena *a, uint64_t stream, struct str name,
	struct kinesis_rec_consumer *out) MUST_USE;
void kinesis_consumer_put(
	struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s, const struct kinesis_rec_consumer *r);
status kinesis_consumer_count(struct store_tx *tx, struct arena *a, uint64_t stream, int32_t *n) MUST_USE;

/* ── tags.c ── */
status kinesis_tags_set(struct call *c, struct kinesis_rec_pairs *tags, const struct kinesis_tag_map *given) MUST_USE;
/* What a request names by ResourceARN: a stream, or a consumer of it. */
struct kinesis_resource {
	struct kinesis_rec_stream stream;
	struct kinesis_rec_consumer consumer;
	bool is_consumer;
};
status kinesis_resource_find(struct call *c, struct str arn, struct kinesis_resource *out) MUST_USE;
void kinesis_resource_put(struct call *c, const struct kinesis_resource *r);

/* ── trim.c ── */
void kinesis_trim_begin(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s, int64_t due_ms);
void kinesis_trim_start(struct kinesis *k);

/* ── permit.c ── */
status kinesis_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context) MUST_USE;
