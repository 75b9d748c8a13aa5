/* Target groups ("Target groups for your Application Load Balancers", the ALB guide; the NLB guide's likewise). */
#include "services/elbv2/room.h"

static void show(struct call *c, const struct elbv2_rec_group *g, struct elbv2_target_group *out)
{
	size_t capacity = 0;
	elbv2_show(c->arena, ELBV2_REC_GROUP, g, ELBV2_SHAPE_TARGET_GROUP, out);
	out->target_group_arn = elbv2_group_arn(ec2_here(c), g);
	VEC_PRESENT(c->arena, &out->load_balancer_arns);
	for (size_t i = 0; i < g->balancers.n; i++)
		*VEC_PUSH(c->arena, &out->load_balancer_arns, &capacity) = g->balancers.v[i];
}

static bool is_http(struct str protocol)
{
	return str_is(protocol, "HTTP") || str_is(protocol, "HTTPS");
}

/* "200", "200,202", "200-299"; gRPC: "0-99". */
static bool codes_fit(struct str text, int64_t min, int64_t max)
{
	struct str rest = text;
	if (!text.n) return false;
	while (str_has(rest)) {
		struct str part = str_cut(&rest, ','), from = str_cut(&part, '-');
		int64_t a, b;
		if (!is_ok(str_to_i64(from, &a)) || a < min || a > max) return false;
		if (str_has(part) && (!is_ok(str_to_i64(part, &b)) || b < a || b > max)) return false;
	}
	return true;
}

static status check_matcher(struct call *c, struct elbv2_rec_group *g)
{
	bool grpc = str_is(g->protocol_version, "GRPC"), app = is_http(g->protocol);
	if (!is_http(g->health_check_protocol)) {
		if (g->matcher && (str_has(g->matcher->http_code) || str_has(g->matcher->grpc_code)))
			return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"A matcher cannot be specified for health checks with protocol '%.*s'",
				STR_ARG(g->health_check_protocol));
		g->matcher = NULL;
		return OK;
	}
	if (!g->matcher) g->matcher = arena_new(c->arena, struct elbv2_rec_matcher);
	if (grpc) {
		if (str_has(g->matcher->http_code))
			return call_fail(
				c, ERR_VALIDATION, "HTTP codes cannot be specified for the protocol version 'GRPC'");
		g->matcher->grpc_code = str_or(g->matcher->grpc_code, STR("12"));
		if (!codes_fit(g->matcher->grpc_code, 0, 99))
			return call_fail(c, ERR_VALIDATION,
				"Health check matcher gRPC code '%.*s' must be within '0-99' inclusive",
				STR_ARG(g->matcher->grpc_code));
		return OK;
	}
	if (str_has(g->matcher->grpc_code))
		return call_fail(c, ERR_VALIDATION, "gRPC codes can only be specified for the protocol version 'GRPC'");
	g->matcher->http_code = str_or(g->matcher->http_code, app ? STR("200") : STR("200-399"));
	if (!codes_fit(g->matcher->http_code, 200, app ? 499 : 599))
		return call_fail(c, ERR_VALIDATION,
			"Health check matcher HTTP code '%.*s' must be within '200-%d' inclusive",
			STR_ARG(g->matcher->http_code), app ? 499 : 599);
	return OK;
}

static status check_health(struct call *c, struct elbv2_rec_group *g)
{
	int64_t port;
	bool stream = str_is(g->health_check_protocol, "TCP");
	if (!is_http(g->health_check_protocol) && !stream)
		return call_fail(c, ERR_VALIDATION, "Health check protocol '%.*s' must be one of 'HTTP, HTTPS, TCP'",
			STR_ARG(g->health_check_protocol));
	if (stream && is_http(g->protocol))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Health check protocol 'TCP' is not supported for target groups with protocol '%.*s'",
			STR_ARG(g->protocol));
	if (!str_is(g->health_check_port, "traffic-port") &&
		(!is_ok(str_to_i64(g->health_check_port, &port)) || port < 1 || port > 65535))
		return call_fail(c, ERR_VALIDATION,
			"Health check port '%.*s' must be 'traffic-port' or a number from 1 to 65535",
			STR_ARG(g->health_check_port));
	if (g->health_check_timeout_seconds.v >= g->health_check_interval_seconds.v)
		return call_fail(c, ERR_VALIDATION, "Health check timeout '%d' must be smaller than the interval '%d'",
			g->health_check_timeout_seconds.v, g->health_check_interval_seconds.v);
	if (!g->health_check_enabled.v)
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Health check enabled must be true for target groups with target type '%.*s'",
			STR_ARG(g->target_type));
	if (is_http(g->health_check_protocol)) {
		struct str path = g->health_check_path;
		bool well = path.n && path.p[0] == '/';
		for (size_t i = 0; i < path.n; i++) well = well && path.p[i] > ' ' && path.p[i] < 0x7f;
		if (!well)
			return call_fail(c, ERR_VALIDATION,
				"Health check path '%.*s' must begin with a '/' and consist of printable characters",
				STR_ARG(path));
	} else if (str_has(g->health_check_path)) {
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"A health check path cannot be specified for health checks with protocol 'TCP'");
	}
	return check_matcher(c, g);
}

/* What the request leaves open ("Health check settings", both guides). */
static void defaults(const struct elbv2_create_target_group_input *in, struct elbv2_rec_group *g)
{
	bool app = is_http(g->protocol), grpc = str_is(g->protocol_version, "GRPC");
	bool alb = str_is(g->target_type, "alb");
	g->health_check_protocol = str_or(in->health_check_protocol, app   ? STR("HTTP")
								     : alb ? STR("HTTP")
									   : STR("TCP"));
	if (!str_has(in->health_check_protocol) && app) g->health_check_protocol = STR("HTTP");
	g->health_check_port = str_or(in->health_check_port, STR("traffic-port"));
	g->health_check_enabled = in->health_check_enabled.has ? in->health_check_enabled : SOME_BOOL(true);
	g->health_check_interval_seconds =
		in->health_check_interval_seconds.has ? in->health_check_interval_seconds : SOME_I32(30);
	bool web = is_http(g->health_check_protocol);
	g->health_check_timeout_seconds = in->health_check_timeout_seconds.has ? in->health_check_timeout_seconds
									       : SOME_I32(app   ? 5
											  : web ? 6
												: 10);
	if (!in->health_check_timeout_seconds.has &&
		g->health_check_timeout_seconds.v >= g->health_check_interval_seconds.v)
		g->health_check_timeout_seconds = SOME_I32(g->health_check_interval_seconds.v - 1);
	g->healthy_threshold_count = in->healthy_threshold_count.has ? in->healthy_threshold_count : SOME_I32(5);
	g->unhealthy_threshold_count = in->unhealthy_threshold_count.has ? in->unhealthy_threshold_count : SOME_I32(2);
	if (web)
		g->health_check_path = str_or(in->health_check_path, grpc ? STR("/AWS.ALB/healthcheck") : STR("/"));
	else
		g->health_check_path = in->health_check_path;
}

static status check_create(struct call *c, const struct elbv2_create_target_group_input *in, struct elbv2_rec_group *g)
{
	struct ec2_rec_vpc vpc;
	TRY(elbv2_name_check(c, "target group", in->name));
	if (str_is(g->target_type, "lambda"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Target groups of Lambda functions are not implemented.");
	if (in->target_control_port.has)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Target control ports are not implemented.");
	if (str_is(g->ip_address_type, "ipv6"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Target groups of IPv6 addresses are not implemented.");
	if (!str_has(g->protocol)) return call_fail(c, ERR_VALIDATION, "A protocol must be specified");
	if (!is_http(g->protocol) && !str_is(g->protocol, "TCP") && !str_is(g->protocol, "TLS") &&
		!str_is(g->protocol, "UDP") && !str_is(g->protocol, "TCP_UDP"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Target groups with protocol '%.*s' are not implemented.",
			STR_ARG(g->protocol));
	if (!g->port.has) return call_fail(c, ERR_VALIDATION, "A port must be specified");
	if (!str_has(g->vpc_id)) return call_fail(c, ERR_VALIDATION, "A VPC ID must be specified");
	status s = ec2_load(ec2_here(c), &ec2_type_vpc, g->vpc_id, &vpc);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, ERR_VALIDATION, "The VPC ID '%.*s' is not found", STR_ARG(g->vpc_id));
	TRY(s);
	if (str_is(g->target_type, "alb") && !str_is(g->protocol, "TCP"))
		return call_fail(c, ERR_VALIDATION,
			"Protocol '%.*s' is not supported for target groups with target type 'alb'",
			STR_ARG(g->protocol));
	/* Terraform sends it empty for what has none. */
	struct str version = in->protocol_version.n ? in->protocol_version : STR_NONE;
	if (str_has(version) && !is_http(g->protocol))
		return call_fail(c, ERR_VALIDATION,
			"A protocol version cannot be specified for target groups with protocol '%.*s'",
			STR_ARG(g->protocol));
	if (str_has(version) && !str_is(version, "HTTP1") && !str_is(version, "HTTP2") && !str_is(version, "GRPC"))
		return call_fail(c, ERR_VALIDATION, "Protocol version '%.*s' must be one of 'GRPC, HTTP1, HTTP2'",
			STR_ARG(version));
	return OK;
}

static bool same_number(struct opt_i32 a, struct opt_i32 b)
{
	return a.v == b.v;
}

static bool same(const struct elbv2_rec_group *a, const struct elbv2_rec_group *b)
{
	return str_eq(a->protocol, b->protocol) && same_number(a->port, b->port) && str_eq(a->vpc_id, b->vpc_id) &&
	       str_eq(a->target_type, b->target_type) && str_eq(a->protocol_version, b->protocol_version) &&
	       str_eq(a->health_check_protocol, b->health_check_protocol) &&
	       str_eq(a->health_check_port, b->health_check_port) &&
	       str_eq(a->health_check_path, b->health_check_path) &&
	       same_number(a->health_check_interval_seconds, b->health_check_interval_seconds) &&
	       same_number(a->health_check_timeout_seconds, b->health_check_timeout_seconds) &&
	       same_number(a->healthy_threshold_count, b->healthy_threshold_count) &&
	       same_number(a->unhealthy_threshold_count, b->unhealthy_threshold_count);
}

status elbv2_create_target_group(
	struct call *c, const struct elbv2_create_target_group_input *in, struct elbv2_create_target_group_output *out)
{
	struct elbv2_rec_group g = {.target_group_name = in->name,
				       .protocol = in->protocol,
				       .port = in->port,
				       .vpc_id = in->vpc_id,
				       .target_type = str_or(in->target_type, STR("instance")),
				       .ip_address_type = str_or(in->ip_address_type, STR("ipv4")),
				       .created = SOME_TIME(c->now_ms)},
			       old;
	struct elbv2_all_groups all;
	size_t capacity = 0;
	TRY(check_create(c, in, &g));
	if (is_http(g.protocol)) g.protocol_version = in->protocol_version.n ? in->protocol_version : STR("HTTP1");
	defaults(in, &g);
	if (in->matcher) {
		g.matcher = arena_new(c->arena, struct elbv2_rec_matcher);
		*g.matcher = (struct elbv2_rec_matcher){in->matcher->http_code, in->matcher->grpc_code};
	}
	TRY(check_health(c, &g));
	TRY(elbv2_tags_given(c, &g.tags, &in->tags));
	status s = elbv2_group_get(ec2_here(c), in->name, &old);
	if (is_ok(s)) {
		if (!same(&g, &old))
			return ELBV2_FAIL(c, DUPLICATE_TARGET_GROUP_NAME,
				"A target group with the same name '%.*s' exists, but with different settings",
				STR_ARG(in->name));
		show(c, &old, VEC_PUSH(c->arena, &out->target_groups, &capacity));
		return OK;
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(elbv2_groups(ec2_here(c), &all));
	if (all.n >= ELBV2_GROUPS_MAX)
		return ELBV2_FAIL(c, TOO_MANY_TARGET_GROUPS, "The maximum number of target groups has been reached");
	g.id = elbv2_new_id(c->arena);
	/* "By default, client IP preservation is enabled … for instance target groups, and for UDP and TCP_UDP." */
	if (!is_http(g.protocol) && (!str_is(g.target_type, "ip") || str_ends(g.protocol, STR("UDP"))))
		elbv2_set(c->arena, &g.attributes, STR("preserve_client_ip.enabled"), STR("true"));
	elbv2_group_put(ec2_here(c), &g);
	show(c, &g, VEC_PUSH(c->arena, &out->target_groups, &capacity));
	return OK;
}

status elbv2_modify_target_group(
	struct call *c, const struct elbv2_modify_target_group_input *in, struct elbv2_modify_target_group_output *out)
{
	struct elbv2_rec_group g;
	size_t capacity = 0;
	TRY(elbv2_group_find(c, in->target_group_arn, &g));
	if (str_has(in->health_check_protocol)) g.health_check_protocol = in->health_check_protocol;
	if (str_has(in->health_check_port)) g.health_check_port = in->health_check_port;
	if (str_has(in->health_check_path)) g.health_check_path = in->health_check_path;
	if (in->health_check_enabled.has) g.health_check_enabled = in->health_check_enabled;
	if (in->health_check_interval_seconds.has) g.health_check_interval_seconds = in->health_check_interval_seconds;
	if (in->health_check_timeout_seconds.has) g.health_check_timeout_seconds = in->health_check_timeout_seconds;
	if (in->healthy_threshold_count.has) g.healthy_threshold_count = in->healthy_threshold_count;
	if (in->unhealthy_threshold_count.has) g.unhealthy_threshold_count = in->unhealthy_threshold_count;
	if (in->matcher) {
		g.matcher = arena_new(c->arena, struct elbv2_rec_matcher);
		*g.matcher = (struct elbv2_rec_matcher){in->matcher->http_code, in->matcher->grpc_code};
	}
	if (is_http(g.health_check_protocol) && !str_has(g.health_check_path)) g.health_check_path = STR("/");
	if (!is_http(g.health_check_protocol) && !str_has(in->health_check_path)) g.health_check_path = STR_NONE;
	if (!is_http(g.health_check_protocol) && !in->matcher) g.matcher = NULL;
	TRY(check_health(c, &g));
	elbv2_group_put(ec2_here(c), &g);
	TRY(elbv2_group_changed(ec2_here(c), &g));
	show(c, &g, VEC_PUSH(c->arena, &out->target_groups, &capacity));
	return OK;
}

status elbv2_delete_target_group(
	struct call *c, const struct elbv2_delete_target_group_input *in, struct elbv2_delete_target_group_output *out)
{
	struct elbv2_rec_group g;
	struct elbv2_all_targets targets;
	(void)out;
	status s = elbv2_group_find(c, in->target_group_arn, &g);
	/* "It is idempotent": one that is not there is deleted. */
	if (status_is(s, STATUS_FAILED) && c->failure.id == ELBV2_ERR_TARGET_GROUP_NOT_FOUND_EXCEPTION) {
		c->failure = (struct wire_failure){0};
		return OK;
	}
	TRY(s);
	if (g.balancers.n)
		return ELBV2_FAIL(c, RESOURCE_IN_USE, "Target group '%.*s' is currently in use by a listener or a rule",
			STR_ARG(in->target_group_arn));
	TRY(elbv2_targets(ec2_here(c), g.id, &targets));
	for (size_t i = 0; i < targets.n; i++) elbv2_target_drop(ec2_here(c), g.id, &targets.v[i]);
	elbv2_group_drop(ec2_here(c), &g);
	return OK;
}

status elbv2_describe_target_groups(struct call *c, const struct elbv2_describe_target_groups_input *in,
	struct elbv2_describe_target_groups_output *out)
{
	struct elbv2_rec_group g;
	struct elbv2_rec_balancer b;
	struct elbv2_all_groups all;
	size_t capacity = 0;
	bool by_balancer = str_has(in->load_balancer_arn);
	if (by_balancer + (in->target_group_arns.n > 0) + (in->names.n > 0) > 1)
		return call_fail(c, ERR_VALIDATION,
			"Target group names, target group ARNs and a load balancer ARN cannot be specified at the same "
			"time");
	for (size_t i = 0; i < in->target_group_arns.n; i++) {
		status s = elbv2_group_find(c, in->target_group_arns.v[i], &g);
		if (status_is(s, STATUS_FAILED) && c->failure.id == ELBV2_ERR_TARGET_GROUP_NOT_FOUND_EXCEPTION)
			return ELBV2_FAIL(c, TARGET_GROUP_NOT_FOUND, "One or more target groups not found");
		TRY(s);
		show(c, &g, VEC_PUSH(c->arena, &out->target_groups, &capacity));
	}
	for (size_t i = 0; i < in->names.n; i++) {
		status s = elbv2_group_get(ec2_here(c), in->names.v[i], &g);
		if (status_is(s, STATUS_NOT_FOUND))
			return ELBV2_FAIL(c, TARGET_GROUP_NOT_FOUND, "One or more target groups not found");
		TRY(s);
		show(c, &g, VEC_PUSH(c->arena, &out->target_groups, &capacity));
	}
	if (by_balancer) TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	if (!in->target_group_arns.n && !in->names.n) {
		TRY(elbv2_groups(ec2_here(c), &all));
		for (size_t i = 0; i < all.n; i++)
			if (!by_balancer || elbv2_among(&all.v[i].balancers, in->load_balancer_arn))
				show(c, &all.v[i], VEC_PUSH(c->arena, &out->target_groups, &capacity));
	}
	return elbv2_page(
		c, &out->target_groups, sizeof(*out->target_groups.v), in->page_size, in->marker, &out->next_marker);
}
