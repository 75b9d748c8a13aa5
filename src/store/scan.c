/* Scans: RocksDB's iterator over the snapshot merged with the transaction's own writes, either way. The transaction may
 * write while it scans: a key that it adds ahead of the scan is met, one that it deletes is not. */
#include "base/buf.h"
#include "store/engine.h"

struct store_scan {
	struct store_tx *tx;
	struct str from, to; /* [from, to) */
	bool backwards, over, base_used;
	rocksdb_readoptions_t *read;
	rocksdb_iterator_t *base;
	struct overlay_node *own; /* next own write to meet */
	uint64_t own_changes;     /* writes.changes when `own` was found */
	struct buf last;          /* where the scan is: past this key … */
	bool at_last;             /* … or at it */
	struct store_scan *next;
};

static void find_own(struct store_scan *c)
{
	const struct overlay *o = &c->tx->writes;
	struct str last = buf_done(&c->last);
	c->own_changes = o->changes;
	if (c->backwards) {
		c->own = c->at_last ? overlay_find(o, last) : NULL;
		if (!c->own) c->own = overlay_below(o, last);
		if (c->own && str_cmp(c->own->key, c->from) < 0) c->own = NULL;
	} else {
		c->own = overlay_at_least(o, last);
		if (c->own && !c->at_last && str_eq(c->own->key, last)) c->own = c->own->next[0];
		if (c->own && str_cmp(c->own->key, c->to) >= 0) c->own = NULL;
	}
}

static void set_last(struct store_scan *c, struct str key, bool at)
{
	c->last.n = 0;
	buf_str(&c->last, key);
	c->at_last = at;
}

static void position(struct store_scan *c, struct str key)
{
	if (c->backwards)
		rocksdb_iter_seek_for_prev(c->base, key.p, key.n);
	else
		rocksdb_iter_seek(c->base, key.p, key.n);
	c->base_used = false;
	find_own(c);
}

struct store_scan *store_scan_begin(struct store_tx *tx, struct str from, struct str to, bool backwards)
{
	struct store *s = tx->store;
	struct store_scan *c = arena_new(tx->arena, struct store_scan);
	tx_read(tx);
	atomic_fetch_add_explicit(&s->scans, 1, memory_order_relaxed);
	*c = (struct store_scan){.tx = tx, .backwards = backwards, .last = BUF_IN(tx->arena), .next = tx->scans};
	tx->scans = c;
	char first[] = {SYSTEM_KEY + 1};
	if (str_cmp(from, str_n(first, 1)) < 0) from = str_n(first, 1); /* the store's own keys are not for others */
	c->from = str_dup(tx->arena, from);
	c->to = str_dup(tx->arena, str_or(to, STR("")));
	c->over = str_cmp(c->from, c->to) >= 0;
	if (c->over) return c;
	c->read = rocksdb_readoptions_create();
	rocksdb_readoptions_set_snapshot(c->read, tx->snapshot->snapshot);
	rocksdb_readoptions_set_iterate_lower_bound(c->read, c->from.p, c->from.n);
	rocksdb_readoptions_set_iterate_upper_bound(c->read, c->to.p, c->to.n);
	c->base = rocksdb_create_iterator(s->db, c->read);
	set_last(c, backwards ? c->to : c->from, !backwards);
	position(c, backwards ? c->to : c->from); /* the upper bound itself is outside, so "to" need not be skipped */
	return c;
}

void store_scan_seek(struct store_scan *c, struct str key)
{
	if (c->over) return;
	bool past_end = str_cmp(key, c->to) >= 0, before_start = str_cmp(key, c->from) < 0;
	bool at = true;
	if (past_end) {
		key = c->to;
		at = false;
	} else if (before_start && !c->backwards)
		key = c->from;
	set_last(c, key, at);
	position(c, buf_done(&c->last));
}

bool store_scan_next(struct store_scan *c, struct str *key, struct str *value)
{
	if (c->over) return false;
	INVARIANT(!c->tx->ended);
	if (c->base_used) {
		if (c->backwards)
			rocksdb_iter_prev(c->base);
		else
			rocksdb_iter_next(c->base);
		c->base_used = false;
	}
	if (c->own_changes != c->tx->writes.changes) find_own(c);
	for (;;) {
		bool base = rocksdb_iter_valid(c->base);
		if (!base && !c->own) return false;
		struct str base_key = STR_NONE;
		int order = base ? 1 : -1; /* < 0: own comes first, > 0: the engine's */
		if (base) base_key.p = rocksdb_iter_key(c->base, &base_key.n);
		if (base && c->own) {
			order = str_cmp(c->own->key, base_key);
			if (c->backwards) order = -order;
		}
		if (order > 0) {
			*key = base_key;
			value->p = rocksdb_iter_value(c->base, &value->n);
			c->base_used = true;
			set_last(c, base_key, false);
			return true;
		}
		struct overlay_node *own = c->own;
		set_last(c, own->key, false);
		find_own(c);
		if (order == 0) c->base_used = true; /* replaced or deleted by us */
		if (!own->deleted) {
			*key = own->key;
			*value = own->value;
			return true;
		}
		if (order == 0) {
			if (c->backwards)
				rocksdb_iter_prev(c->base);
			else
				rocksdb_iter_next(c->base);
			c->base_used = false;
		}
	}
}

void scan_drop(struct store_scan *c)
{
	for (struct store_scan **p = &c->tx->scans; *p; p = &(*p)->next) {
		if (*p != c) continue;
		*p = c->next;
		break;
	}
	if (c->base) rocksdb_iter_destroy(c->base);
	if (c->read) rocksdb_readoptions_destroy(c->read);
	c->base = NULL;
	c->read = NULL;
	c->over = true;
}

status store_scan_end(struct store_scan *c)
{
	char *error = NULL;
	if (c->base) rocksdb_iter_get_error(c->base, &error);
	scan_drop(c);
	return engine_failed("scan", error) ? STATUS(IO) : OK;
}
