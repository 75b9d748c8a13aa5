/* Connections that somebody else serves, by the name that the client says first (TLS: the server name; else the Host
 * header, with its port). `take` is asked once for each new connection, in the acceptor's thread, and must not block. True:
 * the socket is its own from now on, with nothing read from it. Copied; NULL ends it: no call runs when that returns. */
#pragma once
#include "edge/edge.h"

struct edge_diverter {
	void *ctx;
	bool (*take)(void *ctx, int fd, struct str name, bool tls);
};
void edge_divert(struct edge *e, const struct edge_diverter *d);
