/* PartiQL for DynamoDB: SELECT, INSERT, UPDATE, DELETE and EXISTS, parsed to the same trees as expressions ("PartiQL
 * reference for DynamoDB"). Parsing knows of no tables. */
#pragma once
#include "services/dynamodb/expr/expr.h"

enum { PARTIQL_BYTES_MAX = 8192, PARTIQL_DEPTH_MAX = 60 };

enum partiql_kind { PARTIQL_SELECT, PARTIQL_INSERT, PARTIQL_UPDATE, PARTIQL_DELETE, PARTIQL_EXISTS };
struct partiql {
	enum partiql_kind kind;
	struct str table, index;      /* index: STR_NONE without */
	struct projection projection; /* of SELECT; none: * */
	struct node *where;           /* NULL without */
	struct str order_by;          /* STR_NONE without */
	bool descending;
	struct value item; /* of INSERT */
	struct update update;
	struct str returning; /* of UPDATE and DELETE, as ReturnValues names it; STR_NONE without */
};
/* parameters: the values for each '?', in order. false: *why is what is wrong, as AWS words it. */
bool partiql_parse(struct arena *a, struct str text, const struct value *parameters, size_t n, struct partiql *out,
	struct str *why);
/* The value that the WHERE clause's top-level ANDs demand of an attribute to be equal to; NULL where they do not. */
const struct value *partiql_equal(const struct node *where, struct str name);
/* Whether every term is an equality of one of the two names (a whole key and nothing else). */
bool partiql_only_keys(const struct node *where, struct str hash, struct str range);
