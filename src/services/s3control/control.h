/* What S3 Control's operations share. */
#pragma once
#include "s3_state.h"
#include "s3control.h"

/* Whose account the request names has to be the caller's. */
status s3control_check_account(struct call *c, struct str account) MUST_USE;
/* tag.c: adds them to a resource's, or replaces those with the same keys. InvalidRequest. */
status s3control_tags_add(struct call *c, const struct s3control_tag_list *fresh, struct s3_rec_tags *all) MUST_USE;
