/* AssumeRole: who may is decided by the caller's policies and the role's trust policy together, before the handler
 * runs. */
#include "services/sts/internal.h"

status sts_assume_role(struct call *c, const struct sts_assume_role_input *in, struct sts_assume_role_output *out)
{
	struct str account, path, name;
	struct iam_rec_entity role;
	/* The policy step has refused what is no role; one that went meanwhile is refused in the same words. */
	bool there = sts_role_arn_split(in->role_arn, &account, &path, &name);
	status s = there ? iam_peek(c->tx, c->arena, IAM_ROLE, account, name, &role) : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(role.path, path)))
		return call_fail(c, ERR_ACCESS_DENIED,
			"User: %.*s is not authorized to perform: sts:AssumeRole on resource: %.*s",
			STR_ARG(c->principal.arn), STR_ARG(in->role_arn));
	TRY(s);
	struct iam_rec_session r = {0};
	struct sts_scope scope = {
		in->policy, &in->policy_arns, &in->tags, &in->transitive_tag_keys, in->source_identity};
	TRY(sts_scope_check(c, &scope, &r, &out->packed_policy_size));
	TRY(sts_use_mfa(c, in->serial_number, in->token_code, &r));
	struct sts_role_session session;
	bool chained = c->principal.kind == PRINCIPAL_ASSUMED_ROLE;
	TRY(sts_role_begin(
		c, &role, account, in->role_arn, in->role_session_name, in->duration_seconds, chained, &r, &session));
	out->credentials = session.credentials;
	out->assumed_role_user = session.user;
	out->source_identity = r.source_identity;
	return OK;
}
