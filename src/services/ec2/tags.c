/* Tags of every kind of resource, by one mechanism: CreateTags, DeleteTags, DescribeTags and TagSpecifications. They
 * lie beside the resource, in a record of their own. */
#include "services/ec2/room.h"

enum { TAGS_MAX = 50, KEY_MAX = 127, VALUE_MAX = 255 }; /* "Tag your Amazon EC2 resources", Tag restrictions */

static struct str tags_key(struct ec2_place at, struct str id)
{
	struct key k = key_for(at.a, STR("ec2"), STR("tags"), at.account, at.region);
	key_str(&k, id);
	return key_done(&k);
}

static status tags_load(struct ec2_place at, struct str id, struct ec2_rec_tags *out)
{
	struct str bytes;
	*out = (struct ec2_rec_tags){0};
	status s = store_get(at.tx, tags_key(at, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return ec2_rec_tags_decode(at.a, bytes, out);
}

static void tags_save(struct ec2_place at, struct str id, const struct ec2_rec_tags *tags)
{
	if (tags->pairs.n)
		store_put(at.tx, tags_key(at, id), ec2_rec_tags_encode(at.a, tags));
	else
		store_delete(at.tx, tags_key(at, id));
}

status ec2_tags_get(struct ec2_place at, struct str id, struct ec2_tag_list *out)
{
	struct ec2_rec_tags r;
	TRY(tags_load(at, id, &r));
	*out = (struct ec2_tag_list){.v = arena_new_n(at.a, struct ec2_tag, r.pairs.n), .n = r.pairs.n};
	for (size_t i = 0; i < r.pairs.n; i++) out->v[i] = (struct ec2_tag){r.pairs.v[i].key, r.pairs.v[i].value};
	return OK;
}

static status check_tag(struct call *c, const struct ec2_tag *t)
{
	if (!t->key.n)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Tag keys cannot be empty. They must have between 1 and %d characters", KEY_MAX);
	if (str_utf8_length(t->key) > KEY_MAX)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Tag key exceeds the maximum length of %d characters", KEY_MAX);
	if (str_utf8_length(t->value) > VALUE_MAX)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Tag value exceeds the maximum length of %d characters", VALUE_MAX);
	if (str_istarts(t->key, STR("aws:")) && !c->system_tags && c->principal.kind != PRINCIPAL_SERVICE)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Tag keys starting with 'aws:' are reserved for internal use");
	return OK;
}

static ptrdiff_t tag_at(const struct ec2_rec_tags *r, struct str key)
{
	for (size_t i = 0; i < r->pairs.n; i++)
		if (str_eq(r->pairs.v[i].key, key)) return (ptrdiff_t)i;
	return -1;
}

status ec2_tags_add(struct call *c, const struct ec2_type *t, struct str id, const struct ec2_tag_list *tags)
{
	struct ec2_place at = ec2_here(c);
	struct ec2_rec_tags r;
	if (!tags->n) return OK;
	TRY(tags_load(at, id, &r));
	size_t capacity = r.pairs.n, own = 0;
	for (size_t i = 0; i < tags->n; i++) {
		TRY(check_tag(c, &tags->v[i]));
		ptrdiff_t k = tag_at(&r, tags->v[i].key);
		struct ec2_rec_pairs_entry *e = k < 0 ? VEC_PUSH(at.a, &r.pairs, &capacity) : &r.pairs.v[k];
		*e = (struct ec2_rec_pairs_entry){tags->v[i].key, str_or(tags->v[i].value, STR(""))};
	}
	for (size_t i = 0; i < r.pairs.n; i++) own += !str_starts(r.pairs.v[i].key, STR("aws:"));
	if (own > TAGS_MAX)
		return call_fail(
			c, EC2_ERR_TAG_LIMIT_EXCEEDED, "The maximum number of Tags for a resource has been reached.");
	r.type = str_c(t->name);
	tags_save(at, id, &r);
	return OK;
}

status ec2_tags_specified(
	struct call *c, const struct ec2_tag_specification_list *specs, const struct ec2_type *t, struct str id)
{
	for (size_t i = 0; i < specs->n; i++) {
		const struct ec2_tag_specification *s = &specs->v[i];
		if (!str_eq(s->resource_type, str_c(t->name))) continue;
		for (size_t k = 0; k < s->tags.n; k++)
			for (size_t j = 0; j < k; j++)
				if (str_eq(s->tags.v[k].key, s->tags.v[j].key))
					return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
						"Duplicate tag key '%.*s' specified.", STR_ARG(s->tags.v[k].key));
		TRY(ec2_tags_add(c, t, id, &s->tags));
	}
	return OK;
}

status ec2_specified_only(
	struct call *c, const struct ec2_tag_specification_list *specs, const struct ec2_type *const *types, size_t n)
{
	for (size_t i = 0; i < specs->n; i++) {
		struct str type = specs->v[i].resource_type;
		bool known = false;
		if (str_empty(type))
			return call_fail(
				c, EC2_ERR_INVALID_PARAMETER_VALUE, "Tag specification must have a resource type");
		for (size_t k = 0; k < n; k++) known = known || str_eq(type, str_c(types[k]->name));
		if (!known)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"'%.*s' is not a valid taggable resource type for this operation.", STR_ARG(type));
	}
	return OK;
}

/* Tags may be put on what the account owns and sees. */
static status taggable(struct call *c, struct str id, const struct ec2_type **t)
{
	*t = ec2_type_of(id);
	if (!*t) return call_fail(c, EC2_ERR_INVALID_ID, "The ID '%.*s' is not valid", STR_ARG(id));
	void *record = arena_alloc(c->arena, ec2_state_tables.shapes[(*t)->record].size);
	return ec2_find(c, *t, id, record);
}

status ec2_create_tags(struct call *c, const struct ec2_create_tags_input *in, struct ec2_create_tags_output *out)
{
	(void)out;
	if (!in->tags.n) return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter Tags");
	for (size_t i = 0; i < in->resources.n; i++) {
		const struct ec2_type *t;
		TRY(taggable(c, in->resources.v[i], &t));
		TRY(ec2_tags_add(c, t, in->resources.v[i], &in->tags));
	}
	return OK;
}

/* "If you omit this parameter, we delete all user-defined tags … If you specify a tag key without a tag value, we
 * delete any tag with this key regardless of its value. If you specify this parameter with an empty string, we delete
 * the key-value pair only if its value is an empty string" (DeleteTags, the reference). */
static bool to_delete(const struct ec2_delete_tags_input *in, const struct ec2_rec_pairs_entry *e)
{
	if (!in->tags.n) return !str_starts(e->key, STR("aws:"));
	for (size_t i = 0; i < in->tags.n; i++)
		if (str_eq(in->tags.v[i].key, e->key) &&
			(!str_has(in->tags.v[i].value) || str_eq(in->tags.v[i].value, e->value)))
			return true;
	return false;
}

status ec2_delete_tags(struct call *c, const struct ec2_delete_tags_input *in, struct ec2_delete_tags_output *out)
{
	(void)out;
	struct ec2_place at = ec2_here(c);
	for (size_t i = 0; i < in->resources.n; i++) {
		const struct ec2_type *t;
		struct ec2_rec_tags r;
		TRY(taggable(c, in->resources.v[i], &t));
		TRY(tags_load(at, in->resources.v[i], &r));
		size_t kept = 0;
		for (size_t k = 0; k < r.pairs.n; k++)
			if (!to_delete(in, &r.pairs.v[k])) r.pairs.v[kept++] = r.pairs.v[k];
		if (kept == r.pairs.n) continue;
		r.pairs.n = kept;
		tags_save(at, in->resources.v[i], &r);
	}
	return OK;
}

static const char *const tag_filters[] = {"key", "resource-id", "resource-type", "value", NULL};

status ec2_describe_tags(struct call *c, const struct ec2_describe_tags_input *in, struct ec2_describe_tags_output *out)
{
	TRY(ec2_filters_check(c, tag_filters, &in->filters));
	struct key k = key_for(c->arena, STR("ec2"), STR("tags"), c->account, c->region);
	struct store_scan *scan = store_scan_begin(c->tx, key_done(&k), key_after(c->arena, key_done(&k)), false);
	struct str key, value, id;
	size_t capacity = 0;
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_rec_tags r = {0};
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(c->arena, &key, &id);
		if (is_ok(s)) s = ec2_rec_tags_decode(c->arena, str_dup(c->arena, value), &r);
		id = str_dup(c->arena, id);
		for (size_t i = 0; is_ok(s) && i < r.pairs.n; i++) {
			/* "value" of an old filter's name is any tag's (filters with key=, value= are apart). */
			struct ec2_tag_description d = {.key = r.pairs.v[i].key,
				.value = r.pairs.v[i].value,
				.resource_id = id,
				.resource_type = r.type};
			if (ec2_filters_match(c->arena, EC2_SHAPE_TAG_DESCRIPTION, tag_filters, &in->filters, &d))
				*VEC_PUSH(c->arena, &out->tags, &capacity) = d;
		}
	}
	status end = store_scan_end(scan);
	TRY(s);
	TRY(end);
	return ec2_page(c, &out->tags, sizeof(*out->tags.v), in->max_results, in->next_token, &out->next_token);
}
