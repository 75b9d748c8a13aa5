/* DynamoDB's expressions: one tokenizer and one parser for conditions, filters, key conditions, projections and
 * updates; an evaluator over values. Nothing here knows of tables or calls. What is wrong with an expression is told in
 * the scope's error, as AWS words it ("Expressions in DynamoDB", and the messages that the service answers). Legacy
 * parameters (Expected, AttributeUpdates, …) are translated to the same trees. */
#pragma once
#include "services/dynamodb/value.h"

enum {
	EXPR_BYTES_MAX = 4096,
	EXPR_OPERATORS_MAX = 300,
	EXPR_IN_MAX = 100,
	EXPR_DEPTH_MAX = 150,
	EXPR_PATH_DEPTH_MAX = 32
};

enum expr_kind { EXPR_CONDITION, EXPR_FILTER, EXPR_KEY_CONDITION, EXPR_PROJECTION, EXPR_UPDATE };
const char *expr_kind_name(enum expr_kind k); /* ConditionExpression, … */

struct path_step {
	struct str name; /* absent: an index */
	uint32_t index;
};
struct path {
	struct path_step *steps;
	size_t n;
};

enum function {
	FN_NONE,
	FN_ATTRIBUTE_EXISTS,
	FN_ATTRIBUTE_NOT_EXISTS,
	FN_ATTRIBUTE_TYPE,
	FN_BEGINS_WITH,
	FN_CONTAINS,
	FN_SIZE,
	FN_IF_NOT_EXISTS,
	FN_LIST_APPEND,
	/* Only of legacy conditions. */
	FN_NOT_CONTAINS,
};
enum node_type {
	NODE_PATH,
	NODE_VALUE,
	NODE_CALL,
	NODE_PLUS,
	NODE_MINUS,
	NODE_EQ,
	NODE_NE,
	NODE_LT,
	NODE_LE,
	NODE_GT,
	NODE_GE,
	NODE_BETWEEN,
	NODE_IN,
	NODE_AND,
	NODE_OR,
	NODE_NOT,
};
struct node {
	enum node_type type;
	enum function function; /* CALL */
	struct path path;       /* PATH */
	struct value value;     /* VALUE */
	struct node **args;
	size_t n;
	bool parenthesized;
};

enum action_type { ACTION_SET, ACTION_REMOVE, ACTION_ADD, ACTION_DELETE };
struct action {
	enum action_type type;
	struct path path;
	struct node *operand; /* not of REMOVE */
};
struct update {
	struct action *v;
	size_t n;
};
struct projection {
	struct path *v;
	size_t n;
};

struct scope_name {
	struct str key, name;
	bool used;
};
struct scope_value {
	struct str key;
	struct value value;
	bool used;
};
/* A request's placeholders. */
struct scope {
	struct arena *a;
	struct scope_name *names;
	size_t n_names;
	struct scope_value *values;
	size_t n_values;
	struct str error; /* the first; STR_NONE while all is well */
};

/* Reads ExpressionAttributeNames and ExpressionAttributeValues (the generated maps; v == NULL: absent). */
bool scope_init(struct scope *s, struct arena *a, const struct dynamodb_expression_attribute_name_map *names,
	const struct dynamodb_expression_attribute_value_map *values);
/* After all expressions of the request were parsed: every placeholder was used. */
bool scope_all_used(struct scope *s);
/* Records the first error; always false. */
bool scope_fail(struct scope *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool expr_parse_condition(struct scope *s, enum expr_kind kind, struct str text, struct node **out);
bool expr_parse_update(struct scope *s, struct str text, struct update *out);
bool expr_parse_projection(struct scope *s, struct str text, struct projection *out);
/* No two paths may lie within each other ("overlap") or take one thing as a map and as a list ("conflict"). */
bool expr_check_paths(struct scope *s, enum expr_kind kind, const struct path *paths, size_t n);
bool expr_is_reserved(struct str word);

/* NULL where the item has nothing there. */
struct value *expr_at(const struct value *item, const struct path *p);
/* A condition's truth; item may be an empty map. */
bool expr_test(const struct node *n, const struct value *item);
/* *item, a tree of its own, is changed; on failure it is half changed and *error says why. */
bool expr_apply(struct arena *a, const struct update *u, struct value *item, struct str *error);
/* The parts of the item that the projection names. */
struct value expr_project(struct arena *a, const struct projection *p, const struct value *item);

/* What a KeyConditionExpression, or KeyConditions, ask of the keys. */
enum range_type { RANGE_NONE, RANGE_EQ, RANGE_LT, RANGE_LE, RANGE_GT, RANGE_GE, RANGE_BETWEEN, RANGE_BEGINS };
struct key_condition {
	struct value hash;
	enum range_type type;
	struct value low, high; /* low alone, but for BETWEEN */
};
/* hash, range: the key's attribute names (range may be absent). Types are for the caller to check. */
bool expr_key_condition(
	struct scope *s, const struct node *n, struct str hash, struct str range, struct key_condition *out);
/* A name that a filter may not use, if it uses one: one of the two given. STR_NONE otherwise. */
struct str expr_uses(const struct node *n, struct str hash, struct str range);

/* ── legacy parameters ── */
bool legacy_conditions(struct scope *s, const struct dynamodb_filter_condition_map *conditions,
	struct str conditional_operator, struct node **out);
bool legacy_expected(struct scope *s, const struct dynamodb_expected_attribute_map *expected,
	struct str conditional_operator, struct node **out);
bool legacy_updates(struct scope *s, const struct dynamodb_attribute_updates *updates, struct update *out);
bool legacy_attributes(struct scope *s, const struct dynamodb_attribute_name_list *names, struct projection *out);

/* ── for the parser's files ── */
const char *expr_function_name(enum function f);
const char *expr_operator_name(enum node_type t);
/* A comparison's operands, once they are known: distinct paths, types of literals, BETWEEN's bounds. */
bool expr_check_node(struct scope *s, enum expr_kind kind, const struct node *n);
