/* A request's placeholders: what they stand for, whether they are well-formed, and whether all were used. */
#include "services/dynamodb/expr/expr.h"
#include <stdarg.h>

bool scope_fail(struct scope *s, const char *fmt, ...)
{
	if (str_has(s->error)) return false;
	struct buf b = BUF_IN(s->a);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	s->error = buf_done(&b);
	return false;
}

static bool well_formed(struct str key, char first)
{
	if (key.n < 2 || key.n > 255 || key.p[0] != first) return false;
	for (size_t i = 1; i < key.n; i++) {
		char c = key.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

bool scope_init(struct scope *s, struct arena *a, const struct dynamodb_expression_attribute_name_map *names,
	const struct dynamodb_expression_attribute_value_map *values)
{
	*s = (struct scope){.a = a};
	if (names && names->v && names->n == 0) return scope_fail(s, "ExpressionAttributeNames must not be empty");
	if (values && values->v && values->n == 0) return scope_fail(s, "ExpressionAttributeValues must not be empty");
	if (names && names->n) {
		s->names = arena_new_n(a, struct scope_name, names->n);
		s->n_names = names->n;
		for (size_t i = 0; i < names->n; i++) {
			s->names[i] = (struct scope_name){.key = names->v[i].key, .name = names->v[i].value};
			if (!well_formed(names->v[i].key, '#'))
				return scope_fail(s,
					"ExpressionAttributeNames contains invalid key: Syntax error; key: \"%.*s\"",
					STR_ARG(names->v[i].key));
			if (str_empty(names->v[i].value))
				return scope_fail(s, "ExpressionAttributeNames contains invalid value for key: %.*s",
					STR_ARG(names->v[i].key));
		}
	}
	if (values && values->n) {
		s->values = arena_new_n(a, struct scope_value, values->n);
		s->n_values = values->n;
		for (size_t i = 0; i < values->n; i++) {
			struct str why = STR_NONE;
			s->values[i].key = values->v[i].key;
			if (!well_formed(values->v[i].key, ':'))
				return scope_fail(s,
					"ExpressionAttributeValues contains invalid key: Syntax error; key: \"%.*s\"",
					STR_ARG(values->v[i].key));
			if (!ddb_value_read(a, &values->v[i].value, &s->values[i].value, &why))
				return scope_fail(s,
					"ExpressionAttributeValues contains invalid value: %.*s for key %.*s",
					STR_ARG(why), STR_ARG(values->v[i].key));
		}
	}
	return true;
}

bool scope_all_used(struct scope *s)
{
	struct buf b = BUF_IN(s->a);
	for (size_t i = 0; i < s->n_names; i++) {
		if (s->names[i].used) continue;
		if (b.n) buf_lit(&b, ", ");
		buf_str(&b, s->names[i].key);
	}
	if (b.n)
		return scope_fail(s, "Value provided in ExpressionAttributeNames unused in expressions: keys: {%.*s}",
			STR_ARG(buf_done(&b)));
	for (size_t i = 0; i < s->n_values; i++) {
		if (s->values[i].used) continue;
		if (b.n) buf_lit(&b, ", ");
		buf_str(&b, s->values[i].key);
	}
	if (b.n)
		return scope_fail(s, "Value provided in ExpressionAttributeValues unused in expressions: keys: {%.*s}",
			STR_ARG(buf_done(&b)));
	return true;
}
