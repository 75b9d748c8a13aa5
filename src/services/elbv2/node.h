/* A balancer's node: one HAProxy in each zone, in the place of the balancer's interface there. What the control plane
 * asks of it. */
#pragma once
#include "services/elbv2/room.h"

/* ── health.c ── how the nodes see the targets of a group. */
struct elbv2_seen_target {
	struct str name;  /* elbv2_server_name */
	bool up;          /* it gets requests */
	bool checked;     /* its checks have decided at least once */
	struct str check; /* HAProxy's check_status: L7OK, L7STS, L4TOUT, … */
	int32_t code;     /* of L7STS */
};
struct elbv2_seen {
	bool simulated; /* no nodes stand, and none will */
	struct elbv2_seen_target *v;
	size_t n;
};
/* Asks the nodes of the group's balancers. Blocks for some milliseconds. */
status elbv2_see(struct call *c, const struct elbv2_rec_group *g, struct elbv2_seen *out) MUST_USE;
void elbv2_seen_health(struct call *c, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t,
	const struct elbv2_seen *seen, struct elbv2_target_health *h);
struct str elbv2_server_name(struct arena *a, const struct elbv2_rec_target *t);
