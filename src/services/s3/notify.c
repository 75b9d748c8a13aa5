/* Event notifications: a change becomes one durable job for each configuration that asks for it, written with the
 * change; the job hands the message to the queue and is retried while that fails. So nothing is lost by a crash or a
 * target that is slow or gone, and a message may come twice, as on AWS ("Amazon S3 Event Notifications", "Event message
 * structure"). */
#include "services/s3/notify.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "services/s3/changed.h"
#include "services/s3/config.h"
#include "services/sns/door.h"
#include "services/sqs/send.h"

static const char delivery_kind[] = "s3.notify";
/* So long a message waits for a target that is not there (virtual time): as long as SQS keeps messages at most. */
enum { DELIVERY_DAYS = 14 };

struct named {
	const char *name; /* behind "s3:" */
	const char *version;
};
/* "2.1 … for non-cross-region replication events, 2.2 … for cross-region replication events, 2.3 for S3 Lifecycle,
 * S3 Intelligent-Tiering, object ACL, object tagging, and object restoration delete events" */
static const struct named names[S3_EVENTS] = {
	[S3_CREATED_PUT] = {"ObjectCreated:Put", "2.1"},
	[S3_CREATED_POST] = {"ObjectCreated:Post", "2.1"},
	[S3_CREATED_COPY] = {"ObjectCreated:Copy", "2.1"},
	[S3_CREATED_MULTIPART] = {"ObjectCreated:CompleteMultipartUpload", "2.1"},
	[S3_REMOVED] = {"ObjectRemoved:Delete", "2.1"},
	[S3_REMOVED_MARKER] = {"ObjectRemoved:DeleteMarkerCreated", "2.1"},
	[S3_TAGGED] = {"ObjectTagging:Put", "2.3"},
	[S3_UNTAGGED] = {"ObjectTagging:Delete", "2.3"},
	[S3_ACL_PUT] = {"ObjectAcl:Put", "2.3"},
	[S3_RESTORE_ASKED] = {"ObjectRestore:Post", "2.1"},
	[S3_RESTORED] = {"ObjectRestore:Completed", "2.1"},
	[S3_RESTORE_EXPIRED] = {"ObjectRestore:Delete", "2.3"},
	[S3_EXPIRED] = {"LifecycleExpiration:Delete", "2.3"},
	[S3_EXPIRED_MARKER] = {"LifecycleExpiration:DeleteMarkerCreated", "2.3"},
	[S3_TRANSITIONED] = {"LifecycleTransition", "2.3"},
	[S3_INTELLIGENT_TIERED] = {"IntelligentTiering", "2.3"},
	[S3_REPLICATION_FAILED] = {"Replication:OperationFailedReplication", "2.2"},
	[S3_REPLICATION_MISSED] = {"Replication:OperationMissedThreshold", "2.2"},
	[S3_REPLICATION_LATE] = {"Replication:OperationReplicatedAfterThreshold", "2.2"},
};

/* ── what a configuration asks for ── */

bool s3_notify_filter(const struct s3_notification_configuration_filter *f, struct str *prefix, struct str *suffix)
{
	*prefix = *suffix = STR("");
	if (!f || !f->key) return true;
	for (size_t i = 0; i < f->key->filter_rules.n; i++) {
		const struct s3_filter_rule *r = &f->key->filter_rules.v[i];
		struct str *into = str_ieq(r->name, STR("prefix"))   ? prefix
				   : str_ieq(r->name, STR("suffix")) ? suffix
								     : NULL;
		if (!into) return false;
		*into = str_or(r->value, STR(""));
	}
	return true;
}

bool s3_notify_event_covers(struct str wanted, struct str event)
{
	if (str_ends(wanted, STR(":*"))) return str_starts(event, str_sub(wanted, 0, wanted.n - 1));
	return str_eq(wanted, event);
}

struct str s3_notify_id(struct arena *a, struct str id, struct str arn, const struct s3_event_list *events,
	const struct s3_notification_configuration_filter *filter)
{
	if (!str_empty(id)) return id;
	struct str prefix, suffix;
	struct buf b = BUF_IN(a);
	uint8_t hash[32];
	(void)s3_notify_filter(filter, &prefix, &suffix);
	buf_fmt(&b, "%.*s\n%.*s\n%.*s\n", STR_ARG(arn), STR_ARG(prefix), STR_ARG(suffix));
	for (size_t i = 0; i < events->n; i++) buf_str(&b, events->v[i]);
	digest_sha256(buf_done(&b), hash);
	return str_base64(a, str_n(hash, 27));
}

static bool wants(const struct s3_notification_configuration_filter *filter, const struct s3_event_list *events,
	struct str event, struct str key)
{
	struct str prefix, suffix;
	if (!s3_notify_filter(filter, &prefix, &suffix) || !str_starts(key, prefix) || !str_ends(key, suffix))
		return false;
	for (size_t i = 0; i < events->n; i++)
		if (s3_notify_event_covers(events->v[i], event)) return true;
	return false;
}

/* ── the message ── */

static void member(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "\"%s\":", name);
	json_quote(b, str_or(value, STR("")));
}

/* "The sequencer … can be used to determine the order of events … on the same object key": strings of one length
 * compare as numbers do. Of two changes to one key the later transaction began after the earlier one's commit, so that
 * time and the store's tickets have grown. */
static struct str sequencer(struct call *c)
{
	return str_fmt(c->arena, "%012llX%08llX", (unsigned long long)clock_now(c->cloud->clock),
		(unsigned long long)(store_last_ticket(c->cloud->store) & 0xffffffff));
}

struct str s3_host_id(struct arena *a)
{
	uint8_t raw[48];
	rand_bytes(raw, sizeof raw);
	return str_base64(a, str_n(raw, sizeof raw));
}

/* As form data is encoded: "the object key name value is URL encoded … red+flower.jpg". */
static struct str form_encoded(struct arena *a, struct str key)
{
	struct str s = str_uri_encode(a, key, true);
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < s.n; i++) {
		if (s.n - i >= 3 && memcmp(s.p + i, "%20", 3) == 0) {
			buf_byte(&b, '+');
			i += 2;
		} else {
			buf_byte(&b, s.p[i]);
		}
	}
	return buf_done(&b);
}

static void write_object(struct call *c, struct buf *b, const struct s3_rec_bucket *bucket, struct str key,
	enum s3_event event, const struct s3_rec_object *o)
{
	bool gone = event == S3_REMOVED || event == S3_EXPIRED,
	     marker = event == S3_REMOVED_MARKER || event == S3_EXPIRED_MARKER;
	member(b, "key", form_encoded(c->arena, key));
	if (!gone && !marker) buf_fmt(b, ",\"size\":%ld", (long)o->size.v);
	if (!gone) {
		buf_byte(b, ',');
		member(b, "eTag", marker ? STR("d41d8cd98f00b204e9800998ecf8427e") : o->e_tag);
	}
	if (str_has(bucket->versioning) && str_has(o->version_id) && !str_is(o->version_id, "null")) {
		buf_byte(b, ',');
		member(b, "versionId", o->version_id);
	}
	buf_byte(b, ',');
	member(b, "sequencer", sequencer(c));
}

static struct str source_address(const struct call *c)
{
	if (!c->http) return STR("127.0.0.1");
	struct str peer = c->http->peer;
	ptrdiff_t colon = str_rchr(peer, ':');
	peer = colon < 0 ? peer : str_sub(peer, 0, (size_t)colon);
	return str_starts(peer, STR("[")) && str_ends(peer, STR("]")) ? str_sub(peer, 1, peer.n - 2) : peer;
}

/* Lifecycle acts in nobody's name: "s3.amazonaws.com". */
static struct str actor(struct call *c)
{
	if (!c->http || !str_has(c->principal.user_id)) return STR("s3.amazonaws.com");
	if (c->principal.kind == PRINCIPAL_ANONYMOUS) return STR("Anonymous");
	return str_fmt(c->arena, "AWS:%.*s", STR_ARG(c->principal.user_id));
}

static struct str arn_of(struct call *c, const struct s3_rec_bucket *b)
{
	return str_fmt(c->arena, "arn:%.*s:s3:::%.*s", STR_ARG(str_or(c->partition, STR("aws"))), STR_ARG(b->name));
}

static void write_replication(struct call *c, struct buf *b, enum s3_event event, const struct s3_replication_told *t)
{
	buf_lit(b, ",\"replicationEventData\":{");
	member(b, "replicationRuleId", t->rule);
	buf_byte(b, ',');
	member(b, "destinationBucket", t->destination_arn);
	buf_byte(b, ',');
	member(b, "s3Operation", t->operation);
	buf_byte(b, ',');
	member(b, "requestTime", time_iso8601(c->arena, t->since_ms, true));
	if (event == S3_REPLICATION_FAILED) {
		buf_byte(b, ',');
		member(b, "failureReason", t->failure);
	} else {
		buf_lit(b, ",\"threshold\":\"15\"");
	}
	if (event == S3_REPLICATION_LATE) buf_fmt(b, ",\"replicationTime\":\"%lld\"", (long long)t->took_s);
	buf_byte(b, '}');
}

static struct str message(struct call *c, const struct s3_rec_bucket *bucket, struct str key, enum s3_event event,
	const struct s3_rec_object *o, struct str configuration, const struct s3_replication_told *told)
{
	struct buf b = BUF_IN(c->arena);
	buf_lit(&b, "{\"Records\":[{");
	member(&b, "eventVersion", str_c(names[event].version));
	buf_lit(&b, ",\"eventSource\":\"aws:s3\",");
	member(&b, "awsRegion", bucket->region);
	buf_byte(&b, ',');
	member(&b, "eventTime", time_iso8601(c->arena, c->now_ms, true));
	buf_byte(&b, ',');
	member(&b, "eventName", str_c(names[event].name));
	buf_lit(&b, ",\"userIdentity\":{");
	member(&b, "principalId", actor(c));
	buf_lit(&b, "},\"requestParameters\":{");
	member(&b, "sourceIPAddress", source_address(c));
	buf_lit(&b, "},\"responseElements\":{");
	member(&b, "x-amz-request-id", c->request_id);
	buf_byte(&b, ',');
	member(&b, "x-amz-id-2", s3_host_id(c->arena));
	buf_lit(&b, "},\"s3\":{\"s3SchemaVersion\":\"1.0\",");
	member(&b, "configurationId", configuration);
	buf_lit(&b, ",\"bucket\":{");
	member(&b, "name", bucket->name);
	buf_lit(&b, ",\"ownerIdentity\":{");
	member(&b, "principalId", bucket->owner);
	buf_lit(&b, "},");
	member(&b, "arn", arn_of(c, bucket));
	buf_lit(&b, "},\"object\":{");
	write_object(c, &b, bucket, key, event, o);
	buf_lit(&b, "}}");
	if (event == S3_RESTORED) {
		buf_lit(&b, ",\"glacierEventData\":{\"restoreEventData\":{");
		member(&b, "lifecycleRestorationExpiryTime", time_iso8601(c->arena, c->now_ms, true));
		buf_byte(&b, ',');
		member(&b, "lifecycleRestoreStorageClass", o->storage_class);
		buf_lit(&b, "}}");
	}
	if (told) write_replication(c, &b, event, told);
	buf_lit(&b, "}]}");
	return buf_done(&b);
}

/* ── sending ── */

void s3_notify_send(struct call *c, const struct s3_rec_bucket *b, struct str queue_arn, struct str body)
{
	struct s3_rec_delivery d = {.queue = queue_arn,
		.body = body,
		.bucket_arn = arn_of(c, b),
		.account = b->owner,
		.since = SOME_TIME(c->now_ms)};
	struct job job = {
		.kind = str_c(delivery_kind),
		.id = rand_text(c->arena, STR("0123456789abcdefghijklmnopqrstuv"), 24),
		.due_ms = clock_now(c->cloud->clock),
		.payload = s3_rec_delivery_encode(c->arena, &d),
	};
	jobs_schedule(c->tx, &job);
	s3_poke_jobs(c);
}

struct str s3_notify_test_event(struct call *c, const struct s3_rec_bucket *b)
{
	struct buf m = BUF_IN(c->arena);
	buf_lit(&m, "{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",");
	member(&m, "Time", time_iso8601(c->arena, c->now_ms, true));
	buf_byte(&m, ',');
	member(&m, "Bucket", b->name);
	buf_byte(&m, ',');
	member(&m, "RequestId", c->request_id);
	buf_byte(&m, ',');
	member(&m, "HostId", s3_host_id(c->arena));
	buf_byte(&m, '}');
	return buf_done(&m);
}

status s3_notify(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o)
{
	return s3_notify_replication(c, b, key, event, o, NULL);
}

status s3_notify_replication(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o, const struct s3_replication_told *told)
{
	struct s3_put_bucket_notification_configuration_input conf;
	if (!names[event].name) return OK;
	status s = s3_config_get(c, b, S3_CONFIG_NOTIFICATION, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !conf.notification_configuration)) return OK;
	TRY(s);
	struct str name = str_fmt(c->arena, "s3:%s", names[event].name);
	const struct s3_queue_configuration_list *queues = &conf.notification_configuration->queue_configurations;
	for (size_t i = 0; i < queues->n; i++) {
		const struct s3_queue_configuration *q = &queues->v[i];
		if (!wants(q->filter, &q->events, name, key)) continue;
		struct str id = s3_notify_id(c->arena, q->id, q->queue_arn, &q->events, q->filter);
		s3_notify_send(c, b, q->queue_arn, message(c, b, key, event, o, id, told));
	}
	const struct s3_topic_configuration_list *topics = &conf.notification_configuration->topic_configurations;
	for (size_t i = 0; i < topics->n; i++) {
		const struct s3_topic_configuration *t = &topics->v[i];
		if (!wants(t->filter, &t->events, name, key)) continue;
		struct str id = s3_notify_id(c->arena, t->id, t->topic_arn, &t->events, t->filter);
		s3_notify_send(c, b, t->topic_arn, message(c, b, key, event, o, id, told));
	}
	return OK;
}

static status deliver(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct s3_rec_delivery d = {0};
	(void)again_ms;
	TRY(s3_rec_delivery_decode(a, job->payload, &d));
	struct sqs_delivery to = {.queue_arn = d.queue,
		.body = d.body,
		.service = STR("s3.amazonaws.com"),
		.source_arn = d.bucket_arn,
		.source_account = d.account};
	struct sns_publication publication = {.topic_arn = d.queue,
		.message = d.body,
		.subject = STR("Amazon S3 Notification"),
		.service = to.service,
		.source_arn = to.source_arn,
		.source_account = to.source_account};
	bool topic = str_find(d.queue, STR(":sns:")) >= 0;
	status s = topic ? sns_publish_in(cloud, tx, a, &publication) : sqs_deliver(cloud, a, &to);
	if (is_ok(s)) return OK;
	if (clock_now(cloud->clock) - d.since.ms < DELIVERY_DAYS * 86400000ll) return s;
	log_warn("s3", "notification-dropped", "queue=%.*s status=%s", STR_ARG(d.queue), status_name(s));
	return OK;
}

void s3_notify_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, delivery_kind, deliver, cloud);
}
