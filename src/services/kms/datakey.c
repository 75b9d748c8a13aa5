/* Data keys and data key pairs, with and without their plaintext; random bytes. */
#include "base/rand.h"
#include "services/kms/room.h"

static status find_symmetric(struct kms_scope *s, struct str reference, const char *operation, struct kms_key *k)
{
	TRY(kms_find(s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, k));
	TRY(kms_check_use(s, k, STR("ENCRYPT_DECRYPT"), operation));
	if (k->spec->kind == KMS_SYMMETRIC) return OK;
	return kms_refuse(s, KMS_ERR_INVALID_KEY_USAGE_EXCEPTION, "%.*s key spec is %s which is not valid for %s.",
		STR_ARG(k->arn), k->spec->name, operation);
}

struct data_key {
	struct kms_key key;
	struct str plain, blob;
};

static status data_key(struct kms_scope *s, struct str reference, const struct kms_encryption_context_type *given,
	struct str spec, struct opt_i32 bytes, struct opt_bool dry_run, const char *operation, struct data_key *out)
{
	struct str context;
	if (str_has(spec) == bytes.has)
		return kms_refuse(s, ERR_VALIDATION, "Please specify either number of bytes or key spec.");
	TRY(find_symmetric(s, reference, operation, &out->key));
	TRY(kms_context(s, given, &context));
	TRY(kms_check_dry_run(s, dry_run));
	size_t n = bytes.has ? (size_t)bytes.v : str_is(spec, "AES_128") ? 16 : 32;
	char *p = arena_alloc_raw(s->arena, n);
	rand_bytes(p, n);
	out->plain = str_n(p, n);
	TRY(kms_symmetric_encrypt(s, &out->key, context, out->plain, &out->blob));
	kms_used(s, &out->key, operation);
	return OK;
}

status kms_generate_data_key(
	struct call *c, const struct kms_generate_data_key_input *in, struct kms_generate_data_key_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct data_key d;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_check_recipient(&s, in->recipient));
	TRY(data_key(&s, in->key_id, &in->encryption_context, in->key_spec, in->number_of_bytes, in->dry_run,
		"GenerateDataKey", &d));
	out->ciphertext_blob = d.blob;
	out->plaintext = d.plain;
	out->key_id = d.key.arn;
	out->key_material_id = kms_material_text(&s, d.key.r.material);
	return OK;
}

status kms_generate_data_key_without_plaintext(struct call *c,
	const struct kms_generate_data_key_without_plaintext_input *in,
	struct kms_generate_data_key_without_plaintext_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct data_key d;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(data_key(&s, in->key_id, &in->encryption_context, in->key_spec, in->number_of_bytes, in->dry_run,
		"GenerateDataKeyWithoutPlaintext", &d));
	vault_wipe(d.plain);
	out->ciphertext_blob = d.blob;
	out->key_id = d.key.arn;
	out->key_material_id = kms_material_text(&s, d.key.r.material);
	return OK;
}

struct data_pair {
	struct kms_key key;
	struct str private_key, blob, public_key;
};

static status data_pair(struct kms_scope *s, struct str reference, const struct kms_encryption_context_type *given,
	struct str spec_name, struct opt_bool dry_run, const char *operation, struct data_pair *out)
{
	struct str context;
	const struct kms_spec *spec = kms_spec_find(spec_name);
	if (!spec || (spec->kind != KMS_RSA && spec->kind != KMS_EC))
		return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
			"KeyPairSpec %.*s is not supported in this Region.", STR_ARG(spec_name));
	TRY(find_symmetric(s, reference, operation, &out->key));
	TRY(kms_context(s, given, &context));
	TRY(kms_check_dry_run(s, dry_run));
	EVP_PKEY *pair;
	TRY(kms_generate_pair(spec, &pair));
	out->private_key = kms_private_der(s->arena, pair);
	out->public_key = kms_public_der(s->arena, pair);
	EVP_PKEY_free(pair);
	TRY(kms_symmetric_encrypt(s, &out->key, context, out->private_key, &out->blob));
	kms_used(s, &out->key, operation);
	return OK;
}

status kms_generate_data_key_pair(struct call *c, const struct kms_generate_data_key_pair_input *in,
	struct kms_generate_data_key_pair_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct data_pair d;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_check_recipient(&s, in->recipient));
	TRY(data_pair(
		&s, in->key_id, &in->encryption_context, in->key_pair_spec, in->dry_run, "GenerateDataKeyPair", &d));
	out->private_key_ciphertext_blob = d.blob;
	out->private_key_plaintext = d.private_key;
	out->public_key = d.public_key;
	out->key_id = d.key.arn;
	out->key_pair_spec = in->key_pair_spec;
	out->key_material_id = kms_material_text(&s, d.key.r.material);
	return OK;
}

status kms_generate_data_key_pair_without_plaintext(struct call *c,
	const struct kms_generate_data_key_pair_without_plaintext_input *in,
	struct kms_generate_data_key_pair_without_plaintext_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct data_pair d;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(data_pair(&s, in->key_id, &in->encryption_context, in->key_pair_spec, in->dry_run,
		"GenerateDataKeyPairWithoutPlaintext", &d));
	vault_wipe(d.private_key);
	out->private_key_ciphertext_blob = d.blob;
	out->public_key = d.public_key;
	out->key_id = d.key.arn;
	out->key_pair_spec = in->key_pair_spec;
	out->key_material_id = kms_material_text(&s, d.key.r.material);
	return OK;
}

status kms_generate_random(
	struct call *c, const struct kms_generate_random_input *in, struct kms_generate_random_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	TRY(kms_check_recipient(&s, in->recipient));
	if (str_has(in->custom_key_store_id))
		return kms_refuse(
			&s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION, "Custom key stores are not implemented.");
	if (!in->number_of_bytes.has) return kms_refuse(&s, ERR_VALIDATION, "NumberOfBytes is required.");
	size_t n = (size_t)in->number_of_bytes.v;
	char *p = arena_alloc_raw(c->arena, n);
	rand_bytes(p, n);
	out->plaintext = str_n(p, n);
	return OK;
}
