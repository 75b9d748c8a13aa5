/* Auto Scaling as other services see it. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "store/store.h"

/* The group that an instance is in, also while it leaves: NOT_FOUND where it is in none. For metrics'
 * AutoScalingGroupName. */
status autoscaling_group_of(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str instance, struct str *group) MUST_USE;
