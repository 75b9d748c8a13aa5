/* Ciphertext blobs: reading, sealing, opening; see blob.h. */
#include "services/kms/blob.h"
#include "base/buf.h"
#include "base/rand.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { VERSION = 1, AES_256_GCM = 1, ARN_MAX = 2048 };

status kms_blob_read(struct str bytes, struct kms_blob *out)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	if (bytes.n < KMS_BLOB_FIXED_BYTES || p[0] != VERSION || p[1] != AES_256_GCM) return STATUS(INVALID);
	size_t arn = (size_t)p[2] << 8 | p[3];
	if (arn == 0 || arn > ARN_MAX || bytes.n < KMS_BLOB_FIXED_BYTES + arn) return STATUS(INVALID);
	size_t at = 4 + arn;
	out->key_arn = str_sub(bytes, 4, arn);
	out->material_id = str_sub(bytes, at, KMS_BLOB_ID_BYTES);
	at += KMS_BLOB_ID_BYTES;
	out->header = str_sub(bytes, 0, at);
	out->iv = str_sub(bytes, at, KMS_BLOB_IV_BYTES);
	at += KMS_BLOB_IV_BYTES;
	out->tag = str_sub(bytes, at, KMS_BLOB_TAG_BYTES);
	out->ciphertext = str_from(bytes, at + KMS_BLOB_TAG_BYTES);
	return OK;
}

static int by_key(const void *x, const void *y)
{
	const struct kms_pair *a = x, *b = y;
	int order = str_cmp(a->key, b->key);
	return order ? order : str_cmp(a->value, b->value);
}

static void add_counted(struct buf *b, struct str s)
{
	uint32_t n = (uint32_t)s.n;
	char be[4] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
	buf_add(b, be, sizeof(be));
	buf_str(b, s);
}

struct str kms_context_bytes(struct arena *a, const struct kms_pair *pairs, size_t n)
{
	if (!n) return STR("");
	struct kms_pair *sorted = arena_copy(a, pairs, n * sizeof(*pairs));
	qsort(sorted, n, sizeof(*sorted), by_key);
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < n; i++) {
		add_counted(&b, sorted[i].key);
		add_counted(&b, sorted[i].value);
	}
	return buf_done(&b);
}

static bool update(EVP_CIPHER_CTX *c, uint8_t *out, struct str in)
{
	int n;
	return in.n == 0 || EVP_CipherUpdate(c, out, &n, (const uint8_t *)in.p, (int)in.n) == 1;
}

struct str kms_blob_seal(struct arena *a, const uint8_t key[32], struct str key_arn, struct str material_id,
	struct str context, struct str plain)
{
	INVARIANT(key_arn.n > 0 && key_arn.n <= ARN_MAX && material_id.n == KMS_BLOB_ID_BYTES && plain.n <= INT32_MAX);
	size_t total = KMS_BLOB_FIXED_BYTES + key_arn.n + plain.n;
	uint8_t *out = arena_alloc_raw(a, total), *p = out;
	*p++ = VERSION;
	*p++ = AES_256_GCM;
	*p++ = (uint8_t)(key_arn.n >> 8);
	*p++ = (uint8_t)key_arn.n;
	memcpy(p, key_arn.p, key_arn.n);
	p += key_arn.n;
	memcpy(p, material_id.p, KMS_BLOB_ID_BYTES);
	p += KMS_BLOB_ID_BYTES;
	struct str header = str_n(out, (size_t)(p - out));
	uint8_t *iv = p, *tag = iv + KMS_BLOB_IV_BYTES, *body = tag + KMS_BLOB_TAG_BYTES;
	rand_bytes(iv, KMS_BLOB_IV_BYTES);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;
	INVARIANT(c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, iv, 1) == 1);
	INVARIANT(update(c, NULL, header) && update(c, NULL, context) && update(c, body, plain));
	INVARIANT(EVP_CipherFinal_ex(c, body + plain.n, &n) == 1);
	INVARIANT(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, KMS_BLOB_TAG_BYTES, tag) == 1);
	EVP_CIPHER_CTX_free(c);
	return str_n(out, total);
}

status kms_blob_open(
	struct arena *a, const uint8_t key[32], const struct kms_blob *b, struct str context, struct str *plain)
{
	if (b->ciphertext.n > INT32_MAX) return STATUS(INVALID);
	uint8_t *out = arena_alloc_raw(a, b->ciphertext.n), tag[KMS_BLOB_TAG_BYTES];
	memcpy(tag, b->tag.p, sizeof(tag));
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;
	INVARIANT(c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, (const uint8_t *)b->iv.p, 0) == 1);
	bool good = update(c, NULL, b->header) && update(c, NULL, context) && update(c, out, b->ciphertext) &&
		    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, KMS_BLOB_TAG_BYTES, tag) == 1 &&
		    EVP_CipherFinal_ex(c, out + b->ciphertext.n, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (!good) {
		OPENSSL_cleanse(out, b->ciphertext.n);
		return STATUS(INVALID);
	}
	*plain = str_n(out, b->ciphertext.n);
	return OK;
}
