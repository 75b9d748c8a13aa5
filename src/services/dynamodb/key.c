/* Keys of items and of index entries: from attribute values to bytes that sort as the values do, and what is checked of
 * them
 * ("Core components: primary key", "Service quotas: partition and sort keys"). */
#include "base/map.h"
#include "services/dynamodb/service.h"

enum value_type ddb_scalar_type(struct str name)
{
	return str_is(name, "S") ? V_S : str_is(name, "N") ? V_N : str_is(name, "B") ? V_B : V_NONE;
}

static status check_size(struct work *w, const struct value *v, bool hash)
{
	if (v->n <= (hash ? KEY_HASH_MAX : KEY_RANGE_MAX) || v->type == V_N) return OK;
	if (hash)
		return VALIDATION(w, "One or more parameter values were invalid: Size of hashkey has exceeded the "
				     "maximum size limit of2048 "
				     "bytes");
	return VALIDATION(w, "One or more parameter values were invalid: Aggregated size of all range keys has "
			     "exceeded the size limit of "
			     "1024 bytes");
}

static status check_full(struct work *w, const struct value *v, struct str name)
{
	if (v->n > 0) return OK;
	return VALIDATION(w,
		"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
		"empty %s value. Key: "
		"%.*s",
		v->type == V_S ? "string" : "binary", STR_ARG(name));
}

status ddb_check_key(struct work *w, const struct key_schema *k, const struct value *key)
{
	size_t wanted = str_has(k->range) ? 2 : 1;
	const struct value *hash = ddb_get(key, k->hash), *range = str_has(k->range) ? ddb_get(key, k->range) : NULL;
	if (key->n != wanted || !hash || hash->type != k->hash_type ||
		(str_has(k->range) && (!range || range->type != k->range_type)))
		return VALIDATION(w, "The provided key element does not match the schema");
	TRY(check_full(w, hash, k->hash));
	if (range) TRY(check_full(w, range, k->range));
	TRY(check_size(w, hash, true));
	return range ? check_size(w, range, false) : OK;
}

static status check_own(struct work *w, const struct value *item, struct str name, enum value_type type, bool hash)
{
	const struct value *v = ddb_get(item, name);
	if (!v)
		return VALIDATION(w, "One or more parameter values were invalid: Missing the key %.*s in the item",
			STR_ARG(name));
	if (v->type != type)
		return VALIDATION(w,
			"One or more parameter values were invalid: Type mismatch for key %.*s expected: %s actual: %s",
			STR_ARG(name), ddb_type_name(type), ddb_type_name(v->type));
	TRY(check_full(w, v, name));
	return check_size(w, v, hash);
}

static status check_indexed(struct work *w, const struct index *x, const struct value *item, struct str name,
	enum value_type type, bool hash)
{
	const struct value *v = ddb_get(item, name);
	if (!v) return OK;
	if (v->type != type)
		return VALIDATION(w,
			"One or more parameter values were invalid: Type mismatch for Index Key %.*s Expected: %s "
			"Actual: %s IndexName: %.*s",
			STR_ARG(name), ddb_type_name(type), ddb_type_name(v->type), STR_ARG(x->name));
	if (v->n == 0)
		return VALIDATION(w,
			"One or more parameter values are not valid. A value specified for a secondary index key is "
			"not supported. The "
			"AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %.*s, "
			"IndexKey: %.*s",
			type == V_S ? "string" : "binary", STR_ARG(x->name), STR_ARG(name));
	return check_size(w, v, hash);
}

status ddb_check_item(struct work *w, const struct table *t, const struct value *item)
{
	TRY(check_own(w, item, t->key.hash, t->key.hash_type, true));
	if (str_has(t->key.range)) TRY(check_own(w, item, t->key.range, t->key.range_type, false));
	for (size_t i = 0; i < t->n_indexes; i++) {
		const struct index *x = &t->indexes[i];
		TRY(check_indexed(w, x, item, x->key.hash, x->key.hash_type, true));
		if (str_has(x->key.range)) TRY(check_indexed(w, x, item, x->key.range, x->key.range_type, false));
	}
	return OK;
}

/* ── bytes ── */

struct key ddb_partition(struct arena *a, struct str prefix, const struct value *hash)
{
	struct key k = key_begin(a);
	buf_reserve(&k.b, prefix.n + hash->n + 64);
	key_append(&k, prefix);
	/* str_hash's low bits are as good as its high ones, but segments are cut by the high ones. */
	key_u64(&k, str_hash(value_str(hash)) * UINT64_C(0x9e3779b97f4a7c15));
	key_str(&k, value_str(hash));
	return k;
}

static void add_table_key(struct key *k, const struct table *t, const struct value *item)
{
	key_str(k, value_str(ddb_get(item, t->key.hash)));
	if (str_has(t->key.range)) key_str(k, value_str(ddb_get(item, t->key.range)));
}

struct str ddb_item_key(struct arena *a, const struct table *t, const struct value *item)
{
	struct key k = ddb_partition(a, t->item_prefix, ddb_get(item, t->key.hash));
	if (str_has(t->key.range)) key_str(&k, value_str(ddb_get(item, t->key.range)));
	return key_done(&k);
}

struct str ddb_index_prefix(struct arena *a, const struct table *t, const struct index *x)
{
	struct key k = ddb_key(a, "index");
	key_u64(&k, t->id);
	key_u64(&k, x->id);
	return key_done(&k);
}

struct str ddb_entry_key(struct arena *a, const struct table *t, const struct index *x, const struct value *item)
{
	const struct value *hash = ddb_get(item, x->key.hash),
			   *range = str_has(x->key.range) ? ddb_get(item, x->key.range) : NULL;
	if (!hash || hash->type != x->key.hash_type || hash->n == 0) return STR_NONE;
	if (str_has(x->key.range) && (!range || range->type != x->key.range_type || range->n == 0)) return STR_NONE;
	struct key k = ddb_partition(a, ddb_index_prefix(a, t, x), hash);
	if (range) key_str(&k, value_str(range));
	add_table_key(&k, t, item);
	return key_done(&k);
}

/* ── parts of items ── */

static void take(struct arena *a, struct value *out, const struct value *item, struct str name)
{
	const struct value *v = str_has(name) ? ddb_get(item, name) : NULL;
	if (v) ddb_set(a, out, name, v);
}

struct value ddb_key_of(struct arena *a, const struct table *t, const struct value *item)
{
	struct value out = ddb_map();
	take(a, &out, item, t->key.hash);
	take(a, &out, item, t->key.range);
	return out;
}

struct value ddb_entry_key_of(struct arena *a, const struct table *t, const struct index *x, const struct value *item)
{
	struct value out = ddb_key_of(a, t, item);
	if (!x) return out;
	take(a, &out, item, x->key.hash);
	take(a, &out, item, x->key.range);
	return out;
}

struct value ddb_projected(struct arena *a, const struct table *t, const struct index *x, const struct value *item)
{
	if (x->projection == PROJECT_ALL) return *item;
	struct value out = ddb_entry_key_of(a, t, x, item);
	if (x->projection == PROJECT_INCLUDE)
		for (size_t i = 0; i < x->record->non_key.n; i++) take(a, &out, item, x->record->non_key.v[i]);
	return out;
}
