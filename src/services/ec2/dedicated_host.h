/* Dedicated Hosts as launches see them. */
#pragma once
#include "services/ec2/instance.h"

/* A place on a host for an instance that starts, where its placement's tenancy is "host": the host that it names, the
 * one that it has an affinity to, else any that takes instances by itself. Sets i->dedicated_host; i's record is the
 * caller's to save. FAILED: there is none. */
status ec2_host_take(struct call *c, struct ec2_rec_instance *i, const struct ec2_instance *shape) MUST_USE;
void ec2_host_release(struct ec2_place at, struct str host, struct str instance);
/* Checks a launch's or a change's placement: tenancy, affinity, host. zone: of the subnet. */
status ec2_host_placement_check(
	struct call *c, const struct ec2_placement *p, struct str type, struct str zone) MUST_USE;
EC2_TYPES_DECLARE(dedicated_host);
