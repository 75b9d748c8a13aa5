/* Members' place: moving between parents, leaving, being removed. */
#include "services/organizations/room.h"

/* "Minimum age for removal of created accounts" ("Quotas and service limits for AWS Organizations") */
#define WAIT_MS (7 * ORGS_DAY_MS)

status organizations_move_account(struct call *c, const struct organizations_move_account_input *in,
	struct organizations_move_account_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	TRY(orgs_manage(c, &o));
	TRY(orgs_get_account(c, &o, in->account_id, &r));
	TRY(orgs_require_parent(c, &o, in->source_parent_id, ORGANIZATIONS_ERR_SOURCE_PARENT_NOT_FOUND_EXCEPTION));
	TRY(orgs_require_parent(
		c, &o, in->destination_parent_id, ORGANIZATIONS_ERR_DESTINATION_PARENT_NOT_FOUND_EXCEPTION));
	if (!str_eq(r.parent, in->source_parent_id))
		return ORGS_FAIL(c, SOURCE_PARENT_NOT_FOUND, "You specified a source parent that doesn't exist.");
	if (str_eq(r.parent, in->destination_parent_id))
		return ORGS_FAIL(c, DUPLICATE_ACCOUNT, "The account is already in the destination parent.");
	orgs_child_delete(c, o.id, r.parent, r.id);
	r.parent = in->destination_parent_id;
	orgs_child_put(c, o.id, r.parent, r.id);
	orgs_account_put(c->tx, c->arena, o.id, &r);
	return OK;
}

static status leave(struct call *c, const struct organizations_rec_organization *o, struct str account)
{
	struct organizations_rec_account r;
	TRY(orgs_get_account(c, o, account, &r));
	if (str_eq(account, o->master))
		return ORGS_FAIL(c, MASTER_CANNOT_LEAVE_ORGANIZATION,
			"You can't remove a management account from an organization.");
	if (r.delegations.n)
		return orgs_constraint(c, "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
			"You can't remove the account: it is a delegated administrator for an AWS service.");
	if (r.created.v && c->now_ms < r.joined.ms + WAIT_MS)
		return orgs_constraint(c, "WAIT_PERIOD_ACTIVE",
			"After you create an account, you must wait until at least seven days after the account was "
			"created. "
			"Invited accounts aren't subject to this waiting period.");
	return orgs_left(c->tx, c->arena, o, &r);
}

status organizations_remove_account_from_organization(struct call *c,
	const struct organizations_remove_account_from_organization_input *in,
	struct organizations_remove_account_from_organization_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	TRY(orgs_manage(c, &o));
	return leave(c, &o, in->account_id);
}

status organizations_leave_organization(struct call *c, const struct organizations_leave_organization_input *in,
	struct organizations_leave_organization_output *out)
{
	(void)in;
	(void)out;
	struct organizations_rec_organization o;
	TRY(orgs_any(c, &o));
	return leave(c, &o, c->account);
}
