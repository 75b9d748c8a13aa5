/* Members from one shape to another by their names. */
#include "wire/shape.h"

static const struct wire_member *member_named(const struct wire_tables *t, const struct wire_shape *s, struct str name)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (str_eq(wire_str(t, t->members[s->first + i].name), name)) return &t->members[s->first + i];
	return NULL;
}

struct copy {
	struct arena *a;
	const struct wire_tables *from, *to;
};

static void copy_list(struct copy *k, const struct wire_shape *fs, const struct wire_list *from,
	const struct wire_shape *ts, struct wire_list *to);

static void copy_struct(
	struct copy *k, const struct wire_shape *fs, const char *from, const struct wire_shape *ts, char *to);

static void copy_number(const struct wire_shape *fs, const char *from, const struct wire_shape *ts, char *to)
{
	int64_t v;
	if (fs->kind == WIRE_I32) {
		struct opt_i32 o;
		memcpy(&o, from, sizeof(o));
		if (!o.has) return;
		v = o.v;
	} else {
		struct opt_i64 o;
		memcpy(&o, from, sizeof(o));
		if (!o.has) return;
		v = o.v;
	}
	struct opt_i32 narrow = SOME_I32((int32_t)v);
	struct opt_i64 wide = SOME_I64(v);
	if (ts->kind == WIRE_I32)
		memcpy(to, &narrow, sizeof(narrow));
	else
		memcpy(to, &wide, sizeof(wide));
}

static bool is_number(uint8_t kind)
{
	return kind == WIRE_I32 || kind == WIRE_I64;
}

/* One value of a member or element. `in_list`: structs lie inline. */
static void copy_value(struct copy *k, const struct wire_shape *fs, const char *from, const struct wire_shape *ts,
	char *to, bool in_list)
{
	if (is_number(fs->kind) && is_number(ts->kind)) {
		copy_number(fs, from, ts, to);
		return;
	}
	if (fs->kind != ts->kind) return;
	switch ((enum wire_kind)fs->kind) {
	case WIRE_STRUCT:
		if (in_list) {
			copy_struct(k, fs, from, ts, to);
		} else {
			const char *child;
			memcpy(&child, from, sizeof(child));
			if (!child) return;
			char *made;
			memcpy(&made, to, sizeof(made));
			if (!made) made = arena_alloc(k->a, ts->size);
			copy_struct(k, fs, child, ts, made);
			memcpy(to, &made, sizeof(made));
		}
		break;
	case WIRE_LIST:
		copy_list(k, fs, (const struct wire_list *)(const void *)from, ts, (struct wire_list *)(void *)to);
		break;
	case WIRE_STRING:
	case WIRE_BLOB:
	case WIRE_DOCUMENT: {
		struct str s;
		memcpy(&s, from, sizeof(s));
		if (str_has(s)) memcpy(to, &s, sizeof(s));
		break;
	}
	case WIRE_BOOL: {
		struct opt_bool b;
		memcpy(&b, from, sizeof(b));
		if (b.has) memcpy(to, &b, sizeof(b));
		break;
	}
	case WIRE_F32:
	case WIRE_F64: {
		struct opt_f64 d;
		memcpy(&d, from, sizeof(d));
		if (d.has) memcpy(to, &d, sizeof(d));
		break;
	}
	case WIRE_TIME: {
		struct opt_time t;
		memcpy(&t, from, sizeof(t));
		if (t.has) memcpy(to, &t, sizeof(t));
		break;
	}
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_MAP:
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
}

static void copy_list(struct copy *k, const struct wire_shape *fs, const struct wire_list *from,
	const struct wire_shape *ts, struct wire_list *to)
{
	if (!from->v) return;
	const struct wire_shape *fe = &k->from->shapes[k->from->members[fs->first].shape];
	const struct wire_shape *te = &k->to->shapes[k->to->members[ts->first].shape];
	to->v = arena_array(k->a, from->n, ts->size);
	to->n = from->n;
	for (size_t i = 0; i < from->n; i++)
		copy_value(k, fe, (const char *)from->v + i * fs->size, te, (char *)to->v + i * ts->size, true);
}

static void copy_struct(
	struct copy *k, const struct wire_shape *fs, const char *from, const struct wire_shape *ts, char *to)
{
	for (uint32_t i = 0; i < ts->count; i++) {
		const struct wire_member *tm = &k->to->members[ts->first + i];
		const struct wire_member *fm = member_named(k->from, fs, wire_str(k->to, tm->name));
		if (fm)
			copy_value(k, &k->from->shapes[fm->shape], from + fm->offset, &k->to->shapes[tm->shape],
				to + tm->offset, false);
	}
}

void wire_shape_copy(struct arena *a, const struct wire_tables *from_tables, uint16_t from_shape, const void *from,
	const struct wire_tables *to_tables, uint16_t to_shape, void *to)
{
	struct copy k = {a, from_tables, to_tables};
	copy_struct(&k, &from_tables->shapes[from_shape], from, &to_tables->shapes[to_shape], to);
}
