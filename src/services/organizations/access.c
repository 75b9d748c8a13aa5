/* Who may ask Organizations what: the management account everything, its members about themselves, delegated
 * administrators for reading, and whom the resource policy lends an operation ("Delegated administrator for AWS
 * Organizations"). Also what the policy step has to know: full ARNs of what ids name, tags, and the condition keys of
 * the service. */
#include "services/iam/door.h"
#include "services/organizations/room.h"

bool orgs_all_features(const struct organizations_rec_organization *o)
{
	return o->all_features.v;
}

status orgs_any(struct call *c, struct organizations_rec_organization *o)
{
	struct str id = organizations_of(c->tx, c->arena, c->account);
	if (str_has(id)) return orgs_load(c->tx, c->arena, id, o);
	return call_fail(c, ORGANIZATIONS_ERR_AWS_ORGANIZATIONS_NOT_IN_USE_EXCEPTION,
		"Your account is not a member of an organization.");
}

static status denied(struct call *c)
{
	return ORGS_FAIL(c, ACCESS_DENIED, "You don't have permissions to access this resource.");
}

status orgs_manage(struct call *c, struct organizations_rec_organization *o)
{
	TRY(orgs_any(c, o));
	return str_eq(o->master, c->account) ? OK : denied(c);
}

status orgs_manage_policies(struct call *c, struct organizations_rec_organization *o)
{
	TRY(orgs_any(c, o));
	return str_eq(o->master, c->account) || c->lent ? OK : denied(c);
}

/* "This operation can be called only from the organization's management account or by a member account that is a
 * delegated administrator" (the reference, of each). */
status orgs_read(struct call *c, struct organizations_rec_organization *o)
{
	struct organizations_rec_account r;
	TRY(orgs_any(c, o));
	if (str_eq(o->master, c->account) || c->lent) return OK;
	TRY(orgs_account_load(c->tx, c->arena, o->id, c->account, &r));
	return r.delegations.n ? OK : denied(c);
}

/* ── the policy step ──────────────────────────────────────────────────────────────────────────────────────────── */

static const char *const id_members[] = {"PolicyId", "TargetId", "AccountId", "OrganizationalUnitId", "RootId",
	"ParentId", "ChildId", "ResourceId", "SourceParentId", "DestinationParentId"};

static void add_tags(struct call *c, struct policy_resource *r, const struct organizations_rec_tags *tags)
{
	if (!tags->n) return;
	struct policy_context *own = arena_new(c->arena, struct policy_context);
	*own = POLICY_CONTEXT_IN(c->arena);
	for (size_t i = 0; i < tags->n; i++)
		policy_context_set_tag(own, STR("aws:ResourceTag/"), tags->v[i].key, tags->v[i].value);
	r->context = own;
}

static void describe(struct call *c, struct store_tx *tx, const struct organizations_rec_organization *o, struct str id,
	struct policy_resource *r, struct policy_context *context)
{
	struct organizations_rec_account account;
	struct organizations_rec_unit unit;
	struct organizations_rec_policy policy;
	if (orgs_is_account(id) && is_ok(orgs_account_load(tx, c->arena, o->id, id, &account))) {
		add_tags(c, r, &account.tags);
	} else if (orgs_is_unit(id) && is_ok(orgs_unit_load(tx, c->arena, o->id, id, &unit))) {
		add_tags(c, r, &unit.tags);
	} else if (orgs_is_root(id)) {
		add_tags(c, r, &o->root_tags);
	} else if (str_starts(id, STR("p-")) && is_ok(orgs_policy_load(tx, c->arena, o->id, id, &policy))) {
		add_tags(c, r, &policy.tags);
		policy_context_set(context, STR("organizations:PolicyType"), policy.type);
	}
}

/* Every id in the input is a resource of its own. The first one takes the place of what the tables made of it. */
static void name_resources(struct call *c, struct store_tx *tx, const struct organizations_rec_organization *o,
	const void *in, struct authz_demands *demands, struct policy_context *context)
{
	bool first = true;
	struct str action = demands->v[0].action;
	for (size_t i = 0; i < sizeof(id_members) / sizeof(id_members[0]); i++) {
		struct str id = call_input_string(c, in, id_members[i]);
		struct str arn = str_has(id) ? orgs_arn_of(c->arena, tx, o, id) : STR_NONE;
		if (!str_has(arn)) continue;
		struct policy_resource *r = first && demands->v[0].n ? &demands->v[0].resources[0]
								     : authz_add(c->arena, demands, action, arn);
		first = false;
		r->arn = arn;
		describe(c, tx, o, id, r, context);
	}
	struct str type = call_input_string(c, in, "Type");
	if (c->match.op_index == ORGANIZATIONS_OP_CREATE_POLICY && str_has(type) && demands->v[0].n)
		demands->v[0].resources[0].arn = str_fmt(c->arena, "arn:%.*s:organizations::%.*s:policy/%.*s/%.*s/*",
			STR_ARG(o->partition), STR_ARG(o->master), STR_ARG(o->id), STR_ARG(str_lower(c->arena, type)));
}

/* Does the resource policy allow the caller all that is demanded? Its own identity-based policies are asked by the step
 * itself. */
static bool lends(struct call *c, const struct organizations_rec_organization *o, const struct authz_demands *demands,
	const struct policy_context *context)
{
	static const char everything[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":"
					 "\"*\",\"Resource\":\"*\"}]}";
	struct policy_source resource = {.type = POLICY_RESOURCE, .label = STR("")};
	struct policy_source identity = {.type = POLICY_IDENTITY, .label = STR("")};
	struct policy *lent = NULL, *own = NULL;
	bool allowed = is_ok(policy_parse(o->resource_policy->content, &resource, &lent, NULL)) &&
		       is_ok(policy_parse(str_c(everything), &identity, &own, NULL));
	struct policy_principal who = call_policy_principal(c);
	who.issuer_arn = iam_issuer_arn(c->arena, &c->principal);
	const struct policy *lent_list = lent, *own_list = own;
	struct policy_subject subject = {.identity = {&own_list, 1}};
	for (size_t i = 0; allowed && i < demands->n; i++) {
		const struct authz_demand *d = &demands->v[i];
		struct policy_resource *copies = arena_copy(c->arena, d->resources, d->n * sizeof(*copies));
		for (size_t j = 0; j < d->n; j++) {
			copies[j].account = o->master;
			copies[j].policies = (struct policy_list){&lent_list, 1};
		}
		struct policy_request request = {.principal = &who,
			.action = d->action,
			.resources = copies,
			.n_resources = d->n,
			.context = context};
		struct policy_decision decision;
		allowed = policy_evaluate(c->arena, &request, &subject, &decision);
	}
	policy_free(lent);
	policy_free(own);
	return allowed;
}

status orgs_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	struct organizations_rec_organization o;
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	static const char *const types[] = {"Type", "Filter", "PolicyType"};
	for (size_t i = 0; i < 3; i++) {
		struct str type = call_input_string(c, in, types[i]);
		if (str_has(type)) policy_context_set(context, STR("organizations:PolicyType"), type);
	}
	struct str service = call_input_string(c, in, "ServicePrincipal");
	if (str_has(service)) policy_context_set(context, STR("organizations:ServicePrincipal"), service);
	struct str id = organizations_of(tx, c->arena, c->account);
	if (!str_has(id)) return OK;
	TRY(orgs_load(tx, c->arena, id, &o));
	name_resources(c, tx, &o, in, demands, context);
	c->lent = !str_eq(o.master, c->account) && o.resource_policy && lends(c, &o, demands, context);
	return OK;
}
