/* The tokenizer: names, placeholders, numbers of list indexes, operators. */
#include "services/dynamodb/expr/token.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool is_word(char c)
{
	return is_letter(c) || is_digit(c) || c == '_';
}

static size_t word_end(struct str s, size_t i)
{
	while (i < s.n && is_word(s.p[i])) i++;
	return i;
}

static enum token_type operator_at(struct str s, size_t i, size_t *length)
{
	char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0;
	*length = 1;
	switch (c) {
	case '=':
		return TOKEN_EQ;
	case '(':
		return TOKEN_OPEN;
	case ')':
		return TOKEN_CLOSE;
	case '[':
		return TOKEN_LIST_OPEN;
	case ']':
		return TOKEN_LIST_CLOSE;
	case '.':
		return TOKEN_DOT;
	case ',':
		return TOKEN_COMMA;
	case '+':
		return TOKEN_PLUS;
	case '-':
		return TOKEN_MINUS;
	case '<':
		if (next != '=' && next != '>') return TOKEN_LT;
		*length = 2;
		return next == '=' ? TOKEN_LE : TOKEN_NE;
	case '>':
		if (next != '=') return TOKEN_GT;
		*length = 2;
		return TOKEN_GE;
	default:
		return TOKEN_BAD;
	}
}

struct token expr_token(struct str s, size_t *at)
{
	size_t i = *at;
	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r')) i++;
	struct token t = {TOKEN_END, STR("<EOF>")};
	size_t end = i;
	if (i < s.n) {
		char c = s.p[i];
		if (is_letter(c)) {
			t.type = TOKEN_NAME;
			end = word_end(s, i);
		} else if (is_digit(c)) {
			t.type = TOKEN_NUMBER;
			while (end < s.n && is_digit(s.p[end])) end++;
		} else if (c == '#' || c == ':') {
			end = word_end(s, i + 1);
			t.type = end == i + 1 ? TOKEN_BAD : c == '#' ? TOKEN_NAME_REF : TOKEN_VALUE_REF;
		} else {
			size_t length;
			t.type = operator_at(s, i, &length);
			end = i + length;
			/* A message names whole characters. */
			while (t.type == TOKEN_BAD && end < s.n && ((unsigned char)s.p[end] & 0xc0) == 0x80) end++;
		}
		t.text = str_sub(s, i, end - i);
	}
	*at = end;
	return t;
}
