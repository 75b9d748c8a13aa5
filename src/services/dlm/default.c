/* Default policies: one for volumes and one for instances in a Region, without schedules. "Create default policy for
 * EBS snapshots", "… for EBS-backed AMIs", the guide: every day they make a snapshot of each volume, or an image of
 * each instance, of which there is none that is recent, whoever made it. To the rest of this room such a policy has one
 * schedule. */
#include "services/dlm/room.h"
#include "services/ec2/image.h"
#include "wire/shape.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)
enum { CREATE_MAX = 7, RETAIN_MIN = 2, RETAIN_MAX = 14, RETAIN = 7 };

bool dlm_is_default(const struct dlm_policy_details *d)
{
	return str_is(d->policy_language, "SIMPLIFIED");
}

size_t dlm_schedules(const struct dlm_policy_details *d)
{
	return dlm_is_default(d) ? 1 : d->schedules.n;
}

status dlm_default_check(struct call *c, struct dlm_policy_details *d)
{
	size_t capacity = 0;
	if (!d->create_interval.has) d->create_interval = SOME_I32(1);
	if (!d->retain_interval.has) d->retain_interval = SOME_I32(RETAIN);
	if (d->create_interval.v > CREATE_MAX)
		return dlm_invalid(c, "CreateInterval has to be from 1 to %d days.", CREATE_MAX);
	if (d->retain_interval.v < RETAIN_MIN || d->retain_interval.v > RETAIN_MAX)
		return dlm_invalid(c, "RetainInterval has to be from %d to %d days.", RETAIN_MIN, RETAIN_MAX);
	if (d->retain_interval.v <= d->create_interval.v)
		return dlm_invalid(c, "RetainInterval has to be greater than CreateInterval.");
	for (size_t i = 0; i < d->cross_region_copy_targets.n; i++)
		if (!str_has(d->cross_region_copy_targets.v[i].target_region) ||
			str_eq(d->cross_region_copy_targets.v[i].target_region, c->region))
			return dlm_invalid(c, "The target Region has to be another one than the policy's.");
	bool images = str_is(d->resource_type, "INSTANCE");
	if (images && d->exclusions && (d->exclusions->exclude_boot_volumes.v || d->exclusions->exclude_volume_types.n))
		return dlm_invalid(c, "A default policy for AMIs excludes by tags only.");
	if (!d->copy_tags.has) d->copy_tags = SOME_BOOL(false);
	if (!d->extend_deletion.has) d->extend_deletion = SOME_BOOL(false);
	d->policy_type = images ? STR("IMAGE_MANAGEMENT") : STR("EBS_SNAPSHOT_MANAGEMENT");
	d->policy_language = STR("SIMPLIFIED");
	d->resource_types.n = 0;
	*VEC_PUSH(c->arena, &d->resource_types, &capacity) = d->resource_type;
	return OK;
}

void dlm_default_schedule(struct arena *a, const struct dlm_rec_policy *p, struct dlm_policy_details *d)
{
	struct dlm_schedule *s = arena_new(a, struct dlm_schedule);
	struct str *times = arena_new(a, struct str);
	size_t capacity = 0;
	if (!dlm_is_default(d)) return;
	*times = str_fmt(a, "%02d:%02d", (int)(p->created.ms / HOUR_MS % 24), (int)(p->created.ms / 60000 % 60));
	s->name = STR("Default Schedule");
	s->copy_tags = d->copy_tags;
	s->create_rule = arena_new(a, struct dlm_create_rule);
	s->create_rule->interval = SOME_I32(24);
	s->create_rule->times.v = times;
	s->create_rule->times.n = 1;
	s->retain_rule = arena_new(a, struct dlm_retain_rule);
	s->retain_rule->interval = d->retain_interval;
	s->retain_rule->interval_unit = STR("DAYS");
	for (size_t i = 0; i < d->cross_region_copy_targets.n; i++) {
		struct dlm_cross_region_copy_rule *r = VEC_PUSH(a, &s->cross_region_copy_rules, &capacity);
		r->target_region = d->cross_region_copy_targets.v[i].target_region;
		r->copy_tags = d->copy_tags;
		r->retain_rule = arena_new(a, struct dlm_cross_region_copy_retain_rule);
		r->retain_rule->interval = d->retain_interval;
		r->retain_rule->interval_unit = STR("DAYS");
	}
	d->schedules.v = s;
	d->schedules.n = 1;
}

/* ── which it takes ── */

static bool is_excluded(const struct dlm_policy_details *d, const struct ec2_tag_list *tags)
{
	for (size_t i = 0; d->exclusions && i < d->exclusions->exclude_tags.n; i++)
		for (size_t k = 0; k < tags->n; k++)
			if (str_eq(d->exclusions->exclude_tags.v[i].key, tags->v[k].key) &&
				str_eq(d->exclusions->exclude_tags.v[i].value, tags->v[k].value))
				return true;
	return false;
}

static status is_boot_volume(struct dlm_work *w, const struct ec2_rec_volume *v, bool *yes)
{
	*yes = false;
	for (size_t k = 0; k < v->attachments.n; k++) {
		struct ec2_rec_instance i;
		status s = ec2_load(w->look, &ec2_type_instance, v->attachments.v[k].instance_id, &i);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		*yes = *yes || (i.volumes.n && str_eq(i.volumes.v[0].id, v->volume_id));
	}
	return OK;
}

/* Since when, and before this turn: what the turn itself made, before it was cut short, is its own. The last turn's was
 * made a moment after its time, so half a day is let go. */
struct window {
	int64_t from_ms, until_ms;
};

static status has_snapshot(struct dlm_work *w, struct str volume, struct window t, bool *yes)
{
	struct ec2_each e = ec2_each(w->look, &ec2_type_snapshot);
	*yes = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_snapshot *s = e.item.record;
		*yes = *yes || (str_eq(s->volume_id, volume) && !str_is(s->state, "error") &&
				       s->start_time.ms > t.from_ms && s->start_time.ms < t.until_ms);
	}
	return ec2_each_end(&e);
}

static status has_image(struct dlm_work *w, struct str instance, struct window t, bool *yes)
{
	struct arena *a = w->at.a;
	struct str from = time_iso8601(a, t.from_ms, true), until = time_iso8601(a, t.until_ms, true);
	struct ec2_each e = ec2_each(w->look, &ec2_type_image);
	status s = OK;
	*yes = false;
	while (is_ok(s) && !*yes && ec2_next(&e)) {
		struct ec2_image shape = {0};
		struct str document = ((const struct ec2_rec_image *)e.item.record)->document;
		if (str_find(document, instance) < 0) continue;
		s = wire_shape_read(a, &wire_service_ec2.tables, EC2_SHAPE_IMAGE, document, &shape);
		*yes = is_ok(s) && str_eq(shape.source_instance_id, instance) &&
		       str_cmp(shape.creation_date, from) > 0 && str_cmp(shape.creation_date, until) < 0;
	}
	status end = ec2_each_end(&e);
	return is_ok(s) ? end : s;
}

status dlm_default_wants(
	struct dlm_work *w, const struct ec2_item *item, const struct ec2_tag_list *tags, int64_t turn_ms, bool *yes)
{
	const struct dlm_policy_details *d = w->details;
	struct window t = {turn_ms - d->create_interval.v * DAY_MS + DAY_MS / 2, turn_ms};
	bool has = false;
	*yes = false;
	if (is_excluded(d, tags)) return OK;
	if (dlm_of_instances(d)) {
		TRY(has_image(w, item->id, t, &has));
		*yes = !has;
		return OK;
	}
	const struct ec2_rec_volume *v = item->record;
	for (size_t i = 0; d->exclusions && i < d->exclusions->exclude_volume_types.n; i++)
		if (str_eq(d->exclusions->exclude_volume_types.v[i], v->volume_type)) return OK;
	if (d->exclusions && d->exclusions->exclude_boot_volumes.v) TRY(is_boot_volume(w, v, &has));
	if (has) return OK;
	TRY(has_snapshot(w, v->volume_id, t, &has));
	*yes = !has;
	return OK;
}

/* "If you do not extend deletion: … if the source … is deleted, Amazon Data Lifecycle Manager continues to delete
 * previously created snapshots up to, but not including, the last one". */
status dlm_default_keeps(struct dlm_work *w, const struct dlm_made *all, const struct dlm_rec_made *m, bool *yes)
{
	bool instances = dlm_of_instances(w->details);
	union {
		struct ec2_rec_volume v;
		struct ec2_rec_instance i;
	} source;
	*yes = false;
	if (!dlm_is_default(w->details) || w->details->extend_deletion.v) return OK;
	for (size_t k = 0; k < all->n; k++)
		if (!all->v[k].gone.v && str_eq(all->v[k].source, m->source) && all->v[k].turn.ms > m->turn.ms)
			return OK;
	status s = ec2_load(w->look, instances ? &ec2_type_instance : &ec2_type_volume, m->source, &source);
	*yes = status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && instances && source.i.state.v == EC2_TERMINATED);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}
