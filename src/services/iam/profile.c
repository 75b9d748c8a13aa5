/* Instance profiles: what carries a role into an instance. */
#include "services/iam/internal.h"

#define PROFILES_MAX 1000

status iam_profile_peek(
	struct store_tx *tx, struct arena *a, struct str account, struct str name, struct iam_rec_profile *out)
{
	struct str bytes;
	*out = (struct iam_rec_profile){0};
	TRY(store_get(tx, iam_key(a, "profile", account, name), &bytes));
	return iam_rec_profile_decode(a, bytes, out);
}

static status profile_get(struct call *c, struct str name, struct iam_rec_profile *out)
{
	struct str bytes;
	*out = (struct iam_rec_profile){0};
	status s = store_get(c->tx, iam_key(c->arena, "profile", c->account, name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return IAM_FAIL(c, NO_SUCH_ENTITY, "Instance Profile %.*s cannot be found.", STR_ARG(name));
	TRY(s);
	return iam_rec_profile_decode(c->arena, bytes, out);
}

static void profile_put(struct call *c, const struct iam_rec_profile *p)
{
	store_put(c->tx, iam_key(c->arena, "profile", c->account, p->name), iam_rec_profile_encode(c->arena, p));
}

static status profile_out(struct call *c, const struct iam_rec_profile *p, struct iam_instance_profile *out)
{
	*out = (struct iam_instance_profile){.path = p->path,
		.instance_profile_name = p->name,
		.instance_profile_id = p->id,
		.arn = iam_arn(c, "instance-profile", p->path, p->name),
		.create_date = p->created};
	VEC_PRESENT(c->arena, &out->roles);
	if (p->tags.n) iam_tags_out(c, &p->tags, &out->tags);
	if (str_empty(p->role)) return OK;
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_ROLE, p->role, &e));
	out->roles.v = arena_new(c->arena, struct iam_role);
	out->roles.n = 1;
	iam_role_out(c, &e, false, out->roles.v);
	return OK;
}

status iam_create_instance_profile(struct call *c, const struct iam_create_instance_profile_input *in,
	struct iam_create_instance_profile_output *out)
{
	struct str bytes;
	status s = store_get(c->tx, iam_key(c->arena, "profile", c->account, in->instance_profile_name), &bytes);
	if (is_ok(s))
		return IAM_FAIL(c, ENTITY_ALREADY_EXISTS, "Instance Profile %.*s already exists.",
			STR_ARG(in->instance_profile_name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (iam_count(c, "profile", PROFILES_MAX) >= PROFILES_MAX)
		return IAM_FAIL(
			c, LIMIT_EXCEEDED, "Cannot exceed quota for InstanceProfilesPerAccount: %d", PROFILES_MAX);
	struct iam_rec_profile p = {.name = in->instance_profile_name,
		.path = str_or(in->path, STR("/")),
		.id = iam_new_id(c->arena, "AIPA"),
		.created = SOME_TIME(c->now_ms)};
	TRY(iam_tags_set(c, &p.tags, &in->tags));
	profile_put(c, &p);
	out->instance_profile = arena_new(c->arena, struct iam_instance_profile);
	return profile_out(c, &p, out->instance_profile);
}

status iam_get_instance_profile(
	struct call *c, const struct iam_get_instance_profile_input *in, struct iam_get_instance_profile_output *out)
{
	struct iam_rec_profile p;
	TRY(profile_get(c, in->instance_profile_name, &p));
	out->instance_profile = arena_new(c->arena, struct iam_instance_profile);
	return profile_out(c, &p, out->instance_profile);
}

status iam_delete_instance_profile(struct call *c, const struct iam_delete_instance_profile_input *in,
	struct iam_delete_instance_profile_output *out)
{
	(void)out;
	struct iam_rec_profile p;
	TRY(profile_get(c, in->instance_profile_name, &p));
	if (p.role.n)
		return IAM_FAIL(
			c, DELETE_CONFLICT, "Cannot delete entity, must remove roles from instance profile first.");
	store_delete(c->tx, iam_key(c->arena, "profile", c->account, p.name));
	return OK;
}

status iam_add_role_to_instance_profile(struct call *c, const struct iam_add_role_to_instance_profile_input *in,
	struct iam_add_role_to_instance_profile_output *out)
{
	(void)out;
	struct iam_rec_profile p;
	struct iam_rec_entity e;
	TRY(profile_get(c, in->instance_profile_name, &p));
	TRY(iam_get_modifiable_role(c, in->role_name, &e));
	if (p.role.n)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
	p.role = e.name;
	profile_put(c, &p);
	return OK;
}

status iam_remove_role_from_instance_profile(struct call *c,
	const struct iam_remove_role_from_instance_profile_input *in,
	struct iam_remove_role_from_instance_profile_output *out)
{
	(void)out;
	struct iam_rec_profile p;
	TRY(profile_get(c, in->instance_profile_name, &p));
	if (!p.role.n || !str_ieq(p.role, in->role_name))
		return IAM_FAIL(c, NO_SUCH_ENTITY, "Role with name %.*s cannot be found.", STR_ARG(in->role_name));
	p.role = STR_NONE;
	profile_put(c, &p);
	return OK;
}

status iam_list_instance_profiles(struct call *c, const struct iam_list_instance_profiles_input *in,
	struct iam_list_instance_profiles_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	VEC_PRESENT(c->arena, &out->instance_profiles);
	size_t capacity = 0;
	struct iam_rows r = iam_rows_begin(c, "profile");
	while (!page.truncated && iam_rows_next(&r)) {
		struct iam_rec_profile p = {0};
		TRY(iam_rec_profile_decode(c->arena, str_dup(c->arena, r.value), &p));
		if (!str_starts(p.path, str_or(in->path_prefix, STR("/"))) || !iam_page_take(&page, r.name)) continue;
		TRY(profile_out(c, &p, VEC_PUSH(c->arena, &out->instance_profiles, &capacity)));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}

status iam_profiles_of_role(struct call *c, struct str role, struct iam_instance_profile_list_type *out)
{
	VEC_PRESENT(c->arena, out);
	size_t capacity = 0;
	struct iam_rows r = iam_rows_begin(c, "profile");
	while (iam_rows_next(&r)) {
		struct iam_rec_profile p = {0};
		TRY(iam_rec_profile_decode(c->arena, str_dup(c->arena, r.value), &p));
		if (str_ieq(p.role, role)) TRY(profile_out(c, &p, VEC_PUSH(c->arena, out, &capacity)));
	}
	return iam_rows_end(&r);
}

status iam_list_instance_profiles_for_role(struct call *c, const struct iam_list_instance_profiles_for_role_input *in,
	struct iam_list_instance_profiles_for_role_output *out)
{
	struct iam_rec_entity e;
	struct iam_page page;
	struct iam_instance_profile_list_type all = {0};
	TRY(iam_get(c, IAM_ROLE, in->role_name, &e));
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	TRY(iam_profiles_of_role(c, e.name, &all));
	VEC_PRESENT(c->arena, &out->instance_profiles);
	size_t capacity = 0;
	for (size_t i = 0; i < all.n; i++)
		if (iam_page_take(&page, str_lower(c->arena, all.v[i].instance_profile_name)))
			*VEC_PUSH(c->arena, &out->instance_profiles, &capacity) = all.v[i];
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_tag_instance_profile(
	struct call *c, const struct iam_tag_instance_profile_input *in, struct iam_tag_instance_profile_output *out)
{
	(void)out;
	struct iam_rec_profile p;
	TRY(profile_get(c, in->instance_profile_name, &p));
	TRY(iam_tags_set(c, &p.tags, &in->tags));
	profile_put(c, &p);
	return OK;
}

status iam_untag_instance_profile(struct call *c, const struct iam_untag_instance_profile_input *in,
	struct iam_untag_instance_profile_output *out)
{
	(void)out;
	struct iam_rec_profile p;
	TRY(profile_get(c, in->instance_profile_name, &p));
	iam_tags_drop(&p.tags, &in->tag_keys);
	profile_put(c, &p);
	return OK;
}

status iam_list_instance_profile_tags(struct call *c, const struct iam_list_instance_profile_tags_input *in,
	struct iam_list_instance_profile_tags_output *out)
{
	struct iam_rec_profile p;
	TRY(profile_get(c, in->instance_profile_name, &p));
	return iam_tags_page(c, &p.tags, in->marker, in->max_items, &out->tags, &out->is_truncated, &out->marker);
}
