/* Classic Load Balancers: made, described, moved between subnets and security groups, deleted. */
#include "services/ec2/volume.h"
#include "services/elb/room.h"

/* ── what is asked for ── */

static status check_name(struct call *c, struct str name)
{
	bool well = name.n > 0 && name.n <= 32 && name.p[0] != '-' && name.p[name.n - 1] != '-';
	for (size_t i = 0; well && i < name.n; i++) {
		char ch = name.p[i];
		well = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-';
	}
	if (well) return OK;
	return call_fail(c, ERR_VALIDATION,
		"LoadBalancer name '%.*s' must have at most 32 characters, only alphanumeric characters or hyphens, "
		"and "
		"not begin or end with a hyphen",
		STR_ARG(name));
}

static status subnet(struct call *c, struct str id, struct ec2_rec_subnet *out)
{
	status s = ec2_load(ec2_here(c), &ec2_type_subnet, id, out);
	if (status_is(s, STATUS_NOT_FOUND))
		return ELB_FAIL(c, SUBNET_NOT_FOUND, "The subnet ID '%.*s' does not exist", STR_ARG(id));
	return s;
}

/* One to a zone, of one VPC; that of a zone asked for anew takes the place of the old one's. */
static status take_subnets(struct call *c, struct elb_rec_balancer *b, const struct elb_subnets *given)
{
	for (size_t i = 0; i < given->n; i++) {
		struct ec2_rec_subnet s, other;
		TRY(subnet(c, given->v[i], &s));
		if (!str_has(b->vpc)) b->vpc = s.vpc_id;
		if (!str_eq(b->vpc, s.vpc_id))
			return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST, "Subnets must be in the same VPC: '%.*s'",
				STR_ARG(b->vpc));
		for (size_t k = 0; k < b->subnets.n; k++) {
			TRY(subnet(c, b->subnets.v[k], &other));
			if (str_eq(other.availability_zone, s.availability_zone) &&
				!str_eq(b->subnets.v[k], given->v[i]))
				return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
					"Multiple subnets in the same Availability Zone '%.*s' cannot be specified",
					STR_ARG(s.availability_zone));
		}
		elb_list_set(c->arena, &b->subnets, given->v[i], true);
	}
	return OK;
}

/* A zone means its default subnet. */
static status take_zones(struct call *c, struct elb_rec_balancer *b, const struct elb_availability_zones *zones)
{
	for (size_t i = 0; i < zones->n; i++) {
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
		struct str found = STR_NONE;
		while (ec2_next(&e)) {
			const struct ec2_rec_subnet *s = e.item.record;
			if (s->default_for_az.v && str_eq(s->availability_zone, zones->v[i]))
				found = str_dup(c->arena, s->subnet_id);
		}
		TRY(ec2_each_end(&e));
		if (!str_has(found))
			return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"There is no default subnet in the Availability Zone '%.*s'", STR_ARG(zones->v[i]));
		struct elb_subnets one = {&found, 1};
		TRY(take_subnets(c, b, &one));
	}
	return OK;
}

static status take_groups(struct call *c, struct elb_rec_balancer *b, const struct elb_security_groups *given)
{
	size_t capacity = 0;
	b->security_groups = (struct elb_rec_strings){0};
	for (size_t i = 0; i < given->n; i++) {
		struct ec2_rec_security_group g;
		status s = ec2_load(ec2_here(c), &ec2_type_security_group, given->v[i], &g);
		if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(g.vpc_id, b->vpc)))
			return ELB_FAIL(
				c, INVALID_SECURITY_GROUP, "One or more of the specified security groups do not exist");
		TRY(s);
		*VEC_PUSH(c->arena, &b->security_groups, &capacity) = given->v[i];
	}
	if (b->security_groups.n) return OK;
	struct ec2_rec_strings usual;
	TRY(ec2_groups_for(c, b->vpc, NULL, 0, &usual));
	b->security_groups = (struct elb_rec_strings){usual.v, usual.n};
	return OK;
}

static status has_gateway(struct call *c, struct str vpc)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_internet_gateway);
	bool yes = false;
	while (!yes && ec2_next(&e)) yes = str_eq(((const struct ec2_rec_internet_gateway *)e.item.record)->vpc, vpc);
	TRY(ec2_each_end(&e));
	return yes ? OK : ELB_FAIL(c, INVALID_SUBNET, "VPC %.*s has no internet gateway", STR_ARG(vpc));
}

status elb_create_load_balancer(
	struct call *c, const struct elb_create_load_balancer_input *in, struct elb_create_load_balancer_output *out)
{
	struct elb_rec_balancer b = {.name = in->load_balancer_name,
		.scheme = str_or(in->scheme, STR("internet-facing")),
		.created = SOME_TIME(c->now_ms),
		.idle_timeout = SOME_I32(60),
		.draining_timeout = SOME_I32(300),
		.desync = STR("defensive")};
	struct elbv2_rec_balancer serving;
	struct elb_all all;
	TRY(check_name(c, b.name));
	TRY(elb_all(c, &all));
	if (all.n >= ELB_BALANCERS_MAX)
		return ELB_FAIL(c, TOO_MANY_ACCESS_POINTS, "The quota of load balancers has been reached");
	for (size_t i = 0; i < all.n; i++)
		if (str_eq(all.v[i].name, b.name))
			return ELB_FAIL(c, DUPLICATE_ACCESS_POINT_NAME,
				"Load Balancer named '%.*s' already exists and it is configured with different "
				"parameters.",
				STR_ARG(b.name));
	if (!str_is(b.scheme, "internet-facing") && !str_is(b.scheme, "internal"))
		return ELB_FAIL(c, INVALID_SCHEME, "The scheme '%.*s' is not valid", STR_ARG(b.scheme));
	if (!in->subnets.n == !in->availability_zones.n)
		return call_fail(c, ERR_VALIDATION, "%s",
			in->subnets.n ? "Only one of SubnetIds or AvailabilityZones may be specified"
				      : "Either AvailabilityZones or SubnetIds must be specified");
	TRY(take_subnets(c, &b, &in->subnets));
	TRY(take_zones(c, &b, &in->availability_zones));
	TRY(take_groups(c, &b, &in->security_groups));
	if (str_is(b.scheme, "internet-facing")) TRY(has_gateway(c, b.vpc));
	TRY(elb_tags_take(c, &b, &in->tags));
	TRY(elb_listeners_take(c, &b, &in->listeners));
	struct elb_rec_listener *first = &b.listeners.v[0];
	b.health = arena_new(c->arena, struct elb_rec_health);
	*b.health = (struct elb_rec_health){.target = str_fmt(c->arena, "TCP:%d", first->instance_port.v),
		.interval = SOME_I32(30),
		.timeout = SOME_I32(5),
		.unhealthy = SOME_I32(2),
		.healthy = SOME_I32(10)};
	TRY(elb_save(c, NULL, &b));
	TRY(elb_serving(c, &b, &serving));
	out->dns_name = elb_dns_name(c, &serving);
	return OK;
}

/* "If the load balancer does not exist or has already been deleted, the call to DeleteLoadBalancer still succeeds." */
status elb_delete_load_balancer(
	struct call *c, const struct elb_delete_load_balancer_input *in, struct elb_delete_load_balancer_output *out)
{
	struct elb_rec_balancer b;
	(void)out;
	status s = elb_find(c, in->load_balancer_name, &b);
	if (status_is(s, STATUS_FAILED)) {
		c->failure = (struct wire_failure){0};
		return OK;
	}
	TRY(s);
	return elb_drop(c, &b);
}

/* ── described ── */

static void show_policies(struct call *c, const struct elb_rec_balancer *b, struct elb_policies *out)
{
	size_t app = 0, lb = 0, other = 0;
	VEC_PRESENT(c->arena, &out->app_cookie_stickiness_policies);
	VEC_PRESENT(c->arena, &out->lb_cookie_stickiness_policies);
	VEC_PRESENT(c->arena, &out->other_policies);
	for (size_t i = 0; i < b->policies.n; i++) {
		const struct elb_rec_policy *p = &b->policies.v[i];
		int64_t n;
		if (str_is(p->type, "AppCookieStickinessPolicyType")) {
			*VEC_PUSH(c->arena, &out->app_cookie_stickiness_policies, &app) =
				(struct elb_app_cookie_stickiness_policy){
					p->name, elb_pair(&p->attributes, STR("CookieName"))};
		} else if (str_is(p->type, "LBCookieStickinessPolicyType")) {
			struct elb_lb_cookie_stickiness_policy *l =
				VEC_PUSH(c->arena, &out->lb_cookie_stickiness_policies, &lb);
			l->policy_name = p->name;
			struct str period = elb_pair(&p->attributes, STR("CookieExpirationPeriod"));
			if (str_has(period) && is_ok(str_to_i64(period, &n))) l->cookie_expiration_period = SOME_I64(n);
		} else {
			*VEC_PUSH(c->arena, &out->other_policies, &other) = p->name;
		}
	}
}

static struct elb_policy_names names_of(struct call *c, const struct elb_rec_strings *list)
{
	struct elb_policy_names out = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out);
	for (size_t i = 0; i < list->n; i++) *VEC_PUSH(c->arena, &out, &capacity) = list->v[i];
	return out;
}

static status show(struct call *c, const struct elb_rec_balancer *b, struct elb_load_balancer_description *out)
{
	struct elbv2_rec_balancer serving;
	struct ec2_rec_security_group g;
	size_t n[7] = {0};
	TRY(elb_serving(c, b, &serving));
	*out = (struct elb_load_balancer_description){.load_balancer_name = b->name,
		.dns_name = elb_dns_name(c, &serving),
		.canonical_hosted_zone_name = str_is(b->scheme, "internal") ? STR_NONE : elb_dns_name(c, &serving),
		.canonical_hosted_zone_name_id = STR("Z35SXDOTRQ7X7K"),
		.vpc_id = b->vpc,
		.created_time = b->created,
		.scheme = b->scheme};
	VEC_PRESENT(c->arena, &out->listener_descriptions);
	for (size_t i = 0; i < b->listeners.n; i++) {
		const struct elb_rec_listener *l = &b->listeners.v[i];
		struct elb_listener_description *d = VEC_PUSH(c->arena, &out->listener_descriptions, &n[0]);
		d->listener = arena_new(c->arena, struct elb_listener);
		*d->listener = (struct elb_listener){
			l->protocol, l->port, l->instance_protocol, l->instance_port, l->certificate};
		d->policy_names = names_of(c, &l->policies);
	}
	out->policies = arena_new(c->arena, struct elb_policies);
	show_policies(c, b, out->policies);
	VEC_PRESENT(c->arena, &out->backend_server_descriptions);
	for (size_t i = 0; i < b->servers.n; i++) {
		struct elb_backend_server_description *d = VEC_PUSH(c->arena, &out->backend_server_descriptions, &n[1]);
		d->instance_port = b->servers.v[i].port;
		d->policy_names = names_of(c, &b->servers.v[i].policies);
	}
	for (size_t i = 0; i < serving.zones.n; i++) {
		*VEC_PUSH(c->arena, &out->availability_zones, &n[2]) = serving.zones.v[i].zone;
		*VEC_PUSH(c->arena, &out->subnets, &n[3]) = serving.zones.v[i].subnet;
	}
	VEC_PRESENT(c->arena, &out->instances);
	for (size_t i = 0; i < b->instances.n; i++)
		VEC_PUSH(c->arena, &out->instances, &n[4])->instance_id = b->instances.v[i];
	out->health_check = arena_new(c->arena, struct elb_health_check);
	*out->health_check = (struct elb_health_check){
		b->health->target, b->health->interval, b->health->timeout, b->health->unhealthy, b->health->healthy};
	for (size_t i = 0; i < b->security_groups.n; i++)
		*VEC_PUSH(c->arena, &out->security_groups, &n[5]) = b->security_groups.v[i];
	if (b->security_groups.n &&
		is_ok(ec2_load(ec2_here(c), &ec2_type_security_group, b->security_groups.v[0], &g))) {
		out->source_security_group = arena_new(c->arena, struct elb_source_security_group);
		*out->source_security_group = (struct elb_source_security_group){c->account, g.group_name};
	}
	return OK;
}

status elb_describe_load_balancers(struct call *c, const struct elb_describe_load_balancers_input *in,
	struct elb_describe_load_balancers_output *out)
{
	struct elb_all all;
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->load_balancer_descriptions);
	if (!in->load_balancer_names.n) TRY(elb_all(c, &all));
	for (size_t i = 0; !in->load_balancer_names.n && i < all.n; i++)
		TRY(show(c, &all.v[i], VEC_PUSH(c->arena, &out->load_balancer_descriptions, &capacity)));
	for (size_t i = 0; i < in->load_balancer_names.n; i++) {
		struct elb_rec_balancer b;
		TRY(elb_find(c, in->load_balancer_names.v[i], &b));
		TRY(show(c, &b, VEC_PUSH(c->arena, &out->load_balancer_descriptions, &capacity)));
	}
	return elbv2_page(c, &out->load_balancer_descriptions, sizeof(*out->load_balancer_descriptions.v),
		in->page_size, in->marker, &out->next_marker);
}

/* ── changes ── */

static void show_subnets(struct call *c, const struct elb_rec_balancer *b, struct elb_subnets *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < b->subnets.n; i++) *VEC_PUSH(c->arena, out, &capacity) = b->subnets.v[i];
}

status elb_attach_load_balancer_to_subnets(struct call *c, const struct elb_attach_load_balancer_to_subnets_input *in,
	struct elb_attach_load_balancer_to_subnets_output *out)
{
	struct elb_rec_balancer had, b;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	TRY(take_subnets(c, &b, &in->subnets));
	TRY(elb_save(c, &had, &b));
	show_subnets(c, &b, &out->subnets);
	return OK;
}

status elb_detach_load_balancer_from_subnets(struct call *c,
	const struct elb_detach_load_balancer_from_subnets_input *in,
	struct elb_detach_load_balancer_from_subnets_output *out)
{
	struct elb_rec_balancer had, b;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	for (size_t i = 0; i < in->subnets.n; i++) {
		if (!elb_among(&b.subnets, in->subnets.v[i]))
			return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"The load balancer is not attached to the subnet '%.*s'", STR_ARG(in->subnets.v[i]));
		elb_list_set(c->arena, &b.subnets, in->subnets.v[i], false);
	}
	if (!b.subnets.n)
		return ELB_FAIL(
			c, INVALID_CONFIGURATION_REQUEST, "The load balancer must be attached to at least one subnet");
	TRY(elb_save(c, &had, &b));
	show_subnets(c, &b, &out->subnets);
	return OK;
}

static status show_zones(struct call *c, const struct elb_rec_balancer *b, struct elb_availability_zones *out)
{
	struct elbv2_rec_balancer serving;
	size_t capacity = 0;
	TRY(elb_serving(c, b, &serving));
	for (size_t i = 0; i < serving.zones.n; i++) *VEC_PUSH(c->arena, out, &capacity) = serving.zones.v[i].zone;
	return OK;
}

status elb_enable_availability_zones_for_load_balancer(struct call *c,
	const struct elb_enable_availability_zones_for_load_balancer_input *in,
	struct elb_enable_availability_zones_for_load_balancer_output *out)
{
	struct elb_rec_balancer had, b;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	TRY(take_zones(c, &b, &in->availability_zones));
	TRY(elb_save(c, &had, &b));
	return show_zones(c, &b, &out->availability_zones);
}

status elb_disable_availability_zones_for_load_balancer(struct call *c,
	const struct elb_disable_availability_zones_for_load_balancer_input *in,
	struct elb_disable_availability_zones_for_load_balancer_output *out)
{
	struct elb_rec_balancer had, b;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	for (size_t i = 0; i < had.subnets.n; i++) {
		struct ec2_rec_subnet s;
		TRY(subnet(c, had.subnets.v[i], &s));
		for (size_t k = 0; k < in->availability_zones.n; k++)
			if (str_eq(s.availability_zone, in->availability_zones.v[k]))
				elb_list_set(c->arena, &b.subnets, had.subnets.v[i], false);
	}
	if (!b.subnets.n)
		return ELB_FAIL(
			c, INVALID_CONFIGURATION_REQUEST, "There must be at least one enabled Availability Zone");
	TRY(elb_save(c, &had, &b));
	return show_zones(c, &b, &out->availability_zones);
}

status elb_apply_security_groups_to_load_balancer(struct call *c,
	const struct elb_apply_security_groups_to_load_balancer_input *in,
	struct elb_apply_security_groups_to_load_balancer_output *out)
{
	struct elb_rec_balancer had, b;
	size_t capacity = 0;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	TRY(take_groups(c, &b, &in->security_groups));
	TRY(elb_save(c, &had, &b));
	for (size_t i = 0; i < b.security_groups.n; i++)
		*VEC_PUSH(c->arena, &out->security_groups, &capacity) = b.security_groups.v[i];
	return OK;
}
