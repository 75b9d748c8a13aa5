/* Queries of metric math: checked together, and evaluated each over its own axis. Operators work on numbers and series
 * in any combination; a missing point, or a division by zero, gives a missing point. */
#include "services/cloudwatch/math.h"
#include <math.h>
#include <stdarg.h>

enum { QUERIES_MAX = 500, DEPTH_MAX = 100, AXIS_MAX = 2000000 };

struct cw_memory {
	enum { UNSEEN, UNDERWAY, SOUND } checked;
	int64_t period;
	bool has_period;
	struct cw_axis axis;
	struct cw_value value; /* over that axis; axis.n 0: none */
};

status cw_math_fail(struct cw_math *m, const char *fmt, ...)
{
	struct buf b = BUF_IN(m->a);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	if (!str_has(m->why)) m->why = buf_done(&b);
	return STATUS(INVALID);
}

size_t cw_math_find(const struct cw_math *m, struct str id)
{
	size_t i = 0;
	while (i < m->queries->n && !str_eq(m->queries->v[i].id, id)) i++;
	return i;
}

struct cw_series *cw_math_add(struct cw_math *m, struct cw_value *to)
{
	struct cw_series *s = VEC_PUSH(m->a, to, &to->capacity);
	s->v = arena_array(m->a, m->axis.n + 1, sizeof(*s->v));
	for (size_t i = 0; i < m->axis.n; i++) s->v[i] = NAN;
	return s;
}

/* ── checking ── */

static status check_id(struct cw_math *m, struct str id, size_t i)
{
	bool good = id.n && id.p[0] >= 'a' && id.p[0] <= 'z';
	for (size_t k = 0; k < id.n; k++) {
		char ch = id.p[k];
		good = good &&
		       ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_');
	}
	if (!good)
		return cw_math_fail(m,
			"The value \"%.*s\" for parameter MetricDataQueries.member.%zu.Id is invalid: it must begin "
			"with "
			"a lower-case letter, and hold letters, digits and underscores only",
			STR_ARG(id), i + 1);
	if (cw_math_find(m, id) < i)
		return cw_math_fail(
			m, "The values for parameter id in MetricDataQueries are not unique: %.*s", STR_ARG(id));
	return OK;
}

static status check_tree(struct cw_math *m, const struct cw_node *n, unsigned depth);

static status check_query(struct cw_math *m, size_t i, unsigned depth)
{
	if (m->memory[i].checked == SOUND) return OK;
	if (depth > DEPTH_MAX || m->memory[i].checked == UNDERWAY)
		return cw_math_fail(m, "Expressions refer to each other in a circle, or are nested too deeply");
	m->memory[i].checked = UNDERWAY;
	if (m->trees[i]) TRY(check_tree(m, m->trees[i], depth + 1));
	m->memory[i].checked = SOUND;
	return OK;
}

static bool keyword(struct str s)
{
	static const char *const words[] = {"REPEAT", "LINEAR", "ASC", "DESC", "AVG", "MIN", "MAX", "SUM"};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq(s, str_c(words[i]))) return true;
	return false;
}

static status check_tree(struct cw_math *m, const struct cw_node *n, unsigned depth)
{
	if (n->kind == CW_N_NAME && !keyword(n->text)) {
		size_t i = cw_math_find(m, n->text);
		if (i == m->queries->n) return cw_math_fail(m, "Unknown identifier: %.*s", STR_ARG(n->text));
		return check_query(m, i, depth);
	}
	for (const struct cw_node *k = n->first; k; k = k->next) TRY(check_tree(m, k, depth));
	return OK;
}

static status check_metric(struct cw_math *m, const struct cloudwatch_metric_stat *s, size_t i)
{
	struct cw_stat stat;
	if (!s->metric || !str_has(s->metric->namespace) || !str_has(s->metric->metric_name))
		return cw_math_fail(m,
			"The parameter MetricDataQueries.member.%zu.MetricStat.Metric needs a Namespace and a "
			"MetricName",
			i + 1);
	if (!cw_stat_read(s->stat, &stat))
		return cw_math_fail(m,
			"The value %.*s for parameter MetricDataQueries.member.%zu.MetricStat.Stat is not supported",
			STR_ARG(s->stat), i + 1);
	if (!cw_period_legal(s->period.v))
		return cw_math_fail(m,
			"The parameter MetricDataQueries.member.%zu.MetricStat.Period must be 1, 5, 10, 20, 30 or a "
			"multiple of 60",
			i + 1);
	return OK;
}

static status prepare_select(struct cw_math *m, const struct cloudwatch_metric_data_query *q, size_t i, struct str text)
{
	struct cw_node *n = m->trees[i] = arena_new(m->a, struct cw_node);
	struct cw_select *select;
	struct str why;
	n->kind = CW_N_SELECT;
	if (!is_ok(cw_select_parse(m->a, text, &select, &why)))
		return cw_math_fail(
			m, "Error in expression '%.*s': Invalid syntax: %.*s", STR_ARG(q->id), STR_ARG(why));
	if (!q->period.has)
		return cw_math_fail(m,
			"The parameter MetricDataQueries.member.%zu.Period is required for a Metrics Insights query",
			i + 1);
	for (size_t k = 0; k < i; k++)
		if (m->trees[k] && m->trees[k]->kind == CW_N_SELECT)
			return cw_math_fail(m, "Only one Metrics Insights query is allowed in a request");
	n->select = select;
	return OK;
}

static status prepare_query(struct cw_math *m, const struct cloudwatch_metric_data_query *q, size_t i)
{
	TRY(check_id(m, q->id, i));
	if ((q->metric_stat != NULL) == str_has(q->expression))
		return cw_math_fail(m,
			"Exactly one of the parameters Expression and MetricStat must be given in "
			"MetricDataQueries.member.%zu",
			i + 1);
	if (str_has(q->account_id) && !str_eq(q->account_id, m->account))
		return cw_math_fail(m, "MetricDataQueries.member.%zu: account %.*s is not linked to this one", i + 1,
			STR_ARG(q->account_id));
	if (q->period.has && !cw_period_legal(q->period.v))
		return cw_math_fail(m,
			"The parameter MetricDataQueries.member.%zu.Period must be 1, 5, 10, 20, 30 or a multiple of "
			"60",
			i + 1);
	if (q->metric_stat) return check_metric(m, q->metric_stat, i);
	struct str text = str_trim(q->expression), why;
	if (cw_select_is(text)) return prepare_select(m, q, i, text);
	if (!is_ok(cw_math_parse(m->a, text, &m->trees[i], &why)))
		return cw_math_fail(
			m, "Error in expression '%.*s': Invalid syntax: %.*s", STR_ARG(q->id), STR_ARG(why));
	return OK;
}

status cw_math_prepare(struct cw_math *m)
{
	m->trees = arena_new_n(m->a, struct cw_node *, m->queries->n + 1);
	m->memory = arena_new_n(m->a, struct cw_memory, m->queries->n + 1);
	if (!m->queries->n) return cw_math_fail(m, "The parameter MetricDataQueries is required");
	if (m->queries->n > QUERIES_MAX)
		return cw_math_fail(m, "The collection MetricDataQueries must not have a size greater than 500");
	for (size_t i = 0; i < m->queries->n; i++) TRY(prepare_query(m, &m->queries->v[i], i));
	for (size_t i = 0; i < m->queries->n; i++) TRY(check_query(m, i, 0));
	return OK;
}

/* ── the axis ── */

static int64_t lcm(int64_t a, int64_t b)
{
	int64_t x = a, y = b;
	if (!a || !b) return a ? a : b;
	while (y) {
		int64_t t = x % y;
		x = y;
		y = t;
	}
	return a / x * b;
}

/* "If you request high-resolution data … the output is aggregated at one-minute granularity." */
static int64_t minutes(int64_t period)
{
	return period < 60 ? 60 : period;
}

static int64_t period_of(const struct cw_math *m, const struct cw_node *n, int64_t period)
{
	if (n->kind == CW_N_NAME) {
		size_t i = cw_math_find(m, n->text);
		if (i < m->queries->n && m->queries->v[i].metric_stat)
			return lcm(period, m->queries->v[i].metric_stat->period.v);
		if (i < m->queries->n && !m->memory[i].has_period) {
			bool select = m->trees[i]->kind == CW_N_SELECT;
			m->memory[i].period =
				select ? minutes(m->queries->v[i].period.v) : period_of(m, m->trees[i], 0);
			m->memory[i].has_period = true;
		}
		if (i < m->queries->n) return lcm(period, m->memory[i].period);
	}
	if (n->kind == CW_N_CALL && str_is(n->text, "METRICS"))
		for (size_t i = 0; i < m->queries->n; i++)
			if (m->queries->v[i].metric_stat) period = lcm(period, m->queries->v[i].metric_stat->period.v);
	if (n->kind == CW_N_CALL && str_is(n->text, "SEARCH") && n->n == 3) {
		const struct cw_node *p = n->first->next->next;
		if (p->kind == CW_N_NUMBER && p->number >= 1 && p->number <= 86400 * 30)
			period = lcm(period, (int64_t)p->number);
	}
	for (const struct cw_node *k = n->first; k; k = k->next) period = period_of(m, k, period);
	return period;
}

/* ── evaluating ── */

status cw_math_fetch(struct cw_math *m, const struct cloudwatch_metric_stat *s, struct cw_series *out)
{
	struct cw_stat stat;
	struct metric_dimension *d = arena_new_n(m->a, struct metric_dimension, s->metric->dimensions.n + 1);
	for (size_t i = 0; i < s->metric->dimensions.n; i++)
		d[i] = (struct metric_dimension){s->metric->dimensions.v[i].name, s->metric->dimensions.v[i].value};
	struct metric metric = {
		m->account, m->region, s->metric->namespace, s->metric->metric_name, d, s->metric->dimensions.n};
	if (!cw_stat_read(s->stat, &stat))
		return cw_math_fail(m, "The statistic %.*s is not supported", STR_ARG(s->stat));
	struct cw_query q = {.id = cw_id_of(m->a, &metric),
		.from = m->axis.from,
		.to = m->axis.from + (int64_t)m->axis.n * m->axis.period,
		.period = m->axis.period,
		.unit = str_has(s->unit) ? cw_unit(s->unit) : CW_UNIT_ANY,
		.pairs = cw_stat_needs_pairs(&stat),
		.now = m->now};
	if (m->n_sums < m->axis.n) {
		m->sums = arena_new_n(m->a, struct cw_sum, m->axis.n);
		m->n_sums = m->axis.n;
	} else if (m->axis.n) {
		memset(m->sums, 0, m->axis.n * sizeof(*m->sums));
	}
	TRY(cw_points_read(m->tx, m->a, &q, m->sums));
	for (size_t i = 0; i < m->axis.n; i++) (void)cw_stat_of(&stat, &m->sums[i], &out->v[i]);
	out->source = s;
	out->label = s->metric->metric_name;
	return OK;
}

static double apply(char op, double x, double y)
{
	if (isnan(x) || isnan(y)) {
		/* "&&, ||" take what is there; elsewhere a missing point stays missing. */
		return NAN;
	}
	double r;
	switch (op) {
	case '+':
		r = x + y;
		break;
	case '-':
		r = x - y;
		break;
	case '*':
		r = x * y;
		break;
	case '/':
		r = y == 0 ? NAN : x / y;
		break;
	case '^':
		r = pow(x, y);
		break;
	case '=':
		r = x == y;
		break;
	case '!':
		r = x != y;
		break;
	case '<':
		r = x < y;
		break;
	case '>':
		r = x > y;
		break;
	case 'l':
		r = x <= y;
		break;
	case 'g':
		r = x >= y;
		break;
	case '&':
		r = x != 0 && y != 0;
		break;
	default:
		r = x != 0 || y != 0;
		break;
	}
	return isfinite(r) ? r : NAN;
}

static status binary(
	struct cw_math *m, char op, const struct cw_value *x, const struct cw_value *y, struct cw_value *out)
{
	if (x->kind == CW_TEXT || y->kind == CW_TEXT) return cw_math_fail(m, "Operators do not work on strings");
	if (x->kind == CW_SCALAR && y->kind == CW_SCALAR) {
		out->scalar = apply(op, x->scalar, y->scalar);
		return OK;
	}
	if (x->kind == CW_MANY && y->kind == CW_MANY && x->n != y->n)
		return cw_math_fail(m, "Operators do not work on two arrays of time series of different sizes");
	out->kind = x->kind == CW_MANY || y->kind == CW_MANY ? CW_MANY : CW_SERIES;
	size_t n = x->kind == CW_MANY ? x->n : y->kind == CW_MANY ? y->n : 1;
	for (size_t i = 0; i < n; i++) {
		const struct cw_series *a = x->kind == CW_SCALAR ? NULL : &x->v[x->kind == CW_MANY ? i : 0];
		const struct cw_series *b = y->kind == CW_SCALAR ? NULL : &y->v[y->kind == CW_MANY ? i : 0];
		struct cw_series *r = cw_math_add(m, out);
		r->label = a ? a->label : b->label;
		for (size_t k = 0; k < m->axis.n; k++)
			r->v[k] = apply(op, a ? a->v[k] : x->scalar, b ? b->v[k] : y->scalar);
	}
	return OK;
}

static status gather(struct cw_math *m, const struct cw_node *n, struct cw_value *out)
{
	out->kind = CW_MANY;
	for (const struct cw_node *k = n->first; k; k = k->next) {
		struct cw_value one = {0};
		TRY(cw_math_eval(m, k, &one));
		if (one.kind == CW_TEXT) return cw_math_fail(m, "An array holds time series and numbers only");
		if (one.kind == CW_SCALAR) {
			struct cw_series *s = cw_math_add(m, out);
			for (size_t i = 0; i < m->axis.n; i++) s->v[i] = one.scalar;
		}
		for (size_t i = 0; i < one.n; i++) *VEC_PUSH(m->a, out, &out->capacity) = one.v[i];
	}
	return OK;
}

static status query_value(struct cw_math *m, size_t i, struct cw_value *out)
{
	const struct cloudwatch_metric_data_query *q = &m->queries->v[i];
	struct cw_memory *known = &m->memory[i];
	if (known->axis.n && known->axis.from == m->axis.from && known->axis.period == m->axis.period &&
		known->axis.n == m->axis.n) {
		*out = known->value;
		return OK;
	}
	if (m->trees[i]) {
		TRY(cw_math_eval(m, m->trees[i], out));
	} else {
		out->kind = CW_SERIES;
		TRY(cw_math_fetch(m, q->metric_stat, cw_math_add(m, out)));
	}
	for (size_t k = 0; k < out->n; k++) {
		if (str_has(q->label))
			out->v[k].label = q->label;
		else if (m->trees[i] && m->trees[i]->kind != CW_N_SELECT && out->kind == CW_SERIES)
			out->v[k].label = q->id;
		out->v[k].id = q->id;
	}
	known->axis = m->axis;
	known->value = *out;
	return OK;
}

status cw_math_eval(struct cw_math *m, const struct cw_node *n, struct cw_value *out)
{
	struct cw_value x = {0}, y = {0};
	*out = (struct cw_value){0};
	switch (n->kind) {
	case CW_N_NUMBER:
		out->scalar = n->number;
		return OK;
	case CW_N_STRING:
		*out = (struct cw_value){.kind = CW_TEXT, .text = n->text};
		return OK;
	case CW_N_NAME: {
		size_t i = cw_math_find(m, n->text);
		if (i < m->queries->n) return query_value(m, i, out);
		*out = (struct cw_value){.kind = CW_TEXT, .text = n->text};
		return OK;
	}
	case CW_N_CALL:
		return cw_math_call(m, n, out);
	case CW_N_SELECT:
		return cw_math_select(m, n, out);
	case CW_N_LIST:
		return gather(m, n, out);
	case CW_N_NEGATE:
		y.scalar = -1;
		TRY(cw_math_eval(m, n->first, &x));
		return binary(m, '*', &x, &y, out);
	case CW_N_BINARY:
		break;
	}
	TRY(cw_math_eval(m, n->first, &x));
	TRY(cw_math_eval(m, n->first->next, &y));
	return binary(m, n->op, &x, &y, out);
}

int64_t cw_math_period(const struct cw_math *m, size_t query)
{
	const struct cloudwatch_metric_data_query *q = &m->queries->v[query];
	if (q->metric_stat) return q->metric_stat->period.v;
	if (m->trees[query]->kind == CW_N_SELECT) return minutes(q->period.v);
	int64_t period = period_of(m, m->trees[query], q->period.has ? q->period.v : 0);
	return period ? period : 60;
}

status cw_math_run(struct cw_math *m, size_t query, struct cw_value *out)
{
	const struct cloudwatch_metric_data_query *q = &m->queries->v[query];
	int64_t period = cw_math_period(m, query);
	*out = (struct cw_value){0};
	if (period > INT32_MAX)
		return cw_math_fail(m, "The periods of the metrics in '%.*s' do not go together", STR_ARG(q->id));
	m->axis.period = (int32_t)period;
	m->axis.from = m->exact ? m->from : cw_round_start(m->from, m->axis.period, m->now);
	m->axis.n = (size_t)((m->to - m->axis.from + period - 1) / period);
	if (m->axis.n > AXIS_MAX)
		return cw_math_fail(
			m, "The time range holds too many data points of a period of %d seconds", m->axis.period);
	TRY(query_value(m, query, out));
	if (out->kind == CW_SCALAR || out->kind == CW_TEXT)
		return cw_math_fail(m, "Error in expression '%.*s': it must return a time series, not a single value",
			STR_ARG(q->id));
	return OK;
}
