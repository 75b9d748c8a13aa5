/* VPC endpoints to AWS's services: gateway endpoints are routes from a prefix list, interface endpoints are interfaces
 * with names. "Access AWS services through AWS PrivateLink" and "Gateway endpoints", AWS PrivateLink Guide. */
#include "base/rand.h"
#include "services/ec2/private_link.h"

enum { GATEWAYS_MAX = 20, INTERFACES_MAX = 50 };
#define FULL_ACCESS "{\"Statement\":[{\"Action\":\"*\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Resource\":\"*\"}]}"

static const char *const filters[] = {"service-name", "service-region", "tag-value", "vpc-id", "vpc-endpoint-id",
	"vpc-endpoint-state=State", "vpc-endpoint-type", "ip-address-type", NULL};

static bool is_gateway(const struct ec2_rec_endpoint *e)
{
	return str_is(e->vpc_endpoint_type, "Gateway");
}

/* The names by which an interface endpoint is reached: its own, its own in each zone, the service's by private DNS. */
static status show_names(struct call *c, const struct ec2_item *item, struct ec2_vpc_endpoint *out)
{
	const struct ec2_rec_endpoint *e = item->record;
	const struct ec2_endpoint_service *s = ec2_endpoint_service_find(item->at.region, e->service_name);
	size_t capacity = 0;
	struct str zone_id = STR("Z7HUB22UULQXV");
	struct str id = str_from(e->service_name, (size_t)str_rchr(e->service_name, '.') + 1);
	struct str base = s ? str_fmt(c->arena, "%s.%.*s.vpce.amazonaws.com", s->name, STR_ARG(item->at.region))
			    : ec2_private_service_domain(c->arena, item->at.region, id);
	*VEC_PUSH(c->arena, &out->dns_entries, &capacity) = (struct ec2_dns_entry){
		str_fmt(c->arena, "%.*s-%.*s.%.*s", STR_ARG(item->id), STR_ARG(e->suffix), STR_ARG(base)), zone_id};
	for (size_t i = 0; i < e->subnet_ids.n; i++) {
		struct ec2_rec_subnet subnet;
		if (!is_ok(ec2_load(item->at, &ec2_type_subnet, e->subnet_ids.v[i], &subnet))) continue;
		*VEC_PUSH(c->arena, &out->dns_entries, &capacity) = (struct ec2_dns_entry){
			str_fmt(c->arena, "%.*s-%.*s-%.*s.%.*s", STR_ARG(item->id), STR_ARG(e->suffix),
				STR_ARG(subnet.availability_zone), STR_ARG(base)),
			zone_id};
	}
	struct str dns = s ? str_c(s->dns) : STR_NONE;
	while (e->private_dns_enabled.v && str_has(dns)) {
		struct str one = str_cut(&dns, ',');
		*VEC_PUSH(c->arena, &out->dns_entries, &capacity) = (struct ec2_dns_entry){
			str_fmt(c->arena, "%.*s.%.*s.amazonaws.com", STR_ARG(one), STR_ARG(item->at.region)),
			STR("ZONEIDPENDING")};
	}
	return OK;
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_endpoint *e = item->record;
	struct ec2_vpc_endpoint *out = to;
	size_t capacity = 0;
	out->owner_id = item->at.account;
	out->requester_managed = SOME_BOOL(false);
	out->service_region = item->at.region;
	VEC_PRESENT(c->arena, &out->route_table_ids);
	VEC_PRESENT(c->arena, &out->subnet_ids);
	VEC_PRESENT(c->arena, &out->groups);
	VEC_PRESENT(c->arena, &out->network_interface_ids);
	VEC_PRESENT(c->arena, &out->dns_entries);
	for (size_t i = 0; i < e->security_groups.n; i++) {
		struct ec2_rec_security_group g;
		if (!is_ok(ec2_load(item->at, &ec2_type_security_group, e->security_groups.v[i], &g))) continue;
		*VEC_PUSH(c->arena, &out->groups, &capacity) =
			(struct ec2_security_group_identifier){g.group_id, g.group_name};
	}
	return is_gateway(e) ? OK : show_names(c, item, out);
}

const struct ec2_type ec2_type_endpoint = {
	.name = "vpc-endpoint",
	.prefix = "vpce-",
	.absent = "The Vpc Endpoint Id '@' does not exist",
	.not_found = EC2_ERR_INVALID_VPC_ENDPOINT_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_VPC_ENDPOINT_ID_MALFORMED,
	.record = EC2_REC_ENDPOINT,
	.shape = EC2_SHAPE_VPC_ENDPOINT,
	.filters = filters,
	.render = render,
};

static void save(struct call *c, const struct ec2_rec_endpoint *e)
{
	ec2_put(ec2_here(c), &ec2_type_endpoint, e->vpc_endpoint_id, e);
}

static struct str list_of(struct call *c, const struct ec2_rec_endpoint *e)
{
	struct str service = str_from(e->service_name, (size_t)str_rchr(e->service_name, '.') + 1);
	return ec2_prefix_list_of_service(c->arena, c->region, service);
}

static bool has(const struct ec2_rec_strings *s, struct str one)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i], one)) return true;
	return false;
}

static void add(struct arena *a, struct ec2_rec_strings *s, struct str one)
{
	size_t capacity = s->n;
	*VEC_PUSH(a, s, &capacity) = one;
}

static void drop(struct ec2_rec_strings *s, size_t i)
{
	for (; i + 1 < s->n; i++) s->v[i] = s->v[i + 1];
	s->n--;
}

/* A gateway endpoint's route in a table. "You can't have two endpoint routes for the same service in a table". */
static status add_table(struct call *c, struct ec2_rec_endpoint *e, struct str id)
{
	struct ec2_rec_route_table t;
	struct str list = list_of(c, e);
	TRY(ec2_find(c, &ec2_type_route_table, id, &t));
	if (!str_eq(t.vpc_id, e->vpc_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"route table %.*s and vpc %.*s belong to different networks", STR_ARG(id), STR_ARG(e->vpc_id));
	if (has(&e->route_table_ids, id)) return OK;
	for (size_t i = 0; i < t.routes.n; i++)
		if (str_eq(t.routes.v[i].destination_prefix_list_id, list))
			return call_fail(c, EC2_ERR_ROUTE_ALREADY_EXISTS,
				"route table %.*s already has a route with destination-prefix-list-id %.*s",
				STR_ARG(id), STR_ARG(list));
	struct ec2_rec_route r = {
		.destination_prefix_list_id = list, .gateway_id = e->vpc_endpoint_id, .origin = STR("CreateRoute")};
	ec2_route_set(c->arena, &t, &r);
	ec2_put(ec2_here(c), &ec2_type_route_table, id, &t);
	add(c->arena, &e->route_table_ids, id);
	return OK;
}

static status drop_table(struct call *c, struct ec2_rec_endpoint *e, struct str id)
{
	struct ec2_rec_route_table t;
	for (size_t i = 0; i < e->route_table_ids.n; i++) {
		if (!str_eq(e->route_table_ids.v[i], id)) continue;
		status s = ec2_load(ec2_here(c), &ec2_type_route_table, id, &t);
		if (is_ok(s) && ec2_route_drop(&t, e->vpc_endpoint_id, STR_NONE))
			ec2_put(ec2_here(c), &ec2_type_route_table, id, &t);
		drop(&e->route_table_ids, i);
		return is_ok(s) || status_is(s, STATUS_NOT_FOUND) ? OK : s;
	}
	return ec2_absent(c, &ec2_type_route_table, id);
}

/* An interface in a subnet; one to a zone. */
static status add_subnet(struct call *c, struct ec2_rec_endpoint *e, struct str id, struct str address)
{
	struct ec2_rec_subnet s, other;
	struct ec2_rec_eni n;
	TRY(ec2_find(c, &ec2_type_subnet, id, &s));
	if (!str_eq(s.vpc_id, e->vpc_id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"subnet %.*s and vpc %.*s belong to different networks", STR_ARG(id), STR_ARG(e->vpc_id));
	for (size_t i = 0; i < e->subnet_ids.n; i++) {
		TRY(ec2_find(c, &ec2_type_subnet, e->subnet_ids.v[i], &other));
		if (str_eq(other.availability_zone, s.availability_zone))
			return call_fail(c, EC2_ERR_DUPLICATE_SUBNETS_IN_SAME_ZONE,
				"Found another VPC endpoint subnet in the availability zone of %.*s. VPC endpoint "
				"subnets should be in "
				"different availability zones supported by the VPC endpoint service.",
				STR_ARG(id));
	}
	struct ec2_eni_make m = {.subnet = id,
		.description = str_fmt(c->arena, "VPC Endpoint Interface %.*s", STR_ARG(e->vpc_endpoint_id)),
		.address = address,
		.groups = e->security_groups.v,
		.n_groups = e->security_groups.n,
		.type = STR("vpc_endpoint"),
		.requester_id = STR("amazon-vpce")};
	TRY(ec2_eni_make(c, &m, &n));
	struct ec2_eni_attach how = {
		.eni = n.network_interface_id, .place = n.network_interface_id, .kind = STR("service"), .device = 0};
	TRY(ec2_eni_attach(c, &how, NULL));
	add(c->arena, &e->subnet_ids, id);
	add(c->arena, &e->network_interface_ids, n.network_interface_id);
	return OK;
}

static status drop_subnet(struct call *c, struct ec2_rec_endpoint *e, struct str id)
{
	for (size_t i = 0; i < e->subnet_ids.n; i++) {
		if (!str_eq(e->subnet_ids.v[i], id)) continue;
		TRY(ec2_eni_drop(c, e->network_interface_ids.v[i]));
		drop(&e->subnet_ids, i);
		drop(&e->network_interface_ids, i);
		return OK;
	}
	return ec2_absent(c, &ec2_type_subnet, id);
}

/* "To use a private hosted zone, the VPC attributes enableDnsHostnames and enableDnsSupport must be true"; and one
 * endpoint of a service has the private names in a VPC. */
static status check_private_dns(struct call *c, const struct ec2_rec_endpoint *e, const struct ec2_rec_vpc *vpc)
{
	bool taken = false;
	if (!vpc->dns_hostnames.v || !vpc->dns_support.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set "
			"to true for "
			"%.*s",
			STR_ARG(vpc->vpc_id));
	struct ec2_each each = ec2_each(ec2_here(c), &ec2_type_endpoint);
	while (ec2_next(&each)) {
		const struct ec2_rec_endpoint *o = each.item.record;
		taken = taken || (str_eq(o->vpc_id, e->vpc_id) && str_eq(o->service_name, e->service_name) &&
					 o->private_dns_enabled.v && !str_eq(each.item.id, e->vpc_endpoint_id));
	}
	TRY(ec2_each_end(&each));
	if (!taken) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER,
		"private-dns-enabled cannot be set because there is already a conflicting DNS domain for %.*s in the "
		"VPC %.*s",
		STR_ARG(e->service_name), STR_ARG(e->vpc_id));
}

static status look_around(
	struct call *c, struct str token, struct str type, struct str vpc, struct str *same, size_t *n)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_endpoint);
	*same = STR_NONE;
	*n = 0;
	while (ec2_next(&e)) {
		const struct ec2_rec_endpoint *o = e.item.record;
		if (str_has(token) && str_eq(o->token, token)) *same = e.item.id;
		*n += str_eq(o->vpc_endpoint_type, type) && (str_is(type, "Gateway") || str_eq(o->vpc_id, vpc));
	}
	return ec2_each_end(&e);
}

static struct str address_given(const struct ec2_create_vpc_endpoint_input *in, struct str subnet)
{
	for (size_t i = 0; i < in->subnet_configurations.n; i++)
		if (str_eq(in->subnet_configurations.v[i].subnet_id, subnet))
			return in->subnet_configurations.v[i].ipv4;
	return STR_NONE;
}

/* "The subnets have to be in zones that the service has". */
static status check_zones(
	struct call *c, const struct ec2_private_service *p, const struct ec2_create_vpc_endpoint_input *in)
{
	struct ec2_rec_strings zones;
	TRY(ec2_private_service_zones(p->at, &p->record, &zones));
	for (size_t i = 0; i < in->subnet_ids.n; i++) {
		struct ec2_rec_subnet s;
		TRY(ec2_find(c, &ec2_type_subnet, in->subnet_ids.v[i], &s));
		if (!ec2_is_among(zones.v, zones.n, s.availability_zone))
			return call_fail(c, EC2_ERR_INVALID_PARAMETER,
				"The VPC endpoint service %.*s does not support the availability zone of the subnet: "
				"%.*s.",
				STR_ARG(in->service_name), STR_ARG(in->subnet_ids.v[i]));
	}
	return OK;
}

static status make_interface(struct call *c, const struct ec2_create_vpc_endpoint_input *in,
	const struct ec2_rec_vpc *vpc, const struct ec2_private_service *private, struct ec2_rec_endpoint *e)
{
	if (in->route_table_ids.n)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"Route table IDs are only supported for Gateway type VPC Endpoints.");
	if (private && in->private_dns_enabled.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"Private DNS can't be enabled because the service %.*s does not provide a private DNS name.",
			STR_ARG(e->service_name));
	if (private) TRY(check_zones(c, private, in));
	e->private_dns_enabled = SOME_BOOL(!private && (!in->private_dns_enabled.has || in->private_dns_enabled.v));
	if (e->private_dns_enabled.v) TRY(check_private_dns(c, e, vpc));
	TRY(ec2_groups_for(c, vpc->vpc_id, in->security_group_ids.v, in->security_group_ids.n, &e->security_groups));
	for (size_t i = 0; i < in->subnet_ids.n; i++)
		TRY(add_subnet(c, e, in->subnet_ids.v[i], address_given(in, in->subnet_ids.v[i])));
	return OK;
}

status ec2_create_vpc_endpoint(
	struct call *c, const struct ec2_create_vpc_endpoint_input *in, struct ec2_create_vpc_endpoint_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_endpoint};
	struct ec2_rec_vpc vpc;
	struct str type = str_or(in->vpc_endpoint_type, STR("Gateway")), same;
	const struct ec2_endpoint_service *service = ec2_endpoint_service_find(c->region, in->service_name);
	struct ec2_private_service private;
	bool is_private = false;
	size_t n;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_vpc_take(c, in->vpc_id, &vpc));
	if (!str_is(type, "Gateway") && !str_is(type, "Interface"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Endpoints of type %.*s are not implemented.", STR_ARG(type));
	if (!service && str_is(type, "Interface")) {
		status s = ec2_private_service_named(c, in->service_name, &private);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		is_private = is_ok(s);
	}
	if ((!service && !is_private) || (str_is(type, "Gateway") && !service->gateway))
		return call_fail(c, EC2_ERR_INVALID_SERVICE_NAME, "The Vpc Endpoint Service '%.*s' does not exist",
			STR_ARG(in->service_name));
	TRY(ec2_endpoint_policy_check(c, in->policy_document));
	TRY(look_around(c, in->client_token, type, in->vpc_id, &same, &n));
	out->client_token = in->client_token;
	out->vpc_endpoint = arena_new(c->arena, struct ec2_vpc_endpoint);
	if (str_has(same)) return ec2_describe_one(c, &ec2_type_endpoint, same, out->vpc_endpoint);
	if (n >= (str_is(type, "Gateway") ? GATEWAYS_MAX : INTERFACES_MAX))
		return call_fail(c, EC2_ERR_VPC_ENDPOINT_LIMIT_EXCEEDED,
			"The maximum number of VPC endpoints has been reached.");
	struct ec2_rec_endpoint e = {.vpc_endpoint_id = ec2_new_id(c->arena, "vpce-"),
		.vpc_endpoint_type = type,
		.vpc_id = vpc.vpc_id,
		.service_name = in->service_name,
		.state = STR("available"),
		.policy_document = str_or(in->policy_document, STR(FULL_ACCESS)),
		.private_dns_enabled = SOME_BOOL(false),
		.creation_timestamp = SOME_TIME(c->now_ms),
		.ip_address_type = str_or(in->ip_address_type, STR("ipv4")),
		.token = in->client_token,
		.suffix = rand_text(c->arena, STR("abcdefghijklmnopqrstuvwxyz0123456789"), 8)};
	if (str_is(type, "Gateway")) {
		if (in->subnet_ids.n || in->security_group_ids.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER,
				"Subnet IDs and security group IDs are only supported for Interface type VPC "
				"Endpoints.");
		for (size_t i = 0; i < in->route_table_ids.n; i++) TRY(add_table(c, &e, in->route_table_ids.v[i]));
	} else {
		TRY(make_interface(c, in, &vpc, is_private ? &private : NULL, &e));
		if (is_private) TRY(ec2_private_connect(c, &private, &e));
	}
	save(c, &e);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_endpoint, e.vpc_endpoint_id));
	TRY(ec2_describe_one(c, &ec2_type_endpoint, e.vpc_endpoint_id, out->vpc_endpoint));
	if (!is_gateway(&e) && str_is(e.state, "available")) out->vpc_endpoint->state = STR("pending");
	return OK;
}

status ec2_describe_vpc_endpoints(struct call *c, const struct ec2_describe_vpc_endpoints_input *in,
	struct ec2_describe_vpc_endpoints_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_endpoint, in, vpc_endpoint_ids, out, vpc_endpoints);
}

status ec2_modify_vpc_endpoint(
	struct call *c, const struct ec2_modify_vpc_endpoint_input *in, struct ec2_modify_vpc_endpoint_output *out)
{
	struct ec2_rec_endpoint e;
	struct ec2_rec_vpc vpc;
	TRY(ec2_find(c, &ec2_type_endpoint, in->vpc_endpoint_id, &e));
	TRY(ec2_vpc_take(c, e.vpc_id, &vpc));
	bool of_gateway = in->add_route_table_ids.n || in->remove_route_table_ids.n;
	bool of_interface = in->add_subnet_ids.n || in->remove_subnet_ids.n || in->add_security_group_ids.n ||
			    in->remove_security_group_ids.n || in->private_dns_enabled.has;
	if (is_gateway(&e) ? of_interface : of_gateway)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"The parameters are not those of a VPC endpoint of type %.*s.", STR_ARG(e.vpc_endpoint_type));
	TRY(ec2_endpoint_policy_check(c, in->policy_document));
	if (in->reset_policy.v) e.policy_document = STR(FULL_ACCESS);
	if (str_has(in->policy_document)) e.policy_document = in->policy_document;
	for (size_t i = 0; i < in->remove_route_table_ids.n; i++)
		TRY(drop_table(c, &e, in->remove_route_table_ids.v[i]));
	for (size_t i = 0; i < in->add_route_table_ids.n; i++) TRY(add_table(c, &e, in->add_route_table_ids.v[i]));
	struct ec2_rec_strings groups = {0};
	for (size_t i = 0; i < e.security_groups.n; i++) {
		bool removed = false;
		for (size_t k = 0; k < in->remove_security_group_ids.n; k++)
			removed = removed || str_eq(in->remove_security_group_ids.v[k], e.security_groups.v[i]);
		if (!removed) add(c->arena, &groups, e.security_groups.v[i]);
	}
	for (size_t i = 0; i < in->add_security_group_ids.n; i++)
		add(c->arena, &groups, in->add_security_group_ids.v[i]);
	if (!is_gateway(&e)) {
		if (!groups.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER,
				"An interface endpoint needs at least one security group.");
		TRY(ec2_groups_for(c, e.vpc_id, groups.v, groups.n, &e.security_groups));
		for (size_t i = 0; i < in->remove_subnet_ids.n; i++)
			TRY(drop_subnet(c, &e, in->remove_subnet_ids.v[i]));
		for (size_t i = 0; i < in->add_subnet_ids.n; i++)
			TRY(add_subnet(c, &e, in->add_subnet_ids.v[i], STR_NONE));
		for (size_t i = 0; i < e.network_interface_ids.n; i++) {
			struct ec2_rec_eni n;
			TRY(ec2_find(c, &ec2_type_eni, e.network_interface_ids.v[i], &n));
			n.groups = e.security_groups;
			TRY(ec2_eni_save(c, &n));
		}
		if (in->private_dns_enabled.has) {
			e.private_dns_enabled = in->private_dns_enabled;
			if (e.private_dns_enabled.v) TRY(check_private_dns(c, &e, &vpc));
		}
	}
	save(c, &e);
	out->return_ = SOME_BOOL(true);
	return OK;
}

static status delete_one(struct call *c, struct str id)
{
	struct ec2_rec_endpoint e;
	TRY(ec2_find(c, &ec2_type_endpoint, id, &e));
	TRY(ec2_vpc_touch(ec2_here(c), e.vpc_id));
	while (e.route_table_ids.n) TRY(drop_table(c, &e, e.route_table_ids.v[0]));
	while (e.subnet_ids.n) TRY(drop_subnet(c, &e, e.subnet_ids.v[0]));
	TRY(ec2_private_disconnect(c, &e));
	ec2_drop(ec2_here(c), &ec2_type_endpoint, id);
	return OK;
}

/* "Unsuccessful: information about the VPC endpoints that were not successfully deleted" (the reference). */
status ec2_delete_vpc_endpoints(
	struct call *c, const struct ec2_delete_vpc_endpoints_input *in, struct ec2_delete_vpc_endpoints_output *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->unsuccessful);
	for (size_t i = 0; i < in->vpc_endpoint_ids.n; i++) {
		struct str id = in->vpc_endpoint_ids.v[i];
		struct ec2_rec_endpoint e;
		TRY(ec2_check_id(c, &ec2_type_endpoint, id));
		status s = ec2_load(ec2_here(c), &ec2_type_endpoint, id, &e);
		if (is_ok(s)) {
			TRY(delete_one(c, id));
			continue;
		}
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		struct ec2_unsuccessful_item *u = VEC_PUSH(c->arena, &out->unsuccessful, &capacity);
		u->resource_id = id;
		u->error = arena_new(c->arena, struct ec2_unsuccessful_item_error);
		*u->error = (struct ec2_unsuccessful_item_error){STR("InvalidVpcEndpoint.NotFound"),
			str_fmt(c->arena, "The Vpc Endpoint Id '%.*s' does not exist", STR_ARG(id))};
	}
	return OK;
}
