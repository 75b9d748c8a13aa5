/* Running a query's commands over rows, one after the other. */
#include "base/json.h"
#include "base/map.h"
#include "services/logs/insights.h"
#include <math.h>
#include <stdlib.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { UNNESTED_MAX = 2000000 };
struct run {
	struct arena *a;
	struct ins_rows *rows;
	const struct ins_columns *shown; /* the last fields, display or stats */
	bool limited;
};

static void name_it(struct arena *a, struct ins_row *r, struct str name, struct str value)
{
	if (str_has(value)) *VEC_PUSH(a, &r->pairs, &r->pairs.capacity) = (struct ins_pair){name, value};
}

static void name_columns(struct run *x, const struct ins_columns *l)
{
	for (size_t i = 0; i < x->rows->n; i++)
		for (size_t k = 0; k < l->n; k++)
			if (l->v[k].expr->kind != INS_FIELD || !str_eq(l->v[k].name, l->v[k].expr->text))
				name_it(x->a, &x->rows->v[i], l->v[k].name,
					ins_text(x->a, ins_eval(x->a, &x->rows->v[i], l->v[k].expr)));
}

static void filter(struct run *x, const struct ins_expr *e)
{
	size_t n = 0;
	for (size_t i = 0; i < x->rows->n; i++)
		if (ins_true(ins_eval(x->a, &x->rows->v[i], e))) x->rows->v[n++] = x->rows->v[i];
	x->rows->n = n;
}

/* ── parse ── */

/* "user=*, id:*": what stands for each *; the last takes the rest where the pattern ends in it. */
static void parse_glob(struct arena *a, struct ins_row *r, const struct ins_command *c, struct str s)
{
	struct str glob = c->glob, first = str_cut(&glob, '*');
	ptrdiff_t at = str_find(s, first);
	struct str *values = arena_array(a, c->names.n + 1, sizeof(*values));
	if (at < 0) return;
	s = str_from(s, (size_t)at + first.n);
	for (size_t i = 0; i < c->names.n; i++) {
		struct str next = str_has(glob) ? str_cut(&glob, '*') : STR("");
		if (!next.n) {
			values[i] = s;
			s = STR("");
			continue;
		}
		at = str_find(s, next);
		if (at < 0) return;
		values[i] = str_sub(s, 0, (size_t)at);
		s = str_from(s, (size_t)at + next.n);
	}
	for (size_t i = 0; i < c->names.n; i++) name_it(a, r, c->names.v[i], values[i]);
}

static void parse_regex(struct arena *a, struct ins_row *r, const pcre2_code *regex, struct str s)
{
	uint32_t count = 0, size = 0;
	PCRE2_SPTR table;
	pcre2_match_data *m = pcre2_match_data_create_from_pattern(regex, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(limits, 100000);
	if (pcre2_match(regex, (PCRE2_SPTR)s.p, s.n, 0, 0, m, limits) > 0) {
		PCRE2_SIZE *at = pcre2_get_ovector_pointer(m);
		pcre2_pattern_info(regex, PCRE2_INFO_NAMECOUNT, &count);
		pcre2_pattern_info(regex, PCRE2_INFO_NAMEENTRYSIZE, &size);
		pcre2_pattern_info(regex, PCRE2_INFO_NAMETABLE, &table);
		for (uint32_t i = 0; i < count; i++) {
			const unsigned char *entry = table + i * size;
			unsigned group = (unsigned)entry[0] << 8 | entry[1];
			if (at[2 * group] == PCRE2_UNSET) continue;
			name_it(a, r, str_dup(a, str_c((const char *)entry + 2)),
				str_sub(s, at[2 * group], at[2 * group + 1] - at[2 * group]));
		}
	}
	pcre2_match_context_free(limits);
	pcre2_match_data_free(m);
}

static void parse(struct run *x, const struct ins_command *c)
{
	for (size_t i = 0; i < x->rows->n; i++) {
		struct str s = ins_text(x->a, ins_eval(x->a, &x->rows->v[i], c->columns.v[0].expr));
		if (!str_has(s)) continue;
		if (c->regex)
			parse_regex(x->a, &x->rows->v[i], c->regex, s);
		else
			parse_glob(x->a, &x->rows->v[i], c, s);
	}
}

/* ── sort, dedup ── */

struct sortable {
	struct ins_row row;
	const struct ins_column *columns;
	struct ins_value *keys;
	size_t n, at;
};

static int by_keys(const void *p, const void *q)
{
	const struct sortable *a = p, *b = q;
	for (size_t i = 0; i < a->n; i++) {
		struct ins_value x = a->keys[i], y = b->keys[i];
		int order = x.has != y.has           ? (x.has ? 1 : -1)
			    : !x.has                 ? 0
			    : x.numeric && y.numeric ? (x.number > y.number) - (x.number < y.number)
						     : str_cmp(x.text, y.text);
		if (order) return a->columns[i].descending ? -order : order;
	}
	return a->at < b->at ? -1 : a->at > b->at;
}

static void sort(struct run *x, const struct ins_columns *l)
{
	struct sortable *v = arena_new_n(x->a, struct sortable, x->rows->n + 1);
	for (size_t i = 0; i < x->rows->n; i++) {
		v[i] = (struct sortable){
			x->rows->v[i], l->v, arena_array(x->a, l->n, sizeof(struct ins_value)), l->n, i};
		for (size_t k = 0; k < l->n; k++) {
			v[i].keys[k] = ins_eval(x->a, &v[i].row, l->v[k].expr);
			v[i].keys[k].text = ins_text(x->a, v[i].keys[k]);
		}
	}
	if (x->rows->n) qsort(v, x->rows->n, sizeof(*v), by_keys);
	for (size_t i = 0; i < x->rows->n; i++) x->rows->v[i] = v[i].row;
}

static struct str key_text(struct arena *a, struct ins_row *r, const struct ins_columns *l)
{
	struct buf b = BUF_IN(a);
	for (size_t k = 0; k < l->n; k++) {
		struct str s = ins_text(a, ins_eval(a, r, l->v[k].expr));
		buf_fmt(&b, "%c%zu:", str_has(s) ? 'v' : 'n', s.n);
		buf_str(&b, s);
	}
	return buf_done(&b);
}

static void dedup(struct run *x, const struct ins_columns *l)
{
	struct map seen;
	size_t n = 0;
	map_init(&seen);
	for (size_t i = 0; i < x->rows->n; i++) {
		struct str key = key_text(x->a, &x->rows->v[i], l);
		if (map_get(&seen, key)) continue;
		map_set(&seen, key, x);
		x->rows->v[n++] = x->rows->v[i];
	}
	x->rows->n = n;
	map_cleanup(&seen, NULL);
}

/* "Discards the current record and generates new records", one for each element of the list; the rest of them is the
 * record's. What is no list gives none. */
static void unnest(struct run *x, const struct ins_command *c)
{
	struct ins_rows out = {0};
	for (size_t i = 0; i < x->rows->n && out.n < UNNESTED_MAX; i++) {
		struct ins_row *r = &x->rows->v[i];
		struct json_value *list;
		struct str text = ins_text(x->a, ins_eval(x->a, r, c->columns.v[0].expr));
		if (!str_starts(str_or(text, STR("")), STR("[")) || !is_ok(json_read(x->a, text, &list))) continue;
		for (const struct json_value *v = list->first; v && out.n < UNNESTED_MAX; v = v->next) {
			struct ins_row *one = VEC_PUSH(x->a, &out, &out.capacity);
			struct buf b = BUF_IN(x->a);
			*one = *r;
			one->pairs.v = arena_copy(x->a, r->pairs.v, r->pairs.n * sizeof(*r->pairs.v));
			one->pairs.capacity = r->pairs.n;
			if (!str_has(json_scalar(v))) json_write(&b, v);
			name_it(x->a, one, c->names.v[0], str_has(json_scalar(v)) ? json_scalar(v) : buf_done(&b));
		}
	}
	*x->rows = out;
}

/* ── stats ── */

struct total {
	double n, sum, squares, least, most;
	struct str least_text, most_text, first, last;
	int64_t first_at, last_at;
	struct {
		double *v;
		size_t n, capacity;
	} values; /* of pct */
	struct map distinct;
	bool has_distinct;
};
struct group {
	struct ins_row row; /* with the values of by */
	struct total *totals;
};
struct groups {
	struct group **v;
	size_t n, capacity;
};

static int by_number(const void *p, const void *q)
{
	double a = *(const double *)p, b = *(const double *)q;
	return (a > b) - (a < b);
}

static void add(struct run *x, const struct ins_expr *f, struct total *t, struct ins_row *r)
{
	bool all = !f->n || (f->first->kind == INS_STRING && str_is(f->first->text, "*"));
	struct ins_value v = all ? (struct ins_value){.has = true} : ins_eval(x->a, r, f->first);
	if (!v.has) return;
	t->n++;
	if (all) return;
	struct str text = ins_text(x->a, v);
	int64_t at = r->event ? r->event->position.at : 0;
	if (t->n == 1 || at < t->first_at) t->first = text, t->first_at = at;
	if (t->n == 1 || at >= t->last_at) t->last = text, t->last_at = at;
	if (t->n == 1 || str_cmp(text, t->least_text) < 0) t->least_text = text;
	if (t->n == 1 || str_cmp(text, t->most_text) > 0) t->most_text = text;
	if (str_is(f->text, "count_distinct")) {
		if (!t->has_distinct) map_init(&t->distinct);
		t->has_distinct = true;
		map_set(&t->distinct, text, t);
	}
	if (!v.numeric) return;
	t->sum += v.number;
	t->squares += v.number * v.number;
	if (!t->values.n || v.number < t->least) t->least = v.number;
	if (!t->values.n || v.number > t->most) t->most = v.number;
	*VEC_PUSH(x->a, &t->values, &t->values.capacity) = v.number;
}

static struct str result(struct run *x, const struct ins_expr *f, struct total *t)
{
	struct buf b = BUF_IN(x->a);
	size_t n = t->values.n;
	double d = NAN;
	if (str_is(f->text, "count")) d = t->n;
	if (str_is(f->text, "count_distinct")) d = t->has_distinct ? (double)t->distinct.count : 0;
	if (str_is(f->text, "earliest")) return t->first;
	if (str_is(f->text, "latest")) return t->last;
	if (str_is(f->text, "sortsfirst")) return t->least_text;
	if (str_is(f->text, "sortslast")) return t->most_text;
	if (!n && (str_is(f->text, "min") || str_is(f->text, "max")))
		return str_is(f->text, "min") ? t->least_text : t->most_text;
	if (n) {
		double mean = t->sum / (double)n;
		if (str_is(f->text, "sum")) d = t->sum;
		if (str_is(f->text, "avg")) d = mean;
		if (str_is(f->text, "min")) d = t->least;
		if (str_is(f->text, "max")) d = t->most;
		if (str_is(f->text, "stddev")) d = sqrt(fmax(0, t->squares / (double)n - mean * mean));
		if (str_is(f->text, "pct")) {
			qsort(t->values.v, n, sizeof(double), by_number);
			double p = f->first->next->number / 100 * (double)n;
			size_t rank = p > 1 ? (size_t)ceil(p) : 1;
			d = t->values.v[(rank < n ? rank : n) - 1];
		}
	}
	if (isnan(d)) return STR_NONE;
	buf_f64(&b, d);
	return buf_done(&b);
}

static void stats(struct run *x, const struct ins_command *c)
{
	struct map index;
	struct groups groups = {0};
	struct ins_rows out = {0};
	map_init(&index);
	for (size_t i = 0; i < x->rows->n; i++) {
		struct ins_row *r = &x->rows->v[i];
		struct str key = key_text(x->a, r, &c->by);
		struct group *g = map_get(&index, key);
		if (!g) {
			g = arena_new(x->a, struct group);
			g->totals = arena_new_n(x->a, struct total, c->columns.n);
			for (size_t k = 0; k < c->by.n; k++)
				name_it(x->a, &g->row, c->by.v[k].name,
					ins_text(x->a, ins_eval(x->a, r, c->by.v[k].expr)));
			map_set(&index, key, g);
			*VEC_PUSH(x->a, &groups, &groups.capacity) = g;
		}
		for (size_t k = 0; k < c->columns.n; k++) add(x, c->columns.v[k].expr, &g->totals[k], r);
	}
	for (size_t i = 0; i < groups.n; i++) {
		struct group *g = groups.v[i];
		for (size_t k = 0; k < c->columns.n; k++) {
			name_it(x->a, &g->row, c->columns.v[k].name, result(x, c->columns.v[k].expr, &g->totals[k]));
			if (g->totals[k].has_distinct) map_cleanup(&g->totals[k].distinct, NULL);
		}
		*VEC_PUSH(x->a, &out, &out.capacity) = g->row;
	}
	map_cleanup(&index, NULL);
	*x->rows = out;
}

/* ── the whole ── */

static const struct str pattern_fields[] = {STR("@pattern"), STR("@sampleCount"), STR("@ratio"), STR("@severityLabel")};

static void show_row(struct run *x, struct ins_row *r, const struct ins_columns *columns, struct logs_result_rows *out)
{
	size_t capacity = 0;
	VEC_PRESENT(x->a, out);
	for (size_t k = 0; k < columns->n; k++) {
		struct str v = ins_field(x->a, r, columns->v[k].name);
		if (str_has(v)) *VEC_PUSH(x->a, out, &capacity) = (struct logs_result_field){columns->v[k].name, v};
	}
	if (r->event && str_has(r->ptr))
		*VEC_PUSH(x->a, out, &capacity) = (struct logs_result_field){STR("@ptr"), r->ptr};
}

void ins_run(struct arena *a, const struct ins_query *q, struct ins_rows *rows, size_t default_limit,
	struct logs_query_results *out, double *matched)
{
	struct run x = {.a = a, .rows = rows};
	struct ins_columns fallback = {0}, shown = {0};
	size_t capacity = 0;
	bool display = false, counted = false;
	for (size_t i = 0; i < 2; i++)
		VEC_PUSH(a, &fallback, &fallback.capacity)->name = i ? STR("@message") : STR("@timestamp");
	for (size_t i = 0; i < q->commands.n; i++) {
		const struct ins_command *c = &q->commands.v[i];
		switch (c->kind) {
		case INS_FIELDS:
			name_columns(&x, &c->columns);
			for (size_t k = 0; k < c->columns.n && !display; k++)
				*VEC_PUSH(a, &shown, &shown.capacity) = c->columns.v[k];
			break;
		case INS_DISPLAY:
			name_columns(&x, &c->columns);
			shown = c->columns;
			display = true;
			break;
		case INS_FILTER:
			filter(&x, c->filter);
			break;
		case INS_SORT:
			sort(&x, &c->columns);
			break;
		case INS_DEDUP:
			dedup(&x, &c->columns);
			break;
		case INS_PARSE:
			parse(&x, c);
			break;
		case INS_UNNEST:
			unnest(&x, c);
			break;
		case INS_PATTERN:
			if (!counted) *matched = (double)rows->n;
			counted = true;
			ins_patterns(a, rows, c->columns.v[0].expr);
			shown = (struct ins_columns){0};
			for (size_t k = 0; k < sizeof(pattern_fields) / sizeof(*pattern_fields); k++)
				VEC_PUSH(a, &shown, &shown.capacity)->name = pattern_fields[k];
			break;
		case INS_LIMIT:
			if (!counted) *matched = (double)rows->n;
			counted = true;
			if (rows->n > c->limit) rows->n = (size_t)c->limit;
			x.limited = true;
			break;
		case INS_STATS:
			if (!counted) *matched = (double)rows->n;
			counted = true;
			stats(&x, c);
			shown = (struct ins_columns){0};
			for (size_t k = 0; k < c->by.n; k++) *VEC_PUSH(a, &shown, &shown.capacity) = c->by.v[k];
			for (size_t k = 0; k < c->columns.n; k++)
				*VEC_PUSH(a, &shown, &shown.capacity) = c->columns.v[k];
			break;
		}
	}
	if (!counted) *matched = (double)rows->n;
	if (!x.limited && rows->n > default_limit) rows->n = default_limit;
	VEC_PRESENT(a, out);
	for (size_t i = 0; i < rows->n; i++)
		show_row(&x, &rows->v[i], shown.n ? &shown : &fallback, VEC_PUSH(a, out, &capacity));
}
