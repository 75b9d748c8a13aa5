/* What the policy step has to know of queues: whose they are, their policies and tags ("Using identity-based and
 * resource-based policies with Amazon SQS"). */
#include "policy/authz.h"
#include "services/kms/blob.h"
#include "services/sqs/sqs_internal.h"

static void set_tags(struct call *c, struct policy_resource *r, const struct sqs_rec_strings *tags)
{
	if (!tags->n) return;
	struct policy_context *own = arena_new(c->arena, struct policy_context);
	*own = POLICY_CONTEXT_IN(c->arena);
	for (size_t i = 0; i < tags->n; i++)
		policy_context_set_tag(own, STR("aws:ResourceTag/"), str_dup(c->arena, tags->v[i].key),
			str_dup(c->arena, tags->v[i].value));
	r->context = own;
}

status sqs_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	uint32_t op = c->match.op_index;
	bool sends = op == SQS_OP_SEND_MESSAGE || op == SQS_OP_SEND_MESSAGE_BATCH,
	     receives = op == SQS_OP_RECEIVE_MESSAGE;
	size_t own = demands->n; /* keys' demands come behind */
	(void)in;
	(void)context;
	for (size_t i = 0; i < own; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) {
			struct policy_resource *r = &demands->v[i].resources[j];
			struct queue *q = sqs_queue_by_arn(sqs_of(c), c->arena, r->arn);
			if (!q) continue;
			r->account = str_dup(c->arena, q->account);
			pthread_mutex_lock(&q->lock);
			struct str text = str_dup(c->arena, sqs_strings_get(&q->record.attributes, STR("Policy")));
			set_tags(c, r, &q->record.tags);
			struct str key =
				str_dup(c->arena, sqs_strings_get(&q->record.attributes, STR("KmsMasterKeyId")));
			pthread_mutex_unlock(&q->lock);
			struct kms_pair pair = {STR("aws:sqs:arn"), sqs_queue_arn(c->arena, q)};
			sqs_queue_release(q);
			if (str_has(text) && text.n) call_attach_policy(c, demands, r, false, text);
			if (!str_has(key) || str_empty(key) || (!sends && !receives)) continue;
			/* "Configure KMS permissions for producers", "… for consumers". */
			if (sends)
				TRY(kms_use_demand(
					c, tx, demands, key, STR("kms:GenerateDataKey"), STR("sqs"), &pair, 1));
			TRY(kms_use_demand(c, tx, demands, key, STR("kms:Decrypt"), STR("sqs"), &pair, 1));
		}
	return OK;
}
