/* SCRAM-SHA-256 as PostgreSQL stores it: "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>" (RFC 5802, RFC
 * 5803; "pg_authid", the PostgreSQL documentation). */
#include "base/rand.h"
#include "services/rds/room.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { ITERATIONS = 4096, SALT = 16, DIGEST = 32 };

struct str rds_scram_verifier(struct arena *a, struct str password)
{
	unsigned char salt[SALT], salted[DIGEST], client[DIGEST], stored[DIGEST], server[DIGEST];
	unsigned n = DIGEST;
	rand_bytes(salt, sizeof(salt));
	INVARIANT(PKCS5_PBKDF2_HMAC(
			  password.p, (int)password.n, salt, SALT, ITERATIONS, EVP_sha256(), DIGEST, salted) == 1);
	INVARIANT(HMAC(EVP_sha256(), salted, DIGEST, (const unsigned char *)"Client Key", 10, client, &n));
	INVARIANT(HMAC(EVP_sha256(), salted, DIGEST, (const unsigned char *)"Server Key", 10, server, &n));
	INVARIANT(EVP_Digest(client, DIGEST, stored, &n, EVP_sha256(), NULL) == 1);
	return str_fmt(a, "SCRAM-SHA-256$%d:%.*s$%.*s:%.*s", ITERATIONS, STR_ARG(str_base64(a, str_n(salt, SALT))),
		STR_ARG(str_base64(a, str_n(stored, DIGEST))), STR_ARG(str_base64(a, str_n(server, DIGEST))));
}
