/* VPC endpoints as the policy step sees them. */
#pragma once
#include "call/call.h"
#include "policy/provider.h"

/* policy_provider.arrive, of the cloud whose namespaces those are. */
status ec2_arrive(struct cloud *cloud, struct store_tx *tx, struct arena *a, uint64_t netns, struct str local,
	struct policy_way *out) MUST_USE;
