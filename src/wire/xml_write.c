/* Typed structs to XML, for rest-xml, query and ec2: elements in the model's order, absent members left out, an empty
 * list that is present as an empty element. Characters that XML 1.0 has no way to say raw are written as references, as
 * S3 does for keys that hold them (Amazon S3 User Guide, "Creating object key names": XML related object key
 * constraints). */
#include "wire/internal.h"

/* 1: may stand as it is */
static bool plain(unsigned char c)
{
	return c >= 0x20 ? c != '&' && c != '<' && c != '>' && c != '"' : c == '\n' || c == '\t';
}

static void escaped(struct buf *b, struct str s)
{
	const char *p = s.p, *end = s.p + s.n;
	while (p < end) {
		const char *start = p;
		while (p < end && plain((unsigned char)*p)) p++;
		if (p > start) buf_add(b, start, (size_t)(p - start));
		if (p == end) break;
		switch (*p) {
		case '&':
			buf_lit(b, "&amp;");
			break;
		case '<':
			buf_lit(b, "&lt;");
			break;
		case '>':
			buf_lit(b, "&gt;");
			break;
		case '"':
			buf_lit(b, "&quot;");
			break;
		case '\r':
			buf_lit(b, "&#13;");
			break;
		default:
			buf_fmt(b, "&#x%x;", (unsigned char)*p);
		}
		p++;
	}
}

void wire_xml_text(struct buf *b, struct str s)
{
	escaped(b, s);
}

void wire_xml_attribute(struct buf *b, struct str s)
{
	while (s.n) { /* line breaks would be normalized to spaces (XML 1.0 section 3.3.3) */
		size_t i = 0;
		while (i < s.n && s.p[i] != '\n' && s.p[i] != '\t') i++;
		escaped(b, str_sub(s, 0, i));
		if (i < s.n) buf_fmt(b, "&#%d;", s.p[i++]);
		s = str_from(s, i);
	}
}

void wire_xml_open(struct buf *b, struct str name, struct str xmlns)
{
	buf_byte(b, '<');
	buf_str(b, name);
	if (xmlns.n) {
		buf_lit(b, " xmlns=\"");
		wire_xml_attribute(b, xmlns);
		buf_byte(b, '"');
	}
	buf_byte(b, '>');
}
void wire_xml_close(struct buf *b, struct str name)
{
	char *o = buf_reserve(b, name.n + 3);
	o[0] = '<';
	o[1] = '/';
	memcpy(o + 2, name.p, name.n);
	o[2 + name.n] = '>';
	b->n += name.n + 3;
}
void wire_xml_leaf(struct buf *b, struct str name, struct str text)
{
	wire_xml_open(b, name, STR_NONE);
	escaped(b, text);
	wire_xml_close(b, name);
}

void wire_xml_open_struct(struct buf *b, const struct wire_tables *t, const struct wire_member *m, struct str name,
	const struct wire_shape *s, const void *p, struct str xmlns)
{
	const struct wire_extra *x = m ? wire_extra_of(t, m) : NULL;
	if ((!x || !x->xmlns_uri) && s && s->extra) x = &t->extras[s->extra];
	char *o = buf_reserve(b, name.n + 2);
	*o++ = '<';
	memcpy(o, name.p, name.n);
	b->n += name.n + 1;
	if (x && x->xmlns_uri) {
		buf_lit(b, " xmlns");
		if (x->xmlns_prefix) {
			buf_byte(b, ':');
			buf_str(b, wire_str(t, x->xmlns_prefix));
		}
		buf_lit(b, "=\"");
		wire_xml_attribute(b, wire_str(t, x->xmlns_uri));
		buf_byte(b, '"');
	} else if (xmlns.n) {
		buf_lit(b, " xmlns=\"");
		wire_xml_attribute(b, xmlns);
		buf_byte(b, '"');
	}
	for (uint32_t i = 0; s && s->kind == WIRE_STRUCT && p && i < s->count; i++) {
		const struct wire_member *am = &t->members[s->first + i];
		const struct wire_shape *as = &t->shapes[am->shape];
		const void *slot = (const char *)p + am->offset;
		if (!(am->bits & WIRE_M_XML_ATTRIBUTE) || wire_is_absent(as, slot, true)) continue;
		buf_byte(b, ' ');
		buf_str(b, wire_str(t, am->wire_name));
		buf_lit(b, "=\"");
		if (as->kind == WIRE_STRING)
			wire_xml_attribute(b, *(const struct str *)slot);
		else
			wire_scalar_write(b, as, wire_time_format_of(t, am, WIRE_TIME_ISO8601), false, slot);
		buf_byte(b, '"');
	}
	buf_byte(b, '>');
}

static void open_element(struct buf *b, const struct wire_tables *t, const struct wire_member *m, struct str name,
	const struct wire_shape *s, const void *p)
{
	wire_xml_open_struct(b, t, m, name, s, p, STR_NONE);
}

static void entry(struct buf *b, const struct wire_tables *t, struct wire_xml_style style, const struct wire_shape *s,
	const struct wire_map_entry *e)
{
	const struct wire_member *key = &t->members[s->first], *of = key + 1;
	const void *slot = (const char *)e + of->offset;
	struct str name = wire_str(t, key->wire_name);
	open_element(b, t, key, name, NULL, NULL);
	escaped(b, e->key);
	wire_xml_close(b, name);
	if (!wire_is_absent(&t->shapes[of->shape], slot, wire_holds_pointers(s)))
		wire_xml_element(b, t, style, of, wire_str(t, of->wire_name), slot, wire_holds_pointers(s));
}

/* All elements of a list or entries of a map, each called `name`. */
static void many(struct buf *b, const struct wire_tables *t, struct wire_xml_style style, const struct wire_member *m,
	const struct wire_shape *s, struct str name, const struct wire_list *l)
{
	const struct wire_member *first = &t->members[s->first];
	for (size_t i = 0; i < l->n; i++) {
		const void *slot = wire_element(s, l->v, i);
		if (s->kind == WIRE_MAP) {
			open_element(b, t, m, name, NULL, NULL);
			entry(b, t, style, s, slot);
			wire_xml_close(b, name);
		} else if (wire_is_absent(&t->shapes[first->shape], slot, wire_holds_pointers(s))) {
			open_element(b, t, first, name, NULL, NULL);
			wire_xml_close(b, name);
		} else {
			wire_xml_element(b, t, style, first, name, slot, wire_holds_pointers(s));
		}
	}
}

void wire_xml_element(struct buf *b, const struct wire_tables *t, struct wire_xml_style style,
	const struct wire_member *m, struct str name, const void *slot, bool pointer)
{
	const struct wire_shape *s = &t->shapes[m->shape];
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		const void *p = wire_struct_in(slot, pointer);
		open_element(b, t, m, name, s, p);
		wire_xml_members(b, t, style, m->shape, p);
		break;
	}
	case WIRE_LIST:
	case WIRE_MAP:
		open_element(b, t, m, name, s, NULL);
		many(b, t, style, NULL, s,
			s->kind == WIRE_MAP ? STR("entry") : wire_str(t, t->members[s->first].wire_name), slot);
		break;
	case WIRE_STRING:
		open_element(b, t, m, name, s, NULL);
		escaped(b, *(const struct str *)slot);
		break;
	case WIRE_STREAM:
	case WIRE_EVENTS:
		return;
	case WIRE_DOCUMENT:
		open_element(b, t, m, name, s, NULL);
		escaped(b, *(const struct str *)slot);
		break;
	case WIRE_BLOB:
	case WIRE_BOOL:
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_F32:
	case WIRE_F64:
	case WIRE_TIME:
		open_element(b, t, m, name, s, NULL);
		wire_scalar_write(b, s, wire_time_format_of(t, m, WIRE_TIME_ISO8601), style.millis, slot);
		break;
	}
	wire_xml_close(b, name);
}

void wire_xml_members(
	struct buf *b, const struct wire_tables *t, struct wire_xml_style style, uint16_t shape, const void *p)
{
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		const struct wire_shape *of = &t->shapes[m->shape];
		const void *slot = (const char *)p + m->offset;
		if (!wire_in_response_body(m) || (m->bits & WIRE_M_XML_ATTRIBUTE) || wire_is_absent(of, slot, true))
			continue;
		const struct wire_extra *x = style.query ? wire_extra_of(t, m) : NULL;
		struct str name = wire_str(t, x && x->query_name ? x->query_name : m->wire_name);
		if ((of->kind == WIRE_LIST || of->kind == WIRE_MAP) && wire_is_flattened(t, m)) {
			/* A name given to a flattened list's element is the one that AWS's clients look for. */
			const struct wire_member *e = &t->members[of->first];
			if (of->kind == WIRE_LIST && (e->bits & WIRE_M_NAMED) && !(x && x->query_name))
				name = wire_str(t, e->wire_name);
			many(b, t, style, m, of, name, slot);
		} else {
			wire_xml_element(b, t, style, m, name, slot, true);
		}
	}
}
