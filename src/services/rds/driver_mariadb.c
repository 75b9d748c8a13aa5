/* MariaDB's table, and what of it is in no other file. */
#include "host/engines/engine.h"
#include "services/rds/maria.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum { CONNECT_MS = 3000, WATCH_MS = 500 };

static void command(
	struct arena *a, const struct rds_rec_instance *r, const struct rds_rec_node *n, struct compute_rec_engine *e)
{
	struct str argv[] = {
		STR("/usr/sbin/mariadbd"), str_fmt(a, "--defaults-file=/srv/engine/%.*s/my.cnf", STR_ARG(n->letter))};
	(void)r;
	e->argv = (struct compute_rec_strings){arena_copy(a, argv, sizeof(argv)), sizeof(argv) / sizeof(*argv)};
	e->stop_signal = SOME_I32(SIGTERM);
}

status rds_maria_connect(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter,
	struct pg *out, struct str *why)
{
	const char *folder = rds_path(cloud, a, rds_folder(a, r), str_fmt(a, "%.*s/socket", STR_ARG(letter)).p);
	return my_open(out, a, folder, CONNECT_MS, why);
}

static status knock(struct rds_work *w, const struct rds_rec_node *n, struct str *why)
{
	struct pg p;
	TRY(rds_maria_connect(w->cloud, w->at.a, w->r, n->letter, &p, why));
	my_close(&p);
	return OK;
}

/* "10.11.19-MariaDB-0+deb12u1": the server's own version is the truth. */
static status read_version(struct rds_work *w, struct pg *p)
{
	struct pg_rows rows;
	TRY(my_query(p, w->at.a, STR("SELECT VERSION()"), RDS_MARIA_STATEMENT_MS, &rows, NULL));
	if (rows.n != 1 || rows.v[0].n != 1 || !str_has(rows.v[0].v[0])) return OK;
	struct str text = rows.v[0].v[0];
	w->r->engine_version = str_cut(&text, '-');
	return OK;
}

static status begin(struct rds_work *w, struct rds_rec_node *n, bool *done, struct str *why)
{
	struct rds_rec_instance *r = w->r;
	struct pg p;
	*done = false;
	if (r->origin && str_is(r->origin->kind, "time")) {
		TRY(rds_maria_replay(w, n, why));
		/* Until now nobody could connect from outside. */
		r->origin = NULL;
		TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, false));
		TRY(rds_node_settings(w, n, true));
		rds_again(w, 1);
		return OK;
	}
	TRY(rds_maria_connect(w->cloud, w->at.a, r, n->letter, &p, why));
	bool replica = r->origin && str_is(r->origin->kind, "replica");
	status s = replica ? rds_maria_follow(w, n, &p, why) : rds_maria_furnish(w, &p, why);
	if (is_ok(s)) s = read_version(w, &p);
	my_close(&p);
	*done = is_ok(s);
	return s;
}

static status tend(struct rds_work *w, struct rds_rec_node *n, struct str *why)
{
	struct pg p;
	bool replica = w->r->origin && str_is(w->r->origin->kind, "replica");
	if (replica) rds_maria_relay(w, n);
	if (!is_ok(rds_maria_connect(w->cloud, w->at.a, w->r, n->letter, &p, why))) return STATUS(BUSY);
	/* A replica has its source's passwords. */
	if (replica) w->r->verifier_due = SOME_BOOL(false);
	status s = w->r->verifier_due.v ? rds_maria_furnish(w, &p, why) : OK;
	if (is_ok(s)) s = rds_maria_reload(w, n, &p);
	if (is_ok(s)) s = rds_measure(w, rds_maria_measure, &p);
	my_close(&p);
	return s;
}

static status watch(struct arena *a, const char *folder, uint16_t port, int *fd)
{
	struct pg p;
	(void)port;
	TRY(my_open(&p, a, folder, WATCH_MS, NULL));
	*fd = fcntl(p.fd, F_DUPFD_CLOEXEC, 0);
	close(p.fd);
	p.fd = -1;
	my_close(&p);
	return *fd >= 0 ? OK : STATUS(IO);
}

const struct rds_driver rds_driver_mariadb = {.engine = "mariadb",
	.restarts_for_log = true,
	.template = rds_maria_template,
	.node_make = rds_maria_node_make,
	.knock = knock,
	.node_settings = rds_maria_node_settings,
	.command = command,
	.begin = begin,
	.tend = tend,
	.standby = rds_maria_standby,
	.failover = rds_maria_failover,
	.standby_runs = rds_maria_standby_runs,
	.source_archive = rds_maria_source_archive,
	.promote = rds_maria_promote,
	.snapshot_take = rds_maria_snapshot_take,
	.prune = rds_maria_prune,
	.watch = watch,
	.verifier = my_password};
