/* Metrics Insights ("Query components and syntax in CloudWatch Metrics Insights"):
 *
 *     SELECT AVG(metric) FROM namespace | SCHEMA(namespace, label, …) [WHERE label = 'value' [AND label != 'value' …]]
 *         [GROUP BY label, …] [ORDER BY MAX() [ASC | DESC]] [LIMIT n]
 *
 * Keywords are known without regard to case, identifiers are not. "Metrics Insights quotas": two weeks of data, the
 * first 10,000 metrics, 500 time series, one query to a request; what is reported by the second counts by the minute.
 */
#include "base/map.h"
#include "services/cloudwatch/math.h"
#include <math.h>
#include <stdlib.h>

enum { METRICS_MAX = 10000, SERIES_MAX = 500, PARTS_MAX = 30, WEEKS_S = 14 * 86400, TOUCH_S = 600, AHEAD_S = 7200 };

enum function { AVG, COUNT, MAX, MIN, SUM };
static const char *const functions[] = {"AVG", "COUNT", "MAX", "MIN", "SUM"};

struct condition {
	struct str label, value;
	bool differs;
};
struct labels {
	struct str *v;
	size_t n, capacity;
};
struct cw_select {
	enum function fn, order;
	struct str metric, space;
	bool schema, ordered, down;
	struct labels dimensions, by;
	struct {
		struct condition *v;
		size_t n, capacity;
	} where;
	uint64_t limit;
};

/* ── reading ── */

struct reader {
	struct arena *a;
	struct str text, why;
	size_t at;
};

static status fail(struct reader *r, const char *what)
{
	if (!str_has(r->why)) r->why = str_fmt(r->a, "%s at character %zu", what, r->at + 1);
	return STATUS(INVALID);
}

static char peek(struct reader *r)
{
	while (r->at < r->text.n && str_chr(STR(" \t\r\n"), r->text.p[r->at]) >= 0) r->at++;
	return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static bool inner(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static bool word(struct reader *r, struct str w)
{
	peek(r);
	struct str rest = str_from(r->text, r->at);
	if (!str_istarts(rest, w) || (rest.n > w.n && inner(rest.p[w.n]))) return false;
	r->at += w.n;
	return true;
}

static status symbol(struct reader *r, char c, const char *what)
{
	if (peek(r) != c) return fail(r, what);
	r->at++;
	return OK;
}

/* Between quotes; a backslash keeps what follows it. */
static status quoted(struct reader *r, struct str *out)
{
	struct buf b = BUF_IN(r->a);
	char quote = r->text.p[r->at++];
	for (; r->at < r->text.n && r->text.p[r->at] != quote; r->at++) {
		if (r->text.p[r->at] == '\\' && r->at + 1 < r->text.n) r->at++;
		buf_byte(&b, r->text.p[r->at]);
	}
	if (r->at >= r->text.n) return fail(r, "a quotation mark is not closed");
	r->at++;
	*out = str_or(buf_done(&b), STR(""));
	return OK;
}

/* "Metric namespaces, metric names and label keys … that include any character that is not a letter, number or
 * underscore must be surrounded by double quotation marks." (AWS.AccountId may have its dot.) */
static status identifier(struct reader *r, struct str *out)
{
	char c = peek(r);
	if (c == '"') return quoted(r, out);
	if (!inner(c) || c == '.') return fail(r, c ? "expected a name" : "unexpected end");
	size_t from = r->at;
	while (r->at < r->text.n && inner(r->text.p[r->at])) r->at++;
	*out = str_sub(r->text, from, r->at - from);
	return OK;
}

static status function(struct reader *r, enum function *out)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (word(r, str_c(functions[i]))) {
			*out = (enum function)i;
			return symbol(r, '(', "expected (");
		}
	return fail(r, "expected AVG, COUNT, MAX, MIN or SUM");
}

static status labels(struct reader *r, struct labels *out)
{
	do {
		if (out->n == PARTS_MAX) return fail(r, "too many labels");
		TRY(identifier(r, VEC_PUSH(r->a, out, &out->capacity)));
	} while (peek(r) == ',' && r->at++ < r->text.n);
	return OK;
}

static status source(struct reader *r, struct cw_select *s)
{
	if (!word(r, STR("SCHEMA"))) return identifier(r, &s->space);
	s->schema = true;
	TRY(symbol(r, '(', "expected ("));
	TRY(identifier(r, &s->space));
	if (peek(r) == ',') {
		r->at++;
		TRY(labels(r, &s->dimensions));
	}
	return symbol(r, ')', "expected )");
}

static status where(struct reader *r, struct cw_select *s)
{
	do {
		if (s->where.n == PARTS_MAX) return fail(r, "too many conditions");
		struct condition *c = VEC_PUSH(r->a, &s->where, &s->where.capacity);
		TRY(identifier(r, &c->label));
		c->differs = peek(r) == '!';
		if (c->differs) r->at++;
		TRY(symbol(r, '=', "expected = or !="));
		if (peek(r) != '\'') return fail(r, "expected a value between single quotation marks");
		TRY(quoted(r, &c->value));
	} while (word(r, STR("AND")));
	return OK;
}

static status clauses(struct reader *r, struct cw_select *s)
{
	TRY(function(r, &s->fn));
	TRY(identifier(r, &s->metric));
	TRY(symbol(r, ')', "expected )"));
	if (!word(r, STR("FROM"))) return fail(r, "expected FROM");
	TRY(source(r, s));
	if (word(r, STR("WHERE"))) TRY(where(r, s));
	if (word(r, STR("GROUP"))) {
		if (!word(r, STR("BY"))) return fail(r, "expected BY");
		TRY(labels(r, &s->by));
	}
	if (word(r, STR("ORDER"))) {
		if (!word(r, STR("BY"))) return fail(r, "expected BY");
		TRY(function(r, &s->order));
		TRY(symbol(r, ')', "expected )"));
		s->ordered = true;
		s->down = word(r, STR("DESC"));
		if (!s->down) (void)word(r, STR("ASC"));
	}
	if (word(r, STR("LIMIT"))) {
		struct str n;
		TRY(identifier(r, &n));
		if (!is_ok(str_to_u64(n, &s->limit)) || !s->limit || s->limit > SERIES_MAX)
			return fail(r, "LIMIT must be 1 to 500");
	}
	return peek(r) ? fail(r, "unexpected text") : OK;
}

bool cw_select_is(struct str text)
{
	struct reader r = {.text = text};
	return word(&r, STR("SELECT")) && r.at < text.n;
}

status cw_select_parse(struct arena *a, struct str text, struct cw_select **out, struct str *why)
{
	struct reader r = {.a = a, .text = text};
	*out = arena_new(a, struct cw_select);
	(*out)->limit = SERIES_MAX;
	status s = word(&r, STR("SELECT")) ? clauses(&r, *out) : fail(&r, "expected SELECT");
	*why = r.why;
	return s;
}

bool cw_select_groups(const struct cw_select *s)
{
	return s->by.n > 0;
}

/* ── choosing ── */

static struct str value_of(const struct cw_math *m, const struct cloudwatch_rec_metric *r, struct str label)
{
	if (str_is(label, "AWS.AccountId")) return m->account;
	for (size_t i = 0; i < r->dimensions.n; i++)
		if (str_eq(r->dimensions.v[i].name, label)) return r->dimensions.v[i].value;
	return STR_NONE;
}

static bool chosen(const struct cw_math *m, const struct cw_select *s, const struct cloudwatch_rec_metric *r)
{
	if (!str_eq(r->space, s->space) || !str_eq(r->name, s->metric)) return false;
	if (s->schema && r->dimensions.n != s->dimensions.n) return false;
	for (size_t i = 0; i < s->dimensions.n; i++)
		if (!str_has(value_of(m, r, s->dimensions.v[i]))) return false;
	for (size_t i = 0; i < s->where.n; i++) {
		const struct condition *c = &s->where.v[i];
		if (str_eq(str_or(value_of(m, r, c->label), STR("")), c->value) == c->differs) return false;
	}
	return true;
}

/* ── groups ── */

struct group {
	struct str label;
	struct cw_sum *sums;
};
struct groups {
	struct group *v;
	size_t n, capacity;
};

/* "These metrics show Other for the value": of a label that they do not have ("Troubleshooting Metrics Insights"). */
static struct str label_of(const struct cw_math *m, const struct cw_select *s, const struct cloudwatch_rec_metric *r)
{
	struct buf b = BUF_IN(m->a);
	if (!s->by.n) return s->metric;
	for (size_t i = 0; i < s->by.n; i++) {
		if (i) buf_byte(&b, ' ');
		buf_str(&b, str_or(value_of(m, r, s->by.v[i]), STR("Other")));
	}
	return buf_done(&b);
}

static struct group *group_of(struct cw_math *m, struct groups *groups, struct map *index, struct str label)
{
	struct group *g = map_get(index, label);
	if (g) return g;
	g = arena_new(m->a, struct group);
	*g = (struct group){label, arena_new_n(m->a, struct cw_sum, m->axis.n + 1)};
	map_set(index, label, g);
	*VEC_PUSH(m->a, groups, &groups->capacity) = *g;
	return g;
}

static double shown(enum function fn, const struct cw_sum *s)
{
	if (!(s->n > 0)) return NAN;
	return fn == AVG ? s->sum / s->n : fn == COUNT ? s->n : fn == MAX ? s->max : fn == MIN ? s->min : s->sum;
}

struct ranked {
	double by;
	size_t at;
	bool down;
};

static int by_rank(const void *x, const void *y)
{
	const struct ranked *a = x, *b = y;
	if (isnan(a->by) != isnan(b->by)) return isnan(a->by) ? 1 : -1;
	if (a->by < b->by || a->by > b->by) return (a->by < b->by) == a->down ? 1 : -1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static status read_groups(struct cw_math *m, const struct cw_select *s, struct groups *groups, struct map *index)
{
	struct cw_metrics w;
	struct cloudwatch_rec_metric r;
	size_t n = 0;
	status st = OK;
	/* "Query up to two weeks of data": before that there is none. */
	int64_t late = m->now - WEEKS_S - m->axis.from, period = m->axis.period;
	size_t skip = late > 0 ? (size_t)((late + period - 1) / period) : 0;
	struct cw_query q = {.from = m->axis.from + (int64_t)skip * period,
		.to = m->axis.from + (int64_t)m->axis.n * m->axis.period,
		.period = m->axis.period,
		.unit = CW_UNIT_ANY,
		.now = m->now};
	if (skip >= m->axis.n) return OK;
	cw_metrics_begin(&w, m->tx, m->a, m->account, m->region, s->space, s->metric, STR_NONE);
	while (cw_metrics_next(&w, &r, &st)) {
		if (!chosen(m, s, &r)) continue;
		/* Nothing came since, and nothing that came before tells of a time so late. */
		if (r.updated.ms / 1000 + TOUCH_S + AHEAD_S < q.from) continue;
		if (n++ == METRICS_MAX) return store_scan_end(w.scan);
		struct metric_dimension *d = arena_new_n(m->a, struct metric_dimension, r.dimensions.n + 1);
		for (size_t i = 0; i < r.dimensions.n; i++)
			d[i] = (struct metric_dimension){r.dimensions.v[i].name, r.dimensions.v[i].value};
		struct metric metric = {m->account, m->region, r.space, r.name, d, r.dimensions.n};
		q.id = cw_id_of(m->a, &metric);
		st = cw_points_read(m->tx, m->a, &q, group_of(m, groups, index, label_of(m, s, &r))->sums + skip);
		if (!is_ok(st)) {
			(void)!is_ok(store_scan_end(w.scan));
			return st;
		}
	}
	return st;
}

status cw_math_select(struct cw_math *m, const struct cw_node *n, struct cw_value *out)
{
	const struct cw_select *s = n->select;
	static const char how[] = {[AVG] = 'a', [COUNT] = 'n', [MAX] = '>', [MIN] = '<', [SUM] = 's'};
	struct groups groups = {0};
	struct map index;
	map_init(&index);
	status st = read_groups(m, s, &groups, &index);
	map_cleanup(&index, NULL);
	TRY(st);
	if (!s->by.n && !groups.n) (void)cw_math_add(m, out); /* one series, without points */
	struct cw_series *series = arena_new_n(m->a, struct cw_series, groups.n + 1);
	struct ranked *ranks = arena_new_n(m->a, struct ranked, groups.n + 1);
	for (size_t i = 0; i < groups.n; i++) {
		series[i].label = groups.v[i].label;
		series[i].v = arena_array(m->a, m->axis.n + 1, sizeof(double));
		for (size_t k = 0; k < m->axis.n; k++) series[i].v[k] = shown(s->fn, &groups.v[i].sums[k]);
		ranks[i] =
			(struct ranked){s->ordered ? cw_reduce(series[i].v, m->axis.n, how[s->order]) : 0, i, s->down};
	}
	if (groups.n) qsort(ranks, groups.n, sizeof(*ranks), by_rank);
	for (size_t i = 0; i < groups.n && i < s->limit; i++)
		*VEC_PUSH(m->a, out, &out->capacity) = series[ranks[i].at];
	if (!s->by.n && !str_has(out->v[0].label)) out->v[0].label = s->metric;
	out->kind = s->by.n ? CW_MANY : CW_SERIES;
	return OK;
}
