/* Transit gateways and their attachments to VPCs. Route tables are in tgw_route.c. */
#include "services/ec2/tgw.h"
#include "services/ec2/intent.h"

enum { GATEWAYS_MAX = 5, ATTACHMENTS_PER_VPC_MAX = 5 };

static const char *const filters[] = {"options.propagation-default-route-table-id", "options.amazon-side-asn",
	"options.association-default-route-table-id", "options.auto-accept-shared-attachments",
	"options.default-route-table-association", "options.default-route-table-propagation", "options.dns-support",
	"options.vpn-ecmp-support", "owner-id", "state", "transit-gateway-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_transit_gateway *out = to;
	out->owner_id = item->at.account;
	out->transit_gateway_arn = ec2_arn(c, item->at.account, item->at.region, "transit-gateway", item->id);
	return OK;
}

const struct ec2_type ec2_type_transit_gateway = {
	.name = "transit-gateway",
	.prefix = "tgw-",
	.absent = "Transit Gateway @ was deleted or does not exist.",
	.not_found = EC2_ERR_INVALID_TRANSIT_GATEWAY_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_TRANSIT_GATEWAY_ID_MALFORMED,
	.record = EC2_REC_TRANSIT_GATEWAY,
	.shape = EC2_SHAPE_TRANSIT_GATEWAY,
	.filters = filters,
	.render = render,
};

static const char *const attachment_filters[] = {
	"state", "transit-gateway-attachment-id", "transit-gateway-id", "vpc-id", NULL};

static status render_attachment(struct call *c, const struct ec2_item *item, void *to)
{
	(void)c;
	struct ec2_transit_gateway_vpc_attachment *out = to;
	out->vpc_owner_id = item->at.account;
	return OK;
}

static bool is_of_vpc(struct call *c, const struct ec2_item *item)
{
	(void)c;
	return !str_has(((const struct ec2_rec_tgw_attachment *)item->record)->peer);
}

static bool any(struct call *c, const struct ec2_item *item)
{
	(void)c;
	(void)item;
	return true;
}

const struct ec2_type ec2_type_tgw_attachment = {
	.name = "transit-gateway-attachment",
	.prefix = "tgw-attach-",
	.absent = "Transit Gateway Attachment @ was deleted or does not exist.",
	.not_found = EC2_ERR_INVALID_TRANSIT_GATEWAY_ATTACHMENT_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_TRANSIT_GATEWAY_ATTACHMENT_ID_MALFORMED,
	.record = EC2_REC_TGW_ATTACHMENT,
	.shape = EC2_SHAPE_TRANSIT_GATEWAY_VPC_ATTACHMENT,
	.filters = attachment_filters,
	.render = render_attachment,
};

status ec2_tgw_touch(struct ec2_place at, struct str tgw)
{
	TRY(ec2_guard(at, tgw, NULL));
	ec2_intent_mark(at, tgw);
	return OK;
}

status ec2_tgw_check_attached(struct call *c, struct str tgw, struct str vpc)
{
	struct ec2_rec_transit_gateway t;
	bool attached = false;
	TRY(ec2_find(c, &ec2_type_transit_gateway, tgw, &t));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_tgw_attachment);
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *a = e.item.record;
		attached = attached || (str_eq(a->transit_gateway_id, tgw) && str_eq(a->vpc_id, vpc));
	}
	TRY(ec2_each_end(&e));
	return attached ? OK : ec2_absent(c, &ec2_type_transit_gateway, tgw);
}

static struct str enabled(struct str given, const char *otherwise)
{
	return str_or(given, str_c(otherwise));
}

status ec2_create_transit_gateway(struct call *c, const struct ec2_create_transit_gateway_input *in,
	struct ec2_create_transit_gateway_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_transit_gateway};
	static const struct ec2_transit_gateway_request_options none;
	const struct ec2_transit_gateway_request_options *o = in->options ? in->options : &none;
	struct ec2_rec_tgw_options options = {
		.amazon_side_asn = SOME_I64(o->amazon_side_asn.has ? o->amazon_side_asn.v : 64512),
		.auto_accept_shared_attachments = enabled(o->auto_accept_shared_attachments, "disable"),
		.default_route_table_association = enabled(o->default_route_table_association, "enable"),
		.default_route_table_propagation = enabled(o->default_route_table_propagation, "enable"),
		.vpn_ecmp_support = enabled(o->vpn_ecmp_support, "enable"),
		.dns_support = enabled(o->dns_support, "enable"),
		.security_group_referencing_support = enabled(o->security_group_referencing_support, "disable"),
		.multicast_support = enabled(o->multicast_support, "disable")};
	struct ec2_rec_transit_gateway t = {.transit_gateway_id = ec2_new_id(c->arena, "tgw-"),
		.description = in->description,
		.creation_time = SOME_TIME(c->now_ms),
		.state = STR("available"),
		.options = &options};
	bool associates = str_is(options.default_route_table_association, "enable");
	bool propagates = str_is(options.default_route_table_propagation, "enable");
	size_t n;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_is(options.multicast_support, "enable") || o->transit_gateway_cidr_blocks.n)
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Multicast and blocks of transit gateways are not implemented.");
	TRY(ec2_guard(ec2_here(c), STR("transit-gateways"), NULL));
	TRY(ec2_count(ec2_here(c), &ec2_type_transit_gateway, &n));
	if (n >= GATEWAYS_MAX)
		return call_fail(c, EC2_ERR_TRANSIT_GATEWAY_LIMIT_EXCEEDED,
			"The maximum number of transit gateways has been reached.");
	if (associates || propagates) {
		struct ec2_rec_tgw_route_table table = {
			.transit_gateway_route_table_id = ec2_new_id(c->arena, "tgw-rtb-"),
			.transit_gateway_id = t.transit_gateway_id,
			.state = STR("available"),
			.creation_time = SOME_TIME(c->now_ms),
			.default_association_route_table = SOME_BOOL(associates),
			.default_propagation_route_table = SOME_BOOL(propagates)};
		ec2_put(ec2_here(c), &ec2_type_tgw_route_table, table.transit_gateway_route_table_id, &table);
		if (associates) options.association_default_route_table_id = table.transit_gateway_route_table_id;
		if (propagates) options.propagation_default_route_table_id = table.transit_gateway_route_table_id;
	}
	ec2_put(ec2_here(c), &ec2_type_transit_gateway, t.transit_gateway_id, &t);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_transit_gateway, t.transit_gateway_id));
	out->transit_gateway = arena_new(c->arena, struct ec2_transit_gateway);
	TRY(ec2_describe_one(c, &ec2_type_transit_gateway, t.transit_gateway_id, out->transit_gateway));
	out->transit_gateway->state = STR("pending");
	return OK;
}

status ec2_describe_transit_gateways(struct call *c, const struct ec2_describe_transit_gateways_input *in,
	struct ec2_describe_transit_gateways_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_transit_gateway, in, transit_gateway_ids, out, transit_gateways);
}

status ec2_modify_transit_gateway(struct call *c, const struct ec2_modify_transit_gateway_input *in,
	struct ec2_modify_transit_gateway_output *out)
{
	struct ec2_rec_transit_gateway t;
	TRY(ec2_find(c, &ec2_type_transit_gateway, in->transit_gateway_id, &t));
	if (str_has(in->description)) t.description = in->description;
	const struct ec2_modify_transit_gateway_options *o = in->options;
	if (o) {
		struct ec2_rec_tgw_options *to = t.options;
		struct ec2_rec_tgw_route_table table;
		if (o->add_transit_gateway_cidr_blocks.n || o->remove_transit_gateway_cidr_blocks.n ||
			str_has(o->encryption_support))
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Blocks and encryption of transit gateways are not implemented.");
		if (str_has(o->association_default_route_table_id))
			TRY(ec2_find(c, &ec2_type_tgw_route_table, o->association_default_route_table_id, &table));
		if (str_has(o->propagation_default_route_table_id))
			TRY(ec2_find(c, &ec2_type_tgw_route_table, o->propagation_default_route_table_id, &table));
		to->vpn_ecmp_support = str_or(o->vpn_ecmp_support, to->vpn_ecmp_support);
		to->dns_support = str_or(o->dns_support, to->dns_support);
		to->security_group_referencing_support =
			str_or(o->security_group_referencing_support, to->security_group_referencing_support);
		to->auto_accept_shared_attachments =
			str_or(o->auto_accept_shared_attachments, to->auto_accept_shared_attachments);
		to->default_route_table_association =
			str_or(o->default_route_table_association, to->default_route_table_association);
		to->default_route_table_propagation =
			str_or(o->default_route_table_propagation, to->default_route_table_propagation);
		to->association_default_route_table_id =
			str_or(o->association_default_route_table_id, to->association_default_route_table_id);
		to->propagation_default_route_table_id =
			str_or(o->propagation_default_route_table_id, to->propagation_default_route_table_id);
		if (o->amazon_side_asn.has) to->amazon_side_asn = o->amazon_side_asn;
	}
	ec2_put(ec2_here(c), &ec2_type_transit_gateway, t.transit_gateway_id, &t);
	out->transit_gateway = arena_new(c->arena, struct ec2_transit_gateway);
	return ec2_describe_one(c, &ec2_type_transit_gateway, t.transit_gateway_id, out->transit_gateway);
}

status ec2_delete_transit_gateway(struct call *c, const struct ec2_delete_transit_gateway_input *in,
	struct ec2_delete_transit_gateway_output *out)
{
	struct ec2_rec_transit_gateway t;
	bool used = false;
	TRY(ec2_find(c, &ec2_type_transit_gateway, in->transit_gateway_id, &t));
	TRY(ec2_tgw_touch(ec2_here(c), t.transit_gateway_id));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_tgw_attachment);
	while (ec2_next(&e))
		used = used || str_eq(((struct ec2_rec_tgw_attachment *)e.item.record)->transit_gateway_id,
				       t.transit_gateway_id);
	TRY(ec2_each_end(&e));
	if (used)
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "%.*s has non-deleted VPC Attachments.",
			STR_ARG(t.transit_gateway_id));
	out->transit_gateway = arena_new(c->arena, struct ec2_transit_gateway);
	TRY(ec2_describe_one(c, &ec2_type_transit_gateway, t.transit_gateway_id, out->transit_gateway));
	out->transit_gateway->state = STR("deleting");
	e = ec2_each(ec2_here(c), &ec2_type_tgw_route_table);
	while (ec2_next(&e))
		if (str_eq(((struct ec2_rec_tgw_route_table *)e.item.record)->transit_gateway_id, t.transit_gateway_id))
			ec2_drop(ec2_here(c), &ec2_type_tgw_route_table, e.item.id);
	TRY(ec2_each_end(&e));
	ec2_drop(ec2_here(c), &ec2_type_transit_gateway, t.transit_gateway_id);
	return OK;
}

/* ── attachments ── */

/* An interface in each of the subnets: one to a zone. */
static status plug(struct call *c, struct ec2_rec_tgw_attachment *a, const struct str *subnets, size_t n)
{
	size_t capacity = a->subnet_ids.n, interfaces = a->interfaces.n;
	for (size_t i = 0; i < n; i++) {
		struct ec2_rec_subnet s, other;
		struct ec2_rec_eni e;
		TRY(ec2_find(c, &ec2_type_subnet, subnets[i], &s));
		if (!str_eq(s.vpc_id, a->vpc_id))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Subnet %.*s is not in VPC %.*s",
				STR_ARG(s.subnet_id), STR_ARG(a->vpc_id));
		for (size_t k = 0; k < a->subnet_ids.n; k++) {
			TRY(ec2_find(c, &ec2_type_subnet, a->subnet_ids.v[k], &other));
			if (str_eq(other.availability_zone, s.availability_zone))
				return call_fail(c, EC2_ERR_DUPLICATE_SUBNETS_IN_SAME_ZONE,
					"Duplicate Subnets for same AZ: %.*s", STR_ARG(s.availability_zone));
		}
		struct ec2_eni_make m = {.subnet = s.subnet_id,
			.description = str_fmt(c->arena, "Network Interface for Transit Gateway Attachment %.*s",
				STR_ARG(a->transit_gateway_attachment_id)),
			.type = STR("transit_gateway"),
			.requester_id = STR("amazon-transit-gateway")};
		TRY(ec2_eni_make(c, &m, &e));
		struct ec2_eni_attach how = {.eni = e.network_interface_id, .device = 1};
		TRY(ec2_eni_attach(c, &how, NULL));
		*VEC_PUSH(c->arena, &a->subnet_ids, &capacity) = s.subnet_id;
		*VEC_PUSH(c->arena, &a->interfaces, &interfaces) = e.network_interface_id;
	}
	return OK;
}

status ec2_create_transit_gateway_vpc_attachment(struct call *c,
	const struct ec2_create_transit_gateway_vpc_attachment_input *in,
	struct ec2_create_transit_gateway_vpc_attachment_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_tgw_attachment};
	static const struct ec2_create_transit_gateway_vpc_attachment_request_options none;
	const struct ec2_create_transit_gateway_vpc_attachment_request_options *o = in->options ? in->options : &none;
	struct ec2_rec_transit_gateway t;
	struct ec2_rec_vpc vpc;
	struct ec2_rec_tgw_attachment_options options = {.dns_support = enabled(o->dns_support, "enable"),
		.ipv6_support = enabled(o->ipv6_support, "disable"),
		.appliance_mode_support = enabled(o->appliance_mode_support, "disable"),
		.security_group_referencing_support = enabled(o->security_group_referencing_support, "disable")};
	struct ec2_rec_tgw_attachment a = {.transit_gateway_attachment_id = ec2_new_id(c->arena, "tgw-attach-"),
		.transit_gateway_id = in->transit_gateway_id,
		.vpc_id = in->vpc_id,
		.state = STR("available"),
		.creation_time = SOME_TIME(c->now_ms),
		.options = &options};
	size_t n = 0;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_find(c, &ec2_type_transit_gateway, in->transit_gateway_id, &t));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	TRY(ec2_tgw_touch(ec2_here(c), t.transit_gateway_id));
	if (!in->subnet_ids.n)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter SubnetIds");
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_tgw_attachment);
	bool twice = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_tgw_attachment *other = e.item.record;
		if (!str_eq(other->vpc_id, vpc.vpc_id)) continue;
		n++;
		twice = twice || str_eq(other->transit_gateway_id, t.transit_gateway_id);
	}
	TRY(ec2_each_end(&e));
	if (twice)
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED, "%.*s has existing attachment to %.*s",
			STR_ARG(t.transit_gateway_id), STR_ARG(vpc.vpc_id));
	if (n >= ATTACHMENTS_PER_VPC_MAX)
		return call_fail(
			c, EC2_ERR_RESOURCE_LIMIT_EXCEEDED, "The maximum number of attachments has been reached.");
	TRY(plug(c, &a, in->subnet_ids.v, in->subnet_ids.n));
	if (str_is(t.options->default_route_table_association, "enable"))
		a.table = t.options->association_default_route_table_id;
	if (str_is(t.options->default_route_table_propagation, "enable")) {
		a.propagates.v = &t.options->propagation_default_route_table_id;
		a.propagates.n = 1;
	}
	ec2_put(ec2_here(c), &ec2_type_tgw_attachment, a.transit_gateway_attachment_id, &a);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_tgw_attachment, a.transit_gateway_attachment_id));
	out->transit_gateway_vpc_attachment = arena_new(c->arena, struct ec2_transit_gateway_vpc_attachment);
	TRY(ec2_describe_one(
		c, &ec2_type_tgw_attachment, a.transit_gateway_attachment_id, out->transit_gateway_vpc_attachment));
	out->transit_gateway_vpc_attachment->state = STR("pending");
	return OK;
}

/* One of a VPC. */
static status find_of_vpc(struct call *c, struct str id, struct ec2_rec_tgw_attachment *a)
{
	TRY(ec2_find(c, &ec2_type_tgw_attachment, id, a));
	return str_has(a->peer) ? ec2_absent(c, &ec2_type_tgw_attachment, id) : OK;
}

status ec2_describe_transit_gateway_vpc_attachments(struct call *c,
	const struct ec2_describe_transit_gateway_vpc_attachments_input *in,
	struct ec2_describe_transit_gateway_vpc_attachments_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_tgw_attachment,
		.ids = &in->transit_gateway_attachment_ids,
		.filters = &in->filters,
		.max_results = in->max_results,
		.next_token = in->next_token,
		.out = &out->transit_gateway_vpc_attachments,
		.next_out = &out->next_token,
		.visible = is_of_vpc};
	return ec2_describe(c, &d);
}

static const char *const any_filters[] = {"association.state", "association.transit-gateway-route-table-id",
	"resource-id", "resource-owner-id", "resource-type", "state", "transit-gateway-attachment-id",
	"transit-gateway-id", "transit-gateway-owner-id", NULL};

static status render_any(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_tgw_attachment *a = item->record;
	struct ec2_transit_gateway_attachment *out = to;
	out->transit_gateway_owner_id = out->resource_owner_id = item->at.account;
	if (str_has(a->peer)) out->resource_owner_id = a->peer_account;
	out->resource_type = ec2_tgw_resource_type(a);
	out->resource_id = ec2_tgw_resource(a);
	if (!str_has(a->table)) return OK;
	out->association = arena_new(c->arena, struct ec2_transit_gateway_attachment_association);
	*out->association = (struct ec2_transit_gateway_attachment_association){a->table, STR("associated")};
	return OK;
}

status ec2_describe_transit_gateway_attachments(struct call *c,
	const struct ec2_describe_transit_gateway_attachments_input *in,
	struct ec2_describe_transit_gateway_attachments_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_tgw_attachment,
		.ids = &in->transit_gateway_attachment_ids,
		.filters = &in->filters,
		.max_results = in->max_results,
		.next_token = in->next_token,
		.out = &out->transit_gateway_attachments,
		.next_out = &out->next_token,
		.shape = EC2_SHAPE_TRANSIT_GATEWAY_ATTACHMENT,
		.filter_names = any_filters,
		.render = render_any,
		.visible = any};
	return ec2_describe(c, &d);
}

static status unplug(struct call *c, struct ec2_rec_tgw_attachment *a, size_t i)
{
	TRY(ec2_eni_drop(c, a->interfaces.v[i]));
	for (; i + 1 < a->subnet_ids.n; i++) {
		a->subnet_ids.v[i] = a->subnet_ids.v[i + 1];
		a->interfaces.v[i] = a->interfaces.v[i + 1];
	}
	a->subnet_ids.n--;
	a->interfaces.n--;
	return OK;
}

status ec2_modify_transit_gateway_vpc_attachment(struct call *c,
	const struct ec2_modify_transit_gateway_vpc_attachment_input *in,
	struct ec2_modify_transit_gateway_vpc_attachment_output *out)
{
	struct ec2_rec_tgw_attachment a;
	TRY(find_of_vpc(c, in->transit_gateway_attachment_id, &a));
	TRY(ec2_vpc_touch(ec2_here(c), a.vpc_id));
	TRY(ec2_tgw_touch(ec2_here(c), a.transit_gateway_id));
	for (size_t i = 0; i < in->remove_subnet_ids.n; i++) {
		size_t at = 0;
		while (at < a.subnet_ids.n && !str_eq(a.subnet_ids.v[at], in->remove_subnet_ids.v[i])) at++;
		if (at == a.subnet_ids.n) return ec2_absent(c, &ec2_type_subnet, in->remove_subnet_ids.v[i]);
		TRY(unplug(c, &a, at));
	}
	TRY(plug(c, &a, in->add_subnet_ids.v, in->add_subnet_ids.n));
	if (!a.subnet_ids.n)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "An attachment needs at least one subnet.");
	if (in->options) {
		a.options->dns_support = str_or(in->options->dns_support, a.options->dns_support);
		a.options->ipv6_support = str_or(in->options->ipv6_support, a.options->ipv6_support);
		a.options->appliance_mode_support =
			str_or(in->options->appliance_mode_support, a.options->appliance_mode_support);
		a.options->security_group_referencing_support = str_or(
			in->options->security_group_referencing_support, a.options->security_group_referencing_support);
	}
	ec2_put(ec2_here(c), &ec2_type_tgw_attachment, a.transit_gateway_attachment_id, &a);
	out->transit_gateway_vpc_attachment = arena_new(c->arena, struct ec2_transit_gateway_vpc_attachment);
	return ec2_describe_one(
		c, &ec2_type_tgw_attachment, a.transit_gateway_attachment_id, out->transit_gateway_vpc_attachment);
}

status ec2_delete_transit_gateway_vpc_attachment(struct call *c,
	const struct ec2_delete_transit_gateway_vpc_attachment_input *in,
	struct ec2_delete_transit_gateway_vpc_attachment_output *out)
{
	struct ec2_rec_tgw_attachment a;
	TRY(find_of_vpc(c, in->transit_gateway_attachment_id, &a));
	TRY(ec2_vpc_touch(ec2_here(c), a.vpc_id));
	TRY(ec2_tgw_touch(ec2_here(c), a.transit_gateway_id));
	out->transit_gateway_vpc_attachment = arena_new(c->arena, struct ec2_transit_gateway_vpc_attachment);
	TRY(ec2_describe_one(
		c, &ec2_type_tgw_attachment, a.transit_gateway_attachment_id, out->transit_gateway_vpc_attachment));
	out->transit_gateway_vpc_attachment->state = STR("deleting");
	while (a.subnet_ids.n) TRY(unplug(c, &a, 0));
	ec2_drop(ec2_here(c), &ec2_type_tgw_attachment, a.transit_gateway_attachment_id);
	return OK;
}
