/* The HTTP side of an input in the rest protocols: URI labels, query string, headers, prefixed headers, and the body
 * where a member is the whole payload (Smithy's HTTP binding traits). */
#include "wire/internal.h"
#include <stdlib.h>

struct pair {
	struct str key, value;
};
struct reader {
	struct arena *a;
	const struct wire_match *m;
	const struct wire_tables *t;
	const struct wire_request *r;
	struct wire_failure *why;
	struct pair *pairs; /* of the query string, decoded; made when a member first asks */
	size_t n_pairs;
	bool split;
};

bool wire_has_body_members(const struct wire_tables *t, const struct wire_shape *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (WIRE_LOCATION(&t->members[s->first + i]) == WIRE_IN_BODY) return true;
	return false;
}

/* S3 keeps MalformedXML for bodies: what stands in the head has codes of its own ("Error responses", API reference). */
static bool is_s3(const struct reader *r)
{
	return strcmp(r->m->service->signing_name, "s3") == 0;
}

static status malformed_uri(struct reader *r)
{
	status s = wire_fail(r->why, ERR_SERIALIZATION, STR("Couldn't parse the specified URI."));
	if (!is_s3(r)) return s;
	r->why->code = STR("InvalidURI");
	r->why->http_status = 400;
	return s;
}

static status malformed(struct reader *r, const struct wire_member *m)
{
	struct str name = wire_str(r->t, m->wire_name);
	if (is_s3(r) && WIRE_LOCATION(m) == WIRE_IN_URI) return malformed_uri(r);
	if (is_s3(r) && WIRE_LOCATION(m) != WIRE_IN_BODY) {
		status s = wire_fail(r->why, ERR_VALIDATION,
			str_fmt(r->a, "The value provided for %.*s is not valid", STR_ARG(name)));
		r->why->details[r->why->n_details++] = (struct wire_header){STR("ArgumentName"), name};
		return s;
	}
	return wire_fail(r->why, ERR_SERIALIZATION, str_fmt(r->a, "The value of %.*s is not valid", STR_ARG(name)));
}

/* A scalar that stands by itself. Empty is absent for all but strings. */
static status scalar(struct reader *r, const struct wire_member *m, uint16_t shape, struct str text, void *slot)
{
	const struct wire_shape *s = &r->t->shapes[shape];
	if (str_empty(text) && s->kind != WIRE_STRING) return OK;
	if (is_ok(wire_scalar_read(r->a, s, text, slot))) return OK;
	return malformed(r, m);
}

/* ── labels ── */
static status read_label(struct reader *r, const struct wire_member *m, void *slot)
{
	struct str name = wire_str(r->t, m->wire_name), text;
	for (size_t i = 0; i < r->m->n_labels; i++) {
		if (!str_eq(r->m->labels[i].name, name)) continue;
		if (!is_ok(str_uri_decode(r->a, r->m->labels[i].value, false, &text))) return malformed(r, m);
		return scalar(r, m, m->shape, text, slot);
	}
	return OK;
}

/* ── the query string ── */
static status split_query(struct reader *r)
{
	struct str rest = r->r->query;
	size_t n = 1;
	r->split = true;
	for (size_t i = 0; i < rest.n; i++) n += rest.p[i] == '&';
	r->pairs = arena_new_n(r->a, struct pair, n);
	while (str_has(rest)) {
		struct str value = str_cut(&rest, '&');
		if (value.n == 0) continue;
		struct str key = str_cut(&value, '=');
		struct pair *p = &r->pairs[r->n_pairs];
		if (!is_ok(str_uri_decode(r->a, key, true, &p->key)) ||
			!is_ok(str_uri_decode(r->a, value.p ? value : STR(""), true, &p->value)) ||
			!str_utf8_valid(p->value))
			return malformed_uri(r);
		r->n_pairs++;
	}
	return OK;
}

struct by_key {
	struct pair pair;
	size_t order;
};
static int compare_keys(const void *x, const void *y)
{
	const struct by_key *a = x, *b = y;
	int c = str_cmp(a->pair.key, b->pair.key);
	return c ? c : a->order < b->order ? -1 : a->order > b->order;
}

/* All parameters, those too that other members take (Smithy, httpQueryParams trait): strings, or lists of them. */
static status read_query_map(struct reader *r, const struct wire_member *m, struct wire_list *l)
{
	const struct wire_shape *s = &r->t->shapes[m->shape];
	const struct wire_member *of = &r->t->members[s->first + 1];
	const struct wire_shape *vs = &r->t->shapes[of->shape];
	struct by_key *sorted = arena_new_n(r->a, struct by_key, r->n_pairs);
	size_t n = r->n_pairs, capacity = 0, inner = 0;
	for (size_t i = 0; i < n; i++) sorted[i] = (struct by_key){r->pairs[i], i};
	if (n > 1) qsort(sorted, n, sizeof *sorted, compare_keys);
	struct wire_map_entry *e = NULL;
	for (size_t i = 0; i < n; i++) {
		bool again = e && str_eq(e->key, sorted[i].pair.key);
		if (!again) {
			e = wire_append(r->a, s, l, &capacity);
			e->key = sorted[i].pair.key;
			inner = 0;
		}
		void *slot = (char *)e + of->offset;
		if (vs->kind == WIRE_LIST) {
			const struct wire_member *element = &r->t->members[vs->first];
			TRY(scalar(r, m, element->shape, sorted[i].pair.value, wire_append(r->a, vs, slot, &inner)));
		} else if (!again) {
			TRY(scalar(r, m, of->shape, sorted[i].pair.value, slot));
		}
	}
	return OK;
}

static status read_query(struct reader *r, const struct wire_member *m, void *slot)
{
	const struct wire_shape *s = &r->t->shapes[m->shape];
	struct str name = wire_str(r->t, m->wire_name);
	size_t capacity = 0;
	if (!r->split) TRY(split_query(r));
	if (s->kind == WIRE_MAP) return read_query_map(r, m, slot);
	for (size_t i = 0; i < r->n_pairs; i++) {
		if (!str_eq(r->pairs[i].key, name)) continue;
		if (s->kind != WIRE_LIST) return scalar(r, m, m->shape, r->pairs[i].value, slot);
		TRY(scalar(
			r, m, r->t->members[s->first].shape, r->pairs[i].value, wire_append(r->a, s, slot, &capacity)));
	}
	return OK;
}

/* ── headers ── */
/* One item of a comma-separated list; HTTP dates hold a comma of their own, strings may be quoted. */
static struct str list_item(struct reader *r, const struct wire_shape *of, enum wire_time_format f, struct str *rest)
{
	struct str s = str_trim(*rest);
	if (of->kind == WIRE_STRING && s.n && s.p[0] == '"') {
		char *o = arena_alloc(r->a, s.n), *start = o;
		size_t i = 1;
		while (i < s.n && s.p[i] != '"') {
			if (s.p[i] == '\\' && i + 1 < s.n) i++;
			*o++ = s.p[i++];
		}
		s = str_from(s, i + 1);
		(void)str_cut(&s, ',');
		*rest = s;
		return str_n(start, (size_t)(o - start));
	}
	struct str item = str_cut(&s, ',');
	if (of->kind == WIRE_TIME && f == WIRE_TIME_RFC822 && str_has(s)) {
		struct str more = str_cut(&s, ',');
		item.n = (size_t)(more.p + more.n - item.p);
	}
	*rest = s;
	return str_trim(item);
}

static status read_header_list(struct reader *r, const struct wire_member *m, struct str name, struct wire_list *l)
{
	const struct wire_shape *s = &r->t->shapes[m->shape];
	const struct wire_member *element = &r->t->members[s->first];
	enum wire_time_format f = wire_time_format_of(r->t, element, WIRE_TIME_RFC822);
	size_t capacity = 0;
	for (size_t i = 0; i < r->r->n_headers; i++) {
		if (!str_ieq(r->r->headers[i].name, name)) continue;
		struct str rest = r->r->headers[i].value;
		while (str_has(rest) && !str_empty(str_trim(rest))) {
			struct str item = list_item(r, &r->t->shapes[element->shape], f, &rest);
			TRY(scalar(r, m, element->shape, item, wire_append(r->a, s, l, &capacity)));
		}
	}
	return OK;
}

static status read_header(struct reader *r, const struct wire_member *m, void *slot)
{
	struct str name = wire_str(r->t, m->wire_name);
	if (r->t->shapes[m->shape].kind == WIRE_LIST) return read_header_list(r, m, name, slot);
	struct str text = wire_header_get(r->r, name);
	return str_has(text) ? scalar(r, m, m->shape, text, slot) : OK;
}

static status read_headers(struct reader *r, const struct wire_member *m, struct wire_list *l)
{
	const struct wire_shape *s = &r->t->shapes[m->shape];
	const struct wire_member *of = &r->t->members[s->first + 1];
	struct str prefix = wire_str(r->t, m->wire_name);
	/* "Amazon S3 stores user-defined metadata keys in lowercase" (User Guide, Working with object metadata) */
	bool lower = str_is(prefix, "x-amz-meta-");
	size_t capacity = 0;
	for (size_t i = 0; i < r->r->n_headers; i++) {
		const struct wire_header *h = &r->r->headers[i];
		if (!str_istarts(h->name, prefix)) continue;
		struct wire_map_entry *e = wire_append(r->a, s, l, &capacity);
		e->key = str_from(h->name, prefix.n);
		if (lower) e->key = str_lower(r->a, e->key);
		if (r->t->shapes[of->shape].kind == WIRE_STRING)
			*(struct str *)(void *)((char *)e + of->offset) = h->value;
		else
			TRY(scalar(r, m, of->shape, h->value, (char *)e + of->offset));
	}
	return OK;
}

/* ── the body ── */
static status read_structured(struct reader *r, uint16_t shape, void *slot, bool pointer)
{
	struct str message = STR("");
	bool xml = r->m->protocol == WIRE_REST_XML;
	status st = xml ? wire_xml_read(r->a, r->t, shape, r->r->body, slot, pointer, &message)
			: wire_json_read(r->a, r->t, shape, r->r->body, slot, pointer, &message);
	if (is_ok(st)) return OK;
	if (xml && strcmp(r->m->service->name, "s3") == 0)
		message = STR(
			"The XML you provided was not well-formed or did not validate against our published schema");
	return wire_fail(r->why, ERR_SERIALIZATION, message);
}

static status read_payload(struct reader *r, const struct wire_member *m, void *slot)
{
	const struct wire_shape *s = &r->t->shapes[m->shape];
	struct str body = r->r->body;
	switch ((enum wire_kind)s->kind) {
	case WIRE_STREAM:
	case WIRE_EVENTS:
		return OK;
	case WIRE_BLOB:
		if (body.n) *(struct str *)slot = body;
		return OK;
	case WIRE_STRING:
		if (!body.n) return OK;
		if (!str_utf8_valid(body)) return malformed(r, m);
		*(struct str *)slot = body;
		return OK;
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
	return str_empty(wire_trim(body)) ? OK : read_structured(r, m->shape, slot, true);
}

status wire_rest_read(struct arena *a, const struct wire_match *m, const struct wire_request *request, void *in,
	struct wire_failure *why)
{
	struct reader r = {.a = a, .m = m, .t = &m->service->tables, .r = request, .why = why};
	const struct wire_shape *s = &r.t->shapes[m->op->in];
	/* The body first: reading it may clear the struct. */
	if (!s->payload && !str_empty(wire_trim(request->body)) && wire_has_body_members(r.t, s))
		TRY(read_structured(&r, m->op->in, in, false));
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *member = &r.t->members[s->first + i];
		void *slot = (char *)in + member->offset;
		if (s->payload == i + 1) {
			TRY(read_payload(&r, member, slot));
			continue;
		}
		switch (WIRE_LOCATION(member)) {
		case WIRE_IN_URI:
			TRY(read_label(&r, member, slot));
			break;
		case WIRE_IN_QUERY:
			if (request->query.n) TRY(read_query(&r, member, slot));
			break;
		case WIRE_IN_HEADER:
			TRY(read_header(&r, member, slot));
			break;
		case WIRE_IN_HEADERS:
			TRY(read_headers(&r, member, slot));
			break;
		case WIRE_IN_BODY:
		case WIRE_IN_STATUS:
			break;
		}
	}
	return OK;
}
