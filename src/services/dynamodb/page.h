/* A range of a table or an index, and a page of what is in it. */
#pragma once
#include "services/dynamodb/service.h"

enum selection { SELECT_ALL, SELECT_PROJECTED, SELECT_SPECIFIC, SELECT_COUNT };

/* What is asked, and what comes of it. Zeroed, then t; then ddb_page_index, a range, and the rest. */
struct reading {
	struct table *t;
	const struct index *x; /* NULL: the table */
	const struct key_schema *key;
	struct str prefix, from, to;
	bool backwards, consistent;
	int64_t limit; /* 0: none */
	struct node *filter;
	struct projection projection;
	enum selection selection;
	bool fetches; /* attributes that a local index does not hold come from the table */
	/* results */
	struct dynamodb_item_list items;
	int64_t count, scanned;
	struct value last; /* where the next page begins; V_NONE at the end */
	struct cost cost;
};

/* Chooses the table (name absent) or an index of it. */
status ddb_page_index(struct work *w, struct reading *r, struct str name) MUST_USE;
/* Select's value, against the projection and the index; r->consistent too. legacy: AttributesToGet was given. */
status ddb_page_selection(struct work *w, struct reading *r, struct str select, bool legacy) MUST_USE;
/* The condition's values fit the key's types. */
status ddb_page_types(struct work *w, const struct key_schema *k, const struct key_condition *c) MUST_USE;
/* The range of a key condition. */
void ddb_page_bounds(struct work *w, struct reading *r, const struct key_condition *c);
/* Begins behind an ExclusiveStartKey; after the range was set. query: for the message. */
status ddb_page_start(struct work *w, struct reading *r, const struct dynamodb_key *given, bool query) MUST_USE;
/* Reads a page and charges for it. */
status ddb_page_read(struct work *w, struct reading *r) MUST_USE;
