/* MFA delete ("Configuring MFA delete", Amazon S3 User Guide): with it, a version is deleted for good and the bucket's
 * versioning changed only by who proves to hold an MFA device, in the header x-amz-mfa. */
#pragma once
#include "services/s3/records.h"

/* OK where the bucket does not ask for it, or the header has a device's serial and its present code, which is used up
 * with the transaction; else AccessDenied. Once per call. */
status s3_mfa_check(struct call *c, const struct s3_rec_bucket *b) MUST_USE;
/* The same, asked for in any case: for who switches it on. */
status s3_mfa_demand(struct call *c) MUST_USE;
