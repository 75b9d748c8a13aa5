/* The C face of a service: typed structs in the memory form that wire/desc.h tells, one prototype per operation. */
#include "modelc/emit.h"
#include "modelc/layout.h"

static void emit_sequence(const struct shape *s, struct arena *scratch, struct buf *out)
{
	if (s->kind == WIRE_LIST) {
		struct str element = layout_element(scratch, s, s->members.v[0].shape);
		buf_fmt(out, "struct %.*s { %.*s*v; size_t n; };\n", STR_ARG(s->c_name), STR_ARG(element));
	} else {
		buf_fmt(out, "struct %.*s { struct %.*s *v; size_t n; };\n", STR_ARG(s->c_name), STR_ARG(s->c_entry));
	}
}

static void emit_struct(const struct shape *s, struct arena *scratch, struct buf *out)
{
	buf_fmt(out, "struct %.*s {\n", STR_ARG(s->c_name));
	for (size_t i = 0; i < s->members.n; i++) {
		const struct member *d = &s->members.v[i];
		struct str type = layout_member(scratch, d->shape);
		buf_fmt(out, "\t%.*s%.*s;\n", STR_ARG(type), STR_ARG(d->c_name));
	}
	/* An empty struct has no size in GNU C, and arrays of it no distinct elements. */
	if (!s->members.n) buf_lit(out, "\tchar none;\n");
	buf_lit(out, "};\n");
}

static void emit_entry(const struct shape *s, struct arena *scratch, struct buf *out)
{
	struct str value = layout_element(scratch, s, s->members.v[1].shape);
	buf_fmt(out, "struct %.*s { struct str key; %.*svalue; };\n", STR_ARG(s->c_entry), STR_ARG(value));
}

/* Lists and maps hold pointers, so they come first; then structs, which hold lists and maps by value; then the entries
 * of maps, which hold anything by value. No other order is needed. */
void emit_types(const struct model *m, struct buf *out)
{
	struct arena scratch;
	arena_init(&scratch);
	for (size_t i = 0; i < m->shapes.n; i++) {
		const struct shape *s = m->shapes.v[i];
		if (s->kind == WIRE_STRUCT) buf_fmt(out, "struct %.*s;\n", STR_ARG(s->c_name));
		if (s->kind == WIRE_MAP) buf_fmt(out, "struct %.*s;\n", STR_ARG(s->c_entry));
	}
	buf_lit(out, "\n");
	for (size_t i = 0; i < m->shapes.n; i++) {
		const struct shape *s = m->shapes.v[i];
		if (s->kind == WIRE_LIST || s->kind == WIRE_MAP) emit_sequence(s, &scratch, out);
	}
	buf_lit(out, "\n");
	for (size_t i = 0; i < m->shapes.n; i++)
		if (m->shapes.v[i]->kind == WIRE_STRUCT) emit_struct(m->shapes.v[i], &scratch, out);
	for (size_t i = 0; i < m->shapes.n; i++)
		if (m->shapes.v[i]->kind == WIRE_MAP) emit_entry(m->shapes.v[i], &scratch, out);
	buf_lit(out, "\n");
	arena_cleanup(&scratch);
}

static void emit_alias(const struct op *op, const struct shape *s, const char *side, struct buf *out)
{
	struct arena scratch;
	arena_init(&scratch);
	struct str alias = str_fmt(&scratch, "%.*s_%s", STR_ARG(op->c_name), side);
	struct str real = s ? s->c_name : STR("wire_nothing");
	if (!str_eq(alias, real)) buf_fmt(out, "#define %.*s %.*s\n", STR_ARG(alias), STR_ARG(real));
	arena_cleanup(&scratch);
}

static void emit_op(const struct op *op, struct buf *out)
{
	emit_alias(op, op->in, "input", out);
	emit_alias(op, op->out, "output", out);
	buf_fmt(out, "status %.*s(struct call *c, const struct %.*s_input *in, struct %.*s_output *out) MUST_USE;\n",
		STR_ARG(op->c_name), STR_ARG(op->c_name), STR_ARG(op->c_name));
}

static void emit_enums(const struct model *m, struct str prefix, struct buf *out)
{
	buf_lit(out, "\n/* Operations, in the order of the tables. */\nenum {\n");
	for (size_t i = 0; i < m->ops.n; i++)
		buf_fmt(out, "\t%.*s_OP_%.*s,\n", STR_ARG(prefix), STR_ARG(m->ops.v[i]->c_constant));
	buf_fmt(out, "\t%.*s_OP_COUNT\n};\n\n", STR_ARG(prefix));
	if (m->shapes.n) {
		buf_lit(out, "/* Shapes, in the order of the tables. */\nenum {\n");
		for (size_t i = 0; i < m->shapes.n; i++)
			buf_fmt(out, "\t%.*s_SHAPE_%.*s,\n", STR_ARG(prefix), STR_ARG(m->shapes.v[i]->c_constant));
		buf_lit(out, "};\n\n");
	}
	if (m->errors.n) {
		buf_lit(out, "/* Errors: 256 + the index in the tables. Smaller numbers are all services' errors. */\nenum {\n");
		for (size_t i = 0; i < m->errors.n; i++)
			buf_fmt(out, "\t%.*s_ERR_%.*s = %zu,\n", STR_ARG(prefix), STR_ARG(m->errors.v[i]->c_constant), 256 + i);
		buf_lit(out, "};\n");
	}
}

void emit_header(const struct model *m, struct buf *out)
{
	struct arena scratch;
	arena_init(&scratch);
	struct buf prefix = BUF_IN(&scratch);
	for (size_t i = 0; i < m->c_prefix.n; i++) {
		char c = m->c_prefix.p[i];
		buf_byte(&prefix, c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
	}
	buf_lit(out, EMIT_NOTICE "#pragma once\n#include \"wire/desc.h\"\n\nstruct call;\nstruct body;\n");
	buf_fmt(out, "extern const struct wire_service wire_service_%.*s;\n\n", STR_ARG(m->c_prefix));
	emit_types(m, out);
	for (size_t i = 0; i < m->ops.n; i++) emit_op(m->ops.v[i], out);
	emit_enums(m, buf_done(&prefix), out);
	arena_cleanup(&scratch);
}
