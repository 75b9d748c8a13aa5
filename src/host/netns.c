/* See netns.h. */
#include "host/netns.h"
#include "base/log.h"
#include "base/vec.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/run/netns"
#define OWN "/proc/thread-self/ns/net" /* "self" is the first thread */

struct str netns_name(struct arena *a, struct str prefix, struct str place)
{
	return str_fmt(a, "%.*s-%.*s", STR_ARG(prefix), STR_ARG(place));
}

static void path_of(struct str name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, FOLDER "/%.*s", STR_ARG(name));
}

/* A file there that nothing is bound to is a leftover of a crash between its making and the binding: no namespace. */
static bool is_namespace(int fd)
{
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

int netns_open(struct str name)
{
	char path[PATH_MAX];
	path_of(name, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !is_namespace(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* As ip-netns(8) prepares its folder: a mount of its own that is shared, so that unbinding reaches other mount
 * namespaces too. */
static status prepare_folder(void)
{
	if (mkdir(FOLDER, 0755) != 0 && errno != EEXIST) return STATUS(IO);
	if (mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) == 0) return OK;
	if (errno != EINVAL || mount(FOLDER, FOLDER, "none", MS_BIND | MS_REC, NULL) != 0) return STATUS(IO);
	return mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) == 0 ? OK : STATUS(IO);
}

status netns_bind(int fd, struct str name)
{
	char path[PATH_MAX], from[64];
	path_of(name, path);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0);
	if (file < 0 && errno == ENOENT) {
		TRY(prepare_folder());
		file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0);
	}
	if (file < 0) return STATUS(IO);
	close(file);
	if (mount(from, path, "none", MS_BIND, NULL) == 0) return OK;
	unlink(path);
	return STATUS(IO);
}

static void raise_loopback(void)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r) != 0) log_warn("host", "loopback", "why=\"%s\"", strerror(errno));
	if (s >= 0) close(s);
}

status netns_ensure(struct str name, int *fd, bool *made)
{
	*made = false;
	*fd = netns_open(name);
	if (*fd >= 0) return OK;
	if (access(FOLDER, F_OK) != 0) TRY(prepare_folder());
	int home = open(OWN, O_RDONLY | O_CLOEXEC);
	if (home < 0) return STATUS(IO);
	status s = OK;
	if (unshare(CLONE_NEWNET) != 0) {
		close(home);
		return STATUS(IO);
	}
	raise_loopback();
	*fd = open(OWN, O_RDONLY | O_CLOEXEC);
	if (*fd < 0) s = STATUS(IO);
	if (is_ok(s)) s = netns_bind(*fd, name);
	INVARIANT(setns(home, CLONE_NEWNET) == 0); /* never work on in a namespace that we did not mean */
	close(home);
	if (!is_ok(s) && *fd >= 0) close(*fd), *fd = -1;
	*made = is_ok(s);
	return s;
}

void netns_remove(struct str name)
{
	char path[PATH_MAX];
	path_of(name, path);
	if (umount2(path, MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT)
		log_warn("host", "netns_remove", "name=%.*s why=\"%s\"", STR_ARG(name), strerror(errno));
	unlink(path);
}

struct str *netns_list(struct arena *a, struct str prefix, size_t *n)
{
	struct {
		struct str *v;
		size_t n;
	} found = {0};
	size_t capacity = 0;
	DIR *d = opendir(FOLDER);
	for (struct dirent *e; d && (e = readdir(d));)
		if (str_starts(str_c(e->d_name), prefix))
			*VEC_PUSH(a, &found, &capacity) = str_dup(a, str_c(e->d_name));
	if (d) closedir(d);
	*n = found.n;
	return found.v;
}

status netns_enter(struct netns_visit *v, int fd)
{
	v->home = open(OWN, O_RDONLY | O_CLOEXEC);
	if (v->home < 0) return STATUS(IO);
	if (setns(fd, CLONE_NEWNET) == 0) return OK;
	close(v->home);
	return STATUS(IO);
}

void netns_leave(struct netns_visit *v)
{
	INVARIANT(setns(v->home, CLONE_NEWNET) == 0);
	close(v->home);
}

int netns_socket(int netns, int family, int type, int protocol)
{
	struct netns_visit v;
	if (!is_ok(netns_enter(&v, netns))) return -1;
	int fd = socket(family, type | SOCK_CLOEXEC, protocol), why = errno;
	netns_leave(&v);
	errno = why;
	return fd;
}
