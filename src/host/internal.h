/* The agent's handlers, one line each. Inside host/ only. */
#pragma once
#include "host/agent.h"

void socket_listen(struct agent *g, struct agent_request *r);
void socket_connect(struct agent *g, struct agent_request *r);

void net_on_vpc(struct agent *g, struct agent_request *r);
void net_on_vpc_remove(struct agent *g, struct agent_request *r);
void net_on_tgw(struct agent *g, struct agent_request *r);
void net_on_tgw_remove(struct agent *g, struct agent_request *r);
void net_on_trace(struct agent *g, struct agent_request *r);
void net_on_flows(struct agent *g, struct agent_request *r);
void net_on_balance(struct agent *g, struct agent_request *r);
void net_on_balance_count(struct agent *g, struct agent_request *r);
void net_on_internet(struct agent *g, struct agent_request *r);

struct net *net_new(struct agent *g);
void net_free(struct net *n);
/* A machine's namespace has been bound (netns_bind): its interfaces are plugged in by the next net_settle, where a VPC's
 * intent tells of them. */
void net_place_stands(struct net *n, struct str place);
/* At the end of a turn of the agent's loop: once for all that came in it. */
void net_settle(struct net *n);
/* A shared file system as a machine reaches it: at an interface of its own VPC. */
struct net_share {
	struct str address, folder;
	const struct host_rec_strings *points;
};
/* host: the interface's address, or the file system's id: then the one of the machine's zone. False: there is none. The
 * strings live as long as the VPC's intent. */
bool net_share_of(const struct net *n, struct str machine, struct str host, struct net_share *out);
/* Removes every namespace of the installation. */
void net_clear(struct net *n);
