/* Ordered key-value transactions. The one place that knows the engine (RocksDB). Keys and values are bytes; keys are
 * made by store/key.h so that they sort as tuples.
 *
 * A transaction reads from a snapshot taken at its first use plus its own writes, and is validated when it commits:
 * if another transaction changed a key that this one wrote or read with store_get, commit answers CONFLICT and
 * nothing of it has happened; the caller runs it again. Transactions are not shared between threads; a store is.
 *
 * Durability: commit makes the writes visible and returns a ticket; they are on stable storage once the ticket is
 * durable. One fsync serves all tickets that wait (group commit). With DURABILITY_RELAXED tickets are durable at once
 * and the log is synced in the background (within a second): the death of the process loses nothing, that of the
 * machine may lose the last second. With DURABILITY_NONE the log is never synced.
 *
 * Readers see a commit before it is durable. A crash of the machine may so undo a write that somebody has read but
 * that was never answered; who may not see such a write waits for store_last_ticket() before it answers. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct store;
struct store_tx;

enum store_durability { DURABILITY_STRICT, DURABILITY_RELAXED, DURABILITY_NONE };
struct store_options {
	const char *dir; /* the data folder; made (0700) when absent */
	enum store_durability durability;
};

/* Opens or makes the data folder: takes its lock (BUSY when another virga has it), checks the format version (LIMIT
 * when it is newer than this program knows; older ones are upgraded). *why is a sentence for the user, static or in
 * `a`. */
status store_open(const struct store_options *o, struct arena *a, struct store **out, struct str *why) MUST_USE;
/* Makes all durable, calls who waits for a ticket, then frees. All transactions and blobs must have ended. NULL is
 * fine. */
void store_close(struct store *s);

/* read_only: reads are not tracked, commit is not needed. The tx's memory is in `a`; end it with store_commit or
 * store_end before the arena goes. A long-lived transaction keeps old versions (and released files) alive. */
struct store_tx *store_begin(struct store *s, struct arena *a, bool read_only);
/* Frees the transaction without committing; also after commit (then it only frees). */
void store_end(struct store_tx *tx);

/* NOT_FOUND where absent. The value lives in the tx's arena. Validated at commit (in a tx that writes). */
status store_get(struct store_tx *tx, struct str key, struct str *value) MUST_USE;
/* The same, not validated at commit: for what may be stale. */
status store_peek(struct store_tx *tx, struct str key, struct str *value) MUST_USE;
void store_put(struct store_tx *tx, struct str key, struct str value);
void store_delete(struct store_tx *tx, struct str key);
/* Commit fails with CONFLICT unless [from, to) is empty at that instant (own deletes count as done). */
void store_require_empty(struct store_tx *tx, struct str from, struct str to);
/* CONFLICT where what was read so far is lost already: to be asked before something is done that no other attempt takes
 * back. */
status store_check(struct store_tx *tx) MUST_USE;
bool store_has_writes(const struct store_tx *tx);

/* Scans [from, to) of the snapshot merged with own writes, in order, or backwards. Keys and values are valid until
 * the next call on the scan. The transaction may write meanwhile: keys that it adds ahead are met, those it deletes
 * are not. What a scan reads is not validated at commit: see store_require_empty, or store_get a key that stands for
 * the range. The transaction's end ends its scans. */
struct store_scan;
struct store_scan *store_scan_begin(struct store_tx *tx, struct str from, struct str to, bool backwards);
bool store_scan_next(struct store_scan *scan, struct str *key, struct str *value);
/* Jump, forth or back: the next key returned is the first at or after `key` (at or before, backwards). */
void store_scan_seek(struct store_scan *scan, struct str key);
/* OK, or what stopped the scan early. */
status store_scan_end(struct store_scan *scan) MUST_USE;

typedef uint64_t store_ticket; /* 0 is always durable */
/* CONFLICT: run again with a new transaction. IO: the store refused (the disk is full or failing); nothing happened.
 * When the disk is almost full, only small commits (deletions) pass; reads always do. */
status store_commit(struct store_tx *tx, store_ticket *ticket) MUST_USE;
bool store_is_durable(struct store *s, store_ticket t);
/* The newest commit's ticket: when it is durable, so is all that a transaction that began before has read. */
store_ticket store_last_ticket(struct store *s);
/* Blocks. */
void store_wait(struct store *s, store_ticket t);
/* Calls fn(ctx) once t is durable: at once in this thread if it is already, else from the syncing thread (fn must be
 * short and must not block: the next sync waits for it). */
void store_when_durable(struct store *s, store_ticket t, void (*fn)(void *ctx), void *ctx);

/* Deletes all keys in [from, to), outside any transaction; durable on return. Transactions that began before it cannot
 * commit. For reset only; bodies that those records referred to stay. */
status store_delete_range(struct store *s, struct str from, struct str to) MUST_USE;
/* Deletes all records and all bodies, likewise. Blob ids go on. */
status store_clear(struct store *s) MUST_USE;

struct store_metrics {
	uint64_t commits, conflicts, syncs, gets, scans, memory_bytes, disk_bytes;
};
void store_metrics(struct store *s, struct store_metrics *out);
/* The data folder, with a trailing slash. */
const char *store_dir(const struct store *s);
