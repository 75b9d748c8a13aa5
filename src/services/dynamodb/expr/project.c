/* Projections: the parts of an item that some paths name, in their places; of lists, the named elements close up. */
#include "services/dynamodb/expr/expr.h"

struct selection {
	const struct path **v;
	size_t n;
};

static bool whole(const struct selection *s, size_t depth)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i]->n == depth) return true;
	return false;
}

static bool pick(struct arena *a, const struct selection *s, size_t depth, const struct value *from, struct value *out);

/* Those of s that go on with this step. */
static struct selection narrow(
	struct arena *a, const struct selection *s, size_t depth, struct str name, uint32_t index)
{
	struct selection out = {arena_array(a, s->n, sizeof(*out.v)), 0};
	for (size_t i = 0; i < s->n; i++) {
		const struct path_step *step = &s->v[i]->steps[depth];
		if (str_has(name) ? str_has(step->name) && str_eq(step->name, name)
				  : !str_has(step->name) && step->index == index)
			out.v[out.n++] = s->v[i];
	}
	return out;
}

static bool pick_map(
	struct arena *a, const struct selection *s, size_t depth, const struct value *from, struct value *out)
{
	*out = ddb_map();
	for (uint32_t i = 0; i < from->n; i++) {
		struct selection in = narrow(a, s, depth, from->map[i].name, 0);
		struct value v;
		if (in.n && pick(a, &in, depth + 1, &from->map[i].value, &v)) ddb_set(a, out, from->map[i].name, &v);
	}
	return out->n > 0;
}

static bool pick_list(
	struct arena *a, const struct selection *s, size_t depth, const struct value *from, struct value *out)
{
	*out = (struct value){.type = V_L};
	out->list = arena_array(a, from->n, sizeof(*out->list));
	for (uint32_t i = 0; i < from->n; i++) {
		struct selection in = narrow(a, s, depth, STR_NONE, i);
		if (in.n && pick(a, &in, depth + 1, &from->list[i], &out->list[out->n])) out->n++;
	}
	return out->n > 0;
}

static bool pick(struct arena *a, const struct selection *s, size_t depth, const struct value *from, struct value *out)
{
	if (whole(s, depth)) {
		*out = *from;
		return true;
	}
	if (from->type == V_M) return pick_map(a, s, depth, from, out);
	if (from->type == V_L) return pick_list(a, s, depth, from, out);
	return false;
}

struct value expr_project(struct arena *a, const struct projection *p, const struct value *item)
{
	struct selection s = {arena_array(a, p->n, sizeof(*s.v)), p->n};
	struct value out;
	for (size_t i = 0; i < p->n; i++) s.v[i] = &p->v[i];
	if (!pick_map(a, &s, 0, item, &out)) out = ddb_map();
	return out;
}
