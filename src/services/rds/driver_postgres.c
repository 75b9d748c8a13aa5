/* PostgreSQL's table, and what of it is in no other file. */
#include "host/engines/engine.h"
#include "services/rds/driver.h"
#include "services/rds/postgres.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin/"
enum { STATEMENT_MS = 5000, WATCH_MS = 500 };

static void command(
	struct arena *a, const struct rds_rec_instance *r, const struct rds_rec_node *n, struct compute_rec_engine *e)
{
	struct str own = str_fmt(a, "/srv/engine/%.*s", STR_ARG(n->letter));
	struct str argv[] = {STR(BIN "postgres"), STR("-D"), str_cat(a, own, STR("/data")), STR("-c"),
		str_fmt(a, "config_file=%.*s/postgresql.conf", STR_ARG(own))};
	e->argv = (struct compute_rec_strings){arena_copy(a, argv, sizeof(argv)), sizeof(argv) / sizeof(*argv)};
	/* A fast shutdown: sessions end, what is committed is on disk. */
	e->stop_signal = SOME_I32(SIGINT);
	if (r->origin) e->shared = r->origin->log_folder;
}

/* The server's own version is the truth. */
status rds_read_version(struct rds_work *w, struct pg *p)
{
	struct pg_rows rows;
	TRY(pg_query(p, w->at.a, STR("SHOW server_version"), STATEMENT_MS, &rows, NULL));
	if (!rows.n || !rows.v[0].n) return OK;
	struct str text = rows.v[0].v[0];
	w->r->engine_version = str_cut(&text, ' ');
	return OK;
}

static status knock(struct rds_work *w, const struct rds_rec_node *n, struct str *why)
{
	struct pg p;
	TRY(rds_connect(w->cloud, w->at.a, w->r, n->letter, STR("postgres"), &p, why));
	pg_close(&p);
	return OK;
}

static status begin(struct rds_work *w, struct rds_rec_node *n, bool *done, struct str *why)
{
	struct rds_rec_instance *r = w->r;
	struct pg p;
	struct pg_rows rows;
	*done = false;
	TRY(rds_connect(w->cloud, w->at.a, r, n->letter, STR("postgres"), &p, why));
	status s = pg_query(&p, w->at.a, STR("SELECT pg_is_in_recovery()"), STATEMENT_MS, &rows, why);
	bool recovering = is_ok(s) && rows.n && str_is(rows.v[0].v[0], "t");
	if (is_ok(s) && r->origin && str_is(r->origin->kind, "time")) {
		pg_close(&p);
		if (recovering) {
			/* It replays the log; it will be promoted at the moment asked for. */
			rds_again(w, RDS_SOON_MS);
			return OK;
		}
		/* It has been promoted. It goes on without the source's log before its eyes. */
		r->origin = NULL;
		TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, false));
		TRY(rds_node_settings(w, n, true));
		rds_again(w, 1);
		return OK;
	}
	if (is_ok(s) && !recovering) s = rds_node_furnish(w, &p, why);
	if (is_ok(s)) s = rds_read_version(w, &p);
	pg_close(&p);
	*done = is_ok(s);
	return s;
}

static status tend(struct rds_work *w, struct rds_rec_node *n, struct str *why)
{
	struct pg p;
	if (!is_ok(rds_connect(w->cloud, w->at.a, w->r, n->letter, STR("postgres"), &p, why))) return STATUS(BUSY);
	status s = w->r->verifier_due.v ? rds_node_furnish(w, &p, why) : OK;
	if (is_ok(s)) s = rds_node_reload(w, n, &p);
	if (is_ok(s)) s = rds_measure(w, rds_pg_measure, &p);
	pg_close(&p);
	return s;
}

static status watch(struct arena *a, const char *folder, uint16_t port, int *fd)
{
	struct pg p;
	TRY(pg_open(&p, a, folder, port, STR("postgres"), WATCH_MS, NULL));
	*fd = fcntl(p.fd, F_DUPFD_CLOEXEC, 0);
	close(p.fd);
	p.fd = -1;
	pg_close(&p);
	return *fd >= 0 ? OK : STATUS(IO);
}

status rds_pg_snapshot_take(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str folder, struct str *why)
{
	struct str state;
	/* A cluster that never had an instance has an empty database. */
	if (!str_has(r->primary)) {
		struct rds_script empty = {.folder = folder,
			.shared = STR("rds/template"),
			.text = STR("[ ! -e made ] || exit 0\nrm -rf data\ncp -a --reflink=auto /srv/shared/data data\n"
				    "sync -f data\nmkdir made\n")};
		TRY(rds_pg_template(cloud, a, why));
		return rds_run(cloud, a, &empty, why);
	}
	TRY(rds_node_state(cloud, a, r, r->primary, &state));
	const char *args[] = {str_z(a, r->primary), str_fmt(a, "%d", r->port.v).p, NULL};
	struct rds_script s = {.folder = folder, .shared = rds_folder(a, r), .args = args};
	s.text = str_is(state, "running")
			 ? STR("[ ! -e made ] || exit 0\nrm -rf data\n" BIN
			       "pg_basebackup -D data -h /srv/shared/$1/socket -p $2 -U "
			       "rdsrepladmin -c fast -X stream --no-sync\nchmod 750 data\nsync -f data\nmkdir made\n")
			 : STR("[ ! -e made ] || exit 0\nrm -rf data\ncp -a --reflink=auto /srv/shared/$1/data data\n"
			       "sync -f data\nmkdir made\n");
	return rds_run(cloud, a, &s, why);
}

static status prune(struct rds_work *w, struct str oldest, struct str *why)
{
	return rds_run(w->cloud, w->at.a,
		&(struct rds_script){.folder = rds_folder(w->at.a, w->r),
			.shared = oldest,
			.text = STR("f=$(sed -n 's/^START WAL LOCATION.*file \\([0-9A-F]*\\).*/\\1/p' "
				    "/srv/shared/data/backup_label 2>/dev/null)\n[ -z \"$f\" ] || " BIN
				    "pg_archivecleanup wal $f\n")},
		why);
}

const struct rds_driver rds_driver_postgres = {.engine = "postgres",
	.template = rds_pg_template,
	.node_make = rds_pg_node_make,
	.knock = knock,
	.node_settings = rds_pg_node_settings,
	.command = command,
	.begin = begin,
	.tend = tend,
	.standby = rds_pg_standby,
	.failover = rds_pg_failover,
	.standby_runs = rds_pg_standby_runs,
	.source_archive = rds_pg_source_archive,
	.promote = rds_pg_promote,
	.snapshot_take = rds_pg_snapshot_take,
	.prune = prune,
	.watch = watch,
	.verifier = rds_scram_verifier};
