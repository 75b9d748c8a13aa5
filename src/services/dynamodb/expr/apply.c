/* Updates applied to an item ("Update expressions"). All operands are computed over the item as it was; then the
 * actions run: SET, REMOVE, ADD, DELETE. */
#include "services/dynamodb/expr/expr.h"

static const char missing[] = "The provided expression refers to an attribute that does not exist in the item";
static const char wrong_type[] = "An operand in the update expression has an incorrect data type";
static const char bad_path[] = "The document path provided in the update expression is invalid for update";

static bool fail(struct str *error, const char *text)
{
	*error = str_c(text);
	return false;
}

static bool compute(
	struct arena *a, const struct node *n, const struct value *item, struct value *out, struct str *error);

static bool compute_call(
	struct arena *a, const struct node *n, const struct value *item, struct value *out, struct str *error)
{
	if (n->function == FN_IF_NOT_EXISTS) {
		const struct value *now = expr_at(item, &n->args[0]->path);
		if (!now) return compute(a, n->args[1], item, out, error);
		*out = ddb_copy(a, now);
		return true;
	}
	struct value x, y;
	if (!compute(a, n->args[0], item, &x, error) || !compute(a, n->args[1], item, &y, error)) return false;
	if (x.type != V_L || y.type != V_L) return fail(error, wrong_type);
	*out = (struct value){.type = V_L, .n = x.n + y.n};
	out->list = arena_array(a, out->n, sizeof(*out->list));
	if (x.n) memcpy(out->list, x.list, x.n * sizeof(*x.list));
	if (y.n) memcpy(out->list + x.n, y.list, y.n * sizeof(*y.list));
	return true;
}

static bool add(struct arena *a, const struct value *x, const struct value *y, bool subtract, struct value *out,
	struct str *error)
{
	struct str sum;
	enum number_result r = ddb_number_add(a, value_str(x), value_str(y), subtract, &sum);
	if (r != NUMBER_OK) {
		*error = ddb_number_problem(a, r, STR(""));
		return false;
	}
	*out = value_text(V_N, sum);
	return true;
}

static bool compute(
	struct arena *a, const struct node *n, const struct value *item, struct value *out, struct str *error)
{
	const struct value *now;
	struct value x, y;
	switch ((int)n->type) {
	case NODE_VALUE:
		*out = ddb_copy(a, &n->value);
		return true;
	case NODE_PATH:
		now = expr_at(item, &n->path);
		if (!now) return fail(error, missing);
		*out = ddb_copy(a, now);
		return true;
	case NODE_CALL:
		return compute_call(a, n, item, out, error);
	case NODE_PLUS:
	case NODE_MINUS:
		if (!compute(a, n->args[0], item, &x, error) || !compute(a, n->args[1], item, &y, error)) return false;
		if (x.type != V_N || y.type != V_N) return fail(error, wrong_type);
		return add(a, &x, &y, n->type == NODE_MINUS, out, error);
	default:
		return fail(error, wrong_type);
	}
}

/* What holds the path's last step; NULL where the item has no such place. */
static struct value *parent(struct value *item, const struct path *p)
{
	struct path up = {p->steps, p->n - 1};
	struct value *v = expr_at(item, &up);
	if (!v) return NULL;
	return v->type == (str_has(p->steps[p->n - 1].name) ? V_M : V_L) ? v : NULL;
}

static bool put(struct arena *a, struct value *item, const struct path *p, const struct value *v, struct str *error)
{
	struct value *in = parent(item, p);
	const struct path_step *last = &p->steps[p->n - 1];
	if (!in) return fail(error, bad_path);
	if (str_has(last->name)) {
		ddb_set(a, in, last->name, v);
		return true;
	}
	if (last->index < in->n) {
		in->list[last->index] = *v;
		return true;
	}
	/* "If you add multiple elements … past the end": they are appended. */
	struct value *grown = arena_array(a, (size_t)in->n + 1, sizeof(*grown));
	if (in->n) memcpy(grown, in->list, in->n * sizeof(*grown));
	grown[in->n++] = *v;
	in->list = grown;
	return true;
}

/* Removed list elements leave a hole first, so that the other actions' indexes stay what they were. */
static bool drop(struct value *item, const struct path *p, struct str *error)
{
	struct value *in = parent(item, p);
	const struct path_step *last = &p->steps[p->n - 1];
	if (!in) return fail(error, bad_path);
	if (str_has(last->name))
		ddb_remove(in, last->name);
	else if (last->index < in->n)
		in->list[last->index].type = V_NONE;
	return true;
}

static void close_holes(struct value *item, const struct path *p)
{
	if (str_has(p->steps[p->n - 1].name)) return;
	struct value *in = parent(item, p);
	if (!in) return;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < in->n; i++)
		if (in->list[i].type != V_NONE) in->list[kept++] = in->list[i];
	in->n = kept;
}

static bool apply_add(struct arena *a, struct value *item, const struct action *x, struct str *error)
{
	const struct value *v = &x->operand->value, *now = expr_at(item, &x->path);
	struct value result = *v;
	if (now) {
		if (now->type != v->type) return fail(error, wrong_type);
		if (v->type == V_N) {
			if (!add(a, now, v, false, &result, error)) return false;
		} else {
			result = ddb_set_union(a, now, v);
		}
	}
	return put(a, item, &x->path, &result, error);
}

static bool apply_delete(struct arena *a, struct value *item, const struct action *x, struct str *error)
{
	const struct value *v = &x->operand->value, *now = expr_at(item, &x->path);
	if (!now) return parent(item, &x->path) ? true : fail(error, bad_path);
	if (now->type != v->type) return fail(error, wrong_type);
	struct value left = ddb_set_minus(a, now, v);
	return left.n ? put(a, item, &x->path, &left, error) : drop(item, &x->path, error);
}

/* Appending in order of index, whatever order they stand in. */
static size_t next_set(const struct update *u, const bool *done)
{
	size_t best = u->n;
	for (size_t i = 0; i < u->n; i++) {
		if (done[i] || u->v[i].type != ACTION_SET) continue;
		const struct path *p = &u->v[i].path;
		if (best == u->n || p->steps[p->n - 1].index < u->v[best].path.steps[u->v[best].path.n - 1].index)
			best = i;
	}
	return best;
}

bool expr_apply(struct arena *a, const struct update *u, struct value *item, struct str *error)
{
	struct value *computed = arena_array(a, u->n, sizeof(*computed));
	bool *done = arena_array(a, u->n, sizeof(*done));
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].type == ACTION_SET && !compute(a, u->v[i].operand, item, &computed[i], error)) return false;
	for (size_t i; (i = next_set(u, done)) < u->n; done[i] = true)
		if (!put(a, item, &u->v[i].path, &computed[i], error)) return false;
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].type == ACTION_REMOVE && !drop(item, &u->v[i].path, error)) return false;
	for (size_t i = 0; i < u->n; i++) {
		if (u->v[i].type == ACTION_ADD && !apply_add(a, item, &u->v[i], error)) return false;
		if (u->v[i].type == ACTION_DELETE && !apply_delete(a, item, &u->v[i], error)) return false;
	}
	/* The deepest first: closing a list moves what lies below its elements. */
	for (size_t depth = EXPR_PATH_DEPTH_MAX + 1; depth > 0; depth--)
		for (size_t i = 0; i < u->n; i++)
			if ((u->v[i].type == ACTION_REMOVE || u->v[i].type == ACTION_DELETE) && u->v[i].path.n == depth)
				close_holes(item, &u->v[i].path);
	return true;
}
