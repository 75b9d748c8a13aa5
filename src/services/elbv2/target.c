/* Targets: registered, drained, gone; where they are; how they are ("Register targets", "Target health status", the ALB
 * guide). */
#include "services/ec2/instance.h"
#include "services/ec2/volume.h"
#include "services/elbv2/node.h"

/* ── where ── */

static status instance_spot(struct ec2_place at, struct str id, struct elbv2_spot *out)
{
	struct ec2_rec_instance i;
	struct ec2_enis enis;
	TRY(ec2_load(at, &ec2_type_instance, id, &i));
	if (i.state.v == EC2_TERMINATED || i.state.v == EC2_SHUTTING_DOWN) return STATUS(NOT_FOUND);
	TRY(ec2_eni_of_instance(at, id, &enis));
	if (!enis.n) return STATUS(NOT_FOUND);
	out->address = enis.v[0].addresses.v[0].private_ip_address;
	out->zone = enis.v[0].availability_zone;
	out->vpc = enis.v[0].vpc_id;
	return i.state.v == EC2_RUNNING || i.state.v == EC2_PENDING ? OK : STATUS(BUSY);
}

status elbv2_target_balancer(struct ec2_place at, struct str arn, struct elbv2_rec_balancer *out)
{
	struct elbv2_all_balancers all;
	TRY(elbv2_balancers(at, &all));
	for (size_t i = 0; i < all.n; i++)
		if (str_eq(elbv2_balancer_arn(at, &all.v[i]), arn) && all.v[i].zones.n) {
			*out = all.v[i];
			return OK;
		}
	return STATUS(NOT_FOUND);
}

/* Its first address: plan.c takes all of them. */
static status alb_spot(struct ec2_place at, struct str arn, struct elbv2_spot *out)
{
	struct elbv2_rec_balancer b;
	TRY(elbv2_target_balancer(at, arn, &b));
	out->address = b.zones.v[0].address;
	out->zone = STR("all");
	out->vpc = b.vpc;
	return OK;
}

/* The zone of an address in one of the VPC's subnets. */
static status ip_spot(
	struct ec2_place at, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t, struct elbv2_spot *out)
{
	struct ec2_each e = ec2_each(at, &ec2_type_subnet);
	struct cidr address, block;
	out->address = t->id;
	out->vpc = g->vpc_id;
	out->zone = str_or(t->zone, STR("all"));
	if (!is_ok(cidr_parse_address(t->id, &address))) return STATUS(NOT_FOUND);
	while (ec2_next(&e)) {
		const struct ec2_rec_subnet *s = e.item.record;
		if (str_eq(s->vpc_id, g->vpc_id) && is_ok(cidr_parse(s->cidr_block, &block)) &&
			cidr_contains(block, address))
			out->zone = s->availability_zone;
	}
	return ec2_each_end(&e);
}

status elbv2_target_spot(
	struct ec2_place at, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t, struct elbv2_spot *out)
{
	*out = (struct elbv2_spot){.port = t->port.v};
	out->check_port = elbv2_number(g->health_check_port, t->port.v);
	if (str_is(g->target_type, "instance")) return instance_spot(at, t->id, out);
	if (str_is(g->target_type, "alb")) return alb_spot(at, t->id, out);
	return ip_spot(at, g, t, out);
}

status elbv2_zone_used(struct ec2_place at, const struct elbv2_rec_group *g, struct str zone, bool *yes)
{
	struct elbv2_all_balancers all;
	*yes = str_is(zone, "all");
	if (*yes) return OK;
	TRY(elbv2_balancers(at, &all));
	for (size_t i = 0; i < all.n; i++) {
		if (!elbv2_among(&g->balancers, elbv2_balancer_arn(at, &all.v[i]))) continue;
		for (size_t k = 0; k < all.v[i].zones.n; k++) *yes = *yes || str_eq(all.v[i].zones.v[k].zone, zone);
	}
	return OK;
}

/* ── RegisterTargets ── */

/* RFC 1918, RFC 6598, or of the VPC ("Target type", the ALB guide). */
static bool is_private(struct cidr address)
{
	static const char *const blocks[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"};
	struct cidr block;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (is_ok(cidr_parse(str_c(blocks[i]), &block)) && cidr_contains(block, address)) return true;
	return false;
}

static status check_ip(struct call *c, const struct elbv2_rec_group *g, const struct elbv2_target_description *d)
{
	struct cidr address;
	struct ec2_rec_vpc vpc;
	if (!is_ok(cidr_parse_address(d->id, &address)) || address.v6)
		return call_fail(
			c, ERR_VALIDATION, "The IP address '%.*s' is not a valid IPv4 address", STR_ARG(d->id));
	TRY(ec2_load(ec2_here(c), &ec2_type_vpc, g->vpc_id, &vpc));
	if (ec2_vpc_holds(&vpc, address)) {
		if (str_is(d->availability_zone, "all"))
			return call_fail(c, ERR_VALIDATION,
				"You cannot specify the Availability Zone 'all' for the IP address '%.*s', which is in "
				"the VPC",
				STR_ARG(d->id));
		return OK;
	}
	if (elbv2_preserves(g))
		return ELBV2_FAIL(c, INVALID_TARGET,
			"The IP address '%.*s' is not within the VPC '%.*s', as it must be with client IP preservation",
			STR_ARG(d->id), STR_ARG(g->vpc_id));
	if (!is_private(address))
		return call_fail(c, ERR_VALIDATION,
			"The IP address '%.*s' is not within the VPC '%.*s' and is not a private address",
			STR_ARG(d->id), STR_ARG(g->vpc_id));
	if (!str_has(d->availability_zone))
		return call_fail(c, ERR_VALIDATION,
			"The Availability Zone must be specified for the IP address '%.*s', which is not in the VPC",
			STR_ARG(d->id));
	return OK;
}

static status check_target(struct call *c, const struct elbv2_rec_group *g, const struct elbv2_target_description *d)
{
	struct elbv2_rec_target t = {.id = d->id, .port = g->port};
	struct elbv2_spot spot;
	if (str_has(d->quic_server_id)) return call_fail(c, ERR_NOT_IMPLEMENTED, "QUIC targets are not implemented.");
	if (str_is(g->target_type, "ip")) return check_ip(c, g, d);
	if (str_has(d->availability_zone))
		return call_fail(c, ERR_VALIDATION,
			"An Availability Zone cannot be specified for targets of type '%.*s'", STR_ARG(g->target_type));
	status s = elbv2_target_spot(ec2_here(c), g, &t, &spot);
	if (str_is(g->target_type, "alb")) {
		if (status_is(s, STATUS_NOT_FOUND))
			return ELBV2_FAIL(c, INVALID_TARGET, "The load balancer '%.*s' is not found", STR_ARG(d->id));
		if (d->port.has && d->port.v != g->port.v)
			return call_fail(c, ERR_VALIDATION, "The port '%d' must be the target group's port '%d'",
				d->port.v, g->port.v);
	}
	if (status_is(s, STATUS_NOT_FOUND))
		return ELBV2_FAIL(c, INVALID_TARGET,
			"The following targets are not in a running state and cannot be registered: '%.*s'",
			STR_ARG(d->id));
	if (status_is(s, STATUS_BUSY))
		return ELBV2_FAIL(c, INVALID_TARGET,
			"The following targets are not in a running state and cannot be registered: '%.*s'",
			STR_ARG(d->id));
	TRY(s);
	if (!str_eq(spot.vpc, g->vpc_id))
		return ELBV2_FAIL(c, INVALID_TARGET,
			"The following targets are not in the target group VPC '%.*s': '%.*s'", STR_ARG(g->vpc_id),
			STR_ARG(d->id));
	return OK;
}

status elbv2_register_targets(
	struct call *c, const struct elbv2_register_targets_input *in, struct elbv2_register_targets_output *out)
{
	struct elbv2_rec_group g;
	struct elbv2_all_targets all;
	(void)out;
	TRY(elbv2_group_find(c, in->target_group_arn, &g));
	if (!in->targets.n) return call_fail(c, ERR_VALIDATION, "A target must be specified");
	TRY(elbv2_targets(ec2_here(c), g.id, &all));
	if (all.n + in->targets.n > ELBV2_TARGETS_MAX)
		return ELBV2_FAIL(c, TOO_MANY_TARGETS, "The maximum number of targets of a target group is %d",
			ELBV2_TARGETS_MAX);
	if (str_is(g.target_type, "alb") && all.n + in->targets.n > 1)
		return ELBV2_FAIL(c, TOO_MANY_TARGETS, "A target group of type 'alb' can have one target");
	for (size_t i = 0; i < in->targets.n; i++) {
		const struct elbv2_target_description *d = &in->targets.v[i];
		struct elbv2_rec_target t;
		TRY(check_target(c, &g, d));
		int32_t port = d->port.has ? d->port.v : g.port.v;
		status s = elbv2_target_get(ec2_here(c), g.id, d->id, port, d->availability_zone, &t);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s) && !t.draining.has) continue;
		t = (struct elbv2_rec_target){.id = d->id,
			.port = SOME_I32(port),
			.zone = d->availability_zone,
			.registered = SOME_TIME(c->now_ms)};
		elbv2_target_put(ec2_here(c), g.id, &t);
	}
	TRY(elbv2_group_changed(ec2_here(c), &g));
	ec2_poke_jobs(c);
	return OK;
}

/* "The load balancer stops sending requests to targets that are deregistering", and lets those in flight end. */
status elbv2_deregister_targets(
	struct call *c, const struct elbv2_deregister_targets_input *in, struct elbv2_deregister_targets_output *out)
{
	struct elbv2_rec_group g;
	struct elbv2_all_targets all;
	(void)out;
	TRY(elbv2_group_find(c, in->target_group_arn, &g));
	if (!in->targets.n) return call_fail(c, ERR_VALIDATION, "A target must be specified");
	TRY(elbv2_targets(ec2_here(c), g.id, &all));
	int32_t delay = elbv2_number(elbv2_group_attribute(&g, "deregistration_delay.timeout_seconds"), 300);
	for (size_t i = 0; i < in->targets.n; i++) {
		const struct elbv2_target_description *d = &in->targets.v[i];
		bool known = false;
		for (size_t k = 0; k < all.n; k++) {
			struct elbv2_rec_target *t = &all.v[k];
			if (!str_eq(t->id, d->id) || (d->port.has && d->port.v != t->port.v)) continue;
			known = true;
			if (g.balancers.n && delay) {
				if (t->draining.has) continue;
				t->draining = SOME_TIME(c->now_ms);
				elbv2_target_put(ec2_here(c), g.id, t);
			} else {
				elbv2_target_drop(ec2_here(c), g.id, t);
			}
		}
		if (!known && str_is(g.target_type, "instance") && !str_starts(d->id, STR("i-")))
			return ELBV2_FAIL(
				c, INVALID_TARGET, "The target '%.*s' is not a valid instance ID", STR_ARG(d->id));
	}
	TRY(elbv2_group_changed(ec2_here(c), &g));
	ec2_poke_jobs(c);
	return OK;
}

/* ── DescribeTargetHealth ── */

static void tell(struct elbv2_target_health *h, const char *state, const char *reason, struct str description)
{
	h->state = str_c(state);
	if (reason) h->reason = str_c(reason);
	if (str_has(description)) h->description = description;
}

static status health_of(struct call *c, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t,
	const struct elbv2_seen *seen, struct elbv2_target_health *h)
{
	struct elbv2_spot spot;
	bool used = false;
	if (t->draining.has) {
		tell(h, "draining", "Target.DeregistrationInProgress", STR("Target deregistration is in progress"));
		return OK;
	}
	if (!g->balancers.n) {
		tell(h, "unused", "Target.NotInUse",
			STR("Target group is not configured to receive traffic from the load balancer"));
		return OK;
	}
	status s = elbv2_target_spot(ec2_here(c), g, t, &spot);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY)) {
		bool gone = status_is(s, STATUS_NOT_FOUND);
		tell(h, "unused", "Target.InvalidState",
			gone ? STR("Target is in the terminated state") : STR("Target is in the stopped state"));
		return OK;
	}
	TRY(s);
	TRY(elbv2_zone_used(ec2_here(c), g, spot.zone, &used));
	if (!used) {
		tell(h, "unused", "Target.NotInUse",
			STR("Target is in an Availability Zone that is not enabled for the load balancer"));
		return OK;
	}
	elbv2_seen_health(c, t, seen, h);
	return OK;
}

static status describe(struct call *c, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t,
	const struct elbv2_seen *seen, struct elbv2_target_health_description *d)
{
	d->target = arena_new(c->arena, struct elbv2_target_description);
	*d->target = (struct elbv2_target_description){.id = t->id, .port = t->port, .availability_zone = t->zone};
	d->health_check_port = str_is(g->health_check_port, "traffic-port") ? str_fmt(c->arena, "%d", t->port.v)
									    : g->health_check_port;
	d->target_health = arena_new(c->arena, struct elbv2_target_health);
	if (str_is(elbv2_group_attribute(g, "load_balancing.algorithm.type"), "weighted_random")) {
		d->anomaly_detection = arena_new(c->arena, struct elbv2_anomaly_detection);
		*d->anomaly_detection = (struct elbv2_anomaly_detection){STR("normal"), STR("no")};
	}
	d->administrative_override = arena_new(c->arena, struct elbv2_administrative_override);
	*d->administrative_override = (struct elbv2_administrative_override){STR("no_override"),
		STR("AdministrativeOverride.NoOverride"), STR("No override is currently active on target")};
	return health_of(c, g, t, seen, d->target_health);
}

status elbv2_describe_target_health(struct call *c, const struct elbv2_describe_target_health_input *in,
	struct elbv2_describe_target_health_output *out)
{
	struct elbv2_rec_group g;
	struct elbv2_all_targets all;
	struct elbv2_seen seen = {0};
	size_t capacity = 0;
	TRY(elbv2_group_find(c, in->target_group_arn, &g));
	TRY(elbv2_targets(ec2_here(c), g.id, &all));
	TRY(elbv2_see(c, &g, &seen));
	VEC_PRESENT(c->arena, &out->target_health_descriptions);
	for (size_t i = 0; !in->targets.n && i < all.n; i++)
		TRY(describe(c, &g, &all.v[i], &seen, VEC_PUSH(c->arena, &out->target_health_descriptions, &capacity)));
	for (size_t i = 0; i < in->targets.n; i++) {
		const struct elbv2_target_description *d = &in->targets.v[i];
		bool known = false;
		for (size_t k = 0; k < all.n; k++) {
			if (!str_eq(all.v[k].id, d->id) || (d->port.has && d->port.v != all.v[k].port.v)) continue;
			known = true;
			TRY(describe(c, &g, &all.v[k], &seen,
				VEC_PUSH(c->arena, &out->target_health_descriptions, &capacity)));
		}
		if (known) continue;
		struct elbv2_target_health_description *h =
			VEC_PUSH(c->arena, &out->target_health_descriptions, &capacity);
		h->target = arena_new(c->arena, struct elbv2_target_description);
		*h->target = (struct elbv2_target_description){.id = d->id, .port = d->port.has ? d->port : g.port};
		h->target_health = arena_new(c->arena, struct elbv2_target_health);
		tell(h->target_health, "unused", "Target.NotRegistered",
			STR("Target is not registered to the target group"));
	}
	return OK;
}
