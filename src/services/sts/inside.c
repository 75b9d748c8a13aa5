/* A session of a role for one of virga's own services: see inside.h. */
#include "services/sts/inside.h"
#include "sts.h"

status sts_assume_for(struct cloud *cloud, struct arena *a, struct str account, struct str region, struct str service,
	struct str source_arn, struct str role_arn, struct str session, struct inside_caller *out, struct str *why)
{
	struct inside_caller us = inside_service(a, account, region, service);
	us.trusted = false;
	us.source_arn = source_arn;
	struct sts_assume_role_input in = {.role_arn = role_arn, .role_session_name = session};
	struct inside *i = inside_run(cloud, &us, "sts", STS_OP_ASSUME_ROLE, &in, NULL);
	if (!i->ok) {
		*why = str_dup(a, i->message);
		inside_free(i);
		return STATUS(FAILED);
	}
	const struct sts_credentials *k = ((const struct sts_assume_role_output *)i->out)->credentials;
	struct sigv4 sig = {.kind = SIG_HEADER, .access_key = k->access_key_id, .session_token = k->session_token};
	struct wire_failure failure = {0};
	*out = (struct inside_caller){.region = region, .agent = service};
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status s = identity_resolve(tx, a, &sig, true, clock_now(cloud->clock), &out->principal, &failure);
	struct principal *p = &out->principal;
	/* What it points to goes with the transaction and the call. */
	struct str *const texts[] = {&p->account, &p->arn, &p->user_id, &p->access_key, &p->name, &p->session,
		&p->secret, &p->session_record};
	for (size_t n = 0; is_ok(s) && n < sizeof texts / sizeof *texts; n++) *texts[n] = str_dup(a, *texts[n]);
	store_end(tx);
	inside_free(i);
	if (status_is(s, STATUS_FAILED)) *why = str_dup(a, failure.message);
	return s;
}

status sts_assume_inside(struct cloud *cloud, struct arena *a, struct str account, struct str region,
	struct str service, struct str role_arn, struct str session, struct inside_caller *out, struct str *why)
{
	return sts_assume_for(cloud, a, account, region, service, STR_NONE, role_arn, session, out, why);
}
