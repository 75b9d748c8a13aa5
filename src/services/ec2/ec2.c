/* Amazon EC2: what it does, operation by operation. The network's rows stand first, those of instances, volumes and images
 * behind them. */
#include "services/ec2/room.h"

static const struct service_op operations[EC2_OP_COUNT] = {
	/* ── regions, zones, tags ── */
	[EC2_OP_CREATE_TAGS] = OP(ec2_create_tags, 0),
	[EC2_OP_DELETE_TAGS] = OP(ec2_delete_tags, 0),
	[EC2_OP_DESCRIBE_AVAILABILITY_ZONES] = OP(ec2_describe_availability_zones, OP_READ),
	[EC2_OP_DESCRIBE_REGIONS] = OP(ec2_describe_regions, OP_READ),
	[EC2_OP_DESCRIBE_TAGS] = OP(ec2_describe_tags, OP_READ),
	/* ── VPCs ── */
	[EC2_OP_CREATE_VPC] = OP(ec2_create_vpc, 0),
	[EC2_OP_DELETE_VPC] = OP(ec2_delete_vpc, 0),
	[EC2_OP_DESCRIBE_VPCS] = OP(ec2_describe_vpcs, OP_READ),
	/* ── instances, volumes, images ── */
};

extern const struct service service_ec2;
const struct service service_ec2 = {.model = &wire_service_ec2, .ops = operations, .before = ec2_before};
