/* What the files of ElastiCache share. "The reference" is the Amazon ElastiCache API Reference, "the guide" the Amazon
 * ElastiCache User Guide.
 *
 * What is made and deleted as one is a *unit*: a cache cluster of its own (Redis with one node, memcached with up to
 * 40), or a replication group whose nodes are cache clusters to the API. Behind each node runs a real server (node.h),
 * brought about by a level-triggered job for each unit (controller.c). A resource is a record of state.model at
 * (elasticache, KIND, ACCOUNT, REGION, NAME), its name in lower case. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "elasticache.h"
#include "elasticache_state.h"
#include "services/ec2/network.h"
#include "store/key.h"

struct cache_place {
	struct store_tx *tx;
	struct arena *a;
	struct str account, region;
};
static inline struct cache_place cache_here(const struct call *c)
{
	return (struct cache_place){c->tx, c->arena, c->account, c->region};
}

/* "Quotas for ElastiCache", the guide: an account's in a region. */
enum {
	CACHE_NODES_MAX = 300,
	CACHE_CLUSTER_NODES_MAX = 40, /* of one memcached cluster */
	CACHE_REPLICAS_MAX = 5,
	CACHE_SHARDS_MAX = 90,
	CACHE_GROUPS_MAX = 150,
	CACHE_USERS_MAX = 1000,
	CACHE_USER_GROUPS_MAX = 100,
	CACHE_SNAPSHOTS_MAX = 100,
	CACHE_ID_MAX = 40,
	CACHE_CLUSTER_ID_MAX = 50,
};

#define CACHE_FAIL(c, id, ...) call_fail((c), ELASTICACHE_ERR_##id, __VA_ARGS__)
#define CACHE_BAD_VALUE(c, ...) CACHE_FAIL(c, INVALID_PARAMETER_VALUE_EXCEPTION, __VA_ARGS__)
#define CACHE_BAD_COMBINATION(c, ...) CACHE_FAIL(c, INVALID_PARAMETER_COMBINATION_EXCEPTION, __VA_ARGS__)

/* ── records.c ── */
struct cache_kind {
	const char *name; /* of keys and ARNs */
	uint16_t record;  /* ELASTICACHE_REC_… */
};
extern const struct cache_kind cache_kind_unit, cache_kind_cluster, cache_kind_group, cache_kind_subnet_group,
	cache_kind_parameter_group, cache_kind_user, cache_kind_user_group, cache_kind_snapshot, cache_kind_event;
/* *record is zeroed first. NOT_FOUND. */
status cache_load(struct cache_place at, const struct cache_kind *k, struct str name, void *record) MUST_USE;
void cache_put(struct cache_place at, const struct cache_kind *k, struct str name, const void *record);
void cache_drop(struct cache_place at, const struct cache_kind *k, struct str name);
/* for (struct cache_each e = cache_each(at, k); cache_next(&e);) … e.record … ; then TRY(cache_each_end(&e)). */
struct cache_each {
	struct cache_place at;
	const struct cache_kind *kind;
	struct str name;
	void *record;
	struct store_scan *scan;
	status failed;
};
struct cache_each cache_each(struct cache_place at, const struct cache_kind *k);
bool cache_next(struct cache_each *e);
status cache_each_end(struct cache_each *e) MUST_USE;
/* Units of all accounts and regions: at is the owner's. */
struct cache_each cache_each_unit(struct store_tx *tx, struct arena *a);
status cache_count(struct cache_place at, const struct cache_kind *k, size_t *n) MUST_USE;
struct str cache_arn(const struct call *c, const struct cache_kind *k, struct str name);
/* Letters, digits, hyphens, the first a letter, no hyphen at the end and no two in a row. what: the parameter. */
status cache_name_check(struct call *c, struct str name, const char *what, size_t max) MUST_USE;
/* A shape's members from a record's of the same names. */
void cache_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to);
/* A text that clients send empty where they leave it to ElastiCache. */
static inline struct str cache_given(struct str s)
{
	return s.n ? s : STR_NONE;
}

/* ── page.c ── */
/* Cuts a list that was filled whole into a page by MaxRecords (20 to 100) and Marker. */
status cache_page(struct call *c, void *list, size_t element_size, struct opt_i32 max, struct str marker,
	struct str *next) MUST_USE;

/* ── tags.c ── */
status cache_tags_set(
	struct call *c, struct elasticache_rec_pairs *to, const struct elasticache_tag *tags, size_t n) MUST_USE;

/* ── subnet_group.c ── */
/* The group by its name; absent: "default", made of the default VPC's subnets when it is first asked for. */
status cache_subnet_group_for(struct call *c, struct str name, struct elasticache_rec_subnet_group *out) MUST_USE;

/* ── engine.c ── engines, versions, node types. */
struct cache_engine {
	const char *engine, *version, *family, *description;
	bool default_clustered_family; /* of default parameter groups */
	int32_t port;
};
/* NULL where there is no such engine or version; version absent: the newest. */
const struct cache_engine *cache_engine_find(struct str engine, struct str version);
struct cache_type {
	const char *name;
	int64_t memory; /* maxmemory, bytes */
	int32_t vcpus;
};
const struct cache_type *cache_type_find(struct str name);
status cache_engine_check(
	struct call *c, struct str engine, struct str version, const struct cache_engine **out) MUST_USE;
status cache_type_check(struct call *c, struct str name) MUST_USE;

/* ── parameter.c ── what is known of parameters. */
struct cache_parameter {
	const char *name, *value; /* ElastiCache's default; NULL: by node type */
	const char *type, *allowed;
	bool modifiable, reboots;
	const char *option; /* memcached: what stands for it on its command line; redis: NULL, its directive's name */
};
/* Those of a family; *n. */
const struct cache_parameter *cache_parameters(struct str family, size_t *n);
/* The value in force. */
struct str cache_parameter_value(
	struct arena *a, const struct elasticache_rec_parameter_group *g, const struct cache_parameter *p);

/* ── parameter_group.c ── */
status cache_parameter_group_load(
	struct cache_place at, struct str name, struct elasticache_rec_parameter_group *out) MUST_USE;
/* The name, or the family's default; checked against the family. cluster mode decides which default it is. */
status cache_parameter_group_for(
	struct call *c, struct str name, const struct cache_engine *e, bool clustered, struct str *out) MUST_USE;
/* A group's value of that name is "yes". */
status cache_group_says_clustered(struct call *c, struct str group, bool *yes) MUST_USE;

/* ── event.c ── */
void cache_event(struct cache_place at, int64_t now_ms, const char *type, struct str source, const char *text);
/* Of a unit: its replication group's, else its cluster's. */
void cache_unit_event(struct cache_place at, int64_t now_ms, const struct elasticache_rec_unit *u, const char *text);

/* ── unit.c ── finding and showing. */
struct elasticache_rec_node *cache_node(const struct elasticache_rec_unit *u, struct str name);
struct elasticache_rec_shard *cache_shard(const struct elasticache_rec_unit *u, struct str id);
bool cache_is_primary(const struct elasticache_rec_unit *u, const struct elasticache_rec_node *n);
bool cache_is_redis(const struct elasticache_rec_unit *u);
/* With the client's error where it is not there. */
status cache_cluster_find(struct call *c, struct str id, struct elasticache_rec_unit *out) MUST_USE;
status cache_group_find(struct call *c, struct str id, struct elasticache_rec_unit *out) MUST_USE;
status cache_cluster_show(struct call *c, const struct elasticache_rec_unit *u, struct str cluster, bool nodes,
	struct elasticache_cache_cluster *out) MUST_USE;
status cache_group_show(
	struct call *c, const struct elasticache_rec_unit *u, struct elasticache_replication_group *out) MUST_USE;
struct elasticache_cache_cluster *cache_cluster_answer(
	struct call *c, const struct elasticache_rec_unit *u, struct str cluster);
struct elasticache_replication_group *cache_group_answer(struct call *c, const struct elasticache_rec_unit *u);
/* With the client's error where it is not "available". */
status cache_must_be_available(struct call *c, const struct elasticache_rec_unit *u) MUST_USE;

/* ── name.c ── endpoints' names; lower case. */
struct str cache_node_endpoint(struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n);
enum cache_endpoint { CACHE_PRIMARY, CACHE_READER, CACHE_CONFIGURATION };
struct str cache_endpoint(
	struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u, enum cache_endpoint which);
/* All names that its certificates have to bear. */
struct elasticache_rec_strings cache_names(
	struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u);

/* ── make.c ── what CreateCacheCluster and CreateReplicationGroup have in common. */
struct cache_make {
	struct str version, subnet_group, parameter_group, snapshot;
	const struct str *groups;
	size_t n_groups;
	const struct elasticache_tag *tags;
	size_t n_tags;
	const struct str *arns; /* snapshots in S3 */
	size_t n_arns;
	struct opt_i32 port;
};
/* Checks and fills what the request's words have left open; the nodes come after. */
status cache_unit_begin(struct call *c, struct elasticache_rec_unit *u, const struct cache_make *m) MUST_USE;
/* One more node of a shard ("" of memcached), in that zone or the one with the fewest. cluster: its cache cluster's id.
 */
status cache_node_add(struct call *c, struct elasticache_rec_unit *u, struct str shard, struct str cluster,
	struct str number, struct str zone) MUST_USE;
/* A replica's or shard member's next free cache cluster id. */
struct str cache_member_id(struct arena *a, const struct elasticache_rec_unit *u, struct str shard, unsigned k);
/* Puts it with all that leads to it, and wakes its job. */
void cache_unit_put(struct cache_place at, const struct elasticache_rec_unit *u);
status cache_unit_finish(struct call *c, struct elasticache_rec_unit *u) MUST_USE;
status cache_groups_check(struct call *c, struct str vpc, const struct str *groups, size_t n) MUST_USE;
status cache_token_check(struct call *c, struct str token) MUST_USE;
struct str cache_digest(struct arena *a, struct str text);

/* ── window.c ── */
status cache_windows_check(struct call *c, struct str maintenance, struct str snapshot) MUST_USE;

/* ── user.c, access.c ── */
/* The commands that make a server know the unit's users: one line each, "NAME RULES…", sorted by name. */
status cache_users_of(struct cache_place at, const struct elasticache_rec_unit *u, struct str *out) MUST_USE;
status cache_access_check(struct call *c, struct str access) MUST_USE;
/* Every account has the user "default". */
status cache_user_load(struct cache_place at, struct str id, struct elasticache_rec_user *out) MUST_USE;
status cache_user_groups_check(struct call *c, const struct str *ids, size_t n) MUST_USE;
/* Wakes the units that use a user group. */
status cache_users_changed(struct call *c, struct str group) MUST_USE;

/* ── snapshot.c ── */
/* The snapshot by its name, "available", of that engine; what it says of the unit is taken where the request left it.
 */
status cache_snapshot_for(struct call *c, struct str name, struct elasticache_rec_snapshot *out) MUST_USE;
/* A snapshot's record and its job. source: manual, automated. */
status cache_snapshot_begin(struct call *c, struct elasticache_rec_unit *u, struct str name, struct str cluster,
	const char *source, const struct elasticache_tag_list *tags, struct elasticache_rec_snapshot *out) MUST_USE;
