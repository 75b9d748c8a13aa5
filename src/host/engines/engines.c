/* See engines.h and engine.h. RUN/engines/ID holds what an engine was started with and as which process, so that a
 * later agent goes on as this one would. */
#include "host/engines/engines.h"
#include "base/log.h"
#include "host/compute/door.h"
#include "host/compute/files.h"
#include "host/compute/launch.h"
#include "host/engines/confine.h"
#include "host/netns.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_MAX (256u << 10)
#define LOG_MAX (8u << 20)
#define RESTART_FIRST_MS 100
#define RESTART_MOST_MS 5000
#define YOUNG_MS 2000   /* it may not yet have a handler for its stop signal */
#define LASTED_MS 10000 /* who lives so long begins with the first pause again */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct engine {
	struct engines *all;
	struct arena arena; /* of the record */
	struct compute_rec_engine want;
	char id[72];
	pid_t pid;
	int pidfd;
	int64_t started, born_ms, restart_at_ms, signal_at_ms, kill_at_ms, pause_ms;
	int32_t restarts, exit_status;
	uint64_t waiting; /* the request that waits for its end; 0 */
	bool ended, once; /* once: a command of engine_run */
};
struct engines {
	struct compute *c;
	struct map map;
	char *dir;
	int64_t runs; /* numbers commands */
};

static void close_fd(int *fd)
{
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

static struct str group_name(struct arena *a, const struct engine *e)
{
	return str_fmt(a, "engine-%s", e->id);
}

static const char *record_path(struct engine *e, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", e->all->dir, e->id);
	return out;
}

static void save(struct engine *e)
{
	char path[PATH_MAX];
	struct arena a;
	arena_init(&a);
	struct compute_rec_standing s = {.id = str_c(e->id),
		.pid = SOME_I32(e->pid),
		.started = SOME_I64(e->started),
		.kind = STR("engine"),
		.born_us = SOME_I64(e->born_ms * 1000),
		.engine = compute_rec_engine_encode(&a, &e->want),
		.restarts = SOME_I32(e->restarts)};
	if (!e->once && !is_ok(files_replace(record_path(e, path), compute_rec_standing_encode(&a, &s), false)))
		log_error("host", "engine_record", "id=%s", e->id);
	arena_cleanup(&a);
}

static struct engine *engine_new(struct engines *all, struct str id, struct str record)
{
	struct engine *e = mem_new(sizeof(*e));
	*e = (struct engine){.all = all, .pidfd = -1, .pause_ms = RESTART_FIRST_MS};
	arena_init(&e->arena);
	snprintf(e->id, sizeof(e->id), "%.*s", STR_ARG(id));
	/* Decoding anew gives a copy that lives as long as the engine. */
	if (!is_ok(compute_rec_engine_decode(&e->arena, str_dup(&e->arena, record), &e->want)))
		e->want = (struct compute_rec_engine){0};
	map_set(&all->map, str_c(e->id), e);
	return e;
}

static void forget(struct engine *e)
{
	char path[PATH_MAX];
	struct arena a;
	arena_init(&a);
	if (e->pidfd >= 0) agent_unwatch(e->all->c->g, e->pidfd);
	close_fd(&e->pidfd);
	if (e->all->c->cgroups) cgroup_remove(e->all->c->cgroups, group_name(&a, e));
	unlink(record_path(e, path));
	map_remove(&e->all->map, str_c(e->id));
	arena_cleanup(&e->arena);
	arena_cleanup(&a);
	free(e);
}

/* ── the folder ───────────────────────────────────────────────────────────────────────────────────────────────── */

static uid_t chown_to; /* nftw(3) hands nothing on; the agent has one thread */

static int chown_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)type, (void)f;
	/* A hard link to a file from elsewhere would be given away with it. */
	if (S_ISREG(st->st_mode) && st->st_nlink > 1) return 0;
	return st->st_uid == chown_to ? 0 : lchown(path, chown_to, st->st_gid);
}

/* Makes it, and gives everything in it to the engine; its group stays virga's, which may write there too. */
static status prepare_folder(struct engine *e, struct arena *a, char path[static PATH_MAX], uid_t *uid, struct str *why)
{
	struct compute *c = e->all->c;
	char link[64];
	struct stat st;
	/* What lies in a sealed folder is there once that is open (seal/folders.h), and made by nobody else. */
	bool sealed = str_ends(e->want.folder, STR("/files"));
	if (!sealed && mkdirat(c->data, str_z(a, e->want.folder), 0770) != 0 && errno != EEXIST) {
		*why = STR("its folder cannot be made");
		return STATUS(IO);
	}
	int fd = data_open(c, a, e->want.folder, O_RDONLY | O_DIRECTORY);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = fd < 0 ? -1 : readlink(link, path, PATH_MAX - 1);
	bool good = n > 0 && fstat(fd, &st) == 0;
	if (good) path[n] = 0;
	*uid = e->want.uid.has ? (uid_t)e->want.uid.v : good ? st.st_uid : 0;
	if (good && !e->want.uid.has && *uid < SLOT_FIRST_ID) {
		/* Its user id is remembered by its folder. */
		int slot = slot_take(str_fmt(a, "%s", path));
		*uid = slot < 0 ? 0 : SLOT_FIRST_ID + (uid_t)slot * MACHINE_IDS;
	}
	good = good && *uid > 0 && fchmod(fd, 0770) == 0;
	chown_to = *uid;
	good = good && nftw(path, chown_entry, 16, FTW_PHYS | FTW_MOUNT) == 0;
	if (fd >= 0) close(fd);
	if (good) return OK;
	*why = STR("its folder cannot be given to it");
	return STATUS(IO);
}

/* The engine appends to it; so it can be cut under it. */
static void trim_log(const char *folder)
{
	char path[PATH_MAX + 8], old[PATH_MAX + 16];
	struct stat st;
	snprintf(path, sizeof(path), "%s/log", folder), snprintf(old, sizeof(old), "%s/log.1", folder);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size > LOG_MAX) {
		unlink(old);
		int to = open(old, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (to >= 0 && is_ok(files_copy_sparse(fd, to)) && ftruncate(fd, 0) != 0)
			log_warn("host", "engine_log", "path=%s", path);
		close_fd(&to);
	}
	close_fd(&fd);
}

/* ── running ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *const *list_of(struct arena *a, const struct compute_rec_strings *l, size_t more)
{
	const char **v = arena_new_n(a, const char *, l->n + more + 1);
	for (size_t i = 0; i < l->n; i++) v[i] = str_z(a, l->v[i]);
	return v;
}

static const char *install_hint(struct arena *a, const char *program)
{
	static const struct {
		const char *part, *name;
	} known[] = {{"postgresql", "postgresql"}, {"mariadb", "mariadb"}, {"mysql", "mariadb"}, {"redis", "redis"},
		{"haproxy", "haproxy"}, {"knot", "knot"}, {"memcached", "memcached"}, {"pgbouncer", "pgbouncer"}};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(program, known[i].part))
			return str_fmt(a, "%s is not installed: `virga engines install %s` does that", known[i].name,
				known[i].name)
				.p;
	return str_fmt(a, "%s is not there", program).p;
}

/* A file in the folder that the engine appends to, its own; -1. */
static int open_log(const char *folder, struct str name, uid_t uid, mode_t mode)
{
	char path[PATH_MAX + 72];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%.*s", folder, STR_ARG(name));
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	/* Who may have made a link of it is not given another's file. */
	bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
		    fchown(fd, uid, (gid_t)-1) == 0 && fchmod(fd, mode) == 0;
	if (!good) close_fd(&fd);
	return fd;
}

static void on_end(void *ctx);

static status run(struct engine *e, struct arena *a, const int fds[3], struct str *why)
{
	struct compute *c = e->all->c;
	char folder[PATH_MAX], shared[PATH_MAX] = "";
	const char *step = "";
	uid_t uid = 0;
	compute_ready(c);
	mkdir(e->all->dir, 0700);
	TRY(prepare_folder(e, a, folder, &uid, why));
	const char *const *argv = list_of(a, &e->want.argv, 0);
	if (access(argv[0], X_OK) != 0) {
		*why = str_c(install_hint(a, argv[0]));
		return STATUS(INVALID);
	}
	size_t n = e->want.environment.n;
	const char **environment = (const char **)(uintptr_t)list_of(a, &e->want.environment, 3);
	environment[n++] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", environment[n++] = "HOME=/srv/engine",
	environment[n++] = "LC_ALL=C.UTF-8";
	if (str_has(e->want.shared)) {
		int fd = data_open(c, a, e->want.shared, O_RDONLY | O_DIRECTORY);
		char link[64];
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t got = fd < 0 ? -1 : readlink(link, shared, sizeof(shared) - 1);
		shared[got > 0 ? got : 0] = 0;
		close_fd(&fd);
	}
	struct confine k = {.folder = folder,
		.shared = *shared ? shared : NULL,
		.stage = c->stage,
		.network = -1,
		.uid = uid,
		.transparent = e->want.transparent.v,
		.argv = argv,
		.environment = environment};
	if (str_has(e->want.place)) {
		k.network = netns_open(netns_name(a, agent_prefix(c->g), e->want.place));
		if (k.network < 0) {
			*why = STR("its place does not stand");
			return STATUS(NOT_FOUND);
		}
	}
	struct cgroup_limits l = {.memory_bytes = e->want.memory_bytes.v,
		.vcpus = e->want.vcpus.v,
		.first_cpu = cgroups_next_cpu(c->cgroups, e->want.vcpus.v),
		.processes = 8192};
	status s = cgroup_make(c->cgroups, group_name(a, e), &l, &k.doors);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = -1, output = -1;
	bool apart = str_has(e->want.output) && e->want.output.n < 64 && str_chr(e->want.output, '/') < 0;
	if (is_ok(s) && !fds) {
		trim_log(folder);
		log = open_log(folder, STR("log"), uid, 0644);
		if (apart) output = open_log(folder, e->want.output, uid, 0660);
		if (log < 0 || (apart && output < 0)) s = STATUS(IO), *why = STR("its log cannot be opened");
	}
	k.fds[0] = fds ? fds[0] : null, k.fds[1] = fds ? fds[1] : apart ? output : log, k.fds[2] = fds ? fds[2] : log;
	if (is_ok(s)) {
		s = confine_start(&k, &e->pid, &step);
		if (!is_ok(s)) *why = str_fmt(a, "the kernel did not %s: %s", step, strerror(errno));
	}
	close_fd(&k.network), close_fd(&null), close_fd(&log), close_fd(&output);
	cgroup_doors_close(&k.doors);
	if (is_ok(s)) e->pidfd = (int)syscall(SYS_pidfd_open, e->pid, 0);
	if (is_ok(s) && e->pidfd < 0) s = STATUS(IO);
	if (!is_ok(s)) {
		log_warn("host", "engine", "id=%s why=\"%.*s\"", e->id, STR_ARG(*why));
		return s;
	}
	e->started = process_started(e->pid), e->born_ms = compute_now_ms(), e->ended = false;
	agent_watch(c->g, e->pidfd, on_end, e);
	save(e);
	return OK;
}

static void answer_waiting(struct engine *e)
{
	char code = (char)(WIFEXITED(e->exit_status) ? WEXITSTATUS(e->exit_status) : 128 + WTERMSIG(e->exit_status));
	if (e->waiting)
		agent_answer(e->all->c->g, e->waiting, OK, STR_NONE, e->once ? str_n(&code, 1) : STR_NONE, NULL, 0);
}

static bool restarts(const struct engine *e)
{
	if (str_is(str_or(e->want.restart, STR("")), "always")) return true;
	return str_is(str_or(e->want.restart, STR("")), "on-failure") && e->exit_status != 0;
}

static void ended(struct engine *e)
{
	close_fd(&e->pidfd);
	e->pid = 0, e->ended = true, e->kill_at_ms = e->signal_at_ms = 0;
	if (e->waiting || e->once) {
		answer_waiting(e);
		forget(e);
		return;
	}
	log_info("host", "engine_ended", "id=%s status=%d", e->id, e->exit_status);
	if (compute_now_ms() - e->born_ms > LASTED_MS) e->pause_ms = RESTART_FIRST_MS;
	if (restarts(e)) {
		e->restart_at_ms = compute_now_ms() + e->pause_ms;
		e->pause_ms = e->pause_ms * 2 < RESTART_MOST_MS ? e->pause_ms * 2 : RESTART_MOST_MS;
		compute_wake(e->all->c);
	}
	save(e);
}

static void on_end(void *ctx)
{
	struct engine *e = ctx;
	siginfo_t info = {0};
	bool known = waitid(P_PIDFD, (id_t)e->pidfd, &info, WEXITED | WNOHANG | __WALL) == 0 && info.si_pid != 0;
	e->exit_status = !known ? SIGKILL : info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status & 0x7f;
	agent_unwatch(e->all->c->g, e->pidfd);
	ended(e);
}

static int stop_signal(const struct engine *e)
{
	bool good = e->want.stop_signal.has && e->want.stop_signal.v > 0 && e->want.stop_signal.v < NSIG;
	return good ? e->want.stop_signal.v : SIGTERM;
}

int64_t engines_on_time(struct engines *all, int64_t now)
{
	int64_t next = 0;
	for (struct map_entry *i = NULL; (i = map_next(&all->map, i));) {
		struct engine *e = i->value;
		if (e->restart_at_ms && e->restart_at_ms <= now && e->pidfd < 0) {
			struct arena a;
			struct str why = STR_NONE;
			arena_init(&a);
			e->restart_at_ms = 0, e->restarts++;
			if (!is_ok(run(e, &a, NULL, &why))) e->restart_at_ms = now + RESTART_MOST_MS;
			arena_cleanup(&a);
		}
		if (e->signal_at_ms && e->signal_at_ms <= now && e->pidfd >= 0) {
			syscall(SYS_pidfd_send_signal, e->pidfd, stop_signal(e), NULL, 0);
			e->signal_at_ms = 0;
		}
		if (e->kill_at_ms && e->kill_at_ms <= now && e->pidfd >= 0) {
			syscall(SYS_pidfd_send_signal, e->pidfd, SIGKILL, NULL, 0);
			e->kill_at_ms = now + 1000;
		}
		if (e->restart_at_ms && (!next || e->restart_at_ms < next)) next = e->restart_at_ms;
		if (e->signal_at_ms && (!next || e->signal_at_ms < next)) next = e->signal_at_ms;
		if (e->kill_at_ms && (!next || e->kill_at_ms < next)) next = e->kill_at_ms;
	}
	return next;
}

/* ── finding again ────────────────────────────────────────────────────────────────────────────────────────────── */

static void adopt(struct engines *all, struct arena *a, struct str bytes)
{
	struct compute_rec_standing s = {0};
	if (!is_ok(compute_rec_standing_decode(a, bytes, &s)) || !str_has(s.id) || !str_has(s.engine)) return;
	struct engine *e = engine_new(all, s.id, s.engine);
	e->pid = s.pid.v, e->started = s.started.v, e->restarts = s.restarts.v, e->born_ms = s.born_us.v / 1000;
	e->pidfd = e->pid > 1 ? (int)syscall(SYS_pidfd_open, e->pid, 0) : -1;
	if (e->pidfd >= 0 && process_started(e->pid) != e->started) close_fd(&e->pidfd);
	if (e->pidfd >= 0) {
		agent_watch(all->c->g, e->pidfd, on_end, e);
		return;
	}
	/* It ended while nobody looked; how, nobody knows. */
	e->exit_status = SIGKILL;
	ended(e);
}

struct engines *engines_new(struct compute *c)
{
	struct engines *all = mem_new(sizeof(*all));
	size_t n = strlen(agent_folder(c->g)) + sizeof("engines/");
	all->c = c;
	all->dir = mem_new(n);
	snprintf(all->dir, n, "%sengines/", agent_folder(c->g));
	map_init(&all->map);
	DIR *d = opendir(all->dir);
	char *room = mem_new(RECORD_MAX);
	for (struct dirent *i; d && (i = readdir(d));) {
		char path[PATH_MAX];
		struct arena a;
		size_t got = 0;
		if (i->d_name[0] == '.') continue;
		snprintf(path, sizeof(path), "%s%s", all->dir, i->d_name);
		arena_init(&a);
		if (is_ok(files_slurp(path, room, RECORD_MAX, &got))) adopt(all, &a, str_n(room, got));
		arena_cleanup(&a);
	}
	if (d) closedir(d);
	free(room);
	return all;
}

bool engines_any(const struct engines *all)
{
	return all->map.count > 0;
}

void engines_free(struct engines *all)
{
	if (!all) return;
	for (struct map_entry *i = NULL; (i = map_next(&all->map, i));) {
		struct engine *e = i->value;
		close_fd(&e->pidfd);
		arena_cleanup(&e->arena);
		free(e);
	}
	map_cleanup(&all->map, NULL);
	free(all->dir);
	free(all);
}

void engines_clear(struct engines *all)
{
	for (struct map_entry *i; (i = map_next(&all->map, NULL));) {
		struct engine *e = i->value;
		siginfo_t info;
		if (e->pidfd >= 0) {
			struct pollfd p = {e->pidfd, POLLIN, 0};
			syscall(SYS_pidfd_send_signal, e->pidfd, SIGKILL, NULL, 0);
			poll(&p, 1, 10000);
			waitid(P_PIDFD, (id_t)e->pidfd, &info, WEXITED | WNOHANG | __WALL);
		}
		if (e->waiting) agent_answer(all->c->g, e->waiting, STATUS(NOT_FOUND), STR_NONE, STR_NONE, NULL, 0);
		forget(e);
	}
	rmdir(all->dir);
}

/* ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool id_valid(struct str id)
{
	if (!str_has(id) || id.n == 0 || id.n > 60) return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

static void answer(struct agent *g, struct agent_request *r, status s, struct str why)
{
	agent_answer(g, r->id, s, why, STR_NONE, NULL, 0);
}

static bool read_engine(struct agent *g, struct agent_request *r, struct compute_rec_engine *out)
{
	bool good = is_ok(compute_rec_engine_decode(r->arena, r->body, out)) && id_valid(out->id) && out->argv.n > 0 &&
		    str_has(out->folder) && str_starts(out->argv.v[0], STR("/"));
	/* A user of the host's own would own more than its folder. */
	good = good && (!out->uid.has || (uid_t)out->uid.v >= SLOT_FIRST_ID);
	if (!good) answer(g, r, STATUS(INVALID), STR("the record cannot be read"));
	return good;
}

static void on_start(struct agent *g, struct agent_request *r)
{
	struct engines *all = agent_compute(g)->engines;
	struct compute_rec_engine want = {0};
	struct str why = STR_NONE;
	if (!read_engine(g, r, &want)) return;
	struct engine *e = map_get(&all->map, want.id);
	if (e && e->waiting) {
		answer(g, r, STATUS(BUSY), STR("it is being stopped"));
		return;
	}
	if (e && (e->pidfd >= 0 || e->restart_at_ms)) {
		answer(g, r, OK, STR_NONE);
		return;
	}
	if (e) forget(e);
	e = engine_new(all, want.id, r->body);
	status s = run(e, r->arena, NULL, &why);
	answer(g, r, s, why);
	if (!is_ok(s)) forget(e);
}

static void on_run(struct agent *g, struct agent_request *r)
{
	struct engines *all = agent_compute(g)->engines;
	struct compute_rec_engine want = {0};
	struct str why = STR_NONE;
	if (!read_engine(g, r, &want)) return;
	if (r->n_fds != 3) {
		answer(g, r, STATUS(INVALID), STR("it needs three descriptors"));
		return;
	}
	struct engine *e =
		engine_new(all, str_fmt(r->arena, "%.*s-%lld", STR_ARG(want.id), (long long)++all->runs), r->body);
	e->once = true;
	status s = run(e, r->arena, r->fds, &why);
	if (is_ok(s)) {
		e->waiting = r->id;
		return;
	}
	answer(g, r, s, why);
	forget(e);
}

static void on_stop(struct agent *g, struct agent_request *r)
{
	struct engines *all = agent_compute(g)->engines;
	struct compute_rec_machine_id q = {0};
	status s = compute_rec_machine_id_decode(r->arena, r->body, &q);
	struct engine *e = is_ok(s) && str_has(q.id) ? map_get(&all->map, q.id) : NULL;
	if (!is_ok(s) || !e) {
		answer(g, r, is_ok(s) ? OK : STATUS(INVALID), STR_NONE);
		return;
	}
	if (e->waiting) {
		answer(g, r, STATUS(BUSY), STR("it is being stopped"));
		return;
	}
	e->restart_at_ms = 0;
	if (e->pidfd < 0) {
		forget(e);
		answer(g, r, OK, STR_NONE);
		return;
	}
	e->waiting = r->id;
	syscall(SYS_pidfd_send_signal, e->pidfd, stop_signal(e), NULL, 0);
	/* The first process of a pid namespace does not hear what it has no handler for: one that has just begun is
	 * told again. */
	if (compute_now_ms() - e->born_ms < YOUNG_MS) e->signal_at_ms = compute_now_ms() + YOUNG_MS / 2;
	e->kill_at_ms = compute_now_ms() + (e->want.grace_ms.has ? e->want.grace_ms.v : 10000);
	compute_wake(all->c);
}

static void on_signal(struct agent *g, struct agent_request *r)
{
	struct engines *all = agent_compute(g)->engines;
	struct compute_rec_engine_signal q = {0};
	status s = compute_rec_engine_signal_decode(r->arena, r->body, &q);
	struct engine *e = is_ok(s) && str_has(q.id) ? map_get(&all->map, q.id) : NULL;
	if (!is_ok(s) || q.signal.v <= 0 || q.signal.v >= NSIG) {
		answer(g, r, STATUS(INVALID), STR_NONE);
		return;
	}
	if (!e || e->pidfd < 0) {
		answer(g, r, STATUS(NOT_FOUND), STR("no such engine runs"));
		return;
	}
	/* A new configuration that virga has written belongs to it from now on. */
	char folder[PATH_MAX];
	uid_t uid;
	struct str why = STR_NONE;
	s = prepare_folder(e, r->arena, folder, &uid, &why);
	if (is_ok(s) && syscall(SYS_pidfd_send_signal, e->pidfd, q.signal.v, NULL, 0) != 0) s = STATUS(IO);
	answer(g, r, s, why);
}

static void on_list(struct agent *g, struct agent_request *r)
{
	struct compute *c = agent_compute(g);
	struct engines *all = c->engines;
	struct compute_rec_engine_statuses out = {
		.engines.v = arena_new_n(r->arena, struct compute_rec_engine_status, all->map.count + 1)};
	for (struct map_entry *i = NULL; (i = map_next(&all->map, i));) {
		struct engine *e = i->value;
		struct cgroup_use use = {0};
		if (e->once) continue;
		struct compute_rec_engine_status *s = &out.engines.v[out.engines.n++];
		*s = (struct compute_rec_engine_status){.id = str_c(e->id), .restarts = SOME_I32(e->restarts)};
		s->state = e->pidfd >= 0 ? STR("running") : e->restart_at_ms ? STR("restarting") : STR("ended");
		if (e->ended) s->exit_status = SOME_I32(e->exit_status);
		if (e->pidfd < 0) continue;
		cgroup_use_read(c->cgroups, group_name(r->arena, e), &use);
		s->pid = SOME_I32(e->pid), s->memory_bytes = SOME_I64(use.memory_bytes),
		s->cpu_us = SOME_I64(use.cpu_us);
		s->up_ms = SOME_I64(compute_now_ms() - e->born_ms);
		int fd = data_open(c, r->arena, e->want.folder, O_RDONLY | O_DIRECTORY);
		trim_log(str_fmt(r->arena, "/proc/self/fd/%d", fd).p);
		close_fd(&fd);
	}
	agent_answer(g, r->id, OK, STR_NONE, compute_rec_engine_statuses_encode(r->arena, &out), NULL, 0);
}

agent_handler engine_handler(enum host_op op)
{
	static const agent_handler handlers[HOST_OP_COUNT] = {
		[HOST_OP_ENGINE_START] = on_start,
		[HOST_OP_ENGINE_STOP] = on_stop,
		[HOST_OP_ENGINE_SIGNAL] = on_signal,
		[HOST_OP_ENGINE_LIST] = on_list,
		[HOST_OP_ENGINE_RUN] = on_run,
	};
	return op < HOST_OP_COUNT ? handlers[op] : NULL;
}
