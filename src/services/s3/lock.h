/* Object Lock ("Locking objects with Object Lock", Amazon S3 User Guide): versions that may not be deleted until a date of the
 * virtual clock, or while a legal hold stands. */
#pragma once
#include "services/s3/headers.h"

/* What the headers of an upload, else the bucket's default, say of the version to be. */
status s3_lock_read(struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o) MUST_USE;
/* A copy has its own lock, not its source's. */
void s3_lock_move(const struct s3_rec_object *from, struct s3_rec_object *to);
/* A retention period that still runs. */
static inline bool s3_lock_retained(const struct call *c, const struct s3_rec_object *o)
{
	return str_has(o->lock_mode) && o->retain_until.ms > c->now_ms;
}
/* AccessDenied where the version may not be deleted by this request. */
status s3_lock_check_delete(struct call *c, const struct s3_rec_object *o) MUST_USE;
/* The request says that it may override GOVERNANCE (whether its caller may is the policies' to say). */
bool s3_lock_bypasses(const struct call *c);
