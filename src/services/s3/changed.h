/* The one place that hears of every change to an object, in the transaction that makes it: notifications and
 * replication hang here. Whoever writes, removes or describes an object anew calls s3_changed once it has. */
#pragma once
#include "services/s3/records.h"

enum s3_event {
	S3_CREATED_PUT,
	S3_CREATED_POST,
	S3_CREATED_COPY,
	S3_CREATED_MULTIPART,
	S3_REMOVED,        /* for good: an object without versions, or one version */
	S3_REMOVED_MARKER, /* a delete marker was made */
	S3_TAGGED,
	S3_UNTAGGED,
	S3_ACL_PUT,
	S3_LOCKED, /* retention or legal hold were set; no event tells of it */
	S3_RESTORE_ASKED,
	S3_RESTORED,
	S3_RESTORE_EXPIRED,
	S3_EXPIRED,        /* by a lifecycle rule, as S3_REMOVED */
	S3_EXPIRED_MARKER, /* by a lifecycle rule, as S3_REMOVED_MARKER */
	S3_TRANSITIONED,
	S3_INTELLIGENT_TIERED,
	S3_REPLICATION_FAILED,
	S3_REPLICATION_MISSED, /* not within 15 minutes, which replication time control promises */
	S3_REPLICATION_LATE,   /* done, but after them */
	S3_EVENTS,
};
/* o: the version that was changed (of markers and removed versions at least version_id; of removed objects without
 * versions all empty). c may be a controller's own, without http. Writes into c->tx. */
status s3_changed(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o) MUST_USE;

/* notify.c: the part of it that the bucket's notification configuration asks for. */
status s3_notify(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o) MUST_USE;
/* Of replication: what its events tell besides ("Event message structure": replicationEventData). */
struct s3_replication_told {
	struct str rule, destination_arn, operation, failure;
	int64_t since_ms, took_s;
};
status s3_notify_replication(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o, const struct s3_replication_told *told) MUST_USE;
/* Registers the delivering job. */
void s3_notify_register(struct cloud *cloud);
/* Runs due jobs soon, after this call's commit; of controllers' calls the next tick does. */
void s3_poke_jobs(struct call *c);
