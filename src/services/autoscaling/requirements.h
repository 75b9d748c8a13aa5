/* Attribute-based selection of instance types. Pure but for the arena. */
#pragma once
#include "services/autoscaling/room.h"
#include "services/ec2/instance_types.h"

struct as_types {
	struct ec2_machine_type *v;
	size_t n, capacity;
};
/* In units of nobody's: what it offers. */
double as_price(const struct ec2_machine_type *t);
bool as_type_meets(const struct ec2_machine_type *t, const struct autoscaling_instance_requirements *r);
/* In order of name; those that are too dear are left out. */
void as_types_meeting(
	struct arena *a, const struct autoscaling_instance_requirements *r, bool arm, bool spot, struct as_types *out);
/* ValidationError. */
status as_requirements_check(struct call *c, const struct autoscaling_instance_requirements *r) MUST_USE;
