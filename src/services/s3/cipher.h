/* How a body lies on disk: cut into chunks of 64 KiB, each sealed by AES-256-GCM under the body's own random key, with
 * the chunk's number as its nonce (a key seals one body, once, so no nonce comes twice; NIST SP 800-38D, 8.2.1) and its
 * tag behind it. Any range is read by opening the chunks that it touches, and no flipped, moved or missing bit opens. A
 * body's key is kept wrapped by another key, so that rotations and copies rewrap 32 bytes and leave the body alone.
 *
 * A wrapped key: a random salt of 16 bytes, the ciphertext, a tag of 16 bytes: AES-256-GCM under HMAC-SHA-256(wrapping
 * key, salt), whose nonce may be zero, since each salt's key serves once. (RFC 3394's wrap through EVP costs 5 to 12
 * us, this 2: as much as the rest of a small GET's cryptography.) */
#pragma once
#include "base/str.h"

#define S3_CHUNK_BYTES (64u << 10)
#define S3_CHUNK_TAG_BYTES 16u
#define S3_CHUNK_SEALED_BYTES (S3_CHUNK_BYTES + S3_CHUNK_TAG_BYTES)
#define S3_KEY_BYTES 32u
#define S3_KEY_SALT_BYTES 16u
#define S3_KEY_WRAPPED_BYTES (S3_KEY_SALT_BYTES + S3_KEY_BYTES + S3_CHUNK_TAG_BYTES)

/* One key, one direction; one thread at a time. */
struct s3_cipher;
struct s3_cipher *s3_cipher_new(const uint8_t key[S3_KEY_BYTES], bool sealing);
/* Wipes. NULL is fine. */
void s3_cipher_free(struct s3_cipher *c);
/* n plain bytes (1 to S3_CHUNK_BYTES) of chunk `number`; sealed has room for n + S3_CHUNK_TAG_BYTES and may be `plain`.
 */
void s3_cipher_seal(struct s3_cipher *c, uint64_t number, const void *plain, size_t n, void *sealed);
/* n sealed bytes, tag included; plain has room for n - S3_CHUNK_TAG_BYTES and may be `sealed`. CORRUPT where they are
 * not what was sealed as this chunk; what is in plain then is not to be used. */
status s3_cipher_open(struct s3_cipher *c, uint64_t number, const void *sealed, size_t n, void *plain) MUST_USE;

/* Bytes on disk of a body of that many. */
static inline uint64_t s3_cipher_stored(uint64_t plain)
{
	return plain + (plain + S3_CHUNK_BYTES - 1) / S3_CHUNK_BYTES * S3_CHUNK_TAG_BYTES;
}

void s3_key_wrap(const uint8_t by[S3_KEY_BYTES], const uint8_t key[S3_KEY_BYTES], uint8_t out[S3_KEY_WRAPPED_BYTES]);
/* CORRUPT where it was not wrapped by that key. */
status s3_key_unwrap(const uint8_t by[S3_KEY_BYTES], const uint8_t wrapped[S3_KEY_WRAPPED_BYTES],
	uint8_t out[S3_KEY_BYTES]) MUST_USE;
