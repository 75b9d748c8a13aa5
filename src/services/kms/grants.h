/* Grants, as the rest of KMS sees them. */
#pragma once
#include "services/kms/room.h"

/* Does a grant let this caller do this operation (AWS's GrantOperation: "Decrypt", "ReEncryptFrom", …) with this context? */
status kms_grant_allows(struct kms_scope *s, const struct kms_key *k, const struct principal *who, struct str operation,
	const struct kms_pair *pairs, size_t n, bool *allowed) MUST_USE;
