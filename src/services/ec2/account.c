/* What an account may have: DescribeAccountAttributes, and attributes of its addresses. */
#include "services/ec2/network.h"

status ec2_describe_account_attributes(struct call *c, const struct ec2_describe_account_attributes_input *in,
	struct ec2_describe_account_attributes_output *out)
{
	static const struct {
		const char *name, *value; /* NULL: the default VPC */
	} all[] = {{"supported-platforms", "VPC"}, {"vpc-max-security-groups-per-interface", "5"},
		{"max-elastic-ips", "5"}, {"max-instances", "20"}, {"vpc-max-elastic-ips", "5"}, {"default-vpc", NULL}};
	size_t capacity = 0, n = sizeof(all) / sizeof(*all);
	struct str vpc;
	TRY(ec2_default_vpc(ec2_here(c), &vpc));
	for (size_t k = 0; k < in->attribute_names.n; k++) {
		bool known = false;
		for (size_t i = 0; i < n; i++) known = known || str_eq(in->attribute_names.v[k], str_c(all[i].name));
		if (!known)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Value (%.*s) for parameter attributeName is invalid.",
				STR_ARG(in->attribute_names.v[k]));
	}
	for (size_t i = 0; i < n; i++) {
		bool asked = in->attribute_names.n == 0;
		for (size_t k = 0; k < in->attribute_names.n; k++)
			asked = asked || str_eq(in->attribute_names.v[k], str_c(all[i].name));
		if (!asked) continue;
		struct ec2_account_attribute *a = VEC_PUSH(c->arena, &out->account_attributes, &capacity);
		size_t values = 0;
		a->attribute_name = str_c(all[i].name);
		VEC_PUSH(c->arena, &a->attribute_values, &values)->attribute_value =
			all[i].value ? str_c(all[i].value) : str_or(vpc, STR("none"));
	}
	return OK;
}

/* No address has a name of its own here (a PTR record): setting one is not built. */
status ec2_describe_addresses_attribute(struct call *c, const struct ec2_describe_addresses_attribute_input *in,
	struct ec2_describe_addresses_attribute_output *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < in->allocation_ids.n; i++) {
		struct ec2_rec_address r;
		TRY(ec2_find(c, &ec2_type_address, in->allocation_ids.v[i], &r));
		*VEC_PUSH(c->arena, &out->addresses, &capacity) =
			(struct ec2_address_attribute){.allocation_id = r.allocation_id, .public_ip = r.public_ip};
	}
	if (!in->allocation_ids.n) {
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_address);
		while (ec2_next(&e)) {
			const struct ec2_rec_address *r = e.item.record;
			*VEC_PUSH(c->arena, &out->addresses, &capacity) = (struct ec2_address_attribute){
				.allocation_id = r->allocation_id, .public_ip = r->public_ip};
		}
		TRY(ec2_each_end(&e));
	}
	return ec2_page(
		c, &out->addresses, sizeof(*out->addresses.v), in->max_results, in->next_token, &out->next_token);
}
