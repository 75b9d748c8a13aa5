/* What the policy step has to know of STS's operations: the role's trust policy and the keys that it is asked with. */
#include "services/sts/internal.h"

/* "IAM JSON policy elements: Principal", "IAM and AWS STS condition context keys". */
static status trust_of(struct call *c, struct store_tx *tx, struct authz_demands *demands, struct policy_resource *r)
{
	struct str account, path, name;
	struct iam_rec_entity role;
	r->policy_required = true;
	if (!sts_role_arn_split(r->arn, &account, &path, &name)) return OK;
	r->account = account;
	status s = iam_peek(tx, c->arena, IAM_ROLE, account, name, &role);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* nobody may: a role's absence is not told */
	TRY(s);
	if (str_eq(role.path, path)) call_attach_policy(c, demands, r, true, role.trust);
	struct policy_context *own = arena_new(c->arena, struct policy_context);
	*own = POLICY_CONTEXT_IN(c->arena);
	for (size_t i = 0; i < role.tags.n; i++) {
		policy_context_set_tag(own, STR("iam:ResourceTag/"), role.tags.v[i].key, role.tags.v[i].value);
		policy_context_set_tag(own, STR("aws:ResourceTag/"), role.tags.v[i].key, role.tags.v[i].value);
	}
	r->context = own;
	return OK;
}

static status describe(
	struct call *c, struct store_tx *tx, const struct sts_assume_role_input *in, struct policy_context *k)
{
	policy_context_set(k, STR("sts:RoleSessionName"), in->role_session_name);
	if (str_has(in->external_id)) policy_context_set(k, STR("sts:ExternalId"), in->external_id);
	if (str_has(in->source_identity)) policy_context_set(k, STR("sts:SourceIdentity"), in->source_identity);
	if (in->transitive_tag_keys.n)
		policy_context_set_list(
			k, STR("sts:TransitiveTagKeys"), in->transitive_tag_keys.v, in->transitive_tag_keys.n);
	if (!str_has(in->serial_number) || !str_has(in->token_code)) return OK;
	status s = iam_mfa_check(tx, c->arena, c->account, c->principal.name, in->serial_number, in->token_code,
		c->now_ms, clock_offset(c->cloud->clock), false);
	if (status_is(s, STATUS_INVALID))
		return call_fail(
			c, ERR_ACCESS_DENIED, "MultiFactorAuthentication failed with invalid MFA one time pass code.");
	TRY(s);
	policy_context_set_bool(k, STR("aws:MultiFactorAuthPresent"), true);
	policy_context_set_i64(k, STR("aws:MultiFactorAuthAge"), 0);
	return OK;
}

status sts_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	/* "GetFederationToken", "GetSessionToken": what their credentials cannot call. */
	bool user_session = c->principal.kind == PRINCIPAL_FEDERATED ||
			    (c->principal.kind == PRINCIPAL_USER && c->principal.session_record.n);
	bool assume = c->match.op_index == STS_OP_ASSUME_ROLE;
	if (user_session && !(assume && c->principal.kind == PRINCIPAL_USER))
		return call_fail(c, ERR_ACCESS_DENIED, "Cannot call %s with session credentials",
			str_z(c->arena, wire_str(&c->match.service->tables, c->match.op->name)));
	if (!assume || !in) return OK;
	const struct sts_assume_role_input *a = in;
	TRY(describe(c, tx, a, context));
	/* "Pass session tags in AWS STS", "Monitor and control actions taken with assumed roles": permissions of their
	 * own. */
	if (a->tags.n) authz_add(c->arena, demands, STR("sts:TagSession"), a->role_arn);
	if (str_has(a->source_identity)) authz_add(c->arena, demands, STR("sts:SetSourceIdentity"), a->role_arn);
	for (size_t i = 0; i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) TRY(trust_of(c, tx, demands, &demands->v[i].resources[j]));
	return OK;
}
