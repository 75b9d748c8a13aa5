/* Machines come and go without a trace: VIRGA_SOAK of them (30), each started, used and ended one way or another; then
 * the host has what it had. Needs root and the machine image. */
#include "host/machines.h"
#include <dirent.h>

static size_t count_entries(const char *path, const char *part)
{
	size_t n = 0;
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && (!part || strstr(e->d_name, part))) n++;
	if (d) closedir(d);
	return n;
}

/* Loop devices on files of that folder. */
static size_t count_loops(const char *folder)
{
	char line[256];
	size_t n = 0;
	snprintf(line, sizeof(line), "cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c %s", folder);
	FILE *f = popen(line, "re");
	if (f && fscanf(f, "%zu", &n) != 1) n = 999;
	if (f) pclose(f);
	return n;
}

/* Mounts that the host sees, of that name: others make theirs at the same time. */
static size_t count_mounts(const char *part)
{
	char line[4096];
	size_t n = 0;
	FILE *f = fopen("/proc/self/mounts", "re");
	while (f && fgets(line, sizeof(line), f)) n += strstr(line, part) != NULL;
	if (f) fclose(f);
	return n;
}

TEST(leaves_nothing)
{
	struct bench *b = bench_open();
	if (!b) SKIP("no machines here");
	int64_t rounds = 30, begun = bench_ms();
	const char *asked = getenv("VIRGA_SOAK");
	if (asked) CHECK_OK(str_to_i64(str_c(asked), &rounds));
	for (int64_t i = 0; i < rounds; i++) {
		char id[32];
		int code;
		struct arena_mark mark = arena_mark(&b->a);
		snprintf(id, sizeof(id), "i-%lld", (long long)(i % 5));
		struct compute_rec_machine m = bench_machine(b, id);
		CHECK(bench_start(b, &m) && bench_wait(b, m.id, "running"));
		if (i % 3 == 0)
			bench_run(b, id, "poweroff", &code);
		else
			CHECK_OK(host_machine_stop(b->h, m.id, i % 3 == 1));
		CHECK(bench_wait(b, m.id, "ended"));
		arena_release(&b->a, mark);
		if (test_failed) break;
	}
	char folder[128], prefix[64];
	snprintf(prefix, sizeof(prefix), "%.*s", STR_ARG(host_prefix(b->h)));
	printf("%lld machines in %lld ms\n", (long long)rounds, (long long)(bench_ms() - begun));
	CHECK(count_loops(b->data) == 0);
	CHECK(count_entries("/run/netns", prefix) == 0);
	CHECK(count_mounts(prefix) == 0 && count_mounts(b->data) == 0);
	snprintf(folder, sizeof(folder), "/sys/fs/cgroup/memory/%s", prefix);
	for (struct str rest = STR("memory,cpu,pids,devices,freezer,blkio,cpuset,unified"); str_has(rest);) {
		struct str part = str_cut(&rest, ',');
		snprintf(folder, sizeof(folder), "/sys/fs/cgroup/%.*s/%s", STR_ARG(part), prefix);
		for (int i = 0; i < 5; i++) {
			char group[160];
			snprintf(group, sizeof(group), "%s/i-%d", folder, i);
			CHECK(access(group, F_OK) != 0);
		}
	}
	snprintf(folder, sizeof(folder), "/sys/fs/cgroup/%s", prefix);
	CHECK(access(folder, F_OK) != 0 || count_entries(folder, "i-") == 0);
	bench_close(b);
}

TEST_MAIN()
