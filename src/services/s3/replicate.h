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

/* ── replication_role.c: what the configuration's role may ("Setting up permissions for live replication") ── */

struct s3_replication_permit {
	const char *refused; /* why not ("Amazon S3 replication failure reasons"); NULL: it may */
	bool tags;           /* and the object's tags, too */
};
/* May the role carry this version of `from` into `to`? there: the version is there already, only what describes it goes. */
status s3_replication_ask(struct call *c, const struct s3_rec_replication *r, const struct s3_rec_bucket *from,
	const struct s3_rec_bucket *to, const struct s3_rec_object *o, bool there, struct s3_replication_permit *out) MUST_USE;
struct s3_roles;
struct s3_roles *s3_roles_new(void);
void s3_roles_free(struct s3_roles *r);

/* ── replication_metrics.c: what rules with Metrics publish, each minute ("Using S3 Replication metrics") ── */

/* A version is on its way (id: its job's). Nothing where its rule has no metrics. */
void s3_replication_pending(struct call *c, const struct s3_rec_replication *r, struct str id);
/* No longer. *missed: that it took too long has been told. */
status s3_replication_arrived(struct call *c, const struct s3_rec_replication *r, struct str id, bool *missed) MUST_USE;
/* The pending one of that id; NOT_FOUND. Marks it as missed. */
status s3_replication_miss(struct call *c, int64_t bucket_id, struct str id, struct s3_rec_replication *out) MUST_USE;
/* It came to its end after so long. */
status s3_replication_ended(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_replication *r, bool failed) MUST_USE;
/* Begins to measure where a rule wants it. */
void s3_replication_measure(struct call *c, const struct s3_rec_bucket *b, const struct s3_replication_rules *rules);
void s3_replication_metrics_register(struct cloud *cloud);
