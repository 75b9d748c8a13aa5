/* See shares.h, and HOST_OP_SHARE of host.h. */
#include "host/compute/shares.h"
#include "base/log.h"
#include "host/compute/door.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NFS_PORT = 2049, CONNECT_MS = 5000, DEPTH_MAX = 512 };

/* ── a mount ── */

/* What mount.nfs and mount.efs take. None changes what is mounted here; the kernel would refuse an unknown one too. */
static bool option_known(struct str name)
{
	static const char *const known[] = {"rw", "ro", "nfsvers", "vers", "minorversion", "rsize", "wsize", "hard",
		"soft", "timeo", "retrans", "noresvport", "resvport", "proto", "port", "addr", "clientaddr", "sec",
		"nolock", "lock", "ac", "noac", "tls", "iam", "az", "region", "mounttargetip", "accesspoint", "_netdev",
		"fsc", "nconnect", "intr", "bg", "fg", "local_lock", "lookupcache", "acregmin", "acregmax", "acdirmin",
		"acdirmax", "stunnel_check_cert_validity"};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_eq(name, str_c(known[i]))) return true;
	return false;
}

/* "10.0.1.5:/path", "fs-0123:/path", "fs-0123.efs.us-east-1.amazonaws.com:/path", "us-east-1a.fs-….efs.…:/path"; of
 * type efs also "fs-0123". */
static bool read_source(const struct share_call *c, struct str *host, struct str *path)
{
	struct str rest = str_c(c->source), name = str_cut(&rest, ':');
	*path = str_has(rest) && rest.n ? rest : STR("/");
	if (!str_starts(name, STR("fs-")) && str_find(name, STR(".fs-")) >= 0) (void)str_cut(&name, '.');
	*host = str_starts(name, STR("fs-")) ? str_cut(&name, '.') : name;
	return host->n > 0 && (str_has(rest) || strcmp(c->type, "efs") == 0);
}

/* Does a connection stand, from the machine's network? 0 or an errno. */
static int reach(const struct machine *m, struct str address)
{
	char path[64], text[64];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(NFS_PORT)};
	snprintf(path, sizeof(path), "/proc/%d/ns/net", m->pid);
	snprintf(text, sizeof(text), "%.*s", STR_ARG(address));
	if (inet_pton(AF_INET, text, &to.sin_addr) != 1) return EINVAL;
	int net = open(path, O_RDONLY | O_CLOEXEC);
	if (net < 0 || setns(net, CLONE_NEWNET) != 0) return errno;
	close(net);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
	socklen_t size = sizeof(error);
	if (fd < 0) return errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
		close(fd);
		return 0;
	}
	error = errno;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	if (error == EINPROGRESS) error = poll(&p, 1, CONNECT_MS) == 1 ? 0 : ETIMEDOUT;
	if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
	close(fd);
	return error;
}

static int open_below(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* An access point's root directory, made where it is to be: "If the root directory does not exist, EFS creates it". */
static int open_point(int root, struct str point)
{
	struct str rest = point, uid, gid, mode;
	int64_t u, g;
	(void)str_cut(&rest, ' ');
	uid = str_cut(&rest, ' '), gid = str_cut(&rest, ' '), mode = str_cut(&rest, ' ');
	int at = open_below(root, "/");
	while (at >= 0 && str_has(rest)) {
		struct str part = str_cut(&rest, '/');
		char name[256];
		if (part.n == 0) continue;
		snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
		int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && errno == ENOENT && !str_is(mode, "-") && is_ok(str_to_i64(uid, &u)) &&
			is_ok(str_to_i64(gid, &g)) && mkdirat(at, name, 0755) == 0) {
			bool last = !str_has(rest);
			next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			unsigned bits = 0;
			for (size_t i = 0; i < mode.n; i++) bits = bits << 3 | (unsigned)(mode.p[i] - '0');
			if (last && (fchownat(at, name, (uid_t)u, (gid_t)g, AT_SYMLINK_NOFOLLOW) != 0 ||
					    fchmodat(at, name, bits & 07777, 0) != 0)) {
				close(next);
				next = -1;
			}
		}
		int why = errno;
		close(at);
		errno = why;
		at = next;
	}
	return at;
}

/* The folder that is meant; -1 with errno. */
static int open_folder(const struct share_call *c, const struct net_share *s, struct str path, struct str point)
{
	struct arena a;
	arena_init(&a);
	int root = data_open(c->m->c, &a, s->folder, O_PATH | O_DIRECTORY), fd = -1, why = errno;
	if (root >= 0 && str_has(point)) {
		why = EACCES;
		for (size_t i = 0; i < s->points->n; i++) {
			struct str rest = s->points->v[i];
			if (!str_eq(str_cut(&rest, ' '), point)) continue;
			fd = open_point(root, s->points->v[i]);
			why = errno;
		}
		if (fd >= 0 && !str_is(path, "/")) {
			int below = open_below(fd, str_z(&a, path));
			why = errno;
			close(fd);
			fd = below;
		}
	} else if (root >= 0) {
		fd = open_below(root, str_z(&a, path));
		why = errno;
	}
	if (root >= 0) close(root);
	arena_cleanup(&a);
	errno = why;
	return fd;
}

/* "access POINT tls|plain no|ro|rw" among the points: what the file system's policy lets this mount do. False: nothing.
 */
static bool permitted(const struct net_share *s, struct str point, bool tls, unsigned *attributes)
{
	struct str who = str_has(point) ? point : STR("-");
	bool none = true;
	for (size_t i = 0; i < s->points->n; i++) {
		struct str rest = s->points->v[i];
		if (!str_is(str_cut(&rest, ' '), "access")) continue;
		none = false;
		if (!str_eq(str_cut(&rest, ' '), who) || !str_eq(str_cut(&rest, ' '), tls ? STR("tls") : STR("plain")))
			continue;
		if (str_is(rest, "ro")) *attributes |= MOUNT_ATTR_RDONLY;
		return !str_is(rest, "no");
	}
	return none;
}

static int mount_folder(const struct share_call *c, int folder, int target, unsigned attributes)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/user", c->m->pid);
	int user = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", c->pid);
	int mounts = open(path, O_RDONLY | O_CLOEXEC);
	if (user < 0 || mounts < 0) return errno;
	int mnt = (int)syscall(SYS_open_tree, folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (mnt < 0) return errno;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP | attributes, .userns_fd = (uint64_t)user};
	if (syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0) return errno;
	if (setns(mounts, CLONE_NEWNS) != 0) return errno;
	return syscall(SYS_move_mount, mnt, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0
		       ? 0
		       : errno;
}

bool share_mount(const struct share_call *c, int target, unsigned attributes, int *error)
{
	struct net_share share;
	struct str host, path, point = STR_NONE, rest = str_c(c->options);
	bool tls = false;
	if (strcmp(c->type, "nfs4") != 0 && strcmp(c->type, "nfs") != 0 && strcmp(c->type, "efs") != 0) return false;
	*error = EINVAL;
	if (!read_source(c, &host, &path)) return true;
	while (str_has(rest)) {
		struct str value = str_cut(&rest, ','), name = str_cut(&value, '=');
		if (name.n == 0) continue;
		if (!option_known(name)) return true;
		if (str_is(name, "tls")) tls = true;
		if (str_is(name, "accesspoint")) point = str_or(value, STR(""));
	}
	*error = ENOENT;
	if (!net_share_of(agent_net(c->m->c->g), str_c(c->m->id), host, &share)) return true;
	/* A word of another kind is no access point's id. */
	*error = EACCES;
	if ((str_has(point) && !str_starts(point, STR("fsap-"))) || !permitted(&share, point, tls, &attributes))
		return true;
	int folder = open_folder(c, &share, path, point);
	*error = folder < 0 ? errno : reach(c->m, share.address);
	if (*error == 0) *error = target < 0 ? ENOENT : mount_folder(c, folder, target, attributes);
	return true;
}

/* ── what is in one; and its end ── */

static void walk(int parent, const char *name, bool removes, uint64_t *bytes, unsigned depth)
{
	int fd = depth < DEPTH_MAX ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0) close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
		*bytes += (uint64_t)st.st_blocks * 512;
		if (S_ISDIR(st.st_mode)) walk(fd, e->d_name, removes, bytes, depth + 1);
		if (removes) (void)!unlinkat(fd, e->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
	}
	closedir(d);
	if (removes) (void)!unlinkat(parent, name, AT_REMOVEDIR);
}

/* "efs/fs-0123…", or its "/files", and nothing else. */
static bool folder_valid(struct str folder)
{
	if (str_ends(folder, STR("/files"))) folder = str_sub(folder, 0, folder.n - 6);
	if (!str_starts(folder, STR("efs/fs-")) || folder.n > 64) return false;
	for (size_t i = 7; i < folder.n; i++)
		if (!((folder.p[i] >= '0' && folder.p[i] <= '9') || (folder.p[i] >= 'a' && folder.p[i] <= 'f')))
			return false;
	return folder.n > 7;
}

/* In a child, which may take its time; the answer is a pipe that it writes to at its end. */
void shares_on(struct agent *g, struct agent_request *r)
{
	struct host_rec_share s = {0};
	int fds[2];
	status st = host_rec_share_decode(r->arena, r->body, &s);
	if (!is_ok(st) || !str_has(s.folder) || !folder_valid(s.folder) || pipe2(fds, O_CLOEXEC) != 0) {
		agent_answer(g, r->id, STATUS(INVALID), STR("no such folder"), STR_NONE, NULL, 0);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			uint64_t bytes = 0;
			int at = data_open(agent_compute(g), r->arena, STR("efs"), O_PATH | O_DIRECTORY);
			walk(at, str_z(r->arena, str_from(s.folder, 4)), str_is(s.what, "remove"), &bytes, 0);
			(void)!write(fds[1], &bytes, sizeof(bytes));
		}
		_exit(0);
	}
	if (pid > 0) waitpid(pid, NULL, 0);
	close(fds[1]);
	agent_answer(g, r->id, pid > 0 ? OK : STATUS(IO), STR_NONE, STR_NONE, fds, pid > 0);
	close(fds[0]);
}
