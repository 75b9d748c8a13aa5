/* Directory buckets: S3 Express One Zone ("Directory buckets", "S3 Express One Zone", Amazon S3 User Guide). A bucket
 * of one zone, named BASE--ZONE--x-s3, used within sessions of five minutes; without versions, tags, ACLs, locks and
 * the rest. */
#pragma once
#include "services/s3/checksum.h"
#include "services/s3/records.h"
#include "services/s3/sse.h"

static inline bool s3_is_directory(const struct s3_rec_bucket *b)
{
	return str_has(b->zone);
}
/* The zone's id in a directory bucket's name; STR_NONE for any other name. */
struct str s3_express_zone(struct str name);
struct str s3_express_arn(struct call *c, const struct s3_rec_bucket *b);
/* Does this operation exist for directory buckets? */
bool s3_express_serves(uint32_t op);

/* CreateBucket with a Location: checks the configuration and the name, sets b->zone and ->region. */
status s3_express_create(struct call *c, const struct s3_create_bucket_input *in, struct s3_rec_bucket *b) MUST_USE;
/* How the names of an account's directory buckets begin, or one of them. */
struct str s3_express_owned(struct arena *a, struct str partition, struct str account, struct str name);
/* 503 while its zone is down. */
status s3_express_check_zone(struct call *c, const struct s3_rec_bucket *b) MUST_USE;

struct s3_headers;
/* Refuses what objects of directory buckets do not have. */
status s3_express_headers(struct call *c, const struct s3_headers *h) MUST_USE;
/* "ETags are random alphanumeric strings unique to the object". */
struct str s3_express_tag(struct arena *a);

/* PutObject with x-amz-write-offset-bytes, onto an object that is there. kept: the algorithm of the body's checksum. */
status s3_express_append(struct call *c, const struct s3_put_object_input *in, const struct s3_rec_bucket *b,
	const struct s3_rec_object *existing, const struct s3_algorithm *kept,
	struct s3_put_object_output *out) MUST_USE;

/* ── express_permit.c ── */

struct authz_demands;
struct policy_context;
/* Turns what is demanded of directory buckets into s3express's actions; refuses operations that they do not have, and
 * what a session does not cover. After the operation's own demands are known. */
status s3_express_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *d,
	struct policy_context *context) MUST_USE;
/* The bucket of the caller's session and whether it may write; false where the caller has none. */
bool s3_express_session(const struct call *c, struct str *bucket, bool *writes);
/* The principal that a session's credentials stand for: one that nothing else lets in. */
struct principal s3_express_principal(struct call *c, struct str bucket, bool writes);
/* Remembers whose session it is, for as long as it lasts. */
void s3_express_remember(struct call *c, const struct principal *session);
void s3_express_register(struct cloud *cloud);
/* May a directory bucket's policy name this action? */
bool s3_express_action(struct str name);
