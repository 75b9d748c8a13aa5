/* Inside the store room only: the store's parts and how they meet. Each part is one file: engine.c (folder, RocksDB),
 * version.c (who may commit, what a snapshot is), overlay.c (a transaction's own writes), tx.c and scan.c (reading and
 * committing), sync.c (what is durable), body.c, blob.c, blob_read.c and blob_sweep.c (bodies). */
#pragma once
#include "store/blob.h"
#include "store/store.h"
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>

/* The store's own keys begin with this byte, which store/key.h never makes. */
#define SYSTEM_KEY 0x01
#define STORE_FORMAT 1

/* ── versions ────────────────────────────────────────────────────────────────────────────────────────────────────────
 * Every commit has a number. A transaction remembers the newest number `seen` that was wholly in the engine when it began;
 * a table of slots, indexed by a hash of the key, holds the number of the last commit that touched the slot. A commit
 * passes if none of its slots is newer than `seen`. Two keys that share a slot can only cause a needless retry. */
#define VERSION_SLOTS (1u << 17)
#define VERSION_FLIGHT 4096u /* commits that may be on their way to the engine at once */

struct snapshot {
	uint64_t seen;     /* all commits up to it are visible */
	uint64_t finished; /* value of versions.finished when it was taken */
	const rocksdb_snapshot_t *snapshot;
	rocksdb_readoptions_t *read;
	unsigned refs;
	struct snapshot *older, *newer;
};
struct versions {
	pthread_mutex_t lock;
	pthread_cond_t moved; /* done has moved */
	unsigned waiters;
	uint64_t next;
	_Atomic uint64_t done; /* this commit and all before it are in the engine */
	uint64_t finished;     /* number of commits that are in the engine, in any order */
	uint64_t floor;        /* transactions that saw less cannot commit */
	uint64_t *slots;
	unsigned char *flight; /* ring of VERSION_FLIGHT: commit (done, next) has arrived */
	struct snapshot *current, *oldest, *newest;
};
void versions_init(struct versions *v);
void versions_cleanup(struct store *s);
uint32_t version_slot(struct str key);
struct snapshot *snapshot_take(struct store *s);
void snapshot_drop(struct store *s, struct snapshot *n);
/* CONFLICT where a commit of these reads would answer it already. */
status version_check(struct versions *v, uint64_t seen, const uint32_t *reads, size_t n_reads) MUST_USE;
/* CONFLICT, or OK with the new commit's number; version_finish must follow, whether the write succeeds or not. */
status version_claim(struct versions *v, uint64_t seen, const uint32_t *reads, size_t n_reads, const uint32_t *writes,
	size_t n_writes, uint64_t *version) MUST_USE;
void version_finish(struct store *s, uint64_t version);
/* The oldest snapshot still in use has seen at least this. */
uint64_t version_oldest_seen(struct store *s);

/* ── a transaction's own writes: a skip list in the arena ────────────────────────────────────────────────────────────── */
#define OVERLAY_HEIGHT 12
struct overlay_node {
	struct str key, value;
	bool deleted;
	struct overlay_node *next[]; /* as high as the node */
};
struct overlay {
	struct overlay_node *head; /* OVERLAY_HEIGHT high; NULL while empty */
	size_t count;
	uint64_t changes; /* grows when a node is added */
	uint64_t random;
};
struct overlay_node *overlay_find(const struct overlay *o, struct str key);
/* First node with a key >= key; last with a key < key. NULL where there is none. */
struct overlay_node *overlay_at_least(const struct overlay *o, struct str key);
struct overlay_node *overlay_below(const struct overlay *o, struct str key);
static inline struct overlay_node *overlay_first(const struct overlay *o) { return o->head ? o->head->next[0] : NULL; }
/* key and value must live in the arena. */
void overlay_set(struct overlay *o, struct arena *a, struct str key, struct str value, bool deleted);

/* ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────────── */
struct tx_range { struct str from, to; };
struct tx_body {
	uint64_t id;
	struct blob_writer *writer; /* adopted; NULL: deleted */
	bool inlined;
};
struct store_tx {
	struct store *store;
	struct arena *arena;
	bool read_only, begun, ended;
	uint64_t seen;
	struct snapshot *snapshot;
	struct overlay writes;
	struct { uint32_t *v; size_t n; } reads, marks; /* slots */
	struct { struct tx_range *v; size_t n; } empty;
	struct { struct tx_body *v; size_t n; } bodies;
	size_t reads_capacity, marks_capacity, empty_capacity, bodies_capacity;
	struct store_scan *scans;
};
/* The snapshot's read options, taken at the first use. */
const rocksdb_readoptions_t *tx_read(struct store_tx *tx);
/* Conflicts with whoever reads or writes this key, without a write. */
void tx_mark(struct store_tx *tx, struct str key);
void tx_begin_writing(struct store_tx *tx);
void scan_drop(struct store_scan *scan);

/* ── durability ──────────────────────────────────────────────────────────────────────────────────────────────────────── */
struct sync_waiter {
	store_ticket ticket;
	void (*fn)(void *ctx);
	void *ctx;
};
struct sync_unlink { uint64_t version, id; };
struct syncer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, synced_more;
	bool running, stop, asleep;
	unsigned blocked;
	_Atomic uint64_t synced; /* on stable storage up to this commit */
	struct sync_waiter *waiters;
	size_t n_waiters, waiters_capacity;
	struct sync_unlink *unlinks; /* files without references, in order of version */
	size_t n_unlinks, unlinks_capacity;
};
status syncer_start(struct store *s) MUST_USE;
/* Syncs what is left, calls who waits. */
void syncer_stop(struct store *s);
void syncer_committed(struct store *s);
/* Unlink the file once the commit is durable and nobody reads an older snapshot. */
void syncer_unlink_later(struct store *s, uint64_t version, uint64_t id);

/* ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */
struct blobs {
	pthread_mutex_t lock;
	uint64_t next, limit; /* ids of this run; none reserved yet where equal */
	uint64_t first;       /* of this run: files with smaller ids are an earlier run's */
	bool has_dirs;        /* blobs/00 to blobs/ff exist */
	pthread_t sweeper;
	bool sweeping;
	_Atomic bool stop;
};
status blobs_open(struct store *s) MUST_USE;
void blobs_close(struct store *s);
status blob_new_id(struct store *s, uint64_t *id) MUST_USE;
/* "blobs/ef/0123456789abcdef", below dir_fd. */
#define BLOB_NAME_BYTES 32
void blob_name(uint64_t id, char name[BLOB_NAME_BYTES]);
/* Keys of its reference count and of its bytes, where they are inline. */
enum { BLOB_COUNT = 'b', BLOB_INLINE = 'd' };
#define BLOB_KEY_BYTES 10
struct str blob_key(char kind, uint64_t id, char key[BLOB_KEY_BYTES]);
/* All with a reference count, on the heap. */
struct blob_ids { uint64_t *v; size_t n, capacity; };
struct blob_ids blob_all_ids(struct store *s);
bool blob_is_counted(struct store *s, const rocksdb_readoptions_t *read, uint64_t id);
/* Writes all n bytes at the end of fd. */
status blob_write_all(int fd, const void *p, size_t n) MUST_USE;
/* For commit: the writer's inline bytes; then that it is part of the store now; one reference fewer. */
struct str blob_writer_bytes(const struct blob_writer *w);
void blob_writer_committed(struct blob_writer *w);
void blob_writer_drop(struct blob_writer *w);

/* A file: the payload, a CRC-32C for each BLOB_BLOCK bytes of it, then this. */
#define BLOB_BLOCK (64u * 1024)
#define BLOB_MAGIC UINT64_C(0x31424f4c42414756) /* "VGABLOB1" */
struct blob_trailer {
	uint64_t magic, id, size;
	uint32_t blocks_crc; /* of the table of CRCs */
	uint32_t crc;        /* of this struct before it */
};
_Static_assert(sizeof(struct blob_trailer) == 32, "stored");

/* ── the disk's end (space.c) ────────────────────────────────────────────────────────────────────────────────────────── */
struct space {
	_Atomic int64_t looked_us;
	_Atomic int level;        /* 0 enough, 1 small commits only, 2 nothing */
	_Atomic bool log_failed;  /* the engine's log cannot be written any more */
};
/* IO while that many bytes should not be written. */
status space_check(struct store *s, size_t bytes) MUST_USE;
void space_log_failed(struct store *s);
/* Syncs the log files past the engine. */
status space_sync_logs(struct store *s) MUST_USE;

struct store {
	char *dir;
	enum store_durability durability;
	int dir_fd, lock_fd;
	_Atomic bool unsynced; /* the folder itself, new: before the first sync of the log */
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_cache_t *cache;
	rocksdb_writeoptions_t *write;
	pthread_rwlock_t commit_lock; /* shared by commits; whole for those that need the latest state to stand still */
	struct versions versions;
	struct syncer syncer;
	struct blobs blobs;
	struct space space;
	_Atomic uint64_t commits, conflicts, syncs, gets, scans;
};

/* Logs and frees RocksDB's message; true if there was one. */
bool engine_failed(const char *what, char *error);
status engine_sync(struct store *s) MUST_USE;
void engine_flush_idle(struct store *s);
