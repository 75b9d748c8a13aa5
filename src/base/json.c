/* A recursive-descent reader over the text, and the writer. */
#include "base/json.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 64 };

struct reader {
	struct arena *arena;
	const char *start, *p, *end;
	unsigned depth;
};

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

static status read_unit(struct reader *r, uint32_t *unit)
{
	if (r->end - r->p < 4) return STATUS(INVALID);
	*unit = 0;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(*r->p++);
		if (d < 0) return STATUS(INVALID);
		*unit = *unit << 4 | (uint32_t)d;
	}
	return OK;
}

static status read_escape(struct reader *r, struct buf *b)
{
	if (r->p == r->end) return STATUS(INVALID);
	char c = *r->p++;
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = strchr(from, c);
	if (c && at) {
		buf_byte(b, to[at - from]);
		return OK;
	}
	if (c != 'u') return STATUS(INVALID);
	uint32_t unit, low;
	TRY(read_unit(r, &unit));
	if (unit >= 0xd800 && unit < 0xdc00) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u') return STATUS(INVALID);
		r->p += 2;
		TRY(read_unit(r, &low));
		if (low < 0xdc00 || low > 0xdfff) return STATUS(INVALID);
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	} else if (unit >= 0xdc00 && unit < 0xe000) {
		return STATUS(INVALID);
	}
	buf_utf8(b, unit);
	return OK;
}

static status read_string(struct reader *r, struct str *out)
{
	if (r->p == r->end || *r->p != '"') return STATUS(INVALID);
	const char *start = ++r->p;
	while (r->p < r->end && *r->p != '"' && *r->p != '\\' && (unsigned char)*r->p >= 0x20) r->p++;
	if (r->p < r->end && *r->p == '"') {
		*out = str_n(start, (size_t)(r->p++ - start));
		return OK;
	}
	struct buf b = BUF_IN(r->arena);
	buf_add(&b, start, (size_t)(r->p - start));
	while (r->p < r->end) {
		char c = *r->p++;
		if (c == '"') {
			*out = buf_done(&b);
			return OK;
		}
		if ((unsigned char)c < 0x20) break;
		if (c == '\\')
			TRY(read_escape(r, &b));
		else
			buf_byte(&b, c);
	}
	return STATUS(INVALID);
}

static bool digits(struct reader *r)
{
	const char *start = r->p;
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
	return r->p > start;
}

static status read_number(struct reader *r, struct str *out)
{
	const char *start = r->p;
	if (*r->p == '-') r->p++;
	if (r->p < r->end && *r->p == '0')
		r->p++;
	else if (!digits(r))
		return STATUS(INVALID);
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (!digits(r)) return STATUS(INVALID);
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
		if (!digits(r)) return STATUS(INVALID);
	}
	*out = str_n(start, (size_t)(r->p - start));
	return OK;
}

static bool word(struct reader *r, struct str w)
{
	if ((size_t)(r->end - r->p) < w.n || memcmp(r->p, w.p, w.n) != 0) return false;
	r->p += w.n;
	return true;
}

static status read_value(struct reader *r, struct json_value *v);

static status read_children(struct reader *r, struct json_value *v, char close)
{
	if (++r->depth > DEPTH_MAX) return STATUS(LIMIT);
	struct json_value **last = &v->first;
	r->p++;
	skip_space(r);
	if (r->p < r->end && *r->p == close) {
		r->p++;
		r->depth--;
		return OK;
	}
	for (;;) {
		struct json_value *child = arena_new(r->arena, struct json_value);
		skip_space(r);
		if (close == '}') {
			TRY(read_string(r, &child->name));
			skip_space(r);
			if (r->p == r->end || *r->p++ != ':') return STATUS(INVALID);
		}
		TRY(read_value(r, child));
		*last = child;
		last = &child->next;
		v->length++;
		skip_space(r);
		if (r->p == r->end) return STATUS(INVALID);
		char c = *r->p++;
		if (c == close) break;
		if (c != ',') return STATUS(INVALID);
	}
	r->depth--;
	return OK;
}

static status read_value(struct reader *r, struct json_value *v)
{
	skip_space(r);
	if (r->p == r->end) return STATUS(INVALID);
	v->at = (size_t)(r->p - r->start);
	switch (*r->p) {
	case '{':
		v->type = JSON_IS_OBJECT;
		return read_children(r, v, '}');
	case '[':
		v->type = JSON_IS_ARRAY;
		return read_children(r, v, ']');
	case '"':
		v->type = JSON_IS_STRING;
		return read_string(r, &v->text);
	case 't':
	case 'f':
		v->type = JSON_IS_BOOL;
		v->truth = *r->p == 't';
		v->text = v->truth ? STR("true") : STR("false");
		return word(r, v->text) ? OK : STATUS(INVALID);
	case 'n':
		v->type = JSON_IS_NULL;
		return word(r, STR("null")) ? OK : STATUS(INVALID);
	default:
		v->type = JSON_IS_NUMBER;
		return read_number(r, &v->text);
	}
}

status json_read(struct arena *a, struct str text, struct json_value **out)
{
	*out = NULL;
	if (!str_utf8_valid(text)) return STATUS(INVALID);
	struct reader r = {.arena = a, .start = text.p, .p = text.p, .end = text.p + text.n};
	struct json_value *v = arena_new(a, struct json_value);
	TRY(read_value(&r, v));
	skip_space(&r);
	if (r.p != r.end) return STATUS(INVALID);
	*out = v;
	return OK;
}

struct json_value *json_member(const struct json_value *v, struct str name)
{
	if (!json_is(v, JSON_IS_OBJECT)) return NULL;
	struct json_value *found = NULL;
	for (struct json_value *m = v->first; m; m = m->next)
		if (str_eq(m->name, name)) found = m;
	return found;
}

struct str json_string(const struct json_value *v) { return json_is(v, JSON_IS_STRING) ? v->text : STR_NONE; }

struct str json_scalar(const struct json_value *v)
{
	if (json_is(v, JSON_IS_STRING) || json_is(v, JSON_IS_NUMBER) || json_is(v, JSON_IS_BOOL)) return v->text;
	return STR_NONE;
}

void json_quote(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	buf_byte(b, '"');
	size_t plain = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 0x20 && c != '"' && c != '\\') continue;
		buf_add(b, s.p + plain, i - plain);
		plain = i + 1;
		buf_byte(b, '\\');
		if (c == '"' || c == '\\') {
			buf_byte(b, (char)c);
		} else if (c == '\n') {
			buf_byte(b, 'n');
		} else if (c == '\r') {
			buf_byte(b, 'r');
		} else if (c == '\t') {
			buf_byte(b, 't');
		} else {
			buf_lit(b, "u00");
			buf_byte(b, hex[c >> 4]);
			buf_byte(b, hex[c & 15]);
		}
	}
	buf_add(b, s.p + plain, s.n - plain);
	buf_byte(b, '"');
}

void json_write(struct buf *b, const struct json_value *v)
{
	switch (v->type) {
	case JSON_IS_NULL:
		buf_lit(b, "null");
		return;
	case JSON_IS_BOOL:
	case JSON_IS_NUMBER:
		buf_str(b, v->text);
		return;
	case JSON_IS_STRING:
		json_quote(b, v->text);
		return;
	case JSON_IS_ARRAY:
	case JSON_IS_OBJECT:
		break;
	}
	bool object = v->type == JSON_IS_OBJECT;
	buf_byte(b, object ? '{' : '[');
	for (const struct json_value *m = v->first; m; m = m->next) {
		if (m != v->first) buf_byte(b, ',');
		if (object) {
			json_quote(b, m->name);
			buf_byte(b, ':');
		}
		json_write(b, m);
	}
	buf_byte(b, object ? '}' : ']');
}
