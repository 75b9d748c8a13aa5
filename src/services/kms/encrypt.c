/* Encrypt, Decrypt and ReEncrypt, under symmetric and RSA keys. */
#include "services/kms/room.h"

/* What a ciphertext was made by. */
struct source {
	struct kms_key key;
	struct str material_id; /* STR_NONE for RSA */
	struct str plain;
};

static status check_algorithm(struct kms_scope *s, const struct kms_key *k, struct str algorithm)
{
	if (kms_list_has(k->spec->encryption, algorithm)) return OK;
	return kms_refuse(s, KMS_ERR_INVALID_KEY_USAGE_EXCEPTION, "Algorithm %.*s is incompatible with key spec %s.",
		STR_ARG(algorithm), k->spec->name);
}

static status encrypt(struct kms_scope *s, const struct kms_key *k, struct str algorithm,
	const struct kms_encryption_context_type *context, struct str plain, struct str *out)
{
	struct str canonical;
	TRY(check_algorithm(s, k, algorithm));
	if (k->spec->kind == KMS_SYMMETRIC) {
		TRY(kms_context(s, context, &canonical));
		return kms_symmetric_encrypt(s, k, canonical, plain, out);
	}
	if (context->n)
		return kms_refuse(s, ERR_VALIDATION,
			"EncryptionContext is not supported when EncryptionAlgorithm is %.*s.", STR_ARG(algorithm));
	const struct kms_algorithm *a = kms_algorithm_find(algorithm);
	size_t most = (size_t)(k->spec->size / 8 - 2 * a->digest_bytes - 2);
	if (plain.n > most)
		return kms_refuse(s, ERR_VALIDATION,
			"Algorithm %.*s and key spec %s cannot encrypt data larger than %zu bytes.", STR_ARG(algorithm),
			k->spec->name, most);
	EVP_PKEY *public_key = kms_public_from_der(k->r.public_key);
	if (!public_key) return STATUS(CORRUPT);
	status st = kms_oaep(s->arena, public_key, a->digest, true, plain, out);
	EVP_PKEY_free(public_key);
	return is_ok(st) ? OK : STATUS(IO);
}

static status decrypt(struct kms_scope *s, struct str blob, struct str reference, struct str algorithm,
	const struct kms_encryption_context_type *context, const char *operation, struct source *out)
{
	if (str_is(algorithm, "SYMMETRIC_DEFAULT")) {
		struct str canonical;
		TRY(kms_context(s, context, &canonical));
		return kms_symmetric_decrypt(
			s, blob, reference, canonical, operation, &out->key, &out->material_id, &out->plain);
	}
	if (!str_has(reference))
		return kms_refuse(s, ERR_VALIDATION, "A KeyId is required to decrypt with EncryptionAlgorithm %.*s.",
			STR_ARG(algorithm));
	if (context->n)
		return kms_refuse(s, ERR_VALIDATION,
			"EncryptionContext is not supported when EncryptionAlgorithm is %.*s.", STR_ARG(algorithm));
	TRY(kms_find(s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &out->key));
	TRY(kms_check_use(s, &out->key, STR("ENCRYPT_DECRYPT"), operation));
	TRY(check_algorithm(s, &out->key, algorithm));
	EVP_PKEY *private_key;
	TRY(kms_private_key(s, &out->key, &private_key));
	status st = kms_oaep(s->arena, private_key, kms_algorithm_find(algorithm)->digest, false, blob, &out->plain);
	EVP_PKEY_free(private_key);
	return is_ok(st) ? OK : kms_refuse(s, KMS_ERR_INVALID_CIPHERTEXT_EXCEPTION, "%s", "");
}

status kms_encrypt(struct call *c, const struct kms_encrypt_input *in, struct kms_encrypt_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct str algorithm = str_or(in->encryption_algorithm, STR("SYMMETRIC_DEFAULT"));
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_find(&s, in->key_id, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &k));
	TRY(kms_check_use(&s, &k, STR("ENCRYPT_DECRYPT"), "Encrypt"));
	TRY(encrypt(&s, &k, algorithm, &in->encryption_context, in->plaintext, &out->ciphertext_blob));
	TRY(kms_check_dry_run(&s, in->dry_run));
	kms_used(&s, &k, "Encrypt");
	out->key_id = k.arn;
	out->encryption_algorithm = algorithm;
	return OK;
}

/* With DryRunModifiers IGNORE_CIPHERTEXT a dry run is decided without a ciphertext: it needs the key instead. */
static status dry_run_without_ciphertext(
	struct kms_scope *s, struct opt_bool dry_run, struct str reference, const char *operation)
{
	struct kms_key k;
	if (!dry_run.v)
		return kms_refuse(s, ERR_VALIDATION, "DryRunModifiers can only be specified when DryRun is true.");
	if (!str_has(reference))
		return kms_refuse(s, ERR_VALIDATION, "KeyId is required when DryRunModifiers is IGNORE_CIPHERTEXT.");
	TRY(kms_find(s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &k));
	TRY(kms_check_use(s, &k, STR("ENCRYPT_DECRYPT"), operation));
	return kms_check_dry_run(s, dry_run);
}

status kms_decrypt(struct call *c, const struct kms_decrypt_input *in, struct kms_decrypt_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct source from = {0};
	struct str algorithm = str_or(in->encryption_algorithm, STR("SYMMETRIC_DEFAULT"));
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_check_recipient(&s, in->recipient));
	if (in->dry_run_modifiers.n) return dry_run_without_ciphertext(&s, in->dry_run, in->key_id, "Decrypt");
	if (!str_has(in->ciphertext_blob)) return kms_refuse(&s, ERR_VALIDATION, "CiphertextBlob is required.");
	TRY(decrypt(&s, in->ciphertext_blob, in->key_id, algorithm, &in->encryption_context, "Decrypt", &from));
	TRY(kms_check_dry_run(&s, in->dry_run));
	kms_used(&s, &from.key, "Decrypt");
	out->key_id = from.key.arn;
	out->plaintext = from.plain;
	out->encryption_algorithm = algorithm;
	out->key_material_id = kms_material_text(&s, from.material_id);
	return OK;
}

status kms_re_encrypt(struct call *c, const struct kms_re_encrypt_input *in, struct kms_re_encrypt_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct source from = {0};
	struct kms_key to;
	struct str source_algorithm = str_or(in->source_encryption_algorithm, STR("SYMMETRIC_DEFAULT"));
	struct str algorithm = str_or(in->destination_encryption_algorithm, STR("SYMMETRIC_DEFAULT"));
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_find(&s, in->destination_key_id, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &to));
	TRY(kms_check_use(&s, &to, STR("ENCRYPT_DECRYPT"), "ReEncryptTo"));
	if (in->dry_run_modifiers.n)
		return dry_run_without_ciphertext(&s, in->dry_run, in->source_key_id, "ReEncryptFrom");
	if (!str_has(in->ciphertext_blob)) return kms_refuse(&s, ERR_VALIDATION, "CiphertextBlob is required.");
	TRY(decrypt(&s, in->ciphertext_blob, in->source_key_id, source_algorithm, &in->source_encryption_context,
		"ReEncryptFrom", &from));
	status st = encrypt(&s, &to, algorithm, &in->destination_encryption_context, from.plain, &out->ciphertext_blob);
	vault_wipe(from.plain);
	TRY(st);
	TRY(kms_check_dry_run(&s, in->dry_run));
	kms_used(&s, &from.key, "ReEncrypt");
	kms_used(&s, &to, "ReEncrypt");
	out->source_key_id = from.key.arn;
	out->key_id = to.arn;
	out->source_encryption_algorithm = source_algorithm;
	out->destination_encryption_algorithm = algorithm;
	out->source_key_material_id = kms_material_text(&s, from.material_id);
	if (to.spec->kind == KMS_SYMMETRIC) out->destination_key_material_id = kms_material_text(&s, to.r.material);
	return OK;
}
