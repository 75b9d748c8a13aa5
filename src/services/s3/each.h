/* All versions of a bucket, one by one, without a request: for reports and batch jobs. */
#pragma once
#include "services/s3/records.h"

/* fn sees each current object whose key begins with prefix, and with `all` each older version and delete marker too,
 * after the current ones; the object lives until it returns. Its status ends the walk unless OK. One snapshot: that of
 * c->tx. */
status s3_each_version(struct call *c, const struct s3_rec_bucket *b, struct str prefix, bool all,
	status (*fn)(void *ctx, struct str key, const struct s3_rec_object *o, bool latest), void *ctx) MUST_USE;
