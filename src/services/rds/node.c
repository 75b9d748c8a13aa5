/* See node.h. */
#include "services/rds/node.h"
#include "base/log.h"
#include "clock/clock.h"
#include "host/engines/engine.h"
#include "host/engines/folder.h"
#include "services/rds/crypt.h"
#include "services/rds/driver.h"
#include "services/rds/postgres.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin/"
#define TEMPLATE STR("rds/template")
enum { GRACE_MS = 30000, CONNECT_MS = 3000, SAID_MAX = 1000, RESTARTS_MAX = 4 };

bool rds_real(const struct cloud *cloud)
{
	return cloud->host && host_available(cloud->host);
}

struct str rds_folder(struct arena *a, const struct rds_rec_instance *r)
{
	struct str folder = str_cat(a, STR("rds/"), r->dbi_resource_id);
	return str_has(r->data_key) ? rds_sealed_folder(a, folder) : folder;
}

const char *rds_path(struct cloud *cloud, struct arena *a, struct str folder, const char *rest)
{
	return engine_path(store_dir(cloud->store), a, folder, rest);
}

struct str rds_engine_id(struct arena *a, const struct rds_rec_instance *r, struct str letter)
{
	return str_fmt(a, "rds-%.*s-%.*s", STR_ARG(str_from(r->dbi_resource_id, 3)), STR_ARG(letter));
}

/* Everything of RDS runs as the owner of the templates. */
static status user_of(struct cloud *cloud, struct arena *a, struct compute_rec_engine *e)
{
	static const char *const templates[] = {"rds/template", "rds/template-mariadb"};
	struct stat st;
	for (size_t i = 0; i < sizeof(templates) / sizeof(*templates) && !e->uid.has; i++)
		if (stat(rds_path(cloud, a, str_c(templates[i]), ""), &st) == 0 && st.st_uid > 0)
			e->uid = SOME_I32((int32_t)st.st_uid);
	return OK;
}

status rds_run(struct cloud *cloud, struct arena *a, const struct rds_script *s, struct str *why)
{
	size_t n = 5, extra = 0;
	while (s->args && s->args[extra]) extra++;
	struct str *argv = arena_new_n(a, struct str, n + extra);
	argv[0] = STR("/bin/sh"), argv[1] = STR("-ec"), argv[2] = s->text, argv[3] = STR("rds"), argv[4] = STR("");
	for (size_t i = 0; i < extra; i++) argv[4 + i] = str_c(s->args[i]);
	struct compute_rec_engine e = {.id = STR("rds-script"),
		.argv = {argv, 4 + extra},
		.folder = s->folder,
		.shared = s->shared,
		.restart = STR("never")};
	int ends[2], code = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	TRY(user_of(cloud, a, &e));
	if (null < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		if (null >= 0) close(null);
		return STATUS(IO);
	}
	status st = engine_folder_make(rds_path(cloud, a, STR("rds"), ""), 0700);
	if (is_ok(st)) st = host_engine_run(cloud->host, a, &e, (int[3]){null, ends[1], ends[1]}, &code, why);
	close(ends[1]), close(null);
	char said[SAID_MAX];
	ssize_t got = read(ends[0], said, sizeof(said));
	close(ends[0]);
	if (!is_ok(st) || code == 0) return st;
	*why = str_dup(a, str_trim(str_n(said, got > 0 ? (size_t)got : 0)));
	log_warn("rds", "script_failed", "folder=%.*s code=%d why=\"%.*s\"", STR_ARG(s->folder), code, STR_ARG(*why));
	return STATUS(INVALID);
}

/* The roles that every RDS cluster has, and whom rdsadmin is: "Master user account privileges", "rds_superuser", the
 * guide. The names are made in single-user mode, before any server listens. */
#define ROLES                                                                                                          \
	"CREATE ROLE rds_superuser NOLOGIN;\n"                                                                         \
	"GRANT pg_monitor, pg_signal_backend, pg_checkpoint, pg_read_all_data TO rds_superuser WITH ADMIN OPTION;\n"   \
	"CREATE ROLE rds_replication NOLOGIN;\nCREATE ROLE rds_iam NOLOGIN;\nCREATE ROLE rds_password NOLOGIN;\n"      \
	"CREATE ROLE rds_ad NOLOGIN;\nGRANT rds_replication, rds_password TO rds_superuser WITH ADMIN OPTION;\n"       \
	"CREATE ROLE rdsrepladmin LOGIN REPLICATION;\n"                                                                \
	"CREATE DATABASE rdsadmin;\nREVOKE CONNECT ON DATABASE rdsadmin FROM PUBLIC;\n"

status rds_template(struct cloud *cloud, struct arena *a, struct str engine, struct str *why)
{
	return rds_driver_of(engine)->template(cloud, a, why);
}

status rds_pg_template(struct cloud *cloud, struct arena *a, struct str *why)
{
	struct rds *state = rds_of(cloud);
	struct stat st;
	status s = OK;
	rds_lock(state);
	/* "ready" is the last thing to come: what a crash has left is begun anew. */
	if (stat(rds_path(cloud, a, TEMPLATE, "ready"), &st) != 0)
		s = rds_run(cloud, a,
			&(struct rds_script){.folder = TEMPLATE,
				.text = STR("rm -rf data\n" BIN "initdb -D data -U rdsadmin -E UTF8 --locale=C.UTF-8 "
					    "-A trust -g -N >/dev/null\n" BIN
					    "postgres --single -F -D data postgres >/dev/null <<'SQL'\n" ROLES "SQL\n"
					    "rm -f data/postgresql.conf data/pg_hba.conf data/pg_ident.conf\n"
					    "touch data/pg_ident.conf\nsync -f data\nmkdir -m 755 ready\n")},
			why);
	rds_unlock(state);
	return s;
}

status rds_instance_folder(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str *why)
{
	struct str folder = rds_folder(a, r);
	*why = STR("a folder cannot be made");
	TRY(engine_folder_make(rds_path(cloud, a, STR("rds"), ""), 0700));
	/* A sealed one is there once it is open; nothing is written beside it. */
	if (!rds_folder_there(cloud, a, folder)) return STATUS(IO);
	TRY(engine_folder_make(rds_path(cloud, a, folder, ""), 0770));
	return engine_folder_make(rds_path(cloud, a, folder, "wal"), 0770);
}

status rds_node_folders(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter, struct str *why)
{
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {{"", 0770}, {"/socket", 0770}, {"/error", 02770}};
	struct str folder = rds_folder(a, r);
	TRY(rds_instance_folder(cloud, a, r, why));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		TRY(engine_folder_make(
			rds_path(cloud, a, folder, str_fmt(a, "%.*s%s", STR_ARG(letter), folders[i].name).p),
			folders[i].mode));
	return OK;
}

void rds_remove_folder(struct cloud *cloud, struct arena *a, struct str folder)
{
	struct stat st;
	struct str why = STR_NONE;
	const char *path = rds_path(cloud, a, folder, "");
	if (rds_is_sealed(folder)) {
		rds_crypt_remove(cloud, a, folder);
		return;
	}
	if (stat(path, &st) != 0) return;
	status s = rds_run(cloud, a,
		&(struct rds_script){.folder = folder, .text = STR("find . -mindepth 1 -depth -delete")}, &why);
	if (!is_ok(s) || rmdir(path) != 0)
		log_warn("rds", "folder_stays", "folder=%.*s why=\"%.*s\"", STR_ARG(folder),
			STR_ARG(str_or(why, STR(""))));
}

status rds_write(
	struct cloud *cloud, struct arena *a, struct str folder, const char *name, struct str text, bool secret)
{
	return engine_file_write(rds_path(cloud, a, folder, name), a, text, secret);
}

status rds_node_start(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r,
	const struct rds_rec_node *n, struct str *why)
{
	struct rds_class k = {2, 1024};
	rds_class_find(str_or(n->db_instance_class, r->db_instance_class), &k);
	struct compute_rec_engine e = {.id = rds_engine_id(a, r, n->letter),
		.place = n->eni,
		.folder = rds_folder(a, r),
		.vcpus = SOME_I32((int32_t)k.vcpus),
		.memory_bytes = SOME_I64((int64_t)k.memory_mib << 20),
		/* Of two the other one takes over: one that came back by itself would be in the way. */
		.restart = r->multi_az.v || rds_is_cluster(r->dbi_resource_id) ? STR("never") : STR("always"),
		.grace_ms = SOME_I64(GRACE_MS)};
	rds_driver_of(r->engine)->command(a, r, n, &e);
	TRY(user_of(cloud, a, &e));
	return host_engine_start(cloud->host, a, &e, why);
}

status rds_node_stop(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter, bool quick)
{
	struct str id = rds_engine_id(a, r, letter);
	if (quick) {
		status s = host_engine_signal(cloud->host, id, SIGKILL);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	}
	return host_engine_stop(cloud->host, id);
}

status rds_node_state(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter, struct str *state)
{
	struct compute_rec_engine_statuses all = {0};
	struct str id = rds_engine_id(a, r, letter);
	*state = STR("");
	TRY(host_engine_list(cloud->host, a, &all));
	for (size_t i = 0; i < all.engines.n; i++)
		if (str_eq(all.engines.v[i].id, id)) *state = all.engines.v[i].state;
	return OK;
}

status rds_node_failing(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter, bool *failing)
{
	struct compute_rec_engine_statuses all = {0};
	struct str id = rds_engine_id(a, r, letter);
	*failing = false;
	TRY(host_engine_list(cloud->host, a, &all));
	for (size_t i = 0; i < all.engines.n; i++) {
		const struct compute_rec_engine_status *e = &all.engines.v[i];
		if (!str_eq(e->id, id)) continue;
		*failing =
			str_is(e->state, "ended") || (str_is(e->state, "restarting") && e->restarts.v >= RESTARTS_MAX);
	}
	return OK;
}

bool rds_node_missed(struct rds_rec_node *n, bool follows)
{
	bool twice = !follows && n->missed.v;
	n->missed = follows || twice ? (struct opt_bool){0} : SOME_BOOL(true);
	return twice;
}

status rds_connect(struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str letter,
	struct str database, struct pg *out, struct str *why)
{
	const char *folder = rds_path(cloud, a, rds_folder(a, r), str_fmt(a, "%.*s/socket", STR_ARG(letter)).p);
	return pg_open(out, a, folder, (unsigned)r->port.v, database, CONNECT_MS, why);
}
