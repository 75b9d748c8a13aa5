/* Delivering: every five minutes a durable job packs what waits for a trail into log files, one for each account and
 * region
 * ("CloudTrail log file examples", file name format), and each hour a digest ("Validating CloudTrail log file
 * integrity"). The files, the removal of their events and the note for the digest are one transaction: nothing is
 * delivered twice or lost. While the bucket refuses, events wait. */
#include "base/gzip.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "services/cloudtrail/room.h"
#include "services/sns/door.h"

static const char kind[] = "cloudtrail.deliver";
enum { EVENTS_PER_FILE = 2000, FILE_BYTES_MAX = 8 << 20, FILES_PER_RUN = 8, TRIES = 50 };
#define EVERY_MS (5 * 60 * 1000ll)
#define HOUR_MS (60 * 60 * 1000ll)

struct str ct_pending_space(struct arena *a, const struct cloudtrail_rec_trail *t)
{
	return ct_trail_key(a, "pending", t->account, t->region, t->name);
}

struct str ct_stream_key(
	struct arena *a, const char *what, const struct cloudtrail_rec_trail *t, struct str account, struct str region)
{
	struct key k = key_begin(a);
	key_append(&k, ct_trail_key(a, what, t->account, t->region, t->name));
	key_str(&k, account);
	key_str(&k, region);
	return key_done(&k);
}

status ct_status_get(
	struct store_tx *tx, struct arena *a, const struct cloudtrail_rec_trail *t, struct cloudtrail_rec_status *out)
{
	struct str bytes;
	*out = (struct cloudtrail_rec_status){0};
	status s = store_get(tx, ct_trail_key(a, "status", t->account, t->region, t->name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return cloudtrail_rec_status_decode(a, bytes, out);
}

/* ── one log file ── */

struct log_file {
	struct call *c;
	const struct cloudtrail_rec_trail *t;
	struct str account, region;
	struct buf text;
	size_t n;
	int64_t oldest, newest;
	struct {
		struct str *v;
		size_t n;
	} keys;
	size_t capacity;
};

/* ACCOUNT_CloudTrail_REGION_20150801T0210Z_0N8cXWlQ9gHbHS7b.json.gz in …/CloudTrail/REGION/2015/08/01/ */
static struct str key_of(const struct log_file *f)
{
	struct arena *a = f->c->arena;
	struct str day = time_iso8601(a, f->c->now_ms, false), basic = time_basic(a, f->c->now_ms);
	struct str unique = rand_text(a, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), 16);
	return str_fmt(a, "%.*sCloudTrail/%.*s/%.*s/%.*s/%.*s/%.*s_CloudTrail_%.*s_%.*sZ_%.*s.json.gz",
		STR_ARG(ct_log_prefix(a, f->t, f->account)), STR_ARG(f->region), 4, day.p, 2, day.p + 5, 2, day.p + 8,
		STR_ARG(f->account), STR_ARG(f->region), 13, basic.p, STR_ARG(unique));
}

static void note_file(const struct log_file *f, struct str key, struct str text)
{
	struct call *c = f->c;
	uint8_t hash[32];
	digest_sha256(text, hash);
	struct cloudtrail_rec_file r = {.bucket = f->t->bucket,
		.key = key,
		.hash = str_hex(c->arena, str_n(hash, sizeof(hash))),
		.oldest = SOME_TIME(f->oldest),
		.newest = SOME_TIME(f->newest)};
	struct key k = key_begin(c->arena);
	key_append(&k, ct_stream_key(c->arena, "file", f->t, f->account, f->region));
	key_i64(&k, c->now_ms);
	key_str(&k, key);
	store_put(c->tx, key_done(&k), cloudtrail_rec_file_encode(c->arena, &r));
}

/* Keys of one round's files, for the notification. */
struct told {
	struct str *v;
	size_t n, capacity;
};

static status close_file(struct log_file *f, struct told *told)
{
	struct call *c = f->c;
	if (!f->n) return OK;
	buf_lit(&f->text, "]}");
	struct str text = buf_done(&f->text), key = key_of(f);
	*VEC_PUSH(c->arena, told, &told->capacity) = key;
	struct ct_put put = {.key = key, .bytes = gzip_pack(c->arena, text), .signature = STR_NONE};
	TRY(ct_bucket_put(c, f->t, &put));
	if (f->t->validation.v) note_file(f, key, text);
	for (size_t i = 0; i < f->keys.n; i++) store_delete(c->tx, f->keys.v[i]);
	return OK;
}

static void add_event(struct log_file *f, struct str key, const struct cloudtrail_rec_event *e)
{
	if (!f->n) {
		f->account = e->account;
		f->region = e->region;
		f->text = BUF_IN(f->c->arena);
		f->oldest = e->time.ms;
		buf_lit(&f->text, "{\"Records\":[");
	}
	if (f->n++) buf_byte(&f->text, ',');
	buf_str(&f->text, e->text);
	if (e->time.ms < f->oldest) f->oldest = e->time.ms;
	if (e->time.ms > f->newest) f->newest = e->time.ms;
	*VEC_PUSH(f->c->arena, &f->keys, &f->capacity) = str_dup(f->c->arena, key);
}

static bool is_full(const struct log_file *f, const struct cloudtrail_rec_event *next)
{
	return f->n && (!str_eq(f->account, next->account) || !str_eq(f->region, next->region) ||
			       f->n >= EVENTS_PER_FILE || f->text.n > FILE_BYTES_MAX);
}

/* Some of what waits. *delivered: files; *more: there are other events. */
static status deliver_some(
	struct call *c, const struct cloudtrail_rec_trail *t, struct told *told, size_t *delivered, bool *more)
{
	struct str from = ct_pending_space(c->arena, t), key, value;
	struct log_file f = {.c = c, .t = t};
	status s = OK;
	*delivered = 0;
	*more = false;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudtrail_rec_event e = {0};
		s = cloudtrail_rec_event_decode(c->arena, str_dup(c->arena, value), &e);
		if (is_ok(s) && is_full(&f, &e)) {
			s = close_file(&f, told);
			f = (struct log_file){.c = c, .t = t};
			if (is_ok(s) && ++*delivered == FILES_PER_RUN) {
				*more = true;
				break;
			}
		}
		if (is_ok(s)) add_event(&f, key, &e);
	}
	status end = store_scan_end(scan);
	TRY(s);
	TRY(end);
	if (f.n && !*more) {
		TRY(close_file(&f, told));
		++*delivered;
	}
	return OK;
}

/* ── the job ── */

/* {"s3Bucket":"…","s3ObjectKey":["…"]} ("Configuring Amazon SNS notifications for CloudTrail"). */
static status notify(
	struct call *c, const struct cloudtrail_rec_trail *t, const struct told *told, struct cloudtrail_rec_status *st)
{
	struct buf b = BUF_IN(c->arena);
	if (!str_has(t->topic)) return OK;
	buf_lit(&b, "{\"s3Bucket\":");
	json_quote(&b, t->bucket);
	buf_lit(&b, ",\"s3ObjectKey\":[");
	for (size_t i = 0; i < told->n; i++) {
		if (i) buf_byte(&b, ',');
		json_quote(&b, told->v[i]);
	}
	buf_lit(&b, "]}");
	struct sns_publication p = {.topic_arn = t->topic,
		.message = buf_done(&b),
		.service = STR("cloudtrail.amazonaws.com"),
		.source_arn = ct_trail_arn(c->arena, t),
		.source_account = t->account};
	status s = sns_publish_in(c->cloud, c->tx, c->arena, &p);
	bool refused = status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_INVALID) || status_is(s, STATUS_LIMIT);
	if (!is_ok(s) && !refused) return s;
	st->notification_attempted = SOME_TIME(c->now_ms);
	if (is_ok(s)) st->notified = st->notification_attempted;
	st->notification_error = is_ok(s)                         ? STR_NONE
				 : status_is(s, STATUS_NOT_FOUND) ? STR("NotFound")
								  : STR("AuthorizationError");
	return OK;
}

static status run_delivery(struct call *c, const struct cloudtrail_rec_trail *t, bool *more, bool *failed)
{
	struct cloudtrail_rec_status st;
	struct told told = {0};
	size_t n;
	TRY(ct_status_get(c->tx, c->arena, t, &st));
	status s = deliver_some(c, t, &told, &n, more);
	*failed = status_is(s, STATUS_FAILED);
	if (!is_ok(s) && !*failed) return s;
	if (is_ok(s) && !n) return OK;
	st.attempted = SOME_TIME(c->now_ms);
	if (is_ok(s)) st.delivered = st.attempted;
	if (is_ok(s)) TRY(notify(c, t, &told, &st));
	st.delivery_error = *failed ? c->failure.message : STR_NONE;
	store_put(c->tx, ct_trail_key(c->arena, "status", t->account, t->region, t->name),
		cloudtrail_rec_status_encode(c->arena, &st));
	return OK;
}

/* An hour has passed since the last digest, or since logging began; or logging has ended. */
static status run_digest(struct call *c, const struct cloudtrail_rec_trail *t)
{
	struct cloudtrail_rec_status st;
	TRY(ct_status_get(c->tx, c->arena, t, &st));
	int64_t since = st.digested.has && st.digested.ms > t->started.ms ? st.digested.ms : t->started.ms;
	bool on = t->logging.v && t->validation.v;
	if (on && c->now_ms < since + HOUR_MS) return OK;
	status s = ct_digest(c, t, &st, !on);
	bool failed = status_is(s, STATUS_FAILED);
	if (!is_ok(s) && !failed) return s;
	if (!on && !failed) return OK;
	st.digest_error = failed ? c->failure.message : STR_NONE;
	if (!failed) st.digested = SOME_TIME(c->now_ms);
	store_put(c->tx, ct_trail_key(c->arena, "status", t->account, t->region, t->name),
		cloudtrail_rec_status_encode(c->arena, &st));
	return OK;
}

static struct call call_of(struct ct *ct, struct store_tx *tx, struct arena *a, const struct cloudtrail_rec_trail *t)
{
	return (struct call){.arena = a,
		.cloud = ct->cloud,
		.tx = tx,
		.now_ms = clock_now(ct->cloud->clock),
		.partition = STR("aws"),
		.account = t->account,
		.region = t->region,
		.request_id = STR("CLOUDTRAIL")};
}

/* One round in a transaction of its own: the job's has begun before what happened last was filed. */
static status round_of(struct ct *ct, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloudtrail_rec_trail t;
	struct str name = job->id, account = str_cut(&name, '/'), region = str_cut(&name, '/');
	bool more = false, failed = false;
	struct store_tx *tx = store_begin(ct->cloud->store, a, false);
	status s = ct_trail_get(tx, a, account, region, name, &t);
	struct call c = call_of(ct, tx, a, &t);
	if (is_ok(s)) s = run_delivery(&c, &t, &more, &failed);
	if (is_ok(s) && !more && !failed) {
		c = call_of(ct, tx, a, &t);
		s = run_digest(&c, &t);
	}
	store_ticket ticket;
	if (is_ok(s) && store_has_writes(tx)) s = store_commit(tx, &ticket);
	store_end(tx);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (more)
		*again_ms = c.now_ms;
	else if (t.logging.v || failed)
		*again_ms = c.now_ms + EVERY_MS;
	return OK;
}

/* The job's id is the trail's place: account/region/name. */
static status deliver(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct ct *ct = ctx;
	(void)tx;
	ct_recorder_settle(ct->recorder);
	status s = STATUS(CONFLICT);
	for (int i = 0; i < TRIES && status_is(s, STATUS_CONFLICT); i++) s = round_of(ct, a, job, again_ms);
	TRY(s);
	struct str name = job->id, account = str_cut(&name, '/'), region = str_cut(&name, '/');
	return ct_logs_deliver(ct, a, account, region, name);
}

void ct_deliver_start(struct ct *ct)
{
	jobs_register(ct->cloud->jobs, kind, deliver, ct);
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

void ct_deliver_schedule(struct call *c, const struct cloudtrail_rec_trail *t, bool on)
{
	struct job job = {
		.kind = str_c(kind),
		.id = str_fmt(c->arena, "%.*s/%.*s/%.*s", STR_ARG(t->account), STR_ARG(t->region), STR_ARG(t->name)),
		.due_ms = c->now_ms + EVERY_MS,
		.payload = STR(""),
	};
	if (on)
		jobs_schedule(c->tx, &job);
	else
		jobs_cancel(c->tx, job.kind, job.id);
	call_after_commit(c, poke, c->cloud->jobs);
}
