/* Between the files of rtnl. */
#pragma once
#include "host/net/rtnl.h"
#include <linux/netlink.h>

/* A message to fill, then rtnl_done. */
struct nlmsghdr *rtnl_message(struct rtnl *r, uint16_t type, uint16_t flags);
void rtnl_done(struct rtnl *r, const struct nlmsghdr *h);
status rtnl_dump(struct rtnl *r, uint16_t type, uint8_t family, int (*each)(const struct nlmsghdr *h, void *ctx),
	void *ctx) MUST_USE;
