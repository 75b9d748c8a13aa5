/* Inline policies of users, groups and roles. */
#include "services/iam/internal.h"

/* "IAM and AWS STS quotas": characters of all inline policies together, without white space. */
static const size_t inline_max[] = {[IAM_USER] = 2048, [IAM_GROUP] = 5120, [IAM_ROLE] = 10240};

static status get_open(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *e)
{
	return kind == IAM_ROLE ? iam_get_modifiable_role(c, name, e) : iam_get(c, kind, name, e);
}

static struct iam_rec_document *find(const struct iam_rec_entity *e, struct str name)
{
	for (size_t i = 0; i < e->inline_policies.n; i++)
		if (str_eq(e->inline_policies.v[i].name, name)) return &e->inline_policies.v[i];
	return NULL;
}

static status put(struct call *c, enum iam_kind kind, struct str owner, struct str name, struct str text)
{
	struct iam_rec_entity e;
	TRY(get_open(c, kind, owner, &e));
	TRY(iam_check_document(c, text, POLICY_IDENTITY, 0, name));
	struct iam_rec_document *d = find(&e, name);
	if (!d) {
		struct iam_rec_document *v = arena_new_n(c->arena, struct iam_rec_document, e.inline_policies.n + 1);
		if (e.inline_policies.n) memcpy(v, e.inline_policies.v, e.inline_policies.n * sizeof(*v));
		e.inline_policies.v = v;
		/* In order of name, as lists tell them. */
		size_t at = e.inline_policies.n++;
		for (; at > 0 && str_cmp(v[at - 1].name, name) > 0; at--) v[at] = v[at - 1];
		d = &v[at];
	}
	*d = (struct iam_rec_document){name, text};
	size_t all = 0;
	for (size_t i = 0; i < e.inline_policies.n; i++) all += policy_size(e.inline_policies.v[i].text);
	if (all > inline_max[kind])
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Maximum policy size of %zu bytes exceeded for %s %.*s",
			inline_max[kind], iam_kind_name(kind), STR_ARG(e.name));
	iam_put(c, kind, &e);
	return OK;
}

static status none(struct call *c, enum iam_kind kind, struct str name)
{
	return IAM_FAIL(
		c, NO_SUCH_ENTITY, "The %s policy with name %.*s cannot be found.", iam_kind_name(kind), STR_ARG(name));
}

static status get(struct call *c, enum iam_kind kind, struct str owner, struct str name, struct str *text)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, kind, owner, &e));
	const struct iam_rec_document *d = find(&e, name);
	if (!d) return none(c, kind, name);
	*text = iam_document_out(c, d->text);
	return OK;
}

static status drop(struct call *c, enum iam_kind kind, struct str owner, struct str name)
{
	struct iam_rec_entity e;
	TRY(get_open(c, kind, owner, &e));
	struct iam_rec_document *d = find(&e, name);
	if (!d) return none(c, kind, name);
	size_t at = (size_t)(d - e.inline_policies.v);
	memmove(d, d + 1, (e.inline_policies.n - at - 1) * sizeof(*d));
	e.inline_policies.n--;
	iam_put(c, kind, &e);
	return OK;
}

static status list(struct call *c, enum iam_kind kind, struct str owner, struct iam_page *page,
	struct iam_policy_name_list_type *out)
{
	struct iam_rec_entity e;
	TRY(iam_get(c, kind, owner, &e));
	VEC_PRESENT(c->arena, out);
	size_t capacity = 0;
	for (size_t i = 0; i < e.inline_policies.n; i++) {
		struct str name = e.inline_policies.v[i].name;
		if (iam_page_take(page, name)) *VEC_PUSH(c->arena, out, &capacity) = name;
	}
	return OK;
}

void iam_documents_out(struct call *c, const struct iam_rec_documents *d, struct iam_policy_detail_list_type *out)
{
	VEC_PRESENT(c->arena, out);
	size_t capacity = 0;
	for (size_t i = 0; i < d->n; i++)
		*VEC_PUSH(c->arena, out, &capacity) =
			(struct iam_policy_detail){d->v[i].name, iam_document_out(c, d->v[i].text)};
}

#define INLINE(KIND, kind)                                                                                             \
	status iam_put_##kind##_policy(struct call *c, const struct iam_put_##kind##_policy_input *in,                 \
		struct iam_put_##kind##_policy_output *out)                                                            \
	{                                                                                                              \
		(void)out;                                                                                             \
		return put(c, KIND, in->kind##_name, in->policy_name, in->policy_document);                            \
	}                                                                                                              \
	status iam_get_##kind##_policy(struct call *c, const struct iam_get_##kind##_policy_input *in,                 \
		struct iam_get_##kind##_policy_output *out)                                                            \
	{                                                                                                              \
		out->kind##_name = in->kind##_name;                                                                    \
		out->policy_name = in->policy_name;                                                                    \
		return get(c, KIND, in->kind##_name, in->policy_name, &out->policy_document);                          \
	}                                                                                                              \
	status iam_delete_##kind##_policy(struct call *c, const struct iam_delete_##kind##_policy_input *in,           \
		struct iam_delete_##kind##_policy_output *out)                                                         \
	{                                                                                                              \
		(void)out;                                                                                             \
		return drop(c, KIND, in->kind##_name, in->policy_name);                                                \
	}                                                                                                              \
	status iam_list_##kind##_policies(struct call *c, const struct iam_list_##kind##_policies_input *in,           \
		struct iam_list_##kind##_policies_output *out)                                                         \
	{                                                                                                              \
		struct iam_page page;                                                                                  \
		TRY(iam_page_begin(c, in->marker, in->max_items, &page));                                              \
		TRY(list(c, KIND, in->kind##_name, &page, &out->policy_names));                                        \
		iam_page_end(&page, &out->is_truncated, &out->marker);                                                 \
		return OK;                                                                                             \
	}
INLINE(IAM_USER, user)
INLINE(IAM_GROUP, group)
INLINE(IAM_ROLE, role)
