/* Building the compiled form: parts grow in buffers,
	then move into one block. Patterns are encoded here (see the marks in
 * internal.h) and sorted by how cheaply they can be matched. */
#include "policy/internal.h"
#include <stdatomic.h>
#include <stdlib.h>

void builder_init(struct builder *b, struct arena *a)
{
	*b = (struct builder){.arena = a,
		.statements = BUF_IN(a),
		.patterns = BUF_IN(a),
		.conditions = BUF_IN(a),
		.values = BUF_IN(a),
		.principals = BUF_IN(a),
		.text = BUF_IN(a)};
}

uint32_t builder_text(struct builder *b, struct str s)
{
	uint32_t at = (uint32_t)b->text.n;
	buf_str(&b->text, s);
	return at;
}

static void put16(struct buf *b, size_t v)
{
	uint16_t x = (uint16_t)v;
	buf_add(b, &x, 2);
}

static struct str trim_spaces(struct str s)
{
	while (s.n && *s.p == ' ') s = str_from(s, 1);
	while (s.n && s.p[s.n - 1] == ' ') s.n--;
	return s;
}

/* What stands between ${ and }: a special character, or a key with an optional default ("IAM policy elements: Variables
 * and tags", "Specifying default values"). */
static bool put_variable(struct builder *b, struct buf *out, struct str inner)
{
	if (inner.n == 1 && (*inner.p == '*' || *inner.p == '?' || *inner.p == '$')) {
		buf_byte(out, *inner.p);
		return true;
	}
	struct str name = inner, otherwise = STR_NONE;
	ptrdiff_t comma = str_chr(inner, ',');
	if (comma >= 0) {
		name = str_sub(inner, 0, (size_t)comma);
		otherwise = trim_spaces(str_from(inner, (size_t)comma + 1));
		if (otherwise.n < 2 || otherwise.p[0] != '\'' || otherwise.p[otherwise.n - 1] != '\'') {
			b->why = "The default value of a policy variable must stand in single quotes";
			return false;
		}
		otherwise = str_sub(otherwise, 1, otherwise.n - 2);
	}
	name = trim_spaces(name);
	if (name.n == 0 || name.n > 512 || otherwise.n > 4096) {
		b->why = "The policy variable is empty or too long";
		return false;
	}
	struct str lower = str_lower(b->arena, name);
	uint32_t hash = key_hash(lower);
	buf_byte(out, (char)MARK_VARIABLE);
	buf_add(out, &hash, 4);
	put16(out, lower.n);
	put16(out, str_has(otherwise) ? otherwise.n + 1 : 0);
	buf_str(out, lower);
	if (str_has(otherwise)) buf_str(out, otherwise);
	return true;
}

struct encoding {
	struct buf out;
	bool variable, wildcard;
	size_t first_mark; /* of out; SIZE_MAX none */
};

static char star_for(enum pattern_use use, struct str text, size_t i, size_t colons)
{
	/* "If the * wildcard is the last character of a resource ARN segment, it can expand to match beyond the colon
	 * boundaries" ("IAM JSON policy elements: Resource"); ARN operators check each component separately
	 * ("Amazon Resource Name (ARN) condition operators"). */
	if ((use != USE_RESOURCE && use != USE_ARN) || colons >= 5) return (char)MARK_STAR;
	bool last = i + 1 == text.n || text.p[i + 1] == ':';
	return (char)(use == USE_RESOURCE && last ? MARK_STAR : MARK_SEGMENT_STAR);
}

static bool encode(struct builder *b, struct str text, enum pattern_use use, struct encoding *e)
{
	bool wild = use != USE_STRING;
	size_t colons = 0;
	e->out = BUF_IN(b->arena);
	e->first_mark = SIZE_MAX;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == ':') colons++;
		if (c == '$' && b->variables && use != USE_ACTION && i + 1 < text.n && text.p[i + 1] == '{') {
			struct str rest = str_from(text, i + 2);
			ptrdiff_t end = str_chr(rest, '}');
			if (end < 0) {
				b->why = "The policy variable is missing a closing brace";
				return false;
			}
			size_t before = e->out.n;
			if (!put_variable(b, &e->out, str_sub(rest, 0, (size_t)end))) return false;
			if ((unsigned char)e->out.p[before] == MARK_VARIABLE) {
				e->variable = true;
				if (use == USE_RESOURCE && colons < 5 && str_starts(text, STR("arn:"))) {
					b->why = "Policy variables may stand only in the part of a resource ARN "
						"behind the fifth colon";
					return false;
				}
			}
			i += 2 + (size_t)end;
			continue;
		}
		bool mark = wild && (c == '*' || c == '?');
		if (mark && e->first_mark == SIZE_MAX) e->first_mark = e->out.n;
		e->wildcard |= mark;
		/* A run of stars is one star. */
		char put = !mark ? c : c == '?' ? (char)MARK_ONE : star_for(use, text, i, colons);
		bool is_star = mark && c == '*';
		if (is_star && e->out.n && (e->out.p[e->out.n - 1] == put) && i && text.p[i - 1] == '*') continue;
		buf_byte(&e->out, put);
	}
	return true;
}

bool builder_pattern(struct builder *b, struct str text, enum pattern_use use, struct pattern *out)
{
	struct encoding e = {0};
	*out = (struct pattern){0};
	if (use == USE_ACTION) text = str_lower(b->arena, text);
	/* "If you specify an incomplete ARN (one with fewer than the standard six fields), AWS automatically "
		"completes the
	 * ARN by adding wildcard characters (*) to all missing fields" ("IAM JSON policy elements: Resource"). */
	if ((use == USE_RESOURCE || use == USE_ARN) && str_starts(text, STR("arn:"))) {
		size_t colons = 0;
		for (size_t i = 0; i < text.n; i++) colons += text.p[i] == ':';
		for (; colons < 5; colons++) text = str_cat(b->arena, text, STR(":*"));
	}
	if (!encode(b, text, use, &e)) return false;
	struct str s = buf_done(&e.out);
	bool all = s.n == 1 && e.wildcard && (unsigned char)*s.p != MARK_ONE;
	size_t literal = e.first_mark == SIZE_MAX ? s.n : e.first_mark;
	if (e.variable) {
		out->kind = PATTERN_VARIABLE;
		literal = 0;
	} else if (all || (use == USE_ACTION && s.n == 3 && e.wildcard && (unsigned char)s.p[0] == MARK_STAR &&
			s.p[1] == ':' && (unsigned char)s.p[2] == MARK_STAR)) {
		out->kind = PATTERN_ANY;
	} else if (!e.wildcard) {
		out->kind = PATTERN_EXACT;
		out->mask = UINT64_MAX;
	} else if (e.first_mark == s.n - 1 && (unsigned char)s.p[s.n - 1] == MARK_STAR) {
		out->kind = PATTERN_PREFIX;
		s.n--;
	} else {
		out->kind = PATTERN_GLOB;
	}
	if (out->kind == PATTERN_ANY) literal = 0;
	out->head = pattern_head(str_sub(s, 0, literal));
	if (!out->mask && literal) out->mask = literal >= 8 ? UINT64_MAX : ((uint64_t)1 << (literal * 8)) - 1;
	out->text = builder_text(b, s);
	out->n = (uint32_t)s.n;
	return true;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pattern heads are masked from their low bytes");

static void *move_in(char *block, size_t *at, const struct buf *b)
{
	*at = (*at + 15) & ~(size_t)15;
	void *p = block + *at;
	if (b->n) memcpy(p, b->p, b->n);
	*at += b->n;
	return p;
}

struct policy *builder_finish(struct builder *b, enum policy_type type, struct range label)
{
	const struct buf *parts[] = {&b->statements, &b->patterns, &b->conditions, &b->values, &b->principals,
		&b->text};
	size_t bytes = sizeof(struct policy) + 16;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) bytes += parts[i]->n + 16;
	char *block = mem_new(bytes);
	struct policy *p = (struct policy *)(void *)block;
	size_t at = sizeof *p;
	p->magic = POLICY_MAGIC;
	atomic_init(&p->refs, 1);
	p->bytes = (uint32_t)bytes;
	p->type = (uint8_t)type;
	p->n_statements = (uint32_t)(b->statements.n / sizeof(struct statement));
	p->label = label;
	p->statements = move_in(block, &at, &b->statements);
	p->patterns = move_in(block, &at, &b->patterns);
	p->conditions = move_in(block, &at, &b->conditions);
	p->values = move_in(block, &at, &b->values);
	p->principals = move_in(block, &at, &b->principals);
	p->text = move_in(block, &at, &b->text);
	return p;
}

void policy_free(struct policy *p)
{
	if (!p) return;
	INVARIANT(p->magic == POLICY_MAGIC);
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1) return;
	p->magic = 0;
	free(p);
}

struct policy *policy_retain(struct policy *p)
{
	INVARIANT(p->magic == POLICY_MAGIC);
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}
