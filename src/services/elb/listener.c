/* Ports of Classic Load Balancers: "Listeners for your Classic Load Balancer". */
#include "services/acm/door.h"
#include "services/elb/room.h"

static bool known(struct str protocol)
{
	return str_is(protocol, "HTTP") || str_is(protocol, "HTTPS") || str_is(protocol, "TCP") ||
	       str_is(protocol, "SSL");
}

static bool is_web(struct str protocol)
{
	return str_starts(protocol, STR("HTTP"));
}

static struct str upper(struct arena *a, struct str s)
{
	char *p = arena_copy(a, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 'a' + 'A');
	return str_n(p, s.n);
}

static status check_certificate(struct call *c, struct str arn)
{
	status s = str_has(arn) ? acm_check(c->tx, c->arena, c->account, c->region, arn) : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY))
		return ELB_FAIL(c, CERTIFICATE_NOT_FOUND, "Server Certificate not found for the key: %.*s",
			STR_ARG(str_or(arn, STR(""))));
	return s;
}

/* Checks one, and makes it what is stored. */
static status take(struct call *c, const struct elb_listener *in, struct elb_rec_listener *out)
{
	struct str front = upper(c->arena, str_or(in->protocol, STR("")));
	struct str back = upper(c->arena, str_or(in->instance_protocol, is_web(front) ? STR("HTTP") : STR("TCP")));
	int32_t port = in->load_balancer_port.v;
	if (!known(front) || !known(back))
		return ELB_FAIL(c, UNSUPPORTED_PROTOCOL, "Listener protocol '%.*s' must be HTTP, HTTPS, TCP or SSL",
			STR_ARG(known(front) ? back : front));
	if (is_web(front) != is_web(back))
		return call_fail(c, ERR_VALIDATION,
			"If the listener protocol is %.*s then the InstanceProtocol must be %s", STR_ARG(front),
			is_web(front) ? "HTTP or HTTPS" : "TCP or SSL");
	if (port < 1 || port > 65535)
		return call_fail(c, ERR_VALIDATION, "LoadBalancerPort must be within 1-65535 inclusive");
	if (in->instance_port.v < 1 || in->instance_port.v > 65535)
		return call_fail(c, ERR_VALIDATION, "InstancePort must be within 1-65535 inclusive");
	bool secure = str_is(front, "HTTPS") || str_is(front, "SSL");
	if (secure) TRY(check_certificate(c, in->ssl_certificate_id));
	*out = (struct elb_rec_listener){.protocol = front,
		.port = in->load_balancer_port,
		.instance_protocol = back,
		.instance_port = in->instance_port,
		.certificate = secure ? in->ssl_certificate_id : STR_NONE,
		.id = elbv2_new_id(c->arena),
		.rule = elbv2_new_id(c->arena),
		.group = elbv2_new_id(c->arena)};
	return OK;
}

static bool same(const struct elb_rec_listener *a, const struct elb_rec_listener *b)
{
	return str_eq(a->protocol, b->protocol) && str_eq(a->instance_protocol, b->instance_protocol) &&
	       a->instance_port.v == b->instance_port.v &&
	       str_eq(str_or(a->certificate, STR("")), str_or(b->certificate, STR("")));
}

status elb_listeners_take(struct call *c, struct elb_rec_balancer *b, const struct elb_listeners *given)
{
	struct elb_rec_listeners now = {0};
	size_t capacity = 0;
	if (!given->n) return call_fail(c, ERR_VALIDATION, "Listeners cannot be empty");
	for (size_t i = 0; i < b->listeners.n; i++) *VEC_PUSH(c->arena, &now, &capacity) = b->listeners.v[i];
	for (size_t i = 0; i < given->n; i++) {
		struct elb_rec_listener l;
		TRY(take(c, &given->v[i], &l));
		b->listeners = now;
		const struct elb_rec_listener *had = elb_listener_at(b, l.port.v);
		if (had && same(had, &l)) continue;
		if (had)
			return ELB_FAIL(c, DUPLICATE_LISTENER,
				"A listener already exists for %.*s with LoadBalancerPort %d, but with a different "
				"InstancePort, "
				"Protocol, or SSLCertificateId",
				STR_ARG(b->name), l.port.v);
		*VEC_PUSH(c->arena, &now, &capacity) = l;
	}
	if (now.n > ELB_LISTENERS_MAX)
		return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST, "A load balancer has at most %d listeners",
			ELB_LISTENERS_MAX);
	b->listeners = now;
	return OK;
}

status elb_create_load_balancer_listeners(struct call *c, const struct elb_create_load_balancer_listeners_input *in,
	struct elb_create_load_balancer_listeners_output *out)
{
	struct elb_rec_balancer had, b;
	(void)out;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	TRY(elb_listeners_take(c, &b, &in->listeners));
	return elb_save(c, &had, &b);
}

status elb_delete_load_balancer_listeners(struct call *c, const struct elb_delete_load_balancer_listeners_input *in,
	struct elb_delete_load_balancer_listeners_output *out)
{
	struct elb_rec_balancer had, b;
	struct elb_rec_listeners left = {0};
	size_t capacity = 0;
	(void)out;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	for (size_t i = 0; i < had.listeners.n; i++) {
		bool goes = false;
		for (size_t k = 0; k < in->load_balancer_ports.n; k++)
			goes = goes || in->load_balancer_ports.v[k].v == had.listeners.v[i].port.v;
		if (!goes) *VEC_PUSH(c->arena, &left, &capacity) = had.listeners.v[i];
	}
	b.listeners = left;
	return elb_save(c, &had, &b);
}

/* The listener of a port, in a list of its own: ListenerNotFound. */
static status listener_change(struct call *c, struct str name, int32_t port, struct elb_rec_balancer *had,
	struct elb_rec_balancer *b, struct elb_rec_listener **l)
{
	TRY(elb_find(c, name, had));
	*b = *had;
	b->listeners.v = arena_copy(c->arena, had->listeners.v, had->listeners.n * sizeof(*had->listeners.v));
	*l = elb_listener_at(b, port);
	if (*l) return OK;
	return ELB_FAIL(c, LISTENER_NOT_FOUND, "There is no listener on port %d of the load balancer '%.*s'", port,
		STR_ARG(name));
}

status elb_set_load_balancer_listener_ssl_certificate(struct call *c,
	const struct elb_set_load_balancer_listener_ssl_certificate_input *in,
	struct elb_set_load_balancer_listener_ssl_certificate_output *out)
{
	struct elb_rec_balancer had, b;
	struct elb_rec_listener *l;
	(void)out;
	TRY(listener_change(c, in->load_balancer_name, in->load_balancer_port.v, &had, &b, &l));
	if (!str_has(l->certificate))
		return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST, "The listener on port %d does not use HTTPS or SSL",
			in->load_balancer_port.v);
	TRY(check_certificate(c, in->ssl_certificate_id));
	l->certificate = in->ssl_certificate_id;
	return elb_save(c, &had, &b);
}

/* "Replaces the current set of policies for the specified load balancer port with the specified set of policies." */
status elb_set_load_balancer_policies_of_listener(struct call *c,
	const struct elb_set_load_balancer_policies_of_listener_input *in,
	struct elb_set_load_balancer_policies_of_listener_output *out)
{
	struct elb_rec_balancer had, b;
	struct elb_rec_listener *l;
	size_t cookies = 0;
	(void)out;
	TRY(listener_change(c, in->load_balancer_name, in->load_balancer_port.v, &had, &b, &l));
	l->policies = (struct elb_rec_strings){0};
	for (size_t i = 0; i < in->policy_names.n; i++) {
		const struct elb_rec_policy *p = elb_policy_named(&b, in->policy_names.v[i]);
		if (!p && !elbv2_policy_find(in->policy_names.v[i]))
			return ELB_FAIL(c, POLICY_NOT_FOUND, "There is no policy with name %.*s for load balancer %.*s",
				STR_ARG(in->policy_names.v[i]), STR_ARG(b.name));
		bool sticks = p && str_ends(p->type, STR("CookieStickinessPolicyType"));
		cookies += sticks;
		if (sticks && !is_web(l->protocol))
			return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"Session affinity policies can be associated with only HTTP or HTTPS listeners");
		elb_list_set(c->arena, &l->policies, in->policy_names.v[i], true);
	}
	if (cookies > 1)
		return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Only one session affinity policy can be associated with a listener");
	return elb_save(c, &had, &b);
}
