/* What can only be judged once all of a model is read. */
#include "modelc/check.h"
#include "base/vec.h"
#include "modelc/recursion.h"
#include <stdlib.h>

/* ── order ── */

static int by_shape_name(const void *a, const void *b)
{
	return str_cmp((*(struct shape *const *)a)->name, (*(struct shape *const *)b)->name);
}

static int by_op_name(const void *a, const void *b)
{
	return str_cmp((*(struct op *const *)a)->name, (*(struct op *const *)b)->name);
}

static int by_error_name(const void *a, const void *b)
{
	return str_cmp((*(struct error *const *)a)->name, (*(struct error *const *)b)->name);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct member *)a)->number, y = ((const struct member *)b)->number;
	return (x > y) - (x < y);
}

static void sort(void *v, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	if (n) qsort(v, n, size, compare);
}

/* ── shapes that stand without a declaration ── */

/* Stored records use these without declaring them; a service that needs limits declares its own. */
static void predeclare(struct model *m)
{
	static const struct {
		const char *name;
		enum wire_kind kind;
	} basics[] = {
		{"String", WIRE_STRING}, {"Integer", WIRE_I32}, {"Long", WIRE_I64}, {"Double", WIRE_F64},
		{"Boolean", WIRE_BOOL}, {"Timestamp", WIRE_TIME}, {"Blob", WIRE_BLOB},
	};
	for (size_t i = 0; i < sizeof basics / sizeof *basics; i++) {
		struct str name = str_c(basics[i].name);
		if (map_get(&m->shape_names, name)) continue;
		struct shape *s = arena_new(&m->arena, struct shape);
		*s = (struct shape){.at = {"predeclared", 1}, .name = name, .kind = basics[i].kind};
		*VEC_PUSH(&m->arena, &m->shapes, &m->shapes_capacity) = s;
		(void)map_set(&m->shape_names, name, s);
	}
}

/* ── shapes ── */

static bool unique_members(struct model *m, struct shape *s)
{
	struct map seen;
	map_init(&seen);
	bool ok = true;
	for (size_t i = 0; i < s->members.n && ok; i++) {
		struct member *d = &s->members.v[i];
		if (map_set(&seen, d->name, d)) ok = model_fail(m, d->at, "member %.*s is declared twice", STR_ARG(d->name));
	}
	map_cleanup(&seen, NULL);
	return ok;
}

static bool field_numbers(struct model *m, struct shape *s)
{
	if (s->kind != WIRE_STRUCT) return true;
	sort(s->members.v, s->members.n, sizeof *s->members.v, by_number);
	for (size_t i = 1; i < s->members.n; i++)
		if (s->members.v[i].number == s->members.v[i - 1].number)
			return model_fail(m, s->members.v[i].at, "field number %u is used twice", s->members.v[i].number);
	return true;
}

static bool resolve_members(struct model *m, struct shape *s)
{
	for (size_t i = 0; i < s->members.n; i++) {
		struct member *d = &s->members.v[i];
		d->shape = map_get(&m->shape_names, d->shape_name);
		if (!d->shape) return model_fail(m, d->at, "no shape is called %.*s", STR_ARG(d->shape_name));
		if (!str_has(d->wire_name)) d->wire_name = d->name;
		if (!d->time && d->shape->kind == WIRE_TIME) d->time = d->shape->time;
		enum wire_kind kind = d->shape->kind;
		if (s->kind != WIRE_STRUCT && (kind == WIRE_STREAM || kind == WIRE_EVENTS))
			return model_fail(m, d->at, "a stream can only be a struct's member");
		if (s->kind == WIRE_MAP && i == 0 && kind != WIRE_STRING)
			return model_fail(m, d->at, "a map's key is a string");
		if (d->location == WIRE_IN_HEADERS && kind != WIRE_MAP)
			return model_fail(m, d->at, "only a map is spread over headers");
		if (str_has(s->payload) && str_eq(s->payload, d->name)) s->payload_index = (uint16_t)(i + 1);
	}
	if (str_has(s->payload) && !s->payload_index)
		return model_fail(m, s->at, "the payload %.*s is no member", STR_ARG(s->payload));
	return true;
}

static bool check_shape(struct model *m, struct shape *s)
{
	if (s->has_min && s->has_max) {
		double low = 0, high = 0;
		memcpy(&low, &s->min, sizeof low);
		memcpy(&high, &s->max, sizeof high);
		if (s->is_float ? low > high : s->min > s->max) return model_fail(m, s->at, "min is greater than max");
	}
	if (s->kind == WIRE_STRUCT && !unique_members(m, s)) return false;
	if (m->state && !field_numbers(m, s)) return false;
	return resolve_members(m, s);
}

/* ── errors ── */

/* Exceptions are errors too; codes default to the name, the query protocol's to the code. */
static bool gather_errors(struct model *m)
{
	for (size_t i = 0; i < m->shapes.n; i++) {
		struct shape *s = m->shapes.v[i];
		if (!(s->flags & WIRE_S_EXCEPTION)) continue;
		struct error *e = arena_new(&m->arena, struct error);
		*e = (struct error){.at = s->at, .name = s->name, .code = s->code, .query_code = s->query_code,
			.status = s->status, .shape = s};
		*VEC_PUSH(&m->arena, &m->errors, &m->errors_capacity) = e;
	}
	sort(m->errors.v, m->errors.n, sizeof *m->errors.v, by_error_name);
	for (size_t i = 0; i < m->errors.n; i++) {
		struct error *e = m->errors.v[i];
		if (i && str_eq(e->name, m->errors.v[i - 1]->name))
			return model_fail(m, e->at, "error %.*s is declared twice", STR_ARG(e->name));
		if (!str_has(e->code)) e->code = e->name;
		if (!str_has(e->query_code)) e->query_code = e->code;
		if (e->shape) e->shape->error_index = (uint16_t)(i + 1);
	}
	return m->errors.n < WIRE_NO_SHAPE || model_fail(m, m->errors.v[0]->at, "too many errors for 16-bit indices");
}

static struct error **find_error(struct model *m, struct str name)
{
	struct error key = {.name = name}, *k = &key;
	if (!m->errors.n) return NULL;
	return bsearch(&k, m->errors.v, m->errors.n, sizeof *m->errors.v, by_error_name);
}

/* ── operations ── */

static bool side(struct model *m, struct op *op, struct str name, uint16_t stream_flag, struct shape **out)
{
	if (!str_has(name)) return true;
	struct shape *s = map_get(&m->shape_names, name);
	if (!s || s->kind != WIRE_STRUCT) return model_fail(m, op->at, "%.*s is no struct", STR_ARG(name));
	for (size_t i = 0; i < s->members.n; i++) {
		if (s->members.v[i].shape->kind == WIRE_STREAM) op->flags |= stream_flag;
		if (s->members.v[i].shape->kind == WIRE_EVENTS) op->flags |= WIRE_O_EVENTS;
	}
	*out = s;
	return true;
}

/* Every {Label} of the URI is a required member of the input that goes there, and the reverse. */
static bool uri_labels(struct model *m, struct op *op)
{
	size_t labels = 0, members = 0;
	for (struct str rest = op->uri; str_has(rest);) {
		(void)str_cut(&rest, '{');
		if (!str_has(rest)) break;
		struct str label = str_cut(&rest, '}');
		if (!str_has(rest)) return model_fail(m, op->at, "a label is not closed");
		if (str_ends(label, STR("+"))) label.n--;
		bool found = false;
		for (size_t i = 0; op->in && i < op->in->members.n && !found; i++) {
			struct member *d = &op->in->members.v[i];
			found = d->location == WIRE_IN_URI && str_eq(d->wire_name, label);
		}
		if (!found) return model_fail(m, op->at, "the label {%.*s} is no member of the input", STR_ARG(label));
		labels++;
	}
	for (size_t i = 0; op->in && i < op->in->members.n; i++) members += op->in->members.v[i].location == WIRE_IN_URI;
	return labels == members || model_fail(m, op->at, "labels and members of the URI differ in number");
}

static bool check_op(struct model *m, struct op *op)
{
	if (!side(m, op, op->in_shape, WIRE_O_STREAM_IN, &op->in)) return false;
	if (!side(m, op, op->out_shape, WIRE_O_STREAM_OUT, &op->out)) return false;
	op->error_indices = arena_new_n(&m->arena, uint16_t, op->errors.n);
	for (size_t i = 0; i < op->errors.n; i++) {
		struct error **e = find_error(m, op->errors.v[i]);
		if (!e) return model_fail(m, op->at, "no error is called %.*s", STR_ARG(op->errors.v[i]));
		op->error_indices[i] = (uint16_t)(e - m->errors.v);
	}
	return uri_labels(m, op);
}

/* ── all ── */

static bool check_service(struct model *m)
{
	if (!str_has(m->name)) return model_fail(m, m->at, "the service line is missing");
	if (!str_has(m->id) || !str_has(m->endpoint) || !str_has(m->signing) || !str_has(m->version) || !m->protocol)
		return model_fail(m, m->at, "a service needs id, endpoint, signing, protocols and version");
	if (!str_has(m->title)) m->title = m->id;
	return true;
}

bool model_check(struct model *m)
{
	if (str_has(m->problem)) return false;
	if (m->state)
		predeclare(m);
	else if (!check_service(m))
		return false;
	sort(m->shapes.v, m->shapes.n, sizeof *m->shapes.v, by_shape_name);
	sort(m->ops.v, m->ops.n, sizeof *m->ops.v, by_op_name);
	if (m->shapes.n >= WIRE_NO_SHAPE) return model_fail(m, m->shapes.v[0]->at, "too many shapes for 16-bit indices");
	for (size_t i = 0; i < m->shapes.n; i++) m->shapes.v[i]->index = (uint16_t)i;
	for (size_t i = 0; i < m->shapes.n; i++)
		if (!check_shape(m, m->shapes.v[i])) return false;
	if (!gather_errors(m)) return false;
	for (size_t i = 0; i < m->ops.n; i++)
		if (!check_op(m, m->ops.v[i])) return false;
	recursion_mark(m);
	return true;
}
