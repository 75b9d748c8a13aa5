/* Capacity Reservations as launches see them. */
#pragma once
#include "services/ec2/instance.h"

/* What an instance is, and what it says about reservations. */
struct ec2_capacity_wish {
	struct str type, zone, tenancy;
	const struct ec2_capacity_reservation_specification_response *specification; /* may be NULL: open */
};
/* How many such instances may run: INT32_MAX where they need no reservation. */
status ec2_capacity_left(struct call *c, const struct ec2_capacity_wish *w, int32_t *left) MUST_USE;
/* A place for the instance; *reservation STR_NONE: it runs in none. FAILED: it needs one, and there is none. */
status ec2_capacity_take(
	struct call *c, const struct ec2_capacity_wish *w, struct str instance, struct str *reservation) MUST_USE;
void ec2_capacity_release(struct ec2_place at, struct str reservation, struct str instance);
/* Does the instance run in it now? */
bool ec2_capacity_holds(struct ec2_place at, struct str reservation, struct str instance);

EC2_TYPES_DECLARE(capacity_reservation);
