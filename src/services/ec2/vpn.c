/* Customer gateways and virtual private gateways, as records: no tunnel stands behind them. */
#include "services/ec2/gateways.h"

static const char *const customer_filters[] = {"bgp-asn", "customer-gateway-id", "ip-address", "state", "type", NULL};

const struct ec2_type ec2_type_customer_gateway = {
	.name = "customer-gateway",
	.prefix = "cgw-",
	.absent = "The customerGateway ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_CUSTOMER_GATEWAY_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_CUSTOMER_GATEWAY_ID_MALFORMED,
	.record = EC2_REC_CUSTOMER_GATEWAY,
	.shape = EC2_SHAPE_CUSTOMER_GATEWAY,
	.filters = customer_filters,
};

status ec2_create_customer_gateway(struct call *c, const struct ec2_create_customer_gateway_input *in,
	struct ec2_create_customer_gateway_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_customer_gateway};
	struct cidr address;
	struct str ip = str_or(in->ip_address, in->public_ip);
	int64_t asn = in->bgp_asn_extended.has ? in->bgp_asn_extended.v : in->bgp_asn.has ? in->bgp_asn.v : 65000;
	struct ec2_rec_customer_gateway r = {.customer_gateway_id = ec2_new_id(c->arena, "cgw-"),
		.bgp_asn = str_fmt(c->arena, "%lld", (long long)asn),
		.ip_address = ip,
		.type = in->type,
		.state = STR("available"),
		.device_name = in->device_name,
		.certificate_arn = in->certificate_arn};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (!str_has(ip) && !str_has(in->certificate_arn))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter IpAddress");
	if (str_has(ip) && !is_ok(cidr_parse_address(ip, &address)))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%.*s) for parameter ipAddress is invalid.",
			STR_ARG(ip));
	/* "The same request again returns the existing gateway" (CreateCustomerGateway, the reference). */
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_customer_gateway);
	while (ec2_next(&e)) {
		const struct ec2_rec_customer_gateway *o = e.item.record;
		if (str_eq(o->ip_address, r.ip_address) && str_eq(o->bgp_asn, r.bgp_asn) &&
			str_eq(o->device_name, r.device_name) && str_is(o->state, "available"))
			r.customer_gateway_id = e.item.id;
	}
	TRY(ec2_each_end(&e));
	ec2_put(ec2_here(c), &ec2_type_customer_gateway, r.customer_gateway_id, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_customer_gateway, r.customer_gateway_id));
	out->customer_gateway = arena_new(c->arena, struct ec2_customer_gateway);
	return ec2_describe_one(c, &ec2_type_customer_gateway, r.customer_gateway_id, out->customer_gateway);
}

status ec2_describe_customer_gateways(struct call *c, const struct ec2_describe_customer_gateways_input *in,
	struct ec2_describe_customer_gateways_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_customer_gateway,
		.ids = &in->customer_gateway_ids,
		.filters = &in->filters,
		.out = &out->customer_gateways};
	return ec2_describe(c, &d);
}

status ec2_delete_customer_gateway(struct call *c, const struct ec2_delete_customer_gateway_input *in,
	struct ec2_delete_customer_gateway_output *out)
{
	(void)out;
	struct ec2_rec_customer_gateway r;
	TRY(ec2_find(c, &ec2_type_customer_gateway, in->customer_gateway_id, &r));
	TRY(ec2_vpn_gateway_unused(c, r.customer_gateway_id));
	ec2_drop(ec2_here(c), &ec2_type_customer_gateway, r.customer_gateway_id);
	return OK;
}

static const char *const vpn_filters[] = {"amazon-side-asn", "attachment.state=VpcAttachments.State",
	"attachment.vpc-id=VpcAttachments.VpcId", "availability-zone", "state", "type", "vpn-gateway-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_vpn_gateway *r = item->record;
	struct ec2_vpn_gateway *out = to;
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->vpc_attachments);
	if (str_has(r->vpc))
		*VEC_PUSH(c->arena, &out->vpc_attachments, &capacity) =
			(struct ec2_vpc_attachment){.vpc_id = r->vpc, .state = STR("attached")};
	return OK;
}

const struct ec2_type ec2_type_vpn_gateway = {
	.name = "vpn-gateway",
	.prefix = "vgw-",
	.absent = "The vpnGateway ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPN_GATEWAY_ID_NOT_FOUND,
	.record = EC2_REC_VPN_GATEWAY,
	.shape = EC2_SHAPE_VPN_GATEWAY,
	.filters = vpn_filters,
	.render = render,
};

status ec2_create_vpn_gateway(
	struct call *c, const struct ec2_create_vpn_gateway_input *in, struct ec2_create_vpn_gateway_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_vpn_gateway};
	struct ec2_rec_vpn_gateway r = {.vpn_gateway_id = ec2_new_id(c->arena, "vgw-"),
		.type = in->type,
		.state = STR("available"),
		.amazon_side_asn = SOME_I64(in->amazon_side_asn.has ? in->amazon_side_asn.v : 64512),
		.availability_zone = in->availability_zone};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	ec2_put(ec2_here(c), &ec2_type_vpn_gateway, r.vpn_gateway_id, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_vpn_gateway, r.vpn_gateway_id));
	out->vpn_gateway = arena_new(c->arena, struct ec2_vpn_gateway);
	return ec2_describe_one(c, &ec2_type_vpn_gateway, r.vpn_gateway_id, out->vpn_gateway);
}

status ec2_describe_vpn_gateways(
	struct call *c, const struct ec2_describe_vpn_gateways_input *in, struct ec2_describe_vpn_gateways_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_vpn_gateway,
		.ids = &in->vpn_gateway_ids,
		.filters = &in->filters,
		.out = &out->vpn_gateways};
	return ec2_describe(c, &d);
}

status ec2_delete_vpn_gateway(
	struct call *c, const struct ec2_delete_vpn_gateway_input *in, struct ec2_delete_vpn_gateway_output *out)
{
	(void)out;
	struct ec2_rec_vpn_gateway r;
	TRY(ec2_find(c, &ec2_type_vpn_gateway, in->vpn_gateway_id, &r));
	if (str_has(r.vpc))
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "The vpnGateway '%.*s' is attached to a VPC.",
			STR_ARG(r.vpn_gateway_id));
	TRY(ec2_vpn_gateway_unused(c, r.vpn_gateway_id));
	ec2_drop(ec2_here(c), &ec2_type_vpn_gateway, r.vpn_gateway_id);
	return OK;
}

status ec2_attach_vpn_gateway(
	struct call *c, const struct ec2_attach_vpn_gateway_input *in, struct ec2_attach_vpn_gateway_output *out)
{
	struct ec2_rec_vpn_gateway r;
	struct ec2_rec_vpc vpc;
	bool taken = false;
	TRY(ec2_find(c, &ec2_type_vpn_gateway, in->vpn_gateway_id, &r));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_vpn_gateway);
	while (ec2_next(&e)) taken = taken || str_eq(((struct ec2_rec_vpn_gateway *)e.item.record)->vpc, vpc.vpc_id);
	TRY(ec2_each_end(&e));
	if (str_has(r.vpc) || taken)
		return call_fail(c, EC2_ERR_VPN_GATEWAY_ATTACHMENT_LIMIT_EXCEEDED,
			"The maximum number of virtual private gateway attachments has been reached.");
	r.vpc = vpc.vpc_id;
	ec2_put(ec2_here(c), &ec2_type_vpn_gateway, r.vpn_gateway_id, &r);
	out->vpc_attachment = arena_new(c->arena, struct ec2_vpc_attachment);
	*out->vpc_attachment = (struct ec2_vpc_attachment){.vpc_id = r.vpc, .state = STR("attaching")};
	return OK;
}

status ec2_detach_vpn_gateway(
	struct call *c, const struct ec2_detach_vpn_gateway_input *in, struct ec2_detach_vpn_gateway_output *out)
{
	(void)out;
	struct ec2_rec_vpn_gateway r;
	TRY(ec2_find(c, &ec2_type_vpn_gateway, in->vpn_gateway_id, &r));
	if (!str_has(r.vpc) || !str_eq(r.vpc, in->vpc_id))
		return call_fail(c, EC2_ERR_INVALID_VPN_GATEWAY_ATTACHMENT_NOT_FOUND,
			"The attachment with vpn gateway ID '%.*s' and vpc ID '%.*s' does not exist",
			STR_ARG(r.vpn_gateway_id), STR_ARG(in->vpc_id));
	TRY(ec2_vpc_touch(ec2_here(c), r.vpc));
	r.vpc = STR_NONE;
	ec2_put(ec2_here(c), &ec2_type_vpn_gateway, r.vpn_gateway_id, &r);
	return OK;
}
