/* Managed policies attached to users, groups and roles; permissions boundaries; what a policy is attached to. */
#include "services/iam/internal.h"
#include "services/iam/managed.h"

#define ATTACHED_MAX 20 /* "IAM and AWS STS quotas": 10, which Service Quotas raises to 20 */

static struct str name_of(struct str arn)
{
	ptrdiff_t slash = str_rchr(arn, '/');
	return str_from(arn, (size_t)(slash + 1));
}

/* Service-linked roles keep what their service gave them. */
static status get_open(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *e)
{
	return kind == IAM_ROLE ? iam_get_modifiable_role(c, name, e) : iam_get(c, kind, name, e);
}

static status attach(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
	struct iam_rec_entity e;
	TRY(get_open(c, kind, name, &e));
	TRY(iam_require_attachable(c, arn));
	if (iam_strings_have(&e.attached, arn)) return OK;
	if (e.attached.n >= ATTACHED_MAX) {
		static const char *const titles[] = {[IAM_USER] = "User", [IAM_GROUP] = "Group", [IAM_ROLE] = "Role"};
		return IAM_FAIL(
			c, LIMIT_EXCEEDED, "Cannot exceed quota for PoliciesPer%s: %d", titles[kind], ATTACHED_MAX);
	}
	iam_strings_add(c->arena, &e.attached, arn);
	iam_put(c, kind, &e);
	iam_attachment_put(c, arn, iam_kind_name(kind), e.name);
	return OK;
}

static status detach(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
	struct iam_rec_entity e;
	TRY(get_open(c, kind, name, &e));
	if (!iam_strings_drop(&e.attached, arn))
		return IAM_FAIL(c, NO_SUCH_ENTITY, "Policy %.*s was not found.", STR_ARG(arn));
	iam_put(c, kind, &e);
	iam_attachment_delete(c, arn, iam_kind_name(kind), e.name);
	return OK;
}

void iam_attached_out(struct call *c, const struct iam_rec_strings *arns, struct iam_attached_policies_list_type *out)
{
	VEC_PRESENT(c->arena, out);
	size_t capacity = 0;
	for (size_t i = 0; i < arns->n; i++)
		*VEC_PUSH(c->arena, out, &capacity) = (struct iam_attached_policy){name_of(arns->v[i]), arns->v[i]};
}

static bool under_path(struct str arn, struct str prefix)
{
	if (!str_has(prefix)) return true;
	ptrdiff_t at = str_find(arn, STR(":policy/"));
	return at >= 0 && str_starts(str_from(arn, (size_t)at + 7), prefix);
}

static status list_attached(struct call *c, enum iam_kind kind, struct str name, struct str prefix,
	struct iam_page *page, struct iam_attached_policies_list_type *out)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, kind, name, &e));
	VEC_PRESENT(c->arena, out);
	size_t capacity = 0;
	for (size_t i = 0; i < e.attached.n; i++) {
		struct str arn = e.attached.v[i];
		if (!under_path(arn, prefix) || !iam_page_take(page, str_fmt(c->arena, "%04zu", i))) continue;
		*VEC_PUSH(c->arena, out, &capacity) = (struct iam_attached_policy){name_of(arn), arn};
	}
	return OK;
}

#define ATTACHING(KIND, kind, plural)                                                                                  \
	status iam_attach_##kind##_policy(struct call *c, const struct iam_attach_##kind##_policy_input *in,           \
		struct iam_attach_##kind##_policy_output *out)                                                         \
	{                                                                                                              \
		(void)out;                                                                                             \
		return attach(c, KIND, in->kind##_name, in->policy_arn);                                               \
	}                                                                                                              \
	status iam_detach_##kind##_policy(struct call *c, const struct iam_detach_##kind##_policy_input *in,           \
		struct iam_detach_##kind##_policy_output *out)                                                         \
	{                                                                                                              \
		(void)out;                                                                                             \
		return detach(c, KIND, in->kind##_name, in->policy_arn);                                               \
	}                                                                                                              \
	status iam_list_attached_##kind##_policies(struct call *c,                                                     \
		const struct iam_list_attached_##kind##_policies_input *in,                                            \
		struct iam_list_attached_##kind##_policies_output *out)                                                \
	{                                                                                                              \
		struct iam_page page;                                                                                  \
		TRY(iam_page_begin(c, in->marker, in->max_items, &page));                                              \
		TRY(list_attached(c, KIND, in->kind##_name, in->path_prefix, &page, &out->attached_policies));         \
		iam_page_end(&page, &out->is_truncated, &out->marker);                                                 \
		return OK;                                                                                             \
	}
ATTACHING(IAM_USER, user, users)
ATTACHING(IAM_GROUP, group, groups)
ATTACHING(IAM_ROLE, role, roles)

/* ── boundaries ───────────────────────────────────────────────────────────────────────────────────────────────── */

status iam_set_boundary(struct call *c, enum iam_kind kind, struct iam_rec_entity *e, struct str arn)
{
	const char *index = kind == IAM_USER ? "user-boundary" : "role-boundary";
	if (str_has(arn)) TRY(iam_require_attachable(c, arn));
	if (e->boundary.n) iam_attachment_delete(c, e->boundary, index, e->name);
	if (str_has(arn)) iam_attachment_put(c, arn, index, e->name);
	e->boundary = arn;
	return OK;
}

static status change_boundary(struct call *c, enum iam_kind kind, struct str name, struct str arn)
{
	struct iam_rec_entity e;
	TRY(get_open(c, kind, name, &e));
	if (!str_has(arn) && str_empty(e.boundary))
		return IAM_FAIL(c, NO_SUCH_ENTITY, "%s %.*s has no permissions boundary.",
			kind == IAM_USER ? "User" : "Role", STR_ARG(e.name));
	TRY(iam_set_boundary(c, kind, &e, arn));
	iam_put(c, kind, &e);
	return OK;
}

#define BOUNDING(KIND, kind)                                                                                           \
	status iam_put_##kind##_permissions_boundary(struct call *c,                                                   \
		const struct iam_put_##kind##_permissions_boundary_input *in,                                          \
		struct iam_put_##kind##_permissions_boundary_output *out)                                              \
	{                                                                                                              \
		(void)out;                                                                                             \
		return change_boundary(c, KIND, in->kind##_name, in->permissions_boundary);                            \
	}                                                                                                              \
	status iam_delete_##kind##_permissions_boundary(struct call *c,                                                \
		const struct iam_delete_##kind##_permissions_boundary_input *in,                                       \
		struct iam_delete_##kind##_permissions_boundary_output *out)                                           \
	{                                                                                                              \
		(void)out;                                                                                             \
		return change_boundary(c, KIND, in->kind##_name, STR_NONE);                                            \
	}
BOUNDING(IAM_USER, user)
BOUNDING(IAM_ROLE, role)

/* ── the other way round ──────────────────────────────────────────────────────────────────────────────────────── */

static bool wanted(const struct iam_list_entities_for_policy_input *in, struct str kind)
{
	bool boundary = str_ends(kind, STR("-boundary"));
	if (str_is(in->policy_usage_filter, "PermissionsPolicy") && boundary) return false;
	if (str_is(in->policy_usage_filter, "PermissionsBoundary") && !boundary) return false;
	if (str_is(in->entity_filter, "User")) return str_starts(kind, STR("user"));
	if (str_is(in->entity_filter, "Role")) return str_starts(kind, STR("role"));
	if (str_is(in->entity_filter, "Group")) return str_starts(kind, STR("group"));
	return true;
}

status iam_list_entities_for_policy(struct call *c, const struct iam_list_entities_for_policy_input *in,
	struct iam_list_entities_for_policy_output *out)
{
	struct iam_rec_policy p;
	if (!iam_managed_find(in->policy_arn)) {
		status s = iam_policy_peek(c->tx, c->arena, c->account, in->policy_arn, &p);
		if (status_is(s, STATUS_NOT_FOUND))
			return IAM_FAIL(c, NO_SUCH_ENTITY, "Policy %.*s was not found.", STR_ARG(in->policy_arn));
		TRY(s);
	}
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	VEC_PRESENT(c->arena, &out->policy_users);
	VEC_PRESENT(c->arena, &out->policy_groups);
	VEC_PRESENT(c->arena, &out->policy_roles);
	size_t users = 0, groups = 0, roles = 0;
	struct iam_rows r = iam_attachments(c, in->policy_arn);
	while (!page.truncated && iam_rows_next(&r)) {
		if (!wanted(in, r.value)) continue;
		enum iam_kind kind = str_starts(r.value, STR("user"))    ? IAM_USER
				     : str_starts(r.value, STR("group")) ? IAM_GROUP
									 : IAM_ROLE;
		struct str name = str_dup(c->arena, r.name);
		struct str sort = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(r.value), STR_ARG(name));
		struct iam_rec_entity e;
		TRY(iam_peek(c->tx, c->arena, kind, c->account, name, &e));
		if (!str_starts(e.path, str_or(in->path_prefix, STR("/"))) || !iam_page_take(&page, sort)) continue;
		if (kind == IAM_USER)
			*VEC_PUSH(c->arena, &out->policy_users, &users) = (struct iam_policy_user){e.name, e.id};
		else if (kind == IAM_GROUP)
			*VEC_PUSH(c->arena, &out->policy_groups, &groups) = (struct iam_policy_group){e.name, e.id};
		else
			*VEC_PUSH(c->arena, &out->policy_roles, &roles) = (struct iam_policy_role){e.name, e.id};
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}
