/* Internet gateways and egress-only internet gateways. */
#include "services/ec2/network.h"

enum { GATEWAYS_MAX = 5 }; /* per region: "Amazon VPC quotas", the guide */

static const char *const filters[] = {"attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_internet_gateway *r = item->record;
	struct ec2_internet_gateway *out = to;
	size_t capacity = 0;
	out->owner_id = item->at.account;
	VEC_PRESENT(c->arena, &out->attachments);
	if (str_has(r->vpc))
		*VEC_PUSH(c->arena, &out->attachments, &capacity) =
			(struct ec2_internet_gateway_attachment){.state = STR("available"), .vpc_id = r->vpc};
	return OK;
}

const struct ec2_type ec2_type_internet_gateway = {
	.name = "internet-gateway",
	.prefix = "igw-",
	.absent = "The internetGateway ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_INTERNET_GATEWAY_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_INTERNET_GATEWAY_ID_MALFORMED,
	.record = EC2_REC_INTERNET_GATEWAY,
	.shape = EC2_SHAPE_INTERNET_GATEWAY,
	.filters = filters,
	.render = render,
};

status ec2_create_internet_gateway(struct call *c, const struct ec2_create_internet_gateway_input *in,
	struct ec2_create_internet_gateway_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_internet_gateway};
	struct ec2_rec_internet_gateway g = {.internet_gateway_id = ec2_new_id(c->arena, "igw-")};
	size_t n;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_guard(ec2_here(c), STR("internet-gateways"), NULL));
	TRY(ec2_count(ec2_here(c), &ec2_type_internet_gateway, &n));
	if (n >= GATEWAYS_MAX)
		return call_fail(c, EC2_ERR_INTERNET_GATEWAY_LIMIT_EXCEEDED,
			"The maximum number of internet gateways has been reached.");
	ec2_put(ec2_here(c), &ec2_type_internet_gateway, g.internet_gateway_id, &g);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_internet_gateway, g.internet_gateway_id));
	out->internet_gateway = arena_new(c->arena, struct ec2_internet_gateway);
	return ec2_describe_one(c, &ec2_type_internet_gateway, g.internet_gateway_id, out->internet_gateway);
}

status ec2_describe_internet_gateways(struct call *c, const struct ec2_describe_internet_gateways_input *in,
	struct ec2_describe_internet_gateways_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_internet_gateway, in, internet_gateway_ids, out, internet_gateways);
}

status ec2_delete_internet_gateway(struct call *c, const struct ec2_delete_internet_gateway_input *in,
	struct ec2_delete_internet_gateway_output *out)
{
	(void)out;
	struct ec2_rec_internet_gateway g;
	TRY(ec2_find(c, &ec2_type_internet_gateway, in->internet_gateway_id, &g));
	if (str_has(g.vpc))
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The internetGateway '%.*s' has dependencies and cannot be deleted.",
			STR_ARG(g.internet_gateway_id));
	ec2_drop(ec2_here(c), &ec2_type_internet_gateway, g.internet_gateway_id);
	return OK;
}

status ec2_attach_internet_gateway(struct call *c, const struct ec2_attach_internet_gateway_input *in,
	struct ec2_attach_internet_gateway_output *out)
{
	(void)out;
	struct ec2_rec_internet_gateway g;
	struct ec2_rec_vpc vpc;
	bool taken = false;
	TRY(ec2_find(c, &ec2_type_internet_gateway, in->internet_gateway_id, &g));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	if (str_has(g.vpc))
		return call_fail(c, EC2_ERR_RESOURCE_ALREADY_ASSOCIATED,
			"resource %.*s is already attached to network %.*s", STR_ARG(g.internet_gateway_id),
			STR_ARG(g.vpc));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_internet_gateway);
	while (ec2_next(&e))
		taken = taken || str_eq(((struct ec2_rec_internet_gateway *)e.item.record)->vpc, vpc.vpc_id);
	TRY(ec2_each_end(&e));
	if (taken)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Network %.*s already has an internet gateway attached", STR_ARG(vpc.vpc_id));
	g.vpc = vpc.vpc_id;
	ec2_put(ec2_here(c), &ec2_type_internet_gateway, g.internet_gateway_id, &g);
	return OK;
}

static bool is_public(const struct ec2_rec_eni *e, struct str vpc)
{
	bool has = false;
	for (size_t i = 0; i < e->addresses.n; i++) has = has || str_has(e->addresses.v[i].public);
	return has && str_eq(e->vpc_id, vpc);
}

status ec2_detach_internet_gateway(struct call *c, const struct ec2_detach_internet_gateway_input *in,
	struct ec2_detach_internet_gateway_output *out)
{
	(void)out;
	struct ec2_rec_internet_gateway g;
	struct ec2_rec_vpc vpc;
	bool used;
	TRY(ec2_find(c, &ec2_type_internet_gateway, in->internet_gateway_id, &g));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	if (!str_eq(g.vpc, vpc.vpc_id))
		return call_fail(c, EC2_ERR_GATEWAY_NOT_ATTACHED, "resource %.*s is not attached to network %.*s",
			STR_ARG(g.internet_gateway_id), STR_ARG(vpc.vpc_id));
	TRY(ec2_eni_any(ec2_here(c), is_public, vpc.vpc_id, &used));
	if (used)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"Network %.*s has some mapped public address(es). Please unmap those public address(es) before "
			"detaching "
			"the gateway.",
			STR_ARG(vpc.vpc_id));
	g.vpc = STR_NONE;
	ec2_put(ec2_here(c), &ec2_type_internet_gateway, g.internet_gateway_id, &g);
	return OK;
}

/* ── egress only ── */

static const char *const egress_filters[] = {NULL};

static status render_egress(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_egress_only_gateway *r = item->record;
	struct ec2_egress_only_internet_gateway *out = to;
	size_t capacity = 0;
	*VEC_PUSH(c->arena, &out->attachments, &capacity) =
		(struct ec2_internet_gateway_attachment){.state = STR("attached"), .vpc_id = r->vpc};
	return OK;
}

const struct ec2_type ec2_type_egress_only_gateway = {
	.name = "egress-only-internet-gateway",
	.prefix = "eigw-",
	.absent = "The egress only internet gateway ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_EGRESS_ONLY_INTERNET_GATEWAY_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_EGRESS_ONLY_INTERNET_GATEWAY_ID_MALFORMED,
	.record = EC2_REC_EGRESS_ONLY_GATEWAY,
	.shape = EC2_SHAPE_EGRESS_ONLY_INTERNET_GATEWAY,
	.filters = egress_filters,
	.render = render_egress,
};

status ec2_create_egress_only_internet_gateway(struct call *c,
	const struct ec2_create_egress_only_internet_gateway_input *in,
	struct ec2_create_egress_only_internet_gateway_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_egress_only_gateway};
	struct ec2_rec_vpc vpc;
	struct ec2_rec_egress_only_gateway g = {.egress_only_internet_gateway_id = ec2_new_id(c->arena, "eigw-")};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	g.vpc = vpc.vpc_id;
	ec2_put(ec2_here(c), &ec2_type_egress_only_gateway, g.egress_only_internet_gateway_id, &g);
	TRY(ec2_tags_specified(
		c, &in->tag_specifications, &ec2_type_egress_only_gateway, g.egress_only_internet_gateway_id));
	out->client_token = in->client_token;
	out->egress_only_internet_gateway = arena_new(c->arena, struct ec2_egress_only_internet_gateway);
	return ec2_describe_one(
		c, &ec2_type_egress_only_gateway, g.egress_only_internet_gateway_id, out->egress_only_internet_gateway);
}

status ec2_describe_egress_only_internet_gateways(struct call *c,
	const struct ec2_describe_egress_only_internet_gateways_input *in,
	struct ec2_describe_egress_only_internet_gateways_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_egress_only_gateway, in, egress_only_internet_gateway_ids, out,
		egress_only_internet_gateways);
}

status ec2_delete_egress_only_internet_gateway(struct call *c,
	const struct ec2_delete_egress_only_internet_gateway_input *in,
	struct ec2_delete_egress_only_internet_gateway_output *out)
{
	struct ec2_rec_egress_only_gateway g;
	TRY(ec2_find(c, &ec2_type_egress_only_gateway, in->egress_only_internet_gateway_id, &g));
	TRY(ec2_vpc_touch(ec2_here(c), g.vpc));
	ec2_drop(ec2_here(c), &ec2_type_egress_only_gateway, g.egress_only_internet_gateway_id);
	out->return_code = SOME_BOOL(true);
	return OK;
}
