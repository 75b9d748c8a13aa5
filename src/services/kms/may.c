/* What another service does with a key for its caller while it works, after the policy step: may the caller? AWS's
 * forward access sessions: the key's policy, the caller's own policies and grants, by way of the service
 * (kms:ViaService). */
#include "call/inside.h"
#include "services/kms/keys.h"
#include "services/kms/room.h"

enum { KEY = 32 };

bool kms_use_may(struct call *c, struct str via, enum kms_act act, struct str key_arn, const struct kms_pair *pairs,
	size_t n, struct str *why)
{
	struct kms_encryption_context_type context = {0};
	struct str operations[] = {STR("Decrypt")};
	size_t capacity = 0;
	struct kms_scope quiet = kms_scope_of(c);
	struct kms_key k;
	*why = STR_NONE;
	quiet.call = NULL;
	/* What virga does as a service is that service's. */
	if (!str_has(key_arn) || c->principal.kind == PRINCIPAL_SERVICE) return true;
	/* An AWS managed key that this very call has made: nobody else sees it yet; whom the service lets, it lets. */
	if (is_ok(kms_find(&quiet, key_arn, KMS_FIND_FOREIGN, &k)) && str_is(k.r.manager, "AWS") &&
		k.r.created.ms == c->now_ms)
		return true;
	for (size_t i = 0; i < n; i++)
		*VEC_PUSH(c->arena, &context, &capacity) =
			(struct kms_encryption_context_type_entry){pairs[i].key, pairs[i].value};
	const struct kms_generate_data_key_without_plaintext_input make = {
		.key_id = key_arn, .encryption_context = context, .number_of_bytes = SOME_I32(KEY)};
	const struct kms_decrypt_input read = {.key_id = key_arn, .encryption_context = context};
	const struct kms_create_grant_input grant = {
		.key_id = key_arn, .grantee_principal = c->principal.arn, .operations = {operations, 1}};
	const struct {
		struct str action;
		uint32_t op;
		const void *in;
	} acts[] = {
		[KMS_ACT_MAKE] = {STR("kms:GenerateDataKeyWithoutPlaintext"),
			KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, &make},
		[KMS_ACT_READ] = {STR("kms:Decrypt"), KMS_OP_DECRYPT, &read},
		[KMS_ACT_GRANT] = {STR("kms:CreateGrant"), KMS_OP_CREATE_GRANT, &grant},
	};
	struct inside_caller who = {.principal = c->principal, .region = c->region, .via = via};
	return inside_may(c->cloud, &who, "kms", acts[act].op, acts[act].in, acts[act].action, key_arn, c->arena, why);
}
