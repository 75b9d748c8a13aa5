/* Snapshots of MariaDB and what is replayed upon them: mariadb-backup of running servers, copies of stopped ones, and
 * the binary logs of the source until a moment. Each transaction has an id in that log (GTID), and a server in strict
 * mode takes none twice: so a replay that was cut off goes on where it was. */
#include "base/log.h"
#include "services/rds/maria.h"
#include <stdio.h>

status rds_maria_snapshot_take(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str folder, struct str *why)
{
	struct str state;
	TRY(rds_node_state(cloud, a, r, r->primary, &state));
	const char *args[] = {str_z(a, r->primary), NULL};
	struct rds_script s = {.folder = folder, .shared = rds_folder(a, r), .args = args};
	s.text = str_is(state, "running")
			 ? STR("[ ! -e made ] || exit 0\nrm -rf data\n" RDS_MARIA_BACKUP(
				   "/srv/shared/$1/socket") "sync -f data\nmkdir made\n")
			 : STR("[ ! -e made ] || exit 0\nrm -rf data\ncp -a --reflink=auto --sparse=always "
			       "/srv/shared/data data\nsync -f data\nmkdir made\n");
	return rds_run(cloud, a, &s, why);
}

/* The log that holds the moment is closed, so that whole files are read: its name is what is waited for. */
status rds_maria_source_archive(struct rds_work *w, bool *done)
{
	struct rds_rec_instance from;
	struct rds_rec_owner o;
	struct pg p;
	struct pg_rows rows = {0};
	struct str why = STR_NONE;
	*done = str_has(w->r->origin->wait);
	if (*done) return OK;
	status s = rds_owner(w->at.tx, w->at.a, w->r->origin->source, &o);
	if (is_ok(s))
		s = rds_load(
			(struct rds_place){w->at.tx, w->at.a, o.account, o.region}, &rds_kind_instance, o.name, &from);
	/* Gone meanwhile: what is there is all there is. */
	if (status_is(s, STATUS_NOT_FOUND)) {
		w->r->origin->wait = STR("all");
		*done = true;
		return OK;
	}
	TRY(s);
	s = rds_maria_connect(w->cloud, w->at.a, &from, from.primary, &p, &why);
	if (is_ok(s)) {
		s = my_query(&p, w->at.a, STR("SHOW MASTER STATUS"), RDS_MARIA_STATEMENT_MS, &rows, &why);
		if (is_ok(s)) s = my_query(&p, w->at.a, STR("FLUSH BINARY LOGS"), RDS_MARIA_STATEMENT_MS, NULL, &why);
		my_close(&p);
	}
	if (is_ok(s) && rows.n == 1 && rows.v[0].n >= 1 && str_has(rows.v[0].v[0]))
		w->r->origin->wait = rows.v[0].v[0];
	else
		log_warn("rds", "archive", "why=\"%.*s\"", STR_ARG(str_or(why, STR(""))));
	rds_again(w, str_has(w->r->origin->wait) ? 1 : RDS_LATER_MS);
	return OK;
}

status rds_maria_replay(struct rds_work *w, struct rds_rec_node *n, struct str *why)
{
	struct arena *a = w->at.a;
	const struct rds_rec_origin *o = w->r->origin;
	struct str until = o->until.has ? time_iso8601(a, o->until.ms, false) : STR_NONE;
	/* "2026-11-29T18:30:00Z": the events of that second and later stay out. */
	const char *stop =
		str_has(until) ? str_fmt(a, "--stop-datetime=%.*s %.*s", 10, until.p, 8, until.p + 11).p : "";
	const char *args[] = {str_z(a, n->letter), str_z(a, o->wait), stop, NULL};
	return rds_run(w->cloud, a,
		&(struct rds_script){.folder = rds_folder(a, w->r),
			.shared = o->log_folder,
			.args = args,
			.text = STR(
				"m=\"mariadb --no-defaults --user=engine --socket=/srv/engine/$1/socket/mysqld.sock\"\n"
				"pos=$($m -N -e 'SELECT @@global.gtid_binlog_pos')\n"
				"read file offset first <data/xtrabackup_binlog_info || true\n"
				"[ -n \"$file\" ] || exit 0\n"
				"start=--start-position=${pos:-$first}\n"
				"[ -n \"$pos$first\" ] || start=--start-position=4\n"
				"set -- \"$2\" \"$3\"\nlast=$1 stop=$2\nset --\n"
				"for f in /srv/shared/binlog/mysql-bin-changelog.[0-9]*; do\n"
				"\tb=${f##*/}\n\t[ \"$b\" \\< \"$file\" ] || [ \"$b\" \\> \"$last\" ] || set -- \"$@\" "
				"\"$f\"\ndone\n"
				"[ $# -gt 0 ] || exit 0\n"
				"export TZ=UTC\n"
				/* It fails where nothing was written since the copy: the log ends where that does. */
				"if ! mariadb-binlog --no-defaults $start ${stop:+\"$stop\"} \"$@\" >replay 2>said; "
				"then\n"
				"\trm -f replay\n"
				"\tend=$(mariadb-binlog --no-defaults \"$@\" | "
				"sed -n 's/.*GTID \\([0-9]*-[0-9]*-[0-9]*\\).*/\\1/p' | tail -n 1)\n"
				"\t[ -z \"$end\" ] || [ \"$end\" = \"${pos:-$first}\" ] || { cat said; exit 1; }\n"
				"\texit 0\nfi\n"
				"$m --binary-mode <replay\nrm replay\n")},
		why);
}

status rds_maria_prune(struct rds_work *w, struct str oldest, struct str *why)
{
	struct arena *a = w->at.a;
	struct pg p;
	char first[64] = "";
	FILE *f = fopen(rds_path(w->cloud, a, oldest, "position"), "re");
	if (!f) return OK;
	bool read = fscanf(f, "%63[a-z0-9.-]", first) == 1;
	fclose(f);
	if (!read) return OK;
	TRY(rds_maria_connect(w->cloud, a, w->r, w->r->primary, &p, why));
	status s = my_query(&p, a, str_fmt(a, "PURGE BINARY LOGS TO '%s'", first), RDS_MARIA_STATEMENT_MS, NULL, why);
	my_close(&p);
	return s;
}
