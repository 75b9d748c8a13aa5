/* The door by which Cloud Control makes, reads, changes and removes resources one by one: handlers.h, and what stands
 * around them. */
#pragma once
#include "services/cloudformation/evaluate.h"
#include "services/cloudformation/handlers.h"

struct cfn_place {
	struct str account, region;
};
/* *out, with account and region, becomes a session of the stack's role. FAILED: *why. */
status cfn_as_role(
	struct cloud *cloud, struct arena *a, struct str role_arn, struct inside_caller *out, struct str *why) MUST_USE;
/* A resource by its type and id as it is: read by its handler in that name. attributes: those that are known (NULL:
 * none). NOT_FOUND, or FAILED with w->why. */
status cfn_read_live(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct cfn_place p,
	struct str type, struct str physical_id, const struct json_value *properties,
	const struct json_value *attributes, struct cfn_work *w) MUST_USE;
/* Of a making of a resource: 12 characters A-Z0-9. */
struct str cfn_new_token(struct arena *a);
