/* A cache of compiled patterns. Compiling costs some 10 µs, matching 0.2, and the same few patterns (table names, ARNs) come
 * with every request: so they are kept, in a fixed table of atomic pointers that is only ever filled. That is the room's one
 * piece of process-wide state; it holds nothing but what the constant tables say. */
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

/* Java's \uXXXX as PCRE2's \x{…}; a surrogate pair becomes its code point. */
static void translate(struct str p, struct buf *out)
{
	for (size_t i = 0; i < p.n;) {
		if (p.p[i] != '\\' || i + 1 >= p.n) {
			buf_byte(out, p.p[i++]);
			continue;
		}
		if (p.p[i + 1] != 'u' || i + 6 > p.n) {
			buf_add(out, p.p + i, 2);
			i += 2;
			continue;
		}
		char text[5] = {0};
		memcpy(text, p.p + i + 2, 4);
		unsigned long c = strtoul(text, NULL, 16);
		i += 6;
		if (c >= 0xd800 && c <= 0xdbff && i + 6 <= p.n && p.p[i] == '\\' && p.p[i + 1] == 'u') {
			memcpy(text, p.p + i + 2, 4);
			c = 0x10000 + ((c - 0xd800) << 10) + (strtoul(text, NULL, 16) - 0xdc00);
			i += 6;
		}
		buf_fmt(out, "\\x{%lx}", c);
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
	c->code = pcre2_compile((PCRE2_SPTR)b.p, b.n, PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NO_UTF_CHECK |
		PCRE2_DOLLAR_ENDONLY, &error, &at, NULL);
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
		matches = pcre2_match(c->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, PCRE2_NO_UTF_CHECK, data, context) >= 0;
		pcre2_match_context_free(context);
		pcre2_match_data_free(data);
	}
	if (own) compiled_free(own);
	return matches;
}
