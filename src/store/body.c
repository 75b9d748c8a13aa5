/* Ids, names and reference counts of bodies. Ids come from a stored sequence and are reserved in blocks, a new one for each
 * run, so that an id that anything durable refers to is never used again, whatever became of its body; the block that a
 * file's id belongs to so also tells which run wrote it. A file has its count at (0x01, 'b', id); an inline body, at
 * (0x01, 'd', id), has a count only while there is more than one reference. */
#include "base/log.h"
#include "base/vec.h"
#include "store/engine.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IDS_PER_BLOCK (UINT64_C(1) << 20)
static const char next_key[] = {SYSTEM_KEY, 'n'};

status blobs_open(struct store *s)
{
	struct blobs *b = &s->blobs;
	pthread_mutex_init(&b->lock, NULL);
	rocksdb_readoptions_t *read = rocksdb_readoptions_create();
	char *error = NULL;
	size_t n = 0;
	char *v = rocksdb_get(s->db, read, next_key, sizeof next_key, &n, &error);
	rocksdb_readoptions_destroy(read);
	if (engine_failed("blobs_open", error)) return STATUS(IO);
	b->next = 1;
	if (v && n == sizeof b->next) memcpy(&b->next, v, n);
	rocksdb_free(v);
	b->first = b->limit = b->next;
	return OK;
}

void blobs_close(struct store *s)
{
	struct blobs *b = &s->blobs;
	atomic_store_explicit(&b->stop, true, memory_order_relaxed);
	if (b->sweeping) pthread_join(b->sweeper, NULL);
	pthread_mutex_destroy(&b->lock);
}

status blob_new_id(struct store *s, uint64_t *id)
{
	struct blobs *b = &s->blobs;
	char *error = NULL;
	TRY(space_check(s, BLOB_BLOCK));
	pthread_mutex_lock(&b->lock);
	if (b->next == b->limit) {
		uint64_t limit = b->limit + IDS_PER_BLOCK;
		/* Not synced: it precedes in the log whatever will refer to these ids. */
		rocksdb_put(s->db, s->write, next_key, sizeof next_key, (const char *)&limit, sizeof limit, &error);
		if (error)
			space_log_failed(s);
		else
			b->limit = limit;
	}
	if (!error) *id = b->next++;
	pthread_mutex_unlock(&b->lock);
	return engine_failed("blob_new_id", error) ? STATUS(IO) : OK;
}

void blob_name(uint64_t id, char name[BLOB_NAME_BYTES])
{
	snprintf(name, BLOB_NAME_BYTES, "blobs/%02x/%016llx", (unsigned)(id & 0xff), (unsigned long long)id);
}

struct str blob_key(char kind, uint64_t id, char key[BLOB_KEY_BYTES])
{
	key[0] = SYSTEM_KEY;
	key[1] = kind;
	uint64_t sorted = __builtin_bswap64(id);
	memcpy(key + 2, &sorted, sizeof sorted);
	return str_n(key, BLOB_KEY_BYTES);
}

bool blob_is_counted(struct store *s, const rocksdb_readoptions_t *read, uint64_t id)
{
	char key[BLOB_KEY_BYTES], *error = NULL;
	blob_key(BLOB_COUNT, id, key);
	rocksdb_pinnableslice_t *found = rocksdb_get_pinned(s->db, read, key, sizeof key, &error);
	if (engine_failed("blob_is_counted", error)) return true; /* when in doubt the file stays */
	if (found) rocksdb_pinnableslice_destroy(found);
	return found != NULL;
}

struct blob_ids blob_all_ids(struct store *s)
{
	struct blob_ids ids = {0};
	char from[BLOB_KEY_BYTES], to[] = {SYSTEM_KEY, BLOB_COUNT + 1};
	blob_key(BLOB_COUNT, 0, from);
	rocksdb_readoptions_t *read = rocksdb_readoptions_create();
	rocksdb_readoptions_set_iterate_upper_bound(read, to, sizeof to);
	rocksdb_iterator_t *i = rocksdb_create_iterator(s->db, read);
	for (rocksdb_iter_seek(i, from, sizeof from); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		size_t n = 0;
		const char *key = rocksdb_iter_key(i, &n);
		if (n != BLOB_KEY_BYTES) continue;
		if (ids.n == ids.capacity) {
			ids.capacity = ids.capacity ? 2 * ids.capacity : 256;
			ids.v = mem_grow(ids.v, ids.capacity * sizeof *ids.v);
		}
		uint64_t id;
		memcpy(&id, key + 2, sizeof id);
		ids.v[ids.n++] = __builtin_bswap64(id);
	}
	rocksdb_iter_destroy(i);
	rocksdb_readoptions_destroy(read);
	return ids;
}

/* ── references ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct tx_body *find_body(struct store_tx *tx, uint64_t id)
{
	for (size_t i = tx->bodies.n; i > 0; i--)
		if (tx->bodies.v[i - 1].id == id) return &tx->bodies.v[i - 1];
	return NULL;
}

static bool inline_exists(struct store_tx *tx, uint64_t id, status *failure)
{
	const struct tx_body *own = find_body(tx, id);
	if (own) return own->writer != NULL;
	char space[BLOB_KEY_BYTES];
	struct str key = blob_key(BLOB_INLINE, id, space);
	char *error = NULL;
	rocksdb_pinnableslice_t *found = rocksdb_get_pinned(tx->store->db, tx_read(tx), key.p, key.n, &error);
	if (engine_failed("blob_retain", error)) *failure = STATUS(IO);
	if (found) rocksdb_pinnableslice_destroy(found);
	return found != NULL;
}

/* How many references there are, as stored; 0 where no count is stored. */
static status stored_count(struct store_tx *tx, struct str key, uint64_t *count)
{
	struct str v;
	*count = 0;
	status r = store_get(tx, key, &v);
	if (status_is(r, STATUS_NOT_FOUND)) return OK;
	TRY(r);
	if (v.n != sizeof *count) return STATUS(CORRUPT);
	memcpy(count, v.p, sizeof *count);
	return OK;
}

static void put_count(struct store_tx *tx, struct str key, uint64_t count)
{
	store_put(tx, key, str_n(&count, sizeof count));
}

status blob_retain(struct store_tx *tx, struct blob_ref ref)
{
	if (ref.id == 0) return OK;
	char space[BLOB_KEY_BYTES];
	struct str key = blob_key(BLOB_COUNT, ref.id, space);
	uint64_t count = 0;
	TRY(stored_count(tx, key, &count));
	if (count == 0 && ref.inlined) {
		status failure = STATUS(NOT_FOUND);
		if (!inline_exists(tx, ref.id, &failure)) return failure;
		count = 1;
	}
	if (count == 0) return STATUS(NOT_FOUND);
	put_count(tx, key, count + 1);
	return OK;
}

status blob_release(struct store_tx *tx, struct blob_ref ref)
{
	if (ref.id == 0) return OK;
	char space[BLOB_KEY_BYTES];
	struct str key = blob_key(BLOB_COUNT, ref.id, space);
	uint64_t count = 0;
	TRY(stored_count(tx, key, &count));
	if (count == 0 && !ref.inlined) return STATUS(NOT_FOUND);
	if (count > 1 && !(ref.inlined && count == 2)) {
		put_count(tx, key, count - 1);
		return OK;
	}
	if (count > 0)
		store_delete(tx, key);
	else
		tx_mark(tx, key); /* a count that somebody adds meanwhile must conflict */
	if (count < 2)
		*VEC_PUSH(tx->arena, &tx->bodies, &tx->bodies_capacity) =
			(struct tx_body){.id = ref.id, .inlined = ref.inlined};
	return OK;
}

/* ── sweep ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool parse_id(const char *name, uint64_t *id)
{
	uint64_t v = 0;
	for (size_t i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *d = name[i] ? strchr(digits, name[i]) : NULL;
		if (!d) return false;
		v = v << 4 | (uint64_t)(d - digits);
	}
	*id = v;
	return name[16] == 0;
}

static size_t sweep_dir(struct store *s, const rocksdb_readoptions_t *read, const char *name)
{
	int fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		if (fd >= 0) close(fd);
		return 0;
	}
	size_t removed = 0;
	for (struct dirent *e; (e = readdir(d)) && !atomic_load_explicit(&s->blobs.stop, memory_order_relaxed);) {
		uint64_t id;
		if (!parse_id(e->d_name, &id) || id >= s->blobs.first || blob_is_counted(s, read, id)) continue;
		if (unlinkat(fd, e->d_name, 0) == 0) removed++;
	}
	closedir(d);
	return removed;
}

/* Looks at the store as it was when it began: a file that is released meanwhile is not for the sweep, for others may still
 * read it. */
static void *sweep(void *arg)
{
	struct store *s = arg;
	struct snapshot *n = snapshot_take(s);
	size_t removed = 0;
	for (unsigned i = 0; i < 256 && !atomic_load_explicit(&s->blobs.stop, memory_order_relaxed); i++) {
		char name[16];
		snprintf(name, sizeof name, "blobs/%02x", i);
		removed += sweep_dir(s, n->read, name);
	}
	snapshot_drop(s, n);
	if (removed > 0) log_info("store", "blobs_swept", "files=%zu", removed);
	return NULL;
}

void blob_sweep(struct store *s)
{
	INVARIANT(!s->blobs.sweeping);
	s->blobs.sweeping = pthread_create(&s->blobs.sweeper, NULL, sweep, s) == 0;
	if (!s->blobs.sweeping) log_warn("store", "sweep_failed", "why=\"no thread\"");
}
