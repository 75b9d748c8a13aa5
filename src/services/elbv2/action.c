/* Actions of rules ("Rule actions", the ALB guide): forward to groups by weight, redirect, fixed response. Those that
 * authenticate are not built. */
#include "services/elbv2/room.h"

static status check_group(struct call *c, const struct elbv2_rec_balancer *b, struct str protocol, struct str arn)
{
	struct elbv2_rec_group g;
	TRY(elbv2_group_find(c, arn, &g));
	bool http = str_is(protocol, "HTTP") || str_is(protocol, "HTTPS");
	/* "Routing configuration", the NLB guide. */
	bool both = str_is(g.protocol, "TCP_UDP");
	bool well = http                          ? str_starts(g.protocol, STR("HTTP"))
		    : str_is(protocol, "TLS")     ? str_is(g.protocol, "TCP") || str_is(g.protocol, "TLS")
		    : str_is(protocol, "TCP_UDP") ? both
						  : both || str_eq(g.protocol, protocol);
	if (!well)
		return ELBV2_FAIL(c, INCOMPATIBLE_PROTOCOLS,
			"The protocol '%.*s' of target group '%.*s' is not compatible with the listener protocol "
			"'%.*s'",
			STR_ARG(g.protocol), STR_ARG(arn), STR_ARG(protocol));
	if (str_is(g.target_type, "alb") && elbv2_is_app(b))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Target groups of type 'alb' are only supported by Network Load Balancers");
	if (!str_eq(g.vpc_id, b->vpc))
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"The target group '%.*s' is in a different VPC than the load balancer '%.*s'", STR_ARG(arn),
			STR_ARG(b->name));
	bool grpc = str_is(g.protocol_version, "GRPC");
	if (grpc && !str_is(protocol, "HTTPS"))
		return ELBV2_FAIL(c, INCOMPATIBLE_PROTOCOLS,
			"The listener protocol 'HTTP' is not compatible with the protocol version 'GRPC' of target "
			"group "
			"'%.*s'",
			STR_ARG(arn));
	return OK;
}

static status forward(
	struct call *c, const struct elbv2_rec_balancer *b, struct str protocol, struct elbv2_rec_action *a)
{
	size_t capacity = 0;
	if (!a->forward_config || !a->forward_config->target_groups.n) {
		if (!str_has(a->target_group_arn))
			return call_fail(c, ERR_VALIDATION, "A target group ARN must be specified");
		struct elbv2_rec_forward *f =
			a->forward_config ? a->forward_config : arena_new(c->arena, struct elbv2_rec_forward);
		*VEC_PUSH(c->arena, &f->target_groups, &capacity) =
			(struct elbv2_rec_tuple){.target_group_arn = a->target_group_arn, .weight = SOME_I32(1)};
		a->forward_config = f;
	}
	struct elbv2_rec_forward *f = a->forward_config;
	bool one = f->target_groups.n == 1;
	if (str_has(a->target_group_arn) &&
		(!one || !str_eq(a->target_group_arn, f->target_groups.v[0].target_group_arn)))
		return call_fail(c, ERR_VALIDATION,
			"You cannot specify both a target group ARN and a forward configuration with other target "
			"groups");
	a->target_group_arn = one ? f->target_groups.v[0].target_group_arn : STR_NONE;
	if (f->target_groups.n > ELBV2_GROUPS_PER_ACTION_MAX)
		return ELBV2_FAIL(c, TOO_MANY_ACTIONS, "The maximum number of target groups of an action is %d",
			ELBV2_GROUPS_PER_ACTION_MAX);
	for (size_t i = 0; i < f->target_groups.n; i++) {
		struct elbv2_rec_tuple *t = &f->target_groups.v[i];
		if (!str_has(t->target_group_arn))
			return call_fail(c, ERR_VALIDATION, "A target group ARN must be specified");
		if (!t->weight.has) t->weight = SOME_I32(1);
		if (t->weight.v < 0 || t->weight.v > 999)
			return call_fail(
				c, ERR_VALIDATION, "The weight '%d' must be between '0' and '999'", t->weight.v);
		for (size_t k = 0; k < i; k++)
			if (str_eq(t->target_group_arn, f->target_groups.v[k].target_group_arn))
				return call_fail(c, ERR_VALIDATION,
					"The target group '%.*s' is specified more than once",
					STR_ARG(t->target_group_arn));
		TRY(check_group(c, b, protocol, t->target_group_arn));
	}
	if (!f->target_group_stickiness_config)
		f->target_group_stickiness_config = arena_new(c->arena, struct elbv2_rec_stickiness);
	struct elbv2_rec_stickiness *s = f->target_group_stickiness_config;
	if (!s->enabled.has) s->enabled = SOME_BOOL(false);
	if (s->enabled.v && (s->duration_seconds.v < 1 || s->duration_seconds.v > 604800))
		return call_fail(
			c, ERR_VALIDATION, "Target group stickiness duration must be between '1' and '604800' seconds");
	return OK;
}

/* "#{protocol}", "#{host}", "#{port}", "#{path}", "#{query}": no other; and nothing that ends a line. */
static bool placeholders_fit(struct str s, const char *const *names)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] > 0x7e) return false;
		if (s.p[i] != '#' || i + 1 == s.n || s.p[i + 1] != '{') continue;
		bool known = false;
		for (size_t k = 0; names[k]; k++) known = known || str_starts(str_from(s, i), str_c(names[k]));
		if (!known) return false;
	}
	return true;
}

static status redirect(struct call *c, struct elbv2_rec_action *a)
{
	static const char *const host[] = {"#{host}", NULL}, *const path[] = {"#{host}", "#{path}", "#{port}", NULL},
				 *const query[] = {"#{host}", "#{path}", "#{port}", "#{query}", NULL};
	struct elbv2_rec_redirect *r = a->redirect_config;
	int64_t port;
	if (!r) return call_fail(c, ERR_VALIDATION, "A redirect configuration must be specified");
	r->protocol = str_or(r->protocol, STR("#{protocol}"));
	r->host = str_or(r->host, STR("#{host}"));
	r->port = str_or(r->port, STR("#{port}"));
	r->path = str_or(r->path, STR("/#{path}"));
	r->query = str_or(r->query, STR("#{query}"));
	bool number = is_ok(str_to_i64(r->port, &port)) && port >= 1 && port <= 65535;
	if (!number && !str_is(r->port, "#{port}"))
		return call_fail(c, ERR_VALIDATION,
			"The redirect port '%.*s' must be a number from 1 to 65535, or #{port}", STR_ARG(r->port));
	if (!placeholders_fit(r->host, host))
		return call_fail(c, ERR_VALIDATION, "The redirect host '%.*s' is not valid", STR_ARG(r->host));
	if (!placeholders_fit(r->path, path) || r->path.p[0] != '/')
		return call_fail(c, ERR_VALIDATION, "The redirect path '%.*s' must start with '/'", STR_ARG(r->path));
	if (!placeholders_fit(r->query, query))
		return call_fail(c, ERR_VALIDATION, "The redirect query '%.*s' is not valid", STR_ARG(r->query));
	if (str_is(r->protocol, "#{protocol}") && str_is(r->host, "#{host}") && str_is(r->port, "#{port}") &&
		str_is(r->path, "/#{path}"))
		return ELBV2_FAIL(c, INVALID_LOAD_BALANCER_ACTION,
			"The redirect configuration is not valid because it creates a loop.");
	return OK;
}

static status fixed_response(struct call *c, struct elbv2_rec_action *a)
{
	static const char *const types[] = {
		"text/plain", "text/css", "text/html", "application/javascript", "application/json"};
	const struct elbv2_rec_fixed_response *f = a->fixed_response_config;
	bool known = false;
	if (!f) return call_fail(c, ERR_VALIDATION, "A fixed response configuration must be specified");
	if (!str_has(f->content_type) || !f->content_type.n) return OK;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		known = known || str_eq(f->content_type, str_c(types[i]));
	if (!known)
		return call_fail(c, ERR_VALIDATION,
			"The content type '%.*s' must be one of '[text/plain, text/css, text/html, "
			"application/javascript, "
			"application/json]'",
			STR_ARG(f->content_type));
	return OK;
}

status elbv2_actions_given(struct call *c, const struct elbv2_rec_balancer *b, struct str protocol,
	const struct elbv2_actions *given, struct elbv2_rec_rule *r)
{
	size_t capacity = 0;
	bool http = str_is(protocol, "HTTP") || str_is(protocol, "HTTPS");
	if (!given->n) return call_fail(c, ERR_VALIDATION, "An action must be specified");
	r->actions = (struct elbv2_rec_actions){0};
	for (size_t i = 0; i < given->n; i++) {
		struct str type = given->v[i].type;
		if (str_starts(type, STR("authenticate")) || str_is(type, "jwt-validation"))
			return call_fail(
				c, ERR_NOT_IMPLEMENTED, "Actions of type '%.*s' are not implemented.", STR_ARG(type));
	}
	if (given->n > 1)
		return ELBV2_FAIL(c, TOO_MANY_ACTIONS,
			"A rule must have exactly one 'forward', 'redirect' or 'fixed-response' action");
	struct elbv2_rec_action *a = VEC_PUSH(c->arena, &r->actions, &capacity);
	elbv2_take(c->arena, ELBV2_SHAPE_ACTION, &given->v[0], ELBV2_REC_ACTION, a);
	if (str_is(a->type, "forward")) {
		if (a->redirect_config || a->fixed_response_config)
			return ELBV2_FAIL(c, INVALID_LOAD_BALANCER_ACTION,
				"An action of type 'forward' can only have a forward configuration");
		return forward(c, b, protocol, a);
	}
	if (!http)
		return ELBV2_FAIL(c, INVALID_LOAD_BALANCER_ACTION,
			"Actions of type '%.*s' are not supported for listeners with protocol '%.*s'", STR_ARG(a->type),
			STR_ARG(protocol));
	if (a->forward_config || str_has(a->target_group_arn))
		return ELBV2_FAIL(c, INVALID_LOAD_BALANCER_ACTION,
			"An action of type '%.*s' cannot have a target group", STR_ARG(a->type));
	return str_is(a->type, "redirect") ? redirect(c, a) : fixed_response(c, a);
}
