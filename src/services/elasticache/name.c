/* Endpoints' names, as ElastiCache makes them ("Finding connection endpoints", the guide): with encryption in transit
 * the replication group is a label of its own, so that one certificate fits all of them. */
#include "services/elasticache/room.h"

/* The random label of all of an account's endpoints in a region. */
static struct str label(struct arena *a, struct cache_place at)
{
	uint64_t h = 0xcbf29ce484222325ull;
	struct str text = str_cat(a, at.account, at.region);
	char l[7];
	for (size_t i = 0; i < text.n; i++) h = (h ^ (unsigned char)text.p[i]) * 0x100000001b3ull;
	for (unsigned i = 0; i < 6; i++, h /= 36) l[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[h % (i ? 36 : 26)];
	return str_dup(a, str_n(l, 6));
}

/* us-east-1 ─▶ use1, ap-southeast-2 ─▶ apse2, us-gov-west-1 ─▶ ugw1 */
static struct str short_region(struct arena *a, struct str region)
{
	struct buf b = BUF_IN(a);
	struct str rest = region, first = str_cut(&rest, '-');
	bool gov = str_starts(rest, STR("gov-"));
	if (gov) str_cut(&rest, '-');
	if (gov)
		buf_lit(&b, "ug");
	else
		buf_str(&b, str_sub(first, 0, 2));
	struct str where = str_cut(&rest, '-');
	static const char *const sides[] = {"north", "south", "central", "east", "west"};
	while (where.n) {
		size_t i = 0;
		while (i < 5 && !str_starts(where, str_c(sides[i]))) i++;
		if (i == 5) break;
		buf_byte(&b, sides[i][0]);
		where = str_from(where, strlen(sides[i]));
	}
	if (str_has(rest)) buf_str(&b, rest);
	return buf_done(&b);
}

static struct str tail(struct arena *a, struct cache_place at)
{
	struct str china = str_starts(at.region, STR("cn-")) ? STR(".cn") : STR("");
	return str_fmt(a, "%.*s.cache.amazonaws.com%.*s", STR_ARG(short_region(a, at.region)), STR_ARG(china));
}

struct str cache_node_endpoint(struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n)
{
	struct str l = label(a, at), t = tail(a, at);
	struct str name =
		u->tls.v ? str_fmt(a, "%.*s.%.*s.%.*s.%.*s", STR_ARG(n->cluster),
				   STR_ARG(str_or(u->replication_group_id, n->cluster)), STR_ARG(l), STR_ARG(t))
			 : str_fmt(a, "%.*s.%.*s.%.*s.%.*s", STR_ARG(n->cluster), STR_ARG(l), STR_ARG(n->number),
				   STR_ARG(t));
	return str_lower(a, name);
}

struct str cache_endpoint(
	struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u, enum cache_endpoint which)
{
	struct str l = label(a, at), t = tail(a, at), id = str_or(u->replication_group_id, u->cache_cluster_id);
	static const char *const heads[] = {"master", "replica", "clustercfg"};
	struct str name;
	if (u->tls.v)
		name = str_fmt(a, "%s.%.*s.%.*s.%.*s", heads[which], STR_ARG(id), STR_ARG(l), STR_ARG(t));
	else if (which == CACHE_CONFIGURATION)
		name = str_fmt(a, "%.*s.%.*s.%s.%.*s", STR_ARG(id), STR_ARG(l),
			cache_is_redis(u) ? "clustercfg" : "cfg", STR_ARG(t));
	else
		name = str_fmt(a, "%.*s%s.%.*s.ng.0001.%.*s", STR_ARG(id), which == CACHE_READER ? "-ro" : "",
			STR_ARG(l), STR_ARG(t));
	return str_lower(a, name);
}

struct elasticache_rec_strings cache_names(struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u)
{
	struct elasticache_rec_strings out = {0};
	size_t capacity = 0;
	struct str id = str_or(u->replication_group_id, u->cache_cluster_id);
	*VEC_PUSH(a, &out, &capacity) =
		str_lower(a, str_fmt(a, "*.%.*s.%.*s.%.*s", STR_ARG(id), STR_ARG(label(a, at)), STR_ARG(tail(a, at))));
	for (unsigned i = 0; i < 3; i++) *VEC_PUSH(a, &out, &capacity) = cache_endpoint(a, at, u, i);
	return out;
}
