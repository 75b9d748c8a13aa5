/* What the files of the EBS direct APIs share. They read and write the snapshots of EC2 (services/ec2/volume.h), whose
 * blocks are kept there. "The guide" is the Amazon EBS User Guide, "Use EBS direct APIs to access the contents of an
 * EBS snapshot". */
#pragma once
#include "ebs.h"
#include "services/ec2/volume.h"

/* The client's error with its reason. */
#define EBS_FAIL(c, NAME, name, why, ...)                                                                              \
	(call_fail((c), EBS_ERR_##NAME##_EXCEPTION, __VA_ARGS__), ebs_reason_##name((c), (why)))
status ebs_reason_validation(struct call *c, const char *reason);
status ebs_reason_not_found(struct call *c, const char *reason);
status ebs_reason_access_denied(struct call *c, const char *reason);
#define EBS_INVALID(c, why, ...) EBS_FAIL(c, VALIDATION, validation, why, __VA_ARGS__)

/* A snapshot that the caller may read, its own or shared with it, and where its blocks are; the data key is opened.
 * With the client's error. */
struct ebs_snapshot {
	struct ec2_rec_snapshot record;
	struct ec2_blocks blocks;
};
status ebs_find(struct call *c, struct str id, struct ebs_snapshot *out) MUST_USE;
/* The caller's own that StartSnapshot began and CompleteSnapshot has not ended. */
status ebs_find_open(struct call *c, struct str id, struct ebs_snapshot *out) MUST_USE;
