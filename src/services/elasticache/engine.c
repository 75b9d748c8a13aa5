/* Engines, their versions, and node types. The servers are Debian's, and what is told is what runs: "Supported engines
 * and versions", "Supported node types", "Redis OSS-specific parameters" (maxmemory by node type), the guide. */
#include "services/elasticache/room.h"

static const struct cache_engine engines[] = {
	{"memcached", "1.6.18", "memcached1.6", "memcached", false, 11211},
	{"redis", "7.0.15", "redis7", "Redis", true, 6379},
};
enum { N_ENGINES = sizeof(engines) / sizeof(*engines) };

static const struct cache_type types[] = {
	{"cache.t2.micro", 581959680, 1},
	{"cache.t2.small", 1665138688, 1},
	{"cache.t2.medium", 3461349376, 2},
	{"cache.t3.micro", 536870912, 2},
	{"cache.t3.small", 1471026299, 2},
	{"cache.t3.medium", 3317862236, 2},
	{"cache.t4g.micro", 536870912, 2},
	{"cache.t4g.small", 1471026299, 2},
	{"cache.t4g.medium", 3317862236, 2},
	{"cache.m5.large", 6854542746, 2},
	{"cache.m5.xlarge", 13891921715, 4},
	{"cache.m5.2xlarge", 27966669210, 8},
	{"cache.m5.4xlarge", 56116178125, 16},
	{"cache.m6g.large", 6854542746, 2},
	{"cache.m6g.xlarge", 13891921715, 4},
	{"cache.m6g.2xlarge", 27966669210, 8},
	{"cache.m6g.4xlarge", 56116178125, 16},
	{"cache.m7g.large", 6854542746, 2},
	{"cache.m7g.xlarge", 13891921715, 4},
	{"cache.m7g.2xlarge", 27966669210, 8},
	{"cache.r5.large", 14037181030, 2},
	{"cache.r5.xlarge", 28261849702, 4},
	{"cache.r5.2xlarge", 56711183565, 8},
	{"cache.r6g.large", 14037181030, 2},
	{"cache.r6g.xlarge", 28261849702, 4},
	{"cache.r6g.2xlarge", 56711183565, 8},
	{"cache.r7g.large", 14037181030, 2},
	{"cache.r7g.xlarge", 28261849702, 4},
	{"cache.r7g.2xlarge", 56711183565, 8},
};
enum { N_TYPES = sizeof(types) / sizeof(*types) };

const struct cache_type *cache_type_find(struct str name)
{
	for (size_t i = 0; i < N_TYPES; i++)
		if (str_eq(name, str_c(types[i].name))) return &types[i];
	return NULL;
}

status cache_type_check(struct call *c, struct str name)
{
	if (!str_has(name) || !name.n)
		return CACHE_BAD_VALUE(c, "The parameter CacheNodeType must be provided and must not be blank.");
	return cache_type_find(name) ? OK : CACHE_BAD_VALUE(c, "Invalid cache node type: %.*s", STR_ARG(name));
}

/* "7.0" and "7.x" name the newest of theirs, as do the beginnings of memcached's numbers. */
static bool names_version(struct str given, struct str version)
{
	if (str_eq(given, version)) return true;
	if (str_ends(given, STR(".x"))) given.n -= 2;
	return given.n && given.n < version.n && str_starts(version, given) && version.p[given.n] == '.';
}

const struct cache_engine *cache_engine_find(struct str engine, struct str version)
{
	for (size_t i = 0; i < N_ENGINES; i++)
		if (str_eq(engine, str_c(engines[i].engine)) &&
			(!str_has(version) || names_version(version, str_c(engines[i].version))))
			return &engines[i];
	return NULL;
}

status cache_engine_check(struct call *c, struct str engine, struct str version, const struct cache_engine **out)
{
	*out = cache_engine_find(engine, version);
	if (*out) return OK;
	if (!cache_engine_find(engine, STR_NONE))
		return CACHE_BAD_VALUE(c,
			"Invalid engine: %.*s. The engines of this installation are: memcached, redis",
			STR_ARG(engine));
	return CACHE_BAD_COMBINATION(c, "Cannot find version %.*s for %.*s. The version of this installation is %s",
		STR_ARG(version), STR_ARG(engine), cache_engine_find(engine, STR_NONE)->version);
}

status elasticache_describe_cache_engine_versions(struct call *c,
	const struct elasticache_describe_cache_engine_versions_input *in,
	struct elasticache_describe_cache_engine_versions_output *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < N_ENGINES; i++) {
		const struct cache_engine *e = &engines[i];
		if ((str_has(in->engine) && !str_eq(in->engine, str_c(e->engine))) ||
			(str_has(in->engine_version) && !names_version(in->engine_version, str_c(e->version))) ||
			(str_has(in->cache_parameter_group_family) &&
				!str_eq(in->cache_parameter_group_family, str_c(e->family))))
			continue;
		*VEC_PUSH(c->arena, &out->cache_engine_versions, &capacity) = (struct elasticache_cache_engine_version){
			.engine = str_c(e->engine),
			.engine_version = str_c(e->version),
			.cache_parameter_group_family = str_c(e->family),
			.cache_engine_description = str_c(e->description),
			.cache_engine_version_description = str_fmt(c->arena, "%s version %s", e->engine, e->version)};
	}
	return cache_page(c, &out->cache_engine_versions, sizeof(*out->cache_engine_versions.v), in->max_records,
		in->marker, &out->marker);
}

status elasticache_list_allowed_node_type_modifications(struct call *c,
	const struct elasticache_list_allowed_node_type_modifications_input *in,
	struct elasticache_list_allowed_node_type_modifications_output *out)
{
	struct elasticache_rec_unit u;
	size_t up = 0, down = 0;
	if (str_has(in->cache_cluster_id) == str_has(in->replication_group_id))
		return CACHE_BAD_COMBINATION(
			c, "Either CacheClusterId or ReplicationGroupId has to be given, and not both.");
	TRY(str_has(in->cache_cluster_id) ? cache_cluster_find(c, in->cache_cluster_id, &u)
					  : cache_group_find(c, in->replication_group_id, &u));
	if (!cache_is_redis(&u)) return CACHE_BAD_COMBINATION(c, "This operation is for Redis only.");
	const struct cache_type *now = cache_type_find(u.cache_node_type);
	for (size_t i = 0; now && i < N_TYPES; i++) {
		if (&types[i] == now) continue;
		bool larger = types[i].memory >= now->memory;
		*VEC_PUSH(c->arena, larger ? &out->scale_up_modifications : &out->scale_down_modifications,
			larger ? &up : &down) = str_c(types[i].name);
	}
	VEC_PRESENT(c->arena, &out->scale_up_modifications);
	VEC_PRESENT(c->arena, &out->scale_down_modifications);
	return OK;
}
