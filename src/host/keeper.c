/* See keeper.h. The control socket carries one byte: "give me an agent"; the answer is one byte with the agent's
 * socket. Each agent gets a socket of its own, so that one that dies in the middle of a message leaves no half of it.
 */
#include "host/keeper.h"
#include "host/agent.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPABILITIES 64u

static status send_fd(int socket, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = {0};
	char byte = 'a';
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	if (fd >= 0) {
		control.head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		m.msg_control = control.room, m.msg_controllen = sizeof(control.room);
	}
	ssize_t n;
	do n = sendmsg(socket, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == 1 ? OK : STATUS(IO);
}

static status receive_fd(int socket, int *fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = {0};
	char byte = 0;
	struct iovec v = {&byte, 1};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
	ssize_t n;
	do n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	struct cmsghdr *c = n == 1 ? CMSG_FIRSTHDR(&m) : NULL;
	if (!c || c->cmsg_type != SCM_RIGHTS) return STATUS(IO);
	memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return OK;
}

/* All descriptors but the standard ones and `keep`. */
static void close_others(int keep)
{
	if (keep > 3) syscall(SYS_close_range, 3u, (unsigned)keep - 1, 0u);
	syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u);
}

/* Forks an agent and hands its socket to virga. Its pid; -1 where that fails. */
static pid_t start_agent(int control)
{
	int ends[2] = {-1, -1};
	pid_t pid = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "virga-agent");
		close_others(ends[1]);
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		_exit(agent_run(ends[1]));
	}
	status s = send_fd(control, pid > 0 ? ends[0] : -1);
	if (ends[0] >= 0) close(ends[0]), close(ends[1]);
	return is_ok(s) ? pid : -1;
}

static bool alive(pid_t pid)
{
	return pid > 0 && kill(pid, 0) == 0;
}

/* Machines whose agent died come to the keeper: it takes their exit codes so that nothing stays as a zombie. */
static void reap(pid_t *agent)
{
	for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
		if (pid == *agent) *agent = -1;
}

static int keeper_run(int control)
{
	pid_t agent = -1;
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	bool asked = true; /* until virga's end closes */
	while (asked || alive(agent)) {
		struct pollfd p[2] = {
			{.fd = asked ? control : -1, .events = POLLIN}, {.fd = children, .events = POLLIN}};
		if (poll(p, 2, -1) < 0 && errno != EINTR) return 1;
		struct signalfd_siginfo info;
		while (read(children, &info, sizeof(info)) > 0) continue;
		reap(&agent);
		if (!(p[0].revents & (POLLIN | POLLHUP))) continue;
		char byte;
		if (recv(control, &byte, 1, MSG_DONTWAIT) != 1) {
			asked = false; /* the agent sees the end of its own socket, and goes */
			continue;
		}
		/* virga's end of the old socket is closed: what there is of an old agent ends by itself. */
		if (alive(agent)) waitpid(agent, NULL, 0);
		agent = start_agent(control);
	}
	return 0;
}

status keeper_start(int *control, pid_t *pid)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return STATUS(IO);
	*pid = fork();
	if (*pid < 0) {
		close(ends[0]), close(ends[1]);
		return STATUS(IO);
	}
	if (*pid == 0) {
		prctl(PR_SET_NAME, "virga-keeper");
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		close_others(ends[1]);
		/* Of the terminal's signals virga alone decides; its output is not held open. */
		signal(SIGINT, SIG_IGN), signal(SIGTERM, SIG_IGN), signal(SIGHUP, SIG_IGN), signal(SIGQUIT, SIG_IGN);
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null >= 0) dup2(null, 0), dup2(null, 1);
		_exit(keeper_run(ends[1]));
	}
	close(ends[1]);
	*control = ends[0];
	return OK;
}

status keeper_agent(int control, int *stream)
{
	ssize_t n;
	do n = send(control, "s", 1, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == 1 ? receive_fd(control, stream) : STATUS(IO);
}

uint64_t keeper_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	if (syscall(SYS_capget, &head, data) != 0) return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

bool keeper_drop(uint64_t keep)
{
	uint64_t have = keeper_capabilities();
	keep &= have;
	for (unsigned c = 0; c < CAPABILITIES; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_READ, c) == 1 && prctl(PR_CAPBSET_DROP, c) != 0) return false;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
		{.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)},
	};
	if (syscall(SYS_capset, &head, data) != 0) return false;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
