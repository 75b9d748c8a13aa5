/* Attribute values as this service works with them: a tagged tree of 16-byte nodes in an arena, whose strings point
 * into what it was read from. Numbers are the bytes of number.h; sets are sorted, so that equal sets are equal element
 * by element. An item is a value of type V_M. Three forms are told here: the tree, what is on the wire (the generated
 * structs), and what is stored (compact, self-delimiting). */
#pragma once
#include "dynamodb.h"
#include "services/dynamodb/number.h"

enum value_type { V_NONE, V_S, V_N, V_B, V_SS, V_NS, V_BS, V_L, V_M, V_NULL, V_BOOL };
struct attr;
struct value {
	uint8_t type; /* enum value_type */
	bool truth;   /* BOOL */
	uint32_t n;   /* bytes of S, N, B; elements of the others */
	union {
		const char *p;
		struct str *set;
		struct value *list;
		struct attr *map;
	};
};
struct attr {
	struct str name;
	struct value value;
};

enum {
	ITEM_BYTES_MAX = 400 * 1024, /* "Service, account, and table quotas in Amazon DynamoDB" */
	VALUE_DEPTH_MAX = 32,
	KEY_HASH_MAX = 2048,
	KEY_RANGE_MAX = 1024,
};

static inline struct value value_text(enum value_type t, struct str s)
{
	return (struct value){.type = (uint8_t)t, .n = (uint32_t)s.n, .p = s.p};
}
static inline struct str value_str(const struct value *v)
{
	return str_n(v->p, v->n);
}
/* S, N, BOOL, …: as the API names the type. */
const char *ddb_type_name(unsigned type);
/* STRING, NUMBER, …: as some messages do. */
const char *ddb_type_word(unsigned type);

/* The attribute of a map; NULL where there is none. */
struct value *ddb_get(const struct value *map, struct str name);
/* Adds or replaces; copies the node. The map's array grows in the arena. */
void ddb_set(struct arena *a, struct value *map, struct str name, const struct value *v);
void ddb_remove(struct value *map, struct str name);
struct value ddb_map(void); /* an empty one */
/* How many attributes the array of a map of n has room for: whoever makes one allocates so many. */
uint32_t ddb_map_room(uint32_t n);
/* A tree of its own nodes (strings are shared). */
struct value ddb_copy(struct arena *a, const struct value *v);
bool ddb_equal(const struct value *x, const struct value *y);
/* Order of two S, N or B of the same type. */
int ddb_compare(const struct value *x, const struct value *y);
/* "DynamoDB item sizes and formats". An item's size is its map's without the 3 bytes of a nested one. */
size_t ddb_value_size(const struct value *v);
size_t ddb_item_size(const struct value *item);
bool ddb_set_has(const struct value *set, struct str element);
/* Union and difference of two sets of one type. */
struct value ddb_set_union(struct arena *a, const struct value *x, const struct value *y);
struct value ddb_set_minus(struct arena *a, const struct value *x, const struct value *y);
/* The set type of S, N, B; V_NONE for others. And back. */
enum value_type ddb_set_of(unsigned type);
enum value_type ddb_element_of(unsigned type);
/* As messages repeat a value: {S:text}. */
void ddb_value_describe(struct buf *b, const struct value *v);

/* From the wire. false: *why says what is wrong, as AWS words it. */
bool ddb_value_read(struct arena *a, const struct dynamodb_attribute_value *in, struct value *out, struct str *why);
/* Any of the generated maps from name to attribute value: they are laid out alike. */
bool ddb_map_read(struct arena *a, const void *generated_map, struct value *out, struct str *why);
/* To the wire, also to dynamodbstreams' structs, which are laid out alike. */
void ddb_value_write(struct arena *a, const struct value *v, void *generated_value);
void ddb_map_write(struct arena *a, const struct value *map, void *generated_map);

/* Stored form. */
struct str ddb_item_store(struct arena *a, const struct value *item);
void ddb_value_store(struct buf *b, const struct value *v);
/* CORRUPT for bytes that ddb_item_store has not made. Strings point into bytes. */
status ddb_item_load(struct arena *a, struct str bytes, struct value *item) MUST_USE;
status ddb_value_load(struct arena *a, struct str *rest, struct value *v) MUST_USE;
