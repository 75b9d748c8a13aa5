/* Transactions: reading at a snapshot, collecting writes, committing them. What is written stays in the transaction's own
 * overlay until commit makes one atomic RocksDB batch of it. */
#include "base/log.h"
#include "base/vec.h"
#include "store/engine.h"
#include <stdlib.h>

struct store_tx *store_begin(struct store *s, struct arena *a, bool read_only)
{
	struct store_tx *tx = arena_new(a, struct store_tx);
	tx->store = s;
	tx->arena = a;
	tx->read_only = read_only;
	return tx;
}

static void tx_close(struct store_tx *tx)
{
	tx->ended = true;
	while (tx->scans) scan_drop(tx->scans);
	if (tx->snapshot) snapshot_drop(tx->store, tx->snapshot);
	tx->snapshot = NULL;
	for (size_t i = 0; i < tx->bodies.n; i++)
		if (tx->bodies.v[i].writer) blob_writer_drop(tx->bodies.v[i].writer);
	tx->bodies.n = 0;
}

void store_end(struct store_tx *tx)
{
	if (tx && !tx->ended) tx_close(tx);
}

const rocksdb_readoptions_t *tx_read(struct store_tx *tx)
{
	INVARIANT(!tx->ended);
	if (!tx->snapshot) {
		tx->snapshot = snapshot_take(tx->store);
		if (!tx->begun) tx->seen = tx->snapshot->seen;
		tx->begun = true;
	}
	return tx->snapshot->read;
}

void tx_begin_writing(struct store_tx *tx)
{
	INVARIANT(!tx->ended && !tx->read_only);
	if (!tx->begun) tx->seen = atomic_load_explicit(&tx->store->versions.done, memory_order_acquire);
	tx->begun = true;
}

void tx_mark(struct store_tx *tx, struct str key)
{
	tx_begin_writing(tx);
	*VEC_PUSH(tx->arena, &tx->marks, &tx->marks_capacity) = version_slot(key);
}

status store_peek(struct store_tx *tx, struct str key, struct str *value)
{
	struct store *s = tx->store;
	const rocksdb_readoptions_t *read = tx_read(tx);
	atomic_fetch_add_explicit(&s->gets, 1, memory_order_relaxed);
	const struct overlay_node *own = tx->writes.count > 0 ? overlay_find(&tx->writes, key) : NULL;
	if (own) {
		if (own->deleted) return STATUS(NOT_FOUND);
		*value = own->value;
		return OK;
	}
	char *error = NULL;
	rocksdb_pinnableslice_t *found = rocksdb_get_pinned(s->db, read, key.p, key.n, &error);
	if (engine_failed("get", error)) return STATUS(IO);
	if (!found) return STATUS(NOT_FOUND);
	size_t n = 0;
	const char *p = rocksdb_pinnableslice_value(found, &n);
	*value = str_n(arena_copy(tx->arena, p, n), n);
	rocksdb_pinnableslice_destroy(found);
	return OK;
}

status store_get(struct store_tx *tx, struct str key, struct str *value)
{
	if (!tx->read_only) *VEC_PUSH(tx->arena, &tx->reads, &tx->reads_capacity) = version_slot(key);
	return store_peek(tx, key, value);
}

void store_put(struct store_tx *tx, struct str key, struct str value)
{
	tx_begin_writing(tx);
	overlay_set(&tx->writes, tx->arena, str_dup(tx->arena, key), str_dup(tx->arena, str_or(value, STR(""))), false);
}

void store_delete(struct store_tx *tx, struct str key)
{
	tx_begin_writing(tx);
	overlay_set(&tx->writes, tx->arena, str_dup(tx->arena, key), STR_NONE, true);
}

void store_require_empty(struct store_tx *tx, struct str from, struct str to)
{
	tx_begin_writing(tx);
	*VEC_PUSH(tx->arena, &tx->empty, &tx->empty_capacity) =
		(struct tx_range){str_dup(tx->arena, from), str_dup(tx->arena, to)};
}

status store_check(struct store_tx *tx)
{
	return version_check(&tx->store->versions, tx->seen, tx->reads.v, tx->reads.n);
}

bool store_has_writes(const struct store_tx *tx) { return tx->writes.count > 0 || tx->bodies.n > 0; }

/* ── commit ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* With the commit lock held alone, so that the latest state stands still. */
static status check_empty(const struct store_tx *tx, const struct tx_range *r)
{
	const struct overlay_node *own = overlay_at_least(&tx->writes, r->from);
	for (; own && str_cmp(own->key, r->to) < 0; own = own->next[0])
		if (!own->deleted) return STATUS(CONFLICT);
	rocksdb_readoptions_t *read = rocksdb_readoptions_create();
	rocksdb_readoptions_set_iterate_upper_bound(read, r->to.p, r->to.n);
	rocksdb_iterator_t *i = rocksdb_create_iterator(tx->store->db, read);
	status result = OK;
	for (rocksdb_iter_seek(i, r->from.p, r->from.n); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		struct str key;
		key.p = rocksdb_iter_key(i, &key.n);
		own = overlay_find(&tx->writes, key);
		if (own && own->deleted) continue;
		result = STATUS(CONFLICT);
		break;
	}
	char *error = NULL;
	rocksdb_iter_get_error(i, &error);
	if (engine_failed("check_empty", error)) result = STATUS(IO);
	rocksdb_iter_destroy(i);
	rocksdb_readoptions_destroy(read);
	return result;
}

static rocksdb_writebatch_t *batch_of(const struct store_tx *tx)
{
	rocksdb_writebatch_t *b = rocksdb_writebatch_create();
	for (const struct overlay_node *n = overlay_first(&tx->writes); n; n = n->next[0]) {
		if (n->deleted)
			rocksdb_writebatch_delete(b, n->key.p, n->key.n);
		else
			rocksdb_writebatch_put(b, n->key.p, n->key.n, n->value.p, n->value.n);
	}
	for (size_t i = 0; i < tx->bodies.n; i++) {
		const struct tx_body *body = &tx->bodies.v[i];
		if (!body->inlined) continue;
		char space[BLOB_KEY_BYTES];
		struct str key = blob_key(BLOB_INLINE, body->id, space);
		if (body->writer) {
			struct str bytes = blob_writer_bytes(body->writer);
			rocksdb_writebatch_put(b, key.p, key.n, bytes.p, bytes.n);
		} else
			rocksdb_writebatch_delete(b, key.p, key.n);
	}
	return b;
}

static status commit_batch(struct store_tx *tx, rocksdb_writebatch_t *batch, const uint32_t *writes, size_t n_writes,
	uint64_t *version)
{
	struct store *s = tx->store;
	size_t bytes = 0;
	rocksdb_writebatch_data(batch, &bytes);
	TRY(space_check(s, bytes));
	for (size_t i = 0; i < tx->empty.n; i++) TRY(check_empty(tx, &tx->empty.v[i]));
	TRY(version_claim(&s->versions, tx->seen, tx->reads.v, tx->reads.n, writes, n_writes, version));
	char *error = NULL;
	if (rocksdb_writebatch_count(batch) > 0) rocksdb_write(s->db, s->write, batch, &error);
	if (error) space_log_failed(s);
	version_finish(s, *version);
	return engine_failed("commit", error) ? STATUS(IO) : OK;
}

status store_commit(struct store_tx *tx, store_ticket *ticket)
{
	struct store *s = tx->store;
	INVARIANT(!tx->ended);
	*ticket = 0;
	if (tx->writes.count == 0 && tx->marks.n == 0 && tx->bodies.n == 0 && tx->empty.n == 0) {
		tx_close(tx);
		return OK; /* what was read is one state, that of the snapshot */
	}
	rocksdb_writebatch_t *batch = batch_of(tx);
	uint32_t *slots = arena_alloc_raw(tx->arena, (tx->writes.count + tx->marks.n) * sizeof *slots);
	size_t n_slots = 0;
	for (const struct overlay_node *n = overlay_first(&tx->writes); n; n = n->next[0])
		slots[n_slots++] = version_slot(n->key);
	for (size_t i = 0; i < tx->marks.n; i++) slots[n_slots++] = tx->marks.v[i];

	if (tx->empty.n > 0)
		pthread_rwlock_wrlock(&s->commit_lock);
	else
		pthread_rwlock_rdlock(&s->commit_lock);
	uint64_t version = 0;
	status result = commit_batch(tx, batch, slots, n_slots, &version);
	pthread_rwlock_unlock(&s->commit_lock);
	rocksdb_writebatch_destroy(batch);
	if (version > 0) syncer_committed(s); /* also after a failed write: later commits wait for this number */

	if (is_ok(result)) {
		for (size_t i = 0; i < tx->bodies.n; i++) {
			const struct tx_body *body = &tx->bodies.v[i];
			if (body->writer)
				blob_writer_committed(body->writer);
			else if (!body->inlined)
				syncer_unlink_later(s, version, body->id);
		}
		atomic_fetch_add_explicit(&s->commits, 1, memory_order_relaxed);
		*ticket = version;
	} else if (status_is(result, STATUS_CONFLICT))
		atomic_fetch_add_explicit(&s->conflicts, 1, memory_order_relaxed);
	tx_close(tx);
	return result;
}
