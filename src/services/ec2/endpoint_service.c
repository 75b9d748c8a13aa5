/* AWS's services as VPC endpoints reach them: their names, in the two ways. "AWS services that integrate with AWS
 * PrivateLink" and "Gateway endpoints", AWS PrivateLink Guide. */
#include "services/ec2/private_link.h"

const struct ec2_endpoint_service ec2_endpoint_services[] = {
	{"s3", "s3,*.s3", true},
	{"dynamodb", "dynamodb", true},
	{"autoscaling", "autoscaling", false},
	{"cloudformation", "cloudformation", false},
	{"cloudtrail", "cloudtrail", false},
	{"codebuild", "codebuild", false},
	{"ec2", "ec2", false},
	{"ec2messages", "ec2messages", false},
	{"ecr.api", "api.ecr", false},
	{"ecr.dkr", "*.dkr.ecr", false},
	{"ecs", "ecs", false},
	{"ecs-agent", "ecs-a", false},
	{"ecs-telemetry", "ecs-t", false},
	{"elasticfilesystem", "elasticfilesystem", false},
	{"elasticloadbalancing", "elasticloadbalancing", false},
	{"events", "events", false},
	{"execute-api", "*.execute-api", false},
	{"kinesis-streams", "kinesis", false},
	{"kms", "kms", false},
	{"lambda", "lambda", false},
	{"logs", "logs", false},
	{"monitoring", "monitoring", false},
	{"rds", "rds", false},
	{"secretsmanager", "secretsmanager", false},
	{"sns", "sns", false},
	{"sqs", "sqs", false},
	{"ssm", "ssm", false},
	{"ssmmessages", "ssmmessages", false},
	{"states", "states", false},
	{"sts", "sts", false},
};
const size_t ec2_endpoint_services_length = sizeof(ec2_endpoint_services) / sizeof(*ec2_endpoint_services);

const struct ec2_endpoint_service *ec2_endpoint_service_find(struct str region, struct str service_name)
{
	struct str rest = service_name;
	if (!str_starts(rest, STR("com.amazonaws."))) return NULL;
	rest = str_from(rest, sizeof("com.amazonaws.") - 1);
	if (!str_starts(rest, region) || rest.n <= region.n || rest.p[region.n] != '.') return NULL;
	rest = str_from(rest, region.n + 1);
	for (size_t i = 0; i < ec2_endpoint_services_length; i++)
		if (str_eq(rest, str_c(ec2_endpoint_services[i].name))) return &ec2_endpoint_services[i];
	return NULL;
}

bool ec2_endpoint_service_named(const struct ec2_endpoint_service *s, struct str region, struct str name)
{
	struct str domain = STR(".amazonaws.com"), names = str_c(s->dns);
	if (!str_ends(name, domain)) return false;
	name = str_sub(name, 0, name.n - domain.n);
	if (!str_ends(name, region) || name.n <= region.n || name.p[name.n - region.n - 1] != '.') return false;
	name = str_sub(name, 0, name.n - region.n - 1);
	while (str_has(names)) {
		struct str one = str_cut(&names, ',');
		if (one.p[0] != '*' ? str_eq(name, one) : str_ends(name, str_from(one, 1)) && name.n > one.n - 1)
			return true;
	}
	return false;
}

static const char *const filters[] = {"owner", "service-name", "service-region", "service-type=ServiceType.ServiceType",
	"supported-ip-address-types", NULL};

static void show(struct call *c, const struct ec2_endpoint_service *s, bool gateway, struct ec2_service_detail *out)
{
	struct ec2_zones zones;
	size_t capacity = 0, ids = 0, types = 0, names = 0;
	struct str dns = str_c(s->dns);
	*out = (struct ec2_service_detail){
		.service_name = str_fmt(c->arena, "com.amazonaws.%.*s.%s", STR_ARG(c->region), s->name),
		.service_id = str_fmt(c->arena, "vpce-svc-%s%s", s->name, gateway ? "-gateway" : ""),
		.service_region = c->region,
		.owner = STR("amazon"),
		.vpc_endpoint_policy_supported = SOME_BOOL(true),
		.acceptance_required = SOME_BOOL(false),
		.manages_vpc_endpoints = SOME_BOOL(false)};
	VEC_PUSH(c->arena, &out->service_type, &types)->service_type = gateway ? STR("Gateway") : STR("Interface");
	if (!is_ok(ec2_zones(c->tx, c->arena, c->region, &zones))) return;
	for (size_t i = 0; i < zones.n; i++) {
		*VEC_PUSH(c->arena, &out->availability_zones, &capacity) = zones.v[i].name;
		*VEC_PUSH(c->arena, &out->availability_zone_ids, &ids) = zones.v[i].id;
	}
	size_t base = 0, ip = 0;
	*VEC_PUSH(c->arena, &out->supported_ip_address_types, &ip) = STR("ipv4");
	VEC_PRESENT(c->arena, &out->tags);
	*VEC_PUSH(c->arena, &out->base_endpoint_dns_names, &base) =
		gateway ? str_fmt(c->arena, "%s.%.*s.amazonaws.com", s->name, STR_ARG(c->region))
			: str_fmt(c->arena, "%s.%.*s.vpce.amazonaws.com", s->name, STR_ARG(c->region));
	while (!gateway && str_has(dns)) {
		struct str one = str_cut(&dns, ',');
		VEC_PUSH(c->arena, &out->private_dns_names, &names)->private_dns_name =
			str_fmt(c->arena, "%.*s.%.*s.amazonaws.com", STR_ARG(one), STR_ARG(c->region));
	}
	if (names) out->private_dns_name = out->private_dns_names.v[0].private_dns_name;
}

static bool asked(const struct ec2_value_string_list *names, struct str name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], name)) return true;
	return names->n == 0;
}

struct offering {
	struct call *c;
	const struct ec2_describe_vpc_endpoint_services_input *in;
	struct ec2_describe_vpc_endpoint_services_output *out;
	size_t capacity, names;
};

/* An endpoint service that the caller may use. */
static bool offer(void *ctx, const struct ec2_private_service *s)
{
	struct offering *o = ctx;
	struct arena *a = o->c->arena;
	struct ec2_rec_strings zones = {0};
	size_t capacity = 0, types = 0, base = 0, ip = 0;
	struct ec2_service_detail d = {.service_name = ec2_private_service_name(a, s->at.region, s->record.service_id),
		.service_id = s->record.service_id,
		.service_region = s->at.region,
		.owner = s->at.account,
		.vpc_endpoint_policy_supported = SOME_BOOL(false),
		.acceptance_required = s->record.acceptance_required,
		.manages_vpc_endpoints = SOME_BOOL(false)};
	VEC_PUSH(a, &d.service_type, &types)->service_type = STR("Interface");
	*VEC_PUSH(a, &d.base_endpoint_dns_names, &base) =
		ec2_private_service_domain(a, s->at.region, s->record.service_id);
	*VEC_PUSH(a, &d.supported_ip_address_types, &ip) = STR("ipv4");
	if (is_ok(ec2_private_service_zones(s->at, &s->record, &zones)))
		for (size_t i = 0; i < zones.n; i++) *VEC_PUSH(a, &d.availability_zones, &capacity) = zones.v[i];
	if (!is_ok(ec2_tags_get(s->at, d.service_id, &d.tags))) VEC_PRESENT(a, &d.tags);
	if (!asked(&o->in->service_names, d.service_name) ||
		!ec2_filters_match(a, EC2_SHAPE_SERVICE_DETAIL, filters, &o->in->filters, &d))
		return true;
	*VEC_PUSH(a, &o->out->service_details, &o->capacity) = d;
	*VEC_PUSH(a, &o->out->service_names, &o->names) = d.service_name;
	return true;
}

status ec2_describe_vpc_endpoint_services(struct call *c, const struct ec2_describe_vpc_endpoint_services_input *in,
	struct ec2_describe_vpc_endpoint_services_output *out)
{
	size_t capacity = 0, names = 0;
	TRY(ec2_filters_check(c, filters, &in->filters));
	for (size_t i = 0; i < in->service_names.n; i++) {
		struct ec2_private_service p;
		if (ec2_endpoint_service_find(c->region, in->service_names.v[i])) continue;
		status s = ec2_private_service_named(c, in->service_names.v[i], &p);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (!is_ok(s))
			return call_fail(c, EC2_ERR_INVALID_SERVICE_NAME,
				"The Vpc Endpoint Service '%.*s' does not exist", STR_ARG(in->service_names.v[i]));
	}
	for (size_t i = 0; i < ec2_endpoint_services_length; i++)
		for (int gateway = ec2_endpoint_services[i].gateway; gateway >= 0; gateway--) {
			struct ec2_service_detail d;
			show(c, &ec2_endpoint_services[i], gateway, &d);
			if (!asked(&in->service_names, d.service_name) ||
				!ec2_filters_match(c->arena, EC2_SHAPE_SERVICE_DETAIL, filters, &in->filters, &d))
				continue;
			*VEC_PUSH(c->arena, &out->service_details, &capacity) = d;
			if (!names || !str_eq(out->service_names.v[out->service_names.n - 1], d.service_name))
				*VEC_PUSH(c->arena, &out->service_names, &names) = d.service_name;
		}
	struct offering offering = {c, in, out, capacity, names};
	TRY(ec2_private_services_each(c, offer, &offering));
	VEC_PRESENT(c->arena, &out->service_names);
	return ec2_page(c, &out->service_details, sizeof(*out->service_details.v), in->max_results, in->next_token,
		&out->next_token);
}
