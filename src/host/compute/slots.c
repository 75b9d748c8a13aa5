/* Ranges of user ids for machines. A taken one is a file in /run/virga/slots, named by its number, that tells whose it
 * is; it counts only as long as its owner's record stands, so that a crash takes none away for good. */
#include "base/rand.h"
#include "host/compute/compute.h"
#include "host/compute/door.h"
#include "host/compute/files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/run/virga/slots"
#define SLOTS 48000u /* SLOT_FIRST_ID + SLOTS * 65536 stays below 2^32 - 2^16 */
#define TRIES 4096
#define FRESH_S 60

static bool is_stale(const char *path)
{
	char owner[256];
	size_t n = 0;
	if (!is_ok(files_slurp(path, owner, sizeof(owner) - 1, &n)) || n == 0) return false;
	owner[n] = 0;
	return access(owner, F_OK) != 0 && errno == ENOENT;
}

int slot_take(struct str owner)
{
	char path[64];
	if (mkdir(FOLDER, 0700) != 0 && errno != EEXIST) return -1;
	uint64_t at = rand_below(SLOTS);
	for (unsigned i = 0; i < TRIES; i++, at = (at + 1) % SLOTS) {
		snprintf(path, sizeof(path), FOLDER "/%u", (unsigned)at);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST && is_stale(path)) {
			unlink(path);
			fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		}
		if (fd < 0) continue;
		bool good = is_ok(files_write_at(fd, 0, owner.p, owner.n));
		close(fd);
		if (good) return (int)at;
		unlink(path);
	}
	return -1;
}

void slot_release(int slot)
{
	char path[64];
	snprintf(path, sizeof(path), FOLDER "/%d", slot);
	unlink(path);
}

void slots_sweep(void)
{
	char path[64];
	struct stat now, st;
	unsigned at;
	int end = 0;
	/* The file system's clock, which has stamped the entries too. */
	if (utimensat(AT_FDCWD, FOLDER, NULL, 0) != 0 || stat(FOLDER, &now) != 0) return;
	DIR *d = opendir(FOLDER);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (sscanf(e->d_name, "%5u%n", &at, &end) != 1 || e->d_name[end]) continue;
		snprintf(path, sizeof(path), FOLDER "/%u", at);
		/* A fresh one's owner may be about to write its record. */
		if (stat(path, &st) == 0 && now.st_mtime - st.st_mtime > FRESH_S && is_stale(path)) unlink(path);
	}
	if (d) closedir(d);
}
