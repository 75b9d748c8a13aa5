/* VPC Block Public Access: what an account keeps the internet's gateways from carrying. */
#pragma once
#include "services/ec2/room.h"

/* The account's mode in a region and its exclusions, read once for many subnets. */
struct ec2_bpa {
	struct str mode; /* off, block-bidirectional, block-ingress */
	struct {
		struct str resource, mode; /* a VPC's or subnet's id; allow-bidirectional, allow-egress */
	} * v;
	size_t n, capacity;
};
status ec2_bpa_load(struct ec2_place at, struct ec2_bpa *out) MUST_USE;
/* What remains of the mode there: off, block-bidirectional, block-ingress. subnet: STR_NONE for the VPC's own. */
struct str ec2_bpa_state(const struct ec2_bpa *b, struct str vpc, struct str subnet);
/* For the host (state.model: Interface, internet); STR_NONE where all passes. */
struct str ec2_bpa_internet(const struct ec2_bpa *b, struct str vpc, struct str subnet);
/* Before a VPC or subnet goes: its exclusions. */
status ec2_bpa_forget(struct ec2_place at, struct str resource) MUST_USE;

EC2_TYPES_DECLARE(bpa_exclusion);
