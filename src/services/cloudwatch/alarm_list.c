/* DescribeAlarms, DescribeAlarmsForMetric, DescribeAlarmHistory. */
#include "services/cloudwatch/alarm.h"
#include <stdlib.h>

enum { PAGE = 100, DEFAULT_PAGE = 50 };

static status read_token(struct call *c, struct str token, struct str *after)
{
	if (str_has(token) && !is_ok(str_unbase64(c->arena, token, after)))
		return CW_FAIL(
			c, INVALID_NEXT_TOKEN, "The value %.*s for parameter NextToken is invalid.", STR_ARG(token));
	return OK;
}

static bool has_action(const struct cloudwatch_resource_list *l, struct str prefix)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_starts(l->v[i], prefix)) return true;
	return false;
}

static status rule_names(struct call *c, const struct cw_alarm *alarm, struct cw_rule_names *out)
{
	struct cw_rule *rule;
	struct str why;
	if (!is_ok(cw_rule_parse(c->arena, alarm->whole.alarm_rule, &rule, &why))) return STATUS(CORRUPT);
	cw_rule_names(c->arena, rule, out);
	return OK;
}

static bool among(const struct str *v, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], s)) return true;
	return false;
}

/* Those that the request asks for, before paging. */
static status select_alarms(struct call *c, const struct cloudwatch_describe_alarms_input *in, struct cw_alarms *out)
{
	struct cw_alarms all = {0};
	struct cw_rule_names children = {0};
	bool related = str_has(in->children_of_alarm_name) || str_has(in->parents_of_alarm_name);
	TRY(cw_alarms_of(c->tx, c->arena, c->account, c->region, str_or(in->alarm_name_prefix, STR("")), &all));
	if (str_has(in->children_of_alarm_name)) {
		struct cw_alarm parent;
		status s = cw_alarm_get(c->tx, c->arena, c->account, c->region, in->children_of_alarm_name, &parent);
		if (status_is(s, STATUS_NOT_FOUND)) return OK;
		TRY(s);
		if (parent.composite) TRY(rule_names(c, &parent, &children));
	}
	for (size_t i = 0; i < all.n; i++) {
		struct cw_alarm *alarm = &all.v[i];
		struct cw_face f = cw_face(alarm);
		bool wanted =
			related ||
			(in->alarm_types.n ? among(in->alarm_types.v, in->alarm_types.n,
						     alarm->composite ? STR("CompositeAlarm") : STR("MetricAlarm"))
					   : !alarm->composite);
		if (str_has(in->children_of_alarm_name)) wanted = among(children.v, children.n, f.name);
		if (str_has(in->parents_of_alarm_name)) {
			struct cw_rule_names names = {0};
			if (alarm->composite) TRY(rule_names(c, alarm, &names));
			wanted = among(names.v, names.n, in->parents_of_alarm_name);
		}
		if (in->alarm_names.n) wanted = wanted && among(in->alarm_names.v, in->alarm_names.n, f.name);
		if (str_has(in->state_value)) wanted = wanted && str_eq(*f.state, in->state_value);
		if (str_has(in->action_prefix))
			wanted = wanted &&
				 (has_action(f.ok, in->action_prefix) || has_action(f.alarm, in->action_prefix) ||
					 has_action(f.insufficient, in->action_prefix));
		if (wanted) *VEC_PUSH(c->arena, out, &out->capacity) = *alarm;
	}
	return OK;
}

/* "ChildrenOfAlarmName … the returned information includes only the alarms' names, ARNs and states." */
static void shorten(struct cw_alarm *alarm)
{
	struct cw_face f = cw_face(alarm);
	struct str state = *f.state;
	struct opt_time updated = *f.updated;
	if (alarm->composite)
		alarm->whole = (struct cloudwatch_composite_alarm){.alarm_name = f.name,
			.alarm_arn = f.arn,
			.state_value = state,
			.state_updated_timestamp = updated};
	else
		alarm->metric = (struct cloudwatch_metric_alarm){.alarm_name = f.name,
			.alarm_arn = f.arn,
			.state_value = state,
			.state_updated_timestamp = updated};
}

static void present(struct call *c, struct cloudwatch_metric_alarm *m)
{
	VEC_PRESENT(c->arena, &m->ok_actions);
	VEC_PRESENT(c->arena, &m->alarm_actions);
	VEC_PRESENT(c->arena, &m->insufficient_data_actions);
	if (!m->metrics.n) VEC_PRESENT(c->arena, &m->dimensions);
}

status cloudwatch_describe_alarms(struct call *c, const struct cloudwatch_describe_alarms_input *in,
	struct cloudwatch_describe_alarms_output *out)
{
	struct cw_alarms list = {0};
	struct str after = STR("");
	size_t metrics = 0, composites = 0, n = 0,
	       most = in->max_records.has ? (size_t)in->max_records.v : DEFAULT_PAGE;
	bool related = str_has(in->children_of_alarm_name) || str_has(in->parents_of_alarm_name);
	if (in->alarm_names.n && str_has(in->alarm_name_prefix))
		return CW_COMBINATION(c, "AlarmNames and AlarmNamePrefix cannot both be specified.");
	if (related && (in->alarm_names.n || str_has(in->alarm_name_prefix) || str_has(in->state_value) ||
			       str_has(in->action_prefix) || in->alarm_types.n))
		return CW_COMBINATION(
			c, "ChildrenOfAlarmName and ParentsOfAlarmName cannot be combined with other filters.");
	if (in->alarm_names.n) most = PAGE;
	TRY(read_token(c, in->next_token, &after));
	TRY(select_alarms(c, in, &list));
	VEC_PRESENT(c->arena, &out->metric_alarms);
	VEC_PRESENT(c->arena, &out->composite_alarms);
	for (size_t i = 0; i < list.n; i++) {
		struct cw_alarm *alarm = &list.v[i];
		struct cw_face f = cw_face(alarm);
		if (str_cmp(f.name, after) <= 0) continue;
		if (n == most) {
			out->next_token = str_base64(c->arena, cw_face(&list.v[i - 1]).name);
			break;
		}
		n++;
		if (related) shorten(alarm);
		if (alarm->composite) {
			*VEC_PUSH(c->arena, &out->composite_alarms, &composites) = alarm->whole;
		} else {
			if (!related) present(c, &alarm->metric);
			*VEC_PUSH(c->arena, &out->metric_alarms, &metrics) = alarm->metric;
		}
	}
	return OK;
}

/* ── for a metric ── */

static bool same_dimensions(const struct cloudwatch_dimensions *x, const struct cloudwatch_dimensions *y)
{
	if (x->n != y->n) return false;
	for (size_t i = 0; i < x->n; i++) {
		bool has = false;
		for (size_t k = 0; k < y->n && !has; k++)
			has = str_eq(x->v[i].name, y->v[k].name) && str_eq(x->v[i].value, y->v[k].value);
		if (!has) return false;
	}
	return true;
}

static bool watches(
	const struct cloudwatch_metric_alarm *m, const struct cloudwatch_describe_alarms_for_metric_input *in)
{
	if (str_has(in->statistic) && !str_eq(in->statistic, str_or(m->statistic, STR("")))) return false;
	if (str_has(in->extended_statistic) && !str_eq(in->extended_statistic, str_or(m->extended_statistic, STR(""))))
		return false;
	if (in->period.has && in->period.v != m->period.v) return false;
	if (str_has(in->unit) && !str_eq(in->unit, str_or(m->unit, STR("")))) return false;
	for (size_t i = 0; i < m->metrics.n; i++) {
		const struct cloudwatch_metric_stat *s = m->metrics.v[i].metric_stat;
		if (s && str_eq(s->metric->metric_name, in->metric_name) &&
			str_eq(s->metric->namespace, in->namespace) &&
			same_dimensions(&s->metric->dimensions, &in->dimensions))
			return true;
	}
	return str_has(m->metric_name) && str_eq(m->metric_name, in->metric_name) &&
	       str_eq(m->namespace, in->namespace) && same_dimensions(&m->dimensions, &in->dimensions);
}

status cloudwatch_describe_alarms_for_metric(struct call *c,
	const struct cloudwatch_describe_alarms_for_metric_input *in,
	struct cloudwatch_describe_alarms_for_metric_output *out)
{
	struct cw_alarms all = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->metric_alarms);
	TRY(cw_alarms_of(c->tx, c->arena, c->account, c->region, STR(""), &all));
	for (size_t i = 0; i < all.n; i++) {
		if (all.v[i].composite || !watches(&all.v[i].metric, in)) continue;
		present(c, &all.v[i].metric);
		*VEC_PUSH(c->arena, &out->metric_alarms, &capacity) = all.v[i].metric;
	}
	return OK;
}

/* ── history ── "up to 30 days, also of alarms that were deleted" */

struct histories {
	struct cloudwatch_rec_history *v;
	size_t n, capacity;
};

static int newest_first(const void *x, const void *y)
{
	int64_t a = ((const struct cloudwatch_rec_history *)x)->at.ms,
		b = ((const struct cloudwatch_rec_history *)y)->at.ms;
	return a > b ? -1 : a < b;
}

status cloudwatch_describe_alarm_history(struct call *c, const struct cloudwatch_describe_alarm_history_input *in,
	struct cloudwatch_describe_alarm_history_output *out)
{
	struct histories list = {0};
	struct str space = str_has(in->alarm_name)
				   ? cw_alarm_key(c->arena, "history", c->account, c->region, in->alarm_name)
				   : cw_key(c->arena, "history", c->account, c->region),
		   key, value;
	size_t most = in->max_records.has ? (size_t)in->max_records.v : PAGE, capacity = 0;
	uint64_t from = 0;
	status s = OK;
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &from)))
		return CW_FAIL(c, INVALID_NEXT_TOKEN, "The value %.*s for parameter NextToken is invalid.",
			STR_ARG(in->next_token));
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), true);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_history h = {0};
		s = cloudwatch_rec_history_decode(c->arena, str_dup(c->arena, value), &h);
		if (!is_ok(s) || h.at.ms < c->now_ms - 30 * CW_DAY_MS) continue;
		if (str_has(in->history_item_type) && !str_eq(in->history_item_type, h.type)) continue;
		if ((in->start_date.has && h.at.ms < in->start_date.ms) ||
			(in->end_date.has && h.at.ms > in->end_date.ms))
			continue;
		if (in->alarm_types.n ? !among(in->alarm_types.v, in->alarm_types.n,
						h.composite.v ? STR("CompositeAlarm") : STR("MetricAlarm"))
				      : h.composite.v && !str_has(in->alarm_name))
			continue;
		*VEC_PUSH(c->arena, &list, &list.capacity) = h;
	}
	status end = store_scan_end(scan);
	TRY(s);
	TRY(end);
	/* Of one alarm they are in order already, also those of one instant. */
	if (!str_has(in->alarm_name) && list.n) qsort(list.v, list.n, sizeof(*list.v), newest_first);
	VEC_PRESENT(c->arena, &out->alarm_history_items);
	for (size_t i = (size_t)from; i < list.n; i++) {
		const struct cloudwatch_rec_history *h =
			&list.v[str_is(str_or(in->scan_by, STR("")), "TimestampAscending") ? list.n - 1 - i : i];
		if (out->alarm_history_items.n == most) {
			out->next_token = str_fmt(c->arena, "%zu", i);
			break;
		}
		*VEC_PUSH(c->arena, &out->alarm_history_items, &capacity) =
			(struct cloudwatch_alarm_history_item){.alarm_name = h->name,
				.alarm_type = h->composite.v ? STR("CompositeAlarm") : STR("MetricAlarm"),
				.timestamp = h->at,
				.history_item_type = h->type,
				.history_summary = h->summary,
				.history_data = h->data};
	}
	return OK;
}
