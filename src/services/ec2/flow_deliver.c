/* From the host's flows to objects in S3 or events in CloudWatch Logs. A flow becomes a line of each log that covers
 * its interface, kept in the store; a durable job, one to a log, joins what has come within the aggregation interval.
 * "Flow log files", the guide. */
#include "base/gzip.h"
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "s3.h"
#include "services/ec2/flow_log.h"
#include "services/ec2/intent.h"

#define JOB "ec2.flows"
#define COLLECT "ec2.flows.collect"
#define MINUTE_MS 60000
enum { LINES_AT_ONCE = 10000, TRIES = 10 };

static struct key lines_key(struct ec2_place at, struct str log)
{
	struct key k = key_for(at.a, STR("ec2"), STR("flow"), at.account, at.region);
	key_str(&k, log);
	return k;
}

/* ── taking ── */

static status keep_line(
	struct ec2_place at, const struct ec2_rec_flow_log *l, const struct ec2_flow_about *about, int64_t now_ms)
{
	struct buf text = BUF_IN(at.a);
	ec2_flow_line(&text, l->log_format, about);
	struct key k = lines_key(at, l->flow_log_id);
	key_i64(&k, now_ms);
	key_u64(&k, rand_u64());
	struct ec2_rec_flow_line line = {.text = buf_done(&text),
		.interface = about->eni->network_interface_id,
		.start = SOME_TIME(now_ms - about->flow->first_ago.v)};
	store_put(at.tx, key_done(&k), ec2_rec_flow_line_encode(at.a, &line));
	struct ec2_rec_intent r = {.account = at.account, .region = at.region, .id = l->flow_log_id};
	int64_t every = (int64_t)l->max_aggregation_interval.v * 1000;
	struct job job = {.kind = STR(JOB),
		.id = str_fmt(at.a, "%.*s/%lld", STR_ARG(l->flow_log_id), (long long)(now_ms / every)),
		.due_ms = (now_ms / every + 1) * every,
		.payload = ec2_rec_intent_encode(at.a, &r)};
	jobs_schedule(at.tx, &job);
	return OK;
}

/* Whose VPC it is tells what stands. NOT_FOUND: it went meanwhile. */
static status keep_flow(struct store_tx *tx, struct arena *a, const struct host_rec_flow *f, int64_t now_ms)
{
	struct ec2_rec_intent whose;
	struct ec2_rec_eni eni;
	struct ec2_flow_logs logs;
	TRY(ec2_intent_whose(tx, a, f->vpc, &whose));
	struct ec2_place at = {tx, a, whose.account, whose.region};
	TRY(ec2_load(at, &ec2_type_eni, f->interface, &eni));
	TRY(ec2_flow_logs_load(at, eni.vpc_id, &logs));
	struct ec2_flow_about about = {at.account, at.region, &eni, f, now_ms};
	struct str unwanted = f->accepted.v ? STR("REJECT") : STR("ACCEPT");
	for (size_t i = 0; i < logs.n; i++) {
		const struct ec2_rec_flow_log *l = &logs.v[i];
		if (!ec2_flow_log_covers(l, &eni) || str_eq(l->traffic_type, unwanted)) continue;
		TRY(keep_line(at, l, &about, now_ms));
	}
	return OK;
}

void ec2_flow_logs_take(struct cloud *cloud, const struct host_rec_flows *flows)
{
	struct arena a;
	arena_init(&a);
	status s = STATUS(CONFLICT);
	for (int i = 0; i < TRIES && status_is(s, STATUS_CONFLICT); i++) {
		store_ticket ticket;
		struct store_tx *tx = store_begin(cloud->store, &a, false);
		s = OK;
		for (size_t k = 0; k < flows->flows.n && is_ok(s); k++) {
			s = keep_flow(tx, &a, &flows->flows.v[k], clock_now(cloud->clock));
			if (status_is(s, STATUS_NOT_FOUND)) s = OK;
		}
		if (is_ok(s) && store_has_writes(tx)) s = store_commit(tx, &ticket);
		store_end(tx);
	}
	if (!is_ok(s)) log_warn("ec2", "flows-lost", "n=%zu status=%s", flows->flows.n, status_name(s));
	arena_cleanup(&a);
}

/* ── collecting ── */

static int64_t next_minute(int64_t now_ms)
{
	return (now_ms / MINUTE_MS + 1) * MINUTE_MS;
}

void ec2_flow_logs_collect(struct ec2_place at, int64_t now_ms)
{
	struct job job = {.kind = STR(COLLECT), .id = STR("all"), .due_ms = next_minute(now_ms), .payload = STR("")};
	jobs_schedule(at.tx, &job);
}

static bool any_logs(struct store_tx *tx, struct arena *a)
{
	struct key k = key_begin(a);
	key_str(&k, STR("ec2"));
	key_str(&k, str_c(ec2_type_flow_log.name));
	struct store_scan *scan = store_scan_begin(tx, key_done(&k), key_after(a, key_done(&k)), false);
	struct str key, value;
	bool any = store_scan_next(scan, &key, &value);
	return is_ok(store_scan_end(scan)) && any;
}

static status collect(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct host_rec_flows flows = {0};
	(void)job;
	if (!host_available(cloud->host) || !any_logs(tx, a)) return OK;
	status s = host_flows(cloud->host, a, &flows);
	if (!is_ok(s)) log_warn("ec2", "flows-collect", "status=%s", status_name(s));
	if (flows.flows.n) ec2_flow_logs_take(cloud, &flows);
	*again_ms = next_minute(clock_now(cloud->clock));
	return OK;
}

/* ── delivering ── */

/* AWSLogs/ACCOUNT/vpcflowlogs/REGION/2026/11/29/ACCOUNT_vpcflowlogs_REGION_fl-…_20261129T1010Z_HASH.log.gz */
static struct str object_key(struct ec2_place at, const struct ec2_rec_flow_log *l, struct str prefix, int64_t now_ms)
{
	struct str day = time_iso8601(at.a, now_ms, false), stamp = time_basic(at.a, now_ms);
	struct str year = str_sub(day, 0, 4), month = str_sub(day, 5, 2), date = str_sub(day, 8, 2),
		   hour = str_sub(day, 11, 2);
	struct buf b = BUF_IN(at.a);
	buf_str(&b, prefix);
	if (prefix.n && prefix.p[prefix.n - 1] != '/') buf_byte(&b, '/');
	if (l->hive.v)
		buf_fmt(&b,
			"AWSLogs/aws-account-id=%.*s/aws-service=vpcflowlogs/aws-region=%.*s/year=%.*s/month=%.*s/"
			"day=%.*s/",
			STR_ARG(at.account), STR_ARG(at.region), STR_ARG(year), STR_ARG(month), STR_ARG(date));
	else
		buf_fmt(&b, "AWSLogs/%.*s/vpcflowlogs/%.*s/%.*s/%.*s/%.*s/", STR_ARG(at.account), STR_ARG(at.region),
			STR_ARG(year), STR_ARG(month), STR_ARG(date));
	if (l->per_hour.v) buf_fmt(&b, "%s%.*s/", l->hive.v ? "hour=" : "", STR_ARG(hour));
	buf_fmt(&b, "%.*s_vpcflowlogs_%.*s_%.*s_%.*sZ_%.*s.log.gz", STR_ARG(at.account), STR_ARG(at.region),
		STR_ARG(l->flow_log_id), STR_ARG(str_sub(stamp, 0, 13)),
		STR_ARG(rand_text(at.a, STR("0123456789abcdef"), 8)));
	return buf_done(&b);
}

static bool put_object(struct cloud *cloud, struct ec2_place at, const struct ec2_rec_flow_log *l,
	const struct ec2_flow_lines *lines, struct str *why)
{
	struct buf text = BUF_IN(at.a);
	ec2_flow_head(&text, l->log_format);
	for (size_t i = 0; i < lines->n; i++) {
		buf_byte(&text, '\n');
		buf_str(&text, lines->v[i].text);
	}
	buf_byte(&text, '\n');
	struct str bytes = gzip_pack(at.a, buf_done(&text));
	ptrdiff_t colons = str_find(l->log_destination, STR(":::"));
	struct str prefix = str_from(l->log_destination, (size_t)colons + 3), bucket = str_cut(&prefix, '/');
	struct s3_put_object_request in = {.bucket = bucket,
		.key = object_key(at, l, str_or(prefix, STR("")), clock_now(cloud->clock)),
		.content_type = STR("application/x-gzip"),
		.acl = STR("bucket-owner-full-control")};
	struct inside_caller who = inside_service(at.a, at.account, at.region, STR("delivery.logs.amazonaws.com"));
	struct inside *done = inside_run(cloud, &who, "s3", S3_OP_PUT_OBJECT, &in, &bytes);
	bool ok = done->ok;
	if (!ok) *why = str_is(done->code, "AccessDenied") ? STR("Access error") : STR("Unknown error");
	inside_free(done);
	return ok;
}

/* Takes lines that wait out of the store, in order of when they came. */
static status take_lines(struct ec2_place at, struct str log, struct ec2_flow_lines *out)
{
	struct key k = lines_key(at, log);
	struct str key, value;
	struct store_scan *scan = store_scan_begin(at.tx, key_done(&k), key_after(at.a, key_done(&k)), false);
	size_t capacity = 0;
	status s = OK;
	while (is_ok(s) && out->n < LINES_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct ec2_rec_flow_line *line = VEC_PUSH(at.a, out, &capacity);
		*line = (struct ec2_rec_flow_line){0};
		s = ec2_rec_flow_line_decode(at.a, str_dup(at.a, value), line);
		store_delete(at.tx, str_dup(at.a, key));
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static status deliver(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_rec_intent r = {0};
	struct ec2_rec_flow_log l = {0};
	struct ec2_flow_lines lines = {0};
	struct str why = STR_NONE;
	TRY(ec2_rec_intent_decode(a, job->payload, &r));
	struct ec2_place at = {tx, a, r.account, r.region};
	status known = ec2_load(at, &ec2_type_flow_log, r.id, &l);
	if (!is_ok(known) && !status_is(known, STATUS_NOT_FOUND)) return known;
	TRY(take_lines(at, r.id, &lines));
	if (!lines.n) return OK;
	if (lines.n == LINES_AT_ONCE) *again_ms = clock_now(cloud->clock);
	if (!is_ok(known)) return OK;
	bool ok = str_is(l.log_destination_type, "s3") ? put_object(cloud, at, &l, &lines, &why)
						       : ec2_flow_to_cloudwatch(cloud, at, &l, &lines, &why);
	struct str state = ok ? STR("SUCCESS") : STR("FAILED");
	if (!str_eq(state, l.deliver_logs_status) ||
		!str_eq(str_or(why, STR("")), str_or(l.deliver_logs_error_message, STR("")))) {
		l.deliver_logs_status = state;
		l.deliver_logs_error_message = why;
		ec2_put(at, &ec2_type_flow_log, l.flow_log_id, &l);
	}
	return OK;
}

status ec2_flow_logs_start(struct ec2_network *n)
{
	jobs_register(n->cloud->jobs, JOB, deliver, n->cloud);
	jobs_register(n->cloud->jobs, COLLECT, collect, n->cloud);
	return OK;
}
