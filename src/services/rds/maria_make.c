/* From nothing to a MariaDB server that serves. */
#include "base/log.h"
#include "host/engines/folder.h"
#include "services/rds/maria.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE STR("rds/template-mariadb")
enum { FILE_MAX = 256 << 10 };

/* root is virga, by its socket and its user id; engine is what runs beside a server. "Master user account privileges",
 * the guide; mysql.rds_kill: "Ending a session or query". */
#define ROLES                                                                                                          \
	"USE mysql;\nFLUSH PRIVILEGES;\nALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket;\n"                   \
	"CREATE USER 'engine'@'localhost' IDENTIFIED VIA unix_socket;\n"                                               \
	"GRANT ALL PRIVILEGES ON *.* TO 'engine'@'localhost' WITH GRANT OPTION;\n"                                     \
	"CREATE DEFINER='root'@'localhost' PROCEDURE mysql.rds_kill(IN thread BIGINT) KILL thread;\n"                  \
	"CREATE DEFINER='root'@'localhost' PROCEDURE mysql.rds_kill_query(IN thread BIGINT) KILL QUERY thread;\n"
#define MASTER_PRIVILEGES                                                                                              \
	"SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "    \
	"CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, BINLOG MONITOR, CREATE VIEW, SHOW VIEW, "   \
	"CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, DELETE HISTORY, REPLICA MONITOR"

status rds_maria_template(struct cloud *cloud, struct arena *a, struct str *why)
{
	struct rds *state = rds_of(cloud);
	struct stat st;
	status s = OK;
	rds_lock(state);
	/* "ready" is the last thing to come: what a crash has left is begun anew. */
	if (stat(rds_path(cloud, a, TEMPLATE, "ready"), &st) != 0)
		s = rds_run(cloud, a,
			&(struct rds_script){.folder = TEMPLATE,
				.text = STR(
					"rm -rf data\n"
					"o='--no-defaults --datadir=/srv/engine/data --innodb-log-file-size=32M "
					"--innodb-use-native-aio=OFF --lc-messages-dir=/usr/share/mysql'\n"
					"mariadb-install-db $o --skip-test-db --skip-name-resolve "
					"--auth-root-socket-user=root >/dev/null\n"
					"/usr/sbin/mariadbd $o --bootstrap --silent-startup >/dev/null <<'SQL'\n" ROLES
					"SQL\nsync -f data\nmkdir -m 755 ready\n")},
			why);
	rds_unlock(state);
	return s;
}

static struct str read_file(struct arena *a, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *p = arena_alloc(a, FILE_MAX);
	ssize_t n = fd < 0 ? 0 : read(fd, p, FILE_MAX);
	if (fd >= 0) close(fd);
	return str_n(p, n > 0 ? (size_t)n : 0);
}

/* The option file as it shall be; *old, *now: the values before and after. */
static status write_files(struct rds_work *w, struct rds_rec_node *n, bool starting, struct str *old, struct str *now)
{
	struct arena *a = w->at.a;
	struct rds_rec_parameter_group g;
	struct stat st;
	struct str folder = str_fmt(a, "%.*s/%.*s", STR_ARG(rds_folder(a, w->r)), STR_ARG(n->letter));
	TRY(rds_parameter_group_load(w->at, w->r->parameter_group, &g));
	bool tls = stat(rds_path(w->cloud, a, folder, "server.key"), &st) == 0;
	bool held = str_is(w->r->wanted, "group"); /* a group that was given to it waits for the next restart */
	struct str all = rds_maria_values(a, w->r, &g, STR_NONE);
	*old = str_or(w->r->settings, STR(""));
	*now = starting ? all : held ? w->r->settings : rds_maria_values(a, w->r, &g, w->r->settings);
	struct str text = rds_maria_text(a, w->r, n, tls, *now);
	if (!str_eq(text, read_file(a, rds_path(w->cloud, a, folder, "my.cnf"))))
		TRY(rds_write(w->cloud, a, folder, "my.cnf", text, false));
	if (starting && held) w->r->wanted = STR_NONE;
	w->r->settings = *now;
	w->r->parameter_state = str_eq(*now, all) ? STR("in-sync") : STR("pending-reboot");
	return OK;
}

status rds_maria_node_settings(struct rds_work *w, struct rds_rec_node *n, bool starting)
{
	struct str old, now;
	return write_files(w, n, starting, &old, &now);
}

status rds_maria_reload(struct rds_work *w, struct rds_rec_node *n, struct pg *p)
{
	struct str old, now, why = STR_NONE;
	TRY(write_files(w, n, false, &old, &now));
	if (str_eq(old, now)) return OK;
	struct rds_rec_strings changes = rds_maria_changes(w->at.a, old, now);
	for (size_t i = 0; i < changes.n; i++) {
		status s = my_query(p, w->at.a, changes.v[i], RDS_MARIA_STATEMENT_MS, NULL, &why);
		/* One that it does not take while it runs is in force after the next start. */
		if (status_is(s, STATUS_INVALID))
			log_warn("rds", "parameter", "statement=\"%.*s\" why=\"%.*s\"", STR_ARG(changes.v[i]),
				STR_ARG(str_or(why, STR(""))));
		else
			TRY(s);
	}
	return OK;
}

/* The data that it begins with: the instance's one volume. "made" is the last thing to come. */
static status make_data(struct rds_work *w, struct rds_rec_node *n, struct str *why)
{
	struct arena *a = w->at.a;
	const struct rds_rec_origin *o = w->r->origin;
	struct str folder = rds_folder(a, w->r);
	TRY(rds_node_folders(w->cloud, a, w->r, n->letter, why));
	*why = STR("a folder cannot be made");
	TRY(engine_folder_make(rds_path(w->cloud, a, folder, "binlog"), 0770));
	TRY(engine_folder_make(rds_path(w->cloud, a, folder, "relay"), 0770));
	if (!str_eq(n->letter, w->r->primary)) return OK;
	const char *args[] = {str_z(a, n->letter), NULL};
	struct rds_script s = {.folder = folder, .args = args};
#define BEGIN "ln -sfn $1 primary\n[ ! -e made ] || exit 0\nrm -rf data binlog/* relay/*\n"
#define END "\nsync -f data\nmkdir made\n"
	if (o && str_is(o->kind, "replica")) {
		s.shared = o->log_folder;
		s.text = STR(BEGIN RDS_MARIA_BACKUP("/srv/shared/primary/socket") END);
	} else {
		s.shared = o ? o->folder : TEMPLATE;
		s.text = STR(BEGIN "cp -a --reflink=auto --sparse=always /srv/shared/data data" END);
	}
	return rds_run(w->cloud, a, &s, why);
}

status rds_maria_furnish(struct rds_work *w, struct pg *p, struct str *why)
{
	struct arena *a = w->at.a;
	struct rds_rec_instance *r = w->r;
	struct str master = my_literal(a, r->master_username);
	struct str proof = str_fmt(a, "IDENTIFIED VIA mysql_native_password USING %.*s",
		STR_ARG(my_literal(a, str_or(r->verifier, STR("")))));
	struct str statements[] = {
		str_fmt(a, "CREATE USER IF NOT EXISTS %.*s@'%%' %.*s", STR_ARG(master), STR_ARG(proof)),
		str_fmt(a, "GRANT " MASTER_PRIVILEGES " ON *.* TO %.*s@'%%' WITH GRANT OPTION", STR_ARG(master)),
		str_has(r->verifier) ? str_fmt(a, "ALTER USER %.*s@'%%' %.*s", STR_ARG(master), STR_ARG(proof))
				     : STR("DO 1"),
		str_has(r->db_name) ? str_fmt(a, "CREATE DATABASE IF NOT EXISTS %.*s", STR_ARG(my_name(a, r->db_name)))
				    : STR("DO 1")};
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++)
		TRY(my_query(p, a, statements[i], RDS_MARIA_STATEMENT_MS, NULL, why));
	r->verifier_due = SOME_BOOL(false);
	return OK;
}

status rds_maria_node_make(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why)
{
	*ready = false;
	if (str_is(n->state, "new")) {
		TRY(rds_maria_template(w->cloud, w->at.a, why));
		TRY(make_data(w, n, why));
		TRY(rds_node_certificate(w, n));
		TRY(rds_maria_node_settings(w, n, true));
		n->state = STR("made");
	}
	return rds_node_wait(w, n, ready, why);
}
