/* The agent's handlers, one line each. Inside host/ only. */
#pragma once
#include "host/agent.h"

void socket_listen(struct agent *g, struct agent_request *r);
void socket_connect(struct agent *g, struct agent_request *r);

struct net *net_new(struct agent *g);
void net_free(struct net *n);
/* Removes every namespace of the installation. */
void net_clear(struct net *n);
