/* What the policy step has to know of IAM's operations: ARNs with the path that a name does not tell, tags, whose key
 * or password is meant where nobody is named, and the keys of "Actions, resources, and condition keys for AWS IAM". */
#include "policy/authz.h"
#include "services/iam/internal.h"

static void set_tags(struct call *c, struct policy_resource *r, const struct iam_rec_tags *tags)
{
	if (!tags->n) return;
	struct policy_context *own = arena_new(c->arena, struct policy_context);
	*own = POLICY_CONTEXT_IN(c->arena);
	for (size_t i = 0; i < tags->n; i++) {
		policy_context_set_tag(own, STR("iam:ResourceTag/"), tags->v[i].key, tags->v[i].value);
		policy_context_set_tag(own, STR("aws:ResourceTag/"), tags->v[i].key, tags->v[i].value);
	}
	r->context = own;
}

/* arn:aws:iam::ACCOUNT:user/NAME, of a name that is known with a path. */
static status resolve(struct call *c, struct store_tx *tx, struct policy_resource *r, bool named)
{
	static const enum iam_kind kinds[] = {IAM_USER, IAM_GROUP, IAM_ROLE};
	struct str rest = r->arn;
	for (int i = 0; i < 5 && str_has(rest); i++) str_cut(&rest, ':');
	if (!str_has(rest)) return OK;
	for (size_t i = 0; i < 3; i++) {
		struct str word = str_fmt(c->arena, "%s/", iam_kind_name(kinds[i]));
		if (!str_starts(rest, word)) continue;
		ptrdiff_t slash = str_rchr(rest, '/');
		struct str name = str_from(rest, (size_t)slash + 1);
		bool self = kinds[i] == IAM_USER && c->principal.kind == PRINCIPAL_USER && !named;
		if (self) name = c->principal.name;
		struct iam_rec_entity e;
		status s = iam_peek(tx, c->arena, kinds[i], c->account, name, &e);
		if (status_is(s, STATUS_NOT_FOUND)) return OK;
		TRY(s);
		r->arn = iam_entity_arn(c, kinds[i], &e);
		set_tags(c, r, &e.tags);
	}
	if (str_starts(rest, STR("policy/"))) {
		struct iam_rec_policy p;
		status s = iam_policy_peek(tx, c->arena, c->account, r->arn, &p);
		if (status_is(s, STATUS_NOT_FOUND)) return OK;
		TRY(s);
		set_tags(c, r, &p.tags);
	}
	return OK;
}

/* "Set an account password policy": all users may change their own password where it says so. */
static status let_change_password(struct call *c, struct store_tx *tx, struct authz_demands *demands)
{
	struct str bytes;
	struct iam_rec_account a = {0};
	status s = store_peek(tx, iam_key(c->arena, "account", c->account, STR_NONE), &bytes);
	if (status_is(s, STATUS_NOT_FOUND) || c->principal.kind != PRINCIPAL_USER) return OK;
	TRY(s);
	TRY(iam_rec_account_decode(c->arena, bytes, &a));
	if (!a.password_policy || !a.password_policy->may_change.v) return OK;
	struct str text = str_fmt(c->arena,
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"%.*s\"},"
		"\"Action\":\"iam:ChangePassword\",\"Resource\":\"%.*s\"}]}",
		STR_ARG(c->principal.arn), STR_ARG(c->principal.arn));
	for (size_t i = 0; i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) {
			demands->v[i].resources[j].arn = c->principal.arn;
			call_attach_policy(c, demands, &demands->v[i].resources[j], false, text);
		}
	return OK;
}

status iam_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	/* "GetSessionToken", "GetFederationToken": no calls to IAM without MFA. */
	struct iam_rec_session session = {0};
	bool user_session = c->principal.kind == PRINCIPAL_FEDERATED || c->principal.kind == PRINCIPAL_USER;
	if (user_session && c->principal.session_record.n) {
		TRY(iam_rec_session_decode(c->arena, c->principal.session_record, &session));
		if (!session.mfa_at.has)
			return call_fail(c, ERR_INVALID_TOKEN, "The security token included in the request is invalid");
	}
	struct str policy = call_input_string(c, in, "PolicyArn"), boundary = call_input_string(c, in, "PermissionsBoundary");
	struct str service = call_input_string(c, in, "AWSServiceName");
	if (str_has(policy)) policy_context_set(context, STR("iam:PolicyARN"), policy);
	if (str_has(boundary)) policy_context_set(context, STR("iam:PermissionsBoundary"), boundary);
	if (str_has(service)) policy_context_set(context, STR("iam:AWSServiceName"), service);
	bool named = str_has(call_input_string(c, in, "UserName"));
	for (size_t i = 0; i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) TRY(resolve(c, tx, &demands->v[i].resources[j], named));
	return c->match.op_index == IAM_OP_CHANGE_PASSWORD ? let_change_password(c, tx, demands) : OK;
}
