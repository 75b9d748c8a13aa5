/* What stands: the table of machines, its records on disk, and how they begin and end in it. */
#include "base/log.h"
#include "host/compute/compute.h"
#include "host/compute/door.h"
#include "host/compute/files.h"
#include "host/compute/loop.h"
#include "host/compute/mounts.h"
#include "host/compute/spawn.h"
#include "host/compute/staging.h"
#include "host/engines/engines.h"
#include "host/internal.h"
#include "host/netns.h"
#include "host/seal/folders.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENDED_KEPT = 128 };

#define STANDING_MAX (64u << 10)
#define SEALERS_END_MS 10000
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int64_t compute_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* A number of /proc/PID/stat (proc(5)): the name, in parentheses, may hold anything; the 3rd field follows it. -1. */
static int64_t process_number(pid_t pid, int field)
{
	char path[64], text[1024];
	size_t n = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!is_ok(files_slurp(path, text, sizeof(text), &n))) return -1;
	ptrdiff_t close = str_rchr(str_n(text, n), ')');
	struct str rest = close < 0 ? STR("") : str_from(str_n(text, n), (size_t)close + 2);
	int64_t v = -1;
	for (int i = 3; i < field && str_has(rest); i++) str_cut(&rest, ' ');
	return str_has(rest) && is_ok(str_to_i64(str_cut(&rest, ' '), &v)) ? v : -1;
}

int64_t process_started(pid_t pid)
{
	return process_number(pid, 22);
}

/* It is on its way out: it has given up its descriptors (an agent's lock too), but its mounts may take a while. */
static bool process_exits(pid_t pid)
{
	int64_t flags = process_number(pid, 9);
	return flags >= 0 && flags & 4; /* PF_EXITING, linux/sched.h */
}

int data_open(struct compute *c, struct arena *a, struct str path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? 0600 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	if (!str_has(path) || path.n == 0) {
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_openat2, c->data, str_z(a, path), &how, sizeof(how));
}

/* ── the table ────────────────────────────────────────────────────────────────────────────────────────────────── */

struct machine *compute_find(struct compute *c, struct str id)
{
	return map_get(&c->machines, id);
}

/* What has ended is told of for a while. */
static void forget_oldest(struct compute *c)
{
	struct machine *oldest = NULL;
	size_t n = 0;
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		if (!m->ended) continue;
		n++;
		if (!oldest || m->ended < oldest->ended) oldest = m;
	}
	if (n >= ENDED_KEPT) machine_forget(oldest);
}

struct machine *machine_new(struct compute *c, struct str id)
{
	forget_oldest(c);
	struct machine *m = mem_new(sizeof(*m));
	*m = (struct machine){
		.c = c, .pidfd = -1, .control = -1, .console = -1, .notify = -1, .slot = -1, .grace_ms = 10000};
	snprintf(m->id, sizeof(m->id), "%.*s", STR_ARG(id));
	map_set(&c->machines, str_c(m->id), m);
	return m;
}

static void close_fd(int *fd)
{
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

void machine_forget(struct machine *m)
{
	close_fd(&m->pidfd), close_fd(&m->control), close_fd(&m->console), close_fd(&m->notify);
	map_remove(&m->c->machines, str_c(m->id));
	free(m);
}

static const char *record_path(struct machine *m, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", m->c->machines_dir, m->id);
	return out;
}

void machine_save(struct machine *m)
{
	char path[PATH_MAX];
	struct arena a;
	arena_init(&a);
	struct compute_rec_volumes volumes = {
		arena_new_n(&a, struct compute_rec_volume, m->n_volumes + 1), m->n_volumes};
	for (size_t i = 0; i < m->n_volumes; i++)
		volumes.v[i] = (struct compute_rec_volume){.id = str_c(m->volumes[i].id),
			.file = str_c(m->volumes[i].file),
			.device = str_c(m->volumes[i].name),
			.sealer = SOME_I32(m->volumes[i].sealer.pid),
			.sealer_started = SOME_I64(m->volumes[i].sealer.started)};
	struct compute_rec_standing s = {.id = str_c(m->id),
		.pid = SOME_I32(m->pid),
		.started = SOME_I64(m->started),
		.slot = SOME_I32(m->slot),
		.console = str_c(m->console_path),
		.root = str_c(m->root),
		.root_sealer = SOME_I32(m->root_sealer.pid),
		.root_sealer_started = SOME_I64(m->root_sealer.started),
		.image = str_c(m->image),
		.volumes = volumes,
		.born_us = SOME_I64(m->born_us),
		.grace_ms = SOME_I64(m->grace_ms)};
	if (!is_ok(files_replace(record_path(m, path), compute_rec_standing_encode(&a, &s), false)))
		log_error("host", "machine_record", "id=%s", m->id);
	arena_cleanup(&a);
}

struct console_head machine_console(const struct machine *m)
{
	struct console_head h = {0};
	if (m->console < 0 || pread(m->console, &h, sizeof(h), 0) != sizeof(h) || h.magic != CONSOLE_MAGIC)
		h = (struct console_head){.user_data = -2};
	return h;
}

/* ── what it says ─────────────────────────────────────────────────────────────────────────────────────────────── */

void machine_send(struct machine *m, const struct control_head *h, struct str payload, const int *fds, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
		struct cmsghdr head;
	} ancillary = {0};
	struct control_head head = *h;
	struct iovec v[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)payload.p, payload.n}};
	struct msghdr msg = {.msg_iov = v, .msg_iovlen = payload.n ? 2 : 1};
	head.length = (uint32_t)payload.n;
	INVARIANT(n_fds <= 4 && payload.n <= CONTROL_PAYLOAD_MAX);
	if (n_fds) {
		ancillary.head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int) * n_fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&ancillary.head), fds, sizeof(int) * n_fds);
		msg.msg_control = ancillary.bytes, msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
	}
	/* Does not wait: an init that does not read is one that does not answer. */
	if (m->control >= 0 && sendmsg(m->control, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn("host", "machine_deaf", "id=%s why=\"%s\"", m->id, strerror(errno));
}

static void on_control(void *ctx)
{
	struct machine *m = ctx;
	char room[256];
	ssize_t n = recv(m->control, room, sizeof(room), MSG_DONTWAIT);
	struct control_head h;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n < (ssize_t)sizeof(h)) {
		/* Its end comes by the pidfd; a message that is none is nothing. */
		if (n <= 0) agent_unwatch(m->c->g, m->control);
		return;
	}
	memcpy(&h, room, sizeof(h));
	if (h.kind == CONTROL_READY) m->state = MACHINE_RUNNING, m->kill_at_ms = 0;
	/* Adopted before it was init: the filter's descriptor was not in its place yet. */
	if (h.kind == CONTROL_READY && m->notify < 0) mounts_watch(m);
	if (h.kind == CONTROL_STOPPING && m->kill_at_ms == 0) m->state = MACHINE_STOPPING;
	if (h.kind == CONTROL_DROPPED) volume_dropped(m, h.value);
}

static void on_end(void *ctx)
{
	struct machine *m = ctx;
	siginfo_t info = {0};
	/* ECHILD: it was started by an agent that is no more. */
	bool known = waitid(P_PIDFD, (id_t)m->pidfd, &info, WEXITED | WNOHANG | __WALL) == 0 && info.si_pid != 0;
	int how = !known ? 0 : info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status & 0x7f;
	machine_end(m, how, known);
}

void machine_watch(struct machine *m)
{
	agent_watch(m->c->g, m->pidfd, on_end, m);
	if (m->control >= 0) agent_watch(m->c->g, m->control, on_control, m);
	mounts_watch(m);
}

/* ── its end ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void give_back(struct machine *m)
{
	char path[PATH_MAX];
	struct arena a;
	arena_init(&a);
	cgroup_remove(m->c->cgroups, str_c(m->id));
	netns_remove(netns_name(&a, agent_prefix(m->c->g), str_c(m->id)));
	if (m->slot >= 0) slot_release(m->slot);
	m->slot = -1;
	unlink(record_path(m, path));
	arena_cleanup(&a);
}

void machine_undo(struct machine *m)
{
	give_back(m);
	machine_forget(m);
}

void machine_end(struct machine *m, int exit_status, bool known)
{
	static const char *const whys[] = {[CONSOLE_RUNS] = "killed",
		[CONSOLE_STOPPED] = "stop",
		[CONSOLE_POWEROFF] = "poweroff",
		[CONSOLE_FAILED] = "failed"};
	struct console_head h = machine_console(m);
	m->why = h.why >= CONSOLE_RUNS && h.why <= CONSOLE_FAILED ? whys[h.why] : "killed";
	if (m->state == MACHINE_STOPPING && h.why == CONSOLE_RUNS && m->kill_at_ms) m->why = "stop";
	m->user_data = h.user_data;
	if (m->pidfd >= 0) agent_unwatch(m->c->g, m->pidfd);
	if (m->control >= 0) agent_unwatch(m->c->g, m->control);
	mounts_unwatch(m);
	close_fd(&m->pidfd), close_fd(&m->control), close_fd(&m->console), close_fd(&m->notify);
	m->state = MACHINE_ENDED, m->kill_at_ms = 0, m->ended = ++m->c->ends;
	for (size_t i = 0; i < m->n_volumes; i++)
		if (m->volumes[i].detaching)
			agent_answer(m->c->g, m->volumes[i].detaching, OK, STR_NONE, STR_NONE, NULL, 0);
	m->n_volumes = 0;
	give_back(m);
	log_info("host", "machine_ended", "id=%s why=%s", m->id, m->why);
	struct arena a;
	arena_init(&a);
	struct host_rec_machine_ended e = {.id = str_c(m->id), .why = str_c(m->why)};
	if (known) e.exit_status = SOME_I32(exit_status);
	agent_event(m->c->g, HOST_OP_MACHINE_ENDED, host_rec_machine_ended_encode(&a, &e));
	arena_cleanup(&a);
}

static void on_timer(void *ctx)
{
	struct compute *c = ctx;
	uint64_t times;
	int64_t now = compute_now_ms();
	if (read(c->timer, &times, sizeof(times)) < 0) return;
	int64_t next = engines_on_time(c->engines, now);
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		if (!m->kill_at_ms || m->pidfd < 0) continue;
		if (m->kill_at_ms <= now)
			syscall(SYS_pidfd_send_signal, m->pidfd, SIGKILL, NULL, 0), m->kill_at_ms = now + 1000;
		if (!next || m->kill_at_ms < next) next = m->kill_at_ms;
	}
	if (!next) return;
	int64_t left = next - now > 0 ? next - now : 1;
	struct itimerspec t = {.it_value = {left / 1000, left % 1000 * 1000000}};
	timerfd_settime(c->timer, 0, &t, NULL);
}

/* At once; then it finds out by itself when to wake next. */
void compute_wake(struct compute *c)
{
	struct itimerspec t = {.it_value = {0, 1}};
	timerfd_settime(c->timer, 0, &t, NULL);
}

void machine_kill_later(struct machine *m, int64_t ms)
{
	m->kill_at_ms = compute_now_ms() + (ms > 0 ? ms : 1);
	compute_wake(m->c);
}

/* ── finding again ────────────────────────────────────────────────────────────────────────────────────────────── */

static int open_pidfd(pid_t pid, int64_t started)
{
	int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	/* Looked at after it was opened: from now on the descriptor cannot become another process. */
	if (fd >= 0 && process_started(pid) != started) close_fd(&fd);
	return fd;
}

/* What init keeps for us; it could be anything, if root inside had become init. */
static int take_control(int pidfd)
{
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, INIT_FD_AGENT, 0), type = 0, domain = 0;
	socklen_t n = sizeof(type);
	if (fd < 0) return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	bool good = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET;
	n = sizeof(domain);
	good = good && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_UNIX;
	if (!good) close_fd(&fd);
	return fd;
}

static void adopt_volumes(struct machine *m, struct arena *a, const struct compute_rec_volumes *v)
{
	for (size_t i = 0; i < v->n && m->n_volumes < VOLUMES_MAX; i++) {
		struct attached *at = &m->volumes[m->n_volumes];
		at->sealer = (struct sealer){v->v[i].sealer.v, v->v[i].sealer_started.v};
		if (!is_ok(device_find(m->c, a, v->v[i].file, &at->sealer, &at->device, at->loop))) continue;
		snprintf(at->id, sizeof(at->id), "%.*s", STR_ARG(v->v[i].id));
		snprintf(at->file, sizeof(at->file), "%.*s", STR_ARG(v->v[i].file));
		snprintf(at->name, sizeof(at->name), "%.*s", STR_ARG(v->v[i].device));
		m->n_volumes++;
	}
}

static void adopt_root(struct machine *m, struct arena *a)
{
	if (!is_ok(device_find(m->c, a, str_c(m->root), &m->root_sealer, &m->root_device, m->root_loop)))
		log_warn("host", "no_root_volume", "id=%s", m->id);
}

static void adopt(struct compute *c, struct arena *a, const char *name, struct str bytes)
{
	struct compute_rec_standing s = {0};
	if (!is_ok(compute_rec_standing_decode(a, bytes, &s)) || !str_eq(str_or(s.id, STR("")), str_c(name)) ||
		str_has(s.kind))
		return;
	struct machine *m = machine_new(c, s.id);
	m->pid = s.pid.v, m->started = s.started.v, m->slot = s.slot.has ? s.slot.v : -1;
	m->born_us = s.born_us.v, m->grace_ms = s.grace_ms.has ? s.grace_ms.v : m->grace_ms;
	snprintf(m->root, sizeof(m->root), "%.*s", STR_ARG(s.root));
	snprintf(m->console_path, sizeof(m->console_path), "%.*s", STR_ARG(s.console));
	snprintf(m->image, sizeof(m->image), "%.*s", STR_ARG(s.image));
	m->console = data_open(c, a, s.console, O_RDONLY);
	m->pidfd = open_pidfd(m->pid, m->started);
	if (m->pidfd < 0) {
		machine_end(m, 0, false);
		return;
	}
	m->control = take_control(m->pidfd);
	m->state = machine_console(m).ready ? MACHINE_RUNNING : MACHINE_BOOTING;
	if (process_exits(m->pid)) m->state = MACHINE_STOPPING;
	m->root_sealer = (struct sealer){s.root_sealer.v, s.root_sealer_started.v};
	adopt_root(m, a);
	adopt_volumes(m, a, &s.volumes);
	machine_watch(m);
	log_info("host", "machine_adopted", "id=%s pid=%d", m->id, m->pid);
}

static void adopt_all(struct compute *c)
{
	DIR *d = opendir(c->machines_dir);
	char *room = mem_new(STANDING_MAX);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[PATH_MAX];
		size_t n = 0;
		struct arena a;
		if (e->d_name[0] == '.') continue;
		snprintf(path, sizeof(path), "%s%s", c->machines_dir, e->d_name);
		arena_init(&a);
		if (str_ends(str_c(e->d_name), STR(".new")))
			unlink(path);
		else if (is_ok(files_slurp(path, room, STANDING_MAX, &n)))
			adopt(c, &a, e->d_name, str_n(room, n));
		arena_cleanup(&a);
	}
	if (d) closedir(d);
	free(room);
}

/* A group without a record: an agent died between making the one and writing the other. */
static void sweep_group(void *ctx, struct str id)
{
	struct compute *c = ctx;
	if (compute_find(c, id) || str_starts(id, STR("engine-"))) return;
	log_warn("host", "stray_group", "id=%.*s", STR_ARG(id));
	cgroup_remove(c->cgroups, id);
}

static char *path_of(const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 1;
	char *p = mem_new(n);
	snprintf(p, n, "%s%s", dir, name);
	return p;
}

void compute_ready(struct compute *c)
{
	if (c->cgroups) return;
	c->cgroups = cgroups_new(agent_prefix(c->g));
	mkdir(c->machines_dir, 0700), mkdir(c->stage, 0700);
}

struct compute *compute_new(struct agent *g)
{
	struct compute *c = mem_new(sizeof(*c));
	char data[PATH_MAX];
	snprintf(data, sizeof(data), "%.*s", STR_ARG(agent_data(g)));
	c->g = g;
	c->program = c->empty_network = c->builder_fd = -1;
	map_init(&c->machines);
	c->data = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->machines_dir = path_of(agent_folder(g), "machines/");
	c->stage = path_of(agent_folder(g), "stage");
	c->images = path_of(data, "host/");
	c->templates = path_of(data, "host/templates/");
	c->sealers = path_of(agent_folder(g), "sealers");
	/* Who never starts anything leaves nothing. */
	if (access(c->machines_dir, F_OK) == 0) compute_ready(c);
	c->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	agent_watch(g, c->timer, on_timer, c);
	adopt_all(c);
	c->engines = engines_new(c);
	if (c->cgroups) cgroups_each(c->cgroups, sweep_group, c);
	return c;
}

/* With the last machine its folders and groups go; rmdir(2) refuses where there is something. */
static void tidy(struct compute *c)
{
	bool used = engines_any(c->engines);
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));)
		used |= ((struct machine *)e->value)->state != MACHINE_ENDED;
	if (used || !c->cgroups) return;
	cgroups_clear(c->cgroups);
	rmdir(c->machines_dir), rmdir(c->stage);
}

/* Which forgets the machine: from the beginning again, until there is none. */
static void abort_stagings(struct compute *c)
{
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		if (!m->staging) continue;
		staging_abort(m);
		e = NULL;
	}
}

void compute_free(struct compute *c)
{
	if (!c) return;
	abort_stagings(c);
	tidy(c);
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		close_fd(&m->pidfd), close_fd(&m->control), close_fd(&m->console), close_fd(&m->notify);
		free(m);
		e->value = NULL;
	}
	map_cleanup(&c->machines, NULL);
	engines_free(c->engines);
	close_fd(&c->data), close_fd(&c->program), close_fd(&c->empty_network), close_fd(&c->timer),
		close_fd(&c->builder_fd);
	cgroups_free(c->cgroups);
	free(c->machines_dir), free(c->stage), free(c->images), free(c->templates), free(c->sealers);
	free(c);
}

void compute_clear(struct compute *c)
{
	abort_stagings(c);
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		if (m->pidfd >= 0) syscall(SYS_pidfd_send_signal, m->pidfd, SIGKILL, NULL, 0);
	}
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		siginfo_t info;
		if (m->pidfd < 0) continue;
		struct pollfd p = {m->pidfd, POLLIN, 0};
		poll(&p, 1, 10000);
		waitid(P_PIDFD, (id_t)m->pidfd, &info, WEXITED | WNOHANG | __WALL);
		machine_end(m, SIGKILL, true);
	}
	engines_clear(c->engines);
	folders_clear(c);
	/* With the last who had it open, a loop device goes, and its sealer. */
	if (!sealers_gone(c->sealers, SEALERS_END_MS))
		log_warn("host", "sealers_stay", "an encrypted volume is in use");
	if (c->cgroups) cgroups_clear(c->cgroups);
	cgroups_free(c->cgroups);
	c->cgroups = NULL;
	rmdir(c->machines_dir), rmdir(c->stage);
	/* Layers have files of any owner: virga could not remove them. */
	const char *argv[] = {"rm", "-rf", "--one-file-system", c->images, NULL};
	spawn_wait(argv, "/", -1);
}
