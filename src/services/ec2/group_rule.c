/* Rules of security groups: how clients say them, how they are kept and shown, DescribeSecurityGroupRules. */
#include "services/ec2/group_rule.h"

enum { RULES_MAX = 60 }; /* inbound or outbound, IPv4 or IPv6: "Amazon VPC quotas", the guide */

static const char *const filters[] = {"group-id", "security-group-rule-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_security_group_rule *r = item->record;
	struct ec2_rec_security_group g;
	TRY(ec2_load(item->at, &ec2_type_security_group, r->group_id, &g));
	for (size_t i = 0; i < g.rules.n; i++)
		if (str_eq(g.rules.v[i].security_group_rule_id, item->id)) {
			struct ec2_tag_list tags = ((struct ec2_security_group_rule *)to)->tags;
			ec2_rule_show(c, &g, &g.rules.v[i], to);
			((struct ec2_security_group_rule *)to)->tags = tags;
		}
	return OK;
}

const struct ec2_type ec2_type_security_group_rule = {
	.name = "security-group-rule",
	.prefix = "sgr-",
	.absent = "The security group rule ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_SECURITY_GROUP_RULE_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_SECURITY_GROUP_RULE_ID_MALFORMED,
	.record = EC2_REC_SECURITY_GROUP_RULE,
	.shape = EC2_SHAPE_SECURITY_GROUP_RULE,
	.filters = filters,
	.render = render,
};

status ec2_describe_security_group_rules(struct call *c, const struct ec2_describe_security_group_rules_input *in,
	struct ec2_describe_security_group_rules_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_security_group_rule, in, security_group_rule_ids, out, security_group_rules);
}

void ec2_rule_show(struct call *c, const struct ec2_rec_security_group *g, const struct ec2_rec_security_rule *r,
	struct ec2_security_group_rule *out)
{
	ec2_show(c->arena, EC2_REC_SECURITY_RULE, r, EC2_SHAPE_SECURITY_GROUP_RULE, out);
	out->group_id = g->group_id;
	out->group_owner_id = c->account;
	out->security_group_rule_arn =
		ec2_arn(c, c->account, c->region, "security-group-rule", r->security_group_rule_id);
	if (!r->from_port.has) out->from_port = out->to_port = SOME_I32(-1);
	if (!str_has(r->group)) return;
	out->referenced_group_info = arena_new(c->arena, struct ec2_referenced_security_group);
	*out->referenced_group_info = (struct ec2_referenced_security_group){.group_id = r->group,
		.user_id = str_or(r->group_owner, c->account),
		.vpc_peering_connection_id = r->peering,
		.peering_status = str_has(r->peering) ? STR("active") : STR_NONE};
}

ptrdiff_t ec2_rule_find(const struct ec2_rec_security_group *g, const struct ec2_rec_security_rule *r)
{
	for (size_t i = 0; i < g->rules.n; i++) {
		const struct ec2_rec_security_rule *o = &g->rules.v[i];
		if (o->is_egress.v == r->is_egress.v && str_eq(o->ip_protocol, r->ip_protocol) &&
			o->from_port.has == r->from_port.has && o->from_port.v == r->from_port.v &&
			o->to_port.v == r->to_port.v && str_eq(o->cidr_ipv4, r->cidr_ipv4) &&
			str_eq(o->cidr_ipv6, r->cidr_ipv6) && str_eq(o->prefix_list_id, r->prefix_list_id) &&
			str_eq(o->group, r->group))
			return (ptrdiff_t)i;
	}
	return -1;
}

struct str ec2_rule_peer(const struct ec2_rec_security_rule *r)
{
	return str_or(r->cidr_ipv4, str_or(r->cidr_ipv6, str_or(r->prefix_list_id, r->group)));
}

static struct str upper(struct arena *a, struct str s)
{
	struct str out = str_dup(a, s);
	char *p = arena_copy(a, out.p, out.n + 1);
	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 32);
	return str_n(p, s.n);
}

static status duplicate(struct call *c, const struct ec2_rec_security_rule *r)
{
	struct str peer = ec2_rule_peer(r);
	if (str_is(r->ip_protocol, "-1"))
		return call_fail(c, EC2_ERR_INVALID_PERMISSION_DUPLICATE,
			"the specified rule \"peer: %.*s, ALL, ALLOW\" already exists", STR_ARG(peer));
	if (str_starts(r->ip_protocol, STR("icmp")))
		return call_fail(c, EC2_ERR_INVALID_PERMISSION_DUPLICATE,
			"the specified rule \"peer: %.*s, %.*s, type: %d, code: %d, ALLOW\" already exists",
			STR_ARG(peer), STR_ARG(upper(c->arena, r->ip_protocol)), r->from_port.v, r->to_port.v);
	return call_fail(c, EC2_ERR_INVALID_PERMISSION_DUPLICATE,
		"the specified rule \"peer: %.*s, %.*s, from port: %d, to port: %d, ALLOW\" already exists",
		STR_ARG(peer), STR_ARG(upper(c->arena, r->ip_protocol)), r->from_port.v, r->to_port.v);
}

status ec2_rule_add(struct call *c, struct ec2_rec_security_group *g, struct ec2_rec_security_rule *r)
{
	size_t n = 0, capacity = g->rules.n;
	if (ec2_rule_find(g, r) >= 0) return duplicate(c, r);
	for (size_t i = 0; i < g->rules.n; i++)
		n += g->rules.v[i].is_egress.v == r->is_egress.v &&
		     str_has(g->rules.v[i].cidr_ipv6) == str_has(r->cidr_ipv6);
	if (n >= RULES_MAX)
		return call_fail(c, EC2_ERR_RULES_PER_SECURITY_GROUP_LIMIT_EXCEEDED,
			"The maximum number of rules per security group has been reached.");
	r->security_group_rule_id = ec2_new_id(c->arena, "sgr-");
	*VEC_PUSH(c->arena, &g->rules, &capacity) = *r;
	struct ec2_rec_security_group_rule index = {.group_id = g->group_id};
	ec2_put(ec2_here(c), &ec2_type_security_group_rule, r->security_group_rule_id, &index);
	return OK;
}

status ec2_rule_ports(
	struct call *c, struct str protocol, struct opt_i32 from, struct opt_i32 to, struct ec2_rec_security_rule *r)
{
	static const struct {
		const char *number, *name;
	} names[] = {{"6", "tcp"}, {"17", "udp"}, {"1", "icmp"}, {"58", "icmpv6"}};
	int64_t number;
	if (!str_has(protocol))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter ipProtocol");
	r->ip_protocol = str_ieq(protocol, STR("all")) ? STR("-1") : str_lower(c->arena, protocol);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_eq(r->ip_protocol, str_c(names[i].number))) r->ip_protocol = str_c(names[i].name);
	bool ports = str_is(r->ip_protocol, "tcp") || str_is(r->ip_protocol, "udp");
	bool icmp = str_starts(r->ip_protocol, STR("icmp"));
	r->from_port = r->to_port = (struct opt_i32){0};
	if (!ports && !icmp) {
		if (!is_ok(str_to_i64(r->ip_protocol, &number)) || number < -1 || number > 255)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Invalid value '%.*s' for IP protocol. Unknown protocol.", STR_ARG(protocol));
		return OK;
	}
	if (!from.has || !to.has)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.");
	if (ports && (from.v < 0 || to.v < 0 || from.v > 65535 || to.v > 65535 || from.v > to.v))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid TCP/UDP port range (%d:%d)", from.v, to.v);
	if (icmp && (from.v < -1 || from.v > 255 || to.v < -1 || to.v > 255))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid ICMP type or code (%d:%d)", from.v, to.v);
	r->from_port = from;
	r->to_port = to;
	return OK;
}

status ec2_rule_cidr(struct call *c, struct str text, bool v6, struct ec2_rec_security_rule *r)
{
	struct cidr block;
	if (!is_ok(cidr_parse(text, &block)) || block.v6 != v6)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "CIDR block %.*s is malformed", STR_ARG(text));
	if (v6)
		r->cidr_ipv6 = cidr_text(c->arena, cidr_network(block));
	else
		r->cidr_ipv4 = cidr_text(c->arena, cidr_network(block));
	return OK;
}

/* The group that a rule names: of this VPC, or of one that is peered with it. */
status ec2_rule_group(struct call *c, const struct ec2_rec_security_group *g, struct str id, struct str owner,
	struct ec2_rec_security_rule *r)
{
	struct ec2_rec_security_group other;
	TRY(ec2_check_id(c, &ec2_type_security_group, id));
	status s = ec2_load(ec2_here(c), &ec2_type_security_group, id, &other);
	r->group = id;
	r->group_owner = c->account;
	if (is_ok(s) && str_eq(other.vpc_id, g->vpc_id)) return OK;
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	s = ec2_peered_group(ec2_here(c), g->vpc_id, id, owner, &r->group_owner, &r->peering);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, EC2_ERR_INVALID_GROUP_NOT_FOUND,
			"You have specified two resources that belong to different networks, or the security group "
			"'%.*s' does not "
			"exist",
			STR_ARG(id));
	return s;
}

status ec2_rule_description(struct call *c, struct str text, struct ec2_rec_security_rule *r)
{
	static const char allowed[] = " ._-:/()#,@[]+=&;{}!$*";
	if (text.n > 255)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Invalid rule description. Rule descriptions must be less than 256 "
			"characters long.");
	for (size_t i = 0; i < text.n; i++) {
		char b = text.p[i];
		bool ok = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
			  (b && strchr(allowed, b));
		if (!ok)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Invalid rule description. Valid descriptions are strings less than 256 characters "
				"from the following set:  "
				"a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*");
	}
	r->description = str_empty(text) ? STR_NONE : text;
	return OK;
}

static struct ec2_rec_security_rule *push(
	struct arena *a, struct ec2_rec_security_rules *out, const struct ec2_rec_security_rule *base)
{
	size_t capacity = out->n;
	struct ec2_rec_security_rule *r = VEC_PUSH(a, out, &capacity);
	*r = *base;
	return r;
}

static status read_permission(struct call *c, const struct ec2_rec_security_group *g, const struct ec2_ip_permission *p,
	bool egress, struct ec2_rec_security_rules *out)
{
	struct ec2_rec_security_rule base = {.is_egress = SOME_BOOL(egress)};
	size_t before = out->n;
	TRY(ec2_rule_ports(c, p->ip_protocol, p->from_port, p->to_port, &base));
	for (size_t i = 0; i < p->ip_ranges.n; i++) {
		struct ec2_rec_security_rule *r = push(c->arena, out, &base);
		TRY(ec2_rule_cidr(c, p->ip_ranges.v[i].cidr_ip, false, r));
		TRY(ec2_rule_description(c, p->ip_ranges.v[i].description, r));
	}
	for (size_t i = 0; i < p->ipv6_ranges.n; i++) {
		struct ec2_rec_security_rule *r = push(c->arena, out, &base);
		TRY(ec2_rule_cidr(c, p->ipv6_ranges.v[i].cidr_ipv6, true, r));
		TRY(ec2_rule_description(c, p->ipv6_ranges.v[i].description, r));
	}
	for (size_t i = 0; i < p->prefix_list_ids.n; i++) {
		struct ec2_rec_security_rule *r = push(c->arena, out, &base);
		struct ec2_rec_prefix_list list;
		TRY(ec2_prefix_list_find(c, p->prefix_list_ids.v[i].prefix_list_id, &list));
		r->prefix_list_id = p->prefix_list_ids.v[i].prefix_list_id;
		TRY(ec2_rule_description(c, p->prefix_list_ids.v[i].description, r));
	}
	for (size_t i = 0; i < p->user_id_group_pairs.n; i++) {
		const struct ec2_user_id_group_pair *pair = &p->user_id_group_pairs.v[i];
		struct ec2_rec_security_rule *r = push(c->arena, out, &base);
		struct str id = pair->group_id;
		if (!str_has(id)) {
			TRY(ec2_group_named(c, g->vpc_id, pair->group_name, &id));
		}
		TRY(ec2_rule_group(c, g, id, pair->user_id, r));
		TRY(ec2_rule_description(c, pair->description, r));
	}
	if (out->n == before)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter ipRanges, ipv6Ranges, prefixListIds or "
			"userIdGroupPairs");
	return OK;
}

status ec2_rules_read(struct call *c, const struct ec2_rec_security_group *g, const struct ec2_rules_given *in,
	bool egress, struct ec2_rec_security_rules *out)
{
	*out = (struct ec2_rec_security_rules){0};
	for (size_t i = 0; i < in->permissions->n; i++) TRY(read_permission(c, g, &in->permissions->v[i], egress, out));
	if (str_has(in->protocol) || str_has(in->cidr) || str_has(in->source_group)) {
		struct ec2_ip_range range = {.cidr_ip = in->cidr};
		struct ec2_user_id_group_pair pair = {.group_name = in->source_group, .user_id = in->source_owner};
		struct ec2_ip_permission p = {
			.ip_protocol = str_has(in->source_group) ? str_or(in->protocol, STR("-1")) : in->protocol,
			.from_port = in->from,
			.to_port = in->to,
			.ip_ranges = {str_has(in->cidr) ? &range : NULL, str_has(in->cidr)},
			.user_id_group_pairs = {str_has(in->source_group) ? &pair : NULL, str_has(in->source_group)}};
		TRY(read_permission(c, g, &p, egress, out));
	}
	if (!out->n)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter ipPermissions");
	return OK;
}
