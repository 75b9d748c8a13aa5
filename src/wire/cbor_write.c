/* Typed structs to CBOR as Smithy's RPC v2 CBOR protocol asks: maps keyed by member names, definite lengths, shortest
 * heads, timestamps as tag 1 over seconds (integral where they are whole), floats in the width that holds them. */
#include "wire/internal.h"

static void head(struct buf *b, unsigned major, uint64_t n)
{
	unsigned char t[9];
	size_t width = n < 24 ? 0 : n <= 0xff ? 1 : n <= 0xffff ? 2 : n <= 0xffffffff ? 4 : 8;
	t[0] = (unsigned char)(major << 5 | (width == 0          ? (unsigned)n
						    : width == 1 ? 24u
						    : width == 2 ? 25u
						    : width == 4 ? 26u
								 : 27u));
	for (size_t i = 0; i < width; i++) t[1 + i] = (unsigned char)(n >> 8 * (width - 1 - i));
	buf_add(b, t, 1 + width);
}

void wire_cbor_text(struct buf *b, struct str s)
{
	head(b, 3, s.n);
	buf_str(b, s);
}
static void integer(struct buf *b, int64_t v)
{
	if (v < 0)
		head(b, 1, (uint64_t)(-1 - v));
	else
		head(b, 0, (uint64_t)v);
}
static void real(struct buf *b, double d)
{
	unsigned char t[9];
	float f = (float)d;
	if ((double)f == d || d != d) {
		uint32_t v;
		memcpy(&v, &f, 4);
		t[0] = 0xfa;
		for (int i = 0; i < 4; i++) t[1 + i] = (unsigned char)(v >> (24 - 8 * i));
		buf_add(b, t, 5);
		return;
	}
	uint64_t v;
	memcpy(&v, &d, 8);
	t[0] = 0xfb;
	for (int i = 0; i < 8; i++) t[1 + i] = (unsigned char)(v >> (56 - 8 * i));
	buf_add(b, t, 9);
}

static void value(
	struct buf *b, const struct wire_tables *t, uint16_t shape, bool millis, const void *slot, bool pointer);

static bool written(const struct wire_tables *t, const struct wire_member *m, const void *p)
{
	const struct wire_shape *s = &t->shapes[m->shape];
	return s->kind != WIRE_STREAM && s->kind != WIRE_EVENTS && s->kind != WIRE_DOCUMENT &&
	       !wire_is_absent(s, (const char *)p + m->offset, true);
}

void wire_cbor_members(struct buf *b, const struct wire_tables *t, uint16_t shape, bool millis, const void *p)
{
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		if (!written(t, m, p)) continue;
		wire_cbor_text(b, wire_str(t, m->wire_name));
		value(b, t, m->shape, millis, (const char *)p + m->offset, true);
	}
}

static void value(
	struct buf *b, const struct wire_tables *t, uint16_t shape, bool millis, const void *slot, bool pointer)
{
	const struct wire_shape *s = &t->shapes[shape];
	if (wire_is_absent(s, slot, pointer)) {
		buf_byte(b, (char)0xf6);
		return;
	}
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		const void *p = wire_struct_in(slot, pointer);
		uint64_t n = 0;
		for (uint32_t i = 0; i < s->count; i++) n += written(t, &t->members[s->first + i], p);
		head(b, 5, n);
		wire_cbor_members(b, t, shape, millis, p);
		break;
	}
	case WIRE_LIST: {
		const struct wire_list *l = slot;
		head(b, 4, l->n);
		for (size_t i = 0; i < l->n; i++)
			value(b, t, t->members[s->first].shape, millis, wire_element(s, l->v, i),
				wire_holds_pointers(s));
		break;
	}
	case WIRE_MAP: {
		const struct wire_list *l = slot;
		const struct wire_member *of = &t->members[s->first + 1];
		head(b, 5, l->n);
		for (size_t i = 0; i < l->n; i++) {
			const struct wire_map_entry *e = wire_element(s, l->v, i);
			wire_cbor_text(b, e->key);
			value(b, t, of->shape, millis, (const char *)e + of->offset, wire_holds_pointers(s));
		}
		break;
	}
	case WIRE_STRING:
		wire_cbor_text(b, *(const struct str *)slot);
		break;
	case WIRE_BLOB: {
		struct str s2 = *(const struct str *)slot;
		head(b, 2, s2.n);
		buf_str(b, s2);
		break;
	}
	case WIRE_BOOL:
		buf_byte(b, (char)(((const struct opt_bool *)slot)->v ? 0xf5 : 0xf4));
		break;
	case WIRE_I32:
		integer(b, ((const struct opt_i32 *)slot)->v);
		break;
	case WIRE_I64:
		integer(b, ((const struct opt_i64 *)slot)->v);
		break;
	case WIRE_F32:
	case WIRE_F64:
		real(b, ((const struct opt_f64 *)slot)->v);
		break;
	case WIRE_TIME: {
		int64_t ms = ((const struct opt_time *)slot)->ms;
		head(b, 6, 1);
		if (millis)
			integer(b, ms);
		else if (ms % 1000 == 0)
			integer(b, ms / 1000);
		else
			real(b, (double)ms / 1000.0);
		break;
	}
	case WIRE_DOCUMENT:
	case WIRE_STREAM:
	case WIRE_EVENTS:
		buf_byte(b, (char)0xf6);
		break;
	}
}

void wire_cbor_write(struct buf *b, const struct wire_tables *t, uint16_t shape, bool millis, const void *out)
{
	value(b, t, shape, millis, out, false);
}
