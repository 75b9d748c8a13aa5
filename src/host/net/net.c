/* The networks of an installation. */
#include "host/internal.h"
#include "host/netns.h"
#include <stdlib.h>

struct net {
	struct agent *agent;
};

struct net *net_new(struct agent *g)
{
	struct net *n = mem_new(sizeof(*n));
	n->agent = g;
	return n;
}

void net_free(struct net *n) { free(n); }

void net_clear(struct net *n)
{
	struct arena a;
	arena_init(&a);
	size_t count = 0;
	struct str *names = netns_list(&a, str_cat(&a, agent_prefix(n->agent), STR("-")), &count);
	for (size_t i = 0; i < count; i++) netns_remove(names[i]);
	arena_cleanup(&a);
}
