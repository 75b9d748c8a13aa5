/* PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle, and what a configuration may
 * not say
 * ("Lifecycle configuration elements", "Troubleshooting Amazon S3 Lifecycle issues"). */
#include "services/s3/headers.h"
#include "services/s3/lifecycle.h"

#define DAY_MS (24ll * 60 * 60 * 1000)
enum { RULES_MAX = 1000, ID_MAX = 255, NEWER_MAX = 100, WARM_DAYS = 30 };

#define INVALID(c, ...) call_fail((c), S3_ERR_INVALID_REQUEST, __VA_ARGS__)
#define BAD_ARGUMENT(c, ...) call_fail((c), S3_ERR_INVALID_ARGUMENT, __VA_ARGS__)

static struct str prefix_of(const struct s3_lifecycle_rule *r)
{
	struct str p = r->filter ? r->filter->and ? r->filter->and->prefix : r->filter->prefix : r->prefix;
	return str_or(p, STR(""));
}

static bool has_tags(const struct s3_lifecycle_rule *r)
{
	return r->filter && (r->filter->tag || (r->filter->and &&r->filter->and->tags.n));
}

static bool has_sizes(const struct s3_lifecycle_rule *r)
{
	const struct s3_lifecycle_rule_filter *f = r->filter;
	return f && (f->object_size_greater_than.has || f->object_size_less_than.has ||
			    (f->and &&(f->and->object_size_greater_than.has || f->and->object_size_less_than.has)));
}

/* ── filters ── */

static status check_sizes(struct call *c, struct opt_i64 above, struct opt_i64 below)
{
	if ((above.has && above.v < 0) || (below.has && below.v < 1)) return s3_malformed_xml(c);
	if (above.has && below.has && below.v - above.v < 2)
		return INVALID(
			c, "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan' by at least 2");
	return OK;
}

static status check_tag(struct call *c, const struct s3_tag *t)
{
	struct s3_rec_tag tag = {t->key, str_or(t->value, STR(""))};
	return s3_tag_check(c, &tag);
}

static status check_filter(struct call *c, const struct s3_lifecycle_rule *r)
{
	const struct s3_lifecycle_rule_filter *f = r->filter;
	if (str_has(r->prefix) == (f != NULL)) return s3_malformed_xml(c);
	if (!f) return OK;
	int told =
		str_has(f->prefix) + (f->tag != NULL) + f->object_size_greater_than.has + f->object_size_less_than.has;
	if (told + (f->and != NULL) > 1) return s3_malformed_xml(c);
	if (f->tag) TRY(check_tag(c, f->tag));
	TRY(check_sizes(c, f->object_size_greater_than, f->object_size_less_than));
	const struct s3_lifecycle_rule_and_operator *a = f->and;
	if (!a) return OK;
	if (str_has(a->prefix) + a->tags.n + a->object_size_greater_than.has + a->object_size_less_than.has < 2)
		return s3_malformed_xml(c);
	for (size_t i = 0; i < a->tags.n; i++) {
		TRY(check_tag(c, &a->tags.v[i]));
		for (size_t j = 0; j < i; j++)
			if (str_eq(a->tags.v[i].key, a->tags.v[j].key))
				return INVALID(c, "Duplicate Tag Keys are not allowed.");
	}
	return check_sizes(c, a->object_size_greater_than, a->object_size_less_than);
}

/* ── actions ── */

static status check_date(struct call *c, struct opt_time date)
{
	return date.has && date.ms % DAY_MS ? BAD_ARGUMENT(c, "'Date' must be at midnight GMT") : OK;
}

static status check_expiration(struct call *c, const struct s3_lifecycle_rule *r)
{
	const struct s3_lifecycle_expiration *e = r->expiration;
	if (!e) return OK;
	if (e->days.has + e->date.has + e->expired_object_delete_marker.has != 1) return s3_malformed_xml(c);
	if (e->days.has && e->days.v <= 0)
		return BAD_ARGUMENT(c, "'Days' for Expiration action must be a positive integer");
	if (e->expired_object_delete_marker.has && has_tags(r))
		return INVALID(c, "ExpiredObjectDeleteMarker cannot be specified with Tags.");
	return check_date(c, e->date);
}

static bool is_class(struct str class)
{
	static const char *const known[] = {
		"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_eq(class, str_c(known[i]))) return true;
	return false;
}

static bool is_warm(struct str class)
{
	return str_is(class, "STANDARD_IA") || str_is(class, "ONEZONE_IA");
}

static status check_days(struct call *c, struct str class, int32_t days, const char *name, const char *action)
{
	if (days < 0) return BAD_ARGUMENT(c, "'%s' for %s action must be nonnegative", name, action);
	/* "Objects must be stored for at least 30 days before you can transition them to S3 Standard-IA or One
	 * Zone-IA." */
	if (is_warm(class) && days < WARM_DAYS)
		return BAD_ARGUMENT(c, "'%s' in %s action must be greater than or equal to 30 for storageClass '%.*s'",
			name, action, STR_ARG(class));
	return OK;
}

static status check_transitions(struct call *c, const struct s3_lifecycle_rule *r)
{
	const struct s3_lifecycle_expiration *e = r->expiration;
	struct str prefix = prefix_of(r);
	for (size_t i = 0; i < r->transitions.n; i++) {
		const struct s3_transition *t = &r->transitions.v[i];
		if (t->days.has == t->date.has || !is_class(t->storage_class)) return s3_malformed_xml(c);
		TRY(check_date(c, t->date));
		if (t->days.has) TRY(check_days(c, t->storage_class, t->days.v, "Days", "Transition"));
		if (e && (e->days.has || e->date.has) && e->date.has != t->date.has)
			return INVALID(c,
				"Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle "
				"rule for prefix "
				"'%.*s'",
				STR_ARG(prefix));
		if (e && e->days.has && e->days.v <= t->days.v)
			return BAD_ARGUMENT(c,
				"'Days' in the Expiration action for prefix '%.*s' must be greater than 'Days' in the "
				"Transition "
				"action",
				STR_ARG(prefix));
		if (e && e->date.has && e->date.ms <= t->date.ms)
			return BAD_ARGUMENT(c,
				"'Date' in the Expiration action for prefix '%.*s' must be later than 'Date' in the "
				"Transition action",
				STR_ARG(prefix));
		for (size_t j = 0; j < i; j++) {
			const struct s3_transition *u = &r->transitions.v[j];
			if (u->date.has != t->date.has)
				return INVALID(c,
					"Found mixed 'Date' and 'Days' based Transition actions in lifecycle rule for "
					"prefix '%.*s'",
					STR_ARG(prefix));
			if (str_eq(u->storage_class, t->storage_class))
				return INVALID(c,
					"'StorageClass' must be different for 'Transition' actions in same 'Rule' with "
					"prefix '%.*s'",
					STR_ARG(prefix));
		}
		/* "you must wait at least 30 days before transitioning from S3 Standard-IA" */
		for (size_t j = 0; t->days.has && is_warm(t->storage_class) && j < r->transitions.n; j++) {
			const struct s3_transition *u = &r->transitions.v[j];
			if (u == t || is_warm(u->storage_class) || u->days.v <= t->days.v ||
				u->days.v - t->days.v >= WARM_DAYS)
				continue;
			return BAD_ARGUMENT(c,
				"'Days' in the 'Transition' action for StorageClass '%.*s' for prefix '%.*s' must be "
				"30 days more than "
				"'Days' in the 'Transition' action for StorageClass '%.*s'",
				STR_ARG(u->storage_class), STR_ARG(prefix), STR_ARG(t->storage_class));
		}
	}
	return OK;
}

static status check_newer(struct call *c, struct opt_i32 newer, const struct s3_lifecycle_rule *r)
{
	if (!newer.has) return OK;
	if (newer.v < 1 || newer.v > NEWER_MAX)
		return BAD_ARGUMENT(c, "'NewerNoncurrentVersions' must be a positive integer between 1 and 100");
	return r->filter ? OK
			 : INVALID(c, "NewerNoncurrentVersions can only be specified in a rule with a Filter element");
}

static status check_noncurrent(struct call *c, const struct s3_lifecycle_rule *r)
{
	const struct s3_noncurrent_version_expiration *e = r->noncurrent_version_expiration;
	struct str prefix = prefix_of(r);
	if (e) {
		if (!e->noncurrent_days.has) return s3_malformed_xml(c);
		if (e->noncurrent_days.v <= 0)
			return BAD_ARGUMENT(c,
				"'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer");
		TRY(check_newer(c, e->newer_noncurrent_versions, r));
	}
	for (size_t i = 0; i < r->noncurrent_version_transitions.n; i++) {
		const struct s3_noncurrent_version_transition *t = &r->noncurrent_version_transitions.v[i];
		if (!t->noncurrent_days.has || !is_class(t->storage_class)) return s3_malformed_xml(c);
		TRY(check_days(
			c, t->storage_class, t->noncurrent_days.v, "NoncurrentDays", "NoncurrentVersionTransition"));
		TRY(check_newer(c, t->newer_noncurrent_versions, r));
		if (e && e->noncurrent_days.v <= t->noncurrent_days.v)
			return BAD_ARGUMENT(c,
				"'NoncurrentDays' in the NoncurrentVersionExpiration action for prefix '%.*s' must be "
				"greater than "
				"'NoncurrentDays' in the NoncurrentVersionTransition action",
				STR_ARG(prefix));
		for (size_t j = 0; j < i; j++)
			if (str_eq(r->noncurrent_version_transitions.v[j].storage_class, t->storage_class))
				return INVALID(c,
					"'StorageClass' must be different for 'NoncurrentVersionTransition' actions in "
					"same 'Rule' with "
					"prefix '%.*s'",
					STR_ARG(prefix));
	}
	return OK;
}

static status check_abort(struct call *c, const struct s3_lifecycle_rule *r)
{
	const struct s3_abort_incomplete_multipart_upload *a = r->abort_incomplete_multipart_upload;
	if (!a) return OK;
	if (!a->days_after_initiation.has) return s3_malformed_xml(c);
	if (a->days_after_initiation.v <= 0)
		return BAD_ARGUMENT(c,
			"'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer");
	if (has_tags(r)) return INVALID(c, "AbortIncompleteMultipartUpload cannot be specified with Tags.");
	if (has_sizes(r)) return INVALID(c, "AbortIncompleteMultipartUpload cannot be specified with Object Size.");
	return OK;
}

status s3_lifecycle_check(struct call *c, const struct s3_bucket_lifecycle_configuration *conf)
{
	if (!conf || conf->rules.n == 0 || conf->rules.n > RULES_MAX) return s3_malformed_xml(c);
	for (size_t i = 0; i < conf->rules.n; i++) {
		const struct s3_lifecycle_rule *r = &conf->rules.v[i];
		if (str_has(r->id) && r->id.n > ID_MAX)
			return BAD_ARGUMENT(c, "ID length should not exceed allowed limit of 255");
		for (size_t j = 0; j < i && !str_empty(r->id); j++)
			if (str_eq(r->id, conf->rules.v[j].id))
				return BAD_ARGUMENT(c, "Rule ID must be unique. Found same ID for more than one rule");
		if (!str_is(r->status, "Enabled") && !str_is(r->status, "Disabled")) return s3_malformed_xml(c);
		TRY(check_filter(c, r));
		if (!r->expiration && !r->transitions.n && !r->noncurrent_version_transitions.n &&
			!r->noncurrent_version_expiration && !r->abort_incomplete_multipart_upload)
			return INVALID(c, "At least one action needs to be specified in a rule");
		TRY(check_expiration(c, r));
		TRY(check_transitions(c, r));
		TRY(check_noncurrent(c, r));
		TRY(check_abort(c, r));
	}
	return OK;
}

/* ── operations ── */

status s3_put_bucket_lifecycle_configuration(struct call *c,
	const struct s3_put_bucket_lifecycle_configuration_input *in,
	struct s3_put_bucket_lifecycle_configuration_output *out)
{
	struct s3_rec_bucket b;
	struct str minimum = str_or(in->transition_default_minimum_object_size, STR("all_storage_classes_128K"));
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (b.mfa_delete.v)
		return call_fail(c, S3_ERR_INVALID_BUCKET_STATE,
			"Lifecycle configurations are not supported on buckets with MFA delete enabled.");
	if (!str_is(minimum, "all_storage_classes_128K") && !str_is(minimum, "varies_by_storage_class"))
		return s3_invalid_argument(c, STR("x-amz-transition-default-minimum-object-size"), minimum,
			"Invalid value for x-amz-transition-default-minimum-object-size header");
	TRY(s3_lifecycle_check(c, in->lifecycle_configuration));
	b.transition_minimum = minimum;
	TRY(s3_config_put(c, &b, S3_CONFIG_LIFECYCLE, STR("")));
	s3_lifecycle_schedule(c, &b);
	out->transition_default_minimum_object_size = minimum;
	return OK;
}

status s3_get_bucket_lifecycle_configuration(struct call *c,
	const struct s3_get_bucket_lifecycle_configuration_input *in,
	struct s3_get_bucket_lifecycle_configuration_output *out)
{
	struct s3_rec_bucket b;
	struct s3_lifecycle l;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = s3_lifecycle_load(c, &b, &l);
	if (status_is(s, STATUS_NOT_FOUND)) {
		s = call_fail(c, S3_ERR_NO_SUCH_LIFECYCLE_CONFIGURATION, "The lifecycle configuration does not exist");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	TRY(s);
	out->rules.v = arena_copy(c->arena, l.v, l.n * sizeof *l.v);
	out->rules.n = l.n;
	out->transition_default_minimum_object_size = b.transition_minimum;
	return OK;
}

status s3_delete_bucket_lifecycle(struct call *c, const struct s3_delete_bucket_lifecycle_input *in,
	struct s3_delete_bucket_lifecycle_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	s3_lifecycle_forget(c, &b);
	return s3_config_drop(c, &b, S3_CONFIG_LIFECYCLE, STR(""), NULL);
}
