/* A composite alarm's rule: ALARM(x), OK(x), INSUFFICIENT_DATA(x), TRUE, FALSE, NOT, AND, OR, parentheses; x is a name,
 * a quoted name or an ARN ("PutCompositeAlarm", AlarmRule: at most 100 alarms, 500 elements). */
#include "services/cloudwatch/alarm.h"

enum { DEPTH_MAX = 60, ALARMS_MAX = 100, ELEMENTS_MAX = 500 };

struct cw_rule {
	enum { R_STATE, R_TRUE, R_FALSE, R_NOT, R_AND, R_OR } kind;
	struct cw_rule *x, *y;
	struct str state, name;
};

struct reader {
	struct arena *a;
	struct str text;
	size_t at;
	unsigned depth, elements;
	struct str why;
};

static char peek(struct reader *r)
{
	while (r->at < r->text.n && (r->text.p[r->at] == ' ' || r->text.p[r->at] == '\t' || r->text.p[r->at] == '\n' ||
					    r->text.p[r->at] == '\r'))
		r->at++;
	return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static status fail(struct reader *r, const char *what)
{
	if (!str_has(r->why))
		r->why = str_fmt(r->a, "AlarmRule must be well-formed: %s at character %zu", what, r->at + 1);
	return STATUS(INVALID);
}

static bool word(struct reader *r, struct str w)
{
	peek(r);
	struct str rest = str_from(r->text, r->at);
	if (!str_starts(rest, w) || (rest.n > w.n && str_chr(STR(" \t\n\r()"), rest.p[w.n]) < 0)) return false;
	r->at += w.n;
	return true;
}

static status name(struct reader *r, struct str *out)
{
	char c = peek(r);
	if (c == '"' || c == '\'') {
		struct buf b = BUF_IN(r->a);
		for (r->at++; r->at < r->text.n && r->text.p[r->at] != c; r->at++) {
			if (r->text.p[r->at] == '\\' && r->at + 1 < r->text.n) r->at++;
			buf_byte(&b, r->text.p[r->at]);
		}
		if (r->at >= r->text.n) return fail(r, "a name without end");
		r->at++;
		*out = buf_done(&b);
	} else {
		size_t from = r->at;
		while (r->at < r->text.n && r->text.p[r->at] != ')' && r->text.p[r->at] != '(') r->at++;
		*out = str_trim(str_sub(r->text, from, r->at - from));
	}
	return out->n ? OK : fail(r, "an alarm's name is missing");
}

static status either(struct reader *r, struct cw_rule **out);

static status one(struct reader *r, struct cw_rule **out)
{
	static const char *const states[] = {"ALARM", "OK", "INSUFFICIENT_DATA"};
	struct cw_rule *n = *out = arena_new(r->a, struct cw_rule);
	if (++r->elements > ELEMENTS_MAX) return fail(r, "too many elements");
	if (++r->depth > DEPTH_MAX) return fail(r, "too deeply nested");
	if (word(r, STR("NOT"))) {
		n->kind = R_NOT;
		TRY(one(r, &n->x));
		r->depth--;
		return OK;
	}
	if (peek(r) == '(') {
		r->at++;
		TRY(either(r, out));
		if (peek(r) != ')') return fail(r, "expected )");
		r->at++;
		r->depth--;
		return OK;
	}
	r->depth--;
	if (word(r, STR("TRUE"))) {
		n->kind = R_TRUE;
		return OK;
	}
	if (word(r, STR("FALSE"))) {
		n->kind = R_FALSE;
		return OK;
	}
	for (size_t i = 0; i < 3; i++) {
		if (!word(r, str_c(states[i]))) continue;
		n->state = str_c(states[i]);
		if (peek(r) != '(') return fail(r, "expected (");
		r->at++;
		TRY(name(r, &n->name));
		if (peek(r) != ')') return fail(r, "expected )");
		r->at++;
		return OK;
	}
	return fail(r, peek(r) ? "unexpected text" : "unexpected end");
}

static status chain(struct reader *r, struct cw_rule **out, bool all)
{
	TRY(all ? one(r, out) : chain(r, out, true));
	while (word(r, all ? STR("AND") : STR("OR"))) {
		struct cw_rule *n = arena_new(r->a, struct cw_rule);
		*n = (struct cw_rule){.kind = all ? R_AND : R_OR, .x = *out};
		*out = n;
		TRY(all ? one(r, &n->y) : chain(r, &n->y, true));
	}
	return OK;
}

static status either(struct reader *r, struct cw_rule **out)
{
	return chain(r, out, false);
}

status cw_rule_parse(struct arena *a, struct str text, struct cw_rule **out, struct str *why)
{
	struct reader r = {.a = a, .text = text};
	struct cw_rule_names names = {0};
	status s = either(&r, out);
	if (is_ok(s) && peek(&r)) s = fail(&r, "unexpected text");
	if (is_ok(s)) cw_rule_names(a, *out, &names);
	if (is_ok(s) && names.n > ALARMS_MAX) s = fail(&r, "more than 100 alarms");
	*why = r.why;
	return s;
}

struct str cw_alarm_name_of(struct str s)
{
	struct str rest = s;
	if (!str_starts(s, STR("arn:")) || str_find(s, STR(":alarm:")) < 0) return s;
	for (int i = 0; i < 6; i++) (void)str_cut(&rest, ':');
	return str_has(rest) ? rest : s;
}

void cw_rule_names(struct arena *a, const struct cw_rule *r, struct cw_rule_names *out)
{
	if (r->x) cw_rule_names(a, r->x, out);
	if (r->y) cw_rule_names(a, r->y, out);
	if (r->kind != R_STATE) return;
	struct str n = cw_alarm_name_of(r->name);
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i], n)) return;
	*VEC_PUSH(a, out, &out->capacity) = n;
}

bool cw_rule_holds(const struct cw_rule *r, const struct cw_rule_names *names, const struct str *states)
{
	switch (r->kind) {
	case R_TRUE:
		return true;
	case R_FALSE:
		return false;
	case R_NOT:
		return !cw_rule_holds(r->x, names, states);
	case R_AND:
		return cw_rule_holds(r->x, names, states) && cw_rule_holds(r->y, names, states);
	case R_OR:
		return cw_rule_holds(r->x, names, states) || cw_rule_holds(r->y, names, states);
	case R_STATE:
		break;
	}
	struct str n = cw_alarm_name_of(r->name);
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], n)) return str_eq(states[i], r->state);
	return false;
}
