/* C types of shapes. Offsets and sizes are left to the C compiler: the generated code says offsetof and sizeof. */
#include "modelc/layout.h"

static const char *scalar(enum wire_kind kind)
{
	switch (kind) {
	case WIRE_STRING:
	case WIRE_BLOB:
	case WIRE_DOCUMENT: return "struct str ";
	case WIRE_BOOL: return "struct opt_bool ";
	case WIRE_I32: return "struct opt_i32 ";
	case WIRE_I64: return "struct opt_i64 ";
	case WIRE_F32:
	case WIRE_F64: return "struct opt_f64 ";
	case WIRE_TIME: return "struct opt_time ";
	case WIRE_STREAM: return "struct body *";
	case WIRE_EVENTS: return "void *";
	case WIRE_STRUCT:
	case WIRE_LIST:
	case WIRE_MAP: break;
	}
	UNREACHABLE();
}

struct str layout_member(struct arena *a, const struct shape *s)
{
	switch ((int)s->kind) {
	case WIRE_STRUCT: return str_fmt(a, "struct %.*s *", STR_ARG(s->c_name));
	case WIRE_LIST:
	case WIRE_MAP: return str_fmt(a, "struct %.*s ", STR_ARG(s->c_name));
	default: return str_c(scalar(s->kind));
	}
}

struct str layout_element(struct arena *a, const struct shape *of, const struct shape *s)
{
	if (s->kind == WIRE_STRUCT && !(of->flags & WIRE_S_SPARSE)) return str_fmt(a, "struct %.*s ", STR_ARG(s->c_name));
	return layout_member(a, s);
}

struct str layout_sizeof(struct arena *a, const struct shape *s)
{
	switch ((int)s->kind) {
	case WIRE_STRUCT: return str_fmt(a, "sizeof(struct %.*s)", STR_ARG(s->c_name));
	case WIRE_LIST: return str_fmt(a, "sizeof(%.*s)", STR_ARG(layout_element(a, s, s->members.v[0].shape)));
	case WIRE_MAP: return str_fmt(a, "sizeof(struct %.*s)", STR_ARG(s->c_entry));
	default: return str_fmt(a, "sizeof(%s)", scalar(s->kind));
	}
}
