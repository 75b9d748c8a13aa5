/* From a Classic Load Balancer's record to what serves: a balancer of services/elbv2 called "classic:NAME" (no name of
 * the newer API holds a colon), and for each port a listener with one rule that forwards to a group of its own, in
 * which all registered instances are. Records keep their ids, so that nodes see only what has changed. */
#include "base/rand.h"
#include "services/acm/door.h"
#include "services/ec2/volume.h"
#include "services/elb/room.h"

static struct str serving_name(struct call *c, struct str name)
{
	return str_fmt(c->arena, "classic:%.*s", STR_ARG(name));
}

status elb_serving(struct call *c, const struct elb_rec_balancer *b, struct elbv2_rec_balancer *out)
{
	return elbv2_balancer_get(ec2_here(c), serving_name(c, b->name), out);
}

struct str elb_dns_name(struct call *c, const struct elbv2_rec_balancer *b)
{
	return str_fmt(c->arena, "%.*s.%.*s.elb.localhost", STR_ARG(b->label), STR_ARG(c->region));
}

static bool is_web(struct str protocol)
{
	return str_is(protocol, "HTTP") || str_is(protocol, "HTTPS");
}

/* ── groups ── */

static struct str newer_protocol(struct str protocol)
{
	return str_is(protocol, "SSL") ? STR("TLS") : protocol;
}

static void stickiness(
	struct call *c, const struct elb_rec_balancer *b, const struct elb_rec_listener *l, struct elbv2_rec_group *g)
{
	for (size_t i = 0; i < l->policies.n; i++) {
		const struct elb_rec_policy *p = elb_policy_named(b, l->policies.v[i]);
		bool app = p && str_is(p->type, "AppCookieStickinessPolicyType");
		if (!p || (!app && !str_is(p->type, "LBCookieStickinessPolicyType"))) continue;
		elbv2_set(c->arena, &g->attributes, STR("stickiness.enabled"), STR("true"));
		elbv2_set(c->arena, &g->attributes, STR("stickiness.type"), app ? STR("app_cookie") : STR("lb_cookie"));
		struct str value = elb_pair(&p->attributes, app ? STR("CookieName") : STR("CookieExpirationPeriod"));
		if (str_has(value))
			elbv2_set(c->arena, &g->attributes,
				app ? STR("stickiness.app_cookie.cookie_name")
				    : STR("stickiness.lb_cookie.duration_seconds"),
				value);
	}
	for (size_t i = 0; i < b->servers.n; i++)
		for (size_t k = 0; k < b->servers.v[i].policies.n && b->servers.v[i].port.v == l->instance_port.v;
			k++) {
			const struct elb_rec_policy *p = elb_policy_named(b, b->servers.v[i].policies.v[k]);
			if (p && str_is(p->type, "ProxyProtocolPolicyType") &&
				str_is(elb_pair(&p->attributes, STR("ProxyProtocol")), "true"))
				elbv2_set(c->arena, &g->attributes, STR("proxy_protocol_v1.enabled"), STR("true"));
		}
}

static status put_group(struct call *c, const struct elbv2_rec_balancer *serving, const struct elb_rec_balancer *b,
	const struct elb_rec_listener *l)
{
	struct ec2_place at = ec2_here(c);
	struct str protocol, port, path, arn = elbv2_balancer_arn(at, serving);
	if (!elb_health_target(b->health->target, &protocol, &port, &path)) return STATUS(CORRUPT);
	struct elbv2_rec_matcher *matcher = arena_new(c->arena, struct elbv2_rec_matcher);
	*matcher = (struct elbv2_rec_matcher){.http_code = STR("200")};
	struct elbv2_rec_group g = {.id = l->group,
		.target_group_name = str_fmt(c->arena, "%.*s:%d", STR_ARG(serving->name), l->port.v),
		.protocol = newer_protocol(l->instance_protocol),
		.port = l->instance_port,
		.vpc_id = b->vpc,
		.health_check_protocol = str_is(protocol, "SSL") ? STR("TCP") : protocol,
		.health_check_port = port,
		.health_check_enabled = SOME_BOOL(true),
		.health_check_interval_seconds = b->health->interval,
		.health_check_timeout_seconds = b->health->timeout,
		.healthy_threshold_count = b->health->healthy,
		.unhealthy_threshold_count = b->health->unhealthy,
		.health_check_path = path,
		.matcher = is_web(protocol) ? matcher : NULL,
		.target_type = STR("instance"),
		.protocol_version = is_web(l->instance_protocol) ? STR("HTTP1") : STR_NONE,
		.ip_address_type = STR("ipv4"),
		.created = b->created,
		.balancers = {arena_copy(c->arena, &arn, sizeof(arn)), 1}};
	elbv2_set(c->arena, &g.attributes, STR("load_balancing.cross_zone.enabled"),
		b->cross_zone.v ? STR("true") : STR("false"));
	elbv2_set(c->arena, &g.attributes, STR("deregistration_delay.timeout_seconds"),
		str_fmt(c->arena, "%d", b->draining.v ? b->draining_timeout.v : 0));
	/* "…uses the least outstanding requests routing algorithm for HTTP and HTTPS listeners, round robin for TCP":
	 * how Elastic Load Balancing works, "Routing algorithm". */
	if (is_web(l->instance_protocol))
		elbv2_set(c->arena, &g.attributes, STR("load_balancing.algorithm.type"),
			STR("least_outstanding_requests"));
	stickiness(c, b, l, &g);
	elbv2_group_put(at, &g);
	/* Registered and no longer registered instances. */
	struct elbv2_all_targets targets;
	TRY(elbv2_targets(at, g.id, &targets));
	for (size_t i = 0; i < targets.n; i++) {
		struct elbv2_rec_target *t = &targets.v[i];
		bool wanted = elb_among(&b->instances, t->id);
		if (t->port.v != l->instance_port.v || (!wanted && !b->draining.v)) {
			elbv2_target_drop(at, g.id, t);
		} else if (!wanted && !t->draining.has) {
			t->draining = SOME_TIME(c->now_ms);
			elbv2_target_put(at, g.id, t);
		}
	}
	for (size_t i = 0; i < b->instances.n; i++) {
		struct elbv2_rec_target t;
		status s = elbv2_target_get(at, g.id, b->instances.v[i], l->instance_port.v, STR_NONE, &t);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s) && !t.draining.has) continue;
		t = (struct elbv2_rec_target){
			.id = b->instances.v[i], .port = l->instance_port, .registered = SOME_TIME(c->now_ms)};
		elbv2_target_put(at, g.id, &t);
	}
	return OK;
}

/* ── listeners ── */

/* "ELBSecurityPolicy-2016-08", unless a policy refers to another. */
static struct str tls_policy(const struct elb_rec_balancer *b, const struct elb_rec_listener *l)
{
	for (size_t i = 0; i < l->policies.n; i++) {
		const struct elb_rec_policy *p = elb_policy_named(b, l->policies.v[i]);
		struct str named = p && str_is(p->type, "SSLNegotiationPolicyType")
					   ? elb_pair(&p->attributes, STR("Reference-Security-Policy"))
					   : STR_NONE;
		if (str_has(named)) return named;
		if (elbv2_policy_find(l->policies.v[i])) return l->policies.v[i];
	}
	return ELBV2_POLICY_DEFAULT;
}

static status put_listener(struct call *c, const struct elbv2_rec_balancer *serving, const struct elb_rec_balancer *b,
	const struct elb_rec_listener *l)
{
	struct ec2_place at = ec2_here(c);
	bool secure = str_is(l->protocol, "HTTPS") || str_is(l->protocol, "SSL");
	struct elbv2_rec_group named = {
		.id = l->group, .target_group_name = str_fmt(c->arena, "%.*s:%d", STR_ARG(serving->name), l->port.v)};
	struct elbv2_rec_tuple *to = arena_new(c->arena, struct elbv2_rec_tuple);
	*to = (struct elbv2_rec_tuple){.target_group_arn = elbv2_group_arn(at, &named), .weight = SOME_I32(1)};
	struct elbv2_rec_forward *forward = arena_new(c->arena, struct elbv2_rec_forward);
	*forward = (struct elbv2_rec_forward){.target_groups = {to, 1}};
	struct elbv2_rec_action *action = arena_new(c->arena, struct elbv2_rec_action);
	*action = (struct elbv2_rec_action){.type = STR("forward"), .forward_config = forward};
	struct elbv2_rec_rule rule = {.id = l->rule, .priority = SOME_I32(0), .actions = {action, 1}};
	struct elbv2_rec_listener listener = {
		.id = l->id, .port = l->port, .protocol = newer_protocol(l->protocol), .default_rule = l->rule};
	elbv2_set(c->arena, &listener.attributes, STR("routing.http.response.server.enabled"), STR("false"));
	if (secure) {
		listener.certificates =
			(struct elbv2_rec_strings){arena_copy(c->arena, &l->certificate, sizeof(l->certificate)), 1};
		listener.ssl_policy = tls_policy(b, l);
	}
	elbv2_listener_put(at, serving->id, &listener);
	elbv2_rule_put(at, l->id, &rule);
	return put_group(c, serving, b, l);
}

static status drop_listener(struct call *c, const struct elbv2_rec_balancer *serving, const struct elb_rec_listener *l)
{
	struct ec2_place at = ec2_here(c);
	struct elbv2_all_targets targets;
	struct elbv2_rec_group g = {
		.id = l->group, .target_group_name = str_fmt(c->arena, "%.*s:%d", STR_ARG(serving->name), l->port.v)};
	TRY(elbv2_targets(at, g.id, &targets));
	for (size_t i = 0; i < targets.n; i++) elbv2_target_drop(at, g.id, &targets.v[i]);
	elbv2_group_drop(at, &g);
	elbv2_rule_drop(at, l->id, l->rule);
	elbv2_listener_drop(at, serving->id, l->id);
	return OK;
}

/* Tells ACM whose certificates serve, and no longer do. */
static status tell_acm(struct call *c, const struct elb_rec_balancer *of, struct str arn, bool uses)
{
	for (size_t i = 0; of && i < of->listeners.n; i++)
		if (str_has(of->listeners.v[i].certificate))
			TRY(acm_use(c->tx, c->arena, c->account, c->region, of->listeners.v[i].certificate, arn, uses));
	return OK;
}

/* ── all ── */

static void put_record(struct call *c, const struct elb_rec_balancer *b)
{
	struct key k = key_for(c->arena, STR("elb"), STR("balancer"), c->account, c->region);
	key_str(&k, b->name);
	store_put(c->tx, key_done(&k), elb_rec_balancer_encode(c->arena, b));
}

static status begin(struct call *c, const struct elb_rec_balancer *b, struct elbv2_rec_balancer *serving)
{
	const char *inside = str_is(b->scheme, "internal") ? "internal-" : "";
	*serving = (struct elbv2_rec_balancer){.name = serving_name(c, b->name),
		.id = elbv2_new_id(c->arena),
		.type = STR("classic"),
		.scheme = b->scheme,
		.vpc = b->vpc,
		.created = b->created,
		.state = STR("provisioning"),
		.ip_address_type = STR("ipv4")};
	serving->label = str_lower(c->arena, str_fmt(c->arena, "%s%.*s-%.*s", inside, STR_ARG(b->name),
						     STR_ARG(rand_text(c->arena, STR("123456789"), 10))));
	return OK;
}

status elb_save(struct call *c, const struct elb_rec_balancer *had, const struct elb_rec_balancer *b)
{
	struct elbv2_rec_balancer serving;
	size_t capacity = 0;
	if (had)
		TRY(elb_serving(c, had, &serving));
	else
		TRY(begin(c, b, &serving));
	struct str arn = elbv2_balancer_arn(ec2_here(c), &serving);
	for (size_t i = 0; had && i < had->listeners.n; i++) {
		bool stays = false;
		for (size_t k = 0; k < b->listeners.n; k++)
			stays = stays || str_eq(b->listeners.v[k].id, had->listeners.v[i].id);
		if (!stays) TRY(drop_listener(c, &serving, &had->listeners.v[i]));
	}
	TRY(tell_acm(c, had, arn, false));
	TRY(tell_acm(c, b, arn, true));
	serving.groups = (struct elbv2_rec_strings){0};
	for (size_t i = 0; i < b->listeners.n; i++) {
		TRY(put_listener(c, &serving, b, &b->listeners.v[i]));
		*VEC_PUSH(c->arena, &serving.groups, &capacity) =
			str_fmt(c->arena, "%.*s:%d", STR_ARG(serving.name), b->listeners.v[i].port.v);
	}
	serving.security_groups = (struct elbv2_rec_strings){b->security_groups.v, b->security_groups.n};
	elbv2_set(c->arena, &serving.attributes, STR("idle_timeout.timeout_seconds"),
		str_fmt(c->arena, "%d", b->idle_timeout.v));
	elbv2_set(c->arena, &serving.attributes, STR("routing.http2.enabled"), STR("false"));
	elbv2_set(c->arena, &serving.attributes, STR("routing.http.desync_mitigation_mode"), b->desync);
	struct elbv2_rec_strings subnets = {b->subnets.v, b->subnets.n};
	TRY(elbv2_zones_set(c, &serving, &subnets));
	elbv2_balancer_changed(c, &serving);
	put_record(c, b);
	return OK;
}

status elb_drop(struct call *c, const struct elb_rec_balancer *b)
{
	struct elbv2_rec_balancer serving;
	TRY(elb_serving(c, b, &serving));
	for (size_t i = 0; i < b->listeners.n; i++) TRY(drop_listener(c, &serving, &b->listeners.v[i]));
	TRY(tell_acm(c, b, elbv2_balancer_arn(ec2_here(c), &serving), false));
	elbv2_balancer_drop(ec2_here(c), &serving);
	elbv2_mark_gone(ec2_here(c), &serving);
	struct key k = key_for(c->arena, STR("elb"), STR("balancer"), c->account, c->region);
	key_str(&k, b->name);
	store_delete(c->tx, key_done(&k));
	ec2_poke_jobs(c);
	return OK;
}
