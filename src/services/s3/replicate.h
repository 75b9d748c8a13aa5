/* Replication of new versions into other buckets ("Replicating objects within and across Regions", Amazon S3 User
 * Guide). */
#pragma once
#include "services/s3/changed.h"
#include "services/s3/config.h"

/* changed.c: schedules what the bucket's rules ask for, and marks the version PENDING. */
status s3_replicate(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o) MUST_USE;
/* Batch replication: carries a version that is there, of whatever replication status, over to all destinations whose rules
 * cover it, within c->tx. version_id STR_NONE: the current one. NOT_FOUND where there is no such version. */
struct s3_existing {
	bool eligible; /* a rule covers it */
	bool failed;   /* a destination cannot take it */
};
status s3_replicate_existing(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_existing *out) MUST_USE;
bool s3_replicate_eligible(
	const struct s3_replication_configuration *conf /* or NULL */, struct str key, const struct s3_rec_object *o);
/* Registers the job. */
void s3_replicate_register(struct cloud *cloud);
/* The prefix of a rule, by the old form of the document or the new. */
struct str s3_replication_prefix(const struct s3_replication_rule *r);
/* arn:aws:s3:::name → name; STR_NONE for what is none. */
struct str s3_replication_bucket(struct str arn);
