/* What of a subnet is reserved, for those who give addresses. */
#pragma once
#include "base/cidr.h"
#include "services/ec2/room.h"

struct ec2_reserved {
	struct cidr *v; /* IPv4 */
	size_t n;
};
status ec2_reserved_load(struct ec2_place at, struct str subnet, struct ec2_reserved *out) MUST_USE;
/* *next: the first address behind the block that holds it. */
bool ec2_reserved_holds(const struct ec2_reserved *r, uint32_t address, uint32_t *next);
/* The subnet goes. */
status ec2_reserved_drop(struct ec2_place at, struct str subnet) MUST_USE;
EC2_TYPES_DECLARE(subnet_reservation);
