/* Query and Scan: what they are asked, and what they answer. */
#include "services/dynamodb/page.h"

/* ── Query ── */

/* hash: the partition that is asked for. */
static status key_condition(
	struct work *w, struct scope *s, struct reading *r, const struct node *condition, struct value *hash)
{
	struct key_condition k;
	if (!expr_key_condition(s, condition, r->key->hash, r->key->range, &k)) return ddb_scope_failed(w, s);
	TRY(ddb_page_types(w, r->key, &k));
	ddb_page_bounds(w, r, &k);
	*hash = k.hash;
	return OK;
}

static status check_filter(struct work *w, const struct reading *r, bool legacy)
{
	struct str used = r->filter ? expr_uses(r->filter, r->key->hash, r->key->range) : STR_NONE;
	if (!str_has(used)) return OK;
	return VALIDATION(w,
		legacy ? "QueryFilter can only contain non-primary key attributes: Primary key attribute: %.*s"
		       : "Filter Expression can only contain non-primary key attributes: Primary key attribute: %.*s",
		STR_ARG(used));
}

static status query(struct work *w, const struct dynamodb_query_input *in, struct dynamodb_query_output *out)
{
	struct reading r = {.backwards = in->scan_index_forward.has && !in->scan_index_forward.v,
		.consistent = in->consistent_read.v,
		.limit = in->limit.has ? in->limit.v : 0};
	struct params p = {.takes_values = str_has(in->filter_expression) || str_has(in->key_condition_expression)};
	struct scope s;
	struct node *condition = NULL;
	struct value hash;
	ddb_params_add(w, &p, true, "AttributesToGet", in->attributes_to_get.v != NULL);
	ddb_params_add(w, &p, true, "QueryFilter", in->query_filter.v != NULL);
	ddb_params_add(w, &p, true, "ConditionalOperator", str_has(in->conditional_operator));
	ddb_params_add(w, &p, true, "KeyConditions", in->key_conditions.v != NULL);
	ddb_params_add(w, &p, false, "ProjectionExpression", str_has(in->projection_expression));
	ddb_params_add(w, &p, false, "FilterExpression", str_has(in->filter_expression));
	ddb_params_add(w, &p, false, "KeyConditionExpression", str_has(in->key_condition_expression));
	TRY(ddb_params_check(w, &p, &in->expression_attribute_names, &in->expression_attribute_values,
		"FilterExpression and KeyConditionExpression are null"));
	if (!scope_init(&s, w->a, &in->expression_attribute_names, &in->expression_attribute_values))
		return ddb_scope_failed(w, &s);
	TRY(ddb_read_projection(w, &s, in->projection_expression, &in->attributes_to_get, &r.projection));
	bool good = true;
	if (str_has(in->filter_expression))
		good = expr_parse_condition(&s, EXPR_FILTER, in->filter_expression, &r.filter);
	else if (in->query_filter.v || str_has(in->conditional_operator))
		good = legacy_conditions(&s, &in->query_filter, in->conditional_operator, &r.filter);
	if (!good) return ddb_scope_failed(w, &s);
	if (str_has(in->key_condition_expression)) {
		good = expr_parse_condition(&s, EXPR_KEY_CONDITION, in->key_condition_expression, &condition);
	} else if (in->key_conditions.n) {
		const struct dynamodb_filter_condition_map alike = {(void *)in->key_conditions.v, in->key_conditions.n};
		good = legacy_conditions(&s, &alike, STR_NONE, &condition);
	} else {
		return VALIDATION(w, "Either the KeyConditions or KeyConditionExpression parameter must be specified "
				     "in the request.");
	}
	if (!good || !scope_all_used(&s)) return ddb_scope_failed(w, &s);
	TRY(ddb_open(w, in->table_name, &r.t));
	TRY(ddb_page_index(w, &r, in->index_name));
	TRY(key_condition(w, &s, &r, condition, &hash));
	TRY(check_filter(w, &r, !str_has(in->filter_expression)));
	TRY(ddb_page_selection(w, &r, in->select, in->attributes_to_get.v != NULL));
	TRY(ddb_page_start(w, &r, &in->exclusive_start_key, true));
	status admitted = ddb_admit(w, r.t, r.x, false);
	if (!is_ok(admitted)) {
		struct value key = ddb_map();
		ddb_set(w->a, &key, r.key->hash, &hash);
		ddb_insights_throttle(w, r.t, r.x, &key);
		return admitted;
	}
	TRY(ddb_page_read(w, &r));
	ddb_insights_partition(w, r.t, r.x, &hash, &r.cost);
	if (r.selection != SELECT_COUNT) out->items = r.items;
	out->count = SOME_I32((int32_t)r.count);
	out->scanned_count = SOME_I32((int32_t)r.scanned);
	if (r.last.type != V_NONE) ddb_map_write(w->a, &r.last, &out->last_evaluated_key);
	out->consumed_capacity = ddb_consumed(w, in->return_consumed_capacity, &r.cost, false);
	return OK;
}

status dynamodb_query(struct call *c, const struct dynamodb_query_input *in, struct dynamodb_query_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, query(&w, in, out));
}

/* ── Scan ── */

static status segment(struct work *w, struct reading *r, const struct dynamodb_scan_input *in)
{
	r->from = r->prefix;
	r->to = key_after(w->a, r->prefix);
	if (!in->segment.has && !in->total_segments.has) return OK;
	if (!in->segment.has)
		return VALIDATION(w, "The Segment parameter is required but was not present in the request when "
				     "parameter TotalSegments is "
				     "present");
	if (!in->total_segments.has)
		return VALIDATION(w, "The TotalSegments parameter is required but was not present in the request when "
				     "Segment parameter is "
				     "present");
	uint64_t n = (uint64_t)in->total_segments.v, i = (uint64_t)in->segment.v;
	if (i >= n)
		return VALIDATION(w,
			"The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: "
			"%d is not less than "
			"TotalSegments: %d",
			in->segment.v, in->total_segments.v);
	unsigned __int128 whole = (unsigned __int128)1 << 64;
	struct key k = key_begin(w->a);
	key_append(&k, r->prefix);
	key_u64(&k, (uint64_t)(whole * i / n));
	r->from = key_done(&k);
	if (i + 1 == n) return OK;
	struct key end = key_begin(w->a);
	key_append(&end, r->prefix);
	key_u64(&end, (uint64_t)(whole * (i + 1) / n));
	r->to = key_done(&end);
	return OK;
}

static status scan(struct work *w, const struct dynamodb_scan_input *in, struct dynamodb_scan_output *out)
{
	struct reading r = {.consistent = in->consistent_read.v, .limit = in->limit.has ? in->limit.v : 0};
	struct params p = {.takes_values = str_has(in->filter_expression)};
	struct scope s;
	ddb_params_add(w, &p, true, "AttributesToGet", in->attributes_to_get.v != NULL);
	ddb_params_add(w, &p, true, "ScanFilter", in->scan_filter.v != NULL);
	ddb_params_add(w, &p, true, "ConditionalOperator", str_has(in->conditional_operator));
	ddb_params_add(w, &p, false, "ProjectionExpression", str_has(in->projection_expression));
	ddb_params_add(w, &p, false, "FilterExpression", str_has(in->filter_expression));
	TRY(ddb_params_check(
		w, &p, &in->expression_attribute_names, &in->expression_attribute_values, "FilterExpression is null"));
	if (!scope_init(&s, w->a, &in->expression_attribute_names, &in->expression_attribute_values))
		return ddb_scope_failed(w, &s);
	TRY(ddb_read_projection(w, &s, in->projection_expression, &in->attributes_to_get, &r.projection));
	bool good = true;
	if (str_has(in->filter_expression))
		good = expr_parse_condition(&s, EXPR_FILTER, in->filter_expression, &r.filter);
	else if (in->scan_filter.v || str_has(in->conditional_operator))
		good = legacy_conditions(&s, &in->scan_filter, in->conditional_operator, &r.filter);
	if (!good || !scope_all_used(&s)) return ddb_scope_failed(w, &s);
	TRY(ddb_open(w, in->table_name, &r.t));
	TRY(ddb_page_index(w, &r, in->index_name));
	TRY(ddb_page_selection(w, &r, in->select, in->attributes_to_get.v != NULL));
	TRY(segment(w, &r, in));
	TRY(ddb_page_start(w, &r, &in->exclusive_start_key, false));
	TRY(ddb_admit(w, r.t, r.x, false));
	TRY(ddb_page_read(w, &r));
	if (r.selection != SELECT_COUNT) out->items = r.items;
	out->count = SOME_I32((int32_t)r.count);
	out->scanned_count = SOME_I32((int32_t)r.scanned);
	if (r.last.type != V_NONE) ddb_map_write(w->a, &r.last, &out->last_evaluated_key);
	out->consumed_capacity = ddb_consumed(w, in->return_consumed_capacity, &r.cost, false);
	return OK;
}

status dynamodb_scan(struct call *c, const struct dynamodb_scan_input *in, struct dynamodb_scan_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, scan(&w, in, out));
}
