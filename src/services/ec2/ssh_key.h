/* SSH keys: made, read and written in the formats that EC2 knows ("Amazon EC2 key pairs and Amazon EC2 instances", the
 * guide). Pure functions over memory, any thread; what they return is in `a`. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include <openssl/evp.h>

enum ssh_kind { SSH_RSA, SSH_ED25519 };
struct ssh_public {
	enum ssh_kind kind;
	struct str blob; /* RFC 4253, section 6.6 */
	unsigned bits;
};
/* "ssh-rsa BASE64 comment", "ssh-ed25519 …", RFC 4716's form, or PEM's SubjectPublicKeyInfo. INVALID for anything else.
 */
status ssh_public_read(struct arena *a, struct str text, struct ssh_public *out) MUST_USE;
/* "ssh-rsa BASE64 comment", without a line's end. */
struct str ssh_public_line(struct arena *a, const struct ssh_public *k, struct str comment);
/* As the guide's "Verify the fingerprint" tells for keys that were imported, or whose kind is ED25519: RSA: MD5 of the
 * DER public key; ED25519: SHA-256 of the blob in base64. */
struct str ssh_public_fingerprint(struct arena *a, const struct ssh_public *k);

/* NULL where OpenSSL refuses; the caller frees. */
EVP_PKEY *ssh_private_new(enum ssh_kind kind);
struct ssh_public ssh_public_of(struct arena *a, EVP_PKEY *key);
/* RSA: PEM of PKCS #1; ED25519: OpenSSH's own form. */
struct str ssh_private_pem(struct arena *a, EVP_PKEY *key);
/* PuTTY's, version 2, without a passphrase. */
struct str ssh_private_ppk(struct arena *a, EVP_PKEY *key, struct str comment);
/* Of keys that EC2 made: RSA: SHA-1 of the private key's PKCS #8. */
struct str ssh_private_fingerprint(struct arena *a, EVP_PKEY *key);
