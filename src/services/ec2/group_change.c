/* Changing the rules of security groups: authorize, revoke, modify, descriptions. */
#include "services/ec2/group_rule.h"

static status take_group(struct call *c, struct str id, struct str name, struct ec2_rec_security_group *g)
{
	struct str vpc;
	if (!str_has(id) && str_has(name)) {
		TRY(ec2_default_vpc(ec2_here(c), &vpc));
		TRY(ec2_group_named(c, vpc, name, &id));
	}
	if (!str_has(id))
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter groupName or groupId");
	TRY(ec2_find(c, &ec2_type_security_group, id, g));
	return ec2_group_touch(c, g);
}

static void save(struct call *c, const struct ec2_rec_security_group *g)
{
	ec2_put(ec2_here(c), &ec2_type_security_group, g->group_id, g);
}

static status authorize(struct call *c, struct ec2_rec_security_group *g, const struct ec2_rules_given *given,
	bool egress, const struct ec2_tag_specification_list *tags, struct ec2_security_group_rule_list *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_security_group_rule};
	struct ec2_rec_security_rules rules;
	size_t capacity = 0;
	TRY(ec2_specified_only(c, tags, taggable, 1));
	TRY(ec2_rules_read(c, g, given, egress, &rules));
	for (size_t i = 0; i < rules.n; i++) {
		struct ec2_security_group_rule *shown;
		TRY(ec2_rule_add(c, g, &rules.v[i]));
		TRY(ec2_tags_specified(c, tags, &ec2_type_security_group_rule, rules.v[i].security_group_rule_id));
		shown = VEC_PUSH(c->arena, out, &capacity);
		ec2_rule_show(c, g, &rules.v[i], shown);
		TRY(ec2_tags_get(ec2_here(c), rules.v[i].security_group_rule_id, &shown->tags));
	}
	save(c, g);
	return OK;
}

status ec2_authorize_security_group_ingress(struct call *c, const struct ec2_authorize_security_group_ingress_input *in,
	struct ec2_authorize_security_group_ingress_output *out)
{
	struct ec2_rec_security_group g;
	struct ec2_rules_given given = {&in->ip_permissions, in->ip_protocol, in->cidr_ip,
		in->source_security_group_name, in->source_security_group_owner_id, in->from_port, in->to_port};
	TRY(take_group(c, in->group_id, in->group_name, &g));
	out->return_ = SOME_BOOL(true);
	return authorize(c, &g, &given, false, &in->tag_specifications, &out->security_group_rules);
}

status ec2_authorize_security_group_egress(struct call *c, const struct ec2_authorize_security_group_egress_input *in,
	struct ec2_authorize_security_group_egress_output *out)
{
	struct ec2_rec_security_group g;
	struct ec2_rules_given given = {&in->ip_permissions, in->ip_protocol, in->cidr_ip,
		in->source_security_group_name, in->source_security_group_owner_id, in->from_port, in->to_port};
	TRY(take_group(c, in->group_id, STR_NONE, &g));
	out->return_ = SOME_BOOL(true);
	return authorize(c, &g, &given, true, &in->tag_specifications, &out->security_group_rules);
}

static void remove_rule(
	struct call *c, struct ec2_rec_security_group *g, size_t i, struct ec2_revoked_security_group_rule_list *out)
{
	const struct ec2_rec_security_rule *r = &g->rules.v[i];
	size_t capacity = out->n;
	*VEC_PUSH(c->arena, out, &capacity) =
		(struct ec2_revoked_security_group_rule){.security_group_rule_id = r->security_group_rule_id,
			.group_id = g->group_id,
			.is_egress = r->is_egress,
			.ip_protocol = r->ip_protocol,
			.from_port = r->from_port.has ? r->from_port : SOME_I32(-1),
			.to_port = r->to_port.has ? r->to_port : SOME_I32(-1),
			.cidr_ipv4 = r->cidr_ipv4,
			.cidr_ipv6 = r->cidr_ipv6,
			.prefix_list_id = r->prefix_list_id,
			.referenced_group_id = r->group,
			.description = r->description};
	ec2_drop(ec2_here(c), &ec2_type_security_group_rule, r->security_group_rule_id);
	for (size_t k = i; k + 1 < g->rules.n; k++) g->rules.v[k] = g->rules.v[k + 1];
	g->rules.n--;
}

static ptrdiff_t rule_by_id(const struct ec2_rec_security_group *g, struct str id)
{
	for (size_t i = 0; i < g->rules.n; i++)
		if (str_eq(g->rules.v[i].security_group_rule_id, id)) return (ptrdiff_t)i;
	return -1;
}

static status find_rule(
	struct call *c, const struct ec2_rec_security_group *g, struct str id, bool egress, bool any, size_t *at)
{
	TRY(ec2_check_id(c, &ec2_type_security_group_rule, id));
	ptrdiff_t i = rule_by_id(g, id);
	if (i < 0 || (!any && g->rules.v[i].is_egress.v != egress))
		return ec2_absent(c, &ec2_type_security_group_rule, id);
	*at = (size_t)i;
	return OK;
}

/* "[Default VPC] If the values you specify do not match the existing rule's values, no error is returned … For a
 * non-default VPC, … an InvalidPermission.NotFound client error is returned, and no rules are revoked"
 * (RevokeSecurityGroupIngress, the reference). */
static status revoke(struct call *c, struct ec2_rec_security_group *g, const struct ec2_rules_given *given, bool egress,
	const struct ec2_security_group_rule_id_list *ids, struct ec2_ip_permission_list *unknown,
	struct ec2_revoked_security_group_rule_list *out)
{
	struct ec2_rec_security_rules rules;
	struct ec2_rec_vpc vpc;
	size_t at = 0;
	VEC_PRESENT(c->arena, out);
	if (ids->n) {
		for (size_t i = 0; i < ids->n; i++) {
			TRY(find_rule(c, g, ids->v[i], egress, false, &at));
			remove_rule(c, g, at, out);
		}
		save(c, g);
		return OK;
	}
	TRY(ec2_rules_read(c, g, given, egress, &rules));
	TRY(ec2_load(ec2_here(c), &ec2_type_vpc, g->vpc_id, &vpc));
	for (size_t i = 0; i < rules.n; i++) {
		ptrdiff_t k = ec2_rule_find(g, &rules.v[i]);
		if (k >= 0) {
			remove_rule(c, g, (size_t)k, out);
		} else if (!vpc.is_default.v) {
			return call_fail(c, EC2_ERR_INVALID_PERMISSION_NOT_FOUND,
				"The specified rule does not exist in this security group.");
		} else {
			*unknown = *given->permissions;
		}
	}
	save(c, g);
	return OK;
}

status ec2_revoke_security_group_ingress(struct call *c, const struct ec2_revoke_security_group_ingress_input *in,
	struct ec2_revoke_security_group_ingress_output *out)
{
	struct ec2_rec_security_group g;
	struct ec2_rules_given given = {&in->ip_permissions, in->ip_protocol, in->cidr_ip,
		in->source_security_group_name, in->source_security_group_owner_id, in->from_port, in->to_port};
	TRY(take_group(c, in->group_id, in->group_name, &g));
	out->return_ = SOME_BOOL(true);
	return revoke(c, &g, &given, false, &in->security_group_rule_ids, &out->unknown_ip_permissions,
		&out->revoked_security_group_rules);
}

status ec2_revoke_security_group_egress(struct call *c, const struct ec2_revoke_security_group_egress_input *in,
	struct ec2_revoke_security_group_egress_output *out)
{
	struct ec2_rec_security_group g;
	struct ec2_rules_given given = {&in->ip_permissions, in->ip_protocol, in->cidr_ip,
		in->source_security_group_name, in->source_security_group_owner_id, in->from_port, in->to_port};
	TRY(take_group(c, in->group_id, STR_NONE, &g));
	out->return_ = SOME_BOOL(true);
	return revoke(c, &g, &given, true, &in->security_group_rule_ids, &out->unknown_ip_permissions,
		&out->revoked_security_group_rules);
}

static status read_update(struct call *c, const struct ec2_rec_security_group *g,
	const struct ec2_security_group_rule_request *in, struct ec2_rec_security_rule *r)
{
	int n = str_has(in->cidr_ipv4) + str_has(in->cidr_ipv6) + str_has(in->prefix_list_id) +
		str_has(in->referenced_group_id);
	if (n != 1)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The request must contain exactly one of: cidrIpv4, cidrIpv6, prefixListId and "
			"referencedGroupId");
	*r = (struct ec2_rec_security_rule){.security_group_rule_id = r->security_group_rule_id,
		.is_egress = r->is_egress,
		.description = r->description};
	TRY(ec2_rule_ports(c, in->ip_protocol, in->from_port, in->to_port, r));
	if (str_has(in->cidr_ipv4)) TRY(ec2_rule_cidr(c, in->cidr_ipv4, false, r));
	if (str_has(in->cidr_ipv6)) TRY(ec2_rule_cidr(c, in->cidr_ipv6, true, r));
	if (str_has(in->referenced_group_id)) TRY(ec2_rule_group(c, g, in->referenced_group_id, STR_NONE, r));
	if (str_has(in->prefix_list_id)) {
		struct ec2_rec_prefix_list list;
		TRY(ec2_prefix_list_find(c, in->prefix_list_id, &list));
		r->prefix_list_id = in->prefix_list_id;
	}
	return ec2_rule_description(c, in->description, r);
}

status ec2_modify_security_group_rules(struct call *c, const struct ec2_modify_security_group_rules_input *in,
	struct ec2_modify_security_group_rules_output *out)
{
	struct ec2_rec_security_group g;
	TRY(take_group(c, in->group_id, STR_NONE, &g));
	for (size_t i = 0; i < in->security_group_rules.n; i++) {
		const struct ec2_security_group_rule_update *u = &in->security_group_rules.v[i];
		size_t at = 0;
		TRY(find_rule(c, &g, u->security_group_rule_id, false, true, &at));
		if (!u->security_group_rule) continue;
		struct ec2_rec_security_rule r = g.rules.v[at];
		TRY(read_update(c, &g, u->security_group_rule, &r));
		ptrdiff_t same = ec2_rule_find(&g, &r);
		if (same >= 0 && (size_t)same != at)
			return call_fail(c, EC2_ERR_INVALID_PERMISSION_DUPLICATE,
				"the specified rule \"peer: %.*s\" already exists", STR_ARG(ec2_rule_peer(&r)));
		g.rules.v[at] = r;
	}
	save(c, &g);
	out->return_ = SOME_BOOL(true);
	return OK;
}

static status describe_anew(struct call *c, struct ec2_rec_security_group *g,
	const struct ec2_ip_permission_list *permissions, const struct ec2_security_group_rule_description_list *by_id,
	bool egress)
{
	struct ec2_rec_security_rules rules;
	struct ec2_rules_given given = {.permissions = permissions};
	size_t at = 0;
	for (size_t i = 0; i < by_id->n; i++) {
		TRY(find_rule(c, g, by_id->v[i].security_group_rule_id, egress, false, &at));
		TRY(ec2_rule_description(c, by_id->v[i].description, &g->rules.v[at]));
	}
	if (!by_id->n) {
		TRY(ec2_rules_read(c, g, &given, egress, &rules));
		for (size_t i = 0; i < rules.n; i++) {
			ptrdiff_t k = ec2_rule_find(g, &rules.v[i]);
			if (k < 0)
				return call_fail(c, EC2_ERR_INVALID_PERMISSION_NOT_FOUND,
					"The specified rule does not exist in this security group.");
			g->rules.v[k].description = rules.v[i].description;
		}
	}
	save(c, g);
	return OK;
}

status ec2_update_security_group_rule_descriptions_ingress(struct call *c,
	const struct ec2_update_security_group_rule_descriptions_ingress_input *in,
	struct ec2_update_security_group_rule_descriptions_ingress_output *out)
{
	struct ec2_rec_security_group g;
	TRY(take_group(c, in->group_id, in->group_name, &g));
	out->return_ = SOME_BOOL(true);
	return describe_anew(c, &g, &in->ip_permissions, &in->security_group_rule_descriptions, false);
}

status ec2_update_security_group_rule_descriptions_egress(struct call *c,
	const struct ec2_update_security_group_rule_descriptions_egress_input *in,
	struct ec2_update_security_group_rule_descriptions_egress_output *out)
{
	struct ec2_rec_security_group g;
	TRY(take_group(c, in->group_id, in->group_name, &g));
	out->return_ = SOME_BOOL(true);
	return describe_anew(c, &g, &in->ip_permissions, &in->security_group_rule_descriptions, true);
}
