/* SubscribeToShard: a consumer's subscription pushes a shard's records for five minutes ("Developing enhanced fan-out
 * consumers", the guide; the operation in the reference). The answer is a stream of events over the request's own
 * connection, which rests between them. Records are read when the connection can take them: what a slow client has not
 * fetched waits in the shard, not in memory. */
#include "call/inside.h"
#include "call/later.h"
#include "services/kinesis/room.h"
#include "wire/event.h"
#include <stdlib.h>

enum {
	LIFE_MS = 5 * 60 * 1000,
	AGAIN_MS = 5000, /* "within 5 seconds of a successful call … ResourceInUseException" */
	PULSE_MS = 5000, /* an event without records, so that both ends see that the other is there */
	TICK_MS = 1000,
	EVENT_RECORDS_MAX = 1000,
};

struct kinesis_subscription {
	struct kinesis *k;
	struct edge_exchange *x;
	struct kinesis_subscription *next;
	struct arena own; /* of the texts */
	struct str account, region, stream, consumer, arn;
	int64_t consumer_created_ms;
	struct kinesis_place place;
	int64_t begun_ms, pulse_us;
	bool ended;    /* under k->lock: by another subscription, or as virga stops */
	bool finished; /* nothing will follow what is in out */
	struct buf out;
	size_t sent;
};

/* ── events ── */

static void write_event(struct kinesis_subscription *s, const char *kind, struct str type, struct str payload)
{
	bool error = strcmp(kind, "exception") == 0;
	struct wire_header h[] = {{error ? STR(":exception-type") : STR(":event-type"), type},
		{STR(":content-type"), STR("application/json")}, {STR(":message-type"), str_c(kind)}};
	wire_event_write(&s->out, h, 3, payload);
	s->pulse_us = clock_monotonic_us();
}

static void gone(struct kinesis_subscription *s, struct arena *a)
{
	struct kinesis_resource_not_found_exception e = {
		.message = str_fmt(a, "Consumer %.*s, account %.*s not found.", STR_ARG(s->arn), STR_ARG(s->account))};
	write_event(s, "exception", STR("ResourceNotFoundException"),
		wire_json_of(a, &wire_service_kinesis.tables, KINESIS_SHAPE_RESOURCE_NOT_FOUND_EXCEPTION, &e));
	s->finished = true;
}

/* The stream and the consumer that it was made for, and the shard: NOT_FOUND where one of them is gone. */
static status find_all(struct kinesis_subscription *s, struct call *c, struct kinesis_rec_stream *stream,
	struct kinesis_rec_shard *shard)
{
	struct kinesis_rec_consumer consumer;
	TRY(kinesis_stream_get(c->tx, c->arena, s->account, s->region, s->stream, stream));
	if ((uint64_t)stream->id.v != s->place.id) return STATUS(NOT_FOUND);
	TRY(kinesis_consumer_named(c->tx, c->arena, s->place.id, s->consumer, &consumer));
	if (consumer.created.ms != s->consumer_created_ms) return STATUS(NOT_FOUND);
	return kinesis_shard_get(c->tx, c->arena, s->place.id, s->place.shard, shard);
}

static status fill(struct kinesis_subscription *s, struct call *c)
{
	struct kinesis_rec_stream stream;
	struct kinesis_rec_shard shard;
	struct kinesis_subscribe_to_shard_event e = {0};
	uint64_t last, first;
	size_t bytes = 0;
	TRY(find_all(s, c, &stream, &shard));
	TRY(kinesis_last(c->tx, c->arena, s->place.id, &shard, &last));
	TRY(kinesis_entry_at(
		c->tx, c->arena, s->place.id, s->place.shard, last, kinesis_horizon(&stream, c->now_ms), &first));
	if (s->place.next < first) s->place.next = first;
	VEC_PRESENT(c->arena, &e.records);
	TRY(kinesis_read_entries(c, &stream, &shard, &s->place, last, EVENT_RECORDS_MAX, &bytes, &e.records));
	bool over = shard.closed.has && s->place.next > last;
	if (!e.records.n && !over && clock_monotonic_us() - s->pulse_us < PULSE_MS * INT64_C(1000)) return OK;
	int64_t age;
	TRY(kinesis_behind(c, &s->place, last, &e.records, &age));
	e.millis_behind_latest = SOME_I64(age);
	if (over)
		TRY(kinesis_children_of(c, &s->place, &e.child_shards));
	else
		e.continuation_sequence_number = kinesis_sequence_text(
			c->arena, &(struct kinesis_sequence){shard.created.ms, s->place.next - 1, s->place.shard});
	s->finished = over;
	write_event(s, "event", STR("SubscribeToShardEvent"),
		wire_json_of(c->arena, &wire_service_kinesis.tables, KINESIS_SHAPE_SUBSCRIBE_TO_SHARD_EVENT, &e));
	return OK;
}

static void refill(struct kinesis_subscription *s)
{
	struct cloud *cloud = s->k->cloud;
	pthread_mutex_lock(&s->k->lock);
	s->finished |= s->ended || clock_now(cloud->clock) >= s->begun_ms + LIFE_MS;
	pthread_mutex_unlock(&s->k->lock);
	if (s->finished) return;
	struct arena a;
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, true);
	struct call *c = call_for_job(&a, cloud, tx, s->account, s->region, STR("kinesis.amazonaws.com"));
	status st = fill(s, c);
	/* A key that KMS refuses, a broken store: the consumer has to subscribe again, and will be told. */
	if (status_is(st, STATUS_NOT_FOUND))
		gone(s, &a);
	else if (!is_ok(st))
		s->finished = true;
	store_end(tx);
	arena_cleanup(&a);
}

/* ── the body ── */

static int64_t read_some(void *ctx, uint64_t at, char *p, size_t n)
{
	struct kinesis_subscription *s = ctx;
	(void)at;
	if (s->sent == s->out.n) {
		buf_cleanup(&s->out);
		s->out = BUF_HEAP;
		s->sent = 0;
		if (!s->finished) refill(s);
	}
	size_t left = s->out.n - s->sent;
	if (!left) return s->finished ? 0 : EDGE_LATER;
	struct str all = buf_done(&s->out);
	if (n > left) n = left;
	memcpy(p, all.p + s->sent, n);
	s->sent += n;
	return (int64_t)n;
}

static void end(void *ctx)
{
	struct kinesis_subscription *s = ctx;
	pthread_mutex_lock(&s->k->lock);
	for (struct kinesis_subscription **at = &s->k->subscriptions; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	pthread_mutex_unlock(&s->k->lock);
	buf_cleanup(&s->out);
	arena_cleanup(&s->own);
	free(s);
}

/* ── waking ── */

static void on_tick(void *ctx);

/* Under k->lock. */
static void set_tick(struct kinesis *k)
{
	if (k->tick || !k->subscriptions || k->stopping) return;
	k->tick = clock_at(k->cloud->clock, clock_now(k->cloud->clock) + TICK_MS, on_tick, k);
}

/* Expiries, pulses, and what came without a call of Kinesis's (DynamoDB's changes). */
static void on_tick(void *ctx)
{
	struct kinesis *k = ctx;
	pthread_mutex_lock(&k->lock);
	k->tick = 0;
	for (struct kinesis_subscription *s = k->subscriptions; s; s = s->next) edge_more(s->x);
	set_tick(k);
	pthread_mutex_unlock(&k->lock);
}

void kinesis_subscriptions_wake(struct kinesis *k, uint64_t stream)
{
	pthread_mutex_lock(&k->lock);
	for (struct kinesis_subscription *s = k->subscriptions; s; s = s->next)
		if (s->place.id == stream) edge_more(s->x);
	pthread_mutex_unlock(&k->lock);
}

void kinesis_subscriptions_end(struct kinesis *k)
{
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	for (struct kinesis_subscription *s = k->subscriptions; s; s = s->next) {
		s->ended = true;
		edge_more(s->x);
	}
	uint64_t tick = k->tick;
	pthread_mutex_unlock(&k->lock);
	if (tick && clock_cancel(k->cloud->clock, tick)) return;
	for (bool runs = tick != 0; runs;) { /* it is about to take the lock */
		pthread_mutex_lock(&k->lock);
		runs = k->tick != 0;
		pthread_mutex_unlock(&k->lock);
	}
}

/* ── the operation ── */

/* One subscription for a consumer and a shard: a new one ends the one before it, but not within five seconds. */
static bool enlist(struct kinesis_subscription *s, int64_t now_ms)
{
	struct kinesis *k = s->k;
	bool free_now = true;
	pthread_mutex_lock(&k->lock);
	for (struct kinesis_subscription *o = k->subscriptions; o && free_now; o = o->next) {
		if (o->ended || o->place.id != s->place.id || o->place.shard != s->place.shard ||
			!str_eq(o->consumer, s->consumer))
			continue;
		free_now = now_ms - o->begun_ms >= AGAIN_MS;
		if (!free_now) break;
		o->ended = true;
		edge_more(o->x);
	}
	if (free_now) {
		s->next = k->subscriptions;
		k->subscriptions = s;
		set_tick(k);
	}
	pthread_mutex_unlock(&k->lock);
	return free_now;
}

static struct kinesis_subscription *make(struct call *c, const struct kinesis_rec_stream *stream,
	const struct kinesis_rec_consumer *consumer, const struct kinesis_rec_shard *shard, struct str arn,
	uint64_t next)
{
	struct kinesis_subscription *s = mem_new(sizeof(*s));
	arena_init(&s->own);
	s->k = c->state;
	s->x = call_exchange(c);
	s->account = str_dup(&s->own, stream->account);
	s->region = str_dup(&s->own, stream->region);
	s->stream = str_dup(&s->own, stream->name);
	s->consumer = str_dup(&s->own, consumer->name);
	s->arn = str_dup(&s->own, arn);
	s->consumer_created_ms = consumer->created.ms;
	s->place = (struct kinesis_place){.account = s->account,
		.region = s->region,
		.stream = s->stream,
		.id = (uint64_t)stream->id.v,
		.shard = (uint64_t)shard->number.v,
		.next = next};
	s->begun_ms = c->now_ms;
	s->out = BUF_HEAP;
	write_event(s, "event", STR("initial-response"), STR("{}"));
	return s;
}

status kinesis_subscribe_to_shard(struct call *c, const struct kinesis_subscribe_to_shard_input *in,
	struct kinesis_subscribe_to_shard_output *out)
{
	struct kinesis_rec_stream stream;
	struct kinesis_rec_consumer consumer;
	struct kinesis_rec_shard shard;
	uint64_t next;
	/* What is written are messages with JSON in them, which a client of the binary protocol would not read. */
	if (c->match.protocol != WIRE_JSON11)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "SubscribeToShard is implemented in JSON only.");
	TRY(kinesis_consumer_find(c, STR_NONE, STR_NONE, in->consumer_arn, &stream, &consumer));
	TRY(kinesis_shard_find(c, &stream, in->shard_id, &shard));
	const struct kinesis_start start = {.type = in->starting_position->type,
		.sequence = in->starting_position->sequence_number,
		.at = in->starting_position->timestamp,
		.shard_id = in->shard_id};
	TRY(kinesis_start_at(c, &stream, &shard, &start, &next));
	struct kinesis_subscription *s = make(c, &stream, &consumer, &shard, in->consumer_arn, next);
	if (!enlist(s, c->now_ms)) {
		buf_cleanup(&s->out);
		arena_cleanup(&s->own);
		free(s);
		return KINESIS_FAIL(c, RESOURCE_IN_USE,
			"Another active subscription exists for this consumer: %.*s, shard: %.*s",
			STR_ARG(in->consumer_arn), STR_ARG(in->shard_id));
	}
	struct body *b = arena_new(c->arena, struct body);
	*b = (struct body){.size = UINT64_MAX, .read = read_some, .close = end, .read_ctx = s};
	out->event_stream = b;
	return OK;
}
