/* Reading an ordered range of a table or an index, page by page: what Query, Scan and PartiQL's SELECT share. A page
 * ends at its limit or at 1 MB read, before the filter ("Paginating table query results"). */
#include "services/dynamodb/page.h"

status ddb_page_index(struct work *w, struct reading *r, struct str name)
{
	r->key = &r->t->key;
	r->prefix = r->t->item_prefix;
	if (!str_has(name)) return OK;
	r->x = ddb_index(r->t, name);
	if (!r->x || str_is(r->x->record->status, "DELETING"))
		return VALIDATION(w, "The table does not have the specified index: %.*s", STR_ARG(name));
	if (!r->x->readable)
		return VALIDATION(w, "Cannot read from backfilling global secondary index: %.*s", STR_ARG(name));
	r->key = &r->x->key;
	r->prefix = ddb_index_prefix(w->a, r->t, r->x);
	return OK;
}

/* ── what is selected ── */

static bool held(const struct reading *r, struct str name)
{
	if (r->x->projection == PROJECT_ALL) return true;
	const struct str keys[] = {r->t->key.hash, r->t->key.range, r->x->key.hash, r->x->key.range};
	for (int i = 0; i < 4; i++)
		if (str_has(keys[i]) && str_eq(keys[i], name)) return true;
	for (size_t i = 0; i < r->x->record->non_key.n && r->x->projection == PROJECT_INCLUDE; i++)
		if (str_eq(r->x->record->non_key.v[i], name)) return true;
	return false;
}

static status check_held(struct work *w, struct reading *r)
{
	if (!r->x || r->selection == SELECT_PROJECTED || r->selection == SELECT_COUNT) return OK;
	if (r->selection == SELECT_ALL) {
		if (r->x->projection == PROJECT_ALL) return OK;
		if (r->x->global)
			return VALIDATION(w,
				"One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not "
				"supported for global secondary "
				"index %.*s because its projection type is not ALL",
				STR_ARG(r->x->name));
		r->fetches = true;
		return OK;
	}
	struct buf b = BUF_IN(w->a);
	for (size_t i = 0; i < r->projection.n; i++) {
		struct str name = r->projection.v[i].steps[0].name;
		if (held(r, name)) continue;
		if (b.n) buf_lit(&b, ", ");
		buf_str(&b, name);
	}
	if (b.n == 0) return OK;
	if (r->x->global)
		return VALIDATION(w,
			"One or more parameter values were invalid: Global secondary index %.*s does not project "
			"[%.*s]",
			STR_ARG(r->x->name), STR_ARG(buf_done(&b)));
	r->fetches = true;
	return OK;
}

status ddb_page_selection(struct work *w, struct reading *r, struct str select, bool legacy)
{
	bool specific = r->projection.n > 0;
	const char *what = legacy ? "AttributesToGet" : "ProjectionExpression";
	r->selection = specific ? SELECT_SPECIFIC : r->x ? SELECT_PROJECTED : SELECT_ALL;
	if (str_is(select, "ALL_ATTRIBUTES")) {
		if (specific) return VALIDATION(w, "Cannot specify the %s when choosing to get ALL_ATTRIBUTES", what);
		r->selection = SELECT_ALL;
	} else if (str_is(select, "ALL_PROJECTED_ATTRIBUTES")) {
		if (specific)
			return VALIDATION(
				w, "Cannot specify the %s when choosing to get ALL_PROJECTED_ATTRIBUTES", what);
		if (!r->x)
			return VALIDATION(w, "One or more parameter values were invalid: ALL_PROJECTED_ATTRIBUTES can "
					     "be used only when "
					     "Querying using an IndexName");
		r->selection = SELECT_PROJECTED;
	} else if (str_is(select, "COUNT")) {
		if (specific) return VALIDATION(w, "Cannot specify the %s when choosing to get only the Count", what);
		r->selection = SELECT_COUNT;
	} else if (str_is(select, "SPECIFIC_ATTRIBUTES") && !specific) {
		return VALIDATION(w, "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
				     "SPECIFIC_ATTRIBUTES");
	}
	if (r->consistent && r->x && r->x->global)
		return VALIDATION(w, "Consistent reads are not supported on global secondary indexes");
	return check_held(w, r);
}

/* ── where a page begins ── */

static status check_start(struct work *w, const struct reading *r, const struct value *start)
{
	struct value whole = ddb_entry_key_of(w->a, r->t, r->x, start);
	bool good = start->n == whole.n;
	for (uint32_t i = 0; i < start->n && good; i++) {
		struct str name = start->map[i].name;
		const struct key_schema *both[] = {&r->t->key, r->key};
		for (int k = 0; k < 2; k++) {
			if (str_eq(name, both[k]->hash) && start->map[i].value.type != both[k]->hash_type) good = false;
			if (str_has(both[k]->range) && str_eq(name, both[k]->range) &&
				start->map[i].value.type != both[k]->range_type)
				good = false;
		}
	}
	const struct str needed[] = {r->t->key.hash, r->t->key.range, r->key->hash, r->key->range};
	for (int i = 0; i < 4; i++)
		if (str_has(needed[i]) && !ddb_get(start, needed[i])) good = false;
	if (good) return OK;
	return VALIDATION(
		w, r->x ? "The provided starting key is invalid"
			: "The provided starting key is invalid: The provided key element does not match the schema");
}

status ddb_page_start(struct work *w, struct reading *r, const struct dynamodb_key *given, bool query)
{
	struct value start;
	if (!given->v) return OK;
	TRY(ddb_read_map(w, given, &start));
	TRY(check_start(w, r, &start));
	struct str key = r->x ? ddb_entry_key(w->a, r->t, r->x, &start) : ddb_item_key(w->a, r->t, &start);
	if (!str_has(key)) return VALIDATION(w, "The provided starting key is invalid");
	if (str_cmp(key, r->from) < 0 || str_cmp(key, r->to) >= 0)
		return VALIDATION(
			w, query ? "The provided starting key is outside query boundaries based on provided conditions"
				 : "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
				   "ExclusiveStartKey "
				   "with correct Segment. TotalSegments and Segment of the request must match those of "
				   "the key");
	if (r->backwards)
		r->to = key;
	else
		r->from = key_next(w->a, key);
	return OK;
}

/* ── a page ── */

static status whole_item(struct work *w, struct reading *r, struct value *item)
{
	struct value full;
	TRY(ddb_read_item(w, ddb_item_key(w->a, r->t, item), false, &full));
	r->cost.table += ddb_read_units(ddb_item_size(&full), r->consistent);
	*item = full;
	return OK;
}

static status take_item(struct work *w, struct reading *r, struct value *item, size_t *capacity)
{
	if (r->fetches) TRY(whole_item(w, r, item));
	if (r->filter && !expr_test(r->filter, item)) return OK;
	r->count++;
	if (r->selection == SELECT_COUNT) return OK;
	struct value part = r->selection == SELECT_SPECIFIC ? expr_project(w->a, &r->projection, item) : *item;
	ddb_map_write(w->a, &part, VEC_PUSH(w->a, &r->items, capacity));
	return OK;
}

status ddb_page_read(struct work *w, struct reading *r)
{
	size_t bytes = 0, capacity = 0;
	struct str key, stored;
	struct value item, previous = {0};
	bool more = false;
	status s = OK;
	r->cost = (struct cost){.t = r->t};
	VEC_PRESENT(w->a, &r->items);
	struct store_scan *scan = store_scan_begin(w->tx, r->from, r->to, r->backwards);
	while (store_scan_next(scan, &key, &stored)) {
		if ((r->limit && r->scanned == r->limit) || bytes >= PAGE_BYTES_MAX) {
			more = true;
			break;
		}
		struct str own = str_n(arena_copy(w->a, stored.p, stored.n), stored.n);
		s = ddb_item_load(w->a, own, &item);
		if (!is_ok(s)) break;
		r->scanned++;
		bytes += ddb_item_size(&item);
		s = take_item(w, r, &item, &capacity);
		if (!is_ok(s)) break;
		previous = item;
	}
	status ended = store_scan_end(scan);
	TRY(s);
	TRY(ended);
	/* A page that ended exactly at its limit tells where, though nothing may follow: so does AWS. */
	if (previous.type != V_NONE && (more || (r->limit && r->scanned == r->limit)))
		r->last = ddb_entry_key_of(w->a, r->t, r->x, &previous);
	double units = ddb_read_units(bytes, r->consistent);
	if (r->x) {
		r->cost.index[r->x->position] += units;
		r->cost.used[r->x->position] = true;
	} else {
		r->cost.table += units;
	}
	ddb_charge(w, &r->cost);
	return OK;
}

static struct str with(struct arena *a, const struct key *partition, const struct value *v)
{
	struct key k = key_begin(a);
	key_append(&k, key_done(partition));
	key_str(&k, value_str(v));
	return key_done(&k);
}

void ddb_page_bounds(struct work *w, struct reading *r, const struct key_condition *c)
{
	struct key p = ddb_partition(w->a, r->prefix, &c->hash);
	r->from = key_done(&p);
	r->to = key_after(w->a, r->from);
	struct str low = c->type == RANGE_NONE ? STR_NONE : with(w->a, &p, &c->low);
	switch (c->type) {
	case RANGE_NONE:
		break;
	case RANGE_EQ:
		r->from = low;
		r->to = key_after(w->a, low);
		break;
	case RANGE_LT:
		r->to = low;
		break;
	case RANGE_LE:
		r->to = key_after(w->a, low);
		break;
	case RANGE_GT:
		r->from = key_after(w->a, low);
		break;
	case RANGE_GE:
		r->from = low;
		break;
	case RANGE_BETWEEN:
		r->from = low;
		r->to = key_after(w->a, with(w->a, &p, &c->high));
		break;
	case RANGE_BEGINS:
		r->from = key_with_prefix(w->a, key_done(&p), value_str(&c->low));
		r->to = key_after_prefix(w->a, r->from);
		break;
	}
}

status ddb_page_types(struct work *w, const struct key_schema *k, const struct key_condition *c)
{
	bool bad = c->hash.type != k->hash_type;
	if (c->type != RANGE_NONE && c->low.type != k->range_type) bad = true;
	if (c->type == RANGE_BETWEEN && c->high.type != k->range_type) bad = true;
	if (bad)
		return VALIDATION(w, "One or more parameter values were invalid: Condition parameter type does not "
				     "match schema type");
	if (c->hash.n == 0)
		return VALIDATION(w,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
			"contain an empty %s value. "
			"Key: %.*s",
			c->hash.type == V_B ? "binary" : "string", STR_ARG(k->hash));
	if (c->type == RANGE_EQ && c->low.n == 0)
		return VALIDATION(w,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
			"contain an empty %s value. "
			"Key: %.*s",
			c->low.type == V_B ? "binary" : "string", STR_ARG(k->range));
	if (c->hash.n > KEY_HASH_MAX)
		return VALIDATION(w, "One or more parameter values were invalid: Size of hashkey has exceeded the "
				     "maximum size limit of2048 "
				     "bytes");
	return OK;
}
