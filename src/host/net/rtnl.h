/* Links, addresses, neighbours, routes and rules of one namespace, by rtnetlink (libmnl). Changes are gathered and sent
 * together: rtnl_flush tells how they went. What we make carries the protocol number RTNL_OURS. */
#pragma once
#include "base/buf.h"
#include "host/net/address.h"

#define RTNL_OURS 86
#define LINK_NAME 16

struct rtnl {
	int fd;
	uint32_t seq, first; /* first: of those not flushed yet */
	struct buf out;
	unsigned pending, changes; /* changes: since it was opened */
	status failed;             /* the first failure since the last flush */
	bool full;                 /* a message failed because nothing more may be sent */
};
/* netns stays the caller's. IO where the kernel gives no socket. */
status rtnl_open(int netns, struct rtnl *out) MUST_USE;
void rtnl_close(struct rtnl *r);
/* Sends what was gathered, waits for all answers. The first failure, logged. */
status rtnl_flush(struct rtnl *r) MUST_USE;

/* ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────── */
struct rtnl_end {
	const char *name;
	uint8_t mac[6];
	int netns; /* of the other end only */
};
/* A veth pair: one end here, and up; the other in its own namespace, and down. */
void rtnl_veth(struct rtnl *r, const struct rtnl_end *here, const struct rtnl_end *there, uint32_t mtu);
/* What `ip link` shows as alias. */
void rtnl_alias(struct rtnl *r, const char *name, struct str alias);
void rtnl_link_delete(struct rtnl *r, const char *name);
/* Without it a link's first ARP answer for somebody else takes 0.6 s: it is there so that the real host may answer
 * first. */
void rtnl_proxy_at_once(struct rtnl *r, unsigned index);
void rtnl_link_up(struct rtnl *r, const char *name, bool up);

struct rtnl_link {
	char name[LINK_NAME];
	unsigned index;
	bool up;
	uint32_t mtu;
	uint8_t mac[6];
	struct str alias;
};
struct rtnl_links {
	struct rtnl_link *v;
	size_t n;
};
status rtnl_links(struct rtnl *r, struct arena *a, struct rtnl_links *out) MUST_USE;
const struct rtnl_link *rtnl_find(const struct rtnl_links *l, const char *name);

/* ── the rest ── */
enum rtnl_kind { RTNL_ADDRESS = 1, RTNL_NEIGHBOUR, RTNL_ROUTE, RTNL_RULE };
/* Compared with memcmp, so nothing may be padding. */
struct rtnl_thing {
	/* The key. */
	uint8_t kind;
	struct net_cidr to; /* address with its prefix length; neighbour; destination; a rule's family alone */
	uint8_t unused;
	uint32_t table;           /* routes */
	uint32_t preference;      /* rules */
	char key_link[LINK_NAME]; /* addresses, neighbours */
	/* The value. */
	uint32_t mark, mask, lookup; /* rules; lookup is the table */
	uint8_t type;                /* a route's, RTN_… */
	struct net_cidr via;         /* routes: next hop; rules: source; family 0: none */
	char link[LINK_NAME];        /* routes; "": none */
	uint8_t mac[6];              /* neighbours */
	uint8_t unused_too[3];
};
_Static_assert(sizeof(struct net_cidr) == 18 && sizeof(struct rtnl_thing) == 100, "no padding");
struct rtnl_things {
	struct rtnl_thing *v;
	size_t n, capacity;
};
struct rtnl_thing *rtnl_add(struct arena *a, struct rtnl_things *t);
/* All that is ours in that namespace. */
status rtnl_standing(struct rtnl *r, struct arena *a, const struct rtnl_links *links, struct rtnl_things *out) MUST_USE;
/* Gathers what makes `standing` into `wanted`; things on links that do not stand (names not among `links`) are left
 * out. Sorts both. */
void rtnl_converge(
	struct rtnl *r, const struct rtnl_links *links, struct rtnl_things *standing, struct rtnl_things *wanted);
/* Gathers what makes those of `wanted` that are on links which have just come: nothing of ours is on them yet. Sorts. */
void rtnl_furnish(struct rtnl *r, const struct rtnl_links *come, struct rtnl_things *wanted);
