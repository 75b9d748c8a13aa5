/* Stored access keys, as the files of identity see them. */
#pragma once
#include "identity/identity.h"
#include "identity_state.h"

/* NOT_FOUND, or CORRUPT or IO. Not validated at commit. */
status identity_key_read(struct store_tx *tx, struct arena *a, struct str access_key, struct identity_rec_key *out) MUST_USE;
/* `verified` is left false. Strings are the record's. */
struct principal identity_principal_of(const struct identity_rec_key *k, struct str access_key);
/* An account's root, whose secret nobody knows. */
struct principal identity_root_of(struct arena *a, struct str account, struct str access_key);
