/* What the operations on buckets' access and locks share. */
#pragma once
#include "services/s3/records.h"

/* Writes a loaded bucket's record again. */
void s3_bucket_save(struct call *c, const struct s3_rec_bucket *b);

status s3_no_such_bucket(struct call *c, struct str name) MUST_USE;
/* The caller's account, "anonymous" where nobody signed. */
struct str s3_caller_account(const struct call *c);
/* The account that a canonical id (s3_canonical_id) names; false for what names none. */
bool s3_account_of(struct arena *a, struct str id, struct str *account);

/* ── bucket_policy.c ── */

struct policy;
struct policy_library;
/* The compiled policy of a bucket that has one, with a reference for the caller. denials: only its Deny statements;
 * *out NULL where it has none. */
status s3_policy_load(struct store_tx *tx, struct arena *a, struct policy_library *l, const struct s3_rec_bucket *b,
	bool denials, struct policy **out) MUST_USE;
/* Of a bucket that goes. */
void s3_policy_drop(struct call *c, const struct s3_rec_bucket *b);

struct policy_context;
/* describe.c: what the request says, as condition keys. */
void s3_describe_request(struct call *c, const void *in, struct policy_context *context);
