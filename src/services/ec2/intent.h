/* From the store to the host agent: the whole desired state of a VPC (host/state.model) and what keeps it true. Whoever
 * changes something in a VPC takes its guard (ec2_vpc_touch); that schedules, in the same transaction, the durable job
 * which computes the VPC's intent anew and hands it over. Without a host agent nothing is scheduled away: the job finds
 * that networks are simulated and is done. */
#pragma once
#include "host/host.h"
#include "services/ec2/tgw.h"

/* The intent of a VPC that is there. Its text is in at.a and in records. generation is left to the caller. */
status ec2_intent_vpc(struct ec2_place at, struct str vpc, struct host_rec_vpc *out) MUST_USE;
status ec2_intent_tgw(struct ec2_place at, struct str tgw, struct host_rec_transit_gateway *out) MUST_USE;

/* ── controller.c ── */
/* Whose a VPC or transit gateway is that stands. NOT_FOUND. */
status ec2_intent_whose(struct store_tx *tx, struct arena *a, struct str id, struct ec2_rec_intent *out) MUST_USE;
/* Schedules the job for a VPC or a transit gateway (by the id's prefix). */
void ec2_intent_mark(struct ec2_place at, struct str id);
/* What runs for EC2's network; one to an installation. */
struct ec2_network {
	struct cloud *cloud;
	struct ec2_dns *dns;
	struct imds *imds;       /* services/ec2/imds.h */
	struct ec2_relay *relay; /* services/ec2/private_link.h; NULL without a host agent */
	_Atomic int internet;    /* its intent was handed to this agent */
};
struct ec2_network *ec2_network_of(struct cloud *cloud);
/* ── reset.c ── struct service: reset. */
status ec2_reset(struct cloud *cloud, void *state, bool gone);
/* ── strings.c ── A copy on the heap, with a NUL behind; the caller's to free. */
char *ec2_keep(struct str s);
/* At start: registers jobs, listens to the host, marks everything that may stand. */
status ec2_network_start(struct cloud *cloud, struct ec2_network **out) MUST_USE;
void ec2_network_stop(struct ec2_network *n);
/* All VPCs (and transit gateways) of all accounts are marked: the agent is a new one. */
status ec2_intent_mark_all(struct cloud *cloud) MUST_USE;
/* All VPCs of a region, in all accounts. Within a transaction. */
status ec2_intent_mark_region(struct store_tx *tx, struct arena *a, struct str region) MUST_USE;
/* Where AWS's services are reached: addresses in 198.18.0.0/22, by the service's endpoint prefix. */
struct str ec2_service_address(struct str service);
