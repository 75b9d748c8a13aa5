/* Users. */
#include "services/iam/internal.h"

status iam_create_user(struct call *c, const struct iam_create_user_input *in, struct iam_create_user_output *out)
{
	TRY(iam_require_new(c, IAM_USER, in->user_name));
	struct iam_rec_entity e = {
		.name = in->user_name,
		.path = str_or(in->path, STR("/")),
		.id = iam_new_id(c->arena, "AIDA"),
		.created = SOME_TIME(c->now_ms),
	};
	TRY(iam_tags_set(c, &e.tags, &in->tags));
	if (str_has(in->permissions_boundary)) TRY(iam_set_boundary(c, IAM_USER, &e, in->permissions_boundary));
	iam_put(c, IAM_USER, &e);
	out->user = arena_new(c->arena, struct iam_user);
	iam_user_out(c, &e, true, out->user);
	return OK;
}

status iam_get_user(struct call *c, const struct iam_get_user_input *in, struct iam_get_user_output *out)
{
	out->user = arena_new(c->arena, struct iam_user);
	if (!str_has(in->user_name) && c->principal.kind == PRINCIPAL_ROOT) {
		/* "If you do not specify a user name, IAM determines it from the key": the root user has no name and no
		 * path. */
		*out->user = (struct iam_user){.path = STR("/"),
			.user_name = STR("root"),
			.user_id = c->account,
			.arn = c->principal.arn,
			.create_date = SOME_TIME(0)};
		return OK;
	}
	struct iam_rec_entity e;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	iam_user_out(c, &e, true, out->user);
	return OK;
}

/* Renaming moves the record and all that is kept under the user's name. */
static status rename_user(struct call *c, struct iam_rec_entity *e, struct str name)
{
	if (!str_ieq(name, e->name)) TRY(iam_require_new(c, IAM_USER, name));
	struct str old = e->name;
	store_delete(c->tx, iam_key(c->arena, "user", c->account, old));
	for (size_t i = 0; i < e->groups.n; i++) {
		iam_member_delete(c, e->groups.v[i], old);
		iam_member_put(c, e->groups.v[i], name);
	}
	for (size_t i = 0; i < e->attached.n; i++) {
		iam_attachment_delete(c, e->attached.v[i], "user", old);
		iam_attachment_put(c, e->attached.v[i], "user", name);
	}
	if (e->boundary.n) {
		iam_attachment_delete(c, e->boundary, "user-boundary", old);
		iam_attachment_put(c, e->boundary, "user-boundary", name);
	}
	e->name = name;
	TRY(iam_mfa_renamed(c, e));
	return iam_credentials_renamed(c, old, name);
}

status iam_update_user(struct call *c, const struct iam_update_user_input *in, struct iam_update_user_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_USER, in->user_name, &e));
	if (str_has(in->new_user_name)) TRY(rename_user(c, &e, in->new_user_name));
	if (str_has(in->new_path)) e.path = in->new_path;
	iam_put(c, IAM_USER, &e);
	return iam_keys_renamed(c, &e);
}

status iam_delete_user(struct call *c, const struct iam_delete_user_input *in, struct iam_delete_user_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_USER, in->user_name, &e));
	/* "Deleting an IAM user", in the order in which AWS names what is left. */
	const char *left = NULL;
	if (e.groups.n)
		left = "remove users from group";
	else if (e.keys.n)
		left = "delete access keys";
	else if (e.inline_policies.n)
		left = "delete policies";
	else if (e.attached.n)
		left = "detach all policies";
	else if (e.login)
		left = "delete login profile";
	else if (e.mfa.n)
		left = "delete MFA device";
	else
		left = iam_credentials_left(c, e.name);
	if (left) return IAM_FAIL(c, DELETE_CONFLICT, "Cannot delete entity, must %s first.", left);
	if (e.boundary.n) iam_attachment_delete(c, e.boundary, "user-boundary", e.name);
	store_delete(c->tx, iam_key(c->arena, "user", c->account, e.name));
	iam_changed(c);
	return OK;
}

status iam_list_users(struct call *c, const struct iam_list_users_input *in, struct iam_list_users_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->users);
	struct iam_rows r = iam_rows_begin(c, "user");
	while (!page.truncated && iam_rows_next(&r)) {
		struct iam_rec_entity e = {0};
		TRY(iam_rec_entity_decode(c->arena, str_dup(c->arena, r.value), &e));
		if (!str_starts(e.path, str_or(in->path_prefix, STR("/"))) || !iam_page_take(&page, r.name)) continue;
		iam_user_out(c, &e, false, VEC_PUSH(c->arena, &out->users, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}
