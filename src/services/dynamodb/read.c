/* GetItem, and what reading operations share: what is projected. */
#include "services/dynamodb/service.h"

status ddb_read_projection(struct work *w, struct scope *s, struct str expression,
	const struct dynamodb_attribute_name_list *names, struct projection *out)
{
	*out = (struct projection){0};
	bool good = true;
	if (str_has(expression))
		good = expr_parse_projection(s, expression, out);
	else if (names && names->v)
		good = legacy_attributes(s, names, out);
	return good ? OK : ddb_scope_failed(w, s);
}

static status get_item(struct work *w, const struct dynamodb_get_item_input *in, struct dynamodb_get_item_output *out)
{
	struct params p = {0};
	struct scope s;
	struct projection projection;
	struct value key, item;
	struct table *t;
	ddb_params_add(w, &p, true, "AttributesToGet", in->attributes_to_get.v != NULL);
	ddb_params_add(w, &p, false, "ProjectionExpression", str_has(in->projection_expression));
	TRY(ddb_params_check(w, &p, &in->expression_attribute_names, NULL, ""));
	if (!scope_init(&s, w->a, &in->expression_attribute_names, NULL)) return ddb_scope_failed(w, &s);
	TRY(ddb_read_projection(w, &s, in->projection_expression, &in->attributes_to_get, &projection));
	if (!scope_all_used(&s)) return ddb_scope_failed(w, &s);
	TRY(ddb_read_map(w, &in->key, &key));
	TRY(ddb_open(w, in->table_name, &t));
	TRY(ddb_check_key(w, &t->key, &key));
	TRY(ddb_admit_key(w, t, NULL, false, &key));
	struct cost cost = {.t = t};
	status found = ddb_read_item(w, ddb_item_key(w->a, t, &key), false, &item);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	cost.table = ddb_read_units(is_ok(found) ? ddb_item_size(&item) : 0, in->consistent_read.v);
	ddb_charge(w, &cost);
	ddb_insights_access(w, &cost, &key);
	out->consumed_capacity = ddb_consumed(w, in->return_consumed_capacity, &cost, false);
	if (!is_ok(found)) return OK;
	if (projection.n) item = expr_project(w->a, &projection, &item);
	ddb_map_write(w->a, &item, &out->item);
	return OK;
}

status dynamodb_get_item(struct call *c, const struct dynamodb_get_item_input *in, struct dynamodb_get_item_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, get_item(&w, in, out));
}
