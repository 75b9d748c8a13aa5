/* Listeners: a port and protocol, a default rule, certificates ("Listeners for your Application Load Balancers", the
 * ALB guide; "Listeners", the NLB guide). */
#include "services/acm/door.h"
#include "services/elbv2/room.h"

static void show(struct call *c, const struct elbv2_rec_balancer *b, const struct elbv2_rec_listener *l,
	const struct elbv2_rec_rule *rule, struct elbv2_listener *out)
{
	size_t certificates = 0, alpn = 0;
	out->listener_arn = elbv2_listener_arn(ec2_here(c), b, l->id);
	out->load_balancer_arn = elbv2_balancer_arn(ec2_here(c), b);
	out->port = l->port;
	out->protocol = l->protocol;
	out->ssl_policy = l->ssl_policy;
	if (l->certificates.n)
		VEC_PUSH(c->arena, &out->certificates, &certificates)->certificate_arn = l->certificates.v[0];
	for (size_t i = 0; i < l->alpn.n; i++) *VEC_PUSH(c->arena, &out->alpn_policy, &alpn) = l->alpn.v[i];
	struct elbv2_rule shown = {0};
	elbv2_show(c->arena, ELBV2_REC_RULE, rule, ELBV2_SHAPE_RULE, &shown);
	out->default_actions = shown.actions;
	elbv2_mutual_show(c, l, out);
}

static status show_found(struct call *c, const struct elbv2_rec_balancer *b, const struct elbv2_rec_listener *l,
	struct elbv2_listener *out)
{
	struct elbv2_all_rules rules;
	TRY(elbv2_rules(ec2_here(c), l->id, &rules));
	if (!rules.n) return STATUS(CORRUPT);
	show(c, b, l, &rules.v[rules.n - 1], out);
	return OK;
}

/* ── certificates ── */

static bool is_secure(struct str protocol)
{
	return str_is(protocol, "HTTPS") || str_is(protocol, "TLS");
}

static status check_certificate(struct call *c, struct str arn)
{
	status s = acm_check(c->tx, c->arena, c->account, c->region, arn);
	if (status_is(s, STATUS_NOT_FOUND))
		return ELBV2_FAIL(c, CERTIFICATE_NOT_FOUND, "Certificate '%.*s' not found", STR_ARG(arn));
	if (status_is(s, STATUS_BUSY)) {
		(void)call_fail(c, ERR_VALIDATION,
			"The certificate '%.*s' must have a fully-qualified domain name, a supported signature, and a "
			"supported key "
			"size.",
			STR_ARG(arn));
		c->failure.code = STR("UnsupportedCertificate");
		return STATUS(FAILED);
	}
	return s;
}

/* Tells ACM which certificates the balancer uses. */
static status tell_users(struct call *c, const struct elbv2_rec_balancer *b, const struct elbv2_rec_strings *changed)
{
	struct elbv2_all_listeners listeners;
	TRY(elbv2_listeners(ec2_here(c), b->id, &listeners));
	for (size_t i = 0; i < changed->n; i++) {
		bool uses = false;
		for (size_t k = 0; k < listeners.n; k++)
			uses = uses || elbv2_among(&listeners.v[k].certificates, changed->v[i]);
		TRY(acm_use(c->tx, c->arena, c->account, c->region, changed->v[i], elbv2_balancer_arn(ec2_here(c), b),
			uses));
	}
	return OK;
}

static status count_certificates(struct call *c, const struct elbv2_rec_balancer *b)
{
	struct elbv2_all_listeners listeners;
	size_t n = 0;
	TRY(elbv2_listeners(ec2_here(c), b->id, &listeners));
	for (size_t k = 0; k < listeners.n; k++)
		n += listeners.v[k].certificates.n ? listeners.v[k].certificates.n - 1 : 0;
	if (n > ELBV2_CERTIFICATES_MAX)
		return ELBV2_FAIL(c, TOO_MANY_CERTIFICATES,
			"The maximum number of certificates of a load balancer is %d", ELBV2_CERTIFICATES_MAX);
	return OK;
}

/* What protocol, policy and certificates say together; l is filled. changed: certificates that came or went. */
static status secure(struct call *c, struct elbv2_rec_listener *l, const struct elbv2_certificate_list *given,
	struct str policy, struct elbv2_rec_strings *changed)
{
	size_t capacity = 0;
	if (!is_secure(l->protocol)) {
		if (given->n || str_has(policy))
			return call_fail(c, ERR_VALIDATION,
				"A certificate or SSL policy cannot be specified for listeners with protocol '%.*s'",
				STR_ARG(l->protocol));
		for (size_t i = 0; i < l->certificates.n; i++)
			*VEC_PUSH(c->arena, changed, &capacity) = l->certificates.v[i];
		l->certificates = (struct elbv2_rec_strings){0};
		l->ssl_policy = STR_NONE;
		return OK;
	}
	if (given->n > 1)
		return ELBV2_FAIL(c, TOO_MANY_CERTIFICATES,
			"Up to one certificate can be specified, but '%zu' were specified", given->n);
	if (given->n) {
		struct str arn = given->v[0].certificate_arn;
		if (!str_has(arn)) return call_fail(c, ERR_VALIDATION, "A certificate ARN must be specified");
		TRY(check_certificate(c, arn));
		struct elbv2_rec_strings now = {0};
		size_t n = 0;
		*VEC_PUSH(c->arena, &now, &n) = arn;
		for (size_t i = 1; i < l->certificates.n; i++)
			if (!str_eq(l->certificates.v[i], arn)) *VEC_PUSH(c->arena, &now, &n) = l->certificates.v[i];
		if (l->certificates.n) *VEC_PUSH(c->arena, changed, &capacity) = l->certificates.v[0];
		*VEC_PUSH(c->arena, changed, &capacity) = arn;
		l->certificates = now;
	}
	if (!l->certificates.n)
		return call_fail(
			c, ERR_VALIDATION, "A certificate must be specified for %.*s listeners", STR_ARG(l->protocol));
	if (str_has(policy)) l->ssl_policy = policy;
	l->ssl_policy = str_or(l->ssl_policy, ELBV2_POLICY_DEFAULT);
	if (!elbv2_policy_find(l->ssl_policy))
		return call_fail(c, ELBV2_ERR_SSL_POLICY_NOT_FOUND_EXCEPTION, "SSL policy '%.*s' not found",
			STR_ARG(l->ssl_policy));
	return OK;
}

static status check_protocol(struct call *c, const struct elbv2_rec_balancer *b, struct str protocol)
{
	bool http = str_is(protocol, "HTTP") || str_is(protocol, "HTTPS");
	bool stream = str_is(protocol, "TCP") || str_is(protocol, "TLS") || str_is(protocol, "UDP") ||
		      str_is(protocol, "TCP_UDP");
	if (!elbv2_is_app(b) && str_ends(protocol, STR("QUIC")))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Listeners with protocol '%.*s' are not implemented.",
			STR_ARG(protocol));
	if (elbv2_is_app(b) ? http : stream) return OK;
	return call_fail(c, ERR_VALIDATION, "Listener protocol '%.*s' must be one of '%s'", STR_ARG(protocol),
		elbv2_is_app(b) ? "HTTPS, HTTP" : "UDP, TCP, TCP_UDP, TLS");
}

static status check_alpn(struct call *c, struct elbv2_rec_listener *l, const struct elbv2_alpn_policy_name *given)
{
	static const char *const known[] = {"HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"};
	size_t capacity = 0;
	if (!given->n) return OK;
	bool well = given->n == 1 && str_is(l->protocol, "TLS"), found = false;
	for (size_t i = 0; well && i < sizeof(known) / sizeof(known[0]); i++)
		found = found || str_eq(given->v[0], str_c(known[i]));
	if (!well || !found)
		return call_fail(c, ELBV2_ERR_ALPN_POLICY_NOT_SUPPORTED_EXCEPTION,
			"ALPN policy '%.*s' is not supported", STR_ARG(given->v[0]));
	l->alpn = (struct elbv2_rec_strings){0};
	*VEC_PUSH(c->arena, &l->alpn, &capacity) = given->v[0];
	return OK;
}

static status port_free(struct call *c, const struct elbv2_rec_balancer *b, int32_t port, struct str but)
{
	struct elbv2_all_listeners listeners;
	TRY(elbv2_listeners(ec2_here(c), b->id, &listeners));
	if (!str_has(but) && listeners.n >= ELBV2_LISTENERS_MAX)
		return ELBV2_FAIL(c, TOO_MANY_LISTENERS,
			"The maximum number of listeners has been reached on the load balancer '%.*s'",
			STR_ARG(elbv2_balancer_arn(ec2_here(c), b)));
	for (size_t i = 0; i < listeners.n; i++)
		if (listeners.v[i].port.v == port && !str_eq(listeners.v[i].id, but))
			return ELBV2_FAIL(c, DUPLICATE_LISTENER,
				"A listener already exists on this port for this load balancer '%.*s'",
				STR_ARG(elbv2_balancer_arn(ec2_here(c), b)));
	return OK;
}

/* ── operations ── */

status elbv2_create_listener(
	struct call *c, const struct elbv2_create_listener_input *in, struct elbv2_create_listener_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l = {.port = in->port, .protocol = in->protocol};
	struct elbv2_rec_rule rule = {.priority = SOME_I32(0)};
	struct elbv2_rec_strings changed = {0};
	size_t capacity = 0;
	TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
	if (!str_has(l.protocol)) return call_fail(c, ERR_VALIDATION, "A listener protocol must be specified");
	if (!l.port.has) return call_fail(c, ERR_VALIDATION, "A listener port must be specified");
	TRY(check_protocol(c, &b, l.protocol));
	TRY(port_free(c, &b, l.port.v, STR_NONE));
	TRY(secure(c, &l, &in->certificates, in->ssl_policy, &changed));
	TRY(check_alpn(c, &l, &in->alpn_policy));
	TRY(elbv2_actions_given(c, &b, l.protocol, &in->default_actions, &rule));
	TRY(elbv2_tags_given(c, &l.tags, &in->tags));
	l.id = elbv2_new_id(c->arena);
	TRY(elbv2_mutual_given(c, &b, &l, in->mutual_authentication));
	rule.id = l.default_rule = elbv2_new_id(c->arena);
	elbv2_listener_put(ec2_here(c), b.id, &l);
	elbv2_rule_put(ec2_here(c), l.id, &rule);
	TRY(elbv2_rebind(c, &b));
	TRY(tell_users(c, &b, &changed));
	elbv2_balancer_changed(c, &b);
	show(c, &b, &l, &rule, VEC_PUSH(c->arena, &out->listeners, &capacity));
	return OK;
}

status elbv2_modify_listener(
	struct call *c, const struct elbv2_modify_listener_input *in, struct elbv2_modify_listener_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_all_rules rules;
	struct elbv2_rec_strings changed = {0};
	size_t capacity = 0;
	TRY(elbv2_listener_find(c, in->listener_arn, &b, &l));
	if (in->port.has) l.port = in->port;
	if (str_has(in->protocol)) l.protocol = in->protocol;
	TRY(check_protocol(c, &b, l.protocol));
	TRY(port_free(c, &b, l.port.v, l.id));
	TRY(secure(c, &l, &in->certificates, in->ssl_policy, &changed));
	TRY(check_alpn(c, &l, &in->alpn_policy));
	TRY(elbv2_rules(ec2_here(c), l.id, &rules));
	if (!rules.n) return STATUS(CORRUPT);
	struct elbv2_rec_rule *rule = &rules.v[rules.n - 1];
	TRY(elbv2_mutual_given(c, &b, &l, in->mutual_authentication));
	if (in->default_actions.n) TRY(elbv2_actions_given(c, &b, l.protocol, &in->default_actions, rule));
	elbv2_listener_put(ec2_here(c), b.id, &l);
	elbv2_rule_put(ec2_here(c), l.id, rule);
	TRY(elbv2_rebind(c, &b));
	TRY(tell_users(c, &b, &changed));
	elbv2_balancer_changed(c, &b);
	show(c, &b, &l, rule, VEC_PUSH(c->arena, &out->listeners, &capacity));
	return OK;
}

status elbv2_listener_delete(struct call *c, struct elbv2_rec_balancer *b, const struct elbv2_rec_listener *l)
{
	struct elbv2_all_rules rules;
	TRY(elbv2_rules(ec2_here(c), l->id, &rules));
	for (size_t i = 0; i < rules.n; i++) elbv2_rule_drop(ec2_here(c), l->id, rules.v[i].id);
	struct elbv2_rec_listener gone = *l;
	TRY(elbv2_mutual_end(c, b, &gone));
	elbv2_listener_drop(ec2_here(c), b->id, l->id);
	TRY(elbv2_rebind(c, b));
	return tell_users(c, b, &l->certificates);
}

status elbv2_delete_listener(
	struct call *c, const struct elbv2_delete_listener_input *in, struct elbv2_delete_listener_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	(void)out;
	TRY(elbv2_listener_find(c, in->listener_arn, &b, &l));
	TRY(elbv2_listener_delete(c, &b, &l));
	elbv2_balancer_changed(c, &b);
	return OK;
}

status elbv2_describe_listeners(
	struct call *c, const struct elbv2_describe_listeners_input *in, struct elbv2_describe_listeners_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_all_listeners listeners;
	size_t capacity = 0;
	bool all = str_has(in->load_balancer_arn);
	if (all == (in->listener_arns.n > 0))
		return call_fail(c, ERR_VALIDATION,
			all ? "Load balancer ARN and listener ARNs cannot be specified at the same time"
			    : "You must specify either listener ARNs or a load balancer ARN");
	for (size_t i = 0; i < in->listener_arns.n; i++) {
		TRY(elbv2_listener_find(c, in->listener_arns.v[i], &b, &l));
		TRY(show_found(c, &b, &l, VEC_PUSH(c->arena, &out->listeners, &capacity)));
	}
	if (all) {
		TRY(elbv2_balancer_find(c, in->load_balancer_arn, &b));
		TRY(elbv2_listeners(ec2_here(c), b.id, &listeners));
		for (size_t i = 0; i < listeners.n; i++)
			TRY(show_found(c, &b, &listeners.v[i], VEC_PUSH(c->arena, &out->listeners, &capacity)));
	}
	return elbv2_page(c, &out->listeners, sizeof(*out->listeners.v), in->page_size, in->marker, &out->next_marker);
}

/* ── SNI ── */

static status find_secure(struct call *c, struct str arn, struct elbv2_rec_balancer *b, struct elbv2_rec_listener *l)
{
	TRY(elbv2_listener_find(c, arn, b, l));
	if (is_secure(l->protocol)) return OK;
	return call_fail(c, ERR_VALIDATION, "Certificates are not supported for listeners with protocol '%.*s'",
		STR_ARG(l->protocol));
}

status elbv2_add_listener_certificates(struct call *c, const struct elbv2_add_listener_certificates_input *in,
	struct elbv2_add_listener_certificates_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_rec_strings now = {0}, changed = {0};
	size_t capacity = 0, n = 0, shown = 0;
	TRY(find_secure(c, in->listener_arn, &b, &l));
	for (size_t i = 0; i < l.certificates.n; i++) *VEC_PUSH(c->arena, &now, &n) = l.certificates.v[i];
	for (size_t i = 0; i < in->certificates.n; i++) {
		struct str arn = in->certificates.v[i].certificate_arn;
		if (in->certificates.v[i].is_default.has)
			return call_fail(c, ERR_VALIDATION, "'IsDefault' cannot be specified when adding certificates");
		if (!str_has(arn)) return call_fail(c, ERR_VALIDATION, "A certificate ARN must be specified");
		TRY(check_certificate(c, arn));
		if (!elbv2_among(&now, arn)) *VEC_PUSH(c->arena, &now, &n) = arn;
		*VEC_PUSH(c->arena, &changed, &capacity) = arn;
		struct elbv2_certificate *s = VEC_PUSH(c->arena, &out->certificates, &shown);
		s->certificate_arn = arn;
		s->is_default = SOME_BOOL(false);
	}
	l.certificates = now;
	elbv2_listener_put(ec2_here(c), b.id, &l);
	TRY(count_certificates(c, &b));
	TRY(tell_users(c, &b, &changed));
	elbv2_balancer_changed(c, &b);
	return OK;
}

status elbv2_remove_listener_certificates(struct call *c, const struct elbv2_remove_listener_certificates_input *in,
	struct elbv2_remove_listener_certificates_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_rec_strings now = {0}, changed = {0};
	size_t capacity = 0, n = 0;
	(void)out;
	TRY(find_secure(c, in->listener_arn, &b, &l));
	for (size_t i = 0; i < in->certificates.n; i++) {
		if (str_eq(in->certificates.v[i].certificate_arn, l.certificates.v[0]))
			return ELBV2_FAIL(c, OPERATION_NOT_PERMITTED, "Default certificate '%.*s' cannot be removed",
				STR_ARG(l.certificates.v[0]));
		*VEC_PUSH(c->arena, &changed, &capacity) = str_or(in->certificates.v[i].certificate_arn, STR(""));
	}
	for (size_t i = 0; i < l.certificates.n; i++)
		if (!elbv2_among(&changed, l.certificates.v[i])) *VEC_PUSH(c->arena, &now, &n) = l.certificates.v[i];
	l.certificates = now;
	elbv2_listener_put(ec2_here(c), b.id, &l);
	TRY(tell_users(c, &b, &changed));
	elbv2_balancer_changed(c, &b);
	return OK;
}

status elbv2_describe_listener_certificates(struct call *c, const struct elbv2_describe_listener_certificates_input *in,
	struct elbv2_describe_listener_certificates_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	size_t capacity = 0;
	TRY(find_secure(c, in->listener_arn, &b, &l));
	for (size_t i = 0; i < l.certificates.n; i++) {
		struct elbv2_certificate *s = VEC_PUSH(c->arena, &out->certificates, &capacity);
		s->certificate_arn = l.certificates.v[i];
		s->is_default = SOME_BOOL(i == 0);
	}
	return elbv2_page(
		c, &out->certificates, sizeof(*out->certificates.v), in->page_size, in->marker, &out->next_marker);
}
