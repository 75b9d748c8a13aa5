/* Where a request's connection ended: in virga's own network namespace, or in one whose listening socket the edge adopted
 * (edge_adopt). */
#pragma once
#include "edge/edge.h"

/* The cookie of a socket's network namespace (SO_NETNS_COOKIE). 0 where the kernel does not tell. */
uint64_t edge_netns(int socket);
/* Of an exchange that is not answered yet: the cookie, 0 for virga's own namespace, and the address that was called, which
 * lives as long as the exchange. Any thread. */
uint64_t edge_arrival(const struct edge_exchange *x, struct str *local);
