/* What many requests are given alike: placeholders beside expressions, legacy parameters, maps of values. */
#include "services/dynamodb/service.h"

status ddb_scope_failed(struct work *w, const struct scope *s)
{
	return VALIDATION(w, "%.*s", STR_ARG(s->error));
}

status ddb_read_map(struct work *w, const void *generated, struct value *out)
{
	struct str why = STR_NONE;
	if (ddb_map_read(w->a, generated, out, &why)) return OK;
	return VALIDATION(w, "%.*s", STR_ARG(why));
}

void ddb_params_add(struct work *w, struct params *p, bool legacy, const char *name, bool there)
{
	if (!there) return;
	struct str *list = legacy ? &p->legacy : &p->expressions;
	*list = str_has(*list) ? str_fmt(w->a, "%.*s, %s", STR_ARG(*list), name) : str_c(name);
}

status ddb_params_check(struct work *w, const struct params *p,
	const struct dynamodb_expression_attribute_name_map *names,
	const struct dynamodb_expression_attribute_value_map *values, const char *without)
{
	if (str_has(p->legacy) && str_has(p->expressions))
		return VALIDATION(w,
			"Can not use both expression and non-expression parameters in the same request: Non-expression "
			"parameters: {%.*s} "
			"Expression parameters: {%.*s}",
			STR_ARG(p->legacy), STR_ARG(p->expressions));
	if (names->v && !str_has(p->expressions)) {
		if (str_has(p->legacy))
			return VALIDATION(w,
				"Can not use both expression and non-expression parameters in the same request: "
				"Non-expression parameters: "
				"{%.*s} Expression parameters: {ExpressionAttributeNames}",
				STR_ARG(p->legacy));
		return VALIDATION(w, "ExpressionAttributeNames can only be specified when using expressions");
	}
	if (values && values->v && !p->takes_values) {
		if (str_has(p->legacy))
			return VALIDATION(w,
				"Can not use both expression and non-expression parameters in the same request: "
				"Non-expression parameters: "
				"{%.*s} Expression parameters: {ExpressionAttributeValues}",
				STR_ARG(p->legacy));
		return VALIDATION(
			w, "ExpressionAttributeValues can only be specified when using expressions: %s", without);
	}
	return OK;
}
