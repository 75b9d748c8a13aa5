/* May a federated caller, who has no credentials yet, assume this role: its trust policy decides, and the resource
 * control policies of the account that it is in. */
#include "policy/provider.h"
#include "services/sts/internal.h"

static bool allows(struct call *c, struct str provider_arn, struct str account, struct str role_arn,
	const struct policy *trust, struct str action, const struct policy_context *k)
{
	struct policy_principal who = {
		.kind = POLICY_CALLER_PROVIDER, .account = STR(""), .arn = provider_arn, .name = provider_arn};
	const struct policy_provider *from = c->cloud->policies;
	struct authz_demands demands = {0};
	struct policy_resource *resource = authz_add(c->arena, &demands, action, role_arn);
	resource->account = account;
	resource->policies = (struct policy_list){&trust, 1};
	resource->policy_required = true;
	if (from && from->account &&
		!is_ok(from->account(from->ctx, c->tx, c->arena, account, action, &demands, resource))) {
		authz_release(&demands);
		return false;
	}
	struct policy_request request = {
		.principal = &who, .action = action, .resources = resource, .n_resources = 1, .context = k};
	struct policy_subject nothing = {0};
	struct policy_decision d;
	bool allowed = policy_evaluate(c->arena, &request, &nothing, &d);
	authz_release(&demands);
	return allowed;
}

status sts_require_trust(struct call *c, struct str provider_arn, struct str account, struct str role_arn,
	const struct iam_rec_entity *role, const struct str *actions, size_t n, const struct policy_context *k)
{
	struct policy_source source = {.type = POLICY_TRUST, .label = STR("")};
	struct policy *trust = NULL;
	status parsed = policy_parse(role->trust, &source, &trust, NULL);
	for (size_t i = 0; i < n; i++) {
		if (is_ok(parsed) && allows(c, provider_arn, account, role_arn, trust, actions[i], k)) continue;
		policy_free(trust);
		return call_fail(c, ERR_ACCESS_DENIED, "Not authorized to perform %.*s", STR_ARG(actions[i]));
	}
	policy_free(trust);
	return OK;
}
