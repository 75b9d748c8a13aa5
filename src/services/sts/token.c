/* GetSessionToken and GetFederationToken: temporary credentials of a user's own. Also who a caller is, and whose a key
 * is. */
#include "services/sts/internal.h"

#define USER_DEFAULT_S 43200
#define ROOT_MAX_S 3600

status sts_get_caller_identity(
	struct call *c, const struct sts_get_caller_identity_input *in, struct sts_get_caller_identity_output *out)
{
	(void)in;
	out->account = c->principal.account;
	out->arn = c->principal.arn;
	out->user_id = c->principal.user_id;
	return OK;
}

status sts_get_access_key_info(
	struct call *c, const struct sts_get_access_key_info_input *in, struct sts_get_access_key_info_output *out)
{
	status s = identity_key_account(c->tx, c->arena, in->access_key_id, &out->account);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (c->cloud->strict)
		return call_fail(c, ERR_VALIDATION, "Access key %.*s is not known.", STR_ARG(in->access_key_id));
	out->account = STR("000000000000"); /* whose root any other key is */
	return OK;
}

/* "Only long-term credentials of a user, or of the root user, can call": sessions cannot. */
static status require_long_term(struct call *c, const char *operation)
{
	if (c->principal.session_record.n ||
		(c->principal.kind != PRINCIPAL_USER && c->principal.kind != PRINCIPAL_ROOT))
		return call_fail(c, ERR_ACCESS_DENIED, "Cannot call %s with session credentials", operation);
	return OK;
}

/* A root's sessions last an hour at most; longer ones are cut. */
static int64_t duration(struct call *c, struct opt_i32 asked)
{
	int64_t seconds = asked.has ? asked.v : USER_DEFAULT_S;
	return c->principal.kind == PRINCIPAL_ROOT && seconds > ROOT_MAX_S ? ROOT_MAX_S : seconds;
}

status sts_get_session_token(
	struct call *c, const struct sts_get_session_token_input *in, struct sts_get_session_token_output *out)
{
	TRY(require_long_term(c, "GetSessionToken"));
	struct iam_rec_session r = {
		.issuer_arn = c->principal.arn, .issuer_id = c->principal.user_id, .issued = SOME_TIME(c->now_ms)};
	TRY(sts_use_mfa(c, in->serial_number, in->token_code, &r));
	struct principal p = c->principal;
	out->credentials = sts_issue(c, &p, &r, duration(c, in->duration_seconds));
	return OK;
}

status sts_get_federation_token(
	struct call *c, const struct sts_get_federation_token_input *in, struct sts_get_federation_token_output *out)
{
	TRY(require_long_term(c, "GetFederationToken"));
	struct iam_rec_session r = {
		.issuer_arn = c->principal.arn, .issuer_id = c->principal.user_id, .issued = SOME_TIME(c->now_ms)};
	struct sts_scope scope = {in->policy, &in->policy_arns, &in->tags, NULL, STR_NONE};
	TRY(sts_scope_check(c, &scope, &r, &out->packed_policy_size));
	struct principal p = {.kind = PRINCIPAL_FEDERATED,
		.account = c->account,
		.arn = str_fmt(c->arena, "arn:%.*s:sts::%.*s:federated-user/%.*s", STR_ARG(c->partition),
			STR_ARG(c->account), STR_ARG(in->name)),
		.user_id = str_fmt(c->arena, "%.*s:%.*s", STR_ARG(c->account), STR_ARG(in->name)),
		.name = c->principal.name,
		.session = in->name};
	out->credentials = sts_issue(c, &p, &r, duration(c, in->duration_seconds));
	out->federated_user = arena_new(c->arena, struct sts_federated_user);
	*out->federated_user = (struct sts_federated_user){p.user_id, p.arn};
	return OK;
}
