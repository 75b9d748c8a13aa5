/* JSON values that have no model: attributes holding JSON, templates, manifests, policies. A strict reader (RFC 8259, valid
 * UTF-8, depth of at most 64; equal names stay, json_member takes the last) into an arena, accessors that accept NULL, and
 * an escaping writer. What has a model is read by wire's table-driven readers instead. */
#pragma once
#include "base/buf.h"

enum json_type { JSON_IS_NULL, JSON_IS_BOOL, JSON_IS_NUMBER, JSON_IS_STRING, JSON_IS_ARRAY, JSON_IS_OBJECT };
struct json_value {
	enum json_type type;
	bool truth;          /* BOOL */
	struct str text;     /* STRING: unescaped; NUMBER: as written; BOOL: true, false */
	struct str name;     /* of an object's member */
	struct json_value *first, *next; /* children; siblings */
	size_t length;       /* of ARRAY, OBJECT */
	size_t at;           /* byte offset in the text, for messages */
};

/* INVALID when the text is not one JSON value; LIMIT past the depth. */
status json_read(struct arena *a, struct str text, struct json_value **out) MUST_USE;
/* The member of that name; NULL where there is none, or v is no object. */
struct json_value *json_member(const struct json_value *v, struct str name);
/* The text of a string; STR_NONE for anything else. */
struct str json_string(const struct json_value *v);
/* The text of a string, number or boolean; STR_NONE for anything else. */
struct str json_scalar(const struct json_value *v);
static inline bool json_is(const struct json_value *v, enum json_type t) { return v && v->type == t; }
static inline size_t json_length(const struct json_value *v) { return v ? v->length : 0; }

/* "…" with everything escaped that must be. */
void json_quote(struct buf *b, struct str s);
/* The value again, without white space. */
void json_write(struct buf *b, const struct json_value *v);
