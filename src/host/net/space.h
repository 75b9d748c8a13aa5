/* A namespace that the agent keeps in order: its links and its rules. */
#pragma once
#include "host/net/nft.h"
#include "host/net/rtnl.h"
#include "host/net/ruleset.h"

struct space {
	struct str place; /* heap; STR_NONE: closed */
	int netns;
	bool made; /* by this call, not found */
	struct rtnl rtnl;
	struct nft *nft;
	struct ruleset *rules; /* what stands; NULL: unknown */
	struct arena *rules_arena;
	uint32_t generation; /* of nftables, after our last change */
};

/* How a namespace that forwards packets is set up. */
enum space_kind { SPACE_HOST, SPACE_ROUTER };
/* Opens the place's namespace, makes it where there is none. prefix as agent_prefix. */
status space_make(struct str prefix, struct str place, enum space_kind kind, struct space *out) MUST_USE;
/* Many of them: a new namespace takes the kernel a millisecond and more, mostly without a lock that others want. So as many
 * threads as there are processors make them; they have ended on return. */
struct space_wish {
	struct str place;
	enum space_kind kind;
	struct space space;
	status result;
};
void space_make_all(struct str prefix, struct space_wish *v, size_t n);
/* NOT_FOUND where there is none. */
status space_open(struct str prefix, struct str place, struct space *out) MUST_USE;
void space_close(struct space *s);
/* Removes its links, at once: the kernel takes a namespace apart some time after its last holder is gone. */
void space_unlink(struct space *s);

/* A ruleset in an arena of its own, to fill. */
struct ruleset *space_ruleset(void);
/* Makes it stand, in one transaction with nothing in between; takes it over. */
status space_rules(struct space *s, struct ruleset *wanted, unsigned *changes) MUST_USE;
/* Somebody else has changed the rules since: they are forgotten, and the next space_rules writes all of them. */
bool space_rules_touched(struct space *s);
/* Makes the addresses, neighbours, routes and rules stand. links: what there is in it now. fresh: nothing of ours can
 * stand yet. */
status space_converge(struct space *s, struct arena *a, const struct rtnl_links *links, bool fresh,
	struct rtnl_things *wanted) MUST_USE;
