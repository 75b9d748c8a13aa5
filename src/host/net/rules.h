/* What nftables has to say in a VPC's router, from its model. The chains, in a packet's order:
 *   arrive   (prerouting)  marks it with its subnet and table; drops forged sources
 *   to-public (prerouting) an internet gateway's addresses become private ones
 *   cross    (forward)     failed zones; addresses that are not the interface's; the ACLs of the subnets it leaves and
 *                          enters, at each packet; then …
 *   gates                  … the sender's groups, then ingress: the receiver's; established flows pass at once
 *   from-public (postrouting) private addresses become public ones
 *   self     (input)       what the VPC answers itself: resolver, metadata, time */
#pragma once
#include "host/net/model.h"
#include "host/net/ruleset.h"

/* NFLOG's group. Its prefix says who refused and which way: "sg out", "acl-0123 in". */
#define RULES_LOG_GROUP 86

void rules_of_vpc(const struct model *m, struct ruleset *out);
/* Of a NAT gateway's own namespace. */
void rules_of_nat(const struct model_interface *i, struct ruleset *out);
