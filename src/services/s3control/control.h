/* What S3 Control's operations share. */
#pragma once
#include "s3control.h"

/* Whose account the request names has to be the caller's. */
status s3control_check_account(struct call *c, struct str account) MUST_USE;
