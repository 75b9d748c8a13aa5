/* Attributes of balancers, target groups and listeners: which there are, for whom, what they may be ("Load balancer
 * attributes", "Target group attributes", "Listener attributes", both guides). */
#include "services/elbv2/logs.h"

enum kind { BOOL, NUMBER, ONE_OF, TEXT, HEADER, NUMBER_OR_OFF };
enum { APP = 1, NET = 2, BOTH = 3 };
struct attribute {
	enum elbv2_attributes of;
	const char *name, *otherwise;
	enum kind kind;
	uint8_t whom; /* of groups: by protocol (HTTP: APP) */
	int32_t min, max;
	const char *choices; /* separated by spaces */
};
#define B ELBV2_OF_BALANCER
#define G ELBV2_OF_GROUP
#define L ELBV2_OF_LISTENER
static const struct attribute attributes[] = {
	{B, "access_logs.s3.enabled", "false", BOOL, BOTH, 0, 0, NULL},
	{B, "access_logs.s3.bucket", "", TEXT, BOTH, 0, 0, NULL},
	{B, "access_logs.s3.prefix", "", TEXT, BOTH, 0, 0, NULL},
	{B, "deletion_protection.enabled", "false", BOOL, BOTH, 0, 0, NULL},
	{B, "load_balancing.cross_zone.enabled", "true", BOOL, APP, 0, 0, NULL},
	{B, "load_balancing.cross_zone.enabled", "false", BOOL, NET, 0, 0, NULL},
	{B, "ipv6.deny_all_igw_traffic", "false", BOOL, BOTH, 0, 0, NULL},
	{B, "zonal_shift.config.enabled", "false", BOOL, BOTH, 0, 0, NULL},
	{B, "idle_timeout.timeout_seconds", "60", NUMBER, APP, 1, 4000, NULL},
	{B, "client_keep_alive.seconds", "3600", NUMBER, APP, 60, 604800, NULL},
	{B, "connection_logs.s3.enabled", "false", BOOL, APP, 0, 0, NULL},
	{B, "connection_logs.s3.bucket", "", TEXT, APP, 0, 0, NULL},
	{B, "connection_logs.s3.prefix", "", TEXT, APP, 0, 0, NULL},
	{B, "routing.http.desync_mitigation_mode", "defensive", ONE_OF, APP, 0, 0, "monitor defensive strictest"},
	{B, "routing.http.drop_invalid_header_fields.enabled", "false", BOOL, APP, 0, 0, NULL},
	{B, "routing.http.preserve_host_header.enabled", "false", BOOL, APP, 0, 0, NULL},
	{B, "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", BOOL, APP, 0, 0, NULL},
	{B, "routing.http.xff_client_port.enabled", "false", BOOL, APP, 0, 0, NULL},
	{B, "routing.http.xff_header_processing.mode", "append", ONE_OF, APP, 0, 0, "append preserve remove"},
	{B, "routing.http2.enabled", "true", BOOL, APP, 0, 0, NULL},
	{B, "waf.fail_open.enabled", "false", BOOL, APP, 0, 0, NULL},
	{B, "dns_record.client_routing_policy", "any_availability_zone", ONE_OF, NET, 0, 0,
		"any_availability_zone availability_zone_affinity partial_availability_zone_affinity"},
	{G, "deregistration_delay.timeout_seconds", "300", NUMBER, BOTH, 0, 3600, NULL},
	{G, "stickiness.enabled", "false", BOOL, BOTH, 0, 0, NULL},
	{G, "stickiness.type", "lb_cookie", ONE_OF, APP, 0, 0, "lb_cookie app_cookie"},
	{G, "stickiness.type", "source_ip", ONE_OF, NET, 0, 0, "source_ip"},
	{G, "load_balancing.cross_zone.enabled", "use_load_balancer_configuration", ONE_OF, BOTH, 0, 0,
		"true false use_load_balancer_configuration"},
	{G, "target_group_health.dns_failover.minimum_healthy_targets.count", "1", NUMBER_OR_OFF, BOTH, 1, 1000, NULL},
	{G, "target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", NUMBER_OR_OFF, BOTH, 1, 100,
		NULL},
	{G, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", NUMBER, BOTH, 1, 1000,
		NULL},
	{G, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", NUMBER_OR_OFF,
		BOTH, 1, 100, NULL},
	{G, "load_balancing.algorithm.type", "round_robin", ONE_OF, APP, 0, 0,
		"round_robin least_outstanding_requests weighted_random"},
	{G, "load_balancing.algorithm.anomaly_mitigation", "off", ONE_OF, APP, 0, 0, "off on"},
	{G, "slow_start.duration_seconds", "0", NUMBER, APP, 0, 900, NULL},
	{G, "stickiness.app_cookie.cookie_name", "", TEXT, APP, 0, 0, NULL},
	{G, "stickiness.app_cookie.duration_seconds", "86400", NUMBER, APP, 1, 604800, NULL},
	{G, "stickiness.lb_cookie.duration_seconds", "86400", NUMBER, APP, 1, 604800, NULL},
	{G, "deregistration_delay.connection_termination.enabled", "false", BOOL, NET, 0, 0, NULL},
	{G, "preserve_client_ip.enabled", "false", BOOL, NET, 0, 0, NULL},
	{G, "proxy_protocol_v2.enabled", "false", BOOL, NET, 0, 0, NULL},
	{G, "target_health_state.unhealthy.connection_termination.enabled", "true", BOOL, NET, 0, 0, NULL},
	{G, "target_health_state.unhealthy.draining_interval_seconds", "0", NUMBER, NET, 0, 360000, NULL},
	{L, "tcp.idle_timeout.seconds", "350", NUMBER, NET, 60, 6000, NULL},
	{L, "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name",
		"X-Amzn-Mtls-Clientcert-Serial-Number", HEADER, APP, 0, 0, NULL},
	{L, "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name", "X-Amzn-Mtls-Clientcert-Issuer", HEADER,
		APP, 0, 0, NULL},
	{L, "routing.http.request.x_amzn_mtls_clientcert_subject.header_name", "X-Amzn-Mtls-Clientcert-Subject", HEADER,
		APP, 0, 0, NULL},
	{L, "routing.http.request.x_amzn_mtls_clientcert_validity.header_name", "X-Amzn-Mtls-Clientcert-Validity",
		HEADER, APP, 0, 0, NULL},
	{L, "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name", "X-Amzn-Mtls-Clientcert-Leaf", HEADER, APP,
		0, 0, NULL},
	{L, "routing.http.request.x_amzn_mtls_clientcert.header_name", "X-Amzn-Mtls-Clientcert", HEADER, APP, 0, 0,
		NULL},
	{L, "routing.http.request.x_amzn_tls_version.header_name", "X-Amzn-Tls-Version", HEADER, APP, 0, 0, NULL},
	{L, "routing.http.request.x_amzn_tls_cipher_suite.header_name", "X-Amzn-Tls-Cipher-Suite", HEADER, APP, 0, 0,
		NULL},
	{L, "routing.http.response.server.enabled", "true", BOOL, APP, 0, 0, NULL},
	{L, "routing.http.response.strict_transport_security.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.access_control_allow_origin.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.access_control_allow_methods.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.access_control_allow_headers.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.access_control_allow_credentials.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.access_control_expose_headers.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.access_control_max_age.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.content_security_policy.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.x_content_type_options.header_value", "", TEXT, APP, 0, 0, NULL},
	{L, "routing.http.response.x_frame_options.header_value", "", TEXT, APP, 0, 0, NULL},
};
#undef B
#undef G
#undef L
/* What needs something that is not there: recorded nowhere, refused with what is missing. */
static const char *const unbuilt[][2] = {
	{"waf.fail_open.enabled", "true"},
	{"ipv6.deny_all_igw_traffic", "true"},
	{"routing.http.preserve_host_header.enabled", "true"},
	{"dns_record.client_routing_policy", "availability_zone_affinity"},
	{"dns_record.client_routing_policy", "partial_availability_zone_affinity"},
	{"zonal_shift.config.enabled", "true"},
	{"load_balancing.algorithm.anomaly_mitigation", "on"},
};
/* What is told as AWS has it by default, and cannot be anything else here. */
static const char *const fixed[] = {"client_keep_alive.seconds",
	"target_group_health.dns_failover.minimum_healthy_targets.count",
	"target_group_health.dns_failover.minimum_healthy_targets.percentage",
	"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
	"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
	"target_health_state.unhealthy.draining_interval_seconds"};

static const struct attribute *attribute_find(enum elbv2_attributes of, uint8_t whom, struct str name)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (attributes[i].of == of && attributes[i].whom & whom && str_eq(name, str_c(attributes[i].name)))
			return &attributes[i];
	return NULL;
}

static uint8_t group_whom(const struct elbv2_rec_group *g)
{
	return str_starts(g->protocol, STR("HTTP")) ? APP : NET;
}

static uint8_t listener_whom(const struct elbv2_rec_listener *l)
{
	return str_starts(l->protocol, STR("HTTP")) ? APP : NET;
}

static struct str value_of(
	enum elbv2_attributes of, uint8_t whom, const struct elbv2_rec_pairs *given, const char *name)
{
	const struct attribute *a = attribute_find(of, whom, str_c(name));
	return a ? str_or(elbv2_get(given, str_c(name)), str_c(a->otherwise)) : STR_NONE;
}

struct str elbv2_balancer_attribute(const struct elbv2_rec_balancer *b, const char *name)
{
	return value_of(ELBV2_OF_BALANCER, elbv2_is_app(b) ? APP : NET, &b->attributes, name);
}

struct str elbv2_group_attribute(const struct elbv2_rec_group *g, const char *name)
{
	return value_of(ELBV2_OF_GROUP, group_whom(g), &g->attributes, name);
}

struct str elbv2_listener_attribute(const struct elbv2_rec_listener *l, const char *name)
{
	return value_of(ELBV2_OF_LISTENER, listener_whom(l), &l->attributes, name);
}

int32_t elbv2_number(struct str value, int32_t otherwise)
{
	int64_t n;
	return is_ok(str_to_i64(value, &n)) && n >= 0 && n <= INT32_MAX ? (int32_t)n : otherwise;
}

/* ── checking ── */

static bool is_choice(const char *choices, struct str value)
{
	struct str rest = str_c(choices);
	while (str_has(rest))
		if (str_eq(str_cut(&rest, ' '), value)) return true;
	return false;
}

static bool legal(const struct attribute *a, struct str value)
{
	int64_t n;
	switch (a->kind) {
	case BOOL:
		return str_is(value, "true") || str_is(value, "false");
	case NUMBER_OR_OFF:
		if (str_is(value, "off")) return true;
		return is_ok(str_to_i64(value, &n)) && n >= a->min && n <= a->max;
	case NUMBER:
		return is_ok(str_to_i64(value, &n)) && n >= a->min && n <= a->max;
	case ONE_OF:
		return is_choice(a->choices, value);
	case HEADER:
		for (size_t i = 0; i < value.n; i++) {
			char ch = value.p[i];
			bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
			if (!plain && ch != '-' && ch != '_') return false;
		}
		return value.n > 0 && value.n <= 40;
	case TEXT:
		for (size_t i = 0; i < value.n; i++)
			if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f) return false;
		return true;
	}
	UNREACHABLE();
}

static status check(struct call *c, const struct attribute *a, struct str name, struct str value)
{
	if (!a)
		return call_fail(
			c, ERR_VALIDATION, "Load balancer attribute key '%.*s' is not recognized", STR_ARG(name));
	if (!legal(a, value)) {
		if (a->kind == NUMBER || a->kind == NUMBER_OR_OFF)
			return call_fail(c, ERR_VALIDATION,
				"'%.*s' is not a valid value for '%s': it must be between '%d' and '%d'",
				STR_ARG(value), a->name, a->min, a->max);
		return call_fail(c, ERR_VALIDATION, "'%.*s' is not a valid value for '%s'", STR_ARG(value), a->name);
	}
	for (size_t i = 0; i < sizeof(unbuilt) / sizeof(unbuilt[0]); i++)
		if (str_eq(name, str_c(unbuilt[i][0])) && str_eq(value, str_c(unbuilt[i][1])))
			return call_fail(
				c, ERR_NOT_IMPLEMENTED, "%s=%s is not implemented.", unbuilt[i][0], unbuilt[i][1]);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (str_eq(name, str_c(fixed[i])) && !str_eq(value, str_c(a->otherwise)))
			return call_fail(
				c, ERR_NOT_IMPLEMENTED, "%s other than %s is not implemented.", fixed[i], a->otherwise);
	return OK;
}

struct pair_list {
	struct {
		struct str key, value;
	} * v;
	size_t n;
};

/* All of them, as they are; `to` is a generated list of key and value. */
static void show(struct call *c, enum elbv2_attributes of, uint8_t whom, const struct elbv2_rec_pairs *given, void *to)
{
	struct pair_list *list = to;
	size_t capacity = 0;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		const struct attribute *a = &attributes[i];
		if (a->of != of || !(a->whom & whom)) continue;
		struct str name = str_c(a->name);
		__typeof__(list->v) p = vec_push(c->arena, (void **)&list->v, &list->n, &capacity, sizeof(*list->v));
		p->key = name;
		p->value = str_or(elbv2_get(given, name), str_c(a->otherwise));
	}
}
_Static_assert(sizeof(struct elbv2_load_balancer_attribute) == 2 * sizeof(struct str), "a key and a value");
_Static_assert(sizeof(struct elbv2_target_group_attribute) == 2 * sizeof(struct str), "a key and a value");
_Static_assert(sizeof(struct elbv2_listener_attribute) == 2 * sizeof(struct str), "a key and a value");

static status set(struct call *c, enum elbv2_attributes of, uint8_t whom, const void *given, struct elbv2_rec_pairs *to)
{
	const struct pair_list *list = given;
	for (size_t i = 0; i < list->n; i++) {
		struct str key = str_or(list->v[i].key, STR("")), value = str_or(list->v[i].value, STR(""));
		for (size_t k = 0; k < i; k++)
			if (str_eq(key, list->v[k].key))
				return call_fail(
					c, ERR_VALIDATION, "Attribute keys must be unique: '%.*s'", STR_ARG(key));
		TRY(check(c, attribute_find(of, whom, key), key, value));
		elbv2_set(c->arena, to, key, value);
	}
	return OK;
}

/* ── balancers ── */

status elbv2_describe_load_balancer_attributes(struct call *c,
	const struct elbv2_describe_load_balancer_attributes_input *in,
	struct elbv2_describe_load_balancer_attributes_output *out)
{
	struct elbv2_rec_balancer b;
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	show(c, ELBV2_OF_BALANCER, elbv2_is_app(&b) ? APP : NET, &b.attributes, &out->attributes);
	return OK;
}

status elbv2_modify_load_balancer_attributes(struct call *c,
	const struct elbv2_modify_load_balancer_attributes_input *in,
	struct elbv2_modify_load_balancer_attributes_output *out)
{
	struct elbv2_rec_balancer b, had;
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	had = b;
	TRY(set(c, ELBV2_OF_BALANCER, elbv2_is_app(&b) ? APP : NET, &in->attributes, &b.attributes));
	if (elbv2_is_app(&b) && str_is(elbv2_balancer_attribute(&b, "load_balancing.cross_zone.enabled"), "false"))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Cross-zone load balancing cannot be turned off for Application Load Balancers");
	TRY(elbv2_logs_changed(c, &had, &b));
	elbv2_balancer_changed(c, &b);
	show(c, ELBV2_OF_BALANCER, elbv2_is_app(&b) ? APP : NET, &b.attributes, &out->attributes);
	return OK;
}

/* ── groups ── */

status elbv2_describe_target_group_attributes(struct call *c,
	const struct elbv2_describe_target_group_attributes_input *in,
	struct elbv2_describe_target_group_attributes_output *out)
{
	struct elbv2_rec_group g;
	TRY(elbv2_group_find(c, in->target_group_arn, &g));
	show(c, ELBV2_OF_GROUP, group_whom(&g), &g.attributes, &out->attributes);
	return OK;
}

static status check_group(struct call *c, const struct elbv2_rec_group *g)
{
	int32_t slow = elbv2_number(elbv2_group_attribute(g, "slow_start.duration_seconds"), 0);
	if (slow && slow < 30)
		return call_fail(c, ERR_VALIDATION,
			"'%d' is not a valid value for 'slow_start.duration_seconds': it must be between '30' and "
			"'900', or '0'",
			slow);
	if (slow && !str_is(elbv2_group_attribute(g, "load_balancing.algorithm.type"), "round_robin"))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Slow start can only be enabled with the round robin routing algorithm");
	bool datagrams = str_ends(g->protocol, STR("UDP"));
	if (datagrams && str_is(elbv2_group_attribute(g, "proxy_protocol_v2.enabled"), "true"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Proxy protocol for the protocol '%.*s' is not implemented.",
			STR_ARG(g->protocol));
	if ((datagrams || str_is(g->target_type, "alb")) &&
		!str_is(elbv2_group_attribute(g, "preserve_client_ip.enabled"), "true"))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Client IP preservation cannot be disabled for target groups with %s '%.*s'",
			datagrams ? "protocol" : "target type", STR_ARG(datagrams ? g->protocol : g->target_type));
	if (str_is(g->protocol, "TLS") && str_is(elbv2_group_attribute(g, "stickiness.enabled"), "true"))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Stickiness is not supported for target groups with protocol 'TLS'");
	struct str name = elbv2_group_attribute(g, "stickiness.app_cookie.cookie_name");
	bool app = str_is(elbv2_group_attribute(g, "stickiness.type"), "app_cookie");
	if (app && !name.n)
		return call_fail(c, ERR_VALIDATION, "The value of 'stickiness.app_cookie.cookie_name' cannot be empty");
	if (str_starts(name, STR("AWSALB")))
		return call_fail(c, ERR_VALIDATION, "The cookie name '%.*s' is reserved", STR_ARG(name));
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || str_chr(STR("\"(),/:;<=>?@[\\]{}"), name.p[i]) >= 0)
			return call_fail(c, ERR_VALIDATION, "The cookie name '%.*s' is not valid", STR_ARG(name));
	return OK;
}

status elbv2_modify_target_group_attributes(struct call *c, const struct elbv2_modify_target_group_attributes_input *in,
	struct elbv2_modify_target_group_attributes_output *out)
{
	struct elbv2_rec_group g;
	TRY(elbv2_group_find(c, in->target_group_arn, &g));
	TRY(set(c, ELBV2_OF_GROUP, group_whom(&g), &in->attributes, &g.attributes));
	TRY(check_group(c, &g));
	elbv2_group_put(ec2_here(c), &g);
	TRY(elbv2_group_changed(ec2_here(c), &g));
	show(c, ELBV2_OF_GROUP, group_whom(&g), &g.attributes, &out->attributes);
	return OK;
}

/* ── listeners ── */

status elbv2_describe_listener_attributes(struct call *c, const struct elbv2_describe_listener_attributes_input *in,
	struct elbv2_describe_listener_attributes_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	TRY(elbv2_listener_find(c, in->listener_arn, &b, &l));
	show(c, ELBV2_OF_LISTENER, listener_whom(&l), &l.attributes, &out->attributes);
	return OK;
}

status elbv2_modify_listener_attributes(struct call *c, const struct elbv2_modify_listener_attributes_input *in,
	struct elbv2_modify_listener_attributes_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	TRY(elbv2_listener_find(c, in->listener_arn, &b, &l));
	TRY(set(c, ELBV2_OF_LISTENER, listener_whom(&l), &in->attributes, &l.attributes));
	elbv2_listener_put(ec2_here(c), b.id, &l);
	elbv2_balancer_changed(c, &b);
	show(c, ELBV2_OF_LISTENER, listener_whom(&l), &l.attributes, &out->attributes);
	return OK;
}
