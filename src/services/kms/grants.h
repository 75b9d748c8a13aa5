/* Grants, as the rest of KMS sees them. */
#pragma once
#include "services/kms/room.h"

/* The grant that RetireGrant names, and whether it lets this caller retire it. FAILED with why in s. */
struct kms_retirement {
	struct kms_key key;
	struct str id;
	struct kms_rec_grant grant;
	bool allowed;
};
status kms_retirement_find(struct kms_scope *s, const struct kms_retire_grant_input *in, const struct principal *who,
	struct kms_retirement *out) MUST_USE;
/* Does a grant let this caller do this operation (AWS's GrantOperation: "Decrypt", "ReEncryptFrom", …) with this
 * context? asked: the grant that CreateGrant would make, NULL for other operations. */
status kms_grant_allows(struct kms_scope *s, const struct kms_key *k, const struct principal *who, struct str operation,
	const struct kms_pair *pairs, size_t n, const struct kms_create_grant_input *asked, bool *allowed) MUST_USE;
