/* Who calls, and may they: the identity and policy steps of a call. */
#include "call/exchange.h"
#include <stdlib.h>

static struct str partition_of(struct str region)
{
	if (str_starts(region, STR("cn-"))) return STR("aws-cn");
	if (str_starts(region, STR("us-gov-"))) return STR("aws-us-gov");
	return STR("aws");
}

/* The declared hash of the payload must be that of the bytes received, whether or not the signature over it can be checked. */
static status check_payload_hash(struct exchange *e, const uint8_t *body_sha256)
{
	struct call *c = &e->call;
	if (!body_sha256 || e->sig.payload != SIG_PAYLOAD_HASH || !str_has(e->sig.payload_hash)) return OK;
	struct str actual = str_hex(c->arena, str_n(body_sha256, 32));
	if (str_ieq(actual, e->sig.payload_hash)) return OK;
	if (!e->s3_dialect)
		return call_fail(c, ERR_SIGNATURE,
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret "
			"Access Key and signing method. Consult the service documentation for details.");
	const struct wire_service *s3 = c->match.service;
	error_id id = ERR_SIGNATURE;
	for (uint32_t i = 0; s3 && i < s3->tables.n_errors; i++)
		if (str_is(wire_str(&s3->tables, s3->tables.errors[i].name), "XAmzContentSHA256Mismatch"))
			id = (error_id)(WIRE_ERR_SERVICE + i);
	status s = call_fail(c, id, "The provided 'x-amz-content-sha256' header does not match what was computed.");
	call_fail_detail(c, STR("ClientComputedContentSHA256"), e->sig.payload_hash);
	call_fail_detail(c, STR("S3ComputedContentSHA256"), actual);
	return s;
}

/* Where virtual time was moved, clients still sign with their own clocks: a header's time may be near either. A presigned URL
 * lives on virtual time alone, so that moving time ends it. */
static int64_t time_to_judge_by(const struct exchange *e)
{
	int64_t offset = clock_offset(e->call.cloud->clock), virtual = e->call.now_ms, machine = virtual - offset;
	if (!offset || e->sig.kind != SIG_HEADER) return virtual;
	return llabs(e->sig.time_ms - machine) < llabs(e->sig.time_ms - virtual) ? machine : virtual;
}

status exchange_authenticate(struct exchange *e, const uint8_t *body_sha256)
{
	struct call *c = &e->call;
	TRY(check_payload_hash(e, body_sha256));
	if (e->sig.kind == SIG_NONE) {
		c->principal = (struct principal){.kind = PRINCIPAL_ANONYMOUS,
			.account = STR(""),
			.arn = STR("*"),
			.user_id = STR("")};
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
	TRY(sigv4_verify(c->arena, &sent, &e->sig, e->s3_dialect, c->principal.secret, body_sha256, time_to_judge_by(e),
		e->signing_key, &c->failure));
	c->principal.verified = str_has(c->principal.secret);
	c->account = c->principal.account;
	c->region = str_empty(e->sig.region) ? c->cloud->default_region : e->sig.region;
	c->partition = partition_of(c->region);
	/* An account's root is the same in every partition here; its name is the caller's partition's. */
	if (c->principal.kind == PRINCIPAL_ROOT)
		c->principal.arn = str_fmt(c->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(c->partition), STR_ARG(c->account));
	return OK;
}

status exchange_authorize(struct exchange *e)
{
	struct call *c = &e->call;
	if (c->principal.kind != PRINCIPAL_ANONYMOUS) return OK;
	if (c->match.op && (c->match.op->flags & WIRE_O_ANONYMOUS)) return OK;
	if (e->s3_dialect) return call_fail(c, ERR_ACCESS_DENIED, "Access Denied");
	return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
}
