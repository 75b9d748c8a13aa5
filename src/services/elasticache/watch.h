/* What runs for ElastiCache between jobs: one thread with a connection to each Redis that runs; when a server ends, the
 * kernel closes it, and the unit's job runs at once. */
#pragma once
#include "services/elasticache/room.h"

struct cache_watcher;
struct cache_watcher *cache_watcher_of(struct cloud *cloud);
status cache_watcher_start(struct cloud *cloud, struct cache_watcher **out) MUST_USE;
void cache_watcher_stop(struct cache_watcher *w);
struct cloud *cache_watcher_cloud(const struct cache_watcher *w);
/* Whoever has a sealed folder open for a while: crypt.c. */
struct kms_holders *cache_holders_of(struct cloud *cloud);
/* From now on: when the server behind this socket ends, its unit's job runs. path NULL: no more. Idempotent. */
void cache_watch(struct cache_watcher *w, struct cache_place at, struct str unit, struct str node, const char *path);
