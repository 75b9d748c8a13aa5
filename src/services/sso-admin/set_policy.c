/* What permission sets allow: AWS's managed policies, customer managed ones by name, an inline policy, a boundary. */
#include "services/sso-admin/room.h"

#define MANAGED_MAX 20   /* "IAM Identity Center quotas" */
#define INLINE_MAX 10240 /* without white space, as IAM counts */

static status require_aws_policy(struct call *c, struct str arn)
{
	struct str text;
	status s = iam_policy_text(c->tx, c->arena, c->account, arn, &text);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Policy %.*s does not exist or is not attachable.", STR_ARG(arn));
}

status sso_admin_attach_managed_policy_to_permission_set(struct call *c,
	const struct sso_admin_attach_managed_policy_to_permission_set_input *in,
	struct sso_admin_attach_managed_policy_to_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	size_t capacity = 0;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(require_aws_policy(c, in->managed_policy_arn));
	struct sso_admin_rec_strings more = {0};
	for (size_t n = 0; n < s.managed.n; n++) {
		if (str_eq(s.managed.v[n], in->managed_policy_arn))
			return SSOA_FAIL(c, CONFLICT, "Policy with arn %.*s is already attached to PermissionSet.",
				STR_ARG(in->managed_policy_arn));
		*VEC_PUSH(c->arena, &more, &capacity) = s.managed.v[n];
	}
	if (s.managed.n + s.customer.n >= MANAGED_MAX)
		return SSOA_FAIL(c, SERVICE_QUOTA_EXCEEDED, "A permission set may have %d managed policies at most.",
			MANAGED_MAX);
	*VEC_PUSH(c->arena, &more, &capacity) = in->managed_policy_arn;
	s.managed = more;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

status sso_admin_detach_managed_policy_from_permission_set(struct call *c,
	const struct sso_admin_detach_managed_policy_from_permission_set_input *in,
	struct sso_admin_detach_managed_policy_from_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	size_t left = 0;
	for (size_t n = 0; n < s.managed.n; n++)
		if (!str_eq(s.managed.v[n], in->managed_policy_arn)) s.managed.v[left++] = s.managed.v[n];
	if (left == s.managed.n)
		return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Policy with arn %.*s is not attached to PermissionSet.",
			STR_ARG(in->managed_policy_arn));
	s.managed.n = left;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

status sso_admin_list_managed_policies_in_permission_set(struct call *c,
	const struct sso_admin_list_managed_policies_in_permission_set_input *in,
	struct sso_admin_list_managed_policies_in_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct ssoa_page page;
	size_t capacity = 0;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	VEC_PRESENT(c->arena, &out->attached_managed_policies);
	for (size_t n = 0; n < s.managed.n; n++) {
		if (!ssoa_page_take(&page, n)) continue;
		ptrdiff_t slash = str_rchr(s.managed.v[n], '/');
		*VEC_PUSH(c->arena, &out->attached_managed_policies, &capacity) =
			(struct sso_admin_attached_managed_policy){
				.name = str_from(s.managed.v[n], (size_t)slash + 1), .arn = s.managed.v[n]};
	}
	out->next_token = ssoa_page_end(&page);
	return OK;
}

static bool same(const struct sso_admin_rec_customer *x, const struct sso_admin_customer_managed_policy_reference *y)
{
	return str_eq(x->name, y->name) && str_eq(x->path, str_or(y->path, STR("/")));
}

status sso_admin_attach_customer_managed_policy_reference_to_permission_set(struct call *c,
	const struct sso_admin_attach_customer_managed_policy_reference_to_permission_set_input *in,
	struct sso_admin_attach_customer_managed_policy_reference_to_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	size_t capacity = 0;
	const struct sso_admin_customer_managed_policy_reference *p = in->customer_managed_policy_reference;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	struct sso_admin_rec_customers more = {0};
	for (size_t n = 0; n < s.customer.n; n++) {
		if (same(&s.customer.v[n], p))
			return SSOA_FAIL(c, CONFLICT,
				"Customer managed policy %.*s is already attached to PermissionSet.", STR_ARG(p->name));
		*VEC_PUSH(c->arena, &more, &capacity) = s.customer.v[n];
	}
	if (s.managed.n + s.customer.n >= MANAGED_MAX)
		return SSOA_FAIL(c, SERVICE_QUOTA_EXCEEDED, "A permission set may have %d managed policies at most.",
			MANAGED_MAX);
	*VEC_PUSH(c->arena, &more, &capacity) =
		(struct sso_admin_rec_customer){.name = p->name, .path = str_or(p->path, STR("/"))};
	s.customer = more;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

status sso_admin_detach_customer_managed_policy_reference_from_permission_set(struct call *c,
	const struct sso_admin_detach_customer_managed_policy_reference_from_permission_set_input *in,
	struct sso_admin_detach_customer_managed_policy_reference_from_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	size_t left = 0;
	for (size_t n = 0; n < s.customer.n; n++)
		if (!same(&s.customer.v[n], in->customer_managed_policy_reference))
			s.customer.v[left++] = s.customer.v[n];
	if (left == s.customer.n)
		return SSOA_FAIL(c, RESOURCE_NOT_FOUND,
			"Customer managed policy %.*s is not attached to PermissionSet.",
			STR_ARG(in->customer_managed_policy_reference->name));
	s.customer.n = left;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

status sso_admin_list_customer_managed_policy_references_in_permission_set(struct call *c,
	const struct sso_admin_list_customer_managed_policy_references_in_permission_set_input *in,
	struct sso_admin_list_customer_managed_policy_references_in_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct ssoa_page page;
	size_t capacity = 0;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	VEC_PRESENT(c->arena, &out->customer_managed_policy_references);
	for (size_t n = 0; n < s.customer.n; n++)
		if (ssoa_page_take(&page, n))
			*VEC_PUSH(c->arena, &out->customer_managed_policy_references, &capacity) =
				(struct sso_admin_customer_managed_policy_reference){
					.name = s.customer.v[n].name, .path = s.customer.v[n].path};
	out->next_token = ssoa_page_end(&page);
	return OK;
}

/* ── inline ───────────────────────────────────────────────────────────────────────────────────────────────────── */

status sso_admin_put_inline_policy_to_permission_set(struct call *c,
	const struct sso_admin_put_inline_policy_to_permission_set_input *in,
	struct sso_admin_put_inline_policy_to_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct policy_error why = {0};
	struct policy *p = NULL;
	struct policy_source source = {.type = POLICY_IDENTITY, .max_size = INLINE_MAX, .label = STR("")};
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	status parsed = policy_parse(in->inline_policy, &source, &p, &why);
	policy_free(p);
	if (!is_ok(parsed)) {
		if (why.too_long)
			return SSOA_FAIL(c, SERVICE_QUOTA_EXCEEDED, "The inline policy is longer than %d characters.",
				INLINE_MAX);
		return SSOA_FAIL(c, VALIDATION, "Invalid policy document: %s", why.message);
	}
	s.inline_policy = in->inline_policy;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

status sso_admin_get_inline_policy_for_permission_set(struct call *c,
	const struct sso_admin_get_inline_policy_for_permission_set_input *in,
	struct sso_admin_get_inline_policy_for_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	out->inline_policy = str_or(s.inline_policy, STR(""));
	return OK;
}

status sso_admin_delete_inline_policy_from_permission_set(struct call *c,
	const struct sso_admin_delete_inline_policy_from_permission_set_input *in,
	struct sso_admin_delete_inline_policy_from_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	if (!s.inline_policy.n) return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "The permission set has no inline policy.");
	s.inline_policy = STR_NONE;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

/* ── boundary ─────────────────────────────────────────────────────────────────────────────────────────────────── */

status sso_admin_put_permissions_boundary_to_permission_set(struct call *c,
	const struct sso_admin_put_permissions_boundary_to_permission_set_input *in,
	struct sso_admin_put_permissions_boundary_to_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	const struct sso_admin_permissions_boundary *b = in->permissions_boundary;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	bool customer = b->customer_managed_policy_reference != NULL;
	if (customer == str_has(b->managed_policy_arn))
		return SSOA_FAIL(
			c, VALIDATION, "Give either a managed policy's ARN or a customer managed policy, not both.");
	s.boundary_managed = STR_NONE;
	s.boundary_customer = NULL;
	if (customer) {
		s.boundary_customer = arena_new(c->arena, struct sso_admin_rec_customer);
		s.boundary_customer->name = b->customer_managed_policy_reference->name;
		s.boundary_customer->path = str_or(b->customer_managed_policy_reference->path, STR("/"));
	} else {
		TRY(require_aws_policy(c, b->managed_policy_arn));
		s.boundary_managed = b->managed_policy_arn;
	}
	ssoa_put_set(c, &i, &s, true);
	return OK;
}

static status require_boundary(struct call *c, const struct sso_admin_rec_set *s)
{
	if (s->boundary_customer || s->boundary_managed.n) return OK;
	return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "The permission set has no permissions boundary.");
}

status sso_admin_get_permissions_boundary_for_permission_set(struct call *c,
	const struct sso_admin_get_permissions_boundary_for_permission_set_input *in,
	struct sso_admin_get_permissions_boundary_for_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(require_boundary(c, &s));
	struct sso_admin_permissions_boundary *b = arena_new(c->arena, struct sso_admin_permissions_boundary);
	if (s.boundary_customer) {
		b->customer_managed_policy_reference =
			arena_new(c->arena, struct sso_admin_customer_managed_policy_reference);
		b->customer_managed_policy_reference->name = s.boundary_customer->name;
		b->customer_managed_policy_reference->path = s.boundary_customer->path;
	} else {
		b->managed_policy_arn = s.boundary_managed;
	}
	out->permissions_boundary = b;
	return OK;
}

status sso_admin_delete_permissions_boundary_from_permission_set(struct call *c,
	const struct sso_admin_delete_permissions_boundary_from_permission_set_input *in,
	struct sso_admin_delete_permissions_boundary_from_permission_set_output *out)
{
	(void)out;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(require_boundary(c, &s));
	s.boundary_managed = STR_NONE;
	s.boundary_customer = NULL;
	ssoa_put_set(c, &i, &s, true);
	return OK;
}
