/* Envelope encryption for the services that keep clients' secrets: a data key of KMS seals the bytes, and its wrapped
 * form lies beside them, so that values of any length are readable only while the key serves.
 *
 *     0x01, length of the wrapped data key (2 bytes, big endian), the wrapped data key, an IV of 12 bytes, a tag of 16
 *     bytes, the ciphertext (AES-256-GCM)
 *
 * The additional authenticated data are the canonical bytes of the encryption context (blob.h), which KMS too checks
 * when it opens the data key. Any thread. */
#pragma once
#include "services/kms/blob.h"
#include "services/kms/keys.h"

#define KMS_ENVELOPE_OVERHEAD (3u + 12u + 16u)

/* As kms_use_data_key: OK, FAILED with *why, or what the store said. sealed is in u->arena. */
status kms_envelope_seal(const struct kms_use *u, struct str reference, const struct kms_pair *context,
	size_t n_context, struct str plain, struct str *sealed, struct str *key_arn, struct kms_refusal *why) MUST_USE;
/* CORRUPT where the bytes are no envelope; FAILED with KMS_WHY_INVALID_CIPHERTEXT where they were changed. The
 * plaintext is in u->arena, to be wiped once it has served. */
status kms_envelope_open(const struct kms_use *u, struct str sealed, const struct kms_pair *context, size_t n_context,
	struct str *plain, struct kms_refusal *why) MUST_USE;
