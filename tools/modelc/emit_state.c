/* Stored records: the same structs and tables as an API's, and typed doors to the record codec. */
#include "modelc/emit.h"

static struct str upper(struct arena *a, struct str s)
{
	char *p = arena_copy(a, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 'a' + 'A');
	return (struct str){p, s.n};
}

/* The service's own name in C, without the "_rec" of its records. */
static struct str service_prefix(const struct model *m)
{
	return str_sub(m->c_prefix, 0, m->c_prefix.n - strlen("_rec"));
}

static void emit_codec(const struct model *m, const struct shape *s, struct str constant, struct buf *out)
{
	struct str p = service_prefix(m), c = s->c_name;
	buf_fmt(out, "static inline struct str %.*s_encode(struct arena *a, const struct %.*s *r)\n{\n"
		"\treturn record_encode(a, &%.*s_state_tables, %.*s_%.*s, r);\n}\n", STR_ARG(c), STR_ARG(c), STR_ARG(p),
		STR_ARG(constant), STR_ARG(s->c_constant));
	buf_fmt(out, "static inline status MUST_USE %.*s_decode(struct arena *a, struct str bytes, struct %.*s *r)\n{\n"
		"\treturn record_decode(a, &%.*s_state_tables, %.*s_%.*s, bytes, r);\n}\n", STR_ARG(c), STR_ARG(c),
		STR_ARG(p), STR_ARG(constant), STR_ARG(s->c_constant));
}

void emit_state_header(const struct model *m, struct buf *out)
{
	struct arena scratch;
	arena_init(&scratch);
	struct str constant = upper(&scratch, m->c_prefix);
	buf_lit(out, EMIT_NOTICE "#pragma once\n#include \"store/record.h\"\n#include \"wire/desc.h\"\n\n");
	emit_types(m, out);
	buf_lit(out, "/* Shapes, in the order of the tables. */\nenum {\n");
	for (size_t i = 0; i < m->shapes.n; i++)
		if (m->shapes.v[i]->kind == WIRE_STRUCT)
			buf_fmt(out, "\t%.*s_%.*s = %zu,\n", STR_ARG(constant), STR_ARG(m->shapes.v[i]->c_constant), i);
	buf_fmt(out, "};\nextern const struct wire_tables %.*s_state_tables;\n\n", STR_ARG(service_prefix(m)));
	for (size_t i = 0; i < m->shapes.n; i++)
		if (m->shapes.v[i]->record) emit_codec(m, m->shapes.v[i], constant, out);
	arena_cleanup(&scratch);
}

bool emit_state_tables(struct model *m, struct buf *out)
{
	buf_fmt(out, EMIT_NOTICE "#include \"%.*s_state.h\"\n#include <stddef.h>\n\n", STR_ARG(m->name));
	if (!emit_arrays(m, out)) return false;
	buf_fmt(out, "const struct wire_tables %.*s_state_tables = ", STR_ARG(service_prefix(m)));
	emit_tables_initializer(m, out);
	buf_lit(out, ";\n");
	return true;
}
