/* Key conditions: an equality on the partition key and at most one condition on the sort key ("Key condition
 * expressions for the Query operation"). */
#include "services/dynamodb/expr/expr.h"

/* More than can be right; told apart only by whether two are of one key. */
enum { CONDITIONS_MAX = 16 };

static bool too_many(struct scope *s)
{
	return scope_fail(s, "Conditions can be of length 1 or 2 only");
}

static bool collect(struct scope *s, const struct node *n, const struct node **list, size_t *count)
{
	if (n->type == NODE_AND) return collect(s, n->args[0], list, count) && collect(s, n->args[1], list, count);
	if (n->type == NODE_OR || n->type == NODE_NOT || n->type == NODE_NE || n->type == NODE_IN)
		return scope_fail(s,
			"Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: %s",
			expr_operator_name(n->type));
	if (n->type == NODE_CALL && n->function != FN_BEGINS_WITH)
		return scope_fail(s,
			"Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: %s",
			expr_function_name(n->function));
	if (*count == CONDITIONS_MAX) return too_many(s);
	list[(*count)++] = n;
	return true;
}

static enum range_type range_of(const struct node *n)
{
	switch ((int)n->type) {
	case NODE_EQ:
		return RANGE_EQ;
	case NODE_LT:
		return RANGE_LT;
	case NODE_LE:
		return RANGE_LE;
	case NODE_GT:
		return RANGE_GT;
	case NODE_GE:
		return RANGE_GE;
	case NODE_BETWEEN:
		return RANGE_BETWEEN;
	case NODE_CALL:
		return RANGE_BEGINS;
	default:
		return RANGE_NONE;
	}
}

/* :v < a is a > :v. */
static enum range_type mirrored(enum range_type t)
{
	switch (t) {
	case RANGE_LT:
		return RANGE_GT;
	case RANGE_LE:
		return RANGE_GE;
	case RANGE_GT:
		return RANGE_LT;
	case RANGE_GE:
		return RANGE_LE;
	case RANGE_NONE:
	case RANGE_EQ:
	case RANGE_BETWEEN:
	case RANGE_BEGINS:
		break;
	}
	return t;
}

static bool shape_of(struct scope *s, const struct node *n, struct str *name, struct key_condition *out)
{
	out->type = range_of(n);
	const struct node *path = n->args[0], *v = n->args[1];
	if (path->type == NODE_VALUE && v->type == NODE_PATH && n->n == 2 && n->type != NODE_CALL) {
		const struct node *swapped = path;
		path = v;
		v = swapped;
		out->type = mirrored(out->type);
	}
	if (path->type == NODE_CALL)
		return scope_fail(
			s, "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations");
	if (path->type != NODE_PATH) return scope_fail(s, "Invalid KeyConditionExpression: No key attribute specified");
	if (path->path.n != 1)
		return scope_fail(s, "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions "
				     "on nested attributes");
	if (v->type == NODE_CALL || (n->n == 3 && n->args[2]->type == NODE_CALL))
		return scope_fail(
			s, "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations");
	if (v->type != NODE_VALUE || (n->n == 3 && n->args[2]->type != NODE_VALUE))
		return scope_fail(s, "Invalid KeyConditionExpression: Multiple attributes used in one condition");
	*name = path->path.steps[0].name;
	out->low = v->value;
	if (n->n == 3) out->high = n->args[2]->value;
	return true;
}

/* "KeyConditionExpressions must only contain one condition per key" comes before there being too many of them. */
static bool check_names(struct scope *s, const struct node *const *list, size_t count)
{
	struct str names[CONDITIONS_MAX];
	struct key_condition ignored;
	for (size_t i = 0; i < count; i++) {
		if (!shape_of(s, list[i], &names[i], &ignored)) return false;
		for (size_t j = 0; j < i; j++)
			if (str_eq(names[i], names[j]))
				return scope_fail(s, "Invalid KeyConditionExpression: KeyConditionExpressions must only "
						     "contain one condition per key");
	}
	return count <= 2 || too_many(s);
}

bool expr_key_condition(
	struct scope *s, const struct node *n, struct str hash, struct str range, struct key_condition *out)
{
	const struct node *list[CONDITIONS_MAX];
	size_t count = 0;
	bool has_hash = false;
	*out = (struct key_condition){0};
	if (!collect(s, n, list, &count) || !check_names(s, list, count)) return false;
	for (size_t i = 0; i < count; i++) {
		struct key_condition one = {0};
		struct str name = STR_NONE;
		if (!shape_of(s, list[i], &name, &one)) return false;
		bool is_hash = str_eq(name, hash), is_range = str_has(range) && str_eq(name, range);
		if (is_hash) {
			if (one.type != RANGE_EQ) return scope_fail(s, "Query key condition not supported");
			has_hash = true;
			out->hash = one.low;
		} else if (is_range) {
			out->type = one.type;
			out->low = one.low;
			out->high = one.high;
		} else {
			/* An attribute that is no key: the key that is not asked for is the one missed. */
			struct str missed =
				has_hash || (i == 0 && count == 2) ? (str_has(range) ? range : STR_NONE) : hash;
			if (!str_has(missed)) return scope_fail(s, "Query key condition not supported");
			return scope_fail(s, "Query condition missed key schema element: %.*s", STR_ARG(missed));
		}
	}
	if (!has_hash) return scope_fail(s, "Query condition missed key schema element: %.*s", STR_ARG(hash));
	return true;
}
