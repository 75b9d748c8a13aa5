/* See node.h. */
#include "services/elasticache/node.h"
#include "base/log.h"
#include "clock/clock.h"
#include "edge/ca.h"
#include "host/engines/engine.h"
#include "host/engines/folder.h"
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define VALID_MS (825ll * 24 * 60 * 60 * 1000)
enum { GRACE_MS = 10000 };

bool cache_real(const struct cloud *cloud)
{
	return cloud->host && host_available(cloud->host);
}

struct str cache_unit_folder(struct arena *a, const struct elasticache_rec_unit *u)
{
	return str_cat(a, STR("elasticache/"), u->id);
}

struct str cache_folder(struct arena *a, const struct elasticache_rec_unit *u, struct str node)
{
	if (!str_has(u->data_key)) return str_fmt(a, "elasticache/%.*s-%.*s", STR_ARG(u->id), STR_ARG(node));
	return str_fmt(a, "%.*s/%.*s", STR_ARG(cache_inside(a, cache_unit_folder(a, u), u->data_key)), STR_ARG(node));
}

const char *cache_path(struct cloud *cloud, struct arena *a, struct str folder, const char *rest)
{
	return engine_path(store_dir(cloud->store), a, folder, rest);
}

struct str cache_engine_id(struct arena *a, const struct elasticache_rec_unit *u, struct str node)
{
	return str_fmt(a, "%.*s-%.*s", STR_ARG(u->id), STR_ARG(node));
}

static status write_file(struct cloud *cloud, struct arena *a, struct str folder, const char *name, struct str text)
{
	return engine_file_write(cache_path(cloud, a, folder, name), a, text, true);
}

/* The authority and a certificate for all of the unit's names. */
static status write_certificate(struct cloud *cloud, struct cache_place at, const struct elasticache_rec_unit *u,
	struct str folder, int64_t now_ms)
{
	struct elasticache_rec_strings names = cache_names(at.a, at, u);
	struct ca_server made;
	struct ca_files files;
	struct ca_order order = {.names = names.v,
		.n_names = names.n,
		.now_ms = now_ms - clock_offset(cloud->clock),
		.valid_ms = VALID_MS};
	const char *dir = store_dir(cloud->store);
	TRY(ca_load(dir, order.now_ms, at.a, &files));
	TRY(ca_issue_server(dir, &order, at.a, &made));
	TRY(write_file(cloud, at.a, folder, "ca.crt", files.ca_pem));
	TRY(write_file(cloud, at.a, folder, "server.crt", made.chain));
	return write_file(cloud, at.a, folder, "server.key", made.key);
}

/* A cache begins empty, but where something was kept for it. */
static bool place_data(struct cloud *cloud, struct arena *a, struct str folder)
{
	const char *keep = cache_path(cloud, a, folder, "keep.rdb"), *dump = cache_path(cloud, a, folder, "dump.rdb");
	unlink(dump);
	return rename(keep, dump) == 0;
}

/* It did not start: next time, then. */
static void keep_data(struct cloud *cloud, struct arena *a, struct str folder)
{
	const char *keep = cache_path(cloud, a, folder, "keep.rdb"), *dump = cache_path(cloud, a, folder, "dump.rdb");
	if (rename(dump, keep) != 0) log_warn("elasticache", "data_lost", "folder=%.*s", STR_ARG(folder));
}

static struct elasticache_rec_strings arguments(
	struct arena *a, const struct elasticache_rec_unit *u, const struct elasticache_rec_parameter_group *g)
{
	struct elasticache_rec_strings out;
	struct rlimit files;
	int64_t wanted;
	if (cache_is_redis(u)) {
		out = (struct elasticache_rec_strings){arena_new_n(a, struct str, 2), 2};
		out.v[0] = STR("/usr/bin/redis-server"), out.v[1] = STR("/srv/engine/redis.conf");
		return out;
	}
	out = cache_memcached_arguments(a, u, g);
	/* It ends at once where it may not have so many files as it has been told connections. */
	for (size_t i = 0; i + 1 < out.n && getrlimit(RLIMIT_NOFILE, &files) == 0; i++)
		if (str_is(out.v[i], "-c") && is_ok(str_to_i64(out.v[i + 1], &wanted)) &&
			files.rlim_max != RLIM_INFINITY && files.rlim_max < (rlim_t)wanted + 64)
			out.v[i + 1] = str_fmt(a, "%lld", (long long)files.rlim_max - 64);
	return out;
}

status cache_node_start(struct cloud *cloud, struct cache_place at, const struct elasticache_rec_unit *u,
	struct elasticache_rec_node *n, const struct elasticache_rec_parameter_group *g, int64_t now_ms,
	struct str *why)
{
	const struct cache_type *t = cache_type_find(u->cache_node_type);
	struct str folder = cache_folder(at.a, u, n->name);
	struct elasticache_rec_strings argv = arguments(at.a, u, g);
	bool kept = false;
	*why = STR("its folder cannot be written");
	TRY(engine_folder_make(cache_path(cloud, at.a, STR("elasticache"), ""), 0700));
	TRY(engine_folder_make(cache_path(cloud, at.a, folder, ""), 0770));
	if (cache_is_redis(u)) {
		if (u->tls.v) TRY(write_certificate(cloud, at, u, folder, now_ms));
		TRY(write_file(cloud, at.a, folder, "redis.conf", cache_redis_conf(at.a, at, u, n, g)));
		kept = place_data(cloud, at.a, folder);
	}
	n->started_with = cache_static_settings(at.a, g);
	n->settings = n->users = STR_NONE;
	/* Memory is bounded by maxmemory, which can be changed while it runs. */
	struct compute_rec_engine e = {.id = cache_engine_id(at.a, u, n->name),
		.place = n->eni,
		.argv = {argv.v, argv.n},
		.folder = folder,
		.vcpus = SOME_I32(t ? t->vcpus : 1),
		.restart = STR("never"),
		.stop_signal = SOME_I32(SIGTERM),
		.grace_ms = SOME_I64(GRACE_MS)};
	status s = host_engine_start(cloud->host, at.a, &e, why);
	if (kept && is_ok(s)) log_info("elasticache", "data_kept", "folder=%.*s", STR_ARG(folder));
	if (kept && !is_ok(s)) keep_data(cloud, at.a, folder);
	return s;
}

status cache_node_stop(
	struct cloud *cloud, struct arena *a, const struct elasticache_rec_unit *u, struct str node, bool quick)
{
	struct str id = cache_engine_id(a, u, node);
	if (quick) {
		status s = host_engine_signal(cloud->host, id, SIGKILL);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	}
	return host_engine_stop(cloud->host, id);
}

status cache_node_open(struct cloud *cloud, struct arena *a, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n, struct resp *r)
{
	struct resp_value v;
	*r = (struct resp){.fd = -1};
	if (!cache_is_redis(u)) {
		int fd;
		status s = host_connect(cloud->host, n->eni, n->address, (uint16_t)u->port.v, &fd);
		if (!is_ok(s)) return STATUS(BUSY);
		struct str said;
		resp_over(r, fd);
		s = resp_line(r, a, STR("version"), false, &said);
		if (is_ok(s) && str_starts(said, STR("VERSION "))) return OK;
		resp_close(r);
		return STATUS(BUSY);
	}
	TRY(resp_open(r, cache_path(cloud, a, cache_folder(a, u, n->name), "redis.sock")));
	status s = resp_do(r, a, &v, "AUTH " CACHE_USER " %.*s", STR_ARG(u->secret));
	/* LOADING while it reads its data. */
	if (is_ok(s)) s = resp_do(r, a, &v, "PING");
	if (is_ok(s)) return OK;
	resp_close(r);
	return STATUS(BUSY);
}

void cache_node_keep(struct cloud *cloud, struct arena *a, const struct elasticache_rec_unit *u,
	const struct elasticache_rec_node *n)
{
	struct resp r;
	struct resp_value v;
	if (!is_ok(cache_node_open(cloud, a, u, n, &r))) return;
	status s = resp_do(&r, a, &v, "CONFIG SET dbfilename keep.rdb");
	if (is_ok(s)) s = resp_do(&r, a, &v, "SAVE");
	if (!is_ok(s)) log_warn("elasticache", "not_kept", "unit=%.*s node=%.*s", STR_ARG(u->id), STR_ARG(n->name));
	resp_close(&r);
}
