/* The tokenizer of PartiQL: names bare or in double quotes, strings in single quotes, numbers, parameters, signs. */
#include "services/dynamodb/partiql/lexer.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* From behind the opening quote; a doubled quote is one. */
static bool quoted(struct arena *a, struct str s, size_t *at, char quote, struct str *out)
{
	char *to = arena_alloc_raw(a, s.n - *at + 1);
	size_t n = 0;
	for (size_t i = *at; i < s.n; i++) {
		if (s.p[i] != quote) {
			to[n++] = s.p[i];
			continue;
		}
		if (i + 1 < s.n && s.p[i + 1] == quote) {
			to[n++] = quote;
			i++;
			continue;
		}
		*at = i + 1;
		*out = str_n(to, n);
		return true;
	}
	return false;
}

static size_t number_end(struct str s, size_t i)
{
	while (i < s.n && is_digit(s.p[i])) i++;
	if (i + 1 < s.n && s.p[i] == '.' && is_digit(s.p[i + 1])) {
		i++;
		while (i < s.n && is_digit(s.p[i])) i++;
	}
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		size_t e = i + 1;
		if (e < s.n && (s.p[e] == '+' || s.p[e] == '-')) e++;
		if (e < s.n && is_digit(s.p[e])) {
			while (e < s.n && is_digit(s.p[e])) e++;
			i = e;
		}
	}
	return i;
}

static enum lexeme_type sign(struct str s, size_t i, bool in_set, size_t *length)
{
	char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0;
	*length = 1;
	switch (c) {
	case '(':
		return LEX_OPEN;
	case ')':
		return LEX_CLOSE;
	case '[':
		return LEX_LIST_OPEN;
	case ']':
		return LEX_LIST_CLOSE;
	case '{':
		return LEX_MAP_OPEN;
	case '}':
		return LEX_MAP_CLOSE;
	case '.':
		return LEX_DOT;
	case ',':
		return LEX_COMMA;
	case ':':
		return LEX_COLON;
	case '+':
		return LEX_PLUS;
	case '-':
		return LEX_MINUS;
	case '*':
		return LEX_STAR;
	case '?':
		return LEX_PARAMETER;
	case '=':
		return LEX_EQ;
	case '!':
		if (next != '=') return LEX_BAD;
		*length = 2;
		return LEX_NE;
	case '<':
		*length = next == '=' || next == '>' || next == '<' ? 2 : 1;
		return next == '=' ? LEX_LE : next == '>' ? LEX_NE : next == '<' ? LEX_SET_OPEN : LEX_LT;
	case '>':
		*length = next == '=' || (next == '>' && in_set) ? 2 : 1;
		return next == '=' ? LEX_GE : next == '>' && in_set ? LEX_SET_CLOSE : LEX_GT;
	default:
		return LEX_BAD;
	}
}

struct lexeme partiql_lexeme(struct arena *a, struct str s, size_t *at, bool in_set)
{
	size_t i = *at;
	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r')) i++;
	struct lexeme l = {.type = LEX_END, .at = i, .text = STR("")};
	if (i >= s.n || s.p[i] == ';') {
		*at = s.n;
		return l;
	}
	size_t end = i;
	char c = s.p[i];
	if (is_letter(c)) {
		while (end < s.n && (is_letter(s.p[end]) || is_digit(s.p[end]))) end++;
		l.type = LEX_WORD;
		l.text = str_sub(s, i, end - i);
	} else if (is_digit(c)) {
		end = number_end(s, i);
		l.type = LEX_NUMBER;
		l.text = str_sub(s, i, end - i);
	} else if (c == '\'' || c == '"') {
		end = i + 1;
		l.type = quoted(a, s, &end, c, &l.text) ? (c == '"' ? LEX_QUOTED : LEX_STRING) : LEX_BAD;
	} else {
		size_t length;
		l.type = sign(s, i, in_set, &length);
		end = i + length;
	}
	*at = end;
	return l;
}
