/* Metrics of calls: SQS and SNS count what they are asked, as it is answered; and what is noted (metrics.h).
 * Notes are kept in memory, by metric and minute, and written once a minute and at the end, so that counting costs no
 * commit: a crash loses the last minute's. Queues that were used within six hours are also asked how many messages they
 * hold ("Available CloudWatch metrics for Amazon SQS": such queues are active). */
#include "base/log.h"
#include "base/map.h"
#include "services/cloudwatch/insight_rules.h"
#include "services/cloudwatch/room.h"
#include "services/sqs/send.h"
#include "sns.h"
#include "sqs.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char kind[] = "cloudwatch.collect";
enum { MINUTE_MS = 60000, ACTIVE_MS = 6 * 3600000, KEY_MAX = 2048, NOTES_MAX = 200000 };

struct noted {
	struct metric metric; /* its strings, and dimensions, lie behind it */
	struct metric_dimension dimensions[METRIC_NOTE_DIMENSIONS];
	const char *unit;
	int64_t at_ms;
	struct metric_statistics s;
};
struct cw_collector {
	struct cloud *cloud;
	pthread_mutex_t lock;
	struct map notes;  /* of struct noted */
	struct map queues; /* "account region name": int64_t *, when it was used */
	struct cw_insights *insights;
	struct cw_seen *seen;
};

static struct cw_collector *collector_of(struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i]->model == &wire_service_cloudwatch)
			return cloud->service_state ? cloud->service_state[i] : NULL;
	return NULL;
}

struct cw_insights *cw_insights_of(struct cloud *cloud)
{
	struct cw_collector *k = collector_of(cloud);
	return k ? k->insights : NULL;
}

struct cw_seen *cw_collect_seen(struct cw_collector *k)
{
	return k->seen;
}

/* ── noting ── */

static struct str keep(char **p, struct str s)
{
	struct str r = {*p, s.n};
	memcpy(*p, s.p, s.n);
	*p += s.n;
	return r;
}

static struct noted *new_note(const struct metric_note *n)
{
	size_t bytes = n->account.n + n->region.n + n->space.n + n->name.n;
	for (size_t i = 0; i < n->n_dimensions; i++) bytes += n->dimensions[i].name.n + n->dimensions[i].value.n;
	struct noted *d = mem_new(sizeof(*d) + bytes);
	char *p = (char *)(d + 1);
	for (size_t i = 0; i < n->n_dimensions; i++)
		d->dimensions[i] =
			(struct metric_dimension){keep(&p, n->dimensions[i].name), keep(&p, n->dimensions[i].value)};
	d->metric = (struct metric){keep(&p, n->account), keep(&p, n->region), keep(&p, n->space), keep(&p, n->name),
		d->dimensions, n->n_dimensions};
	d->unit = n->unit;
	d->at_ms = n->at_ms - n->at_ms % MINUTE_MS;
	return d;
}

static void add_part(char *key, size_t *n, struct str s)
{
	if (*n + s.n + 1 > KEY_MAX) return;
	memcpy(key + *n, s.p, s.n);
	*n += s.n;
	key[(*n)++] = 0;
}

static void note(struct cw_collector *k, const struct metric_note *n)
{
	char key[KEY_MAX];
	size_t length = 8;
	int64_t minute = n->at_ms / MINUTE_MS;
	memcpy(key, &minute, 8);
	add_part(key, &length, n->name);
	add_part(key, &length, n->account);
	add_part(key, &length, n->region);
	add_part(key, &length, n->space);
	for (size_t i = 0; i < n->n_dimensions; i++) add_part(key, &length, n->dimensions[i].value);
	pthread_mutex_lock(&k->lock);
	struct noted *d = map_get(&k->notes, str_n(key, length));
	if (!d && k->notes.count < NOTES_MAX) {
		d = new_note(n);
		map_set(&k->notes, str_n(key, length), d);
	}
	if (d) {
		d->s.min = d->s.n > 0 && d->s.min < n->value ? d->s.min : n->value;
		d->s.max = d->s.n > 0 && d->s.max > n->value ? d->s.max : n->value;
		d->s.sum += n->value;
		d->s.n++;
	}
	pthread_mutex_unlock(&k->lock);
}

void metrics_note(struct cloud *cloud, const struct metric_note *n)
{
	struct cw_collector *k = collector_of(cloud);
	if (k) note(k, n);
}

/* ── calls ── */

struct counted {
	struct cw_collector *k;
	const struct call *c;
	struct metric_note note;
};

static void count(struct counted *x, const char *name, const char *unit, double value)
{
	x->note.name = str_c(name);
	x->note.unit = unit;
	x->note.value = value;
	note(x->k, &x->note);
}

static struct counted counting(
	struct cw_collector *k, const struct call *c, const char *space, const char *dimension, struct str value)
{
	struct counted x = {k, c,
		{.account = c->account,
			.region = c->region,
			.space = str_c(space),
			.n_dimensions = 1,
			.at_ms = c->now_ms}};
	x.note.dimensions[0] = (struct metric_dimension){str_c(dimension), value};
	return x;
}

static void use_queue(struct cw_collector *k, const struct call *c, struct str name)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%.*s %.*s %.*s", STR_ARG(c->account), STR_ARG(c->region), STR_ARG(name));
	if (n <= 0 || (size_t)n >= sizeof(text)) return;
	pthread_mutex_lock(&k->lock);
	int64_t *at = map_get(&k->queues, str_n(text, (size_t)n));
	if (!at) {
		at = mem_new(sizeof(*at));
		map_set(&k->queues, str_n(text, (size_t)n), at);
	}
	*at = c->now_ms;
	pthread_mutex_unlock(&k->lock);
}

static void on_sqs(struct cw_collector *k, const struct call *c, const void *in, const void *out)
{
	struct str url = call_input_string(c, in, "QueueUrl");
	ptrdiff_t slash = str_has(url) ? str_rchr(url, '/') : -1;
	if (slash < 0) return;
	struct str name = str_from(url, (size_t)slash + 1);
	struct counted x = counting(k, c, "AWS/SQS", "QueueName", name);
	size_t n;
	switch (c->match.op_index) {
	case SQS_OP_SEND_MESSAGE:
		count(&x, "NumberOfMessagesSent", "Count", 1);
		count(&x, "SentMessageSize", "Bytes",
			(double)((const struct sqs_send_message_input *)in)->message_body.n);
		break;
	case SQS_OP_SEND_MESSAGE_BATCH:
		n = ((const struct sqs_send_message_batch_output *)out)->successful.n;
		if (n) count(&x, "NumberOfMessagesSent", "Count", (double)n);
		break;
	case SQS_OP_RECEIVE_MESSAGE:
		n = ((const struct sqs_receive_message_output *)out)->messages.n;
		if (n)
			count(&x, "NumberOfMessagesReceived", "Count", (double)n);
		else
			count(&x, "NumberOfEmptyReceives", "Count", 1);
		break;
	case SQS_OP_DELETE_MESSAGE:
		count(&x, "NumberOfMessagesDeleted", "Count", 1);
		break;
	case SQS_OP_DELETE_MESSAGE_BATCH:
		n = ((const struct sqs_delete_message_batch_output *)out)->successful.n;
		if (n) count(&x, "NumberOfMessagesDeleted", "Count", (double)n);
		break;
	default:
		return;
	}
	use_queue(k, c, name);
}

static void on_sns(struct cw_collector *k, const struct call *c, const void *in)
{
	if (c->match.op_index != SNS_OP_PUBLISH) return;
	const struct sns_publish_input *p = in;
	struct str arn = str_or(p->topic_arn, p->target_arn);
	ptrdiff_t colon = str_has(arn) ? str_rchr(arn, ':') : -1;
	if (colon < 0) return;
	struct counted x = counting(k, c, "AWS/SNS", "TopicName", str_from(arn, (size_t)colon + 1));
	count(&x, "NumberOfMessagesPublished", "Count", 1);
	count(&x, "PublishSize", "Bytes", (double)p->message.n);
}

static void on_call(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct cw_collector *k = ctx;
	const struct call *c = e->detail;
	(void)phase;
	(void)tx;
	const void *in = call_input(c), *out = call_output(c);
	if (!in) return;
	bool good = c->answered_code < 300 && out;
	if (c->match.service == &wire_service_sqs && good) on_sqs(k, c, in, out);
	if (c->match.service == &wire_service_sns && good) on_sns(k, c, in);
}

/* ── writing ── */

static void write_notes(struct cw_collector *k)
{
	struct map notes;
	map_init(&notes);
	pthread_mutex_lock(&k->lock);
	struct map full = k->notes;
	k->notes = notes;
	pthread_mutex_unlock(&k->lock);
	struct metric_point *points = mem_new((full.count + 1) * sizeof(*points));
	size_t n = 0;
	for (struct map_entry *e = NULL; (e = map_next(&full, e));) {
		struct noted *d = e->value;
		points[n++] = (struct metric_point){
			.metric = &d->metric, .at_ms = d->at_ms, .unit = d->unit, .statistics = &d->s};
	}
	status s = n ? metrics_put(k->cloud, points, n) : OK;
	if (!is_ok(s)) log_warn("cloudwatch", "notes_lost", "n=%zu status=%s", n, status_name(s));
	free(points);
	map_cleanup(&full, free);
}

static void ask_queue(
	struct cw_collector *k, struct arena *a, struct str account, struct str region, struct str name, int64_t now)
{
	struct sqs_counts counts;
	struct metric_dimension d = {STR("QueueName"), name};
	struct str arn = str_fmt(a, "arn:aws:sqs:%.*s:%.*s:%.*s", STR_ARG(region), STR_ARG(account), STR_ARG(name));
	if (!is_ok(sqs_count(k->cloud, a, arn, &counts))) return;
	const struct {
		const char *name, *unit;
		double value;
	} all[] = {{"ApproximateNumberOfMessagesVisible", "Count", (double)counts.visible},
		{"ApproximateNumberOfMessagesNotVisible", "Count", (double)counts.in_flight},
		{"ApproximateNumberOfMessagesDelayed", "Count", (double)counts.delayed},
		{"ApproximateAgeOfOldestMessage", "Seconds",
			counts.oldest_ms ? (double)(now - counts.oldest_ms) / 1000 : 0}};
	struct metric metrics[4];
	struct metric_point points[4];
	for (size_t i = 0; i < 4; i++) {
		metrics[i] = (struct metric){account, region, STR("AWS/SQS"), str_c(all[i].name), &d, 1};
		points[i] = (struct metric_point){
			.metric = &metrics[i], .at_ms = now - MINUTE_MS, .unit = all[i].unit, .value = all[i].value};
	}
	status s = metrics_put(k->cloud, points, 4);
	if (!is_ok(s)) log_warn("cloudwatch", "queue_not_told", "queue=%.*s status=%s", STR_ARG(name), status_name(s));
}

struct names {
	struct str *v;
	size_t n, capacity;
};

static status collect(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cw_collector *k = ctx;
	int64_t now = clock_now(k->cloud->clock);
	struct names active = {0}, idle = {0};
	(void)tx;
	(void)job;
	write_notes(k);
	cw_insights_flush(k->insights, now);
	pthread_mutex_lock(&k->lock);
	for (struct map_entry *e = NULL; (e = map_next(&k->queues, e));) {
		struct names *l = now - *(int64_t *)e->value < ACTIVE_MS ? &active : &idle;
		*VEC_PUSH(a, l, &l->capacity) = str_dup(a, e->key);
	}
	for (size_t i = 0; i < idle.n; i++) free(map_remove(&k->queues, idle.v[i]));
	pthread_mutex_unlock(&k->lock);
	for (size_t i = 0; i < active.n; i++) {
		struct str name = active.v[i], account = str_cut(&name, ' '), region = str_cut(&name, ' ');
		ask_queue(k, a, account, region, name, now);
	}
	*again_ms = now - now % MINUTE_MS + MINUTE_MS;
	return OK;
}

/* ── life ── */

struct cw_collector *cw_collect_start(struct cloud *cloud)
{
	struct cw_collector *k = mem_new(sizeof(*k));
	k->cloud = cloud;
	pthread_mutex_init(&k->lock, NULL);
	map_init(&k->notes);
	map_init(&k->queues);
	k->insights = cw_insights_new(cloud);
	k->seen = cw_seen_new();
	jobs_register(cloud->jobs, kind, collect, k);
	bus_subscribe(cloud->bus, BUS_DONE, "call", on_call, k);
	return k;
}

struct job cw_collect_job(int64_t now_ms)
{
	return (struct job){.kind = str_c(kind),
		.id = STR("all"),
		.due_ms = now_ms - now_ms % MINUTE_MS + MINUTE_MS,
		.payload = STR("")};
}

void cw_collect_reset(struct cw_collector *k)
{
	cw_insights_reset(k->insights);
	cw_seen_reset(k->seen);
	pthread_mutex_lock(&k->lock);
	map_cleanup(&k->notes, free);
	map_init(&k->notes);
	map_cleanup(&k->queues, free);
	map_init(&k->queues);
	pthread_mutex_unlock(&k->lock);
}

void cw_collect_stop(struct cw_collector *k)
{
	write_notes(k);
	cw_insights_free(k->insights);
	cw_seen_free(k->seen);
	map_cleanup(&k->notes, free);
	map_cleanup(&k->queues, free);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
