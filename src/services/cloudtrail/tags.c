/* Tags of trails ("AddTags", API reference: up to 50). */
#include "services/cloudtrail/room.h"

enum { TAGS_MAX = 50, LISTED_MAX = 20 };

status ct_tags_set(struct call *c, struct cloudtrail_rec_trail *t, const struct cloudtrail_tags_list *tags)
{
	size_t capacity = 0;
	struct cloudtrail_rec_tags now = {0};
	for (size_t i = 0; i < t->tags.n; i++) *VEC_PUSH(c->arena, &now, &capacity) = t->tags.v[i];
	for (size_t i = 0; i < tags->n; i++) {
		size_t at = 0;
		if (!c->system_tags && str_istarts(tags->v[i].key, STR("aws:")))
			return CT_FAIL(c, INVALID_TAG_PARAMETER, "Tag keys that begin with 'aws:' are reserved.");
		for (size_t k = i + 1; k < tags->n; k++)
			if (str_eq(tags->v[i].key, tags->v[k].key))
				return CT_FAIL(
					c, INVALID_TAG_PARAMETER, "Duplicate tag keys: %.*s", STR_ARG(tags->v[i].key));
		while (at < now.n && !str_eq(now.v[at].key, tags->v[i].key)) at++;
		struct cloudtrail_rec_tags_entry *e = at < now.n ? &now.v[at] : VEC_PUSH(c->arena, &now, &capacity);
		*e = (struct cloudtrail_rec_tags_entry){tags->v[i].key, str_or(tags->v[i].value, STR(""))};
	}
	if (now.n > TAGS_MAX)
		return CT_FAIL(
			c, TAGS_LIMIT_EXCEEDED, "The number of tags per trail has exceeded the limit of %d.", TAGS_MAX);
	t->tags = now;
	return OK;
}

/* Tags are asked for by ARN alone, and changed in the home region. */
static status find(struct call *c, struct str arn, bool home, struct cloudtrail_rec_trail *t)
{
	if (!str_starts(arn, STR("arn:")))
		return CT_FAIL(c, CLOUD_TRAIL_ARN_INVALID, "Invalid ARN: %.*s", STR_ARG(arn));
	if (str_find(arn, STR(":trail/")) < 0)
		return CT_FAIL(
			c, RESOURCE_TYPE_NOT_SUPPORTED, "The resource type of %.*s is not supported.", STR_ARG(arn));
	status s = home ? ct_trail_find_home(c, arn, t) : ct_trail_find(c, arn, t);
	if (status_is(s, STATUS_FAILED) && c->failure.id == CLOUDTRAIL_ERR_TRAIL_NOT_FOUND_EXCEPTION)
		return CT_FAIL(c, RESOURCE_NOT_FOUND, "Resource %.*s does not exist.", STR_ARG(arn));
	return s;
}

status cloudtrail_add_tags(
	struct call *c, const struct cloudtrail_add_tags_request *in, struct cloudtrail_add_tags_response *out)
{
	struct cloudtrail_rec_trail t;
	(void)out;
	TRY(find(c, in->resource_id, true, &t));
	TRY(ct_tags_set(c, &t, &in->tags_list));
	ct_trail_put(c, &t);
	return OK;
}

status cloudtrail_remove_tags(
	struct call *c, const struct cloudtrail_remove_tags_request *in, struct cloudtrail_remove_tags_response *out)
{
	struct cloudtrail_rec_trail t;
	(void)out;
	TRY(find(c, in->resource_id, true, &t));
	size_t n = 0;
	for (size_t i = 0; i < t.tags.n; i++) {
		bool drop = false;
		for (size_t k = 0; k < in->tags_list.n; k++) drop |= str_eq(in->tags_list.v[k].key, t.tags.v[i].key);
		if (!drop) t.tags.v[n++] = t.tags.v[i];
	}
	t.tags.n = n;
	ct_trail_put(c, &t);
	return OK;
}

status cloudtrail_list_tags(
	struct call *c, const struct cloudtrail_list_tags_request *in, struct cloudtrail_list_tags_response *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->resource_tag_list);
	if (in->resource_id_list.n > LISTED_MAX)
		return call_fail(c, ERR_VALIDATION, "ResourceIdList may have %d members at most.", LISTED_MAX);
	for (size_t i = 0; i < in->resource_id_list.n; i++) {
		struct cloudtrail_rec_trail t;
		TRY(find(c, in->resource_id_list.v[i], false, &t));
		struct cloudtrail_resource_tag *o = VEC_PUSH(c->arena, &out->resource_tag_list, &capacity);
		size_t tags = 0;
		o->resource_id = in->resource_id_list.v[i];
		VEC_PRESENT(c->arena, &o->tags_list);
		for (size_t k = 0; k < t.tags.n; k++)
			*VEC_PUSH(c->arena, &o->tags_list, &tags) =
				(struct cloudtrail_tag){t.tags.v[k].key, t.tags.v[k].value};
	}
	return OK;
}
