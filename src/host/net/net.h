/* The networks of an installation, in the agent: what it was told last, and the spaces that it keeps in order. Inside
 * host/net only; host/internal.h has the door. */
#pragma once
#include "host/internal.h"
#include "host/net/model.h"
#include "host/net/plan.h"
#include "host/net/space.h"

#define PLACE_INTERNET STR("internet")
#define MTU_INTERNET 1500u
#define MTU_VPC 9001u
#define MTU_TGW 8500u

struct net_vpc {
	struct net_vpc *next;
	struct arena *arena; /* the intent and the model */
	struct model *model;
	struct space router;
	bool incomplete;       /* a place, or the other end of a link, did not stand when it was looked at last */
	bool awaited;          /* a place has come meanwhile: net_settle plugs it in */
	struct repair *repair; /* repair.h; NULL: not watched */
	struct flow *flow;     /* flow.h; NULL: nothing is logged */
};
struct net_tgw {
	struct net_tgw *next;
	struct arena *arena;
	struct host_rec_transit_gateway *intent;
	struct space space;
};
struct net {
	struct agent *agent;
	struct net_vpc *vpcs;
	struct net_tgw *tgws;
	struct space internet;
	struct arena *internet_arena;
	struct model_cidrs services; /* addresses of AWS's services on the internet */
};

struct net_vpc *net_vpc_find(const struct net *n, struct str id);
struct net_tgw *net_tgw_find(const struct net *n, struct str id);
struct str net_prefix(const struct net *n);

/* Makes what stands what the model says. old: the model before, NULL where it is not known. forced: look at everything
 * anew. */
struct net_effect {
	unsigned changes;
	struct str why; /* static */
};
status net_vpc_converge(
	struct net *n, struct net_vpc *v, const struct model *old, bool forced, struct net_effect *e) MUST_USE;
/* The same, without looking at links and routes where the new model wants the same ones as the old. */
status net_vpc_change(struct net *n, struct net_vpc *v, const struct model *old, struct net_effect *e) MUST_USE;
/* Places of machines have come that the model names (net_vpc.awaited): plugs them in. */
status net_vpc_plug(struct net *n, struct net_vpc *v, struct net_effect *e) MUST_USE;
/* Its routes alone: a link of it has come. */
status net_vpc_routes(struct net *n, struct net_vpc *v, struct net_effect *e) MUST_USE;

/* The internet's namespace stands after it. */
status net_internet(struct net *n) MUST_USE;
/* The routes to the VPC's public addresses; model NULL: none. */
status net_internet_routes(struct net *n, const struct model *m, struct str vpc, struct net_effect *e) MUST_USE;
/* Its link in the internet's namespace. */
void net_internet_link(struct str vpc, char out[LINK_NAME]);

void net_answer(
	struct agent *g, struct agent_request *r, status s, bool applied, const struct net_effect *e, int64_t begun_us);
/* The places that were made for a VPC's services, and the file that tells which; STR_NONE: of all, the files alone. */
void net_places_remove(struct net *n, struct str vpc);

/* Makes a link between two spaces, A here. */
void net_join(struct space *a, const char *name_a, struct space *b, const char *name_b, uint32_t mtu, struct str alias,
	bool a_is_first);
/* A transit gateway's links and routes. */
status net_tgw_converge(struct net *n, struct net_tgw *t, struct net_effect *e) MUST_USE;
/* Forgets the mappings of flows through public addresses that changed their interface. */
void net_flows_forget(struct space *router, const struct model *old, const struct model *m);
