/* Subscriptions' events on their way. What passes a subscription's pattern becomes a message ("Using subscription
 * filters", "Each record's data is gzip of JSON") in the subscription's outbox, in the transaction that stores the
 * events; a job moves messages from there into the destination's stream, in one transaction too. So each is in the
 * stream once, whatever crashes, and those of one log stream in the order in which they were put.
 *
 *     ("logs", "outbox", account, region, group, name, number, part)     record outgoing
 *     ("logs", "outbox-idle", account, region, group, name)              there while no job is due
 *
 * group "" for the account's policy. A writer takes the idle mark and schedules the job; the job sets the mark only if
 * its commit finds the outbox empty. */
#include "base/gzip.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "services/cloudwatch/metrics.h"
#include "services/kinesis/put.h"
#include "services/logs/chunk.h"
#include "services/logs/pattern.h"

static const char kind[] = "logs.delivery";
enum {
	MESSAGE_BYTES = 700 * 1024, /* of JSON: packed, it has to fit into a record of 1 MiB */
	AT_ONCE = 100,
	BYTES_AT_ONCE = 4 << 20,
	GATHER_MS = 250, /* a job may find more than the one message that woke it */
	SOON_MS = 500,
	LATER_MS = 60 * 1000,
};
#define KEEP_MS (24ll * 3600 * 1000) /* "CloudWatch Logs retries … for up to 24 hours" */

/* ── in ── */

static struct str outbox_key(
	struct arena *a, const char *what, struct str account, struct str region, struct str group, struct str name)
{
	return logs_key_in(a, what, account, region, group, name);
}

static struct job job_of(
	struct arena *a, struct str account, struct str region, struct str group, struct str name, int64_t due_ms)
{
	struct logs_rec_delivery d = {account, region, group, name};
	return (struct job){.kind = str_c(kind),
		.id = str_fmt(
			a, "%.*s/%.*s/%.*s:%.*s", STR_ARG(account), STR_ARG(region), STR_ARG(group), STR_ARG(name)),
		.due_ms = due_ms,
		.payload = logs_rec_delivery_encode(a, &d)};
}

void logs_delivery_begin(struct call *c, struct str group, struct str name)
{
	store_put(c->tx, outbox_key(c->arena, "outbox-idle", c->account, c->region, group, name), STR(""));
}

status logs_delivery_end(struct call *c, struct str group, struct str name)
{
	struct job job = job_of(c->arena, c->account, c->region, group, name, 0);
	store_delete(c->tx, outbox_key(c->arena, "outbox-idle", c->account, c->region, group, name));
	jobs_cancel(c->tx, job.kind, job.id);
	return logs_drop(c->tx, c->arena, outbox_key(c->arena, "outbox", c->account, c->region, group, name));
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static status wake(struct call *c, const struct logs_subscription *s)
{
	struct str value, idle = outbox_key(c->arena, "outbox-idle", c->account, c->region, s->group, s->name);
	status known = store_get(c->tx, idle, &value);
	if (status_is(known, STATUS_NOT_FOUND)) return OK; /* a job is due, and will meet what was put */
	TRY(known);
	store_delete(c->tx, idle);
	struct job job = job_of(c->arena, c->account, c->region, s->group, s->name, c->now_ms + GATHER_MS);
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

struct message {
	struct call *c;
	const struct logs_subscription *s;
	struct str group, stream;
	uint64_t number, part;
	struct buf text;
	int64_t n;
};

static void flush(struct message *m)
{
	struct arena *a = m->c->arena;
	if (!m->n) return;
	buf_lit(&m->text, "]}");
	struct logs_rec_outgoing o = {.at = SOME_TIME(m->c->now_ms),
		.group = m->group,
		.stream = m->stream,
		.body = buf_done(&m->text),
		.events = SOME_I64(m->n)};
	struct key k = key_begin(a);
	key_append(&k, outbox_key(a, "outbox", m->c->account, m->c->region, m->s->group, m->s->name));
	key_u64(&k, m->number);
	key_u64(&k, m->part++);
	store_put(m->c->tx, key_done(&k), logs_rec_outgoing_encode(a, &o));
	m->text = BUF_IN(a);
	m->n = 0;
}

static void add(struct message *m, const struct logs_position *at, struct str text)
{
	if (m->n && m->text.n + text.n > MESSAGE_BYTES) flush(m);
	if (!m->n) {
		buf_fmt(&m->text,
			"{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"%.*s\",\"logGroup\":", STR_ARG(m->c->account));
		json_quote(&m->text, m->group);
		buf_lit(&m->text, ",\"logStream\":");
		json_quote(&m->text, m->stream);
		buf_lit(&m->text, ",\"subscriptionFilters\":[");
		json_quote(&m->text, m->s->name);
		buf_lit(&m->text, "],\"logEvents\":[");
	}
	buf_fmt(&m->text, "%s{\"id\":\"%.*s\",\"timestamp\":%lld,\"message\":", m->n++ ? "," : "",
		STR_ARG(logs_event_id(m->c->arena, at)), (long long)at->at);
	json_quote(&m->text, text);
	buf_byte(&m->text, '}');
}

static status run_one(struct call *c, const struct logs_subscription *sub, const struct logs_rec_group *g,
	const struct logs_rec_stream *r, uint64_t number, const struct logs_input_log_event *v, size_t n)
{
	struct logs_pattern *p;
	struct str why;
	struct arena *a = c->arena;
	struct message m = {.c = c, .s = sub, .group = g->name, .stream = r->name, .number = number, .text = BUF_IN(a)};
	if (!is_ok(logs_pattern_read(a, sub->pattern, &p, &why))) return STATUS(CORRUPT);
	for (size_t i = 0; i < n; i++) {
		if (!logs_pattern_passes(p, a, v[i].message)) continue;
		struct logs_position at = {
			.at = v[i].timestamp.v, .number = number, .place = (uint32_t)i, .stream = (uint64_t)r->id.v};
		add(&m, &at, v[i].message);
	}
	logs_pattern_end(p);
	bool any = m.n || m.part;
	flush(&m);
	return any ? wake(c, sub) : OK;
}

status logs_subscriptions_run(struct call *c, const struct logs_rec_group *g, const struct logs_rec_stream *s,
	uint64_t number, const struct logs_input_log_event *v, const struct logs_input_log_event *made, size_t n)
{
	struct logs_subscriptions list = {0};
	TRY(logs_subscriptions_of(c->tx, c->arena, c->account, c->region, g->name, &list));
	for (size_t i = 0; i < list.n; i++)
		TRY(run_one(c, &list.v[i], g, s, number, list.v[i].transformed && made ? made : v, n));
	return OK;
}

/* ── out ── */

static struct kinesis_put record_of(
	struct arena *a, const struct logs_subscription *s, struct str body, struct str stream)
{
	uint8_t md5[16];
	digest_md5(stream, md5);
	return (struct kinesis_put){.data = gzip_pack(a, body),
		.partition_key = s->random ? rand_uuid(a) : str_hex(a, str_n(md5, sizeof(md5)))};
}

struct batch {
	struct kinesis_put v[AT_ONCE];
	struct logs_rec_outgoing o[AT_ONCE];
	struct str keys[AT_ONCE];
	size_t n;
};

static status collect(
	struct store_tx *tx, struct arena *a, const struct logs_subscription *s, struct str outbox, struct batch *b)
{
	struct str key, value;
	size_t bytes = 0;
	status st = OK;
	struct store_scan *scan = store_scan_begin(tx, outbox, key_after(a, outbox), false);
	while (is_ok(st) && b->n < AT_ONCE && bytes < BYTES_AT_ONCE && store_scan_next(scan, &key, &value)) {
		st = logs_rec_outgoing_decode(a, str_dup(a, value), &b->o[b->n]);
		if (!is_ok(st)) break;
		b->keys[b->n] = str_dup(a, key);
		b->v[b->n] = record_of(a, s, b->o[b->n].body, b->o[b->n].stream);
		bytes += b->v[b->n++].data.n;
	}
	status end = store_scan_end(scan);
	return is_ok(st) ? end : st;
}

/* "Monitoring usage with CloudWatch metrics": what was forwarded, and what was not. */
static status meter(struct store_tx *tx, struct arena *a, const struct logs_rec_delivery *d, const struct batch *b,
	size_t i, const char *name, const char *unit, double value, int64_t now)
{
	const struct metric_dimension dimensions[] = {{STR("LogGroupName"), b->o[i].group},
		{STR("DestinationType"), STR("Kinesis")}, {STR("FilterName"), d->name}};
	const struct metric m = {d->account, d->region, STR("AWS/Logs"), str_c(name), dimensions, 3};
	const struct metric_point p = {.metric = &m, .at_ms = now, .unit = unit, .value = value};
	return metrics_put_in(tx, a, &p, 1, now);
}

static status settle(struct store_tx *tx, struct arena *a, const struct logs_rec_delivery *d, struct batch *b,
	bool failed, int64_t now, bool *throttled)
{
	for (size_t i = 0; i < b->n; i++) {
		/* Neither in the stream nor throttled, though the stream takes records: it never will be (its size). */
		bool hopeless = !failed && !b->v[i].done && !b->v[i].throttled;
		bool late = !b->v[i].done && b->o[i].at.ms < now - KEEP_MS;
		*throttled |= !failed && b->v[i].throttled && !late;
		if (b->v[i].done) {
			TRY(meter(tx, a, d, b, i, "ForwardedLogEvents", "None", (double)b->o[i].events.v, now));
			TRY(meter(tx, a, d, b, i, "ForwardedBytes", "Bytes", (double)b->v[i].data.n, now));
		} else if (failed || hopeless) {
			TRY(meter(tx, a, d, b, i, "DeliveryErrors", "None", (double)b->o[i].events.v, now));
		} else {
			TRY(meter(tx, a, d, b, i, "DeliveryThrottling", "None", (double)b->o[i].events.v, now));
		}
		if (hopeless || late)
			log_warn("logs", "event-not-delivered", "filter=%.*s why=\"%.*s\"", STR_ARG(d->name),
				STR_ARG(b->v[i].why));
		if (b->v[i].done || hopeless || late) store_delete(tx, b->keys[i]);
	}
	return OK;
}

static status deliver(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct logs *l = ctx;
	struct logs_rec_delivery d = {0};
	struct logs_subscription s;
	struct logs_target t;
	struct batch *b = arena_new(a, struct batch);
	struct str why = STR("");
	int64_t now = clock_now(l->cloud->clock);
	TRY(logs_rec_delivery_decode(a, job->payload, &d));
	struct str outbox = outbox_key(a, "outbox", d.account, d.region, d.group, d.name);
	status st = logs_subscription_get(tx, a, d.account, d.region, d.group, d.name, &s);
	/* Deleted meanwhile, or the account has another by now. */
	if (status_is(st, STATUS_NOT_FOUND) || (is_ok(st) && !str_eq(s.name, d.name))) return OK;
	TRY(st);
	TRY(collect(tx, a, &s, outbox, b));
	if (!b->n) {
		store_require_empty(tx, outbox, key_after(a, outbox));
		store_put(tx, outbox_key(a, "outbox-idle", d.account, d.region, d.group, d.name), STR(""));
		return OK;
	}
	st = logs_target_of(tx, a, d.account, d.region, &s, &t);
	if (is_ok(st)) st = logs_target_permits(l->cloud, a, &t, &why);
	if (is_ok(st)) st = kinesis_put_in(l->cloud, tx, a, t.stream, b->v, b->n, now);
	/* The destination, its stream or role is gone, or does not let. */
	bool failed = status_is(st, STATUS_NOT_FOUND) || status_is(st, STATUS_INVALID) || status_is(st, STATUS_FAILED);
	bool throttled = false;
	if (!is_ok(st) && !failed) return st;
	TRY(settle(tx, a, &d, b, failed, now, &throttled));
	*again_ms = failed ? now + LATER_MS : throttled ? now + SOON_MS : now;
	return OK;
}

void logs_delivery_start(struct logs *l)
{
	jobs_register(l->cloud->jobs, kind, deliver, l);
}

/* ── the test message ── */

static status refuse(struct call *c)
{
	return LOGS_FAIL(c, INVALID_PARAMETER,
		"Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in "
		"ACTIVE state.");
}

status logs_delivery_try(struct call *c, const struct logs_subscription *s)
{
	struct logs_target t;
	struct str rest = s->destination, why;
	struct buf text = BUF_IN(c->arena);
	for (int i = 0; i < 2; i++) (void)str_cut(&rest, ':');
	struct str vendor = str_has(rest) ? str_cut(&rest, ':') : STR("");
	bool logical = str_is(vendor, "logs");
	if (str_is(vendor, "lambda") || str_is(vendor, "firehose"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Subscriptions to %s are not implemented yet.",
			str_is(vendor, "lambda") ? "Lambda functions" : "Firehose streams");
	if (!logical && !str_is(vendor, "kinesis"))
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"PutSubscriptionFilter operation cannot work with destinationArn for vendor %.*s",
			STR_ARG(vendor));
	if (!logical && !str_has(s->role))
		return LOGS_FAIL(c, INVALID_PARAMETER, "destinationArn for vendor kinesis requires a roleArn");
	status st = logs_target_of(c->tx, c->arena, c->account, c->region, s, &t);
	if (status_is(st, STATUS_NOT_FOUND) || status_is(st, STATUS_INVALID))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified destination does not exist.");
	TRY(st);
	st = logs_target_permits(c->cloud, c->arena, &t, &why);
	if (status_is(st, STATUS_FAILED)) return refuse(c);
	TRY(st);
	/* "CONTROL_MESSAGE … mainly for checking if the destination is reachable". */
	buf_fmt(&text,
		"{\"messageType\":\"CONTROL_MESSAGE\",\"owner\":\"CloudwatchLogs\",\"logGroup\":\"\",\"logStream\":"
		"\"\","
		"\"subscriptionFilters\":[],\"logEvents\":[{\"id\":\"\",\"timestamp\":%lld,\"message\":\"CWL CONTROL "
		"MESSAGE: Checking health of destination Kinesis stream.\"}]}",
		(long long)c->now_ms);
	struct kinesis_put record = record_of(c->arena, s, buf_done(&text), s->name);
	st = kinesis_put_in(c->cloud, c->tx, c->arena, t.stream, &record, 1, c->now_ms);
	if (status_is(st, STATUS_NOT_FOUND) || status_is(st, STATUS_FAILED)) return refuse(c);
	TRY(st);
	return record.done || record.throttled ? OK : refuse(c);
}
