/* What the files of wire share: access to the tables, scalars, times, and the readers and writers of each body format.
 * Not for other rooms; tests of wire include it too. */
#pragma once
#include "base/buf.h"
#include "wire/wire.h"

#define WIRE_XML_DEPTH 64
#define WIRE_JSON_DEPTH 100
#define WIRE_DOCUMENT_DEPTH 128
#define WIRE_CBOR_DEPTH 100
#define WIRE_QUERY_DEPTH 64
#define WIRE_ARENA_SIZE ((size_t)256 << 20)

static inline const struct wire_extra *wire_extra_of(const struct wire_tables *t, const struct wire_member *m)
{
	uint32_t i = m->bits >> WIRE_M_EXTRA;
	return i ? &t->extras[i] : NULL;
}
static inline bool wire_is_flattened(const struct wire_tables *t, const struct wire_member *m)
{
	return (m->bits & WIRE_M_FLATTENED) || (t->shapes[m->shape].flags & WIRE_S_FLATTENED);
}
/* The format that the member, else its shape, asks for; else `otherwise` (the protocol's own for that place). */
static inline enum wire_time_format wire_time_format_of(
	const struct wire_tables *t, const struct wire_member *m, enum wire_time_format otherwise)
{
	enum wire_time_format f = m ? WIRE_TIME_FORMAT(m) : WIRE_TIME_DEFAULT;
	if (f == WIRE_TIME_DEFAULT && m) f = (enum wire_time_format)t->shapes[m->shape].time_format;
	return f == WIRE_TIME_DEFAULT ? otherwise : f;
}
/* A struct's member by wire name: *hint (a member index; the one expected next) is tried first and then set to the one
 * behind the found. NULL where there is none. */
const struct wire_member *wire_member_find(
	const struct wire_tables *t, const struct wire_shape *s, struct str name, uint32_t *hint);
/* Where a slot tells that it is set: the offset of its `has`; 0: it begins with a pointer. */
static const unsigned char wire_presence[WIRE_EVENTS + 1] = {
	[WIRE_BOOL] = offsetof(struct opt_bool, has),
	[WIRE_I32] = offsetof(struct opt_i32, has),
	[WIRE_I64] = offsetof(struct opt_i64, has),
	[WIRE_F32] = offsetof(struct opt_f64, has),
	[WIRE_F64] = offsetof(struct opt_f64, has),
	[WIRE_TIME] = offsetof(struct opt_time, has),
};
/* Has a request's arena grown past what any real request needs? A body of "{},{},…" takes a struct per three bytes. */
static inline bool wire_is_over(const struct arena *a)
{
	return a->total > WIRE_ARENA_SIZE;
}
/* Is the slot unset? `pointer`: a STRUCT slot holds a pointer (struct member, sparse element), not the struct itself.
 */
static inline bool wire_is_absent(const struct wire_shape *s, const void *slot, bool pointer)
{
	unsigned at = wire_presence[s->kind];
	if (at) return !*((const bool *)slot + at);
	if (!pointer && s->kind == WIRE_STRUCT) return false;
	return *(void *const *)slot == NULL;
}
/* Does a list or map of this shape hold pointers to structs? */
static inline bool wire_holds_pointers(const struct wire_shape *s)
{
	return (s->flags & WIRE_S_SPARSE) != 0;
}
static inline void *wire_element(const struct wire_shape *list, const void *v, size_t i)
{
	return (char *)(uintptr_t)v + i * list->size;
}
/* The struct that a STRUCT slot holds; NULL where the pointer is. */
static inline void *wire_struct_in(const void *slot, bool pointer)
{
	return pointer ? *(void *const *)slot : (void *)(uintptr_t)slot;
}
/* The struct to read into: allocated where the slot holds a pointer, cleared where it holds the struct itself. */
void *wire_struct_for(struct arena *a, const struct wire_shape *s, void *slot, bool pointer);
/* Appends a zeroed element to a list or map; doubles, so that appending stays linear. *capacity begins at 0. */
void *wire_append(struct arena *a, const struct wire_shape *s, struct wire_list *l, size_t *capacity);
/* Without white space at either end, line breaks too. */
struct str wire_trim(struct str s);
bool wire_op_is(const struct wire_match *m, struct str service, struct str op);
const struct wire_op *wire_op_find(const struct wire_tables *t, struct str name);

/* Scalars as text: URI labels, query strings, headers, XML, form bodies. Blobs are base64. INVALID for malformed text;
 * STRING must be UTF-8. Not for STRUCT, LIST, MAP. */
status wire_scalar_read(struct arena *a, const struct wire_shape *s, struct str text, void *slot) MUST_USE;
/* Unescaped text of a present scalar. `millis`: ISO 8601 times always carry milliseconds (S3, EC2). */
void wire_scalar_write(
	struct buf *b, const struct wire_shape *s, enum wire_time_format f, bool millis, const void *slot);

/* Milliseconds since the epoch from ISO 8601 (offsets too), RFC 9110's IMF-fixdate, or decimal seconds, told apart by
 * their look. INVALID for anything else and for years past 9999. */
status wire_time_read(struct str text, int64_t *ms) MUST_USE;
void wire_time_write(struct buf *b, enum wire_time_format f, bool millis, int64_t ms);

/* Whole bodies. `shape` is that of the value at the top (a struct, or any payload). Messages of failures are AWS's
 * kind. */
status wire_json_read(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str body, void *slot,
	bool pointer, struct str *message) MUST_USE;
/* Is it one JSON text (RFC 8259)? depth is the limit of nesting. */
bool wire_json_valid(struct str text, int depth);
/* The value behind `slot`; members that are not in the body are left out. */
void wire_json_write(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *slot, bool pointer);
void wire_json_string(struct buf *b, struct str s);
/* Body members of a struct, as `"a":1,"b":2` without braces; *comma: whether one is due before the first. */
void wire_json_members(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *p, bool *comma);

/* json11 in CBOR, as AWS's SDKs of Java and C++ ask Kinesis: a request's protocol (wire_match.protocol), never a model's. */
#define WIRE_AWS_CBOR ((enum wire_protocol)(WIRE_CBOR | WIRE_JSON11))
/* millis: timestamps are milliseconds, as in AWS's own CBOR; else seconds, as in Smithy's. */
status wire_cbor_read(struct arena *a, const struct wire_tables *t, uint16_t shape, bool millis, struct str body, void *in,
	struct str *message) MUST_USE;
void wire_cbor_write(struct buf *b, const struct wire_tables *t, uint16_t shape, bool millis, const void *out);
void wire_cbor_text(struct buf *b, struct str s);
void wire_cbor_members(struct buf *b, const struct wire_tables *t, uint16_t shape, bool millis, const void *p);

/* in: struct of `shape`. Pairs of Action and Version are ignored as unknown members are. */
status wire_query_read(struct arena *a, const struct wire_tables *t, uint16_t shape, bool ec2, struct str query,
	struct str body, void *in, struct str *message) MUST_USE;

/* The document's root element is the struct (whatever its name is), or for other payloads holds the value. */
status wire_xml_read(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str body, void *slot,
	bool pointer, struct str *message) MUST_USE;
struct wire_xml_style {
	bool query;  /* names of the query protocol: extra.query_name goes before the wire name */
	bool millis; /* times always carry milliseconds */
};
void wire_xml_text(struct buf *b, struct str s);
void wire_xml_attribute(struct buf *b, struct str s);
void wire_xml_open(struct buf *b, struct str name, struct str xmlns);
/* Opens an element that holds a struct: with its shape's and `m`'s namespace, and those members that are attributes. m
 * and s may be NULL; xmlns is for an element whose model names none. */
void wire_xml_open_struct(struct buf *b, const struct wire_tables *t, const struct wire_member *m, struct str name,
	const struct wire_shape *s, const void *p, struct str xmlns);
void wire_xml_close(struct buf *b, struct str name);
void wire_xml_leaf(struct buf *b, struct str name, struct str text);
/* The struct's members in the body as elements. */
void wire_xml_members(
	struct buf *b, const struct wire_tables *t, struct wire_xml_style style, uint16_t shape, const void *p);
/* One element with its attributes and content. `m` gives name, namespace and formats. */
void wire_xml_element(struct buf *b, const struct wire_tables *t, struct wire_xml_style style,
	const struct wire_member *m, struct str name, const void *slot, bool pointer);

/* URI template ("/{Bucket}/{Key+}?tagging&list-type=2") against a raw path and query string. Labels go to out->labels.
 * Returns -1 for no match, else how specific: literal query keys above literal bytes of the path. */
int wire_uri_match(struct str uri, struct str path, struct str query, uint64_t keys, struct wire_match *out);
/* A set of the query string's keys, by first letter and length: says quickly which templates cannot match. */
uint64_t wire_query_keys(struct str query);
/* The first value of a raw query string's key, still encoded; STR_NONE where absent, empty for a bare key. */
struct str wire_query_raw(struct str query, struct str key);

/* The rest protocols' HTTP side of the input: labels, query string, headers. And the body's, through the readers above.
 */
status wire_rest_read(struct arena *a, const struct wire_match *m, const struct wire_request *r, void *in,
	struct wire_failure *why) MUST_USE;
/* Headers and status of an output or of an error's modelled members. */
void wire_rest_write_headers(
	struct arena *a, const struct wire_tables *t, uint16_t shape, const void *out, struct wire_response *response);
void wire_rest_write(struct arena *a, const struct wire_match *m, const void *out, struct wire_response *response);
bool wire_has_body_members(const struct wire_tables *t, const struct wire_shape *s);
/* Is the member in an output's body? Labels and query strings are of inputs alone: there such members are the body's.
 */
static inline bool wire_in_response_body(const struct wire_member *m)
{
	enum wire_location at = WIRE_LOCATION(m);
	return at == WIRE_IN_BODY || at == WIRE_IN_URI || at == WIRE_IN_QUERY;
}
void wire_add_header(struct wire_response *r, struct str name, struct str value);

/* Finds the operation of one service by method, path, query and headers (rest protocols). */
bool wire_route_rest(const struct wire_service *s, const struct wire_request *r, struct wire_match *out);

static inline status wire_fail(struct wire_failure *why, error_id id, struct str message)
{
	why->id = id;
	why->code = STR_NONE;
	why->message = message;
	return STATUS(FAILED);
}
