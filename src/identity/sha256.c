/* HMAC-SHA-256 (RFC 2104) from primed states. */
#include "identity/sha256.h"
#include <openssl/crypto.h>

enum { BLOCK = 64 };

void sha256_hmac_prime(struct sha256_hmac_key *k, struct str key)
{
	uint8_t pad[BLOCK] = {0};
	if (key.n > BLOCK)
		sha256_once(key, pad);
	else if (key.n)
		memcpy(pad, key.p, key.n);
	for (size_t i = 0; i < BLOCK; i++) pad[i] ^= 0x36;
	sha256_begin(&k->inner);
	sha256_add(&k->inner, str_n(pad, BLOCK));
	for (size_t i = 0; i < BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
	sha256_begin(&k->outer);
	sha256_add(&k->outer, str_n(pad, BLOCK));
	OPENSSL_cleanse(pad, sizeof(pad));
}

void sha256_hmac(const struct sha256_hmac_key *k, struct str message, uint8_t out[32])
{
	SHA256_CTX c = k->inner;
	uint8_t inner[32];
	sha256_add(&c, message);
	sha256_end(&c, inner);
	c = k->outer;
	sha256_add(&c, str_n(inner, sizeof(inner)));
	sha256_end(&c, out);
}

void sha256_hex(const uint8_t bytes[32], char out[64])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < 32; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
}
