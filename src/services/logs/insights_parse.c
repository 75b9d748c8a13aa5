/* Reading queries. Keywords and functions are known without regard to case; names of fields may hold @, dots and,
 * between backticks, anything. */
#include "services/logs/insights.h"
#include <math.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { DEPTH_MAX = 60, REGEXES_MAX = 20 };

struct reader {
	struct arena *a;
	struct str text, why;
	size_t at;
	unsigned depth;
	struct ins_query *q;
};

static status fail(struct reader *r, const char *what)
{
	if (!str_has(r->why)) r->why = str_fmt(r->a, "%s at character %zu", what, r->at + 1);
	return STATUS(INVALID);
}

static char peek(struct reader *r)
{
	while (r->at < r->text.n) {
		char c = r->text.p[r->at];
		if (c == '#')
			while (r->at < r->text.n && r->text.p[r->at] != '\n') r->at++;
		else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			r->at++;
		else
			return c;
	}
	return 0;
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@';
}
static bool digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool inner(char c)
{
	return letter(c) || digit(c) || c == '.' || c == ':';
}

static bool symbol(struct reader *r, struct str s)
{
	peek(r);
	if (!str_starts(str_from(r->text, r->at), s)) return false;
	r->at += s.n;
	return true;
}

static bool word(struct reader *r, struct str w)
{
	peek(r);
	struct str rest = str_from(r->text, r->at);
	if (!str_istarts(rest, w) || (rest.n > w.n && inner(rest.p[w.n]))) return false;
	r->at += w.n;
	return true;
}

static struct ins_expr *node(struct reader *r, enum ins_kind kind)
{
	struct ins_expr *e = arena_new(r->a, struct ins_expr);
	e->kind = kind;
	return e;
}

static status regex(struct reader *r, void **out)
{
	int code;
	PCRE2_SIZE where;
	size_t from = ++r->at;
	while (r->at < r->text.n && r->text.p[r->at] != '/') r->at += r->text.p[r->at] == '\\' ? 2 : 1;
	if (r->at >= r->text.n) return fail(r, "a regular expression without end");
	struct str s = str_sub(r->text, from, r->at++ - from);
	if (r->q->regexes.n == REGEXES_MAX) return fail(r, "too many regular expressions");
	*out = pcre2_compile((PCRE2_SPTR)s.p, s.n, PCRE2_NEVER_BACKSLASH_C, &code, &where, NULL);
	if (!*out) return fail(r, "malformed regular expression");
	*VEC_PUSH(r->a, &r->q->regexes, &r->q->regexes.capacity) = *out;
	return OK;
}

static status string(struct reader *r, struct str *out)
{
	struct buf b = BUF_IN(r->a);
	char quote = r->text.p[r->at++];
	for (; r->at < r->text.n && r->text.p[r->at] != quote; r->at++) {
		if (r->text.p[r->at] == '\\' && r->at + 1 < r->text.n &&
			(r->text.p[r->at + 1] == quote || r->text.p[r->at + 1] == '\\'))
			r->at++;
		buf_byte(&b, r->text.p[r->at]);
	}
	if (r->at >= r->text.n) return fail(r, "a string without end");
	r->at++;
	*out = buf_done(&b);
	return OK;
}

/* Within a field: an element, users[0] or users['first name'], or a part between backticks behind a dot. r->at is moved
 * to its last character. */
static bool bracket(struct reader *r)
{
	struct str rest = str_from(r->text, r->at);
	char end = rest.p[0] == '[' ? ']' : rest.p[0] == '`' && r->at && r->text.p[r->at - 1] == '.' ? '`' : 0;
	size_t i = 1;
	if (!end) return false;
	if (end == ']' && !(rest.n > 1 && (digit(rest.p[1]) || rest.p[1] == '\'' || rest.p[1] == '"'))) return false;
	while (i < rest.n && rest.p[i] != end && rest.p[i] != '\n') i++;
	if (i >= rest.n || rest.p[i] != end) return false;
	r->at += i;
	return true;
}

static status name(struct reader *r, struct str *out)
{
	char c = peek(r);
	if (c == '`') return string(r, out);
	if (!letter(c)) return fail(r, c ? "expected a field" : "unexpected end");
	size_t from = r->at;
	while (r->at < r->text.n && (inner(r->text.p[r->at]) || bracket(r))) r->at++;
	*out = str_sub(r->text, from, r->at - from);
	return OK;
}

static status expression(struct reader *r, int level, struct ins_expr **out);

static status list(struct reader *r, char end, struct ins_expr *of)
{
	struct ins_expr **last = &of->first;
	if (peek(r) == end) {
		r->at++;
		return OK;
	}
	for (;;) {
		if (peek(r) == '*' && end == ')') { /* count(*) */
			r->at++;
			*last = node(r, INS_STRING);
			(*last)->text = STR("*");
		} else {
			TRY(expression(r, 0, last));
		}
		last = &(*last)->next;
		of->n++;
		char c = peek(r);
		if (c != ',' && c != end) return fail(r, "expected a comma or a closing bracket");
		r->at++;
		if (c == end) return OK;
	}
}

/* A number, or a period: 5m ─▶ its milliseconds. */
static status number(struct reader *r, struct ins_expr **out)
{
	size_t from = r->at;
	while (r->at < r->text.n && (digit(r->text.p[r->at]) || r->text.p[r->at] == '.')) r->at++;
	*out = node(r, INS_NUMBER);
	if (!is_ok(str_to_f64(str_sub(r->text, from, r->at - from), &(*out)->number))) return fail(r, "not a number");
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"msec", 1}, {"s", 1000}, {"sec", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000},
		{"hr", 3600000}, {"d", 86400000}, {"day", 86400000}, {"w", 604800000}, {"mo", 2592000000},
		{"q", 7776000000}, {"y", 31536000000}};
	from = r->at;
	while (r->at < r->text.n && letter(r->text.p[r->at])) r->at++;
	struct str unit = str_sub(r->text, from, r->at - from);
	if (!unit.n) return OK;
	if (unit.n > 2 && str_ends(unit, STR("s"))) unit.n--;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (str_ieq(unit, str_c(units[i].unit))) {
			(*out)->number *= units[i].ms;
			return OK;
		}
	return fail(r, "unknown unit of time");
}

static bool known_function(struct str name)
{
	static const char *const all[] = {"abs", "ceil", "floor", "greatest", "least", "log", "sqrt", "bin",
		"datefloor", "dateceil", "frommillis", "tomillis", "ispresent", "isempty", "isblank", "coalesce",
		"concat", "strlen", "toupper", "tolower", "trim", "ltrim", "rtrim", "strcontains", "replace", "substr",
		"count", "count_distinct", "sum", "avg", "min", "max", "stddev", "pct", "earliest", "latest",
		"sortsfirst", "sortslast", "now", "jsonparse", "jsonstringify", "isvalidip", "isvalidipv4",
		"isvalidipv6", "isipinsubnet", "isipv4insubnet", "isipv6insubnet"};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (str_eq(name, str_c(all[i]))) return true;
	return false;
}

static status primary(struct reader *r, struct ins_expr **out)
{
	char c = peek(r);
	if (digit(c)) return number(r, out);
	if (c == '"' || c == '\'') {
		*out = node(r, INS_STRING);
		return string(r, &(*out)->text);
	}
	if (c == '(') {
		r->at++;
		TRY(expression(r, 0, out));
		return symbol(r, STR(")")) ? OK : fail(r, "expected )");
	}
	*out = node(r, INS_FIELD);
	TRY(name(r, &(*out)->text));
	if (c == '`' || peek(r) != '(') return OK;
	r->at++;
	(*out)->kind = INS_CALL;
	(*out)->text = str_lower(r->a, (*out)->text);
	if (!known_function((*out)->text)) return fail(r, "unknown function");
	return list(r, ')', *out);
}

static status unary(struct reader *r, struct ins_expr **out)
{
	if (++r->depth > DEPTH_MAX) return fail(r, "too deeply nested");
	status s;
	if (peek(r) == '-') {
		r->at++;
		*out = node(r, INS_NEGATE);
		s = unary(r, &(*out)->first);
	} else {
		s = primary(r, out);
	}
	r->depth--;
	return s;
}

/* like, =~, in, behind a value. */
static status suffix(struct reader *r, struct ins_expr **out)
{
	size_t back = r->at;
	bool negated = word(r, STR("not"));
	if (word(r, STR("like")) || (!negated && symbol(r, STR("=~")))) {
		struct ins_expr *e = node(r, INS_LIKE);
		e->first = *out;
		e->negated = negated;
		*out = e;
		if (peek(r) == '/') return regex(r, &e->regex);
		if (peek(r) != '"' && peek(r) != '\'') return fail(r, "expected a string or a regular expression");
		return string(r, &e->text);
	}
	if (word(r, STR("in"))) {
		struct ins_expr *e = node(r, INS_IN);
		e->negated = negated;
		if (!symbol(r, STR("["))) return fail(r, "expected [");
		TRY(list(r, ']', e));
		(*out)->next = e->first;
		e->first = *out;
		*out = e;
		return OK;
	}
	r->at = back;
	return OK;
}

static char operator_at(struct reader *r, int level)
{
	char c = peek(r);
	switch (level) {
	case 0:
		return word(r, STR("or")) || symbol(r, STR("||")) ? '|' : 0;
	case 1:
		return word(r, STR("and")) || symbol(r, STR("&&")) ? '&' : 0;
	case 3:
		if (str_starts(str_from(r->text, r->at), STR("=~"))) return 0;
		if (symbol(r, STR("!="))) return '!';
		if (symbol(r, STR("<="))) return 'l';
		if (symbol(r, STR(">="))) return 'g';
		if (symbol(r, STR("=="))) return '=';
		return symbol(r, STR("=")) ? '=' : symbol(r, STR("<")) ? '<' : symbol(r, STR(">")) ? '>' : 0;
	case 4:
		return (c == '+' || c == '-') && r->at++ < r->text.n ? c : 0;
	case 5:
		return (c == '*' || c == '/' || c == '%') && r->at++ < r->text.n ? c : 0;
	default:
		return c == '^' && r->at++ < r->text.n ? c : 0;
	}
}

static status expression(struct reader *r, int level, struct ins_expr **out)
{
	unsigned links = 0;
	char op;
	if (level == 7) return unary(r, out);
	if (level == 0 && ++r->depth > DEPTH_MAX) return fail(r, "too deeply nested");
	if (level == 2) {
		if (!word(r, STR("not"))) return expression(r, 3, out);
		if (++r->depth > DEPTH_MAX) return fail(r, "too deeply nested");
		*out = node(r, INS_NOT);
		TRY(expression(r, 2, &(*out)->first));
		r->depth--;
		return OK;
	}
	TRY(expression(r, level + 1, out));
	if (level == 3) TRY(suffix(r, out));
	while ((op = operator_at(r, level))) {
		if (++links > 500) return fail(r, "too many operators");
		struct ins_expr *e = node(r, INS_BINARY);
		e->op = op;
		e->first = *out;
		*out = e;
		TRY(expression(r, level + 1, &e->first->next));
	}
	if (level == 0) r->depth--;
	return OK;
}

/* ── commands ── */

/* EXPR [as NAME] [asc|desc], … */
static status columns(struct reader *r, bool sort, bool stop_at_by, struct ins_columns *out)
{
	for (;;) {
		struct ins_column *c = VEC_PUSH(r->a, out, &out->capacity);
		size_t from = (peek(r), r->at);
		TRY(expression(r, 0, &c->expr));
		c->name = c->expr->kind == INS_FIELD ? c->expr->text : str_trim(str_sub(r->text, from, r->at - from));
		if (word(r, STR("as"))) TRY(name(r, &c->name));
		if (sort) c->descending = word(r, STR("desc"));
		if (sort && !c->descending) (void)word(r, STR("asc"));
		if (symbol(r, STR(","))) continue;
		/* Fields may also be parted by spaces. */
		char ch = peek(r);
		if (!sort && !stop_at_by && (letter(ch) || ch == '`')) continue;
		return OK;
	}
}

static status names(struct reader *r, struct logs_rec_names *out)
{
	size_t capacity = 0;
	do {
		struct str n;
		TRY(name(r, &n));
		*VEC_PUSH(r->a, out, &capacity) = n;
	} while (symbol(r, STR(",")));
	return OK;
}

static status parse(struct reader *r, struct ins_command *c)
{
	struct ins_column *column = VEC_PUSH(r->a, &c->columns, &c->columns.capacity);
	char ch = peek(r);
	column->expr = node(r, INS_FIELD);
	column->expr->text = STR("@message");
	if (ch != '"' && ch != '\'' && ch != '/') TRY(name(r, &column->expr->text));
	ch = peek(r);
	if (ch == '/') {
		TRY(regex(r, &c->regex));
		return OK;
	}
	if (ch != '"' && ch != '\'') return fail(r, "expected a pattern");
	TRY(string(r, &c->glob));
	if (!word(r, STR("as"))) return fail(r, "expected as");
	TRY(names(r, &c->names));
	size_t stars = 0;
	for (size_t i = 0; i < c->glob.n; i++) stars += c->glob.p[i] == '*';
	return stars == c->names.n ? OK : fail(r, "as many names as * in the pattern are needed");
}

/* One field. */
static status field_of(struct reader *r, struct ins_columns *out)
{
	struct ins_column *column = VEC_PUSH(r->a, out, &out->capacity);
	TRY(expression(r, 0, &column->expr));
	column->name = column->expr->kind == INS_FIELD ? column->expr->text : STR("@message");
	return OK;
}

static status unnest(struct reader *r, struct ins_command *c)
{
	size_t capacity = 0;
	TRY(field_of(r, &c->columns));
	if (!word(r, STR("into"))) return fail(r, "expected into");
	return name(r, VEC_PUSH(r->a, &c->names, &capacity));
}

/* "filterIndex FIELD = VALUE, FIELD in [VALUE, …]": equality alone, of which several hold together. */
static status index_filter(struct reader *r, struct ins_command *c)
{
	do {
		struct ins_expr *e, *both;
		TRY(expression(r, 2, &e));
		bool equal = e->kind == INS_BINARY && e->op == '=', in = e->kind == INS_IN && !e->negated;
		if ((!equal && !in) || e->first->kind != INS_FIELD)
			return fail(r, "filterIndex takes FIELD = VALUE or FIELD in [VALUE, ...]");
		*VEC_PUSH(r->a, &c->columns, &c->columns.capacity) =
			(struct ins_column){.expr = e, .name = e->first->text};
		if (c->filter) {
			both = node(r, INS_BINARY);
			both->op = '&';
			both->first = c->filter;
			both->first->next = e;
			e = both;
		}
		c->filter = e;
	} while (symbol(r, STR(",")) || word(r, STR("and")));
	return OK;
}

/* The functions of stats; fewest arguments first. */
static bool aggregates(const struct ins_expr *e)
{
	static const struct {
		const char *name;
		size_t least, most;
	} all[] = {{"count", 0, 1}, {"count_distinct", 1, 1}, {"sum", 1, 1}, {"avg", 1, 1}, {"min", 1, 1},
		{"max", 1, 1}, {"stddev", 1, 1}, {"pct", 2, 2}, {"earliest", 1, 1}, {"latest", 1, 1},
		{"sortsfirst", 1, 1}, {"sortslast", 1, 1}};
	for (size_t i = 0; e->kind == INS_CALL && i < sizeof(all) / sizeof(*all); i++)
		if (str_eq(e->text, str_c(all[i].name))) return e->n >= all[i].least && e->n <= all[i].most;
	return false;
}

static status command(struct reader *r, struct ins_command *c)
{
	if (word(r, STR("fields"))) return c->kind = INS_FIELDS, columns(r, false, false, &c->columns);
	if (word(r, STR("display"))) return c->kind = INS_DISPLAY, columns(r, false, false, &c->columns);
	if (word(r, STR("filter"))) return c->kind = INS_FILTER, expression(r, 0, &c->filter);
	if (word(r, STR("sort"))) return c->kind = INS_SORT, columns(r, true, false, &c->columns);
	if (word(r, STR("parse"))) return c->kind = INS_PARSE, parse(r, c);
	if (word(r, STR("unnest"))) return c->kind = INS_UNNEST, unnest(r, c);
	if (word(r, STR("pattern"))) return c->kind = INS_PATTERN, field_of(r, &c->columns);
	if (word(r, STR("filterIndex"))) return c->kind = INS_FILTER, index_filter(r, c);
	if (word(r, STR("dedup"))) return c->kind = INS_DEDUP, columns(r, false, false, &c->columns);
	if (word(r, STR("stats"))) {
		c->kind = INS_STATS;
		TRY(columns(r, false, true, &c->columns));
		for (size_t i = 0; i < c->columns.n; i++)
			if (!aggregates(c->columns.v[i].expr)) return fail(r, "stats needs functions such as count(*)");
		return word(r, STR("by")) ? columns(r, false, true, &c->by) : OK;
	}
	if (word(r, STR("limit")) || word(r, STR("head"))) {
		struct ins_expr *e;
		c->kind = INS_LIMIT;
		if (!digit(peek(r))) return fail(r, "expected a number");
		TRY(number(r, &e));
		if (e->number < 1 || e->number > 100000 || e->number != floor(e->number))
			return fail(r, "the limit must be 1 to 100000");
		c->limit = (uint64_t)e->number;
		return OK;
	}
	return fail(r, peek(r) ? "unknown command" : "a command is missing");
}

status ins_parse(struct arena *a, struct str text, struct ins_query **out, struct str *why)
{
	struct reader r = {.a = a, .text = text, .q = arena_new(a, struct ins_query)};
	status s = OK;
	*out = r.q;
	do {
		s = command(&r, VEC_PUSH(a, &r.q->commands, &r.q->commands.capacity));
	} while (is_ok(s) && symbol(&r, STR("|")) && r.q->commands.n < 50);
	if (is_ok(s) && peek(&r)) s = fail(&r, "unexpected text");
	*why = r.why;
	return s;
}

void ins_end(struct ins_query *q)
{
	for (size_t i = 0; i < q->regexes.n; i++) pcre2_code_free(q->regexes.v[i]);
	q->regexes.n = 0;
}
