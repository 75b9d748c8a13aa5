/* Links between two of our own namespaces. */
#include "host/net/net.h"

void net_join(struct space *a, const char *name_a, struct space *b, const char *name_b, uint32_t mtu, struct str alias,
	bool a_is_first)
{
	static const uint8_t macs[2][6] = {PLAN_MAC_A, PLAN_MAC_B};
	struct rtnl_end here = {.name = name_a}, there = {.name = name_b, .netns = b->netns};
	memcpy(here.mac, macs[!a_is_first], 6);
	memcpy(there.mac, macs[a_is_first], 6);
	rtnl_veth(&a->rtnl, &here, &there, mtu);
	rtnl_alias(&a->rtnl, name_a, alias);
	/* The pair has to stand before the other namespace's socket speaks of it; a failure is told by the next flush.
	 */
	status s = rtnl_flush(&a->rtnl);
	if (!is_ok(s)) a->rtnl.failed = s;
	rtnl_alias(&b->rtnl, name_b, alias);
	rtnl_link_up(&b->rtnl, name_b, true);
}
