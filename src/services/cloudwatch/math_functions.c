/* The functions of metric math. A table tells each one's arguments; "S" is a time series, "S[]" an array of them. */
#include "services/cloudwatch/math.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

double cw_reduce(const double *v, size_t n, char how)
{
	double sum = 0, least = INFINITY, most = -INFINITY, squares = 0;
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		if (isnan(v[i])) continue;
		count++;
		sum += v[i];
		least = v[i] < least ? v[i] : least;
		most = v[i] > most ? v[i] : most;
	}
	if (how == 'n') return (double)count;
	if (!count) return NAN;
	double mean = sum / (double)count;
	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i])) squares += (v[i] - mean) * (v[i] - mean);
	return how == 'a'   ? mean
	       : how == 's' ? sum
	       : how == '<' ? least
	       : how == '>' ? most
			    : sqrt(squares / (double)count);
}

struct arguments {
	struct cw_value *v;
	size_t n;
};
struct function {
	const char *name;
	size_t least, most;
	status (*fn)(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out);
	char how;
};

static status wrong(struct cw_math *m, const struct function *f)
{
	return cw_math_fail(m, "The arguments of function %s are not of the kind that it takes", f->name);
}

static bool is_series(const struct cw_value *v)
{
	return v->kind == CW_SERIES || v->kind == CW_MANY;
}

/* S ─▶ a number; S[] ─▶ S, over the series at each point of time. */
static status reduce(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	const struct cw_value *x = &in->v[0];
	if (x->kind == CW_SERIES) {
		out->scalar = cw_reduce(x->v[0].v, m->axis.n, f->how);
		return OK;
	}
	if (x->kind == CW_SCALAR) {
		out->scalar = f->how == 'n' ? 1 : f->how == 'd' ? 0 : x->scalar;
		return OK;
	}
	if (x->kind != CW_MANY) return wrong(m, f);
	out->kind = CW_SERIES;
	struct cw_series *r = cw_math_add(m, out);
	double *column = arena_array(m->a, x->n + 1, sizeof(*column));
	for (size_t k = 0; k < m->axis.n; k++) {
		for (size_t i = 0; i < x->n; i++) column[i] = x->v[i].v[k];
		r->v[k] = cw_reduce(column, x->n, f->how);
	}
	return OK;
}

static double one(char how, double v)
{
	return how == 'a' ? fabs(v) : how == 'c' ? ceil(v) : how == 'f' ? floor(v) : how == 'l' ? log(v) : log10(v);
}

/* What a field of the calendar is at that second. */
static double calendar(char how, int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;
	if (how == 'E') return (double)at;
	gmtime_r(&t, &tm);
	/* "DAY … 1 is Monday, 7 Sunday" */
	return how == 'D'   ? (tm.tm_wday + 6) % 7 + 1
	       : how == 'T' ? tm.tm_mday
	       : how == 'H' ? tm.tm_hour
	       : how == 'M' ? tm.tm_min
	       : how == 'O' ? tm.tm_mon + 1
			    : tm.tm_year + 1900;
}

/* Point by point, from what came before in the same series. */
static void along(const struct cw_math *m, char how, const double *v, double *r)
{
	double sum = 0, before = NAN;
	size_t at = 0;
	for (size_t k = 0; k < m->axis.n; k++) {
		if (how >= 'A' && how <= 'Z') {
			r[k] = isnan(v[k]) ? NAN : calendar(how, m->axis.from + (int64_t)k * m->axis.period);
			continue;
		}
		if (isnan(v[k])) continue;
		double seconds = (double)(k - at) * m->axis.period;
		sum += v[k];
		if (how == '+')
			r[k] = sum;
		else if (!isnan(before))
			r[k] = how == '-' ? v[k] - before : how == 't' ? seconds : (v[k] - before) / seconds;
		before = v[k];
		at = k;
	}
}

static status each(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	const struct cw_value *x = &in->v[0];
	bool points = f->how == 'a' || f->how == 'c' || f->how == 'f' || f->how == 'l' || f->how == 'g';
	if (x->kind == CW_SCALAR && points) {
		out->scalar = one(f->how, x->scalar);
		return OK;
	}
	if (!is_series(x)) return wrong(m, f);
	out->kind = x->kind;
	for (size_t i = 0; i < x->n; i++) {
		struct cw_series *r = cw_math_add(m, out);
		r->label = x->v[i].label;
		r->source = x->v[i].source;
		if (!points) along(m, f->how, x->v[i].v, r->v);
		for (size_t k = 0; points && k < m->axis.n; k++) {
			r->v[k] = one(f->how, x->v[i].v[k]);
			if (!isfinite(r->v[k])) r->v[k] = NAN;
		}
	}
	return OK;
}

static void fill_linear(double *v, size_t n)
{
	size_t last = n;
	for (size_t k = 0; k < n; k++) {
		if (isnan(v[k])) continue;
		for (size_t i = last < n ? last + 1 : k; i < k; i++)
			v[i] = v[last] + (v[k] - v[last]) * (double)(i - last) / (double)(k - last);
		last = k;
	}
}

static status fill(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	const struct cw_value *x = &in->v[0], *with = &in->v[1];
	bool repeat = with->kind == CW_TEXT && str_is(with->text, "REPEAT"),
	     linear = with->kind == CW_TEXT && str_is(with->text, "LINEAR");
	if (!is_series(x) || with->kind == CW_MANY || (with->kind == CW_TEXT && !repeat && !linear)) return wrong(m, f);
	out->kind = x->kind;
	for (size_t i = 0; i < x->n; i++) {
		struct cw_series *r = cw_math_add(m, out);
		double *v = r->v;
		*r = x->v[i];
		r->v = v;
		for (size_t k = 0; k < m->axis.n; k++) {
			v[k] = x->v[i].v[k];
			if (!isnan(v[k]) || linear) continue;
			v[k] = repeat ? (k ? v[k - 1] : NAN) : with->kind == CW_SCALAR ? with->scalar : with->v[0].v[k];
		}
		if (linear) fill_linear(v, m->axis.n);
	}
	return OK;
}

static status choose(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	bool any = false;
	for (size_t i = 0; i < in->n; i++) {
		if (in->v[i].kind == CW_TEXT || in->v[i].kind == CW_MANY) return wrong(m, f);
		any = any || in->v[i].kind == CW_SERIES;
	}
	if (!any) {
		out->scalar = in->v[0].scalar != 0 ? in->v[1].scalar : in->n > 2 ? in->v[2].scalar : NAN;
		return OK;
	}
	out->kind = CW_SERIES;
	struct cw_series *r = cw_math_add(m, out);
	for (size_t k = 0; k < m->axis.n; k++) {
		double v[3] = {NAN, NAN, NAN};
		for (size_t i = 0; i < in->n; i++)
			v[i] = in->v[i].kind == CW_SCALAR ? in->v[i].scalar : in->v[i].v[0].v[k];
		r->v[k] = !isnan(v[0]) && v[0] != 0 ? v[1] : v[2];
	}
	return OK;
}

static status pick(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	const struct cw_value *x = &in->v[0];
	if (!is_series(x)) return wrong(m, f);
	if (f->how == 'c') {
		out->scalar = (double)x->n;
		return OK;
	}
	if (f->how == 'p') {
		out->scalar = m->axis.period;
		return OK;
	}
	if (f->how == 'e') {
		out->kind = CW_MANY;
		for (size_t i = 0; i < x->n; i++)
			if (cw_reduce(x->v[i].v, m->axis.n, 'n') > 0) *VEC_PUSH(m->a, out, &out->capacity) = x->v[i];
		return OK;
	}
	if (!x->n) return cw_math_fail(m, "The array of function %s is empty", f->name);
	out->kind = CW_SERIES;
	*VEC_PUSH(m->a, out, &out->capacity) = x->v[f->how == 'f' ? 0 : x->n - 1];
	return OK;
}

static status slice(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	const struct cw_value *x = &in->v[0];
	if (!is_series(x) || in->v[1].kind != CW_SCALAR || (in->n > 2 && in->v[2].kind != CW_SCALAR))
		return wrong(m, f);
	double from = in->v[1].scalar, to = in->n > 2 ? in->v[2].scalar : (double)x->n;
	out->kind = CW_MANY;
	for (size_t i = 0; i < x->n; i++)
		if ((double)i >= from && (double)i < to) *VEC_PUSH(m->a, out, &out->capacity) = x->v[i];
	return OK;
}

struct ranked {
	double by;
	struct cw_series series;
};
static int by_rank(const void *x, const void *y)
{
	double a = ((const struct ranked *)x)->by, b = ((const struct ranked *)y)->by;
	if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
	return a < b ? -1 : a > b;
}

/* SORT(S[], AVG|MIN|MAX|SUM, ASC|DESC, how many) */
static status sort(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	const struct cw_value *x = &in->v[0];
	if (!is_series(x) || in->v[1].kind != CW_TEXT || in->v[2].kind != CW_TEXT ||
		(in->n > 3 && in->v[3].kind != CW_SCALAR))
		return wrong(m, f);
	struct str by = in->v[1].text;
	char how = str_is(by, "AVG")   ? 'a'
		   : str_is(by, "MIN") ? '<'
		   : str_is(by, "MAX") ? '>'
		   : str_is(by, "SUM") ? 's'
				       : 0;
	bool down = str_is(in->v[2].text, "DESC");
	if (!how || (!down && !str_is(in->v[2].text, "ASC"))) return wrong(m, f);
	struct ranked *v = arena_new_n(m->a, struct ranked, x->n + 1);
	for (size_t i = 0; i < x->n; i++)
		v[i] = (struct ranked){(down ? -1 : 1) * cw_reduce(x->v[i].v, m->axis.n, how), x->v[i]};
	qsort(v, x->n, sizeof(*v), by_rank);
	out->kind = CW_MANY;
	for (size_t i = 0; i < x->n && (in->n < 4 || (double)i < in->v[3].scalar); i++)
		*VEC_PUSH(m->a, out, &out->capacity) = v[i].series;
	return OK;
}

static status time_series(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	if (in->v[0].kind != CW_SCALAR) return wrong(m, f);
	out->kind = CW_SERIES;
	struct cw_series *r = cw_math_add(m, out);
	for (size_t k = 0; k < m->axis.n; k++) r->v[k] = in->v[0].scalar;
	return OK;
}

/* METRICS(): all metrics of the request; METRICS("errors"): those whose id or label holds it. */
static status metrics(struct cw_math *m, const struct function *f, const struct arguments *in, struct cw_value *out)
{
	if (in->n && in->v[0].kind != CW_TEXT) return wrong(m, f);
	out->kind = CW_MANY;
	for (size_t i = 0; i < m->queries->n; i++) {
		const struct cloudwatch_metric_data_query *q = &m->queries->v[i];
		if (!q->metric_stat) continue;
		struct str label = str_or(q->label, q->metric_stat->metric->metric_name);
		if (in->n && str_find(q->id, in->v[0].text) < 0 && str_find(label, in->v[0].text) < 0) continue;
		struct cw_series *s = cw_math_add(m, out);
		TRY(cw_math_fetch(m, q->metric_stat, s));
		s->id = q->id;
		s->label = label;
	}
	return OK;
}

/* clang-format off: a table */
static const struct function functions[] = {
	{"ABS", 1, 1, each, 'a'},
	{"AVG", 1, 1, reduce, 'a'},
	{"CEIL", 1, 1, each, 'c'},
	{"DATAPOINT_COUNT", 1, 1, reduce, 'n'},
	{"DATE", 1, 1, each, 'T'},
	{"DAY", 1, 1, each, 'D'},
	{"DIFF", 1, 1, each, '-'},
	{"DIFF_TIME", 1, 1, each, 't'},
	{"EPOCH", 1, 1, each, 'E'},
	{"FILL", 2, 2, fill, 0},
	{"FIRST", 1, 1, pick, 'f'},
	{"FLOOR", 1, 1, each, 'f'},
	{"HOUR", 1, 1, each, 'H'},
	{"IF", 2, 3, choose, 0},
	{"LAST", 1, 1, pick, 'l'},
	{"LOG", 1, 1, each, 'l'},
	{"LOG10", 1, 1, each, 'g'},
	{"MAX", 1, 1, reduce, '>'},
	{"METRICS", 0, 1, metrics, 0},
	{"METRIC_COUNT", 1, 1, pick, 'c'},
	{"MIN", 1, 1, reduce, '<'},
	{"MINUTE", 1, 1, each, 'M'},
	{"MONTH", 1, 1, each, 'O'},
	{"PERIOD", 1, 1, pick, 'p'},
	{"RATE", 1, 1, each, '/'},
	{"REMOVE_EMPTY", 1, 1, pick, 'e'},
	{"RUNNING_SUM", 1, 1, each, '+'},
	{"SLICE", 2, 3, slice, 0},
	{"SORT", 3, 4, sort, 0},
	{"STDDEV", 1, 1, reduce, 'd'},
	{"SUM", 1, 1, reduce, 's'},
	{"TIME_SERIES", 1, 1, time_series, 0},
	{"YEAR", 1, 1, each, 'Y'},
};
/* clang-format on */

status cw_math_call(struct cw_math *m, const struct cw_node *n, struct cw_value *out)
{
	const struct function *f = NULL;
	struct arguments in = {arena_new_n(m->a, struct cw_value, n->n + 1), 0};
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (str_eq(n->text, str_c(functions[i].name))) f = &functions[i];
	if (str_is(n->text, "SEARCH")) return cw_math_search(m, n, out);
	if (str_is(n->text, "ANOMALY_DETECTION_BAND")) return cw_math_band(m, n, out);
	if (!f) return cw_math_fail(m, "Unsupported function: %.*s", STR_ARG(n->text));
	if (n->n < f->least || n->n > f->most)
		return cw_math_fail(
			m, "Function %s takes %zu to %zu arguments, not %zu", f->name, f->least, f->most, n->n);
	for (const struct cw_node *k = n->first; k; k = k->next) TRY(cw_math_eval(m, k, &in.v[in.n++]));
	return f->fn(m, f, &in, out);
}
