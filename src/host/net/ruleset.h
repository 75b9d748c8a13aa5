/* An nftables table as text, by its objects, so that two of them can be compared and what differs be said in one
 * transaction. Names and elements come from validated ids and addresses only. */
#pragma once
#include "base/buf.h"

struct ruleset_part {
	struct str name;
	bool is_set;     /* a set or map; else a chain */
	struct str spec; /* "{ type ifname : mark; }", "{ type filter hook … }"; "": a plain chain */
	/* A chain's rules in order; a set's elements. */
	struct str *v;
	size_t n, capacity;
};
struct ruleset {
	struct arena *arena; /* where all of it lives */
	struct ruleset_part **v;
	size_t n, capacity;
};

struct ruleset_part *ruleset_chain(struct ruleset *r, struct str name, const char *spec);
struct ruleset_part *ruleset_set(struct ruleset *r, struct str name, const char *spec);
/* A rule or an element. */
void ruleset_line(struct ruleset *r, struct ruleset_part *p, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct ruleset_part *ruleset_find(const struct ruleset *r, struct str name, bool is_set);

/* The commands that make `old` into `new`; the whole table anew where old is NULL. NUL-terminated; empty where nothing
 * differs. The number of objects that change is added to *changes. Sorts the elements of sets. */
void ruleset_diff(const struct ruleset *old, struct ruleset *wanted, struct buf *out, unsigned *changes);
