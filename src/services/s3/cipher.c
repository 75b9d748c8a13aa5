/* The chunk cipher, over OpenSSL's EVP: the key schedule is made once, a chunk costs one change of the nonce. */
#include "services/s3/cipher.h"
#include "base/arena.h"
#include "base/rand.h"
#include "identity/digest.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { NONCE_BYTES = 12 };

struct s3_cipher {
	EVP_CIPHER_CTX *ctx;
	bool sealing;
};

struct s3_cipher *s3_cipher_new(const uint8_t key[S3_KEY_BYTES], bool sealing)
{
	struct s3_cipher *c = mem_new(sizeof *c);
	c->sealing = sealing;
	c->ctx = EVP_CIPHER_CTX_new();
	INVARIANT(c->ctx && EVP_CipherInit_ex(c->ctx, EVP_aes_256_gcm(), NULL, key, NULL, sealing) == 1);
	return c;
}

void s3_cipher_free(struct s3_cipher *c)
{
	if (!c) return;
	EVP_CIPHER_CTX_free(c->ctx);
	free(c);
}

static void set_nonce(struct s3_cipher *c, uint64_t number)
{
	uint8_t nonce[NONCE_BYTES] = {0};
	for (int i = 0; i < 8; i++) nonce[NONCE_BYTES - 1 - i] = (uint8_t)(number >> (8 * i));
	INVARIANT(EVP_CipherInit_ex(c->ctx, NULL, NULL, NULL, nonce, c->sealing) == 1);
}

void s3_cipher_seal(struct s3_cipher *c, uint64_t number, const void *plain, size_t n, void *sealed)
{
	int done, last;
	INVARIANT(c->sealing && n > 0 && n <= S3_CHUNK_BYTES);
	set_nonce(c, number);
	INVARIANT(EVP_EncryptUpdate(c->ctx, sealed, &done, plain, (int)n) == 1 && (size_t)done == n);
	INVARIANT(EVP_EncryptFinal_ex(c->ctx, (uint8_t *)sealed + n, &last) == 1 && last == 0);
	INVARIANT(EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, S3_CHUNK_TAG_BYTES, (uint8_t *)sealed + n) == 1);
}

status s3_cipher_open(struct s3_cipher *c, uint64_t number, const void *sealed, size_t n, void *plain)
{
	int done, last;
	uint8_t tag[S3_CHUNK_TAG_BYTES], end[16];
	INVARIANT(!c->sealing);
	if (n <= S3_CHUNK_TAG_BYTES || n > S3_CHUNK_SEALED_BYTES) return STATUS(CORRUPT);
	n -= S3_CHUNK_TAG_BYTES;
	memcpy(tag, (const uint8_t *)sealed + n, sizeof tag);
	set_nonce(c, number);
	INVARIANT(EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, S3_CHUNK_TAG_BYTES, tag) == 1);
	if (EVP_DecryptUpdate(c->ctx, plain, &done, sealed, (int)n) != 1 || (size_t)done != n) return STATUS(CORRUPT);
	return EVP_DecryptFinal_ex(c->ctx, end, &last) == 1 ? OK : STATUS(CORRUPT);
}

/* ── keys ── */

static struct s3_cipher *wrapping(const uint8_t by[S3_KEY_BYTES], const uint8_t *salt, bool sealing)
{
	uint8_t key[S3_KEY_BYTES];
	digest_hmac_sha256(str_n(by, S3_KEY_BYTES), str_n(salt, S3_KEY_SALT_BYTES), key);
	struct s3_cipher *c = s3_cipher_new(key, sealing);
	OPENSSL_cleanse(key, sizeof key);
	return c;
}

void s3_key_wrap(const uint8_t by[S3_KEY_BYTES], const uint8_t key[S3_KEY_BYTES], uint8_t out[S3_KEY_WRAPPED_BYTES])
{
	rand_bytes(out, S3_KEY_SALT_BYTES);
	struct s3_cipher *c = wrapping(by, out, true);
	s3_cipher_seal(c, 0, key, S3_KEY_BYTES, out + S3_KEY_SALT_BYTES);
	s3_cipher_free(c);
}

status s3_key_unwrap(const uint8_t by[S3_KEY_BYTES], const uint8_t wrapped[S3_KEY_WRAPPED_BYTES], uint8_t out[S3_KEY_BYTES])
{
	uint8_t plain[S3_KEY_BYTES];
	struct s3_cipher *c = wrapping(by, wrapped, false);
	status s = s3_cipher_open(c, 0, wrapped + S3_KEY_SALT_BYTES, S3_KEY_WRAPPED_BYTES - S3_KEY_SALT_BYTES, plain);
	s3_cipher_free(c);
	if (is_ok(s)) memcpy(out, plain, S3_KEY_BYTES);
	OPENSSL_cleanse(plain, sizeof plain);
	return s;
}
