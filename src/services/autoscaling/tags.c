/* Tags of groups; those that propagate are on the instances that are launched from then on (launch.c). */
#include "services/autoscaling/room.h"

static status group_of(struct call *c, const struct autoscaling_tag *t, struct as_group *g)
{
	if (!str_is(str_or(t->resource_type, STR("auto-scaling-group")), "auto-scaling-group"))
		return AS_FAIL(c, "Resource type %.*s is not supported. The only supported type is auto-scaling-group.",
			STR_ARG(t->resource_type));
	if (!str_has(t->resource_id)) return AS_FAIL(c, "Resource ID must be specified for each tag.");
	return as_group_find(c, t->resource_id, g);
}

static status check(struct call *c, const struct autoscaling_tag *t)
{
	if (str_istarts(t->key, STR("aws:")) && !c->system_tags)
		return AS_FAIL(c, "Tag keys starting with 'aws:' are reserved for internal use.");
	return OK;
}

status autoscaling_create_or_update_tags(
	struct call *c, const struct autoscaling_create_or_update_tags_input *in, struct wire_nothing *out)
{
	(void)out;
	for (size_t i = 0; i < in->tags.n; i++) {
		const struct autoscaling_tag *t = &in->tags.v[i];
		struct as_group g;
		struct autoscaling_tag_description_list now = {0};
		size_t capacity = 0;
		TRY(group_of(c, t, &g));
		TRY(check(c, t));
		for (size_t k = 0; k < g.g.tags.n; k++)
			if (!str_eq(g.g.tags.v[k].key, t->key)) *VEC_PUSH(c->arena, &now, &capacity) = g.g.tags.v[k];
		*VEC_PUSH(c->arena, &now, &capacity) = (struct autoscaling_tag_description){.resource_id = g.name,
			.resource_type = STR("auto-scaling-group"),
			.key = t->key,
			.value = str_or(t->value, STR("")),
			.propagate_at_launch = SOME_BOOL(t->propagate_at_launch.v)};
		if (now.n > AS_TAGS_MAX)
			return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
				"You may only have %d tags on an Auto Scaling group.", AS_TAGS_MAX);
		g.g.tags = now;
		as_group_put(&g);
	}
	return OK;
}

status autoscaling_delete_tags(struct call *c, const struct autoscaling_delete_tags_input *in, struct wire_nothing *out)
{
	(void)out;
	for (size_t i = 0; i < in->tags.n; i++) {
		const struct autoscaling_tag *t = &in->tags.v[i];
		struct as_group g;
		struct autoscaling_tag_description_list left = {0};
		size_t capacity = 0;
		TRY(group_of(c, t, &g));
		for (size_t k = 0; k < g.g.tags.n; k++) {
			const struct autoscaling_tag_description *d = &g.g.tags.v[k];
			bool goes = str_eq(d->key, t->key) && (!str_has(t->value) || str_eq(d->value, t->value));
			if (!goes) *VEC_PUSH(c->arena, &left, &capacity) = *d;
		}
		g.g.tags = left;
		as_group_put(&g);
	}
	return OK;
}

static bool wanted(const struct autoscaling_filters *filters, const struct autoscaling_tag_description *t)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct autoscaling_filter *f = &filters->v[i];
		struct str value = t->value;
		if (str_is(f->name, "auto-scaling-group")) value = t->resource_id;
		if (str_is(f->name, "key")) value = t->key;
		if (str_is(f->name, "propagate-at-launch"))
			value = t->propagate_at_launch.v ? STR("true") : STR("false");
		bool match = false;
		for (size_t k = 0; k < f->values.n; k++) match = match || str_ieq(f->values.v[k], value);
		if (!match) return false;
	}
	return true;
}

status autoscaling_describe_tags(
	struct call *c, const struct autoscaling_describe_tags_input *in, struct autoscaling_describe_tags_output *out)
{
	static const char *const names[] = {"auto-scaling-group", "key", "value", "propagate-at-launch", NULL};
	size_t capacity = 0;
	for (size_t i = 0; i < in->filters.n; i++)
		if (!as_in(in->filters.v[i].name, names))
			return AS_FAIL(c,
				"Filter type %.*s is not correct. Allowed Filter types are: auto-scaling-group, key, "
				"value, propagate-at-launch",
				STR_ARG(in->filters.v[i].name));
	struct as_each e = as_each(as_here(c), "group", STR_NONE);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		struct as_group g;
		s = as_group_load(as_here(c), e.group, &g);
		for (size_t i = 0; is_ok(s) && i < g.g.tags.n; i++)
			if (wanted(&in->filters, &g.g.tags.v[i]))
				*VEC_PUSH(c->arena, &out->tags, &capacity) = g.g.tags.v[i];
	}
	status end = as_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->tags);
	return as_page(c, &out->tags, sizeof(*out->tags.v), in->max_records, 100, in->next_token, &out->next_token);
}
