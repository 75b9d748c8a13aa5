/* See cgroup.h. */
#include "host/compute/cgroup.h"
#include "base/arena.h"
#include "base/log.h"
#include "host/compute/files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_US 100000
#define REMOVE_TRIES 200
#define REMOVE_PAUSE_NS 5000000

enum controller { C_CPU, C_CPUACCT, C_CPUSET, C_MEMORY, C_PIDS, C_BLKIO, C_FREEZER, C_DEVICES, C_COUNT };
static const char *const names[C_COUNT] = {"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "freezer", "devices"};

struct cgroups {
	char prefix[64];
	int own[C_COUNT];      /* PREFIX in the v1 hierarchy of a controller; -1. Equal numbers: mounted together */
	int unified;           /* PREFIX in the v2 hierarchy, -1 */
	int root[C_COUNT + 1]; /* the hierarchies' roots, for removing */
	int next_cpu;
};

static void close_fd(int *fd)
{
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

/* ── finding the hierarchies: proc(5), /proc/self/mounts ──────────────────────────────────────────────────────── */

static bool has_option(struct str options, const char *wanted)
{
	while (str_has(options))
		if (str_eq(str_cut(&options, ','), str_c(wanted))) return true;
	return false;
}

static int make_own(int root, const char *prefix)
{
	if (mkdirat(root, prefix, 0755) != 0 && errno != EEXIST) return -1;
	return openat(root, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A new cpuset has no processors and no memory until it is told. */
static void inherit_cpuset(int parent, int child)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	for (size_t i = 0; i < 2; i++) {
		char text[256];
		int fd = openat(parent, files[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
		if (fd >= 0) close(fd);
		if (n > 0) files_put_at(child, files[i], str_n(text, (size_t)n));
	}
}

/* "cpu.shares" (Linux, Documentation/scheduler/sched-design-CFS) and v2's "cpu.weight": 1024 and 100 are what one
 * process outside weighs, a whole group by default too. A group with work for several processors has to weigh as much
 * as so many processes, or each of its threads gets less than any other's. */
enum { SHARES_OF_ONE = 1024, SHARES_MAX = 262144, WEIGHT_OF_ONE = 100, WEIGHT_MAX = 10000 };

static long weight(long processes, bool v1)
{
	long w = processes * (v1 ? SHARES_OF_ONE : WEIGHT_OF_ONE), most = v1 ? SHARES_MAX : WEIGHT_MAX;
	return w < most ? w : most;
}

/* All machines and engines together: two for each processor, so that virga and its user get their part of a machine
 * whose guests are all busy. */
static void weigh_all(struct cgroups *g)
{
	char text[32];
	bool v1 = g->own[C_CPU] >= 0;
	int fd = v1 ? g->own[C_CPU] : g->unified;
	snprintf(text, sizeof(text), "%ld", weight(2 * sysconf(_SC_NPROCESSORS_ONLN), v1));
	if (fd >= 0) files_put_at(fd, v1 ? "cpu.shares" : "cpu.weight", str_c(text));
}

static void take_hierarchy(struct cgroups *g, const char *path, struct str type, struct str options)
{
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) return;
	if (str_is(type, "cgroup2") && g->unified < 0) {
		/* Each by itself: one that a v1 hierarchy holds is refused, and so would be the others with it. */
		static const char *const wanted[] = {"+cpu", "+memory", "+pids", "+io", "+cpuset"};
		for (size_t i = 0; i < 5; i++) files_put_at(root, "cgroup.subtree_control", str_c(wanted[i]));
		g->unified = make_own(root, g->prefix);
		for (size_t i = 0; i < 5 && g->unified >= 0; i++)
			files_put_at(g->unified, "cgroup.subtree_control", str_c(wanted[i]));
		g->root[C_COUNT] = root;
		return;
	}
	bool used = false;
	for (size_t c = 0; str_is(type, "cgroup") && c < C_COUNT; c++) {
		if (!has_option(options, names[c]) || g->own[c] >= 0) continue;
		g->own[c] = make_own(root, g->prefix);
		if (g->own[c] < 0) continue;
		if (c == C_CPUSET) inherit_cpuset(root, g->own[c]);
		g->root[c] = used ? dup(root) : root;
		used = true;
	}
	if (!used) close(root);
}

struct cgroups *cgroups_new(struct str prefix)
{
	struct cgroups *g = mem_new(sizeof(*g));
	snprintf(g->prefix, sizeof(g->prefix), "%.*s", STR_ARG(prefix));
	g->unified = g->root[C_COUNT] = -1;
	for (size_t c = 0; c < C_COUNT; c++) g->own[c] = g->root[c] = -1;
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[PATH_MAX];
	while (f && fgets(line, sizeof(line), f)) {
		struct str rest = str_c(line), options;
		str_cut(&rest, ' ');
		struct str path = str_cut(&rest, ' '), type = str_cut(&rest, ' ');
		options = str_cut(&rest, ' ');
		char z[PATH_MAX];
		snprintf(z, sizeof(z), "%.*s", STR_ARG(path));
		take_hierarchy(g, z, type, options);
	}
	if (f) fclose(f);
	weigh_all(g);
	if (g->unified < 0 && g->own[C_MEMORY] < 0)
		log_warn("host", "no_cgroups", "machines are not limited: no control groups are mounted");
	return g;
}

void cgroups_free(struct cgroups *g)
{
	if (!g) return;
	for (size_t c = 0; c < C_COUNT; c++) close_fd(&g->own[c]), close_fd(&g->root[c]);
	close_fd(&g->unified), close_fd(&g->root[C_COUNT]);
	free(g);
}

/* ── one group ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Of a v1 controller, else of v2; -1. */
static int group_of(struct cgroups *g, struct str id, int parent)
{
	char name[128];
	(void)g;
	if (parent < 0 || id.n == 0 || id.n >= sizeof(name)) return -1;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(id));
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(struct cgroups *g, struct str id, enum controller c, const char *v1, const char *v2, const char *text)
{
	bool old = g->own[c] >= 0;
	int fd = group_of(g, id, old ? g->own[c] : g->unified);
	const char *file = old ? v1 : v2;
	if (fd >= 0 && file && !files_put_at(fd, file, str_c(text)))
		log_debug("host", "cgroup", "file=%s value=\"%s\" why=\"%s\"", file, text, strerror(errno));
	close_fd(&fd);
}

static int64_t get_number(
	struct cgroups *g, struct str id, enum controller c, const char *v1, const char *v2, struct str key)
{
	bool old = g->own[c] >= 0;
	int fd = group_of(g, id, old ? g->own[c] : g->unified);
	int file = fd < 0 || !(old ? v1 : v2) ? -1 : openat(fd, old ? v1 : v2, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
	close_fd(&file), close_fd(&fd);
	int64_t value = 0;
	struct str rest = str_n(text, n > 0 ? (size_t)n : 0);
	if (old || str_empty(key)) return is_ok(str_to_i64(str_cut(&rest, '\n'), &value)) ? value : 0;
	while (str_has(rest)) {
		struct str line = str_cut(&rest, '\n');
		if (!str_eq(str_cut(&line, ' '), key)) continue;
		return is_ok(str_to_i64(line, &value)) ? value : 0;
	}
	return 0;
}

/* Where a machine has fewer processors than this one, it gets a set of its own, so that it also counts fewer. */
static void limit_cpus(struct cgroups *g, struct str id, const struct cgroup_limits *l)
{
	int32_t vcpus = l->vcpus, vcpu_percent = l->vcpu_percent;
	char text[64];
	long quota = (long)vcpus * PERIOD_US / 100 * (vcpu_percent ? vcpu_percent : 100);
	long there = sysconf(_SC_NPROCESSORS_ONLN);
	snprintf(text, sizeof(text), "%ld", weight(vcpus > 0 ? vcpus : there, g->own[C_CPU] >= 0));
	put(g, id, C_CPU, "cpu.shares", "cpu.weight", text);
	if (vcpus <= 0) return;
	if (g->own[C_CPU] >= 0) {
		snprintf(text, sizeof(text), "%ld", quota);
		put(g, id, C_CPU, "cpu.cfs_quota_us", NULL, text);
	} else {
		snprintf(text, sizeof(text), "%ld %d", quota, PERIOD_US);
		put(g, id, C_CPU, NULL, "cpu.max", text);
	}
	if (vcpus >= there) return;
	int first = (int)(l->first_cpu % there);
	if (first + vcpus <= there)
		snprintf(text, sizeof(text), "%d-%d", first, first + vcpus - 1);
	else
		snprintf(text, sizeof(text), "%d-%ld,0-%d", first, there - 1, (int)(first + vcpus - there - 1));
	put(g, id, C_CPUSET, "cpuset.cpus", "cpuset.cpus", text);
}

static void limit(struct cgroups *g, struct str id, const struct cgroup_limits *l)
{
	char text[64];
	limit_cpus(g, id, l);
	if (l->memory_bytes > 0) {
		snprintf(text, sizeof(text), "%lld", (long long)l->memory_bytes);
		put(g, id, C_MEMORY, "memory.limit_in_bytes", "memory.max", text);
		put(g, id, C_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max",
			g->own[C_MEMORY] >= 0 ? text : "0");
	}
	if (l->processes > 0) {
		snprintf(text, sizeof(text), "%lld", (long long)l->processes);
		put(g, id, C_PIDS, "pids.max", "pids.max", text);
	}
	/* v2 has no such file, and needs none: a user namespace makes no nodes, and /dev holds only what is allowed. */
	if (l->devices && g->own[C_DEVICES] >= 0) {
		static const char *const allowed[] = {"c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
			"c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm"};
		put(g, id, C_DEVICES, "devices.deny", NULL, "a");
		for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
			put(g, id, C_DEVICES, "devices.allow", NULL, allowed[i]);
	}
}

int cgroups_next_cpu(struct cgroups *g, int32_t vcpus)
{
	long there = sysconf(_SC_NPROCESSORS_ONLN);
	int first = g->next_cpu;
	if (vcpus > 0 && vcpus < there) g->next_cpu = (int)((first + vcpus) % there);
	return first;
}

static bool make_in(struct cgroups *g, struct str id, int parent, struct cgroup_doors *out)
{
	char name[160];
	if (parent < 0) return true;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(id));
	if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST) return false;
	if (parent == g->own[C_CPUSET]) {
		int child = group_of(g, id, parent);
		if (child >= 0) inherit_cpuset(parent, child), close(child);
	}
	snprintf(name, sizeof(name), "%.*s/cgroup.procs", STR_ARG(id));
	out->fds[out->n] = openat(parent, name, O_WRONLY | O_CLOEXEC);
	if (out->fds[out->n] < 0) return false;
	out->n++;
	return true;
}

status cgroup_make(struct cgroups *g, struct str id, const struct cgroup_limits *l, struct cgroup_doors *out)
{
	*out = (struct cgroup_doors){0};
	bool good = make_in(g, id, g->unified, out);
	for (size_t c = 0; c < C_DEVICES && good; c++) good = make_in(g, id, g->own[c], out);
	if (good && l->devices) good = make_in(g, id, g->own[C_DEVICES], out);
	out->devices = l->devices && g->own[C_DEVICES] >= 0;
	if (good) {
		limit(g, id, l);
		return OK;
	}
	log_error("host", "cgroup", "id=%.*s why=\"%s\"", STR_ARG(id), strerror(errno));
	cgroup_doors_close(out);
	return STATUS(IO);
}

void cgroup_doors_close(struct cgroup_doors *d)
{
	while (d->n > 0) close(d->fds[--d->n]);
}

bool cgroup_enter(const struct cgroup_doors *d, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (write(d->fds[i], "0", 1) != 1) return false;
	return true;
}

/* ── removing ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Kills all that is in it, whoever made it; true when it was empty. */
static bool kill_members(int dir)
{
	bool empty = true;
	char text[16384];
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
	if (fd >= 0) close(fd);
	struct str rest = str_n(text, n > 0 ? (size_t)n : 0);
	while (str_has(rest)) {
		int64_t pid;
		if (!is_ok(str_to_i64(str_cut(&rest, '\n'), &pid)) || pid <= 1) continue;
		empty = false;
		kill((pid_t)pid, SIGKILL);
	}
	return empty;
}

/* Groups that the machine made below its own. */
static void remove_below(int dir)
{
	DIR *d = fdopendir(dup(dir));
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.') continue;
		int child = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child < 0) continue;
		kill_members(child);
		remove_below(child);
		close(child);
		unlinkat(dir, e->d_name, AT_REMOVEDIR);
	}
	if (d) closedir(d);
}

static bool remove_in(struct cgroups *g, struct str id, int parent)
{
	char name[128];
	int dir = group_of(g, id, parent);
	if (dir < 0) return true;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(id));
	bool gone = unlinkat(parent, name, AT_REMOVEDIR) == 0;
	if (!gone) {
		kill_members(dir);
		remove_below(dir);
		gone = unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
	}
	close(dir);
	return gone;
}

bool cgroup_remove(struct cgroups *g, struct str id)
{
	bool gone = false;
	for (int i = 0; i < REMOVE_TRIES && !gone; i++) {
		if (i > 0) nanosleep(&(struct timespec){.tv_nsec = REMOVE_PAUSE_NS}, NULL);
		if (i == 0) cgroup_freeze(g, id, false);
		gone = remove_in(g, id, g->unified);
		for (size_t c = 0; c < C_COUNT; c++) gone &= remove_in(g, id, g->own[c]);
	}
	if (!gone) log_warn("host", "cgroup_stays", "id=%.*s why=\"%s\"", STR_ARG(id), strerror(errno));
	return gone;
}

void cgroups_each(struct cgroups *g, void (*fn)(void *ctx, struct str id), void *ctx)
{
	int parent = g->unified;
	for (size_t c = 0; c < C_COUNT && parent < 0; c++) parent = g->own[c];
	int copy = parent < 0 ? -1 : openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_type == DT_DIR && e->d_name[0] != '.') fn(ctx, str_c(e->d_name));
	if (d) closedir(d);
}

static void remove_one(void *ctx, struct str id)
{
	cgroup_remove(ctx, id);
}

void cgroups_clear(struct cgroups *g)
{
	cgroups_each(g, remove_one, g);
	for (size_t c = 0; c <= C_COUNT; c++)
		if (g->root[c] >= 0) unlinkat(g->root[c], g->prefix, AT_REMOVEDIR);
}

/* ── state ────────────────────────────────────────────────────────────────────────────────────────────────────── */

void cgroup_freeze(struct cgroups *g, struct str id, bool frozen)
{
	bool old = g->own[C_FREEZER] >= 0;
	put(g, id, C_FREEZER, "freezer.state", "cgroup.freeze",
		old      ? frozen ? "FROZEN" : "THAWED"
		: frozen ? "1"
			 : "0");
}

/* v2's "cpu.max" is "QUOTA PERIOD", or "max PERIOD"; v1's quota is -1 where there is none. */
static int64_t quota_us(struct cgroups *g, struct str id)
{
	char text[64];
	int64_t value = 0;
	bool old = g->own[C_CPU] >= 0;
	int fd = group_of(g, id, old ? g->own[C_CPU] : g->unified);
	int file = fd < 0 ? -1 : openat(fd, old ? "cpu.cfs_quota_us" : "cpu.max", O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : read(file, text, sizeof(text));
	close_fd(&file), close_fd(&fd);
	struct str rest = str_n(text, n > 0 ? (size_t)n : 0);
	rest = str_cut(&rest, '\n');
	return is_ok(str_to_i64(str_cut(&rest, ' '), &value)) && value > 0 ? value : 0;
}

void cgroup_use_read(struct cgroups *g, struct str id, struct cgroup_use *out)
{
	out->memory_bytes = get_number(g, id, C_MEMORY, "memory.usage_in_bytes", "memory.current", STR(""));
	out->processes = get_number(g, id, C_PIDS, "pids.current", "pids.current", STR(""));
	out->cpu_us = get_number(g, id, C_CPUACCT, "cpuacct.usage", "cpu.stat", STR("usage_usec"));
	if (g->own[C_CPUACCT] >= 0) out->cpu_us /= 1000;
	out->cpu_percent = quota_us(g, id) * 100 / PERIOD_US;
}

int cgroup_memory_fd(struct cgroups *g, struct str id)
{
	bool old = g->own[C_MEMORY] >= 0;
	int dir = group_of(g, id, old ? g->own[C_MEMORY] : g->unified);
	int fd = dir < 0 ? -1 : openat(dir, "memory.stat", O_RDONLY | O_CLOEXEC);
	close_fd(&dir);
	return fd;
}

void cgroup_allow_device(struct cgroups *g, struct str id, dev_t device, bool allowed)
{
	char text[64];
	snprintf(text, sizeof(text), "b %u:%u rw", major(device), minor(device));
	if (g->own[C_DEVICES] >= 0) put(g, id, C_DEVICES, allowed ? "devices.allow" : "devices.deny", NULL, text);
}

void cgroup_limit_device(struct cgroups *g, struct str id, dev_t device, int64_t iops, int64_t bytes_per_second)
{
	static const char *const files[4] = {"blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device",
		"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"};
	char text[160], ops[32] = "max", bytes[32] = "max";
	if (g->own[C_BLKIO] >= 0) {
		for (size_t i = 0; i < 4; i++) {
			snprintf(text, sizeof(text), "%u:%u %lld", major(device), minor(device),
				(long long)(i < 2 ? iops : bytes_per_second));
			put(g, id, C_BLKIO, files[i], NULL, text);
		}
		return;
	}
	if (iops > 0) snprintf(ops, sizeof(ops), "%lld", (long long)iops);
	if (bytes_per_second > 0) snprintf(bytes, sizeof(bytes), "%lld", (long long)bytes_per_second);
	snprintf(text, sizeof(text), "%u:%u riops=%s wiops=%s rbps=%s wbps=%s", major(device), minor(device), ops, ops,
		bytes, bytes);
	put(g, id, C_BLKIO, NULL, "io.max", text);
}
