/* One item's change: read it, test the condition, compute what it becomes, write it. The same for PutItem, UpdateItem,
 * DeleteItem, batches, transactions and PartiQL. */
#include "services/dynamodb/service.h"

static status check_update(struct work *w, const struct mutation *m)
{
	for (size_t i = 0; i < m->update.n; i++) {
		struct str name = m->update.v[i].path.steps[0].name;
		if (str_eq(name, m->t->key.hash) || (str_has(m->t->key.range) && str_eq(name, m->t->key.range)))
			return VALIDATION(w,
				"One or more parameter values were invalid: Cannot update attribute %.*s. This "
				"attribute is part of "
				"the key",
				STR_ARG(name));
	}
	return OK;
}

status ddb_mutation_check(struct work *w, struct mutation *m)
{
	if (m->type != MUTATE_PUT) {
		TRY(ddb_check_key(w, &m->t->key, &m->item));
		return check_update(w, m);
	}
	TRY(ddb_check_item(w, m->t, &m->item));
	if (ddb_item_size(&m->item) > ITEM_BYTES_MAX)
		return VALIDATION(w, "Item size has exceeded the maximum allowed size");
	return OK;
}

static status refuse(struct refusal *why, error_id id, struct str message)
{
	*why = (struct refusal){id, message};
	return STATUS(FAILED);
}

static bool too_deep(const struct value *v, int depth)
{
	if (v->type != V_L && v->type != V_M) return false;
	if (depth > VALUE_DEPTH_MAX) return true;
	for (uint32_t i = 0; i < v->n; i++)
		if (too_deep(v->type == V_L ? &v->list[i] : &v->map[i].value, depth + 1)) return true;
	return false;
}

/* An update may have given an index key another type. */
static status check_updated(struct work *w, struct mutation *m, struct refusal *why)
{
	if (ddb_item_size(&m->new) > ITEM_BYTES_MAX)
		return refuse(why, ERR_VALIDATION, STR("Item size to update has exceeded the maximum allowed size"));
	if (too_deep(&m->new, 0))
		return refuse(why, ERR_VALIDATION,
			STR("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
			    "beyond supported limit"));
	status s = ddb_check_item(w, m->t, &m->new);
	if (is_ok(s)) return OK;
	if (!status_is(s, STATUS_FAILED)) return s;
	struct str said = w->c->failure.message;
	ptrdiff_t type = str_find(said, STR("Type mismatch for Index Key"));
	/* The same findings in the words of updates. */
	if (type >= 0)
		said = str_fmt(
			w->a, "The update expression attempted to update the secondary index key to unsupported type");
	else if (str_find(said, STR("A value specified for a secondary index key")) >= 0)
		said = str_fmt(w->a,
			"The update expression attempted to update a secondary index key to a value that is not "
			"supported. %.*s",
			STR_ARG(str_from(said, (size_t)str_find(said, STR("The AttributeValue")))));
	w->c->failure = (struct wire_failure){0};
	return refuse(why, ERR_VALIDATION, said);
}

status ddb_mutate(struct work *w, struct mutation *m, struct refusal *why)
{
	struct value empty = ddb_map();
	m->cost = (struct cost){.t = m->t, .writes = true};
	m->key = ddb_item_key(w->a, m->t, &m->item);
	status s = ddb_read_item(w, m->key, true, &m->old);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	m->had = is_ok(s);
	if ((m->condition && !expr_test(m->condition, m->had ? &m->old : &empty)) || (m->must_exist && !m->had)) {
		m->cost.table = ddb_write_units(m->had ? ddb_item_size(&m->old) : 0);
		return refuse(
			why, DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION, STR("The conditional request failed"));
	}
	switch (m->type) {
	case MUTATE_PUT:
		m->new = m->item;
		m->has = true;
		break;
	case MUTATE_UPDATE: {
		struct str error = STR_NONE;
		m->new = ddb_copy(w->a, m->had ? &m->old : &m->item);
		m->has = true;
		if (!expr_apply(w->a, &m->update, &m->new, &error)) return refuse(why, ERR_VALIDATION, error);
		TRY(check_updated(w, m, why));
		break;
	}
	case MUTATE_DELETE:
		m->has = false;
		break;
	case MUTATE_CHECK:
		m->cost.table = ddb_write_units(m->had ? ddb_item_size(&m->old) : 0);
		return OK;
	}
	return ddb_write_item(w, m->t, m->key, m->had ? &m->old : NULL, m->has ? &m->new : NULL, false, &m->cost);
}

void ddb_mutation_charge(struct work *w, const struct mutation *m)
{
	ddb_charge(w, &m->cost);
	ddb_insights_access(w, &m->cost, m->has ? &m->new : m->had ? &m->old : &m->item);
}

status ddb_refuse(
	struct work *w, const struct mutation *m, const struct refusal *why, struct str return_values_on_failure)
{
	status s = call_fail(w->c, why->id, "%.*s", STR_ARG(why->message));
	if (why->id == DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION && str_is(return_values_on_failure, "ALL_OLD") &&
		m->had) {
		struct dynamodb_conditional_check_failed_exception *e =
			arena_new(w->a, struct dynamodb_conditional_check_failed_exception);
		ddb_map_write(w->a, &m->old, &e->item);
		call_fail_members(w->c, e);
	}
	return s;
}

void ddb_mutation_returned(
	struct work *w, const struct mutation *m, struct str wanted, struct dynamodb_attribute_map *out)
{
	bool old = str_is(wanted, "ALL_OLD") || str_is(wanted, "UPDATED_OLD"), all = str_starts(wanted, STR("ALL_"));
	if (!str_has(wanted) || str_is(wanted, "NONE") || (old ? !m->had : !m->has)) return;
	const struct value *item = old ? &m->old : &m->new;
	struct value part = *item;
	if (!all) {
		struct projection touched = {arena_new_n(w->a, struct path, m->update.n), m->update.n};
		for (size_t i = 0; i < m->update.n; i++) touched.v[i] = m->update.v[i].path;
		part = expr_project(w->a, &touched, item);
		if (part.n == 0) return;
	}
	ddb_map_write(w->a, &part, out);
}
