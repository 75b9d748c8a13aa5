/* Key policies: stored, checked for their grammar, size and for not locking everybody out. */
#include "policy/policy.h"
#include "services/kms/room.h"

/* "Default key policy", AWS KMS Developer Guide: as the API makes it. */
struct str kms_default_policy(struct kms_scope *s, struct str account)
{
	return str_fmt(s->arena,
		"{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n    \"Sid\" "
		": "
		"\"Enable IAM User Permissions\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"AWS\" : "
		"\"arn:%.*s:iam::%.*s:root\"\n    },\n    \"Action\" : \"kms:*\",\n    \"Resource\" : \"*\"\n  } ]\n}",
		STR_ARG(s->partition), STR_ARG(account));
}

static bool allows(struct kms_scope *s, const struct policy *p, const struct policy_principal *who, struct str arn)
{
	struct policy_context context = POLICY_CONTEXT_IN(s->arena);
	policy_context_set_principal(&context, who);
	policy_context_set_now(&context, s->now_ms);
	policy_context_set(&context, STR("kms:CallerAccount"), s->account);
	struct policy_resource resource = {
		.arn = arn, .account = s->account, .policies = {&p, 1}, .policy_required = true};
	struct policy_request r = {who, STR("kms:PutKeyPolicy"), &resource, 1, &context};
	struct policy_subject subject = {0};
	struct policy_decision d;
	return policy_evaluate(s->arena, &r, &subject, &d);
}

/* "The key policy must allow the calling principal to make a subsequent PutKeyPolicy request on the KMS key"
 * (PutKeyPolicy): itself, or as the account to whose IAM policies the key policy leaves it. */
static bool caller_keeps_control(struct kms_scope *s, const struct policy *p, struct str arn)
{
	struct policy_principal root = {.kind = POLICY_CALLER_ROOT,
		.account = s->account,
		.arn = str_fmt(s->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(s->partition), STR_ARG(s->account)),
		.user_id = s->account,
		.name = STR("root")};
	if (allows(s, p, &root, arn)) return true;
	if (!s->call || s->call->principal.kind == PRINCIPAL_ROOT) return false;
	const struct principal *who = &s->call->principal;
	struct policy_principal caller = {.kind = who->kind == PRINCIPAL_USER           ? POLICY_CALLER_USER
						  : who->kind == PRINCIPAL_ASSUMED_ROLE ? POLICY_CALLER_ROLE
											: POLICY_CALLER_FEDERATED,
		.account = who->account,
		.arn = who->arn,
		.issuer_arn = who->kind == PRINCIPAL_ASSUMED_ROLE
				      ? str_fmt(s->arena, "arn:%.*s:iam::%.*s:role/%.*s", STR_ARG(s->partition),
						STR_ARG(who->account), STR_ARG(who->name))
				      : STR_NONE,
		.user_id = who->user_id,
		.name = who->name};
	return allows(s, p, &caller, arn);
}

status kms_check_policy(struct kms_scope *s, struct str text, struct opt_bool bypass, const struct kms_key *k)
{
	struct policy *p;
	struct policy_error why = {0};
	struct policy_source source = {.type = POLICY_RESOURCE, .label = k->arn};
	if (text.n > KMS_POLICY_BYTES_MAX)
		return kms_refuse(s, KMS_ERR_LIMIT_EXCEEDED_EXCEPTION, "The key policy is longer than %d bytes.",
			KMS_POLICY_BYTES_MAX);
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return kms_refuse(s, KMS_ERR_MALFORMED_POLICY_DOCUMENT_EXCEPTION, "%s", why.message);
	bool kept = bypass.v || caller_keeps_control(s, p, k->arn);
	policy_free(p);
	if (kept) return OK;
	return kms_refuse(s, KMS_ERR_MALFORMED_POLICY_DOCUMENT_EXCEPTION,
		"The new key policy will not allow you to update the key policy in the future.");
}

/* default is the only name that there is. */
static status check_name(struct kms_scope *s, struct str name)
{
	if (!str_has(name) || str_is(name, "default")) return OK;
	return kms_refuse(s, KMS_ERR_NOT_FOUND_EXCEPTION, "No such policy exists");
}

status kms_put_key_policy(
	struct call *c, const struct kms_put_key_policy_input *in, struct kms_put_key_policy_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, 0, &k));
	TRY(kms_check_customer(&s, &k));
	TRY(check_name(&s, in->policy_name));
	TRY(kms_check_policy(&s, in->policy, in->bypass_policy_lockout_safety_check, &k));
	k.r.policy = in->policy;
	kms_key_put(&s, &k);
	return OK;
}

status kms_get_key_policy(
	struct call *c, const struct kms_get_key_policy_input *in, struct kms_get_key_policy_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, 0, &k));
	TRY(check_name(&s, in->policy_name));
	out->policy = k.r.policy;
	out->policy_name = STR("default");
	return OK;
}

status kms_list_key_policies(
	struct call *c, const struct kms_list_key_policies_input *in, struct kms_list_key_policies_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, 0, &k));
	size_t capacity = 0;
	*VEC_PUSH(c->arena, &out->policy_names, &capacity) = STR("default");
	out->truncated = SOME_BOOL(false);
	return OK;
}
