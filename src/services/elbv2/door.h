/* Load balancing as other services see it. Registering and deregistering targets and asking for their health is done by
 * the operations themselves (call/inside.h: ELBV2_OP_REGISTER_TARGETS, …). */
#pragma once
#include "call/call.h"

/* The addresses of a balancer's nodes, by its DNS name's first label: public ones where it faces the internet (as AWS's
 * resolvers say inside of VPCs too), private ones where it is internal. Without those of zones that are down, unless
 * all are. NOT_FOUND. */
struct elbv2_addresses {
	struct str *v;
	size_t n;
};
status elbv2_addresses(struct store_tx *tx, struct arena *a, struct str label, struct elbv2_addresses *out) MUST_USE;

/* A network load balancer for those that connect to it from elsewhere: its nodes' interfaces, and the ports of its TCP
 * and TLS listeners. NOT_FOUND: there is none, or it is of another type. */
struct elbv2_network_node {
	struct str zone, eni, address;
	bool down; /* its zone is */
};
struct elbv2_network_balancer {
	struct elbv2_network_node *nodes;
	size_t n_nodes;
	uint16_t *ports;
	size_t n_ports;
};
status elbv2_network_balancer(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str arn, struct elbv2_network_balancer *out) MUST_USE;
