/* What the policy step has to know of CloudWatch Logs: logical destinations, which may be another account's, and the
 * policy that lets that account subscribe to them. */
#include "policy/authz.h"
#include "services/logs/room.h"

/* arn:PARTITION:logs:REGION:ACCOUNT:destination:NAME */
static bool is_destination(struct str arn, struct str *account, struct str *region, struct str *name)
{
	struct str part[6], rest = arn;
	for (size_t i = 0; i < 6; i++) {
		if (!str_has(rest)) return false;
		part[i] = str_cut(&rest, ':');
	}
	*region = part[3];
	*account = part[4];
	*name = rest;
	return str_is(part[2], "logs") && str_is(part[5], "destination") && str_has(rest);
}

/* A stream as the destination is no resource of Logs: its role's policies decide about it. */
static void drop_foreign(struct authz_demand *d)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n; i++)
		if (str_find(d->resources[i].arn, STR(":logs:")) >= 0) d->resources[n++] = d->resources[i];
	d->n = n;
}

status logs_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	(void)context;
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	if (!tx || !in || c->match.op_index != LOGS_OP_PUT_SUBSCRIPTION_FILTER) return OK;
	for (size_t i = 0; i < demands->n; i++) {
		drop_foreign(&demands->v[i]);
		for (size_t j = 0; j < demands->v[i].n; j++) {
			struct policy_resource *r = &demands->v[i].resources[j];
			struct logs_rec_destination d;
			struct str account, region, name;
			if (!is_destination(r->arn, &account, &region, &name)) continue;
			status s = logs_destination_get(tx, c->arena, account, region, name, &d);
			if (status_is(s, STATUS_NOT_FOUND)) continue;
			TRY(s);
			if (str_has(d.policy)) call_attach_policy(c, demands, r, false, d.policy);
		}
	}
	return OK;
}
