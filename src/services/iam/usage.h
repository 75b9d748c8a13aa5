/* What was used when; see usage.c. */
#pragma once
#include "services/iam/internal.h"

struct usage;
/* At start: listens to the bus. */
struct usage *iam_usage_new(struct cloud *cloud);
/* Writes what is not written yet. After the edge has stopped. */
void iam_usage_free(struct usage *u);
/* For reset: drops what is not written yet. */
void iam_usage_forget(struct usage *u);

struct iam_use {
	struct str service, action, region;
	int64_t at_ms;
};
struct iam_uses {
	struct iam_use *v;
	size_t n;
};
/* All that an entity used, by service (signing name) and operation. */
void iam_uses_of(struct call *c, struct str arn, struct iam_uses *out);

struct iam_state {
	struct cloud *cloud;
	struct usage *usage;
	struct subjects *subjects;
};
