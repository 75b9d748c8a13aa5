/* Sealing bytes under a data key of KMS, and opening them again. */
#include "services/kms/envelope.h"
#include "base/buf.h"
#include "base/rand.h"
#include "vault/vault.h"
#include <openssl/evp.h>

enum { VERSION = 1, HEAD_BYTES = 3, IV_BYTES = 12, TAG_BYTES = 16, KEY_BYTES = 32 };

/* One pass of AES-256-GCM. tag is written when sealing and checked when opening; false where it does not fit. */
static bool gcm(bool seal, const void *key, const void *iv, struct str aad, struct str in, void *out, void *tag)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n, end;
	INVARIANT(x && EVP_CipherInit_ex(x, EVP_aes_256_gcm(), NULL, key, iv, seal) == 1);
	INVARIANT(aad.n == 0 || EVP_CipherUpdate(x, NULL, &n, (const void *)aad.p, (int)aad.n) == 1);
	INVARIANT(in.n == 0 || EVP_CipherUpdate(x, out, &n, (const void *)in.p, (int)in.n) == 1);
	if (!seal) INVARIANT(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1);
	uint8_t none[16];
	bool fits = EVP_CipherFinal_ex(x, none, &end) == 1;
	if (seal) INVARIANT(fits && EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1);
	EVP_CIPHER_CTX_free(x);
	return fits;
}

status kms_envelope_seal(const struct kms_use *u, struct str reference, const struct kms_pair *context,
	size_t n_context, struct str plain, struct str *sealed, struct str *key_arn, struct kms_refusal *why)
{
	struct kms_data_key k;
	INVARIANT(plain.n < INT32_MAX);
	TRY(kms_use_data_key(u, reference, context, n_context, KEY_BYTES, &k, why));
	INVARIANT(k.blob.n <= UINT16_MAX);
	struct buf b = BUF_IN(u->arena);
	buf_byte(&b, VERSION);
	buf_byte(&b, (char)(k.blob.n >> 8));
	buf_byte(&b, (char)(k.blob.n & 0xff));
	buf_str(&b, k.blob);
	char *iv = buf_reserve(&b, IV_BYTES + TAG_BYTES + plain.n), *tag = iv + IV_BYTES;
	rand_bytes(iv, IV_BYTES);
	(void)gcm(true, k.plain.p, iv, kms_context_bytes(u->arena, context, n_context), plain, tag + TAG_BYTES, tag);
	b.n += IV_BYTES + TAG_BYTES + plain.n;
	vault_wipe(k.plain);
	*sealed = buf_done(&b);
	*key_arn = k.key_arn;
	return OK;
}

status kms_envelope_open(const struct kms_use *u, struct str sealed, const struct kms_pair *context, size_t n_context,
	struct str *plain, struct kms_refusal *why)
{
	if (sealed.n < HEAD_BYTES || sealed.p[0] != VERSION) return STATUS(CORRUPT);
	size_t n = (size_t)(uint8_t)sealed.p[1] << 8 | (uint8_t)sealed.p[2];
	if (sealed.n < HEAD_BYTES + n + IV_BYTES + TAG_BYTES) return STATUS(CORRUPT);
	struct str key;
	TRY(kms_use_decrypt(u, str_sub(sealed, HEAD_BYTES, n), STR_NONE, context, n_context, &key, NULL, why));
	if (key.n != KEY_BYTES) return STATUS(CORRUPT);
	struct str rest = str_from(sealed, HEAD_BYTES + n), ciphertext = str_from(rest, IV_BYTES + TAG_BYTES);
	char *out = arena_alloc_raw(u->arena, ciphertext.n);
	uint8_t tag[TAG_BYTES];
	memcpy(tag, rest.p + IV_BYTES, TAG_BYTES);
	bool fits = gcm(false, key.p, rest.p, kms_context_bytes(u->arena, context, n_context), ciphertext, out, tag);
	vault_wipe(key);
	if (!fits) {
		*why = (struct kms_refusal){KMS_WHY_INVALID_CIPHERTEXT, STR("InvalidCiphertextException"),
			STR("The sealed bytes were changed.")};
		return STATUS(FAILED);
	}
	*plain = str_n(out, ciphertext.n);
	return OK;
}
