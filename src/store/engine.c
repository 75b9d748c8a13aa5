/* The data folder and the engine in it:
 *     LOCK      held (flock) while the store is open
 *     FORMAT    the version of this layout
 *     db/       RocksDB: records and small bodies (one column family: each costs more syncs at open and a memtable)
 *     blobs/    large bodies (blob.c)
 * RocksDB is tuned for a small idle footprint and a fast open: memory is taken as it is used (memtables, block cache) and
 * given back when idle, nothing is read or checked at open beyond the manifest and the log. */
#include "base/buf.h"
#include "base/log.h"
#include "store/engine.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define CACHE_BYTES (64 * MIB)
#define MEMTABLE_BYTES (16 * MIB)
#define LOG_BYTES (48 * MIB)        /* more than that in the log flushes memtables: bounds the replay after a crash */
#define IDLE_FLUSH_BYTES (512u << 10) /* memtables larger than that are flushed when idle and at close */
#define OPEN_FILES 256
#define SEPARATE_BYTES 4096 /* values from this size are in files of their own, so that compaction moves keys only */

bool engine_failed(const char *what, char *error)
{
	if (!error) return false;
	log_error("store", "engine_failed", "what=%s error=\"%s\"", what, error);
	rocksdb_free(error);
	return true;
}

static rocksdb_block_based_table_options_t *table_options(rocksdb_cache_t *cache)
{
	rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_cache(t, cache);
	rocksdb_block_based_options_set_block_size(t, 8192);
	rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
	rocksdb_block_based_options_set_format_version(t, 5);
	/* Whole, a large file's filter and index are each a block of some 100 KiB to MiB: more than a shard of the cache
	 * holds, so that every get would read them again. In parts, a get reads and keeps 4 KiB of them. */
	rocksdb_block_based_options_set_index_type(t, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(t, 1);
	rocksdb_block_based_options_set_metadata_block_size(t, 4096);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(t, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
	return t;
}

static rocksdb_options_t *engine_options(rocksdb_cache_t *cache)
{
	rocksdb_options_t *o = rocksdb_options_create(), *all = rocksdb_options_create();
	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
	rocksdb_options_set_skip_checking_sst_file_sizes_on_db_open(o, 1);
	rocksdb_options_set_max_open_files(o, OPEN_FILES);
	rocksdb_options_set_max_file_opening_threads(o, 1);
	rocksdb_options_set_max_background_jobs(o, 2);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	rocksdb_options_set_info_log_level(o, 3); /* errors */
	rocksdb_options_set_keep_log_file_num(o, 1);
	rocksdb_options_set_max_log_file_size(o, MIB);
	rocksdb_options_set_manifest_preallocation_size(o, 64 << 10);
	rocksdb_options_set_max_manifest_file_size(o, 4 * MIB);
	rocksdb_options_set_max_total_wal_size(o, LOG_BYTES);
	rocksdb_options_set_bytes_per_sync(o, MIB);
	rocksdb_options_set_write_buffer_size(o, MEMTABLE_BYTES);
	rocksdb_options_set_max_write_buffer_number(o, 3);
	rocksdb_options_set_arena_block_size(o, 256 << 10);
	/* What is not there (keys that nobody issued, new items) is found missing without walking the skip list. */
	rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, 0.02);
	rocksdb_options_set_memtable_whole_key_filtering(o, 1);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	rocksdb_options_set_target_file_size_base(o, 16 * MIB);
	rocksdb_options_set_max_bytes_for_level_base(o, 64 * MIB);
	rocksdb_options_set_compression(o, rocksdb_lz4_compression);
	rocksdb_block_based_table_options_t *t = table_options(cache);
	rocksdb_options_set_block_based_table_factory(o, t);
	rocksdb_block_based_options_destroy(t);
	rocksdb_options_set_enable_blob_files(o, 1);
	rocksdb_options_set_min_blob_size(o, SEPARATE_BYTES);
	rocksdb_options_set_blob_file_size(o, 64 * MIB);
	rocksdb_options_set_enable_blob_gc(o, 1);
	rocksdb_options_set_blob_gc_force_threshold(o, 0.5);
	/* A log that is short is replayed at each open rather than written out: that costs less than a file and its syncs. */
	char *error = NULL;
	rocksdb_get_options_from_string(o, "avoid_flush_during_recovery=true", all, &error);
	INVARIANT(error == NULL);
	rocksdb_options_destroy(o);
	return all;
}

static status open_engine(struct store *s, struct arena *a, struct str *why)
{
	rocksdb_env_t *env = rocksdb_create_default_env();
	rocksdb_env_set_background_threads(env, 1);
	rocksdb_env_set_high_priority_background_threads(env, 1);
	s->cache = rocksdb_cache_create_lru(CACHE_BYTES);
	s->options = engine_options(s->cache);
	rocksdb_options_set_env(s->options, env);
	rocksdb_env_destroy(env); /* the default one lives on */
	s->write = rocksdb_writeoptions_create();
	char *error = NULL;
	s->db = rocksdb_open(s->options, str_z(a, str_fmt(a, "%sdb", s->dir)), &error);
	if (error) {
		*why = str_fmt(a, "the data folder %s cannot be opened: %s", s->dir, error);
		rocksdb_free(error);
		return STATUS(IO);
	}
	return OK;
}

static status fail_errno(struct arena *a, struct str *why, const char *what, const char *path)
{
	int e = errno;
	*why = str_fmt(a, "%s %s: %s", what, path, strerror(e));
	return STATUS(IO);
}

/* Not synced here: that waits until there is something to keep (engine_sync). */
static status write_format(struct store *s, struct arena *a, struct str *why)
{
	int fd = openat(s->dir_fd, "FORMAT", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) return fail_errno(a, why, "cannot write in", s->dir);
	struct str text = str_fmt(a, "%d\n", STORE_FORMAT);
	bool ok = write(fd, text.p, text.n) == (ssize_t)text.n;
	close(fd);
	atomic_store_explicit(&s->unsynced, true, memory_order_relaxed);
	return ok ? OK : fail_errno(a, why, "cannot write in", s->dir);
}

static status check_format(struct store *s, struct arena *a, struct str *why)
{
	char text[32];
	int fd = openat(s->dir_fd, "FORMAT", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) return write_format(s, a, why);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (n < 0) return fail_errno(a, why, "cannot read FORMAT in", s->dir);
	close(fd);
	if (n == 0) return write_format(s, a, why); /* the machine died before the first commit */
	uint64_t version = 0;
	if (text[n - 1] != '\n' || !is_ok(str_to_u64(str_n(text, (size_t)n - 1), &version)) || version == 0) {
		*why = str_fmt(a, "the FORMAT file in %s is damaged", s->dir);
		return STATUS(CORRUPT);
	}
	if (version <= STORE_FORMAT) return OK;
	*why = str_fmt(a, "the data folder %s has format %llu; this program knows up to %d", s->dir,
		(unsigned long long)version, STORE_FORMAT);
	return STATUS(LIMIT);
}

static status open_folder(struct store *s, struct arena *a, struct str *why)
{
	if (mkdir(s->dir, 0700) != 0 && errno != EEXIST) return fail_errno(a, why, "cannot make", s->dir);
	s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0) return fail_errno(a, why, "cannot open", s->dir);
	s->lock_fd = openat(s->dir_fd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0) return fail_errno(a, why, "cannot write in", s->dir);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		*why = str_fmt(a, "the data folder %s is in use by another virga", s->dir);
		return STATUS(BUSY);
	}
	if (mkdirat(s->dir_fd, "blobs", 0700) != 0 && errno != EEXIST) return fail_errno(a, why, "cannot write in", s->dir);
	return check_format(s, a, why);
}

static void engine_free(struct store *s)
{
	if (s->db) rocksdb_close(s->db);
	if (s->options) rocksdb_options_destroy(s->options);
	if (s->write) rocksdb_writeoptions_destroy(s->write);
	if (s->cache) rocksdb_cache_destroy(s->cache);
	if (s->lock_fd >= 0) close(s->lock_fd);
	if (s->dir_fd >= 0) close(s->dir_fd);
	pthread_rwlock_destroy(&s->commit_lock);
	free(s->dir);
	free(s);
}

status store_open(const struct store_options *o, struct arena *a, struct store **out, struct str *why)
{
	struct store *s = mem_new(sizeof *s);
	size_t n = strlen(o->dir);
	s->dir = mem_new(n + 2);
	memcpy(s->dir, o->dir, n);
	if (n == 0 || s->dir[n - 1] != '/') s->dir[n] = '/';
	s->durability = o->durability;
	s->dir_fd = s->lock_fd = -1;
	pthread_rwlockattr_t fair; /* else a steady stream of commits keeps store_require_empty waiting for ever */
	pthread_rwlockattr_init(&fair);
	pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&s->commit_lock, &fair);
	pthread_rwlockattr_destroy(&fair);

	status result = open_folder(s, a, why);
	if (is_ok(result)) result = open_engine(s, a, why);
	if (!is_ok(result)) {
		engine_free(s);
		return result;
	}
	versions_init(&s->versions);
	result = blobs_open(s);
	if (is_ok(result)) result = syncer_start(s);
	if (!is_ok(result)) {
		*why = STR("the store cannot start; see the log");
		versions_cleanup(s);
		engine_free(s);
		return result;
	}
	*out = s;
	return OK;
}

void store_close(struct store *s)
{
	if (!s) return;
	blobs_close(s);
	syncer_stop(s);
	versions_cleanup(s);
	if (s->durability != DURABILITY_NONE) engine_flush_idle(s);
	engine_free(s);
}

static status sync_folder(struct store *s)
{
	int fd = openat(s->dir_fd, "FORMAT", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0 && fsync(s->dir_fd) == 0;
	int e = errno, parent = openat(s->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent >= 0) { /* it may not be ours to open */
		ok = fsync(parent) == 0 && ok;
		close(parent);
	}
	if (fd >= 0) close(fd);
	if (!ok) log_error("store", "engine_failed", "what=sync_folder errno=%d", e);
	return ok ? OK : STATUS(IO);
}

status engine_sync(struct store *s)
{
	if (atomic_load_explicit(&s->unsynced, memory_order_relaxed)) {
		TRY(sync_folder(s));
		atomic_store_explicit(&s->unsynced, false, memory_order_relaxed);
	}
	if (atomic_load_explicit(&s->space.log_failed, memory_order_acquire)) return space_sync_logs(s);
	char *error = NULL;
	rocksdb_flush_wal(s->db, 1, &error);
	return engine_failed("sync", error) ? STATUS(IO) : OK;
}

static uint64_t property(struct store *s, const char *name)
{
	uint64_t v = 0;
	return rocksdb_property_int(s->db, name, &v) == 0 ? v : 0;
}

void engine_flush_idle(struct store *s)
{
	if (atomic_load_explicit(&s->space.log_failed, memory_order_acquire)) return;
	if (property(s, "rocksdb.cur-size-active-mem-table") < IDLE_FLUSH_BYTES) return;
	rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
	rocksdb_flushoptions_set_wait(f, 1);
	char *error = NULL;
	rocksdb_flush(s->db, f, &error);
	engine_failed("flush", error);
	rocksdb_flushoptions_destroy(f);
}

/* From the outside a deletion of a range looks like a commit that touched every key. */
static status delete_all(struct store *s, struct str from, struct str to, bool bodies)
{
	TRY(space_check(s, 0));
	pthread_rwlock_wrlock(&s->commit_lock);
	rocksdb_writebatch_t *b = rocksdb_writebatch_create();
	rocksdb_writebatch_delete_range(b, from.p, from.n, to.p, to.n);
	if (bodies) {
		char kinds[] = {BLOB_COUNT, BLOB_INLINE};
		for (size_t i = 0; i < sizeof kinds; i++) {
			char first[] = {SYSTEM_KEY, kinds[i]}, last[] = {SYSTEM_KEY, (char)(kinds[i] + 1)};
			rocksdb_writebatch_delete_range(b, first, sizeof first, last, sizeof last);
		}
	}
	struct blob_ids files = {0};
	if (bodies) files = blob_all_ids(s);
	uint64_t version = 0;
	status result = version_claim(&s->versions, UINT64_MAX, NULL, 0, NULL, 0, &version);
	INVARIANT(is_ok(result));
	pthread_mutex_lock(&s->versions.lock);
	s->versions.floor = version;
	pthread_mutex_unlock(&s->versions.lock);
	char *error = NULL;
	rocksdb_write(s->db, s->write, b, &error);
	if (error) space_log_failed(s);
	version_finish(s, version);
	rocksdb_writebatch_destroy(b);
	pthread_rwlock_unlock(&s->commit_lock);
	for (size_t i = 0; !error && i < files.n; i++) syncer_unlink_later(s, version, files.v[i]);
	free(files.v);
	syncer_committed(s);
	if (engine_failed("delete_range", error)) return STATUS(IO);
	store_wait(s, version);
	return OK;
}

static const struct str all_from = {"\x02", 1}, all_to = {"\xff", 1};

status store_delete_range(struct store *s, struct str from, struct str to)
{
	if (str_cmp(from, all_from) < 0) from = all_from;
	return str_cmp(from, to) < 0 ? delete_all(s, from, to, false) : OK;
}

status store_clear(struct store *s) { return delete_all(s, all_from, all_to, true); }

void store_metrics(struct store *s, struct store_metrics *out)
{
	*out = (struct store_metrics){
		.commits = atomic_load_explicit(&s->commits, memory_order_relaxed),
		.conflicts = atomic_load_explicit(&s->conflicts, memory_order_relaxed),
		.syncs = atomic_load_explicit(&s->syncs, memory_order_relaxed),
		.gets = atomic_load_explicit(&s->gets, memory_order_relaxed),
		.scans = atomic_load_explicit(&s->scans, memory_order_relaxed),
		.memory_bytes = rocksdb_cache_get_usage(s->cache),
	};
	out->memory_bytes += property(s, "rocksdb.size-all-mem-tables");
	out->disk_bytes = property(s, "rocksdb.total-sst-files-size") + property(s, "rocksdb.total-blob-file-size");
}

const char *store_dir(const struct store *s) { return s->dir; }
