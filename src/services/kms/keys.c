/* The door for other services; see keys.h. */
#include "services/kms/keys.h"
#include "base/rand.h"
#include "services/kms/grants.h"

extern const struct service service_kms;

struct kms_use kms_use_of(struct call *c)
{
	return (struct kms_use){c->cloud, c->tx, c->arena, c->account, c->region, c->now_ms};
}

struct kms *kms_state_of(const struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i] == &service_kms) return cloud->service_state[i];
	return NULL;
}

static struct kms_scope scope_of(const struct kms_use *u)
{
	struct kms outside = {.cloud = u->cloud};
	struct kms_scope s = kms_scope_at(&outside, u->tx, u->arena, u->account, u->region);
	s.kms = kms_state_of(u->cloud);
	s.now_ms = u->now_ms;
	return s;
}

static status tell(const struct kms_scope *s, status st, struct kms_refusal *why)
{
	static const struct {
		error_id error;
		enum kms_why why;
		const char *code;
	} known[] = {
		{KMS_ERR_NOT_FOUND_EXCEPTION, KMS_WHY_NOT_FOUND, "NotFoundException"},
		{KMS_ERR_DISABLED_EXCEPTION, KMS_WHY_DISABLED, "DisabledException"},
		{KMS_ERR_KMS_INVALID_STATE_EXCEPTION, KMS_WHY_INVALID_STATE, "KMSInvalidStateException"},
		{KMS_ERR_INVALID_KEY_USAGE_EXCEPTION, KMS_WHY_INVALID_USAGE, "InvalidKeyUsageException"},
		{KMS_ERR_INVALID_CIPHERTEXT_EXCEPTION, KMS_WHY_INVALID_CIPHERTEXT, "InvalidCiphertextException"},
		{KMS_ERR_INCORRECT_KEY_EXCEPTION, KMS_WHY_INCORRECT_KEY, "IncorrectKeyException"},
		{KMS_ERR_INVALID_ARN_EXCEPTION, KMS_WHY_INVALID_INPUT, "InvalidArnException"},
	};
	if (!status_is(st, STATUS_FAILED)) return st;
	*why = (struct kms_refusal){KMS_WHY_INVALID_INPUT, STR("ValidationException"), s->message};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].error == s->error) {
			why->why = known[i].why;
			why->code = str_c(known[i].code);
		}
	return st;
}

static status usable(struct kms_scope *s, struct str reference, const char *operation, struct kms_key *k)
{
	TRY(kms_find(s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN | KMS_FIND_MANAGED, k));
	TRY(kms_check_use(s, k, STR("ENCRYPT_DECRYPT"), operation));
	if (k->spec->kind == KMS_SYMMETRIC) return OK;
	return kms_refuse(s, KMS_ERR_INVALID_KEY_USAGE_EXCEPTION, "%.*s key spec is %s which is not valid for %s.",
		STR_ARG(k->arn), k->spec->name, operation);
}

static status context_of(struct kms_scope *s, const struct kms_pair *pairs, size_t n, struct str *canonical)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++) bytes += pairs[i].key.n + pairs[i].value.n;
	if (bytes > KMS_CONTEXT_BYTES_MAX) return kms_refuse(s, ERR_VALIDATION, "Encryption context is too long.");
	*canonical = kms_context_bytes(s->arena, pairs, n);
	return OK;
}

static status encrypt(struct kms_scope *s, struct str reference, const struct kms_pair *pairs, size_t n,
	struct str plain, const char *operation, struct str *blob, struct str *key_arn)
{
	struct kms_key k;
	struct str context;
	TRY(usable(s, reference, operation, &k));
	TRY(context_of(s, pairs, n, &context));
	TRY(kms_symmetric_encrypt(s, &k, context, plain, blob));
	kms_used(s, &k, operation);
	*key_arn = k.arn;
	return OK;
}

status kms_use_data_key(const struct kms_use *u, struct str reference, const struct kms_pair *context, size_t n_context,
	size_t bytes, struct kms_data_key *out, struct kms_refusal *why)
{
	struct kms_scope s = scope_of(u);
	char *p = arena_alloc_raw(u->arena, bytes);
	rand_bytes(p, bytes);
	out->plain = str_n(p, bytes);
	return tell(&s,
		encrypt(&s, reference, context, n_context, out->plain, "GenerateDataKey", &out->blob, &out->key_arn),
		why);
}

status kms_use_encrypt(const struct kms_use *u, struct str reference, const struct kms_pair *context, size_t n_context,
	struct str plain, struct str *blob, struct str *key_arn, struct kms_refusal *why)
{
	struct kms_scope s = scope_of(u);
	return tell(&s, encrypt(&s, reference, context, n_context, plain, "Encrypt", blob, key_arn), why);
}

static status decrypt(struct kms_scope *s, struct str blob, struct str reference, const struct kms_pair *pairs,
	size_t n, struct str *plain, struct str *key_arn)
{
	struct str context, material_id;
	struct kms_key k;
	TRY(context_of(s, pairs, n, &context));
	TRY(kms_symmetric_decrypt(s, blob, reference, context, "Decrypt", &k, &material_id, plain));
	kms_used(s, &k, "Decrypt");
	if (key_arn) *key_arn = k.arn;
	return OK;
}

status kms_use_decrypt(const struct kms_use *u, struct str blob, struct str reference, const struct kms_pair *context,
	size_t n_context, struct str *plain, struct str *key_arn, struct kms_refusal *why)
{
	struct kms_scope s = scope_of(u);
	return tell(&s, decrypt(&s, blob, reference, context, n_context, plain, key_arn), why);
}

status kms_use_resolve(const struct kms_use *u, struct str reference, struct str *key_arn, struct kms_refusal *why)
{
	struct kms_scope s = scope_of(u);
	struct kms_key k;
	TRY(tell(&s, usable(&s, reference, "GenerateDataKey", &k), why));
	*key_arn = k.arn;
	return OK;
}

status kms_use_find(const struct kms_use *u, struct str reference, struct str *key_arn, struct kms_refusal *why)
{
	struct kms_scope s = scope_of(u);
	struct kms_key k;
	TRY(tell(&s, kms_find(&s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &k), why));
	*key_arn = k.arn;
	return OK;
}

status kms_ensure_managed_key(const struct kms_use *u, struct str alias, struct str *key_arn, struct kms_refusal *why)
{
	struct kms_scope s = scope_of(u);
	struct kms_key k;
	TRY(tell(&s, kms_find(&s, alias, KMS_FIND_ALIAS | KMS_FIND_MANAGED, &k), why));
	*key_arn = k.arn;
	return OK;
}

status kms_use_policy(const struct kms_use *u, struct str key_arn, struct str *policy)
{
	struct kms_scope s = scope_of(u);
	struct kms_key k;
	status st = kms_find(&s, key_arn, KMS_FIND_FOREIGN, &k);
	if (status_is(st, STATUS_FAILED)) return STATUS(NOT_FOUND);
	TRY(st);
	*policy = k.r.policy;
	return OK;
}

status kms_use_granted(const struct kms_use *u, struct str key_arn, const struct principal *who, struct str operation,
	const struct kms_pair *context, size_t n_context, bool *granted)
{
	struct kms_scope s = scope_of(u);
	struct kms_key k;
	status st = kms_find(&s, key_arn, KMS_FIND_FOREIGN, &k);
	if (status_is(st, STATUS_FAILED)) return STATUS(NOT_FOUND);
	TRY(st);
	return kms_grant_allows(&s, &k, who, operation, context, n_context, NULL, granted);
}
