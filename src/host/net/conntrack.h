/* The flows that the kernel tracks in a network namespace, and those of them that it shall forget (ctnetlink). */
#pragma once
#include "base/buf.h"
#include "host/net/mnl.h"

struct conntrack {
	struct buf commands; /* deletions */
	uint32_t seq;
};
/* on_entry for each flow, with ctx; then what it named is forgotten. Without a socket nothing happens. */
void conntrack_each(struct conntrack *c, int netns, mnl_cb_t on_entry, void *ctx);
/* Within on_entry. original: the flow's CTA_TUPLE_ORIG. */
void conntrack_forget(struct conntrack *c, const struct nlattr *original);
