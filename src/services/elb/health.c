/* Instances behind Classic Load Balancers: registered, checked, told of. */
#include "host/host.h"
#include "services/ec2/instance.h"
#include "services/elb/room.h"
#include "services/elbv2/node.h"

/* ── checks ── */

bool elb_health_target(struct str target, struct str *protocol, struct str *port, struct str *path)
{
	int64_t n;
	ptrdiff_t colon = str_chr(target, ':');
	if (colon < 0) return false;
	*protocol = str_sub(target, 0, (size_t)colon);
	*port = str_from(target, (size_t)colon + 1);
	*path = STR_NONE;
	bool web = str_is(*protocol, "HTTP") || str_is(*protocol, "HTTPS");
	if (!web && !str_is(*protocol, "TCP") && !str_is(*protocol, "SSL")) return false;
	ptrdiff_t slash = str_chr(*port, '/');
	if (web != (slash >= 0)) return false;
	if (web) {
		*path = str_from(*port, (size_t)slash);
		*port = str_sub(*port, 0, (size_t)slash);
		if (path->n > 1024) return false;
		for (size_t i = 0; i < path->n; i++)
			if (path->p[i] <= ' ' || path->p[i] >= 0x7f) return false;
	}
	return is_ok(str_to_i64(*port, &n)) && n >= 1 && n <= 65535;
}

status elb_configure_health_check(struct call *c, const struct elb_configure_health_check_input *in,
	struct elb_configure_health_check_output *out)
{
	struct elb_rec_balancer had, b;
	struct str protocol, port, path;
	const struct elb_health_check *h = in->health_check;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	if (!elb_health_target(str_or(h->target, STR("")), &protocol, &port, &path))
		return call_fail(c, ERR_VALIDATION,
			"HealthCheck HTTP Target must specify a port followed by a path that "
			"begins with a slash. e.g. HTTP:80/ping/this/path");
	if (str_is(protocol, "SSL"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Health checks by SSL handshakes are not implemented.");
	if (h->timeout.v >= h->interval.v)
		return call_fail(c, ERR_VALIDATION, "HealthCheck timeout must be less than interval");
	b.health = arena_new(c->arena, struct elb_rec_health);
	*b.health = (struct elb_rec_health){
		h->target, h->interval, h->timeout, h->unhealthy_threshold, h->healthy_threshold};
	TRY(elb_save(c, &had, &b));
	out->health_check = arena_copy(c->arena, h, sizeof(*h));
	return OK;
}

/* ── instances ── */

static status check_instance(struct call *c, struct str id)
{
	struct ec2_rec_instance i;
	status s = ec2_load(ec2_here(c), &ec2_type_instance, id, &i);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s) && i.state.v != EC2_TERMINATED) return OK;
	return ELB_FAIL(c, INVALID_END_POINT, "Could not find EC2 instance %.*s.", STR_ARG(id));
}

static void show_instances(struct call *c, const struct elb_rec_balancer *b, struct elb_instances *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < b->instances.n; i++) VEC_PUSH(c->arena, out, &capacity)->instance_id = b->instances.v[i];
}

status elb_register_instances_with_load_balancer(struct call *c,
	const struct elb_register_instances_with_load_balancer_input *in,
	struct elb_register_instances_with_load_balancer_output *out)
{
	struct elb_rec_balancer had, b;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	for (size_t i = 0; i < in->instances.n; i++) {
		struct str id = str_or(in->instances.v[i].instance_id, STR(""));
		TRY(check_instance(c, id));
		elb_list_set(c->arena, &b.instances, id, true);
	}
	TRY(elb_save(c, &had, &b));
	show_instances(c, &b, &out->instances);
	return OK;
}

status elb_deregister_instances_from_load_balancer(struct call *c,
	const struct elb_deregister_instances_from_load_balancer_input *in,
	struct elb_deregister_instances_from_load_balancer_output *out)
{
	struct elb_rec_balancer had, b;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	for (size_t i = 0; i < in->instances.n; i++) {
		struct str id = str_or(in->instances.v[i].instance_id, STR(""));
		if (!elb_among(&b.instances, id))
			return ELB_FAIL(c, INVALID_END_POINT, "Could not find EC2 instance %.*s.", STR_ARG(id));
		elb_list_set(c->arena, &b.instances, id, false);
	}
	TRY(elb_save(c, &had, &b));
	show_instances(c, &b, &out->instances);
	return OK;
}

/* ── DescribeInstanceHealth ── */

static struct elb_instance_state out_of_service(struct str id, const char *reason, const char *description)
{
	return (struct elb_instance_state){id, STR("OutOfService"), str_c(reason), str_c(description)};
}

/* It is no longer registered, but may still serve what it has begun. */
static status state_of_gone(
	struct call *c, const struct elb_rec_balancer *b, struct str id, struct elb_instance_state *out)
{
	*out = out_of_service(id, "Instance", "Instance is not currently registered with the LoadBalancer.");
	for (size_t i = 0; i < b->listeners.n; i++) {
		struct elbv2_rec_target t;
		const struct elb_rec_listener *l = &b->listeners.v[i];
		status s = elbv2_target_get(ec2_here(c), l->group, id, l->instance_port.v, STR_NONE, &t);
		if (is_ok(s) && t.draining.has)
			*out = (struct elb_instance_state){id, STR("InService"), STR("N/A"),
				STR("Instance deregistration currently in progress.")};
		else if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND))
			return s;
	}
	return OK;
}

/* As the first listener's group has it; checks are the same for all. */
static status state_of(struct call *c, const struct elbv2_rec_group *g, const struct elbv2_seen *seen, struct str id,
	struct elb_instance_state *out)
{
	struct elbv2_rec_target t;
	struct elbv2_spot spot;
	struct elbv2_target_health h = {0};
	bool used = false;
	/* Its target goes as soon as it begins to shut down. */
	status s = elbv2_target_get(ec2_here(c), g->id, id, g->port.v, STR_NONE, &t);
	if (is_ok(s)) s = elbv2_target_spot(ec2_here(c), g, &t, &spot);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY)) {
		*out = out_of_service(id, "Instance",
			status_is(s, STATUS_BUSY) ? "Instance is in stopped state."
						  : "Instance is in terminated state.");
		return OK;
	}
	TRY(s);
	TRY(elbv2_zone_used(ec2_here(c), g, spot.zone, &used));
	if (!used) {
		*out = out_of_service(id, "Instance",
			"Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route "
			"traffic to.");
		return OK;
	}
	elbv2_seen_health(c, &t, seen, &h);
	if (str_is(h.state, "healthy"))
		*out = (struct elb_instance_state){id, STR("InService"), STR("N/A"), STR("N/A")};
	else if (str_is(h.state, "initial"))
		*out = out_of_service(id, "ELB", "Instance registration is still in progress.");
	else if (str_is(h.state, "unhealthy"))
		*out = out_of_service(id, "Instance",
			"Instance has failed at least the UnhealthyThreshold number of health checks consecutively.");
	else
		*out = (struct elb_instance_state){id, STR("Unknown"), STR("ELB"), h.description};
	return OK;
}

status elb_describe_instance_health(struct call *c, const struct elb_describe_instance_health_input *in,
	struct elb_describe_instance_health_output *out)
{
	struct elb_rec_balancer b;
	struct elbv2_rec_balancer serving;
	struct elbv2_rec_group g = {0};
	struct elbv2_seen seen = {.simulated = !host_available(c->cloud->host)};
	size_t capacity = 0;
	TRY(elb_find(c, in->load_balancer_name, &b));
	TRY(elb_serving(c, &b, &serving));
	c->state = elbv2_of(c->cloud);
	if (!c->state) return call_fail(c, ERR_NOT_IMPLEMENTED, "Nothing balances without the service elbv2.");
	if (b.listeners.n) {
		TRY(elbv2_group_get(
			ec2_here(c), str_fmt(c->arena, "%.*s:%d", STR_ARG(serving.name), b.listeners.v[0].port.v), &g));
		TRY(elbv2_see(c, &g, &seen));
	}
	struct elb_instances listed = in->instances;
	if (!listed.n) show_instances(c, &b, &listed);
	VEC_PRESENT(c->arena, &out->instance_states);
	for (size_t i = 0; i < listed.n; i++) {
		struct str id = str_or(listed.v[i].instance_id, STR(""));
		struct elb_instance_state *to = VEC_PUSH(c->arena, &out->instance_states, &capacity);
		if (in->instances.n) TRY(check_instance(c, id));
		if (!b.listeners.n && elb_among(&b.instances, id))
			*to = out_of_service(id, "ELB", "Instance registration is still in progress.");
		else if (elb_among(&b.instances, id))
			TRY(state_of(c, &g, &seen, id, to));
		else
			TRY(state_of_gone(c, &b, id, to));
	}
	return OK;
}
