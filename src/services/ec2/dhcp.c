/* DHCP option sets. "DHCP option sets in Amazon VPC", the guide. */
#include "services/ec2/network.h"

static const char *const filters[] = {
	"dhcp-options-id", "key=DhcpConfigurations.Key", "owner-id", "value=DhcpConfigurations.Values.Value", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_dhcp_options *r = item->record;
	struct ec2_dhcp_options *out = to;
	size_t capacity = 0;
	out->owner_id = item->at.account;
	for (size_t i = 0; i < r->configurations.n; i++) {
		struct ec2_dhcp_configuration *d = VEC_PUSH(c->arena, &out->dhcp_configurations, &capacity);
		size_t values = 0;
		d->key = r->configurations.v[i].key;
		for (size_t k = 0; k < r->configurations.v[i].values.n; k++)
			VEC_PUSH(c->arena, &d->values, &values)->value = r->configurations.v[i].values.v[k];
	}
	return OK;
}

const struct ec2_type ec2_type_dhcp_options = {
	.name = "dhcp-options",
	.prefix = "dopt-",
	.absent = "The dhcpOption ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_DHCP_OPTION_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_DHCP_OPTIONS_ID_MALFORMED,
	.record = EC2_REC_DHCP_OPTIONS,
	.shape = EC2_SHAPE_DHCP_OPTIONS,
	.filters = filters,
	.render = render,
};

static status check(struct call *c, const struct ec2_new_dhcp_configuration *d)
{
	static const struct {
		const char *key;
		size_t most;
	} keys[] = {{"domain-name", 1}, {"domain-name-servers", 4}, {"ntp-servers", 4}, {"netbios-name-servers", 4},
		{"netbios-node-type", 1}, {"ipv6-address-preferred-lease-time", 1}};
	struct cidr address;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (!str_eq(d->key, str_c(keys[i].key))) continue;
		if (!d->values.n || d->values.n > keys[i].most)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Invalid number of values for DHCP option %s", keys[i].key);
		for (size_t k = 0; k < d->values.n && str_ends(d->key, STR("-servers")); k++) {
			struct str v = d->values.v[k];
			if (is_ok(cidr_parse_address(v, &address)) || str_is(v, "AmazonProvidedDNS")) continue;
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Value (%.*s) for parameter value is invalid. Invalid IP "
				"address",
				STR_ARG(v));
		}
		return OK;
	}
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"Value (%.*s) for parameter name is invalid. Unknown DHCP option", STR_ARG(d->key));
}

status ec2_dhcp_make_default(struct call *c, struct str *id)
{
	struct ec2_rec_dhcp_configuration v[2] = {{.key = STR("domain-name")}, {.key = STR("domain-name-servers")}};
	struct str domain = str_is(c->region, "us-east-1")
				    ? STR("ec2.internal")
				    : str_fmt(c->arena, "%.*s.compute.internal", STR_ARG(c->region));
	struct str servers = STR("AmazonProvidedDNS");
	v[0].values = (struct ec2_rec_strings){&domain, 1};
	v[1].values = (struct ec2_rec_strings){&servers, 1};
	*id = ec2_new_id(c->arena, "dopt-");
	struct ec2_rec_dhcp_options r = {.dhcp_options_id = *id, .configurations = {v, 2}};
	ec2_put(ec2_here(c), &ec2_type_dhcp_options, *id, &r);
	return OK;
}

status ec2_create_dhcp_options(
	struct call *c, const struct ec2_create_dhcp_options_input *in, struct ec2_create_dhcp_options_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_dhcp_options};
	struct ec2_rec_dhcp_options r = {.dhcp_options_id = ec2_new_id(c->arena, "dopt-")};
	size_t capacity = 0;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (!in->dhcp_configurations.n)
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter dhcpConfigurations");
	for (size_t i = 0; i < in->dhcp_configurations.n; i++) {
		TRY(check(c, &in->dhcp_configurations.v[i]));
		struct ec2_rec_dhcp_configuration *d = VEC_PUSH(c->arena, &r.configurations, &capacity);
		d->key = in->dhcp_configurations.v[i].key;
		d->values.v = in->dhcp_configurations.v[i].values.v;
		d->values.n = in->dhcp_configurations.v[i].values.n;
	}
	ec2_put(ec2_here(c), &ec2_type_dhcp_options, r.dhcp_options_id, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_dhcp_options, r.dhcp_options_id));
	out->dhcp_options = arena_new(c->arena, struct ec2_dhcp_options);
	return ec2_describe_one(c, &ec2_type_dhcp_options, r.dhcp_options_id, out->dhcp_options);
}

status ec2_describe_dhcp_options(
	struct call *c, const struct ec2_describe_dhcp_options_input *in, struct ec2_describe_dhcp_options_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_dhcp_options, in, dhcp_options_ids, out, dhcp_options);
}

status ec2_delete_dhcp_options(
	struct call *c, const struct ec2_delete_dhcp_options_input *in, struct ec2_delete_dhcp_options_output *out)
{
	(void)out;
	struct ec2_rec_dhcp_options r;
	bool used = false;
	TRY(ec2_find(c, &ec2_type_dhcp_options, in->dhcp_options_id, &r));
	TRY(ec2_guard(ec2_here(c), STR("dhcp"), NULL));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_vpc);
	while (ec2_next(&e))
		used = used || str_eq(((struct ec2_rec_vpc *)e.item.record)->dhcp_options_id, r.dhcp_options_id);
	TRY(ec2_each_end(&e));
	if (used)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The dhcpOptions '%.*s' has dependencies and cannot be deleted.", STR_ARG(r.dhcp_options_id));
	ec2_drop(ec2_here(c), &ec2_type_dhcp_options, r.dhcp_options_id);
	return OK;
}

status ec2_associate_dhcp_options(struct call *c, const struct ec2_associate_dhcp_options_input *in,
	struct ec2_associate_dhcp_options_output *out)
{
	(void)out;
	struct ec2_rec_vpc vpc;
	struct ec2_rec_dhcp_options r;
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	TRY(ec2_guard(ec2_here(c), STR("dhcp"), NULL));
	if (!str_is(in->dhcp_options_id, "default")) TRY(ec2_find(c, &ec2_type_dhcp_options, in->dhcp_options_id, &r));
	vpc.dhcp_options_id = in->dhcp_options_id;
	ec2_put(ec2_here(c), &ec2_type_vpc, vpc.vpc_id, &vpc);
	return OK;
}
