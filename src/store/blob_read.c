/* Reading bodies. A file is either handed out as a descriptor (unverified: sendfile) or read block by block against the
 * checksums behind the body, which are loaded and verified at the first such read. */
#include "base/log.h"
#include "store/crc.h"
#include "store/engine.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct blob {
	uint64_t id, size;
	int fd;
	struct str bytes;                /* of an inline body … */
	rocksdb_pinnableslice_t *pinned; /* … held by the engine … */
	char *copy;                      /* … or copied from a transaction that has not committed yet */
	pthread_mutex_t lock;
	_Atomic(uint32_t *) crcs;
};

static uint64_t blocks_of(uint64_t size) { return (size + BLOB_BLOCK - 1) / BLOB_BLOCK; }

static status pread_all(int fd, void *p, size_t n, uint64_t offset)
{
	for (char *at = p; n > 0;) {
		ssize_t done = pread(fd, at, n, (off_t)offset);
		if (done < 0 && errno == EINTR) continue;
		if (done < 0) {
			log_error("store", "blob_failed", "what=read errno=%d", errno);
			return STATUS(IO);
		}
		if (done == 0) return STATUS(CORRUPT);
		at += done;
		offset += (uint64_t)done;
		n -= (size_t)done;
	}
	return OK;
}

static status open_inline(struct store_tx *tx, struct blob *b)
{
	for (size_t i = tx->bodies.n; i > 0; i--) {
		const struct tx_body *own = &tx->bodies.v[i - 1];
		if (own->id != b->id) continue;
		if (!own->writer) return STATUS(NOT_FOUND);
		struct str bytes = blob_writer_bytes(own->writer);
		b->copy = mem_new(bytes.n);
		memcpy(b->copy, bytes.p, bytes.n);
		b->bytes = str_n(b->copy, bytes.n);
		return OK;
	}
	char space[BLOB_KEY_BYTES];
	struct str key = blob_key(BLOB_INLINE, b->id, space);
	char *error = NULL;
	b->pinned = rocksdb_get_pinned(tx->store->db, tx_read(tx), key.p, key.n, &error);
	if (engine_failed("blob_open", error)) return STATUS(IO);
	if (!b->pinned) return STATUS(NOT_FOUND);
	b->bytes.p = rocksdb_pinnableslice_value(b->pinned, &b->bytes.n);
	return OK;
}

static status open_file(struct store_tx *tx, struct blob *b)
{
	char name[BLOB_NAME_BYTES];
	blob_name(b->id, name);
	tx_read(tx); /* while the snapshot is held, a file that is released stays */
	b->fd = openat(tx->store->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (b->fd < 0 && errno == ENOENT) return STATUS(NOT_FOUND);
	struct stat st;
	if (b->fd < 0 || fstat(b->fd, &st) != 0) {
		log_error("store", "blob_failed", "what=open errno=%d", errno);
		return STATUS(IO);
	}
	uint64_t want = b->size + blocks_of(b->size) * sizeof(uint32_t) + sizeof(struct blob_trailer);
	return (uint64_t)st.st_size == want ? OK : STATUS(CORRUPT);
}

status blob_open(struct store_tx *tx, struct blob_ref ref, struct blob **out)
{
	struct blob *b = mem_new(sizeof *b);
	*b = (struct blob){.id = ref.id, .size = ref.size, .fd = -1, .bytes = STR("")};
	pthread_mutex_init(&b->lock, NULL);
	status r = OK;
	if (ref.id != 0) r = ref.inlined ? open_inline(tx, b) : open_file(tx, b);
	if (is_ok(r) && b->fd < 0 && b->bytes.n != b->size) r = STATUS(CORRUPT);
	if (is_ok(r))
		*out = b;
	else
		blob_close(b);
	return r;
}

void blob_close(struct blob *b)
{
	if (!b) return;
	if (b->pinned) rocksdb_pinnableslice_destroy(b->pinned);
	if (b->fd >= 0) close(b->fd);
	pthread_mutex_destroy(&b->lock);
	free(atomic_load_explicit(&b->crcs, memory_order_relaxed));
	free(b->copy);
	free(b);
}

struct str blob_bytes(const struct blob *b) { return b->fd < 0 ? b->bytes : STR_NONE; }
int blob_fd(const struct blob *b) { return b->fd; }

static status load_crcs(struct blob *b, uint32_t **out)
{
	size_t table = blocks_of(b->size) * sizeof(uint32_t);
	char *p = mem_new(table + sizeof(struct blob_trailer));
	status r = pread_all(b->fd, p, table + sizeof(struct blob_trailer), b->size);
	struct blob_trailer t;
	memcpy(&t, p + table, sizeof t);
	if (is_ok(r) && (t.magic != BLOB_MAGIC || t.id != b->id || t.size != b->size ||
			t.crc != store_crc32c(0, &t, offsetof(struct blob_trailer, crc)) ||
			t.blocks_crc != store_crc32c(0, p, table)))
		r = STATUS(CORRUPT);
	if (is_ok(r))
		*out = (uint32_t *)(void *)p;
	else
		free(p);
	return r;
}

static status get_crcs(struct blob *b, uint32_t **out)
{
	*out = atomic_load_explicit(&b->crcs, memory_order_acquire);
	if (*out) return OK;
	status r = OK;
	pthread_mutex_lock(&b->lock);
	*out = atomic_load_explicit(&b->crcs, memory_order_relaxed);
	if (!*out) {
		r = load_crcs(b, out);
		if (is_ok(r)) atomic_store_explicit(&b->crcs, *out, memory_order_release);
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}

/* Reads block `i` to p, which has room for it. */
static status read_block(struct blob *b, const uint32_t *crcs, uint64_t i, char *p)
{
	uint64_t at = i * BLOB_BLOCK;
	size_t n = b->size - at < BLOB_BLOCK ? (size_t)(b->size - at) : BLOB_BLOCK;
	TRY(pread_all(b->fd, p, n, at));
	if (store_crc32c(0, p, n) == crcs[i]) return OK;
	log_error("store", "blob_corrupt", "id=%016llx block=%llu", (unsigned long long)b->id, (unsigned long long)i);
	return STATUS(CORRUPT);
}

static status read_file(struct blob *b, uint64_t offset, char *p, size_t n)
{
	uint32_t *crcs = NULL;
	TRY(get_crcs(b, &crcs));
	char *bounce = NULL;
	status r = OK;
	while (n > 0 && is_ok(r)) {
		uint64_t block = offset / BLOB_BLOCK;
		size_t in_block = offset % BLOB_BLOCK, rest = (size_t)(b->size - block * BLOB_BLOCK), part;
		if (rest > BLOB_BLOCK) rest = BLOB_BLOCK;
		part = rest - in_block < n ? rest - in_block : n;
		if (part == rest)
			r = read_block(b, crcs, block, p);
		else {
			if (!bounce) bounce = mem_new(BLOB_BLOCK);
			r = read_block(b, crcs, block, bounce);
			if (is_ok(r)) memcpy(p, bounce + in_block, part);
		}
		p += part;
		offset += part;
		n -= part;
	}
	free(bounce);
	return r;
}

status blob_read(struct blob *b, uint64_t offset, void *p, size_t n, size_t *got)
{
	*got = 0;
	if (offset >= b->size) return OK;
	if (n > b->size - offset) n = (size_t)(b->size - offset);
	if (b->fd < 0)
		memcpy(p, b->bytes.p + offset, n);
	else
		TRY(read_file(b, offset, p, n));
	*got = n;
	return OK;
}

status blob_verify(struct blob *b)
{
	if (b->fd < 0) return OK; /* the engine checks its blocks as it reads them */
	uint32_t *crcs = NULL;
	TRY(get_crcs(b, &crcs));
	char *p = mem_new(BLOB_BLOCK);
	status r = OK;
	for (uint64_t i = 0; i < blocks_of(b->size) && is_ok(r); i++) r = read_block(b, crcs, i, p);
	free(p);
	return r;
}
