/* Kinesis streaming destinations ("Using Kinesis Data Streams to capture changes to DynamoDB"): every change of an item
 * goes, in the transaction of the change, into the table's outbox; a job moves it from there into the stream, in one
 * transaction too. So a change is in the stream once, whatever crashes, and those of one item in their order.
 *
 *     (dynamodb, outbox, table id, number)     record outgoing
 *     (dynamodb, outbox-next, table id)        8 bytes: the number of the last one, which every writer reads and writes
 *     (dynamodb, outbox-idle, table id)        there while no job is due: the next writer takes it and schedules one
 *
 * "Records … can appear in a different order than when item changes occurred, and the same item notifications can
 * appear more than once": here they do not. */
#include "base/rand.h"
#include "services/dynamodb/service.h"
#include "services/dynamodb/value_text.h"
#include "services/kinesis/put.h"

static const char kind[] = "dynamodb.destination";
enum { AT_ONCE = 200, BYTES_AT_ONCE = 4 << 20, SOON_MS = 200, LATER_MS = 60 * 1000 };

static struct str outbox_key(struct arena *a, const char *what, uint64_t table)
{
	struct key k = ddb_key(a, what);
	key_u64(&k, table);
	return key_done(&k);
}

static void schedule(struct work *w, const struct dynamodb_rec_table *r, int64_t due_ms)
{
	struct dynamodb_rec_chore chore = {.account = r->account, .region = r->region, .table = r->name, .id = r->id};
	jobs_schedule(w->tx, &(struct job){.kind = str_c(kind),
				     .id = str_fmt(w->a, "%llx", (unsigned long long)r->id.v),
				     .due_ms = due_ms,
				     .payload = dynamodb_rec_chore_encode(w->a, &chore)});
}

/* ── what a change writes ── */

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static void add_image(struct buf *b, const char *name, const struct value *item)
{
	buf_fmt(b, ",\"%s\":", name);
	ddb_json_item(b, item);
}

static struct str body(struct work *w, const struct table *t, const struct value *old, const struct value *new,
	bool expired, bool micros, int64_t now_ms)
{
	struct buf b = BUF_IN(w->a);
	struct value keys = ddb_key_of(w->a, t, new ? new : old);
	size_t size = ddb_item_size(&keys) + (old ? ddb_item_size(old) : 0) + (new ? ddb_item_size(new) : 0);
	buf_fmt(&b, "{\"awsRegion\":\"%.*s\",\"eventID\":\"%.*s\",\"eventName\":\"%s\",\"userIdentity\":%s,",
		STR_ARG(t->record.region), STR_ARG(rand_uuid(w->a)),
		!old  ? "INSERT"
		: new ? "MODIFY"
		      : "REMOVE",
		expired ? "{\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}" : "null");
	buf_fmt(&b,
		"\"recordFormat\":\"application/"
		"json\",\"tableName\":\"%.*s\",\"dynamodb\":{\"ApproximateCreationDateTime\":%lld",
		STR_ARG(t->name), (long long)(micros ? now_ms * 1000 : now_ms));
	if (micros) buf_lit(&b, ",\"ApproximateCreationDateTimePrecision\":\"MICROSECOND\"");
	add_image(&b, "Keys", &keys);
	if (new) add_image(&b, "NewImage", new);
	if (old) add_image(&b, "OldImage", old);
	buf_fmt(&b, ",\"SizeBytes\":%zu},\"eventSource\":\"aws:dynamodb\"}", size);
	return buf_done(&b);
}

/* Changes of one item go to one shard. */
static struct str partition_of(struct work *w, const struct table *t, const struct value *item)
{
	uint8_t md5[16];
	digest_md5(ddb_item_key(w->a, t, item), md5);
	return str_hex(w->a, str_n(md5, sizeof(md5)));
}

status ddb_destination_write(
	struct work *w, const struct table *t, const struct value *old, const struct value *new, bool expired)
{
	if ((!old && !new) || (old && new &&ddb_equal(old, new))) return OK;
	uint64_t number = 0;
	int64_t now = clock_now(w->d->cloud->clock);
	struct str next = outbox_key(w->a, "outbox-next", t->id), idle = outbox_key(w->a, "outbox-idle", t->id), value;
	status s = store_get(w->tx, next, &value);
	if (is_ok(s) && value.n == 8) memcpy(&number, value.p, 8);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	for (size_t i = 0; i < t->record.destinations.n; i++) {
		const struct dynamodb_rec_destination *d = &t->record.destinations.v[i];
		if (!d->active.v) continue;
		struct dynamodb_rec_outgoing o = {.stream = d->stream,
			.at = SOME_I64(now),
			.partition = partition_of(w, t, new ? new : old),
			.body = body(w, t, old, new, expired, d->micros.v, now)};
		struct key k = key_begin(w->a);
		key_append(&k, outbox_key(w->a, "outbox", t->id));
		key_u64(&k, ++number);
		store_put(w->tx, key_done(&k), dynamodb_rec_outgoing_encode(w->a, &o));
	}
	store_put(w->tx, next, str_n(arena_copy(w->a, &number, 8), 8));
	s = store_get(w->tx, idle, &value);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* a job is due, and will meet this */
	TRY(s);
	store_delete(w->tx, idle);
	schedule(w, &t->record, now);
	if (w->c) call_after_commit(w->c, poke, w->c->cloud->jobs);
	return OK;
}

/* ── the job ── */

struct batch {
	struct kinesis_put *v;
	struct str *keys;
	int64_t *at;
	size_t n;
	struct str stream;
};

/* The first of the outbox, up to where the stream changes. */
static status collect(struct store_tx *tx, struct arena *a, uint64_t table, struct batch *b)
{
	struct str key, value, prefix = outbox_key(a, "outbox", table);
	size_t bytes = 0;
	status s = OK;
	*b = (struct batch){.v = arena_new_n(a, struct kinesis_put, AT_ONCE),
		.keys = arena_new_n(a, struct str, AT_ONCE),
		.at = arena_new_n(a, int64_t, AT_ONCE)};
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	while (is_ok(s) && b->n < AT_ONCE && bytes < BYTES_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct dynamodb_rec_outgoing o = {0};
		s = dynamodb_rec_outgoing_decode(a, str_dup(a, value), &o);
		if (!is_ok(s) || (b->n && !str_eq(b->stream, o.stream))) break;
		b->stream = o.stream;
		b->keys[b->n] = str_dup(a, key);
		b->at[b->n] = o.at.v;
		b->v[b->n++] = (struct kinesis_put){.data = o.body, .partition_key = o.partition};
		bytes += o.body.n;
	}
	status ended = store_scan_end(scan);
	TRY(s);
	return ended;
}

/* Nothing to do. Who wrote meanwhile has changed outbox-next: then this does not commit. */
static status rest(struct store_tx *tx, struct arena *a, struct work *w, const struct dynamodb_rec_chore *chore)
{
	uint64_t table = (uint64_t)chore->id.v;
	struct dynamodb_rec_table r = {0};
	struct str next = outbox_key(a, "outbox-next", table), value;
	status s = store_get(tx, next, &value);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	s = ddb_find_record(w, chore->account, chore->region, chore->table, &r);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s) && r.id.v == chore->id.v) {
		store_put(tx, outbox_key(a, "outbox-idle", table), STR(""));
		return OK;
	}
	store_delete(tx, next);
	store_delete(tx, outbox_key(a, "outbox-idle", table));
	return OK;
}

static status deliver(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct dynamodb_rec_chore chore = {0};
	struct batch b;
	int64_t now = clock_now(d->cloud->clock);
	TRY(dynamodb_rec_chore_decode(a, job->payload, &chore));
	TRY(collect(tx, a, (uint64_t)chore.id.v, &b));
	if (!b.n) {
		struct work w = {.a = a, .d = d, .tx = tx};
		return work_end(&w, rest(tx, a, &w, &chore));
	}
	status s = kinesis_put_in(d->cloud, tx, a, b.stream, b.v, b.n, now);
	bool gone = status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_FAILED); /* no stream; its key refuses */
	if (!is_ok(s) && !gone) return s;
	bool throttled = false;
	for (size_t i = 0; i < b.n; i++) {
		/* "DynamoDB retries … for up to 24 hours" what cannot be delivered. */
		bool late = !b.v[i].done && b.at[i] < now - STREAM_KEEP_MS;
		throttled |= b.v[i].throttled && !late;
		if (b.v[i].done || late) store_delete(tx, b.keys[i]);
	}
	*again_ms = gone ? now + LATER_MS : throttled ? now + SOON_MS : now;
	return OK;
}

void ddb_destination_jobs(struct ddb *d)
{
	jobs_register(d->cloud->jobs, kind, deliver, d);
}

void ddb_destination_drop(struct work *w, const struct dynamodb_rec_table *r)
{
	if (r->destinations.n) schedule(w, r, w->c->now_ms);
}

/* ── the operations ── */

static struct str precision(bool micros)
{
	return micros ? STR("MICROSECOND") : STR("MILLISECOND");
}

/* The table that is to be changed, and that destination of it, NULL where it was never enabled. */
static status open(struct work *w, struct str name, struct str stream, struct dynamodb_rec_table *r,
	struct dynamodb_rec_destination **d)
{
	struct table *t;
	TRY(ddb_open_named(w, name, &t));
	*r = ddb_edit(t);
	struct dynamodb_rec_destination *v =
		arena_new_n(w->a, struct dynamodb_rec_destination, r->destinations.n + 1); /* room for one more */
	for (size_t i = 0; i < r->destinations.n; i++) v[i] = r->destinations.v[i];
	r->destinations.v = v;
	*d = NULL;
	for (size_t i = 0; i < r->destinations.n; i++)
		if (str_eq(v[i].stream, stream)) *d = &v[i];
	return OK;
}

static status save(struct work *w, struct dynamodb_rec_table *r)
{
	ddb_put_table(w, r);
	ddb_cache(w, r, false);
	return OK;
}

static status not_active(struct work *w, const char *what)
{
	return VALIDATION(w,
		"Table is not in a valid state to %s Kinesis Streaming Destination: KinesisStreamingDestination must "
		"be ACTIVE to "
		"perform %s operation.",
		strcmp(what, "DISABLE") == 0 ? "disable" : "update", what);
}

static status enable(struct work *w, const struct dynamodb_enable_kinesis_streaming_destination_input *in,
	struct dynamodb_enable_kinesis_streaming_destination_output *out)
{
	struct dynamodb_rec_table r;
	struct dynamodb_rec_destination *d;
	struct str value, rest = in->stream_arn;
	bool there,
		micros = in->enable_kinesis_streaming_configuration &&
			 str_is(in->enable_kinesis_streaming_configuration->approximate_creation_date_time_precision,
				 "MICROSECOND");
	TRY(open(w, in->table_name, in->stream_arn, &r, &d));
	for (int i = 0; i < 3; i++) (void)str_cut(&rest, ':');
	struct str region = str_has(rest) ? str_cut(&rest, ':') : STR(""),
		   account = str_has(rest) ? str_cut(&rest, ':') : STR("");
	if (!str_eq(region, r.region) || !str_eq(account, r.account))
		return VALIDATION(w,
			"Invalid StreamArn: the Kinesis data stream must be in the table's account and Region: %.*s",
			STR_ARG(in->stream_arn));
	TRY(kinesis_stream_exists(w->tx, w->a, in->stream_arn, &there));
	if (!there)
		return call_fail(w->c, DYNAMODB_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
			"Requested resource not found: Kinesis data stream: %.*s not found", STR_ARG(in->stream_arn));
	if (d && d->active.v)
		return VALIDATION(w, "Table is not in a valid state to enable Kinesis Streaming Destination: "
				     "KinesisStreamingDestination "
				     "must be DISABLED or ENABLE_FAILED to perform ENABLE operation.");
	if (!d) d = &r.destinations.v[r.destinations.n++];
	*d = (struct dynamodb_rec_destination){
		.stream = in->stream_arn, .active = SOME_BOOL(true), .micros = SOME_BOOL(micros)};
	/* The first: no job is due yet. */
	struct str next = outbox_key(w->a, "outbox-next", (uint64_t)r.id.v);
	status s = store_get(w->tx, next, &value);
	if (status_is(s, STATUS_NOT_FOUND)) {
		uint64_t none = 0;
		store_put(w->tx, next, str_n(arena_copy(w->a, &none, 8), 8));
		store_put(w->tx, outbox_key(w->a, "outbox-idle", (uint64_t)r.id.v), STR(""));
	} else {
		TRY(s);
	}
	out->table_name = r.name;
	out->stream_arn = in->stream_arn;
	out->destination_status = STR("ENABLING");
	out->enable_kinesis_streaming_configuration =
		arena_new(w->a, struct dynamodb_enable_kinesis_streaming_configuration);
	out->enable_kinesis_streaming_configuration->approximate_creation_date_time_precision = precision(micros);
	return save(w, &r);
}

status dynamodb_enable_kinesis_streaming_destination(struct call *c,
	const struct dynamodb_enable_kinesis_streaming_destination_input *in,
	struct dynamodb_enable_kinesis_streaming_destination_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, enable(&w, in, out));
}

/* What is in the outbox by then is still delivered. */
static status disable(struct work *w, const struct dynamodb_disable_kinesis_streaming_destination_input *in,
	struct dynamodb_disable_kinesis_streaming_destination_output *out)
{
	struct dynamodb_rec_table r;
	struct dynamodb_rec_destination *d;
	TRY(open(w, in->table_name, in->stream_arn, &r, &d));
	if (!d || !d->active.v) return not_active(w, "DISABLE");
	d->active = SOME_BOOL(false);
	out->table_name = r.name;
	out->stream_arn = in->stream_arn;
	out->destination_status = STR("DISABLING");
	return save(w, &r);
}

status dynamodb_disable_kinesis_streaming_destination(struct call *c,
	const struct dynamodb_disable_kinesis_streaming_destination_input *in,
	struct dynamodb_disable_kinesis_streaming_destination_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, disable(&w, in, out));
}

static status update(struct work *w, const struct dynamodb_update_kinesis_streaming_destination_input *in,
	struct dynamodb_update_kinesis_streaming_destination_output *out)
{
	struct dynamodb_rec_table r;
	struct dynamodb_rec_destination *d;
	const struct dynamodb_update_kinesis_streaming_configuration *u = in->update_kinesis_streaming_configuration;
	TRY(open(w, in->table_name, in->stream_arn, &r, &d));
	if (!u || !str_has(u->approximate_creation_date_time_precision))
		return VALIDATION(w, "Streaming destination cannot be updated with given parameters: "
				     "UpdateKinesisStreamingConfiguration cannot be null or contain only null values");
	if (!d || !d->active.v) return not_active(w, "UPDATE");
	bool micros = str_is(u->approximate_creation_date_time_precision, "MICROSECOND");
	if (micros == d->micros.v)
		return VALIDATION(w,
			"Invalid Request: Precision is already set to the desired value of %.*s for tableId: %.*s, "
			"kdsArn: %.*s",
			STR_ARG(u->approximate_creation_date_time_precision), STR_ARG(r.uuid), STR_ARG(in->stream_arn));
	d->micros = SOME_BOOL(micros);
	out->table_name = r.name;
	out->stream_arn = in->stream_arn;
	out->destination_status = STR("UPDATING");
	out->update_kinesis_streaming_configuration = arena_copy(w->a, u, sizeof(*u));
	return save(w, &r);
}

status dynamodb_update_kinesis_streaming_destination(struct call *c,
	const struct dynamodb_update_kinesis_streaming_destination_input *in,
	struct dynamodb_update_kinesis_streaming_destination_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, update(&w, in, out));
}

static status describe(struct work *w, const struct dynamodb_describe_kinesis_streaming_destination_input *in,
	struct dynamodb_describe_kinesis_streaming_destination_output *out)
{
	struct table *t;
	size_t capacity = 0;
	TRY(ddb_open_named(w, in->table_name, &t));
	out->table_name = str_dup(w->a, t->name);
	VEC_PRESENT(w->a, &out->kinesis_data_stream_destinations);
	for (size_t i = 0; i < t->record.destinations.n; i++) {
		const struct dynamodb_rec_destination *d = &t->record.destinations.v[i];
		struct dynamodb_kinesis_data_stream_destination *o =
			VEC_PUSH(w->a, &out->kinesis_data_stream_destinations, &capacity);
		o->stream_arn = str_dup(w->a, d->stream);
		o->destination_status = d->active.v ? STR("ACTIVE") : STR("DISABLED");
		o->approximate_creation_date_time_precision = precision(d->micros.v);
	}
	return OK;
}

status dynamodb_describe_kinesis_streaming_destination(struct call *c,
	const struct dynamodb_describe_kinesis_streaming_destination_input *in,
	struct dynamodb_describe_kinesis_streaming_destination_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe(&w, in, out));
}
