/* Port 22: init listens, and runs the image's sshd for each connection (sshd(8), -i), so that a machine that nobody
 * visits pays nothing for it. Host keys are made at the first visit and stay on the root volume. */
#include "host/compute/init/init.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SSHD "/usr/sbin/sshd"
#define PORT 22
#define BACKLOG 64

void ssh_listen(struct init *in)
{
	int on = 1, off = 0;
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	struct sockaddr_in at4 = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	if (access(SSHD, X_OK) != 0) return;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool six = fd >= 0;
	if (!six) fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (six) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, six ? (void *)&at : (void *)&at4, six ? sizeof(at) : sizeof(at4)) == 0 &&
		listen(fd, BACKLOG) == 0) {
		in->ssh = fd;
		return;
	}
	console_say(in, "cannot listen for ssh: %s", strerror(errno));
	if (fd >= 0) close(fd);
}

/* Two visitors may come at once: one makes them, the other waits for the lock. */
static void make_host_keys(void)
{
	static const char *const types[] = {"ed25519", "ecdsa"};
	int lock = open("/run/virga/ssh.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (lock >= 0) fcntl(lock, F_SETLKW, &l);
	for (size_t i = 0; i < 2; i++) {
		char path[64];
		snprintf(path, sizeof(path), "/etc/ssh/ssh_host_%s_key", types[i]);
		if (access(path, F_OK) == 0) continue;
		const char *argv[] = {"/usr/bin/ssh-keygen", "-q", "-t", types[i], "-N", "", "-f", path, NULL};
		run_wait(argv, -1);
	}
	if (lock >= 0) close(lock);
}

void ssh_accept(struct init *in)
{
	int fd = accept4(in->ssh, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) return;
	pid_t pid = fork();
	if (pid == 0) {
		static const char *const argv[] = {
			SSHD, "-i", "-o", "AuthorizedKeysFile=.ssh/authorized_keys /run/virga/keys/%u", NULL};
		extern char **environ;
		static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *list[] = {path, NULL};
		environ = list;
		setsid();
		run_child_signals();
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 0), dup2(null, 1), dup2(null, 2);
		make_folders("/run/sshd", 0755);
		make_host_keys();
		dup2(fd, 0), dup2(fd, 1);
		execv(SSHD, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fd);
}
