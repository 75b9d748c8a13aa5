/* Walks /proc/self/maps; and tells malloc what to map by itself. */
#include "cli/trim.h"
#include "base/str.h"
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>

void trim_text(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	if (!maps) return;
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t from, to;
		char mode[5], path[2] = "";
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %1s", &from, &to, mode, path) != 4) continue;
		if (strcmp(mode, "r-xp") != 0 || path[0] != '/') continue;
		madvise((void *)from, to - from, MADV_DONTNEED); /* advice: whether it is taken does not matter */
	}
	fclose(maps);
}

void trim_large_blocks(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 << 10); /* where it begins; set, it stays there */
	/* Else each request that frees as much gives its memory back, and the next faults it in again. */
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
}
