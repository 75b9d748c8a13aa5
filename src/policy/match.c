/* Matching of actions and resources, and the replacement of policy variables. */
#include "policy/internal.h"

uint64_t pattern_head(struct str s)
{
	uint64_t head = 0;
	memcpy(&head, s.p, s.n < 8 ? s.n : 8);
	return head;
}

/* FNV-1a of the lower-case name. */
uint32_t key_hash(struct str name)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (c >= 'A' && c <= 'Z') c = (unsigned char)(c + 32);
		h = (h ^ c) * 16777619u;
	}
	return h;
}

/* The index behind the character at i. */
static size_t next_character(struct str s, size_t i)
{
	i++;
	while (i < s.n && ((unsigned char)s.p[i] & 0xC0) == 0x80) i++;
	return i;
}

/* Only the last star of each sort need be tried again: what an earlier one could take,
	the last can take too. A star that
 * stays in its segment gives up at a colon, and then the last free star before it goes on. */
bool glob_matches(struct str pattern, struct str s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, retry = 0, bound = SIZE_MAX, bound_retry = 0;
	for (;;) {
		unsigned char c = p < pattern.n ? (unsigned char)pattern.p[p] : 0;
		if (p < pattern.n && c == MARK_STAR) {
			star = ++p;
			retry = i;
			bound = SIZE_MAX;
			if (p == pattern.n) return true;
			continue;
		}
		if (p < pattern.n && c == MARK_SEGMENT_STAR) {
			bound = ++p;
			bound_retry = i;
			continue;
		}
		if (i < s.n && p < pattern.n && c == MARK_ONE) {
			p++;
			i = next_character(s, i);
			continue;
		}
		if (i < s.n && p < pattern.n && c == (unsigned char)s.p[i]) {
			p++;
			i++;
			continue;
		}
		if (i == s.n && p == pattern.n) return true;
		if (bound != SIZE_MAX && bound_retry < s.n && s.p[bound_retry] != ':') {
			p = bound;
			i = ++bound_retry;
		} else if (star != SIZE_MAX && retry < s.n) {
			p = star;
			i = ++retry;
			bound = SIZE_MAX;
		} else {
			return false;
		}
	}
}

const struct policy_key *evaluation_key(const struct evaluation *e, uint32_t hash, struct str name)
{
	const struct policy_context *all[] = {e->resource->context, e->request->context, e->request->caller_context};
	for (size_t c = 0; c < sizeof all / sizeof *all; c++) {
		if (!all[c]) continue;
		for (size_t i = 0; i < all[c]->n; i++) {
			const struct policy_key *k = &all[c]->keys[i];
			if (k->hash == hash && str_ieq(k->name, name)) return k;
		}
	}
	return NULL;
}

/* ── variables ────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t load32(const char *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static uint16_t load16(const char *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}

/* A value that is no UTF-8 text could hold a mark: nothing equals it. Before an ARN's fifth colon a value must not bring
 * colons of its own, or it would shift what follows into another segment. */
static bool value_fits(struct str value, size_t colons)
{
	for (size_t i = 0; i < value.n; i++) {
		if ((unsigned char)value.p[i] >= MARK_VARIABLE) return false;
		if (value.p[i] == ':' && colons < 5) return false;
	}
	return true;
}

bool pattern_expand(struct evaluation *e, struct str template, struct str *out)
{
	struct buf b = BUF_IN(e->arena);
	bool is_arn = str_starts(template, STR("arn:"));
	size_t colons = is_arn ? 0 : 5;
	for (size_t i = 0; i < template.n;) {
		if ((unsigned char)template.p[i] != MARK_VARIABLE) {
			if (template.p[i] == ':') colons++;
			buf_byte(&b, template.p[i++]);
			continue;
		}
		const char *v = template.p + i + 1;
		size_t name_n = load16(v + 4), default_n = load16(v + 6);
		struct str name = str_n(v + 8, name_n);
		const struct policy_key *k = evaluation_key(e, load32(v), name);
		struct str value;
		/* "You can't use a multivalued condition key as a variable." */
		if (k && k->n == 1)
			value = k->values[0];
		else if (default_n)
			value = str_n(v + 8 + name_n, default_n - 1);
		else
			return false;
		if (!value_fits(value, colons)) return false;
		buf_str(&b, value);
		i += 9 + name_n + (default_n ? default_n - 1 : 0);
	}
	*out = buf_done(&b);
	return true;
}

/* ── actions and resources ────────────────────────────────────────────────────────────────────────────────────── */

static bool plain_matches(const struct policy *p, const struct pattern *t, struct str s)
{
	struct str text = policy_text(p, t->text, t->n);
	switch ((enum pattern_kind)t->kind) {
	case PATTERN_ANY: return true;
	case PATTERN_EXACT: return str_eq(text, s);
	case PATTERN_PREFIX: return str_starts(s, text);
	case PATTERN_GLOB: return glob_matches(text, s);
	case PATTERN_VARIABLE: break;
	}
	return false;
}

bool action_matches(const struct evaluation *e, const struct policy *p, const struct statement *s)
{
	const struct pattern *t = p->patterns + s->actions.first;
	for (uint32_t i = 0; i < s->actions.n; i++, t++)
		if (((e->action_head ^ t->head) & t->mask) == 0 && plain_matches(p, t,
			e->action)) return !s->not_action;
	return s->not_action;
}

/* A request without a resource ("*") is covered only by a pattern that covers everything. A variable without a value makes
 * its pattern match no resource ("Policy variables with no value"); a NotResource then excludes nothing by it. */
bool resource_matches(struct evaluation *e, const struct policy *p, const struct statement *s)
{
	if (!s->has_resource) return true;
	bool found = false;
	const struct pattern *t = p->patterns + s->resources.first;
	for (uint32_t i = 0; i < s->resources.n && !found; i++, t++) {
		if (((e->resource_head ^ t->head) & t->mask) != 0) continue;
		if (t->kind != PATTERN_VARIABLE) {
			found = plain_matches(p, t, e->resource->arn);
			continue;
		}
		struct arena_mark mark = arena_mark(e->arena);
		struct str expanded;
		if (pattern_expand(e, policy_text(p, t->text, t->n), &expanded))
			found = glob_matches(expanded, e->resource->arn);
		arena_release(e->arena, mark);
	}
	return found != s->not_resource;
}
