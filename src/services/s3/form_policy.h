/* The policy document of a browser's upload ("Creating a POST policy", Amazon S3 API reference). */
#pragma once
#include "services/s3/form_read.h"
#include "services/s3/room.h"

/* Whether what the form says is what its policy allows: expiration, conditions, no field that no condition names, the
 * file's size. bucket: the one posted to. FAILED as AWS answers. */
status s3_form_policy_check(
	struct call *c, struct str policy_base64, const struct s3_form *f, struct str bucket) MUST_USE;
