/* Where a stack set goes: accounts that are named, or those below organizational units ("StackSets: service-managed
 * permissions"). */
#include "base/vec.h"
#include "services/cloudformation/stack_set.h"
#include "services/organizations/door.h"

status cfn_set_unit_accounts(struct store_tx *tx, struct arena *a, struct str account,
	const struct cloudformation_rec_texts *units, struct cfn_set_accounts *out)
{
	struct organizations_members all = {0};
	struct str id = organizations_of(tx, a, account);
	*out = (struct cfn_set_accounts){0};
	if (!str_has(id)) return OK;
	TRY(organizations_members(tx, a, id, &all));
	for (size_t i = 0; i < all.n; i++) {
		struct organizations_place place;
		struct str found = STR_NONE;
		TRY(organizations_place(tx, a, all.v[i].id, &place));
		/* "StackSets doesn't deploy stacks to the management account" */
		if (place.suspended || str_eq(all.v[i].id, place.master)) continue;
		for (size_t k = 0; k < units->n && !str_has(found); k++)
			if (str_find(place.path, str_fmt(a, "/%.*s/", STR_ARG(units->v[k]))) >= 0) found = units->v[k];
		if (str_has(found)) *VEC_PUSH(a, out, &out->capacity) = (struct cfn_set_account){all.v[i].id, found};
	}
	return OK;
}

static bool listed(const struct cloudformation_account_list *accounts, struct str account)
{
	for (size_t i = 0; i < accounts->n; i++)
		if (str_eq(accounts->v[i], account)) return true;
	return false;
}

/* "INTERSECTION: accounts that are in both; DIFFERENCE: the units' but those; UNION: both; NONE: the units'". */
static status managed(struct call *c, const struct cloudformation_deployment_targets *t, struct cfn_set_accounts *out)
{
	struct cfn_set_accounts below;
	struct str filter = str_or(t->account_filter_type, STR("NONE"));
	struct cloudformation_rec_texts units = {t->organizational_unit_ids.v, t->organizational_unit_ids.n};
	if (!units.n)
		return call_fail(c, ERR_VALIDATION,
			"OrganizationalUnitIds are required for a StackSet with SERVICE_MANAGED permissions");
	if (t->accounts.n && str_is(filter, "NONE"))
		return call_fail(c, ERR_VALIDATION,
			"AccountFilterType should be specified when both OrganizationalUnitIds and Accounts are "
			"provided");
	TRY(cfn_set_unit_accounts(c->tx, c->arena, c->account, &units, &below));
	for (size_t i = 0; i < below.n; i++) {
		bool named = listed(&t->accounts, below.v[i].account);
		if (str_is(filter, "INTERSECTION") && !named) continue;
		if (str_is(filter, "DIFFERENCE") && named) continue;
		*VEC_PUSH(c->arena, out, &out->capacity) = below.v[i];
	}
	for (size_t i = 0; str_is(filter, "UNION") && i < t->accounts.n; i++) {
		bool there = false;
		for (size_t k = 0; k < out->n; k++) there |= str_eq(out->v[k].account, t->accounts.v[i]);
		if (!there)
			*VEC_PUSH(c->arena, out, &out->capacity) = (struct cfn_set_account){t->accounts.v[i], STR_NONE};
	}
	return OK;
}

status cfn_set_targets(struct call *c, const struct cloudformation_rec_stack_set *s,
	const struct cloudformation_account_list *accounts, const struct cloudformation_deployment_targets *targets,
	struct cfn_set_accounts *out)
{
	*out = (struct cfn_set_accounts){0};
	if (cfn_set_is_service_managed(s)) {
		if (accounts->n || !targets)
			return call_fail(c, ERR_VALIDATION,
				"StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as "
				"target");
		return managed(c, targets, out);
	}
	const struct cloudformation_account_list *named = accounts->n || !targets ? accounts : &targets->accounts;
	if (targets && targets->organizational_unit_ids.n)
		return call_fail(c, ERR_VALIDATION,
			"StackSets with SELF_MANAGED permission model can't have OrganizationalUnit as target");
	if (!named->n) return call_fail(c, ERR_VALIDATION, "Accounts list cannot be empty");
	for (size_t i = 0; i < named->n; i++)
		*VEC_PUSH(c->arena, out, &out->capacity) = (struct cfn_set_account){named->v[i], STR_NONE};
	return OK;
}
