/* See sealer.h. The kernel's side is <linux/fuse.h>; what is asked of a file system with one file is little enough to
 * be answered without a library. Two threads read requests: one works while the other waits for the disk. */
#include "host/seal/sealed.h"
#include "host/seal/sealer.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST = 256 << 10, PAGE = 4096, THREADS = 2, STACK = 256 << 10, BACKGROUND = 64 };

struct server {
	const struct sealer_serve *s;
	atomic_int opens;
	atomic_bool ready;
};
struct worker {
	struct server *v;
	struct sealed *sealed;
	char *room; /* a request; then what is read */
};

static void reply(const struct worker *w, uint64_t unique, int error, const void *body, size_t n)
{
	struct fuse_out_header h = {.len = (uint32_t)(sizeof(h) + n), .error = -error, .unique = unique};
	struct iovec v[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)body, n}};
	/* ENOENT: who asked was interrupted. Anything else is seen at the next read. */
	(void)!writev(w->v->s->fuse, v, n ? 2 : 1);
}

static void reply_error(const struct worker *w, uint64_t unique, int error)
{
	reply(w, unique, error, NULL, 0);
}

static void on_init(const struct worker *w, uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out o = {.major = FUSE_KERNEL_VERSION,
		.minor = in->minor < FUSE_KERNEL_MINOR_VERSION ? in->minor : FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = in->flags & (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_MAX_PAGES),
		.max_background = BACKGROUND,
		.congestion_threshold = BACKGROUND,
		.max_write = MOST,
		.time_gran = 1,
		.max_pages = MOST / PAGE};
	reply(w, unique, 0, &o, sizeof(o));
}

static void on_attributes(const struct worker *w, uint64_t unique)
{
	struct stat st;
	struct fuse_attr_out o = {0};
	if (fstat(w->v->s->file, &st) != 0) {
		reply_error(w, unique, EIO);
		return;
	}
	o.attr = (struct fuse_attr){.ino = FUSE_ROOT_ID,
		.size = (uint64_t)st.st_size,
		.blocks = (uint64_t)st.st_blocks,
		.mode = S_IFREG | 0600,
		.nlink = 1,
		.blksize = PAGE};
	reply(w, unique, 0, &o, sizeof(o));
}

static void on_set_attributes(const struct worker *w, uint64_t unique, const struct fuse_setattr_in *in)
{
	struct stat st;
	/* A size that it has already: who copies into it says so. Growing is virga's, of the sealed file. */
	bool good = fstat(w->v->s->file, &st) == 0 && (in->valid & (FATTR_MODE | FATTR_UID | FATTR_GID)) == 0 &&
		    (!(in->valid & FATTR_SIZE) || in->size == (uint64_t)st.st_size);
	if (good)
		on_attributes(w, unique);
	else
		reply_error(w, unique, EPERM);
}

static void on_open(const struct worker *w, uint64_t unique)
{
	struct fuse_open_out o = {.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES};
	atomic_fetch_add(&w->v->opens, 1);
	reply(w, unique, 0, &o, sizeof(o));
}

/* As much as there is from `at`; negative: errno. Whole sectors, but at the file's end. */
static ssize_t read_some(int fd, char *p, size_t n, uint64_t at)
{
	size_t done = 0;
	while (done < n) {
		ssize_t got = pread(fd, p + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) return -errno;
		if (got == 0) break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static void on_read(struct worker *w, uint64_t unique, const struct fuse_read_in *in)
{
	uint64_t at = in->offset, from = at / SEALED_SECTOR * SEALED_SECTOR;
	size_t want = in->size, head = (size_t)(at - from);
	size_t whole = (head + want + SEALED_SECTOR - 1) / SEALED_SECTOR * SEALED_SECTOR;
	if (want > MOST) {
		reply_error(w, unique, EINVAL);
		return;
	}
	ssize_t n = read_some(w->v->s->file, w->room, whole, from);
	if (n < 0) {
		reply_error(w, unique, (int)-n);
		return;
	}
	size_t got = (size_t)n / SEALED_SECTOR * SEALED_SECTOR;
	sealed_open(w->sealed, from / SEALED_SECTOR, w->room, got);
	got = got > head ? got - head : 0;
	reply(w, unique, 0, w->room + head, got < want ? got : want);
}

static void on_write(struct worker *w, uint64_t unique, const struct fuse_write_in *in, char *p)
{
	int fd = w->v->s->file, error = 0;
	if (in->offset % SEALED_SECTOR || in->size % SEALED_SECTOR) {
		if (!is_ok(sealed_write_at(w->sealed, fd, in->offset, p, in->size))) error = EIO;
	} else {
		sealed_shut(w->sealed, in->offset / SEALED_SECTOR, p, in->size);
		for (size_t done = 0; done < in->size && !error;) {
			ssize_t n = pwrite(fd, p + done, in->size - done, (off_t)(in->offset + done));
			if (n < 0 && errno != EINTR) error = errno;
			if (n > 0) done += (size_t)n;
		}
	}
	struct fuse_write_out o = {.size = in->size};
	reply(w, unique, error, &o, error ? 0 : sizeof(o));
}

/* Discarded, or zeroed: a hole reads as zeros. */
static void on_allocate(const struct worker *w, uint64_t unique, const struct fuse_fallocate_in *in)
{
	bool aligned = in->offset % SEALED_SECTOR == 0 && in->length % SEALED_SECTOR == 0;
	int error = EOPNOTSUPP;
	if (aligned && in->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && in->mode & FALLOC_FL_KEEP_SIZE)
		error = fallocate(w->v->s->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)in->offset,
				(off_t)in->length) == 0
				? 0
				: errno;
	reply_error(w, unique, error);
}

static void on_seek(const struct worker *w, uint64_t unique, const struct fuse_lseek_in *in)
{
	bool known = in->whence == SEEK_DATA || in->whence == SEEK_HOLE;
	off_t at = known ? lseek(w->v->s->file, (off_t)in->offset, (int)in->whence) : -1;
	struct fuse_lseek_out o = {.offset = (uint64_t)at};
	if (at < 0)
		reply_error(w, unique, known ? errno : EINVAL);
	else
		reply(w, unique, 0, &o, sizeof(o));
}

static void on_release(struct worker *w, uint64_t unique)
{
	reply_error(w, unique, 0);
	/* The last one has gone: the loop device with it. */
	if (atomic_fetch_sub(&w->v->opens, 1) == 1 && atomic_load(&w->v->ready)) _exit(0);
}

static void answer(struct worker *w, size_t n)
{
	struct fuse_in_header h;
	if (n < sizeof(h)) return;
	memcpy(&h, w->room, sizeof(h));
	void *body = w->room + sizeof(h);
	switch (h.opcode) {
	case FUSE_INIT:
		on_init(w, h.unique, body);
		return;
	case FUSE_GETATTR:
		on_attributes(w, h.unique);
		return;
	case FUSE_SETATTR:
		on_set_attributes(w, h.unique, body);
		return;
	case FUSE_OPEN:
		on_open(w, h.unique);
		return;
	case FUSE_READ: {
		struct fuse_read_in in;
		memcpy(&in, body, sizeof(in));
		on_read(w, h.unique, &in);
		return;
	}
	case FUSE_WRITE: {
		struct fuse_write_in in;
		memcpy(&in, body, sizeof(in));
		if (sizeof(h) + sizeof(in) + in.size > n)
			reply_error(w, h.unique, EINVAL);
		else
			on_write(w, h.unique, &in, (char *)body + sizeof(in));
		return;
	}
	case FUSE_FSYNC:
		reply_error(w, h.unique, fdatasync(w->v->s->file) == 0 ? 0 : errno);
		return;
	case FUSE_FALLOCATE:
		on_allocate(w, h.unique, body);
		return;
	case FUSE_LSEEK:
		on_seek(w, h.unique, body);
		return;
	case FUSE_RELEASE:
		on_release(w, h.unique);
		return;
	case FUSE_FLUSH:
	case FUSE_DESTROY:
		reply_error(w, h.unique, 0);
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return; /* none is expected */
	default:
		reply_error(w, h.unique, ENOSYS);
		return;
	}
}

static void *work(void *ctx)
{
	struct worker *w = ctx;
	for (;;) {
		ssize_t n = read(w->v->s->fuse, w->room, MOST + PAGE);
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
		if (n <= 0) _exit(0); /* ENODEV: it is mounted nowhere and open nowhere any more */
		answer(w, (size_t)n);
	}
	return NULL;
}

void sealer_serve(const struct sealer_serve *s)
{
	struct server v = {.s = s};
	struct worker workers[THREADS];
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_t t;
		workers[i] = (struct worker){.v = &v, .sealed = sealed_new(s->key)};
		workers[i].room = mem_new(MOST + PAGE + SEALED_SECTOR);
		if (pthread_create(&t, &small, work, &workers[i]) != 0) _exit(1);
	}
	/* Whoever started it has opened the file when this ends; if not, it died before. */
	struct pollfd p = {.fd = s->ready, .events = POLLIN};
	while (poll(&p, 1, -1) < 0 && errno == EINTR) continue;
	atomic_store(&v.ready, true);
	if (atomic_load(&v.opens) == 0) _exit(0);
	for (;;) pause();
}
