/* The AWS access portal: who has signed in sees the accounts and roles that are assigned, and gets a role's
 * credentials. */
#include "sso.h"
#include "services/identitystore/door.h"
#include "services/organizations/door.h"
#include "services/sso-oidc/door.h"
#include "services/sts/door.h"

static status begin(struct call *c, struct str token, struct sso_oidc_session *out)
{
	status s = sso_oidc_session(c->tx, c->arena, token, c->now_ms, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(c, SSO_ERR_UNAUTHORIZED_EXCEPTION, "Session token not found or invalid");
}

static status page_from(struct call *c, struct str token, size_t *from)
{
	uint64_t n = 0;
	*from = 0;
	if (!str_has(token)) return OK;
	if (!is_ok(str_to_u64(token, &n))) return call_fail(c, SSO_ERR_INVALID_REQUEST_EXCEPTION, "Invalid next token");
	*from = (size_t)n;
	return OK;
}

static size_t most_of(struct opt_i32 asked)
{
	return asked.has ? (size_t)asked.v : 100;
}

status sso_list_accounts(struct call *c, const struct sso_list_accounts_input *in, struct sso_list_accounts_output *out)
{
	struct sso_oidc_session session;
	struct sso_portal_grants grants = {0};
	size_t capacity = 0, from, n = 0;
	TRY(begin(c, in->access_token, &session));
	TRY(page_from(c, in->next_token, &from));
	TRY(sso_portal_grants_of(c->tx, c->arena, &session.instance, session.user, STR_NONE, &grants));
	VEC_PRESENT(c->arena, &out->account_list);
	for (size_t i = 0; i < grants.n; i++) {
		struct organizations_member m;
		if (i && str_eq(grants.v[i].account, grants.v[i - 1].account)) continue;
		status s =
			organizations_member(c->tx, c->arena, session.instance.organization, grants.v[i].account, &m);
		if (status_is(s, STATUS_NOT_FOUND)) continue; /* it left */
		TRY(s);
		if (m.suspended || n++ < from) continue;
		if (out->account_list.n == most_of(in->max_results)) {
			out->next_token = str_fmt(c->arena, "%zu", n - 1);
			break;
		}
		*VEC_PUSH(c->arena, &out->account_list, &capacity) =
			(struct sso_account_info){.account_id = m.id, .account_name = m.name, .email_address = m.email};
	}
	return OK;
}

static status no_access(struct call *c)
{
	return call_fail(c, SSO_ERR_FORBIDDEN_EXCEPTION, "No access");
}

status sso_list_account_roles(
	struct call *c, const struct sso_list_account_roles_input *in, struct sso_list_account_roles_output *out)
{
	struct sso_oidc_session session;
	struct sso_portal_grants grants = {0};
	size_t capacity = 0, from;
	TRY(begin(c, in->access_token, &session));
	TRY(page_from(c, in->next_token, &from));
	TRY(sso_portal_grants_of(c->tx, c->arena, &session.instance, session.user, in->account_id, &grants));
	if (!grants.n) return no_access(c);
	VEC_PRESENT(c->arena, &out->role_list);
	for (size_t i = from; i < grants.n; i++) {
		if (out->role_list.n == most_of(in->max_results)) {
			out->next_token = str_fmt(c->arena, "%zu", i);
			break;
		}
		*VEC_PUSH(c->arena, &out->role_list, &capacity) =
			(struct sso_role_info){.role_name = grants.v[i].name, .account_id = grants.v[i].account};
	}
	return OK;
}

status sso_get_role_credentials(
	struct call *c, const struct sso_get_role_credentials_input *in, struct sso_get_role_credentials_output *out)
{
	struct sso_oidc_session session;
	struct sso_portal_grants grants = {0};
	struct identitystore_rec_user user;
	struct sso_portal_role role;
	struct sts_credentials *credentials;
	TRY(begin(c, in->access_token, &session));
	TRY(sso_portal_grants_of(c->tx, c->arena, &session.instance, session.user, in->account_id, &grants));
	size_t i = 0;
	while (i < grants.n && !str_eq(grants.v[i].name, in->role_name)) i++;
	if (i == grants.n) return no_access(c);
	status s = sso_portal_role_of(c->tx, c->arena, &session.instance, &grants.v[i], session.user, &role);
	if (status_is(s, STATUS_NOT_FOUND)) return no_access(c);
	TRY(s);
	TRY(identitystore_user(c->tx, c->arena, session.instance.store, session.user, &user));
	TRY(sts_open_session(
		c, &role.role, in->account_id, role.arn, user.name, role.duration_s, &role.tags, &credentials));
	out->role_credentials = arena_new(c->arena, struct sso_role_credentials);
	*out->role_credentials = (struct sso_role_credentials){
		.access_key_id = credentials->access_key_id,
		.secret_access_key = credentials->secret_access_key,
		.session_token = credentials->session_token,
		.expiration = SOME_I64(credentials->expiration.ms),
	};
	return OK;
}

status sso_logout(struct call *c, const struct sso_logout_input *in, struct sso_logout_output *out)
{
	(void)out;
	struct sso_oidc_session session;
	TRY(begin(c, in->access_token, &session));
	return sso_oidc_end(c->tx, c->arena, in->access_token);
}

static const struct service_op operations[SSO_OP_COUNT] = {
	[SSO_OP_GET_ROLE_CREDENTIALS] = OP(sso_get_role_credentials, 0),
	[SSO_OP_LIST_ACCOUNT_ROLES] = OP(sso_list_account_roles, OP_READ),
	[SSO_OP_LIST_ACCOUNTS] = OP(sso_list_accounts, OP_READ),
	[SSO_OP_LOGOUT] = OP(sso_logout, 0),
};

extern const struct service service_sso;
const struct service service_sso = {.model = &wire_service_sso, .ops = operations};
