/* The job of a stream: once an hour what is older than its retention goes, and closed shards of which nothing is left;
 * and all that is left of a stream that was deleted. */
#include "services/kinesis/room.h"

static const char kind[] = "kinesis.trim";
enum { EVERY_MS = 3600 * 1000, AT_ONCE = 2000 };

void kinesis_trim_begin(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s, int64_t due_ms)
{
	struct kinesis_rec_trim t = {.account = s->account, .region = s->region, .name = s->name, .id = s->id};
	jobs_schedule(tx, &(struct job){.kind = str_c(kind),
				  .id = str_fmt(a, "%llx", (unsigned long long)s->id.v),
				  .due_ms = due_ms,
				  .payload = kinesis_rec_trim_encode(a, &t)});
}

/* *left: how many more may go now. */
static status drop_range(struct store_tx *tx, struct arena *a, struct str from, struct str to, size_t *left)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(tx, from, to, false);
	while (*left && store_scan_next(scan, &key, &value)) {
		store_delete(tx, str_dup(a, key));
		(*left)--;
	}
	return store_scan_end(scan);
}

static status drop_stream(struct store_tx *tx, struct arena *a, uint64_t id, size_t *left)
{
	static const char *const kinds[] = {"entry", "head", "open", "shard", "consumer"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct str prefix = kinesis_prefix(a, kinds[i], id);
		TRY(drop_range(tx, a, prefix, key_after(a, prefix), left));
	}
	return OK;
}

static status trim_shard(struct store_tx *tx, struct arena *a, const struct kinesis_rec_stream *s,
	const struct kinesis_rec_shard *r, int64_t now_ms, size_t *left)
{
	uint64_t id = (uint64_t)s->id.v, number = (uint64_t)r->number.v, last, first;
	int64_t horizon = kinesis_horizon(s, now_ms);
	TRY(kinesis_last(tx, a, id, r, &last));
	TRY(kinesis_entry_at(tx, a, id, number, last, horizon, &first));
	TRY(drop_range(tx, a, kinesis_entry_key(a, id, number, 0), kinesis_entry_key(a, id, number, first), left));
	if (*left && r->closed.has && r->closed.ms < horizon && first > last)
		store_delete(tx, kinesis_shard_key(a, "shard", id, number));
	return OK;
}

static status trim(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct kinesis *k = ctx;
	struct kinesis_rec_trim t = {0};
	struct kinesis_rec_stream s;
	struct kinesis_shards all;
	size_t left = AT_ONCE;
	int64_t now = clock_now(k->cloud->clock);
	TRY(kinesis_rec_trim_decode(a, job->payload, &t));
	status st = kinesis_stream_get(tx, a, t.account, t.region, t.name, &s);
	if (is_ok(st) && s.id.v != t.id.v) st = STATUS(NOT_FOUND);
	if (status_is(st, STATUS_NOT_FOUND)) {
		TRY(drop_stream(tx, a, (uint64_t)t.id.v, &left));
		if (!left) *again_ms = now;
		return OK;
	}
	TRY(st);
	TRY(kinesis_shards_of(tx, a, (uint64_t)s.id.v, &all));
	for (size_t i = 0; i < all.n && left; i++) TRY(trim_shard(tx, a, &s, &all.v[i], now, &left));
	*again_ms = left ? now + EVERY_MS : now;
	return OK;
}

void kinesis_trim_start(struct kinesis *k)
{
	jobs_register(k->cloud->jobs, kind, trim, k);
}
