/* Addresses, routes, rules and neighbours that a VPC's model asks for, in its router and at the other ends. */
#pragma once
#include "host/net/model.h"
#include "host/net/rtnl.h"

/* Tables of a router: where interfaces are (and nothing else of the VPC's addresses is); each route table; what of it
 * goes before the former, because it is more specific than "local"; and the end of all, where packets are dropped
 * without a word, as AWS does. */
#define PLAN_TABLE_INTERFACES 100u
#define PLAN_TABLE_END 101u
#define PLAN_TABLE_ROUTES 100000u
#define PLAN_TABLE_BEFORE 200000u
/* Answers that go by a load balancer. */
#define PLAN_TABLE_BALANCERS 300000u

/* Links between namespaces that are ours have no addresses: both ends know each other as this next hop, at fixed MACs.
 */
#define PLAN_HOP4 "169.254.255.254"
#define PLAN_HOP6 "fe80::fe"
#define PLAN_MAC_A                                                                                                     \
	{                                                                                                              \
		0x02, 0x76, 0x69, 0x72, 0x67, 0x0a                                                                     \
	}
#define PLAN_MAC_B                                                                                                     \
	{                                                                                                              \
		0x02, 0x76, 0x69, 0x72, 0x67, 0x0b                                                                     \
	}
/* The router's end of every interface's link. */
#define PLAN_MAC_ROUTER                                                                                                \
	{                                                                                                              \
		0x02, 0x76, 0x69, 0x72, 0x67, 0x61                                                                     \
	}

/* In a load balancer's own place. */
#define PLAN_MARK_OWN 0x00010000u

void plan_router(struct arena *a, const struct model *m, struct rtnl_things *out);
/* The inside of a place: all interfaces of the model that are plugged into it. */
void plan_place(struct arena *a, const struct model *m, struct str place, struct rtnl_things *out);
/* "eth0" */
void plan_device(const struct model_interface *i, char out[LINK_NAME]);
/* The two next hops on a link that the far end (A or B) holds. */
void plan_hops(struct arena *a, const char *link, const uint8_t mac[6], struct rtnl_things *out);
/* A route through such a link. */
void plan_via_link(
	struct arena *a, const struct net_cidr *to, uint32_t table, const char *link, struct rtnl_things *out);
void plan_blackhole(struct arena *a, const struct net_cidr *to, uint32_t table, struct rtnl_things *out);
/* Packets with that mark (0: all) look in that table. */
void plan_rule(
	struct arena *a, uint8_t family, uint32_t preference, uint32_t mark, uint32_t lookup, struct rtnl_things *out);
/* On a namespace's `lo`. */
void plan_own_address(struct arena *a, const struct net_cidr *address, struct rtnl_things *out);
/* Packets to it are for sockets here, whatever address it is. */
void plan_local(struct arena *a, const struct net_cidr *to, struct rtnl_things *out);
