/* The HTTP side of an output in the rest protocols: status, headers, prefixed headers, and the body as XML, JSON or a
 * payload of its own. */
#include "wire/internal.h"

void wire_add_header(struct wire_response *r, struct str name, struct str value)
{
	if (r->n_headers < sizeof r->headers / sizeof r->headers[0])
		r->headers[r->n_headers++] = (struct wire_header){name, value};
}

/* A stored value must not end its header and begin another. */
static struct str one_line(struct arena *a, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x20 || s.p[i] == '\t') continue;
		char *copy = arena_copy(a, s.p, s.n);
		for (size_t k = i; k < s.n; k++)
			if ((unsigned char)copy[k] < 0x20 && copy[k] != '\t') copy[k] = ' ';
		return str_n(copy, s.n);
	}
	return s;
}

static void add_item(struct buf *b, const struct wire_tables *t, const struct wire_member *e, const void *slot)
{
	const struct wire_shape *s = &t->shapes[e->shape];
	struct str text = s->kind == WIRE_STRING ? *(const struct str *)slot : STR_NONE;
	if (s->kind != WIRE_STRING) {
		wire_scalar_write(b, s, wire_time_format_of(t, e, WIRE_TIME_RFC822), false, slot);
	} else if (str_chr(text, ',') < 0 && str_chr(text, '"') < 0) {
		buf_str(b, text);
	} else {
		buf_byte(b, '"');
		for (size_t i = 0; i < text.n; i++) {
			if (text.p[i] == '"' || text.p[i] == '\\') buf_byte(b, '\\');
			buf_byte(b, text.p[i]);
		}
		buf_byte(b, '"');
	}
}

static void write_header(struct arena *a, const struct wire_tables *t, const struct wire_member *m, const void *slot,
	struct wire_response *r)
{
	const struct wire_shape *s = &t->shapes[m->shape];
	struct buf b = BUF_IN(a);
	if (s->kind == WIRE_STRING) {
		wire_add_header(r, wire_str(t, m->wire_name), one_line(a, *(const struct str *)slot));
		return;
	}
	if (s->kind == WIRE_LIST) {
		const struct wire_list *l = slot;
		const struct wire_member *e = &t->members[s->first];
		size_t n = 0;
		for (size_t i = 0; i < l->n; i++) {
			const void *item = wire_element(s, l->v, i);
			if (wire_is_absent(&t->shapes[e->shape], item, wire_holds_pointers(s))) continue;
			if (n++) buf_lit(&b, ", ");
			add_item(&b, t, e, item);
		}
		if (!n) return;
	} else {
		wire_scalar_write(&b, s, wire_time_format_of(t, m, WIRE_TIME_RFC822), false, slot);
	}
	wire_add_header(r, wire_str(t, m->wire_name), one_line(a, buf_done(&b)));
}

static void write_headers(struct arena *a, const struct wire_tables *t, const struct wire_member *m,
	const struct wire_list *l, struct wire_response *r)
{
	const struct wire_shape *s = &t->shapes[m->shape];
	const struct wire_member *of = &t->members[s->first + 1];
	size_t before = r->n_prefixed;
	struct wire_header *all = arena_array(a, before + l->n, sizeof *all);
	if (before) memcpy(all, r->prefixed, before * sizeof *all);
	r->prefixed = all;
	for (size_t i = 0; i < l->n; i++) {
		const struct wire_map_entry *e = wire_element(s, l->v, i);
		const void *slot = (const char *)e + of->offset;
		struct buf b = BUF_IN(a);
		if (wire_is_absent(&t->shapes[of->shape], slot, wire_holds_pointers(s))) continue;
		wire_scalar_write(&b, &t->shapes[of->shape], wire_time_format_of(t, of, WIRE_TIME_RFC822), false, slot);
		all[r->n_prefixed++] = (struct wire_header){
			one_line(a, str_cat(a, wire_str(t, m->wire_name), e->key)), one_line(a, buf_done(&b))};
	}
}

void wire_rest_write_headers(
	struct arena *a, const struct wire_tables *t, uint16_t shape, const void *out, struct wire_response *r)
{
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		const void *slot = (const char *)out + m->offset;
		enum wire_location at = WIRE_LOCATION(m);
		if (wire_in_response_body(m) || wire_is_absent(&t->shapes[m->shape], slot, true)) continue;
		if (at == WIRE_IN_HEADER)
			write_header(a, t, m, slot, r);
		else if (at == WIRE_IN_HEADERS)
			write_headers(a, t, m, slot, r);
		else if (at == WIRE_IN_STATUS && t->shapes[m->shape].kind == WIRE_I32)
			r->code = (unsigned)((const struct opt_i32 *)slot)->v;
	}
}

static bool has_header(const struct wire_response *r, struct str name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_ieq(r->headers[i].name, name)) return true;
	return false;
}
static void content_type(struct wire_response *r, struct str type)
{
	if (!has_header(r, STR("Content-Type"))) wire_add_header(r, STR("Content-Type"), type);
}

static struct str xmlns_of(const struct wire_match *m)
{
	if (m->service->xmlns) return str_c(m->service->xmlns);
	return m->op->in_xmlns ? wire_str(&m->service->tables, m->op->in_xmlns) : STR_NONE;
}

static struct wire_xml_style style_of(const struct wire_match *m)
{
	return (struct wire_xml_style){.millis = strncmp(m->service->name, "s3", 2) == 0};
}

#define XML_DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* The root that AWS gives to an output: the wrapper that the model names, the shape's own name, or the shape. */
static struct str root_name(const struct wire_match *m, const struct wire_tables *t)
{
	const struct wire_shape *s = &t->shapes[m->op->out];
	if (m->op->result_wrapper) return wire_str(t, m->op->result_wrapper);
	if (s->extra && t->extras[s->extra].location_name) return wire_str(t, t->extras[s->extra].location_name);
	return wire_str(t, s->name);
}

/* A payload's root: the name that the member was given, or that its shape gives itself, or the shape's. */
static void write_xml_payload(struct buf *b, const struct wire_match *m, const struct wire_tables *t,
	const struct wire_member *p, const void *slot)
{
	const struct wire_shape *s = &t->shapes[p->shape];
	struct str name = wire_str(t, s->name);
	buf_lit(b, XML_DECLARATION);
	if ((p->bits & WIRE_M_NAMED) && !str_eq(wire_str(t, p->wire_name), wire_str(t, p->name)))
		name = wire_str(t, p->wire_name);
	else if (s->extra && t->extras[s->extra].location_name)
		name = wire_str(t, t->extras[s->extra].location_name);
	if (s->kind != WIRE_STRUCT) {
		wire_xml_element(b, t, style_of(m), p, name, slot, true);
		return;
	}
	const void *value = wire_struct_in(slot, true);
	wire_xml_open_struct(b, t, p, name, s, value, xmlns_of(m));
	wire_xml_members(b, t, style_of(m), p->shape, value);
	wire_xml_close(b, name);
}

struct str wire_xml_payload(struct arena *a, const struct wire_match *m, const void *in)
{
	const struct wire_tables *t = &m->service->tables;
	if (m->protocol != WIRE_REST_XML || m->op->in == WIRE_NO_SHAPE) return STR_NONE;
	const struct wire_shape *s = &t->shapes[m->op->in];
	if (!s->payload) return STR_NONE;
	const struct wire_member *p = &t->members[s->first + s->payload - 1];
	const void *slot = (const char *)in + p->offset;
	if (t->shapes[p->shape].kind != WIRE_STRUCT || wire_is_absent(&t->shapes[p->shape], slot, true))
		return STR_NONE;
	struct buf b = BUF_IN(a);
	write_xml_payload(&b, m, t, p, slot);
	return buf_done(&b);
}

static void write_payload(struct arena *a, const struct wire_match *m, const struct wire_tables *t,
	const struct wire_member *p, const void *slot, struct wire_response *r)
{
	const struct wire_shape *s = &t->shapes[p->shape];
	struct buf b = BUF_IN(a);
	bool xml = m->protocol == WIRE_REST_XML;
	if (wire_is_absent(s, slot, true)) {
		if (s->kind == WIRE_STRUCT && !xml) {
			content_type(r, STR("application/json"));
			r->body = STR("{}");
		}
		return;
	}
	switch ((enum wire_kind)s->kind) {
	case WIRE_STREAM:
		r->stream = *(void *const *)slot;
		content_type(r, STR("application/octet-stream"));
		return;
	case WIRE_EVENTS: /* the service's body is the messages themselves */
		r->stream = *(void *const *)slot;
		content_type(r, STR("application/vnd.amazon.eventstream"));
		return;
	case WIRE_BLOB:
		content_type(r, STR("application/octet-stream"));
		r->body = *(const struct str *)slot;
		return;
	case WIRE_STRING:
		content_type(r, STR("text/plain"));
		r->body = *(const struct str *)slot;
		return;
	case WIRE_STRUCT:
	case WIRE_LIST:
	case WIRE_MAP:
	case WIRE_DOCUMENT:
	case WIRE_BOOL:
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_F32:
	case WIRE_F64:
	case WIRE_TIME:
		break;
	}
	if (xml)
		write_xml_payload(&b, m, t, p, slot);
	else
		wire_json_write(&b, t, p->shape, slot, true);
	content_type(r, xml ? STR("application/xml") : STR("application/json"));
	r->body = buf_done(&b);
}

/* GetBucketLocation's root is its one member, empty for us-east-1 (S3 API reference, GetBucketLocation). */
static void write_location(struct buf *b, const struct wire_match *m, const struct wire_tables *t, const void *out)
{
	const struct wire_member *member = &t->members[t->shapes[m->op->out].first];
	const struct str *value = (const struct str *)(const void *)((const char *)out + member->offset);
	buf_lit(b, XML_DECLARATION);
	wire_xml_open(b, wire_str(t, member->wire_name), xmlns_of(m));
	if (value->n) wire_xml_text(b, *value);
	wire_xml_close(b, wire_str(t, member->wire_name));
}

static bool has_response_body(const struct wire_tables *t, const struct wire_shape *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (wire_in_response_body(&t->members[s->first + i])) return true;
	return false;
}

void wire_rest_write(struct arena *a, const struct wire_match *m, const void *out, struct wire_response *r)
{
	const struct wire_tables *t = &m->service->tables;
	bool xml = m->protocol == WIRE_REST_XML;
	struct buf b = BUF_IN(a);
	if (m->op->out == WIRE_NO_SHAPE || !out) return;
	const struct wire_shape *s = &t->shapes[m->op->out];
	wire_rest_write_headers(a, t, m->op->out, out, r);
	if (s->payload) {
		const struct wire_member *p = &t->members[s->first + s->payload - 1];
		write_payload(a, m, t, p, (const char *)out + p->offset, r);
		return;
	}
	if (!xml) {
		bool comma = false;
		/* An output without body members is an empty object, where the status allows a body. */
		if (r->code == 204 || r->code == 304) return;
		buf_byte(&b, '{');
		wire_json_members(&b, t, m->op->out, out, &comma);
		buf_byte(&b, '}');
		content_type(r, STR("application/json"));
	} else if (wire_op_is(m, STR("s3"), STR("GetBucketLocation"))) {
		write_location(&b, m, t, out);
		content_type(r, STR("application/xml"));
	} else if (has_response_body(t, s)) {
		struct str name = root_name(m, t);
		buf_lit(&b, XML_DECLARATION);
		wire_xml_open_struct(&b, t, NULL, name, s, out, xmlns_of(m));
		wire_xml_members(&b, t, style_of(m), m->op->out, out);
		wire_xml_close(&b, name);
		content_type(r, STR("application/xml"));
	} else {
		return;
	}
	r->body = buf_done(&b);
}
