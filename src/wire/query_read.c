/* Form bodies of the query and ec2 protocols (and their GET form) into typed structs: `Filter.1.Value.2=x`. The pairs
 * are decoded and sorted by the segments of their names (numbers by value), so that each struct, list and map is a run
 * of neighbours; reading is then one walk over the tables, n log n in the number of pairs however they are arranged. */
#include "wire/internal.h"
#include <stdlib.h>

struct pair {
	struct str name, value;
	uint32_t order; /* as received: the last of equal names wins */
};
struct reader {
	struct arena *a;
	const struct wire_tables *t;
	bool ec2;
	struct str error;
};

static bool bad(struct reader *r, struct str error)
{
	if (!r->error.p) r->error = error;
	return false;
}

static struct str segment(struct str name, size_t from)
{
	struct str rest = str_from(name, from);
	ptrdiff_t dot = str_chr(rest, '.');
	return dot < 0 ? rest : str_sub(rest, 0, (size_t)dot);
}

static bool is_number(struct str s)
{
	if (s.n == 0 || s.n > 9) return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return true;
}
static uint32_t to_number(struct str s)
{
	uint32_t v = 0;
	for (size_t i = 0; i < s.n; i++) v = v * 10 + (uint32_t)(s.p[i] - '0');
	return v;
}

static int compare_names(struct str x, struct str y)
{
	for (;;) {
		struct str a = segment(x, 0), b = segment(y, 0);
		bool na = is_number(a), nb = is_number(b);
		int c;
		if (na && nb) {
			uint32_t va = to_number(a), vb = to_number(b);
			c = va < vb ? -1 : va > vb;
		} else {
			c = na != nb ? (na ? -1 : 1) : str_cmp(a, b);
		}
		if (c) return c;
		bool ex = a.n == x.n, ey = b.n == y.n; /* no segment behind */
		if (ex || ey) return ex == ey ? 0 : ex ? -1 : 1;
		x = str_from(x, a.n + 1);
		y = str_from(y, b.n + 1);
	}
}
static int compare_pairs(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;
	int c = compare_names(a->name, b->name);
	return c ? c : a->order < b->order ? -1 : a->order > b->order;
}

/* A run of pairs whose names agree up to `at`; what follows there are the next segments. */
struct run {
	const struct pair *v;
	size_t n, at;
};

/* Takes off the leading pairs with the same next segment. False at the end. A pair whose name ends before `at` (the
 * parent's own value) is passed over. */
static bool next_group(struct run *run, struct str *seg, struct run *group)
{
	while (run->n && run->v->name.n < run->at) {
		run->v++;
		run->n--;
	}
	if (!run->n) return false;
	*seg = segment(run->v->name, run->at);
	size_t n = 1;
	while (n < run->n && str_eq(segment(run->v[n].name, run->at), *seg)) n++;
	*group = (struct run){run->v, n, run->at + seg->n + 1};
	run->v += n;
	run->n -= n;
	return true;
}
/* The value that the group's name itself has: `Name=x` among `Name.y=z`. */
static const struct pair *own_value(const struct run *group)
{
	const struct pair *p = NULL;
	for (size_t i = 0; i < group->n && group->v[i].name.n < group->at; i++) p = &group->v[i];
	return p;
}

static bool value(struct reader *r, const struct wire_member *m, struct run group, void *slot, bool pointer, int depth);

static struct str query_name(const struct reader *r, const struct wire_member *m)
{
	const struct wire_extra *x = wire_extra_of(r->t, m);
	return wire_str(r->t, x && x->query_name ? x->query_name : m->wire_name);
}

/* Smithy's ec2Query: the given query name, else the wire name with its first letter capitalized. */
static bool named(const struct reader *r, const struct wire_member *m, struct str seg)
{
	struct str n = query_name(r, m);
	if (str_eq(n, seg)) return true;
	if (r->ec2) {
		if (n.n != seg.n || n.n == 0) return false;
		char c = n.p[0];
		if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
		return c == seg.p[0] && memcmp(n.p + 1, seg.p + 1, n.n - 1) == 0;
	}
	/* A flattened list goes by its element's name where it has one. */
	const struct wire_shape *s = &r->t->shapes[m->shape];
	if (s->kind == WIRE_LIST && wire_is_flattened(r->t, m)) {
		const struct wire_member *e = &r->t->members[s->first];
		return (e->bits & WIRE_M_NAMED) && str_eq(wire_str(r->t, e->wire_name), seg);
	}
	return false;
}

static const struct wire_member *find(
	const struct reader *r, const struct wire_shape *s, struct str seg, uint32_t *hint)
{
	const struct wire_member *first = r->t->members + s->first;
	for (uint32_t k = 0; k < s->count; k++) {
		uint32_t i = *hint + k;
		if (i >= s->count) i -= s->count;
		if (named(r, &first[i], seg)) {
			*hint = i + 1 < s->count ? i + 1 : 0;
			return &first[i];
		}
	}
	return NULL;
}

static bool read_struct(struct reader *r, const struct wire_shape *s, struct run run, void *p, int depth)
{
	struct str seg;
	struct run group;
	uint32_t hint = 0;
	while (next_group(&run, &seg, &group)) {
		const struct wire_member *m = find(r, s, seg, &hint);
		if (m && !value(r, m, group, (char *)p + m->offset, true, depth - 1)) return false;
	}
	return true;
}

/* Elements in the order of their numbers; gaps close, as AWS does. */
static bool read_numbered(struct reader *r, const struct wire_shape *s, struct run run, struct wire_list *l, int depth)
{
	struct str seg;
	struct run group;
	size_t capacity = l->n; /* a second run of the same list copies */
	bool map = s->kind == WIRE_MAP, sparse = wire_holds_pointers(s);
	const struct wire_member *first = &r->t->members[s->first];
	if (!l->v) l->v = arena_alloc(r->a, 0);
	while (next_group(&run, &seg, &group)) {
		if (!is_number(seg)) continue;
		if (wire_is_over(r->a)) return bad(r, STR("Malformed input: the request holds too many elements"));
		if (!map) {
			if (!value(r, first, group, wire_append(r->a, s, l, &capacity), sparse, depth - 1))
				return false;
			continue;
		}
		struct str inner, key = wire_str(r->t, first->wire_name), of = wire_str(r->t, first[1].wire_name);
		struct run part;
		struct wire_map_entry *e = wire_append(r->a, s, l, &capacity);
		while (next_group(&group, &inner, &part)) {
			const struct pair *own = own_value(&part);
			if (str_eq(inner, key) && own)
				e->key = own->value;
			else if (str_eq(inner, of) &&
				 !value(r, &first[1], part, (char *)e + first[1].offset, sparse, depth - 1))
				return false;
		}
		if (!e->key.p) return bad(r, STR("Malformed input: a map entry has no key"));
		if (!str_utf8_valid(e->key)) return bad(r, STR("Malformed input: a map's key is not UTF-8"));
	}
	return true;
}

static bool read_list(struct reader *r, const struct wire_member *m, const struct wire_shape *s, struct run group,
	struct wire_list *l, int depth)
{
	struct str seg;
	struct run inner;
	bool map = s->kind == WIRE_MAP;
	const struct pair *own = own_value(&group);
	if (own && own->value.n == 0 && !l->v) l->v = arena_alloc(r->a, 0); /* `List=` is the empty list */
	if ((r->ec2 && !map) || wire_is_flattened(r->t, m)) return read_numbered(r, s, group, l, depth);
	struct str name = map ? STR("entry") : wire_str(r->t, r->t->members[s->first].wire_name);
	while (next_group(&group, &seg, &inner)) {
		if (!str_eq(seg, name) && !(!map && str_is(seg, "member"))) continue;
		if (!read_numbered(r, s, inner, l, depth)) return false;
	}
	return true;
}

static bool value(struct reader *r, const struct wire_member *m, struct run group, void *slot, bool pointer, int depth)
{
	const struct wire_shape *s = &r->t->shapes[m->shape];
	if (depth <= 0) return bad(r, STR("Nesting too deep"));
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		void *p = wire_struct_in(slot, pointer);
		if (!p || !pointer) p = wire_struct_for(r->a, s, slot, pointer);
		return read_struct(r, s, group, p, depth);
	}
	case WIRE_LIST:
	case WIRE_MAP:
		return read_list(r, m, s, group, slot, depth);
	case WIRE_STRING:
	case WIRE_BLOB:
	case WIRE_BOOL:
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_F32:
	case WIRE_F64:
	case WIRE_TIME:
	case WIRE_DOCUMENT: {
		const struct pair *own = own_value(&group);
		if (!own) return true;
		/* A number or time given as nothing is as good as absent. */
		if (own->value.n == 0 && s->kind != WIRE_STRING && s->kind != WIRE_BLOB) return true;
		if (is_ok(wire_scalar_read(r->a, s, own->value, slot))) return true;
		return bad(r, str_fmt(r->a, "Malformed input: value for %.*s is not valid", STR_ARG(own->name)));
	}
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
	return true;
}

/* Appends the pairs of one form; false on a malformed escape. */
static bool split(struct arena *a, struct str form, struct pair *v, size_t *n)
{
	while (str_has(form) && form.n) {
		struct str value = str_cut(&form, '&');
		if (value.n == 0) continue;
		struct str name = str_cut(&value, '=');
		if (!value.p) value = STR("");
		struct pair *p = &v[*n];
		p->order = (uint32_t)*n;
		if (!is_ok(str_uri_decode(a, name, true, &p->name)) ||
			!is_ok(str_uri_decode(a, value, true, &p->value)))
			return false;
		(*n)++;
	}
	return true;
}

static size_t count_pairs(struct str form)
{
	size_t n = form.n ? 1 : 0;
	for (size_t i = 0; i < form.n; i++) n += form.p[i] == '&';
	return n;
}

status wire_query_read(struct arena *a, const struct wire_tables *t, uint16_t shape, bool ec2, struct str query,
	struct str body, void *in, struct str *message)
{
	struct reader r = {a, t, ec2, STR_NONE};
	struct pair *v = arena_array(a, count_pairs(query) + count_pairs(body) + 1, sizeof *v);
	size_t n = 0;
	if (!split(a, query, v, &n) || !split(a, body, v, &n)) {
		*message = STR("Malformed input: a percent-escape is not valid");
		return STATUS(INVALID);
	}
	if (n > 1) qsort(v, n, sizeof *v, compare_pairs);
	if (read_struct(&r, &t->shapes[shape], (struct run){v, n, 0}, in, WIRE_QUERY_DEPTH)) return OK;
	*message = r.error;
	return STATUS(INVALID);
}
