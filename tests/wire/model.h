/* Tables in memory from a botocore service description, so that the vectors are run without the model compiler; and
 * values of such shapes from and against trees. */
#pragma once
#include "tree.h"
#include "wire/internal.h"

struct model {
	struct arena *a;
	struct buf pool;
	struct wire_service service;
	struct wire_shape *shapes;
	struct wire_member *members;
	struct wire_extra *extras;
	struct wire_error *errors;
	struct wire_op op;
	uint32_t n_members, n_extras, n_errors, n_shapes;
	const struct tree *json; /* "shapes" */
};

static inline uint32_t model_pool(struct model *m, struct str s)
{
	uint32_t at = (uint32_t)m->pool.n;
	buf_byte(&m->pool, (char)(s.n & 255));
	buf_byte(&m->pool, (char)(s.n >> 8));
	buf_str(&m->pool, s);
	buf_byte(&m->pool, 0);
	return at;
}
static inline uint16_t model_shape(const struct model *m, struct str name)
{
	for (size_t i = 0; i < m->json->n; i++)
		if (str_eq(m->json->k[i], name)) return (uint16_t)i;
	return WIRE_NO_SHAPE;
}
static inline bool model_flag(const struct tree *t, const char *key)
{
	const struct tree *v = tree_get(t, key);
	return v && v->kind == T_BOOL && v->b;
}
static inline enum wire_time_format model_time(struct str f)
{
	if (str_is(f, "iso8601")) return WIRE_TIME_ISO8601;
	if (str_is(f, "rfc822")) return WIRE_TIME_RFC822;
	return str_is(f, "unixTimestamp") ? WIRE_TIME_UNIX : WIRE_TIME_DEFAULT;
}
static inline enum wire_kind model_kind(const struct tree *s)
{
	static const struct {
		const char *type;
		enum wire_kind kind;
	} kinds[] = {{"structure", WIRE_STRUCT}, {"list", WIRE_LIST}, {"map", WIRE_MAP}, {"string", WIRE_STRING},
		{"character", WIRE_STRING}, {"blob", WIRE_BLOB}, {"boolean", WIRE_BOOL}, {"integer", WIRE_I32},
		{"byte", WIRE_I32}, {"short", WIRE_I32}, {"long", WIRE_I64}, {"float", WIRE_F32}, {"double", WIRE_F64},
		{"timestamp", WIRE_TIME}};
	struct str type = tree_str(s, "type");
	if (model_flag(s, "document")) return WIRE_DOCUMENT;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (str_eq(type, str_c(kinds[i].type))) return kinds[i].kind;
	return WIRE_STRING;
}
static inline uint32_t model_slot(enum wire_kind k)
{
	if (k == WIRE_BOOL) return 2;
	return k == WIRE_STRUCT || k == WIRE_STREAM || k == WIRE_EVENTS || k == WIRE_I32 ? 8 : 16;
}
static inline uint32_t model_align(enum wire_kind k)
{
	return k == WIRE_BOOL ? 1 : k == WIRE_I32 ? 4 : 8;
}

static inline uint32_t model_extra(struct model *m, const struct tree *t, const struct tree *shape)
{
	struct wire_extra x = {0};
	const struct tree *ns = tree_get(t, "xmlNamespace");
	if (!ns && shape) ns = tree_get(shape, "xmlNamespace");
	if (ns) {
		struct str uri = ns->kind == T_STR ? ns->s : tree_str(ns, "uri"), prefix = tree_str(ns, "prefix");
		if (uri.p) x.xmlns_uri = model_pool(m, uri);
		if (prefix.p) x.xmlns_prefix = model_pool(m, prefix);
	}
	if (tree_str(t, "queryName").p) x.query_name = model_pool(m, tree_str(t, "queryName"));
	if (!shape && tree_str(t, "locationName").p) x.location_name = model_pool(m, tree_str(t, "locationName"));
	if (!x.xmlns_uri && !x.query_name && !x.location_name) return 0;
	m->extras[m->n_extras] = x;
	return m->n_extras++;
}

static inline struct wire_member *model_member(struct model *m, struct str name, const struct tree *d, uint32_t offset)
{
	struct wire_member *w = &m->members[m->n_members++];
	uint16_t shape = model_shape(m, tree_str(d, "shape"));
	const struct tree *target = m->json->v[shape];
	struct str location = tree_str(d, "location"), wire = tree_str(d, "locationName");
	static const char *const places[] = {"uri", "querystring", "header", "headers", "statusCode"};
	w->name = model_pool(m, name);
	/* botocore gives a member its target's name too; but a structure's is that of its root element alone */
	if (!wire.p && model_kind(target) != WIRE_STRUCT) wire = tree_str(target, "locationName");
	w->wire_name = wire.p ? model_pool(m, wire) : w->name;
	w->shape = shape;
	w->offset = (uint16_t)offset;
	if (wire.p) w->bits |= WIRE_M_NAMED;
	for (uint32_t i = 0; i < 5; i++)
		if (str_eq(location, str_c(places[i]))) w->bits |= i + 1;
	w->bits |= (uint32_t)model_time(tree_str(d, "timestampFormat")) << 3;
	if (model_flag(d, "flattened")) w->bits |= WIRE_M_FLATTENED;
	if (model_flag(d, "xmlAttribute")) w->bits |= WIRE_M_XML_ATTRIBUTE;
	if (model_flag(d, "idempotencyToken")) w->bits |= WIRE_M_TOKEN;
	w->bits |= model_extra(m, d, target) << WIRE_M_EXTRA;
	return w;
}

static inline void model_struct(struct model *m, const struct tree *s, struct wire_shape *w)
{
	const struct tree *members = tree_get(s, "members");
	struct str payload = tree_str(s, "payload");
	uint32_t offset = 0;
	w->first = m->n_members;
	for (size_t i = 0; members && i < members->n; i++) {
		enum wire_kind k = model_kind(m->json->v[model_shape(m, tree_str(members->v[i], "shape"))]);
		uint32_t align = model_align(k);
		offset = (offset + align - 1) / align * align;
		struct wire_member *x = model_member(m, members->k[i], members->v[i], offset);
		offset += model_slot(k);
		if (str_eq(payload, members->k[i])) {
			w->payload = (uint16_t)(i + 1);
			x->bits |= WIRE_M_PAYLOAD;
		}
		w->count++;
	}
	w->size = (offset + 15) / 8 * 8;
}

static inline struct model *model_new(struct arena *a, const struct tree *suite, const struct tree *given)
{
	struct model *m = arena_new(a, struct model);
	const struct tree *meta = tree_get(suite, "metadata");
	m->a = a;
	m->json = tree_get(suite, "shapes");
	m->pool = BUF_IN(a);
	buf_add(&m->pool, "\0\0", 3);
	m->n_shapes = (uint32_t)m->json->n;
	m->shapes = arena_new_n(a, struct wire_shape, m->n_shapes + 1);
	m->members = arena_new_n(a, struct wire_member, 4000);
	m->extras = arena_new_n(a, struct wire_extra, 2000);
	m->errors = arena_new_n(a, struct wire_error, m->n_shapes + 1);
	m->n_extras = 1;
	bool compatible = tree_get(meta, "awsQueryCompatible") != NULL;
	for (uint32_t i = 0; i < m->n_shapes; i++) {
		const struct tree *s = m->json->v[i];
		struct wire_shape *w = &m->shapes[i];
		w->kind = (uint8_t)model_kind(s);
		w->time_format = (uint8_t)model_time(tree_str(s, "timestampFormat"));
		w->name = model_pool(m, m->json->k[i]);
		w->size = model_slot((enum wire_kind)w->kind);
		if (model_flag(s, "flattened")) w->flags |= WIRE_S_FLATTENED;
		if (model_flag(s, "union")) w->flags |= WIRE_S_UNION;
		if (model_flag(s, "sparse")) w->flags |= WIRE_S_SPARSE;
		w->extra = (uint16_t)model_extra(m, s, NULL);
		if (w->kind == WIRE_STRUCT) model_struct(m, s, w);
		if (!model_flag(s, "exception")) continue;
		const struct tree *e = tree_get(s, "error"), *http = tree_get(e, "httpStatusCode");
		struct wire_error *x = &m->errors[m->n_errors++];
		struct str code = tree_str(e, "code");
		x->name = w->name;
		x->query_code = code.p ? model_pool(m, code) : w->name;
		x->code = compatible ? w->name : x->query_code;
		x->status = (uint16_t)(http ? http->num : model_flag(s, "fault") ? 500 : 400);
		x->shape = (uint16_t)i;
	}
	for (uint32_t i = 0; i < m->n_shapes; i++) { /* now that the structs' sizes are known */
		const struct tree *s = m->json->v[i];
		struct wire_shape *w = &m->shapes[i];
		if (w->kind != WIRE_LIST && w->kind != WIRE_MAP) continue;
		w->first = m->n_members;
		if (w->kind == WIRE_MAP) model_member(m, STR("key"), tree_get(s, "key"), 0);
		struct wire_member *e = w->kind == WIRE_MAP ? model_member(m, STR("value"), tree_get(s, "value"), 16)
							    : model_member(m, STR("member"), tree_get(s, "member"), 0);
		const struct wire_shape *of = &m->shapes[e->shape];
		w->count = w->kind == WIRE_MAP ? 2 : 1;
		w->size = of->kind == WIRE_STRUCT ? of->size : model_slot((enum wire_kind)of->kind);
		if (w->kind == WIRE_MAP) w->size = (w->size + 16 + 7) / 8 * 8;
	}
	static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"};
	const struct tree *http = tree_get(given, "http"), *in = tree_get(given, "input"),
			  *out = tree_get(given, "output"), *code = tree_get(http, "responseCode");
	m->op.name = model_pool(m, tree_str(given, "name"));
	m->op.uri = model_pool(m, tree_str(http, "requestUri"));
	for (uint8_t i = 0; i < 7; i++)
		if (str_eq(tree_str(http, "method"), str_c(methods[i]))) m->op.method = i;
	m->op.in = in ? model_shape(m, tree_str(in, "shape")) : WIRE_NO_SHAPE;
	m->op.out = out ? model_shape(m, tree_str(out, "shape")) : WIRE_NO_SHAPE;
	if (tree_str(out, "resultWrapper").p) m->op.result_wrapper = model_pool(m, tree_str(out, "resultWrapper"));
	m->op.response_code = (uint16_t)(code ? code->num : 200);
	m->service = (struct wire_service){
		.tables = {.pool = m->pool.p,
			.shapes = m->shapes,
			.members = m->members,
			.extras = m->extras,
			.errors = m->errors,
			.ops = &m->op,
			.n_shapes = m->n_shapes,
			.n_members = m->n_members,
			.n_errors = m->n_errors,
			.n_ops = 1},
		.name = "vectors",
		.title = "Vectors",
		.query_compatible = compatible,
		.target_prefix = str_z(a, str_or(tree_str(meta, "targetPrefix"), STR(""))),
	};
	struct str p = tree_str(meta, "protocol");
	m->service.protocol = str_is(p, "query")       ? WIRE_QUERY
			      : str_is(p, "ec2")       ? WIRE_EC2
			      : str_is(p, "rest-json") ? WIRE_REST_JSON
			      : str_is(p, "rest-xml")  ? WIRE_REST_XML
			      : str_is(p, "json")
				      ? (str_is(tree_str(meta, "jsonVersion"), "1.0") ? WIRE_JSON10 : WIRE_JSON11)
				      : WIRE_CBOR;
	m->service.protocols = m->service.protocol;
	return m;
}

/* ── values ── */
static inline double model_double(const struct tree *t)
{
	if (t->kind == T_NUM) return t->num;
	return str_is(t->s, "NaN") ? NAN : str_is(t->s, "Infinity") ? INFINITY : -INFINITY;
}

/* Writes the tree's value into a slot. */
static inline void model_set(struct model *m, uint16_t shape, const struct tree *v, void *slot, bool pointer)
{
	const struct wire_shape *s = &m->shapes[shape];
	if (!v || v->kind == T_NULL) return;
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		char *p = wire_struct_for(m->a, s, slot, pointer);
		for (uint32_t i = 0; i < s->count; i++) {
			const struct wire_member *x = &m->members[s->first + i];
			model_set(m, x->shape, tree_get(v, str_z(m->a, wire_str(&m->service.tables, x->name))),
				p + x->offset, true);
		}
		break;
	}
	case WIRE_LIST:
	case WIRE_MAP: {
		struct wire_list *l = slot;
		const struct wire_member *of = &m->members[s->first + (s->kind == WIRE_MAP)];
		l->v = arena_array(m->a, v->n, s->size);
		l->n = v->n;
		for (size_t i = 0; i < v->n; i++) {
			char *e = wire_element(s, l->v, i);
			if (s->kind == WIRE_MAP) ((struct wire_map_entry *)(void *)e)->key = v->k[i];
			model_set(m, of->shape, v->v[i], e + (s->kind == WIRE_MAP ? 16 : 0), wire_holds_pointers(s));
		}
		break;
	}
	case WIRE_STRING:
	case WIRE_BLOB:
		*(struct str *)slot = v->s.p ? v->s : STR("");
		break;
	case WIRE_DOCUMENT: {
		struct buf b = BUF_IN(m->a);
		tree_print(&b, v);
		*(struct str *)slot = buf_done(&b);
		break;
	}
	case WIRE_BOOL:
		*(struct opt_bool *)slot = SOME_BOOL(v->b);
		break;
	case WIRE_I32:
		*(struct opt_i32 *)slot = SOME_I32((int32_t)v->num);
		break;
	case WIRE_I64:
		*(struct opt_i64 *)slot = SOME_I64((int64_t)v->num);
		break;
	case WIRE_F32:
	case WIRE_F64:
		*(struct opt_f64 *)slot = SOME_F64(model_double(v));
		break;
	case WIRE_TIME:
		*(struct opt_time *)slot = SOME_TIME((int64_t)llround(v->num * 1000));
		break;
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
}

/* A server puts all query parameters in the catch-all map; a client's vector need not tell of those that have members
 * of their own: takes such entries off where the vector does not have them. */
static inline void model_drop_bound(
	struct model *m, const struct wire_shape *s, const struct tree *v, const struct wire_member *map, void *slot)
{
	struct wire_list *l = slot;
	const struct wire_shape *ms = &m->shapes[map->shape];
	const struct tree *want = tree_get(v, str_z(m->a, wire_str(&m->service.tables, map->name)));
	size_t n = 0;
	for (size_t k = 0; k < l->n; k++) {
		const struct wire_map_entry *e = wire_element(ms, l->v, k);
		bool bound = false;
		for (uint32_t i = 0; i < s->count; i++) {
			const struct wire_member *x = &m->members[s->first + i];
			bound |= x != map && WIRE_LOCATION(x) == WIRE_IN_QUERY &&
				 str_eq(wire_str(&m->service.tables, x->wire_name), e->key);
		}
		if (bound && !tree_get(want, str_z(m->a, e->key))) continue;
		memmove(wire_element(ms, l->v, n++), e, ms->size);
	}
	l->n = n;
}

/* Does the slot hold the tree's value? `lenient`: an empty list is as good as none (the protocol cannot tell). */
static inline bool model_is(
	struct model *m, uint16_t shape, const struct tree *v, const void *slot, bool pointer, bool lenient)
{
	const struct wire_shape *s = &m->shapes[shape];
	bool none = !v || v->kind == T_NULL, absent = wire_is_absent(s, slot, pointer);
	if (none || absent) {
		if (none && absent) return true;
		if (!lenient || (s->kind != WIRE_LIST && s->kind != WIRE_MAP)) return false;
		return (none ? ((const struct wire_list *)slot)->n : v->n) == 0;
	}
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		const char *p = wire_struct_in(slot, pointer);
		for (uint32_t i = 0; i < s->count; i++) {
			const struct wire_member *x = &m->members[s->first + i];
			if (WIRE_LOCATION(x) == WIRE_IN_QUERY && m->shapes[x->shape].kind == WIRE_MAP)
				model_drop_bound(m, s, v, x, (char *)(uintptr_t)p + x->offset);
			if (!model_is(m, x->shape, tree_get(v, str_z(m->a, wire_str(&m->service.tables, x->name))),
				    p + x->offset, true, lenient)) {
				fprintf(stderr, "   at %.*s\n", STR_ARG(wire_str(&m->service.tables, x->name)));
				return false;
			}
		}
		return true;
	}
	case WIRE_LIST: {
		const struct wire_list *l = slot;
		if (l->n != v->n) return false;
		for (size_t i = 0; i < l->n; i++)
			if (!model_is(m, m->members[s->first].shape, v->v[i], wire_element(s, l->v, i),
				    wire_holds_pointers(s), lenient))
				return false;
		return true;
	}
	case WIRE_MAP: {
		const struct wire_list *l = slot;
		if (l->n != v->n) return false;
		for (size_t i = 0; i < l->n; i++) {
			const struct wire_map_entry *e = wire_element(s, l->v, i);
			if (!model_is(m, m->members[s->first + 1].shape, tree_get(v, str_z(m->a, e->key)),
				    (const char *)e + 16, wire_holds_pointers(s), lenient))
				return false;
		}
		return true;
	}
	case WIRE_STRING:
	case WIRE_BLOB:
		return str_eq(*(const struct str *)slot, v->s);
	case WIRE_DOCUMENT:
		return tree_same(m->a, tree_json(m->a, *(const struct str *)slot), v);
	case WIRE_BOOL:
		return v->kind == T_BOOL && ((const struct opt_bool *)slot)->v == v->b;
	case WIRE_I32:
		return ((const struct opt_i32 *)slot)->v == (int32_t)v->num;
	case WIRE_I64:
		return ((const struct opt_i64 *)slot)->v == (int64_t)v->num;
	case WIRE_F32:
	case WIRE_F64: {
		double want = model_double(v), got = ((const struct opt_f64 *)slot)->v;
		return want == got || (isnan(want) && isnan(got)) || fabs(want - got) < 1e-6 * fabs(want);
	}
	case WIRE_TIME:
		return ((const struct opt_time *)slot)->ms == llround(v->num * 1000);
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
	return false;
}
