/* The model's constraints on a decoded input, refused in the words of AWS's services:
 *     2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null;
 * Value … S3 checks only what is required (its limits have errors of their own: KeyTooLongError, InvalidBucketName, …),
 * EC2 and RDS name a missing parameter. */
#include "wire/internal.h"
#include "wire/pattern.h"

#define MAX_ERRORS 25
#define MAX_VALUE 1024 /* bytes of a value that a message repeats */

struct checker {
	struct arena *a;
	const struct wire_tables *t;
	struct buf text; /* the errors so far, separated by "; " */
	unsigned n;
	const struct wire_member *first_missing;
	bool missing_only;
};

/* Where a value is: 'tags.1.member.key'. */
struct place {
	const struct place *parent;
	struct str name; /* a member's or a map key */
	size_t index;    /* of a list's element, from 1; 0: name counts */
	bool lower;      /* names begin with a small letter */
};

static void put_place(struct buf *b, const struct place *p)
{
	if (p->parent) {
		put_place(b, p->parent);
		buf_byte(b, '.');
	}
	if (p->index) {
		buf_fmt(b, "%zu.member", p->index);
		return;
	}
	size_t at = b->n;
	buf_str(b, p->name);
	if (p->lower && b->n > at && b->p[at] >= 'A' && b->p[at] <= 'Z') b->p[at] = (char)(b->p[at] - 'A' + 'a');
	if (!p->lower) buf_lit(b, ".member");
}

/* ── values as messages repeat them ── */
static void put_value(struct buf *b, const struct wire_tables *t, const struct wire_shape *s, const void *slot,
	bool pointer, size_t limit)
{
	if (b->n > limit) return;
	if (wire_is_absent(s, slot, pointer)) {
		buf_lit(b, "null");
		return;
	}
	switch ((enum wire_kind)s->kind) {
	case WIRE_LIST:
	case WIRE_MAP: {
		const struct wire_list *l = slot;
		const struct wire_member *of = &t->members[s->first + (s->kind == WIRE_MAP)];
		buf_byte(b, s->kind == WIRE_MAP ? '{' : '[');
		for (size_t i = 0; i < l->n && b->n <= limit; i++) {
			const char *e = wire_element(s, l->v, i);
			if (i) buf_lit(b, ", ");
			if (s->kind == WIRE_MAP) {
				buf_str(b, ((const struct wire_map_entry *)(const void *)e)->key);
				buf_byte(b, '=');
				e += of->offset;
			}
			put_value(b, t, &t->shapes[of->shape], e, wire_holds_pointers(s), limit);
		}
		buf_byte(b, s->kind == WIRE_MAP ? '}' : ']');
		return;
	}
	case WIRE_STRUCT: {
		const char *p = wire_struct_in(slot, pointer);
		bool comma = false;
		buf_str(b, wire_str(t, s->name));
		buf_byte(b, '(');
		for (uint32_t i = 0; i < s->count && b->n <= limit; i++) {
			const struct wire_member *m = &t->members[s->first + i];
			if (wire_is_absent(&t->shapes[m->shape], p + m->offset, true)) continue;
			if (comma) buf_lit(b, ", ");
			comma = true;
			buf_str(b, wire_str(t, m->name));
			buf_byte(b, '=');
			if ((m->bits & WIRE_M_SENSITIVE) || (t->shapes[m->shape].flags & WIRE_S_SENSITIVE))
				buf_lit(b, "***");
			else
				put_value(b, t, &t->shapes[m->shape], p + m->offset, true, limit);
		}
		buf_byte(b, ')');
		return;
	}
	case WIRE_STRING: {
		struct str text = *(const struct str *)slot;
		size_t n = text.n < MAX_VALUE ? text.n : MAX_VALUE;
		while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80) n--; /* no half code points */
		buf_add(b, text.p, n);
		return;
	}
	case WIRE_BLOB:
		buf_lit(b, "java.nio.HeapByteBuffer[pos=0 lim=");
		buf_fmt(b, "%zu cap=%zu]", ((const struct str *)slot)->n, ((const struct str *)slot)->n);
		return;
	case WIRE_BOOL:
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_F32:
	case WIRE_F64:
	case WIRE_TIME:
	case WIRE_DOCUMENT:
		wire_scalar_write(b, s, WIRE_TIME_ISO8601, false, slot);
		return;
	case WIRE_STREAM:
	case WIRE_EVENTS:
		return;
	}
}

static void begin_error(
	struct checker *c, const struct place *p, const struct wire_shape *s, const void *slot, bool pointer)
{
	if (c->n++) buf_lit(&c->text, "; ");
	if (slot && (s->flags & WIRE_S_SENSITIVE)) {
		buf_lit(&c->text, "Value at '");
	} else if (slot) {
		buf_lit(&c->text, "Value '");
		put_value(&c->text, c->t, s, slot, pointer, c->text.n + MAX_VALUE);
		buf_lit(&c->text, "' at '");
	} else {
		buf_lit(&c->text, "Value null at '");
	}
	put_place(&c->text, p);
	buf_lit(&c->text, "' failed to satisfy constraint: ");
}

/* ── constraints ── */
enum broken { NONE = 0, SHORT = 1, LONG = 2, PATTERN = 4, ENUM = 8 };

static bool in_enum(const struct wire_tables *t, const struct wire_constraint *k, struct str s)
{
	for (uint32_t i = 0; i < k->enum_count; i++)
		if (str_eq(wire_str(t, t->enums[k->enum_first + i]), s)) return true;
	return false;
}

static unsigned range_i64(const struct wire_constraint *k, int64_t v)
{
	return (k->has_min && v < k->min ? SHORT : 0u) | (k->has_max && v > k->max ? LONG : 0u);
}
/* Code points are at least a quarter of the bytes and at most all: mostly enough to know. */
static unsigned range_length(const struct wire_constraint *k, struct str v)
{
	if ((!k->has_max || (int64_t)v.n <= k->max) && (!k->has_min || (int64_t)((v.n + 3) / 4) >= k->min)) return 0;
	return range_i64(k, (int64_t)str_utf8_length(v));
}
static unsigned range_f64(const struct wire_constraint *k, double v)
{
	double min, max;
	if (!k->is_float) {
		min = (double)k->min;
		max = (double)k->max;
	} else {
		memcpy(&min, &k->min, 8);
		memcpy(&max, &k->max, 8);
	}
	return (k->has_min && v < min ? SHORT : 0u) | (k->has_max && v > max ? LONG : 0u);
}

static unsigned broken(
	const struct wire_tables *t, const struct wire_shape *s, const struct wire_constraint *k, const void *slot)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRING: {
		struct str v = *(const struct str *)slot;
		unsigned b = k->has_min || k->has_max ? range_length(k, v) : 0u;
		if (k->enum_count && !in_enum(t, k, v)) b |= ENUM;
		if (k->pattern && !wire_pattern_matches(wire_str(t, k->pattern), v)) b |= PATTERN;
		return b;
	}
	case WIRE_BLOB:
		return range_i64(k, (int64_t)((const struct str *)slot)->n);
	case WIRE_LIST:
	case WIRE_MAP:
		return range_i64(k, (int64_t)((const struct wire_list *)slot)->n);
	case WIRE_I32:
		return range_i64(k, ((const struct opt_i32 *)slot)->v);
	case WIRE_I64:
		return range_i64(k, ((const struct opt_i64 *)slot)->v);
	case WIRE_F32:
	case WIRE_F64:
		return range_f64(k, ((const struct opt_f64 *)slot)->v);
	case WIRE_STRUCT:
	case WIRE_BOOL:
	case WIRE_TIME:
	case WIRE_DOCUMENT:
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
	return NONE;
}

static void put_bound(struct buf *b, const struct wire_constraint *k, int64_t v)
{
	double d;
	if (!k->is_float) {
		buf_i64(b, v);
		return;
	}
	memcpy(&d, &v, 8);
	buf_f64(b, d);
}

static void put_constraint(
	struct checker *c, const struct wire_shape *s, const struct wire_constraint *k, enum broken which)
{
	struct buf *b = &c->text;
	bool number = s->kind == WIRE_I32 || s->kind == WIRE_I64 || s->kind == WIRE_F32 || s->kind == WIRE_F64;
	switch (which) {
	case SHORT:
		buf_fmt(b, "Member must have %s greater than or equal to ", number ? "value" : "length");
		put_bound(b, k, k->min);
		break;
	case LONG:
		buf_fmt(b, "Member must have %s less than or equal to ", number ? "value" : "length");
		put_bound(b, k, k->max);
		break;
	case PATTERN:
		buf_lit(b, "Member must satisfy regular expression pattern: ");
		buf_str(b, wire_str(c->t, k->pattern));
		break;
	case ENUM:
		buf_lit(b, "Member must satisfy enum value set: [");
		for (uint32_t i = 0; i < k->enum_count; i++) {
			if (i) buf_lit(b, ", ");
			buf_str(b, wire_str(c->t, c->t->enums[k->enum_first + i]));
		}
		buf_byte(b, ']');
		break;
	case NONE:
		break;
	}
}

static void check_own(struct checker *c, const struct place *p, const struct wire_shape *s, const void *slot)
{
	if (!s->constraint || c->missing_only) return;
	const struct wire_constraint *k = &c->t->constraints[s->constraint];
	unsigned b = broken(c->t, s, k, slot);
	for (unsigned bit = 1; b && bit <= ENUM; bit <<= 1) {
		if (!(b & bit) || c->n >= MAX_ERRORS) continue;
		begin_error(c, p, s, slot, true);
		put_constraint(c, s, k, (enum broken)bit);
	}
}

/* All constraints of a scalar element or key, as AWS lists them when one of the elements breaks any. */
static void element_error(struct checker *c, const struct place *p, const struct wire_shape *list, const void *slot,
	const char *what, const struct wire_shape *of)
{
	const struct wire_constraint *k = &c->t->constraints[of->constraint];
	const bool has[] = {k->has_max, k->has_min, k->pattern != 0, k->enum_count != 0};
	const enum broken which[] = {LONG, SHORT, PATTERN, ENUM};
	bool comma = false;
	begin_error(c, p, list, slot, true);
	buf_fmt(&c->text, "%s must satisfy constraint: [", what);
	for (size_t i = 0; i < 4; i++) {
		if (!has[i]) continue;
		if (comma) buf_lit(&c->text, ", ");
		comma = true;
		put_constraint(c, of, k, which[i]);
	}
	buf_byte(&c->text, ']');
}

static void check_struct(struct checker *c, const struct place *parent, uint16_t shape, const void *p);

static bool is_compound(const struct wire_shape *s)
{
	return s->kind == WIRE_STRUCT || s->kind == WIRE_LIST || s->kind == WIRE_MAP;
}

static void check_value(struct checker *c, const struct place *p, uint16_t shape, const void *slot, bool pointer);

static void check_many(struct checker *c, const struct place *p, const struct wire_shape *s, const struct wire_list *l)
{
	bool map = s->kind == WIRE_MAP, keys_told = false;
	const struct wire_member *of = &c->t->members[s->first + map];
	const struct wire_shape *vs = &c->t->shapes[of->shape],
				*ks = map ? &c->t->shapes[c->t->members[s->first].shape] : NULL;
	bool constrained_key = ks && ks->constraint && !c->missing_only;
	if (!is_compound(vs) && !vs->constraint && !constrained_key) return;
	if (!is_compound(vs) && c->missing_only) return;
	for (size_t i = 0; i < l->n && c->n < MAX_ERRORS; i++) {
		const char *e = wire_element(s, l->v, i);
		struct place at = {p, STR_NONE, i + 1, false};
		if (map) {
			const struct wire_map_entry *entry = (const struct wire_map_entry *)(const void *)e;
			if (constrained_key && !keys_told &&
				broken(c->t, ks, &c->t->constraints[ks->constraint], &entry->key)) {
				element_error(c, p, s, l, "Map keys", ks);
				keys_told = true;
			}
			at = (struct place){p, entry->key, 0, false};
			e += of->offset;
		}
		if (wire_is_absent(vs, e, wire_holds_pointers(s))) continue;
		if (is_compound(vs)) {
			check_value(c, &at, of->shape, e, wire_holds_pointers(s));
		} else if (vs->constraint && broken(c->t, vs, &c->t->constraints[vs->constraint], e)) {
			element_error(c, p, s, l, map ? "Map value" : "Member", vs);
			return;
		}
	}
}

static void check_value(struct checker *c, const struct place *p, uint16_t shape, const void *slot, bool pointer)
{
	const struct wire_shape *s = &c->t->shapes[shape];
	check_own(c, p, s, slot);
	if (s->kind == WIRE_STRUCT)
		check_struct(c, p, shape, wire_struct_in(slot, pointer));
	else if (s->kind == WIRE_LIST || s->kind == WIRE_MAP)
		check_many(c, p, s, slot);
}

static void check_struct(struct checker *c, const struct place *parent, uint16_t shape, const void *p)
{
	const struct wire_shape *s = &c->t->shapes[shape];
	for (int required = 1; required >= 0; required--)
		for (uint32_t i = 0; i < s->count && c->n < MAX_ERRORS; i++) {
			const struct wire_member *m = &c->t->members[s->first + i];
			if (required && !(m->bits & WIRE_M_REQUIRED)) continue;
			const struct wire_shape *of = &c->t->shapes[m->shape];
			const void *slot = (const char *)p + m->offset;
			bool absent = wire_is_absent(of, slot, true);
			if (absent != (required != 0)) continue;
			struct place at = {parent, wire_str(c->t, m->name), 0, true};
			if (required) {
				if (of->kind == WIRE_STREAM || of->kind == WIRE_EVENTS) continue;
				if (!c->first_missing) c->first_missing = m;
				begin_error(c, &at, of, NULL, true);
				buf_lit(&c->text, "Member must not be null");
			} else {
				check_value(c, &at, m->shape, slot, true);
			}
		}
}

/* ── how each service says it ── */
static bool is_one_of(const struct wire_service *s, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(s->name, *names) == 0) return true;
	return false;
}
static const char *const parameter_services[] = {"rds", "redshift", "elasticache", "cloudwatch", "sqs", NULL};

static status missing_parameter(
	struct arena *a, const struct wire_match *m, const struct wire_member *missing, struct wire_failure *why)
{
	const struct wire_tables *t = &m->service->tables;
	const struct wire_extra *x = wire_extra_of(t, missing);
	struct str name = str_dup(a, wire_str(t, x && x->query_name        ? x->query_name
						 : m->protocol == WIRE_EC2 ? missing->wire_name
									   : missing->name));
	struct buf b = BUF_IN(a);
	buf_lit(&b, "The request must contain the parameter ");
	size_t at = b.n;
	buf_str(&b, name);
	if (m->protocol == WIRE_EC2 && b.p[at] >= 'a' && b.p[at] <= 'z') b.p[at] = (char)(b.p[at] - 'a' + 'A');
	if (m->protocol != WIRE_EC2) buf_byte(&b, '.');
	return wire_fail(why, ERR_MISSING_PARAMETER, buf_done(&b));
}

static status missing_in_s3(
	struct arena *a, const struct wire_tables *t, const struct wire_member *missing, struct wire_failure *why)
{
	struct str name = wire_str(t, missing->wire_name);
	if (WIRE_LOCATION(missing) == WIRE_IN_HEADER)
		return wire_fail(why, ERR_MISSING_PARAMETER,
			str_fmt(a, "Missing required header for this request: %.*s", STR_ARG(name)));
	if (WIRE_LOCATION(missing) == WIRE_IN_QUERY)
		return wire_fail(why, ERR_VALIDATION,
			str_fmt(a, "Missing required parameter for this request: %.*s", STR_ARG(name)));
	if (missing->bits & WIRE_M_PAYLOAD)
		return wire_fail(why, ERR_MISSING_PARAMETER, STR("Request is missing the request body."));
	return wire_fail(why, ERR_SERIALIZATION,
		STR("The XML you provided was not well-formed or did not validate against our published schema"));
}

status wire_validate(struct arena *a, const struct wire_match *m, const void *in, struct wire_failure *why)
{
	if (m->op->in == WIRE_NO_SHAPE) return OK;
	bool s3 = strcmp(m->service->name, "s3") == 0;
	struct checker c = {.a = a, .t = &m->service->tables, .text = BUF_IN(a), .missing_only = s3};
	check_struct(&c, NULL, m->op->in, in);
	if (!c.n) return OK;
	if (s3) return missing_in_s3(a, c.t, c.first_missing, why);
	if (c.first_missing && (m->protocol == WIRE_EC2 || is_one_of(m->service, parameter_services)))
		return missing_parameter(a, m, c.first_missing, why);
	struct str text = str_fmt(a, "%u validation error%s detected: ", c.n, c.n == 1 ? "" : "s");
	return wire_fail(why, ERR_VALIDATION, str_cat(a, text, buf_done(&c.text)));
}
