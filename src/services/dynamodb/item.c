/* Items in the store: reading one; replacing one with its index entries, its expiry and its stream record. */
#include "services/dynamodb/history.h"

status ddb_read_item(struct work *w, struct str key, bool validated, struct value *item)
{
	struct str bytes;
	TRY(validated ? store_get(w->tx, key, &bytes) : store_peek(w->tx, key, &bytes));
	return ddb_item_load(w->a, bytes, item);
}

static size_t larger(const struct value *x, const struct value *y)
{
	size_t nx = x ? ddb_item_size(x) : 0, ny = y ? ddb_item_size(y) : 0;
	return nx > ny ? nx : ny;
}

void ddb_write_entry(struct work *w, const struct table *t, const struct index *x, const struct value *old,
	const struct value *new, struct cost *cost)
{
	struct str from = old ? ddb_entry_key(w->a, t, x, old) : STR_NONE,
		   to = new ? ddb_entry_key(w->a, t, x, new) : STR_NONE;
	struct value was, is;
	if (str_has(from)) was = ddb_projected(w->a, t, x, old);
	if (str_has(to)) is = ddb_projected(w->a, t, x, new);
	bool same_key = str_has(from) && str_has(to) && str_eq(from, to);
	if (same_key && ddb_equal(&was, &is)) return;
	double units = 0;
	if (str_has(from) && !same_key) {
		store_delete(w->tx, from);
		units += ddb_write_units(ddb_item_size(&was));
	}
	if (str_has(to)) {
		store_put(w->tx, to, ddb_item_store(w->a, &is));
		units += ddb_write_units(larger(same_key ? &was : NULL, &is));
	}
	if (units > 0 && cost) {
		cost->index[x->position] += units;
		cost->used[x->position] = true;
	}
}

status ddb_write_one(struct work *w, const struct table *t, struct str key, const struct value *old,
	const struct value *new, bool expired, struct cost *cost)
{
	if (t->history && (old || new)) TRY(ddb_history_write(w, t, key, old));
	if (new)
		store_put(w->tx, key, ddb_item_store(w->a, new));
	else if (old)
		store_delete(w->tx, key);
	if (cost) cost->table += ddb_write_units(larger(old, new));
	for (size_t i = 0; i < t->n_indexes; i++) ddb_write_entry(w, t, &t->indexes[i], old, new, cost);
	ddb_ttl_write(w, t, key, old, new);
	if (t->streams) ddb_stream_write(w, t, old, new, expired);
	return t->destinations ? ddb_destination_write(w, t, old, new, expired) : OK;
}

status ddb_write_item(struct work *w, const struct table *t, struct str key, const struct value *old,
	const struct value *new, bool expired, struct cost *cost)
{
	TRY(ddb_write_one(w, t, key, old, new, expired, cost));
	return t->record.replicas.n ? ddb_replicate(w, t, key, new) : OK;
}

/* "ItemCollectionMetrics": of tables with local indexes, the size of all that has the partition key, in whole
 * gigabytes. */
struct dynamodb_item_collection_metrics *ddb_collection(
	struct work *w, struct str wanted, const struct table *t, const struct value *item)
{
	if (!str_is(wanted, "SIZE") || !t->has_local) return NULL;
	const struct value *hash = ddb_get(item, t->key.hash);
	double bytes = 0;
	for (size_t i = 0; i <= t->n_indexes; i++) {
		if (i > 0 && t->indexes[i - 1].global) continue;
		struct str prefix = i == 0 ? t->item_prefix : ddb_index_prefix(w->a, t, &t->indexes[i - 1]), key, value;
		struct key k = ddb_partition(w->a, prefix, hash);
		struct store_scan *scan = store_scan_begin(w->tx, key_done(&k), key_after(w->a, key_done(&k)), false);
		while (store_scan_next(scan, &key, &value)) bytes += (double)value.n;
		if (!is_ok(store_scan_end(scan))) return NULL;
	}
	struct dynamodb_item_collection_metrics *m = arena_new(w->a, struct dynamodb_item_collection_metrics);
	struct value key = ddb_map();
	ddb_set(w->a, &key, t->key.hash, hash);
	ddb_map_write(w->a, &key, &m->item_collection_key);
	double whole = (double)(int64_t)(bytes / (1024.0 * 1024 * 1024));
	m->size_estimate_range_gb.v = arena_new_n(w->a, struct opt_f64, 2);
	m->size_estimate_range_gb.n = 2;
	m->size_estimate_range_gb.v[0] = SOME_F64(whole);
	m->size_estimate_range_gb.v[1] = SOME_F64(whole + 1);
	return m;
}
