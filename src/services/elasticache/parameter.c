/* Parameters and ElastiCache's defaults: "Redis OSS-specific parameters", "Memcached-specific parameters", the guide.
 * What ElastiCache lets nobody change (maxclients, cluster-enabled of a running group) is there as it is. */
#include "services/elasticache/room.h"

#define YES "yes,no"
/* modifiable, then whether it needs a restart */
#define NOW true, false
#define REBOOT true, true
#define FIXED false, true
static const struct cache_parameter redis7[] = {
	{"acllog-max-len", "128", "integer", "1-10000", NOW, NULL},
	/* Debian's server is built with a jemalloc that cannot. */
	{"activedefrag", "no", "string", "no", FIXED, NULL},
	{"active-defrag-cycle-max", "75", "integer", "1-75", NOW, NULL},
	{"active-defrag-cycle-min", "5", "integer", "1-75", NOW, NULL},
	{"active-defrag-ignore-bytes", "104857600", "integer", "1048576-", NOW, NULL},
	{"active-defrag-max-scan-fields", "1000", "integer", "1-1000000", NOW, NULL},
	{"active-defrag-threshold-lower", "10", "integer", "1-100", NOW, NULL},
	{"active-defrag-threshold-upper", "100", "integer", "1-100", NOW, NULL},
	{"activerehashing", "yes", "string", YES, REBOOT, NULL},
	{"appendonly", "no", "string", YES, FIXED, NULL},
	{"client-output-buffer-limit-normal-hard-limit", "0", "integer", "0-", NOW, ""},
	{"client-output-buffer-limit-normal-soft-limit", "0", "integer", "0-", NOW, ""},
	{"client-output-buffer-limit-normal-soft-seconds", "0", "integer", "0-", NOW, ""},
	{"client-output-buffer-limit-pubsub-hard-limit", "33554432", "integer", "0-", NOW, ""},
	{"client-output-buffer-limit-pubsub-soft-limit", "8388608", "integer", "0-", NOW, ""},
	{"client-output-buffer-limit-pubsub-soft-seconds", "60", "integer", "0-", NOW, ""},
	{"cluster-allow-pubsubshard-when-down", "yes", "string", YES, NOW, NULL},
	{"cluster-allow-reads-when-down", "no", "string", YES, NOW, NULL},
	{"cluster-enabled", "no", "string", YES, REBOOT, ""},
	{"cluster-require-full-coverage", "no", "string", YES, NOW, NULL},
	{"databases", "16", "integer", "1-1200000", REBOOT, NULL},
	{"hash-max-listpack-entries", "512", "integer", "0-", NOW, NULL},
	{"hash-max-listpack-value", "64", "integer", "0-", NOW, NULL},
	{"hll-sparse-max-bytes", "3000", "integer", "1-16000", NOW, NULL},
	{"latency-tracking", "no", "string", YES, NOW, NULL},
	{"lazyfree-lazy-eviction", "yes", "string", YES, FIXED, NULL},
	{"lazyfree-lazy-expire", "yes", "string", YES, FIXED, NULL},
	{"lazyfree-lazy-server-del", "yes", "string", YES, FIXED, NULL},
	{"lazyfree-lazy-user-del", "no", "string", YES, NOW, NULL},
	{"lfu-decay-time", "1", "integer", "0-", NOW, NULL},
	{"lfu-log-factor", "10", "integer", "1-", NOW, NULL},
	{"list-compress-depth", "0", "integer", "0-", NOW, NULL},
	{"list-max-listpack-size", "-2", "integer", "-5,-4,-3,-2,-1,1-", NOW, NULL},
	{"lua-time-limit", "5000", "integer", "5000", FIXED, NULL},
	{"maxclients", "65000", "integer", "1-65000", FIXED, NULL},
	{"maxmemory-policy", "volatile-lru", "string",
		"volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,"
		"noeviction",
		NOW, NULL},
	{"maxmemory-samples", "3", "integer", "1-", NOW, NULL},
	{"min-replicas-max-lag", "10", "integer", "0-", NOW, NULL},
	{"min-replicas-to-write", "0", "integer", "0-", NOW, NULL},
	{"notify-keyspace-events", "", "string", "", NOW, NULL},
	{"proto-max-bulk-len", "536870912", "integer", "1048576-536870912", NOW, NULL},
	{"repl-backlog-size", "1048576", "integer", "16384-", NOW, NULL},
	{"repl-backlog-ttl", "3600", "integer", "0-", NOW, NULL},
	{"repl-timeout", "60", "integer", "11-60", NOW, NULL},
	{"reserved-memory-percent", "25", "integer", "0-100", NOW, ""},
	{"sanitize-dump-payload", "no", "string", "no,yes,clients", NOW, NULL},
	{"set-max-intset-entries", "512", "integer", "0-", NOW, NULL},
	{"slowlog-log-slower-than", "10000", "integer", "-1-", NOW, NULL},
	{"slowlog-max-len", "128", "integer", "0-", NOW, NULL},
	{"stream-node-max-bytes", "4096", "integer", "0-", NOW, NULL},
	{"stream-node-max-entries", "100", "integer", "0-", NOW, NULL},
	{"tcp-keepalive", "300", "integer", "0-", NOW, NULL},
	{"timeout", "0", "integer", "0,20-", NOW, NULL},
	{"tracking-table-max-keys", "1000000", "integer", "1-100000000", NOW, NULL},
	{"zset-max-listpack-entries", "128", "integer", "0-", NOW, NULL},
	{"zset-max-listpack-value", "64", "integer", "0-", NOW, NULL},
};
static const struct cache_parameter memcached16[] = {
	{"backlog_queue_limit", "1024", "integer", "1-10000", FIXED, "-b"},
	{"chunk_size", "48", "integer", "1-1024", REBOOT, "-n"},
	{"chunk_size_growth_factor", "1.25", "float", "1.05-4", REBOOT, "-f"},
	{"error_on_memory_exhausted", "0", "boolean", "0,1", REBOOT, "-M"},
	{"idle_timeout", "0", "integer", "0-86400", REBOOT, "idle_timeout="},
	{"large_memory_pages", "0", "boolean", "0,1", FIXED, "-L"},
	{"lru_crawler", "1", "boolean", "0,1", FIXED, "lru_crawler"},
	{"max_item_size", "1048576", "integer", "1024-1073741824", REBOOT, "-I"},
	{"max_simultaneous_connections", "65000", "integer", "3-65000", REBOOT, "-c"},
	{"maximize_core_file_limit", "0", "boolean", "0,1", FIXED, "-r"},
	{"memcached_connections_overhead", "100", "integer", "0-", REBOOT, ""},
	{"requests_per_event", "20", "integer", "1-10000", FIXED, "-R"},
	{"slab_chunk_max", "524288", "integer", "1024-", FIXED, "slab_chunk_max="},
	{"slab_reassign", "1", "boolean", "0,1", FIXED, ""},
	{"tail_repair_time", "0", "integer", "0-", FIXED, ""},
};

const struct cache_parameter *cache_parameters(struct str family, size_t *n)
{
	bool redis = str_is(family, "redis7");
	*n = redis                            ? sizeof(redis7) / sizeof(*redis7)
	     : str_is(family, "memcached1.6") ? sizeof(memcached16) / sizeof(*memcached16)
					      : 0;
	return redis ? redis7 : memcached16;
}

struct str cache_parameter_value(
	struct arena *a, const struct elasticache_rec_parameter_group *g, const struct cache_parameter *p)
{
	(void)a;
	for (size_t i = 0; i < g->values.n; i++)
		if (str_eq(g->values.v[i].key, str_c(p->name))) return g->values.v[i].value;
	return str_c(p->value);
}
