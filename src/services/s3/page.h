/* Listing a page: a walk over the keys of one space in order, that rolls keys up into common prefixes and jumps over
 * them, so that a page costs what it shows and not what the bucket holds. */
#pragma once
#include "services/s3/room.h"
#include "store/key.h"

struct s3_walk {
	struct call *c;
	struct str space, to, prefix, delimiter;
	struct store_scan *scan;
	bool done;
};
struct s3_walk_item {
	struct str key; /* or the common prefix; in the call's arena */
	bool common;
	struct str rest;  /* the elements that follow it in the store's key; valid until the next item */
	struct str value; /* valid until the next item */
};
/* space: how the store's keys begin; a string follows that is listed. Absent or empty prefix, delimiter, after: none.
 * What is listed is greater than `after`; a common prefix that `after` begins with counts as passed. */
void s3_walk_begin(
	struct s3_walk *w, struct call *c, struct str space, struct str prefix, struct str delimiter, struct str after);
/* The same, but begins at a store key (of this space). */
void s3_walk_begin_at(
	struct s3_walk *w, struct call *c, struct str space, struct str prefix, struct str delimiter, struct str from);
bool s3_walk_next(struct s3_walk *w, struct s3_walk_item *item);
status s3_walk_end(struct s3_walk *w) MUST_USE;

/* Continuation tokens: opaque, they name the last item of a page. Reading gives STR_NONE for an absent one, and fails
 * with InvalidArgument for what was not made here. */
struct str s3_token_make(struct call *c, struct str last);
status s3_token_read(struct call *c, struct str token, struct str *after) MUST_USE;
/* encoding-type: OK for none and url. */
status s3_encoding_check(struct call *c, struct str encoding_type, bool *url) MUST_USE;
/* The text as the answer shows it. */
struct str s3_shown(struct call *c, bool url, struct str s);
/* max-keys and its like: 1000 where absent, at most that; negative is InvalidArgument. name: how AWS calls the
 * argument. */
status s3_page_limit(struct call *c, struct opt_i32 asked, const char *name, size_t *limit) MUST_USE;
