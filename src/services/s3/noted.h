/* What a request's answer is told by, once it is sent: server access logs and request metrics both hear of answered
 * calls, and need to know which bucket it was. */
#pragma once
#include "services/s3/config.h"

struct s3_noted {
	struct s3_rec_bucket bucket;
	/* For request metrics whose filters ask for them (request_metrics.c). */
	struct s3_rec_tags tags; /* of the object, before the request */
	struct str point_arn;    /* of the access point that the request came by; STR_NONE */
	/* For storage class analyses: the counts that this read adds to (analysis_reads.c). */
	struct s3_noted_reads {
		struct str *v;
		size_t n;
	} reads;
};
/* Of the bucket that was loaded for this call, in tx: remembers it in c->noted where its requests are logged or
 * counted. The first counts: a copy's source comes later. */
void s3_note(struct call *c, struct store_tx *tx, const struct s3_rec_bucket *b);
/* NULL where c is no call of S3's, or nobody noted. */
const struct s3_noted *s3_noted(const struct call *c);
/* A label of the request's path, "Bucket" or "Key"; STR_NONE. */
struct str s3_noted_label(const struct call *c, const char *name);

/* analysis_reads.c: notes the analyses that a read of an object counts for. */
void s3_analysis_note(struct call *c, struct store_tx *tx, struct s3_noted *n);

/* ── request_metrics.c ── */

/* Adds what the filters of the bucket's metrics configurations ask for. */
void s3_request_metrics_note(struct call *c, struct store_tx *tx, struct s3_noted *n);
struct s3_request_metrics;
/* Subscribes to answered calls. */
struct s3_request_metrics *s3_request_metrics_new(struct cloud *cloud);
void s3_request_metrics_free(struct s3_request_metrics *m);
