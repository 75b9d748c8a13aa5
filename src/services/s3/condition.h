/* Conditional requests: RFC 9110 section 13 as AWS applies it ("Add preconditions to S3 operations with conditional
 * requests", Amazon S3 User Guide). */
#pragma once
#include "services/s3/room.h"

struct s3_conditions {
	struct str if_match, if_none_match;
	struct opt_time if_modified_since, if_unmodified_since;
};
/* The date of a condition; absent where it is none (RFC 9110 section 13.1.3: then the condition is ignored). */
struct opt_time s3_condition_date(struct str text);
enum s3_verdict { S3_PROCEED, S3_NOT_MODIFIED /* 304; 412 for copies */, S3_PRECONDITION_FAILED };

/* e_tag without quotes. An entity-tag list may be quoted, weak or bare; '*' matches all. *header names the one that
 * failed. */
enum s3_verdict s3_conditions_judge(
	const struct s3_conditions *cond, struct str e_tag, int64_t modified_ms, struct str *header);
bool s3_e_tag_matches(struct str list, struct str e_tag);
/* 412 naming the condition. */
status s3_precondition_failed(struct call *c, struct str header);
/* If-Match and If-None-Match of a write; existing NULL: there is no current object. */
status s3_write_condition(struct call *c, struct str if_match, struct str if_none_match, struct str key,
	const struct s3_rec_object *existing) MUST_USE;
