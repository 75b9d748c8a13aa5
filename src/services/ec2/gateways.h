/* What routes and rules may name beside what is in their own VPC: prefix lists, peerings, transit gateways. */
#pragma once
#include "services/ec2/network.h"

/* ── prefix_list.c ── */
/* An account's own list or one of AWS's (com.amazonaws.REGION.s3), by its id. */
status ec2_prefix_list_find(struct call *c, struct str id, struct ec2_rec_prefix_list *out) MUST_USE;
/* The same without a call: NOT_FOUND. */
status ec2_prefix_list_load(struct ec2_place at, struct str id, struct ec2_rec_prefix_list *out) MUST_USE;
/* The entries of a version; of the current one where version is 0. */
struct ec2_rec_prefix_entries ec2_prefix_list_entries(const struct ec2_rec_prefix_list *l, int64_t version);
/* The list of AWS's own addresses of a service ("s3", "dynamodb") in a region. */
struct str ec2_prefix_list_of_service(struct arena *a, struct str region, struct str service);

/* ── peering.c ── */
/* Is the VPC one of its ends? */
bool ec2_peering_joins(const struct ec2_rec_peering *p, struct str vpc);
/* The other end than this VPC. */
const struct ec2_rec_peering_end *ec2_peering_other(const struct ec2_rec_peering *p, struct str vpc);
/* A group of a VPC that is peered with this one (in the same region): its owner and the peering. NOT_FOUND. */
status ec2_peered_group(struct ec2_place at, struct str vpc, struct str group, struct str owner,
	struct str *group_owner, struct str *peering) MUST_USE;
/* A VPC goes: its peerings go with it. */
status ec2_peerings_of_gone(struct call *c, struct str vpc) MUST_USE;

/* ── tgw.c ── */
/* The gateway is there and has an attachment to this VPC. */
status ec2_tgw_check_attached(struct call *c, struct str tgw, struct str vpc) MUST_USE;

/* ── vpn_connection.c ── FAILED: a VPN connection uses this virtual private or customer gateway. */
status ec2_vpn_gateway_unused(struct call *c, struct str gateway) MUST_USE;

EC2_TYPES_DECLARE(prefix_list);
EC2_TYPES_DECLARE(peering);
EC2_TYPES_DECLARE(transit_gateway);
EC2_TYPES_DECLARE(tgw_attachment);
EC2_TYPES_DECLARE(tgw_route_table);
EC2_TYPES_DECLARE(vpn_gateway);
EC2_TYPES_DECLARE(vpn_connection);
EC2_TYPES_DECLARE(customer_gateway);
