/* Snapshots' bytes: taken from a server as a replica would get them, copied, laid before a node that begins with them,
 * exported to S3. A snapshot's folder holds one file for each shard: SHARD.rdb. */
#include "base/log.h"
#include "call/inside.h"
#include "host/engines/folder.h"
#include "s3.h"
#include "services/elasticache/controller.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 5, CHUNK = 1 << 20 };
#define EXPORT_MAX (1ll << 30)

struct job_work {
	struct cloud *cloud;
	struct call *c;
	struct cache_place at;
	struct elasticache_rec_snapshot *r;
	int64_t now_ms;
};

/* data_key: of the folder. */
static const char *part_path(
	struct cloud *cloud, struct arena *a, struct str folder, struct str data_key, struct str shard)
{
	return cache_path(cloud, a, cache_inside(a, folder, data_key), str_fmt(a, "%.*s.rdb", STR_ARG(shard)).p);
}

static status take(void *ctx, const char *p, size_t n)
{
	const int *fd = ctx;
	while (n) {
		ssize_t got = write(*fd, p, n);
		if (got <= 0) return STATUS(IO);
		p += got, n -= (size_t)got;
	}
	return OK;
}

/* A replica where there is one: the primary has other things to do. */
static const struct elasticache_rec_node *source_of(
	const struct elasticache_rec_unit *u, const struct elasticache_rec_part *p)
{
	const struct elasticache_rec_node *found = NULL;
	for (size_t i = 0; i < u->nodes.n; i++) {
		const struct elasticache_rec_node *n = &u->nodes.v[i];
		if (!str_eq(n->shard, p->shard)) continue;
		if (str_has(p->cluster) && str_eq(n->cluster, p->cluster)) return n;
		if (str_eq(n->cluster, str_or(u->snapshotting, STR("-")))) found = n;
		if (!found || (n->synced.v && !str_has(u->snapshotting))) found = n;
	}
	return found;
}

static status take_part(struct job_work *w, const struct elasticache_rec_unit *u, struct elasticache_rec_part *p)
{
	const struct elasticache_rec_node *n = source_of(u, p);
	struct resp r;
	uint64_t size = 0;
	if (!n) return STATUS(NOT_FOUND);
	TRY(cache_node_open(w->cloud, w->at.a, u, n, &r));
	const char *path = part_path(w->cloud, w->at.a, w->r->folder, w->r->data_key, p->shard);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	status s = fd < 0 ? STATUS(IO) : resp_sync(&r, take, &fd, &size);
	if (is_ok(s) && fsync(fd) != 0) s = STATUS(IO);
	if (fd >= 0) close(fd);
	resp_close(&r);
	p->cluster = n->cluster, p->node_created = n->created;
	p->size = SOME_I64((int64_t)size), p->taken = SOME_TIME(w->now_ms);
	return s;
}

static status copy_file(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = -1;
	status s = in < 0 ? STATUS(IO) : OK;
	if (is_ok(s)) {
		unlink(to);
		out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (out < 0) s = STATUS(IO);
	}
	for (ssize_t n = 1; is_ok(s) && n > 0;) {
		n = sendfile(out, in, NULL, CHUNK); /* of two file systems, where one of them is sealed */
		if (n < 0) s = STATUS(IO);
	}
	if (is_ok(s) && fsync(out) != 0) s = STATUS(IO);
	if (in >= 0) close(in);
	if (out >= 0) close(out);
	return s;
}

status cache_snapshot_lay(struct cache_work *w, const struct elasticache_rec_node *n)
{
	struct arena *a = w->at.a;
	struct cloud *cloud = w->cloud;
	const struct elasticache_rec_unit *u = w->u;
	struct str folder = cache_folder(a, u, n->name);
	TRY(engine_folder_make(cache_path(cloud, a, folder, ""), 0770));
	TRY(cache_crypt_hold(w->c, u->origin, u->origin_key));
	/* A snapshot without cluster mode has one part, whatever its shard is called. */
	const char *from = part_path(cloud, a, u->origin, u->origin_key, n->shard);
	if (access(from, F_OK) != 0) from = part_path(cloud, a, u->origin, u->origin_key, STR("0001"));
	status s = copy_file(from, cache_path(cloud, a, folder, "keep.rdb"), 0600);
	cache_crypt_let_go(cloud, u->origin, u->origin_key);
	return s;
}

static status export_part(struct job_work *w, const struct elasticache_rec_part *p)
{
	struct arena *a = w->at.a;
	struct inside_caller who = inside_service(a, w->at.account, w->at.region, STR("elasticache.amazonaws.com"));
	struct stat st;
	int fd =
		open(part_path(w->cloud, a, w->r->folder, w->r->data_key, p->shard), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *bytes = NULL;
	status s = fd < 0 || fstat(fd, &st) != 0 || st.st_size > EXPORT_MAX ? STATUS(IO) : OK;
	if (is_ok(s)) {
		bytes = mem_new((size_t)st.st_size + 1);
		if (read(fd, bytes, (size_t)st.st_size) != st.st_size) s = STATUS(IO);
	}
	if (is_ok(s)) {
		struct str name = w->r->export_name, body = str_n(bytes, (size_t)st.st_size);
		struct s3_put_object_input in = {.bucket = w->r->bucket,
			.key = str_has(p->slots) ? str_fmt(a, "%.*s-%.*s.rdb", STR_ARG(name), STR_ARG(p->shard))
						 : str_fmt(a, "%.*s.rdb", STR_ARG(name))};
		struct inside *i = inside_run(w->cloud, &who, "s3", S3_OP_PUT_OBJECT, &in, &body);
		if (!i->ok) log_warn("elasticache", "export", "code=%.*s", STR_ARG(i->code)), s = STATUS(IO);
		inside_free(i);
	}
	free(bytes);
	if (fd >= 0) close(fd);
	return s;
}

/* The unit goes on with what it was about. */
static status released(struct job_work *w)
{
	struct elasticache_rec_unit u;
	status s = cache_load(w->at, &cache_kind_unit, w->r->unit, &u);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (str_is(u.status, "snapshotting")) {
		u.status = STR("available");
		cache_unit_put(w->at, &u);
	}
	cache_mark(w->at, u.id, 0);
	return OK;
}

static void done(struct job_work *w, const char *state, const char *text)
{
	struct elasticache_rec_snapshot *r = w->r;
	bool group = str_has(r->replication_group_id);
	r->snapshot_status = str_c(state);
	cache_event(w->at, w->now_ms, group ? "replication-group" : "cache-cluster",
		group ? r->replication_group_id : r->cache_cluster_id,
		str_fmt(w->at.a, "%s: %.*s", text, STR_ARG(r->snapshot_name)).p);
}

static status copy_parts(struct job_work *w)
{
	const struct elasticache_rec_snapshot *r = w->r;
	status s = cache_crypt_hold(w->c, r->source_folder, r->source_key);
	if (!is_ok(s)) return s;
	for (size_t i = 0; is_ok(s) && i < r->parts.n; i++)
		s = copy_file(part_path(w->cloud, w->at.a, r->source_folder, r->source_key, r->parts.v[i].shard),
			part_path(w->cloud, w->at.a, r->folder, r->data_key, r->parts.v[i].shard), 0600);
	cache_crypt_let_go(w->cloud, r->source_folder, r->source_key);
	return s;
}

static status make(struct job_work *w)
{
	struct elasticache_rec_snapshot *r = w->r;
	struct elasticache_rec_unit u;
	if (str_has(r->source_folder)) {
		if (cache_real(w->cloud)) TRY(copy_parts(w));
		r->source_folder = r->source_key = STR_NONE;
		return OK;
	}
	TRY(cache_load(w->at, &cache_kind_unit, r->unit, &u));
	if (!cache_real(w->cloud)) return OK;
	for (size_t i = 0; i < r->parts.n; i++) TRY(take_part(w, &u, &r->parts.v[i]));
	return OK;
}

static status export(struct job_work *w)
{
	for (size_t i = 0; i < w->r->parts.n; i++) TRY(export_part(w, &w->r->parts.v[i]));
	return OK;
}

/* With its folder there, and open. */
static status in_folder(struct job_work *w, status (*what)(struct job_work *w))
{
	const struct elasticache_rec_snapshot *r = w->r;
	TRY(engine_folder_make(cache_path(w->cloud, w->at.a, STR("elasticache"), ""), 0700));
	TRY(engine_folder_make(cache_path(w->cloud, w->at.a, r->folder, ""), 0700));
	TRY(cache_crypt_hold(w->c, r->folder, r->data_key));
	status s = what(w);
	cache_crypt_let_go(w->cloud, r->folder, r->data_key);
	return s;
}

status cache_snapshot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct elasticache_rec_task t = {0};
	struct elasticache_rec_snapshot r;
	TRY(elasticache_rec_task_decode(a, job->payload, &t));
	struct job_work w = {.cloud = cloud,
		.c = call_for_job(a, cloud, tx, t.account, t.region, STR("elasticache.amazonaws.com")),
		.at = {tx, a, t.account, t.region},
		.r = &r,
		.now_ms = clock_now(cloud->clock)};
	status s = cache_load(w.at, &cache_kind_snapshot, t.name, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (str_is(r.snapshot_status, "deleting")) {
		cache_folder_remove(cloud, a, r.folder);
		cache_drop(w.at, &cache_kind_snapshot, r.snapshot_name);
		return OK;
	}
	bool exports = str_is(r.snapshot_status, "exporting");
	if (!exports && !str_is(r.snapshot_status, "creating")) return OK;
	s = in_folder(&w, exports ? export : make);
	r.failures = SOME_I32(is_ok(s) ? 0 : r.failures.v + 1);
	bool gives_up = r.failures.v >= TRIES;
	if (!is_ok(s)) log_warn("elasticache", "snapshot", "name=%.*s status=%s", STR_ARG(t.name), status_name(s));
	if (!is_ok(s) && !gives_up) *again_ms = w.now_ms + CACHE_LATER_MS;
	if (is_ok(s)) done(&w, "available", exports ? "Snapshot export succeeded" : "Snapshot succeeded");
	if (gives_up)
		done(&w, exports ? "available" : "failed", exports ? "Snapshot export failed" : "Snapshot failed");
	if ((is_ok(s) || gives_up) && !exports) TRY(released(&w));
	if (is_ok(s) || gives_up) r.bucket = r.export_name = STR_NONE;
	cache_put(w.at, &cache_kind_snapshot, r.snapshot_name, &r);
	return OK;
}

status cache_snapshots_expire(struct cache_work *w)
{
	struct cache_each e = cache_each(w->at, &cache_kind_snapshot);
	while (cache_next(&e)) {
		struct elasticache_rec_snapshot *s = e.record;
		int64_t day_ms = 24ll * 60 * 60 * 1000;
		if (!str_eq(s->unit, w->u->id) || !str_is(s->snapshot_source, "automated") ||
			!str_is(s->snapshot_status, "available") ||
			s->created.ms + w->u->snapshot_retention_limit.v * day_ms > w->now_ms)
			continue;
		s->snapshot_status = STR("deleting");
		cache_put(w->at, &cache_kind_snapshot, s->snapshot_name, s);
		cache_mark_snapshot(w->at, s->snapshot_name);
	}
	return cache_each_end(&e);
}
