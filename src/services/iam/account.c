/* Account-wide settings: the alias, the summary with its quotas, the version of the global endpoint's tokens. */
#include "services/iam/internal.h"

status iam_account_get(struct call *c, struct iam_rec_account *out)
{
	struct str bytes;
	*out = (struct iam_rec_account){0};
	status s = store_get(c->tx, iam_key(c->arena, "account", c->account, STR_NONE), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return iam_rec_account_decode(c->arena, bytes, out);
}

void iam_account_put(struct call *c, const struct iam_rec_account *a)
{
	store_put(c->tx, iam_key(c->arena, "account", c->account, STR_NONE), iam_rec_account_encode(c->arena, a));
}

/* Aliases are unique over all accounts: a sign-in page is found by them. */
static struct str alias_key(struct call *c, struct str alias)
{
	struct key k = key_begin(c->arena);
	key_str(&k, STR("iam"));
	key_str(&k, STR("alias"));
	key_str(&k, alias);
	return key_done(&k);
}

status iam_create_account_alias(
	struct call *c, const struct iam_create_account_alias_input *in, struct iam_create_account_alias_output *out)
{
	(void)out;
	struct iam_rec_account a;
	struct str owner;
	TRY(iam_account_get(c, &a));
	status s = store_get(c->tx, alias_key(c, in->account_alias), &owner);
	if (is_ok(s) && !str_eq(owner, c->account))
		return IAM_FAIL(
			c, ENTITY_ALREADY_EXISTS, "The account alias %.*s already exists.", STR_ARG(in->account_alias));
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (a.alias.n) store_delete(c->tx, alias_key(c, a.alias));
	a.alias = in->account_alias;
	store_put(c->tx, alias_key(c, a.alias), c->account);
	iam_account_put(c, &a);
	return OK;
}

status iam_delete_account_alias(
	struct call *c, const struct iam_delete_account_alias_input *in, struct iam_delete_account_alias_output *out)
{
	(void)out;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	if (!a.alias.n || !str_eq(a.alias, in->account_alias))
		return IAM_FAIL(
			c, NO_SUCH_ENTITY, "The account alias %.*s cannot be found.", STR_ARG(in->account_alias));
	store_delete(c->tx, alias_key(c, a.alias));
	a.alias = STR_NONE;
	iam_account_put(c, &a);
	return OK;
}

status iam_list_account_aliases(
	struct call *c, const struct iam_list_account_aliases_input *in, struct iam_list_account_aliases_output *out)
{
	(void)in;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	VEC_PRESENT(c->arena, &out->account_aliases);
	out->is_truncated = SOME_BOOL(false);
	size_t capacity = 0;
	if (a.alias.n) *VEC_PUSH(c->arena, &out->account_aliases, &capacity) = a.alias;
	return OK;
}

status iam_set_security_token_service_preferences(struct call *c,
	const struct iam_set_security_token_service_preferences_input *in,
	struct iam_set_security_token_service_preferences_output *out)
{
	(void)out;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	a.token_version = SOME_I32(str_is(in->global_endpoint_token_version, "v2Token") ? 2 : 1);
	iam_account_put(c, &a);
	return OK;
}

static void sum(
	struct call *c, struct iam_get_account_summary_output *out, size_t *capacity, const char *name, size_t value)
{
	*VEC_PUSH(c->arena, &out->summary_map, capacity) =
		(struct iam_summary_map_type_entry){str_c(name), SOME_I32((int32_t)value)};
}

status iam_get_account_summary(
	struct call *c, const struct iam_get_account_summary_input *in, struct iam_get_account_summary_output *out)
{
	(void)in;
	static const struct {
		const char *name, *kind;
	} counted[] = {{"Users", "user"}, {"Groups", "group"}, {"Roles", "role"}, {"Policies", "policy"},
		{"InstanceProfiles", "profile"}, {"ServerCertificates", "certificate"}, {"MFADevices", "mfa"}};
	/* "IAM and AWS STS quotas" */
	static const struct {
		const char *name;
		size_t value;
	} quotas[] = {{"UsersQuota", 5000}, {"GroupsQuota", 300}, {"RolesQuota", 1000}, {"PoliciesQuota", 5000},
		{"InstanceProfilesQuota", 1000}, {"ServerCertificatesQuota", 20}, {"GroupsPerUserQuota", 10},
		{"AccessKeysPerUserQuota", 2}, {"SigningCertificatesPerUserQuota", 2}, {"UserPolicySizeQuota", 2048},
		{"GroupPolicySizeQuota", 5120}, {"RolePolicySizeQuota", 10240}, {"AssumeRolePolicySizeQuota", 2048},
		{"PolicySizeQuota", 6144}, {"VersionsPerPolicyQuota", 5}, {"PolicyVersionsInUseQuota", 10000},
		{"AttachedPoliciesPerUserQuota", 20}, {"AttachedPoliciesPerGroupQuota", 20},
		{"AttachedPoliciesPerRoleQuota", 20}, {"AccountMFAEnabled", 0}, {"AccountAccessKeysPresent", 0},
		{"AccountPasswordPresent", 0}, {"AccountSigningCertificatesPresent", 0}};
	size_t capacity = 0, in_use = 0, versions = 0;
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		sum(c, out, &capacity, counted[i].name, iam_count(c, counted[i].kind, INT32_MAX));
	sum(c, out, &capacity, "Providers", iam_count(c, "oidc", INT32_MAX) + iam_count(c, "saml", INT32_MAX));
	struct iam_rows r = iam_rows_begin(c, "mfa");
	while (iam_rows_next(&r)) {
		struct iam_rec_mfa d = {0};
		TRY(iam_rec_mfa_decode(c->arena, str_dup(c->arena, r.value), &d));
		in_use += d.user.n > 0;
	}
	TRY(iam_rows_end(&r));
	r = iam_rows_begin(c, "policy");
	while (iam_rows_next(&r)) {
		struct iam_rec_policy p = {0};
		TRY(iam_rec_policy_decode(c->arena, str_dup(c->arena, r.value), &p));
		versions += p.versions.n;
	}
	TRY(iam_rows_end(&r));
	sum(c, out, &capacity, "MFADevicesInUse", in_use);
	sum(c, out, &capacity, "PolicyVersionsInUse", versions);
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	sum(c, out, &capacity, "GlobalEndpointTokenVersion", a.token_version.has ? (size_t)a.token_version.v : 1);
	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++)
		sum(c, out, &capacity, quotas[i].name, quotas[i].value);
	return OK;
}
