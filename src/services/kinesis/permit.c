/* What the policy step has to know of streams and consumers: which one a request is about, by name, ARN or iterator;
 * whose it is, its policy and tags; and the key that sealed records need ("Controlling access to … resources using
 * IAM", "Permissions to use user-generated KMS keys", the guide). */
#include "policy/authz.h"
#include "services/kinesis/room.h"

static void set_tags(struct call *c, struct policy_resource *r, const struct kinesis_rec_pairs *tags)
{
	if (!tags->n) return;
	r->context = arena_new(c->arena, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(c->arena);
	for (size_t i = 0; i < tags->n; i++)
		policy_context_set_tag(r->context, STR("aws:ResourceTag/"), tags->v[i].key, tags->v[i].value);
}

/* The ARN that the request is about; STR_NONE where it is about none. */
static struct str subject(struct call *c, const void *in)
{
	static const char *const arns[] = {"ConsumerARN", "ResourceARN", "StreamARN"};
	struct kinesis_place p;
	struct str arn = STR_NONE, name = call_input_string(c, in, "StreamName"),
		   iterator = call_input_string(c, in, "ShardIterator"),
		   consumer = call_input_string(c, in, "ConsumerName");
	for (size_t i = 0; i < sizeof(arns) / sizeof(arns[0]) && !str_has(arn); i++)
		arn = call_input_string(c, in, arns[i]);
	/* Not what StreamARN says: what is read is what the iterator names. */
	if (str_has(iterator) && kinesis_iterator_read(c->arena, iterator, &p))
		return str_fmt(c->arena, "arn:%.*s:kinesis:%.*s:%.*s:stream/%.*s", STR_ARG(c->partition),
			STR_ARG(p.region), STR_ARG(p.account), STR_ARG(p.stream));
	if (str_has(consumer) && str_has(arn) && c->match.op_index != KINESIS_OP_REGISTER_STREAM_CONSUMER)
		return str_fmt(c->arena, "%.*s/consumer/%.*s:*", STR_ARG(arn), STR_ARG(consumer));
	if (str_has(arn) || !str_has(name)) return arn;
	return str_fmt(c->arena, "arn:%.*s:kinesis:%.*s:%.*s:stream/%.*s", STR_ARG(c->partition), STR_ARG(c->region),
		STR_ARG(c->account), STR_ARG(name));
}

static status demand_key(
	struct call *c, struct store_tx *tx, struct authz_demands *demands, const struct kinesis_rec_stream *s)
{
	uint32_t op = c->match.op_index;
	bool puts = op == KINESIS_OP_PUT_RECORD || op == KINESIS_OP_PUT_RECORDS;
	if ((!puts && op != KINESIS_OP_GET_RECORDS) || !str_has(s->key)) return OK;
	struct kms_pair pair = {STR("aws:kinesis:arn"), kinesis_arn(c->arena, s)};
	return kms_use_demand(c, tx, demands, s->key, puts ? STR("kms:GenerateDataKey") : STR("kms:Decrypt"),
		STR("kinesis"), &pair, 1);
}

status kinesis_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	struct kinesis_arn parts;
	struct kinesis_rec_stream s;
	struct kinesis_rec_consumer consumer = {0};
	(void)context;
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	if (!tx || !in || !demands->n) return OK;
	struct str arn = subject(c, in);
	if (!str_has(arn) || !kinesis_arn_read(arn, &parts)) return OK;
	/* The reference has no resource types for some (UpdateShardCount): they stay on "*". */
	struct str action = demands->v[0].action;
	const struct authz_action *known = authz_find_action(authz_find(STR("kinesis")), str_from(action, 8));
	if (!known || !known->types.n) return OK;
	struct policy_resource *r = arena_new(c->arena, struct policy_resource);
	*r = (struct policy_resource){.arn = arn, .account = parts.account};
	demands->v[0].resources = r;
	demands->v[0].n = demands->v[0].capacity = 1;
	status st = kinesis_stream_get(tx, c->arena, parts.account, parts.region, parts.stream, &s);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (str_has(parts.consumer)) {
		st = kinesis_consumer_get(tx, c->arena, &s, &parts, &consumer);
		if (status_is(st, STATUS_NOT_FOUND)) return OK;
		TRY(st);
		set_tags(c, r, &consumer.tags);
		if (str_has(consumer.policy)) call_attach_policy(c, demands, r, false, consumer.policy);
		return OK;
	}
	set_tags(c, r, &s.tags);
	if (str_has(s.policy)) call_attach_policy(c, demands, r, false, s.policy);
	return demand_key(c, tx, demands, &s);
}
