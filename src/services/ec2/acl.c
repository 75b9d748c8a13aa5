/* Network ACLs. "Control subnet traffic with network access control lists", the guide: numbered rules, first match, and
 * a last one that denies; a VPC's default ACL lets all through. */
#include "services/ec2/network.h"

enum { ACLS_MAX = 200, ENTRIES_MAX = 20, LAST = 32767, LAST6 = 32768, RULE_NUMBER_MAX = 32766 };

static const char *const filters[] = {"association.association-id=Associations.NetworkAclAssociationId",
	"association.network-acl-id=Associations.NetworkAclId", "association.subnet-id=Associations.SubnetId",
	"default=IsDefault", "entry.cidr=Entries.CidrBlock", "entry.ipv6-cidr=Entries.Ipv6CidrBlock",
	"entry.egress=Entries.Egress", "entry.icmp.code=Entries.IcmpTypeCode.Code",
	"entry.icmp.type=Entries.IcmpTypeCode.Type", "entry.port-range.from=Entries.PortRange.From",
	"entry.port-range.to=Entries.PortRange.To", "entry.protocol=Entries.Protocol",
	"entry.rule-action=Entries.RuleAction", "entry.rule-number=Entries.RuleNumber", "network-acl-id", "owner-id",
	"vpc-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_network_acl *out = to;
	out->owner_id = item->at.account;
	VEC_PRESENT(c->arena, &out->associations);
	for (size_t i = 0; i < out->associations.n; i++) out->associations.v[i].network_acl_id = item->id;
	return OK;
}

const struct ec2_type ec2_type_network_acl = {
	.name = "network-acl",
	.prefix = "acl-",
	.absent = "The networkAcl ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_NETWORK_ACL_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_NETWORK_ACL_ID_MALFORMED,
	.record = EC2_REC_NETWORK_ACL,
	.shape = EC2_SHAPE_NETWORK_ACL,
	.filters = filters,
	.render = render,
};

static void put_entry(
	struct arena *a, struct ec2_rec_network_acl *acl, int32_t number, bool egress, bool allow, bool v6)
{
	size_t capacity = acl->entries.n;
	struct ec2_rec_acl_entry e = {.rule_number = SOME_I32(number),
		.egress = SOME_BOOL(egress),
		.protocol = STR("-1"),
		.rule_action = allow ? STR("allow") : STR("deny")};
	if (v6)
		e.ipv6_cidr_block = STR("::/0");
	else
		e.cidr_block = STR("0.0.0.0/0");
	*VEC_PUSH(a, &acl->entries, &capacity) = e;
}

static void put_ipv6(struct arena *a, struct ec2_rec_network_acl *acl)
{
	for (int egress = 1; egress >= 0; egress--) {
		if (acl->is_default.v) put_entry(a, acl, 101, egress, true, true);
		put_entry(a, acl, LAST6, egress, false, true);
	}
}

/* Egress first, then by number: as AWS lists them. */
static void sort(struct ec2_rec_network_acl *acl)
{
	for (size_t i = 1; i < acl->entries.n; i++) {
		struct ec2_rec_acl_entry e = acl->entries.v[i];
		size_t k = i;
		for (; k > 0; k--) {
			const struct ec2_rec_acl_entry *p = &acl->entries.v[k - 1];
			if (p->egress.v > e.egress.v ||
				(p->egress.v == e.egress.v && p->rule_number.v <= e.rule_number.v))
				break;
			acl->entries.v[k] = *p;
		}
		acl->entries.v[k] = e;
	}
}

static void save(struct call *c, struct ec2_rec_network_acl *acl)
{
	sort(acl);
	ec2_put(ec2_here(c), &ec2_type_network_acl, acl->network_acl_id, acl);
}

status ec2_acl_make(struct call *c, const struct ec2_rec_vpc *vpc, bool is_default, struct ec2_rec_network_acl *out)
{
	*out = (struct ec2_rec_network_acl){.network_acl_id = ec2_new_id(c->arena, "acl-"),
		.vpc_id = vpc->vpc_id,
		.is_default = SOME_BOOL(is_default)};
	for (int egress = 1; egress >= 0; egress--) {
		if (is_default) put_entry(c->arena, out, 100, egress, true, false);
		put_entry(c->arena, out, LAST, egress, false, false);
	}
	if (vpc->ipv6_cidr_block_association_set.n) put_ipv6(c->arena, out);
	save(c, out);
	return OK;
}

/* The ACL of a VPC that `pick` wants: the default one, or that of a subnet. NOT_FOUND. */
static status find_acl(struct call *c, bool (*pick)(const struct ec2_rec_network_acl *acl, struct str with),
	struct str with, struct ec2_rec_network_acl **out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_network_acl);
	*out = NULL;
	while (!*out && ec2_next(&e))
		if (pick(e.item.record, with)) *out = e.item.record;
	TRY(ec2_each_end(&e));
	return *out ? OK : STATUS(NOT_FOUND);
}

static bool is_default_of(const struct ec2_rec_network_acl *acl, struct str vpc)
{
	return acl->is_default.v && str_eq(acl->vpc_id, vpc);
}

static ptrdiff_t association_at(const struct ec2_rec_network_acl *acl, struct str subnet_or_id)
{
	for (size_t i = 0; i < acl->associations.n; i++)
		if (str_eq(acl->associations.v[i].subnet_id, subnet_or_id) ||
			str_eq(acl->associations.v[i].network_acl_association_id, subnet_or_id))
			return (ptrdiff_t)i;
	return -1;
}

static bool has_association(const struct ec2_rec_network_acl *acl, struct str subnet_or_id)
{
	return association_at(acl, subnet_or_id) >= 0;
}

static void associate(struct call *c, struct ec2_rec_network_acl *acl, struct str subnet, struct str *id)
{
	size_t capacity = acl->associations.n;
	*id = ec2_new_id(c->arena, "aclassoc-");
	*VEC_PUSH(c->arena, &acl->associations, &capacity) = (struct ec2_rec_acl_association){*id, subnet};
	save(c, acl);
}

static void dissociate(struct call *c, struct ec2_rec_network_acl *acl, size_t i)
{
	acl->associations.v[i] = acl->associations.v[--acl->associations.n];
	save(c, acl);
}

status ec2_acl_subnet_added(struct call *c, struct str vpc, struct str subnet)
{
	struct ec2_rec_network_acl *acl;
	struct str id;
	TRY(find_acl(c, is_default_of, vpc, &acl));
	associate(c, acl, subnet, &id);
	return OK;
}

status ec2_acl_subnet_gone(struct call *c, struct str subnet)
{
	struct ec2_rec_network_acl *acl;
	status s = find_acl(c, has_association, subnet, &acl);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	dissociate(c, acl, (size_t)association_at(acl, subnet));
	return OK;
}

status ec2_acl_ipv6_added(struct call *c, struct str vpc)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_network_acl);
	while (ec2_next(&e)) {
		struct ec2_rec_network_acl *acl = e.item.record;
		bool there = false;
		if (!str_eq(acl->vpc_id, vpc)) continue;
		for (size_t i = 0; i < acl->entries.n; i++) there = there || acl->entries.v[i].rule_number.v == LAST6;
		if (there) continue;
		put_ipv6(c->arena, acl);
		save(c, acl);
	}
	return ec2_each_end(&e);
}

status ec2_create_network_acl(
	struct call *c, const struct ec2_create_network_acl_input *in, struct ec2_create_network_acl_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_network_acl};
	struct ec2_rec_vpc vpc;
	struct ec2_rec_network_acl acl;
	size_t n = 0;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_network_acl);
	while (ec2_next(&e)) n += str_eq(((struct ec2_rec_network_acl *)e.item.record)->vpc_id, vpc.vpc_id);
	TRY(ec2_each_end(&e));
	if (n >= ACLS_MAX)
		return call_fail(
			c, EC2_ERR_NETWORK_ACL_LIMIT_EXCEEDED, "The maximum number of network ACLs has been reached.");
	TRY(ec2_acl_make(c, &vpc, false, &acl));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_network_acl, acl.network_acl_id));
	out->network_acl = arena_new(c->arena, struct ec2_network_acl);
	return ec2_describe_one(c, &ec2_type_network_acl, acl.network_acl_id, out->network_acl);
}

status ec2_describe_network_acls(
	struct call *c, const struct ec2_describe_network_acls_input *in, struct ec2_describe_network_acls_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_network_acl, in, network_acl_ids, out, network_acls);
}

status ec2_delete_network_acl(
	struct call *c, const struct ec2_delete_network_acl_input *in, struct ec2_delete_network_acl_output *out)
{
	(void)out;
	struct ec2_rec_network_acl acl;
	TRY(ec2_find(c, &ec2_type_network_acl, in->network_acl_id, &acl));
	TRY(ec2_vpc_touch(ec2_here(c), acl.vpc_id));
	if (acl.is_default.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "cannot delete default network acl %.*s",
			STR_ARG(acl.network_acl_id));
	if (acl.associations.n)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The networkAcl '%.*s' has dependencies and cannot be deleted.", STR_ARG(acl.network_acl_id));
	ec2_drop(ec2_here(c), &ec2_type_network_acl, acl.network_acl_id);
	return OK;
}

status ec2_replace_network_acl_association(struct call *c, const struct ec2_replace_network_acl_association_input *in,
	struct ec2_replace_network_acl_association_output *out)
{
	struct ec2_rec_network_acl to, *from;
	TRY(ec2_find(c, &ec2_type_network_acl, in->network_acl_id, &to));
	TRY(ec2_vpc_touch(ec2_here(c), to.vpc_id));
	status s = find_acl(c, has_association, in->association_id, &from);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, EC2_ERR_INVALID_ASSOCIATION_ID_NOT_FOUND,
			"The association ID '%.*s' does not exist", STR_ARG(in->association_id));
	TRY(s);
	if (!str_eq(from->vpc_id, to.vpc_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"network ACL %.*s and association %.*s belong to different networks",
			STR_ARG(to.network_acl_id), STR_ARG(in->association_id));
	size_t i = (size_t)association_at(from, in->association_id);
	struct str subnet = from->associations.v[i].subnet_id;
	if (str_eq(from->network_acl_id, to.network_acl_id)) {
		from->associations.v[i].network_acl_association_id = out->new_association_id =
			ec2_new_id(c->arena, "aclassoc-");
		save(c, from);
		return OK;
	}
	dissociate(c, from, i);
	associate(c, &to, subnet, &out->new_association_id);
	return OK;
}

struct entry_given {
	struct opt_i32 number;
	struct opt_bool egress;
	struct str protocol, action, cidr, cidr6;
	const struct ec2_icmp_type_code *icmp;
	const struct ec2_port_range *ports;
};

static status check_entry(struct call *c, const struct entry_given *g, struct ec2_rec_acl_entry *out)
{
	struct cidr block;
	int64_t protocol;
	static const struct {
		const char *name, *number;
	} names[] = {{"tcp", "6"}, {"udp", "17"}, {"icmp", "1"}, {"icmpv6", "58"}, {"all", "-1"}};
	struct str p = g->protocol;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_ieq(p, str_c(names[i].name))) p = str_c(names[i].number);
	if (!is_ok(str_to_i64(p, &protocol)) || protocol < -1 || protocol > 255)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Invalid value '%.*s' for IP protocol. Unknown protocol.", STR_ARG(g->protocol));
	if (g->number.v < 1 || g->number.v > RULE_NUMBER_MAX)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Invalid value '%d' for ruleNumber. Must be between 1 and %d", g->number.v, RULE_NUMBER_MAX);
	*out = (struct ec2_rec_acl_entry){
		.rule_number = g->number, .egress = SOME_BOOL(g->egress.v), .rule_action = g->action, .protocol = p};
	if (str_has(g->cidr) == str_has(g->cidr6))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain exactly one of the parameters cidrBlock and ipv6CidrBlock");
	TRY(ec2_cidr_given(c, str_or(g->cidr, g->cidr6), str_has(g->cidr) ? "cidrBlock" : "ipv6CidrBlock", &block));
	if (block.v6 != str_has(g->cidr6))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "CIDR block %.*s is malformed",
			STR_ARG(str_or(g->cidr, g->cidr6)));
	if (block.v6)
		out->ipv6_cidr_block = cidr_text(c->arena, block);
	else
		out->cidr_block = cidr_text(c->arena, block);
	if (protocol == 6 || protocol == 17) {
		if (!g->ports || !g->ports->from.has || !g->ports->to.has)
			return call_fail(
				c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter portRange");
		if (g->ports->from.v < 0 || g->ports->to.v > 65535 || g->ports->from.v > g->ports->to.v)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid TCP/UDP port range (%d:%d)",
				g->ports->from.v, g->ports->to.v);
		out->port_range = arena_new(c->arena, struct ec2_rec_port_range);
		*out->port_range = (struct ec2_rec_port_range){g->ports->from, g->ports->to};
	} else if (protocol == 1 || protocol == 58) {
		out->icmp_type_code = arena_new(c->arena, struct ec2_rec_icmp_type_code);
		*out->icmp_type_code = (struct ec2_rec_icmp_type_code){SOME_I32(-1), SOME_I32(-1)};
		if (g->icmp && g->icmp->type.has) out->icmp_type_code->type = g->icmp->type;
		if (g->icmp && g->icmp->code.has) out->icmp_type_code->code = g->icmp->code;
	}
	return OK;
}

static ptrdiff_t entry_at(const struct ec2_rec_network_acl *acl, int32_t number, bool egress)
{
	for (size_t i = 0; i < acl->entries.n; i++)
		if (acl->entries.v[i].rule_number.v == number && acl->entries.v[i].egress.v == egress)
			return (ptrdiff_t)i;
	return -1;
}

static status take_acl(struct call *c, struct str id, struct ec2_rec_network_acl *acl)
{
	TRY(ec2_find(c, &ec2_type_network_acl, id, acl));
	return ec2_vpc_touch(ec2_here(c), acl->vpc_id);
}

static status no_entry(struct call *c, int32_t number)
{
	return call_fail(c, EC2_ERR_INVALID_NETWORK_ACL_ENTRY_NOT_FOUND,
		"The network acl entry identified by %d does not exist.", number);
}

status ec2_create_network_acl_entry(struct call *c, const struct ec2_create_network_acl_entry_input *in,
	struct ec2_create_network_acl_entry_output *out)
{
	(void)out;
	struct ec2_rec_network_acl acl;
	struct ec2_rec_acl_entry e;
	struct entry_given g = {in->rule_number, in->egress, in->protocol, in->rule_action, in->cidr_block,
		in->ipv6_cidr_block, in->icmp_type_code, in->port_range};
	size_t n = 0;
	TRY(take_acl(c, in->network_acl_id, &acl));
	TRY(check_entry(c, &g, &e));
	if (entry_at(&acl, e.rule_number.v, e.egress.v) >= 0)
		return call_fail(c, EC2_ERR_NETWORK_ACL_ENTRY_ALREADY_EXISTS,
			"The network acl entry identified by %d already exists.", e.rule_number.v);
	for (size_t i = 0; i < acl.entries.n; i++)
		n += acl.entries.v[i].egress.v == e.egress.v && acl.entries.v[i].rule_number.v <= RULE_NUMBER_MAX &&
		     str_has(acl.entries.v[i].ipv6_cidr_block) == str_has(e.ipv6_cidr_block);
	if (n >= ENTRIES_MAX)
		return call_fail(c, EC2_ERR_NETWORK_ACL_ENTRY_LIMIT_EXCEEDED,
			"The maximum number of network ACL entries has been reached.");
	size_t capacity = acl.entries.n;
	*VEC_PUSH(c->arena, &acl.entries, &capacity) = e;
	save(c, &acl);
	return OK;
}

status ec2_replace_network_acl_entry(struct call *c, const struct ec2_replace_network_acl_entry_input *in,
	struct ec2_replace_network_acl_entry_output *out)
{
	(void)out;
	struct ec2_rec_network_acl acl;
	struct ec2_rec_acl_entry e;
	struct entry_given g = {in->rule_number, in->egress, in->protocol, in->rule_action, in->cidr_block,
		in->ipv6_cidr_block, in->icmp_type_code, in->port_range};
	TRY(take_acl(c, in->network_acl_id, &acl));
	TRY(check_entry(c, &g, &e));
	ptrdiff_t i = entry_at(&acl, e.rule_number.v, e.egress.v);
	if (i < 0) return no_entry(c, e.rule_number.v);
	acl.entries.v[i] = e;
	save(c, &acl);
	return OK;
}

status ec2_delete_network_acl_entry(struct call *c, const struct ec2_delete_network_acl_entry_input *in,
	struct ec2_delete_network_acl_entry_output *out)
{
	(void)out;
	struct ec2_rec_network_acl acl;
	TRY(take_acl(c, in->network_acl_id, &acl));
	ptrdiff_t i = entry_at(&acl, in->rule_number.v, in->egress.v);
	if (i < 0 || in->rule_number.v > RULE_NUMBER_MAX) return no_entry(c, in->rule_number.v);
	acl.entries.v[i] = acl.entries.v[--acl.entries.n];
	save(c, &acl);
	return OK;
}
