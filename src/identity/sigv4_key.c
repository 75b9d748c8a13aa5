/* The signing key: four HMACs from a secret to a key that signs for one date, region and service. A client asks with
 * the same four for a day, so each thread keeps the last few keys, primed. Nothing is shared, nothing is locked. */
#include "identity/sigv4_internal.h"
#include <openssl/crypto.h>

static void step(const uint8_t key[32], struct str message, uint8_t out[32])
{
	struct sha256_hmac_key k;
	sha256_hmac_prime(&k, str_n(key, 32));
	sha256_hmac(&k, message, out);
}

void sigv4_signing_key(struct str secret, struct str date, struct str region, struct str service, uint8_t key[32])
{
	char prefixed[4 + 128];
	struct sha256_hmac_key k;
	if (secret.n <= sizeof(prefixed) - 4) {
		memcpy(prefixed, "AWS4", 4);
		if (secret.n) memcpy(prefixed + 4, secret.p, secret.n);
		sha256_hmac_prime(&k, str_n(prefixed, 4 + secret.n));
		OPENSSL_cleanse(prefixed, 4 + secret.n);
	} else { /* longer than a block, thus hashed (RFC 2104) */
		SHA256_CTX c;
		uint8_t hashed[32];
		sha256_begin(&c);
		sha256_add(&c, STR("AWS4"));
		sha256_add(&c, secret);
		sha256_end(&c, hashed);
		sha256_hmac_prime(&k, str_n(hashed, sizeof(hashed)));
	}
	uint8_t x[32];
	sha256_hmac(&k, date, x);
	step(x, region, x);
	step(x, service, x);
	step(x, STR("aws4_request"), key);
	OPENSSL_cleanse(&k, sizeof(k));
	OPENSSL_cleanse(x, sizeof(x));
}

/* Direct-mapped. What names a key is compared whole, the secret too: a key id whose secret changed finds nothing old.
 */
enum { SLOTS = 32, NAME_MAX_BYTES = 160 };
struct slot {
	uint8_t length;                /* of name; 0: empty */
	uint8_t date, region, service; /* their lengths within name */
	char name[NAME_MAX_BYTES];     /* date, region, service, secret */
	uint8_t key[32];
	struct sha256_hmac_key primed;
};

void sig_key_primed(struct str secret, struct str date, struct str region, struct str service, uint8_t key[32],
	struct sha256_hmac_key *primed)
{
	static _Thread_local struct slot slots[SLOTS];
	size_t n = date.n + region.n + service.n + secret.n;
	if (n == 0 || n > NAME_MAX_BYTES) {
		sigv4_signing_key(secret, date, region, service, key);
		sha256_hmac_prime(primed, str_n(key, 32));
		return;
	}
	char name[NAME_MAX_BYTES], *p = name;
	const struct str parts[] = {date, region, service, secret};
	for (size_t i = 0; i < 4; i++)
		if (parts[i].n) p = (char *)memcpy(p, parts[i].p, parts[i].n) + parts[i].n;
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < n; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	struct slot *s = &slots[(hash ^ hash >> 15) % SLOTS];
	if (s->length != n || s->date != date.n || s->region != region.n || s->service != service.n ||
		CRYPTO_memcmp(s->name, name, n) != 0) {
		s->length = (uint8_t)n;
		s->date = (uint8_t)date.n;
		s->region = (uint8_t)region.n;
		s->service = (uint8_t)service.n;
		memcpy(s->name, name, n);
		sigv4_signing_key(secret, date, region, service, s->key);
		sha256_hmac_prime(&s->primed, str_n(s->key, 32));
	}
	memcpy(key, s->key, 32);
	*primed = s->primed;
	OPENSSL_cleanse(name, n);
}
