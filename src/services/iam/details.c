/* GetAccountAuthorizationDetails: all users, groups, roles and policies with what is attached to them, page by page. */
#include "services/iam/gather.h"
#include "services/iam/managed.h"

static bool wants(const struct iam_get_account_authorization_details_input *in, const char *word)
{
	for (size_t i = 0; i < in->filter.n; i++)
		if (str_eq(in->filter.v[i], str_c(word))) return true;
	return in->filter.n == 0;
}

static void user_detail(struct call *c, const struct iam_rec_entity *e, struct iam_user_detail *out)
{
	*out = (struct iam_user_detail){.path = e->path,
		.user_name = e->name,
		.user_id = e->id,
		.arn = iam_entity_arn(c, IAM_USER, e),
		.create_date = e->created,
		.permissions_boundary = iam_boundary_out(c, e->boundary)};
	if (e->inline_policies.n) iam_documents_out(c, &e->inline_policies, &out->user_policy_list);
	out->group_list = (struct iam_group_name_list_type){e->groups.v, e->groups.n};
	VEC_PRESENT(c->arena, &out->group_list);
	iam_attached_out(c, &e->attached, &out->attached_managed_policies);
	iam_tags_out(c, &e->tags, &out->tags);
}

static void group_detail(struct call *c, const struct iam_rec_entity *e, struct iam_group_detail *out)
{
	*out = (struct iam_group_detail){.path = e->path,
		.group_name = e->name,
		.group_id = e->id,
		.arn = iam_entity_arn(c, IAM_GROUP, e),
		.create_date = e->created};
	iam_documents_out(c, &e->inline_policies, &out->group_policy_list);
	iam_attached_out(c, &e->attached, &out->attached_managed_policies);
}

static status role_detail(struct call *c, const struct iam_rec_entity *e, struct iam_role_detail *out)
{
	*out = (struct iam_role_detail){.path = e->path,
		.role_name = e->name,
		.role_id = e->id,
		.arn = iam_entity_arn(c, IAM_ROLE, e),
		.create_date = e->created,
		.assume_role_policy_document = iam_document_out(c, e->trust),
		.permissions_boundary = iam_boundary_out(c, e->boundary)};
	iam_documents_out(c, &e->inline_policies, &out->role_policy_list);
	iam_attached_out(c, &e->attached, &out->attached_managed_policies);
	iam_tags_out(c, &e->tags, &out->tags);
	out->role_last_used = arena_new(c->arena, struct iam_role_last_used);
	iam_last_used(c, out->arn, &out->role_last_used->last_used_date, &out->role_last_used->region);
	return iam_profiles_of_role(c, e->name, &out->instance_profile_list);
}

static void policy_detail(struct call *c, const struct iam_rec_policy *p, struct iam_managed_policy_detail *out)
{
	struct iam_policy o = {0};
	iam_policy_out(c, p, true, &o);
	*out = (struct iam_managed_policy_detail){.policy_name = o.policy_name,
		.policy_id = o.policy_id,
		.arn = o.arn,
		.path = o.path,
		.default_version_id = o.default_version_id,
		.attachment_count = o.attachment_count,
		.permissions_boundary_usage_count = o.permissions_boundary_usage_count,
		.is_attachable = o.is_attachable,
		.description = o.description,
		.create_date = o.create_date,
		.update_date = o.update_date};
	size_t capacity = 0;
	for (size_t i = p->versions.n; i-- > 0;) {
		const struct iam_rec_version *v = &p->versions.v[i];
		*VEC_PUSH(c->arena, &out->policy_version_list, &capacity) = (struct iam_policy_version){
			iam_document_out(c, v->text), v->id, SOME_BOOL(str_eq(v->id, p->default_version)), v->created};
	}
}

struct capacities {
	size_t users, groups, roles, policies;
};

static status add_entities(struct call *c, enum iam_kind kind, struct iam_page *page,
	struct iam_get_account_authorization_details_output *out, struct capacities *n)
{
	struct iam_rows r = iam_rows_begin(c, iam_kind_name(kind));
	while (!page->truncated && iam_rows_next(&r)) {
		/* One order over all kinds: markers begin with the kind. */
		if (!iam_page_take(page, str_fmt(c->arena, "%d/%.*s", (int)kind, STR_ARG(r.name)))) continue;
		struct iam_rec_entity e = {0};
		TRY(iam_rec_entity_decode(c->arena, str_dup(c->arena, r.value), &e));
		if (kind == IAM_USER)
			user_detail(c, &e, VEC_PUSH(c->arena, &out->user_detail_list, &n->users));
		else if (kind == IAM_GROUP)
			group_detail(c, &e, VEC_PUSH(c->arena, &out->group_detail_list, &n->groups));
		else
			TRY(role_detail(c, &e, VEC_PUSH(c->arena, &out->role_detail_list, &n->roles)));
	}
	return iam_rows_end(&r);
}

static status add_policies(struct call *c, struct iam_page *page,
	struct iam_get_account_authorization_details_output *out, struct capacities *n)
{
	struct iam_rows r = iam_rows_begin(c, "policy");
	while (!page->truncated && iam_rows_next(&r)) {
		if (!iam_page_take(page, str_fmt(c->arena, "3/%.*s", STR_ARG(r.name)))) continue;
		struct iam_rec_policy p = {0};
		TRY(iam_rec_policy_decode(c->arena, str_dup(c->arena, r.value), &p));
		policy_detail(c, &p, VEC_PUSH(c->arena, &out->policies, &n->policies));
	}
	return iam_rows_end(&r);
}

/* "AWSManagedPolicy": those that something in the account uses. */
static void add_aws_policies(struct call *c, struct iam_page *page,
	struct iam_get_account_authorization_details_output *out, struct capacities *n)
{
	for (size_t i = 0; i < iam_managed_count && !page->truncated; i++) {
		const struct iam_managed *m = &iam_managed_policies[i];
		struct iam_attachment_counts used =
			iam_attachment_count(c, iam_managed_arn(c->arena, m->path, m->name));
		if (!used.policies && !used.boundaries) continue;
		if (!iam_page_take(page, str_fmt(c->arena, "4/%05zu", i))) continue;
		struct iam_rec_policy p;
		iam_managed_record(c, m, &p);
		policy_detail(c, &p, VEC_PUSH(c->arena, &out->policies, &n->policies));
	}
}

status iam_get_account_authorization_details(struct call *c,
	const struct iam_get_account_authorization_details_input *in,
	struct iam_get_account_authorization_details_output *out)
{
	struct iam_page page;
	struct capacities n = {0};
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	VEC_PRESENT(c->arena, &out->user_detail_list);
	VEC_PRESENT(c->arena, &out->group_detail_list);
	VEC_PRESENT(c->arena, &out->role_detail_list);
	VEC_PRESENT(c->arena, &out->policies);
	if (wants(in, "User")) TRY(add_entities(c, IAM_USER, &page, out, &n));
	if (wants(in, "Group")) TRY(add_entities(c, IAM_GROUP, &page, out, &n));
	if (wants(in, "Role")) TRY(add_entities(c, IAM_ROLE, &page, out, &n));
	if (wants(in, "LocalManagedPolicy")) TRY(add_policies(c, &page, out, &n));
	if (wants(in, "AWSManagedPolicy")) add_aws_policies(c, &page, out, &n);
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}
