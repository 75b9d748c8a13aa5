/* Snapshots as the API has them. "Snapshot and restore", the guide. Their bytes are snapshot_data.c's. */
#include "base/rand.h"
#include "call/inside.h"
#include "s3.h"
#include "services/elasticache/controller.h"

enum { NAME_LENGTH_MAX = 255 };

static status show(
	struct call *c, const struct elasticache_rec_snapshot *r, bool nodes, struct elasticache_snapshot *out)
{
	size_t capacity = 0;
	cache_show(c->arena, ELASTICACHE_REC_SNAPSHOT, r, ELASTICACHE_SHAPE_SNAPSHOT, out);
	out->arn = cache_arn(c, &cache_kind_snapshot, r->snapshot_name);
	out->data_tiering = STR("disabled");
	for (size_t i = 0; i < r->parts.n; i++) {
		const struct elasticache_rec_part *p = &r->parts.v[i];
		struct elasticache_node_snapshot *n = VEC_PUSH(c->arena, &out->node_snapshots, &capacity);
		*n = (struct elasticache_node_snapshot){.cache_cluster_id = p->cluster,
			.node_group_id = p->shard,
			.cache_node_id = p->number,
			.cache_node_create_time = p->node_created,
			.snapshot_create_time = p->taken};
		if (p->size.has)
			n->cache_size = str_fmt(c->arena, "%lld MB", (long long)((p->size.v + (1 << 20) - 1) >> 20));
		if (!nodes || !str_has(p->slots)) continue;
		n->node_group_configuration = arena_new(c->arena, struct elasticache_node_group_configuration);
		n->node_group_configuration->node_group_id = p->shard;
		n->node_group_configuration->slots = p->slots;
	}
	return OK;
}

static status find(struct call *c, struct str name, struct elasticache_rec_snapshot *out)
{
	status s = cache_load(cache_here(c), &cache_kind_snapshot, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return CACHE_FAIL(c, SNAPSHOT_NOT_FOUND_FAULT, "Snapshot %.*s not found.", STR_ARG(name));
}

static status must_be_available(struct call *c, const struct elasticache_rec_snapshot *r)
{
	if (str_is(r->snapshot_status, "available")) return OK;
	return CACHE_FAIL(c, INVALID_SNAPSHOT_STATE_FAULT, "Snapshot %.*s is not in available state: it is %.*s.",
		STR_ARG(r->snapshot_name), STR_ARG(r->snapshot_status));
}

status cache_snapshot_for(struct call *c, struct str name, struct elasticache_rec_snapshot *out)
{
	TRY(find(c, name, out));
	return must_be_available(c, out);
}

static status check_free(struct call *c, struct str name)
{
	struct elasticache_rec_snapshot other;
	size_t n;
	status s = cache_load(cache_here(c), &cache_kind_snapshot, name, &other);
	if (is_ok(s))
		return CACHE_FAIL(c, SNAPSHOT_ALREADY_EXISTS_FAULT, "Snapshot %.*s already exists.", STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(cache_count(cache_here(c), &cache_kind_snapshot, &n));
	if (n < CACHE_SNAPSHOTS_MAX) return OK;
	return CACHE_FAIL(
		c, SNAPSHOT_QUOTA_EXCEEDED_FAULT, "The request would exceed the allowed number of snapshots.");
}

static struct str new_folder(struct arena *a)
{
	return str_cat(a, STR("elasticache/snap-"), rand_text(a, STR("abcdefghijklmnopqrstuvwxyz0123456789"), 16));
}

status cache_snapshot_begin(struct call *c, struct elasticache_rec_unit *u, struct str name, struct str cluster,
	const char *source, const struct elasticache_tag_list *tags, struct elasticache_rec_snapshot *out)
{
	struct elasticache_rec_shards *shards = &u->shards;
	size_t capacity = 0;
	name = str_lower(c->arena, name);
	if (!cache_is_redis(u))
		return CACHE_FAIL(c, SNAPSHOT_FEATURE_NOT_SUPPORTED_FAULT, "Snapshots are supported for Redis only.");
	TRY(check_free(c, name));
	*out = (struct elasticache_rec_snapshot){.snapshot_name = name,
		.replication_group_id = u->replication_group_id,
		.replication_group_description = u->description,
		.cache_cluster_id = str_has(cluster) ? cluster : u->cache_cluster_id,
		.snapshot_status = STR("creating"),
		.snapshot_source = str_c(source),
		.cache_node_type = u->cache_node_type,
		.engine = u->engine,
		.engine_version = u->engine_version,
		.cache_cluster_create_time = u->created,
		.preferred_maintenance_window = u->preferred_maintenance_window,
		.port = u->port,
		.cache_parameter_group_name = u->parameter_group,
		.cache_subnet_group_name = u->cache_subnet_group_name,
		.vpc_id = u->vpc_id,
		.auto_minor_version_upgrade = u->auto_minor_version_upgrade,
		.snapshot_retention_limit = u->snapshot_retention_limit,
		.snapshot_window = u->snapshot_window,
		.num_cache_nodes = SOME_I32((int32_t)(str_has(u->replication_group_id) ? u->nodes.n : 1)),
		.preferred_availability_zone = u->nodes.n ? u->nodes.v[0].zone : STR_NONE,
		.folder = new_folder(c->arena),
		.unit = u->id,
		.created = SOME_TIME(c->now_ms)};
	if (str_has(u->replication_group_id)) {
		out->num_node_groups = SOME_I32((int32_t)shards->n);
		out->automatic_failover = u->failover.v ? STR("enabled") : STR("disabled");
	}
	for (size_t i = 0; i < shards->n; i++) {
		struct elasticache_rec_part *p = VEC_PUSH(c->arena, &out->parts, &capacity);
		*p = (struct elasticache_rec_part){.shard = shards->v[i].id, .number = STR("0001"), .cluster = cluster};
		if (u->clustered.v) p->slots = str_fmt(c->arena, "%d-%d", shards->v[i].from.v, shards->v[i].to.v);
	}
	if (tags) TRY(cache_tags_set(c, &out->tags, tags->v, tags->n));
	if (str_has(u->kms_key_id))
		TRY(cache_crypt_new(c, u->kms_key_id, out->folder, &out->kms_key_id, &out->data_key));
	cache_put(cache_here(c), &cache_kind_snapshot, name, out);
	cache_mark_snapshot(cache_here(c), name);
	u->status = STR("snapshotting");
	return OK;
}

static struct elasticache_snapshot *answer(struct call *c, const struct elasticache_rec_snapshot *r)
{
	struct elasticache_snapshot *o = arena_new(c->arena, struct elasticache_snapshot);
	return is_ok(show(c, r, false, o)) ? o : NULL;
}

static status check_name(struct call *c, struct str name, const char *what)
{
	return cache_name_check(c, name, what, NAME_LENGTH_MAX);
}

status elasticache_create_snapshot(struct call *c, const struct elasticache_create_snapshot_input *in,
	struct elasticache_create_snapshot_output *out)
{
	struct elasticache_rec_unit u;
	struct elasticache_rec_snapshot r;
	bool group = str_has(cache_given(in->replication_group_id)),
	     cluster = str_has(cache_given(in->cache_cluster_id));
	TRY(check_name(c, in->snapshot_name, "SnapshotName"));
	if (group == cluster)
		return CACHE_BAD_COMBINATION(
			c, "Either CacheClusterId or ReplicationGroupId has to be given, and not both.");
	TRY(group ? cache_group_find(c, in->replication_group_id, &u)
		  : cache_cluster_find(c, in->cache_cluster_id, &u));
	if (cluster && u.clustered.v)
		return CACHE_BAD_COMBINATION(
			c, "With cluster mode enabled snapshots are of the whole replication group.");
	TRY(cache_must_be_available(c, &u));
	TRY(cache_snapshot_begin(c, &u, in->snapshot_name,
		cluster ? str_lower(c->arena, in->cache_cluster_id) : STR_NONE, "manual", &in->tags, &r));
	if (str_has(cache_given(in->kms_key_id))) {
		TRY(cache_crypt_new(c, in->kms_key_id, r.folder, &r.kms_key_id, &r.data_key));
		cache_put(cache_here(c), &cache_kind_snapshot, r.snapshot_name, &r);
	}
	cache_unit_put(cache_here(c), &u);
	cache_poke(c);
	out->snapshot = answer(c, &r);
	return OK;
}

/* ElastiCache's own word for who may write there is an ACL of the bucket's; here the bucket has to be the account's. */
static status check_bucket(struct call *c, struct str bucket)
{
	struct inside_caller who = inside_service(c->arena, c->account, c->region, STR("elasticache.amazonaws.com"));
	struct s3_head_bucket_input in = {.bucket = bucket, .expected_bucket_owner = c->account};
	struct inside *i = inside_run(c->cloud, &who, "s3", S3_OP_HEAD_BUCKET, &in, NULL);
	bool ok = i->ok;
	inside_free(i);
	if (ok) return OK;
	return CACHE_BAD_VALUE(
		c, "The S3 bucket %.*s does not exist, or ElastiCache may not write to it.", STR_ARG(bucket));
}

status elasticache_copy_snapshot(
	struct call *c, const struct elasticache_copy_snapshot_input *in, struct elasticache_copy_snapshot_output *out)
{
	struct elasticache_rec_snapshot r, to;
	struct str name = str_lower(c->arena, in->target_snapshot_name);
	TRY(check_name(c, name, "TargetSnapshotName"));
	TRY(cache_snapshot_for(c, in->source_snapshot_name, &r));
	if (str_has(cache_given(in->target_bucket))) {
		TRY(check_bucket(c, in->target_bucket));
		r.snapshot_status = STR("exporting");
		r.bucket = in->target_bucket, r.export_name = name;
		to = r;
	} else {
		TRY(check_free(c, name));
		to = r;
		to.snapshot_name = name;
		to.snapshot_status = STR("creating");
		to.snapshot_source = STR("manual");
		to.folder = new_folder(c->arena);
		to.source_folder = r.folder, to.source_key = r.data_key;
		to.data_key = STR_NONE;
		if (str_has(cache_given(in->kms_key_id)) || str_has(r.kms_key_id))
			TRY(cache_crypt_new(c, str_or(cache_given(in->kms_key_id), r.kms_key_id), to.folder,
				&to.kms_key_id, &to.data_key));
		to.created = SOME_TIME(c->now_ms);
		to.tags = (struct elasticache_rec_pairs){0};
		TRY(cache_tags_set(c, &to.tags, in->tags.v, in->tags.n));
	}
	cache_put(cache_here(c), &cache_kind_snapshot, to.snapshot_name, &to);
	cache_mark_snapshot(cache_here(c), to.snapshot_name);
	cache_poke(c);
	out->snapshot = answer(c, &to);
	return OK;
}

status elasticache_delete_snapshot(struct call *c, const struct elasticache_delete_snapshot_input *in,
	struct elasticache_delete_snapshot_output *out)
{
	struct elasticache_rec_snapshot r;
	TRY(find(c, in->snapshot_name, &r));
	if (!str_is(r.snapshot_status, "failed")) TRY(must_be_available(c, &r));
	/* Whoever is being made of it needs it. */
	struct cache_each e = cache_each(cache_here(c), &cache_kind_unit);
	bool used = false;
	while (cache_next(&e)) used = used || str_eq(((const struct elasticache_rec_unit *)e.record)->origin, r.folder);
	TRY(cache_each_end(&e));
	if (used)
		return CACHE_FAIL(
			c, INVALID_SNAPSHOT_STATE_FAULT, "Snapshot %.*s is being restored.", STR_ARG(r.snapshot_name));
	r.snapshot_status = STR("deleting");
	cache_put(cache_here(c), &cache_kind_snapshot, r.snapshot_name, &r);
	cache_mark_snapshot(cache_here(c), r.snapshot_name);
	cache_poke(c);
	out->snapshot = answer(c, &r);
	return OK;
}

status elasticache_describe_snapshots(struct call *c, const struct elasticache_describe_snapshots_input *in,
	struct elasticache_describe_snapshots_output *out)
{
	struct elasticache_rec_snapshot one;
	size_t capacity = 0;
	if (str_has(in->snapshot_name)) TRY(find(c, in->snapshot_name, &one));
	struct cache_each e = cache_each(cache_here(c), &cache_kind_snapshot);
	status s = OK;
	while (is_ok(s) && cache_next(&e)) {
		const struct elasticache_rec_snapshot *r = e.record;
		bool automated = str_is(r->snapshot_source, "automated");
		if ((str_has(in->snapshot_name) && !str_ieq(in->snapshot_name, r->snapshot_name)) ||
			(str_has(in->replication_group_id) &&
				!str_ieq(in->replication_group_id, r->replication_group_id)) ||
			(str_has(in->cache_cluster_id) && !str_ieq(in->cache_cluster_id, r->cache_cluster_id)) ||
			(str_is(in->snapshot_source, "system") && !automated) ||
			(str_is(in->snapshot_source, "user") && automated))
			continue;
		s = show(c, r, in->show_node_group_config.v, VEC_PUSH(c->arena, &out->snapshots, &capacity));
	}
	status end = cache_each_end(&e);
	TRY(s);
	TRY(end);
	return cache_page(c, &out->snapshots, sizeof(*out->snapshots.v), in->max_records, in->marker, &out->marker);
}
