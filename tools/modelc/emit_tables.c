/* The arrays of struct wire_tables: see wire/desc.h for what each field means. */
#include "modelc/emit.h"
#include "modelc/layout.h"
#include "modelc/pool.h"
#include <stdlib.h>

struct tables {
	struct model *m;
	struct arena scratch;
	struct pool pool;
	struct buf shapes, members, constraints, extras, enums, errors, op_errors, ops, sorted;
	uint32_t n_members, n_constraints, n_extras, n_enums, n_op_errors, n_sorted;
};

static uint32_t extra(struct tables *t, struct str query_name, struct str xmlns, struct str prefix, struct str location)
{
	if (!str_has(query_name) && !str_has(xmlns) && !str_has(prefix) && !str_has(location)) return 0;
	buf_fmt(&t->extras, "\t{%u, %u, %u, %u},\n", pool_add(&t->pool, query_name), pool_add(&t->pool, xmlns),
		pool_add(&t->pool, prefix), pool_add(&t->pool, location));
	return t->n_extras++;
}

/* ── members ── */

static uint32_t member_bits(const struct shape *s, const struct member *d, size_t i)
{
	uint32_t bits = (uint32_t)d->location | (uint32_t)d->time << 3;
	if (d->required) bits |= WIRE_M_REQUIRED;
	if (d->flattened) bits |= WIRE_M_FLATTENED;
	if (d->attribute) bits |= WIRE_M_XML_ATTRIBUTE;
	if (d->token) bits |= WIRE_M_TOKEN;
	if (d->named) bits |= WIRE_M_NAMED;
	if (s->payload_index == i + 1) bits |= WIRE_M_PAYLOAD;
	if (d->host_label) bits |= WIRE_M_HOST_LABEL;
	if (d->shape->flags & WIRE_S_SENSITIVE) bits |= WIRE_M_SENSITIVE;
	return bits;
}

static void emit_member(struct tables *t, const struct shape *s, size_t i)
{
	const struct member *d = &s->members.v[i];
	uint32_t bits = member_bits(s, d, i) | extra(t, d->query_name, d->xmlns, d->prefix, STR_NONE) << WIRE_M_EXTRA;
	uint32_t name = pool_add(&t->pool, d->name);
	uint32_t wire_name = t->m->state && s->kind == WIRE_STRUCT ? d->number : pool_add(&t->pool, d->wire_name);
	buf_fmt(&t->members, "\t{%u, %u, ", name, wire_name);
	if (s->kind == WIRE_STRUCT)
		buf_fmt(&t->members, "offsetof(struct %.*s, %.*s)", STR_ARG(s->c_name), STR_ARG(d->c_name));
	else if (s->kind == WIRE_MAP && i == 1)
		buf_fmt(&t->members, "offsetof(struct %.*s, value)", STR_ARG(s->c_entry));
	else
		buf_lit(&t->members, "0");
	buf_fmt(&t->members, ", %u, %#x},\n", d->shape->index, bits);
	t->n_members++;
}

/* ── shapes ── */

static uint32_t constraint(struct tables *t, const struct shape *s)
{
	if (!s->has_min && !s->has_max && !str_has(s->pattern) && !s->enums.n) return 0;
	uint32_t first = t->n_enums;
	for (size_t i = 0; i < s->enums.n; i++) {
		buf_fmt(&t->enums, "%u,%s", pool_add(&t->pool, s->enums.v[i]), i % 16 == 15 ? "\n" : " ");
		t->n_enums++;
	}
	if (s->enums.n) buf_lit(&t->enums, "\n");
	/* INT64_MIN has no literal of its own in C, so both are written as the bits that they are. */
	buf_fmt(&t->constraints, "\t{%d, %d, %d, 0, %u, %u, %zu, (int64_t)%#llxull, (int64_t)%#llxull},\n", s->has_min,
		s->has_max, s->is_float, pool_add(&t->pool, s->pattern), first, s->enums.n, (unsigned long long)s->min,
		(unsigned long long)s->max);
	return t->n_constraints++;
}

struct sortable {
	struct str wire_name;
	size_t index;
};

static int by_wire_name(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;
	int order = str_cmp(x->wire_name, y->wire_name);
	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* 1 + where the struct's run in wire_tables.sorted begins; 0 where it has none. */
static uint32_t by_name(struct tables *t, const struct shape *s)
{
	if (s->kind != WIRE_STRUCT || s->members.n <= 8 || t->m->state) return 0;
	struct sortable *v = arena_new_n(&t->scratch, struct sortable, s->members.n);
	for (size_t i = 0; i < s->members.n; i++) v[i] = (struct sortable){s->members.v[i].wire_name, i};
	qsort(v, s->members.n, sizeof *v, by_wire_name);
	buf_lit(&t->sorted, "\t");
	for (size_t i = 0; i < s->members.n; i++) buf_fmt(&t->sorted, "%zu, ", v[i].index);
	buf_lit(&t->sorted, "\n");
	uint32_t first = t->n_sorted;
	t->n_sorted += (uint32_t)s->members.n;
	return first + 1;
}

static bool emit_shape(struct tables *t, const struct shape *s)
{
	uint32_t first = t->n_members, run = by_name(t, s), c = constraint(t, s);
	uint32_t x = extra(t, STR_NONE, s->xmlns, s->prefix, s->location_name);
	size_t count = s->kind == WIRE_EVENTS ? 0 : s->members.n;
	for (size_t i = 0; i < count; i++) emit_member(t, s, i);
	struct str size = layout_sizeof(&t->scratch, s);
	buf_fmt(&t->shapes, "\t{%d, %d, %#x, %u, %.*s, %u, %zu, %u, %u, %u, %u, %u},\n", (int)s->kind, (int)s->time,
		s->flags, pool_add(&t->pool, s->name), STR_ARG(size), first, count, s->payload_index, c, x,
		s->error_index, run);
	if (run <= 0xffff && t->n_constraints <= 0x10000 && t->n_extras <= 0x10000) return true;
	return model_fail(t->m, s->at, "the tables outgrow their 16-bit indices");
}

/* ── errors, operations ── */

static void emit_error(struct tables *t, const struct error *e)
{
	buf_fmt(&t->errors, "\t{%u, %u, %u, %u, %#x},\n", pool_add(&t->pool, e->name), pool_add(&t->pool, e->code),
		pool_add(&t->pool, e->query_code), e->status, e->shape ? e->shape->index : WIRE_NO_SHAPE);
}

static void emit_op(struct tables *t, const struct op *op)
{
	uint32_t first = t->n_op_errors;
	for (size_t i = 0; i < op->errors.n; i++) buf_fmt(&t->op_errors, "%u, ", op->error_indices[i]);
	if (op->errors.n) buf_lit(&t->op_errors, "\n");
	t->n_op_errors += (uint32_t)op->errors.n;
	buf_fmt(&t->ops, "\t{%u, %u, %u, %u, %u, %u, %zu, %#x, %#x, %u, %#x, %u, %u},\n", pool_add(&t->pool, op->name),
		pool_add(&t->pool, op->uri), pool_add(&t->pool, op->wrapper), pool_add(&t->pool, op->in_name),
		pool_add(&t->pool, op->in_xmlns), first, op->errors.n, op->in ? op->in->index : WIRE_NO_SHAPE,
		op->out ? op->out->index : WIRE_NO_SHAPE, op->code, op->flags, op->method, op->checksum);
}

/* ── all ── */

static void array(struct buf *out, const char *type, const char *name, const char *before, const struct buf *b)
{
	buf_fmt(out, "static const %s %s[] = {\n%s", type, name, before);
	buf_str(out, buf_done(b));
	/* C has no empty arrays; nobody counts this last one. */
	bool scalars = str_starts(str_c(type), STR("uint"));
	buf_fmt(out, "\t%s\n};\n\n", scalars ? "0" : "{0}");
}

static bool strings_fit(struct model *m)
{
	for (size_t i = 0; i < m->shapes.n; i++) {
		struct shape *s = m->shapes.v[i];
		bool fits = pool_fits(s->pattern) && pool_fits(s->xmlns) && pool_fits(s->prefix) &&
			    pool_fits(s->location_name) && pool_fits(s->code) && pool_fits(s->query_code);
		for (size_t j = 0; j < s->enums.n; j++) fits = fits && pool_fits(s->enums.v[j]);
		for (size_t j = 0; j < s->members.n; j++) {
			struct member *d = &s->members.v[j];
			fits = fits && pool_fits(d->wire_name) && pool_fits(d->query_name) && pool_fits(d->xmlns) &&
			       pool_fits(d->prefix);
		}
		if (!fits) return model_fail(m, s->at, "a string of more than 65535 bytes");
	}
	for (size_t i = 0; i < m->ops.n; i++) {
		struct op *op = m->ops.v[i];
		if (!pool_fits(op->uri) || !pool_fits(op->wrapper) || !pool_fits(op->in_name) ||
			!pool_fits(op->in_xmlns) || op->errors.n > 0xffff)
			return model_fail(m, op->at, "a string of more than 65535 bytes");
	}
	for (size_t i = 0; i < m->errors.n; i++)
		if (!pool_fits(m->errors.v[i]->code) || !pool_fits(m->errors.v[i]->query_code))
			return model_fail(m, m->errors.v[i]->at, "a string of more than 65535 bytes");
	return true;
}

bool emit_arrays(struct model *m, struct buf *out)
{
	if (!strings_fit(m)) return false;
	struct tables *t = mem_new(sizeof *t);
	t->m = m;
	t->n_constraints = t->n_extras = 1;
	arena_init(&t->scratch);
	pool_init(&t->pool);
	bool ok = true;
	for (size_t i = 0; i < m->shapes.n && ok; i++) ok = emit_shape(t, m->shapes.v[i]);
	for (size_t i = 0; i < m->errors.n; i++) emit_error(t, m->errors.v[i]);
	for (size_t i = 0; i < m->ops.n; i++) emit_op(t, m->ops.v[i]);
	pool_emit(&t->pool, out);
	array(out, "struct wire_member", "members", "", &t->members);
	array(out, "struct wire_shape", "shapes", "", &t->shapes);
	array(out, "struct wire_constraint", "constraints", "\t{0},\n", &t->constraints);
	array(out, "struct wire_extra", "extras", "\t{0},\n", &t->extras);
	array(out, "uint32_t", "enums", "", &t->enums);
	array(out, "struct wire_error", "errors", "", &t->errors);
	array(out, "uint16_t", "op_errors", "", &t->op_errors);
	array(out, "struct wire_op", "ops", "", &t->ops);
	array(out, "uint16_t", "sorted", "", &t->sorted);
	buf_fmt(out, "enum { N_MEMBERS = %u };\n\n", t->n_members);
	struct buf *bufs[] = {&t->shapes, &t->members, &t->constraints, &t->extras, &t->enums, &t->errors,
		&t->op_errors, &t->ops, &t->sorted};
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_cleanup(bufs[i]);
	pool_cleanup(&t->pool);
	arena_cleanup(&t->scratch);
	free(t);
	return ok;
}

void emit_tables_initializer(const struct model *m, struct buf *out)
{
	buf_fmt(out,
		"{pool, shapes, members, constraints, extras, enums, errors, op_errors, ops, sorted, %zu, N_MEMBERS, "
		"%zu, %zu}",
		m->shapes.n, m->errors.n, m->ops.n);
}
