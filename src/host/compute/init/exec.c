/* Commands that the agent's clients run here. Each has a control socket of its own to the client: it tells of the
 * terminal and the end, and takes signals; so neither agent nor virga has to live meanwhile. */
#include "host/compute/init/init.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define TEXTS_MAX 512

static void tell_end(int control, int code)
{
	char message[2] = {'x', (char)code};
	if (send(control, message, 2, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
}

static bool tell_terminal(int control, int terminal)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} ancillary = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	memcpy(CMSG_DATA(&ancillary.head), &terminal, sizeof(terminal));
	char byte = 't';
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = ancillary.bytes,
		.msg_controllen = sizeof(ancillary.bytes)};
	return sendmsg(control, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

/* Both sides of a new terminal; pts(4). */
static bool open_terminal(int32_t size, int *master, int *slave)
{
	int unlock = 0;
	struct winsize w = {.ws_row = (unsigned short)(size >> 16), .ws_col = (unsigned short)(size & 0xffff)};
	*master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0) return false;
	if (ioctl(*master, TIOCSPTLCK, &unlock) != 0) return false;
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave >= 0 && w.ws_row && w.ws_col) ioctl(*slave, TIOCSWINSZ, &w);
	return *slave >= 0;
}

/* NUL-terminated texts; false where the last has no end or there are too many. */
static bool cut_texts(struct str payload, const char **texts, size_t *n)
{
	if (payload.n == 0 || payload.p[payload.n - 1] != 0) return false;
	for (*n = 0; payload.n > 0; payload = str_from(payload, strlen(payload.p) + 1)) {
		if (*n == TEXTS_MAX) return false;
		texts[(*n)++] = payload.p;
	}
	return true;
}

void exec_begin(struct init *in, const struct control_head *h, struct str payload, int *fds, size_t n_fds)
{
	const char *texts[TEXTS_MAX + 1], *argv[TEXTS_MAX + 1];
	size_t n, count = h->count & ~CONTROL_TTY;
	bool tty = h->count & CONTROL_TTY;
	struct session *s = NULL;
	int master = -1;
	for (size_t i = 0; i < SESSIONS_MAX && !s; i++)
		if (in->sessions[i].control < 0) s = &in->sessions[i];
	if (n_fds < (tty ? 1u : 4u)) return;
	if (!s || in->phase == PHASE_STOPPING || !cut_texts(payload, texts, &n) || count == 0 || n < count + 2) {
		tell_end(fds[0], 126);
		return;
	}
	memcpy(argv, texts + 2, count * sizeof(*argv));
	argv[count] = texts[n] = NULL;
	struct command c = {.argv = argv,
		.environment = texts + 2 + count,
		.terminal = -1,
		.fds = {-1, -1, -1},
		.directory = *texts[0] ? texts[0] : NULL,
		.user = *texts[1] ? texts[1] : NULL};
	bool good = true;
	if (tty)
		good = open_terminal(h->value, &master, &c.terminal) && tell_terminal(fds[0], master);
	else
		memcpy(c.fds, fds + 1, 3 * sizeof(int));
	pid_t pid = good ? run_start(in, &c) : -1;
	if (master >= 0) close(master);
	if (c.terminal >= 0) close(c.terminal);
	if (pid < 0) {
		tell_end(fds[0], 126);
		return;
	}
	*s = (struct session){pid, fds[0]};
	fds[0] = -1;
}

void exec_input(struct init *in, struct session *s)
{
	(void)in;
	char message[8];
	ssize_t n = recv(s->control, message, sizeof(message), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n == 2 && message[0] == 's' && message[1] > 0 && message[1] < NSIG) {
		kill(-s->pid, message[1]);
		return;
	}
	if (n > 0) return;
	/* The client is gone: as when a line hangs up. */
	kill(-s->pid, SIGHUP);
	close(s->control);
	s->control = -1;
}

void exec_ended(struct init *in, pid_t pid, int how)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &in->sessions[i];
		if (s->control < 0 || s->pid != pid) continue;
		tell_end(s->control, exit_code_of(how));
		close(s->control);
		s->control = -1;
	}
}
