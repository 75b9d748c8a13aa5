/* AddTagsToResource, RemoveTagsFromResource and ListTagsForResource, of parameters: the other types of resource that
 * Systems Manager tags do not exist here, so no id of theirs is valid. */
#include "services/ssm/room.h"

status ps_tags_set(struct call *c, struct ps_parameter *p, const struct ssm_tag *tags, size_t n)
{
	struct ssm_rec_pairs all = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < p->r.tags.n; i++) *VEC_PUSH(c->arena, &all, &capacity) = p->r.tags.v[i];
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		if (!c->system_tags && str_istarts(tags[i].key, STR("aws:")))
			return call_fail(
				c, ERR_VALIDATION, "aws: prefixed tag key names are not allowed for external use.");
		while (at < all.n && !str_eq(all.v[at].key, tags[i].key)) at++;
		if (at == all.n) VEC_PUSH(c->arena, &all, &capacity)->key = tags[i].key;
		all.v[at].value = str_or(tags[i].value, STR(""));
	}
	if (all.n > PS_TAGS_MAX)
		return call_fail(c, SSM_ERR_TOO_MANY_TAGS_ERROR, "The resource can have at most %d tags.", PS_TAGS_MAX);
	p->r.tags = all;
	return OK;
}

static status find(struct call *c, struct str type, struct str id, struct ps_parameter *p)
{
	struct ps_name n = ps_name_read(c, id);
	status s = str_is(type, "Parameter") && !str_has(n.selector) ? ps_lookup(c, c->tx, &n, p) : STATUS(NOT_FOUND);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(c, SSM_ERR_INVALID_RESOURCE_ID,
		"The resource ID is not valid. Verify that you entered the correct ID and try "
		"again.");
}

status ssm_add_tags_to_resource(
	struct call *c, const struct ssm_add_tags_to_resource_input *in, struct ssm_add_tags_to_resource_output *out)
{
	(void)out;
	struct ps_parameter p;
	TRY(find(c, in->resource_type, in->resource_id, &p));
	TRY(ps_tags_set(c, &p, in->tags.v, in->tags.n));
	ps_put(c->tx, c->arena, &p);
	return OK;
}

status ssm_remove_tags_from_resource(struct call *c, const struct ssm_remove_tags_from_resource_input *in,
	struct ssm_remove_tags_from_resource_output *out)
{
	(void)out;
	struct ps_parameter p;
	size_t kept = 0;
	TRY(find(c, in->resource_type, in->resource_id, &p));
	for (size_t i = 0; i < p.r.tags.n; i++) {
		bool gone = false;
		for (size_t j = 0; j < in->tag_keys.n; j++) gone |= str_eq(in->tag_keys.v[j], p.r.tags.v[i].key);
		if (!gone) p.r.tags.v[kept++] = p.r.tags.v[i];
	}
	p.r.tags.n = kept;
	ps_put(c->tx, c->arena, &p);
	return OK;
}

status ssm_list_tags_for_resource(struct call *c, const struct ssm_list_tags_for_resource_input *in,
	struct ssm_list_tags_for_resource_output *out)
{
	struct ps_parameter p;
	size_t capacity = 0;
	TRY(find(c, in->resource_type, in->resource_id, &p));
	VEC_PRESENT(c->arena, &out->tag_list);
	for (size_t i = 0; i < p.r.tags.n; i++)
		*VEC_PUSH(c->arena, &out->tag_list, &capacity) =
			(struct ssm_tag){p.r.tags.v[i].key, p.r.tags.v[i].value};
	return OK;
}
