/* Words of an expression. */
#pragma once
#include "services/dynamodb/expr/expr.h"

enum token_type {
	TOKEN_END,
	TOKEN_NAME /* bare */,
	TOKEN_NAME_REF /* #x */,
	TOKEN_VALUE_REF /* :x */,
	TOKEN_NUMBER,
	TOKEN_EQ,
	TOKEN_NE,
	TOKEN_LT,
	TOKEN_LE,
	TOKEN_GT,
	TOKEN_GE,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_LIST_OPEN,
	TOKEN_LIST_CLOSE,
	TOKEN_DOT,
	TOKEN_COMMA,
	TOKEN_PLUS,
	TOKEN_MINUS,
	TOKEN_BAD,
};
struct token {
	enum token_type type;
	struct str text; /* in the expression */
};
/* The token at *at, which moves behind it. */
struct token expr_token(struct str text, size_t *at);
static inline bool token_is(const struct token *t, const char *keyword)
{
	return t->type == TOKEN_NAME && str_ieq(t->text, str_c(keyword));
}
