/* See import_ion.h. The reader makes the API's own struct of it, so that one place checks and converts: ddb_map_read. */
#include "services/dynamodb/import_ion.h"
#include "base/utf8.h"
#include "base/vec.h"

enum { DEPTH_MAX = 64, CODE_POINT_MAX = 0x10ffff };

struct ion {
	struct arena *a;
	struct str in;
	size_t at;
	unsigned depth;
};

static char look(const struct ion *r, size_t ahead)
{
	return r->at + ahead < r->in.n ? r->in.p[r->at + ahead] : '\0';
}

static bool starts(const struct ion *r, struct str what)
{
	return str_starts(str_from(r->in, r->at), what);
}

static bool take(struct ion *r, struct str what)
{
	bool there = starts(r, what);
	if (there) r->at += what.n;
	return there;
}

/* White space and comments. */
static void skip(struct ion *r)
{
	for (;;) {
		while (r->at < r->in.n && str_chr(STR(" \t\n\r\v\f"), look(r, 0)) >= 0) r->at++;
		if (starts(r, STR("//"))) {
			while (r->at < r->in.n && look(r, 0) != '\n') r->at++;
		} else if (starts(r, STR("/*"))) {
			ptrdiff_t end = str_find(str_from(r->in, r->at + 2), STR("*/"));
			r->at = end < 0 ? r->in.n : r->at + 2 + (size_t)end + 2;
		} else {
			return;
		}
	}
}

static bool take_after_space(struct ion *r, struct str what)
{
	skip(r);
	return take(r, what);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str read_identifier(struct ion *r)
{
	size_t from = r->at;
	if (!is_letter(look(r, 0))) return STR_NONE;
	while (is_letter(look(r, 0)) || is_digit(look(r, 0))) r->at++;
	return str_sub(r->in, from, r->at - from);
}

static bool read_hex(struct ion *r, struct buf *b, unsigned digits)
{
	uint32_t c = 0;
	for (unsigned i = 0; i < digits; i++, r->at++) {
		char d = look(r, 0);
		if (is_digit(d))
			c = c << 4 | (uint32_t)(d - '0');
		else if ((d >= 'a' && d <= 'f') || (d >= 'A' && d <= 'F'))
			c = c << 4 | (uint32_t)((d | 0x20) - 'a' + 10);
		else
			return false;
	}
	if (c > CODE_POINT_MAX || (c >= 0xd800 && c <= 0xdfff)) return false;
	buf_utf8(b, c);
	return true;
}

static bool read_escape(struct ion *r, struct buf *b)
{
	static const char from[] = "0abtnfrv\"'?\\/", to[] = "\0\a\b\t\n\f\r\v\"'?\\/";
	char c = look(r, 0);
	ptrdiff_t i = str_chr(str_c(from), c);
	r->at++;
	if (c == 'x') return read_hex(r, b, 2);
	if (c == 'u') return read_hex(r, b, 4);
	if (c == 'U') return read_hex(r, b, 8);
	if (c == '\n') return true; /* the line goes on */
	if (i < 0) return false;
	buf_byte(b, to[i]);
	return true;
}

/* After the opening quotes, which end it too. */
static bool read_quoted(struct ion *r, struct str quotes, struct buf *b)
{
	while (!take(r, quotes)) {
		if (r->at >= r->in.n) return false;
		char c = r->in.p[r->at++];
		if (c != '\\')
			buf_byte(b, c);
		else if (!read_escape(r, b))
			return false;
	}
	return true;
}

/* "…", or '''…''' '''…''' as one. */
static bool read_string(struct ion *r, struct str *out)
{
	struct buf b = BUF_IN(r->a);
	bool good = false;
	if (take(r, STR("\""))) {
		good = read_quoted(r, STR("\""), &b);
	} else {
		while (take(r, STR("'''"))) {
			if (!read_quoted(r, STR("'''"), &b)) return false;
			good = true;
			skip(r);
		}
	}
	*out = buf_done(&b);
	return good && str_utf8_valid(*out);
}

/* A field's name or an annotation. */
static bool read_name(struct ion *r, struct str *out)
{
	if (look(r, 0) == '"' || starts(r, STR("'''"))) return read_string(r, out);
	if (take(r, STR("'"))) {
		struct buf b = BUF_IN(r->a);
		bool good = read_quoted(r, STR("'"), &b);
		*out = buf_done(&b);
		return good && str_utf8_valid(*out);
	}
	*out = read_identifier(r);
	return str_has(*out);
}

static bool read_blob(struct ion *r, struct str *out)
{
	struct buf b = BUF_IN(r->a);
	while (!take(r, STR("}}"))) {
		if (r->at >= r->in.n) return false;
		char c = r->in.p[r->at++];
		if (str_chr(STR(" \t\n\r\v\f"), c) < 0) buf_byte(&b, c);
	}
	return is_ok(str_unbase64(r->a, buf_done(&b), out));
}

/* "Decimal numbers: 'd' marks their exponent, 'e' that of floats; '_' may stand between digits". */
static bool read_number(struct ion *r, struct str *out)
{
	struct buf b = BUF_IN(r->a);
	if (look(r, 0) == '-') buf_byte(&b, r->in.p[r->at++]);
	if (!is_digit(look(r, 0))) return false;
	for (char c; (c = look(r, 0)) && (is_digit(c) || str_chr(STR("._dDeE"), c) >= 0);) {
		bool exponent = str_chr(STR("dDeE"), c) >= 0;
		r->at++;
		/* "1." is a number of Ion's, and of nobody else's. */
		if (c == '.' && !is_digit(look(r, 0))) continue;
		if (exponent) c = 'E';
		if (c != '_') buf_byte(&b, c);
		if (exponent && (look(r, 0) == '-' || look(r, 0) == '+')) buf_byte(&b, r->in.p[r->at++]);
	}
	*out = buf_done(&b);
	/* What goes on is a date, or another base. */
	return !is_letter(look(r, 0)) && look(r, 0) != '-' && look(r, 0) != ':';
}

static bool read_value(struct ion *r, struct dynamodb_attribute_value *out);

static bool read_struct(struct ion *r, struct dynamodb_map_attribute_value *out)
{
	size_t capacity = 0;
	VEC_PRESENT(r->a, out);
	for (bool first = true; !take_after_space(r, STR("}")); first = false) {
		struct dynamodb_map_attribute_value_entry *m;
		struct str name;
		if (!first && !take(r, STR(","))) return false;
		if (!first && take_after_space(r, STR("}"))) return true;
		skip(r);
		if (!read_name(r, &name) || !take_after_space(r, STR(":"))) return false;
		m = VEC_PUSH(r->a, out, &capacity);
		*m = (struct dynamodb_map_attribute_value_entry){.key = name};
		if (!read_value(r, &m->value)) return false;
	}
	return true;
}

static bool read_list(struct ion *r, struct dynamodb_list_attribute_value *out)
{
	size_t capacity = 0;
	VEC_PRESENT(r->a, out);
	for (bool first = true; !take_after_space(r, STR("]")); first = false) {
		if (!first && !take(r, STR(","))) return false;
		if (!first && take_after_space(r, STR("]"))) return true;
		struct dynamodb_attribute_value *v = VEC_PUSH(r->a, out, &capacity);
		*v = (struct dynamodb_attribute_value){0};
		if (!read_value(r, v)) return false;
	}
	return true;
}

static bool read_set(struct ion *r, struct str kind, struct dynamodb_attribute_value *out)
{
	struct dynamodb_list_attribute_value list = {0};
	if (!take_after_space(r, STR("[")) || !read_list(r, &list) || list.n == 0) return false;
	struct str *v = arena_new_n(r->a, struct str, list.n);
	bool numbers = str_is(kind, "$dynamodb_NS"), bytes = str_is(kind, "$dynamodb_BS");
	for (size_t i = 0; i < list.n; i++) {
		v[i] = numbers ? list.v[i].n : bytes ? list.v[i].b : list.v[i].s;
		if (!str_has(v[i])) return false;
	}
	if (numbers) {
		out->ns.v = v;
		out->ns.n = list.n;
	} else if (bytes) {
		out->bs.v = v;
		out->bs.n = list.n;
	} else if (str_is(kind, "$dynamodb_SS")) {
		out->ss.v = v;
		out->ss.n = list.n;
	} else {
		return false;
	}
	return true;
}

/* true, false, null, null.string, and the annotation of a set. */
static bool read_word(struct ion *r, struct dynamodb_attribute_value *out)
{
	struct str word;
	bool quoted = look(r, 0) == '\'';
	if (!read_name(r, &word)) return false;
	if (take_after_space(r, STR("::"))) return read_set(r, word, out);
	if (quoted) return false;
	if (str_is(word, "null")) {
		if (take(r, STR(".")) && !str_has(read_identifier(r))) return false;
		out->null = SOME_BOOL(true);
		return true;
	}
	out->bool_ = SOME_BOOL(str_is(word, "true"));
	return str_is(word, "true") || str_is(word, "false");
}

static bool read_here(struct ion *r, struct dynamodb_attribute_value *out)
{
	char c = look(r, 0);
	if (c == '"' || starts(r, STR("'''"))) return read_string(r, &out->s);
	if (c == '-' || is_digit(c)) return read_number(r, &out->n);
	if (take(r, STR("{{"))) return read_blob(r, &out->b);
	if (take(r, STR("{"))) return read_struct(r, &out->m);
	if (take(r, STR("["))) return read_list(r, &out->l);
	return read_word(r, out);
}

static bool read_value(struct ion *r, struct dynamodb_attribute_value *out)
{
	skip(r);
	if (++r->depth > DEPTH_MAX) return false;
	bool good = read_here(r, out);
	r->depth--;
	return good;
}

bool ddb_ion_read(struct arena *a, struct str line, struct value *item)
{
	struct ion r = {.a = a, .in = line};
	struct dynamodb_map_attribute_value top = {0};
	struct str why;
	(void)take_after_space(&r, STR("$ion_1_0"));
	if (!take_after_space(&r, STR("{")) || !read_struct(&r, &top)) return false;
	skip(&r);
	if (r.at < line.n || top.n != 1 || !str_is(top.v[0].key, "Item")) return false;
	return top.v[0].value.m.v && ddb_map_read(a, &top.v[0].value.m, item, &why);
}
