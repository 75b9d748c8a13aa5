/* Security groups: made, described, deleted. Their rules are in group_rule.c and group_change.c. */
#include "services/ec2/compute.h"
#include "services/ec2/group_rule.h"

enum { GROUPS_MAX = 2500, PER_INTERFACE_MAX = 5, NAME_MAX_LENGTH = 255 }; /* "Amazon VPC quotas", the guide */

static const char *const filters[] = {"description", "egress.ip-permission.cidr=IpPermissionsEgress.IpRanges.CidrIp",
	"egress.ip-permission.from-port=IpPermissionsEgress.FromPort",
	"egress.ip-permission.group-id=IpPermissionsEgress.UserIdGroupPairs.GroupId",
	"egress.ip-permission.ipv6-cidr=IpPermissionsEgress.Ipv6Ranges.CidrIpv6",
	"egress.ip-permission.prefix-list-id=IpPermissionsEgress.PrefixListIds.PrefixListId",
	"egress.ip-permission.protocol=IpPermissionsEgress.IpProtocol",
	"egress.ip-permission.to-port=IpPermissionsEgress.ToPort",
	"egress.ip-permission.user-id=IpPermissionsEgress.UserIdGroupPairs.UserId", "group-id", "group-name",
	"ip-permission.cidr=IpPermissions.IpRanges.CidrIp", "ip-permission.from-port=IpPermissions.FromPort",
	"ip-permission.group-id=IpPermissions.UserIdGroupPairs.GroupId",
	"ip-permission.ipv6-cidr=IpPermissions.Ipv6Ranges.CidrIpv6",
	"ip-permission.prefix-list-id=IpPermissions.PrefixListIds.PrefixListId",
	"ip-permission.protocol=IpPermissions.IpProtocol", "ip-permission.to-port=IpPermissions.ToPort",
	"ip-permission.user-id=IpPermissions.UserIdGroupPairs.UserId", "owner-id", "vpc-id", NULL};

/* The permission of the same protocol and ports; a new one where there is none. */
static struct ec2_ip_permission *permission_for(
	struct arena *a, struct ec2_ip_permission_list *list, size_t *capacity, const struct ec2_rec_security_rule *r)
{
	for (size_t i = 0; i < list->n; i++) {
		struct ec2_ip_permission *p = &list->v[i];
		if (str_eq(p->ip_protocol, r->ip_protocol) && p->from_port.has == r->from_port.has &&
			p->from_port.v == r->from_port.v && p->to_port.v == r->to_port.v)
			return p;
	}
	struct ec2_ip_permission *p = VEC_PUSH(a, list, capacity);
	*p = (struct ec2_ip_permission){
		.ip_protocol = r->ip_protocol, .from_port = r->from_port, .to_port = r->to_port};
	VEC_PRESENT(a, &p->user_id_group_pairs);
	VEC_PRESENT(a, &p->ip_ranges);
	VEC_PRESENT(a, &p->ipv6_ranges);
	VEC_PRESENT(a, &p->prefix_list_ids);
	return p;
}

static void show_rule(
	struct call *c, const struct ec2_item *item, struct ec2_ip_permission *p, const struct ec2_rec_security_rule *r)
{
	struct arena *a = c->arena;
	size_t n;
	if (str_has(r->cidr_ipv4)) {
		n = p->ip_ranges.n;
		*VEC_PUSH(a, &p->ip_ranges, &n) =
			(struct ec2_ip_range){.cidr_ip = r->cidr_ipv4, .description = r->description};
	} else if (str_has(r->cidr_ipv6)) {
		n = p->ipv6_ranges.n;
		*VEC_PUSH(a, &p->ipv6_ranges, &n) =
			(struct ec2_ipv6_range){.cidr_ipv6 = r->cidr_ipv6, .description = r->description};
	} else if (str_has(r->prefix_list_id)) {
		n = p->prefix_list_ids.n;
		*VEC_PUSH(a, &p->prefix_list_ids, &n) =
			(struct ec2_prefix_list_id){.prefix_list_id = r->prefix_list_id, .description = r->description};
	} else {
		n = p->user_id_group_pairs.n;
		*VEC_PUSH(a, &p->user_id_group_pairs, &n) = (struct ec2_user_id_group_pair){.group_id = r->group,
			.user_id = str_or(r->group_owner, item->at.account),
			.description = r->description,
			.vpc_peering_connection_id = r->peering,
			.peering_status = str_has(r->peering) ? STR("active") : STR_NONE};
	}
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_security_group *g = item->record;
	struct ec2_security_group *out = to;
	size_t capacity[2] = {0};
	out->owner_id = item->at.account;
	out->security_group_arn = ec2_arn(c, item->at.account, item->at.region, "security-group", item->id);
	VEC_PRESENT(c->arena, &out->ip_permissions);
	VEC_PRESENT(c->arena, &out->ip_permissions_egress);
	for (size_t i = 0; i < g->rules.n; i++) {
		const struct ec2_rec_security_rule *r = &g->rules.v[i];
		bool egress = r->is_egress.v;
		show_rule(c, item,
			permission_for(c->arena, egress ? &out->ip_permissions_egress : &out->ip_permissions,
				&capacity[egress], r),
			r);
	}
	return OK;
}

const struct ec2_type ec2_type_security_group = {
	.name = "security-group",
	.prefix = "sg-",
	.absent = "The security group '@' does not exist",
	.not_found = EC2_ERR_INVALID_GROUP_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_GROUP_ID_MALFORMED,
	.record = EC2_REC_SECURITY_GROUP,
	.shape = EC2_SHAPE_SECURITY_GROUP,
	.filters = filters,
	.render = render,
};

static status check_name(struct call *c, struct str name, struct str description)
{
	static const char allowed[] = " ._-:/()#,@[]+=&;{}!$*";
	if (!name.n || name.n > NAME_MAX_LENGTH || description.n > NAME_MAX_LENGTH)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter %s is invalid. Up to %d characters.",
			STR_ARG(name.n > NAME_MAX_LENGTH || !name.n ? name : description),
			name.n > NAME_MAX_LENGTH || !name.n ? "GroupName" : "GroupDescription", NAME_MAX_LENGTH);
	if (str_istarts(name, STR("sg-")))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter GroupName is invalid. Group names may not be in the format sg-*.",
			STR_ARG(name));
	for (size_t i = 0; i < name.n + description.n; i++) {
		char b = i < name.n ? name.p[i] : description.p[i - name.n];
		bool ok = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
			  (b && strchr(allowed, b));
		if (!ok)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Value (%.*s) for parameter %s is invalid. Character sets beyond ASCII are not "
				"supported.",
				STR_ARG(i < name.n ? name : description),
				i < name.n ? "GroupName" : "GroupDescription");
	}
	return OK;
}

/* A group of this name in the VPC. NOT_FOUND. */
static status find_named(struct ec2_place at, struct str vpc, struct str name, struct ec2_rec_security_group *out)
{
	struct ec2_each e = ec2_each(at, &ec2_type_security_group);
	bool found = false;
	while (!found && ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		found = str_eq(g->vpc_id, vpc) && str_eq(g->group_name, name);
		if (found) *out = *g;
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

status ec2_group_default(struct ec2_place at, struct str vpc, struct str *id)
{
	struct ec2_rec_security_group g;
	TRY(find_named(at, vpc, STR("default"), &g));
	*id = g.group_id;
	return OK;
}

status ec2_group_make(
	struct call *c, struct str vpc, struct str name, struct str description, struct ec2_rec_security_group *out)
{
	size_t n;
	status s = find_named(ec2_here(c), vpc, name, out);
	if (is_ok(s))
		return call_fail(c, EC2_ERR_INVALID_GROUP_DUPLICATE,
			"The security group '%.*s' already exists for VPC '%.*s'", STR_ARG(name), STR_ARG(vpc));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(ec2_count(ec2_here(c), &ec2_type_security_group, &n));
	if (n >= GROUPS_MAX)
		return call_fail(c, EC2_ERR_SECURITY_GROUP_LIMIT_EXCEEDED,
			"The maximum number of security groups has been reached.");
	*out = (struct ec2_rec_security_group){
		.group_id = ec2_new_id(c->arena, "sg-"), .group_name = name, .description = description, .vpc_id = vpc};
	struct ec2_rec_security_rule all = {
		.is_egress = SOME_BOOL(true), .ip_protocol = STR("-1"), .cidr_ipv4 = STR("0.0.0.0/0")};
	TRY(ec2_rule_add(c, out, &all));
	/* "If your VPC has an associated IPv6 CIDR block, …a rule that allows all outbound IPv6 traffic." */
	struct ec2_rec_vpc v;
	s = ec2_load(ec2_here(c), &ec2_type_vpc, vpc, &v);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s) && v.ipv6_cidr_block_association_set.n) {
		all = (struct ec2_rec_security_rule){
			.is_egress = SOME_BOOL(true), .ip_protocol = STR("-1"), .cidr_ipv6 = STR("::/0")};
		TRY(ec2_rule_add(c, out, &all));
	}
	if (str_is(name, "default")) {
		struct ec2_rec_security_rule own = {
			.is_egress = SOME_BOOL(false), .ip_protocol = STR("-1"), .group = out->group_id};
		TRY(ec2_rule_add(c, out, &own));
	}
	ec2_put(ec2_here(c), &ec2_type_security_group, out->group_id, out);
	return OK;
}

status ec2_groups_for(struct call *c, struct str vpc, const struct str *ids, size_t n, struct ec2_rec_strings *out)
{
	*out = (struct ec2_rec_strings){arena_new_n(c->arena, struct str, n + 1), 0};
	if (!n) {
		out->n = 1;
		return ec2_group_default(ec2_here(c), vpc, &out->v[0]);
	}
	for (size_t i = 0; i < n; i++) {
		struct ec2_rec_security_group g;
		bool known = false;
		TRY(ec2_find(c, &ec2_type_security_group, ids[i], &g));
		if (!str_eq(g.vpc_id, vpc) && !ec2_is_among(g.vpcs.v, g.vpcs.n, vpc))
			return call_fail(c, EC2_ERR_INVALID_GROUP_NOT_FOUND,
				"The security group '%.*s' does not exist in VPC '%.*s'", STR_ARG(ids[i]),
				STR_ARG(vpc));
		for (size_t k = 0; k < out->n; k++) known = known || str_eq(out->v[k], ids[i]);
		if (!known) out->v[out->n++] = ids[i];
	}
	if (out->n > PER_INTERFACE_MAX)
		return call_fail(c, EC2_ERR_SECURITY_GROUPS_PER_INTERFACE_LIMIT_EXCEEDED,
			"The maximum number of security groups per interface has been reached.");
	return OK;
}

status ec2_create_security_group(
	struct call *c, const struct ec2_create_security_group_input *in, struct ec2_create_security_group_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_security_group};
	struct ec2_rec_vpc vpc;
	struct ec2_rec_security_group g;
	struct str vpc_id = in->vpc_id;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(check_name(c, in->group_name, in->description));
	if (str_is(in->group_name, "default"))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "Cannot use reserved security group name: default");
	if (!str_has(vpc_id)) {
		TRY(ec2_default_vpc(ec2_here(c), &vpc_id));
		if (!str_has(vpc_id)) return call_fail(c, EC2_ERR_VPC_ID_NOT_SPECIFIED, "No default VPC for this user");
	}
	TRY(ec2_vpc_take(c, vpc_id, &vpc));
	TRY(ec2_group_make(c, vpc_id, in->group_name, in->description, &g));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_security_group, g.group_id));
	out->group_id = g.group_id;
	out->security_group_arn = ec2_arn(c, c->account, c->region, "security-group", g.group_id);
	return ec2_tags_get(ec2_here(c), g.group_id, &out->tags);
}

static bool named(const struct ec2_describe_security_groups_input *in, const struct ec2_security_group *g)
{
	for (size_t i = 0; i < in->group_names.n; i++)
		if (str_eq(in->group_names.v[i], g->group_name)) return true;
	return in->group_names.n == 0;
}

status ec2_describe_security_groups(struct call *c, const struct ec2_describe_security_groups_input *in,
	struct ec2_describe_security_groups_output *out)
{
	TRY(EC2_DESCRIBE(c, &ec2_type_security_group, in, group_ids, out, security_groups));
	if (!in->group_names.n) return OK;
	/* GroupName.N names groups of the default VPC. */
	struct str vpc;
	size_t kept = 0;
	TRY(ec2_default_vpc(ec2_here(c), &vpc));
	for (size_t i = 0; i < out->security_groups.n; i++)
		if (str_eq(out->security_groups.v[i].vpc_id, vpc) && named(in, &out->security_groups.v[i]))
			out->security_groups.v[kept++] = out->security_groups.v[i];
	out->security_groups.n = kept;
	if (kept < in->group_names.n && !in->filters.n)
		return call_fail(c, EC2_ERR_INVALID_GROUP_NOT_FOUND,
			"The security group '%.*s' does not exist in default VPC '%.*s'", STR_ARG(in->group_names.v[0]),
			STR_ARG(vpc));
	return OK;
}

static bool is_member(const struct ec2_rec_eni *e, struct str group)
{
	for (size_t i = 0; i < e->groups.n; i++)
		if (str_eq(e->groups.v[i], group)) return true;
	return false;
}

static status is_referenced(struct ec2_place at, const struct ec2_rec_security_group *g, bool *yes)
{
	struct ec2_each e = ec2_each(at, &ec2_type_security_group);
	*yes = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *other = e.item.record;
		if (str_eq(other->group_id, g->group_id) || !str_eq(other->vpc_id, g->vpc_id)) continue;
		for (size_t i = 0; i < other->rules.n; i++) *yes = *yes || str_eq(other->rules.v[i].group, g->group_id);
	}
	return ec2_each_end(&e);
}

void ec2_group_drop(struct ec2_place at, const struct ec2_rec_security_group *g)
{
	for (size_t i = 0; i < g->rules.n; i++)
		ec2_drop(at, &ec2_type_security_group_rule, g->rules.v[i].security_group_rule_id);
	ec2_drop(at, &ec2_type_security_group, g->group_id);
}

status ec2_delete_security_group(
	struct call *c, const struct ec2_delete_security_group_input *in, struct ec2_delete_security_group_output *out)
{
	struct ec2_rec_security_group g;
	struct str vpc;
	bool used, referenced;
	if (str_has(in->group_id)) {
		TRY(ec2_find(c, &ec2_type_security_group, in->group_id, &g));
	} else {
		TRY(ec2_default_vpc(ec2_here(c), &vpc));
		if (!str_has(in->group_name))
			return call_fail(c, EC2_ERR_MISSING_PARAMETER,
				"The request must contain the parameter groupName or groupId");
		status s = find_named(ec2_here(c), vpc, in->group_name, &g);
		if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &ec2_type_security_group, in->group_name);
		TRY(s);
	}
	TRY(ec2_group_touch(c, &g));
	if (str_is(g.group_name, "default"))
		return call_fail(c, EC2_ERR_CANNOT_DELETE,
			"the specified group: \"%.*s\" name: \"default\" cannot be deleted by a user",
			STR_ARG(g.group_id));
	TRY(ec2_eni_any(ec2_here(c), is_member, g.group_id, &used));
	TRY(is_referenced(ec2_here(c), &g, &referenced));
	if (used || referenced)
		return call_fail(
			c, EC2_ERR_DEPENDENCY_VIOLATION, "resource %.*s has a dependent object", STR_ARG(g.group_id));
	ec2_group_drop(ec2_here(c), &g);
	out->return_ = SOME_BOOL(true);
	out->group_id = g.group_id;
	return OK;
}

status ec2_group_named(struct call *c, struct str vpc, struct str name, struct str *id)
{
	struct ec2_rec_security_group g;
	status s = find_named(ec2_here(c), vpc, name, &g);
	if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &ec2_type_security_group, name);
	TRY(s);
	*id = g.group_id;
	return OK;
}
