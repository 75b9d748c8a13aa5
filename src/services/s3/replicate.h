/* Replication of new versions into other buckets ("Replicating objects within and across Regions", Amazon S3 User
 * Guide). */
#pragma once
#include "services/s3/changed.h"
#include "services/s3/config.h"

/* changed.c: schedules what the bucket's rules ask for, and marks the version PENDING. */
status s3_replicate(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o) MUST_USE;
/* Batch replication: carries a version that is there, of whatever replication status, over to all destinations whose
 * rules cover it, within c->tx. version_id STR_NONE: the current one. NOT_FOUND where there is no such version. */
struct s3_existing {
	bool eligible; /* a rule covers it */
	const char
		*failure; /* why a destination cannot take it ("Amazon S3 replication failure reasons"); NULL: it did */
};
status s3_replicate_existing(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_existing *out) MUST_USE;
bool s3_replicate_eligible(
	const struct s3_replication_configuration *conf /* or NULL */, struct str key, const struct s3_rec_object *o);
/* Registers the job. */
void s3_replicate_register(struct cloud *cloud);
/* The prefix of a rule, by the old form of the document or the new. */
struct str s3_replication_prefix(const struct s3_replication_rule *r);
/* It wants objects under KMS keys, too, which otherwise stay behind. */
bool s3_replication_of_kms(const struct s3_replication_rule *r);
/* The i-th rule's id; one that was not given one has it from what it says. */
struct str s3_replication_rule_id(struct arena *a, const struct s3_replication_rules *rules, size_t i);
/* arn:aws:s3:::name → name; STR_NONE for what is none. */
struct str s3_replication_bucket(struct str arn);

/* ── replication_metrics.c: what rules with Metrics publish, each minute ("Using S3 Replication metrics") ── */

/* A version is on its way (id: its job's), or no longer. Nothing where its rule has no metrics. */
void s3_replication_pending(struct call *c, const struct s3_rec_replication *r, struct str id, bool pending);
/* It came to its end after so long. */
status s3_replication_ended(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_replication *r, bool failed) MUST_USE;
/* Begins to measure where a rule wants it. */
void s3_replication_measure(struct call *c, const struct s3_rec_bucket *b, const struct s3_replication_rules *rules);
void s3_replication_metrics_register(struct cloud *cloud);
