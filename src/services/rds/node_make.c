/* From nothing to a server that serves. */
#include "base/log.h"
#include "services/rds/postgres.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin/"
enum { STATEMENT_MS = 10000, FILE_MAX = 256 << 10 };

static bool is_primary(const struct rds_work *w, const struct rds_rec_node *n)
{
	return str_eq(n->letter, w->r->primary);
}

/* PostgreSQL reads its settings before it knows that Z is a time zone. */
static struct str target_line(struct arena *a, int64_t ms)
{
	struct str t = time_iso8601(a, ms, true);
	return str_fmt(a, "recovery_target_time = '%.*s %.*s+00'\n", 10, t.p, (int)t.n - 12, t.p + 11);
}

static status settings_of(struct rds_work *w, struct rds_rec_node *n, struct rds_settings *s)
{
	struct rds_rec_parameter_group *g = arena_new(w->at.a, struct rds_rec_parameter_group);
	struct arena *a = w->at.a;
	struct stat st;
	*s = (struct rds_settings){.r = w->r, .group = g, .node = n, .restore = STR("")};
	if (rds_is_cluster(w->r->dbi_resource_id))
		TRY(rds_cluster_settings(w, n, s, g));
	else
		TRY(rds_parameter_group_load(w->at, w->r->parameter_group, g));
	s->tls = stat(rds_path(w->cloud, a, rds_folder(a, w->r), str_fmt(a, "%.*s/server.key", STR_ARG(n->letter)).p),
			 &st) == 0;
	if (!is_primary(w, n)) {
		s->follow = str_fmt(a, "/srv/engine/%.*s/socket", STR_ARG(w->r->primary));
		s->restore = STR("restore_command = 'cp /srv/engine/wal/%f %p'\n");
		s->hidden = true;
		if (rds_is_cluster(w->r->dbi_resource_id)) {
			/* What is left of the log of a writer that fell lies beside: cluster_failover.c. */
			s->restore = STR("restore_command = 'cp /srv/engine/wal/%f %p 2>/dev/null || "
					 "cp /srv/engine/fallen/data/pg_wal/%f %p'\n");
			s->hidden = false;
		}
	} else if (w->r->origin && str_is(w->r->origin->kind, "replica")) {
		s->follow = STR("/srv/shared/primary/socket");
		s->follow_port = w->r->origin->port.v;
		s->restore = STR("restore_command = 'cp /srv/shared/wal/%f %p'\n");
	} else if (w->r->origin && str_is(w->r->origin->kind, "time")) {
		s->restore = STR("restore_command = 'cp /srv/shared/wal/%f %p'\nrecovery_target_action = promote\n");
		if (w->r->origin->until.has)
			s->restore = str_cat(a, s->restore, target_line(a, w->r->origin->until.ms));
	}
	for (size_t i = 0; w->r->multi_az.v && is_primary(w, n) && i < w->r->nodes.n; i++) {
		const struct rds_rec_node *other = &w->r->nodes.v[i];
		/* Of a fresh one from the start: no session has to be told of it. */
		if (!is_primary(w, other) &&
			(rds_is_fresh(w->r) || str_is(other->state, "up") || str_is(other->state, "catching")))
			s->synchronous = str_cat(a, STR("node_"), other->letter);
	}
	return OK;
}

/* The file's text; STR("") where it cannot be read. */
static struct str read_file(struct arena *a, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *p = arena_alloc(a, FILE_MAX);
	ssize_t n = fd < 0 ? 0 : read(fd, p, FILE_MAX);
	if (fd >= 0) close(fd);
	return str_n(p, n > 0 ? (size_t)n : 0);
}

static status write_files(struct rds_work *w, struct rds_rec_node *n, bool starting, bool *changed)
{
	struct arena *a = w->at.a;
	struct rds_settings s;
	struct str folder = str_fmt(a, "%.*s/%.*s", STR_ARG(rds_folder(a, w->r)), STR_ARG(n->letter));
	TRY(settings_of(w, n, &s));
	bool held = str_is(w->r->wanted, "group"); /* a group that was given to it waits for the next restart */
	struct str all = rds_settings_values(a, &s, STR_NONE);
	bool cluster = rds_is_cluster(w->r->dbi_resource_id);
	struct str old = cluster ? n->settings : w->r->settings;
	struct str values = starting ? all : held ? old : rds_settings_values(a, &s, old);
	struct str text = rds_settings_text(a, &s, values), access = rds_access_text(a, &s);
	*changed = !str_eq(text, read_file(a, rds_path(w->cloud, a, folder, "postgresql.conf"))) ||
		   !str_eq(access, read_file(a, rds_path(w->cloud, a, folder, "pg_hba.conf")));
	if (*changed) {
		TRY(rds_write(w->cloud, a, folder, "postgresql.conf", text, false));
		TRY(rds_write(w->cloud, a, folder, "pg_hba.conf", access, false));
	}
	if (cluster) {
		n->settings = values;
		n->parameter_state = str_eq(values, all) ? STR("in-sync") : STR("pending-reboot");
	}
	if (cluster || !is_primary(w, n)) return OK;
	if (starting && held) w->r->wanted = STR_NONE;
	w->r->settings = values;
	w->r->parameter_state = str_eq(values, all) ? STR("in-sync") : STR("pending-reboot");
	return OK;
}

status rds_pg_node_settings(struct rds_work *w, struct rds_rec_node *n, bool starting)
{
	bool changed;
	return write_files(w, n, starting, &changed);
}

status rds_node_reload(struct rds_work *w, struct rds_rec_node *n, struct pg *p)
{
	bool changed;
	TRY(write_files(w, n, false, &changed));
	return changed ? pg_query(p, w->at.a, STR("SELECT pg_reload_conf()"), STATEMENT_MS, NULL, NULL) : OK;
}

/* Its standby begins with a copy of the same template, beside it and not after it. */
bool rds_is_fresh(const struct rds_rec_instance *r)
{
	return r->fresh.v;
}

static status link_primary(struct rds_work *w, const struct rds_rec_node *n)
{
	struct str folder = rds_folder(w->at.a, w->r);
	const char *fresh = rds_path(w->cloud, w->at.a, folder, "primary.new");
	unlink(fresh);
	if (symlink(str_z(w->at.a, n->letter), fresh) != 0) return STATUS(IO);
	return rename(fresh, rds_path(w->cloud, w->at.a, folder, "primary")) == 0 ? OK : STATUS(IO);
}

/* From a copy that is there already; *done: there was one. */
static status make_from_spare(struct rds_work *w, struct rds_rec_node *n, bool *done, struct str *why)
{
	struct arena *a = w->at.a;
	struct str folder = rds_folder(a, w->r);
	TRY(rds_instance_folder(w->cloud, a, w->r, why));
	*done = rds_spare_take(w->cloud, a, folder, n->letter);
	if (!*done) return OK;
	rds_spares_want(w->at.tx);
	TRY(rds_node_folders(w->cloud, a, w->r, n->letter, why));
	return is_primary(w, n) ? link_primary(w, n) : OK;
}

/* The data that it begins with. A folder's "made" is the last thing to come. */
static status make_data(struct rds_work *w, struct rds_rec_node *n, struct str *why)
{
	const struct rds_rec_origin *o = w->r->origin;
	bool template = !o && (is_primary(w, n) || rds_is_fresh(w->r)), done;
	if (template) w->r->fresh = SOME_BOOL(true);
	const char *args[] = {
		str_z(w->at.a, n->letter), str_z(w->at.a, w->r->primary), str_fmt(w->at.a, "%d", w->r->port.v).p, NULL};
	struct rds_script s = {.folder = rds_folder(w->at.a, w->r), .args = args};
#define BEGIN "[ ! -e $1/made ] || exit 0\nrm -rf $1/data\n"
/* syncfs(2): one commit of the file system's journal, where a thousand files would make a thousand. */
#define END "\nsync -f $1/data\nmkdir $1/made\n"
	if (template) {
		TRY(make_from_spare(w, n, &done, why));
		if (done && is_primary(w, n)) return OK;
		s.shared = STR("rds/template");
		args[1] = is_primary(w, n) ? "" : "standby.signal";
		s.text = STR("[ -z \"$2\" ] || [ ! -e $1/made ] || touch $1/data/$2\n" BEGIN
			     "cp -a --reflink=auto /srv/shared/data $1/data\n[ -z \"$2\" ] || touch $1/data/$2" END);
		rds_spares_want(w->at.tx);
	} else if (!is_primary(w, n)) {
		s.text = STR(BEGIN BIN
			"pg_basebackup -D $1/data -h /srv/engine/$2/socket -p $3 -U rdsrepladmin -c fast -X stream "
			"--no-sync\nchmod 750 $1/data\ntouch $1/data/standby.signal" END);
	} else if (o && str_is(o->kind, "replica")) {
		s.shared = o->log_folder;
		args[2] = str_fmt(w->at.a, "%d", o->port.v).p;
		s.text = STR(BEGIN BIN
			"pg_basebackup -D $1/data -h /srv/shared/primary/socket -p $3 -U rdsrepladmin -c fast -X "
			"stream --no-sync\nchmod 750 $1/data\ntouch $1/data/standby.signal" END);
	} else {
		s.shared = o->folder;
		args[1] = str_is(o->kind, "time") ? "recovery.signal" : "";
		s.text = STR(
			BEGIN "cp -a --reflink=auto /srv/shared/data $1/data\n[ -z \"$2\" ] || touch $1/data/$2" END);
	}
	TRY(rds_node_folders(w->cloud, w->at.a, w->r, n->letter, why));
	if (is_primary(w, n)) s.text = str_cat(w->at.a, STR("ln -sfn $1 primary\n"), s.text);
	return rds_run(w->cloud, w->at.a, &s, why);
}

static status one(struct pg *p, struct arena *a, struct str sql, bool *is, struct str *why)
{
	struct pg_rows rows;
	status s = pg_query(p, a, sql, STATEMENT_MS, &rows, why);
	*is = is_ok(s) && rows.n > 0;
	return s;
}

status rds_node_furnish(struct rds_work *w, struct pg *p, struct str *why)
{
	struct arena *a = w->at.a;
	struct rds_rec_instance *r = w->r;
	struct str master = pg_name(a, r->master_username), db = r->db_name;
	bool is;
	/* Statements with a verifier are in no log. */
	TRY(pg_query(p, a,
		STR("SET log_statement = 'none'; SET log_min_duration_statement = -1; SET synchronous_commit = "
		    "'local'"),
		STATEMENT_MS, NULL, why));
	TRY(one(p, a,
		str_fmt(a, "SELECT 1 FROM pg_roles WHERE rolname = %.*s", STR_ARG(pg_literal(a, r->master_username))),
		&is, why));
	if (!is)
		TRY(pg_query(p, a,
			str_fmt(a,
				"BEGIN; CREATE ROLE %.*s LOGIN CREATEDB CREATEROLE VALID UNTIL 'infinity'; GRANT "
				"rds_superuser TO "
				"%.*s; ALTER DATABASE postgres OWNER TO %.*s; COMMIT",
				STR_ARG(master), STR_ARG(master), STR_ARG(master)),
			STATEMENT_MS, NULL, why));
	if (str_has(r->verifier))
		TRY(pg_query(p, a,
			str_fmt(a, "ALTER ROLE %.*s LOGIN PASSWORD %.*s", STR_ARG(master),
				STR_ARG(pg_literal(a, r->verifier))),
			STATEMENT_MS, NULL, why));
	r->verifier_due = SOME_BOOL(false);
	if (!str_has(db)) return OK;
	TRY(one(p, a, str_fmt(a, "SELECT 1 FROM pg_database WHERE datname = %.*s", STR_ARG(pg_literal(a, db))), &is,
		why));
	if (is) return OK;
	return pg_query(p, a, str_fmt(a, "CREATE DATABASE %.*s OWNER %.*s", STR_ARG(pg_name(a, db)), STR_ARG(master)),
		STATEMENT_MS * 3, NULL, why);
}

status rds_pg_node_make(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why)
{
	struct arena *a = w->at.a;
	struct stat st;
	*ready = false;
	/* The machine went down between a spare's move and the server's first start. */
	if (str_is(n->state, "made") && rds_is_fresh(w->r) &&
		stat(rds_path(w->cloud, a, rds_folder(a, w->r), str_fmt(a, "%.*s/made", STR_ARG(n->letter)).p), &st) !=
			0)
		n->state = STR("new");
	if (str_is(n->state, "new")) {
		TRY(rds_pg_template(w->cloud, a, why));
		TRY(make_data(w, n, why));
		TRY(rds_node_certificate(w, n));
		TRY(rds_node_settings(w, n, true));
		n->state = STR("made");
	}
	return rds_node_wait(w, n, ready, why);
}
