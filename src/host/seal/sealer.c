/* See sealer.h: the agent's half, and the way from a fork of it to a process that has nothing but its file. */
#include "host/seal/sealer.h"
#include "base/log.h"
#include "host/compute/compute.h"
#include "host/compute/files.h"
#include "host/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE "/dev/fuse"
#define FILE_NAME "volume"
#define PAUSE_US 2000u
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

bool sealer_possible(const char **why)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0) close(fd);
	if (fd >= 0 || errno == EACCES || errno == EPERM) return true;
	if (why) *why = "encryption at rest needs FUSE, and this machine's kernel has no " DEVICE;
	return false;
}

/* ── the process ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* A mount namespace with one file in it. */
static const char *enclose(const struct sealer_plan *p, int fuse)
{
	char options[128];
	snprintf(options, sizeof(options), "fd=%d,rootmode=100600,user_id=0,group_id=0", fuse);
	if (unshare(CLONE_NEWNS) != 0) return "make a mount namespace";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return "make its mounts private";
	if (mount("virga-sealer", p->stage, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=700") != 0)
		return "mount its root";
	if (chdir(p->stage) != 0) return "enter its root";
	int fd = open(FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || close(fd) != 0) return "make the place of its file";
	if (mount("virga-sealed", FILE_NAME, "fuse", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, options) != 0)
		return "mount its file";
	if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
		return "leave the host's files";
	return NULL;
}

/* The descriptors that it keeps, at 3 and above; nothing else of the agent's. */
static void keep(int *fds[], size_t n)
{
	for (size_t i = 0; i < n; i++) *fds[i] = fcntl(*fds[i], F_DUPFD, 64 + (int)i);
	for (size_t i = 0; i < n; i++) *fds[i] = dup2(*fds[i], 3 + (int)i);
	syscall(SYS_close_range, 3u + (unsigned)n, ~0u, 0u);
	int null = open("/dev/null", O_RDWR);
	for (int i = 0; i < 3; i++) dup2(null, i);
	if (null > 2) close(null);
}

static _Noreturn void become(const struct sealer_plan *p, int ready)
{
	struct sealer_serve s = {.file = p->file, .ready = ready, .key = p->key};
	const char *step = "open " DEVICE;
	prctl(PR_SET_NAME, "virga-sealer");
	setsid();
	s.fuse = open(DEVICE, O_RDWR | O_CLOEXEC);
	int lock = open(p->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s.fuse >= 0 && lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) == 0) {
		int *kept[] = {&s.fuse, &s.file, &s.ready, &lock};
		keep(kept, 4);
		ready = s.ready;
		/* Its death would be a disk's; and what it writes frees memory, so it may not wait for memory to be
		 * written (prctl(2), PR_SET_IO_FLUSHER). Its key does not go to swap. */
		(void)files_put("/proc/self/oom_score_adj", STR("-900"));
		prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
		struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
		/* Without the right to that (CAP_SYS_RESOURCE) it is as any other process. */
		if (setrlimit(RLIMIT_MEMLOCK, &most) == 0) mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
		step = enclose(p, s.fuse);
	}
	/* Nobody but root may look into its memory. */
	if (!step && (!keeper_drop(0) || prctl(PR_SET_DUMPABLE, 0) != 0)) step = "give up its rights";
	char said[160];
	int n = step ? snprintf(said, sizeof(said), "%s: %s", step, strerror(errno))
		     : snprintf(said, sizeof(said), "=%d", getpid());
	bool told = send(ready, said, (size_t)n, MSG_NOSIGNAL) == n;
	if (step || !told) _exit(1);
	sealer_serve(&s);
}

/* ── the agent ────────────────────────────────────────────────────────────────────────────────────────────────── */

static int open_plain(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/root/" FILE_NAME, pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

status sealer_start(struct arena *a, const struct sealer_plan *p, int *plain, struct sealer *out, struct str *why)
{
	int ends[2];
	const char *without;
	*plain = -1, *out = (struct sealer){0};
	if (!sealer_possible(&without)) {
		*why = str_c(without);
		return STATUS(INVALID);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return STATUS(IO);
	pid_t pid = fork();
	/* Twice, so that it is the keeper's child: this agent may be gone when it ends. */
	if (pid == 0) {
		pid_t second = fork();
		if (second == 0) become(p, ends[1]);
		_exit(second > 0 ? 0 : 1);
	}
	close(ends[1]);
	if (pid > 0) waitpid(pid, NULL, 0);
	char said[160];
	ssize_t n;
	do n = pid > 0 ? recv(ends[0], said, sizeof(said), 0) : -1;
	while (n < 0 && errno == EINTR);
	int64_t number = 0;
	status s = n > 1 && said[0] == '=' ? str_to_i64(str_n(said + 1, (size_t)n - 1), &number) : STATUS(IO);
	if (is_ok(s)) {
		*out = (struct sealer){(pid_t)number, process_started((pid_t)number)};
		*plain = open_plain(out->pid);
		if (*plain < 0) s = STATUS(IO);
	}
	if (!is_ok(s)) {
		*why = number == 0 && n > 0
			       ? str_fmt(a, "it cannot be decrypted: the kernel did not %.*s", (int)n, said)
			       : STR("it cannot be decrypted: there is no process for it");
		log_error("host", "sealer", "why=\"%.*s\"", STR_ARG(*why));
	}
	close(ends[0]);
	return s;
}

void sealer_grown(const struct sealer *s)
{
	struct stat st;
	int fd = s->pid > 0 && process_started(s->pid) == s->started ? open_plain(s->pid) : -1;
	if (fd < 0 || fstat(fd, &st) != 0) log_warn("host", "sealer_lost", "pid=%d", s->pid);
	if (fd >= 0) close(fd);
}

void sealer_name(const struct sealer *s, char out[static 64])
{
	snprintf(out, 64, "sealer %d %lld", s->pid, (long long)s->started);
}

bool sealers_gone(const char *lock, int64_t ms)
{
	int fd = open(lock, O_RDWR | O_CLOEXEC);
	if (fd < 0) return true;
	bool gone = false;
	for (int64_t end = compute_now_ms() + ms; !gone;) {
		gone = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (gone || compute_now_ms() >= end) break;
		usleep(PAUSE_US);
	}
	if (gone) unlink(lock);
	close(fd);
	return gone;
}
