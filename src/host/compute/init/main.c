/* main() of init: boot, the loop, the end. */
#include "host/compute/init/init.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NETWORK_WAIT_MS 20000
#define POLLS_MAX (SESSIONS_MAX + 8)

int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void boot(struct init *in)
{
	in->phase = PHASE_BOOTING;
	in->console.boots++;
	in->console.why = CONSOLE_RUNS, in->console.ready = 0;
	console_save(in);
	console_say(in, "%s, machine %.*s, boot %d", "virga init", STR_ARG(in->config.id), in->console.boots);
	files_prepare(in);
	in->network_deadline_ms = now_ms() + NETWORK_WAIT_MS;
	net_begin(in);
	net_changed(in);
}

static void finish_boot(struct init *in)
{
	in->phase = PHASE_RUNNING;
	if (!net_complete(in)) console_say(in, "not all interfaces have come; going on without");
	files_keys(in);
	in->console.ready = 1;
	console_save(in);
	agent_begin();
	user_data_begin(in);
	ssh_listen(in);
	control_tell(CONTROL_READY, 0);
}

/* ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────── */

void stop_begin(struct init *in, bool reboot, enum console_why why)
{
	if (in->phase == PHASE_STOPPING) return;
	in->phase = PHASE_STOPPING;
	in->reboot = reboot, in->why = why;
	in->stop_deadline_ms = now_ms() + in->config.grace_ms;
	console_say(in, reboot ? "rebooting" : "stopping");
	control_tell(CONTROL_STOPPING, 0);
	if (in->ssh >= 0) close(in->ssh);
	in->ssh = -1;
	/* SIGHUP ends shells, which ignore SIGTERM; SIGCONT wakes what was stopped. */
	kill(-1, SIGTERM), kill(-1, SIGHUP), kill(-1, SIGCONT);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	if (f->level > 0) (void)(type == FTW_DP ? rmdir(path) : unlink(path));
	return 0;
}

/* Another boot begins as the first did: without mounts that were made, and with an empty /run and /tmp. */
static void clean_up(struct init *in)
{
	for (int round = 0; round < 8; round++) {
		struct arena a;
		arena_init(&a);
		struct str rest = file_read(&a, "/proc/self/mounts", 1u << 20), was = str_c(in->mounts);
		bool found = false;
		while (str_has(rest)) {
			struct str line = str_cut(&rest, '\n'), whole = line;
			if (str_empty(line) || str_find(was, whole) >= 0) continue;
			str_cut(&line, ' ');
			found |= umount2(str_z(&a, str_cut(&line, ' ')), MNT_DETACH) == 0;
		}
		arena_cleanup(&a);
		if (!found) break;
	}
	nftw("/run", remove_entry, 16, FTW_PHYS | FTW_DEPTH | FTW_MOUNT);
	nftw("/tmp", remove_entry, 16, FTW_PHYS | FTW_DEPTH | FTW_MOUNT);
}

static void finish_stop(struct init *in)
{
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0) syncfs(root), close(root);
	if (in->reboot) {
		clean_up(in);
		boot(in);
		return;
	}
	console_say(in, "down");
	in->console.why = in->why, in->console.ready = 0;
	console_save(in);
	_exit(0);
}

/* ── the loop ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void reap(struct init *in)
{
	int how;
	pid_t pid;
	while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
		if (pid == in->user_data) {
			in->user_data = 0;
			in->console.user_data = exit_code_of(how);
			console_save(in);
			if (exit_code_of(how) != 0)
				console_say(in, "user data failed: exit code %d", exit_code_of(how));
			control_tell(CONTROL_USER_DATA, exit_code_of(how));
		}
		exec_ended(in, pid, how);
	}
	if (in->phase == PHASE_STOPPING && pid < 0 && errno == ECHILD) finish_stop(in);
}

static void take_signals(struct init *in)
{
	struct signalfd_siginfo s;
	while (read(in->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGPWR || s.ssi_signo == SIGUSR2)
			stop_begin(in, false, CONSOLE_POWEROFF);
		else if (s.ssi_signo == SIGINT || s.ssi_signo == SIGHUP)
			stop_begin(in, true, CONSOLE_RUNS);
	}
	reap(in);
}

static void take_output(struct init *in)
{
	static char room[16 << 10];
	ssize_t n = read(in->fifo, room, sizeof(room));
	if (n > 0) console_write(in, room, (size_t)n);
}

static int time_left(struct init *in)
{
	if (in->phase == PHASE_BOOTING && net_complete(in)) return 0;
	int64_t at = in->phase == PHASE_BOOTING    ? in->network_deadline_ms
		     : in->phase == PHASE_STOPPING ? in->stop_deadline_ms
						   : -1;
	if (at < 0) return -1;
	int64_t left = at - now_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void take_time(struct init *in)
{
	if (in->phase == PHASE_BOOTING && (net_complete(in) || now_ms() >= in->network_deadline_ms)) finish_boot(in);
	if (in->phase != PHASE_STOPPING) return;
	if (now_ms() >= in->stop_deadline_ms) {
		kill(-1, SIGKILL);
		in->stop_deadline_ms = now_ms() + 100;
	}
	/* Who has no children gets no signal of their end. */
	reap(in);
}

static void turn(struct init *in)
{
	struct pollfd p[POLLS_MAX] = {{in->signals, POLLIN, 0}, {INIT_FD_CONTROL, POLLIN, 0}, {in->fifo, POLLIN, 0},
		{in->netlink, POLLIN, 0}, {in->ssh, POLLIN, 0}, {in->watch, POLLIN, 0}};
	for (size_t i = 0; i < SESSIONS_MAX; i++) p[6 + i] = (struct pollfd){in->sessions[i].control, POLLIN, 0};
	if (poll(p, 6 + SESSIONS_MAX, time_left(in)) < 0 && errno != EINTR) return;
	if (p[2].revents) take_output(in);
	if (p[0].revents) take_signals(in);
	if (p[1].revents) control_input(in);
	if (p[3].revents) net_changed(in);
	if (p[4].revents && in->ssh >= 0) ssh_accept(in);
	if (p[5].revents) {
		char events[1024];
		if (read(in->watch, events, sizeof(events)) > 0) meminfo_write(in);
	}
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (p[6 + i].revents && in->sessions[i].control == p[6 + i].fd) exec_input(in, &in->sessions[i]);
	take_time(in);
}

int main(void)
{
	static struct init in = {.netlink = -1, .ssh = -1};
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	in.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	for (int i = 0; i < INIT_FDS_END; i++) fcntl(i, F_SETFD, FD_CLOEXEC);
	for (size_t i = 0; i < SESSIONS_MAX; i++) in.sessions[i].control = -1;
	for (size_t i = 0; i < HELD_MAX; i++) in.held[i].fd = -1;
	arena_init(&in.arena);
	console_open(&in);
	config_read(&in);
	in.mounts = (char *)(uintptr_t)str_or(file_read(&in.arena, "/proc/self/mounts", 1u << 20), STR("")).p;
	/* Opened for both, so that it never ends and nobody who writes waits. */
	if (mkfifo("/dev/console", 0622) == 0) chmod("/dev/console", 0622);
	in.fifo = open("/dev/console", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	in.watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (in.watch >= 0) inotify_add_watch(in.watch, "/proc/meminfo", IN_OPEN);
	meminfo_write(&in);
	boot(&in);
	take_time(&in);
	for (;;) turn(&in);
}
