/* CreateCacheCluster and CreateReplicationGroup. */
#include "services/elasticache/controller.h"

enum { SLOTS = 16384 };

/* What stands behind these is not built: better nothing than something that lacks what was asked for. */
static status refuse(struct call *c, const char *what)
{
	return what ? call_fail(c, ERR_NOT_IMPLEMENTED, "%s not implemented.", what) : OK;
}

static status cluster_free(struct call *c, struct str id)
{
	struct elasticache_rec_ref r;
	status s = cache_load(cache_here(c), &cache_kind_cluster, id, &r);
	if (is_ok(s))
		return CACHE_FAIL(
			c, CACHE_CLUSTER_ALREADY_EXISTS_FAULT, "Cache cluster %.*s already exists.", STR_ARG(id));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

/* "The ID of the replication group to which this cluster should belong": a read replica more. */
static status add_replica(struct call *c, const struct elasticache_create_cache_cluster_input *in, struct str id,
	struct elasticache_create_cache_cluster_output *out)
{
	struct elasticache_rec_unit u;
	TRY(cache_group_find(c, in->replication_group_id, &u));
	TRY(cache_must_be_available(c, &u));
	if (u.clustered.v)
		return CACHE_BAD_COMBINATION(
			c, "With cluster mode enabled replicas are added by IncreaseReplicaCount.");
	if (u.nodes.n > CACHE_REPLICAS_MAX)
		return CACHE_FAIL(c, NODE_QUOTA_FOR_CLUSTER_EXCEEDED_FAULT,
			"A replication group can have at most %d read replicas.", CACHE_REPLICAS_MAX);
	TRY(cache_node_add(c, &u, u.shards.v[0].id, id, STR("0001"), in->preferred_availability_zone));
	u.status = STR("modifying");
	TRY(cache_unit_finish(c, &u));
	out->cache_cluster = cache_cluster_answer(c, &u, id);
	return OK;
}

status elasticache_create_cache_cluster(struct call *c, const struct elasticache_create_cache_cluster_input *in,
	struct elasticache_create_cache_cluster_output *out)
{
	struct str id = str_lower(c->arena, in->cache_cluster_id);
	TRY(cache_name_check(c, id, "CacheClusterId", CACHE_CLUSTER_ID_MAX));
	TRY(refuse(c, in->log_delivery_configurations.n                  ? "Log delivery is"
		      : str_has(cache_given(in->notification_topic_arn)) ? "Notifications are"
		      : str_has(in->outpost_mode)                        ? "Outposts are"
		      : in->snapshot_arns.n                              ? "Seeding a cache cluster from S3 is"
		      : str_has(in->network_type) && !str_is(in->network_type, "ipv4") ? "IPv6 is"
		      : in->transit_encryption_enabled.v ? "Encryption in transit of memcached clusters is"
							 : NULL));
	if (in->cache_security_group_names.n)
		return CACHE_BAD_COMBINATION(
			c, "Cache security groups are not supported in a VPC: use SecurityGroupIds.");
	TRY(cluster_free(c, id));
	if (str_has(cache_given(in->replication_group_id))) return add_replica(c, in, id, out);
	struct elasticache_rec_unit u = {.cache_cluster_id = id,
		.engine = cache_given(in->engine),
		.cache_node_type = in->cache_node_type,
		.preferred_maintenance_window = cache_given(in->preferred_maintenance_window),
		.snapshot_window = cache_given(in->snapshot_window),
		.snapshot_retention_limit = in->snapshot_retention_limit,
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade};
	struct cache_make m = {.version = cache_given(in->engine_version),
		.subnet_group = cache_given(in->cache_subnet_group_name),
		.parameter_group = cache_given(in->cache_parameter_group_name),
		.snapshot = cache_given(in->snapshot_name),
		.groups = in->security_group_ids.v,
		.n_groups = in->security_group_ids.n,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.port = in->port};
	if (!str_has(u.engine))
		return CACHE_BAD_VALUE(c, "The parameter Engine must be provided and must not be blank.");
	int32_t n = in->num_cache_nodes.has ? in->num_cache_nodes.v : 1;
	bool redis = str_is(u.engine, "redis");
	if (redis && n != 1)
		return CACHE_BAD_VALUE(
			c, "Cannot create a Redis cluster with a NumCacheNodes parameter greater than 1.");
	if (n < 1) return CACHE_BAD_VALUE(c, "Invalid NumCacheNodes: %d", n);
	if (n > CACHE_CLUSTER_NODES_MAX)
		return CACHE_FAIL(c, NODE_QUOTA_FOR_CLUSTER_EXCEEDED_FAULT,
			"A cache cluster can have at most %d cache nodes.", CACHE_CLUSTER_NODES_MAX);
	if (str_has(cache_given(in->auth_token)))
		return CACHE_BAD_COMBINATION(
			c, "AUTH tokens need encryption in transit, which only replication groups have.");
	if (in->preferred_availability_zones.n && in->preferred_availability_zones.n != (size_t)n)
		return CACHE_BAD_COMBINATION(
			c, "PreferredAvailabilityZones must name one zone for each of the %d nodes.", n);
	TRY(cache_unit_begin(c, &u, &m));
	if (u.clustered.v)
		return CACHE_BAD_COMBINATION(
			c, "A parameter group with cluster mode enabled is for replication groups.");
	struct str shard = redis ? STR("0001") : STR("");
	struct str zone = cache_given(in->preferred_availability_zone);
	for (int32_t i = 0; i < n; i++) {
		struct str at = in->preferred_availability_zones.n ? in->preferred_availability_zones.v[i] : zone;
		/* "single-az: all nodes in one"; without a word memcached's nodes are in one zone. */
		if (i > 0 && !str_has(at) && !str_is(in->az_mode, "cross-az")) at = u.nodes.v[0].zone;
		if (str_is(at, "Multiple")) at = STR_NONE;
		TRY(cache_node_add(c, &u, shard, id, str_fmt(c->arena, "%04d", i + 1), at));
	}
	if (redis) {
		u.shards = (struct elasticache_rec_shards){arena_new(c->arena, struct elasticache_rec_shard), 1};
		u.shards.v[0] =
			(struct elasticache_rec_shard){shard, u.nodes.v[0].name, SOME_I32(0), SOME_I32(SLOTS - 1)};
	}
	TRY(cache_unit_finish(c, &u));
	out->cache_cluster = cache_cluster_answer(c, &u, id);
	return OK;
}

/* ── replication groups ── */

static status group_free(struct call *c, struct str id)
{
	struct elasticache_rec_ref r;
	status s = cache_load(cache_here(c), &cache_kind_group, id, &r);
	if (is_ok(s))
		return CACHE_FAIL(c, REPLICATION_GROUP_ALREADY_EXISTS_FAULT, "Replication group %.*s already exists.",
			STR_ARG(id));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

/* A Redis cluster of its own becomes the primary of a replication group. */
static status adopt(struct call *c, const struct elasticache_create_replication_group_input *in, struct str id,
	struct elasticache_create_replication_group_output *out)
{
	struct elasticache_rec_unit u;
	TRY(cache_cluster_find(c, in->primary_cluster_id, &u));
	TRY(cache_must_be_available(c, &u));
	if (!cache_is_redis(&u) || str_has(u.replication_group_id))
		return CACHE_FAIL(c, INVALID_CACHE_CLUSTER_STATE_FAULT,
			"Cache cluster %.*s cannot be the primary of a new replication group.",
			STR_ARG(in->primary_cluster_id));
	if (in->automatic_failover_enabled.v)
		return CACHE_BAD_COMBINATION(c, "Automatic failover needs a replica: enable it when there is one.");
	u.replication_group_id = id;
	u.description = in->replication_group_description;
	u.failover = u.multi_az = SOME_BOOL(false);
	u.status = STR("modifying");
	u.cache_cluster_id = STR_NONE;
	TRY(cache_tags_set(c, &u.tags, in->tags.v, in->tags.n));
	TRY(cache_unit_finish(c, &u));
	out->replication_group = cache_group_answer(c, &u);
	return OK;
}

struct plan {
	int32_t shards, replicas;
	const struct elasticache_create_replication_group_input *in;
};

static status plan(struct call *c, const struct elasticache_create_replication_group_input *in,
	struct elasticache_rec_unit *u, struct plan *p)
{
	bool many = in->num_node_groups.has && in->num_node_groups.v > 1, on = str_is(in->cluster_mode, "enabled");
	*p = (struct plan){1, 0, in};
	if (str_is(in->cluster_mode, "compatible"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "The cluster mode \"compatible\" is not implemented.");
	TRY(cache_group_says_clustered(c, cache_given(in->cache_parameter_group_name), &u->clustered.v));
	u->clustered = SOME_BOOL(u->clustered.v || many || on || in->node_group_configuration.n > 1);
	if (in->num_cache_clusters.has && (in->num_node_groups.has || in->replicas_per_node_group.has))
		return CACHE_BAD_COMBINATION(
			c, "NumCacheClusters cannot be given with NumNodeGroups or ReplicasPerNodeGroup.");
	if (in->num_cache_clusters.has) p->replicas = in->num_cache_clusters.v - 1;
	if (in->replicas_per_node_group.has) p->replicas = in->replicas_per_node_group.v;
	if (in->num_node_groups.has)
		p->shards = in->num_node_groups.v;
	else if (in->node_group_configuration.n)
		p->shards = (int32_t)in->node_group_configuration.n;
	if (p->shards < 1 || p->shards > CACHE_SHARDS_MAX)
		return CACHE_FAIL(c, NODE_GROUPS_PER_REPLICATION_GROUP_QUOTA_EXCEEDED_FAULT,
			"A replication group can have 1 to %d node groups.", CACHE_SHARDS_MAX);
	if (in->node_group_configuration.n && in->node_group_configuration.n != (size_t)p->shards)
		return CACHE_BAD_COMBINATION(
			c, "NodeGroupConfiguration must tell of each of the %d node groups.", p->shards);
	if (p->replicas < 0 || p->replicas > CACHE_REPLICAS_MAX)
		return CACHE_BAD_VALUE(c, "A node group can have 0 to %d replicas.", CACHE_REPLICAS_MAX);
	if (in->preferred_cache_cluster_a_zs.n && in->preferred_cache_cluster_a_zs.n != (size_t)p->replicas + 1)
		return CACHE_BAD_COMBINATION(c,
			"PreferredCacheClusterAZs must name one zone for each of the %d cache clusters.",
			p->replicas + 1);
	u->failover = SOME_BOOL(in->automatic_failover_enabled.v);
	u->multi_az = SOME_BOOL(in->multi_az_enabled.v);
	if (u->clustered.v && !u->failover.v)
		return CACHE_BAD_COMBINATION(
			c, "Redis with cluster mode enabled cannot be created with auto failover turned off.");
	if (u->failover.v && !u->clustered.v && p->replicas < 1)
		return CACHE_BAD_COMBINATION(c,
			"When using automatic failover, there must be at least 2 cache clusters in the "
			"replication group.");
	if (u->multi_az.v && (!u->failover.v || p->replicas < 1))
		return CACHE_BAD_COMBINATION(c, "Multi-AZ needs automatic failover and at least one replica.");
	return OK;
}

/* "0-5460": one range, as they follow from each other. */
static status read_slots(struct call *c, struct str text, int32_t next, struct elasticache_rec_shard *s)
{
	struct str rest = text, first = str_cut(&rest, '-');
	int64_t from, to;
	if (!str_has(rest) || !is_ok(str_to_i64(first, &from)) || !is_ok(str_to_i64(rest, &to)) || from != next ||
		to < from || to >= SLOTS)
		return CACHE_BAD_VALUE(c,
			"Invalid Slots: %.*s. Each node group has one range, and they follow each other from 0 to %d.",
			STR_ARG(text), SLOTS - 1);
	s->from = SOME_I32((int32_t)from), s->to = SOME_I32((int32_t)to);
	return OK;
}

static status add_shards(struct call *c, struct elasticache_rec_unit *u, const struct plan *p)
{
	struct str none = STR_NONE;
	int32_t next = 0;
	u->shards = (struct elasticache_rec_shards){
		arena_new_n(c->arena, struct elasticache_rec_shard, (size_t)p->shards), (size_t)p->shards};
	for (int32_t i = 0; i < p->shards; i++) {
		struct elasticache_rec_shard *s = &u->shards.v[i];
		const struct elasticache_node_group_configuration *k =
			p->in->node_group_configuration.n ? &p->in->node_group_configuration.v[i] : NULL;
		int32_t replicas = k && k->replica_count.has ? k->replica_count.v : p->replicas;
		if (replicas < 0 || replicas > CACHE_REPLICAS_MAX)
			return CACHE_BAD_VALUE(c, "A node group can have 0 to %d replicas.", CACHE_REPLICAS_MAX);
		*s = (struct elasticache_rec_shard){.id = k && str_has(cache_given(k->node_group_id))
								  ? k->node_group_id
								  : str_fmt(c->arena, "%04d", i + 1)};
		s->from = SOME_I32(i * SLOTS / p->shards), s->to = SOME_I32((i + 1) * SLOTS / p->shards - 1);
		if (k && str_has(cache_given(k->slots))) TRY(read_slots(c, k->slots, next, s));
		if (s->from.v != next || (i + 1 == p->shards && s->to.v != SLOTS - 1))
			return CACHE_BAD_VALUE(c, "The slots of the node groups must cover 0 to %d.", SLOTS - 1);
		next = s->to.v + 1;
		for (int32_t r = 0; r <= replicas; r++) {
			struct str zone = none;
			if (p->in->preferred_cache_cluster_a_zs.n && !u->clustered.v)
				zone = p->in->preferred_cache_cluster_a_zs.v[r];
			if (k && r == 0) zone = k->primary_availability_zone;
			if (k && r > 0 && (size_t)r <= k->replica_availability_zones.n)
				zone = k->replica_availability_zones.v[r - 1];
			TRY(cache_node_add(
				c, u, s->id, cache_member_id(c->arena, u, s->id, (unsigned)r + 1), STR("0001"), zone));
			if (r == 0) s->primary = u->nodes.v[u->nodes.n - 1].name;
		}
	}
	return OK;
}

static status secure(
	struct call *c, const struct elasticache_create_replication_group_input *in, struct elasticache_rec_unit *u)
{
	size_t n = in->user_group_ids.n;
	u->tls = SOME_BOOL(in->transit_encryption_enabled.v);
	if (str_is(in->transit_encryption_mode, "preferred"))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "The transit encryption mode \"preferred\" is not implemented.");
	if (str_has(cache_given(in->auth_token))) {
		if (!u->tls.v)
			return CACHE_BAD_COMBINATION(
				c, "The AUTH token parameter is only supported when encryption-in-transit is enabled.");
		if (n) return CACHE_BAD_COMBINATION(c, "An AUTH token and user groups cannot be given together.");
		TRY(cache_token_check(c, in->auth_token));
		u->tokens = (struct elasticache_rec_strings){arena_new(c->arena, struct str), 1};
		u->tokens.v[0] = cache_digest(c->arena, in->auth_token);
		u->token_changed = SOME_TIME(c->now_ms);
	}
	if (!n) return OK;
	if (!u->tls.v)
		return CACHE_BAD_COMBINATION(
			c, "User groups are only supported when encryption-in-transit is enabled.");
	if (n > 1) return CACHE_BAD_VALUE(c, "At most one user group can be given.");
	TRY(cache_user_groups_check(c, in->user_group_ids.v, n));
	u->user_groups = (struct elasticache_rec_strings){arena_new(c->arena, struct str), 1};
	u->user_groups.v[0] = str_lower(c->arena, in->user_group_ids.v[0]);
	return OK;
}

status elasticache_create_replication_group(struct call *c, const struct elasticache_create_replication_group_input *in,
	struct elasticache_create_replication_group_output *out)
{
	struct str id = str_lower(c->arena, in->replication_group_id);
	struct plan p;
	TRY(cache_name_check(c, id, "ReplicationGroupId", CACHE_ID_MAX));
	TRY(refuse(c, in->log_delivery_configurations.n                       ? "Log delivery is"
		      : str_has(cache_given(in->notification_topic_arn))      ? "Notifications are"
		      : in->data_tiering_enabled.v                            ? "Data tiering is"
		      : in->snapshot_arns.n                                   ? "Seeding a replication group from S3 is"
		      : str_has(cache_given(in->global_replication_group_id)) ? "Global datastores are"
		      : str_has(in->network_type) && !str_is(in->network_type, "ipv4") ? "IPv6 is"
		      : str_has(cache_given(in->serverless_cache_snapshot_name))       ? "Serverless caches are"
										       : NULL));
	if (in->cache_security_group_names.n)
		return CACHE_BAD_COMBINATION(
			c, "Cache security groups are not supported in a VPC: use SecurityGroupIds.");
	if (!in->replication_group_description.n)
		return CACHE_BAD_VALUE(
			c, "The parameter ReplicationGroupDescription must be provided and must not be blank.");
	TRY(group_free(c, id));
	if (str_has(cache_given(in->primary_cluster_id))) return adopt(c, in, id, out);
	struct elasticache_rec_unit u = {.replication_group_id = id,
		.description = in->replication_group_description,
		.engine = str_or(cache_given(in->engine), STR("redis")),
		.cache_node_type = in->cache_node_type,
		.preferred_maintenance_window = cache_given(in->preferred_maintenance_window),
		.snapshot_window = cache_given(in->snapshot_window),
		.snapshot_retention_limit = in->snapshot_retention_limit,
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade};
	struct cache_make m = {.version = cache_given(in->engine_version),
		.subnet_group = cache_given(in->cache_subnet_group_name),
		.parameter_group = cache_given(in->cache_parameter_group_name),
		.snapshot = cache_given(in->snapshot_name),
		.groups = in->security_group_ids.v,
		.n_groups = in->security_group_ids.n,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.port = in->port};
	if (str_is(u.engine, "memcached"))
		return CACHE_BAD_VALUE(c, "Invalid engine for a replication group: memcached");
	TRY(plan(c, in, &u, &p));
	TRY(secure(c, in, &u));
	TRY(cache_unit_begin(c, &u, &m));
	if (str_has(cache_given(in->kms_key_id)) && !in->at_rest_encryption_enabled.v)
		return CACHE_BAD_COMBINATION(c, "KmsKeyId needs encryption at rest: AtRestEncryptionEnabled.");
	if (in->at_rest_encryption_enabled.v)
		TRY(cache_crypt_new(c, in->kms_key_id, cache_unit_folder(c->arena, &u), &u.kms_key_id, &u.data_key));
	if (str_has(m.snapshot)) {
		struct elasticache_rec_snapshot s;
		TRY(cache_snapshot_for(c, m.snapshot, &s));
		if (!in->num_node_groups.has && !in->node_group_configuration.n) p.shards = (int32_t)s.parts.n;
		if ((size_t)p.shards != s.parts.n)
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Restoring a snapshot of %zu shards to %d shards is not implemented.", s.parts.n,
				p.shards);
	}
	TRY(add_shards(c, &u, &p));
	TRY(cluster_free(c, u.nodes.v[0].cluster));
	TRY(cache_unit_finish(c, &u));
	out->replication_group = cache_group_answer(c, &u);
	return OK;
}
