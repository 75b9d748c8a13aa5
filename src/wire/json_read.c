/* JSON bodies into typed structs: one pass over the bytes, driven by the tables, strict RFC 8259 (UTF-8 only, no lone
 * surrogates, one text and nothing behind it). Strings without escapes point into the body. A member's name is compared
 * first with the member that follows the last one found, since clients write in the model's order. Unknown members are
 * checked and skipped; of duplicate keys the last wins. */
#include "wire/internal.h"
#include <endian.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct reader {
	const unsigned char *p, *end;
	const struct wire_tables *t;
	struct arena *a;
	const char *error;
};

#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

static bool bad(struct reader *r, const char *error)
{
	if (!r->error) r->error = error;
	return false;
}
#define UNEXPECTED "Unexpected character"
#define UNENDED "Unexpected end-of-input"
#define TOO_MUCH "The request holds too many elements"

static inline void space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) r->p++;
}
static inline int peek(struct reader *r)
{
	space(r);
	return r->p < r->end ? *r->p : -1;
}
static inline bool expect(struct reader *r, unsigned char c)
{
	if (peek(r) != c) return bad(r, r->p < r->end ? UNEXPECTED : UNENDED);
	r->p++;
	return true;
}

/* Behind the opening quote: finds the closing one. *plain: no escapes. The bytes are valid UTF-8 without controls.
 * first: stop at the first escape, and tell where it is; NULL: go on. */
static bool scan_string(struct reader *r, struct str *raw, bool *plain, const unsigned char **first)
{
	const unsigned char *p = r->p, *start = p;
	unsigned char seen = 0;
	*plain = true;
	for (;;) {
#ifdef __SSE2__
		if (r->end - p >= 16) {
			/* Compared as signed bytes, those from 0x80 on are below 0x20 too. */
			__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
			__m128i any = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
				_mm_or_si128(
					_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
			unsigned hits = (unsigned)_mm_movemask_epi8(any);
			if (!hits) {
				p += 16;
				continue;
			}
			p += __builtin_ctz(hits);
		} else
#endif
			if (r->end - p >= 8) {
			uint64_t w;
			memcpy(&w, p, 8);
			w = le64toh(w);
			uint64_t quote = w ^ (ONES * '"'), slash = w ^ (ONES * '\\');
			/* Bytes below 0x20, quotes, backslashes and bytes from 0x80 on raise their high bit. A borrow
			 * can raise further ones, but only above a true one: the lowest is always right. */
			uint64_t hit = ((w - ONES * 0x20) | (quote - ONES) | (slash - ONES) | w) & HIGHS;
			if (!hit) {
				p += 8;
				continue;
			}
			p += __builtin_ctzll(hit) >> 3;
		} else if (p >= r->end) {
			return bad(r, UNENDED);
		}
		unsigned char c = *p;
		if (c == '"') break;
		if (c == '\\' && first) {
			*first = p;
			return true;
		}
		if (c == '\\') {
			*plain = false;
			p++;
			if (p >= r->end) return bad(r, UNENDED);
			if (*p < 0x20) return bad(r, "Illegal unquoted character");
			seen |= *p++;
			continue;
		}
		if (c < 0x20) return bad(r, "Illegal unquoted character");
		seen |= c;
		p++;
	}
	*raw = str_n(start, (size_t)(p - start));
	r->p = p + 1;
	if ((seen & 0x80) && !str_utf8_valid(*raw)) return bad(r, "Invalid UTF-8");
	return true;
}

static int hex4(const unsigned char *p)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int c = p[i], d;
		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			d = c - 'A' + 10;
		else
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static char *put_utf8(char *o, uint32_t c)
{
	if (c < 0x80) {
		*o++ = (char)c;
	} else if (c < 0x800) {
		*o++ = (char)(0xc0 | c >> 6);
		*o++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*o++ = (char)(0xe0 | c >> 12);
		*o++ = (char)(0x80 | (c >> 6 & 63));
		*o++ = (char)(0x80 | (c & 63));
	} else {
		*o++ = (char)(0xf0 | c >> 18);
		*o++ = (char)(0x80 | (c >> 12 & 63));
		*o++ = (char)(0x80 | (c >> 6 & 63));
		*o++ = (char)(0x80 | (c & 63));
	}
	return o;
}

/* One escape at p (behind the backslash). o may be NULL (check only). Returns the byte behind it, or NULL. */
static const unsigned char *escape(const unsigned char *p, const unsigned char *end, char **o)
{
	char c;
	if (p >= end) return NULL;
	switch (*p) {
	case '"':
		c = '"';
		break;
	case '\\':
		c = '\\';
		break;
	case '/':
		c = '/';
		break;
	case 'b':
		c = '\b';
		break;
	case 'f':
		c = '\f';
		break;
	case 'n':
		c = '\n';
		break;
	case 'r':
		c = '\r';
		break;
	case 't':
		c = '\t';
		break;
	case 'u': {
		if (end - p < 5) return NULL;
		int u = hex4(p + 1);
		if (u < 0 || (u >= 0xdc00 && u <= 0xdfff)) return NULL;
		p += 5;
		uint32_t code = (uint32_t)u;
		if (u >= 0xd800 && u <= 0xdbff) { /* RFC 8259 section 7: a surrogate pair or nothing */
			if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return NULL;
			int low = hex4(p + 2);
			if (low < 0xdc00 || low > 0xdfff) return NULL;
			code = 0x10000u + ((uint32_t)(u - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
			p += 6;
		}
		if (o) *o = put_utf8(*o, code);
		return p;
	}
	default:
		return NULL;
	}
	if (o) *(*o)++ = c;
	return p + 1;
}

/* Escapes of a string that nobody wants. */
static bool escapes_valid(struct reader *r, struct str raw)
{
	const unsigned char *p = (const unsigned char *)raw.p, *end = p + raw.n;
	while (p < end && (p = memchr(p, '\\', (size_t)(end - p)))) {
		p = escape(p + 1, end, NULL);
		if (!p) return bad(r, "Unrecognized character escape");
	}
	return true;
}

/* Room for a string that is being unescaped: the arena's last allocation, which grows. */
struct unescaped {
	char *start, *o, *limit;
};

static void more_room(struct reader *r, struct unescaped *u)
{
	size_t n = (size_t)(u->o - u->start), old = (size_t)(u->limit - u->start), want = old * 2;
	if (!arena_extend(r->a, u->start, old, want)) {
		char *p = arena_alloc_raw(r->a, want);
		memcpy(p, u->start, n);
		u->start = p;
	}
	u->o = u->start + n;
	u->limit = u->start + want;
}

/* What comes before the next quote, backslash, control or byte past ASCII is copied, sixteen bytes at a
 * time where that can be. Log events are JSON within JSON: an escape every few bytes. */
static const unsigned char *copy_plain(struct reader *r, const unsigned char *p, struct unescaped *u)
{
#ifdef __SSE2__
	while (r->end - p >= 16) {
		if (u->limit - u->o < 32) more_room(r, u);
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		_mm_storeu_si128((__m128i *)(void *)u->o, v);
		/* Compared as signed bytes, those from 0x80 on are below 0x20 too. */
		__m128i any = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
		unsigned hits = (unsigned)_mm_movemask_epi8(any);
		int n = hits ? __builtin_ctz(hits) : 16;
		p += n;
		u->o += n;
		if (hits) return p;
	}
#endif
	while (p < r->end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
		if (u->limit - u->o < 32) more_room(r, u);
		*u->o++ = (char)*p++;
	}
	return p;
}

/* A string whose first escape is at p: unescaped in the pass that looks for its end. */
static bool unescape(struct reader *r, const unsigned char *p, struct str *out)
{
	const unsigned char *begin = r->p;
	size_t before = (size_t)(p - begin), room = before * 2 + 256;
	struct unescaped u = {.start = arena_alloc_raw(r->a, room)};
	unsigned char seen = 0;
	for (size_t i = 0; i < before; i++) seen |= begin[i];
	memcpy(u.start, begin, before);
	u.o = u.start + before;
	u.limit = u.start + room;
	for (;;) {
		if (u.limit - u.o < 32) more_room(r, &u);
		if (p >= r->end) return bad(r, UNENDED);
		unsigned char c = *p;
		if (c == '"') break;
		if (c == '\\') {
			if (r->end - p >= 2 && (p[1] == '"' || p[1] == '\\' || p[1] == '/')) {
				*u.o++ = (char)p[1];
				p += 2;
			} else if (r->end - p < 2) {
				return bad(r, UNENDED);
			} else if (p[1] < 0x20) {
				return bad(r, "Illegal unquoted character");
			} else {
				p = escape(p + 1, r->end, &u.o);
				if (!p) return bad(r, "Unrecognized character escape");
			}
		} else if (c < 0x20) {
			return bad(r, "Illegal unquoted character");
		} else {
			seen |= c;
			*u.o++ = (char)c;
			p++;
		}
		p = copy_plain(r, p, &u);
	}
	r->p = p + 1;
	if ((seen & 0x80) && !str_utf8_valid(str_n(begin, (size_t)(p - begin)))) return bad(r, "Invalid UTF-8");
	*u.o = 0;
	*out = str_n(u.start, (size_t)(u.o - u.start));
	(void)arena_extend(r->a, u.start, (size_t)(u.limit - u.start), out->n + 1); /* what is left over goes back */
	return true;
}

/* A string from its opening quote on; checked only where out is NULL. */
static bool string(struct reader *r, struct str *out)
{
	struct str raw;
	bool plain;
	r->p++;
	const unsigned char *first = NULL;
	if (!scan_string(r, &raw, &plain, out ? &first : NULL)) return false;
	if (first) return unescape(r, first, out);
	if (!out) return plain || escapes_valid(r, raw);
	*out = raw;
	return true;
}

/* RFC 8259 section 6. *integral: neither fraction nor exponent. */
static bool number(struct reader *r, struct str *text, bool *integral)
{
	const unsigned char *p = r->p, *start = p, *end = r->end;
	*integral = true;
	if (p < end && *p == '-') p++;
	if (p >= end) return bad(r, UNENDED);
	if (*p == '0')
		p++;
	else if (*p >= '1' && *p <= '9')
		while (p < end && *p >= '0' && *p <= '9') p++;
	else
		return bad(r, UNEXPECTED);
	if (p < end && *p == '.') {
		*integral = false;
		p++;
		if (p >= end || *p < '0' || *p > '9') return bad(r, "Decimal point not followed by a digit");
		while (p < end && *p >= '0' && *p <= '9') p++;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		*integral = false;
		p++;
		if (p < end && (*p == '+' || *p == '-')) p++;
		if (p >= end || *p < '0' || *p > '9') return bad(r, "Exponent indicator not followed by a digit");
		while (p < end && *p >= '0' && *p <= '9') p++;
	}
	*text = str_n(start, (size_t)(p - start));
	r->p = p;
	return true;
}

static bool literal(struct reader *r, const char *word, size_t n)
{
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) return bad(r, UNEXPECTED);
	r->p += n;
	return true;
}
#define LITERAL(r, word) literal((r), word, sizeof(word) - 1)

/* Any value, checked and passed over. */
static bool skip(struct reader *r, int depth)
{
	struct str text;
	bool integral;
	int c = peek(r);
	if (c == '"') return string(r, NULL);
	if (c == 't') return LITERAL(r, "true");
	if (c == 'f') return LITERAL(r, "false");
	if (c == 'n') return LITERAL(r, "null");
	if (c != '{' && c != '[') return c < 0 ? bad(r, UNENDED) : number(r, &text, &integral);
	if (depth <= 0) return bad(r, "Nesting too deep");
	int close = c == '{' ? '}' : ']';
	r->p++;
	if (peek(r) == close) {
		r->p++;
		return true;
	}
	for (;;) {
		if (c == '{') {
			if (peek(r) != '"') return bad(r, UNEXPECTED);
			if (!string(r, NULL) || !expect(r, ':')) return false;
		}
		if (!skip(r, depth - 1)) return false;
		int next = peek(r);
		if (next != ',' && next != close) return bad(r, next < 0 ? UNENDED : UNEXPECTED);
		r->p++;
		if (next == close) return true;
	}
}

static bool value(struct reader *r, uint16_t shape, void *slot, bool pointer, int depth);

static bool is_null(struct reader *r)
{
	return peek(r) == 'n';
}

static bool read_struct(struct reader *r, const struct wire_shape *s, void *p, int depth)
{
	uint32_t hint = 0;
	if (!expect(r, '{')) return false;
	if (peek(r) == '}') {
		r->p++;
		return true;
	}
	for (;;) {
		struct str key;
		if (peek(r) != '"') return bad(r, r->p < r->end ? UNEXPECTED : UNENDED);
		if (!string(r, &key) || !expect(r, ':')) return false;
		const struct wire_member *m = wire_member_find(r->t, s, key, &hint);
		if (!m || WIRE_LOCATION(m) != WIRE_IN_BODY) {
			if (!skip(r, depth - 1)) return false;
		} else if (is_null(r)) {
			if (!LITERAL(r, "null")) return false;
		} else if (!value(r, m->shape, (char *)p + m->offset, true, depth - 1)) {
			return false;
		}
		int next = peek(r);
		if (next != ',' && next != '}') return bad(r, next < 0 ? UNENDED : UNEXPECTED);
		r->p++;
		if (next == '}') return true;
	}
}

static bool read_list(struct reader *r, const struct wire_shape *s, struct wire_list *l, int depth)
{
	const struct wire_member *element = r->t->members + s->first;
	bool sparse = wire_holds_pointers(s);
	size_t capacity = 0;
	*l = (struct wire_list){0};
	if (!expect(r, '[')) return false;
	l->v = arena_alloc(r->a, 0);
	if (peek(r) == ']') {
		r->p++;
		return true;
	}
	for (;;) {
		if (is_null(r)) {
			if (!LITERAL(r, "null")) return false;
			if (sparse) (void)wire_append(r->a, s, l, &capacity);
		} else {
			if (!value(r, element->shape, wire_append(r->a, s, l, &capacity), sparse, depth - 1))
				return false;
			if (wire_is_over(r->a)) return bad(r, TOO_MUCH);
		}
		int next = peek(r);
		if (next != ',' && next != ']') return bad(r, next < 0 ? UNENDED : UNEXPECTED);
		r->p++;
		if (next == ']') return true;
	}
}

static bool read_map(struct reader *r, const struct wire_shape *s, struct wire_list *l, int depth)
{
	const struct wire_member *of = r->t->members + s->first + 1;
	bool sparse = wire_holds_pointers(s);
	size_t capacity = 0;
	*l = (struct wire_list){0};
	if (!expect(r, '{')) return false;
	l->v = arena_alloc(r->a, 0);
	if (peek(r) == '}') {
		r->p++;
		return true;
	}
	for (;;) {
		struct str key;
		if (peek(r) != '"') return bad(r, r->p < r->end ? UNEXPECTED : UNENDED);
		if (!string(r, &key) || !expect(r, ':')) return false;
		if (is_null(r) && !sparse) {
			if (!LITERAL(r, "null")) return false;
		} else {
			struct wire_map_entry *e = wire_append(r->a, s, l, &capacity);
			e->key = key;
			if (is_null(r)) {
				if (!LITERAL(r, "null")) return false;
			} else if (!value(r, of->shape, (char *)e + of->offset, sparse, depth - 1)) {
				return false;
			}
			if (wire_is_over(r->a)) return bad(r, TOO_MUCH);
		}
		int next = peek(r);
		if (next != ',' && next != '}') return bad(r, next < 0 ? UNENDED : UNEXPECTED);
		r->p++;
		if (next == '}') return true;
	}
}

/* What stands there instead of what was due, as AWS's readers name it. */
static bool mismatch(struct reader *r, int c, const char *a_string, const char *otherwise)
{
	if (c == '{') return bad(r, "Start of structure or map found where not expected.");
	if (c == '[') return bad(r, "Start of list found where not expected");
	if (c == '"') return bad(r, a_string);
	return bad(r, otherwise);
}

static bool small_i64(struct str s, int64_t *out)
{
	size_t i = s.p[0] == '-';
	if (s.n - i > 18) return is_ok(str_to_i64(s, out));
	int64_t v = 0;
	for (size_t k = i; k < s.n; k++) v = v * 10 + (s.p[k] - '0');
	*out = i ? -v : v;
	return true;
}

/* A number that is integral in value, though perhaps not in spelling (1.0, 1e3). */
static bool whole(struct reader *r, struct str text, bool integral, int64_t *out)
{
	double d;
	if (integral) return small_i64(text, out) || bad(r, "Numeric value out of range");
	if (!is_ok(str_to_f64(text, &d)) || !(d >= -9007199254740992.0 && d <= 9007199254740992.0) ||
		d != (double)(int64_t)d)
		return bad(r, "DECIMAL_VALUE can not be converted to an Integer");
	*out = (int64_t)d;
	return true;
}

static bool read_number(struct reader *r, enum wire_kind kind, int c, void *slot)
{
	struct str text;
	bool integral;
	int64_t v;
	double d;
	if (c == '"' && (kind == WIRE_F32 || kind == WIRE_F64)) {
		if (!string(r, &text)) return false;
		if (str_is(text, "NaN"))
			d = __builtin_nan("");
		else if (str_is(text, "Infinity"))
			d = __builtin_inf();
		else if (str_is(text, "-Infinity"))
			d = -__builtin_inf();
		else
			return bad(r, "STRING_VALUE can not be converted to a Double");
		*(struct opt_f64 *)slot = SOME_F64(d);
		return true;
	}
	if (c != '-' && !(c >= '0' && c <= '9')) {
		if (c == 't' || c == 'f')
			return bad(r, c == 't' ? "TRUE_VALUE can not be converted to a Number"
					       : "FALSE_VALUE can not be converted to a Number");
		return mismatch(r, c, "STRING_VALUE can not be converted to an Integer", UNEXPECTED);
	}
	if (!number(r, &text, &integral)) return false;
	switch ((int)kind) {
	case WIRE_I32:
		if (!whole(r, text, integral, &v)) return false;
		if (v < INT32_MIN || v > INT32_MAX) return bad(r, "Numeric value out of range of int");
		*(struct opt_i32 *)slot = SOME_I32((int32_t)v);
		return true;
	case WIRE_I64:
		if (!whole(r, text, integral, &v)) return false;
		*(struct opt_i64 *)slot = SOME_I64(v);
		return true;
	case WIRE_TIME:
		if (!is_ok(wire_time_read(text, &v))) return bad(r, "Timestamp out of range");
		*(struct opt_time *)slot = SOME_TIME(v);
		return true;
	default:
		if (integral && text.n <= 15 && small_i64(text, &v) && !(v == 0 && text.p[0] == '-'))
			d = (double)v;
		else if (!is_ok(str_to_f64(text, &d)))
			return bad(r, "Numeric value out of range");
		*(struct opt_f64 *)slot = SOME_F64(d);
		return true;
	}
}

static bool value(struct reader *r, uint16_t shape, void *slot, bool pointer, int depth)
{
	const struct wire_shape *s = &r->t->shapes[shape];
	int c = peek(r);
	struct str text;
	int64_t ms;
	if (c < 0) return bad(r, UNENDED);
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRING:
		if (c == '"') return string(r, (struct str *)slot);
		if (c == 't') return bad(r, "TRUE_VALUE can not be converted to a String");
		if (c == 'f') return bad(r, "FALSE_VALUE can not be converted to a String");
		if (c == '-' || (c >= '0' && c <= '9')) return bad(r, "NUMBER_VALUE can not be converted to a String");
		return mismatch(r, c, UNEXPECTED, UNEXPECTED);
	case WIRE_STRUCT:
		if (depth <= 0) return bad(r, "Nesting too deep");
		if (c != '{')
			return c == '[' ? bad(r, "Start of list found where not expected")
					: bad(r, "Unexpected value type in payload");
		return read_struct(r, s, wire_struct_for(r->a, s, slot, pointer), depth);
	case WIRE_LIST:
		if (depth <= 0) return bad(r, "Nesting too deep");
		if (c != '[')
			return c == '{' ? bad(r, "Start of structure or map found where not expected.")
					: bad(r, "Expected list or null");
		return read_list(r, s, slot, depth);
	case WIRE_MAP:
		if (depth <= 0) return bad(r, "Nesting too deep");
		if (c != '{')
			return c == '[' ? bad(r, "Start of list found where not expected")
					: bad(r, "Expected map or null");
		return read_map(r, s, slot, depth);
	case WIRE_BOOL:
		if (c == 't') {
			*(struct opt_bool *)slot = SOME_BOOL(true);
			return LITERAL(r, "true");
		}
		if (c == 'f') {
			*(struct opt_bool *)slot = SOME_BOOL(false);
			return LITERAL(r, "false");
		}
		return mismatch(r, c, "STRING_VALUE can not be converted to a Boolean",
			"NUMBER_VALUE can not be converted to a Boolean");
	case WIRE_BLOB:
		if (c != '"') return mismatch(r, c, UNEXPECTED, "Blob must be a base64 string");
		if (!string(r, &text)) return false;
		return is_ok(str_unbase64(r->a, text, (struct str *)slot)) || bad(r, "Invalid base64");
	case WIRE_TIME:
		if (c != '"') return read_number(r, WIRE_TIME, c, slot);
		if (!string(r, &text)) return false;
		if (!is_ok(wire_time_read(text, &ms)))
			return bad(r, "STRING_VALUE can not be converted to a Timestamp");
		*(struct opt_time *)slot = SOME_TIME(ms);
		return true;
	case WIRE_I32:
	case WIRE_I64:
	case WIRE_F32:
	case WIRE_F64:
		return read_number(r, (enum wire_kind)s->kind, c, slot);
	case WIRE_DOCUMENT: {
		const unsigned char *start = r->p;
		if (!skip(r, WIRE_DOCUMENT_DEPTH)) return false;
		*(struct str *)slot = str_n(start, (size_t)(r->p - start));
		return true;
	}
	case WIRE_STREAM:
	case WIRE_EVENTS:
		return skip(r, depth);
	}
	return bad(r, UNEXPECTED);
}

status wire_json_read(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str body, void *slot,
	bool pointer, struct str *message)
{
	struct reader r = {(const unsigned char *)body.p, (const unsigned char *)body.p + body.n, t, a, NULL};
	if (value(&r, shape, slot, pointer, WIRE_JSON_DEPTH)) {
		if (peek(&r) < 0) return OK;
		(void)bad(&r, UNEXPECTED);
	}
	*message = str_c(r.error ? r.error : UNEXPECTED);
	return STATUS(INVALID);
}

bool wire_json_valid(struct str text, int depth)
{
	struct reader r = {(const unsigned char *)text.p, (const unsigned char *)text.p + text.n, NULL, NULL, NULL};
	return skip(&r, depth) && peek(&r) < 0;
}

status wire_json_to(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str text, void *out)
{
	struct str message;
	return wire_json_read(a, t, shape, text, out, false, &message);
}
