/* Runs a fuzz target over its corpus without libFuzzer: every file of the folders and files given, also cut to its first
 * and to its second half, and the empty input. Prints how many files ran; exits 77 when there were none. */
#include "base/arena.h"
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each run gets a heap copy of just its size, so that the sanitizers see a read past the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = mem_new(size);
	if (size) memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) return -1;
	size_t size = 0, room = 1 << 16, got;
	uint8_t *data = mem_new(room);
	while ((got = fread(data + size, 1, room - size, f)) > 0) {
		size += got;
		if (size == room) data = mem_grow(data, room *= 2);
	}
	int failed = ferror(f);
	fclose(f);
	if (!failed) {
		run(data, size);
		run(data, size / 2);
		run(data + size / 2, size - size / 2);
	}
	free(data);
	return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
	int files = 0, unreadable = 0;
	run(NULL, 0);
	if (argc > 1) {
		FTS *tree = fts_open(argv + 1, FTS_LOGICAL | FTS_NOCHDIR, NULL);
		if (!tree) return 1;
		for (FTSENT *e; (e = fts_read(tree));) {
			if (e->fts_info == FTS_F && run_file(e->fts_accpath) == 0)
				files++;
			else if (e->fts_info == FTS_F || e->fts_info == FTS_DNR || e->fts_info == FTS_ERR ||
				 (e->fts_info == FTS_NS && e->fts_errno != ENOENT))
				unreadable++, fprintf(stderr, "cannot read %s\n", e->fts_path);
		}
		fts_close(tree);
	}
	printf("%d files replayed\n", files);
	if (unreadable) return 1;
	return files ? 0 : 77;
}
