/* What others do to a router: its rules, links, addresses and routes are watched (the kernel tells), and made again
 * what they should be. Inside host/net only. */
#pragma once
#include "host/net/net.h"

/* After our own changes: watches from now on, and forgets what was told of them. */
void repair_settle(struct net *n, struct net_vpc *v);
void repair_end(struct net_vpc *v);
