/* SCRAM-SHA-256 as PostgreSQL stores it: "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>" (RFC 5802, RFC
 * 5803; "pg_authid", the PostgreSQL documentation). */
#include "base/rand.h"
#include "services/rds/proxy.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { ITERATIONS = 4096, ITERATIONS_MAX = 1000000, SALT = 16, DIGEST = 32 };

static struct str verifier(struct arena *a, struct str password, struct str salt, int iterations)
{
	unsigned char salted[DIGEST], client[DIGEST], stored[DIGEST], server[DIGEST];
	unsigned n = DIGEST;
	INVARIANT(PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n, iterations,
			  EVP_sha256(), DIGEST, salted) == 1);
	INVARIANT(HMAC(EVP_sha256(), salted, DIGEST, (const unsigned char *)"Client Key", 10, client, &n));
	INVARIANT(HMAC(EVP_sha256(), salted, DIGEST, (const unsigned char *)"Server Key", 10, server, &n));
	INVARIANT(EVP_Digest(client, DIGEST, stored, &n, EVP_sha256(), NULL) == 1);
	return str_fmt(a, "SCRAM-SHA-256$%d:%.*s$%.*s:%.*s", iterations, STR_ARG(str_base64(a, salt)),
		STR_ARG(str_base64(a, str_n(stored, DIGEST))), STR_ARG(str_base64(a, str_n(server, DIGEST))));
}

struct str rds_scram_verifier(struct arena *a, struct str password)
{
	unsigned char salt[SALT];
	rand_bytes(salt, sizeof(salt));
	return verifier(a, password, str_n(salt, SALT), ITERATIONS);
}

bool rds_scram_matches(struct arena *a, struct str password, struct str kept)
{
	struct str rest = kept, salt;
	int64_t iterations;
	if (!str_is(str_cut(&rest, '$'), "SCRAM-SHA-256") || !str_has(rest)) return false;
	struct str head = str_cut(&rest, '$'), count = str_cut(&head, ':');
	if (!str_has(head) || !is_ok(str_to_i64(count, &iterations)) || iterations < 1 || iterations > ITERATIONS_MAX ||
		!is_ok(str_unbase64(a, head, &salt)))
		return false;
	return str_eq_secret(verifier(a, password, salt, (int)iterations), kept);
}
