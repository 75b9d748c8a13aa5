/* Roles and their trust policies. */
#include "services/iam/internal.h"

#define TRUST_MAX 2048 /* "IAM and AWS STS quotas": role trust policy length */
#define SESSION_DEFAULT_S 3600

status iam_create_role(struct call *c, const struct iam_create_role_input *in, struct iam_create_role_output *out)
{
	if (str_starts(str_or(in->path, STR("/")), STR("/aws-service-role/")))
		return call_fail(
			c, ERR_ACCESS_DENIED, "Cannot create a role with a path that begins with /aws-service-role/.");
	TRY(iam_require_new(c, IAM_ROLE, in->role_name));
	TRY(iam_check_document(c, in->assume_role_policy_document, POLICY_TRUST, TRUST_MAX, in->role_name));
	struct iam_rec_entity e = {
		.name = in->role_name,
		.path = str_or(in->path, STR("/")),
		.id = iam_new_id(c->arena, "AROA"),
		.created = SOME_TIME(c->now_ms),
		.trust = in->assume_role_policy_document,
		.description = in->description,
		.max_session = in->max_session_duration.has ? in->max_session_duration : SOME_I32(SESSION_DEFAULT_S),
	};
	TRY(iam_tags_set(c, &e.tags, &in->tags));
	if (str_has(in->permissions_boundary)) TRY(iam_set_boundary(c, IAM_ROLE, &e, in->permissions_boundary));
	iam_put(c, IAM_ROLE, &e);
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_out(c, &e, true, out->role);
	out->role->role_last_used = NULL;
	return OK;
}

status iam_get_role(struct call *c, const struct iam_get_role_input *in, struct iam_get_role_output *out)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_ROLE, in->role_name, &e));
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_out(c, &e, true, out->role);
	return OK;
}

status iam_get_modifiable_role(struct call *c, struct str name, struct iam_rec_entity *out)
{
	TRY(iam_get(c, IAM_ROLE, name, out));
	if (str_empty(out->service)) return OK;
	return IAM_FAIL(c, UNMODIFIABLE_ENTITY,
		"Cannot perform the operation on the protected role '%.*s' - this role is only modifiable by AWS",
		STR_ARG(out->name));
}

status iam_update_role(struct call *c, const struct iam_update_role_input *in, struct iam_update_role_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(iam_get_modifiable_role(c, in->role_name, &e));
	if (str_has(in->description)) e.description = in->description;
	if (in->max_session_duration.has) e.max_session = in->max_session_duration;
	iam_put(c, IAM_ROLE, &e);
	return OK;
}

status iam_update_role_description(struct call *c, const struct iam_update_role_description_input *in,
	struct iam_update_role_description_output *out)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, IAM_ROLE, in->role_name, &e));
	e.description = in->description;
	iam_put(c, IAM_ROLE, &e);
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_out(c, &e, true, out->role);
	return OK;
}

status iam_update_assume_role_policy(struct call *c, const struct iam_update_assume_role_policy_input *in,
	struct iam_update_assume_role_policy_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(iam_get_modifiable_role(c, in->role_name, &e));
	TRY(iam_check_document(c, in->policy_document, POLICY_TRUST, TRUST_MAX, e.name));
	e.trust = in->policy_document;
	iam_put(c, IAM_ROLE, &e);
	return OK;
}

status iam_remove_role(struct call *c, const struct iam_rec_entity *e)
{
	struct iam_instance_profile_list_type profiles = {0};
	TRY(iam_profiles_of_role(c, e->name, &profiles));
	const char *left = profiles.n                               ? "remove roles from instance profile"
			   : e->inline_policies.n                   ? "delete policies"
			   : e->attached.n && str_empty(e->service) ? "detach all policies"
								    : NULL;
	if (left) return IAM_FAIL(c, DELETE_CONFLICT, "Cannot delete entity, must %s first.", left);
	for (size_t i = 0; i < e->attached.n; i++) iam_attachment_delete(c, e->attached.v[i], "role", e->name);
	if (e->boundary.n) iam_attachment_delete(c, e->boundary, "role-boundary", e->name);
	store_delete(c->tx, iam_key(c->arena, "role", c->account, e->name));
	iam_changed(c);
	return OK;
}

status iam_delete_role(struct call *c, const struct iam_delete_role_input *in, struct iam_delete_role_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(iam_get_modifiable_role(c, in->role_name, &e));
	return iam_remove_role(c, &e);
}

status iam_list_roles(struct call *c, const struct iam_list_roles_input *in, struct iam_list_roles_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->roles);
	struct iam_rows r = iam_rows_begin(c, "role");
	while (!page.truncated && iam_rows_next(&r)) {
		struct iam_rec_entity e = {0};
		TRY(iam_rec_entity_decode(c->arena, str_dup(c->arena, r.value), &e));
		if (!str_starts(e.path, str_or(in->path_prefix, STR("/"))) || !iam_page_take(&page, r.name)) continue;
		iam_role_out(c, &e, false, VEC_PUSH(c->arena, &out->roles, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}
