/* Fine-grained access: what policies may ask of a request's keys and attributes ("Using IAM policy conditions for
 * fine-grained access control"), and which actions PartiQL's statements are. A request that is malformed gets no keys
 * here; the handler says what is wrong with it. */
#include "policy/authz.h"
#include "services/dynamodb/page.h"
#include "services/dynamodb/partiql/partiql.h"

/* Values of dynamodb:LeadingKeys and dynamodb:Attributes, for one table of the request. */
struct access {
	struct work *w;
	const struct table *t; /* NULL: there is none */
	struct names {
		struct str *v;
		size_t n;
	} keys, attributes;
	size_t keys_capacity, attributes_capacity;
};

static void add_attribute(struct access *x, struct str name)
{
	for (size_t i = 0; i < x->attributes.n; i++)
		if (str_eq(x->attributes.v[i], name)) return;
	*VEC_PUSH(x->w->a, &x->attributes, &x->attributes_capacity) = name;
}

static void add_key(struct access *x, const struct value *v)
{
	struct buf b = BUF_IN(x->w->a);
	if (!v) return;
	if (v->type == V_N)
		ddb_number_write(&b, value_str(v));
	else if (v->type == V_B)
		buf_base64(&b, value_str(v));
	else
		buf_str(&b, value_str(v));
	*VEC_PUSH(x->w->a, &x->keys, &x->keys_capacity) = buf_done(&b);
}

/* An item or a key: its partition key, and all its attributes. */
static void add_item(struct access *x, const void *generated_map)
{
	struct value item;
	struct str why;
	if (!x->t || !ddb_map_read(x->w->a, generated_map, &item, &why)) return;
	add_key(x, ddb_get(&item, x->t->key.hash));
	for (uint32_t i = 0; i < item.n; i++) add_attribute(x, item.map[i].name);
}

static void add_node(struct access *x, const struct node *n)
{
	if (n->type == NODE_PATH) add_attribute(x, n->path.steps[0].name);
	for (size_t i = 0; i < n->n; i++) add_node(x, n->args[i]);
}

static void add_projection(
	struct access *x, struct str text, const struct dynamodb_expression_attribute_name_map *names)
{
	struct scope s;
	struct projection p;
	if (!str_has(text) || !scope_init(&s, x->w->a, names, NULL) || !expr_parse_projection(&s, text, &p)) return;
	for (size_t i = 0; i < p.n; i++) add_attribute(x, p.v[i].steps[0].name);
}

static void add_condition(struct access *x, struct str text, const struct dynamodb_expression_attribute_name_map *names,
	const struct dynamodb_expression_attribute_value_map *values)
{
	struct scope s;
	struct node *n = NULL;
	if (str_has(text) && scope_init(&s, x->w->a, names, values) &&
		expr_parse_condition(&s, EXPR_CONDITION, text, &n))
		add_node(x, n);
}

static void add_update(struct access *x, struct str text, const struct dynamodb_expression_attribute_name_map *names,
	const struct dynamodb_expression_attribute_value_map *values)
{
	struct scope s;
	struct update u;
	if (!str_has(text) || !scope_init(&s, x->w->a, names, values) || !expr_parse_update(&s, text, &u)) return;
	for (size_t i = 0; i < u.n; i++) {
		add_attribute(x, u.v[i].path.steps[0].name);
		if (u.v[i].operand) add_node(x, u.v[i].operand);
	}
}

static void add_legacy(struct access *x, const struct dynamodb_attribute_name_list *names)
{
	for (size_t i = 0; i < names->n; i++) add_attribute(x, names->v[i]);
}

static struct access begin(struct work *w, struct str name)
{
	struct access x = {.w = w};
	struct table *t = NULL;
	struct str account = w->c->account, region = w->c->region;
	(void)ddb_read_arn(name, &account, &region, &name);
	if (is_ok(ddb_find_cached(w, account, region, name, &t))) x.t = t;
	return x;
}

/* The keys that policies see, with the table's tags. */
static void finish(const struct access *x, struct policy_context *k)
{
	if (x->keys.n) policy_context_set_list(k, STR("dynamodb:LeadingKeys"), x->keys.v, x->keys.n);
	if (x->attributes.n) policy_context_set_list(k, STR("dynamodb:Attributes"), x->attributes.v, x->attributes.n);
	for (size_t i = 0; x->t && i < x->t->record.tags.n; i++)
		policy_context_set_tag(k, STR("aws:ResourceTag/"), str_dup(k->arena, x->t->record.tags.v[i].key),
			str_dup(k->arena, x->t->record.tags.v[i].value));
}

static void set(struct policy_context *k, struct str name, struct str value)
{
	if (str_has(value)) policy_context_set(k, name, value);
}

/* ── operations of one table ── */

static void see_get(struct work *w, const struct dynamodb_get_item_input *in, struct policy_context *k)
{
	struct access x = begin(w, in->table_name);
	add_item(&x, &in->key);
	add_projection(&x, in->projection_expression, &in->expression_attribute_names);
	add_legacy(&x, &in->attributes_to_get);
	set(k, STR("dynamodb:Select"),
		str_has(in->projection_expression) || in->attributes_to_get.v ? STR("SPECIFIC_ATTRIBUTES")
									      : STR("ALL_ATTRIBUTES"));
	set(k, STR("dynamodb:ReturnConsumedCapacity"), in->return_consumed_capacity);
	finish(&x, k);
}

#define SEE_WRITE(in, member)                                                                                          \
	struct access x = begin(w, (in)->table_name);                                                                  \
	add_item(&x, &(in)->member);                                                                                   \
	add_condition(&x, (in)->condition_expression, &(in)->expression_attribute_names,                               \
		&(in)->expression_attribute_values);                                                                   \
	for (size_t i = 0; i < (in)->expected.n; i++) add_attribute(&x, (in)->expected.v[i].key);                      \
	set(k, STR("dynamodb:ReturnValues"), str_or((in)->return_values, STR("NONE")));                                \
	set(k, STR("dynamodb:ReturnConsumedCapacity"), (in)->return_consumed_capacity)

static void see_put(struct work *w, const struct dynamodb_put_item_input *in, struct policy_context *k)
{
	SEE_WRITE(in, item);
	finish(&x, k);
}

static void see_delete(struct work *w, const struct dynamodb_delete_item_input *in, struct policy_context *k)
{
	SEE_WRITE(in, key);
	finish(&x, k);
}

static void see_update(struct work *w, const struct dynamodb_update_item_input *in, struct policy_context *k)
{
	SEE_WRITE(in, key);
	add_update(&x, in->update_expression, &in->expression_attribute_names, &in->expression_attribute_values);
	for (size_t i = 0; i < in->attribute_updates.n; i++) add_attribute(&x, in->attribute_updates.v[i].key);
	finish(&x, k);
}

static void see_query(struct work *w, const struct dynamodb_query_input *in, struct policy_context *k)
{
	struct access x = begin(w, in->table_name);
	const struct index *index = x.t && str_has(in->index_name) ? ddb_index(x.t, in->index_name) : NULL;
	const struct key_schema *schema = index ? &index->key : x.t ? &x.t->key : NULL;
	struct scope s;
	struct node *n = NULL;
	struct key_condition c;
	bool parsed = scope_init(&s, w->a, &in->expression_attribute_names, &in->expression_attribute_values);
	if (parsed && str_has(in->key_condition_expression))
		parsed = expr_parse_condition(&s, EXPR_KEY_CONDITION, in->key_condition_expression, &n);
	const struct dynamodb_filter_condition_map alike = {(void *)in->key_conditions.v, in->key_conditions.n};
	if (parsed && !n && in->key_conditions.n) parsed = legacy_conditions(&s, &alike, STR_NONE, &n);
	if (parsed && n && schema && expr_key_condition(&s, n, schema->hash, schema->range, &c)) add_key(&x, &c.hash);
	if (parsed && n) add_node(&x, n);
	add_projection(&x, in->projection_expression, &in->expression_attribute_names);
	add_condition(&x, in->filter_expression, &in->expression_attribute_names, &in->expression_attribute_values);
	add_legacy(&x, &in->attributes_to_get);
	bool specific = str_has(in->projection_expression) || in->attributes_to_get.v;
	set(k, STR("dynamodb:Select"),
		str_has(in->select)       ? in->select
		: specific                ? STR("SPECIFIC_ATTRIBUTES")
		: str_has(in->index_name) ? STR("ALL_PROJECTED_ATTRIBUTES")
					  : STR("ALL_ATTRIBUTES"));
	set(k, STR("dynamodb:ReturnConsumedCapacity"), in->return_consumed_capacity);
	finish(&x, k);
}

static void see_scan(struct work *w, const struct dynamodb_scan_input *in, struct policy_context *k)
{
	struct access x = begin(w, in->table_name);
	add_projection(&x, in->projection_expression, &in->expression_attribute_names);
	add_condition(&x, in->filter_expression, &in->expression_attribute_names, &in->expression_attribute_values);
	add_legacy(&x, &in->attributes_to_get);
	bool specific = str_has(in->projection_expression) || in->attributes_to_get.v;
	set(k, STR("dynamodb:Select"),
		str_has(in->select)       ? in->select
		: specific                ? STR("SPECIFIC_ATTRIBUTES")
		: str_has(in->index_name) ? STR("ALL_PROJECTED_ATTRIBUTES")
					  : STR("ALL_ATTRIBUTES"));
	set(k, STR("dynamodb:ReturnConsumedCapacity"), in->return_consumed_capacity);
	finish(&x, k);
}

/* ── operations of several tables: each resource has keys of its own ── */

static struct policy_resource *resource_of(struct authz_demands *d, struct str action, struct str arn)
{
	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; j < d->v[i].n; j++)
			if (str_eq(d->v[i].action, action) && str_eq(d->v[i].resources[j].arn, arn) &&
				!d->v[i].resources[j].context)
				return &d->v[i].resources[j];
	return NULL;
}

static void finish_at(const struct access *x, struct authz_demands *d, struct str action)
{
	if (!x->t) return;
	struct policy_resource *r = resource_of(d, action, x->t->arn);
	if (!r) r = authz_add(x->w->a, d, action, str_dup(x->w->a, x->t->arn));
	r->context = arena_new(x->w->a, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(x->w->a);
	finish(x, r->context);
}

static void see_batch_get(struct work *w, const struct dynamodb_batch_get_item_input *in, struct authz_demands *d)
{
	for (size_t i = 0; i < in->request_items.n; i++) {
		const struct dynamodb_keys_and_attributes *q = &in->request_items.v[i].value;
		struct access x = begin(w, in->request_items.v[i].key);
		for (size_t j = 0; j < q->keys.n; j++) add_item(&x, &q->keys.v[j]);
		add_projection(&x, q->projection_expression, &q->expression_attribute_names);
		add_legacy(&x, &q->attributes_to_get);
		finish_at(&x, d, STR("dynamodb:BatchGetItem"));
	}
}

static void see_batch_write(struct work *w, const struct dynamodb_batch_write_item_input *in, struct authz_demands *d)
{
	for (size_t i = 0; i < in->request_items.n; i++) {
		const struct dynamodb_write_requests *q = &in->request_items.v[i].value;
		struct access x = begin(w, in->request_items.v[i].key);
		for (size_t j = 0; j < q->n; j++) {
			if (q->v[j].put_request) add_item(&x, &q->v[j].put_request->item);
			if (q->v[j].delete_request) add_item(&x, &q->v[j].delete_request->key);
		}
		finish_at(&x, d, STR("dynamodb:BatchWriteItem"));
	}
}

static void see_transact_write(
	struct work *w, const struct dynamodb_transact_write_items_input *in, struct authz_demands *d)
{
	for (size_t i = 0; i < in->transact_items.n; i++) {
		const struct dynamodb_transact_write_item *q = &in->transact_items.v[i];
		struct access x;
		if (q->put) {
			x = begin(w, q->put->table_name);
			add_item(&x, &q->put->item);
			add_condition(&x, q->put->condition_expression, &q->put->expression_attribute_names,
				&q->put->expression_attribute_values);
			finish_at(&x, d, STR("dynamodb:PutItem"));
		} else if (q->update) {
			x = begin(w, q->update->table_name);
			add_item(&x, &q->update->key);
			add_update(&x, q->update->update_expression, &q->update->expression_attribute_names,
				&q->update->expression_attribute_values);
			finish_at(&x, d, STR("dynamodb:UpdateItem"));
		} else if (q->delete) {
			x = begin(w, q->delete->table_name);
			add_item(&x, &q->delete->key);
			finish_at(&x, d, STR("dynamodb:DeleteItem"));
		} else if (q->condition_check) {
			x = begin(w, q->condition_check->table_name);
			add_item(&x, &q->condition_check->key);
			finish_at(&x, d, STR("dynamodb:ConditionCheckItem"));
		}
	}
}

static void see_transact_get(
	struct work *w, const struct dynamodb_transact_get_items_input *in, struct authz_demands *d)
{
	for (size_t i = 0; i < in->transact_items.n; i++) {
		const struct dynamodb_get *q = in->transact_items.v[i].get;
		struct access x = begin(w, q->table_name);
		add_item(&x, &q->key);
		add_projection(&x, q->projection_expression, &q->expression_attribute_names);
		finish_at(&x, d, STR("dynamodb:GetItem"));
	}
}

/* ── PartiQL: "IAM security policies with PartiQL for DynamoDB" ── */

static void see_statement(struct work *w, struct str text, const struct dynamodb_prepared_statement_parameters *given,
	struct authz_demands *d)
{
	static const struct str actions[] = {[PARTIQL_SELECT] = STR("dynamodb:PartiQLSelect"),
		[PARTIQL_INSERT] = STR("dynamodb:PartiQLInsert"),
		[PARTIQL_UPDATE] = STR("dynamodb:PartiQLUpdate"),
		[PARTIQL_DELETE] = STR("dynamodb:PartiQLDelete"),
		[PARTIQL_EXISTS] = STR("dynamodb:PartiQLSelect")};
	struct value *values = arena_new_n(w->a, struct value, given->n);
	struct partiql q;
	struct str why;
	for (size_t i = 0; i < given->n; i++)
		if (!ddb_value_read(w->a, &given->v[i], &values[i], &why)) return;
	if (!partiql_parse(w->a, text, values, given->n, &q, &why)) return;
	struct access x = begin(w, q.table);
	struct str arn = call_arn(w->c, STR("dynamodb"), "table/%.*s", STR_ARG(q.table));
	if (str_has(q.index)) arn = str_fmt(w->a, "%.*s/index/%.*s", STR_ARG(arn), STR_ARG(q.index));
	struct policy_resource *r = authz_add(w->a, d, actions[q.kind], arn);
	const struct index *index = x.t && str_has(q.index) ? ddb_index(x.t, q.index) : NULL;
	const struct key_schema *schema = index ? &index->key : x.t ? &x.t->key : NULL;
	const struct value *hash = schema ? (q.kind == PARTIQL_INSERT ? ddb_get(&q.item, schema->hash)
								      : partiql_equal(q.where, schema->hash))
					  : NULL;
	add_key(&x, hash);
	for (uint32_t i = 0; q.kind == PARTIQL_INSERT && i < q.item.n; i++) add_attribute(&x, q.item.map[i].name);
	for (size_t i = 0; i < q.projection.n; i++) add_attribute(&x, q.projection.v[i].steps[0].name);
	for (size_t i = 0; i < q.update.n; i++) add_attribute(&x, q.update.v[i].path.steps[0].name);
	if (q.where) add_node(&x, q.where);
	r->context = arena_new(w->a, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(w->a);
	if (q.kind == PARTIQL_SELECT) policy_context_set_bool(r->context, STR("dynamodb:FullTableScan"), hash == NULL);
	finish(&x, r->context);
}

static void see_statements(struct work *w, const void *in, struct authz_demands *d)
{
	d->n = 0; /* the operations' own names are no actions */
	if (w->c->match.op_index == DYNAMODB_OP_EXECUTE_STATEMENT) {
		const struct dynamodb_execute_statement_input *q = in;
		see_statement(w, q->statement, &q->parameters, d);
	} else if (w->c->match.op_index == DYNAMODB_OP_BATCH_EXECUTE_STATEMENT) {
		const struct dynamodb_batch_execute_statement_input *q = in;
		for (size_t i = 0; i < q->statements.n; i++)
			see_statement(w, q->statements.v[i].statement, &q->statements.v[i].parameters, d);
	} else {
		const struct dynamodb_execute_transaction_input *q = in;
		for (size_t i = 0; i < q->transact_statements.n; i++)
			see_statement(
				w, q->transact_statements.v[i].statement, &q->transact_statements.v[i].parameters, d);
	}
	/* A statement that cannot be read still needs leave for something: the handler will refuse it. */
	if (d->n == 0) authz_add(w->a, d, STR("dynamodb:PartiQLSelect"), STR("*"));
}

static void see_any(struct work *w, struct str table, struct policy_context *k)
{
	struct access x = begin(w, table);
	finish(&x, k);
}

static void see(struct work *w, const void *in, struct authz_demands *d, struct policy_context *k)
{
	switch (w->c->match.op_index) {
	case DYNAMODB_OP_GET_ITEM:
		see_get(w, in, k);
		return;
	case DYNAMODB_OP_PUT_ITEM:
		see_put(w, in, k);
		return;
	case DYNAMODB_OP_UPDATE_ITEM:
		see_update(w, in, k);
		return;
	case DYNAMODB_OP_DELETE_ITEM:
		see_delete(w, in, k);
		return;
	case DYNAMODB_OP_QUERY:
		see_query(w, in, k);
		return;
	case DYNAMODB_OP_SCAN:
		see_scan(w, in, k);
		return;
	case DYNAMODB_OP_BATCH_GET_ITEM:
		see_batch_get(w, in, d);
		return;
	case DYNAMODB_OP_BATCH_WRITE_ITEM:
		see_batch_write(w, in, d);
		return;
	case DYNAMODB_OP_TRANSACT_WRITE_ITEMS:
		see_transact_write(w, in, d);
		return;
	case DYNAMODB_OP_TRANSACT_GET_ITEMS:
		see_transact_get(w, in, d);
		return;
	case DYNAMODB_OP_EXECUTE_STATEMENT:
	case DYNAMODB_OP_BATCH_EXECUTE_STATEMENT:
	case DYNAMODB_OP_EXECUTE_TRANSACTION:
		see_statements(w, in, d);
		return;
	case DYNAMODB_OP_DESCRIBE_TABLE:
		see_any(w, ((const struct dynamodb_describe_table_input *)in)->table_name, k);
		return;
	case DYNAMODB_OP_UPDATE_TABLE:
		see_any(w, ((const struct dynamodb_update_table_input *)in)->table_name, k);
		return;
	case DYNAMODB_OP_DELETE_TABLE:
		see_any(w, ((const struct dynamodb_delete_table_input *)in)->table_name, k);
		return;
	default:
		return;
	}
}

/* The resource-based policies of the tables that the call needs. */
static status attach_policies(struct work *w, struct authz_demands *d)
{
	for (size_t i = 0; i < d->n; i++) {
		for (size_t j = 0; j < d->v[i].n; j++) {
			struct policy_resource *r = &d->v[i].resources[j];
			struct str account, region, name;
			struct table *t;
			struct policy *p;
			if (!ddb_read_arn(r->arn, &account, &region, &name)) continue;
			status s = ddb_find_cached(w, account, region, name, &t);
			if (status_is(s, STATUS_NOT_FOUND)) continue;
			TRY(s);
			if (!str_has(t->record.policy)) continue;
			struct policy_source source = {.type = POLICY_RESOURCE, .label = r->arn};
			if (!is_ok(policy_parse(t->record.policy, &source, &p, NULL))) return STATUS(CORRUPT);
			authz_attach(w->a, d, r, p);
		}
	}
	return OK;
}

status ddb_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	if (!in || !tx) return OK;
	struct work w = {.c = c, .a = c->arena, .d = c->state, .tx = tx};
	/* No identity-based policy binds a root, so nobody asks for a root's keys; PartiQL's actions count for all. */
	bool partiql = c->match.op_index == DYNAMODB_OP_EXECUTE_STATEMENT ||
		       c->match.op_index == DYNAMODB_OP_BATCH_EXECUTE_STATEMENT ||
		       c->match.op_index == DYNAMODB_OP_EXECUTE_TRANSACTION;
	if (c->principal.kind != PRINCIPAL_ROOT || partiql) see(&w, in, demands, context);
	/* "To attach a resource-based policy while creating a table, you need dynamodb:PutResourcePolicy too." */
	const struct dynamodb_create_table_input *create = in;
	if (c->match.op_index == DYNAMODB_OP_CREATE_TABLE && str_has(create->resource_policy) && demands->n &&
		demands->v[0].n)
		authz_add(c->arena, demands, STR("dynamodb:PutResourcePolicy"), demands->v[0].resources[0].arn);
	return work_end(&w, attach_policies(&w, demands));
}
