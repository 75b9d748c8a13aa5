/* Groups, and who is in them: a user's record names its groups, an index under ("iam", "member", account, "", group,
 * user) is the other way round. */
#include "services/iam/internal.h"

#define GROUPS_PER_USER 10

static struct str member_key(struct call *c, struct str group, struct str user)
{
	struct key k = key_for(c->arena, STR("iam"), STR("member"), c->account, STR(""));
	key_str(&k, str_lower(c->arena, group));
	if (str_has(user)) key_str(&k, str_lower(c->arena, user));
	return key_done(&k);
}

void iam_member_put(struct call *c, struct str group, struct str user)
{
	store_put(c->tx, member_key(c, group, user), user);
}

void iam_member_delete(struct call *c, struct str group, struct str user)
{
	store_delete(c->tx, member_key(c, group, user));
}

struct iam_rows iam_members(struct call *c, struct str group)
{
	return iam_rows_under(c, member_key(c, group, STR_NONE));
}

status iam_create_group(struct call *c, const struct iam_create_group_input *in, struct iam_create_group_output *out)
{
	TRY(iam_require_new(c, IAM_GROUP, in->group_name));
	struct iam_rec_entity e = {
		.name = in->group_name,
		.path = str_or(in->path, STR("/")),
		.id = iam_new_id(c->arena, "AGPA"),
		.created = SOME_TIME(c->now_ms),
	};
	iam_put(c, IAM_GROUP, &e);
	out->group = arena_new(c->arena, struct iam_group);
	iam_group_out(c, &e, out->group);
	return OK;
}

status iam_get_group(struct call *c, const struct iam_get_group_input *in, struct iam_get_group_output *out)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_GROUP, in->group_name, &e));
	out->group = arena_new(c->arena, struct iam_group);
	iam_group_out(c, &e, out->group);
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->users);
	struct iam_rows r = iam_members(c, e.name);
	while (!page.truncated && iam_rows_next(&r)) {
		if (!iam_page_take(&page, r.name)) continue;
		struct iam_rec_entity u;
		TRY(iam_peek(c->tx, c->arena, IAM_USER, c->account, r.name, &u));
		iam_user_out(c, &u, false, VEC_PUSH(c->arena, &out->users, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}

static status rename_group(struct call *c, struct iam_rec_entity *e, struct str name)
{
	if (!str_ieq(name, e->name)) TRY(iam_require_new(c, IAM_GROUP, name));
	struct str old = e->name;
	store_delete(c->tx, iam_key(c->arena, "group", c->account, old));
	for (size_t i = 0; i < e->attached.n; i++) {
		iam_attachment_delete(c, e->attached.v[i], "group", old);
		iam_attachment_put(c, e->attached.v[i], "group", name);
	}
	struct iam_rec_strings users = {0};
	struct iam_rows r = iam_members(c, old);
	while (iam_rows_next(&r)) iam_strings_add(c->arena, &users, str_dup(c->arena, r.name));
	TRY(iam_rows_end(&r));
	for (size_t i = 0; i < users.n; i++) {
		struct iam_rec_entity u;
		TRY(iam_get(c, IAM_USER, users.v[i], &u));
		iam_strings_drop(&u.groups, old);
		iam_strings_add(c->arena, &u.groups, name);
		iam_put(c, IAM_USER, &u);
		iam_member_delete(c, old, u.name);
		iam_member_put(c, name, u.name);
	}
	e->name = name;
	return OK;
}

status iam_update_group(struct call *c, const struct iam_update_group_input *in, struct iam_update_group_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_GROUP, in->group_name, &e));
	if (str_has(in->new_group_name)) TRY(rename_group(c, &e, in->new_group_name));
	if (str_has(in->new_path)) e.path = in->new_path;
	iam_put(c, IAM_GROUP, &e);
	return OK;
}

status iam_delete_group(struct call *c, const struct iam_delete_group_input *in, struct iam_delete_group_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_GROUP, in->group_name, &e));
	struct iam_rows r = iam_members(c, e.name);
	bool members = iam_rows_next(&r);
	TRY(iam_rows_end(&r));
	const char *left = members               ? "remove users from group"
			   : e.inline_policies.n ? "delete policies"
			   : e.attached.n        ? "detach all policies"
						 : NULL;
	if (left) return IAM_FAIL(c, DELETE_CONFLICT, "Cannot delete entity, must %s first.", left);
	/* A user who is added meanwhile would be in a group that is not there. */
	struct str all = member_key(c, e.name, STR_NONE);
	store_require_empty(c->tx, all, key_after(c->arena, all));
	store_delete(c->tx, iam_key(c->arena, "group", c->account, e.name));
	iam_changed(c);
	return OK;
}

status iam_list_groups(struct call *c, const struct iam_list_groups_input *in, struct iam_list_groups_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->groups);
	struct iam_rows r = iam_rows_begin(c, "group");
	while (!page.truncated && iam_rows_next(&r)) {
		struct iam_rec_entity e = {0};
		TRY(iam_rec_entity_decode(c->arena, str_dup(c->arena, r.value), &e));
		if (!str_starts(e.path, str_or(in->path_prefix, STR("/"))) || !iam_page_take(&page, r.name)) continue;
		iam_group_out(c, &e, VEC_PUSH(c->arena, &out->groups, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}

status iam_add_user_to_group(
	struct call *c, const struct iam_add_user_to_group_input *in, struct iam_add_user_to_group_output *out)
{
	(void)out;
	struct iam_rec_entity u, g;
	TRY(iam_get(c, IAM_GROUP, in->group_name, &g));
	TRY(iam_get(c, IAM_USER, in->user_name, &u));
	if (iam_strings_have(&u.groups, g.name)) return OK;
	if (u.groups.n >= GROUPS_PER_USER)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for GroupsPerUser: %d", GROUPS_PER_USER);
	iam_strings_add(c->arena, &u.groups, g.name);
	iam_put(c, IAM_USER, &u);
	iam_member_put(c, g.name, u.name);
	return OK;
}

status iam_remove_user_from_group(struct call *c, const struct iam_remove_user_from_group_input *in,
	struct iam_remove_user_from_group_output *out)
{
	(void)out;
	struct iam_rec_entity u, g;
	TRY(iam_get(c, IAM_GROUP, in->group_name, &g));
	TRY(iam_get(c, IAM_USER, in->user_name, &u));
	if (!iam_strings_drop(&u.groups, g.name)) return OK;
	iam_put(c, IAM_USER, &u);
	iam_member_delete(c, g.name, u.name);
	return OK;
}

status iam_list_groups_for_user(
	struct call *c, const struct iam_list_groups_for_user_input *in, struct iam_list_groups_for_user_output *out)
{
	struct iam_rec_entity u;
	TRY(iam_get(c, IAM_USER, in->user_name, &u));
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->groups);
	for (size_t i = 0; i < u.groups.n; i++) {
		/* In the order of joining: the marker is a number. */
		if (!iam_page_take(&page, str_fmt(c->arena, "%04zu", i))) continue;
		struct iam_rec_entity g;
		TRY(iam_get(c, IAM_GROUP, u.groups.v[i], &g));
		iam_group_out(c, &g, VEC_PUSH(c->arena, &out->groups, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}
