/* See volume.h: the snapshots' half. DIR/blocks/ab/cdef… are the blocks, DIR/lists/ID the sealed lists, DIR/open/ID
 * those that are being written. A list is a head of 16 bytes (magic, version, size of the volume) and entries of 36
 * (index, hash), little endian, behind them the SHA-256 of all that. Removing only unlinks the list; sweep marks by all
 * lists and unlinks the other blocks, under a lock (flock on DIR/lock) which those who add blocks share. */
#include "base/buf.h"
#include "base/log.h"
#include "host/compute/files.h"
#include "host/compute/volume.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAGIC 0x70616e73u /* "snap" */
#define LIST_VERSION 1u
#define LIST_HEAD 16u
#define LIST_ENTRY (4u + SNAPSHOT_HASH)
#define ID_MAX 128u

struct volume_snapshots {
	char *dir;
	int dir_fd, lock_fd;
};

static status refused(const char *what)
{
	log_error("host", "snapshot", "what=\"%s\" why=\"%s\"", what, strerror(errno));
	return STATUS(IO);
}

static bool hash_of(const void *p, size_t n, uint8_t out[SNAPSHOT_HASH])
{
	return EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL) == 1;
}

static bool all_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* "lists/snap-0123": ids become file names. */
static status list_name(const char *where, struct str id, char out[static 160])
{
	if (id.n == 0 || id.n > ID_MAX || id.p[0] == '.') return STATUS(INVALID);
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] == '/' || id.p[i] == 0) return STATUS(INVALID);
	snprintf(out, 160, "%s/%.*s", where, STR_ARG(id));
	return OK;
}

static void block_name(const uint8_t hash[SNAPSHOT_HASH], char out[static 80])
{
	char hex[SNAPSHOT_HASH * 2 + 1];
	for (size_t i = 0; i < SNAPSHOT_HASH; i++) snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	snprintf(out, 80, "blocks/%.2s/%s", hex, hex + 2);
}

status volume_snapshots_open(const char *dir, struct volume_snapshots **out)
{
	static const char *const parts[] = {"blocks", "lists", "open"};
	if (mkdir(dir, 0700) != 0 && errno != EEXIST) return refused("make the folder");
	struct volume_snapshots *s = mem_new(sizeof(*s));
	s->lock_fd = -1;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = s->dir_fd >= 0;
	for (size_t i = 0; good && i < sizeof(parts) / sizeof(*parts); i++)
		good = mkdirat(s->dir_fd, parts[i], 0700) == 0 || errno == EEXIST;
	if (good) s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0) {
		status failed = refused("open the folder");
		volume_snapshots_close(s);
		return failed;
	}
	*out = s;
	return OK;
}

void volume_snapshots_close(struct volume_snapshots *s)
{
	if (!s) return;
	if (s->dir_fd >= 0) close(s->dir_fd);
	if (s->lock_fd >= 0) close(s->lock_fd);
	free(s);
}

/* A lock belongs to an open file, and threads share that: so each gets its own. */
static int lock(struct volume_snapshots *s, int how)
{
	int fd = openat(s->dir_fd, "lock", O_RDWR | O_CLOEXEC);
	int n;
	do n = fd < 0 ? -1 : flock(fd, how);
	while (fd >= 0 && n != 0 && errno == EINTR);
	if (n == 0) return fd;
	if (fd >= 0) close(fd);
	return -1;
}

/* ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* On the disk only after a syncfs, which list_store does: one for all blocks of a list. */
static status block_store(struct volume_snapshots *s, const void *p, uint8_t hash[SNAPSHOT_HASH], uint64_t *added)
{
	char name[80], beside[120];
	if (!hash_of(p, VOLUME_BLOCK, hash)) return STATUS(IO);
	block_name(hash, name);
	struct stat st;
	if (fstatat(s->dir_fd, name, &st, 0) == 0 && st.st_size == VOLUME_BLOCK) return OK;
	char folder[10];
	snprintf(folder, sizeof(folder), "%.9s", name);
	if (mkdirat(s->dir_fd, folder, 0700) != 0 && errno != EEXIST) return refused("make a folder of blocks");
	/* Two that store the same block at once each write their own file; the second rename changes nothing. */
	snprintf(beside, sizeof(beside), "%s.%d.%d", name, getpid(), gettid());
	int fd = openat(s->dir_fd, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0400);
	if (fd < 0) return refused("create a block");
	status r = files_write_at(fd, 0, p, VOLUME_BLOCK);
	close(fd);
	if (is_ok(r) && renameat(s->dir_fd, beside, s->dir_fd, name) != 0) r = refused("name a block");
	if (!is_ok(r)) unlinkat(s->dir_fd, beside, 0);
	if (is_ok(r) && added) *added += VOLUME_BLOCK;
	return r;
}

static status block_load(struct volume_snapshots *s, const uint8_t hash[SNAPSHOT_HASH], void *out)
{
	char name[80];
	uint8_t is[SNAPSHOT_HASH];
	block_name(hash, name);
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return errno == ENOENT ? STATUS(CORRUPT) : refused("open a block");
	status r = files_read_at(fd, 0, out, VOLUME_BLOCK);
	close(fd);
	TRY(r);
	return hash_of(out, VOLUME_BLOCK, is) && memcmp(is, hash, sizeof(is)) == 0 ? OK : STATUS(CORRUPT);
}

/* ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_le(struct buf *b, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) buf_byte(b, (char)(v >> 8 * i));
}

static uint64_t get_le(const char *p, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++) v |= (uint64_t)(unsigned char)p[i] << 8 * i;
	return v;
}

static struct str list_write(struct arena *a, const struct volume_snapshot *l)
{
	struct buf b = BUF_IN(a);
	uint8_t sum[SNAPSHOT_HASH] = {0};
	put_le(&b, LIST_MAGIC, 4), put_le(&b, LIST_VERSION, 4), put_le(&b, l->size, 8);
	for (size_t i = 0; i < l->n; i++) {
		put_le(&b, l->v[i].index, 4);
		buf_add(&b, l->v[i].hash, SNAPSHOT_HASH);
	}
	INVARIANT(hash_of(b.p, b.n, sum));
	buf_add(&b, sum, sizeof(sum));
	return buf_done(&b);
}

/* Strict: what a crash or a foreign hand left half is CORRUPT. */
static status list_read(struct arena *a, struct str bytes, struct volume_snapshot *out)
{
	uint8_t sum[SNAPSHOT_HASH];
	if (bytes.n < LIST_HEAD + SNAPSHOT_HASH || (bytes.n - LIST_HEAD - SNAPSHOT_HASH) % LIST_ENTRY)
		return STATUS(CORRUPT);
	size_t body = bytes.n - SNAPSHOT_HASH;
	if (get_le(bytes.p, 4) != LIST_MAGIC || get_le(bytes.p + 4, 4) != LIST_VERSION) return STATUS(CORRUPT);
	if (!hash_of(bytes.p, body, sum) || memcmp(sum, bytes.p + body, sizeof(sum)) != 0) return STATUS(CORRUPT);
	out->size = get_le(bytes.p + 8, 8);
	out->n = (body - LIST_HEAD) / LIST_ENTRY;
	out->v = arena_new_n(a, struct volume_snapshot_block, out->n + 1);
	for (size_t i = 0; i < out->n; i++) {
		const char *p = bytes.p + LIST_HEAD + i * LIST_ENTRY;
		out->v[i].index = (uint32_t)get_le(p, 4);
		memcpy(out->v[i].hash, p + 4, SNAPSHOT_HASH);
		if (i > 0 && out->v[i].index <= out->v[i - 1].index) return STATUS(CORRUPT);
		if ((uint64_t)out->v[i].index * VOLUME_BLOCK >= out->size) return STATUS(CORRUPT);
	}
	return OK;
}

static status list_store(struct volume_snapshots *s, const char *name, const struct volume_snapshot *l)
{
	struct arena a;
	arena_init(&a);
	struct str bytes = list_write(&a, l);
	char beside[200];
	snprintf(beside, sizeof(beside), "%s.%d.%d~", name, getpid(), gettid());
	int fd = openat(s->dir_fd, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	status r = fd < 0 ? refused("create a list") : files_write_at(fd, 0, bytes.p, bytes.n);
	if (is_ok(r) && fsync(fd) != 0) r = refused("sync a list");
	if (fd >= 0) close(fd);
	/* The blocks' names have to be on the disk before the list's: one sync of the file system serves all of them.
	 */
	if (is_ok(r) && syncfs(s->dir_fd) != 0) r = refused("sync");
	if (is_ok(r) && renameat(s->dir_fd, beside, s->dir_fd, name) != 0) r = refused("name a list");
	if (!is_ok(r))
		unlinkat(s->dir_fd, beside, 0);
	else if (syncfs(s->dir_fd) != 0)
		r = refused("sync");
	arena_cleanup(&a);
	return r;
}

static status list_load_name(struct volume_snapshots *s, struct arena *a, const char *name, struct volume_snapshot *out)
{
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return errno == ENOENT ? STATUS(NOT_FOUND) : refused("open a list");
	struct stat st;
	status r = fstat(fd, &st) == 0 ? OK : refused("stat a list");
	char *p = is_ok(r) ? arena_alloc_raw(a, (size_t)st.st_size) : NULL;
	if (is_ok(r)) r = files_read_at(fd, 0, p, (size_t)st.st_size);
	close(fd);
	TRY(r);
	return list_read(a, str_n(p, (size_t)st.st_size), out);
}

static bool stands(struct volume_snapshots *s, const char *name)
{
	return faccessat(s->dir_fd, name, F_OK, 0) == 0;
}

status volume_snapshot_load(struct volume_snapshots *s, struct arena *a, struct str id, struct volume_snapshot *out)
{
	char name[160];
	*out = (struct volume_snapshot){.sealed = true};
	TRY(list_name("lists", id, name));
	status r = list_load_name(s, a, name, out);
	if (!status_is(r, STATUS_NOT_FOUND)) return r;
	out->sealed = false;
	TRY(list_name("open", id, name));
	return list_load_name(s, a, name, out);
}

/* ── whole volumes ────────────────────────────────────────────────────────────────────────────────────────────── */

static void add_block(struct volume_snapshot *l, size_t *capacity, uint32_t index, const uint8_t hash[SNAPSHOT_HASH])
{
	if (l->n == *capacity) l->v = mem_grow(l->v, (*capacity = *capacity * 2 + 64) * sizeof(*l->v));
	l->v[l->n].index = index;
	memcpy(l->v[l->n++].hash, hash, SNAPSHOT_HASH);
}

static status take_blocks(struct volume_snapshots *s, int fd, struct volume_snapshot *l, uint64_t *added)
{
	char *room = mem_new(VOLUME_BLOCK);
	size_t capacity = 0;
	status r = OK;
	for (uint64_t at = 0; is_ok(r) && at < l->size;) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		if (data < 0 && errno == ENXIO) break;
		if (data < 0) {
			r = refused("seek");
			break;
		}
		at = (uint64_t)data / VOLUME_BLOCK * VOLUME_BLOCK;
		size_t n = l->size - at < VOLUME_BLOCK ? (size_t)(l->size - at) : VOLUME_BLOCK;
		memset(room + n, 0, VOLUME_BLOCK - n);
		r = files_read_at(fd, at, room, n);
		uint8_t hash[SNAPSHOT_HASH];
		if (is_ok(r) && !all_zero(room, n)) {
			r = block_store(s, room, hash, added);
			if (is_ok(r)) add_block(l, &capacity, (uint32_t)(at / VOLUME_BLOCK), hash);
		}
		at += VOLUME_BLOCK;
	}
	free(room);
	return r;
}

status volume_snapshot_take(struct volume_snapshots *s, struct str id, const char *volume, uint64_t *added)
{
	char name[160];
	TRY(list_name("lists", id, name));
	if (added) *added = 0;
	int fd = open(volume, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return errno == ENOENT ? STATUS(NOT_FOUND) : refused("open a volume");
	int held = lock(s, LOCK_SH);
	struct stat st;
	struct volume_snapshot l = {0};
	status r = held < 0 || fstat(fd, &st) != 0 ? refused("lock") : OK;
	if (is_ok(r) && stands(s, name)) r = STATUS(BUSY);
	if (is_ok(r)) {
		l.size = (uint64_t)st.st_size;
		r = take_blocks(s, fd, &l, added);
	}
	if (is_ok(r)) r = list_store(s, name, &l);
	free(l.v);
	if (held >= 0) close(held);
	close(fd);
	return r;
}

static status fill(struct volume_snapshots *s, const struct volume_snapshot *l, int out)
{
	char *room = mem_new(VOLUME_BLOCK);
	status r = OK;
	for (size_t i = 0; i < l->n && is_ok(r); i++) {
		uint64_t at = (uint64_t)l->v[i].index * VOLUME_BLOCK;
		r = block_load(s, l->v[i].hash, room);
		/* A block is mostly holes in a young file system: 4 KiB at a time keeps them. */
		for (size_t k = 0; is_ok(r) && k < VOLUME_BLOCK && at + k < l->size; k += 4096) {
			size_t n = l->size - at - k < 4096 ? (size_t)(l->size - at - k) : 4096;
			size_t run = n;
			if (all_zero(room + k, n)) continue;
			while (n == 4096 && k + run < VOLUME_BLOCK && at + k + run + 4096 <= l->size &&
				!all_zero(room + k + run, 4096))
				run += 4096;
			r = files_write_at(out, at + k, room + k, run);
			if (run > 4096) k += run - 4096;
		}
	}
	free(room);
	return r;
}

status volume_snapshot_restore(struct volume_snapshots *s, struct str id, const char *volume, uint64_t size)
{
	struct arena a;
	arena_init(&a);
	struct volume_snapshot l;
	status r = volume_snapshot_load(s, &a, id, &l);
	if (is_ok(r) && size < l.size) r = STATUS(INVALID);
	if (is_ok(r)) r = volume_create(volume, size);
	if (is_ok(r)) {
		int fd = open(volume, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		r = fd < 0 ? refused("open a volume") : fill(s, &l, fd);
		if (is_ok(r) && fsync(fd) != 0) r = refused("sync a volume");
		if (fd >= 0) close(fd);
		if (!is_ok(r)) unlink(volume);
	}
	arena_cleanup(&a);
	return r;
}

/* ── lists as a whole ─────────────────────────────────────────────────────────────────────────────────────────── */

status volume_snapshot_copy(struct volume_snapshots *s, struct str from, struct str to)
{
	char name[160];
	TRY(list_name("lists", to, name));
	struct arena a;
	arena_init(&a);
	int held = lock(s, LOCK_SH);
	struct volume_snapshot l;
	status r = held < 0 ? refused("lock") : volume_snapshot_load(s, &a, from, &l);
	if (is_ok(r) && !l.sealed) r = STATUS(INVALID);
	if (is_ok(r) && stands(s, name)) r = STATUS(BUSY);
	if (is_ok(r)) r = list_store(s, name, &l);
	if (held >= 0) close(held);
	arena_cleanup(&a);
	return r;
}

status volume_snapshot_remove(struct volume_snapshots *s, struct str id)
{
	static const char *const places[] = {"lists", "open"};
	for (size_t i = 0; i < 2; i++) {
		char name[160];
		TRY(list_name(places[i], id, name));
		if (unlinkat(s->dir_fd, name, 0) != 0 && errno != ENOENT) return refused("remove a list");
	}
	return OK;
}

status volume_snapshot_begin(struct volume_snapshots *s, struct str id, uint64_t size, struct str parent)
{
	char name[160], sealed[160];
	TRY(list_name("open", id, name));
	TRY(list_name("lists", id, sealed));
	struct arena a;
	arena_init(&a);
	int held = lock(s, LOCK_SH);
	struct volume_snapshot l = {0};
	status r = held < 0 ? refused("lock") : OK;
	if (is_ok(r) && (stands(s, name) || stands(s, sealed))) r = STATUS(BUSY);
	if (is_ok(r) && str_has(parent)) r = volume_snapshot_load(s, &a, parent, &l);
	if (is_ok(r) && size < l.size) r = STATUS(INVALID);
	l.size = size;
	if (is_ok(r)) r = list_store(s, name, &l);
	if (held >= 0) close(held);
	arena_cleanup(&a);
	return r;
}

static size_t place_of(const struct volume_snapshot *l, uint32_t index)
{
	size_t low = 0, high = l->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (l->v[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void replace(struct arena *a, struct volume_snapshot *l, uint32_t index, const uint8_t *hash)
{
	size_t at = place_of(l, index);
	bool there = at < l->n && l->v[at].index == index;
	struct volume_snapshot_block *v = arena_new_n(a, struct volume_snapshot_block, l->n + 1);
	size_t n = 0;
	for (size_t i = 0; i < at; i++) v[n++] = l->v[i];
	if (hash) {
		v[n].index = index;
		memcpy(v[n++].hash, hash, SNAPSHOT_HASH);
	}
	for (size_t i = at + there; i < l->n; i++) v[n++] = l->v[i];
	l->v = v, l->n = n;
}

status volume_snapshot_put(struct volume_snapshots *s, struct str id, uint32_t index, const void *block)
{
	char name[160], sealed[160];
	TRY(list_name("open", id, name));
	TRY(list_name("lists", id, sealed));
	struct arena a;
	arena_init(&a);
	/* Puts to one snapshot come in parallel: the block under the shared lock, the list under the other. */
	int held = lock(s, LOCK_SH);
	uint8_t hash[SNAPSHOT_HASH];
	bool empty = all_zero(block, VOLUME_BLOCK);
	status r = held < 0            ? refused("lock")
		   : stands(s, sealed) ? STATUS(BUSY)
		   : stands(s, name)   ? OK
				       : STATUS(NOT_FOUND);
	if (is_ok(r) && !empty) r = block_store(s, block, hash, NULL);
	if (held >= 0) close(held);
	/* Between the two locks a sweep may take the block away: so it is looked for again. */
	held = is_ok(r) ? lock(s, LOCK_EX) : -1;
	struct volume_snapshot l;
	if (is_ok(r)) r = held < 0 ? refused("lock") : list_load_name(s, &a, name, &l);
	if (is_ok(r) && (uint64_t)index * VOLUME_BLOCK >= l.size) r = STATUS(INVALID);
	if (is_ok(r) && !empty) r = block_store(s, block, hash, NULL);
	if (is_ok(r)) {
		replace(&a, &l, index, empty ? NULL : hash);
		r = list_store(s, name, &l);
	}
	if (held >= 0) close(held);
	arena_cleanup(&a);
	return r;
}

status volume_snapshot_seal(struct volume_snapshots *s, struct str id)
{
	char name[160], sealed[160];
	TRY(list_name("open", id, name));
	TRY(list_name("lists", id, sealed));
	int held = lock(s, LOCK_EX);
	if (held < 0) return refused("lock");
	status r = stands(s, sealed) ? STATUS(BUSY) : OK;
	if (is_ok(r) && renameat(s->dir_fd, name, s->dir_fd, sealed) != 0)
		r = errno == ENOENT ? STATUS(NOT_FOUND) : refused("seal");
	if (is_ok(r) && syncfs(s->dir_fd) != 0) r = refused("sync");
	close(held);
	return r;
}

status volume_snapshot_get(struct volume_snapshots *s, struct str id, uint32_t index, void *block)
{
	struct arena a;
	arena_init(&a);
	struct volume_snapshot l;
	status r = volume_snapshot_load(s, &a, id, &l);
	size_t at = is_ok(r) ? place_of(&l, index) : 0;
	if (is_ok(r)) r = at < l.n && l.v[at].index == index ? block_load(s, l.v[at].hash, block) : STATUS(NOT_FOUND);
	arena_cleanup(&a);
	return r;
}

/* ── sweeping ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct marks {
	struct volume_snapshot_block *v; /* only the hashes count */
	size_t n, capacity;
};

static int by_hash(const void *x, const void *y)
{
	const struct volume_snapshot_block *a = x, *b = y;
	return memcmp(a->hash, b->hash, SNAPSHOT_HASH);
}

/* Calls fn for each name in the folder; false when the folder cannot be read. */
static bool each_name(struct volume_snapshots *s, const char *folder,
	bool (*fn)(struct volume_snapshots *, const char *, void *), void *ctx)
{
	int fd = openat(s->dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) return false;
	bool good = true;
	for (struct dirent *e; good && (e = readdir(d));) {
		char name[PATH_MAX];
		if (e->d_name[0] == '.') continue;
		snprintf(name, sizeof(name), "%s/%s", folder, e->d_name);
		good = fn(s, name, ctx);
	}
	closedir(d);
	return good;
}

static bool mark(struct volume_snapshots *s, const char *name, void *ctx)
{
	struct marks *m = ctx;
	if (str_ends(str_c(name), STR("~"))) return unlinkat(s->dir_fd, name, 0) == 0;
	struct arena a;
	arena_init(&a);
	struct volume_snapshot l;
	/* A list that cannot be read keeps everything: better room lost than data. */
	bool good = is_ok(list_load_name(s, &a, name, &l));
	for (size_t i = 0; good && i < l.n; i++) {
		if (m->n == m->capacity) m->v = mem_grow(m->v, (m->capacity = m->capacity * 2 + 256) * sizeof(*m->v));
		m->v[m->n++] = l.v[i];
	}
	arena_cleanup(&a);
	return good;
}

struct sweep {
	struct marks marks;
	uint64_t freed;
};

static bool sweep_block(struct volume_snapshots *s, const char *name, void *ctx)
{
	struct sweep *w = ctx;
	struct volume_snapshot_block key = {0};
	struct str hex = str_from(str_c(name), sizeof("blocks/") - 1);
	bool is_block = hex.n == SNAPSHOT_HASH * 2 + 1;
	for (size_t i = 0, k = 0; is_block && k < SNAPSHOT_HASH; i += 2) {
		if (hex.p[i] == '/') i++;
		unsigned byte = 0;
		if (sscanf(hex.p + i, "%2x", &byte) != 1) is_block = false;
		key.hash[k++] = (uint8_t)byte;
	}
	if (is_block && w->marks.n && bsearch(&key, w->marks.v, w->marks.n, sizeof(key), by_hash)) return true;
	if (unlinkat(s->dir_fd, name, 0) != 0) return false;
	w->freed += VOLUME_BLOCK;
	return true;
}

static bool sweep_folder(struct volume_snapshots *s, const char *name, void *ctx)
{
	return each_name(s, name, sweep_block, ctx);
}

status volume_snapshot_sweep(struct volume_snapshots *s, uint64_t *freed)
{
	struct sweep w = {0};
	int held = lock(s, LOCK_EX);
	bool good = held >= 0 && each_name(s, "lists", mark, &w.marks) && each_name(s, "open", mark, &w.marks);
	if (good && w.marks.n) qsort(w.marks.v, w.marks.n, sizeof(*w.marks.v), by_hash);
	if (good) good = each_name(s, "blocks", sweep_folder, &w);
	if (held >= 0) close(held);
	free(w.marks.v);
	if (freed) *freed = w.freed;
	return good ? OK : refused("sweep");
}
