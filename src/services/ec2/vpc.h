/* VPCs, for the files of EC2 that work on them. */
#pragma once
#include "base/cidr.h"
#include "services/ec2/room.h"

/* Takes the VPC's guard: everything that changes what is in a VPC calls this in its transaction, before it scans; two
 * such transactions exclude each other, and the VPC's intent is computed anew after the commit. */
status ec2_vpc_touch(struct ec2_place at, struct str vpc_id) MUST_USE;
/* ec2_find of the VPC and ec2_vpc_touch. */
status ec2_vpc_take(struct call *c, struct str vpc_id, struct ec2_rec_vpc *vpc) MUST_USE;
/* A block given by a client: InvalidParameterValue where it is none. Without host bits. */
status ec2_cidr_given(struct call *c, struct str text, const char *parameter, struct cidr *out) MUST_USE;
/* A random Amazon-provided /56. */
struct cidr ec2_vpc_cidr6_random(void);
/* Is the block within one of the VPC's? */
bool ec2_vpc_holds(const struct ec2_rec_vpc *vpc, struct cidr block);
struct ec2_vpc_make {
	struct str cidr, tenancy;
	bool is_default, ipv6;
	const struct ec2_tag_specification_list *tags;
};
/* The VPC with what AWS makes along with it. */
status ec2_vpc_make(struct call *c, const struct ec2_vpc_make *m, struct ec2_rec_vpc *vpc) MUST_USE;
