/* Endpoint services: their configurations and who may use them. "Create a service powered by AWS PrivateLink", AWS
 * PrivateLink Guide. Private DNS names would have to be proven by a public record: they are not offered. */
#include "services/ec2/private_link.h"
#include "services/elbv2/door.h"

static const char *const filters[] = {
	"service-id", "service-name", "service-state", "supported-ip-address-types=SupportedIpAddressTypes", NULL};

struct str ec2_private_service_name(struct arena *a, struct str region, struct str id)
{
	return str_fmt(a, "com.amazonaws.vpce.%.*s.%.*s", STR_ARG(region), STR_ARG(id));
}

struct str ec2_private_service_domain(struct arena *a, struct str region, struct str id)
{
	return str_fmt(a, "%.*s.%.*s.vpce.amazonaws.com", STR_ARG(id), STR_ARG(region));
}

status ec2_private_service_zones(
	struct ec2_place at, const struct ec2_rec_endpoint_service *s, struct ec2_rec_strings *out)
{
	size_t capacity = 0;
	*out = (struct ec2_rec_strings){0};
	for (size_t i = 0; i < s->network_load_balancer_arns.n; i++) {
		struct elbv2_network_balancer b;
		status st = elbv2_network_balancer(
			at.tx, at.a, at.account, at.region, s->network_load_balancer_arns.v[i], &b);
		if (status_is(st, STATUS_NOT_FOUND)) continue;
		TRY(st);
		for (size_t k = 0; k < b.n_nodes; k++)
			if (!ec2_is_among(out->v, out->n, b.nodes[k].zone))
				*VEC_PUSH(at.a, out, &capacity) = b.nodes[k].zone;
	}
	return OK;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_endpoint_service *s = item->record;
	struct ec2_service_configuration *out = to;
	struct ec2_rec_strings zones;
	size_t capacity = 0, types = 0, names = 0;
	out->service_name = ec2_private_service_name(c->arena, item->at.region, item->id);
	VEC_PUSH(c->arena, &out->service_type, &types)->service_type = STR("Interface");
	*VEC_PUSH(c->arena, &out->base_endpoint_dns_names, &names) =
		ec2_private_service_domain(c->arena, item->at.region, item->id);
	out->manages_vpc_endpoints = SOME_BOOL(false);
	TRY(ec2_private_service_zones(item->at, s, &zones));
	for (size_t i = 0; i < zones.n; i++) *VEC_PUSH(c->arena, &out->availability_zones, &capacity) = zones.v[i];
	return OK;
}

const struct ec2_type ec2_type_endpoint_service = {.name = "vpc-endpoint-service",
	.prefix = "vpce-svc-",
	.absent = "The VpcEndpointService Id '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPC_ENDPOINT_SERVICE_ID_NOT_FOUND,
	.record = EC2_REC_ENDPOINT_SERVICE,
	.shape = EC2_SHAPE_SERVICE_CONFIGURATION,
	.filters = filters,
	.render = render};

/* ── whose they are ── (ec2, endpoint-service-owner, "", REGION, ID) */

static struct str owner_key(struct ec2_place at, struct str id)
{
	struct key k = key_for(at.a, STR("ec2"), STR("endpoint-service-owner"), STR(""), at.region);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static status load(struct ec2_place at, struct str id, struct ec2_private_service *out)
{
	struct str owner;
	TRY(store_get(at.tx, owner_key(at, id), &owner));
	out->at = at;
	out->at.account = str_dup(at.a, owner);
	return ec2_load(out->at, &ec2_type_endpoint_service, id, &out->record);
}

static bool may_use(const struct call *c, const struct ec2_private_service *s)
{
	struct str root = str_fmt(c->arena, "arn:%.*s:iam::%.*s:root", STR_ARG(c->partition), STR_ARG(c->account));
	if (str_eq(s->at.account, c->account)) return true;
	for (size_t i = 0; i < s->record.principals.n; i++) {
		struct str p = s->record.principals.v[i].principal;
		if (str_is(p, "*") || str_eq(p, root) || str_eq(p, c->principal.arn)) return true;
	}
	return false;
}

static struct str id_in(struct ec2_place at, struct str name)
{
	struct str head = str_fmt(at.a, "com.amazonaws.vpce.%.*s.", STR_ARG(at.region));
	return str_starts(name, head) ? str_from(name, head.n) : STR_NONE;
}

status ec2_private_service_named(struct call *c, struct str name, struct ec2_private_service *out)
{
	struct str id = id_in(ec2_here(c), name);
	if (!str_has(id)) return STATUS(NOT_FOUND);
	TRY(load(ec2_here(c), id, out));
	return may_use(c, out) ? OK : STATUS(NOT_FOUND);
}

status ec2_private_service_of(struct ec2_place at, const struct ec2_rec_endpoint *e, struct ec2_private_service *out)
{
	struct str id = id_in(at, e->service_name);
	return str_has(id) ? load(at, id, out) : STATUS(NOT_FOUND);
}

status ec2_private_services_each(struct call *c, bool (*fn)(void *ctx, const struct ec2_private_service *s), void *ctx)
{
	struct ec2_place at = ec2_here(c);
	struct str from = owner_key(at, STR_NONE), key, value, id = STR_NONE;
	struct store_scan *scan = store_scan_begin(at.tx, from, key_after(at.a, from), false);
	status s = OK;
	bool more = true;
	while (more && is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_private_service one;
		struct str copy = str_dup(at.a, key);
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(at.a, &copy, &id);
		if (is_ok(s)) s = load(at, id, &one);
		if (is_ok(s) && may_use(c, &one)) more = fn(ctx, &one);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── configurations ── */

static status check_balancers(struct call *c, const struct str *arns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct elbv2_network_balancer b;
		status s = elbv2_network_balancer(c->tx, c->arena, c->account, c->region, arns[i], &b);
		if (status_is(s, STATUS_NOT_FOUND))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER,
				"Only Network Load Balancers of this account can be used: %.*s is none.",
				STR_ARG(arns[i]));
		TRY(s);
	}
	return OK;
}

status ec2_create_vpc_endpoint_service_configuration(struct call *c,
	const struct ec2_create_vpc_endpoint_service_configuration_input *in,
	struct ec2_create_vpc_endpoint_service_configuration_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_endpoint_service};
	struct str same = STR_NONE;
	size_t capacity = 0, types = 0;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (in->gateway_load_balancer_arns.n || str_has(in->private_dns_name) || in->supported_regions.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Endpoint services with Gateway Load Balancers, private DNS names or other regions are not "
			"implemented.");
	if (!in->network_load_balancer_arns.n)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter NetworkLoadBalancerArns or GatewayLoadBalancerArns");
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_endpoint_service);
	while (str_has(in->client_token) && ec2_next(&e))
		if (str_eq(((const struct ec2_rec_endpoint_service *)e.item.record)->token, in->client_token))
			same = e.item.id;
	TRY(ec2_each_end(&e));
	out->client_token = in->client_token;
	out->service_configuration = arena_new(c->arena, struct ec2_service_configuration);
	if (str_has(same)) return ec2_describe_one(c, &ec2_type_endpoint_service, same, out->service_configuration);
	TRY(check_balancers(c, in->network_load_balancer_arns.v, in->network_load_balancer_arns.n));
	struct ec2_rec_endpoint_service s = {.service_id = ec2_new_id(c->arena, "vpce-svc-"),
		.service_state = STR("Available"),
		.acceptance_required = SOME_BOOL(!in->acceptance_required.has || in->acceptance_required.v),
		.created = SOME_TIME(c->now_ms),
		.token = in->client_token};
	for (size_t i = 0; i < in->network_load_balancer_arns.n; i++)
		*VEC_PUSH(c->arena, &s.network_load_balancer_arns, &capacity) = in->network_load_balancer_arns.v[i];
	*VEC_PUSH(c->arena, &s.supported_ip_address_types, &types) = STR("ipv4");
	store_put(c->tx, owner_key(ec2_here(c), s.service_id), c->account);
	ec2_put(ec2_here(c), &ec2_type_endpoint_service, s.service_id, &s);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_endpoint_service, s.service_id));
	return ec2_describe_one(c, &ec2_type_endpoint_service, s.service_id, out->service_configuration);
}

status ec2_describe_vpc_endpoint_service_configurations(struct call *c,
	const struct ec2_describe_vpc_endpoint_service_configurations_input *in,
	struct ec2_describe_vpc_endpoint_service_configurations_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_endpoint_service, in, service_ids, out, service_configurations);
}

status ec2_modify_vpc_endpoint_service_configuration(struct call *c,
	const struct ec2_modify_vpc_endpoint_service_configuration_input *in,
	struct ec2_modify_vpc_endpoint_service_configuration_output *out)
{
	struct ec2_rec_endpoint_service s;
	struct ec2_rec_strings kept = {0};
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_endpoint_service, in->service_id, &s));
	if (in->add_gateway_load_balancer_arns.n || str_has(in->private_dns_name) || in->add_supported_regions.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Endpoint services with Gateway Load Balancers, private DNS names or other regions are not "
			"implemented.");
	TRY(check_balancers(c, in->add_network_load_balancer_arns.v, in->add_network_load_balancer_arns.n));
	for (size_t i = 0; i < s.network_load_balancer_arns.n; i++)
		if (!ec2_is_among(in->remove_network_load_balancer_arns.v, in->remove_network_load_balancer_arns.n,
			    s.network_load_balancer_arns.v[i]))
			*VEC_PUSH(c->arena, &kept, &capacity) = s.network_load_balancer_arns.v[i];
	for (size_t i = 0; i < in->add_network_load_balancer_arns.n; i++)
		if (!ec2_is_among(kept.v, kept.n, in->add_network_load_balancer_arns.v[i]))
			*VEC_PUSH(c->arena, &kept, &capacity) = in->add_network_load_balancer_arns.v[i];
	if (!kept.n)
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER, "An endpoint service needs at least one Network Load Balancer.");
	s.network_load_balancer_arns = kept;
	if (in->acceptance_required.has) s.acceptance_required = in->acceptance_required;
	ec2_put(ec2_here(c), &ec2_type_endpoint_service, s.service_id, &s);
	out->return_ = SOME_BOOL(true);
	return OK;
}

status ec2_delete_vpc_endpoint_service_configurations(struct call *c,
	const struct ec2_delete_vpc_endpoint_service_configurations_input *in,
	struct ec2_delete_vpc_endpoint_service_configurations_output *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->unsuccessful);
	for (size_t i = 0; i < in->service_ids.n; i++) {
		struct str id = in->service_ids.v[i];
		struct ec2_rec_endpoint_service s;
		bool connected = false;
		TRY(ec2_check_id(c, &ec2_type_endpoint_service, id));
		status st = ec2_load(ec2_here(c), &ec2_type_endpoint_service, id, &s);
		if (is_ok(st)) TRY(ec2_private_connected(c, id, &connected));
		if (is_ok(st) && !connected) {
			store_delete(c->tx, owner_key(ec2_here(c), id));
			ec2_drop(ec2_here(c), &ec2_type_endpoint_service, id);
			continue;
		}
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		struct ec2_unsuccessful_item *u = VEC_PUSH(c->arena, &out->unsuccessful, &capacity);
		u->resource_id = id;
		u->error = arena_new(c->arena, struct ec2_unsuccessful_item_error);
		*u->error =
			connected
				? (struct ec2_unsuccessful_item_error){STR("ExistingVpcEndpointConnections"),
					  str_fmt(c->arena, "Service %.*s has existing active VPC Endpoint connections",
						  STR_ARG(id))}
				: (struct ec2_unsuccessful_item_error){STR("InvalidVpcEndpointService.NotFound"),
					  str_fmt(c->arena, "The VpcEndpointService Id '%.*s' does not exist",
						  STR_ARG(id))};
	}
	return OK;
}

/* ── permissions ── */

static const char *principal_type(struct str p)
{
	if (str_is(p, "*")) return "All";
	if (str_ends(p, STR(":root"))) return "Account";
	return str_find(p, STR(":role/")) >= 0 ? "Role" : "User";
}

status ec2_modify_vpc_endpoint_service_permissions(struct call *c,
	const struct ec2_modify_vpc_endpoint_service_permissions_input *in,
	struct ec2_modify_vpc_endpoint_service_permissions_output *out)
{
	struct ec2_rec_endpoint_service s;
	struct ec2_rec_endpoint_principals kept = {0};
	size_t capacity = 0, added = 0;
	TRY(ec2_find(c, &ec2_type_endpoint_service, in->service_id, &s));
	for (size_t i = 0; i < s.principals.n; i++)
		if (!ec2_is_among(in->remove_allowed_principals.v, in->remove_allowed_principals.n,
			    s.principals.v[i].principal))
			*VEC_PUSH(c->arena, &kept, &capacity) = s.principals.v[i];
	VEC_PRESENT(c->arena, &out->added_principals);
	for (size_t i = 0; i < in->add_allowed_principals.n; i++) {
		struct str p = in->add_allowed_principals.v[i];
		bool known = false;
		if (!str_is(p, "*") && !(str_starts(p, STR("arn:")) && str_find(p, STR(":iam::")) >= 0))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER, "Invalid Principal: '%.*s'", STR_ARG(p));
		for (size_t k = 0; k < kept.n; k++) known = known || str_eq(kept.v[k].principal, p);
		if (known) continue;
		struct ec2_rec_endpoint_principal one = {
			p, ec2_new_id(c->arena, "vpce-svc-perm-"), str_c(principal_type(p))};
		*VEC_PUSH(c->arena, &kept, &capacity) = one;
		*VEC_PUSH(c->arena, &out->added_principals, &added) = (struct ec2_added_principal){
			one.principal_type, one.principal, one.service_permission_id, s.service_id};
	}
	s.principals = kept;
	ec2_put(ec2_here(c), &ec2_type_endpoint_service, s.service_id, &s);
	out->return_value = SOME_BOOL(true);
	return OK;
}

status ec2_describe_vpc_endpoint_service_permissions(struct call *c,
	const struct ec2_describe_vpc_endpoint_service_permissions_input *in,
	struct ec2_describe_vpc_endpoint_service_permissions_output *out)
{
	static const char *const names[] = {"principal", "principal-type", NULL};
	struct ec2_rec_endpoint_service s;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, names, &in->filters));
	TRY(ec2_find(c, &ec2_type_endpoint_service, in->service_id, &s));
	VEC_PRESENT(c->arena, &out->allowed_principals);
	for (size_t i = 0; i < s.principals.n; i++) {
		const struct ec2_rec_endpoint_principal *p = &s.principals.v[i];
		struct ec2_allowed_principal one = {.principal_type = p->principal_type,
			.principal = p->principal,
			.service_permission_id = p->service_permission_id,
			.service_id = s.service_id};
		if (ec2_filters_match(c->arena, EC2_SHAPE_ALLOWED_PRINCIPAL, names, &in->filters, &one))
			*VEC_PUSH(c->arena, &out->allowed_principals, &capacity) = one;
	}
	return ec2_page(c, &out->allowed_principals, sizeof(*out->allowed_principals.v), in->max_results,
		in->next_token, &out->next_token);
}
