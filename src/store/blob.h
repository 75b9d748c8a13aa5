/* Bodies of any size. A body is written once and never changed. Small ones (up to BLOB_INLINE_MAX bytes) are kept in
 * the store and commit with their transaction; larger ones are files in the data folder, written under a new id and
 * synced. A file becomes part of the installation when a committed transaction adopts it; files that nobody adopted
 * (a crash, an abort) are swept at start. References are counted, so a copy shares the bytes. Files carry a CRC-32C
 * per 64 KiB block behind the body so that a flipped bit is found when reading. */
#pragma once
#include "store/store.h"

#define BLOB_INLINE_MAX (16u * 1024) /* measured: docs/decisions/0002-small-bodies-inline.md */

struct blob_ref {
	uint64_t id;   /* 0: no body (an empty one) */
	uint64_t size; /* bytes as stored */
	bool inlined;
};

/* Writing. Not tied to a transaction or a thread (one at a time). */
struct blob_writer;
/* size_hint: bytes expected, or UINT64_MAX. */
struct blob_writer *blob_writer_new(struct store *s, uint64_t size_hint);
status blob_write(struct blob_writer *w, const void *p, size_t n) MUST_USE;
/* Seals: a file is synced (this blocks; an inline body costs nothing). After it only adopt and free are allowed. */
status blob_seal(struct blob_writer *w, struct blob_ref *out) MUST_USE;
/* True once sealing would touch the disk: run blob_seal in a worker, not in the event loop. */
bool blob_writer_is_file(const struct blob_writer *w);
/* Removes the file unless it was adopted by a committed transaction; a transaction that adopted it and has not ended
 * keeps it until then. NULL is fine. */
void blob_writer_free(struct blob_writer *w);
/* The sealed body becomes part of the transaction, with one reference. May be called again when a transaction is run
 * again after a CONFLICT. */
void blob_adopt(struct store_tx *tx, struct blob_writer *w);

/* One more reference; one fewer. When the last goes, the bytes go after the transaction is durable and no transaction
 * reads an older snapshot. NOT_FOUND where there is no such body. Read the record that holds the ref with store_get
 * in the same transaction, so that two cannot release it at once. */
status blob_retain(struct store_tx *tx, struct blob_ref ref) MUST_USE;
status blob_release(struct store_tx *tx, struct blob_ref ref) MUST_USE;

/* Reading. An open blob stays readable although it is released meanwhile, and after the transaction's end. Thread-safe
 * after opening. */
struct blob;
status blob_open(struct store_tx *tx, struct blob_ref ref, struct blob **out) MUST_USE;
void blob_close(struct blob *b);
/* The bytes of an inline body, else STR_NONE. */
struct str blob_bytes(const struct blob *b);
/* The descriptor of a file (owned by the blob; use pread or sendfile with offsets from 0), else -1. Blocks read this
 * way are not verified. */
int blob_fd(const struct blob *b);
/* Verified read; *got < n only at the end. CORRUPT where a block fails its checksum. */
status blob_read(struct blob *b, uint64_t offset, void *p, size_t n, size_t *got) MUST_USE;
/* Checks every block. */
status blob_verify(struct blob *b) MUST_USE;

/* Removes files that an earlier run left unadopted, in a thread of its own; call once, after opening. Files of this
 * run are never touched. */
void blob_sweep(struct store *s);
