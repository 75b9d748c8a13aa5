/* A node: one server of a unit, run by the host agent as an engine (host/engines/engine.h) in the place of its network
 * interface. Its folder is elasticache/UNIT-NODE below the data folder; virga speaks to Redis by the Unix socket in it,
 * to memcached from within its network. Nothing is written to disk by Redis but what a replica begins with: `keep.rdb`
 * is what virga puts there for the next start (a snapshot, or what was saved when virga was stopped). */
#pragma once
#include "services/elasticache/resp.h"
#include "services/elasticache/room.h"
#include "services/elasticache/watch.h"

#define CACHE_USER "virga-elasticache"
bool cache_real(const struct cloud *cloud);
/* The one that all nodes' are in where they are encrypted at rest: crypt.c. */
struct str cache_unit_folder(struct arena *a, const struct elasticache_rec_unit *u);
struct str cache_folder(struct arena *a, const struct elasticache_rec_unit *u, struct str node);
const char *cache_path(struct cloud *cloud, struct arena *a, struct str folder, const char *rest);
struct str cache_engine_id(struct arena *a, const struct elasticache_rec_unit *u, struct str node);

/* ── crypt.c ── */
/* A new data key for that folder, under the key of that reference (absent: ElastiCache's own). The client's error. */
status cache_crypt_new(
	struct call *c, struct str reference, struct str folder, struct str *key_arn, struct str *data_key) MUST_USE;
/* Where what is in a folder lies: in it, or within what is open of it. */
struct str cache_inside(struct arena *a, struct str folder, struct str data_key);
/* OK where nothing is encrypted. BUSY: the key does not serve. The second one until it is let go. */
status cache_crypt_open(struct call *c, struct str folder, struct str data_key) MUST_USE;
status cache_crypt_hold(struct call *c, struct str folder, struct str data_key) MUST_USE;
void cache_crypt_let_go(struct cloud *cloud, struct str folder, struct str data_key);
/* With what is in it, encrypted or not. */
void cache_folder_remove(struct cloud *cloud, struct arena *a, struct str folder);

/* Its files and its start. NOT_FOUND, BUSY: not yet (its place does not stand). */
status cache_node_start(struct cloud *cloud, struct cache_place at, const struct elasticache_rec_unit *u,
	struct elasticache_rec_node *n, const struct elasticache_rec_parameter_group *g, int64_t now_ms,
	struct str *why) MUST_USE;
status cache_node_stop(struct cloud *cloud, struct arena *a, const struct elasticache_rec_unit *u, struct str node,
	bool quick) MUST_USE;
/* A connection of virga's own user. BUSY: it does not serve. */
status cache_node_open(struct cloud *cloud, struct arena *a, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n, struct resp *r) MUST_USE;
/* What is kept at the end of virga, so that a later one goes on with it. */
void cache_node_keep(struct cloud *cloud, struct arena *a, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n);

/* ── settings.c ── */
/* The parameters that need a restart, and those that do not: "name value" lines. */
struct str cache_static_settings(struct arena *a, const struct elasticache_rec_parameter_group *g);
struct str cache_dynamic_settings(
	struct arena *a, const struct elasticache_rec_unit *u, const struct elasticache_rec_parameter_group *g);
/* redis.conf. */
struct str cache_redis_conf(struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n, const struct elasticache_rec_parameter_group *g);
struct elasticache_rec_strings cache_memcached_arguments(
	struct arena *a, const struct elasticache_rec_unit *u, const struct elasticache_rec_parameter_group *g);
