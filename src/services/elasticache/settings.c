/* What the servers are told: redis.conf, memcached's arguments, and which parameters wait for a restart. */
#include "services/elasticache/node.h"

/* "reserved-memory-percent": of a node's memory, kept for snapshots and replication. */
static int64_t max_memory(
	struct arena *a, const struct elasticache_rec_unit *u, const struct elasticache_rec_parameter_group *g)
{
	const struct cache_type *t = cache_type_find(u->cache_node_type);
	size_t n;
	int64_t reserved = 25;
	const struct cache_parameter *all = cache_parameters(g->cache_parameter_group_family, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].name, "reserved-memory-percent") == 0 &&
			!is_ok(str_to_i64(cache_parameter_value(a, g, &all[i]), &reserved)))
			reserved = 25;
	return t ? t->memory / 100 * (100 - reserved) : 0;
}

static void add_line(struct buf *b, const struct cache_parameter *p, struct str value)
{
	buf_fmt(b, "%s ", p->name);
	if (value.n)
		buf_str(b, value);
	else
		buf_lit(b, "\"\"");
	buf_byte(b, '\n');
}

struct str cache_static_settings(struct arena *a, const struct elasticache_rec_parameter_group *g)
{
	struct buf b = BUF_IN(a);
	size_t n;
	const struct cache_parameter *all = cache_parameters(g->cache_parameter_group_family, &n);
	bool redis = str_is(g->cache_parameter_group_family, "redis7");
	for (size_t i = 0; i < n; i++)
		if (all[i].reboots && !(redis && all[i].option))
			add_line(&b, &all[i], cache_parameter_value(a, g, &all[i]));
	return buf_done(&b);
}

/* Three values in one directive. */
static void add_limits(
	struct buf *b, struct arena *a, const struct elasticache_rec_parameter_group *g, const char *class)
{
	static const char *const ends[] = {"hard-limit", "soft-limit", "soft-seconds"};
	size_t n;
	const struct cache_parameter *all = cache_parameters(g->cache_parameter_group_family, &n);
	buf_fmt(b, "client-output-buffer-limit %s", class);
	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < n; i++)
			if (str_eq(str_c(all[i].name), str_fmt(a, "client-output-buffer-limit-%s-%s", class, ends[k])))
				buf_fmt(b, " %.*s", STR_ARG(cache_parameter_value(a, g, &all[i])));
	buf_byte(b, '\n');
}

struct str cache_dynamic_settings(
	struct arena *a, const struct elasticache_rec_unit *u, const struct elasticache_rec_parameter_group *g)
{
	struct buf b = BUF_IN(a);
	size_t n;
	const struct cache_parameter *all = cache_parameters(g->cache_parameter_group_family, &n);
	if (!cache_is_redis(u)) return STR("");
	buf_fmt(&b, "maxmemory %lld\n", (long long)max_memory(a, u, g));
	for (size_t i = 0; i < n; i++)
		if (!all[i].reboots && !all[i].option) add_line(&b, &all[i], cache_parameter_value(a, g, &all[i]));
	add_limits(&b, a, g, "normal");
	add_limits(&b, a, g, "pubsub");
	return buf_done(&b);
}

struct str cache_redis_conf(struct arena *a, struct cache_place at, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n, const struct elasticache_rec_parameter_group *g)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "# Written by virga before each start.\n"
		    "bind 0.0.0.0\nprotected-mode no\ndaemonize no\nlogfile \"\"\ndir /srv/engine\n"
		    "unixsocket /srv/engine/redis.sock\nunixsocketperm 777\ndbfilename dump.rdb\nsave \"\"\n"
		    "tcp-backlog 511\nenable-protected-configs local\nrepl-diskless-sync yes\nrepl-diskless-sync-delay "
		    "0\nrepl-diskless-load swapdb\n"
		    "user default off\n"
		    "user " CACHE_USER " on #");
	buf_str(&b, cache_digest(a, u->secret));
	buf_fmt(&b, " ~* &* +@all\nmasteruser " CACHE_USER "\nmasterauth %.*s\n", STR_ARG(u->secret));
	if (u->tls.v)
		buf_fmt(&b,
			"port 0\ntls-port %d\ntls-cert-file /srv/engine/server.crt\ntls-key-file "
			"/srv/engine/server.key\n"
			"tls-ca-cert-file /srv/engine/ca.crt\ntls-auth-clients no\ntls-replication yes\ntls-cluster "
			"yes\n"
			"tls-protocols \"TLSv1.2 TLSv1.3\"\n",
			u->port.v);
	else
		buf_fmt(&b, "port %d\n", u->port.v);
	buf_fmt(&b, "replica-announce-ip %.*s\nreplica-announce-port %d\n", STR_ARG(n->address), u->port.v);
	if (u->clustered.v) {
		buf_fmt(&b,
			"cluster-enabled yes\ncluster-config-file /srv/engine/nodes.conf\ncluster-node-timeout 5000\n"
			"cluster-replica-no-failover yes\ncluster-allow-replica-migration no\ncluster-announce-ip "
			"%.*s\n",
			STR_ARG(n->address));
		/* A certificate names hosts: clients are sent to names then. */
		if (u->tls.v)
			buf_fmt(&b, "cluster-announce-hostname %.*s\ncluster-preferred-endpoint-type hostname\n",
				STR_ARG(cache_node_endpoint(a, at, u, n)));
	}
	buf_str(&b, cache_static_settings(a, g));
	buf_str(&b, cache_dynamic_settings(a, u, g));
	return buf_done(&b);
}

struct elasticache_rec_strings cache_memcached_arguments(
	struct arena *a, const struct elasticache_rec_unit *u, const struct elasticache_rec_parameter_group *g)
{
	struct elasticache_rec_strings out = {0};
	struct buf further = BUF_IN(a);
	size_t n, capacity = 0;
	const struct cache_parameter *all = cache_parameters(g->cache_parameter_group_family, &n);
	const struct cache_type *t = cache_type_find(u->cache_node_type);
	int64_t overhead = 100, memory = t ? t->memory >> 20 : 64;
#define ADD(...) *VEC_PUSH(a, &out, &capacity) = (__VA_ARGS__)
	ADD(STR("/usr/bin/memcached"));
	ADD(STR("-l")), ADD(STR("0.0.0.0")), ADD(STR("-U")), ADD(STR("0"));
	ADD(STR("-p")), ADD(str_fmt(a, "%d", u->port.v));
	ADD(STR("-t")), ADD(str_fmt(a, "%d", t ? t->vcpus : 1));
	for (size_t i = 0; i < n; i++) {
		const struct cache_parameter *p = &all[i];
		struct str v = cache_parameter_value(a, g, p);
		if (strcmp(p->name, "memcached_connections_overhead") == 0 && !is_ok(str_to_i64(v, &overhead)))
			overhead = 100;
		if (!p->modifiable || !p->option || !*p->option) continue;
		if (strcmp(p->type, "boolean") == 0) {
			if (str_is(v, "1")) ADD(str_c(p->option));
		} else if (*p->option == '-') {
			ADD(str_c(p->option)), ADD(v);
		} else {
			buf_fmt(&further, "%s%s%.*s", further.n ? "," : "", p->option, STR_ARG(v));
		}
	}
	if (further.n) ADD(STR("-o")), ADD(buf_done(&further));
	ADD(STR("-m")), ADD(str_fmt(a, "%lld", (long long)(memory > overhead + 64 ? memory - overhead : 64)));
#undef ADD
	return out;
}
