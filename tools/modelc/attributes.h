/* The attributes (`name` or `name=value`) that end a line of the model language, and its small vocabularies. */
#pragma once
#include "modelc/words.h"

/* Each reads the line's words from `from` on into what is given; false after model_fail() for an attribute that has no
 * place there, lacks its value or has one too many. */
bool attributes_op(struct model *m, const struct line *l, size_t from, struct op *op);
bool attributes_in(struct model *m, const struct line *l, size_t from, struct op *op);
bool attributes_out(struct model *m, const struct line *l, size_t from, struct op *op);
bool attributes_struct(struct model *m, const struct line *l, size_t from, struct shape *s);
bool attributes_list(struct model *m, const struct line *l, size_t from, struct shape *s, struct member *element);
bool attributes_map(struct model *m, const struct line *l, size_t from, struct shape *s);
bool attributes_scalar(struct model *m, const struct line *l, size_t from, struct shape *s);
bool attributes_member(struct model *m, const struct line *l, size_t from, struct member *d);
bool attributes_error(struct model *m, const struct line *l, size_t from, struct str *code, struct str *query_code);

/* enum wire_protocol; 0 for an unknown word. */
uint32_t protocol_from(struct str word);
/* WIRE_METHOD_OTHER for an unknown word. */
uint8_t method_from(struct str word);
/* False for an unknown flag. */
bool op_flag(struct op *op, struct str word);
