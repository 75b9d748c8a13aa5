/* Transit gateways, for the files that work on them. */
#pragma once
#include "services/ec2/gateways.h"

/* Takes the gateway's guard: as ec2_vpc_touch does for a VPC. */
status ec2_tgw_touch(struct ec2_place at, struct str tgw) MUST_USE;
/* What is attached: "vpc" or "peering", and its id. */
static inline struct str ec2_tgw_resource_type(const struct ec2_rec_tgw_attachment *a)
{
	return str_has(a->peer) ? STR("peering") : STR("vpc");
}
static inline struct str ec2_tgw_resource(const struct ec2_rec_tgw_attachment *a)
{
	return str_has(a->peer) ? a->peer : a->vpc_id;
}
/* All routes of a table as packets see them: static ones before what attachments propagate. */
struct ec2_tgw_route {
	struct str cidr, attachment, vpc; /* attachment STR_NONE: a blackhole */
	struct str prefix_list;           /* that it comes from; may be STR_NONE */
	bool is_static, peering;          /* peering: vpc is a gateway's id */
};
struct ec2_tgw_routes {
	struct ec2_tgw_route *v;
	size_t n;
};
status ec2_tgw_routes(
	struct ec2_place at, const struct ec2_rec_tgw_route_table *t, struct ec2_tgw_routes *out) MUST_USE;
