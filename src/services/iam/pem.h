/* Certificates and keys as texts. All: NULL where the text is none; the caller frees. */
#pragma once
#include "base/str.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

/* The first certificate of a PEM text; when it ends, where expires_ms is not NULL. */
X509 *iam_pem_certificate(struct str pem, int64_t *expires_ms);
/* Unencrypted. */
EVP_PKEY *iam_pem_private_key(struct str pem);
/* An RSA public key as "ssh-rsa BASE64 …" or as PEM, of at least 2,048 bits. */
EVP_PKEY *iam_ssh_public_key(struct arena *a, struct str text);
/* The key as OpenSSH's binary (RFC 4253, section 6.6), and as PEM. */
struct str iam_ssh_blob(struct arena *a, EVP_PKEY *key);
struct str iam_pem_public_key(struct arena *a, EVP_PKEY *key);
