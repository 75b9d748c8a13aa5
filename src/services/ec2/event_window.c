/* Instance event windows: when scheduled events of the instances that are associated may take effect. "Create custom
 * event windows for scheduled events", the guide. */
#include "services/ec2/dedicated_host.h"
#include "services/ec2/event.h"

enum { WINDOWS_MAX = 200, INSTANCES_MAX = 100, HOSTS_MAX = 50, TARGET_TAGS_MAX = 50 };

static const char *const filters[] = {"dedicated-host-id=AssociationTarget.DedicatedHostIds", "event-window-name=Name",
	"instance-id=AssociationTarget.InstanceIds", "instance-tag-key=AssociationTarget.Tags.Key",
	"instance-tag-value=AssociationTarget.Tags.Value", NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_event_window = {.name = "instance-event-window",
	.prefix = "iew-",
	.absent = "The event window ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_INSTANCE_EVENT_WINDOW_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_INSTANCE_EVENT_WINDOW_ID_MALFORMED,
	.record = EC2_REC_EVENT_WINDOW,
	.shape = EC2_SHAPE_INSTANCE_EVENT_WINDOW,
	.filters = filters,
	.render = render};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_event_window *w = item->record;
	struct ec2_instance_event_window *out = to;
	out->state = STR("active");
	if (!w->instances.n && !w->hosts.n && !w->tags.n) return OK;
	struct ec2_instance_event_window_association_target *t =
		arena_new(c->arena, struct ec2_instance_event_window_association_target);
	t->instance_ids = (struct ec2_instance_id_list){w->instances.v, w->instances.n};
	t->dedicated_host_ids = (struct ec2_dedicated_host_id_list){w->hosts.v, w->hosts.n};
	t->tags = (struct ec2_tag_list){arena_new_n(c->arena, struct ec2_tag, w->tags.n), w->tags.n};
	for (size_t i = 0; i < w->tags.n; i++) t->tags.v[i] = (struct ec2_tag){w->tags.v[i].key, w->tags.v[i].value};
	out->association_target = t;
	return OK;
}

static void put(struct call *c, const struct ec2_rec_event_window *w)
{
	ec2_put(ec2_here(c), &ec2_type_event_window, w->instance_event_window_id, w);
}

static status show(struct call *c, struct str id, struct ec2_instance_event_window **out)
{
	*out = arena_new(c->arena, struct ec2_instance_event_window);
	return ec2_describe_one(c, &ec2_type_event_window, id, *out);
}

/* Ranges or an expression; given neither, what there is stays. */
static status set_times(struct call *c, const struct ec2_instance_event_window_time_range_request_set *ranges,
	struct str cron, struct ec2_rec_event_window *w)
{
	struct ec2_week week;
	if (ranges->n && str_has(cron))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"TimeRange and CronExpression can't be specified together.");
	if (str_has(cron)) {
		TRY(ec2_week_of_cron(c, cron, &week));
		w->cron_expression = cron;
		w->time_ranges = (struct ec2_rec_window_ranges){0};
	} else if (ranges->n) {
		size_t capacity = 0;
		w->time_ranges = (struct ec2_rec_window_ranges){0};
		for (size_t i = 0; i < ranges->n; i++)
			*VEC_PUSH(c->arena, &w->time_ranges, &capacity) =
				(struct ec2_rec_window_range){ranges->v[i].start_week_day, ranges->v[i].start_hour,
					ranges->v[i].end_week_day, ranges->v[i].end_hour};
		TRY(ec2_week_of_ranges(c, &w->time_ranges, &week));
		w->cron_expression = STR_NONE;
	}
	return OK;
}

status ec2_create_instance_event_window(struct call *c, const struct ec2_create_instance_event_window_input *in,
	struct ec2_create_instance_event_window_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_event_window};
	struct ec2_rec_event_window w = {.instance_event_window_id = ec2_new_id(c->arena, ec2_type_event_window.prefix),
		.name = in->name,
		.created = SOME_TIME(c->now_ms)};
	size_t n;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (!in->time_ranges.n && !str_has(in->cron_expression))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter TimeRange or CronExpression");
	TRY(set_times(c, &in->time_ranges, in->cron_expression, &w));
	TRY(ec2_guard(ec2_here(c), STR("event-window"), NULL));
	TRY(ec2_count(ec2_here(c), &ec2_type_event_window, &n));
	if (n >= WINDOWS_MAX)
		return call_fail(
			c, EC2_ERR_RESOURCE_LIMIT_EXCEEDED, "A Region can have at most %d event windows.", WINDOWS_MAX);
	put(c, &w);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_event_window, w.instance_event_window_id));
	TRY(show(c, w.instance_event_window_id, &out->instance_event_window));
	out->instance_event_window->state = STR("creating");
	return OK;
}

status ec2_modify_instance_event_window(struct call *c, const struct ec2_modify_instance_event_window_input *in,
	struct ec2_modify_instance_event_window_output *out)
{
	struct ec2_rec_event_window w;
	TRY(ec2_find(c, &ec2_type_event_window, in->instance_event_window_id, &w));
	if (str_has(in->name)) w.name = in->name;
	TRY(set_times(c, &in->time_ranges, in->cron_expression, &w));
	put(c, &w);
	return show(c, w.instance_event_window_id, &out->instance_event_window);
}

/* "If the event window is associated with targets": only ForceDelete deletes it then. */
status ec2_delete_instance_event_window(struct call *c, const struct ec2_delete_instance_event_window_input *in,
	struct ec2_delete_instance_event_window_output *out)
{
	struct ec2_rec_event_window w;
	TRY(ec2_find(c, &ec2_type_event_window, in->instance_event_window_id, &w));
	if (!in->force_delete.v && (w.instances.n || w.hosts.n || w.tags.n))
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The event window '%.*s' is associated with targets. Disassociate them, or use ForceDelete.",
			STR_ARG(w.instance_event_window_id));
	ec2_drop(ec2_here(c), &ec2_type_event_window, w.instance_event_window_id);
	out->instance_event_window_state = arena_new(c->arena, struct ec2_instance_event_window_state_change);
	*out->instance_event_window_state =
		(struct ec2_instance_event_window_state_change){w.instance_event_window_id, STR("deleting")};
	return OK;
}

status ec2_describe_instance_event_windows(struct call *c, const struct ec2_describe_instance_event_windows_input *in,
	struct ec2_describe_instance_event_windows_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_event_window, in, instance_event_window_ids, out, instance_event_windows);
}

/* ── targets ── */

static bool has_tag(const struct ec2_rec_window_tags *l, struct str key, struct str value)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].key, key) && str_eq(str_or(l->v[i].value, STR("")), str_or(value, STR(""))))
			return true;
	return false;
}

/* Is one of these targets another window's? */
static status taken(struct call *c, struct str own, const struct ec2_instance_event_window_association_request *t)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_event_window);
	struct str target = STR_NONE, by = STR_NONE;
	while (ec2_next(&e)) {
		const struct ec2_rec_event_window *w = e.item.record;
		if (str_eq(e.item.id, own)) continue;
		for (size_t i = 0; i < t->instance_ids.n; i++)
			if (ec2_is_among(w->instances.v, w->instances.n, t->instance_ids.v[i]))
				target = t->instance_ids.v[i], by = e.item.id;
		for (size_t i = 0; i < t->dedicated_host_ids.n; i++)
			if (ec2_is_among(w->hosts.v, w->hosts.n, t->dedicated_host_ids.v[i]))
				target = t->dedicated_host_ids.v[i], by = e.item.id;
		for (size_t i = 0; i < t->instance_tags.n; i++)
			if (has_tag(&w->tags, t->instance_tags.v[i].key, t->instance_tags.v[i].value))
				target = t->instance_tags.v[i].key, by = e.item.id;
	}
	TRY(ec2_each_end(&e));
	if (!str_has(by)) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"The target '%.*s' is associated with the event window '%.*s' already.", STR_ARG(target), STR_ARG(by));
}

static status join(
	struct call *c, struct ec2_rec_strings *to, const struct str *ids, size_t n, size_t max, const char *what)
{
	size_t capacity = to->n;
	for (size_t i = 0; i < n; i++)
		if (!ec2_is_among(to->v, to->n, ids[i])) *VEC_PUSH(c->arena, to, &capacity) = ids[i];
	if (to->n <= max) return OK;
	return call_fail(c, EC2_ERR_RESOURCE_LIMIT_EXCEEDED, "At most %zu %s can be associated with an event window.",
		max, what);
}

static void leave(struct ec2_rec_strings *from, const struct str *ids, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < from->n; i++)
		if (!ec2_is_among(ids, n, from->v[i])) from->v[kept++] = from->v[i];
	from->n = kept;
}

status ec2_associate_instance_event_window(struct call *c, const struct ec2_associate_instance_event_window_input *in,
	struct ec2_associate_instance_event_window_output *out)
{
	const struct ec2_instance_event_window_association_request *t = in->association_target;
	struct ec2_rec_event_window w;
	TRY(ec2_find(c, &ec2_type_event_window, in->instance_event_window_id, &w));
	int kinds = (t->instance_ids.n > 0) + (t->dedicated_host_ids.n > 0) + (t->instance_tags.n > 0);
	bool other = (t->instance_ids.n && (w.hosts.n || w.tags.n)) ||
		     (t->dedicated_host_ids.n && (w.instances.n || w.tags.n)) ||
		     (t->instance_tags.n && (w.instances.n || w.hosts.n));
	if (kinds != 1 || other)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"Only one target type (instance ID, Dedicated Host ID, or instance tag) can be associated with "
			"an "
			"event window.");
	for (size_t i = 0; i < t->instance_ids.n; i++) {
		struct ec2_rec_instance r;
		TRY(ec2_find(c, &ec2_type_instance, t->instance_ids.v[i], &r));
	}
	for (size_t i = 0; i < t->dedicated_host_ids.n; i++) {
		struct ec2_rec_dedicated_host r;
		TRY(ec2_find(c, &ec2_type_dedicated_host, t->dedicated_host_ids.v[i], &r));
	}
	TRY(ec2_guard(ec2_here(c), STR("event-window"), NULL));
	TRY(taken(c, w.instance_event_window_id, t));
	TRY(join(c, &w.instances, t->instance_ids.v, t->instance_ids.n, INSTANCES_MAX, "instances"));
	TRY(join(c, &w.hosts, t->dedicated_host_ids.v, t->dedicated_host_ids.n, HOSTS_MAX, "Dedicated Hosts"));
	size_t capacity = w.tags.n;
	for (size_t i = 0; i < t->instance_tags.n; i++)
		if (!has_tag(&w.tags, t->instance_tags.v[i].key, t->instance_tags.v[i].value))
			*VEC_PUSH(c->arena, &w.tags, &capacity) =
				(struct ec2_rec_window_tag){t->instance_tags.v[i].key, t->instance_tags.v[i].value};
	if (w.tags.n > TARGET_TAGS_MAX)
		return call_fail(c, EC2_ERR_RESOURCE_LIMIT_EXCEEDED,
			"At most %d tags can be associated with an event window.", TARGET_TAGS_MAX);
	put(c, &w);
	return show(c, w.instance_event_window_id, &out->instance_event_window);
}

status ec2_disassociate_instance_event_window(struct call *c,
	const struct ec2_disassociate_instance_event_window_input *in,
	struct ec2_disassociate_instance_event_window_output *out)
{
	const struct ec2_instance_event_window_disassociation_request *t = in->association_target;
	struct ec2_rec_event_window w;
	TRY(ec2_find(c, &ec2_type_event_window, in->instance_event_window_id, &w));
	leave(&w.instances, t->instance_ids.v, t->instance_ids.n);
	leave(&w.hosts, t->dedicated_host_ids.v, t->dedicated_host_ids.n);
	size_t kept = 0;
	for (size_t i = 0; i < w.tags.n; i++) {
		bool gone = false;
		for (size_t k = 0; k < t->instance_tags.n && !gone; k++)
			gone = str_eq(w.tags.v[i].key, t->instance_tags.v[k].key) &&
			       str_eq(str_or(w.tags.v[i].value, STR("")), str_or(t->instance_tags.v[k].value, STR("")));
		if (!gone) w.tags.v[kept++] = w.tags.v[i];
	}
	w.tags.n = kept;
	put(c, &w);
	return show(c, w.instance_event_window_id, &out->instance_event_window);
}

/* ── of an instance ── */

static bool is_of(
	const struct ec2_rec_event_window *w, const struct ec2_rec_instance *i, const struct ec2_tag_list *tags)
{
	if (ec2_is_among(w->instances.v, w->instances.n, i->instance_id)) return true;
	if (str_has(i->dedicated_host) && ec2_is_among(w->hosts.v, w->hosts.n, i->dedicated_host)) return true;
	for (size_t k = 0; k < tags->n; k++)
		if (has_tag(&w->tags, tags->v[k].key, tags->v[k].value)) return true;
	return false;
}

status ec2_event_window_align(struct call *c, const struct ec2_rec_instance *i, int64_t at_ms, int64_t *out)
{
	struct ec2_tag_list tags;
	*out = at_ms;
	TRY(ec2_tags_get(ec2_here(c), i->instance_id, &tags));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_event_window);
	bool found = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_event_window *w = e.item.record;
		struct ec2_week week;
		if (found || !is_of(w, i, &tags)) continue;
		found = true;
		status s = str_has(w->cron_expression) ? ec2_week_of_cron(c, w->cron_expression, &week)
						       : ec2_week_of_ranges(c, &w->time_ranges, &week);
		if (is_ok(s)) *out = ec2_week_next(&week, at_ms);
	}
	return ec2_each_end(&e);
}
