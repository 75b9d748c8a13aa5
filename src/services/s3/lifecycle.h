/* Lifecycle rules ("Managing the lifecycle of objects", Amazon S3 User Guide): which objects a rule is for, when its
 * actions are due, and the job that does what is due at each midnight (UTC) of the virtual clock. */
#pragma once
#include "services/s3/config.h"

struct s3_lifecycle {
	const struct s3_lifecycle_rule *v;
	size_t n;
	bool small_may_freeze; /* objects under 128 KiB may go to Glacier: TransitionDefaultMinimumObjectSize */
};
/* NOT_FOUND where the bucket has none. Rules without an id have one made here. */
status s3_lifecycle_load(struct call *c, const struct s3_rec_bucket *b, struct s3_lifecycle *out) MUST_USE;
/* The checks of a configuration's rules, with AWS's words. */
status s3_lifecycle_check(struct call *c, const struct s3_bucket_lifecycle_configuration *conf) MUST_USE;

/* An enabled rule whose filter lets the object through; o NULL: an unfinished upload (rules with tags or sizes are not
 * for it). */
bool s3_lifecycle_applies(const struct s3_lifecycle_rule *r, struct str key, const struct s3_rec_object *o);
/* "adding the number of days … and rounding up the resulting time to the next day at midnight UTC" */
int64_t s3_lifecycle_due(int64_t from_ms, int32_t days);
/* When the object's current version expires by the rules; INT64_MAX: never. *rule is the one. */
int64_t s3_lifecycle_expires(const struct s3_lifecycle *l, struct str key, const struct s3_rec_object *o,
	const struct s3_lifecycle_rule **rule);
/* The class that a version should have by now, and in *due when the next change would be (INT64_MAX: never); STR_NONE:
 * the one it has. noncurrent: since noncurrent_ms, with `newer` noncurrent versions above it. */
struct str s3_lifecycle_class(const struct s3_lifecycle *l, struct str key, const struct s3_rec_object *o,
	bool noncurrent, int64_t noncurrent_ms, int32_t newer, int64_t now_ms, int64_t *due);

/* x-amz-expiration; STR_NONE where nothing expires it. */
status s3_lifecycle_header(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o,
	struct str *out) MUST_USE;
/* When an upload begun at initiated_ms is aborted; has false: never. */
status s3_lifecycle_abort(struct call *c, const struct s3_rec_bucket *b, struct str key, int64_t initiated_ms,
	struct opt_time *date, struct str *rule_id) MUST_USE;

/* The job begins at the next midnight, with this transaction. */
void s3_lifecycle_schedule(struct call *c, const struct s3_rec_bucket *b);
void s3_lifecycle_forget(struct call *c, const struct s3_rec_bucket *b);
void s3_lifecycle_register(struct cloud *cloud);
