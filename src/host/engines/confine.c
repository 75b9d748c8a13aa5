/* See confine.h. An engine is an ordinary process of the host's with a user id that nobody else has, no capabilities
 * but that of low ports, no way to get more (no_new_privs), and namespaces of mounts, processes, System V IPC and
 * network of its own. Its root is put together of the host's /usr, /etc and the like, read only, so that Debian's
 * programs find what they need. */
#include "host/engines/confine.h"
#include "base/str.h"
#include "host/compute/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
	int error;
	pid_t pid;
	char step[56];
};
static int report_fd = -1; /* only in children */

static _Noreturn void give_up(const char *step)
{
	struct report r = {.error = errno ? errno : EINVAL};
	snprintf(r.step, sizeof(r.step), "%s", step);
	_exit(write(report_fd, &r, sizeof(r)) < 0 ? 126 : 125);
}
#define MUST(expr, step) ((expr) < 0 ? give_up(step) : (void)0)

static void bind_folder(const char *from, const char *to, bool read_only)
{
	struct stat st;
	if (lstat(from, &st) != 0) return; /* not every host has all of them */
	if (S_ISLNK(st.st_mode)) {
		char target[PATH_MAX];
		ssize_t n = readlink(from, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		MUST(symlink(target, to), "make a link of the root");
		return;
	}
	MUST(mkdir(to, 0755), "make a folder of the root");
	MUST(mount(from, to, NULL, MS_BIND, NULL), "bind a folder of the host");
	unsigned long flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0);
	MUST(mount(NULL, to, NULL, flags, NULL), "make a folder read only");
}

static void make_dev(void)
{
	static const char *const nodes[] = {"null", "zero", "full", "random", "urandom"};
	char from[64], to[64];
	MUST(mkdir("dev", 0755), "make /dev");
	MUST(mount("dev", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k"), "mount /dev");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		snprintf(from, sizeof(from), "/dev/%s", nodes[i]), snprintf(to, sizeof(to), "dev/%s", nodes[i]);
		struct stat st;
		MUST(stat(from, &st), "look at a device");
		MUST(mknod(to, S_IFCHR | 0666, st.st_rdev), "make a device node");
		MUST(chmod(to, 0666), "give a node its mode");
	}
	MUST(symlink("/proc/self/fd", "dev/fd"), "make a link of /dev");
	MUST(symlink("/proc/self/fd/2", "dev/stderr"), "make a link of /dev");
	MUST(symlink("/proc/self/fd/1", "dev/stdout"), "make a link of /dev");
	MUST(mkdir("dev/shm", 01777), "make /dev/shm");
	MUST(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), "mount /dev/shm");
}

/* The host's /etc would show more than an engine needs to see: these files and folders are all. */
static void make_etc(uint32_t uid)
{
	static const char *const folders[] = {
		"alternatives", "ssl", "ld.so.conf.d", "postgresql-common", "mysql", "haproxy", "redis", "knot"};
	static const char *const files[] = {
		"ld.so.cache", "localtime", "nsswitch.conf", "protocols", "services", "ld.so.conf", "mime.types"};
	char from[128], to[128], text[256];
	MUST(mkdir("etc", 0755), "make /etc");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(from, sizeof(from), "/etc/%s", folders[i]), snprintf(to, sizeof(to), "etc/%s", folders[i]);
		bind_folder(from, to, true);
	}
	/* Keys of the host's own services lie there, for root alone: an empty folder is laid over. */
	if (access("etc/ssl/private", F_OK) == 0)
		MUST(mount("none", "etc/ssl/private", "tmpfs", MS_RDONLY, "mode=755"), "hide keys");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(from, sizeof(from), "/etc/%s", files[i]), snprintf(to, sizeof(to), "etc/%s", files[i]);
		if (access(from, R_OK) != 0) continue;
		int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		MUST(fd, "make a file of /etc"), close(fd);
		MUST(mount(from, to, NULL, MS_BIND, NULL), "bind a file of /etc");
		MUST(mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL),
			"make a file read only");
	}
	static const char *const own[] = {"etc/passwd", "etc/group", "etc/hosts"};
	for (size_t i = 0; i < 3; i++) {
		int n = i == 0   ? snprintf(text, sizeof(text),
					   "root:x:0:0::/:/usr/sbin/nologin\nengine:x:%u:%u::/srv/engine:/bin/sh\n", uid,
					   uid)
			: i == 1 ? snprintf(text, sizeof(text), "root:x:0:\nengine:x:%u:\n", uid)
				 : snprintf(text, sizeof(text), "127.0.0.1 localhost\n::1 localhost\n");
		int fd = open(own[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		MUST(fd, "make a file of /etc");
		MUST(write(fd, text, (size_t)n) == n ? 0 : -1, "write a file of /etc");
		close(fd);
	}
}

static void make_root(const struct confine *c)
{
	static const char *const folders[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"};
	char owner[64];
	MUST(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS), "make its namespaces");
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "keep mounts apart");
	MUST(mount("root", c->stage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m"), "mount its root");
	/* The folder is opened while the host's paths are there. */
	MUST(chdir(c->stage), "enter its root");
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) bind_folder(folders[i], folders[i] + 1, true);
	make_etc(c->uid);
	make_dev();
	MUST(mkdir("srv", 0755), "make /srv"), MUST(mkdir("proc", 0755), "make /proc"),
		MUST(mkdir("var", 0755), "make /var");
	MUST(mkdir("var/lib", 0755), "make /var/lib");
	bind_folder(c->folder, "srv/engine", false);
	if (c->shared) bind_folder(c->shared, "srv/shared", true);
	MUST(mkdir("run", 0755), "make /run"), MUST(mkdir("tmp", 01777), "make /tmp");
	snprintf(owner, sizeof(owner), "mode=755,uid=%u,gid=%u,size=64m", c->uid, c->uid);
	MUST(mount("run", "run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, owner), "mount /run");
	MUST(mount("tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), "mount /tmp");
}

static void set_network(int fd)
{
	if (fd >= 0) {
		MUST(setns(fd, CLONE_NEWNET), "enter its network");
		return;
	}
	MUST(unshare(CLONE_NEWNET), "make a network namespace");
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	MUST(ioctl(s, SIOCSIFFLAGS, &r), "bring lo up");
	close(s);
}

/* Only CAP_NET_BIND_SERVICE stays (and what IP_TRANSPARENT wants, where it is to be had), as an ambient one, and
 * nothing can be gained. */
static void drop_privileges(uint32_t uid, bool transparent)
{
	uint32_t kept = 1u << CAP_NET_BIND_SERVICE | (transparent ? 1u << CAP_NET_RAW : 0u);
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{.effective = kept, .permitted = kept, .inheritable = kept}, {0}};
	for (int i = 0; i < 64; i++)
		if ((i > 31 || !(kept >> i & 1u)) && prctl(PR_CAPBSET_READ, i) == 1)
			MUST(prctl(PR_CAPBSET_DROP, i), "bound capabilities");
	MUST(prctl(PR_SET_KEEPCAPS, 1), "keep a capability");
	MUST(setgroups(0, NULL), "leave groups");
	MUST(setresgid(uid, uid, uid), "change its group"), MUST(setresuid(uid, uid, uid), "change its user");
	MUST(syscall(SYS_capset, &head, d), "drop capabilities");
	for (unsigned i = 0; i < 32; i++)
		if (kept >> i & 1u) MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0), "keep a capability");
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "refuse new privileges");
}

static _Noreturn void become(const struct confine *c)
{
	setsid();
	MUST(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mount /proc");
	MUST(syscall(SYS_pivot_root, ".", "."), "turn the root");
	MUST(umount2(".", MNT_DETACH), "leave the host's root");
	MUST(mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL), "make the root read only");
	MUST(chdir("/srv/engine"), "enter its folder");
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 64), fds[3];
	for (int i = 0; i < 3; i++) MUST(fds[i] = fcntl(c->fds[i], F_DUPFD_CLOEXEC, 64), "keep a descriptor");
	MUST(report, "keep the report");
	for (int i = 0; i < 3; i++) MUST(dup2(fds[i], i), "place a descriptor");
	report_fd = dup3(report, 3, O_CLOEXEC);
	syscall(SYS_close_range, 4u, ~0u, 0u);
	spawn_clean_signals();
	umask(077);
	drop_privileges(c->uid, c->transparent);
	execve(c->argv[0], (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)c->environment);
	give_up("run it");
}

/* A process of its own does the work on namespaces; the engine is its child, made to be the caller's. */
static _Noreturn void stage(const struct confine *c)
{
	MUST(cgroup_enter(&c->doors, 0, c->doors.n) ? 0 : -1, "enter its control groups");
	set_network(c->network);
	make_root(c);
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0UL);
	MUST(pid, "start it");
	if (pid == 0) become(c);
	struct report r = {.pid = pid};
	_exit(write(report_fd, &r, sizeof(r)) == sizeof(r) ? 0 : 126);
}

status confine_start(const struct confine *c, pid_t *pid, const char **step)
{
	static char refused[64];
	int ends[2], error = 0;
	struct report r;
	*pid = -1, *step = "make a pipe";
	if (pipe2(ends, O_CLOEXEC) != 0) return STATUS(IO);
	pid_t stager = fork();
	if (stager == 0) {
		close(ends[0]);
		report_fd = ends[1];
		stage(c);
	}
	close(ends[1]);
	if (stager < 0) error = errno;
	while (stager > 0 && read(ends[0], &r, sizeof(r)) == sizeof(r)) {
		if (r.pid > 0) *pid = r.pid;
		if (!r.error) continue;
		error = r.error;
		snprintf(refused, sizeof(refused), "%.*s", (int)sizeof(r.step), r.step);
		*step = refused;
	}
	close(ends[0]);
	if (stager > 0)
		while (waitpid(stager, NULL, 0) < 0 && errno == EINTR) continue;
	if (!error && *pid > 0) return OK;
	if (!error) error = ECHILD, *step = "stage it";
	if (*pid > 0) kill(*pid, SIGKILL), waitpid(*pid, NULL, 0);
	*pid = -1;
	errno = error;
	return STATUS(IO);
}
