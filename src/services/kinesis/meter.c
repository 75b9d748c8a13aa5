/* What is counted: reads of a shard, in memory (five and 2 MB a second, "Quotas and limits", the guide: a restart
 * forgives them), and CloudWatch's metrics of the namespace AWS/Kinesis ("Monitor … with Amazon CloudWatch"). */
#include "services/cloudwatch/metrics.h"
#include "services/kinesis/room.h"
#include <stdlib.h>

/* Virtual time fills them. */
struct kinesis_read_bucket {
	uint64_t stream, shard;
	double reads, bytes;
	int64_t at_ms;
	struct kinesis_read_bucket *next;
};
enum { FORGOTTEN_AFTER_MS = 60 * 1000 };

/* Under the lock. Those that are full again since long go meanwhile. */
static struct kinesis_read_bucket *bucket(struct kinesis *k, uint64_t stream, uint64_t shard, int64_t now_ms)
{
	struct kinesis_read_bucket *found = NULL;
	for (struct kinesis_read_bucket **at = &k->reads; *at;) {
		struct kinesis_read_bucket *b = *at;
		if (b->stream == stream && b->shard == shard) {
			found = b;
		} else if (b->at_ms < now_ms - FORGOTTEN_AFTER_MS) {
			*at = b->next;
			free(b);
			continue;
		}
		at = &b->next;
	}
	if (!found) {
		found = mem_new(sizeof(*found));
		*found = (struct kinesis_read_bucket){
			stream, shard, KINESIS_READS, KINESIS_READ_BYTES, now_ms, k->reads};
		k->reads = found;
	}
	double s = now_ms > found->at_ms ? (double)(now_ms - found->at_ms) / 1000.0 : 0;
	found->reads += s * KINESIS_READS;
	found->bytes += s * KINESIS_READ_BYTES;
	if (found->reads > KINESIS_READS) found->reads = KINESIS_READS;
	if (found->bytes > KINESIS_READ_BYTES) found->bytes = KINESIS_READ_BYTES;
	found->at_ms = now_ms;
	return found;
}

/* "If a call to GetRecords returns 10 MB, subsequent calls made within the next 5 seconds throw": bytes may be
 * overdrawn. */
bool kinesis_read_admit(struct kinesis *k, uint64_t stream, uint64_t shard, int64_t now_ms)
{
	pthread_mutex_lock(&k->lock);
	struct kinesis_read_bucket *b = bucket(k, stream, shard, now_ms);
	bool may = b->reads >= 1 && b->bytes > 0;
	if (may) b->reads -= 1;
	pthread_mutex_unlock(&k->lock);
	return may;
}

void kinesis_read_charge(struct kinesis *k, uint64_t stream, uint64_t shard, size_t bytes)
{
	pthread_mutex_lock(&k->lock);
	for (struct kinesis_read_bucket *b = k->reads; b; b = b->next)
		if (b->stream == stream && b->shard == shard) b->bytes -= (double)bytes;
	pthread_mutex_unlock(&k->lock);
}

void kinesis_reads_forget(struct kinesis *k, uint64_t stream)
{
	pthread_mutex_lock(&k->lock);
	for (struct kinesis_read_bucket **at = &k->reads; *at;) {
		struct kinesis_read_bucket *b = *at;
		if (b->stream != stream) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		free(b);
	}
	pthread_mutex_unlock(&k->lock);
}

void kinesis_reads_free(struct kinesis *k)
{
	for (struct kinesis_read_bucket *b = k->reads, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	k->reads = NULL;
}

/* ── CloudWatch ── */

struct points {
	struct metric_point *v;
	size_t n;
};

static bool monitored(const struct kinesis_rec_stream *s, const char *name)
{
	for (size_t i = 0; i < s->metrics.n; i++)
		if (str_eq(s->metrics.v[i], str_c(name))) return true;
	return false;
}

static void point(struct arena *a, struct points *p, size_t *capacity, const struct kinesis_rec_stream *s,
	const struct kinesis_count *k, const char *name, bool of_shard, int64_t now_ms)
{
	struct metric_dimension *d = arena_new_n(a, struct metric_dimension, 2);
	struct metric *m = arena_new(a, struct metric);
	d[0] = (struct metric_dimension){STR("StreamName"), s->name};
	if (of_shard) d[1] = (struct metric_dimension){STR("ShardId"), kinesis_shard_id(a, k->shard)};
	*m = (struct metric){s->account, s->region, STR("AWS/Kinesis"), str_c(name), d, of_shard ? 2 : 1};
	*VEC_PUSH(a, p, capacity) =
		(struct metric_point){.metric = m, .at_ms = now_ms, .unit = k->unit, .value = k->value};
}

/* Some stream-level metrics are named after the operation that they are seen in. */
static const char *stream_name_of(const char *name)
{
	static const char *const of[][2] = {{"OutgoingBytes", "GetRecords.Bytes"},
		{"OutgoingRecords", "GetRecords.Records"},
		{"IteratorAgeMilliseconds", "GetRecords.IteratorAgeMilliseconds"}};
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (strcmp(of[i][0], name) == 0) return of[i][1];
	return name;
}

static struct points points_of(
	struct arena *a, const struct kinesis_rec_stream *s, const struct kinesis_count *v, size_t n, int64_t now_ms)
{
	struct points p = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < n; i++) {
		point(a, &p, &capacity, s, &v[i], stream_name_of(v[i].name), false, now_ms);
		if (v[i].shard >= 0 && monitored(s, v[i].name))
			point(a, &p, &capacity, s, &v[i], v[i].name, true, now_ms);
	}
	return p;
}

status kinesis_meter(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s,
	const struct kinesis_count *v, size_t n, int64_t now_ms)
{
	struct points p = points_of(a, s, v, n, now_ms);
	return metrics_put_in(tx, a, p.v, p.n, now_ms);
}

void kinesis_meter_apart(struct call *c, const struct kinesis_rec_stream *s, const struct kinesis_count *v, size_t n)
{
	struct points p = points_of(c->arena, s, v, n, c->now_ms);
	status st = metrics_put(c->cloud, p.v, p.n);
	if (!is_ok(st)) return; /* a metric is no reason to fail */
}
