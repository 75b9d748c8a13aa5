/* SHA-256 and HMAC-SHA-256 at their fastest for short messages: OpenSSL's block functions without EVP's allocations and
 * locks (bench/sigv4.c measures both). An HMAC key is kept as its two primed states, so that each message saves two blocks.
 * For the files of identity only; digest.h is the door for other rooms. */
#pragma once
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/str.h"
#include <openssl/sha.h>

struct sha256_hmac_key {
	SHA256_CTX inner, outer;
};

static inline void sha256_begin(SHA256_CTX *c) { SHA256_Init(c); }
static inline void sha256_add(SHA256_CTX *c, struct str s) { SHA256_Update(c, s.p, s.n); }
static inline void sha256_end(SHA256_CTX *c, uint8_t out[32]) { SHA256_Final(out, c); }
static inline void sha256_once(struct str s, uint8_t out[32])
{
	SHA256_CTX c;
	sha256_begin(&c);
	sha256_add(&c, s);
	sha256_end(&c, out);
}
/* Keys of any length (RFC 2104: longer than a block means hashed first). */
void sha256_hmac_prime(struct sha256_hmac_key *k, struct str key);
void sha256_hmac(const struct sha256_hmac_key *k, struct str message, uint8_t out[32]);
/* 64 lower-case digits. */
void sha256_hex(const uint8_t bytes[32], char out[64]);
