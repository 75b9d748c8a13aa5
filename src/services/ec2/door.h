/* EC2's compute half as other services see it. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* Systems Manager's public parameters (/aws/service/…) that hold ids of public images, of a region: by name, and the
 * n-th of all. False where there is none. */
bool ec2_public_parameter(struct arena *a, struct str region, struct str name, struct str *value);
bool ec2_public_parameter_at(struct arena *a, struct str region, size_t n, struct str *name, struct str *value);
