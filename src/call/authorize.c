/* Who calls, and may they: the identity and policy steps of a call. */
#include "call/exchange.h"
#include "call/signature.h"
#include <stdlib.h>

#define SKEW_MS (15 * 60 * 1000)

struct str partition_of(struct str region)
{
	if (str_starts(region, STR("cn-"))) return STR("aws-cn");
	if (str_starts(region, STR("us-gov-"))) return STR("aws-us-gov");
	return STR("aws");
}

int64_t signature_time(const struct clock *clock, const struct sigv4 *s, int64_t now_ms)
{
	int64_t offset = clock_offset(clock), machine = now_ms - offset, at = s->time_ms;
	if (!offset) return now_ms;
	if (s->kind == SIG_V2 && s->expires_s >= 0) return machine;
	if (s->kind == SIG_QUERY)
		return at + 1000 > clock_moved_at(clock) && at <= machine + SKEW_MS ? machine : now_ms;
	return llabs(at - machine) < llabs(at - now_ms) ? machine : now_ms;
}

status exchange_authenticate(struct exchange *e, const uint8_t *body_sha256)
{
	struct call *c = &e->call;
	/* Whether or not the signature over it can be checked, what was declared of the payload has to be true. */
	if (body_sha256) TRY(sigv4_check_payload(c->arena, &e->sig, e->s3_dialect, body_sha256, &c->failure));
	if (e->sig.kind == SIG_NONE) {
		c->principal = (struct principal){
			.kind = PRINCIPAL_ANONYMOUS, .account = STR(""), .arn = STR("*"), .user_id = STR("")};
		c->region = str_has(e->host.region) ? e->host.region : c->cloud->default_region;
		c->partition = partition_of(c->region);
		c->account = STR("");
		return OK;
	}
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, true);
	status s = identity_resolve(tx, c->arena, &e->sig, c->cloud->strict, c->now_ms, &c->principal, &c->failure);
	store_end(tx);
	TRY(s);
	/* The signature covers the request as it was sent, not as a virtual host rewrote it. */
	struct wire_request sent = e->wire;
	sent.path = c->http->path;
	TRY(sigv4_verify(c->arena, &sent, &e->sig, e->s3_dialect, c->principal.secret, body_sha256,
		signature_time(c->cloud->clock, &e->sig, c->now_ms), e->signing_key, &c->failure));
	c->principal.verified = str_has(c->principal.secret);
	if (c->principal.verified && c->match.service && !e->s3_dialect)
		TRY(sigv4_check_scope(
			c->arena, &e->sig, false, str_c(c->match.service->signing_name), STR_NONE, &c->failure));
	c->account = c->principal.account;
	c->region = str_empty(e->sig.region) ? c->cloud->default_region : e->sig.region;
	c->partition = partition_of(c->region);
	/* An account's root is the same in every partition here; its name is the caller's partition's. */
	if (c->principal.kind == PRINCIPAL_ROOT)
		c->principal.arn =
			str_fmt(c->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(c->partition), STR_ARG(c->account));
	return OK;
}

status exchange_authorize(struct exchange *e)
{
	struct call *c = &e->call;
	if (c->principal.kind != PRINCIPAL_ANONYMOUS) return OK;
	if (c->match.op && (c->match.op->flags & WIRE_O_ANONYMOUS)) return OK;
	if (e->service && (e->service->always_authorizes || (c->cloud->policies && e->service->authorize)))
		return OK; /* exchange_permit decides */
	if (e->s3_dialect) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
}
