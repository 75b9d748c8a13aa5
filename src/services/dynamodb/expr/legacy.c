/* Legacy parameters translated to the trees of expressions ("Legacy conditional parameters"): Expected, QueryFilter,
 * ScanFilter, KeyConditions, AttributeUpdates, AttributesToGet. */
#include "base/vec.h"
#include "services/dynamodb/expr/expr.h"

struct operator
{
	const char *name;
	size_t least, most; /* operands */
	enum node_type type;
	enum function function;
};
static const struct operator operators[] = {
	{"EQ", 1, 1, NODE_EQ, FN_NONE},
	{"NE", 1, 1, NODE_NE, FN_NONE},
	{"LE", 1, 1, NODE_LE, FN_NONE},
	{"LT", 1, 1, NODE_LT, FN_NONE},
	{"GE", 1, 1, NODE_GE, FN_NONE},
	{"GT", 1, 1, NODE_GT, FN_NONE},
	{"NOT_NULL", 0, 0, NODE_CALL, FN_ATTRIBUTE_EXISTS},
	{"NULL", 0, 0, NODE_CALL, FN_ATTRIBUTE_NOT_EXISTS},
	{"CONTAINS", 1, 1, NODE_CALL, FN_CONTAINS},
	{"NOT_CONTAINS", 1, 1, NODE_CALL, FN_NOT_CONTAINS},
	{"BEGINS_WITH", 1, 1, NODE_CALL, FN_BEGINS_WITH},
	{"IN", 1, EXPR_IN_MAX, NODE_IN, FN_NONE},
	{"BETWEEN", 2, 2, NODE_BETWEEN, FN_NONE},
};

static struct path whole_name(struct arena *a, struct str name)
{
	struct path p = {arena_new(a, struct path_step), 1};
	p.steps[0].name = name;
	return p;
}

static struct node *path_node(struct arena *a, struct str name)
{
	struct node *n = arena_new(a, struct node);
	n->type = NODE_PATH;
	n->path = whole_name(a, name);
	return n;
}

static struct node *make(struct arena *a, enum node_type t, enum function f, size_t n)
{
	struct node *x = arena_new(a, struct node);
	x->type = t;
	x->function = f;
	x->n = n;
	x->args = arena_new_n(a, struct node *, n);
	return x;
}

static bool value_node(struct scope *s, const struct dynamodb_attribute_value *in, struct node **out)
{
	struct str why = STR_NONE;
	*out = arena_new(s->a, struct node);
	(*out)->type = NODE_VALUE;
	return ddb_value_read(s->a, in, &(*out)->value, &why) || scope_fail(s, "%.*s", STR_ARG(why));
}

static bool allowed(const struct operator* op, unsigned type)
{
	bool scalar = type == V_S || type == V_N || type == V_B;
	if (op->type == NODE_EQ || op->type == NODE_NE) return true;
	if (op->function == FN_BEGINS_WITH) return type == V_S || type == V_B;
	if (op->function == FN_CONTAINS || op->function == FN_NOT_CONTAINS)
		return scalar || type == V_BOOL || type == V_NULL;
	return scalar;
}

static bool condition(struct scope *s, struct str name, struct str comparison,
	const struct dynamodb_attribute_value_list *list, struct node **out)
{
	const struct operator* op = NULL;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (str_eq(comparison, str_c(operators[i].name))) op = &operators[i];
	if (!op)
		return scope_fail(s, "One or more parameter values were invalid: Unknown ComparisonOperator %.*s",
			STR_ARG(comparison));
	if (list->n < op->least || list->n > op->most)
		return scope_fail(s,
			"One or more parameter values were invalid: Invalid number of argument(s) for the %s "
			"ComparisonOperator",
			op->name);
	struct node *x = make(s->a, op->type, op->function, 1 + list->n);
	x->args[0] = path_node(s->a, name);
	for (size_t i = 0; i < list->n; i++) {
		if (!value_node(s, &list->v[i], &x->args[i + 1])) return false;
		const struct value *v = &x->args[i + 1]->value;
		if (!allowed(op, v->type))
			return scope_fail(s,
				"One or more parameter values were invalid: ComparisonOperator %s is not valid for %s "
				"AttributeValue type",
				op->name, ddb_type_name(v->type));
		if (i && v->type != x->args[1]->value.type)
			return scope_fail(s, "One or more parameter values were invalid: AttributeValues inside "
					     "AttributeValueList must all be "
					     "of the same type");
	}
	if (op->type == NODE_BETWEEN && ddb_compare(&x->args[1]->value, &x->args[2]->value) > 0)
		return scope_fail(s, "The BETWEEN condition was provided a range where the lower bound is greater than "
				     "the upper bound");
	*out = x;
	return true;
}

static void join(struct scope *s, bool any, struct node *x, struct node **out)
{
	if (!*out) {
		*out = x;
		return;
	}
	struct node *both = make(s->a, any ? NODE_OR : NODE_AND, FN_NONE, 2);
	both->args[0] = *out;
	both->args[1] = x;
	*out = both;
}

static bool operator_needs_two(struct scope *s, struct str conditional_operator, size_t n)
{
	if (!str_has(conditional_operator) || n > 1) return true;
	return scope_fail(
		s, n == 0 ? "ConditionalOperator cannot be used without Filter or Expected"
			  : "ConditionalOperator can only be used when Filter or Expected has two or more elements");
}

bool legacy_conditions(struct scope *s, const struct dynamodb_filter_condition_map *conditions,
	struct str conditional_operator, struct node **out)
{
	*out = NULL;
	if (!operator_needs_two(s, conditional_operator, conditions->n)) return false;
	for (size_t i = 0; i < conditions->n; i++) {
		struct node *x;
		const struct dynamodb_condition *c = &conditions->v[i].value;
		if (!condition(s, conditions->v[i].key, c->comparison_operator, &c->attribute_value_list, &x))
			return false;
		join(s, str_is(conditional_operator, "OR"), x, out);
	}
	return true;
}

static bool expectation(
	struct scope *s, struct str name, const struct dynamodb_expected_attribute_value *e, struct node **out)
{
	if (str_has(e->comparison_operator)) {
		if (e->value || e->exists.has) {
			if (!(e->value && !e->attribute_value_list.v && !e->exists.has))
				return scope_fail(s,
					"One or more parameter values were invalid: %s and ComparisonOperator cannot "
					"be used together for "
					"Attribute: %.*s",
					e->exists.has ? "Exists" : "Value", STR_ARG(name));
			struct dynamodb_attribute_value_list one = {e->value, 1};
			return condition(s, name, e->comparison_operator, &one, out);
		}
		return condition(s, name, e->comparison_operator, &e->attribute_value_list, out);
	}
	if (e->attribute_value_list.v)
		return scope_fail(s,
			"One or more parameter values were invalid: AttributeValueList can only be used with a "
			"ComparisonOperator for "
			"Attribute: %.*s",
			STR_ARG(name));
	if (e->exists.has && !e->exists.v) {
		if (e->value)
			return scope_fail(s,
				"One or more parameter values were invalid: Value cannot be used when Exists is set to "
				"false for Attribute: %.*s",
				STR_ARG(name));
		*out = make(s->a, NODE_CALL, FN_ATTRIBUTE_NOT_EXISTS, 1);
		(*out)->args[0] = path_node(s->a, name);
		return true;
	}
	if (!e->value)
		return scope_fail(s,
			"One or more parameter values were invalid: Value must be provided when Exists is %s for "
			"Attribute: %.*s",
			e->exists.has ? "set to true" : "null", STR_ARG(name));
	*out = make(s->a, NODE_EQ, FN_NONE, 2);
	(*out)->args[0] = path_node(s->a, name);
	return value_node(s, e->value, &(*out)->args[1]);
}

bool legacy_expected(struct scope *s, const struct dynamodb_expected_attribute_map *expected,
	struct str conditional_operator, struct node **out)
{
	*out = NULL;
	if (!operator_needs_two(s, conditional_operator, expected->n)) return false;
	for (size_t i = 0; i < expected->n; i++) {
		struct node *x;
		if (!expectation(s, expected->v[i].key, &expected->v[i].value, &x)) return false;
		join(s, str_is(conditional_operator, "OR"), x, out);
	}
	return true;
}

bool legacy_updates(struct scope *s, const struct dynamodb_attribute_updates *updates, struct update *out)
{
	*out = (struct update){0};
	size_t capacity = 0;
	for (size_t i = 0; i < updates->n; i++) {
		const struct dynamodb_attribute_value_update *u = &updates->v[i].value;
		struct action *x = VEC_PUSH(s->a, out, &capacity);
		x->path = whole_name(s->a, updates->v[i].key);
		bool is_add = str_is(u->action, "ADD"), is_delete = str_is(u->action, "DELETE");
		if (!u->value) {
			if (!is_delete)
				return scope_fail(s, "One or more parameter values were invalid: Only DELETE action is "
						     "allowed when no attribute "
						     "value is specified");
			x->type = ACTION_REMOVE;
			continue;
		}
		x->type = is_add ? ACTION_ADD : is_delete ? ACTION_DELETE : ACTION_SET;
		if (!value_node(s, u->value, &x->operand)) return false;
		unsigned t = x->operand->value.type;
		if (is_delete && ddb_element_of(t) == V_NONE)
			return scope_fail(s,
				"One or more parameter values were invalid: DELETE action with value is not supported "
				"for the type %s",
				ddb_type_name(t));
		if (is_add && t != V_N && t != V_L && ddb_element_of(t) == V_NONE)
			return scope_fail(s,
				"One or more parameter values were invalid: ADD action is not supported for the type "
				"%s",
				ddb_type_name(t));
		if (is_add && t == V_L) {
			/* "If the existing attribute is a list, ADD appends": list_append(if_not_exists(name, []),
			 * value). */
			struct node *empty = arena_new(s->a, struct node),
				    *now = make(s->a, NODE_CALL, FN_IF_NOT_EXISTS, 2);
			struct node *append = make(s->a, NODE_CALL, FN_LIST_APPEND, 2);
			empty->type = NODE_VALUE;
			empty->value.type = V_L;
			now->args[0] = path_node(s->a, updates->v[i].key);
			now->args[1] = empty;
			append->args[0] = now;
			append->args[1] = x->operand;
			x->type = ACTION_SET;
			x->operand = append;
		}
	}
	return true;
}

bool legacy_attributes(struct scope *s, const struct dynamodb_attribute_name_list *names, struct projection *out)
{
	*out = (struct projection){arena_new_n(s->a, struct path, names->n), names->n};
	for (size_t i = 0; i < names->n; i++) {
		for (size_t j = 0; j < i; j++)
			if (str_eq(names->v[i], names->v[j]))
				return scope_fail(s,
					"One or more parameter values were invalid: Duplicate value in attribute name: "
					"%.*s",
					STR_ARG(names->v[i]));
		out->v[i] = whole_name(s->a, names->v[i]);
	}
	return true;
}
