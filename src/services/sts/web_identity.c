/* AssumeRoleWithWebIdentity: an OpenID Connect token instead of credentials. It has to be of a provider that the role's
 * account knows, signed by one of the provider's keys, for one of its audiences, within its time; then the role's trust
 * policy decides, with the token's claims as condition keys ("Available keys for AWS OIDC federation"). */
#include "base/json.h"
#include "services/sts/internal.h"

#define SKEW_S 300

struct identity {
	struct jwt token;
	struct str issuer, provider /* issuer without scheme */, subject, audience, authorized_party;
	struct str provider_arn;
	struct iam_rec_provider record;
};

static bool has_audience(const struct iam_rec_provider *p, struct str audience)
{
	for (size_t i = 0; i < p->clients.n; i++)
		if (str_eq(p->clients.v[i], audience)) return true;
	return false;
}

static status read_claims(struct call *c, struct identity *id)
{
	const struct json_value *claims = id->token.claims;
	id->issuer = json_string(json_member(claims, STR("iss")));
	id->subject = json_string(json_member(claims, STR("sub")));
	id->authorized_party = json_string(json_member(claims, STR("azp")));
	const struct json_value *aud = json_member(claims, STR("aud"));
	if (json_is(aud, JSON_IS_ARRAY)) aud = aud->first;
	id->audience = json_string(aud);
	if (!str_has(id->issuer) || !str_has(id->subject) || !str_has(id->audience))
		return STS_FAIL(c, INVALID_IDENTITY_TOKEN,
			"The ID Token provided is not a valid JWT. (You may see this error if you sent an Access "
			"Token)");
	ptrdiff_t scheme = str_find(id->issuer, STR("://"));
	id->provider = scheme < 0 ? id->issuer : str_from(id->issuer, (size_t)scheme + 3);
	if (str_ends(id->provider, STR("/"))) id->provider.n--;
	return OK;
}

static status check_times(struct call *c, const struct identity *id)
{
	int64_t now_s = c->now_ms / 1000, until = 0, from = 0;
	const struct json_value *exp = json_member(id->token.claims, STR("exp")),
				*nbf = json_member(id->token.claims, STR("nbf"));
	if (!json_is(exp, JSON_IS_NUMBER) || !is_ok(str_to_i64(exp->text, &until)))
		return STS_FAIL(c, INVALID_IDENTITY_TOKEN, "Missing a required claim: exp");
	if (now_s >= until)
		return STS_FAIL(c, EXPIRED_TOKEN,
			"Token expired: current date/time %lld must be before the expiration date/time %lld",
			(long long)now_s, (long long)until);
	if (json_is(nbf, JSON_IS_NUMBER) && is_ok(str_to_i64(nbf->text, &from)) && now_s + SKEW_S < from)
		return STS_FAIL(c, INVALID_IDENTITY_TOKEN, "Token is not valid yet");
	return OK;
}

static status check_token(struct call *c, struct str account, struct str text, struct identity *id)
{
	if (!is_ok(jwt_read(c->arena, text, &id->token)))
		return STS_FAIL(c, INVALID_IDENTITY_TOKEN,
			"The ID Token provided is not a valid JWT. (You may see this error if you sent an Access "
			"Token)");
	TRY(read_claims(c, id));
	status s = iam_oidc_peek(c->tx, c->arena, account, id->provider, &id->record);
	if (status_is(s, STATUS_NOT_FOUND))
		return STS_FAIL(c, INVALID_IDENTITY_TOKEN, "No OpenIDConnect provider found in your account for %.*s",
			STR_ARG(id->issuer));
	TRY(s);
	struct json_value *keys;
	if (!is_ok(jwks_fetch(c->arena, id->issuer, &keys)))
		return STS_FAIL(c, IDP_COMMUNICATION_ERROR,
			"The keys of %.*s could not be read (virga reads them from loopback issuers by plain HTTP)",
			STR_ARG(id->issuer));
	s = jwt_verify(c->arena, &id->token, keys);
	if (status_is(s, STATUS_NOT_FOUND))
		return STS_FAIL(c, INVALID_IDENTITY_TOKEN,
			"Couldn't retrieve verification key from your identity provider, please reference "
			"AssumeRoleWithWebIdentity documentation for requirements");
	if (!is_ok(s)) return STS_FAIL(c, INVALID_IDENTITY_TOKEN, "Provided Token is not signed by its issuer's key");
	TRY(check_times(c, id));
	struct str party = str_or(id->authorized_party, id->audience);
	if (!has_audience(&id->record, id->audience) && !has_audience(&id->record, party))
		return STS_FAIL(c, INVALID_IDENTITY_TOKEN, "Incorrect token audience");
	id->provider_arn = str_fmt(c->arena, "arn:%.*s:iam::%.*s:oidc-provider/%.*s", STR_ARG(c->partition),
		STR_ARG(account), STR_ARG(id->record.name));
	return OK;
}

static void add_key(struct call *c, struct policy_context *k, struct iam_rec_tags *keep, size_t *capacity,
	struct str provider, const char *name, struct str value)
{
	if (!str_has(value)) return;
	struct str key = str_fmt(c->arena, "%.*s:%s", STR_ARG(provider), name);
	policy_context_set(k, key, value);
	*VEC_PUSH(c->arena, keep, capacity) = (struct iam_rec_tags_entry){key, value};
}

/* With an authorized party, that is the audience and the token's own is the original one. */
static void describe(struct call *c, const struct identity *id, struct policy_context *k, struct iam_rec_session *r)
{
	size_t capacity = 0;
	bool party = str_has(id->authorized_party);
	add_key(c, k, &r->keys, &capacity, id->provider, "aud", party ? id->authorized_party : id->audience);
	if (party) add_key(c, k, &r->keys, &capacity, id->provider, "oaud", id->audience);
	add_key(c, k, &r->keys, &capacity, id->provider, "sub", id->subject);
	policy_context_set(k, STR("aws:FederatedProvider"), id->provider_arn);
}

status sts_assume_role_with_web_identity(struct call *c, const struct sts_assume_role_with_web_identity_input *in,
	struct sts_assume_role_with_web_identity_output *out)
{
	struct str account, path, name;
	struct iam_rec_entity role;
	bool there = sts_role_arn_split(in->role_arn, &account, &path, &name);
	status s = there ? iam_peek(c->tx, c->arena, IAM_ROLE, account, name, &role) : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(role.path, path)))
		return call_fail(c, ERR_ACCESS_DENIED, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
	TRY(s);
	struct identity id = {0};
	TRY(check_token(c, account, in->web_identity_token, &id));
	struct iam_rec_session r = {.provider = id.provider_arn};
	struct policy_context k = POLICY_CONTEXT_IN(c->arena);
	policy_context_set_now(&k, c->now_ms);
	policy_context_set(&k, STR("sts:RoleSessionName"), in->role_session_name);
	describe(c, &id, &k, &r);
	struct str action = STR("sts:AssumeRoleWithWebIdentity");
	TRY(sts_require_trust(c, id.provider_arn, account, in->role_arn, &role, &action, 1, &k));
	c->account = account; /* managed session policies are the role's account's */
	struct sts_scope scope = {in->policy, &in->policy_arns, NULL, NULL, STR_NONE};
	TRY(sts_scope_check(c, &scope, &r, &out->packed_policy_size));
	struct sts_role_session session;
	TRY(sts_role_begin(
		c, &role, account, in->role_arn, in->role_session_name, in->duration_seconds, false, &r, &session));
	out->credentials = session.credentials;
	out->assumed_role_user = session.user;
	out->subject_from_web_identity_token = id.subject;
	out->audience = id.audience;
	out->provider = id.provider_arn;
	return OK;
}
