/* What the policy step has to know of topics: whose they are, their policies and tags ("Using identity-based policies
 * with Amazon SNS", "Amazon SNS access control use cases"). */
#include "policy/authz.h"
#include "services/sns/room.h"

/* Confirming by a token, and leaving by the URL that an HTTP endpoint was sent, need no permission of the topic's: who
 * has them may, signed or not. */
static status by_token(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_resource *r, const struct sns_rec_topic *t, struct str id)
{
	static const char anybody[] =
		"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":["
		"\"sns:ConfirmSubscription\",\"sns:Unsubscribe\"],\"Resource\":\"*\"}}";
	struct sns_rec_subscription s;
	status st = STATUS(NOT_FOUND);
	if (c->match.op_index == SNS_OP_CONFIRM_SUBSCRIPTION)
		st = sns_find_token(tx, c->arena, t, call_input_string(c, in, "Token"), c->now_ms, &s);
	else if (c->match.op_index == SNS_OP_UNSUBSCRIBE && str_has(id))
		st = sns_subscription_get(tx, c->arena, t, id, &s);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (sns_is_http(&s) && !s.unsubscribe_authenticated.v) call_attach_policy(c, demands, r, false, str_c(anybody));
	return OK;
}

status sns_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	uint32_t op = c->match.op_index;
	if (!tx || !in) return OK;
	/* "AWS:SourceOwner": the account that asks. */
	if (c->account.n) policy_context_set(context, STR("aws:SourceOwner"), c->account);
	/* The reference has no resource for it; who is nobody's user is judged by the subscription's. */
	if (op == SNS_OP_UNSUBSCRIBE && c->principal.kind == PRINCIPAL_ANONYMOUS && demands->n && demands->v[0].n)
		demands->v[0].resources[0].arn = call_input_string(c, in, "SubscriptionArn");
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
			TRY(by_token(c, tx, in, demands, r, &t, id));
			struct str key = sns_get(&t.attributes, STR("KmsMasterKeyId"));
			if (str_has(key) && (op == SNS_OP_PUBLISH || op == SNS_OP_PUBLISH_BATCH)) {
				/* "AWS KMS permissions": who publishes needs both. */
				struct kms_pair pair = {STR("aws:sns:topicArn"), sns_topic_arn(c->arena, &t)};
				TRY(kms_use_demand(
					c, tx, demands, key, STR("kms:GenerateDataKey"), STR("sns"), &pair, 1));
				TRY(kms_use_demand(c, tx, demands, key, STR("kms:Decrypt"), STR("sns"), &pair, 1));
			}
			if (!t.tags.n) continue;
			r->context = arena_new(c->arena, struct policy_context);
			*r->context = POLICY_CONTEXT_IN(c->arena);
			for (size_t k = 0; k < t.tags.n; k++)
				policy_context_set_tag(
					r->context, STR("aws:ResourceTag/"), t.tags.v[k].key, t.tags.v[k].value);
		}
	return OK;
}
