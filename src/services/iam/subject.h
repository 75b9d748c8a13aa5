/* IAM as the policy engine's provider: what binds a caller, from the records of users, groups, roles and sessions. */
#pragma once
#include "policy/provider.h"
#include "services/iam/door.h"

struct subjects;
/* Makes the caches, and tells the cloud that policies are enforced from now on. */
struct subjects *iam_subjects_new(struct cloud *cloud);
void iam_subjects_free(struct subjects *s);
void iam_subjects_forget(struct subjects *s);
