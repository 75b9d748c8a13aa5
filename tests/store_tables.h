/* A record shape with one member of every kind, made by hand: for the codec's test and fuzz target. `node` has fields 1 to
 * 16 and may contain itself; `old` is the same record before some fields were added and after others were removed. */
#pragma once
#include "wire/desc.h"

struct node;
struct node_entry {
	struct str key;
	struct node *value;
};
struct node {
	struct str name;
	struct opt_i32 count;
	struct opt_i64 big;
	struct opt_f64 ratio;
	struct opt_time made;
	struct opt_bool flag;
	struct { struct str *v; size_t n; } tags;
	struct { struct { struct str key; struct str value; } *v; size_t n; } labels;
	struct node *child;
	struct { struct node *v; size_t n; } children;
	struct { struct node **v; size_t n; } sparse;
	struct { struct opt_i64 *v; size_t n; } numbers;
	struct str body;
	struct { struct { struct str *v; size_t n; } *v; size_t n; } matrix;
	struct { struct node_entry *v; size_t n; } by_name;
	struct { struct opt_f64 *v; size_t n; } weights;
};
struct old_node {
	struct opt_i64 big;
	struct { struct str *v; size_t n; } tags;
	struct str removed_later; /* field 99 */
};

enum {
	SHAPE_STRING, SHAPE_BLOB, SHAPE_BOOL, SHAPE_I32, SHAPE_I64, SHAPE_F64, SHAPE_TIME, SHAPE_TAGS, SHAPE_LABELS, SHAPE_NODE,
	SHAPE_NODES, SHAPE_SPARSE, SHAPE_NUMBERS, SHAPE_MATRIX, SHAPE_BY_NAME, SHAPE_WEIGHTS, SHAPE_OLD,
};
static const char store_pool[] = "\0\0";

#define FIELD(number, type, member, shape_) {.wire_name = (number), .offset = offsetof(type, member), .shape = (shape_)}
#define ELEMENT(shape_) {.shape = (shape_)}
static const struct wire_member store_members[] = {
	FIELD(1, struct node, name, SHAPE_STRING), FIELD(2, struct node, count, SHAPE_I32),
	FIELD(3, struct node, big, SHAPE_I64), FIELD(4, struct node, ratio, SHAPE_F64),
	FIELD(5, struct node, made, SHAPE_TIME), FIELD(6, struct node, flag, SHAPE_BOOL),
	FIELD(7, struct node, tags, SHAPE_TAGS), FIELD(8, struct node, labels, SHAPE_LABELS),
	FIELD(9, struct node, child, SHAPE_NODE), FIELD(10, struct node, children, SHAPE_NODES),
	FIELD(11, struct node, sparse, SHAPE_SPARSE), FIELD(12, struct node, numbers, SHAPE_NUMBERS),
	FIELD(13, struct node, body, SHAPE_BLOB), FIELD(14, struct node, matrix, SHAPE_MATRIX),
	FIELD(15, struct node, by_name, SHAPE_BY_NAME), FIELD(16, struct node, weights, SHAPE_WEIGHTS),
	/* 16 */ ELEMENT(SHAPE_STRING),
	/* 17 */ ELEMENT(SHAPE_STRING), {.shape = SHAPE_STRING, .offset = 16},
	/* 19 */ ELEMENT(SHAPE_NODE),
	/* 20 */ ELEMENT(SHAPE_I64),
	/* 21 */ ELEMENT(SHAPE_TAGS),
	/* 22 */ ELEMENT(SHAPE_STRING), {.shape = SHAPE_NODE, .offset = 16},
	/* 24 */ ELEMENT(SHAPE_F64),
	/* 25 */ FIELD(3, struct old_node, big, SHAPE_I64), FIELD(7, struct old_node, tags, SHAPE_TAGS),
	FIELD(99, struct old_node, removed_later, SHAPE_STRING),
};
static const struct wire_shape store_shapes[] = {
	[SHAPE_STRING] = {.kind = WIRE_STRING, .size = sizeof(struct str)},
	[SHAPE_BLOB] = {.kind = WIRE_BLOB, .size = sizeof(struct str)},
	[SHAPE_BOOL] = {.kind = WIRE_BOOL, .size = sizeof(struct opt_bool)},
	[SHAPE_I32] = {.kind = WIRE_I32, .size = sizeof(struct opt_i32)},
	[SHAPE_I64] = {.kind = WIRE_I64, .size = sizeof(struct opt_i64)},
	[SHAPE_F64] = {.kind = WIRE_F64, .size = sizeof(struct opt_f64)},
	[SHAPE_TIME] = {.kind = WIRE_TIME, .size = sizeof(struct opt_time)},
	[SHAPE_TAGS] = {.kind = WIRE_LIST, .size = sizeof(struct str), .first = 16, .count = 1},
	[SHAPE_LABELS] = {.kind = WIRE_MAP, .size = 32, .first = 17, .count = 2},
	[SHAPE_NODE] = {.kind = WIRE_STRUCT, .flags = WIRE_S_RECURSIVE, .size = sizeof(struct node), .first = 0, .count = 16},
	[SHAPE_NODES] = {.kind = WIRE_LIST, .size = sizeof(struct node), .first = 19, .count = 1},
	[SHAPE_SPARSE] = {.kind = WIRE_LIST, .flags = WIRE_S_SPARSE, .size = sizeof(struct node *), .first = 19, .count = 1},
	[SHAPE_NUMBERS] = {.kind = WIRE_LIST, .size = sizeof(struct opt_i64), .first = 20, .count = 1},
	[SHAPE_MATRIX] = {.kind = WIRE_LIST, .size = sizeof(struct wire_list), .first = 21, .count = 1},
	[SHAPE_BY_NAME] = {.kind = WIRE_MAP, .flags = WIRE_S_SPARSE, .size = sizeof(struct node_entry), .first = 22, .count = 2},
	[SHAPE_WEIGHTS] = {.kind = WIRE_LIST, .size = sizeof(struct opt_f64), .first = 24, .count = 1},
	[SHAPE_OLD] = {.kind = WIRE_STRUCT, .size = sizeof(struct old_node), .first = 25, .count = 3},
};
static const struct wire_tables store_tables = {
	.pool = store_pool, .shapes = store_shapes, .members = store_members,
	.n_shapes = sizeof store_shapes / sizeof *store_shapes, .n_members = sizeof store_members / sizeof *store_members,
};
