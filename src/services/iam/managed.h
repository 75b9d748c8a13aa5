/* AWS managed policies (arn:aws:iam::aws:policy/…): a table in the program. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct iam_managed {
	struct str name, path, id, description, document;
	int64_t created_ms;
};
extern const struct iam_managed iam_managed_policies[]; /* in order of path and name */
extern const size_t iam_managed_count;
/* By ARN, of any partition; NULL where there is none. */
const struct iam_managed *iam_managed_find(struct str arn);
/* arn:aws:iam::aws:policy PATH NAME */
struct str iam_managed_arn(struct arena *a, struct str path, struct str name);
