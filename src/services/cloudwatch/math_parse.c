/* Reading metric math. Precedence, loosest first: || OR, && AND, comparisons, + -, * /, ^, unary minus. */
#include "services/cloudwatch/math.h"
#include <math.h>

enum { DEPTH_MAX = 60 };

struct reader {
	struct arena *a;
	struct str text;
	size_t at;
	unsigned depth;
	struct str why;
};

static status fail(struct reader *r, const char *what)
{
	if (!str_has(r->why)) r->why = str_fmt(r->a, "%s at character %zu", what, r->at + 1);
	return STATUS(INVALID);
}

static char peek(struct reader *r)
{
	while (r->at < r->text.n && (r->text.p[r->at] == ' ' || r->text.p[r->at] == '\t' || r->text.p[r->at] == '\n' ||
					    r->text.p[r->at] == '\r'))
		r->at++;
	return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct cw_node *node(struct reader *r, enum cw_node_kind kind)
{
	struct cw_node *n = arena_new(r->a, struct cw_node);
	n->kind = kind;
	return n;
}

static status expression(struct reader *r, int level, struct cw_node **out);

static status list(struct reader *r, char end, struct cw_node *of)
{
	struct cw_node **last = &of->first;
	if (peek(r) == end) {
		r->at++;
		return OK;
	}
	for (;;) {
		TRY(expression(r, 0, last));
		last = &(*last)->next;
		of->n++;
		char c = peek(r);
		if (c != ',' && c != end) return fail(r, "expected a comma or a closing bracket");
		r->at++;
		if (c == end) return OK;
	}
}

static status number(struct reader *r, struct cw_node **out)
{
	size_t from = r->at;
	while (r->at < r->text.n && (digit(r->text.p[r->at]) || r->text.p[r->at] == '.')) r->at++;
	if (r->at < r->text.n && (r->text.p[r->at] | 32) == 'e') {
		size_t back = r->at++;
		if (r->at < r->text.n && (r->text.p[r->at] == '+' || r->text.p[r->at] == '-')) r->at++;
		if (r->at >= r->text.n || !digit(r->text.p[r->at])) r->at = back;
		while (r->at < r->text.n && digit(r->text.p[r->at])) r->at++;
	}
	*out = node(r, CW_N_NUMBER);
	if (!is_ok(str_to_f64(str_sub(r->text, from, r->at - from), &(*out)->number)) || !isfinite((*out)->number))
		return fail(r, "not a number");
	return OK;
}

static status string(struct reader *r, char quote, struct cw_node **out)
{
	struct buf b = BUF_IN(r->a);
	for (r->at++; r->at < r->text.n && r->text.p[r->at] != quote; r->at++) {
		if (r->text.p[r->at] == '\\' && r->at + 1 < r->text.n &&
			(r->text.p[r->at + 1] == quote || r->text.p[r->at + 1] == '\\'))
			r->at++;
		buf_byte(&b, r->text.p[r->at]);
	}
	if (r->at >= r->text.n) return fail(r, "a string without end");
	r->at++;
	*out = node(r, CW_N_STRING);
	(*out)->text = buf_done(&b);
	return OK;
}

static status primary(struct reader *r, struct cw_node **out)
{
	char c = peek(r);
	if (digit(c) || c == '.') return number(r, out);
	if (c == '"' || c == '\'') return string(r, c, out);
	if (c == '(') {
		r->at++;
		TRY(expression(r, 0, out));
		if (peek(r) != ')') return fail(r, "expected )");
		r->at++;
		return OK;
	}
	if (c == '[') {
		r->at++;
		*out = node(r, CW_N_LIST);
		return list(r, ']', *out);
	}
	if (!letter(c)) return fail(r, c ? "unexpected character" : "unexpected end");
	size_t from = r->at;
	while (r->at < r->text.n && (letter(r->text.p[r->at]) || digit(r->text.p[r->at]))) r->at++;
	*out = node(r, CW_N_NAME);
	(*out)->text = str_sub(r->text, from, r->at - from);
	if (peek(r) != '(') return OK;
	r->at++;
	(*out)->kind = CW_N_CALL;
	return list(r, ')', *out);
}

static bool word(struct reader *r, struct str w)
{
	struct str rest = str_from(r->text, r->at);
	if (!str_istarts(rest, w) || (rest.n > w.n && (letter(rest.p[w.n]) || digit(rest.p[w.n])))) return false;
	r->at += w.n;
	return true;
}

static bool symbol(struct reader *r, struct str s)
{
	if (!str_starts(str_from(r->text, r->at), s)) return false;
	r->at += s.n;
	return true;
}

/* The operator of that level that stands here; 0 where none does. */
static char operator_at(struct reader *r, int level)
{
	char c = peek(r);
	switch (level) {
	case 0:
		return symbol(r, STR("||")) || word(r, STR("OR")) ? '|' : 0;
	case 1:
		return symbol(r, STR("&&")) || word(r, STR("AND")) ? '&' : 0;
	case 2:
		if (symbol(r, STR("=="))) return '=';
		if (symbol(r, STR("!="))) return '!';
		if (symbol(r, STR("<="))) return 'l';
		if (symbol(r, STR(">="))) return 'g';
		return symbol(r, STR("<")) ? '<' : symbol(r, STR(">")) ? '>' : 0;
	case 3:
		return (c == '+' || c == '-') && r->at++ < r->text.n ? c : 0;
	case 4:
		return (c == '*' || c == '/') && r->at++ < r->text.n ? c : 0;
	default:
		return c == '^' && r->at++ < r->text.n ? c : 0;
	}
}

static status unary(struct reader *r, struct cw_node **out)
{
	if (peek(r) != '-') return primary(r, out);
	r->at++;
	if (++r->depth > DEPTH_MAX) return fail(r, "too deeply nested");
	*out = node(r, CW_N_NEGATE);
	status s = unary(r, &(*out)->first);
	r->depth--;
	return s;
}

static status expression(struct reader *r, int level, struct cw_node **out)
{
	char op;
	if (level == 6) return unary(r, out);
	if (level == 0 && ++r->depth > DEPTH_MAX) return fail(r, "too deeply nested");
	unsigned links = 0;
	TRY(expression(r, level + 1, out));
	while ((op = operator_at(r, level))) {
		if (++links > 500) return fail(r, "too many operators");
		struct cw_node *n = node(r, CW_N_BINARY);
		n->op = op;
		n->first = *out;
		n->n = 2;
		*out = n;
		TRY(expression(r, level + 1, &n->first->next));
	}
	if (level == 0) r->depth--;
	return OK;
}

status cw_math_parse(struct arena *a, struct str text, struct cw_node **out, struct str *why)
{
	struct reader r = {.a = a, .text = text};
	status s = expression(&r, 0, out);
	if (is_ok(s) && peek(&r)) s = fail(&r, "unexpected character");
	*why = r.why;
	return s;
}
