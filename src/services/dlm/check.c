/* What lifecycle policies may say. "Create a custom policy for EBS snapshots", "… for EBS-backed AMIs", the guide. */
#include "clock/cron.h"
#include "services/dlm/room.h"
#include <stdarg.h>
#include <stdio.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define AGE_MAX_MS (100 * 365 * DAY_MS)

status dlm_invalid(struct call *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	call_fail(c, DLM_ERR_INVALID_REQUEST_EXCEPTION, "%s", text);
	struct dlm_invalid_request_exception *e = arena_new(c->arena, struct dlm_invalid_request_exception);
	e->message = c->failure.message;
	e->code = STR("INVALID_PARAMETER_VALUE");
	call_fail_members(c, e);
	return STATUS(FAILED);
}

static status not_built(struct call *c, const char *what)
{
	return call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what);
}

int64_t dlm_age_ms(struct opt_i32 interval, struct str unit)
{
	if (!interval.has || interval.v <= 0) return 0;
	return interval.v * DAY_MS *
	       (str_is(unit, "WEEKS")           ? 7
		       : str_is(unit, "MONTHS") ? 30
		       : str_is(unit, "YEARS")  ? 365
						: 1);
}

static status check_age(struct call *c, struct opt_i32 interval, struct str unit, const char *rule)
{
	if (!interval.has || !str_has(unit)) return dlm_invalid(c, "%s needs Interval and IntervalUnit.", rule);
	int64_t ms = dlm_age_ms(interval, unit);
	if (ms < DAY_MS || ms > AGE_MAX_MS)
		return dlm_invalid(c, "The interval of %s has to be from 1 day to 100 years.", rule);
	return OK;
}

static status check_create(struct call *c, struct dlm_create_rule *r)
{
	static const int8_t hours[] = {1, 2, 3, 4, 6, 8, 12, 24};
	struct cron cron;
	bool known = false;
	if (r->scripts.n) return not_built(c, "Pre and post scripts");
	if (str_has(r->location) && !str_is(r->location, "CLOUD")) return not_built(c, "Locations other than CLOUD");
	r->location = STR("CLOUD");
	if (r->interval.has == str_has(r->cron_expression))
		return dlm_invalid(c, "CreateRule needs either Interval or CronExpression.");
	if (!r->interval.has) {
		struct str text = str_sub(r->cron_expression, 5, r->cron_expression.n - 6);
		if (r->times.n) return dlm_invalid(c, "Times can't be given with CronExpression.");
		if (!str_ends(r->cron_expression, STR(")")) || !is_ok(cron_read_aws(text, &cron)))
			return dlm_invalid(c, "Invalid cron expression: %.*s", STR_ARG(r->cron_expression));
		return OK;
	}
	for (size_t i = 0; i < sizeof(hours); i++) known = known || r->interval.v == hours[i];
	if (!known) return dlm_invalid(c, "Interval has to be 1, 2, 3, 4, 6, 8, 12 or 24 hours.");
	r->interval_unit = STR("HOURS");
	/* "If you do not specify a time, Amazon DLM selects a time." */
	if (!r->times.n) {
		size_t capacity = 0;
		*VEC_PUSH(c->arena, &r->times, &capacity) =
			str_fmt(c->arena, "%02d:%02d", (int)(c->now_ms / 3600000 % 24), (int)(c->now_ms / 60000 % 60));
	}
	return OK;
}

static status check_copies(struct call *c, struct dlm_schedule *s)
{
	for (size_t i = 0; i < s->cross_region_copy_rules.n; i++) {
		struct dlm_cross_region_copy_rule *r = &s->cross_region_copy_rules.v[i];
		if (str_has(r->target_region) == str_has(r->target))
			return dlm_invalid(c, "A CrossRegionCopyRule needs either Target or TargetRegion.");
		if (str_find(r->target, STR(":outpost")) >= 0) return not_built(c, "Copies to Outposts");
		struct str region = str_or(r->target_region, r->target);
		if (str_eq(region, c->region))
			return dlm_invalid(c, "The target Region has to be another one than the policy's.");
		for (size_t k = 0; k < i; k++)
			if (str_eq(region, str_or(s->cross_region_copy_rules.v[k].target_region,
						   s->cross_region_copy_rules.v[k].target)))
				return dlm_invalid(
					c, "There is more than one rule for the target Region %.*s.", STR_ARG(region));
		if (str_has(r->cmk_arn) && !r->encrypted.v)
			return dlm_invalid(c, "CmkArn requires Encrypted to be true.");
		if (r->retain_rule)
			TRY(check_age(c, r->retain_rule->interval, r->retain_rule->interval_unit,
				"a CrossRegionCopyRule's RetainRule"));
		if (r->deprecate_rule) return not_built(c, "Deprecations of copies");
	}
	return OK;
}

static status check_schedule(struct call *c, const struct dlm_policy_details *d, struct dlm_schedule *s)
{
	bool images = dlm_of_images(d);
	if (!str_has(s->name) || str_empty(s->name)) return dlm_invalid(c, "A schedule needs a Name.");
	if (!s->create_rule || !s->retain_rule) return dlm_invalid(c, "A schedule needs CreateRule and RetainRule.");
	if (s->archive_rule) return not_built(c, "Archive rules");
	TRY(check_create(c, s->create_rule));
	if (s->retain_rule->count.has == s->retain_rule->interval.has)
		return dlm_invalid(c, "RetainRule needs either Count or Interval.");
	if (s->retain_rule->count.has && s->retain_rule->count.v < 1)
		return dlm_invalid(c, "Count has to be from 1 to 1000.");
	if (!s->retain_rule->count.has)
		TRY(check_age(c, s->retain_rule->interval, s->retain_rule->interval_unit, "RetainRule"));
	TRY(check_copies(c, s));
	const struct dlm_fast_restore_rule *f = s->fast_restore_rule;
	if (f && images) return dlm_invalid(c, "Fast restores are of snapshots.");
	if (f && !f->availability_zones.n) return dlm_invalid(c, "FastRestoreRule needs AvailabilityZones.");
	if (f && f->count.has == f->interval.has)
		return dlm_invalid(c, "FastRestoreRule needs either Count or Interval.");
	if (f && !f->count.has) TRY(check_age(c, f->interval, f->interval_unit, "FastRestoreRule"));
	if (s->share_rules.n && images) return dlm_invalid(c, "Share rules are of snapshots.");
	if (s->share_rules.n && s->share_rules.v[0].unshare_interval.has)
		TRY(check_age(c, s->share_rules.v[0].unshare_interval, s->share_rules.v[0].unshare_interval_unit,
			"ShareRules"));
	const struct dlm_deprecate_rule *p = s->deprecate_rule;
	if (p && !images) return dlm_invalid(c, "Deprecations are of AMIs.");
	if (p && p->count.has) return not_built(c, "Deprecations by count");
	if (p) TRY(check_age(c, p->interval, p->interval_unit, "DeprecateRule"));
	if (s->variable_tags.n && !dlm_of_instances(d))
		return dlm_invalid(c, "VariableTags are of policies that target instances.");
	return OK;
}

status dlm_check(struct call *c, struct dlm_policy_details *d)
{
	if (str_is(d->policy_language, "SIMPLIFIED"))
		return dlm_invalid(c, "A default policy is made with the parameter DefaultPolicy.");
	if (str_is(d->policy_type, "EVENT_BASED_POLICY")) return not_built(c, "Policies on events");
	d->policy_type = str_or(d->policy_type, STR("EBS_SNAPSHOT_MANAGEMENT"));
	d->policy_language = STR("STANDARD");
	if (!d->resource_types.n) return dlm_invalid(c, "The policy needs ResourceTypes.");
	if (dlm_of_images(d) && !dlm_of_instances(d))
		return dlm_invalid(c, "Policies of AMIs target resources of type INSTANCE.");
	if (d->resource_locations.n && !str_is(d->resource_locations.v[0], "CLOUD"))
		return not_built(c, "Locations other than CLOUD");
	if (!d->resource_locations.n) {
		size_t capacity = 0;
		*VEC_PUSH(c->arena, &d->resource_locations, &capacity) = STR("CLOUD");
	}
	if (!d->target_tags.n) return dlm_invalid(c, "The policy needs TargetTags.");
	if (!d->schedules.n) return dlm_invalid(c, "The policy needs Schedules.");
	for (size_t i = 0; i < d->schedules.n; i++) {
		TRY(check_schedule(c, d, &d->schedules.v[i]));
		for (size_t k = 0; k < i; k++)
			if (str_eq(d->schedules.v[i].name, d->schedules.v[k].name))
				return dlm_invalid(c, "More than one schedule has the name %.*s.",
					STR_ARG(d->schedules.v[i].name));
	}
	return OK;
}
