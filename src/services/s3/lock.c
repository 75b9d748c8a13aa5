/* Object Lock: the bucket's configuration, what uploads say, and what a locked version resists. */
#include "services/s3/lock.h"
#include "services/s3/changed.h"
#include "services/s3/access.h"
#include "services/s3/config.h"
#include "services/s3/version.h"

enum { DAYS_MAX = 36500, YEARS_MAX = 100 };
#define DAY_MS (24ll * 60 * 60 * 1000)

static bool is_mode(struct str s) { return str_is(s, "GOVERNANCE") || str_is(s, "COMPLIANCE"); }

static status missing_configuration(struct call *c)
{
	return call_fail(c, S3_ERR_INVALID_REQUEST, "Bucket is missing Object Lock Configuration");
}

static status no_configuration(struct call *c)
{
	return call_fail(c, S3_ERR_NO_SUCH_OBJECT_LOCK_CONFIGURATION,
		"The specified object does not have a ObjectLock configuration");
}

static status is_protected(struct call *c)
{
	return call_fail(c, ERR_ACCESS_DENIED, "Access Denied because object protected by object lock.");
}

/* ── uploads ── */

/* "The Content-MD5 or x-amz-sdk-checksum-algorithm header is required for any request to upload an object with a retention
 * period configured using Object Lock" ("PutObject", API reference). */
static bool has_digest(const struct call *c)
{
	for (size_t i = 0; i < c->http->n_headers; i++) {
		struct str name = c->http->headers[i].name;
		if (str_ieq(name, STR("Content-MD5")) || str_istarts(name, STR("x-amz-checksum-")) ||
			str_ieq(name, STR("x-amz-sdk-checksum-algorithm")) || str_ieq(name, STR("x-amz-trailer")))
			return true;
	}
	return false;
}

/* The same day of the month so many years on; the 29th of February becomes the 1st of March. */
static int64_t add_years(struct call *c, int64_t ms, int32_t years)
{
	struct str now = time_iso8601(c->arena, ms, true);
	int64_t year, out;
	if (!is_ok(str_to_i64(str_sub(now, 0, 4), &year))) return ms;
	struct str then = str_fmt(c->arena, "%04d%.*s", (int)year + years, STR_ARG(str_from(now, 4)));
	if (is_ok(time_read_iso8601(then, &out))) return out;
	then = str_fmt(c->arena, "%04d-03-01%.*s", (int)year + years, STR_ARG(str_from(now, 10)));
	return is_ok(time_read_iso8601(then, &out)) ? out : ms;
}

static void apply_default(struct call *c, const struct s3_rec_bucket *b, struct s3_rec_object *o)
{
	if (!str_has(b->lock_mode)) return;
	o->lock_mode = b->lock_mode;
	o->retain_until = SOME_TIME(
		b->lock_days.has ? c->now_ms + b->lock_days.v * DAY_MS : add_years(c, c->now_ms, b->lock_years.v));
}

status s3_lock_read(struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o)
{
	bool mode = str_has(h->object_lock_mode), until = h->object_lock_retain_until_date.has;
	bool hold = str_has(h->object_lock_legal_hold_status);
	o->lock_mode = STR_NONE;
	o->retain_until = (struct opt_time){0};
	o->legal_hold = (struct opt_bool){0};
	if (!b->lock.v) return mode || until || hold ? missing_configuration(c) : OK;
	if (mode != until)
		return call_fail(c, S3_ERR_INVALID_ARGUMENT,
			"x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied");
	if (mode && !is_mode(h->object_lock_mode))
		return s3_invalid_argument(
			c, STR("x-amz-object-lock-mode"), h->object_lock_mode, "Unknown wormMode directive.");
	if (until && h->object_lock_retain_until_date.ms <= c->now_ms)
		return s3_invalid_argument(c, STR("x-amz-object-lock-retain-until-date"),
			time_iso8601(c->arena, h->object_lock_retain_until_date.ms, false),
			"The retain until date must be in the future!");
	bool on = str_is(h->object_lock_legal_hold_status, "ON");
	if (hold && !on && !str_is(h->object_lock_legal_hold_status, "OFF"))
		return s3_invalid_argument(c, STR("x-amz-object-lock-legal-hold"), h->object_lock_legal_hold_status,
			"Legal Hold must be either of 'ON' or 'OFF'");
	if (hold) o->legal_hold = SOME_BOOL(on);
	if (mode) {
		o->lock_mode = h->object_lock_mode;
		o->retain_until = h->object_lock_retain_until_date;
	} else {
		apply_default(c, b, o);
	}
	if (c->match.op_index == S3_OP_PUT_OBJECT && (mode || hold) && !has_digest(c))
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock "
			"parameters");
	return OK;
}

void s3_lock_move(const struct s3_rec_object *from, struct s3_rec_object *to)
{
	to->lock_mode = from->lock_mode;
	to->retain_until = from->retain_until;
	to->legal_hold = from->legal_hold;
}

/* ── what it resists ── */

bool s3_lock_bypasses(const struct call *c)
{
	if (!c->http) return false;
	if (str_ieq(call_request_header(c, STR("x-amz-bypass-governance-retention")), STR("true"))) return true;
	/* Asked for from inside (a batch job): there is no header. */
	const struct s3_put_object_retention_input *in =
		c->match.op_index == S3_OP_PUT_OBJECT_RETENTION ? call_input(c) : NULL;
	return in && in->bypass_governance_retention.v;
}

status s3_lock_check_delete(struct call *c, const struct s3_rec_object *o)
{
	if (o->marker.v) return OK;
	if (o->legal_hold.v) return is_protected(c);
	if (!s3_lock_retained(c, o)) return OK;
	return str_is(o->lock_mode, "GOVERNANCE") && s3_lock_bypasses(c) ? OK : is_protected(c);
}

/* "Placing a retention period on objects": it can be extended by anyone who may set it; shortened, removed or changed in its
 * mode only in governance mode and by who may bypass it. */
static status check_change(struct call *c, const struct s3_rec_object *o, struct str mode, struct opt_time until)
{
	if (!s3_lock_retained(c, o)) return OK;
	bool extends = str_eq(mode, o->lock_mode) && until.has && until.ms >= o->retain_until.ms;
	if (extends || (str_is(o->lock_mode, "GOVERNANCE") && s3_lock_bypasses(c))) return OK;
	return is_protected(c);
}

/* ── the bucket's configuration ── */

static status check_retention(struct call *c, const struct s3_default_retention *r)
{
	if (!is_mode(r->mode) || r->days.has == r->years.has) return s3_malformed_xml(c);
	int32_t period = r->days.has ? r->days.v : r->years.v;
	if (period <= 0)
		return call_fail(c, S3_ERR_INVALID_ARGUMENT, "Default retention period must be a positive integer value.");
	if (period > (r->days.has ? DAYS_MAX : YEARS_MAX))
		return call_fail(c, S3_ERR_INVALID_ARGUMENT, "Default retention period too large. The maximum is %d %s",
			r->days.has ? DAYS_MAX : YEARS_MAX, r->days.has ? "days" : "years");
	return OK;
}

status s3_put_object_lock_configuration(struct call *c, const struct s3_put_object_lock_configuration_input *in,
	struct s3_put_object_lock_configuration_output *out)
{
	struct s3_rec_bucket b;
	const struct s3_object_lock_configuration *conf = in->object_lock_configuration;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_config_check_digest(c));
	if (!conf) return s3_malformed_xml(c);
	if (!b.lock.v && !str_is(b.versioning, "Enabled"))
		return call_fail(c, S3_ERR_INVALID_BUCKET_STATE,
			"Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration");
	if (!str_is(conf->object_lock_enabled, "Enabled")) return s3_malformed_xml(c);
	const struct s3_default_retention *r = conf->rule ? conf->rule->default_retention : NULL;
	if (conf->rule && !r) return s3_malformed_xml(c);
	if (r) TRY(check_retention(c, r));
	b.lock = SOME_BOOL(true);
	b.lock_mode = r ? r->mode : STR_NONE;
	b.lock_days = r ? r->days : (struct opt_i32){0};
	b.lock_years = r ? r->years : (struct opt_i32){0};
	s3_bucket_save(c, &b);
	return OK;
}

status s3_get_object_lock_configuration(struct call *c, const struct s3_get_object_lock_configuration_input *in,
	struct s3_get_object_lock_configuration_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (!b.lock.v) {
		status s = call_fail(c, S3_ERR_OBJECT_LOCK_CONFIGURATION_NOT_FOUND_ERROR,
			"Object Lock configuration does not exist for this bucket");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	struct s3_object_lock_configuration *conf = arena_new(c->arena, struct s3_object_lock_configuration);
	out->object_lock_configuration = conf;
	conf->object_lock_enabled = STR("Enabled");
	if (!str_has(b.lock_mode)) return OK;
	conf->rule = arena_new(c->arena, struct s3_object_lock_rule);
	struct s3_default_retention *r = conf->rule->default_retention = arena_new(c->arena, struct s3_default_retention);
	*r = (struct s3_default_retention){b.lock_mode, b.lock_days, b.lock_years};
	return OK;
}

/* ── one version's ── */

static status find(struct call *c, struct str bucket, struct str owner, struct str key, struct str version_id,
	struct s3_rec_bucket *b, struct s3_rec_object *o, struct s3_place *place)
{
	TRY(s3_bucket_load(c, bucket, owner, b));
	if (!b->lock.v) return missing_configuration(c);
	return s3_version_find(c, b, key, version_id, o, place);
}

status s3_put_object_retention(
	struct call *c, const struct s3_put_object_retention_input *in, struct s3_put_object_retention_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_place place;
	(void)out;
	TRY(find(c, in->bucket, in->expected_bucket_owner, in->key, in->version_id, &b, &o, &place));
	TRY(s3_config_check_digest(c));
	const struct s3_object_lock_retention *r = in->retention;
	bool removes = !r || (!str_has(r->mode) && !r->retain_until_date.has);
	if (!removes && (!is_mode(r->mode) || !r->retain_until_date.has)) return s3_malformed_xml(c);
	if (!removes && r->retain_until_date.ms <= c->now_ms)
		return s3_invalid_argument(c, STR("RetainUntilDate"), time_iso8601(c->arena, r->retain_until_date.ms, false),
			"The retain until date must be in the future!");
	TRY(check_change(c, &o, removes ? STR_NONE : r->mode, removes ? (struct opt_time){0} : r->retain_until_date));
	o.lock_mode = removes ? STR_NONE : r->mode;
	o.retain_until = removes ? (struct opt_time){0} : r->retain_until_date;
	s3_version_rewrite(c, &b, in->key, &place, &o);
	return s3_changed(c, &b, in->key, S3_LOCKED, &o);
}

status s3_get_object_retention(
	struct call *c, const struct s3_get_object_retention_input *in, struct s3_get_object_retention_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	TRY(find(c, in->bucket, in->expected_bucket_owner, in->key, in->version_id, &b, &o, NULL));
	if (!str_has(o.lock_mode)) return no_configuration(c);
	out->retention = arena_new(c->arena, struct s3_object_lock_retention);
	*out->retention = (struct s3_object_lock_retention){o.lock_mode, o.retain_until};
	return OK;
}

status s3_put_object_legal_hold(
	struct call *c, const struct s3_put_object_legal_hold_input *in, struct s3_put_object_legal_hold_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_place place;
	(void)out;
	TRY(find(c, in->bucket, in->expected_bucket_owner, in->key, in->version_id, &b, &o, &place));
	TRY(s3_config_check_digest(c));
	bool on = in->legal_hold && str_is(in->legal_hold->status, "ON");
	if (!on && !(in->legal_hold && str_is(in->legal_hold->status, "OFF"))) return s3_malformed_xml(c);
	o.legal_hold = SOME_BOOL(on);
	s3_version_rewrite(c, &b, in->key, &place, &o);
	return s3_changed(c, &b, in->key, S3_LOCKED, &o);
}

status s3_get_object_legal_hold(
	struct call *c, const struct s3_get_object_legal_hold_input *in, struct s3_get_object_legal_hold_output *out)
{
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	TRY(find(c, in->bucket, in->expected_bucket_owner, in->key, in->version_id, &b, &o, NULL));
	if (!o.legal_hold.has) return no_configuration(c);
	out->legal_hold = arena_new(c->arena, struct s3_object_lock_legal_hold);
	out->legal_hold->status = o.legal_hold.v ? STR("ON") : STR("OFF");
	return OK;
}
