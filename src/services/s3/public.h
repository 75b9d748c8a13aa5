/* Block Public Access ("Blocking public access to your Amazon S3 storage", Amazon S3 User Guide): four settings of a
 * bucket and of an account; each holds where either has it. A new bucket has all of them, an account none. The
 * account's lie at
 * ("s3", "account", account). */
#pragma once
#include "services/s3/records.h"

enum {
	S3_BLOCK_PUBLIC_ACLS = 1,
	S3_IGNORE_PUBLIC_ACLS = 2,
	S3_BLOCK_PUBLIC_POLICY = 4,
	S3_RESTRICT_PUBLIC_BUCKETS = 8,
	S3_PUBLIC_ALL = 15,
	S3_PUBLIC_REMOVED = 16, /* of a bucket: its configuration was deleted */
};
/* What is said of an account; *said false where nothing is. */
status s3_account_public(struct store_tx *tx, struct arena *a, struct str account, unsigned *bits, bool *said) MUST_USE;
void s3_account_public_put(struct store_tx *tx, struct arena *a, struct str account, unsigned bits);
void s3_account_public_drop(struct store_tx *tx, struct arena *a, struct str account);
/* What holds for a bucket. */
status s3_bucket_public(struct store_tx *tx, struct arena *a, const struct s3_rec_bucket *b, unsigned *bits) MUST_USE;
