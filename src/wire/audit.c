/* What a request said, without its secrets. */
#include "wire/audit.h"
#include "clock/clock.h"
#include "wire/internal.h"

static bool left_out(const struct wire_audit *how, struct str name)
{
	struct str rest = how->left_out ? str_c(how->left_out) : STR_NONE;
	while (str_has(rest))
		if (str_eq(str_cut(&rest, ' '), name)) return true;
	return false;
}

static bool bulky(enum wire_kind k)
{
	return k == WIRE_BLOB || k == WIRE_STREAM || k == WIRE_EVENTS;
}

/* DBInstanceIdentifier is told as dBInstanceIdentifier: only the first letter changes. */
static void name(struct buf *b, struct str n, const char *behind, bool keep, bool *comma)
{
	if (*comma) buf_byte(b, ',');
	*comma = true;
	buf_byte(b, '"');
	bool upper = n.n && n.p[0] >= 'A' && n.p[0] <= 'Z' && !keep;
	if (upper) buf_byte(b, (char)(n.p[0] - 'A' + 'a'));
	buf_str(b, str_from(n, upper));
	buf_str(b, str_c(behind));
	buf_lit(b, "\":");
}

/* "Mar 24, 2014 9:11:59 PM" */
static void time_in_words(struct buf *b, int64_t ms)
{
	struct arena a;
	arena_init(&a);
	struct str t = time_rfc822(&a, ms); /* Mon, 24 Mar 2014 21:11:59 GMT */
	unsigned hour = (unsigned)(t.p[17] - '0') * 10 + (unsigned)(t.p[18] - '0');
	struct str day = str_sub(t, t.p[5] == '0' ? 6 : 5, t.p[5] == '0' ? 1 : 2);
	buf_fmt(b, "\"%.*s %.*s, %.*s %u:%.*s %s\"", 3, t.p + 8, STR_ARG(day), 4, t.p + 12, hour % 12 ? hour % 12 : 12,
		5, t.p + 20, hour < 12 ? "AM" : "PM");
	arena_cleanup(&a);
}

static void value(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *slot, bool pointer,
	const struct wire_audit *how);

static void list(struct buf *b, const struct wire_tables *t, const struct wire_shape *s, const void *slot,
	const struct wire_audit *how)
{
	const struct wire_list *l = slot;
	const struct wire_member *e = &t->members[s->first];
	bool scalar = t->shapes[e->shape].kind != WIRE_STRUCT;
	if (how->sets) buf_lit(b, "{\"items\":");
	buf_byte(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i) buf_byte(b, ',');
		bool wrapped = how->sets && scalar, none = false;
		if (wrapped) {
			/* An element's name is its list's singular: InstanceId; where it has none, it is a value. */
			struct str n = wire_str(t, e->wire_name);
			buf_byte(b, '{');
			name(b, str_is(n, "member") || str_is(n, "item") ? STR("value") : n, "", false, &none);
		}
		value(b, t, e->shape, wire_element(s, l->v, i), wire_holds_pointers(s), how);
		if (wrapped) buf_byte(b, '}');
	}
	buf_byte(b, ']');
	if (how->sets) buf_byte(b, '}');
}

static void map(struct buf *b, const struct wire_tables *t, const struct wire_shape *s, const void *slot,
	const struct wire_audit *how)
{
	const struct wire_list *l = slot;
	const struct wire_member *of = &t->members[s->first + 1];
	buf_byte(b, '{');
	for (size_t i = 0; i < l->n; i++) {
		const struct wire_map_entry *e = wire_element(s, l->v, i);
		if (i) buf_byte(b, ',');
		wire_json_string(b, e->key);
		buf_byte(b, ':');
		value(b, t, of->shape, (const char *)e + of->offset, wire_holds_pointers(s), how);
	}
	buf_byte(b, '}');
}

static void value(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *slot, bool pointer,
	const struct wire_audit *how)
{
	const struct wire_shape *s = &t->shapes[shape];
	enum wire_kind kind = (enum wire_kind)s->kind;
	bool comma = false;
	if (s->flags & WIRE_S_SENSITIVE && kind != WIRE_STRUCT) {
		buf_lit(b, "\"HIDDEN_DUE_TO_SECURITY_REASONS\"");
	} else if (bulky(kind) || wire_is_absent(s, slot, pointer)) {
		buf_lit(b, "null");
	} else if (kind == WIRE_STRUCT) {
		buf_byte(b, '{');
		wire_audit_members(b, t, shape, wire_struct_in(slot, pointer), how, &comma);
		buf_byte(b, '}');
	} else if (kind == WIRE_LIST) {
		list(b, t, s, slot, how);
	} else if (kind == WIRE_MAP) {
		map(b, t, s, slot, how);
	} else if (kind == WIRE_STRING) {
		wire_json_string(b, *(const struct str *)slot);
	} else if (kind == WIRE_TIME) {
		int64_t ms = ((const struct opt_time *)slot)->ms;
		if (how->sets)
			buf_i64(b, ms);
		else
			time_in_words(b, ms);
	} else if (kind == WIRE_F32 || kind == WIRE_F64) {
		double v = ((const struct opt_f64 *)slot)->v;
		if (v - v == 0)
			buf_f64(b, v);
		else
			buf_lit(b, "null");
	} else {
		wire_scalar_write(b, s, WIRE_TIME_UNIX, false, slot);
	}
}

void wire_audit_members(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *p,
	const struct wire_audit *how, bool *comma)
{
	if (shape == WIRE_NO_SHAPE) return;
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		const struct wire_shape *of = &t->shapes[m->shape];
		const void *slot = (const char *)p + m->offset;
		struct str n = wire_str(t, how->sets || how->as_modelled ? m->wire_name : m->name);
		if (bulky((enum wire_kind)of->kind) || wire_is_absent(of, slot, true)) continue;
		if (how->as_modelled && WIRE_LOCATION(m) != WIRE_IN_BODY) continue;
		if (left_out(how, wire_str(t, m->name))) continue;
		bool set = how->sets && of->kind == WIRE_LIST && !str_ends(n, STR("Set"));
		/* "instancesSet": the one list whose name has always been the plural's. */
		if (set && str_is(n, "InstanceId")) n = STR("instances");
		name(b, n, set ? "Set" : "", how->as_modelled, comma);
		value(b, t, m->shape, slot, true, how);
	}
}
