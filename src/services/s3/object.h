/* What operations on objects share: keys, bodies to read, the handlers' common steps. */
#pragma once
#include "services/s3/records.h"

/* KeyTooLongError, InvalidURI for what is not UTF-8. */
status s3_key_check(struct call *c, struct str key) MUST_USE;
/* 411 where nobody said how long the body is; EntityTooLarge is the call's. */
status s3_length_check(struct call *c) MUST_USE;
/* A request body to answer with: `size` bytes from `offset` of what the extents hold together. The call closes it. */
status s3_body_open(
	struct call *c, const struct s3_rec_extents *x, uint64_t offset, uint64_t size, struct body **out) MUST_USE;
/* Digests of those bytes (reads them all: for blocking operations). */
status s3_body_digest(struct call *c, const struct s3_rec_extents *x, uint32_t wanted, struct digests *out) MUST_USE;

/* A Range header (RFC 9110 section 14) over an object of that size. */
enum s3_range {
	S3_RANGE_NONE /* absent, malformed or several: the whole object */,
	S3_RANGE_OK,
	S3_RANGE_UNSATISFIABLE
};
enum s3_range s3_range_read(struct str header, uint64_t size, uint64_t *first, uint64_t *last);

/* bucket/key?versionId=… of x-amz-copy-source: loads the source's bucket and object and judges the copy's conditions.
 */
struct s3_copy_source {
	struct s3_rec_bucket bucket;
	struct str key;
	struct s3_rec_object object;
	bool version_named;
};
/* [/]bucket/key[?versionId=id], percent-encoded, in its parts; FAILED where it is none. */
status s3_copy_source_split(struct call *c, struct str text, struct str *bucket, struct str *key, struct str *version_id)
	MUST_USE;
struct s3_conditions;
status s3_copy_source_load(struct call *c, struct str copy_source, struct str expected_owner,
	const struct s3_conditions *conditions, struct s3_copy_source *out) MUST_USE;

/* The service's authorize (see struct service). */
status s3_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context);
