/* AssumeRoot: a member account's root for one task and a quarter of an hour, for the organization's management account
 * or its delegated administrator of IAM ("Perform a privileged task on an AWS Organizations member account"). */
#include "services/organizations/door.h"
#include "services/sts/internal.h"

#define DURATION_S 900

static bool is_account(struct str s)
{
	uint64_t n;
	return s.n == 12 && is_ok(str_to_u64(s, &n));
}

/* A number, or arn:aws:iam::NUMBER:root. */
static struct str account_of(struct str principal)
{
	if (is_account(principal)) return principal;
	struct str rest = principal;
	for (int i = 0; i < 4 && str_has(rest); i++) (void)str_cut(&rest, ':');
	struct str account = str_has(rest) ? str_cut(&rest, ':') : STR("");
	return is_account(account) && str_has(rest) && str_is(rest, "root") ? account : STR_NONE;
}

static status denied(struct call *c, struct str target)
{
	return call_fail(c, ERR_ACCESS_DENIED,
		"User: %.*s is not authorized to perform: sts:AssumeRoot on resource: %.*s", STR_ARG(c->principal.arn),
		STR_ARG(target));
}

status sts_assume_root(struct call *c, const struct sts_assume_root_input *in, struct sts_assume_root_output *out)
{
	struct organizations_place place;
	struct organizations_member member;
	struct str account = account_of(in->target_principal), task = iam_root_task(in->task_policy_arn->arn);
	if (!str_has(account)) return call_fail(c, ERR_VALIDATION, "TargetPrincipal has to be an account or its root.");
	if (!str_has(task))
		return call_fail(c, ERR_VALIDATION, "TaskPolicyArn %.*s is not one of AWS's task policies.",
			STR_ARG(in->task_policy_arn->arn));
	TRY(organizations_place(c->tx, c->arena, c->account, &place));
	if (!str_has(place.id) || str_eq(account, place.master)) return denied(c, in->target_principal);
	bool may = str_eq(place.master, c->account) ||
		   organizations_delegate(c->tx, c->arena, place.id, c->account, STR("iam.amazonaws.com"));
	bool credentials = str_find(in->task_policy_arn->arn, STR("/IAM")) >= 0;
	struct str feature = credentials ? STR("RootCredentialsManagement") : STR("RootSessions");
	if (!may || !iam_root_feature(c->tx, c->arena, place.id, feature)) return denied(c, in->target_principal);
	status s = organizations_member(c->tx, c->arena, place.id, account, &member);
	if (status_is(s, STATUS_NOT_FOUND)) return denied(c, in->target_principal);
	TRY(s);
	struct iam_rec_session r = {
		.issuer_arn = str_fmt(c->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(c->partition), STR_ARG(account)),
		.issuer_id = account,
		.issued = SOME_TIME(c->now_ms),
		.policies = {&task, 1}};
	struct principal p = {.kind = PRINCIPAL_ROOT,
		.account = account,
		.arn = r.issuer_arn,
		.user_id = account,
		.name = STR("root"),
		.session = STR("")};
	out->credentials = sts_issue(c, &p, &r, in->duration_seconds.has ? in->duration_seconds.v : DURATION_S);
	return OK;
}
