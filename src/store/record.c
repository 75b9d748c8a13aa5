/* The codec of stored records. A field is a tag (number << 3 | kind) and a value: kind 0 a zigzag varint (booleans and
 * numbers, times in milliseconds), 1 eight bytes little endian (floating point), 2 a length and that many bytes (strings,
 * structs, lists, maps). A list's bytes are a count and its elements; an element is a varint L and, unless L is 0 (null),
 * L - 1 bytes of value; a map's are a count and pairs of such elements. Tables say how to walk memory; the outermost
 * record ends in a CRC-32C. */
#include "store/record.h"
#include "base/buf.h"
#include "store/crc.h"
#include <limits.h>

enum { KIND_VARINT = 0, KIND_FIXED = 1, KIND_BYTES = 2 };

static unsigned kind_of(const struct wire_shape *s)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_BOOL: case WIRE_I32: case WIRE_I64: case WIRE_TIME: return KIND_VARINT;
	case WIRE_F32: case WIRE_F64: return KIND_FIXED;
	case WIRE_STRUCT: case WIRE_LIST: case WIRE_MAP: case WIRE_STRING: case WIRE_BLOB: case WIRE_DOCUMENT:
		return KIND_BYTES;
	case WIRE_STREAM: case WIRE_EVENTS: break;
	}
	UNREACHABLE(); /* modelc refuses streams in records */
}

/* In records' tables wire_name is the number itself, not an offset in the pool (wire/desc.h). */
static uint64_t field_number(const struct wire_member *m) { return m->wire_name; }

static uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (uint64_t)(v >> 63); }
static int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1 ^ (~(v & 1) + 1)); }

/* ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct encoder {
	struct buf b;
	const struct wire_tables *t;
	unsigned depth;
};

static size_t varint_put(char *p, uint64_t v)
{
	size_t n = 0;
	for (; v >= 0x80; v >>= 7) p[n++] = (char)(v | 0x80);
	p[n++] = (char)v;
	return n;
}

static void put_varint(struct buf *b, uint64_t v) { b->n += varint_put(buf_reserve(b, 10), v); }

/* The length of what follows is known only after it is written: one byte is kept free and the rest moved where the
 * length needs more. */
static size_t length_begin(struct buf *b)
{
	buf_byte(b, 0);
	return b->n;
}

static void length_end(struct buf *b, size_t start, unsigned more)
{
	char prefix[10];
	size_t n = varint_put(prefix, (uint64_t)(b->n - start) + more);
	if (n > 1) {
		size_t body = b->n - start;
		buf_reserve(b, n);
		memmove(b->p + start + n - 1, b->p + start, body);
		b->n += n - 1;
	}
	memcpy(b->p + start - 1, prefix, n);
}

static void encode_struct(struct encoder *e, const struct wire_shape *s, const char *p);
static void encode_list(struct encoder *e, const struct wire_shape *s, const struct wire_list *l);

/* The struct that a member points to. */
static const char *child_at(const char *member)
{
	const void *child;
	memcpy(&child, member, sizeof child);
	return child;
}

/* A scalar at p: its varint or bits. False where it is absent. */
static bool scalar_get(const struct wire_shape *s, const char *p, uint64_t *v)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_BOOL: {
		struct opt_bool o;
		memcpy(&o, p, sizeof o);
		*v = zigzag(o.v ? 1 : 0);
		return o.has;
	}
	case WIRE_I32: {
		struct opt_i32 o;
		memcpy(&o, p, sizeof o);
		*v = zigzag(o.v);
		return o.has;
	}
	case WIRE_I64: case WIRE_TIME: {
		struct opt_i64 o; /* struct opt_time has the same layout */
		memcpy(&o, p, sizeof o);
		*v = zigzag(o.v);
		return o.has;
	}
	case WIRE_F32: case WIRE_F64: {
		struct opt_f64 o;
		memcpy(&o, p, sizeof o);
		memcpy(v, &o.v, 8);
		return o.has;
	}
	case WIRE_STRUCT: case WIRE_LIST: case WIRE_MAP: case WIRE_STRING: case WIRE_BLOB: case WIRE_DOCUMENT:
	case WIRE_STREAM: case WIRE_EVENTS: break;
	}
	UNREACHABLE();
}
_Static_assert(sizeof(struct opt_i64) == sizeof(struct opt_time) &&
	offsetof(struct opt_i64, has) == offsetof(struct opt_time, has), "I64 and TIME share code");

static void put_scalar(struct buf *b, unsigned kind, uint64_t v)
{
	if (kind == KIND_VARINT)
		put_varint(b, v);
	else
		buf_add(b, &v, 8); /* little endian machines only: see the assert */
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored numbers are little endian");

static void encode_bytes(struct encoder *e, const struct wire_shape *s, const char *p)
{
	if (s->kind == WIRE_STRUCT)
		encode_struct(e, s, p);
	else if (s->kind == WIRE_LIST || s->kind == WIRE_MAP)
		encode_list(e, s, (const struct wire_list *)(const void *)p);
	else
		buf_str(&e->b, *(const struct str *)(const void *)p);
}

static bool bytes_present(const struct wire_shape *s, const char *p)
{
	if (s->kind == WIRE_LIST || s->kind == WIRE_MAP) return ((const struct wire_list *)(const void *)p)->v != NULL;
	return ((const struct str *)(const void *)p)->p != NULL;
}

/* p: where the element lies; a struct lies there itself unless by_pointer. */
static void encode_element(struct encoder *e, const struct wire_shape *s, const char *p, bool by_pointer)
{
	unsigned kind = kind_of(s);
	bool present = true;
	uint64_t v = 0;
	if (kind != KIND_BYTES)
		present = scalar_get(s, p, &v);
	else if (s->kind == WIRE_STRUCT) {
		if (by_pointer) p = child_at(p);
		present = p != NULL;
	} else
		present = bytes_present(s, p);
	if (!present) {
		buf_byte(&e->b, 0);
		return;
	}
	size_t start = length_begin(&e->b);
	if (kind == KIND_BYTES)
		encode_bytes(e, s, p);
	else
		put_scalar(&e->b, kind, v);
	length_end(&e->b, start, 1);
}

static void encode_list(struct encoder *e, const struct wire_shape *s, const struct wire_list *l)
{
	INVARIANT(++e->depth <= RECORD_DEPTH_MAX);
	put_varint(&e->b, l->n);
	const struct wire_member *m = e->t->members + s->first;
	bool sparse = s->flags & WIRE_S_SPARSE;
	for (size_t i = 0; i < l->n; i++)
		for (unsigned j = 0; j < s->count; j++)
			encode_element(e, e->t->shapes + m[j].shape, (const char *)l->v + i * s->size + m[j].offset, sparse);
	e->depth--;
}

static void encode_struct(struct encoder *e, const struct wire_shape *s, const char *p)
{
	INVARIANT(++e->depth <= RECORD_DEPTH_MAX);
	for (unsigned i = 0; i < s->count; i++) {
		const struct wire_member *m = e->t->members + s->first + i;
		const struct wire_shape *ms = e->t->shapes + m->shape;
		const char *at = p + m->offset;
		unsigned kind = kind_of(ms);
		uint64_t v = 0, tag = field_number(m) << 3 | kind;
		if (kind != KIND_BYTES) {
			if (!scalar_get(ms, at, &v)) continue;
			put_varint(&e->b, tag);
			put_scalar(&e->b, kind, v);
			continue;
		}
		if (ms->kind == WIRE_STRUCT) {
			at = child_at(at);
			if (!at) continue;
		} else if (!bytes_present(ms, at))
			continue;
		put_varint(&e->b, tag);
		size_t start = length_begin(&e->b);
		encode_bytes(e, ms, at);
		length_end(&e->b, start, 0);
	}
	e->depth--;
}

struct str record_encode(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *record)
{
	struct encoder e = {.b = BUF_IN(a), .t = t};
	buf_reserve(&e.b, 256);
	encode_struct(&e, t->shapes + shape, record);
	uint32_t crc = store_crc32c(0, e.b.p, e.b.n);
	buf_add(&e.b, &crc, sizeof crc);
	return buf_done(&e.b);
}

/* ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct decoder {
	struct arena *a;
	const struct wire_tables *t;
	unsigned depth;
};

static status take_varint(struct str *s, uint64_t *out)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < s->n && i < 10; i++) {
		uint64_t byte = (unsigned char)s->p[i];
		if (i == 9 && byte > 1) break;
		v |= (byte & 0x7f) << 7 * i;
		if (byte < 0x80) {
			*out = v;
			s->p += i + 1;
			s->n -= i + 1;
			return OK;
		}
	}
	return STATUS(CORRUPT);
}

static status take_bytes(struct str *s, uint64_t n, struct str *out)
{
	if (n > s->n) return STATUS(CORRUPT);
	*out = (struct str){s->p, n};
	s->p += n;
	s->n -= n;
	return OK;
}

static status take_scalar(struct str *s, unsigned kind, uint64_t *v)
{
	if (kind == KIND_VARINT) return take_varint(s, v);
	struct str eight;
	TRY(take_bytes(s, 8, &eight));
	memcpy(v, eight.p, 8);
	return OK;
}

static status scalar_set(const struct wire_shape *s, char *p, uint64_t v)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_BOOL: {
		if (v != 0 && v != 2) return STATUS(CORRUPT);
		struct opt_bool o = SOME_BOOL(v != 0);
		memcpy(p, &o, sizeof o);
		return OK;
	}
	case WIRE_I32: {
		int64_t wide = unzigzag(v);
		if (wide < INT32_MIN || wide > INT32_MAX) return STATUS(CORRUPT);
		struct opt_i32 o = SOME_I32((int32_t)wide);
		memcpy(p, &o, sizeof o);
		return OK;
	}
	case WIRE_I64: case WIRE_TIME: {
		struct opt_i64 o = SOME_I64(unzigzag(v));
		memcpy(p, &o, sizeof o);
		return OK;
	}
	case WIRE_F32: case WIRE_F64: {
		struct opt_f64 o = {.has = true};
		memcpy(&o.v, &v, 8);
		memcpy(p, &o, sizeof o);
		return OK;
	}
	case WIRE_STRUCT: case WIRE_LIST: case WIRE_MAP: case WIRE_STRING: case WIRE_BLOB: case WIRE_DOCUMENT:
	case WIRE_STREAM: case WIRE_EVENTS: break;
	}
	UNREACHABLE();
}

static status decode_struct(struct decoder *d, const struct wire_shape *s, struct str bytes, char *p);
static status decode_list(struct decoder *d, const struct wire_shape *s, struct str bytes, struct wire_list *l);

static status decode_bytes(struct decoder *d, const struct wire_shape *s, struct str bytes, char *p)
{
	if (s->kind == WIRE_STRUCT) return decode_struct(d, s, bytes, p);
	if (s->kind == WIRE_LIST || s->kind == WIRE_MAP)
		return decode_list(d, s, bytes, (struct wire_list *)(void *)p);
	*(struct str *)(void *)p = bytes;
	return OK;
}

static status decode_element(struct decoder *d, const struct wire_shape *s, struct str *bytes, char *p, bool by_pointer)
{
	uint64_t length = 0;
	TRY(take_varint(bytes, &length));
	if (length == 0) return s->kind == WIRE_STRUCT && !by_pointer ? STATUS(CORRUPT) : OK;
	struct str value;
	TRY(take_bytes(bytes, length - 1, &value));
	unsigned kind = kind_of(s);
	if (kind != KIND_BYTES) {
		uint64_t v = 0;
		TRY(take_scalar(&value, kind, &v));
		if (value.n > 0) return STATUS(CORRUPT);
		return scalar_set(s, p, v);
	}
	if (s->kind == WIRE_STRUCT && by_pointer) {
		char *child = arena_alloc(d->a, s->size);
		memcpy(p, &child, sizeof child);
		p = child;
	}
	return decode_bytes(d, s, value, p);
}

static status decode_list(struct decoder *d, const struct wire_shape *s, struct str bytes, struct wire_list *l)
{
	if (++d->depth > RECORD_DEPTH_MAX) return STATUS(CORRUPT);
	uint64_t n = 0;
	TRY(take_varint(&bytes, &n));
	if (n > bytes.n) return STATUS(CORRUPT); /* an element takes a byte at least */
	l->v = arena_array(d->a, n, s->size);
	l->n = n;
	const struct wire_member *m = d->t->members + s->first;
	bool sparse = s->flags & WIRE_S_SPARSE;
	for (size_t i = 0; i < n; i++)
		for (unsigned j = 0; j < s->count; j++)
			TRY(decode_element(d, d->t->shapes + m[j].shape, &bytes, (char *)l->v + i * s->size + m[j].offset,
				sparse));
	d->depth--;
	return bytes.n == 0 ? OK : STATUS(CORRUPT);
}

static const struct wire_member *find_member(const struct wire_tables *t, const struct wire_shape *s, uint64_t number,
	unsigned *hint)
{
	for (unsigned i = 0; i < s->count; i++) { /* fields come in the table's order: the next one fits almost always */
		unsigned j = (*hint + i) % s->count;
		const struct wire_member *m = t->members + s->first + j;
		if (field_number(m) != number) continue;
		*hint = j + 1;
		return m;
	}
	return NULL;
}

static status decode_struct(struct decoder *d, const struct wire_shape *s, struct str bytes, char *p)
{
	if (++d->depth > RECORD_DEPTH_MAX) return STATUS(CORRUPT);
	unsigned hint = 0;
	while (bytes.n > 0) {
		uint64_t tag = 0, v = 0;
		struct str value = STR_NONE;
		TRY(take_varint(&bytes, &tag));
		unsigned kind = tag & 7;
		if (kind == KIND_VARINT || kind == KIND_FIXED)
			TRY(take_scalar(&bytes, kind, &v));
		else if (kind == KIND_BYTES) {
			TRY(take_varint(&bytes, &v));
			TRY(take_bytes(&bytes, v, &value));
		} else
			return STATUS(CORRUPT);
		const struct wire_member *m = find_member(d->t, s, tag >> 3, &hint);
		if (!m) continue;
		const struct wire_shape *ms = d->t->shapes + m->shape;
		if (kind_of(ms) != kind) return STATUS(CORRUPT);
		char *at = p + m->offset;
		if (kind != KIND_BYTES) {
			TRY(scalar_set(ms, at, v));
			continue;
		}
		if (ms->kind == WIRE_STRUCT) {
			char *child = arena_alloc(d->a, ms->size);
			memcpy(at, &child, sizeof child);
			at = child;
		}
		TRY(decode_bytes(d, ms, value, at));
	}
	d->depth--;
	return OK;
}

status record_decode(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str bytes, void *record)
{
	uint32_t crc = 0;
	if (bytes.n < sizeof crc) return STATUS(CORRUPT);
	bytes.n -= sizeof crc;
	memcpy(&crc, bytes.p + bytes.n, sizeof crc);
	if (crc != store_crc32c(0, bytes.p, bytes.n)) return STATUS(CORRUPT);
	struct decoder d = {.a = a, .t = t};
	return decode_struct(&d, t->shapes + shape, bytes, record);
}
