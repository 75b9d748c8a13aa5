/* Metric filters: what passes a pattern becomes points of a metric, in the transaction that stores the events. "A
 * default value is told for each minute in which events came, but none passed": so where a batch has none, one of its
 * minute. */
#include "services/cloudwatch/metrics.h"
#include "services/cloudwatch/points.h"
#include "services/logs/chunk.h"
#include "services/logs/pattern.h"

enum { PAGE = 50, FILTERS_MAX = 100, DIMENSIONS_MAX = 3 };
#define TABLES (&wire_service_logs.tables)

static status decode(struct arena *a, struct str bytes, struct logs_metric_filter *out)
{
	struct logs_rec_metric_filter r = {0};
	*out = (struct logs_metric_filter){0};
	TRY(logs_rec_metric_filter_decode(a, bytes, &r));
	return wire_json_to(a, TABLES, LOGS_SHAPE_METRIC_FILTER, r.filter, out);
}

struct filters {
	struct logs_metric_filter *v;
	size_t n, capacity;
};

/* group: STR_NONE for all of the account. */
static status filters_of(struct call *c, struct str group, struct filters *out)
{
	struct str space = str_has(group) ? logs_key_in(c->arena, "filter", c->account, c->region, group, STR_NONE)
					  : logs_key(c->arena, "filter", c->account, c->region),
		   key, value;
	status s = OK;
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = decode(c->arena, str_dup(c->arena, value), VEC_PUSH(c->arena, out, &out->capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── at ingestion ── */

static status run_one(
	struct call *c, const struct logs_metric_filter *f, const struct logs_input_log_event *v, size_t n)
{
	const struct logs_metric_transformation *t = &f->metric_transformations.v[0];
	struct logs_pattern *p;
	struct str why;
	struct arena *a = c->arena;
	struct {
		struct metric_point *v;
		size_t n, capacity;
	} points = {0};
	if (!is_ok(logs_pattern_read(a, str_or(f->filter_pattern, STR("")), &p, &why))) return STATUS(CORRUPT);
	struct metric *plain = arena_new(a, struct metric);
	*plain = (struct metric){c->account, c->region, t->metric_namespace, t->metric_name, NULL, 0};
	const char *unit = str_has(t->unit) ? str_z(a, t->unit) : NULL;
	for (size_t i = 0; i < n; i++) {
		double value;
		struct str text = t->metric_value;
		if (!logs_pattern_passes(p, a, v[i].message)) continue;
		if (str_starts(text, STR("$"))) text = logs_pattern_value(p, a, v[i].message, text);
		if (!str_has(text) || !is_ok(str_to_f64(text, &value))) continue;
		struct metric *m = plain;
		if (t->dimensions.n) {
			struct metric_dimension *d = arena_new_n(a, struct metric_dimension, t->dimensions.n);
			size_t has = 0;
			for (size_t k = 0; k < t->dimensions.n; k++) {
				struct str dv = logs_pattern_value(p, a, v[i].message, t->dimensions.v[k].value);
				if (str_has(dv) && dv.n)
					d[has++] = (struct metric_dimension){t->dimensions.v[k].key, dv};
			}
			m = arena_new(a, struct metric);
			*m = *plain;
			m->dimensions = d;
			m->n_dimensions = has;
		}
		*VEC_PUSH(a, &points, &points.capacity) =
			(struct metric_point){.metric = m, .at_ms = v[i].timestamp.v, .unit = unit, .value = value};
	}
	logs_pattern_end(p);
	if (!points.n && t->default_value.has)
		*VEC_PUSH(a, &points, &points.capacity) = (struct metric_point){
			.metric = plain, .at_ms = v[n - 1].timestamp.v, .unit = unit, .value = t->default_value.v};
	return metrics_put_in(c->tx, a, points.v, points.n, c->now_ms);
}

status logs_filters_run(struct call *c, struct str group, const struct logs_input_log_event *v,
	const struct logs_input_log_event *made, size_t n)
{
	struct filters list = {0};
	TRY(filters_of(c, group, &list));
	for (size_t i = 0; i < list.n; i++) {
		const struct logs_metric_filter *f = &list.v[i];
		TRY(run_one(c, f, f->apply_on_transformed_logs.v && made ? made : v, n));
	}
	return OK;
}

/* ── operations ── */

static status check(struct call *c, const struct logs_put_metric_filter_input *in)
{
	const struct logs_metric_transformation *t = &in->metric_transformations.v[0];
	struct logs_pattern *p;
	struct str why;
	double d;
	if (str_has(in->field_selection_criteria) || in->emit_system_field_dimensions.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Metric filters with selection criteria or system fields are not implemented yet.");
	if (!is_ok(logs_pattern_read(c->arena, in->filter_pattern, &p, &why)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why));
	logs_pattern_end(p);
	if (!str_starts(t->metric_value, STR("$")) && !is_ok(str_to_f64(t->metric_value, &d)))
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"Invalid metric transformation: metricValue must be a number or a selector such as $.latency.");
	if (t->dimensions.n > DIMENSIONS_MAX)
		return LOGS_FAIL(c, INVALID_PARAMETER, "A metric filter may have three dimensions at most.");
	if (t->dimensions.n && t->default_value.has)
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"Invalid metric transformation: dimensions and default value are mutually exclusive "
			"properties.");
	if (str_has(t->unit) && cw_unit(t->unit) == CW_UNITS)
		return LOGS_FAIL(c, INVALID_PARAMETER, "The unit of the metric is unknown.");
	return OK;
}

status logs_put_metric_filter(
	struct call *c, const struct logs_put_metric_filter_input *in, struct logs_put_metric_filter_output *out)
{
	struct logs_rec_group g;
	struct filters list = {0};
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	TRY(check(c, in));
	TRY(filters_of(c, g.name, &list));
	struct opt_i64 created = SOME_I64(c->now_ms);
	bool there = false;
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.v[i].filter_name, in->filter_name)) there = true, created = list.v[i].creation_time;
	if (!there && list.n >= FILTERS_MAX) return LOGS_FAIL(c, LIMIT_EXCEEDED, "Resource limit exceeded.");
	struct logs_metric_filter f = {.filter_name = in->filter_name,
		.filter_pattern = in->filter_pattern,
		.metric_transformations = in->metric_transformations,
		.creation_time = created,
		.log_group_name = g.name,
		.apply_on_transformed_logs = in->apply_on_transformed_logs};
	struct logs_rec_metric_filter r = {
		f.filter_name, wire_json_of(c->arena, TABLES, LOGS_SHAPE_METRIC_FILTER, &f), SOME_TIME(created.v)};
	store_put(c->tx, logs_key_in(c->arena, "filter", c->account, c->region, g.name, f.filter_name),
		logs_rec_metric_filter_encode(c->arena, &r));
	return OK;
}

status logs_delete_metric_filter(
	struct call *c, const struct logs_delete_metric_filter_input *in, struct logs_delete_metric_filter_output *out)
{
	struct logs_rec_group g;
	struct str bytes,
		key = logs_key_in(c->arena, "filter", c->account, c->region, in->log_group_name, in->filter_name);
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	status s = store_get(c->tx, key, &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified metric filter does not exist.");
	TRY(s);
	store_delete(c->tx, key);
	return OK;
}

status logs_describe_metric_filters(struct call *c, const struct logs_describe_metric_filters_input *in,
	struct logs_describe_metric_filters_output *out)
{
	struct filters list = {0};
	size_t capacity = 0, most = in->limit.has ? (size_t)in->limit.v : PAGE;
	uint64_t from = 0;
	struct logs_rec_group g;
	if (str_has(in->log_group_name)) TRY(logs_group_load(c, in->log_group_name, &g));
	if (str_has(in->metric_name) != str_has(in->metric_namespace))
		return LOGS_FAIL(c, INVALID_PARAMETER, "metricName and metricNamespace must be specified together.");
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &from)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	TRY(filters_of(c, in->log_group_name, &list));
	VEC_PRESENT(c->arena, &out->metric_filters);
	for (size_t i = (size_t)from; i < list.n; i++) {
		const struct logs_metric_filter *f = &list.v[i];
		const struct logs_metric_transformation *t = &f->metric_transformations.v[0];
		if (str_has(in->filter_name_prefix) && !str_starts(f->filter_name, in->filter_name_prefix)) continue;
		if (str_has(in->metric_name) && (!str_eq(t->metric_name, in->metric_name) ||
							!str_eq(t->metric_namespace, in->metric_namespace)))
			continue;
		if (out->metric_filters.n == most) {
			out->next_token = str_fmt(c->arena, "%zu", i);
			break;
		}
		*VEC_PUSH(c->arena, &out->metric_filters, &capacity) = *f;
	}
	return OK;
}

status logs_test_metric_filter(
	struct call *c, const struct logs_test_metric_filter_input *in, struct logs_test_metric_filter_output *out)
{
	struct logs_pattern *p;
	struct str why;
	size_t capacity = 0;
	if (!is_ok(logs_pattern_read(c->arena, in->filter_pattern, &p, &why)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why));
	VEC_PRESENT(c->arena, &out->matches);
	for (size_t i = 0; i < in->log_event_messages.n; i++) {
		struct logs_pattern_values values = {0};
		size_t n = 0;
		if (!logs_pattern_passes(p, c->arena, in->log_event_messages.v[i])) continue;
		struct logs_metric_filter_match_record *m = VEC_PUSH(c->arena, &out->matches, &capacity);
		m->event_number = SOME_I64((int64_t)i + 1);
		m->event_message = in->log_event_messages.v[i];
		logs_pattern_extract(p, c->arena, in->log_event_messages.v[i], &values);
		VEC_PRESENT(c->arena, &m->extracted_values);
		for (size_t k = 0; k < values.n; k++) {
			struct logs_extracted_values_entry *e = VEC_PUSH(c->arena, &m->extracted_values, &n);
			e->key = values.v[k].name;
			e->value = values.v[k].value;
		}
	}
	logs_pattern_end(p);
	return OK;
}
