/* What can be said of an expression before there is an item: operand types of literals, bounds, paths that clash. */
#include "services/dynamodb/expr/expr.h"

static void put_path(struct buf *b, const struct path *p)
{
	buf_byte(b, '[');
	for (size_t i = 0; i < p->n; i++) {
		if (i) buf_lit(b, ", ");
		if (str_has(p->steps[i].name))
			buf_str(b, p->steps[i].name);
		else
			buf_fmt(b, "[%u]", p->steps[i].index);
	}
	buf_byte(b, ']');
}

static bool same_step(const struct path_step *x, const struct path_step *y)
{
	if (str_has(x->name) != str_has(y->name)) return false;
	return str_has(x->name) ? str_eq(x->name, y->name) : x->index == y->index;
}

static bool clash(struct scope *s, enum expr_kind kind, const struct path *x, const struct path *y)
{
	size_t i = 0, n = x->n < y->n ? x->n : y->n;
	while (i < n && same_step(&x->steps[i], &y->steps[i])) i++;
	bool conflict = i < n && str_has(x->steps[i].name) != str_has(y->steps[i].name);
	if (i < n && !conflict) return true;
	struct buf b = BUF_IN(s->a);
	buf_lit(&b, "path one: ");
	put_path(&b, x);
	buf_lit(&b, ", path two: ");
	put_path(&b, y);
	return scope_fail(s,
		"Invalid %s: Two document paths %s with each other; must remove or rewrite one of these paths; %.*s",
		expr_kind_name(kind), conflict ? "conflict" : "overlap", STR_ARG(buf_done(&b)));
}

bool expr_check_paths(struct scope *s, enum expr_kind kind, const struct path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (!clash(s, kind, &paths[j], &paths[i])) return false;
	return true;
}

static bool wrong_type(struct scope *s, enum expr_kind kind, const char *what, const struct node *x)
{
	return scope_fail(s,
		"Invalid %s: Incorrect operand type for operator or function; operator or function: %s, operand type: "
		"%s",
		expr_kind_name(kind), what, ddb_type_name(x->value.type));
}

static bool ordered(unsigned t)
{
	return t == V_S || t == V_N || t == V_B;
}

static bool same_path(const struct node *x, const struct node *y)
{
	if (x->type != NODE_PATH || y->type != NODE_PATH || x->path.n != y->path.n) return false;
	for (size_t i = 0; i < x->path.n; i++)
		if (!same_step(&x->path.steps[i], &y->path.steps[i])) return false;
	return true;
}

static bool distinct(struct scope *s, enum expr_kind kind, const struct node *n)
{
	for (size_t i = 1; i < n->n; i++) {
		if (!same_path(n->args[0], n->args[i])) continue;
		struct buf b = BUF_IN(s->a);
		put_path(&b, &n->args[0]->path);
		bool call = n->type == NODE_CALL;
		return scope_fail(s,
			"Invalid %s: The first operand must be distinct from the remaining operands for this operator "
			"or function; "
			"%s: %s, first operand: %.*s",
			expr_kind_name(kind), call ? "function" : "operator",
			call ? expr_function_name(n->function) : expr_operator_name(n->type), STR_ARG(buf_done(&b)));
	}
	return true;
}

static bool check_between(struct scope *s, enum expr_kind kind, const struct node *n)
{
	const struct node *low = n->args[1], *high = n->args[2];
	if (low->type != NODE_VALUE || high->type != NODE_VALUE) return true;
	bool types = low->value.type == high->value.type;
	if (types && ddb_compare(&low->value, &high->value) <= 0) return true;
	struct buf b = BUF_IN(s->a);
	buf_lit(&b, "lower bound operand: AttributeValue: ");
	ddb_value_describe(&b, &low->value);
	buf_lit(&b, ", upper bound operand: AttributeValue: ");
	ddb_value_describe(&b, &high->value);
	return scope_fail(s, "Invalid %s: The BETWEEN operator requires %s; %.*s", expr_kind_name(kind),
		types ? "upper bound to be greater than or equal to lower bound"
		      : "same data type for lower and upper bounds",
		STR_ARG(buf_done(&b)));
}

static bool need_path(struct scope *s, enum expr_kind kind, const struct node *call)
{
	if (call->args[0]->type == NODE_PATH) return true;
	return scope_fail(s, "Invalid %s: Operator or function requires a document path; operator or function: %s",
		expr_kind_name(kind), expr_function_name(call->function));
}

static bool check_attribute_type(struct scope *s, enum expr_kind kind, const struct node *type)
{
	if (type->type != NODE_VALUE)
		return scope_fail(s, "Invalid %s: Invalid attribute type name found; type: not a string value",
			expr_kind_name(kind));
	if (type->value.type != V_S) return wrong_type(s, kind, "attribute_type", type);
	struct str name = value_str(&type->value);
	for (unsigned t = V_S; t <= V_BOOL; t++)
		if (str_eq(name, str_c(ddb_type_name(t)))) return true;
	return scope_fail(s,
		"Invalid %s: Invalid attribute type name found; type: %.*s, valid types: "
		"{B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
		expr_kind_name(kind), STR_ARG(name));
}

static bool check_call(struct scope *s, enum expr_kind kind, const struct node *n)
{
	const struct node *second = n->n > 1 ? n->args[1] : NULL;
	switch (n->function) {
	case FN_ATTRIBUTE_EXISTS:
	case FN_ATTRIBUTE_NOT_EXISTS:
	case FN_IF_NOT_EXISTS:
		return need_path(s, kind, n);
	case FN_ATTRIBUTE_TYPE:
		return need_path(s, kind, n) && check_attribute_type(s, kind, second);
	case FN_SIZE:
		if (n->args[0]->type == NODE_VALUE &&
			(n->args[0]->value.type == V_N || n->args[0]->value.type == V_BOOL ||
				n->args[0]->value.type == V_NULL))
			return wrong_type(s, kind, "size", n->args[0]);
		return true;
	case FN_BEGINS_WITH:
		for (size_t i = 0; i < 2; i++)
			if (n->args[i]->type == NODE_VALUE && n->args[i]->value.type != V_S &&
				n->args[i]->value.type != V_B)
				return wrong_type(s, kind, "begins_with", n->args[i]);
		return distinct(s, kind, n);
	case FN_LIST_APPEND:
		for (size_t i = 0; i < 2; i++)
			if (n->args[i]->type == NODE_VALUE && n->args[i]->value.type != V_L)
				return wrong_type(s, kind, "list_append", n->args[i]);
		return true;
	case FN_CONTAINS:
		return distinct(s, kind, n);
	case FN_NONE:
	case FN_NOT_CONTAINS:
		break;
	}
	return true;
}

bool expr_check_node(struct scope *s, enum expr_kind kind, const struct node *n)
{
	if (str_has(s->error)) return false; /* operands may be missing */
	switch (n->type) {
	case NODE_CALL:
		return check_call(s, kind, n);
	case NODE_PLUS:
	case NODE_MINUS:
		for (size_t i = 0; i < 2; i++)
			if (n->args[i]->type == NODE_VALUE && n->args[i]->value.type != V_N)
				return wrong_type(s, kind, expr_operator_name(n->type), n->args[i]);
		return true;
	case NODE_LT:
	case NODE_LE:
	case NODE_GT:
	case NODE_GE:
	case NODE_BETWEEN:
		for (size_t i = 0; i < n->n; i++)
			if (n->args[i]->type == NODE_VALUE && !ordered(n->args[i]->value.type))
				return wrong_type(s, kind, expr_operator_name(n->type), n->args[i]);
		return distinct(s, kind, n) && (n->type != NODE_BETWEEN || check_between(s, kind, n));
	case NODE_EQ:
	case NODE_NE:
	case NODE_IN:
		return distinct(s, kind, n);
	case NODE_PATH:
	case NODE_VALUE:
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
		break;
	}
	return true;
}
