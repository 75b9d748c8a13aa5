/* Conditions evaluated over an item ("Comparison operator and function reference"). What is absent is equal to nothing:
 * every comparison with it is false but <>. */
#include "services/dynamodb/expr/expr.h"

struct value *expr_at(const struct value *item, const struct path *p)
{
	const struct value *v = item;
	for (size_t i = 0; i < p->n && v; i++) {
		const struct path_step *step = &p->steps[i];
		if (str_has(step->name))
			v = v->type == V_M ? ddb_get(v, step->name) : NULL;
		else
			v = v->type == V_L && step->index < v->n ? &v->list[step->index] : NULL;
	}
	return (struct value *)(uintptr_t)v;
}

/* The number of a size lives beside its node. */
struct computed {
	struct value value;
	char bytes[NUMBER_BYTES_MAX];
};

static bool size_of(const struct value *v, struct computed *c)
{
	if (!v || v->type == V_N || v->type == V_BOOL || v->type == V_NULL) return false;
	size_t n = v->type == V_S ? str_utf8_length(value_str(v)) : v->n;
	/* Sizes are small whole numbers: written here as number.h tells, without an arena. */
	char digits[20];
	unsigned count = 0, used = 0;
	for (; n; n /= 10) digits[count++] = (char)(n % 10);
	if (count == 0) {
		c->bytes[used++] = (char)0x80;
	} else {
		c->bytes[used++] = (char)0xc0;
		c->bytes[used++] = (char)(count + 129);
		unsigned last = 0; /* digits from the low end that are zero */
		while (digits[last] == 0) last++;
		for (unsigned i = count; i > last; i -= i >= last + 2 ? 2 : 1)
			c->bytes[used++] = (char)(1 + digits[i - 1] * 10 + (i - 1 > last ? digits[i - 2] : 0));
		c->bytes[used++] = 0;
	}
	c->value = value_text(V_N, str_n(c->bytes, used));
	return true;
}

static const struct value *operand(const struct node *n, const struct value *item, struct computed *c)
{
	if (n->type == NODE_VALUE) return &n->value;
	if (n->type == NODE_PATH) return expr_at(item, &n->path);
	if (n->type == NODE_CALL && n->function == FN_SIZE) {
		struct computed inner;
		return size_of(operand(n->args[0], item, &inner), c) ? &c->value : NULL;
	}
	return NULL;
}

static bool ordered(const struct value *x, const struct value *y)
{
	return x && y && x->type == y->type && (x->type == V_S || x->type == V_N || x->type == V_B);
}

static bool contains(const struct value *x, const struct value *y)
{
	if (!x || !y) return false;
	switch ((int)x->type) {
	case V_S:
	case V_B:
		return y->type == x->type && str_find(value_str(x), value_str(y)) >= 0;
	case V_SS:
	case V_NS:
	case V_BS:
		return ddb_element_of(x->type) == (enum value_type)y->type && ddb_set_has(x, value_str(y));
	case V_L:
		for (uint32_t i = 0; i < x->n; i++)
			if (ddb_equal(&x->list[i], y)) return true;
		return false;
	default:
		return false;
	}
}

static bool test_call(const struct node *n, const struct value *item)
{
	struct computed cx, cy;
	const struct value *x = operand(n->args[0], item, &cx), *y = n->n > 1 ? operand(n->args[1], item, &cy) : NULL;
	switch (n->function) {
	case FN_ATTRIBUTE_EXISTS:
		return x != NULL;
	case FN_ATTRIBUTE_NOT_EXISTS:
		return x == NULL;
	case FN_ATTRIBUTE_TYPE:
		return x && str_eq(str_c(ddb_type_name(x->type)), value_str(y));
	case FN_BEGINS_WITH:
		return x && y && x->type == y->type && (x->type == V_S || x->type == V_B) &&
		       str_starts(value_str(x), value_str(y));
	case FN_CONTAINS:
		return contains(x, y);
	case FN_NOT_CONTAINS:
		return x && !contains(x, y);
	case FN_SIZE:
	case FN_IF_NOT_EXISTS:
	case FN_LIST_APPEND:
	case FN_NONE:
		break;
	}
	return false;
}

bool expr_test(const struct node *n, const struct value *item)
{
	struct computed cx, cy, cz;
	const struct value *x, *y, *z;
	if (n->type == NODE_AND) return expr_test(n->args[0], item) && expr_test(n->args[1], item);
	if (n->type == NODE_OR) return expr_test(n->args[0], item) || expr_test(n->args[1], item);
	if (n->type == NODE_NOT) return !expr_test(n->args[0], item);
	if (n->type == NODE_CALL) return test_call(n, item);
	if (n->n < 2) return false;
	x = operand(n->args[0], item, &cx);
	y = operand(n->args[1], item, &cy);
	switch (n->type) {
	case NODE_EQ:
		return x && y && ddb_equal(x, y);
	case NODE_NE:
		return !(x && y && ddb_equal(x, y));
	case NODE_LT:
		return ordered(x, y) && ddb_compare(x, y) < 0;
	case NODE_LE:
		return ordered(x, y) && ddb_compare(x, y) <= 0;
	case NODE_GT:
		return ordered(x, y) && ddb_compare(x, y) > 0;
	case NODE_GE:
		return ordered(x, y) && ddb_compare(x, y) >= 0;
	case NODE_BETWEEN:
		z = operand(n->args[2], item, &cz);
		return ordered(x, y) && ordered(x, z) && ddb_compare(x, y) >= 0 && ddb_compare(x, z) <= 0;
	case NODE_IN:
		for (size_t i = 1; x && i < n->n; i++) {
			y = operand(n->args[i], item, &cy);
			if (y && ddb_equal(x, y)) return true;
		}
		return false;
	case NODE_PATH:
	case NODE_VALUE:
	case NODE_CALL:
	case NODE_PLUS:
	case NODE_MINUS:
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
		break;
	}
	return false;
}

struct str expr_uses(const struct node *n, struct str hash, struct str range)
{
	if (n->type == NODE_PATH) {
		struct str first = n->path.steps[0].name;
		return str_eq(first, hash) ? hash : str_has(range) && str_eq(first, range) ? range : STR_NONE;
	}
	for (size_t i = 0; i < n->n; i++) {
		struct str found = expr_uses(n->args[i], hash, range);
		if (str_has(found)) return found;
	}
	return STR_NONE;
}
