/* What the files of EC2 share: kinds of resources and their records, ids, tags, filters, describing. "The reference" in
 * these files is the Amazon EC2 API Reference, "the guide" the Amazon VPC User Guide.
 *
 * A resource is a record of state.model at (ec2, TYPE, ACCOUNT, REGION, ID). Its members bear the names of the API's
 * own shape, so that ec2_copy carries most of it to an answer; the type's render adds what is computed. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "ec2.h"
#include "ec2_state.h"
#include "store/key.h"

/* Where resources are read and written: a transaction, and whose. */
struct ec2_place {
	struct store_tx *tx;
	struct arena *a;
	struct str account, region;
};
static inline struct ec2_place ec2_here(const struct call *c)
{
	return (struct ec2_place){c->tx, c->arena, c->account, c->region};
}

struct ec2_item {
	struct ec2_place at; /* the owner's */
	struct str id;
	void *record; /* struct ec2_rec_… of the type */
};
/* A kind of resource. */
struct ec2_type {
	const char *name;   /* of tags, ARNs and keys: "vpc" */
	const char *prefix; /* of ids: "vpc-" */
	const char *absent; /* what is said of an id that is not there; '@' stands for it */
	error_id not_found, malformed;
	bool strict_id;             /* an id of the right prefix has to be hexadecimal too, else it is malformed */
	uint16_t record;            /* EC2_REC_… */
	uint16_t shape;             /* EC2_SHAPE_… that describes it; 0 where nothing does */
	const char *const *filters; /* see filter.c; ends with NULL */
	/* Adds to what ec2_copy and tags have filled. May be NULL. */
	status (*render)(struct call *c, const struct ec2_item *item, void *out);
	/* False: not shown and not found (another's, or deleted long ago). NULL: all are. */
	bool (*visible)(struct call *c, const struct ec2_item *item);
};
/* All of them; types.c. */
extern const struct ec2_type *const ec2_types[];
extern const size_t ec2_types_length;

/* ── types.c ── records. `record` is a zeroed struct of the type. */
struct str ec2_new_id(struct arena *a, const char *prefix);
/* NULL where no type has such ids. */
const struct ec2_type *ec2_type_of(struct str id);
/* NOT_FOUND. Does not ask visible. */
status ec2_load(struct ec2_place at, const struct ec2_type *t, struct str id, void *record) MUST_USE;
/* Of the call's place, with the client's error. */
status ec2_find(struct call *c, const struct ec2_type *t, struct str id, void *record) MUST_USE;
/* MissingParameter where id is absent, malformed or not there (without reading). */
status ec2_check_id(struct call *c, const struct ec2_type *t, struct str id) MUST_USE;
status ec2_absent(struct call *c, const struct ec2_type *t, struct str id);
void ec2_put(struct ec2_place at, const struct ec2_type *t, struct str id, const void *record);
/* Its tags too. */
void ec2_drop(struct ec2_place at, const struct ec2_type *t, struct str id);
/* for (struct ec2_each e = ec2_each(at, t); ec2_next(&e);) … e.item … ; then TRY(ec2_each_end(&e)). */
struct ec2_each {
	struct ec2_item item;
	const struct ec2_type *type;
	struct store_scan *scan;
	status failed;
};
struct ec2_each ec2_each(struct ec2_place at, const struct ec2_type *t);
bool ec2_next(struct ec2_each *e);
status ec2_each_end(struct ec2_each *e) MUST_USE;
/* How many there are; for limits. */
status ec2_count(struct ec2_place at, const struct ec2_type *t, size_t *n) MUST_USE;
struct str ec2_arn(const struct call *c, struct str account, struct str region, const char *type, struct str id);

/* ── guard.c ── What transactions that scan (for overlaps, limits) would not see of each other: each reads and writes
 * the guard's record, so that one of two runs again. Returns how often it was taken. */
status ec2_guard(struct ec2_place at, struct str name, int64_t *version) MUST_USE;

/* ── copy.c ── members by their names, from shape to shape, deep; what is not in both is left alone. */
void ec2_copy(struct arena *a, const struct wire_tables *from_tables, uint16_t from_shape, const void *from,
	const struct wire_tables *to_tables, uint16_t to_shape, void *to);
/* Record to answer, input to record; `shape` and `record` are EC2_SHAPE_… and EC2_REC_…. */
void ec2_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to);
void ec2_take(struct arena *a, uint16_t shape, const void *from, uint16_t record, void *to);

/* ── tags.c ── */
/* Of a resource that is there. Absent: an empty list. */
status ec2_tags_get(struct ec2_place at, struct str id, struct ec2_tag_list *out) MUST_USE;
/* Adds and overwrites; checks keys, values and number. */
status ec2_tags_add(struct call *c, const struct ec2_type *t, struct str id, const struct ec2_tag_list *tags) MUST_USE;
/* What the request's TagSpecifications say of this type; those of types that the operation does not make are refused by
 * ec2_specified_only. */
status ec2_tags_specified(struct call *c, const struct ec2_tag_specification_list *specs, const struct ec2_type *t,
	struct str id) MUST_USE;
status ec2_specified_only(struct call *c, const struct ec2_tag_specification_list *specs,
	const struct ec2_type *const *types, size_t n) MUST_USE;

/* ── filter.c ── */
/* FAILED: a filter that the list of names does not have, or too many values. */
status ec2_filters_check(struct call *c, const char *const *names, const struct ec2_filter_list *filters) MUST_USE;
/* `out` is a filled struct of the shape: its members are what filters look at. */
bool ec2_filters_match(struct arena *a, uint16_t shape, const char *const *names, const struct ec2_filter_list *filters,
	const void *out);
/* Any of the patterns ('*', '?'). */
bool ec2_matches_any(const struct ec2_value_string_list *patterns, struct str value);

/* ── describe.c ── */
struct ec2_describe {
	const struct ec2_type *type;
	const void *ids; /* a list of strings, or NULL */
	const struct ec2_filter_list *filters;
	struct opt_i32 max_results;
	struct str next_token;
	void *out; /* the list to fill: { T *v; size_t n; } with T of the type's shape */
	struct str *next_out;
	/* Instead of type's: what is shown, and of which shape; or NULL. */
	uint16_t shape;
	const char *const *filter_names;
	status (*render)(struct call *c, const struct ec2_item *item, void *out);
	bool (*visible)(struct call *c, const struct ec2_item *item);
};
status ec2_describe(struct call *c, const struct ec2_describe *d) MUST_USE;
/* The ordinary DescribeX: `in` has filters, max_results, next_token; `out` next_token. */
#define EC2_DESCRIBE(c, resource_type, in, in_ids, out, out_list)                                                      \
	ec2_describe((c), &(struct ec2_describe){.type = (resource_type),                                              \
				  .ids = &(in)->in_ids,                                                                \
				  .filters = &(in)->filters,                                                           \
				  .max_results = (in)->max_results,                                                    \
				  .next_token = (in)->next_token,                                                      \
				  .out = &(out)->out_list,                                                             \
				  .next_out = &(out)->next_token})
/* One resource as its DescribeX shows it: for answers of CreateX and ModifyX. `out` is zeroed, of the type's shape. */
status ec2_describe_one(struct call *c, const struct ec2_type *t, struct str id, void *out) MUST_USE;
/* Cuts a list that was filled whole into a page: for what is not a resource of a type. */
status ec2_page(struct call *c, void *list, size_t element_size, struct opt_i32 max, struct str token,
	struct str *next) MUST_USE;

/* ── zone.c ── */
struct ec2_region_info {
	const char *name, *zones, *zone_prefix, *title; /* "us-east-1", "abcdef", "use1", "US East (N. Virginia)" */
	const char *zone_numbers;                       /* "642153": of zone ids, in order of zones */
	bool opt_in;
};
/* Of any region, known or not. */
struct ec2_region_info ec2_region_info(struct arena *a, struct str region);
/* NULL-ended, of a region: "us-east-1a", … */
struct ec2_zones {
	struct ec2_zone {
		struct str name, id;
		bool down;
	} v[8];
	size_t n;
};
status ec2_zones(struct store_tx *tx, struct arena *a, struct str region, struct ec2_zones *out) MUST_USE;
/* By name or by id; absent both: *out's name is STR_NONE. FAILED: InvalidParameterValue. */
status ec2_zone_find(struct call *c, struct str name, struct str id, struct ec2_zone *out) MUST_USE;
bool ec2_zone_is_down(struct store_tx *tx, struct arena *a, struct str zone);
/* Within a transaction. NOT_FOUND where no region has it. */
status ec2_zone_set(struct store_tx *tx, struct arena *a, struct str zone, bool down, int64_t now_ms) MUST_USE;

/* ── before.c ── struct service: DryRun, and an account's region as it is at its first use. */
status ec2_before(struct call *c, const void *in) MUST_USE;
/* The latter alone, for other services that put something into VPCs: in a transaction of its own, before the call's. */
status ec2_furnish(struct call *c) MUST_USE;

#define EC2_TYPES_DECLARE(name) extern const struct ec2_type ec2_type_##name
EC2_TYPES_DECLARE(vpc);
