/* What the policy step has to know of topics: whose they are, their policies and tags ("Using identity-based policies
 * with Amazon SNS", "Amazon SNS access control use cases"). */
#include "policy/authz.h"
#include "services/sns/room.h"

status sns_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	(void)in;
	if (!tx) return OK;
	/* "AWS:SourceOwner": the account that asks. */
	if (c->account.n) policy_context_set(context, STR("aws:SourceOwner"), c->account);
	for (size_t i = 0; i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) {
			struct policy_resource *r = &demands->v[i].resources[j];
			struct str account, region, name, id;
			struct sns_rec_topic t;
			if (!sns_read_arn(r->arn, &account, &region, &name, &id)) continue;
			status s = sns_topic_get(tx, c->arena, account, region, name, &t);
			if (status_is(s, STATUS_NOT_FOUND)) continue;
			TRY(s);
			r->account = t.account;
			struct str text = sns_get(&t.attributes, STR("Policy"));
			call_attach_policy(c, demands, r, false,
				str_has(text) ? text
					      : sns_default_policy(c->arena, sns_topic_arn(c->arena, &t), t.account));
			if (!t.tags.n) continue;
			r->context = arena_new(c->arena, struct policy_context);
			*r->context = POLICY_CONTEXT_IN(c->arena);
			for (size_t k = 0; k < t.tags.n; k++)
				policy_context_set_tag(
					r->context, STR("aws:ResourceTag/"), t.tags.v[k].key, t.tags.v[k].value);
		}
	return OK;
}
