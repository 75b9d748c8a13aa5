/* Metrics, once a minute, from what the servers say of themselves: "Host-level metrics", "Metrics for Redis OSS",
 * "Metrics for Memcached", the guide. Counters are told as what they have grown by since the last look, which the
 * node's record remembers in memory's stead: the first look after a start of virga or of the server only remembers. */
#include "services/cloudwatch/metrics.h"
#include "services/elasticache/controller.h"

enum { PERIOD_MS = 60000, METRICS_MAX = 64 };

struct points {
	struct cache_work *w;
	struct metric_point v[METRICS_MAX];
	size_t n;
	struct str cluster, number;
	struct str old, now; /* what was said last, and is said now */
	double seconds;
};

static void put(struct points *p, const char *name, const char *unit, double value)
{
	struct arena *a = p->w->at.a;
	/* "Each metric has the dimensions CacheClusterId, or CacheClusterId and CacheNodeId." */
	for (size_t dimensions = 1; dimensions <= 2 && p->n < METRICS_MAX; dimensions++) {
		struct metric *m = arena_new(a, struct metric);
		struct metric_dimension *d = arena_new_n(a, struct metric_dimension, 2);
		d[0] = (struct metric_dimension){STR("CacheClusterId"), p->cluster};
		d[1] = (struct metric_dimension){STR("CacheNodeId"), p->number};
		*m = (struct metric){.account = p->w->at.account,
			.region = p->w->at.region,
			.space = STR("AWS/ElastiCache"),
			.name = str_c(name),
			.dimensions = d,
			.n_dimensions = dimensions};
		p->v[p->n++] = (struct metric_point){
			.metric = m, .at_ms = p->w->now_ms, .unit = unit, .value = value, .times = 1};
	}
}

static bool number(struct str text, const char *name, double *v)
{
	struct str s = resp_info(text, name);
	return str_has(s) && is_ok(str_to_f64(s, v));
}

static void gauge(struct points *p, const char *name, const char *unit, const char *from)
{
	double v;
	if (number(p->now, from, &v)) put(p, name, unit, v);
}

static bool grown(struct points *p, const char *from, double *by)
{
	double now, old;
	if (!number(p->now, from, &now) || !number(p->old, from, &old) || now < old) return false;
	*by = now - old;
	return true;
}

static void counter(struct points *p, const char *name, const char *unit, const char *from)
{
	double by;
	if (grown(p, from, &by)) put(p, name, unit, by);
}

static void redis(struct points *p, bool master)
{
	double user, system, hits = 0, misses = 0, used, most, keys = 0;
	if (grown(p, "used_cpu_user", &user) && grown(p, "used_cpu_sys", &system) && p->seconds > 0) {
		const struct cache_type *t = cache_type_find(p->w->u->cache_node_type);
		double busy = (user + system) / p->seconds * 100;
		put(p, "EngineCPUUtilization", "Percent", busy > 100 ? 100 : busy);
		put(p, "CPUUtilization", "Percent", busy / (t ? t->vcpus : 1));
	}
	gauge(p, "CurrConnections", "Count", "connected_clients");
	counter(p, "NewConnections", "Count", "total_connections_received");
	counter(p, "CacheHits", "Count", "keyspace_hits");
	counter(p, "CacheMisses", "Count", "keyspace_misses");
	if (grown(p, "keyspace_hits", &hits) && grown(p, "keyspace_misses", &misses) && hits + misses > 0)
		put(p, "CacheHitRate", "Percent", hits / (hits + misses) * 100);
	counter(p, "Evictions", "Count", "evicted_keys");
	counter(p, "Reclaimed", "Count", "expired_keys");
	counter(p, "NetworkBytesIn", "Bytes", "total_net_input_bytes");
	counter(p, "NetworkBytesOut", "Bytes", "total_net_output_bytes");
	gauge(p, "BytesUsedForCache", "Bytes", "used_memory");
	if (number(p->now, "used_memory", &used) && number(p->now, "maxmemory", &most) && most > 0)
		put(p, "DatabaseMemoryUsagePercentage", "Percent", used / most * 100);
	gauge(p, "MemoryFragmentationRatio", "None", "mem_fragmentation_ratio");
	/* "db0:keys=3,expires=0,avg_ttl=0" */
	struct str rest = p->now;
	while (str_has(rest) && rest.n) {
		struct str line = str_cut(&rest, '\n');
		ptrdiff_t at = str_find(line, STR(":keys="));
		if (!str_starts(line, STR("db")) || at < 0) continue;
		struct str digits = str_from(line, (size_t)at + 6);
		double one;
		if (is_ok(str_to_f64(str_cut(&digits, ','), &one))) keys += one;
	}
	put(p, "CurrItems", "Count", keys);
	put(p, "IsMaster", "Count", master);
	if (master) return;
	gauge(p, "ReplicationLag", "Seconds", "master_last_io_seconds_ago");
}

/* "STAT name value" lines in the form of INFO's. */
static struct str memcached_info(struct arena *a, struct str text)
{
	struct buf b = BUF_IN(a);
	while (str_has(text) && text.n) {
		struct str line = str_cut(&text, '\n');
		if (line.n && line.p[line.n - 1] == '\r') line.n--;
		if (str_is(str_cut(&line, ' '), "STAT") && str_has(line)) {
			struct str name = str_cut(&line, ' ');
			buf_fmt(&b, "%.*s:%.*s\n", STR_ARG(name), STR_ARG(str_or(line, STR(""))));
		}
	}
	return buf_done(&b);
}

static void memcached(struct points *p)
{
	static const struct {
		const char *name, *from;
	} counters[] = {{"CmdGet", "cmd_get"}, {"CmdSet", "cmd_set"}, {"CmdFlush", "cmd_flush"},
		{"CmdTouch", "cmd_touch"}, {"GetHits", "get_hits"}, {"GetMisses", "get_misses"},
		{"Evictions", "evictions"}, {"NewItems", "total_items"}, {"NewConnections", "total_connections"},
		{"Reclaimed", "reclaimed"}};
	double user, system;
	if (grown(p, "rusage_user", &user) && grown(p, "rusage_system", &system) && p->seconds > 0) {
		const struct cache_type *t = cache_type_find(p->w->u->cache_node_type);
		put(p, "CPUUtilization", "Percent", (user + system) / p->seconds * 100 / (t ? t->vcpus : 1));
	}
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		counter(p, counters[i].name, "Count", counters[i].from);
	counter(p, "BytesReadIntoMemcached", "Bytes", "bytes_read");
	counter(p, "BytesWrittenOutFromMemcached", "Bytes", "bytes_written");
	gauge(p, "CurrConnections", "Count", "curr_connections");
	gauge(p, "CurrItems", "Count", "curr_items");
	gauge(p, "BytesUsedForCacheItems", "Bytes", "bytes");
}

void cache_measure(struct cache_work *w)
{
	struct elasticache_rec_unit *u = w->u;
	if (u->next_measure.has && u->next_measure.ms > w->now_ms) {
		cache_again(w, u->next_measure.ms - w->now_ms);
		return;
	}
	double seconds = u->measured.has ? (double)(w->now_ms - u->measured.ms) / 1000 : 0;
	for (size_t i = 0; i < u->nodes.n; i++) {
		struct elasticache_rec_node *n = &u->nodes.v[i];
		struct cache_seen *s = &w->seen[i];
		struct points p = {
			.w = w, .cluster = n->cluster, .number = n->number, .old = str_or(n->counters, STR(""))};
		struct resp_value v;
		p.seconds = seconds;
		if (!s->serves) continue;
		if (cache_is_redis(u)) {
			if (!is_ok(resp_do(&s->r, w->at.a, &v, "INFO"))) continue;
			p.now = v.text;
			redis(&p, cache_is_primary(u, n));
		} else {
			if (!is_ok(resp_line(&s->r, w->at.a, STR("stats"), true, &v.text))) continue;
			p.now = memcached_info(w->at.a, v.text);
			memcached(&p);
		}
		n->counters = p.now;
		if (!is_ok(metrics_put_in(w->at.tx, w->at.a, p.v, p.n, w->now_ms))) break;
	}
	u->measured = SOME_TIME(w->now_ms);
	u->next_measure = SOME_TIME(w->now_ms + PERIOD_MS);
	cache_again(w, PERIOD_MS);
}
