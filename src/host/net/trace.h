/* Where a packet goes, hop by hop, and why: told from the same models that the kernel's rules and routes are made from.
 * Needs no privileges: the agent asks it about what is applied, the rest of virga about what would be. */
#pragma once
#include "host/net/model.h"

struct trace_world {
	const struct model *const *vpcs;
	size_t n_vpcs;
	const struct host_rec_transit_gateway *const *tgws;
	size_t n_tgws;
	const struct net_cidr *services; /* addresses of AWS's services on the internet */
	size_t n_services;
};
/* INVALID: the question names no address or no interface. A packet that does not arrive is OK, with reachable false. */
status trace_packet(struct arena *a, const struct trace_world *w, const struct host_rec_trace *question,
	struct host_rec_traced *out, struct str *why) MUST_USE;
