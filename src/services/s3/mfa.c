/* The header x-amz-mfa: "the concatenation of the authentication device's serial number, a space, and the value that is
 * displayed on your authentication device" (DeleteObject). */
#include "services/s3/mfa.h"
#include "services/iam/door.h"

static status must_be_used(struct call *c)
{
	return call_fail(c, ERR_ACCESS_DENIED, "Mfa Authentication must be used for this request");
}

status s3_mfa_demand(struct call *c)
{
	struct str code = call_request_header(c, STR("x-amz-mfa")), serial = str_cut(&code, ' ');
	if (!str_has(code) || c->principal.kind == PRINCIPAL_ANONYMOUS) return must_be_used(c);
	/* No API gives the root user a device of its own: one of its account's users stands for it. */
	struct str user = c->principal.kind == PRINCIPAL_ROOT ? STR_NONE : c->principal.name;
	status s = iam_mfa_check(c->tx, c->arena, c->account, user, serial, str_trim(code), c->now_ms,
		clock_offset(c->cloud->clock), true);
	return status_is(s, STATUS_INVALID) ? call_fail(c, ERR_ACCESS_DENIED, "Access Denied") : s;
}

status s3_mfa_check(struct call *c, const struct s3_rec_bucket *b)
{
	return b->mfa_delete.v ? s3_mfa_demand(c) : OK;
}
