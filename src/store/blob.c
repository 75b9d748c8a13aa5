/* Writing bodies. A writer gathers bytes in memory; what stays small becomes part of the adopting transaction, what grows
 * becomes a file: written in large pieces with its checksums made on the way, its writeback started early so that the
 * final sync is short. */
#include "base/log.h"
#include "base/vec.h"
#include "store/crc.h"
#include "store/engine.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BUFFER_BYTES (256u << 10)
#define WRITEBACK_BYTES (4u << 20)

struct blob_writer {
	struct store *store;
	_Atomic unsigned refs; /* the caller, and each transaction that adopted it */
	uint64_t id, size, hint;
	char *buffer;
	size_t buffered, capacity;
	int fd; /* -1: in memory */
	uint64_t written, writeback; /* bytes handed to the kernel; of these, told to go to the disk */
	uint32_t *crcs; /* of the blocks so far; the last one may be incomplete */
	size_t n_crcs, crcs_capacity;
	bool sealed, committed, failed;
};

struct blob_writer *blob_writer_new(struct store *s, uint64_t size_hint)
{
	struct blob_writer *w = mem_new(sizeof *w);
	w->store = s;
	w->fd = -1;
	w->hint = size_hint;
	atomic_init(&w->refs, 1);
	return w;
}

bool blob_writer_is_file(const struct blob_writer *w)
{
	return w->fd >= 0 || (w->hint != UINT64_MAX && w->hint > BLOB_INLINE_MAX);
}

void blob_writer_drop(struct blob_writer *w)
{
	if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) > 1) return;
	if (w->fd >= 0) {
		close(w->fd);
		char name[BLOB_NAME_BYTES];
		blob_name(w->id, name);
		if (!w->committed && unlinkat(w->store->dir_fd, name, 0) != 0)
			log_warn("store", "unlink_failed", "file=%s errno=%d", name, errno);
	}
	free(w->buffer);
	free(w->crcs);
	free(w);
}

void blob_writer_free(struct blob_writer *w)
{
	if (w) blob_writer_drop(w);
}

struct str blob_writer_bytes(const struct blob_writer *w) { return str_n(w->buffer, w->buffered); }
void blob_writer_committed(struct blob_writer *w) { w->committed = true; }

static status io_failed(const char *what)
{
	log_error("store", "blob_failed", "what=%s errno=%d", what, errno);
	return STATUS(IO);
}

status blob_write_all(int fd, const void *p, size_t n)
{
	for (const char *at = p; n > 0;) {
		ssize_t done = write(fd, at, n);
		if (done < 0 && errno == EINTR) continue;
		if (done <= 0) return io_failed("write");
		at += done;
		n -= (size_t)done;
	}
	return OK;
}

static status sync_dir(struct store *s, const char *name)
{
	int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return io_failed("open_dir");
	int failed = fsync(fd);
	close(fd);
	return failed ? io_failed("sync_dir") : OK;
}

/* All 256 at the first file: then one sync serves them all. */
static status make_dirs(struct store *s)
{
	struct blobs *b = &s->blobs;
	status result = OK;
	pthread_mutex_lock(&b->lock);
	bool made = false;
	for (unsigned i = 0; i < 256 && is_ok(result) && !b->has_dirs; i++) {
		char name[16];
		snprintf(name, sizeof name, "blobs/%02x", i);
		if (mkdirat(s->dir_fd, name, 0700) == 0)
			made = true;
		else if (errno != EEXIST)
			result = io_failed("mkdir");
	}
	if (is_ok(result) && made && s->durability != DURABILITY_NONE) result = sync_dir(s, "blobs");
	if (is_ok(result)) b->has_dirs = true;
	pthread_mutex_unlock(&b->lock);
	return result;
}

static status open_file(struct blob_writer *w)
{
	struct store *s = w->store;
	char name[BLOB_NAME_BYTES];
	TRY(make_dirs(s));
	do { /* a file may be left of a run that the machine's death cut short before anything of it was durable */
		TRY(blob_new_id(s, &w->id));
		blob_name(w->id, name);
		w->fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	} while (w->fd < 0 && errno == EEXIST);
	return w->fd < 0 ? io_failed("create") : OK;
}

static status put_out(struct blob_writer *w, const void *p, size_t n)
{
	TRY(space_check(w->store, n));
	TRY(blob_write_all(w->fd, p, n));
	w->written += n;
	if (w->written - w->writeback >= WRITEBACK_BYTES && w->store->durability != DURABILITY_NONE) {
		/* Advice only; what it could not start, fsync will do. */
		sync_file_range(w->fd, (off_t)w->writeback, (off_t)(w->written - w->writeback), SYNC_FILE_RANGE_WRITE);
		w->writeback = w->written;
	}
	return OK;
}

static status flush_buffer(struct blob_writer *w)
{
	size_t n = w->buffered;
	w->buffered = 0;
	return n > 0 ? put_out(w, w->buffer, n) : OK;
}

static void keep(struct blob_writer *w, const void *p, size_t n)
{
	if (w->buffered + n > w->capacity) {
		size_t want = w->capacity ? w->capacity * 2 : 1024;
		if (w->capacity == 0 && w->hint != UINT64_MAX && w->hint <= BLOB_INLINE_MAX) want = w->hint;
		while (want < w->buffered + n) want = want ? want * 2 : n;
		w->buffer = mem_grow(w->buffer, want);
		w->capacity = want;
	}
	if (n > 0) memcpy(w->buffer + w->buffered, p, n);
	w->buffered += n;
}

/* The checksum of each block of the body, as it passes. `at` is the position of p in the body. */
static void add_crcs(struct blob_writer *w, uint64_t at, const char *p, size_t n)
{
	while (n > 0) {
		size_t in_block = at % BLOB_BLOCK, part = BLOB_BLOCK - in_block;
		if (part > n) part = n;
		if (in_block == 0) {
			if (w->n_crcs == w->crcs_capacity) {
				w->crcs_capacity = w->crcs_capacity ? w->crcs_capacity * 2 : 64;
				w->crcs = mem_grow(w->crcs, w->crcs_capacity * sizeof *w->crcs);
			}
			w->crcs[w->n_crcs++] = 0;
		}
		uint32_t *crc = &w->crcs[w->n_crcs - 1];
		*crc = store_crc32c(*crc, p, part);
		p += part;
		at += part;
		n -= part;
	}
}

static status write_file(struct blob_writer *w, const void *p, size_t n)
{
	if (w->fd < 0) {
		TRY(open_file(w));
		add_crcs(w, 0, w->buffer, w->buffered); /* what was gathered while it still might have stayed small */
	}
	add_crcs(w, w->size, p, n);
	if (w->buffered + n > FILE_BUFFER_BYTES) TRY(flush_buffer(w));
	if (n >= FILE_BUFFER_BYTES) return put_out(w, p, n);
	keep(w, p, n);
	return OK;
}

status blob_write(struct blob_writer *w, const void *p, size_t n)
{
	INVARIANT(!w->sealed);
	if (w->failed) return STATUS(IO);
	if (n == 0) return OK;
	if (blob_writer_is_file(w) || w->size + n > BLOB_INLINE_MAX) {
		status r = write_file(w, p, n);
		w->failed = !is_ok(r);
		TRY(r);
	} else
		keep(w, p, n);
	w->size += n;
	return OK;
}

static status seal_file(struct blob_writer *w)
{
	struct blob_trailer t = {.magic = BLOB_MAGIC, .id = w->id, .size = w->size};
	size_t table = w->n_crcs * sizeof *w->crcs;
	t.blocks_crc = store_crc32c(0, w->crcs, table);
	t.crc = store_crc32c(0, &t, offsetof(struct blob_trailer, crc));
	keep(w, w->crcs, table);
	keep(w, &t, sizeof t);
	TRY(flush_buffer(w));
	if (w->store->durability == DURABILITY_NONE) return OK;
	/* Relaxed, too: the log may reach the disk at any time, and must not refer to a file that has not. */
	if (fdatasync(w->fd) != 0) return io_failed("sync");
	char dir[16];
	snprintf(dir, sizeof dir, "blobs/%02x", (unsigned)(w->id & 0xff));
	return sync_dir(w->store, dir);
}

status blob_seal(struct blob_writer *w, struct blob_ref *out)
{
	INVARIANT(!w->sealed);
	if (w->failed) return STATUS(IO);
	if (w->fd < 0 && w->size > 0)
		TRY(blob_new_id(w->store, &w->id));
	else if (w->fd >= 0) {
		status r = seal_file(w);
		w->failed = !is_ok(r);
		TRY(r);
		free(w->buffer);
		w->buffer = NULL;
	}
	w->sealed = true;
	*out = (struct blob_ref){.id = w->id, .size = w->size, .inlined = w->fd < 0 && w->size > 0};
	return OK;
}

void blob_adopt(struct store_tx *tx, struct blob_writer *w)
{
	INVARIANT(w->sealed && !w->committed);
	tx_begin_writing(tx);
	if (w->id == 0) return;
	atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
	*VEC_PUSH(tx->arena, &tx->bodies, &tx->bodies_capacity) =
		(struct tx_body){.id = w->id, .writer = w, .inlined = w->fd < 0};
	if (w->fd < 0) return;
	char key[BLOB_KEY_BYTES];
	uint64_t count = 1;
	store_put(tx, blob_key(BLOB_COUNT, w->id, key), str_n(&count, sizeof count));
}
