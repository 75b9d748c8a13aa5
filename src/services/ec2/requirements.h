/* Types by their attributes. */
#pragma once
#include "services/ec2/instance.h"

/* With the client's error where they lack what they need, or ask for what no type's table tells. */
status ec2_requirements_check(struct call *c, const struct ec2_instance_requirements *r) MUST_USE;
bool ec2_requirements_met(const struct ec2_instance_requirements *r, const struct ec2_machine_type *m);
