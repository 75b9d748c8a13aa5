/* Amazon DynamoDB Streams: reading what DynamoDB's tables write (services/dynamodb/stream.c). A stream has one shard,
 * open while the stream is enabled; its records can be read for 24 hours. */
#include "dynamodbstreams.h"
#include "services/dynamodb/service.h"

enum { ITERATOR_LIFE_MS = 15 * 60 * 1000, RECORDS_MAX = 1000, RECORDS_BYTES_MAX = 1 << 20 };

/* ── names of things ── */

static struct str shard_id(struct arena *a, const struct dynamodb_rec_stream *s)
{
	return str_fmt(a, "shardId-%020lld-%08llx", (long long)s->created.v, (unsigned long long)s->id.v & 0xffffffffu);
}

/* 21 digits, so that they sort as text too. */
static struct str sequence_text(struct arena *a, uint64_t seq)
{
	return str_fmt(a, "1%020llu", (unsigned long long)seq);
}

static bool sequence_read(struct str text, uint64_t *seq)
{
	return text.n == 21 && text.p[0] == '1' && is_ok(str_to_u64(str_from(text, 1), seq));
}

static status not_found(struct call *c, struct str arn)
{
	return call_fail(c, DYNAMODBSTREAMS_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
		"Requested resource not found: Stream: %.*s not found", STR_ARG(arn));
}

/* arn:…:dynamodb:region:account:table/NAME/stream/LABEL */
static status find(struct call *c, struct str arn, struct dynamodb_rec_stream *out)
{
	struct str rest = arn, parts[5], bytes;
	for (int i = 0; i < 5; i++) parts[i] = str_cut(&rest, ':');
	ptrdiff_t at = str_has(rest) ? str_find(rest, STR("/stream/")) : -1;
	if (!str_starts(arn, STR("arn:")) || at < 0 || !str_starts(rest, STR("table/")))
		return call_fail(c, ERR_VALIDATION, "Invalid StreamArn: %.*s", STR_ARG(arn));
	if (!str_eq(parts[4], c->account) || !str_eq(parts[3], c->region)) return not_found(c, arn);
	struct key k = ddb_key(c->arena, "stream");
	key_str(&k, c->account);
	key_str(&k, c->region);
	key_str(&k, str_sub(rest, 6, (size_t)at - 6));
	key_str(&k, str_from(rest, (size_t)at + 8));
	status s = store_peek(c->tx, key_done(&k), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return not_found(c, arn);
	TRY(s);
	TRY(dynamodb_rec_stream_decode(c->arena, bytes, out));
	if (out->disabled.has && out->disabled.v < c->now_ms - STREAM_KEEP_MS) return not_found(c, arn);
	return OK;
}

static uint64_t last_sequence(struct call *c, const struct dynamodb_rec_stream *s)
{
	uint64_t seq = 0;
	struct str value;
	struct key k = ddb_key(c->arena, "shard");
	key_u64(&k, (uint64_t)s->id.v);
	if (is_ok(store_peek(c->tx, key_done(&k), &value)) && value.n == 8) memcpy(&seq, value.p, 8);
	return seq;
}

static struct str change_prefix(struct call *c, const struct dynamodb_rec_stream *s)
{
	struct key k = ddb_key(c->arena, "change");
	key_u64(&k, (uint64_t)s->id.v);
	return key_done(&k);
}

static struct str change_key(struct call *c, const struct dynamodb_rec_stream *s, uint64_t seq)
{
	struct key k = key_begin(c->arena);
	key_append(&k, change_prefix(c, s));
	key_u64(&k, seq);
	return key_done(&k);
}

/* ── ListStreams, DescribeStream ── */

status dynamodbstreams_list_streams(struct call *c, const struct dynamodbstreams_list_streams_input *in,
	struct dynamodbstreams_list_streams_output *out)
{
	size_t limit = in->limit.has ? (size_t)in->limit.v : 100, capacity = 0;
	struct key k = ddb_key(c->arena, "stream");
	key_str(&k, c->account);
	key_str(&k, c->region);
	if (str_has(in->table_name)) key_str(&k, in->table_name);
	struct str from = key_done(&k), to = key_after(c->arena, from), key, bytes;
	if (str_has(in->exclusive_start_stream_arn)) {
		struct dynamodb_rec_stream start = {0};
		TRY(find(c, in->exclusive_start_stream_arn, &start));
		struct key after = ddb_key(c->arena, "stream");
		key_str(&after, c->account);
		key_str(&after, c->region);
		key_str(&after, start.table);
		key_str(&after, start.label);
		from = key_next(c->arena, key_done(&after));
	}
	VEC_PRESENT(c->arena, &out->streams);
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct dynamodb_rec_stream r = {0};
		s = dynamodb_rec_stream_decode(c->arena, str_dup(c->arena, bytes), &r);
		if (!is_ok(s) || (r.disabled.has && r.disabled.v < c->now_ms - STREAM_KEEP_MS)) continue;
		if (out->streams.n == limit) {
			out->last_evaluated_stream_arn = out->streams.v[limit - 1].stream_arn;
			break;
		}
		*VEC_PUSH(c->arena, &out->streams, &capacity) =
			(struct dynamodbstreams_stream){ddb_stream_arn(c->arena, &r), r.table, r.label};
	}
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

status dynamodbstreams_describe_stream(struct call *c, const struct dynamodbstreams_describe_stream_input *in,
	struct dynamodbstreams_describe_stream_output *out)
{
	struct dynamodb_rec_stream s = {0};
	TRY(find(c, in->stream_arn, &s));
	struct dynamodbstreams_stream_description *d = arena_new(c->arena, struct dynamodbstreams_stream_description);
	out->stream_description = d;
	d->stream_arn = in->stream_arn;
	d->stream_label = s.label;
	d->stream_status = s.disabled.has ? STR("DISABLED") : STR("ENABLED");
	d->stream_view_type = s.view;
	d->creation_request_date_time = SOME_TIME(s.created.v);
	d->table_name = s.table;
	d->key_schema.n = str_has(s.schema->range) ? 2 : 1;
	d->key_schema.v = arena_new_n(c->arena, struct dynamodbstreams_key_schema_element, d->key_schema.n);
	d->key_schema.v[0] = (struct dynamodbstreams_key_schema_element){s.schema->hash, STR("HASH")};
	if (d->key_schema.n == 2)
		d->key_schema.v[1] = (struct dynamodbstreams_key_schema_element){s.schema->range, STR("RANGE")};
	VEC_PRESENT(c->arena, &d->shards);
	struct str id = shard_id(c->arena, &s);
	if (str_has(in->exclusive_start_shard_id)) {
		if (str_cmp(id, in->exclusive_start_shard_id) <= 0) return OK;
	}
	if (in->shard_filter && str_is(in->shard_filter->type, "CHILD_SHARDS")) return OK;
	size_t capacity = 0;
	struct dynamodbstreams_shard *shard = VEC_PUSH(c->arena, &d->shards, &capacity);
	shard->shard_id = id;
	shard->sequence_number_range = arena_new(c->arena, struct dynamodbstreams_sequence_number_range);
	shard->sequence_number_range->starting_sequence_number = sequence_text(c->arena, 1);
	if (s.disabled.has)
		shard->sequence_number_range->ending_sequence_number = sequence_text(c->arena, last_sequence(c, &s));
	return OK;
}

/* ── iterators ── */

/* ARN|1|base64(next sequence number, when it was made): what an iterator says is no secret, and whose it is is checked.
 */
static struct str iterator(struct call *c, struct str arn, uint64_t next)
{
	char bytes[16];
	memcpy(bytes, &next, 8);
	memcpy(bytes + 8, &c->now_ms, 8);
	return str_fmt(c->arena, "%.*s|1|%.*s", STR_ARG(arn), STR_ARG(str_base64(c->arena, str_n(bytes, 16))));
}

static status iterator_read(struct call *c, struct str text, struct str *arn, uint64_t *next)
{
	struct str rest = text, version, bytes = STR_NONE;
	int64_t made;
	*arn = str_cut(&rest, '|');
	version = str_has(rest) ? str_cut(&rest, '|') : STR_NONE;
	if (!str_is(version, "1") || !str_has(rest) || !is_ok(str_unbase64(c->arena, rest, &bytes)) || bytes.n != 16)
		return call_fail(c, ERR_VALIDATION, "Invalid ShardIterator");
	memcpy(next, bytes.p, 8);
	memcpy(&made, bytes.p + 8, 8);
	if (made > c->now_ms - ITERATOR_LIFE_MS) return OK;
	return call_fail(c, DYNAMODBSTREAMS_ERR_EXPIRED_ITERATOR_EXCEPTION,
		"Iterator expired. The iterator was created at time %.*s while right now it is %.*s which is further "
		"in the future than the "
		"tolerated delay of 900000 milliseconds.",
		STR_ARG(time_iso8601(c->arena, made, false)), STR_ARG(time_iso8601(c->arena, c->now_ms, false)));
}

static bool read_change(struct call *c, struct str bytes, struct dynamodb_rec_change *out)
{
	*out = (struct dynamodb_rec_change){0};
	return is_ok(dynamodb_rec_change_decode(c->arena, str_dup(c->arena, bytes), out));
}

status dynamodbstreams_get_shard_iterator(struct call *c, const struct dynamodbstreams_get_shard_iterator_input *in,
	struct dynamodbstreams_get_shard_iterator_output *out)
{
	struct dynamodb_rec_stream s = {0};
	uint64_t seq = 1;
	TRY(find(c, in->stream_arn, &s));
	if (!str_eq(in->shard_id, shard_id(c->arena, &s)))
		return call_fail(c, DYNAMODBSTREAMS_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
			"Requested resource not found: Shard: %.*s in Stream: %.*s not found", STR_ARG(in->shard_id),
			STR_ARG(in->stream_arn));
	bool at = str_is(in->shard_iterator_type, "AT_SEQUENCE_NUMBER"),
	     after = str_is(in->shard_iterator_type, "AFTER_SEQUENCE_NUMBER");
	if (at || after) {
		if (!str_has(in->sequence_number))
			return call_fail(c, ERR_VALIDATION, "SequenceNumber is required for ShardIteratorType %.*s",
				STR_ARG(in->shard_iterator_type));
		if (!sequence_read(in->sequence_number, &seq))
			return call_fail(
				c, ERR_VALIDATION, "Invalid SequenceNumber: %.*s", STR_ARG(in->sequence_number));
		struct str bytes;
		struct dynamodb_rec_change change;
		status found = store_peek(c->tx, change_key(c, &s, seq), &bytes);
		bool gone = status_is(found, STATUS_NOT_FOUND) && seq <= last_sequence(c, &s);
		if (is_ok(found) && read_change(c, bytes, &change)) gone = change.at.v < c->now_ms - STREAM_KEEP_MS;
		if (gone)
			return call_fail(c, DYNAMODBSTREAMS_ERR_TRIMMED_DATA_ACCESS_EXCEPTION,
				"The operation attempted to read past the oldest stream record in a shard.");
		if (after) seq++;
	} else if (str_is(in->shard_iterator_type, "LATEST")) {
		seq = last_sequence(c, &s) + 1;
	}
	out->shard_iterator = iterator(c, in->stream_arn, seq);
	return OK;
}

/* ── GetRecords ── */

static status write_image(struct call *c, struct str bytes, struct dynamodbstreams_attribute_map *out)
{
	struct value item;
	if (!str_has(bytes) || str_empty(bytes)) return OK;
	TRY(ddb_item_load(c->arena, bytes, &item));
	ddb_map_write(c->arena, &item, out);
	return OK;
}

static status write_record(struct call *c, const struct dynamodb_rec_stream *s,
	const struct dynamodb_rec_change *change, uint64_t seq, struct dynamodbstreams_record *r)
{
	r->event_id = change->id;
	r->event_name = change->event;
	r->event_version = STR("1.1");
	r->event_source = STR("aws:dynamodb");
	r->aws_region = s->region;
	r->dynamodb = arena_new(c->arena, struct dynamodbstreams_stream_record);
	/* "The approximate date and time …, rounded down to the closest minute" has become seconds. */
	r->dynamodb->approximate_creation_date_time = SOME_TIME(change->at.v / 1000 * 1000);
	r->dynamodb->sequence_number = sequence_text(c->arena, seq);
	r->dynamodb->size_bytes = SOME_I64(change->size.v);
	r->dynamodb->stream_view_type = s->view;
	if (change->expired.v) {
		r->user_identity = arena_new(c->arena, struct dynamodbstreams_identity);
		r->user_identity->principal_id = STR("dynamodb.amazonaws.com");
		r->user_identity->type = STR("Service");
	}
	TRY(write_image(c, change->keys, &r->dynamodb->keys));
	TRY(write_image(c, change->old_image, &r->dynamodb->old_image));
	return write_image(c, change->new_image, &r->dynamodb->new_image);
}

status dynamodbstreams_get_records(struct call *c, const struct dynamodbstreams_get_records_input *in,
	struct dynamodbstreams_get_records_output *out)
{
	struct dynamodb_rec_stream s = {0};
	struct str arn = STR_NONE, key, bytes;
	uint64_t next = 0;
	size_t limit = in->limit.has && in->limit.v < RECORDS_MAX ? (size_t)in->limit.v : RECORDS_MAX, size = 0,
	       capacity = 0;
	TRY(iterator_read(c, in->shard_iterator, &arn, &next));
	TRY(find(c, arn, &s));
	struct str prefix = change_prefix(c, &s);
	VEC_PRESENT(c->arena, &out->records);
	struct store_scan *scan = store_scan_begin(c->tx, change_key(c, &s, next), key_after(c->arena, prefix), false);
	status r = OK;
	while (is_ok(r) && out->records.n < limit && size < RECORDS_BYTES_MAX && store_scan_next(scan, &key, &bytes)) {
		struct dynamodb_rec_change change;
		struct str rest = str_from(key, prefix.n);
		uint64_t seq;
		r = key_read_u64(&rest, &seq);
		if (!is_ok(r)) break;
		if (!read_change(c, bytes, &change)) {
			r = STATUS(CORRUPT);
			break;
		}
		next = seq + 1;
		if (change.at.v < c->now_ms - STREAM_KEEP_MS) continue;
		size += (size_t)change.size.v;
		r = write_record(c, &s, &change, seq, VEC_PUSH(c->arena, &out->records, &capacity));
	}
	status ended = store_scan_end(scan);
	TRY(r);
	TRY(ended);
	if (!s.disabled.has || next <= last_sequence(c, &s)) out->next_shard_iterator = iterator(c, arn, next);
	return OK;
}

static const struct service_op operations[DYNAMODBSTREAMS_OP_COUNT] = {
	[DYNAMODBSTREAMS_OP_DESCRIBE_STREAM] = OP(dynamodbstreams_describe_stream, OP_READ),
	[DYNAMODBSTREAMS_OP_GET_RECORDS] = OP(dynamodbstreams_get_records, OP_READ),
	[DYNAMODBSTREAMS_OP_GET_SHARD_ITERATOR] = OP(dynamodbstreams_get_shard_iterator, OP_READ),
	[DYNAMODBSTREAMS_OP_LIST_STREAMS] = OP(dynamodbstreams_list_streams, OP_READ),
};

extern const struct service service_dynamodbstreams;
const struct service service_dynamodbstreams = {.model = &wire_service_dynamodbstreams, .ops = operations};
