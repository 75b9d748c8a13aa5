/* What a bucket's switches ask of every request for it. */
#pragma once
#include "services/s3/records.h"

/* AccessDenied where the requester pays and has not said that he will. */
status s3_payment_check(struct call *c, const struct s3_rec_bucket *b) MUST_USE;
/* InvalidRequest where the request came by the accelerated name of a bucket that is not accelerated. */
status s3_accelerate_check(struct call *c, const struct s3_rec_bucket *b) MUST_USE;
