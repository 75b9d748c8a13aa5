/* Policies of Classic Load Balancers: cookies, SSL negotiation, the proxy protocol ("DescribeLoadBalancerPolicyTypes").
 * What the two types that are not here (public keys, backend authentication) would do is not done, so they are refused.
 */
#include "services/elb/room.h"

static const struct {
	const char *name, *description, *attribute, *type, *otherwise, *cardinality;
} types[] = {
	{"AppCookieStickinessPolicyType",
		"Stickiness policy with session lifetimes controlled by the lifetime of the application-generated "
		"cookie.",
		"CookieName", "String", NULL, "ONE"},
	{"LBCookieStickinessPolicyType",
		"Stickiness policy with session lifetimes controlled by the browser (user-agent) or a specified "
		"expiration period.",
		"CookieExpirationPeriod", "Long", NULL, "ZERO_OR_ONE"},
	{"ProxyProtocolPolicyType",
		"Policy that controls whether to include the IP address and port of the originating request for TCP "
		"messages.",
		"ProxyProtocol", "Boolean", NULL, "ONE"},
	{"SSLNegotiationPolicyType",
		"Listener policy that defines the ciphers and protocols that will be accepted by the load balancer.",
		"Reference-Security-Policy", "String", NULL, "ZERO_OR_ONE"},
};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

static status add(struct call *c, struct str balancer, const struct elb_rec_policy *p)
{
	struct elb_rec_balancer had, b;
	struct elb_rec_policies now = {0};
	size_t capacity = 0;
	TRY(elb_find(c, balancer, &had));
	b = had;
	if (elb_policy_named(&b, p->name))
		return ELB_FAIL(c, DUPLICATE_POLICY_NAME,
			"A Policy with name %.*s already exists for LoadBalancer %.*s", STR_ARG(p->name),
			STR_ARG(b.name));
	if (b.policies.n >= ELB_POLICIES_MAX)
		return ELB_FAIL(c, TOO_MANY_POLICIES, "A load balancer has at most %d policies", ELB_POLICIES_MAX);
	for (size_t i = 0; i < b.policies.n; i++) *VEC_PUSH(c->arena, &now, &capacity) = b.policies.v[i];
	*VEC_PUSH(c->arena, &now, &capacity) = *p;
	b.policies = now;
	return elb_save(c, &had, &b);
}

static bool is_cookie_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || str_chr(STR("\"(),/:;<=>?@[\\]{}"), s.p[i]) >= 0) return false;
	return s.n > 0 && !str_starts(s, STR("AWSELB"));
}

static status check(struct call *c, const struct elb_rec_policy *p, const char *attribute)
{
	struct str value = elb_pair(&p->attributes, str_c(attribute));
	int64_t n;
	if (str_is(p->type, "AppCookieStickinessPolicyType") && !is_cookie_name(str_or(value, STR(""))))
		return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST, "The cookie name '%.*s' is not valid",
			STR_ARG(str_or(value, STR(""))));
	if (str_is(p->type, "LBCookieStickinessPolicyType") && str_has(value) &&
		(!is_ok(str_to_i64(value, &n)) || n < 1 || n > INT32_MAX))
		return call_fail(
			c, ERR_VALIDATION, "CookieExpirationPeriod '%.*s' must be a number of seconds", STR_ARG(value));
	if (str_is(p->type, "ProxyProtocolPolicyType") && !str_is(value, "true") && !str_is(value, "false"))
		return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST, "The attribute ProxyProtocol must be true or false");
	if (str_is(p->type, "SSLNegotiationPolicyType") && (!str_has(value) || !elbv2_policy_find(value)))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"SSL negotiation policies other than by Reference-Security-Policy are not implemented.");
	return OK;
}

status elb_create_app_cookie_stickiness_policy(struct call *c,
	const struct elb_create_app_cookie_stickiness_policy_input *in,
	struct elb_create_app_cookie_stickiness_policy_output *out)
{
	struct elb_rec_policy p = {.name = in->policy_name, .type = STR("AppCookieStickinessPolicyType")};
	(void)out;
	elb_pair_set(c->arena, &p.attributes, STR("CookieName"), in->cookie_name);
	TRY(check(c, &p, "CookieName"));
	return add(c, in->load_balancer_name, &p);
}

status elb_create_lb_cookie_stickiness_policy(struct call *c,
	const struct elb_create_lb_cookie_stickiness_policy_input *in,
	struct elb_create_lb_cookie_stickiness_policy_output *out)
{
	struct elb_rec_policy p = {.name = in->policy_name, .type = STR("LBCookieStickinessPolicyType")};
	(void)out;
	if (in->cookie_expiration_period.has)
		elb_pair_set(c->arena, &p.attributes, STR("CookieExpirationPeriod"),
			str_fmt(c->arena, "%lld", (long long)in->cookie_expiration_period.v));
	TRY(check(c, &p, "CookieExpirationPeriod"));
	return add(c, in->load_balancer_name, &p);
}

status elb_create_load_balancer_policy(struct call *c, const struct elb_create_load_balancer_policy_input *in,
	struct elb_create_load_balancer_policy_output *out)
{
	struct elb_rec_policy p = {.name = in->policy_name, .type = in->policy_type_name};
	const char *attribute = NULL;
	(void)out;
	for (size_t i = 0; i < TYPES; i++)
		if (str_eq(p.type, str_c(types[i].name))) attribute = types[i].attribute;
	if (str_is(p.type, "PublicKeyPolicyType") || str_is(p.type, "BackendServerAuthenticationPolicyType"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Policies of type %.*s are not implemented.", STR_ARG(p.type));
	if (!attribute) return ELB_FAIL(c, POLICY_TYPE_NOT_FOUND, "Policy type '%.*s' not found", STR_ARG(p.type));
	for (size_t i = 0; i < in->policy_attributes.n; i++) {
		const struct elb_policy_attribute *a = &in->policy_attributes.v[i];
		if (!str_eq(str_or(a->attribute_name, STR("")), str_c(attribute))) {
			if (str_is(p.type, "SSLNegotiationPolicyType"))
				return call_fail(c, ERR_NOT_IMPLEMENTED,
					"SSL negotiation policies other than by Reference-Security-Policy are not "
					"implemented.");
			return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"Policy attribute '%.*s' is not valid for type %.*s",
				STR_ARG(str_or(a->attribute_name, STR(""))), STR_ARG(p.type));
		}
		elb_pair_set(c->arena, &p.attributes, a->attribute_name, str_or(a->attribute_value, STR("")));
	}
	TRY(check(c, &p, attribute));
	return add(c, in->load_balancer_name, &p);
}

status elb_delete_load_balancer_policy(struct call *c, const struct elb_delete_load_balancer_policy_input *in,
	struct elb_delete_load_balancer_policy_output *out)
{
	struct elb_rec_balancer had, b;
	struct elb_rec_policies left = {0};
	size_t capacity = 0;
	bool used = false;
	(void)out;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	for (size_t i = 0; i < b.listeners.n; i++)
		used = used || elb_among(&b.listeners.v[i].policies, in->policy_name);
	for (size_t i = 0; i < b.servers.n; i++) used = used || elb_among(&b.servers.v[i].policies, in->policy_name);
	if (used)
		return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Policy %.*s cannot be deleted: it is enabled for a listener or an instance port",
			STR_ARG(in->policy_name));
	for (size_t i = 0; i < b.policies.n; i++)
		if (!str_eq(b.policies.v[i].name, in->policy_name))
			*VEC_PUSH(c->arena, &left, &capacity) = b.policies.v[i];
	b.policies = left;
	return elb_save(c, &had, &b);
}

status elb_set_load_balancer_policies_for_backend_server(struct call *c,
	const struct elb_set_load_balancer_policies_for_backend_server_input *in,
	struct elb_set_load_balancer_policies_for_backend_server_output *out)
{
	struct elb_rec_balancer had, b;
	struct elb_rec_servers now = {0};
	struct elb_rec_server mine = {.port = in->instance_port};
	size_t capacity = 0;
	bool any = false;
	(void)out;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	for (size_t i = 0; i < b.listeners.n; i++) any = any || b.listeners.v[i].instance_port.v == in->instance_port.v;
	if (!any)
		return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST, "No listener forwards to the instance port %d",
			in->instance_port.v);
	for (size_t i = 0; i < in->policy_names.n; i++) {
		const struct elb_rec_policy *p = elb_policy_named(&b, in->policy_names.v[i]);
		if (!p)
			return ELB_FAIL(c, POLICY_NOT_FOUND, "There is no policy with name %.*s for load balancer %.*s",
				STR_ARG(in->policy_names.v[i]), STR_ARG(b.name));
		if (!str_is(p->type, "ProxyProtocolPolicyType"))
			return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"Policy %.*s cannot be set on an instance port", STR_ARG(p->name));
		elb_list_set(c->arena, &mine.policies, p->name, true);
	}
	for (size_t i = 0; i < b.servers.n; i++)
		if (b.servers.v[i].port.v != in->instance_port.v) *VEC_PUSH(c->arena, &now, &capacity) = b.servers.v[i];
	if (mine.policies.n) *VEC_PUSH(c->arena, &now, &capacity) = mine;
	b.servers = now;
	return elb_save(c, &had, &b);
}

static void describe(struct call *c, const struct elb_rec_policy *p, struct elb_policy_description *out)
{
	size_t capacity = 0;
	*out = (struct elb_policy_description){.policy_name = p->name, .policy_type_name = p->type};
	VEC_PRESENT(c->arena, &out->policy_attribute_descriptions);
	for (size_t i = 0; i < p->attributes.n; i++)
		*VEC_PUSH(c->arena, &out->policy_attribute_descriptions, &capacity) =
			(struct elb_policy_attribute_description){p->attributes.v[i].key, p->attributes.v[i].value};
}

status elb_describe_load_balancer_policies(struct call *c, const struct elb_describe_load_balancer_policies_input *in,
	struct elb_describe_load_balancer_policies_output *out)
{
	struct elb_rec_balancer b;
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->policy_descriptions);
	/* Without a balancer: the sample policies. */
	if (!str_has(in->load_balancer_name)) {
		struct elb_rec_policy sample = {.name = ELBV2_POLICY_DEFAULT, .type = STR("SSLNegotiationPolicyType")};
		elb_pair_set(c->arena, &sample.attributes, STR("Reference-Security-Policy"), ELBV2_POLICY_DEFAULT);
		describe(c, &sample, VEC_PUSH(c->arena, &out->policy_descriptions, &capacity));
		return OK;
	}
	TRY(elb_find(c, in->load_balancer_name, &b));
	for (size_t i = 0; i < in->policy_names.n; i++) {
		const struct elb_rec_policy *p = elb_policy_named(&b, in->policy_names.v[i]);
		if (!p)
			return ELB_FAIL(c, POLICY_NOT_FOUND, "There is no policy with name %.*s for load balancer %.*s",
				STR_ARG(in->policy_names.v[i]), STR_ARG(b.name));
		describe(c, p, VEC_PUSH(c->arena, &out->policy_descriptions, &capacity));
	}
	for (size_t i = 0; !in->policy_names.n && i < b.policies.n; i++)
		describe(c, &b.policies.v[i], VEC_PUSH(c->arena, &out->policy_descriptions, &capacity));
	return OK;
}

status elb_describe_load_balancer_policy_types(struct call *c,
	const struct elb_describe_load_balancer_policy_types_input *in,
	struct elb_describe_load_balancer_policy_types_output *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < TYPES; i++) {
		bool wanted = !in->policy_type_names.n;
		size_t n = 0;
		for (size_t k = 0; k < in->policy_type_names.n; k++)
			wanted = wanted || str_eq(in->policy_type_names.v[k], str_c(types[i].name));
		if (!wanted) continue;
		struct elb_policy_type_description *d = VEC_PUSH(c->arena, &out->policy_type_descriptions, &capacity);
		d->policy_type_name = str_c(types[i].name);
		d->description = str_c(types[i].description);
		*VEC_PUSH(c->arena, &d->policy_attribute_type_descriptions, &n) =
			(struct elb_policy_attribute_type_description){.attribute_name = str_c(types[i].attribute),
				.attribute_type = str_c(types[i].type),
				.cardinality = str_c(types[i].cardinality)};
	}
	for (size_t k = 0; k < in->policy_type_names.n; k++) {
		bool known = false;
		for (size_t i = 0; i < TYPES; i++)
			known = known || str_eq(in->policy_type_names.v[k], str_c(types[i].name));
		if (!known)
			return ELB_FAIL(c, POLICY_TYPE_NOT_FOUND, "Policy type '%.*s' not found",
				STR_ARG(in->policy_type_names.v[k]));
	}
	return OK;
}
