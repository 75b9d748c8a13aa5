/* Slots and scalars: what every reader and writer does alike with a value in memory (see the table in desc.h), and the
 * text form of scalars that labels, query strings, headers, XML and form bodies share. */
#include "wire/internal.h"

/* Up to so many names are compared one after the other, which their lengths mostly decide; more are searched. */
#define SCAN 16

static inline bool is_named(const struct wire_tables *t, const struct wire_member *m, struct str name)
{
	struct str n = wire_str(t, m->wire_name);
	return n.n == name.n && memcmp(n.p, name.p, n.n) == 0;
}

const struct wire_member *wire_member_find(
	const struct wire_tables *t, const struct wire_shape *s, struct str name, uint32_t *hint)
{
	const struct wire_member *first = t->members + s->first;
	if (*hint < s->count && is_named(t, &first[*hint], name)) return &first[(*hint)++];
	if (s->by_name && s->count > SCAN) {
		const uint16_t *sorted = t->sorted + s->by_name - 1;
		size_t low = 0, high = s->count;
		while (low < high) {
			size_t mid = (low + high) / 2;
			int c = str_cmp(wire_str(t, first[sorted[mid]].wire_name), name);
			if (c == 0) {
				*hint = sorted[mid] + 1u;
				return &first[sorted[mid]];
			}
			if (c < 0)
				low = mid + 1;
			else
				high = mid;
		}
		return NULL;
	}
	for (uint32_t i = 0; i < s->count; i++)
		if (is_named(t, &first[i], name)) {
			*hint = i + 1;
			return &first[i];
		}
	return NULL;
}

void *wire_struct_for(struct arena *a, const struct wire_shape *s, void *slot, bool pointer)
{
	if (pointer) {
		void *p = arena_alloc(a, s->size);
		*(void **)slot = p;
		return p;
	}
	memset(slot, 0, s->size);
	return slot;
}

void *wire_append(struct arena *a, const struct wire_shape *s, struct wire_list *l, size_t *capacity)
{
	if (l->n == *capacity) {
		/* Large elements begin with one: a nested document's lists are mostly short. */
		size_t more = *capacity ? *capacity * 2 : s->size > 64 ? 1 : 4;
		char *v = arena_array(a, more, s->size);
		if (l->n) memcpy(v, l->v, l->n * s->size);
		l->v = v;
		*capacity = more;
	}
	return (char *)l->v + l->n++ * s->size;
}

struct str wire_trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\n' || s.p[0] == '\r')) s = str_from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

const struct wire_op *wire_op_find(const struct wire_tables *t, struct str name)
{
	size_t low = 0, high = t->n_ops;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = str_cmp(wire_str(t, t->ops[mid].name), name);
		if (c == 0) return &t->ops[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

bool wire_op_is(const struct wire_match *m, struct str service, struct str op)
{
	return m->service && m->op && str_eq(str_c(m->service->name), service) &&
	       str_eq(wire_str(&m->service->tables, m->op->name), op);
}

status wire_scalar_read(struct arena *a, const struct wire_shape *s, struct str text, void *slot)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRING:
		if (!str_utf8_valid(text)) return STATUS(INVALID);
		*(struct str *)slot = text.p ? text : STR("");
		return OK;
	case WIRE_DOCUMENT:
		if (!wire_json_valid(text, WIRE_DOCUMENT_DEPTH)) return STATUS(INVALID);
		*(struct str *)slot = text;
		return OK;
	case WIRE_BLOB:
		return str_unbase64(a, wire_trim(text), (struct str *)slot);
	case WIRE_BOOL:
		text = wire_trim(text);
		if (str_ieq(text, STR("true")))
			*(struct opt_bool *)slot = SOME_BOOL(true);
		else if (str_ieq(text, STR("false")))
			*(struct opt_bool *)slot = SOME_BOOL(false);
		else
			return STATUS(INVALID);
		return OK;
	case WIRE_I32: {
		int64_t v;
		TRY(str_to_i64(wire_trim(text), &v));
		if (v < INT32_MIN || v > INT32_MAX) return STATUS(LIMIT);
		*(struct opt_i32 *)slot = SOME_I32((int32_t)v);
		return OK;
	}
	case WIRE_I64: {
		int64_t v;
		TRY(str_to_i64(wire_trim(text), &v));
		*(struct opt_i64 *)slot = SOME_I64(v);
		return OK;
	}
	case WIRE_F32:
	case WIRE_F64: {
		double v;
		TRY(str_to_f64(wire_trim(text), &v));
		*(struct opt_f64 *)slot = SOME_F64(v);
		return OK;
	}
	case WIRE_TIME: {
		int64_t ms;
		TRY(wire_time_read(text, &ms));
		*(struct opt_time *)slot = SOME_TIME(ms);
		return OK;
	}
	case WIRE_STRUCT:
	case WIRE_LIST:
	case WIRE_MAP:
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
	return STATUS(INVALID);
}

void wire_scalar_write(
	struct buf *b, const struct wire_shape *s, enum wire_time_format f, bool millis, const void *slot)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRING:
	case WIRE_DOCUMENT:
		buf_str(b, *(const struct str *)slot);
		break;
	case WIRE_BLOB:
		buf_base64(b, *(const struct str *)slot);
		break;
	case WIRE_BOOL:
		if (((const struct opt_bool *)slot)->v)
			buf_lit(b, "true");
		else
			buf_lit(b, "false");
		break;
	case WIRE_I32:
		buf_i64(b, ((const struct opt_i32 *)slot)->v);
		break;
	case WIRE_I64:
		buf_i64(b, ((const struct opt_i64 *)slot)->v);
		break;
	case WIRE_F32:
	case WIRE_F64:
		buf_f64(b, ((const struct opt_f64 *)slot)->v);
		break;
	case WIRE_TIME:
		wire_time_write(b, f, millis, ((const struct opt_time *)slot)->ms);
		break;
	case WIRE_STRUCT:
	case WIRE_LIST:
	case WIRE_MAP:
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
}
