/* Wrapping and unwrapping under the root key; see vault.h. */
#include "vault/vault.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "vault/internal.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define VERSION 0x01
enum { IV_BYTES = 12, TAG_BYTES = 16 };
_Static_assert(VAULT_OVERHEAD == 1 + IV_BYTES + TAG_BYTES, "vault.h tells callers");

struct vault *vault_new_forgetful(void)
{
	struct vault *v = mem_new(sizeof(*v));
	rand_bytes(v->root, sizeof(v->root));
	return v;
}

void vault_close(struct vault *v)
{
	if (!v) return;
	OPENSSL_cleanse(v, sizeof(*v));
	free(v);
}

void vault_wipe(struct str secret)
{
	/* A str is a const view; the secrets that come here lie in memory that their maker may write. */
	if (secret.n) OPENSSL_cleanse((char *)(uintptr_t)secret.p, secret.n);
}

static void context_key(const struct vault *v, struct arena *a, struct str context, uint8_t key[32])
{
	struct str message = str_cat(a, str_n("virga vault 1", sizeof("virga vault 1")), context);
	digest_hmac_sha256(str_n(v->root, sizeof(v->root)), message, key);
}

struct str vault_wrap(const struct vault *v, struct arena *a, struct str context, struct str plain)
{
	uint8_t key[32], *out = arena_alloc_raw(a, plain.n + VAULT_OVERHEAD), *iv = out + 1, *body = iv + IV_BYTES;
	int n;
	context_key(v, a, context, key);
	out[0] = VERSION;
	rand_bytes(iv, IV_BYTES);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	INVARIANT(c && plain.n <= INT32_MAX && context.n <= INT32_MAX);
	INVARIANT(EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, iv) == 1);
	INVARIANT(EVP_EncryptUpdate(c, NULL, &n, out, 1) == 1);
	INVARIANT(EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)context.p, (int)context.n) == 1);
	INVARIANT(EVP_EncryptUpdate(c, body, &n, (const uint8_t *)plain.p, (int)plain.n) == 1);
	INVARIANT(EVP_EncryptFinal_ex(c, body + plain.n, &n) == 1);
	INVARIANT(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, body + plain.n) == 1);
	EVP_CIPHER_CTX_free(c);
	OPENSSL_cleanse(key, sizeof(key));
	return str_n(out, plain.n + VAULT_OVERHEAD);
}

status vault_unwrap(const struct vault *v, struct arena *a, struct str context, struct str wrapped, struct str *plain)
{
	if (wrapped.n < VAULT_OVERHEAD || wrapped.n > INT32_MAX || (uint8_t)wrapped.p[0] != VERSION)
		return STATUS(CORRUPT);
	const uint8_t *in = (const uint8_t *)wrapped.p, *iv = in + 1, *body = iv + IV_BYTES;
	uint8_t key[32], tag[TAG_BYTES], *out;
	size_t size = wrapped.n - VAULT_OVERHEAD;
	int n;
	memcpy(tag, body + size, TAG_BYTES);
	out = arena_alloc_raw(a, size);
	context_key(v, a, context, key);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	INVARIANT(c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, iv) == 1);
	OPENSSL_cleanse(key, sizeof(key));
	bool good = EVP_DecryptUpdate(c, NULL, &n, in, 1) == 1 &&
		    EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)context.p, (int)context.n) == 1 &&
		    EVP_DecryptUpdate(c, out, &n, body, (int)size) == 1 &&
		    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
		    EVP_DecryptFinal_ex(c, out + size, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	*plain = str_n(out, size);
	if (good) return OK;
	vault_wipe(*plain);
	*plain = STR_NONE;
	return STATUS(CORRUPT);
}
