/* Encryption under symmetric keys, with the encryption context. */
#include "services/kms/room.h"

_Static_assert(sizeof(struct kms_encryption_context_type_entry) == sizeof(struct kms_pair) &&
		       offsetof(struct kms_encryption_context_type_entry, key) == offsetof(struct kms_pair, key) &&
		       offsetof(struct kms_encryption_context_type_entry, value) == offsetof(struct kms_pair, value),
	"a context is given to blob.h as it was decoded");

status kms_context(struct kms_scope *s, const struct kms_encryption_context_type *given, struct str *canonical)
{
	size_t bytes = 0;
	for (size_t i = 0; i < given->n; i++) bytes += given->v[i].key.n + given->v[i].value.n;
	if (bytes > KMS_CONTEXT_BYTES_MAX)
		return kms_refuse(
			s, ERR_VALIDATION, "Encryption context is too long: at most %d bytes.", KMS_CONTEXT_BYTES_MAX);
	*canonical = kms_context_bytes(s->arena, (const struct kms_pair *)given->v, given->n);
	return OK;
}

status kms_symmetric_encrypt(
	struct kms_scope *s, const struct kms_key *k, struct str context, struct str plain, struct str *blob)
{
	struct str material;
	TRY(kms_material_open(s, k, k->r.material, &material));
	INVARIANT(material.n == KMS_SYMMETRIC_BYTES);
	*blob = kms_blob_seal(s->arena, (const uint8_t *)material.p, k->arn, k->r.material, context, plain);
	vault_wipe(material);
	return OK;
}

/* AWS tells nothing more than the code. */
static status invalid(struct kms_scope *s)
{
	return kms_refuse(s, KMS_ERR_INVALID_CIPHERTEXT_EXCEPTION, "%s", "");
}

/* The key that the blob was made by; of a multi-region key, the related one of this region ("Multi-Region keys": their
 * ciphertexts are interchangeable). */
static status key_of(struct kms_scope *s, const struct kms_blob *b, struct kms_key *k)
{
	struct str rest = b->key_arn, part[5] = {{0}};
	for (size_t i = 0; i < 5; i++) {
		part[i] = str_cut(&rest, ':');
		if (!str_has(rest)) return invalid(s);
	}
	struct str id = str_from(rest, STR("key/").n);
	if (!str_starts(rest, STR("key/")) || (!str_eq(part[3], s->region) && !str_starts(id, STR("mrk-"))))
		return invalid(s);
	status st = kms_key_get(s, part[4], s->region, id, k);
	return status_is(st, STATUS_NOT_FOUND) ? invalid(s) : st;
}

status kms_symmetric_decrypt(struct kms_scope *s, struct str bytes, struct str reference, struct str context,
	const char *operation, struct kms_key *k, struct str *material_id, struct str *plain)
{
	struct kms_blob b;
	if (!is_ok(kms_blob_read(bytes, &b))) return invalid(s);
	TRY(key_of(s, &b, k));
	if (str_has(reference)) {
		struct kms_key wanted;
		TRY(kms_find(s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &wanted));
		TRY(kms_check_use(s, &wanted, STR("ENCRYPT_DECRYPT"), operation));
		if (!str_eq(wanted.arn, k->arn))
			return kms_refuse(s, KMS_ERR_INCORRECT_KEY_EXCEPTION,
				"The key ID in the request does not identify a CMK that can perform this operation.");
	}
	TRY(kms_check_use(s, k, STR("ENCRYPT_DECRYPT"), operation));
	if (k->spec->kind != KMS_SYMMETRIC) return invalid(s);
	struct str material;
	status st = kms_material_open(s, k, b.material_id, &material);
	if (status_is(st, STATUS_NOT_FOUND)) return invalid(s);
	TRY(st);
	st = kms_blob_open(s->arena, (const uint8_t *)material.p, &b, context, plain);
	vault_wipe(material);
	if (!is_ok(st)) return invalid(s);
	*material_id = b.material_id;
	return OK;
}
