/* gen/NAME_tables.c, and the list of all services. */
#include "modelc/emit.h"
#include "modelc/pool.h"

static void text_field(struct buf *out, const char *field, struct str s)
{
	if (!str_has(s)) return;
	buf_fmt(out, "\t.%s = ", field);
	literal_emit(out, s);
	buf_lit(out, ",\n");
}

bool emit_service_tables(struct model *m, struct buf *out)
{
	buf_fmt(out, EMIT_NOTICE "#include \"%.*s.h\"\n#include <stddef.h>\n\n", STR_ARG(m->name));
	if (!emit_arrays(m, out)) return false;
	buf_fmt(out, "const struct wire_service wire_service_%.*s = {\n\t.tables = ", STR_ARG(m->c_prefix));
	emit_tables_initializer(m, out);
	buf_lit(out, ",\n");
	text_field(out, "name", m->name);
	text_field(out, "title", m->title);
	text_field(out, "service_id", m->id);
	text_field(out, "endpoint_prefix", m->endpoint);
	text_field(out, "signing_name", m->signing);
	text_field(out, "target_prefix", m->target);
	text_field(out, "api_version", m->version);
	text_field(out, "xmlns", m->xmlns);
	buf_fmt(out, "\t.protocols = %u,\n\t.protocol = %u,\n\t.query_compatible = %d,\n};\n", m->protocols, m->protocol,
		m->query_compatible);
	return true;
}

void emit_services(struct model *const *models, size_t n, struct buf *out)
{
	buf_lit(out, EMIT_NOTICE "#include \"wire/desc.h\"\n\n");
	for (size_t i = 0; i < n; i++)
		buf_fmt(out, "extern const struct wire_service wire_service_%.*s;\n", STR_ARG(models[i]->c_prefix));
	buf_lit(out, "\nconst struct wire_service *const wire_services[] = {\n");
	for (size_t i = 0; i < n; i++) buf_fmt(out, "\t&wire_service_%.*s,\n", STR_ARG(models[i]->c_prefix));
	buf_fmt(out, "\tNULL\n};\nconst size_t wire_services_length = %zu;\n", n);
}
