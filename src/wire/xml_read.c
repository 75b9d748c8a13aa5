/* XML bodies into typed structs: expat makes a tree in the arena, the tables walk it. A document type declaration is
 * refused (so there are no entities of the document's own), nesting is bounded, namespaces are passed over: S3 takes
 * documents with and without its own. */
#include "wire/internal.h"
#include <expat.h>

struct node {
	struct str name, text;
	struct node *first, *last, *next, *parent;
	const struct wire_header *attributes;
	size_t n_attributes;
	struct buf content; /* the text so far */
};
struct reader {
	struct arena *a;
	const struct wire_tables *t;
	XML_Parser parser;
	struct node *root, *at;
	int depth;
	struct str error;
};

static bool bad(struct reader *r, struct str error)
{
	if (!r->error.p) r->error = error;
	return false;
}

/* ── the tree ── */
static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = user;
	if (++r->depth > WIRE_XML_DEPTH || wire_is_over(r->a)) {
		(void)bad(r, r->depth > WIRE_XML_DEPTH ? STR("Nesting too deep")
						       : STR("The request holds too many elements"));
		XML_StopParser(r->parser, XML_FALSE);
		return;
	}
	struct node *n = arena_new(r->a, struct node);
	struct str full = str_c(name);
	n->name = str_dup(r->a, str_from(full, (size_t)(str_chr(full, ':') + 1)));
	n->content = BUF_IN(r->a);
	size_t count = 0;
	while (attributes[count * 2]) count++;
	if (count) {
		struct wire_header *v = arena_new_n(r->a, struct wire_header, count);
		for (size_t i = 0; i < count; i++)
			v[i] = (struct wire_header){
				str_dup(r->a, str_c(attributes[i * 2])), str_dup(r->a, str_c(attributes[i * 2 + 1]))};
		n->attributes = v;
		n->n_attributes = count;
	}
	n->parent = r->at;
	if (!r->at)
		r->root = n;
	else if (r->at->last)
		r->at->last = r->at->last->next = n;
	else
		r->at->first = r->at->last = n;
	r->at = n;
}

static void on_end(void *user, const XML_Char *name)
{
	struct reader *r = user;
	(void)name;
	r->depth--;
	r->at->text = buf_done(&r->at->content);
	r->at = r->at->parent;
}

static void on_text(void *user, const XML_Char *s, int n)
{
	struct reader *r = user;
	/* White space between elements is not kept. */
	if (r->at && !(r->at->first && str_empty(wire_trim(str_n(s, (size_t)n)))))
		buf_add(&r->at->content, s, (size_t)n);
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *sys, const XML_Char *pub, int internal)
{
	struct reader *r = user;
	(void)name, (void)sys, (void)pub, (void)internal;
	(void)bad(r, STR("A document type declaration is not accepted"));
	XML_StopParser(r->parser, XML_FALSE);
}

static bool parse(struct reader *r, struct str body)
{
	if (body.n > INT32_MAX) return bad(r, STR("Document too large"));
	r->parser = XML_ParserCreate(NULL);
	INVARIANT(r->parser);
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	bool good = XML_Parse(r->parser, body.p, (int)body.n, XML_TRUE) == XML_STATUS_OK;
	if (!good) (void)bad(r, str_dup(r->a, str_c(XML_ErrorString(XML_GetErrorCode(r->parser)))));
	XML_ParserFree(r->parser);
	return good && r->root;
}

/* ── the walk ── */
static bool value(
	struct reader *r, const struct wire_member *m, uint16_t shape, const struct node *n, void *slot, bool pointer);

/* The struct's member that an element means. A flattened list goes by its own or by its element's name. */
static const struct wire_member *find(
	const struct reader *r, const struct wire_shape *s, struct str name, uint32_t *hint)
{
	const struct wire_member *m = wire_member_find(r->t, s, name, hint);
	if (m && WIRE_LOCATION(m) == WIRE_IN_BODY && !(m->bits & WIRE_M_XML_ATTRIBUTE)) return m;
	for (uint32_t i = 0; i < s->count; i++) {
		m = &r->t->members[s->first + i];
		if (WIRE_LOCATION(m) != WIRE_IN_BODY || (m->bits & WIRE_M_XML_ATTRIBUTE)) continue;
		struct str given = wire_str(r->t, m->wire_name);
		ptrdiff_t colon = str_chr(given, ':');
		if (colon >= 0 && str_eq(str_from(given, (size_t)colon + 1), name)) return m;
		const struct wire_shape *of = &r->t->shapes[m->shape];
		if (of->kind != WIRE_LIST || !wire_is_flattened(r->t, m)) continue;
		const struct wire_member *e = &r->t->members[of->first];
		if ((e->bits & WIRE_M_NAMED) && str_eq(wire_str(r->t, e->wire_name), name)) return m;
	}
	return NULL;
}

static size_t count_alike(const struct node *n)
{
	size_t count = 0;
	for (const struct node *k = n; k; k = k->next) count += str_eq(k->name, n->name);
	return count;
}

static bool read_entry(struct reader *r, const struct wire_shape *s, const struct node *n, struct wire_map_entry *e)
{
	const struct wire_member *key = &r->t->members[s->first], *of = key + 1;
	for (const struct node *k = n->first; k; k = k->next) {
		if (str_eq(k->name, wire_str(r->t, key->wire_name)))
			e->key = k->text;
		else if (str_eq(k->name, wire_str(r->t, of->wire_name)) &&
			 !value(r, of, of->shape, k, (char *)e + of->offset, wire_holds_pointers(s)))
			return false;
	}
	return e->key.p || bad(r, STR("A map entry has no key"));
}

/* The elements called like n among n and its later siblings. */
static bool read_alike(struct reader *r, const struct wire_shape *s, const struct node *n, struct wire_list *l)
{
	const struct wire_member *first = &r->t->members[s->first];
	l->v = arena_array(r->a, count_alike(n), s->size);
	l->n = 0;
	for (const struct node *k = n; k; k = k->next) {
		if (!str_eq(k->name, n->name)) continue;
		void *to = wire_element(s, l->v, l->n++);
		if (wire_is_over(r->a)) return bad(r, STR("The request holds too many elements"));
		if (s->kind == WIRE_MAP ? !read_entry(r, s, k, to)
					: !value(r, first, first->shape, k, to, wire_holds_pointers(s)))
			return false;
	}
	return true;
}

static bool read_list(struct reader *r, const struct wire_shape *s, const struct node *n, struct wire_list *l)
{
	struct str name = s->kind == WIRE_MAP ? STR("entry") : wire_str(r->t, r->t->members[s->first].wire_name);
	l->v = arena_alloc(r->a, 0);
	l->n = 0;
	for (const struct node *k = n->first; k; k = k->next)
		if (str_eq(k->name, name)) return read_alike(r, s, k, l);
	return true;
}

static bool read_struct(struct reader *r, const struct wire_shape *s, const struct node *n, void *p)
{
	uint32_t hint = 0;
	for (const struct node *k = n->first; k; k = k->next) {
		const struct wire_member *m = find(r, s, k->name, &hint);
		if (!m) continue;
		void *slot = (char *)p + m->offset;
		const struct wire_shape *of = &r->t->shapes[m->shape];
		bool many = of->kind == WIRE_LIST || of->kind == WIRE_MAP;
		if (many && wire_is_flattened(r->t, m)) {
			struct wire_list *l = slot;
			if (!l->v && !read_alike(r, of, k, l)) return false; /* at its first element: takes all */
			hint--;
		} else if (!value(r, m, m->shape, k, slot, true)) {
			return false;
		}
	}
	for (uint32_t i = 0; n->n_attributes && i < s->count; i++) {
		const struct wire_member *m = &r->t->members[s->first + i];
		if (!(m->bits & WIRE_M_XML_ATTRIBUTE)) continue;
		for (size_t k = 0; k < n->n_attributes; k++)
			if (str_eq(n->attributes[k].name, wire_str(r->t, m->wire_name)) &&
				!is_ok(wire_scalar_read(
					r->a, &r->t->shapes[m->shape], n->attributes[k].value, (char *)p + m->offset)))
				return bad(r, STR("An attribute's value is not valid"));
	}
	return true;
}

static bool value(
	struct reader *r, const struct wire_member *m, uint16_t shape, const struct node *n, void *slot, bool pointer)
{
	const struct wire_shape *s = &r->t->shapes[shape];
	(void)m;
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT:
		return read_struct(r, s, n, wire_struct_for(r->a, s, slot, pointer));
	case WIRE_LIST:
	case WIRE_MAP:
		return read_list(r, s, n, slot);
	case WIRE_STREAM:
	case WIRE_EVENTS:
		return true;
	case WIRE_STRING:
	case WIRE_BLOB:
	case WIRE_BOOL:
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_F32:
	case WIRE_F64:
	case WIRE_TIME:
	case WIRE_DOCUMENT:
		break;
	}
	if (s->kind != WIRE_STRING && s->kind != WIRE_BLOB && str_empty(wire_trim(n->text))) return true;
	if (is_ok(wire_scalar_read(r->a, s, n->text, slot))) return true;
	return bad(r, str_fmt(r->a, "The value of %.*s is not valid", STR_ARG(n->name)));
}

status wire_xml_read(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str body, void *slot,
	bool pointer, struct str *message)
{
	struct reader r = {.a = a, .t = t};
	const struct wire_shape *s = &t->shapes[shape];
	if (parse(&r, body)) {
		bool good;
		if (s->kind == WIRE_STRUCT)
			good = read_struct(&r, s, r.root, pointer ? wire_struct_for(a, s, slot, true) : slot);
		else
			good = value(&r, NULL, shape, r.root, slot, pointer);
		if (good) return OK;
	}
	*message = r.error.p ? r.error : STR("The document is empty");
	return STATUS(INVALID);
}
