/* What the operations on buckets' access and locks share. */
#pragma once
#include "services/s3/records.h"

/* Writes a loaded bucket's record again. */
void s3_bucket_save(struct call *c, const struct s3_rec_bucket *b);
