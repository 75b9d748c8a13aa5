/* See frame.h. */
#include "host/frame.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void put_le(char *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) p[i] = (char)(v >> 8 * i);
}

static uint64_t get_le(const char *p, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++) v |= (uint64_t)(unsigned char)p[i] << 8 * i;
	return v;
}

void frame_head_write(char head[FRAME_HEAD], uint32_t length, enum host_op op, unsigned n_fds, uint64_t id)
{
	put_le(head, length, 4);
	put_le(head + 4, op, 2);
	put_le(head + 6, n_fds, 2);
	put_le(head + 8, id, 8);
}

status frame_head_read(struct str head, struct frame *out, uint32_t *length)
{
	if (head.n != FRAME_HEAD) return STATUS(INVALID);
	*length = (uint32_t)get_le(head.p, 4);
	uint64_t op = get_le(head.p + 4, 2), n_fds = get_le(head.p + 6, 2);
	if (*length > FRAME_BODY_MAX || op == 0 || op >= HOST_OP_COUNT || n_fds > HOST_FDS_MAX) return STATUS(INVALID);
	*out = (struct frame){.op = (enum host_op)op, .n_fds = n_fds, .id = get_le(head.p + 8, 8)};
	return OK;
}

union ancillary {
	char room[CMSG_SPACE(sizeof(int) * HOST_FDS_MAX)];
	struct cmsghdr align;
};

static status send_all(int fd, struct iovec *v, size_t n, union ancillary *control, size_t control_size)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
	if (control_size) m.msg_control = control->room, m.msg_controllen = control_size;
	while (m.msg_iovlen > 0) {
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR) continue;
		if (sent < 0) return STATUS(IO);
		m.msg_control = NULL, m.msg_controllen = 0;
		for (size_t left = (size_t)sent; m.msg_iovlen > 0;) {
			struct iovec *i = m.msg_iov;
			size_t part = left < i->iov_len ? left : i->iov_len;
			i->iov_base = (char *)i->iov_base + part;
			i->iov_len -= part;
			left -= part;
			if (i->iov_len > 0) break;
			m.msg_iov++, m.msg_iovlen--;
		}
	}
	return OK;
}

status frame_send(int fd, const struct frame *f)
{
	INVARIANT(f->body.n <= FRAME_BODY_MAX && f->n_fds <= HOST_FDS_MAX);
	char head[FRAME_HEAD];
	frame_head_write(head, (uint32_t)f->body.n, f->op, (unsigned)f->n_fds, f->id);
	union ancillary control = {0};
	size_t control_size = 0;
	if (f->n_fds) {
		struct cmsghdr *c = &control.align;
		c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * f->n_fds);
		memcpy(CMSG_DATA(c), f->fds, sizeof(int) * f->n_fds);
		control_size = CMSG_SPACE(sizeof(int) * f->n_fds);
	}
	struct str body = f->body;
	struct iovec v[2] = {{head, sizeof(head)}, {.iov_len = body.n}};
	memcpy(&v[1].iov_base, &body.p, sizeof(body.p)); /* sendmsg does not write there */
	return send_all(fd, v, body.n ? 2 : 1, &control, control_size);
}

/* Descriptors of a message: appended to *out as far as there is room, else closed. False where some were lost. */
static bool take_fds(struct msghdr *m, int out[HOST_FDS_MAX], size_t *n)
{
	bool whole = !(m->msg_flags & MSG_CTRUNC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*n < HOST_FDS_MAX)
				out[(*n)++] = fd;
			else
				close(fd), whole = false;
		}
	}
	return whole;
}

/* Exactly n bytes. NOT_FOUND: the end came before the first. */
static status receive_all(int fd, char *p, size_t n, int fds[HOST_FDS_MAX], size_t *n_fds)
{
	for (size_t at = 0; at < n;) {
		union ancillary control;
		struct iovec v = {p + at, n - at};
		struct msghdr m = {.msg_iov = &v,
			.msg_iovlen = 1,
			.msg_control = control.room,
			.msg_controllen = sizeof(control.room)};
		ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) return STATUS(IO);
		if (!take_fds(&m, fds, n_fds)) return STATUS(INVALID);
		if (got == 0) return at == 0 ? STATUS(NOT_FOUND) : STATUS(IO);
		at += (size_t)got;
	}
	return OK;
}

status frame_receive(int fd, struct buf *room, struct frame *out)
{
	char head[FRAME_HEAD];
	struct frame came = {0};
	uint32_t length = 0;
	status s = receive_all(fd, head, sizeof(head), came.fds, &came.n_fds);
	if (is_ok(s)) s = frame_head_read(str_n(head, sizeof(head)), out, &length);
	if (is_ok(s)) {
		room->n = 0;
		s = receive_all(fd, buf_reserve(room, length + 1u), length, came.fds, &came.n_fds);
		if (status_is(s, STATUS_NOT_FOUND)) s = STATUS(IO);
	}
	if (is_ok(s) && came.n_fds != out->n_fds) s = STATUS(INVALID);
	if (!is_ok(s)) {
		frame_close(&came);
		return s;
	}
	room->n = length;
	out->body = buf_done(room);
	memcpy(out->fds, came.fds, sizeof(came.fds));
	return OK;
}

void frame_close(struct frame *f)
{
	while (f->n_fds > 0) close(f->fds[--f->n_fds]);
}
