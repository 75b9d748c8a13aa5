/* Rules: reading them, matching objects against them, telling when they are due. Nothing here changes anything. */
#include "services/s3/lifecycle.h"
#include "services/s3/version.h"

#define DAY_MS (24ll * 60 * 60 * 1000)
#define SMALL_BYTES (128 << 10)
enum { ID_CHARACTERS = 48 };

status s3_lifecycle_load(struct call *c, const struct s3_rec_bucket *b, struct s3_lifecycle *out)
{
	struct s3_put_bucket_lifecycle_configuration_input in;
	*out = (struct s3_lifecycle){0};
	TRY(s3_config_get(c, b, S3_CONFIG_LIFECYCLE, STR(""), &in));
	if (!in.lifecycle_configuration) return STATUS(NOT_FOUND);
	struct s3_lifecycle_rules *rules = &in.lifecycle_configuration->rules;
	for (size_t i = 0; i < rules->n; i++) {
		if (!str_empty(rules->v[i].id)) continue;
		uint8_t hash[32];
		digest_sha256(str_fmt(c->arena, "rule %zu of %lld", i, (long long)b->id.v), hash);
		rules->v[i].id = str_sub(str_hex(c->arena, str_n(hash, sizeof hash)), 0, ID_CHARACTERS);
	}
	out->v = rules->v;
	out->n = rules->n;
	out->small_may_freeze = str_is(b->transition_minimum, "varies_by_storage_class");
	return OK;
}

static bool sized(struct opt_i64 above, struct opt_i64 below, const struct s3_rec_object *o)
{
	return (!above.has || o->size.v > above.v) && (!below.has || o->size.v < below.v);
}

bool s3_lifecycle_applies(const struct s3_lifecycle_rule *r, struct str key, const struct s3_rec_object *o)
{
	if (!str_is(r->status, "Enabled")) return false;
	if (str_has(r->prefix) && !str_starts(key, r->prefix)) return false;
	const struct s3_lifecycle_rule_filter *f = r->filter;
	if (!f) return true;
	const struct s3_lifecycle_rule_and_operator *and = f->and;
	if (str_has(f->prefix) && !str_starts(key, f->prefix)) return false;
	if (and&&str_has(and->prefix) && !str_starts(key, and->prefix)) return false;
	bool picks = f->tag || f->object_size_greater_than.has || f->object_size_less_than.has ||
		     (and&&(and->tags.n || and->object_size_greater_than.has || and->object_size_less_than.has));
	if (!o || o->marker.v) return !picks;
	if (f->tag && !s3_tags_hold(&o->tags, f->tag)) return false;
	if (!sized(f->object_size_greater_than, f->object_size_less_than, o)) return false;
	for (size_t i = 0; and&&i < and->tags.n; i++)
		if (!s3_tags_hold(&o->tags, &and->tags.v[i])) return false;
	return !and || sized(and->object_size_greater_than, and->object_size_less_than, o);
}

int64_t s3_lifecycle_due(int64_t from_ms, int32_t days)
{
	int64_t at = from_ms + days * DAY_MS;
	return (at + DAY_MS - 1) / DAY_MS * DAY_MS;
}

int64_t s3_lifecycle_expires(const struct s3_lifecycle *l, struct str key, const struct s3_rec_object *o,
	const struct s3_lifecycle_rule **rule)
{
	int64_t first = INT64_MAX;
	*rule = NULL;
	for (size_t i = 0; i < l->n; i++) {
		const struct s3_lifecycle_rule *r = &l->v[i];
		if (!r->expiration || !s3_lifecycle_applies(r, key, o)) continue;
		int64_t due = r->expiration->date.has   ? r->expiration->date.ms
			      : r->expiration->days.has ? s3_lifecycle_due(o->modified.ms, r->expiration->days.v)
							: INT64_MAX;
		if (due >= first) continue;
		first = due;
		*rule = r;
	}
	return first;
}

/* ── transitions ── */

/* The waterfall of classes ("Transitioning objects using Amazon S3 Lifecycle"): down only, and not from One Zone-IA to
 * Glacier Instant Retrieval. */
static int rank(struct str class)
{
	static const char *const order[] = {"STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA",
		"GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"};
	for (int i = 0; i < (int)(sizeof order / sizeof *order); i++)
		if (str_eq(class, str_c(order[i]))) return i;
	return 0;
}

static bool may_fall(struct str from, struct str to)
{
	return rank(to) > rank(from) && !(str_is(from, "ONEZONE_IA") && str_is(to, "GLACIER_IR"));
}

static bool sets_size(const struct s3_lifecycle_rule *r)
{
	const struct s3_lifecycle_rule_filter *f = r->filter;
	if (!f) return false;
	return f->object_size_greater_than.has || f->object_size_less_than.has ||
	       (f->and &&(f->and->object_size_greater_than.has || f->and->object_size_less_than.has));
}

/* "By default, objects smaller than 128 KB don't transition to any storage class"; a filter by size says otherwise. */
static bool large_enough(
	const struct s3_lifecycle *l, const struct s3_lifecycle_rule *r, const struct s3_rec_object *o, struct str to)
{
	if (o->size.v >= SMALL_BYTES || sets_size(r)) return true;
	return l->small_may_freeze && (str_is(to, "GLACIER") || str_is(to, "DEEP_ARCHIVE"));
}

struct fall {
	struct str from, to;
	int64_t now, next;
};

/* Among those due the coldest wins ("the lower-cost storage class"). */
static void consider(struct fall *f, struct str class, int64_t due)
{
	if (!may_fall(str_has(f->to) ? f->to : f->from, class)) return;
	if (due <= f->now)
		f->to = class;
	else if (due < f->next)
		f->next = due;
}

struct str s3_lifecycle_class(const struct s3_lifecycle *l, struct str key, const struct s3_rec_object *o,
	bool noncurrent, int64_t noncurrent_ms, int32_t newer, int64_t now_ms, int64_t *due)
{
	struct fall f = {.from = o->storage_class, .to = STR_NONE, .now = now_ms, .next = INT64_MAX};
	for (size_t i = 0; i < l->n; i++) {
		const struct s3_lifecycle_rule *r = &l->v[i];
		if (!s3_lifecycle_applies(r, key, o)) continue;
		for (size_t j = 0; !noncurrent && j < r->transitions.n; j++) {
			const struct s3_transition *t = &r->transitions.v[j];
			if (large_enough(l, r, o, t->storage_class))
				consider(&f, t->storage_class,
					t->date.has ? t->date.ms : s3_lifecycle_due(o->modified.ms, t->days.v));
		}
		for (size_t j = 0; noncurrent && j < r->noncurrent_version_transitions.n; j++) {
			const struct s3_noncurrent_version_transition *t = &r->noncurrent_version_transitions.v[j];
			if (newer >= t->newer_noncurrent_versions.v && large_enough(l, r, o, t->storage_class))
				consider(&f, t->storage_class, s3_lifecycle_due(noncurrent_ms, t->noncurrent_days.v));
		}
	}
	*due = f.next;
	return f.to;
}

/* ── what answers tell ── */

status s3_lifecycle_header(
	struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o, struct str *out)
{
	struct s3_lifecycle l;
	const struct s3_lifecycle_rule *rule;
	*out = STR_NONE;
	if (!s3_config_may(b, S3_CONFIG_LIFECYCLE)) return OK;
	status s = s3_lifecycle_load(c, b, &l);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	int64_t due = s3_lifecycle_expires(&l, key, o, &rule);
	if (rule)
		*out = str_fmt(c->arena, "expiry-date=\"%.*s\", rule-id=\"%.*s\"", STR_ARG(time_rfc822(c->arena, due)),
			STR_ARG(str_uri_encode(c->arena, rule->id, false)));
	return OK;
}

status s3_lifecycle_abort(struct call *c, const struct s3_rec_bucket *b, struct str key, int64_t initiated_ms,
	struct opt_time *date, struct str *rule_id)
{
	struct s3_lifecycle l;
	*date = (struct opt_time){0};
	*rule_id = STR_NONE;
	if (!s3_config_may(b, S3_CONFIG_LIFECYCLE)) return OK;
	status s = s3_lifecycle_load(c, b, &l);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < l.n; i++) {
		const struct s3_abort_incomplete_multipart_upload *a = l.v[i].abort_incomplete_multipart_upload;
		if (!a || !s3_lifecycle_applies(&l.v[i], key, NULL)) continue;
		int64_t due = s3_lifecycle_due(initiated_ms, a->days_after_initiation.v);
		if (date->has && date->ms <= due) continue;
		*date = SOME_TIME(due);
		*rule_id = l.v[i].id;
	}
	return OK;
}
