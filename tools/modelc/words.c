/* The lexical level of the model language (models/README.md): spaces, quotes, escapes. */
#include "modelc/words.h"
#include "base/buf.h"

static bool hex4(struct str s, uint32_t *out)
{
	uint32_t v = 0;
	if (s.n < 4) return false;
	for (size_t i = 0; i < 4; i++) {
		char c = s.p[i];
		uint32_t d = 0;
		if (c >= '0' && c <= '9')
			d = (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (uint32_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			d = (uint32_t)(c - 'A') + 10;
		else
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

/* One code point of the basic plane; surrogates are refused, the file is UTF-8 and holds the others as they are. */
static bool put_code_point(struct buf *b, uint32_t c)
{
	if (c >= 0xd800 && c <= 0xdfff) return false;
	if (c < 0x80) {
		buf_byte(b, (char)c);
	} else if (c < 0x800) {
		buf_byte(b, (char)(0xc0 | c >> 6));
		buf_byte(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_byte(b, (char)(0xe0 | c >> 12));
		buf_byte(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(b, (char)(0x80 | (c & 0x3f)));
	}
	return true;
}

/* s begins behind the opening quote; it is moved behind the closing one. */
static bool quoted(struct model *m, struct place at, struct str *s, struct str *out)
{
	struct buf b = BUF_IN(&m->arena);
	while (s->n) {
		char c = s->p[0];
		*s = str_from(*s, 1);
		if (c == '"') {
			*out = buf_done(&b);
			return true;
		}
		if (c != '\\') {
			buf_byte(&b, c);
			continue;
		}
		if (!s->n) break;
		c = s->p[0];
		*s = str_from(*s, 1);
		uint32_t code = 0;
		switch (c) {
		case '"':
		case '\\': buf_byte(&b, c); break;
		case 'n': buf_byte(&b, '\n'); break;
		case 't': buf_byte(&b, '\t'); break;
		case 'r': buf_byte(&b, '\r'); break;
		case 'u':
			if (!hex4(*s, &code) || !put_code_point(&b, code))
				return model_fail(m, at, "\\u needs four hexadecimal digits, and no surrogate");
			*s = str_from(*s, 4);
			break;
		default: return model_fail(m, at, "unknown escape \\%c", c);
		}
	}
	return model_fail(m, at, "the closing quote is missing");
}

/* A run up to a space, or up to '=' where stop_at_equals. */
static bool bare(struct model *m, struct place at, struct str *s, bool stop_at_equals, struct str *out)
{
	size_t n = 0;
	while (n < s->n && s->p[n] != ' ' && !(stop_at_equals && s->p[n] == '=')) {
		if (s->p[n] == '"') return model_fail(m, at, "a quote within a word");
		n++;
	}
	if (!n) return model_fail(m, at, "an empty word");
	*out = str_sub(*s, 0, n);
	*s = str_from(*s, n);
	return true;
}

static bool one_word(struct model *m, struct place at, struct str *s, struct word *w)
{
	*w = (struct word){0};
	if (s->p[0] == '"') {
		*s = str_from(*s, 1);
		if (!quoted(m, at, s, &w->name)) return false;
	} else {
		if (!bare(m, at, s, true, &w->name)) return false;
		if (s->n && s->p[0] == '=') {
			*s = str_from(*s, 1);
			if (s->n && s->p[0] == '"') {
				*s = str_from(*s, 1);
				if (!quoted(m, at, s, &w->value)) return false;
			} else if (!bare(m, at, s, false, &w->value)) {
				return false;
			}
		}
	}
	if (s->n && s->p[0] != ' ') return model_fail(m, at, "a space is missing behind a quoted word");
	return true;
}

bool line_cut(struct model *m, struct place at, struct str text, struct line *l)
{
	l->at = at;
	l->n = 0;
	l->indented = false;
	if (!text.n || text.p[0] == '#') return true;
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return model_fail(m, at, "a control character; tabs and carriage returns have no place here");
	if (!str_utf8_valid(text)) return model_fail(m, at, "not UTF-8");
	if (text.p[0] == ' ') {
		l->indented = true;
		text = str_from(text, 1);
		if (!text.n || text.p[0] == ' ') return model_fail(m, at, "a line that belongs begins with one space");
	}
	if (text.p[text.n - 1] == ' ') return model_fail(m, at, "a space at the end");
	while (text.n) {
		if (l->n == WORDS_MAX) return model_fail(m, at, "more than %d words", WORDS_MAX);
		if (!one_word(m, at, &text, &l->words[l->n++])) return false;
		while (text.n && text.p[0] == ' ') text = str_from(text, 1);
	}
	return true;
}
