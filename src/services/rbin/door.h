/* Recycle Bin as the services see it whose resources it keeps. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct store_tx;
/* A resource that its owner deletes. type: EBS_SNAPSHOT, EC2_IMAGE, EBS_VOLUME. */
struct rbin_pair {
	struct str key, value;
};
struct rbin_resource {
	struct str account, region, type;
	const struct rbin_pair *tags;
	size_t n_tags;
};
/* For how many days a rule wants it kept; 0: none does. The rules are validated when tx commits. */
status rbin_retention(struct store_tx *tx, struct arena *a, const struct rbin_resource *r, int32_t *days) MUST_USE;
