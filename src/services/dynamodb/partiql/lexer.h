/* Words of a PartiQL statement. */
#pragma once
#include "services/dynamodb/partiql/partiql.h"

enum lexeme_type {
	LEX_END,
	LEX_WORD,
	LEX_QUOTED /* "name" */,
	LEX_STRING,
	LEX_NUMBER,
	LEX_PARAMETER,
	LEX_EQ,
	LEX_NE,
	LEX_LT,
	LEX_LE,
	LEX_GT,
	LEX_GE,
	LEX_OPEN,
	LEX_CLOSE,
	LEX_LIST_OPEN,
	LEX_LIST_CLOSE,
	LEX_MAP_OPEN,
	LEX_MAP_CLOSE,
	LEX_SET_OPEN,
	LEX_SET_CLOSE,
	LEX_DOT,
	LEX_COMMA,
	LEX_COLON,
	LEX_PLUS,
	LEX_MINUS,
	LEX_STAR,
	LEX_BAD,
};
struct lexeme {
	enum lexeme_type type;
	struct str text; /* of WORD, NUMBER; of QUOTED and STRING without quotes, doubled ones made single */
	size_t at;
};
/* set_ends: whether '>>' closes a set here (else it is two signs). */
struct lexeme partiql_lexeme(struct arena *a, struct str text, size_t *at, bool in_set);
