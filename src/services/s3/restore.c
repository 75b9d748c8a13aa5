/* RestoreObject, and what the archive's state means for reading. The state follows from times in the record; a job only tells
 * of a restore's completion and of the copy's end where notifications ask for it. */
#include "services/s3/archive.h"
#include "services/s3/changed.h"
#include "services/s3/lifecycle.h"
#include "services/s3/object.h"
#include "services/s3/version.h"

#define MINUTE_MS (60ll * 1000)
#define HOUR_MS (60 * MINUTE_MS)
static const char kind[] = "s3.restore";

/* ── state ── */

static bool is_cold(struct str class)
{
	return str_is(class, "GLACIER") || str_is(class, "DEEP_ARCHIVE");
}

status s3_archive_of(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o,
	struct s3_archive *out)
{
	const struct s3_rec_restore *r = o->restore;
	*out = (struct s3_archive){.archived = is_cold(o->storage_class)};
	if (str_is(o->storage_class, "INTELLIGENT_TIERING")) {
		TRY(s3_tiering_of(c, b, key, o, &out->access_tier));
		out->archived = str_has(out->access_tier);
	}
	out->readable = !out->archived;
	if (!r || !out->archived) return OK;
	out->restoring = c->now_ms < r->ready.ms;
	if (out->restoring || c->now_ms >= r->expires.ms) return OK;
	out->readable = true;
	out->until = r->expires;
	return OK;
}

status s3_archive_check(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	struct s3_archive a;
	TRY(s3_archive_of(c, b, key, o, &a));
	if (a.readable) return OK;
	status s = call_fail(
		c, S3_ERR_INVALID_OBJECT_STATE, "The operation is not valid for the object's %s",
		str_has(a.access_tier) ? "access tier" : "storage class");
	call_fail_detail(c, STR("StorageClass"), o->storage_class);
	if (str_has(a.access_tier)) call_fail_detail(c, STR("AccessTier"), a.access_tier);
	return s;
}

struct str s3_archive_header(struct call *c, const struct s3_archive *a)
{
	if (a->restoring) return STR("ongoing-request=\"true\"");
	if (!a->until.has) return STR_NONE;
	return str_fmt(c->arena, "ongoing-request=\"false\", expiry-date=\"%.*s\"", STR_ARG(time_rfc822(c->arena, a->until.ms)));
}

struct s3_restore_status *s3_archive_listed(struct call *c, const struct s3_rec_object *o)
{
	const struct s3_rec_restore *r = o->restore;
	if (!r || c->now_ms >= r->expires.ms) return NULL;
	struct s3_restore_status *s = arena_new(c->arena, struct s3_restore_status);
	s->is_restore_in_progress = SOME_BOOL(c->now_ms < r->ready.ms);
	if (!s->is_restore_in_progress.v) s->restore_expiry_date = r->expires;
	return s;
}

/* ── RestoreObject ── */

enum tier { EXPEDITED, STANDARD, BULK, TIERS };
static const char *const tier_names[TIERS] = {"Expedited", "Standard", "Bulk"};

/* Within the times that AWS tells for each: 1 to 5 minutes, 3 to 5 hours, 5 to 12 hours; deep archives 12 and 48 hours. */
static int64_t takes_ms(bool deep, enum tier t)
{
	switch (t) {
	case EXPEDITED: return 3 * MINUTE_MS;
	case STANDARD: return deep ? 12 * HOUR_MS : 4 * HOUR_MS;
	case BULK: return deep ? 48 * HOUR_MS : 8 * HOUR_MS;
	case TIERS: break;
	}
	UNREACHABLE();
}

static status read_tier(struct call *c, const struct s3_restore_request *r, bool deep, enum tier *out)
{
	struct str name = r->glacier_job_parameters ? r->glacier_job_parameters->tier : r->tier;
	*out = STANDARD;
	for (int t = 0; t < TIERS && str_has(name); t++) {
		if (!str_eq(name, str_c(tier_names[t]))) continue;
		*out = (enum tier)t;
		name = STR_NONE;
	}
	if (str_has(name)) return s3_malformed_xml(c);
	if (deep && *out == EXPEDITED)
		return s3_invalid_argument(
			c, STR("Tier"), STR("Expedited"), "Retrieval option is not supported by this storage class");
	return OK;
}

static status read_request(
	struct call *c, const struct s3_restore_request *r, const struct s3_rec_object *o, bool deep, enum tier *tier)
{
	bool tiered = str_is(o->storage_class, "INTELLIGENT_TIERING");
	if (!r) return s3_malformed_xml(c);
	if (str_has(r->type) || r->select_parameters || r->output_location)
		return call_fail(c, S3_ERR_NOT_IMPLEMENTED, "Select requests on archived objects are not implemented");
	/* "The Days element is required for regular restores, and must not be provided for" Intelligent-Tiering. */
	if (r->days.has == tiered) return s3_malformed_xml(c);
	if (r->days.has && r->days.v < 1)
		return s3_invalid_argument(c, STR("Days"), str_fmt(c->arena, "%d", r->days.v),
			"restoration days should be at least 1");
	return read_tier(c, r, deep, tier);
}

static void tell_at(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o, bool ready)
{
	if (!s3_config_may(b, S3_CONFIG_NOTIFICATION)) return;
	struct str version = str_has(o->version_id) ? o->version_id : STR("null");
	struct s3_rec_restore_job payload = {
		.bucket = b->name, .bucket_id = b->id, .key = key, .version_id = version, .ready = SOME_BOOL(ready)};
	struct job job = {
		.kind = str_c(kind),
		.id = str_fmt(c->arena, "%llx/%.*s/%.*s", (unsigned long long)b->id.v, STR_ARG(version), STR_ARG(key)),
		.due_ms = ready ? o->restore->ready.ms : o->restore->expires.ms,
		.payload = s3_rec_restore_job_encode(c->arena, &payload),
	};
	jobs_schedule(c->tx, &job);
}

status s3_restore_object(struct call *c, const struct s3_restore_object_input *in, struct s3_restore_object_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_place place;
	struct s3_archive a;
	enum tier tier = STANDARD;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_key_check(c, in->key));
	TRY(s3_version_find(c, &b, in->key, in->version_id, &o, &place));
	TRY(s3_archive_of(c, &b, in->key, &o, &a));
	if (!a.archived) {
		status s = call_fail(c, S3_ERR_INVALID_OBJECT_STATE,
			"Restore is not allowed for the object's current storage class");
		call_fail_detail(c, STR("StorageClass"), o.storage_class);
		return s;
	}
	bool deep = str_is(o.storage_class, "DEEP_ARCHIVE") || str_is(a.access_tier, "DEEP_ARCHIVE_ACCESS");
	const struct s3_restore_request *r = in->restore_request;
	TRY(read_request(c, r, &o, deep, &tier));
	struct s3_rec_restore fresh = {
		.requested = SOME_TIME(c->now_ms),
		.ready = SOME_TIME(c->now_ms + takes_ms(deep, tier)),
		.tier = str_c(tier_names[tier]),
	};
	if (a.restoring && fresh.ready.ms >= o.restore->ready.ms) /* "you can upgrade the speed of an in-progress restoration" */
		return call_fail(c, S3_ERR_RESTORE_ALREADY_IN_PROGRESS, "Object restore is already in progress");
	bool there = a.readable;
	if (there) fresh.ready = o.restore->ready;
	fresh.expires = r->days.has ? SOME_TIME(s3_lifecycle_due(there ? c->now_ms : fresh.ready.ms, r->days.v)) : fresh.ready;
	o.restore = &fresh;
	s3_version_rewrite(c, &b, in->key, &place, &o);
	tell_at(c, &b, in->key, &o, !there);
	if (there) return OK;
	c->response_code = 202;
	return s3_changed(c, &b, in->key, S3_RESTORE_ASKED, &o);
}

/* ── telling of it ── */

static status tell(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct call c = {.arena = a, .cloud = cloud, .tx = tx, .now_ms = job->due_ms};
	struct s3_rec_restore_job p = {0};
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	TRY(s3_rec_restore_job_decode(a, job->payload, &p));
	status s = s3_bucket_by_name(tx, a, p.bucket, &b, &c.partition);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (b.id.v != p.bucket_id.v) return OK;
	c.account = b.owner;
	c.region = b.region;
	s = s3_version_load(&c, &b, p.key, p.version_id, &o, NULL);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !o.restore)) return OK;
	TRY(s);
	if (!p.ready.v) return s3_changed(&c, &b, p.key, S3_RESTORE_EXPIRED, &o);
	/* The same job again, for the copy's end. */
	if (o.restore->expires.ms > o.restore->ready.ms) tell_at(&c, &b, p.key, &o, false);
	(void)again_ms;
	return s3_changed(&c, &b, p.key, S3_RESTORED, &o);
}

void s3_archive_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, kind, tell, cloud);
}
