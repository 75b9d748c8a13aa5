/* Writing the small JSON of virga's own pages; see json.h. */
#include "admin/json.h"

/* A value or key begins: a comma, unless an opening bracket or a key's colon stands before. */
static void separate(struct buf *b)
{
	if (b->n == 0) return;
	char last = b->p[b->n - 1];
	if (last != '{' && last != '[' && last != ' ') buf_lit(b, ", ");
}

void json_open(struct buf *b, char bracket)
{
	separate(b);
	buf_byte(b, bracket);
}

void json_close(struct buf *b, char bracket)
{
	buf_byte(b, bracket);
}

/* Length of the UTF-8 sequence at the beginning of s, 0 where there is none. */
static size_t sequence(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	return n <= s.n && str_utf8_valid(str_n(s.p, n)) ? n : 0;
}

static void quote(struct buf *b, struct str s)
{
	buf_byte(b, '"');
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = sequence(s);
		if (c == '"' || c == '\\') {
			buf_byte(b, '\\');
			buf_byte(b, (char)c);
		} else if (c == '\n') {
			buf_lit(b, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			buf_fmt(b, "\\u%04x", c);
		} else if (n == 0) {
			buf_lit(b, "\\ufffd");
		} else {
			buf_add(b, s.p, n);
		}
		s = str_from(s, n ? n : 1);
	}
	buf_byte(b, '"');
}

void json_key_str(struct buf *b, struct str key)
{
	separate(b);
	quote(b, key);
	buf_lit(b, ": ");
}

void json_key(struct buf *b, const char *key)
{
	json_key_str(b, str_c(key));
}

void json_str(struct buf *b, struct str value)
{
	separate(b);
	if (str_has(value))
		quote(b, value);
	else
		buf_lit(b, "null");
}

void json_bool(struct buf *b, bool value)
{
	separate(b);
	buf_str(b, value ? STR("true") : STR("false"));
}

void json_i64(struct buf *b, int64_t value)
{
	separate(b);
	buf_i64(b, value);
}
