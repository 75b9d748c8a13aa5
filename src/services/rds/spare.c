/* Data folders that are copied before they are asked for: a new server moves one into its place in a millisecond, where
 * the copy and its way to the disk take half a second. They lie in rds/spares/ready-…, each with what a node's folder
 * holds when its data are whole (data, made). A job keeps some there from the first subnet group or instance on. */
#include "base/log.h"
#include "base/rand.h"
#include "host/engines/folder.h"
#include "services/rds/postgres.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPARES STR("rds/spares")
enum { SPARES_KEPT = 3 };

void rds_spares_want(struct store_tx *tx)
{
	jobs_schedule(tx, &(struct job){.kind = STR(RDS_JOB_SPARE), .id = STR("spares"), .payload = STR("")});
}

/* The folder is virga's, who will move it; what is in it is the servers' user's. */
static status make_one(struct cloud *cloud, struct arena *a, struct str *why)
{
	struct str fresh = str_fmt(a, "ready-%.*s", STR_ARG(rand_text(a, STR("0123456789abcdef"), 12)));
	const char *making = rds_path(cloud, a, SPARES, "making");
	TRY(engine_folder_make(rds_path(cloud, a, SPARES, ""), 0770));
	TRY(engine_folder_make(making, 0770));
	TRY(rds_run(cloud, a,
		&(struct rds_script){.folder = SPARES,
			.shared = STR("rds/template"),
			.text = STR("rm -rf making/data making/made\n"
				    "cp -a --reflink=auto /srv/shared/data making/data\nsync -f making/data\n"
				    "mkdir making/made\n")},
		why));
	return rename(making, rds_path(cloud, a, SPARES, str_z(a, fresh))) == 0 ? OK : STATUS(IO);
}

static size_t count(struct cloud *cloud, struct arena *a)
{
	DIR *d = opendir(rds_path(cloud, a, SPARES, ""));
	size_t n = 0;
	for (struct dirent *e; d && (e = readdir(d));) n += str_starts(str_c(e->d_name), STR("ready-"));
	if (d) closedir(d);
	return n;
}

status rds_spare_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct str why = STR_NONE;
	(void)tx, (void)job;
	if (!rds_real(cloud)) return OK;
	status s = rds_pg_template(cloud, a, &why);
	/* A job that was scheduled anew may run beside itself. */
	rds_lock(rds_of(cloud));
	if (is_ok(s) && count(cloud, a) < SPARES_KEPT) s = make_one(cloud, a, &why);
	rds_unlock(rds_of(cloud));
	/* Without spares servers make their own copies; the next one to be made asks again. */
	if (!is_ok(s))
		log_info("rds", "spares", "status=%s why=\"%.*s\"", status_name(s), STR_ARG(str_or(why, STR(""))));
	else if (count(cloud, a) < SPARES_KEPT)
		*again_ms = clock_now(cloud->clock) + 1;
	return OK;
}

bool rds_spare_take(struct cloud *cloud, struct arena *a, struct str folder, struct str letter)
{
	const char *to = rds_path(cloud, a, folder, str_z(a, letter));
	DIR *d = opendir(rds_path(cloud, a, SPARES, ""));
	bool taken = false;
	for (struct dirent *e; d && !taken && (e = readdir(d));)
		taken = str_starts(str_c(e->d_name), STR("ready-")) && renameat(dirfd(d), e->d_name, AT_FDCWD, to) == 0;
	if (d) closedir(d);
	/* Not synced, which costs as much as a copy: the server's first fsync brings the move to the disk with it, and
	 * rds_node_make looks whether it has. */
	return taken;
}
