/* Framing between virga and the host agent, over a Unix stream socket: a head of 16 bytes, little endian (length of the
 * body, operation, number of descriptors, request id), then the body. Descriptors ride on the head's first byte. */
#pragma once
#include "base/buf.h"
#include "host/host.h"

#define FRAME_HEAD 16
#define FRAME_BODY_MAX (64u << 20)

struct frame {
	enum host_op op;
	uint64_t id; /* of a request and its answer; 0 for events */
	struct str body;
	int fds[HOST_FDS_MAX];
	size_t n_fds;
};

void frame_head_write(char head[FRAME_HEAD], uint32_t length, enum host_op op, unsigned n_fds, uint64_t id);
/* INVALID unless it is a head whose parts are all in range. */
status frame_head_read(struct str head, struct frame *out, uint32_t *length) MUST_USE;

/* Blocks until all is written. IO when the other end is gone. */
status frame_send(int fd, const struct frame *f) MUST_USE;
/* Blocks for a whole frame. The body is in `room` (which it empties first). NOT_FOUND: the other end closed between two
 * frames. INVALID, IO otherwise; then no descriptors are left open. */
status frame_receive(int fd, struct buf *room, struct frame *out) MUST_USE;
/* Closes the descriptors that came with it. */
void frame_close(struct frame *f);
