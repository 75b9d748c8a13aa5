/* The vault keeps secrets unreadable on disk: whatever virga stores that must not lie there in plain bytes (KMS key
 * material, the keys of S3's SSE-S3) is wrapped by the installation's root key before it goes into the store.
 *
 * The root key is 32 random bytes in DIR/root.key, which only its owner may read (0600), made at first start; or it is
 * derived from a passphrase by scrypt (RFC 7914; N = 2^15, r = 8, p = 1), and DIR/root.key then holds the salt and a
 * check value, but no key. Which of both it is is decided at first start and stays. Who copies the data folder without
 * root.key (or without the passphrase) has no key material; who has both has all of it.
 *
 * Wrapped bytes: 0x01, a random IV of 12 bytes, the ciphertext, a tag of 16 bytes: AES-256-GCM under
 * HMAC-SHA-256(root key, "virga vault 1" 0x00 context), additional data the version byte and the context. A key of its
 * own for each context keeps the number of random IVs under one key small (NIST SP 800-38D, 8.3: at most 2^32). The
 * context names what is wrapped ("kms" 0x00 account 0x00 …), so that a record copied to another place does not unwrap
 * there. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct vault;

#define VAULT_OVERHEAD (1u + 12u + 16u)

struct vault_options {
	const char *dir;       /* the data folder; it exists */
	struct str passphrase; /* STR_NONE: root.key holds the key itself */
};
/* Opens or makes the root key; durable on return. INVALID: the file is malformed, readable by others, or the passphrase
 * is not the one (or is missing, or is given where a key file is used); IO: the machine refused. *why is a sentence for
 * the user, static or in `a`. */
status vault_open(const struct vault_options *o, struct arena *a, struct vault **out, struct str *why) MUST_USE;
/* A vault with a random key that is kept nowhere, for tests. */
struct vault *vault_new_forgetful(void);
struct store;
/* Is this the root key that the store's secrets were wrapped by? A store that was never asked remembers this one;
 * durable on return. CORRUPT where it is another (root.key was lost and made anew, or belongs elsewhere). */
status vault_match(const struct vault *v, struct store *s, struct arena *a) MUST_USE;
/* Wipes the key. NULL is fine. */
void vault_close(struct vault *v);

/* Both: any thread. The result is in `a`; an unwrapped secret is to be wiped with vault_wipe once it has served. */
struct str vault_wrap(const struct vault *v, struct arena *a, struct str context, struct str plain);
/* CORRUPT where the bytes, the context or the root key are not those of the wrapping. */
status vault_unwrap(
	const struct vault *v, struct arena *a, struct str context, struct str wrapped, struct str *plain) MUST_USE;
/* Overwrites the bytes that a str points to; for secrets in an arena. */
void vault_wipe(struct str secret);
