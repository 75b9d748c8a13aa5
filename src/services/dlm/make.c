/* A schedule's turn: a snapshot of every volume, or snapshots or an image of every instance, that has a target tag. A
 * turn that ran before, and was cut short, finds what it made by its tags. */
#include "services/dlm/room.h"
#include "services/ec2/image.h"

static bool is_target(const struct dlm_policy_details *d, const struct ec2_tag_list *tags)
{
	for (size_t i = 0; i < d->target_tags.n; i++)
		for (size_t k = 0; k < tags->n; k++)
			if (str_eq(d->target_tags.v[i].key, tags->v[k].key) &&
				str_eq(d->target_tags.v[i].value, tags->v[k].value))
				return true;
	return false;
}

static const struct ec2_tag *tag_named(const struct ec2_tag_list *tags, const char *key)
{
	for (size_t i = 0; i < tags->n; i++)
		if (str_eq(tags->v[i].key, str_c(key))) return &tags->v[i];
	return NULL;
}

/* This schedule's? */
static bool is_ours(const struct dlm_work *w, const struct ec2_tag_list *tags)
{
	const struct ec2_tag *p = tag_named(tags, DLM_TAG_POLICY), *s = tag_named(tags, DLM_TAG_SCHEDULE);
	return p && s && str_eq(p->value, w->policy->id) && str_eq(s->value, w->schedule->name);
}

/* ── tags of what is made ── */

struct tags {
	struct arena *a;
	struct ec2_tag_list list;
	size_t capacity;
};

static void add(struct tags *t, struct str key, struct str value)
{
	for (size_t i = 0; i < t->list.n; i++)
		if (str_eq(t->list.v[i].key, key)) {
			t->list.v[i].value = value;
			return;
		}
	*VEC_PUSH(t->a, &t->list, &t->capacity) = (struct ec2_tag){key, value};
}

static struct str replaced(struct arena *a, struct str text, struct str what, struct str by)
{
	ptrdiff_t at = str_find(text, what);
	if (at < 0) return text;
	struct str rest = replaced(a, str_from(text, (size_t)at + what.n), what, by);
	return str_fmt(a, "%.*s%.*s%.*s", STR_ARG(str_sub(text, 0, (size_t)at)), STR_ARG(by), STR_ARG(rest));
}

/* "Tags from source" (copy tags), the schedule's own, and those by which what was made is known. */
static struct ec2_tag_list tags_of(
	const struct dlm_work *w, const struct ec2_tag_list *source, struct str instance, bool copy)
{
	struct tags t = {.a = w->at.a};
	const struct dlm_schedule *s = w->schedule;
	int64_t age =
		s->retain_rule->count.has ? 0 : dlm_age_ms(s->retain_rule->interval, s->retain_rule->interval_unit);
	for (size_t i = 0; copy && i < source->n; i++)
		if (!str_istarts(source->v[i].key, STR("aws:"))) add(&t, source->v[i].key, source->v[i].value);
	for (size_t i = 0; i < s->tags_to_add.n; i++) add(&t, s->tags_to_add.v[i].key, s->tags_to_add.v[i].value);
	for (size_t i = 0; str_has(instance) && i < s->variable_tags.n; i++) {
		struct str value = replaced(w->at.a, s->variable_tags.v[i].value, STR("$(instance-id)"), instance);
		value = replaced(w->at.a, value, STR("$(timestamp)"), time_iso8601(w->at.a, w->now_ms, false));
		add(&t, s->variable_tags.v[i].key, value);
	}
	add(&t, STR(DLM_TAG_POLICY), w->policy->id);
	add(&t, STR(DLM_TAG_SCHEDULE), s->name);
	if (age) add(&t, STR("aws:dlm:expirationTime"), time_iso8601(w->at.a, w->now_ms + age, true));
	add(&t, STR("dlm:managed"), STR("true"));
	return t.list;
}

static struct ec2_tag_specification_list specified(
	const struct dlm_work *w, const struct ec2_tag_list *tags, bool images)
{
	struct ec2_tag_specification_list out = {0};
	size_t capacity = 0;
	*VEC_PUSH(w->at.a, &out, &capacity) =
		(struct ec2_tag_specification){.resource_type = STR("snapshot"), .tags = *tags};
	if (images)
		*VEC_PUSH(w->at.a, &out, &capacity) =
			(struct ec2_tag_specification){.resource_type = STR("image"), .tags = *tags};
	return out;
}

static void note(struct dlm_work *w, struct str id, struct str source, int64_t turn_ms)
{
	struct dlm_rec_made m = {
		.id = str_dup(w->at.a, id), .source = source, .turn = SOME_TIME(turn_ms), .at = SOME_TIME(w->now_ms)};
	dlm_made_put(w, &m);
}

/* Snapshots of this volume, that this turn has made before. */
static status made_before(struct dlm_work *w, struct str volume, struct str source, int64_t turn_ms, bool *any)
{
	struct ec2_each e = ec2_each(w->look, &ec2_type_snapshot);
	*any = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_snapshot *s = e.item.record;
		struct ec2_tag_list tags;
		if (!str_eq(s->volume_id, volume) || s->start_time.ms < turn_ms) continue;
		TRY(ec2_tags_get(w->look, s->snapshot_id, &tags));
		if (!is_ours(w, &tags)) continue;
		note(w, s->snapshot_id, source, turn_ms);
		*any = true;
	}
	return ec2_each_end(&e);
}

static struct str description_of(const struct dlm_work *w)
{
	return str_fmt(
		w->at.a, "Created for policy: %.*s schedule: %.*s", STR_ARG(w->policy->id), STR_ARG(w->schedule->name));
}

/* ── volumes ── */

static status of_volume(
	struct dlm_work *w, const struct ec2_rec_volume *v, const struct ec2_tag_list *source, int64_t turn_ms)
{
	bool before;
	struct str code;
	TRY(made_before(w, v->volume_id, v->volume_id, turn_ms, &before));
	if (before) return OK;
	struct ec2_tag_list tags = tags_of(w, source, STR_NONE, w->schedule->copy_tags.v);
	struct ec2_create_snapshot_input in = {.volume_id = v->volume_id,
		.description = description_of(w),
		.tag_specifications = specified(w, &tags, false)};
	struct inside *i = dlm_ask(w, w->at.region, EC2_OP_CREATE_SNAPSHOT, &in, NULL, &code);
	if (!i) return OK;
	note(w, ((const struct ec2_create_snapshot_output *)i->out)->snapshot_id, v->volume_id, turn_ms);
	inside_free(i);
	return OK;
}

/* ── instances ── */

/* The instance's data volumes that have an excluded tag. */
static status excluded(struct dlm_work *w, const struct ec2_rec_instance *i, struct ec2_volume_id_string_list *out)
{
	const struct dlm_parameters *p = w->details->parameters;
	size_t capacity = 0;
	*out = (struct ec2_volume_id_string_list){0};
	for (size_t k = 1; p && k < i->volumes.n; k++) {
		struct ec2_tag_list tags;
		bool found = false;
		TRY(ec2_tags_get(w->look, i->volumes.v[k].id, &tags));
		for (size_t t = 0; t < p->exclude_data_volume_tags.n; t++)
			for (size_t x = 0; x < tags.n; x++)
				found = found ||
					(str_eq(p->exclude_data_volume_tags.v[t].key, tags.v[x].key) &&
						str_eq(p->exclude_data_volume_tags.v[t].value, tags.v[x].value));
		if (found) *VEC_PUSH(w->at.a, out, &capacity) = i->volumes.v[k].id;
	}
	return OK;
}

static status snapshots_of(
	struct dlm_work *w, const struct ec2_rec_instance *i, const struct ec2_tag_list *source, int64_t turn_ms)
{
	struct ec2_instance_specification spec = {.instance_id = i->instance_id};
	bool before = false;
	struct str code;
	for (size_t k = 0; k < i->volumes.n && !before; k++)
		TRY(made_before(w, i->volumes.v[k].id, i->instance_id, turn_ms, &before));
	/* The others of one operation have come with it. */
	for (size_t k = 0; k < i->volumes.n && before; k++) {
		bool also;
		TRY(made_before(w, i->volumes.v[k].id, i->instance_id, turn_ms, &also));
	}
	if (before) return OK;
	if (w->details->parameters) spec.exclude_boot_volume = w->details->parameters->exclude_boot_volume;
	TRY(excluded(w, i, &spec.exclude_data_volume_ids));
	struct ec2_tag_list tags = tags_of(w, source, i->instance_id, false);
	struct ec2_create_snapshots_input in = {.instance_specification = &spec,
		.description = description_of(w),
		.tag_specifications = specified(w, &tags, false),
		.copy_tags_from_source = w->schedule->copy_tags.v ? STR("volume") : STR_NONE};
	struct inside *done = dlm_ask(w, w->at.region, EC2_OP_CREATE_SNAPSHOTS, &in, NULL, &code);
	if (!done) return OK;
	const struct ec2_create_snapshots_output *out = done->out;
	for (size_t k = 0; k < out->snapshots.n; k++) note(w, out->snapshots.v[k].snapshot_id, i->instance_id, turn_ms);
	inside_free(done);
	return OK;
}

static status image_of(
	struct dlm_work *w, const struct ec2_rec_instance *i, const struct ec2_tag_list *source, int64_t turn_ms)
{
	const struct dlm_parameters *p = w->details->parameters;
	struct str code, name = str_fmt(w->at.a, "%.*s_%.*s_%llu_%lld", STR_ARG(w->policy->id), STR_ARG(i->instance_id),
				 (unsigned long long)w->n, (long long)turn_ms);
	/* Its name tells whether it was made before. */
	struct ec2_each e = ec2_each(w->look, &ec2_type_image);
	bool before = false;
	while (!before && ec2_next(&e)) {
		const struct ec2_rec_image *r = e.item.record;
		before = str_find(r->document, name) >= 0;
		if (before) note(w, r->image_id, i->instance_id, turn_ms);
	}
	TRY(ec2_each_end(&e));
	if (before) return OK;
	struct ec2_tag_list tags = tags_of(w, source, i->instance_id, w->schedule->copy_tags.v);
	struct ec2_create_image_input in = {.instance_id = i->instance_id,
		.name = name,
		.description = description_of(w),
		/* "The default is true (instances are not rebooted)." */
		.no_reboot = SOME_BOOL(!p || !p->no_reboot.has || p->no_reboot.v),
		.tag_specifications = specified(w, &tags, true)};
	struct inside *done = dlm_ask(w, w->at.region, EC2_OP_CREATE_IMAGE, &in, NULL, &code);
	if (!done) return OK;
	note(w, ((const struct ec2_create_image_output *)done->out)->image_id, i->instance_id, turn_ms);
	inside_free(done);
	return OK;
}

status dlm_make(struct dlm_work *w, int64_t turn_ms)
{
	bool instances = dlm_of_instances(w->details);
	struct ec2_each e = ec2_each(w->look, instances ? &ec2_type_instance : &ec2_type_volume);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) {
		struct ec2_tag_list tags;
		s = ec2_tags_get(w->look, e.item.id, &tags);
		bool wanted = is_ok(s) && is_target(w->details, &tags);
		if (is_ok(s) && dlm_is_default(w->details)) s = dlm_default_wants(w, &e.item, &tags, turn_ms, &wanted);
		if (!is_ok(s) || !wanted) continue;
		if (!instances) {
			const struct ec2_rec_volume *v = e.item.record;
			if (str_is(v->state, "available") || str_is(v->state, "in-use"))
				s = of_volume(w, v, &tags, turn_ms);
			continue;
		}
		const struct ec2_rec_instance *i = e.item.record;
		if (i->state.v != EC2_RUNNING && i->state.v != EC2_STOPPED) continue;
		s = dlm_of_images(w->details) ? image_of(w, i, &tags, turn_ms) : snapshots_of(w, i, &tags, turn_ms);
	}
	status end = ec2_each_end(&e);
	return is_ok(s) ? end : s;
}
