/* Inside the room of S3: finding and guarding buckets, and the errors that many of its operations share. Names begin
 * with s3_; the operations themselves have their prototypes in the generated s3.h. */
#pragma once
#include "call/call.h"
#include "s3.h"
#include "s3_state.h"

/* "Amazon S3 multipart upload limits" */
#define S3_BODY_MAX (5ull << 30) /* bytes in one request or part */
#define S3_PART_MIN (5ull << 20) /* bytes of every part but the last */
enum { S3_PARTS_MAX = 10000, S3_PAGE_MAX = 1000 };

/* Loads the bucket; the transaction is validated against it, so that nothing is written into a bucket that goes
 * meanwhile. Fails as AWS does where the name cannot be one, there is none, the request was signed for another region,
 * expected_owner (may be absent) is not the owner, or the caller may not use it. */
status s3_bucket_load(struct call *c, struct str name, struct str expected_owner, struct s3_rec_bucket *out) MUST_USE;
/* The same without the region's check: for operations that every region answers. */
status s3_bucket_load_anywhere(
	struct call *c, struct str name, struct str expected_owner, struct s3_rec_bucket *out) MUST_USE;

/* The service's reset (see struct service). */
status s3_reset(struct cloud *cloud, void *state, bool gone);

/* InvalidArgument with ArgumentName and ArgumentValue. */
status s3_invalid_argument(struct call *c, struct str name, struct str value, const char *message);
/* NotImplemented, as AWS words it, for a header whose function is not there. */
status s3_header_not_implemented(struct call *c, struct str header);
status s3_no_such_key(struct call *c, struct str key);
status s3_no_such_upload(struct call *c, struct str upload_id);

/* The canonical id of an account, 64 hexadecimal digits. */
struct str s3_canonical_id(struct arena *a, struct str account);
struct s3_owner *s3_owner_of(struct call *c, struct str account);
/* With double quotes around it. */
struct str s3_quoted(struct arena *a, struct str e_tag);
