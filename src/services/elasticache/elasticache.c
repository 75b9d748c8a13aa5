/* Amazon ElastiCache: what it does, operation by operation. The engines are Redis and memcached. */
#include "base/log.h"
#include "host/engines/folder.h"
#include "services/ec2/network_door.h"
#include "services/elasticache/controller.h"
#include <dirent.h>

static const struct service_op operations[ELASTICACHE_OP_COUNT] = {
	[ELASTICACHE_OP_ADD_TAGS_TO_RESOURCE] = OP(elasticache_add_tags_to_resource, 0),
	[ELASTICACHE_OP_COPY_SNAPSHOT] = OP(elasticache_copy_snapshot, OP_BLOCKING),
	[ELASTICACHE_OP_CREATE_CACHE_CLUSTER] = OP(elasticache_create_cache_cluster, 0),
	[ELASTICACHE_OP_CREATE_CACHE_PARAMETER_GROUP] = OP(elasticache_create_cache_parameter_group, 0),
	[ELASTICACHE_OP_CREATE_CACHE_SUBNET_GROUP] = OP(elasticache_create_cache_subnet_group, 0),
	[ELASTICACHE_OP_CREATE_REPLICATION_GROUP] = OP(elasticache_create_replication_group, 0),
	[ELASTICACHE_OP_CREATE_SNAPSHOT] = OP(elasticache_create_snapshot, 0),
	[ELASTICACHE_OP_CREATE_USER] = OP(elasticache_create_user, 0),
	[ELASTICACHE_OP_CREATE_USER_GROUP] = OP(elasticache_create_user_group, 0),
	[ELASTICACHE_OP_DECREASE_REPLICA_COUNT] = OP(elasticache_decrease_replica_count, 0),
	[ELASTICACHE_OP_DELETE_CACHE_CLUSTER] = OP(elasticache_delete_cache_cluster, 0),
	[ELASTICACHE_OP_DELETE_CACHE_PARAMETER_GROUP] = OP(elasticache_delete_cache_parameter_group, 0),
	[ELASTICACHE_OP_DELETE_CACHE_SUBNET_GROUP] = OP(elasticache_delete_cache_subnet_group, 0),
	[ELASTICACHE_OP_DELETE_REPLICATION_GROUP] = OP(elasticache_delete_replication_group, 0),
	[ELASTICACHE_OP_DELETE_SNAPSHOT] = OP(elasticache_delete_snapshot, 0),
	[ELASTICACHE_OP_DELETE_USER] = OP(elasticache_delete_user, 0),
	[ELASTICACHE_OP_DELETE_USER_GROUP] = OP(elasticache_delete_user_group, 0),
	[ELASTICACHE_OP_DESCRIBE_CACHE_CLUSTERS] = OP(elasticache_describe_cache_clusters, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_CACHE_ENGINE_VERSIONS] = OP(elasticache_describe_cache_engine_versions, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_CACHE_PARAMETERS] = OP(elasticache_describe_cache_parameters, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_CACHE_PARAMETER_GROUPS] = OP(elasticache_describe_cache_parameter_groups, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_CACHE_SUBNET_GROUPS] = OP(elasticache_describe_cache_subnet_groups, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_ENGINE_DEFAULT_PARAMETERS] =
		OP(elasticache_describe_engine_default_parameters, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_EVENTS] = OP(elasticache_describe_events, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_REPLICATION_GROUPS] = OP(elasticache_describe_replication_groups, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_SNAPSHOTS] = OP(elasticache_describe_snapshots, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_USERS] = OP(elasticache_describe_users, OP_READ),
	[ELASTICACHE_OP_DESCRIBE_USER_GROUPS] = OP(elasticache_describe_user_groups, OP_READ),
	[ELASTICACHE_OP_INCREASE_REPLICA_COUNT] = OP(elasticache_increase_replica_count, 0),
	[ELASTICACHE_OP_LIST_ALLOWED_NODE_TYPE_MODIFICATIONS] =
		OP(elasticache_list_allowed_node_type_modifications, OP_READ),
	[ELASTICACHE_OP_LIST_TAGS_FOR_RESOURCE] = OP(elasticache_list_tags_for_resource, OP_READ),
	[ELASTICACHE_OP_MODIFY_CACHE_CLUSTER] = OP(elasticache_modify_cache_cluster, 0),
	[ELASTICACHE_OP_MODIFY_CACHE_PARAMETER_GROUP] = OP(elasticache_modify_cache_parameter_group, 0),
	[ELASTICACHE_OP_MODIFY_CACHE_SUBNET_GROUP] = OP(elasticache_modify_cache_subnet_group, 0),
	[ELASTICACHE_OP_MODIFY_REPLICATION_GROUP] = OP(elasticache_modify_replication_group, 0),
	[ELASTICACHE_OP_MODIFY_USER] = OP(elasticache_modify_user, 0),
	[ELASTICACHE_OP_MODIFY_USER_GROUP] = OP(elasticache_modify_user_group, 0),
	[ELASTICACHE_OP_REBOOT_CACHE_CLUSTER] = OP(elasticache_reboot_cache_cluster, 0),
	[ELASTICACHE_OP_REMOVE_TAGS_FROM_RESOURCE] = OP(elasticache_remove_tags_from_resource, 0),
	[ELASTICACHE_OP_RESET_CACHE_PARAMETER_GROUP] = OP(elasticache_reset_cache_parameter_group, 0),
	[ELASTICACHE_OP_TEST_FAILOVER] = OP(elasticache_test_failover, 0),
};

/* A zone fails or comes back: who has a node there looks at it. */
static void on_zone(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	const struct ec2_zone_event *z = e->detail;
	struct arena a;
	(void)ctx, (void)phase;
	arena_init(&a);
	struct cache_each i = cache_each_unit(tx, &a);
	while (cache_next(&i)) {
		const struct elasticache_rec_unit *u = i.record;
		for (size_t k = 0; k < u->nodes.n; k++)
			if (str_eq(u->nodes.v[k].zone, z->zone)) cache_mark(i.at, u->id, 0);
	}
	status s = cache_each_end(&i);
	if (!is_ok(s)) log_error("elasticache", "zone", "status=%s", status_name(s));
	arena_cleanup(&a);
}

static status start(struct cloud *cloud, void **state)
{
	struct cache_watcher *w;
	TRY(cache_watcher_start(cloud, &w));
	*state = w;
	jobs_register(cloud->jobs, CACHE_JOB, cache_unit_job, cloud);
	jobs_register(cloud->jobs, CACHE_JOB_SNAPSHOT, cache_snapshot_job, cloud);
	bus_subscribe(cloud->bus, BUS_COMMITTING, "ec2.zone", on_zone, cloud);
	return OK;
}

/* What was there when virga ended is looked at: servers that live on are adopted, others start again. */
static void ready(struct cloud *cloud, void *state)
{
	struct arena a;
	store_ticket ticket;
	status s;
	(void)state;
	arena_init(&a);
	do {
		struct store_tx *tx = store_begin(cloud->store, &a, false);
		struct cache_each i = cache_each_unit(tx, &a);
		while (cache_next(&i)) cache_mark(i.at, ((const struct elasticache_rec_unit *)i.record)->id, 0);
		s = cache_each_end(&i);
		if (is_ok(s) && store_has_writes(tx)) s = store_commit(tx, &ticket);
		store_end(tx);
	} while (status_is(s, STATUS_CONFLICT));
	if (!is_ok(s)) log_error("elasticache", "ready", "status=%s", status_name(s));
	arena_cleanup(&a);
	jobs_poke(cloud->jobs);
}

/* Servers end with virga when it is stopped in an orderly way: what they hold is kept for the next start, as nothing on
 * AWS would empty a cache here. */
static void keep_all(struct cloud *cloud)
{
	struct arena a;
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, true);
	struct cache_each i = cache_each_unit(tx, &a);
	while (cache_real(cloud) && !cloud->ephemeral && cache_next(&i)) {
		const struct elasticache_rec_unit *u = i.record;
		for (size_t k = 0; cache_is_redis(u) && k < u->nodes.n; k++)
			if (cache_is_primary(u, &u->nodes.v[k])) cache_node_keep(cloud, &a, u, &u->nodes.v[k]);
	}
	status s = cache_each_end(&i);
	if (!is_ok(s)) log_error("elasticache", "keep", "status=%s", status_name(s));
	store_end(tx);
	arena_cleanup(&a);
}

static void stop(void *state)
{
	cache_watcher_stop(state);
}

/* The servers have gone with the host's places; their folders go with the records. */
static status reset(struct cloud *cloud, void *state, bool gone)
{
	struct arena a;
	status s = OK;
	arena_init(&a);
	if (!gone) {
		struct store_tx *tx = store_begin(cloud->store, &a, true);
		struct cache_each i = cache_each_unit(tx, &a);
		while (cache_next(&i)) {
			const struct elasticache_rec_unit *u = i.record;
			for (size_t k = 0; cache_real(cloud) && k < u->nodes.n; k++) {
				cache_watch(state, i.at, u->id, u->nodes.v[k].name, NULL);
				status st = cache_node_stop(cloud, &a, u, u->nodes.v[k].name, true);
				if (!is_ok(st)) log_warn("elasticache", "reset", "status=%s", status_name(st));
			}
		}
		s = cache_each_end(&i);
		store_end(tx);
		arena_cleanup(&a);
		return s;
	}
	DIR *d = cache_real(cloud) ? opendir(cache_path(cloud, &a, STR("elasticache"), "")) : NULL;
	for (struct dirent *e; d && (e = readdir(d));)
		if (!strchr(e->d_name, '.')) cache_folder_remove(cloud, &a, str_fmt(&a, "elasticache/%s", e->d_name));
	if (d) closedir(d);
	arena_cleanup(&a);
	return OK;
}

/* An account's first call in a region finds a default VPC there. */
static status before(struct call *c, const void *in)
{
	(void)in;
	return ec2_furnish(c);
}

static void drain(void *state)
{
	keep_all(cache_watcher_cloud(state));
}

extern const struct service service_elasticache;
const struct service service_elasticache = {.model = &wire_service_elasticache,
	.ops = operations,
	.start = start,
	.ready = ready,
	.drain = drain,
	.stop = stop,
	.before = before,
	.reset = reset};
