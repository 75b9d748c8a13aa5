/* `virga ssh`: a command or a shell inside an instance. virga starts it and hands its descriptors over to a Unix socket
 * of this process (an abstract name, and a secret that only virga repeats); what follows is between this process and
 * the machine's init, and goes on when virga ends. With a terminal, the machine's own is read and written here: the
 * machine never holds a descriptor of this side's. */
#include "base/buf.h"
#include "base/rand.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "host/compute/machine.h"
#include "host/frame.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { SSH_TTY, SSH_USER, SSH_ENDPOINT };
static const struct cli_option options[] = {
	[SSH_TTY] = {"tty", NULL, "a terminal for the command, as a shell has without a command"},
	[SSH_USER] = {"user", "NAME", "a user of the instance (root)"},
	[SSH_ENDPOINT] = CLIENT_OPTION,
};

enum { FAILED_CODE = 255 /* as ssh's own, where it is not the command's */, BUFFER = 64 << 10, FLOWS = 3 };

/* What is read here is written there. */
struct flow {
	int from, to;
	bool input; /* from this side into the machine: `to` is closed at the end, and does not block */
	bool ended;
	size_t at, end;
	char *bytes;
};
struct session {
	int control, terminal, signals;
	struct flow flow[FLOWS];
	size_t n;
	int interrupts;
	bool ended;
	int code;
};

/* ── asking virga ── */

static int listen_for_virga(struct arena *a, struct str *name)
{
	struct sockaddr_un here = {.sun_family = AF_UNIX};
	*name = str_fmt(a, "virga-ssh-%016llx", (unsigned long long)rand_u64());
	memcpy(here.sun_path + 1, name->p, name->n);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name->n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&here, size) == 0 && listen(fd, 16) == 0) return fd;
	if (fd >= 0) close(fd);
	return -1;
}

/* virga has connected before it answered: it is among those that wait. */
static bool take_descriptors(int listener, uint64_t secret, struct arena *a, struct frame *f)
{
	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
		struct buf room = BUF_IN(a);
		bool ours = is_ok(frame_receive(fd, &room, f)) && f->id == secret;
		close(fd);
		if (ours) return true;
		frame_close(f);
	}
	return false;
}

static bool start(struct arena *a, const struct cli_args *args, bool tty, struct frame *f)
{
	static const char *const shell[] = {"/bin/sh", "-c", "test -x \"$SHELL\" || SHELL=/bin/sh; exec \"$SHELL\" -l"};
	bool given = args->n_words > 1;
	const char *const *words = given ? args->words + 1 : shell, *term = getenv("TERM");
	size_t n = given ? args->n_words - 1 : 3;
	struct str name, body;
	uint64_t secret = rand_u64();
	struct winsize w = {0};
	struct buf path = BUF_IN(a);
	int listener = listen_for_virga(a, &name);
	if (listener < 0) {
		cli_fail("the machine gives no socket");
		return false;
	}
	buf_fmt(&path, "/_virga/ssh?instance=%s&socket=%.*s&secret=%llu",
		str_z(a, str_uri_encode(a, str_c(args->words[0]), false)), STR_ARG(name), (unsigned long long)secret);
	for (size_t i = 0; i < n; i++) buf_fmt(&path, "&arg=%s", str_z(a, str_uri_encode(a, str_c(words[i]), false)));
	if (args->value[SSH_USER])
		buf_fmt(&path, "&user=%s", str_z(a, str_uri_encode(a, str_c(args->value[SSH_USER]), false)));
	if (tty) {
		if (ioctl(STDIN_FILENO, TIOCGWINSZ, &w) != 0) w = (struct winsize){.ws_row = 24, .ws_col = 80};
		buf_fmt(&path, "&tty=1&rows=%u&columns=%u&term=%s", w.ws_row, w.ws_col,
			str_z(a, str_uri_encode(a, str_c(term && *term ? term : "xterm"), false)));
	}
	buf_byte(&path, 0);
	bool ok = client_get(a, client_endpoint(a, args->value[SSH_ENDPOINT]), "POST", path.p, &body);
	if (ok && !take_descriptors(listener, secret, a, f)) {
		cli_fail("virga handed nothing over: it has to run on this machine");
		ok = false;
	}
	close(listener);
	return ok;
}

/* ── carrying ── */

static void flow_add(struct session *s, int from, int to, bool input)
{
	struct flow *f = &s->flow[s->n++];
	*f = (struct flow){.from = from, .to = to, .input = input, .bytes = mem_new(BUFFER)};
	int machine = input ? to : from;
	int flags = fcntl(machine, F_GETFL);
	if (flags < 0 || fcntl(machine, F_SETFL, flags | O_NONBLOCK) != 0) f->ended = true;
}

static void flow_end(struct session *s, struct flow *f)
{
	f->ended = true;
	if (f->input && f->to != s->terminal) close(f->to);
}

static void flow_read(struct session *s, struct flow *f)
{
	ssize_t n = read(f->from, f->bytes, BUFFER);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	/* A terminal that nobody holds open any more says EIO. */
	if (n <= 0) {
		flow_end(s, f);
		return;
	}
	f->at = 0, f->end = (size_t)n;
}

static void flow_write(struct session *s, struct flow *f)
{
	while (f->at < f->end) {
		ssize_t n = write(f->to, f->bytes + f->at, f->end - f->at);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN && f->input) return;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {f->to, POLLOUT, 0};
			poll(&p, 1, -1);
			continue;
		}
		if (n < 0) {
			flow_end(s, f);
			return;
		}
		f->at += (size_t)n;
	}
}

static void resize(const struct session *s)
{
	struct winsize w;
	if (s->terminal >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &w) == 0) ioctl(s->terminal, TIOCSWINSZ, &w);
}

/* Signals to this process are the command's; who insists ends it. */
static void take_signal(struct session *s)
{
	struct signalfd_siginfo i;
	if (read(s->signals, &i, sizeof(i)) != sizeof(i)) return;
	if (i.ssi_signo == SIGWINCH) {
		resize(s);
		return;
	}
	char message[2] = {'s', (char)i.ssi_signo};
	bool told = send(s->control, message, 2, MSG_NOSIGNAL | MSG_DONTWAIT) == 2;
	if (s->interrupts++ == 0 && told && s->terminal < 0) return;
	s->ended = true;
	s->code = 128 + (int)i.ssi_signo;
}

static void turn(struct session *s)
{
	struct pollfd p[2 + FLOWS] = {{s->control, POLLIN, 0}, {s->signals, POLLIN, 0}};
	for (size_t i = 0; i < s->n; i++) {
		const struct flow *f = &s->flow[i];
		bool full = f->at < f->end;
		p[2 + i] = (struct pollfd){f->ended ? -1 : full ? f->to : f->from, full ? POLLOUT : POLLIN, 0};
	}
	if (poll(p, (nfds_t)(2 + s->n), -1) < 0) return;
	for (size_t i = 0; i < s->n; i++) {
		struct flow *f = &s->flow[i];
		if (!p[2 + i].revents) continue;
		if (f->at == f->end) flow_read(s, f);
		if (!f->ended) flow_write(s, f);
	}
	if (p[1].revents) take_signal(s);
	if (p[0].revents && !s->ended) {
		int terminal = -1;
		if (!is_ok(host_exec_wait(s->control, &terminal, &s->ended, &s->code))) s->ended = true;
		if (terminal >= 0) close(terminal);
	}
}

/* All that the command has written is there when its end is told; what it left running may write on, unheard. */
static void drain(struct session *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct flow *f = &s->flow[i];
		while (!f->input && !f->ended) {
			flow_write(s, f);
			flow_read(s, f);
			if (f->at == f->end) break;
		}
	}
}

static bool raw_terminal(struct termios *before)
{
	if (tcgetattr(STDIN_FILENO, before) != 0) return false;
	struct termios raw = *before;
	cfmakeraw(&raw);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static int carry(struct session *s, bool tty)
{
	sigset_t wanted;
	struct termios before;
	sigemptyset(&wanted);
	static const int signals[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) sigaddset(&wanted, signals[i]);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signals = signalfd(-1, &wanted, SFD_CLOEXEC);
	bool raw = tty && raw_terminal(&before);
	resize(s);
	while (!s->ended) turn(s);
	drain(s);
	if (raw) tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	close(s->signals);
	return s->code;
}

static int run_ssh(const struct cli_args *args)
{
	struct arena a;
	struct frame f = {0};
	struct session s = {.terminal = -1, .code = FAILED_CODE};
	if (args->n_words < 1) return cli_misused("ssh needs an instance: virga ssh i-… [-- COMMAND…]");
	bool tty = args->value[SSH_TTY] || (args->n_words == 1 && isatty(STDIN_FILENO));
	arena_init(&a);
	bool ok = start(&a, args, tty, &f) && f.n_fds == (tty ? 1 : 4);
	s.control = f.fds[0];
	if (ok && tty) {
		ok = is_ok(host_exec_wait(s.control, &s.terminal, &s.ended, &s.code)) && !s.ended;
		if (ok) {
			flow_add(&s, STDIN_FILENO, s.terminal, true);
			flow_add(&s, s.terminal, STDOUT_FILENO, false);
		}
	} else if (ok) {
		flow_add(&s, STDIN_FILENO, f.fds[1], true);
		flow_add(&s, f.fds[2], STDOUT_FILENO, false);
		flow_add(&s, f.fds[3], STDERR_FILENO, false);
	}
	int code = ok ? carry(&s, tty) : s.code;
	for (size_t i = 0; i < s.n; i++) free(s.flow[i].bytes);
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_ssh = {
	.name = "ssh",
	.words = "INSTANCE [-- COMMAND…]",
	.max_words = CLI_WORDS_MAX,
	.summary = "a shell, or a command, as root in an instance; ends with its exit code",
	.more = "Standard input, output and error are the command's. A shell without a command gets a terminal where "
		"there\n"
		"is one here. Signals are handed on; 255: it was not the command that failed.",
	CLI_OPTIONS(options),
	.run = run_ssh,
};
