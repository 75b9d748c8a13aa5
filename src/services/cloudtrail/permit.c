/* What the policy step has to know of trails: an organization's trail is in each member's account too, so that the
 * member's own policies decide who may look at it ("Creating a trail for an organization"). That nobody there may
 * change it is the handlers'. */
#include "policy/authz.h"
#include "services/cloudtrail/room.h"
#include "services/organizations/door.h"

/* arn:…:cloudtrail:REGION:ACCOUNT:trail/NAME of a trail of the caller's organization. */
static bool is_organizations(struct call *c, struct store_tx *tx, struct str arn)
{
	struct str rest = arn, part[5] = {{0}};
	struct cloudtrail_rec_trail t;
	for (size_t i = 0; i < 5 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	if (!str_has(rest) || !str_starts(rest, STR("trail/")) || str_eq(part[4], c->account)) return false;
	if (!is_ok(ct_trail_get(tx, c->arena, part[4], part[3], str_from(rest, 6), &t)) || !t.organization.v)
		return false;
	return str_eq(organizations_of(tx, c->arena, c->account), t.organization_id);
}

status ct_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	(void)in;
	(void)context;
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	for (size_t i = 0; tx && i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++)
			if (is_organizations(c, tx, demands->v[i].resources[j].arn))
				demands->v[i].resources[j].account = c->account;
	return OK;
}
