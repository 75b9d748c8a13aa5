/* The ciphertext blob that symmetric Encrypt and GenerateDataKey return: opaque to clients, of virga's own format, in
 * version 1:
 *
 *     offset  size  what
 *     0       1     version, 0x01
 *     1       1     algorithm, 0x01: AES-256-GCM, the key material itself being the key
 *     2       2     length A of the key ARN, big endian
 *     4       A     key ARN
 *     4+A     32    key material id
 *     36+A    12    IV, random
 *     48+A    16    tag
 *     64+A    n     ciphertext
 *
 * The additional authenticated data are the bytes before the IV, then the encryption context: for each pair, in the
 * order of the keys' bytes, the key's length (4 bytes, big endian), the key, the value's length, the value. So nothing
 * of the header can be changed, and only the same context decrypts. Pure functions, any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum { KMS_BLOB_ID_BYTES = 32, KMS_BLOB_IV_BYTES = 12, KMS_BLOB_TAG_BYTES = 16, KMS_BLOB_FIXED_BYTES = 64 };

struct kms_blob {
	struct str header; /* up to the IV */
	struct str key_arn, material_id, iv, tag, ciphertext;
};
/* INVALID for anything but a blob of version 1. The parts point into `bytes`. */
status kms_blob_read(struct str bytes, struct kms_blob *out) MUST_USE;

/* A pair of an encryption context, laid out as generated maps' entries are. */
struct kms_pair {
	struct str key, value;
};
/* The canonical bytes of a context, "" for none. */
struct str kms_context_bytes(struct arena *a, const struct kms_pair *pairs, size_t n);

/* key: 32 bytes. The blob is in `a`. */
struct str kms_blob_seal(struct arena *a, const uint8_t key[32], struct str key_arn, struct str material_id,
	struct str context, struct str plain);
/* INVALID where the tag does not fit. The plaintext is in `a`. */
status kms_blob_open(struct arena *a, const uint8_t key[32], const struct kms_blob *b, struct str context,
	struct str *plain) MUST_USE;
