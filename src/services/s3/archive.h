/* Archived objects: what can be read when. All is told by the object's record and the virtual clock: no job moves
 * anything
 * ("Understanding archive retrieval options", "Working with restored objects", Amazon S3 User Guide). */
#pragma once
#include "services/s3/config.h"

struct s3_archive {
	bool archived; /* it lies in an archive class or tier */
	bool readable; /* not archived, or a restored copy is there */
	bool restoring;
	struct opt_time until;  /* of the restored copy */
	struct str access_tier; /* of Intelligent-Tiering: ARCHIVE_ACCESS, DEEP_ARCHIVE_ACCESS; else STR_NONE */
};
status s3_archive_of(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o,
	struct s3_archive *out) MUST_USE;
/* InvalidObjectState unless it can be read now. */
status s3_archive_check(
	struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o) MUST_USE;
/* x-amz-restore; STR_NONE where nothing was asked for or the copy is gone. */
struct str s3_archive_header(struct call *c, const struct s3_archive *a);
/* RestoreStatus of listings; NULL where there is none. */
struct s3_restore_status *s3_archive_listed(struct call *c, const struct s3_rec_object *o);

/* tiering.c: the archive tier that Intelligent-Tiering has put the object into by now; STR_NONE: none. */
status s3_tiering_of(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o,
	struct str *tier) MUST_USE;
/* The name that inventories have for its tier of Intelligent-Tiering, of whatever kind; STR_NONE for other classes. */
status s3_tiering_name(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o,
	struct str *name) MUST_USE;
/* A read keeps an object out of the archive tiers: notes it, at most once a day, in a transaction of its own. */
void s3_tiering_touch(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o);
/* Registers the job that tells of restores' ends. */
void s3_archive_register(struct cloud *cloud);
