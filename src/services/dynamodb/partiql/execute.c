/* ExecuteStatement, BatchExecuteStatement, ExecuteTransaction: PartiQL statements over tables. A SELECT whose WHERE
 * demands a value of the partition key reads that partition, narrowed by the sort key; any other reads the whole table,
 * as on AWS. */
#include "services/dynamodb/page.h"
#include "services/dynamodb/partiql/partiql.h"
#include "services/dynamodb/transact.h"

static status parse(struct work *w, struct str text, const struct dynamodb_prepared_statement_parameters *given,
	struct partiql *out)
{
	struct value *values = arena_new_n(w->a, struct value, given->n);
	struct str why = STR_NONE;
	for (size_t i = 0; i < given->n; i++)
		if (!ddb_value_read(w->a, &given->v[i], &values[i], &why)) return VALIDATION(w, "%.*s", STR_ARG(why));
	if (partiql_parse(w->a, text, values, given->n, out, &why)) return OK;
	return VALIDATION(w, "%.*s", STR_ARG(why));
}

/* ── SELECT ── */

/* The sort key's condition among the terms that AND joins, if there is one that a range can express. */
static void sort_condition(const struct node *n, struct str range, struct key_condition *k)
{
	if (!n || k->type != RANGE_NONE) return;
	if (n->type == NODE_AND) {
		sort_condition(n->args[0], range, k);
		sort_condition(n->args[1], range, k);
		return;
	}
	static const enum range_type types[] = {[NODE_EQ] = RANGE_EQ,
		[NODE_LT] = RANGE_LT,
		[NODE_LE] = RANGE_LE,
		[NODE_GT] = RANGE_GT,
		[NODE_GE] = RANGE_GE,
		[NODE_BETWEEN] = RANGE_BETWEEN};
	enum range_type t = n->type >= NODE_EQ && n->type <= NODE_BETWEEN           ? types[n->type]
			    : n->type == NODE_CALL && n->function == FN_BEGINS_WITH ? RANGE_BEGINS
										    : RANGE_NONE;
	if (t == RANGE_NONE || n->args[0]->type != NODE_PATH || n->args[0]->path.n != 1) return;
	if (!str_eq(n->args[0]->path.steps[0].name, range) || n->args[1]->type != NODE_VALUE) return;
	if (t == RANGE_BETWEEN && n->args[2]->type != NODE_VALUE) return;
	k->type = t;
	k->low = n->args[1]->value;
	if (t == RANGE_BETWEEN) k->high = n->args[2]->value;
}

static status choose_range(struct work *w, struct reading *r, const struct partiql *q)
{
	struct key_condition k = {0};
	const struct value *hash = partiql_equal(q->where, r->key->hash);
	if (!hash) {
		if (str_has(q->order_by))
			return VALIDATION(w, "Must have WHERE clause in the statement when using ORDER BY clause.");
		r->from = r->prefix;
		r->to = key_after(w->a, r->prefix);
		return OK;
	}
	k.hash = *hash;
	if (str_has(r->key->range)) sort_condition(q->where, r->key->range, &k);
	TRY(ddb_page_types(w, r->key, &k));
	ddb_page_bounds(w, r, &k);
	if (str_has(q->order_by) && !str_eq(q->order_by, r->key->range) && !str_eq(q->order_by, r->key->hash))
		return VALIDATION(w, "Variable reference %.*s in ORDER BY clause must be part of the primary key",
			STR_ARG(q->order_by));
	r->backwards = q->descending && str_eq(q->order_by, r->key->range);
	return OK;
}

/* A token is where the next page begins: a stored key in base64. Whoever makes one up gets another page of the same
 * query. */
static status read_token(struct work *w, struct str token, struct dynamodb_key *out)
{
	struct str bytes = STR_NONE;
	struct value key;
	if (!str_has(token)) return OK;
	if (!is_ok(str_unbase64(w->a, token, &bytes)) || !is_ok(ddb_item_load(w->a, bytes, &key)))
		return VALIDATION(w, "Given next token is invalid");
	ddb_map_write(w->a, &key, out);
	return OK;
}

static status select_page(
	struct work *w, const struct partiql *q, struct reading *r, struct str token, int32_t limit, bool consistent)
{
	struct dynamodb_key start = {0};
	r->consistent = consistent;
	r->limit = limit;
	r->filter = q->where;
	r->projection = q->projection;
	TRY(ddb_open(w, q->table, &r->t));
	TRY(ddb_page_index(w, r, q->index));
	TRY(ddb_page_selection(w, r, STR_NONE, false));
	TRY(choose_range(w, r, q));
	TRY(read_token(w, token, &start));
	TRY(ddb_page_start(w, r, &start, true));
	TRY(ddb_admit(w, r->t, r->x, false));
	return ddb_page_read(w, r);
}

/* ── changes ── */

static struct node *join(struct work *w, enum node_type t, struct node *x, struct node *y)
{
	struct node *n = arena_new(w->a, struct node);
	n->type = t;
	n->n = 2;
	n->args = arena_new_n(w->a, struct node *, 2);
	n->args[0] = x;
	n->args[1] = y;
	return n;
}

static struct node *absent(struct work *w, struct str name)
{
	struct node *n = arena_new(w->a, struct node), *path = arena_new(w->a, struct node);
	path->type = NODE_PATH;
	path->path = (struct path){arena_new(w->a, struct path_step), 1};
	path->path.steps[0].name = name;
	n->type = NODE_CALL;
	n->function = FN_ATTRIBUTE_NOT_EXISTS;
	n->n = 1;
	n->args = arena_new_n(w->a, struct node *, 1);
	n->args[0] = path;
	return n;
}

static status whole_key(struct work *w, const struct partiql *q, const struct table *t, struct value *key)
{
	const struct value *hash = partiql_equal(q->where, t->key.hash);
	const struct value *range = str_has(t->key.range) ? partiql_equal(q->where, t->key.range) : NULL;
	if (!hash || (str_has(t->key.range) && !range))
		return VALIDATION(w, "Where clause does not contain a mandatory equality on all key attributes");
	*key = ddb_map();
	ddb_set(w->a, key, t->key.hash, hash);
	if (range) ddb_set(w->a, key, t->key.range, range);
	return OK;
}

static status to_mutation(struct work *w, const struct partiql *q, struct mutation *m)
{
	*m = (struct mutation){0};
	if (str_has(q->index))
		return VALIDATION(w, "Statement wasn't well formed, can't be processed: an index cannot be written");
	TRY(ddb_open(w, q->table, &m->t));
	if (q->kind == PARTIQL_INSERT) {
		m->type = MUTATE_PUT;
		m->item = q->item;
		m->condition = absent(w, m->t->key.hash);
		return OK;
	}
	TRY(whole_key(w, q, m->t, &m->item));
	m->condition = q->where;
	if (q->kind == PARTIQL_DELETE) {
		m->type = MUTATE_DELETE;
		/* Deleting what is not there succeeds; a condition that what is there does not meet does not. */
		m->condition = join(w, NODE_OR, absent(w, m->t->key.hash), q->where);
	} else {
		m->type = q->kind == PARTIQL_UPDATE ? MUTATE_UPDATE : MUTATE_CHECK;
		m->update = q->update;
		m->must_exist = true;
	}
	return OK;
}

/* As PartiQL names what a mutation names otherwise. */
static void rename_refusal(const struct partiql *q, struct refusal *why)
{
	if (q->kind != PARTIQL_INSERT || why->id != DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION) return;
	*why = (struct refusal){DYNAMODB_ERR_DUPLICATE_ITEM_EXCEPTION, STR("Duplicate primary key exists in table")};
}

static status mutate(struct work *w, const struct partiql *q, struct mutation *m, struct str on_failure)
{
	struct refusal why;
	TRY(to_mutation(w, q, m));
	TRY(ddb_mutation_check(w, m));
	TRY(ddb_admit(w, m->t, NULL, true));
	status s = ddb_mutate(w, m, &why);
	if (is_ok(s) || status_is(s, STATUS_FAILED)) ddb_charge(w, &m->cost);
	if (!status_is(s, STATUS_FAILED)) return s;
	rename_refusal(q, &why);
	return ddb_refuse(w, m, &why, on_failure);
}

/* ── ExecuteStatement ── */

static status execute(struct work *w, const struct dynamodb_execute_statement_input *in,
	struct dynamodb_execute_statement_output *out)
{
	struct partiql q;
	TRY(parse(w, in->statement, &in->parameters, &q));
	VEC_PRESENT(w->a, &out->items);
	if (q.kind == PARTIQL_EXISTS)
		return VALIDATION(
			w, "Statement wasn't well formed, can't be processed: EXISTS is allowed in transactions only");
	if (q.kind == PARTIQL_SELECT) {
		struct reading r = {0};
		TRY(select_page(w, &q, &r, in->next_token, in->limit.has ? in->limit.v : 0, in->consistent_read.v));
		out->items = r.items;
		if (r.last.type != V_NONE) {
			ddb_map_write(w->a, &r.last, &out->last_evaluated_key);
			out->next_token = str_base64(w->a, ddb_item_store(w->a, &r.last));
		}
		out->consumed_capacity = ddb_consumed(w, in->return_consumed_capacity, &r.cost, false);
		return OK;
	}
	struct mutation m;
	size_t capacity = 0;
	TRY(mutate(w, &q, &m, in->return_values_on_condition_check_failure));
	struct dynamodb_attribute_map item = {0};
	ddb_mutation_returned(w, &m, q.returning, &item);
	if (item.v) *VEC_PUSH(w->a, &out->items, &capacity) = item;
	out->consumed_capacity = ddb_consumed(w, in->return_consumed_capacity, &m.cost, false);
	return OK;
}

status dynamodb_execute_statement(struct call *c, const struct dynamodb_execute_statement_input *in,
	struct dynamodb_execute_statement_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, execute(&w, in, out));
}

/* ── BatchExecuteStatement ── */

/* A SELECT of a whole key, and of nothing more. */
static status select_one(struct work *w, const struct partiql *q, bool consistent, struct table **t, struct cost *cost,
	struct dynamodb_attribute_map *out)
{
	struct value key, item;
	TRY(ddb_open(w, q->table, t));
	TRY(whole_key(w, q, *t, &key));
	if (str_has(q->index) || !partiql_only_keys(q->where, (*t)->key.hash, (*t)->key.range))
		return VALIDATION(w, "Select statements within BatchExecuteStatement must specify the primary key in "
				     "the where clause.");
	TRY(ddb_check_key(w, &(*t)->key, &key));
	TRY(ddb_admit(w, *t, NULL, false));
	status s = ddb_read_item(w, ddb_item_key(w->a, *t, &key), false, &item);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	*cost = (struct cost){.t = *t, .table = ddb_read_units(is_ok(s) ? ddb_item_size(&item) : 0, consistent)};
	ddb_charge(w, cost);
	if (!is_ok(s)) return OK;
	if (q->projection.n) item = expr_project(w->a, &q->projection, &item);
	ddb_map_write(w->a, &item, out);
	return OK;
}

static const char *error_code(error_id id)
{
	switch ((int)id) {
	case DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION:
		return "ConditionalCheckFailed";
	case DYNAMODB_ERR_DUPLICATE_ITEM_EXCEPTION:
		return "DuplicateItem";
	case DYNAMODB_ERR_RESOURCE_NOT_FOUND_EXCEPTION:
		return "ResourceNotFound";
	case DYNAMODB_ERR_PROVISIONED_THROUGHPUT_EXCEEDED_EXCEPTION:
		return "ProvisionedThroughputExceeded";
	case ERR_ACCESS_DENIED:
		return "AccessDenied";
	default:
		return "ValidationError";
	}
}

static status one(struct work *w, const struct dynamodb_batch_statement_request *in, const struct partiql *q,
	struct cost *cost, struct dynamodb_batch_statement_response *out)
{
	if (q->kind == PARTIQL_SELECT) {
		struct table *t = NULL;
		status s = select_one(w, q, in->consistent_read.v, &t, cost, &out->item);
		if (t) out->table_name = t->name;
		return s;
	}
	struct mutation m = {0};
	status s = mutate(w, q, &m, in->return_values_on_condition_check_failure);
	if (m.t) out->table_name = m.t->name;
	if (is_ok(s)) ddb_mutation_returned(w, &m, q->returning, &out->item);
	*cost = m.cost;
	return s;
}

static status batch(struct work *w, const struct dynamodb_batch_execute_statement_input *in,
	struct dynamodb_batch_execute_statement_output *out)
{
	size_t n = in->statements.n, reads = 0, capacity = 0;
	struct partiql *q = arena_new_n(w->a, struct partiql, n);
	for (size_t i = 0; i < n; i++) {
		TRY(parse(w, in->statements.v[i].statement, &in->statements.v[i].parameters, &q[i]));
		if (q[i].kind == PARTIQL_EXISTS)
			return VALIDATION(w, "Statement wasn't well formed, can't be processed: EXISTS is allowed in "
					     "transactions only");
		reads += q[i].kind == PARTIQL_SELECT;
	}
	if (reads && reads != n)
		return VALIDATION(
			w, "A batch of statements must contain either read statements or write statements, not both");
	out->responses.n = n;
	out->responses.v = arena_new_n(w->a, struct dynamodb_batch_statement_response, n);
	for (size_t i = 0; i < n; i++) {
		struct cost cost = {0};
		struct dynamodb_batch_statement_response *r = &out->responses.v[i];
		status s = one(w, &in->statements.v[i], &q[i], &cost, r);
		if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
		if (status_is(s, STATUS_FAILED)) {
			const struct dynamodb_conditional_check_failed_exception *e = w->c->failure.members;
			r->error = arena_new(w->a, struct dynamodb_batch_statement_error);
			r->error->code = str_c(error_code(w->c->failure.id));
			r->error->message = w->c->failure.message;
			if (e && w->c->failure.id == DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION)
				r->error->item = e->item;
			w->c->failure = (struct wire_failure){0};
		}
		struct dynamodb_consumed_capacity *used =
			cost.t ? ddb_consumed(w, in->return_consumed_capacity, &cost, false) : NULL;
		if (used) *VEC_PUSH(w->a, &out->consumed_capacity, &capacity) = *used;
	}
	return OK;
}

status dynamodb_batch_execute_statement(struct call *c, const struct dynamodb_batch_execute_statement_input *in,
	struct dynamodb_batch_execute_statement_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, batch(&w, in, out));
}

/* ── ExecuteTransaction ── */

static status read_all(struct work *w, const struct partiql *q, size_t n, struct transaction *t,
	struct dynamodb_execute_transaction_output *out)
{
	out->responses.n = n;
	out->responses.v = arena_new_n(w->a, struct dynamodb_item_response, n);
	for (size_t i = 0; i < n; i++) {
		TRY(select_one(w, &q[i], true, &t->v[i].t, &t->v[i].cost, &out->responses.v[i].item));
		t->v[i].cost.table *= 2;
	}
	return OK;
}

static status write_all(struct work *w, const struct partiql *q, size_t n, struct transaction *t,
	const struct dynamodb_execute_transaction_input *in, bool *done)
{
	uint64_t digest = 0;
	for (size_t i = 0; i < n; i++) {
		const struct dynamodb_parameterized_statement *s = &in->transact_statements.v[i];
		TRY(to_mutation(w, &q[i], &t->v[i]));
		t->on_failure[i] = s->return_values_on_condition_check_failure;
		status good = ddb_mutation_check(w, &t->v[i]);
		if (!is_ok(good) && !status_is(good, STATUS_FAILED)) return good;
		if (!is_ok(good)) {
			t->refusals[i] = (struct refusal){ERR_VALIDATION, w->c->failure.message};
			w->c->failure = (struct wire_failure){0};
		}
		digest = ddb_digest(digest, s->statement);
		for (size_t k = 0; k < s->parameters.n; k++) {
			struct value v;
			struct str why;
			if (ddb_value_read(w->a, &s->parameters.v[k], &v, &why)) digest = ddb_digest_value(digest, &v);
		}
	}
	TRY(ddb_transact_token(w, in->client_request_token, digest, done));
	return *done ? OK : ddb_transact(w, t);
}

static status transaction(struct work *w, const struct dynamodb_execute_transaction_input *in,
	struct dynamodb_execute_transaction_output *out)
{
	size_t n = in->transact_statements.n, reads = 0;
	struct partiql *q = arena_new_n(w->a, struct partiql, n);
	struct transaction t = {.n = n,
		.v = arena_new_n(w->a, struct mutation, n),
		.on_failure = arena_new_n(w->a, struct str, n),
		.refusals = arena_new_n(w->a, struct refusal, n)};
	bool done = false;
	for (size_t i = 0; i < n; i++) {
		TRY(parse(w, in->transact_statements.v[i].statement, &in->transact_statements.v[i].parameters, &q[i]));
		reads += q[i].kind == PARTIQL_SELECT;
	}
	if (reads && reads != n)
		return VALIDATION(w, "A transaction must contain either read statements or write statements, not both");
	TRY(reads ? read_all(w, q, n, &t, out) : write_all(w, q, n, &t, in, &done));
	if (!done) ddb_transact_consumed(w, in->return_consumed_capacity, &t, reads != 0, &out->consumed_capacity);
	return OK;
}

status dynamodb_execute_transaction(struct call *c, const struct dynamodb_execute_transaction_input *in,
	struct dynamodb_execute_transaction_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, transaction(&w, in, out));
}
