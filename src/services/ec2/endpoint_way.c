/* Requests that come through a VPC's endpoints: which endpoint that was, and its policy, which has to let them pass.
 * "Control access to VPC endpoints using endpoint policies", AWS PrivateLink Guide. */
#include "services/ec2/endpoint_way.h"
#include "policy/provider.h"
#include "services/ec2/dns.h"
#include "services/ec2/endpoint.h"

/* The gateway endpoint whose prefix list holds the address that was called. */
static status gateway_at(struct ec2_place at, struct str vpc, struct str address, struct ec2_rec_endpoint *out)
{
	struct ec2_each e = ec2_each(at, &ec2_type_endpoint);
	struct cidr called, block;
	bool found = false, is_address = is_ok(cidr_parse_address(address, &called));
	while (is_address && !found && ec2_next(&e)) {
		const struct ec2_rec_endpoint *p = e.item.record;
		struct ec2_rec_prefix_list l = {0};
		if (!str_eq(p->vpc_id, vpc) || !str_is(p->vpc_endpoint_type, "Gateway")) continue;
		struct str service = str_from(p->service_name, (size_t)str_rchr(p->service_name, '.') + 1);
		struct str id = ec2_prefix_list_of_service(at.a, at.region, service);
		if (!is_ok(ec2_prefix_list_load(at, id, &l)) || !l.versions.n) continue;
		for (size_t i = 0; i < l.versions.v[0].entries.n; i++)
			found = found || (is_ok(cidr_parse(l.versions.v[0].entries.v[i].cidr, &block)) &&
						 cidr_contains(block, called));
		if (found) *out = *p;
	}
	status s = ec2_each_end(&e);
	return is_ok(s) && !found ? STATUS(NOT_FOUND) : s;
}

status ec2_arrive(struct cloud *cloud, struct store_tx *tx, struct arena *a, uint64_t netns, struct str local,
	struct policy_way *out)
{
	struct ec2_dns_place from;
	struct ec2_rec_endpoint e = {0};
	if (!ec2_dns_whose(cloud, a, netns, &from) || str_empty(from.account)) return OK;
	struct ec2_place at = {tx, a, from.account, from.region};
	status s = !str_empty(from.endpoint) ? ec2_load(at, &ec2_type_endpoint, from.endpoint, &e)
					     : gateway_at(at, from.vpc, local, &e);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	*out = (struct policy_way){.endpoint = str_has(e.vpc_endpoint_id) ? e.vpc_endpoint_id : STR("vpce-gone"),
		.vpc = from.vpc,
		.owner = from.account,
		.policy = e.policy_document};
	return OK;
}

status ec2_endpoint_policy_check(struct call *c, struct str text)
{
	struct policy_source source = {.type = POLICY_ENDPOINT};
	struct policy *p = NULL;
	struct policy_error why = {0};
	if (!str_has(text)) return OK;
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return call_fail(c, EC2_ERR_INVALID_POLICY_DOCUMENT, "%s", why.message);
	policy_free(p);
	return OK;
}
