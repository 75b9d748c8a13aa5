/* PutItem, UpdateItem, DeleteItem. */
#include "services/dynamodb/service.h"

/* What the three have in common, whatever the generated structs call it. */
struct asked {
	struct str table, condition, conditional_operator, return_values, capacity, collection, on_failure;
	const struct dynamodb_expected_attribute_map *expected;
	const struct dynamodb_expression_attribute_name_map *names;
	const struct dynamodb_expression_attribute_value_map *values;
};
#define ASKED(in)                                                                                                      \
	{                                                                                                              \
		.table = (in)->table_name, .condition = (in)->condition_expression,                                    \
		.conditional_operator = (in)->conditional_operator, .return_values = (in)->return_values,              \
		.capacity = (in)->return_consumed_capacity, .collection = (in)->return_item_collection_metrics,        \
		.on_failure = (in)->return_values_on_condition_check_failure, .expected = &(in)->expected,             \
		.names = &(in)->expression_attribute_names, .values = &(in)->expression_attribute_values,              \
	}

static status read_condition(struct work *w, struct scope *s, const struct asked *q, struct mutation *m)
{
	if (str_has(q->condition)) {
		if (!expr_parse_condition(s, EXPR_CONDITION, q->condition, &m->condition))
			return ddb_scope_failed(w, s);
	} else if (q->expected->v || str_has(q->conditional_operator)) {
		if (!legacy_expected(s, q->expected, q->conditional_operator, &m->condition))
			return ddb_scope_failed(w, s);
	}
	return scope_all_used(s) ? OK : ddb_scope_failed(w, s);
}

static status execute(struct work *w, const struct asked *q, struct mutation *m,
	struct dynamodb_consumed_capacity **consumed, struct dynamodb_item_collection_metrics **collection)
{
	struct refusal why;
	TRY(ddb_mutation_check(w, m));
	TRY(ddb_admit_key(w, m->t, NULL, true, &m->item));
	for (size_t i = 0; i < m->t->n_indexes; i++) TRY(ddb_admit(w, m->t, &m->t->indexes[i], true));
	status s = ddb_mutate(w, m, &why);
	if (is_ok(s) || status_is(s, STATUS_FAILED)) ddb_mutation_charge(w, m);
	if (status_is(s, STATUS_FAILED)) return ddb_refuse(w, m, &why, q->on_failure);
	TRY(s);
	*consumed = ddb_consumed(w, q->capacity, &m->cost, false);
	*collection = ddb_collection(w, q->collection, m->t, &m->item);
	return OK;
}

static status only_all_old(struct work *w, struct str return_values)
{
	if (!str_has(return_values) || str_is(return_values, "NONE") || str_is(return_values, "ALL_OLD")) return OK;
	return VALIDATION(w, "ReturnValues can only be ALL_OLD or NONE");
}

static status put_item(struct work *w, const struct dynamodb_put_item_input *in, struct dynamodb_put_item_output *out)
{
	struct asked q = ASKED(in);
	struct mutation m = {.type = MUTATE_PUT};
	struct params p = {.takes_values = str_has(q.condition)};
	struct scope s;
	TRY(only_all_old(w, q.return_values));
	ddb_params_add(w, &p, true, "Expected", q.expected->v != NULL);
	ddb_params_add(w, &p, true, "ConditionalOperator", str_has(q.conditional_operator));
	ddb_params_add(w, &p, false, "ConditionExpression", str_has(q.condition));
	TRY(ddb_params_check(w, &p, q.names, q.values, "ConditionExpression is null"));
	TRY(ddb_read_map(w, &in->item, &m.item));
	if (!scope_init(&s, w->a, q.names, q.values)) return ddb_scope_failed(w, &s);
	TRY(read_condition(w, &s, &q, &m));
	TRY(ddb_open(w, q.table, &m.t));
	TRY(execute(w, &q, &m, &out->consumed_capacity, &out->item_collection_metrics));
	if (m.had && str_is(q.return_values, "ALL_OLD")) ddb_map_write(w->a, &m.old, &out->attributes);
	return OK;
}

status dynamodb_put_item(struct call *c, const struct dynamodb_put_item_input *in, struct dynamodb_put_item_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, put_item(&w, in, out));
}

static status delete_item(
	struct work *w, const struct dynamodb_delete_item_input *in, struct dynamodb_delete_item_output *out)
{
	struct asked q = ASKED(in);
	struct mutation m = {.type = MUTATE_DELETE};
	struct params p = {.takes_values = str_has(q.condition)};
	struct scope s;
	TRY(only_all_old(w, q.return_values));
	ddb_params_add(w, &p, true, "Expected", q.expected->v != NULL);
	ddb_params_add(w, &p, true, "ConditionalOperator", str_has(q.conditional_operator));
	ddb_params_add(w, &p, false, "ConditionExpression", str_has(q.condition));
	TRY(ddb_params_check(w, &p, q.names, q.values, "ConditionExpression is null"));
	TRY(ddb_read_map(w, &in->key, &m.item));
	if (!scope_init(&s, w->a, q.names, q.values)) return ddb_scope_failed(w, &s);
	TRY(read_condition(w, &s, &q, &m));
	TRY(ddb_open(w, q.table, &m.t));
	TRY(execute(w, &q, &m, &out->consumed_capacity, &out->item_collection_metrics));
	if (m.had && str_is(q.return_values, "ALL_OLD")) ddb_map_write(w->a, &m.old, &out->attributes);
	return OK;
}

status dynamodb_delete_item(
	struct call *c, const struct dynamodb_delete_item_input *in, struct dynamodb_delete_item_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, delete_item(&w, in, out));
}

static status update_item(
	struct work *w, const struct dynamodb_update_item_input *in, struct dynamodb_update_item_output *out)
{
	struct asked q = ASKED(in);
	struct mutation m = {.type = MUTATE_UPDATE};
	struct params p = {.takes_values = str_has(q.condition) || str_has(in->update_expression)};
	struct scope s;
	ddb_params_add(w, &p, true, "AttributeUpdates", in->attribute_updates.v != NULL);
	ddb_params_add(w, &p, true, "Expected", q.expected->v != NULL);
	ddb_params_add(w, &p, true, "ConditionalOperator", str_has(q.conditional_operator));
	ddb_params_add(w, &p, false, "UpdateExpression", str_has(in->update_expression));
	ddb_params_add(w, &p, false, "ConditionExpression", str_has(q.condition));
	TRY(ddb_params_check(w, &p, q.names, q.values, "UpdateExpression and ConditionExpression are null"));
	TRY(ddb_read_map(w, &in->key, &m.item));
	if (!scope_init(&s, w->a, q.names, q.values)) return ddb_scope_failed(w, &s);
	if (str_has(in->update_expression)) {
		if (!expr_parse_update(&s, in->update_expression, &m.update)) return ddb_scope_failed(w, &s);
	} else if (!legacy_updates(&s, &in->attribute_updates, &m.update)) {
		return ddb_scope_failed(w, &s);
	}
	TRY(read_condition(w, &s, &q, &m));
	TRY(ddb_open(w, q.table, &m.t));
	TRY(execute(w, &q, &m, &out->consumed_capacity, &out->item_collection_metrics));
	ddb_mutation_returned(w, &m, q.return_values, &out->attributes);
	return OK;
}

status dynamodb_update_item(
	struct call *c, const struct dynamodb_update_item_input *in, struct dynamodb_update_item_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, update_item(&w, in, out));
}
