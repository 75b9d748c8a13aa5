/* BatchGetItem and BatchWriteItem. What a page or a provisioned table has no room for comes back as unprocessed. */
#include "services/dynamodb/service.h"

enum { BATCH_GET_MAX = 100, BATCH_WRITE_MAX = 25, BATCH_BYTES_MAX = 16 << 20 };

/* One cost per table, in the order of the request. */
struct costs {
	struct cost *v;
	size_t n;
};

static struct cost *cost_of(struct costs *l, const struct table *t)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].t->id == t->id) return &l->v[i];
	l->v[l->n] = (struct cost){.t = t};
	return &l->v[l->n++];
}

static void add_cost(struct cost *to, const struct cost *more, double factor)
{
	to->writes |= more->writes;
	to->table += more->table * factor;
	for (size_t i = 0; i < to->t->n_indexes; i++) {
		to->index[i] += more->index[i] * factor;
		to->used[i] |= more->used[i];
	}
}

static void consumed(
	struct work *w, struct str wanted, const struct costs *l, struct dynamodb_consumed_capacity_multiple *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < l->n; i++) {
		struct dynamodb_consumed_capacity *one = ddb_consumed(w, wanted, &l->v[i], false);
		if (one) *VEC_PUSH(w->a, out, &capacity) = *one;
	}
}

/* True, and nothing recorded, if there is capacity left. */
static bool admitted(struct work *w, const struct table *t, bool write, const struct value *key)
{
	bool good = is_ok(ddb_admit_key(w, t, NULL, write, key));
	for (size_t i = 0; i < t->n_indexes && write && good; i++) good = is_ok(ddb_admit(w, t, &t->indexes[i], true));
	if (!good) w->c->failure = (struct wire_failure){0};
	return good;
}

static status throttled(struct work *w)
{
	return call_fail(w->c, DYNAMODB_ERR_PROVISIONED_THROUGHPUT_EXCEEDED_EXCEPTION,
		"The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
		"provisioning level with "
		"the UpdateTable API.");
}

static status duplicates(struct work *w)
{
	return VALIDATION(w, "Provided list of item keys contains duplicates");
}

/* ── BatchGetItem ── */

struct get_state {
	struct costs costs;
	size_t bytes, got;
	bool refused;
};

static status get_table(struct work *w, struct get_state *g, struct str name,
	const struct dynamodb_keys_and_attributes *q, struct dynamodb_batch_get_item_output *out, size_t *responses,
	size_t *unprocessed)
{
	struct params p = {0};
	struct scope s;
	struct projection projection;
	struct table *t;
	ddb_params_add(w, &p, true, "AttributesToGet", q->attributes_to_get.v != NULL);
	ddb_params_add(w, &p, false, "ProjectionExpression", str_has(q->projection_expression));
	TRY(ddb_params_check(w, &p, &q->expression_attribute_names, NULL, ""));
	if (!scope_init(&s, w->a, &q->expression_attribute_names, NULL)) return ddb_scope_failed(w, &s);
	TRY(ddb_read_projection(w, &s, q->projection_expression, &q->attributes_to_get, &projection));
	if (!scope_all_used(&s)) return ddb_scope_failed(w, &s);
	TRY(ddb_open(w, name, &t));
	struct str *keys = arena_new_n(w->a, struct str, q->keys.n);
	struct value *given = arena_new_n(w->a, struct value, q->keys.n);
	for (size_t i = 0; i < q->keys.n; i++) {
		TRY(ddb_read_map(w, &q->keys.v[i], &given[i]));
		TRY(ddb_check_key(w, &t->key, &given[i]));
		keys[i] = ddb_item_key(w->a, t, &given[i]);
		for (size_t j = 0; j < i; j++)
			if (str_eq(keys[i], keys[j])) return duplicates(w);
	}
	struct dynamodb_batch_get_response_map_entry *r = VEC_PUSH(w->a, &out->responses, responses);
	struct dynamodb_key_list left = {0};
	size_t items = 0, left_capacity = 0;
	r->key = name;
	VEC_PRESENT(w->a, &r->value);
	for (size_t i = 0; i < q->keys.n; i++) {
		struct value item;
		struct cost cost = {.t = t};
		if (g->bytes > BATCH_BYTES_MAX || !admitted(w, t, false, &given[i])) {
			g->refused |= g->bytes <= BATCH_BYTES_MAX;
			*VEC_PUSH(w->a, &left, &left_capacity) = q->keys.v[i];
			continue;
		}
		status found = ddb_read_item(w, keys[i], false, &item);
		if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
		size_t size = is_ok(found) ? ddb_item_size(&item) : 0;
		cost.table = ddb_read_units(size, q->consistent_read.v);
		ddb_charge(w, &cost);
		ddb_insights_access(w, &cost, &given[i]);
		add_cost(cost_of(&g->costs, t), &cost, 1);
		g->got++;
		g->bytes += size;
		if (!is_ok(found)) continue;
		if (projection.n) item = expr_project(w->a, &projection, &item);
		ddb_map_write(w->a, &item, VEC_PUSH(w->a, &r->value, &items));
	}
	if (left.n) {
		struct dynamodb_batch_get_request_map_entry *u = VEC_PUSH(w->a, &out->unprocessed_keys, unprocessed);
		u->key = name;
		u->value = *q;
		u->value.keys = left;
	}
	return OK;
}

static status batch_get(
	struct work *w, const struct dynamodb_batch_get_item_input *in, struct dynamodb_batch_get_item_output *out)
{
	const struct dynamodb_batch_get_request_map *q = &in->request_items;
	size_t total = 0, responses = 0, unprocessed = 0;
	for (size_t i = 0; i < q->n; i++) total += q->v[i].value.keys.n;
	if (total > BATCH_GET_MAX) return VALIDATION(w, "Too many items requested for the BatchGetItem call");
	struct get_state g = {.costs.v = arena_new_n(w->a, struct cost, q->n)};
	VEC_PRESENT(w->a, &out->responses);
	VEC_PRESENT(w->a, &out->unprocessed_keys);
	for (size_t i = 0; i < q->n; i++)
		TRY(get_table(w, &g, q->v[i].key, &q->v[i].value, out, &responses, &unprocessed));
	if (g.refused && g.got == 0) return throttled(w);
	consumed(w, in->return_consumed_capacity, &g.costs, &out->consumed_capacity);
	return OK;
}

status dynamodb_batch_get_item(
	struct call *c, const struct dynamodb_batch_get_item_input *in, struct dynamodb_batch_get_item_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, batch_get(&w, in, out));
}

/* ── BatchWriteItem ── */

struct put_state {
	struct costs costs;
	size_t done, refused;
};

static status read_write(struct work *w, struct table *t, const struct dynamodb_write_request *q, struct mutation *m)
{
	if ((q->put_request != NULL) + (q->delete_request != NULL) != 1)
		return VALIDATION(w, "Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest");
	*m = (struct mutation){.type = q->put_request ? MUTATE_PUT : MUTATE_DELETE, .t = t};
	TRY(ddb_read_map(w,
		q->put_request ? (const void *)&q->put_request->item : (const void *)&q->delete_request->key,
		&m->item));
	return ddb_mutation_check(w, m);
}

static void collect(struct work *w, const struct dynamodb_batch_write_item_input *in, const struct table *t,
	struct str name, const struct value *item, struct dynamodb_batch_write_item_output *out, size_t *capacity)
{
	struct dynamodb_item_collection_metrics *m = ddb_collection(w, in->return_item_collection_metrics, t, item);
	if (!m) return;
	struct dynamodb_item_collection_metrics_per_table *l = &out->item_collection_metrics;
	if (!l->n || !str_eq(l->v[l->n - 1].key, name)) VEC_PUSH(w->a, l, capacity)->key = name;
	struct dynamodb_item_collection_metrics_multiple *of = &l->v[l->n - 1].value;
	struct dynamodb_item_collection_metrics *grown =
		arena_new_n(w->a, struct dynamodb_item_collection_metrics, of->n + 1);
	if (of->n) memcpy(grown, of->v, of->n * sizeof(*grown));
	grown[of->n++] = *m;
	of->v = grown;
}

static status write_table(struct work *w, struct put_state *p, const struct dynamodb_batch_write_item_input *in,
	size_t which, struct dynamodb_batch_write_item_output *out, size_t *unprocessed, size_t *metrics)
{
	const struct dynamodb_write_requests *q = &in->request_items.v[which].value;
	struct str name = in->request_items.v[which].key;
	struct table *t;
	struct dynamodb_write_requests left = {0};
	size_t capacity = 0;
	TRY(ddb_open(w, name, &t));
	struct mutation *m = arena_new_n(w->a, struct mutation, q->n);
	struct str *keys = arena_new_n(w->a, struct str, q->n);
	for (size_t i = 0; i < q->n; i++) {
		TRY(read_write(w, t, &q->v[i], &m[i]));
		keys[i] = ddb_item_key(w->a, t, &m[i].item);
		for (size_t j = 0; j < i; j++)
			if (str_eq(keys[i], keys[j])) return duplicates(w);
	}
	for (size_t i = 0; i < q->n; i++) {
		struct refusal why;
		if (!admitted(w, t, true, &m[i].item)) {
			p->refused++;
			*VEC_PUSH(w->a, &left, &capacity) = q->v[i];
			continue;
		}
		status s = ddb_mutate(w, &m[i], &why);
		if (status_is(s, STATUS_FAILED)) return ddb_refuse(w, &m[i], &why, STR_NONE);
		TRY(s);
		ddb_mutation_charge(w, &m[i]);
		add_cost(cost_of(&p->costs, t), &m[i].cost, 1);
		collect(w, in, t, name, &m[i].item, out, metrics);
		p->done++;
	}
	if (left.n)
		*VEC_PUSH(w->a, &out->unprocessed_items, unprocessed) =
			(struct dynamodb_batch_write_item_request_map_entry){name, left};
	return OK;
}

static status batch_write(
	struct work *w, const struct dynamodb_batch_write_item_input *in, struct dynamodb_batch_write_item_output *out)
{
	const struct dynamodb_batch_write_item_request_map *q = &in->request_items;
	size_t total = 0, unprocessed = 0, metrics = 0;
	for (size_t i = 0; i < q->n; i++) total += q->v[i].value.n;
	if (total > BATCH_WRITE_MAX) return VALIDATION(w, "Too many items requested for the BatchWriteItem call");
	struct put_state p = {.costs.v = arena_new_n(w->a, struct cost, q->n)};
	VEC_PRESENT(w->a, &out->unprocessed_items);
	for (size_t i = 0; i < q->n; i++) TRY(write_table(w, &p, in, i, out, &unprocessed, &metrics));
	if (p.refused && p.done == 0) return throttled(w);
	consumed(w, in->return_consumed_capacity, &p.costs, &out->consumed_capacity);
	return OK;
}

status dynamodb_batch_write_item(
	struct call *c, const struct dynamodb_batch_write_item_input *in, struct dynamodb_batch_write_item_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, batch_write(&w, in, out));
}
