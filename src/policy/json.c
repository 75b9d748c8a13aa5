/* A strict reader of JSON (RFC 8259) for policy documents: UTF-8 only,
	no duplicate names ("Grammar of the IAM JSON policy
 * language": elements must not contain multiple instances of the same key), little depth. It keeps places for "
	"messages. */
#include "base/map.h"
#include "policy/internal.h"

#define DEPTH_MAX 16
/* Objects past this size are compared through a map: duplicates are searched in linear time. */
#define SMALL_OBJECT 16

struct reader {
	struct arena *arena;
	const char *start, *p, *end;
	const char *what;
	const char *at;
};

static bool fail(struct reader *r, const char *what)
{
	if (!r->what) {
		r->what = what;
		r->at = r->p;
	}
	return false;
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}

static bool read_hex4(struct reader *r, uint32_t *out)
{
	if (r->end - r->p < 4) return fail(r, "unfinished \\u escape");
	uint32_t v = 0;
	for (int i = 0; i < 4; i++) {
		char c = *r->p++;
		uint32_t d;
		if (c >= '0' && c <= '9')
			d = (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			d = (uint32_t)(c - 'A' + 10);
		else
			return fail(r, "malformed \\u escape");
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

static bool read_escape(struct reader *r, char *out, size_t *n)
{
	if (r->p == r->end) return fail(r, "unfinished string");
	char c = *r->p++;
	switch (c) {
	case '"': case '\\': case '/': out[(*n)++] = c; return true;
	case 'b': out[(*n)++] = '\b'; return true;
	case 'f': out[(*n)++] = '\f'; return true;
	case 'n': out[(*n)++] = '\n'; return true;
	case 'r': out[(*n)++] = '\r'; return true;
	case 't': out[(*n)++] = '\t'; return true;
	case 'u': break;
	default: return fail(r, "unknown escape");
	}
	uint32_t v, low;
	if (!read_hex4(r, &v)) return false;
	if (v >= 0xDC00 && v < 0xE000) return fail(r, "lone surrogate");
	if (v >= 0xD800 && v < 0xDC00) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u') return fail(r, "lone surrogate");
		r->p += 2;
		if (!read_hex4(r, &low)) return false;
		if (low < 0xDC00 || low >= 0xE000) return fail(r, "lone surrogate");
		v = 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
	}
	*n += put_utf8(out + *n, v);
	return true;
}

static bool read_string(struct reader *r, struct str *out)
{
	r->p++;
	const char *from = r->p;
	while (r->p < r->end && *r->p != '"' && *r->p != '\\' && (unsigned char)*r->p >= 0x20) r->p++;
	if (r->p < r->end && *r->p == '"') {
		*out = str_n(from, (size_t)(r->p++ - from));
		return true;
	}
	/* With escapes. Decoded text is never longer than its source. */
	const char *closing = r->p;
	while (closing < r->end && *closing != '"') closing += *closing == '\\' && closing + 1 < r->end ? 2 : 1;
	if (closing >= r->end) return fail(r, "unfinished string");
	char *text = arena_alloc_raw(r->arena, (size_t)(closing - from) + 4);
	size_t n = (size_t)(r->p - from);
	memcpy(text, from, n);
	while (*r->p != '"') {
		if ((unsigned char)*r->p < 0x20) return fail(r, "control character in a string");
		if (*r->p != '\\') {
			text[n++] = *r->p++;
			continue;
		}
		r->p++;
		if (!read_escape(r, text, &n)) return false;
		if (r->p >= r->end) return fail(r, "unfinished string");
	}
	r->p++;
	*out = str_n(text, n);
	return true;
}

static bool digits(struct reader *r)
{
	const char *from = r->p;
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
	return r->p > from || fail(r, "malformed number");
}

static bool read_number(struct reader *r, struct str *out)
{
	const char *from = r->p;
	if (*r->p == '-') r->p++;
	if (r->p < r->end && *r->p == '0')
		r->p++;
	else if (!digits(r))
		return false;
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (!digits(r)) return false;
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
		if (!digits(r)) return false;
	}
	*out = str_n(from, (size_t)(r->p - from));
	return true;
}

static bool read_word(struct reader *r, struct str word)
{
	if ((size_t)(r->end - r->p) < word.n || memcmp(r->p, word.p, word.n) != 0) return fail(r, "unknown word");
	r->p += word.n;
	return true;
}

static bool has_duplicates(const struct json *object)
{
	if (object->count <= SMALL_OBJECT) {
		for (const struct json *m = object->first; m; m = m->next)
			for (const struct json *o = m->next; o; o = o->next)
				if (str_eq(m->key, o->key)) return true;
		return false;
	}
	struct map seen;
	map_init(&seen);
	bool found = false;
	for (struct json *m = object->first; m && !found; m = m->next) found = map_set(&seen, m->key, m) != NULL;
	map_cleanup(&seen, NULL);
	return found;
}

static bool read_value(struct reader *r, struct json *out, int depth);

static bool read_members(struct reader *r, struct json *out, char end, int depth)
{
	if (depth == DEPTH_MAX) return fail(r, "nested too deeply");
	r->p++;
	struct json **last = &out->first;
	skip_space(r);
	if (r->p < r->end && *r->p == end) {
		r->p++;
		return true;
	}
	for (;;) {
		struct json *m = arena_new(r->arena, struct json);
		skip_space(r);
		if (end == '}') {
			if (r->p == r->end || *r->p != '"') return fail(r, "a name was expected");
			if (!read_string(r, &m->key)) return false;
			skip_space(r);
			if (r->p == r->end || *r->p != ':') return fail(r, "':' was expected");
			r->p++;
			skip_space(r);
		}
		if (!read_value(r, m, depth + 1)) return false;
		*last = m;
		last = &m->next;
		out->count++;
		skip_space(r);
		if (r->p < r->end && *r->p == ',') {
			r->p++;
			continue;
		}
		if (r->p == r->end || *r->p != end) return fail(r, "',' or the end of a list or object was expected");
		r->p++;
		break;
	}
	if (end == '}' && has_duplicates(out)) return fail(r, "duplicate name in an object");
	return true;
}

static bool read_value(struct reader *r, struct json *out, int depth)
{
	if (r->p == r->end) return fail(r, "a value was expected");
	out->at = (size_t)(r->p - r->start);
	switch (*r->p) {
	case '{': out->kind = JSON_OBJECT; return read_members(r, out, '}', depth);
	case '[': out->kind = JSON_ARRAY; return read_members(r, out, ']', depth);
	case '"': out->kind = JSON_STRING; return read_string(r, &out->text);
	case 't':
		out->kind = JSON_BOOL;
		out->text = STR("true");
		return read_word(r, out->text);
	case 'f':
		out->kind = JSON_BOOL;
		out->text = STR("false");
		return read_word(r, out->text);
	case 'n': out->kind = JSON_NULL; return read_word(r, STR("null"));
	default: break;
	}
	if (*r->p != '-' && (*r->p < '0' || *r->p > '9')) return fail(r, "a value was expected");
	out->kind = JSON_NUMBER;
	return read_number(r, &out->text);
}

struct json *json_parse(struct arena *a, struct str text, const char **what, size_t *at)
{
	struct reader r = {.arena = a, .start = text.p, .p = text.p, .end = text.p + text.n};
	struct json *root = arena_new(a, struct json);
	if (!str_utf8_valid(text)) {
		fail(&r, "not UTF-8");
	} else {
		skip_space(&r);
		if (read_value(&r, root, 0)) {
			skip_space(&r);
			if (r.p != r.end) fail(&r, "text behind the end");
		}
	}
	if (!r.what) return root;
	*what = r.what;
	*at = (size_t)(r.at - r.start);
	return NULL;
}
