/* A request of a logged bucket becomes a line once it is answered ("Amazon S3 server access log format"); lines wait in
 * the store, and each minute a durable job joins a bucket's into objects of its target. As on AWS, a line may come late
 * or, where the process dies between answer and line, not at all. Keys:
 *
 *     ("s3", "log", bucket id, time, random)     a line
 *     ("s3", "log-due", bucket id, minute)       the job has been scheduled for it */
#include "services/s3/logs.h"
#include "base/log.h"
#include "base/rand.h"
#include "call/workers.h"
#include "services/s3/noted.h"
#include "services/s3/own.h"
#include <stdlib.h>

static const char logs_kind[] = "s3.logs";
enum { LINES_AT_ONCE = 5000, TRIES = 50 };
static const int64_t minute_ms = 60000;

/* ── a line ── */

static bool asks(struct str query, const char *name)
{
	while (str_has(query)) {
		struct str pair = str_cut(&query, '&');
		if (str_eq(str_cut(&pair, '='), str_c(name))) return true;
	}
	return false;
}

static struct str upper(struct arena *a, struct str s)
{
	char *p = arena_copy(a, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 'a' + 'A');
	return str_n(p, s.n);
}

/* REST.METHOD.RESOURCE */
static struct str operation(struct call *c)
{
	struct str q = c->http->query, method = c->http->method;
	bool object = str_has(s3_noted_label(c, "Key"));
	struct str what = object ? STR("OBJECT") : STR("BUCKET");
	if (wire_read_host(c->http->host).website) return str_fmt(c->arena, "WEBSITE.%.*s.OBJECT", STR_ARG(method));
	if (c->match.op_index == S3_OP_COPY_OBJECT) method = STR("COPY");
	if (object) {
		if (asks(q, "tagging"))
			what = STR("OBJECT_TAGGING");
		else if (asks(q, "acl"))
			what = STR("ACL");
		else if (asks(q, "uploads"))
			what = STR("UPLOADS");
		else if (asks(q, "uploadId"))
			what = asks(q, "partNumber") ? STR("PART") : STR("UPLOAD");
	} else if (asks(q, "delete")) {
		what = STR("MULTI_OBJECT_DELETE");
	} else if (asks(q, "versions")) {
		what = STR("BUCKETVERSIONS");
	} else if (asks(q, "policy")) {
		what = STR("BUCKETPOLICY");
	} else if (asks(q, "logging")) {
		what = STR("LOGGING_STATUS");
	} else if (str_has(q)) {
		struct str first = q;
		first = str_cut(&first, '&');
		if (str_chr(first, '=') < 0) what = upper(c->arena, first);
	}
	return str_fmt(c->arena, "REST.%.*s.%.*s", STR_ARG(method), STR_ARG(what));
}

static void word(struct buf *b, struct str s)
{
	buf_byte(b, ' ');
	if (str_empty(s))
		buf_byte(b, '-');
	else
		buf_str(b, s);
}

static void quoted(struct buf *b, struct str s)
{
	if (str_empty(s)) {
		buf_lit(b, " \"-\"");
		return;
	}
	buf_lit(b, " \"");
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];
		/* A quote or a line's end within would forge a line. */
		if (ch == '"' || ch < 0x20)
			buf_fmt(b, "%%%02X", ch);
		else
			buf_byte(b, s.p[i]);
	}
	buf_byte(b, '"');
}

/* [06/Feb/2019:00:00:38 +0000] */
static struct str log_time(struct arena *a, int64_t ms)
{
	struct str t = time_rfc822(a, ms); /* Wed, 06 Feb 2019 00:00:38 GMT */
	return str_fmt(a, "[%.*s/%.*s/%.*s:%.*s +0000]", 2, t.p + 5, 3, t.p + 8, 4, t.p + 12, 8, t.p + 17);
}

static void line(struct call *c, const struct s3_rec_bucket *b, struct buf *out)
{
	struct arena *a = c->arena;
	struct str peer = c->http->peer, auth = call_request_header(c, STR("Authorization")), code = STR_NONE;
	unsigned ignored;
	ptrdiff_t colon = str_rchr(peer, ':');
	if (str_has(c->failure.message))
		code = str_has(c->failure.code) ? c->failure.code : wire_error_code(&c->match, c->failure.id, &ignored);
	bool signed_query = asks(c->http->query, "X-Amz-Signature"),
	     anonymous = c->principal.kind == PRINCIPAL_ANONYMOUS;
	buf_str(out, s3_canonical_id(a, b->owner));
	word(out, b->name);
	word(out, log_time(a, c->now_ms));
	word(out, colon < 0 ? peer : str_sub(peer, 0, (size_t)colon));
	word(out, anonymous                             ? STR_NONE
		  : c->principal.kind == PRINCIPAL_ROOT ? s3_canonical_id(a, c->account)
							: c->principal.arn);
	word(out, c->request_id);
	word(out, operation(c));
	word(out, s3_noted_label(c, "Key"));
	quoted(out, str_fmt(a, "%.*s %.*s HTTP/1.1", STR_ARG(c->http->method), STR_ARG(c->http->target)));
	word(out, str_fmt(a, "%u", c->answered_code));
	word(out, code);
	word(out, c->answered_bytes ? str_fmt(a, "%llu", (unsigned long long)c->answered_bytes) : STR_NONE);
	word(out, c->http->content_length > 0 ? str_fmt(a, "%lld", (long long)c->http->content_length) : STR_NONE);
	long took = (long)(clock_now(c->cloud->clock) - c->now_ms);
	word(out, str_fmt(a, "%ld", took > 0 ? took : 1));
	word(out, str_fmt(a, "%ld", took > 0 ? took : 1));
	quoted(out, call_request_header(c, STR("Referer")));
	quoted(out, call_request_header(c, STR("User-Agent")));
	word(out, STR_NONE);
	word(out, str_base64(a, c->request_id));
	word(out, anonymous ? STR_NONE : str_starts(str_or(auth, STR("")), STR("AWS ")) ? STR("SigV2") : STR("SigV4"));
	word(out, c->http->tls ? STR("TLS_AES_128_GCM_SHA256") : STR_NONE);
	word(out, anonymous ? STR_NONE : signed_query ? STR("QueryString") : STR("AuthHeader"));
	word(out, c->http->host);
	word(out, c->http->tls ? STR("TLSv1.3") : STR_NONE);
	buf_lit(out, " - -\n");
}

/* ── keeping it ── */

struct kept {
	struct cloud *cloud;
	struct s3_rec_bucket bucket; /* name and id, in text */
	int64_t now_ms;
	size_t n;
	char text[];
};

static struct str space_of(struct arena *a, const struct s3_rec_bucket *b)
{
	struct key k = s3_key_space(a, STR("log"), b);
	return key_done(&k);
}

static status keep_once(struct kept *l, struct arena *a)
{
	struct str line_text = str_n(l->text, l->n), bytes;
	struct store_tx *tx = store_begin(l->cloud->store, a, false);
	struct key k = s3_key_space(a, STR("log"), &l->bucket), due = s3_key_space(a, STR("log-due"), &l->bucket);
	int64_t at = (l->now_ms / minute_ms + 1) * minute_ms;
	key_u64(&k, (uint64_t)l->now_ms);
	key_u64(&k, rand_u64());
	key_u64(&due, (uint64_t)at);
	store_put(tx, key_done(&k), line_text);
	if (status_is(store_get(tx, key_done(&due), &bytes), STATUS_NOT_FOUND)) {
		struct job job = {.kind = str_c(logs_kind),
			.due_ms = at,
			.payload = s3_rec_bucket_encode(a, &l->bucket),
			.id = str_fmt(a, "%llx/%lld", (unsigned long long)l->bucket.id.v, (long long)at)};
		store_put(tx, key_done(&due), STR(""));
		jobs_schedule(tx, &job);
	}
	store_ticket ticket;
	status s = store_commit(tx, &ticket);
	store_end(tx);
	return s;
}

static void keep(void *ctx)
{
	struct kept *l = ctx;
	struct arena a;
	arena_init(&a);
	status s = STATUS(CONFLICT);
	for (int i = 0; i < TRIES && status_is(s, STATUS_CONFLICT); i++) s = keep_once(l, &a);
	if (!is_ok(s))
		log_warn("s3", "log-line-lost", "bucket=%.*s status=%s", STR_ARG(l->bucket.name), status_name(s));
	arena_cleanup(&a);
	free(l);
}

/* In the thread that answers, which must not wait: a worker writes. */
static void answered(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	struct call *c;
	(void)phase;
	(void)tx;
	memcpy(&c, &e->detail, sizeof(struct call *));
	const struct s3_noted *n = s3_noted(c);
	if (!n || !s3_config_may(&n->bucket, S3_CONFIG_LOGGING)) return;
	const struct s3_rec_bucket *b = &n->bucket;
	struct buf text = BUF_IN(c->arena);
	line(c, b, &text);
	struct kept *l = mem_new(sizeof *l + text.n + b->name.n);
	l->cloud = ctx;
	l->n = text.n;
	l->now_ms = c->now_ms;
	memcpy(l->text, text.p, text.n);
	memcpy(l->text + text.n, b->name.p, b->name.n);
	l->bucket.id = b->id;
	l->bucket.name = str_n(l->text + text.n, b->name.n);
	workers_run(l->cloud->workers, keep, l);
}

/* ── delivering ── */

/* TargetPrefix + 2026-11-21-09-30-00-UniqueString, or partitioned by account, region, bucket and day. */
static struct str object_key(struct call *c, const struct s3_rec_bucket *b, const struct s3_logging_enabled *l)
{
	struct str t = time_iso8601(c->arena, c->now_ms, false);
	struct str unique = rand_text(c->arena, STR("0123456789ABCDEF"), 16),
		   prefix = str_or(l->target_prefix, STR(""));
	struct str name = str_fmt(
		c->arena, "%.*s-%.*s-%.*s-%.*s-%.*s", 10, t.p, 2, t.p + 11, 2, t.p + 14, 2, t.p + 17, STR_ARG(unique));
	if (!l->target_object_key_format || !l->target_object_key_format->partitioned_prefix)
		return str_cat(c->arena, prefix, name);
	return str_fmt(c->arena, "%.*s%.*s/%.*s/%.*s/%.*s/%.*s/%.*s/%.*s", STR_ARG(prefix), STR_ARG(b->owner),
		STR_ARG(b->region), STR_ARG(b->name), 4, t.p, 2, t.p + 5, 2, t.p + 8, STR_ARG(name));
}

static status deliver(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct call c = {.arena = a,
		.cloud = cloud,
		.tx = tx,
		.now_ms = clock_now(cloud->clock),
		.partition = STR("aws"),
		.account = STR(""),
		.request_id = STR("LOGGING")};
	struct s3_rec_bucket was = {0}, b, to;
	struct s3_put_bucket_logging_input conf = {0};
	TRY(s3_rec_bucket_decode(a, job->payload, &was));
	struct str from = space_of(a, &was), key, value;
	struct buf text = BUF_IN(a);
	size_t n = 0;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (n < LINES_AT_ONCE && store_scan_next(scan, &key, &value)) {
		buf_str(&text, value);
		store_delete(tx, str_dup(a, key));
		n++;
	}
	TRY(store_scan_end(scan));
	struct key due = s3_key_space(a, STR("log-due"), &was);
	key_u64(&due, (uint64_t)job->due_ms);
	if (n == LINES_AT_ONCE)
		*again_ms = c.now_ms;
	else
		store_delete(tx, key_done(&due));
	if (!n) return OK;
	status s = s3_bucket_by_name(tx, a, was.name, &b, &c.partition);
	if (is_ok(s) && b.id.v != was.id.v) s = STATUS(NOT_FOUND);
	if (is_ok(s)) s = s3_config_get(&c, &b, S3_CONFIG_LOGGING, STR(""), &conf);
	if (is_ok(s) && !conf.bucket_logging_status->logging_enabled) s = STATUS(NOT_FOUND);
	if (is_ok(s))
		s = s3_bucket_by_name(tx, a, conf.bucket_logging_status->logging_enabled->target_bucket, &to, NULL);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* logging ended, or its target is gone: so are the lines */
	TRY(s);
	c.account = to.owner;
	c.region = to.region;
	return s3_own_put(&c, &to, object_key(&c, &b, conf.bucket_logging_status->logging_enabled), buf_done(&text),
		STR("text/plain"));
}

void s3_logs_register(struct cloud *cloud)
{
	bus_subscribe(cloud->bus, BUS_DONE, "call", answered, cloud);
	jobs_register(cloud->jobs, logs_kind, deliver, cloud);
}

/* ── the configuration ── */

status s3_put_bucket_logging(
	struct call *c, const struct s3_put_bucket_logging_input *in, struct s3_put_bucket_logging_output *out)
{
	struct s3_rec_bucket b, to;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!in->bucket_logging_status) return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");
	const struct s3_logging_enabled *l = in->bucket_logging_status->logging_enabled;
	if (!l) return s3_config_drop(c, &b, S3_CONFIG_LOGGING, STR(""), NULL);
	status s = s3_bucket_by_name(c->tx, c->arena, str_or(l->target_bucket, STR("")), &to, NULL);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(to.owner, b.owner))) {
		s = call_fail(c, S3_ERR_INVALID_TARGET_BUCKET_FOR_LOGGING,
			"The target bucket for logging does not exist, is not owned by you, or does not have the "
			"appropriate grants for the "
			"log-delivery group.");
		call_fail_detail(c, STR("TargetBucket"), l->target_bucket);
		return s;
	}
	TRY(s);
	if (!str_eq(to.region, b.region))
		return call_fail(c, S3_ERR_CROSS_LOCATION_LOGGING_PROHIBITED,
			"Cross S3 location logging not allowed. Buckets in one location can't log information to a "
			"bucket in another location.");
	const struct s3_target_object_key_format *f = l->target_object_key_format;
	if (f && (f->simple_prefix != NULL) + (f->partitioned_prefix != NULL) != 1) return s3_malformed_xml(c);
	if (l->target_grants.n && str_is(to.ownership, "BucketOwnerEnforced"))
		return s3_invalid_argument(c, STR("TargetGrants"), STR(""),
			"Bucket ownership is set to BucketOwnerEnforced, so grants of log objects are not allowed");
	if (l->target_grants.n)
		return call_fail(c, S3_ERR_NOT_IMPLEMENTED, "Grants of log objects (TargetGrants) are not implemented");
	return s3_config_put(c, &b, S3_CONFIG_LOGGING, STR(""));
}

status s3_get_bucket_logging(
	struct call *c, const struct s3_get_bucket_logging_input *in, struct s3_get_bucket_logging_output *out)
{
	struct s3_rec_bucket b;
	struct s3_put_bucket_logging_input conf;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = s3_config_get(c, &b, S3_CONFIG_LOGGING, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	out->logging_enabled = conf.bucket_logging_status->logging_enabled;
	return OK;
}
