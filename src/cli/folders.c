/* Where virga keeps things; see folders.h. */
#include "cli/folders.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define EPHEMERAL_PREFIX "virga-ephemeral-"

static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

const char *folder_default(struct arena *a)
{
	/* "All paths set in these environment variables must be absolute. … consider the path invalid and ignore it."
	 */
	const char *data = variable("XDG_DATA_HOME"), *home = variable("HOME");
	if (data && *data == '/') return str_fmt(a, "%s/virga", data).p;
	if (home && *home == '/' && home[1]) return str_fmt(a, "%s/.local/share/virga", home).p;
	return "/var/lib/virga";
}

status folder_make(struct arena *a, const char *path)
{
	struct str whole = str_c(path);
	for (size_t i = 1; i <= whole.n; i++) {
		if (i < whole.n && path[i] != '/') continue;
		if (mkdir(str_z(a, str_sub(whole, 0, i)), 0700) != 0 && errno != EEXIST) return STATUS(IO);
	}
	return OK;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	if (remove(path) != 0 && errno != ENOENT)
		log_warn("cli", "not_removed", "path=\"%s\" why=\"%s\"", path, strerror(errno));
	return 0;
}

void folder_remove(const char *path)
{
	nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static int take_lock(struct arena *a, const char *dir, int flags)
{
	int fd = open(str_fmt(a, "%s/alive", dir).p, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Only folders of our own user: nobody else can have made us remove theirs. */
static void sweep(struct arena *a, const char *parent)
{
	DIR *d = opendir(parent);
	if (!d) return;
	for (struct dirent *entry; (entry = readdir(d));) {
		if (!str_starts(str_c(entry->d_name), STR(EPHEMERAL_PREFIX))) continue;
		const char *dir = str_fmt(a, "%s/%s", parent, entry->d_name).p;
		struct stat st;
		if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) continue;
		int fd = take_lock(a, dir, 0);
		if (fd < 0) continue;
		folder_remove(dir);
		close(fd);
	}
	closedir(d);
}

status folder_ephemeral_make(struct arena *a, struct folder_ephemeral *out)
{
	const char *parent = variable("TMPDIR");
	if (!parent) parent = "/tmp";
	sweep(a, parent);
	char *dir = arena_copy(a, str_fmt(a, "%s/" EPHEMERAL_PREFIX "XXXXXX", parent).p,
		strlen(parent) + sizeof("/" EPHEMERAL_PREFIX "XXXXXX"));
	if (!mkdtemp(dir)) return STATUS(IO);
	out->dir = dir;
	out->lock_fd = take_lock(a, dir, O_CREAT | O_EXCL);
	if (out->lock_fd < 0) return STATUS(IO);
	out->data = str_fmt(a, "%s/data", dir).p;
	return OK;
}

void folder_ephemeral_remove(struct folder_ephemeral *e)
{
	if (!e->dir) return;
	folder_remove(e->dir);
	close(e->lock_fd);
	e->dir = NULL;
}
