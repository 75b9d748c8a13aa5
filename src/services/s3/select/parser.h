/* Inside the reading of statements: words (words.c), functions (calls.c), everything else (parse.c). */
#pragma once
#include "services/s3/select/select.h"

enum token { T_END, T_WORD, T_QUOTED, T_STRING, T_NUMBER, T_SIGN };
struct parser {
	struct arena *a;
	struct str text;
	size_t at;
	enum token type;
	struct str word; /* WORD, SIGN as written; QUOTED, STRING without quotes */
	unsigned depth;
	bool in_aggregate;
	struct sel_statement *st;
	size_t n_aggregates; /* capacity */
	struct sel_error *why;
};

status sel_parse_fail(struct parser *p, const char *code, const char *message);
/* The next word into p->type and p->word. */
status sel_next_word(struct parser *p) MUST_USE;
bool sel_is_word(const struct parser *p, const char *word);
bool sel_is_sign(const struct parser *p, const char *sign);
/* Takes it where it is there. */
status sel_take(struct parser *p, bool there, bool *taken) MUST_USE;
status sel_expect_sign(struct parser *p, const char *sign) MUST_USE;
status sel_expect_word(struct parser *p, const char *word) MUST_USE;
/* The byte that many behind the word; 0 past the end. */
char sel_here(const struct parser *p, size_t ahead);

struct sel_node *sel_new_node(struct parser *p, enum sel_op op);
void sel_add_child(struct parser *p, struct sel_node *n, size_t *capacity, struct sel_node *child);
/* y may be NULL. */
struct sel_node *sel_with(struct parser *p, enum sel_op op, struct sel_node *x, struct sel_node *y);
status sel_expression(struct parser *p, struct sel_node **out) MUST_USE;
/* What follows CAST, what follows CASE, a function by its name. */
status sel_read_cast(struct parser *p, struct sel_node **out) MUST_USE;
status sel_read_case(struct parser *p, struct sel_node **out) MUST_USE;
status sel_call_function(struct parser *p, struct sel_node **out) MUST_USE;
