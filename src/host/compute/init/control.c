/* The agent's messages. */
#include "host/compute/init/init.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 8

/* Never waits: while there is no agent, nobody reads. */
void control_tell(enum control_kind kind, int32_t value)
{
	struct control_head h = {.kind = kind, .value = value};
	if (send(INIT_FD_CONTROL, &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
}

static size_t take_fds(struct msghdr *m, int fds[FDS_MAX])
{
	size_t n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) && n < FDS_MAX; i++)
			memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return n;
}

static void hold(struct init *in, int number, int *fd)
{
	for (size_t i = 0; i < HELD_MAX && *fd >= 0; i++) {
		if (in->held[i].fd >= 0) continue;
		in->held[i] = (struct held){number, *fd};
		*fd = -1;
	}
}

static void drop(struct init *in, int number)
{
	for (size_t i = 0; i < HELD_MAX; i++) {
		if (in->held[i].fd < 0 || in->held[i].number != number) continue;
		close(in->held[i].fd);
		in->held[i].fd = -1;
	}
	control_tell(CONTROL_DROPPED, number);
}

static void take(struct init *in, const struct control_head *h, struct str payload, int *fds, size_t n_fds)
{
	switch ((enum control_kind)h->kind) {
	case CONTROL_EXEC:
		exec_begin(in, h, payload, fds, n_fds);
		break;
	case CONTROL_STOP:
		in->config.grace_ms = h->value;
		stop_begin(in, false, CONSOLE_STOPPED);
		break;
	case CONTROL_REBOOT:
		stop_begin(in, true, CONSOLE_RUNS);
		break;
	case CONTROL_NICS:
		/* The texts stay in the arena: this happens seldom. */
		if (config_nics(&in->config, str_dup(&in->arena, payload))) net_changed(in);
		break;
	case CONTROL_KEYS:
		files_temporary_keys(payload);
		break;
	case CONTROL_HOLD:
		if (n_fds > 0) hold(in, h->value, &fds[0]);
		break;
	case CONTROL_DROP:
		drop(in, h->value);
		break;
	case CONTROL_GRACE:
		in->config.grace_ms = h->value;
		break;
	case CONTROL_READY:
	case CONTROL_USER_DATA:
	case CONTROL_STOPPING:
	case CONTROL_DROPPED:
		break;
	}
}

void control_input(struct init *in)
{
	static char room[sizeof(struct control_head) + CONTROL_PAYLOAD_MAX];
	union {
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} ancillary;
	struct iovec v = {room, sizeof(room)};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = ancillary.bytes,
		.msg_controllen = sizeof(ancillary.bytes)};
	ssize_t n = recvmsg(INIT_FD_CONTROL, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < (ssize_t)sizeof(struct control_head)) return;
	int fds[FDS_MAX];
	size_t n_fds = take_fds(&m, fds);
	struct control_head h;
	memcpy(&h, room, sizeof(h));
	if (h.length == (size_t)n - sizeof(h)) take(in, &h, str_n(room + sizeof(h), h.length), fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		if (fds[i] >= 0) close(fds[i]);
}
