/* Typed structs of any operation from and to JSON, by walking the model's tables: see api.h. */
#include "services/cloudformation/api.h"
#include "clock/clock.h"

static const struct wire_member *member_named(const struct wire_tables *t, const struct wire_shape *s, struct str name)
{
	const struct wire_member *like = NULL;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		if (str_eq(wire_str(t, m->name), name)) return m;
		if (str_ieq(wire_str(t, m->name), name)) like = m;
	}
	return like;
}

/* Members that the operation does not have: their names, each behind a comma. */
struct filling {
	struct arena *a;
	const struct wire_tables *t;
	struct buf unknown;
};
static void fill(struct filling *f, uint16_t shape, const struct json_value *v, void *slot, bool inlined);

static void fill_struct(struct filling *f, const struct wire_shape *s, const struct json_value *v, char *to)
{
	if (v->type != JSON_IS_OBJECT) return;
	for (const struct json_value *c = v->first; c; c = c->next) {
		const struct wire_member *m = member_named(f->t, s, c->name);
		if (m) {
			fill(f, m->shape, c, to + m->offset, false);
			continue;
		}
		if (f->unknown.n) buf_lit(&f->unknown, ", ");
		buf_str(&f->unknown, c->name);
	}
}

static void fill_list(struct filling *f, const struct wire_shape *s, const struct json_value *v, struct wire_list *to)
{
	if (v->type != JSON_IS_ARRAY) return;
	to->v = arena_array(f->a, v->length + 1, s->size);
	char *at = to->v;
	for (const struct json_value *c = v->first; c; c = c->next, at += s->size)
		fill(f, f->t->members[s->first].shape, c, at, !(s->flags & WIRE_S_SPARSE));
	to->n = v->length;
}

static void fill_map(struct filling *f, const struct wire_shape *s, const struct json_value *v, struct wire_list *to)
{
	if (v->type != JSON_IS_OBJECT) return;
	to->v = arena_array(f->a, v->length + 1, s->size);
	char *at = to->v;
	for (const struct json_value *c = v->first; c; c = c->next, at += s->size) {
		((struct wire_map_entry *)(void *)at)->key = c->name;
		fill(f, f->t->members[s->first + 1].shape, c, at + sizeof(struct str), !(s->flags & WIRE_S_SPARSE));
	}
	to->n = v->length;
}

static struct str text_of(struct arena *a, const struct json_value *v)
{
	struct str s = json_scalar(v);
	if (str_has(s) || v->type == JSON_IS_NULL) return s;
	/* A document where the API wants its text: policies and their kin. */
	struct buf b = BUF_IN(a);
	json_write(&b, v);
	return buf_done(&b);
}

/* slot: as struct member, or (inlined) as element of a list or value of a map. */
static void fill(struct filling *f, uint16_t shape, const struct json_value *v, void *slot, bool inlined)
{
	struct arena *a = f->a;
	const struct wire_shape *s = &f->t->shapes[shape];
	int64_t i;
	double d;
	struct str decoded;
	if (v->type == JSON_IS_NULL) return;
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT:
		if (!inlined) slot = *(void **)slot = arena_alloc(a, s->size);
		fill_struct(f, s, v, slot);
		break;
	case WIRE_LIST:
		fill_list(f, s, v, slot);
		break;
	case WIRE_MAP:
		fill_map(f, s, v, slot);
		break;
	case WIRE_STRING:
		*(struct str *)slot = text_of(a, v);
		break;
	case WIRE_DOCUMENT: {
		/* Kept as its JSON. */
		struct buf b = BUF_IN(a);
		json_write(&b, v);
		*(struct str *)slot = buf_done(&b);
		break;
	}
	case WIRE_BLOB:
		*(struct str *)slot = is_ok(str_unbase64(a, text_of(a, v), &decoded)) ? decoded : text_of(a, v);
		break;
	case WIRE_BOOL:
		*(struct opt_bool *)slot = (struct opt_bool){.has = true, .v = str_ieq(text_of(a, v), STR("true"))};
		break;
	case WIRE_I32:
		if (is_ok(str_to_i64(text_of(a, v), &i)))
			*(struct opt_i32 *)slot = (struct opt_i32){.has = true, .v = (int32_t)i};
		break;
	case WIRE_I64:
		if (is_ok(str_to_i64(text_of(a, v), &i)))
			*(struct opt_i64 *)slot = (struct opt_i64){.has = true, .v = i};
		break;
	case WIRE_F32:
	case WIRE_F64:
		if (is_ok(str_to_f64(text_of(a, v), &d)))
			*(struct opt_f64 *)slot = (struct opt_f64){.has = true, .v = d};
		break;
	case WIRE_TIME:
		if (is_ok(time_read_iso8601(text_of(a, v), &i)) ||
			(is_ok(str_to_f64(text_of(a, v), &d)) && (i = (int64_t)(d * 1000), true)))
			*(struct opt_time *)slot = SOME_TIME(i);
		break;
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
}

void *cfn_api_input(
	struct arena *a, const struct wire_tables *t, uint16_t shape, const struct json_value *v, struct str *unknown)
{
	*unknown = STR("");
	if (shape == WIRE_NO_SHAPE) return arena_new(a, struct wire_nothing);
	struct filling f = {.a = a, .t = t, .unknown = BUF_IN(a)};
	void *in = arena_alloc(a, t->shapes[shape].size);
	if (v) fill_struct(&f, &t->shapes[shape], v, in);
	*unknown = buf_done(&f.unknown);
	return in;
}

static struct json_value *scalar(struct arena *a, enum json_type type, struct str text)
{
	struct json_value *v = arena_new(a, struct json_value);
	v->type = type;
	v->text = text;
	v->truth = str_is(text, "true");
	return v;
}

static struct json_value *emit(
	struct arena *a, const struct wire_tables *t, uint16_t shape, const void *slot, bool inlined);

static void push(struct json_value *parent, struct json_value ***last, struct str name, struct json_value *v)
{
	v->name = name;
	**last = v;
	*last = &v->next;
	parent->length++;
}

static struct json_value *emit_struct(
	struct arena *a, const struct wire_tables *t, const struct wire_shape *s, const char *from)
{
	struct json_value *o = scalar(a, JSON_IS_OBJECT, STR_NONE), **last = &o->first;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		struct json_value *v = emit(a, t, m->shape, from + m->offset, false);
		if (v) push(o, &last, wire_str(t, m->name), v);
	}
	return o;
}

static struct json_value *emit_many(
	struct arena *a, const struct wire_tables *t, const struct wire_shape *s, const struct wire_list *from)
{
	bool map = s->kind == WIRE_MAP;
	struct json_value *o = scalar(a, map ? JSON_IS_OBJECT : JSON_IS_ARRAY, STR_NONE), **last = &o->first;
	if (!from->v) return NULL;
	const char *at = from->v;
	for (size_t i = 0; i < from->n; i++, at += s->size) {
		struct json_value *v = emit(a, t, t->members[s->first + map].shape, at + (map ? sizeof(struct str) : 0),
			!(s->flags & WIRE_S_SPARSE));
		if (!v) v = scalar(a, JSON_IS_NULL, STR_NONE);
		push(o, &last, map ? ((const struct wire_map_entry *)(const void *)at)->key : STR_NONE, v);
	}
	return o;
}

static struct json_value *emit(
	struct arena *a, const struct wire_tables *t, uint16_t shape, const void *slot, bool inlined)
{
	const struct wire_shape *s = &t->shapes[shape];
	struct buf b = BUF_IN(a);
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT:
		if (!inlined) slot = *(void *const *)slot;
		return slot ? emit_struct(a, t, s, slot) : NULL;
	case WIRE_LIST:
	case WIRE_MAP:
		return emit_many(a, t, s, slot);
	case WIRE_DOCUMENT: {
		struct str text = *(const struct str *)slot;
		struct json_value *read;
		return str_has(text) && is_ok(json_read(a, str_dup(a, text), &read)) ? read : NULL;
	}
	case WIRE_STRING: {
		struct str text = *(const struct str *)slot;
		return str_has(text) ? scalar(a, JSON_IS_STRING, str_dup(a, text)) : NULL;
	}
	case WIRE_BLOB: {
		struct str bytes = *(const struct str *)slot;
		return str_has(bytes) ? scalar(a, JSON_IS_STRING, str_base64(a, bytes)) : NULL;
	}
	case WIRE_BOOL: {
		const struct opt_bool *v = slot;
		return v->has ? scalar(a, JSON_IS_BOOL, v->v ? STR("true") : STR("false")) : NULL;
	}
	case WIRE_I32: {
		const struct opt_i32 *v = slot;
		return v->has ? scalar(a, JSON_IS_NUMBER, str_fmt(a, "%d", v->v)) : NULL;
	}
	case WIRE_I64: {
		const struct opt_i64 *v = slot;
		return v->has ? scalar(a, JSON_IS_NUMBER, str_fmt(a, "%lld", (long long)v->v)) : NULL;
	}
	case WIRE_F32:
	case WIRE_F64: {
		const struct opt_f64 *v = slot;
		if (!v->has) return NULL;
		buf_f64(&b, v->v);
		return scalar(a, JSON_IS_NUMBER, buf_done(&b));
	}
	case WIRE_TIME: {
		const struct opt_time *v = slot;
		return v->has ? scalar(a, JSON_IS_STRING, time_iso8601(a, v->ms, true)) : NULL;
	}
	case WIRE_STREAM:
	case WIRE_EVENTS:
		return NULL;
	}
	return NULL;
}

struct json_value *cfn_api_output(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *v)
{
	if (shape == WIRE_NO_SHAPE) return scalar(a, JSON_IS_OBJECT, STR_NONE);
	return emit_struct(a, t, &t->shapes[shape], v);
}

static const struct wire_service *service_named(struct str name)
{
	for (size_t i = 0; i < wire_services_length; i++)
		if (str_eq(str_c(wire_services[i]->name), name)) return wire_services[i];
	return NULL;
}

static bool op_named(const struct wire_tables *t, struct str name, uint32_t *index)
{
	uint32_t low = 0, high = t->n_ops;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = str_cmp(wire_str(t, t->ops[mid].name), name);
		*index = mid;
		if (!c) return true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

const struct wire_tables *cfn_api_tables(struct str service, struct str op, uint16_t *input)
{
	const struct wire_service *s = service_named(service);
	uint32_t index;
	if (!s || !op_named(&s->tables, op, &index)) return NULL;
	*input = s->tables.ops[index].in;
	return &s->tables;
}

bool cfn_api_built(struct str service, struct str op)
{
	const struct wire_service *model = service_named(service);
	uint32_t index;
	if (!model || !op_named(&model->tables, op, &index)) return false;
	for (size_t i = 0; i < services_length; i++)
		if (services[i]->model == model) return services[i]->ops[index].handler != NULL;
	return false;
}

void cfn_api_body(struct cloud *cloud, const struct inside_caller *who, struct arena *a, const char *service,
	const char *op, const struct json_value *in, const struct str *body, struct cfn_api_answer *answer)
{
	const struct wire_service *model = service_named(str_c(service));
	uint32_t index = 0;
	struct str unknown;
	if (!model || !op_named(&model->tables, str_c(op), &index)) UNREACHABLE();
	const struct wire_tables *t = &model->tables;
	void *input = cfn_api_input(a, t, t->ops[index].in, in, &unknown);
	*answer = (struct cfn_api_answer){.http_status = 400,
		.code = STR("InvalidRequest"),
		.request_id = STR(""),
		.message = str_fmt(a, "Properties that %s does not take: %.*s", op, STR_ARG(unknown))};
	if (unknown.n) return;
	struct inside *i = inside_run(cloud, who, service, index, input, body);
	*answer = (struct cfn_api_answer){
		.ok = i->ok, .http_status = i->http_status, .code = STR_NONE, .message = STR_NONE};
	if (i->ok) {
		answer->out = cfn_api_output(a, t, t->ops[index].out, i->out);
	} else {
		answer->code = str_dup(a, i->code);
		answer->message = str_dup(a, str_or(i->message, STR("")));
	}
	answer->request_id = str_dup(a, i->request_id);
	inside_free(i);
}

void cfn_api(struct cloud *cloud, const struct inside_caller *who, struct arena *a, const char *service, const char *op,
	const struct json_value *in, struct cfn_api_answer *answer)
{
	cfn_api_body(cloud, who, a, service, op, in, NULL, answer);
}
