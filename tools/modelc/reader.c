/* The grammar of the model language: one function per kind of declaration. Line-based and without recursion, so depth
 * needs no limit; sizes are bounded by MODEL_BYTES_MAX and by the 16-bit indices that check.c watches over. */
#include "modelc/reader.h"
#include "base/vec.h"
#include "modelc/attributes.h"
#include "modelc/words.h"

/* What the indented lines that follow belong to. */
enum belongs { TO_NOTHING, TO_SERVICE, TO_OP, TO_STRUCT, TO_RECORD, TO_STRING };

struct reader {
	struct model *m;
	bool overlay;
	enum belongs to;
	bool extending; /* an older struct or operation */
	struct shape *shape;
	struct op *op;
	struct line line;
};

static bool fail_word(struct reader *r, const char *what, struct str word)
{
	return model_fail(r->m, r->line.at, "%s: %.*s", what, STR_ARG(word));
}

static bool plain_words(struct reader *r, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (i >= r->line.n) return model_fail(r->m, r->line.at, "a word is missing");
		if (str_has(r->line.words[i].value)) return fail_word(r, "a value is not expected here", r->line.words[i].name);
		if (!r->line.words[i].name.n) return model_fail(r->m, r->line.at, "an empty name");
	}
	return true;
}

/* Letters, digits and what AWS's names hold besides; so that a name always becomes a C name. */
static bool good_name(struct reader *r, struct str s)
{
	if (s.n > 200) return model_fail(r->m, r->line.at, "a name of more than 200 characters");
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		bool later = (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
		if (!letter && !(i && later)) return fail_word(r, "not a name", s);
	}
	return s.n > 0 || model_fail(r->m, r->line.at, "an empty name");
}

/* ── service ── */

static bool service_line(struct reader *r)
{
	struct model *m = r->m;
	struct line *l = &r->line;
	struct str key = l->words[0].name;
	if (!plain_words(r, 0, l->n)) return false;
	if (str_is(key, "query-compatible") && l->n == 1) {
		m->query_compatible = true;
		return true;
	}
	if (str_is(key, "protocols") && l->n > 1) {
		m->protocols = 0;
		for (size_t i = 1; i < l->n; i++) {
			uint32_t p = protocol_from(l->words[i].name);
			if (!p) return fail_word(r, "unknown protocol", l->words[i].name);
			if (i == 1) m->protocol = p;
			m->protocols |= p;
		}
		return true;
	}
	struct {
		struct str key;
		struct str *to;
	} lines[] = {
		{STR("id"), &m->id}, {STR("endpoint"), &m->endpoint}, {STR("signing"), &m->signing},
		{STR("target"), &m->target}, {STR("version"), &m->version}, {STR("xmlns"), &m->xmlns},
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		if (!str_eq(key, lines[i].key)) continue;
		if (l->n != 2) return fail_word(r, "one word must follow", key);
		*lines[i].to = l->words[1].name;
		return true;
	}
	return fail_word(r, "unknown line of a service", key);
}

static bool service(struct reader *r)
{
	struct model *m = r->m;
	struct line *l = &r->line;
	if (!plain_words(r, 1, l->n) || l->n < 2 || l->n > 3) return model_fail(m, l->at, "service NAME \"TITLE\"");
	if (m->state) return model_fail(m, l->at, "records have no service line");
	if (!good_name(r, l->words[1].name)) return false;
	if (str_has(m->name) && !r->overlay) return model_fail(m, l->at, "a second service line");
	if (str_has(m->name) && !str_eq(m->name, l->words[1].name))
		return model_fail(m, l->at, "the overlay is of another service than its model");
	m->name = l->words[1].name;
	m->at = l->at;
	if (l->n == 3) m->title = l->words[2].name;
	r->to = TO_SERVICE;
	return true;
}

/* ── operations ── */

static bool op_line(struct reader *r)
{
	struct model *m = r->m;
	struct line *l = &r->line;
	struct op *op = r->op;
	struct str key = l->words[0].name;
	if (!plain_words(r, 0, 2)) return false;
	if (str_is(key, "in")) {
		op->in_shape = l->words[1].name;
		return attributes_in(m, l, 2, op);
	}
	if (str_is(key, "out")) {
		op->out_shape = l->words[1].name;
		return attributes_out(m, l, 2, op);
	}
	if (!plain_words(r, 1, l->n)) return false;
	if (str_is(key, "err")) {
		for (size_t i = 1; i < l->n; i++)
			*VEC_PUSH(&m->arena, &op->errors, &op->errors_capacity) = l->words[i].name;
		return true;
	}
	if (str_is(key, "flags")) {
		for (size_t i = 1; i < l->n; i++)
			if (!op_flag(op, l->words[i].name)) return fail_word(r, "unknown flag", l->words[i].name);
		return true;
	}
	return fail_word(r, "unknown line of an operation", key);
}

static bool operation(struct reader *r)
{
	struct model *m = r->m;
	struct line *l = &r->line;
	if (m->state) return model_fail(m, l->at, "records have no operations");
	if (!plain_words(r, 1, 2) || !good_name(r, l->words[1].name)) return false;
	struct op *op = map_get(&m->op_names, l->words[1].name);
	if (op && !r->overlay) return fail_word(r, "declared twice", op->name);
	if (!op) {
		op = arena_new(&m->arena, struct op);
		*VEC_PUSH(&m->arena, &m->ops, &m->ops_capacity) = op;
		(void)map_set(&m->op_names, l->words[1].name, op);
	}
	*op = (struct op){.at = l->at, .name = l->words[1].name, .uri = STR("/"), .method = WIRE_POST, .code = 200};
	r->op = op;
	r->to = TO_OP;
	size_t next = 2;
	if (l->n > 2 && !str_has(l->words[2].value)) {
		if (!plain_words(r, 2, 4)) return false;
		op->method = method_from(l->words[2].name);
		op->uri = l->words[3].name;
		if (op->method == WIRE_METHOD_OTHER) return fail_word(r, "unknown method", l->words[2].name);
		if (op->uri.p[0] != '/') return fail_word(r, "a URI begins with /", op->uri);
		next = 4;
	}
	return attributes_op(m, l, next, op);
}

/* ── shapes ── */

/* A fresh shape of that name, in the place of the older one in an overlay. */
static struct shape *declare(struct reader *r, enum wire_kind kind)
{
	struct model *m = r->m;
	if (!plain_words(r, 1, 2)) return NULL;
	struct str name = r->line.words[1].name;
	if (!good_name(r, name)) return NULL;
	struct shape *s = map_get(&m->shape_names, name);
	if (s && !r->overlay) {
		fail_word(r, "declared twice", name);
		return NULL;
	}
	if (!s) {
		s = arena_new(&m->arena, struct shape);
		*VEC_PUSH(&m->arena, &m->shapes, &m->shapes_capacity) = s;
		(void)map_set(&m->shape_names, name, s);
	}
	*s = (struct shape){.at = r->line.at, .name = name, .kind = kind, .status = 400};
	r->shape = s;
	return s;
}

static struct member *add_member(struct reader *r, struct shape *s, struct str name, struct str shape)
{
	struct member *d = VEC_PUSH(&r->m->arena, &s->members, &s->members_capacity);
	d->at = r->line.at;
	d->name = name;
	d->shape_name = shape;
	return d;
}

static bool structure(struct reader *r)
{
	struct shape *s = declare(r, WIRE_STRUCT);
	r->to = TO_STRUCT;
	return s && attributes_struct(r->m, &r->line, 2, s);
}

static bool record(struct reader *r)
{
	if (!r->m->state) return model_fail(r->m, r->line.at, "records belong in a state.model");
	struct shape *s = declare(r, WIRE_STRUCT);
	if (!s) return false;
	s->record = true;
	r->to = TO_RECORD;
	return r->line.n == 2 || fail_word(r, "unknown attribute of a record", r->line.words[2].name);
}

static bool list(struct reader *r)
{
	struct shape *s = declare(r, WIRE_LIST);
	if (!s || !plain_words(r, 2, 3)) return false;
	struct member *element = add_member(r, s, STR("member"), r->line.words[2].name);
	return attributes_list(r->m, &r->line, 3, s, element);
}

static bool map_shape(struct reader *r)
{
	struct shape *s = declare(r, WIRE_MAP);
	if (!s || !plain_words(r, 2, 4)) return false;
	add_member(r, s, STR("key"), r->line.words[2].name);
	add_member(r, s, STR("value"), r->line.words[3].name);
	return attributes_map(r->m, &r->line, 4, s);
}

static bool scalar(struct reader *r, enum wire_kind kind, bool is_float)
{
	struct shape *s = declare(r, kind);
	if (!s) return false;
	s->is_float = is_float;
	if (kind == WIRE_STRING) r->to = TO_STRING;
	return attributes_scalar(r->m, &r->line, 2, s);
}

static struct member *find_member(struct shape *s, struct str name)
{
	for (size_t i = 0; i < s->members.n; i++)
		if (str_eq(s->members.v[i].name, name)) return &s->members.v[i];
	return NULL;
}

/* Where a struct is extended, a member that it has already is told anew, in its old place. */
static bool member_line(struct reader *r)
{
	struct line *l = &r->line;
	size_t at = 0;
	uint64_t number = 0;
	if (r->m->state) {
		if (!plain_words(r, 0, 3)) return false;
		if (!is_ok(str_to_u64(l->words[0].name, &number)) || !number || number > 0xffff)
			return fail_word(r, "a field's number is from 1 to 65535", l->words[0].name);
		at = 1;
	}
	if (!plain_words(r, at, at + 2) || !good_name(r, l->words[at].name)) return false;
	if (r->shape->members.n == 4000) return model_fail(r->m, l->at, "more than 4000 members: offsets have 16 bits");
	struct member *d = r->extending ? find_member(r->shape, l->words[at].name) : NULL;
	if (d)
		*d = (struct member){.at = l->at, .name = d->name, .shape_name = l->words[at + 1].name};
	else
		d = add_member(r, r->shape, l->words[at].name, l->words[at + 1].name);
	d->number = (uint32_t)number;
	if (r->m->state) return l->n == 3 || fail_word(r, "unknown attribute of a field", l->words[3].name);
	return attributes_member(r->m, l, 2, d);
}

static bool enum_line(struct reader *r)
{
	struct line *l = &r->line;
	if (!str_is(l->words[0].name, "enum")) return fail_word(r, "unknown line of a string", l->words[0].name);
	for (size_t i = 0; i < l->n; i++) {
		if (str_has(l->words[i].value)) return fail_word(r, "a word with '=' needs quotes", l->words[i].name);
		if (i) *VEC_PUSH(&r->m->arena, &r->shape->enums, &r->shape->enums_capacity) = l->words[i].name;
	}
	return true;
}

/* ── errors without members ── */

/* In an overlay, an error that the model has as a shape gets its status and codes from here. */
static bool error(struct reader *r)
{
	struct model *m = r->m;
	struct line *l = &r->line;
	uint64_t http = 0;
	if (!plain_words(r, 1, 3) || !good_name(r, l->words[1].name)) return false;
	if (!is_ok(str_to_u64(l->words[2].name, &http)) || http < 300 || http > 599)
		return fail_word(r, "an error's status is from 300 to 599", l->words[2].name);
	struct str name = l->words[1].name, code = STR_NONE, query_code = STR_NONE;
	if (!attributes_error(m, l, 3, &code, &query_code)) return false;
	struct shape *s = map_get(&m->shape_names, name);
	if (s && (s->flags & WIRE_S_EXCEPTION)) {
		if (!r->overlay) return fail_word(r, "declared twice", name);
		s->status = (uint16_t)http;
		if (str_has(code)) s->code = code;
		if (str_has(query_code)) s->query_code = query_code;
		return true;
	}
	struct error *e = NULL;
	for (size_t i = 0; i < m->errors.n && !e; i++)
		if (str_eq(m->errors.v[i]->name, name)) e = m->errors.v[i];
	if (e && !r->overlay) return fail_word(r, "declared twice", name);
	if (!e) {
		e = arena_new(&m->arena, struct error);
		*VEC_PUSH(&m->arena, &m->errors, &m->errors_capacity) = e;
	}
	*e = (struct error){.at = l->at, .name = name, .code = code, .query_code = query_code, .status = (uint16_t)http};
	return true;
}

/* ── overlays ── */

static bool extend(struct reader *r)
{
	struct line *l = &r->line;
	if (!r->overlay) return model_fail(r->m, l->at, "only an overlay extends");
	if (!plain_words(r, 1, 3)) return false;
	r->extending = true;
	if (str_is(l->words[1].name, "struct")) {
		r->shape = map_get(&r->m->shape_names, l->words[2].name);
		if (!r->shape || r->shape->kind != WIRE_STRUCT) return fail_word(r, "no such struct", l->words[2].name);
		r->to = TO_STRUCT;
		return attributes_struct(r->m, l, 3, r->shape);
	}
	if (!str_is(l->words[1].name, "op")) return fail_word(r, "neither struct nor op", l->words[1].name);
	r->op = map_get(&r->m->op_names, l->words[2].name);
	if (!r->op) return fail_word(r, "no such operation", l->words[2].name);
	r->to = TO_OP;
	return attributes_op(r->m, l, 3, r->op);
}

static bool drop(struct reader *r)
{
	struct model *m = r->m;
	struct line *l = &r->line;
	if (!r->overlay) return model_fail(m, l->at, "only an overlay drops");
	if (!plain_words(r, 1, 2) || l->n != 2) return model_fail(m, l->at, "drop NAME");
	struct str name = l->words[1].name;
	struct op *op = map_remove(&m->op_names, name);
	for (size_t i = 0; op && i < m->ops.n; i++)
		if (m->ops.v[i] == op) m->ops.v[i] = m->ops.v[--m->ops.n];
	struct shape *s = map_remove(&m->shape_names, name);
	for (size_t i = 0; s && i < m->shapes.n; i++)
		if (m->shapes.v[i] == s) m->shapes.v[i] = m->shapes.v[--m->shapes.n];
	return op || s || fail_word(r, "nothing to drop", name);
}

/* ── lines ── */

static bool declaration(struct reader *r)
{
	struct word *w = &r->line.words[0];
	if (str_has(w->value)) return fail_word(r, "unknown declaration", w->name);
	r->to = TO_NOTHING;
	r->extending = false;
	static const struct {
		const char *word;
		bool (*read)(struct reader *r);
	} declarations[] = {
		{"service", service}, {"op", operation}, {"struct", structure}, {"record", record}, {"list", list},
		{"map", map_shape}, {"error", error}, {"extend", extend}, {"drop", drop},
	};
	for (size_t i = 0; i < sizeof declarations / sizeof *declarations; i++)
		if (str_eq(w->name, str_c(declarations[i].word))) return declarations[i].read(r);
	static const struct {
		const char *word;
		enum wire_kind kind;
		bool is_float;
	} scalars[] = {
		{"string", WIRE_STRING, false}, {"integer", WIRE_I32, false}, {"long", WIRE_I64, false},
		{"float", WIRE_F32, true}, {"double", WIRE_F64, true}, {"boolean", WIRE_BOOL, false},
		{"blob", WIRE_BLOB, false}, {"timestamp", WIRE_TIME, false}, {"document", WIRE_DOCUMENT, false},
	};
	for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
		if (str_eq(w->name, str_c(scalars[i].word))) return scalar(r, scalars[i].kind, scalars[i].is_float);
	return fail_word(r, "unknown declaration", w->name);
}

static bool belonging(struct reader *r)
{
	switch (r->to) {
	case TO_SERVICE: return service_line(r);
	case TO_OP: return op_line(r);
	case TO_STRUCT:
	case TO_RECORD: return member_line(r);
	case TO_STRING: return enum_line(r);
	case TO_NOTHING: break;
	}
	return model_fail(r->m, r->line.at, "the declaration before has no lines of its own");
}

bool model_read(struct model *m, const char *file, struct str text, bool overlay)
{
	struct place at = {file, 0};
	if (text.n > MODEL_BYTES_MAX) return model_fail(m, at, "more than %d bytes", MODEL_BYTES_MAX);
	struct reader *r = arena_new(&m->arena, struct reader);
	r->m = m;
	r->overlay = overlay;
	if (!m->at.file) m->at = (struct place){file, 1};
	while (text.n) {
		at.line++;
		struct str line = text;
		ptrdiff_t end = str_chr(text, '\n');
		if (end >= 0) line = str_sub(text, 0, (size_t)end);
		text = str_from(text, end >= 0 ? (size_t)end + 1 : text.n);
		if (!line_cut(m, at, line, &r->line)) return false;
		if (!r->line.n) continue;
		if (!(r->line.indented ? belonging(r) : declaration(r))) return false;
	}
	return true;
}
