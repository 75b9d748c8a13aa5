/* What every Describe operation does: by ids or all, filtered, in pages. */
#include "services/ec2/room.h"

enum { PAGE_DEFAULT = 1000 };

/* Tokens are sealed by nothing: they name the last thing shown, in base64, and are checked when they come back. */
static struct str token_make(struct arena *a, struct str last)
{
	return str_base64(a, str_cat(a, STR("ec2:"), last));
}

static status token_read(struct call *c, struct str token, struct str *last)
{
	struct str text;
	*last = STR("");
	if (str_empty(token)) return OK;
	if (!is_ok(str_unbase64(c->arena, token, &text)) || !str_starts(text, STR("ec2:")))
		return call_fail(c, EC2_ERR_INVALID_NEXT_TOKEN, "The token '%.*s' is invalid", STR_ARG(token));
	*last = str_from(text, 4);
	return OK;
}

struct describing {
	struct call *c;
	const struct ec2_describe *d;
	uint16_t shape;
	size_t element, capacity, most;
	const char *const *filters;
	struct wire_list *list;
	bool more;
};

/* The member of the shape that holds tags. */
static struct ec2_tag_list *tags_of(uint16_t shape, void *out)
{
	const struct wire_tables *t = &wire_service_ec2.tables;
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		struct str name = wire_str(t, m->name);
		if ((str_is(name, "Tags") || str_is(name, "TagSet")) && t->shapes[m->shape].kind == WIRE_LIST)
			return (struct ec2_tag_list *)(void *)((char *)out + m->offset);
	}
	return NULL;
}

static status render(struct call *c, const struct ec2_type *t, uint16_t shape,
	status (*more)(struct call *c, const struct ec2_item *item, void *out), const struct ec2_item *item, void *out)
{
	ec2_show(c->arena, t->record, item->record, shape, out);
	struct ec2_tag_list *tags = tags_of(shape, out);
	if (tags) TRY(ec2_tags_get(item->at, item->id, tags));
	return more ? more(c, item, out) : OK;
}

static status consider(struct describing *k, const struct ec2_item *item)
{
	const struct ec2_describe *d = k->d;
	const struct ec2_type *t = d->type;
	struct arena *a = k->c->arena;
	void *out = arena_alloc(a, k->element);
	TRY(render(k->c, t, k->shape, d->render ? d->render : t->render, item, out));
	if (d->filters && !ec2_filters_match(a, k->shape, k->filters, d->filters, out)) return OK;
	if (k->list->n == k->most) {
		k->more = true;
		return OK;
	}
	memcpy(vec_push(a, &k->list->v, &k->list->n, &k->capacity, k->element), out, k->element);
	return OK;
}

static bool shown(struct describing *k, const struct ec2_item *item)
{
	bool (*visible)(struct call *, const struct ec2_item *) = k->d->visible ? k->d->visible : k->d->type->visible;
	return !visible || visible(k->c, item);
}

static bool listed_before(const struct ec2_value_string_list *ids, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (str_eq(ids->v[i], ids->v[j])) return true;
	return false;
}

static status describe_ids(struct describing *k, const struct ec2_value_string_list *ids)
{
	const struct ec2_type *t = k->d->type;
	k->most = SIZE_MAX;
	for (size_t i = 0; i < ids->n; i++) {
		TRY(ec2_check_id(k->c, t, ids->v[i]));
		if (listed_before(ids, i)) continue;
		struct ec2_item item = {.at = ec2_here(k->c), .id = ids->v[i]};
		item.record = arena_alloc(k->c->arena, ec2_state_tables.shapes[t->record].size);
		status s = ec2_load(item.at, t, item.id, item.record);
		if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !shown(k, &item)))
			return ec2_absent(k->c, t, item.id);
		TRY(s);
		TRY(consider(k, &item));
	}
	return OK;
}

static status describe_all(struct describing *k)
{
	struct call *c = k->c;
	const struct ec2_describe *d = k->d;
	struct str last, shown_last = STR("");
	TRY(token_read(c, d->next_token, &last));
	if (d->max_results.has) k->most = (size_t)d->max_results.v;
	struct ec2_each e = ec2_each(ec2_here(c), d->type);
	if (last.n) {
		struct key from = key_for(c->arena, STR("ec2"), str_c(d->type->name), c->account, c->region);
		key_str(&from, last);
		store_scan_seek(e.scan, key_next(c->arena, key_done(&from)));
	}
	status s = OK;
	while (is_ok(s) && !k->more && ec2_next(&e)) {
		if (!shown(k, &e.item)) continue;
		size_t before = k->list->n;
		s = consider(k, &e.item);
		if (k->list->n > before) shown_last = e.item.id;
	}
	status end = ec2_each_end(&e);
	TRY(s);
	if (k->more && d->next_out) *d->next_out = token_make(c->arena, shown_last);
	return end;
}

status ec2_describe(struct call *c, const struct ec2_describe *d)
{
	const struct wire_tables *t = &wire_service_ec2.tables;
	struct describing k = {.c = c, .d = d, .list = d->out, .most = d->next_out ? PAGE_DEFAULT : SIZE_MAX};
	const struct ec2_value_string_list *ids = d->ids;
	k.shape = d->shape ? d->shape : d->type->shape;
	k.element = t->shapes[k.shape].size;
	k.filters = d->filter_names ? d->filter_names : d->type->filters;
	if (d->filters) TRY(ec2_filters_check(c, k.filters, d->filters));
	if (ids && ids->n && d->max_results.has)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameter %s IDs cannot be used with the parameter maxResults", d->type->name);
	TRY(ids && ids->n ? describe_ids(&k, ids) : describe_all(&k));
	if (!k.list->v) k.list->v = arena_alloc(c->arena, 0);
	return OK;
}

status ec2_describe_one(struct call *c, const struct ec2_type *t, struct str id, void *out)
{
	struct ec2_item item = {.at = ec2_here(c), .id = id};
	item.record = arena_alloc(c->arena, ec2_state_tables.shapes[t->record].size);
	TRY(ec2_load(item.at, t, id, item.record));
	return render(c, t, t->shape, t->render, &item, out);
}

status ec2_page(
	struct call *c, void *list_to_cut, size_t element_size, struct opt_i32 max, struct str token, struct str *next)
{
	struct wire_list *list = list_to_cut;
	struct str last;
	uint64_t from = 0;
	TRY(token_read(c, token, &last));
	if (last.n && (!is_ok(str_to_u64(last, &from)) || from > list->n))
		return call_fail(c, EC2_ERR_INVALID_NEXT_TOKEN, "The token '%.*s' is invalid", STR_ARG(token));
	size_t most = max.has ? (size_t)max.v : PAGE_DEFAULT, n = list->n - from;
	if (n > most) {
		n = most;
		*next = token_make(c->arena, str_fmt(c->arena, "%zu", (size_t)from + n));
	}
	list->v = list->v ? (char *)list->v + from * element_size : arena_alloc(c->arena, 0);
	list->n = n;
	return OK;
}
