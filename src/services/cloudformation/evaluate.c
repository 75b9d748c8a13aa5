/* The walk over a template's values, and conditions: see evaluate.h. Each function is in functions.c. */
#include "services/cloudformation/evaluate.h"
#include "base/buf.h"
#include "services/cloudformation/functions.h"
#include <stdarg.h>

status cfn_refuse(struct cfn_scope *s, struct str *why, const char *fmt, ...)
{
	struct buf b = BUF_IN(s->a);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	*why = buf_done(&b);
	return STATUS(INVALID);
}

/* Where the dynamic reference that text begins with ends; what a preview does not know has brackets of its own. */
static ptrdiff_t reference_end(struct str text, bool *unknown)
{
	size_t from = 0;
	*unknown = false;
	for (;;) {
		ptrdiff_t end = str_find(str_from(text, from), STR("}}")),
			  mark = str_find(str_from(text, from), STR(CFN_UNKNOWN));
		if (end < 0) return -1;
		if (mark < 0 || mark > end) return (ptrdiff_t)from + end;
		*unknown = true;
		from += (size_t)mark + sizeof(CFN_UNKNOWN) - 1;
	}
}

/* "To specify a dynamic reference: {{resolve:service-name:reference-key}}" ("Using dynamic references"). */
status cfn_resolve_text(struct cfn_scope *s, struct str text, struct str *out, struct str *why)
{
	*out = text;
	if (!s->resolve) return OK;
	struct buf b = BUF_IN(s->a);
	bool some = false, unknown;
	for (;;) {
		ptrdiff_t at = str_find(text, STR("{{resolve:")), end;
		if (at < 0 || (end = reference_end(str_from(text, (size_t)at), &unknown)) < 0) break;
		struct str inner = str_sub(text, (size_t)at + 10, (size_t)end - 10), value = STR(CFN_UNKNOWN);
		struct str service = str_cut(&inner, ':');
		if (!unknown || !s->preview) TRY(s->resolve(s->ctx, service, str_or(inner, STR("")), &value, why));
		buf_str(&b, str_sub(text, 0, (size_t)at));
		buf_str(&b, value);
		text = str_from(text, (size_t)(at + end) + 2);
		some = true;
	}
	if (!some) return OK;
	buf_str(&b, text);
	*out = buf_done(&b);
	return OK;
}

status cfn_evaluate(struct cfn_scope *s, const struct json_value *v, const struct json_value **out, struct str *why)
{
	const struct json_value *f = cfn_function(v);
	cfn_function_fn fn = f ? cfn_function_of(f->name) : NULL;
	if (fn) return fn(s, f, out, why);
	/* A property may be called Condition (IAM's policies have one); only Conditions have it as a function. */
	if (v->type == JSON_IS_STRING) {
		struct str text;
		TRY(cfn_resolve_text(s, v->text, &text, why));
		*out = text.p == v->text.p ? v : cfn_text(s->a, text);
		return OK;
	}
	if (v->type != JSON_IS_ARRAY && v->type != JSON_IS_OBJECT) {
		*out = v;
		return OK;
	}
	struct json_value *made = v->type == JSON_IS_ARRAY ? cfn_list(s->a) : cfn_object(s->a), **last = &made->first;
	for (const struct json_value *c = v->first; c; c = c->next) {
		const struct json_value *value = NULL;
		if (str_starts(c->name, STR("Fn::")) && !cfn_function_of(c->name))
			return cfn_refuse(s, why, "Template error: Invalid function %.*s", STR_ARG(c->name));
		TRY(cfn_evaluate(s, c, &value, why));
		if (!value) continue;
		struct json_value *copy = cfn_copy(s->a, value);
		copy->name = c->name;
		*last = copy;
		last = &copy->next;
		made->length++;
	}
	*out = made;
	return OK;
}

static bool is_truth(const struct json_value *v, bool *out)
{
	struct str text = str_or(json_scalar(v), STR(""));
	*out = str_is(text, "true");
	return *out || str_is(text, "false");
}

static status as_text(struct cfn_scope *s, const struct json_value *v, const struct json_value **out, struct str *why)
{
	TRY(cfn_evaluate(s, v, out, why));
	if (*out) return OK;
	return cfn_refuse(s, why, "Template error: AWS::NoValue cannot be used in conditions");
}

/* Fn::And and Fn::Or take 2 to 10 conditions. */
static status junction(struct cfn_scope *s, const struct json_value *f, bool all, bool *out, struct str *why)
{
	if (f->type != JSON_IS_ARRAY || f->length < 2 || f->length > 10)
		return cfn_refuse(s, why,
			"Template error: every %.*s object requires a list of at least 2 and at most 10 boolean "
			"parameters.",
			STR_ARG(f->name));
	*out = all;
	for (const struct json_value *c = f->first; c; c = c->next) {
		bool one;
		TRY(cfn_truth(s, c, &one, why));
		if (all ? !one : one) *out = !all;
	}
	return OK;
}

static status each_member(struct cfn_scope *s, const struct json_value *f, bool in, bool *out, struct str *why)
{
	const struct json_value *list, *other;
	if (f->type != JSON_IS_ARRAY || f->length != 2)
		return cfn_refuse(
			s, why, "Template error: every %.*s object requires two parameters.", STR_ARG(f->name));
	TRY(as_text(s, f->first, &list, why));
	TRY(as_text(s, f->first->next, &other, why));
	*out = true;
	for (const struct json_value *c = list->first; c; c = c->next) {
		bool found = !in && cfn_equal(c, other);
		for (const struct json_value *d = other->first; in && d; d = d->next) found |= cfn_equal(c, d);
		if (!found) *out = false;
	}
	return OK;
}

static status contains(struct cfn_scope *s, const struct json_value *f, bool *out, struct str *why)
{
	const struct json_value *list, *value;
	if (f->type != JSON_IS_ARRAY || f->length != 2)
		return cfn_refuse(s, why, "Template error: every Fn::Contains object requires two parameters.");
	TRY(as_text(s, f->first, &list, why));
	TRY(as_text(s, f->first->next, &value, why));
	*out = false;
	for (const struct json_value *c = list->first; c; c = c->next) *out |= cfn_equal(c, value);
	return OK;
}

status cfn_truth(struct cfn_scope *s, const struct json_value *v, bool *out, struct str *why)
{
	const struct json_value *f = cfn_function(v);
	if (f && str_is(f->name, "Condition")) return cfn_condition(s, f->text, out, why);
	if (f && str_is(f->name, "Fn::And")) return junction(s, f, true, out, why);
	if (f && str_is(f->name, "Fn::Or")) return junction(s, f, false, out, why);
	if (f && str_is(f->name, "Fn::EachMemberIn")) return each_member(s, f, true, out, why);
	if (f && str_is(f->name, "Fn::EachMemberEquals")) return each_member(s, f, false, out, why);
	if (f && str_is(f->name, "Fn::Contains")) return contains(s, f, out, why);
	if (f && str_is(f->name, "Fn::Not")) {
		if (f->type != JSON_IS_ARRAY || f->length != 1)
			return cfn_refuse(
				s, why, "Template error: every Fn::Not object requires one boolean parameter.");
		TRY(cfn_truth(s, f->first, out, why));
		*out = !*out;
		return OK;
	}
	if (f && str_is(f->name, "Fn::Equals")) {
		const struct json_value *x, *y;
		if (f->type != JSON_IS_ARRAY || f->length != 2)
			return cfn_refuse(s, why,
				"Template error: every Fn::Equals object requires a list of 2 string parameters.");
		TRY(as_text(s, f->first, &x, why));
		TRY(as_text(s, f->first->next, &y, why));
		*out = cfn_equal(x, y);
		return OK;
	}
	const struct json_value *plain;
	TRY(as_text(s, v, &plain, why));
	if (is_truth(plain, out)) return OK;
	return cfn_refuse(s, why,
		"Template format error: Conditions can only be boolean operations on parameters and other conditions");
}

status cfn_condition(struct cfn_scope *s, struct str name, bool *out, struct str *why)
{
	size_t i = 0;
	const struct json_value *c = s->t->conditions ? s->t->conditions->first : NULL;
	while (c && !str_eq(c->name, name)) c = c->next, i++;
	if (!c) return cfn_refuse(s, why, "Template error: unresolved condition dependency %.*s", STR_ARG(name));
	if (!s->condition_state) s->condition_state = arena_alloc(s->a, s->t->conditions->length);
	if (!s->condition_state[i]) {
		TRY(cfn_truth(s, c, out, why));
		s->condition_state[i] = *out ? 1 : -1;
	}
	*out = s->condition_state[i] > 0;
	return OK;
}

status cfn_applies(struct cfn_scope *s, const struct json_value *part, bool *out, struct str *why)
{
	const struct json_value *c = json_member(part, STR("Condition"));
	*out = true;
	return json_is(c, JSON_IS_STRING) ? cfn_condition(s, c->text, out, why) : OK;
}
