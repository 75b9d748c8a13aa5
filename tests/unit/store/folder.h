/* A data folder of its own for each test, removed behind it. */
#pragma once
#include "base/arena.h"
#include "store/store.h"
#include "test.h"
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	remove(path);
	return 0;
}
__attribute__((unused)) static void folder_remove(const char *dir)
{
	/* A file may appear or go while we walk: RocksDB's thread pool outlives a database. */
	for (int i = 0; i < 5 && access(dir, F_OK) == 0; i++) nftw(dir, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
__attribute__((unused)) static const char *folder_make(char path[PATH_MAX])
{
	const char *tmp = getenv("TMPDIR");
	snprintf(path, PATH_MAX, "%s/virga-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(path)) abort();
	return path;
}
/* Opens, or ends the test program: nothing can be tested without. */
__attribute__((unused)) static struct store *folder_open(const char *dir, enum store_durability durability)
{
	struct arena a;
	arena_init(&a);
	struct store *s = NULL;
	struct str why = STR("");
	struct store_options o = {.dir = dir, .durability = durability};
	if (!is_ok(store_open(&o, &a, &s, &why))) {
		fprintf(stderr, "store_open: %.*s\n", STR_ARG(why));
		exit(1);
	}
	arena_cleanup(&a);
	return s;
}
/* Number of blob files. */
__attribute__((unused)) static size_t folder_blobs(const char *dir)
{
	size_t n = 0;
	for (unsigned i = 0; i < 256; i++) {
		char path[PATH_MAX + 16];
		snprintf(path, sizeof path, "%s/blobs/%02x", dir, i);
		DIR *d = opendir(path);
		for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
		if (d) closedir(d);
	}
	return n;
}
