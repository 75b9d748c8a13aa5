/* GetCallerIdentity: who signed this request ("GetCallerIdentity", AWS STS API Reference). No permission is needed. */
#include "call/call.h"
#include "sts.h"

status sts_get_caller_identity(struct call *c, const struct sts_get_caller_identity_input *in,
	struct sts_get_caller_identity_output *out)
{
	(void)in;
	out->account = c->principal.account;
	out->arn = c->principal.arn;
	out->user_id = c->principal.user_id;
	return OK;
}
