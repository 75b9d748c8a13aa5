/* Reading filter patterns, and holding messages against them. */
#include "services/logs/pattern.h"
#include "base/json.h"
#include "base/vec.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { DEPTH_MAX = 30, FIELDS_MAX = 200, REGEX_MAX = 2 };

struct term {
	enum { T_ALL, T_ANY, T_NOT } kind;
	struct str text;
	pcre2_code *regex;
};
/* A condition of JSON or of a field, or several joined. */
struct condition {
	enum { C_AND, C_OR, C_TEST } kind;
	struct condition *x, *y;
	struct str selector; /* "$.a.b[0]"; a field's name */
	enum { EQ, NE, LT, GT, LE, GE, IS_NULL, IS_TRUE, IS_FALSE, NOT_EXISTS } op;
	bool numeric;
	double number;
	struct str text; /* with * at its ends or within */
	pcre2_code *regex;
};
struct field {
	struct str name; /* "..." : any number of fields */
	struct condition *test;
};
struct logs_pattern {
	enum { P_TERMS, P_JSON, P_FIELDS } kind;
	struct {
		struct term *v;
		size_t n, capacity;
	} terms;
	struct condition *json;
	struct {
		struct field *v;
		size_t n, capacity;
	} fields;
	struct {
		pcre2_code **v;
		size_t n, capacity;
	} regexes;
	struct str literal;
};

struct reader {
	struct arena *a;
	struct str text, why;
	size_t at;
	unsigned depth;
	struct logs_pattern *p;
};

static status fail(struct reader *r, const char *why)
{
	if (!str_has(r->why))
		r->why = str_fmt(r->a, "Invalid character(s) in filter pattern: %s at character %zu", why, r->at + 1);
	return STATUS(INVALID);
}

static bool space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char peek(struct reader *r)
{
	while (r->at < r->text.n && space(r->text.p[r->at])) r->at++;
	return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static bool accept(struct reader *r, struct str s)
{
	peek(r);
	if (!str_starts(str_from(r->text, r->at), s)) return false;
	r->at += s.n;
	return true;
}

/* %regular expression% */
static status regex(struct reader *r, pcre2_code **out)
{
	int code;
	PCRE2_SIZE where;
	size_t from = ++r->at;
	while (r->at < r->text.n && r->text.p[r->at] != '%') r->at += r->text.p[r->at] == '\\' ? 2 : 1;
	if (r->at >= r->text.n) return fail(r, "a regular expression without end");
	struct str s = str_sub(r->text, from, r->at++ - from);
	if (r->p->regexes.n == REGEX_MAX) return fail(r, "more than two regular expressions");
	*out = pcre2_compile((PCRE2_SPTR)s.p, s.n, PCRE2_NEVER_BACKSLASH_C, &code, &where, NULL);
	if (!*out) return fail(r, "malformed regular expression");
	*VEC_PUSH(r->a, &r->p->regexes, &r->p->regexes.capacity) = *out;
	return OK;
}

static status quoted(struct reader *r, struct str *out)
{
	struct buf b = BUF_IN(r->a);
	for (r->at++; r->at < r->text.n && r->text.p[r->at] != '"'; r->at++) {
		if (r->text.p[r->at] == '\\' && r->at + 1 < r->text.n) r->at++;
		buf_byte(&b, r->text.p[r->at]);
	}
	if (r->at >= r->text.n) return fail(r, "a string without end");
	r->at++;
	*out = buf_done(&b);
	return OK;
}

/* ── terms ── */

static status read_terms(struct reader *r)
{
	while (peek(r)) {
		struct term t = {0};
		char c = peek(r);
		if (c == '?' || c == '-') {
			t.kind = c == '?' ? T_ANY : T_NOT;
			r->at++;
			c = r->at < r->text.n ? r->text.p[r->at] : 0;
			if (!c || space(c)) return fail(r, "a term is missing");
		}
		if (c == '"') {
			TRY(quoted(r, &t.text));
		} else if (c == '%') {
			TRY(regex(r, &t.regex));
		} else {
			size_t from = r->at;
			while (r->at < r->text.n && !space(r->text.p[r->at])) {
				unsigned char ch = (unsigned char)r->text.p[r->at];
				bool word = (ch | 32) >= 'a' && (ch | 32) <= 'z';
				if (!word && !(ch >= '0' && ch <= '9') && ch != '_' && ch < 0x80)
					return fail(r, "terms with other characters than letters, digits and _ have to "
						       "be in double quotes");
				r->at++;
			}
			t.text = str_sub(r->text, from, r->at - from);
		}
		*VEC_PUSH(r->a, &r->p->terms, &r->p->terms.capacity) = t;
		if (t.kind == T_ALL && !t.regex && t.text.n > r->p->literal.n) r->p->literal = t.text;
	}
	return OK;
}

/* ── conditions ── */

static bool number_of(struct str s, double *out)
{
	if (!s.n || !((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '-' || s.p[0] == '.')) return false;
	return is_ok(str_to_f64(s, out));
}

/* What is compared with: to a space, or to what ends it. */
static status operand(struct reader *r, struct condition *c, struct str ends)
{
	char ch = peek(r);
	if (ch == '"') {
		TRY(quoted(r, &c->text));
	} else if (ch == '%') {
		TRY(regex(r, &c->regex));
	} else {
		size_t from = r->at;
		while (r->at < r->text.n && !space(r->text.p[r->at]) && str_chr(ends, r->text.p[r->at]) < 0) r->at++;
		c->text = str_sub(r->text, from, r->at - from);
		if (!c->text.n) return fail(r, "a value is missing");
		c->numeric = number_of(c->text, &c->number);
	}
	if (c->op != EQ && c->op != NE && !c->numeric) return fail(r, "a number is missing");
	return OK;
}

static status operator_of(struct reader *r, struct condition *c)
{
	static const struct {
		struct str s;
		int op;
	} ops[] = {{{"!=", 2}, NE}, {{"<=", 2}, LE}, {{">=", 2}, GE}, {{"=", 1}, EQ}, {{"<", 1}, LT}, {{">", 1}, GT}};
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (accept(r, ops[i].s)) {
			c->op = ops[i].op;
			return OK;
		}
	return fail(r, "an operator is missing");
}

/* $.a.b[0]["c d"] */
static status selector(struct reader *r, struct str *out)
{
	size_t from = r->at;
	if (peek(r) != '$') return fail(r, "expected $");
	from = r->at++;
	while (r->at < r->text.n) {
		char c = r->text.p[r->at];
		if (space(c) || str_chr(STR("=!<>&|(){}"), c) >= 0) break;
		if (c == '[') {
			while (r->at < r->text.n && r->text.p[r->at] != ']') r->at++;
			if (r->at >= r->text.n) return fail(r, "a [ without end");
		}
		r->at++;
	}
	*out = str_sub(r->text, from, r->at - from);
	return out->n > 1 ? OK : fail(r, "a selector is missing");
}

static status either(struct reader *r, struct condition **out, struct str field);

static status one(struct reader *r, struct condition **out, struct str field)
{
	if (++r->depth > DEPTH_MAX) return fail(r, "too deeply nested");
	if (accept(r, STR("("))) {
		TRY(either(r, out, field));
		if (!accept(r, STR(")"))) return fail(r, "expected )");
		r->depth--;
		return OK;
	}
	struct condition *c = *out = arena_new(r->a, struct condition);
	c->kind = C_TEST;
	if (str_has(field)) {
		if (!accept(r, field)) return fail(r, "expected the field's name");
		c->selector = field;
		TRY(operator_of(r, c));
		TRY(operand(r, c, STR(",]&|)")));
	} else {
		TRY(selector(r, &c->selector));
		r->depth--;
		if (accept(r, STR("IS NULL"))) return c->op = IS_NULL, OK;
		if (accept(r, STR("IS TRUE"))) return c->op = IS_TRUE, OK;
		if (accept(r, STR("IS FALSE"))) return c->op = IS_FALSE, OK;
		if (accept(r, STR("NOT EXISTS"))) return c->op = NOT_EXISTS, OK;
		r->depth++;
		TRY(operator_of(r, c));
		TRY(operand(r, c, STR("&|){}")));
	}
	r->depth--;
	return OK;
}

static status chain(struct reader *r, struct condition **out, struct str field, bool all)
{
	TRY(all ? one(r, out, field) : chain(r, out, field, true));
	while (accept(r, all ? STR("&&") : STR("||"))) {
		struct condition *c = arena_new(r->a, struct condition);
		*c = (struct condition){.kind = all ? C_AND : C_OR, .x = *out};
		*out = c;
		TRY(all ? one(r, &c->y, field) : chain(r, &c->y, field, true));
	}
	return OK;
}

static status either(struct reader *r, struct condition **out, struct str field)
{
	return chain(r, out, field, false);
}

static status read_json(struct reader *r)
{
	r->p->kind = P_JSON;
	r->at++;
	TRY(either(r, &r->p->json, STR_NONE));
	if (!accept(r, STR("}"))) return fail(r, "expected }");
	return peek(r) ? fail(r, "text behind the pattern") : OK;
}

/* ── fields ── */

static status read_fields(struct reader *r)
{
	bool any = false;
	r->p->kind = P_FIELDS;
	r->at++;
	for (;;) {
		struct field f = {0};
		size_t from;
		peek(r);
		from = r->at;
		bool group = accept(r, STR("("));
		if (group) peek(r), from = r->at;
		if (accept(r, STR("..."))) {
			if (any) return fail(r, "more than one ...");
			any = true;
			f.name = STR("...");
		} else {
			while (r->at < r->text.n && !space(r->text.p[r->at]) &&
				str_chr(STR("=!<>,]&|()"), r->text.p[r->at]) < 0)
				r->at++;
			f.name = str_sub(r->text, from, r->at - from);
			if (!f.name.n) return fail(r, "a field's name is missing");
			char c = peek(r);
			if (c != ',' && c != ']') {
				r->at = from;
				if (group) r->at = (size_t)str_rchr(str_sub(r->text, 0, from), '(');
				TRY(either(r, &f.test, f.name));
			}
		}
		*VEC_PUSH(r->a, &r->p->fields, &r->p->fields.capacity) = f;
		if (r->p->fields.n > FIELDS_MAX) return fail(r, "too many fields");
		if (accept(r, STR("]"))) break;
		if (!accept(r, STR(","))) return fail(r, "expected , or ]");
	}
	return peek(r) ? fail(r, "text behind the pattern") : OK;
}

status logs_pattern_read(struct arena *a, struct str text, struct logs_pattern **out, struct str *why)
{
	struct reader r = {.a = a, .text = text, .p = arena_new(a, struct logs_pattern)};
	*out = r.p;
	char c = peek(&r);
	status s = c == '{' ? read_json(&r) : c == '[' ? read_fields(&r) : read_terms(&r);
	*why = r.why;
	if (!is_ok(s)) logs_pattern_end(r.p);
	return s;
}

void logs_pattern_end(struct logs_pattern *p)
{
	for (size_t i = 0; i < p->regexes.n; i++) pcre2_code_free(p->regexes.v[i]);
	p->regexes.n = 0;
}

struct str logs_pattern_literal(const struct logs_pattern *p)
{
	return p->kind == P_TERMS && p->literal.n ? p->literal : STR_NONE;
}
bool logs_pattern_all(const struct logs_pattern *p)
{
	return p->kind == P_TERMS && !p->terms.n;
}

/* ── matching ── */

static bool matches(const pcre2_code *regex, struct str s)
{
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	/* A pattern must not be able to hold the service up. */
	pcre2_set_match_limit(limits, 100000);
	int r = pcre2_match(regex, (PCRE2_SPTR)s.p, s.n, 0, 0, m, limits);
	pcre2_match_context_free(limits);
	pcre2_match_data_free(m);
	return r >= 0;
}

static bool contains(const struct term *t, struct str message)
{
	if (t->regex) return matches(t->regex, message);
	return memmem(message.p, message.n, t->text.p, t->text.n) != NULL;
}

static bool terms_pass(const struct logs_pattern *p, struct str message)
{
	bool asked = false, any = false;
	for (size_t i = 0; i < p->terms.n; i++) {
		const struct term *t = &p->terms.v[i];
		bool has = contains(t, message);
		if (t->kind == T_ANY) {
			asked = true;
			any = any || has;
		} else if (has == (t->kind == T_NOT)) {
			return false;
		}
	}
	return !asked || any;
}

/* The value at a path; path is what follows $. Of [*] the first. */
static const struct json_value *at_path(const struct json_value *v, struct str path)
{
	while (v && path.n) {
		if (path.p[0] == '.') {
			size_t n = 1;
			while (n < path.n && path.p[n] != '.' && path.p[n] != '[') n++;
			v = json_member(v, str_sub(path, 1, n - 1));
			path = str_from(path, n);
			continue;
		}
		ptrdiff_t end = str_chr(path, ']');
		uint64_t index = 0;
		if (path.p[0] != '[' || end < 0) return NULL;
		struct str inner = str_sub(path, 1, (size_t)end - 1);
		if (inner.n > 1 && inner.p[0] == '"') {
			v = json_member(v, str_sub(inner, 1, inner.n - 2));
		} else {
			if (!json_is(v, JSON_IS_ARRAY) || (!str_is(inner, "*") && !is_ok(str_to_u64(inner, &index))))
				return NULL;
			v = v->first;
			while (v && index--) v = v->next;
		}
		path = str_from(path, (size_t)end + 1);
	}
	return v;
}

/* Does text fit with * for any run? */
static bool fits(struct str pattern, struct str s)
{
	if (str_chr(pattern, '*') < 0) return str_eq(pattern, s);
	struct str p = pattern;
	return str_chr(p, '?') < 0 ? str_glob(p, s) : str_eq(p, s);
}

static bool compare(const struct condition *c, struct str value)
{
	double d;
	if (c->regex) return matches(c->regex, value) == (c->op == EQ);
	bool number = c->numeric && number_of(value, &d);
	switch (c->op) {
	case EQ:
		return (number && d == c->number) || fits(c->text, value);
	case NE:
		return !((number && d == c->number) || fits(c->text, value));
	case LT:
		return number && d < c->number;
	case GT:
		return number && d > c->number;
	case LE:
		return number && d <= c->number;
	case GE:
		return number && d >= c->number;
	case IS_NULL:
	case IS_TRUE:
	case IS_FALSE:
	case NOT_EXISTS:
		break;
	}
	return false;
}

static bool json_passes(const struct condition *c, const struct json_value *root)
{
	if (c->kind == C_AND) return json_passes(c->x, root) && json_passes(c->y, root);
	if (c->kind == C_OR) return json_passes(c->x, root) || json_passes(c->y, root);
	const struct json_value *v = at_path(root, str_from(c->selector, 1));
	if (c->op == NOT_EXISTS) return !v;
	if (!v) return false;
	if (c->op == IS_NULL) return v->type == JSON_IS_NULL;
	if (c->op == IS_TRUE || c->op == IS_FALSE) return v->type == JSON_IS_BOOL && v->truth == (c->op == IS_TRUE);
	struct str text = json_scalar(v);
	return str_has(text) && compare(c, text);
}

struct words {
	struct str *v;
	size_t n, capacity;
};

/* Fields of a line: between spaces, or within "…" or […]. */
static void split(struct arena *a, struct str s, struct words *out)
{
	size_t i = 0;
	while (i < s.n) {
		while (i < s.n && space(s.p[i])) i++;
		if (i >= s.n) break;
		char end = s.p[i] == '"' ? '"' : s.p[i] == '[' ? ']' : 0;
		size_t from = end ? ++i : i;
		while (i < s.n && (end ? s.p[i] != end : !space(s.p[i]))) i++;
		*VEC_PUSH(a, out, &out->capacity) = str_sub(s, from, i - from);
		if (end) i++;
	}
}

static bool field_passes(const struct condition *c, struct str value)
{
	if (c->kind == C_AND) return field_passes(c->x, value) && field_passes(c->y, value);
	if (c->kind == C_OR) return field_passes(c->x, value) || field_passes(c->y, value);
	return compare(c, value);
}

/* Which word each field has; false where their numbers do not go together. at: fields.n places. */
static bool place(const struct logs_pattern *p, size_t n_words, size_t *at)
{
	size_t n = p->fields.n, open = n;
	for (size_t i = 0; i < n; i++)
		if (str_is(p->fields.v[i].name, "...")) open = i;
	if (open == n ? n_words != n : n_words + 1 < n) return false;
	for (size_t i = 0; i < n; i++) at[i] = i <= open ? i : n_words - (n - i);
	return true;
}

static bool fields_pass(const struct logs_pattern *p, struct arena *a, struct str message, struct words *w, size_t **at)
{
	split(a, message, w);
	*at = arena_array(a, p->fields.n + 1, sizeof(**at));
	if (!place(p, w->n, *at)) return false;
	for (size_t i = 0; i < p->fields.n; i++)
		if (p->fields.v[i].test && !field_passes(p->fields.v[i].test, w->v[(*at)[i]])) return false;
	return true;
}

bool logs_pattern_passes(const struct logs_pattern *p, struct arena *scratch, struct str message)
{
	struct json_value *v;
	struct words w = {0};
	size_t *at;
	switch (p->kind) {
	case P_JSON:
		return message.n && is_ok(json_read(scratch, str_trim(message), &v)) && json_passes(p->json, v);
	case P_FIELDS:
		return fields_pass(p, scratch, message, &w, &at);
	case P_TERMS:
		break;
	}
	return terms_pass(p, message);
}

struct str logs_pattern_value(const struct logs_pattern *p, struct arena *a, struct str message, struct str name)
{
	struct json_value *v;
	struct words w = {0};
	size_t *at;
	if (!str_starts(name, STR("$"))) return STR_NONE;
	if (p->kind != P_FIELDS) {
		if (!is_ok(json_read(a, str_trim(message), &v))) return STR_NONE;
		return json_scalar(at_path(v, str_from(name, 1)));
	}
	if (!fields_pass(p, a, message, &w, &at)) return STR_NONE;
	for (size_t i = 0; i < p->fields.n; i++)
		if (str_eq(p->fields.v[i].name, str_from(name, 1)) && at[i] < w.n) return w.v[at[i]];
	return STR_NONE;
}

static void extract_json(
	const struct condition *c, struct arena *a, const struct json_value *root, struct logs_pattern_values *out)
{
	if (c->kind != C_TEST) {
		extract_json(c->x, a, root, out);
		extract_json(c->y, a, root, out);
		return;
	}
	struct str v = json_scalar(at_path(root, str_from(c->selector, 1)));
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i].name, c->selector)) return;
	if (str_has(v)) *VEC_PUSH(a, out, &out->capacity) = (struct logs_pattern_found){c->selector, v};
}

void logs_pattern_extract(
	const struct logs_pattern *p, struct arena *a, struct str message, struct logs_pattern_values *out)
{
	struct json_value *v;
	struct words w = {0};
	size_t *at;
	if (p->kind == P_JSON && is_ok(json_read(a, str_trim(message), &v))) extract_json(p->json, a, v, out);
	if (p->kind != P_FIELDS || !fields_pass(p, a, message, &w, &at)) return;
	for (size_t i = 0; i < p->fields.n; i++)
		if (!str_is(p->fields.v[i].name, "..."))
			*VEC_PUSH(a, out, &out->capacity) = (struct logs_pattern_found){
				str_fmt(a, "$%.*s", STR_ARG(p->fields.v[i].name)), w.v[at[i]]};
}
