/* See mounts.h. The agent only receives; a child that nobody waits for (the keeper reaps it) looks, mounts and answers.
 * While there is no agent, mounts inside wait for the next one: init keeps the descriptor. */
#include "host/compute/mounts.h"
#include "base/log.h"
#include "host/compute/control.h"
#include "host/compute/shares.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS_MAX 512

struct call {
	struct machine *m;
	int pid;
	char source[PATH_MAX], target[PATH_MAX], type[32], options[OPTIONS_MAX];
	unsigned long flags;
	const struct attached *volume;
};

/* A text of the caller's memory; false where it is none, or too long. NULL is "". */
static bool read_text(int pid, uint64_t at, char *out, size_t size)
{
	out[0] = 0;
	if (at == 0) return true;
	for (size_t n = 0; n < size;) {
		/* Up to the page's end: the next one may not be there. */
		size_t part = 4096 - (size_t)((at + n) & 4095);
		if (part > size - n) part = size - n;
		struct iovec to = {out + n, part}, from = {(void *)(uintptr_t)(at + n), part};
		ssize_t got = process_vm_readv(pid, &to, 1, &from, 1, 0);
		if (got <= 0) return false;
		if (memchr(out + n, 0, (size_t)got)) return true;
		n += (size_t)got;
	}
	return false;
}

static bool read_call(struct call *c, const struct seccomp_data *d)
{
	c->flags = (unsigned long)d->args[3];
	return read_text(c->pid, d->args[0], c->source, sizeof(c->source)) &&
	       read_text(c->pid, d->args[1], c->target, sizeof(c->target)) &&
	       read_text(c->pid, d->args[2], c->type, sizeof(c->type)) &&
	       read_text(c->pid, d->args[4], c->options, sizeof(c->options));
}

/* A path of the caller's, opened from its root, or from where it stands; links are followed as it would follow them. */
static int open_inside(int pid, const char *path)
{
	char link[64], start[PATH_MAX] = "";
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	snprintf(link, sizeof(link), "/proc/%d/root", pid);
	int root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) return -1;
	char whole[2 * PATH_MAX];
	snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
	if (*path != '/' && readlink(link, start, sizeof(start) - 1) < 0) start[0] = 0;
	snprintf(whole, sizeof(whole), "%s/%s", start, path);
	int fd = (int)syscall(SYS_openat2, root, whole, &how, sizeof(how));
	close(root);
	return fd;
}

/* Is it a volume of this machine's, of a kind that is mounted here? */
static bool is_ours(struct call *c)
{
	static const char *const types[] = {"ext4", "ext3", "ext2", "xfs"};
	bool known = false;
	struct stat st;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) known |= strcmp(c->type, types[i]) == 0;
	int fd = known ? open_inside(c->pid, c->source) : -1;
	bool block = fd >= 0 && fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
	if (fd >= 0) close(fd);
	for (size_t i = 0; block && i < c->m->n_volumes; i++)
		if (c->m->volumes[i].device == st.st_rdev) c->volume = &c->m->volumes[i];
	return c->volume != NULL;
}

/* Options of the file system that change how it is kept, not whom it trusts. */
static bool option_allowed(struct str s)
{
	static const char *const allowed[] = {"discard", "nodiscard", "barrier", "nobarrier", "noload", "norecovery",
		"user_xattr", "acl", "nouuid", "errors=remount-ro", "errors=continue", "data=ordered", "data=writeback",
		"data=journal", "inode64", "logbufs=8"};
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (str_eq(s, str_c(allowed[i]))) return true;
	return false;
}

static int configure(int fs, struct call *c)
{
	struct str rest = str_c(c->options);
	while (str_has(rest)) {
		struct str option = str_cut(&rest, ','), value = option;
		char key[64], text[64];
		if (option.n == 0) continue;
		if (!option_allowed(option)) return EINVAL;
		struct str name = str_cut(&value, '=');
		snprintf(key, sizeof(key), "%.*s", STR_ARG(name)), snprintf(text, sizeof(text), "%.*s", STR_ARG(value));
		long r = str_has(value) ? syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, text, 0)
					: syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key, NULL, 0);
		if (r != 0) return errno;
	}
	if (c->flags & MS_RDONLY && syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) != 0) return errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", c->volume->loop, 0) != 0) return errno;
	return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0 ? 0 : errno;
}

static unsigned attributes_of(unsigned long flags)
{
	static const struct {
		unsigned long flag;
		unsigned attribute;
	} map[] = {{MS_RDONLY, MOUNT_ATTR_RDONLY}, {MS_NOSUID, MOUNT_ATTR_NOSUID}, {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
		{MS_NOATIME, MOUNT_ATTR_NOATIME}, {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
		{MS_STRICTATIME, MOUNT_ATTR_STRICTATIME}};
	/* What the file system says of devices counts for the whole host. */
	unsigned a = MOUNT_ATTR_NODEV;
	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++)
		if (flags & map[i].flag) a |= map[i].attribute;
	return a;
}

/* Mounts it at the caller's target; 0 or an errno. The caller's rights are its own namespace's, as mount(2) would ask.
 */
static int mount_volume(struct call *c)
{
	char path[64];
	int target = open_inside(c->pid, c->target);
	if (target < 0) return errno;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", c->m->pid);
	int user = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", c->pid);
	int mounts = open(path, O_RDONLY | O_CLOEXEC);
	int fs = (int)syscall(SYS_fsopen, c->type, FSOPEN_CLOEXEC);
	if (user < 0 || mounts < 0 || fs < 0) return errno;
	int e = configure(fs, c);
	if (e) return e;
	int mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes_of(c->flags));
	if (mnt < 0) return errno;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user};
	if (syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0) return errno;
	if (setns(mounts, CLONE_NEWNS) != 0) return errno;
	return syscall(SYS_move_mount, mnt, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0
		       ? 0
		       : errno;
}

/* Only who may mount in its own namespace: CAP_SYS_ADMIN among the effective capabilities (proc(5), CapEff). */
static bool may_mount(int pid)
{
	char path[64], line[256];
	unsigned long long effective = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &effective) == 1) break;
	if (f) fclose(f);
	return effective >> 21 & 1;
}

static void answer(struct machine *m, const struct seccomp_notif *q)
{
	struct seccomp_notif_resp r = {.id = q->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
	struct call *c = mem_new(sizeof(*c));
	c->m = m, c->pid = (int)q->pid;
	bool good = read_call(c, &q->data) && may_mount(c->pid);
	/* Still the process that asked, and not another of its number. */
	good = good && ioctl(m->notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &q->id) == 0;
	if (good && is_ours(c)) {
		r.flags = 0;
		r.error = -mount_volume(c);
	} else if (good) {
		struct share_call share = {m, c->pid, c->source, c->type, c->options};
		int error;
		if (share_mount(&share, open_inside(c->pid, c->target), attributes_of(c->flags), &error)) {
			r.flags = 0;
			r.error = -error;
		}
	}
	/* What is still held of the mount would keep its caller from unmounting it at once. */
	syscall(SYS_close_range, 3u, (unsigned)m->notify - 1, 0);
	syscall(SYS_close_range, (unsigned)m->notify + 1, ~0u, 0);
	if (ioctl(m->notify, SECCOMP_IOCTL_NOTIF_SEND, &r) != 0 && errno != ENOENT)
		log_warn("host", "mount", "id=%s why=\"%s\"", m->id, strerror(errno));
	free(c);
}

static void on_call(void *ctx)
{
	struct machine *m = ctx;
	struct seccomp_notif q = {0};
	if (ioctl(m->notify, SECCOMP_IOCTL_NOTIF_RECV, &q) != 0) {
		/* Nobody can ask any more: until the kernel has taken the machine apart there would be no rest. */
		struct pollfd p = {m->notify, POLLIN, 0};
		bool over = errno == ENOENT && poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
		if (over || (errno != EINTR && errno != ENOENT && errno != EAGAIN)) mounts_unwatch(m);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) answer(m, &q);
		_exit(0);
	}
	if (pid > 0) waitpid(pid, NULL, 0);
}

void mounts_watch(struct machine *m)
{
	m->notify = (int)syscall(SYS_pidfd_getfd, m->pidfd, INIT_FD_NOTIFY, 0);
	if (m->notify < 0) return;
	fcntl(m->notify, F_SETFD, FD_CLOEXEC);
	/* What is no filter's descriptor answers so: root inside cannot have put it there, but who knows. */
	uint64_t none = 0;
	if (ioctl(m->notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &none) == 0 || errno != ENOENT) {
		close(m->notify);
		m->notify = -1;
		return;
	}
	agent_watch(m->c->g, m->notify, on_call, m);
}

void mounts_unwatch(struct machine *m)
{
	if (m->notify < 0) return;
	agent_unwatch(m->c->g, m->notify);
	close(m->notify);
	m->notify = -1;
}
