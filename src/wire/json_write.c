/* Typed structs to JSON as AWS's services spell it: absent members left out, times as seconds since the epoch with at
 * most three decimals, blobs in base64, NaN and the infinities as strings. */
#include "wire/internal.h"

static const char hex[] = "0123456789abcdef";
/* 0: copied as it is; 1: \u00XX; else the letter behind the backslash. */
static const unsigned char escapes[256] = {
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	'b',
	't',
	'n',
	1,
	'f',
	'r',
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	['"'] = '"',
	['\\'] = '\\',
	[0x7f] = 1,
};

void wire_json_string(struct buf *b, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
	char *o = buf_reserve(b, s.n + 2), *limit = o + s.n + 2;
	*o++ = '"';
	while (p < end) {
		const unsigned char *start = p;
		while (p < end && !escapes[*p]) p++;
		size_t n = (size_t)(p - start);
		memcpy(o, start, n);
		o += n;
		if (p == end) break;
		/* An escape is at most 6 bytes: make room for it and the rest. */
		if ((size_t)(limit - o) < 8 + (size_t)(end - p)) {
			size_t more = 8 + (size_t)(end - p) * 2;
			b->n = (size_t)(o - b->p);
			o = buf_reserve(b, more);
			limit = o + more;
		}
		unsigned char e = escapes[*p];
		*o++ = '\\';
		if (e == 1) {
			memcpy(o, "u00", 3);
			o[3] = hex[*p >> 4];
			o[4] = hex[*p & 15];
			o += 5;
		} else {
			*o++ = (char)e;
		}
		p++;
	}
	*o++ = '"';
	b->n = (size_t)(o - b->p);
}

static void value(struct buf *b, const struct wire_tables *t, const struct wire_member *m, uint16_t shape,
	const void *slot, bool pointer);

/* The member's name with quotes and colon, and a comma before it. Names of the models need no escapes. */
static void name(struct buf *b, struct str n, bool comma)
{
	char *o = buf_reserve(b, n.n + 4), *start = o;
	if (comma) *o++ = ',';
	*o++ = '"';
	memcpy(o, n.p, n.n);
	o += n.n;
	*o++ = '"';
	*o++ = ':';
	b->n += (size_t)(o - start);
}

void wire_json_members(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *p, bool *comma)
{
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		const void *slot = (const char *)p + m->offset;
		if (!wire_in_response_body(m) || wire_is_absent(&t->shapes[m->shape], slot, true)) continue;
		if (t->shapes[m->shape].kind == WIRE_STREAM || t->shapes[m->shape].kind == WIRE_EVENTS) continue;
		name(b, wire_str(t, m->wire_name), *comma);
		*comma = true;
		value(b, t, m, m->shape, slot, true);
	}
}

static void number(struct buf *b, double v)
{
	if (v - v == 0) {
		buf_f64(b, v);
		return;
	}
	buf_byte(b, '"');
	buf_f64(b, v);
	buf_byte(b, '"');
}

static void value(struct buf *b, const struct wire_tables *t, const struct wire_member *m, uint16_t shape,
	const void *slot, bool pointer)
{
	const struct wire_shape *s = &t->shapes[shape];
	if (wire_is_absent(s, slot, pointer)) {
		buf_lit(b, "null");
		return;
	}
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		bool comma = false;
		buf_byte(b, '{');
		wire_json_members(b, t, shape, wire_struct_in(slot, pointer), &comma);
		buf_byte(b, '}');
		break;
	}
	case WIRE_LIST: {
		const struct wire_list *l = slot;
		const struct wire_member *e = &t->members[s->first];
		buf_byte(b, '[');
		for (size_t i = 0; i < l->n; i++) {
			if (i) buf_byte(b, ',');
			value(b, t, e, e->shape, wire_element(s, l->v, i), wire_holds_pointers(s));
		}
		buf_byte(b, ']');
		break;
	}
	case WIRE_MAP: {
		const struct wire_list *l = slot;
		const struct wire_member *of = &t->members[s->first + 1];
		buf_byte(b, '{');
		for (size_t i = 0; i < l->n; i++) {
			const struct wire_map_entry *e = wire_element(s, l->v, i);
			if (i) buf_byte(b, ',');
			wire_json_string(b, e->key);
			buf_byte(b, ':');
			value(b, t, of, of->shape, (const char *)e + of->offset, wire_holds_pointers(s));
		}
		buf_byte(b, '}');
		break;
	}
	case WIRE_STRING:
		wire_json_string(b, *(const struct str *)slot);
		break;
	case WIRE_BLOB:
		buf_byte(b, '"');
		buf_base64(b, *(const struct str *)slot);
		buf_byte(b, '"');
		break;
	case WIRE_F32:
	case WIRE_F64:
		number(b, ((const struct opt_f64 *)slot)->v);
		break;
	case WIRE_TIME: {
		enum wire_time_format f = wire_time_format_of(t, m, WIRE_TIME_UNIX);
		if (f != WIRE_TIME_UNIX) buf_byte(b, '"');
		wire_time_write(b, f, false, ((const struct opt_time *)slot)->ms);
		if (f != WIRE_TIME_UNIX) buf_byte(b, '"');
		break;
	}
	case WIRE_BOOL:
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_DOCUMENT:
		wire_scalar_write(b, s, WIRE_TIME_UNIX, false, slot);
		break;
	case WIRE_STREAM:
	case WIRE_EVENTS:
		buf_lit(b, "null");
		break;
	}
}

void wire_json_write(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *slot, bool pointer)
{
	value(b, t, NULL, shape, slot, pointer);
}

struct str wire_json_of(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *p)
{
	struct buf b = BUF_IN(a);
	wire_json_write(&b, t, shape, p, false);
	return buf_done(&b);
}
