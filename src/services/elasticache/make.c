/* The making of a unit's record and network: see room.h. */
#include "base/rand.h"
#include "identity/digest.h"
#include "services/elasticache/controller.h"
#include "services/rds/room.h"

enum { GROUPS_MAX = 5, TOKEN_MIN = 16, TOKEN_MAX = 128, PORT_MIN = 1024, PORT_MAX = 55535, RETENTION_MAX = 35 };

struct str cache_digest(struct arena *a, struct str text)
{
	uint8_t out[32];
	digest_sha256(text, out);
	return str_hex(a, str_n(out, sizeof(out)));
}

/* "Authenticating with the Redis OSS AUTH command", the guide. */
status cache_token_check(struct call *c, struct str t)
{
	bool good = t.n >= TOKEN_MIN && t.n <= TOKEN_MAX;
	for (size_t i = 0; i < t.n; i++) {
		char b = t.p[i];
		good = good && ((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
				       memchr("!&#$^<>-", b, 8));
	}
	return good ? OK
		    : CACHE_BAD_VALUE(c,
			      "Invalid AuthToken provided. It must have between %d and %d alphanumeric "
			      "characters or symbols of (!, &, #, $, ^, <, >, -).",
			      TOKEN_MIN, TOKEN_MAX);
}

status cache_groups_check(struct call *c, struct str vpc, const struct str *groups, size_t n)
{
	if (n > GROUPS_MAX) return CACHE_BAD_VALUE(c, "At most %d security groups can be given.", GROUPS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct ec2_rec_security_group g;
		status s = ec2_load(ec2_here(c), &ec2_type_security_group, groups[i], &g);
		if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && !str_eq(g.vpc_id, vpc)))
			return CACHE_BAD_VALUE(c, "Some security groups are invalid or not in the VPC %.*s: %.*s",
				STR_ARG(vpc), STR_ARG(groups[i]));
		TRY(s);
	}
	return OK;
}

/* A subnet of the group in that zone; without one where the fewest nodes are. */
static status choose_subnet(struct call *c, const struct elasticache_rec_unit *u, struct str shard, struct str zone,
	struct ec2_rec_subnet *out)
{
	struct elasticache_rec_subnet_group g;
	size_t fewest = SIZE_MAX;
	TRY(cache_subnet_group_for(c, u->cache_subnet_group_name, &g));
	for (size_t i = 0; i < g.subnets.n; i++) {
		struct ec2_rec_subnet one;
		size_t here = 0;
		status s = ec2_load(ec2_here(c), &ec2_type_subnet, g.subnets.v[i], &one);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		/* Nodes of the same shard weigh most. */
		for (size_t k = 0; k < u->nodes.n; k++)
			if (str_eq(u->nodes.v[k].zone, one.availability_zone))
				here += str_eq(u->nodes.v[k].shard, shard) ? 100 : 1;
		if (str_has(zone) && !str_eq(zone, one.availability_zone)) continue;
		if (!str_has(zone) && ec2_zone_is_down(c->tx, c->arena, one.availability_zone)) continue;
		if (here >= fewest) continue;
		fewest = here;
		*out = one;
	}
	if (fewest < SIZE_MAX) return OK;
	if (str_has(zone))
		return CACHE_BAD_VALUE(c, "The cache subnet group %.*s has no subnet in the availability zone %.*s.",
			STR_ARG(g.cache_subnet_group_name), STR_ARG(zone));
	return CACHE_FAIL(c, INSUFFICIENT_CACHE_CLUSTER_CAPACITY_FAULT,
		"No availability zone of the cache subnet group can take the cache node.");
}

status cache_node_add(struct call *c, struct elasticache_rec_unit *u, struct str shard, struct str cluster,
	struct str number, struct str zone)
{
	struct ec2_rec_subnet s;
	struct ec2_rec_eni e;
	size_t capacity = u->nodes.n;
	TRY(choose_subnet(c, u, shard, cache_given(zone), &s));
	struct ec2_eni_make m = {.subnet = s.subnet_id,
		.description = str_fmt(c->arena, "ElastiCache %.*s", STR_ARG(cluster)),
		.groups = u->groups.v,
		.n_groups = u->groups.n,
		.requester_id = STR("amazon-elasticache"),
		.kind = STR("service"),
		.mesh = u->id};
	TRY(ec2_eni_make(c, &m, &e));
	TRY(ec2_eni_attach(c,
		&(struct ec2_eni_attach){.eni = e.network_interface_id,
			.place = e.network_interface_id,
			.kind = STR("service"),
			.device = 0},
		NULL));
	u->groups = (struct elasticache_rec_strings){e.groups.v, e.groups.n};
	u->next = SOME_I32(u->next.v + 1);
	*VEC_PUSH(c->arena, &u->nodes, &capacity) =
		(struct elasticache_rec_node){.name = str_fmt(c->arena, "n%d", u->next.v),
			.eni = e.network_interface_id,
			.address = e.addresses.v[0].private_ip_address,
			.zone = s.availability_zone,
			.subnet = s.subnet_id,
			.state = STR("new"),
			.shard = shard,
			.cluster = cluster,
			.number = number,
			.created = SOME_TIME(c->now_ms)};
	return OK;
}

struct str cache_member_id(struct arena *a, const struct elasticache_rec_unit *u, struct str shard, unsigned k)
{
	for (;; k++) {
		struct str id = u->clustered.v ? str_fmt(a, "%.*s-%.*s-%03u", STR_ARG(u->replication_group_id),
							 STR_ARG(shard), k)
					       : str_fmt(a, "%.*s-%03u", STR_ARG(u->replication_group_id), k);
		bool taken = false;
		for (size_t i = 0; i < u->nodes.n; i++) taken = taken || str_eq(u->nodes.v[i].cluster, id);
		if (!taken) return id;
	}
}

void cache_unit_put(struct cache_place at, const struct elasticache_rec_unit *u)
{
	struct elasticache_rec_ref r = {.unit = u->id};
	cache_put(at, &cache_kind_unit, u->id, u);
	if (str_has(u->replication_group_id)) cache_put(at, &cache_kind_group, u->replication_group_id, &r);
	for (size_t i = 0; i < u->nodes.n; i++) cache_put(at, &cache_kind_cluster, u->nodes.v[i].cluster, &r);
}

status cache_unit_begin(struct call *c, struct elasticache_rec_unit *u, const struct cache_make *m)
{
	const struct cache_engine *e;
	struct elasticache_rec_subnet_group g;
	bool clustered;
	TRY(cache_engine_check(c, u->engine, m->version, &e));
	TRY(cache_type_check(c, u->cache_node_type));
	u->engine_version = str_c(e->version);
	if (!u->clustered.v) {
		TRY(cache_group_says_clustered(c, m->parameter_group, &clustered));
		u->clustered = SOME_BOOL(clustered);
	}
	TRY(cache_parameter_group_for(c, m->parameter_group, e, u->clustered.v, &u->parameter_group));
	TRY(cache_group_says_clustered(c, u->parameter_group, &clustered));
	if (u->clustered.v != clustered)
		return CACHE_BAD_COMBINATION(c,
			"Cluster mode needs a parameter group with cluster-enabled: yes; %.*s has not.",
			STR_ARG(u->parameter_group));
	u->port = m->port.has ? m->port : SOME_I32(e->port);
	if (u->port.v < PORT_MIN || u->port.v > PORT_MAX)
		return CACHE_BAD_VALUE(
			c, "Invalid port %d, valid port range is %d - %d", u->port.v, PORT_MIN, PORT_MAX);
	TRY(cache_windows_check(c, u->preferred_maintenance_window, u->snapshot_window));
	if (!str_has(u->preferred_maintenance_window)) u->preferred_maintenance_window = STR("sun:05:00-sun:06:00");
	u->preferred_maintenance_window = str_lower(c->arena, u->preferred_maintenance_window);
	if (u->snapshot_retention_limit.v < 0 || u->snapshot_retention_limit.v > RETENTION_MAX)
		return CACHE_BAD_VALUE(c, "Invalid SnapshotRetentionLimit: %d. It is between 0 and %d.",
			u->snapshot_retention_limit.v, RETENTION_MAX);
	if (!str_is(u->engine, "redis") && (u->snapshot_retention_limit.v || str_has(u->snapshot_window)))
		return CACHE_BAD_COMBINATION(c, "Snapshots are supported for Redis only.");
	if (!u->snapshot_retention_limit.has) u->snapshot_retention_limit = SOME_I32(0);
	if (!str_has(u->snapshot_window)) u->snapshot_window = STR("03:30-04:30");
	if (!u->auto_minor_version_upgrade.has) u->auto_minor_version_upgrade = SOME_BOOL(true);
	TRY(cache_subnet_group_for(c, m->subnet_group, &g));
	u->cache_subnet_group_name = g.cache_subnet_group_name;
	u->vpc_id = g.vpc_id;
	TRY(cache_groups_check(c, u->vpc_id, m->groups, m->n_groups));
	u->groups = (struct elasticache_rec_strings){
		arena_copy(c->arena, m->groups, m->n_groups * sizeof(*m->groups)), m->n_groups};
	TRY(cache_tags_set(c, &u->tags, m->tags, m->n_tags));
	u->id = str_cat(c->arena, STR("ec-"), rand_text(c->arena, STR("abcdefghijklmnopqrstuvwxyz0123456789"), 14));
	u->secret = rand_text(c->arena, STR("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), 40);
	u->status = STR("creating");
	u->created = SOME_TIME(c->now_ms);
	if (!str_has(m->snapshot)) return OK;
	struct elasticache_rec_snapshot s;
	if (!str_is(u->engine, "redis")) return CACHE_BAD_COMBINATION(c, "Snapshots are supported for Redis only.");
	TRY(cache_snapshot_for(c, m->snapshot, &s));
	if (s.parts.n > 1 && !u->clustered.v)
		return CACHE_BAD_COMBINATION(
			c, "A snapshot of %zu shards can only be restored with cluster mode enabled.", s.parts.n);
	u->origin = s.folder, u->origin_key = s.data_key;
	return OK;
}

static status check_quota(struct call *c, size_t more)
{
	struct cache_each e = cache_each(cache_here(c), &cache_kind_unit);
	while (cache_next(&e)) more += ((const struct elasticache_rec_unit *)e.record)->nodes.n;
	TRY(cache_each_end(&e));
	if (more <= CACHE_NODES_MAX) return OK;
	return CACHE_FAIL(c, NODE_QUOTA_FOR_CUSTOMER_EXCEEDED_FAULT,
		"The request cannot be processed because it would exceed the allowed number of cache nodes per "
		"customer.");
}

status cache_unit_finish(struct call *c, struct elasticache_rec_unit *u)
{
	if (str_is(u->status, "creating")) TRY(check_quota(c, u->nodes.n));
	cache_unit_put(cache_here(c), u);
	cache_mark(cache_here(c), u->id, 0);
	cache_poke(c);
	return OK;
}
