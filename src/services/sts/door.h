/* STS's door: sessions that other services open in a user's name. */
#pragma once
#include "call/call.h"
#include "services/iam/door.h"
#include "sts.h"

/* A session of the role in its account, for so long; tags may be empty. In c's transaction. */
status sts_open_session(struct call *c, const struct iam_rec_entity *role, struct str account, struct str role_arn,
	struct str name, int64_t duration_s, const struct iam_rec_tags *tags, struct sts_credentials **out) MUST_USE;
