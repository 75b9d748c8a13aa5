/* What a schedule has made: shared, copied to other Regions, restored fast, deprecated, and in the end deleted, by
 * count or by age. Level-triggered: each look does what is missing. */
#include "services/dlm/room.h"
#include "services/ec2/image.h"

enum { LOOK_MS = 1000 };

/* Is it whole, on the way, or not there any more? */
enum standing { WHOLE, PENDING, GONE };

static status standing_of(struct dlm_work *w, struct str id, enum standing *out)
{
	struct ec2_rec_snapshot s;
	if (dlm_of_images(w->details)) {
		struct ec2_rec_image i;
		status st = ec2_load(w->look, &ec2_type_image, id, &i);
		*out = is_ok(st) ? WHOLE : GONE;
		return status_is(st, STATUS_NOT_FOUND) ? OK : st;
	}
	status st = ec2_load(w->look, &ec2_type_snapshot, id, &s);
	*out = !is_ok(st) ? GONE : str_is(s.state, "pending") ? PENDING : WHOLE;
	return status_is(st, STATUS_NOT_FOUND) ? OK : st;
}

static const char *const not_yet[] = {"IncorrectState", "InvalidAMIID.Unavailable", NULL};
static const char *const not_there[] = {"InvalidSnapshot.NotFound", "InvalidAMIID.NotFound", NULL};

/* ── copies ── */

static struct ec2_tag_list copied_tags(struct dlm_work *w, const struct dlm_cross_region_copy_rule *r, struct str id)
{
	struct ec2_tag_list source = {0}, out = {0};
	size_t capacity = 0;
	if (!is_ok(ec2_tags_get(w->look, id, &source))) return out;
	for (size_t i = 0; i < source.n; i++)
		if (r->copy_tags.v || str_starts(source.v[i].key, STR("aws:dlm:")) ||
			str_starts(source.v[i].key, STR("dlm:")))
			*VEC_PUSH(w->at.a, &out, &capacity) = source.v[i];
	return out;
}

/* One that was made before the job was cut short. STR_NONE. */
static struct str copied_before(struct dlm_work *w, struct str region, const struct dlm_rec_made *m, struct str name)
{
	struct ec2_place there = w->look;
	struct str source =
		str_fmt(w->at.a, "%.*s/%.*s/%.*s", STR_ARG(w->at.account), STR_ARG(w->at.region), STR_ARG(m->id));
	bool images = dlm_of_images(w->details);
	struct str found = STR_NONE;
	there.region = region;
	struct ec2_each e = ec2_each(there, images ? &ec2_type_image : &ec2_type_snapshot);
	while (!str_has(found) && ec2_next(&e)) {
		const struct ec2_rec_image *i = e.item.record;
		const struct ec2_rec_snapshot *s = e.item.record;
		if (images ? str_find(i->document, name) >= 0
			   : str_eq(s->source, source) && str_find(s->description, w->policy->id) >= 0)
			found = e.item.id;
	}
	return is_ok(ec2_each_end(&e)) ? found : STR_NONE;
}

static void copy_one(struct dlm_work *w, struct dlm_rec_made *m, size_t n)
{
	const struct dlm_cross_region_copy_rule *r = &w->schedule->cross_region_copy_rules.v[n];
	struct str region = str_or(r->target_region, r->target), code;
	struct ec2_tag_list tags = copied_tags(w, r, m->id);
	struct ec2_tag_specification spec = {
		.resource_type = dlm_of_images(w->details) ? STR("image") : STR("snapshot"), .tags = tags};
	struct ec2_tag_specification_list specs = {&spec, tags.n > 0};
	struct str description = str_fmt(w->at.a, "[Copied %.*s from %.*s] Created for policy: %.*s", STR_ARG(m->id),
		STR_ARG(w->at.region), STR_ARG(w->policy->id));
	struct str name = str_fmt(w->at.a, "%.*s_%.*s", STR_ARG(w->policy->id), STR_ARG(m->id));
	struct inside *i = NULL;
	struct str made = copied_before(w, region, m, name);
	if (!str_has(made) && dlm_of_images(w->details)) {
		struct ec2_copy_image_input in = {.source_region = w->at.region,
			.source_image_id = m->id,
			.name = name,
			.description = description,
			.encrypted = r->encrypted,
			.kms_key_id = r->cmk_arn,
			.tag_specifications = specs};
		i = dlm_ask(w, region, EC2_OP_COPY_IMAGE, &in, not_yet, &code);
		if (i) made = str_dup(w->at.a, ((const struct ec2_copy_image_output *)i->out)->image_id);
	} else if (!str_has(made)) {
		struct ec2_copy_snapshot_input in = {.source_region = w->at.region,
			.source_snapshot_id = m->id,
			.description = description,
			.encrypted = r->encrypted.v ? r->encrypted : (struct opt_bool){0},
			.kms_key_id = r->cmk_arn,
			.tag_specifications = specs};
		i = dlm_ask(w, region, EC2_OP_COPY_SNAPSHOT, &in, not_yet, &code);
		if (i) made = str_dup(w->at.a, ((const struct ec2_copy_snapshot_output *)i->out)->snapshot_id);
	}
	if (!str_has(made)) {
		dlm_again(w, w->now_ms + LOOK_MS * (str_has(w->problem) ? 60 : 1));
		return;
	}
	if (i) inside_free(i);
	struct dlm_rec_copies all = {0};
	size_t capacity = 0;
	for (size_t k = 0; k < m->copies.n; k++) *VEC_PUSH(w->at.a, &all, &capacity) = m->copies.v[k];
	int64_t age = r->retain_rule ? dlm_age_ms(r->retain_rule->interval, r->retain_rule->interval_unit) : 0;
	*VEC_PUSH(w->at.a, &all, &capacity) = (struct dlm_rec_copy){.rule = SOME_I32((int32_t)n),
		.region = region,
		.id = made,
		.expires = age ? SOME_TIME(w->now_ms + age) : (struct opt_time){0}};
	m->copies = all;
}

static void copy_all(struct dlm_work *w, struct dlm_rec_made *m)
{
	for (size_t n = 0; n < w->schedule->cross_region_copy_rules.n; n++) {
		const struct dlm_cross_region_copy_rule *r = &w->schedule->cross_region_copy_rules.v[n];
		bool done = false;
		for (size_t k = 0; k < m->copies.n; k++)
			done = done || str_eq(m->copies.v[k].region, str_or(r->target_region, r->target));
		if (!done) copy_one(w, m, n);
	}
}

/* ── the ends ── */

/* True where it is gone now. */
static bool delete_one(struct dlm_work *w, struct str region, struct str id)
{
	struct str code;
	struct inside *i;
	if (str_starts(id, STR("ami-"))) {
		struct ec2_deregister_image_input in = {.image_id = id, .delete_associated_snapshots = SOME_BOOL(true)};
		i = dlm_ask(w, region, EC2_OP_DEREGISTER_IMAGE, &in, not_there, &code);
	} else {
		struct ec2_delete_snapshot_input in = {.snapshot_id = id};
		i = dlm_ask(w, region, EC2_OP_DELETE_SNAPSHOT, &in, not_there, &code);
	}
	bool gone = i || ec2_is_among((struct str[]){STR("InvalidSnapshot.NotFound"), STR("InvalidAMIID.NotFound")}, 2,
				 code);
	if (i) inside_free(i);
	return gone;
}

static void end_copies(struct dlm_work *w, struct dlm_rec_made *m)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->copies.n; i++) {
		struct dlm_rec_copy *k = &m->copies.v[i];
		bool ends = k->expires.has && k->expires.ms <= w->now_ms;
		/* What has no end is not looked at once its source is gone. */
		if (m->gone.v && !k->expires.has) continue;
		/* Kept as long as its source is there, so that it is not made again. */
		if (ends && str_has(k->id) && delete_one(w, k->region, k->id)) k->id = STR_NONE;
		if (ends && !str_has(k->id) && m->gone.v) continue;
		if (k->expires.has && !ends) dlm_again(w, k->expires.ms);
		m->copies.v[kept++] = *k;
	}
	m->copies.n = kept;
}

/* How many later turns there are of the same source. */
static size_t turns_after(const struct dlm_made *all, const struct dlm_rec_made *m)
{
	size_t n = 0;
	for (size_t i = 0; i < all->n; i++) {
		bool counts =
			!all->v[i].gone.v && str_eq(all->v[i].source, m->source) && all->v[i].turn.ms > m->turn.ms;
		for (size_t k = 0; counts && k < i; k++)
			counts = all->v[k].gone.v || !str_eq(all->v[k].source, m->source) ||
				 all->v[k].turn.ms != all->v[i].turn.ms;
		n += counts;
	}
	return n;
}

/* Is a rule by count or age over for it? */
static bool is_over(struct dlm_work *w, const struct dlm_made *all, const struct dlm_rec_made *m, struct opt_i32 count,
	struct opt_i32 interval, struct str unit)
{
	if (count.has) return turns_after(all, m) >= (size_t)count.v;
	int64_t end = m->at.ms + dlm_age_ms(interval, unit);
	if (end > w->now_ms) dlm_again(w, end);
	return end <= w->now_ms;
}

/* ── the rest ── */

static void fast_restore(struct dlm_work *w, const struct dlm_made *all, struct dlm_rec_made *m)
{
	const struct dlm_fast_restore_rule *f = w->schedule->fast_restore_rule;
	struct str code;
	if (!f || m->slow.v) return;
	struct ec2_availability_zone_string_list zones = {f->availability_zones.v, f->availability_zones.n};
	struct ec2_snapshot_id_string_list ids = {&m->id, 1};
	if (!m->fast.v) {
		struct ec2_enable_fast_snapshot_restores_input in = {
			.availability_zones = zones, .source_snapshot_ids = ids};
		struct inside *i = dlm_ask(w, w->at.region, EC2_OP_ENABLE_FAST_SNAPSHOT_RESTORES, &in, NULL, &code);
		if (i) inside_free(i);
		if (i) m->fast = SOME_BOOL(true);
	}
	if (!m->fast.v || !is_over(w, all, m, f->count, f->interval, f->interval_unit)) return;
	struct ec2_disable_fast_snapshot_restores_input in = {.availability_zones = zones, .source_snapshot_ids = ids};
	struct inside *i = dlm_ask(w, w->at.region, EC2_OP_DISABLE_FAST_SNAPSHOT_RESTORES, &in, NULL, &code);
	if (i) inside_free(i);
	if (i) m->slow = SOME_BOOL(true);
}

static bool permit(struct dlm_work *w, struct str id, const struct dlm_share_rule *r, const char *operation)
{
	struct ec2_modify_snapshot_attribute_input in = {.snapshot_id = id,
		.attribute = STR("createVolumePermission"),
		.operation_type = str_c(operation),
		.user_ids = {r->target_accounts.v, r->target_accounts.n}};
	struct str code;
	struct inside *i = dlm_ask(w, w->at.region, EC2_OP_MODIFY_SNAPSHOT_ATTRIBUTE, &in, NULL, &code);
	if (i) inside_free(i);
	return i != NULL;
}

static void share(struct dlm_work *w, struct dlm_rec_made *m)
{
	if (!w->schedule->share_rules.n) return;
	const struct dlm_share_rule *r = &w->schedule->share_rules.v[0];
	if (!m->shared.v && permit(w, m->id, r, "add")) m->shared = SOME_BOOL(true);
	if (!m->shared.v || m->unshared.v || !r->unshare_interval.has) return;
	int64_t end = m->at.ms + dlm_age_ms(r->unshare_interval, r->unshare_interval_unit);
	if (end > w->now_ms) dlm_again(w, end);
	if (end <= w->now_ms && permit(w, m->id, r, "remove")) m->unshared = SOME_BOOL(true);
}

static void deprecate(struct dlm_work *w, struct dlm_rec_made *m)
{
	const struct dlm_deprecate_rule *r = w->schedule->deprecate_rule;
	struct str code;
	if (!r || m->shared.v) return;
	struct ec2_enable_image_deprecation_input in = {
		.image_id = m->id, .deprecate_at = SOME_TIME(m->at.ms + dlm_age_ms(r->interval, r->interval_unit))};
	struct inside *i = dlm_ask(w, w->at.region, EC2_OP_ENABLE_IMAGE_DEPRECATION, &in, NULL, &code);
	if (i) inside_free(i);
	if (i) m->shared = SOME_BOOL(true); /* images are not shared: done, once */
}

static status tend_one(struct dlm_work *w, const struct dlm_made *all, struct dlm_rec_made *m)
{
	const struct dlm_retain_rule *retain = w->schedule->retain_rule;
	enum standing stands = GONE;
	if (!m->gone.v) TRY(standing_of(w, m->id, &stands));
	if (stands == GONE) m->gone = SOME_BOOL(true);
	if (stands == PENDING && (w->schedule->cross_region_copy_rules.n || w->schedule->fast_restore_rule))
		dlm_again(w, w->now_ms + LOOK_MS);
	if (stands == WHOLE) {
		copy_all(w, m);
		fast_restore(w, all, m);
		deprecate(w, m);
	}
	bool kept;
	TRY(dlm_default_keeps(w, all, m, &kept));
	if (stands != GONE) {
		share(w, m);
		if (!kept && is_over(w, all, m, retain->count, retain->interval, retain->interval_unit) &&
			delete_one(w, w->at.region, m->id))
			m->gone = SOME_BOOL(true);
	}
	end_copies(w, m);
	if (m->gone.v && !m->copies.n)
		dlm_made_drop(w, m->id);
	else
		dlm_made_put(w, m);
	return OK;
}

status dlm_tend(struct dlm_work *w)
{
	struct dlm_made all;
	TRY(dlm_made_all(w, &all));
	for (size_t i = 0; i < all.n; i++) TRY(tend_one(w, &all, &all.v[i]));
	return OK;
}
