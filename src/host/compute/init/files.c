/* Files that init writes into the machine: names, resolver, keys. */
#include "host/compute/init/init.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_MAX (1u << 20)
#define BUNDLE_MAX (4u << 20)
#define TEMPORARY_KEYS "/run/virga/keys"

bool file_write(const char *path, struct str content, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0) return false;
	bool good = fchmod(fd, mode) == 0;
	for (size_t at = 0; good && at < content.n;) {
		ssize_t n = write(fd, content.p + at, content.n - at);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0)
			good = false;
		else
			at += (size_t)n;
	}
	return close(fd) == 0 && good;
}

struct str file_read(struct arena *a, const char *path, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = BUF_IN(a);
	if (fd < 0) return STR_NONE;
	while (b.n < max) {
		ssize_t n = read(fd, buf_reserve(&b, 4096), 4096);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break;
		b.n += (size_t)n;
	}
	close(fd);
	buf_byte(&b, 0);
	return str_n(b.p, b.n - 1);
}

bool make_folders(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	for (size_t i = 1; path[i - 1]; i++) {
		if (path[i] != '/' && path[i]) continue;
		if (i >= sizeof(part)) return false;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, mode) != 0 && errno != EEXIST) return false;
	}
	return true;
}

/* A name for the address, as cloud images have it, so that sudo and the like find their own host. */
static void write_hosts(struct init *in)
{
	struct arena a;
	arena_init(&a);
	struct str old = str_or(
		file_read(&a, "/etc/hosts", KEYS_MAX), STR("127.0.0.1 localhost\n::1 localhost ip6-localhost\n"));
	struct str host = in->config.hostname, name = host;
	name = str_cut(&host, '.');
	struct str line = str_has(host) && host.n
				  ? str_fmt(&a, "127.0.1.1 %.*s %.*s\n", STR_ARG(in->config.hostname), STR_ARG(name))
				  : str_fmt(&a, "127.0.1.1 %.*s\n", STR_ARG(name));
	if (str_find(old, line) < 0) file_write("/etc/hosts", str_cat(&a, old, line), 0644);
	arena_cleanup(&a);
}

/* As update-ca-certificates of Debian would put it: a file of its own, in the bundle, and in OpenSSL's folder by its
 * hash. An image that has none of these is left alone. */
static void trust_authority(struct init *in)
{
	static const char bundle[] = "/etc/ssl/certs/ca-certificates.crt",
			  own[] = "/usr/local/share/ca-certificates/virga.crt";
	struct arena a;
	if (str_empty(in->config.authority) || access("/etc/ssl/certs", W_OK) != 0) return;
	arena_init(&a);
	struct str old = str_or(file_read(&a, bundle, BUNDLE_MAX), STR(""));
	if (str_find(old, in->config.authority) < 0) {
		make_folders("/usr/local/share/ca-certificates", 0755);
		file_write(own, in->config.authority, 0644);
		file_write(bundle, str_cat(&a, old, in->config.authority), 0644);
		const char *link = str_z(&a, str_fmt(&a, "/etc/ssl/certs/%.*s.0", STR_ARG(in->config.authority_hash)));
		unlink(link);
		(void)!symlink(own, link);
	}
	arena_cleanup(&a);
}

void files_prepare(struct init *in)
{
	struct buf b = BUF_IN(&in->arena);
	make_folders("/etc", 0755), make_folders("/run/lock", 0755), make_folders("/run/virga", 0755);
	make_folders("/tmp", 0755), make_folders("/root", 0700), make_folders("/var/lib/virga", 0755);
	chmod("/tmp", 01777), chmod("/run/lock", 01777);
	buf_fmt(&b, "%.*s\n", STR_ARG(in->config.hostname));
	file_write("/etc/hostname", buf_done(&b), 0644);
	write_hosts(in);
	trust_authority(in);
	b.n = 0;
	if (!str_empty(in->config.domain)) buf_fmt(&b, "search %.*s\n", STR_ARG(in->config.domain));
	struct str rest = in->config.dns;
	while (str_has(rest)) {
		struct str server = str_cut(&rest, ' ');
		if (server.n) buf_fmt(&b, "nameserver %.*s\n", STR_ARG(server));
	}
	/* Images often have a link to a manager's file that nobody writes here. */
	if (b.n) unlink("/etc/resolv.conf"), file_write("/etc/resolv.conf", buf_done(&b), 0644);
	if (access("/etc/mtab", F_OK) != 0) (void)!symlink("/proc/self/mounts", "/etc/mtab");
}

/* Adds the lines that are not there. The folder and file belong to the user, or sshd does not take them. */
static void add_keys(const struct user *u, struct str keys)
{
	char folder[PATH_MAX], path[PATH_MAX + 32];
	struct arena a;
	arena_init(&a);
	snprintf(folder, sizeof(folder), "%s/.ssh", u->home);
	snprintf(path, sizeof(path), "%s/authorized_keys", folder);
	make_folders(u->home, 0700);
	if (mkdir(folder, 0700) == 0 && chown(folder, u->uid, u->gid) != 0) return;
	struct buf b = BUF_IN(&a);
	struct str old = str_or(file_read(&a, path, KEYS_MAX), STR(""));
	buf_str(&b, old);
	if (old.n && old.p[old.n - 1] != '\n') buf_byte(&b, '\n');
	while (str_has(keys)) {
		struct str line = str_cut(&keys, '\n');
		if (line.n == 0 || str_find(old, line) >= 0) continue;
		buf_fmt(&b, "%.*s\n", STR_ARG(line));
	}
	if (b.n != old.n && file_write(path, buf_done(&b), 0600)) (void)!chown(path, u->uid, u->gid);
	arena_cleanup(&a);
}

void files_keys(struct init *in)
{
	static const char *const names[] = {"root", "admin", "ec2-user", "ubuntu", "debian"};
	struct user u;
	if (str_empty(in->config.keys)) return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (user_find(names[i], &u)) add_keys(&u, in->config.keys);
}

void files_temporary_keys(struct str lines)
{
	char path[PATH_MAX];
	DIR *d = opendir(TEMPORARY_KEYS);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.') unlinkat(dirfd(d), e->d_name, 0);
	if (d) closedir(d);
	make_folders(TEMPORARY_KEYS, 0755);
	while (str_has(lines)) {
		struct str line = str_cut(&lines, '\n'), user = str_cut(&line, ' ');
		if (!str_has(line) || user.n == 0 || user.n > 64 || user.p[0] == '.' || str_chr(user, '/') >= 0)
			continue;
		snprintf(path, sizeof(path), TEMPORARY_KEYS "/%.*s", STR_ARG(user));
		int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0) continue;
		dprintf(fd, "%.*s\n", STR_ARG(line));
		close(fd);
	}
}
