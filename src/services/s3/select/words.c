/* The words of a statement, and the nodes that are made of them. */
#include "services/s3/select/parser.h"

status sel_parse_fail(struct parser *p, const char *code, const char *message)
{
	if (!str_has(p->why->code)) *p->why = (struct sel_error){str_c(code), str_c(message)};
	return STATUS(FAILED);
}

/* ── words ── */

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

char sel_here(const struct parser *p, size_t ahead)
{
	return p->at + ahead < p->text.n ? p->text.p[p->at + ahead] : 0;
}

/* '…' or "…": a doubled quote stands for one. */
static status read_quoted(struct parser *p, char quote)
{
	struct buf b = BUF_IN(p->a);
	for (p->at++; p->at < p->text.n; p->at++) {
		if (p->text.p[p->at] != quote) {
			buf_byte(&b, p->text.p[p->at]);
		} else if (sel_here(p, 1) == quote) {
			buf_byte(&b, quote);
			p->at++;
		} else {
			p->at++;
			p->word = buf_done(&b);
			p->type = quote == '\'' ? T_STRING : T_QUOTED;
			return OK;
		}
	}
	return sel_parse_fail(p, "LexerInvalidLiteral", "The SQL expression contains a literal that is not closed.");
}

static status read_number(struct parser *p)
{
	size_t from = p->at;
	while (is_digit(sel_here(p, 0))) p->at++;
	if (sel_here(p, 0) == '.' && is_digit(sel_here(p, 1))) {
		p->at++;
		while (is_digit(sel_here(p, 0))) p->at++;
	} else if (sel_here(p, 0) == '.' && !is_alpha(sel_here(p, 1))) {
		p->at++;
	}
	if (sel_here(p, 0) == 'e' || sel_here(p, 0) == 'E') {
		size_t sign = sel_here(p, 1) == '+' || sel_here(p, 1) == '-' ? 2 : 1;
		if (is_digit(sel_here(p, sign))) {
			p->at += sign;
			while (is_digit(sel_here(p, 0))) p->at++;
		}
	}
	if (is_alpha(sel_here(p, 0)))
		return sel_parse_fail(p, "LexerInvalidChar", "The SQL expression contains an invalid character.");
	p->type = T_NUMBER;
	p->word = str_sub(p->text, from, p->at - from);
	return OK;
}

status sel_next_word(struct parser *p)
{
	for (;;) {
		char c = sel_here(p, 0);
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			p->at++;
		} else if (c == '-' && sel_here(p, 1) == '-') {
			while (p->at < p->text.n && sel_here(p, 0) != '\n') p->at++;
		} else {
			break;
		}
	}
	if (p->at >= p->text.n) {
		p->type = T_END;
		p->word = STR("");
		return OK;
	}
	char c = sel_here(p, 0);
	size_t from = p->at;
	if (c == '\'' || c == '"') return read_quoted(p, c);
	if (is_digit(c) || (c == '.' && is_digit(sel_here(p, 1)))) return read_number(p);
	if (is_alpha(c)) {
		while (is_alpha(sel_here(p, 0)) || is_digit(sel_here(p, 0))) p->at++;
		p->type = T_WORD;
		p->word = str_sub(p->text, from, p->at - from);
		return OK;
	}
	static const char *const two[] = {"<=", ">=", "<>", "!=", "||"};
	for (size_t i = 0; i < sizeof two / sizeof *two; i++)
		if (c == two[i][0] && sel_here(p, 1) == two[i][1]) {
			p->at += 2;
			p->type = T_SIGN;
			p->word = str_c(two[i]);
			return OK;
		}
	if (str_chr(STR("=<>+-*/%(),.[];"), c) < 0)
		return sel_parse_fail(p, "LexerInvalidChar", "The SQL expression contains an invalid character.");
	p->at++;
	p->type = T_SIGN;
	p->word = str_sub(p->text, from, 1);
	return OK;
}

bool sel_is_word(const struct parser *p, const char *word)
{
	return p->type == T_WORD && str_ieq(p->word, str_c(word));
}
bool sel_is_sign(const struct parser *p, const char *sign)
{
	return p->type == T_SIGN && str_eq(p->word, str_c(sign));
}

status sel_take(struct parser *p, bool there, bool *taken)
{
	*taken = there;
	return there ? sel_next_word(p) : OK;
}

status sel_expect_sign(struct parser *p, const char *sign)
{
	if (sel_is_sign(p, sign)) return sel_next_word(p);
	if (*sign == '(')
		return sel_parse_fail(p, "ParseExpectedLeftParenAfterCast",
			"Did not find the expected left parenthesis in the SQL expression.");
	if (*sign == ')')
		return sel_parse_fail(p, "ParseExpectedRightParenBuiltinFunctionCall",
			"Did not find the expected right parenthesis in the SQL expression.");
	return sel_parse_fail(p, "ParseExpectedTokenType", "Did not find the expected token in the SQL expression.");
}

status sel_expect_word(struct parser *p, const char *word)
{
	if (sel_is_word(p, word)) return sel_next_word(p);
	return sel_parse_fail(p, "ParseExpectedKeyword", "Did not find the expected keyword in the SQL expression.");
}

/* ── nodes ── */

struct sel_node *sel_new_node(struct parser *p, enum sel_op op)
{
	struct sel_node *n = arena_new(p->a, struct sel_node);
	n->op = op;
	return n;
}

void sel_add_child(struct parser *p, struct sel_node *n, size_t *capacity, struct sel_node *child)
{
	struct {
		struct sel_node **v;
		size_t n;
	} list = {n->v, n->n};
	*VEC_PUSH(p->a, &list, capacity) = child;
	n->v = list.v;
	n->n = list.n;
	if (child->height >= n->height) n->height = child->height + 1;
}

struct sel_node *sel_with(struct parser *p, enum sel_op op, struct sel_node *x, struct sel_node *y)
{
	struct sel_node *n = sel_new_node(p, op);
	size_t capacity = 0;
	sel_add_child(p, n, &capacity, x);
	if (y) sel_add_child(p, n, &capacity, y);
	return n;
}
