/* Snapshots by the job: base backups of running servers, copies of stopped ones and of other snapshots. The daily ones
 * begin in their window, and go after the retention period with the log before them. */
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "services/rds/crypt.h"
#include <sys/stat.h>

#define DAY_MS (24ll * 60 * 60 * 1000)

static status copy_folder(struct cloud *cloud, struct arena *a, struct str from, struct str to, struct str *why)
{
	return rds_run(cloud, a,
		&(struct rds_script){.folder = to,
			.shared = from,
			.text = STR("[ ! -e made ] || exit 0\nrm -rf data\ncp -a --reflink=auto /srv/shared/data data\n"
				    "sync -f data\nmkdir made\n")},
		why);
}

status rds_snapshot_begin(
	struct rds_place at, int64_t now_ms, const struct rds_rec_instance *r, struct str name, const char *type)
{
	struct rds_rec_snapshot s = {.db_snapshot_identifier = name,
		.db_instance_identifier = r->db_instance_identifier,
		.snapshot_create_time = SOME_TIME(now_ms),
		.engine = r->engine,
		.allocated_storage = r->allocated_storage,
		.status = STR("creating"),
		.port = r->port,
		.availability_zone = r->availability_zone,
		.vpc_id = r->vpc,
		.instance_create_time = r->instance_create_time,
		.master_username = r->master_username,
		.engine_version = r->engine_version,
		.license_model = r->license_model,
		.snapshot_type = str_c(type),
		.iops = r->iops,
		.storage_throughput = r->storage_throughput,
		.option_group_name = r->option_group,
		.percent_progress = SOME_I32(0),
		.storage_type = r->storage_type,
		.dbi_resource_id = r->dbi_resource_id,
		.original_snapshot_create_time = SOME_TIME(now_ms),
		.snapshot_database_time = SOME_TIME(now_ms),
		.folder = str_fmt(at.a, "rds/snap-%.*s", STR_ARG(rand_text(at.a, STR("0123456789abcdef"), 17))),
		.verifier = r->verifier,
		.db_name = r->db_name,
		.db_instance_class = r->db_instance_class,
		.multi_az = r->multi_az,
		.backup_retention_period = r->backup_retention_period,
		.preferred_backup_window = r->preferred_backup_window,
		.parameter_group = r->parameter_group,
		.kms_key_id = r->kms_key_id,
		.data_key = r->data_key,
		.iam_database_authentication_enabled = r->iam_database_authentication_enabled};
	if (str_has(s.data_key)) s.folder = rds_sealed_folder(at.a, s.folder);
	if (r->copy_tags_to_snapshot.v) s.tags = r->tags;
	bool cluster = rds_is_cluster(r->dbi_resource_id);
	struct rds_rec_task t = {.account = at.account,
		.region = at.region,
		.name = name,
		.folder = s.folder,
		.cluster = SOME_BOOL(cluster)};
	rds_put(at, rds_snapshot_kind_of(r->dbi_resource_id), name, &s);
	jobs_schedule(at.tx, &(struct job){.kind = STR(RDS_JOB_SNAPSHOT),
				     .id = str_fmt(at.a, "%.*s %.*s %s%.*s", STR_ARG(at.account), STR_ARG(at.region),
					     cluster ? "cluster " : "", STR_ARG(name)),
				     .payload = rds_rec_task_encode(at.a, &t)});
	return OK;
}

static void snapshot_event(struct rds_place at, int64_t now_ms, const struct rds_rec_snapshot *s, const char *text)
{
	struct str *categories = arena_new(at.a, struct str);
	*categories = STR("creation");
	rds_event(at, now_ms,
		&(struct rds_rec_event){.source_identifier = s->db_snapshot_identifier,
			.source_type =
				rds_is_cluster(s->dbi_resource_id) ? STR("db-cluster-snapshot") : STR("db-snapshot"),
			.message = str_c(text),
			.categories = {categories, 1},
			.date = SOME_TIME(now_ms),
			.source_arn = str_fmt(at.a, "arn:aws:rds:%.*s:%.*s:%s:%.*s", STR_ARG(at.region),
				STR_ARG(at.account), rds_snapshot_kind_of(s->dbi_resource_id)->name,
				STR_ARG(s->db_snapshot_identifier))});
}

/* The instance may go on (be deleted) when its snapshot is done. */
static status free_instance(struct rds_place at, const struct rds_rec_snapshot *s)
{
	struct rds_rec_owner o;
	struct rds_rec_instance r;
	status st = rds_owner(at.tx, at.a, s->dbi_resource_id, &o);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	struct rds_place there = {at.tx, at.a, o.account, o.region};
	TRY(rds_load(there, rds_kind_of(s->dbi_resource_id), o.name, &r));
	if (str_is(s->snapshot_type, "manual") && str_is(r.db_instance_status, "backing-up")) {
		r.db_instance_status = STR("available");
		rds_instance_put(there, &r);
	}
	rds_mark(there, r.dbi_resource_id, 0);
	return OK;
}

static status copy(struct call *c, const struct rds_rec_snapshot *s, struct str *why)
{
	struct rds_sealed source = {s->source_folder, s->source_key, s->dbi_resource_id};
	TRY(rds_crypt_hold(c, &source, why));
	status st = copy_folder(c->cloud, c->arena, s->source_folder, s->folder, why);
	rds_crypt_let_go(c->cloud, &source);
	return st;
}

static status take(struct call *c, const struct rds_rec_snapshot *s, struct str *why)
{
	struct rds_rec_owner o;
	struct rds_rec_instance r;
	struct cloud *cloud = c->cloud;
	struct rds_place at = rds_here(c);
	TRY(rds_template(cloud, at.a, s->engine, why));
	if (str_has(s->source_folder)) return copy(c, s, why);
	*why = STR("the DB instance is gone");
	status st = rds_owner(at.tx, at.a, s->dbi_resource_id, &o);
	if (status_is(st, STATUS_NOT_FOUND)) return STATUS(INVALID);
	TRY(st);
	TRY(rds_load(
		(struct rds_place){at.tx, at.a, o.account, o.region}, rds_kind_of(s->dbi_resource_id), o.name, &r));
	struct rds_sealed from = {rds_folder(at.a, &r), r.data_key, r.dbi_resource_id};
	TRY(rds_crypt_open(c, &from, why));
	return rds_snapshot_take(cloud, at.a, &r, s->folder, why);
}

/* Into its folder, which is open for that long. INVALID: it never will be (a key that does not serve is one reason). */
static status take_into(struct call *c, const struct rds_rec_snapshot *s, struct str *why)
{
	struct rds_sealed to = {s->folder, s->data_key, s->dbi_resource_id};
	if (!rds_real(c->cloud)) return OK;
	status st = rds_crypt_hold(c, &to, why);
	if (is_ok(st)) {
		st = take(c, s, why);
		rds_crypt_let_go(c->cloud, &to);
	}
	return status_is(st, STATUS_FAILED) ? STATUS(INVALID) : st;
}

status rds_snapshot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct rds_rec_task t = {0};
	struct rds_rec_snapshot s;
	struct str why = STR_NONE;
	TRY(rds_rec_task_decode(a, job->payload, &t));
	struct rds_place at = {tx, a, t.account, t.region};
	int64_t now_ms = clock_now(cloud->clock);
	const struct rds_kind *kind = t.cluster.v ? &rds_kind_cluster_snapshot : &rds_kind_snapshot;
	status st = rds_load(at, kind, t.name, &s);
	if (status_is(st, STATUS_NOT_FOUND)) {
		/* Deleted while it was taken: what has been written since. */
		if (rds_real(cloud) && str_has(t.folder)) rds_remove_folder(cloud, a, t.folder);
		return OK;
	}
	TRY(st);
	if (!str_is(s.status, "creating")) return OK;
	st = take_into(call_for_job(a, cloud, tx, t.account, t.region, STR("rds.amazonaws.com")), &s, &why);
	if (status_is(st, STATUS_CONFLICT) || status_is(st, STATUS_CORRUPT)) return st;
	if (!is_ok(st) && job->attempts < 3 && !status_is(st, STATUS_INVALID)) {
		*again_ms = now_ms + RDS_LATER_MS;
		return OK;
	}
	if (!rds_real(cloud)) s.folder = STR_NONE;
	s.status = is_ok(st) ? STR("available") : STR("failed");
	s.percent_progress = SOME_I32(is_ok(st) ? 100 : 0);
	s.source_folder = s.source_key = STR_NONE;
	/* A restore to a moment begins with a snapshot that was whole by then. */
	if (str_is(s.snapshot_type, "automated")) s.snapshot_create_time = SOME_TIME(now_ms);
	rds_put(at, kind, t.name, &s);
	snapshot_event(at, now_ms, &s,
		!is_ok(st)                             ? "Snapshot failed"
		: str_is(s.snapshot_type, "automated") ? "Automated snapshot created"
						       : "Manual snapshot created");
	if (!is_ok(st)) log_warn("rds", "snapshot_failed", "why=\"%.*s\"", STR_ARG(str_or(why, STR(""))));
	return free_instance(at, &s);
}

void rds_folder_drop(struct rds_place at, struct str folder)
{
	jobs_schedule(at.tx, &(struct job){.kind = STR(RDS_JOB_FOLDER), .id = folder, .payload = folder});
}

status rds_folder_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	(void)tx, (void)again_ms;
	if (rds_real(cloud)) rds_remove_folder(cloud, a, str_dup(a, job->payload));
	return OK;
}

/* ── the daily ones ── */

/* Those past their time go; *oldest: the folder of the oldest that stays. */
static status expire(struct rds_work *w, struct rds_sealed *oldest, int64_t *from_ms)
{
	struct rds_each e = rds_each(w->at, rds_snapshot_kind_of(w->r->dbi_resource_id));
	*oldest = (struct rds_sealed){.folder = STR_NONE}, *from_ms = 0;
	while (rds_next(&e)) {
		const struct rds_rec_snapshot *s = e.record;
		if (!str_eq(s->dbi_resource_id, w->r->dbi_resource_id) || !str_is(s->snapshot_type, "automated") ||
			str_is(s->status, "creating"))
			continue;
		/* The newest before the period's beginning is what the period's beginning is restored from. */
		if (s->snapshot_create_time.ms + (w->r->backup_retention_period.v + 1) * DAY_MS <= w->now_ms ||
			w->r->backup_retention_period.v == 0) {
			if (w->real && str_has(s->folder)) rds_remove_folder(w->cloud, w->at.a, s->folder);
			rds_drop(w->at, rds_snapshot_kind_of(w->r->dbi_resource_id), s->db_snapshot_identifier);
		} else if (str_is(s->status, "available") && (!*from_ms || s->snapshot_create_time.ms < *from_ms)) {
			*oldest = (struct rds_sealed){s->folder, s->data_key, s->dbi_resource_id};
			*from_ms = s->snapshot_create_time.ms;
		}
	}
	return rds_each_end(&e);
}

status rds_backups(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	struct rds_sealed oldest;
	struct str why = STR_NONE;
	int64_t from_ms;
	if (r->backup_retention_period.v == 0 || !str_is(r->db_instance_status, "available")) {
		if (r->backup_retention_period.v == 0 && r->restorable_from.has) {
			TRY(expire(w, &oldest, &from_ms));
			r->restorable_from = r->latest_restorable_time = (struct opt_time){0};
		}
		r->next_backup = (struct opt_time){0};
		return OK;
	}
	if (!r->next_backup.has) r->next_backup = SOME_TIME(w->now_ms);
	if (r->next_backup.ms <= w->now_ms) {
		struct str stamp = time_basic(w->at.a, w->now_ms), name;
		name = str_fmt(w->at.a, "rds:%.*s-%.*s-%.*s-%.*s-%.*s-%.*s", STR_ARG(r->db_instance_identifier),
			STR_ARG(str_sub(stamp, 0, 4)), STR_ARG(str_sub(stamp, 4, 2)), STR_ARG(str_sub(stamp, 6, 2)),
			STR_ARG(str_sub(stamp, 9, 2)), STR_ARG(str_sub(stamp, 11, 2)));
		struct rds_rec_snapshot taken;
		status s = rds_load(w->at, rds_snapshot_kind_of(r->dbi_resource_id), name, &taken);
		if (status_is(s, STATUS_NOT_FOUND)) s = rds_snapshot_begin(w->at, w->now_ms, r, name, "automated");
		TRY(s);
		r->next_backup = SOME_TIME(rds_window_next(r->preferred_backup_window, w->now_ms));
		TRY(expire(w, &oldest, &from_ms));
		/* The log from before the oldest is of no use. */
		if (w->real && str_has(oldest.folder)) {
			s = rds_prune(w, &oldest, &why);
			if (!is_ok(s)) log_warn("rds", "log_stays", "why=\"%.*s\"", STR_ARG(str_or(why, STR(""))));
		}
		rds_again(w, RDS_LATER_MS * 4);
	}
	TRY(expire(w, &oldest, &from_ms));
	if (from_ms) {
		int64_t period = w->now_ms - r->backup_retention_period.v * DAY_MS;
		r->restorable_from = SOME_TIME(from_ms > period ? from_ms : period);
		/* A restore asks for the log up to now: see restore.c. */
		r->latest_restorable_time = SOME_TIME(w->now_ms / 1000 * 1000);
	}
	rds_again(w, r->next_backup.ms - w->now_ms);
	return OK;
}
