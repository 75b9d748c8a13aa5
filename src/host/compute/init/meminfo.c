/* /proc/meminfo as the machine's limit makes it: written anew whenever somebody has opened it, which the next reader
 * sees. */
#include "host/compute/init/init.h"
#include <unistd.h>

static int64_t value_of(struct str text, struct str key)
{
	while (str_has(text)) {
		struct str line = str_cut(&text, '\n');
		int64_t v;
		if (str_eq(str_cut(&line, ' '), key) && is_ok(str_to_i64(line, &v))) return v;
	}
	return -1;
}

void meminfo_write(struct init *in)
{
	char stat[4096], text[1024];
	ssize_t got = pread(INIT_FD_MEMORY, stat, sizeof(stat), 0);
	struct str s = str_n(stat, got > 0 ? (size_t)got : 0);
	/* memory.stat of v1 and of v2: Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst */
	bool old = value_of(s, STR("rss")) >= 0;
	int64_t used = value_of(s, old ? STR("rss") : STR("anon")),
		cached = value_of(s, old ? STR("cache") : STR("file"));
	int64_t kernel = value_of(s, STR("kernel")), total = in->config.memory_bytes;
	if (used < 0) used = 0;
	if (cached < 0) cached = 0;
	if (kernel > 0) used += kernel;
	int64_t left = total - used - cached;
	if (left < 0) left = 0;
	int64_t available = left + cached < total ? left + cached : total;
	int n = snprintf(text, sizeof(text),
		"MemTotal:       %8lld kB\nMemFree:        %8lld kB\nMemAvailable:   %8lld kB\nBuffers:        %8d kB\n"
		"Cached:         %8lld kB\nSwapCached:     %8d kB\nActive:         %8lld kB\nInactive:       %8lld kB\n"
		"SwapTotal:      %8d kB\nSwapFree:       %8d kB\nShmem:          %8d kB\nSlab:           %8d kB\n"
		"SReclaimable:   %8d kB\nSUnreclaim:     %8d kB\n",
		(long long)total / 1024, (long long)left / 1024, (long long)available / 1024, 0,
		(long long)cached / 1024, 0, (long long)used / 1024, (long long)cached / 1024, 0, 0, 0, 0, 0, 0);
	if (pwrite(INIT_FD_MEMINFO, text, (size_t)n, 0) == n && ftruncate(INIT_FD_MEMINFO, n) != 0) return;
}
