/* A session of a role for one of virga's own services: what "the service assumes the role that you gave it" means. */
#pragma once
#include "call/inside.h"

/* service: its principal ("cloudtrail.amazonaws.com"); the role's trust policy decides. *out is who inside_run acts as;
 * all that it points to is in `a`. FAILED: *why is STS's own sentence. Blocks; not within a transaction. */
status sts_assume_inside(struct cloud *cloud, struct arena *a, struct str account, struct str region,
	struct str service, struct str role_arn, struct str session, struct inside_caller *out,
	struct str *why) MUST_USE;
/* The same for a resource of somebody's, which trust policies may ask for: aws:SourceArn, aws:SourceAccount. */
status sts_assume_for(struct cloud *cloud, struct arena *a, struct str account, struct str region, struct str service,
	struct str source_arn, struct str role_arn, struct str session, struct inside_caller *out,
	struct str *why) MUST_USE;
