/* A cache of compiled patterns. Compiling costs some 10 µs, matching 0.2, and the same few patterns (table names, ARNs)
 * come with every request: so they are kept, in a fixed table of atomic pointers that is only ever filled. That is the
 * room's one piece of process-wide state; it holds nothing but what the constant tables say. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "wire/pattern.h"
#include "base/buf.h"
#include <pcre2.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SLOTS 8192 /* the models hold some 3,000 different patterns */

struct compiled {
	const char *key;
	pcre2_code *code; /* NULL: does not compile */
};
static _Atomic(struct compiled *) cache[SLOTS];

static unsigned long hex4(const char *p)
{
	char text[5] = {p[0], p[1], p[2], p[3], 0};
	return strtoul(text, NULL, 16);
}
static bool is_unicode_escape(struct str p, size_t i)
{
	return i + 6 <= p.n && p.p[i] == '\\' && p.p[i + 1] == 'u';
}

/* \uXXXX as \x{…}: a surrogate pair is its code point; a lone surrogate matches nothing in UTF-8 and is dropped, with
 * the range that it begins. Returns how much was read. */
static size_t translate_unicode(struct str p, size_t i, struct buf *out)
{
	unsigned long c = hex4(p.p + i + 2), low = is_unicode_escape(p, i + 6) ? hex4(p.p + i + 8) : 0;
	if (c >= 0xd800 && c <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
		buf_fmt(out, "\\x{%lx}", 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
		return 12;
	}
	if (c >= 0xd800 && c <= 0xdfff) return i + 6 < p.n && p.p[i + 6] == '-' ? 7 : 6;
	buf_fmt(out, "\\x{%lx}", c);
	return 6;
}

/* Java's names for classes that PCRE2 has no \p{…} for. */
static size_t translate_class(struct str p, size_t i, struct buf *out)
{
	static const struct {
		struct str java, pcre;
	} classes[] = {{STR("\\p{Print}"), STR("[\\x20-\\x7e]")}, {STR("\\p{XDigit}"), STR("[0-9A-Fa-f]")},
		{STR("\\p{all}"), STR("\\p{Any}")}};
	for (size_t k = 0; k < sizeof classes / sizeof *classes; k++)
		if (str_starts(str_from(p, i), classes[k].java)) {
			buf_str(out, classes[k].pcre);
			return classes[k].java.n;
		}
	return 0;
}

/* Java's regular expressions as PCRE2's, where the models' differ: Unicode escapes, some classes, a hyphen behind a
 * class within brackets ([\w-_]), repetitions past PCRE2's 65,535 (then without an upper limit: the length is checked
 * beside). */
static void translate(struct str p, struct buf *out)
{
	bool brackets = false;
	for (size_t i = 0; i < p.n;) {
		char c = p.p[i];
		if (c == '\\' && i + 1 < p.n) {
			size_t n = is_unicode_escape(p, i) ? translate_unicode(p, i, out) : translate_class(p, i, out);
			if (n) {
				i += n;
				continue;
			}
			char kind = p.p[i + 1];
			buf_add(out, p.p + i, 2);
			i += 2;
			if (kind == 'p' || kind == 'P')
				while (i < p.n && (buf_byte(out, p.p[i]), p.p[i++]) != '}') {
				}
			if (brackets && i + 1 < p.n && p.p[i] == '-' && p.p[i + 1] != ']' && strchr("wWdDsSpP", kind)) {
				buf_lit(out, "\\-");
				i++;
			}
			continue;
		}
		if (c == '[')
			brackets = true;
		else if (c == ']')
			brackets = false;
		if (!brackets && c == ',' && i + 1 < p.n && strtoul(p.p + i + 1, NULL, 10) > 65535) {
			buf_byte(out, c);
			for (i++; i < p.n && p.p[i] >= '0' && p.p[i] <= '9'; i++) {
			}
			continue;
		}
		buf_byte(out, c);
		i++;
	}
}

static struct compiled *compile(struct str pattern)
{
	struct compiled *c = mem_new(sizeof *c);
	struct buf b = BUF_HEAP;
	int error;
	PCRE2_SIZE at;
	translate(pattern, &b);
	c->key = pattern.p;
	c->code = pcre2_compile((PCRE2_SPTR)b.p, b.n,
		PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY, &error, &at,
		NULL);
	buf_cleanup(&b);
	if (c->code) (void)pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE);
	return c;
}

static void compiled_free(struct compiled *c)
{
	pcre2_code_free(c->code);
	free(c);
}

static const struct compiled *get(struct str pattern, struct compiled **own)
{
	size_t h = (size_t)(((uintptr_t)pattern.p * 0x9e3779b97f4a7c15ull) >> 40);
	for (size_t i = 0; i < 64; i++) {
		_Atomic(struct compiled *) *slot = &cache[(h + i) % SLOTS];
		struct compiled *c = atomic_load_explicit(slot, memory_order_acquire);
		if (!c) {
			struct compiled *fresh = compile(pattern);
			if (atomic_compare_exchange_strong(slot, &c, fresh)) return fresh;
			compiled_free(fresh);
		}
		if (c->key == pattern.p) return c;
	}
	return *own = compile(pattern);
}

bool wire_pattern_matches(struct str pattern, struct str text)
{
	struct compiled *own = NULL;
	const struct compiled *c = get(pattern, &own);
	bool matches = true;
	if (c->code) {
		pcre2_match_data *data = pcre2_match_data_create(1, NULL);
		pcre2_match_context *context = pcre2_match_context_create(NULL);
		/* A text that makes the pattern backtrack without end does not match. */
		pcre2_set_match_limit(context, 200000);
		matches = pcre2_match(c->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, PCRE2_NO_UTF_CHECK, data,
				  context) >= 0;
		pcre2_match_context_free(context);
		pcre2_match_data_free(data);
	}
	if (own) compiled_free(own);
	return matches;
}

bool wire_pattern_readable(struct str pattern)
{
	struct compiled *own = NULL;
	bool readable = get(pattern, &own)->code != NULL;
	if (own) compiled_free(own);
	return readable;
}
