/* What a table writes for its stream: one record per change of an item, in the transaction of the change. A stream has
 * one shard; its next sequence number is a record that each writing transaction reads, so numbers have no gaps, are in
 * the order of commits, and a reader can never pass one that is still to come ("Change data capture for DynamoDB
 * Streams"). */
#include "base/rand.h"
#include "services/dynamodb/service.h"

static const char trim_kind[] = "dynamodb.trim";
enum { TRIM_EVERY_MS = 3600 * 1000, TRIM_AT_ONCE = 2000 };

static struct str shard_key(struct arena *a, uint64_t stream)
{
	struct key k = ddb_key(a, "shard");
	key_u64(&k, stream);
	return key_done(&k);
}

static struct str stream_key(struct arena *a, const struct dynamodb_rec_stream *s)
{
	struct key k = ddb_key(a, "stream");
	key_str(&k, s->account);
	key_str(&k, s->region);
	key_str(&k, s->table);
	key_str(&k, s->label);
	return key_done(&k);
}

struct str ddb_stream_arn(struct arena *a, const struct dynamodb_rec_stream *s)
{
	return str_fmt(a, "arn:%.*s:dynamodb:%.*s:%.*s:table/%.*s/stream/%.*s", STR_ARG(s->partition),
		STR_ARG(s->region), STR_ARG(s->account), STR_ARG(s->table), STR_ARG(s->label));
}

static void blob_item(struct work *w, const struct value *item, struct str *out)
{
	*out = ddb_item_store(w->a, item);
}

void ddb_stream_write(
	struct work *w, const struct table *t, const struct value *old, const struct value *new, bool expired)
{
	if (!old && !new) return;
	/* "PutItem or UpdateItem operations that don't change any data … don't write a stream record." */
	if (old && new &&ddb_equal(old, new)) return;
	uint64_t stream = (uint64_t)t->record.stream_id.v, seq = 0;
	struct str key = shard_key(w->a, stream), value, view = t->record.stream_view;
	if (is_ok(store_get(w->tx, key, &value)) && value.n == 8) memcpy(&seq, value.p, 8);
	seq++;
	store_put(w->tx, key, str_n(arena_copy(w->a, &seq, 8), 8));
	struct value keys = ddb_key_of(w->a, t, new ? new : old);
	struct dynamodb_rec_change change = {
		.event = !old   ? STR("INSERT")
			 : !new ? STR("REMOVE")
				: STR("MODIFY"),
		.at = SOME_I64(clock_now(w->d->cloud->clock)),
		.expired = SOME_BOOL(expired),
		.id = str_hex(w->a, str_n(&(uint64_t[]){rand_u64(), rand_u64()}, 16)),
	};
	size_t size = ddb_item_size(&keys);
	blob_item(w, &keys, &change.keys);
	if (old && (str_is(view, "OLD_IMAGE") || str_is(view, "NEW_AND_OLD_IMAGES"))) {
		blob_item(w, old, &change.old_image);
		size += ddb_item_size(old);
	}
	if (new && (str_is(view, "NEW_IMAGE") || str_is(view, "NEW_AND_OLD_IMAGES"))) {
		blob_item(w, new, &change.new_image);
		size += ddb_item_size(new);
	}
	change.size = SOME_I64((int64_t)size);
	struct key k = ddb_key(w->a, "change");
	key_u64(&k, stream);
	key_u64(&k, seq);
	store_put(w->tx, key_done(&k), dynamodb_rec_change_encode(w->a, &change));
}

void ddb_stream_open(struct work *w, struct dynamodb_rec_table *r, struct str view)
{
	struct str label = time_iso8601(w->a, w->c->now_ms, true);
	struct dynamodb_rec_stream s = {
		.id = SOME_I64((int64_t)(rand_u64() >> 1)),
		.table = r->name,
		.label = str_sub(label, 0, label.n - 1), /* AWS's labels have no Z */
		.view = view,
		.created = SOME_I64(w->c->now_ms),
		.schema = r->schema,
		.account = r->account,
		.region = r->region,
		.partition = r->partition,
	};
	r->stream_view = view;
	r->stream_label = s.label;
	r->stream_id = s.id;
	store_put(w->tx, stream_key(w->a, &s), dynamodb_rec_stream_encode(w->a, &s));
	struct dynamodb_rec_chore chore = {
		.account = s.account, .region = s.region, .table = s.table, .id = s.id, .at = s.label};
	jobs_schedule(w->tx, &(struct job){.kind = str_c(trim_kind),
				     .id = str_fmt(w->a, "%llx", (unsigned long long)s.id.v),
				     .due_ms = w->c->now_ms + TRIM_EVERY_MS,
				     .payload = dynamodb_rec_chore_encode(w->a, &chore)});
}

/* The stream can be read for a day more. */
void ddb_stream_close(struct work *w, struct dynamodb_rec_table *r)
{
	if (!str_has(r->stream_view)) return;
	struct dynamodb_rec_stream at = {.account = r->account,
					   .region = r->region,
					   .table = r->name,
					   .label = r->stream_label},
				   s = {0};
	struct str key = stream_key(w->a, &at), bytes;
	if (is_ok(store_get(w->tx, key, &bytes)) && is_ok(dynamodb_rec_stream_decode(w->a, bytes, &s))) {
		s.disabled = SOME_I64(w->c->now_ms);
		store_put(w->tx, key, dynamodb_rec_stream_encode(w->a, &s));
	}
	r->stream_view = STR_NONE;
}

/* ── trimming ── */

static status trim(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct dynamodb_rec_chore chore = {0};
	struct dynamodb_rec_stream s = {0};
	struct str key, value, bytes;
	int64_t now = clock_now(cloud->clock), horizon = now - STREAM_KEEP_MS;
	TRY(dynamodb_rec_chore_decode(a, job->payload, &chore));
	struct dynamodb_rec_stream at = {
		.account = chore.account, .region = chore.region, .table = chore.table, .label = chore.at};
	struct key k = ddb_key(a, "change");
	key_u64(&k, (uint64_t)chore.id.v);
	struct str prefix = key_done(&k);
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	size_t n = 0;
	bool more = false;
	while (store_scan_next(scan, &key, &value)) {
		struct dynamodb_rec_change change = {0};
		if (is_ok(dynamodb_rec_change_decode(a, str_dup(a, value), &change)) && change.at.v >= horizon) break;
		if (n++ == TRIM_AT_ONCE) {
			more = true;
			break;
		}
		store_delete(tx, str_dup(a, key));
	}
	TRY(store_scan_end(scan));
	status found = store_get(tx, stream_key(a, &at), &bytes);
	if (is_ok(found)) TRY(dynamodb_rec_stream_decode(a, bytes, &s));
	bool over = !is_ok(found) || (s.disabled.has && s.disabled.v < horizon);
	if (over && !more) {
		store_delete(tx, stream_key(a, &at));
		store_delete(tx, shard_key(a, (uint64_t)chore.id.v));
		return OK;
	}
	*again_ms = more ? now : now + TRIM_EVERY_MS;
	return OK;
}

void ddb_stream_jobs(struct cloud *cloud)
{
	jobs_register(cloud->jobs, trim_kind, trim, cloud);
}
