/* Storage class analysis ("Amazon S3 analytics – Storage Class Analysis", Amazon S3 User Guide): each day a
 * configuration with a DataExport gets rows in its CSV, of what is stored and read by storage class and age. */
#pragma once
#include "services/s3/noted.h"

void s3_analysis_schedule(struct call *c, const struct s3_rec_bucket *b, const struct s3_analytics_configuration *conf);
/* What was seen for that configuration goes with it; id STR_NONE: for all of the bucket's. */
status s3_analysis_forget(struct call *c, const struct s3_rec_bucket *b, struct str id) MUST_USE;

/* ── analysis_reads.c: what is read, counted in memory; written when a minute has passed, and at the end ── */

enum { S3_AGES = 12, S3_AGE_ALL = S3_AGES };
/* By the first day of each age group. */
unsigned s3_analysis_age(int64_t modified_ms, int64_t now_ms);
bool s3_analysis_passes(const struct s3_analytics_configuration *conf, struct str key, const struct s3_rec_object *o);
struct s3_analysis;
/* Subscribes to answered calls, and registers the daily job. */
struct s3_analysis *s3_analysis_new(struct cloud *cloud);
/* Writes what is counted, in a transaction of its own. */
status s3_analysis_write(struct s3_analysis *n) MUST_USE;
void s3_analysis_free(struct s3_analysis *n);
/* Takes the day's reads of one configuration, class and age group out of the store. */
status s3_analysis_take(struct call *c, const struct s3_rec_bucket *b, int64_t day, struct str id, struct str class,
	unsigned age, struct s3_rec_reads *out) MUST_USE;
void s3_analysis_register(struct cloud *cloud);
