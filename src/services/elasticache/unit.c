/* Units as the API shows them: cache clusters and replication groups. */
#include "services/elasticache/controller.h"

struct elasticache_rec_node *cache_node(const struct elasticache_rec_unit *u, struct str name)
{
	for (size_t i = 0; i < u->nodes.n; i++)
		if (str_eq(u->nodes.v[i].name, name)) return &u->nodes.v[i];
	return NULL;
}

struct elasticache_rec_shard *cache_shard(const struct elasticache_rec_unit *u, struct str id)
{
	for (size_t i = 0; i < u->shards.n; i++)
		if (str_eq(u->shards.v[i].id, id)) return &u->shards.v[i];
	return NULL;
}

bool cache_is_primary(const struct elasticache_rec_unit *u, const struct elasticache_rec_node *n)
{
	const struct elasticache_rec_shard *s = cache_shard(u, n->shard);
	return s && str_eq(s->primary, n->name);
}

bool cache_is_redis(const struct elasticache_rec_unit *u)
{
	return str_is(u->engine, "redis");
}

static status find(struct call *c, const struct cache_kind *k, struct str id, struct elasticache_rec_unit *out)
{
	struct elasticache_rec_ref r;
	TRY(cache_load(cache_here(c), k, id, &r));
	return cache_load(cache_here(c), &cache_kind_unit, r.unit, out);
}

status cache_cluster_find(struct call *c, struct str id, struct elasticache_rec_unit *out)
{
	status s = find(c, &cache_kind_cluster, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return CACHE_FAIL(c, CACHE_CLUSTER_NOT_FOUND_FAULT, "CacheCluster not found: %.*s", STR_ARG(id));
}

status cache_group_find(struct call *c, struct str id, struct elasticache_rec_unit *out)
{
	status s = find(c, &cache_kind_group, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return CACHE_FAIL(c, REPLICATION_GROUP_NOT_FOUND_FAULT, "ReplicationGroup %.*s not found.", STR_ARG(id));
}

status cache_must_be_available(struct call *c, const struct elasticache_rec_unit *u)
{
	if (str_is(u->status, "available")) return OK;
	if (str_has(u->replication_group_id))
		return CACHE_FAIL(c, INVALID_REPLICATION_GROUP_STATE_FAULT,
			"Replication group %.*s is not in available state: it is %.*s.",
			STR_ARG(u->replication_group_id), STR_ARG(u->status));
	return CACHE_FAIL(c, INVALID_CACHE_CLUSTER_STATE_FAULT,
		"Cache cluster %.*s is not in available state: it is %.*s.", STR_ARG(u->cache_cluster_id),
		STR_ARG(u->status));
}

static struct elasticache_endpoint *endpoint(struct call *c, struct str name, const struct elasticache_rec_unit *u)
{
	struct elasticache_endpoint *e = arena_new(c->arena, struct elasticache_endpoint);
	*e = (struct elasticache_endpoint){.address = name, .port = u->port};
	return e;
}

static struct str node_status(const struct elasticache_rec_unit *u, const struct elasticache_rec_node *n)
{
	if (str_is(u->status, "deleting") || str_is(n->state, "removing")) return STR("deleting");
	if (str_is(n->wanted, "reboot")) return STR("rebooting cache cluster nodes");
	if (str_is(n->state, "new")) return STR("creating");
	return str_is(u->status, "creating") ? STR("creating") : STR("available");
}

static status show_groups(struct call *c, const struct elasticache_rec_unit *u, struct elasticache_cache_cluster *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < u->groups.n; i++)
		*VEC_PUSH(c->arena, &out->security_groups, &capacity) =
			(struct elasticache_security_group_membership){u->groups.v[i], STR("active")};
	return OK;
}

status cache_cluster_show(struct call *c, const struct elasticache_rec_unit *u, struct str cluster, bool nodes,
	struct elasticache_cache_cluster *out)
{
	struct cache_place at = cache_here(c);
	size_t capacity = 0, reboots = 0;
	int32_t n = 0;
	cache_show(c->arena, ELASTICACHE_REC_UNIT, u, ELASTICACHE_SHAPE_CACHE_CLUSTER, out);
	struct elasticache_cache_parameter_group_status *p =
		arena_new(c->arena, struct elasticache_cache_parameter_group_status);
	*p = (struct elasticache_cache_parameter_group_status){
		.cache_parameter_group_name = u->parameter_group, .parameter_apply_status = STR("in-sync")};
	out->cache_cluster_id = cluster;
	out->cache_parameter_group = p;
	struct str state = STR_NONE;
	for (size_t i = 0; i < u->nodes.n; i++) {
		const struct elasticache_rec_node *k = &u->nodes.v[i];
		if (!str_ieq(k->cluster, cluster)) continue;
		n++;
		struct str zone = out->preferred_availability_zone;
		out->preferred_availability_zone = !str_has(zone) || str_eq(zone, k->zone) ? k->zone : STR("Multiple");
		if (!str_has(state)) state = node_status(u, k), out->cache_cluster_create_time = k->created;
		bool waits = str_is(k->state, "up") &&
			     !str_eq(str_or(k->started_with, STR("")), str_or(k->running_with, STR("")));
		if (waits) {
			p->parameter_apply_status = STR("pending-reboot");
			*VEC_PUSH(c->arena, &p->cache_node_ids_to_reboot, &reboots) = k->number;
		}
		if (!nodes) continue;
		struct elasticache_cache_node *o = VEC_PUSH(c->arena, &out->cache_nodes, &capacity);
		*o = (struct elasticache_cache_node){.cache_node_id = k->number,
			.cache_node_status = node_status(u, k),
			.cache_node_create_time = k->created,
			.parameter_group_status = waits ? STR("pending-reboot") : STR("in-sync"),
			.customer_availability_zone = k->zone};
		if (!str_is(k->state, "new")) o->endpoint = endpoint(c, cache_node_endpoint(c->arena, at, u, k), u);
	}
	bool grouped = str_has(u->replication_group_id);
	/* A member is told by its own node, but for what the whole group does. */
	out->cache_cluster_status = grouped && str_is(u->status, "available") ? str_or(state, u->status) : u->status;
	if (grouped && str_is(state, "creating")) out->cache_cluster_status = state;
	out->num_cache_nodes = SOME_I32(n);
	if (!grouped && str_is(u->engine, "memcached") && !str_is(u->status, "creating"))
		out->configuration_endpoint = endpoint(c, cache_endpoint(c->arena, at, u, CACHE_CONFIGURATION), u);
	out->client_download_landing_page = str_fmt(c->arena,
		"https://console.aws.amazon.com/elasticache/home?region=%.*s#client-download:", STR_ARG(c->region));
	struct elasticache_pending_modified_values *w = arena_new(c->arena, struct elasticache_pending_modified_values);
	if (u->pending)
		*w = (struct elasticache_pending_modified_values){.cache_node_type = u->pending->cache_node_type,
			.num_cache_nodes = u->pending->num_cache_nodes,
			.cache_node_ids_to_remove = {u->pending->remove.v, u->pending->remove.n}};
	out->pending_modified_values = w;
	if (str_has(u->topic)) {
		out->notification_configuration = arena_new(c->arena, struct elasticache_notification_configuration);
		*out->notification_configuration =
			(struct elasticache_notification_configuration){u->topic, STR("active")};
	}
	out->auth_token_enabled = SOME_BOOL(u->tokens.n > 0);
	out->auth_token_last_modified_date = u->token_changed;
	out->transit_encryption_enabled = SOME_BOOL(u->tls.v);
	if (u->tls.v) out->transit_encryption_mode = STR("required");
	out->at_rest_encryption_enabled = SOME_BOOL(str_has(u->kms_key_id));
	out->replication_group_log_delivery_enabled = SOME_BOOL(false);
	out->network_type = STR("ipv4"), out->ip_discovery = STR("ipv4");
	out->arn = cache_arn(c, &cache_kind_cluster, cluster);
	if (!cache_is_redis(u)) out->snapshot_retention_limit = (struct opt_i32){0}, out->snapshot_window = STR_NONE;
	return show_groups(c, u, out);
}

static struct str slots(struct arena *a, const struct elasticache_rec_shard *s)
{
	return str_fmt(a, "%d-%d", s->from.v, s->to.v);
}

status cache_group_show(struct call *c, const struct elasticache_rec_unit *u, struct elasticache_replication_group *out)
{
	struct cache_place at = cache_here(c);
	size_t members = 0, shards = 0;
	cache_show(c->arena, ELASTICACHE_REC_UNIT, u, ELASTICACHE_SHAPE_REPLICATION_GROUP, out);
	for (size_t i = 0; i < u->shards.n; i++) {
		const struct elasticache_rec_shard *s = &u->shards.v[i];
		struct elasticache_node_group *g = VEC_PUSH(c->arena, &out->node_groups, &shards);
		size_t capacity = 0;
		*g = (struct elasticache_node_group){.node_group_id = s->id, .status = u->status};
		if (u->clustered.v)
			g->slots = slots(c->arena, s);
		else if (!str_is(u->status, "creating")) {
			g->primary_endpoint = endpoint(c, cache_endpoint(c->arena, at, u, CACHE_PRIMARY), u);
			g->reader_endpoint = endpoint(c, cache_endpoint(c->arena, at, u, CACHE_READER), u);
		}
		for (size_t k = 0; k < u->nodes.n; k++) {
			const struct elasticache_rec_node *n = &u->nodes.v[k];
			if (!str_eq(n->shard, s->id)) continue;
			*VEC_PUSH(c->arena, &out->member_clusters, &members) = n->cluster;
			struct elasticache_node_group_member *m = VEC_PUSH(c->arena, &g->node_group_members, &capacity);
			*m = (struct elasticache_node_group_member){.cache_cluster_id = n->cluster,
				.cache_node_id = n->number,
				.preferred_availability_zone = n->zone};
			if (u->clustered.v) continue;
			m->current_role = cache_is_primary(u, n) ? STR("primary") : STR("replica");
			if (!str_is(n->state, "new"))
				m->read_endpoint = endpoint(c, cache_node_endpoint(c->arena, at, u, n), u);
		}
	}
	if (u->clustered.v && !str_is(u->status, "creating"))
		out->configuration_endpoint = endpoint(c, cache_endpoint(c->arena, at, u, CACHE_CONFIGURATION), u);
	out->status = u->status;
	out->pending_modified_values =
		arena_new(c->arena, struct elasticache_replication_group_pending_modified_values);
	out->automatic_failover = u->failover.v ? STR("enabled") : STR("disabled");
	out->multi_az = u->multi_az.v ? STR("enabled") : STR("disabled");
	out->cluster_enabled = SOME_BOOL(u->clustered.v);
	out->cluster_mode = u->clustered.v ? STR("enabled") : STR("disabled");
	out->auth_token_enabled = SOME_BOOL(u->tokens.n > 0);
	out->auth_token_last_modified_date = u->token_changed;
	out->transit_encryption_enabled = SOME_BOOL(u->tls.v);
	if (u->tls.v) out->transit_encryption_mode = STR("required");
	out->at_rest_encryption_enabled = SOME_BOOL(str_has(u->kms_key_id));
	out->user_group_ids = (struct elasticache_user_group_id_list){u->user_groups.v, u->user_groups.n};
	out->replication_group_create_time = u->created;
	out->data_tiering = STR("disabled");
	out->network_type = STR("ipv4"), out->ip_discovery = STR("ipv4");
	if (str_has(u->snapshotting)) out->snapshotting_cluster_id = u->snapshotting;
	out->arn = cache_arn(c, &cache_kind_group, u->replication_group_id);
	return OK;
}

struct elasticache_cache_cluster *cache_cluster_answer(
	struct call *c, const struct elasticache_rec_unit *u, struct str cluster)
{
	struct elasticache_cache_cluster *o = arena_new(c->arena, struct elasticache_cache_cluster);
	return is_ok(cache_cluster_show(c, u, cluster, false, o)) ? o : NULL;
}

struct elasticache_replication_group *cache_group_answer(struct call *c, const struct elasticache_rec_unit *u)
{
	struct elasticache_replication_group *o = arena_new(c->arena, struct elasticache_replication_group);
	return is_ok(cache_group_show(c, u, o)) ? o : NULL;
}

status elasticache_describe_cache_clusters(struct call *c, const struct elasticache_describe_cache_clusters_input *in,
	struct elasticache_describe_cache_clusters_output *out)
{
	size_t capacity = 0;
	bool nodes = in->show_cache_node_info.v, alone = in->show_cache_clusters_not_in_replication_groups.v;
	struct elasticache_rec_unit one;
	if (str_has(in->cache_cluster_id)) {
		TRY(cache_cluster_find(c, in->cache_cluster_id, &one));
		return cache_cluster_show(c, &one, str_lower(c->arena, in->cache_cluster_id), nodes,
			VEC_PUSH(c->arena, &out->cache_clusters, &capacity));
	}
	struct cache_each e = cache_each(cache_here(c), &cache_kind_cluster);
	status s = OK;
	while (is_ok(s) && cache_next(&e)) {
		s = cache_load(
			cache_here(c), &cache_kind_unit, ((const struct elasticache_rec_ref *)e.record)->unit, &one);
		if (is_ok(s) && !(alone && str_has(one.replication_group_id)))
			s = cache_cluster_show(
				c, &one, e.name, nodes, VEC_PUSH(c->arena, &out->cache_clusters, &capacity));
	}
	status end = cache_each_end(&e);
	TRY(s);
	TRY(end);
	return cache_page(
		c, &out->cache_clusters, sizeof(*out->cache_clusters.v), in->max_records, in->marker, &out->marker);
}

status elasticache_describe_replication_groups(struct call *c,
	const struct elasticache_describe_replication_groups_input *in,
	struct elasticache_describe_replication_groups_output *out)
{
	size_t capacity = 0;
	struct elasticache_rec_unit one;
	if (str_has(in->replication_group_id)) {
		TRY(cache_group_find(c, in->replication_group_id, &one));
		return cache_group_show(c, &one, VEC_PUSH(c->arena, &out->replication_groups, &capacity));
	}
	struct cache_each e = cache_each(cache_here(c), &cache_kind_group);
	status s = OK;
	while (is_ok(s) && cache_next(&e)) {
		s = cache_load(
			cache_here(c), &cache_kind_unit, ((const struct elasticache_rec_ref *)e.record)->unit, &one);
		if (is_ok(s)) s = cache_group_show(c, &one, VEC_PUSH(c->arena, &out->replication_groups, &capacity));
	}
	status end = cache_each_end(&e);
	TRY(s);
	TRY(end);
	return cache_page(c, &out->replication_groups, sizeof(*out->replication_groups.v), in->max_records, in->marker,
		&out->marker);
}
