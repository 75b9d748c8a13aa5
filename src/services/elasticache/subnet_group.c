/* Cache subnet groups. "Subnets and subnet groups", the guide. */
#include "services/elasticache/room.h"

enum { NAME_MAX_LENGTH = 255, SUBNETS_MAX = 20 };

static status check_name(struct call *c, struct str name)
{
	bool good = name.n > 0 && name.n <= NAME_MAX_LENGTH;
	for (size_t i = 0; i < name.n; i++) {
		char b = name.p[i];
		good = good && ((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '-');
	}
	if (!good)
		return CACHE_BAD_VALUE(c, "The parameter CacheSubnetGroupName must be provided and must not be blank. "
					  "It may hold letters, "
					  "digits and hyphens.");
	return OK;
}

/* The subnets are there, and of one VPC. */
static status read_subnets(struct call *c, const struct str *ids, size_t n, struct elasticache_rec_subnet_group *r)
{
	if (n == 0) return CACHE_FAIL(c, INVALID_SUBNET, "At least one subnet has to be given.");
	if (n > SUBNETS_MAX)
		return CACHE_FAIL(c, CACHE_SUBNET_QUOTA_EXCEEDED_FAULT,
			"The request would exceed the allowed number of subnets in a cache subnet group.");
	r->subnets = (struct elasticache_rec_strings){arena_new_n(c->arena, struct str, n), 0};
	for (size_t i = 0; i < n; i++) {
		struct ec2_rec_subnet s;
		bool again = false;
		status st = ec2_load(ec2_here(c), &ec2_type_subnet, ids[i], &s);
		if (status_is(st, STATUS_NOT_FOUND))
			return CACHE_FAIL(
				c, INVALID_SUBNET, "Some input subnets in :[%.*s] are invalid.", STR_ARG(ids[i]));
		TRY(st);
		if (str_has(r->vpc_id) && !str_eq(r->vpc_id, s.vpc_id))
			return CACHE_FAIL(c, INVALID_SUBNET, "The requested subnets are not in the same VPC.");
		r->vpc_id = s.vpc_id;
		for (size_t k = 0; k < r->subnets.n; k++) again = again || str_eq(r->subnets.v[k], ids[i]);
		if (!again) r->subnets.v[r->subnets.n++] = ids[i];
	}
	return OK;
}

static status show(
	struct call *c, const struct elasticache_rec_subnet_group *r, struct elasticache_cache_subnet_group *out)
{
	size_t capacity = 0;
	struct str *types = arena_new(c->arena, struct str);
	*types = STR("ipv4");
	cache_show(c->arena, ELASTICACHE_REC_SUBNET_GROUP, r, ELASTICACHE_SHAPE_CACHE_SUBNET_GROUP, out);
	out->arn = cache_arn(c, &cache_kind_subnet_group, r->cache_subnet_group_name);
	out->supported_network_types = (struct elasticache_network_type_list){types, 1};
	for (size_t i = 0; i < r->subnets.n; i++) {
		struct ec2_rec_subnet s;
		status st = ec2_load(ec2_here(c), &ec2_type_subnet, r->subnets.v[i], &s);
		if (status_is(st, STATUS_NOT_FOUND)) continue;
		TRY(st);
		struct elasticache_subnet *o = VEC_PUSH(c->arena, &out->subnets, &capacity);
		o->subnet_identifier = r->subnets.v[i];
		o->supported_network_types = out->supported_network_types;
		o->subnet_availability_zone = arena_new(c->arena, struct elasticache_availability_zone);
		o->subnet_availability_zone->name = s.availability_zone;
	}
	return OK;
}

static status find(struct call *c, struct str name, struct elasticache_rec_subnet_group *r)
{
	status s = cache_load(cache_here(c), &cache_kind_subnet_group, name, r);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return CACHE_FAIL(
		c, CACHE_SUBNET_GROUP_NOT_FOUND_FAULT, "Cache Subnet Group %.*s does not exist.", STR_ARG(name));
}

/* Without a group of one's own the nodes are in "default", which ElastiCache makes of the default VPC's subnets. */
static status default_group(struct call *c, struct elasticache_rec_subnet_group *r)
{
	size_t capacity = 0;
	status s = cache_load(cache_here(c), &cache_kind_subnet_group, STR("default"), r);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	*r = (struct elasticache_rec_subnet_group){.cache_subnet_group_name = STR("default"),
		.cache_subnet_group_description = STR("Default CacheSubnetGroup")};
	TRY(ec2_default_vpc(ec2_here(c), &r->vpc_id));
	if (!str_has(r->vpc_id))
		return CACHE_FAIL(c, INVALID_VPC_NETWORK_STATE_FAULT,
			"No default VPC exists in this region: name a cache subnet group.");
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
	while (ec2_next(&e)) {
		const struct ec2_rec_subnet *n = e.item.record;
		if (str_eq(n->vpc_id, r->vpc_id) && n->default_for_az.v)
			*VEC_PUSH(c->arena, &r->subnets, &capacity) = n->subnet_id;
	}
	TRY(ec2_each_end(&e));
	cache_put(cache_here(c), &cache_kind_subnet_group, STR("default"), r);
	return OK;
}

status cache_subnet_group_for(struct call *c, struct str name, struct elasticache_rec_subnet_group *r)
{
	if (!str_has(name) || str_ieq(name, STR("default"))) return default_group(c, r);
	return find(c, name, r);
}

status elasticache_create_cache_subnet_group(struct call *c,
	const struct elasticache_create_cache_subnet_group_input *in,
	struct elasticache_create_cache_subnet_group_output *out)
{
	struct elasticache_rec_subnet_group r, other;
	size_t n;
	TRY(check_name(c, in->cache_subnet_group_name));
	struct str name = str_lower(c->arena, in->cache_subnet_group_name);
	status s = cache_load(cache_here(c), &cache_kind_subnet_group, name, &other);
	if (is_ok(s) || str_is(name, "default"))
		return CACHE_FAIL(c, CACHE_SUBNET_GROUP_ALREADY_EXISTS_FAULT, "Cache subnet group %.*s already exists.",
			STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(cache_count(cache_here(c), &cache_kind_subnet_group, &n));
	if (n >= CACHE_GROUPS_MAX)
		return CACHE_FAIL(c, CACHE_SUBNET_GROUP_QUOTA_EXCEEDED_FAULT,
			"The request would exceed the allowed number of cache subnet groups.");
	r = (struct elasticache_rec_subnet_group){
		.cache_subnet_group_name = name, .cache_subnet_group_description = in->cache_subnet_group_description};
	TRY(read_subnets(c, in->subnet_ids.v, in->subnet_ids.n, &r));
	TRY(cache_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	cache_put(cache_here(c), &cache_kind_subnet_group, name, &r);
	out->cache_subnet_group = arena_new(c->arena, struct elasticache_cache_subnet_group);
	return show(c, &r, out->cache_subnet_group);
}

/* The first unit of the group that the given subnets would leave outside; any of them where r is NULL. */
static status used_by(struct call *c, struct str group, const struct elasticache_rec_strings *subnets, struct str *by)
{
	struct cache_each e = cache_each(cache_here(c), &cache_kind_unit);
	*by = STR_NONE;
	while (cache_next(&e)) {
		const struct elasticache_rec_unit *u = e.record;
		if (!str_eq(u->cache_subnet_group_name, group)) continue;
		bool all = subnets != NULL;
		for (size_t k = 0; all && k < u->nodes.n; k++) {
			bool stays = false;
			for (size_t n = 0; n < subnets->n; n++)
				stays = stays || str_eq(subnets->v[n], u->nodes.v[k].subnet);
			all = stays;
		}
		if (!all) *by = str_or(u->replication_group_id, u->cache_cluster_id);
	}
	return cache_each_end(&e);
}

status elasticache_modify_cache_subnet_group(struct call *c,
	const struct elasticache_modify_cache_subnet_group_input *in,
	struct elasticache_modify_cache_subnet_group_output *out)
{
	struct elasticache_rec_subnet_group r, given = {0};
	struct str by;
	TRY(find(c, in->cache_subnet_group_name, &r));
	if (in->subnet_ids.n) {
		TRY(read_subnets(c, in->subnet_ids.v, in->subnet_ids.n, &given));
		if (!str_eq(given.vpc_id, r.vpc_id))
			return CACHE_FAIL(c, INVALID_SUBNET,
				"The new subnets are not in the same VPC as the cache subnet group.");
		TRY(used_by(c, r.cache_subnet_group_name, &given.subnets, &by));
		if (str_has(by))
			return CACHE_FAIL(c, SUBNET_IN_USE, "The requested subnet is being used by %.*s.", STR_ARG(by));
		r.subnets = given.subnets;
	}
	if (str_has(in->cache_subnet_group_description))
		r.cache_subnet_group_description = in->cache_subnet_group_description;
	cache_put(cache_here(c), &cache_kind_subnet_group, r.cache_subnet_group_name, &r);
	out->cache_subnet_group = arena_new(c->arena, struct elasticache_cache_subnet_group);
	return show(c, &r, out->cache_subnet_group);
}

status elasticache_delete_cache_subnet_group(struct call *c,
	const struct elasticache_delete_cache_subnet_group_input *in,
	struct elasticache_delete_cache_subnet_group_output *out)
{
	struct elasticache_rec_subnet_group r;
	struct str by;
	(void)out;
	TRY(find(c, in->cache_subnet_group_name, &r));
	TRY(used_by(c, r.cache_subnet_group_name, NULL, &by));
	if (str_has(by))
		return CACHE_FAIL(c, CACHE_SUBNET_GROUP_IN_USE, "Cache subnet group %.*s is currently in use by %.*s.",
			STR_ARG(r.cache_subnet_group_name), STR_ARG(by));
	cache_drop(cache_here(c), &cache_kind_subnet_group, r.cache_subnet_group_name);
	return OK;
}

status elasticache_describe_cache_subnet_groups(struct call *c,
	const struct elasticache_describe_cache_subnet_groups_input *in,
	struct elasticache_describe_cache_subnet_groups_output *out)
{
	size_t capacity = 0;
	struct elasticache_rec_subnet_group one;
	if (str_has(in->cache_subnet_group_name)) TRY(find(c, in->cache_subnet_group_name, &one));
	struct cache_each e = cache_each(cache_here(c), &cache_kind_subnet_group);
	status s = OK;
	while (is_ok(s) && cache_next(&e)) {
		const struct elasticache_rec_subnet_group *r = e.record;
		if (str_has(in->cache_subnet_group_name) &&
			!str_ieq(in->cache_subnet_group_name, r->cache_subnet_group_name))
			continue;
		s = show(c, r, VEC_PUSH(c->arena, &out->cache_subnet_groups, &capacity));
	}
	status end = cache_each_end(&e);
	TRY(s);
	TRY(end);
	return cache_page(c, &out->cache_subnet_groups, sizeof(*out->cache_subnet_groups.v), in->max_records,
		in->marker, &out->marker);
}
