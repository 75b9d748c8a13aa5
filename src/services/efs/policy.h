/* What a file system's policy decides about mounts. */
#pragma once
#include "services/efs/room.h"

/* For clients that name this access point (STR_NONE: none): "access POINT tls|plain no|ro|rw", as the agent reads it.
 * Nothing where the file system has no policy. */
status efs_policy_access(struct call *c, const struct efs_rec_file_system *f, struct str point,
	struct ec2_rec_strings *out, size_t *capacity) MUST_USE;
