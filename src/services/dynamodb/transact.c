/* TransactWriteItems and TransactGetItems: all or nothing, in one transaction of the store; what conflicts with another
 * transaction runs again, so a client never sees TransactionConflict. */
#include "services/dynamodb/transact.h"
#include "base/rand.h"

enum { TOKEN_KEEP_MS = 10 * 60 * 1000, SWEEP_CHANCE = 16, SWEEP_AT_ONCE = 64 };

/* ── tokens ── */

uint64_t ddb_digest(uint64_t seed, struct str s)
{
	return (seed ^ (str_has(s) ? str_hash(s) + 1 : 0)) * UINT64_C(0x9e3779b97f4a7c15) + 0x7f4a7c15;
}

/* The order of a map's members does not count: clients send them as they come. */
uint64_t ddb_digest_value(uint64_t seed, const struct value *v)
{
	if (v->type != V_M) {
		struct buf b = BUF_HEAP;
		ddb_value_store(&b, v);
		uint64_t d = ddb_digest(seed, buf_done(&b));
		buf_cleanup(&b);
		return d;
	}
	uint64_t sum = 0;
	for (uint32_t i = 0; i < v->n; i++) sum += ddb_digest_value(ddb_digest(0, v->map[i].name), &v->map[i].value);
	return (seed + sum) * UINT64_C(0x9e3779b97f4a7c15) + v->n;
}

static struct str token_key(struct work *w, struct str token)
{
	struct key k = ddb_key(w->a, "token");
	key_str(&k, w->c->account);
	key_str(&k, w->c->region);
	key_str(&k, token);
	return key_done(&k);
}

static struct key due_key(struct work *w, int64_t expires_ms)
{
	struct key k = ddb_key(w->a, "token-due");
	key_i64(&k, expires_ms);
	return k;
}

/* Every now and then, what has expired goes. */
static status sweep(struct work *w)
{
	struct key from = ddb_key(w->a, "token-due"), to = due_key(w, w->c->now_ms);
	struct str key, value;
	if (rand_below(SWEEP_CHANCE)) return OK;
	struct store_scan *scan = store_scan_begin(w->tx, key_done(&from), key_done(&to), false);
	for (size_t n = 0; n < SWEEP_AT_ONCE && store_scan_next(scan, &key, &value); n++) {
		struct str own = str_dup(w->a, key), token = str_dup(w->a, value);
		store_delete(w->tx, own);
		store_delete(w->tx, token);
	}
	return store_scan_end(scan);
}

status ddb_transact_token(struct work *w, struct str token, uint64_t digest, bool *done)
{
	*done = false;
	if (!str_has(token)) return OK;
	struct str key = token_key(w, token), bytes;
	struct dynamodb_rec_token r = {0};
	status s = store_get(w->tx, key, &bytes);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s)) {
		TRY(dynamodb_rec_token_decode(w->a, bytes, &r));
		if (r.expires.v > w->c->now_ms) {
			if (r.digest.n == 8 && memcmp(r.digest.p, &digest, 8) == 0) {
				*done = true;
				return OK;
			}
			return call_fail(w->c, DYNAMODB_ERR_IDEMPOTENT_PARAMETER_MISMATCH_EXCEPTION,
				"The provided client token is already in use for a different request");
		}
	}
	r = (struct dynamodb_rec_token){
		.digest = str_n(arena_copy(w->a, &digest, 8), 8), .expires = SOME_I64(w->c->now_ms + TOKEN_KEEP_MS)};
	store_put(w->tx, key, dynamodb_rec_token_encode(w->a, &r));
	struct key due = due_key(w, r.expires.v);
	key_str(&due, key);
	store_put(w->tx, key_done(&due), key);
	return sweep(w);
}

/* ── all or nothing ── */

static const char *reason_code(error_id id)
{
	return id == DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION ? "ConditionalCheckFailed"
	       : id == DYNAMODB_ERR_DUPLICATE_ITEM_EXCEPTION         ? "DuplicateItem"
								     : "ValidationError";
}

static status cancel(struct work *w, const struct transaction *t)
{
	struct dynamodb_transaction_canceled_exception *e =
		arena_new(w->a, struct dynamodb_transaction_canceled_exception);
	struct buf codes = BUF_IN(w->a);
	e->cancellation_reasons.n = t->n;
	e->cancellation_reasons.v = arena_new_n(w->a, struct dynamodb_cancellation_reason, t->n);
	for (size_t i = 0; i < t->n; i++) {
		struct dynamodb_cancellation_reason *r = &e->cancellation_reasons.v[i];
		const struct refusal *why = &t->refusals[i];
		r->code = why->id ? str_c(reason_code(why->id)) : STR("None");
		if (why->id) r->message = why->message;
		bool old = why->id == DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION &&
			   str_is(t->on_failure[i], "ALL_OLD");
		if (old && t->v[i].had) ddb_map_write(w->a, &t->v[i].old, &r->item);
		if (i) buf_lit(&codes, ", ");
		buf_str(&codes, r->code);
	}
	status s = call_fail(w->c, DYNAMODB_ERR_TRANSACTION_CANCELED_EXCEPTION,
		"Transaction cancelled, please refer cancellation reasons for specific reasons [%.*s]",
		STR_ARG(buf_done(&codes)));
	call_fail_members(w->c, e);
	return s;
}

static status distinct(struct work *w, const struct transaction *t)
{
	struct str *keys = arena_new_n(w->a, struct str, t->n);
	for (size_t i = 0; i < t->n; i++) {
		if (t->refusals[i].id) continue;
		keys[i] = ddb_item_key(w->a, t->v[i].t, &t->v[i].item);
		for (size_t j = 0; j < i; j++)
			if (str_has(keys[j]) && str_eq(keys[i], keys[j]))
				return VALIDATION(
					w, "Transaction request cannot include multiple operations on one item");
	}
	return OK;
}

status ddb_transact(struct work *w, struct transaction *t)
{
	size_t bytes = 0;
	bool failed = false;
	TRY(distinct(w, t));
	for (size_t i = 0; i < t->n; i++) {
		TRY(ddb_admit_key(w, t->v[i].t, NULL, true, &t->v[i].item));
		bytes += ddb_item_size(&t->v[i].item);
	}
	if (bytes > TRANSACTION_BYTES_MAX)
		return VALIDATION(
			w, "Collection of items in the transaction exceeds the maximum aggregate size of 4 MB");
	for (size_t i = 0; i < t->n; i++) {
		if (!t->refusals[i].id) {
			status s = ddb_mutate(w, &t->v[i], &t->refusals[i]);
			if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
		}
		failed |= t->refusals[i].id != 0;
	}
	if (failed) return cancel(w, t);
	for (size_t i = 0; i < t->n; i++) {
		struct cost *c = &t->v[i].cost;
		c->table *= 2; /* "DynamoDB performs two underlying reads or writes of every item in the transaction" */
		for (size_t j = 0; j < c->t->n_indexes; j++) c->index[j] *= 2;
		ddb_mutation_charge(w, &t->v[i]);
	}
	return OK;
}

void ddb_transact_consumed(struct work *w, struct str wanted, const struct transaction *t, bool reads,
	struct dynamodb_consumed_capacity_multiple *out)
{
	struct cost *sums = arena_new_n(w->a, struct cost, t->n);
	size_t n = 0, capacity = 0;
	for (size_t i = 0; i < t->n; i++) {
		size_t at = 0;
		const struct cost *c = &t->v[i].cost;
		while (at < n && sums[at].t->id != t->v[i].t->id) at++;
		if (at == n) sums[n++] = (struct cost){.t = t->v[i].t, .writes = !reads};
		sums[at].table += c->table;
		for (size_t j = 0; j < t->v[i].t->n_indexes; j++) {
			sums[at].index[j] += c->index[j];
			sums[at].used[j] |= c->used[j];
		}
	}
	for (size_t i = 0; i < n; i++) {
		struct dynamodb_consumed_capacity *one = ddb_consumed(w, wanted, &sums[i], true);
		if (one) *VEC_PUSH(w->a, out, &capacity) = *one;
	}
}

/* ── TransactWriteItems ── */

struct part { /* one of the four, whatever its struct is called */
	struct str table, condition, update;
	const void *map;
	const struct dynamodb_expression_attribute_name_map *names;
	const struct dynamodb_expression_attribute_value_map *values;
};
#define PART(x, its_map)                                                                                               \
	(struct part)                                                                                                  \
	{                                                                                                              \
		.table = (x)->table_name, .condition = (x)->condition_expression, .map = &(x)->its_map,                \
		.names = &(x)->expression_attribute_names, .values = &(x)->expression_attribute_values,                \
	}

static status read_part(
	struct work *w, const struct part *p, struct mutation *m, struct refusal *refusal, uint64_t *digest)
{
	struct scope s;
	if (!scope_init(&s, w->a, p->names, p->values)) return ddb_scope_failed(w, &s);
	if (str_has(p->update) && !expr_parse_update(&s, p->update, &m->update)) return ddb_scope_failed(w, &s);
	if (str_has(p->condition) && !expr_parse_condition(&s, EXPR_CONDITION, p->condition, &m->condition))
		return ddb_scope_failed(w, &s);
	if (!scope_all_used(&s)) return ddb_scope_failed(w, &s);
	TRY(ddb_read_map(w, p->map, &m->item));
	TRY(ddb_open(w, p->table, &m->t));
	status good = ddb_mutation_check(w, m);
	if (status_is(good, STATUS_FAILED)) {
		*refusal = (struct refusal){ERR_VALIDATION, w->c->failure.message};
		w->c->failure = (struct wire_failure){0};
	} else {
		TRY(good);
	}
	*digest = ddb_digest(*digest + m->type, p->table);
	*digest = ddb_digest(*digest, p->condition);
	*digest = ddb_digest(*digest, p->update);
	*digest = ddb_digest_value(*digest, &m->item);
	for (size_t i = 0; i < s.n_names; i++) *digest += ddb_digest(ddb_digest(1, s.names[i].key), s.names[i].name);
	for (size_t i = 0; i < s.n_values; i++)
		*digest += ddb_digest_value(ddb_digest(2, s.values[i].key), &s.values[i].value);
	return OK;
}

static status read_write(
	struct work *w, const struct dynamodb_transact_write_item *x, struct transaction *t, size_t i, uint64_t *digest)
{
	struct mutation *m = &t->v[i];
	struct part p;
	if ((x->condition_check != NULL) + (x->put != NULL) + (x->delete != NULL) + (x->update != NULL) != 1)
		return VALIDATION(w, "TransactItems can only contain one of Check, Put, Update or Delete");
	if (x->put) {
		p = PART(x->put, item);
		m->type = MUTATE_PUT;
		t->on_failure[i] = x->put->return_values_on_condition_check_failure;
	} else if (x->delete) {
		p = PART(x->delete, key);
		m->type = MUTATE_DELETE;
		t->on_failure[i] = x->delete->return_values_on_condition_check_failure;
	} else if (x->update) {
		p = PART(x->update, key);
		p.update = x->update->update_expression;
		m->type = MUTATE_UPDATE;
		t->on_failure[i] = x->update->return_values_on_condition_check_failure;
	} else {
		p = PART(x->condition_check, key);
		m->type = MUTATE_CHECK;
		t->on_failure[i] = x->condition_check->return_values_on_condition_check_failure;
	}
	return read_part(w, &p, m, &t->refusals[i], digest);
}

static void collect(struct work *w, const struct transaction *t, struct str wanted,
	struct dynamodb_item_collection_metrics_per_table *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < t->n; i++) {
		struct dynamodb_item_collection_metrics *m = ddb_collection(w, wanted, t->v[i].t, &t->v[i].item);
		if (!m || t->v[i].type == MUTATE_CHECK) continue;
		struct dynamodb_item_collection_metrics_per_table_entry *e = VEC_PUSH(w->a, out, &capacity);
		e->key = t->v[i].t->name;
		e->value.v = m;
		e->value.n = 1;
	}
}

static status transact_write(struct work *w, const struct dynamodb_transact_write_items_input *in,
	struct dynamodb_transact_write_items_output *out)
{
	size_t n = in->transact_items.n;
	struct transaction t = {.n = n,
		.v = arena_new_n(w->a, struct mutation, n),
		.on_failure = arena_new_n(w->a, struct str, n),
		.refusals = arena_new_n(w->a, struct refusal, n)};
	uint64_t digest = 0;
	bool done;
	for (size_t i = 0; i < n; i++) TRY(read_write(w, &in->transact_items.v[i], &t, i, &digest));
	TRY(ddb_transact_token(w, in->client_request_token, digest, &done));
	if (done) {
		for (size_t i = 0; i < n; i++) {
			struct value item;
			t.v[i].cost = (struct cost){.t = t.v[i].t};
			status s = ddb_read_item(w, ddb_item_key(w->a, t.v[i].t, &t.v[i].item), false, &item);
			if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
			t.v[i].cost.table = 2 * ddb_read_units(is_ok(s) ? ddb_item_size(&item) : 0, true);
		}
	} else {
		TRY(ddb_transact(w, &t));
		collect(w, &t, in->return_item_collection_metrics, &out->item_collection_metrics);
	}
	ddb_transact_consumed(w, in->return_consumed_capacity, &t, done, &out->consumed_capacity);
	return OK;
}

status dynamodb_transact_write_items(struct call *c, const struct dynamodb_transact_write_items_input *in,
	struct dynamodb_transact_write_items_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, transact_write(&w, in, out));
}

/* ── TransactGetItems ── */

static status transact_get(struct work *w, const struct dynamodb_transact_get_items_input *in,
	struct dynamodb_transact_get_items_output *out)
{
	size_t n = in->transact_items.n, bytes = 0;
	struct transaction t = {
		.n = n, .v = arena_new_n(w->a, struct mutation, n), .refusals = arena_new_n(w->a, struct refusal, n)};
	struct projection *projections = arena_new_n(w->a, struct projection, n);
	for (size_t i = 0; i < n; i++) {
		const struct dynamodb_get *g = in->transact_items.v[i].get;
		struct scope s;
		if (!scope_init(&s, w->a, &g->expression_attribute_names, NULL)) return ddb_scope_failed(w, &s);
		TRY(ddb_read_projection(w, &s, g->projection_expression, NULL, &projections[i]));
		if (!scope_all_used(&s)) return ddb_scope_failed(w, &s);
		t.v[i].type = MUTATE_CHECK;
		TRY(ddb_read_map(w, &g->key, &t.v[i].item));
		TRY(ddb_open(w, g->table_name, &t.v[i].t));
		TRY(ddb_check_key(w, &t.v[i].t->key, &t.v[i].item));
		TRY(ddb_admit_key(w, t.v[i].t, NULL, false, &t.v[i].item));
	}
	TRY(distinct(w, &t));
	out->responses.n = n;
	out->responses.v = arena_new_n(w->a, struct dynamodb_item_response, n);
	for (size_t i = 0; i < n; i++) {
		struct value item;
		t.v[i].cost = (struct cost){.t = t.v[i].t};
		status s = ddb_read_item(w, ddb_item_key(w->a, t.v[i].t, &t.v[i].item), false, &item);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		size_t size = is_ok(s) ? ddb_item_size(&item) : 0;
		t.v[i].cost.table = 2 * ddb_read_units(size, true);
		ddb_charge(w, &t.v[i].cost);
		ddb_insights_access(w, &t.v[i].cost, &t.v[i].item);
		bytes += size;
		if (bytes > TRANSACTION_BYTES_MAX)
			return VALIDATION(
				w, "Collection of items in the transaction exceeds the maximum aggregate size of 4 MB");
		if (!is_ok(s)) continue;
		if (projections[i].n) item = expr_project(w->a, &projections[i], &item);
		ddb_map_write(w->a, &item, &out->responses.v[i].item);
	}
	ddb_transact_consumed(w, in->return_consumed_capacity, &t, true, &out->consumed_capacity);
	return OK;
}

status dynamodb_transact_get_items(struct call *c, const struct dynamodb_transact_get_items_input *in,
	struct dynamodb_transact_get_items_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, transact_get(&w, in, out));
}
