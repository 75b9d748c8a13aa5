/* Search expressions ("CloudWatch search expression syntax"): {Namespace,Dimension,…} narrows to metrics with exactly
 * these dimensions; terms with AND (or nothing between them), OR, NOT and parentheses; Name="exact" or Name=part, where
 * Name is MetricName, Namespace or a dimension; a term alone looks everywhere. A part matches whole words of camel case
 * and of what is between other characters, without regard to case. */
#include "services/cloudwatch/math.h"

enum { DEPTH_MAX = 50, SERIES_MAX = 500 };

struct term {
	enum { AND, OR, NOT, MATCH } kind;
	struct term *x, *y;
	struct str property, text; /* property STR_NONE: any */
	bool exact;
};
struct cw_search {
	bool schema;
	struct str space;
	struct str *dimensions;
	size_t n, capacity;
	struct term *term; /* NULL: all */
};
struct names {
	struct str *v;
	size_t n;
};

/* ── reading ── */

struct reader {
	struct arena *a;
	struct str text;
	size_t at;
	unsigned depth;
};

static char peek(struct reader *r)
{
	while (r->at < r->text.n && (r->text.p[r->at] == ' ' || r->text.p[r->at] == '\t' || r->text.p[r->at] == '\n'))
		r->at++;
	return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static bool read_text(struct reader *r, struct str ends, struct str *out, bool *quoted)
{
	char c = peek(r);
	*quoted = c == '"' || c == '\'';
	if (*quoted) {
		struct buf b = BUF_IN(r->a);
		for (r->at++; r->at < r->text.n && r->text.p[r->at] != c; r->at++) {
			if (r->text.p[r->at] == '\\' && r->at + 1 < r->text.n) r->at++;
			buf_byte(&b, r->text.p[r->at]);
		}
		if (r->at >= r->text.n) return false;
		r->at++;
		*out = buf_done(&b);
		return true;
	}
	size_t from = r->at;
	while (r->at < r->text.n && str_chr(ends, r->text.p[r->at]) < 0) r->at++;
	*out = str_trim(str_sub(r->text, from, r->at - from));
	return out->n > 0;
}

static bool read_schema(struct reader *r, struct cw_search *s)
{
	bool quoted, first = true;
	r->at++;
	for (;;) {
		struct str name;
		if (!read_text(r, STR(",}"), &name, &quoted)) return false;
		struct names list = {s->dimensions, s->n};
		if (first)
			s->space = name;
		else
			*VEC_PUSH(r->a, &list, &s->capacity) = name;
		s->dimensions = list.v;
		s->n = list.n;
		first = false;
		char c = peek(r);
		r->at++;
		if (c == '}') break;
		if (c != ',') return false;
	}
	s->schema = true;
	return true;
}

static bool read_either(struct reader *r, struct term **out);

static bool word(struct reader *r, struct str w)
{
	peek(r);
	struct str rest = str_from(r->text, r->at);
	if (!str_starts(rest, w) || (rest.n > w.n && str_chr(STR(" \t\n("), rest.p[w.n]) < 0)) return false;
	r->at += w.n;
	return true;
}

static bool read_one(struct reader *r, struct term **out)
{
	bool quoted;
	char c = peek(r);
	if (++r->depth > DEPTH_MAX) return false;
	struct term *t = *out = arena_new(r->a, struct term);
	t->kind = MATCH;
	if (word(r, STR("NOT"))) {
		t->kind = NOT;
		if (!read_one(r, &t->x)) return false;
	} else if (c == '(') {
		r->at++;
		if (!read_either(r, out) || peek(r) != ')') return false;
		r->at++;
	} else {
		if (!read_text(r, STR(" \t\n()="), &t->text, &quoted)) return false;
		t->exact = quoted;
		if (peek(r) == '=') {
			r->at++;
			t->property = t->text;
			if (peek(r) == '(') return false;
			if (!read_text(r, STR(" \t\n()"), &t->text, &quoted)) return false;
			t->exact = quoted;
		}
	}
	r->depth--;
	return true;
}

static bool read_all(struct reader *r, struct term **out)
{
	unsigned n = 0;
	if (!read_one(r, out)) return false;
	while (peek(r) && peek(r) != ')') {
		size_t at = r->at;
		if (word(r, STR("OR"))) {
			r->at = at;
			return true;
		}
		(void)word(r, STR("AND"));
		struct term *t = arena_new(r->a, struct term);
		*t = (struct term){.kind = AND, .x = *out};
		*out = t;
		if (++n > 200 || !read_one(r, &t->y)) return false;
	}
	return true;
}

static bool read_either(struct reader *r, struct term **out)
{
	unsigned n = 0;
	if (!read_all(r, out)) return false;
	while (word(r, STR("OR"))) {
		struct term *t = arena_new(r->a, struct term);
		*t = (struct term){.kind = OR, .x = *out};
		*out = t;
		if (++n > 200 || !read_all(r, &t->y)) return false;
	}
	return true;
}

status cw_search_parse(struct arena *a, struct str text, struct cw_search **out)
{
	struct reader r = {.a = a, .text = text};
	*out = arena_new(a, struct cw_search);
	if (peek(&r) == '{' && !read_schema(&r, *out)) return STATUS(INVALID);
	if (peek(&r) && (!read_either(&r, &(*out)->term) || peek(&r))) return STATUS(INVALID);
	return (*out)->schema || (*out)->term ? OK : STATUS(INVALID);
}

struct str cw_search_space(const struct cw_search *s)
{
	return s->schema ? s->space : STR_NONE;
}

/* ── matching ── */

static bool lower(char c)
{
	return c >= 'a' && c <= 'z';
}
static bool upper(char c)
{
	return c >= 'A' && c <= 'Z';
}
static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Does a word begin or end between these two? */
static bool edge(char before, char after)
{
	bool a = lower(before) || upper(before) || digit(before), b = lower(after) || upper(after) || digit(after);
	return !a || !b || (lower(before) && upper(after)) || digit(before) != digit(after) ||
	       (upper(before) && upper(after));
}

static bool part_of(struct str value, struct str part)
{
	for (size_t i = 0; i + part.n <= value.n; i++) {
		if (!str_ieq(str_sub(value, i, part.n), part)) continue;
		bool begins = !i || edge(value.p[i - 1], value.p[i]),
		     ends = i + part.n == value.n || edge(value.p[i + part.n - 1], value.p[i + part.n]);
		if (begins && ends) return true;
	}
	return false;
}

static bool fits(const struct term *t, struct str value)
{
	return t->exact ? str_eq(value, t->text) : part_of(value, t->text);
}

static bool match(const struct term *t, const struct cloudwatch_rec_metric *m)
{
	if (!str_has(t->property)) {
		if (fits(t, m->name) || fits(t, m->space)) return true;
		for (size_t i = 0; i < m->dimensions.n; i++)
			if (fits(t, m->dimensions.v[i].name) || fits(t, m->dimensions.v[i].value)) return true;
		return false;
	}
	if (str_is(t->property, "MetricName")) return fits(t, m->name);
	if (str_is(t->property, "Namespace")) return fits(t, m->space);
	for (size_t i = 0; i < m->dimensions.n; i++)
		if (str_eq(m->dimensions.v[i].name, t->property) && fits(t, m->dimensions.v[i].value)) return true;
	return false;
}

static bool passes(const struct term *t, const struct cloudwatch_rec_metric *m)
{
	switch (t->kind) {
	case AND:
		return passes(t->x, m) && passes(t->y, m);
	case OR:
		return passes(t->x, m) || passes(t->y, m);
	case NOT:
		return !passes(t->x, m);
	case MATCH:
		break;
	}
	return match(t, m);
}

bool cw_search_passes(struct arena *a, const struct cw_search *s, const struct cloudwatch_rec_metric *m)
{
	(void)a;
	if (s->schema) {
		if (!str_eq(m->space, s->space) || m->dimensions.n != s->n) return false;
		for (size_t i = 0; i < s->n; i++) {
			bool has = false;
			for (size_t k = 0; k < s->n && !has; k++)
				has = str_eq(s->dimensions[i], m->dimensions.v[k].name);
			if (!has) return false;
		}
	}
	return !s->term || passes(s->term, m);
}

/* ── SEARCH ── */

static struct cloudwatch_metric_stat *stat_of(struct cw_math *m, const struct cloudwatch_rec_metric *r, struct str stat)
{
	struct cloudwatch_metric_stat *s = arena_new(m->a, struct cloudwatch_metric_stat);
	size_t capacity = 0;
	s->metric = arena_new(m->a, struct cloudwatch_metric);
	s->metric->namespace = r->space;
	s->metric->metric_name = r->name;
	for (size_t i = 0; i < r->dimensions.n; i++)
		*VEC_PUSH(m->a, &s->metric->dimensions, &capacity) =
			(struct cloudwatch_dimension){r->dimensions.v[i].name, r->dimensions.v[i].value};
	s->stat = stat;
	s->period = SOME_I32(m->axis.period);
	return s;
}

/* What tells the found ones apart: the values of dimensions that differ, and the name where that differs. */
static void label(struct cw_math *m, struct cw_value *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct cloudwatch_metric *one = v->v[i].source->metric, *first = v->v[0].source->metric;
		struct buf b = BUF_IN(m->a);
		for (size_t d = 0; d < one->dimensions.n; d++) {
			bool differs = false;
			for (size_t k = 1; k < v->n && !differs; k++) {
				const struct cloudwatch_metric *other = v->v[k].source->metric;
				differs = other->dimensions.n != first->dimensions.n || d >= first->dimensions.n ||
					  !str_eq(other->dimensions.v[d].value, first->dimensions.v[d].value);
			}
			if (!differs) continue;
			if (b.n) buf_byte(&b, ' ');
			buf_str(&b, one->dimensions.v[d].value);
		}
		bool named = !b.n;
		for (size_t k = 1; k < v->n && !named; k++)
			named = !str_eq(v->v[k].source->metric->metric_name, first->metric_name);
		if (named && b.n) buf_byte(&b, ' ');
		if (named) buf_str(&b, one->metric_name);
		v->v[i].label = buf_done(&b);
	}
}

status cw_math_search(struct cw_math *m, const struct cw_node *n, struct cw_value *out)
{
	const struct cw_node *text = n->first, *stat = text ? text->next : NULL, *period = stat ? stat->next : NULL;
	struct cw_search *search;
	struct cw_stat known;
	struct cw_metrics w;
	struct cloudwatch_rec_metric r;
	status s = OK;
	if ((n->n != 3 && n->n != 2) || text->kind != CW_N_STRING || stat->kind != CW_N_STRING ||
		(period && period->kind != CW_N_NUMBER))
		return cw_math_fail(m, "SEARCH takes a search expression, a statistic and a period");
	if (!cw_stat_read(stat->text, &known))
		return cw_math_fail(m, "The statistic %.*s is not supported", STR_ARG(stat->text));
	if (period && (period->number > 86400 * 30 || !cw_period_legal((int64_t)period->number)))
		return cw_math_fail(m, "The period of SEARCH must be 1, 5, 10, 20, 30 or a multiple of 60");
	if (!is_ok(cw_search_parse(m->a, text->text, &search)))
		return cw_math_fail(m, "SEARCH: the search expression is malformed: %.*s", STR_ARG(text->text));
	out->kind = CW_MANY;
	cw_metrics_begin(&w, m->tx, m->a, m->account, m->region, cw_search_space(search), STR_NONE, STR_NONE);
	while (cw_metrics_next(&w, &r, &s)) {
		if (!cw_search_passes(m->a, search, &r) || (m->now * 1000 - r.updated.ms) / CW_DAY_MS >= 14) continue;
		if (out->n == SERIES_MAX) {
			(void)!is_ok(store_scan_end(w.scan));
			break;
		}
		TRY(cw_math_fetch(m, stat_of(m, &r, stat->text), cw_math_add(m, out)));
	}
	TRY(s);
	label(m, out);
	return OK;
}
