/* CBOR bodies (RFC 8949, as Smithy's RPC v2 CBOR protocol uses it) into typed structs: definite and indefinite lengths,
 * integers and floats of any width where a number is due, tag 1 for timestamps. Bounded depth; text must be UTF-8;
 * unknown members are checked and skipped. */
#include "wire/internal.h"

struct reader {
	const unsigned char *p, *end;
	const struct wire_tables *t;
	struct arena *a;
	bool millis;
	const char *error;
};
struct head {
	unsigned major, info;
	uint64_t n; /* argument; for indefinite lengths 0 */
	bool indefinite;
};

static bool bad(struct reader *r, const char *error)
{
	if (!r->error) r->error = error;
	return false;
}

static bool head(struct reader *r, struct head *h)
{
	if (r->p >= r->end) return bad(r, "Unexpected end of input");
	unsigned c = *r->p++;
	*h = (struct head){c >> 5, c & 31, 0, false};
	if (h->info < 24) {
		h->n = h->info;
		return true;
	}
	if (h->info == 31) {
		h->indefinite = true;
		if (h->major == 0 || h->major == 1 || h->major == 6) return bad(r, "Malformed CBOR");
		return true;
	}
	if (h->info > 27) return bad(r, "Malformed CBOR");
	size_t width = (size_t)1 << (h->info - 24);
	if ((size_t)(r->end - r->p) < width) return bad(r, "Unexpected end of input");
	for (size_t i = 0; i < width; i++) h->n = h->n << 8 | *r->p++;
	return true;
}
static bool at_break(struct reader *r)
{
	if (r->p >= r->end || *r->p != 0xff) return false;
	r->p++;
	return true;
}
static bool is_null(const struct reader *r)
{
	return r->p < r->end && (*r->p == 0xf6 || *r->p == 0xf7);
}

/* Bytes or text, whichever the head says; chunks are joined. */
static bool bytes(struct reader *r, struct head h, struct str *out)
{
	if (!h.indefinite) {
		if (h.n > (uint64_t)(r->end - r->p)) return bad(r, "Unexpected end of input");
		*out = str_n(r->p, (size_t)h.n);
		r->p += h.n;
	} else {
		struct buf b = BUF_IN(r->a);
		while (!at_break(r)) {
			struct head part;
			struct str s;
			if (!head(r, &part)) return false;
			if (part.major != h.major || part.indefinite) return bad(r, "Malformed CBOR");
			if (!bytes(r, part, &s)) return false;
			buf_str(&b, s);
		}
		*out = buf_done(&b);
	}
	if (h.major == 3 && !str_utf8_valid(*out)) return bad(r, "Text is not UTF-8");
	return true;
}

static double half(unsigned v)
{
	unsigned e = v >> 10 & 31, f = v & 1023;
	double d = e == 0    ? f * 0x1p-24
		   : e == 31 ? (f ? __builtin_nan("") : __builtin_inf())
			     : __builtin_ldexp(1024.0 + f, (int)e - 25);
	return v & 0x8000 ? -d : d;
}
static bool to_double(struct reader *r, struct head h, double *d)
{
	if (h.major == 0)
		*d = (double)h.n;
	else if (h.major == 1)
		*d = -1.0 - (double)h.n;
	else if (h.major == 7 && h.info == 25)
		*d = half((unsigned)h.n);
	else if (h.major == 7 && h.info == 26) {
		uint32_t v = (uint32_t)h.n;
		float f;
		memcpy(&f, &v, 4);
		*d = (double)f;
	} else if (h.major == 7 && h.info == 27) {
		memcpy(d, &h.n, 8);
	} else {
		return bad(r, "A number was expected");
	}
	return true;
}
static bool to_int(struct reader *r, struct head h, int64_t *v)
{
	if (h.major <= 1) {
		if (h.n > INT64_MAX) return bad(r, "Numeric value out of range");
		*v = h.major ? -1 - (int64_t)h.n : (int64_t)h.n;
		return true;
	}
	double d;
	if (!to_double(r, h, &d)) return false;
	if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0) || d != (double)(int64_t)d)
		return bad(r, "An integer was expected");
	*v = (int64_t)d;
	return true;
}

static bool skip(struct reader *r, int depth)
{
	struct head h;
	struct str s;
	if (depth <= 0) return bad(r, "Nesting too deep");
	if (!head(r, &h)) return false;
	switch (h.major) {
	case 2:
	case 3:
		return bytes(r, h, &s);
	case 4:
	case 5:
		for (uint64_t i = 0; h.indefinite ? !at_break(r) : i < h.n; i++)
			if (!skip(r, depth - 1) || (h.major == 5 && !skip(r, depth - 1))) return false;
		return true;
	case 6:
		return skip(r, depth - 1);
	default:
		return h.indefinite ? bad(r, "Malformed CBOR") : true; /* a break where none is due */
	}
}

static bool value(struct reader *r, uint16_t shape, void *slot, bool pointer, int depth);

/* The head of a text or map or list, past any tags. */
static bool head_of(struct reader *r, unsigned major, struct head *h, const char *error)
{
	if (!head(r, h)) return false;
	return h->major == major || bad(r, error);
}
static bool key(struct reader *r, struct str *out)
{
	struct head h;
	return head_of(r, 3, &h, "Keys must be text") && bytes(r, h, out);
}

static bool read_struct(struct reader *r, const struct wire_shape *s, void *p, int depth)
{
	struct head h;
	uint32_t hint = 0;
	if (!head_of(r, 5, &h, "A map was expected")) return false;
	for (uint64_t i = 0; h.indefinite ? !at_break(r) : i < h.n; i++) {
		struct str name;
		if (!key(r, &name)) return false;
		const struct wire_member *m = wire_member_find(r->t, s, name, &hint);
		if (!m || is_null(r)) {
			if (!skip(r, depth - 1)) return false;
		} else if (!value(r, m->shape, (char *)p + m->offset, true, depth - 1)) {
			return false;
		}
	}
	return true;
}

static bool read_many(struct reader *r, const struct wire_shape *s, struct wire_list *l, int depth)
{
	struct head h;
	size_t capacity = 0;
	bool map = s->kind == WIRE_MAP, sparse = wire_holds_pointers(s);
	const struct wire_member *of = &r->t->members[s->first + map];
	if (!head_of(r, map ? 5 : 4, &h, map ? "A map was expected" : "A list was expected")) return false;
	*l = (struct wire_list){arena_alloc(r->a, 0), 0};
	for (uint64_t i = 0; h.indefinite ? !at_break(r) : i < h.n; i++) {
		struct str name = STR_NONE;
		if (map && !key(r, &name)) return false;
		bool null = is_null(r);
		if (null && !sparse) {
			r->p++;
			continue;
		}
		char *e = wire_append(r->a, s, l, &capacity);
		if (map) ((struct wire_map_entry *)(void *)e)->key = name;
		if (null)
			r->p++;
		else if (!value(r, of->shape, e + (map ? of->offset : 0), sparse, depth - 1))
			return false;
		if (wire_is_over(r->a)) return bad(r, "The request holds too many elements");
	}
	return true;
}

static bool value(struct reader *r, uint16_t shape, void *slot, bool pointer, int depth)
{
	const struct wire_shape *s = &r->t->shapes[shape];
	struct head h;
	int64_t v;
	double d;
	if (depth <= 0) return bad(r, "Nesting too deep");
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT:
		return read_struct(r, s, wire_struct_for(r->a, s, slot, pointer), depth);
	case WIRE_LIST:
	case WIRE_MAP:
		return read_many(r, s, slot, depth);
	case WIRE_STRING:
		return head_of(r, 3, &h, "Text was expected") && bytes(r, h, slot);
	case WIRE_BLOB:
		return head_of(r, 2, &h, "Bytes were expected") && bytes(r, h, slot);
	case WIRE_BOOL:
		if (!head(r, &h)) return false;
		if (h.major != 7 || (h.info != 20 && h.info != 21)) return bad(r, "A boolean was expected");
		*(struct opt_bool *)slot = SOME_BOOL(h.info == 21);
		return true;
	case WIRE_I32:
		if (!head(r, &h) || !to_int(r, h, &v)) return false;
		if (v < INT32_MIN || v > INT32_MAX) return bad(r, "Numeric value out of range");
		*(struct opt_i32 *)slot = SOME_I32((int32_t)v);
		return true;
	case WIRE_I64:
		if (!head(r, &h) || !to_int(r, h, &v)) return false;
		*(struct opt_i64 *)slot = SOME_I64(v);
		return true;
	case WIRE_F32:
	case WIRE_F64:
		if (!head(r, &h) || !to_double(r, h, &d)) return false;
		*(struct opt_f64 *)slot = SOME_F64(d);
		return true;
	case WIRE_TIME:
		if (!head(r, &h)) return false;
		if (h.major == 6) { /* tag 1: seconds since the epoch (RFC 8949 section 3.4.2), or AWS's milliseconds */
			if (h.n != 1) return bad(r, "A timestamp was expected");
			if (!head(r, &h)) return false;
		}
		if (!to_double(r, h, &d)) return false;
		if (r->millis) d /= 1000.0;
		if (!(d >= -62135596800.0 && d < 253402300800.0)) return bad(r, "Timestamp out of range");
		*(struct opt_time *)slot = SOME_TIME((int64_t)(d * 1000.0 + (d < 0 ? -0.5 : 0.5)));
		return true;
	case WIRE_DOCUMENT: /* no service with documents speaks CBOR */
	case WIRE_STREAM:
	case WIRE_EVENTS:
		return skip(r, depth);
	}
	return false;
}

status wire_cbor_read(struct arena *a, const struct wire_tables *t, uint16_t shape, bool millis, struct str body,
	void *in, struct str *message)
{
	struct reader r = {(const unsigned char *)body.p, (const unsigned char *)body.p + body.n, t, a, millis, NULL};
	if (value(&r, shape, in, false, WIRE_CBOR_DEPTH)) {
		if (r.p == r.end) return OK;
		(void)bad(&r, "Bytes behind the end");
	}
	*message = str_c(r.error ? r.error : "Malformed CBOR");
	return STATUS(INVALID);
}
