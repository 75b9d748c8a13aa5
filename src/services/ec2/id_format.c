/* The formats of ids: "longer IDs" are all that there are ("Resource IDs", the EC2 guide: since July 2018). */
#include "services/ec2/room.h"

/* As DescribeIdFormat's reference lists them. */
static const char *const resources[] = {"bundle", "conversion-task", "customer-gateway", "dhcp-options",
	"elastic-ip-allocation", "elastic-ip-association", "export-task", "flow-log", "image", "import-task",
	"instance", "internet-gateway", "network-acl", "network-acl-association", "network-interface",
	"network-interface-attachment", "prefix-list", "reservation", "route-table", "route-table-association",
	"security-group", "snapshot", "subnet", "subnet-cidr-block-association", "volume", "vpc",
	"vpc-cidr-block-association", "vpc-endpoint", "vpc-peering-connection", "vpn-connection", "vpn-gateway"};
enum { RESOURCES = sizeof(resources) / sizeof(*resources) };

/* resource: one, or STR_NONE for all. */
static status list(struct call *c, struct str resource, struct ec2_id_format_list *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < RESOURCES; i++)
		if (!str_has(resource) || str_eq(resource, str_c(resources[i])))
			*VEC_PUSH(c->arena, out, &capacity) = (struct ec2_id_format){
				.resource = str_c(resources[i]), .use_long_ids = SOME_BOOL(true)};
	if (out->n) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%.*s) for parameter resource is invalid.",
		STR_ARG(resource));
}

status ec2_describe_id_format(
	struct call *c, const struct ec2_describe_id_format_input *in, struct ec2_describe_id_format_output *out)
{
	return list(c, in->resource, &out->statuses);
}

status ec2_describe_identity_id_format(struct call *c, const struct ec2_describe_identity_id_format_input *in,
	struct ec2_describe_identity_id_format_output *out)
{
	return list(c, in->resource, &out->statuses);
}

status ec2_describe_aggregate_id_format(struct call *c, const struct ec2_describe_aggregate_id_format_input *in,
	struct ec2_describe_aggregate_id_format_output *out)
{
	(void)in;
	out->use_long_ids_aggregated = SOME_BOOL(true);
	return list(c, STR_NONE, &out->statuses);
}
