/* A statement's expressions over one row. NULL and MISSING spread through operators, AND and OR know three truths. */
#include "services/s3/select/select.h"
#include <math.h>

static bool absent(const struct sel_value *v)
{
	return v->type == SEL_MISSING || v->type == SEL_NULL;
}

static status set_bool(struct sel_value *out, bool truth)
{
	*out = (struct sel_value){.type = SEL_BOOL, .truth = truth};
	return OK;
}
static status set_null(struct sel_value *out)
{
	*out = (struct sel_value){.type = SEL_NULL};
	return OK;
}

/* ── paths ── */

static const struct json_value *find_member(const struct json_value *v, const struct sel_step *s)
{
	const struct json_value *exact = json_member(v, s->name);
	if (exact || s->quoted || !json_is(v, JSON_IS_OBJECT)) return exact;
	for (const struct json_value *m = v->first; m; m = m->next)
		if (str_ieq(m->name, s->name)) return m;
	return NULL;
}

static const struct json_value *step(const struct json_value *v, const struct sel_step *s)
{
	if (s->kind == SEL_STEP_NAME) return find_member(v, s);
	if (s->kind != SEL_STEP_INDEX || !json_is(v, JSON_IS_ARRAY)) return NULL;
	const struct json_value *e = v->first;
	for (uint32_t i = 0; e && i < s->index; i++) e = e->next;
	return e;
}

/* _1, _2, …; 0 for any other name. */
static uint64_t position(struct str name)
{
	uint64_t n;
	if (name.n < 2 || name.p[0] != '_' || name.n > 10 || !is_ok(str_to_u64(str_from(name, 1), &n))) return 0;
	return n;
}

static status eval_field(
	const struct sel_row *row, const struct sel_steps *path, struct sel_value *out, struct sel_error *why)
{
	*out = (struct sel_value){.type = SEL_MISSING};
	if (path->n != 1 || path->v[0].kind != SEL_STEP_NAME) return OK;
	const struct sel_step *s = &path->v[0];
	size_t i = 0;
	while (i < row->n_names && !(s->quoted ? str_eq(row->names[i], s->name) : str_ieq(row->names[i], s->name))) i++;
	if (i == row->n_names) {
		uint64_t n = position(s->name);
		if (!n)
			return sel_fail(why, "MissingHeaders",
				"Some headers in the query are missing from the file. Check the file and try again.");
		i = n - 1;
	}
	if (i < row->n_fields) *out = (struct sel_value){.type = SEL_STRING, .s = row->fields[i]};
	return OK;
}

static status eval_path(
	const struct sel_row *row, const struct sel_steps *path, struct sel_value *out, struct sel_error *why)
{
	const struct json_value *v = row->json;
	if (!v) return eval_field(row, path, out, why);
	for (size_t i = 0; v && i < path->n; i++) {
		bool scalar = !json_is(v, JSON_IS_OBJECT) && !json_is(v, JSON_IS_ARRAY);
		/* A row that is no struct has one column. */
		if (i == 0 && scalar && path->v[0].kind == SEL_STEP_NAME && position(path->v[0].name) == 1) continue;
		v = step(v, &path->v[i]);
	}
	*out = sel_of_json(v);
	return OK;
}

status sel_from(const struct sel_steps *from, const struct json_value *v,
	status (*fn)(void *ctx, const struct json_value *row), void *ctx)
{
	if (!from->n) return v ? fn(ctx, v) : OK;
	struct sel_steps rest = {from->v + 1, from->n - 1};
	if (from->v[0].kind != SEL_STEP_ALL) {
		v = step(v, &from->v[0]);
		return v ? sel_from(&rest, v, fn, ctx) : OK;
	}
	if (!json_is(v, JSON_IS_ARRAY)) return sel_from(&rest, v, fn, ctx);
	for (const struct json_value *e = v->first; e; e = e->next) TRY(sel_from(&rest, e, fn, ctx));
	return OK;
}

/* ── arithmetic ── */

static status as_number(const struct sel_value *v, struct sel_value *out, struct sel_error *why)
{
	*out = *v;
	if (v->type == SEL_INT || v->type == SEL_FLOAT) return OK;
	if (v->type == SEL_STRING && sel_number(v->s, out)) return OK;
	return sel_fail(
		why, "InvalidDataType", "The SQL expression contains an invalid data type: a number is expected.");
}

static status overflow(struct sel_error *why)
{
	return sel_fail(why, "IntegerOverflow", "An integer overflow or underflow occurred in the SQL expression.");
}

static status integers(enum sel_op op, int64_t x, int64_t y, struct sel_value *out, struct sel_error *why)
{
	bool over = false;
	out->type = SEL_INT;
	switch ((int)op) {
	case SEL_ADD:
		over = __builtin_add_overflow(x, y, &out->i);
		break;
	case SEL_SUB:
		over = __builtin_sub_overflow(x, y, &out->i);
		break;
	case SEL_MUL:
		over = __builtin_mul_overflow(x, y, &out->i);
		break;
	default:
		if (!y) return sel_fail(why, "DivideByZero", "The SQL expression divides by zero.");
		over = x == INT64_MIN && y == -1;
		if (!over) out->i = op == SEL_DIV ? x / y : x % y;
	}
	return over ? overflow(why) : OK;
}

static status arithmetic(enum sel_op op, const struct sel_value *l, const struct sel_value *r, struct sel_value *out,
	struct sel_error *why)
{
	struct sel_value x, y;
	*out = (struct sel_value){0};
	if (absent(l) || absent(r)) return set_null(out);
	TRY(as_number(l, &x, why));
	TRY(as_number(r, &y, why));
	if (x.type == SEL_INT && y.type == SEL_INT) return integers(op, x.i, y.i, out, why);
	double p = x.type == SEL_INT ? (double)x.i : x.f, q = y.type == SEL_INT ? (double)y.i : y.f;
	if ((op == SEL_DIV || op == SEL_MOD) && q == 0)
		return sel_fail(why, "DivideByZero", "The SQL expression divides by zero.");
	out->type = SEL_FLOAT;
	out->f = op == SEL_ADD   ? p + q
		 : op == SEL_SUB ? p - q
		 : op == SEL_MUL ? p * q
		 : op == SEL_DIV ? p / q
				 : fmod(p, q);
	return OK;
}

/* ── text ── */

static size_t character(struct str s, size_t at)
{
	size_t n = 1;
	while (at + n < s.n && ((unsigned char)s.p[at + n] & 0xc0) == 0x80) n++;
	return n;
}

/* % any run, _ one character. Goes back only to the last %. */
static bool like(struct str s, struct str pattern, struct str escape)
{
	size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;
	while (i < s.n) {
		bool escaped = escape.n && j < pattern.n && str_starts(str_from(pattern, j), escape);
		size_t at = escaped ? j + escape.n : j;
		if (!escaped && at < pattern.n && pattern.p[at] == '%') {
			star = ++j;
			mark = i;
		} else if (!escaped && at < pattern.n && pattern.p[at] == '_') {
			i += character(s, i);
			j++;
		} else if (at < pattern.n && pattern.p[at] == s.p[i]) {
			i++;
			j = at + 1;
		} else if (star != SIZE_MAX) {
			mark += character(s, mark);
			i = mark;
			j = star;
		} else {
			return false;
		}
	}
	while (j < pattern.n && pattern.p[j] == '%') j++;
	return j >= pattern.n;
}

static status want_text(const struct sel_value *v, struct str *out, struct sel_error *why)
{
	*out = v->s;
	if (v->type == SEL_STRING) return OK;
	return sel_fail(why, "EvaluatorInvalidArguments", "Invalid arguments: a string is expected.");
}

static status eval_like(const struct sel_value *v, size_t n, struct sel_value *out, struct sel_error *why)
{
	struct str s, pattern, escape = STR("");
	for (size_t i = 0; i < n; i++)
		if (absent(&v[i])) return set_null(out);
	if (v[0].type != SEL_STRING || v[1].type != SEL_STRING || (n > 2 && v[2].type != SEL_STRING))
		return sel_fail(
			why, "LikeInvalidInputs", "Invalid argument given to the LIKE clause in the SQL expression.");
	TRY(want_text(&v[0], &s, why));
	TRY(want_text(&v[1], &pattern, why));
	if (n > 2) TRY(want_text(&v[2], &escape, why));
	if (n > 2 && (escape.n == 0 || character(escape, 0) != escape.n))
		return sel_fail(
			why, "LikeInvalidInputs", "Invalid argument given to the LIKE clause in the SQL expression.");
	return set_bool(out, like(s, pattern, escape));
}

static status substring(const struct sel_value *v, size_t n, struct sel_value *out, struct sel_error *why)
{
	struct str s;
	struct sel_value start, length = {.i = INT64_MAX};
	TRY(want_text(&v[0], &s, why));
	TRY(sel_cast(NULL, &v[1], SEL_INT, &start, why));
	if (n > 2) TRY(sel_cast(NULL, &v[2], SEL_INT, &length, why));
	if (n > 2 && length.i < 0)
		return sel_fail(why, "EvaluatorNegativeLimit", "The length of a substring must not be negative.");
	int64_t end, at = 1;
	if (n <= 2 || __builtin_add_overflow(start.i, length.i, &end)) end = INT64_MAX;
	size_t from = s.n, to = s.n;
	for (size_t i = 0; i < s.n; i += character(s, i), at++) {
		if (at >= start.i && from == s.n) from = i;
		if (at >= end) {
			to = i;
			break;
		}
	}
	*out = (struct sel_value){.type = SEL_STRING, .s = from < to ? str_sub(s, from, to - from) : STR("")};
	return OK;
}

static bool one_of(struct str set, const char *p, size_t n)
{
	for (size_t i = 0; i < set.n; i += character(set, i))
		if (character(set, i) == n && memcmp(set.p + i, p, n) == 0) return true;
	return false;
}

static status trim(
	const struct sel_node *node, const struct sel_value *v, size_t n, struct sel_value *out, struct sel_error *why)
{
	struct str s, set = STR(" ");
	TRY(want_text(&v[0], &s, why));
	if (n > 1) TRY(want_text(&v[1], &set, why));
	while (node->part != SEL_P_TRAILING && s.n && one_of(set, s.p, character(s, 0)))
		s = str_from(s, character(s, 0));
	while (node->part != SEL_P_LEADING && s.n) {
		size_t last = s.n - 1;
		while (last > 0 && ((unsigned char)s.p[last] & 0xc0) == 0x80) last--;
		if (!one_of(set, s.p + last, s.n - last)) break;
		s.n = last;
	}
	*out = (struct sel_value){.type = SEL_STRING, .s = s};
	return OK;
}

static struct str change_case(struct arena *a, struct str s, bool upper)
{
	char *p = arena_copy(a, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		if (upper ? (p[i] >= 'a' && p[i] <= 'z') : (p[i] >= 'A' && p[i] <= 'Z')) p[i] ^= 0x20;
	return str_n(p, s.n);
}

/* ── functions ── */

static status want_time(const struct sel_value *v, struct sel_time *out, struct sel_error *why)
{
	*out = v->time;
	if (v->type == SEL_TIME || (v->type == SEL_STRING && sel_time_read(v->s, out))) return OK;
	return sel_fail(why, "EvaluatorInvalidArguments", "Invalid arguments: a timestamp is expected.");
}

static status call_on_time(struct sel_row *row, const struct sel_node *n, const struct sel_value *v,
	struct sel_value *out, struct sel_error *why)
{
	struct sel_time t, other;
	struct sel_value quantity;
	struct buf b = BUF_IN(row->arena);
	TRY(want_time(&v[n->function == SEL_F_DATE_ADD], &t, why));
	if (n->function == SEL_F_EXTRACT) {
		*out = (struct sel_value){.type = SEL_INT, .i = sel_time_part(&t, n->part)};
	} else if (n->function == SEL_F_DATE_DIFF) {
		TRY(want_time(&v[1], &other, why));
		*out = (struct sel_value){.type = SEL_INT, .i = sel_time_difference(&t, &other, n->part)};
	} else if (n->function == SEL_F_TO_STRING) {
		struct str pattern;
		TRY(want_text(&v[1], &pattern, why));
		if (!sel_time_format(&b, &t, pattern))
			return sel_fail(why, "EvaluatorInvalidTimestampFormatPattern",
				"The timestamp format pattern requires additional fields in the SQL expression.");
		*out = (struct sel_value){.type = SEL_STRING, .s = buf_done(&b)};
	} else {
		TRY(sel_cast(row->arena, &v[0], SEL_INT, &quantity, why));
		if (!sel_time_add(&t, n->part, quantity.i))
			return sel_fail(why, "EvaluatorTimestampOutOfRange", "The timestamp is out of range.");
		*out = (struct sel_value){.type = SEL_TIME, .time = t};
	}
	return OK;
}

static status call(struct sel_row *row, const struct sel_node *n, const struct sel_value *v, struct sel_value *out,
	struct sel_error *why)
{
	struct str s;
	int order;
	for (size_t i = 0; i < n->n && n->function != SEL_F_COALESCE && n->function != SEL_F_NULLIF; i++)
		if (absent(&v[i])) return set_null(out);
	switch (n->function) {
	case SEL_F_COALESCE:
		*out = (struct sel_value){.type = SEL_NULL};
		for (size_t i = 0; i < n->n && absent(out); i++)
			if (!absent(&v[i])) *out = v[i];
		return OK;
	case SEL_F_NULLIF:
		*out = v[0];
		if (sel_compare(&v[0], &v[1], &order) && order == 0) out->type = SEL_NULL;
		return OK;
	case SEL_F_CHAR_LENGTH:
		TRY(want_text(&v[0], &s, why));
		*out = (struct sel_value){.type = SEL_INT};
		for (size_t i = 0; i < s.n; i += character(s, i)) out->i++;
		return OK;
	case SEL_F_LOWER:
	case SEL_F_UPPER:
		TRY(want_text(&v[0], &s, why));
		*out = (struct sel_value){
			.type = SEL_STRING, .s = change_case(row->arena, s, n->function == SEL_F_UPPER)};
		return OK;
	case SEL_F_SUBSTRING:
		return substring(v, n->n, out, why);
	case SEL_F_TRIM:
		return trim(n, v, n->n, out, why);
	case SEL_F_TO_TIMESTAMP:
		return sel_cast(row->arena, &v[0], SEL_TIME, out, why);
	case SEL_F_UTCNOW:
		*out = (struct sel_value){
			.type = SEL_TIME, .time = {.us = row->now_ms * 1000, .precision = SEL_SECOND, .digits = 3}};
		return OK;
	case SEL_F_DATE_ADD:
	case SEL_F_DATE_DIFF:
	case SEL_F_EXTRACT:
	case SEL_F_TO_STRING:
		return call_on_time(row, n, v, out, why);
	case SEL_F_AVG:
	case SEL_F_COUNT:
	case SEL_F_MAX:
	case SEL_F_MIN:
	case SEL_F_SUM:
		break;
	}
	UNREACHABLE();
}

/* ── operators ── */

static bool truth(const struct sel_value *v)
{
	return v->type == SEL_BOOL && v->truth;
}

/* One false decides AND, one true OR; otherwise what is unknown stays so. */
static status junction(struct sel_row *row, const struct sel_node *n, struct sel_value *out, struct sel_error *why)
{
	bool decides = n->op == SEL_OR;
	struct sel_value x, y;
	TRY(sel_eval(row, n->v[0], &x, why));
	if (x.type == SEL_BOOL && x.truth == decides) return set_bool(out, decides);
	TRY(sel_eval(row, n->v[1], &y, why));
	if (y.type == SEL_BOOL && y.truth == decides) return set_bool(out, decides);
	if (x.type == SEL_BOOL && y.type == SEL_BOOL) return set_bool(out, !decides);
	if (absent(&x) || absent(&y)) return set_null(out);
	return sel_fail(
		why, "InvalidDataType", "The SQL expression contains an invalid data type: a boolean is expected.");
}

static status compare(enum sel_op op, const struct sel_value *x, const struct sel_value *y, struct sel_value *out)
{
	int order;
	if (absent(x) || absent(y)) return set_null(out);
	if (!sel_compare(x, y, &order)) return set_bool(out, op == SEL_NE);
	bool r = op == SEL_EQ   ? order == 0
		 : op == SEL_NE ? order != 0
		 : op == SEL_LT ? order < 0
		 : op == SEL_LE ? order <= 0
		 : op == SEL_GT ? order > 0
				: order >= 0;
	return set_bool(out, r);
}

static status negate(struct sel_value *v, bool negated)
{
	if (negated && v->type == SEL_BOOL) v->truth = !v->truth;
	return OK;
}

static status eval_case(struct sel_row *row, const struct sel_node *n, struct sel_value *out, struct sel_error *why)
{
	size_t i = n->simple, end = n->n - n->has_else;
	struct sel_value operand = {0}, when;
	if (n->simple) TRY(sel_eval(row, n->v[0], &operand, why));
	for (; i + 1 < end; i += 2) {
		TRY(sel_eval(row, n->v[i], &when, why));
		if (n->simple) TRY(compare(SEL_EQ, &operand, &when, &when));
		if (truth(&when)) return sel_eval(row, n->v[i + 1], out, why);
	}
	return n->has_else ? sel_eval(row, n->v[n->n - 1], out, why) : set_null(out);
}

static status eval_in(struct sel_row *row, const struct sel_node *n, struct sel_value *out, struct sel_error *why)
{
	struct sel_value x, y, r;
	bool unknown = false;
	TRY(sel_eval(row, n->v[0], &x, why));
	for (size_t i = 1; i < n->n; i++) {
		TRY(sel_eval(row, n->v[i], &y, why));
		TRY(compare(SEL_EQ, &x, &y, &r));
		unknown |= absent(&r);
		if (truth(&r)) return set_bool(out, !n->negated);
	}
	return unknown ? set_null(out) : set_bool(out, n->negated);
}

static status concatenate(
	struct sel_row *row, const struct sel_value *x, const struct sel_value *y, struct sel_value *out)
{
	struct buf b = BUF_IN(row->arena);
	if (absent(x) || absent(y)) return set_null(out);
	sel_write_text(&b, x);
	sel_write_text(&b, y);
	*out = (struct sel_value){.type = SEL_STRING, .s = buf_done(&b)};
	return OK;
}

static status operate(struct sel_row *row, const struct sel_node *n, struct sel_value *v, struct sel_value *out,
	struct sel_error *why)
{
	struct sel_value zero = {.type = SEL_INT}, low, high;
	switch (n->op) {
	case SEL_NOT:
		if (absent(&v[0])) return set_null(out);
		if (v[0].type != SEL_BOOL)
			return sel_fail(why, "InvalidDataType",
				"The SQL expression contains an invalid data type: a boolean is expected.");
		return set_bool(out, !v[0].truth);
	case SEL_EQ:
	case SEL_NE:
	case SEL_LT:
	case SEL_LE:
	case SEL_GT:
	case SEL_GE:
		return compare(n->op, &v[0], &v[1], out);
	case SEL_ADD:
	case SEL_SUB:
	case SEL_MUL:
	case SEL_DIV:
	case SEL_MOD:
		return arithmetic(n->op, &v[0], &v[1], out, why);
	case SEL_NEGATE:
		return arithmetic(SEL_SUB, &zero, &v[0], out, why);
	case SEL_CONCAT:
		return concatenate(row, &v[0], &v[1], out);
	case SEL_BETWEEN:
		TRY(compare(SEL_GE, &v[0], &v[1], &low));
		TRY(compare(SEL_LE, &v[0], &v[2], &high));
		if (absent(&low) || absent(&high)) return set_null(out);
		return set_bool(out, (low.truth && high.truth) != n->negated);
	case SEL_LIKE:
		TRY(eval_like(v, n->n, out, why));
		return negate(out, n->negated);
	case SEL_IS_NULL:
		return set_bool(out, absent(&v[0]) != n->negated);
	case SEL_IS_MISSING:
		return set_bool(out, (v[0].type == SEL_MISSING) != n->negated);
	case SEL_CAST:
		return sel_cast(row->arena, &v[0], n->cast, out, why);
	case SEL_CALL:
		return call(row, n, v, out, why);
	case SEL_LITERAL:
	case SEL_PATH:
	case SEL_AND:
	case SEL_OR:
	case SEL_IN:
	case SEL_CASE:
	case SEL_AGGREGATE:
		break;
	}
	UNREACHABLE();
}

status sel_eval(struct sel_row *row, const struct sel_node *n, struct sel_value *out, struct sel_error *why)
{
	struct sel_value few[3], *v = few;
	switch ((int)n->op) {
	case SEL_LITERAL:
		*out = n->literal;
		return OK;
	case SEL_PATH:
		return eval_path(row, &n->path, out, why);
	case SEL_AND:
	case SEL_OR:
		return junction(row, n, out, why);
	case SEL_IN:
		return eval_in(row, n, out, why);
	case SEL_CASE:
		return eval_case(row, n, out, why);
	case SEL_AGGREGATE:
		*out = row->totals ? row->totals[n->slot] : (struct sel_value){.type = SEL_NULL};
		return OK;
	default:
		break;
	}
	if (n->n > 3) v = arena_new_n(row->arena, struct sel_value, n->n);
	for (size_t i = 0; i < n->n; i++) TRY(sel_eval(row, n->v[i], &v[i], why));
	return operate(row, n, v, out, why);
}

status sel_matches(struct sel_row *row, const struct sel_statement *s, bool *out, struct sel_error *why)
{
	struct sel_value v;
	*out = true;
	if (!s->where) return OK;
	TRY(sel_eval(row, s->where, &v, why));
	*out = truth(&v);
	return OK;
}

/* ── aggregates ── */

static void keep(struct sel_total *t, const struct sel_value *v)
{
	t->best = *v;
	t->best.json = NULL;
	if (v->type != SEL_STRING) return;
	t->text.n = 0;
	buf_str(&t->text, v->s);
	t->best.s = buf_done(&t->text);
}

status sel_count(struct sel_row *row, const struct sel_statement *s, struct sel_total *totals, struct sel_error *why)
{
	for (size_t i = 0; i < s->aggregates.n; i++) {
		const struct sel_node *n = s->aggregates.v[i];
		struct sel_total *t = &totals[i];
		struct sel_value v = {.type = SEL_INT, .i = 1}, sum;
		int order;
		if (n->n) TRY(sel_eval(row, n->v[0], &v, why));
		if (absent(&v)) continue;
		t->count++;
		if (n->function == SEL_F_COUNT) continue;
		if (n->function == SEL_F_SUM || n->function == SEL_F_AVG) {
			if (!t->any) t->best = (struct sel_value){.type = SEL_INT};
			TRY(arithmetic(SEL_ADD, &t->best, &v, &sum, why));
			t->best = sum;
		} else if (!t->any) {
			keep(t, &v);
		} else if (sel_compare(&v, &t->best, &order) && (n->function == SEL_F_MAX ? order > 0 : order < 0)) {
			keep(t, &v);
		}
		t->any = true;
	}
	return OK;
}

void sel_total_value(const struct sel_node *n, const struct sel_total *t, struct sel_value *out)
{
	if (n->function == SEL_F_COUNT) {
		*out = (struct sel_value){.type = SEL_INT, .i = t->count};
	} else if (!t->any) {
		*out = (struct sel_value){.type = SEL_NULL};
	} else {
		*out = t->best;
		if (n->function == SEL_F_AVG)
			*out = (struct sel_value){.type = SEL_FLOAT,
				.f = (t->best.type == SEL_INT ? (double)t->best.i : t->best.f) / (double)t->count};
	}
}
