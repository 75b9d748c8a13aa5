/* Metrics of instances' volumes, told with the instances' own. */
#pragma once
#include "host/compute/machine.h"
#include "services/ec2/machine.h"
#include "services/ec2/room.h"

status ec2_monitor_volumes(struct ec2_place at, const struct ec2_rec_instance *i,
	const struct compute_rec_machine_status *s, int64_t now_ms) MUST_USE;
/* Of machines that are gone. */
status ec2_monitor_forget_volumes(struct store_tx *tx, struct arena *a) MUST_USE;
