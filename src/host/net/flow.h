/* Flow logs of a VPC: what its interfaces sent, received and were refused. Inside host/net only. */
#pragma once
#include "host/net/net.h"

/* After a new model stands: listens to what is asked for. */
void flow_settle(struct net *n, struct net_vpc *v);
void flow_end(struct net_vpc *v);
