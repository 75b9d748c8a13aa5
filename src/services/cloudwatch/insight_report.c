/* DescribeInsightRules and GetInsightRuleReport: rules, and who contributed most to what they count. */
#include "base/map.h"
#include "services/cloudwatch/insight_rules.h"
#include <stdlib.h>

enum { CONTRIBUTORS_DEFAULT = 10, CONTRIBUTORS_MAX = 100, MANAGED_MAX = 25, DATAPOINTS_MAX = 30000, PAGE = 500 };

/* ── rules ── */

static void rule_out(const struct cloudwatch_rec_insight_rule *r, struct cloudwatch_insight_rule *out)
{
	out->name = r->name;
	out->state = STR("ENABLED");
	out->schema = STR("{\"Name\": \"ServiceLogRule\", \"Version\": 1}");
	out->definition = r->definition;
	out->managed_rule = SOME_BOOL(true);
}

status cloudwatch_describe_insight_rules(struct call *c, const struct cloudwatch_describe_insight_rules_input *in,
	struct cloudwatch_describe_insight_rules_output *out)
{
	struct str space = cw_key(c->arena, "insight-rule", c->account, c->region), from = space, key, value, after;
	size_t n = 0, capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	if (str_has(in->next_token)) {
		if (!is_ok(str_unbase64(c->arena, in->next_token, &after)))
			return CW_FAIL(c, INVALID_NEXT_TOKEN, "The value %.*s for parameter NextToken is invalid.",
				STR_ARG(in->next_token));
		struct key k = key_begin(c->arena);
		key_append(&k, space);
		key_str(&k, after);
		from = key_next(c->arena, key_done(&k));
	}
	VEC_PRESENT(c->arena, &out->insight_rules);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, space), false);
	while (store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_insight_rule r = {0};
		TRY(cloudwatch_rec_insight_rule_decode(c->arena, str_dup(c->arena, value), &r));
		if (n++ == most) {
			out->next_token = str_base64(c->arena, out->insight_rules.v[most - 1].name);
			break;
		}
		rule_out(&r, VEC_PUSH(c->arena, &out->insight_rules, &capacity));
	}
	return store_scan_end(scan);
}

/* ── reports ── */

struct datapoint {
	size_t step;
	double value;
};
struct contributor {
	struct str keys;
	double sum, most;
	struct {
		struct datapoint *v;
		size_t n;
	} points;
	size_t capacity;
};
struct step {
	double sum, least, most, greatest; /* of one contribution; greatest: of one contributor */
	int64_t samples;
	double unique; /* beyond those that are kept */
	uint64_t contributors;
};
struct report {
	struct arena *a;
	int64_t from_ms, period_ms;
	size_t n_steps;
	struct step *steps;
	struct map all;
	double sum, beyond;
};

static void add(struct report *r, size_t at, const struct cloudwatch_rec_contribution *x)
{
	struct contributor *k = map_get(&r->all, x->keys);
	if (!k) {
		k = arena_new(r->a, struct contributor);
		k->keys = x->keys;
		map_set(&r->all, k->keys, k);
	}
	k->sum += x->value.v;
	if (!k->points.n || k->points.v[k->points.n - 1].step != at) {
		*VEC_PUSH(r->a, &k->points, &k->capacity) = (struct datapoint){at, 0};
		r->steps[at].contributors++;
	}
	struct datapoint *p = &k->points.v[k->points.n - 1];
	p->value += x->value.v;
	if (p->value > k->most) k->most = p->value;
	if (p->value > r->steps[at].greatest) r->steps[at].greatest = p->value;
}

static void add_minute(struct report *r, int64_t at_ms, const struct cloudwatch_rec_insight_minute *m)
{
	size_t at = (size_t)((at_ms - r->from_ms) / r->period_ms);
	struct step *s = &r->steps[at];
	if (!s->samples || m->least.v < s->least) s->least = m->least.v;
	if (!s->samples || m->most.v > s->most) s->most = m->most.v;
	s->samples += m->samples.v;
	s->sum += m->sum.v;
	s->unique += (double)m->unique.v - (double)m->contributors.n;
	r->beyond += (double)m->unique.v - (double)m->contributors.n;
	r->sum += m->sum.v;
	for (size_t i = 0; i < m->contributors.n; i++) add(r, at, &m->contributors.v[i]);
}

static status read_minutes(struct call *c, struct str rule, struct report *r)
{
	struct str space = cw_insight_minutes_key(c->arena, c->account, c->region, rule), key, value;
	struct key from = key_begin(c->arena), to = key_begin(c->arena);
	key_append(&from, space);
	key_i64(&from, r->from_ms);
	key_append(&to, space);
	key_i64(&to, r->from_ms + (int64_t)r->n_steps * r->period_ms);
	struct store_scan *scan = store_scan_begin(c->tx, key_done(&from), key_done(&to), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_insight_minute m = {0};
		struct str rest = str_from(key, space.n);
		int64_t at_ms;
		s = key_read_i64(&rest, &at_ms);
		if (is_ok(s)) s = cloudwatch_rec_insight_minute_decode(c->arena, str_dup(c->arena, value), &m);
		if (is_ok(s)) add_minute(r, at_ms, &m);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static int by_sum(const void *p, const void *q)
{
	const struct contributor *const *x = p, *const *y = q;
	if ((*x)->sum != (*y)->sum) return (*x)->sum > (*y)->sum ? -1 : 1;
	return str_cmp((*x)->keys, (*y)->keys);
}

static int by_most(const void *p, const void *q)
{
	const struct contributor *const *x = p, *const *y = q;
	if ((*x)->most != (*y)->most) return (*x)->most > (*y)->most ? -1 : 1;
	return str_cmp((*x)->keys, (*y)->keys);
}

static struct opt_time time_of(const struct report *r, size_t step)
{
	return SOME_TIME(r->from_ms + (int64_t)step * r->period_ms);
}

static status contributor_out(
	struct report *r, const struct contributor *k, struct cloudwatch_insight_rule_contributor *out)
{
	struct str rest = k->keys, key;
	size_t keys = 0, points = 0;
	while (rest.n) {
		TRY(key_read_str(r->a, &rest, &key));
		*VEC_PUSH(r->a, &out->keys, &keys) = key;
	}
	out->approximate_aggregate_value = SOME_F64(k->sum);
	VEC_PRESENT(r->a, &out->datapoints);
	for (size_t i = 0; i < k->points.n; i++)
		*VEC_PUSH(r->a, &out->datapoints, &points) = (struct cloudwatch_insight_rule_contributor_datapoint){
			.timestamp = time_of(r, k->points.v[i].step),
			.approximate_value = SOME_F64(k->points.v[i].value)};
	return OK;
}

static bool wants(const struct cloudwatch_insight_rule_metric_list *l, const char *metric)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], str_c(metric))) return true;
	return false;
}

static void metrics_out(struct report *r, const struct cloudwatch_insight_rule_metric_list *l,
	struct cloudwatch_get_insight_rule_report_output *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < r->n_steps && l->n; i++) {
		const struct step *s = &r->steps[i];
		if (!s->samples) continue;
		struct cloudwatch_insight_rule_metric_datapoint *d = VEC_PUSH(r->a, &out->metric_datapoints, &capacity);
		d->timestamp = time_of(r, i);
		if (wants(l, "UniqueContributors"))
			d->unique_contributors = SOME_F64((double)s->contributors + s->unique);
		if (wants(l, "MaxContributorValue")) d->max_contributor_value = SOME_F64(s->greatest);
		if (wants(l, "SampleCount")) d->sample_count = SOME_F64((double)s->samples);
		if (wants(l, "Average")) d->average = SOME_F64(s->sum / (double)s->samples);
		if (wants(l, "Sum")) d->sum = SOME_F64(s->sum);
		if (wants(l, "Minimum")) d->minimum = SOME_F64(s->least);
		if (wants(l, "Maximum")) d->maximum = SOME_F64(s->most);
	}
}

static status check(struct call *c, const struct cloudwatch_get_insight_rule_report_input *in)
{
	static const char *const metrics[] = {
		"UniqueContributors", "MaxContributorValue", "SampleCount", "Sum", "Minimum", "Maximum", "Average"};
	int64_t most = in->max_contributor_count.has ? in->max_contributor_count.v : CONTRIBUTORS_DEFAULT;
	if (in->period.v <= 0 || in->period.v % 60)
		return CW_VALUE(c, "The parameter Period must be a multiple of 60.");
	if (in->start_time.ms >= in->end_time.ms)
		return CW_VALUE(c, "The parameter StartTime must be less than the parameter EndTime.");
	if ((in->end_time.ms - in->start_time.ms) / (in->period.v * INT64_C(1000)) > DATAPOINTS_MAX)
		return CW_VALUE(c, "The report would have more than %d data points.", DATAPOINTS_MAX);
	if (most < 1 || most > CONTRIBUTORS_MAX)
		return CW_VALUE(c, "The parameter MaxContributorCount must be between 1 and %d.", CONTRIBUTORS_MAX);
	/* "CloudWatch Contributor Insights for DynamoDB has a limit of 25 contributors." */
	if (most > MANAGED_MAX)
		return CW_VALUE(c, "The parameter MaxContributorCount must not exceed %d for this rule.", MANAGED_MAX);
	if (str_has(in->order_by) && !str_is(in->order_by, "Sum") && !str_is(in->order_by, "Maximum"))
		return CW_VALUE(c, "The parameter OrderBy must be Sum or Maximum.");
	for (size_t i = 0; i < in->metrics.n; i++) {
		bool known = false;
		for (size_t j = 0; j < sizeof(metrics) / sizeof(metrics[0]); j++)
			known |= str_eq(in->metrics.v[i], str_c(metrics[j]));
		if (!known) return CW_VALUE(c, "%.*s is no metric of a report.", STR_ARG(in->metrics.v[i]));
	}
	return OK;
}

static status report(struct call *c, const struct cloudwatch_get_insight_rule_report_input *in, struct report *r,
	struct cloudwatch_get_insight_rule_report_output *out)
{
	size_t most = in->max_contributor_count.has ? (size_t)in->max_contributor_count.v : CONTRIBUTORS_DEFAULT;
	size_t n = 0, capacity = 0;
	TRY(read_minutes(c, in->rule_name, r));
	const struct contributor **v = arena_new_n(c->arena, const struct contributor *, r->all.count + 1);
	for (struct map_entry *e = NULL; (e = map_next(&r->all, e));) v[n++] = e->value;
	qsort(v, n, sizeof(*v), str_is(in->order_by, "Maximum") ? by_most : by_sum);
	VEC_PRESENT(c->arena, &out->contributors);
	for (size_t i = 0; i < n && i < most; i++)
		TRY(contributor_out(r, v[i], VEC_PUSH(c->arena, &out->contributors, &capacity)));
	metrics_out(r, &in->metrics, out);
	out->aggregation_statistic = STR("Sum");
	out->aggregate_value = SOME_F64(r->sum);
	out->approximate_unique_count = SOME_I64((int64_t)n + (int64_t)r->beyond);
	return OK;
}

status cloudwatch_get_insight_rule_report(struct call *c, const struct cloudwatch_get_insight_rule_report_input *in,
	struct cloudwatch_get_insight_rule_report_output *out)
{
	struct cloudwatch_rec_insight_rule rule = {0};
	struct str bytes;
	size_t capacity = 0;
	TRY(check(c, in));
	status s = store_get(c->tx, cw_insight_rule_key(c->arena, c->account, c->region, in->rule_name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return CW_FAIL(
			c, RESOURCE_NOT_FOUND_EXCEPTION, "Insight rule %.*s does not exist.", STR_ARG(in->rule_name));
	TRY(s);
	TRY(cloudwatch_rec_insight_rule_decode(c->arena, bytes, &rule));
	for (size_t i = 0; i < rule.labels.n; i++) *VEC_PUSH(c->arena, &out->key_labels, &capacity) = rule.labels.v[i];
	struct report r = {.a = c->arena, .period_ms = in->period.v * INT64_C(1000)};
	/* Whole periods: those that begin within the time asked for, the first one too. */
	r.from_ms = in->start_time.ms - in->start_time.ms % r.period_ms;
	r.n_steps = (size_t)((in->end_time.ms - r.from_ms + r.period_ms - 1) / r.period_ms);
	r.steps = arena_new_n(c->arena, struct step, r.n_steps);
	map_init(&r.all);
	s = report(c, in, &r, out);
	map_cleanup(&r.all, NULL);
	return s;
}
