/* Changes, reboots, failovers and deletions, as they are asked for; the unit's job carries them out. */
#include "services/elasticache/controller.h"

static status save(struct call *c, struct elasticache_rec_unit *u)
{
	return cache_unit_finish(c, u);
}

static status refuse(struct call *c, const char *what)
{
	return what ? call_fail(c, ERR_NOT_IMPLEMENTED, "%s not implemented.", what) : OK;
}

status cache_pending_apply(struct call *c, struct elasticache_rec_unit *u)
{
	const struct elasticache_rec_pending *p = u->pending;
	size_t have = u->nodes.n;
	if (!p) return OK;
	if (str_has(p->cache_node_type)) u->cache_node_type = p->cache_node_type;
	for (size_t i = 0; i < p->remove.n; i++)
		for (size_t k = 0; k < u->nodes.n; k++)
			if (str_eq(u->nodes.v[k].number, p->remove.v[i])) u->nodes.v[k].state = STR("removing"), have--;
	for (int32_t k = 1; p->num_cache_nodes.has && have < (size_t)p->num_cache_nodes.v; k++) {
		struct str number = str_fmt(c->arena, "%04d", k);
		bool taken = false;
		for (size_t i = 0; i < u->nodes.n; i++) taken = taken || str_eq(u->nodes.v[i].number, number);
		if (taken) continue;
		TRY(cache_node_add(c, u, STR(""), u->cache_cluster_id, number, STR_NONE));
		have++;
	}
	u->status = STR("modifying");
	u->pending = NULL;
	return OK;
}

/* At once, or in the maintenance window. */
static status pend(struct call *c, struct elasticache_rec_unit *u, struct elasticache_rec_pending *p, bool now)
{
	u->pending = p;
	return now ? cache_pending_apply(c, u) : OK;
}

/* What both modifications have in common. */
struct change {
	struct str maintenance, window, parameter_group, version, type;
	struct opt_i32 retention;
	struct opt_bool minor;
	const struct str *groups;
	size_t n_groups;
};

static status regroup(struct call *c, struct elasticache_rec_unit *u, const struct str *groups, size_t n)
{
	TRY(cache_groups_check(c, u->vpc_id, groups, n));
	for (size_t i = 0; i < u->nodes.n; i++) {
		struct ec2_rec_eni e;
		TRY(ec2_load(ec2_here(c), &ec2_type_eni, u->nodes.v[i].eni, &e));
		TRY(ec2_groups_for(c, u->vpc_id, groups, n, &e.groups));
		TRY(ec2_eni_save(c, &e));
		u->groups = (struct elasticache_rec_strings){e.groups.v, e.groups.n};
	}
	return OK;
}

static status change(struct call *c, struct elasticache_rec_unit *u, const struct change *k)
{
	const struct cache_engine *e;
	TRY(cache_windows_check(c, cache_given(k->maintenance), cache_given(k->window)));
	if (str_has(cache_given(k->maintenance))) u->preferred_maintenance_window = str_lower(c->arena, k->maintenance);
	if (str_has(cache_given(k->window))) u->snapshot_window = k->window, u->next_snapshot = (struct opt_time){0};
	if (k->retention.has && (k->retention.v < 0 || k->retention.v > 35))
		return CACHE_BAD_VALUE(
			c, "Invalid SnapshotRetentionLimit: %d. It is between 0 and 35.", k->retention.v);
	if (k->retention.has) u->snapshot_retention_limit = k->retention;
	if (k->minor.has) u->auto_minor_version_upgrade = k->minor;
	if (str_has(cache_given(k->version))) TRY(cache_engine_check(c, u->engine, k->version, &e));
	if (str_has(cache_given(k->parameter_group))) {
		bool clustered;
		e = cache_engine_find(u->engine, STR_NONE);
		TRY(cache_parameter_group_for(c, k->parameter_group, e, u->clustered.v, &u->parameter_group));
		TRY(cache_group_says_clustered(c, u->parameter_group, &clustered));
		if (clustered != u->clustered.v)
			return CACHE_BAD_COMBINATION(
				c, "The cluster mode of what exists cannot be changed by a parameter group.");
	}
	if (k->n_groups) TRY(regroup(c, u, k->groups, k->n_groups));
	return OK;
}

static status new_type(
	struct call *c, const struct elasticache_rec_unit *u, struct str type, struct elasticache_rec_pending **p)
{
	if (!str_has(cache_given(type)) || str_eq(type, u->cache_node_type)) return OK;
	TRY(cache_type_check(c, type));
	if (!cache_is_redis(u))
		return CACHE_BAD_COMBINATION(c, "The node type of a memcached cluster cannot be changed.");
	if (!*p) *p = arena_new(c->arena, struct elasticache_rec_pending);
	(*p)->cache_node_type = type;
	return OK;
}

status elasticache_modify_cache_cluster(struct call *c, const struct elasticache_modify_cache_cluster_input *in,
	struct elasticache_modify_cache_cluster_output *out)
{
	struct elasticache_rec_unit u;
	struct elasticache_rec_pending *p = NULL;
	TRY(cache_cluster_find(c, in->cache_cluster_id, &u));
	TRY(refuse(c, in->log_delivery_configurations.n                  ? "Log delivery is"
		      : str_has(cache_given(in->notification_topic_arn)) ? "Notifications are"
		      : str_has(cache_given(in->auth_token))             ? "AUTH tokens of single clusters are"
									 : NULL));
	if (str_has(u.replication_group_id))
		return CACHE_BAD_COMBINATION(c,
			"Cache cluster %.*s is in a replication group: use ModifyReplicationGroup.",
			STR_ARG(in->cache_cluster_id));
	TRY(cache_must_be_available(c, &u));
	TRY(change(c, &u,
		&(struct change){in->preferred_maintenance_window, in->snapshot_window, in->cache_parameter_group_name,
			in->engine_version, STR_NONE, in->snapshot_retention_limit, in->auto_minor_version_upgrade,
			in->security_group_ids.v, in->security_group_ids.n}));
	TRY(new_type(c, &u, in->cache_node_type, &p));
	if (in->num_cache_nodes.has && (size_t)in->num_cache_nodes.v != u.nodes.n) {
		int32_t n = in->num_cache_nodes.v;
		if (cache_is_redis(&u)) return CACHE_BAD_VALUE(c, "NumCacheNodes of a Redis cluster is 1.");
		if (n < 1 || n > CACHE_CLUSTER_NODES_MAX)
			return CACHE_FAIL(c, NODE_QUOTA_FOR_CLUSTER_EXCEEDED_FAULT,
				"A cache cluster can have 1 to %d cache nodes.", CACHE_CLUSTER_NODES_MAX);
		size_t gone = (size_t)n < u.nodes.n ? u.nodes.n - (size_t)n : 0;
		if (in->cache_node_ids_to_remove.n != gone)
			return CACHE_BAD_COMBINATION(
				c, "CacheNodeIdsToRemove must name the %zu nodes that are to be removed.", gone);
		for (size_t i = 0; i < gone; i++) {
			bool there = false;
			for (size_t k = 0; k < u.nodes.n; k++)
				there = there || str_eq(u.nodes.v[k].number, in->cache_node_ids_to_remove.v[i]);
			if (!there)
				return CACHE_BAD_VALUE(
					c, "Invalid cache node id: %.*s", STR_ARG(in->cache_node_ids_to_remove.v[i]));
		}
		if (!p) p = arena_new(c->arena, struct elasticache_rec_pending);
		p->num_cache_nodes = in->num_cache_nodes;
		p->remove = (struct elasticache_rec_strings){in->cache_node_ids_to_remove.v, gone};
	}
	if (p) TRY(pend(c, &u, p, in->apply_immediately.v));
	TRY(save(c, &u));
	out->cache_cluster = cache_cluster_answer(c, &u, str_lower(c->arena, in->cache_cluster_id));
	return OK;
}

static status new_token(
	struct call *c, const struct elasticache_modify_replication_group_input *in, struct elasticache_rec_unit *u)
{
	struct str how = str_or(in->auth_token_update_strategy, STR("ROTATE"));
	if (str_is(how, "DELETE")) {
		u->tokens.n = 0;
		return OK;
	}
	if (!str_has(cache_given(in->auth_token))) return OK;
	if (!u->tls.v)
		return CACHE_BAD_COMBINATION(
			c, "The AUTH token parameter is only supported when encryption-in-transit is enabled.");
	TRY(cache_token_check(c, in->auth_token));
	/* ROTATE: the newest former one stays good; SET: only this one is. */
	struct str *both = arena_new_n(c->arena, struct str, 2);
	both[0] = cache_digest(c->arena, in->auth_token);
	if (u->tokens.n) both[1] = u->tokens.v[0];
	u->tokens = (struct elasticache_rec_strings){both, str_is(how, "ROTATE") && u->tokens.n ? 2 : 1};
	if (u->tokens.n == 2 && str_eq(both[0], both[1])) u->tokens.n = 1;
	u->token_changed = SOME_TIME(c->now_ms);
	return OK;
}

static status new_user_groups(
	struct call *c, const struct elasticache_modify_replication_group_input *in, struct elasticache_rec_unit *u)
{
	struct elasticache_rec_strings kept = {0};
	size_t capacity = 0;
	TRY(cache_user_groups_check(c, in->user_group_ids_to_add.v, in->user_group_ids_to_add.n));
	for (size_t i = 0; i < u->user_groups.n && !in->remove_user_groups.v; i++) {
		bool gone = false;
		for (size_t k = 0; k < in->user_group_ids_to_remove.n; k++)
			gone = gone || str_ieq(in->user_group_ids_to_remove.v[k], u->user_groups.v[i]);
		if (!gone) *VEC_PUSH(c->arena, &kept, &capacity) = u->user_groups.v[i];
	}
	for (size_t i = 0; i < in->user_group_ids_to_add.n; i++)
		*VEC_PUSH(c->arena, &kept, &capacity) = str_lower(c->arena, in->user_group_ids_to_add.v[i]);
	if (kept.n > 1) return CACHE_BAD_VALUE(c, "At most one user group can be associated with a replication group.");
	if (kept.n && !u->tls.v)
		return CACHE_BAD_COMBINATION(
			c, "User groups are only supported when encryption-in-transit is enabled.");
	if (kept.n && u->tokens.n)
		return CACHE_BAD_COMBINATION(c, "An AUTH token and user groups cannot be used together.");
	u->user_groups = kept;
	return OK;
}

status elasticache_modify_replication_group(struct call *c, const struct elasticache_modify_replication_group_input *in,
	struct elasticache_modify_replication_group_output *out)
{
	struct elasticache_rec_unit u;
	struct elasticache_rec_pending *p = NULL;
	TRY(cache_group_find(c, in->replication_group_id, &u));
	TRY(refuse(c, in->log_delivery_configurations.n                  ? "Log delivery is"
		      : str_has(cache_given(in->notification_topic_arn)) ? "Notifications are"
		      : in->transit_encryption_enabled.has && in->transit_encryption_enabled.v != u.tls.v
			      ? "Turning encryption in transit on or off is"
		      : str_has(in->cluster_mode) && str_is(in->cluster_mode, "enabled") != u.clustered.v
			      ? "Changing the cluster mode is"
			      : NULL));
	TRY(cache_must_be_available(c, &u));
	TRY(change(c, &u,
		&(struct change){in->preferred_maintenance_window, in->snapshot_window, in->cache_parameter_group_name,
			in->engine_version, STR_NONE, in->snapshot_retention_limit, in->auto_minor_version_upgrade,
			in->security_group_ids.v, in->security_group_ids.n}));
	if (str_has(in->replication_group_description)) u.description = in->replication_group_description;
	if (in->automatic_failover_enabled.has) u.failover = in->automatic_failover_enabled;
	if (in->multi_az_enabled.has) u.multi_az = in->multi_az_enabled;
	if (u.failover.v && !u.clustered.v && u.nodes.n < 2)
		return CACHE_BAD_COMBINATION(
			c, "Automatic failover is not supported for replication groups without replicas.");
	if (u.clustered.v && !u.failover.v)
		return CACHE_BAD_COMBINATION(c, "With cluster mode enabled automatic failover cannot be turned off.");
	if (u.multi_az.v && !u.failover.v) return CACHE_BAD_COMBINATION(c, "Multi-AZ needs automatic failover.");
	TRY(new_token(c, in, &u));
	TRY(new_user_groups(c, in, &u));
	if (str_has(cache_given(in->snapshotting_cluster_id))) {
		bool member = false;
		for (size_t i = 0; i < u.nodes.n; i++)
			member = member || str_ieq(u.nodes.v[i].cluster, in->snapshotting_cluster_id);
		if (!member || u.clustered.v)
			return CACHE_BAD_VALUE(
				c, "Invalid SnapshottingClusterId: %.*s", STR_ARG(in->snapshotting_cluster_id));
		u.snapshotting = str_lower(c->arena, in->snapshotting_cluster_id);
	}
	if (str_has(cache_given(in->primary_cluster_id))) {
		struct elasticache_rec_node *n = NULL;
		for (size_t i = 0; i < u.nodes.n; i++)
			if (str_ieq(u.nodes.v[i].cluster, in->primary_cluster_id)) n = &u.nodes.v[i];
		if (!n)
			return CACHE_FAIL(c, CACHE_CLUSTER_NOT_FOUND_FAULT, "CacheCluster not found: %.*s",
				STR_ARG(in->primary_cluster_id));
		if (u.failover.v)
			return CACHE_BAD_COMBINATION(c, "A replica cannot be promoted by hand while automatic failover "
							"is enabled: turn it off first.");
		if (!cache_is_primary(&u, n)) {
			u.wanted = str_cat(c->arena, STR("promote "), n->name);
			u.status = STR("modifying");
		}
	}
	TRY(new_type(c, &u, in->cache_node_type, &p));
	if (p) TRY(pend(c, &u, p, in->apply_immediately.v));
	TRY(save(c, &u));
	out->replication_group = cache_group_answer(c, &u);
	return OK;
}

/* ── replicas ── */

static size_t replicas_of(const struct elasticache_rec_unit *u, struct str shard)
{
	size_t n = 0;
	for (size_t i = 0; i < u->nodes.n; i++)
		n += str_eq(u->nodes.v[i].shard, shard) && !cache_is_primary(u, &u->nodes.v[i]) &&
		     !str_is(u->nodes.v[i].state, "removing");
	return n;
}

struct resize {
	struct str group;
	struct opt_i32 count;
	const struct elasticache_configure_shard *shards;
	size_t n_shards;
	bool now;
};

static status begin_resize(struct call *c, const struct resize *z, struct elasticache_rec_unit *u)
{
	TRY(cache_group_find(c, z->group, u));
	TRY(cache_must_be_available(c, u));
	if (!z->now) return CACHE_BAD_VALUE(c, "ApplyImmediately has to be true.");
	if (z->count.has == (z->n_shards > 0))
		return CACHE_BAD_COMBINATION(c, "Either NewReplicaCount or ReplicaConfiguration has to be given.");
	for (size_t i = 0; i < z->n_shards; i++)
		if (!cache_shard(u, z->shards[i].node_group_id))
			return CACHE_FAIL(c, NODE_GROUP_NOT_FOUND_FAULT, "Node group %.*s not found.",
				STR_ARG(z->shards[i].node_group_id));
	return OK;
}

/* How many replicas a shard is to have; where nothing is said of it, what it has. */
static int32_t wanted_of(const struct resize *z, const struct elasticache_rec_unit *u, struct str shard, size_t *index)
{
	*index = z->n_shards;
	if (z->count.has) return z->count.v;
	for (size_t i = 0; i < z->n_shards; i++)
		if (str_eq(z->shards[i].node_group_id, shard)) {
			*index = i;
			return z->shards[i].new_replica_count.v;
		}
	return (int32_t)replicas_of(u, shard);
}

status elasticache_increase_replica_count(struct call *c, const struct elasticache_increase_replica_count_input *in,
	struct elasticache_increase_replica_count_output *out)
{
	struct elasticache_rec_unit u;
	struct resize z = {in->replication_group_id, in->new_replica_count, in->replica_configuration.v,
		in->replica_configuration.n, in->apply_immediately.v};
	size_t added = 0;
	TRY(begin_resize(c, &z, &u));
	for (size_t i = 0; i < u.shards.n; i++) {
		struct str shard = u.shards.v[i].id;
		size_t k, have = replicas_of(&u, shard);
		int32_t want = wanted_of(&z, &u, shard, &k);
		if (want > CACHE_REPLICAS_MAX)
			return CACHE_FAIL(c, NODE_QUOTA_FOR_CLUSTER_EXCEEDED_FAULT,
				"A node group can have at most %d replicas.", CACHE_REPLICAS_MAX);
		if (want < (int32_t)have || want < 0)
			return CACHE_BAD_VALUE(c, "NewReplicaCount must not be less than what there is (%zu).", have);
		/* Zones are named for all nodes of the shard, the primary first. */
		for (size_t r = have; r < (size_t)want; r++, added++) {
			struct str zone = STR_NONE;
			if (k < z.n_shards && r + 1 < z.shards[k].preferred_availability_zones.n)
				zone = z.shards[k].preferred_availability_zones.v[r + 1];
			TRY(cache_node_add(c, &u, shard, cache_member_id(c->arena, &u, shard, 1), STR("0001"), zone));
		}
	}
	if (!added) return CACHE_FAIL(c, NO_OPERATION_FAULT, "The replication group has that many replicas already.");
	u.status = STR("modifying");
	TRY(save(c, &u));
	out->replication_group = cache_group_answer(c, &u);
	return OK;
}

status elasticache_decrease_replica_count(struct call *c, const struct elasticache_decrease_replica_count_input *in,
	struct elasticache_decrease_replica_count_output *out)
{
	struct elasticache_rec_unit u;
	struct resize z = {in->replication_group_id, in->new_replica_count, in->replica_configuration.v,
		in->replica_configuration.n, in->apply_immediately.v};
	size_t gone = 0;
	if (in->replicas_to_remove.n) z.count = SOME_I32(0), z.n_shards = 0;
	TRY(begin_resize(c, &z, &u));
	for (size_t k = 0; k < in->replicas_to_remove.n; k++) {
		struct elasticache_rec_node *n = NULL;
		for (size_t i = 0; i < u.nodes.n; i++)
			if (str_ieq(u.nodes.v[i].cluster, in->replicas_to_remove.v[k])) n = &u.nodes.v[i];
		if (!n || cache_is_primary(&u, n))
			return CACHE_BAD_VALUE(c, "%.*s is no replica of the replication group.",
				STR_ARG(in->replicas_to_remove.v[k]));
		n->state = STR("removing"), gone++;
	}
	for (size_t i = 0; i < u.shards.n && !in->replicas_to_remove.n; i++) {
		struct str shard = u.shards.v[i].id;
		size_t k, have = replicas_of(&u, shard);
		int32_t want = wanted_of(&z, &u, shard, &k);
		if (want < 0 || want > (int32_t)have)
			return CACHE_BAD_VALUE(c, "NewReplicaCount must not be more than what there is (%zu).", have);
		for (size_t n = u.nodes.n; n-- > 0 && have > (size_t)want;)
			if (str_eq(u.nodes.v[n].shard, shard) && !cache_is_primary(&u, &u.nodes.v[n]) &&
				!str_is(u.nodes.v[n].state, "removing"))
				u.nodes.v[n].state = STR("removing"), have--, gone++;
	}
	for (size_t i = 0; i < u.shards.n; i++)
		if (u.failover.v && !u.clustered.v && !replicas_of(&u, u.shards.v[i].id))
			return CACHE_BAD_COMBINATION(c, "The last replica cannot be removed while automatic failover "
							"is enabled: turn it off first.");
	if (!gone) return CACHE_FAIL(c, NO_OPERATION_FAULT, "The replication group has that many replicas already.");
	u.status = STR("modifying");
	TRY(save(c, &u));
	out->replication_group = cache_group_answer(c, &u);
	return OK;
}

/* ── failover, reboot, deletion ── */

status elasticache_test_failover(
	struct call *c, const struct elasticache_test_failover_input *in, struct elasticache_test_failover_output *out)
{
	struct elasticache_rec_unit u;
	TRY(cache_group_find(c, in->replication_group_id, &u));
	TRY(cache_must_be_available(c, &u));
	if (!cache_shard(&u, in->node_group_id))
		return CACHE_FAIL(
			c, NODE_GROUP_NOT_FOUND_FAULT, "Node group %.*s not found.", STR_ARG(in->node_group_id));
	if (!u.failover.v || !replicas_of(&u, in->node_group_id))
		return CACHE_BAD_COMBINATION(c, "Test failover needs automatic failover and a replica.");
	u.wanted = str_cat(c->arena, STR("failover "), in->node_group_id);
	u.status = STR("modifying");
	TRY(save(c, &u));
	out->replication_group = cache_group_answer(c, &u);
	return OK;
}

status elasticache_reboot_cache_cluster(struct call *c, const struct elasticache_reboot_cache_cluster_input *in,
	struct elasticache_reboot_cache_cluster_output *out)
{
	struct elasticache_rec_unit u;
	TRY(cache_cluster_find(c, in->cache_cluster_id, &u));
	TRY(cache_must_be_available(c, &u));
	if (u.clustered.v) return CACHE_BAD_COMBINATION(c, "Nodes with cluster mode enabled cannot be rebooted.");
	for (size_t i = 0; i < in->cache_node_ids_to_reboot.n; i++) {
		struct elasticache_rec_node *n = NULL;
		for (size_t k = 0; k < u.nodes.n; k++)
			if (str_ieq(u.nodes.v[k].cluster, in->cache_cluster_id) &&
				str_eq(u.nodes.v[k].number, in->cache_node_ids_to_reboot.v[i]))
				n = &u.nodes.v[k];
		if (!n)
			return CACHE_BAD_VALUE(
				c, "Invalid cache node id: %.*s", STR_ARG(in->cache_node_ids_to_reboot.v[i]));
		n->wanted = STR("reboot");
	}
	if (!in->cache_node_ids_to_reboot.n) return CACHE_BAD_VALUE(c, "CacheNodeIdsToReboot has to name a node.");
	u.status = STR("rebooting cache cluster nodes");
	TRY(save(c, &u));
	out->cache_cluster = cache_cluster_answer(c, &u, str_lower(c->arena, in->cache_cluster_id));
	return OK;
}

static status delete_unit(struct call *c, struct elasticache_rec_unit *u, struct str final)
{
	struct elasticache_rec_snapshot s;
	if (str_is(u->status, "deleting") || str_is(u->status, "snapshotting")) return cache_must_be_available(c, u);
	if (str_has(cache_given(final))) {
		TRY(cache_must_be_available(c, u));
		TRY(cache_snapshot_begin(c, u, final, STR_NONE, "manual", NULL, &s));
		u->final_snapshot = s.snapshot_name;
	}
	u->status = STR("deleting");
	return save(c, u);
}

status elasticache_delete_cache_cluster(struct call *c, const struct elasticache_delete_cache_cluster_input *in,
	struct elasticache_delete_cache_cluster_output *out)
{
	struct elasticache_rec_unit u;
	struct str id = str_lower(c->arena, in->cache_cluster_id);
	TRY(cache_cluster_find(c, id, &u));
	if (!str_has(u.replication_group_id)) {
		TRY(delete_unit(c, &u, in->final_snapshot_identifier));
		out->cache_cluster = cache_cluster_answer(c, &u, id);
		return OK;
	}
	/* Of a replication group: a replica, but not what it cannot do without. */
	TRY(cache_must_be_available(c, &u));
	for (size_t i = 0; i < u.nodes.n; i++) {
		struct elasticache_rec_node *n = &u.nodes.v[i];
		if (!str_eq(n->cluster, id)) continue;
		if (u.clustered.v || cache_is_primary(&u, n) || (u.failover.v && replicas_of(&u, n->shard) < 2))
			return CACHE_FAIL(c, INVALID_CACHE_CLUSTER_STATE_FAULT,
				"Cache cluster %.*s is serving as primary for a replication group, or is its last "
				"replica, and "
				"cannot be deleted.",
				STR_ARG(id));
		n->state = STR("removing");
	}
	u.status = STR("modifying");
	TRY(save(c, &u));
	out->cache_cluster = cache_cluster_answer(c, &u, id);
	return OK;
}

status elasticache_delete_replication_group(struct call *c, const struct elasticache_delete_replication_group_input *in,
	struct elasticache_delete_replication_group_output *out)
{
	struct elasticache_rec_unit u;
	TRY(cache_group_find(c, in->replication_group_id, &u));
	if (in->retain_primary_cluster.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "RetainPrimaryCluster is not implemented.");
	TRY(delete_unit(c, &u, in->final_snapshot_identifier));
	out->replication_group = cache_group_answer(c, &u);
	return OK;
}
