/* See machine.h: virga's side of the requests. */
#include "host/compute/machine.h"
#include "host/compute/control.h"
#include "host/compute/files.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <unistd.h>

static status ask(
	struct host *h, struct arena *a, enum host_op op, struct str request, struct str *body, struct str *why)
{
	struct host_ask q = {.op = op, .request = request};
	return host_request(h, a, &q, body, why);
}

/* For requests whose answer says nothing but how it went. */
static status tell(struct host *h, struct arena *a, enum host_op op, struct str request)
{
	status s = ask(h, a, op, request, NULL, NULL);
	arena_cleanup(a);
	return s;
}

/* A request with keys in it: nothing of it stays in the arena. */
static status ask_secretly(struct host *h, struct arena *a, enum host_op op, struct str request, struct str *why)
{
	status s = ask(h, a, op, request, NULL, why);
	OPENSSL_cleanse((void *)(uintptr_t)request.p, request.n);
	return s;
}

status host_machine_start(struct host *h, struct arena *a, const struct compute_rec_machine *m, struct str *why)
{
	return ask_secretly(h, a, HOST_OP_MACHINE_START, compute_rec_machine_encode(a, m), why);
}

status host_machine_stop(struct host *h, struct str id, bool force)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_machine_stop q = {.id = id, .force = SOME_BOOL(force)};
	return tell(h, &a, HOST_OP_MACHINE_STOP, compute_rec_machine_stop_encode(&a, &q));
}

status host_machine_reboot(struct host *h, struct str id)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_machine_id q = {.id = id};
	return tell(h, &a, HOST_OP_MACHINE_REBOOT, compute_rec_machine_id_encode(&a, &q));
}

status host_machine_list(struct host *h, struct arena *a, struct compute_rec_machine_statuses *out)
{
	struct compute_rec_machine_id q = {0};
	struct str body;
	TRY(ask(h, a, HOST_OP_MACHINE_LIST, compute_rec_machine_id_encode(a, &q), &body, NULL));
	return compute_rec_machine_statuses_decode(a, body, out);
}

status host_machine_status(struct host *h, struct arena *a, struct str id, struct compute_rec_machine_status *out)
{
	struct compute_rec_machine_id q = {.id = id};
	struct compute_rec_machine_statuses all = {0};
	struct str body;
	TRY(ask(h, a, HOST_OP_MACHINE_LIST, compute_rec_machine_id_encode(a, &q), &body, NULL));
	TRY(compute_rec_machine_statuses_decode(a, body, &all));
	if (all.machines.n == 0) return STATUS(NOT_FOUND);
	*out = all.machines.v[0];
	return OK;
}

status host_machine_pause(struct host *h, struct str id, bool paused)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_machine_pause q = {.id = id, .paused = SOME_BOOL(paused)};
	return tell(h, &a, HOST_OP_MACHINE_PAUSE, compute_rec_machine_pause_encode(&a, &q));
}

status host_machine_keys(struct host *h, struct str id, const struct compute_rec_strings *keys)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_machine_keys q = {.id = id, .public_keys = *keys};
	return tell(h, &a, HOST_OP_MACHINE_KEYS, compute_rec_machine_keys_encode(&a, &q));
}

status host_machine_nics(struct host *h, struct str id, const struct compute_rec_nics *nics, struct str *why)
{
	struct arena a;
	arena_init(&a);
	(void)why;
	struct compute_rec_machine_nics q = {.id = id, .nics = *nics};
	return tell(h, &a, HOST_OP_MACHINE_NICS, compute_rec_machine_nics_encode(&a, &q));
}

/* ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────── */

status host_machine_exec(struct host *h, struct arena *a, const struct compute_rec_machine_exec *e, const int fds[3],
	int *control, struct str *why)
{
	int ends[2];
	if (e->tty.v != (fds == NULL)) return STATUS(INVALID);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return STATUS(IO);
	int sent[4] = {ends[1], fds ? fds[0] : -1, fds ? fds[1] : -1, fds ? fds[2] : -1};
	struct host_ask q = {.op = HOST_OP_MACHINE_EXEC,
		.request = compute_rec_machine_exec_encode(a, e),
		.fds = sent,
		.n_fds = fds ? 4 : 1};
	status s = host_request(h, a, &q, NULL, why);
	close(ends[1]);
	if (!is_ok(s)) {
		close(ends[0]);
		return s;
	}
	*control = ends[0];
	return OK;
}

status host_exec_wait(int control, int *terminal, bool *ended, int *exit_code)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} ancillary;
	char message[8];
	struct iovec v = {message, sizeof(message)};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = ancillary.bytes,
		.msg_controllen = sizeof(ancillary.bytes)};
	ssize_t n;
	*terminal = -1, *ended = false;
	do n = recvmsg(control, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS) memcpy(terminal, CMSG_DATA(c), sizeof(*terminal));
	if (n == 1 && message[0] == 't' && *terminal >= 0) return OK;
	if (*terminal >= 0) close(*terminal);
	*terminal = -1;
	/* The machine ended with the command: as if it had been killed. */
	*ended = true;
	*exit_code = n == 2 && message[0] == 'x' ? (unsigned char)message[1] : 137;
	return n < 0 ? STATUS(IO) : OK;
}

/* ── volumes ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str volume_request(struct arena *a, struct str id, const struct compute_rec_volume *v)
{
	struct compute_rec_volume copy = *v;
	struct compute_rec_machine_volume q = {.id = id, .volume = &copy};
	return compute_rec_machine_volume_encode(a, &q);
}

status host_machine_attach(
	struct host *h, struct arena *a, struct str id, const struct compute_rec_volume *v, struct str *why)
{
	return ask_secretly(h, a, HOST_OP_VOLUME_ATTACH, volume_request(a, id, v), why);
}

status host_machine_detach(struct host *h, struct str id, struct str volume)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_volume v = {.id = volume};
	return tell(h, &a, HOST_OP_VOLUME_DETACH, volume_request(&a, id, &v));
}

status host_machine_volume_changed(struct host *h, struct str id, const struct compute_rec_volume *v)
{
	struct arena a;
	arena_init(&a);
	return tell(h, &a, HOST_OP_VOLUME_CHANGED, volume_request(&a, id, v));
}

/* ── images ───────────────────────────────────────────────────────────────────────────────────────────────────── */

status host_image_list(struct host *h, struct arena *a, struct compute_rec_image_statuses *out)
{
	struct str body;
	TRY(ask(h, a, HOST_OP_IMAGE_LIST, STR(""), &body, NULL));
	return compute_rec_image_statuses_decode(a, body, out);
}

status host_image_import(struct host *h, struct arena *a, struct str name, int fd, struct str *why)
{
	struct compute_rec_image_import q = {.name = name};
	struct host_ask request = {
		.op = HOST_OP_IMAGE_IMPORT, .request = compute_rec_image_import_encode(a, &q), .fds = &fd, .n_fds = 1};
	return host_request(h, a, &request, NULL, why);
}

status host_image_remove(struct host *h, struct str name)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_image_import q = {.name = name};
	return tell(h, &a, HOST_OP_IMAGE_REMOVE, compute_rec_image_import_encode(&a, &q));
}

/* ── the console ──────────────────────────────────────────────────────────────────────────────────────────────── */

status host_console_read(struct arena *a, const char *path, struct str *out)
{
	struct console_head h;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return errno == ENOENT ? STATUS(NOT_FOUND) : STATUS(IO);
	char *ring = arena_alloc(a, CONSOLE_RING), *text = arena_alloc_raw(a, CONSOLE_RING);
	ssize_t got = pread(fd, &h, sizeof(h), 0);
	/* As long as it was never full, the file is shorter. */
	ssize_t n = got == sizeof(h) ? pread(fd, ring, CONSOLE_RING, sizeof(h)) : -1;
	close(fd);
	*out = STR("");
	if (n < 0 || h.magic != CONSOLE_MAGIC) return OK;
	size_t length = h.total < CONSOLE_RING ? (size_t)h.total : CONSOLE_RING,
	       at = (size_t)((h.total - length) % CONSOLE_RING);
	memcpy(text, ring + at, length < CONSOLE_RING - at ? length : CONSOLE_RING - at);
	if (length > CONSOLE_RING - at) memcpy(text + (CONSOLE_RING - at), ring, length - (CONSOLE_RING - at));
	*out = str_n(text, length);
	return OK;
}
