/* The job that takes up what a balancer's nodes have logged, each five minutes on the virtual clock. It reads from
 * where it last ended (a record of the store), at most CHUNK bytes a node at once; objects and the new place commit
 * together, and what lies before the place is punched out of the file at the next look. */
#include "base/gzip.h"
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "services/acm/door.h"
#include "services/elbv2/logs.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB "elbv2.logs"
#define PERIOD_MS (5 * 60 * 1000)
enum { CHUNK = 8 << 20, LINE_MAX_BYTES = 65536 };

static int64_t period_end(int64_t now_ms)
{
	return now_ms / PERIOD_MS * PERIOD_MS;
}

static void schedule(struct ec2_place at, struct str name, int64_t now_ms)
{
	struct job job = {.kind = STR(JOB),
		.id = str_fmt(at.a, "%.*s %.*s %.*s", STR_ARG(at.account), STR_ARG(at.region), STR_ARG(name)),
		.due_ms = period_end(now_ms) + PERIOD_MS,
		.payload = STR("")};
	jobs_schedule(at.tx, &job);
}

/* ── the file ── */

static struct str place_key(struct ec2_place at, struct str eni)
{
	struct key k = key_for(at.a, STR("elbv2"), STR("logged"), at.account, at.region);
	key_str(&k, eni);
	return key_done(&k);
}

void elbv2_logs_forget(struct ec2_place at, struct str eni)
{
	store_delete(at.tx, place_key(at, eni));
}

static status place_of(struct ec2_place at, struct str eni, struct elbv2_rec_logged *out)
{
	struct str bytes;
	*out = (struct elbv2_rec_logged){0};
	status s = store_get(at.tx, place_key(at, eni), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return elbv2_rec_logged_decode(at.a, bytes, out);
}

/* Whole lines from the place on; *next: where the rest begins. */
static struct str read_some(struct cloud *cloud, struct ec2_place at, struct str eni, int64_t from, int64_t *next)
{
	const char *path =
		str_z(at.a, str_fmt(at.a, "%s%.*s/access", store_dir(cloud->store), STR_ARG(elbv2_folder(at.a, eni))));
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	struct str text = STR("");
	*next = from;
	if (fd < 0) return text;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > from) {
		if (from >= 4096 && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, from) != 0)
			log_debug("elbv2", "punch", "errno=%d", errno);
		char *bytes = arena_alloc(at.a, CHUNK);
		ssize_t n = pread(fd, bytes, CHUNK, from);
		if (n > 0) text = str_n(bytes, (size_t)n);
		ptrdiff_t end = str_rchr(text, '\n');
		/* A line without end is none of HAProxy's. */
		if (end < 0 && text.n > LINE_MAX_BYTES) end = (ptrdiff_t)text.n - 1;
		text = str_sub(text, 0, (size_t)(end + 1));
		*next = from + (int64_t)text.n;
	}
	close(fd);
	return text;
}

/* ── the objects ── */

/* [PREFIX/]AWSLogs/ACCOUNT/elasticloadbalancing/REGION/2022/05/01/ACCOUNT_elasticloadbalancing_REGION_app.NAME.ID_END_IP_
 * RANDOM.log.gz; NLBs without the address; connection logs with conn_log. before. */
static struct str object_key(struct ec2_place at, const struct elbv2_rec_balancer *b, const struct elbv2_rec_zone *z,
	enum elbv2_log which, int64_t end_ms)
{
	bool app = elbv2_is_app(b);
	struct str prefix = elbv2_balancer_attribute(
		b, which == ELBV2_LOG_ACCESS ? "access_logs.s3.prefix" : "connection_logs.s3.prefix");
	struct str day = time_iso8601(at.a, end_ms, false), end = str_sub(time_basic(at.a, end_ms), 0, 13);
	struct str address = str_is(b->scheme, "internal") ? z->address : str_or(z->public, z->address);
	struct buf k = BUF_IN(at.a);
	if (prefix.n) buf_fmt(&k, "%.*s/", STR_ARG(prefix));
	buf_fmt(&k,
		"AWSLogs/%.*s/elasticloadbalancing/%.*s/%.*s/%.*s/%.*s/"
		"%s%.*s_elasticloadbalancing_%.*s_%s.%.*s.%.*s_%.*sZ_",
		STR_ARG(at.account), STR_ARG(at.region), STR_ARG(str_sub(day, 0, 4)), STR_ARG(str_sub(day, 5, 2)),
		STR_ARG(str_sub(day, 8, 2)), which == ELBV2_LOG_CONNECTION ? "conn_log." : "", STR_ARG(at.account),
		STR_ARG(at.region), app ? "app" : "net", STR_ARG(b->name), STR_ARG(b->id), STR_ARG(end));
	if (app) buf_fmt(&k, "%.*s_", STR_ARG(address));
	buf_str(&k, rand_text(at.a, STR("0123456789abcdefghijklmnopqrstuvwxyz"), 8));
	buf_lit(&k, ".log.gz");
	return buf_done(&k);
}

/* What the bucket does not take is lost, as on AWS. */
static status put_log(struct call *c, const struct elbv2_rec_balancer *b, const struct elbv2_rec_zone *z,
	enum elbv2_log which, struct str text, int64_t end_ms)
{
	if (!text.n || !elbv2_logs(b, which)) return OK;
	struct elbv2_log_object o = {
		.bucket = elbv2_balancer_attribute(
			b, which == ELBV2_LOG_ACCESS ? "access_logs.s3.bucket" : "connection_logs.s3.bucket"),
		.key = object_key(ec2_here(c), b, z, which, end_ms),
		.bytes = gzip_pack(c->arena, text),
		.balancer = elbv2_balancer_arn(ec2_here(c), b),
		.network = !elbv2_is_app(b)};
	status s = elbv2_bucket_put(c, &o);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_FAILED) || status_is(s, STATUS_INVALID)) {
		log_warn("elbv2", "log_refused", "balancer=%.*s bucket=%.*s", STR_ARG(b->name), STR_ARG(o.bucket));
		return OK;
	}
	return s;
}

static status find_certificates(struct elbv2_log_names *n)
{
	struct ec2_place at = n->plan->at;
	size_t most = 0;
	for (size_t i = 0; i < n->plan->listeners.n; i++) most += n->plan->listeners.v[i].l.certificates.n;
	n->certificates = arena_alloc(at.a, (most + 1) * sizeof(*n->certificates));
	for (size_t i = 0; i < n->plan->listeners.n; i++) {
		const struct elbv2_rec_strings *list = &n->plan->listeners.v[i].l.certificates;
		for (size_t k = 0; k < list->n; k++) {
			struct str serial;
			status s = acm_serial(at.tx, at.a, at.account, at.region, list->v[k], &serial);
			if (status_is(s, STATUS_NOT_FOUND)) continue;
			TRY(s);
			struct buf b = BUF_IN(at.a);
			for (size_t j = 0; j < serial.n; j++)
				if (serial.p[j] != ':' && (b.n || serial.p[j] != '0')) buf_byte(&b, serial.p[j]);
			n->certificates[n->n_certificates].arn = list->v[k];
			n->certificates[n->n_certificates++].serial = buf_done(&b);
		}
	}
	return OK;
}

/* *more: not all of it was read. */
static status deliver_zone(
	struct call *c, struct cloud *cloud, const struct elbv2_rec_balancer *b, size_t zone, bool *more)
{
	struct ec2_place at = ec2_here(c);
	const struct elbv2_rec_zone *z = &b->zones.v[zone];
	struct elbv2_rec_logged place;
	struct elbv2_plan plan;
	struct buf access = BUF_IN(c->arena), connections = BUF_IN(c->arena);
	int64_t next;
	TRY(place_of(at, z->eni, &place));
	struct str text = read_some(cloud, at, z->eni, place.offset.v, &next);
	if (next == place.offset.v) return OK;
	*more = *more || next - place.offset.v > CHUNK - LINE_MAX_BYTES;
	TRY(elbv2_plan(cloud, at, b, z, &plan));
	int64_t offset = clock_offset(cloud->clock);
	struct elbv2_log_names n = {.a = c->arena,
		.balancer = str_fmt(
			c->arena, "%s/%.*s/%.*s", elbv2_is_app(b) ? "app" : "net", STR_ARG(b->name), STR_ARG(b->id)),
		.moved_us = clock_moved_at(cloud->clock) * 1000,
		.before_ms = place.clock_offset.has ? place.clock_offset.v : offset,
		.after_ms = offset,
		.plan = &plan};
	TRY(find_certificates(&n));
	while (text.n) elbv2_log_line(&n, str_cut(&text, '\n'), &access, &connections);
	int64_t end = period_end(c->now_ms);
	TRY(put_log(c, b, z, ELBV2_LOG_ACCESS, buf_done(&access), end));
	TRY(put_log(c, b, z, ELBV2_LOG_CONNECTION, buf_done(&connections), end));
	struct elbv2_rec_logged now = {.offset = SOME_I64(next), .clock_offset = SOME_I64(offset)};
	store_put(at.tx, place_key(at, z->eni), elbv2_rec_logged_encode(at.a, &now));
	return OK;
}

static status deliver_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct elbv2 *e = ctx;
	struct elbv2_rec_balancer b;
	struct str rest = str_dup(a, job->id), account = str_cut(&rest, ' '), region = str_cut(&rest, ' ');
	struct call *c = call_for_job(a, e->cloud, tx, account, region, STR("elasticloadbalancing.amazonaws.com"));
	bool more = false;
	status s = elbv2_balancer_get(ec2_here(c), rest, &b);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < b.zones.n; i++) TRY(deliver_zone(c, e->cloud, &b, i, &more));
	if (more)
		*again_ms = c->now_ms;
	else if (elbv2_logs(&b, ELBV2_LOG_ACCESS) || (elbv2_is_app(&b) && elbv2_logs(&b, ELBV2_LOG_CONNECTION)))
		*again_ms = period_end(c->now_ms) + PERIOD_MS;
	return OK;
}

status elbv2_deliver_start(struct elbv2 *e)
{
	jobs_register(e->cloud->jobs, JOB, deliver_job, e);
	return OK;
}

/* ── switching on ── */

static status check_bucket(struct call *c, const struct elbv2_rec_balancer *b, enum elbv2_log which)
{
	const char *kind = which == ELBV2_LOG_ACCESS ? "access_logs" : "connection_logs";
	struct str bucket = elbv2_balancer_attribute(b, str_fmt(c->arena, "%s.s3.bucket", kind).p);
	struct str prefix = elbv2_balancer_attribute(b, str_fmt(c->arena, "%s.s3.prefix", kind).p);
	if (!bucket.n)
		return ELBV2_FAIL(
			c, INVALID_CONFIGURATION_REQUEST, "The value of '%s.s3.bucket' cannot be empty", kind);
	if (str_find(prefix, STR("AWSLogs")) >= 0)
		return ELBV2_FAIL(
			c, INVALID_CONFIGURATION_REQUEST, "The value of '%s.s3.prefix' cannot contain 'AWSLogs'", kind);
	struct elbv2_log_object o = {.bucket = bucket,
		.key = str_fmt(c->arena, "%.*s%sAWSLogs/%.*s/%s", STR_ARG(prefix), prefix.n ? "/" : "",
			STR_ARG(c->account),
			which == ELBV2_LOG_ACCESS ? "ELBAccessLogTestFile" : "ELBConnectionLogTestFile"),
		.bytes = str_fmt(c->arena, "Enable %sLog for ELB: %.*s at %.*s",
			which == ELBV2_LOG_ACCESS ? "Access" : "Connection", STR_ARG(b->name),
			STR_ARG(time_iso8601(c->arena, c->now_ms, true))),
		.balancer = elbv2_balancer_arn(ec2_here(c), b),
		.network = !elbv2_is_app(b)};
	status s = elbv2_bucket_put(c, &o);
	if (status_is(s, STATUS_NOT_FOUND))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST, "S3 bucket '%.*s' does not exist", STR_ARG(bucket));
	if (status_is(s, STATUS_INVALID))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"The S3 bucket '%.*s' must be in the same region as the load balancer", STR_ARG(bucket));
	if (status_is(s, STATUS_FAILED))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Access Denied for bucket: %.*s. Please check S3bucket permission", STR_ARG(bucket));
	return s;
}

static bool differs(const struct elbv2_rec_balancer *a, const struct elbv2_rec_balancer *b, const char *name)
{
	return !str_eq(elbv2_balancer_attribute(a, name), elbv2_balancer_attribute(b, name));
}

status elbv2_logs_changed(struct call *c, const struct elbv2_rec_balancer *had, const struct elbv2_rec_balancer *b)
{
	static const char *const names[2][3] = {
		{"access_logs.s3.enabled", "access_logs.s3.bucket", "access_logs.s3.prefix"},
		{"connection_logs.s3.enabled", "connection_logs.s3.bucket", "connection_logs.s3.prefix"}};
	bool any = false;
	for (int which = 0; which < (elbv2_is_app(b) ? 2 : 1); which++) {
		if (!elbv2_logs(b, (enum elbv2_log)which)) continue;
		bool changed = false;
		for (int i = 0; i < 3; i++) changed = changed || differs(had, b, names[which][i]);
		if (changed) TRY(check_bucket(c, b, (enum elbv2_log)which));
		any = any || changed;
	}
	if (any) schedule(ec2_here(c), b->name, c->now_ms);
	return OK;
}
