/* Access points ("Managing access with Amazon S3 access points", Amazon S3 User Guide): further names of a bucket, each
 * with a policy of its own, which has to allow beside the bucket's. Keys:
 *
 *     ("s3", "point", account, region, name)
 *     ("s3", "alias", alias)                                  account, region, name as a key
 *     ("s3", "points", bucket id, account, region, name)      those of a bucket
 *
 * A request names one by its alias, by the host name NAME-ACCOUNT.s3-accesspoint.REGION.…, or by its ARN in a copy's
 * source; in an input's Bucket that is the alias, or S3_POINT_PREFIX and NAME-ACCOUNT. */
#pragma once
#include "services/s3/records.h"

#define S3_POINT_PREFIX "accesspoint:"

struct str s3_point_key(struct arena *a, struct str account, struct str region, struct str name /* or STR_NONE: all */);
/* How the keys of a bucket's access points begin. */
struct str s3_point_index(struct arena *a, int64_t bucket_id, const struct s3_rec_point *p /* or NULL: all */);
status s3_point_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct s3_rec_point *out) MUST_USE;
/* Writes a new one with its alias and its place in the bucket's list, or an old one again. */
void s3_point_save(struct store_tx *tx, struct arena *a, const struct s3_rec_point *p);
void s3_point_drop(struct store_tx *tx, struct arena *a, const struct s3_rec_point *p);
/* What an input's Bucket means where no bucket has that name; region: where the request was sent. NOT_FOUND: it names
 * no access point. */
status s3_point_find(
	struct store_tx *tx, struct arena *a, struct str region, struct str name, struct s3_rec_point *out) MUST_USE;
struct str s3_point_arn(struct arena *a, struct str partition, const struct s3_rec_point *p);
/* NAME-ACCOUNT behind the prefix, of arn:…:accesspoint/NAME/object/KEY; false for any other ARN. */
bool s3_point_of_arn(struct arena *a, struct str arn, struct str *bucket, struct str *key);

struct permission;
/* bucket_policy.c: is it a policy that this resource's may be? arn: the bucket's or the access point's. *public: as
 * "The meaning of public" tells. Fails as S3 does. */
status s3_policy_check(struct call *c, struct str arn, bool point, struct str text, bool *public) MUST_USE;
/* May this operation go through an access point ("Access point compatibility with AWS services")? */
bool s3_point_serves(uint32_t op);
