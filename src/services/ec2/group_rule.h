/* Rules of security groups as clients say them. */
#pragma once
#include "services/ec2/gateways.h"

/* What the four operations that add and revoke have in common. */
struct ec2_rules_given {
	const struct ec2_ip_permission_list *permissions;
	struct str protocol, cidr, source_group, source_owner; /* the old form of one rule */
	struct opt_i32 from, to;
};
/* All rules that the request says, one for each source. */
status ec2_rules_read(struct call *c, const struct ec2_rec_security_group *g, const struct ec2_rules_given *in,
	bool egress, struct ec2_rec_security_rules *out) MUST_USE;
/* Parts of one rule. */
status ec2_rule_ports(struct call *c, struct str protocol, struct opt_i32 from, struct opt_i32 to,
	struct ec2_rec_security_rule *r) MUST_USE;
status ec2_rule_cidr(struct call *c, struct str text, bool v6, struct ec2_rec_security_rule *r) MUST_USE;
status ec2_rule_group(struct call *c, const struct ec2_rec_security_group *g, struct str id, struct str owner,
	struct ec2_rec_security_rule *r) MUST_USE;
status ec2_rule_description(struct call *c, struct str text, struct ec2_rec_security_rule *r) MUST_USE;
struct str ec2_rule_peer(const struct ec2_rec_security_rule *r);
/* A group of the VPC by its name. */
status ec2_group_named(struct call *c, struct str vpc, struct str name, struct str *id) MUST_USE;
